/*
 * outcome.h: HTTP statuses → delivery outcomes, in one table; what a request or
 * a target says differently; and codes that an API gives within a 200.
 *
 * A request's `outcomes` come before the target's, these before the table.
 * Any number has a row: a status that no row names has that of its class, and
 * one that is no status is REJECTED.
 * Threads: no state. Ownership: all texts are constants.
 * Sources: RFC 9110 §15, RFC 6585, RFC 8470 (425), RFC 4918 (423), RFC 7725 (451).
 */
#ifndef PROVOST_CONNECTORS_REST_OUTCOME_H
#define PROVOST_CONNECTORS_REST_OUTCOME_H

#include "connectors/rest/call.h"

struct status_row {
    int first, last; /* statuses */
    enum outcome outcome;
    const char *name;     /* as the RFC spells it */
    const char *sentence; /* for a person */
};

/* Never NULL. Rows for one status come before those of classes. */
const struct status_row *status_row(int status);
/* The table itself, for its tests; ends with the row of what is no status (0, 0). */
const struct status_row *status_table(void);

/* The outcomes that mappings and settings may name; NULL-terminated, by enum outcome. */
extern const char *const outcome_choices[];
bool outcome_find(const char *name, enum outcome *ret_outcome);

/* A target's own table: outcome by status, or -1. */
#define STATUS_COUNT 600
struct status_overrides {
    signed char outcome[STATUS_COUNT];
};
void overrides_read(const config_setting_t *outcomes, struct status_overrides *ret_overrides); /* NULL: none */

/* Accepted: a promise, not a state. Does the mapping or the target say what it means here (then it is believed)? */
#define STATUS_ACCEPTED 202
bool outcome_is_told(const struct call *call, const struct status_overrides *overrides, int status);

/* The outcome of a status as the answer to a call. `single`: it asked for one
 * item, so "not found" is an answer. */
enum outcome outcome_of_status(const struct call *call, const struct status_overrides *overrides, int status);

/* A code that the API gave in its JSON: what `codes` says, else REJECTED. */
enum outcome outcome_of_code(const struct call *call, const char *code);

/* ( { status = 423; outcome = "retry"; } ), checked; `where` names it in messages. */
void outcome_check_list(const config_setting_t *outcomes, const char *where, struct problems *problems);
/* ( { code = "-32004"; outcome = "gone"; } ) */
void outcome_check_codes(const config_setting_t *codes, const char *where, struct problems *problems);

#endif
