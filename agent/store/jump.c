/*
 * The wall clock is set, by hand or after a machine slept: a lease must not lapse under its worker, nor a retry wait an hour longer.
 * What is timed by how long it takes moves along with the clock. Due times are dates and stay.
 */
#include "store/store_private.h"

#define JUMP_LEAST_US 1000000 /* less is a clock being kept right */

static int move_lanes(struct sqlite_store *store, int64_t by_us, struct error *error)
{
    static const enum lane_state timed[] = { LANE_STATE_LEASED, LANE_STATE_WAITING };
    int code = 0;

    for (size_t i = 0; i < store->target_count && code == 0; i++)
        for (size_t j = 0; j < sizeof(timed) / sizeof(timed[0]) && code == 0; j++)
            code = db_run(store->writer, SQL_LANES_SHIFT, error, "iii", by_us, store->targets[i].number, (int64_t)timed[j]);
    return code;
}

int jump_follow(struct sqlite_store *store, struct error *error)
{
    int64_t ahead_us = store->now.us - clock_mono(store->clock).us, jump_us = ahead_us - store->wall_ahead_us;
    bool jumped = store->wall_known && (jump_us >= JUMP_LEAST_US || jump_us <= -JUMP_LEAST_US);
    int code = jumped ? move_lanes(store, jump_us, error) : 0;

    store->wall_ahead_next_us = ahead_us;
    return code;
}

void jump_commit(struct sqlite_store *store)
{
    store->wall_ahead_us = store->wall_ahead_next_us;
    store->wall_known = true;
}
