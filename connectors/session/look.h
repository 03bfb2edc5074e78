/*
 * look.h: searching a value for names that cannot be read where they should
 * stand: it is too large to be read at once, compressed, nested too deep, or
 * of a make that is not known. Such a value can be anybody's.
 *
 *     struct look *look = look_begin(layout);
 *     look_for(look, ann); look_for(look, bob);        each a list of names
 *     while (… more …) look_piece(look, bytes, length);
 *     switch (look_end(look, 0)) …                     ann's
 *     look_free(look);
 *
 * What is around the bytes is taken off on the way (base64, Django's
 * signature, zlib and gzip, escapes of JSON), and the bytes are searched as
 * they came, too. A name that is a number counts only behind the member that
 * user_at names: elsewhere it can be anything.
 *
 * Memory: the same for any length. Ownership: layout and names are borrowed.
 * Threads: no state of its own. Errors: look_begin NULL and look_for false
 * are out of memory.
 * Source: RFC 1950, RFC 1952 (zlib reads both), RFC 8259.
 */
#ifndef PROVOST_CONNECTORS_SESSION_LOOK_H
#define PROVOST_CONNECTORS_SESSION_LOOK_H

#include "connectors/session/match.h"

struct look;

struct look *look_begin(const struct layout *layout);
bool look_for(struct look *look, const char *const *users);
void look_piece(struct look *look, const void *bytes, size_t length);

/* Of the n-th list of names. OTHER: all was searched, and it begins as the
 * layout's format does; UNREADABLE: it can be anybody's. */
enum match look_end(struct look *look, size_t person);
void look_free(struct look *look); /* NULL is allowed */

/* match_value, and a look where that cannot read the value. */
enum match look_at_value(const struct layout *layout, const char *const *users, const void *bytes, size_t length,
                         int64_t *ret_created_us);

#endif
