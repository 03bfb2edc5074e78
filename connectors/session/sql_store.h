/*
 * sql_store.h: what the files of the SQL stores share: the store, running a
 * statement, the cache in front of the table. See sql.h.
 * Threads, ownership: as there.
 */
#ifndef PROVOST_CONNECTORS_SESSION_SQL_STORE_H
#define PROVOST_CONNECTORS_SESSION_SQL_STORE_H

#include <pthread.h>

#include "connectors/session/sql.h"
#include "connectors/session/sql_statement.h"

struct session_shared {
    pthread_mutex_t lock; /* held through a page and the rest after it: pages of all workers take turns */
};

struct session_store {
    const struct sql_driver *driver;
    const struct session_settings *settings;
    struct session_shared *shared;
    struct sql_connection *connection; /* NULL: to be made */
    struct sql_failure failure;        /* of the last statement that failed */
    struct sql_cache *cache;           /* NULL: none, or not opened yet */
};

/* A key of the table, owned. */
struct sql_key {
    char *bytes;
    size_t length;
    bool binary;
};

/* Runs `work` on a connection; where it was lost while idle, once more on a new one. */
typedef enum outcome sql_work(struct session_store *store, void *arg, struct receipt *receipt);
enum outcome sql_with_connection(struct session_store *store, sql_work *work, void *arg, struct receipt *receipt);

/* One statement; within sql_with_connection. ret_changed may be NULL. */
enum outcome sql_run(struct session_store *store, const struct sql_statement *statement, sql_row *row, void *arg,
                     int64_t *ret_changed, struct receipt *receipt);
enum outcome sql_run_text(struct session_store *store, const char *text, struct receipt *receipt);

/* sql_cache.c: the keys of the same sessions in a cache (settings.cache). Nothing to do where there is none. */
enum outcome sql_cache_probe(struct session_store *store, struct receipt *receipt);
enum outcome sql_cache_forget(struct session_store *store, const struct layout *layout, const struct sql_key *keys, size_t count,
                              struct receipt *receipt);
void sql_cache_close(struct session_store *store);

#endif
