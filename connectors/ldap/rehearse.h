/*
 * rehearse.h: for `provostctl check --connect`, what the first joiner and the first leaver of a mapping file would be refused.
 *
 * Reads places, one entry's key, the schema and rights, runs each match, and writes nothing. The contract is that of connector.h.
 * Threads: the session's.
 */
#ifndef PROVOST_CONNECTORS_LDAP_REHEARSE_H
#define PROVOST_CONNECTORS_LDAP_REHEARSE_H

#include "connectors/ldap/session.h"

void ldap_rehearse(struct connector_session *session, const struct connector_sample *sample, struct problems *problems,
                   char **ret_key, char **ret_note);

#endif
