/*
 * mapping.h: a compiled mapping file, as the loader leaves it and the planner
 * reads it. Private to plan/; others use plan.h.
 *
 * Ownership: the mapping owns all it points to, but for `ops`.
 * Threads: read-only after loading.
 */
#ifndef PROVOST_PLAN_MAPPING_H
#define PROVOST_PLAN_MAPPING_H

#include "plan/expr.h"
#include "plan/plan.h"

enum policy { POLICY_FORCE, POLICY_ONCE, POLICY_MERGE, POLICY_COUNT };

/* The events of `on`. */
enum on { ON_CREATED, ON_ACTIVATED, ON_SUSPENDED, ON_DEACTIVATED, ON_DELETED, ON_LEFT_SCOPE, ON_COUNT };

enum action { ACTION_PROVISION, ACTION_DISABLE, ACTION_REMOVE, ACTION_KEEP, ACTION_COUNT };
struct reaction {
    enum action action;       /* at once */
    int64_t remove_after_us;  /* and then; 0: never */
};
extern const char *const on_names[ON_COUNT + 1];
extern const char *const action_names[ACTION_COUNT + 1];
/* "disable, remove after 30 days"; negative with a sentence. */
int reaction_parse(const char *text, struct reaction *ret_reaction, struct error *error);

/* ---- what stands on the right of an attribute ---- */

enum value_kind { VALUE_TEMPLATE, VALUE_CONSTANT, VALUE_LIST, VALUE_OBJECT };
struct value {
    enum value_kind kind;
    int line;
    struct template *template;
    json_t *constant;
    struct value **items; /* LIST, OBJECT */
    char **names;         /* OBJECT */
    size_t count;
    bool complete;        /* in a connector's group: nothing of it may be absent */
};
const struct value *value_member(const struct value *object, const char *name); /* NULL: none, or no object */
void value_free(struct value *value); /* NULL is allowed */
unsigned value_uses(const struct value *value);
/* NULL: absent. Absent entries of a list are left out. */
int value_render(const struct value *value, const struct expr_input *input, json_t **ret_value, struct error *error);
/*
 * `rendered` from it, with null for each member of a group that is absent now and that `current` has: it shall go, while
 * members that the mapping does not name stay. What would come from a profile that was not read is left as it is.
 */
int value_mark_gone(const struct value *value, bool profile_read, const json_t *current, json_t *rendered, json_t **ret_marked);
/* For a directory: a list of texts without repetition; NULL when empty. */
int value_to_texts(const json_t *value, json_t **ret_list, struct error *error);

struct attribute {
    char *name;
    enum policy policy;
    bool required;
    enum escape escape;
    struct value *account; /* NULL: stands in `disable` alone */
    struct value *disable; /* NULL: not touched by it */
    bool lock;             /* of `disable`, and can stop a log-in (ops->locks) */
};

/* Is it made of {id} and nothing else? What stands there says whose account it is. */
bool attribute_is_mark(const struct attribute *attribute);

struct mapping {
    char *path;
    uint64_t version; /* of all text that it was compiled from */
    char *target;
    enum identity_kind kind;
    const struct connector_ops *ops; /* NULL: unknown */
    bool directory;                  /* values are lists of texts, locators are DNs */
    const char *locator_name;        /* "dn"; NULL: none */
    struct value *locator;
    char *base; /* the fixed end of a directory's locator; NULL: none */
    struct connector_line *places; /* the DNs are its own; { NULL, … } at the end */
    bool adopts;        /* what `match` finds may become ours; of groups only where the file says so */
    char *protect;      /* a filter: what it describes is never touched; NULL: none */
    const char **bases; /* below which `match` finds; owned, NULL-terminated; empty: anywhere */
    struct value *disable_locator;
    bool locator_once;
    struct expr *scope; /* NULL: all */
    int scope_line;
    struct value **match;
    size_t match_count;
    struct attribute *attributes;
    size_t attribute_count;
    const char **names; /* of the attributes to read; borrowed from them */
    size_t name_count;
    struct reaction on[ON_COUNT];
    struct {
        char *attribute; /* NULL: none */
        struct template *value;
        int line;
        enum escape escape;
        char *placeholder;
        bool with_first_member;
    } members;
    struct problems warnings; /* what `provostctl check` says of it although it is right */
    bool has_lock;         /* an attribute of `disable` can stop a log-in */
    const char **disable_names; /* of the attributes of `disable`, NULL-terminated; borrowed from them */
    bool keeps_disabled;   /* nothing of a disabled account is written but that it is one */
    struct value **groups; /* the connector's own, one for each of ops->groups; NULL: not in the file */
    bool by_call;          /* one of these says how each change is made: others cannot be */
    struct session_rules *sessions; /* sessions.h; NULL: the target keeps accounts */
    unsigned uses; /* NAME_BITs */
};

/* How a change of this kind is made, in a by_call group; "update" stands in for
 * disable and enable. NULL: it is not planned. */
const struct value *mapping_request(const struct mapping *mapping, enum operation_kind kind);
/* One by its own name ("disable", "groups_of"); NULL: none. */
const struct value *mapping_call(const struct mapping *mapping, const char *call);
/* Can such a change be made? Always, where no by_call group says how. */
bool mapping_can(const struct mapping *mapping, enum operation_kind kind);

struct attribute *mapping_attribute(const struct mapping *mapping, const char *name); /* NULL: none */

bool mapping_disables(const struct mapping *mapping);         /* an event of `on` does */
bool mapping_has_disable(const struct mapping *mapping);      /* it says how, whether or not an event does */
bool mapping_disables_by_move(const struct mapping *mapping); /* `disable` has a locator and nothing else */

#endif
