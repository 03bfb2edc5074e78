/* Sessions in a real Redis: found by their layout, ended, and nobody else's. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/support/redis.h"
#include "tests/support/sessions.h"

#define EXPRESS "{\"preset\": \"express\"}"
#define EXPRESS_DATED "{\"preset\": \"express\", \"created_at\": \"/createdAt\"}"
#define SPRING "{\"preset\": \"spring-redis-indexed\"}"
#define SPRING_PLAIN "{\"preset\": \"spring-redis\"}"
#define PHPREDIS "{\"preset\": \"phpredis\"}"
#define TOKEN "{\"preset\": \"flask-session-redis\"}"
#define LARAVEL "{\"preset\": \"laravel-redis\"}"

static struct redis_server server;
static struct sessions sessions;

static char *settings_for(const char *more)
{
    return str_printf("store = \"redis\"; address = [ \"%s\" ]; share = 100; timeout = \"2 s\"; connect_timeout = \"2 s\"; "
                      "lock_timeout = \"100 ms\"; %s",
                      server.address, more);
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
    cleanup_free char *settings = settings_for("");

    (void)state;
    redis_do(&server, "FLUSHALL");
    sessions_open(&sessions, settings);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sessions_close(&sessions);
    return 0;
}

static void add_express(const char *id, const char *user)
{
    redis_do(&server, "SET sess:%s {\"cookie\":{\"path\":\"/\"},\"passport\":{\"user\":\"%s\"}}", id, user);
}

static void assert_ended(int64_t found, int64_t ended)
{
    assert_int_equal(sessions.receipt.sessions_found, found);
    assert_int_equal(sessions.receipt.sessions_ended, ended);
}

/* ---- express ---- */

static void a_users_sessions_end_and_nobody_elses(void **state)
{
    (void)state;
    add_express("1", "ann");
    add_express("2", "anna");
    add_express("3", "ann");
    add_express("4", "joann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_ended(2, 2);
    assert_false(redis_has(&server, "sess:1"));
    assert_true(redis_has(&server, "sess:2"));
    assert_false(redis_has(&server, "sess:3"));
    assert_true(redis_has(&server, "sess:4"));
}

static void a_sweep_applied_twice_is_unchanged(void **state)
{
    (void)state;
    add_express("1", "ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
    assert_ended(0, 0);
}

static void a_former_name_counts_too(void **state)
{
    (void)state;
    add_express("1", "ann.lee");
    add_express("2", "ann");
    assert_outcome(sessions_end_with(&sessions, EXPRESS, "ann", (struct end){ .former = "ann.lee" }), APPLIED);
    assert_ended(2, 2);
}

static void all_of_many_keys_are_looked_at(void **state)
{
    char id[16];

    (void)state;
    for (int i = 0; i < 3000; i++) {
        snprintf(id, sizeof(id), "%d", i);
        add_express(id, i % 1000 == 7 ? "ann" : "bob");
    }
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_ended(3, 3);
    assert_int_equal(redis_number(&server, "DBSIZE"), 2997);
}

static void other_keys_are_left_alone(void **state)
{
    (void)state;
    redis_do(&server, "SET other:1 {\"passport\":{\"user\":\"ann\"}}");
    redis_do(&server, "LPUSH sess:list ann");
    redis_do(&server, "HSET sess:hash user ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
    assert_int_equal(redis_number(&server, "DBSIZE"), 3);
}


#define assert_doubt(words)                                                    \
    do {                                                                       \
        assert_non_null(sessions.receipt.doubt);                               \
        if (strstr(sessions.receipt.doubt, words) == NULL)                     \
            fail_msg("\"%s\" is not in: %s", words, sessions.receipt.doubt);   \
    } while (0)

static void a_layout_that_is_not_the_applications_is_told(void **state)
{
    (void)state;
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
    assert_doubt("there is no key in database 0");
    redis_do(&server, "SET sess:1 \x28\xb5\x2f\xfd-compressed");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), RETRY);
    assert_non_null(strstr(sessions.receipt.reason, "1 sessions cannot be looked into as format = \"json\""));
    redis_do(&server, "SET sess:1 {\"user\":\"ann\"}");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
    assert_doubt("none of 1 sessions looked into has anybody at /passport/user");
    add_express("2", "12");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
    assert_doubt("the sessions' names are numbers, unlike ann");
    add_express("2", "bob");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
    assert_null(sessions.receipt.doubt);
}

static void what_is_special_in_a_pattern_stands_for_itself(void **state)
{
    (void)state;
    redis_do(&server, "SET a[b]?:1 {\"u\":\"ann\"}");
    redis_do(&server, "SET ab?:1 {\"u\":\"ann\"}");
    assert_outcome(sessions_end(&sessions, "{\"pattern\": \"a[b]?:*\", \"format\": \"json\", \"user_at\": \"/u\"}", "ann"),
                   APPLIED);
    assert_ended(1, 1);
    assert_true(redis_has(&server, "ab?:1"));
}

static void a_session_that_was_opened_later_stays(void **state)
{
    (void)state;
    redis_do(&server, "SET sess:old {\"createdAt\":1000000,\"passport\":{\"user\":\"ann\"}}");
    redis_do(&server, "SET sess:new {\"createdAt\":3000000,\"passport\":{\"user\":\"ann\"}}");
    assert_outcome(sessions_end_with(&sessions, EXPRESS_DATED, "ann", (struct end){ .before_us = 2000000000 }), APPLIED);
    assert_ended(2, 1);
    assert_true(redis_has(&server, "sess:new"));
    assert_non_null(strstr(sessions.receipt.note, "1 opened later"));
}

static void of_one_who_came_back_only_dated_sessions_end(void **state)
{
    (void)state;
    add_express("undated", "ann");
    redis_do(&server, "SET sess:old {\"createdAt\":1000000,\"passport\":{\"user\":\"ann\"}}");
    assert_outcome(
        sessions_end_with(&sessions, EXPRESS_DATED, "ann", (struct end){ .before_us = 2000000000, .dated_only = true }), APPLIED);
    assert_false(redis_has(&server, "sess:old"));
    assert_true(redis_has(&server, "sess:undated"));
}

/* ---- hostile values ---- */

static void a_value_of_10_mb_is_searched_to_its_end(void **state)
{
    size_t length = 10u << 20;
    char *big = malloc(length + 1);

    (void)state;
    assert_non_null(big);
    memset(big, 'x', length);
    big[length] = '\0';
    redis_do(&server, "SET sess:first {\"passport\":{\"user\":\"ann\"},\"fill\":\"%s\"}", big);
    redis_do(&server, "SET sess:last {\"fill\":\"%s\",\"passport\":{\"user\":\"ann\"}}", big);
    redis_do(&server, "SET sess:other {\"fill\":\"%s\",\"passport\":{\"user\":\"anna\"}}", big);
    redis_do(&server, "SET sess:middle {\"fill\":\"%s\",\"passport\":{\"user\":\"ann\"}}", big + length - 300000);
    free(big);
    add_express("1", "ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_ended(4, 4);
    assert_true(redis_has(&server, "sess:other"));
}

static void a_value_that_is_no_json_is_ended_when_it_names_the_user(void **state)
{
    (void)state;
    redis_do(&server, "SET sess:1 %b", "\x80\x04\x95\x00 ann \xff\x00(", (size_t)13);
    redis_do(&server, "SET sess:2 {\"passport\":{\"user\":\"ann\"}");
    redis_do(&server, "SET sess:3 {\"passport\":{\"user\":\"anna\"}");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
    assert_ended(2, 2);
}

static void a_pickled_name_is_matched_whole(void **state)
{
    (void)state;
    redis_do(&server, "SET session:1 %b",
             "\x80\x04\x95\x19\0\0\0\0\0\0\0}\x94\x8c\x08_user_id\x94\x8c\x03"
             "ann\x94s.",
             (size_t)33);
    redis_do(&server, "SET session:2 %b",
             "\x80\x04\x95\x19\0\0\0\0\0\0\0}\x94\x8c\x08_user_id\x94\x8c\x04"
             "anna\x94s.",
             (size_t)34);
    redis_do(&server, "SET session:3 %b", "\x81\xa8_user_id\xa3" "ann", (size_t)14);
    redis_do(&server, "SET session:4 %b", "\x81\xa8_user_id\xa4" "anna", (size_t)15);
    assert_outcome(sessions_end(&sessions, TOKEN, "ann"), APPLIED);
    assert_ended(2, 2);
    assert_true(redis_has(&server, "session:2"));
    assert_true(redis_has(&server, "session:4"));
}

static void laravel_is_found_by_its_own_name_for_the_log_in(void **state)
{
    static const char *const login = "login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d";
    cleanup_free char *five = str_printf("a:2:{s:6:\"_token\";s:3:\"abc\";s:50:\"%s\";i:5;}", login);
    cleanup_free char *other = str_printf("a:2:{s:6:\"_token\";s:1:\"5\";s:50:\"%s\";i:55;}", login);

    (void)state;
    redis_do(&server, "SET laravel_database_laravel_cache_x s:%d:\"%s\";", (int)strlen(five), five);
    redis_do(&server, "SET laravel_database_laravel_cache_y s:%d:\"%s\";", (int)strlen(other), other);
    assert_outcome(sessions_end(&sessions, LARAVEL, "5"), APPLIED);
    assert_ended(1, 1);
    assert_true(redis_has(&server, "laravel_database_laravel_cache_y"));
}

/* ---- phpredis ---- */

static void add_php(const char *id, const char *user)
{
    redis_do(&server, "SET PHPREDIS_SESSION:%s user|s:%d:\"%s\";n|i:1;", id, (int)strlen(user), user);
}

static void a_locked_php_session_is_left_to_the_second_sweep(void **state)
{
    (void)state;
    add_php("1", "ann");
    add_php("2", "anna");
    redis_do(&server, "SET PHPREDIS_SESSION:1_LOCK host|1");
    assert_outcome(sessions_end(&sessions, PHPREDIS, "ann"), UNCHANGED);
    assert_ended(1, 0);
    assert_non_null(strstr(sessions.receipt.note, "1 held locked"));
    assert_true(redis_has(&server, "PHPREDIS_SESSION:1_LOCK"));
    assert_outcome(sessions_end_with(&sessions, PHPREDIS, "ann", (struct end){ .sweep = 2 }), RETRY);
    redis_do(&server, "DEL PHPREDIS_SESSION:1_LOCK");
    assert_outcome(sessions_end_with(&sessions, PHPREDIS, "ann", (struct end){ .sweep = 2 }), APPLIED);
    assert_ended(1, 1);
    assert_false(redis_has(&server, "PHPREDIS_SESSION:1_LOCK")); /* ours is released */
    assert_true(redis_has(&server, "PHPREDIS_SESSION:2"));
}

/* ---- Spring ---- */

#define INDEX "spring:session:index:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME:"
#define ID "33fdd1b6-b496-4b33-9f7d-df96679d32fe"
#define JAVA_LONG                                                                                                                \
    "\xac\xed\0\5sr\0\16java.lang.Long;\x8b\xe4\x90\xcc\x8f#\xdf\2\0\1J\0\5valuexr\0\20java.lang."                               \
    "Number\x86\xac\x95\x1d\x0b\x94\xe0\x8b\2\0\0xp"
#define JAVA_INTEGER                                                                                                             \
    "\xac\xed\0\5sr\0\21java.lang.Integer\x12\xe2\xa0\xa4\xf7\x81\x87"                                                           \
    "8\2\0\1I\0\5valuexr\0\20java.lang.Number\x86\xac\x95\x1d\x0b\x94\xe0\x8b\2\0\0xp"
#define JAVA_ID "\xac\xed\0\5t\0\44" ID
#define JAVA_EXPIRES "\xac\xed\0\5t\0\54expires:" ID
#define CREATED_MS 1404360000000
#define CREATED_BYTES "\0\0\1\x46\xfa\x61\x02\0" /* the same */
#define BYTES(literal) (literal), (sizeof(literal) - 1)

static void add_spring(void)
{
    redis_do(&server, "HSET spring:session:sessions:" ID " creationTime %b lastAccessedTime %b maxInactiveInterval %b",
             BYTES(JAVA_LONG CREATED_BYTES), BYTES(JAVA_LONG CREATED_BYTES), BYTES(JAVA_INTEGER "\0\0\7\x08"));
    redis_do(&server, "SADD " INDEX "ann %b", BYTES(JAVA_ID));
    redis_do(&server, "SET spring:session:sessions:expires:" ID " x");
    redis_do(&server, "SADD spring:session:expirations:1404361860000 %b other", BYTES(JAVA_EXPIRES));
}

static void springs_index_is_cleaned_as_spring_does_it(void **state)
{
    (void)state;
    add_spring();
    assert_outcome(sessions_end(&sessions, SPRING, "anna"), UNCHANGED);
    assert_outcome(sessions_end(&sessions, SPRING, "ann"), APPLIED);
    assert_ended(1, 1);
    assert_false(redis_has(&server, INDEX "ann"));
    assert_false(redis_has(&server, "spring:session:sessions:expires:" ID));
    assert_int_equal(redis_number(&server, "SCARD spring:session:expirations:1404361860000"), 1);
    assert_in_range(redis_number(&server, "TTL spring:session:sessions:" ID), 290, 300);
    redisReply *zero = redis_ask(&server, "HGET spring:session:sessions:" ID " maxInactiveInterval");
    assert_int_equal(zero->len, sizeof(JAVA_INTEGER) - 1 + 4);
    assert_memory_equal(zero->str, JAVA_INTEGER "\0\0\0\0", zero->len);
    freeReplyObject(zero);
    assert_outcome(sessions_end(&sessions, SPRING, "ann"), UNCHANGED);
}

/* Refused in the middle, as a server is that is killed there. */
static void a_spring_session_half_ended_is_found_again(void **state)
{
    struct sessions limited = { 0 };
    cleanup_free char *settings = settings_for("user = \"half\"; password = \"env:PROVOST_TEST_SECRET\";");

    (void)state;
    redis_do(&server, "ACL SETUSER half on >hush-hush ~* +@all -hset");
    sessions_open(&limited, settings);
    add_spring();
    assert_outcome(sessions_end(&limited, SPRING, "ann"), TARGET_DOWN);
    redis_do(&server, "ACL SETUSER half +hset -unlink");
    assert_outcome(sessions_end(&limited, SPRING, "ann"), TARGET_DOWN);
    sessions_close(&limited);
    assert_outcome(sessions_end(&sessions, SPRING, "ann"), UNCHANGED); /* void already */
    assert_false(redis_has(&server, INDEX "ann"));
    assert_false(redis_has(&server, "spring:session:sessions:expires:" ID));
    assert_in_range(redis_number(&server, "TTL spring:session:sessions:" ID), 290, 300);
    redis_do(&server, "ACL DELUSER half");
}

static void a_spring_session_of_later_stays_in_its_index(void **state)
{
    (void)state;
    add_spring();
    assert_outcome(sessions_end_with(&sessions, SPRING, "ann", (struct end){ .before_us = (CREATED_MS - 1) * INT64_C(1000) }),
                   UNCHANGED);
    assert_ended(1, 0);
    assert_true(redis_has(&server, INDEX "ann"));
}

static void a_trace_in_springs_index_of_a_session_that_is_gone_is_removed(void **state)
{
    (void)state;
    add_spring();
    redis_do(&server, "DEL spring:session:sessions:" ID);
    assert_outcome(sessions_end(&sessions, SPRING, "ann"), UNCHANGED);
    assert_false(redis_has(&server, INDEX "ann"));
}

static void springs_plain_sessions_are_found_in_their_hashes(void **state)
{
    (void)state;
    redis_do(&server, "HSET spring:session:sessions:1 creationTime %b sessionAttr:SPRING_SECURITY_CONTEXT %b",
             BYTES(JAVA_LONG CREATED_BYTES),
             BYTES("\xac\xed\0\5sr\0=org.springframework.security.core.context.SecurityContextImpl t\0\3ann"));
    redis_do(&server, "HSET spring:session:sessions:2 creationTime %b sessionAttr:SPRING_SECURITY_CONTEXT %b",
             BYTES(JAVA_LONG CREATED_BYTES),
             BYTES("\xac\xed\0\5sr\0=org.springframework.security.core.context.SecurityContextImpl t\0\4anna"));
    redis_do(&server, "HSET spring:session:sessions:3 creationTime 1");
    assert_outcome(sessions_end(&sessions, SPRING_PLAIN, "ann"), APPLIED);
    assert_ended(1, 1);
    assert_int_equal(redis_number(&server, "DBSIZE"), 2);
}

/* ---- markers ---- */

#define FUTURE "2099-01-01T00:00:00.000Z"

static void markers_are_kept_and_read_back(void **state)
{
    json_t *values = NULL;

    (void)state;
    assert_outcome(sessions_mark(&sessions, EXPRESS, "ann", true, "2026-11-22T21:10:03.123Z", FUTURE), APPLIED);
    assert_outcome(sessions_mark(&sessions, EXPRESS, "ann", true, "2026-11-22T21:10:03.123Z", FUTURE), UNCHANGED);
    assert_true(redis_has(&server, "provost:denied:ann"));
    assert_true(redis_number(&server, "PTTL provost:signed_in:ann") > 0);
    assert_int_equal(redis_number(&server, "PTTL provost:denied:ann"), -1);
    assert_outcome(sessions_read(&sessions, EXPRESS, "ann", &values), APPLIED);
    assert_true(json_is_true(json_object_get(values, "denied")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(values, "signed_in"), "expires")), FUTURE);
    json_decref(values);
    assert_outcome(sessions_mark(&sessions, EXPRESS, "ann", false, NULL, NULL), APPLIED);
    assert_int_equal(redis_number(&server, "DBSIZE"), 0);
}

/* ---- the server's ways ---- */

static void a_server_without_memory_ends_sessions_but_takes_no_markers(void **state)
{
    (void)state;
    add_express("1", "ann");
    add_php("1", "ann");
    redis_do(&server, "CONFIG SET maxmemory-policy noeviction");
    redis_do(&server, "CONFIG SET maxmemory 1");
    enum outcome mark = sessions_mark(&sessions, EXPRESS, "ann", true, NULL, NULL);
    cleanup_free char *reason = str_dup(sessions.receipt.reason);
    enum outcome express = sessions_end(&sessions, EXPRESS, "ann"), php = sessions_end(&sessions, PHPREDIS, "ann");
    redis_do(&server, "CONFIG SET maxmemory 0");
    assert_outcome(mark, RETRY);
    assert_non_null(strstr(reason, "out of memory"));
    assert_outcome(express, APPLIED);
    assert_outcome(php, APPLIED);
    assert_int_equal(redis_number(&server, "DBSIZE"), 0);
}

static void a_server_without_unlink_gets_del(void **state)
{
    struct redis_server old;
    struct sessions there;

    (void)state;
    redis_server_start(&old, "'rename-command UNLINK \"\"'");
    cleanup_free char *settings = str_printf("store = \"redis\"; address = [ \"%s\" ]; share = 100;", old.address);
    redis_do(&old, "SET sess:1 {\"passport\":{\"user\":\"ann\"}}");
    redis_do(&old, "SET sess:2 {\"passport\":{\"user\":\"ann\"}}");
    sessions_open(&there, settings);
    assert_outcome(sessions_end(&there, EXPRESS, "ann"), APPLIED);
    assert_int_equal(there.receipt.sessions_ended, 2);
    assert_int_equal(redis_number(&old, "DBSIZE"), 0);
    sessions_close(&there);
    redis_server_stop(&old);
}

static void a_sweep_that_may_not_delete_is_told(void **state)
{
    cleanup_free char *settings = settings_for("user = \"reader\"; password = \"env:PROVOST_TEST_SECRET\";");
    struct sessions reader;

    (void)state;
    redis_do(&server, "ACL SETUSER reader on >hush-hush ~* +@read +scan +role");
    add_express("1", "ann");
    sessions_open(&reader, settings);
    assert_outcome(sessions_end(&reader, EXPRESS, "ann"), TARGET_DOWN);
    assert_non_null(strstr(reader.receipt.reason, "unlink"));
    sessions_close(&reader);
    redis_do(&server, "ACL DELUSER reader");
}

static void a_user_without_rights_is_told_which(void **state)
{
    cleanup_free char *settings = settings_for("user = \"poor\"; password = \"env:PROVOST_TEST_SECRET\";");
    struct sessions poor;

    (void)state;
    redis_do(&server, "ACL SETUSER poor on >hush-hush ~* -@all +role +get");
    sessions_open(&poor, settings);
    assert_outcome(sessions_probe(&poor), TARGET_DOWN);
    assert_non_null(strstr(poor.receipt.reason, "scan"));
    redis_do(&server, "ACL SETUSER poor +scan +getrange");
    assert_outcome(sessions_probe(&poor), TARGET_DOWN);
    assert_non_null(strstr(poor.receipt.reason, "unlink"));
    redis_do(&server, "ACL SETUSER poor +unlink resetkeys ~sess:*");
    assert_outcome(sessions_probe(&poor), APPLIED);
    sessions_close(&poor);
    redis_do(&server, "ACL DELUSER poor");
}

/* What mappings/sessions-redis.conf tells the administrator to give. */
#define RIGHTS "~sess:* ~provost:* -@all +auth +select +role +scan +getrange +unlink +del +get +set"
#define RIGHTS_PHP " ~PHPREDIS_SESSION:* +eval"
#define RIGHTS_SPRING " ~spring:session:* +smembers +srem +hmget +hset +hstrlen +expire"

static void use_rights(struct sessions *agent, const char *rights)
{
    cleanup_free char *settings = settings_for("user = \"agent\"; password = \"env:PROVOST_TEST_SECRET\"; database = 1;");
    cleanup_free char *command = str_printf("ACL SETUSER agent reset on >hush-hush %s", rights);

    redis_do(&server, command);
    sessions_open(agent, settings);
}

static void the_rights_that_the_mapping_names_are_enough(void **state)
{
    struct sessions agent;

    (void)state;
    redis_do(&server, "SELECT 1");
    use_rights(&agent, RIGHTS);
    add_express("1", "ann");
    assert_outcome(sessions_probe(&agent), APPLIED);
    assert_outcome(sessions_end(&agent, EXPRESS, "ann"), APPLIED);
    assert_outcome(sessions_mark(&agent, EXPRESS, "ann", true, "2026-11-22T21:10:03.123Z", FUTURE), APPLIED);
    assert_outcome(sessions_mark(&agent, EXPRESS, "ann", false, NULL, NULL), APPLIED);
    sessions_close(&agent);
    use_rights(&agent, RIGHTS RIGHTS_PHP);
    add_php("1", "ann");
    assert_outcome(sessions_end(&agent, PHPREDIS, "ann"), APPLIED);
    assert_false(redis_has(&server, "PHPREDIS_SESSION:1_LOCK"));
    sessions_close(&agent);
    use_rights(&agent, RIGHTS RIGHTS_SPRING);
    add_spring();
    assert_outcome(sessions_end(&agent, SPRING, "ann"), APPLIED);
    assert_outcome(sessions_end(&agent, SPRING_PLAIN, "ann"), UNCHANGED);
    sessions_close(&agent);
    redis_do(&server, "SELECT 0");
    redis_do(&server, "ACL DELUSER agent");
}

static void a_restart_between_two_sweeps_goes_unnoticed(void **state)
{
    (void)state;
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), UNCHANGED);
    redis_server_run(&server, "kill");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), TARGET_DOWN);
    assert_outcome(sessions_probe(&sessions), TARGET_DOWN);
    redis_server_run(&server, "restart");
    add_express("1", "ann");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), APPLIED);
}

static void a_replica_is_not_taken_for_the_master(void **state)
{
    (void)state;
    redis_do(&server, "REPLICAOF 127.0.0.1 1");
    assert_outcome(sessions_end(&sessions, EXPRESS, "ann"), TARGET_DOWN);
    assert_non_null(strstr(sessions.receipt.reason, "replica"));
    redis_do(&server, "REPLICAOF NO ONE");
}

static void a_password_that_changes_takes_the_target_down_and_is_not_told(void **state)
{
    cleanup_free char *settings = settings_for("user = \"app\"; password = \"env:PROVOST_TEST_SECRET\";");
    struct sessions app;

    (void)state;
    redis_do(&server, "ACL SETUSER app on >hush-hush ~* +@all");
    sessions_open(&app, settings);
    redis_do(&server, "ACL SETUSER app resetpass >other");
    redis_do(&server, "CLIENT KILL TYPE normal SKIPME yes");
    assert_outcome(sessions_end(&app, EXPRESS, "ann"), TARGET_DOWN);
    assert_non_null(strstr(app.receipt.reason, "wrong user or password"));
    redis_do(&server, "ACL SETUSER app resetpass >hush-hush");
    assert_outcome(sessions_end(&app, EXPRESS, "ann"), UNCHANGED);
    sessions_close(&app);
}

static void a_socket_and_another_database_are_used(void **state)
{
    cleanup_free char *settings =
        str_printf("store = \"redis\"; address = [ \"%s/socket\" ]; database = 3; share = 100;", server.folder);
    struct sessions local;

    (void)state;
    add_express("1", "ann");
    sessions_open(&local, settings);
    assert_outcome(sessions_end(&local, EXPRESS, "ann"), UNCHANGED);
    sessions_close(&local);
    assert_true(redis_has(&server, "sess:1"));
}

/* ---- together ---- */

#define WORKERS 6

struct worker {
    struct sessions sessions;
    char user[16];
    enum outcome outcome;
};

static void *work(void *arg)
{
    struct worker *worker = arg;

    worker->outcome = sessions_end(&worker->sessions, EXPRESS, worker->user);
    return NULL;
}

static long long scans(void)
{
    redisReply *reply = redis_ask(&server, "INFO commandstats");
    const char *row = strstr(reply->str, "cmdstat_scan:calls=");
    long long calls = row != NULL ? atoll(row + strlen("cmdstat_scan:calls=")) : 0;

    freeReplyObject(reply);
    return calls;
}

/* While the first is at it the others come to wait; all of them then go together. */
static void many_who_leave_at_once_share_a_pass(void **state)
{
    struct worker workers[WORKERS] = { 0 };
    pthread_t threads[WORKERS];
    char id[16];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "%d", i);
        redis_do(&server, "SET sess:%s {\"passport\":{\"user\":\"user%d\"}}", id, i % 100);
    }
    redis_do(&server, "CONFIG RESETSTAT");
    for (int i = 0; i < WORKERS; i++) {
        sessions_join(&workers[i].sessions, &sessions);
        snprintf(workers[i].user, sizeof(workers[i].user), "user%d", i);
    }
    redis_do(&server, "CLIENT PAUSE 300");
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, work, &workers[i]);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WORKERS; i++) {
        assert_outcome(workers[i].outcome, APPLIED);
        assert_int_equal(workers[i].sessions.receipt.sessions_ended, 20);
        sessions_leave(&workers[i].sessions);
    }
    assert_int_equal(redis_number(&server, "DBSIZE"), 2000 - WORKERS * 20);
    assert_true(scans() <= 3 * 6); /* 2,000 keys are 4 or 5 steps of 500 */
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_users_sessions_end_and_nobody_elses),
        TEST(a_sweep_applied_twice_is_unchanged),
        TEST(a_former_name_counts_too),
        TEST(all_of_many_keys_are_looked_at),
        TEST(other_keys_are_left_alone),
        TEST(a_layout_that_is_not_the_applications_is_told),
        TEST(what_is_special_in_a_pattern_stands_for_itself),
        TEST(a_session_that_was_opened_later_stays),
        TEST(of_one_who_came_back_only_dated_sessions_end),
        TEST(a_value_of_10_mb_is_searched_to_its_end),
        TEST(a_value_that_is_no_json_is_ended_when_it_names_the_user),
        TEST(a_pickled_name_is_matched_whole),
        TEST(laravel_is_found_by_its_own_name_for_the_log_in),
        TEST(a_locked_php_session_is_left_to_the_second_sweep),
        TEST(springs_index_is_cleaned_as_spring_does_it),
        TEST(a_spring_session_half_ended_is_found_again),
        TEST(a_spring_session_of_later_stays_in_its_index),
        TEST(a_trace_in_springs_index_of_a_session_that_is_gone_is_removed),
        TEST(springs_plain_sessions_are_found_in_their_hashes),
        TEST(markers_are_kept_and_read_back),
        TEST(a_server_without_memory_ends_sessions_but_takes_no_markers),
        TEST(a_server_without_unlink_gets_del),
        TEST(a_sweep_that_may_not_delete_is_told),
        TEST(a_user_without_rights_is_told_which),
        TEST(the_rights_that_the_mapping_names_are_enough),
        TEST(a_restart_between_two_sweeps_goes_unnoticed),
        TEST(a_replica_is_not_taken_for_the_master),
        TEST(a_password_that_changes_takes_the_target_down_and_is_not_told),
        TEST(a_socket_and_another_database_are_used),
        TEST(many_who_leave_at_once_share_a_pass),
    };

    if (redis_skip())
        return 0;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", "hush-hush", 1);
    return cmocka_run_group_tests_name("sessions in Redis", tests, begin_server, end_server);
}
