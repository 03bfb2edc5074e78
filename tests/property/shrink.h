/*
 * shrink.h: the smallest life and telling that still end wrongly in the same way.
 *
 * Delta debugging: first events of the life, then steps of the telling, are
 * left out in ever smaller pieces for as long as the rest fails. What depends
 * on chance (threads) is played several times; one failure counts.
 * Ownership: plain values, changed in place. Threads: one.
 */
#ifndef PROVOST_TESTS_PROPERTY_SHRINK_H
#define PROVOST_TESTS_PROPERTY_SHRINK_H

#include "tests/property/play.h"

struct failure {
    const struct policy *policy;
    struct life life;
    struct telling telling;
    enum plant plant;
    enum verdict verdict;
    int tries; /* how often one is played before it counts as good */
};
void shrink(struct player *player, struct failure *failure);

/* One worker, no lost answers, no restarts, a rest after each batch: nothing is left to chance. */
void telling_calm(struct telling *telling);

#endif
