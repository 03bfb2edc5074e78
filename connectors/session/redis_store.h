/*
 * redis_store.h: one worker's connections to a Redis: one server, the master
 * that the Sentinels name, or all masters of a cluster.
 *
 * Calling sequence: store_connect → (store_ready → store_ask_key …, links) …
 * → store_disconnect. store_ready finds out whether the connections still are
 * to masters, and makes them anew (once) where not, so that a restart, an idle
 * close and a failover between two calls go unnoticed.
 * Threads: one at a time for each store. Ownership: replies are the caller's.
 * Source: redis.io/docs: Sentinel clients, Cluster specification.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_STORE_H
#define PROVOST_CONNECTORS_SESSION_REDIS_STORE_H

#include "connectors/session/redis_link.h"
#include "connectors/session/store.h"

#define REDIS_SLOTS 16384

struct session_store {
    const struct session_settings *settings;
    struct session_shared *shared;
    struct redis_link **links; /* masters */
    size_t link_count;
    int16_t *owners; /* cluster: slot → index of its link, -1: none; NULL: no cluster */
    bool no_unlink;  /* learned: the server has no UNLINK */
};

enum outcome store_connect(struct session_store *store, struct receipt *receipt);
enum outcome store_ready(struct session_store *store, struct receipt *receipt);
void store_disconnect(struct session_store *store);

/* Asks the node that has the key, and follows MOVED and ASK. NULL: the receipt
 * says why; an error of the server is there, too. */
redisReply *store_ask_key(struct session_store *store, const char *key, size_t length, const struct redis_command *command,
                          struct receipt *receipt);

/* The slot of a key: CRC16 (XMODEM) of it, or of what stands in its first {…}. */
unsigned redis_slot(const char *key, size_t length);

#endif
