/* A Redis under Sentinels: the master is found, and the next one after a failover. */
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
#define NODES 2
#define BOUND_US (30 * INT64_C(1000000))

static struct redis_server nodes[NODES], sentinel;
static struct sessions sessions;

static void await(bool (*is_so)(void))
{
    struct mono start = clock_mono(clock_system());

    while (!is_so()) {
        assert_true(clock_mono(clock_system()).us - start.us < BOUND_US);
        nanosleep(&(const struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
}

static int stop_all(void **state)
{
    (void)state;
    sessions_close(&sessions);
    redis_server_stop(&sentinel);
    for (int i = 0; i < NODES; i++)
        redis_server_stop(&nodes[i]);
    return 0;
}

static int add(struct redis_server *server, const char *key, const char *user)
{
    redisReply *reply = redis_ask(server, "SET %s {\"passport\":{\"user\":\"%s\"}}", key, user);
    bool good = reply->type != REDIS_REPLY_ERROR;

    freeReplyObject(reply);
    return good;
}

/* nodes[0] is the master, nodes[1] its replica. */
static bool is_replicated(void)
{
    redisReply *reply = redis_ask(&nodes[1], "ROLE");
    bool good = reply->elements >= 4 && str_equal(reply->element[3]->str, "connected");

    freeReplyObject(reply);
    return good;
}

static bool sentinel_knows_the_replica(void)
{
    redisReply *reply = redis_ask(&sentinel, "SENTINEL REPLICAS prime");
    bool good = reply->type == REDIS_REPLY_ARRAY && reply->elements == 1;

    freeReplyObject(reply);
    return good;
}

static bool the_replica_is_master(void)
{
    redisReply *reply = redis_ask(&nodes[1], "ROLE");
    bool good = str_equal(reply->element[0]->str, "master");

    freeReplyObject(reply);
    return good;
}

static int begin_sentinel(void **state)
{
    (void)state;
    redis_server_start(&nodes[0], "'repl-diskless-sync-delay 0'");
    cleanup_free char *replica = str_printf("'replicaof 127.0.0.1 %d'", nodes[0].port);
    redis_server_start(&nodes[1], replica);
    cleanup_free char *lines =
        str_printf("sentinel 'sentinel monitor prime 127.0.0.1 %d 1' 'sentinel down-after-milliseconds prime 500' "
                   "'sentinel failover-timeout prime 4000'",
                   nodes[0].port);
    redis_server_start(&sentinel, lines);
    await(is_replicated);
    cleanup_free char *settings =
        str_printf("store = \"redis\"; sentinel = \"prime\"; address = [ \"127.0.0.1:1\", \"%s\" ]; share = 100; "
                   "connect_timeout = \"1 s\"; timeout = \"2 s\";",
                   sentinel.address);
    sessions_open(&sessions, settings);
    return 0;
}

static void the_master_is_found_by_the_sentinel_that_answers(void **state)
{
    (void)state;
    assert_true(add(&nodes[0], "sess:1", "ann"));
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_false(redis_has(&nodes[0], "sess:1"));
}

static bool the_sweep_works_again(void)
{
    return sessions_end(&sessions, EXPRESS, "ann") == OUTCOME_APPLIED;
}

static void after_a_failover_the_new_master_is_swept(void **state)
{
    (void)state;
    await(sentinel_knows_the_replica);
    assert_true(add(&nodes[0], "sess:2", "ann"));
    assert_int_equal(redis_number(&nodes[0], "WAIT 1 2000"), 1);
    redis_server_run(&nodes[0], "kill");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), TARGET_DOWN);
    await(the_replica_is_master);
    await(the_sweep_works_again);
    assert_false(redis_has(&nodes[1], "sess:2"));
}

static void a_name_that_no_sentinel_knows_is_told(void **state)
{
    cleanup_free char *settings =
        str_printf("store = \"redis\"; sentinel = \"other\"; address = [ \"%s\" ];", sentinel.address);
    struct sessions lost;

    (void)state;
    sessions_begin(&lost, settings);
    assert_outcome(sessions_try_open(&lost), TARGET_DOWN);
    assert_non_null(strstr(lost.receipt.reason, "knows no master \"other\""));
    sessions_close(&lost);
}

static void a_server_that_is_no_sentinel_is_told(void **state)
{
    cleanup_free char *settings =
        str_printf("store = \"redis\"; sentinel = \"prime\"; address = [ \"%s\" ];", nodes[0].address);
    struct sessions lost;

    (void)state;
    sessions_begin(&lost, settings);
    assert_outcome(sessions_try_open(&lost), TARGET_DOWN);
    assert_non_null(strstr(lost.receipt.reason, "is no Sentinel"));
    sessions_close(&lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_master_is_found_by_the_sentinel_that_answers),
        cmocka_unit_test(a_name_that_no_sentinel_knows_is_told),
        cmocka_unit_test(a_server_that_is_no_sentinel_is_told),
        cmocka_unit_test(after_a_failover_the_new_master_is_swept),
    };

    if (redis_skip())
        return 0;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    return cmocka_run_group_tests_name("Redis under Sentinels", tests, begin_sentinel, stop_all);
}
