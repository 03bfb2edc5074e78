#include "deliver/account.h"

#include "base/str.h"
#include "deliver/groups.h"
#include "deliver/intent.h"
#include "deliver/members.h"
#include "deliver/swap.h"

/* ---- reading ---- */

/* `anywhere`: outside the places of the mapping, too. */
static enum outcome read_by(struct lane_run *run, const struct link_view *view, bool anywhere, struct receipt *receipt,
                            struct error *error)
{
    struct plan_query query = { 0 };
    enum outcome outcome = OUTCOME_GONE;

    if (plan_query(run->mapping, &run->identity, view, &query, error) < 0)
        return OUTCOME_REJECTED;
    bool same = anywhere && query.query.places == NULL;
    if (anywhere)
        query.query.places = NULL;
    if (!same)
        outcome = run->job->ops->read(run->job->session, &query.query, &run->account, receipt);
    plan_query_clear(&query);
    return outcome;
}

/* By its link; where that leads nowhere, as if it had none. A group's name may be taken elsewhere, too. */
static enum outcome read_any(struct lane_run *run, struct receipt *receipt, struct error *error)
{
    struct link_view view = lane_link_view(&run->link);
    bool by_key = lane_is_linked(run) && run->link.key != NULL, given = run->linked && view.given;
    enum outcome outcome = read_by(run, run->linked ? &view : NULL, false, receipt, error);

    if (outcome == OUTCOME_GONE && by_key && error->code == 0) {
        receipt_clear(receipt);
        outcome = read_by(run, NULL, false, receipt, error);
    }
    if (outcome != OUTCOME_GONE || run->job->kind != IDENTITY_GROUP || given || error->code != 0)
        return outcome;
    receipt_clear(receipt);
    outcome = read_by(run, NULL, true, receipt, error);
    run->elsewhere = outcome == OUTCOME_APPLIED;
    return outcome;
}

/* Somebody else's, or never to be touched. */
static bool is_strange(const struct lane_run *run)
{
    const struct account *account = &run->account;
    bool ours = lane_is_linked(run) && str_equal(run->link.key, account->key);
    bool given = run->linked && lane_link_view(&run->link).given;

    if (ours)
        return false;
    return account->protected_by != NULL || run->elsewhere || !(given || mapping_adopts(run->mapping));
}

/* A group elsewhere that nothing protects does not keep a file from its own that adopts groups where it says. */
static void leave_alone(struct lane_run *run)
{
    bool harmless = run->elsewhere && mapping_adopts(run->mapping) && run->account.protected_by == NULL;

    if (!harmless)
        run->occupant = run->account;
    else
        account_clear(&run->account);
    run->account = (struct account){ 0 };
    run->found = false;
}

enum step account_read(struct lane_run *run)
{
    struct receipt receipt = { 0 };
    struct error error = { 0 };

    if (!intent_find(run))
        return STEP_FAILED;
    enum outcome outcome = read_any(run, &receipt, &error);
    run->found = outcome == OUTCOME_APPLIED && (run->foreign == NULL || !str_equal(run->foreign, run->account.key));
    if (outcome == OUTCOME_APPLIED && !run->found)
        account_clear(&run->account);
    if (run->found && is_strange(run))
        leave_alone(run);
    run->looked = outcome == OUTCOME_APPLIED || outcome == OUTCOME_GONE;
    run->result->looked = run->result->looked || run->looked;
    if (error.code != 0)
        run->looked = lane_fail_error(run, &error);
    else if (!run->looked)
        lane_fail_receipt(run, &receipt);
    receipt_clear(&receipt);
    return step_if(run->looked);
}

/* ---- planning ---- */

static void remember_account(struct lane_run *run)
{
    const char *wanted = run->plan.wanted.locator;
    const char *locator = wanted != NULL ? wanted : run->found ? run->account.locator : NULL;

    if (locator == NULL)
        return;
    free(run->result->account);
    run->result->account = strdup(locator);
}

enum step account_plan(struct lane_run *run)
{
    struct error error = { 0 };
    struct link_view view = lane_link_view(&run->link);

    if (!run->looked)
        return STEP_NEXT;
    if (!members_read(run))
        return STEP_FAILED;
    const struct plan_input input = {
        .identity = &run->identity,
        .link = run->linked ? &view : NULL,
        .account = run->found ? &run->account : NULL,
        .members = run->member_values,
        .member_count = run->member_count,
        .now = store_removal_time(run->job->store),
        .dated = store_dating_time(run->job->store),
        .keep = run->keep,
    };
    if (plan_make(run->mapping, &input, &run->plan, &error) < 0)
        return step_if(lane_fail_error(run, &error));
    run->planned = true;
    run->out = !run->plan.leaving;
    run->result->due = run->plan.due;
    run->result->out_of_scope = run->plan.verdict != PLAN_CONVERGE;
    remember_account(run);
    return STEP_NEXT;
}

/* ---- adopting ---- */

/* Somebody else whose link leads to it; NULL: nobody. False: the store could not tell. */
static bool find_holder(struct lane_run *run, const struct account *account, char **ret_holder)
{
    const struct lane_job *job = run->job;
    struct error error = { 0 };
    int code = store_find_owner(job->store, job->target, job->kind, account->key, ret_holder, &error);

    if (code == 0 && str_equal(*ret_holder, job->id))
        free(take_pointer(*ret_holder));
    return code == 0 || code == ERROR_NOTFOUND || lane_fail_error(run, &error);
}

/* Whoever is to have no account has none: this one is another identity's, whom
 * `match` finds by a name that was handed on. */
static bool set_foreign(struct lane_run *run)
{
    free(run->foreign);
    run->foreign = str_dup(run->account.key);
    return run->foreign != NULL;
}

/* A list's entries may be shortened: what they do not show of whose account it is, the whole account may. */
static bool look_closer(struct lane_run *run)
{
    const struct link_view view = { .key = run->account.key, .locator = run->account.locator };
    struct account entry = run->account;
    struct receipt receipt = { 0 };
    struct error error = { 0 };

    run->account = (struct account){ 0 };
    enum outcome outcome = read_by(run, &view, false, &receipt, &error);
    bool read = outcome == OUTCOME_APPLIED;
    if (read)
        account_clear(&entry);
    else
        run->account = entry;
    bool good = read || outcome == OUTCOME_GONE || (error.code != 0 ? lane_fail_error(run, &error) : lane_fail_receipt(run, &receipt));
    receipt_clear(&receipt);
    return good;
}

static bool find_mark(struct lane_run *run, struct plan_mark *ret_mark)
{
    struct error error = { 0 };

    return plan_find_mark(run->mapping, &run->identity, &run->account, ret_mark, &error) == 0 || lane_fail_error(run, &error);
}

/* Refuses an account that carries another identity's id, by whatever it was found. */
static bool may_be_ours(struct lane_run *run)
{
    struct plan_mark mark = { 0 };

    if (!find_mark(run, &mark))
        return false;
    if (mark.kind == MARK_ABSENT && run->job->ops->assigns_locator && !(look_closer(run) && find_mark(run, &mark)))
        return false;
    if (mark.kind != MARK_OTHER) {
        free(mark.id);
        return true;
    }
    cleanup_free char *reason = str_printf(
        "cannot adopt \"%s\" for %s (its %s is \"%s\", the id of another identity): where it is this one's own account, remove that value "
        "there; where it is not, guard match as `provostctl check` says, and a new account is created",
        run->account.locator, run->job->id, mark.attribute, mark.id);
    free(mark.id);
    return lane_fail(run, OUTCOME_AMBIGUOUS, reason != NULL ? reason : "out of memory");
}

/* What is there may be what another group's lane has just created. */
static bool is_our_place(struct lane_run *run, const struct account *account)
{
    const struct lane_job *job = run->job;
    cleanup_free char *place = account->locator != NULL ? plan_place_key(run->mapping, account->locator) : NULL;
    struct error error = { 0 };

    return job->kind != IDENTITY_GROUP || place == NULL || store_check_creator(job->store, job->target, place, job->id, &error) == 0 ||
           lane_fail_error(run, &error);
}

/* It is linked to another group, or is that group's creation under way: what frees it may only be late. True: it has been told. */
static bool is_another_groups(struct lane_run *run)
{
    const struct account *occupant = &run->occupant;
    cleanup_free char *owner = NULL;

    if (run->job->kind != IDENTITY_GROUP)
        return false;
    if (!is_our_place(run, occupant) || !find_holder(run, occupant, &owner))
        return true;
    if (owner == NULL)
        return false;
    cleanup_free char *reason = str_printf("cannot create it yet: \"%s\" is linked to group %s already; retrying until that one is renamed or "
                                           "removed", occupant->locator, owner);
    lane_fail(run, OUTCOME_RETRY, reason != NULL ? reason : "out of memory");
    return true;
}

static char *words_of(const struct lane_run *run)
{
    const struct account *occupant = &run->occupant;
    const char *subject = run->result->subject != NULL ? run->result->subject : run->job->id, *path = mapping_path(run->mapping);
    const char *kind = run->job->kind == IDENTITY_GROUP ? "group" : "person";

    if (occupant->protected_by != NULL)
        return str_printf("cannot create %s: \"%s\" is there already and is protected by %s, so it is never touched; rename one of the two, "
                          "leave this %s out of scope, or change `protected` in %s", subject, occupant->locator, occupant->protected_by,
                          kind, path);
    return str_printf("cannot create group %s: \"%s\" is there already, and Provost has not created it; if the two are one, link them "
                      "(provostctl link %s %s '%s'); else rename one of the two, or let `match` in %s leave that one out",
                      subject, occupant->locator, run->job->target, run->job->id, occupant->locator, path);
}

static enum step fail_creation(struct lane_run *run, const char *reason)
{
    return step_if(lane_fail(run, OUTCOME_REJECTED, reason != NULL ? reason : "out of memory"));
}

/* Nothing is created beside it: who has the name would be taken for the other. */
static enum step refuse_occupant(struct lane_run *run)
{
    run->blocked = true;
    run->doing = operation_kind_name(OPERATION_CREATE);
    run->result->action = run->doing;
    if (is_another_groups(run))
        return STEP_FAILED;
    cleanup_free char *reason = words_of(run);
    return fail_creation(run, reason);
}

static enum step refuse_given(struct lane_run *run)
{
    cleanup_free char *reason = str_printf("cannot link \"%s\": there is no such entry, or it may not be seen; link another one (provostctl link "
                                           "%s %s DN)", run->link.locator, run->job->target, run->job->id);

    run->blocked = true;
    return fail_creation(run, reason);
}

static bool creates(const struct lane_run *run)
{
    return run->planned && run->plan.operation_count > 0 && run->plan.operations[0].kind == OPERATION_CREATE;
}

enum step account_adopt(struct lane_run *run)
{
    bool known = lane_is_linked(run) && str_equal(run->link.key, run->account.key);
    bool wanted = run->planned && (run->plan.present || run->plan.operation_count > 0);

    if (run->occupant.locator != NULL && creates(run))
        return refuse_occupant(run);
    if (creates(run) && run->linked && lane_link_view(&run->link).given)
        return refuse_given(run);
    if (!run->found || known || !wanted)
        return STEP_NEXT;
    cleanup_free char *holder = NULL; /* keeps it until he leaves it: the store refuses a second link */
    run->blocked = !find_holder(run, &run->account, &holder);
    if (!run->blocked && !run->plan.present && holder != NULL && set_foreign(run))
        return STEP_AGAIN;
    run->blocked = run->blocked || (holder == NULL && !may_be_ours(run));
    if (run->blocked)
        return STEP_FAILED;
    struct link link = { .key = run->account.key, .locator = run->account.locator, .account = lane_values_text(run->account.values),
                         .adopted = ADOPTION_KEPT };
    bool valued = groups_value_of(run, link.locator, run->account.values, &link);
    bool good = is_our_place(run, &run->account) && lane_set_link(run, &link) && lane_store_link(run);
    free(link.account);
    free(link.member);
    free(link.member_key);
    run->blocked = !good;
    good = good && valued;
    /* whose entry it was may have removed it between our look and the link */
    return good && run->job->kind == IDENTITY_GROUP ? STEP_AGAIN : step_if(good);
}

/* ---- access ---- */

static bool takes_out(enum operation_kind kind)
{
    return kind == OPERATION_DISABLE || kind == OPERATION_REMOVE;
}

/* From now on no group's lane writes the account as a member: groups that it comes into meanwhile make this lane look again. */
static bool link_without_groups(struct lane_run *run)
{
    const struct link *link = &run->link;
    const struct link wanted = { .key = link->key, .locator = link->locator, .account = link->account, .due = link->due,
                                 .adopted = link->adopted, .member_key = (char *)"" };

    return link->member == NULL || (lane_set_link(run, &wanted) && lane_store_link(run));
}

/* The target has refused the removal, and until it does not the person would be in. */
static enum step disable_instead(struct lane_run *run)
{
    run->keep = true;
    run->kept_outcome = run->refused;
    run->kept = take_pointer(run->refusal_words);
    return link_without_groups(run) ? STEP_AGAIN : STEP_FAILED;
}

enum step account_leave(struct lane_run *run)
{
    const struct operation *operation = run->plan.operations;

    if (!run->planned || run->blocked || run->plan.operation_count == 0 || !takes_out(operation->kind))
        return STEP_NEXT;
    bool removes = operation->kind == OPERATION_REMOVE;
    if (removes && run->keep) { /* the mapping cannot disable */
        run->doing = operation_kind_name(operation->kind);
        return step_if(lane_fail(run, run->kept_outcome, run->kept != NULL ? run->kept : "out of memory"));
    }
    enum step step = lane_apply(run, operation, NULL);
    bool refused = run->refused == OUTCOME_REJECTED || (run->refused == OUTCOME_RETRY && run->refusal != REFUSAL_SURE);
    if (removes && step == STEP_FAILED && refused && run->job->kind == IDENTITY_USER)
        return disable_instead(run);
    if (step == STEP_FAILED && swap_step_aside(run, operation))
        return STEP_AGAIN;
    run->out = step == STEP_NEXT;
    return step;
}

/* ---- everything else ---- */

static void take_made(struct plan *plan, struct account *made)
{
    if (made->key != NULL) {
        free(plan->wanted.key);
        plan->wanted.key = take_pointer(made->key);
    }
    if (made->locator != NULL) {
        free(plan->wanted.locator);
        plan->wanted.locator = take_pointer(made->locator);
    }
}

/* A group that was created between our look and our creation, and looks the same, is its creator's. */
static bool is_anothers(struct lane_run *run, const struct operation *operation, const struct account *made)
{
    const struct lane_job *job = run->job;
    cleanup_free char *owner = NULL;

    if (operation->kind != OPERATION_CREATE || job->kind != IDENTITY_GROUP || made->key == NULL ||
        store_find_owner(job->store, job->target, job->kind, made->key, &owner, NULL) < 0 || strcmp(owner, job->id) == 0)
        return false;
    cleanup_free char *reason = str_printf("%s was just created for group %s; retrying after that group", operation->locator, owner);
    lane_fail(run, OUTCOME_RETRY, reason != NULL ? reason : "out of memory");
    return true;
}

/* What an earlier attempt created under another name is ours: it is read by its key, and put right. */
static bool link_earlier(struct lane_run *run, const struct account *made)
{
    const struct link link = { .key = made->key, .locator = made->locator };

    return made->key == NULL || (lane_set_link(run, &link) && lane_store_link(run));
}

static enum step change_once(struct lane_run *run, const struct operation *operation)
{
    struct account made = { 0 };
    enum step step = lane_apply(run, operation, &made);

    if (step == STEP_NEXT && is_anothers(run, operation, &made)) {
        step = STEP_FAILED;
    } else if (step == STEP_NEXT) {
        run->created = run->created || operation->kind == OPERATION_CREATE;
        take_made(&run->plan, &made);
        members_note(run, operation);
    } else if (step == STEP_AGAIN && !link_earlier(run, &made)) {
        step = STEP_FAILED;
    } else if (step == STEP_FAILED && swap_step_aside(run, operation)) {
        step = STEP_AGAIN;
    }
    account_clear(&made);
    return step;
}

/* An account that has moved while something else of it was refused is read anew: its groups must follow it all the same. */
static bool has_moved(struct lane_run *run, const struct operation *operation)
{
    bool moved = operation->kind == OPERATION_RENAME && !run->moved;

    run->moved = run->moved || moved;
    return moved;
}

static bool moves(const struct operation *operation)
{
    return operation->new_locator != NULL && operation->kind != OPERATION_DISABLE;
}

/* Values that somebody else put into groups move along; once the account has another place nobody knows what to look for. */
static enum step wait_for_look(struct lane_run *run, const struct operation *rename)
{
    cleanup_free char *reason = str_printf("cannot rename %s yet: its groups could not be searched; retrying", rename->locator);

    run->doing = operation_kind_name(rename->kind);
    return step_if(lane_fail(run, OUTCOME_RETRY, reason != NULL ? reason : "out of memory"));
}

enum step account_change(struct lane_run *run)
{
    enum step worst = STEP_NEXT;
    bool moved = false;

    if (!run->planned || run->blocked)
        return STEP_NEXT;
    for (size_t i = 0; i < run->plan.operation_count && !run->down; i++) {
        if (i == 0 && takes_out(run->plan.operations[0].kind))
            continue;
        if (moves(&run->plan.operations[i]) && run->groups.failed) {
            worst = wait_for_look(run, &run->plan.operations[i]);
            continue;
        }
        enum step step = change_once(run, &run->plan.operations[i]);
        if (step == STEP_AGAIN)
            return STEP_AGAIN;
        moved = moved || (step == STEP_NEXT && has_moved(run, &run->plan.operations[i]));
        worst = step == STEP_FAILED ? step : worst;
    }
    if (worst == STEP_FAILED && moved)
        return STEP_AGAIN;
    run->written = worst == STEP_NEXT && run->out;
    if (run->plan.unmet != NULL)
        lane_fail(run, OUTCOME_REJECTED, run->plan.unmet);
    return run->plan.unmet != NULL ? STEP_FAILED : worst;
}

/* ---- the link ---- */

static bool link_says(const struct lane_run *run, const struct link *wanted)
{
    const struct link *link = &run->link;

    return run->linked && link->gone == wanted->gone && str_equal(link->key, wanted->key) && str_equal(link->locator, wanted->locator) &&
           link->due.us == wanted->due.us && link->adopted == wanted->adopted && str_equal(link->account, wanted->account) &&
           str_equal(link->member, wanted->member) && str_equal(link->member_key, wanted->member_key);
}

/* Its value in groups; an account that is to go keeps what its link says of that. */
static bool add_value(struct lane_run *run, const json_t *values, struct link *wanted)
{
    if (!run->keep)
        return groups_value_of(run, wanted->locator, values, wanted);
    wanted->member = str_dup(run->link.member);
    wanted->member_key = str_dup(run->link.member_key);
    return true;
}

static bool put_link(struct lane_run *run, struct link *wanted)
{
    return link_says(run, wanted) || lane_set_link(run, wanted);
}

/* What a person's creation has just been noted with is what is wanted: the longest text of a lane is made once. */
static char *wanted_text(const struct lane_run *run)
{
    const struct lane_result *result = run->result;
    const struct operation_record *last = result->operation_count > 0 ? &result->operations[result->operation_count - 1] : NULL;
    bool made = run->job->kind == IDENTITY_USER && run->created;

    if (made && last != NULL && str_equal(last->kind, operation_kind_name(OPERATION_CREATE)))
        return str_dup(last->changes);
    return lane_values_text(run->plan.wanted.values);
}

static enum adoption adoption_of(const struct lane_run *run)
{
    if (run->created || !lane_is_linked(run) || run->link.adopted == ADOPTION_NONE)
        return ADOPTION_NONE;
    return run->plan.released ? ADOPTION_LEAVING : ADOPTION_KEPT;
}

static bool link_present(struct lane_run *run)
{
    const struct plan *plan = &run->plan;
    struct link wanted = {
        .key = str_dup(plan->wanted.key != NULL ? plan->wanted.key : run->found ? run->account.key : NULL),
        .locator = str_dup(plan->wanted.locator),
        .account = wanted_text(run),
        .due = plan->due,
        .adopted = adoption_of(run),
    };
    bool good = add_value(run, plan->wanted.values, &wanted) && put_link(run, &wanted);

    link_clear(&wanted);
    return good;
}

/* Where a change was refused the account is as it was: the link says so, with the value that it has in groups. */
static bool link_unchanged(struct lane_run *run)
{
    struct link wanted = { .key = str_dup(run->link.key), .locator = str_dup(run->account.locator), .account = str_dup(run->link.account),
                           .due = run->link.due, .adopted = run->link.adopted };
    bool good = add_value(run, run->account.values, &wanted) && put_link(run, &wanted);

    link_clear(&wanted);
    return good;
}

/* The value stays known until the account is out of all groups: somebody else may have put it into some. */
static bool link_gone(struct lane_run *run)
{
    bool out = run->parted && !run->groups.failed, looked = run->groups.looked_for != NULL;
    struct link wanted = { .key = run->link.key, .locator = run->link.locator, .gone = true };

    if (!out) {
        wanted.member = looked ? run->groups.looked_for : run->link.member;
        wanted.member_key = looked ? run->groups.key : run->link.member_key;
    }
    return put_link(run, &wanted); /* borrowed: it copies */
}

/* A tombstone keeps its value, or that of an older store its account, until the person is out of all groups. */
static bool is_unfinished(const struct lane_run *run)
{
    return run->linked && run->link.gone && (run->link.account != NULL || run->link.member != NULL) && run->parted && !run->failed;
}

enum step account_link(struct lane_run *run)
{
    bool good = true;

    if (!run->planned || run->blocked)
        return STEP_NEXT;
    if (run->plan.present && run->written)
        good = link_present(run);
    else if (!run->plan.present && run->out && (lane_is_linked(run) || is_unfinished(run)))
        good = link_gone(run);
    else if (run->plan.present && run->found && lane_is_linked(run))
        good = link_unchanged(run);
    run->doing = "link";
    good = good && (!groups_wait_for_link(run) || lane_store_link(run));
    if (good)
        remember_account(run);
    return step_if(good);
}
