/*
 * sessions.h: the session connector as the agent uses it, in few words.
 *
 * Calling sequence: sessions_open with a target's settings → sessions_end,
 * sessions_mark … → sessions_close.
 * Ownership: the struct owns all. Threads: one for each struct.
 */
#ifndef PROVOST_TESTS_SUPPORT_SESSIONS_H
#define PROVOST_TESTS_SUPPORT_SESSIONS_H

#include "connectors/connector.h"

struct sessions {
    const struct connector_ops *ops;
    void *settings;
    struct connector_shared *shared;
    struct connector_session *session; /* NULL: it could not be opened */
    struct receipt receipt;            /* of the last call */
};

/* Loads the connector, and makes what a target's sessions share. */
void sessions_begin(struct sessions *sessions, const char *settings);
/* begin, and a session; it has to come about. */
void sessions_open(struct sessions *sessions, const char *settings);
enum outcome sessions_try_open(struct sessions *sessions);
/* One more worker of the same target; closed by sessions_leave. */
void sessions_join(struct sessions *sessions, const struct sessions *first);
void sessions_leave(struct sessions *sessions);
void sessions_close(struct sessions *sessions);

/* `layout`: the group as JSON, without the user. Sessions before now, first sweep. */
enum outcome sessions_end(struct sessions *sessions, const char *layout, const char *user);
struct end {
    int64_t before_us; /* 0: now */
    int sweep;         /* 0: the first */
    bool dated_only;
    const char *former; /* NULL: none */
};
enum outcome sessions_end_with(struct sessions *sessions, const char *layout, const char *user, struct end end);

/* Markers; `since` NULL: not signed in. */
enum outcome sessions_mark(struct sessions *sessions, const char *layout, const char *user, bool denied, const char *since,
                           const char *expires);
enum outcome sessions_read(struct sessions *sessions, const char *layout, const char *user, json_t **ret_values);
enum outcome sessions_probe(struct sessions *sessions);
/* As the agent does when the target comes up: of nobody. */
void sessions_prepare(struct sessions *sessions, const char *layout);

#define assert_outcome(seen, wanted) assert_string_equal(outcome_name(seen), outcome_name(OUTCOME_##wanted))

#endif
