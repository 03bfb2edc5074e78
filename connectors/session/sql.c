#include "connectors/session/sql.h"

#include <stdlib.h>

#include "connectors/session/sql_store.h"

/* ---- how much of the server's time is taken ---- */

int sql_share(const struct session_settings *settings, struct session_shared **ret_shared, struct error *error)
{
    struct session_shared *shared = calloc(1, sizeof(*shared));

    (void)settings;
    if (shared == NULL)
        return error_nomem(error);
    pthread_mutex_init(&shared->lock, NULL);
    *ret_shared = shared;
    return 0;
}

void sql_unshare(struct session_shared *shared)
{
    if (shared == NULL)
        return;
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

/* ---- the connection ---- */

enum outcome sql_open(const struct sql_driver *driver, const struct session_settings *settings, struct session_shared *shared,
                      struct session_store **ret_store, struct receipt *receipt)
{
    struct session_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    *store = (struct session_store){ .driver = driver, .settings = settings, .shared = shared };
    enum outcome outcome = driver->open(settings, &store->connection, receipt);
    if (outcome == OUTCOME_APPLIED)
        *ret_store = take_pointer(store);
    free(store);
    return outcome;
}

void sql_close(struct session_store *store)
{
    if (store == NULL)
        return;
    if (store->connection != NULL)
        store->driver->close(store->connection);
    sql_cache_close(store);
    free(store);
}

enum outcome sql_run(struct session_store *store, const struct sql_statement *statement, sql_row *row, void *arg,
                     int64_t *ret_changed, struct receipt *receipt)
{
    if (sql_statement_failed(statement))
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    struct sql_query query = { statement->text.bytes, statement->values, statement->value_count, row, arg, 0 };
    enum outcome outcome = store->driver->run(store->connection, &query, &store->failure, receipt);
    if (outcome == OUTCOME_APPLIED && ret_changed != NULL)
        *ret_changed = query.changed;
    return outcome;
}

enum outcome sql_run_text(struct session_store *store, const char *text, struct receipt *receipt)
{
    struct sql_query query = { .text = text };

    return store->driver->run(store->connection, &query, &store->failure, receipt);
}

enum outcome sql_with_connection(struct session_store *store, sql_work *work, void *arg, struct receipt *receipt)
{
    for (int round = 0;; round++) {
        bool fresh = store->connection == NULL;
        if (fresh) {
            enum outcome outcome = store->driver->open(store->settings, &store->connection, receipt);
            if (outcome != OUTCOME_APPLIED)
                return outcome;
        }
        store->failure = (struct sql_failure){ 0 };
        enum outcome outcome = work(store, arg, receipt);
        if (outcome == OUTCOME_APPLIED || !(store->failure.lost || store->failure.silent))
            return outcome;
        store->driver->close(take_pointer(store->connection));
        if (fresh || round > 0 || store->failure.silent)
            return outcome;
    }
}

static enum outcome ask_one(struct session_store *store, void *arg, struct receipt *receipt)
{
    (void)arg;
    return sql_run_text(store, "SELECT 1", receipt);
}

enum outcome sql_probe(struct session_store *store, struct receipt *receipt)
{
    enum outcome outcome = sql_with_connection(store, ask_one, NULL, receipt);

    return outcome == OUTCOME_APPLIED ? sql_cache_probe(store, receipt) : outcome;
}

