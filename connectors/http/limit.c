#include "connectors/http/limit.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/str.h"

static struct mono mono_now(void)
{
    return clock_mono(clock_system());
}

static struct timespec timespec_of(struct mono when)
{
    return (struct timespec){ .tv_sec = when.us / 1000000, .tv_nsec = when.us % 1000000 * 1000 };
}

static void sleep_until(struct mono when)
{
    struct timespec until = timespec_of(when);

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

int limit_init(struct limit *limit, const struct http_settings *settings, struct error *error)
{
    pthread_condattr_t attributes;
    struct limit fresh = { .settings = settings };

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    *limit = fresh;
    int code = pthread_mutex_init(&limit->lock, NULL);
    if (code == 0 && (code = pthread_cond_init(&limit->left, &attributes)) != 0)
        pthread_mutex_destroy(&limit->lock);
    pthread_condattr_destroy(&attributes);
    return code == 0 ? 0 : error_nomem(error);
}

void limit_destroy(struct limit *limit)
{
    pthread_cond_destroy(&limit->left);
    pthread_mutex_destroy(&limit->lock);
}

/* ---- the circuit, under the lock ---- */

static bool is_tripped(const struct limit *limit)
{
    return limit->settings->circuit_failures > 0 && limit->failures >= limit->settings->circuit_failures;
}

/* Who finds its time over is the trial: the next one comes when that, too, has had its time. */
static int64_t circuit_wait(struct limit *limit, struct mono now)
{
    if (!is_tripped(limit))
        return 0;
    if (now.us < limit->open_until.us)
        return limit->open_until.us - now.us;
    limit->open_until.us = now.us + limit->settings->circuit_time_us;
    return 0;
}

void limit_note(struct limit *limit, bool failure, const char *reason)
{
    pthread_mutex_lock(&limit->lock);
    limit->failures = failure ? limit->failures + 1 : 0;
    if (failure)
        snprintf(limit->last_failure, sizeof(limit->last_failure), "%s", reason != NULL ? reason : "");
    if (failure && is_tripped(limit))
        limit->open_until.us = mono_now().us + limit->settings->circuit_time_us;
    pthread_mutex_unlock(&limit->lock);
}

void limit_note_trial(struct limit *limit)
{
    pthread_mutex_lock(&limit->lock);
    if (is_tripped(limit))
        limit->failures = limit->settings->circuit_failures - 1;
    pthread_mutex_unlock(&limit->lock);
}

int64_t limit_failures(struct limit *limit, char *ret_reason, size_t bytes)
{
    pthread_mutex_lock(&limit->lock);
    int64_t failures = limit->failures;
    snprintf(ret_reason, bytes, "%s", limit->last_failure);
    pthread_mutex_unlock(&limit->lock);
    str_trim_partial_utf8(ret_reason);
    return failures;
}

/* ---- in flight ---- */

/* False: none became free in time. */
static bool take_place(struct limit *limit)
{
    struct timespec until = timespec_of((struct mono){ mono_now().us + limit->settings->timeout_us });
    int code = 0;

    while (limit->settings->in_flight > 0 && limit->in_flight >= limit->settings->in_flight && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&limit->left, &limit->lock, &until);
    if (code == ETIMEDOUT)
        return false;
    limit->in_flight++;
    return true;
}

enum limit_verdict limit_enter(struct limit *limit, bool trial, int64_t *ret_wait_us)
{
    enum limit_verdict verdict = LIMIT_GO;

    pthread_mutex_lock(&limit->lock);
    int64_t wait_us = trial ? 0 : circuit_wait(limit, mono_now());
    if (wait_us > 0) {
        *ret_wait_us = wait_us;
        verdict = LIMIT_OPEN;
    } else if (!take_place(limit)) {
        *ret_wait_us = HTTP_SECOND;
        verdict = LIMIT_BUSY;
    }
    pthread_mutex_unlock(&limit->lock);
    return verdict;
}

void limit_leave(struct limit *limit)
{
    pthread_mutex_lock(&limit->lock);
    limit->in_flight--;
    pthread_cond_signal(&limit->left);
    pthread_mutex_unlock(&limit->lock);
}

/* ---- turns ---- */

void limit_answered(struct limit *limit, int64_t wait_us, bool of_all)
{
    struct mono until = { mono_now().us + wait_us };

    pthread_mutex_lock(&limit->lock);
    limit->wishes = wait_us <= 0 ? 0 : limit->wishes < 2 ? limit->wishes + 1 : 2;
    if ((limit->wishes > 1 || (of_all && wait_us > 0)) && until.us > limit->paused_until.us)
        limit->paused_until = until;
    pthread_mutex_unlock(&limit->lock);
}

/* Turns are handed out evenly spaced, one after the other, to whoever asks: *ret_turn may lie in the future. */
static enum limit_verdict take_turn(struct limit *limit, struct mono now, struct mono *ret_turn, int64_t *ret_wait_us)
{
    const struct http_settings *settings = limit->settings;
    int64_t turn_us = now.us > limit->next.us ? now.us : limit->next.us;

    if (limit->paused_until.us > now.us + PAUSE_INLINE_US) {
        *ret_wait_us = limit->paused_until.us - now.us;
        return LIMIT_PAUSED;
    }
    if (turn_us < limit->paused_until.us)
        turn_us = limit->paused_until.us;
    if (turn_us - now.us > settings->timeout_us) {
        *ret_wait_us = turn_us - now.us;
        return LIMIT_BUSY;
    }
    if (settings->rate > 0)
        limit->next.us = turn_us + settings->rate_time_us / settings->rate;
    ret_turn->us = turn_us;
    return LIMIT_GO;
}

enum limit_verdict limit_slot(struct limit *limit, int64_t *ret_wait_us)
{
    for (;;) {
        struct mono now = mono_now(), turn = now;

        pthread_mutex_lock(&limit->lock);
        enum limit_verdict verdict = take_turn(limit, now, &turn, ret_wait_us);
        pthread_mutex_unlock(&limit->lock);
        if (verdict != LIMIT_GO || turn.us <= now.us)
            return verdict;
        sleep_until(turn);
        pthread_mutex_lock(&limit->lock);
        bool paused = limit->paused_until.us > mono_now().us; /* asked for while we waited */
        pthread_mutex_unlock(&limit->lock);
        if (!paused)
            return LIMIT_GO;
    }
}
