/* redis.c: sessions in Redis, by hiredis: opening, probing, and the way of a sweep. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/address.h"
#include "connectors/session/redis_follow.h"
#include "connectors/session/redis_private.h"

/* ---- settings ---- */

#define PROBLEM(...) problems_add(problems, file, line, 0, __VA_ARGS__)

static void redis_check(const struct session_settings *settings, const char *file, int line, struct problems *problems)
{
    address_check(settings, settings->sentinel != NULL ? SENTINEL_PORT : REDIS_PORT, file, line, problems);
#ifndef HAVE_HIREDIS_SSL
    if (settings->tls)
        PROBLEM("tls: this build's hiredis has none; remove tls (an stunnel in front can do it), or build with hiredis_ssl");
#endif
    if (settings->cluster && settings->sentinel != NULL)
        PROBLEM("cluster and sentinel exclude each other; remove one");
    if (settings->cluster && settings->database != 0)
        PROBLEM("a cluster has database 0 only; remove database");
    if (settings->cluster && settings->index)
        PROBLEM("index does not go with cluster = true: nodes tell of their own keys alone; remove index");
    if (settings->sentinel == NULL && (settings->sentinel_user != NULL || settings->sentinel_password != NULL))
        PROBLEM("sentinel_user and sentinel_password have no meaning without sentinel = NAME");
    if (settings->user != NULL && settings->password == NULL)
        PROBLEM("user is given without a password; add password = \"file:PATH\"");
}

/* ---- share, open, probe ---- */

static void redis_unshare(struct session_shared *shared)
{
    if (shared == NULL)
        return;
    index_stop(shared->index);
    throttle_destroy(&shared->throttle);
    pthread_mutex_destroy(&shared->passes.lock);
    pthread_cond_destroy(&shared->passes.ended);
    free(shared);
}

static int redis_share(const struct session_settings *settings, struct session_shared **ret_shared, struct error *error)
{
    struct session_shared *shared = calloc(1, sizeof(*shared));

    if (shared == NULL)
        return error_nomem(error);
    shared->settings = settings;
    throttle_init(&shared->throttle, settings->share_percent);
    pthread_mutex_init(&shared->passes.lock, NULL);
    pthread_cond_init(&shared->passes.ended, NULL);
    if (settings->index && index_start(settings, &shared->throttle, &shared->index) < 0) {
        redis_unshare(shared);
        return error_nomem(error);
    }
    *ret_shared = shared;
    return 0;
}

static void redis_close(struct session_store *store)
{
    if (store == NULL)
        return;
    store_disconnect(store);
    free(store);
}

static enum outcome redis_open(const struct session_settings *settings, struct session_shared *shared,
                               struct session_store **ret_store, struct receipt *receipt)
{
    struct session_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    store->settings = settings;
    store->shared = shared;
    enum outcome outcome = store_connect(store, receipt);
    if (outcome == OUTCOME_APPLIED)
        *ret_store = store;
    else
        redis_close(store);
    return outcome;
}

/* Asked of a key that is not there. Only that the command is forbidden counts: the
 * key may lie on another node, and the rights to keys are known by the mapping alone. */
static bool may_remove(struct session_store *store, struct redis_link *link, struct receipt *receipt)
{
    cleanup_free char *key = str_printf("%sprobe", store->settings->marker_prefix);

    if (key == NULL || !link_send(link, REDIS_COMMAND("UNLINK", key), receipt))
        return false;
    cleanup_reply redisReply *reply = link_take(link, receipt);
    if (reply != NULL && reply_is_error(reply, "NOPERM") && strstr(reply->str, "command") != NULL)
        link_refused(link, reply, receipt);
    else if (reply != NULL)
        return true;
    return false;
}

/* Sweeps work without the index, too: a note. */
static void note_index(struct session_store *store, struct receipt *receipt)
{
    struct receipt own = { 0 };

    if (!notifications_check(store->links[0], &own))
        receipt->note = str_printf("index cannot work, all keys are looked at: %s", own.reason != NULL ? own.reason : "out of memory");
    receipt_clear(&own);
}

/* Connected, and we may look at keys and take them away. */
static enum outcome redis_probe(struct session_store *store, struct receipt *receipt)
{
    enum outcome outcome = store_ready(store, receipt);

    for (size_t i = 0; i < store->link_count && outcome == OUTCOME_APPLIED; i++) {
        cleanup_reply redisReply *reply = link_ask(store->links[i], REDIS_COMMAND("SCAN", "0", "COUNT", "1"), receipt);
        if (reply == NULL || !may_remove(store, store->links[i], receipt))
            outcome = receipt->outcome;
    }
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (store->settings->index)
        note_index(store, receipt);
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static void redis_prepare(struct session_store *store, const struct layout *layout)
{
    if (store->shared->index != NULL)
        index_prepare(store->shared->index, layout);
}

/* ---- a sweep ---- */

/* By the own index; where it is not whole over all keys, with a note that says why. *ret_all: who else is there is known. */
static enum outcome find_and_end(struct session_store *store, const struct session_query *query, struct sweep *sweep, bool *ret_all,
                                 struct receipt *receipt)
{
    struct index_hits hits = { 0 };
    cleanup_free char *why = NULL;
    bool indexed = store->shared->index != NULL && index_find(store->shared->index, query->layout, query->users, &hits, &why);
    enum outcome outcome = indexed ? pass_sweep_keys(store, query, hits.keys, sweep, receipt) : pass_sweep(store, query, sweep, receipt);

    if (indexed)
        sweep->sight = hits.sight;
    if (store->shared->index != NULL && !indexed)
        sweep->note = str_printf("without the index: %s", why != NULL ? why : "out of memory");
    *ret_all = !indexed || hits.sight.kinds != 0;
    index_hits_clear(&hits);
    return outcome;
}

static void name_place(const struct session_store *store, const struct layout *layout, struct sight *sight)
{
    char *const *address = store->settings->address;

    sight->place = str_printf("%s in database %lld of %s that fits %s", layout->type == TYPE_HASH ? "hash" : "key",
                              (long long)store->settings->database, address != NULL ? address[0] : "127.0.0.1",
                              layout->index != NULL ? layout->index : layout->pattern);
}

static enum outcome redis_sample(struct session_store *store, const struct layout *layout, struct sight *ret_sight, struct receipt *receipt)
{
    struct sight sight = { 0 };
    enum outcome outcome = store_ready(store, receipt);

    if (outcome == OUTCOME_APPLIED)
        outcome = (layout->index != NULL ? spring_sample : pass_sample)(store, layout, &sight, receipt);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    name_place(store, layout, &sight);
    *ret_sight = sight;
    return OUTCOME_APPLIED;
}

static enum outcome redis_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                                struct receipt *receipt)
{
    struct sweep sweep = { 0 };
    bool all = false;
    enum outcome outcome = store_ready(store, receipt);

    if (outcome == OUTCOME_APPLIED && query->layout->index != NULL)
        outcome = spring_sweep(store, query, &sweep, receipt);
    else if (outcome == OUTCOME_APPLIED)
        outcome = find_and_end(store, query, &sweep, &all, receipt);
    if (outcome == OUTCOME_APPLIED && sweep_is_blank(&sweep) && all)
        name_place(store, query->layout, &sweep.sight);
    else if (outcome == OUTCOME_APPLIED && sweep_is_blank(&sweep))
        outcome = redis_sample(store, query->layout, &sweep.sight, receipt);
    if (outcome == OUTCOME_APPLIED)
        *ret_sweep = sweep;
    else
        sweep_clear(&sweep);
    return outcome;
}

/* Keys of a cache in front of a table. */
static enum outcome redis_forget(struct session_store *store, const char *const *keys, struct receipt *receipt)
{
    enum outcome outcome = store_ready(store, receipt);
    bool gone = false;

    for (size_t i = 0; outcome == OUTCOME_APPLIED && keys[i] != NULL; i++)
        outcome = key_remove(store, keys[i], strlen(keys[i]), &gone, receipt);
    return outcome;
}

const struct session_store_ops session_redis = {
    .name = "redis",
    .share = redis_share,
    .unshare = redis_unshare,
    .check = redis_check,
    .open = redis_open,
    .close = redis_close,
    .probe = redis_probe,
    .prepare = redis_prepare,
    .sweep = redis_sweep,
    .sample = redis_sample,
    .forget = redis_forget,
    .read_marks = redis_read_marks,
    .write_marks = redis_write_marks,
};
