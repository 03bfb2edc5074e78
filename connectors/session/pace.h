/*
 * pace.h: what a sweep leaves of the server's time (option `share`).
 * Threads: no state; the caller sleeps.
 */
#ifndef PROVOST_CONNECTORS_SESSION_PACE_H
#define PROVOST_CONNECTORS_SESSION_PACE_H

#include <time.h>

#include "connectors/session/settings.h"

/* After a step that took so long: the rest, in which the server is the application's. */
static inline void pace_rest(const struct session_settings *settings, int64_t took_us)
{
    int64_t rest_us = took_us * (100 - settings->share_percent) / settings->share_percent;
    struct timespec time = { .tv_sec = rest_us / 1000000, .tv_nsec = rest_us % 1000000 * 1000 };

    nanosleep(&time, NULL);
}

#endif
