#include "connectors/rest/mapping_check.h"

#include <ctype.h>
#include <strings.h>

#include "base/str.h"
#include "connectors/rest/call.h"
#include "connectors/rest/outcome.h"
#include "connectors/rest/pages.h"
#include "connectors/rest/pointer.h"

#define SETTING(type, member, name, help) OPTION_ANY(type, member, name, 0, help)
#define CHOICE(type, member, name, flags, choices, help)                                                                         \
    {                                                                                                                            \
        name, OPTION_TYPE_CHOICE, flags, offsetof(type, member), NULL, 0, 0, choices, help                                       \
    }

/* ---- tables ---- */

struct requests {
    const config_setting_t *match;
    const config_setting_t *calls[CALL_COUNT];
};

static const struct option_row requests_rows[] = {
    OPTION_GROUP(struct requests, calls[CALL_READ], "read", OPTION_REQUIRED,
                 "reads a linked account: its path holds {account.key}"),
    OPTION_ANY(
        struct requests, match, "match", 0,
        "a list of requests, tried in order, that find an account which is not linked yet; more than one hit is ambiguous"),
    OPTION_GROUP(struct requests, calls[CALL_LIST], "list", 0, "lists all accounts, for reconcile"),
    OPTION_GROUP(struct requests, calls[CALL_CREATE], "create", 0, "makes an account; without it nobody gets one"),
    OPTION_GROUP(struct requests, calls[CALL_UPDATE], "update", 0, "changes attributes; without it none are changed"),
    OPTION_GROUP(struct requests, calls[CALL_DISABLE], "disable", 0,
                 "disables an account; without it update sends what the mapping's disable: says"),
    OPTION_GROUP(struct requests, calls[CALL_ENABLE], "enable", 0, "enables it again; without it update does"),
    OPTION_GROUP(struct requests, calls[CALL_REMOVE], "remove", 0, "removes an account"),
    OPTION_GROUP(struct requests, calls[CALL_MEMBER_ADD], "member_add", 0, "a group's file: puts {value} into the group"),
    OPTION_GROUP(struct requests, calls[CALL_MEMBER_REMOVE], "member_remove", 0,
                 "a group's file: takes {value} out of the group"),
    OPTION_ANY(struct requests, calls[CALL_GROUPS_OF], "groups_of", 0,
               "a group's file: finds the groups that hold {value}; a request, or a list of them, tried in order up to one that "
               "shows them"),
    OPTION_END
};

struct request {
    int method, send;
    char *path, *content_type, *items, *item;
    const config_setting_t *query, *headers, *body, *where, *exact, *next, *result, *outcomes;
};

/* Index 0: not given. */
static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", NULL };
enum { METHOD_GET };

static const struct option_row request_rows[] = {
    CHOICE(struct request, method, "method", 0, methods,
           "default: GET for read, match, list and groups_of; POST for create, disable and enable; DELETE for remove; PATCH for "
           "members; for update what goes with send"),
    OPTION_STRING(struct request, path, "path", 0, NULL,
                  "appended to the target's url; what stands in braces is percent-encoded; default: the url itself"),
    SETTING(struct request, query, "query",
            "a group of parameters; texts, numbers, booleans or lists of these, encoded by the connector"),
    SETTING(struct request, headers, "headers",
            "a group { Name = \"value\"; } or a list ( { name = \"…\"; value = \"…\"; } ); not those for the log-in"),
    SETTING(struct request, body, "body", "a group or list, sent as JSON, or \"file:NAME.json\", a file beside the mapping file"),
    CHOICE(
        struct request, send, "send", 0, send_names,
        "a body that the connector makes, instead of body; default: object for create; for update by method merge_patch (PATCH), "
        "object (PUT) or changes (POST)"),
    OPTION_STRING(struct request, content_type, "content_type", 0, NULL,
                  "of the body; default: what belongs to send; application/x-www-form-urlencoded sends a form"),
    OPTION_STRING(struct request, items, "items", 0, NULL,
                  "pointer to the list of hits in the answer; absent: the answer is one item"),
    OPTION_STRING(struct request, item, "item", 0, NULL, "pointer to the one item in the answer; default: result.item"),
    SETTING(struct request, where, "where",
            "a group { ATTRIBUTE = value; }: hits that do not have these are dropped; a list: one of these; \"\": nothing; "
            "where: { }; believes all"),
    SETTING(struct request, exact, "exact",
            "a list of attributes of where that must have the same case, too; of all others it makes no difference"),
    SETTING(struct request, next, "next", "how the next page is found, a group"),
    SETTING(struct request, result, "result", "what in this answer is read otherwise, a group like the mapping's result"),
    SETTING(struct request, outcomes, "outcomes", "what a status means here: ( { status = 409; outcome = \"unchanged\"; } )"),
    OPTION_END
};

struct next_page {
    int by;
    char *pointer, *parameter, *size_parameter, *total;
    int64_t first, size;
};

static const struct option_row next_rows[] = {
    CHOICE(struct next_page, by, "by", OPTION_REQUIRED, next_names, "how this API divides its lists"),
    OPTION_STRING(struct next_page, pointer, "pointer", 0, NULL, "for cursor and next_url: where in the answer it stands"),
    OPTION_STRING(struct next_page, parameter, "parameter", 0, NULL,
                  "for cursor, page and offset: the query parameter that asks for it"),
    OPTION_INT(struct next_page, first, "first", 0, NULL, 0, 1000000,
               "the first page or offset; default: 1 for page, 0 for offset"),
    OPTION_STRING(struct next_page, size_parameter, "size_parameter", 0, NULL, "the query parameter that asks for so many items"),
    OPTION_INT(struct next_page, size, "size", 0, NULL, 1, 1000000, "how many items to ask for"),
    OPTION_STRING(struct next_page, total, "total", 0, NULL,
                  "for page and offset: pointer to the number of all items; without it the first page without items is the end"),
    OPTION_END
};

struct result_text {
    char *id, *item, *error, *failure, *code;
    const config_setting_t *disabled, *codes;
};

static const struct option_row result_rows[] = {
    OPTION_STRING(struct result_text, id, "id", 0, "/id",
                  "pointer to the account's id within an item: a text or whole number, for ever the same"),
    OPTION_STRING(struct result_text, item, "item", 0, NULL,
                  "pointer to the item in an answer that is about one; default: the whole answer"),
    OPTION_STRING(struct result_text, error, "error", 0, NULL,
                  "pointer to the API's words for a failure; default: where APIs usually put them"),
    SETTING(struct result_text, disabled, "disabled", "how an item shows that it is disabled, a group"),
    OPTION_STRING(struct result_text, failure, "failure", 0, NULL,
                  "pointer to what is there only in an answer that failed although its status is a success (JSON-RPC: /error)"),
    OPTION_STRING(struct result_text, code, "code", 0, NULL, "pointer to the code of such a failure"),
    SETTING(struct result_text, codes, "codes",
            "what these codes mean: ( { code = \"-32004\"; outcome = \"gone\"; } ); others may be about all records, and are tried again"),
    OPTION_END
};

struct disabled_text {
    char *pointer;
    const config_setting_t *values;
};

static const struct option_row disabled_rows[] = {
    OPTION_STRING(struct disabled_text, pointer, "pointer", OPTION_REQUIRED, NULL, "where the item tells it"),
    SETTING(
        struct disabled_text, values, "values",
        "the values that mean disabled, a list; true and false stand for each spelling (\"False\", \"no\", 0), and what is neither tells "
        "nothing; without it anything that stands there does, but null, 0, what is empty, and false in any spelling"),
    OPTION_END
};

const struct mapping_table rest_mapping_tables[] = {
    { "requests", requests_rows }, { "a request", request_rows }, { "next", next_rows },
    { "result", result_rows },     { "disabled", disabled_rows }, { NULL, NULL },
};

/* ---- what many have ---- */

#define PROBLEM(setting, ...) problems_add(problems, setting_file(setting), setting_line(setting), 0, __VA_ARGS__)

static const config_setting_t *member(const config_setting_t *group, const char *name)
{
    return group != NULL && config_setting_is_group(group) ? config_setting_get_member(group, name) : NULL;
}

static void check_pointer(const config_setting_t *group, const char *name, const char *where, const char *text,
                          struct problems *problems)
{
    const config_setting_t *setting = member(group, name);

    if (text != NULL && setting != NULL && !pointer_is_valid(text))
        PROBLEM(setting, "%s.%s: \"%s\" is no JSON pointer (RFC 6901); right would be \"/%s\"", where, name, text,
                text[0] != '\0' && strchr(text, '~') == NULL ? text : "status");
}

static bool check_is_group(const config_setting_t *setting, const char *where, const char *name, struct problems *problems)
{
    if (setting == NULL || config_setting_is_group(setting))
        return setting != NULL;
    PROBLEM(setting, "%s.%s: a group is expected, { name = value; }", where, name);
    return false;
}

/* ---- result ---- */

static void check_disabled(const config_setting_t *group, const char *where, struct problems *problems)
{
    struct disabled_text disabled = { 0 };
    cleanup_free char *place = str_printf("%s.disabled", where);

    if (!check_is_group(group, where, "disabled", problems))
        return;
    options_parse(disabled_rows, group, place, &disabled, problems);
    check_pointer(group, "pointer", place, disabled.pointer, problems);
    if (disabled.values != NULL && config_setting_is_group(disabled.values))
        PROBLEM(disabled.values, "%s.values: a list is expected, [ \"terminated\" ]", place);
    else if (disabled.values != NULL && config_setting_is_aggregate(disabled.values) &&
             config_setting_length(disabled.values) == 0)
        PROBLEM(disabled.values, "%s.values is empty: no account would ever count as disabled; name what the API writes", place);
    options_free(disabled_rows, &disabled);
}

static void check_result(const config_setting_t *group, const char *where, struct problems *problems)
{
    struct result_text result = { 0 };

    options_parse(result_rows, group, where, &result, problems);
    check_pointer(group, "id", where, result.id, problems);
    check_pointer(group, "item", where, result.item, problems);
    check_pointer(group, "error", where, result.error, problems);
    check_pointer(group, "failure", where, result.failure, problems);
    check_pointer(group, "code", where, result.code, problems);
    check_disabled(result.disabled, where, problems);
    if (result.codes != NULL) {
        cleanup_free char *place = str_printf("%s.codes", where);
        outcome_check_codes(result.codes, place, problems);
        if (result.code == NULL)
            PROBLEM(result.codes, "%s says nothing without %s.code; add code = \"/error/code\"", place, where);
    }
    options_free(result_rows, &result);
}

/* ---- next ---- */

static void check_next_needs(const config_setting_t *group, const struct next_page *next, const char *where,
                             struct problems *problems)
{
    bool pointer = next->by == NEXT_CURSOR || next->by == NEXT_NEXT_URL;
    bool parameter = next->by == NEXT_CURSOR || next->by == NEXT_PAGE || next->by == NEXT_OFFSET;

    if (pointer && next->pointer == NULL)
        PROBLEM(group, "%s: by = \"%s\" needs pointer, where the answer says what comes next", where, next_names[next->by]);
    if (parameter && next->parameter == NULL)
        PROBLEM(group, "%s: by = \"%s\" needs parameter, the query parameter that asks for the next page", where,
                next_names[next->by]);
    if (!pointer && next->pointer != NULL)
        PROBLEM(member(group, "pointer"), "%s.pointer has no meaning with by = \"%s\"; remove it", where, next_names[next->by]);
    if ((next->size_parameter == NULL) != (member(group, "size") == NULL))
        PROBLEM(group, "%s: size and size_parameter belong together; add the other one, or remove both", where);
}

static void check_next(const config_setting_t *group, const char *request, const char *items, struct problems *problems)
{
    struct next_page next = { 0 };
    cleanup_free char *where = str_printf("%s.next", request);
    size_t before = problems->count;

    if (!check_is_group(group, request, "next", problems))
        return;
    options_parse(next_rows, group, where, &next, problems);
    if (problems->count == before)
        check_next_needs(group, &next, where, problems);
    check_pointer(group, "pointer", where, next.pointer, problems);
    check_pointer(group, "total", where, next.total, problems);
    if (items == NULL)
        PROBLEM(group, "%s: an answer that is one item has no pages; add items, the pointer to the list", where);
    options_free(next_rows, &next);
}

/* ---- a request ---- */

static const char *constant_path(const char *path, char *copy, size_t bytes)
{
    size_t length = 0;
    int depth = 0;

    for (; *path != '\0' && length + 1 < bytes; path++) {
        depth += *path == '{';
        if (depth == 0 || (*path == '}' && depth == 1))
            copy[length++] = depth == 0 ? *path : 'x'; /* what is put in stands for a letter */
        depth -= *path == '}' && depth > 0;
    }
    copy[length] = '\0';
    return copy;
}

static void check_path(const config_setting_t *group, const char *where, const char *path, struct problems *problems)
{
    char constant[512];
    struct error error = { 0 };

    if (path != NULL && request_check_path(constant_path(path, constant, sizeof(constant)), &error) < 0)
        PROBLEM(member(group, "path") != NULL ? member(group, "path") : group,
                "%s: %s; right would be \"/employees/{account.key}\"", where, error.text);
}

static void check_header_name(const config_setting_t *setting, const char *where, const char *name, struct problems *problems)
{
    static const char *const not_here[] = { "Authorization",     "Connection", "Content-Length", "Host", "Proxy-Authorization",
                                            "Transfer-Encoding", NULL };

    if (name == NULL || !http_header_name_is_valid(name)) {
        PROBLEM(setting, "%s.headers: \"%s\" is no header's name", where, name != NULL ? name : "");
        return;
    }
    if (strcasecmp(name, "Content-Type") == 0)
        PROBLEM(setting, "%s.headers: write content_type = \"…\" beside headers instead of Content-Type", where);
    for (const char *const *other = not_here; *other != NULL; other++)
        if (strcasecmp(name, *other) == 0)
            PROBLEM(setting, "%s.headers: %s is not for a mapping; how to log in stands in the target's settings (auth)", where,
                    *other);
}

static void check_headers(const config_setting_t *headers, const char *where, struct problems *problems)
{
    bool group = headers != NULL && config_setting_is_group(headers);
    bool list = headers != NULL && config_setting_is_list(headers);

    if (headers != NULL && !group && !list)
        PROBLEM(headers, "%s.headers: a group is expected, { Name = \"value\"; }, or a list ( { name = \"…\"; value = \"…\"; } )",
                where);
    for (int i = 0; (group || list) && i < config_setting_length(headers); i++) {
        const config_setting_t *header = config_setting_get_elem(headers, (unsigned)i);
        const char *name = group ? config_setting_name(header) : NULL;
        if (list && (!config_setting_is_group(header) || member(header, "value") == NULL))
            PROBLEM(header, "%s.headers: each entry is { name = \"…\"; value = \"…\"; }", where);
        else {
            if (list)
                config_setting_lookup_string(header, "name", &name);
            check_header_name(header, where, name, problems);
        }
    }
}

static void check_body(const config_setting_t *group, const struct request *request, const char *where, struct problems *problems)
{
    const config_setting_t *body = request->body, *send = member(group, "send");

    if (body != NULL && send != NULL)
        PROBLEM(send, "%s: body and send exclude each other; remove one", where);
    if (body != NULL && !config_setting_is_aggregate(body) &&
        (config_setting_type(body) != CONFIG_TYPE_STRING || !str_starts(config_setting_get_string(body), "file:")))
        PROBLEM(body, "%s.body: a group is expected, { name = value; }, a list, or \"file:NAME.json\"", where);
    if ((body != NULL || (send != NULL && request->send != SEND_NONE)) && member(group, "method") != NULL &&
        request->method == METHOD_GET)
        PROBLEM(member(group, "method"), "%s: a GET carries no body; remove body or send, or name another method", where);
    if (member(group, "content_type") != NULL && body == NULL && send != NULL && request->send == SEND_NONE)
        PROBLEM(member(group, "content_type"), "%s: content_type says nothing where send = \"none\"; remove one", where);
}

static bool is_reading(enum call_kind kind)
{
    return kind <= CALL_GROUPS_OF;
}

static void check_send(const config_setting_t *group, enum call_kind kind, enum send send, const char *where,
                       struct problems *problems)
{
    const config_setting_t *setting = member(group, "send");
    bool member_change = kind == CALL_MEMBER_ADD || kind == CALL_MEMBER_REMOVE;

    if (setting == NULL || send == SEND_NONE)
        return;
    if (is_reading(kind) || kind == CALL_REMOVE)
        PROBLEM(setting, "%s.send: there is nothing to send of an account here; use body", where);
    else if (kind == CALL_CREATE && send != SEND_OBJECT)
        PROBLEM(setting, "%s.send: an account that is not there yet has no changes; right would be send = \"object\", or body",
                where);
    else if (member_change && send != SEND_SCIM_PATCH)
        PROBLEM(setting, "%s.send: of a member only \"scim_patch\" can be made; right would be that, or body with {value}",
                where);
}

static void check_exact(const config_setting_t *exact, const config_setting_t *conditions, const char *where,
                        struct problems *problems)
{
    bool list = exact != NULL && config_setting_is_aggregate(exact) && !config_setting_is_group(exact);

    if (exact != NULL && !list)
        PROBLEM(exact, "%s.exact: a list of names is expected, [ \"externalId\" ]", where);
    for (int i = 0; list && i < config_setting_length(exact); i++) {
        const char *name = config_setting_get_string_elem(exact, i);
        if (name == NULL || member(conditions, name) == NULL)
            PROBLEM(exact, "%s.exact: \"%s\" is no attribute of where; name one that is, or remove it", where,
                    name != NULL ? name : "");
    }
}

static void check_request(const config_setting_t *group, enum call_kind kind, const char *where, struct problems *problems)
{
    struct request request = { 0 };
    cleanup_free char *result = str_printf("%s.result", where), *outcomes = str_printf("%s.outcomes", where);

    options_parse(request_rows, group, where, &request, problems);
    check_path(group, where, request.path, problems);
    check_headers(request.headers, where, problems);
    check_body(group, &request, where, problems);
    check_send(group, kind, (enum send)request.send, where, problems);
    check_pointer(group, "items", where, request.items, problems);
    check_pointer(group, "item", where, request.item, problems);
    if (request.items != NULL && request.item != NULL)
        PROBLEM(member(group, "item"), "%s: items and item exclude each other; an answer is a list or one item", where);
    if ((kind == CALL_LIST || kind == CALL_GROUPS_OF) && request.items == NULL)
        PROBLEM(group, "%s needs items, the pointer to the list in its answer (\"\" where the answer is the list)", where);
    if (request.where != NULL && kind != CALL_MATCH)
        PROBLEM(request.where, "%s: where goes with match only; remove it", where);
    check_exact(request.exact, request.where, where, problems);
    check_is_group(request.query, where, "query", problems);
    check_is_group(request.where, where, "where", problems);
    check_next(request.next, where, request.items, problems);
    if (check_is_group(request.result, where, "result", problems))
        check_result(request.result, result, problems);
    if (request.outcomes != NULL)
        outcome_check_list(request.outcomes, outcomes, problems);
    options_free(request_rows, &request);
}

/* ---- all requests ---- */

static void check_list(const config_setting_t *list, enum call_kind kind, struct problems *problems)
{
    bool good = config_setting_is_list(list) != 0;

    for (int i = 0; good && i < config_setting_length(list); i++) {
        const config_setting_t *entry = config_setting_get_elem(list, (unsigned)i);
        cleanup_free char *where = str_printf("requests.%s[%d]", call_name(kind), i);
        good = config_setting_is_group(entry) != 0;
        if (good)
            check_request(entry, kind, where, problems);
    }
    if (!good)
        PROBLEM(list, "requests.%s: a list of groups is expected, ( { path = \"/employees\"; … } )", call_name(kind));
}

static void check_kind(const struct requests *requests, bool group, struct problems *problems)
{
    static const struct {
        enum call_kind kind;
        bool group;
    } only[] = {
        { CALL_DISABLE, false },      { CALL_ENABLE, false },   { CALL_MEMBER_ADD, true },
        { CALL_MEMBER_REMOVE, true }, { CALL_GROUPS_OF, true },
    };

    for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
        const config_setting_t *setting = requests->calls[only[i].kind];
        if (setting != NULL && only[i].group != group)
            PROBLEM(setting, "requests.%s goes with kind = \"%s\" only; remove it", call_name(only[i].kind),
                    only[i].group ? "group" : "user");
    }
}

static void check_partners(const config_setting_t *setting, const struct requests *requests, bool group,
                           struct problems *problems)
{
    const config_setting_t *const *calls = requests->calls;

    if (calls[CALL_CREATE] != NULL && (requests->match == NULL || config_setting_length(requests->match) == 0))
        PROBLEM(calls[CALL_CREATE],
                "requests.create needs match: when the answer to a creation is lost, only match can tell whether the "
                "account was made");
    if (group && ((calls[CALL_MEMBER_ADD] != NULL) != (calls[CALL_MEMBER_REMOVE] != NULL) ||
                  (calls[CALL_MEMBER_ADD] != NULL) != (calls[CALL_GROUPS_OF] != NULL)))
        PROBLEM(setting, "requests: member_add, member_remove and groups_of belong together; add those that are missing");
}

static void check_requests(const config_setting_t *root, bool group, struct problems *problems)
{
    const config_setting_t *setting = member(root, "requests");
    struct requests requests = { 0 };

    if (setting == NULL) {
        PROBLEM(root, "requests is missing: it says how this API is spoken to; right would be "
                      "requests: { read: { path = \"/employees/{account.key}\"; }; … };");
        return;
    }
    if (!config_setting_is_group(setting)) {
        PROBLEM(setting, "requests: a group is expected, requests: { read: { … }; … };");
        return;
    }
    options_parse(requests_rows, setting, "requests", &requests, problems);
    for (enum call_kind kind = 0; kind < CALL_COUNT; kind++) {
        cleanup_free char *where = str_printf("requests.%s", call_name(kind));
        if (kind == CALL_GROUPS_OF && requests.calls[kind] != NULL && !config_setting_is_group(requests.calls[kind]))
            check_list(requests.calls[kind], kind, problems);
        else if (requests.calls[kind] != NULL)
            check_request(requests.calls[kind], kind, where, problems);
    }
    if (requests.match != NULL)
        check_list(requests.match, CALL_MATCH, problems);
    check_kind(&requests, group, problems);
    check_partners(setting, &requests, group, problems);
}

static bool tells_disabled(const config_setting_t *group)
{
    const config_setting_t *result = group != NULL && config_setting_is_group(group) ? member(group, "result") : NULL;

    return result != NULL && config_setting_is_group(result) && member(result, "disabled") != NULL;
}

/* Whoever was disabled must be seen to be: a leaver would be sent out again and again, and a return not be noticed. */
static void check_disable_shows(const config_setting_t *root, struct problems *problems)
{
    const config_setting_t *requests = member(root, "requests");
    const config_setting_t *disable = requests != NULL && config_setting_is_group(requests) ? member(requests, "disable") : NULL;
    bool shows = member(root, "disable") != NULL || tells_disabled(root);

    for (int i = 0; disable != NULL && i < config_setting_length(requests); i++)
        shows = shows || tells_disabled(config_setting_get_elem(requests, (unsigned)i));
    if (disable != NULL && !shows)
        PROBLEM(disable, "requests.disable: nothing tells afterwards that an account is disabled; add "
                         "result: { disabled: { pointer = \"/status\"; values = [ \"terminated\" ]; }; };");
}

void rest_check_mapping(const config_setting_t *root, bool group, struct problems *problems)
{
    const config_setting_t *result = member(root, "result");
    size_t before = problems->count;

    check_requests(root, group, problems);
    if (result != NULL && !config_setting_is_group(result))
        PROBLEM(result, "result: a group is expected, { id = \"/id\"; }");
    else if (result != NULL)
        check_result(result, "result", problems);
    check_disable_shows(root, problems);
    rest_check_pointers(root, problems);
    if (problems->count == before)
        rest_check_whom(root, problems);
}
