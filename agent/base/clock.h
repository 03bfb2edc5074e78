/*
 * clock.h: two clocks of two types, and the way both can be injected.
 *
 * `struct wall` is a point in civil time: microseconds since 1970-01-01 UTC
 * (0: unknown). `struct mono` is a point of a clock that never jumps, for
 * durations and time-outs. They cannot be mixed up by accident.
 *
 * A `struct clock` is a pair of functions; clock_system() reads the
 * machine's, a test puts in its own. In a build with --enable-fault-points
 * the environment variable PROVOST_CLOCK_JUMP names a file with two int64_t of
 * microseconds, by which a test sets the clock: the wall clock is off by the
 * first, and time has passed, by both clocks, for the second.
 * Threads: clock_system() may be used by all.
 * Source of the text form: RFC 3339.
 */
#ifndef PROVOST_BASE_CLOCK_H
#define PROVOST_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wall {
    int64_t us;
};

struct mono {
    int64_t us;
};

struct clock {
    struct wall (*wall)(struct clock *clock);
    struct mono (*mono)(struct clock *clock);
};

struct clock *clock_system(void);

static inline struct wall clock_wall(struct clock *clock)
{
    return clock->wall(clock);
}
static inline struct mono clock_mono(struct clock *clock)
{
    return clock->mono(clock);
}

/* "2026-11-22T21:10:03.123Z", any number of fraction digits (those past the
 * sixth are dropped), "Z" or "+hh:mm". False, output untouched, otherwise. */
bool wall_parse(const char *text, struct wall *ret_wall);

#define WALL_TEXT_BYTES 32
/* With milliseconds, in UTC: "2026-11-22T21:10:03.123Z". */
void wall_format(struct wall wall, char text[WALL_TEXT_BYTES]);

#define DURATION_TEXT_BYTES 48
/* In the two largest units, rounded: "31 d 2 h", "3 min 20 s", "7 s". */
void duration_format(int64_t us, char text[DURATION_TEXT_BYTES]);

/* strftime(3) in UTC; the length, 0 when it does not fit. */
size_t wall_strftime(struct wall wall, const char *format, char *text, size_t bytes)
    __attribute__((format(strftime, 2, 0)));

#endif
