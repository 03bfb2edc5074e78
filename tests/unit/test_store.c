/* Intake: dedup, facts, routing; and what is read back. */
#include "base/random.h"
#include "store/store_private.h"
#include "tests/support/store_world.h"

#define UUID_1 "9191ef7a-f669-11e9-b9b3-fd3a55cb1b10"
#define UUID_RANDOM "6e08cca5-9488-4367-b75b-e0bb1c973c58"

/* ---- dedup ---- */

static void an_event_is_taken_once(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_take(w, UUID_1, 1, STATUS("u1", "ACTIVE")), EVENT_CHANGED);
    assert_int_equal(world_take(w, UUID_1, 1, STATUS("u1", "ACTIVE")), EVENT_DUPLICATE);
    assert_int_equal(world_take(w, UUID_RANDOM, 1, STATUS("u1", "SUSPENDED")), EVENT_CHANGED);
    assert_int_equal(world_take(w, UUID_RANDOM, 1, STATUS("u1", "SUSPENDED")), EVENT_DUPLICATE);
    assert_int_equal(world_take(w, "no uuid at all", 1, STATUS("u2", "ACTIVE")), EVENT_CHANGED);
    assert_int_equal(world_take(w, "no uuid at all", 9, STATUS("u2", "ACTIVE")), EVENT_DUPLICATE);
    world_reopen(w);
    assert_int_equal(world_take(w, UUID_1, 1, STATUS("u1", "ACTIVE")), EVENT_DUPLICATE);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 3);
}

static void a_duplicate_within_one_batch_is_seen(void **state)
{
    struct world *w = *state;
    struct event_batch *batch = batch_new("request-1", 3);
    const struct fact facts[] = { STATUS("u1", "ACTIVE") };
    enum event_effect effects[3];

    event_fill(&batch->events[0], "a", "t", 1, facts, 1);
    event_fill(&batch->events[1], "a", "t", 1, facts, 1);
    event_fill(&batch->events[2], "b", "t", 2, facts, 1);
    assert_int_equal(world_take_batch(w, batch, effects), 0);
    assert_int_equal(effects[0], EVENT_CHANGED);
    assert_int_equal(effects[1], EVENT_DUPLICATE);
    assert_int_equal(effects[2], EVENT_CHANGED); /* a status whose time advances */
}

static void a_request_sent_again_is_counted(void **state)
{
    struct world *w = *state;
    const struct fact facts[] = { STATUS("u1", "ACTIVE") };
    struct store_status status;

    for (int i = 0; i < 3; i++) {
        struct event_batch *batch = batch_new("request-1", 1);
        event_fill(&batch->events[0], UUID_1, "t", 1, facts, 1);
        assert_int_equal(world_take_batch(w, batch, NULL), 0);
    }
    store_read_status(w->store, &status);
    assert_int_equal(status.duplicate_requests, 2);
    assert_int_equal(status.duplicates, 2);
    assert_int_equal(status.events, 1);
}

static void an_event_id_that_equals_a_uuid_is_no_duplicate(void **state)
{
    struct world *w = *state;
    struct event_batch *batch = batch_new(UUID_1, 1);
    const struct fact facts[] = { STATUS("u1", "ACTIVE") };
    enum event_effect effect;

    event_fill(&batch->events[0], UUID_1, "t", 1, facts, 1);
    assert_int_equal(world_take_batch(w, batch, &effect), 0);
    assert_int_equal(effect, EVENT_CHANGED);
}

/* ---- facts ---- */

static void effects_tell_what_the_event_was_worth(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_take(w, "a", 10, LOGIN("u1", "ann@example.com")), EVENT_CHANGED);
    assert_int_equal(world_take(w, "b", 20, LOGIN("u1", "ann@example.com")), EVENT_UNCHANGED);
    assert_int_equal(world_take(w, "c", 5, LOGIN("u1", "old@example.com")), EVENT_SUPERSEDED);
    assert_int_equal(world_take_facts(w, "d", 30, NULL, 0), EVENT_RECORDED);
    assert_string_equal(event_effect_name(EVENT_SUPERSEDED), "superseded");
}

static void an_identity_is_read_back_whole(void **state)
{
    struct world *w = *state;
    struct identity identity;

    world_take(w, "a", 1, GROUP_NAME("g1", "Sales"), GROUP_EXISTS("g1", true));
    world_take(w, "b", 2, STATUS("u1", "ACTIVE"), LOGIN("u1", "ann@example.com"), NAME("u1", "Ann Lee"), MEMBER("u1", "g1", true),
               ASSIGNED("u1", "0oa1", true), PROFILE("u1", "{\"mobile\":\"1\"}"), VOID("u1", "lock"), SIGNED_IN("u1", "s1", true));
    world_take(w, "c", 3, STATUS("u1", "DEPROVISIONED"), MEMBER("u1", "g2", false));
    assert_int_equal(store_read_identity(w->store, IDENTITY_USER, "u1", &identity, &w->error), 0);
    assert_string_equal(identity.id, "u1");
    assert_string_equal(identity.status.value, "DEPROVISIONED");
    assert_int_equal(identity.status.as_of.us, START + 3 * SECOND);
    assert_string_equal(identity.live_status.value, "ACTIVE");
    assert_string_equal(identity.login.value, "ann@example.com");
    assert_string_equal(identity.name.value, "Ann Lee");
    assert_string_equal(json_string_value(json_object_get(identity.profile, "mobile")), "1");
    assert_int_equal(identity.sessions_void[TRIGGER_LOCK].us, START + 2 * SECOND);
    assert_int_equal(identity.sign_in_count, 1);
    assert_string_equal(identity.sign_ins[0].id, "s1");
    assert_true(identity.sign_ins[0].present);
    assert_int_equal(identity.group_count, 2);
    assert_string_equal(identity.groups[0].id, "g1");
    assert_string_equal(identity.groups[0].name, "Sales");
    assert_true(identity.groups[0].present);
    assert_false(identity.groups[1].present);
    assert_int_equal(identity.app_count, 1);
    assert_string_equal(identity.apps[0].id, "0oa1");
    assert_string_equal(identity.apps[0].name, "App");
    identity_clear(&identity);
    assert_int_equal(store_read_identity(w->store, IDENTITY_GROUP, "g1", &identity, &w->error), 0);
    assert_true(identity.exists);
    assert_string_equal(identity.name.value, "Sales");
    identity_clear(&identity);
}

static void who_was_never_heard_of_is_not_found(void **state)
{
    struct world *w = *state;
    struct identity identity = { .id = (char *)"untouched" };

    assert_int_equal(store_read_identity(w->store, IDENTITY_USER, "nobody", &identity, &w->error), ERROR_NOTFOUND);
    assert_string_equal(identity.id, "untouched");
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    assert_int_equal(store_read_identity(w->store, IDENTITY_GROUP, "u1", &identity, &w->error), ERROR_NOTFOUND);
}

static void an_identity_is_found_by_id_login_and_name(void **state)
{
    struct world *w = *state;
    enum identity_kind kind;
    char *id;

    world_take(w, "a", 1, LOGIN("u1", "ann@example.com"), NAME("u1", "Ann"));
    world_take(w, "b", 1, LOGIN("u2", "bob@example.com"), NAME("u2", "Twin"));
    world_take(w, "c", 1, LOGIN("u3", "eve@example.com"), NAME("u3", "Twin"));
    world_take(w, "d", 1, GROUP_NAME("g1", "Sales"));
    static const struct {
        const char *word, *id;
        enum identity_kind kind;
    } rows[] = { { "u1", "u1", IDENTITY_USER }, { "ANN@example.com", "u1", IDENTITY_USER }, { "Ann", "u1", IDENTITY_USER },
                 { "Sales", "g1", IDENTITY_GROUP } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(store_find_identity(w->store, rows[i].word, &kind, &id, &w->error), 0);
        assert_string_equal(id, rows[i].id);
        assert_int_equal(kind, rows[i].kind);
        free(id);
    }
    assert_int_equal(store_find_identity(w->store, "Twin", &kind, &id, &w->error), ERROR_AMBIGUOUS);
    assert_int_equal(store_find_identity(w->store, "nobody", &kind, &id, &w->error), ERROR_NOTFOUND);
}

static void sessions_void_wake_those_who_chose_the_trigger(void **state)
{
    struct world *w = *state; /* "mail" has chosen lock alone */
    struct store_lane_counts mail;

    world_route(w);
    world_take(w, "a", 1, VOID("u1", "logout"));
    assert_int_equal(store_count_lanes(w->store, "mail", &mail, &w->error), 0);
    assert_int_equal(mail.ready, 0);
    assert_int_equal(world_counts(w).ready, 1);
    world_take(w, "b", 2, VOID("u1", "lock"));
    assert_int_equal(store_count_lanes(w->store, "mail", &mail, &w->error), 0);
    assert_int_equal(mail.ready, 1);
    assert_int_equal(world_take(w, "c", 1, VOID("u1", "lock")), EVENT_SUPERSEDED);
}

static void an_end_without_a_name_is_kept(void **state)
{
    struct world *w = *state;
    struct identity identity;

    world_take(w, "a", 5, SIGNED_IN("u1", "s1", true), STATUS("u1", "ACTIVE"));
    assert_int_equal(world_take(w, "b", 7, SIGNED_IN("u1", NULL, false)), EVENT_CHANGED);
    assert_int_equal(world_take(w, "c", 6, SIGNED_IN("u1", NULL, false)), EVENT_SUPERSEDED);
    world_reopen(w);
    assert_int_equal(store_read_identity(w->store, IDENTITY_USER, "u1", &identity, &w->error), 0);
    assert_int_equal(identity_signed_out_until(&identity).us, START + 7 * SECOND);
    identity_clear(&identity);
}

/* The identity as text, to compare. */
static char *describe(struct world *w, const char *user)
{
    struct identity i;
    struct buf text = { 0 };

    assert_int_equal(store_read_identity(w->store, IDENTITY_USER, user, &i, &w->error), 0);
    const struct text_register *registers[] = { &i.status, &i.live_status, &i.login, &i.name, &i.profile_text };
    for (size_t n = 0; n < 5; n++)
        buf_printf(&text, "%s@%lld ", registers[n]->value, (long long)registers[n]->as_of.us);
    for (int t = 0; t < TRIGGER_COUNT; t++)
        buf_printf(&text, "%lld ", (long long)i.sessions_void[t].us);
    buf_printf(&text, "%lld ", (long long)i.signed_out_before.us);
    for (int g = 1; g <= 2; g++) /* rows come in any order */
        for (size_t n = 0; n < i.group_count; n++)
            if (i.groups[n].id[1] == '0' + g)
                buf_printf(&text, "%s=%d@%lld ", i.groups[n].id, i.groups[n].present, (long long)i.groups[n].as_of.us);
    identity_clear(&i);
    return buf_take(&text);
}

static void any_order_and_grouping_ends_in_the_same_identity(void **state)
{
    struct world *w = *state;
    const struct fact facts[][2] = {
        { STATUS("u", "ACTIVE"), LOGIN("u", "a@x") },       { STATUS("u", "DEPROVISIONED"), NAME("u", "A") },
        { STATUS("u", "SUSPENDED"), NAME("u", "B") },       { MEMBER("u", "g1", true), LOGIN("u", "b@x") },
        { MEMBER("u", "g1", false), VOID("u", "suspend") },            { MEMBER("u", "g2", true), PROFILE("u", "{\"a\":1}") },
        { MEMBER("u", "g2", true), PROFILE("u", "{\"a\":2}") }, { STATUS("u", "STAGED"), LOGIN("u", "c@x") },
    };
    static const int published[] = { 3, 7, 7, 4, 4, 2, 6, 1 };
    struct random_seeded seeded;
    cleanup_free char *first = NULL;

    random_seeded_init(&seeded, 42);
    for (int round = 0; round < 40; round++) {
        cleanup_free char *user = str_printf("user-%d", round);
        size_t order[16];
        for (size_t i = 0; i < 16; i++) { /* each event twice */
            size_t at = (size_t)random_below(&seeded.source, i + 1);
            order[i] = order[at];
            order[at] = i / 2;
        }
        for (size_t i = 0; i < 16;) {
            size_t group = 1 + (size_t)random_below(&seeded.source, 16 - i);
            struct event_batch *batch = batch_new(NULL, group);
            for (size_t n = 0; n < group; n++) {
                cleanup_free char *uuid = str_printf("%d-%zu", round, order[i + n]);
                struct fact mine[2] = { facts[order[i + n]][0], facts[order[i + n]][1] };
                mine[0].id = mine[1].id = user;
                event_fill(&batch->events[n], uuid, "t", published[order[i + n]], mine, 2);
            }
            assert_int_equal(world_take_batch(w, batch, NULL), 0);
            i += group;
        }
        cleanup_free char *text = describe(w, user);
        if (first == NULL)
            first = take_pointer(text);
        else
            assert_string_equal(text, first);
    }
    assert_non_null(strstr(first, "DEPROVISIONED"));
    assert_non_null(strstr(first, "g1=0"));
}

static void an_event_of_many_identities_is_taken_whole(void **state)
{
    struct world *w = *state;
    struct fact facts[100];
    char ids[100][16];

    world_route(w);
    for (int i = 0; i < 100; i++) {
        snprintf(ids[i], sizeof(ids[i]), "u%d", i);
        facts[i] = (struct fact)STATUS(ids[i], "ACTIVE");
    }
    assert_int_equal(world_take_facts(w, "a", 1, facts, 100), EVENT_CHANGED);
    assert_int_equal(world_number(w, "SELECT count(*) FROM identity"), 100);
    assert_int_equal(world_counts(w).ready, 100);
    assert_int_equal(world_number(w, "SELECT deliveries FROM event"), 200);
}

/* ---- routing ---- */

static void only_changed_facts_reach_their_targets(void **state)
{
    struct world *w = *state;
    struct store_lane_counts mail;

    world_route(w);
    world_take(w, "a", 1, LOGIN("u1", "ann@example.com"));
    assert_int_equal(world_counts(w).ready, 1);
    store_count_lanes(w->store, "mail", &mail, &w->error);
    assert_int_equal(mail.ready, 0);
    world_take(w, "b", 2, STATUS("u1", "ACTIVE"));
    store_count_lanes(w->store, "mail", &mail, &w->error);
    assert_int_equal(mail.ready, 1);
    world_take(w, "c", 2, LOGIN("u2", "bob@example.com"));
    world_take(w, "d", 1, LOGIN("u2", "old@example.com"));
    world_take(w, "e", 3, LOGIN("u2", "bob@example.com"));
    assert_int_equal(world_number(w, "SELECT count(*) FROM delivery d JOIN event e ON e.id = d.event WHERE e.uuid IN ('d','e')"), 0);
}

static void a_membership_touches_the_lane_of_the_user(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    world_take(w, "a", 1, MEMBER("u1", "g1", true));
    assert_int_equal(world_counts(w).ready, 1);
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.kind, IDENTITY_USER);
    assert_string_equal(lease.id, "u1");
    lease_clear(&lease);
}

static void routes_are_replaced(void **state)
{
    struct world *w = *state;
    const struct route two[] = { { "ldap", IDENTITY_USER, FACT_BIT(FACT_STATUS), 0 }, { "ldap", IDENTITY_USER, FACT_BIT(FACT_LOGIN), 0 } };

    world_route(w);
    assert_int_equal(store_set_routes(w->store, NULL, 0), 0);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    assert_int_equal(world_counts(w).ready, 0);
    assert_int_equal(store_set_routes(w->store, two, 2), 0);
    world_take(w, "b", 2, STATUS("u1", "SUSPENDED"), LOGIN("u1", "a@x"));
    assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 1); /* two mappings, one lane */
}

struct told {
    int ldap, mail;
};

static void count_told(void *arg, const char *target)
{
    struct told *told = arg;

    if (strcmp(target, "ldap") == 0)
        __atomic_add_fetch(&told->ldap, 1, __ATOMIC_SEQ_CST);
    else
        __atomic_add_fetch(&told->mail, 1, __ATOMIC_SEQ_CST);
}

static void targets_are_told_when_lanes_become_ready(void **state)
{
    struct world *w = *state;
    struct told told = { 0 };

    world_route(w);
    store_on_ready(w->store, count_told, &told);
    world_take(w, "a", 1, LOGIN("u1", "a@x"));
    world_take(w, "b", 0, LOGIN("u1", "older@x"));
    store_retain(w->store, NULL); /* comes after what is told */
    assert_int_equal(told.ldap, 1);
    assert_int_equal(told.mail, 0);
    store_on_ready(w->store, NULL, NULL);
}

/* ---- what people see ---- */

static json_t *list_events(struct world *w, struct store_filter filter)
{
    json_t *array;

    assert_int_equal(store_list_events(w->store, &filter, &array, &w->error), 0);
    return array;
}

static size_t count_events(struct world *w, struct store_filter filter)
{
    json_t *array = list_events(w, filter);
    size_t count = json_array_size(array);

    json_decref(array);
    return count;
}

static void events_are_listed_newest_first_and_filtered(void **state)
{
    struct world *w = *state;

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"), LOGIN("u1", "ann@example.com"));
    world_take(w, "b", 2, STATUS("u2", "ACTIVE"));
    world_take(w, "c", 3, STATUS("u1", "SUSPENDED"));
    world_take(w, "d", 0, STATUS("u1", "DEPROVISIONED"));
    json_t *array = list_events(w, (struct store_filter){ .most = 2 });
    assert_int_equal(json_array_size(array), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(array, 0), "event")), "d");
    int64_t row = json_integer_value(json_object_get(json_array_get(array, 1), "row"));
    json_decref(array);
    array = list_events(w, (struct store_filter){ .before_row = row });
    assert_int_equal(json_array_size(array), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(array, 0), "event")), "b");
    json_decref(array);
    assert_int_equal(count_events(w, (struct store_filter){ .user = "ann@example.com" }), 3);
    assert_int_equal(count_events(w, (struct store_filter){ .user = "u2" }), 1);
    assert_int_equal(count_events(w, (struct store_filter){ .user = "nobody" }), 0);
    assert_int_equal(count_events(w, (struct store_filter){ .target = "mail" }), 3);
    assert_int_equal(count_events(w, (struct store_filter){ .outcome = "superseded" }), 1);
    assert_int_equal(count_events(w, (struct store_filter){ .type = "user.lifecycle.test" }), 4);
    assert_int_equal(count_events(w, (struct store_filter){ .type = "other" }), 0);
}

static json_t *show(struct world *w, const char *id)
{
    json_t *object;

    if (store_show(w->store, id, &object, &w->error) < 0)
        fail_msg("%s", w->error.text);
    return object;
}

static void an_event_an_identity_and_an_operation_are_shown(void **state)
{
    struct world *w = *state;
    struct lease lease;
    const struct operation_record operation = { .kind = "create", .locator = "uid=ann", .outcome = "applied",
                                                .changes = "{\"cn\":[\"Ann\"]}", .note = "made without a manager" };

    world_route(w);
    world_take(w, UUID_RANDOM, 1, LOGIN("u1", "ann@example.com"));
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .action = "create",
                                                               .operations = &operation, .operation_count = 1 }), 0);
    json_t *event = show(w, UUID_RANDOM);
    const json_t *delivery = json_array_get(json_object_get(event, "deliveries"), 0);
    assert_string_equal(json_string_value(json_object_get(delivery, "outcome")), "applied");
    assert_int_equal(json_array_size(json_object_get(delivery, "operations")), 1);
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "raw"), "uuid")), UUID_RANDOM);
    json_decref(event);
    json_t *identity = show(w, "ann@example.com");
    assert_string_equal(json_string_value(json_object_get(identity, "id")), "u1");
    assert_int_equal(json_array_size(json_object_get(identity, "events")), 1);
    assert_int_equal(json_array_size(json_object_get(identity, "operations")), 1);
    json_decref(identity);
    json_t *shown = show(w, "1");
    assert_string_equal(json_string_value(json_object_get(shown, "account")), "uid=ann");
    assert_string_equal(json_string_value(json_object_get(json_object_get(shown, "from"), "event")), UUID_RANDOM);
    json_decref(shown);
    assert_int_equal(store_show(w->store, "nothing", &shown, &w->error), ERROR_NOTFOUND);
    assert_int_equal(store_show(w->store, "99", &shown, &w->error), ERROR_NOTFOUND);
}

static void quarantine_keeps_the_newest_bodies(void **state)
{
    struct world *w = *state;
    json_t *array;
    struct store_status status;

    for (int i = 0; i < 5; i++) {
        cleanup_free char *body = str_printf("body %d \xff", i);
        store_quarantine(w->store, body, strlen(body), "192.0.2.1", "no JSON");
    }
    store_retain(w->store, NULL); /* comes after them */
    assert_int_equal(store_list_quarantine(w->store, 0, &array, &w->error), 0);
    assert_int_equal(json_array_size(array), 3);
    assert_non_null(strstr(json_string_value(json_object_get(json_array_get(array, 0), "body")), "body 4"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(array, 0), "peer")), "192.0.2.1");
    json_decref(array);
    store_read_status(w->store, &status);
    assert_int_equal(status.quarantined, 5);
}

static void status_tells_of_the_store(void **state)
{
    struct world *w = *state;
    struct store_status status;

    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    world_advance(w, SECOND);
    world_take(w, "b", 1, MEMBER("u2", "g1", true));
    store_read_status(w->store, &status);
    assert_int_equal(status.events, 2);
    assert_int_equal(status.identities, 3);
    assert_int_equal(status.last_received.us, START + SECOND);
    assert_int_equal(status.last_commit.us, START + SECOND);
    assert_int_equal(status.last_error_code, 0);
    assert_int_equal(status.schema, schema_version);
    assert_true(status.bytes > 0);
    world_reopen(w);
    store_read_status(w->store, &status);
    assert_int_equal(status.events, 2);
    assert_int_equal(status.last_received.us, START + SECOND);
}

/* A lane asks these at each change: a part of an index would be read for all the target's links, or rows. */
static const struct asked {
    enum sql sql;
    const char *types;
} asked[] = {
    { SQL_LINK_OWNER, "iit" },      { SQL_INTENT_CREATOR, "tii" },  { SQL_MEMBERS_OF, "iiti" },     { SQL_MEMBERS_NOTE, "ii" },
    { SQL_MEMBER_SHARERS, "iiti" }, { SQL_MEMBERS_LEAVING, "ii" },  { SQL_MEMBERS_DROP, "ii" },    { SQL_MEMBERS_WRONG, "ii" },
    { SQL_MEMBERS_HEARD, "ii" },    { SQL_MEMBER_WRONG, "ii" },     { SQL_MEMBER_ROWS, "ii" },     { SQL_MEMBER_FACTS, "iit" },
    { SQL_MEMBER_WRITTEN, "ittt" },
};

/* What SQLite would do; it must say so of each column that the index has. */
static void expect_whole_indexes(struct db *db, sqlite3_stmt *statement)
{
    cleanup_free char *sql = str_printf("EXPLAIN QUERY PLAN %s", sqlite3_sql(statement));
    sqlite3_stmt *plan = NULL;
    int looks = 0;

    assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = row_text(plan, 3);
        bool whole = (strstr(detail, "INDEX link_") == NULL || strstr(detail, "kind=? AND ") != NULL) &&
                     (strstr(detail, "SEARCH v ") == NULL || strstr(detail, "target=? AND ") != NULL);
        if (strstr(detail, "SCAN") != NULL || strstr(detail, "AUTOMATIC") != NULL || !whole)
            fail_msg("%s: %s", sqlite3_sql(statement), detail);
        looks += strstr(detail, "SEARCH") != NULL;
    }
    assert_true(looks > 0);
    sqlite3_finalize(plan);
}

static void what_a_lane_asks_is_looked_up_by_whole_indexes(void **state)
{
    struct world *w = *state;
    struct db *db;

    assert_int_equal(db_open(w->path, false, &db, &w->error), 0);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        sqlite3_stmt *row = NULL;
        bool texts = strcmp(asked[i].types, "ittt") == 0;
        int code = texts ? db_next(db, asked[i].sql, &row, &w->error, asked[i].types, (int64_t)1, "key", "place", "value")
                 : asked[i].types[0] == 't' ? db_next(db, asked[i].sql, &row, &w->error, asked[i].types, "place", (int64_t)1, (int64_t)1)
                 : db_next(db, asked[i].sql, &row, &w->error, asked[i].types, (int64_t)1, (int64_t)1, "key", (int64_t)1);
        if (code < 0)
            fail_msg("%s", w->error.text);
        expect_whole_indexes(db, db->statements[asked[i].sql]);
    }
    db_close(db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_taken_once),
        TEST(a_duplicate_within_one_batch_is_seen),
        TEST(a_request_sent_again_is_counted),
        TEST(an_event_id_that_equals_a_uuid_is_no_duplicate),
        TEST(effects_tell_what_the_event_was_worth),
        TEST(an_identity_is_read_back_whole),
        TEST(sessions_void_wake_those_who_chose_the_trigger),
        TEST(an_end_without_a_name_is_kept),
        TEST(who_was_never_heard_of_is_not_found),
        TEST(an_identity_is_found_by_id_login_and_name),
        TEST(any_order_and_grouping_ends_in_the_same_identity),
        TEST(an_event_of_many_identities_is_taken_whole),
        TEST(only_changed_facts_reach_their_targets),
        TEST(a_membership_touches_the_lane_of_the_user),
        TEST(routes_are_replaced),
        TEST(targets_are_told_when_lanes_become_ready),
        TEST(events_are_listed_newest_first_and_filtered),
        TEST(an_event_an_identity_and_an_operation_are_shown),
        TEST(quarantine_keeps_the_newest_bodies),
        TEST(status_tells_of_the_store),
        TEST(what_a_lane_asks_is_looked_up_by_whole_indexes),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
