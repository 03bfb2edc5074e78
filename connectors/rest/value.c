#include "connectors/rest/value.h"

#include "base/str.h"
#include "connectors/rest/pointer.h"

/* ---- booleans ---- */

int value_boolean(const json_t *value)
{
    static const struct {
        const char *text;
        int boolean;
    } spellings[] = { { "true", 1 }, { "yes", 1 }, { "on", 1 }, { "1", 1 }, { "false", 0 }, { "no", 0 }, { "off", 0 }, { "0", 0 } };
    const char *text = json_string_value(value);

    if (json_is_boolean(value))
        return json_is_true(value);
    if (json_is_integer(value))
        return json_integer_value(value) == 0 ? 0 : json_integer_value(value) == 1 ? 1 : -1;
    for (size_t i = 0; text != NULL && i < sizeof(spellings) / sizeof(spellings[0]); i++)
        if (strcasecmp(spellings[i].text, text) == 0)
            return spellings[i].boolean;
    return -1;
}

bool value_is_nothing(const json_t *value)
{
    bool empty = (json_is_string(value) && json_string_length(value) == 0) || (json_is_array(value) && json_array_size(value) == 0) ||
                 (json_is_object(value) && json_object_size(value) == 0);

    return value == NULL || json_is_null(value) || empty || value_boolean(value) == 0;
}

/* ---- comparing ---- */

static bool object_fits(const json_t *wanted, const json_t *current)
{
    const char *name;
    json_t *member;

    json_object_foreach ((json_t *)(uintptr_t)wanted, name, member)
        if (!value_fits(member, json_object_get(current, name)))
            return false;
    return true;
}

/* Which entries of two lists belong together. */
struct pairing {
    const json_t *wanted, *current;
    size_t *taken_by; /* by entry of `current`: 1 + that of `wanted`; 0: free */
    bool *tried;
};

/* Gives `wanted` an entry, for which another one may have to take its next (augmenting paths). */
static bool pair_entry(struct pairing *pairing, size_t wanted)
{
    for (size_t i = 0; i < json_array_size(pairing->current); i++) {
        if (pairing->tried[i] || !value_fits(json_array_get(pairing->wanted, wanted), json_array_get(pairing->current, i)))
            continue;
        pairing->tried[i] = true;
        if (pairing->taken_by[i] == 0 || pair_entry(pairing, pairing->taken_by[i] - 1)) {
            pairing->taken_by[i] = wanted + 1;
            return true;
        }
    }
    return false;
}

static bool list_fits(const json_t *wanted, const json_t *current)
{
    size_t count = json_array_size(wanted);
    cleanup_free size_t *taken_by = calloc(count + 1, sizeof(*taken_by));
    cleanup_free bool *tried = calloc(count + 1, sizeof(*tried));
    struct pairing pairing = { wanted, current, taken_by, tried };
    bool fits = taken_by != NULL && tried != NULL && json_array_size(current) == count;

    for (size_t i = 0; fits && i < count; i++) {
        memset(tried, 0, count * sizeof(*tried));
        fits = pair_entry(&pairing, i);
    }
    return fits;
}

bool value_fits(const json_t *wanted, const json_t *current)
{
    if (wanted == NULL || json_is_null(wanted) || current == NULL || json_is_null(current))
        return (wanted == NULL || json_is_null(wanted)) && (current == NULL || json_is_null(current));
    if (json_equal(wanted, current))
        return true;
    if (json_is_boolean(wanted))
        return value_boolean(current) == json_is_true(wanted);
    if (json_is_object(wanted) && json_is_object(current))
        return object_fits(wanted, current);
    if (json_is_array(wanted) && json_is_array(current))
        return list_fits(wanted, current);
    if (json_is_integer(wanted) && json_is_integer(current))
        return json_integer_value(wanted) == json_integer_value(current);
    if (json_is_number(wanted) && json_is_number(current))
        return json_number_value(wanted) >= json_number_value(current) && json_number_value(wanted) <= json_number_value(current);
    return false;
}

json_t *value_difference(const json_t *wanted, const json_t *current)
{
    const char *name;
    json_t *member;

    if (!json_is_object(wanted) || !json_is_object(current))
        return json_incref((json_t *)(uintptr_t)wanted);
    json_t *difference = json_object();
    json_object_foreach ((json_t *)(uintptr_t)wanted, name, member) {
        const json_t *there = json_object_get(current, name);
        if (!value_fits(member, there) && json_object_set_new(difference, name, value_difference(member, there)) < 0) {
            json_decref(difference);
            return NULL;
        }
    }
    return difference;
}

char *value_text(const json_t *value)
{
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return strdup(json_string_value(value));
    case JSON_INTEGER:
    case JSON_REAL:
        return json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    case JSON_TRUE:
    case JSON_FALSE:
        return strdup(json_is_true(value) ? "true" : "false");
    default:
        return NULL;
    }
}

bool value_reads_like(const json_t *a, const json_t *b, bool loose)
{
    cleanup_free char *left = value_text(a), *right = value_text(b);

    if (left == NULL || right == NULL)
        return false;
    return loose ? strcasecmp(left, right) == 0 : strcmp(left, right) == 0;
}

/* ---- attributes in a document ---- */

char *attribute_pointer(const json_t *pointers, const char *name)
{
    const char *named = json_string_value(json_object_get(pointers, name));
    struct buf pointer = { 0 };

    if (named != NULL)
        return strdup(named);
    pointer_add(&pointer, name);
    return buf_take(&pointer);
}

void differences_clear(struct differences *differences)
{
    for (size_t i = 0; i < differences->count; i++)
        free(differences->list[i].pointer);
    free(differences->list);
    *differences = (struct differences){ 0 };
}

int differences_find(const struct operation *operation, const json_t *pointers, const json_t *document,
                     struct differences *ret_differences, struct error *error)
{
    struct differences found = { calloc(operation->change_count + 1, sizeof(*found.list)), 0 };

    for (size_t i = 0; found.list != NULL && i < operation->change_count; i++) {
        const struct change *change = &operation->changes[i];
        char *pointer = attribute_pointer(pointers, change->name);
        const json_t *wanted = change->kind == CHANGE_DELETE ? NULL : change->values;
        const json_t *current = pointer != NULL ? pointer_get(document, pointer) : NULL;
        if (pointer == NULL) {
            differences_clear(&found);
            return error_nomem(error);
        }
        if (value_fits(wanted, current))
            free(pointer);
        else
            found.list[found.count++] = (struct difference){ pointer, wanted, current };
    }
    if (found.list == NULL)
        return error_nomem(error);
    *ret_differences = found;
    return 0;
}
