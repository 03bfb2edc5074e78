/* What the steps of a run share: failures, facts, links. */
#include "deliver/run.h"

#include "base/fault.h"
#include "base/str.h"

/* ---- what failed ---- */

bool is_fine(enum outcome outcome)
{
    return outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
}

/* An outcome that may pass outranks a permanent one: the lane is tried again, and tells the permanent failure again. */
static const int severity[OUTCOME_COUNT] = {
    [OUTCOME_REJECTED] = 1, [OUTCOME_AMBIGUOUS] = 2, [OUTCOME_GONE] = 3, [OUTCOME_CONFLICT] = 3, [OUTCOME_RETRY] = 3,
    [OUTCOME_UNSEEN] = 3, [OUTCOME_TARGET_DOWN] = 4,
};

static void append(char **text, const char *separator, const char *more)
{
    char *longer = *text != NULL ? str_printf("%s%s%s", *text, separator, more) : strdup(more);

    if (longer == NULL)
        return;
    free(*text);
    *text = longer;
}

static bool names_step(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = list; at != NULL && *at != '\0'; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* As many as can be read: three hundred groups may refuse. */
#define REASONS_MAX 5

static void tell_reason(struct lane_run *run, const char *reason)
{
    struct lane_result *result = run->result;

    if (result->reason != NULL && strstr(result->reason, reason) != NULL)
        return;
    if (run->reasons++ < REASONS_MAX)
        append(&result->reason, "; ", reason);
    else if (run->reasons == REASONS_MAX + 1)
        append(&result->reason, "; ", "and more, see step= and the operations");
}

bool lane_fail(struct lane_run *run, enum outcome outcome, const char *reason)
{
    struct lane_result *result = run->result;

    if (!run->failed || severity[outcome] > severity[result->outcome])
        result->outcome = outcome;
    run->failed = true;
    run->down = run->down || outcome == OUTCOME_TARGET_DOWN;
    tell_reason(run, reason);
    if (!names_step(result->undone, run->doing))
        append(&result->undone, ",", run->doing);
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

bool lane_fail_nomem(struct lane_run *run)
{
    return lane_fail(run, OUTCOME_RETRY, "out of memory");
}

bool lane_fail_receipt(struct lane_run *run, const struct receipt *receipt)
{
    struct lane_result *result = run->result;
    const char *reason = receipt->reason != NULL ? receipt->reason : outcome_name(receipt->outcome);

    if (receipt->retry_after_us > result->retry_after_us)
        result->retry_after_us = receipt->retry_after_us;
    if (result->refusal == REFUSAL_SURE && receipt->refusal != REFUSAL_SURE) {
        result->refusal = receipt->refusal;
        result->refusal_code = receipt->remote_code;
        result->refusal_of_change = result->operation_count > 0;
        free(result->refusal_words);
        result->refusal_words = strdup(reason);
    }
    return lane_fail(run, receipt->outcome, reason);
}

void lane_add_note(struct lane_run *run, const char *note)
{
    if (run->result->note == NULL || strstr(run->result->note, note) == NULL)
        append(&run->result->note, "; ", note);
}

/* ---- facts ---- */

bool lane_read_facts(struct lane_run *run)
{
    const struct lane_job *job = run->job;
    struct error error = { 0 };

    int code = store_read_identity(job->store, job->kind, job->id, &run->identity, &error);
    if (code == ERROR_NOTFOUND) {
        run->result->out_of_scope = true;
        return false;
    }
    if (code < 0)
        return lane_fail_error(run, &error);
    bool user = job->kind == IDENTITY_USER && run->identity.login.value != NULL;
    run->result->subject = str_dup(user ? run->identity.login.value : run->identity.name.value);
    code = store_read_link(job->store, job->target, job->kind, job->id, &run->link, &error);
    run->linked = code == 0;
    return code == 0 || code == ERROR_NOTFOUND || lane_fail_error(run, &error);
}

/* ---- links ---- */

static bool link_is_given(const struct link *link)
{
    return link->gone && link->adopted == ADOPTION_KEPT && link->key == NULL && link->locator != NULL;
}

struct link_view lane_link_view(const struct link *link)
{
    return (struct link_view){ .key = link->key, .locator = link->locator, .gone = link->gone, .due = link->due, .account = link->account,
                               .adopted = link->adopted != ADOPTION_NONE, .given = link_is_given(link) };
}

bool lane_is_linked(const struct lane_run *run)
{
    return run->linked && !run->link.gone;
}

bool lane_set_link(struct lane_run *run, const struct link *from)
{
    struct link link = {
        .key = str_dup(from->key),
        .locator = str_dup(from->locator),
        .account = str_dup(from->account),
        .member = str_dup(from->member),
        .member_key = str_dup(from->member_key),
        .gone = from->gone,
        .due = from->due,
        .adopted = from->adopted,
        .linked = run->linked && run->link.linked.us != 0 ? run->link.linked : clock_wall(run->job->clock),
    };
    bool whole = (link.locator != NULL || from->locator == NULL) && (link.key != NULL || from->key == NULL) &&
                 (link.member_key != NULL || from->member_key == NULL);

    link_clear(&run->link);
    run->link = link;
    run->linked = true;
    run->link_dirty = true;
    return whole || lane_fail_nomem(run);
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
    run->link_stored = run->link_stored || code == 0;
    return code == 0 || lane_fail_error(run, &error);
}

bool lane_key_at(struct lane_run *run, enum identity_kind kind, const char *place, char **ret_key)
{
    static const char *const no_names[] = { NULL };
    struct account_query query = { .group = kind == IDENTITY_GROUP, .locator = place, .names = no_names };
    struct account account = { 0 };
    struct receipt receipt = { 0 };

    enum outcome outcome = run->job->ops->read(run->job->session, &query, &account, &receipt);
    bool good = outcome == OUTCOME_GONE || outcome == OUTCOME_APPLIED || lane_fail_receipt(run, &receipt);
    *ret_key = take_pointer(account.key);
    account_clear(&account);
    receipt_clear(&receipt);
    return good;
}

/* ---- member rows ---- */

/* Without memory the row stays as it is, and the lane is tried again. */
void lane_note_member(struct lane_run *run, const char *other, const char *key, const char *value, enum member_state state)
{
    struct lane_result *result = run->result;
    struct member_change change = { strdup(other), strdup(key), strdup(value), state };
    struct member_change *list = realloc(result->members, (result->member_count + 1) * sizeof(*list));

    if (list != NULL)
        result->members = list;
    if (list == NULL || change.other == NULL || change.key == NULL || change.value == NULL) {
        free((char *)change.other);
        free((char *)change.key);
        free((char *)change.value);
        lane_fail_nomem(run);
        return;
    }
    list[result->member_count++] = change;
}
