#include "connectors/rest/request.h"

#include <strings.h>

#include "base/str.h"
#include "connectors/rest/value.h"

/* ---- the path ---- */

/* "." and ".." as they are and percent-encoded: servers take both for a way up. */
static bool is_dots(const char *segment, size_t length)
{
    size_t dots = 0;

    for (size_t i = 0; i < length; dots++) {
        bool encoded = length - i >= 3 && strncasecmp(segment + i, "%2e", 3) == 0;
        if (!encoded && segment[i] != '.')
            return false;
        i += encoded ? 3 : 1;
    }
    return dots == 1 || dots == 2;
}

static const char *bad_segment(const char *path, size_t length)
{
    for (size_t start = 1; start <= length;) {
        const char *slash = memchr(path + start, '/', length - start);
        size_t end = slash != NULL ? (size_t)(slash - path) : length;
        if (end == start && end != length)
            return "an empty part (//)";
        if (is_dots(path + start, end - start))
            return "a \".\" or \"..\" between slashes";
        start = end + 1;
    }
    return NULL;
}

static const char *bad_byte(const char *path)
{
    for (; *path != '\0'; path++)
        if ((unsigned char)*path <= ' ' || (unsigned char)*path >= 0x7f || *path == '#' || *path == '\\')
            return "a space, \"#\", \"\\\", or a character that must be percent-encoded";
    return NULL;
}

int request_check_path(const char *path, struct error *error)
{
    const char *bad = bad_byte(path);

    if (bad == NULL && *path != '\0' && *path != '/' && *path != '?')
        bad = "no slash at its start";
    if (bad == NULL && *path == '/')
        bad = bad_segment(path, strcspn(path, "?"));
    return bad == NULL ? 0 : error_set(error, ERROR_INVALID, "the path \"%.200s\" has %s", path, bad);
}

/* ---- the query ---- */

struct pairs {
    struct buf *text;
    char first; /* before the first pair: '?' or '&', or 0 in a body */
    size_t count;
};

static void add_pair(struct pairs *pairs, const char *name, const char *value)
{
    char between = pairs->count++ == 0 ? pairs->first : '&';

    if (between != '\0')
        buf_add_char(pairs->text, between);
    http_encode(pairs->text, name, strlen(name));
    buf_add_char(pairs->text, '=');
    http_encode(pairs->text, value, strlen(value));
}

/* A list is one pair for each entry. */
static int add_value(struct pairs *pairs, const char *name, const json_t *value, struct error *error)
{
    cleanup_free char *text = value_text(value);
    size_t i;
    json_t *entry;
    int code = 0;

    if (json_is_null(value))
        return 0;
    if (text != NULL) {
        add_pair(pairs, name, text);
        return 0;
    }
    if (!json_is_array(value))
        return error_set(error, ERROR_INVALID, "\"%s\" is no text, number or list of these", name);
    json_array_foreach (value, i, entry)
        if (code == 0)
            code = json_is_array(entry) ? error_set(error, ERROR_INVALID, "\"%s\" is a list of lists", name)
                                        : add_value(pairs, name, entry, error);
    return code;
}

static bool is_replaced(const struct parameter *parameters, const char *name)
{
    for (; parameters != NULL && parameters->name != NULL; parameters++)
        if (strcmp(parameters->name, name) == 0)
            return true;
    return false;
}

static int make_target(const struct call *call, const struct parameter *parameters, struct buf *target, struct error *error)
{
    struct pairs pairs = { target, strchr(call->path, '?') != NULL ? '&' : '?', 0 };
    const char *name;
    json_t *value;
    int code = request_check_path(call->path, error);

    buf_add_str(target, call->path);
    json_object_foreach ((json_t *)(uintptr_t)call->query, name, value)
        if (code == 0 && !is_replaced(parameters, name))
            code = add_value(&pairs, name, value, error);
    for (; code == 0 && parameters != NULL && parameters->name != NULL; parameters++)
        add_pair(&pairs, parameters->name, parameters->value);
    return code < 0 || !target->failed ? code : error_nomem(error);
}

/* ---- headers ---- */

static bool header_value_is_safe(const char *value)
{
    for (; *value != '\0'; value++)
        if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
            return false;
    return true;
}

static bool has_header(const struct message *message, const char *name)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (strcasecmp(message->headers[i].name, name) == 0)
            return true;
    return false;
}

/* Takes over `value` (NULL: out of memory); the name is borrowed. */
static int add_header(struct message *message, const char *name, char *value, struct error *error)
{
    size_t count = message->header_count;
    struct http_header *headers = realloc(message->headers, (count + 2) * sizeof(*headers));
    char **texts = realloc(message->texts, (count + 1) * sizeof(*texts));

    message->headers = headers != NULL ? headers : message->headers;
    message->texts = texts != NULL ? texts : message->texts;
    if (headers == NULL || texts == NULL || value == NULL) {
        free(value);
        return error_nomem(error);
    }
    message->texts[count] = value;
    message->headers[count] = (struct http_header){ name, value };
    message->headers[count + 1] = (struct http_header){ NULL, NULL };
    message->header_count++;
    if (!http_header_name_is_valid(name) || !header_value_is_safe(value))
        return error_set(error, ERROR_INVALID,
                         "the header \"%.60s\" cannot be sent: its name or value has a character that headers cannot have", name);
    return 0;
}

static int add_own_header(struct message *message, const char *name, const json_t *value, struct error *error)
{
    if (name == NULL || value == NULL || json_is_null(value))
        return 0;
    char *text = value_text(value);
    return text != NULL ? add_header(message, name, text, error)
                        : error_set(error, ERROR_INVALID, "the header \"%s\" is no text or number", name);
}

/* { Name = "value"; } or ( { name = "…"; value = "…"; } ) */
static int add_call_headers(struct message *message, const json_t *headers, struct error *error)
{
    const char *name;
    json_t *value;
    size_t i;
    int code = 0;

    json_object_foreach ((json_t *)(uintptr_t)headers, name, value)
        if (code == 0)
            code = add_own_header(message, name, value, error);
    json_array_foreach (headers, i, value)
        if (code == 0)
            code = add_own_header(message, json_string_value(json_object_get(value, "name")), json_object_get(value, "value"),
                                  error);
    return code;
}

static int make_headers(const struct call *call, const struct message_input *input, struct message *message, struct error *error)
{
    int code = add_call_headers(message, call->headers, error);

    for (const struct http_header *header = input->headers; code == 0 && header != NULL && header->name != NULL; header++)
        code = add_header(message, header->name, str_dup(header->value), error);
    if (code == 0 && !has_header(message, "Accept"))
        code = add_header(message, "Accept", strdup("application/json, application/*+json"), error);
    return code;
}

/* ---- the body ---- */

static int make_form(const json_t *body, char **ret_text, struct error *error)
{
    cleanup_buf struct buf text = { 0 };
    struct pairs pairs = { &text, '\0', 0 };
    const char *name;
    json_t *value;
    int code = 0;

    json_object_foreach ((json_t *)(uintptr_t)body, name, value)
        if (code == 0)
            code = add_value(&pairs, name, value, error);
    if (code == 0 && (*ret_text = buf_take(&text)) == NULL)
        code = error_nomem(error);
    return code;
}

static int make_body(const struct call *call, const json_t *made, struct message *message, struct error *error)
{
    const json_t *body = made != NULL ? made : call->body;
    const char *type = call->content_type;

    if (body == NULL)
        return 0;
    if (type == NULL)
        type = made != NULL && send_content_types[call->send] != NULL ? send_content_types[call->send] : "application/json";
    bool form = str_starts(type, "application/x-www-form-urlencoded");
    int code = form ? make_form(body, &message->body, error) : 0;
    if (!form && (message->body = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY)) == NULL)
        code = error_nomem(error);
    message->http.body = message->body;
    message->http.body_bytes = message->body != NULL ? strlen(message->body) : 0;
    message->http.content_type = type;
    return code;
}

/* ---- all of it ---- */

/* Sent twice is as sent once: a request that only reads, or one that says how things shall be. */
static bool is_repeatable(const struct call *call)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", NULL };

    for (const char *const *method = methods; *method != NULL; method++)
        if (strcmp(*method, call->method) == 0)
            return call->kind != CALL_CREATE;
    return call->send == SEND_MERGE_PATCH || call->send == SEND_SCIM_PATCH || call->kind == CALL_READ ||
           call->kind == CALL_MATCH || call->kind == CALL_LIST || call->kind == CALL_GROUPS_OF;
}

int message_make(const struct call *call, const struct message_input *input, struct message *ret_message, struct error *error)
{
    struct message message = { 0 };
    cleanup_buf struct buf target = { 0 };
    int code = 0;

    if (input->target != NULL)
        buf_add_str(&target, input->target);
    else
        code = make_target(call, input->parameters, &target, error);
    if (code == 0 && (message.target = buf_take(&target)) == NULL)
        code = error_nomem(error);
    if (code == 0)
        code = make_headers(call, input, &message, error);
    if (code == 0)
        code = make_body(call, input->body, &message, error);
    if (code < 0) {
        message_clear(&message);
        return error_prefix(error, "requests.%s", call_name(call->kind));
    }
    message.http.method = call->method;
    message.http.target = message.target;
    message.http.headers = message.headers;
    message.http.repeatable = is_repeatable(call);
    message.http.trial = input->trial;
    *ret_message = message;
    return 0;
}

void message_clear(struct message *message)
{
    for (size_t i = 0; i < message->header_count; i++)
        free(message->texts[i]);
    free(message->texts);
    free(message->headers);
    free(message->target);
    free(message->body);
    *message = (struct message){ 0 };
}
