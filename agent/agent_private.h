/*
 * agent_private.h: what agent.c and status.c share.
 *
 * Threads: the main thread starts, stops and reloads; the control socket's
 * reloads and reads. The rest is set before the control socket opens, and
 * freed after it was closed.
 *   reload_lock   held through a start or a reload, by main or control
 *   lock          which configuration, deliverer and receiver are in use: read by all, for as long as
 *                 they are used; written by whoever holds reload_lock
 *   refusal_lock  how many refusals were logged: by the endpoint's threads, one at a time
 * Order: reload_lock, lock, then what store and deliver have; refusal_lock alone.
 */
#ifndef PROVOST_AGENT_PRIVATE_H
#define PROVOST_AGENT_PRIVATE_H

#include <pthread.h>

#include "agent.h"
#include "config/config.h"
#include "control/control.h"
#include "deliver/deliver.h"
#include "receive/receive.h"
#include "record/report.h"

struct agent {
    char *config_path;
    struct wall started;
    struct config *first_config; /* of the start; the receiver borrows from it */
    struct store *store;
    struct status_log *log;
    struct control *control;
    pthread_mutex_t reload_lock;
    bool forgets;                /* events are answered and not kept: to measure the endpoint */
    pthread_mutex_t refusal_lock; /* the two below */
    int64_t refusal_second;
    long refusals;

    pthread_rwlock_t lock;
    struct config *config;
    struct deliverer *deliverer; /* NULL until it is started */
    struct receiver *receiver;   /* NULL until it is started */
    char *listening;             /* URL; the same */
};

/* agent.c: what the store has for targets that the configuration does not name. With `lock` or `reload_lock`. */
void find_gone_targets(struct agent *agent, struct problems *problems);

/* timekeeping.c: for store_on_clock. */
void clock_changed(void *agent, const struct store_clock *before, const struct store_clock *now);

/* status.c: the control socket, and the object that `provostctl status` shows. */
int control_open(struct agent *agent, struct error *error);

#endif
