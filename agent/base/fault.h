/*
 * fault.h: named places where a test makes something go wrong.
 *
 * fault_point(FAULT_STORE_COMMIT) returns 0, or the negative error code that a
 * test asked for at that place; the caller then acts as if the real thing
 * had failed so. Faults come from the environment variable PROVOST_FAULTS,
 * read once by fault_init(), or from fault_set():
 *     PROVOST_FAULTS="store.commit=full*3,deliver.applied=kill@5"
 * NAME=CODE, CODE a name of error.h or "kill" (SIGKILL to oneself), with
 * "*N" (that many times, then no more; default always) and "@N" (from the
 * Nth passing on; default the first). A name that is not in the list below is
 * refused: a fault that never comes would make a test pass.
 *
 * They are there only in a build with --enable-fault-points. Any other
 * build has no trace of them and refuses to be asked for faults.
 * Threads: fault_point may be called by all; fault_set from one test thread.
 */
#ifndef PROVOST_BASE_FAULT_H
#define PROVOST_BASE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

/* place, name, when it is passed. tests/integration/crash.py kills at each of them. */
#define FAULT_POINT_LIST(X)                                                                    \
    X(STORE_BEGIN, "store.begin", "before a transaction")                                      \
    X(STORE_WRITE, "store.write", "before each request inside a transaction")                  \
    X(STORE_COMMIT, "store.commit", "before the commit")                                       \
    X(STORE_COMMITTED, "store.committed", "after the commit, before anybody is told")          \
    X(DELIVER_LEASED, "deliver.leased", "a worker has taken a lane")                           \
    X(DELIVER_INTENDED, "deliver.intended", "before a change is handed to the connector")        \
    X(DELIVER_APPLIED, "deliver.applied", "after a change, before the next or the receipt")    \
    X(DELIVER_LINKED, "deliver.linked", "a link was stored before the work that follows it")   \
    X(DELIVER_COMPLETE, "deliver.complete", "before the end of a lane goes to the store")      \
    X(LDAP_SEND, "ldap.send", "before a change is sent to a directory")                        \
    X(LDAP_SENT, "ldap.sent", "after it was sent, before its answer is read")                  \
    X(LDAP_ANSWERED, "ldap.answered", "after its answer")                                      \
    X(HTTP_SEND, "http.send", "before a request that changes something is sent")               \
    X(HTTP_SENT, "http.sent", "when its answer begins to come")                                     \
    X(HTTP_ANSWERED, "http.answered", "after its answer")                                      \
    X(SESSION_SEND, "session.send", "before sessions are ended or a marker is written")        \
    X(SESSION_ANSWERED, "session.answered", "after it")

enum fault_place {
#define X(place, name, when) FAULT_##place,
    FAULT_POINT_LIST(X)
#undef X
        FAULT_PLACE_COUNT
};

#ifdef PROVOST_FAULT_POINTS
#define fault_built true
#else
#define fault_built false
#endif

/* Reads PROVOST_FAULTS; ERROR_SYNTAX when it cannot be understood, ERROR_INVALID when this build has no fault points. */
int fault_init(struct error *error);
/* Replaces all faults by these, in the form above; NULL or "" clears. Errors as above. */
int fault_set(const char *faults, struct error *error);
/* "store.commit", and when it is passed. */
const char *fault_place_name(enum fault_place place);
const char *fault_place_when(enum fault_place place);

extern atomic_bool fault_active;
int fault_check(enum fault_place place);

static inline int fault_point(enum fault_place place)
{
    return fault_built && atomic_load_explicit(&fault_active, memory_order_relaxed) ? fault_check(place) : 0;
}

#endif
