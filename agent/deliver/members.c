#include "deliver/members.h"

#include "base/str.h"

static int append(struct lane_run *run, const char *user_id, const char *value, const char *key)
{
    struct member_change *list = realloc(run->members, (run->member_count + 1) * sizeof(*list));

    if (list == NULL)
        return ERROR_NOMEM;
    run->members = list;
    struct member_change *member = &list[run->member_count++];
    *member = (struct member_change){ strdup(user_id), strdup(key), strdup(value), MEMBER_SENT };
    return member->other == NULL || member->key == NULL || member->value == NULL ? ERROR_NOMEM : 0;
}

/* A link of an older store does not say the value, but all that it is made of. */
static int append_older(struct lane_run *run, const char *user_id)
{
    struct link link = { 0 };
    struct error error = { 0 };
    int code = store_read_link(run->job->store, run->job->target, IDENTITY_USER, user_id, &link, &error);
    json_t *account = code == 0 && link.account != NULL ? json_loads(link.account, 0, NULL) : NULL;

    if (account != NULL)
        code = plan_member_value(run->job->group_mapping, link.locator, account, &link.member, &error);
    if (code == 0 && link.member != NULL)
        code = plan_member_key(run->job->group_mapping, link.member, &link.member_key, &error);
    if (code == 0 && link.member != NULL)
        code = append(run, user_id, link.member, link.member_key);
    json_decref(account);
    link_clear(&link);
    return code == ERROR_NOTFOUND || code == ERROR_INVALID ? 0 : code; /* what is wrong with the value that person's lane tells */
}

static int add_member(void *arg, const char *user_id, const char *value, const char *key)
{
    if (value == NULL && key != NULL) /* it has none (account.c) */
        return 0;
    return value != NULL ? append(arg, user_id, value, key) : append_older(arg, user_id); /* none: that lane adds it */
}

void members_clear(struct lane_run *run)
{
    for (size_t i = 0; i < run->member_count; i++) {
        free((char *)run->members[i].other);
        free((char *)run->members[i].key);
        free((char *)run->members[i].value);
    }
    free(take_pointer(run->members));
    free(take_pointer(run->member_values));
    run->member_count = 0;
}

bool members_read(struct lane_run *run)
{
    struct error error = { 0 };

    if (run->job->kind != IDENTITY_GROUP || mapping_member_attribute(run->mapping) == NULL)
        return true;
    if (store_read_members(run->job->store, run->job->target, run->job->id, add_member, run, &error) < 0)
        return lane_fail_error(run, &error);
    run->member_values = calloc(run->member_count + 1, sizeof(*run->member_values));
    for (size_t i = 0; run->member_values != NULL && i < run->member_count; i++)
        run->member_values[i] = run->members[i].value;
    return run->member_values != NULL || lane_fail_nomem(run);
}

/* The values of members that an operation on the group's entry writes. Borrowed; NULL: none. */
static const json_t *values_written(const struct lane_run *run, const struct operation *operation)
{
    const char *attribute = mapping_member_attribute(run->mapping);

    if (operation->kind == OPERATION_CREATE)
        return json_object_get(operation->values, attribute);
    for (size_t i = 0; i < operation->change_count; i++)
        if (strcmp(operation->changes[i].name, attribute) == 0 && operation->changes[i].kind != CHANGE_DELETE)
            return operation->changes[i].values;
    return NULL;
}

static json_t *set_of(const json_t *values)
{
    json_t *set = json_object();

    for (size_t i = 0; i < json_array_size(values); i++)
        json_object_set_new_nocheck(set, json_string_value(json_array_get(values, i)), json_true());
    return set;
}

size_t members_written(const struct lane_run *run, const struct operation *operation, enum member_state state,
                       struct member_change *changes)
{
    bool later = operation->kind == OPERATION_CREATE && run->member_count > 0 && plan_adds_members(run->mapping);
    json_t *written = later || run->member_count == 0 ? NULL : set_of(values_written(run, operation));
    size_t count = 0;

    for (size_t i = 0; i < run->member_count; i++) {
        if (!later && json_object_get(written, run->members[i].value) == NULL)
            continue;
        changes[count] = run->members[i];
        changes[count++].state = state;
    }
    json_decref(written);
    return count;
}

void members_note(struct lane_run *run, const struct operation *operation)
{
    cleanup_free struct member_change *changes = calloc(run->member_count + 1, sizeof(*changes));
    size_t count = changes != NULL ? members_written(run, operation, MEMBER_THERE, changes) : 0;

    if (changes == NULL)
        lane_fail_nomem(run);
    for (size_t i = 0; i < count && !plan_adds_members(run->mapping); i++)
        lane_note_member(run, changes[i].other, changes[i].key, changes[i].value, MEMBER_THERE);
}

static enum step add_one(struct lane_run *run, const struct member_change *member)
{
    struct operation operation = { 0 };
    struct error error = { 0 };

    if (plan_member_operation(run->mapping, OPERATION_MEMBER_ADD, run->link.key, run->link.locator, member->value, &operation, &error) < 0)
        return step_if(lane_fail_error(run, &error));
    enum step step = lane_apply(run, &operation, NULL);
    operation_clear(&operation);
    if (step == STEP_NEXT)
        lane_note_member(run, member->other, member->key, member->value, MEMBER_THERE);
    return step;
}

/* Those who could not be added are left to their own lanes. */
enum step members_add(struct lane_run *run)
{
    enum step step = STEP_NEXT;

    for (size_t i = 0; run->created && plan_adds_members(run->mapping) && i < run->member_count && !run->down && step != STEP_AGAIN; i++)
        step = add_one(run, &run->members[i]);
    return step;
}

bool members_is_last(const struct lane_run *run, const struct operation *operation, const struct receipt *receipt)
{
    return operation->kind == OPERATION_MEMBER_REMOVE && receipt->outcome == OUTCOME_REJECTED && receipt->last_member &&
           mapping_with_first_member(run->job->group_mapping);
}
