/*
 * groups.h: the groups that hold a member, wherever in the directory they are.
 *
 * They are searched where the group mapping puts them, which must succeed, and
 * in all else that can be searched: base_dn, or every naming context of the
 * server. A place that cannot be searched (no right to read it, an empty
 * suffix, a proxy whose server is away, a size limit) never hides what was
 * found elsewhere: the receipt's note names the place and the server's answer.
 * It is `partial` where that may hide a group of the mapping: where a part of
 * the mapping's base was left out, or the context that holds the base could
 * not be searched.
 * The contract is that of connector.h.
 */
#ifndef PROVOST_CONNECTORS_LDAP_GROUPS_H
#define PROVOST_CONNECTORS_LDAP_GROUPS_H

#include "connectors/ldap/session.h"

enum outcome ldap_read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                              struct receipt *receipt);

#endif
