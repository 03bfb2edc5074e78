/* The state that each attribute shall be in, by its policy. */
#include <strings.h>

#include "base/str.h"
#include "plan/planning.h"

/* ---- reading values ---- */

json_t *value_of(const struct mapping *mapping, const json_t *values, const char *name)
{
    json_t *value = json_object_get(values, name);
    const char *other;

    if (value != NULL || !mapping->directory)
        return value;
    json_object_foreach((json_t *)values, other, value)
        if (strcasecmp(other, name) == 0)
            return value;
    return NULL;
}

json_t *own_rdn_value(const struct planning *planning, const char *name)
{
    return planning->rdn != NULL ? value_of(planning->mapping, planning->rdn, name) : NULL;
}

enum compare compare_of(const struct planning *planning, const struct attribute *attribute)
{
    if (!planning->mapping->directory)
        return COMPARE_EXACT;
    if (attribute->escape == ESCAPE_DN)
        return COMPARE_DN;
    bool folded = strcasecmp(attribute->name, "objectClass") == 0 || own_rdn_value(planning, attribute->name) != NULL;
    return folded ? COMPARE_FOLDED : COMPARE_EXACT;
}

/* ---- the state that an attribute shall be in ---- */

static bool value_matches(const struct value *value, const json_t *current);

/* A constant of any type in the mapping file is text in a directory, which may spell TRUE in its own case. */
static bool constant_matches(const json_t *constant, const json_t *current)
{
    const char *there = json_string_value(current), *own = json_string_value(constant);
    char number[32];

    if (there == NULL || json_equal(constant, current))
        return json_equal(constant, current);
    if (json_is_boolean(constant))
        own = json_is_true(constant) ? "TRUE" : "FALSE";
    if (json_is_integer(constant)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(constant));
        own = number;
    }
    return own != NULL && strcasecmp(own, there) == 0;
}

static bool object_matches(const struct value *value, const json_t *current)
{
    bool all = json_is_object(current) && value->count > 0;

    for (size_t i = 0; i < value->count && all; i++)
        all = value_matches(value->items[i], json_object_get(current, value->names[i]));
    return all;
}

/* Could this value have come from `disable`, at whatever time? */
static bool value_matches(const struct value *value, const json_t *current)
{
    const char *text = json_string_value(current);

    if (value->kind == VALUE_CONSTANT)
        return constant_matches(value->constant, current);
    if (value->kind == VALUE_OBJECT)
        return object_matches(value, current);
    if (value->kind == VALUE_TEMPLATE && text != NULL)
        return template_is_constant(value->template) ? strcasecmp(template_text(value->template), text) == 0
                                                     : template_matches(value->template, text);
    for (size_t i = 0; i < value->count; i++)
        if (value_matches(value->items[i], current))
            return true;
    return false;
}

/* Numbers of which one bit says "disabled" and the others something else (Active Directory). */
static const struct {
    const char *name;
    long long bit;
} flags[] = { { "userAccountControl", 2 } };

/* The number that `disable` writes, where it is a fixed one. */
static bool fixed_number(const struct value *value, long long *ret_number)
{
    if (value->kind == VALUE_TEMPLATE)
        return template_is_constant(value->template) && str_to_number(template_text(value->template), ret_number);
    *ret_number = json_integer_value(value->constant);
    return value->kind == VALUE_CONSTANT && json_is_integer(value->constant);
}

/* Is the bit set that `disable` sets? */
static bool has_flag(const struct mapping *mapping, const struct attribute *attribute, const json_t *value)
{
    long long written = 0, there = 0;

    for (size_t i = 0; mapping->directory && i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcasecmp(flags[i].name, attribute->name) == 0)
            return fixed_number(attribute->disable, &written) && (written & flags[i].bit) != 0 &&
                   json_is_string(value) && str_to_number(json_string_value(value), &there) && (there & flags[i].bit) != 0;
    return false;
}

/* One value of it: could `disable` have put it there? */
static bool is_mark(const struct mapping *mapping, const struct attribute *attribute, const json_t *value)
{
    return attribute->disable != NULL && (value_matches(attribute->disable, value) || has_flag(mapping, attribute, value));
}

bool is_marked(const struct mapping *mapping, const struct attribute *attribute, const json_t *current)
{
    if (current == NULL || json_is_null(current) || !mapping->directory || !json_is_array(current))
        return current != NULL && !json_is_null(current) && is_mark(mapping, attribute, current);
    for (size_t i = 0; i < json_array_size(current); i++)
        if (is_mark(mapping, attribute, json_array_get(current, i)))
            return true;
    return false;
}

bool decides(const struct mapping *mapping, const struct attribute *attribute)
{
    return attribute->disable != NULL && (attribute->lock || !mapping->has_lock);
}

bool has_marks(const struct mapping *mapping)
{
    bool marks = mapping->disable_locator != NULL;

    for (size_t i = 0; i < mapping->attribute_count; i++) {
        const struct value *value = mapping->attributes[i].disable;
        bool removes = value != NULL && value->kind == VALUE_TEMPLATE && template_text(value->template)[0] == '\0';
        marks = marks || (value != NULL && !removes);
    }
    return marks;
}

/* `current` without what `disable` has put there. */
static int without_marks(const struct mapping *mapping, const struct attribute *attribute, const json_t *current,
                         json_t **ret_list)
{
    json_t *list = json_array();
    int code = list != NULL ? 0 : ERROR_NOMEM;

    for (size_t i = 0; code == 0 && i < json_array_size(current); i++) {
        json_t *value = json_array_get(current, i);
        if (is_mark(mapping, attribute, value))
            continue;
        code = json_array_append(list, value) < 0 ? ERROR_NOMEM : 0;
    }
    if (code < 0)
        json_decref(list);
    else
        *ret_list = list;
    return code;
}

/* merge: what others put there stays; but "" in `disable` means none at all. */
static int merged(const struct planning *planning, const struct attribute *attribute, bool overlaid, const json_t *current,
                  json_t *value, json_t **ret_target)
{
    json_t *kept = NULL;
    bool one = !planning->mapping->directory && !json_is_array(value);

    if (!json_is_array(current) || (overlaid && value == NULL) || (one && value != NULL)) {
        *ret_target = json_incref(value);
        return 0;
    }
    int code = without_marks(planning->mapping, attribute, current, &kept);
    if (code == 0 && planning->mapping->directory)
        code = set_union(compare_of(planning, attribute), kept, value, ret_target);
    else if (code == 0)
        code = list_with(kept, value, ret_target);
    json_decref(kept);
    return code;
}

/* once: only `disable` may touch it later, and only that is taken back. */
static int kept_once(const struct mapping *mapping, const struct attribute *attribute, bool overlaid, const json_t *current,
                     json_t *value, json_t **ret_target)
{
    json_t *kept = NULL;

    if (!mapping->directory) {
        bool none = current == NULL || json_is_null(current);
        bool ours = attribute->disable != NULL && (none || is_marked(mapping, attribute, current));
        *ret_target = json_incref(overlaid || ours ? value : (json_t *)current);
        return 0;
    }
    int code = attribute->disable != NULL ? without_marks(mapping, attribute, current, &kept) : 0;
    bool marked = attribute->disable != NULL && json_array_size(kept) < json_array_size(current);

    json_decref(kept);
    if (code < 0)
        return code;
    bool none = current == NULL || (json_is_array(current) && json_array_size(current) == 0);
    bool take_back = attribute->disable != NULL && (none || marked);
    *ret_target = json_incref(overlaid || take_back ? value : (json_t *)current);
    return 0;
}

/* A naming attribute keeps the value that names the entry. */
static int with_rdn_value(const struct planning *planning, const char *name, json_t **target)
{
    json_t *naming = own_rdn_value(planning, name);
    json_t *both = NULL;

    if (naming == NULL)
        return 0;
    json_t *one = json_pack("[O]", naming);
    int code = one != NULL ? set_union(COMPARE_FOLDED, *target, one, &both) : ERROR_NOMEM;
    json_decref(one);
    if (code < 0)
        return code;
    json_decref(*target);
    *target = both;
    return 0;
}

/* Nothing says what it shall be while the account is enabled. */
static bool in_disable_alone(const struct attribute *attribute, bool overlaid)
{
    return attribute->account == NULL && !overlaid;
}

/* Not to be written, whatever its policy says. */
static bool is_left_alone(const struct planning *planning, const struct attribute *attribute, bool overlaid, const json_t *current)
{
    const struct mapping *mapping = planning->mapping;

    if (planning->disabled && mapping->keeps_disabled && (!overlaid || planning->input->account->disabled == 1))
        return true;
    if (overlaid && has_flag(mapping, attribute, json_array_get(current, 0)))
        return true; /* the other bits are not ours */
    /* a mark that the target itself may set and take back: no other value of it is ours */
    return in_disable_alone(attribute, overlaid) &&
           (mapping_call(mapping, "enable") != NULL || !is_marked(mapping, attribute, current));
}

/* NULL in *ret_target: it shall be absent. */
int target_of(const struct planning *planning, size_t i, json_t *current, json_t **ret_target)
{
    const struct attribute *attribute = &planning->mapping->attributes[i];
    json_t *value = planning->wanted.values[i], *target = NULL;
    bool exists = planning->input->account != NULL, overlaid = planning->wanted.overlaid[i];
    int code = 0;

    if (exists && (planning->wanted.unknown[i] || is_left_alone(planning, attribute, overlaid, current)))
        target = json_incref(current);
    else if (exists && planning->mapping->directory && in_disable_alone(attribute, overlaid))
        code = without_marks(planning->mapping, attribute, current, &target);
    else if (exists && attribute->policy == POLICY_ONCE)
        code = kept_once(planning->mapping, attribute, overlaid, current, value, &target);
    else if (exists && attribute->policy == POLICY_MERGE)
        code = merged(planning, attribute, overlaid, current, value, &target);
    else
        target = json_incref(value);
    if (code == 0)
        code = with_rdn_value(planning, attribute->name, &target);
    if (code < 0) {
        json_decref(target);
        return code;
    }
    *ret_target = target;
    return 0;
}
