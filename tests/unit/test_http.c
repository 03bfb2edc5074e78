/* The parts of connectors/http that need no server: Retry-After, masking, URLs, the table of failures, rules between options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/str.h"
#include "connectors/http/failure.h"
#include "connectors/http/http.h"
#include "connectors/http/limit.h"
#include "connectors/http/mask.h"
#include "connectors/http/retry_after.h"
#include "connectors/http/url.h"

#define SECOND_US INT64_C(1000000)

/* ---- waiting ---- */

static const struct wall at_1994 = { INT64_C(784111777) * SECOND_US }; /* Sun, 06 Nov 1994 08:49:37 GMT */
static const struct wall at_2026 = { INT64_C(1790000000) * SECOND_US };

static struct patience read_retry_after(const char *value, const char *date)
{
    return patience_read(&(struct patience_headers){ .retry_after = value, .date = date }, at_1994);
}

static void retry_after_is_seconds_or_a_date_and_what_is_unreasonable_is_cut(void **state)
{
    static const struct {
        const char *value, *date;
        int64_t seconds; /* waited; -1: it cannot be read */
    } cases[] = {
        { "0", NULL, 0 },
        { "120", NULL, 120 },
        { " 7 ", NULL, 7 },
        { "300", NULL, 300 },
        { "301", NULL, 300 },
        { "31536000", NULL, 300 },
        { "999999999999999999999999", NULL, 300 },
        { "-5", NULL, -1 },
        { "1.5", NULL, -1 },
        { "", NULL, -1 },
        { "soon", NULL, -1 },
        { "12 monkeys", NULL, -1 },
        { "19941106", NULL, 300 },
        { "Sun, 06 Nov 1994 08:50:37 GMT", NULL, 60 },
        { "Sunday, 06-Nov-94 08:50:37 GMT", NULL, 60 },
        { "Sun Nov  6 08:50:37 1994", NULL, 60 },
        { "Sun, 06 Nov 1994 08:49:00 GMT", NULL, 0 },
        { "Sun, 06 Nov 2094 08:49:00 GMT", NULL, 300 },
        { "Sun, 06 Nov 2011 08:49:47 GMT", "Sun, 06 Nov 2011 08:49:37 GMT", 10 },
        { "Sun, 06 Nov 1994 08:49:47 GMT", "no date", 10 },
        { "06 Nov", NULL, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct patience patience = read_retry_after(cases[i].value, cases[i].date);
        int64_t seconds = patience.asked ? patience_cut(patience.retry_after_us) / SECOND_US : -1;
        if (seconds != cases[i].seconds || patience.unread == patience.asked || patience.used_up)
            fail_msg("\"%s\" gives %lld s instead of %lld s", cases[i].value, (long long)seconds, (long long)cases[i].seconds);
    }
}

static void a_used_up_quota_says_until_when_in_each_way_that_apis_have(void **state)
{
    static const struct {
        const char *remaining, *reset;
        int64_t seconds; /* -1: not used up */
    } cases[] = {
        { "0", "1790000042", 42 },               /* GitHub, Okta: seconds since 1970 */
        { "0", "1790000042.7", 42 },             /* Discord */
        { "0", "1790000042000", 42 },            /* milliseconds */
        { "0", "42", 42 },                       /* the IETF's draft: seconds to come */
        { "0", "Mon, 21 Sep 2026 14:14:00 GMT", 40 },
        { "0", "2026-09-21T14:14Z", 40 },        /* Atlassian */
        { "0", "1789999999", 0 },
        { "0", "1790003600", 3600 },
        { "0", NULL, 60 },
        { "0", "soon", 60 },
        { "0 ", "-7", 60 },
        { "1", "1790000042", -1 },
        { "00", "5", 5 },
        { "none", "5", -1 },
        { "", "5", -1 },
        { "0.5", "5", -1 },
        { NULL, "5", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * QUOTA_KINDS; i++) {
        struct patience_headers headers = { NULL };
        size_t row = i / QUOTA_KINDS, kind = i % QUOTA_KINDS;
        headers.remaining[kind] = cases[row].remaining;
        headers.reset[kind] = cases[row].reset;
        struct patience patience = patience_read(&headers, at_2026);
        int64_t seconds = patience.used_up ? patience.reset_us / SECOND_US : -1;
        if (seconds != cases[row].seconds || patience.asked || patience.unread)
            fail_msg("remaining %s, reset %s: %lld s instead of %lld s", cases[row].remaining, cases[row].reset, (long long)seconds,
                     (long long)cases[row].seconds);
    }
}

static char *words_about(struct patience patience, bool quota)
{
    struct buf text = { 0 };

    patience_add_words(&text, &patience, quota);
    return buf_take(&text);
}

static void what_is_not_waited_is_told(void **state)
{
    cleanup_free char *fine = words_about(read_retry_after("300", NULL), false), *year = words_about(read_retry_after("31536000", NULL), false),
                      *unread = words_about(read_retry_after("soon", NULL), false),
                      *quota = words_about((struct patience){ .used_up = true, .reset_us = 3600 * SECOND_US }, true),
                      *other = words_about((struct patience){ .used_up = true, .reset_us = 3600 * SECOND_US }, false);

    (void)state;
    assert_string_equal(fine, "");
    assert_string_equal(year, "; it wants a wait of 31536000 s, of which 300 s are waited");
    assert_string_equal(unread, "; its Retry-After cannot be read and does not count");
    assert_string_equal(quota, "; it wants a wait of 3600 s, of which 300 s are waited");
    assert_string_equal(other, "");
}

static void no_header_makes_a_wait_leave_its_bounds(void **state)
{
    static const char alphabet[] = "0123456789 ,:-+TZGMTSunNovJan\t\x01\xff;.";
    struct random_seeded random;
    char text[40];

    (void)state;
    random_seeded_init(&random, 1);
    for (int i = 0; i < 200000; i++) {
        size_t length = (size_t)random_below(&random.source, sizeof(text));
        for (size_t c = 0; c < length; c++)
            text[c] = alphabet[random_below(&random.source, sizeof(alphabet) - 1)];
        text[length] = '\0';
        struct patience_headers headers = { text, i % 2 ? text : NULL, { i % 3 ? "0" : text, NULL, text }, { text, text, NULL } };
        struct patience patience = patience_read(&headers, at_1994);
        assert_true(patience.retry_after_us >= 0 && patience.reset_us >= 0 && !(patience.asked && patience.unread));
        assert_true(patience_cut(patience.retry_after_us) <= PATIENCE_MOST_US && patience_cut(patience.reset_us) <= PATIENCE_MOST_US);
    }
}

/* ---- masking ---- */

static char *masked(const struct mask *mask, const char *text, size_t most)
{
    char *result = mask_text(mask, text, strlen(text), most);

    assert_non_null(result);
    return result;
}

static void assert_masked(const struct mask *mask, const char *text, const char *expected)
{
    cleanup_free char *result = masked(mask, text, 1000);

    assert_string_equal(result, expected);
}

static void a_secret_is_masked_in_each_form_it_may_come_back_in(void **state)
{
    struct http_settings settings = { .password = (char[]){ "p/ss w\"rd" }, .user = (char[]){ "me" }, .client_id = (char[]){ "c:1" },
                                      .client_secret = (char[]){ "sec+ret" } };
    struct mask mask = { 0 };

    (void)state;
    mask_add_settings(&mask, &settings);
    assert_masked(&mask, "it was p/ss w\"rd, twice p/ss w\"rdp/ss w\"rd", "it was ***, twice ******");
    assert_masked(&mask, "?p=p%2Fss%20w%22rd&q=p%2fss%20w%22rd", "?p=***&q=***");
    assert_masked(&mask, "{\"p\": \"p/ss w\\\"rd\", \"q\": \"p\\/ss w\\\"rd\"}", "{\"p\": \"***\", \"q\": \"***\"}");
    assert_masked(&mask, "Basic bWU6cC9zcyB3InJk", "Basic ***"); /* me:p/ss w"rd */
    assert_masked(&mask, "Basic YyUzQTE6c2VjJTJCcmV0", "Basic ***"); /* c%3A1:sec%2Bret */
    assert_masked(&mask, "nothing to hide", "nothing to hide");
    mask_clear(&mask);
}

static void masked_text_is_cut_and_made_visible_after_the_secret_is_gone(void **state)
{
    struct mask mask = { 0 };

    (void)state;
    mask_add(&mask, "topsecret");
    cleanup_free char *cut = masked(&mask, "123456topsecret", 11);
    assert_string_equal(cut, "123456***");
    cleanup_free char *shorter = masked(&mask, "1234567890topsecret", 11);
    assert_string_equal(shorter, "12345678…");
    cleanup_free char *umlauts = masked(&mask, "ääääääääää", 10);
    assert_string_equal(umlauts, "äää…");
    assert_masked(&mask, "a\nb\x1b[31m", "a\\x0ab\\x1b[31m");
    cleanup_free char *with_nul = mask_text(&mask, "a\0topsecret", 11, 100);
    assert_string_equal(with_nul, "a ***");
    mask_clear(&mask);
}

/* ---- URLs ---- */

static void origins_are_compared_by_scheme_host_and_port(void **state)
{
    (void)state;
    assert_true(url_same_origin("https://a.example/x", "https://A.example:443/y?z"));
    assert_true(url_same_origin("http://[::1]:80/", "http://[::1]"));
    assert_false(url_same_origin("https://a.example", "http://a.example"));
    assert_false(url_same_origin("https://a.example", "https://a.example:444"));
    assert_false(url_same_origin("https://a.example", "https://a.example.org"));
    assert_false(url_same_origin("https://a.example", "https://a.example@b.example"));
    assert_false(url_same_origin("https://a.example", "nonsense"));
    assert_false(url_same_origin("ftp://a.example", "ftp://a.example"));
}

static void a_location_is_resolved_against_where_it_came_from(void **state)
{
    static const char *const cases[][3] = {
        { "https://a.example/v1/x", "/y", "https://a.example/y" },
        { "https://a.example/v1/x", "y?z=1#part", "https://a.example/v1/y?z=1" },
        { "https://a.example/v1/x", "//b.example/y", "https://b.example/y" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_free char *resolved = url_resolve(cases[i][0], cases[i][1]);
        assert_string_equal(resolved, cases[i][2]);
    }
}

static void a_value_is_encoded_but_for_what_is_unreserved(void **state)
{
    cleanup_buf struct buf buf = { 0 };

    (void)state;
    http_encode(&buf, "a-Z_0.~ &=/?#%+\xc3\xa4\0", 18);
    assert_string_equal(buf.bytes, "a-Z_0.~%20%26%3D%2F%3F%23%25%2B%C3%A4%00");
}

/* ---- failures ---- */

static void every_failure_has_one_row_that_a_connector_may_answer_with(void **state)
{
    (void)state;
    for (const struct failure_row *row = failure_table();; row++) {
        assert_ptr_equal(failure_row(row->code), row); /* no code twice */
        assert_true(row->end == HTTP_LOST || row->end == HTTP_BAD);
        assert_true(row->before == OUTCOME_TARGET_DOWN || row->before == OUTCOME_RETRY || row->before == OUTCOME_REJECTED);
        assert_true(row->after == OUTCOME_TARGET_DOWN || row->after == OUTCOME_RETRY || row->after == OUTCOME_REJECTED);
        assert_true(*row->sentence != '\0');
        assert_true(row->refusal == REFUSAL_SURE || (row->refusal == REFUSAL_UNSURE && row->after == OUTCOME_RETRY));
        if (row->code == FAILURE_UNKNOWN)
            break;
    }
    assert_int_equal(failure_row(12345)->code, FAILURE_UNKNOWN);
}

/* What libcurl-errors(3) says of HTTP and HTTPS, written here again: a row that is lost is missed. */
static void every_failure_of_http_is_known(void **state)
{
    static const int codes[] = { CURLE_UNSUPPORTED_PROTOCOL, CURLE_FAILED_INIT, CURLE_URL_MALFORMAT, CURLE_NOT_BUILT_IN,
                                 CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_WEIRD_SERVER_REPLY,
                                 CURLE_HTTP2, CURLE_PARTIAL_FILE, CURLE_WRITE_ERROR, CURLE_READ_ERROR, CURLE_OUT_OF_MEMORY,
                                 CURLE_OPERATION_TIMEDOUT, CURLE_RANGE_ERROR, CURLE_SSL_CONNECT_ERROR, CURLE_ABORTED_BY_CALLBACK,
                                 CURLE_BAD_FUNCTION_ARGUMENT, CURLE_INTERFACE_FAILED, CURLE_TOO_MANY_REDIRECTS, CURLE_UNKNOWN_OPTION,
                                 CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                                 CURLE_PEER_FAILED_VERIFICATION, CURLE_BAD_CONTENT_ENCODING, CURLE_FILESIZE_EXCEEDED,
                                 CURLE_SEND_FAIL_REWIND, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_NO_CONNECTION_AVAILABLE,
                                 CURLE_SSL_INVALIDCERTSTATUS, CURLE_HTTP2_STREAM, CURLE_PROXY, CURLE_SSL_CLIENTCERT };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_int_equal(failure_row(codes[i])->code, codes[i]);
}

static void what_never_left_this_machine_is_never_a_lost_answer(void **state)
{
    (void)state;
    assert_int_equal(failure_row(CURLE_COULDNT_CONNECT)->before, OUTCOME_TARGET_DOWN);
    assert_int_equal(failure_row(CURLE_OPERATION_TIMEDOUT)->before, OUTCOME_TARGET_DOWN);
    assert_int_equal(failure_row(CURLE_OPERATION_TIMEDOUT)->after, OUTCOME_RETRY);
    assert_int_equal(failure_row(CURLE_GOT_NOTHING)->end, HTTP_LOST);
    assert_int_equal(failure_row(CURLE_FILESIZE_EXCEEDED)->end, HTTP_BAD);
}

static void what_was_sent_and_got_no_answer_may_be_anybody_s_fault(void **state)
{
    static const struct {
        int code;
        enum refusal refusal;
    } rows[] = {
        { CURLE_OPERATION_TIMEDOUT, REFUSAL_UNSURE }, { CURLE_RECV_ERROR, REFUSAL_UNSURE },  { CURLE_GOT_NOTHING, REFUSAL_UNSURE },
        { CURLE_HTTP2_STREAM, REFUSAL_UNSURE },       { CURLE_PARTIAL_FILE, REFUSAL_UNSURE }, { CURLE_FILESIZE_EXCEEDED, REFUSAL_UNSURE },
        { CURLE_COULDNT_CONNECT, REFUSAL_SURE },      { CURLE_SSL_CONNECT_ERROR, REFUSAL_SURE }, { CURLE_OUT_OF_MEMORY, REFUSAL_SURE },
        { 12345, REFUSAL_UNSURE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(failure_row(rows[i].code)->refusal, rows[i].refusal);
}

/* ---- limits ---- */

static void the_circuit_counts_failures_in_a_row(void **state)
{
    const struct http_settings settings = { .timeout_us = SECOND_US, .circuit_failures = 2, .circuit_time_us = 3600 * SECOND_US };
    struct limit limit;
    int64_t wait_us = 0;
    char reason[64];

    (void)state;
    assert_int_equal(limit_init(&limit, &settings, NULL), 0);
    limit_note(&limit, true, "one");
    limit_note(&limit, false, NULL);
    limit_note(&limit, true, "two");
    assert_int_equal(limit_enter(&limit, false, &wait_us), LIMIT_GO);
    limit_leave(&limit);
    limit_note(&limit, true, "three");
    assert_int_equal(limit_enter(&limit, false, &wait_us), LIMIT_OPEN);
    assert_true(wait_us > 3590 * SECOND_US && wait_us <= 3600 * SECOND_US);
    assert_int_equal(limit_failures(&limit, reason, sizeof(reason)), 2);
    assert_string_equal(reason, "three");
    limit_destroy(&limit);
}

static void a_trial_goes_through_the_open_circuit_and_lets_others_try(void **state)
{
    const struct http_settings settings = { .timeout_us = SECOND_US, .circuit_failures = 2, .circuit_time_us = 3600 * SECOND_US };
    struct limit limit;
    int64_t wait_us = 0;

    (void)state;
    assert_int_equal(limit_init(&limit, &settings, NULL), 0);
    limit_note(&limit, true, "one");
    limit_note(&limit, true, "two");
    assert_int_equal(limit_enter(&limit, false, &wait_us), LIMIT_OPEN);
    assert_int_equal(limit_enter(&limit, true, &wait_us), LIMIT_GO);
    limit_leave(&limit);
    assert_int_equal(limit_enter(&limit, false, &wait_us), LIMIT_OPEN); /* not before it went well */
    limit_note_trial(&limit);
    assert_int_equal(limit_enter(&limit, false, &wait_us), LIMIT_GO);
    limit_leave(&limit);
    limit_note(&limit, true, "three"); /* the first failure opens it again */
    assert_int_equal(limit_enter(&limit, false, &wait_us), LIMIT_OPEN);
    limit_destroy(&limit);
}

static void a_turn_that_comes_too_late_is_not_taken(void **state)
{
    const struct http_settings settings = { .timeout_us = SECOND_US / 10, .rate = 1, .rate_time_us = 60 * SECOND_US };
    struct limit limit;
    int64_t wait_us = 0;

    (void)state;
    assert_int_equal(limit_init(&limit, &settings, NULL), 0);
    assert_int_equal(limit_slot(&limit, &wait_us), LIMIT_GO);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(limit_slot(&limit, &wait_us), LIMIT_BUSY);
        assert_true(wait_us > 59 * SECOND_US && wait_us <= 60 * SECOND_US); /* and does not push the next one away */
    }
    limit_destroy(&limit);
}

static void a_shorter_pause_does_not_end_a_longer_one(void **state)
{
    const struct http_settings settings = { .timeout_us = SECOND_US };
    struct limit limit;
    int64_t wait_us = 0;

    (void)state;
    assert_int_equal(limit_init(&limit, &settings, NULL), 0);
    limit_answered(&limit, PATIENCE_MOST_US, true);
    limit_answered(&limit, SECOND_US, true);
    limit_answered(&limit, 0, true);
    assert_int_equal(limit_slot(&limit, &wait_us), LIMIT_PAUSED);
    assert_true(wait_us > PATIENCE_MOST_US - 10 * SECOND_US && wait_us <= PATIENCE_MOST_US);
    limit_destroy(&limit);
}

static void a_wish_that_may_be_one_record_s_holds_back_nobody_else(void **state)
{
    const struct http_settings settings = { .timeout_us = SECOND_US };
    struct limit limit;
    int64_t wait_us = 0;

    (void)state;
    assert_int_equal(limit_init(&limit, &settings, NULL), 0);
    for (int i = 0; i < 3; i++) {
        limit_answered(&limit, 60 * SECOND_US, false);
        assert_int_equal(limit_slot(&limit, &wait_us), LIMIT_GO);
        limit_answered(&limit, 0, false); /* another record's */
    }
    limit_answered(&limit, 60 * SECOND_US, false);
    limit_answered(&limit, 60 * SECOND_US, false);
    assert_int_equal(limit_slot(&limit, &wait_us), LIMIT_PAUSED);
    limit_destroy(&limit);
}

/* ---- options ---- */

struct wrapped {
    struct http_settings http;
};
static const struct option_row rows[] = { HTTP_OPTIONS(struct wrapped, http), OPTION_END };

/* All problems of these settings, one a line; to be freed. */
static char *problems_of(const char *text)
{
    struct problems problems = { 0 };
    struct wrapped settings = { 0 };
    struct buf buf = { 0 };
    config_t config;

    setenv("PROVOST_TEST_SECRET", "hunter2", 1);
    setenv("PROVOST_TEST_LINES", "hunter2\nx", 1);
    config_init(&config);
    assert_int_equal(config_read_string(&config, text), CONFIG_TRUE);
    options_parse(rows, config_root_setting(&config), "settings", &settings, &problems);
    if (problems.count == 0)
        http_check(&settings.http, "test.conf", 7, &problems);
    for (size_t i = 0; i < problems.count; i++)
        buf_printf(&buf, "%s\n", problems.list[i].text);
    problems_free(&problems);
    options_free(rows, &settings);
    config_destroy(&config);
    assert_null(strstr(buf.bytes != NULL ? buf.bytes : "", "hunter2"));
    return buf_take(&buf);
}

#define URL "url = \"https://api.example.com/v1\"; "
#define ENV "\"env:PROVOST_TEST_SECRET\"; "
#define OAUTH URL "auth = \"oauth2\"; token_url = \"https://id.example.com/t?x=1\"; client_id = \"c\"; "

static void settings_that_fit_together_have_no_problem(void **state)
{
    static const char *const good[] = {
        URL,
        URL "auth = \"bearer\"; token = " ENV,
        URL "auth = \"basic\"; user = \"me\"; password = " ENV,
        URL "auth = \"api_key\"; api_key_header = \"X-Key\"; api_key = " ENV,
        URL "auth = \"api_key\"; api_key_query = \"key\"; api_key = " ENV,
        OAUTH "client_secret = " ENV,
        OAUTH "client_auth = \"post\"; oauth_scope = \"a b\"; audience = \"x\"; client_secret = " ENV,
        "url = \"http://127.0.0.1:8080\"; auth = \"bearer\"; token = " ENV,
        "url = \"http://[::1]:8080\"; auth = \"bearer\"; token = " ENV,
        "url = \"http://api.example.com\"; allow_plaintext = true; auth = \"bearer\"; token = " ENV,
        "url = \"http://api.example.com\";",
        URL "proxy = \"http://proxy.example.com:3128\"; tls_certificate = \"/c.pem\"; tls_key = " ENV,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cleanup_free char *problems = problems_of(good[i]);
        if (*problems != '\0')
            fail_msg("%s: %s", good[i], problems);
    }
}

static void settings_that_contradict_each_other_are_told(void **state)
{
    static const char *const bad[][2] = {
        { "", "url" },
        { "url = \"api.example.com/v1 x\";", "cannot be read" },
        { "url = \"ftp://api.example.com\";", "cannot be read" },
        { "url = \"https://me:hunter2@api.example.com\";", "url holds a name or password" },
        { "url = \"https://api.example.com/?a=b\";", "ends with the path" },
        { "url = \"http://api.example.com\"; auth = \"bearer\"; token = " ENV, "credentials would go to api.example.com unencrypted" },
        { URL "auth = \"bearer\";", "needs token" },
        { URL "token = " ENV, "token goes with auth = \"bearer\", not with auth = \"none\"" },
        { URL "auth = \"bearer\"; token = \"env:PROVOST_TEST_LINES\";", "cannot stand in a header" },
        { URL "auth = \"basic\"; user = \"a:b\"; password = " ENV, "has a colon" },
        { URL "auth = \"basic\"; user = \"a\";", "needs password" },
        { URL "auth = \"api_key\"; api_key = " ENV, "api_key_header" },
        { URL "auth = \"api_key\"; api_key_header = \"a\"; api_key_query = \"b\"; api_key = " ENV, "exclude each other" },
        { URL "auth = \"api_key\"; api_key_header = \"a b\"; api_key = " ENV, "no header's name" },
        { OAUTH, "needs client_secret" },
        { OAUTH "client_secret = " ENV "user = \"me\";", "user goes with" },
        { OAUTH "client_auth = \"private_key_jwt\"; client_secret = " ENV, "needs client_key" },
        { OAUTH "client_auth = \"private_key_jwt\"; client_key = " ENV, "no private key that can be read" },
        { OAUTH "client_secret = " ENV "client_key = " ENV, "does not go with client_auth" },
        { URL "auth = \"oauth2\"; client_id = \"c\"; client_secret = " ENV, "needs token_url" },
        { URL "auth = \"oauth2\"; token_url = \"http://id.example.com\"; client_id = \"c\"; client_secret = " ENV, "in token_url" },
        { URL "tls_certificate = \"/c.pem\";", "add tls_key" },
        { URL "tls_key = " ENV, "add tls_certificate" },
        { "url = \"http://127.0.0.1\"; tls_certificate = \"/c.pem\"; tls_key = " ENV, "https:// only" },
        { URL "proxy = \"socks5://x\";", "proxy \"socks5://x\" cannot be used" },
        { URL "proxy = \"http://me:hunter2@x\";", "without a name or password" },
        { URL "user_agent = \"a\\nb\";", "user_agent" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cleanup_free char *problems = problems_of(bad[i][0]);
        if (strstr(problems, bad[i][1]) == NULL)
            fail_msg("%s: expected \"%s\", got: %s", bad[i][0], bad[i][1], problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_is_seconds_or_a_date_and_what_is_unreasonable_is_cut),
        cmocka_unit_test(a_used_up_quota_says_until_when_in_each_way_that_apis_have),
        cmocka_unit_test(what_is_not_waited_is_told),
        cmocka_unit_test(no_header_makes_a_wait_leave_its_bounds),
        cmocka_unit_test(a_secret_is_masked_in_each_form_it_may_come_back_in),
        cmocka_unit_test(masked_text_is_cut_and_made_visible_after_the_secret_is_gone),
        cmocka_unit_test(origins_are_compared_by_scheme_host_and_port),
        cmocka_unit_test(a_location_is_resolved_against_where_it_came_from),
        cmocka_unit_test(a_value_is_encoded_but_for_what_is_unreserved),
        cmocka_unit_test(every_failure_has_one_row_that_a_connector_may_answer_with),
        cmocka_unit_test(every_failure_of_http_is_known),
        cmocka_unit_test(what_never_left_this_machine_is_never_a_lost_answer),
        cmocka_unit_test(what_was_sent_and_got_no_answer_may_be_anybody_s_fault),
        cmocka_unit_test(the_circuit_counts_failures_in_a_row),
        cmocka_unit_test(a_trial_goes_through_the_open_circuit_and_lets_others_try),
        cmocka_unit_test(a_turn_that_comes_too_late_is_not_taken),
        cmocka_unit_test(a_shorter_pause_does_not_end_a_longer_one),
        cmocka_unit_test(a_wish_that_may_be_one_record_s_holds_back_nobody_else),
        cmocka_unit_test(settings_that_fit_together_have_no_problem),
        cmocka_unit_test(settings_that_contradict_each_other_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
