/* How the LDAP connector reaches a directory, and what it says when it does not. */
#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/str.h"
#include "connectors/ldap/settings.h"
#include "tests/support/settings.h"
#include "tests/support/slapd.h"

#define LOG_IN                 \
    "bind_dn = \"" SLAPD_AGENT \
    "\"; password = \"env:PROVOST_TEST_SECRET\"; network_timeout = \"2 s\"; operation_timeout = \"1 s\"; "

static const struct connector_ops *ops;
static struct slapd slapd;
static void *settings;
static struct connector_shared *shared;
static struct connector_session *session;
static struct receipt receipt;

static void open_target(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Opens with these settings; session stays NULL when refused. */
static void open_target(const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    settings = settings_make(ops, text.bytes);
    assert_int_equal(ops->share(settings, &shared, NULL), 0);
    ops->open(settings, shared, &session, &receipt);
}

static int close_target(void **state)
{
    (void)state;
    ops->close(session);
    ops->unshare(shared);
    settings_free(ops, settings);
    receipt_clear(&receipt);
    session = NULL;
    shared = NULL;
    settings = NULL;
    return 0;
}

static void assert_open(void)
{
    if (session == NULL)
        fail_msg("%s: %s", outcome_name(receipt.outcome), receipt.reason);
}

#define assert_says(word) assert_says_at(word, __LINE__)
static void assert_says_at(const char *word, int line)
{
    assert_non_null(receipt.reason);
    assert_null(strstr(receipt.reason, SLAPD_AGENT_PASSWORD));
    if (strstr(receipt.reason, word) == NULL)
        fail_msg("line %d: \"%s\" is not in: %s", line, word, receipt.reason);
}

static void assert_down(const char *word)
{
    assert_null(session);
    assert_string_equal(outcome_name(receipt.outcome), "target_down");
    assert_says(word);
    assert_null(strstr(receipt.reason, "Can't contact"));
}

/* ---- ways in ---- */

static void ldap_with_a_simple_bind(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; " LOG_IN, slapd.uri);
    assert_open();
    assert_int_equal(ops->probe(session, &receipt), OUTCOME_APPLIED);
}

static void starttls_with_a_ca_file(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; starttls = true; ca_file = \"%s\"; " LOG_IN, slapd.uri, slapd.ca_file);
    assert_open();
}

static void ldaps_with_a_ca_file(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; ca_file = \"%s\"; " LOG_IN, slapd.ldaps_uri, slapd.ca_file);
    assert_open();
}

static void ldapi_with_sasl_external(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; sasl = \"external\";", slapd.ldapi_uri);
    assert_open();
    assert_int_equal(ops->probe(session, &receipt), OUTCOME_APPLIED);
}

static void the_second_uri_serves_when_the_first_does_not(void **state)
{
    (void)state;
    open_target("uri = \"ldap://127.0.0.1:1 %s\"; " LOG_IN, slapd.uri);
    assert_open();
}

/* ---- what is wrong, told apart ---- */

static void a_name_that_cannot_be_resolved_is_named(void **state)
{
    (void)state;
    open_target("uri = \"ldaps://no-such-host.invalid\"; " LOG_IN);
    assert_down("\"no-such-host.invalid\"");
    assert_says("cannot be resolved");
}

static void a_closed_port_is_told_with_its_address(void **state)
{
    (void)state;
    open_target("uri = \"ldap://127.0.0.1:1\"; " LOG_IN);
    assert_down("127.0.0.1 port 1: connection refused");
}

static void a_missing_socket_is_told_with_its_path(void **state)
{
    (void)state;
    open_target("uri = \"ldapi://%%2Fnowhere%%2Fldapi\"; sasl = \"external\";");
    assert_down("/nowhere/ldapi");
    assert_says("No such file");
}

static void a_wrong_password_is_a_refused_log_in(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; bind_dn = \"" SLAPD_AGENT "\"; password = \"env:PROVOST_TEST_WRONG\";", slapd.uri);
    assert_down("refuses the log-in of " SLAPD_AGENT);
    assert_says("invalidCredentials 49");
    assert_null(strstr(receipt.reason, "not-the-secret"));
    assert_int_equal(receipt.remote_code, 49);
}

static void a_missing_password_is_not_an_anonymous_log_in(void **state)
{
    (void)state;
    cleanup_free char *text = str_printf(LOG_IN "uri = \"%s\";", slapd.uri);
    settings = settings_make(ops, text);
    ((struct ldap_settings *)settings)->password[0] = '\0'; /* past the check, which refuses to leave it out */
    assert_int_equal(ops->share(settings, &shared, NULL), 0);
    ops->open(settings, shared, &session, &receipt);
    assert_down("without a password");
}

static void a_ca_that_did_not_issue_the_certificate_is_told_with_the_issuer(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; ca_file = \"%s\"; " LOG_IN, slapd.ldaps_uri, slapd.other_ca_file);
    assert_down("none of the authorities in");
    assert_says(slapd.other_ca_file);
    assert_says("issuer: CN=Provost test CA");
    assert_says("subject: CN=good");
}

static void a_certificate_is_not_needed_to_be_good_when_verify_is_off(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; ca_file = \"%s\"; verify = false; " LOG_IN, slapd.ldaps_uri, slapd.other_ca_file);
    assert_open();
}

static void a_ca_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; ca_file = \"/nowhere/ca.pem\"; " LOG_IN, slapd.ldaps_uri);
    assert_down("/nowhere/ca.pem");
}

static void a_port_that_speaks_no_tls_is_told(void **state)
{
    (void)state;
    open_target("uri = \"ldaps://127.0.0.1:%d\"; ca_file = \"%s\"; " LOG_IN, slapd.port, slapd.ca_file);
    assert_down("TLS handshake");
}

static void serve(const char *kind)
{
    cleanup_free char *arguments = str_printf("--cert %s", kind);

    slapd_run(&slapd, "restart", arguments);
}

static int serve_good(void **state)
{
    close_target(state);
    serve("good");
    return 0;
}

static void an_expired_certificate_is_told_with_its_date(void **state)
{
    (void)state;
    serve("expired");
    open_target("uri = \"%s\"; ca_file = \"%s\"; " LOG_IN, slapd.ldaps_uri, slapd.ca_file);
    assert_down("expired on 2021-02-03 04:05:06 UTC");
    assert_says("subject: CN=expired");
    assert_says("issuer: CN=Provost test CA");
}

static void an_expired_certificate_is_told_over_starttls_too(void **state)
{
    (void)state;
    serve("expired");
    open_target("uri = \"%s\"; starttls = true; ca_file = \"%s\"; " LOG_IN, slapd.uri, slapd.ca_file);
    assert_down("expired on 2021-02-03");
}

static void a_certificate_of_the_future_is_told(void **state)
{
    (void)state;
    serve("future");
    open_target("uri = \"%s\"; ca_file = \"%s\"; " LOG_IN, slapd.ldaps_uri, slapd.ca_file);
    assert_down("not valid before 2048-01-01");
}

static void a_certificate_for_another_host_is_told_with_both_names(void **state)
{
    (void)state;
    serve("wronghost");
    open_target("uri = \"%s\"; ca_file = \"%s\"; " LOG_IN, slapd.ldaps_uri, slapd.ca_file);
    assert_down("not for the host \"127.0.0.1\" but for ldap.elsewhere.example");
}

/* A bare root file system may have no /etc/hosts: then the name is what fails, and that is told. */
static bool localhost_resolves(void)
{
    struct addrinfo *list = NULL;
    bool resolves = getaddrinfo("localhost", NULL, NULL, &list) == 0;

    if (resolves)
        freeaddrinfo(list);
    return resolves;
}

static void localhost_is_checked_as_the_machine_s_name_and_that_is_told(void **state)
{
    (void)state;
    open_target("uri = \"ldap://localhost:%d\"; starttls = true; ca_file = \"%s\"; " LOG_IN, slapd.port, slapd.ca_file);
    assert_down(localhost_resolves() ? "what \"localhost\" is checked as" : "\"localhost\" of ldap://localhost:");
}

static void a_server_without_tls_refuses_starttls_and_that_is_told(void **state)
{
    struct slapd plain;

    (void)state;
    slapd_start(&plain, "--nosync");
    open_target("uri = \"%s\"; starttls = true; ca_file = \"%s\"; " LOG_IN, plain.uri, slapd.ca_file);
    slapd_stop(&plain);
    assert_down("refuses StartTLS");
}

/* ---- through outages ---- */

static enum outcome probe(void)
{
    return ops->probe(session, &receipt);
}

static void a_session_survives_a_restart_of_the_server(void **state)
{
    (void)state;
    open_target("uri = \"%s\"; starttls = true; ca_file = \"%s\"; " LOG_IN, slapd.uri, slapd.ca_file);
    assert_open();
    slapd_run(&slapd, "restart", "");
    assert_string_equal(outcome_name(probe()), "applied");
}

static void a_killed_server_is_down_and_the_session_comes_back_with_it(void **state)
{
    static const char *const names[] = { "ou", NULL };
    struct account_query query = { .locator = SLAPD_PEOPLE, .names = names };
    struct account account = { 0 };

    (void)state;
    open_target("uri = \"%s\"; " LOG_IN, slapd.uri);
    assert_open();
    slapd_run(&slapd, "kill", "");
    assert_string_equal(outcome_name(ops->read(session, &query, &account, &receipt)), "target_down");
    assert_says("connection refused");
    assert_null(account.values);
    slapd_run(&slapd, "restart", "");
    assert_string_equal(outcome_name(ops->read(session, &query, &account, &receipt)), "applied");
    account_clear(&account);
}

static void a_server_that_hangs_is_down_within_the_time_outs(void **state)
{
    struct mono before = clock_mono(clock_system());

    (void)state;
    open_target("uri = \"%s\"; " LOG_IN, slapd.uri);
    assert_open();
    slapd_signal(&slapd, SIGSTOP);
    enum outcome outcome = probe();
    slapd_signal(&slapd, SIGCONT);
    assert_string_equal(outcome_name(outcome), "target_down");
    assert_says("no answer in time");
    assert_true(clock_mono(clock_system()).us - before.us < 10 * 1000000);
    assert_string_equal(outcome_name(probe()), "applied");
}

/* A port that takes connections and never says a word. */
static int silent_port(int *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void a_silent_server_is_down_within(const char *scheme, const char *more, const char *words)
{
    struct mono before = clock_mono(clock_system());
    int port = 0;
    cleanup_close int fd = silent_port(&port);

    assert_true(fd >= 0);
    open_target("uri = \"%s://127.0.0.1:%d\"; %s" LOG_IN, scheme, port, more);
    assert_down(words);
    assert_true(clock_mono(clock_system()).us - before.us < 12 * 1000000);
}

static void a_server_that_never_answers_the_log_in_is_down(void **state)
{
    (void)state;
    a_silent_server_is_down_within("ldap", "", "no answer in time");
}

static void a_server_that_never_answers_the_handshake_is_down(void **state)
{
    (void)state;
    a_silent_server_is_down_within("ldaps", "", "does not finish the TLS handshake");
}

static void a_server_that_never_answers_to_starttls_is_down(void **state)
{
    (void)state;
    a_silent_server_is_down_within("ldap", "starttls = true; ", "does not answer to StartTLS");
}

static int start(void **state)
{
    struct error error = { 0 };

    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", SLAPD_AGENT_PASSWORD, 1);
    setenv("PROVOST_TEST_WRONG", "not-the-secret", 1);
    if (connector_load("ldap", NULL, &ops, &error) < 0)
        fail_msg("%s", error.text);
    slapd_start(&slapd, "--tls --ldapi --nosync");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slapd_stop(&slapd);
    return 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, close_target)
#define CERTIFICATE_TEST(test) cmocka_unit_test_teardown(test, serve_good)
    const struct CMUnitTest tests[] = {
        TEST(ldap_with_a_simple_bind),
        TEST(starttls_with_a_ca_file),
        TEST(ldaps_with_a_ca_file),
        TEST(ldapi_with_sasl_external),
        TEST(the_second_uri_serves_when_the_first_does_not),
        TEST(a_name_that_cannot_be_resolved_is_named),
        TEST(a_closed_port_is_told_with_its_address),
        TEST(a_missing_socket_is_told_with_its_path),
        TEST(a_wrong_password_is_a_refused_log_in),
        TEST(a_missing_password_is_not_an_anonymous_log_in),
        TEST(a_ca_that_did_not_issue_the_certificate_is_told_with_the_issuer),
        TEST(a_certificate_is_not_needed_to_be_good_when_verify_is_off),
        TEST(a_ca_file_that_is_not_there_is_named),
        TEST(a_port_that_speaks_no_tls_is_told),
        CERTIFICATE_TEST(an_expired_certificate_is_told_with_its_date),
        CERTIFICATE_TEST(an_expired_certificate_is_told_over_starttls_too),
        CERTIFICATE_TEST(a_certificate_of_the_future_is_told),
        CERTIFICATE_TEST(a_certificate_for_another_host_is_told_with_both_names),
        TEST(localhost_is_checked_as_the_machine_s_name_and_that_is_told),
        TEST(a_server_without_tls_refuses_starttls_and_that_is_told),
        TEST(a_session_survives_a_restart_of_the_server),
        TEST(a_killed_server_is_down_and_the_session_comes_back_with_it),
        TEST(a_server_that_never_answers_the_log_in_is_down),
        TEST(a_server_that_never_answers_the_handshake_is_down),
        TEST(a_server_that_never_answers_to_starttls_is_down),
        TEST(a_server_that_hangs_is_down_within_the_time_outs),
    };
    return slapd_skip() ? 0 : cmocka_run_group_tests_name("ldap connection", tests, start, stop);
}
