/*
 * The SQLite store: open, close, and the writer thread with its group commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fault.h"
#include "base/str.h"
#include "store/store_private.h"

#define GROUP_MOST 512           /* requests in one transaction */
#define GATHER_US 5000           /* what nobody waits for is committed this late at the most */
#define GATHER_ENOUGH 64         /* or when so many have come */
#define RETAIN_IDLE_US 20000     /* between steps of retention with nothing else to do */
#define RETAIN_BUSY_US 100000    /* and with much to do */
#define RETAIN_REST_US 60000000  /* when nothing was left */

static int64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the writer's connection ---- */

static int wal_grew(void *arg, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    ((struct store *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static const char writer_pragmas[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8000; PRAGMA secure_delete=FAST;"
    "PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864;";

static int configure_writer(struct store *store, struct db *db, struct error *error)
{
    if (sqlite3_db_readonly(db->handle, "main") == 1)
        return db_error(db, SQLITE_READONLY, "opening", error);
    int code = db_execute(db, writer_pragmas, error);
    if (code < 0)
        return code;
    sqlite3_wal_hook(db->handle, wal_grew, store); /* takes the place of SQLite's own checkpoints */
    return schema_bring_up(db, schema_steps, schema_version, error);
}

static int apply_page_limit(struct store *store, struct error *error)
{
    char pragma[64];

    sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA max_page_count=%lld",
                     (long long)(store->page_limit != 0 ? store->page_limit : 1073741823));
    return db_execute(store->writer, pragma, error);
}

static int open_writer(struct store *store, struct error *error)
{
    struct db *db;
    int code = db_open(store->path, false, &db, error);

    if (code < 0)
        return code;
    code = configure_writer(store, db, error);
    if (code == 0) {
        store->writer = db;
        store->relaxed = false;
        store->wal_pages = 0;
        code = store->page_limit != 0 ? apply_page_limit(store, error) : 0;
    }
    if (code == 0)
        code = store_load(store, error);
    if (code < 0) {
        store->writer = NULL;
        db_close(db);
    }
    return code;
}

/* ---- one group, one transaction ---- */

static int write_counters(struct store *store, struct error *error)
{
    const struct counters *c = &store->counters;

    if (memcmp(c, &store->counters_committed, sizeof(*c)) == 0 && jump_is_known(store))
        return 0;
    jump_remember(store);
    return db_run(store->writer, SQL_COUNTERS_WRITE, error, "iiiiiiiiiiiiiiii", c->event, c->delivery, c->operation, c->identity,
                  c->generation, c->quarantine, c->events, c->duplicates, c->duplicate_requests, c->quarantined, c->received, c->newest,
                  c->doubted, c->ahead, c->wall, c->removal);
}

static int fault_error(struct store *store, enum fault_place place, struct error *error)
{
    int code = fault_point(place);

    return code < 0 ? error_set(error, code, "store %s: %s (asked for by a test at %s)", store->path, error_sentence(code),
                                fault_place_name(place)) : 0;
}

static bool is_relaxed(const struct request *group)
{
    while (group != NULL && group->relaxed)
        group = group->next;
    return group == NULL;
}

/* In WAL mode NORMAL leaves out the fsync of a commit; the next FULL commit
 * makes it up, and a power cut before takes this one back as a whole. */
static int choose_sync(struct store *store, bool relaxed, struct error *error)
{
    if (relaxed == store->relaxed)
        return 0;
    int code = db_execute(store->writer, relaxed ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", error);
    if (code == 0)
        store->relaxed = relaxed;
    return code;
}

static int write_group(struct store *store, struct request *group, struct error *error)
{
    int code = fault_error(store, FAULT_STORE_BEGIN, error);

    if (code == 0 && store->writer == NULL)
        code = open_writer(store, error);
    if (code == 0)
        code = choose_sync(store, is_relaxed(group), error);
    if (code == 0)
        code = db_run(store->writer, SQL_BEGIN, error, "");
    store->now = clock_wall(store->clock);
    if (code == 0)
        code = jump_follow(store, error);
    for (struct request *request = group; request != NULL && code == 0; request = request->next) {
        code = fault_error(store, FAULT_STORE_WRITE, error);
        if (code == 0)
            code = request->run(store, request, error);
    }
    if (code == 0)
        code = write_counters(store, error);
    if (code == 0)
        code = fault_error(store, FAULT_STORE_COMMIT, error);
    if (code == 0)
        code = db_run(store->writer, SQL_COMMIT, error, "");
    return code;
}

/* After these the connection itself is good; all else begins with a new one. */
static bool connection_survives(int code)
{
    return code == ERROR_FULL || code == ERROR_BUSY || code == ERROR_NOMEM || code == ERROR_TOOBIG;
}

static void roll_back(struct store *store, int code)
{
    if (store->writer != NULL && !sqlite3_get_autocommit(store->writer->handle))
        db_run(store->writer, SQL_ROLLBACK, NULL, "");
    store->counters = store->counters_committed;
    targets_roll_back(store);
    retain_start_over(store);
    if (!connection_survives(code))
        db_close(take_pointer(store->writer));
}

static void note_result(struct store *store, int code, const struct error *error)
{
    struct store_status *status = &store->status;

    pthread_mutex_lock(&store->lock);
    if (code == 0) {
        store->counters_committed = store->counters;
        status->commits++;
        status->last_error_code = 0;
        status->last_commit = store->now;
        targets_commit(store);
        jump_commit(store);
    } else {
        status->commit_failures++;
        status->last_error_code = code;
        snprintf(status->last_error, sizeof(status->last_error), "%.255s", error->text);
        str_trim_partial_utf8(status->last_error);
    }
    pthread_mutex_unlock(&store->lock);
}

static void tell_ready(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store_ready *ready = store->ready;
    void *arg = store->ready_arg;
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < store->target_count; i++) {
        if (store->targets[i].made_ready && ready != NULL)
            ready(arg, store->targets[i].name);
        store->targets[i].made_ready = false;
    }
}

static int commit_group(struct store *store, struct request *group, struct error *error)
{
    int code = write_group(store, group, error);

    if (code < 0)
        roll_back(store, code);
    note_result(store, code, error);
    if (code == 0)
        (void)fault_point(FAULT_STORE_COMMITTED); /* for a kill: it cannot fail any more */
    return code;
}

static void finish_group(struct request *group, int code, const struct error *error)
{
    while (group != NULL) {
        struct request *next = group->next;
        group->finish(group, code, error);
        group = next;
    }
}

void store_postpone(struct store *store, struct request *request)
{
    request->next = store->postponed;
    store->postponed = request;
}

static void queue_postponed(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    *store->last = take_pointer(store->postponed);
    for (; *store->last != NULL; store->queued++)
        store->last = &(*store->last)->next;
    pthread_mutex_unlock(&store->lock);
}

/* One request that nothing can be done for must not take the others with it. */
static bool worth_one_by_one(int code)
{
    return code == ERROR_INTERNAL || code == ERROR_TOOBIG || code == ERROR_NOMEM;
}

static void run_group(struct store *store, struct request *group)
{
    struct error error = { 0 };
    int code = commit_group(store, group, &error);

    if (worth_one_by_one(code) && group->next != NULL) {
        while (group != NULL) {
            struct request *alone = group;
            group = alone->next;
            alone->next = NULL;
            run_group(store, alone);
        }
        return;
    }
    finish_group(group, code, code < 0 ? &error : NULL);
    if (code == 0 && store->postponed != NULL)
        queue_postponed(store);
    tell_ready(store);
    jump_tell(store);
}

/* ---- the writer thread ---- */

/* What is queued is to be committed now. */
static bool is_due(const struct store *store)
{
    return store->urgent || store->closing || store->queued >= GATHER_ENOUGH;
}

static void wait_for_work(struct store *store)
{
    while (!is_due(store)) {
        int64_t until = store->first != NULL ? store->gather_until_us : store->retain_at_us;
        struct timespec deadline = { until / 1000000, until % 1000000 * 1000 };
        if (pthread_cond_timedwait(&store->wake, &store->lock, &deadline) == ETIMEDOUT)
            break;
    }
}

/* Up to GROUP_MOST requests; NULL when there was nothing to do for a while. */
static struct request *take_group(struct store *store, bool *ret_closed)
{
    pthread_mutex_lock(&store->lock);
    wait_for_work(store);
    struct request *group = store->first, *last = group;
    size_t count = last != NULL;
    for (; count < GROUP_MOST && last != NULL && last->next != NULL; count++)
        last = last->next;
    if (last != NULL) {
        store->first = last->next;
        store->queued -= count;
        last->next = NULL;
        if (store->first == NULL) {
            store->last = &store->first;
            store->urgent = false;
        }
    }
    *ret_closed = group == NULL && store->closing;
    pthread_mutex_unlock(&store->lock);
    return group;
}

static int retain_request(struct store *store, struct request *request, struct error *error)
{
    (void)request;
    int more = retain_step(store, error);
    pthread_mutex_lock(&store->lock);
    int64_t pause_us = store->first != NULL ? RETAIN_BUSY_US : RETAIN_IDLE_US;
    pthread_mutex_unlock(&store->lock);

    if (more >= 0)
        store->retain_at_us = monotonic_us() + (more == 0 ? RETAIN_REST_US : pause_us);
    return more < 0 ? more : 0;
}

static void no_finish(struct request *request, int code, const struct error *error)
{
    (void)request;
    (void)code;
    (void)error;
}

static void retain_when_due(struct store *store)
{
    struct request request = { .run = retain_request, .finish = no_finish };

    if (monotonic_us() < store->retain_at_us)
        return;
    store->retain_at_us = monotonic_us() + RETAIN_REST_US;
    run_group(store, &request);
}

static void *writer_main(void *arg)
{
    struct store *store = arg;

    for (;;) {
        bool closed;
        struct request *group = take_group(store, &closed);
        if (closed)
            return NULL;
        if (group != NULL)
            run_group(store, group);
        retain_when_due(store);
        checkpoint_step(store);
    }
}

static void enqueue(struct store *store, struct request *request, bool urgent)
{
    struct error error;

    request->next = NULL;
    pthread_mutex_lock(&store->lock);
    bool closing = store->closing;
    if (!closing) {
        if (store->first == NULL)
            store->gather_until_us = monotonic_us() + GATHER_US;
        *store->last = request;
        store->last = &request->next;
        store->queued++;
        store->urgent = store->urgent || urgent;
        if (is_due(store) || store->queued == 1)
            pthread_cond_signal(&store->wake);
    }
    pthread_mutex_unlock(&store->lock);
    if (closing)
        request->finish(request, error_set(&error, ERROR_CLOSED, "store %s: shutting down", store->path), &error);
}

void store_enqueue(struct store *store, struct request *request)
{
    enqueue(store, request, true);
}

void store_enqueue_patient(struct store *store, struct request *request)
{
    enqueue(store, request, false);
}

static int limit_pages(struct store *store, void *arg, struct error *error)
{
    int64_t pages = 0;

    store->page_limit = *(int64_t *)arg;
    if (store->page_limit < 0 && db_pragma_number(store->writer, "PRAGMA page_count", &pages, error) == 0)
        store->page_limit = pages - store->page_limit;
    return apply_page_limit(store, error);
}

int store_limit_pages(struct store *store, int64_t pages)
{
    return store_call(store, limit_pages, &pages, NULL);
}

static int retain_work(struct store *store, void *arg, struct error *error)
{
    (void)arg;
    return retain_step(store, error);
}

int store_retain(struct store *store, struct error *error)
{
    return store_call(store, retain_work, NULL, error);
}

/* ---- open and close ---- */

static int folder_error(const char *path, int errnum, struct error *error)
{
    cleanup_free char *copy = strdup(path);
    int code = error_from_errno(errnum);
    const char *folder = copy != NULL ? dirname(copy) : "";

    if (errnum == ENOENT || errnum == ENOTDIR)
        return error_set(error, code, "store %s: the folder %s does not exist; create it, owned by the user that provostd runs as", path,
                         folder);
    return error_set(error, code, "store %s: cannot write in the folder %s: %s; provostd's user needs to own it", path, folder,
                     strerror(errnum));
}

/* Row numbers are given out in memory: two agents must not share a file. */
static int take_lock(struct store *store, struct error *error)
{
    cleanup_free char *path = str_printf("%s.lock", store->path);

    if (path == NULL)
        return error_nomem(error);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (store->lock_fd < 0)
        return folder_error(store->path, errno, error);
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(error, errno == EWOULDBLOCK ? ERROR_BUSY : error_from_errno(errno),
                         "store %s: another provostd works on it (%s is locked); stop that one first, or name another file", store->path,
                         path);
    return 0;
}

/* It holds people's names: not for everyone to read. SQLite gives its other
 * files the same mode. */
static int create_file(struct store *store, struct error *error)
{
    cleanup_close int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

    return fd < 0 ? folder_error(store->path, errno, error) : 0;
}

static int copy_settings(struct store *store, const struct store_settings *settings, struct error *error)
{
    store->path = str_dup(settings->path);
    store->owner = str_dup(settings->owner != NULL ? settings->owner : "provostd");
    if (store->path == NULL || store->owner == NULL)
        return error_nomem(error);
    store->keep_us = settings->keep_us > 0 ? settings->keep_us : 90LL * 86400 * 1000000;
    store->keep_keys_us = settings->keep_keys_us > store->keep_us ? settings->keep_keys_us : store->keep_us + 7LL * 86400 * 1000000;
    store->quarantine_most = settings->quarantine_most > 0 ? settings->quarantine_most : 1000;
    store->clock = settings->clock != NULL ? settings->clock : clock_system();
    return 0;
}

static void init_threads(struct store *store)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->wake, &monotonic);
    pthread_mutex_init(&store->pool.lock, NULL);
    pthread_cond_init(&store->pool.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_store(struct store *store)
{
    struct error closed;

    error_set(&closed, ERROR_CLOSED, "store %s: shutting down", store->path);
    finish_group(take_pointer(store->postponed), ERROR_CLOSED, &closed);
    checkpoint_stop(store);
    readers_close(store);
    db_close(store->writer);
    for (size_t i = 0; i < store->target_count; i++)
        free(store->targets[i].name);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store->targets);
    free(store->routes);
    free(store->retain_bytes);
    free(store->path);
    free(store->owner);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->pool.lock);
    pthread_cond_destroy(&store->pool.changed);
    free(store);
}

int store_open(const struct store_settings *settings, struct store **ret_store, struct error *error)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return error_nomem(error);
    store->lock_fd = -1;
    store->last = &store->first;
    store->retain_at_us = monotonic_us() + RETAIN_REST_US;
    init_threads(store);
    int code = copy_settings(store, settings, error);
    if (code == 0)
        code = take_lock(store, error);
    if (code == 0)
        code = create_file(store, error);
    if (code == 0)
        code = open_writer(store, error);
    if (code == 0)
        jump_open(store);
    if (code == 0)
        code = checkpoint_start(store, error);
    if (code == 0 && pthread_create(&store->thread, NULL, writer_main, store) != 0)
        code = error_set(error, ERROR_NOMEM, "store %s: cannot start its thread", store->path);
    if (code < 0) {
        free_store(store);
        return code;
    }
    *ret_store = store;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;

    pthread_mutex_lock(&store->lock);
    store->closing = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    free_store(store);
}

void store_on_ready(struct store *store, store_ready *ready, void *arg)
{

    pthread_mutex_lock(&store->lock);
    store->ready = ready;
    store->ready_arg = arg;
    pthread_mutex_unlock(&store->lock);
}

void store_read_status(struct store *store, struct store_status *ret_status)
{
    struct stat file;

    pthread_mutex_lock(&store->lock);
    *ret_status = store->status;
    const struct counters *counters = &store->counters_committed;
    ret_status->events = counters->events;
    ret_status->duplicates = counters->duplicates;
    ret_status->duplicate_requests = counters->duplicate_requests;
    ret_status->identities = counters->identity;
    ret_status->quarantined = counters->quarantined;
    ret_status->last_received = (struct wall){ counters->received };
    pthread_mutex_unlock(&store->lock);
    jump_read(store, &ret_status->clock);
    ret_status->schema = schema_version;
    ret_status->bytes = stat(store->path, &file) == 0 ? file.st_size : 0;
}
