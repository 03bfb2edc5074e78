/*
 * fault.h: named places where a test makes something go wrong.
 *
 * fault_point("store.commit") returns 0, or the negative error code that a
 * test asked for at that place; the caller then acts as if the real thing
 * had failed so. Faults come from the environment variable PROVOST_FAULTS,
 * read once by fault_init(), or from fault_set():
 *     PROVOST_FAULTS="store.commit=full*3,deliver.applied=kill@5"
 * NAME=CODE, CODE a name of error.h or "kill" (SIGKILL to oneself), with
 * "*N" (that many times, then no more; default always) and "@N" (from the
 * Nth passing on; default the first). Without faults a point costs one load.
 * Threads: fault_point may be called by all; fault_set from one test thread.
 */
#ifndef PROVOST_BASE_FAULT_H
#define PROVOST_BASE_FAULT_H

#include <stdatomic.h>

#include "base/error.h"

/* Reads PROVOST_FAULTS; ERROR_SYNTAX when it cannot be understood. */
int fault_init(struct error *error);
/* Replaces all faults by these, in the form above; NULL or "" clears. */
int fault_set(const char *faults, struct error *error);

extern atomic_bool fault_active;
int fault_check(const char *name);

static inline int fault_point(const char *name)
{
    return atomic_load_explicit(&fault_active, memory_order_relaxed) ? fault_check(name) : 0;
}

#endif
