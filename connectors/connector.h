/*
 * connector.h: the contract between the agent and the code that speaks to one
 * kind of target.
 *
 * A connector is a loadable module (<prefix>/lib/provost/NAME.so) that exports
 *     const struct connector_ops provost_connector = { ... };
 * It includes nothing of the agent but base/. One program, compiled against
 * the installed headers, is all that a new kind of target needs.
 *
 * Calling sequence (the agent's side)
 *     check    once for each target, at start and reload; no input or output
 *     check_mapping  once for each of its mapping files; the same
 *     check_together  once for each of its mapping files, with the settings
 *     check_places  the same, for a directory
 *     share    once for each target that is worked on: what its sessions share
 *     open     by each worker; a session belongs to that worker alone
 *     probe    after open, and while the target is suspended
 *     read     before each planning: the account as it is now
 *     apply    once for each operation of the plan, in order
 *     close    at the end, and after a TARGET_DOWN (a new open follows)
 *     unshare  after the last close
 *
 * Responsibilities
 *     - Applying an operation twice is UNCHANGED the second time: the agent
 *       may have crashed between the first and its receipt.
 *     - Each failure is exactly one outcome below; one table in the connector
 *       says which of the target's codes is which.
 *     - Values have been escaped by the planner for the place they stand in
 *       (see struct connector_place); a connector never splices text into a
 *       DN, filter or path by itself without escaping it.
 *     - A receipt and an error never hold a secret.
 *     - Every call returns within the time-outs of the target's settings.
 *
 * Threads: check and open may be called from any thread; all other calls of a
 * session come from one thread at a time. `settings` is shared by all
 * sessions and is read-only to them; what a target's sessions share and change
 * (a rate limit, a token, an index) lies in struct connector_shared, behind the
 * connector's own lock.
 * Ownership: stated per function. account_clear and receipt_clear free.
 * Values are json_t, borrowed unless said otherwise.
 */
#ifndef PROVOST_CONNECTORS_CONNECTOR_H
#define PROVOST_CONNECTORS_CONNECTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/option.h"
#include "base/problem.h"

#define CONNECTOR_ABI 5u
#define CONNECTOR_SYMBOL "provost_connector"

/* code, name (as in the status log), what the agent does with it */
#define OUTCOME_LIST(X)                                                              \
    X(APPLIED, "applied", "done")                                                    \
    X(UNCHANGED, "unchanged", "was so already")                                      \
    X(RETRY, "retry", "this lane again, later")                                      \
    X(TARGET_DOWN, "target_down", "suspend the target and probe; burns no attempts") \
    X(REJECTED, "rejected", "dead letter, with the reason")                          \
    X(AMBIGUOUS, "ambiguous", "more than one account matches: dead letter")          \
    X(GONE, "gone", "the account or group is not there: plan again")                 \
    X(CONFLICT, "conflict", "changed meanwhile: read and plan again, once; then retry") \
    X(UNSEEN, "unseen", "the look could not have found anything (the agent's word, no connector's): as retry, and told")

enum outcome {
#define X(code, name, what) OUTCOME_##code,
    OUTCOME_LIST(X)
#undef X
        OUTCOME_COUNT
};
const char *outcome_name(enum outcome outcome); /* never NULL */

/*
 * Whose refusal is it: this record's, or the target's? Many codes can be either (HTTP 403, LDAP 50 and 53). A connector's table says
 * for each code whether it alone tells; where it does not, the agent judges by what happens to other records.
 */
enum refusal {
    REFUSAL_SURE,         /* as the outcome says: TARGET_DOWN is the target's, all else this record's */
    REFUSAL_UNSURE,       /* with RETRY: this record's or the target's */
    REFUSAL_UNSURE_LOGIN, /* the same, and it may be about whom we are (HTTP 401): tried again after minutes */
    REFUSAL_LOGIN,        /* with TARGET_DOWN: the target refused our log-in: tried again after minutes, growing */
    REFUSAL_SERVER,       /* with TARGET_DOWN: the target answers, and takes no work of anybody now (read-only, a replica) */
};

/* What came of a call. The caller owns it and clears it. */
struct receipt {
    enum outcome outcome;
    enum refusal refusal;
    bool answered;          /* the target's answer to the last change is known: nothing of it is still under way */
    bool partial;           /* read_groups: a part of where the mapping puts its groups could not be looked at; `note` names it */
    bool last_member;       /* MEMBER_REMOVE, REJECTED: the group must have a member, and this is its last one */
    int remote_code;        /* LDAP result code, HTTP status, …; 0: none */
    char *reason;           /* one sentence for a person, with the target's own words; NULL when applied */
    int64_t retry_after_us; /* the target's own wish; 0: none */
    int64_t sessions_found; /* REVOKE: the person's sessions that this sweep saw */
    int64_t sessions_ended; /* and of these, ended */
    char *doubt;            /* REVOKE that found nobody: why this look could not have found anybody; NULL: it could */
    uint64_t place;         /* REVOKE: which place was looked at; where somebody was found there once, no doubt counts */
    char *note;             /* what a person should know although it went well ("cookie-only: cannot be ended"); NULL: none */
};
void receipt_clear(struct receipt *receipt);
/* `to` becomes what `from` was, and `from` is empty. */
void receipt_move(struct receipt *from, struct receipt *to);
/* Sets outcome, code and reason, the refusal to SURE, and returns `outcome`; out of memory leaves reason NULL. */
enum outcome receipt_set(struct receipt *receipt, enum outcome outcome, int remote_code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * An account or group entry, as read from the target or as written to it.
 *   key      the target's own immutable id (entryUUID, employee number)
 *   locator  where it stands now (DN, resource path); may change on rename.
 *            A connector whose `locator_attribute` the target itself assigns
 *            (`assigns_locator`) gives the key here, too.
 *   values   object: attribute → string, number, boolean, array or object.
 *            LDAP values are always arrays of strings; one that is no UTF-8
 *            is {"base64": "…"}. A connector of sessions has the markers that
 *            it keeps for applications: "denied", "signed_in".
 *   disabled 1, 0, or -1 where the target does not tell
 *   protected_by  read: the part of query->protect that describes it; NULL: none does
 */
struct account {
    char *key;
    char *locator;
    json_t *values;
    int disabled;
    char *protected_by;
};
void account_clear(struct account *account);

/* Which account is meant. All borrowed for the call. */
struct account_query {
    bool group;                 /* a group's entry, not a person's */
    const char *key;            /* of the link; NULL: not linked yet */
    const char *locator;        /* where it should stand (rendered), or NULL */
    const char *base;           /* below which the mapping puts its entries (the fixed end of its dn), or NULL */
    const char *const *match;   /* rendered filters, tried in order; NULL-terminated or NULL */
    const char *const *places;  /* of a directory: the places below which `match` finds; NULL-terminated; NULL: anywhere */
    const char *const *names;   /* attributes to read; NULL-terminated */
    const char *protect;        /* of a directory: a filter; what it describes is found, and told so. NULL: nothing is */
    const json_t *settings;     /* the connector's own groups of the mapping, see struct connector_group; or NULL */
};

/* Which groups are meant: those that hold a member's value. All borrowed for the call. */
struct group_query {
    const char *attribute;
    const char *value;
    const char *base;       /* below which the mapping puts its groups, or NULL */
    const json_t *settings; /* as in account_query */
};

enum operation_kind {
    OPERATION_CREATE,        /* locator, values */
    OPERATION_UPDATE,        /* changes */
    OPERATION_RENAME,        /* locator → new_locator; changes too, where there are any */
    OPERATION_DISABLE,       /* changes and/or new_locator */
    OPERATION_ENABLE,        /* the same, back */
    OPERATION_REMOVE,        /* locator */
    OPERATION_MEMBER_ADD,    /* locator of the group, attribute, value */
    OPERATION_MEMBER_REMOVE, /* the same */
    OPERATION_REVOKE,        /* sessions void before `before`; for session stores */
    OPERATION_KIND_COUNT
};
const char *operation_kind_name(enum operation_kind kind); /* "create", "member_add", …; never NULL */

enum change_kind { CHANGE_ADD, CHANGE_DELETE, CHANGE_REPLACE };

/* One attribute's difference. DELETE without values removes all of it. A
 * directory gets ADD, DELETE and REPLACE with arrays of values; all others only
 * REPLACE, with the one new value as it is (a list stays a list; of a group,
 * null for a member that shall go), or DELETE. */
struct change {
    enum change_kind kind;
    char *name;
    json_t *values; /* owned; NULL: none */
};

/* One change made in a target. Owned by the plan it is part of. */
struct operation {
    enum operation_kind kind;
    bool group;          /* acts on a group's entry */
    char *key;           /* of the account, where known */
    char *locator;       /* where it stands before */
    char *new_locator;   /* RENAME, DISABLE, ENABLE: where it shall stand; NULL: stays */
    json_t *values;      /* CREATE: all of it; no directory: also UPDATE, DISABLE, ENABLE, as it shall be afterwards */
    struct change *changes;
    size_t change_count;
    char *attribute;     /* MEMBER_*: the group's attribute */
    char *value;         /* MEMBER_*: the one value */
    char *placeholder;   /* MEMBER_REMOVE: put in when the last value goes; NULL: none */
    const char *protect; /* of a directory: a filter; the entry is not touched where it describes that: REJECTED. Borrowed; NULL: nothing is */
    struct wall before;  /* REVOKE: sessions from before this time are void; those that tell a later one stay */
    int sweep;           /* REVOKE: 1, and 2 for the one after the longest request */
    json_t *settings;    /* the connector's own groups of the mapping, see struct connector_group; owned; NULL: none */
    char *idempotency_key; /* with CONNECTOR_IDEMPOTENCY: the same for every attempt, durable before the first */
    bool repeated;       /* an attempt with this key was begun before, its end is not known */
    const json_t *earlier; /* CREATE, repeated: an array of the `settings` of attempts that were rendered otherwise; their
                            * account, found, is CONFLICT with its key in *ret_account. Borrowed; NULL or empty: none */
    json_t *before_image; /* the touched attributes as they were; NULL on CREATE */
};
void operation_clear(struct operation *operation);

/* How text from outside is made harmless in the place where it lands. */
enum escape {
    ESCAPE_NONE,     /* a value of its own: nothing to break out of */
    ESCAPE_DN,       /* RFC 4514 */
    ESCAPE_FILTER,   /* RFC 4515 */
    ESCAPE_URL_PATH, /* RFC 3986, one segment */
    ESCAPE_QUERY,    /* RFC 3986, one query component */
    ESCAPE_HEADER,   /* no control characters */
    ESCAPE_JSON,     /* inside a JSON string */
    ESCAPE_QUOTED,   /* where it stands between double quotes as in JSON, between single ones these are doubled; else as it is */
};

/* One row says how values are escaped at a place of the mapping file:
 * "match", or an attribute ("dn", "manager"), in account and disable alike.
 * Places that no row names are ESCAPE_NONE. Ends with { NULL, … }.
 * A connector with an ESCAPE_DN place is a directory to the planner: it gets
 * each value as an array of texts, attribute names are compared without case. */
struct connector_place {
    const char *name;
    enum escape escape;
};

/*
 * A group of the mapping file that belongs to the connector: it says what the
 * connector cannot know (an API's requests, a session store's layout).
 * The agent compiles it like any value: a text is a template, names may be
 * nested, types are kept. It is rendered for one person (or group) and handed
 * over as `settings`: { "GROUP": …, … }. Templates know the identity's names,
 * account.X (what it shall look like; account.key where it is linked), and
 * `value` in member_add, member_remove and groups_of.
 *
 * by_call: the members are named like what the connector is asked to do:
 *   read, match, list, groups_of, and operation_kind_name(). A call gets those
 *   that it needs: read: read and match; list: list; read_groups: groups_of;
 *   an operation: its own, read and match (member_add and member_remove: read
 *   alone, of the group, where it names no more than account.key). Where there is no "disable" or
 *   "enable", an operation of that kind gets "update" under its own name. A
 *   change that has no member is not planned at all.
 *   Within these members `places` names the parts that are escaped, at any
 *   depth and with all that stands in them (a place inside a place is none);
 *   nothing within such a part may be absent: `read` and each entry of `match`
 *   are then left out, an operation is ERROR_INVALID. ESCAPE_NONE asks for that
 *   alone. Elsewhere an absent member is left out; a group or list stays, empty.
 *   Who is meant is known to most calls; list knows nobody, groups_of `value`,
 *   member_add and member_remove `value` and account.key (the group's).
 * Not by_call: the whole group, each time; `places` as above.
 * `file_member` names a document ("body"): a text "file:NAME.json" there is a
 * JSON file beside the mapping file, whose texts are templates. Inside it only
 * the places "body.NAME" are looked at.
 */
struct connector_group {
    const char *name;
    bool by_call;
    const struct connector_place *places; /* { NULL, … } at the end; NULL: none */
    const char *file_member;              /* NULL: none */
};

/* A line of a directory's mapping file that names a place: each entry that it writes is below `dn`. Borrowed. { NULL, … } at the end. */
struct connector_line {
    const char *name; /* "account.dn" */
    const char *dn;   /* the fixed end of it */
    const char *file;
    int line;
};

enum connector_capability {
    CONNECTOR_ACCOUNTS = 1u << 0,
    CONNECTOR_GROUPS = 1u << 1,
    CONNECTOR_SESSIONS = 1u << 2,
    CONNECTOR_EVENTS = 1u << 3,
    CONNECTOR_LIST = 1u << 4,
    CONNECTOR_IDEMPOTENCY = 1u << 5, /* operations that change get an idempotency_key (costs a commit) */
};

struct connector_session; /* the connector's own */
struct connector_shared;  /* the same: what all sessions of one target share */

/* Called for each account of a listing; a negative return ends it. */
typedef int connector_list_entry(const struct account *account, void *arg);

/* What the first joiner and the first leaver of a directory's mapping file would need, for `rehearse`. */
struct connector_rehearsal {
    const struct connector_line *places;
    const char *const *bases;   /* as `places` of account_query */
    const char *const *match;   /* filters for somebody who does not exist; NULL-terminated */
    const char *const *names;   /* attributes that are written, and a group's for its members; NULL-terminated */
    const char *const *always;  /* those of them that a new entry has in any case, or may have; NULL-terminated */
    const char *const *classes; /* object classes of a new entry; NULL-terminated; empty: not known beforehand */
};

/* Somebody whom the target cannot know, for `rehearse`. All borrowed for the call. */
struct connector_sample {
    /* The settings of a call ("read", "list", "groups_of") about nobody, with this key (read) or value (groups_of); the caller's.
     * NULL: they cannot be rendered. */
    json_t *(*render)(void *arg, const char *call, const char *key);
    void *arg;
    const char *member_attribute; /* a group's file: of its members; NULL: none */
    const char *member;           /* and what a member would be there; NULL: none */
    const struct connector_rehearsal *directory; /* of a directory's mapping file; NULL: it is none */
};

struct connector_ops {
    uint32_t abi; /* CONNECTOR_ABI */
    const char *name;
    const char *summary;              /* one line */
    const struct option_row *options; /* of the target's `settings` group */
    size_t settings_bytes;            /* size of the struct those rows fill */
    uint32_t capabilities;
    const struct connector_place *places;
    const char *locator_attribute; /* the account attribute that is the locator ("dn", "key"); NULL: none */
    bool assigns_locator;          /* the target gives the locator: no mapping sets it */
    const char *const *locks;      /* the attributes of `disable` that can stop a log-in, NULL-terminated; NULL: any change may. The first
                                    * is the one that messages propose, as NAME = "TRUE" */
    const struct connector_group *groups; /* { NULL, … } at the end; NULL: none */

    /* Looks at parsed settings as a whole (two options that exclude each
     * other, a URI that cannot be read). Adds to `problems`; no I/O. */
    void (*check)(const void *settings, const char *file, int line, struct problems *problems);

    /* Looks at the connector's own groups of a mapping file (`root` is the
     * whole file): names, types, what excludes each other, and whether it
     * can be seen that an account is disabled. `group`: kind = "group".
     * Templates are looked at by the agent. NULL: nothing to say. */
    void (*check_mapping)(const config_setting_t *root, bool group, struct problems *problems);

    /* The same file beside the target that uses it: what cannot go with these
     * settings. Called when each was right by itself. NULL: all goes. */
    void (*check_together)(const void *settings, const config_setting_t *root, struct problems *problems);

    /* A directory's mapping file beside the target that uses it: can these settings reach all its places? `group` is the target's
     * `settings` (NULL: it has none), for the lines of its options. Called as check_together is. NULL: they can. */
    void (*check_places)(const void *settings, const config_setting_t *group, const struct connector_line *places,
                         struct problems *problems);

    /* What the sessions of a target share. NULL: nothing; open gets NULL.
     * `settings` outlives it. 0 or ERROR_NOMEM. */
    int (*share)(const void *settings, struct connector_shared **ret_shared, struct error *error);
    void (*unshare)(struct connector_shared *shared); /* NULL is allowed */

    /* A session, connected and authenticated. APPLIED, TARGET_DOWN or
     * REJECTED. `settings` and `shared` outlive the session. */
    enum outcome (*open)(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                         struct receipt *receipt);
    void (*close)(struct connector_session *session); /* NULL is allowed */

    /* Does the target answer, as whom we claim to be? The receipt's note is what an administrator should know all the same. */
    enum outcome (*probe)(struct connector_session *session, struct receipt *receipt);

    /* The target is up, work will come: begins what takes long and is shared
     * by its sessions (an index), and returns at once. `settings` as in the
     * query, about nobody. What fails is told by who needs it. NULL: nothing. */
    void (*prepare)(struct connector_session *session, const json_t *settings);

    /* Reads the account: by key where given, else by match in order, else
     * (no match given) at the locator. APPLIED and *ret_account filled, GONE
     * when there is none, AMBIGUOUS naming them in the reason, or a failure. */
    enum outcome (*read)(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                         struct receipt *receipt);

    /* The groups that hold query->value: a JSON array of {"key", "locator"}, owned by the caller. APPLIED, with `partial` in the
     * receipt where a part of query->base could not be looked at: what was found counts, what is missing may be there. The note
     * names all places that could not be looked at. Else a failure.
     * NULL: no groups. */
    enum outcome (*read_groups)(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                                struct receipt *receipt);

    /* Makes one change. After CREATE *ret_account (may be NULL) has key and
     * locator; after a rename, the new locator. */
    enum outcome (*apply)(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt);

    /* For `check --connect`: can this mapping's `disable` stop a log-in here, as whom we are? Looks and writes nothing. `base` as in
     * account_query; `names`: the attributes of `disable`, NULL-terminated. The receipt's note: what an administrator should know,
     * a sentence a line. NULL: it cannot tell. */
    enum outcome (*check_locks)(struct connector_session *session, const char *base, const char *const *names, struct receipt *receipt);

    /* For `check --connect`: could a person's sessions be found with this mapping? Looks at some, whoever they belong to, and ends none.
     * `settings` as in `prepare`. APPLIED; REJECTED with the reason why nobody could be found; or another failure. The receipt's note:
     * how many were looked at, and in how many somebody stands. NULL: it cannot tell. */
    enum outcome (*check_sessions)(struct connector_session *session, const json_t *settings, struct receipt *receipt);
    /* For `check --connect`: does with a mapping file what the first joiner and the first leaver will do, and writes nothing. Adds
     * a sentence to `problems` for each thing that is wrong. *ret_key: an account that was seen; *ret_note: what was not, a
     * sentence a line; both the caller's, or NULL. NULL: it cannot. */
    void (*rehearse)(struct connector_session *session, const struct connector_sample *sample, struct problems *problems,
                     char **ret_key, char **ret_note);

    /* All accounts (or groups) that the target has, in any order. NULL:
     * cannot be listed. */
    enum outcome (*list)(struct connector_session *session, const struct account_query *query, connector_list_entry *entry,
                         void *arg, struct receipt *receipt);
};

/* connectors/loader.c: finds and opens the module of a name. Looks in
 * `directory` when given, else in $PROVOST_CONNECTORS, else where installed.
 * The returned ops live as long as the process. */
int connector_load(const char *name, const char *directory, const struct connector_ops **ret_ops, struct error *error);

#endif
