/*
 * members.h: a person's values in the target's groups, and a group's members.
 *
 * A group's lane owns the group's entry; each membership value is added or
 * taken out by the member's lane, one value at a time, so that such changes
 * commute. See lane.h for the order of the steps. Private to deliver/.
 * All bool functions: false means that the run's result says why.
 */
#ifndef PROVOST_DELIVER_MEMBERS_H
#define PROVOST_DELIVER_MEMBERS_H

#include "deliver/lane_private.h"

struct member_list {
    struct plan_member *list; /* strings and accounts owned */
    size_t count;
};
int member_list_read(struct lane_run *run, struct member_list *ret_list); /* negative: result set */
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

/* Before anything else, once the account is read and is ours. */
bool groups_catch_up(struct lane_run *run);
/* Before the account goes: its values go out of all groups. */
bool groups_before(struct lane_run *run, const struct plan *plan);

typedef bool relink_function(struct lane_run *run, const struct plan *plan);
/* After the account is as wanted: the link, and its values in groups. */
bool groups_after(struct lane_run *run, const struct plan *plan, bool was_there, relink_function *relink);

#endif
