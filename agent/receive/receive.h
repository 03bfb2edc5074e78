/*
 * receive.h: the HTTP(S) endpoint that Okta posts to.
 *
 * Purpose: every answer of the design's table, and a 2xx only after the events
 * are committed. A request waits for the shared commit with its connection
 * suspended; no thread blocks for it.
 *
 * Calling sequence: receive_start → (requests) → receive_stop (refuses new
 * requests with 503, waits up to `drain_us` for those in flight, closes).
 *
 * Order of the checks: path (404), method (405), secret (401), then content
 * type (415), size (413) and form (400); nothing of a body is kept for a peer
 * without the secret. Okta sends the secret with its verification too, so GET
 * needs it as well: nobody else can point a hook here. A refused body is read
 * on and thrown away up to 16 MiB, so that the client sees the answer; a larger
 * one is answered at once, or cut off where its length was not announced.
 * A request that does not arrive whole within timeout_us is closed on, however
 * steadily it trickles; waiting for the commit does not count.
 *
 * Ownership: the settings are copied, but for the clock, which outlives the
 * receiver, as the sink does; receive_set_secrets copies.
 * Threads: libmicrohttpd's own; `sink` is called on them, and its `taken` on
 * the store's writer thread (also after receive_stop, should the store have
 * taken longer than the drain).
 * Errors: address in use, certificate unreadable or not matching its key,
 * each with what would be right.
 * Source: RFC 9110; Okta's event hook description (verification, delivery).
 */
#ifndef PROVOST_RECEIVE_RECEIVE_H
#define PROVOST_RECEIVE_RECEIVE_H

#include "base/error.h"
#include "store/store.h"

struct receiver;

struct receive_settings {
    const char *address;        /* "0.0.0.0", "::1", … */
    int64_t port;               /* 0: any free one */
    const char *certificate;    /* PEM file; NULL: plain HTTP, loopback only */
    const char *key;            /* PEM file */
    const char *path;           /* "/okta/events" */
    const char *header;         /* "Authorization" */
    const char *secret;         /* required */
    const char *previous_secret;/* NULL or "": none */
    int64_t body_bytes_most;    /* 1 MiB */
    int64_t connections_most;   /* 4096 */
    int64_t timeout_us;         /* for a request to arrive whole, and of a connection that does nothing; 10 s */
    int64_t threads;            /* of libmicrohttpd; 0: one per core, at most 4 */
    struct clock *clock;
};

/* Where accepted batches and bad bodies go: the store, or a test's own. */
struct receive_sink {
    void *arg;
    void (*take)(void *arg, struct event_batch *batch, struct wall received, store_taken *taken, void *taken_arg);
    void (*quarantine)(void *arg, const char *body, size_t length, const char *peer, const char *reason);
    /* With each answer: for the status log and counters. `reason` is NULL for a
     * 2xx. Called on libmicrohttpd's threads. May be NULL. */
    void (*answered)(void *arg, int status, const char *peer, const char *reason);
    /* A connection that ended before a request could come; `reason` is a sentence. As `answered`. */
    void (*broken_off)(void *arg, const char *peer, const char *reason);
};

int receive_start(const struct receive_settings *settings, const struct receive_sink *sink, struct receiver **ret_receiver,
                  struct error *error);
int receive_port(const struct receiver *receiver);
int receive_set_secrets(struct receiver *receiver, const char *secret, const char *previous_secret);
void receive_stop(struct receiver *receiver, int64_t drain_us); /* NULL is allowed */

struct receive_counts {
    int64_t requests, verified, accepted, unauthorized, malformed, too_big, wrong_type, unavailable, not_found, wrong_method;
    int64_t tls_failed; /* handshakes that a client began and did not end: it may have refused our certificate */
    /* At the door: with the wrong secret, or a failed handshake. */
    int64_t refused_in_a_row; /* since the last request that was accepted, or since the start */
    struct wall last_accepted, last_refused; /* 0: none since the start */
    bool refused_by_tls;      /* the last refusal */
    struct wall certificate_expires; /* of what is served, the first of its chain; 0: no TLS */
};
void receive_read_counts(const struct receiver *receiver, struct receive_counts *ret_counts);

#endif
