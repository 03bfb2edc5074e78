/* A member's values in groups: which to add, which to take out. */
#include "base/str.h"
#include "plan/dn.h"
#include "plan/functions.h"
#include "plan/mapping.h"

int plan_member_value(const struct mapping *group_mapping, const char *locator, const json_t *account_values, char **ret_value,
                      struct error *error)
{
    struct expr_input input = {
        .account = account_values,
        .locator = locator,
        .locator_name = group_mapping->locator_name,
        .typed = !group_mapping->directory,
    };
    json_t *value = NULL, *text = NULL;
    char *copy = NULL;
    int code = 0;

    if (group_mapping->members.value != NULL)
        code = template_render(group_mapping->members.value, &input, &value, error);
    if (code == 0 && value != NULL)
        code = value_to_text(value, &text, error);
    if (code == 0 && text != NULL && json_string_length(text) > 0 && (copy = strdup(json_string_value(text))) == NULL)
        code = error_nomem(error);
    json_decref(value);
    json_decref(text);
    if (code < 0)
        return code == ERROR_NOMEM ? code
                                   : error_prefix(error, "%s:%d: members.value", group_mapping->path, group_mapping->members.line);
    *ret_value = copy;
    return 0;
}

bool plan_adds_members(const struct mapping *group_mapping)
{
    return group_mapping->by_call && group_mapping->members.attribute != NULL;
}

/* As text, or as an object that has it in one of its members ({"value": "17"}). */
static bool is_member(const json_t *entry, const char *value)
{
    const char *name;
    json_t *member;

    if (json_is_integer(entry)) {
        char text[24];
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(entry));
        return strcmp(text, value) == 0;
    }
    json_object_foreach((json_t *)entry, name, member)
        if (!json_is_object(member) && is_member(member, value))
            return true;
    return str_equal(json_string_value(entry), value);
}

bool plan_member_is_in(const struct mapping *group_mapping, const json_t *group_values, const char *value)
{
    const char *attribute = group_mapping->members.attribute;
    const json_t *list = attribute != NULL ? json_object_get(group_values, attribute) : NULL;

    for (size_t i = 0; i < json_array_size(list); i++)
        if (is_member(json_array_get(list, i), value))
            return true;
    return false;
}

void operations_free(struct operation *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        operation_clear(&operations[i]);
    free(operations);
}

struct membership_plan {
    const struct mapping *mapping;
    struct error *error;
    struct operation *list;
    size_t count;
};

static int add_member_operation(struct membership_plan *plan, enum operation_kind kind, const char *key, const char *locator,
                                const char *value)
{
    struct operation *list = realloc(plan->list, (plan->count + 1) * sizeof(*list));
    bool removes = kind == OPERATION_MEMBER_REMOVE;

    if (list == NULL)
        return error_nomem(plan->error);
    plan->list = list;
    struct operation *operation = &list[plan->count++];
    *operation = (struct operation){
        .kind = kind,
        .group = true,
        .key = str_dup(key),
        .locator = str_dup(locator),
        .attribute = strdup(plan->mapping->members.attribute),
        .value = strdup(value),
        .placeholder = removes ? str_dup(plan->mapping->members.placeholder) : NULL,
        .before_image = removes ? json_pack("{s:[s]}", plan->mapping->members.attribute, value)
                                : json_pack("{s:[]}", plan->mapping->members.attribute),
    };
    if (operation->attribute == NULL || operation->value == NULL)
        return error_nomem(plan->error);
    const struct settings_view view = { .call = operation_kind_name(kind), .key = key != NULL ? key : locator, .value = value };
    return plan_settings(plan->mapping, &view, &operation->settings, plan->error);
}

static const char *text_at(const json_t *entry, const char *name)
{
    return json_string_value(json_object_get(entry, name));
}

/* Is this entry of `current` or `stale` that group's? By key; by locator where one has none. */
static bool is_entry_of(const struct plan_group *group, const json_t *entry)
{
    const char *key = text_at(entry, "key"), *locator = text_at(entry, "locator");

    if (group->key != NULL && key != NULL)
        return strcmp(group->key, key) == 0;
    return group->locator != NULL && locator != NULL && dn_same(group->locator, locator);
}

static const json_t *find_entry(const json_t *entries, const struct plan_group *group)
{
    for (size_t i = 0; i < json_array_size(entries); i++)
        if (is_entry_of(group, json_array_get(entries, i)))
            return json_array_get(entries, i);
    return NULL;
}

static const struct plan_group *find_group(const struct plan_group *groups, size_t count, const json_t *entry)
{
    for (size_t i = 0; i < count; i++)
        if (is_entry_of(&groups[i], entry))
            return &groups[i];
    return NULL;
}

/* The facts' groups: in, or out. What holds the value is where it was just
 * seen: the link's place is old when the group was renamed meanwhile. */
static int plan_named_groups(struct membership_plan *plan, const char *value, const struct plan_group *groups, size_t count,
                             const json_t *current)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < count; i++) {
        const json_t *holder = find_entry(current, &groups[i]);
        const char *place = text_at(holder, "locator");
        if (groups[i].member && holder == NULL)
            code = add_member_operation(plan, OPERATION_MEMBER_ADD, groups[i].key, groups[i].locator, value);
        else if (!groups[i].member && holder != NULL)
            code = add_member_operation(plan, OPERATION_MEMBER_REMOVE, groups[i].key, place != NULL ? place : groups[i].locator, value);
    }
    return code;
}

/* A group that no fact names holds the old value: someone put the member
 * there by hand, so the new one takes its place. */
static int carry_over(struct membership_plan *plan, const char *value, const struct plan_group *groups, size_t count,
                      const json_t *current, const json_t *stale)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < json_array_size(stale); i++) {
        const json_t *entry = json_array_get(stale, i);
        struct plan_group unnamed = { .key = text_at(entry, "key"), .locator = text_at(entry, "locator") };
        if (find_group(groups, count, entry) == NULL && find_entry(current, &unnamed) == NULL)
            code = add_member_operation(plan, OPERATION_MEMBER_ADD, unnamed.key, unnamed.locator, value);
    }
    return code;
}

static int take_out(struct membership_plan *plan, const char *value, const json_t *entries)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        code = add_member_operation(plan, OPERATION_MEMBER_REMOVE, text_at(entry, "key"), text_at(entry, "locator"), value);
    }
    return code;
}

int plan_memberships(const struct mapping *group_mapping, const char *new_value, const char *old_value,
                     const struct plan_group *groups, size_t group_count, const json_t *current, const json_t *stale,
                     struct operation **ret_operations, size_t *ret_count, struct error *error)
{
    struct membership_plan plan = { .mapping = group_mapping, .error = error };
    int code = 0;

    if (group_mapping->members.attribute == NULL) {
        *ret_operations = NULL;
        *ret_count = 0;
        return 0;
    }
    /* additions first: a group must not run empty between the two */
    if (new_value != NULL)
        code = plan_named_groups(&plan, new_value, groups, group_count, current);
    if (code == 0 && new_value != NULL)
        code = carry_over(&plan, new_value, groups, group_count, current, stale);
    if (code == 0 && old_value != NULL)
        code = take_out(&plan, old_value, stale);
    if (code < 0) {
        operations_free(plan.list, plan.count);
        return code;
    }
    *ret_operations = plan.list;
    *ret_count = plan.count;
    return 0;
}
