/*
 * status_log.h: the status log that administrators read: logfmt, one line per
 * delivery outcome and per state change of a target.
 *
 * Calling sequence: status_log_open → status_log_line … → status_log_reopen
 * on SIGHUP (logrotate's way) → status_log_close.
 * Threads: status_log_line may be called by all; a line is one write(2).
 * A line that cannot be written is counted, said once on standard error, and
 * the log is tried again with each later line: work never stops for it.
 * Ownership: field values are borrowed for the call.
 * Format: time level key=value …; a value with a space, quote, '=', backslash or
 * control character, and an empty one, is quoted; in quotes \" \\ \n \t \r \xNN stand
 * for themselves. What is not safe to show (str_character) has its bytes escaped. Keys: provost-log(5).
 */
#ifndef PROVOST_RECORD_STATUS_LOG_H
#define PROVOST_RECORD_STATUS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct status_log;

struct log_field {
    const char *key;
    const char *text; /* NULL with `is_number` false: the field is left out */
    int64_t number;
    bool is_number;
};
#define LOG_TEXT(k, v) ((struct log_field){ (k), (v), 0, false })
#define LOG_NUMBER(k, n) ((struct log_field){ (k), NULL, (n), true })

/* destination: a path, "journal", or "-" for standard output. */
int status_log_open(const char *destination, struct clock *clock, struct status_log **ret_log, struct error *error);
int status_log_reopen(struct status_log *log, struct error *error);
void status_log_close(struct status_log *log); /* NULL is allowed */
/* level: "info", "warning" or "error". */
void status_log_line(struct status_log *log, const char *level, const struct log_field *fields, size_t count);
int64_t status_log_lost(const struct status_log *log);

/* Splits a line back; for `provostctl log`. fields[i].text points into
 * `scratch` (at least strlen(line)+1 bytes). Number of fields (time and level
 * come as keys "time", "level"), or negative when it is no such line. */
int status_log_parse(const char *line, char *scratch, struct log_field *fields, size_t most);

#endif
