/*
 * A store that keeps nothing: to measure the bare endpoint.
 */
#include <string.h>

#include "store/store_private.h"

static void null_close(struct store *store)
{
    free(store);
}

static int null_set_routes(struct store *store, const struct route *routes, size_t count)
{
    (void)store, (void)routes, (void)count;
    return 0;
}

static void null_on_ready(struct store *store, store_ready *ready, void *arg)
{
    (void)store, (void)ready, (void)arg;
}

static void null_take(struct store *store, struct event_batch *batch, struct wall received, store_taken *taken, void *arg)
{
    struct error error = { 0 };
    cleanup_free enum event_effect *effects = calloc(batch->count + 1, sizeof(*effects));

    (void)store, (void)received;
    for (size_t i = 0; effects != NULL && i < batch->count; i++)
        effects[i] = EVENT_RECORDED;
    if (effects == NULL)
        taken(arg, error_nomem(&error), &error, batch, NULL);
    else
        taken(arg, 0, NULL, batch, effects);
    event_batch_free(batch);
}

static void null_quarantine(struct store *store, const char *body, size_t length, const char *peer, const char *reason)
{
    (void)store, (void)body, (void)length, (void)peer, (void)reason;
}

static int null_lease(struct store *store, const char *target, size_t most, int64_t lease_us, struct lease *leases,
                      struct wall *ret_next, struct error *error)
{
    (void)store, (void)target, (void)most, (void)lease_us, (void)leases, (void)error;
    if (ret_next != NULL)
        ret_next->us = 0;
    return 0;
}

static void null_complete(struct store *store, const struct completion *completion, store_done *done, void *arg)
{
    (void)store, (void)completion;
    if (done != NULL)
        done(arg, 0, NULL);
}

static int null_put_link(struct store *store, const char *target, enum identity_kind kind, const char *id, const struct link *link,
                         struct error *error)
{
    (void)store, (void)target, (void)kind, (void)id, (void)link, (void)error;
    return 0;
}

static int null_claim(struct store *store, const struct claim *claim, struct claim_found *ret_found, struct error *error)
{
    (void)store, (void)claim, (void)ret_found;
    return error_set(error, ERROR_NOTFOUND, "the null store keeps nothing");
}

static int null_read_claims(struct store *store, const char *target, enum identity_kind kind, const char *id, const char *operation,
                            char **ret_sent, struct error *error)
{
    (void)store, (void)target, (void)kind, (void)id, (void)operation, (void)error;
    *ret_sent = NULL;
    return 0;
}

static void null_touch(struct store *store, const char *target, enum identity_kind kind, const char *id)
{
    (void)store, (void)target, (void)kind, (void)id;
}

static int null_hold(struct store *store, const char *target, bool held, struct error *error)
{
    (void)store, (void)target, (void)held, (void)error;
    return 0;
}

static bool null_is_held(struct store *store, const char *target)
{
    (void)store, (void)target;
    return false;
}

static int null_retry_dead(struct store *store, const char *target, const char *id, struct error *error)
{
    (void)store, (void)target, (void)id, (void)error;
    return 0;
}

static int null_drop_dead(struct store *store, const char *target, const char *id, bool leavers, int64_t *ret_kept, struct error *error)
{
    (void)store, (void)target, (void)id, (void)leavers, (void)error;
    *ret_kept = 0;
    return 0;
}

static int nothing_kept(struct error *error)
{
    return error_set(error, ERROR_NOTFOUND, "the null store keeps nothing");
}

static int null_read_identity(struct store *store, enum identity_kind kind, const char *id, struct identity *ret_identity,
                              struct error *error)
{
    (void)store, (void)kind, (void)id, (void)ret_identity;
    return nothing_kept(error);
}

static int null_find_identity(struct store *store, const char *word, enum identity_kind *ret_kind, char **ret_id, struct error *error)
{
    (void)store, (void)word, (void)ret_kind, (void)ret_id;
    return nothing_kept(error);
}

static int null_read_link(struct store *store, const char *target, enum identity_kind kind, const char *id, struct link *ret_link,
                          struct error *error)
{
    (void)store, (void)target, (void)kind, (void)id, (void)ret_link;
    return nothing_kept(error);
}

static int null_find_owner(struct store *store, const char *target, enum identity_kind kind, const char *key, char **ret_id,
                           struct error *error)
{
    (void)store, (void)target, (void)kind, (void)key, (void)ret_id;
    return nothing_kept(error);
}

static int null_find_beginner(struct store *store, const char *target, const char *place, char **ret_id, struct error *error)
{
    (void)store, (void)target, (void)place, (void)ret_id;
    return nothing_kept(error);
}

static int null_find_placed(struct store *store, const char *target, const char *place, const char *value, const char *but, char **ret_id,
                            struct error *error)
{
    (void)store, (void)target, (void)place, (void)value, (void)but, (void)ret_id;
    return nothing_kept(error);
}

static int null_read_members(struct store *store, const char *target, const char *group_id, store_member *member, void *arg,
                             struct error *error)
{
    (void)store, (void)target, (void)group_id, (void)member, (void)arg, (void)error;
    return 0;
}

static int empty_array(json_t **ret_array, struct error *error)
{
    json_t *array = json_array();

    if (array == NULL)
        return error_nomem(error);
    *ret_array = array;
    return 0;
}

static int null_list(struct store *store, const struct store_filter *filter, json_t **ret_array, struct error *error)
{
    (void)store, (void)filter;
    return empty_array(ret_array, error);
}

static int null_list_quarantine(struct store *store, size_t most, json_t **ret_array, struct error *error)
{
    (void)store, (void)most;
    return empty_array(ret_array, error);
}

static int null_show(struct store *store, const char *id, json_t **ret_object, struct error *error)
{
    (void)store, (void)id, (void)ret_object;
    return nothing_kept(error);
}

static int null_count_lanes(struct store *store, const char *target, struct store_lane_counts *ret_counts, struct error *error)
{
    (void)store, (void)target, (void)error;
    *ret_counts = (struct store_lane_counts){ 0 };
    return 0;
}

static int null_count_leavers(struct store *store, const char *target, int64_t *ret_count, struct wall *ret_since, struct error *error)
{
    (void)store, (void)target, (void)error;
    *ret_count = 0;
    *ret_since = (struct wall){ 0 };
    return 0;
}

static void null_read_status(struct store *store, struct store_status *ret_status)
{
    (void)store;
    memset(ret_status, 0, sizeof(*ret_status));
}

static int null_retain(struct store *store, struct error *error)
{
    (void)store, (void)error;
    return 0;
}

static const struct store_ops null_ops = {
    null_close,       null_set_routes,    null_on_ready,        null_take,          null_quarantine,   null_lease,
    null_complete,    null_put_link,      null_claim, null_read_claims, null_touch,         null_hold,         null_is_held,
    null_retry_dead,  null_drop_dead,     null_read_identity,   null_find_identity, null_read_link,    null_find_owner,
    null_find_beginner, null_find_placed, null_read_members,
    null_list,        null_list,          null_list_quarantine, null_show,          null_count_lanes,  null_count_leavers,
    null_read_status, null_retain,
};

int store_open_null(struct store **ret_store)
{
    struct store *store = malloc(sizeof(*store));

    if (store == NULL)
        return ERROR_NOMEM;
    store->ops = &null_ops;
    *ret_store = store;
    return 0;
}
