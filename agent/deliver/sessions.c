#include "deliver/sessions.h"

#include "base/str.h"

/* The plan does without markers that could not be read. */
enum step sessions_read(struct lane_run *run)
{
    struct plan_query query = { 0 };
    struct receipt receipt = { 0 };
    struct error error = { 0 };
    struct link_view view = lane_link_view(&run->link);

    run->looked = true;
    if (!mapping_keeps_markers(run->mapping))
        return STEP_NEXT;
    if (plan_query(run->mapping, &run->identity, run->linked ? &view : NULL, &query, &error) < 0)
        return step_if(run->looked = lane_fail_error(run, &error));
    enum outcome outcome = OUTCOME_GONE;
    if (query.query.locator != NULL)
        outcome = run->job->ops->read(run->job->session, &query.query, &run->account, &receipt);
    plan_query_clear(&query);
    run->found = outcome == OUTCOME_APPLIED;
    run->looked = run->found || outcome == OUTCOME_GONE || lane_fail_receipt(run, &receipt);
    receipt_clear(&receipt);
    return step_if(run->looked);
}

enum step sessions_make_plan(struct lane_run *run)
{
    struct error error = { 0 };
    struct link_view view = lane_link_view(&run->link);
    const struct plan_input input = {
        .identity = &run->identity,
        .link = run->linked ? &view : NULL,
        .account = run->found ? &run->account : NULL,
        .now = store_removal_time(run->job->store),
    };

    if (plan_make(run->mapping, &input, &run->plan, &error) < 0)
        return step_if(lane_fail_error(run, &error));
    run->planned = run->out = run->written = true;
    for (size_t i = 0; i < run->plan.operation_count; i++)
        run->out = run->out && run->plan.operations[i].kind != OPERATION_REVOKE;
    if (run->plan.wanted.locator != NULL) {
        free(run->result->account);
        run->result->account = strdup(run->plan.wanted.locator);
    }
    run->result->out_of_scope = run->plan.verdict != PLAN_CONVERGE;
    return STEP_NEXT;
}

void sessions_judge(const struct lane_run *run, struct receipt *receipt)
{
    const struct lane_job *job = run->job;
    bool found = receipt->sessions_found > 0;

    if (!found && (!is_fine(receipt->outcome) || receipt->doubt == NULL))
        return;
    if (store_knows_place(job->store, job->target, receipt->place))
        return;
    if (!found)
        receipt_set(receipt, OUTCOME_UNSEEN, 0, "nobody could be found: %s", receipt->doubt);
    else if (store_add_place(job->store, job->target, receipt->place, NULL) == 0)
        store_hurry(job->store, job->target, outcome_name(OUTCOME_UNSEEN));
}

/* Each is tried, whatever came of the one before. */
static enum step apply_each(struct lane_run *run, bool revoke)
{
    enum step worst = STEP_NEXT;

    for (size_t i = 0; i < run->plan.operation_count && !run->down; i++) {
        const struct operation *operation = &run->plan.operations[i];
        if ((operation->kind == OPERATION_REVOKE) != revoke)
            continue;
        enum step step = lane_apply(run, operation, NULL);
        if (step == STEP_AGAIN)
            return step;
        worst = step == STEP_FAILED ? step : worst;
    }
    return worst;
}

enum step sessions_mark(struct lane_run *run)
{
    if (!run->planned || !run->looked)
        return STEP_NEXT;
    enum step step = apply_each(run, false);
    run->written = step == STEP_NEXT;
    return step_if(step != STEP_FAILED); /* what changed under it is read again after the sweep */
}

enum step sessions_revoke(struct lane_run *run)
{
    if (!run->planned)
        return STEP_NEXT;
    enum step step = apply_each(run, true);
    run->swept = !run->out && step == STEP_NEXT;
    run->out = step == STEP_NEXT && !run->down;
    return step;
}

/* What was swept is known, also where something else failed. Under a name whose markers could not be removed the old name stays. */
enum step sessions_link(struct lane_run *run)
{
    struct plan *plan = &run->plan;
    bool whole = run->looked && run->written;

    if (!run->failed && run->looked && !run->written)
        return STEP_AGAIN;
    if (!run->planned || (run->failed && !run->swept))
        return STEP_NEXT;
    plan_swept(plan, store_removal_time(run->job->store));
    run->result->due = plan->due;
    cleanup_free char *text = lane_json_text(plan->progress);
    const struct link wanted = { .key = plan->wanted.key, .locator = whole || !run->linked ? plan->wanted.locator : run->link.locator,
                                 .account = text, .due = plan->due };
    bool same = lane_is_linked(run) && str_equal(run->link.key, wanted.key) && str_equal(run->link.locator, wanted.locator) &&
                str_equal(run->link.account, text) && run->link.due.us == plan->due.us;
    return step_if(!plan->present || same || lane_set_link(run, &wanted));
}
