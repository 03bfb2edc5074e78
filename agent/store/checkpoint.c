/*
 * Copies the write-ahead log back into the file, on a thread of its own while
 * the writer goes on. The log starts again from its beginning only when all of
 * it was copied: the writer copies the little that came meanwhile itself.
 */
#include "store/store_private.h"

#define WAL_PAGES_SOFT 16000 /* 64 MiB: begin; pages written again and again are copied once */
#define WAL_PAGES_HARD 40000 /* 160 MiB: readers with an old view hold it back; they wait for a moment */

static void copy_log(struct db *db, int mode)
{
    sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, NULL, NULL);
}

static void copy_with_readers_out(struct store *store)
{
    readers_quiet(store, true);
    copy_log(store->writer, SQLITE_CHECKPOINT_RESTART);
    readers_quiet(store, false);
}

static void *checkpoint_main(void *arg)
{
    struct store *store = arg;
    struct checkpointer *c = &store->checkpointer;

    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (c->state != CHECKPOINT_WANTED) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        c->state = CHECKPOINT_RUNNING;
        pthread_mutex_unlock(&c->lock);
        struct db *db = NULL; /* opened anew: the file may have been replaced */
        if (db_open(store->path, false, &db, NULL) == 0)
            copy_log(db, SQLITE_CHECKPOINT_PASSIVE);
        db_close(db);
        pthread_mutex_lock(&c->lock);
        c->state = CHECKPOINT_COPIED;
        pthread_cond_broadcast(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* A disk or processor that is too slow for both: nothing is written until the copy has come to its end, or the log would grow
 * without bound. */
static void wait_for_copy(struct checkpointer *c)
{
    while (c->started && !c->stop && (c->state == CHECKPOINT_WANTED || c->state == CHECKPOINT_RUNNING))
        pthread_cond_wait(&c->wake, &c->lock);
}

void checkpoint_step(struct store *store)
{
    struct checkpointer *c = &store->checkpointer;

    pthread_mutex_lock(&c->lock);
    if (store->wal_pages >= 2 * c->pages_hard)
        wait_for_copy(c);
    enum checkpoint_state state = c->state;
    if (state == CHECKPOINT_REST && store->wal_pages >= c->pages_soft) {
        c->state = CHECKPOINT_WANTED;
        pthread_cond_broadcast(&c->wake);
    } else if (state == CHECKPOINT_COPIED) {
        c->state = CHECKPOINT_REST;
    }
    pthread_mutex_unlock(&c->lock);
    if (state != CHECKPOINT_COPIED || store->writer == NULL)
        return;
    if (store->wal_pages >= store->checkpointer.pages_hard)
        copy_with_readers_out(store);
    else
        copy_log(store->writer, SQLITE_CHECKPOINT_PASSIVE);
}

int checkpoint_start(struct store *store, struct error *error)
{
    struct checkpointer *c = &store->checkpointer;

    c->pages_soft = WAL_PAGES_SOFT;
    c->pages_hard = WAL_PAGES_HARD;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    if (pthread_create(&c->thread, NULL, checkpoint_main, store) != 0)
        return error_set(error, ERROR_NOMEM, "store %s: cannot start a thread", store->path);
    c->started = true;
    return 0;
}

void checkpoint_stop(struct store *store)
{
    struct checkpointer *c = &store->checkpointer;

    if (!c->started)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
}
