/* The Redis store under the contract suite of session stores. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/contract/session_contract.h"
#include "tests/support/redis.h"

static struct redis_server server;

static void add(const char *id, const char *user)
{
    redis_do(&server, "SET sess:%s {\"passport\":{\"user\":\"%s\"}}", id, user);
}

static bool has(const char *id)
{
    cleanup_free char *key = str_printf("sess:%s", id);

    return redis_has(&server, key);
}

static void clear(void)
{
    redis_do(&server, "FLUSHALL");
}

static char *settings_for(const char *address, const char *secret)
{
    return str_printf("store = \"redis\"; address = [ \"%s\" ]; user = \"agent\"; password = \"env:%s\"; share = 100; "
                      "connect_timeout = \"2 s\";",
                      address, secret);
}

int main(void)
{
    if (redis_skip())
        return 0;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", "hush-right", 1);
    setenv("PROVOST_TEST_WRONG", "hush-wrong", 1);
    redis_server_start(&server, "");
    redis_do(&server, "ACL SETUSER agent on >hush-right ~* +@all");
    cleanup_free char *good = settings_for(server.address, "PROVOST_TEST_SECRET");
    cleanup_free char *closed = settings_for("127.0.0.1:1", "PROVOST_TEST_SECRET");
    cleanup_free char *wrong = settings_for(server.address, "PROVOST_TEST_WRONG");
    const struct session_contract contract = {
        .settings = good,
        .settings_closed = closed,
        .settings_wrong = wrong,
        .layout = "{\"preset\": \"express\"}",
        .markers = true,
        .add = add,
        .has = has,
        .clear = clear,
    };
    int failed = session_contract_run("contract of the Redis store", &contract);
    redis_server_stop(&server);
    return failed != 0;
}
