#include "connectors/rest/call.h"

#include "base/str.h"

static const struct {
    const char *name, *method;
} calls[] = {
#define X(code, name, method) [CALL_##code] = { name, method },
    CALL_LIST(X)
#undef X
};

const char *call_name(enum call_kind kind)
{
    return (unsigned)kind < CALL_COUNT ? calls[kind].name : "unknown";
}

enum call_kind call_of_operation(enum operation_kind kind)
{
    for (enum call_kind call = CALL_CREATE; call < CALL_COUNT; call++)
        if (strcmp(calls[call].name, operation_kind_name(kind)) == 0)
            return call;
    return CALL_COUNT;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* What the request's own `result` says, else the mapping's. */
static const json_t *result_member(const json_t *settings, const json_t *request, const char *name)
{
    const json_t *own = json_object_get(json_object_get(request, "result"), name);

    return own != NULL ? own : json_object_get(json_object_get(settings, "result"), name);
}

static const char *result_text(const json_t *settings, const json_t *request, const char *name, const char *fallback)
{
    const char *text = json_string_value(result_member(settings, request, name));

    return text != NULL ? text : fallback;
}

static struct result find_result(const json_t *settings, const json_t *request)
{
    const char *item = text_of(request, "item");

    return (struct result){
        .id = result_text(settings, request, "id", "/id"),
        .item = item != NULL ? item : result_text(settings, request, "item", ""),
        .error = result_text(settings, request, "error", NULL),
        .failure = result_text(settings, request, "failure", NULL),
        .code = result_text(settings, request, "code", NULL),
        .disabled = result_member(settings, request, "disabled"),
        .codes = result_member(settings, request, "codes"),
    };
}

/* What an update sends, where the mapping does not say: by its method. */
static enum send send_by_method(const char *method)
{
    if (method == NULL || strcmp(method, "PATCH") == 0)
        return SEND_MERGE_PATCH;
    return strcmp(method, "PUT") == 0 ? SEND_OBJECT : SEND_CHANGES;
}

static int find_send(const json_t *request, enum call_kind kind, enum send *ret_send, struct error *error)
{
    const char *named = text_of(request, "send");

    if (named == NULL) {
        bool generated = json_object_get(request, "body") == NULL;
        *ret_send = !generated || (kind != CALL_CREATE && kind != CALL_UPDATE) ? SEND_NONE
                    : kind == CALL_CREATE                                      ? SEND_OBJECT
                                                                               : send_by_method(text_of(request, "method"));
        return 0;
    }
    for (enum send send = 0; send < SEND_COUNT; send++)
        if (strcmp(send_names[send], named) == 0) {
            *ret_send = send;
            return 0;
        }
    return error_set(error, ERROR_INVALID, "requests.%s: there is no send = \"%s\"", call_name(kind), named);
}

static const char *find_method(const json_t *request, enum call_kind kind, enum send send)
{
    const char *named = text_of(request, "method");

    if (named != NULL)
        return named;
    if (kind != CALL_UPDATE)
        return calls[kind].method;
    return send == SEND_OBJECT || send == SEND_DOCUMENT ? "PUT" : send == SEND_CHANGES ? "POST" : "PATCH";
}

static int make(const json_t *settings, const json_t *request, enum call_kind kind, enum call_kind as, struct call *ret_call,
                struct error *error)
{
    const char *path = text_of(request, "path");
    struct call call = { .kind = kind, .path = path != NULL ? path : "" };
    int code = find_send(request, as, &call.send, error);

    if (code < 0)
        return code;
    call.method = find_method(request, as, call.send);
    call.query = json_object_get(request, "query");
    call.headers = json_object_get(request, "headers");
    call.body = json_object_get(request, "body");
    call.where = json_object_get(request, "where");
    call.exact = json_object_get(request, "exact");
    call.next = json_object_get(request, "next");
    call.outcomes = json_object_get(request, "outcomes");
    call.content_type = text_of(request, "content_type");
    call.items = text_of(request, "items");
    call.result = find_result(settings, request);
    call.pointers = json_object_get(settings, "pointers");
    *ret_call = call;
    return 0;
}

int call_find(const json_t *settings, enum call_kind kind, bool changes, struct call *ret_call, struct error *error)
{
    const json_t *request = json_object_get(json_object_get(settings, "requests"), call_name(kind));
    bool is_update = changes && (kind == CALL_DISABLE || kind == CALL_ENABLE);

    if (!json_is_object(request))
        return error_set(error, ERROR_NOTFOUND, "the mapping has no requests.%s that can be rendered", call_name(kind));
    return make(settings, request, kind, is_update ? CALL_UPDATE : kind, ret_call, error);
}

static const json_t *requests_of(const json_t *settings, enum call_kind kind)
{
    return json_object_get(json_object_get(settings, "requests"), call_name(kind));
}

size_t call_count(const json_t *settings, enum call_kind kind)
{
    const json_t *requests = requests_of(settings, kind);

    return json_is_object(requests) ? 1 : json_array_size(requests);
}

int call_at(const json_t *settings, enum call_kind kind, size_t index, struct call *ret_call, struct error *error)
{
    const json_t *requests = requests_of(settings, kind);
    const json_t *request = json_is_object(requests) && index == 0 ? requests : json_array_get(requests, index);

    if (!json_is_object(request))
        return error_set(error, ERROR_NOTFOUND, "requests.%s has no entry %zu that can be rendered", call_name(kind), index + 1);
    return make(settings, request, kind, kind, ret_call, error);
}

size_t call_match_count(const json_t *settings)
{
    return call_count(settings, CALL_MATCH);
}

int call_match(const json_t *settings, size_t index, struct call *ret_call, struct error *error)
{
    return call_at(settings, CALL_MATCH, index, ret_call, error);
}
