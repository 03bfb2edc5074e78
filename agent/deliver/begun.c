#include "deliver/begun.h"

#include "base/str.h"

/* { "name": …, "login": …, "members": { value: true } } of a link. NULL: out of memory, told in the result. */
static json_t *read_begun(struct lane_run *run, const struct link *link)
{
    json_t *begun = link->begun != NULL ? json_loads(link->begun, 0, NULL) : json_pack("{s:{}}", "members");

    if (begun == NULL)
        lane_fail(run, OUTCOME_RETRY, "out of memory");
    return begun;
}

static int put_text(json_t *object, const char *name, const char *text)
{
    return json_object_set_new(object, name, text != NULL ? json_string(text) : json_null());
}

/* Into the link, not stored yet; `values` may be NULL. */
static bool note(struct lane_run *run, const json_t *values)
{
    json_t *begun = read_begun(run, &run->link);

    if (begun == NULL)
        return false;
    bool whole = put_text(begun, "name", run->identity.name.value) == 0 && put_text(begun, "login", run->identity.login.value) == 0 &&
                 (values == NULL || json_object_update(json_object_get(begun, "members"), (json_t *)(uintptr_t)values) == 0);
    char *text = whole ? json_dumps(begun, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(begun);
    if (text == NULL)
        return lane_fail(run, OUTCOME_RETRY, "out of memory");
    run->link_dirty = run->link_dirty || !str_equal(text, run->link.begun);
    free(run->link.begun);
    run->link.begun = text;
    return true;
}

static bool keep(struct lane_run *run, const json_t *values)
{
    return note(run, values) && lane_store_link(run);
}

bool begun_place(struct lane_run *run, const char *place, const json_t *values)
{
    if (run->job->kind != IDENTITY_GROUP)
        return true;
    bool same = run->linked && run->link.gone && run->link.begun != NULL && str_equal(run->link.locator, place);

    return (same || lane_set_link(run, NULL, place, NULL, true, (struct wall){ 0 })) && keep(run, values);
}

bool begun_write(struct lane_run *run, const json_t *values)
{
    return json_object_size(values) == 0 || keep(run, values);
}

void begun_unanswered(struct lane_run *run, const char *place)
{
    bool known = (run->linked && !run->link.gone) || run->link.account != NULL || run->link.begun != NULL;

    if (!known && lane_set_link(run, NULL, place, NULL, true, (struct wall){ 0 }))
        note(run, NULL);
}

bool begun_values(struct lane_run *run, json_t *set)
{
    json_t *begun = read_begun(run, &run->link);
    bool ok = begun != NULL && (json_object_update(set, json_object_get(begun, "members")) == 0 ||
                                lane_fail(run, OUTCOME_RETRY, "out of memory"));

    json_decref(begun);
    return ok;
}

void begun_forget(struct lane_run *run)
{
    if (run->link.begun == NULL)
        return;
    free(take_pointer(run->link.begun));
    run->link_dirty = true;
}

/* By the name and login of then. */
static enum outcome read_former(struct lane_run *run, const json_t *begun, struct account *ret_account, struct receipt *receipt)
{
    struct identity former = run->identity; /* borrows all */
    struct plan_query query = { 0 };
    struct error error = { 0 };

    former.name.value = (char *)json_string_value(json_object_get(begun, "name"));
    former.login.value = (char *)json_string_value(json_object_get(begun, "login"));
    if (plan_query(run->mapping, &former, NULL, &query, &error) < 0)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "%s", error.text);
    enum outcome outcome = run->job->ops->read(run->job->session, &query.query, ret_account, receipt);
    plan_query_clear(&query);
    return outcome;
}

/* Ours, unless it is another's by now. */
static bool link_found(struct lane_run *run, const struct account *account)
{
    cleanup_free char *owner = NULL;
    const struct lane_job *job = run->job;

    if (account->key == NULL || store_find_owner(job->store, job->target, job->kind, account->key, &owner, NULL) == 0)
        return true;
    return lane_set_link(run, account->key, account->locator, NULL, false, (struct wall){ 0 }) && lane_store_link(run);
}

bool begun_find(struct lane_run *run)
{
    struct receipt receipt = { 0 };
    struct account account = { 0 };
    json_t *begun;

    if (!run->linked || !run->link.gone || run->link.begun == NULL)
        return true;
    if ((begun = read_begun(run, &run->link)) == NULL)
        return false;
    enum outcome outcome = read_former(run, begun, &account, &receipt);
    bool ok = outcome == OUTCOME_GONE || (outcome == OUTCOME_APPLIED ? link_found(run, &account) : lane_fail_receipt(run, &receipt));
    account_clear(&account);
    receipt_clear(&receipt);
    json_decref(begun);
    return ok;
}

bool begun_has(struct lane_run *run, const char *group_id, const char *value, bool *ret_has)
{
    struct link link = { 0 };
    struct error error = { 0 };
    int code = store_read_link(run->job->store, run->job->target, IDENTITY_GROUP, group_id, &link, &error);

    *ret_has = false;
    if (code < 0)
        return code == ERROR_NOTFOUND || lane_fail_error(run, &error);
    json_t *begun = read_begun(run, &link);
    bool ok = begun != NULL;
    *ret_has = json_object_get(json_object_get(begun, "members"), value) != NULL;
    json_decref(begun);
    link_clear(&link);
    return ok;
}

bool begun_entry(struct lane_run *run, struct link *group)
{
    cleanup_free char *key = NULL, *owner = NULL;
    const struct lane_job *job = run->job;

    if (group->begun == NULL || group->locator == NULL)
        return true;
    if (!lane_key_at(run, IDENTITY_GROUP, group->locator, &key))
        return false;
    if (key == NULL || store_find_owner(job->store, job->target, IDENTITY_GROUP, key, &owner, NULL) == 0)
        return true;
    free(group->key);
    group->key = take_pointer(key);
    group->gone = false;
    return true;
}
