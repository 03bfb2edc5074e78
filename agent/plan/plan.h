/*
 * plan.h: the planner. Facts + mapping + the account as read → operations.
 *
 * Pure: no input or output, no clock, no random source, no log. The same
 * arguments always give the same plan. Delivery, dry run, explain and mapping
 * tests are this one function with different ends.
 *
 * Calling sequence
 *     plan_query(mapping, identity, link, &query)      what to read
 *     ... the connector reads the account ...
 *     plan_make(mapping, &input, &plan)                 what to change
 *     ... apply plan.operations in order ...
 *     plan_member_value, plan_member_operation          the member's value in groups
 *
 * What shall be (the wanted state)
 *   The status chooses an event name: STAGED → created; SUSPENDED → suspended;
 *   DEPROVISIONED → deactivated; DELETED → deleted; all else → activated. A
 *   person who is not out and for whom `scope` is false: left_scope. A group
 *   that exists → activated; one that was deleted → deleted. `on` says what to
 *   do: provision, disable, remove, keep, or "disable, remove after N days".
 *   An identity whose status was never heard is out of scope; a group of which
 *   only the name was heard exists. An account that no link knows and whose
 *   identity the scope leaves out is somebody else's: out of scope, untouched
 *   (so `link` is the one from before the account was found, not one that the
 *   caller has just made of it).
 *   For a leaver without an account or link, whose live_status would have had
 *   one (scope true with status := live_status, and on = provision or
 *   disable), "disable" makes a disabled account: so all orders of the same
 *   events end alike. Where a link exists and the account is gone, a leaver's
 *   account is not made again. A value that cannot be rendered leaves an account
 *   that is to be disabled as it is there, and disables the rest.
 *   `now` in expressions is the time since which the status holds, so that
 *   planning again gives the same values. For somebody who left the scope, in
 *   `disable`, and in the request that enables: the last change of status,
 *   profile, groups or applications, which is what scopes go by.
 *
 * Out means out
 *   An account that must be disabled is disabled by the first operation, and
 *   alone: DISABLE has the changes of the attributes that decide (the locks of
 *   `disable`, ops->locks, and an objectClass beside them; where it names no
 *   lock, all of its attributes; where it has none but a locator, the move).
 *   Everything else follows as UPDATE, or as RENAME with changes, which can be
 *   applied whether or not the first could. An account whose deciding
 *   attributes are right is out: what else is to be done with it is no DISABLE.
 *   ENABLE is one operation, and named so where a deciding attribute is taken
 *   back (or the account comes back from where `disable` had moved it).
 *   Attributes that stand in `disable` alone belong to others, too: only a value
 *   that `disable` could have written is taken away. userAccountControl is
 *   judged by its bit 2, however the number is written.
 *   What no operation can bring about is in plan.unmet: a returned person whom
 *   the target shows as disabled while the mapping has nothing that enables.
 *
 * Targets that are no directory
 *   Values are typed. What is there fits when it is as the mapping names it: an
 *   object may have more members, a list's order means nothing. A change is
 *   REPLACE with the one new value, or DELETE.
 *   account.disabled says whether it is disabled; where it is -1, what `disable`
 *   leaves in attributes does. Where the mapping says how each change is made
 *   (a by_call group), what has no request is not planned: without `create`,
 *   who is not there is out of scope.
 *   DISABLE with a request of its own has no changes; without, it is the update
 *   that writes `disable` and nothing else: its values are the account as it is
 *   with that laid over. ENABLE with a request of its own comes first, an
 *   UPDATE with the changes second. while_disabled = "keep": nothing else of a
 *   disabled account is written; "update": an UPDATE may follow DISABLE, too.
 *   Nobody is made only to be disabled by a request of its own.
 *   A group's entry is made without members: those are MEMBER_ADDs.
 *
 * Session targets (a connector of sessions; mapping_ends_sessions)
 *   T is the newest "sessions void before" of the triggers that `sign_out`
 *   chooses. A T that was not swept yet: REVOKE, sweep 1. request_timeout after
 *   its end: REVOKE, sweep 2 (due). After it T is done. A newer T begins anew.
 *   Sessions that do not tell when they began are left alone (dated_only) when
 *   a leaver was activated again after T; when T is a plain logout, nothing
 *   worse waits, and the person signed in again; and when the target sees the
 *   person for the first time and T is more than a day old.
 *   The scope says who, not when: for whoever is out or suspended it is asked
 *   with the status before, a status never heard counts as ACTIVE, and whoever
 *   was in scope once and is out now counts as in scope. Whoever is out of
 *   scope is not swept, and loses the markers.
 *   Markers: "denied" (deny) while suspended, deactivated or deleted;
 *   "signed_in" (mirror) while a session at the source is neither ended nor
 *   older than `expires`, since the oldest of them, expiring with the newest.
 *   They are written before the sweep. Under a name that the person had before
 *   they are taken away, and sessions are looked for under both until both
 *   sweeps were made.
 *
 * Ownership: outputs are the caller's, freed by the _clear functions.
 * Errors: a rendering failure (a value that the mapping needs is absent) is
 * ERROR_INVALID with file:line and what was absent: a dead letter.
 * Threads: mappings are read-only after loading; all may share them.
 */
#ifndef PROVOST_PLAN_PLAN_H
#define PROVOST_PLAN_PLAN_H

#include "connectors/connector.h"
#include "source/facts.h"

struct mapping; /* one compiled mapping file */

/* Loads and compiles; adds every mistake to `problems` (file:line:column and
 * the offending text) and returns negative when there was any. `ops` gives
 * the escaping places and capabilities. */
int mapping_load(const char *path, const struct connector_ops *ops, struct problems *problems, struct mapping **ret_mapping);
void mapping_free(struct mapping *mapping); /* NULL is allowed */
/* What is allowed and should be otherwise, each with the line to write instead; the mapping's. */
const struct problems *mapping_warnings(const struct mapping *mapping);
const char *mapping_path(const struct mapping *mapping);
const char *mapping_target(const struct mapping *mapping); /* as the file says */
enum identity_kind mapping_kind(const struct mapping *mapping);
unsigned mapping_facts(const struct mapping *mapping); /* FACT_BITs that touch its lanes */
unsigned mapping_triggers(const struct mapping *mapping); /* TRIGGER_BITs of sessions void that do; 0: it keeps accounts */
uint64_t mapping_version(const struct mapping *mapping); /* of the file and those it takes in: another one where they changed */
const char *mapping_base(const struct mapping *mapping); /* the fixed end of its dn: "ou=people,dc=example,dc=org"; NULL: it has none */
/* The lines that say where its entries are: of a directory, the fixed ends of account.dn and disable.dn, and `base`. */
const struct connector_line *mapping_places(const struct mapping *mapping);
const char *const *mapping_disable_names(const struct mapping *mapping); /* NULL-terminated; NULL: none of them is a lock, see ops->locks */
bool mapping_adopts(const struct mapping *mapping);       /* what `match` finds may become ours */
bool mapping_ends_sessions(const struct mapping *mapping); /* instead of keeping accounts */
bool mapping_keeps_markers(const struct mapping *mapping); /* has to be read before planning */

/*
 * The connector's own groups of the mapping (struct connector_group), rendered
 * for one call: "read" (with match), "list", "groups_of" or the name of an
 * operation; NULL: only the groups that are not by_call. What cannot be
 * rendered for "read" is left out.
 * *ret_settings is NULL where the connector has no such groups.
 */
struct settings_view { /* borrowed; each may be NULL */
    const char *call;
    const struct identity *identity;
    const char *key;       /* account.key */
    const json_t *account; /* behind account. */
    const char *value;     /* of a member */
    struct wall since;     /* `now`; 0: since the status holds */
};
int plan_settings(const struct mapping *mapping, const struct settings_view *view, json_t **ret_settings, struct error *error);

/*
 * Two who change places: each stands where the other shall be, so neither can
 * go first. plan_place: where the account shall stand, given where it is now;
 * NULL where none is wanted. plan_aside: a place near `locator` that is nobody
 * else's, to step aside to; NULL: places of this target are not ours to give.
 */
struct plan_input;
struct link_view;
/* Would an account be created for whom there is none? *ret_place: where, the same for every spelling ("": the target gives the place);
 * NULL: no. */
int plan_creation(const struct mapping *mapping, const struct identity *identity, const struct link_view *link, struct wall now,
                  char **ret_place, struct error *error);
/* The same text for every spelling of a place; the caller's. NULL: out of memory. */
char *plan_place_key(const struct mapping *mapping, const char *locator);
int plan_place(const struct mapping *mapping, const struct plan_input *input, char **ret_locator, struct error *error);
int plan_aside(const struct mapping *mapping, const char *locator, const char *id, char **ret_locator, struct error *error);

struct link_view { /* what the planner needs of a link; borrowed */
    const char *key;
    const char *locator;
    bool gone;
    struct wall due;
    const char *account; /* JSON text; a session target's progress */
    bool adopted;        /* the account was there before Provost */
    bool given;          /* an administrator says that it is the one at `locator` */
};

struct plan_query {
    struct account_query query; /* points into the rest */
    char *locator;
    char **match;
    char **names;
    json_t *settings;
};
/* Key, locator and match may all be NULL: there is nothing to find it by.
 * The names are the mapping's own, which outlives the query. */
int plan_query(const struct mapping *mapping, const struct identity *identity, const struct link_view *link,
               struct plan_query *ret_query, struct error *error);
void plan_query_clear(struct plan_query *query);

/*
 * Whose account is it, by the attributes that the mapping makes of {id} and nothing else? An account that carries another identity's id
 * is not to be adopted, however it was found.
 */
enum mark_kind {
    MARK_UNKNOWN, /* the mapping has no such attribute */
    MARK_ABSENT,  /* nothing stands there */
    MARK_OTHER,   /* another id does */
    MARK_OWN,
};
struct plan_mark {
    enum mark_kind kind;
    const char *attribute; /* the mapping's own */
    char *id;              /* what stands there; NULL: nothing. The caller's */
};
int plan_find_mark(const struct mapping *mapping, const struct identity *identity, const struct account *account,
                   struct plan_mark *ret_mark, struct error *error);

/* What `check --connect` tries of a directory's mapping, about somebody who does not exist; `directory` is NULL for another
 * target's. 0 or ERROR_NOMEM. */
struct plan_rehearsal {
    const struct connector_rehearsal *directory; /* NULL, or the next */
    struct connector_rehearsal rehearsal;        /* points into the mapping and the rest */
    char **match;
    const char **names, **always;
    char *naming; /* the attribute that names an entry */
    json_t *classes;
    const char **class_names;
};
int plan_rehearse(const struct mapping *mapping, struct plan_rehearsal *ret_rehearsal);
void plan_rehearsal_clear(struct plan_rehearsal *rehearsal);

struct plan_input {
    const struct identity *identity;
    const struct link_view *link;  /* NULL: none */
    const struct account *account; /* as read; NULL: there is none */
    const char *const *members; /* groups only: the values of members that have an account */
    size_t member_count;
    struct wall now; /* only to tell whether a removal is due */
    struct wall dated; /* grace periods that no event dates count from then; 0: `now` */
    bool keep;       /* it cannot be removed: disable it instead, where the mapping can */
};

enum plan_verdict {
    PLAN_CONVERGE,     /* operations (maybe none) make it right */
    PLAN_OUT_OF_SCOPE, /* no account wanted, and none of ours there */
    PLAN_WAIT_MEMBER,  /* a group that is made with its first member, and has none; an operation removes what is left of it */
};

struct plan {
    enum plan_verdict verdict;
    struct operation *operations;
    size_t operation_count;
    struct account wanted; /* as it shall be afterwards (locator, values but a group's members); cleared when removed */
    bool present;          /* an account shall be there afterwards */
    bool released;         /* of a group that was adopted: the entry stays, and what was written into it is taken out */
    bool leaving;          /* an operation disables or removes: ahead of everything else, guarded */
    char *unmet;           /* a sentence: what no operation can bring about, and what to add to the mapping. The operations are made,
                            * and then the lane fails with it as with an error of plan_make; NULL: nothing */
    struct wall due;       /* removal due then, or the second sweep; 0: none */
    json_t *progress;      /* of a session target: what the link shall keep instead of an account; NULL: no link */
};
/* Would an account, if there is one, be disabled or removed? For a person
 * whose account could not be read yet. A scope that fails says no. */
bool plan_leaves(const struct mapping *mapping, const struct identity *identity, const struct link_view *link, struct wall now);

int plan_make(const struct mapping *mapping, const struct plan_input *input, struct plan *ret_plan, struct error *error);
void plan_clear(struct plan *plan);
/* A session target's sweep took until `now`: the second one counts from then. */
void plan_swept(struct plan *plan, struct wall now);

/* The value this account has in groups, rendered by the group mapping
 * from the member's account; NULL result: the mapping has no members group. */
int plan_member_value(const struct mapping *group_mapping, const char *locator, const json_t *account_values, char **ret_value,
                      struct error *error);
/* The same for every spelling of a value that the target takes for one. */
int plan_member_key(const struct mapping *group_mapping, const char *value, char **ret_key, struct error *error);
const char *mapping_member_attribute(const struct mapping *group_mapping); /* NULL: none */
/* A group of this mapping lives by its members: it is made with the first one
 * and goes with the last. Whoever cannot remove a last value has the
 * group's own lane planned again, which removes the entry. */
bool mapping_with_first_member(const struct mapping *group_mapping);
/* The entry of a group is created and changed without its members, which are added one by one. */
bool plan_adds_members(const struct mapping *group_mapping);
/* MEMBER_ADD or MEMBER_REMOVE of one value in the group with this key at this place. The caller's (operation_clear). */
int plan_member_operation(const struct mapping *group_mapping, enum operation_kind kind, const char *key, const char *locator,
                          const char *value, struct operation *ret_operation, struct error *error);
void operations_free(struct operation *operations, size_t count);

#endif
