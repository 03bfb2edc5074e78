/*
 * match_token.h: a name as a whole token in bytes of unknown make.
 * Threads: no state. All is borrowed. An empty name stands nowhere.
 * `fold`: letters of ASCII count alike in either case.
 */
#ifndef PROVOST_CONNECTORS_SESSION_MATCH_TOKEN_H
#define PROVOST_CONNECTORS_SESSION_MATCH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* The first place of the name; NULL: none. Whole or not. */
const char *name_in(const char *bytes, size_t length, const char *name, bool fold);
bool names_equal(const char *bytes, size_t length, const char *name, bool fold);

/* `member` (may be NULL): the name counts only right behind this token, as a
 * member's value stands behind the member's name. */
bool token_stands(const char *bytes, size_t length, const char *name, const char *member, bool fold);

/* A part of a longer value: the name begins within [from, to). What stands
 * beside it may lie outside of these, TOKEN_MARGIN bytes (and the member's
 * name) before and one byte after. Of a value whose make is not known, a byte
 * in front that is the name's length makes it whole, too. */
#define TOKEN_MARGIN 32
bool token_stands_between(const char *bytes, size_t length, size_t from, size_t to, const char *name, const char *member, bool fold);

/* In JDK-serialised bytes: a text (TC_STRING) that is exactly the name. What
 * does not begin like a JDK stream is searched for the token. */
bool java_stands(const char *bytes, size_t length, const char *name, bool fold);

#endif
