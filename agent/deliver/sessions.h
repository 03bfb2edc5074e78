/*
 * sessions.h: the steps of a lane whose target ends sessions (plan.h says what
 * is planned). Private to deliver/.
 *
 * Order of the steps, and why
 *   - Markers are read only where the mapping keeps any, and written before
 *     the sweep. What fails with them does not keep a sweep from being made;
 *     a target that is down does.
 *   - The link keeps which time was swept how often. It is committed with the
 *     receipt: a crash between the sweep and the link sweeps once more, which
 *     is harmless.
 *   - The second sweep is a due time of the lane.
 *   - Nobody found is success only where somebody could have been: until then
 *     the person is not out, and the sweep is made again.
 * Groups are never touched. Ownership, threads and errors as in run.h.
 */
#ifndef PROVOST_DELIVER_SESSIONS_H
#define PROVOST_DELIVER_SESSIONS_H

#include "deliver/run.h"

enum step sessions_read(struct lane_run *run);
enum step sessions_make_plan(struct lane_run *run);
enum step sessions_mark(struct lane_run *run);
enum step sessions_revoke(struct lane_run *run);
enum step sessions_link(struct lane_run *run);

/* A sweep that found nobody, and could not have (receipt.doubt), is UNSEEN; but where somebody was found at that place once, nobody is
 * nobody. Keeps that place in the store, and hurries those who wait for it. */
void sessions_judge(const struct lane_run *run, struct receipt *receipt);

#endif
