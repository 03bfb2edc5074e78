/*
 * ending.h: how a lane's work ends: from its result to the store and the
 * status log.
 *
 * Purpose: one table says what the agent does with each outcome; what is used
 * up, waits or goes on is decided here. A leaver is never given up.
 *
 * Calling sequence: ending_new → the lane's work fills `result` → ending_decide
 * → ending_complete, which frees it once the end is committed. An end that the
 * store could not take is kept in the pool (`refused`) and offered again.
 * Threads: the worker that works on the lane, then the store's writer.
 * Private to deliver/.
 */
#ifndef PROVOST_DELIVER_ENDING_H
#define PROVOST_DELIVER_ENDING_H

#include "deliver/deliver_private.h"
#include "deliver/lane.h"

struct ending {
    struct ending *next; /* in the pool's list of refused ones */
    struct target_pool *pool;
    struct lease lease;
    struct lane_result result;
    const char *outcome; /* for people */
    const char *stored;  /* the same for the store: tells refusals that may be the target's */
    char *reason;
    enum lane_end end;
    int64_t retry_in_us;
    int64_t took_us;
    int64_t lag_us;
    int64_t revoke_us;
    bool overdue; /* a leaver's, after the last attempt */
    bool unasked; /* the target had been left before: this lane says nothing of it */
};

struct ending *ending_new(struct target_pool *pool, const struct lease *lease); /* NULL: out of memory, the lease lapses */
void ending_decide(struct ending *ending);
void ending_complete(struct ending *ending);
/* Gives the refused ends to the store again; the list is taken over. */
void endings_store_again(struct ending *list);

/* A lane that failed because of what may be the target's: its outcome in the store. */
#define OUTCOME_WORD_REFUSED "refused"

/* When a lane comes again: capped exponential back-off, full jitter, and not before what the target asked for. */
int64_t retry_delay_us(const struct deliver_target *target, struct random_source *random, int attempt, int64_t retry_after_us);

#endif
