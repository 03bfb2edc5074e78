/* Redis' error replies, slots and addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "connectors/session/address.h"
#include "connectors/session/redis_outcome.h"

#define assert_outcome(reply, wanted) \
    assert_string_equal(outcome_name(redis_outcome_row(reply)->outcome), outcome_name(OUTCOME_##wanted))

static void every_kind_of_error_has_its_outcome(void **state)
{
    (void)state;
    assert_outcome("NOAUTH Authentication required.", TARGET_DOWN);
    assert_outcome("WRONGPASS invalid username-password pair or user is disabled.", TARGET_DOWN);
    assert_outcome("NOPERM this user has no permissions to run the 'scan' command", TARGET_DOWN);
    assert_outcome("LOADING Redis is loading the dataset in memory", TARGET_DOWN);
    assert_outcome("READONLY You can't write against a read only replica.", TARGET_DOWN);
    assert_outcome("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", TARGET_DOWN);
    assert_outcome("CLUSTERDOWN The cluster is down", TARGET_DOWN);
    assert_outcome("ERR max number of clients reached", TARGET_DOWN);
    assert_outcome("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", RETRY);
    assert_outcome("OOM command not allowed when used memory > 'maxmemory'.", RETRY);
    assert_outcome("MISCONF Redis is configured to save RDB snapshots", RETRY);
    assert_outcome("TRYAGAIN Multiple keys request during rehashing of slot", RETRY);
    assert_outcome("NOREPLICAS Not enough good replicas to write.", RETRY);
    assert_outcome("WRONGTYPE Operation against a key holding the wrong kind of value", REJECTED);
    assert_outcome("BUSYKEY Target key name already exists.", REJECTED);
    assert_outcome("ERR unknown command 'UNLINK', with args beginning with: 'sess:1'", REJECTED);
    assert_outcome("ERR syntax error", REJECTED);
    assert_outcome("WHATEVER", RETRY);
}

/* A row that stands behind a shorter prefix of itself is never reached. */
static void every_row_of_the_table_is_reached_and_says_something(void **state)
{
    (void)state;
    const struct redis_outcome_row *row = redis_outcome_table();
    for (;; row++) {
        assert_ptr_equal(redis_outcome_row(row->prefix), row);
        assert_true((unsigned)row->outcome < OUTCOME_COUNT && row->outcome != OUTCOME_APPLIED);
        assert_true(strlen(row->sentence) > 10);
        if (*row->prefix == '\0')
            break;
    }
}

static void addresses_are_hosts_with_ports_or_sockets(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
    } rows[] = {
        { "redis.example.com:7000", "redis.example.com", 7000 }, { "127.0.0.1", "127.0.0.1", 6379 },
        { "[::1]:7000", "::1", 7000 },                           { "[::1]", "::1", 6379 },
        { "::1", "::1", 6379 },                                  { "/run/redis.sock", "/run/redis.sock", 0 },
    };
    static const char *const wrong[] = { "", ":6379", "host:", "host:0", "host:65536", "host:x", "[::1", "[::1]x", "redis://host", "a b" };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *host = NULL;
        int port = -1;
        assert_int_equal(address_split(rows[i].text, 6379, &host, &port), 0);
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *host = NULL;
        int port;
        if (address_split(wrong[i], 6379, &host, &port) != ERROR_INVALID)
            fail_msg("\"%s\" is taken for an address", wrong[i]);
    }
}

static void only_this_machine_is_local(void **state)
{
    (void)state;
    assert_true(address_is_local("/run/redis.sock"));
    assert_true(address_is_local("localhost"));
    assert_true(address_is_local("127.1.2.3"));
    assert_true(address_is_local("::1"));
    assert_false(address_is_local("128.0.0.1"));
    assert_false(address_is_local("redis.example.com"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_error_has_its_outcome),
        cmocka_unit_test(every_row_of_the_table_is_reached_and_says_something),
        cmocka_unit_test(addresses_are_hosts_with_ports_or_sockets),
        cmocka_unit_test(only_this_machine_is_local),
    };

    return cmocka_run_group_tests_name("outcomes of Redis", tests, NULL, NULL);
}
