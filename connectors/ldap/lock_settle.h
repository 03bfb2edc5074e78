/*
 * lock_settle.h: is a lock of passwords so, after it was written? Somebody may have set another password at the same time, and
 * some servers hash whatever they are given (389, slapo-ppolicy with ppolicy_hash_cleartext): a hash of the lock is a password.
 * Threads: the session's. Ownership: nothing is kept.
 */
#ifndef PROVOST_CONNECTORS_LDAP_LOCK_SETTLE_H
#define PROVOST_CONNECTORS_LDAP_LOCK_SETTLE_H

#include "connectors/ldap/session.h"

/* After an operation was APPLIED: looks, where it sets passwordLock, and locks again what is open. APPLIED (the receipt's note
 * says what a person should know), or a failure. */
enum outcome lock_settle(struct connector_session *session, const struct operation *operation, const char *dn,
                         struct receipt *receipt);

#endif
