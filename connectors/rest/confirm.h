/*
 * confirm.h: did the target do what it answered to have done?
 *
 * A success that did nothing is none: a leaver who is told to be out has to be
 * out. What the answer shows counts; where it shows nothing of a disable, an
 * enable or the removal of a member, or shows the contrary of what was sent (it
 * may be an old copy), one more look decides.
 * Calling sequence: session_ask → confirm_…, with the receipt that it set.
 * Ownership: all borrowed. Threads: the session's.
 * Errors: RETRY with what was seen; a look that failed is told as that. What no
 * look shows is done by the target's word, and the receipt's note says so.
 */
#ifndef PROVOST_CONNECTORS_REST_CONFIRM_H
#define PROVOST_CONNECTORS_REST_CONFIRM_H

#include "connectors/rest/call.h"
#include "connectors/rest/read.h"

/* What the operation wants `disabled` to be; -1: it does not care. */
int wanted_disabled(const struct operation *operation);

/* "Accepted", and the mapping does not say that this is enough: what was promised is looked at. */
bool is_promise(const struct connector_session *session, const struct call *call, int status);

/* A disable or enable. */
enum outcome confirm_toggle(struct connector_session *session, const struct operation *operation, const struct call *call,
                            const struct reply *reply, struct receipt *receipt);
/* An update of the account that looked like `before`: a plain value that is shown as it was, not as it was sent, was ignored. */
enum outcome confirm_update(struct connector_session *session, const struct operation *operation, const struct call *call,
                            const struct reply *reply, const json_t *before, struct receipt *receipt);
enum outcome confirm_member(struct connector_session *session, const struct operation *operation, const struct call *call,
                            const struct reply *reply, struct receipt *receipt);
/* "Not found" to a change: it may be about a wrong path. */
enum outcome confirm_gone(struct connector_session *session, const struct operation *operation, const struct call *call,
                          struct receipt *receipt);
/* "Not found" (`done`: UNCHANGED) or "accepted" (APPLIED) to a removal. */
enum outcome confirm_removed(struct connector_session *session, const struct operation *operation, const struct call *call,
                             const struct reply *reply, enum outcome done, struct receipt *receipt);

#endif
