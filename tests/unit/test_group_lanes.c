/* A group's lane whose end nobody heard of: the real store and planner, a directory in memory, answers that are lost. */
#include "tests/support/store_world.h"

#include <unistd.h>

#include "deliver/lane.h"
#include "plan/plan.h"
#include "tests/property/memory_target.h"
#include "tests/property/policy.h"

#define ANN "uid=ann,ou=people,dc=example,dc=org"
#define EVE "uid=eve,ou=people,dc=example,dc=org"
#define CREW "cn=crew,ou=groups,dc=example,dc=org"
#define STAFF "cn=staff,ou=groups,dc=example,dc=org"

static struct {
    struct world *world;
    struct memory_target *target;
    struct connector_session *session;
    struct mapping *mapping;
    struct connector_ops ops;
    bool loses;                   /* the answers of changes */
    const char *renamed_meanwhile; /* u1, while the next change is made; NULL: nobody */
    char reason[256];
} lane;

static void put_account(const char *user, const char *key, const char *place)
{
    const struct link link = { .key = (char *)key, .locator = (char *)place, .account = (char *)"{}", .linked = { START } };

    assert_int_equal(store_put_link(lane.world->store, "ldap", IDENTITY_USER, user, &link, &lane.world->error), 0);
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    struct account made = { 0 };

    enum outcome outcome = memory_ops.apply(session, operation, &made, receipt);
    if (lane.renamed_meanwhile != NULL)
        put_account("u1", "k-u1", take_pointer(lane.renamed_meanwhile));
    else if (lane.loses) {
        account_clear(&made);
        receipt_clear(receipt);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "no answer in time");
    }
    *ret_account = made;
    return outcome;
}

static void load_mapping(void)
{
    cleanup_free char *path = str_printf("%s/groups.conf", lane.world->folder), *text = policy_groups(&policies[0]);
    struct problems problems = { 0 };
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
    assert_int_equal(mapping_load(path, &lane.ops, &problems, &lane.mapping), 0);
    problems_free(&problems);
}

static int setup(void **state)
{
    struct receipt receipt = { 0 };

    world_setup(state);
    memset(&lane, 0, sizeof(lane));
    lane.world = *state;
    lane.ops = memory_ops;
    lane.ops.apply = apply;
    lane.target = memory_target_new(0, PLANT_NOTHING);
    const struct memory_settings settings = { lane.target };
    lane.ops.open(&settings, NULL, &lane.session, &receipt);
    load_mapping();
    world_route(lane.world);
    return 0;
}

static int teardown(void **state)
{
    lane.ops.close(lane.session);
    memory_target_free(lane.target);
    mapping_free(lane.mapping);
    return world_teardown(state);
}

/* Works off what is ready; a group that could not be brought to an end waits for a second. */
static void work(void)
{
    struct world *w = lane.world;
    struct lease lease;

    while (world_lease(w, &lease)) {
        const struct lane_job job = { .target = "ldap", .ops = &lane.ops, .group_mapping = lane.mapping, .session = lane.session,
                                      .store = w->store, .clock = &w->clock, .kind = lease.kind, .id = lease.id };
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

static void values_put_in_by_hand_stay(void **state)
{
    (void)state;
    begin_staff_unanswered();
    const struct operation by_hand = { .kind = OPERATION_MEMBER_ADD, .group = true, .locator = (char *)STAFF,
                                       .attribute = (char *)"member", .value = (char *)EVE };
    struct account none = { 0 };
    struct receipt receipt = { 0 };
    assert_int_equal(memory_ops.apply(lane.session, &by_hand, &none, &receipt), OUTCOME_APPLIED);
    work_later();
    expect(STAFF, ONLY(EVE));
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
        cmocka_unit_test_setup_teardown(values_put_in_by_hand_stay, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
