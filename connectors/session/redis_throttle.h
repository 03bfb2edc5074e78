/*
 * redis_throttle.h: sweeps of all workers of a target together take no more
 * than a share of the server's time.
 *
 * Calling sequence: throttle_begin (waits for its turn) → one bounded step →
 * throttle_end. One step at a time; after one that took t the server has
 * t × (100 − share) / share to itself.
 * The time of a step is measured here, with the way there and back: that is
 * more than the server's own, never less.
 * Threads: all. The lock is taken by throttle_begin and given back by throttle_end: it is held through the step, a network
 * exchange, so that steps take turns; whoever holds it takes no other lock of the target. Errors: none.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_THROTTLE_H
#define PROVOST_CONNECTORS_SESSION_REDIS_THROTTLE_H

#include <pthread.h>
#include <stdint.h>

struct throttle {
    pthread_mutex_t lock;
    int64_t share_percent;
    int64_t free_at_us, began_at_us; /* monotonic */
};

void throttle_init(struct throttle *throttle, int64_t share_percent);
void throttle_destroy(struct throttle *throttle);
void throttle_begin(struct throttle *throttle);
void throttle_end(struct throttle *throttle);

#endif
