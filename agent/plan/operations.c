/* The operations of a plan: from the account as read to what it shall be. */
#include <stdlib.h>
#include <strings.h>

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
        .protect = planning->mapping->protect,
    };
    if ((key != NULL && operation->key == NULL) || (locator != NULL && operation->locator == NULL)) {
        operation_clear(operation);
        return NULL;
    }
    plan->operation_count++;
    return operation;
}

/* What the connector's own groups say of it; `account` is what account.X means there. Who returns does so with the last
 * change of what the scope goes by: the status may be an old one. */
static int add_settings(const struct planning *planning, const json_t *account, struct operation *operation)
{
    const struct settings_view view = {
        .call = operation_kind_name(operation->kind),
        .identity = planning->input->identity,
        .key = operation->key,
        .account = account,
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
    return add_settings(planning, plan->wanted.values, operation);
}

int plan_remove(const struct planning *planning, struct plan *plan)
{
    struct operation *operation = add_operation(plan, OPERATION_REMOVE, planning);

    if (operation == NULL)
        return error_nomem(planning->error);
    if (planning->input->account->values != NULL)
        operation->before_image = json_incref(planning->input->account->values);
    plan->leaving = true;
    return add_settings(planning, plan->wanted.values, operation);
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
    if (operation->new_locator != NULL && planning->rdn != NULL)
        json_object_foreach(planning->rdn, name, value)
            if (value_of(planning->mapping, image, name) == NULL && value_of(planning->mapping, values, name) != NULL)
                failed |= json_object_set(image, name, value_of(planning->mapping, values, name));
    return failed ? error_nomem(planning->error) : 0;
}

/* A target that is no directory may be sent the whole account: as it shall be, but for `later` changes, which are not made yet. */
static int add_values(const struct planning *planning, const struct change_list *later, const struct plan *plan,
                      struct operation *operation)
{
    const json_t *current = planning->input->account->values;
    json_t *values = operation->values = value_copy(plan->wanted.values);
    int failed = values == NULL;

    for (size_t i = 0; !failed && later != NULL && i < later->count; i++) {
        const char *name = later->list[i].name;
        json_t *value = value_of(planning->mapping, current, name);
        if (value != NULL)
            failed = json_object_set(values, name, value);
        else
            json_object_del(values, name);
    }
    return failed ? error_nomem(planning->error) : 0;
}

/* One step of the change: `changes` (NULL: none) are taken, `later` are those that a following step makes. */
struct step {
    enum operation_kind kind;
    struct change_list *changes;
    const struct change_list *later;
    bool moves; /* to where the account shall stand */
};

static int add_step(const struct planning *planning, struct step step, struct plan *plan)
{
    struct operation *operation = add_operation(plan, step.kind, planning);
    int code = 0;

    if (operation == NULL)
        return error_nomem(planning->error);
    if (step.changes != NULL) {
        operation->changes = step.changes->list;
        operation->change_count = step.changes->count;
        *step.changes = (struct change_list){ 0 };
    }
    if (step.moves && (operation->new_locator = str_dup(planning->locator)) == NULL)
        return error_nomem(planning->error);
    code = add_before_image(planning, operation);
    if (code == 0 && !planning->mapping->directory)
        code = add_values(planning, step.later, plan, operation);
    plan->leaving = plan->leaving || step.kind == OPERATION_DISABLE;
    const json_t *account = operation->values != NULL ? operation->values : plan->wanted.values;
    return code < 0 ? code : add_settings(planning, account, operation);
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

/* ---- what cannot be brought about ---- */

/* Must not pass for done: a leaver may still have access. */
static int tell_still_enabled(const struct planning *planning)
{
    return error_set(planning->error, ERROR_INVALID,
                     "%s: the target calls the account enabled although it is as the disable group says; "
                     "disable must change what the target shows it by", planning->mapping->path);
}

/* Nor a return, while the account stays shut; what else differs is put right all the same. */
static int tell_still_disabled(const struct planning *planning, struct plan *plan)
{
    const struct mapping *mapping = planning->mapping;

    if (!mapping_disables(mapping)) /* whoever did it: not this file */
        return 0;
    plan->unmet = str_printf("%s: cannot enable the account: the target shows it as disabled, and %s; add requests.enable, or enable "
                             "the account there by hand", mapping->path,
                             mapping_call(mapping, "disable") != NULL ? "requests has disable without enable"
                                                                      : "nothing that the disable group names is left to take back");
    return plan->unmet != NULL ? 0 : error_nomem(planning->error);
}

/* ---- steps ---- */

/* An attribute that is part of the entry's name changes by the move. */
static bool names_entry(const struct planning *planning, const char *name)
{
    bool named = own_rdn_value(planning, name) != NULL || value_of(planning->mapping, planning->old_rdn, name) != NULL;

    return planning->renamed && named;
}

/* Does this change go ahead of all others when somebody leaves? */
static bool goes_first(const struct planning *planning, const struct change *change)
{
    const struct attribute *attribute = mapping_attribute(planning->mapping, change->name);

    if (attribute == NULL || attribute->disable == NULL || names_entry(planning, change->name))
        return false;
    bool allows = planning->mapping->directory && strcasecmp(change->name, "objectClass") == 0; /* the lock's attribute */
    return allows || decides(planning->mapping, attribute);
}

static int take_change(struct change_list *from, size_t i, struct change_list *into)
{
    struct change *list = realloc(into->list, (into->count + 1) * sizeof(*list));

    if (list == NULL)
        return ERROR_NOMEM;
    into->list = list;
    list[into->count++] = from->list[i];
    from->list[i] = (struct change){ 0 };
    return 0;
}

/* Moves those that go first out of planning->changes. */
static int split_changes(struct planning *planning, struct change_list *first)
{
    struct change_list *all = &planning->changes;
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++) {
        if (goes_first(planning, &all->list[i])) {
            if (take_change(all, i, first) < 0)
                return error_nomem(planning->error);
            continue;
        }
        struct change change = all->list[i];
        all->list[i] = (struct change){ 0 };
        all->list[kept++] = change;
    }
    all->count = kept;
    return 0;
}

/* All that differs, in one operation of this kind; none where nothing does. */
static int add_rest(struct planning *planning, enum operation_kind kind, bool moves, struct plan *plan)
{
    bool needed = planning->changes.count > 0 || moves;

    if (!needed || !mapping_can(planning->mapping, kind))
        return 0;
    return add_step(planning, (struct step){ kind, &planning->changes, NULL, moves }, plan);
}

static int add_update(struct planning *planning, struct plan *plan)
{
    return add_rest(planning, planning->renamed ? OPERATION_RENAME : OPERATION_UPDATE, planning->renamed, plan);
}

/* What follows a leaver's first step. Where it cannot be planned (a value of a request is absent), that is told after the first. */
static int add_after_disable(struct planning *planning, struct plan *plan)
{
    size_t before = plan->operation_count;
    int code = add_update(planning, plan);

    if (code != ERROR_INVALID)
        return code;
    while (plan->operation_count > before)
        operation_clear(&plan->operations[--plan->operation_count]);
    plan->unmet = str_dup(planning->error->text);
    *planning->error = (struct error){ 0 };
    return plan->unmet != NULL ? 0 : error_nomem(planning->error);
}

/* Out first and alone: whatever else is refused, the lock has been written. Without a lock to write, the move is what disables. */
static int disable_first(struct planning *planning, struct change_list *first, struct plan *plan)
{
    bool moves = first->count == 0 && planning->renamed;
    const struct step step = { OPERATION_DISABLE, first, &planning->changes, moves };

    if (!mapping_can(planning->mapping, OPERATION_DISABLE))
        return 0;
    if (planning->mapping->by_call && first->count == 0)
        return tell_still_enabled(planning);
    int code = add_step(planning, step, plan);
    if (code < 0 || (moves && planning->changes.count == 0))
        return code;
    return add_after_disable(planning, plan);
}

static int plan_disable(struct planning *planning, struct plan *plan)
{
    struct change_list first = { 0 };

    if (has_own_request(planning, OPERATION_DISABLE)) {
        int code = add_step(planning, (struct step){ OPERATION_DISABLE, NULL, NULL, planning->renamed }, plan);
        return code < 0 || planning->mapping->keeps_disabled ? code : add_after_disable(planning, plan);
    }
    int code = split_changes(planning, &first);
    if (code == 0)
        code = disable_first(planning, &first, plan);
    change_list_clear(&first);
    return code;
}

static bool takes_marks_back(const struct planning *planning)
{
    for (size_t i = 0; i < planning->changes.count; i++) {
        const struct attribute *attribute = mapping_attribute(planning->mapping, planning->changes.list[i].name);
        if (attribute != NULL && attribute->disable != NULL)
            return true;
    }
    return false;
}

/* By a request of its own, which comes first, or by the update that takes back what `disable` wrote. */
static int plan_enable(struct planning *planning, struct plan *plan)
{
    if (has_own_request(planning, OPERATION_ENABLE)) {
        int code = add_step(planning, (struct step){ OPERATION_ENABLE, NULL, NULL, planning->renamed }, plan);
        return code < 0 ? code : add_update(planning, plan);
    }
    if (!planning->mapping->by_call)
        return add_step(planning, (struct step){ OPERATION_ENABLE, &planning->changes, NULL, planning->renamed }, plan);
    if (takes_marks_back(planning) && mapping_can(planning->mapping, OPERATION_ENABLE))
        return add_rest(planning, OPERATION_ENABLE, planning->renamed, plan);
    int code = tell_still_disabled(planning, plan);
    return code < 0 ? code : add_update(planning, plan);
}

int plan_changes(struct planning *planning, struct plan *plan)
{
    if (!is_toggled(planning))
        return add_update(planning, plan);
    return planning->disabled ? plan_disable(planning, plan) : plan_enable(planning, plan);
}
