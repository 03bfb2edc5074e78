/*
 * redis.h: a private Redis (support/private-redis) for tests in C, and an
 * administrator's view into it that shares no code with the connector.
 *
 * Calling sequence: redis_server_start → use → redis_server_stop. A failure
 * ends the test with what the script said.
 * Finds the script through $PROVOST_SOURCE (default: the working directory).
 * Ownership: the struct owns its folder. Threads: one.
 */
#ifndef PROVOST_TESTS_SUPPORT_REDIS_H
#define PROVOST_TESTS_SUPPORT_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

struct redis_server {
    char folder[64];
    char address[32]; /* "127.0.0.1:PORT" */
    int port;
    redisContext *admin;
};

/* True, and said as a skip of the whole program, when there is no Redis; under
 * CI=true it goes on, and redis_server_start fails. Call it first in main. */
bool redis_skip(void);

/* `lines`: words for the shell, each a line of redis.conf ("'appendonly yes'"). */
void redis_server_start(struct redis_server *server, const char *lines);
void redis_server_stop(struct redis_server *server); /* and removes the folder; an empty struct is allowed */
/* "kill", "stop", "restart". */
void redis_server_run(struct redis_server *server, const char *command);

/* A command, as hiredis formats it; the reply is the caller's. */
redisReply *redis_ask(struct redis_server *server, const char *format, ...);
/* The same for its effect; an error reply ends the test. */
void redis_do(struct redis_server *server, const char *format, ...);
long long redis_number(struct redis_server *server, const char *format, ...);
bool redis_has(struct redis_server *server, const char *key);

#endif
