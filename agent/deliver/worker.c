/* One worker: a connection, and one lane after the other. */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/str.h"
#include "deliver/ending.h"
#include "deliver/run.h"

struct worker {
    struct target_pool *pool;
    size_t number; /* 0 … */
    struct connector_session *session;
};

static void close_session(struct worker *worker)
{
    worker->pool->target.ops->close(worker->session);
    worker->session = NULL;
}

/* Without a connection nothing of this target can be worked on. */
static bool open_session(struct worker *worker, struct ending *ending)
{
    struct target_pool *pool = worker->pool;
    struct lane_result *result = &ending->result;
    struct receipt receipt = { 0 };

    if (worker->session != NULL && target_pool_wants_new_sessions(pool))
        close_session(worker);
    if (worker->session != NULL)
        return true;
    bool good = is_fine(target_pool_open(pool, &ending->unasked, &worker->session, &receipt));
    if (!good) {
        result->outcome = OUTCOME_TARGET_DOWN;
        result->reason = take_pointer(receipt.reason);
        result->refusal = receipt.refusal;
        result->retry_after_us = receipt.retry_after_us;
    }
    receipt_clear(&receipt);
    return good;
}

/* How long it took until the person's sessions were ended. */
static void note_revoke(struct ending *ending)
{
    const struct wall *from = &ending->lease.oldest_received, *to = &ending->result.swept_at;

    if (to->us == 0 || from->us == 0 || to->us < from->us)
        return;
    ending->revoke_us = to->us - from->us;
    target_pool_note_revoke(ending->pool, ending->revoke_us);
}

static void converge(struct worker *worker, const struct lease *lease, struct lane_result *result)
{
    struct target_pool *pool = worker->pool;
    const struct deliver_settings *settings = pool->settings;
    const struct lane_job job = {
        .target = pool->target.name,
        .ops = pool->target.ops,
        .user_mapping = pool->user_mapping,
        .group_mapping = pool->group_mapping,
        .session = worker->session,
        .store = settings->store,
        .clock = settings->clock,
        .random = settings->random,
        .kind = lease->kind,
        .id = lease->id,
        .place = lease->place,
        .unanswered = lease->unanswered,
        .attempt = lease->attempt,
    };

    lane_converge(&job, result);
}

/* True: it failed. */
static bool work(struct worker *worker, struct lease *lease, struct mono begun)
{
    struct target_pool *pool = worker->pool;
    const struct deliver_settings *settings = pool->settings;
    struct ending *ending = ending_new(pool, lease);

    if (ending == NULL) { /* it lapses */
        lease_clear(lease);
        return true;
    }
    if (open_session(worker, ending))
        converge(worker, lease, &ending->result);
    ending->took_us = clock_mono(settings->clock).us - begun.us;
    ending->lag_us = lease->oldest_received.us != 0 ? clock_wall(settings->clock).us - lease->oldest_received.us : -1;
    note_revoke(ending);
    ending_decide(ending);
    if (ending->result.outcome == OUTCOME_TARGET_DOWN)
        close_session(worker);
    if (!ending->unasked)
        target_pool_judge(pool, ending);
    bool failed = ending->end != LANE_DONE;
    ending_complete(ending);
    return failed;
}

struct turn {
    const struct judge *judge;
    uint64_t latest; /* refusal that a lane may have had; 0: none */
};

static bool is_in_turn(void *arg, const struct lease *lease)
{
    const struct turn *turn = arg;

    return judge_refused_at(turn->judge, lease_mark(lease)) <= turn->latest;
}

/* While the target refuses, or just after it was down: lanes that it has not refused yet are tried first, then each of the others
 * once, and once more. One that is always refused keeps none of them from showing that the target is well. The most urgent goes first,
 * whichever worker takes it: no place is kept for the oldest. */
static bool pick_in_turn(struct target_pool *pool, struct mono now, struct lease *ret_lease)
{
    const size_t urgent = 0;
    struct turn untried = { &pool->judge, 0 }, of_round = { &pool->judge, pool->round };

    if (queue_pick(&pool->queue, urgent, now, is_in_turn, &untried, ret_lease) ||
        queue_pick(&pool->queue, urgent, now, is_in_turn, &of_round, ret_lease))
        return true;
    pool->round = pool->judge.refusals;
    return false;
}

static bool pick(struct target_pool *pool, size_t worker, struct lease *ret_lease)
{
    struct mono now = clock_mono(pool->settings->clock);
    bool refusing = pool->state == TARGET_REFUSING;

    if (refusing && (!pool->trial || pool->busy >= pool->trial_lanes))
        return false;
    if ((refusing || pool->fell) && pick_in_turn(pool, now, ret_lease))
        return true;
    return queue_pick(&pool->queue, worker, now, NULL, NULL, ret_lease);
}

/* The next leased lane; false: stop. */
static bool next_lease(struct worker *worker, struct lease *ret_lease)
{
    struct target_pool *pool = worker->pool;
    bool got = false;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping && !(got = pick(pool, worker->number, ret_lease)))
        pthread_cond_wait(&pool->wake_workers, &pool->lock);
    if (got) {
        pool->busy++;
        if (queue_is_low(&pool->queue) || queue_count(&pool->queue) == 0)
            pthread_cond_signal(&pool->wake_scheduler);
    }
    pthread_mutex_unlock(&pool->lock);
    return got;
}

void *worker_main(void *arg)
{
    struct worker worker = { .pool = arg };
    struct lease lease;

    pthread_mutex_lock(&worker.pool->lock);
    worker.number = worker.pool->named++;
    pthread_mutex_unlock(&worker.pool->lock);
    while (next_lease(&worker, &lease)) {
        struct mono begun = clock_mono(worker.pool->settings->clock);
        enum priority priority = lease.priority;
        bool failed = false;
        if (fault_point(FAULT_DELIVER_LEASED) != 0)
            lease_release(worker.pool, &lease);
        else
            failed = work(&worker, &lease, begun);
        target_pool_lane_ended(worker.pool, priority, failed, begun);
    }
    close_session(&worker);
    pthread_mutex_lock(&worker.pool->lock);
    worker.pool->running--;
    pthread_cond_broadcast(&worker.pool->wake_scheduler);
    pthread_mutex_unlock(&worker.pool->lock);
    return NULL;
}
