/*
 * read.h: accounts and groups as the API has them now.
 * The contract of each function is that of connector.h.
 */
#ifndef PROVOST_CONNECTORS_REST_READ_H
#define PROVOST_CONNECTORS_REST_READ_H

#include "connectors/rest/session.h"

enum outcome rest_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                       struct receipt *receipt);
enum outcome rest_read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                              struct receipt *receipt);
enum outcome rest_list(struct connector_session *session, const struct account_query *query, connector_list_entry *entry,
                       void *arg, struct receipt *receipt);

/* One item, and what is known with it. */
struct found {
    char *key;
    json_t *item;
    char *etag;   /* NULL: none */
    bool whole;   /* not out of a list, whose entries may be shortened */
    int disabled; /* as in struct account */
};
void found_clear(struct found *found);
#define cleanup_found __attribute__((cleanup(found_clear)))

/* By requests.read; the item's id must be `key`. APPLIED, GONE, or a failure. */
enum outcome find_by_key(struct connector_session *session, const json_t *settings, const char *key, struct found *ret_found,
                         struct receipt *receipt);
/* By requests.match, in order. APPLIED, GONE (also where none could be
 * rendered), AMBIGUOUS naming the ids, or a failure. */
enum outcome find_by_match(struct connector_session *session, const json_t *settings, struct found *ret_found,
                           struct receipt *receipt);

#endif
