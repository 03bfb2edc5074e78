/* A lane of a target that ends sessions: the real store and planner, and a session store in memory that fails on demand. */
#include "tests/support/store_world.h"

#include <unistd.h>

#include "deliver/lane.h"
#include "plan/plan.h"
#include "tests/support/session_ops.h"

#define PLAIN "target = \"ldap\"; kind = \"user\"; sessions: { user = \"{login}\"; };\n"
#define MARKED PLAIN "deny = true; mirror: { expires = \"12 h\"; };"

/* ---- the session store ---- */

static struct {
    int reads, sweeps, updates;
    int sweep;               /* the last one's number */
    struct wall before;
    bool dated_only;
    char user[64];
    json_t *marks;
    enum outcome read_outcome, update_outcome, sweep_outcome; /* APPLIED: it works */
    int64_t sweep_takes_us;
    struct world *world;
} stub;

static enum outcome stub_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                              struct receipt *receipt)
{
    (void)session;
    stub.reads++;
    if (stub.read_outcome != OUTCOME_APPLIED)
        return receipt_set(receipt, stub.read_outcome, 0, "the store cannot be read");
    *ret_account = (struct account){ strdup(query->key), strdup(query->key), json_deep_copy(stub.marks), -1, NULL };
    return OUTCOME_APPLIED;
}

static enum outcome stub_sweep(const struct operation *operation, struct receipt *receipt)
{
    stub.sweeps++;
    stub.sweep = operation->sweep;
    stub.before = operation->before;
    stub.dated_only = json_is_true(json_object_get(operation->settings, "dated_only"));
    snprintf(stub.user, sizeof(stub.user), "%s", operation->locator);
    stub.world->now_us += stub.sweep_takes_us;
    if (stub.sweep_outcome != OUTCOME_APPLIED)
        return receipt_set(receipt, stub.sweep_outcome, 0, "the store is busy");
    receipt->sessions_found = 3;
    receipt->sessions_ended = 2;
    receipt->note = strdup("one is in a cookie");
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static enum outcome stub_apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                               struct receipt *receipt)
{
    (void)session;
    (void)ret_account;
    if (operation->kind == OPERATION_REVOKE)
        return stub_sweep(operation, receipt);
    stub.updates++;
    assert_int_equal(operation->kind, OPERATION_UPDATE);
    if (stub.update_outcome != OUTCOME_APPLIED)
        return receipt_set(receipt, stub.update_outcome, 0, "no markers here");
    json_decref(stub.marks);
    stub.marks = json_deep_copy(operation->values);
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

/* ---- a lane ---- */

static struct mapping *mapping;
static struct connector_ops ops;
static struct lane_result result;

static void use(struct world *w, const char *text)
{
    cleanup_free char *path = str_printf("%s/mapping.conf", w->folder);
    struct problems problems = { 0 };
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
    mapping_free(mapping);
    mapping = NULL;
    mapping_load(path, &ops, &problems, &mapping);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_non_null(mapping);
    const struct route route = { "ldap", IDENTITY_USER, mapping_facts(mapping), mapping_triggers(mapping) };
    store_set_routes(w->store, &route, 1);
}

static int setup(void **state)
{
    world_setup(state);
    stub = (typeof(stub)){ .marks = json_object(), .world = *state };
    ops = session_ops;
    ops.read = stub_read;
    ops.apply = stub_apply;
    return 0;
}

static int teardown(void **state)
{
    lane_result_clear(&result);
    json_decref(stub.marks);
    mapping_free(mapping);
    mapping = NULL;
    return world_teardown(state);
}

/* The work of one lease; its end is not stored yet. */
static bool work(struct world *w, struct lease *lease)
{
    if (!world_lease(w, lease))
        return false;
    const struct lane_job job = { .target = "ldap", .ops = &ops, .user_mapping = mapping, .store = w->store, .clock = &w->clock,
                                  .kind = lease->kind, .id = lease->id };
    lane_result_clear(&result);
    lane_converge(&job, &result);
    return true;
}

static void end(struct world *w, struct lease *lease)
{
    bool good = result.outcome == OUTCOME_APPLIED || result.outcome == OUTCOME_UNCHANGED;
    int code = world_end(w, lease, (struct completion){
        .end = good ? LANE_DONE : LANE_RETRY,
        .outcome = outcome_name(result.outcome),
        .action = result.action,
        .reason = result.reason,
        .retry_at = { w->now_us + SECOND },
        .due = result.due,
        .leaving = result.leaving,
        .link = result.has_link ? &result.link : NULL,
    });

    assert_int_equal(code, 0);
}

static bool lane(struct world *w)
{
    struct lease lease;

    if (!work(w, &lease))
        return false;
    end(w, &lease);
    return true;
}

#define LEAVER(w) world_take(w, "leaver", 1, LOGIN("u1", "ann@x"), STATUS("u1", "DEPROVISIONED"), VOID("u1", "deactivate"))

/* ---- tests ---- */

static void a_leaver_is_swept_now_and_once_more_when_the_longest_request_is_over(void **state)
{
    struct world *w = *state;

    use(w, PLAIN);
    stub.sweep_takes_us = 2 * SECOND;
    LEAVER(w);
    assert_true(lane(w));
    assert_int_equal(stub.sweep, 1);
    assert_int_equal(stub.before.us, START + SECOND);
    assert_string_equal(stub.user, "ann@x");
    assert_string_equal(result.action, "revoke");
    assert_int_equal(result.outcome, OUTCOME_APPLIED);
    assert_int_equal(result.sweep, 1);
    assert_int_equal(result.sessions_found, 3);
    assert_int_equal(result.sessions_ended, 2);
    assert_int_equal(result.swept_at.us, w->now_us);
    assert_string_equal(result.note, "one is in a cookie");
    assert_string_equal(result.account, "ann@x");
    assert_int_equal(result.leaving, LEAVING_NO);
    assert_non_null(strstr(result.operations[0].changes, "\"sweep\":1"));
    assert_int_equal(result.due.us, w->now_us + 30 * SECOND);
    assert_int_equal(world_counts(w).due, 1);
    assert_false(lane(w));
    world_advance(w, 30 * SECOND);
    assert_true(lane(w));
    assert_int_equal(stub.sweep, 2);
    assert_int_equal(stub.before.us, w->now_us - 2 * SECOND); /* as it began: a leaver keeps no session that began meanwhile */
    assert_int_equal(world_counts(w).due, 0);
    assert_int_equal(stub.sweeps, 2);
    assert_int_equal(stub.reads, 0);
    world_take(w, "again", 2, LOGIN("u1", "ann@y"));
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 2);
    assert_int_equal(result.outcome, OUTCOME_UNCHANGED);
}

static void a_crash_between_the_sweep_and_its_receipt_sweeps_again(void **state)
{
    struct world *w = *state;
    struct lease lease;

    use(w, PLAIN);
    LEAVER(w);
    assert_true(work(w, &lease));
    lease_clear(&lease);
    world_reopen(w);
    use(w, PLAIN);
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 2);
    assert_int_equal(stub.sweep, 1);
    world_reopen(w); /* and between the two: the second is due all the same */
    use(w, PLAIN);
    world_advance(w, 30 * SECOND);
    assert_true(lane(w));
    assert_int_equal(stub.sweep, 2);
    assert_false(lane(w));
}

static void a_sweep_that_fails_is_made_again_and_the_leaver_is_not_out(void **state)
{
    struct world *w = *state;

    use(w, PLAIN);
    stub.sweep_outcome = OUTCOME_RETRY;
    LEAVER(w);
    assert_true(lane(w));
    assert_int_equal(result.outcome, OUTCOME_RETRY);
    assert_int_equal(result.leaving, LEAVING_YES);
    assert_false(result.has_link);
    stub.sweep_outcome = OUTCOME_APPLIED;
    world_advance(w, SECOND);
    assert_true(lane(w));
    assert_int_equal(stub.sweep, 1);
    stub.sweep_outcome = OUTCOME_TARGET_DOWN; /* the second too */
    world_advance(w, 30 * SECOND);
    assert_true(lane(w));
    stub.sweep_outcome = OUTCOME_APPLIED;
    world_advance(w, SECOND);
    assert_true(lane(w));
    assert_int_equal(stub.sweep, 2);
    assert_int_equal(result.outcome, OUTCOME_APPLIED);
}

static void news_between_the_sweeps_postpones_nothing(void **state)
{
    struct world *w = *state;

    use(w, PLAIN);
    LEAVER(w);
    assert_true(lane(w));
    world_advance(w, 10 * SECOND);
    world_take(w, "renamed", 2, LOGIN("u1", "roe@x"));
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 1);
    assert_int_equal(world_counts(w).due, 1);
    world_advance(w, 20 * SECOND);
    assert_true(lane(w));
    assert_int_equal(stub.sweep, 2);
    assert_string_equal(stub.user, "roe@x");
}

static void an_old_event_does_not_log_out_who_came_back(void **state)
{
    struct world *w = *state;

    use(w, PLAIN);
    world_take(w, "back", 9, LOGIN("u1", "ann@x"), STATUS("u1", "ACTIVE"));
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 0);
    LEAVER(w);
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 1);
    assert_true(stub.dated_only);
    assert_non_null(strstr(result.operations[0].changes, "dated_only"));
}

static void markers_are_kept_and_taken_back(void **state)
{
    struct world *w = *state;

    use(w, MARKED);
    w->now_us = START + 60 * SECOND;
    world_take(w, "in", 1, LOGIN("u1", "ann@x"), SIGNED_IN("u1", "s1", true));
    assert_true(lane(w));
    assert_non_null(json_object_get(stub.marks, "signed_in"));
    assert_int_equal(result.outcome, OUTCOME_APPLIED);
    assert_string_equal(result.action, "update");
    world_take(w, "out", 2, STATUS("u1", "SUSPENDED"), VOID("u1", "suspend"));
    assert_true(lane(w));
    assert_null(json_object_get(stub.marks, "signed_in"));
    assert_true(json_is_true(json_object_get(stub.marks, "denied")));
    assert_int_equal(stub.sweep, 1);
    assert_int_equal(stub.updates, 2);
    assert_string_equal(result.action, "revoke");
    world_take(w, "back", 3, STATUS("u1", "ACTIVE"));
    assert_true(lane(w));
    assert_int_equal(json_object_size(stub.marks), 0);
    assert_int_equal(stub.updates, 3);
    assert_int_equal(stub.sweeps, 1);
}

static void markers_that_fail_do_not_keep_sessions_alive(void **state)
{
    struct world *w = *state;

    use(w, MARKED);
    stub.read_outcome = OUTCOME_REJECTED;
    LEAVER(w);
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 1);
    assert_int_equal(stub.updates, 0);
    assert_int_equal(result.outcome, OUTCOME_REJECTED);
    assert_string_equal(result.reason, "the store cannot be read");
    assert_true(result.has_link);
    stub.read_outcome = OUTCOME_APPLIED;
    stub.update_outcome = OUTCOME_RETRY;
    world_take(w, "more", 2, VOID("u1", "clear"));
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 2);
    assert_int_equal(stub.before.us, START + 2 * SECOND);
    assert_int_equal(result.outcome, OUTCOME_RETRY);
    stub.update_outcome = OUTCOME_APPLIED;
    world_advance(w, SECOND);
    assert_true(lane(w)); /* again, and the sweep is not */
    assert_int_equal(stub.sweeps, 2);
    assert_int_equal(result.outcome, OUTCOME_APPLIED);
    assert_int_equal(world_counts(w).due, 1);
}

static void a_store_that_is_down_is_not_asked_twice(void **state)
{
    struct world *w = *state;

    use(w, MARKED);
    stub.read_outcome = OUTCOME_TARGET_DOWN;
    LEAVER(w);
    assert_true(lane(w));
    assert_int_equal(stub.sweeps, 0);
    assert_int_equal(result.outcome, OUTCOME_TARGET_DOWN);
    assert_int_equal(result.leaving, LEAVING_YES);
}

static void nobody_is_not_swept(void **state)
{
    struct world *w = *state;

    use(w, PLAIN);
    world_take(w, "a", 1, VOID("u1", "clear")); /* no login was ever heard */
    assert_true(lane(w));
    assert_int_equal(result.outcome, OUTCOME_REJECTED);
    assert_non_null(strstr(result.reason, "sessions.user is absent"));
    world_take(w, "b", 2, LOGIN("u1", "ann@x"));
    assert_true(lane(w));
    assert_int_equal(stub.sweep, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leaver_is_swept_now_and_once_more_when_the_longest_request_is_over),
        TEST(a_crash_between_the_sweep_and_its_receipt_sweeps_again),
        TEST(a_sweep_that_fails_is_made_again_and_the_leaver_is_not_out),
        TEST(news_between_the_sweeps_postpones_nothing),
        TEST(an_old_event_does_not_log_out_who_came_back),
        TEST(markers_are_kept_and_taken_back),
        TEST(markers_that_fail_do_not_keep_sessions_alive),
        TEST(a_store_that_is_down_is_not_asked_twice),
        TEST(nobody_is_not_swept),
    };

    return cmocka_run_group_tests_name("session lanes", tests, NULL, NULL);
}
