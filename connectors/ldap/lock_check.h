/*
 * lock_check.h: for `provostctl check --connect`: can a mapping's `disable` stop a log-in at this server, as whom we are? Reads the
 * server's description, its schema, its password policies and some entries; writes nothing.
 * The contract is that of connector.h. Threads: the session's.
 */
#ifndef PROVOST_CONNECTORS_LDAP_LOCK_CHECK_H
#define PROVOST_CONNECTORS_LDAP_LOCK_CHECK_H

#include "connectors/ldap/session.h"

/* REJECTED: a lock that `names` has locks nobody here. */
enum outcome lock_check(struct connector_session *session, const char *base, const char *const *names, struct receipt *receipt);

#endif
