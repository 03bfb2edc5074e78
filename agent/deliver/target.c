/* One target: its state, its scheduler, start and stop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "deliver/ending.h"
#include "deliver/run.h"

#define IDLE_US 60000000       /* looks at the store at least this often */
#define STORE_AGAIN_US 1000000 /* after the store refused */
#define FEED_EARLY_US 50000    /* with new work, a queue that holds some is topped up: a leaver may be in it */
#define TRIAL_MIN_US 250000    /* before the first lane is tried in a target that refuses; doubles, up to `probe` */
#define LOGIN_WAIT_US (300 * INT64_C(1000000)) /* after a refused log-in; three times as long with each, up to … */
#define LOGIN_WAIT_MAX_US (3600 * INT64_C(1000000))
#define LET_IN_US 5000000 /* a log-in that was good so lately is good for the other workers, too */
#define FALL_PROBES 10 /* probe intervals after a fall, in which the lanes of a target that works again are doubted */
#define PAUSE_MAX_US (300 * INT64_C(1000000)) /* a target's own wish does not keep everybody waiting for longer */

/* ---- state ---- */

/* With the lock held; tells the sink after it is let go. */
static void set_state(struct target_pool *pool, enum target_state state, const char *reason)
{
    const struct deliver_sink *sink = &pool->settings->sink;

    if (pool->state == state)
        return;
    if (pool->state == TARGET_DOWN || pool->state == TARGET_STARTING || pool->state == TARGET_REFUSING)
        pool->up_at = clock_mono(pool->settings->clock);
    pool->was_refusing = state == TARGET_DOWN && (pool->was_refusing || pool->state == TARGET_REFUSING);
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

/* Lets the lock go for each: where the store can take nothing, the end comes at once and takes it. */
static void release_queue(struct target_pool *pool)
{
    struct lease lease;

    while (queue_take(&pool->queue, &lease)) {
        pthread_mutex_unlock(&pool->lock);
        lease_release(pool, &lease);
        pthread_mutex_lock(&pool->lock);
    }
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

static int64_t at_most(int64_t us, int64_t most_us)
{
    return us < most_us ? us : most_us;
}

/* Others use the account, too: it must not be locked by our trying. */
static int64_t login_wait_us(struct target_pool *pool, enum refusal refusal)
{
    int64_t wait_us = LOGIN_WAIT_US;

    if (refusal != REFUSAL_LOGIN && refusal != REFUSAL_UNSURE_LOGIN)
        return 0;
    for (int i = 0; i < pool->logins_refused && wait_us < LOGIN_WAIT_MAX_US; i++)
        wait_us *= 3;
    pool->logins_refused++;
    return at_most(wait_us, LOGIN_WAIT_MAX_US);
}

bool target_pool_is_away(struct target_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool away = pool->state == TARGET_DOWN || (pool->state == TARGET_REFUSING && !pool->trial);
    pthread_mutex_unlock(&pool->lock);
    return away;
}

/* ---- what a lane's end says of the target ---- */

uint64_t lease_mark(const struct lease *lease)
{
    uint64_t mark = str_hash(STR_HASH_START + (uint64_t)lease->kind, lease->id, strlen(lease->id));

    return mark != 0 ? mark : 1;
}

/* The target cannot be worked with. It is probed at once, but not before its own wish; one that answers probes and fails at work
 * again is left alone for a while. */
static void suspend(struct target_pool *pool, const struct ending *ending)
{
    const struct lane_result *result = &ending->result;

    probe_after(pool, at_most(result->retry_after_us, PAUSE_MAX_US));
    if (pool->state != TARGET_DOWN && !pool->stopping) {
        bool flaps = clock_mono(pool->settings->clock).us - pool->up_at.us < pool->target.probe_us;
        probe_after(pool, flaps ? probe_wait_us(pool) : 0);
        probe_after(pool, login_wait_us(pool, result->refusal));
        set_state(pool, TARGET_DOWN, ending->reason);
    }
    release_queue(pool);
    pthread_cond_signal(&pool->wake_scheduler);
}

/* Charged to the lane: an attempt, and the end that goes with it. */
static void charge(struct ending *ending)
{
    free(take_pointer(ending->result.reason));
    ending->result.reason = take_pointer(ending->reason);
    ending->result.outcome = OUTCOME_RETRY;
    ending_decide(ending);
}

/* A lane that is held back by a pause, or by an open circuit, has asked nothing. */
static bool is_held_back(const struct lane_result *result)
{
    return result->retry_after_us > 0 && result->refusal == REFUSAL_SURE;
}

/* A target that fell, and has taken changes since: is what a lane says of it the lane's own? One that was refused before is not
 * believed; others are when JUDGE_ROW of them say the same. */
static bool is_doubtful(struct target_pool *pool, const struct ending *ending)
{
    uint64_t mark = lease_mark(&ending->lease);
    bool known = judge_refused_at(&pool->judge, mark) != 0;
    bool lately = clock_mono(pool->settings->clock).us - pool->up_at.us < FALL_PROBES * pool->target.probe_us;
    bool all = judge_refused(&pool->judge, mark, 0, ending->result.operation_count > 0);

    return pool->state == TARGET_UP && pool->recovered && ending->result.refusal != REFUSAL_LOGIN && (known || (lately && !all));
}

/* Lanes are tried after a while, one at first. Before the lock is let go: whatever is late in ending finds the trial closed. */
static void put_off_trial(struct target_pool *pool, enum refusal refusal)
{
    int64_t login_us = login_wait_us(pool, refusal);

    pool->trial = false;
    pool->trial_lanes = 1;
    pool->probe_at = clock_mono(pool->settings->clock);
    probe_after(pool, pool->trial_wait_us > login_us ? pool->trial_wait_us : login_us);
    pool->trial_wait_us = at_most(pool->trial_wait_us * 2, pool->target.probe_us);
}

static void close_trial(struct target_pool *pool, enum refusal refusal)
{
    put_off_trial(pool, refusal);
    release_queue(pool);
    pthread_cond_signal(&pool->wake_scheduler);
}

static void begin_refusing(struct target_pool *pool, const struct ending *ending)
{
    const struct lane_result *result = &ending->result;
    const char *words = result->refusal_words != NULL ? result->refusal_words : ending->reason;

    if (pool->state != TARGET_UP || pool->stopping)
        return;
    pool->of_server = result->refusal == REFUSAL_SERVER;
    pool->of_change = pool->of_server || result->refusal_of_change;
    pool->trial_wait_us = at_most(TRIAL_MIN_US, pool->target.probe_us);
    put_off_trial(pool, result->refusal);
    set_state(pool, TARGET_REFUSING, words);
    release_queue(pool);
    pthread_cond_signal(&pool->wake_scheduler);
    store_hurry(pool->settings->store, pool->target.name, OUTCOME_WORD_REFUSED);
}

/* With fewer lanes than it takes nobody can tell whose refusal it is: the lane is charged, as ever. */
static bool has_others(struct target_pool *pool)
{
    return queue_count(&pool->queue) + pool->busy >= JUDGE_ROW;
}

/* A lane that was tried and refused. It is the target's refusal, not the lane's, and costs no attempt; a leaver who is alone, and pays,
 * does not wait for longer than a trial would. */
static void give_back(struct target_pool *pool, struct ending *ending)
{
    if (!pool->trial || has_others(pool)) {
        ending->end = LANE_RELEASE;
        ending->outcome = ending->stored = "refusing";
    } else if (ending->end == LANE_RETRY && ending->result.leaving == LEAVING_YES) {
        ending->retry_in_us = at_most(ending->retry_in_us, pool->target.probe_us);
    }
    if (pool->trial)
        close_trial(pool, ending->result.refusal);
}

static void judge_refusal(struct target_pool *pool, struct ending *ending)
{
    const struct lane_result *result = &ending->result;
    bool all = judge_refused(&pool->judge, lease_mark(&ending->lease), result->refusal_code, result->refusal_of_change);

    if (pool->state == TARGET_REFUSING && (!pool->trial || pool->trial_lanes == 1)) {
        give_back(pool, ending);
    } else if (pool->state == TARGET_REFUSING && all) { /* it has taken one, and refuses again */
        close_trial(pool, result->refusal);
    } else if (all) {
        begin_refusing(pool, ending);
    }
}

/* A server that answers its probe and takes no work is tried as one that refuses: it is no use to wait for its probe. */
static void judge_down(struct target_pool *pool, struct ending *ending)
{
    bool of_server = ending->result.refusal == REFUSAL_SERVER;

    if (!is_held_back(&ending->result) && is_doubtful(pool, ending)) {
        charge(ending);
        pool->doubted = true;
        pthread_cond_signal(&pool->wake_scheduler);
        return;
    }
    if (pool->state != TARGET_DOWN) {
        pool->fell = true;
        pool->recovered = false;
    }
    if (!of_server)
        suspend(pool, ending);
    else if (pool->state == TARGET_REFUSING && pool->trial)
        close_trial(pool, REFUSAL_SERVER);
    else
        begin_refusing(pool, ending);
}

/* One lane, then two, then all; a server that took no work at all is trusted with the first that it takes. */
static void judge_success(struct target_pool *pool, const struct ending *ending)
{
    judge_accepted(&pool->judge, lease_mark(&ending->lease));
    pool->recovered = pool->recovered || (pool->fell && ending->result.accepted);
    pool->fell = pool->fell && !ending->result.accepted;
    pool->logins_refused = 0;
    if (pool->state != TARGET_REFUSING || !pool->trial)
        return;
    if (pool->trial_lanes == 1)
        judge_forget(&pool->judge);
    if (pool->trial_lanes++ > 1 || pool->of_server) {
        pool->trial = false;
        set_state(pool, TARGET_UP, NULL);
        store_hurry(pool->settings->store, pool->target.name, OUTCOME_WORD_REFUSED);
    }
    pthread_cond_broadcast(&pool->wake_workers);
    pthread_cond_signal(&pool->wake_scheduler);
}

/* A refused change is answered by a change that was taken, a refused look by any look. */
static bool succeeds(const struct target_pool *pool, const struct ending *ending)
{
    bool of_change = pool->state == TARGET_REFUSING ? pool->of_change : pool->judge.of_change;

    return ending->result.accepted || (!of_change && ending->result.looked && ending->result.refusal == REFUSAL_SURE);
}

void target_pool_judge(struct target_pool *pool, struct ending *ending)
{
    target_pool_note(pool, ending->end == LANE_DONE, ending->reason);
    pthread_mutex_lock(&pool->lock);
    if (ending->result.outcome == OUTCOME_TARGET_DOWN)
        judge_down(pool, ending);
    else if (succeeds(pool, ending))
        judge_success(pool, ending);
    else if (ending->result.refusal != REFUSAL_SURE && ending->result.outcome == OUTCOME_RETRY)
        judge_refusal(pool, ending);
    pthread_mutex_unlock(&pool->lock);
}

bool target_pool_wants_new_sessions(struct target_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool wants = pool->state == TARGET_REFUSING && pool->of_server;
    pthread_mutex_unlock(&pool->lock);
    return wants;
}

void target_pool_lane_ended(struct target_pool *pool, enum priority priority, bool failed, struct mono begun)
{
    pthread_mutex_lock(&pool->lock);
    struct mono now = clock_mono(pool->settings->clock);
    queue_ended(&pool->queue, priority, failed, now.us - begun.us, now);
    pool->busy--;
    if (pool->state == TARGET_REFUSING)
        pthread_cond_broadcast(&pool->wake_workers);
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

static bool was_let_in_lately(struct target_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool lately = pool->let_in_at.us != 0 && clock_mono(pool->settings->clock).us - pool->let_in_at.us < LET_IN_US;
    pthread_mutex_unlock(&pool->lock);
    return lately;
}

enum outcome target_pool_open(struct target_pool *pool, bool *ret_unasked, struct connector_session **ret_session, struct receipt *receipt)
{
    enum outcome outcome = OUTCOME_TARGET_DOWN;

    pthread_mutex_lock(&pool->opening);
    bool together = was_let_in_lately(pool);
    if (together)
        pthread_mutex_unlock(&pool->opening);
    bool unasked = ret_unasked != NULL && target_pool_is_away(pool);
    if (!unasked)
        outcome = pool->target.ops->open(pool->target.settings, pool->shared, ret_session, receipt);
    pthread_mutex_lock(&pool->lock);
    if (!unasked)
        pool->let_in_at = is_fine(outcome) ? clock_mono(pool->settings->clock) : (struct mono){ 0 };
    pthread_mutex_unlock(&pool->lock);
    if (!together)
        pthread_mutex_unlock(&pool->opening);
    if (ret_unasked != NULL)
        *ret_unasked = unasked;
    return outcome;
}

static bool probe(struct target_pool *pool, struct receipt *receipt)
{
    const struct connector_ops *ops = pool->target.ops;
    struct connector_session *session = NULL;

    enum outcome outcome = target_pool_open(pool, NULL, &session, receipt);
    if (is_fine(outcome))
        outcome = ops->probe(session, receipt);
    if (is_fine(outcome))
        prepare(pool, session);
    ops->close(session);
    return is_fine(outcome);
}

/* When the target may be tried. False: stop, or it was woken before. */
static bool wait_for_probe(struct target_pool *pool)
{
    int64_t left_us = pool->probe_at.us - clock_mono(pool->settings->clock).us;

    if (left_us > 0)
        wait_us(pool, left_us);
    return !pool->stopping && pool->probe_at.us <= clock_mono(pool->settings->clock).us;
}

static void note_probe(struct target_pool *pool, bool up, const struct receipt *receipt)
{
    pool->doubted = false;
    if (up && (pool->state == TARGET_REFUSING || pool->was_refusing)) {
        set_state(pool, TARGET_REFUSING, "it refused before it was down");
        pool->trial = pool->probe_at.us <= clock_mono(pool->settings->clock).us; /* a late lane may have put it off meanwhile */
        pool->trial_lanes = 1;
    } else if (up) {
        pool->logins_refused = 0;
        set_state(pool, pool->held ? TARGET_HELD : TARGET_UP, NULL);
    } else {
        if (receipt->reason != NULL)
            note_error(pool, receipt->reason);
        set_state(pool, TARGET_DOWN, receipt->reason);
        probe_after(pool, probe_wait_us(pool));
        probe_after(pool, login_wait_us(pool, receipt->refusal));
        probe_after(pool, at_most(receipt->retry_after_us, PAUSE_MAX_US));
    }
    pool->ready = up;
}

static void probe_when_due(struct target_pool *pool)
{
    struct receipt receipt = { 0 };

    if (!wait_for_probe(pool))
        return;
    pthread_mutex_unlock(&pool->lock);
    bool up = probe(pool, &receipt);
    pthread_mutex_lock(&pool->lock);
    note_probe(pool, up, &receipt);
    receipt_clear(&receipt);
}

/* How long to leave the queue as it is. */
static int64_t feed_wait_us(const struct target_pool *pool)
{
    int64_t now_us = clock_mono(pool->settings->clock).us;

    if (queue_is_low(&pool->queue) || (pool->ready && queue_count(&pool->queue) == 0))
        return 0;
    if (pool->ready)
        return pool->fed_at.us + FEED_EARLY_US - now_us;
    return pool->feed_at.us - now_us;
}

/* A creation that a lane of this target may send; keys of their own make it known where the target has them. */
static char *creates(void *arg, const struct identity *identity, const struct link *link)
{
    const struct target_pool *pool = arg;
    const struct mapping *mapping = identity->kind == IDENTITY_USER ? pool->user_mapping : pool->group_mapping;
    struct link_view view = { 0 };
    char *place = NULL;

    if (mapping == NULL || mapping_ends_sessions(mapping) || (pool->target.ops->capabilities & CONNECTOR_IDEMPOTENCY) != 0)
        return NULL;
    if (link != NULL)
        view = lane_link_view(link);
    plan_creation(mapping, identity, link != NULL ? &view : NULL, store_removal_time(pool->settings->store), &place, NULL);
    return place;
}

/* Until a waiting lane of the store comes due, at least a millisecond. */
static int64_t until_us(const struct target_pool *pool, struct wall next)
{
    int64_t left_us = next.us != 0 ? next.us - clock_wall(pool->settings->clock).us : IDLE_US;

    return left_us < 1000 ? 1000 : at_most(left_us, IDLE_US);
}

/* The target refuses, and no work is left to try it with: the next work finds out how it is. */
static bool has_nothing_to_try(const struct target_pool *pool, struct wall next)
{
    bool idle = queue_count(&pool->queue) == 0 && pool->busy == 0 && pool->unfinished == 0;

    return pool->state == TARGET_REFUSING && pool->trial && idle &&
           (next.us == 0 || next.us - clock_wall(pool->settings->clock).us > pool->target.probe_us);
}

/* Leases more. */
static void feed(struct target_pool *pool)
{
    const struct deliver_settings *settings = pool->settings;
    struct lease_wish wish = { .target = pool->target.name, .lease_us = settings->lease_us, .creates = creates, .arg = pool };
    struct wall next = { 0 };
    struct error error = { 0 };

    pool->ready = false;
    pool->fed_at = clock_mono(settings->clock);
    queue_wish(&pool->queue, wish.most);
    pthread_mutex_unlock(&pool->lock);
    int got = store_lease(settings->store, &wish, pool->batch, &next, &error);
    pthread_mutex_lock(&pool->lock);
    if (got < 0) {
        note_error(pool, error.text);
        pool->ready = true;
        wait_us(pool, STORE_AGAIN_US);
        return;
    }
    pool->feed_at.us = clock_mono(settings->clock).us + until_us(pool, next);
    queue_fill(&pool->queue, wish.most, pool->batch, (size_t)got);
    if (pool->state == TARGET_DOWN || (pool->state == TARGET_REFUSING && !pool->trial))
        release_queue(pool);
    if (got > 0)
        pthread_cond_broadcast(&pool->wake_workers);
    if (got == 0 && has_nothing_to_try(pool, next)) {
        pool->trial = false;
        set_state(pool, TARGET_UP, NULL);
    }
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

static bool is_to_be_probed(const struct target_pool *pool)
{
    return pool->state == TARGET_STARTING || pool->state == TARGET_DOWN || (pool->state == TARGET_REFUSING && !pool->trial && !pool->held) ||
           (pool->state == TARGET_UP && pool->doubted && !pool->held);
}

static void hold(struct target_pool *pool)
{
    release_queue(pool);
    set_state(pool, TARGET_HELD, "held by an administrator");
    if (pool->held && !pool->stopping)
        wait_us(pool, IDLE_US);
}

static void *scheduler_main(void *arg)
{
    struct target_pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        if (pool->refused != NULL) {
            store_refused_again(pool);
        } else if (is_to_be_probed(pool)) {
            probe_when_due(pool);
        } else if (pool->held) {
            hold(pool);
        } else if (feed_wait_us(pool) > 0) {
            wait_us(pool, feed_wait_us(pool));
        } else {
            if (pool->state == TARGET_HELD)
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
    pthread_mutex_init(&pool->opening, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->wake_scheduler, &attributes);
    pthread_cond_init(&pool->wake_workers, NULL);
    pthread_condattr_destroy(&attributes);
    choose_mappings(pool);
    pool->target.name = strdup(target->name);
    int memory = queue_init(&pool->queue, (size_t)target->workers);
    pool->batch = calloc(PRIORITY_COUNT * pool->queue.room, sizeof(*pool->batch));
    pool->workers = calloc((size_t)target->workers, sizeof(*pool->workers));
    if (memory < 0 || pool->target.name == NULL || pool->batch == NULL || pool->workers == NULL)
        return error_nomem(error);
    if (target->ops->share != NULL) {
        int shared = target->ops->share(target->settings, &pool->shared, error);
        if (shared < 0)
            return shared;
    }
    store_hurry(settings->store, target->name, outcome_name(OUTCOME_UNSEEN)); /* its settings may be right now */
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
    if (pool->target.release != NULL)
        pool->target.release(pool->target.owner);
    pthread_cond_destroy(&pool->wake_scheduler);
    pthread_cond_destroy(&pool->wake_workers);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->opening);
    queue_free(&pool->queue);
    free((char *)pool->target.name);
    free(pool->batch);
    free(pool->workers);
}
