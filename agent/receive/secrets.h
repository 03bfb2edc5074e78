/*
 * secrets.h: the one or two secrets that a request may show (two while they
 * are being rotated).
 * Ownership: copies, wiped when replaced. Threads: all may call it at once; the endpoint's threads hold `lock` to read while they
 * compare, a reload holds it to write while it exchanges the two.
 */
#ifndef PROVOST_RECEIVE_SECRETS_H
#define PROVOST_RECEIVE_SECRETS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct secrets {
    pthread_rwlock_t lock;
    char *current, *previous; /* previous: NULL when there is none */
};

void secrets_init(struct secrets *secrets);
void secrets_destroy(struct secrets *secrets);
/* ERROR_INVALID when `current` is missing or empty; nothing changes then. */
int secrets_set(struct secrets *secrets, const char *current, const char *previous);
/* Takes as long for any text of this length, whatever the secrets are. */
bool secrets_match(struct secrets *secrets, const char *shown, size_t length);

#endif
