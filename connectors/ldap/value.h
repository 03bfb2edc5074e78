/*
 * value.h: JSON values ↔ LDAP values, and the differences between them.
 *
 * To the directory: a string as it is, a number in decimal, true and false as
 * TRUE and FALSE, {"base64": "…"} decoded; arrays hold several of these.
 * From the directory: arrays of strings; a value that is no UTF-8, holds a NUL
 * or stands in an attribute with ";binary" is {"base64": "…"}.
 * Ownership: stated per function. Threads: no state.
 * Errors: ERROR_INVALID with the attribute's name, never with the value.
 */
#ifndef PROVOST_CONNECTORS_LDAP_VALUE_H
#define PROVOST_CONNECTORS_LDAP_VALUE_H

#include <jansson.h>
#include <lber.h>
#include <ldap.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "connectors/connector.h"

/* A copy of the bytes, as an entry of such a list; NULL: out of memory. */
struct berval *value_new(const void *bytes, size_t length);
/* NULL-terminated, owned; freed by values_free. An absent or empty array gives an empty list. */
int values_from_json(const char *name, const json_t *json, struct berval ***ret_values, struct error *error);
void values_free(struct berval **values);

/* The values of an attribute as a new JSON array; NULL: out of memory. */
json_t *values_to_json(const char *name, struct berval *const *values);

/* "cn" for "commonName" (RFC 4519): servers answer with the short name. */
const char *attribute_canonical(const char *name);
bool attribute_same(const char *a, const char *b);

/* The attribute's values in an entry, or NULL; freed by ldap_value_free_len. */
struct berval **entry_values(LDAP *ld, LDAPMessage *entry, const char *name);

/* A growing, NULL-terminated list of modifications. It owns all it holds. */
struct mods {
    LDAPMod **list;
    size_t count;
};
/* Takes over `values` (NULL: none), also on failure. */
int mods_add(struct mods *mods, int op, const char *name, struct berval **values);
/* The same with one value, copied. */
int mods_add_text(struct mods *mods, int op, const char *name, const char *text);
void mods_free(struct mods *mods);
static inline void cleanup_mods(struct mods *mods)
{
    mods_free(mods);
}

/*
 * Adds to `mods` what of the changes `entry` (NULL: nothing) does not have
 * already, but for those of attributes that the connector makes up (lock.h).
 * With `loose`, values that differ only in case and spaces count as the same, which is what a server means when it says that a value exists.
 */
int changes_remaining(LDAP *ld, LDAPMessage *entry, const struct change *changes, size_t count, bool loose, struct mods *mods,
                      struct error *error);

/* Does `entry` hold every value of the object `values`? Names in `except` (NULL-terminated) are not looked at. */
bool entry_holds(LDAP *ld, LDAPMessage *entry, const json_t *values, const char *const *except);

/* The key's text: as it is where printable, else each byte as \xx; and as part of a filter. */
char *key_text(const struct berval *value);
char *filter_equals(const char *attribute, const char *text);
char *filter_key(const char *attribute, const char *key);
/* "(|…)" of a NULL-terminated list; NULL where one is not a single filter in parentheses, or out of memory. */
char *filter_any(const char *const *filters);

#endif
