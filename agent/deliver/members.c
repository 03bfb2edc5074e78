#include "deliver/members.h"

#include "base/str.h"
#include "deliver/begun.h"

/* LDAP's objectClassViolation: the last value of a group that must have one */
#define REMOTE_LAST_VALUE 65

/* Members who move while their group is written are read again; then it is a retry. */
#define ROUNDS_MOST 4

static int add_member(void *arg, const char *user_id, const struct link *link)
{
    struct member_list *members = arg;

    if (link->locator == NULL)
        return 0;
    struct plan_member *list = realloc(members->list, (members->count + 1) * sizeof(*list));
    if (list == NULL)
        return ERROR_NOMEM;
    members->list = list;
    list[members->count++] = (struct plan_member){
        .user_id = strdup(user_id),
        .locator = strdup(link->locator),
        .account = link->account != NULL ? json_loads(link->account, 0, NULL) : NULL,
    };
    return 0;
}

void member_list_free(struct member_list *members)
{
    for (size_t i = 0; i < members->count; i++) {
        free((char *)members->list[i].user_id);
        free((char *)members->list[i].locator);
        json_decref((json_t *)members->list[i].account);
    }
    free(members->list);
    *members = (struct member_list){ 0 };
}

int member_list_read(struct lane_run *run, const char *group_id, struct member_list *ret_list)
{
    struct member_list members = { 0 };
    struct error error = { 0 };

    int code = store_read_members(run->job->store, run->job->target, group_id, add_member, &members, &error);
    if (code < 0) {
        member_list_free(&members);
        lane_fail_error(run, &error);
        return code;
    }
    *ret_list = members;
    return 0;
}

bool members_value(struct lane_run *run, const char *locator, const json_t *values, char **ret_value)
{
    struct error error = { 0 };

    if (locator == NULL || plan_member_value(run->job->group_mapping, locator, values, ret_value, &error) < 0)
        return locator == NULL ? true : lane_fail_error(run, &error);
    return true;
}

/* A set is a JSON object whose keys are the values. One that lacks a value for want of memory would have its member taken out
 * of the group: then nothing is done. */
static bool set_add(struct lane_run *run, json_t *set, const char *value)
{
    return json_object_set_new_nocheck(set, value, json_true()) == 0 || lane_fail(run, OUTCOME_RETRY, "out of memory");
}

/* Adds the list's values to `set`. */
static bool value_set(struct lane_run *run, const struct member_list *members, json_t *set)
{
    for (size_t i = 0; i < members->count; i++) {
        cleanup_free char *value = NULL;
        if (!members_value(run, members->list[i].locator, members->list[i].account, &value))
            return false;
        if (value != NULL && !set_add(run, set, value))
            return false;
    }
    return set != NULL || lane_fail(run, OUTCOME_RETRY, "out of memory");
}

bool members_is_last(const struct lane_run *run, const struct operation *operation, enum outcome outcome)
{
    return operation->kind == OPERATION_MEMBER_REMOVE && outcome == OUTCOME_REJECTED && run->remote_code == REMOTE_LAST_VALUE &&
           mapping_with_first_member(run->job->group_mapping);
}

/* One value put into the group's own entry or taken out of it. A last one that
 * cannot be taken out asks for another round, which takes the entry away. */
static bool change_own(struct lane_run *run, const char *locator, const char *value, bool in, bool *ret_again)
{
    struct plan_group group = { .locator = locator, .member = true };
    json_t *here = json_pack("[{s:s}]", "locator", locator);
    struct operation *operations = NULL;
    size_t count = 0;
    struct error error = { 0 };
    enum outcome outcome = OUTCOME_UNCHANGED;
    bool ok = true, last = false;

    if (plan_memberships(run->job->group_mapping, in ? value : NULL, in ? NULL : value, &group, in ? 1 : 0, NULL, in ? NULL : here,
                         &operations, &count, &error) < 0)
        ok = lane_fail_error(run, &error);
    for (size_t i = 0; ok && i < count; i++) {
        ok = lane_apply(run, &operations[i], NULL, &outcome);
        last = !ok && members_is_last(run, &operations[i], outcome);
        if (ok && outcome == OUTCOME_CONFLICT)
            *ret_again = true;
    }
    if (last) {
        free(take_pointer(run->result->reason));
        run->result->outcome = OUTCOME_UNCHANGED;
        *ret_again = true;
    }
    operations_free(operations, count);
    json_decref(here);
    return ok || last;
}

static bool change_own_all(struct lane_run *run, const char *locator, json_t *values, bool in, bool *ret_again)
{
    const char *value;
    json_t *unused;
    bool ok = true;

    json_object_foreach(values, value, unused)
    {
        if (ok)
            ok = change_own(run, locator, value, in, ret_again);
    }
    return ok;
}

/* Adds to `left` what `set` has and `other` has not. */
static bool set_without(struct lane_run *run, json_t *set, const json_t *other, json_t *left)
{
    const char *value;
    json_t *unused;
    bool ok = true;

    json_object_foreach(set, value, unused)
    {
        if (ok && json_object_get(other, value) == NULL)
            ok = set_add(run, left, value);
    }
    return ok;
}

/* One look at what the members are now; *written becomes that. */
static bool recheck_once(struct lane_run *run, const char *locator, json_t **written, bool *ret_same, bool *ret_again)
{
    struct member_list now = { 0 };
    json_t *after = json_object(), *come = json_object(), *gone = json_object();

    bool ok = member_list_read(run, run->job->id, &now) == 0 && value_set(run, &now, after) &&
              set_without(run, after, *written, come) && set_without(run, *written, after, gone);
    /* in first: a group must not run empty between the two */
    ok = ok && begun_write(run, come) && change_own_all(run, locator, come, true, ret_again) &&
         change_own_all(run, locator, gone, false, ret_again);
    *ret_same = json_object_size(come) + json_object_size(gone) == 0;
    member_list_free(&now);
    json_decref(come);
    json_decref(gone);
    json_decref(*written);
    *written = after;
    return ok;
}

/* Where members are added one by one, those are written that the entry shows. */
static void keep_seen(const struct lane_run *run, json_t *written)
{
    const char *value;
    json_t *unused;
    void *next;

    json_object_foreach_safe(written, next, value, unused)
    {
        if (!run->found || !plan_member_is_in(run->job->group_mapping, run->account.values, value))
            json_object_del(written, value);
    }
}

/* What the entry shows already is not written by us. */
static void leave_out_seen(const struct lane_run *run, json_t *values)
{
    const json_t *seen = run->found ? json_object_get(run->account.values, mapping_member_attribute(run->mapping)) : NULL;

    for (size_t i = 0; i < json_array_size(seen); i++)
        if (json_is_string(json_array_get(seen, i)))
            json_object_del(values, json_string_value(json_array_get(seen, i)));
}

bool members_begin(struct lane_run *run, const struct member_list *members, const struct plan *plan)
{
    if (run->job->kind != IDENTITY_GROUP || !plan->present || plan->operation_count == 0)
        return true;
    const struct operation *first = &plan->operations[0];
    bool with_members = mapping_member_attribute(run->mapping) != NULL && !plan_adds_members(run->mapping);
    json_t *values = json_object();
    bool ok = !with_members || value_set(run, members, values);

    leave_out_seen(run, values);
    ok = ok && (first->kind == OPERATION_CREATE ? begun_place(run, first->locator, values) : begun_write(run, values));
    json_decref(values);
    return ok;
}

bool members_recheck(struct lane_run *run, const struct member_list *members, const char *locator, bool *ret_again)
{
    json_t *written = json_object();
    bool same = false, ok = value_set(run, members, written) && begun_values(run, written);

    if (ok && plan_adds_members(run->job->group_mapping))
        keep_seen(run, written);
    for (int round = 0; ok && !same && round < ROUNDS_MOST; round++)
        ok = recheck_once(run, locator, &written, &same, ret_again);
    json_decref(written);
    return ok && !same ? lane_fail(run, OUTCOME_RETRY, "a group's members kept changing while it was written") : ok;
}

bool members_hold(struct lane_run *run, const char *group_id, const char *wanted, bool *ret_holds)
{
    struct member_list members = { 0 };
    bool ok = member_list_read(run, group_id, &members) == 0;

    *ret_holds = false;
    for (size_t i = 0; ok && !*ret_holds && i < members.count; i++) {
        cleanup_free char *value = NULL;
        ok = strcmp(members.list[i].user_id, run->job->id) == 0 ||
             members_value(run, members.list[i].locator, members.list[i].account, &value);
        *ret_holds = str_equal(value, wanted);
    }
    member_list_free(&members);
    return ok;
}
