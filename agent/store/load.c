/*
 * What the store keeps in memory, read at open and after a failure: the
 * counters, the targets, how many lanes are in each state.
 */
#include <string.h>

#include "store/store_private.h"

static int load_counters(struct store *store, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_COUNTERS_READ, &row, error, "");
    int column = 0;

    if (code == 0)
        return error_set(error, ERROR_CORRUPT, "store %s: its counters are missing; restore a copy", store->path);
    if (code < 0)
        return code;
    pthread_mutex_lock(&store->lock);
#define X(name) store->counters.name = row_number(row, column++);
    COUNTER_LIST(X)
#undef X
    store->counters_committed = store->counters;
    pthread_mutex_unlock(&store->lock);
    return 0;
}

static int load_targets(struct store *store, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code;

    while ((code = db_next(store->writer, SQL_TARGETS_READ, &row, error, "")) > 0) {
        int added = target_add(store, row_number(row, 0), row_text(row, 1), row_number(row, 2) != 0, row_number(row, 3) != 0,
                               error);
        if (added < 0)
            return added;
    }
    return code;
}

static int count_lanes(struct store *store, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code;

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->target_count; i++) {
        memset(store->targets[i].count, 0, sizeof(store->targets[i].count));
        memset(store->targets[i].delta, 0, sizeof(store->targets[i].delta));
    }
    pthread_mutex_unlock(&store->lock);
    while ((code = db_next(store->writer, SQL_LANES_COUNT, &row, error, "")) > 0)
        if (row_number(row, 1) >= 0 && row_number(row, 1) < LANE_STATE_COUNT)
            lane_count(store, row_number(row, 0), (enum lane_state)row_number(row, 1), (int)row_number(row, 2));
    pthread_mutex_lock(&store->lock);
    targets_commit(store);
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* A crash left them: nobody works on them any more. */
static int release_target(struct store *store, int64_t target, struct error *error)
{
    for (;;) {
        cleanup_statement sqlite3_stmt *row = NULL;
        int code = db_next(store->writer, SQL_LANES_OF_OWNER, &row, error, "iti", target, store->owner, (int64_t)1);
        if (code <= 0)
            return code;
        int64_t key = row_number(row, 0), priority = row_number(row, 1), since = row_number(row, 2);
        sqlite3_reset(take_pointer(row));
        code = lane_move(store, key, LANE_STATE_LEASED, LANE_STATE_READY, (int)priority, since, error);
        if (code < 0)
            return code;
    }
}

static int release_leases(struct store *store, struct error *error)
{
    int code = db_run(store->writer, SQL_BEGIN, error, "");

    for (size_t i = 0; i < store->target_count && code == 0; i++)
        code = release_target(store, store->targets[i].number, error);
    if (code == 0)
        code = db_run(store->writer, SQL_COMMIT, error, "");
    if (code < 0) {
        targets_roll_back(store);
        return code;
    }
    pthread_mutex_lock(&store->lock);
    targets_commit(store);
    pthread_mutex_unlock(&store->lock);
    return 0;
}

int store_load(struct store *store, struct error *error)
{
    bool first = store->target_count == 0;
    int code = load_counters(store, error);

    if (code == 0)
        code = load_targets(store, error);
    if (code == 0)
        code = count_lanes(store, error);
    /* after a failure in mid-life the leases are our own workers' still */
    if (code == 0 && first)
        code = release_leases(store, error);
    return code;
}
