/*
 * pointer.h: JSON Pointer: where something stands in an API's JSON.
 *
 * "" is the whole document; "/name/given" a member of a member; "/emails/0" an
 * entry of a list; "~1" stands for "/" and "~0" for "~" within a name.
 * Ownership: what pointer_get returns belongs to the document; pointer_set
 * keeps a reference to the value. Threads: no state.
 * Errors: ERROR_INVALID with the pointer, never with a value; ERROR_NOMEM.
 * Source: RFC 6901.
 */
#ifndef PROVOST_CONNECTORS_REST_POINTER_H
#define PROVOST_CONNECTORS_REST_POINTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/* Well-formed: "" or one that starts with "/", each "~" before 0 or 1. */
bool pointer_is_valid(const char *pointer);

/* The value, or NULL where nothing stands or the pointer is not well-formed. */
json_t *pointer_get(const json_t *document, const char *pointer);
/* The same; JSON's null counts as nothing. */
json_t *pointer_get_value(const json_t *document, const char *pointer);

/*
 * Puts a value in its place. Objects that are missing on the way are made, and
 * lists where the next part is "0" or "-". A value other than null that is
 * neither, and stands in the way, is an error; so is an entry past a list's end.
 */
int pointer_set(json_t *document, const char *pointer, json_t *value, struct error *error);
void pointer_remove(json_t *document, const char *pointer); /* nothing there: nothing to do */

/* Appends "/" and the name, escaped. */
void pointer_add(struct buf *pointer, const char *name);
/* The next part of a pointer, decoded, into `part`; *rest moves on. False at
 * the end or where it is not well-formed. */
bool pointer_next(const char **rest, struct buf *part);

/* An index of a list, "0" or digits without a leading zero; false: another name. */
bool pointer_index(const char *part, size_t *ret_index);

#endif
