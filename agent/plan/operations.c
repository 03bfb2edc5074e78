/* The operations of a plan: from the account as read to what it shall be. */
#include "base/str.h"
#include "plan/decide.h"
#include "plan/planning.h"

/* ---- one operation ---- */

static struct operation *add_operation(struct plan *plan, enum operation_kind kind, const struct planning *planning)
{
    struct operation *list = realloc(plan->operations, (plan->operation_count + 1) * sizeof(*list));

    if (list == NULL)
        return NULL;
    const struct account *account = planning->input->account;
    const char *key = account != NULL ? account->key : NULL;
    const char *locator = account != NULL && account->locator != NULL ? account->locator : planning->locator;
    struct operation *operation = &list[plan->operation_count];
    plan->operations = list;
    *operation = (struct operation){
        .kind = kind,
        .group = planning->mapping->kind == IDENTITY_GROUP,
        .key = str_dup(key),
        .locator = str_dup(locator),
    };
    if ((key != NULL && operation->key == NULL) || (locator != NULL && operation->locator == NULL)) {
        operation_clear(operation);
        return NULL;
    }
    plan->operation_count++;
    return operation;
}

/* What the connector's own groups say of it. Who returns does so with the last
 * change of what the scope goes by: the status may be an old one. */
static int add_settings(const struct planning *planning, const struct plan *plan, struct operation *operation)
{
    const struct settings_view view = {
        .call = operation_kind_name(operation->kind),
        .identity = planning->input->identity,
        .key = operation->key,
        .account = plan->wanted.values,
        .since = operation->kind == OPERATION_ENABLE ? decide_changed(planning->input->identity) : planning->since,
    };

    return plan_settings(planning->mapping, &view, &operation->settings, planning->error);
}

int plan_create(const struct planning *planning, struct plan *plan)
{
    struct operation *operation = add_operation(plan, OPERATION_CREATE, planning);

    if (operation == NULL || (operation->values = value_copy(plan->wanted.values)) == NULL)
        return error_nomem(planning->error);
    if (json_array_size(planning->members) > 0 &&
        json_object_set(operation->values, planning->mapping->members.attribute, planning->members) < 0)
        return error_nomem(planning->error);
    return add_settings(planning, plan, operation);
}

int plan_remove(const struct planning *planning, struct plan *plan)
{
    struct operation *operation = add_operation(plan, OPERATION_REMOVE, planning);

    if (operation == NULL)
        return error_nomem(planning->error);
    if (planning->input->account->values != NULL)
        operation->before_image = json_incref(planning->input->account->values);
    plan->leaving = true;
    return add_settings(planning, plan, operation);
}

/* ---- changes ---- */

/* The touched attributes as they are now; null where there is none. */
static int add_before_image(const struct planning *planning, struct operation *operation)
{
    const json_t *values = planning->input->account->values;
    json_t *image = operation->before_image = json_object();
    int failed = image == NULL;
    const char *name;
    json_t *value;

    for (size_t i = 0; i < operation->change_count; i++) {
        value = value_of(planning->mapping, values, operation->changes[i].name);
        failed |= json_object_set_new(image, operation->changes[i].name, value != NULL ? json_incref(value) : json_null());
    }
    if (planning->renamed && planning->rdn != NULL)
        json_object_foreach(planning->rdn, name, value)
            if (value_of(planning->mapping, image, name) == NULL && value_of(planning->mapping, values, name) != NULL)
                failed |= json_object_set(image, name, value_of(planning->mapping, values, name));
    return failed ? error_nomem(planning->error) : 0;
}

/* `with_changes`: it takes all of planning->changes. */
static int add_change_operation(struct planning *planning, enum operation_kind kind, bool with_changes, struct plan *plan)
{
    struct operation *operation = add_operation(plan, kind, planning);

    if (operation == NULL)
        return error_nomem(planning->error);
    if (with_changes) {
        operation->changes = planning->changes.list;
        operation->change_count = planning->changes.count;
        planning->changes = (struct change_list){ 0 };
    }
    operation->new_locator = planning->renamed ? str_dup(planning->locator) : NULL;
    if (add_before_image(planning, operation) < 0)
        return ERROR_NOMEM;
    if (planning->renamed && operation->new_locator == NULL)
        return error_nomem(planning->error);
    if (!planning->mapping->directory && (operation->values = value_copy(plan->wanted.values)) == NULL)
        return error_nomem(planning->error);
    plan->leaving = plan->leaving || kind == OPERATION_DISABLE;
    return add_settings(planning, plan, operation);
}

static bool has_own_request(const struct planning *planning, enum operation_kind kind)
{
    return mapping_call(planning->mapping, operation_kind_name(kind)) != NULL;
}

/* Where the target itself tells, what it says counts; a directory's attributes
 * tell, and others' too where it does not. A leaver of whom nothing tells is disabled again. */
static bool is_toggled(const struct planning *planning)
{
    int flag = planning->input->account->disabled;

    if (planning->mapping->directory)
        return planning->toggles;
    if (flag >= 0)
        return (flag != 0) != planning->disabled;
    bool tells = has_marks(planning->mapping) || !has_own_request(planning, OPERATION_DISABLE);
    return planning->toggles || (planning->disabled && !tells);
}

/* Must not pass for done: a leaver may still have access. */
static int tell_contradiction(const struct planning *planning)
{
    return error_set(planning->error, ERROR_INVALID,
                     "%s: the target calls the account enabled although it is as the disable group says; "
                     "disable must change what the target shows it by", planning->mapping->path);
}

/* Everything in one operation: a directory, or an update under the name of what it brings about. */
static int plan_one_change(struct planning *planning, bool toggled, struct plan *plan)
{
    enum operation_kind kind = toggled             ? (planning->disabled ? OPERATION_DISABLE : OPERATION_ENABLE)
                               : planning->renamed ? OPERATION_RENAME
                                                   : OPERATION_UPDATE;

    if ((planning->changes.count == 0 && !planning->renamed && !toggled) || !mapping_can(planning->mapping, kind))
        return 0;
    if (toggled && planning->mapping->by_call && planning->changes.count == 0)
        return planning->disabled ? tell_contradiction(planning) : 0;
    return add_change_operation(planning, kind, true, plan);
}

int plan_changes(struct planning *planning, struct plan *plan)
{
    bool toggled = is_toggled(planning);
    enum operation_kind kind = planning->disabled ? OPERATION_DISABLE : OPERATION_ENABLE;

    if (!toggled || !has_own_request(planning, kind))
        return plan_one_change(planning, toggled, plan);
    int code = add_change_operation(planning, kind, false, plan);
    if (code < 0 || (planning->disabled && planning->mapping->keeps_disabled))
        return code;
    return plan_one_change(planning, false, plan);
}
