/*
 * deliver_private.h: one target's scheduler, queue and workers. Private to
 * deliver/.
 *
 * Locks: `lock` guards all members below it, but for `batch`, which is the scheduler's own, and `unfinished`, which is atomic.
 * The scheduler, the workers, the store's writer (as it tells of ends) and whoever asks for the state take it, for moments: no call of
 * the store or of a connector is made with it held, but for store_hurry, which queues and tells nobody. `opening` is held through a
 * connector's open unless one was good just before, so that a refused log-in is not tried by all workers at once; nothing but `lock`
 * is taken under it.
 */
#ifndef PROVOST_DELIVER_DELIVER_PRIVATE_H
#define PROVOST_DELIVER_DELIVER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "deliver/deliver.h"
#include "deliver/judge.h"
#include "deliver/latency.h"
#include "deliver/queue.h"
#include "plan/plan.h"

struct ending;

struct target_pool {
    const struct deliver_settings *settings;
    struct deliver_target target; /* a copy; what it points to is borrowed */
    const struct mapping *user_mapping, *group_mapping;
    struct connector_shared *shared; /* NULL: none */
    pthread_t scheduler;
    pthread_t *workers;
    size_t worker_count;   /* that were started */
    bool scheduler_started;

    pthread_mutex_t opening;
    pthread_mutex_t lock;
    pthread_cond_t wake_scheduler; /* on the monotonic clock */
    pthread_cond_t wake_workers;
    struct lane_queue queue;
    struct lease *batch;   /* the scheduler's own: what a lease call returns */
    size_t running;        /* threads that have not ended */
    size_t named;          /* workers that know their number */
    size_t busy;           /* workers with a lane */
    atomic_size_t unfinished; /* lanes whose end is not committed yet */
    struct ending *refused;/* ends that the store could not take: tried again */
    bool ready;            /* the store said that there is work */
    struct mono fed_at;    /* when leases were last asked for */
    struct mono feed_at;   /* when to ask again, whatever else: a lane comes due */
    bool stopping;
    bool held;
    enum target_state state;
    struct wall since, last_success, last_error_at;
    struct mono up_at;        /* since when it is up, or held */
    struct mono let_in_at;    /* the last connection that was opened; 0: none since one failed */
    struct mono probe_at;     /* down or refusing: not tried before */
    int logins_refused;       /* in a row */
    struct judge judge;
    uint64_t round;           /* refusals of the judge when each lane that waits had been tried once more */
    bool fell;                /* a lane brought the target down, and it took no change since */
    bool recovered;           /* it fell, and has taken a change since */
    bool of_server;           /* refusing: it said itself that it takes no work of anybody */
    bool of_change;           /* refusing: only a change that is taken ends it */
    bool doubted;             /* a lane said that it is down, and was not believed: it is probed */
    bool trial;               /* refusing: lanes are tried */
    size_t trial_lanes;       /* so many at a time */
    bool was_refusing;        /* before it went down: it comes back so */
    int64_t trial_wait_us;    /* before the next trial */
    struct latency revokes;
    char last_error[512];
};

int target_pool_start(struct target_pool *pool, const struct deliver_settings *settings, const struct deliver_target *target,
                      struct error *error);
void target_pool_begin_stop(struct target_pool *pool);
bool target_pool_wait(struct target_pool *pool, struct mono deadline);
void target_pool_clear(struct target_pool *pool);

/* worker.c */
void *worker_main(void *pool);

/* target.c */
/* A connection cannot be had now: the target is down, or refuses. */
bool target_pool_is_away(struct target_pool *pool);
/* Opens a connection: alone, unless one was opened just before. */
enum outcome target_pool_open(struct target_pool *pool, bool *ret_unasked, struct connector_session **ret_session, struct receipt *receipt);
/* A server that took no work is tried by a new session: one from before may sit on an address that is passed over. */
bool target_pool_wants_new_sessions(struct target_pool *pool);
/* What the end of a lane says of the target; may decide the end anew. */
void target_pool_judge(struct target_pool *pool, struct ending *ending);
/* A worker has no lane any more. */
void target_pool_lane_ended(struct target_pool *pool, enum priority priority, bool failed, struct mono begun);
uint64_t lease_mark(const struct lease *lease); /* tells lanes of one target apart; never 0 */
void target_pool_note_revoke(struct target_pool *pool, int64_t us);
void target_pool_note(struct target_pool *pool, bool success, const char *reason);

/* ending.c */
void lease_release(struct target_pool *pool, struct lease *lease);

#endif
