#include "deliver/groups.h"

#include "base/str.h"
#include "deliver/begun.h"
#include "deliver/members.h"

/* Groups that move while they are worked on are looked up again; then it is a retry. */
#define GROUP_ROUNDS_MOST 4

/* So often an account that is nobody's is waited for to be linked, and for as long as anybody else's lane is worked on. */
#define STRANGER_RETRIES 2

/* ---- the groups that have an entry ---- */

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

/* The group's link. *ret_there: it has an entry. */
static bool read_group_link(struct lane_run *run, const char *id, struct link *link, bool *ret_there)
{
    struct error error = { 0 };
    int code = store_read_link(run->job->store, run->job->target, IDENTITY_GROUP, id, link, &error);

    *ret_there = false;
    if (code == ERROR_NOTFOUND)
        return true;
    if (code < 0)
        return lane_fail_error(run, &error);
    bool ok = !link->gone || begun_entry(run, link);
    *ret_there = ok && !link->gone;
    if (!*ret_there)
        link_clear(link);
    return ok;
}

static bool group_list_read(struct lane_run *run, struct group_list *ret_groups)
{
    size_t most = run->identity.group_count;
    struct group_list groups = { calloc(most + 1, sizeof(*groups.list)), calloc(most + 1, sizeof(*groups.links)), 0 };
    bool ok = true, there = false;

    if (groups.list == NULL || groups.links == NULL) {
        group_list_free(&groups);
        return lane_fail(run, OUTCOME_RETRY, "out of memory");
    }
    for (size_t i = 0; ok && i < most; i++) {
        const struct membership *row = &run->identity.groups[i];
        struct link *link = &groups.links[groups.count];
        ok = read_group_link(run, row->id, link, &there);
        if (ok && there)
            groups.list[groups.count++] = (struct plan_group){ row->id, link->key, link->locator, row->present };
        else if (ok && row->present && mapping_with_first_member(run->job->group_mapping))
            touch_group(run, row->id);
    }
    if (!ok) {
        group_list_free(&groups);
        return false;
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
    const struct group_query query = { attribute, value, mapping_base(run->job->group_mapping), settings };
    enum outcome outcome = run->job->ops->read_groups(run->job->session, &query, ret_groups, &receipt);
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

/* Borrows. */
static struct operation entry_place(const json_t *entry)
{
    return (struct operation){ .key = (char *)json_string_value(json_object_get(entry, "key")),
                               .locator = (char *)json_string_value(json_object_get(entry, "locator")) };
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
    bool last = !ok && members_is_last(run, operation, outcome);
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

/* What is to be brought about. */
struct aim {
    const char *new_value; /* NULL: none, the account goes */
    const char *old_value; /* NULL: as before */
    const char *old_place; /* where the account stood under it; NULL: not known */
    bool waits;            /* for a group that lives by the old value alone */
};

/* Who has the place under which ours stood? `heir` is left empty where nobody we know has. */
static bool read_heir(struct lane_run *run, const char *place, bool *ret_has, struct identity *heir)
{
    const struct lane_job *job = run->job;
    cleanup_free char *key = NULL, *owner = NULL;

    *ret_has = false;
    if (place == NULL || job->ops->assigns_locator) /* the target's own id is never another's */
        return true;
    if (!lane_key_at(run, job->kind, place, &key))
        return false;
    *ret_has = key != NULL && !str_equal(key, run->link.key);
    if (*ret_has && store_find_owner(job->store, job->target, job->kind, key, &owner, NULL) == 0)
        (void)store_read_identity(job->store, job->kind, owner, heir, NULL);
    return true;
}

static bool is_member(const struct identity *identity, const char *group_id)
{
    for (size_t i = 0; i < identity->group_count; i++)
        if (identity->groups[i].present && strcmp(identity->groups[i].id, group_id) == 0)
            return true;
    return false;
}

/* Leaves in `entries` the groups of our facts that are not the heir's, too: all others hold the value for the heir's sake. */
static void keep_ours(const struct group_list *groups, const struct identity *heir, json_t *entries)
{
    for (size_t i = json_array_size(entries); i-- > 0;) {
        const json_t *entry = json_array_get(entries, i);
        const struct operation at = entry_place(entry);
        const char *id = group_id_of(groups, &at);
        if (id == NULL || is_member(heir, id))
            json_array_remove(entries, i);
    }
}

static bool others_are_worked_on(const struct lane_run *run)
{
    struct store_lane_counts counts;

    return store_count_lanes(run->job->store, run->job->target, &counts, NULL) < 0 || counts.leased > 1;
}

/* Nobody's account that we know has the place: one that was just made and is linked in a moment, or one that was made by
 * hand, whose groups are not ours to change. */
static bool leave_to_stranger(struct lane_run *run, json_t *entries)
{
    if (run->job->attempt <= STRANGER_RETRIES || others_are_worked_on(run))
        return lane_fail(run, OUTCOME_RETRY, "an account that is nobody's yet has the place; groups hold its name for the one that was there");
    json_array_clear(entries);
    return true;
}

/* Does somebody else's link say the place, or the value as that of before? He had it before us, and his rename is not at its
 * end; or he has it now. */
static bool is_shared(struct lane_run *run, const struct aim *aim, bool *ret_is)
{
    const struct lane_job *job = run->job;
    const char *place = job->ops->assigns_locator ? NULL : aim->old_place; /* the target's own id is never another's */
    cleanup_free char *id = NULL;
    struct error error = { 0 };

    int code = store_find_placed(job->store, job->target, place, aim->old_value, job->id, &id, &error);
    *ret_is = code == 0;
    return code == 0 || code == ERROR_NOTFOUND || lane_fail_error(run, &error);
}

/* Is the value there that of somebody who had the name before us, whose own lane has yet to take it out, or one that the
 * group's lane has just written? Then nobody put us there by hand. */
static bool is_others(struct lane_run *run, const struct operation *at, const struct aim *aim, bool *ret_is)
{
    const struct lane_job *job = run->job;
    const char *value = aim->old_value;
    cleanup_free char *id = NULL;
    struct error error = { 0 };

    bool ok = is_shared(run, aim, ret_is);
    if (!ok || *ret_is || at->key == NULL)
        return ok;
    int code = store_find_owner(job->store, job->target, IDENTITY_GROUP, at->key, &id, &error);
    if (code == ERROR_NOTFOUND)
        code = store_find_beginner(job->store, job->target, at->locator, &id, &error);
    if (code < 0) /* nobody's group, or the store cannot say */
        return code == ERROR_NOTFOUND || lane_fail_error(run, &error);
    return members_hold(run, id, value, ret_is) && (*ret_is || begun_has(run, id, value, ret_is));
}

static bool same_entry(const json_t *one, const json_t *other)
{
    const struct operation a = entry_place(one), b = entry_place(other);

    return a.key != NULL ? str_equal(a.key, b.key) : str_equal(a.locator, b.locator);
}

static bool has_entry(const json_t *entries, const json_t *wanted)
{
    bool has = false;

    for (size_t i = 0; !has && i < json_array_size(entries); i++)
        has = same_entry(json_array_get(entries, i), wanted);
    return has;
}

/* Whose value it was may have come to his end and taken it out between our look at the groups and that at the links. */
static bool drop_gone(struct lane_run *run, const char *value, json_t *entries)
{
    json_t *now = NULL;

    if (!read_groups(run, value, &now))
        return false;
    for (size_t i = json_array_size(entries); i-- > 0;)
        if (!has_entry(now, json_array_get(entries, i)))
            json_array_remove(entries, i);
    json_decref(now);
    return true;
}

/* Takes out of `entries` the groups whose value is somebody else's matter. */
static bool leave_to_others(struct lane_run *run, const struct aim *aim, const struct group_list *groups, json_t *entries)
{
    bool ok = true, by_hand = false;

    for (size_t i = json_array_size(entries); ok && i-- > 0;) {
        const struct operation at = entry_place(json_array_get(entries, i));
        bool others = false;
        if (group_id_of(groups, &at) != NULL)
            continue;
        ok = is_others(run, &at, aim, &others);
        if (others)
            json_array_remove(entries, i);
        by_hand = by_hand || !others;
    }
    return ok && (!by_hand || drop_gone(run, aim->old_value, entries));
}

/* The groups that hold the old value. Read before the place is looked at: who
 * comes after that has put it into none yet. */
static bool read_stale(struct lane_run *run, const struct aim *aim, const struct group_list *groups, json_t **ret_stale)
{
    struct identity heir = { 0 };
    bool has = false;

    if (!read_groups(run, aim->old_value, ret_stale) || !leave_to_others(run, aim, groups, *ret_stale) ||
        !read_heir(run, aim->old_place, &has, &heir))
        return false;
    if (has)
        keep_ours(groups, &heir, *ret_stale);
    bool stranger = has && heir.id == NULL && json_array_size(*ret_stale) > 0;
    identity_clear(&heir);
    return !stranger || leave_to_stranger(run, *ret_stale);
}

static bool converge_groups_once(struct lane_run *run, const struct aim *aim, struct unfinished *unfinished)
{
    const char *new_value = aim->new_value, *old_value = aim->old_value;
    bool renamed = old_value != NULL && !str_equal(old_value, new_value);
    struct group_list groups = { 0 };
    struct operation *operations = NULL;
    size_t count = 0;
    json_t *current = NULL, *stale = NULL;
    struct error error = { 0 };

    if (run->identity.group_count == 0 && !renamed)
        return true;
    bool ok = group_list_read(run, &groups) && (new_value == NULL || read_groups(run, new_value, &current)) &&
              (!renamed || read_stale(run, aim, &groups, &stale));
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

/* Brings the values of one account in all groups to what the facts say. Comes
 * again until a group that lives by it is gone or has another member; before
 * an account goes it cannot wait, as the group waits for its link. */
static bool converge_groups(struct lane_run *run, const struct aim *aim)
{
    struct unfinished unfinished = { .moved = true };
    bool ok = true;

    for (int round = 0; ok && unfinished.moved && round < GROUP_ROUNDS_MOST; round++) {
        unfinished = (struct unfinished){ 0 };
        ok = converge_groups_once(run, aim, &unfinished);
    }
    if (ok && unfinished.moved)
        return lane_fail(run, OUTCOME_RETRY, "groups kept moving while a member was taken out of them");
    if (ok && unfinished.last && aim->waits)
        return lane_fail(run, OUTCOME_RETRY, "the last member of a group that cannot be empty leaves with the group, or when another came");
    return ok;
}

/* Whoever has the place now may have been taken out of groups under the name
 * that was ours a moment ago: its lane looks once more. */
static bool tell_successor(struct lane_run *run, const char *place)
{
    cleanup_free char *key = NULL, *owner = NULL;
    const struct lane_job *job = run->job;

    if (place == NULL || job->ops->assigns_locator)
        return true;
    if (!lane_key_at(run, job->kind, place, &key))
        return false;
    if (key != NULL && store_find_owner(job->store, job->target, job->kind, key, &owner, NULL) == 0 && strcmp(owner, job->id) != 0)
        store_touch(job->store, job->target, job->kind, owner);
    return true;
}

/* A group that was made while the lane was at work holds the old value for a membership that came meanwhile, too. */
static bool read_facts_again(struct lane_run *run)
{
    struct identity now = { 0 };
    struct error error = { 0 };

    if (store_read_identity(run->job->store, run->job->kind, run->job->id, &now, &error) < 0)
        return lane_fail_error(run, &error);
    identity_clear(&run->identity);
    run->identity = now;
    return true;
}

/* With the old value out, whoever has the place now; also where the last answer was lost. */
static bool hand_over(struct lane_run *run, const struct aim *aim)
{
    bool ok = read_facts_again(run) && converge_groups(run, aim);

    return tell_successor(run, aim->old_place) && ok;
}

static bool has_groups(const struct lane_run *run)
{
    return run->job->kind == IDENTITY_USER && run->job->group_mapping != NULL && run->job->ops->read_groups != NULL &&
           mapping_member_attribute(run->job->group_mapping) != NULL;
}

/* A tombstone that still has its account: the value is in a group yet. */
static bool is_unfinished(const struct lane_run *run)
{
    return run->linked && run->link.gone && run->link.account != NULL;
}

static const char *linked_place(const struct lane_run *run)
{
    return run->linked && (!run->link.gone || is_unfinished(run)) ? run->link.locator : NULL;
}

/* The value that the account stood with when its link was last stored. */
static bool linked_value(struct lane_run *run, char **ret_value)
{
    if (linked_place(run) == NULL)
        return true;
    json_t *values = run->link.account != NULL ? json_loads(run->link.account, 0, NULL) : NULL;
    bool ok = members_value(run, run->link.locator, values, ret_value);
    json_decref(values);
    return ok;
}

static bool note_former(struct lane_run *run, const struct aim *aim)
{
    char *place = str_dup(aim->old_place), *value = str_dup(aim->old_value);

    free(run->link.former);
    free(run->link.former_value);
    run->link.former = place;
    run->link.former_value = value;
    run->link_dirty = place != NULL && value != NULL; /* else the stored link keeps the old place */
    return run->link_dirty || lane_fail(run, OUTCOME_RETRY, "out of memory");
}

static bool leave_former(struct lane_run *run, const struct aim *aim)
{
    if (!hand_over(run, aim))
        return false;
    free(take_pointer(run->link.former));
    free(take_pointer(run->link.former_value));
    run->link_dirty = true;
    return true;
}

/* With the new place in the link: a group that was written meanwhile may have taken the old value in. Until that is looked
 * at, the link says the old place, too: for the next attempt, and for whoever has the place by then. */
static bool link_and_leave(struct lane_run *run, const struct aim *aim)
{
    return note_former(run, aim) && lane_store_link(run) && leave_former(run, aim);
}

/* Stands the account elsewhere than its link says? A rename whose answer or
 * receipt was lost: its groups come first, under the name that it has now, or
 * that name would be forgotten with the next rename. */
static bool catch_up_moved(struct lane_run *run)
{
    cleanup_free char *old_value = NULL, *value = NULL, *old_place = str_dup(linked_place(run));
    bool moved = run->found && run->linked && !run->link.gone && str_equal(run->link.key, run->account.key) &&
                 !str_equal(run->link.locator, run->account.locator);

    if (!moved)
        return true;
    if (!linked_value(run, &old_value) || !members_value(run, run->account.locator, run->account.values, &value))
        return false;
    const struct aim aim = { value, old_value, old_place, .waits = true };
    if (str_equal(old_value, value))
        return true;
    return hand_over(run, &aim) &&
           lane_set_link(run, run->account.key, run->account.locator, run->account.values, false, run->link.due) &&
           link_and_leave(run, &aim);
}

bool groups_catch_up(struct lane_run *run)
{
    cleanup_free char *value = NULL, *former = str_dup(run->link.former), *former_value = str_dup(run->link.former_value);
    const bool renaming = run->link.former != NULL && run->link.former_value != NULL;
    const bool here = run->found && str_equal(run->link.key, run->account.key);

    if (!has_groups(run))
        return true;
    if (renaming && (former == NULL || former_value == NULL))
        return lane_fail(run, OUTCOME_RETRY, "out of memory");
    /* where it is not there any more the old value only goes out */
    if (renaming && here && !members_value(run, run->account.locator, run->account.values, &value))
        return false;
    const struct aim aim = { value, former_value, former, .waits = true };
    return (!renaming || leave_former(run, &aim)) && catch_up_moved(run);
}

/* An account that the plan does not touch is somebody else's, and so are its groups. */
bool groups_before(struct lane_run *run, const struct plan *plan)
{
    cleanup_free char *value = NULL;
    bool ours = run->found ? plan->operation_count > 0 : run->linked && !run->link.gone;

    if (!has_groups(run) || plan->present || !ours)
        return true;
    if (!linked_value(run, &value))
        return false;
    if (value == NULL && run->found && !members_value(run, run->account.locator, run->account.values, &value))
        return false;
    return converge_groups(run, &(struct aim){ .old_value = value, .old_place = run->link.locator });
}

/* The tombstone, with the account for as long as its value may be in a group. */
static bool bury(struct lane_run *run, bool with_account)
{
    cleanup_free char *key = str_dup(run->link.key), *locator = str_dup(run->link.locator);
    json_t *values = with_account ? json_loads(run->link.account != NULL ? run->link.account : "{}", 0, NULL) : NULL;
    bool ok = lane_set_link(run, key, locator, values, true, (struct wall){ 0 });

    json_decref(values);
    return ok;
}

/* A group that was made while the account went may still have taken it in, and one that lived by it alone may have got
 * another member: with the link gone, look once more. So too where it was found gone, as the answer to its removal may
 * have been lost. */
static bool groups_left(struct lane_run *run, const struct plan *plan, relink_function *relink)
{
    cleanup_free char *value = NULL, *place = str_dup(linked_place(run));

    if (!linked_value(run, &value))
        return false;
    if (value == NULL)
        return relink(run, plan);
    const struct aim aim = { .old_value = value, .old_place = place, .waits = true };
    return bury(run, true) && lane_store_link(run) && hand_over(run, &aim) && bury(run, false);
}

bool groups_after(struct lane_run *run, const struct plan *plan, bool was_there, relink_function *relink)
{
    cleanup_free char *old_value = NULL;
    cleanup_free char *new_value = NULL;

    if (!has_groups(run))
        return relink(run, plan);
    if (!plan->present)
        return groups_left(run, plan, relink);
    cleanup_free char *old_place = str_dup(linked_place(run));
    bool had = was_there || is_unfinished(run);
    if (!linked_value(run, &old_value) || !members_value(run, plan->wanted.locator, plan->wanted.values, &new_value))
        return false;
    bool renamed = had && old_value != NULL && !str_equal(old_value, new_value);
    const struct aim aim = { new_value, renamed ? old_value : NULL, old_place, .waits = true };
    if (renamed && !hand_over(run, &aim))
        return false;
    if (!relink(run, plan))
        return false;
    if (run->identity.group_count == 0 && !renamed)
        return true;
    /* the link first: whoever makes a group now sees this account in it */
    if (!renamed)
        return lane_store_link(run) && converge_groups(run, &aim);
    return link_and_leave(run, &aim);
}
