#include "receive/secrets.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

void secrets_init(struct secrets *secrets)
{
    *secrets = (struct secrets){ 0 };
    pthread_rwlock_init(&secrets->lock, NULL);
}

void secrets_destroy(struct secrets *secrets)
{
    secret_free(secrets->current);
    secret_free(secrets->previous);
    pthread_rwlock_destroy(&secrets->lock);
}

int secrets_set(struct secrets *secrets, const char *current, const char *previous)
{
    bool two = previous != NULL && *previous != '\0';

    if (current == NULL || *current == '\0')
        return ERROR_INVALID;
    char *new_current = strdup(current), *new_previous = two ? strdup(previous) : NULL;
    if (new_current == NULL || (two && new_previous == NULL)) {
        secret_free(new_current);
        secret_free(new_previous);
        return ERROR_NOMEM;
    }
    pthread_rwlock_wrlock(&secrets->lock);
    char *old_current = secrets->current, *old_previous = secrets->previous;
    secrets->current = new_current;
    secrets->previous = new_previous;
    pthread_rwlock_unlock(&secrets->lock);
    secret_free(old_current);
    secret_free(old_previous);
    return 0;
}

/* Runs over what was shown, however long the secret: its length does not show
 * in the time either. */
static bool equal(const char *secret, const char *shown, size_t length)
{
    size_t secret_length = strlen(secret), at = 0;
    volatile unsigned difference = secret_length != length;

    for (size_t i = 0; i < length; i++) {
        difference |= (unsigned)(unsigned char)shown[i] ^ (unsigned)(unsigned char)secret[at];
        at = at + 1 < secret_length ? at + 1 : 0;
    }
    return difference == 0;
}

bool secrets_match(struct secrets *secrets, const char *shown, size_t length)
{
    pthread_rwlock_rdlock(&secrets->lock);
    bool current = equal(secrets->current, shown, length);
    /* without a second one the same work is done, and not counted */
    bool previous = equal(secrets->previous != NULL ? secrets->previous : secrets->current, shown, length);
    pthread_rwlock_unlock(&secrets->lock);
    return current || previous;
}
