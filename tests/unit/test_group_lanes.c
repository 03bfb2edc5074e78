/* A group's lane whose end nobody heard of: the real store and planner, a directory in memory, answers that are lost. */
#include "tests/support/store_world.h"

#include <unistd.h>

#include "deliver/lane.h"
#include "plan/plan.h"
#include "tests/property/memory_target.h"
#include "tests/property/policy.h"

#define ANN "uid=ann,ou=people,dc=example,dc=org"
#define BOB "uid=bob,ou=people,dc=example,dc=org"
#define EVE "uid=eve,ou=people,dc=example,dc=org"
#define CREW "cn=crew,ou=groups,dc=example,dc=org"
#define STAFF "cn=staff,ou=groups,dc=example,dc=org"

static struct {
    struct world *world;
    struct memory_target *target;
    struct connector_session *session;
    struct mapping *people, *groups;
    struct connector_ops ops;
    bool with_people;              /* their lanes are worked, too */
    bool loses;                    /* the answers of changes in groups */
    bool loses_people;             /* and of people's */
    bool refuses;                  /* changes in groups, for good */
    int looks;                     /* at the groups of people; the last of so many fails; 0: none does */
    const char *renamed_meanwhile; /* u1, while the next change is made; NULL: nobody */
    const char *left_meanwhile;    /* u1 takes this value out and is at his end once it was read; NULL: nobody */
    char reason[256];
} lane;

static void put_renamed(const char *user, const char *key, const char *place, const char *former)
{
    const struct link link = { .key = (char *)key, .locator = (char *)place, .account = (char *)"{}", .linked = { START },
                               .former = (char *)former, .former_value = (char *)former };

    assert_int_equal(store_put_link(lane.world->store, "ldap", IDENTITY_USER, user, &link, &lane.world->error), 0);
}

static void put_account(const char *user, const char *key, const char *place)
{
    put_renamed(user, key, place, NULL);
}

static void change_by_hand(enum operation_kind kind, const char *value)
{
    const struct operation by_hand = { .kind = kind, .group = true, .locator = (char *)STAFF, .attribute = (char *)"member",
                                       .value = (char *)value, .placeholder = (char *)PLACEHOLDER };
    struct account none = { 0 };
    struct receipt receipt = { 0 };

    assert_int_equal(memory_ops.apply(lane.session, &by_hand, &none, &receipt), OUTCOME_APPLIED);
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    struct account made = { 0 };

    if (operation->group && lane.refuses)
        return receipt_set(receipt, OUTCOME_REJECTED, 50, "no right to write to the group");
    enum outcome outcome = memory_ops.apply(session, operation, &made, receipt);
    if (lane.renamed_meanwhile != NULL)
        put_account("u1", "k-u1", take_pointer(lane.renamed_meanwhile));
    else if (operation->group ? lane.loses : lane.loses_people) {
        account_clear(&made);
        receipt_clear(receipt);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "no answer in time");
    }
    *ret_account = made;
    return outcome;
}

static enum outcome read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                                struct receipt *receipt)
{
    if (lane.looks > 0 && --lane.looks == 0)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "no answer in time");
    enum outcome outcome = memory_ops.read_groups(session, query, ret_groups, receipt);

    if (lane.left_meanwhile != NULL && strcmp(query->value, lane.left_meanwhile) == 0) {
        change_by_hand(OPERATION_MEMBER_REMOVE, take_pointer(lane.left_meanwhile));
        put_account("u1", "k-u1", EVE);
    }
    return outcome;
}

static struct mapping *load(char *text)
{
    cleanup_free char *path = str_printf("%s/mapping.conf", lane.world->folder), *owned = text;
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;
    FILE *file = fopen(path, "w");

    fputs(owned, file);
    fclose(file);
    assert_int_equal(mapping_load(path, &lane.ops, &problems, &mapping), 0);
    problems_free(&problems);
    return mapping;
}

static int setup(void **state)
{
    struct receipt receipt = { 0 };

    world_setup(state);
    memset(&lane, 0, sizeof(lane));
    lane.world = *state;
    lane.ops = memory_ops;
    lane.ops.apply = apply;
    lane.ops.read_groups = read_groups;
    lane.target = memory_target_new(0, PLANT_NOTHING);
    const struct memory_settings settings = { lane.target };
    lane.ops.open(&settings, NULL, &lane.session, &receipt);
    lane.people = load(policy_people(&policies[0]));
    lane.groups = load(policy_groups(&policies[0]));
    world_route(lane.world);
    return 0;
}

static int teardown(void **state)
{
    lane.ops.close(lane.session);
    memory_target_free(lane.target);
    mapping_free(lane.people);
    mapping_free(lane.groups);
    return world_teardown(state);
}

/* Works off what is ready; whoever could not be brought to an end waits for a second. */
static void work(void)
{
    struct world *w = lane.world;
    struct lease lease;

    while (world_lease(w, &lease)) {
        const struct lane_job job = { .target = "ldap", .ops = &lane.ops, .user_mapping = lane.with_people ? lane.people : NULL,
                                      .group_mapping = lane.groups, .session = lane.session, .store = w->store, .clock = &w->clock,
                                      .kind = lease.kind, .id = lease.id };
        struct lane_result result;
        lane_converge(&job, &result);
        bool good = result.outcome == OUTCOME_APPLIED || result.outcome == OUTCOME_UNCHANGED;
        snprintf(lane.reason, sizeof(lane.reason), "%s", result.reason != NULL ? result.reason : "");
        world_end(w, &lease, (struct completion){ .end = good ? LANE_DONE : LANE_RETRY, .outcome = outcome_name(result.outcome),
                                                  .action = result.action, .retry_at = { w->now_us + SECOND },
                                                  .link = result.has_link ? &result.link : NULL });
        lane_result_clear(&result);
    }
}

static void work_later(void)
{
    world_advance(lane.world, SECOND);
    work();
}

/* The members at `place`, as JSON; "null": nothing is there. */
static void expect(const char *place, const char *members)
{
    json_t *dump = memory_target_dump(lane.target);
    cleanup_free char *found = json_dumps(json_object_get(json_object_get(dump, place), "member"), JSON_ENCODE_ANY | JSON_COMPACT);

    assert_string_equal(found != NULL ? found : "null", members);
    json_decref(dump);
}

static bool stands_at(const char *place)
{
    json_t *dump = memory_target_dump(lane.target);
    bool found = json_object_get(dump, place) != NULL;

    json_decref(dump);
    return found;
}

#define NOBODY "[\"" PLACEHOLDER "\"]"
#define ONLY(member) "[\"" PLACEHOLDER "\",\"" member "\"]"

static void begin_staff_unanswered(void)
{
    world_take(lane.world, "a", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lane.loses = true;
    work();
    lane.loses = false;
}

/* ---- behaviours ---- */

static void a_group_renamed_before_its_creation_was_answered_moves_along(void **state)
{
    (void)state;
    begin_staff_unanswered();
    expect(STAFF, NOBODY);
    world_take(lane.world, "b", 2, GROUP_NAME("g1", "crew"));
    work();
    expect(STAFF, "null");
    expect(CREW, NOBODY);
}

static void a_group_deleted_and_renamed_before_its_creation_was_answered_goes(void **state)
{
    (void)state;
    begin_staff_unanswered();
    world_take(lane.world, "b", 2, GROUP_NAME("g1", "crew"), GROUP_EXISTS("g1", false));
    work();
    expect(STAFF, "null");
    expect(CREW, "null");
}

static void a_name_s_new_holder_leaves_an_unanswered_creation_to_whose_it_is(void **state)
{
    (void)state;
    begin_staff_unanswered();
    world_take(lane.world, "b", 3, GROUP_NAME("g2", "staff"), GROUP_EXISTS("g2", true));
    work();
    assert_non_null(strstr(lane.reason, "begun for g1 (staff)"));
    world_take(lane.world, "c", 2, GROUP_NAME("g1", "crew"));
    work();
    expect(CREW, NOBODY);
    work_later();
    expect(STAFF, NOBODY);
}

static void what_was_begun_is_forgotten_at_the_end(void **state)
{
    (void)state;
    begin_staff_unanswered();
    world_take(lane.world, "b", 2, GROUP_NAME("g1", "crew"));
    work();
    assert_int_equal(world_number(lane.world, "SELECT count(*) FROM link WHERE begun IS NOT NULL"), 0);
}

static void who_left_before_the_creation_was_answered_is_taken_out(void **state)
{
    (void)state;
    world_take(lane.world, "u", 1, MEMBER("u1", "g1", true));
    put_account("u1", "k-u1", ANN);
    begin_staff_unanswered();
    expect(STAFF, ONLY(ANN));
    world_take(lane.world, "v", 2, MEMBER("u1", "g1", false));
    work_later();
    expect(STAFF, NOBODY);
}

static void an_old_value_goes_out_after_an_answer_was_lost_on_the_way(void **state)
{
    (void)state;
    world_take(lane.world, "u", 1, MEMBER("u1", "g1", true));
    put_account("u1", "k-u1", ANN);
    lane.renamed_meanwhile = EVE;
    begin_staff_unanswered(); /* that of the new value, in which the old one is still there */
    expect(STAFF, "[\"" PLACEHOLDER "\",\"" ANN "\",\"" EVE "\"]");
    work_later();
    expect(STAFF, ONLY(EVE));
}

static void person(const char *uuid, int64_t published_s, const char *id, const char *login, const char *name)
{
    world_take(lane.world, uuid, published_s, STATUS(id, "ACTIVE"), LOGIN(id, login), NAME(id, name));
    work();
}

static void a_name_that_was_handed_on_meanwhile_takes_no_groups_along(void **state)
{
    (void)state;
    lane.with_people = true;
    person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lane.world, "m", 1, MEMBER("u1", "g1", true));
    begin_staff_unanswered();
    expect(STAFF, ONLY(ANN));
    lane.loses = true; /* u1's old value stays for now */
    person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    lane.loses = false;
    person("b1", 3, "u2", "ann@example.com", "Bob Roe");
    person("a3", 4, "u1", "eve@example.com", "Eve Lee");
    person("b2", 5, "u2", "bob@example.com", "Bob Roe");
    work_later();
    expect(STAFF, ONLY(EVE));
}

static void a_name_s_next_holder_leaves_old_values_to_whose_they_are(void **state)
{
    (void)state;
    lane.with_people = true;
    person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lane.world, "m", 1, MEMBER("u1", "g1", true));
    world_take(lane.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    work();
    expect(STAFF, ONLY(ANN));
    lane.loses = true; /* u1's old value stays for now */
    person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    lane.loses = false;
    person("b1", 3, "u2", "ann@example.com", "Bob Roe");
    person("b2", 4, "u2", "bob@example.com", "Bob Roe");
    work_later();
    expect(STAFF, ONLY(EVE));
}

static void expect_former(const char *wanted)
{
    struct link link;

    assert_int_equal(store_read_link(lane.world->store, "ldap", IDENTITY_USER, "u1", &link, &lane.world->error), 0);
    assert_string_equal(link.former != NULL ? link.former : "", wanted);
    assert_string_equal(link.former_value != NULL ? link.former_value : "", wanted);
    link_clear(&link);
}

static void a_rename_says_the_former_place_until_its_groups_are_right(void **state)
{
    (void)state;
    lane.with_people = true;
    person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    lane.looks = 4; /* at the new and the old value, before the link and after: the last one fails */
    person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    expect_former(ANN);
    work_later();
    expect_former("");
}

static void use_people(const struct policy *policy)
{
    mapping_free(lane.people);
    lane.people = load(policy_people(policy));
    lane.with_people = true;
}

static void who_left_the_scope_before_the_creation_was_answered_has_no_account(void **state)
{
    (void)state;
    use_people(&policies[2]);
    world_take(lane.world, "g", 1, GROUP_NAME("g1", SCOPE_GROUP), GROUP_EXISTS("g1", true));
    world_take(lane.world, "m", 1, MEMBER("u1", "g1", true));
    lane.loses_people = true;
    person("a", 1, "u1", "ann@example.com", "Ann Lee");
    lane.loses_people = false;
    world_take(lane.world, "n", 2, MEMBER("u1", "g1", false));
    work_later();
    assert_false(stands_at(ANN));
    expect(STAFF, NOBODY);
}

static void values_put_in_by_hand_stay(void **state)
{
    (void)state;
    begin_staff_unanswered();
    change_by_hand(OPERATION_MEMBER_ADD, EVE);
    work_later();
    expect(STAFF, ONLY(EVE));
}

/* u2 stands at ANN, and staff holds that for whatever reason; u1 had the name before and has no lane that would be worked. */
static void begin_staff_with_ann(const char *u1_at, const char *u1_was_at)
{
    lane.with_people = true;
    world_take(lane.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    work();
    change_by_hand(OPERATION_MEMBER_ADD, ANN);
    person("b1", 2, "u2", "ann@example.com", "Bob Roe");
    put_renamed("u1", "k-u1", u1_at, u1_was_at);
}

static void rename_u2(void)
{
    person("b2", 3, "u2", "bob@example.com", "Bob Roe");
    assert_string_equal(lane.reason, "");
}

static void a_value_put_in_by_hand_moves_along_with_a_rename(void **state)
{
    (void)state;
    begin_staff_with_ann(EVE, NULL);
    rename_u2();
    expect(STAFF, ONLY(BOB));
}

static void a_value_is_left_to_whose_link_still_says_the_place(void **state)
{
    (void)state;
    begin_staff_with_ann(ANN, NULL);
    rename_u2();
    expect(STAFF, ONLY(ANN));
}

static void a_value_is_left_to_whose_rename_is_not_at_its_end(void **state)
{
    (void)state;
    begin_staff_with_ann(EVE, ANN);
    rename_u2();
    expect(STAFF, ONLY(ANN));
}

static void a_value_that_was_taken_out_meanwhile_does_not_move_along(void **state)
{
    (void)state;
    begin_staff_with_ann(ANN, NULL);
    lane.left_meanwhile = ANN;
    rename_u2();
    expect(STAFF, NOBODY);
}

static void a_value_is_left_to_the_group_that_set_out_to_write_it(void **state)
{
    struct link link;

    (void)state;
    begin_staff_with_ann(EVE, NULL);
    assert_int_equal(store_read_link(lane.world->store, "ldap", IDENTITY_GROUP, "g1", &link, &lane.world->error), 0);
    link.begun = strdup("{\"name\":\"staff\",\"login\":null,\"members\":{\"" ANN "\":true}}");
    assert_int_equal(store_put_link(lane.world->store, "ldap", IDENTITY_GROUP, "g1", &link, &lane.world->error), 0);
    link_clear(&link);
    rename_u2();
    expect(STAFF, ONLY(ANN));
}

static void a_rename_that_was_cut_off_is_brought_to_its_end(void **state)
{
    (void)state;
    lane.with_people = true;
    person("a1", 1, "u1", "eve@example.com", "Ann Lee");
    world_take(lane.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    work();
    change_by_hand(OPERATION_MEMBER_ADD, ANN);
    struct link link;
    assert_int_equal(store_read_link(lane.world->store, "ldap", IDENTITY_USER, "u1", &link, &lane.world->error), 0);
    put_renamed("u1", link.key, EVE, ANN);
    link_clear(&link);
    person("a2", 2, "u1", "eve@example.com", "Eve Lee");
    expect(STAFF, ONLY(EVE));
    assert_int_equal(world_number(lane.world, "SELECT count(*) FROM link WHERE former IS NOT NULL OR former_value IS NOT NULL"), 0);
}

static void a_value_is_left_to_a_tombstone_that_has_its_account(void **state)
{
    struct link link;

    (void)state;
    begin_staff_with_ann(ANN, NULL);
    assert_int_equal(store_read_link(lane.world->store, "ldap", IDENTITY_USER, "u1", &link, &lane.world->error), 0);
    link.gone = true;
    assert_int_equal(store_put_link(lane.world->store, "ldap", IDENTITY_USER, "u1", &link, &lane.world->error), 0);
    link_clear(&link);
    rename_u2();
    expect(STAFF, ONLY(ANN));
}

/* He stands in a group that refuses to be written, and his rename has not come to its end there. */
static void leave_with_a_group_that_refuses(const struct policy *policy)
{
    use_people(policy);
    person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lane.world, "m", 1, MEMBER("u1", "g1", true));
    world_take(lane.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    work();
    expect(STAFF, ONLY(ANN));
    lane.refuses = true;
    person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    assert_non_null(strstr(lane.reason, "no right"));
    world_take(lane.world, "b", 3, STATUS("u1", "DEPROVISIONED"));
    work();
    assert_non_null(strstr(lane.reason, "no right")); /* which is told all the same */
}

static void a_leaver_is_disabled_although_a_group_refuses(void **state)
{
    (void)state;
    leave_with_a_group_that_refuses(&policies[0]);
    json_t *dump = memory_target_dump(lane.target);
    assert_non_null(json_object_get(json_object_get(dump, EVE), "description"));
    json_decref(dump);
}

static void a_leaver_is_removed_although_a_group_refuses(void **state)
{
    const struct policy removed = { "removed", .leaver_stays = false, .staged_has_account = true };

    (void)state;
    leave_with_a_group_that_refuses(&removed);
    assert_false(stands_at(ANN) || stands_at(EVE));
    lane.refuses = false;
    work_later();
    expect(STAFF, NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_renamed_before_its_creation_was_answered_moves_along, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_deleted_and_renamed_before_its_creation_was_answered_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_s_new_holder_leaves_an_unanswered_creation_to_whose_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_begun_is_forgotten_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(who_left_before_the_creation_was_answered_is_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_value_goes_out_after_an_answer_was_lost_on_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_was_handed_on_meanwhile_takes_no_groups_along, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_s_next_holder_leaves_old_values_to_whose_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(who_left_the_scope_before_the_creation_was_answered_has_no_account, setup, teardown),
        cmocka_unit_test_setup_teardown(values_put_in_by_hand_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_put_in_by_hand_moves_along_with_a_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_is_left_to_whose_link_still_says_the_place, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_is_left_to_whose_rename_is_not_at_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_that_was_taken_out_meanwhile_does_not_move_along, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_is_left_to_the_group_that_set_out_to_write_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rename_that_was_cut_off_is_brought_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rename_says_the_former_place_until_its_groups_are_right, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_is_left_to_a_tombstone_that_has_its_account, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leaver_is_disabled_although_a_group_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leaver_is_removed_although_a_group_refuses, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
