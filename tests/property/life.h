/*
 * life.h: a random life of a small company, and a random way of telling it.
 *
 * A life is what happened, in the order in which Okta published it. It keeps
 * Okta's rules: a login is one person's at a time (a deleted one's is free
 * again), a group's name one group's; only who was deactivated is deleted.
 * A telling is how the agent hears of it: in any order, some of it twice, in
 * batches, with rests and restarts between them.
 *
 * The same seed always gives the same life and telling. Ownership: plain
 * values, but for the bodies, which the caller frees. Threads: none.
 */
#ifndef PROVOST_TESTS_PROPERTY_LIFE_H
#define PROVOST_TESTS_PROPERTY_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/property/trouble.h"

#define EVENTS_MOST 64
#define STEPS_MOST 256
#define USERS_MOST 6
#define GROUPS_MOST 4
#define WORD_BYTES 48

enum happening {
    HIRED,       /* user.lifecycle.create */
    ACTIVATED,
    RENAMED,     /* user.account.update_profile: login, name or both */
    SUSPENDED,
    UNSUSPENDED,
    DEACTIVATED,
    REACTIVATED,
    DELETED,
    GROUP_MADE,
    GROUP_RENAMED,
    GROUP_DELETED,
    JOINED,
    PARTED,
    HAPPENING_COUNT
};

struct life_event {
    enum happening what;
    int user, group; /* -1: not about one */
    int number;      /* its uuid */
    int minute;      /* when it was published; two of one person may share it */
    char login[WORD_BYTES], name[WORD_BYTES], group_name[WORD_BYTES]; /* as they were then */
};

struct life {
    struct life_event events[EVENTS_MOST]; /* as published */
    size_t count;
};

enum step_kind {
    STEP_EVENT,   /* events[index] joins the open batch */
    STEP_SEND,    /* the batch is sent */
    STEP_REST,    /* sent, and the agent works until nothing is left that can be done now */
    STEP_RESTART, /* sent, and the agent is stopped, its store closed, and both begin again */
};

struct step {
    enum step_kind kind;
    int number; /* of the event */
};

struct telling {
    struct step steps[STEPS_MOST];
    size_t count;
    int workers;
    int lost_every; /* of so many changes in the target one is made and its answer lost; 0: none */
    struct trouble trouble; /* life_make sets none */
};

void life_make(uint64_t seed, struct life *ret_life, struct telling *ret_telling);
struct trouble life_trouble(uint64_t seed);
const struct life_event *life_find(const struct life *life, int number); /* NULL: none */
/* A hook body, as Okta would post it. Owned by the caller; never NULL. */
char *life_body(const struct life *life, const int *numbers, size_t count, int request);

#endif
