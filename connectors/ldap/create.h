/*
 * create.h: a new entry, and its key.
 *
 * The key comes back with the answer (RFC 4527) or by a search. Where an entry
 * stands already that holds all that was to be written, it is our own of an
 * earlier try: UNCHANGED, with its key. Any other one there is RETRY: it may be on its way elsewhere.
 */
#ifndef PROVOST_CONNECTORS_LDAP_CREATE_H
#define PROVOST_CONNECTORS_LDAP_CREATE_H

#include "connectors/ldap/session.h"

enum outcome create_entry(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt);

#endif
