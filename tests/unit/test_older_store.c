/* A store that an older provostd left (schema6.sql says how), opened by this one: what was accepted is there, and what was pending ends
 * in the directory of then as it should. */
#include "tests/support/store_world.h"

#include <sqlite3.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "deliver/run.h"
#include "plan/plan.h"
#include "store/look.h"
#include "tests/property/memory_target.h"
#include "tests/property/policy.h"

#define PERSON(name) "uid=" name ",ou=people,dc=example,dc=org"
#define GROUP(name) "cn=" name ",ou=groups,dc=example,dc=org"
#define LIST "cn=list,ou=lists,dc=example,dc=org"
#define KEY_OF(id) "(SELECT (1 << 40) | n FROM identity WHERE id = '" id "')" /* its lane in ldap */
#define USER_OF(id) "(SELECT n FROM identity WHERE id = '" id "')"

static struct {
    struct world *world;
    struct memory_target *target;
    struct connector_session *session;
    struct mapping *people, *groups;
    struct connector_ops ops;
    bool refuses;           /* changes of members */
    const char *hidden;     /* an entry that searches for groups do not see */
    int sent;               /* changes, in the last work */
    char reasons[2048];     /* of the lanes of the last work */
} old;

/* ---- the file and the directory ---- */

static void put_entry(int number, const char *dn, const char *entry)
{
    static int last;
    const struct operation remove = { .kind = OPERATION_REMOVE, .locator = (char *)"gap" };
    struct receipt receipt = { 0 };

    for (last = number == 1 ? 0 : last; last + 1 < number; last++) { /* keys are given in their order */
        memory_target_put(old.target, "gap", json_object());
        memory_ops.apply(old.session, &remove, NULL, &receipt);
    }
    last = number;
    memory_target_put(old.target, dn, json_loads(entry, 0, NULL));
}

static void make_directory(sqlite3 *file)
{
    sqlite3_stmt *row = NULL;

    assert_int_equal(sqlite3_prepare_v2(file, "SELECT k, dn, entry FROM directory ORDER BY k", -1, &row, NULL), SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW)
        put_entry(sqlite3_column_int(row, 0), (const char *)sqlite3_column_text(row, 1), (const char *)sqlite3_column_text(row, 2));
    sqlite3_finalize(row);
}

static char *read_sql(void)
{
    const char *source = getenv("PROVOST_SOURCE");
    cleanup_free char *path = str_printf("%s/tests/unit/schema6.sql", source != NULL ? source : ".");
    char *text = NULL;

    if (file_read(path, 1 << 20, &text, NULL, &old.world->error) < 0)
        fail_msg("%s", old.world->error.text);
    return text;
}

static void make_file(void)
{
    cleanup_free char *sql = read_sql();
    char *problem = NULL;
    sqlite3 *file;

    unlink(old.world->path);
    assert_int_equal(sqlite3_open(old.world->path, &file), SQLITE_OK);
    if (sqlite3_exec(file, sql, NULL, NULL, &problem) != SQLITE_OK)
        fail_msg("%s", problem);
    make_directory(file);
    assert_int_equal(sqlite3_exec(file, "DROP TABLE directory", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(file);
}

static void open_store(void)
{
    world_open(old.world);
    world_route(old.world);
}

/* ---- the directory's manners ---- */

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    old.sent++;
    receipt->answered = true;
    if (operation->attribute != NULL && old.refuses)
        return receipt_set(receipt, OUTCOME_REJECTED, 50, "no right to write to the group");
    return memory_ops.apply(session, operation, ret_account, receipt);
}

static enum outcome read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                                struct receipt *receipt)
{
    enum outcome outcome = memory_ops.read_groups(session, query, ret_groups, receipt);

    receipt->partial = old.hidden != NULL;
    for (size_t i = json_array_size(*ret_groups); i-- > 0;)
        if (old.hidden != NULL && strcmp(json_string_value(json_object_get(json_array_get(*ret_groups, i), "locator")), old.hidden) == 0)
            json_array_remove(*ret_groups, i);
    return outcome;
}

static struct mapping *load(char *text)
{
    cleanup_free char *path = str_printf("%s/mapping.conf", old.world->folder), *owned = text;
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;
    FILE *file = fopen(path, "w");

    fputs(owned, file);
    fclose(file);
    assert_int_equal(mapping_load(path, &old.ops, &problems, &mapping), 0);
    problems_free(&problems);
    return mapping;
}

static int setup_closed(void **state)
{
    struct receipt receipt = { 0 };

    world_setup(state);
    memset(&old, 0, sizeof(old));
    old.world = *state;
    old.ops = memory_ops;
    old.ops.apply = apply;
    old.ops.read_groups = read_groups;
    old.target = memory_target_new(0, PLANT_NOTHING);
    const struct memory_settings settings = { old.target };
    old.ops.open(&settings, NULL, &old.session, &receipt);
    old.people = load(policy_people(&policies[0]));
    old.groups = load(policy_groups(&policies[0]));
    world_close(old.world);
    make_file();
    old.world->now_us = START + 60 * SECOND;
    return 0;
}

static int setup(void **state)
{
    setup_closed(state);
    open_store();
    return 0;
}

static int teardown(void **state)
{
    old.ops.close(old.session);
    memory_target_free(old.target);
    mapping_free(old.people);
    mapping_free(old.groups);
    return world_teardown(state);
}

/* ---- lanes ---- */

static char *creates(void *arg, const struct identity *identity, const struct link *link)
{
    const struct mapping *mapping = identity->kind == IDENTITY_GROUP ? old.groups : old.people;
    struct link_view view = { 0 };
    char *place = NULL;

    (void)arg;
    if (link != NULL)
        view = lane_link_view(link);
    plan_creation(mapping, identity, link != NULL ? &view : NULL, (struct wall){ old.world->now_us }, &place, NULL);
    return place;
}

static void end(struct lease *lease, const struct lane_result *result)
{
    bool good = result->outcome == OUTCOME_APPLIED || result->outcome == OUTCOME_UNCHANGED;
    bool refused = result->outcome == OUTCOME_REJECTED;

    assert_int_equal(world_end(old.world, lease, (struct completion){
        .end = good ? LANE_DONE : refused ? LANE_DEAD : LANE_RETRY, .outcome = outcome_name(result->outcome), .action = result->action,
        .reason = result->reason, .retry_at = { old.world->now_us + HOUR }, .link = result->has_link ? &result->link : NULL,
        .has_groups = result->has_groups, .members = result->members, .member_count = result->member_count, .undone = result->undone,
        .leaving = result->leaving, .due = result->due,
    }), 0);
}

static void work_lane(struct lease *lease)
{
    const struct lane_job job = { .target = "ldap", .ops = &old.ops, .user_mapping = old.people, .group_mapping = old.groups,
                                  .session = old.session, .store = old.world->store, .clock = &old.world->clock, .kind = lease->kind,
                                  .id = lease->id, .place = lease->place, .unanswered = lease->unanswered, .attempt = lease->attempt };
    struct lane_result result;
    size_t length = strlen(old.reasons);

    lane_converge(&job, &result);
    if (result.reason != NULL)
        snprintf(old.reasons + length, sizeof(old.reasons) - length, "%s: %s\n", lease->id, result.reason);
    end(lease, &result);
    lane_result_clear(&result);
}

static void work(void)
{
    struct lease lease;

    old.world->creates = creates;
    old.sent = 0;
    old.reasons[0] = '\0';
    while (world_lease(old.world, &lease))
        work_lane(&lease);
}

/* What waits is tried, too. */
static void work_later(void)
{
    work();
    world_advance(old.world, HOUR);
    work();
    world_advance(old.world, HOUR);
    work();
}

/* Only this person's or group's. */
static void work_first(const char *id)
{
    struct lease lease, others[32];
    size_t count = 0;

    old.world->creates = creates;
    for (bool found = false; !found; count++) {
        assert_true(count < 32 && world_lease(old.world, &lease));
        found = strcmp(lease.id, id) == 0;
        others[count] = lease;
    }
    for (size_t i = 0; i + 1 < count; i++)
        world_end(old.world, &others[i], (struct completion){ .end = LANE_RELEASE, .outcome = "target_down" });
    work_lane(&lease);
}

static bool holds(const char *place, const char *member)
{
    json_t *dump = memory_target_dump(old.target);
    const json_t *members = json_object_get(json_object_get(dump, place), "member");
    bool found = false;

    assert_non_null(members);
    for (size_t i = 0; i < json_array_size(members); i++)
        found = found || strcmp(json_string_value(json_array_get(members, i)), member) == 0;
    json_decref(dump);
    return found;
}

static bool stands_at(const char *place)
{
    json_t *dump = memory_target_dump(old.target);
    bool found = json_object_get(dump, place) != NULL;

    json_decref(dump);
    return found;
}

static int64_t number(const char *sql)
{
    return world_number(old.world, sql);
}

/* ---- what was accepted ---- */

static void events_and_facts_are_there(void **state)
{
    struct store_status status;
    struct identity ann = { 0 };
    json_t *bodies;

    (void)state;
    store_read_status(old.world->store, &status);
    assert_int_equal(status.schema, 11);
    assert_int_equal(status.events, 52);
    assert_int_equal(status.identities, 21);
    assert_int_equal(status.last_received.us, START + 52 * SECOND);
    assert_int_equal(store_read_identity(old.world->store, IDENTITY_USER, "u1", &ann, &old.world->error), 0);
    assert_string_equal(ann.login.value, "ann@example.com");
    assert_int_equal(ann.status.as_of.us, START + 3 * SECOND);
    assert_int_equal(ann.group_count, 2);
    identity_clear(&ann);
    assert_int_equal(world_take(old.world, "e004", 4, MEMBER("u1", "g1", false)), EVENT_DUPLICATE);
    assert_int_equal(store_list_quarantine(old.world->store, 9, &bodies, &old.world->error), 0);
    assert_int_equal(json_array_size(bodies), 1);
    json_decref(bodies);
}

static void an_event_of_an_absurd_time_is_not_the_newest_one(void **state)
{
    (void)state;
    world_close(old.world);
    make_file();
    number("UPDATE event SET published = 4070908800000000 WHERE id = 40");
    open_store();
    assert_int_equal(number("SELECT newest FROM counter"), START + 52 * SECOND);
}

static void links_keep_their_accounts(void **state)
{
    static const struct {
        const char *user, *key, *place, *member;
        bool gone;
        int64_t due;
    } rows[] = {
        { "u1", "k4", PERSON("ann"), NULL, false, 0 },
        { "u2", "k5", PERSON("Bob"), PERSON("Bob"), false, 0 }, /* of before: the next lane finds him moved */
        { "u3", "k6", PERSON("carl"), NULL, false, 0 },
        { "u4", "k7", PERSON("dora"), NULL, true, 0 },
        { "u9", "k11", PERSON("ivan"), NULL, false, START + 30 * DAY },
        { "u13", "k14", PERSON("mona"), NULL, true, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct link link = { 0 };
        assert_int_equal(store_read_link(old.world->store, "ldap", IDENTITY_USER, rows[i].user, &link, &old.world->error), 0);
        assert_string_equal(link.key, rows[i].key);
        assert_string_equal(link.locator, rows[i].place);
        assert_string_equal(link.member != NULL ? link.member : "", rows[i].member != NULL ? rows[i].member : "");
        assert_int_equal(link.gone, rows[i].gone);
        assert_int_equal(link.due.us, rows[i].due);
        link_clear(&link);
    }
}

static void what_was_only_begun_is_an_intent_and_no_link(void **state)
{
    static const struct {
        enum identity_kind kind;
        const char *id, *sent;
    } rows[] = {
        { IDENTITY_USER, "u7", "[{\"name\":\"Gina Sol\",\"login\":\"gina@example.com\"}]" },
        { IDENTITY_GROUP, "g4", "[{\"name\":\"Late\",\"login\":null}]" },
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct link link = { 0 };
        cleanup_free char *sent = NULL;
        assert_int_equal(store_read_link(old.world->store, "ldap", rows[i].kind, rows[i].id, &link, &old.world->error), ERROR_NOTFOUND);
        assert_int_equal(store_read_intents(old.world->store, "ldap", rows[i].kind, rows[i].id, "create", &sent, &old.world->error), 0);
        assert_string_equal(sent, rows[i].sent);
    }
    assert_int_equal(store_check_creator(old.world->store, "ldap", "cn=late,ou=groups,dc=example,dc=org", "g7", &old.world->error),
                     ERROR_EXISTS);
}

/* A group that was linked a year ago, removed, and was being created anew. */
static void a_creation_that_was_begun_is_kept_from_the_upgrade_on(void **state)
{
    (void)state;
    world_close(old.world);
    make_file();
    number("UPDATE link SET linked = 1700000000000000 WHERE begun IS NOT NULL");
    open_store();
    while (store_retain(old.world->store, &old.world->error) > 0)
        ;
    assert_int_equal(number("SELECT count(*) FROM intent WHERE operation = 'create' AND key = ''"), 2);
}

static void keys_of_operations_stay(void **state)
{
    const struct intent create = { .target = "api", .kind = IDENTITY_USER, .id = "u1", .operation = "create", .digest = "d1",
                                   .key = "new" };
    struct intent_found found = { 0 };

    (void)state;
    assert_int_equal(store_intend(old.world->store, &create, &found, &old.world->error), 0);
    assert_string_equal(found.key, "key-1");
    assert_true(found.repeated);
    intent_found_clear(&found);
    assert_int_equal(number("SELECT count(*) FROM intent WHERE operation = 'disable' AND key = 'key-2'"), 1);
}

/* With both, the attempt's settings are what is looked by. */
static void a_creation_with_a_key_is_no_second_intent(void **state)
{
    (void)state;
    world_close(old.world);
    make_file();
    number("INSERT INTO link VALUES (3298534883331, 3, 0, NULL, 'x', NULL, 1, 0, 1, '{\"members\":{}}', NULL, NULL)");
    open_store();
    assert_int_equal(number("SELECT count(*) FROM intent WHERE lane = 3298534883331"), 1);
}

static void waiting_due_and_dead_lanes_are_there(void **state)
{
    const struct store_lane_counts counts = world_counts(old.world);
    const struct store_filter filter = { .target = "ldap" };
    json_t *dead;

    (void)state;
    assert_int_equal(counts.waiting, 3); /* u6, u7, g7 */
    assert_int_equal(counts.due, 1);
    assert_int_equal(counts.leased, 0);
    assert_int_equal(number("SELECT count(*) FROM lane WHERE failing > 0 AND attempt > 0"),
                     number("SELECT count(*) FROM lane WHERE attempt > 0"));
    assert_int_equal(store_list_dead(old.world->store, &filter, &dead, &old.world->error), 0);
    assert_int_equal(json_array_size(dead), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(dead, 0), "id")), "u5");
    assert_string_equal(json_string_value(json_object_get(json_array_get(dead, 0), "reason")), "no right to write to the group");
    json_decref(dead);
    assert_true(store_is_held(old.world->store, "mail", false));
    assert_false(store_is_held(old.world->store, "ldap", true)); /* it was written to: somebody had resumed it */
}

/* provostctl check of a newer version beside the agent of an older one. */
static void work_that_waits_is_seen_without_bringing_the_file_up(void **state)
{
    struct store_target *targets = NULL;
    size_t count = 0;

    (void)state;
    world_close(old.world);
    make_file();
    assert_int_equal(store_look(old.world->path, &targets, &count, &old.world->error), 0);
    assert_string_equal(targets[0].name, "ldap");
    assert_true(targets[0].lanes > 0 && targets[0].leavers > 0 && targets[0].linked);
    store_targets_free(targets, count);
    assert_int_equal(number("PRAGMA user_version"), 6);
    open_store();
}

/* 20,000 people in g1, and a group that has begun to write 5,000 of them: where each is compared with each, it takes minutes. */
static void a_large_store_is_brought_up_in_moments(void **state)
{
    static const char *const fill[] = {
        "CREATE TABLE many AS WITH RECURSIVE c (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM c WHERE i < 21000) SELECT i FROM c",
        "INSERT INTO identity (n, kind, id, status) SELECT i, 0, 'p' || i, 'ACTIVE' FROM many",
        "INSERT INTO membership SELECT i, 0, 15, 1, 1, NULL FROM many",
        "INSERT INTO link SELECT (1 << 40) | i, 1, 0, 'p' || i, 'uid=p' || i, json_object('uid', json_array('p' || i)), 0, 0, 1,"
        " NULL, NULL, NULL FROM many",
        "UPDATE link SET begun = (SELECT json_object('name', 'Late', 'members', json_group_object('uid=p' || i, json('true'))) FROM many"
        " WHERE i < 6000) WHERE begun IS NOT NULL AND kind = 1",
        "DROP TABLE many",
    };

    (void)state;
    world_close(old.world);
    make_file();
    for (size_t i = 0; i < sizeof(fill) / sizeof(fill[0]); i++)
        number(fill[i]);
    const clock_t before = clock();
    open_store();
    assert_true((clock() - before) / CLOCKS_PER_SEC < 15);
    assert_int_equal(number("SELECT count(*) FROM member_value WHERE user >= 1000"), 5000);
}

/* ---- what must leave ---- */

static void removals_that_wait_are_leavers(void **state)
{
    json_t *leavers;
    char ids[64] = "";
    struct wall since;
    int64_t count;

    (void)state;
    assert_int_equal(store_list_waiting(old.world->store, "ldap", WAITING_LEAVERS, 10, &leavers, &old.world->error), 0);
    for (size_t i = 0; i < json_array_size(leavers); i++)
        snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s ", json_string_value(json_object_get(json_array_get(leavers, i), "id")));
    json_decref(leavers);
    assert_string_equal(ids, "u4 u5 u6 u14 ");
    assert_int_equal(store_count_waiting(old.world->store, "ldap", WAITING_LEAVERS, &count, &since, &old.world->error), 0);
    assert_int_equal(count, 4);
    assert_int_equal(since.us, START + 42 * SECOND);
}

static void a_removal_that_was_refused_is_dropped_only_when_it_is_said(void **state)
{
    int64_t kept = 0;

    (void)state;
    assert_int_equal(store_drop(old.world->store, &(struct store_drop){ .target = "ldap" }, &kept, &old.world->error), 0);
    assert_int_equal(kept, 1);
    assert_int_equal(store_drop(old.world->store, &(struct store_drop){ .target = "ldap", .leavers = true }, &kept,
                                &old.world->error), 1);
}

static void values_of_before_have_rows(void **state)
{
    static const struct {
        const char *user, *group, *key, *value;
        int state;
    } rows[] = {
        { "u2", "g1", "uid=bob,ou=people,dc=example,dc=org", PERSON("Bob"), MEMBER_SENT },
        { "u2", "g2", "uid=bob,ou=people,dc=example,dc=org", PERSON("Bob"), MEMBER_SENT },
        { "u2", "g5", "uid=bob,ou=people,dc=example,dc=org", PERSON("Bob"), MEMBER_SENT },
        { "u11", "g2", "uid=bob,ou=people,dc=example,dc=org", PERSON("Bob"), MEMBER_SENT }, /* who has that name now */
        { "u11", "g5", "uid=bob,ou=people,dc=example,dc=org", PERSON("Bob"), MEMBER_SENT },
        { "u12", "g2", PERSON("lena"), PERSON("lena"), MEMBER_SENT },
        { "u14", "g1", "uid=nils,ou=people,dc=example,dc=org", PERSON("Nils"), MEMBER_SENT },
        { "u14", "g8", "uid=nils,ou=people,dc=example,dc=org", PERSON("Nils"), MEMBER_LEAVING },
        { "u1", "g4", PERSON("ann"), PERSON("ann"), MEMBER_SENT },
        { "u10", "g4", PERSON("Özil"), PERSON("Özil"), MEMBER_SENT },
        { "u1", "g4", PERSON("hugo"), PERSON("hugo"), MEMBER_SENT }, /* whose it was is not known any more */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *sql = str_printf("SELECT v.state FROM member_value v JOIN identity u ON u.n = v.user JOIN identity g ON"
                                            " g.n = v.grp WHERE u.id = '%s' AND g.id = '%s' AND v.key = '%s' AND v.value = '%s'",
                                            rows[i].user, rows[i].group, rows[i].key, rows[i].value);
        assert_int_equal(number(sql), rows[i].state);
    }
    assert_int_equal(number("SELECT count(*) FROM member_value"), sizeof(rows) / sizeof(rows[0]));
}

/* ---- what becomes of it in the directory ---- */

static void whoever_is_as_he_should_be_gets_rows_and_nothing_is_sent(void **state)
{
    (void)state;
    work_later();
    assert_int_equal(number("SELECT count(*) FROM member_value WHERE user = " USER_OF("u1")), 2);
    store_touch(old.world->store, "ldap", IDENTITY_USER, "u9"); /* he had no lane but the due one */
    work();
    assert_int_equal(old.sent, 0);
    assert_int_equal(number("SELECT state FROM member_value WHERE user = " USER_OF("u9")), MEMBER_THERE);
}

static void a_rename_whose_receipt_was_lost_takes_the_groups_along(void **state)
{
    (void)state;
    work_first("u3");
    assert_true(holds(GROUP("staff"), PERSON("karl")));
    assert_false(holds(GROUP("staff"), PERSON("carl")));
    assert_true(holds(LIST, PERSON("karl"))); /* put in by hand, and carried over */
    assert_false(holds(LIST, PERSON("carl")));
    assert_int_equal(number("SELECT count(*) FROM member_value WHERE user = " USER_OF("u3")), 1);
}

static void a_value_of_before_leaves_a_group_that_was_created_meanwhile(void **state)
{
    (void)state;
    work_first("u14");
    assert_false(holds(GROUP("Pilots"), PERSON("Nils")));
    assert_false(holds(GROUP("Pilots"), PERSON("nilo"))); /* he left it */
    assert_true(holds(GROUP("staff"), PERSON("nilo")));
}

static void a_value_of_before_is_left_to_whoever_has_the_name_now(void **state)
{
    static const char *const orders[][2] = { { "u2", "u11" }, { "u11", "u2" } };

    for (size_t i = 0; i < 2; i++) {
        if (i > 0) {
            teardown(state);
            setup(state);
        }
        work_first(orders[i][0]);
        work_first(orders[i][1]);
        work_later();
        assert_true(holds(GROUP("nova"), PERSON("Bob")));
        assert_true(holds(GROUP("nova"), PERSON("rob")));
        assert_true(holds(GROUP("Crew"), PERSON("Bob")));
        assert_false(holds(GROUP("staff"), PERSON("Bob")));
        assert_true(holds(LIST, PERSON("Bob"))); /* whose it is by now cannot be told */
        assert_int_equal(number("SELECT count(*) FROM member_value WHERE user = " USER_OF("u2") " AND value = '" PERSON("Bob") "'"), 0);
    }
}

static void a_rename_whose_lane_was_given_up_is_brought_to_its_end(void **state)
{
    (void)state;
    work_first("u12");
    assert_true(holds(LIST, PERSON("lene")));
    assert_false(holds(LIST, PERSON("lena")));
}

static void whoever_was_removed_is_out_of_the_group_that_was_created_meanwhile(void **state)
{
    (void)state;
    work_first("u4");
    assert_false(holds(GROUP("orbit"), PERSON("dora")));
    assert_int_equal(number("SELECT count(*) FROM link WHERE lane = " KEY_OF("u4") " AND gone AND account IS NULL"), 1);
    assert_int_equal(number("SELECT count(*) FROM lane WHERE key = " KEY_OF("u4")), 0);
}

static void removals_that_waited_are_made(void **state)
{
    (void)state;
    work_later();
    assert_false(holds(GROUP("Crew"), PERSON("fred")));
    assert_true(holds(GROUP("staff"), PERSON("eve"))); /* a dead letter stays one until it is tried again */
    assert_int_equal(store_retry_dead(old.world->store, "ldap", "u5", &old.world->error), 1);
    work();
    assert_false(holds(GROUP("staff"), PERSON("eve")));
    assert_int_equal(number("SELECT count(*) FROM lane WHERE leaver > 0 AND target = 1"), 0);
}

/* What no row knew is one, once it could not be made. */
static void a_removal_that_is_refused_again_becomes_a_row(void **state)
{
    (void)state;
    assert_int_equal(store_retry_dead(old.world->store, "ldap", "u5", &old.world->error), 1);
    old.refuses = true;
    work_first("u5");
    assert_int_equal(number("SELECT state FROM member_value WHERE user = " USER_OF("u5")), MEMBER_LEAVING);
    assert_int_equal(number("SELECT leaver > 0 FROM lane WHERE key = " KEY_OF("u5")), 1);
    old.refuses = false;
    world_take(old.world, "later", 100, LOGIN("u5", "ida@example.com"));
    work();
    assert_false(holds(GROUP("staff"), PERSON("eve")));
    assert_false(holds(GROUP("staff"), PERSON("ida")));
    assert_int_equal(number("SELECT count(*) FROM member_value WHERE user = " USER_OF("u5")), 0);
}

/* The search does not see staff: the removal is sent all the same. */
static void a_removal_in_a_group_that_cannot_be_searched_is_made(void **state)
{
    (void)state;
    old.hidden = GROUP("staff");
    assert_int_equal(store_retry_dead(old.world->store, "ldap", "u5", &old.world->error), 1);
    work_first("u5");
    assert_false(holds(GROUP("staff"), PERSON("eve")));
}

static void a_creation_that_nobody_heard_of_is_known_to_be_ours(void **state)
{
    (void)state;
    world_take(old.world, "later", 100, STATUS("u7", "DELETED"), LOGIN("u7", "other@example.com"));
    work_later();
    assert_false(stands_at(PERSON("gina")));
    assert_int_equal(number("SELECT count(*) FROM intent WHERE lane >> 40 = 1"), 0);
}

static void a_group_whose_creation_was_under_way_has_the_members_of_now(void **state)
{
    (void)state;
    work_later();
    assert_true(holds(GROUP("Late"), PERSON("ann")));
    assert_true(holds(GROUP("Late"), PERSON("hugh")));
    assert_false(holds(GROUP("Late"), PERSON("hugo")));
    assert_true(holds(GROUP("Late"), PERSON("Özil"))); /* its key is not what the store made of it */
    assert_int_equal(number("SELECT count(*) FROM link WHERE key = 'k16' AND lane = " KEY_OF("g4")), 1);
    assert_non_null(strstr(old.reasons, "g7: ")); /* the other one of that name */
}

static void take_out(const char *place, const char *member)
{
    const struct operation by_hand = { .kind = OPERATION_MEMBER_REMOVE, .group = true, .locator = (char *)place,
                                       .attribute = (char *)"member", .value = (char *)member };
    struct receipt receipt = { 0 };

    assert_int_equal(memory_ops.apply(old.session, &by_hand, NULL, &receipt), OUTCOME_APPLIED);
}

/* Ann is all that is left of it, her lane has not been worked on, and the group is renamed. */
static void a_group_that_lives_by_its_members_lives_on(void **state)
{
    static const char *const others[] = { PLACEHOLDER, PERSON("carl"), PERSON("eve"), PERSON("nilo"), PERSON("rob") };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        take_out(GROUP("staff"), others[i]);
    mapping_free(old.groups);
    old.groups = load(policy_groups(&policies[1]));
    world_take(old.world, "later", 100, GROUP_NAME("g1", "people"));
    work_first("g1");
    assert_false(stands_at(GROUP("staff")));
    assert_true(holds(GROUP("people"), PERSON("ann")));
    assert_int_equal(number("SELECT count(*) FROM link WHERE key = 'k2' AND NOT gone AND lane = " KEY_OF("g1")), 1);
}

static void a_due_removal_comes_at_its_time(void **state)
{
    struct lease lease;

    (void)state;
    work_later();
    world_advance(old.world, 31 * DAY);
    assert_true(world_lease(old.world, &lease));
    assert_string_equal(lease.id, "u9");
    lease_clear(&lease);
}

static void all_comes_to_an_end(void **state)
{
    struct store_lane_counts counts;

    (void)state;
    assert_int_equal(store_retry_dead(old.world->store, "ldap", NULL, &old.world->error), 1);
    work_later();
    world_close(old.world);
    open_store();
    work_later();
    assert_int_equal(old.sent, 0);
    counts = world_counts(old.world);
    assert_int_equal(counts.waiting, 1); /* g7 */
    assert_int_equal(counts.ready + counts.dead + counts.held, 0);
    /* rows are the facts of those who have an account, and nothing else */
    assert_int_equal(number("SELECT count(*) FROM member_value v LEFT JOIN membership m ON m.user = v.user AND m.other = v.grp"
                            " AND m.kind = 0 LEFT JOIN link l ON l.lane = (1 << 40) | v.user WHERE v.state <> 2"
                            " OR m.present IS NOT 1 OR l.gone IS NOT 0 OR l.member_key IS NOT v.key"), 0);
    assert_int_equal(number("SELECT count(*) FROM membership m JOIN link l ON l.lane = (1 << 40) | m.user AND NOT l.gone"
                            " WHERE m.kind = 0 AND m.present AND l.member IS NOT NULL AND NOT EXISTS"
                            " (SELECT 1 FROM member_value v WHERE v.user = m.user AND v.grp = m.other)"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_and_facts_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(work_that_waits_is_seen_without_bringing_the_file_up, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_of_an_absurd_time_is_not_the_newest_one, setup, teardown),
        cmocka_unit_test_setup_teardown(links_keep_their_accounts, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_only_begun_is_an_intent_and_no_link, setup, teardown),
        cmocka_unit_test_setup_teardown(a_creation_that_was_begun_is_kept_from_the_upgrade_on, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_operations_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_creation_with_a_key_is_no_second_intent, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_due_and_dead_lanes_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_store_is_brought_up_in_moments, setup, teardown),
        cmocka_unit_test_setup_teardown(removals_that_wait_are_leavers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removal_that_was_refused_is_dropped_only_when_it_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(values_of_before_have_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_is_as_he_should_be_gets_rows_and_nothing_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rename_whose_receipt_was_lost_takes_the_groups_along, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_of_before_leaves_a_group_that_was_created_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_of_before_is_left_to_whoever_has_the_name_now, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rename_whose_lane_was_given_up_is_brought_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_was_removed_is_out_of_the_group_that_was_created_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(removals_that_waited_are_made, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removal_that_is_refused_again_becomes_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removal_in_a_group_that_cannot_be_searched_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(a_creation_that_nobody_heard_of_is_known_to_be_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_whose_creation_was_under_way_has_the_members_of_now, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_that_lives_by_its_members_lives_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_due_removal_comes_at_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(all_comes_to_an_end, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
