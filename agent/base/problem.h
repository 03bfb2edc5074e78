/*
 * problem.h: a list of mistakes found in files, told all at once.
 *
 * Each problem has a place (file:line:column, the parts known) and a sentence
 * that ends in what would be right. The caller owns the list; texts are copied.
 * Threads: one at a time for each list.
 */
#ifndef PROVOST_BASE_PROBLEM_H
#define PROVOST_BASE_PROBLEM_H

#include <stddef.h>
#include <stdio.h>

struct problem {
    char *file;  /* NULL: none */
    int line;    /* 0: not known */
    int column;  /* 0: not known; counts from 1, in bytes */
    char *text;
};

struct problems {
    struct problem *list;
    size_t count;
};

void problems_add(struct problems *problems, const char *file, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Without a place, and only where no problem of the list has the same text. */
void problems_add_once(struct problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line each, "file:line:column: text". */
void problems_print(const struct problems *problems, FILE *stream);
void problems_free(struct problems *problems); /* frees what it holds, not itself */

#endif
