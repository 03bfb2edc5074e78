#include "plan/diff.h"

#include "base/str.h"
#include "plan/dn.h"
#include "plan/functions.h"

json_t *value_copy(const json_t *value)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)value);

    if (json_object_size(copy) == json_object_size(value) && json_array_size(copy) == json_array_size(value))
        return copy;
    json_decref(copy);
    return NULL;
}

/* Text that is the same exactly where the values are. */
static int value_key(enum compare compare, const json_t *value, char **ret_key)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    /* no text, or NUL inside: as JSON writes it */
    if (text == NULL || strlen(text) != length) {
        *ret_key = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
        return *ret_key != NULL ? 0 : ERROR_NOMEM;
    }
    if (compare == COMPARE_EXACT) {
        *ret_key = strdup(text);
        return *ret_key != NULL ? 0 : ERROR_NOMEM;
    }
    int code = compare == COMPARE_DN ? dn_normalize(text, ret_key) : ERROR_SYNTAX;
    return code == ERROR_SYNTAX ? text_fold(text, length, ret_key, &length) : code;
}

/* Adds the values of `list` that are not in `keys` to `into` (may be NULL), and their keys. */
static int take_new(enum compare compare, const json_t *list, json_t *keys, json_t *into)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        cleanup_free char *key = NULL;
        json_t *value = json_array_get(list, i);
        if (value_key(compare, value, &key) < 0)
            return ERROR_NOMEM;
        if (json_object_get(keys, key) != NULL)
            continue;
        if (json_object_set_nocheck(keys, key, json_true()) < 0 || (into != NULL && json_array_append(into, value) < 0))
            return ERROR_NOMEM;
    }
    return 0;
}

static int take_both(enum compare compare, const json_t *known, json_t *known_into, const json_t *list, json_t **ret_list)
{
    json_t *keys = json_object();
    json_t *into = known_into != NULL ? known_into : json_array();
    int code = keys != NULL && into != NULL ? 0 : ERROR_NOMEM;

    if (code == 0)
        code = take_new(compare, known, keys, known_into);
    if (code == 0)
        code = take_new(compare, list, keys, into);
    json_decref(keys);
    if (code < 0 || json_array_size(into) == 0) {
        json_decref(into);
        into = NULL;
    }
    if (code == 0)
        *ret_list = into;
    return code;
}

int set_union(enum compare compare, const json_t *base, const json_t *more, json_t **ret_list)
{
    json_t *into = json_array();

    return into != NULL ? take_both(compare, base, into, more, ret_list) : ERROR_NOMEM;
}

int set_minus(enum compare compare, const json_t *base, const json_t *less, json_t **ret_list)
{
    return take_both(compare, less, NULL, base, ret_list);
}

void change_list_clear(struct change_list *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->list[i].name);
        json_decref(changes->list[i].values);
    }
    free(changes->list);
    *changes = (struct change_list){ 0 };
}

/* `values` is borrowed; NULL: all of them. */
static int add_change(struct change_list *changes, enum change_kind kind, const char *name, const json_t *values)
{
    struct change *list = realloc(changes->list, (changes->count + 1) * sizeof(*list));

    if (list == NULL)
        return ERROR_NOMEM;
    changes->list = list;
    list[changes->count] = (struct change){ kind, strdup(name), json_incref((json_t *)values) };
    return list[changes->count++].name != NULL ? 0 : ERROR_NOMEM;
}

/* Do an old and a new value differ in case alone? A directory would call that the same value twice. */
static int has_case_change(const json_t *added, const json_t *gone, bool *ret_true)
{
    json_t *left = NULL;
    int code = set_minus(COMPARE_FOLDED, added, gone, &left);

    *ret_true = code == 0 && json_array_size(left) < json_array_size(added);
    json_decref(left);
    return code;
}

static int add_list_changes(const char *name, const json_t *current, const json_t *wanted, const json_t *added,
                            const json_t *gone, struct change_list *changes)
{
    bool one_for_one = json_array_size(current) == 1 && json_array_size(wanted) == 1, case_change;
    int code;

    if (added == NULL && gone == NULL)
        return 0;
    if (json_array_size(wanted) == 0)
        return add_change(changes, CHANGE_DELETE, name, NULL);
    code = has_case_change(added, gone, &case_change);
    if (code == 0 && (one_for_one || case_change))
        return add_change(changes, CHANGE_REPLACE, name, wanted);
    if (code == 0 && gone != NULL)
        code = add_change(changes, CHANGE_DELETE, name, gone);
    if (code == 0 && added != NULL)
        code = add_change(changes, CHANGE_ADD, name, added);
    return code;
}

int diff_list(enum compare compare, const char *name, const json_t *current, const json_t *wanted, struct change_list *changes)
{
    json_t *added = NULL, *gone = NULL;
    int code = set_minus(compare, wanted, current, &added);

    if (code == 0)
        code = set_minus(compare, current, wanted, &gone);
    if (code == 0)
        code = add_list_changes(name, current, wanted, added, gone, changes);
    json_decref(added);
    json_decref(gone);
    return code;
}

/* ---- values of any type ---- */

static bool fits(enum compare compare, const json_t *wanted, const json_t *current);

static bool same_folded(const json_t *wanted, const json_t *current)
{
    cleanup_free char *one = NULL, *other = NULL;

    if (value_key(COMPARE_FOLDED, wanted, &one) < 0 || value_key(COMPARE_FOLDED, current, &other) < 0)
        return false;
    return strcmp(one, other) == 0;
}

static bool same_scalar(enum compare compare, const json_t *wanted, const json_t *current)
{
    if (compare == COMPARE_FOLDED && json_is_string(wanted) && json_is_string(current))
        return same_folded(wanted, current);
    if (json_is_number(wanted) && json_is_number(current) && !(json_is_integer(wanted) && json_is_integer(current)))
        return json_number_value(wanted) == json_number_value(current); /* 1 and 1.0 */
    return json_equal(wanted, current);
}

static bool object_fits(enum compare compare, const json_t *wanted, const json_t *current)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)wanted, name, value)
        if (!fits(compare, value, json_object_get(current, name)))
            return false;
    return json_is_object(current);
}

/* Entries of one list that each have their own in another. */
struct pairing {
    enum compare compare;
    const json_t *wanted, *current;
    size_t *owner; /* of each current entry: a wanted one's index + 1; 0: free */
    bool *tried;   /* current entries, in this search */
};

/* Finds an entry for `i`, moving others on to a second choice where that helps. */
static bool pair_entry(struct pairing *pairing, size_t i)
{
    size_t count = json_array_size(pairing->current);

    for (size_t k = 0; k < count; k++) {
        size_t j = (i + k) % count; /* most often nothing has moved */
        if (pairing->tried[j] || !fits(pairing->compare, json_array_get(pairing->wanted, i), json_array_get(pairing->current, j)))
            continue;
        pairing->tried[j] = true;
        if (pairing->owner[j] == 0 || pair_entry(pairing, pairing->owner[j] - 1)) {
            pairing->owner[j] = i + 1;
            return true;
        }
    }
    return false;
}

/* Out of memory differs: what is written again does no harm. */
static bool list_fits(enum compare compare, const json_t *wanted, const json_t *current)
{
    size_t count = json_array_size(wanted);
    cleanup_free size_t *owner = calloc(count + 1, sizeof(*owner));
    cleanup_free bool *tried = calloc(count + 1, sizeof(*tried));
    struct pairing pairing = { compare, wanted, current, owner, tried };

    if (!json_is_array(current) || json_array_size(current) != count || owner == NULL || tried == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        memset(tried, 0, count * sizeof(*tried));
        if (!pair_entry(&pairing, i))
            return false;
    }
    return true;
}

static bool fits(enum compare compare, const json_t *wanted, const json_t *current)
{
    if (wanted == NULL || json_is_null(wanted))
        return current == NULL || json_is_null(current);
    if (json_is_object(wanted))
        return object_fits(compare, wanted, current);
    return json_is_array(wanted) ? list_fits(compare, wanted, current) : same_scalar(compare, wanted, current);
}

bool value_fits(const json_t *wanted, const json_t *current)
{
    return fits(COMPARE_EXACT, wanted, current);
}

bool value_fits_folded(const json_t *wanted, const json_t *current)
{
    return fits(COMPARE_FOLDED, wanted, current);
}

int list_with(const json_t *current, const json_t *wanted, json_t **ret_list)
{
    json_t *list = value_copy(current);
    int code = list != NULL ? 0 : ERROR_NOMEM;

    for (size_t i = 0; code == 0 && i < json_array_size(wanted); i++) {
        json_t *value = json_array_get(wanted, i);
        bool there = false;
        for (size_t j = 0; j < json_array_size(list) && !there; j++)
            there = value_fits(value, json_array_get(list, j));
        code = there || json_array_append(list, value) == 0 ? 0 : ERROR_NOMEM;
    }
    if (code < 0)
        json_decref(list);
    else
        *ret_list = list;
    return code;
}

int diff_value(const char *name, const json_t *current, const json_t *wanted, struct change_list *changes)
{
    bool was = current != NULL && !json_is_null(current);

    if ((!was && wanted == NULL) || (was && wanted != NULL && value_fits(wanted, current)))
        return 0;
    if (wanted == NULL)
        return add_change(changes, CHANGE_DELETE, name, NULL);
    return add_change(changes, CHANGE_REPLACE, name, wanted);
}
