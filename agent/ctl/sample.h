/*
 * sample.h: a JSON file → an identity, for `provostctl try`.
 *
 * Read are: an event hook body, a LogEvent or a list of them (their facts are
 * merged), a user or group as Okta's API gives it, and a plain object with id,
 * login, name, status, profile and groups (names).
 * Ownership: the identity is the caller's (identity_clear). Threads: one.
 * Errors: ERROR_SYNTAX, ERROR_INVALID with what would be right, ERROR_NOTFOUND
 * when the body is about nobody of this kind, or not about `id`.
 */
#ifndef PROVOST_CTL_SAMPLE_H
#define PROVOST_CTL_SAMPLE_H

#include "source/facts.h"

/* `id`: which one is meant; NULL: the first of this kind. */
int sample_load(const char *path, enum identity_kind kind, const char *id, struct identity *ret_identity, struct error *error);

#endif
