/*
 * store.h: the contract of the durable store. It speaks of events, identities,
 * lanes and links, never of SQL. sqlite.c and the files around it
 * are its one implementation; a shared database will be a second one.
 *
 * Purpose: what is committed here survives a kill and a power cut. Everything
 * else in the agent may be lost at any moment.
 *
 * Words
 *   lane      one target, one identity. Its row exists while work is pending.
 *   delivery  one event × one lane, with its outcome.
 *   lease     the right to work on a lane, with owner, deadline, generation.
 *   intent    an operation that a lane has set out to send and whose end is not known.
 *   member row  a value in a group of a target that we wrote, or are about to write, and for whom.
 *
 * Calling sequence
 *   store_open → store_set_routes → any of the calls below → store_close.
 *
 * Threads
 *   Writes are queued to one writer thread, which commits all that is waiting
 *   in one transaction (group commit) and then runs each one's `done`. `done`
 *   runs on the writer thread: it must not block nor call the store's waiting
 *   functions; it may queue. Reads take a connection from a pool: any thread,
 *   any time; they see all that was committed before the call.
 *
 * Ownership: a queued write takes nothing; its arguments are the caller's and
 * must live until `done` (store_take frees the batch itself), but for those of
 * store_quarantine, store_hurry and store_touch, which are copied. What reads
 * return is the caller's.
 *
 * Errors: ERROR_FULL, ERROR_READONLY, ERROR_BUSY, ERROR_CORRUPT, ERROR_IO tell
 * why nothing was committed; the store tries again with the next write, so a
 * fault that passes needs no restart. ERROR_CLOSED after store_close began.
 * Fault points: "store.begin", "store.write", "store.commit" (before it),
 * "store.committed" (after it, before `done`).
 *
 * Times: the store's clock (settings), but for facts, which carry the source's.
 * Where that clock is set while the store is open, leases and retries take as
 * long as before; due times are dates, and go by store_removal_time.
 */
#ifndef PROVOST_STORE_STORE_H
#define PROVOST_STORE_STORE_H

#include "base/clock.h"
#include "base/error.h"
#include "source/facts.h"

struct store;

struct store_settings {
    const char *path;        /* database file */
    const char *owner;       /* this agent, in leases */
    int64_t keep_us;         /* events and finished deliveries; default 90 days */
    int64_t keep_keys_us;    /* dedup keys; longer than keep_us */
    int64_t quarantine_most; /* bodies kept, oldest dropped first */
    struct clock *clock;
};

/* Opens or creates it; brings an older schema up to date; releases the leases
 * of `owner` that a crash left. ERROR_VERSION for a newer schema. */
int store_open(const struct store_settings *settings, struct store **ret_store, struct error *error);
/* Finishes what is queued, then closes. NULL is allowed. */
void store_close(struct store *store);

/* ---- routing ---- */

/* A target that wants to hear of these facts of this kind of identity. */
struct route {
    const char *target;
    enum identity_kind kind;
    unsigned facts; /* FACT_BIT(…); of sessions void only those with one of `triggers` */
    unsigned triggers; /* TRIGGER_BIT(…) */
};
/* Replaces the routes (copied). */
int store_set_routes(struct store *store, const struct route *routes, size_t count);

/* Called on the writer thread after a commit that made lanes of `target` ready. */
typedef void store_ready(void *arg, const char *target);
void store_on_ready(struct store *store, store_ready *ready, void *arg);

/* ---- the clock ---- */

/*
 * The time by which something may be removed because a date has come: removals
 * of accounts, and retention. It is the wall clock, less the part of it that
 * came by jumps in the last hour, by which the clock is ahead of the source's,
 * or by which it is more than a day later at the opening of the store than when
 * the file was last written to (for an hour, too). Time that passes is not
 * delayed; a clock that is slow delays. It may go back, never forth, when the
 * clock is set. Any thread.
 */
struct wall store_removal_time(struct store *store);
/* The time from which a grace period counts that no event dates: the removal time, but never before the source's newest event, so that
 * a period that began by a slow clock is not over when the clock is set right. Any thread. */
struct wall store_dating_time(struct store *store);

struct store_clock {
    int64_t skew_us;        /* the source's clock less ours, as its last requests tell; 0: less than two minutes, or not known */
    int64_t jump_us, jumps; /* the last jump, how many since the store was opened; more than a day at the opening is one */
    int64_t held_us;        /* so much earlier than the wall clock is store_removal_time; 0: less than two minutes */
    struct wall held_until; /* 0: until our clock is set right, or not held */
};
/* Called on the writer thread when one of these has changed by two minutes, with what was said last. Current: store_read_status. */
typedef void store_clock_changed(void *arg, const struct store_clock *before, const struct store_clock *now);
void store_on_clock(struct store *store, store_clock_changed *changed, void *arg);

/* ---- intake ---- */

enum event_effect {
    EVENT_DUPLICATE,  /* known already */
    EVENT_RECORDED,   /* sets no facts */
    EVENT_SUPERSEDED, /* all of its facts are older than what is known */
    EVENT_UNCHANGED,  /* says what is known */
    EVENT_CHANGED,    /* facts changed; lanes were made ready where routed */
};
const char *event_effect_name(enum event_effect effect);

typedef void store_done(void *arg, int code, const struct error *error);
/* `effects[i]` belongs to batch->events[i]; borrowed for the call. On failure
 * code < 0, effects NULL. `batch` is freed afterwards. */
typedef void store_taken(void *arg, int code, const struct error *error, const struct event_batch *batch,
                         const enum event_effect *effects);

/* Queues a batch of events: dedup, event rows, facts merged, deliveries, lanes
 * made ready (leavers first: a restrictive status, a removed membership and
 * sessions void get priority 0). Takes ownership of `batch`. Never blocks;
 * `taken` runs exactly once. `received` is when the request came. What an
 * event's time counts as depends on what is known of the source's clock:
 * agent/README.md, "An event's time". */
void store_take(struct store *store, struct event_batch *batch, struct wall received, store_taken *taken, void *arg);

/* Queues a body that could not be accepted. `peer` and `reason` for the person
 * who looks at it. Copies its arguments. */
void store_quarantine(struct store *store, const char *body, size_t length, const char *peer, const char *reason);

/* ---- lanes ---- */

/* The order in which ready lanes are worked on; within one, the oldest first. */
enum priority {
    PRIORITY_LEAVER, /* something is to be taken away */
    PRIORITY_EVENT,
    PRIORITY_TOUCH,  /* no event: look again */
    PRIORITY_AGAIN,  /* has failed since the last event */
    PRIORITY_COUNT
};

struct lease {
    char *target;
    enum identity_kind kind;
    char *id;               /* identity */
    int64_t generation;     /* of the lease */
    int64_t newest_delivery;/* what a completion will cover */
    char *event_uuid;       /* of the newest delivery; may be NULL (touched, due) */
    char *event_type;
    struct wall received;   /* of the newest delivery's event: for lag */
    struct wall oldest_received;
    int attempt;            /* 1 for the first */
    enum priority priority;
    struct wall ready;      /* since when the lane is ready */
    size_t deliveries;      /* how many are coalesced */
    char *place;            /* the creation that is noted with the lease; NULL: none */
    bool unanswered;        /* a creation was intended before, its end is not known, and there is no live account */
};
void lease_clear(struct lease *lease);

struct link;
/* Would the work on this lane create an account? Asked for lanes without a live account, on the writer thread, so it must be quick. The
 * place where the account would be, the same for every spelling, the store's to free; NULL: no. */
typedef char *lease_creates(void *arg, const struct identity *identity, const struct link *link);

struct lease_wish {
    const char *target;
    size_t most[PRIORITY_COUNT];
    int64_t lease_us;
    lease_creates *creates; /* NULL: nothing is noted */
    void *arg;
};
/*
 * Leases lanes that are ready or whose retry or due time has come, up to the sum of wish->most into `leases`. What the work may send is
 * noted in the same commit: the creation of an account as an intent (at one place only one group's), and a person's missing values
 * in groups as member rows. Waits for the commit, which is not synced: a power cut takes leases back, as a crash of their owner would.
 * *ret_next: when the next waiting lane of this target comes due (0: none waits). Number or negative.
 */
int store_lease(struct store *store, const struct lease_wish *wish, struct lease *leases, struct wall *ret_next, struct error *error);

enum lane_end {
    LANE_DONE,    /* newest delivery: `outcome`; older ones: superseded */
    LANE_RETRY,   /* again at `retry_at`; an attempt is counted */
    LANE_RELEASE, /* back to ready, no attempt counted (target down, stop) */
    LANE_DEAD,    /* until retry, drop or a newer event */
    LANE_HELD,    /* until resume or approve */
};

/* Has a person access that must end: an account that is not disabled or
 * removed, sessions that are not ended, a membership that is not removed? */
enum leaving {
    LEAVING_UNKNOWN, /* it was not looked at: as before */
    LEAVING_NO,
    LEAVING_YES,
};

struct operation_record {
    const char *kind;    /* "create", … */
    const char *locator;
    const char *outcome;
    const char *changes; /* JSON text: what was written; no secret */
    const char *before;  /* JSON text: before-image, or NULL */
    const char *intent;  /* digest of its intent, which ends, waits or was answered; NULL: none */
    struct wall intent_wait; /* the intent stays, and until then its end may yet show */
    bool intent_answered;    /* the intent stays; the answer is known, so the next attempt gets another key */
    int64_t sessions_found, sessions_ended; /* "revoke" */
    const char *note;    /* NULL: none */
};

enum adoption {
    ADOPTION_NONE,    /* the account was created here */
    ADOPTION_KEPT,    /* it was there before. With `gone` and no key: it is to be adopted at `locator`, as an administrator says */
    ADOPTION_LEAVING, /* of a group: what was written into it is taken out, and then the link is gone */
};

struct link { /* identity ↔ account, in a target */
    char *key;         /* the target's immutable id */
    char *locator;     /* where it was last */
    char *account;     /* JSON text: the account as last planned, without secrets */
    bool gone;         /* tombstone: the account was removed */
    struct wall due;   /* removal is due then; 0: none */
    struct wall linked;
    enum adoption adopted;
    char *member;      /* a person's value in the target's groups; NULL: none, or not known yet */
    char *member_key;  /* the same for every spelling of that value; "" without a value: it must have none */
};
void link_clear(struct link *link);

/*
 * Member rows: the values that we wrote into groups, by target, group, value (its key) and user. A row is there before its value is sent. A
 * value leaves a group only when no other user's row has the same group and key; when a row goes, the lanes of those users look again, so
 * the last word is an addition. A value without a row was written by somebody else.
 * Rows are noted by store_lease and by whatever stores a person's link: for each group of the facts that has an entry.
 */
enum member_state {
    MEMBER_NONE,    /* no row (as a change: the row goes) */
    MEMBER_SENT,    /* may be on its way */
    MEMBER_THERE,   /* was answered, or seen */
    MEMBER_LEAVING, /* must go and could not yet */
    MEMBER_HANDED,  /* as a change: the row goes only if another user still has the value */
};

/* A change of one row: for a person's lane `other` is the group, for a group's lane the user. */
struct member_change {
    const char *other;
    const char *key;
    const char *value;
    enum member_state state;
};

struct completion {
    const struct lease *lease;
    enum lane_end end;
    const char *outcome;  /* DONE: applied, unchanged, superseded, out_of_scope; else the connector's word */
    const char *action;   /* "create", "update", …, "none" */
    const char *reason;   /* NULL: none */
    const char *undone;   /* the steps that were not done, by commas; NULL: none */
    struct wall retry_at; /* RETRY */
    enum leaving leaving; /* not for DONE, where nobody is left to go */
    struct wall due;      /* DONE: look at the lane again then (grace period); 0: never */
    const struct link *link; /* written when not NULL */
    bool has_groups;      /* the lane looks after the person's member rows: what a group's lane wrote meanwhile makes it ready again */
    const struct member_change *members;
    size_t member_count;
    const struct operation_record *operations;
    size_t operation_count;
};
/* Queues the end of a lease. The structure is copied; what it points to is the
 * caller's and must not change until `done`, which is never NULL. Deliveries
 * that came while it was leased keep the lane ready. A lease that is no longer
 * ours (generation) changes nothing: `done` gets ERROR_STALE. A link whose
 * account is another identity's is not written: the lane ends as LANE_DEAD with
 * the sentence as its reason, the operations are recorded, and `done` gets
 * ERROR_EXISTS.
 * A group whose entry is new or had members written makes the lanes of those
 * ready whose value is not as it must be; one whose entry is gone loses its
 * member rows. */
void store_complete(struct store *store, const struct completion *completion, store_done *done, void *arg);

/* Writes a link now and waits for the commit: before memberships follow it. A group's is to an entry that was found: all users of whom
 * a fact says that they are members, or are no longer, look again, since somebody else may have written their values.
 * ERROR_EXISTS when the account's key is linked to another identity already. The sentence names it. */
int store_put_link(struct store *store, const char *target, enum identity_kind kind, const char *id, const struct link *link,
                   struct error *error);

/* An administrator says that the entry at `locator` is this group's: it is adopted by the group's lane, which becomes ready. A group that has
 * an entry is linked anew only while its own work is a dead letter: ERROR_EXISTS else. */
int store_give_link(struct store *store, const char *target, const char *group, const char *locator, struct error *error);

/*
 * Intents: an operation that must not take place twice is sent under a key (an
 * idempotency key) which is durable before it is sent; a group's entry is
 * written with members only after their rows are durable. An intent is found
 * again by its lane, the operation and a digest of what is written; `key` is the one
 * to use where there is none, where it is a day old (the other side has
 * forgotten that one; it could at best give an old answer again), or where the
 * answer to that one is known.
 * What is found is the caller's (intent_found_clear). Waits for the commit. An intent
 * goes with the completion that names it (struct operation_record), with
 * LANE_DONE, or when it is past keep_us. One that only a lease noted goes with that lease, where no creation was sent.
 * ERROR_EXISTS where another group's creation has the same `place`; the sentence names it.
 */
struct intent {
    const char *target;
    enum identity_kind kind;
    const char *id;
    const char *operation;
    const char *digest;
    const char *key;   /* NULL: it needs none */
    const char *sent;  /* JSON text: what attempts with another digest are to know of this one; NULL: nothing */
    const char *place; /* of a group's creation, the same for every spelling; NULL: the target gives it one */
    const struct member_change *members; /* rows to be noted in the same commit */
    size_t member_count;
};
struct intent_found {
    char *key;        /* the one to send; NULL: none was proposed */
    bool repeated;    /* one of this lane and operation, with whatever digest, was begun before, its end is not known */
    struct wall wait; /* until when that one may yet show; 0: no such time is known */
    char *earlier;    /* JSON array: `sent` of those with another digest */
};
void intent_found_clear(struct intent_found *found);
int store_intend(struct store *store, const struct intent *intent, struct intent_found *ret_found, struct error *error);
/* JSON array: `sent` of this lane's intents for the operation, the caller's; NULL: it has none. */
int store_read_intents(struct store *store, const char *target, enum identity_kind kind, const char *id, const char *operation,
                       char **ret_sent, struct error *error);
/* ERROR_EXISTS where another group's entry than this one's may just be created at the place; the sentence names it. */
int store_check_creator(struct store *store, const char *target, const char *place, const char *but, struct error *error);
/* A group was looked for at all places but this one, and is at none: others need not wait for its creation there. */
int store_forget_creations(struct store *store, const char *target, const char *id, const char *but, struct error *error);

/* Work of leavers that waits since a look could not have found them (outcome "unseen"); one reason, the caller's. */
int store_count_unseen(struct store *store, const char *target, int64_t *ret_count, char **ret_reason, struct error *error);
/* Where a person's sessions were found once (receipt.place); not known is false. */
bool store_knows_place(struct store *store, const char *target, uint64_t place);
int store_add_place(struct store *store, const char *target, uint64_t place, struct error *error);

/* Waiting lanes of a target that failed with this outcome are tried now: what kept them has passed. Queued. */
void store_hurry(struct store *store, const char *target, const char *outcome);
/* Makes a lane ready without an event (a group's first member came, an
 * administrator asked). Queued; tried again when its commit failed. */
void store_touch(struct store *store, const char *target, enum identity_kind kind, const char *id);

/* ---- what people do (each waits for its commit) ---- */

/* Holds or releases a target; kept across restarts. */
int store_hold(struct store *store, const char *target, bool held, struct error *error);
/* `at_first`: it is held until somebody resumes it for the first time. */
bool store_is_held(struct store *store, const char *target, bool at_first);
/* Dead lanes (all of a target when `id` is NULL; of all targets when `target` is NULL) back to ready. How many, or negative. */
int store_retry_dead(struct store *store, const char *target, const char *id, struct error *error);

/* What was dropped is kept for 30 days with the reason of its refusal (store_show, WAITING_DROPPED), unless it is taken back, or the lane
 * comes to a good end by a newer event. */
struct store_drop {
    const char *target; /* NULL: all */
    const char *id;     /* NULL: all */
    bool leavers;       /* those of leavers, too; else they are kept */
    bool any_state;     /* all that is pending, for a target that nobody works on any more; else dead lanes */
    const char *by;     /* who asked, for people; NULL: not known */
};
/* How many were given up, or negative; *ret_kept: leavers' that were not. */
int store_drop(struct store *store, const struct store_drop *drop, int64_t *ret_kept, struct error *error);
/* Work that was dropped is ready again: arguments as store_retry_dead. */
int store_take_back(struct store *store, const char *target, const char *id, struct error *error);

/* ---- reads ---- */

/* ERROR_NOTFOUND when never heard of. With memberships and their group names. */
int store_read_identity(struct store *store, enum identity_kind kind, const char *id, struct identity *ret_identity,
                        struct error *error);
/* By id, login or name, either kind. ERROR_NOTFOUND, ERROR_AMBIGUOUS. */
int store_find_identity(struct store *store, const char *word, enum identity_kind *ret_kind, char **ret_id, struct error *error);
int store_read_link(struct store *store, const char *target, enum identity_kind kind, const char *id, struct link *ret_link,
                    struct error *error);
/* Whose account it is, by the target's key, where its link is not gone. ERROR_NOTFOUND. */
int store_find_owner(struct store *store, const char *target, enum identity_kind kind, const char *key, char **ret_id,
                     struct error *error);
/* A person's values in groups: one for each member row, and one (MEMBER_NONE) for each group of the facts that has no row of `key`. */
struct member_row {
    const char *group;   /* id */
    const char *key, *value; /* NULL: no row */
    enum member_state state;
    bool member;         /* the fact, now */
    bool heard;          /* is there a fact? */
    bool shared;         /* another user's row has the same group and key */
    const char *entry_key, *entry_locator; /* of the group's entry; NULL: it has none */
    bool dead;           /* the group's own work is a dead letter, or was and is tried again */
};
/* Borrowed for the call. */
typedef int store_member_row(void *arg, const struct member_row *row);
int store_read_member_rows(struct store *store, const char *target, const char *user_id, const char *key, store_member_row *each, void *arg,
                           struct error *error);
/* Is there a member row, of whomever, for this value in the group that is linked to the entry or may just be created at its place? */
int store_has_member_row(struct store *store, const char *target, const char *entry_key, const char *place, const char *key,
                         bool *ret_has, struct error *error);
/* Present members of a group whose accounts are linked (not gone) in `target`, with their values (NULL: not known yet). */
typedef int store_member(void *arg, const char *user_id, const char *value, const char *key);
int store_read_members(struct store *store, const char *target, const char *group_id, store_member *member, void *arg,
                       struct error *error);

/* Rows for people, as JSON objects (keys as in the status log), newest first;
 * each array is the caller's. `after` 0, or the row id to go on from. */
struct store_filter {
    const char *target;
    const char *user; /* id, login or name */
    const char *type;
    const char *outcome;
    int64_t before_row; /* 0: newest */
    size_t most;        /* default 100 */
};
int store_list_events(struct store *store, const struct store_filter *filter, json_t **ret_array, struct error *error);
int store_list_dead(struct store *store, const struct store_filter *filter, json_t **ret_array, struct error *error);
int store_list_quarantine(struct store *store, size_t most, json_t **ret_array, struct error *error);
/* One event (uuid), identity (id, login) or operation (number) with all that
 * followed from it. ERROR_NOTFOUND. */
int store_show(struct store *store, const char *id, json_t **ret_object, struct error *error);

struct store_lane_counts {
    int64_t ready, leased, waiting, due, held, dead;
};
/* Cheap: kept as counters, not counted. */
int store_count_lanes(struct store *store, const char *target, struct store_lane_counts *ret_counts, struct error *error);

/* A target that the store has ever had work for. */
struct store_target {
    char *name;
    int64_t lanes, leavers; /* pending in whatever state; those of leavers */
    bool linked;            /* accounts in it are known */
};
int store_read_targets(struct store *store, struct store_target **ret_targets, size_t *ret_count, struct error *error);
void store_targets_free(struct store_target *targets, size_t count);

enum waiting {
    WAITING_ALL,     /* leavers, then what fails, then all else that is pending, but for dead letters and due dates */
    WAITING_LEAVERS, /* who are not out yet, from the event that says so (or from when the work failed, where none does) to the end of their
                      * lane, dead letters, too */
    WAITING_DROPPED, /* leavers whose work was given up and who are still not known to be out */
    WAITING_FAILING, /* work that failed and is tried again, from the first failure until it goes well; without the leavers' */
};
/* How many of them (not of WAITING_ALL); *ret_since: the oldest (of those that were dropped, when that was); 0: none. */
int store_count_waiting(struct store *store, const char *target, enum waiting waiting, int64_t *ret_count, struct wall *ret_since,
                        struct error *error);
/* The `most` of them that wait for longest: rows as of store_list_dead, with since, failing_since and retry_at. The caller's array. */
int store_list_waiting(struct store *store, const char *target, enum waiting waiting, size_t most, json_t **ret_array,
                       struct error *error);

struct store_status {
    int64_t events, duplicates, identities, quarantined; /* events: since the store was made */
    int64_t duplicate_requests; /* those with nothing but duplicates */
    int64_t bytes;          /* of the database file */
    int64_t commits, commit_failures;
    int last_error_code;    /* 0: the last commit went well */
    char last_error[256];
    struct wall last_commit;
    struct wall last_received; /* of an event: newest `received` that was committed (the last one, where our clock was set back) */
    int schema;
    struct store_clock clock;
};
void store_read_status(struct store *store, struct store_status *ret_status);

/* Removes what is past its time, one small step; more is left when > 0. The
 * store calls it itself when idle; tests call it directly. */
int store_retain(struct store *store, struct error *error);

#endif
