/*
 * agent_private.h: what agent.c and status.c share. `lock` guards which
 * configuration and deliverer are in use; the rest is set at the start.
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
    char *listening; /* URL */
    struct wall started;
    struct config *first_config; /* of the start; the receiver borrows from it */
    struct store *store;
    struct status_log *log;
    struct receiver *receiver;
    struct control *control;
    pthread_mutex_t reload_lock;
    pthread_mutex_t refusal_lock; /* the two below */
    int64_t refusal_second;
    long refusals;

    pthread_rwlock_t lock;
    struct config *config;
    struct deliverer *deliverer; /* NULL while reloading */
};

/* status.c: the control socket, and the object that `provostctl status` shows. */
int control_open(struct agent *agent, struct error *error);

#endif
