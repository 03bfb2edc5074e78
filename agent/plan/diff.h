/*
 * diff.h: values as sets, and the changes that lead from one set to another.
 * Private to plan/. Values are json_t; lists are arrays; NULL is empty.
 * Ownership: results are new references. Threads: no state.
 * Errors: out of memory only.
 */
#ifndef PROVOST_PLAN_DIFF_H
#define PROVOST_PLAN_DIFF_H

#include "connectors/connector.h"

/* json_copy leaves out what it has no memory for; this is NULL then. */
json_t *value_copy(const json_t *value);

/* When two values are the same one. */
enum compare {
    COMPARE_EXACT,
    COMPARE_FOLDED, /* without case */
    COMPARE_DN,
};

/* `base` and those of `more` that it lacks; NULL when there are none. */
int set_union(enum compare compare, const json_t *base, const json_t *more, json_t **ret_list);
/* Those of `base` that `less` lacks; NULL when there are none. */
int set_minus(enum compare compare, const json_t *base, const json_t *less, json_t **ret_list);

struct change_list {
    struct change *list;
    size_t count;
};
void change_list_clear(struct change_list *changes);

/* Appends what makes `current` into `wanted`: a directory's attribute. */
int diff_list(enum compare compare, const char *name, const json_t *current, const json_t *wanted, struct change_list *changes);
/* The same where an attribute has one value of any type: replaced as a whole, unless what is there fits. */
int diff_value(const char *name, const json_t *current, const json_t *wanted, struct change_list *changes);

/* Is `current` as `wanted` says, by what that names? An object may have more
 * members; a list has as many entries, in any order, each fitting one wanted. */
bool value_fits(const json_t *wanted, const json_t *current);
/* The same where upper and lower case make no difference. */
bool value_fits_folded(const json_t *wanted, const json_t *current);
/* `current` and those entries of `wanted` that none of it fits. */
int list_with(const json_t *current, const json_t *wanted, json_t **ret_list);

#endif
