/*
 * http.h: HTTP for connectors, on libcurl.
 *
 * Purpose: one request and its answer, with what every API wants on the way:
 * TLS (1.2 or later, always checked unless told otherwise), log-in (bearer,
 * basic, API key, OAuth 2.0 client credentials), the target's own rate limit,
 * a circuit that opens when nothing works, time-outs, bounded answers, no
 * redirect to another host, no secret in any message.
 *
 * Calling sequence
 *     http_check                          settings as a whole, no I/O
 *     http_share → http_open (per session) → http_perform … → http_close → http_unshare
 *
 * What holds a request back, in this order: the circuit (open: REFUSED at
 * once, but for trials), in_flight and rate (waited for, at most `timeout`), a pause that the
 * target asked for (up to a second is waited for; else NOT_SENT and TARGET_DOWN with what is left of it: it
 * holds back all requests, and no lane pays for it). Then
 * the request has `timeout`, redirects and a second try with a new token included.
 * What asks for a pause: Retry-After on 429 or 503; 403 beside a quota that is used up; any other refusal with
 * Retry-After when the answer before it was one, too: one alone may be about one record. None lasts longer than PATIENCE_MOST_US.
 * Not used: proxies of the environment, .netrc, cookies, other protocols.
 *
 * Ownership: settings and shared outlive the clients; requests are borrowed
 * for the call; an answer is the caller's (http_answer_clear).
 * Threads: a client belongs to one thread; struct http_shared (token, rate
 * limit, circuit) is used by all sessions of a target behind its own lock.
 * Times: microseconds.
 * Errors: http_perform never fails without saying how far it came (enum
 * http_end): whether a change may have been made is what its caller has to know.
 * Sources: RFC 9110 (HTTP; Retry-After §10.2.3), RFC 6585 (429), RFC 6749 §4.4
 * and RFC 7523 (OAuth client credentials, private_key_jwt), RFC 6750 (bearer).
 */
#ifndef PROVOST_CONNECTORS_HTTP_HTTP_H
#define PROVOST_CONNECTORS_HTTP_HTTP_H

#include "connectors/connector.h"
#include "connectors/http/retry_after.h"
#include "connectors/http/settings.h"

struct http_shared;
struct http_client;

void http_check(const struct http_settings *settings, const char *file, int line, struct problems *problems);
int http_share(const struct http_settings *settings, struct http_shared **ret_shared, struct error *error);
void http_unshare(struct http_shared *shared); /* NULL is allowed */

/* A client; connects with its first request. 0 or negative. */
int http_open(const struct http_settings *settings, struct http_shared *shared, struct http_client **ret_client, struct error *error);
void http_close(struct http_client *client); /* NULL is allowed */

struct http_header {
    const char *name, *value;
};
struct http_request {
    const char *method;
    const char *target; /* path with query, as it stands after the target's url ("/employees?x=1"); or an absolute URL of the same origin */
    const struct http_header *headers; /* the request's own; { NULL, NULL } at the end; NULL: none */
    const char *body;   /* NULL: none */
    size_t body_bytes;
    const char *content_type; /* of the body */
    bool trial;         /* goes through an open circuit: a probe, whose rate is the caller's affair. One that went well lets others try */
    bool repeatable;    /* sent again at once when a kept connection turns out to be dead (GET, PUT, DELETE; never a create) */
};

enum http_end {
    HTTP_ANSWERED,  /* status and body are there; the body of a refusal (4xx, 5xx) may have been cut short */
    HTTP_NOT_SENT,  /* nothing reached the server: no name, no connection, TLS refused, local limit */
    HTTP_LOST,      /* sent, and no whole answer came: the change may have been made */
    HTTP_REFUSED,   /* we may not: circuit open, no token, log-in refused; see outcome */
    HTTP_BAD,       /* an answer that is no answer: too big, broken encoding, redirect to another host; a change may have been made */
};
struct http_answer {
    enum http_end end;
    int status;              /* HTTP status; 0: none came */
    char *body;              /* NUL-terminated; never NULL when ANSWERED */
    size_t body_bytes;
    char *content_type, *etag, *link, *location; /* NULL: none; several Link headers are one, joined by commas */
    int64_t retry_after_us;  /* 0: none; Retry-After, at most PATIENCE_MOST_US; or how long we hold back ourselves */
    struct patience patience; /* ANSWERED: what the headers say of waiting, not cut */
    enum outcome outcome;    /* unless ANSWERED: TARGET_DOWN, RETRY or REJECTED */
    enum refusal refusal;    /* beside it: UNSURE for what was sent and got no usable answer, LOGIN where the token endpoint refuses us */
    char *reason;            /* unless ANSWERED: one sentence that names the step that failed; no secret */
};
/* Returns answer->end. A 401 with OAuth renews the token and is sent again
 * once. A 3xx is ANSWERED like any other, unless `redirects` lets it be followed. */
enum http_end http_perform(struct http_client *client, const struct http_request *request, struct http_answer *ret_answer);
void http_answer_clear(struct http_answer *answer);

/* Tells the circuit how the last call's answer was taken: a failure is what
 * speaks against the whole target (5xx), not against one record. Only for
 * ANSWERED (once; else without effect): what got no answer is noted by
 * http_perform itself. An answer that nobody notes leaves the count as it is. */
void http_note(struct http_client *client, bool failure);

/* Text for a person with every secret of the settings (and the token) masked, in
 * its encoded forms too, and control characters escaped, cut to `most` bytes; the
 * caller frees; NULL: out of memory. Mask before cutting: half a secret is not known. */
char *http_mask(const struct http_client *client, const char *text, size_t length, size_t most);

/* Appends percent-encoded (RFC 3986, unreserved stay). For query strings. */
struct buf;
void http_encode(struct buf *buf, const char *bytes, size_t length);

/* Can this be a header's name (RFC 9110 §5.1)? */
bool http_header_name_is_valid(const char *name);

#endif
