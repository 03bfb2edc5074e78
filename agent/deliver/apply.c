/* One change: sent under its intent, noted, and judged. */
#include "base/fault.h"
#include "base/str.h"
#include "deliver/intent.h"
#include "deliver/run.h"
#include "deliver/sessions.h"

bool lane_send(struct lane_run *run, const struct operation *operation, struct account *ret_made, struct receipt *receipt)
{
    struct operation_intent intent = { 0 };
    struct operation sent = *operation; /* borrows all but the key */

    run->doing = operation_kind_name(operation->kind);
    if (!intent_begin(run, operation, &intent)) {
        run->result->action = run->doing;
        return false;
    }
    fault_point(FAULT_DELIVER_INTENDED);
    sent.idempotency_key = intent.key;
    sent.repeated = intent.repeated;
    sent.earlier = intent.earlier;
    receipt->outcome = run->job->ops->apply(run->job->session, &sent, ret_made, receipt);
    if (operation->kind == OPERATION_REVOKE)
        sessions_judge(run, receipt);
    lane_note_action(run, operation->kind);
    run->changed = run->changed || receipt->outcome == OUTCOME_APPLIED;
    run->result->accepted = run->result->accepted || is_fine(receipt->outcome);
    lane_note_receipt(run, operation, receipt);
    bool noted = lane_note_operation(run, operation, &intent, receipt);
    intent_clear(&intent);
    fault_point(FAULT_DELIVER_APPLIED);
    return noted || lane_fail_nomem(run);
}

static void note_refusal(struct lane_run *run, const struct receipt *receipt)
{
    run->refused = receipt->outcome;
    run->refusal = receipt->refusal;
    free(run->refusal_words);
    run->refusal_words = str_dup(receipt->reason != NULL ? receipt->reason : outcome_name(receipt->outcome));
}

enum step lane_apply(struct lane_run *run, const struct operation *operation, struct account *ret_made)
{
    struct receipt receipt = { 0 };

    run->refused = OUTCOME_UNCHANGED;
    bool sent = lane_send(run, operation, ret_made, &receipt);
    enum outcome outcome = sent ? receipt.outcome : OUTCOME_UNCHANGED;
    bool gone = outcome == OUTCOME_GONE, first_conflict = outcome == OUTCOME_CONFLICT && !run->conflicted;
    enum step step = step_if(sent);

    if (first_conflict || (gone && operation->kind != OPERATION_REMOVE)) {
        run->conflicted = run->conflicted || first_conflict;
        step = STEP_AGAIN;
    } else if (!is_fine(outcome) && !gone) {
        run->result->action = operation_kind_name(operation->kind);
        note_refusal(run, &receipt);
        step = step_if(lane_fail_receipt(run, &receipt));
    }
    receipt_clear(&receipt);
    return step;
}
