/*
 * Deliveries and operations: what came of each event. The pending deliveries
 * of a lane are a chain, newest first.
 */
#include "store/store_private.h"

static int finish_one(struct store *store, int64_t number, const struct ending *ending, struct error *error)
{
    return db_run(store->writer, SQL_DELIVERY_FINISH, error, "itttii", store->now.us, ending->outcome, ending->action, ending->reason,
                  (int64_t)ending->attempt, number);
}

static int read_one(struct store *store, int64_t number, int64_t *ret_previous, int64_t *ret_received, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_DELIVERY_READ, &row, error, "i", number);

    if (code <= 0)
        return code;
    *ret_previous = row_number(row, 0);
    *ret_received = row_number(row, 1);
    return 1;
}

int deliveries_finish(struct store *store, int64_t newest, int64_t skip, int64_t count, const struct ending *ending,
                      int64_t *ret_oldest, struct error *error)
{
    static const struct ending superseded = { "superseded", "none", NULL, 0 };
    int64_t number = newest, previous, received;

    for (int64_t i = 0; i < skip + count && number != 0; i++, number = previous) {
        int code = read_one(store, number, &previous, &received, error);
        if (code <= 0)
            return code;
        if (i < skip)
            *ret_oldest = received;
        else
            code = finish_one(store, number, i == skip ? ending : &superseded, error);
        if (code < 0)
            return code;
    }
    return 0;
}

int operations_write(struct store *store, int64_t key, int64_t delivery, const struct completion *completion, struct error *error)
{
    int code = 0;

    for (size_t i = 0; i < completion->operation_count && code == 0; i++) {
        const struct operation_record *o = &completion->operations[i];
        code = db_run(store->writer, SQL_OPERATION_ADD, error, "iiiiitttttiit", ++store->counters.operation, delivery, key,
                      lane_identity(key), source_time_stamp(store), o->kind, o->locator, o->outcome, o->changes, o->before,
                      o->sessions_found, o->sessions_ended, o->note);
    }
    return code;
}
