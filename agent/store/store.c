#include "store/store.h"

#include "store/store_private.h"

static const char *const effect_names[] = {
    [EVENT_DUPLICATE] = "duplicate", [EVENT_RECORDED] = "recorded", [EVENT_SUPERSEDED] = "superseded",
    [EVENT_UNCHANGED] = "unchanged", [EVENT_CHANGED] = "changed",
};

const char *event_effect_name(enum event_effect effect)
{
    return (size_t)effect < sizeof(effect_names) / sizeof(effect_names[0]) ? effect_names[effect] : "?";
}

void lease_clear(struct lease *lease)
{
    free(lease->target);
    free(lease->id);
    free(lease->event_uuid);
    free(lease->event_type);
    free(lease->place);
    *lease = (struct lease){ 0 };
}

void link_clear(struct link *link)
{
    free(link->key);
    free(link->locator);
    free(link->account);
    free(link->member);
    free(link->member_key);
    *link = (struct link){ 0 };
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

int store_set_routes(struct store *store, const struct route *routes, size_t count)
{
    return store->ops->set_routes(store, routes, count);
}

void store_on_ready(struct store *store, store_ready *ready, void *arg)
{
    store->ops->on_ready(store, ready, arg);
}

struct wall store_removal_time(struct store *store)
{
    return store->ops->removal_time(store);
}

struct wall store_dating_time(struct store *store)
{
    return store->ops->dating_time(store);
}

void store_on_clock(struct store *store, store_clock_changed *changed, void *arg)
{
    store->ops->on_clock(store, changed, arg);
}

void store_take(struct store *store, struct event_batch *batch, struct wall received, store_taken *taken, void *arg)
{
    store->ops->take(store, batch, received, taken, arg);
}

void store_quarantine(struct store *store, const char *body, size_t length, const char *peer, const char *reason)
{
    store->ops->quarantine(store, body, length, peer, reason);
}

int store_lease(struct store *store, const struct lease_wish *wish, struct lease *leases, struct wall *ret_next, struct error *error)
{
    return store->ops->lease(store, wish, leases, ret_next, error);
}

void store_complete(struct store *store, const struct completion *completion, store_done *done, void *arg)
{
    store->ops->complete(store, completion, done, arg);
}

int store_put_link(struct store *store, const char *target, enum identity_kind kind, const char *id, const struct link *link,
                   struct error *error)
{
    return store->ops->put_link(store, target, kind, id, link, error);
}

int store_intend(struct store *store, const struct intent *intent, struct intent_found *ret_found, struct error *error)
{
    return store->ops->intend(store, intent, ret_found, error);
}

int store_read_intents(struct store *store, const char *target, enum identity_kind kind, const char *id, const char *operation,
                       char **ret_sent, struct error *error)
{
    return store->ops->read_intents(store, target, kind, id, operation, ret_sent, error);
}

int store_check_creator(struct store *store, const char *target, const char *place, const char *but, struct error *error)
{
    return store->ops->check_creator(store, target, place, but, error);
}

int store_forget_creations(struct store *store, const char *target, const char *id, const char *but, struct error *error)
{
    return store->ops->forget_creations(store, target, id, but, error);
}

void store_hurry(struct store *store, const char *target, const char *outcome)
{
    store->ops->hurry(store, target, outcome);
}

void store_touch(struct store *store, const char *target, enum identity_kind kind, const char *id)
{
    store->ops->touch(store, target, kind, id);
}

int store_hold(struct store *store, const char *target, bool held, struct error *error)
{
    return store->ops->hold(store, target, held, error);
}

bool store_is_held(struct store *store, const char *target)
{
    return store->ops->is_held(store, target);
}

int store_retry_dead(struct store *store, const char *target, const char *id, struct error *error)
{
    return store->ops->retry_dead(store, target, id, error);
}

int store_drop_dead(struct store *store, const char *target, const char *id, bool leavers, int64_t *ret_kept, struct error *error)
{
    return store->ops->drop_dead(store, target, id, leavers, ret_kept, error);
}

int store_read_identity(struct store *store, enum identity_kind kind, const char *id, struct identity *ret_identity,
                        struct error *error)
{
    return store->ops->read_identity(store, kind, id, ret_identity, error);
}

int store_find_identity(struct store *store, const char *word, enum identity_kind *ret_kind, char **ret_id, struct error *error)
{
    return store->ops->find_identity(store, word, ret_kind, ret_id, error);
}

int store_read_link(struct store *store, const char *target, enum identity_kind kind, const char *id, struct link *ret_link,
                    struct error *error)
{
    return store->ops->read_link(store, target, kind, id, ret_link, error);
}

int store_find_owner(struct store *store, const char *target, enum identity_kind kind, const char *key, char **ret_id,
                     struct error *error)
{
    return store->ops->find_owner(store, target, kind, key, ret_id, error);
}

int store_read_member_rows(struct store *store, const char *target, const char *user_id, const char *key, store_member_row *each,
                           void *arg, struct error *error)
{
    return store->ops->read_member_rows(store, target, user_id, key, each, arg, error);
}

int store_has_member_row(struct store *store, const char *target, const char *entry_key, const char *place, const char *key,
                         bool *ret_has, struct error *error)
{
    return store->ops->has_member_row(store, target, entry_key, place, key, ret_has, error);
}

int store_read_members(struct store *store, const char *target, const char *group_id, store_member *member, void *arg,
                       struct error *error)
{
    return store->ops->read_members(store, target, group_id, member, arg, error);
}

int store_list_events(struct store *store, const struct store_filter *filter, json_t **ret_array, struct error *error)
{
    return store->ops->list_events(store, filter, ret_array, error);
}

int store_list_dead(struct store *store, const struct store_filter *filter, json_t **ret_array, struct error *error)
{
    return store->ops->list_dead(store, filter, ret_array, error);
}

int store_list_quarantine(struct store *store, size_t most, json_t **ret_array, struct error *error)
{
    return store->ops->list_quarantine(store, most, ret_array, error);
}

int store_show(struct store *store, const char *id, json_t **ret_object, struct error *error)
{
    return store->ops->show(store, id, ret_object, error);
}

int store_count_lanes(struct store *store, const char *target, struct store_lane_counts *ret_counts, struct error *error)
{
    return store->ops->count_lanes(store, target, ret_counts, error);
}

int store_count_leavers(struct store *store, const char *target, int64_t *ret_count, struct wall *ret_since, struct error *error)
{
    return store->ops->count_leavers(store, target, ret_count, ret_since, error);
}

int store_list_leavers(struct store *store, const char *target, size_t most, json_t **ret_array, struct error *error)
{
    return store->ops->list_leavers(store, target, most, ret_array, error);
}

void store_read_status(struct store *store, struct store_status *ret_status)
{
    store->ops->read_status(store, ret_status);
}

int store_retain(struct store *store, struct error *error)
{
    return store->ops->retain(store, error);
}
