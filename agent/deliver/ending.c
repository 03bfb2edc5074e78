#include "deliver/ending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/str.h"

/* ---- what becomes of it ---- */

/* What the agent does with each outcome. APPLIED and UNCHANGED with
 * out_of_scope have a word of their own. */
static const struct {
    enum lane_end end;
    const char *word;
} endings[OUTCOME_COUNT] = {
    [OUTCOME_APPLIED] = { LANE_DONE, "applied" },
    [OUTCOME_UNCHANGED] = { LANE_DONE, "unchanged" },
    [OUTCOME_RETRY] = { LANE_RETRY, "retry" },
    [OUTCOME_TARGET_DOWN] = { LANE_RELEASE, "target_down" },
    [OUTCOME_REJECTED] = { LANE_DEAD, "rejected" },
    [OUTCOME_AMBIGUOUS] = { LANE_DEAD, "ambiguous" },
    [OUTCOME_GONE] = { LANE_RETRY, "retry" },
    [OUTCOME_CONFLICT] = { LANE_RETRY, "retry" },
    [OUTCOME_UNSEEN] = { LANE_RETRY, "unseen" },
};

static bool is_leaver(const struct ending *ending)
{
    return ending->end != LANE_DONE && ending->result.leaving == LEAVING_YES;
}

int64_t retry_delay_us(const struct deliver_target *target, struct random_source *random, int attempt, int64_t retry_after_us)
{
    int64_t span_us = target->retry_base_us;

    for (int i = 1; i < attempt && span_us < target->retry_most_us; i++)
        span_us *= 2;
    if (span_us > target->retry_most_us)
        span_us = target->retry_most_us;
    int64_t delay_us = (int64_t)random_below(random, (uint64_t)span_us + 1);
    return delay_us > retry_after_us ? delay_us : retry_after_us;
}

static void __attribute__((format(printf, 2, 3))) preface_reason(struct ending *ending, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    buf_printf(&text, ": %s", ending->reason != NULL ? ending->reason : "?");
    free(ending->reason);
    ending->reason = buf_take(&text);
}

/* The attempts are used up. Whoever shall be out is not let go. */
static void exhaust(struct ending *ending)
{
    const struct deliver_target *target = &ending->pool->target;

    if (!is_leaver(ending)) {
        ending->end = LANE_DEAD;
        ending->outcome = ending->stored = "dead";
        preface_reason(ending, "gave up after %d attempts", ending->lease.attempt);
        return;
    }
    ending->overdue = true;
    ending->retry_in_us = target->retry_most_us > ending->result.retry_after_us ? target->retry_most_us : ending->result.retry_after_us;
    preface_reason(ending, "access is still left after %d attempts", ending->lease.attempt);
}

void ending_decide(struct ending *ending)
{
    const struct deliver_target *target = &ending->pool->target;

    ending->end = endings[ending->result.outcome].end;
    ending->outcome = ending->stored = endings[ending->result.outcome].word;
    ending->reason = take_pointer(ending->result.reason);
    ending->retry_in_us = -1;
    if (ending->end == LANE_DONE && ending->result.out_of_scope)
        ending->outcome = ending->stored = "out_of_scope";
    if (ending->end != LANE_RETRY)
        return;
    if (ending->result.refusal != REFUSAL_SURE)
        ending->stored = OUTCOME_WORD_REFUSED;
    if (ending->lease.attempt >= target->attempts)
        exhaust(ending);
    else
        ending->retry_in_us =
            retry_delay_us(target, ending->pool->settings->random, ending->lease.attempt, ending->result.retry_after_us);
}

static void ending_free(struct ending *ending)
{
    lease_clear(&ending->lease);
    lane_result_clear(&ending->result);
    free(ending->reason);
    free(ending);
}

static void report(const struct ending *ending)
{
    const struct deliver_settings *settings = ending->pool->settings;
    const struct lease *lease = &ending->lease;

    settings->sink.delivered(settings->sink.arg, &(struct delivery_report){
        .target = lease->target,
        .kind = lease->kind,
        .id = lease->id,
        .subject = ending->result.subject,
        .action = ending->result.action,
        .outcome = ending->outcome,
        .account = ending->result.account,
        .event_uuid = lease->event_uuid,
        .event_type = lease->event_type,
        .reason = ending->reason,
        .superseded = lease->deliveries > 1 ? lease->deliveries - 1 : 0,
        .attempt = lease->attempt,
        .took_us = ending->took_us,
        .lag_us = ending->lag_us,
        .retry_in_us = ending->retry_in_us,
        .leaver = is_leaver(ending),
        .overdue = ending->overdue,
        .sweep = ending->result.sweep,
        .sessions_found = ending->result.sessions_found,
        .sessions_ended = ending->result.sessions_ended,
        .revoke_us = ending->revoke_us,
        .note = ending->result.note,
        .undone = ending->result.undone,
    });
}

/* What the target's state says of everybody is not said of each; but a leaver who was tried, and is still in, is named each time. */
static bool is_told(const struct ending *ending)
{
    return ending->end != LANE_RELEASE || (is_leaver(ending) && !ending->unasked);
}

/* Runs on the store's writer thread. An end that could not be committed (disk
 * full) is kept and offered again by the scheduler. */
static void ended(void *arg, int code, const struct error *error)
{
    struct ending *ending = arg;
    struct target_pool *pool = ending->pool;
    bool refused = code < 0 && code != ERROR_STALE && code != ERROR_CLOSED && code != ERROR_EXISTS;

    if (code == ERROR_EXISTS) { /* the account turned out to be another's: the store made it a dead letter */
        ending->end = LANE_DEAD;
        ending->outcome = ending->stored = endings[OUTCOME_AMBIGUOUS].word; /* as the store has it */
        free(ending->reason);
        ending->reason = strdup(error->text);
    }
    if ((code == 0 || code == ERROR_EXISTS) && is_told(ending))
        report(ending);
    pthread_mutex_lock(&pool->lock);
    if (refused) {
        ending->next = pool->refused;
        pool->refused = ending;
    } else {
        atomic_fetch_sub(&pool->unfinished, 1);
    }
    pool->ready = true; /* it may come again: the scheduler asks for when */
    pthread_cond_broadcast(&pool->wake_scheduler);
    pthread_mutex_unlock(&pool->lock);
    if (!refused)
        ending_free(ending);
}

void ending_complete(struct ending *ending)
{
    struct store *store = ending->pool->settings->store;
    const struct lane_result *result = &ending->result;
    int64_t now_us = clock_wall(ending->pool->settings->clock).us;

    struct completion completion = {
        .lease = &ending->lease,
        .end = ending->end,
        .outcome = ending->stored,
        .action = result->action,
        .reason = ending->reason,
        .undone = result->undone,
        .retry_at = { ending->retry_in_us >= 0 ? now_us + ending->retry_in_us : 0 },
        .leaving = result->leaving,
        .due = result->due,
        .link = result->has_link ? &result->link : NULL,
        .has_groups = result->has_groups,
        .members = result->members,
        .member_count = result->member_count,
        .operations = result->operations,
        .operation_count = result->operation_count,
    };
    fault_point(FAULT_DELIVER_COMPLETE);
    store_complete(store, &completion, ended, ending);
}

void endings_store_again(struct ending *list)
{
    while (list != NULL) {
        struct ending *ending = list;
        list = ending->next;
        ending_complete(ending);
    }
}

struct ending *ending_new(struct target_pool *pool, const struct lease *lease)
{
    struct ending *ending = calloc(1, sizeof(*ending));

    if (ending == NULL)
        return NULL;
    *ending = (struct ending){ .pool = pool, .lease = *lease, .result.action = "none", .revoke_us = -1 };
    atomic_fetch_add(&pool->unfinished, 1);
    return ending;
}

void lease_release(struct target_pool *pool, struct lease *lease)
{
    struct ending *ending = ending_new(pool, lease);

    if (ending == NULL) { /* it lapses */
        lease_clear(lease);
        return;
    }
    ending->end = LANE_RELEASE;
    ending->outcome = ending->stored = "released";
    ending_complete(ending);
}
