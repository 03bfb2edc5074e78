/*
 * schema.h: what a server's schema (RFC 4512) says of attributes and object classes. Read once, for `check --connect`.
 *
 * Calling sequence: schema_read → schema_… → schema_clear. Without a schema that we may read nothing is known, and `known` is
 * false.
 * Ownership: the struct owns what it holds; texts are the caller's. Threads: one.
 */
#ifndef PROVOST_CONNECTORS_LDAP_SCHEMA_H
#define PROVOST_CONNECTORS_LDAP_SCHEMA_H

#include "connectors/ldap/session.h"

struct schema {
    struct berval **types, **classes;
    bool known;
    bool has_rules; /* content rules: classes take more than they say */
};

/* False: no answer came, and the receipt says why. */
bool schema_read(struct connector_session *session, struct schema *ret_schema, struct receipt *receipt);
void schema_clear(struct schema *schema);

/* Options (";binary") are left out. */
bool schema_has_attribute(const struct schema *schema, const char *name);
bool schema_has_class(const struct schema *schema, const char *name);
/* Kept by the server for itself, with any class. */
bool schema_is_operational(const struct schema *schema, const char *name);
/* May an entry of these classes have it? */
bool schema_allows(const struct schema *schema, const char *const *classes, const char *name);
/* The first attribute that these classes demand and `names` does not have; NULL: none. */
char *schema_missing(const struct schema *schema, const char *const *classes, const char *const *names);

#endif
