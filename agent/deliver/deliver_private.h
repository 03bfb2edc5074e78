/*
 * deliver_private.h: one target's scheduler, queue and workers. Private to
 * deliver/.
 *
 * Locks: `lock` guards all members below it, but for `batch`, which is the scheduler's own, and `unfinished`, which is atomic.
 * The scheduler, the workers, the store's writer (as it tells of ends) and whoever asks for the state take it, for moments: no call of
 * the store or of a connector is made with it held.
 */
#ifndef PROVOST_DELIVER_DELIVER_PRIVATE_H
#define PROVOST_DELIVER_DELIVER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "deliver/deliver.h"
#include "deliver/latency.h"
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

    pthread_mutex_t lock;
    pthread_cond_t wake_scheduler; /* on the monotonic clock */
    pthread_cond_t wake_workers;
    struct lease *queue;   /* leased, not begun; a stack of `queued`, best last */
    size_t queued, queue_most;
    struct lease *batch;   /* the scheduler's own: what a lease call returns */
    size_t running;        /* threads that have not ended */
    atomic_size_t unfinished; /* lanes whose end is not committed yet */
    struct ending *refused;/* ends that the store could not take: tried again */
    bool ready;            /* the store said that there is work */
    struct mono fed_at;    /* when leases were last asked for */
    bool stopping;
    bool held;
    enum target_state state;
    struct wall since, last_success, last_error_at;
    struct mono up_at;        /* since when it is up, or held */
    struct mono probe_at;     /* down: not probed before */
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
/* Gives the refused ends to the store again; the list is taken over. */
void endings_store_again(struct ending *list);
/* The target cannot be worked with: suspend it (once) and give the queue back.
 * It is probed at once, but not before `retry_after_us`, the target's own wish;
 * one that answers probes and fails at work again is left alone for a while. */
void target_pool_suspend(struct target_pool *pool, const char *reason, int64_t retry_after_us);
void target_pool_note_revoke(struct target_pool *pool, int64_t us);
void target_pool_note(struct target_pool *pool, bool success, const char *reason);
void lease_release(struct target_pool *pool, struct lease *lease);

/* retry.c: when a lane comes again; capped exponential back-off, full jitter. */
int64_t retry_delay_us(const struct deliver_target *target, struct random_source *random, int attempt, int64_t retry_after_us);

#endif
