/*
 * members.h: a group's members, for the group's lane. The other side is groups.h.
 *
 * A group's lane owns the group's entry; it writes values of members only
 * where their own lanes could not see the entry yet. Private to deliver/.
 * All bool functions: false means that the run's result says why.
 */
#ifndef PROVOST_DELIVER_MEMBERS_H
#define PROVOST_DELIVER_MEMBERS_H

#include "deliver/lane_private.h"

struct member_list {
    struct plan_member *list; /* strings and accounts owned */
    size_t count;
};
int member_list_read(struct lane_run *run, const char *group_id, struct member_list *ret_list); /* negative: result set */
void member_list_free(struct member_list *list);
/* Before a group's lane changes its entry: what it is about to write is durable (begun.h). */
bool members_begin(struct lane_run *run, const struct member_list *members, const struct plan *plan);
/*
 * After a group's lane wrote `written`: members may have been renamed or gone
 * meanwhile, and their lanes could not see the entry yet. Values that are
 * missing go in, those that are old go out, until nobody moves any more;
 * *ret_again where the last one could not be taken out.
 */
bool members_recheck(struct lane_run *run, const struct member_list *written, const char *locator, bool *ret_again);

/* The value that an account stands with in groups; NULL where it has no place. */
bool members_value(struct lane_run *run, const char *locator, const json_t *values, char **ret_value);
/* Does a member of the group, other than the run's person, stand with that value by the link? After a rename that is so
 * until the groups are right. */
bool members_hold(struct lane_run *run, const char *group_id, const char *wanted, bool *ret_holds);
/* The last member cannot be taken out of a group that lives by its members:
 * the group's lane takes the entry away, unless another member came. */
bool members_is_last(const struct lane_run *run, const struct operation *operation, enum outcome outcome);

#endif
