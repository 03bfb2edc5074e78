/*
 * table.h: columns that line up, and text from outside that cannot steer the
 * terminal (control characters are shown as \xNN).
 *
 * Calling sequence: table_start → table_cell for each cell, row by row →
 * table_print → table_free. Cells are copied. Threads: one.
 */
#ifndef PROVOST_CTL_TABLE_H
#define PROVOST_CTL_TABLE_H

#include "ctl/ctl.h"

#define TABLE_COLUMNS_MOST 32

struct table {
    const char *heads[TABLE_COLUMNS_MOST];
    size_t columns;
    struct table_cell {
        char *text;
        enum ctl_colour colour;
    } *cells;
    size_t count, capacity;
};

void table_start(struct table *table, const char *const *heads); /* NULL-terminated; heads are borrowed */
void table_cell(struct table *table, enum ctl_colour colour, const char *format, ...) __attribute__((format(printf, 3, 4)));
void table_print(const struct table *table, const struct ctl *ctl, const char *indent);
void table_free(struct table *table);

/* Text for a person: what no value is, and JSON of what is no single value. The caller frees. */
char *table_value(const json_t *value);
/* One line of text with its control characters shown, to standard output. */
void table_put_text(const char *text);

/* An array of flat objects as a table: the columns of `first` that occur, in
 * this order, then all others. */
void table_print_rows(const struct ctl *ctl, const json_t *rows, const char *const *first, const char *indent);

#endif
