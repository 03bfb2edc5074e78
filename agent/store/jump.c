/*
 * The wall clock is set: by hand, by NTP, by a machine that was suspended or restored. Each commit compares it with the monotonic clock.
 *
 * What is timed by how long it takes (leases, retries, intents) moves along with the clock. What is due at a date stays, and must not come
 * early: a removal cannot be undone. So removals and retention go by the removal time, which runs with the monotonic clock until the wall
 * clock has agreed with that one for an hour, and is not ahead of the source's clock where that is known.
 */
#include "store/store_private.h"

#define JUMP_LEAST_US 1000000 /* less is a clock being kept right */
#define HOUR_US 3600000000LL
#define DAY_US (24 * HOUR_US)
#define SAY_LEAST_US 120000000 /* of a jump, a difference from the source's clock, or a change of it */

/* ---- the removal time ---- */

static bool is_off(int64_t skew_us)
{
    return skew_us >= SAY_LEAST_US || skew_us <= -SAY_LEAST_US;
}

/* How much earlier than the wall clock the removal time is, while that clock is so far ahead of the monotonic one. */
static int64_t held_us(const struct clock_watch *watch, int64_t ahead_us)
{
    int64_t jumped_us = ahead_us - watch->agreed_us, early_us = is_off(watch->skew_us) ? -watch->skew_us : 0;
    int64_t held = jumped_us > early_us ? jumped_us : early_us;

    return held >= JUMP_LEAST_US ? held : 0;
}

static struct clock_watch read_watch(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct clock_watch watch = store->watch;
    pthread_mutex_unlock(&store->lock);
    return watch;
}

struct wall store_removal_time(struct store *store)
{
    struct clock_watch watch = read_watch(store);
    int64_t now_us = clock_wall(store->clock).us;

    return (struct wall){ now_us - held_us(&watch, now_us - clock_mono(store->clock).us) };
}

/* ---- what follows the clock ---- */

/* Past moments that a clock set back has put into the future: `retry` would pass over these dead lanes. */
static int bring_back(struct store *store, int64_t target, struct error *error)
{
    static const enum lane_state past[] = { LANE_STATE_HELD, LANE_STATE_DEAD };
    int code = 0;

    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]) && code == 0; i++)
        code = db_run(store->writer, SQL_LANES_BACK, error, "iiiii", store->now.us, target, (int64_t)past[i], store->now.us, INT64_MAX);
    return code;
}

static int move_lanes(struct store *store, int64_t by_us, struct error *error)
{
    static const enum lane_state timed[] = { LANE_STATE_LEASED, LANE_STATE_WAITING };
    int code = 0;

    for (size_t i = 0; i < store->target_count && code == 0; i++) {
        for (size_t j = 0; j < sizeof(timed) / sizeof(timed[0]) && code == 0; j++)
            code = db_run(store->writer, SQL_LANES_SHIFT, error, "iii", by_us, store->targets[i].number, (int64_t)timed[j]);
        if (code == 0 && by_us < 0)
            code = bring_back(store, store->targets[i].number, error);
    }
    return code < 0 ? code : db_run(store->writer, SQL_INTENTS_SHIFT, error, "i", by_us);
}

/* The removal time went back from `from_us`. What was due about then was dated by how long it takes (the second sweep for sessions):
 * its lanes are looked at now. Those that do wait for a date find that out and wait on. */
static int look_again(struct store *store, int64_t from_us, struct error *error)
{
    int code = 0;

    for (size_t i = 0; i < store->target_count && code == 0; i++)
        code = db_run(store->writer, SQL_LANES_BACK, error, "iiiii", store->removal.us, store->targets[i].number,
                      (int64_t)LANE_STATE_DUE, from_us - HOUR_US, from_us + HOUR_US);
    return code;
}

/* ---- each transaction ---- */

static struct clock_watch watch_after(const struct clock_watch *watch, int64_t ahead_us, int64_t mono_us)
{
    struct clock_watch next = *watch;
    int64_t jump_us = ahead_us - watch->ahead_us;

    next.ahead_us = ahead_us;
    if (jump_us >= JUMP_LEAST_US || jump_us <= -JUMP_LEAST_US) {
        next.waits = true;
        next.jumped_at_us = mono_us;
        next.jump_us = jump_us;
        next.jumps++;
        next.skew_us = is_off(jump_us) ? 0 : watch->skew_us; /* until the source's requests tell anew */
    } else if (mono_us - watch->jumped_at_us >= HOUR_US) {
        next.waits = false;
    }
    if (!next.waits)
        next.agreed_us = ahead_us;
    return next;
}

int jump_follow(struct store *store, struct error *error)
{
    const struct clock_watch *watch = &store->watch;
    int64_t mono_us = clock_mono(store->clock).us, ahead_us = store->now.us - mono_us;
    int code = 0;

    store->watch_next = watch_after(watch, ahead_us, mono_us);
    store->removal.us = store->now.us - held_us(&store->watch_next, ahead_us);
    store->watch_next.removal_ahead_us = store->removal.us - mono_us;
    if (store->watch_next.jumps != watch->jumps)
        code = move_lanes(store, store->watch_next.jump_us, error);
    if (code == 0 && watch->removal_ahead_us - store->watch_next.removal_ahead_us >= JUMP_LEAST_US)
        code = look_again(store, mono_us + watch->removal_ahead_us, error);
    return code;
}

void jump_commit(struct store *store)
{
    store->watch = store->watch_next;
}

/* ---- from one start to the next ---- */

/* The file knows when it was last written to. A clock that is earlier now was set back, and is followed by the first transaction. One
 * that is days later may be right, or wrong for a while: removals go on from where they were until it has stayed so for an hour. */
void jump_open(struct store *store)
{
    const struct counters *counters = &store->counters;
    int64_t now_us = clock_wall(store->clock).us, mono_us = clock_mono(store->clock).us, ahead_us = now_us - mono_us;
    int64_t back_us = counters->wall - now_us, gap_us = counters->removal != 0 ? now_us - counters->removal : 0;
    bool waits = gap_us > DAY_US;

    store->watch = (struct clock_watch){
        .ahead_us = back_us > 0 ? ahead_us + back_us : ahead_us, .agreed_us = waits ? ahead_us - gap_us : ahead_us,
        .waits = waits, .jumped_at_us = mono_us, .jump_us = waits ? gap_us : 0,
    };
    store->watch.removal_ahead_us = store->watch.agreed_us;
}

bool jump_is_known(const struct store *store)
{
    int64_t wall_us = store->now.us - store->counters.wall, removal_us = store->removal.us - store->counters.removal;

    return wall_us < HOUR_US && wall_us > -HOUR_US && removal_us < HOUR_US && removal_us > -HOUR_US;
}

void jump_remember(struct store *store)
{
    store->counters.wall = store->now.us;
    store->counters.removal = store->removal.us;
}

/* ---- what is said of it ---- */

static struct store_clock clock_at(const struct clock_watch *watch, int64_t now_us, int64_t mono_us)
{
    int64_t left_us = watch->jumped_at_us + HOUR_US - mono_us, skew_us = is_off(watch->skew_us) ? watch->skew_us : 0;
    int64_t held = held_us(watch, now_us - mono_us);
    bool for_an_hour = is_off(held) && skew_us >= 0 && left_us > 0;

    return (struct store_clock){
        .skew_us = skew_us, .jump_us = watch->jump_us, .jumps = watch->jumps, .held_us = is_off(held) ? held : 0,
        .held_until.us = for_an_hour ? now_us + left_us : 0,
    };
}

void jump_read(struct store *store, struct store_clock *ret_clock)
{
    struct clock_watch watch = read_watch(store);

    *ret_clock = clock_at(&watch, clock_wall(store->clock).us, clock_mono(store->clock).us);
}

static bool is_news(const struct store_clock *before, const struct store_clock *now)
{
    bool jumped = now->jumps != before->jumps && is_off(now->jump_us);

    return jumped || is_off(now->skew_us - before->skew_us) || (now->skew_us == 0) != (before->skew_us == 0) ||
           (now->held_us == 0) != (before->held_us == 0);
}

void jump_tell(struct store *store)
{
    struct store_clock clock = clock_at(&store->watch, store->now.us, store->now.us - store->watch.ahead_us);

    pthread_mutex_lock(&store->lock);
    store_clock_changed *changed = store->clock_changed;
    void *arg = store->clock_arg;
    pthread_mutex_unlock(&store->lock);
    if (changed == NULL || !is_news(&store->clock_told, &clock))
        return;
    changed(arg, &store->clock_told, &clock);
    store->clock_told = clock;
}

void store_on_clock(struct store *store, store_clock_changed *changed, void *arg)
{

    pthread_mutex_lock(&store->lock);
    store->clock_changed = changed;
    store->clock_arg = arg;
    pthread_mutex_unlock(&store->lock);
}
