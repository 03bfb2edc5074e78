/* The own index of a Redis target: direct look-ups, and what it says while it cannot. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/support/redis.h"
#include "tests/support/sessions.h"

#define EXPRESS "{\"preset\": \"express\"}"
#define BOUND_US (20 * INT64_C(1000000))

static struct redis_server server;
static struct sessions sessions;

static void open_with(const char *more)
{
    cleanup_free char *settings =
        str_printf("store = \"redis\"; address = [ \"%s\" ]; share = 100; index = true; %s", server.address, more);

    sessions_open(&sessions, settings);
}

static int begin_server(void **state)
{
    (void)state;
    redis_server_start(&server, "");
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    redis_do(&server, "FLUSHALL");
    redis_do(&server, "CONFIG SET notify-keyspace-events KA");
    return 0;
}

static int end(void **state)
{
    (void)state;
    sessions_close(&sessions);
    return 0;
}

static void add(const char *id, const char *user)
{
    redis_do(&server, "SET sess:%s {\"passport\":{\"user\":\"%s\"}}", id, user);
}

static bool by_index(void)
{
    return sessions.receipt.note == NULL || strstr(sessions.receipt.note, "without the index") == NULL;
}

/* Unless prepared, the first sweep starts the index; one that is nobody's asks until it is whole. */
static void await_index(void)
{
    struct mono start = clock_mono(clock_system());

    do {
        assert_outcome(sessions_end(&sessions, EXPRESS, "nobody"), UNCHANGED);
        assert_true(clock_mono(clock_system()).us - start.us < BOUND_US);
    } while (!by_index());
    redis_do(&server, "CONFIG RESETSTAT");
}

static long long calls(const char *command)
{
    redisReply *reply = redis_ask(&server, "INFO commandstats");
    cleanup_free char *name = str_printf("cmdstat_%s:calls=", command);
    const char *row = strstr(reply->str, name);
    long long count = row != NULL ? atoll(row + strlen(name)) : 0;

    freeReplyObject(reply);
    return count;
}

static void the_first_sweep_looks_at_all_keys_and_says_so(void **state)
{
    (void)state;
    add("1", "ann");
    open_with("");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_non_null(strstr(sessions.receipt.note, "without the index: it is being built"));
}

static void prepared_it_follows_the_server_before_anybody_leaves(void **state)
{
    (void)state;
    open_with("");
    sessions_prepare(&sessions, EXPRESS);
    struct mono start = clock_mono(clock_system());
    while (redis_number(&server, "PUBSUB NUMPAT") == 0)
        assert_true(clock_mono(clock_system()).us - start.us < BOUND_US);
}

static void a_kill_is_a_direct_look_up(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof(id), "%d", i);
        add(id, i % 100 == 3 ? "ann" : "anna");
    }
    open_with("");
    await_index();
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_true(by_index());
    assert_int_equal(sessions.receipt.sessions_ended, 10);
    assert_int_equal(calls("scan"), 0);
    assert_int_equal(redis_number(&server, "DBSIZE"), 990);
}

static void what_was_written_before_the_kill_is_known_to_it(void **state)
{
    (void)state;
    open_with("");
    await_index();
    for (int i = 0; i < 300; i++) {
        add("1", i % 2 == 0 ? "ann" : "anna");
        enum outcome outcome = sessions_end(&sessions, EXPRESS, "ann");
        assert_true(by_index());
        assert_int_equal(outcome == OUTCOME_APPLIED, i % 2 == 0);
    }
    assert_int_equal(calls("scan"), 0);
}

static void keys_that_go_are_forgotten(void **state)
{
    (void)state;
    add("1", "ann");
    add("2", "ann");
    add("3", "ann");
    open_with("");
    await_index();
    redis_do(&server, "DEL sess:1");
    redis_do(&server, "RENAME sess:2 sess:9");
    redis_do(&server, "PEXPIRE sess:3 1");
    struct mono start = clock_mono(clock_system());
    while (redis_has(&server, "sess:3"))
        assert_true(clock_mono(clock_system()).us - start.us < BOUND_US);
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_true(by_index());
    assert_int_equal(sessions.receipt.sessions_found, 1);
    assert_false(redis_has(&server, "sess:9"));
}

static void a_server_that_tells_nothing_is_said_and_all_keys_are_looked_at(void **state)
{
    (void)state;
    redis_do(&server, "CONFIG SET notify-keyspace-events Ex");
    add("1", "ann");
    open_with("");
    struct mono start = clock_mono(clock_system());
    do {
        add("1", "ann");
        assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
        assert_false(by_index());
        assert_true(clock_mono(clock_system()).us - start.us < BOUND_US);
    } while (strstr(sessions.receipt.note, "set notify-keyspace-events to") == NULL);
    redisReply *reply = redis_ask(&server, "CONFIG GET notify-keyspace-events");
    assert_string_equal(reply->element[1]->str, "xE"); /* nobody has touched it */
    freeReplyObject(reply);
}

static void a_probe_says_that_the_server_tells_nothing(void **state)
{
    (void)state;
    redis_do(&server, "CONFIG SET notify-keyspace-events Ex");
    open_with("");
    assert_outcome(sessions_probe(&sessions), APPLIED);
    assert_non_null(strstr(sessions.receipt.note, "set notify-keyspace-events to \"KA\" there (it is \"xE\")"));
    redis_do(&server, "CONFIG SET notify-keyspace-events KA");
    assert_outcome(sessions_probe(&sessions), APPLIED);
    assert_null(sessions.receipt.note);
}

static void where_allowed_it_is_switched_on(void **state)
{
    (void)state;
    redis_do(&server, "CONFIG SET notify-keyspace-events Ex");
    open_with("index_configure = true;");
    await_index();
    add("1", "ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_true(by_index());
}

static void a_lost_subscription_falls_back_and_comes_again(void **state)
{
    (void)state;
    open_with("");
    await_index();
    redis_do(&server, "CLIENT KILL TYPE pubsub");
    add("1", "ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED); /* either way */
    await_index();
    add("2", "ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_true(by_index());
}

static void an_index_that_grows_too_large_is_given_up_and_said(void **state)
{
    (void)state;
    for (int i = 0; i < 8000; i++) {
        char id[32];
        snprintf(id, sizeof(id), "%028d", i);
        add(id, i == 0 ? "ann" : id);
    }
    open_with("index_size_max = \"1 MiB\";");
    struct mono start = clock_mono(clock_system());
    do {
        assert_outcome(sessions_end(&sessions, EXPRESS, "nobody"), UNCHANGED);
        assert_true(clock_mono(clock_system()).us - start.us < BOUND_US);
    } while (strstr(sessions.receipt.note, "index_size_max") == NULL);
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
}

static void formats_that_do_not_tell_whose_they_are_are_looked_through(void **state)
{
    (void)state;
    redis_do(&server, "SET session:1 _user_id=ann");
    open_with("");
    assert_outcome(sessions_end(&sessions, "{\"preset\": \"flask-session-redis\"}", "ann"), APPLIED);
    assert_non_null(strstr(sessions.receipt.note, "do not tell whose they are"));
}

static void another_layout_starts_the_index_anew(void **state)
{
    (void)state;
    add("1", "ann");
    redis_do(&server, "SET app:1 {\"u\":\"ann\"}");
    open_with("");
    await_index();
    assert_outcome(sessions_end(&sessions, "{\"pattern\": \"app:*\", \"format\": \"json\", \"user_at\": \"/u\"}", "ann"), APPLIED);
    assert_int_equal(sessions.receipt.sessions_ended, 1);
    assert_true(redis_has(&server, "sess:1"));
}

/* What mappings/sessions-redis.conf tells the administrator to give. */
static void the_rights_that_the_mapping_names_are_enough(void **state)
{
    (void)state;
    redis_do(&server, "ACL SETUSER agent reset on >hush-hush ~sess:* ~provost:* -@all +auth +select +role +scan +getrange "
                      "+unlink +del +get +set "
                      "+config|get +psubscribe +ping &__keyspace@0__:sess:*");
    open_with("user = \"agent\"; password = \"env:PROVOST_TEST_SECRET\";");
    await_index();
    add("1", "ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_true(by_index());
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_first_sweep_looks_at_all_keys_and_says_so),
        TEST(prepared_it_follows_the_server_before_anybody_leaves),
        TEST(a_kill_is_a_direct_look_up),
        TEST(what_was_written_before_the_kill_is_known_to_it),
        TEST(keys_that_go_are_forgotten),
        TEST(a_server_that_tells_nothing_is_said_and_all_keys_are_looked_at),
        TEST(a_probe_says_that_the_server_tells_nothing),
        TEST(where_allowed_it_is_switched_on),
        TEST(a_lost_subscription_falls_back_and_comes_again),
        TEST(an_index_that_grows_too_large_is_given_up_and_said),
        TEST(formats_that_do_not_tell_whose_they_are_are_looked_through),
        TEST(another_layout_starts_the_index_anew),
        TEST(the_rights_that_the_mapping_names_are_enough),
    };

    if (redis_skip())
        return 0;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", "hush-hush", 1);
    return cmocka_run_group_tests_name("the own index of a Redis target", tests, begin_server, end_server);
}
