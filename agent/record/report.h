/*
 * report.h: what the stages report → lines of the status log (provost-log(5)).
 * Threads: all may call these. Arguments are borrowed.
 */
#ifndef PROVOST_RECORD_REPORT_H
#define PROVOST_RECORD_REPORT_H

#include "deliver/deliver.h"
#include "record/status_log.h"

void report_delivery(struct status_log *log, const struct delivery_report *report);
void report_target(struct status_log *log, const char *target, enum target_state state, const char *reason);
/* This machine's clock: "slow", "set_back" and so on, by how much, and the sentence that a person reads. */
void report_clock(struct status_log *log, const char *level, const char *state, int64_t by_us, const char *reason);
/* What a person asked for at the control socket, and what came of it. */
struct act_report {
    const char *act;     /* "drop", … */
    const char *outcome; /* "done", "failed", "refused" (no right to) */
    const char *by;      /* NULL: the system knows no name for the uid */
    int64_t uid;
    const char *target, *user, *group, *account; /* as asked for; NULL: not named */
    bool leavers;        /* those, too */
    int64_t lanes, kept; /* how many were handled, and left; -1: it is not about lanes */
    const char *reason;  /* NULL: none */
};
void report_act(struct status_log *log, const struct act_report *report);
/* An event that changed no fact: it ends here, without a delivery. */
void report_event(struct status_log *log, const struct event *event, enum event_effect effect);

#endif
