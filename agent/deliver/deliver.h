/*
 * deliver.h: works off the lanes: one scheduler and N workers for each target.
 *
 * Purpose: leases lanes that are ready, brings each account to what the facts
 * say (lane.h), and tells the store how it ended. A target that is down is
 * suspended and probed; it burns nobody's attempts and holds up no other.
 *
 * Whose refusal is it? Where a code does not tell (enum refusal), the lane is
 * charged an attempt. When JUDGE_ROW different lanes in a row meet the same
 * and none succeeds, the target is suspended (TARGET_REFUSING, with its own
 * words) and comes back through one lane, then two, then all: a probe is weaker
 * than the work. A server that says so itself (REFUSAL_SERVER) is tried in the
 * same way, at most one probe interval later. A lane that brings the target
 * down again after others worked is itself at fault. A refused log-in is tried again after LOGIN_WAIT_US, growing.
 *
 * Calling sequence
 *     deliver_start → (deliver_wake, deliver_hold, deliver_use, …) → deliver_stop → deliver_free
 * deliver_stop takes no new lanes, gives back those not begun, and waits for
 * those in flight, at most `bound_us`; false when some had not ended by then
 * (their leases lapse; nothing is lost, but deliver_free must not follow).
 *
 * Ownership: what a target points to must live until its `release` is called,
 * once for each target that was given. Callbacks get borrowed arguments.
 * Threads: all functions but start, stop and free may be called from any
 * thread; deliver_wake from the store's writer thread. `delivered` runs on
 * the store's writer thread once the end is committed, `changed` on a
 * scheduler's or worker's.
 * A leaver is never given up: work that shall disable or remove a person's
 * account, or end the sessions, and that keeps failing, goes on at the longest
 * wait when the attempts are used up. Only what the target refuses for good
 * (rejected, ambiguous) is a dead letter.
 *
 * Fault points: "deliver.leased", "deliver.intended" (the key of a change is
 * durable, nothing was sent), "deliver.applied" (after a change was made
 * and before its receipt is stored).
 */
#ifndef PROVOST_DELIVER_DELIVER_H
#define PROVOST_DELIVER_DELIVER_H

#include "base/random.h"
#include "connectors/connector.h"
#include "store/store.h"

struct deliverer;
struct mapping;

struct deliver_target {
    const char *name;
    const struct connector_ops *ops;
    const void *settings;
    struct mapping *const *mappings; /* NULL-terminated */
    int64_t workers;
    int64_t attempts;      /* then dead */
    int64_t retry_base_us; /* full jitter between 0 and base · 2^attempt … */
    int64_t retry_most_us; /* … capped here */
    int64_t probe_us;      /* between probes while down */
    bool held;             /* starts held */
    uint64_t version;      /* of all that it points to: one that did not change goes on untouched (deliver_use) */
    void (*release)(void *owner); /* nothing of it is used any more; any thread. NULL: nobody wants to know */
    void *owner;
};

/* One line of the status log, not written yet. */
struct delivery_report {
    const char *target;
    enum identity_kind kind;
    const char *id;
    const char *subject;     /* login or group name; NULL: not known */
    const char *action;      /* "create", …, "none" */
    const char *outcome;     /* applied, unchanged, out_of_scope, retry, dead, … */
    const char *account;     /* locator, or NULL */
    const char *event_uuid;  /* NULL: none */
    const char *event_type;
    const char *reason;      /* NULL: none */
    size_t superseded;       /* older deliveries that this one covers */
    int attempt;
    int64_t took_us;
    int64_t lag_us;          /* from the oldest covered event's arrival; -1: no event */
    int64_t retry_in_us;     /* -1: not again */
    bool leaver;             /* the person shall be out, and is not */
    bool overdue;            /* and the attempts are used up: it goes on all the same */
    int sweep;               /* sessions were looked for: the first time, the second; 0: they were not */
    int64_t sessions_found;
    int64_t sessions_ended;
    int64_t revoke_us;       /* from the oldest covered event's arrival to the end of the first sweep; -1: none */
    const char *note;        /* what a person should know although it went well; NULL: none */
    const char *undone;      /* the steps that were not done, by commas; NULL: none */
};

enum target_state { TARGET_STARTING, TARGET_UP, TARGET_DOWN, TARGET_HELD, TARGET_REFUSING };
const char *target_state_name(enum target_state state);

struct deliver_sink {
    void *arg;
    void (*delivered)(void *arg, const struct delivery_report *report);
    void (*changed)(void *arg, const char *target, enum target_state state, const char *reason);
};

struct deliver_settings {
    struct store *store;
    struct clock *clock;
    struct random_source *random;
    int64_t lease_us;
    struct deliver_sink sink;
};

int deliver_start(const struct deliver_settings *settings, const struct deliver_target *targets, size_t count,
                  struct deliverer **ret_deliverer, struct error *error);
/* Uses these targets from now on. Each that is new, changed or gone is started or retired by itself; the others go on. Work that the old
 * ones have begun ends in the background; a moment is waited for it. Where a target cannot be started the others are used all the same. */
int deliver_use(struct deliverer *deliverer, const struct deliver_target *targets, size_t count, struct error *error);
/* How many as they were before a change still end their work. */
size_t deliver_count_retired(struct deliverer *deliverer);
bool deliver_stop(struct deliverer *deliverer, int64_t bound_us);
void deliver_free(struct deliverer *deliverer); /* NULL is allowed; after a deliver_stop that returned true */

void deliver_wake(struct deliverer *deliverer, const char *target);
/* ERROR_NOTFOUND for an unknown target. The store keeps the hold; this acts on it. With false a target that is down is probed at once. */
int deliver_hold(struct deliverer *deliverer, const char *target, bool held);

struct deliver_status {
    enum target_state state;
    struct wall since;        /* of the state */
    struct wall last_success; /* 0: none yet */
    struct wall last_error_at;
    char last_error[512];
    int64_t workers;
    int64_t revokes;          /* first sweeps of sessions, since the start */
    int64_t revoke_p50_us, revoke_p99_us; /* of the newest LATENCY_MOST of them: from the event to the end of the sweep */
};
int deliver_read_status(struct deliverer *deliverer, const char *target, struct deliver_status *ret_status);

#endif
