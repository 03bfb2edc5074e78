/*
 * groups.h: a person's values in the target's groups, for the person's lane.
 *
 * Each membership value is added or taken out by the member's lane, one value
 * at a time, so that such changes commute. See lane.h for the order of the
 * steps. Private to deliver/.
 * All bool functions: false means that the run's result says why.
 */
#ifndef PROVOST_DELIVER_GROUPS_H
#define PROVOST_DELIVER_GROUPS_H

#include "deliver/lane_private.h"

/* Before anything else, once the account is read and is ours. */
bool groups_catch_up(struct lane_run *run);
/* Before the account goes: its values go out of all groups. */
bool groups_before(struct lane_run *run, const struct plan *plan);

typedef bool relink_function(struct lane_run *run, const struct plan *plan);
/* After the account is as wanted: the link, and its values in groups. */
bool groups_after(struct lane_run *run, const struct plan *plan, bool was_there, relink_function *relink);

#endif
