/*
 * begun.h: what a lane, mostly a group's, set out to write and does not know the end of.
 *
 * Purpose: an answer that was lost, or an agent that was killed, leaves an
 * entry that may have been made, and values in it that may be old by now. The
 * next attempt cannot tell them from what was made or put in by hand. So the
 * group's name and the members' values are kept in the link, durable before
 * they are written, until the lane comes to its end: what was made under
 * another name is found by that name, what nobody stands with any more is
 * taken out.
 *
 * A creation that was begun at a place is waited for by any other group that
 * would make or take over an entry there: that one may be the first one's.
 * People are found by their id; of them only an unanswered creation is noted,
 * with the receipt: who left the scope meanwhile has an account that is ours.
 *
 * Calling sequence: begun_find before the account is read; begun_place or
 * begun_write before writing; begun_values when the members are looked at
 * afterwards; begun_forget at a good end.
 * Ownership: all is kept in the run's link. Threads: none of its own.
 * All bool functions: false means that the run's result says why.
 */
#ifndef PROVOST_DELIVER_BEGUN_H
#define PROVOST_DELIVER_BEGUN_H

#include "deliver/lane_private.h"

/* Whose creation was begun and is not linked: what is there by the name of then is ours. */
bool begun_find(struct lane_run *run);
/* Before an entry is made with these values (the keys of an object; NULL: none), or taken over, at `place` (NULL: the
 * target gives it one). */
bool begun_place(struct lane_run *run, const char *place, const json_t *values);
/* Before these values are put into the entry that is linked. */
bool begun_write(struct lane_run *run, const json_t *values);
/* After a creation, noted or not, whose end is not known. The result says already what failed. */
void begun_unanswered(struct lane_run *run, const char *place);
/* Adds the values that were begun to the keys of `set`. */
bool begun_values(struct lane_run *run, json_t *set);
void begun_forget(struct lane_run *run);

/* For a member's lane: has this group's lane set out to write the value, and not come to its end? Then that one takes it out. */
bool begun_has(struct lane_run *run, const char *group_id, const char *value, bool *ret_has);
/* For a member's lane: a group whose creation was begun may be there already, with an old value in it. What stands at its
 * place and is nobody's yet counts as its entry: `group` gets the key and is not gone. */
bool begun_entry(struct lane_run *run, struct link *group);

#endif
