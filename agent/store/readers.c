/*
 * A few connections for reading, opened when first needed and kept. All that is read between take and give is of one moment, and
 * costs one read transaction: each of them begins by finding the pages that were written since.
 */
#include <errno.h>
#include <time.h>

#include "store/store_private.h"

#define QUIET_MOST_MS 500 /* the writer's patience with readers */

static struct timespec after_ms(long ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static int connect_reader(struct store *store, struct db **ret_db, struct error *error)
{
    struct db *db;
    int code = db_open(store->path, true, &db, error);

    if (code < 0)
        return code;
    code = db_execute(db, "PRAGMA query_only=1; PRAGMA cache_size=-256; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY", error);
    if (code < 0)
        db_close(db);
    else
        *ret_db = db;
    return code;
}

int reader_open(struct reader *reader, struct store *store, struct error *error)
{
    struct reader_pool *pool = &store->pool;
    int code = 0;

    reader->store = store;
    pthread_mutex_lock(&pool->lock);
    while (pool->quiet || (pool->idle_count == 0 && pool->open_count == READERS_MOST))
        pthread_cond_wait(&pool->changed, &pool->lock);
    if (pool->idle_count > 0) {
        reader->db = pool->idle[--pool->idle_count];
    } else {
        code = connect_reader(store, &reader->db, error);
        pool->open_count += code == 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return code == 0 ? db_run(reader->db, SQL_SNAPSHOT, error, "") : code;
}

int64_t reader_open_about(struct reader *reader, struct store *store, enum identity_kind kind, const char *id, struct error *error)
{
    int code = reader_open(reader, store, error);

    return code < 0 ? code : identity_number(reader->db, kind, id, error);
}

void reader_give(struct reader *reader)
{
    struct db *db = reader->db;

    if (db == NULL)
        return;
    struct reader_pool *pool = &reader->store->pool;
    int result = sqlite3_errcode(db->handle) & 0xff;
    bool damaged = result == SQLITE_CORRUPT || result == SQLITE_NOTADB || result == SQLITE_IOERR || result == SQLITE_CANTOPEN;

    if (!sqlite3_get_autocommit(db->handle) && db_run(db, SQL_ROLLBACK, NULL, "") < 0)
        damaged = true;
    pthread_mutex_lock(&pool->lock);
    if (damaged) {
        pool->open_count--;
        db_close(db);
    } else {
        pool->idle[pool->idle_count++] = db;
    }
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void readers_quiet(struct store *store, bool quiet)
{
    struct reader_pool *pool = &store->pool;
    struct timespec deadline = after_ms(QUIET_MOST_MS);

    pthread_mutex_lock(&pool->lock);
    pool->quiet = quiet;
    if (!quiet)
        pthread_cond_broadcast(&pool->changed);
    while (quiet && pool->idle_count < pool->open_count)
        if (pthread_cond_timedwait(&pool->changed, &pool->lock, &deadline) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&pool->lock);
}

void readers_close(struct store *store)
{
    while (store->pool.idle_count > 0)
        db_close(store->pool.idle[--store->pool.idle_count]);
    store->pool.open_count = 0;
}
