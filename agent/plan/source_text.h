/*
 * source_text.h: finds a piece of a string value again in the file it was
 * written in, to tell its line and column: libconfig keeps the line of a
 * setting alone, and its escapes make positions in the value and in the file
 * differ. Ownership: all borrowed. Threads: no state.
 */
#ifndef PROVOST_PLAN_SOURCE_TEXT_H
#define PROVOST_PLAN_SOURCE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Looks for the string literal that means `value`, from `line` on, and tells
 * where its byte `offset` stands. False, outputs untouched: not found. */
bool source_text_find(const char *source, int line, const char *value, size_t offset, int *ret_line, int *ret_column);
/* The first one of the whole text. */
bool source_text_find_anywhere(const char *source, const char *value, size_t offset, int *ret_line, int *ret_column);

#endif
