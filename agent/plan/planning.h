/*
 * planning.h: one plan while it is made; shared by planner.c, targets.c and
 * operations.c, private to them. Ownership: planning_clear in planner.c; `input` and
 * `locator` are borrowed. Threads: one.
 */
#ifndef PROVOST_PLAN_PLANNING_H
#define PROVOST_PLAN_PLANNING_H

#include "plan/diff.h"
#include "plan/wanted.h"

struct planning {
    const struct mapping *mapping;
    const struct plan_input *input;
    bool disabled; /* wanted so */
    struct wall since; /* `now` in `disable`; 0: since the status holds */
    struct wanted wanted;
    json_t *members;  /* values of a group's members that have accounts; NULL: none */
    const char *locator; /* where it shall stand; borrowed */
    json_t *rdn;      /* of that locator, in a directory */
    json_t *old_rdn;  /* where it is renamed: of the one before; NULL: no DN */
    json_t *current;  /* the account's values, as they are after a rename */
    bool renamed;
    bool toggles;     /* a change is one of disabling or enabling */
    struct change_list changes;
    struct error *error;
};

/* By name; without case in a directory. Borrowed; NULL: none. */
json_t *value_of(const struct mapping *mapping, const json_t *values, const char *name);
/* The value that the entry's name has of this attribute. Borrowed; NULL: none. */
json_t *own_rdn_value(const struct planning *planning, const char *name);
enum compare compare_of(const struct planning *planning, const struct attribute *attribute);

/* What attribute `i` shall have, given what it has; a new reference, NULL:
 * absent. Out of memory only. */
int target_of(const struct planning *planning, size_t i, json_t *current, json_t **ret_target);

/* Is an account disabled, or enabled again, by way of this attribute? By the locks of `disable`, or by all of it where it has none. */
bool decides(const struct mapping *mapping, const struct attribute *attribute);
/* Does an attribute look as `disable` leaves it? */
bool is_marked(const struct mapping *mapping, const struct attribute *attribute, const json_t *current);
/* Does `disable` leave anything that can be seen, or does it only take away? */
bool has_marks(const struct mapping *mapping);

/* ---- operations.c: what leads from the account as read to plan->wanted ---- */

int plan_create(const struct planning *planning, struct plan *plan);
int plan_remove(const struct planning *planning, struct plan *plan);
/* None where all is so already. Takes planning->changes. What no operation can bring about is told in plan->unmet. */
int plan_changes(struct planning *planning, struct plan *plan);

#endif
