/*
 * rights.h: for `provostctl check --connect`, whether the agent may write what a mapping writes.
 *
 * By the control Get Effective Rights, where the server offers it (389 Directory Server and its kin). Asked of the place, and of
 * a new entry of each object class there. Writes nothing.
 * Threads: the session's.
 */
#ifndef PROVOST_CONNECTORS_LDAP_RIGHTS_H
#define PROVOST_CONNECTORS_LDAP_RIGHTS_H

#include "connectors/ldap/session.h"

/* Adds what is missing to `problems`, and what could not be looked at to `notes`. False: no answer came; see the receipt. */
bool rights_check(struct connector_session *session, const struct connector_rehearsal *rehearsal,
                  const struct connector_line *place, struct problems *problems, struct problems *notes, struct receipt *receipt);

#endif
