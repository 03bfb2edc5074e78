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
/* An event that changed no fact: it ends here, without a delivery. */
void report_event(struct status_log *log, const struct event *event, enum event_effect effect);

#endif
