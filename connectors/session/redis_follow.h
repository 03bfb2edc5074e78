/*
 * redis_follow.h: how the thread of an index follows a server.
 *
 * follow returns when the index is told to stop, or with a reason in the
 * receipt when the subscription is lost or cannot come about; the caller
 * begins again.
 *
 * Locks
 *   `lock` guards `stopping`, `table`, `whole`, `why` and the numbers; workers and the thread take it, for moments.
 *   `starting` (of redis_index.c, one for all targets) is held by a worker while it begins or ends the thread, the wait for
 *   its end included, and guards `running`. Order: starting, lock; the thread never takes `starting`.
 * The layout is the thread's while it runs.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_FOLLOW_H
#define PROVOST_CONNECTORS_SESSION_REDIS_FOLLOW_H

#include <pthread.h>
#include <stdint.h>

#include "connectors/session/redis_index.h"
#include "connectors/session/redis_store.h"
#include "connectors/session/redis_table.h"

/* Whose the keys are that can be anybody's: a name that nobody has. */
#define INDEX_UNSURE ""

struct index {
    const struct session_settings *settings;
    struct throttle *throttle;
    struct layout layout;
    pthread_t thread;
    bool running, stopping;
    int wake_fd;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct table table;
    unsigned kinds;    /* of the names that were in it (sight.h) */
    bool whole;
    char *why;         /* not whole */
    uint64_t wanted, reached; /* numbers of those who wait to be up to date */
};

/* A name as the table has it. NULL: out of memory. */
char *index_name(const char *user);

void follow(struct index *index, struct receipt *receipt);

/* Does the server tell of changes, or may it be made to? False: the receipt says what to do. */
bool notifications_check(struct redis_link *link, struct receipt *receipt);

#endif
