/*
 * random.h: a source of random numbers that can be injected. random_system()
 * draws from getrandom(2); a test puts in a seeded one.
 * Threads: random_system() may be used by all; a test's own says for itself.
 */
#ifndef PROVOST_BASE_RANDOM_H
#define PROVOST_BASE_RANDOM_H

#include <stdint.h>

struct random_source {
    uint64_t (*next)(struct random_source *source);
};

struct random_source *random_system(void);

/* Uniform in 0 … limit-1; 0 when limit is 0. */
uint64_t random_below(struct random_source *source, uint64_t limit);

/* A seeded generator (splitmix64) for tests; single-threaded. */
struct random_seeded {
    struct random_source source;
    uint64_t state;
};
void random_seeded_init(struct random_seeded *seeded, uint64_t seed);

#endif
