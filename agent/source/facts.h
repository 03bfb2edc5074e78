/*
 * facts.h: what is known of a person or group, and how news is merged in.
 *
 * A fact is a last-writer-wins register, ordered by the event's own
 * `published` time (struct wall, microseconds). Merging is commutative,
 * associative and idempotent: any order, duplication and grouping of the same
 * set of facts ends in the same identity. On a tie of times:
 *   status       the more restrictive (rank in status_rank)
 *   member, assigned, group exists: the removal
 *   signed in    the end
 *   login, name  the text that sorts last (a rule that all orders agree on)
 *
 * Besides `status` an identity keeps `live_status`, the same register over the
 * statuses of people who are not out (neither DEPROVISIONED nor DELETED), so
 * that the planner can tell what a leaver had before he left, however late the
 * events came.
 *
 * Sessions are void from the newest word of each trigger on: one register per
 * trigger, since targets choose which triggers count for them.
 *
 * A sign-in at the source is one row for each session there, as a membership
 * is: present from its start, gone from its end. An end that names no session
 * ends all that began until then (signed_out_before). So do those triggers
 * with which Okta itself ends the user's sessions: clear, suspend, deactivate,
 * delete, universal_logout. Lock, password_change and suspicious_activity do
 * not: where an org's policy ends sessions with them, Okta sends
 * user.session.clear as well. logout ends its own session alone.
 *
 * A word that claims to be newer than any can be (struct fact, `latest`) is not
 * in the way of those that come after it, so that one absurd time cannot freeze
 * a register for years.
 *
 * Ownership: struct fact borrows its strings from the event; struct identity
 * owns its own. Threads: no shared state. Times: the source's clock.
 */
#ifndef PROVOST_SOURCE_FACTS_H
#define PROVOST_SOURCE_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"

enum identity_kind { IDENTITY_USER, IDENTITY_GROUP, IDENTITY_KIND_COUNT };
const char *identity_kind_name(enum identity_kind kind); /* "user", "group" */

enum fact_kind {
    FACT_STATUS,       /* user: value = status */
    FACT_LOGIN,        /* user: value */
    FACT_NAME,         /* user: value = display name */
    FACT_PROFILE,      /* user or group: value = JSON text */
    FACT_MEMBER,       /* user: other = group id, present */
    FACT_ASSIGNED,     /* user: other = app id, present, value = app name */
    FACT_SESSIONS_VOID,/* user: sessions void before as_of; value = the trigger's name */
    FACT_GROUP_EXISTS, /* group: present */
    FACT_GROUP_NAME,   /* group: value */
    FACT_SIGNED_IN,    /* user: other = session at the source, present; other NULL and not present: all sessions ended */
    FACT_KIND_COUNT
};
#define FACT_BIT(kind) (1u << (kind))

/* Why sessions are void: name in mapping files and in the store. */
#define TRIGGER_LIST(X)                                                                                               \
    X(LOGOUT, "logout")                                                                                               \
    X(CLEAR, "clear")                                                                                                 \
    X(LOCK, "lock")                                                                                                   \
    X(SUSPEND, "suspend")                                                                                             \
    X(DEACTIVATE, "deactivate")                                                                                       \
    X(DELETE, "delete")                                                                                               \
    X(PASSWORD_CHANGE, "password_change")                                                                             \
    X(SUSPICIOUS_ACTIVITY, "suspicious_activity")                                                                     \
    X(UNIVERSAL_LOGOUT, "universal_logout")
enum trigger {
#define X(code, name) TRIGGER_##code,
    TRIGGER_LIST(X)
#undef X
        TRIGGER_COUNT
};
#define TRIGGER_BIT(trigger) (1u << (trigger))
#define TRIGGERS_ALL (TRIGGER_BIT(TRIGGER_COUNT) - 1)
extern const char *const trigger_names[TRIGGER_COUNT + 1]; /* ends with NULL */
int trigger_find(const char *name); /* enum trigger, -1: none of that name; NULL is allowed */

/* Rows of sign-ins older than this may be forgotten: nobody asks for longer. */
#define SIGN_IN_KEEP_US (7 * 24 * 3600 * 1000000LL)

struct fact {
    enum fact_kind kind;
    enum identity_kind identity_kind;
    const char *id;    /* whose */
    const char *other; /* MEMBER, ASSIGNED, SIGNED_IN */
    const char *value;
    bool present; /* MEMBER, ASSIGNED, GROUP_EXISTS, SIGNED_IN */
    struct wall as_of;
    /* No word can be newer than `latest` (0: not known). A known one that claims to be counts as one of `doubted`. */
    struct wall latest, doubted;
};
/* Is it one of a pair (a user and a group, app or session), merged by membership_merge? */
bool fact_is_pair(const struct fact *fact);

/* More restrictive is higher: STAGED < PROVISIONED < ACTIVE < RECOVERY <
 * PASSWORD_EXPIRED < LOCKED_OUT < SUSPENDED < DEPROVISIONED < DELETED; an
 * unknown status ranks with ACTIVE. */
int status_rank(const char *status);
bool status_is_out(const char *status); /* DEPROVISIONED or DELETED */

struct membership { /* of a user in a group, assignment of an app, or session at the source */
    char *id;       /* the group's, app's or session's */
    char *name;     /* its name, or NULL */
    bool present;
    struct wall as_of;
};

struct text_register {
    char *value; /* NULL: never heard */
    struct wall as_of;
};

struct identity {
    enum identity_kind kind;
    char *id;
    struct text_register status;
    struct text_register live_status;
    struct text_register login;
    struct text_register name; /* user's display name, or group's name */
    struct text_register profile_text;
    json_t *profile;                 /* parsed profile_text, or NULL */
    struct wall sessions_void[TRIGGER_COUNT]; /* those from before are; 0: never heard */
    struct wall signed_out_before;   /* by an end that named no session; 0: none */
    bool exists;                     /* group */
    struct wall exists_as_of;        /* group; 0: never heard */
    struct membership *groups;       /* user; removed ones are here too, present = false */
    size_t group_count;
    struct membership *apps;
    size_t app_count;
    struct membership *sign_ins;     /* user; ended ones are here too; those of the last days */
    size_t sign_in_count;
};
void identity_clear(struct identity *identity);

/* Sign-ins that began until then have ended, whatever their rows say; 0: none. */
struct wall identity_signed_out_until(const struct identity *identity);

enum fact_effect {
    FACT_SUPERSEDED, /* older than what is known: nothing to do */
    FACT_UNCHANGED,  /* newer, but says the same (as_of may have moved) */
    FACT_CHANGED,
};

/* Merges a register fact (one that is no pair) into the identity. A status whose time advances is FACT_CHANGED even when the text
 * is the same (its time is part of what mappings render); so is an older one
 * that gives live_status another text. ERROR_INVALID for a fact
 * that does not fit the identity, which is as before then; after ERROR_NOMEM
 * the same fact merged again completes the work. */
int identity_merge(struct identity *identity, const struct fact *fact);
/* The same for the row of a pair; a new row is as_of 0. The
 * name goes with the newest word, so that all orders end alike. A session whose
 * time advances is FACT_CHANGED: it counts from then. */
int membership_merge(struct membership *row, const struct fact *fact);

/* Merges any fact, pairs into the identity's own rows: for identities that are not in a store. */
int identity_take_fact(struct identity *identity, const struct fact *fact);

/* One event as the source understood it. Owned by its batch. */
struct event {
    char *uuid;             /* unique at the source; for a body without one: eventId and index */
    char *type;
    char *outcome;          /* as sent, upper case: "SUCCESS"; "UNKNOWN" where none was */
    char *actor;            /* alternateId, or NULL */
    char *subject_id;       /* the first user or group it is about, or NULL */
    char *subject_name;     /* login or group name, for the log; or NULL */
    enum identity_kind subject_kind;
    struct wall published;  /* as told, however absurd; what its facts count as is for the store */
    bool undated;           /* no time was told: `published` is when the request came */
    char *raw;              /* the LogEvent as JSON text */
    struct fact *facts;
    size_t fact_count;
    void *storage;          /* one allocation that the facts' strings lie in, or NULL */
};

struct event_batch {
    char *event_id; /* of the request; NULL: none */
    struct wall sent; /* when the source sent it, by the source's clock; 0: not told */
    struct event *events;
    size_t count;
};
void event_batch_free(struct event_batch *batch); /* NULL is allowed */

#endif
