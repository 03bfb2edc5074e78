/*
 * dn.h: distinguished names, as far as the planner must understand them.
 *
 * Two DNs are the same when they differ only in the case of attribute types
 * and values, in insignificant spaces, in how characters are escaped, or in
 * the order inside a multi-valued RDN. That is stricter than no rule and
 * looser than the schema's (which a planner does not have): attributes whose
 * values tell case apart do not name entries in practice.
 *
 * Ownership: results are the caller's. Threads: no state.
 * Errors: ERROR_SYNTAX for what is no DN. Source: RFC 4514.
 */
#ifndef PROVOST_PLAN_DN_H
#define PROVOST_PLAN_DN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* A spelling that is equal exactly where the DNs are the same. */
int dn_normalize(const char *dn, char **ret_normal);

/* `dn` is `base` or below it; both are DNs. */
bool dn_within(const char *dn, const char *base);

/* Text that is no DN is compared without case. */
bool dn_same(const char *a, const char *b);

/* The same place but for `~mark` at the end of the naming value: "uid=ann~17,ou=people". `mark`: letters, digits and -. */
int dn_aside(const char *dn, const char *mark, char **ret_dn);

/* The part of a DN behind the RDN that `end` lies in: "ou=people,dc=org" of "uid=x,ou=people,dc=org" and 4. NULL: nothing is. Borrowed. */
const char *dn_behind(const char *dn, size_t end);

/* The attributes of the first RDN, as { "uid": "ann" }, unescaped. */
int dn_first_rdn(const char *dn, json_t **ret_object);

#endif
