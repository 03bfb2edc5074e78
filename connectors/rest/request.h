/*
 * request.h: a call as the HTTP request that goes out.
 *
 * The planner has percent-encoded what it put into the path; query values are
 * encoded here. Whatever was rendered, the request cannot leave its place: a
 * path with a "." or ".." or empty segment, a "#", a space or a control
 * character is refused, and so is a header that is none.
 * Ownership: message_clear frees; a message does not outlive its call.
 * Threads: no state. Errors: ERROR_INVALID naming the part; ERROR_NOMEM.
 * Sources: RFC 3986 §3.3, §5.2.4 (paths), RFC 9110 §5 (headers), the URL
 * Standard's application/x-www-form-urlencoded.
 */
#ifndef PROVOST_CONNECTORS_REST_REQUEST_H
#define PROVOST_CONNECTORS_REST_REQUEST_H

#include "connectors/http/http.h"
#include "connectors/rest/call.h"

struct message {
    struct http_request http; /* points into the rest */
    char *target;
    struct http_header *headers;
    char **texts; /* that headers point to */
    size_t header_count;
    char *body;
};

/* A query parameter beside the call's own; takes the place of one of the same
 * name. { NULL, … } at the end. */
struct parameter {
    const char *name, *value;
};

/* What a message is made of beside its call. All borrowed, all may be absent. */
struct message_input {
    const char *target;                 /* instead of path and query: an absolute URL (a further page) */
    const struct parameter *parameters; /* NULL: none */
    const struct http_header *headers;  /* { NULL, NULL } at the end; NULL: none */
    const json_t *body;                 /* made for the call's `send`; else the call's own body */
    bool trial;                         /* a probe: goes through an open circuit */
};
int message_make(const struct call *call, const struct message_input *input, struct message *ret_message, struct error *error);
void message_clear(struct message *message);
#define cleanup_message __attribute__((cleanup(message_clear)))

int request_check_path(const char *path, struct error *error); /* as above; "" is the url itself */

#endif
