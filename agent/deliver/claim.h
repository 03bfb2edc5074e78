/*
 * claim.h: the idempotency key under which an operation is sent.
 *
 * Purpose: an answer that was lost, or an agent that was killed, leaves an
 * operation whose end nobody knows. With CONNECTOR_IDEMPOTENCY such an
 * operation gets a key that is durable before the first attempt and is the
 * same for every further one, so that the target can tell a repetition.
 *
 * Which operations: CREATE, DISABLE and ENABLE. All others say how the account
 * shall be (UPDATE, RENAME, REMOVE, a member in or out) and are compared with
 * it before they are sent, so sending them twice does no harm.
 *
 * A key belongs to target, identity, operation and a digest of all that is
 * written: a target that knows keys refuses another body under the same one.
 * With another digest the key is another, and `repeated` still says that an
 * earlier attempt may have gone through: the connector looks before it sends.
 * A claim is given up in the commit that records its operation's end (done,
 * refused for good, not there); where the end is not known (retry, target down,
 * conflict) it stays, until the lane is done or a day has passed.
 *
 * A CREATE whose answer was lost may be at work in the target for a while: as long
 * as the connector said (retry_after), none is sent again, whatever new is
 * heard of the person. What a CREATE was rendered to is kept with its claim: a
 * later attempt, with another name, looks for what the earlier one may have made.
 *
 * A person who left while the CREATE's end was not known, and of whom there is
 * no account: it may stand under a name that he had, which is looked for and
 * linked, or still be on its way. Such a lane looks once more after
 * CLAIM_APPEARS_US before it ends.
 *
 * Ownership: the claim is the caller's (claim_clear). Threads: none of its own.
 * Errors: claim_operation returns false when the run's result says why; then
 * nothing may be sent.
 */
#ifndef PROVOST_DELIVER_CLAIM_H
#define PROVOST_DELIVER_CLAIM_H

#include "deliver/lane_private.h"

#define CLAIM_APPEARS_US 60000000

struct operation_claim { /* all NULL: this operation needs none */
    char *digest;
    char *key;
    bool repeated;
    json_t *earlier; /* as in struct operation; NULL: none */
};
bool claim_operation(struct lane_run *run, const struct operation *operation, struct operation_claim *ret_claim);
void claim_clear(struct operation_claim *claim);
/* A CREATE was begun and its end is not known: was what it made found, as it was sent, and linked? Else, may it yet appear? */
bool claim_look(struct lane_run *run, bool *ret_found, bool *ret_may_appear);
/* Is it known what became of an operation that ended so? */
bool claim_is_settled(enum outcome outcome);

#endif
