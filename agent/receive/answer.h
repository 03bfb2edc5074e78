/*
 * answer.h: the table of the endpoint's answers.
 *
 * All but the verification are the same each time, so one response object for
 * each is made at the start and shared by all connections.
 * Threads: read-only after answers_make. Ownership: answers_free.
 * Source: RFC 9110 (405 names the methods, 401 a scheme, 503 when to come back).
 */
#ifndef PROVOST_RECEIVE_ANSWER_H
#define PROVOST_RECEIVE_ANSWER_H

#include <microhttpd.h>

#include "base/error.h"

enum answer {
    ANSWER_NONE, /* not decided yet */
    ANSWER_VERIFIED,
    ANSWER_ACCEPTED,
    ANSWER_UNAUTHORIZED,
    ANSWER_MALFORMED,
    ANSWER_NO_CHALLENGE,
    ANSWER_TOO_BIG,
    ANSWER_WRONG_TYPE,
    ANSWER_UNAVAILABLE,
    ANSWER_NOT_FOUND,
    ANSWER_WRONG_METHOD,
    ANSWER_COUNT
};

struct answers {
    struct MHD_Response *responses[ANSWER_COUNT]; /* NULL for NONE and VERIFIED */
};

int answers_make(struct answers *answers, struct error *error);
void answers_free(struct answers *answers);
int answer_status(enum answer answer);
const char *answer_text(enum answer answer); /* a sentence for a person; "" for a 2xx */

/* {"verification": challenge}; NULL when out of memory or no UTF-8. */
struct MHD_Response *answer_verification(const char *challenge);

#endif
