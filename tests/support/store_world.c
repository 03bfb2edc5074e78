#include "tests/support/store_world.h"

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

static struct wall world_wall(struct clock *clock)
{
    struct world *world = (struct world *)clock;

    return (struct wall){ __atomic_load_n(&world->now_us, __ATOMIC_SEQ_CST) + __atomic_load_n(&world->wall_ahead_us, __ATOMIC_SEQ_CST) };
}

static struct mono world_mono(struct clock *clock)
{
    return (struct mono){ __atomic_load_n(&((struct world *)clock)->now_us, __ATOMIC_SEQ_CST) };
}

void world_advance(struct world *world, int64_t us)
{
    __atomic_add_fetch(&world->now_us, us, __ATOMIC_SEQ_CST);
}

void world_open(struct world *world)
{
    if (store_open(&world->settings, &world->store, &world->error) < 0)
        fail_msg("%s", world->error.text);
}

void world_close(struct world *world)
{
    store_close(take_pointer(world->store));
}

void world_reopen(struct world *world)
{
    world_close(world);
    world_open(world);
}

int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    world->clock = (struct clock){ world_wall, world_mono };
    world->now_us = START;
    snprintf(world->folder, sizeof(world->folder), "/tmp/provost-store-XXXXXX");
    if (mkdtemp(world->folder) == NULL)
        return -1;
    world->path = str_printf("%s/store.db", world->folder);
    world->settings = (struct store_settings){
        .path = world->path, .owner = "agent-1", .keep_us = 90 * DAY, .keep_keys_us = 180 * DAY, .quarantine_most = 3,
        .clock = &world->clock,
    };
    fault_set(NULL, NULL);
    world_open(world);
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    struct dirent *entry;

    fault_set(NULL, NULL);
    world_close(world);
    DIR *folder = opendir(world->folder);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        cleanup_free char *path = str_printf("%s/%s", world->folder, entry->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(world->folder);
    free(world->path);
    free(world);
    return 0;
}

/* ---- events ---- */

struct event_batch *batch_new(const char *event_id, size_t count)
{
    struct event_batch *batch = calloc(1, sizeof(*batch));

    batch->event_id = str_dup(event_id);
    batch->events = calloc(count, sizeof(*batch->events));
    batch->count = count;
    return batch;
}

void event_fill(struct event *event, const char *uuid, const char *type, int64_t published_s, const struct fact *facts, size_t count)
{
    event->uuid = strdup(uuid);
    event->type = strdup(type);
    event->outcome = strdup("SUCCESS");
    event->published.us = START + published_s * SECOND;
    event->raw = str_printf("{\"uuid\":\"%s\"}", uuid);
    event->facts = calloc(count + 1, sizeof(*facts));
    event->fact_count = count;
    for (size_t i = 0; i < count; i++) {
        event->facts[i] = facts[i];
        event->facts[i].as_of = event->published;
    }
    if (count == 0)
        return;
    event->subject_id = strdup(facts[0].id);
    event->subject_kind = facts[0].identity_kind;
}

struct answer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    int code;
    struct error *error;
    enum event_effect *effects;
};

static void answer_wait(struct answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    while (!answer->done)
        pthread_cond_wait(&answer->changed, &answer->lock);
    pthread_mutex_unlock(&answer->lock);
}

static void answer_give(struct answer *answer, int code, const struct error *error)
{
    pthread_mutex_lock(&answer->lock);
    answer->done = true;
    answer->code = code;
    if (error != NULL)
        *answer->error = *error;
    pthread_cond_signal(&answer->changed);
    pthread_mutex_unlock(&answer->lock);
}

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    struct answer *answer = arg;

    if (code == 0 && answer->effects != NULL)
        memcpy(answer->effects, effects, batch->count * sizeof(*effects));
    answer_give(answer, code, error);
}

static void done(void *arg, int code, const struct error *error)
{
    answer_give(arg, code, error);
}

int world_take_at(struct world *world, struct event_batch *batch, struct wall received, enum event_effect *effects)
{
    struct answer answer = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, &world->error, effects };

    store_take(world->store, batch, received, taken, &answer);
    answer_wait(&answer);
    return answer.code;
}

int world_take_batch(struct world *world, struct event_batch *batch, enum event_effect *effects)
{
    return world_take_at(world, batch, (struct wall){ world->now_us }, effects);
}

int world_take_facts(struct world *world, const char *uuid, int64_t published_s, const struct fact *facts, size_t count)
{
    struct event_batch *batch = batch_new(NULL, 1);
    enum event_effect effect;

    event_fill(&batch->events[0], uuid, "user.lifecycle.test", published_s, facts, count);
    int code = world_take_batch(world, batch, &effect);
    return code < 0 ? code : (int)effect;
}

void world_route(struct world *world)
{
    const struct route routes[] = {
        { "ldap", IDENTITY_USER, ~0u, TRIGGERS_ALL }, { "ldap", IDENTITY_GROUP, ~0u, 0 },
        { "mail", IDENTITY_USER, FACT_BIT(FACT_STATUS), TRIGGER_BIT(TRIGGER_LOCK) },
    };

    assert_int_equal(store_set_routes(world->store, routes, 3), 0);
}

/* ---- lanes ---- */

int world_lease_each(struct world *world, size_t most, struct lease *leases, struct wall *ret_next)
{
    struct lease_wish wish = { .target = "ldap", .lease_us = 60 * SECOND, .creates = world->creates };

    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        wish.most[priority] = most;
    return store_lease(world->store, &wish, leases, ret_next, &world->error);
}

/* The most urgent: the others are not asked for. */
bool world_lease(struct world *world, struct lease *lease)
{
    struct wall next;
    int count = 0;

    for (int priority = 0; priority < PRIORITY_COUNT && count == 0; priority++) {
        struct lease_wish wish = { .target = "ldap", .lease_us = 60 * SECOND, .creates = world->creates };
        wish.most[priority] = 1;
        count = store_lease(world->store, &wish, lease, &next, &world->error);
    }
    if (count < 0)
        fail_msg("%s", world->error.text);
    return count == 1;
}

int world_end(struct world *world, struct lease *lease, struct completion completion)
{
    struct answer answer = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, &world->error, NULL };

    completion.lease = lease;
    store_complete(world->store, &completion, done, &answer);
    answer_wait(&answer);
    lease_clear(lease);
    return answer.code;
}

int world_done(struct world *world, struct lease *lease, const char *outcome)
{
    return world_end(world, lease, (struct completion){ .end = LANE_DONE, .outcome = outcome, .action = "create" });
}

struct store_lane_counts world_counts(struct world *world)
{
    struct store_lane_counts counts;

    assert_int_equal(store_count_lanes(world->store, "ldap", &counts, &world->error), 0);
    return counts;
}

int64_t world_number(struct world *world, const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;

    assert_int_equal(sqlite3_open_v2(world->path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return number;
}
