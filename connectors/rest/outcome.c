#include "connectors/rest/outcome.h"

#include "base/option.h"
#include "base/str.h"
#include "connectors/rest/value.h"

static const struct status_row table[] = {
    { 304, 304, OUTCOME_UNCHANGED, "Not Modified", "it is so already" },
    { 400, 400, OUTCOME_REJECTED, "Bad Request", "the target does not understand the request" },
    { 401, 401, OUTCOME_TARGET_DOWN, "Unauthorized",
      "the target does not take our log-in: check auth and its secret in the settings" },
    { 402, 402, OUTCOME_REJECTED, "Payment Required", "the target wants to be paid first" },
    { 403, 403, OUTCOME_TARGET_DOWN, "Forbidden",
      "we are logged in and may not do this: give the agent's account the right for it (where this is about one person only, say "
      "so in the request's outcomes)" },
    { 404, 404, OUTCOME_GONE, "Not Found", "there is nothing at this path" },
    { 405, 405, OUTCOME_REJECTED, "Method Not Allowed",
      "the target does not know this method here: change the mapping's request" },
    { 406, 406, OUTCOME_REJECTED, "Not Acceptable",
      "the target cannot answer in JSON: set an Accept header in the mapping's request" },
    { 407, 407, OUTCOME_TARGET_DOWN, "Proxy Authentication Required", "the proxy does not let us through" },
    { 408, 408, OUTCOME_RETRY, "Request Timeout", "the target did not get the request in time" },
    { 409, 409, OUTCOME_CONFLICT, "Conflict", "it contradicts what is there" },
    { 410, 410, OUTCOME_GONE, "Gone", "it is not there any more" },
    { 411, 411, OUTCOME_REJECTED, "Length Required", "the target wants another form of request" },
    { 412, 412, OUTCOME_CONFLICT, "Precondition Failed", "it was changed meanwhile" },
    { 413, 413, OUTCOME_REJECTED, "Content Too Large", "the target takes no body of this size" },
    { 414, 414, OUTCOME_REJECTED, "URI Too Long", "the target takes no path of this length" },
    { 415, 415, OUTCOME_REJECTED, "Unsupported Media Type",
      "the target does not take this content type: set content_type or another send in the mapping's request" },
    { 421, 421, OUTCOME_REJECTED, "Misdirected Request", "another server is responsible: check url" },
    { 422, 422, OUTCOME_REJECTED, "Unprocessable Content", "the target refuses the data" },
    { 423, 423, OUTCOME_REJECTED, "Locked", "it is locked in the target" },
    { 425, 425, OUTCOME_RETRY, "Too Early", "the target wants it later" },
    { 426, 426, OUTCOME_REJECTED, "Upgrade Required", "the target wants another protocol" },
    { 428, 428, OUTCOME_REJECTED, "Precondition Required",
      "the target wants If-Match: use send = \"document\" in the mapping's update" },
    { 429, 429, OUTCOME_RETRY, "Too Many Requests", "the target wants fewer requests: set rate in the settings" },
    { 431, 431, OUTCOME_REJECTED, "Request Header Fields Too Large", "the headers are too long for the target" },
    { 451, 451, OUTCOME_REJECTED, "Unavailable For Legal Reasons", "the target may not do it" },
    { 500, 500, OUTCOME_RETRY, "Internal Server Error", "the target failed" },
    { 501, 501, OUTCOME_RETRY, "Not Implemented", "the target cannot do this" },
    { 502, 502, OUTCOME_RETRY, "Bad Gateway", "what stands before the target got no answer from it" },
    { 503, 503, OUTCOME_RETRY, "Service Unavailable", "the target is overloaded or being worked on" },
    { 504, 504, OUTCOME_RETRY, "Gateway Timeout", "what stands before the target waited too long for it" },
    { 100, 199, OUTCOME_RETRY, "informational", "the target began to answer and did not end" },
    { 200, 299, OUTCOME_APPLIED, "success", "done" },
    { 300, 399, OUTCOME_REJECTED, "redirect",
      "the target sends us elsewhere, which is not followed: correct url or the request's path" },
    { 400, 499, OUTCOME_REJECTED, "client error", "the target refuses the request" },
    { 500, 599, OUTCOME_RETRY, "server error", "the target failed" },
    { 0, 0, OUTCOME_REJECTED, "no status", "that is no HTTP status" },
};

const struct status_row *status_table(void)
{
    return table;
}

const struct status_row *status_row(int status)
{
    const struct status_row *row = table;

    while (row->first != 0 && (status < row->first || status > row->last))
        row++;
    return row;
}

/* ---- what others say ---- */

const char *const outcome_choices[] = { "applied", "unchanged", "retry", "target_down", "rejected", "gone", "conflict", NULL };

bool outcome_find(const char *name, enum outcome *ret_outcome)
{
    for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++)
        if (strcmp(outcome_name(outcome), name) == 0) {
            *ret_outcome = outcome;
            return true;
        }
    return false;
}

static void override(struct status_overrides *overrides, long long status, const char *name)
{
    enum outcome outcome;

    if (status >= 0 && status < STATUS_COUNT && name != NULL && outcome_find(name, &outcome))
        overrides->outcome[status] = (signed char)outcome;
}

void overrides_read(const config_setting_t *outcomes, struct status_overrides *ret_overrides)
{
    memset(ret_overrides, -1, sizeof(*ret_overrides));
    for (int i = 0; outcomes != NULL && i < config_setting_length(outcomes); i++) {
        const config_setting_t *entry = config_setting_get_elem(outcomes, (unsigned)i);
        const char *name = NULL;
        int status = -1;
        if (config_setting_lookup_int(entry, "status", &status) == CONFIG_TRUE &&
            config_setting_lookup_string(entry, "outcome", &name) == CONFIG_TRUE)
            override(ret_overrides, status, name);
    }
}

static enum outcome named_outcome(const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "outcome"));
    enum outcome outcome = OUTCOME_REJECTED;

    if (name != NULL)
        outcome_find(name, &outcome);
    return outcome;
}

static bool call_overrides(const struct call *call, int status, enum outcome *ret_outcome)
{
    size_t i;
    json_t *entry;

    json_array_foreach (call->outcomes, i, entry)
        if (json_integer_value(json_object_get(entry, "status")) == status) {
            *ret_outcome = named_outcome(entry);
            return true;
        }
    return false;
}

/* ---- what it means to a call ---- */

/* "Is not there" by kind of call. GONE makes the agent read and plan again: no help where nothing was there to be read. */
static enum outcome when_gone(enum call_kind kind, bool told)
{
    switch (kind) {
    case CALL_REMOVE:
        return OUTCOME_UNCHANGED;
    case CALL_CREATE:
        return OUTCOME_REJECTED;
    case CALL_MATCH:
    case CALL_LIST:
    case CALL_GROUPS_OF:
        return told ? OUTCOME_GONE : OUTCOME_REJECTED; /* of a list, "not found" says that the path is wrong */
    default:
        return OUTCOME_GONE;
    }
}

/* *ret_outcome stays where nothing is told. */
static bool told_outcome(const struct call *call, const struct status_overrides *overrides, int status, enum outcome *ret_outcome)
{
    if (call_overrides(call, status, ret_outcome))
        return true;
    if (overrides == NULL || status < 0 || status >= STATUS_COUNT || overrides->outcome[status] < 0)
        return false;
    *ret_outcome = (enum outcome)overrides->outcome[status];
    return true;
}

bool outcome_is_told(const struct call *call, const struct status_overrides *overrides, int status)
{
    enum outcome unused;

    return told_outcome(call, overrides, status, &unused);
}

enum outcome outcome_of_status(const struct call *call, const struct status_overrides *overrides, int status)
{
    enum outcome outcome = status_row(status)->outcome;
    bool told = told_outcome(call, overrides, status, &outcome) || (call->kind == CALL_MATCH && call->items == NULL);

    if (outcome == OUTCOME_UNCHANGED && call->kind <= CALL_GROUPS_OF)
        return OUTCOME_REJECTED; /* we keep nothing that could be unchanged */
    return outcome == OUTCOME_GONE ? when_gone(call->kind, told) : outcome;
}

enum outcome outcome_of_code(const struct call *call, const char *code)
{
    size_t i;
    json_t *entry;

    json_array_foreach (call->result.codes, i, entry) {
        cleanup_free char *named = value_text(json_object_get(entry, "code"));
        if (!str_equal(named, code))
            continue;
        enum outcome outcome = named_outcome(entry);
        return outcome == OUTCOME_GONE ? when_gone(call->kind, true) : outcome;
    }
    return OUTCOME_REJECTED;
}

/* ---- checks ---- */

struct entry {
    int64_t status;
    const config_setting_t *code;
    int outcome;
};

#define OUTCOME_ROW                                                                                                              \
    {                                                                                                                            \
        "outcome", OPTION_TYPE_CHOICE, OPTION_REQUIRED, offsetof(struct entry, outcome), NULL, 0, 0, outcome_choices,            \
            "what the agent makes of it"                                                                                         \
    }

static const struct option_row status_rows[] = {
    OPTION_INT(struct entry, status, "status", OPTION_REQUIRED, NULL, 100, 599, "an HTTP status"), OUTCOME_ROW, OPTION_END
};

static const struct option_row code_rows[] = {
    OPTION_ANY(struct entry, code, "code", OPTION_REQUIRED, "the API's own code, a text or a number"), OUTCOME_ROW, OPTION_END
};

static void check_entries(const config_setting_t *list, const struct option_row *rows, const char *example, const char *where,
                          struct problems *problems)
{
    bool good = config_setting_is_list(list) != 0;

    for (int i = 0; good && i < config_setting_length(list); i++) {
        const config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        struct entry entry = { 0 };
        good = config_setting_is_group(group) != 0;
        if (good)
            options_parse(rows, group, where, &entry, problems);
        options_free(rows, &entry);
    }
    if (!good)
        problems_add(problems, setting_file(list), setting_line(list), 0, "%s: a list of groups is expected, %s", where, example);
}

void outcome_check_list(const config_setting_t *outcomes, const char *where, struct problems *problems)
{
    check_entries(outcomes, status_rows, "( { status = 423; outcome = \"retry\"; } )", where, problems);
}

void outcome_check_codes(const config_setting_t *codes, const char *where, struct problems *problems)
{
    check_entries(codes, code_rows, "( { code = \"-32004\"; outcome = \"gone\"; } )", where, problems);
}
