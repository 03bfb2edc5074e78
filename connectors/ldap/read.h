/*
 * read.h: accounts and groups as the directory has them now.
 * The contract of each function is that of connector.h.
 */
#ifndef PROVOST_CONNECTORS_LDAP_READ_H
#define PROVOST_CONNECTORS_LDAP_READ_H

#include "connectors/ldap/session.h"

enum outcome ldap_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                       struct receipt *receipt);
enum outcome ldap_list(struct connector_session *session, const struct account_query *query, connector_list_entry *entry, void *arg,
                       struct receipt *receipt);

/* One entry by its DN, with these attributes (NULL-terminated). APPLIED with
 * *answer the caller's to clear, GONE, or a failure. */
enum outcome read_entry(struct connector_session *session, const char *dn, const char *const *attributes, struct answer *answer,
                        struct receipt *receipt);
/* The key of an entry, owned by the caller; NULL: it has none that we may see. */
char *read_key(const struct connector_session *session, LDAPMessage *entry);
/* An entry without a key that we may see: RETRY, of this entry or of all. */
enum outcome read_tell_no_key(const struct connector_session *session, const char *dn, struct receipt *receipt);

/* A search page by page (RFC 2696). `take` is called with each answer that came, and once more with a refusal, which may hold
 * entries, too (a size limit). It returns 0 to go on, 1 when it has had enough, negative with the receipt set.
 * APPLIED, or the failure. */
typedef int read_take_page(struct connector_session *session, const struct answer *answer, void *arg, struct receipt *receipt);
enum outcome read_pages(struct connector_session *session, struct request *request, read_take_page *take, void *arg,
                        struct receipt *receipt);

#endif
