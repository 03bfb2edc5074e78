/*
 * judge.h: whose refusals they are, where a code does not tell: a record's, or
 * the target's.
 *
 * When JUDGE_ROW different lanes in a row get the same refusal and none
 * succeeds between them, it is the target's. A lane counts once: repeated
 * refusals of a lane that has not succeeded since are no evidence against the
 * target.
 *
 * Ownership: a plain value, zero-initialised. Threads: the owner's lock.
 * Private to deliver/.
 */
#ifndef PROVOST_DELIVER_JUDGE_H
#define PROVOST_DELIVER_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JUDGE_ROW 3
#define JUDGE_KNOWN_MAX 256 /* the oldest are forgotten */

struct judge {
    int code;         /* of the row */
    bool of_change;   /* what was refused were changes: only one that is accepted ends the row */
    size_t row;
    struct judge_known {
        uint64_t lane, refused_at; /* of `refusals`, the last time */
    } known[JUDGE_KNOWN_MAX];
    size_t known_count, known_next;
    uint64_t refusals; /* so far */
};

/* True: the target refuses. */
bool judge_refused(struct judge *judge, uint64_t lane, int code, bool of_change);
void judge_accepted(struct judge *judge, uint64_t lane);
/* A target that refused has taken a change: from now on all lanes count anew. */
void judge_forget(struct judge *judge);
/* When the lane was refused, in refusals from 1 on; 0: it was not, or has succeeded since. */
uint64_t judge_refused_at(const struct judge *judge, uint64_t lane);

#endif
