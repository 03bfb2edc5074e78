/* redis.c: sessions in Redis. */
#include "connectors/session/store.h"

static enum outcome redis_open(const struct session_settings *settings, struct session_shared *shared, struct session_store **ret_store,
                               struct receipt *receipt)
{
    (void)settings, (void)shared, (void)ret_store;
    return receipt_set(receipt, OUTCOME_REJECTED, 0, "store \"redis\" is not built yet");
}

static void redis_close(struct session_store *store)
{
    (void)store;
}

static enum outcome redis_probe(struct session_store *store, struct receipt *receipt)
{
    (void)store;
    return receipt_set(receipt, OUTCOME_REJECTED, 0, "store \"redis\" is not built yet");
}

static enum outcome redis_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                                struct receipt *receipt)
{
    (void)store, (void)query, (void)ret_sweep;
    return receipt_set(receipt, OUTCOME_REJECTED, 0, "store \"redis\" is not built yet");
}

const struct session_store_ops session_redis = {
    .name = "redis",
    .open = redis_open,
    .close = redis_close,
    .probe = redis_probe,
    .sweep = redis_sweep,
};
