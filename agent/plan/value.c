/* What stands on the right of an attribute: rendering. */
#include "base/str.h"
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
