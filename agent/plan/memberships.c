/* A member's value in groups, and the operations that add and remove one. */
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

/* Every spelling of a DN has one key; any other value is its own. */
int plan_member_key(const struct mapping *group_mapping, const char *value, char **ret_key, struct error *error)
{
    char *key = NULL;
    int code = group_mapping->members.escape == ESCAPE_DN ? dn_normalize(value, &key) : ERROR_SYNTAX;

    if (code == ERROR_SYNTAX && (key = strdup(value)) != NULL)
        code = 0;
    if (code < 0)
        return error_nomem(error);
    *ret_key = key;
    return 0;
}

bool plan_adds_members(const struct mapping *group_mapping)
{
    return group_mapping->by_call && group_mapping->members.attribute != NULL;
}

void operations_free(struct operation *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        operation_clear(&operations[i]);
    free(operations);
}

int plan_member_operation(const struct mapping *group_mapping, enum operation_kind kind, const char *key, const char *locator,
                          const char *value, struct operation *ret_operation, struct error *error)
{
    const char *attribute = group_mapping->members.attribute;
    bool removes = kind == OPERATION_MEMBER_REMOVE;
    struct operation operation = {
        .kind = kind,
        .group = true,
        .key = str_dup(key),
        .locator = str_dup(locator),
        .attribute = strdup(attribute),
        .value = strdup(value),
        .protect = group_mapping->protect,
        .placeholder = removes ? str_dup(group_mapping->members.placeholder) : NULL,
        .before_image = removes ? json_pack("{s:[s]}", attribute, value) : json_pack("{s:[]}", attribute),
    };
    const struct settings_view view = { .call = operation_kind_name(kind), .key = key != NULL ? key : locator, .value = value };
    int code = operation.attribute != NULL && operation.value != NULL ? 0 : error_nomem(error);

    if (code == 0)
        code = plan_settings(group_mapping, &view, &operation.settings, error);
    if (code < 0)
        operation_clear(&operation);
    else
        *ret_operation = operation;
    return code;
}
