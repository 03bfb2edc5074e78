/* The REST connector at the test payroll: creations whose answers get lost, answers that are none, changes that are only
 * differences. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/support/rest_world.h"
#include "tests/support/settings.h"

#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define WAIT_US 1000000

static const struct connector_ops *ops;
static struct payroll payroll;
static void *target;
static struct connector_shared *shared;
static struct connector_session *session;
static struct receipt receipt;
static const char *leave_key; /* under which a disable goes out */

static const char *const names[] = { "external_id", "email", "first_name", "last_name", "start_date", "department", NULL };

/* ---- a world for each test ---- */

static void open_with(const char *options)
{
    cleanup_free char *text = str_printf(
        "url = \"%s\"; " REST_PROBE REST_LOGIN " lost_answer_wait = \"1 s\"; timeout = \"5 s\"; %s", payroll.url, options);

    target = settings_make(ops, text);
    assert_int_equal(ops->share(target, &shared, NULL), 0);
    if (ops->open(target, shared, &session, &receipt) != OUTCOME_APPLIED)
        fail_msg("%s", receipt.reason);
}

static int begin(void **state)
{
    (void)state;
    payroll_clear(&payroll);
    leave_key = "leave";
    open_with("");
    return 0;
}

static void close_it(void)
{
    ops->close(session);
    ops->unshare(shared);
    settings_free(ops, target);
    receipt_clear(&receipt);
    session = NULL;
}

static int end(void **state)
{
    (void)state;
    close_it();
    return 0;
}

/* Every receipt passes here: no secret is in it. */
static enum outcome taken(enum outcome outcome)
{
    assert_string_equal(outcome_name(outcome), outcome_name(receipt.outcome));
    if (receipt.reason != NULL)
        assert_null(strstr(receipt.reason, PAYROLL_TOKEN));
    return outcome;
}

#define assert_outcome(seen, wanted)                                                                                             \
    do {                                                                                                                         \
        enum outcome seen_ = (seen);                                                                                             \
        if (seen_ != OUTCOME_##wanted)                                                                                           \
            fail_msg("%s instead of %s: %s", outcome_name(seen_), outcome_name(OUTCOME_##wanted),                                \
                     receipt.reason != NULL ? receipt.reason : "");                                                              \
    } while (0)

/* RETRY, and whether the code alone tells that it is this record's. */
#define assert_retry(seen, whose)                                 \
    do {                                                          \
        assert_outcome(seen, RETRY);                              \
        if (receipt.refusal != REFUSAL_##whose)                   \
            fail_msg("%d instead of %s", receipt.refusal, #whose); \
    } while (0)

static void assert_reason(const char *part)
{
    if (receipt.reason == NULL || strstr(receipt.reason, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, receipt.reason != NULL ? receipt.reason : "nothing");
}

/* ---- what the agent does ---- */

static enum outcome read_with(json_t *settings, const char *key, struct account *ret_account)
{
    struct account_query query = { .key = key, .names = names, .settings = settings };
    struct account ignored = { 0 };
    enum outcome outcome = taken(ops->read(session, &query, ret_account != NULL ? ret_account : &ignored, &receipt));

    account_clear(&ignored);
    return outcome;
}

/* With the settings changed at `path` (NULL: as they are). */
static enum outcome read_ann(const char *key, const char *path, const char *json, struct account *ret_account)
{
    json_t *settings = rest_render("ann", key);

    if (path != NULL)
        rest_put(settings, path, json);
    enum outcome outcome = read_with(settings, key, ret_account);
    json_decref(settings);
    return outcome;
}

static enum outcome apply(struct operation *operation, struct account *ret_account)
{
    enum outcome outcome = taken(ops->apply(session, operation, ret_account, &receipt));

    json_decref(operation->settings);
    json_decref(operation->values);
    return outcome;
}

static enum outcome create(const char *key, bool repeated, const char *path, const char *json, char **ret_key)
{
    struct operation operation = { .kind = OPERATION_CREATE,
                                   .settings = rest_render("ann", NULL),
                                   .values = rest_values("ann"),
                                   .idempotency_key = TEXT(key),
                                   .repeated = repeated };
    struct account account = { 0 };

    if (path != NULL)
        rest_put(operation.settings, path, json);
    enum outcome outcome = apply(&operation, &account);
    if (ret_key != NULL)
        *ret_key = str_dup(account.key);
    account_clear(&account);
    return outcome;
}

static enum outcome change(enum operation_kind kind, const char *key, const char *name, const char *value, const char *path,
                           const char *json)
{
    struct change list = { CHANGE_REPLACE, TEXT(name), rest_json(value != NULL ? value : "null") };
    struct operation operation = { .kind = kind,
                                   .key = TEXT(key),
                                   .idempotency_key = kind == OPERATION_DISABLE ? TEXT(leave_key) : NULL,
                                   .settings = rest_render("ann", key),
                                   .values = rest_values("ann"),
                                   .changes = &list,
                                   .change_count = name != NULL ? 1 : 0 };

    if (path != NULL)
        rest_put(operation.settings, path, json);
    enum outcome outcome = apply(&operation, NULL);
    json_decref(list.values);
    return outcome;
}

static char *made_ann(void)
{
    char *key = NULL;

    assert_outcome(create("made", false, NULL, NULL, &key), APPLIED);
    return key;
}

/* ---- what the payroll saw ---- */

static long long count_of(const char *line)
{
    json_t *seen = payroll_request(&payroll, "GET", "/_control", NULL);
    long long count = json_integer_value(json_object_get(json_object_get(seen, "by"), line));

    json_decref(seen);
    return count;
}

static size_t employees(void)
{
    json_t *list = payroll_request(&payroll, "GET", "/_control/employees", NULL);
    size_t count = json_array_size(list);

    json_decref(list);
    return count;
}

/* A member of the last request whose method this is; the caller's. */
static json_t *last_request(const char *method, const char *name)
{
    json_t *list = payroll_request(&payroll, "GET", "/_control/requests", NULL), *found = NULL, *entry;
    size_t i;

    json_array_foreach (list, i, entry)
        if (str_equal(json_string_value(json_object_get(entry, "method")), method))
            found = json_object_get(entry, name);
    json_incref(found);
    json_decref(list);
    return found;
}

static void assert_sent(const char *method, const char *wanted)
{
    json_t *body = last_request(method, "body"), *right = rest_json(wanted);
    cleanup_free char *text = json_dumps(body, JSON_ENCODE_ANY);

    if (!json_equal(body, right))
        fail_msg("sent %s, not %s", text, wanted);
    json_decref(body);
    json_decref(right);
}

/* ---- creations ---- */

static void a_creation_carries_its_key_and_every_attribute(void **state)
{
    cleanup_free char *key = made_ann();
    json_t *sent = last_request("POST", "key");

    (void)state;
    assert_string_equal(json_string_value(sent), "made");
    assert_sent("POST", "{'external_id':'00uann','email':'ann@example.com','name':{'given':'Ann','family':'Lee'},"
                        "'start_date':'2026-11-01','department':'Sales'}");
    assert_string_equal(key, "1");
    json_decref(sent);
    assert_int_equal(payroll_unexpected(&payroll), 0);
}

static void a_read_that_found_nobody_saves_the_look_up(void **state)
{
    (void)state;
    assert_outcome(read_ann(NULL, NULL, NULL, NULL), GONE);
    long long before = count_of("GET /employees");
    free(made_ann());
    assert_int_equal(count_of("GET /employees"), before);
}

static void an_attempt_begun_before_is_always_looked_up(void **state)
{
    struct mono start = clock_mono(clock_system());
    enum outcome outcome = OUTCOME_RETRY;
    long long before = 0;

    (void)state;
    while (outcome == OUTCOME_RETRY && clock_mono(clock_system()).us - start.us < 5 * WAIT_US) { /* see the next test */
        assert_outcome(read_ann(NULL, NULL, NULL, NULL), GONE);
        before = count_of("GET /employees");
        outcome = create("k", true, NULL, NULL, NULL);
    }
    assert_outcome(outcome, APPLIED);
    assert_int_equal(count_of("GET /employees"), before + 2);
}

/* Between a lost answer and the next attempt the person got another address. */
static void what_an_earlier_attempt_made_is_found_by_what_was_known_then(void **state)
{
    cleanup_free char *first = made_ann();
    json_t *earlier = json_pack("[o]", rest_render("ann", NULL));
    struct operation operation = { .kind = OPERATION_CREATE,
                                   .settings = rest_render("ann2", NULL),
                                   .values = rest_values("ann2"),
                                   .idempotency_key = TEXT("other"),
                                   .repeated = true,
                                   .earlier = earlier };
    struct account account = { 0 };

    (void)state;
    assert_outcome(apply(&operation, &account), CONFLICT);
    assert_string_equal(account.key, first);
    assert_reason("an earlier attempt made \"1\"");
    assert_int_equal(employees(), 1);
    account_clear(&account);
    json_decref(earlier);
}

static void an_attempt_begun_before_a_restart_is_given_time_to_show(void **state)
{
    (void)state;
    assert_outcome(create("k", true, NULL, NULL, NULL), RETRY);
    assert_reason("before a restart");
    assert_true(receipt.retry_after_us > 0 && receipt.retry_after_us <= WAIT_US);
    assert_int_equal(count_of("POST /employees"), 0);
}

static void a_lost_answer_makes_no_second_employee(void **state)
{
    char *key = NULL;

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"lose\": 1.0, \"times\": 1}");
    assert_outcome(create("k", false, NULL, NULL, NULL), RETRY);
    assert_reason("may have been made");
    assert_true(receipt.retry_after_us >= WAIT_US);
    assert_outcome(create("k", true, NULL, NULL, &key), UNCHANGED);
    assert_non_null(key);
    assert_int_equal(employees(), 1);
    assert_int_equal(count_of("POST /employees"), 1);
    free(key);
}

static void a_failure_of_the_server_while_creating_is_looked_up_later(void **state)
{
    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"status\": 503, \"retry_after\": 7, \"times\": 1}");
    assert_outcome(create("k", false, NULL, NULL, NULL), RETRY);
    assert_reason("POST /employees: 503 Service Unavailable");
    assert_reason("may have been made");
    assert_int_equal(receipt.retry_after_us, 7000000);
}

static void an_unclear_creation_that_nothing_can_look_up_is_not_sent_again(void **state)
{
    (void)state;
    assert_outcome(create("k", true, "requests.match", "[]", NULL), REJECTED);
    assert_reason("requests.match");
    assert_int_equal(employees(), 0);
}

static void somebody_who_is_there_with_other_values_is_a_conflict(void **state)
{
    (void)state;
    free(made_ann());
    json_decref(payroll_request(&payroll, "PATCH", "/employees/1", "{\"department\": \"Ops\"}"));
    assert_outcome(create("k2", false, NULL, NULL, NULL), CONFLICT);
    assert_int_equal(employees(), 1);
    assert_int_equal(count_of("POST /employees"), 1);
}

static void a_name_that_is_taken_is_a_conflict_with_the_api_s_words(void **state)
{
    (void)state;
    free(made_ann());
    assert_outcome(
        create("k2", false, "requests.match", "[{'path':'/employees','query':{'external_id':'nobody'},'items':'/items'}]", NULL),
        CONFLICT);
    assert_reason("POST /employees: 409 Conflict");
    assert_reason("it says \"Another employee has this ");
}

/* An answer that cannot be read, or names no id: the account counts when it is found. */
static void a_creation_whose_answer_is_no_use_is_looked_up(void **state)
{
    static const char *const spoilt[] = { "html", "invalid", "wrong_type", "empty", "no_id", "huge" };

    (void)state;
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        cleanup_free char *trouble = str_printf("{\"only\": \"POST\", \"spoil\": \"%s\", \"times\": 1}", spoilt[i]);
        char *key = NULL;
        payroll_clear(&payroll);
        payroll_trouble(&payroll, trouble);
        assert_outcome(create("k", false, NULL, NULL, &key), APPLIED);
        assert_non_null(key);
        assert_int_equal(employees(), 1);
        free(key);
    }
}

static void a_success_that_made_nothing_is_rejected(void **state)
{
    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"pretend\": true}");
    assert_outcome(create("k", false, NULL, NULL, NULL), REJECTED);
    assert_reason("POST /employees: 201");
    assert_reason("/id (result.id)");
    assert_reason("{\"result\": \"ok\"}");
    assert_reason("nothing was made");
    assert_int_equal(employees(), 0);
}

/* ---- answers that are none ---- */

static void a_creation_answered_about_somebody_else_does_not_link_him(void **state)
{
    cleanup_free char *first = made_ann();
    struct operation operation = {
        .kind = OPERATION_CREATE, .settings = rest_render("bob", NULL), .values = rest_values("bob"), .idempotency_key = TEXT("bob")
    };
    struct account account = { 0 };

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"spoil\": \"another\"}");
    assert_outcome(apply(&operation, &account), APPLIED);
    assert_string_equal(account.key, "2");
    account_clear(&account);
}

/* A log-in page may be all that anybody gets: nobody's work ends by it. */
static void an_answer_that_is_none_is_tried_again_with_its_request_status_and_first_bytes(void **state)
{
    static const struct {
        const char *spoil, *said;
    } rows[] = {
        { "html", "it begins with \"<!DOCTYPE html>" },
        { "invalid", "no JSON: it is broken at line 1" },
        { "wrong_type", "the answer has a list at /id (result.id)" },
        { "empty", "the answer is empty where JSON is expected" },
        { "huge", "answer_size_max" },
    };
    cleanup_free char *key = made_ann();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *trouble = str_printf("{\"only\": \"GET /employees/1\", \"spoil\": \"%s\"}", rows[i].spoil);
        payroll_trouble(&payroll, trouble);
        assert_retry(read_ann(key, NULL, NULL, NULL), UNSURE);
        assert_reason("GET /employees/1");
        assert_reason(rows[i].said);
        assert_int_equal(receipt.remote_code, 200);
    }
}

static void a_list_that_is_none_is_never_nobody(void **state)
{
    static const struct {
        const char *spoil, *said;
    } rows[] = {
        { "html", "page" },
        { "invalid", "it is broken" },
        { "empty", "empty" },
        { "wrong_type", "null in the list at /items (items)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *trouble = str_printf("{\"only\": \"GET /employees\", \"spoil\": \"%s\"}", rows[i].spoil);
        payroll_trouble(&payroll, trouble);
        assert_retry(read_ann(NULL, NULL, NULL, NULL), UNSURE);
        assert_reason("GET /employees: 200");
        assert_reason(rows[i].said);
        assert_retry(create("k", false, NULL, NULL, NULL), UNSURE);
    }
    assert_int_equal(employees(), 0);
}

static void an_answer_that_breaks_off_is_tried_again(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"GET\", \"spoil\": \"cut\", \"times\": 3}");
    enum outcome outcome = read_ann(key, NULL, NULL, NULL);
    assert_true(outcome == OUTCOME_RETRY || outcome == OUTCOME_TARGET_DOWN);
}

static void a_wrong_pointer_is_named(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_retry(read_ann(NULL, "requests.match", "[{'path':'/employees','items':'/people'}]", NULL), UNSURE);
    assert_reason("nothing at /people (items)");
    assert_retry(read_ann(key, "result.id", "'/number'", NULL), UNSURE);
    assert_reason("nothing at /number (result.id)");
    assert_retry(read_ann(key, "result.item", "'/name/given'", NULL), UNSURE);
    assert_reason("a text at /name/given (item)");
}

static void an_answer_about_another_account_is_rejected(void **state)
{
    json_t *settings = rest_render("ann", "1");

    (void)state;
    free(made_ann());
    assert_outcome(read_with(settings, "2", NULL), REJECTED);
    assert_reason("asked for \"2\", and the answer is about \"1\"");
    json_decref(settings);
}

/* ---- finding ---- */

static void a_filter_that_is_ignored_adopts_no_stranger(void **state)
{
    (void)state;
    json_decref(payroll_request(
        &payroll, "POST", "/employees",
        "{\"external_id\": \"other\", \"email\": \"bob@example.com\", \"name\": {\"given\": \"Bob\", \"family\": \"Ray\"}, "
        "\"start_date\": \"2026-01-01\"}"));
    payroll_trouble(&payroll, "{\"ignore_filters\": true}");
    assert_outcome(read_ann(NULL, NULL, NULL, NULL), GONE);
    assert_outcome(create("k", false, NULL, NULL, NULL), APPLIED);
    assert_int_equal(employees(), 2);
}

static void two_that_fit_are_ambiguous_and_named(void **state)
{
    (void)state;
    free(made_ann());
    json_decref(payroll_request(
        &payroll, "POST", "/employees",
        "{\"external_id\": \"other\", \"email\": \"bob@example.com\", \"name\": {\"given\": \"Bob\", \"family\": \"Ray\"}, "
        "\"start_date\": \"2026-01-01\"}"));
    assert_outcome(read_ann(NULL, "requests.match", "[{'path':'/employees','query':{'status':'active'},'items':'/items'}]", NULL),
                   AMBIGUOUS);
    assert_reason("\"1\", \"2\"");
}

static void an_account_is_read_with_its_types_and_whether_it_is_disabled(void **state)
{
    cleanup_free char *key = made_ann();
    struct account account = { 0 };

    (void)state;
    json_decref(payroll_request(&payroll, "POST", "/employees/1/terminate", "{\"last_working_day\": \"2026-11-20\"}"));
    assert_outcome(read_ann(key, NULL, NULL, &account), APPLIED);
    assert_string_equal(account.key, "1");
    assert_string_equal(account.locator, "1");
    assert_int_equal(account.disabled, 1);
    assert_string_equal(json_string_value(json_object_get(account.values, "first_name")), "Ann");
    assert_int_equal(json_object_size(account.values), 6);
    account_clear(&account);
}

/* ---- changes ---- */

static void a_change_sends_only_the_difference_and_nothing_the_second_time(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(change(OPERATION_UPDATE, key, "last_name", "'Lee-Park'", NULL, NULL), APPLIED);
    assert_sent("PATCH", "{'name':{'family':'Lee-Park'}}");
    assert_outcome(change(OPERATION_UPDATE, key, "last_name", "'Lee-Park'", NULL, NULL), UNCHANGED);
    assert_int_equal(count_of("PATCH /employees/{id}"), 1);
    assert_int_equal(payroll_unexpected(&payroll), 0);
}

static void the_document_just_read_is_used_once(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(read_ann(key, NULL, NULL, NULL), APPLIED);
    assert_outcome(change(OPERATION_UPDATE, key, "department", "'Ops'", NULL, NULL), APPLIED);
    assert_int_equal(count_of("GET /employees/{id}"), 1);
    assert_outcome(change(OPERATION_UPDATE, key, "department", "'Sales'", NULL, NULL), APPLIED);
    assert_int_equal(count_of("GET /employees/{id}"), 2);
}

static void a_whole_document_is_put_with_its_etag_and_another_s_change_is_a_conflict(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(read_ann(key, NULL, NULL, NULL), APPLIED);
    assert_outcome(
        change(OPERATION_UPDATE, key, "department", "'Ops'", "requests.update", "{'path':'/employees/1','send':'document'}"),
        APPLIED);
    json_t *etag = last_request("PUT", "if_match");
    assert_string_equal(json_string_value(etag), "\"v1\"");
    json_decref(etag);
    assert_outcome(read_ann(key, NULL, NULL, NULL), APPLIED);
    json_decref(payroll_request(&payroll, "PATCH", "/employees/1", "{\"manager\": \"eve@example.com\"}"));
    assert_outcome(
        change(OPERATION_UPDATE, key, "department", "'Sales'", "requests.update", "{'path':'/employees/1','send':'document'}"),
        CONFLICT);
    assert_reason("412 Precondition Failed");
    assert_outcome(
        change(OPERATION_UPDATE, key, "department", "'Sales'", "requests.update", "{'path':'/employees/1','send':'document'}"),
        APPLIED);
    json_t *now = payroll_request(&payroll, "GET", "/employees/1", NULL);
    assert_string_equal(json_string_value(json_object_get(now, "manager")), "eve@example.com");
    json_decref(now);
    assert_int_equal(payroll_unexpected(&payroll), 0);
}

static void data_that_the_target_refuses_are_rejected_with_its_words(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(change(OPERATION_UPDATE, key, "start_date", "'soon'", NULL, NULL), REJECTED);
    assert_reason("PATCH /employees/1: 400 Bad Request");
    assert_reason("it says \"");
    assert_int_equal(receipt.remote_code, 400);
}

static void an_account_that_is_gone_is_told(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    json_decref(payroll_request(&payroll, "DELETE", "/employees/1", NULL));
    assert_outcome(change(OPERATION_UPDATE, key, "department", "'Ops'", NULL, NULL), GONE);
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), GONE);
    assert_outcome(read_ann(key, NULL, NULL, NULL), GONE);
}

/* ---- leaving and coming back ---- */

static void a_leaver_is_terminated_once_and_rehired_once(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_sent("POST", "{'last_working_day':'2026-11-20'}");
    json_t *sent = last_request("POST", "key");
    assert_string_equal(json_string_value(sent), "leave");
    json_decref(sent);
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNCHANGED);
    assert_int_equal(count_of("POST /employees/{id}/terminate"), 1);
    assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, NULL, NULL), UNCHANGED);
    assert_int_equal(count_of("POST /employees/{id}/rehire"), 1);
    assert_int_equal(payroll_unexpected(&payroll), 0);
}

static void a_termination_that_was_none_does_not_count(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST /employees/1/terminate\", \"pretend\": true}");
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNSURE);
    assert_reason("POST /employees/1/terminate: 200, but read again the account is still enabled: nothing was done, or not yet");
    /* where the answer shows nothing, one more look does */
    payroll_trouble(&payroll, "{\"only\": \"POST /employees/1/terminate\", \"pretend\": true, \"spoil\": \"empty\"}");
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNSURE);
    assert_reason("POST /employees/1/terminate: 200, but read again the account is still enabled");
}

static void a_termination_that_was_only_accepted_is_looked_at_until_it_is_so(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST /employees/1/terminate\", \"status\": 202, \"times\": 1}");
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), SURE);
    assert_reason("POST /employees/1/terminate: 202, but read again the account is still enabled: nothing was done, or not yet");
    assert_int_equal(receipt.retry_after_us, 1000000); /* lost_answer_wait */
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNCHANGED);
}

static void who_is_hired_again_is_looked_at_until_it_is_so(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    payroll_trouble(&payroll, "{\"only\": \"POST /employees/1/rehire\", \"status\": 202, \"times\": 1}");
    assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, NULL, NULL), RETRY);
    assert_reason("POST /employees/1/rehire: 202, but read again the account is still disabled: nothing was done, or not yet");
    payroll_trouble(&payroll, "{\"only\": \"POST /employees/1/rehire\", \"pretend\": true, \"spoil\": \"empty\", \"times\": 1}");
    assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, NULL, NULL), RETRY);
    assert_reason("POST /employees/1/rehire: 200, but read again the account is still disabled");
    assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, NULL, NULL), APPLIED);
}

static void a_removal_that_was_only_accepted_is_looked_at_until_it_is_so(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"DELETE\", \"status\": 202, \"times\": 1}");
    assert_outcome(change(OPERATION_REMOVE, key, NULL, NULL, NULL, NULL), RETRY);
    assert_reason("DELETE /employees/1: 202, but read again the account is still there");
    assert_outcome(change(OPERATION_REMOVE, key, NULL, NULL, NULL, NULL), APPLIED);
}

static void a_202_is_enough_where_the_mapping_says_so(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"status\": 202, \"only\": \"POST /employees/1/terminate\"}");
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, "requests.disable",
                          "{'path':'/employees/1/terminate','outcomes':[{'status':202,'outcome':'applied'}]}"), APPLIED);
}

static void a_termination_whose_answer_is_lost_is_found_done(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"lose\": 1.0, \"times\": 1}");
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), RETRY);
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNCHANGED);
    assert_int_equal(count_of("POST /employees/{id}/terminate"), 1);
}

static void a_removal_at_a_wrong_path_does_not_count(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_retry(change(OPERATION_REMOVE, key, NULL, NULL, "requests.remove", "{'path':'/employees/77'}"), UNSURE);
    assert_reason("DELETE /employees/77: 404 Not Found: there is nothing at this path; it says \"There is no employee 77.\"; but \"1\" is "
                  "still there to be read: is requests.remove right?");
    assert_outcome(change(OPERATION_REMOVE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_outcome(change(OPERATION_REMOVE, key, NULL, NULL, NULL, NULL), UNCHANGED);
}

static void a_change_at_a_wrong_path_is_not_gone(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, "requests.disable",
                        "{'path':'/employees/77/terminate','body':{'last_working_day':'2026-11-20'}}"),
                 UNSURE);
    assert_reason("POST /employees/77/terminate: 404 Not Found: ");
    assert_reason("; but \"1\" is still there to be read: is requests.disable right?");
    assert_outcome(change(OPERATION_UPDATE, key, "department", "'Ops'", "requests.update", "{'path':'/employees/77'}"), RETRY);
    assert_reason("is requests.update right?");
}

/* ---- the target as a whole ---- */

static void a_pause_that_the_target_asks_for_is_told(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"GET /employees/1\", \"status\": 429, \"retry_after\": 9}");
    assert_outcome(read_ann(key, NULL, NULL, NULL), RETRY);
    assert_reason("429 Too Many Requests");
    assert_true(receipt.retry_after_us > 8000000 && receipt.retry_after_us <= 9000000);
}

static void a_log_in_that_is_refused_is_told_as_such_and_takes_the_probe_down(void **state)
{
    (void)state;
    payroll_trouble(&payroll, "{\"status\": 401, \"say\": \"Who are you?\"}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), UNSURE_LOGIN);
    assert_reason("check auth");
    assert_reason("it says \"Who are you?\"");
    assert_outcome(taken(ops->probe(session, &receipt)), TARGET_DOWN);
    assert_int_equal(receipt.refusal, REFUSAL_LOGIN);
    payroll_trouble(&payroll, "{\"status\": 403}");
    assert_outcome(taken(ops->probe(session, &receipt)), TARGET_DOWN);
    assert_int_equal(receipt.refusal, REFUSAL_SURE);
}

static void a_403_may_be_about_one_person_or_about_all(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"status\": 403, \"about\": \"00uann\", \"say\": \"This employee is managed by headquarters.\"}");
    assert_retry(read_ann(key, NULL, NULL, NULL), UNSURE);
    assert_reason("GET /employees/1: 403 Forbidden: ");
    assert_reason("it says \"This employee is managed by headquarters.\"");
    assert_int_equal(receipt.remote_code, 403);
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNSURE);
    assert_outcome(taken(ops->probe(session, &receipt)), APPLIED);
    payroll_trouble(&payroll, "{}");
    /* what the mapping says of it is sure */
    payroll_trouble(&payroll, "{\"status\": 403}");
    assert_outcome(read_ann(NULL, "requests.match",
                            "[{'path':'/employees','items':'/items','outcomes':[{'status':403,'outcome':'rejected'}]}]", NULL),
                   REJECTED);
    assert_int_equal(receipt.refusal, REFUSAL_SURE);
    assert_outcome(read_ann(NULL, "requests.match",
                            "[{'path':'/employees','items':'/items','outcomes':[{'status':403,'outcome':'target_down'}]}]", NULL),
                   TARGET_DOWN);
    assert_int_equal(receipt.refusal, REFUSAL_SURE);
}

static void a_maintenance_with_a_wish_to_wait_may_be_everybody_s(void **state)
{
    (void)state;
    payroll_trouble(&payroll, "{\"status\": 503, \"retry_after\": 9, \"say\": \"Back at noon.\"}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), UNSURE);
    assert_int_equal(receipt.retry_after_us, 9000000);
    assert_reason("it says \"Back at noon.\"");
    assert_outcome(read_ann(NULL, NULL, NULL, NULL), TARGET_DOWN);
    assert_reason("not sent: the target asked for a pause");
    assert_true(receipt.retry_after_us > 8000000 && receipt.retry_after_us <= 9000000);
}

static void a_403_that_asks_to_wait_is_a_rate_limit(void **state)
{
    (void)state;
    payroll_trouble(&payroll, "{\"status\": 403, \"retry_after\": 9, \"times\": 1}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), SURE);
    assert_int_equal(receipt.retry_after_us, 9000000);
    payroll_trouble(&payroll, "{\"status\": 403, \"headers\": {\"X-RateLimit-Remaining\": \"4999\"}, \"times\": 1}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), UNSURE);
    payroll_trouble(&payroll, "{\"status\": 403, \"headers\": {\"X-RateLimit-Remaining\": \"0\", \"X-RateLimit-Reset\": \"3600\"}}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), SURE);
    assert_int_equal(receipt.retry_after_us, 300000000);
    assert_reason("it wants a wait of 3600 s, of which 300 s are waited");
}

static void a_wish_for_a_year_is_cut_and_one_that_cannot_be_read_does_not_count(void **state)
{
    (void)state;
    payroll_trouble(&payroll, "{\"status\": 422, \"retry_after\": \"soon\", \"times\": 1}");
    assert_outcome(read_ann(NULL, NULL, NULL, NULL), REJECTED);
    assert_reason("its Retry-After cannot be read and does not count");
    payroll_trouble(&payroll, "{\"status\": 403, \"retry_after\": \"-60\", \"times\": 1}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), UNSURE);
    assert_int_equal(receipt.retry_after_us, 0);
    payroll_trouble(&payroll, "{\"status\": 429, \"retry_after\": 31536000}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), SURE);
    assert_int_equal(receipt.retry_after_us, 300000000);
    assert_reason("it wants a wait of 31536000 s, of which 300 s are waited");
    assert_outcome(read_ann(NULL, NULL, NULL, NULL), TARGET_DOWN); /* not sent: all wait, for minutes, and nobody pays for it */
    assert_int_equal(receipt.refusal, REFUSAL_SURE);
    assert_reason("not sent: the target asked for a pause");
    assert_true(receipt.retry_after_us > 290000000 && receipt.retry_after_us <= 300000000);
}

/* An API that is not deployed, or is another one: its 404 is about nobody. */
static void a_404_to_everything_is_nobody_s_end(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(read_ann(key, NULL, NULL, NULL), APPLIED);
    payroll_trouble(&payroll, "{\"status\": 404, \"say\": \"default backend\"}");
    assert_retry(read_ann(NULL, NULL, NULL, NULL), UNSURE);
    assert_reason("outcomes = ( { status = 404; outcome = \"gone\"; } )");
    assert_reason("it says \"default backend\"");
    assert_retry(change(OPERATION_REMOVE, key, NULL, NULL, NULL, NULL), UNSURE);
    assert_reason("GET /employees: 404 Not Found");
    assert_retry(create("k", false, "requests.match", "[]", NULL), UNSURE);
    payroll_trouble(&payroll, "{}");
    assert_outcome(change(OPERATION_REMOVE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_outcome(change(OPERATION_REMOVE, key, NULL, NULL, NULL, NULL), UNCHANGED);
}

/* ---- is the answer to a change known? ---- */

static void a_receipt_says_whether_the_answer_to_the_change_is_known(void **state)
{
#define TERMINATE "\"only\": \"POST /employees/1/terminate\", \"times\": 1"
    static const struct {
        const char *trouble;
        bool answered;
    } rows[] = {
        { "{" TERMINATE ", \"status\": 500}", true },
        { "{" TERMINATE ", \"status\": 503}", true },
        { "{" TERMINATE ", \"status\": 403}", true },
        { "{" TERMINATE ", \"status\": 401}", true },
        { "{" TERMINATE ", \"status\": 422}", true },
        { "{" TERMINATE ", \"status\": 429, \"retry_after\": 0}", true },
        { "{" TERMINATE ", \"pretend\": true}", true },
        { "{" TERMINATE ", \"pretend\": true, \"spoil\": \"html\"}", true },
        { "{" TERMINATE ", \"status\": 409}", true },
        { "{" TERMINATE ", \"status\": 409, \"say\": \"A request with this Idempotency-Key is being worked on.\"}", false },
        { "{" TERMINATE ", \"status\": 202}", false },
        { "{" TERMINATE ", \"status\": 504}", true }, /* twice does no harm */
        { "{" TERMINATE ", \"lose\": 1.0}", false },
        { "{" TERMINATE ", \"pretend\": true, \"spoil\": \"cut\"}", false },
        { "{\"only\": \"GET\", \"times\": 1, \"status\": 500}", false }, /* none was sent */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        payroll_clear(&payroll);
        cleanup_free char *key = made_ann();
        assert_true(receipt.answered);
        payroll_trouble(&payroll, rows[i].trouble);
        change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL);
        if (receipt.answered != rows[i].answered)
            fail_msg("%s: %s", rows[i].trouble, receipt.reason != NULL ? receipt.reason : "");
    }
    payroll_trouble(&payroll, "{\"status\": 202, \"only\": \"POST /employees/1/terminate\"}");
    change(OPERATION_DISABLE, "1", NULL, NULL, "requests.disable",
           "{'path':'/employees/1/terminate','outcomes':[{'status':202,'outcome':'applied'}]}");
    assert_true(receipt.answered);
#undef TERMINATE
}

static void a_creation_that_a_gateway_answered_may_still_be_under_way(void **state)
{
    static const struct {
        int status;
        bool answered;
    } rows[] = { { 500, true }, { 403, true }, { 422, true }, { 502, false }, { 503, false }, { 504, false }, { 405, false }, { 524, false }, { 202, false } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *trouble = str_printf("{\"only\": \"POST\", \"status\": %d, \"times\": 1}", rows[i].status);
        payroll_trouble(&payroll, trouble);
        create("k", false, NULL, NULL, NULL);
        if (receipt.answered != rows[i].answered)
            fail_msg("%d: %s", rows[i].status, receipt.reason != NULL ? receipt.reason : "");
    }
}

/* As Stripe does: what was answered under a key is answered again. */
static void a_failure_that_is_given_again_to_the_same_key_is_none_for_another(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST /employees/1/terminate\", \"status\": 500, \"replays\": true, \"times\": 1}");
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNSURE);
    assert_true(receipt.answered);
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNSURE);
    assert_reason("500 Internal Server Error");
    assert_true(receipt.answered);
    leave_key = "leave again";
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_int_equal(payroll_unexpected(&payroll), 0);
}

static void a_creation_that_failed_is_looked_up_and_sent_again_under_the_key_of_then(void **state)
{
    char *key = NULL;

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"status\": 500, \"replays\": true, \"times\": 1}");
    assert_retry(create("first", false, NULL, NULL, NULL), UNSURE);
    assert_reason("may have been made");
    assert_true(receipt.answered && receipt.retry_after_us >= WAIT_US);
    long long looked = count_of("GET /employees");
    struct mono start = clock_mono(clock_system());
    enum outcome outcome = OUTCOME_RETRY; /* not before what an earlier process sent must have shown */
    while (outcome == OUTCOME_RETRY && clock_mono(clock_system()).us - start.us < 5 * WAIT_US)
        outcome = create("second", true, NULL, NULL, &key);
    assert_outcome(outcome, APPLIED);
    assert_true(count_of("GET /employees") > looked);
    assert_int_equal(count_of("POST /employees"), 2);
    assert_int_equal(employees(), 1);
    json_t *sent = last_request("POST", "key");
    assert_string_equal(json_string_value(sent), "second");
    json_decref(sent);
    free(key);
}

/* ---- what a read shows ---- */

#define ACTIVE "result.disabled", "{'pointer':'/active','values':[false]}"

static int disabled_of(const char *key)
{
    struct account account = { 0 };

    assert_outcome(read_ann(key, ACTIVE, &account), APPLIED);
    int disabled = account.disabled;
    account_clear(&account);
    return disabled;
}

static void a_boolean_is_read_in_the_spelling_that_the_api_has(void **state)
{
    static const char *const spoilt[] = { "active_text", "active_number" };
    cleanup_free char *key = made_ann();

    (void)state;
    assert_int_equal(disabled_of(key), -1); /* it shows none */
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *trouble = str_printf("{\"spoil\": \"%s\"}", spoilt[i]);
        leave_key = spoilt[i];
        payroll_trouble(&payroll, trouble);
        assert_int_equal(disabled_of(key), 0);
        assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, ACTIVE), UNCHANGED);
        assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, ACTIVE), APPLIED);
        assert_int_equal(disabled_of(key), 1);
        assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, ACTIVE), UNCHANGED);
        assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, ACTIVE), APPLIED);
    }
}

static void an_answer_with_an_old_copy_is_judged_by_a_read(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"spoil\": \"stale\"}");
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_outcome(change(OPERATION_ENABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"pretend\": true}");
    assert_retry(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), UNSURE);
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"spoil\": \"html\"}");
    leave_key = "another";
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"spoil\": \"html\", \"pretend\": true}");
    assert_retry(change(OPERATION_ENABLE, key, NULL, NULL, NULL, NULL), UNSURE);
    assert_reason("it begins with \"<!DOCTYPE html>");
    assert_reason("read again the account is still disabled");
}

static void what_no_read_shows_is_said_to_be_the_target_s_word(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, "result.disabled", "{'pointer':'/nowhere','values':[true]}"), APPLIED);
    assert_string_equal(receipt.note, "POST /employees/1/terminate: 200, and read again the account does not show whether it is disabled "
                                      "(result.disabled)");
    payroll_trouble(&payroll, "{\"only\": \"POST\", \"spoil\": \"html\"}");
    assert_retry(change(OPERATION_ENABLE, key, NULL, NULL, "result.disabled", "{'pointer':'/nowhere','values':[true]}"), UNSURE);
    assert_reason("page");
}

/* All that `disable` names is taken back, and the account still shows that it is disabled. */
static void who_is_shown_as_disabled_is_not_said_to_be_enabled(void **state)
{
    cleanup_free char *key = made_ann();

    (void)state;
    assert_outcome(change(OPERATION_DISABLE, key, NULL, NULL, NULL, NULL), APPLIED);
    assert_outcome(change(OPERATION_ENABLE, key, "department", "'Sales'", "requests.enable", "{'path':'/employees/1','send':'merge_patch'}"),
                   CONFLICT);
    assert_reason("\"1\" is still disabled (result.disabled)");
    assert_int_equal(count_of("PATCH /employees/{id}"), 0);
}

static void a_url_with_nothing_at_it_counts_as_an_answer(void **state)
{
    (void)state;
    close_it();
    cleanup_free char *text = str_printf("url = \"%s\"; " REST_LOGIN, payroll.url);
    target = settings_make(ops, text);
    assert_int_equal(ops->share(target, &shared, NULL), 0);
    assert_outcome(taken(ops->open(target, shared, &session, &receipt)), APPLIED); /* 404 */
    assert_non_null(strstr(receipt.note, "its url alone was asked (404), which does not show that it takes our log-in: set probe"));
    payroll_trouble(&payroll, "{\"status\": 405}");
    assert_outcome(taken(ops->probe(session, &receipt)), APPLIED); /* JSON-RPC at url itself */
    payroll_trouble(&payroll, "{\"status\": 403}");
    assert_outcome(taken(ops->probe(session, &receipt)), TARGET_DOWN);
    payroll_trouble(&payroll, "{\"status\": 503}");
    assert_outcome(taken(ops->probe(session, &receipt)), TARGET_DOWN);
    assert_reason("GET /: 503 ");
    payroll_kill(&payroll);
    assert_outcome(taken(ops->probe(session, &receipt)), TARGET_DOWN);
    assert_reason("GET / at http://127.0.0.1:");
    payroll_restart(&payroll);
}

/* ---- listing ---- */

struct listed {
    size_t count;
    char keys[64];
};

static int take_listed(const struct account *account, void *arg)
{
    struct listed *listed = arg;

    listed->count++;
    snprintf(listed->keys + strlen(listed->keys), sizeof(listed->keys) - strlen(listed->keys), "%s%s ", account->key,
             account->disabled == 1 ? "x" : "");
    return 0;
}

static void all_pages_are_listed(void **state)
{
    struct listed listed = { 0 };
    json_t *settings = rest_render("ann", NULL);
    struct account_query query = { .names = names, .settings = settings };

    (void)state;
    for (int i = 0; i < 5; i++) {
        cleanup_free char *body =
            str_printf("{\"external_id\": \"e%d\", \"email\": \"e%d@example.com\", \"name\": {\"given\": \"E\", "
                       "\"family\": \"X\"}, \"start_date\": \"2026-01-01\"}",
                       i, i);
        json_decref(payroll_request(&payroll, "POST", "/employees", body));
    }
    json_decref(payroll_request(&payroll, "POST", "/employees/3/terminate", "{\"last_working_day\": \"2026-11-20\"}"));
    assert_outcome(taken(ops->list(session, &query, take_listed, &listed, &receipt)), APPLIED);
    assert_string_equal(listed.keys, "1 2 3x 4 5 ");
    assert_int_equal(count_of("GET /employees"), 4); /* 3 pages, and the probe when the session was opened */
    json_decref(settings);
}

int main(void)
{
    struct error error = { 0 };
#define REST_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        REST_TEST(a_creation_carries_its_key_and_every_attribute),
        REST_TEST(a_read_that_found_nobody_saves_the_look_up),
        REST_TEST(an_attempt_begun_before_is_always_looked_up),
        REST_TEST(what_an_earlier_attempt_made_is_found_by_what_was_known_then),
        REST_TEST(an_attempt_begun_before_a_restart_is_given_time_to_show),
        REST_TEST(a_lost_answer_makes_no_second_employee),
        REST_TEST(a_failure_of_the_server_while_creating_is_looked_up_later),
        REST_TEST(an_unclear_creation_that_nothing_can_look_up_is_not_sent_again),
        REST_TEST(somebody_who_is_there_with_other_values_is_a_conflict),
        REST_TEST(a_name_that_is_taken_is_a_conflict_with_the_api_s_words),
        REST_TEST(a_creation_whose_answer_is_no_use_is_looked_up),
        REST_TEST(a_creation_answered_about_somebody_else_does_not_link_him),
        REST_TEST(a_success_that_made_nothing_is_rejected),
        REST_TEST(an_answer_that_is_none_is_tried_again_with_its_request_status_and_first_bytes),
        REST_TEST(a_list_that_is_none_is_never_nobody),
        REST_TEST(an_answer_that_breaks_off_is_tried_again),
        REST_TEST(a_wrong_pointer_is_named),
        REST_TEST(an_answer_about_another_account_is_rejected),
        REST_TEST(a_filter_that_is_ignored_adopts_no_stranger),
        REST_TEST(two_that_fit_are_ambiguous_and_named),
        REST_TEST(an_account_is_read_with_its_types_and_whether_it_is_disabled),
        REST_TEST(a_change_sends_only_the_difference_and_nothing_the_second_time),
        REST_TEST(the_document_just_read_is_used_once),
        REST_TEST(a_whole_document_is_put_with_its_etag_and_another_s_change_is_a_conflict),
        REST_TEST(data_that_the_target_refuses_are_rejected_with_its_words),
        REST_TEST(an_account_that_is_gone_is_told),
        REST_TEST(a_leaver_is_terminated_once_and_rehired_once),
        REST_TEST(a_termination_that_was_none_does_not_count),
        REST_TEST(a_termination_that_was_only_accepted_is_looked_at_until_it_is_so),
        REST_TEST(who_is_hired_again_is_looked_at_until_it_is_so),
        REST_TEST(a_removal_that_was_only_accepted_is_looked_at_until_it_is_so),
        REST_TEST(a_202_is_enough_where_the_mapping_says_so),
        REST_TEST(a_termination_whose_answer_is_lost_is_found_done),
        REST_TEST(a_removal_at_a_wrong_path_does_not_count),
        REST_TEST(a_change_at_a_wrong_path_is_not_gone),
        REST_TEST(a_pause_that_the_target_asks_for_is_told),
        REST_TEST(a_log_in_that_is_refused_is_told_as_such_and_takes_the_probe_down),
        REST_TEST(a_403_may_be_about_one_person_or_about_all),
        REST_TEST(a_maintenance_with_a_wish_to_wait_may_be_everybody_s),
        REST_TEST(a_403_that_asks_to_wait_is_a_rate_limit),
        REST_TEST(a_wish_for_a_year_is_cut_and_one_that_cannot_be_read_does_not_count),
        REST_TEST(a_404_to_everything_is_nobody_s_end),
        REST_TEST(a_receipt_says_whether_the_answer_to_the_change_is_known),
        REST_TEST(a_creation_that_a_gateway_answered_may_still_be_under_way),
        REST_TEST(a_failure_that_is_given_again_to_the_same_key_is_none_for_another),
        REST_TEST(a_creation_that_failed_is_looked_up_and_sent_again_under_the_key_of_then),
        REST_TEST(a_boolean_is_read_in_the_spelling_that_the_api_has),
        REST_TEST(an_answer_with_an_old_copy_is_judged_by_a_read),
        REST_TEST(what_no_read_shows_is_said_to_be_the_target_s_word),
        REST_TEST(who_is_shown_as_disabled_is_not_said_to_be_enabled),
        REST_TEST(a_url_with_nothing_at_it_counts_as_an_answer),
        REST_TEST(all_pages_are_listed),
    };

    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", PAYROLL_TOKEN, 1);
    if (connector_load("rest", NULL, &ops, &error) < 0) {
        printf("Bail out! %s\n", error.text);
        return 1;
    }
    payroll_start(&payroll, "");
    int failed = cmocka_run_group_tests_name("rest connector", tests, NULL, NULL);
    payroll_stop(&payroll);
    return failed != 0;
}
