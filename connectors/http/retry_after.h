/*
 * retry_after.h: the header Retry-After, in both of its forms.
 * Source: RFC 9110 §10.2.3. Threads: no state.
 */
#ifndef PROVOST_CONNECTORS_HTTP_RETRY_AFTER_H
#define PROVOST_CONNECTORS_HTTP_RETRY_AFTER_H

#include "base/clock.h"

#define RETRY_AFTER_MOST_US (INT64_C(86400) * 1000000)

/* How long to wait; 0 for what cannot be understood or lies in the past; at
 * most a day. A date counts from the answer's own `date` (its header; NULL or
 * unreadable: from `now`), so that a clock that is wrong here does no harm. */
int64_t retry_after_parse(const char *value, const char *date, struct wall now);

#endif
