/*
 * A group of requests whose commit fails is rolled back, and each request runs once more, alone. Each call of the store is made here in
 * two worlds, one of which has its group fail: what the file holds and what the caller is told must be the same in both.
 *
 * The table `calls` has a row for each function that store.h declares of an open store; each_function_of_the_store_has_a_row looks.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store_private.h"
#include "tests/support/faults.h"
#include "tests/support/store_world.h"

#define LEASES 5
#define AWAIT_STEPS 20000 /* of a millisecond */

/* ---- what the file holds ---- */

static void add_value(struct buf *text, sqlite3_stmt *row, int column)
{
    const unsigned char *bytes = sqlite3_column_blob(row, column);
    int length = sqlite3_column_bytes(row, column);

    buf_printf(text, " %s=", sqlite3_column_name(row, column));
    if (sqlite3_column_type(row, column) != SQLITE_BLOB)
        buf_add(text, (const char *)bytes, (size_t)length);
    for (int i = 0; sqlite3_column_type(row, column) == SQLITE_BLOB && i < length; i++)
        buf_printf(text, "%02x", bytes[i]);
}

static void add_table(struct buf *text, sqlite3 *handle, const char *table)
{
    cleanup_free char *sql = str_printf("SELECT * FROM \"%s\"", table);
    sqlite3_stmt *row;

    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &row, NULL), SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        buf_add_str(text, table);
        for (int i = 0; i < sqlite3_column_count(row); i++)
            add_value(text, row, i);
        buf_add_char(text, '\n');
    }
    sqlite3_finalize(row);
}

/* All rows of all tables, as text. */
static char *dump(struct world *w)
{
    struct buf text = { 0 };
    sqlite3 *handle;
    sqlite3_stmt *table;

    assert_int_equal(sqlite3_open_v2(w->path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", -1, &table, NULL),
                     SQLITE_OK);
    while (sqlite3_step(table) == SQLITE_ROW)
        add_table(&text, handle, (const char *)sqlite3_column_text(table, 0));
    sqlite3_finalize(table);
    sqlite3_close(handle);
    return buf_take(&text);
}

/* ---- a group that runs twice ---- */

struct gate { /* holds the writer thread inside a callback, so that what comes meanwhile is one group */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
};

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

static void ignore(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    (void)arg, (void)code, (void)error, (void)batch, (void)effects;
}

static void queue_event(struct world *w, const char *uuid, store_taken *taken, void *arg)
{
    struct event_batch *batch = batch_new(NULL, 1);

    event_fill(&batch->events[0], uuid, "t", 1, NULL, 0);
    store_take(w->store, batch, (struct wall){ w->now_us }, taken, arg);
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

static size_t queued(struct world *w)
{
    struct store *store = w->store;

    pthread_mutex_lock(&store->lock);
    size_t count = store->queued;
    pthread_mutex_unlock(&store->lock);
    return count;
}

static void await_queued(struct world *w, size_t count)
{
    for (int i = 0; i < AWAIT_STEPS && queued(w) < count; i++)
        usleep(1000);
    assert_int_equal(queued(w), count);
}

/* One call of the store, made by a thread of its own, and what it was told. */
struct making {
    struct world *world;
    void (*make)(struct making *making);
    struct lease leases[LEASES];
    struct buf told;
};

static void tell(struct making *making, int code, const struct error *error)
{
    buf_printf(&making->told, "%d %s\n", code, code < 0 && error != NULL ? error->text : "");
}

static void *make(void *arg)
{
    struct making *making = arg;

    making->make(making);
    return NULL;
}

/* Makes the call while the writer thread is held, with another request behind it; `faults` come when both run. */
static void make_in_group(struct making *making, const char *faults)
{
    struct world *w = making->world;
    struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false };
    pthread_t thread;

    close_gate(w, &gate);
    size_t before = queued(w);
    assert_int_equal(pthread_create(&thread, NULL, make, making), 0);
    await_queued(w, before + 1);
    queue_event(w, "behind", ignore, NULL);
    fault_set(faults, NULL);
    open_gate(&gate);
    pthread_join(thread, NULL);
    world_take(w, "last", 1, STATUS("last", "ACTIVE")); /* what was queued has come to its end */
    fault_set(NULL, NULL);
}

/* ---- the calls ---- */

static void lease_all(struct making *making)
{
    for (int i = 0; i < LEASES; i++)
        world_lease(making->world, &making->leases[i]);
}

static void clear_leases(struct making *making)
{
    for (int i = 0; i < LEASES; i++)
        lease_clear(&making->leases[i]);
}

static void people_wait(struct making *making)
{
    world_route(making->world);
    for (int i = 0; i < LEASES; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        world_take(making->world, name, 1, STATUS(name, "ACTIVE"), MEMBER(name, "g1", true));
    }
}

static void people_are_worked_on(struct making *making)
{
    people_wait(making);
    lease_all(making);
}

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    tell(arg, code, error);
    for (size_t i = 0; code == 0 && i < batch->count; i++)
        buf_printf(&((struct making *)arg)->told, "%s\n", event_effect_name(effects[i]));
}

static void take_events(struct making *making)
{
    const struct fact facts[] = { STATUS("u0", "SUSPENDED"), LOGIN("u9", "new@x"), MEMBER("u0", "g2", true) };
    const struct fact renamed[] = { GROUP_NAME("g1", "Name") };
    struct event_batch *batch = batch_new("request", 4);

    event_fill(&batch->events[0], "one", "t", 2, facts, 3);
    event_fill(&batch->events[1], "one", "t", 2, facts, 3);
    event_fill(&batch->events[2], "two", "t", 1, facts, 2);
    event_fill(&batch->events[3], "three", "t", 3, renamed, 1);
    store_take(making->world->store, batch, (struct wall){ making->world->now_us }, taken, making);
}

static void quarantine(struct making *making)
{
    store_quarantine(making->world->store, "body", 4, "peer", "reason");
}

static void bodies_are_kept(struct making *making)
{
    for (int i = 0; i < 3; i++)
        quarantine(making);
}

static char *creates(void *arg, const struct identity *identity, const struct link *link)
{
    (void)arg;
    return link == NULL ? str_printf("uid=%s", identity->id) : NULL;
}

static void lease(struct making *making)
{
    struct wall next = { 0 };
    struct error error = { 0 };
    struct lease_wish wish = { .target = "ldap", .most = { 0, 2 }, .lease_us = HOUR, .creates = creates };
    int count = store_lease(making->world->store, &wish, making->leases, &next, &error);

    tell(making, count, &error);
    for (int i = 0; i < count; i++)
        buf_printf(&making->told, "%s %lld %s\n", making->leases[i].id, (long long)making->leases[i].generation, making->leases[i].place);
}

static void done(void *arg, int code, const struct error *error)
{
    tell(arg, code, error);
}

static const struct operation_record operations[] = {
    { .kind = "create", .locator = "uid=a", .outcome = "applied", .changes = "{}", .intent = "digest" },
};

static const struct member_change members[] = { { "g1", "old", "Old", MEMBER_NONE }, { "g1", "other", "Other", MEMBER_LEAVING } };

#define LINK(of) { .key = (char *)(of), .locator = (char *)"uid=a", .account = (char *)"{}", .member = (char *)"A", \
                   .member_key = (char *)"a" }
static const struct link own = LINK("key-0"), anothers = LINK("key-1"), without_key = LINK(NULL);

static void complete_as(struct making *making, const struct lease *of, enum lane_end end, const struct link *link)
{
    const struct completion completion = {
        .lease = of, .end = end, .outcome = "applied", .action = "create", .reason = "why", .retry_at = { START + HOUR },
        .leaving = LEAVING_YES, .link = link, .has_groups = true, .members = members, .member_count = 2,
        .operations = operations, .operation_count = 1,
    };

    store_complete(making->world->store, &completion, done, making);
}

static void complete(struct making *making)
{
    complete_as(making, &making->leases[0], LANE_DONE, &own);
}

static void complete_for_later(struct making *making)
{
    complete_as(making, &making->leases[0], LANE_RETRY, &own);
}

static void complete_with_anothers_account(struct making *making)
{
    complete_as(making, &making->leases[0], LANE_DONE, &anothers);
}

static void complete_too_late(struct making *making)
{
    making->leases[0].generation--;
    complete_as(making, &making->leases[0], LANE_DONE, &own);
}

static const struct link one_link = { .key = (char *)"key-1", .locator = (char *)"uid=b", .account = (char *)"{}" };

static void put_link_of(struct making *making, const char *id)
{
    struct error error = { 0 };

    tell(making, store_put_link(making->world->store, "ldap", IDENTITY_USER, id, &one_link, &error), &error);
}

static void put_link(struct making *making)
{
    put_link_of(making, "u9");
}

static void give_link(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_give_link(making->world->store, "ldap", "g1", "cn=staff", &error), &error);
}

static void add_place(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_add_place(making->world->store, "ldap", 7, &error), &error);
}

static void another_has_the_account(struct making *making)
{
    people_are_worked_on(making);
    put_link_of(making, "u1");
}

static void intend(struct making *making)
{
    const struct member_change member = { "g1", "old", "Old", MEMBER_SENT };
    const struct intent intent = { .target = "ldap", .kind = IDENTITY_USER, .id = "u0", .operation = "create", .digest = "digest",
                                   .key = "key", .sent = "{}", .members = &member, .member_count = 1 };
    struct intent_found found = { 0 };
    struct error error = { 0 };
    int code = store_intend(making->world->store, &intent, &found, &error);

    tell(making, code, &error);
    if (code == 0)
        buf_printf(&making->told, "%s %d %s\n", found.key, found.repeated, found.earlier);
    intent_found_clear(&found);
}

static void it_was_intended(struct making *making)
{
    people_are_worked_on(making);
    intend(making);
}

/* A group's creation waits for the one that is under way at its place. */
static void intend_at_a_place(struct making *making)
{
    const struct intent intent = { .target = "ldap", .kind = IDENTITY_GROUP, .id = "g1", .operation = "create", .digest = "d",
                                   .sent = "{}", .place = "cn=place" };
    struct intent_found found = { 0 };
    struct error error = { 0 };

    tell(making, store_intend(making->world->store, &intent, &found, &error), &error);
    intent_found_clear(&found);
}

static void a_place_is_taken(struct making *making)
{
    const struct intent intent = { .target = "ldap", .kind = IDENTITY_GROUP, .id = "g2", .operation = "create", .digest = "d",
                                   .sent = "{}", .place = "cn=place" };
    struct intent_found found = { 0 };

    people_wait(making);
    assert_int_equal(store_intend(making->world->store, &intent, &found, NULL), 0);
    intent_found_clear(&found);
}

static void forget_creations(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_forget_creations(making->world->store, "ldap", "g2", "cn=elsewhere", &error), &error);
}

static void hurry(struct making *making)
{
    store_hurry(making->world->store, "ldap", "applied");
}

static void people_wait_for_later(struct making *making)
{
    people_are_worked_on(making);
    for (int i = 0; i < LEASES; i++)
        complete_as(making, &making->leases[i], LANE_RETRY, &without_key);
}

static void touch(struct making *making)
{
    store_touch(making->world->store, "new", IDENTITY_USER, "u0");
}

static void hold(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_hold(making->world->store, "ldap", true, &error), &error);
}

static void people_are_held(struct making *making)
{
    people_are_worked_on(making);
    for (int i = 0; i < LEASES; i++)
        complete_as(making, &making->leases[i], LANE_HELD, &without_key);
    hold(making);
}

static void resume(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_hold(making->world->store, "ldap", false, &error), &error);
}

static void people_are_dead(struct making *making)
{
    people_are_worked_on(making);
    for (int i = 0; i < LEASES; i++)
        complete_as(making, &making->leases[i], LANE_DEAD, &without_key);
}

static void retry_dead(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_retry_dead(making->world->store, "ldap", NULL, &error), &error);
}

static void drop_dead(struct making *making)
{
    struct error error = { 0 };
    int64_t kept = 0;

    tell(making, store_drop(making->world->store, &(struct store_drop){ .target = "ldap", .leavers = true }, &kept, &error),
         &error);
}

static void drop_all_but_leavers(struct making *making)
{
    struct error error = { 0 };
    int64_t kept = 0;

    tell(making, store_drop(making->world->store, &(struct store_drop){ .target = "ldap" }, &kept, &error), &error);
    buf_printf(&making->told, "%lld kept\n", (long long)kept);
}

static void drop_work(struct making *making)
{
    struct error error = { 0 };
    int64_t kept = 0;

    tell(making, store_drop(making->world->store, &(struct store_drop){ .target = "ldap", .leavers = true, .any_state = true },
                            &kept, &error), &error);
}

static void people_were_dropped(struct making *making)
{
    people_are_dead(making);
    drop_dead(making);
}

static void take_back(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_take_back(making->world->store, "ldap", NULL, &error), &error);
}

static void set_routes(struct making *making)
{
    const struct route routes[] = { { "new", IDENTITY_USER, ~0u, TRIGGERS_ALL }, { "ldap", IDENTITY_GROUP, ~0u, 0 } };

    tell(making, store_set_routes(making->world->store, routes, 2), NULL);
}

/* More than one step of retention takes away. */
static void much_is_old(struct making *making)
{
    struct event_batch *batch = batch_new(NULL, 450);

    for (size_t i = 0; i < 450; i++) {
        cleanup_free char *name = str_printf("old-%zu", i);
        event_fill(&batch->events[i], name, "t", 1, NULL, 0);
    }
    world_take_batch(making->world, batch, NULL);
    world_advance(making->world, 300 * DAY);
}

static void only_keys_are_old(struct making *making)
{
    much_is_old(making);
    for (int i = 0; i < 3; i++)
        store_retain(making->world->store, NULL);
}

static void retain(struct making *making)
{
    struct error error = { 0 };

    tell(making, store_retain(making->world->store, &error), &error);
}

/* The first step runs twice and looks at the first keys again: how many steps follow is not the same. */
static void retain_all(struct making *making)
{
    struct error error = { 0 };
    int more;

    while ((more = store_retain(making->world->store, &error)) > 0)
        ;
    tell(making, more, &error);
}

/* A call, and what is there before it; up to five ways to make it. None: it queues nothing for the writer thread. */
static const struct call {
    const char *name;
    struct {
        void (*prepare)(struct making *making);
        void (*make)(struct making *making);
    } ways[5];
} calls[] = {
    { "close", { { 0 } } },
    { "set_routes", { { people_wait, set_routes } } },
    { "on_ready", { { 0 } } },
    { "on_clock", { { 0 } } },
    { "removal_time", { { 0 } } },
    { "dating_time", { { 0 } } },
    { "take", { { people_wait, take_events }, { people_are_worked_on, take_events } } },
    { "quarantine", { { bodies_are_kept, quarantine } } },
    { "lease", { { people_wait, lease } } },
    { "complete", { { people_are_worked_on, complete }, { it_was_intended, complete_for_later },
                    { another_has_the_account, complete_with_anothers_account }, { people_are_worked_on, complete_too_late } } },
    { "put_link", { { people_wait, put_link }, { another_has_the_account, put_link } } },
    { "give_link", { { people_wait, give_link } } },
    { "count_unseen", { { 0 } } },
    { "knows_place", { { 0 } } },
    { "add_place", { { people_wait, add_place } } },
    { "intend", { { people_wait, intend }, { it_was_intended, intend }, { a_place_is_taken, intend_at_a_place } } },
    { "read_intents", { { 0 } } },
    { "check_creator", { { 0 } } },
    { "forget_creations", { { a_place_is_taken, forget_creations } } },
    { "hurry", { { people_wait_for_later, hurry } } },
    { "touch", { { people_wait, touch } } },
    { "hold", { { people_wait, hold }, { people_are_held, resume } } },
    { "is_held", { { 0 } } },
    { "retry_dead", { { people_are_dead, retry_dead } } },
    { "drop", { { people_are_dead, drop_dead }, { people_are_dead, drop_all_but_leavers }, { people_wait, drop_work },
                { people_are_dead, drop_work } } },
    { "take_back", { { people_were_dropped, take_back } } },
    { "read_identity", { { 0 } } },
    { "find_identity", { { 0 } } },
    { "read_link", { { 0 } } },
    { "find_owner", { { 0 } } },
    { "has_member_row", { { 0 } } },
    { "read_member_rows", { { 0 } } },
    { "read_members", { { 0 } } },
    { "list_events", { { 0 } } },
    { "list_dead", { { 0 } } },
    { "list_quarantine", { { 0 } } },
    { "show", { { 0 } } },
    { "count_lanes", { { 0 } } },
    { "read_targets", { { 0 } } },
    { "count_waiting", { { 0 } } },
    { "list_waiting", { { 0 } } },
    { "read_status", { { 0 } } },
    { "retain", { { much_is_old, retain }, { only_keys_are_old, retain_all } } },
};

static bool has_row(const char *declaration)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        cleanup_free char *head = str_printf("store_%s(", calls[i].name);
        if (strncmp(declaration, head, strlen(head)) == 0)
            return true;
    }
    return false;
}

static void each_function_of_the_store_has_a_row(void **state)
{
    const char *source = getenv("PROVOST_SOURCE");
    cleanup_free char *path = str_printf("%s/agent/store/store.h", source != NULL ? source : ".");
    cleanup_free char *header = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(file_read(path, 1 << 20, &header, NULL, NULL), 0);
    for (const char *at = header; (at = strstr(at, "(struct store *")) != NULL; at++, count++) {
        const char *name = at;
        while (name > header && strchr(" *\n", name[-1]) == NULL)
            name--;
        if (!has_row(name))
            fail_msg("%.*s has no row in `calls`", (int)(at - name), name);
    }
    assert_int_equal(count, sizeof(calls) / sizeof(calls[0]));
}

/* ---- the comparison ---- */

/* What the file holds after the call, then what was told. */
static char *outcome_of(const struct call *call, size_t way, const char *faults)
{
    void *state;
    assert_int_equal(world_setup(&state), 0);
    struct making making = { .world = state, .make = call->ways[way].make };

    call->ways[way].prepare(&making);
    world_take(making.world, "prepared", 1, STATUS("prepared", "ACTIVE")); /* what was queued has come to its end */
    buf_free(&making.told);
    make_in_group(&making, faults);
    cleanup_free char *rows = dump(making.world);
    char *outcome = str_printf("%s%s", rows, making.told.bytes != NULL ? making.told.bytes : "");
    buf_free(&making.told);
    clear_leases(&making);
    world_teardown(&state);
    return outcome;
}

static void compare(const struct call *call, size_t way, const char *faults)
{
    cleanup_free char *once = outcome_of(call, way, NULL);
    cleanup_free char *twice = outcome_of(call, way, faults);
    size_t same = 0;

    if (strcmp(once, twice) == 0)
        return;
    while (once[same] == twice[same])
        same++;
    while (same > 0 && once[same - 1] != '\n')
        same--;
    fail_msg("%s, way %zu, %s\n once: %.300s\ntwice: %.300s", call->name, way + 1, faults, once + same, twice + same);
}

static void a_call_that_runs_twice_ends_as_one_that_ran_once(void **state)
{
    static const char *const faults[] = { "store.commit=no-memory*1", "store.commit=internal*1" };

    (void)state;
    NEEDS_FAULT_POINTS;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (size_t way = 0; way < 5 && calls[i].ways[way].make != NULL; way++)
            for (size_t j = 0; j < 2; j++)
                compare(&calls[i], way, faults[j]);
}

/* ---- one whose outcome is another one the second time ---- */

static void end_twice(struct making *making)
{
    complete_as(making, &making->leases[0], LANE_DONE, &own);
    complete_as(making, &making->leases[0], LANE_DONE, &own);
}

/* The first end is undone and fails alone: the second one is not stale any more. */
static void a_completion_that_was_stale_in_a_group_that_was_undone_is_made(void **state)
{
    NEEDS_FAULT_POINTS;
    struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false };
    struct making making = { .world = *state };

    people_are_worked_on(&making);
    close_gate(making.world, &gate);
    end_twice(&making);
    fault_set("store.commit=internal*1,store.write=internal*1@3", NULL); /* the group's; the first's alone */
    open_gate(&gate);
    world_take(making.world, "last", 1, STATUS("last", "ACTIVE"));
    assert_int_equal(world_number(making.world, "SELECT count(*) FROM link WHERE key = 'key-0'"), 1);
    assert_non_null(strstr(making.told.bytes, "\n0 \n")); /* the second one's */
    buf_free(&making.told);
    clear_leases(&making);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_function_of_the_store_has_a_row),
        cmocka_unit_test(a_call_that_runs_twice_ends_as_one_that_ran_once),
        cmocka_unit_test_setup_teardown(a_completion_that_was_stale_in_a_group_that_was_undone_is_made, world_setup, world_teardown),
    };

    return cmocka_run_group_tests_name("store_twice", tests, NULL, NULL);
}
