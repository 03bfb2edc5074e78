/*
 * apply.h: operations made in the directory. The contract is connector.h's.
 *
 * Safe on repetition: what is so already is left alone, so an operation that
 * was applied and not receipted ends as UNCHANGED. An operation with a key is
 * made only on the entry that has it (RFC 4528, where the server offers it):
 * an entry that has taken the DN meanwhile is GONE, not changed.
 *
 * MEMBER_REMOVE of the last value of a class that needs one (groupOfNames):
 * with a placeholder it is put in by the same modification; without, nothing is
 * changed and the outcome is REJECTED with remote_code 65 (objectClassViolation).
 */
#ifndef PROVOST_CONNECTORS_LDAP_APPLY_H
#define PROVOST_CONNECTORS_LDAP_APPLY_H

#include "connectors/ldap/session.h"

enum outcome ldap_apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                        struct receipt *receipt);

#endif
