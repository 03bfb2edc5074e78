/*
 * account.h: the steps about the account itself, a person's or a group's
 * entry: read, plan, adopt, take access away, everything else, link.
 * Private to deliver/; lane.c has their order. Ownership, threads and errors as in run.h.
 */
#ifndef PROVOST_DELIVER_ACCOUNT_H
#define PROVOST_DELIVER_ACCOUNT_H

#include "deliver/run.h"

enum step account_read(struct lane_run *run);
enum step account_plan(struct lane_run *run);
/* An account that was there before we knew of it becomes ours, or is another's. */
enum step account_adopt(struct lane_run *run);
/* The marks of `disable` alone, or the removal; a removal that is refused becomes a disable. */
enum step account_leave(struct lane_run *run);
enum step account_change(struct lane_run *run);
/* What the link must say after that. */
enum step account_link(struct lane_run *run);

#endif
