#include "record/report.h"

#include "base/str.h"

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

static const char *level_of(const struct delivery_report *report)
{
    static const struct {
        const char *outcome, *level;
    } levels[] = {
        { "retry", "warning" }, { "unseen", "warning" }, { "target_down", "warning" }, { "refusing", "warning" },
        { "rejected", "error" }, { "ambiguous", "error" }, { "dead", "error" },
    };

    for (size_t i = 0; i < COUNT(levels); i++)
        if (str_equal(levels[i].outcome, report->outcome))
            return report->overdue ? "error" : levels[i].level;
    return "info";
}

static struct log_field optional_number(const char *key, int64_t number, bool there)
{
    return there ? LOG_NUMBER(key, number) : LOG_TEXT(key, NULL);
}

void report_delivery(struct status_log *log, const struct delivery_report *report)
{
    bool user = report->kind == IDENTITY_USER;
    const struct log_field fields[] = {
        LOG_TEXT("target", report->target),
        LOG_TEXT("user", user ? report->subject : NULL),
        LOG_TEXT("group", user ? NULL : report->subject),
        LOG_TEXT("id", report->id),
        LOG_TEXT("action", report->action),
        LOG_TEXT("outcome", report->outcome),
        LOG_TEXT("account", report->account),
        LOG_TEXT("event", report->event_uuid),
        LOG_TEXT("type", report->event_type),
        optional_number("superseded", (int64_t)report->superseded, report->superseded > 0),
        LOG_NUMBER("attempt", report->attempt),
        optional_number("retry_in_ms", report->retry_in_us / 1000, report->retry_in_us >= 0),
        LOG_NUMBER("took_ms", report->took_us / 1000),
        optional_number("lag_ms", report->lag_us / 1000, report->lag_us >= 0),
        LOG_TEXT("leaver", report->leaver ? "not_out" : NULL),
        LOG_TEXT("step", report->undone),
        optional_number("sessions_found", report->sessions_found, report->sweep > 0),
        optional_number("sessions_ended", report->sessions_ended, report->sweep > 0),
        optional_number("sweep", report->sweep, report->sweep > 0),
        optional_number("revoke_ms", report->revoke_us / 1000, report->revoke_us >= 0),
        LOG_TEXT("note", report->note),
        LOG_TEXT("reason", report->reason),
    };

    status_log_line(log, level_of(report), fields, COUNT(fields));
}

void report_target(struct status_log *log, const char *target, enum target_state state, const char *reason)
{
    const struct log_field fields[] = {
        LOG_TEXT("target", target),
        LOG_TEXT("state", target_state_name(state)),
        LOG_TEXT("reason", reason),
    };

    bool bad = state == TARGET_DOWN || state == TARGET_REFUSING;

    status_log_line(log, bad ? "error" : "info", fields, COUNT(fields));
}

void report_clock(struct status_log *log, const char *level, const char *state, int64_t by_us, const char *reason)
{
    const struct log_field fields[] = {
        LOG_TEXT("clock", state),
        optional_number("by_s", by_us / 1000000, by_us != 0),
        LOG_TEXT("reason", reason),
    };

    status_log_line(log, level, fields, COUNT(fields));
}

void report_act(struct status_log *log, const struct act_report *report)
{
    const struct log_field fields[] = {
        LOG_TEXT("act", report->act),
        LOG_TEXT("outcome", report->outcome),
        LOG_TEXT("by", report->by),
        LOG_NUMBER("uid", report->uid),
        LOG_TEXT("target", report->target),
        LOG_TEXT("user", report->user),
        LOG_TEXT("group", report->group),
        LOG_TEXT("account", report->account),
        LOG_TEXT("leavers", report->leavers ? "too" : NULL),
        optional_number("lanes", report->lanes, report->lanes >= 0),
        optional_number("kept", report->kept, report->kept > 0),
        LOG_TEXT("reason", report->reason),
    };
    bool well = str_equal(report->outcome, "done") && !report->leavers;

    status_log_line(log, well ? "info" : "warning", fields, COUNT(fields));
}

void report_event(struct status_log *log, const struct event *event, enum event_effect effect)
{
    bool user = event->subject_kind == IDENTITY_USER;
    const struct log_field fields[] = {
        LOG_TEXT("user", user ? event->subject_name : NULL),
        LOG_TEXT("group", user ? NULL : event->subject_name),
        LOG_TEXT("id", event->subject_id),
        LOG_TEXT("action", "none"),
        LOG_TEXT("outcome", event_effect_name(effect)),
        LOG_TEXT("event", event->uuid),
        LOG_TEXT("type", event->type),
    };

    status_log_line(log, "info", fields, COUNT(fields));
}
