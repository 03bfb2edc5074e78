/*
 * store_private.h: what the store's files share. Nobody else
 * includes it, but for the store's own tests.
 *
 * Purpose: struct store, the requests that its writer thread runs, and
 * the calls between intake, lanes, links, reads and retention.
 *
 * Threads
 *   `writer`, `now`, `removal`, `watch_next`, `counters`, `routes` and `targets[].delta` belong to the writer thread.
 *   `lock` guards the queue, the status, the watch and what others read of `targets`.
 *   `pool.lock` guards the readers; whoever waits for one waits without any other lock.
 *   `checkpointer.lock` guards its state; the writer and the checkpointer's thread take it, and copy without it.
 *   None of the three is taken while another is held, nor held through a statement or a caller's function.
 * Errors: a `run` that returns a negative code rolls the whole group back; a
 * refusal of one request alone (a stale lease) is that request's own result.
 */
#ifndef PROVOST_STORE_STORE_PRIVATE_H
#define PROVOST_STORE_STORE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "store/statements.h"
#include "store/store.h"

/* States of a lane's row; the numbers are in the database. */
enum lane_state { LANE_STATE_READY, LANE_STATE_LEASED, LANE_STATE_WAITING, LANE_STATE_DUE, LANE_STATE_HELD, LANE_STATE_DEAD, LANE_STATE_COUNT };
extern const char *const lane_state_names[LANE_STATE_COUNT];

/* A lane's row is found by one integer: the target's number above the identity's. */
#define LANE_IDENTITY_BITS 40
static inline int64_t lane_key(int64_t target, int64_t identity)
{
    return (target << LANE_IDENTITY_BITS) | identity;
}
static inline int64_t lane_identity(int64_t key)
{
    return key & ((INT64_C(1) << LANE_IDENTITY_BITS) - 1);
}

struct target_row {
    int64_t number; /* in the database */
    char *name;
    bool held;
    bool resumed;                     /* once, by a person */
    bool stored, storing;             /* in the database; in the running transaction */
    bool made_ready;                  /* in the running transaction */
    int64_t delta[LANE_STATE_COUNT];  /* of the running transaction */
    int64_t count[LANE_STATE_COUNT];  /* committed */
};

struct route_row {
    size_t target; /* index */
    enum identity_kind kind;
    unsigned facts, triggers;
};

/* Row numbers are given out here, so that they are never used twice. One row
 * of the database keeps them. The order is that of COUNTER_LIST. */
#define COUNTER_LIST(X)                                                                                                         \
    X(event) X(delivery) X(operation) X(identity) X(generation) X(quarantine) X(events) X(duplicates) X(duplicate_requests)     \
    X(quarantined) X(received) X(newest) X(doubted) X(ahead) X(wall) X(removal)
struct counters {
#define X(name) int64_t name;
    COUNTER_LIST(X)
#undef X
};

/* What is known of the wall clock (jump.c). */
struct clock_watch {
    int64_t ahead_us;         /* of the monotonic clock, at the last commit */
    int64_t agreed_us;        /* the same when the two had last agreed for an hour */
    int64_t removal_ahead_us; /* the removal time, ahead of the monotonic clock */
    bool waits;               /* until the two have agreed for an hour again */
    int64_t jumped_at_us;     /* of the monotonic clock */
    int64_t jump_us, jumps;   /* the last one; how many */
    int64_t skew_us;          /* the source's clock less ours, as its requests tell */
};

/* What an event is known again by (keys.c). */
struct seen_key {
    int64_t time;      /* of the event: neighbours in time are neighbours in the table */
    const void *bytes; /* `own`, or the text itself */
    int64_t length;
    unsigned char own[16];
};

struct store;
struct request {
    struct request *next;
    /* Inside the transaction, on the writer thread. Runs again from the beginning where its transaction was rolled back: it forgets
     * what the first run left in the request (tests/unit/test_store_twice.c has a row for each kind). */
    int (*run)(struct store *store, struct request *request, struct error *error);
    /* After it: code 0, or why nothing was committed. Frees the request. */
    void (*finish)(struct request *request, int code, const struct error *error);
    bool relaxed; /* a power cut may take it back: it needs no fsync of its own */
};

#define READERS_MOST 4
struct reader_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct db *idle[READERS_MOST];
    size_t idle_count;
    size_t open_count;
    bool quiet; /* a checkpoint waits for readers to be done */
};

enum checkpoint_state { CHECKPOINT_REST, CHECKPOINT_WANTED, CHECKPOINT_RUNNING, CHECKPOINT_COPIED };
struct checkpointer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    enum checkpoint_state state;
    int pages_soft, pages_hard; /* of the log; tests make them small */
    bool started, stop;
};

struct store {
    char *path, *owner;
    int64_t keep_us, keep_keys_us, quarantine_most;
    struct clock *clock;
    int lock_fd; /* one agent for each file */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct request *first, **last;
    size_t queued;
    bool urgent;           /* somebody waits for one of them */
    int64_t gather_until_us; /* when nobody does: more may join the first until then */
    struct request *postponed; /* writer thread: queued again after the next commit that goes well */
    bool closing;
    store_ready *ready;
    void *ready_arg;
    struct store_status status;

    struct db *writer; /* NULL after a failure that needs a new connection */
    bool relaxed;      /* how it commits now */
    struct wall now, removal; /* of the running group; removals and retention go by the latter */
    struct clock_watch watch, watch_next; /* at the last commit, under `lock`; of the running group */
    struct store_clock clock_told;
    store_clock_changed *clock_changed;
    void *clock_arg;
    struct counters counters, counters_committed;
    struct route_row *routes;
    size_t route_count;
    struct target_row *targets; /* grows under `lock` */
    size_t target_count;
    int wal_pages;
    int64_t retain_event;         /* how far retention has looked */
    int64_t retain_time; /* the key that retention looked at last */
    void *retain_bytes;
    int64_t retain_length;
    int64_t retain_at_us; /* of the machine's monotonic clock: when to look again */

    int64_t page_limit; /* for tests of a full disk; 0: none */

    struct reader_pool pool;
    struct checkpointer checkpointer;
};

/* sqlite.c, call.c */
void store_enqueue(struct store *store, struct request *request);
/* The same for one that nobody waits for: it gathers company for a few
 * milliseconds, so that a commit carries many of them. */
void store_enqueue_patient(struct store *store, struct request *request);
/* For a request that nobody waits for: tried again when the fault has passed.
 * From its `finish`; it comes again with ERROR_CLOSED at the latest. */
void store_postpone(struct store *store, struct request *request);
/* Runs `run` in a transaction and waits for its commit. Its result, or why
 * nothing was committed. */
typedef int store_work(struct store *store, void *arg, struct error *error);
int store_call(struct store *store, store_work *work, void *arg, struct error *error);
/* The same for what a power cut may take back, as if it had not been asked for:
 * a kill does not. Its commit is synced with the next one of another kind. */
int store_call_relaxed(struct store *store, store_work *work, void *arg, struct error *error);

/* schema.c */
struct schema_step {
    const char *sql; /* brings version N to N+1, N being its index */
};
extern const struct schema_step schema_steps[];
extern const int schema_version;
int schema_bring_up(struct db *db, const struct schema_step *steps, int version, struct error *error);

/* load.c: what is kept in memory, at open and after a failure */
int store_load(struct store *store, struct error *error);

/* targets.c */
/* Index of a target, known from now on. Writer thread, in a transaction. */
int target_intern(struct store *store, const char *name, size_t *ret_index, struct error *error);
/* Its number in the database, 0 when never heard of. Any thread. */
int64_t target_number(struct store *store, const char *name);
/* What all of them have pending, from whatever connection. The list is the caller's. */
int targets_read(struct db *db, struct store_target **ret_targets, size_t *ret_count, struct error *error);
int target_add(struct store *store, int64_t number, const char *name, bool held, bool resumed, struct error *error);
void targets_roll_back(struct store *store);
void targets_commit(struct store *store);

/* identities.c */
/* Its number, 0 when never heard of, or negative. */
int64_t identity_number(struct db *db, enum identity_kind kind, const char *id, struct error *error);
int64_t identity_intern(struct store *store, enum identity_kind kind, const char *id, struct error *error);

struct known { /* an identity while one event is merged into it */
    int64_t number;
    int64_t last_event; /* the newest event about it; events chain from there */
    struct identity identity;
    bool fresh, dirty, login_dirty, voids_dirty, profile_dirty;
    unsigned changed; /* FACT_BITs */
    unsigned triggers; /* TRIGGER_BITs of the sessions that became void */
    bool parts;        /* from a group or an application */
    int priority;
};
/* Registers, and a user's memberships; 1 found, 0 not, negative. */
int identity_read(struct db *db, const char *id, struct identity *identity, struct error *error);
int known_load(struct store *store, enum identity_kind kind, const char *id, struct known *known, struct error *error);
int known_save(struct store *store, const struct known *known, struct error *error);
/* Fills in the registers from a row of SQL_IDENTITY_READ. */
int identity_from_row(sqlite3_stmt *row, bool with_profile, struct identity *identity);

/* lanes.c */
struct lane_news { /* why a lane becomes ready */
    int64_t delivery; /* 0: a touch */
    int64_t received;
    int priority;
    enum leaving leaving;
};
/* A lane becomes ready. *ret_previous: the delivery that was the newest
 * pending one, or 0. */
int lane_make_ready(struct store *store, size_t target, int64_t identity, const struct lane_news *news, int64_t *ret_previous,
                    struct error *error);
void lane_count(struct store *store, int64_t target_number, enum lane_state state, int change);
/* Moves a lane's row to a state, counted. */
int lane_move(struct store *store, int64_t key, enum lane_state from, enum lane_state to, int rank, int64_t at,
              struct error *error);
int lane_delete(struct store *store, int64_t key, enum lane_state from, struct error *error);

/* deliveries.c */
struct ending { /* what a finished delivery's row says */
    const char *outcome, *action, *reason;
    int attempt;
};
/* Finishes `count` deliveries of the chain that starts at `newest`, after
 * leaving out `skip`: the first as `ending`, the others superseded.
 * *ret_oldest: `received` of the last that was left out. */
int deliveries_finish(struct store *store, int64_t newest, int64_t skip, int64_t count, const struct ending *ending,
                      int64_t *ret_oldest, struct error *error);
int operations_write(struct store *store, int64_t key, int64_t delivery, const struct completion *completion, struct error *error);

/* intents.c */
int intent_note(struct store *store, const struct target_row *target, int64_t lane, const struct identity *identity,
                const char *place, int64_t generation, struct error *error);
int intents_pending(struct store *store, int64_t lane, bool *ret_pending, struct error *error);
int intents_end(struct store *store, int64_t lane, const struct completion *completion, struct error *error);

/* member_rows.c; `target` as an index where lanes are made ready, else as a number */
int member_rows_note(struct store *store, int64_t target, int64_t user, struct error *error);
int member_rows_change(struct store *store, size_t target, enum identity_kind kind, int64_t identity,
                       const struct member_change *changes, size_t count, struct error *error);
/* A group's entry is new, or was written with members: users whose value is missing, unsure or wrong look again. */
int member_rows_settle(struct store *store, size_t target, int64_t group, struct error *error);
/* A group has got an entry that was there before: users of whom a fact says that they are members, or no longer, look again. */
int member_rows_adopt(struct store *store, size_t target, int64_t group, struct error *error);
/* 1 where the user has a row in an entry that must not be there. */
int member_rows_wrong(struct store *store, int64_t target, int64_t user, struct error *error);
/* A group's entry is gone: its rows go; users who waited for a value to leave look again. */
int member_rows_drop(struct store *store, size_t target, int64_t group, struct error *error);

/* links.c */
/* 0, 1 when the key belongs to another identity (said in *refusal), negative. *ret_noted (may be NULL): how many member rows the person
 * got with it. */
int link_write(struct store *store, size_t target, enum identity_kind kind, int64_t identity, const char *id,
               const struct link *link, int *ret_noted, struct error *refusal, struct error *error);
int link_read(struct db *db, int64_t lane, struct link *link, struct error *error); /* 1, 0 when there is none, negative */
int link_from_row(sqlite3_stmt *row, int first, struct link *link);

/* keys.c: a uuid that carries its time (version 1, as Okta's) is found again
 * by itself, any other uuid together with the event's own time. */
/* `uuid` must live as long as the key. True when the uuid alone finds the
 * event; false where `published` is part of the key. */
bool seen_key_make(const char *uuid, int64_t published, struct seen_key *key);

/* readers.c */
struct reader {
    struct store *store;
    struct db *db; /* NULL: not open */
};
/* Lends a connection, at best an idle one, until reader_give. The reader is zero-initialised. */
int reader_open(struct reader *reader, struct store *store, struct error *error);
/* The same, and the identity's number; 0 when never heard of. */
int64_t reader_open_about(struct reader *reader, struct store *store, enum identity_kind kind, const char *id, struct error *error);
void reader_give(struct reader *reader); /* one that is not open, too */
#define cleanup_reader_give __attribute__((cleanup(reader_give)))
void readers_quiet(struct store *store, bool quiet);
void readers_close(struct store *store);

/* checkpoint.c */
int checkpoint_start(struct store *store, struct error *error);
void checkpoint_stop(struct store *store);
void checkpoint_step(struct store *store); /* the writer, between two groups */

/* jump.c */
/* Once the file is open, before the writer thread starts. */
void jump_open(struct store *store);
/* In each transaction, before its requests: where the clock was set, retries, leases and intents move with it. */
int jump_follow(struct store *store, struct error *error);
void jump_commit(struct store *store); /* with `lock` held */
/* Does the file know the time to within an hour? Else jump_remember puts it into the counters. */
bool jump_is_known(const struct store *store);
void jump_remember(struct store *store);
void jump_read(struct store *store, struct store_clock *ret_clock); /* any thread */
void jump_tell(struct store *store); /* after a commit: whoever wants to know what changed */

/* source_time.c */
struct request_time { /* microseconds */
    int64_t received;
    int64_t known;    /* the newest time, without the request */
    int64_t latest;   /* an event that is told to be later counts as just now */
    int64_t believed; /* up to here an event's time becomes the newest one known */
};
struct request_time source_time_of(const struct store *store, const struct event_batch *batch, struct wall received);
/* Sets what the event's facts count as, however often. Only for an event that is new. */
void source_time_date(struct store *store, const struct request_time *time, const struct event *event);
/* What a request with a new event tells of our clock. */
void source_time_note(struct store *store, const struct event_batch *batch, struct wall received);
/* For what is written now and kept for a time: never before the newest event, however slow the clock is. */
int64_t source_time_stamp(const struct store *store);

/* retain.c */
/* One small step inside a transaction: > 0 when more is left. */
int retain_step(struct store *store, struct error *error);
/* After a step that was rolled back: what it went past is still there. */
void retain_start_over(struct store *store);

/* For tests: no more than this many pages in the file (0: as many as there is room for). */
int store_limit_pages(struct store *store, int64_t pages);

#endif
