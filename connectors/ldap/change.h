/*
 * change.h: a change of the one entry that is meant.
 *
 * A request with assert_key goes to the entry that has this key (RFC 4528,
 * where the server offers it): the answer is assertionFailed where another
 * entry has taken the DN. slapo-unique's own searches are run under the same
 * assertion and fail by it, and a server behind a proxied subtree may not know
 * the control: so "assertion failed" and "no such control" are believed only
 * after a look at the entry's key, and the change is sent once more without
 * the control where the key is the right one.
 */
#ifndef PROVOST_CONNECTORS_LDAP_CHANGE_H
#define PROVOST_CONNECTORS_LDAP_CHANGE_H

#include "connectors/ldap/session.h"

/* As session_ask, for a request that changes something. */
bool change_ask(struct connector_session *session, const struct request *request, struct answer *answer, struct receipt *receipt);

#endif
