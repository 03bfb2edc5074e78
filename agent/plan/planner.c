/* Facts + mapping + the account as read → operations. Rules: plan.h. */
#include "base/str.h"
#include "plan/decide.h"
#include "plan/dn.h"
#include "plan/planning.h"
#include "plan/sessions.h"

static void planning_clear(struct planning *planning)
{
    wanted_clear(planning->mapping, &planning->wanted);
    json_decref(planning->members);
    json_decref(planning->rdn);
    json_decref(planning->old_rdn);
    json_decref(planning->current);
    change_list_clear(&planning->changes);
}

static const char *subject(const struct planning *planning)
{
    const struct identity *identity = planning->input->identity;

    return identity->login.value != NULL ? identity->login.value : identity->name.value != NULL ? identity->name.value
                                                                                                : identity->id;
}

static int absent(const struct planning *planning, const struct value *value, const char *name)
{
    const char *text = value != NULL && value->kind == VALUE_TEMPLATE ? template_text(value->template) : "…";
    bool unread = planning->input->identity->profile == NULL && (value_uses(value) & NAME_BIT(NAME_PROFILE)) != 0;

    return error_set(planning->error, ERROR_INVALID, "%s:%d: %s is absent: \"%s\" has no value for %s%s", planning->mapping->path,
                     value != NULL ? value->line : 0, name, text, subject(planning),
                     unread ? " (no profile was read; profiles need API access, see okta in provost.conf)" : "");
}

static bool is_lenient(const struct planning *planning)
{
    return planning->disabled && planning->input->account != NULL;
}

static int check_required(const struct planning *planning, size_t i)
{
    const struct attribute *attribute = &planning->mapping->attributes[i];
    bool exists = planning->input->account != NULL;

    if (!attribute->required || planning->wanted.values[i] != NULL || planning->wanted.overlaid[i] || is_lenient(planning) ||
        (exists && (planning->wanted.unknown[i] || attribute->policy != POLICY_FORCE)))
        return 0;
    return absent(planning, attribute->account, attribute->name);
}

/* ---- where it shall stand ---- */

static bool same_locator(const struct mapping *mapping, const char *a, const char *b)
{
    return mapping->directory ? dn_same(a, b) : strcmp(a, b) == 0;
}

/* With policy once an account is moved by `disable` alone, and back. */
static const char *choose_locator(const struct planning *planning, const char *disabled_locator)
{
    const struct account *account = planning->input->account;
    const char *current = account != NULL ? account->locator : NULL;
    const char *wanted = planning->wanted.locator;

    if (planning->disabled && planning->wanted.disabled_locator != NULL)
        return planning->wanted.disabled_locator;
    if (current != NULL && planning->disabled && planning->mapping->keeps_disabled)
        return current;
    if (current == NULL)
        return wanted;
    if (planning->mapping->locator_once) {
        bool moved = disabled_locator != NULL && same_locator(planning->mapping, disabled_locator, current);
        return moved && wanted != NULL ? wanted : current;
    }
    return wanted != NULL ? wanted : current;
}

/* Where `disable` would have put it, seen from an enabled one. */
static int disabled_locator(const struct planning *planning, char **ret_locator)
{
    struct wanted other = { 0 };

    if (planning->disabled || planning->mapping->disable_locator == NULL)
        return 0;
    int code = wanted_render(planning->mapping, planning->input->identity, planning->since, true, true, &other, planning->error);
    if (code < 0)
        return code;
    *ret_locator = take_pointer(other.disabled_locator);
    wanted_clear(planning->mapping, &other);
    return 0;
}

static int place(struct planning *planning)
{
    const struct mapping *mapping = planning->mapping;
    const struct account *account = planning->input->account;
    cleanup_free char *former = NULL;
    bool assigned = mapping->ops != NULL && mapping->ops->assigns_locator;
    bool needed = mapping->locator_name != NULL && !assigned && !is_lenient(planning) && !(account != NULL && mapping->locator_once);

    if (needed && planning->wanted.locator == NULL)
        return absent(planning, mapping->locator, mapping->locator_name);
    int code = disabled_locator(planning, &former);
    if (code < 0)
        return code;
    planning->locator = choose_locator(planning, former);
    planning->renamed = account != NULL && account->locator != NULL && planning->locator != NULL &&
                        !same_locator(mapping, account->locator, planning->locator);
    if (planning->renamed && planning->disabled)
        planning->toggles = mapping_disables_by_move(mapping) && planning->wanted.disabled_locator != NULL;
    else if (planning->renamed)
        planning->toggles = !mapping->has_lock && former != NULL && same_locator(mapping, account->locator, former);
    if (!mapping->directory || planning->locator == NULL)
        return 0;
    const char *stays = account != NULL && !planning->renamed && account->locator != NULL ? account->locator : planning->locator;
    code = dn_first_rdn(stays, &planning->rdn);
    if (code == ERROR_NOMEM)
        return error_nomem(planning->error);
    if (code < 0)
        return error_set(planning->error, ERROR_INVALID, "%s:%d: \"%s\" is no distinguished name", mapping->path,
                         mapping->locator != NULL ? mapping->locator->line : 0, stays);
    bool nomem = planning->renamed && dn_first_rdn(account->locator, &planning->old_rdn) == ERROR_NOMEM;
    return nomem ? error_nomem(planning->error) : 0;
}

/* One attribute without what of it named the entry, and with what will. */
static int rename_value(json_t *gone, json_t *come, const json_t *value, json_t **ret_value)
{
    json_t *less = gone != NULL ? json_pack("[O]", gone) : NULL;
    json_t *more = come != NULL ? json_pack("[O]", come) : NULL;
    json_t *left = NULL, *both = NULL;
    int code = (gone != NULL && less == NULL) || (come != NULL && more == NULL) ? ERROR_NOMEM : 0;

    if (code == 0)
        code = set_minus(COMPARE_FOLDED, value, less, &left);
    if (code == 0)
        code = set_union(COMPARE_FOLDED, left, more, &both);
    if (code == 0)
        *ret_value = both != NULL ? both : json_array();
    json_decref(less);
    json_decref(more);
    json_decref(left);
    return code;
}

/* A modrdn takes the old naming value out and puts the new one in. */
static int rename_values(const struct planning *planning, json_t *values)
{
    const char *name;
    json_t *value;
    void *next;
    int code = 0;

    if (planning->old_rdn == NULL)
        return 0;
    json_object_foreach_safe(values, next, name, value)
    {
        json_t *gone = value_of(planning->mapping, planning->old_rdn, name), *come = own_rdn_value(planning, name), *renamed = NULL;
        if (gone == NULL && come == NULL)
            continue;
        code = rename_value(gone, come, value, &renamed);
        if (code == 0 && json_object_set_new(values, name, renamed) < 0)
            code = ERROR_NOMEM;
        if (code < 0)
            break;
    }
    return code;
}

static int read_current(struct planning *planning)
{
    const struct account *account = planning->input->account;

    planning->current = account != NULL && account->values != NULL ? value_copy(account->values) : json_object();
    if (planning->current == NULL)
        return error_nomem(planning->error);
    if (planning->renamed && planning->mapping->directory && rename_values(planning, planning->current) < 0)
        return error_nomem(planning->error);
    return 0;
}

/* ---- attributes ---- */

/* Does a change of this attribute disable or enable the account? */
static bool attribute_toggles(const struct planning *planning, const struct attribute *attribute, const json_t *current,
                              bool changes)
{
    const struct mapping *mapping = planning->mapping;

    if (!decides(mapping, attribute))
        return false;
    if (planning->disabled)
        return changes;
    bool undone_elsewhere = mapping_call(mapping, "enable") != NULL;
    return (changes || undone_elsewhere) && (is_marked(mapping, attribute, current) || (changes && !has_marks(mapping)));
}

/* Was just this sent already, and the target keeps it in another case? To send it at each event would change nothing. */
static bool is_kept_in_its_case(const struct planning *planning, const char *name, const json_t *current, const json_t *target)
{
    const struct link_view *link = planning->input->link;

    if (current == NULL || target == NULL || link == NULL || link->account == NULL || value_fits(target, current) ||
        !value_fits_folded(target, current))
        return false;
    json_t *written = json_loads(link->account, 0, NULL);
    bool same = json_equal(json_object_get(written, name), target);
    json_decref(written);
    return same;
}

/* A target that is no directory gets the value as it shall be, and is told which members of a group go. */
static int diff_whole(struct planning *planning, size_t i, const json_t *current, json_t *target)
{
    const struct attribute *attribute = &planning->mapping->attributes[i];
    bool rendered = attribute->account != NULL && !planning->wanted.overlaid[i] && target == planning->wanted.values[i];
    bool profile_read = planning->input->identity->profile != NULL;
    json_t *marked = NULL;

    if (is_kept_in_its_case(planning, attribute->name, current, target))
        return 0;
    if (!rendered)
        return diff_value(attribute->name, current, target, &planning->changes);
    int code = value_mark_gone(attribute->account, profile_read, current, target, &marked);
    if (code == 0)
        code = diff_value(attribute->name, current, marked, &planning->changes);
    json_decref(marked);
    return code;
}

static int diff_attribute(struct planning *planning, size_t i, const json_t *current, json_t *target)
{
    const struct attribute *attribute = &planning->mapping->attributes[i];

    if (planning->input->account == NULL) /* all of it is written */
        return 0;
    if (!planning->mapping->directory)
        return diff_whole(planning, i, current, target);
    return diff_list(compare_of(planning, attribute), attribute->name, current, target, &planning->changes);
}

static int plan_attribute(struct planning *planning, size_t i, json_t *wanted_values)
{
    const struct attribute *attribute = &planning->mapping->attributes[i];
    json_t *current = value_of(planning->mapping, planning->current, attribute->name), *target = NULL;
    size_t before = planning->changes.count;
    int code = check_required(planning, i);

    if (code < 0)
        return code;
    code = target_of(planning, i, current, &target);
    if (code == 0)
        code = diff_attribute(planning, i, current, target);
    if (attribute_toggles(planning, attribute, current, planning->changes.count > before))
        planning->toggles = true;
    bool empty = target == NULL || (json_is_array(target) && json_array_size(target) == 0);
    if (code == 0 && !empty && json_object_set(wanted_values, attribute->name, target) < 0)
        code = ERROR_NOMEM;
    json_decref(target);
    return code < 0 ? error_nomem(planning->error) : 0;
}

static int plan_attributes(struct planning *planning, json_t *wanted_values)
{
    const char *name;
    json_t *value;
    int code = 0;

    for (size_t i = 0; code == 0 && i < planning->mapping->attribute_count; i++)
        code = plan_attribute(planning, i, wanted_values);
    if (code < 0 || planning->input->account != NULL || planning->rdn == NULL)
        return code;
    /* a new entry must have the values that name it */
    json_object_foreach(planning->rdn, name, value)
        if (value_of(planning->mapping, wanted_values, name) == NULL &&
            json_object_set_new(wanted_values, name, json_pack("[O]", value)) < 0)
            return error_nomem(planning->error);
    return 0;
}

/* ---- a group's members ---- */

/* Two members may have one value for a moment, when a name is handed on. */
static int read_members(struct planning *planning)
{
    const struct plan_input *input = planning->input;

    if (planning->mapping->members.attribute == NULL || plan_adds_members(planning->mapping))
        return 0;
    json_t *seen = json_object();
    int code = seen != NULL && (planning->members = json_array()) != NULL ? 0 : error_nomem(planning->error);
    for (size_t i = 0; code == 0 && i < input->member_count; i++) {
        const char *value = input->members[i];
        if (json_object_get(seen, value) != NULL)
            continue;
        if (json_object_set_new_nocheck(seen, value, json_true()) < 0 || json_array_append_new(planning->members, json_string(value)) < 0)
            code = error_nomem(planning->error);
    }
    json_decref(seen);
    return code;
}

/* Once the entry is there each value comes and goes by its member's own lane, so that there is one writer for each. */
static int plan_members(struct planning *planning)
{
    const struct mapping *mapping = planning->mapping;
    const char *placeholder = mapping->members.placeholder;
    json_t *current = mapping->members.attribute != NULL ? value_of(mapping, planning->current, mapping->members.attribute) : NULL;

    if (placeholder == NULL || json_array_size(current) > 0)
        return 0;
    if (planning->input->account == NULL)
        return json_array_append_new(planning->members, json_string(placeholder)) < 0 ? error_nomem(planning->error) : 0;
    json_t *target = json_pack("[s]", placeholder);
    int code = target != NULL ? diff_list(COMPARE_EXACT, mapping->members.attribute, current, target, &planning->changes) : ERROR_NOMEM;
    json_decref(target);
    return code < 0 ? error_nomem(planning->error) : 0;
}

/* A group that lives by its members, and has none: wait, or go. */
static bool lacks_members(const struct planning *planning)
{
    return planning->mapping->members.attribute != NULL && planning->mapping->members.with_first_member &&
           json_array_size(planning->members) == 0;
}

/* One value may be left: the member who could not be taken out as the last. */
static bool is_deserted(const struct planning *planning)
{
    const struct plan_input *input = planning->input;

    if (!lacks_members(planning) || input->account == NULL || input->link == NULL || input->link->gone || input->link->adopted)
        return false;
    return json_array_size(value_of(planning->mapping, input->account->values, planning->mapping->members.attribute)) <= 1;
}

/* ---- the plan ---- */

static int name_wanted(const struct planning *planning, const char *key, const char *locator, struct plan *plan)
{
    plan->present = true;
    plan->wanted.key = str_dup(key);
    plan->wanted.locator = str_dup(locator);
    bool whole = (plan->wanted.key != NULL || key == NULL) && (plan->wanted.locator != NULL || locator == NULL);
    return whole ? 0 : error_nomem(planning->error);
}

static int plan_present(struct planning *planning, struct plan *plan)
{
    const struct account *account = planning->input->account;
    int code = wanted_render(planning->mapping, planning->input->identity, planning->since, planning->disabled, is_lenient(planning),
                             &planning->wanted, planning->error);

    if (code == 0)
        code = place(planning);
    if (code == 0)
        code = read_current(planning);
    if (code == 0)
        code = plan_attributes(planning, plan->wanted.values);
    if (code == 0)
        code = plan_members(planning);
    if (code < 0)
        return code;
    bool moves = account == NULL || account->locator == NULL || planning->renamed;
    plan->wanted.disabled = planning->disabled;
    code = name_wanted(planning, account != NULL ? account->key : NULL, moves ? planning->locator : account->locator, plan);
    if (code < 0)
        return code;
    return account == NULL ? plan_create(planning, plan) : plan_changes(planning, plan);
}

static int plan_as_is(const struct planning *planning, struct plan *plan)
{
    const struct account *account = planning->input->account;

    plan->wanted.disabled = account->disabled;
    if (name_wanted(planning, account->key, account->locator, plan) < 0)
        return ERROR_NOMEM;
    for (size_t i = 0; i < planning->mapping->attribute_count; i++) {
        const char *name = planning->mapping->attributes[i].name;
        json_t *value = value_of(planning->mapping, account->values, name);
        if (value != NULL && json_object_set(plan->wanted.values, name, value) < 0)
            return error_nomem(planning->error);
    }
    return 0;
}

/* Nobody is made only to be disabled by a request of its own: an employee is not hired to be dismissed. */
static bool can_be_made(const struct mapping *mapping, enum want want)
{
    return mapping_can(mapping, OPERATION_CREATE) && !(want == WANT_DISABLED && mapping_call(mapping, "disable") != NULL);
}

static int plan_wanted(struct planning *planning, enum want want, struct plan *plan)
{
    plan->wanted.values = json_object();
    if (plan->wanted.values == NULL)
        return error_nomem(planning->error);
    if (want == WANT_NOTHING || (planning->input->account == NULL && !can_be_made(planning->mapping, want))) {
        plan->verdict = PLAN_OUT_OF_SCOPE;
        return 0;
    }
    if (want == WANT_AS_IS)
        return plan_as_is(planning, plan);
    if (want == WANT_REMOVED)
        return plan_remove(planning, plan);
    int code = read_members(planning);
    if (code < 0)
        return code;
    if (lacks_members(planning) && planning->input->account == NULL) {
        plan->verdict = PLAN_WAIT_MEMBER;
        return 0;
    }
    if (is_deserted(planning)) {
        plan->verdict = PLAN_WAIT_MEMBER;
        return plan_remove(planning, plan);
    }
    return plan_present(planning, plan);
}

int plan_make(const struct mapping *mapping, const struct plan_input *input, struct plan *ret_plan, struct error *error)
{
    if (mapping->sessions != NULL)
        return sessions_plan(mapping, input, ret_plan, error);
    struct error unseen = { 0 };
    struct planning planning = { .mapping = mapping, .input = input, .error = error != NULL ? error : &unseen };
    struct plan plan = { .verdict = PLAN_CONVERGE, .wanted = { .disabled = -1 } };
    struct decision decision;

    int code = decide(mapping, input, &decision, planning.error);
    if (code < 0)
        return code;
    planning.disabled = decision.want == WANT_DISABLED;
    planning.since = decision.since;
    plan.released = decision.released;
    code = plan_wanted(&planning, decision.want, &plan);
    planning_clear(&planning);
    if (code < 0) {
        plan_clear(&plan);
        return code;
    }
    plan.due = plan.present ? decision.due : (struct wall){ 0 };
    *ret_plan = plan;
    return 0;
}

char *plan_place_key(const struct mapping *mapping, const char *locator)
{
    char *key = NULL;

    if (!mapping->directory || dn_normalize(locator, &key) == ERROR_SYNTAX)
        return strdup(locator);
    return key;
}

int plan_creation(const struct mapping *mapping, const struct identity *identity, const struct link_view *link, struct wall now,
                  char **ret_place, struct error *error)
{
    const struct plan_input input = { .identity = identity, .link = link, .now = now };
    cleanup_free char *locator = NULL;
    struct decision decision;
    int code = decide(mapping, &input, &decision, error);

    *ret_place = NULL;
    if (code < 0 || (decision.want != WANT_ENABLED && decision.want != WANT_DISABLED) || !can_be_made(mapping, decision.want))
        return code;
    code = wanted_locator(mapping, identity, &locator, error);
    if (code == 0 && (*ret_place = plan_place_key(mapping, locator != NULL ? locator : "")) == NULL)
        code = error_nomem(error);
    return code;
}

int plan_place(const struct mapping *mapping, const struct plan_input *input, char **ret_locator, struct error *error)
{
    struct error unseen = { 0 };
    struct planning planning = { .mapping = mapping, .input = input, .error = error != NULL ? error : &unseen };
    struct decision decision;
    char *locator = NULL;

    int code = decide(mapping, input, &decision, planning.error);
    planning.disabled = code == 0 && decision.want == WANT_DISABLED;
    if (code == 0 && (decision.want == WANT_ENABLED || decision.want == WANT_DISABLED)) {
        planning.since = decision.since;
        code = wanted_render(mapping, input->identity, planning.since, planning.disabled, is_lenient(&planning), &planning.wanted,
                             planning.error);
        if (code == 0)
            code = place(&planning);
        if (code == 0 && planning.locator != NULL && (locator = strdup(planning.locator)) == NULL)
            code = error_nomem(planning.error);
    }
    planning_clear(&planning);
    if (code == 0)
        *ret_locator = locator;
    return code;
}

/* An id of the source may hold anything. */
int plan_aside(const struct mapping *mapping, const char *locator, const char *id, char **ret_locator, struct error *error)
{
    cleanup_free char *mark = strdup(id);

    if (mark == NULL)
        return error_nomem(error);
    for (char *c = mark; *c != '\0'; c++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", *c) == NULL)
            *c = '-';
    *ret_locator = NULL;
    if (!mapping->directory)
        return 0;
    int code = dn_aside(locator, mark, ret_locator);
    return code == 0 ? 0 : error_set(error, code, "\"%s\" is no distinguished name", locator);
}

void plan_clear(struct plan *plan)
{
    operations_free(plan->operations, plan->operation_count);
    account_clear(&plan->wanted);
    free(plan->unmet);
    json_decref(plan->progress);
    *plan = (struct plan){ 0 };
}
