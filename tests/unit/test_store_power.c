/*
 * The power goes at any moment: what was not synced is lost, in whole or in part (support/power_disk.h). The file opens again and is
 * sound, every event that was answered and every end of a lane that was told is there, and no event is half there.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <unistd.h>

#include "store/store_private.h"
#include "tests/support/power_disk.h"
#include "tests/support/store_world.h"

#define CUTS_MOST 4000 /* of one round */
#define BATCHES 60
#define IN_FLIGHT 3

struct promise { /* at the moment of a cut */
    int events, done;
};

static struct {
    atomic_int events, done; /* answered, ended */
    sem_t room;
    struct promise promises[CUTS_MOST];
} run;

static void note_promise(void *arg, int cut)
{
    (void)arg;
    if (cut < CUTS_MOST)
        run.promises[cut] = (struct promise){ atomic_load(&run.events), atomic_load(&run.done) };
}

/* ---- what is written ---- */

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    (void)arg, (void)error, (void)effects;
    if (code == 0)
        atomic_fetch_add(&run.events, (int)batch->count);
    sem_post(&run.room);
}

/* Batches of one, two and three events, so that half of one would be seen. */
static void send_batch(struct world *w, int number)
{
    static char users[BATCHES * 3][8]; /* an event borrows them until it is taken */
    size_t count = 1 + (size_t)number % 3;
    struct event_batch *batch = batch_new(NULL, count);

    for (size_t i = 0; i < count; i++) {
        cleanup_free char *uuid = str_printf("%04d-%zu", number, i);
        char *user = users[number * 3 + (int)i];
        snprintf(user, sizeof(users[0]), "u%d", number * 3 + (int)i);
        const struct fact facts[] = { STATUS(user, "ACTIVE"), NAME(user, "a name that takes some room, to fill pages sooner") };
        event_fill(&batch->events[i], uuid, "user.lifecycle.test", number, facts, 2);
    }
    sem_wait(&run.room);
    store_take(w->store, batch, (struct wall){ w->now_us }, taken, NULL);
}

static void end_some_lane(struct world *w)
{
    struct lease lease;

    if (world_lease(w, &lease) && world_done(w, &lease, "applied") == 0)
        atomic_fetch_add(&run.done, 1);
}

static void write_for_a_while(struct world *w)
{
    atomic_store(&run.events, 0);
    atomic_store(&run.done, 0);
    sem_init(&run.room, 0, IN_FLIGHT);
    world_open(w);
    struct checkpointer *checkpointer = &(w->store)->checkpointer;
    checkpointer->pages_soft = 30; /* the log is copied back all the time */
    checkpointer->pages_hard = 90;
    world_route(w);
    for (int i = 0; i < BATCHES; i++) {
        send_batch(w, i);
        if (i % 4 == 3)
            end_some_lane(w);
    }
    world_close(w);
    sem_destroy(&run.room);
}

/* ---- what is left ---- */

/* The world, as it is after a cut. */
static struct world world_after(struct world *w, int cut, char path[static 160])
{
    struct world after = *w;
    char folder[128];

    disk_cut_folder(cut, folder);
    snprintf(path, 160, "%s/store.db", folder);
    after.store = NULL;
    after.path = path;
    after.settings.path = path;
    return after;
}

static void remove_cut(int cut)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", ".lock" };
    char folder[128];

    disk_cut_folder(cut, folder);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        cleanup_free char *path = str_printf("%s/store.db%s", folder, suffixes[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* Events come in the order in which they were sent, whole batches of them. */
static bool is_whole(int64_t events)
{
    int64_t sum = 0;

    for (int i = 0; i < BATCHES && sum < events; i++)
        sum += 1 + i % 3;
    return sum == events;
}

static void check_cut(struct world *w, int cut)
{
    char path[160];
    struct world after = world_after(w, cut, path);
    const struct promise *promise = &run.promises[cut];

    world_open(&after);
    assert_int_equal(world_number(&after, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check != 'ok'"), 0);
    int64_t events = world_number(&after, "SELECT count(*) FROM event");
    assert_true(events >= promise->events);
    assert_true(is_whole(events));
    assert_int_equal(world_number(&after, "SELECT events FROM counter"), events);
    assert_int_equal(world_number(&after, "SELECT count(DISTINCT uuid) FROM event"), events);
    assert_int_equal(world_number(&after, "SELECT count(*) FROM identity"), events);
    assert_int_equal(world_number(&after, "SELECT count(*) FROM delivery"), 2 * events);
    assert_int_equal(world_number(&after, "SELECT count(*) FROM delivery WHERE outcome IS NULL"),
                     world_number(&after, "SELECT coalesce(sum(deliveries), 0) FROM lane"));
    assert_true(world_number(&after, "SELECT count(*) FROM delivery WHERE outcome = 'applied'") >= promise->done);
    assert_int_equal(world_take(&after, "afterwards", 1, STATUS("u-after", "ACTIVE")), EVENT_CHANGED);
    world_close(&after);
    remove_cut(cut);
}

static int play_round(struct world *w, uint64_t seed)
{
    world_close(w);
    unlink(w->path);
    disk_start(w->folder, seed, 150, note_promise, NULL);
    write_for_a_while(w);
    int cuts = disk_stop();
    assert_true(cuts < CUTS_MOST);
    for (int cut = 0; cut < cuts; cut++)
        check_cut(w, cut);
    world_open(w);
    return cuts;
}

static long number_from(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtol(text, NULL, 10) : otherwise;
}

static void what_was_answered_survives_a_power_cut_at_any_moment(void **state)
{
    struct world *w = *state;
    long wanted = number_from("PROVOST_CUTS", 300), seed = number_from("PROVOST_SEED", 1), cuts = 0;

    for (int round = 0; cuts < wanted; round++)
        cuts += play_round(w, (uint64_t)(seed + round));
    print_message("# %ld power cuts\n", cuts);
}

/* ---- the disk itself: a test that could not fail would prove nothing ---- */

static int count_rows(const char *path)
{
    sqlite3 *handle;
    sqlite3_stmt *row = NULL;
    int count = -1;

    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    if (sqlite3_prepare_v2(handle, "SELECT count(*) FROM t", -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
        count = sqlite3_column_int(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(handle);
    return count;
}

/* How many cuts lost a row that was committed. */
static int losses(struct world *w, const char *pragma)
{
    sqlite3 *handle;
    int lost = 0;

    world_close(w);
    unlink(w->path);
    atomic_store(&run.events, 0);
    disk_start(w->folder, 5, 10, note_promise, NULL);
    assert_int_equal(sqlite3_open(w->path, &handle), SQLITE_OK);
    sqlite3_exec(handle, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=20", NULL, NULL, NULL);
    assert_int_equal(sqlite3_exec(handle, pragma, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 50; i++, atomic_fetch_add(&run.events, 1))
        assert_int_equal(sqlite3_exec(handle, "INSERT INTO t VALUES (hex(randomblob(500)))", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    int cuts = disk_stop();
    assert_in_range(cuts, 5, CUTS_MOST);
    for (int cut = 0; cut < cuts; cut++) {
        char path[160];
        world_after(w, cut, path);
        lost += run.promises[cut].events > 0 && count_rows(path) < run.promises[cut].events;
        remove_cut(cut);
    }
    unlink(w->path);
    world_open(w);
    return lost;
}

static void the_disk_loses_what_is_not_synced_and_keeps_what_is(void **state)
{
    struct world *w = *state;

    assert_true(losses(w, "PRAGMA synchronous=OFF") > 0);
    assert_true(losses(w, "PRAGMA synchronous=NORMAL") > 0);
    assert_int_equal(losses(w, "PRAGMA synchronous=FULL"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_disk_loses_what_is_not_synced_and_keeps_what_is),
        TEST(what_was_answered_survives_a_power_cut_at_any_moment),
    };

    return cmocka_run_group_tests_name("store_power", tests, NULL, NULL);
}
