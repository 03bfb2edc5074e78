#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "deliver/deliver_private.h"

#define IDLE_US 60000000       /* looks at the store at least this often */
#define STORE_AGAIN_US 1000000 /* after the store refused */
#define QUEUE_LEAST 32         /* so many leases share a commit */
#define FEED_EARLY_US 50000    /* with new work, a queue that is half full is topped up: a leaver may be in it */

/* ---- state ---- */

/* With the lock held; tells the sink after it is let go. */
static void set_state(struct target_pool *pool, enum target_state state, const char *reason)
{
    const struct deliver_sink *sink = &pool->settings->sink;

    if (pool->state == state)
        return;
    if (pool->state == TARGET_DOWN || pool->state == TARGET_STARTING)
        pool->up_at = clock_mono(pool->settings->clock);
    pool->state = state;
    pool->since = clock_wall(pool->settings->clock);
    pthread_mutex_unlock(&pool->lock);
    if (sink->changed != NULL)
        sink->changed(sink->arg, pool->target.name, state, reason);
    pthread_mutex_lock(&pool->lock);
}

static void note_error(struct target_pool *pool, const char *reason)
{
    pool->last_error_at = clock_wall(pool->settings->clock);
    size_t length = strnlen(reason, sizeof(pool->last_error) - 1);
    memcpy(pool->last_error, reason, length);
    pool->last_error[length] = '\0';
    str_trim_partial_utf8(pool->last_error);
}

void target_pool_note(struct target_pool *pool, bool success, const char *reason)
{
    pthread_mutex_lock(&pool->lock);
    if (success)
        pool->last_success = clock_wall(pool->settings->clock);
    else if (reason != NULL)
        note_error(pool, reason);
    pthread_mutex_unlock(&pool->lock);
}

void target_pool_note_revoke(struct target_pool *pool, int64_t us)
{
    pthread_mutex_lock(&pool->lock);
    latency_add(&pool->revokes, us);
    pthread_mutex_unlock(&pool->lock);
}

static void release_queue(struct target_pool *pool)
{
    while (pool->queued > 0)
        lease_release(pool, &pool->queue[--pool->queued]);
}

/* Between a half and the whole of the configured time, so that many agents do
 * not come back at once. */
static int64_t probe_wait_us(const struct target_pool *pool)
{
    int64_t half = pool->target.probe_us / 2;

    return half + (int64_t)random_below(pool->settings->random, (uint64_t)half + 1);
}

/* With the lock held. */
static void probe_after(struct target_pool *pool, int64_t after_us)
{
    int64_t at_us = clock_mono(pool->settings->clock).us + after_us;

    if (at_us > pool->probe_at.us)
        pool->probe_at.us = at_us;
}

void target_pool_suspend(struct target_pool *pool, const char *reason, int64_t retry_after_us)
{
    pthread_mutex_lock(&pool->lock);
    release_queue(pool);
    if (pool->state != TARGET_DOWN && !pool->stopping) {
        bool flaps = clock_mono(pool->settings->clock).us - pool->up_at.us < pool->target.probe_us;
        probe_after(pool, flaps ? probe_wait_us(pool) : 0);
        set_state(pool, TARGET_DOWN, reason);
    }
    probe_after(pool, retry_after_us);
    pthread_cond_signal(&pool->wake_scheduler);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- the scheduler ---- */

/* Waits for a signal, at most `us`; with the lock held. */
static void wait_us(struct target_pool *pool, int64_t us)
{
    struct timespec until;

    if (us <= 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += us / 1000000;
    until.tv_nsec += (us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&pool->wake_scheduler, &pool->lock, &until);
}

static void prepare(const struct target_pool *pool, struct connector_session *session)
{
    const struct settings_view nobody = { 0 };
    json_t *settings = NULL;
    struct error error = { 0 };

    if (pool->target.ops->prepare == NULL || pool->user_mapping == NULL ||
        plan_settings(pool->user_mapping, &nobody, &settings, &error) < 0)
        return;
    pool->target.ops->prepare(session, settings);
    json_decref(settings);
}

static bool probe(struct target_pool *pool, struct receipt *receipt)
{
    const struct connector_ops *ops = pool->target.ops;
    struct connector_session *session = NULL;

    enum outcome outcome = ops->open(pool->target.settings, pool->shared, &session, receipt);
    if (outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED)
        outcome = ops->probe(session, receipt);
    bool up = outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
    if (up)
        prepare(pool, session);
    ops->close(session);
    return up;
}

static void probe_while_down(struct target_pool *pool)
{
    struct receipt receipt = { 0 };
    int64_t left_us;

    while (!pool->stopping && (left_us = pool->probe_at.us - clock_mono(pool->settings->clock).us) > 0)
        wait_us(pool, left_us);
    if (pool->stopping)
        return;
    pthread_mutex_unlock(&pool->lock);
    bool up = probe(pool, &receipt);
    pthread_mutex_lock(&pool->lock);
    if (up) {
        set_state(pool, pool->held ? TARGET_HELD : TARGET_UP, NULL);
        pool->ready = true;
    } else {
        if (receipt.reason != NULL)
            note_error(pool, receipt.reason);
        if (pool->state == TARGET_STARTING)
            set_state(pool, TARGET_DOWN, receipt.reason);
        probe_after(pool, probe_wait_us(pool));
        probe_after(pool, receipt.retry_after_us);
    }
    receipt_clear(&receipt);
}

/* The queue is a stack, best on top: leavers first, then the older. */
static void queue_lease(struct target_pool *pool, const struct lease *lease)
{
    size_t place = pool->queued;

    while (place > 0 && pool->queue[place - 1].priority <= lease->priority)
        place--;
    memmove(&pool->queue[place + 1], &pool->queue[place], (pool->queued - place) * sizeof(*pool->queue));
    pool->queue[place] = *lease;
    pool->queued++;
    pthread_cond_signal(&pool->wake_workers);
}

/* How long to leave the queue as it is. */
static int64_t feed_wait_us(const struct target_pool *pool)
{
    if (pool->queued <= pool->queue_most / 2)
        return 0;
    if (!pool->ready || pool->queued == pool->queue_most)
        return IDLE_US;
    return pool->fed_at.us + FEED_EARLY_US - clock_mono(pool->settings->clock).us;
}

/* Leases more; sets how long nothing is due. */
static void feed(struct target_pool *pool)
{
    const struct deliver_settings *settings = pool->settings;
    size_t most = pool->queue_most - pool->queued;
    struct wall next = { 0 };
    struct error error = { 0 };

    pool->ready = false;
    pool->fed_at = clock_mono(settings->clock);
    pthread_mutex_unlock(&pool->lock);
    int got = store_lease(settings->store, pool->target.name, most, settings->lease_us, pool->batch, &next, &error);
    int64_t wait = IDLE_US;
    if (next.us != 0 && next.us - clock_wall(settings->clock).us < wait)
        wait = next.us - clock_wall(settings->clock).us;
    if (wait < 1000)
        wait = 1000;
    pthread_mutex_lock(&pool->lock);
    if (got < 0) {
        note_error(pool, error.text);
        wait_us(pool, STORE_AGAIN_US);
        return;
    }
    for (int i = 0; i < got; i++)
        queue_lease(pool, &pool->batch[i]);
    if (got > 0 && pool->state == TARGET_DOWN)
        release_queue(pool);
    if (got == 0 && !pool->ready && !pool->stopping)
        wait_us(pool, wait);
}

static void store_refused_again(struct target_pool *pool)
{
    struct ending *list = pool->refused;

    pool->refused = NULL;
    wait_us(pool, STORE_AGAIN_US);
    pthread_mutex_unlock(&pool->lock);
    endings_store_again(list);
    pthread_mutex_lock(&pool->lock);
}

static void *scheduler_main(void *arg)
{
    struct target_pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        if (pool->refused != NULL) {
            store_refused_again(pool);
        } else if (pool->state == TARGET_STARTING || pool->state == TARGET_DOWN) {
            probe_while_down(pool);
        } else if (pool->held) {
            release_queue(pool);
            set_state(pool, TARGET_HELD, "held by an administrator");
            if (pool->held && !pool->stopping)
                wait_us(pool, IDLE_US);
        } else if (feed_wait_us(pool) > 0) {
            wait_us(pool, feed_wait_us(pool));
        } else {
            set_state(pool, TARGET_UP, NULL);
            feed(pool);
        }
    }
    release_queue(pool);
    pool->running--;
    pthread_cond_broadcast(&pool->wake_scheduler);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- start and stop ---- */

static void choose_mappings(struct target_pool *pool)
{
    for (struct mapping *const *mapping = pool->target.mappings; mapping != NULL && *mapping != NULL; mapping++) {
        if (mapping_kind(*mapping) == IDENTITY_USER)
            pool->user_mapping = *mapping;
        else
            pool->group_mapping = *mapping;
    }
}

static int start_thread(struct target_pool *pool, pthread_t *thread, void *(*main)(void *), struct error *error)
{
    pthread_mutex_lock(&pool->lock);
    pool->running++;
    pthread_mutex_unlock(&pool->lock);
    int code = pthread_create(thread, NULL, main, pool);
    if (code == 0)
        return 0;
    pthread_mutex_lock(&pool->lock);
    pool->running--;
    pthread_mutex_unlock(&pool->lock);
    return error_set(error, error_from_errno(code), "target %s: cannot start a thread: %s", pool->target.name, strerror(code));
}

int target_pool_start(struct target_pool *pool, const struct deliver_settings *settings, const struct deliver_target *target,
                      struct error *error)
{
    pthread_condattr_t attributes;

    *pool = (struct target_pool){ .settings = settings, .target = *target, .held = target->held, .ready = true };
    pool->since = clock_wall(settings->clock);
    pool->queue_most = QUEUE_LEAST + 8 * (size_t)target->workers;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->wake_scheduler, &attributes);
    pthread_cond_init(&pool->wake_workers, NULL);
    pthread_condattr_destroy(&attributes);
    choose_mappings(pool);
    pool->queue = calloc(pool->queue_most, sizeof(*pool->queue));
    pool->batch = calloc(pool->queue_most, sizeof(*pool->batch));
    pool->workers = calloc((size_t)target->workers, sizeof(*pool->workers));
    if (pool->queue == NULL || pool->batch == NULL || pool->workers == NULL)
        return error_nomem(error);
    if (target->ops->share != NULL) {
        int shared = target->ops->share(target->settings, &pool->shared, error);
        if (shared < 0)
            return shared;
    }
    for (; pool->worker_count < (size_t)target->workers; pool->worker_count++) {
        int code = start_thread(pool, &pool->workers[pool->worker_count], worker_main, error);
        if (code < 0)
            return code;
    }
    int code = start_thread(pool, &pool->scheduler, scheduler_main, error);
    pool->scheduler_started = code == 0;
    return code;
}

void target_pool_begin_stop(struct target_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake_scheduler);
    pthread_cond_broadcast(&pool->wake_workers);
    pthread_mutex_unlock(&pool->lock);
}

/* Until all threads have ended and all ends are committed. An end that the
 * store keeps refusing is let go at the deadline: its lease lapses. */
bool target_pool_wait(struct target_pool *pool, struct mono deadline)
{
    int64_t left_us;

    pthread_mutex_lock(&pool->lock);
    while ((pool->running > 0 || pool->unfinished > 0) &&
           (left_us = deadline.us - clock_mono(pool->settings->clock).us) > 0) {
        if (pool->refused != NULL)
            store_refused_again(pool);
        else
            wait_us(pool, left_us);
    }
    bool ended = pool->running == 0 && pool->unfinished == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!ended)
        return false;
    for (size_t i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i], NULL);
    if (pool->scheduler_started)
        pthread_join(pool->scheduler, NULL);
    return true;
}

void target_pool_clear(struct target_pool *pool)
{
    if (pool->target.ops->unshare != NULL)
        pool->target.ops->unshare(pool->shared);
    pthread_cond_destroy(&pool->wake_scheduler);
    pthread_cond_destroy(&pool->wake_workers);
    pthread_mutex_destroy(&pool->lock);
    free(pool->queue);
    free(pool->batch);
    free(pool->workers);
}
