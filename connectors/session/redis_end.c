/* Ending one session in Redis. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/str.h"
#include "connectors/session/redis_outcome.h"
#include "connectors/session/redis_private.h"

#define LOCK_LIFE_MS "10000"
#define LOCK_PAUSE_NS (10 * 1000000L)

bool sweep_keeps(const struct session_query *query, int64_t created_us, struct sweep *sweep)
{
    bool keep = !session_is_void(query, created_us);

    if (keep) {
        sweep->found++;
        sweep->kept++;
    }
    return keep;
}

static redisReply *ask_about(struct session_store *store, const char *verb, const char *key, size_t length,
                             struct receipt *receipt)
{
    const struct redis_command command = { 2, (const char *const[]){ verb, key }, (const size_t[]){ strlen(verb), length } };

    return store_ask_key(store, key, length, &command, receipt);
}

enum outcome key_remove(struct session_store *store, const char *key, size_t length, bool *ret_gone, struct receipt *receipt)
{
    redisReply *reply = ask_about(store, store->no_unlink ? "DEL" : "UNLINK", key, length, receipt);

    if (reply == NULL && !store->no_unlink && receipt->outcome == OUTCOME_REJECTED) { /* before Redis 4, or renamed */
        receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
        reply = ask_about(store, "DEL", key, length, receipt);
        store->no_unlink = reply != NULL;
    }
    if (reply == NULL)
        return receipt->outcome;
    *ret_gone = reply->integer > 0;
    freeReplyObject(reply);
    return OUTCOME_APPLIED;
}

static enum outcome remove_counted(struct session_store *store, const char *key, size_t length, struct sweep *sweep,
                                   struct receipt *receipt)
{
    bool gone = false;
    enum outcome outcome = key_remove(store, key, length, &gone, receipt);

    if (outcome == OUTCOME_APPLIED) {
        sweep->found += gone;
        sweep->ended += gone;
    }
    return outcome;
}

/* ---- under the application's lock ---- */

enum lock { LOCK_HELD, LOCK_BUSY, LOCK_NEEDLESS, LOCK_FAILED };

static enum lock try_lock(struct session_store *store, const char *lock, const char *token, struct receipt *receipt)
{
    redisReply *reply =
        store_ask_key(store, lock, strlen(lock), REDIS_COMMAND("SET", lock, token, "NX", "PX", LOCK_LIFE_MS), receipt);

    if (reply == NULL && receipt->reason != NULL && strstr(receipt->reason, "(\"OOM") != NULL)
        return LOCK_NEEDLESS; /* without memory no request can write its session back either */
    if (reply == NULL)
        return LOCK_FAILED;
    enum lock got = reply->type == REDIS_REPLY_NIL ? LOCK_BUSY : LOCK_HELD;
    freeReplyObject(reply);
    return got;
}

static enum lock take_lock(struct session_store *store, const char *lock, const char *token, struct receipt *receipt)
{
    int64_t deadline = clock_mono(clock_system()).us + store->settings->lock_timeout_us;
    enum lock got;

    while ((got = try_lock(store, lock, token, receipt)) == LOCK_BUSY && clock_mono(clock_system()).us < deadline)
        nanosleep(&(const struct timespec){ .tv_nsec = LOCK_PAUSE_NS }, NULL);
    return got;
}

/* Only if it still is ours. What fails here ends with the lock's own life. */
static void release_lock(struct session_store *store, const char *lock, const char *token)
{
    static const char script[] = "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0";
    struct receipt receipt = { 0 };
    redisReply *reply = store_ask_key(store, lock, strlen(lock), REDIS_COMMAND("EVAL", script, "1", lock, token), &receipt);

    if (reply != NULL)
        freeReplyObject(reply);
    receipt_clear(&receipt);
}

static enum outcome end_locked(struct session_store *store, const struct layout *layout, const char *key, size_t length,
                               struct sweep *sweep, struct receipt *receipt)
{
    cleanup_free char *text = strndup(key, length);
    cleanup_free char *lock = text != NULL ? layout_key(layout->lock, text) : NULL;
    cleanup_free char *token = str_printf("provost|%016" PRIx64, random_system()->next(random_system()));

    if (lock == NULL || token == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    enum lock got = take_lock(store, lock, token, receipt);
    if (got == LOCK_FAILED)
        return receipt->outcome;
    if (got == LOCK_BUSY) {
        sweep->found++;
        sweep->locked++;
        return OUTCOME_APPLIED;
    }
    enum outcome outcome = remove_counted(store, key, length, sweep, receipt);
    if (got == LOCK_HELD)
        release_lock(store, lock, token);
    return outcome;
}

enum outcome session_end(struct session_store *store, const struct layout *layout, const char *key, size_t length,
                         struct sweep *sweep, struct receipt *receipt)
{
    if (layout->lock != NULL)
        return end_locked(store, layout, key, length, sweep, receipt);
    return remove_counted(store, key, length, sweep, receipt);
}
