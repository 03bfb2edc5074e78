/* sql_cache.c: the same sessions in a cache in front of the table (Django's cached_db): settings cache, cache_address, … */
#include "connectors/session/sql_store.h"

struct sql_cache {
    struct session_settings settings; /* the cache's own; its texts are borrowed from the target's */
    const struct session_store_ops *ops;
    struct session_shared *shared;
    struct session_store *store;
};

/* In the order of the option's choices. */
static const int kinds[] = { -1, STORE_REDIS, STORE_MEMCACHED };

static const struct session_store_ops *cache_ops(const struct session_settings *settings)
{
    return session_store_ops(kinds[settings->cache]);
}

void sql_check(const struct session_settings *settings, const char *file, int line, struct problems *problems)
{
    if (settings->cache == CACHE_NONE) {
        if (settings->cache_address != NULL || settings->cache_password != NULL)
            problems_add(problems, file, line, 0, "cache_address and cache_password have no meaning without cache; add cache = \"redis\" or \"memcached\"");
        return;
    }
    const struct session_store_ops *ops = cache_ops(settings);
    if (ops == NULL || ops->forget == NULL)
        problems_add(problems, file, line, 0, "this build cannot delete from a cache in %s", store_kind_name(kinds[settings->cache]));
}

static void fill_settings(const struct session_settings *from, struct session_settings *settings)
{
    *settings = *from; /* time-outs, shares, TLS */
    settings->store = kinds[from->cache];
    settings->address = from->cache_address;
    settings->user = from->cache_user;
    settings->password = from->cache_password;
    settings->database = from->cache_database;
    settings->index = false;
}

static enum outcome open_cache(struct session_store *store, struct receipt *receipt)
{
    struct sql_cache *cache = calloc(1, sizeof(*cache));
    struct error error = { 0 };

    if (cache == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    fill_settings(store->settings, &cache->settings);
    cache->ops = cache_ops(store->settings);
    store->cache = cache;
    if (cache->ops->share != NULL && cache->ops->share(&cache->settings, &cache->shared, &error) < 0)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "%s", error.text);
    return cache->ops->open(&cache->settings, cache->shared, &cache->store, receipt);
}

void sql_cache_close(struct session_store *store)
{
    struct sql_cache *cache = take_pointer(store->cache);

    if (cache == NULL)
        return;
    if (cache->store != NULL)
        cache->ops->close(cache->store);
    if (cache->shared != NULL && cache->ops->unshare != NULL)
        cache->ops->unshare(cache->shared);
    free(cache);
}

/* What failed is told as the cache's. */
static enum outcome ensure_cache(struct session_store *store, struct receipt *receipt)
{
    if (store->cache != NULL)
        return OUTCOME_APPLIED;
    enum outcome outcome = open_cache(store, receipt);
    if (outcome != OUTCOME_APPLIED) {
        receipt_set(receipt, outcome, receipt->remote_code, "the cache in front of the table: %s", receipt->reason != NULL ? receipt->reason : "");
        sql_cache_close(store);
    }
    return outcome;
}

enum outcome sql_cache_probe(struct session_store *store, struct receipt *receipt)
{
    if (store->settings->cache == CACHE_NONE)
        return OUTCOME_APPLIED;
    enum outcome outcome = ensure_cache(store, receipt);
    return outcome == OUTCOME_APPLIED ? store->cache->ops->probe(store->cache->store, receipt) : outcome;
}

static void free_keys(char **keys)
{
    for (size_t i = 0; keys != NULL && keys[i] != NULL; i++)
        free(keys[i]);
    free(keys);
}

static char **make_keys(const char *pattern, const struct sql_key *ids, size_t count)
{
    char **keys = calloc(count + 1, sizeof(*keys));

    for (size_t i = 0; keys != NULL && i < count; i++) {
        keys[i] = layout_key(pattern, ids[i].bytes);
        if (keys[i] == NULL) {
            free_keys(keys);
            return NULL;
        }
    }
    return keys;
}

enum outcome sql_cache_forget(struct session_store *store, const struct layout *layout, const struct sql_key *ids, size_t count,
                              struct receipt *receipt)
{
    if (layout->cache_key == NULL)
        return OUTCOME_APPLIED;
    if (store->settings->cache == CACHE_NONE)
        return receipt_set(receipt, OUTCOME_RETRY, 0,
                           "the mapping says that the sessions are in a cache, too (cache_key), but the target's settings do not say which; add cache "
                           "and cache_address, or cache_key = \"\" where there is none");
    enum outcome outcome = ensure_cache(store, receipt);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    char **keys = make_keys(layout->cache_key, ids, count);
    if (keys == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    outcome = store->cache->ops->forget(store->cache->store, (const char *const *)keys, receipt);
    free_keys(keys);
    if (outcome != OUTCOME_APPLIED)
        sql_cache_close(store);
    return outcome;
}
