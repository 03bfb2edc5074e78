/*
 * diagnose.h: why a request got no answer, as a sentence that names the step:
 * name, connection, TLS handshake, certificate, waiting for the answer.
 *
 * Of a certificate that was not accepted libcurl keeps nothing: the connection
 * is made once more, without checking and without sending anything, to read
 * what it says (until when it was valid, for which names, issued by whom).
 * Takes at most connect_timeout. Ownership: the sentence is the caller's; NULL:
 * out of memory. Threads: one at a time for each handle.
 */
#ifndef PROVOST_CONNECTORS_HTTP_DIAGNOSE_H
#define PROVOST_CONNECTORS_HTTP_DIAGNOSE_H

#include "connectors/http/failure.h"

struct diagnosis {
    CURL *curl; /* as curl_easy_perform left it */
    const struct http_settings *settings;
    const char *url, *shown;
    int64_t timeout_us;
    CURLcode code;
    bool begun, handshaking;
    const char *detail; /* libcurl's own words, or "" */
};

char *diagnose(const struct diagnosis *diagnosis, const struct failure_row *row);

/* Did the server refuse our client certificate, or the lack of one? With TLS
 * 1.3 it says so after the handshake, when the request is on its way. */
bool diagnose_refused_certificate(const struct diagnosis *diagnosis);

#endif
