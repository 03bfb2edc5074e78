#include "connectors/rest/patch.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "connectors/rest/pointer.h"

const char *const send_names[] = {
#define X(code, name, type) [SEND_##code] = name,
    SEND_LIST(X)
#undef X
        [SEND_COUNT] = NULL,
};

const char *const send_content_types[] = {
#define X(code, name, type) [SEND_##code] = type,
    SEND_LIST(X)
#undef X
};

/* A JSON value that is given back when its scope ends. */
static void drop(json_t **json)
{
    json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(drop)))

/* ---- whole bodies ---- */

static int make_object(const struct patch_input *input, json_t *body, struct error *error)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)input->values, name, value) {
        cleanup_free char *pointer = attribute_pointer(input->pointers, name);
        int code = pointer != NULL ? pointer_set(body, pointer, value, error) : error_nomem(error);
        if (code < 0)
            return code;
    }
    return 0;
}

static int apply_one(json_t *document, const struct difference *difference, struct error *error)
{
    if (difference->wanted != NULL)
        return pointer_set(document, difference->pointer, (json_t *)(uintptr_t)difference->wanted, error);
    pointer_remove(document, difference->pointer);
    return 0;
}

/* null in what is wanted: not there. */
static void drop_gone(json_t *object, const json_t *wanted)
{
    const char *name;
    json_t *member;

    json_object_foreach ((json_t *)(uintptr_t)wanted, name, member)
        if (json_is_null(member))
            json_object_del(object, name);
        else
            drop_gone(json_object_get(object, name), member);
}

/* An object keeps the members that the mapping does not name. */
static int merge_one(json_t *document, const struct difference *difference, struct error *error)
{
    if (!json_is_object(difference->wanted) || !json_is_object(difference->current))
        return apply_one(document, difference, error);
    cleanup_json json_t *merged = json_deep_copy(difference->current);
    if (merged == NULL || json_object_update_recursive(merged, (json_t *)(uintptr_t)difference->wanted) < 0)
        return error_nomem(error);
    drop_gone(merged, difference->wanted);
    return pointer_set(document, difference->pointer, merged, error);
}

static int make_document(const struct patch_input *input, json_t *body, struct error *error)
{
    json_t *copy = json_deep_copy(input->document);
    int code = copy == NULL || json_object_update(body, copy) < 0 ? error_nomem(error) : 0;

    json_decref(copy);
    for (size_t i = 0; code == 0 && i < input->differences->count; i++)
        code = merge_one(body, &input->differences->list[i], error);
    return code;
}

/* ---- parts ---- */

/* The part of `pointer` up to the first list that it leads into: neither form can change one entry alone. */
static char *up_to_list(const json_t *document, const char *pointer)
{
    cleanup_buf struct buf part = { 0 };
    const char *rest = pointer;

    while (pointer_next(&rest, &part)) {
        char *prefix = strndup(pointer, (size_t)(rest - pointer));
        if (prefix == NULL || *rest == '\0' || json_is_array(pointer_get(document, prefix)))
            return prefix;
        free(prefix);
    }
    return NULL;
}

static int add_part(const struct difference *difference, const json_t *after, bool merge, json_t *body, struct error *error)
{
    cleanup_free char *pointer = up_to_list(after, difference->pointer);
    cleanup_json json_t *value = NULL;

    if (pointer == NULL)
        return error_nomem(error);
    if (strcmp(pointer, difference->pointer) != 0)
        value = json_incref(pointer_get(after, pointer));
    else if (difference->wanted == NULL)
        value = json_null();
    else
        value = merge ? value_difference(difference->wanted, difference->current)
                      : json_incref((json_t *)(uintptr_t)difference->wanted);
    return value != NULL ? pointer_set(body, pointer, value, error) : error_nomem(error);
}

static int make_parts(const struct patch_input *input, bool merge, json_t *body, struct error *error)
{
    cleanup_json json_t *after = json_object();
    int code = make_document(input, after, error);

    for (size_t i = 0; code == 0 && i < input->differences->count; i++)
        code = add_part(&input->differences->list[i], after, merge, body, error);
    return code;
}

static int make_changes(const struct patch_input *input, json_t *body, struct error *error)
{
    return make_parts(input, false, body, error);
}

static int make_merge_patch(const struct patch_input *input, json_t *body, struct error *error)
{
    return make_parts(input, true, body, error);
}

/* ---- JSON Patch (RFC 6902) ---- */

struct json_patch {
    json_t *operations; /* so far */
    json_t *document;   /* as it is after them */
};

static int add_operation(struct json_patch *patch, const char *op, const char *path, const json_t *value, struct error *error)
{
    json_t *operation = value != NULL ? json_pack("{s:s,s:s,s:O}", "op", op, "path", path, "value", value)
                                      : json_pack("{s:s,s:s}", "op", op, "path", path);

    return json_array_append_new(patch->operations, operation) < 0 ? error_nomem(error) : 0;
}

/* "add" needs its parent: what is missing on the way goes in as one value, at the first place that is missing. */
static int add_missing(struct json_patch *patch, const char *pointer, const json_t *wanted, struct error *error)
{
    cleanup_buf struct buf part = { 0 };
    const char *rest = pointer;
    cleanup_free char *place = NULL;

    while (pointer_next(&rest, &part)) {
        free(place);
        place = strndup(pointer, (size_t)(rest - pointer));
        if (place == NULL || pointer_get_value(patch->document, place) == NULL)
            break;
    }
    if (place == NULL)
        return error_nomem(error);
    bool null_there = pointer_get(patch->document, place) != NULL;
    int code = pointer_set(patch->document, pointer, (json_t *)(uintptr_t)wanted, error);
    cleanup_json json_t *value = code == 0 ? json_deep_copy(pointer_get(patch->document, place)) : NULL;
    if (code < 0)
        return code;
    return value != NULL ? add_operation(patch, null_there ? "replace" : "add", place, value, error) : error_nomem(error);
}

static int patch_value(struct json_patch *patch, const char *pointer, const json_t *wanted, struct error *error);

static int patch_members(struct json_patch *patch, const char *pointer, const json_t *wanted, const json_t *current,
                         struct error *error)
{
    const char *name;
    json_t *member;
    int code = 0;

    json_object_foreach ((json_t *)(uintptr_t)wanted, name, member) {
        cleanup_buf struct buf inner = { 0 };
        buf_add_str(&inner, pointer);
        pointer_add(&inner, name);
        if (inner.failed)
            return error_nomem(error);
        if (code == 0 && !value_fits(member, json_object_get(current, name)))
            code = patch_value(patch, inner.bytes, member, error);
    }
    return code;
}

static int patch_value(struct json_patch *patch, const char *pointer, const json_t *wanted, struct error *error)
{
    const json_t *current = pointer_get_value(patch->document, pointer);

    if (wanted == NULL || json_is_null(wanted)) {
        int removed = add_operation(patch, "remove", pointer, NULL, error);
        pointer_remove(patch->document, pointer);
        return removed;
    }
    if (current == NULL)
        return add_missing(patch, pointer, wanted, error);
    if (json_is_object(wanted) && json_is_object(current))
        return patch_members(patch, pointer, wanted, current, error);
    int code = add_operation(patch, "replace", pointer, wanted, error);
    return code < 0 ? code : pointer_set(patch->document, pointer, (json_t *)(uintptr_t)wanted, error);
}

static int make_json_patch(const struct patch_input *input, json_t *body, struct error *error)
{
    cleanup_json json_t *document = json_deep_copy(input->document);
    struct json_patch patch = { body, document };
    int code = document != NULL ? 0 : error_nomem(error);

    for (size_t i = 0; code == 0 && i < input->differences->count; i++)
        code = patch_value(&patch, input->differences->list[i].pointer, input->differences->list[i].wanted, error);
    return code;
}

/* ---- SCIM PatchOp (RFC 7644 §3.5.2) ---- */

#define PATCH_OP "urn:ietf:params:scim:api:messages:2.0:PatchOp"

char *patch_scim_path(const char *pointer)
{
    cleanup_buf struct buf path = { 0 }, part = { 0 };
    bool after_urn = false;
    size_t index;

    while (pointer_next(&pointer, &part)) {
        if (pointer_index(part.bytes, &index) || strcmp(part.bytes, "-") == 0)
            return NULL;
        buf_add_str(&path, path.length == 0 ? "" : after_urn ? ":" : ".");
        buf_add_str(&path, part.bytes);
        after_urn = str_starts(part.bytes, "urn:");
    }
    return *pointer == '\0' && path.length > 0 ? buf_take(&path) : NULL;
}

/* A schema's name by itself is no path (RFC 7644 §3.5.2, "attrPath"): it is then the value's only member. */
static json_t *scim_operation(const char *pointer, const char *path, const char *op, const json_t *value)
{
    bool schema_alone = str_starts(pointer, "/urn:") && strchr(pointer + 1, '/') == NULL;

    if (schema_alone && value != NULL)
        return json_pack("{s:s,s:{s:O}}", "op", op, "value", path, value);
    return value != NULL ? json_pack("{s:s,s:s,s:O}", "op", op, "path", path, "value", value)
                         : json_pack("{s:s,s:s}", "op", op, "path", path);
}

static int add_scim(const struct difference *difference, json_t *operations, struct error *error)
{
    cleanup_free char *path = patch_scim_path(difference->pointer);
    bool there = difference->current != NULL && !json_is_null(difference->current);
    cleanup_json json_t *value = difference->wanted != NULL ? value_difference(difference->wanted, difference->current) : NULL;

    if (path == NULL)
        return error_set(error, ERROR_INVALID, "%s is no attribute path of SCIM: name the whole list, or use another send",
                         difference->pointer);
    if (value == NULL && difference->wanted != NULL)
        return error_nomem(error);
    const char *op = value == NULL ? "remove" : there ? "replace" : "add";
    json_t *operation = scim_operation(difference->pointer, path, op, value);
    return json_array_append_new(operations, operation) < 0 ? error_nomem(error) : 0;
}

static int make_scim_patch(const struct patch_input *input, json_t *body, struct error *error)
{
    json_t *operations = json_array();
    int code = json_object_set_new(body, "schemas", json_pack("[s]", PATCH_OP)) < 0 ||
                       json_object_set_new(body, "Operations", operations) < 0
                   ? error_nomem(error)
                   : 0;

    for (size_t i = 0; code == 0 && i < input->differences->count; i++)
        code = add_scim(&input->differences->list[i], operations, error);
    return code;
}

/* "members[value eq \"7\"]": the text is a JSON string there (RFC 7644 §3.4.2.2). */
static char *value_filter(const char *attribute, const char *value)
{
    cleanup_json json_t *json = json_string(value);
    cleanup_free char *quoted = json != NULL ? json_dumps(json, JSON_ENCODE_ANY) : NULL;

    return quoted != NULL ? str_printf("%s[value eq %s]", attribute, quoted) : NULL;
}

int patch_scim_member(bool add, const char *attribute, const char *value, json_t **ret_body, struct error *error)
{
    cleanup_free char *filter = add ? NULL : value_filter(attribute, value);
    json_t *operation = add ? json_pack("{s:s,s:s,s:[{s:s}]}", "op", "add", "path", attribute, "value", "value", value)
                        : filter != NULL ? json_pack("{s:s,s:s}", "op", "remove", "path", filter)
                                         : NULL;
    json_t *body = operation != NULL ? json_pack("{s:[s],s:[o]}", "schemas", PATCH_OP, "Operations", operation) : NULL;

    if (body == NULL)
        return error_nomem(error);
    *ret_body = body;
    return 0;
}

/* ---- dispatch ---- */

typedef int make_function(const struct patch_input *input, json_t *body, struct error *error);

static make_function *const makers[SEND_COUNT] = {
    [SEND_OBJECT] = make_object,           [SEND_DOCUMENT] = make_document,     [SEND_CHANGES] = make_changes,
    [SEND_MERGE_PATCH] = make_merge_patch, [SEND_JSON_PATCH] = make_json_patch, [SEND_SCIM_PATCH] = make_scim_patch,
};

int patch_make(enum send send, const struct patch_input *input, json_t **ret_body, struct error *error)
{
    if ((unsigned)send >= SEND_COUNT || makers[send] == NULL)
        return error_set(error, ERROR_INVALID, "there is no such body");
    cleanup_json json_t *body = send == SEND_JSON_PATCH ? json_array() : json_object();
    int code = body != NULL ? makers[send](input, body, error) : error_nomem(error);
    if (code == 0)
        *ret_body = json_incref(body);
    return code;
}
