/* A Redis cluster of three masters: all are swept, and slots that move are followed. */
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
#define PHPREDIS "{\"preset\": \"phpredis\"}"
#define NODES 3
#define BOUND_US (30 * INT64_C(1000000))

static struct redis_server nodes[NODES];
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

static bool the_cluster_is_whole(void)
{
    bool good = true;

    for (int i = 0; i < NODES; i++) {
        redisReply *info = redis_ask(&nodes[i], "CLUSTER INFO");
        good = good && strstr(info->str, "cluster_state:ok") != NULL && strstr(info->str, "cluster_known_nodes:3") != NULL;
        freeReplyObject(info);
    }
    return good;
}

static int begin_cluster(void **state)
{
    static const int first[NODES + 1] = { 0, 5461, 10923, 16384 };

    (void)state;
    for (int i = 0; i < NODES; i++) {
        redis_server_start(&nodes[i], "'cluster-enabled yes' 'cluster-node-timeout 2000'");
        redis_do(&nodes[i], "CLUSTER ADDSLOTSRANGE %d %d", first[i], first[i + 1] - 1);
        redis_do(&nodes[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    }
    for (int i = 1; i < NODES; i++)
        redis_do(&nodes[0], "CLUSTER MEET 127.0.0.1 %d", nodes[i].port);
    await(the_cluster_is_whole);
    cleanup_free char *settings =
        str_printf("store = \"redis\"; cluster = true; address = [ \"%s\" ]; share = 100; timeout = \"2 s\";", nodes[1].address);
    sessions_open(&sessions, settings);
    return 0;
}

/* On whichever node has the slot. */
static void add_somewhere(const char *key, const char *user)
{
    int taken = 0;

    for (int i = 0; i < NODES; i++)
        taken += add(&nodes[i], key, user);
    assert_int_equal(taken, 1);
}

static long long all_keys(void)
{
    long long count = 0;

    for (int i = 0; i < NODES; i++)
        count += redis_number(&nodes[i], "DBSIZE");
    return count;
}

static void all_nodes_of_a_cluster_are_swept(void **state)
{
    char key[32];

    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof(key), "sess:%d", i);
        add_somewhere(key, i % 2 == 0 ? "ann" : "anna");
    }
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_int_equal(sessions.receipt.sessions_ended, 30);
    assert_int_equal(all_keys(), 30);
}

static void markers_find_their_node(void **state)
{
    json_t *values = NULL;

    (void)state;
    for (int i = 0; i < 10; i++) {
        char user[16];
        snprintf(user, sizeof(user), "user%d", i);
        assert_outcome(sessions_mark(&sessions, EXPRESS, user, true, NULL, NULL), APPLIED);
        assert_outcome(sessions_read(&sessions, EXPRESS, user, &values), APPLIED);
        assert_true(json_is_true(json_object_get(values, "denied")));
        json_decref(values);
        assert_outcome(sessions_mark(&sessions, EXPRESS, user, false, NULL, NULL), APPLIED);
    }
}

static void move_slot(int slot, int from, int to)
{
    redisReply *source = redis_ask(&nodes[from], "CLUSTER MYID"), *target = redis_ask(&nodes[to], "CLUSTER MYID");

    redis_do(&nodes[to], "CLUSTER SETSLOT %d IMPORTING %s", slot, source->str);
    redis_do(&nodes[from], "CLUSTER SETSLOT %d MIGRATING %s", slot, target->str);
    freeReplyObject(source);
    freeReplyObject(target);
}

/* Half of the slot's keys lie at the new node already: the old one answers ASK. */
static void a_slot_that_is_being_moved_is_followed(void **state)
{
    (void)state;
    int slot = (int)redis_number(&nodes[0], "CLUSTER KEYSLOT {x}"),
        from = slot < 5461    ? 0
               : slot < 10923 ? 1
                              : 2,
        to = (from + 1) % NODES;
    add_somewhere("PHPREDIS_SESSION:{x}1", "ignored");
    redis_do(&nodes[from], "SET PHPREDIS_SESSION:{x}1 user|s:3:\"ann\";");
    redis_do(&nodes[from], "SET PHPREDIS_SESSION:{x}2 user|s:3:\"ann\";");
    move_slot(slot, from, to);
    redis_do(&nodes[from], "MIGRATE 127.0.0.1 %d PHPREDIS_SESSION:{x}2 0 2000", nodes[to].port);
    assert_outcome(sessions_end(&sessions, PHPREDIS, "ann"), APPLIED);
    assert_int_equal(sessions.receipt.sessions_ended, 2);
}

static void a_node_that_is_down_is_told_and_nothing_is_taken_for_done(void **state)
{
    (void)state;
    redis_server_run(&nodes[2], "kill");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), TARGET_DOWN);
    redis_server_run(&nodes[2], "restart");
    await(the_cluster_is_whole);
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_nodes_of_a_cluster_are_swept),
        cmocka_unit_test(markers_find_their_node),
        cmocka_unit_test(a_slot_that_is_being_moved_is_followed),
        cmocka_unit_test(a_node_that_is_down_is_told_and_nothing_is_taken_for_done),
    };

    if (redis_skip())
        return 0;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    return cmocka_run_group_tests_name("a Redis cluster", tests, begin_cluster, stop_all);
}
