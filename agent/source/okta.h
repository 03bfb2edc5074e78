/*
 * okta.h: Okta's Event Hook body → events → facts.
 *
 * Source: Okta's Event Hook and System Log LogEvent description. Identities
 * are found by target type, never by position. Only an outcome of SUCCESS (any
 * case) sets facts. Members that are missing, null or of another type than
 * documented are treated as missing.
 * Ownership: the batch is the caller's (event_batch_free). Threads: no state.
 * Errors: ERROR_SYNTAX for what is no JSON or nested too deeply (at most
 * 64 levels), ERROR_INVALID for JSON that is no event hook body; the sentence says why.
 */
#ifndef PROVOST_SOURCE_OKTA_H
#define PROVOST_SOURCE_OKTA_H

#include "source/facts.h"

int okta_parse_hook(const char *body, size_t length, struct wall received, struct event_batch **ret_batch, struct error *error);

/* One LogEvent, alone (System Log, `provostctl test`), as a batch of one. */
int okta_parse_log_event(json_t *log_event, struct wall received, struct event_batch **ret_batch, struct error *error);

#endif
