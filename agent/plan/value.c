/* What stands on the right of an attribute: rendering. */
#include "base/str.h"
#include "plan/diff.h"
#include "plan/functions.h"
#include "plan/mapping.h"

void value_free(struct value *value)
{
    if (value == NULL)
        return;
    template_free(value->template);
    json_decref(value->constant);
    for (size_t i = 0; i < value->count; i++) {
        value_free(value->items[i]);
        if (value->names != NULL)
            free(value->names[i]);
    }
    free(value->items);
    free(value->names);
    free(value);
}

const struct value *value_member(const struct value *object, const char *name)
{
    for (size_t i = 0; object != NULL && object->kind == VALUE_OBJECT && i < object->count; i++)
        if (strcmp(object->names[i], name) == 0)
            return object->items[i];
    return NULL;
}

unsigned value_uses(const struct value *value)
{
    unsigned uses = value != NULL && value->template != NULL ? template_uses(value->template) : 0;

    for (size_t i = 0; value != NULL && i < value->count; i++)
        uses |= value_uses(value->items[i]);
    return uses;
}

/* Takes `item`; a list that one interpolation gave is spread out. */
static int append(json_t *list, enum value_kind kind, json_t *item, struct error *error)
{
    int failed = 0;

    if (json_is_array(item) && kind == VALUE_TEMPLATE) {
        failed = json_array_extend(list, item) < 0;
        json_decref(item);
    } else if (item != NULL)
        failed = json_array_append_new(list, item) < 0;
    return failed ? error_nomem(error) : 0;
}

static int render_items(const struct value *value, const struct expr_input *input, json_t *whole, struct error *error)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < value->count; i++) {
        json_t *item = NULL;
        code = value_render(value->items[i], input, &item, error);
        if (code < 0 || item == NULL)
            continue;
        if (value->kind == VALUE_LIST)
            code = append(whole, value->items[i]->kind, item, error);
        else if (json_object_set_new(whole, value->names[i], item) < 0)
            code = error_nomem(error);
    }
    return code;
}

int value_render(const struct value *value, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    if (value->kind == VALUE_TEMPLATE)
        return template_render(value->template, input, ret_value, error);
    if (value->kind == VALUE_CONSTANT) {
        *ret_value = json_incref(value->constant);
        return 0;
    }
    json_t *whole = value->kind == VALUE_LIST ? json_array() : json_object();
    int code = whole != NULL ? render_items(value, input, whole, error) : error_nomem(error);
    bool empty = json_array_size(whole) + json_object_size(whole) == 0;
    if (code < 0 || empty) {
        json_decref(whole);
        whole = NULL;
    }
    if (code == 0)
        *ret_value = whole;
    return code;
}

static bool is_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value);
}

/* Takes `member`. */
static int put_member(json_t *object, const char *name, json_t *member)
{
    return json_object_set_new(object, name, member) < 0 ? ERROR_NOMEM : 0;
}

static int mark_members_gone(const struct value *value, bool profile_read, const json_t *current, json_t *marked)
{
    int code = 0;

    for (size_t i = 0; code == 0 && value->kind == VALUE_OBJECT && i < value->count; i++) {
        const struct value *item = value->items[i];
        const json_t *there = json_object_get(current, value->names[i]);
        json_t *mine = json_object_get(marked, value->names[i]), *inner = NULL;
        bool known = profile_read || (value_uses(item) & NAME_BIT(NAME_PROFILE)) == 0;
        if (is_nothing(there) || (mine == NULL && !known))
            continue;
        if (mine == NULL)
            code = put_member(marked, value->names[i], json_null());
        else if ((code = value_mark_gone(item, profile_read, there, mine, &inner)) == 0)
            code = put_member(marked, value->names[i], inner);
    }
    return code;
}

int value_mark_gone(const struct value *value, bool profile_read, const json_t *current, json_t *rendered, json_t **ret_marked)
{
    if (!json_is_object(rendered)) {
        *ret_marked = json_incref(rendered);
        return 0;
    }
    json_t *marked = value_copy(rendered);
    int code = marked != NULL ? mark_members_gone(value, profile_read, current, marked) : ERROR_NOMEM;

    if (code < 0)
        json_decref(marked);
    else
        *ret_marked = marked;
    return code;
}

static bool list_has(const json_t *list, const json_t *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), text))
            return true;
    return false;
}

/* LDAP's booleans are TRUE and FALSE (RFC 4517). */
static int append_text(json_t *list, const json_t *value, struct error *error)
{
    json_t *text;

    if (json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
        return 0;
    if (json_is_boolean(value))
        text = json_string(json_is_true(value) ? "TRUE" : "FALSE");
    else {
        int code = value_to_text(value, &text, error);
        if (code < 0)
            return code;
    }
    if (text == NULL || (!list_has(list, text) && json_array_append(list, text) < 0)) {
        json_decref(text);
        return error_nomem(error);
    }
    json_decref(text);
    return 0;
}

/* A list inside a list stands for its entries. */
static int append_texts(json_t *list, const json_t *value, struct error *error)
{
    int code = json_is_array(value) ? 0 : append_text(list, value, error);

    for (size_t i = 0; code == 0 && i < json_array_size(value); i++)
        code = append_texts(list, json_array_get(value, i), error);
    return code;
}

int value_to_texts(const json_t *value, json_t **ret_list, struct error *error)
{
    json_t *list = json_array();
    int code = list != NULL ? 0 : error_nomem(error);

    if (json_is_array(value))
        for (size_t i = 0; code == 0 && i < json_array_size(value); i++)
            code = append_texts(list, json_array_get(value, i), error);
    else if (code == 0 && value != NULL)
        code = append_text(list, value, error);
    if (code < 0 || json_array_size(list) == 0) {
        json_decref(list);
        list = NULL;
    }
    if (code == 0)
        *ret_list = list;
    return code;
}
