/*
 * okta.h: Okta's Event Hook body → events → facts.
 *
 * Source: Okta's Event Hook and System Log LogEvent description. Identities
 * are found by target type, never by position. Only an outcome of SUCCESS (any
 * case) sets facts. Members that are missing, null or of another type than
 * documented are treated as missing.
 *
 * What an event lacks: `published` falls back to the body's eventTime, then to
 * `received`. A time is taken as told: which one is absurd is judged where the
 * newest time of the source is known (store/source_time.c). `uuid` falls back to
 * "eventId#index", then to a digest of the event ("sha256:…"). An entry of
 * data.events that is no object is kept as an event without facts.
 * A text that no account could hold counts as missing, whole, never cut: one
 * with NUL or half a surrogate pair, an id past 256 bytes, a name past 1,024;
 * so do empty ones and Okta's "unknown".
 *
 * Ownership: the batch is the caller's (event_batch_free). Threads: no state.
 * Errors: ERROR_SYNTAX for what is no JSON or nested too deeply (at most
 * 64 levels), ERROR_INVALID for JSON that is no event hook body (a member
 * data.events that is an array, once) or holds more than 10,000 events, or 1,000
 * targets or 10,000 facts in one event; the sentence says why. ERROR_NOMEM.
 */
#ifndef PROVOST_SOURCE_OKTA_H
#define PROVOST_SOURCE_OKTA_H

#include "source/facts.h"

int okta_parse_hook(const char *body, size_t length, struct wall received, struct event_batch **ret_batch, struct error *error);

/* One LogEvent, alone (System Log, `provostctl test`), as a batch of one. Its `sent` is not told: a caller that knows when Okta sent
 * it (the answer's Date) sets it, and so helps an agent whose clock is wrong. */
int okta_parse_log_event(json_t *log_event, struct wall received, struct event_batch **ret_batch, struct error *error);

#endif
