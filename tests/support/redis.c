#include "tests/support/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

static const char *source_folder(void)
{
    const char *source = getenv("PROVOST_SOURCE");

    return source != NULL ? source : ".";
}

bool redis_skip(void)
{
    cleanup_free char *line = str_printf("'%s/tests/support/private-redis' binary >/dev/null </dev/null", source_folder());

    if (str_equal(getenv("CI"), "true") || system(line) == 0)
        return false;
    printf("1..0 # SKIP there is no Redis (why: standard error)\n");
    return true;
}

static void run(struct redis_server *server, const char *command, const char *lines)
{
    cleanup_free char *out = str_printf("%s.out", server->folder);
    cleanup_free char *line = str_printf("'%s/tests/support/private-redis' %s '%s' %s >'%s' 2>&1 </dev/null", source_folder(), command,
                                         server->folder, lines, out);
    cleanup_free char *said = NULL;
    size_t length = 0;

    if (system(line) == 0) {
        remove(out);
        return;
    }
    file_read(out, 65536, &said, &length, NULL);
    fail_msg("private-redis %s failed: %s", command, said != NULL ? said : "(it said nothing)");
}

void redis_server_start(struct redis_server *server, const char *lines)
{
    cleanup_free char *port = NULL, *path = NULL;
    size_t length = 0;

    *server = (struct redis_server){ .folder = "/tmp/provost-test-XXXXXX" };
    assert_non_null(mkdtemp(server->folder));
    run(server, "start", lines);
    path = file_join(server->folder, "port");
    assert_int_equal(file_read(path, 64, &port, &length, NULL), 0);
    server->port = atoi(port);
    snprintf(server->address, sizeof(server->address), "127.0.0.1:%d", server->port);
}

void redis_server_run(struct redis_server *server, const char *command)
{
    run(server, command, "");
    if (server->admin != NULL)
        redisFree(server->admin);
    server->admin = NULL;
}

void redis_server_stop(struct redis_server *server)
{
    if (server->folder[0] == '\0')
        return;
    redis_server_run(server, "stop");
    cleanup_free char *line = str_printf("rm -rf '%s'", server->folder);
    assert_int_equal(system(line), 0);
    *server = (struct redis_server){ 0 };
}

static redisReply *ask_once(struct redis_server *server, const char *format, va_list args)
{
    if (server->admin == NULL)
        server->admin = redisConnect("127.0.0.1", server->port);
    assert_non_null(server->admin);
    redisReply *reply = server->admin->err == 0 ? redisvCommand(server->admin, format, args) : NULL;
    if (reply == NULL) {
        redisFree(server->admin);
        server->admin = NULL;
    }
    return reply;
}

/* A server whose role changes ends its connections: asked again. */
static redisReply *ask(struct redis_server *server, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    redisReply *reply = ask_once(server, format, args);
    if (reply == NULL)
        reply = ask_once(server, format, again);
    va_end(again);
    if (reply == NULL)
        fail_msg("%s: no answer", format);
    return reply;
}

redisReply *redis_ask(struct redis_server *server, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    return reply;
}

long long redis_number(struct redis_server *server, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    long long number = reply->integer;
    if (reply->type != REDIS_REPLY_INTEGER)
        fail_msg("%s: %s", format, reply->str != NULL ? reply->str : "no number");
    freeReplyObject(reply);
    return number;
}

void redis_do(struct redis_server *server, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

bool redis_has(struct redis_server *server, const char *key)
{
    return redis_number(server, "EXISTS %s", key) == 1;
}
