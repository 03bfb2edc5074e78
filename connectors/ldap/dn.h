/*
 * dn.h: distinguished names compared and taken apart (RFC 4514).
 *
 * Two DNs are the same when they differ only in case, spaces around and
 * escapes: near enough to the server's own rules to tell what was asked from
 * what is; the server has the last word wherever something is changed.
 * Ownership: what is returned is the caller's to free(). Threads: no state.
 */
#ifndef PROVOST_CONNECTORS_LDAP_DN_H
#define PROVOST_CONNECTORS_LDAP_DN_H

#include <stdbool.h>

#include "base/error.h"

bool dn_equal(const char *a, const char *b);
/* `dn` is `base` or below it. */
bool dn_is_within(const char *dn, const char *base);
/* The longest end that both have, as `a` spells it. The caller's to free; NULL: none, or no DN. */
char *dn_common(const char *a, const char *b);
/* "uid=x" and "ou=people,dc=…" ("" for a DN of one part). ERROR_SYNTAX when
 * it is no DN, or has no part at all. */
int dn_split(const char *dn, char **ret_rdn, char **ret_parent);

#endif
