/*
 * session.h: one worker's client of an API: a request at a time, and what its
 * answer came to.
 *
 * Calling sequence: session_open → session_ask … → session_close.
 * A session remembers the last document that it read, for the change that
 * follows: it is used once, for the same account, and not when it is older than
 * SEEN_MOST_US; everything else that is asked makes it forget.
 * Threads: one at a time for each session; struct connector_shared is shared
 * by all sessions of a target and changes only within the HTTP client.
 * Ownership: stated per function.
 * Errors: a receipt's reason names the request (method and path), the status
 * and what was wrong, with every secret masked.
 */
#ifndef PROVOST_CONNECTORS_REST_SESSION_H
#define PROVOST_CONNECTORS_REST_SESSION_H

#include "connectors/http/http.h"
#include "connectors/rest/outcome.h"
#include "connectors/rest/request.h"
#include "connectors/rest/settings.h"

#define SEEN_MOST_US (INT64_C(10) * 1000000)

struct connector_shared {
    const struct rest_settings *settings;
    struct http_shared *http;
    struct status_overrides overrides;
    struct mono since; /* before it, another process may have sent requests */
};

struct seen {
    char *key;        /* whose; NULL: nobody's */
    json_t *document; /* the item */
    char *etag;       /* NULL: none */
    json_t *nobody;   /* the match requests that found nobody; NULL: they were not asked */
    struct mono at;
};

struct connector_session {
    const struct rest_settings *settings;
    const struct connector_shared *shared;
    struct http_client *client;
    struct seen seen;
    bool answered; /* the answer to the last request that changes something is known, and the target is not at work on it */
};

int session_share(const void *settings, struct connector_shared **ret_shared, struct error *error);
void session_unshare(struct connector_shared *shared);

enum outcome session_open(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                          struct receipt *receipt);
void session_close(struct connector_session *session); /* NULL is allowed */
enum outcome session_probe(struct connector_session *session, struct receipt *receipt);

struct reply {
    struct http_answer http;
    json_t *document; /* NULL: no JSON came */
    bool unusable;    /* a success whose text is not what it must be, or too much of it: what was asked for may have been done */
};
void reply_clear(struct reply *reply);
#define cleanup_reply __attribute__((cleanup(reply_clear)))

/* `document`: the answer must be JSON; else it may be empty or a plain text, but no
 * page. APPLIED or UNCHANGED, or the receipt says why not; *ret_reply is filled
 * in both cases and the caller's to clear. */
enum outcome session_ask(struct connector_session *session, const struct call *call, const struct message_input *input,
                         bool document, struct reply *ret_reply, struct receipt *receipt);

/* Sets the receipt: "METHOD PATH: " and a sentence, masked. Returns `outcome`. */
enum outcome session_say(const struct connector_session *session, const struct call *call, enum outcome outcome, int status,
                         struct receipt *receipt, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* The same for an answer that is not what it should be, with the status and the first bytes of the answer: RETRY, UNSURE. It may be
 * about this record, or a log-in or maintenance page, or a wrong pointer in the mapping, which all records get. */
enum outcome session_say_unusable(const struct connector_session *session, const struct call *call, const struct reply *reply,
                                  const struct error *error, struct receipt *receipt);
/* What a success says beside the account, in the API's own words (result.error, else "message"), masked and cut; the caller's; NULL: nothing. */
char *session_message(const struct connector_session *session, const struct call *call, const struct reply *reply);
/* What a refusal says, for an answer that had been taken for fine (404 to a removal). Returns `outcome`; UNSURE. */
enum outcome session_say_refused(const struct connector_session *session, const struct call *call, const struct reply *reply,
                                 enum outcome outcome, struct receipt *receipt);
/* For what could not even be made: REJECTED, or RETRY when out of memory. */
enum outcome session_say_error(const struct error *error, struct receipt *receipt);

/* ---- the last look ---- */

void session_remember(struct connector_session *session, const char *key, json_t *document, const char *etag);
void session_remember_nobody(struct connector_session *session, const json_t *settings);
void session_forget(struct connector_session *session);
/* The document of this account, if it was just read; the caller's, as is the ETag (NULL: none). */
json_t *session_recall(struct connector_session *session, const char *key, char **ret_etag);
/* Did these match requests just find nobody? */
bool session_recalls_nobody(struct connector_session *session, const json_t *settings);

#endif
