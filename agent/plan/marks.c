/* Whose account is it? An attribute that is made of {id} and nothing else marks it: what stands there is the id of its owner. */
#include "plan/mapping.h"

#include <string.h>

#include "base/str.h"
#include "plan/functions.h"

/* "once" leaves what others have put there: then it tells nothing. */
bool attribute_is_mark(const struct attribute *attribute)
{
    const struct value *value = attribute->account;
    const struct value *text = value != NULL && value->kind == VALUE_LIST && value->count == 1 ? value->items[0] : value;

    if (text == NULL || text->kind != VALUE_TEMPLATE || attribute->policy == POLICY_ONCE || value_uses(text) != NAME_BIT(NAME_ID))
        return false;
    cleanup_free char *sample = template_sample(text->template, "\001");
    return sample != NULL && strcmp(sample, "\001") == 0;
}

/* The first text of a value; NULL: there is none. */
static char *first_text(const json_t *value)
{
    const json_t *first = json_is_array(value) ? json_array_get(value, 0) : value;
    json_t *text = NULL;

    if (first == NULL || value_to_text(first, &text, NULL) < 0)
        return NULL;
    char *copy = json_string_length(text) > 0 ? strdup(json_string_value(text)) : NULL;
    json_decref(text);
    return copy;
}

static bool has_text(const json_t *value, const char *wanted)
{
    json_t *one = json_is_array(value) ? NULL : json_pack("[O]", value);
    const json_t *list = one != NULL ? one : value;
    bool found = false;

    for (size_t i = 0; i < json_array_size(list) && !found; i++) {
        cleanup_free char *text = first_text(json_array_get(list, i));
        found = str_equal(text, wanted);
    }
    json_decref(one);
    return found;
}

static int look(const struct mapping *mapping, const struct attribute *attribute, const struct identity *identity,
                const struct account *account, struct plan_mark *mark)
{
    const struct expr_input input = { .identity = identity, .typed = !mapping->directory };
    const json_t *there = json_object_get(account->values, attribute->name);
    cleanup_free char *other = there != NULL ? first_text(there) : NULL;
    json_t *value = NULL;
    int code = value_render(attribute->account, &input, &value, NULL);
    cleanup_free char *own = code == 0 && value != NULL ? first_text(value) : NULL;

    json_decref(value);
    if (code == ERROR_NOMEM)
        return code;
    bool ours = own != NULL && other != NULL && has_text(there, own);
    enum mark_kind kind = other == NULL ? MARK_ABSENT : ours ? MARK_OWN : MARK_OTHER;
    if (own == NULL || kind <= mark->kind)
        return 0;
    free(mark->id);
    *mark = (struct plan_mark){ kind, attribute->name, take_pointer(other) };
    return 0;
}

int plan_find_mark(const struct mapping *mapping, const struct identity *identity, const struct account *account,
                   struct plan_mark *ret_mark, struct error *error)
{
    struct plan_mark mark = { 0 };

    for (size_t i = 0; i < mapping->attribute_count; i++)
        if (attribute_is_mark(&mapping->attributes[i]) && look(mapping, &mapping->attributes[i], identity, account, &mark) < 0) {
            free(mark.id);
            return error_nomem(error);
        }
    *ret_mark = mark;
    return 0;
}
