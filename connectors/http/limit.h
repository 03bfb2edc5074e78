/*
 * limit.h: what holds requests back before they are sent: the circuit, the
 * number in flight, the target's rate, and the pause that the target asked for.
 *
 * Calling sequence: limit_init → per call limit_enter → limit_slot before each
 * request that is sent → limit_leave; limit_answered and limit_note by what came of
 * it; limit_destroy.
 * Threads: all of it may be called by all sessions of the target at once.
 * `lock` guards all members but the settings, for moments; it is given up while limit_enter and limit_slot wait.
 * Waiting: limit_enter waits for one in flight, limit_slot for its turn, both
 * at most the target's time-out; a pause longer than PAUSE_INLINE_US is not waited for.
 */
#ifndef PROVOST_CONNECTORS_HTTP_LIMIT_H
#define PROVOST_CONNECTORS_HTTP_LIMIT_H

#include <pthread.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/http/settings.h"

#define PAUSE_INLINE_US HTTP_SECOND /* shorter ones are waited for */

enum limit_verdict {
    LIMIT_GO,
    LIMIT_PAUSED, /* the target asked for a pause */
    LIMIT_BUSY,   /* the target's own limit leaves no turn in time */
    LIMIT_OPEN,   /* the circuit is open */
};

struct limit {
    const struct http_settings *settings;
    pthread_mutex_t lock;
    pthread_cond_t left; /* one in flight less */
    int64_t in_flight;
    struct mono next;    /* the next free turn */
    struct mono paused_until;
    int wishes;          /* refusals in a row that asked for patience */
    int64_t failures;    /* in a row */
    struct mono open_until;
    char last_failure[256];
};

int limit_init(struct limit *limit, const struct http_settings *settings, struct error *error);
void limit_destroy(struct limit *limit);

/* GO, and limit_leave is to be called; else *ret_wait_us is how long there is no use in asking. A trial does not ask the circuit. */
enum limit_verdict limit_enter(struct limit *limit, bool trial, int64_t *ret_wait_us);
void limit_leave(struct limit *limit);
/* Between the two, before each request that is sent. GO, PAUSED or BUSY. */
enum limit_verdict limit_slot(struct limit *limit, int64_t *ret_wait_us);

/* An answer came. `wait_us`: it wishes that we wait; 0: it does not. `of_all`: by its status it speaks of all
 * requests; else it may be about one record, and holds back all only when the answer before it wished so, too. */
void limit_answered(struct limit *limit, int64_t wait_us, bool of_all);
/* `reason` of a failure: masked text, for the one who finds the circuit open. */
void limit_note(struct limit *limit, bool failure, const char *reason);
/* A trial went well: an open circuit lets requests through, and the first failure opens it again. */
void limit_note_trial(struct limit *limit);
/* How many failures in a row there were, and the last one's reason. */
int64_t limit_failures(struct limit *limit, char *ret_reason, size_t bytes);

#endif
