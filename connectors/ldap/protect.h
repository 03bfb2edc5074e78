/*
 * protect.h: entries that are never touched, whoever matches or links them: those that the mapping's filter `protected` describes.
 *
 * The filter is judged here, by the entry as it is shown to us, and not by the server: a mark of another kind of directory is one that
 * no entry here has. It may have & | ! and items with =, presence and * inside a value. Values are compared as naming values are (case,
 * spaces; as DNs where both are DNs). entryDN and distinguishedName are the entry's own place.
 * Calling sequence: protect_check when the file is loaded → protect_names with each read → protect_mark, protect_mark_new.
 * Ownership: stated per function. Threads: no state.
 */
#ifndef PROVOST_CONNECTORS_LDAP_PROTECT_H
#define PROVOST_CONNECTORS_LDAP_PROTECT_H

#include <libconfig.h>

#include "connectors/ldap/session.h"

/* Of a mapping file: can its `protected` be judged? */
void protect_check(const config_setting_t *root, struct problems *problems);

/* `names` (NULL-terminated; borrowed) and those that the filter needs; the list is the caller's (protect_free_names), which frees what it has
 * added. NULL: out of memory. A NULL filter needs none. */
const char **protect_names(const char *const *names, const char *filter);
void protect_free_names(const char *const *names, const char **with);

/* The part of the filter that describes the entry, the caller's; NULL: none does. The entry of an answer, or one to be created. */
char *protect_mark(LDAP *ld, LDAPMessage *entry, const char *filter);
char *protect_mark_new(const char *dn, const json_t *values, const char *filter);

/* The entry of an answer, once it is renamed. */
char *protect_mark_renamed(LDAP *ld, LDAPMessage *entry, const char *new_dn, const char *filter);

/* REJECTED, in words. */
enum outcome protect_tell(const char *dn, const char *mark, struct receipt *receipt);

#endif
