/* What 389 Directory Server answers in its own way: locks, passwords that must be changed, taken values, read-only times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/support/ldap_target.h"

#define ANN "uid=ann," SLAPD_PEOPLE
#define BOB "uid=bob," SLAPD_PEOPLE
#define BACKEND "cn=userRoot,cn=ldbm database,cn=plugins,cn=config"
#define TREE "cn=\"" SLAPD_SUFFIX "\",cn=mapping tree,cn=config"
#define PASSWORD_NOW "another-secret"

static struct slapd server;

static int begin(void **state)
{
    (void)state;
    target_start("uri = \"%s\"; ", server.uri);
    target_open_most(1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    target_stop();
    slapd_remove(&server, ANN);
    slapd_remove(&server, BOB);
    return 0;
}

static bool has_wrong_logins(const char *count)
{
    cleanup_free char *seen = slapd_value(&server, SLAPD_AGENT, "passwordRetryCount");

    return str_equal(seen, count);
}

static bool is_refused_anew(void)
{
    assert_outcome(target_open(), TARGET_DOWN);
    assert_refusal(LOGIN);
    return has_wrong_logins("2");
}

static void a_password_that_was_changed_under_four_sessions_does_not_lock_the_account(void **state)
{
    (void)state;
    target_open_most(3);
    slapd_replace(&server, SLAPD_AGENT, "userPassword", PASSWORD_NOW);
    slapd_run(&server, "restart", "");
    for (int i = 0; i < 3; i++)
        ask_with_all(OUTCOME_TARGET_DOWN, REFUSAL_LOGIN);
    assert_true(has_wrong_logins("1"));
    await(is_refused_anew, 10);
    assert_int_equal(slapd_login(&server, SLAPD_AGENT, PASSWORD_NOW), LDAP_SUCCESS);
    slapd_replace(&server, SLAPD_AGENT, "userPassword", SLAPD_AGENT_PASSWORD);
}

static void a_locked_account_is_a_refused_log_in_though_its_code_is_19(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        slapd_login(&server, SLAPD_AGENT, "wrong");
    enum outcome outcome = target_open();
    slapd_replace(&server, SLAPD_AGENT, "userPassword", SLAPD_AGENT_PASSWORD); /* which unlocks it */
    assert_outcome(outcome, TARGET_DOWN);
    assert_refusal(LOGIN);
    assert_int_equal(target.receipt.remote_code, LDAP_CONSTRAINT_VIOLATION);
    assert_says("Exceed password retry limit");
    assert_says("Account locked"); /* what the password policy's control says */
}

/* The server notes it after it has answered. */
static bool must_be_changed(void)
{
    cleanup_free char *until = slapd_value(&server, SLAPD_AGENT, "passwordExpirationTime");

    return until != NULL && str_starts(until, "1970");
}

static void a_password_that_must_be_changed_is_told_at_the_log_in(void **state)
{
    (void)state;
    slapd_replace(&server, "cn=config", "passwordMustChange", "on");
    slapd_replace(&server, SLAPD_AGENT, "userPassword", SLAPD_AGENT_PASSWORD); /* by an administrator: to be changed */
    await(must_be_changed, 5);
    enum outcome outcome = target_open();
    slapd_replace(&server, "cn=config", "passwordMustChange", "off");
    slapd_replace(&server, SLAPD_AGENT, "userPassword", SLAPD_AGENT_PASSWORD);
    assert_outcome(outcome, TARGET_DOWN);
    assert_refusal(SURE);
    assert_says("change of its password");
}

static void a_mail_that_another_entry_has_is_tried_again(void **state)
{
    (void)state;
    assert_outcome(add_person(ANN, "ann"), APPLIED);
    assert_outcome(add_person(BOB, "bob"), APPLIED);
    assert_outcome(replace_value(NULL, BOB, "mail", "ann@example.org"), RETRY);
    assert_refusal(SURE);
    assert_int_equal(target.receipt.remote_code, LDAP_CONSTRAINT_VIOLATION);
    assert_says("already exists");
}

static void assert_down_while(const char *dn, const char *attribute, const char *value, const char *back, const char *words)
{
    slapd_replace(&server, dn, attribute, value);
    enum outcome outcome = remove_entry(NULL, ANN);
    slapd_replace(&server, dn, attribute, back);
    assert_outcome(outcome, TARGET_DOWN);
    assert_refusal(SERVER);
    assert_says(words);
}

static void a_server_that_is_read_only_is_down(void **state)
{
    (void)state;
    assert_down_while("cn=config", "nsslapd-readonly", "on", "off", "Server is read-only");
}

static void a_database_that_is_read_only_is_down(void **state)
{
    (void)state;
    assert_down_while(BACKEND, "nsslapd-readonly", "on", "off", "database is read-only");
}

static void a_consumer_that_refers_changes_is_down(void **state)
{
    (void)state;
    slapd_replace(&server, TREE, "nsslapd-referral", "ldap://supplier.example.org");
    assert_down_while(TREE, "nsslapd-state", "referral on update", "backend", "ldap://supplier.example.org");
}

static void a_database_that_is_switched_off_is_down(void **state)
{
    (void)state;
    assert_down_while(TREE, "nsslapd-state", "disabled", "backend", "disabled node");
}

static int start(void **state)
{
    (void)state;
    target_load();
    slapd_start_389(&server, "--unique mail");
    slapd_replace(&server, "cn=config", "passwordLockout", "on");
    slapd_replace(&server, "cn=config", "passwordMaxFailure", "3");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slapd_stop(&server);
    return 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_password_that_was_changed_under_four_sessions_does_not_lock_the_account),
        TEST(a_locked_account_is_a_refused_log_in_though_its_code_is_19),
        TEST(a_password_that_must_be_changed_is_told_at_the_log_in),
        TEST(a_mail_that_another_entry_has_is_tried_again),
        TEST(a_server_that_is_read_only_is_down),
        TEST(a_database_that_is_read_only_is_down),
        TEST(a_consumer_that_refers_changes_is_down),
        TEST(a_database_that_is_switched_off_is_down),
    };
    return slapd_skip_389() ? 0 : cmocka_run_group_tests_name("ldap 389", tests, start, stop);
}
