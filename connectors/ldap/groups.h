/*
 * groups.h: the groups that hold a member.
 * The contract is that of connector.h.
 */
#ifndef PROVOST_CONNECTORS_LDAP_GROUPS_H
#define PROVOST_CONNECTORS_LDAP_GROUPS_H

#include "connectors/ldap/session.h"

enum outcome ldap_read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                              struct receipt *receipt);

#endif
