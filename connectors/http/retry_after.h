/*
 * retry_after.h: what an answer's headers say of waiting: Retry-After, and the
 * quota headers that many APIs send.
 *
 * Calling sequence: patience_read with the headers of one answer → patience_cut
 * of what is to be waited → patience_add_words for the reason.
 * Known quotas: X-RateLimit-Remaining and -Reset (GitHub, Atlassian), X-Rate-Limit-Remaining
 * and -Reset (Okta, X), RateLimit-Remaining and -Reset (an early IETF draft, GitLab).
 * A reset is a number of seconds to come, or a time: seconds or milliseconds since
 * 1970, an HTTP date, or RFC 3339.
 * Dates and times count from the answer's own Date, so that a clock that is wrong here does no harm.
 * Bound: no target is believed when it wants more than PATIENCE_MOST_US: a year in one header must not
 * stop everybody. After that time it is asked once more.
 * Sources: RFC 9110 §10.2.3; draft-ietf-httpapi-ratelimit-headers-06; GitHub's "Rate limits for the REST API".
 * Threads: no state. Ownership: `headers` is borrowed; nothing is allocated.
 */
#ifndef PROVOST_CONNECTORS_HTTP_RETRY_AFTER_H
#define PROVOST_CONNECTORS_HTTP_RETRY_AFTER_H

#include <stdbool.h>

#include "base/clock.h"

#define PATIENCE_MOST_US (INT64_C(300) * 1000000)
#define PATIENCE_UNKNOWN_US (INT64_C(60) * 1000000) /* a used-up quota that does not say until when (GitHub's advice) */
#define QUOTA_KINDS 3

struct patience_headers {
    const char *retry_after, *date;            /* NULL: none */
    const char *remaining[QUOTA_KINDS], *reset[QUOTA_KINDS];
};

struct patience {
    bool asked;             /* Retry-After is there and can be read */
    bool used_up;           /* of a quota nothing remains: the next request may be refused, or this one was */
    int64_t retry_after_us; /* as it was asked for, not cut; 0 where the time is past */
    int64_t reset_us;       /* until the quota begins anew; the same */
    bool unread;            /* there is a Retry-After that cannot be read */
};

struct patience patience_read(const struct patience_headers *headers, struct wall now);

/* What of a wish is waited: from 0 to PATIENCE_MOST_US. */
int64_t patience_cut(int64_t us);

/* "; …" where a wish was cut or cannot be read, else nothing. `quota`: the wait is the quota's. No part of a header is in it. */
struct buf;
void patience_add_words(struct buf *text, const struct patience *patience, bool quota);

#endif
