/*
 * agent.h: the stages of one running agent, wired together.
 *
 * Calling sequence: agent_start → (agent_reload) → agent_stop.
 * Threads: agent_reload may be called from the signal loop and the control
 * thread; it takes its own lock. Everything else: the main thread.
 * Errors: what is wrong with the configuration has been printed to standard
 * error, file:line each, when a function returns negative.
 */
#ifndef PROVOST_AGENT_H
#define PROVOST_AGENT_H

#include <stdbool.h>

#include "base/error.h"

struct agent;

struct agent_settings {
    const char *config_path;
    bool null_store; /* accepts and forgets: to measure the endpoint alone */
};

int agent_start(const struct agent_settings *settings, struct agent **ret_agent, struct error *error);
/* Checks the new files first and keeps the old ones when they are wrong. */
int agent_reload(struct agent *agent, struct error *error);
/* False when work in flight had not ended within the bound: its threads still run, and the process is to end with _exit. */
bool agent_stop(struct agent *agent);

#endif
