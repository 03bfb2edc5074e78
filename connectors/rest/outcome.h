/*
 * outcome.h: HTTP statuses → delivery outcomes, in one table; what a request or
 * a target says differently; and codes that an API gives within a 200.
 *
 * A status tells what, and often not whose refusal it is: 403 may be about this
 * person or about the agent's account, 405 may be a wrong mapping or a gateway whose
 * application is away. Such rows are RETRY with REFUSAL_UNSURE, and the agent finds out by
 * what happens to others. REJECTED is left for what speaks of the request itself (400, 413, 422).
 * Order: a request's `outcomes`, the target's `outcomes` (both count as told: SURE), a wish
 * to wait beside a refusal (a rate limit: RETRY, SURE), the table. A wish beside a 5xx is kept with
 * what the table says.
 * Any number has a row: a status that no row names has that of its class.
 * Threads: no state. Ownership: all texts are constants.
 * Sources: RFC 9110 §15, RFC 6585, RFC 8470 (425), RFC 4918 (423), RFC 7725 (451). What APIs do beside them: 402, 403 and
 * 423 for a whole shop that has not paid (Shopify), 423 for the client's own account (Trakt), 405 where an error page of nginx hides a
 * 504, 406 from ModSecurity, 403 as a rate limit (GitHub), 404 for what one may not see (GitHub) and for an API that is not deployed.
 */
#ifndef PROVOST_CONNECTORS_REST_OUTCOME_H
#define PROVOST_CONNECTORS_REST_OUTCOME_H

#include "connectors/http/http.h"
#include "connectors/rest/call.h"

struct status_row {
    int first, last; /* statuses */
    enum outcome outcome;
    enum refusal refusal;
    bool at_work;         /* the answer may be a gateway's, or a promise: the API may still be at work on a creation */
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

struct verdict {
    enum outcome outcome;
    enum refusal refusal;
    const char *sentence; /* for a person */
    bool by_quota;        /* a rate limit that only the quota headers tell */
    int64_t retry_after_us;
};

/* What an answer's status and headers mean to a call. */
struct verdict verdict_of_answer(const struct call *call, const struct status_overrides *overrides, const struct http_answer *http);

/* A code that the API gave in its JSON: what `codes` says. One that is not named there can be this record's or the target's (an API that
 * answers 200 and "ok: false" to everything): RETRY, UNSURE. */
struct verdict verdict_of_code(const struct call *call, const char *code);

/* ( { status = 423; outcome = "retry"; } ), checked; `where` names it in messages. */
void outcome_check_list(const config_setting_t *outcomes, const char *where, struct problems *problems);
/* ( { code = "-32004"; outcome = "gone"; } ) */
void outcome_check_codes(const config_setting_t *codes, const char *where, struct problems *problems);

#endif
