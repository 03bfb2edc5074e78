/*
 * redis_private.h: what the files of the Redis store share.
 *
 * redis.c opens and probes; redis_sweep.c looks for a person's sessions;
 * redis_pass.c goes over all keys, for all that wait at once, or over those that the
 * own index names (redis_index.c, redis_follow.c, redis_table.c); redis_spring.c
 * goes by Spring's index; redis_end.c ends one session; redis_marks.c keeps
 * markers.
 * Threads: struct session_shared is used by all workers: throttle and passes
 * have their own locks. All else belongs to one worker.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_PRIVATE_H
#define PROVOST_CONNECTORS_SESSION_REDIS_PRIVATE_H

#include "connectors/session/redis_index.h"
#include "connectors/session/redis_store.h"
#include "connectors/session/redis_throttle.h"

/* One person's sweep while it waits for a pass or takes part in one. */
struct pass_request {
    const struct session_query *query;
    struct sweep sweep;
    struct receipt receipt;
    bool taken, done; /* by a pass; with it */
    struct pass_request *next;
};

struct passes {
    pthread_mutex_t lock; /* guards all here and what hangs in `waiting`; the pass itself runs without it */
    pthread_cond_t ended;
    struct pass_request *waiting;
    bool running;
};

struct session_shared {
    const struct session_settings *settings;
    struct throttle throttle;
    struct passes passes;
    struct index *index; /* NULL: not asked for */
};

/* Goes over all keys for this person, and for all others that wait for the
 * same, whichever worker then does it. */
enum outcome pass_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                        struct receipt *receipt);

/* The same for keys that the own index has named. */
enum outcome pass_sweep_keys(struct session_store *store, const struct session_query *query, char *const *keys,
                             struct sweep *sweep, struct receipt *receipt);

/* Some values, whoever they belong to; none is ended. */
enum outcome pass_sample(struct session_store *store, const struct layout *layout, struct sight *sight, struct receipt *receipt);

/* A pattern for MATCH and PSUBSCRIBE, which take globs: what is special there but "*" stands for itself. NULL: out of memory. */
char *glob_of(const char *pattern);

/* Calls `each` for the keys that fit the pattern, on all nodes, until it is false; within the share. */
typedef bool scan_key(void *arg, const char *key, size_t length);
enum outcome scan_keys(struct session_store *store, const char *pattern, scan_key *each, void *arg, struct receipt *receipt);

/* By the index that Spring keeps. */
enum outcome spring_sweep(struct session_store *store, const struct session_query *query, struct sweep *sweep,
                          struct receipt *receipt);
enum outcome spring_sample(struct session_store *store, const struct layout *layout, struct sight *sight, struct receipt *receipt);

/* Is a session of this time left alone? Counts it, then. */
bool sweep_keeps(const struct session_query *query, int64_t created_us, struct sweep *sweep);

/* Ends the session at `key` and counts it; one that is gone already counts as
 * nothing. A lock is waited for. */
enum outcome session_end(struct session_store *store, const struct layout *layout, const char *key, size_t length,
                         struct sweep *sweep, struct receipt *receipt);

/* UNLINK, or DEL where the server has none. *ret_gone: there was something. */
enum outcome key_remove(struct session_store *store, const char *key, size_t length, bool *ret_gone, struct receipt *receipt);

enum outcome redis_read_marks(struct session_store *store, const struct layout *layout, const char *user,
                              struct session_marks *ret_marks, struct receipt *receipt);
enum outcome redis_write_marks(struct session_store *store, const struct layout *layout, const char *user,
                               const struct session_marks *marks, struct receipt *receipt);

#endif
