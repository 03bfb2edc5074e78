/*
 * redis_index.h: the own index of a target: user → keys, kept up to date from
 * keyspace notifications by a thread of its own.
 *
 * Calling sequence: index_start (once for each target; does nothing yet) →
 * index_prepare → index_find … → index_stop. The first of them that tells the
 * layout starts the thread; another layout (a reload) starts it anew.
 *
 * The thread subscribes, then goes over all keys once, then follows what is
 * told. Every change is read afresh, so that the order of notifications does
 * not matter. index_find waits until all that happened before it has arrived
 * (a PING in the stream). While the index is not whole (the first pass, a lost
 * subscription, notifications switched off, too little memory) it says why,
 * and the caller looks at all keys.
 *
 * Threads: index_prepare and index_find by all workers. Ownership: found keys are the caller's.
 * Source: redis.io/docs: Keyspace notifications, Pub/Sub.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_INDEX_H
#define PROVOST_CONNECTORS_SESSION_REDIS_INDEX_H

#include "connectors/session/layout.h"
#include "connectors/session/redis_throttle.h"
#include "connectors/session/sight.h"

struct index;

/* ERROR_NOMEM or 0. */
int index_start(const struct session_settings *settings, struct throttle *throttle, struct index **ret_index);
void index_stop(struct index *index); /* NULL is allowed */

/* Nothing, where sessions of this layout cannot be indexed: index_find says so. */
void index_prepare(struct index *index, const struct layout *layout);

struct index_hits {
    char **keys; /* NULL-terminated */
    struct sight sight; /* whose else there are; nothing in it: it does not know */
};
void index_hits_clear(struct index_hits *hits);

/* True: *ret_hits has all keys that can be these users'. False: the index is not whole,
 * *ret_why says why (the caller's; NULL: out of memory). */
bool index_find(struct index *index, const struct layout *layout, const char *const *users, struct index_hits *ret_hits,
                char **ret_why);

#endif
