/*
 * read.h: accounts and groups as the directory has them now.
 * The contract of each function is that of connector.h.
 */
#ifndef PROVOST_CONNECTORS_LDAP_READ_H
#define PROVOST_CONNECTORS_LDAP_READ_H

#include "connectors/ldap/session.h"

enum outcome ldap_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                       struct receipt *receipt);
enum outcome ldap_read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                              struct receipt *receipt);
enum outcome ldap_list(struct connector_session *session, const struct account_query *query, connector_list_entry *entry, void *arg,
                       struct receipt *receipt);

/* One entry by its DN, with these attributes (NULL-terminated). APPLIED with
 * *answer the caller's to clear, GONE, or a failure. */
enum outcome read_entry(struct connector_session *session, const char *dn, const char *const *attributes, struct answer *answer,
                        struct receipt *receipt);
/* The key of an entry, owned by the caller; NULL: it has none that we may see. */
char *read_key(const struct connector_session *session, LDAPMessage *entry);

#endif
