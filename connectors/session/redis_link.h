/*
 * redis_link.h: one connection to one Redis server (or Sentinel), logged in.
 *
 * Calling sequence: link_open → (link_ask | link_send … link_take …) →
 * link_close. link_send queues, so that many questions travel at once; each
 * has one link_take, in order. A link that failed is dead (link_is_dead) and
 * only good for link_close.
 * Ownership: a reply is the caller's: freeReplyObject, or cleanup_reply.
 * Threads: one at a time for each link.
 * Errors: outcomes with a sentence that names the server; no secret, no key.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_LINK_H
#define PROVOST_CONNECTORS_SESSION_REDIS_LINK_H

#include <hiredis/hiredis.h>

#include "connectors/connector.h"
#include "connectors/session/settings.h"

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379

struct redis_link {
    const struct session_settings *settings;
    redisContext *context;
    char *name; /* "HOST:PORT" or the socket's path: for people, and to know it again */
    bool dead;
};

enum link_kind { LINK_SERVER, LINK_NODE, LINK_SENTINEL }; /* NODE: of a cluster, which has one database */

enum outcome link_open(const struct session_settings *settings, const char *address, enum link_kind kind,
                       struct redis_link **ret_link, struct receipt *receipt);
void link_close(struct redis_link *link); /* NULL is allowed */

/* A command's words; lengths may be NULL (texts without NUL bytes). */
struct redis_command {
    int count;
    const char *const *words;
    const size_t *lengths;
};
#define REDIS_COMMAND(...)                                                                                  \
    (&(const struct redis_command){ sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *),    \
                                    (const char *const[]){ __VA_ARGS__ }, NULL })

bool link_send(struct redis_link *link, const struct redis_command *command, struct receipt *receipt);
/* The next reply, an error of the server's too (REDIS_REPLY_ERROR); NULL: the
 * connection was lost, and the receipt says how. */
redisReply *link_take(struct redis_link *link, struct receipt *receipt);
/* Both; an error of the server's is in the receipt and NULL. */
redisReply *link_ask(struct redis_link *link, const struct redis_command *command, struct receipt *receipt);

/* An error reply → the receipt and its outcome. */
enum outcome link_refused(const struct redis_link *link, const redisReply *error, struct receipt *receipt);

bool reply_is_error(const redisReply *reply, const char *prefix);
static inline bool reply_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

static inline void cleanup_redis_reply(redisReply **reply)
{
    if (*reply != NULL)
        freeReplyObject(*reply);
}
#define cleanup_reply __attribute__((cleanup(cleanup_redis_reply)))

#endif
