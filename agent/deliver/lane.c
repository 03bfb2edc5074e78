#include "deliver/lane.h"

#include "base/fault.h"
#include "base/str.h"
#include "deliver/begun.h"
#include "deliver/claim.h"
#include "deliver/groups.h"
#include "deliver/members.h"
#include "deliver/lane_private.h"
#include "deliver/sessions.h"
#include "deliver/swap.h"

/* A plan is made again when the target changed under it; then it is a retry. */
#define ROUNDS_MOST 4

void lane_result_clear(struct lane_result *result)
{
    for (size_t i = 0; i < result->operation_count; i++) {
        free(result->operations[i].locator);
        free(result->operations[i].changes);
        free(result->operations[i].before);
        free(result->operations[i].claim);
        free(result->operations[i].note);
    }
    free(result->operations);
    free(result->reason);
    free(result->note);
    free(result->subject);
    free(result->account);
    link_clear(&result->link);
    *result = (struct lane_result){ 0 };
}

/* ---- results ---- */

bool lane_fail(struct lane_run *run, enum outcome outcome, const char *reason)
{
    run->result->outcome = outcome;
    free(run->result->reason);
    run->result->reason = strdup(reason);
    return false;
}

/* A failure of our own: of the store (passes), of memory (passes), of the
 * mapping (does not). An account that is another's may be free soon: the
 * event that renames or removes that one may only be late. */
bool lane_fail_error(struct lane_run *run, const struct error *error)
{
    bool permanent = error->code == ERROR_INVALID || error->code == ERROR_SYNTAX;

    return lane_fail(run, permanent ? OUTCOME_REJECTED : OUTCOME_RETRY, error->text);
}

bool lane_fail_receipt(struct lane_run *run, const struct receipt *receipt)
{
    run->result->retry_after_us = receipt->retry_after_us;
    return lane_fail(run, receipt->outcome, receipt->reason != NULL ? receipt->reason : outcome_name(receipt->outcome));
}

/* ---- one change ---- */

/* Sends it, under its key where it needs one. False: it could not be sent. */
static bool send_operation(struct lane_run *run, const struct operation *operation, struct operation_claim *claim,
                           struct account *ret_made, struct receipt *receipt)
{
    struct operation sent = *operation; /* borrows all but the key */

    if (!claim_operation(run, operation, claim))
        return false;
    fault_point(FAULT_DELIVER_CLAIMED);
    sent.idempotency_key = claim->key;
    sent.repeated = claim->repeated;
    sent.earlier = claim->earlier;
    receipt->outcome = run->job->ops->apply(run->job->session, &sent, ret_made, receipt);
    return true;
}

/* Good, or a first conflict, which another round may mend. */
static bool may_go_on(struct lane_run *run, enum outcome outcome)
{
    if (outcome == OUTCOME_CONFLICT && !run->conflicted) {
        run->conflicted = true;
        return true;
    }
    return outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED || outcome == OUTCOME_GONE;
}

/* Makes one change. False: it failed and the result says so. GONE and the
 * first CONFLICT are for the caller to judge and are left in *ret_outcome. */
bool lane_apply(struct lane_run *run, const struct operation *operation, struct account *ret_account, enum outcome *ret_outcome)
{
    struct operation_claim claim = { 0 };
    struct receipt receipt = { 0 };
    struct account made = { 0 };

    if (!send_operation(run, operation, &claim, &made, &receipt)) {
        run->result->action = operation_kind_name(operation->kind);
        return false;
    }
    enum outcome outcome = *ret_outcome = receipt.outcome;
    lane_note_action(run, operation->kind);
    if (outcome == OUTCOME_APPLIED)
        run->changed = true;
    lane_note_receipt(run, operation, &receipt);
    bool noted = lane_note_operation(run, operation, &claim, outcome, &receipt);
    claim_clear(&claim);
    bool ok = may_go_on(run, outcome);
    if (!ok) {
        lane_fail_receipt(run, &receipt);
        run->result->action = operation_kind_name(operation->kind);
    } else if (!noted)
        ok = lane_fail(run, OUTCOME_RETRY, "out of memory");
    run->remote_code = receipt.remote_code;
    if (ok && ret_account != NULL) {
        account_clear(ret_account);
        *ret_account = made;
    } else {
        account_clear(&made);
    }
    receipt_clear(&receipt);
    fault_point(FAULT_DELIVER_APPLIED);
    return ok;
}

/* ---- reading ---- */

static bool read_facts(struct lane_run *run)
{
    const struct lane_job *job = run->job;
    struct error error = { 0 };

    int code = store_read_identity(job->store, job->kind, job->id, &run->identity, &error);
    if (code == ERROR_NOTFOUND) {
        run->result->out_of_scope = true;
        run->result->outcome = OUTCOME_UNCHANGED;
        return false;
    }
    if (code < 0)
        return lane_fail_error(run, &error);
    const char *subject = job->kind == IDENTITY_USER && run->identity.login.value != NULL ? run->identity.login.value
                                                                                         : run->identity.name.value;
    run->result->subject = str_dup(subject);
    code = store_read_link(job->store, job->target, job->kind, job->id, &run->link, &error);
    run->linked = code == 0;
    return code == 0 || code == ERROR_NOTFOUND ? true : lane_fail_error(run, &error);
}

struct link_view lane_link_view(const struct link *link)
{
    return (struct link_view){ link->key, link->locator, link->gone, link->due, link->account };
}

/* For the planner: what was only begun was never there, as far as anybody knows. */
static const struct link_view *known_link(const struct lane_run *run, struct link_view *view)
{
    if (!run->linked || (run->link.gone && run->link.begun != NULL))
        return NULL;
    *view = lane_link_view(&run->link);
    return view;
}

static enum outcome read_account_as(struct lane_run *run, const struct link_view *view, struct receipt *receipt, struct error *error)
{
    struct plan_query query = { 0 };

    if (plan_query(run->mapping, &run->identity, view, &query, error) < 0)
        return OUTCOME_REJECTED;
    enum outcome outcome = run->job->ops->read(run->job->session, &query.query, &run->account, receipt);
    plan_query_clear(&query);
    return outcome;
}

/* The account by its link; where that leads nowhere, as if it had none. */
static bool read_account(struct lane_run *run)
{
    struct receipt receipt = { 0 };
    struct error error = { 0 };
    struct link_view view;
    bool by_key = run->linked && !run->link.gone && run->link.key != NULL;

    account_clear(&run->account);
    enum outcome outcome = read_account_as(run, known_link(run, &view), &receipt, &error);
    if (outcome == OUTCOME_GONE && by_key && error.code == 0) {
        receipt_clear(&receipt);
        outcome = read_account_as(run, NULL, &receipt, &error);
    }
    run->found = outcome == OUTCOME_APPLIED && (run->foreign == NULL || !str_equal(run->foreign, run->account.key));
    if (outcome == OUTCOME_APPLIED && !run->found)
        account_clear(&run->account);
    bool ok = outcome == OUTCOME_APPLIED || outcome == OUTCOME_GONE;
    if (error.code != 0)
        ok = lane_fail_error(run, &error);
    else if (!ok)
        lane_fail_receipt(run, &receipt);
    receipt_clear(&receipt);
    return ok;
}

bool lane_key_at(struct lane_run *run, enum identity_kind kind, const char *place, char **ret_key)
{
    static const char *const no_names[] = { NULL };
    struct account_query query = { .group = kind == IDENTITY_GROUP, .locator = place, .names = no_names };
    struct account account = { 0 };
    struct receipt receipt = { 0 };

    enum outcome outcome = run->job->ops->read(run->job->session, &query, &account, &receipt);
    bool ok = outcome == OUTCOME_GONE || outcome == OUTCOME_APPLIED ? true : lane_fail_receipt(run, &receipt);
    *ret_key = take_pointer(account.key);
    account_clear(&account);
    receipt_clear(&receipt);
    return ok;
}

/* ---- links ---- */

bool lane_set_link(struct lane_run *run, const char *key, const char *locator, const json_t *values, bool gone, struct wall due)
{
    struct link link = {
        .key = str_dup(key),
        .locator = str_dup(locator),
        .account = lane_json_text(values),
        .gone = gone,
        .due = due,
        .linked = run->linked && run->link.linked.us != 0 ? run->link.linked : clock_wall(run->job->clock),
        .begun = take_pointer(run->link.begun),
        .former = take_pointer(run->link.former),
        .former_value = take_pointer(run->link.former_value),
    };

    link_clear(&run->link);
    run->link = link;
    run->linked = true;
    run->link_dirty = true;
    return link.locator != NULL || locator == NULL ? true : lane_fail(run, OUTCOME_RETRY, "out of memory");
}

bool lane_store_link(struct lane_run *run)
{
    struct error error = { 0 };

    if (!run->link_dirty)
        return true;
    int code = store_put_link(run->job->store, run->job->target, run->job->kind, run->job->id, &run->link, &error);
    fault_point(FAULT_DELIVER_LINKED);
    if (code == 0 || code == ERROR_EXISTS) /* another's: not to be stored with the receipt either */
        run->link_dirty = false;
    return code == 0 ? true : lane_fail_error(run, &error);
}

/* Whoever is to have no account has none: this one is another identity's, whom
 * `match` finds by a name that was handed on. */
static bool is_foreign(struct lane_run *run, const struct plan *plan)
{
    cleanup_free char *owner = NULL;

    if (plan->present || store_find_owner(run->job->store, run->job->target, run->job->kind, run->account.key, &owner, NULL) < 0 ||
        strcmp(owner, run->job->id) == 0)
        return false;
    free(run->foreign);
    run->foreign = str_dup(run->account.key);
    return run->foreign != NULL;
}

/* An account that was there before we knew of it becomes ours, or is another's. */
static bool adopt(struct lane_run *run, const struct plan *plan, bool *ret_adopted, bool *ret_again)
{
    bool known = run->linked && !run->link.gone && str_equal(run->link.key, run->account.key);
    bool wanted = plan->present || plan->operation_count > 0;

    *ret_adopted = false;
    if (!run->found || known || !wanted)
        return true;
    *ret_again = is_foreign(run, plan);
    if (*ret_again)
        return true;
    *ret_adopted = true;
    return begun_place(run, run->account.locator, NULL) &&
           lane_set_link(run, run->account.key, run->account.locator, run->account.values, false, (struct wall){ 0 }) &&
           lane_store_link(run);
}

/* ---- one round: plan and apply ---- */

static bool takes_out(const struct operation *operation)
{
    return operation->kind == OPERATION_DISABLE || operation->kind == OPERATION_REMOVE || operation->kind == OPERATION_REVOKE;
}

/* Before the plan is known it counts what would be done with an account. */
void lane_judge_leaving(struct lane_run *run, const struct plan *plan)
{
    struct link_view view;
    bool leaves = false;

    if (run->job->kind != IDENTITY_USER)
        return;
    if (plan == NULL)
        leaves = plan_leaves(run->mapping, &run->identity, known_link(run, &view), clock_wall(run->job->clock));
    for (size_t i = 0; plan != NULL && i < plan->operation_count; i++)
        leaves = leaves || takes_out(&plan->operations[i]);
    run->result->leaving = leaves ? LEAVING_YES : LEAVING_NO;
}

/* What was made is linked at once where more is to follow: should that fail,
 * the account is known all the same. */
static bool link_made(struct lane_run *run, const struct plan *plan, size_t made)
{
    if (plan->operations[made].kind != OPERATION_CREATE || made + 1 == plan->operation_count || plan->wanted.key == NULL)
        return true;
    return lane_set_link(run, plan->wanted.key, plan->wanted.locator, plan->wanted.values, false, plan->due);
}

/* What an earlier attempt made under another name is ours: it is read by its key, and put right. */
static bool link_earlier(struct lane_run *run, const struct account *made)
{
    return made->key == NULL ||
           (lane_set_link(run, made->key, made->locator, NULL, false, (struct wall){ 0 }) && lane_store_link(run));
}

/* After one that could not be made for now. True: plan again. */
static bool get_round(struct lane_run *run, const struct operation *operation, enum outcome outcome)
{
    if (operation->kind == OPERATION_CREATE && !claim_is_settled(outcome))
        begun_unanswered(run, operation->locator);
    return swap_step_aside(run, operation);
}

static bool apply_all(struct lane_run *run, struct plan *plan, bool *ret_again)
{
    for (size_t i = 0; i < plan->operation_count; i++) {
        struct operation *operation = &plan->operations[i];
        struct account made = { 0 };
        enum outcome outcome = OUTCOME_UNCHANGED; /* stays so where nothing could be sent */
        if (!lane_apply(run, operation, &made, &outcome)) {
            *ret_again = get_round(run, operation, outcome);
            return *ret_again;
        }
        if (outcome == OUTCOME_CONFLICT && !link_earlier(run, &made)) {
            account_clear(&made);
            return false;
        }
        if ((outcome == OUTCOME_GONE && operation->kind != OPERATION_REMOVE) || outcome == OUTCOME_CONFLICT)
            *ret_again = true;
        if (made.key != NULL) {
            free(plan->wanted.key);
            plan->wanted.key = take_pointer(made.key);
        }
        if (made.locator != NULL) {
            free(plan->wanted.locator);
            plan->wanted.locator = take_pointer(made.locator);
        }
        account_clear(&made);
        if (*ret_again)
            return true;
        if (!link_made(run, plan, i))
            return false;
    }
    if (run->result->leaving == LEAVING_YES) /* he is out; what follows are groups */
        run->result->leaving = LEAVING_NO;
    return true;
}

/* The text is made last: a new account has no link to compare. */
static bool link_says(const struct lane_run *run, const char *key, const struct plan *plan)
{
    const struct link *link = &run->link;

    if (!run->linked || link->gone || !str_equal(link->key, key) || !str_equal(link->locator, plan->wanted.locator) ||
        link->due.us != plan->due.us)
        return false;
    cleanup_free char *values = lane_json_text(plan->wanted.values);
    return str_equal(link->account, values);
}

/* After the account is as wanted: what the link shall say. */
static bool relink(struct lane_run *run, const struct plan *plan)
{
    const char *key = plan->wanted.key != NULL ? plan->wanted.key : run->found ? run->account.key : NULL;

    if (!plan->present) {
        if (!run->linked || run->link.gone)
            return true;
        cleanup_free char *old_key = str_dup(run->link.key);
        cleanup_free char *old_locator = str_dup(run->link.locator);
        return lane_set_link(run, old_key, old_locator, NULL, true, (struct wall){ 0 });
    }
    return link_says(run, key, plan) ||
           lane_set_link(run, key, plan->wanted.locator, plan->wanted.values, false, plan->due);
}

static bool make_plan(struct lane_run *run, struct member_list *members, struct plan *plan)
{
    struct error error = { 0 };
    struct link_view view;

    if (run->job->kind == IDENTITY_GROUP && member_list_read(run, run->job->id, members) < 0)
        return false;
    struct plan_input input = {
        .identity = &run->identity,
        .link = known_link(run, &view),
        .account = run->found ? &run->account : NULL,
        .members = members->list,
        .member_count = members->count,
        .now = clock_wall(run->job->clock),
    };
    int code = plan_make(run->mapping, &input, plan, &error);
    return code == 0 ? true : lane_fail_error(run, &error);
}

static void remember_account(struct lane_run *run, const struct plan *plan)
{
    const char *locator = plan->wanted.locator != NULL ? plan->wanted.locator : run->found ? run->account.locator : NULL;

    if (locator == NULL)
        return;
    free(run->result->account);
    run->result->account = strdup(locator);
}

/* A group's entry that came, went or was adopted: members that were linked
 * meanwhile did not see its link, so they are looked at once more. */
static bool look_again(struct lane_run *run, const struct plan *plan, const struct member_list *members, bool was_there, bool adopted,
                       bool *ret_again)
{
    bool changed_place = plan->operation_count > 0 && was_there != plan->present;

    if (run->job->kind != IDENTITY_GROUP)
        return true;
    if (changed_place || adopted) {
        if (!lane_store_link(run))
            return false;
        *ret_again = true;
    }
    bool looks = plan->operation_count > 0 || plan_adds_members(run->mapping) || run->link.begun != NULL;
    if (!plan->present || !looks || mapping_member_attribute(run->mapping) == NULL)
        return true;
    return members_recheck(run, members, plan->wanted.locator, ret_again);
}

/* None is there and none is wanted: the end, but for one that a lost answer spoke of. */
static bool nothing_appears(struct lane_run *run, const struct plan *plan, bool *ret_again)
{
    bool may_appear = false;

    if (run->found || plan->operation_count > 0 || plan->present)
        return true;
    if (!claim_look(run, ret_again, &may_appear))
        return false;
    if (*ret_again || !may_appear)
        return true;
    run->result->retry_after_us = CLAIM_APPEARS_US;
    return lane_fail(run, OUTCOME_RETRY, "no account is wanted any more and none is there, but one was asked for and the answer was lost: it "
                     "is looked for once more");
}

/* A leaver is out, whatever becomes of his groups; what failed with those stays the result. Where they may yet succeed, a name
 * does not change under them. */
static bool leave_anyway(struct lane_run *run, struct plan *plan)
{
    bool in_place = plan->present && plan->operation_count > 0 && plan->operations[0].new_locator == NULL;
    bool again = false;

    if (run->result->leaving == LEAVING_YES && (in_place || run->result->outcome == OUTCOME_REJECTED))
        apply_all(run, plan, &again);
    return false;
}

/* True: go on (again or to the end); false: the result is final. */
static bool round_once(struct lane_run *run, bool *ret_again)
{
    struct plan plan = { 0 };
    struct member_list members = { 0 };
    bool adopted = false;

    *ret_again = false;
    if (!read_account(run) || !make_plan(run, &members, &plan)) {
        member_list_free(&members);
        return false;
    }
    lane_judge_leaving(run, &plan);
    remember_account(run, &plan);
    run->result->due = plan.due;
    run->result->out_of_scope = plan.verdict != PLAN_CONVERGE;
    bool ok = adopt(run, &plan, &adopted, ret_again);
    bool was_there = run->linked && !run->link.gone;
    if (ok && !*ret_again)
        ok = nothing_appears(run, &plan, ret_again);
    if (ok && !*ret_again)
        ok = ((groups_catch_up(run) && groups_before(run, &plan)) || leave_anyway(run, &plan)) && members_begin(run, &members, &plan) &&
             apply_all(run, &plan, ret_again);
    if (ok && !*ret_again)
        ok = groups_after(run, &plan, was_there, relink) && (remember_account(run, &plan), true) &&
             look_again(run, &plan, &members, was_there, adopted, ret_again);
    plan_clear(&plan);
    member_list_free(&members);
    return ok;
}

void lane_converge(const struct lane_job *job, struct lane_result *ret_result)
{
    struct lane_result result = { .action = "none", .outcome = OUTCOME_UNCHANGED };
    struct lane_run run = {
        .job = job,
        .result = &result,
        .mapping = job->kind == IDENTITY_USER ? job->user_mapping : job->group_mapping,
        .action_rank = -1,
    };
    bool again = true, ok = true, sessions = run.mapping != NULL && mapping_ends_sessions(run.mapping);

    result.out_of_scope = run.mapping == NULL;
    if (run.mapping != NULL && read_facts(&run)) {
        lane_judge_leaving(&run, NULL);
        ok = begun_find(&run);
        for (int round = 0; ok && again && round < ROUNDS_MOST; round++)
            ok = sessions ? sessions_round(&run, &again) : round_once(&run, &again);
        if (ok && again)
            ok = lane_fail(&run, OUTCOME_RETRY, "the target kept changing while its account was worked on");
        if (ok)
            begun_forget(&run);
        if (ok)
            result.outcome = run.changed ? OUTCOME_APPLIED : OUTCOME_UNCHANGED;
        if (run.changed)
            result.out_of_scope = false;
        result.has_link = run.link_dirty;
        if (run.link_dirty)
            result.link = run.link;
        else
            link_clear(&run.link);
    }
    identity_clear(&run.identity);
    account_clear(&run.account);
    free(run.foreign);
    *ret_result = result;
}
