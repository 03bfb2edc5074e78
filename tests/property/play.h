/*
 * play.h: one telling of one life, through the real source, store, planner
 * and deliverer, into a directory in memory; and how it ended.
 *
 * Calling sequence: player_new → play, as often as wished → player_free. Each
 * play begins with a new store in the player's folder and an empty directory.
 * Ownership: what a play returns is the caller's (ending_clear). Threads: one
 * player for each process.
 */
#ifndef PROVOST_TESTS_PROPERTY_PLAY_H
#define PROVOST_TESTS_PROPERTY_PLAY_H

#include "tests/property/life.h"
#include "tests/property/memory_target.h"
#include "tests/property/policy.h"

struct player;

struct player *player_new(void); /* never NULL: ends the process with a word where it cannot be */
void player_free(struct player *player);

enum verdict {
    AS_EXPECTED,
    OTHERWISE,   /* the directory is not the model's */
    GIVEN_UP,    /* a lane is dead */
    NO_REST,     /* some lanes never came to an end */
    LEFT_IN,     /* somebody who must be out is in, and not named */
    TOUCHED,     /* somebody else's entry was changed */
    HELD_UP,     /* others waited for a refused record longer than its own tries */
    IMPOSSIBLE,  /* the model wants two entries at one place: no life of Okta's */
};
const char *verdict_name(enum verdict verdict);

struct ending {
    enum verdict verdict;
    json_t *expected, *found; /* directories; NULL: not known */
    char *reason;             /* of the last lane that could not be ended; NULL: none */
};
struct ending play(struct player *player, const struct policy *policy, const struct life *life, const struct telling *telling,
                   enum plant plant);
void ending_clear(struct ending *ending);

#endif
