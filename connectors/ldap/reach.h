/*
 * reach.h: which of the addresses of `uri` a session is connected to.
 *
 * The first one that can be reached, takes our log-in and is not passed over
 * (shared.h). A session that sits on a later one goes back to an earlier one
 * that answers again: one session looks, at most every few seconds and for a
 * short time, and the others follow at their next request.
 * Threads: one at a time for each session.
 */
#ifndef PROVOST_CONNECTORS_LDAP_REACH_H
#define PROVOST_CONNECTORS_LDAP_REACH_H

#include "connectors/ldap/session.h"
#include "connectors/ldap/shared.h"

/* Connects session->ld anew. False with the receipt set: TARGET_DOWN, with REFUSAL_LOGIN where the log-in is refused, and
 * REFUSAL_SERVER where an address is passed over for what it refuses. */
bool reach(struct connector_session *session, enum errand errand, struct receipt *receipt);
/* Before a request: leaves an address that is passed over, goes back to an earlier one; session->ld may be NULL after it. */
void reach_settle(struct connector_session *session);
void reach_drop(struct connector_session *session);

/* Takes the server's description (the answer to a read of the rootDSE): what it holds and what it can do. */
extern const char *const description_names[];
void take_description(struct connector_session *session, const struct answer *answer);

#endif
