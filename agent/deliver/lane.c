#include "deliver/lane.h"

#include "base/str.h"
#include "deliver/account.h"
#include "deliver/groups.h"
#include "deliver/intent.h"
#include "deliver/members.h"
#include "deliver/sessions.h"

/* All steps are taken again when the target changed under them; then it is a retry. */
#define ROUNDS_MAX 4

static const struct lane_step account_steps[] = {
    { "read", account_read },
    { "plan", account_plan },
    { "look_at_groups", groups_look },
    { "adopt", account_adopt },
    /* access */
    { "member_remove", groups_part },
    { "leave", account_leave },
    { "wait", intent_wait },
    /* everything else */
    { "change", account_change },
    { "carry", groups_carry },
    { "link", account_link },
    { "member_add", groups_join },
    { "member_move", groups_leave_former },
    { NULL, NULL },
};

static const struct lane_step group_steps[] = {
    { "read", account_read },     { "plan", account_plan }, { "adopt", account_adopt },    { "leave", account_leave },
    { "change", account_change }, { "link", account_link }, { "member_add", members_add }, { NULL, NULL },
};

static const struct lane_step session_steps[] = {
    { "read_markers", sessions_read },
    { "plan", sessions_make_plan },
    { "mark", sessions_mark },
    { "revoke", sessions_revoke },
    { "link", sessions_link },
    { NULL, NULL },
};

void lane_result_clear(struct lane_result *result)
{
    for (size_t i = 0; i < result->operation_count; i++) {
        free((char *)result->operations[i].locator);
        free((char *)result->operations[i].changes);
        free((char *)result->operations[i].before);
        free((char *)result->operations[i].intent);
        free((char *)result->operations[i].note);
    }
    for (size_t i = 0; i < result->member_count; i++) {
        free((char *)result->members[i].other);
        free((char *)result->members[i].key);
        free((char *)result->members[i].value);
    }
    free(result->operations);
    free(result->members);
    free(result->reason);
    free(result->undone);
    free(result->refusal_words);
    free(result->note);
    free(result->subject);
    free(result->account);
    link_clear(&result->link);
    *result = (struct lane_result){ 0 };
}

/* ---- a round ---- */

static void end_round(struct lane_run *run)
{
    account_clear(&run->account);
    account_clear(&run->occupant);
    plan_clear(&run->plan);
    groups_clear(run);
    members_clear(run);
}

static void begin_round(struct lane_run *run)
{
    struct lane_result *result = run->result;

    end_round(run);
    free(take_pointer(result->reason));
    free(take_pointer(result->undone));
    run->reasons = 0;
    result->outcome = OUTCOME_UNCHANGED;
    run->looked = run->elsewhere = run->found = run->planned = run->blocked = run->written = run->swept = run->created = false;
    run->parted = run->followed = run->out = run->failed = run->down = false;
}

/* STEP_AGAIN: all of them again. */
static enum step take_steps(struct lane_run *run, const struct lane_step *steps)
{
    for (const struct lane_step *step = steps; step->name != NULL && !run->down; step++) {
        run->doing = step->name;
        if (step->take(run) == STEP_AGAIN)
            return STEP_AGAIN;
    }
    return run->failed ? STEP_FAILED : STEP_NEXT;
}

static void take_rounds(struct lane_run *run, const struct lane_step *steps)
{
    enum step step = STEP_AGAIN;

    for (int round = 0; step == STEP_AGAIN && round < ROUNDS_MAX; round++) {
        begin_round(run);
        step = take_steps(run, steps);
    }
    if (step == STEP_AGAIN)
        lane_fail(run, OUTCOME_RETRY, "the target kept changing while its account was worked on");
}

/* ---- the result ---- */

static bool is_leaver(const struct lane_run *run)
{
    struct link_view view = lane_link_view(&run->link);

    return plan_leaves(run->mapping, &run->identity, run->linked ? &view : NULL, store_removal_time(run->job->store));
}

static bool is_to_leave(const struct lane_run *run)
{
    return run->planned ? !run->out : is_leaver(run);
}

static enum leaving judge_leaving(const struct lane_run *run)
{
    if (run->job->kind != IDENTITY_USER)
        return LEAVING_UNKNOWN;
    if (is_to_leave(run) || groups_are_left(run))
        return LEAVING_YES;
    return (run->parted && !run->groups.failed) || !run->failed ? LEAVING_NO : LEAVING_UNKNOWN; /* a look that failed knows nothing */
}

/* How a person is out, by this run or as it read the account; NULL: not out, or nobody says that there was an account. */
static const char *how_out(const struct lane_run *run)
{
    bool gone = run->plan.leaving || (run->linked && run->link.gone);

    if (run->job->kind != IDENTITY_USER || !run->planned || !run->out || mapping_ends_sessions(run->mapping))
        return NULL;
    if (!run->plan.present)
        return gone ? "removed" : NULL;
    return (run->found || run->created) && is_leaver(run) ? "disabled" : NULL;
}

/* That the person is out comes before what was not done. */
static void say_out(struct lane_run *run)
{
    struct lane_result *result = run->result;
    const char *how = run->failed && result->reason != NULL ? how_out(run) : NULL;
    char *reason = how != NULL ? str_printf("the account is %s, but: %s", how, result->reason) : NULL;

    if (reason == NULL)
        return;
    free(result->reason);
    result->reason = reason;
}

static void finish(struct lane_run *run)
{
    struct lane_result *result = run->result;

    result->leaving = judge_leaving(run);
    if (run->keep) { /* disabled, and not removed */
        run->doing = operation_kind_name(OPERATION_REMOVE);
        lane_fail(run, run->kept_outcome, run->kept != NULL ? run->kept : "out of memory");
    }
    say_out(run);
    if (!run->failed)
        result->outcome = run->changed ? OUTCOME_APPLIED : OUTCOME_UNCHANGED;
    if (run->changed)
        result->out_of_scope = false;
    result->has_link = run->link_dirty;
    if (run->link_dirty)
        result->link = run->link;
    else
        link_clear(&run->link);
}

void lane_converge(const struct lane_job *job, struct lane_result *ret_result)
{
    struct lane_result result = { .action = "none", .outcome = OUTCOME_UNCHANGED };
    struct lane_run run = {
        .job = job,
        .result = &result,
        .mapping = job->kind == IDENTITY_USER ? job->user_mapping : job->group_mapping,
        .doing = "read_facts",
        .action_rank = -1,
    };
    bool sessions = run.mapping != NULL && mapping_ends_sessions(run.mapping);

    result.out_of_scope = run.mapping == NULL;
    if (run.mapping != NULL && lane_read_facts(&run)) {
        take_rounds(&run, sessions ? session_steps : job->kind == IDENTITY_GROUP ? group_steps : account_steps);
        finish(&run);
    }
    end_round(&run);
    identity_clear(&run.identity);
    free(run.foreign);
    free(run.kept);
    free(run.refusal_words);
    *ret_result = result;
}
