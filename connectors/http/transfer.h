/*
 * transfer.h: one request out, one answer in, over a libcurl handle. No log-in,
 * no limit, no redirect: those are http.c's and token.c's.
 *
 * Calling sequence: transfer_start (once in the process's life, by any) →
 * curl_easy_init → transfer_run … → curl_easy_cleanup. Connections are kept in
 * the handle between calls.
 * Ownership: the request is borrowed; the answer is the caller's (http_answer_clear).
 * Threads: one at a time for each handle.
 * Secrets: a reason holds what libcurl and the server's certificate say; the
 * caller masks it.
 */
#ifndef PROVOST_CONNECTORS_HTTP_TRANSFER_H
#define PROVOST_CONNECTORS_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "connectors/http/http.h"

struct transfer_request {
    const char *method, *url;
    const char *shown; /* how messages call it: "GET /employees" */
    struct curl_slist *headers;
    const char *body;
    size_t body_bytes;
    bool repeatable;
    int64_t timeout_us;
};

int transfer_start(struct error *error);
enum http_end transfer_run(CURL *curl, const struct http_settings *settings, const struct transfer_request *request,
                           struct http_answer *ret_answer);

/* What a connection needs whatever is sent over it: TLS, proxy, time-outs. For
 * transfer.c and diagnose.c. */
CURLcode transfer_set_connection(CURL *curl, const struct http_settings *settings, int64_t timeout_us);

/* "Name: value"; false: out of memory, the list stays as it was. */
bool transfer_add_header(struct curl_slist **list, const char *name, const char *value);
void transfer_free_headers(struct curl_slist *list); /* wiped; NULL is allowed */

#endif
