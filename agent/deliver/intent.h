/*
 * intent.h: what is durable before an operation is sent, and what it tells the
 * next attempt.
 *
 * Purpose: an answer that was lost, or an agent that was killed, leaves an
 * operation whose end nobody knows. Its intent (store.h) stays until the end is known.
 *   - Every creation has one. With a lease it costs no commit; it keeps the
 *     names of then, by which a later attempt finds what was made.
 *   - With CONNECTOR_IDEMPOTENCY a CREATE, DISABLE or ENABLE is sent under a key that is
 *     the same for every attempt, so that the target can tell a repetition. All
 *     other operations say how the account must be and are compared with it
 *     before they are sent, so sending them twice does no harm.
 *   - A group's entry is written with members only when their rows are there.
 *
 * A key belongs to target, identity, operation and a digest of all that is
 * written: a target that knows keys refuses another body under the same one.
 * An attempt whose answer is known, and whose effect the next read denies, gets
 * another key: a service that replays what it stored would give the same answer again.
 *
 * A CREATE whose answer was lost may be at work in the target for a while: as long
 * as the connector said (retry_after), none is sent again, whatever new is
 * heard of the person. A person who left meanwhile, and of whom there is no
 * account, is looked for once more after INTENT_APPEARS_US.
 *
 * Ownership: the intent is the caller's (intent_clear). Threads: none of its own.
 * Errors: false, and the run's result says why; then nothing may be sent.
 */
#ifndef PROVOST_DELIVER_INTENT_H
#define PROVOST_DELIVER_INTENT_H

#include "deliver/run.h"

#define INTENT_APPEARS_US 60000000

struct operation_intent { /* all NULL: this operation needs none */
    char *digest;
    char *key;
    bool repeated;
    json_t *earlier; /* as in struct operation; NULL: none */
};
bool intent_begin(struct lane_run *run, const struct operation *operation, struct operation_intent *ret_intent);
void intent_clear(struct operation_intent *intent);
/* Is it known what became of an operation that ended so? */
bool intent_is_settled(enum outcome outcome);
/* An earlier run may have created the account, under the names of then: it is found and linked. */
bool intent_find(struct lane_run *run);
/* The step for an account that nobody wants and that is not there: a creation that was not answered may yet show. */
enum step intent_wait(struct lane_run *run);

#endif
