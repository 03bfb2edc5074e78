/*
 * token.h: the OAuth 2.0 access token that all sessions of a target share.
 *
 * Calling sequence: token_init → token_get (again and again; token_get with
 * the one that a 401 refused) → token_destroy.
 * One fetch at a time: who comes meanwhile waits for it and takes its result,
 * a failure too (for a second). A token is renewed a minute, or a tenth of its
 * life where that is shorter, before it ends.
 * Ownership: the token given is a copy; free it with secret_free.
 * Threads: token_get may be called by all.
 * Errors: a sentence with the endpoint's own `error` and `error_description`, no secret.
 * Sources: RFC 6749 §2.3.1, §4.4, §5; RFC 7523 §2.2.
 */
#ifndef PROVOST_CONNECTORS_HTTP_TOKEN_H
#define PROVOST_CONNECTORS_HTTP_TOKEN_H

#include <pthread.h>

#include "base/clock.h"
#include "connectors/http/http.h"

struct token {
    const struct http_settings *settings;
    pthread_mutex_t lock; /* held during a fetch */
    char *text;           /* NULL: none yet */
    struct mono until;    /* when it is to be renewed */
    struct mono failed;   /* when the last fetch did */
    char *failure;
    enum refusal refusal; /* beside `failure` */
    int64_t retry_after_us;
};

struct token_failure {
    char *reason;         /* the caller's; NULL: out of memory */
    enum refusal refusal; /* LOGIN: the endpoint does not accept who we are; SURE: it fails, or cannot be reached */
    int64_t retry_after_us;
};

int token_init(struct token *token, const struct http_settings *settings, struct error *error);
void token_destroy(struct token *token);

/* 0 and *ret_text, or ERROR_NETWORK and *ret_failure. `refused`: a token that the API took no more; NULL: none. */
int token_get(struct token *token, const char *refused, char **ret_text, struct token_failure *ret_failure);

#endif
