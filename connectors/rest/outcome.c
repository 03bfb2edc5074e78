#include "connectors/rest/outcome.h"

#include "base/option.h"
#include "base/str.h"
#include "connectors/rest/value.h"

#define SURE(outcome) OUTCOME_##outcome, REFUSAL_SURE
#define UNSURE OUTCOME_RETRY, REFUSAL_UNSURE /* this record's or the target's */
#define OVER false
#define AT_WORK true

static const struct status_row table[] = {
    { 202, 202, SURE(APPLIED), AT_WORK, "Accepted", "it will be done" },
    { 304, 304, SURE(UNCHANGED), OVER, "Not Modified", "it is so already" },
    { 400, 400, SURE(REJECTED), OVER, "Bad Request", "the target does not understand the request" },
    { 401, 401, OUTCOME_RETRY, REFUSAL_UNSURE_LOGIN, OVER, "Unauthorized",
      "the target does not take our log-in, or not for this: check auth and its secret in the settings" },
    { 402, 402, UNSURE, OVER, "Payment Required", "the target wants to be paid first, or its seats are used up: look at the subscription" },
    { 403, 403, UNSURE, OVER, "Forbidden",
      "the agent's account may not do this, to this account or to any: give it the right, or say in outcomes what 403 always means here" },
    { 404, 404, SURE(GONE), OVER, "Not Found", "there is nothing at this path" },
    { 405, 405, UNSURE, AT_WORK, "Method Not Allowed",
      "the target does not take this method here: change the mapping's request, or look whether another server answers for it" },
    { 406, 406, UNSURE, OVER, "Not Acceptable",
      "the target cannot answer in JSON, or a firewall does not let it through: set an Accept header in the mapping's request" },
    { 407, 407, SURE(TARGET_DOWN), OVER, "Proxy Authentication Required", "the proxy does not let us through: check proxy" },
    { 408, 408, UNSURE, AT_WORK, "Request Timeout", "the target did not get the request in time" },
    { 409, 409, SURE(CONFLICT), OVER, "Conflict", "it contradicts what is there" },
    { 410, 410, SURE(GONE), OVER, "Gone", "it is not there any more" },
    { 411, 411, SURE(REJECTED), OVER, "Length Required", "the target wants another form of request" },
    { 412, 412, SURE(CONFLICT), OVER, "Precondition Failed", "it was changed meanwhile" },
    { 413, 413, SURE(REJECTED), OVER, "Content Too Large", "the target takes no body of this size" },
    { 414, 414, SURE(REJECTED), OVER, "URI Too Long", "the target takes no path of this length" },
    { 415, 415, SURE(REJECTED), OVER, "Unsupported Media Type",
      "the target does not take this content type: set content_type or another send in the mapping's request" },
    { 421, 421, SURE(TARGET_DOWN), OVER, "Misdirected Request", "another server is responsible: check url" },
    { 422, 422, SURE(REJECTED), OVER, "Unprocessable Content", "the target refuses the data" },
    { 423, 423, UNSURE, OVER, "Locked", "it is locked in the target, or the agent's account is" },
    { 425, 425, SURE(RETRY), OVER, "Too Early", "the target wants it later" },
    { 426, 426, UNSURE, OVER, "Upgrade Required", "the target wants another protocol: check url" },
    { 428, 428, SURE(REJECTED), OVER, "Precondition Required",
      "the target wants If-Match: use send = \"document\" in the mapping's update" },
    { 429, 429, SURE(RETRY), OVER, "Too Many Requests", "the target wants fewer requests: set rate in the settings" },
    { 431, 431, SURE(REJECTED), OVER, "Request Header Fields Too Large", "the headers are too long for the target" },
    { 451, 451, UNSURE, OVER, "Unavailable For Legal Reasons", "the target may not do it, for this account or from here" },
    { 500, 500, UNSURE, OVER, "Internal Server Error", "the target failed" },
    { 501, 501, UNSURE, OVER, "Not Implemented", "the target cannot do this" },
    { 502, 502, UNSURE, AT_WORK, "Bad Gateway", "what stands before the target got no answer from it" },
    { 503, 503, UNSURE, AT_WORK, "Service Unavailable", "the target is overloaded or being worked on" },
    { 504, 504, UNSURE, AT_WORK, "Gateway Timeout", "what stands before the target waited too long for it" },
    { 511, 511, SURE(TARGET_DOWN), OVER, "Network Authentication Required", "a network on the way wants a log-in of its own" },
    { 100, 199, UNSURE, AT_WORK, "informational", "the target began to answer and did not end" },
    { 200, 299, SURE(APPLIED), OVER, "success", "done" },
    { 300, 399, UNSURE, OVER, "redirect",
      "the target sends us elsewhere, which is not followed: correct url or the request's path; where that is a log-in page, check auth" },
    { 400, 499, UNSURE, OVER, "client error", "the target refuses the request" },
    { 500, 599, UNSURE, AT_WORK, "server error", "the target failed, or what stands before it" },
    { 0, 0, UNSURE, AT_WORK, "no status", "that is no HTTP status" },
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

static struct verdict sure(enum outcome outcome, const char *sentence)
{
    return (struct verdict){ .outcome = outcome, .refusal = REFUSAL_SURE, .sentence = sentence };
}

static struct verdict unsure(const char *sentence)
{
    return (struct verdict){ .outcome = OUTCOME_RETRY, .refusal = REFUSAL_UNSURE, .sentence = sentence };
}

/* "Is not there" by kind of call. GONE makes the agent read and plan again: no help where nothing was there to be read. Of a list,
 * and of the place where accounts are made, it says that the path is wrong, or that the API is not there at all. */
static struct verdict when_gone(const struct call *call, bool told, const char *sentence)
{
    switch (call->kind) {
    case CALL_REMOVE:
        return sure(OUTCOME_UNCHANGED, sentence);
    case CALL_CREATE:
        return told ? sure(OUTCOME_REJECTED, sentence) : unsure("there is nothing at this path: check url and path");
    case CALL_MATCH:
    case CALL_LIST:
    case CALL_GROUPS_OF:
        return told || (call->kind == CALL_MATCH && call->items == NULL)
                   ? sure(OUTCOME_GONE, sentence)
                   : unsure("there is nothing at this path: check url and path; where it means that nobody was found, the request needs "
                            "outcomes = ( { status = 404; outcome = \"gone\"; } )");
    default:
        return sure(OUTCOME_GONE, sentence);
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

/* A refusal (4xx) with Retry-After is none for good, whatever its status. A failure (5xx) with it stays what the table says: a
 * maintenance is the target's. A quota that is used up counts only where the table knows no better: the last request that a quota
 * allows may be refused for its data like any other. */
static bool is_rate_limit(const struct status_row *row, const struct http_answer *http, struct verdict *ret_verdict)
{
    bool by_quota = !http->patience.asked && http->patience.used_up && row->outcome == OUTCOME_RETRY && row->refusal != REFUSAL_UNSURE_LOGIN;
    bool asked = http->patience.asked && http->status < 500;

    if (http->status < 400 || !(asked || by_quota))
        return false;
    *ret_verdict = sure(OUTCOME_RETRY, http->status == 429 || http->status >= 500 ? row->sentence
                                       : "the target wants us to wait: set rate in the settings if it happens often");
    ret_verdict->by_quota = by_quota;
    ret_verdict->retry_after_us = by_quota ? patience_cut(http->patience.reset_us) : http->retry_after_us;
    return true;
}

/* By what the mapping, the target or the table says. */
static struct verdict by_status(const struct call *call, const struct status_row *row, bool told, enum outcome outcome)
{
    if (outcome == OUTCOME_UNCHANGED && call->kind <= CALL_GROUPS_OF)
        return sure(OUTCOME_REJECTED, row->sentence); /* we keep nothing that could be unchanged */
    if (outcome == OUTCOME_GONE)
        return when_gone(call, told, row->sentence);
    return (struct verdict){ .outcome = outcome, .refusal = told ? REFUSAL_SURE : row->refusal, .sentence = row->sentence };
}

struct verdict verdict_of_answer(const struct call *call, const struct status_overrides *overrides, const struct http_answer *http)
{
    const struct status_row *row = status_row(http->status);
    enum outcome outcome = row->outcome;
    bool told = told_outcome(call, overrides, http->status, &outcome);
    struct verdict verdict;

    if (!told && is_rate_limit(row, http, &verdict))
        return verdict;
    verdict = by_status(call, row, told, outcome);
    verdict.retry_after_us = http->retry_after_us;
    return verdict;
}

struct verdict verdict_of_code(const struct call *call, const char *code)
{
    size_t i;
    json_t *entry;

    json_array_foreach (call->result.codes, i, entry) {
        cleanup_free char *named = value_text(json_object_get(entry, "code"));
        if (!str_equal(named, code))
            continue;
        enum outcome outcome = named_outcome(entry);
        return outcome == OUTCOME_GONE ? when_gone(call, true, "") : sure(outcome, "");
    }
    return unsure("");
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
