#include "connectors/rest/answer.h"

#include <strings.h>

#include "base/str.h"
#include "connectors/rest/pointer.h"
#include "connectors/rest/value.h"

#define ID_BYTES_MOST 512

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "a list",
        [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number with a fraction",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null",
    };

    return value != NULL ? names[json_typeof(value)] : "nothing";
}

static const char *place(const char *pointer)
{
    return *pointer != '\0' ? pointer : "its top";
}

/* ---- the body ---- */

static const char *first_of(const char *body)
{
    return body + strspn(body, " \t\r\n");
}

bool answer_is_json(const char *body, const char *content_type)
{
    if (content_type != NULL && (strcasestr(content_type, "/json") != NULL || strcasestr(content_type, "+json") != NULL))
        return true;
    return strchr("{[", *first_of(body)) != NULL && *first_of(body) != '\0';
}

bool answer_is_html(const char *body, const char *content_type)
{
    return (content_type != NULL && strcasestr(content_type, "html") != NULL) || *first_of(body) == '<';
}

int answer_parse(const char *body, size_t bytes, const char *content_type, json_t **ret_document, struct error *error)
{
    json_error_t mistake;

    if (*first_of(body) == '\0' && strlen(body) == bytes)
        return error_set(error, ERROR_INVALID, "the answer is empty where JSON is expected");
    if (answer_is_html(body, content_type))
        return error_set(error, ERROR_INVALID, "the answer is a page (%.60s), no JSON: a log-in page, or a server before the API",
                         content_type != NULL ? content_type : "it begins with <");
    json_t *document = json_loadb(body, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &mistake);
    if (document == NULL && json_error_code(&mistake) == json_error_duplicate_key)
        return error_set(error, ERROR_INVALID, "the answer gives a name twice (line %d): it cannot be told which one counts",
                         mistake.line);
    if (document == NULL)
        return error_set(error, ERROR_INVALID, "the answer is no JSON: %s at line %d, column %d (byte %d of %zu)",
                         json_error_code(&mistake) == json_error_premature_end_of_input ? "it ends too early" : "it is broken",
                         mistake.line, mistake.column, mistake.position, bytes);
    *ret_document = document;
    return 0;
}

/* ---- items ---- */

static bool says_none(const struct call *call, const json_t *document)
{
    const char *total = json_string_value(json_object_get(call->next, "total"));
    const json_t *count = total != NULL ? pointer_get(document, total) : NULL;

    return json_is_integer(count) && json_integer_value(count) == 0;
}

int answer_items(const struct call *call, const json_t *document, const json_t **ret_items, struct error *error)
{
    const json_t *items = pointer_get(document, call->items);

    if (json_is_null(items) || (items == NULL && says_none(call, document))) {
        *ret_items = NULL; /* of which json_array_size is 0 */
        return 0;
    }
    if (items == NULL && call->kind == CALL_GROUPS_OF && json_is_object(document))
        return error_set(error, ERROR_NOTFOUND, "the answer has nothing at %s (items)", place(call->items));
    if (!json_is_array(items))
        return error_set(error, ERROR_INVALID, "the answer has %s at %s (items), where a list is expected", type_name(items),
                         place(call->items));
    *ret_items = items;
    return 0;
}

static const json_t *member_value(const json_t *entry)
{
    static const char *const usual[] = { "value", "id", "key", NULL };
    const json_t *value = json_is_object(entry) ? NULL : entry;

    for (const char *const *name = usual; value == NULL && *name != NULL; name++)
        value = json_object_get(entry, *name);
    return value;
}

int answer_has_member(const json_t *pointers, const json_t *item, const char *attribute, const char *value)
{
    cleanup_free char *pointer = attribute_pointer(pointers, attribute);
    const json_t *list = pointer != NULL ? pointer_get(item, pointer) : NULL;
    bool found = false;

    for (size_t i = 0; i < json_array_size(list) && !found; i++) {
        cleanup_free char *text = value_text(member_value(json_array_get(list, i)));
        found = str_equal(text, value);
    }
    return json_is_array(list) ? found : -1;
}

bool answer_shows_more(const json_t *document, long long count)
{
    static const char *const totals[] = { "/totalResults", "/total", "/total_count", "/totalCount", "/count", "/@odata.count",
                                          "/meta/total", "/pagination/total", "/page/totalElements", NULL };
    static const char *const nexts[] = { "/next", "/next_page", "/nextPage", "/next_cursor", "/nextCursor", "/nextPageToken",
                                         "/next_page_token", "/@odata.nextLink", "/links/next", "/_links/next", "/paging/next",
                                         "/pagination/next", "/meta/next", "/has_more", "/hasMore", NULL };
    bool more = false;

    for (const char *const *total = totals; *total != NULL; total++) {
        const json_t *value = pointer_get(document, *total);
        more = more || (json_is_integer(value) && json_integer_value(value) > count);
    }
    for (const char *const *next = nexts; *next != NULL; next++)
        more = more || !value_is_nothing(pointer_get(document, *next));
    return more;
}

int answer_item(const struct call *call, const json_t *document, const json_t **ret_item, struct error *error)
{
    const json_t *item = pointer_get(document, call->result.item);

    if (json_is_null(item))
        return error_set(error, ERROR_NOTFOUND, "the answer has null at %s (item)", place(call->result.item));
    if (!json_is_object(item))
        return error_set(error, ERROR_INVALID, "the answer has %s at %s (item), where an object is expected", type_name(item),
                         place(call->result.item));
    *ret_item = item;
    return 0;
}

int answer_id(const struct call *call, const json_t *item, char **ret_id, struct error *error)
{
    const json_t *value = pointer_get(item, call->result.id);
    bool right = json_is_integer(value) || (json_is_string(value) && json_string_length(value) > 0);

    if (!right || (json_is_string(value) && json_string_length(value) > ID_BYTES_MOST))
        return error_set(
            error, value == NULL ? ERROR_NOTFOUND : ERROR_INVALID,
            "the answer has %s at %s (result.id), where an id is expected: a text of up to %d bytes or a whole number",
            json_is_string(value) ? (right ? "a longer text" : "an empty text") : type_name(value), place(call->result.id),
            ID_BYTES_MOST);
    char *id = value_text(value);
    if (id == NULL)
        return error_nomem(error);
    *ret_id = id;
    return 0;
}

/* ---- what an item says ---- */

/* Is this one of the values that disable? -1: what stands there cannot be held against it. */
static int is_disabling(const json_t *value, const json_t *entry)
{
    int boolean = value_boolean(value);

    if (json_is_object(value) || json_is_array(value))
        return -1;
    if (!json_is_boolean(entry))
        return value_reads_like(value, entry, false);
    return boolean < 0 ? -1 : boolean == json_is_true(entry);
}

int answer_disabled(const struct call *call, const json_t *item)
{
    const char *pointer = json_string_value(json_object_get(call->result.disabled, "pointer"));
    const json_t *values = json_object_get(call->result.disabled, "values");
    const json_t *value = pointer != NULL ? pointer_get_value(item, pointer) : NULL;
    int disabled = 0;

    if (pointer == NULL)
        return -1;
    if (values == NULL) /* something that stands there disables: {"left_on": "2026-11-23"} */
        return value_is_nothing(value) ? 0 : 1;
    if (value == NULL)
        return -1;
    if (!json_is_array(values))
        return is_disabling(value, values);
    for (size_t i = 0; i < json_array_size(values) && disabled != 1; i++) {
        int is = is_disabling(value, json_array_get(values, i));
        disabled = is == 1 ? 1 : disabled < 0 ? -1 : is;
    }
    return disabled;
}

char *answer_failure(const struct call *call, const json_t *document)
{
    const json_t *failure = call->result.failure != NULL ? pointer_get_value(document, call->result.failure) : NULL;
    const json_t *code = call->result.code != NULL ? pointer_get_value(document, call->result.code) : NULL;

    if (value_is_nothing(failure))
        return NULL;
    char *text = value_text(code);
    return text != NULL ? text : strdup("");
}

const json_t *answer_message(const struct call *call, const json_t *document)
{
    /* RFC 9457, OAuth, SCIM, and what is common beside them */
    static const char *const usual[] = {
        "/detail", "/error/message", "/error_description", "/message", "/error", "/errors", "/title", NULL
    };
    const json_t *message = call->result.error != NULL ? pointer_get_value(document, call->result.error) : NULL;

    for (const char *const *pointer = usual; value_is_nothing(message) && *pointer != NULL; pointer++)
        message = pointer_get_value(document, *pointer);
    return value_is_nothing(message) ? NULL : message;
}

/* ---- is it the one that was asked for? ---- */

static const json_t *attribute_of(const struct call *call, const json_t *item, const char *name)
{
    cleanup_free char *pointer = attribute_pointer(call->pointers, name);

    return pointer != NULL ? pointer_get_value(item, pointer) : NULL;
}

/* An empty text in `where`: nothing may stand there. */
static bool asks_for_nothing(const json_t *wanted)
{
    return json_is_string(wanted) && json_string_length(wanted) == 0;
}

static bool is_aggregate(const json_t *value)
{
    return json_is_object(value) || json_is_array(value);
}

/* Nothing but a list can be held against a list, and nothing but nothing against an object. */
static bool is_comparable(const json_t *wanted, const json_t *there)
{
    return !is_aggregate(there) || asks_for_nothing(wanted) || (json_is_array(wanted) && json_is_array(there)) ||
           (json_is_object(wanted) && json_is_object(there));
}

int answer_check_hit(const struct call *call, const json_t *item, struct error *error)
{
    const char *name;
    json_t *wanted;

    if (!json_is_object(item))
        return error_set(error, ERROR_INVALID, "the answer has %s in the list at %s (items), where objects are expected",
                         type_name(item), place(call->items != NULL ? call->items : ""));
    json_object_foreach ((json_t *)(uintptr_t)call->where, name, wanted) {
        const json_t *there = attribute_of(call, item, name);
        if (!is_comparable(wanted, there))
            return error_set(error, ERROR_INVALID,
                             "the answer has %s as \"%s\" (where) of a hit, which a text or number cannot be held against",
                             type_name(there), name);
    }
    return 0;
}

/* 1: they read alike, whatever their case; -1: they do not; 0: one of them is no plain value. */
static int compare_plain(const struct call *call, const json_t *item, const char *name, const json_t *wanted)
{
    const json_t *there = attribute_of(call, item, name);
    cleanup_free char *one = value_text(there), *other = value_text(wanted);

    if (one == NULL || other == NULL || other[0] == '\0')
        return 0;
    return value_fits(wanted, there) || value_reads_like(wanted, there, true) ? 1 : -1;
}

int answer_compare(const struct call *match, const json_t *item)
{
    const json_t *const groups[] = { match->where, match->query };
    const char *name;
    json_t *wanted;
    int result = 0;

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        json_object_foreach ((json_t *)(uintptr_t)groups[i], name, wanted) {
            int compared = compare_plain(match, item, name, wanted);
            result = result < 0 || compared < 0 ? -1 : result > compared ? result : compared;
        }
    return result;
}

static bool is_empty(const json_t *value)
{
    return value == NULL || json_is_null(value) || asks_for_nothing(value) ||
           (is_aggregate(value) && json_array_size(value) == 0 && json_object_size(value) == 0);
}

static bool is_exact(const struct call *call, const char *name)
{
    bool found = false;

    for (size_t i = 0; i < json_array_size(call->exact); i++)
        found = found || str_equal(json_string_value(json_array_get(call->exact, i)), name);
    return found;
}

static bool holds(const json_t *wanted, const json_t *there, bool exact)
{
    bool one_of = json_is_array(wanted) && (!json_is_array(there) || is_empty(there));
    bool found = !one_of && (value_fits(wanted, there) || value_reads_like(wanted, there, !exact));

    for (size_t i = 0; one_of && !found && i < json_array_size(wanted); i++)
        found = holds(json_array_get(wanted, i), there, exact);
    return found || (asks_for_nothing(wanted) && is_empty(there));
}

bool answer_is_meant(const struct call *call, const json_t *item)
{
    const char *name;
    json_t *wanted;

    json_object_foreach ((json_t *)(uintptr_t)call->where, name, wanted)
        if (!holds(wanted, attribute_of(call, item, name), is_exact(call, name)))
            return false;
    json_object_foreach ((json_t *)(uintptr_t)call->query, name, wanted)
        if (compare_plain(call, item, name, wanted) < 0)
            return false;
    return true;
}
