#include "deliver/deliver.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "deliver/deliver_private.h"

#define FAILED_START_US 10000000 /* for what was started of a target that could not be */
#define RETIRE_WAIT_US 500000 /* most lanes end within it */

/* A list of pools. */
struct pools {
    struct target_pool **list;
    size_t count;
};

struct deliverer {
    struct deliver_settings settings;
    pthread_rwlock_t lock;  /* which pools are in use; held for moments, and while one of them is spoken to */
    struct pools used;
    struct pools retired;   /* of whoever starts, uses and stops: work of theirs may still be under way */
};

const char *target_state_name(enum target_state state)
{
    static const char *const names[] = { "starting", "up", "down", "held", "refusing" };

    return names[state];
}

/* ---- pools ---- */

static bool pools_add(struct pools *pools, struct target_pool *pool)
{
    struct target_pool **list = realloc(pools->list, (pools->count + 1) * sizeof(struct target_pool *));

    if (list == NULL)
        return false;
    pools->list = list;
    list[pools->count++] = pool;
    return true;
}

static struct target_pool *pools_find(const struct pools *pools, const char *target)
{
    for (size_t i = 0; i < pools->count; i++)
        if (str_equal(pools->list[i]->target.name, target))
            return pools->list[i];
    return NULL;
}

static void pool_free(struct target_pool *pool)
{
    target_pool_clear(pool);
    free(pool);
}

/* With the deliverer's lock for reading held until pool_give. */
static struct target_pool *pool_take(struct deliverer *deliverer, const char *target)
{
    pthread_rwlock_rdlock(&deliverer->lock);
    struct target_pool *pool = pools_find(&deliverer->used, target);
    if (pool == NULL)
        pthread_rwlock_unlock(&deliverer->lock);
    else
        pthread_mutex_lock(&pool->lock);
    return pool;
}

static void pool_give(struct deliverer *deliverer, struct target_pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
    pthread_rwlock_unlock(&deliverer->lock);
}

/* Frees what has come to its end by `deadline`; false: some have not. */
static bool reap(struct deliverer *deliverer, struct mono deadline)
{
    struct pools *retired = &deliverer->retired;
    size_t left = 0;

    for (size_t i = 0; i < retired->count; i++) {
        if (target_pool_wait(retired->list[i], deadline))
            pool_free(retired->list[i]);
        else
            retired->list[left++] = retired->list[i];
    }
    retired->count = left;
    return left == 0;
}

/* One that could not be started whole has begun nothing. */
static int start_pool(struct deliverer *deliverer, const struct deliver_target *target, struct target_pool **ret_pool, struct error *error)
{
    struct target_pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL)
        return error_nomem(error);
    int code = target_pool_start(pool, &deliverer->settings, target, error);
    if (code == 0) {
        *ret_pool = pool;
        return 0;
    }
    target_pool_begin_stop(pool);
    if (target_pool_wait(pool, (struct mono){ clock_mono(deliverer->settings.clock).us + FAILED_START_US }))
        pool_free(pool);
    return code;
}

/* ---- which targets ---- */

/* The one that goes on, or a new one. */
static int choose(struct deliverer *deliverer, const struct deliver_target *target, struct pools *next, struct error *error)
{
    struct target_pool *pool = pools_find(&deliverer->used, target->name);
    int code = 0;

    if (pool == NULL || pool->target.version != target->version)
        code = start_pool(deliverer, target, &pool, error);
    else if (target->release != NULL)
        target->release(target->owner);
    if (code == 0 && !pools_add(next, pool))
        code = error_nomem(error);
    return code;
}

static bool contains(const struct pools *pools, const struct target_pool *pool)
{
    for (size_t i = 0; i < pools->count; i++)
        if (pools->list[i] == pool)
            return true;
    return false;
}

static void retire_others(struct deliverer *deliverer, const struct pools *before)
{
    for (size_t i = 0; i < before->count; i++) {
        if (contains(&deliverer->used, before->list[i]))
            continue;
        target_pool_begin_stop(before->list[i]);
        pools_add(&deliverer->retired, before->list[i]);
    }
}

int deliver_use(struct deliverer *deliverer, const struct deliver_target *targets, size_t count, struct error *error)
{
    struct pools next = { 0 };
    int worst = 0;

    for (size_t i = 0; i < count; i++) {
        struct error unseen = { 0 };
        int code = choose(deliverer, &targets[i], &next, worst == 0 ? error : &unseen);
        worst = worst == 0 ? code : worst;
    }
    pthread_rwlock_wrlock(&deliverer->lock);
    struct pools before = deliverer->used;
    deliverer->used = next;
    pthread_rwlock_unlock(&deliverer->lock);
    retire_others(deliverer, &before);
    free(before.list);
    reap(deliverer, (struct mono){ clock_mono(deliverer->settings.clock).us + RETIRE_WAIT_US });
    return worst;
}

size_t deliver_count_retired(struct deliverer *deliverer)
{
    return deliverer->retired.count;
}

int deliver_start(const struct deliver_settings *settings, const struct deliver_target *targets, size_t count,
                  struct deliverer **ret_deliverer, struct error *error)
{
    struct deliverer *deliverer = calloc(1, sizeof(*deliverer));

    if (deliverer == NULL)
        return error_nomem(error);
    deliverer->settings = *settings;
    pthread_rwlock_init(&deliverer->lock, NULL);
    int code = deliver_use(deliverer, targets, count, error);
    if (code < 0) {
        if (deliver_stop(deliverer, FAILED_START_US))
            deliver_free(deliverer);
        return code;
    }
    *ret_deliverer = deliverer;
    return 0;
}

bool deliver_stop(struct deliverer *deliverer, int64_t bound_us)
{
    struct mono deadline = { clock_mono(deliverer->settings.clock).us + bound_us };
    bool all = true;

    for (size_t i = 0; i < deliverer->used.count; i++)
        target_pool_begin_stop(deliverer->used.list[i]);
    for (size_t i = 0; i < deliverer->used.count; i++)
        all = target_pool_wait(deliverer->used.list[i], deadline) && all;
    return reap(deliverer, deadline) && all;
}

void deliver_free(struct deliverer *deliverer)
{
    if (deliverer == NULL)
        return;
    for (size_t i = 0; i < deliverer->used.count; i++)
        pool_free(deliverer->used.list[i]);
    free(deliverer->used.list);
    free(deliverer->retired.list);
    pthread_rwlock_destroy(&deliverer->lock);
    free(deliverer);
}

/* ---- one target ---- */

void deliver_wake(struct deliverer *deliverer, const char *target)
{
    struct target_pool *pool = pool_take(deliverer, target);

    if (pool == NULL)
        return;
    bool news = !pool->ready || queue_count(&pool->queue) == 0;
    pool->ready = true;
    if ((pool->state == TARGET_UP || pool->trial) && news)
        pthread_cond_signal(&pool->wake_scheduler);
    pool_give(deliverer, pool);
}

int deliver_hold(struct deliverer *deliverer, const char *target, bool held)
{
    struct target_pool *pool = pool_take(deliverer, target);

    if (pool == NULL)
        return ERROR_NOTFOUND;
    pool->held = held;
    pool->ready = true;
    if (!held) { /* whoever resumes has mended something */
        pool->probe_at.us = 0;
        pool->logins_refused = 0;
    }
    pthread_cond_signal(&pool->wake_scheduler);
    pool_give(deliverer, pool);
    return 0;
}

int deliver_read_status(struct deliverer *deliverer, const char *target, struct deliver_status *ret_status)
{
    struct target_pool *pool = pool_take(deliverer, target);

    if (pool == NULL)
        return ERROR_NOTFOUND;
    *ret_status = (struct deliver_status){
        .state = pool->state,
        .since = pool->since,
        .last_success = pool->last_success,
        .last_error_at = pool->last_error_at,
        .workers = (int64_t)pool->worker_count,
        .revokes = pool->revokes.count,
        .revoke_p50_us = latency_percentile(&pool->revokes, 50),
        .revoke_p99_us = latency_percentile(&pool->revokes, 99),
    };
    memcpy(ret_status->last_error, pool->last_error, sizeof(ret_status->last_error));
    pool_give(deliverer, pool);
    return 0;
}
