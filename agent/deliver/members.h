/*
 * members.h: a group's members, for the group's lane. The other side is groups.h.
 *
 * A group's lane owns the group's entry, and writes values of members into it
 * when it creates the entry or finds them missing; their rows are durable
 * before (intent.h). Values that are not right any more are mended by the
 * members' own lanes, which the store makes ready with the group's receipt.
 * Private to deliver/. Ownership, threads and errors as in run.h.
 */
#ifndef PROVOST_DELIVER_MEMBERS_H
#define PROVOST_DELIVER_MEMBERS_H

#include "deliver/run.h"

/* Reads run->members and the values for the planner. False: the result says why. */
bool members_read(struct lane_run *run);
void members_clear(struct lane_run *run);
/* The rows of those whose values the operation writes, in `changes` (as many as there are members), their texts borrowed. */
size_t members_written(const struct lane_run *run, const struct operation *operation, enum member_state state,
                       struct member_change *changes);
/* After the entry was written: the rows are so. */
void members_note(struct lane_run *run, const struct operation *operation);
/* The step that adds members one by one, where an entry is created without them. */
enum step members_add(struct lane_run *run);
/* A group's last member cannot be removed where the group lives by its members: its own lane removes the entry, unless another member came. */
bool members_is_last(const struct lane_run *run, const struct operation *operation, const struct receipt *receipt);

#endif
