#include "tests/contract/session_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/sessions.h"

#define SINCE "2026-11-22T21:10:03.123Z"
#define EXPIRES "2099-01-01T00:00:00.000Z"

static const struct session_contract *contract; /* of the running group */
static struct sessions sessions;

static int begin(void **state)
{
    (void)state;
    contract->clear();
    sessions_open(&sessions, contract->settings);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sessions_close(&sessions);
    contract->clear();
    return 0;
}

static void the_store_answers_a_probe(void **state)
{
    (void)state;
    assert_outcome(sessions_probe(&sessions), APPLIED);
}

static void a_persons_sessions_end_and_nobody_elses(void **state)
{
    (void)state;
    contract->add("one", "ann");
    contract->add("two", "anna");
    contract->add("three", "ann");
    assert_outcome(sessions_end(&sessions, contract->layout, "ann"), APPLIED);
    assert_int_equal(sessions.receipt.sessions_found, 2);
    assert_int_equal(sessions.receipt.sessions_ended, 2);
    assert_false(contract->has("one"));
    assert_false(contract->has("three"));
    assert_true(contract->has("two"));
}

static void a_sweep_applied_twice_is_unchanged(void **state)
{
    (void)state;
    contract->add("one", "ann");
    assert_outcome(sessions_end(&sessions, contract->layout, "ann"), APPLIED);
    assert_outcome(sessions_end(&sessions, contract->layout, "ann"), UNCHANGED);
    assert_int_equal(sessions.receipt.sessions_ended, 0);
}

static void what_comes_back_is_ended_by_the_second_sweep(void **state)
{
    (void)state;
    contract->add("one", "ann");
    assert_outcome(sessions_end(&sessions, contract->layout, "ann"), APPLIED);
    contract->add("one", "ann"); /* by a request that was in flight */
    assert_outcome(sessions_end_with(&sessions, contract->layout, "ann", (struct end){ .sweep = 2 }), APPLIED);
    assert_false(contract->has("one"));
}

static void a_person_without_sessions_is_unchanged(void **state)
{
    (void)state;
    assert_outcome(sessions_end(&sessions, contract->layout, "nobody"), UNCHANGED);
}

static void a_name_that_means_something_to_the_store_is_a_name(void **state)
{
    static const char *const names[] = { "*", "%", "' OR '1'='1", "a\\", "\"", "../../etc/passwd", "a\nb", "\xc3\xa9l\xc3\xa8ne", "{x}" };

    (void)state;
    contract->add("one", "ann");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_outcome(sessions_end(&sessions, contract->layout, names[i]), UNCHANGED);
    assert_true(contract->has("one"));
}

static void of_one_who_came_back_undated_sessions_stay(void **state)
{
    (void)state;
    contract->add("one", "ann");
    sessions_end_with(&sessions, contract->layout, "ann", (struct end){ .before_us = 1, .dated_only = true });
    assert_true(contract->has("one"));
    assert_int_equal(sessions.receipt.sessions_ended, 0);
}

static void a_marker_set_twice_is_unchanged_and_is_taken_away(void **state)
{
    json_t *values = NULL;

    (void)state;
    if (!contract->markers) {
        assert_outcome(sessions_mark(&sessions, contract->layout, "ann", true, NULL, NULL), REJECTED);
        return;
    }
    assert_outcome(sessions_mark(&sessions, contract->layout, "ann", true, SINCE, EXPIRES), APPLIED);
    assert_outcome(sessions_mark(&sessions, contract->layout, "ann", true, SINCE, EXPIRES), UNCHANGED);
    assert_outcome(sessions_read(&sessions, contract->layout, "ann", &values), APPLIED);
    assert_true(json_is_true(json_object_get(values, "denied")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(values, "signed_in"), "since")), SINCE);
    json_decref(values);
    assert_outcome(sessions_mark(&sessions, contract->layout, "ann", false, NULL, NULL), APPLIED);
    assert_outcome(sessions_read(&sessions, contract->layout, "ann", &values), APPLIED);
    assert_int_equal(json_object_size(values), 0);
    json_decref(values);
}

static void a_layout_that_cannot_be_is_rejected(void **state)
{
    (void)state;
    assert_outcome(sessions_end(&sessions, "{\"preset\": \"no-such\"}", "ann"), REJECTED);
}

static void a_kind_that_is_no_operation_is_rejected(void **state)
{
    const struct operation create = { .kind = OPERATION_CREATE };
    struct receipt receipt = { 0 };

    (void)state;
    assert_outcome(sessions.ops->apply(sessions.session, &create, NULL, &receipt), REJECTED);
    receipt_clear(&receipt);
}

static void assert_down(const char *settings)
{
    struct sessions none;

    if (settings == NULL)
        return;
    sessions_begin(&none, settings);
    assert_outcome(sessions_try_open(&none), TARGET_DOWN); /* which looks for the secret in what is said */
    sessions_close(&none);
}

static void a_store_that_refuses_connections_is_down(void **state)
{
    (void)state;
    assert_down(contract->settings_closed);
}

static void a_store_that_refuses_our_secret_is_down_and_the_secret_is_not_told(void **state)
{
    (void)state;
    assert_down(contract->settings_wrong);
}

static void every_option_says_what_it_is_for(void **state)
{
    (void)state;
    for (const struct option_row *row = sessions.ops->options; row->type != OPTION_TYPE_END; row++) {
        assert_true(strlen(row->help) > 10);
        assert_true(row->offset < sessions.ops->settings_bytes);
        for (const struct option_row *later = row + 1; later->type != OPTION_TYPE_END; later++)
            assert_string_not_equal(row->name, later->name);
    }
}

int session_contract_run(const char *name, const struct session_contract *subject)
{
#define CONTRACT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(the_store_answers_a_probe),
        CONTRACT_TEST(a_persons_sessions_end_and_nobody_elses),
        CONTRACT_TEST(a_sweep_applied_twice_is_unchanged),
        CONTRACT_TEST(what_comes_back_is_ended_by_the_second_sweep),
        CONTRACT_TEST(a_person_without_sessions_is_unchanged),
        CONTRACT_TEST(a_name_that_means_something_to_the_store_is_a_name),
        CONTRACT_TEST(of_one_who_came_back_undated_sessions_stay),
        CONTRACT_TEST(a_marker_set_twice_is_unchanged_and_is_taken_away),
        CONTRACT_TEST(a_layout_that_cannot_be_is_rejected),
        CONTRACT_TEST(a_kind_that_is_no_operation_is_rejected),
        CONTRACT_TEST(a_store_that_refuses_connections_is_down),
        CONTRACT_TEST(a_store_that_refuses_our_secret_is_down_and_the_secret_is_not_told),
        CONTRACT_TEST(every_option_says_what_it_is_for),
    };

    contract = subject;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
