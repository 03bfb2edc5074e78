/*
 * latency.h: how long the newest of something took: a ring of the last
 * LATENCY_MOST, and their percentiles.
 * Threads: the owner's lock. Ownership: plain values, zero-initialised.
 */
#ifndef PROVOST_DELIVER_LATENCY_H
#define PROVOST_DELIVER_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_MOST 512

struct latency {
    int64_t us[LATENCY_MOST];
    int64_t count; /* of all that were ever added */
};

void latency_add(struct latency *latency, int64_t us);
/* The value that so many per cent do not exceed (nearest rank); 0: none was added. */
int64_t latency_percentile(const struct latency *latency, int percent);

#endif
