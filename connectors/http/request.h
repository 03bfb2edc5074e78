/*
 * request.h: what may be sent at all. What a mapping makes of people's data
 * must not break out of its place: no line break in a header, no other host.
 * Threads: no state.
 */
#ifndef PROVOST_CONNECTORS_HTTP_REQUEST_H
#define PROVOST_CONNECTORS_HTTP_REQUEST_H

#include "connectors/http/http.h"

/* NULL: it may be sent. Else what is wrong with it. */
const char *request_fault(const struct http_settings *settings, const struct http_request *request);

/* Is the target a whole URL? */
bool request_is_absolute(const char *target);

#endif
