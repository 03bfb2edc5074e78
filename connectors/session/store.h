/*
 * store.h: what each kind of session store implements.
 *
 * Purpose: the connector's common part (session.c) reads the mapping's layout
 * and the person's names, and calls one of these. A store finds the sessions
 * of these names by the layout, asks match.h whether a value is theirs, and
 * ends those that are void.
 *
 * Calling sequence: open → (probe, prepare, sweep, read_marks, write_marks …) → close.
 * Ownership: settings, shared, layouts and queries are borrowed; results are
 * the caller's. Threads: an opened store belongs to one thread; `shared` (a
 * throttle, an index) has its own lock.
 * Errors: the outcomes of connector.h with a sentence in the receipt; no
 * secret and no session's content in it.
 * Safety: a foreign value is bytes. Nothing is deserialised, only looked at;
 * names match as whole tokens. A store that goes away in mid-sweep answers
 * TARGET_DOWN; sweeping again is harmless.
 */
#ifndef PROVOST_CONNECTORS_SESSION_STORE_H
#define PROVOST_CONNECTORS_SESSION_STORE_H

#include "connectors/connector.h"
#include "connectors/session/look.h"
#include "connectors/session/settings.h"
#include "connectors/session/sight.h"

struct session_store;  /* one connection, the store kind's own */
struct session_shared; /* what all connections of a target share; NULL for most kinds */

struct session_query {
    const struct layout *layout;
    const char *const *users; /* the person's name in the sessions, and former ones; NULL-terminated */
    int64_t before_us;        /* sessions created before are void; those that tell a later time stay */
    bool dated_only;          /* leave sessions alone that do not tell when they were created */
    int sweep;                /* 1, 2 */
};

#define SESSION_CLOCKS_US (INT64_C(24) * 3600 * 1000000) /* by which clocks may differ */

/* A session that began then (0: not told) is to be ended. What begins in the future is no time of creation. */
static inline bool session_is_void(const struct session_query *query, int64_t created_us)
{
    if (created_us > clock_wall(clock_system()).us + SESSION_CLOCKS_US)
        created_us = 0;
    return created_us == 0 ? !query->dated_only : created_us < query->before_us;
}

/* Sessions that nobody can tell whose they are: how many, and the first of them by name. */
struct unsure {
    int64_t count;
    char *names; /* "sess:4f3a9c…, …"; NULL: none */
};

struct sweep {
    int64_t found; /* sessions of this person */
    int64_t ended;
    int64_t kept;  /* opened after `before_us` (or undated, with dated_only) */
    int64_t locked;/* in use by a request all the time: the next sweep has them */
    struct unsure cased;  /* with the name in another case */
    struct unsure hidden; /* that could not be looked into */
    struct sight sight;   /* where nobody was found: could the look have? */
    char *note;    /* NULL: none */
};
void sweep_clear(struct sweep *sweep);

/* Counts a session that match says is nobody's for sure (CASED, UNREADABLE), by its key, file or row: an id is a secret, so that of a long
 * one only the beginning is told. All other matches are left alone. */
void sweep_unsure(struct sweep *sweep, enum match match, const struct layout *layout, const char *key, size_t length);

/* Of this person nothing was found, nor what may be his: what else is there? */
static inline bool sweep_is_blank(const struct sweep *sweep)
{
    return sweep->found == 0 && sweep->cased.count == 0 && sweep->hidden.count == 0;
}

/* What the sweep saw → the receipt. */
enum outcome sweep_report(const struct sweep *sweep, const struct session_query *query, struct receipt *receipt);

struct session_marks { /* of one person; see connector.h */
    bool denied;
    char *since, *expires; /* signed_in; RFC 3339 texts; NULL: not signed in */
};
void session_marks_clear(struct session_marks *marks);

struct session_store_ops {
    const char *name; /* "redis": as in `store = "redis"` */
    int (*share)(const struct session_settings *settings, struct session_shared **ret_shared, struct error *error); /* NULL: none */
    void (*unshare)(struct session_shared *shared);
    void (*check)(const struct session_settings *settings, const char *file, int line, struct problems *problems); /* no I/O */
    enum outcome (*open)(const struct session_settings *settings, struct session_shared *shared, struct session_store **ret_store,
                         struct receipt *receipt);
    void (*close)(struct session_store *store); /* NULL is allowed */
    enum outcome (*probe)(struct session_store *store, struct receipt *receipt);
    /* Begins what sweeps with this layout will need, and returns at once. NULL: nothing. */
    void (*prepare)(struct session_store *store, const struct layout *layout);
    /* APPLIED (also when nothing was found); *ret_sweep is filled in then, with the sight of whom else there is where it is blank. */
    enum outcome (*sweep)(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                          struct receipt *receipt);
    /* Looks at some of what a sweep would look at, whoever it belongs to, and ends nothing. APPLIED and *ret_sight, or a failure. */
    enum outcome (*sample)(struct session_store *store, const struct layout *layout, struct sight *ret_sight, struct receipt *receipt);
    /* Deletes these keys (NULL-terminated), there or not: where this store is the cache in front of a table. NULL: is none. */
    enum outcome (*forget)(struct session_store *store, const char *const *keys, struct receipt *receipt);
    /* NULL: this kind keeps no markers. */
    enum outcome (*read_marks)(struct session_store *store, const struct layout *layout, const char *user,
                               struct session_marks *ret_marks, struct receipt *receipt);
    enum outcome (*write_marks)(struct session_store *store, const struct layout *layout, const char *user,
                                const struct session_marks *marks, struct receipt *receipt);
};

extern const struct session_store_ops session_redis, session_memcached, session_files, session_sqlite, session_postgresql,
    session_mysql;

/* The kind's; NULL when it is not built in. */
const struct session_store_ops *session_store_ops(int store);

#endif
