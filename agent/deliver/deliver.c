#include "deliver/deliver.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "deliver/deliver_private.h"

struct deliverer {
    struct deliver_settings settings;
    struct target_pool *pools;
    size_t count; /* that were started, whole or in part */
};

const char *target_state_name(enum target_state state)
{
    static const char *const names[] = { "starting", "up", "down", "held" };

    return names[state];
}

static struct target_pool *find_pool(struct deliverer *deliverer, const char *target)
{
    for (size_t i = 0; i < deliverer->count; i++)
        if (str_equal(deliverer->pools[i].target.name, target))
            return &deliverer->pools[i];
    return NULL;
}

int deliver_start(const struct deliver_settings *settings, const struct deliver_target *targets, size_t count,
                  struct deliverer **ret_deliverer, struct error *error)
{
    struct deliverer *deliverer = calloc(1, sizeof(*deliverer));

    if (deliverer != NULL)
        deliverer->pools = calloc(count + 1, sizeof(*deliverer->pools));
    if (deliverer == NULL || deliverer->pools == NULL) {
        free(deliverer);
        return error_nomem(error);
    }
    deliverer->settings = *settings;
    for (size_t i = 0; i < count; i++) {
        deliverer->count++;
        int code = target_pool_start(&deliverer->pools[i], &deliverer->settings, &targets[i], error);
        if (code < 0) {
            if (deliver_stop(deliverer, 10000000))
                deliver_free(deliverer);
            return code;
        }
    }
    *ret_deliverer = deliverer;
    return 0;
}

bool deliver_stop(struct deliverer *deliverer, int64_t bound_us)
{
    struct mono deadline = { clock_mono(deliverer->settings.clock).us + bound_us };
    bool all = true;

    for (size_t i = 0; i < deliverer->count; i++)
        target_pool_begin_stop(&deliverer->pools[i]);
    for (size_t i = 0; i < deliverer->count; i++)
        all = target_pool_wait(&deliverer->pools[i], deadline) && all;
    return all;
}

void deliver_free(struct deliverer *deliverer)
{
    if (deliverer == NULL)
        return;
    for (size_t i = 0; i < deliverer->count; i++)
        target_pool_clear(&deliverer->pools[i]);
    free(deliverer->pools);
    free(deliverer);
}

void deliver_wake(struct deliverer *deliverer, const char *target)
{
    struct target_pool *pool = find_pool(deliverer, target);

    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    bool news = !pool->ready || pool->queued <= pool->queue_most / 2;
    pool->ready = true;
    if (pool->state == TARGET_UP && news)
        pthread_cond_signal(&pool->wake_scheduler);
    pthread_mutex_unlock(&pool->lock);
}

int deliver_hold(struct deliverer *deliverer, const char *target, bool held)
{
    struct target_pool *pool = find_pool(deliverer, target);

    if (pool == NULL)
        return ERROR_NOTFOUND;
    pthread_mutex_lock(&pool->lock);
    pool->held = held;
    pool->ready = true;
    pthread_cond_signal(&pool->wake_scheduler);
    pthread_mutex_unlock(&pool->lock);
    return 0;
}

int deliver_read_status(struct deliverer *deliverer, const char *target, struct deliver_status *ret_status)
{
    struct target_pool *pool = find_pool(deliverer, target);

    if (pool == NULL)
        return ERROR_NOTFOUND;
    pthread_mutex_lock(&pool->lock);
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
    pthread_mutex_unlock(&pool->lock);
    return 0;
}
