/* What goes wrong around the store: crashes, full disks, locks, damage, old files; and retention. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store_private.h"
#include "tests/support/faults.h"
#include "tests/support/store_world.h"

/* ---- what is on the disk when it is said to be ---- */

static atomic_int syncs;

/* In the place of libc's, for SQLite too: this program exports them. */
int fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fsync, fd);
}

static bool is_synced(int *before)
{
    int now = atomic_load(&syncs);
    bool more = now > *before;

    *before = now;
    return more;
}

static void all_but_a_lease_is_synced_when_it_is_said_to_be_done(void **state)
{
    struct world *w = *state;
    const struct intent intent = { .target = "ldap", .id = "u1", .operation = "create", .digest = "d1", .key = "k1" };
    struct intent_found found = { 0 };
    struct lease lease;

    world_route(w);
    int seen = atomic_load(&syncs);
    for (int i = 0; i < 3; i++) { /* each follows one of the other kind */
        cleanup_free char *uuid = str_printf("e%d", i);
        world_take(w, uuid, i + 1, STATUS("u1", i % 2 == 0 ? "ACTIVE" : "SUSPENDED"));
        assert_true(is_synced(&seen));
        assert_true(world_lease(w, &lease));
        assert_false(is_synced(&seen));
        assert_int_equal(store_intend(w->store, &intent, &found, &w->error), 0);
        intent_found_clear(&found);
        assert_true(is_synced(&seen));
        world_done(w, &lease, "applied");
        assert_true(is_synced(&seen));
    }
}

/* ---- crashes ---- */

/* Takes events until the fault kills it; tells of each that was answered. */
static void __attribute__((noreturn)) take_until_killed(struct world *w, const char *faults, int pipe_fd)
{
    world_open(w);
    world_route(w);
    fault_set(faults, NULL);
    for (int i = 0; i < 1000; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        if (world_take(w, name, 1, STATUS(name, "ACTIVE")) == EVENT_CHANGED && write(pipe_fd, &i, sizeof(i)) != sizeof(i))
            _exit(2);
    }
    _exit(1); /* was not killed */
}

/* How many events were answered before the kill. */
static int crash(struct world *w, const char *faults)
{
    int fds[2], status, answered = 0, number;

    world_close(w);
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0)
        take_until_killed(w, faults, fds[1]);
    close(fds[1]);
    while (read(fds[0], &number, sizeof(number)) == sizeof(number))
        answered++;
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    world_open(w);
    return answered;
}

static void killed_before_the_commit_nothing_is_half_there(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;

    assert_int_equal(crash(w, "store.commit=kill@21"), 20);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 20);
    assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 40);
    assert_int_equal(world_counts(w).ready, 20);
    assert_int_equal(world_take(w, "u20", 1, STATUS("u20", "ACTIVE")), EVENT_CHANGED);
    assert_int_equal(world_take(w, "u19", 1, STATUS("u19", "ACTIVE")), EVENT_DUPLICATE);
}

static void killed_after_the_commit_the_unanswered_event_is_there(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;

    assert_int_equal(crash(w, "store.committed=kill@21"), 20);
    assert_int_equal(world_take(w, "u20", 1, STATUS("u20", "ACTIVE")), EVENT_DUPLICATE);
    assert_int_equal(world_number(w, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check != 'ok'"), 0);
}

static void killed_while_writing_nothing_is_half_there(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;

    assert_int_equal(crash(w, "store.write=kill@31"), 30);
    assert_int_equal(world_number(w, "SELECT count(*) FROM identity"), 30);
    assert_int_equal(world_number(w, "SELECT events FROM counter"), 30);
}

/* ---- failures that pass ---- */

static void every_code_is_handed_on_and_heals(void **state)
{
    NEEDS_FAULT_POINTS;
    static const struct {
        const char *faults;
        int code;
    } rows[] = {
        { "store.begin=busy*1", ERROR_BUSY },           { "store.write=full*1", ERROR_FULL },
        { "store.write=io*1", ERROR_IO },               { "store.commit=full*1", ERROR_FULL },
        { "store.commit=read-only*1", ERROR_READONLY }, { "store.commit=corrupt*1", ERROR_CORRUPT },
        { "store.commit=io*1", ERROR_IO },
    };
    struct world *w = *state;
    struct store_status status;

    world_route(w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fault_set(rows[i].faults, NULL);
        assert_int_equal(world_take(w, "a", 1, STATUS("u1", "ACTIVE")), rows[i].code);
        store_read_status(w->store, &status);
        assert_int_equal(status.last_error_code, rows[i].code);
        assert_int_equal(status.commit_failures, i + 1);
        assert_non_null(strstr(status.last_error, w->path));
        assert_int_equal(world_counts(w).ready, (int64_t)i);
        cleanup_free char *name = str_printf("u%zu", i + 10);
        assert_int_equal(world_take(w, name, 1, STATUS(name, "ACTIVE")), EVENT_CHANGED);
        store_read_status(w->store, &status);
        assert_int_equal(status.last_error_code, 0);
    }
    assert_int_equal(world_take(w, "a", 1, STATUS("u1", "ACTIVE")), EVENT_CHANGED);
    assert_int_equal(world_number(w, "SELECT identity FROM counter"), world_number(w, "SELECT count(*) FROM identity"));
}

static void a_lease_outlives_a_failure_of_the_store(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;
    struct lease lease, other;

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    assert_true(world_lease(w, &lease));
    fault_set("store.commit=io*1", NULL);
    assert_int_equal(world_take(w, "b", 1, STATUS("u2", "ACTIVE")), ERROR_IO);
    assert_int_equal(world_counts(w).leased, 1);
    assert_false(world_lease(w, &other));
    assert_int_equal(world_done(w, &lease, "applied"), 0);
}

static void a_touch_that_failed_comes_again_when_the_fault_has_passed(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;

    world_route(w);
    fault_set("store.commit=full*1", NULL);
    store_touch(w->store, "ldap", IDENTITY_USER, "u1");
    while (store_retain(w->store, NULL) < 0) /* may have ridden on the same commit */
        ;
    store_retain(w->store, NULL); /* comes after it */
    assert_int_equal(world_counts(w).ready, 1);
    fault_set("store.commit=full", NULL);
    store_touch(w->store, "ldap", IDENTITY_USER, "u2");
    world_reopen(w); /* is lost, and leaks nothing */
    fault_set(NULL, NULL);
}

static void a_failed_lease_leaves_its_outputs_alone(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;
    struct lease leases[PRIORITY_COUNT] = { { .attempt = 77 } };
    struct wall next = { 5 };

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    fault_set("store.commit=full*1", NULL);
    assert_int_equal(world_lease_each(w, 1, leases, &next), ERROR_FULL);
    assert_int_equal(leases[0].attempt, 77);
    assert_int_equal(next.us, 5);
    assert_int_equal(world_counts(w).ready, 1);
}

static void a_full_disk_refuses_and_takes_again_when_there_is_room(void **state)
{
    struct world *w = *state;
    int refused = 0, taken = 0;

    world_route(w);
    assert_int_equal(store_limit_pages(w->store, -4), 0); /* four pages more than now */
    for (int i = 0; i < 200; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        int effect = world_take(w, name, 1, STATUS(name, "ACTIVE"));
        taken += effect == EVENT_CHANGED;
        refused += effect == ERROR_FULL;
    }
    assert_int_equal(taken + refused, 200);
    assert_true(taken > 0 && refused > 0);
    assert_non_null(strstr(w->error.text, "free some space"));
    assert_int_equal(store_limit_pages(w->store, 0), ERROR_OK);
    for (int i = 0; i < 200; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        taken += world_take(w, name, 1, STATUS(name, "ACTIVE")) == EVENT_CHANGED;
    }
    assert_int_equal(taken, 200);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 200);
    assert_int_equal(world_counts(w).ready, 200);
}

/* A real failure of write(2): the file may not grow. */
static void a_write_that_fails_is_an_error_and_heals(void **state)
{
    struct world *w = *state;
    struct rlimit before, tight;
    int failed = 0;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 256 * 1024;
    setrlimit(RLIMIT_FSIZE, &tight);
    for (int i = 0; i < 100 && failed == 0; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        failed = world_take(w, name, 1, STATUS(name, "ACTIVE")) < 0;
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(failed, 1);
    assert_int_equal(world_take(w, "after", 1, STATUS("after", "ACTIVE")), EVENT_CHANGED);
}

static void a_database_locked_by_another_process_is_busy(void **state)
{
    struct world *w = *state;
    sqlite3 *other;

    assert_int_equal(sqlite3_open(w->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(world_take(w, "a", 1, STATUS("u1", "ACTIVE")), ERROR_BUSY);
    assert_non_null(strstr(w->error.text, "another process"));
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(world_take(w, "a", 1, STATUS("u1", "ACTIVE")), EVENT_CHANGED);
}

/* ---- the queue ---- */

struct gate { /* holds the writer thread inside a callback */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
    int good, bad, last_code;
    struct store *store;
};
#define GATE(s) { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, 0, 0, 0, (s) }

static void wait_in_gate(void *arg, int code, const struct error *error, const struct event_batch *batch,
                         const enum event_effect *effects)
{
    struct gate *gate = arg;

    (void)code, (void)error, (void)batch, (void)effects;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void count_answer(void *arg, int code, const struct error *error, const struct event_batch *batch,
                         const enum event_effect *effects)
{
    struct gate *gate = arg;

    (void)error, (void)batch;
    pthread_mutex_lock(&gate->lock);
    gate->good += code == 0 && effects != NULL;
    gate->bad += code < 0 && effects == NULL;
    gate->last_code = code < 0 ? code : gate->last_code;
    pthread_mutex_unlock(&gate->lock);
}

static void queue_event(struct world *w, const char *uuid, store_taken *taken, struct gate *gate)
{
    const struct fact facts[] = { STATUS("u1", "ACTIVE") };
    struct event_batch *batch = batch_new(NULL, 1);

    event_fill(&batch->events[0], uuid, "t", 1, facts, 1);
    store_take(w->store, batch, (struct wall){ w->now_us }, taken, gate);
}

static void close_gate(struct world *w, struct gate *gate)
{
    queue_event(w, "gate", wait_in_gate, gate);
    pthread_mutex_lock(&gate->lock);
    while (!gate->entered)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void queue_many(struct world *w, int count, struct gate *gate)
{
    for (int i = 0; i < count; i++) {
        cleanup_free char *uuid = str_printf("queued-%d", i);
        queue_event(w, uuid, count_answer, gate);
    }
}

static void what_waits_is_committed_together(void **state)
{
    struct world *w = *state;
    struct gate gate = GATE(w->store);
    struct store_status before, after;

    close_gate(w, &gate);
    store_read_status(w->store, &before);
    queue_many(w, 300, &gate);
    open_gate(&gate);
    world_take(w, "last", 2, STATUS("u1", "ACTIVE"));
    store_read_status(w->store, &after);
    assert_int_equal(gate.good, 300);
    assert_true(after.commits - before.commits <= 2);
}

static void a_failed_commit_fails_all_that_rode_on_it(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;
    struct gate gate = GATE(w->store);

    close_gate(w, &gate);
    queue_many(w, 50, &gate);
    fault_set("store.commit=full*1", NULL);
    open_gate(&gate);
    world_take(w, "last", 2, STATUS("u1", "ACTIVE"));
    assert_int_equal(gate.bad, 50);
    assert_int_equal(gate.last_code, ERROR_FULL);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event WHERE uuid LIKE 'queued-%'"), 0);
}

static void one_hopeless_request_does_not_take_the_others_with_it(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = *state;
    struct gate gate = GATE(w->store);

    close_gate(w, &gate);
    queue_many(w, 50, &gate);
    fault_set("store.write=internal*2", NULL); /* the group, then the first of it alone */
    open_gate(&gate);
    world_take(w, "last", 2, STATUS("u1", "ACTIVE"));
    assert_int_equal(gate.bad, 1);
    assert_int_equal(gate.good, 49);
}

static void closing_finishes_what_is_queued(void **state)
{
    struct world *w = *state;
    struct gate gate = GATE(w->store);

    queue_many(w, 1000, &gate);
    world_close(w);
    assert_int_equal(gate.good, 1000);
    world_open(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 1000);
}

static void queue_again(void *arg, int code, const struct error *error, const struct event_batch *batch,
                        const enum event_effect *effects)
{
    struct gate *gate = arg;
    struct event_batch *next;

    (void)error, (void)batch, (void)effects;
    gate->last_code = code;
    if (code < 0)
        return;
    cleanup_free char *uuid = str_printf("again-%d", ++gate->good);
    next = batch_new(NULL, 1);
    event_fill(&next->events[0], uuid, "t", 1, NULL, 0);
    store_take(gate->store, next, (struct wall){ START }, queue_again, gate);
}

static void what_comes_after_close_began_is_refused(void **state)
{
    struct world *w = *state;
    struct gate gate = GATE(w->store);

    queue_event(w, "first", queue_again, &gate);
    world_close(w);
    assert_int_equal(gate.last_code, ERROR_CLOSED);
    world_open(w);
}

struct reading {
    struct world *world;
    atomic_bool stop;
    atomic_int failures;
};

static void *read_for_ever(void *arg)
{
    struct reading *reading = arg;
    struct identity identity;
    json_t *array;

    while (!atomic_load(&reading->stop)) {
        if (store_read_identity(reading->world->store, IDENTITY_USER, "u1", &identity, NULL) == 0)
            identity_clear(&identity);
        else
            atomic_fetch_add(&reading->failures, 1);
        if (store_list_events(reading->world->store, NULL, &array, NULL) == 0)
            json_decref(array);
        else
            atomic_fetch_add(&reading->failures, 1);
    }
    return NULL;
}

static void the_log_stays_bounded_while_readers_read(void **state)
{
    struct world *w = *state;
    struct store *store = w->store;
    struct reading reading = { .world = w };
    pthread_t threads[6]; /* more than there are connections */
    cleanup_free char *log = str_printf("%s-wal", w->path);
    struct stat file;

    store->checkpointer.pages_soft = 20;
    store->checkpointer.pages_hard = 60;
    world_take(w, "first", 1, STATUS("u1", "ACTIVE"));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_for_ever, &reading), 0);
    for (int i = 0; i < 600; i++) {
        cleanup_free char *name = str_printf("u-%d", i);
        assert_int_equal(world_take(w, name, 1, STATUS(name, "ACTIVE")), EVENT_CHANGED);
    }
    atomic_store(&reading.stop, true);
    for (size_t i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&reading.failures), 0);
    assert_int_equal(stat(log, &file), 0);
    assert_in_range(file.st_size, 1, 500 * 4120); /* without: some 6,000 pages */
}

/* ---- opening ---- */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int open_elsewhere(struct world *w, const char *path)
{
    struct store_settings settings = w->settings;
    struct store *store;

    settings.path = path;
    int code = store_open(&settings, &store, &w->error);
    if (code == 0)
        store_close(store);
    return code;
}

static void a_missing_folder_is_named(void **state)
{
    struct world *w = *state;
    cleanup_free char *path = str_printf("%s/missing/store.db", w->folder);

    assert_int_equal(open_elsewhere(w, path), ERROR_NOTFOUND);
    assert_non_null(strstr(w->error.text, "/missing does not exist; create it"));
}

static void a_folder_that_cannot_be_written_is_named(void **state)
{
    struct world *w = *state;

    assert_true(open_elsewhere(w, "/proc/store.db") < 0); /* root may write anywhere else */
    assert_non_null(strstr(w->error.text, "/proc"));
}

static void others_cannot_read_the_file(void **state)
{
    struct world *w = *state;
    cleanup_free char *log = str_printf("%s-wal", w->path);
    struct stat file;

    assert_int_equal(stat(w->path, &file), 0);
    assert_int_equal(file.st_mode & 0007, 0);
    assert_int_equal(stat(log, &file), 0);
    assert_int_equal(file.st_mode & 0007, 0);
}

static void a_second_agent_is_refused(void **state)
{
    struct world *w = *state;

    assert_int_equal(open_elsewhere(w, w->path), ERROR_BUSY);
    assert_non_null(strstr(w->error.text, "another provostd"));
}

static void a_file_that_is_no_store_is_refused(void **state)
{
    struct world *w = *state;
    cleanup_free char *path = str_printf("%s/other.db", w->folder);
    sqlite3 *other;

    write_file(path, "This is a letter to my aunt, and not a database at all. It only has to be longer than a header, which is 100 bytes.");
    assert_int_equal(open_elsewhere(w, path), ERROR_CORRUPT);
    unlink(path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_exec(other, "CREATE TABLE aunt (letter)", NULL, NULL, NULL);
    sqlite3_close(other);
    assert_int_equal(open_elsewhere(w, path), ERROR_INVALID);
    assert_non_null(strstr(w->error.text, "another program"));
}

static void set_schema_version(struct world *w, int version)
{
    cleanup_free char *pragma = str_printf("PRAGMA user_version=%d", version);

    world_number(w, pragma);
}

static void a_newer_schema_is_refused(void **state)
{
    struct world *w = *state;

    world_close(w);
    world_number(w, "PRAGMA user_version=99");
    assert_int_equal(open_elsewhere(w, w->path), ERROR_VERSION);
    assert_non_null(strstr(w->error.text, "99"));
    set_schema_version(w, schema_version);
    world_open(w);
}

/* The store's own steps, and room for two of the test's. */
static struct schema_step *steps_and(const char *one, const char *two)
{
    struct schema_step *steps = calloc((size_t)schema_version + 2, sizeof(*steps));

    for (int i = 0; i < schema_version; i++)
        steps[i] = schema_steps[i];
    steps[schema_version].sql = one;
    steps[schema_version + 1].sql = two;
    return steps;
}

static void an_older_schema_is_brought_up_to_date(void **state)
{
    cleanup_free struct schema_step *steps = steps_and("ALTER TABLE event ADD COLUMN fresh INTEGER DEFAULT 7",
                                                       "CREATE TABLE later (x); INSERT INTO later VALUES (5)");
    struct world *w = *state;
    struct db *db;

    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    world_close(w);
    assert_int_equal(db_open(w->path, false, &db, &w->error), 0);
    assert_int_equal(schema_bring_up(db, steps, schema_version + 2, &w->error), 0);
    assert_int_equal(schema_bring_up(db, steps, schema_version + 2, &w->error), 0); /* nothing left to do */
    db_close(db);
    assert_int_equal(world_number(w, "PRAGMA user_version"), schema_version + 2);
    assert_int_equal(world_number(w, "SELECT fresh FROM event"), 7);
    assert_int_equal(world_number(w, "SELECT x FROM later"), 5);
    set_schema_version(w, schema_version);
    world_open(w);
}

static void the_first_schema_is_brought_up_to_date(void **state)
{
    struct world *w = *state;
    struct db *db;

    world_close(w);
    unlink(w->path);
    close(open(w->path, O_CREAT | O_RDWR, 0600));
    assert_int_equal(db_open(w->path, false, &db, &w->error), 0);
    assert_int_equal(schema_bring_up(db, schema_steps, 1, &w->error), 0);
    assert_int_equal(db_execute(db, "INSERT INTO identity (n, kind, id, status) VALUES (1, 0, 'ann', 'DEPROVISIONED'), (2, 0, 'bob', 'ACTIVE');"
                                "INSERT INTO lane (key, target, state, rank, at, priority, delivery, deliveries, since, oldest) VALUES"
                                " (1099511627777, 1, 0, 0, 5, 0, 0, 0, 5, 0), (1099511627778, 1, 0, 0, 6, 0, 0, 0, 6, 0)", &w->error), 0);
    db_close(db);
    world_open(w);
    assert_int_equal(world_number(w, "PRAGMA user_version"), schema_version);
    assert_int_equal(world_number(w, "SELECT leaver FROM lane WHERE key = 1099511627777"), 5);
    assert_int_equal(world_number(w, "SELECT leaver FROM lane WHERE key = 1099511627778"), 0);
}

/* One time for all triggers was kept then. */
static void sessions_void_in_the_first_schema_are_void_by_clear(void **state)
{
    struct world *w = *state;
    struct identity identity;
    struct db *db;
    struct error error;
    cleanup_free char *path = str_printf("%s/first.db", w->folder);
    struct store_settings settings = w->settings;

    settings.path = path;
    fclose(fopen(path, "w"));
    assert_int_equal(db_open(path, false, &db, &error), 0);
    assert_int_equal(schema_bring_up(db, schema_steps, 1, &error), 0);
    assert_int_equal(db_execute(db, "INSERT INTO identity (n, kind, id, sessions_void) VALUES (1, 0, 'u1', 77)", &error), 0);
    db_close(db);
    struct store *store;
    assert_int_equal(store_open(&settings, &store, &error), 0);
    assert_int_equal(store_read_identity(store, IDENTITY_USER, "u1", &identity, &error), 0);
    assert_int_equal(identity.sessions_void[TRIGGER_CLEAR].us, 77);
    assert_int_equal(identity.sessions_void[TRIGGER_LOGOUT].us, 0);
    identity_clear(&identity);
    store_close(store);
}

static void a_step_that_fails_leaves_the_file_as_it_was(void **state)
{
    cleanup_free struct schema_step *steps = steps_and("CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)", NULL);
    cleanup_free char *next = str_printf("version %d", schema_version + 1);
    struct world *w = *state;
    struct db *db;

    world_close(w);
    assert_int_equal(db_open(w->path, false, &db, &w->error), 0);
    assert_true(schema_bring_up(db, steps, schema_version + 1, &w->error) < 0);
    assert_non_null(strstr(w->error.text, next));
    db_close(db);
    assert_int_equal(world_number(w, "PRAGMA user_version"), schema_version);
    assert_int_equal(world_number(w, "SELECT count(*) FROM sqlite_master WHERE name = 'half'"), 0);
    world_open(w);
}

/* ---- retention ---- */

static int retain_all(struct world *w)
{
    int steps = 0, more;

    do {
        more = store_retain(w->store, &w->error);
        assert_true(more >= 0);
        steps++;
    } while (more > 0);
    return steps;
}

static void finish_all(struct world *w)
{
    struct lease lease;
    const struct operation_record operation = { .kind = "create", .locator = "x", .outcome = "applied", .changes = "{}" };

    while (world_lease(w, &lease))
        world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .operations = &operation, .operation_count = 1 });
}

static void old_events_go_in_small_steps_and_facts_stay(void **state)
{
    struct world *w = *state;
    const struct route route = { "ldap", IDENTITY_USER, ~0u, TRIGGERS_ALL };
    struct identity identity;

    store_set_routes(w->store, &route, 1);
    for (int i = 0; i < 450; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        world_take(w, name, 1, STATUS(name, "ACTIVE"));
    }
    finish_all(w);
    world_advance(w, 89 * DAY);
    world_take(w, "young", 1, STATUS("young", "ACTIVE"));
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 451);
    world_advance(w, 2 * DAY);
    assert_true(retain_all(w) >= 3);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 1);
    assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 1);
    assert_int_equal(world_number(w, "SELECT count(*) FROM operation"), 0);
    assert_int_equal(store_read_identity(w->store, IDENTITY_USER, "u0", &identity, &w->error), 0);
    identity_clear(&identity);
}

static void sign_ins_are_kept_for_some_days(void **state)
{
    struct world *w = *state;

    world_take(w, "a", 1, SIGNED_IN("u1", "old", true), ASSIGNED("u1", "0oa1", true));
    world_advance(w, SIGN_IN_KEEP_US - SECOND);
    world_take(w, "b", SIGN_IN_KEEP_US / SECOND, SIGNED_IN("u1", "young", true));
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM membership WHERE kind = 2"), 2);
    world_advance(w, 3 * SECOND);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM membership WHERE kind = 2 AND other = 'young'"), 1);
    assert_int_equal(world_number(w, "SELECT count(*) FROM membership"), 2);
}

static void keys_outlive_their_events(void **state)
{
    struct world *w = *state;

    world_take(w, "old", 1, STATUS("u1", "ACTIVE"));
    world_take(w, "6e08cca5-9488-4367-b75b-e0bb1c973c58", 1, STATUS("u2", "ACTIVE"));
    world_take(w, "9191ef7a-f669-11e9-b9b3-fd3a55cb1b10", 1, STATUS("u3", "ACTIVE")); /* of 2019 */
    world_advance(w, 100 * DAY);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 0);
    assert_int_equal(world_take(w, "old", 1, STATUS("u1", "ACTIVE")), EVENT_DUPLICATE);
    assert_int_equal(world_take(w, "6e08cca5-9488-4367-b75b-e0bb1c973c58", 1, STATUS("u2", "ACTIVE")), EVENT_DUPLICATE);
    assert_int_equal(world_take(w, "9191ef7a-f669-11e9-b9b3-fd3a55cb1b10", 1, STATUS("u3", "ACTIVE")), EVENT_DUPLICATE);
    world_advance(w, 82 * DAY);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM seen"), 0);
    assert_int_equal(world_take(w, "old", 1, STATUS("u1", "ACTIVE")), EVENT_UNCHANGED); /* facts stay */
}

static void work_that_waits_keeps_its_event(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    world_take(w, "waits", 1, LOGIN("u1", "a@x"));
    world_advance(w, 1);
    world_take(w, "done", 1, LOGIN("u2", "b@x"));
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_DEAD, .outcome = "rejected" });
    finish_all(w);
    world_advance(w, 200 * DAY);
    world_take(w, "new", 2, LOGIN("u3", "c@x"));
    retain_all(w);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 2);
    assert_int_equal(store_retry_dead(w->store, "ldap", NULL, &w->error), 1);
    finish_all(w);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 1);
}

static void an_identitys_events_are_listed_up_to_where_retention_came(void **state)
{
    struct world *w = *state;
    json_t *array;

    world_take(w, "a", 1, LOGIN("u1", "a@x"));
    world_advance(w, 60 * DAY);
    world_take(w, "b", 2, LOGIN("u1", "b@x"));
    world_advance(w, 60 * DAY);
    retain_all(w);
    assert_int_equal(store_list_events(w->store, &(struct store_filter){ .user = "u1" }, &array, &w->error), 0);
    assert_int_equal(json_array_size(array), 1);
    json_decref(array);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_but_a_lease_is_synced_when_it_is_said_to_be_done),
        TEST(killed_before_the_commit_nothing_is_half_there),
        TEST(killed_after_the_commit_the_unanswered_event_is_there),
        TEST(killed_while_writing_nothing_is_half_there),
        TEST(every_code_is_handed_on_and_heals),
        TEST(a_lease_outlives_a_failure_of_the_store),
        TEST(a_touch_that_failed_comes_again_when_the_fault_has_passed),
        TEST(a_failed_lease_leaves_its_outputs_alone),
        TEST(a_full_disk_refuses_and_takes_again_when_there_is_room),
        TEST(a_write_that_fails_is_an_error_and_heals),
        TEST(a_database_locked_by_another_process_is_busy),
        TEST(what_waits_is_committed_together),
        TEST(a_failed_commit_fails_all_that_rode_on_it),
        TEST(one_hopeless_request_does_not_take_the_others_with_it),
        TEST(closing_finishes_what_is_queued),
        TEST(what_comes_after_close_began_is_refused),
        TEST(the_log_stays_bounded_while_readers_read),
        TEST(a_missing_folder_is_named),
        TEST(a_folder_that_cannot_be_written_is_named),
        TEST(others_cannot_read_the_file),
        TEST(a_second_agent_is_refused),
        TEST(a_file_that_is_no_store_is_refused),
        TEST(a_newer_schema_is_refused),
        TEST(an_older_schema_is_brought_up_to_date),
        TEST(sessions_void_in_the_first_schema_are_void_by_clear),
        TEST(the_first_schema_is_brought_up_to_date),
        TEST(a_step_that_fails_leaves_the_file_as_it_was),
        TEST(old_events_go_in_small_steps_and_facts_stay),
        TEST(sign_ins_are_kept_for_some_days),
        TEST(keys_outlive_their_events),
        TEST(work_that_waits_keeps_its_event),
        TEST(an_identitys_events_are_listed_up_to_where_retention_came),
    };

    return cmocka_run_group_tests_name("store_faults", tests, NULL, NULL);
}
