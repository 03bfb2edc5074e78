/* A log-in that the directory refuses is not repeated: the account would be locked, for all who use it (test_ldap_389.c, too). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/support/canned_directory.h"
#include "tests/support/ldap_target.h"

#define SESSIONS 4
#define PASSWORD_NOW "another-secret"

static struct slapd slapd;
static struct canned_directory canned, other;

static int end(void **state)
{
    (void)state;
    target_stop();
    return 0;
}

/* ---- four sessions under which the password is changed ---- */

static void open_all(const char *uri)
{
    target_start("uri = \"%s\"; ", uri);
    target_open_most(SESSIONS);
}

static bool opens(void)
{
    return target_open() == OUTCOME_APPLIED;
}

static bool is_refused_anew(void)
{
    assert_outcome(target_open(), TARGET_DOWN);
    return slapd_count_values(&slapd, SLAPD_AGENT, "pwdFailureTime") == 2;
}

static void a_password_that_was_changed_under_four_sessions_is_tried_once_and_by_a_new_session_once_more(void **state)
{
    (void)state;
    open_all(slapd.uri);
    slapd_replace(&slapd, SLAPD_AGENT, "userPassword", PASSWORD_NOW);
    slapd_run(&slapd, "restart", "");
    for (int i = 0; i < 3; i++) {
        ask_with_all(OUTCOME_TARGET_DOWN, REFUSAL_LOGIN);
        assert_says("refuses the log-in of " SLAPD_AGENT);
        assert_says("invalidCredentials 49");
    }
    assert_int_equal(slapd_count_values(&slapd, SLAPD_AGENT, "pwdFailureTime"), 1);
    await(is_refused_anew, 10); /* not at once, which would be part of the same rush */
    assert_refusal(LOGIN);
    ask_with_all(OUTCOME_TARGET_DOWN, REFUSAL_LOGIN);
    assert_int_equal(slapd_count_values(&slapd, SLAPD_AGENT, "pwdFailureTime"), 2);
    assert_int_equal(slapd_login(&slapd, SLAPD_AGENT, PASSWORD_NOW), LDAP_SUCCESS); /* it is not locked */
}

static void a_password_that_is_right_again_lets_the_other_sessions_back_in(void **state)
{
    (void)state;
    slapd_replace(&slapd, SLAPD_AGENT, "userPassword", SLAPD_AGENT_PASSWORD);
    open_all(slapd.uri);
    slapd_replace(&slapd, SLAPD_AGENT, "userPassword", PASSWORD_NOW);
    slapd_run(&slapd, "restart", "");
    ask_with_all(OUTCOME_TARGET_DOWN, REFUSAL_LOGIN);
    slapd_replace(&slapd, SLAPD_AGENT, "userPassword", SLAPD_AGENT_PASSWORD);
    ask_with_all(OUTCOME_TARGET_DOWN, REFUSAL_LOGIN); /* none of them asks before a new session has logged in */
    await(opens, 10);
    ask_with_all(OUTCOME_APPLIED, REFUSAL_SURE);
}

static void a_wrong_password_from_the_start_is_a_refused_log_in(void **state)
{
    (void)state;
    target_start("bind_dn = \"" SLAPD_AGENT "\"; password = \"env:PROVOST_TEST_ADMIN\"; uri = \"%s\"; ", slapd.uri);
    assert_outcome(target_open(), TARGET_DOWN);
    assert_refusal(LOGIN);
    assert_null(strstr(target.receipt.reason, "admin-secret"));
}

static void a_server_that_is_away_is_no_refused_log_in(void **state)
{
    (void)state;
    target_start("uri = \"ldap://127.0.0.1:1\"; ");
    assert_outcome(target_open(), TARGET_DOWN);
    assert_refusal(SURE);
}

/* ---- several addresses ---- */

static const struct canned wrong = { .request = LDAP_REQ_BIND, .code = LDAP_INVALID_CREDENTIALS, .words = "80090308: data 52e" };

static void a_refused_log_in_is_tried_at_one_other_address_and_no_more(void **state)
{
    (void)state;
    canned_answer(&canned, &wrong);
    target_start("uri = \"%s %s %s\"; ", canned.uri, canned.uri, canned.uri);
    assert_outcome(target_open(), TARGET_DOWN);
    assert_refusal(LOGIN);
    assert_says("80090308: data 52e");
    assert_int_equal(canned_requests(&canned, LDAP_REQ_BIND), 2);
}

static void one_address_that_refuses_the_log_in_is_not_asked_again_while_another_serves(void **state)
{
    (void)state;
    canned_reset(&canned);
    canned_answer(&canned, &wrong);
    target_start("uri = \"%s %s\"; ", canned.uri, other.uri);
    target_open_most(SESSIONS);
    assert_int_equal(canned_requests(&canned, LDAP_REQ_BIND), 1);
    assert_int_equal(canned_requests(&other, LDAP_REQ_BIND), SESSIONS);
}

static int start(void **state)
{
    (void)state;
    target_load();
    canned_start(&canned);
    canned_start(&other);
    slapd_start(&slapd, "--nosync --ppolicy");
    slapd_replace(&slapd, "cn=policy," SLAPD_SUFFIX, "pwdMaxFailure", "3");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slapd_stop(&slapd);
    canned_stop(&canned);
    canned_stop(&other);
    return 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, end)
    const struct CMUnitTest tests[] = {
        TEST(a_password_that_was_changed_under_four_sessions_is_tried_once_and_by_a_new_session_once_more),
        TEST(a_password_that_is_right_again_lets_the_other_sessions_back_in),
        TEST(a_wrong_password_from_the_start_is_a_refused_log_in),
        TEST(a_server_that_is_away_is_no_refused_log_in),
        TEST(a_refused_log_in_is_tried_at_one_other_address_and_no_more),
        TEST(one_address_that_refuses_the_log_in_is_not_asked_again_while_another_serves),
    };
    return slapd_skip() ? 0 : cmocka_run_group_tests_name("ldap logins", tests, start, stop);
}
