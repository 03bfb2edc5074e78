#include "tests/property/shrink.h"

#include <string.h>

/* Nobody waits longer than this for a smaller one. */
#define SHRINK_US 45000000
static struct mono deadline;

static bool still_fails(struct player *player, const struct failure *failure)
{
    bool fails = false;

    for (int i = 0; i < failure->tries && !fails && clock_mono(clock_system()).us < deadline.us; i++) {
        struct ending ending = play(player, failure->policy, &failure->life, &failure->telling, failure->plant);
        fails = ending.verdict == failure->verdict;
        ending_clear(&ending);
    }
    return fails;
}

/* A life without `length` events from `at` on, and a telling that knows nothing of them. */
static void leave_out_events(struct failure *failure, size_t at, size_t length)
{
    struct life *life = &failure->life;
    struct telling *telling = &failure->telling;
    size_t kept = 0;

    memmove(&life->events[at], &life->events[at + length], (life->count - at - length) * sizeof(life->events[0]));
    life->count -= length;
    for (size_t i = 0; i < telling->count; i++)
        if (telling->steps[i].kind != STEP_EVENT || life_find(life, telling->steps[i].number) != NULL)
            telling->steps[kept++] = telling->steps[i];
    telling->count = kept;
}

static bool is_told(const struct failure *failure)
{
    for (size_t e = 0; e < failure->life.count; e++) {
        bool told = false;
        for (size_t i = 0; i < failure->telling.count; i++)
            told = told || (failure->telling.steps[i].kind == STEP_EVENT && failure->telling.steps[i].number == failure->life.events[e].number);
        if (!told)
            return false;
    }
    return true;
}

static void leave_out_steps(struct failure *failure, size_t at, size_t length)
{
    struct telling *telling = &failure->telling;

    memmove(&telling->steps[at], &telling->steps[at + length], (telling->count - at - length) * sizeof(telling->steps[0]));
    telling->count -= length;
}

typedef void leave_out(struct failure *failure, size_t at, size_t length);

static bool shrink_by(struct player *player, struct failure *failure, const size_t *count, size_t length, leave_out *without)
{
    bool smaller = false;

    for (size_t at = 0; at + length <= *count;) {
        struct failure less = *failure;
        without(&less, at, length);
        if (is_told(&less) && still_fails(player, &less)) {
            *failure = less;
            smaller = true;
        } else {
            at += length;
        }
    }
    return smaller;
}

static void shrink_all(struct player *player, struct failure *failure, const size_t *count, leave_out *without)
{
    for (size_t length = *count / 2; length > 1; length /= 2)
        shrink_by(player, failure, count, length, without);
    while (shrink_by(player, failure, count, 1, without))
        ;
}

static void loses_nothing(struct telling *telling)
{
    telling->lost_every = 0;
}

static void refuses_no_record(struct telling *telling)
{
    telling->trouble.refused_every = 0;
}

static void has_no_window(struct telling *telling)
{
    telling->trouble.window_every = telling->trouble.window = 0;
}

static void closes_no_group(struct telling *telling)
{
    telling->trouble.closed = NULL;
}

static void works_alone(struct telling *telling)
{
    telling->workers = 1;
}

static void rests_after_each(struct telling *telling)
{
    for (size_t i = 0; i < telling->count; i++)
        if (telling->steps[i].kind == STEP_SEND)
            telling->steps[i].kind = STEP_REST;
}

/* The less is left to chance, the better it shrinks. */
static void calm(struct player *player, struct failure *failure)
{
    static void (*const ways[])(struct telling *) = { loses_nothing, refuses_no_record, has_no_window, closes_no_group, works_alone, rests_after_each };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct failure calmer = *failure;
        ways[i](&calmer.telling);
        if (still_fails(player, &calmer))
            *failure = calmer;
    }
}

void telling_calm(struct telling *telling)
{
    loses_nothing(telling);
    works_alone(telling);
    for (size_t i = 0; i < telling->count; i++)
        if (telling->steps[i].kind == STEP_RESTART)
            telling->steps[i].kind = STEP_SEND;
    rests_after_each(telling);
}

void shrink(struct player *player, struct failure *failure)
{
    deadline.us = clock_mono(clock_system()).us + SHRINK_US;
    calm(player, failure);
    shrink_all(player, failure, &failure->life.count, leave_out_events);
    shrink_all(player, failure, &failure->telling.count, leave_out_steps);
    shrink_all(player, failure, &failure->life.count, leave_out_events);
}
