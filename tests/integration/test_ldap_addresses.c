/* Several addresses in `uri`: a server and its replica, failing over and coming back. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/support/canned_directory.h"
#include "tests/support/ldap_target.h"

#define ANN "uid=ann," SLAPD_PEOPLE
#define BOB "uid=bob," SLAPD_PEOPLE

/* `refers` and `refuses` are replicas of `first`; `second` knows nothing of it. */
static struct slapd first, refers, refuses, second;
static struct canned_directory canned;

static int end(void **state)
{
    (void)state;
    target_stop();
    slapd_run(&first, "restart", "");
    slapd_replace(&first, ANN, "sn", "Lee");
    return 0;
}

static void open_two(const char *uri_1, const char *uri_2)
{
    target_start("uri = \"%s %s\"; operation_timeout = \"1 s\"; ", uri_1, uri_2);
    target_open_most(2);
}

static bool is_changed(void)
{
    return replace_value(NULL, ANN, "sn", "Li") == OUTCOME_APPLIED;
}

static bool is_ann_seen(void)
{
    return read_dn(ANN) == OUTCOME_APPLIED;
}

static struct slapd *replica;

static bool has_replica_ann(void)
{
    return slapd_has_entry(replica, ANN);
}

static void fail_over_and_back(struct slapd *to, const char *words)
{
    replica = to;
    await(has_replica_ann, 15);
    open_two(first.uri, to->uri);
    slapd_run(&first, "kill", "");
    assert_outcome(read_dn(ANN), APPLIED);                              /* the replica reads */
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), TARGET_DOWN); /* and does no more */
    assert_refusal(SERVER);
    assert_says(words);
    assert_says(first.uri);
    target_use(0);
    assert_outcome(read_dn(ANN), TARGET_DOWN); /* passed over for all */
    slapd_run(&first, "restart", "");
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), APPLIED);
    assert_true(slapd_has_value(&first, ANN, "sn", "Li"));
    target_use(1);
    assert_outcome(replace_value(NULL, ANN, "sn", "Lee"), APPLIED);
    assert_outcome(target_open(), APPLIED);
}

static void a_replica_that_refers_changes_is_left_for_the_server_that_is_back(void **state)
{
    (void)state;
    fail_over_and_back(&refers, "it refers changes to another server");
}

static void a_replica_that_refuses_changes_is_left_for_the_server_that_is_back(void **state)
{
    (void)state;
    fail_over_and_back(&refuses, "shadow context");
}

static void a_change_that_the_first_address_refers_is_made_at_the_second(void **state)
{
    (void)state;
    replica = &refers;
    await(has_replica_ann, 15);
    open_two(refers.uri, first.uri);
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), APPLIED);
    assert_true(slapd_has_value(&first, ANN, "sn", "Li"));
    target_use(0);
    assert_outcome(replace_value(NULL, ANN, "sn", "Lee"), APPLIED);
}

static void a_change_that_the_first_address_is_unwilling_to_make_is_made_at_the_second(void **state)
{
    (void)state;
    replica = &refuses;
    await(has_replica_ann, 15);
    open_two(refuses.uri, first.uri);
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), APPLIED);
    assert_outcome(target_open(), APPLIED); /* at the second as well: the first is passed over */
    assert_outcome(remove_entry(NULL, BOB), UNCHANGED);
}

static void sessions_go_back_to_the_first_address_when_it_answers_again(void **state)
{
    (void)state;
    open_two(first.uri, second.uri);
    slapd_run(&first, "kill", "");
    for (size_t i = 0; i < 2; i++) {
        target_use(i);
        assert_outcome(read_dn(ANN), GONE); /* only the first has her */
    }
    slapd_run(&first, "restart", "");
    await(is_ann_seen, 10);
    target_use(0);
    assert_outcome(read_dn(ANN), APPLIED); /* the other session follows at its next request */
}

static void a_new_session_at_the_first_address_brings_the_others_back(void **state)
{
    (void)state;
    open_two(first.uri, second.uri);
    slapd_run(&first, "kill", "");
    target_use(0);
    assert_outcome(read_dn(ANN), GONE);
    slapd_run(&first, "restart", "");
    assert_outcome(target_open(), APPLIED);
    target_use(0);
    assert_outcome(read_dn(ANN), APPLIED);
}

static int64_t now_us(void)
{
    return clock_mono(clock_system()).us;
}

/* A look takes a second here; that is once in twenty. */
static void a_first_address_that_hangs_does_not_hold_up_work_at_the_second(void **state)
{
    int slow = 0;

    (void)state;
    open_two(first.uri, second.uri);
    slapd_signal(&first, SIGSTOP);
    read_dn(ANN); /* no answer in time: to the second */
    int64_t start_us = now_us();
    while (now_us() - start_us < 8000000) {
        int64_t before_us = now_us();
        enum outcome outcome = read_dn(ANN);
        slow += now_us() - before_us > 900000;
        if (outcome != OUTCOME_GONE)
            break;
    }
    slapd_signal(&first, SIGCONT);
    assert_outcome(target.receipt.outcome, GONE);
    assert_in_range(slow, 1, 2);
}

static void an_address_whose_change_was_refused_is_tried_again_after_a_pause(void **state)
{
    (void)state;
    canned_reset(&canned);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_DELETE, .code = LDAP_UNWILLING_TO_PERFORM,
                                             .words = "operation restricted" });
    target_start("uri = \"%s\"; ", canned.uri);
    target_open_most(2);
    for (int i = 0; i < 5; i++)
        assert_outcome(remove_entry(NULL, BOB), TARGET_DOWN);
    assert_int_equal(canned_requests(&canned, LDAP_REQ_DELETE), 1); /* known for the rest */
    canned_reset(&canned);
    await(is_changed, 10);
}

static int start(void **state)
{
    cleanup_free char *replica_options = NULL, *referring_options = NULL;

    (void)state;
    target_load();
    canned_start(&canned);
    slapd_start(&first, "--nosync --module syncprov --line 'overlay syncprov'");
    slapd_start(&second, "--nosync");
    replica_options = str_printf("--nosync --replica-of %s", first.uri);
    referring_options = str_printf("--nosync --replica-of %s --line 'updateref %s'", first.uri, first.uri);
    slapd_start(&refers, referring_options);
    slapd_start(&refuses, replica_options);
    slapd_add(&first, ANN, "objectClass: inetOrgPerson\nuid: ann\ncn: ann\nsn: Lee");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slapd_stop(&refers);
    slapd_stop(&refuses);
    slapd_stop(&first);
    slapd_stop(&second);
    canned_stop(&canned);
    return 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, end)
    const struct CMUnitTest tests[] = {
        TEST(a_replica_that_refers_changes_is_left_for_the_server_that_is_back),
        TEST(a_replica_that_refuses_changes_is_left_for_the_server_that_is_back),
        TEST(a_change_that_the_first_address_refers_is_made_at_the_second),
        TEST(a_change_that_the_first_address_is_unwilling_to_make_is_made_at_the_second),
        TEST(sessions_go_back_to_the_first_address_when_it_answers_again),
        TEST(a_new_session_at_the_first_address_brings_the_others_back),
        TEST(a_first_address_that_hangs_does_not_hold_up_work_at_the_second),
        TEST(an_address_whose_change_was_refused_is_tried_again_after_a_pause),
    };
    return slapd_skip() ? 0 : cmocka_run_group_tests_name("ldap addresses", tests, start, stop);
}
