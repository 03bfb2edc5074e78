/*
 * Targets: their numbers, whether they are held, and the counters of their lanes.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

const char *const lane_state_names[LANE_STATE_COUNT] = { "ready", "leased", "waiting", "due", "held", "dead" };

static ssize_t find_index(const struct store *store, const char *name)
{
    for (size_t i = 0; i < store->target_count; i++)
        if (strcmp(store->targets[i].name, name) == 0)
            return (ssize_t)i;
    return -1;
}

static int append_target(struct store *store, int64_t number, const char *name, bool stored, struct error *error)
{
    struct target_row *targets = realloc(store->targets, (store->target_count + 1) * sizeof(*targets));

    if (targets == NULL)
        return error_nomem(error);
    store->targets = targets;
    struct target_row *row = &targets[store->target_count];
    *row = (struct target_row){ .number = number, .name = strdup(name), .stored = stored };
    if (row->name == NULL)
        return error_nomem(error);
    store->target_count++;
    return 0;
}

int target_add(struct store *store, int64_t number, const char *name, bool held, bool resumed, struct error *error)
{
    pthread_mutex_lock(&store->lock);
    int code = find_index(store, name) < 0 ? append_target(store, number, name, true, error) : 0;
    ssize_t index = find_index(store, name);
    if (index >= 0) {
        store->targets[index].held = held;
        store->targets[index].resumed = resumed;
    }
    pthread_mutex_unlock(&store->lock);
    return code;
}

static int64_t next_number(const struct store *store)
{
    int64_t most = 0;

    for (size_t i = 0; i < store->target_count; i++)
        if (store->targets[i].number > most)
            most = store->targets[i].number;
    return most + 1;
}

int target_intern(struct store *store, const char *name, size_t *ret_index, struct error *error)
{
    int code = 0;
    ssize_t index = find_index(store, name);

    if (index < 0) {
        pthread_mutex_lock(&store->lock);
        code = append_target(store, next_number(store), name, false, error);
        index = (ssize_t)store->target_count - 1;
        pthread_mutex_unlock(&store->lock);
    }
    if (code < 0)
        return code;
    struct target_row *row = &store->targets[index];
    if (!row->stored) {
        code = db_run(store->writer, SQL_TARGET_ADD, error, "it", row->number, row->name);
        row->stored = row->storing = code == 0;
    }
    if (code == 0)
        *ret_index = (size_t)index;
    return code;
}

int64_t target_number(struct store *store, const char *name)
{
    pthread_mutex_lock(&store->lock);
    ssize_t index = find_index(store, name);
    int64_t number = index < 0 ? 0 : store->targets[index].number;
    pthread_mutex_unlock(&store->lock);
    return number;
}

void targets_roll_back(struct store *store)
{
    for (size_t i = 0; i < store->target_count; i++) {
        struct target_row *row = &store->targets[i];
        if (row->storing)
            row->stored = row->storing = false;
        row->made_ready = false;
        memset(row->delta, 0, sizeof(row->delta));
    }
}

/* With `lock` held: others read `count`. */
void targets_commit(struct store *store)
{
    for (size_t i = 0; i < store->target_count; i++) {
        struct target_row *row = &store->targets[i];
        row->storing = false;
        for (int state = 0; state < LANE_STATE_COUNT; state++)
            row->count[state] += row->delta[state];
        memset(row->delta, 0, sizeof(row->delta));
    }
}

void lane_count(struct store *store, int64_t target, enum lane_state state, int change)
{
    for (size_t i = 0; i < store->target_count; i++) {
        if (store->targets[i].number != target)
            continue;
        store->targets[i].delta[state] += change;
        if (state == LANE_STATE_READY && change > 0)
            store->targets[i].made_ready = true;
        return;
    }
}

int store_count_lanes(struct store *store, const char *target, struct store_lane_counts *ret_counts, struct error *error)
{
    struct store_lane_counts counts = { 0 };

    (void)error;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->target_count; i++) {
        const int64_t *count = store->targets[i].count;
        if (target != NULL && strcmp(store->targets[i].name, target) != 0)
            continue;
        counts.ready += count[LANE_STATE_READY];
        counts.leased += count[LANE_STATE_LEASED];
        counts.waiting += count[LANE_STATE_WAITING];
        counts.due += count[LANE_STATE_DUE];
        counts.held += count[LANE_STATE_HELD];
        counts.dead += count[LANE_STATE_DEAD];
    }
    pthread_mutex_unlock(&store->lock);
    *ret_counts = counts;
    return 0;
}

int store_count_waiting(struct store *store, const char *target, enum waiting waiting, int64_t *ret_count, struct wall *ret_since,
                        struct error *error)
{
    static const enum sql counts[] = {
        [WAITING_LEAVERS] = SQL_LANES_LEAVING, [WAITING_DROPPED] = SQL_DROPPED_COUNT, [WAITING_FAILING] = SQL_LANES_FAILING,
    };
    cleanup_reader_give struct reader reader = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = reader_open(&reader, store, error);

    if (code == 0)
        code = db_next(reader.db, counts[waiting], &row, error, "i", target_number(store, target));
    if (code < 0)
        return code;
    *ret_count = code > 0 ? row_number(row, 0) : 0;
    ret_since->us = code > 0 ? row_number(row, 1) : 0;
    return 0;
}

int store_count_unseen(struct store *store, const char *target, int64_t *ret_count, char **ret_reason, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = reader_open(&reader, store, error);

    if (code == 0)
        code = db_next(reader.db, SQL_LANES_UNSEEN, &row, error, "i", target_number(store, target));
    if (code < 0)
        return code;
    *ret_count = code > 0 ? row_number(row, 0) : 0;
    *ret_reason = *ret_count > 0 ? str_dup(row_text(row, 1)) : NULL;
    return 0;
}

/* ---- places of sessions ---- */

bool store_knows_place(struct store *store, const char *target, uint64_t place)
{
    cleanup_reader_give struct reader reader = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;

    return reader_open(&reader, store, NULL) == 0 &&
           db_next(reader.db, SQL_PLACE_READ, &row, NULL, "ii", target_number(store, target), (int64_t)place) > 0;
}

struct place_call {
    const char *target;
    uint64_t place;
};

static int add_place(struct store *store, void *arg, struct error *error)
{
    const struct place_call *call = arg;
    size_t index;
    int code = target_intern(store, call->target, &index, error);

    if (code < 0)
        return code;
    return db_run(store->writer, SQL_PLACE_ADD, error, "iii", store->targets[index].number, (int64_t)call->place, store->now.us);
}

int store_add_place(struct store *store, const char *target, uint64_t place, struct error *error)
{
    struct place_call call = { target, place };

    return store_call(store, add_place, &call, error);
}

void store_targets_free(struct store_target *targets, size_t count)
{
    for (size_t i = 0; targets != NULL && i < count; i++)
        free(targets[i].name);
    free(targets);
}

int targets_read(struct db *db, struct store_target **ret_targets, size_t *ret_count, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    struct store_target *targets = NULL;
    size_t count = 0;
    int code;

    while ((code = db_next(db, SQL_TARGETS_WORK, &row, error, "")) > 0) {
        struct store_target *grown = realloc(targets, (count + 1) * sizeof(*grown));
        char *name = grown != NULL ? str_dup(row_text(row, 0)) : NULL;
        targets = grown != NULL ? grown : targets;
        if (name == NULL) {
            code = error_nomem(error);
            break;
        }
        targets[count++] = (struct store_target){ name, row_number(row, 1), row_number(row, 2), row_number(row, 3) != 0 };
    }
    if (code < 0) {
        store_targets_free(targets, count);
        return code;
    }
    *ret_targets = targets;
    *ret_count = count;
    return 0;
}

int store_read_targets(struct store *store, struct store_target **ret_targets, size_t *ret_count, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    int code = reader_open(&reader, store, error);

    return code < 0 ? code : targets_read(reader.db, ret_targets, ret_count, error);
}

bool store_is_held(struct store *store, const char *target, bool at_first)
{
    pthread_mutex_lock(&store->lock);
    ssize_t index = find_index(store, target);
    bool held = index < 0 ? at_first : store->targets[index].held || (at_first && !store->targets[index].resumed);
    pthread_mutex_unlock(&store->lock);
    return held;
}

/* ---- routes ---- */

struct new_routes {
    const struct route *routes;
    size_t count;
};

static int set_routes(struct store *store, void *arg, struct error *error)
{
    const struct new_routes *wanted = arg;
    cleanup_free struct route_row *rows = calloc(wanted->count + 1, sizeof(*rows));
    size_t count = 0;

    if (rows == NULL)
        return error_nomem(error);
    for (size_t i = 0; i < wanted->count; i++) {
        const struct route *route = &wanted->routes[i];
        struct route_row row = { 0, route->kind, route->facts, route->triggers };
        int code = target_intern(store, route->target, &row.target, error);
        if (code < 0)
            return code;
        /* two mappings of one target and kind share a lane */
        size_t same = 0;
        while (same < count && (rows[same].target != row.target || rows[same].kind != row.kind))
            same++;
        if (same == count)
            rows[count++] = row;
        else
            rows[same].facts |= row.facts, rows[same].triggers |= row.triggers;
    }
    free(store->routes);
    store->routes = take_pointer(rows);
    store->route_count = count;
    return 0;
}

int store_set_routes(struct store *store, const struct route *routes, size_t count)
{
    struct new_routes wanted = { routes, count };

    return store_call(store, set_routes, &wanted, NULL);
}
