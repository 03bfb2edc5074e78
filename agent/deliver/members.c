#include "deliver/members.h"

#include "base/str.h"

/* LDAP's objectClassViolation: the last value of a group that must have one */
#define REMOTE_LAST_VALUE 65

/* Groups that move while they are worked on are looked up again; then it is a retry. */
#define GROUP_ROUNDS_MOST 4

/* ---- a group's members ---- */

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

int member_list_read(struct lane_run *run, struct member_list *ret_list)
{
    struct member_list members = { 0 };
    struct error error = { 0 };

    int code = store_read_members(run->job->store, run->job->target, run->job->id, add_member, &members, &error);
    if (code < 0) {
        member_list_free(&members);
        lane_fail_error(run, &error);
        return code;
    }
    *ret_list = members;
    return 0;
}

static bool member_value(struct lane_run *run, const char *locator, const json_t *values, char **ret_value)
{
    struct error error = { 0 };

    if (locator == NULL || plan_member_value(run->job->group_mapping, locator, values, ret_value, &error) < 0)
        return locator == NULL ? true : lane_fail_error(run, &error);
    return true;
}

/* The list's values as the keys of a JSON object; owned by the caller, false or not. */
static bool value_set(struct lane_run *run, const struct member_list *members, json_t *set)
{
    for (size_t i = 0; i < members->count; i++) {
        cleanup_free char *value = NULL;
        if (!member_value(run, members->list[i].locator, members->list[i].account, &value))
            return false;
        if (value != NULL)
            json_object_set_new_nocheck(set, value, json_true());
    }
    return true;
}

/* The last member cannot be taken out of a group that lives by its members:
 * the group's lane takes the entry away, unless another member came. */
static bool is_last_value(const struct lane_run *run, const struct operation *operation, enum outcome outcome)
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
        last = !ok && is_last_value(run, &operations[i], outcome);
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

/* Changes each value of `values` that `other` lacks. */
static bool change_own_all(struct lane_run *run, const char *locator, json_t *values, const json_t *other, bool in, bool *ret_again)
{
    const char *value;
    json_t *unused;
    bool ok = true;

    json_object_foreach(values, value, unused)
    {
        if (ok && json_object_get(other, value) == NULL)
            ok = change_own(run, locator, value, in, ret_again);
    }
    return ok;
}

/* One look at what the members are now; *written becomes that. */
static bool recheck_once(struct lane_run *run, const char *locator, json_t **written, bool *ret_same, bool *ret_again)
{
    struct member_list now = { 0 };
    json_t *after = json_object();

    /* in first: a group must not run empty between the two */
    bool ok = member_list_read(run, &now) == 0 && value_set(run, &now, after) &&
              change_own_all(run, locator, after, *written, true, ret_again) &&
              change_own_all(run, locator, *written, after, false, ret_again);
    *ret_same = json_equal(*written, after);
    member_list_free(&now);
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

bool members_recheck(struct lane_run *run, const struct member_list *members, const char *locator, bool *ret_again)
{
    json_t *written = json_object();
    bool same = false, ok = value_set(run, members, written);

    if (ok && plan_adds_members(run->job->group_mapping))
        keep_seen(run, written);
    for (int round = 0; ok && !same && round < GROUP_ROUNDS_MOST; round++)
        ok = recheck_once(run, locator, &written, &same, ret_again);
    json_decref(written);
    return ok && !same ? lane_fail(run, OUTCOME_RETRY, "a group's members kept changing while it was written") : ok;
}

/* ---- a person's groups ---- */

struct group_list { /* groups of the person's facts that have an entry here */
    struct plan_group *list;
    struct link *links;
    size_t count;
};

static void group_list_free(struct group_list *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        link_clear(&groups->links[i]);
    free(groups->list);
    free(groups->links);
    *groups = (struct group_list){ 0 };
}

/* A group that waits for its first member, or whose entry went, gets its lane
 * to look again. */
static void touch_group(const struct lane_run *run, const char *group_id)
{
    store_touch(run->job->store, run->job->target, IDENTITY_GROUP, group_id);
}

static bool group_list_read(struct lane_run *run, struct group_list *ret_groups)
{
    size_t most = run->identity.group_count;
    struct group_list groups = { calloc(most + 1, sizeof(*groups.list)), calloc(most + 1, sizeof(*groups.links)), 0 };
    struct error error = { 0 };

    if (groups.list == NULL || groups.links == NULL) {
        group_list_free(&groups);
        return lane_fail(run, OUTCOME_RETRY, "out of memory");
    }
    for (size_t i = 0; i < most; i++) {
        const struct membership *row = &run->identity.groups[i];
        struct link *link = &groups.links[groups.count];
        int code = store_read_link(run->job->store, run->job->target, IDENTITY_GROUP, row->id, link, &error);
        if (code < 0 && code != ERROR_NOTFOUND) {
            group_list_free(&groups);
            return lane_fail_error(run, &error);
        }
        if (code == ERROR_NOTFOUND || link->gone) {
            link_clear(link);
            if (row->present && mapping_with_first_member(run->job->group_mapping))
                touch_group(run, row->id);
            continue;
        }
        groups.list[groups.count++] = (struct plan_group){ row->id, link->key, link->locator, row->present };
    }
    *ret_groups = groups;
    return true;
}

static bool read_groups(struct lane_run *run, const char *value, json_t **ret_groups)
{
    const char *attribute = mapping_member_attribute(run->job->group_mapping);
    const struct settings_view view = { .call = "groups_of", .value = value };
    struct receipt receipt = { 0 };
    struct error error = { 0 };
    json_t *settings = NULL;

    if (plan_settings(run->job->group_mapping, &view, &settings, &error) < 0)
        return lane_fail_error(run, &error);
    enum outcome outcome = run->job->ops->read_groups(run->job->session, attribute, value, settings, ret_groups, &receipt);
    json_decref(settings);
    bool ok = outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
    if (outcome == OUTCOME_GONE) {
        *ret_groups = json_array();
        ok = true;
    } else if (!ok) {
        lane_fail_receipt(run, &receipt);
    }
    receipt_clear(&receipt);
    return ok;
}

static const char *group_id_of(const struct group_list *groups, const struct operation *operation)
{
    for (size_t i = 0; i < groups->count; i++)
        if (groups->list[i].key != NULL ? str_equal(groups->list[i].key, operation->key)
                                        : str_equal(groups->list[i].locator, operation->locator))
            return groups->list[i].id;
    return NULL;
}

/* What one look at a person's groups could not bring to an end. */
struct unfinished {
    bool moved; /* a group was renamed or changed under our hands, maybe with the member in it */
    bool last;  /* a group lives by this member, who is to leave it */
};

static bool apply_membership(struct lane_run *run, const struct group_list *groups, const struct operation *operation,
                             struct unfinished *unfinished)
{
    enum outcome outcome = OUTCOME_UNCHANGED; /* stays so where nothing could be sent */
    bool ok = lane_apply(run, operation, NULL, &outcome);
    bool last = !ok && is_last_value(run, operation, outcome);
    bool missing = ok && outcome == OUTCOME_GONE && operation->kind == OPERATION_MEMBER_ADD;
    const char *id = last || missing ? group_id_of(groups, operation) : NULL;

    if (ok && (outcome == OUTCOME_CONFLICT || (outcome == OUTCOME_GONE && operation->kind == OPERATION_MEMBER_REMOVE)))
        unfinished->moved = true;
    if (id != NULL)
        touch_group(run, id);
    if (last) {
        unfinished->last = true;
        free(take_pointer(run->result->reason));
        run->result->outcome = OUTCOME_UNCHANGED;
    }
    return ok || last;
}

static bool converge_groups_once(struct lane_run *run, const char *new_value, const char *old_value, struct unfinished *unfinished)
{
    bool renamed = old_value != NULL && !str_equal(old_value, new_value);
    struct group_list groups = { 0 };
    struct operation *operations = NULL;
    size_t count = 0;
    json_t *current = NULL, *stale = NULL;
    struct error error = { 0 };

    if (run->identity.group_count == 0 && !renamed)
        return true;
    bool ok = group_list_read(run, &groups) && (new_value == NULL || read_groups(run, new_value, &current)) &&
              (!renamed || read_groups(run, old_value, &stale));
    if (ok && plan_memberships(run->job->group_mapping, new_value, old_value, groups.list, groups.count, current, stale, &operations,
                               &count, &error) < 0)
        ok = lane_fail_error(run, &error);
    for (size_t i = 0; ok && i < count; i++)
        ok = apply_membership(run, &groups, &operations[i], unfinished);
    operations_free(operations, count);
    json_decref(current);
    json_decref(stale);
    group_list_free(&groups);
    return ok;
}

/* Brings the values of one account in all groups to what the facts say. An
 * account that stays comes again until a group that lives by it is gone or has
 * another member; one that goes cannot wait, as the group waits for its link. */
static bool converge_groups(struct lane_run *run, const char *new_value, const char *old_value)
{
    struct unfinished unfinished = { .moved = true };
    bool ok = true;

    for (int round = 0; ok && unfinished.moved && round < GROUP_ROUNDS_MOST; round++) {
        unfinished = (struct unfinished){ 0 };
        ok = converge_groups_once(run, new_value, old_value, &unfinished);
    }
    if (ok && unfinished.moved)
        return lane_fail(run, OUTCOME_RETRY, "groups kept moving while a member was taken out of them");
    if (ok && unfinished.last && new_value != NULL)
        return lane_fail(run, OUTCOME_RETRY, "the last member of a group that cannot be empty leaves with the group, or when another came");
    return ok;
}

static bool has_groups(const struct lane_run *run)
{
    return run->job->kind == IDENTITY_USER && run->job->group_mapping != NULL && run->job->ops->read_groups != NULL &&
           mapping_member_attribute(run->job->group_mapping) != NULL;
}

/* The value that the account stood with when its link was last stored. */
static bool linked_value(struct lane_run *run, char **ret_value)
{
    if (!run->linked || run->link.gone)
        return true;
    json_t *values = run->link.account != NULL ? json_loads(run->link.account, 0, NULL) : NULL;
    bool ok = member_value(run, run->link.locator, values, ret_value);
    json_decref(values);
    return ok;
}

/* May the linked account, which is not there any more, be taken out of groups by
 * its name? Not when another account has taken its place. */
static bool place_is_vacant(struct lane_run *run, bool *ret_vacant)
{
    static const char *const no_names[] = { NULL };
    struct account_query query = { .locator = run->link.locator, .names = no_names };
    struct account account = { 0 };
    struct receipt receipt = { 0 };

    *ret_vacant = false;
    if (run->link.locator == NULL)
        return true;
    if (run->job->ops->assigns_locator) { /* the target's own id is never another's */
        *ret_vacant = true;
        return true;
    }
    enum outcome outcome = run->job->ops->read(run->job->session, &query, &account, &receipt);
    *ret_vacant = outcome == OUTCOME_GONE;
    bool ok = *ret_vacant || outcome == OUTCOME_APPLIED ? true : lane_fail_receipt(run, &receipt);
    account_clear(&account);
    receipt_clear(&receipt);
    return ok;
}

/* An account that the plan does not touch is somebody else's, and so are its groups. */
bool groups_before(struct lane_run *run, const struct plan *plan)
{
    cleanup_free char *value = NULL;
    bool ours = run->found ? plan->operation_count > 0 : run->linked && !run->link.gone;
    bool vacant = true;

    if (!has_groups(run) || plan->present || !ours)
        return true;
    if (!run->found && !place_is_vacant(run, &vacant))
        return false;
    if (!vacant)
        return true;
    if (!linked_value(run, &value))
        return false;
    if (value == NULL && run->found && !member_value(run, run->account.locator, run->account.values, &value))
        return false;
    return converge_groups(run, NULL, value);
}

/* A group that was made while the account went may still have taken it in: with the link gone, look once more. */
static bool groups_left(struct lane_run *run, const struct plan *plan, relink_function *relink)
{
    cleanup_free char *value = NULL;

    if (!linked_value(run, &value) || !relink(run, plan))
        return false;
    return value == NULL || plan->operation_count == 0 || (lane_store_link(run) && converge_groups(run, NULL, value));
}

bool groups_after(struct lane_run *run, const struct plan *plan, bool was_there, relink_function *relink)
{
    cleanup_free char *old_value = NULL;
    cleanup_free char *new_value = NULL;

    if (!has_groups(run))
        return relink(run, plan);
    if (!plan->present)
        return groups_left(run, plan, relink);
    if (!linked_value(run, &old_value) || !member_value(run, plan->wanted.locator, plan->wanted.values, &new_value))
        return false;
    bool renamed = was_there && old_value != NULL && !str_equal(old_value, new_value);
    if (renamed && !converge_groups(run, new_value, old_value))
        return false;
    if (!relink(run, plan))
        return false;
    if (run->identity.group_count == 0 && !renamed)
        return true;
    /* the link first: whoever makes a group now sees this account in it */
    return lane_store_link(run) && converge_groups(run, new_value, renamed ? old_value : NULL);
}
