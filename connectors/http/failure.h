/*
 * failure.h: what a request that got no usable answer means, in one table from
 * libcurl's codes.
 *
 * failure_row answers for any code; one that no row names is the last row.
 * Threads: no state. Ownership: all texts are constants.
 * Source: libcurl-errors(3).
 */
#ifndef PROVOST_CONNECTORS_HTTP_FAILURE_H
#define PROVOST_CONNECTORS_HTTP_FAILURE_H

#include <curl/curl.h>

#include "connectors/http/http.h"

#define FAILURE_UNKNOWN (-1)

struct failure_row {
    int code;             /* CURLcode */
    enum outcome before;  /* the request had not begun to be sent: the end is NOT_SENT */
    enum http_end end;    /* else: LOST or BAD */
    enum outcome after;   /* and that is its outcome */
    enum refusal refusal; /* beside `after`; beside `before` it is SURE: what was not sent says nothing of a record */
    const char *sentence; /* for a person; follows on "METHOD /path at ORIGIN: " */
};

const struct failure_row *failure_row(int code); /* never NULL */
const struct failure_row *failure_table(void);   /* for its tests; ends with the unknown row */

#endif
