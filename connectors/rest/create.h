/*
 * create.h: an account is made once, whatever gets lost on the way.
 *
 * Before anything is sent it is looked whether the account is there, unless the
 * last read of this session just found nobody and no attempt was begun before.
 * A creation carries its idempotency key. When its answer is lost, the reason
 * says that the account may have been made, and the next attempt comes no sooner
 * than lost_answer_wait, so that the look-up sees what a slow server still did;
 * the same for an attempt that a process before this one began. An answer that
 * says "made" and names no id is looked up, and counts only if the account is
 * found.
 */
#ifndef PROVOST_CONNECTORS_REST_CREATE_H
#define PROVOST_CONNECTORS_REST_CREATE_H

#include "connectors/rest/apply.h"

enum outcome create_account(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                            struct receipt *receipt);

#endif
