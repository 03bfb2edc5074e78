/*
 * groups.h: the steps about a person's values in groups, for the person's lane.
 *
 * Member rows (store.h) say which values we wrote, and for whom; they decide
 * what is removed. The target is looked at once, for what has no row: values that
 * somebody else wrote move along when the account is renamed, and go with the
 * account; an explicit removal counts for them, too. What the look could not
 * see is noted, and never taken for "in no group".
 *
 * Private to deliver/. lane.c has the order of the steps. Ownership, threads and errors as in run.h.
 */
#ifndef PROVOST_DELIVER_GROUPS_H
#define PROVOST_DELIVER_GROUPS_H

#include "deliver/run.h"

enum step groups_look(struct lane_run *run);
/* Out of all groups that the person is no member of, each by itself; of all groups where the account goes. */
enum step groups_part(struct lane_run *run);
/* Has the person a value in a group that must be left: one of ours, or one that was seen where a fact forbids it? */
bool groups_are_left(const struct lane_run *run);
/* Values that somebody else wrote move along with a rename, before the link forgets the value of before. */
enum step groups_carry(struct lane_run *run);
/* Into those that the person is a member of. */
enum step groups_join(struct lane_run *run);
/* The value of before a rename, once the new one is there; every value of an account that has none any more. */
enum step groups_leave_former(struct lane_run *run);

/* The value that the account has in groups, with its key: into `link`, which owns it. NULL: it has none. */
bool groups_value_of(struct lane_run *run, const char *locator, const json_t *values, struct link *link);
/* Must the link be stored before values follow it? */
bool groups_wait_for_link(const struct lane_run *run);
void groups_clear(struct lane_run *run);

#endif
