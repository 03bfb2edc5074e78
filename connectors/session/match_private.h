/*
 * match_private.h: the readers of single formats, for match.c.
 *
 * Each looks for the scalar at a JSON Pointer and adds its text to `text`.
 * 1: it is there; 0: it is not, or is no scalar; -1: the bytes are not in this
 * format, or are beyond a bound. Threads: no state.
 */
#ifndef PROVOST_CONNECTORS_SESSION_MATCH_PRIVATE_H
#define PROVOST_CONNECTORS_SESSION_MATCH_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* The pointer's next part, unescaped (RFC 6901) into `part`; false at its end. */
bool pointer_next(const char **pointer, struct buf *part);

int json_find(const char *bytes, size_t length, const char *pointer, struct buf *text);
int php_find(const char *bytes, size_t length, const char *pointer, struct buf *text);        /* name|serialized… */
int serialized_find(const char *bytes, size_t length, const char *pointer, struct buf *text); /* one value */
int django_find(const char *bytes, size_t length, const char *pointer, struct buf *text);

/* Base64, either alphabet, with or without padding. */
int base64_digit(char c); /* -1: none */
bool base64_decode(const char *bytes, size_t length, struct buf *decoded);

#endif
