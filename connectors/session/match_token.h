/*
 * match_token.h: a name as a whole token in bytes of unknown make.
 * Threads: no state. All is borrowed. An empty name stands nowhere.
 */
#ifndef PROVOST_CONNECTORS_SESSION_MATCH_TOKEN_H
#define PROVOST_CONNECTORS_SESSION_MATCH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* `member` (may be NULL): the name counts only right behind this token, as a
 * member's value stands behind the member's name. */
bool token_stands(const char *bytes, size_t length, const char *name, const char *member);

/* In JDK-serialised bytes: a text (TC_STRING) that is exactly the name. What
 * does not begin like a JDK stream is searched for the token. */
bool java_stands(const char *bytes, size_t length, const char *name);

#endif
