#include "deliver/sessions.h"

#include "base/str.h"

/* ---- markers ---- */

/* False: it failed. The plan then does without them, unless the target is down. */
static bool read_markers(struct lane_run *run)
{
    struct plan_query query = { 0 };
    struct receipt receipt = { 0 };
    struct error error = { 0 };
    struct link_view view = lane_link_view(&run->link);

    account_clear(&run->account);
    run->found = false;
    if (!mapping_keeps_markers(run->mapping))
        return true;
    if (plan_query(run->mapping, &run->identity, run->linked ? &view : NULL, &query, &error) < 0)
        return lane_fail_error(run, &error);
    enum outcome outcome = OUTCOME_GONE;
    if (query.query.locator != NULL)
        outcome = run->job->ops->read(run->job->session, &query.query, &run->account, &receipt);
    plan_query_clear(&query);
    run->found = outcome == OUTCOME_APPLIED;
    bool ok = run->found || outcome == OUTCOME_GONE;
    if (!ok)
        lane_fail_receipt(run, &receipt);
    receipt_clear(&receipt);
    return ok;
}

/* ---- what the link keeps ---- */

/* Under a name whose markers could not be taken away the old one stays. */
static bool keep_progress(struct lane_run *run, const struct plan *plan, bool whole)
{
    cleanup_free char *text = lane_json_text(plan->progress);
    cleanup_free char *locator = str_dup(whole || !run->linked ? plan->wanted.locator : run->link.locator);
    bool same = run->linked && !run->link.gone && str_equal(run->link.key, plan->wanted.key) &&
                str_equal(run->link.locator, locator) && str_equal(run->link.account, text) && run->link.due.us == plan->due.us;

    if (!plan->present || same)
        return true;
    return lane_set_link(run, plan->wanted.key, locator, plan->progress, false, plan->due);
}

/* ---- a round ---- */

static bool make_plan(struct lane_run *run, struct plan *plan)
{
    struct error error = { 0 };
    struct link_view view = lane_link_view(&run->link);
    const struct plan_input input = {
        .identity = &run->identity,
        .link = run->linked ? &view : NULL,
        .account = run->found ? &run->account : NULL,
        .now = clock_wall(run->job->clock),
    };

    return plan_make(run->mapping, &input, plan, &error) == 0 ? true : lane_fail_error(run, &error);
}

/* What came of the plan's operations. */
struct applied {
    bool failed; /* one of them, or the reading before */
    bool swept;
};

/* Each is tried, whatever came of the one before. */
static struct applied apply_each(struct lane_run *run, const struct plan *plan, bool blind, bool *ret_again)
{
    struct applied applied = { .failed = blind };

    for (size_t i = 0; i < plan->operation_count; i++) {
        const struct operation *operation = &plan->operations[i];
        bool revoke = operation->kind == OPERATION_REVOKE;
        enum outcome outcome = OUTCOME_RETRY;
        if (blind && !revoke)
            continue;
        bool ok = lane_apply(run, operation, NULL, &outcome);
        *ret_again = *ret_again || (ok && (outcome == OUTCOME_GONE || outcome == OUTCOME_CONFLICT));
        applied.failed = applied.failed || !ok;
        applied.swept = applied.swept || (revoke && ok);
        if (outcome == OUTCOME_TARGET_DOWN)
            break;
    }
    return applied;
}

static bool finish(struct lane_run *run, struct plan *plan, const struct applied *applied)
{
    if (applied->swept)
        run->result->leaving = LEAVING_NO;
    if (applied->failed && !applied->swept)
        return false;
    plan_swept(plan, clock_wall(run->job->clock));
    run->result->due = plan->due;
    return keep_progress(run, plan, !applied->failed) && !applied->failed;
}

bool sessions_round(struct lane_run *run, bool *ret_again)
{
    struct plan plan = { 0 };

    *ret_again = false;
    bool blind = !read_markers(run);
    if ((blind && run->result->outcome == OUTCOME_TARGET_DOWN) || !make_plan(run, &plan))
        return false;
    lane_judge_leaving(run, &plan);
    if (plan.wanted.locator != NULL) {
        free(run->result->account);
        run->result->account = strdup(plan.wanted.locator);
    }
    run->result->out_of_scope = plan.verdict != PLAN_CONVERGE;
    const struct applied applied = apply_each(run, &plan, blind, ret_again);
    bool ok = *ret_again && !applied.failed ? true : finish(run, &plan, &applied);
    plan_clear(&plan);
    return ok;
}
