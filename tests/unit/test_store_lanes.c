/* Lanes, leases, links: what delivery stands on. */
#include "tests/support/faults.h"
#include "tests/support/store_world.h"

static void ready(struct world *w, const char *uuid, const char *user, const char *login)
{
    assert_int_equal(world_take(w, uuid, 1, LOGIN(user, login)), EVENT_CHANGED);
}

static const char *outcome_of(struct world *w, const char *uuid)
{
    static char text[64];
    json_t *event;

    assert_int_equal(store_show(w->store, uuid, &event, &w->error), 0);
    const json_t *delivery = json_array_get(json_object_get(event, "deliveries"), 0);
    snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(delivery, "outcome")));
    json_decref(event);
    return text;
}

/* ---- leases ---- */

static void a_lease_tells_of_the_newest_delivery(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    world_advance(w, SECOND);
    world_take(w, "b", 2, LOGIN("u1", "b@x"));
    assert_int_equal(world_counts(w).ready, 1);
    assert_true(world_lease(w, &lease));
    assert_string_equal(lease.target, "ldap");
    assert_string_equal(lease.id, "u1");
    assert_string_equal(lease.event_uuid, "b");
    assert_string_equal(lease.event_type, "user.lifecycle.test");
    assert_int_equal(lease.oldest_received.us, START);
    assert_int_equal(lease.received.us, START + SECOND);
    assert_int_equal(lease.deliveries, 2);
    assert_int_equal(lease.attempt, 1);
    assert_int_equal(world_counts(w).leased, 1);
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    assert_string_equal(outcome_of(w, "b"), "applied");
    assert_string_equal(outcome_of(w, "a"), "superseded");
    assert_int_equal(world_number(w, "SELECT count(*) FROM lane"), 0);
}

static void a_leased_lane_is_nobody_elses(void **state)
{
    struct world *w = *state;
    struct lease lease, other;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    assert_false(world_lease(w, &other));
    assert_int_equal(world_done(w, &lease, "applied"), 0);
}

static void leavers_go_first_then_the_oldest(void **state)
{
    struct world *w = *state;
    static const char *const order[] = { "suspended", "removed", "void", "joiner1", "joiner2", "touched" };

    world_route(w);
    store_touch(w->store, "ldap", IDENTITY_USER, "touched");
    world_take(w, "1", 1, STATUS("joiner1", "ACTIVE"));
    world_advance(w, 1);
    world_take(w, "2", 1, MEMBER("joiner2", "g", true));
    world_advance(w, 1);
    world_take(w, "3", 1, STATUS("suspended", "SUSPENDED"));
    world_advance(w, 1);
    world_take(w, "4", 1, MEMBER("removed", "g", false));
    world_advance(w, 1);
    world_take(w, "5", 1, VOID("void", "clear"));
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct lease lease;
        assert_true(world_lease(w, &lease));
        assert_string_equal(lease.id, order[i]);
        lease_clear(&lease);
    }
}

static void a_leaver_overtakes_with_what_waited_already(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    world_advance(w, 1);
    ready(w, "b", "u2", "b@x");
    world_take(w, "c", 2, STATUS("u2", "DEPROVISIONED"));
    assert_true(world_lease(w, &lease));
    assert_string_equal(lease.id, "u2");
    assert_int_equal(lease.priority, 0);
    assert_int_equal(lease.deliveries, 2);
    lease_clear(&lease);
}

static void a_lease_that_ran_out_is_given_again_and_the_old_one_is_stale(void **state)
{
    struct world *w = *state;
    struct lease old, new;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &old));
    world_advance(w, 61 * SECOND);
    assert_true(world_lease(w, &new));
    assert_string_equal(new.id, "u1");
    assert_true(new.generation != old.generation);
    assert_int_equal(world_done(w, &old, "applied"), ERROR_STALE);
    assert_string_equal(outcome_of(w, "a"), "leased");
    assert_int_equal(world_done(w, &new, "unchanged"), 0);
    assert_string_equal(outcome_of(w, "a"), "unchanged");
}

static void a_lease_of_a_finished_lane_is_stale_even_when_the_lane_is_back(void **state)
{
    struct world *w = *state;
    struct lease first, second, third;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &first));
    world_advance(w, 61 * SECOND);
    assert_true(world_lease(w, &second));
    assert_int_equal(world_done(w, &second, "applied"), 0);
    world_take(w, "b", 2, LOGIN("u1", "b@x"));
    assert_true(world_lease(w, &third));
    assert_int_equal(world_done(w, &first, "applied"), ERROR_STALE);
    assert_int_equal(world_done(w, &third, "applied"), 0);
}

static void deliveries_that_come_meanwhile_keep_the_lane_ready(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    world_advance(w, SECOND);
    world_take(w, "b", 2, LOGIN("u1", "b@x"));
    assert_int_equal(world_counts(w).leased, 1);
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    assert_string_equal(outcome_of(w, "a"), "applied");
    assert_string_equal(outcome_of(w, "b"), "ready");
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.deliveries, 1);
    assert_int_equal(lease.oldest_received.us, START + SECOND);
    assert_string_equal(lease.event_uuid, "b");
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    assert_int_equal(world_counts(w).ready, 0);
}

static void a_touch_makes_ready_and_is_not_lost_while_leased(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    store_touch(w->store, "ldap", IDENTITY_GROUP, "g1");
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.kind, IDENTITY_GROUP);
    assert_null(lease.event_uuid);
    assert_int_equal(lease.deliveries, 0);
    store_touch(w->store, "ldap", IDENTITY_GROUP, "g1");
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    assert_int_equal(world_counts(w).ready, 1);
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_done(w, &lease, "unchanged"), 0);
    assert_int_equal(world_counts(w).ready, 0);
}

static void leases_of_a_crash_are_released_at_open(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    lease_clear(&lease);
    world_reopen(w);
    assert_int_equal(world_counts(w).ready, 1);
    assert_int_equal(world_counts(w).leased, 0);
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.attempt, 1);
    lease_clear(&lease);
    w->settings.owner = "agent-2"; /* another agent's lease is not ours to release */
    world_reopen(w);
    assert_int_equal(world_counts(w).leased, 1);
    world_advance(w, 61 * SECOND);
    assert_true(world_lease(w, &lease));
    lease_clear(&lease);
}

static void many_lanes_are_leased_at_once(void **state)
{
    struct world *w = *state;
    struct lease leases[10 * PRIORITY_COUNT];
    struct wall next;

    world_route(w);
    for (int i = 0; i < 25; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        ready(w, name, name, "a@x");
    }
    static const int expected[] = { 10, 10, 5, 0 };
    for (int round = 0; round < 4; round++) {
        int count = world_lease_each(w, 10, leases, &next);
        assert_int_equal(count, expected[round]);
        for (int i = 0; i < count; i++)
            lease_clear(&leases[i]);
    }
}

/* ---- ends ---- */

static void a_retry_waits_and_counts_attempts(void **state)
{
    struct world *w = *state;
    struct lease lease;
    struct wall next;

    struct lease none[PRIORITY_COUNT];

    world_route(w);
    ready(w, "a", "u1", "a@x");
    for (int attempt = 1; attempt <= 3; attempt++) {
        assert_true(world_lease(w, &lease));
        assert_int_equal(lease.attempt, attempt);
        const struct wall at = { w->now_us + 10 * SECOND };
        assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_RETRY, .retry_at = at, .outcome = "retry",
                                                                   .reason = "busy" }), 0);
        assert_int_equal(world_counts(w).waiting, 1);
        assert_string_equal(outcome_of(w, "a"), "waiting");
        assert_int_equal(world_lease_each(w, 1, none, &next), 0);
        assert_int_equal(next.us, at.us);
        world_advance(w, 10 * SECOND);
    }
}

static void a_release_burns_no_attempt_and_keeps_the_place(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    world_advance(w, 1);
    ready(w, "b", "u2", "b@x");
    for (int i = 0; i < 3; i++) {
        assert_true(world_lease(w, &lease));
        assert_string_equal(lease.id, "u1");
        assert_int_equal(lease.attempt, 1);
        assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_RELEASE, .outcome = "target_down" }), 0);
    }
    assert_int_equal(world_counts(w).ready, 2);
}

static void kill_lane(struct world *w, const char *uuid, const char *user)
{
    struct lease lease;

    ready(w, uuid, user, "a@x");
    assert_true(world_lease(w, &lease));
    assert_string_equal(lease.id, user);
    assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .action = "create",
                                                               .reason = "schema violation" }), 0);
}

static void a_dead_lane_is_listed_with_its_reason_and_can_be_retried(void **state)
{
    struct world *w = *state;
    struct lease lease;
    json_t *array;

    world_route(w);
    kill_lane(w, "a", "u1");
    assert_int_equal(world_counts(w).dead, 1);
    assert_false(world_lease(w, &lease));
    assert_int_equal(store_list_dead(w->store, NULL, &array, &w->error), 0);
    const json_t *dead = json_array_get(array, 0);
    assert_string_equal(json_string_value(json_object_get(dead, "reason")), "schema violation");
    assert_string_equal(json_string_value(json_object_get(dead, "target")), "ldap");
    assert_string_equal(json_string_value(json_object_get(dead, "id")), "u1");
    assert_string_equal(json_string_value(json_object_get(dead, "event")), "a");
    json_decref(array);
    assert_int_equal(store_retry_dead(w->store, "mail", "u1", &w->error), 0);
    assert_int_equal(store_retry_dead(w->store, "ldap", "u1", &w->error), 1);
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.attempt, 1);
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    assert_string_equal(outcome_of(w, "a"), "applied");
}

static void dead_lanes_are_dropped_many_at_once(void **state)
{
    struct world *w = *state;
    json_t *array;
    int64_t kept;

    world_route(w);
    for (int i = 0; i < 450; i++) {
        cleanup_free char *name = str_printf("u%d", i);
        kill_lane(w, name, name);
    }
    assert_int_equal(store_list_dead(w->store, &(struct store_filter){ .target = "ldap", .most = 10 }, &array, &w->error), 0);
    assert_int_equal(json_array_size(array), 10);
    json_decref(array);
    assert_int_equal(store_drop(w->store, &(struct store_drop){ 0 }, &kept, &w->error), 450);
    assert_int_equal(world_counts(w).dead, 0);
    assert_string_equal(outcome_of(w, "u3"), "dropped");
    assert_int_equal(world_number(w, "SELECT count(*) FROM lane"), 0);
}

static void a_newer_event_revives_a_dead_lane(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    kill_lane(w, "a", "u1");
    world_take(w, "b", 2, LOGIN("u1", "b@x"));
    assert_int_equal(world_counts(w).dead, 0);
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.attempt, 1);
    assert_int_equal(lease.deliveries, 2);
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    assert_string_equal(outcome_of(w, "a"), "superseded");
}

static void a_newer_event_wakes_a_waiting_lane_at_once(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_RETRY, .retry_at = { w->now_us + HOUR }, .outcome = "retry" });
    world_take(w, "b", 2, LOGIN("u1", "b@x"));
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.attempt, 1);
    lease_clear(&lease);
}

static void a_due_lane_comes_back_at_its_time(void **state)
{
    struct world *w = *state;
    struct lease lease;
    struct wall next;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .action = "disable",
                                                               .due = { START + 30 * DAY } }), 0);
    assert_string_equal(outcome_of(w, "a"), "applied");
    assert_int_equal(world_counts(w).due, 1);
    struct lease none[PRIORITY_COUNT];
    assert_int_equal(world_lease_each(w, 1, none, &next), 0);
    assert_int_equal(next.us, START + 30 * DAY);
    world_reopen(w);
    world_advance(w, 30 * DAY);
    assert_true(world_lease(w, &lease));
    assert_null(lease.event_uuid);
    assert_int_equal(lease.deliveries, 0);
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    assert_int_equal(world_counts(w).due, 0);
}

static void a_return_takes_the_lane_out_of_its_due_time(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .due = { START + 30 * DAY } });
    world_take(w, "b", 2, STATUS("u1", "ACTIVE"));
    assert_int_equal(world_counts(w).due, 0);
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_done(w, &lease, "applied"), 0);
    world_advance(w, 31 * DAY);
    assert_false(world_lease(w, &lease));
}

/* ---- holds ---- */

static void a_held_target_leases_nothing_across_restarts(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    assert_int_equal(store_hold(w->store, "ldap", true, &w->error), 0);
    ready(w, "a", "u1", "a@x");
    assert_false(world_lease(w, &lease));
    world_reopen(w);
    assert_true(store_is_held(w->store, "ldap", false));
    assert_false(store_is_held(w->store, "mail", false));
    assert_false(world_lease(w, &lease));
    assert_int_equal(store_hold(w->store, "ldap", false, &w->error), 0);
    assert_true(world_lease(w, &lease));
    lease_clear(&lease);
}

static void a_held_lane_waits_for_resume_and_takes_events_in(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_HELD, .outcome = "held", .reason = "guard" }), 0);
    world_take(w, "b", 2, LOGIN("u1", "b@x"));
    assert_int_equal(world_counts(w).held, 1);
    assert_false(world_lease(w, &lease));
    assert_int_equal(store_hold(w->store, "ldap", false, &w->error), 0);
    assert_int_equal(world_counts(w).held, 0);
    assert_true(world_lease(w, &lease));
    assert_int_equal(lease.deliveries, 2);
    lease_clear(&lease);
}

static void what_is_held_at_first_is_held_until_it_is_resumed_once(void **state)
{
    struct world *w = *state;

    assert_true(store_is_held(w->store, "ldap", true)); /* never heard of */
    world_route(w);
    world_reopen(w);
    world_route(w);
    assert_true(store_is_held(w->store, "ldap", true));
    assert_int_equal(store_hold(w->store, "ldap", false, &w->error), 0);
    assert_false(store_is_held(w->store, "ldap", true));
    world_reopen(w);
    assert_false(store_is_held(w->store, "ldap", true));
    assert_int_equal(store_hold(w->store, "ldap", true, &w->error), 0);
    world_reopen(w);
    assert_true(store_is_held(w->store, "ldap", false));
    assert_true(store_is_held(w->store, "mail", true)); /* each by itself */
}

/* ---- links ---- */

static struct link make_link(const char *key, const char *locator)
{
    return (struct link){ .key = (char *)key, .locator = (char *)locator, .account = (char *)"{\"cn\":[\"Ann\"]}", .linked = { START } };
}

static void a_link_is_read_back_and_replaced(void **state)
{
    struct world *w = *state;
    struct link link = make_link("k1", "uid=ann"), read;

    assert_int_equal(store_read_link(w->store, "ldap", IDENTITY_USER, "u1", &read, &w->error), ERROR_NOTFOUND);
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, "u1", &link, &w->error), 0);
    link.gone = true;
    link.due.us = START + DAY;
    link.locator = (char *)"uid=ann2";
    link.member = (char *)"uid=Ann2";
    link.member_key = (char *)"uid=ann2";
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, "u1", &link, &w->error), 0);
    world_reopen(w);
    assert_int_equal(store_read_link(w->store, "ldap", IDENTITY_USER, "u1", &read, &w->error), 0);
    assert_string_equal(read.key, "k1");
    assert_string_equal(read.locator, "uid=ann2");
    assert_string_equal(read.account, "{\"cn\":[\"Ann\"]}");
    assert_true(read.gone);
    assert_int_equal(read.due.us, START + DAY);
    assert_int_equal(read.linked.us, START);
    assert_string_equal(read.member, "uid=Ann2");
    assert_string_equal(read.member_key, "uid=ann2");
    link_clear(&read);
}

static void an_account_is_linked_to_one_identity_only(void **state)
{
    struct world *w = *state;
    struct link link = make_link("k1", "uid=ann");

    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, "u1", &link, &w->error), 0);
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, "u2", &link, &w->error), ERROR_EXISTS);
    assert_non_null(strstr(w->error.text, "u1"));
    assert_non_null(strstr(w->error.text, "uid=ann"));
    assert_int_equal(store_put_link(w->store, "mail", IDENTITY_USER, "u2", &link, &w->error), 0);
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_GROUP, "g1", &link, &w->error), 0);
    link.gone = true; /* a tombstone holds no key */
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, "u1", &link, &w->error), 0);
    link.gone = false;
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, "u2", &link, &w->error), 0);
}

static void a_completion_writes_link_and_operations(void **state)
{
    struct world *w = *state;
    struct lease lease;
    struct link link = make_link("k1", "uid=ann"), read;
    const struct operation_record operations[] = {
        { .kind = "create", .locator = "uid=ann", .outcome = "applied", .changes = "{}" },
        { .kind = "member_add", .locator = "cn=g", .outcome = "applied", .changes = "{}", .before = "{\"member\":[]}" },
    };

    world_route(w);
    ready(w, "a", "u1", "a@x");
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .action = "create", .link = &link,
                                                               .operations = operations, .operation_count = 2 }), 0);
    assert_int_equal(store_read_link(w->store, "ldap", IDENTITY_USER, "u1", &read, &w->error), 0);
    assert_string_equal(read.key, "k1");
    link_clear(&read);
    assert_int_equal(world_number(w, "SELECT count(*) FROM operation WHERE delivery = 1"), 2);
    assert_int_equal(world_number(w, "SELECT id FROM operation WHERE before IS NOT NULL"), 2);
}

static void a_completion_that_steals_an_account_ends_dead(void **state)
{
    struct world *w = *state;
    struct lease lease;
    struct link link = make_link("k1", "uid=ann");
    json_t *array;

    world_route(w);
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, "u1", &link, &w->error), 0);
    ready(w, "a", "u2", "a@x");
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .link = &link }), ERROR_EXISTS);
    assert_non_null(strstr(w->error.text, "u1"));
    assert_int_equal(world_counts(w).dead, 1);
    assert_int_equal(store_list_dead(w->store, NULL, &array, &w->error), 0);
    assert_non_null(strstr(json_string_value(json_object_get(json_array_get(array, 0), "reason")), "linked to u1"));
    json_decref(array);
}

static int collect_member(void *arg, const char *user_id, const char *value, const char *key)
{
    buf_printf(arg, "%s=%s%s%s ", user_id, value != NULL ? value : "?", key != NULL ? "/" : "", key != NULL ? key : "");
    return 0;
}

static int refuse_member(void *arg, const char *user_id, const char *value, const char *key)
{
    (void)user_id, (void)value, (void)key;
    ++*(int *)arg;
    return ERROR_IO;
}

static void members_with_an_account_are_listed(void **state)
{
    struct world *w = *state;
    cleanup_buf struct buf text = { 0 };
    int calls = 0;

    world_route(w);
    for (int i = 1; i <= 5; i++) {
        char user[8], locator[16];
        snprintf(user, sizeof(user), "u%d", i);
        snprintf(locator, sizeof(locator), "uid=%d", i);
        struct link link = make_link(user, locator);
        link.gone = i == 2;
        link.member = i == 1 ? locator : NULL; /* of u5 none is known yet */
        link.member_key = i == 1 ? user : NULL;
        world_take(w, user, 1, MEMBER(user, "g1", i != 3)); /* u3 was removed */
        if (i != 4)                                        /* u4 has no account */
            assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, user, &link, &w->error), 0);
    }
    assert_int_equal(store_read_members(w->store, "ldap", "g1", collect_member, &text, &w->error), 0);
    assert_string_equal(text.bytes, "u1=uid=1/u1 u5=? ");
    assert_int_equal(store_read_members(w->store, "ldap", "g2", refuse_member, &calls, &w->error), 0);
    assert_int_equal(store_read_members(w->store, "nowhere", "g1", refuse_member, &calls, &w->error), 0);
    assert_int_equal(calls, 0);
    assert_int_equal(store_read_members(w->store, "ldap", "g1", refuse_member, &calls, &w->error), ERROR_IO);
    assert_int_equal(calls, 1);
}

static void members_beyond_one_page_are_listed_once_each(void **state)
{
    struct world *w = *state;
    cleanup_buf struct buf text = { 0 };
    struct fact facts[16];
    char users[600][8];

    for (int i = 0; i < 600; i += 10) {
        cleanup_free char *uuid = str_printf("e%d", i);
        for (int n = 0; n < 10; n++) {
            snprintf(users[i + n], sizeof(users[0]), "u%d", i + n);
            struct link link = make_link(users[i + n], "uid=x");
            link.member = link.member_key = (char *)"x";
            facts[n] = (struct fact)MEMBER(users[i + n], "g1", true);
            assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, users[i + n], &link, &w->error), 0);
        }
        assert_int_equal(world_take_facts(w, uuid, 1, facts, 10), EVENT_CHANGED);
    }
    assert_int_equal(store_read_members(w->store, "ldap", "g1", collect_member, &text, &w->error), 0);
    for (int i = 0; i < 600; i++) {
        cleanup_free char *entry = str_printf("%s=x/x ", users[i]);
        assert_non_null(strstr(text.bytes, entry));
    }
    size_t count = 0;
    for (const char *c = text.bytes; *c != '\0'; c++)
        count += *c == ' ';
    assert_int_equal(count, 600);
}

static void counters_are_the_same_after_reopening(void **state)
{
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    kill_lane(w, "a", "u1");
    ready(w, "b", "u2", "b@x");
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_RETRY, .retry_at = { w->now_us + HOUR }, .outcome = "retry" });
    ready(w, "c", "u3", "c@x");
    struct store_lane_counts before = world_counts(w);
    assert_int_equal(before.dead + before.waiting + before.ready, 3);
    world_reopen(w);
    struct store_lane_counts after = world_counts(w);
    assert_memory_equal(&before, &after, sizeof(before));
}

/* ---- the wall clock is set ---- */

static void set_clock(struct world *w, int64_t ahead_us)
{
    __atomic_store_n(&w->wall_ahead_us, ahead_us, __ATOMIC_SEQ_CST);
}

static void a_lease_does_not_lapse_when_the_clock_is_set_forward(void **state)
{
    struct world *w = *state;
    struct lease lease, other;

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    assert_true(world_lease(w, &lease)); /* for a minute */
    set_clock(w, HOUR);
    assert_false(world_lease(w, &other));
    assert_int_equal(world_counts(w).leased, 1);
    world_advance(w, 61 * SECOND);
    assert_true(world_lease(w, &other));
    lease_clear(&lease);
    lease_clear(&other);
}

static void a_retry_waits_as_long_as_before_when_the_clock_is_set(void **state)
{
    static const int64_t ahead_us[] = { -HOUR, HOUR };
    struct world *w = *state;
    struct lease lease;

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    for (size_t i = 0; i < 2; i++) {
        assert_true(world_lease(w, &lease));
        struct wall at = { clock_wall(&w->clock).us + 10 * SECOND };
        world_end(w, &lease, (struct completion){ .end = LANE_RETRY, .outcome = "retry", .retry_at = at });
        set_clock(w, ahead_us[i]);
        assert_false(world_lease(w, &lease));
        world_advance(w, 9 * SECOND);
        assert_false(world_lease(w, &lease));
        world_advance(w, 2 * SECOND);
    }
    assert_true(world_lease(w, &lease));
    lease_clear(&lease);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* ---- leavers ---- */

static int64_t leavers(struct world *w, int64_t *ret_since_s)
{
    int64_t count = -1;
    struct wall since;

    assert_int_equal(store_count_waiting(w->store, "ldap", WAITING_LEAVERS, &count, &since, &w->error), 0);
    *ret_since_s = since.us == 0 ? -1 : (since.us - START) / SECOND;
    return count;
}

/* Takes a status and works on the lane. */
static void end_as(struct world *w, const char *uuid, const char *status, struct completion completion)
{
    static int64_t second;
    struct lease lease;

    if (status != NULL)
        world_take(w, uuid, ++second, STATUS("u1", status));
    assert_true(world_lease(w, &lease));
    assert_int_equal(world_end(w, &lease, completion), 0);
}

static void a_leaver_counts_until_his_lane_is_done(void **state)
{
    struct world *w = *state;
    int64_t since;

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    assert_int_equal(leavers(w, &since), 0);
    world_advance(w, 5 * SECOND);
    end_as(w, "b", "DEPROVISIONED", (struct completion){ .end = LANE_RELEASE, .outcome = "target_down" });
    assert_int_equal(leavers(w, &since), 1);
    assert_int_equal(since, 5);
    world_advance(w, 5 * SECOND);
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_RETRY, .outcome = "retry", .leaving = LEAVING_YES,
                                              .retry_at = { START + 20 * SECOND } });
    world_reopen(w);
    world_route(w);
    assert_int_equal(leavers(w, &since), 1);
    assert_int_equal(since, 5);
    world_advance(w, HOUR);
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_DONE, .outcome = "applied", .due = { START + DAY } });
    assert_int_equal(leavers(w, &since), 0);
    assert_int_equal(since, -1);
}

static void a_leaver_who_came_back_counts_no_more(void **state)
{
    struct world *w = *state;
    int64_t since;

    world_route(w);
    end_as(w, "a", "SUSPENDED", (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .leaving = LEAVING_YES });
    assert_int_equal(leavers(w, &since), 1);
    world_take(w, "b", 99, STATUS("u1", "ACTIVE"));
    assert_int_equal(leavers(w, &since), 0);
}

/* He left the scope, say: no status says so. */
static void a_leaver_whom_no_status_tells_counts_once_the_work_failed(void **state)
{
    struct world *w = *state;
    int64_t since;

    world_route(w);
    end_as(w, "a", "ACTIVE", (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .leaving = LEAVING_YES });
    assert_int_equal(leavers(w, &since), 1);
    assert_int_equal(since, 0);
}

/* What his other facts say meanwhile does not hide it. */
static void who_was_taken_out_of_a_group_counts_until_he_is_out_of_it(void **state)
{
    struct world *w = *state;
    struct lease lease;
    int64_t since;

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"), MEMBER("u1", "g1", true));
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_DONE, .outcome = "applied" });
    assert_int_equal(leavers(w, &since), 0);
    world_advance(w, 5 * SECOND);
    world_take(w, "b", 2, MEMBER("u1", "g1", false));
    assert_int_equal(leavers(w, &since), 1);
    assert_int_equal(since, 5);
    world_advance(w, 5 * SECOND);
    world_take(w, "c", 3, NAME("u1", "Ann Lee"));
    assert_int_equal(leavers(w, &since), 1);
    assert_int_equal(since, 5);
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .leaving = LEAVING_YES });
    assert_int_equal(leavers(w, &since), 1);
    world_take(w, "d", 4, MEMBER("u1", "g1", true));
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_RETRY, .outcome = "retry", .leaving = LEAVING_NO, .retry_at = { START } });
    assert_int_equal(leavers(w, &since), 0);
}

static void who_came_back_and_is_in_a_group_still_counts(void **state)
{
    struct world *w = *state;
    const struct link group = { .key = (char *)"kg", .locator = (char *)"cn=g1" };
    const struct link person = { .key = (char *)"ku", .locator = (char *)"uid=ann", .member = (char *)"ann", .member_key = (char *)"ann" };
    const struct member_change pending = { "g1", "ann", "ann", MEMBER_LEAVING };
    struct lease lease;
    int64_t since;

    world_route(w);
    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_GROUP, "g1", &group, &w->error), 0);
    world_take(w, "a", 1, STATUS("u1", "SUSPENDED"), MEMBER("u1", "g1", true));
    world_take(w, "b", 2, MEMBER("u1", "g1", false));
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .leaving = LEAVING_YES, .link = &person,
                                              .members = &pending, .member_count = 1 });
    assert_int_equal(leavers(w, &since), 1);
    world_take(w, "c", 3, STATUS("u1", "ACTIVE"));
    assert_int_equal(leavers(w, &since), 1);
}

static void a_leaver_is_dropped_only_when_it_is_said(void **state)
{
    struct world *w = *state;
    int64_t kept = -1, since;
    json_t *array;

    world_route(w);
    kill_lane(w, "x", "u2");
    end_as(w, "a", "DEPROVISIONED", (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .leaving = LEAVING_YES });
    assert_int_equal(store_drop(w->store, &(struct store_drop){ 0 }, &kept, &w->error), 1);
    assert_int_equal(kept, 1);
    assert_int_equal(store_drop(w->store, &(struct store_drop){ .target = "ldap", .id = "u1" }, &kept, &w->error), 0);
    assert_int_equal(kept, 1);
    assert_int_equal(store_list_dead(w->store, NULL, &array, &w->error), 0);
    assert_int_equal(json_array_size(array), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(array, 0), "leaver")), "not_out");
    json_decref(array);
    assert_int_equal(store_drop(w->store, &(struct store_drop){ .target = "ldap", .leavers = true }, &kept, &w->error), 1);
    assert_int_equal(kept, 0);
    assert_int_equal(leavers(w, &since), 0);
}

static int64_t dropped_leavers(struct world *w)
{
    int64_t count = -1;
    struct wall at;

    assert_int_equal(store_count_waiting(w->store, "ldap", WAITING_DROPPED, &count, &at, &w->error), 0);
    return count;
}

static void what_was_dropped_is_kept_for_thirty_days(void **state)
{
    struct world *w = *state;
    const struct store_drop drop = { .target = "ldap", .leavers = true, .by = "ann, uid 1000" };
    int64_t kept = -1, since;

    world_route(w);
    end_as(w, "a", "DEPROVISIONED", (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .reason = "no right",
                                                        .leaving = LEAVING_YES });
    assert_int_equal(store_drop(w->store, &drop, &kept, &w->error), 1);
    assert_int_equal(leavers(w, &since), 0);
    assert_int_equal(dropped_leavers(w), 1);
    world_reopen(w);
    world_route(w);
    world_advance(w, 29 * DAY);
    assert_int_equal(store_retain(w->store, &w->error), 0);
    assert_int_equal(dropped_leavers(w), 1);
    world_advance(w, 2 * DAY);
    assert_int_equal(store_retain(w->store, &w->error), 0);
    assert_int_equal(dropped_leavers(w), 0);
    assert_int_equal(store_take_back(w->store, "ldap", NULL, &w->error), 0);
}

static void what_is_taken_back_is_a_leavers_work_again_since_when_it_was(void **state)
{
    struct world *w = *state;
    const struct store_drop drop = { .leavers = true };
    int64_t kept = -1, since;
    struct lease lease;

    world_route(w);
    kill_lane(w, "x", "u2");
    world_advance(w, 5 * SECOND);
    end_as(w, "a", "DEPROVISIONED", (struct completion){ .end = LANE_DEAD, .outcome = "rejected", .leaving = LEAVING_YES });
    world_advance(w, 5 * SECOND);
    assert_int_equal(store_drop(w->store, &drop, &kept, &w->error), 2);
    assert_int_equal(store_take_back(w->store, "mail", NULL, &w->error), 0);
    assert_int_equal(store_take_back(w->store, "ldap", "u1", &w->error), 1);
    assert_int_equal(leavers(w, &since), 1);
    assert_int_equal(since, 5);
    assert_int_equal(store_take_back(w->store, NULL, NULL, &w->error), 1);
    assert_int_equal(store_take_back(w->store, NULL, NULL, &w->error), 0);
    assert_true(world_lease(w, &lease));
    assert_string_equal(lease.id, "u1"); /* leavers first */
    lease_clear(&lease);
}

/* ---- work that fails ---- */

static int64_t failing_since(struct world *w, int64_t *ret_count)
{
    struct wall since;

    assert_int_equal(store_count_waiting(w->store, "ldap", WAITING_FAILING, ret_count, &since, &w->error), 0);
    return since.us == 0 ? -1 : (since.us - START) / SECOND;
}

static void work_fails_from_the_first_failure_until_it_goes_well_whatever_is_heard(void **state)
{
    struct world *w = *state;
    int64_t count;

    world_route(w);
    end_as(w, "a", "ACTIVE", (struct completion){ .end = LANE_RELEASE, .outcome = "target_down" });
    assert_int_equal(failing_since(w, &count), -1);
    world_advance(w, 5 * SECOND);
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_RETRY, .outcome = "retry", .retry_at = { START + 6 * SECOND } });
    world_advance(w, 5 * SECOND);
    end_as(w, "b", "PROVISIONED", (struct completion){ .end = LANE_RELEASE, .outcome = "target_down" });
    world_reopen(w);
    world_route(w);
    assert_int_equal(failing_since(w, &count), 5);
    assert_int_equal(count, 1);
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_DONE, .outcome = "applied", .due = { START + DAY } });
    assert_int_equal(failing_since(w, &count), -1);
}

static void leavers_and_dead_letters_are_not_counted_as_work_that_is_tried_again(void **state)
{
    struct world *w = *state;
    int64_t count;

    world_route(w);
    kill_lane(w, "x", "u2");
    end_as(w, "a", "DEPROVISIONED", (struct completion){ .end = LANE_RETRY, .outcome = "retry", .leaving = LEAVING_YES,
                                                         .retry_at = { START + DAY } });
    assert_int_equal(failing_since(w, &count), -1);
    assert_int_equal(count, 0);
}

/* ---- intents ---- */

/* Proposes a key. */
static void expect_intent(struct world *w, const char *operation, const char *digest, const char *proposed, const char *expected, bool repeated)
{
    const struct intent intent = { .target = "ldap", .id = "u1", .operation = operation, .digest = digest, .key = proposed };
    struct intent_found found = { 0 };

    assert_int_equal(store_intend(w->store, &intent, &found, &w->error), 0);
    assert_string_equal(found.key, expected);
    assert_int_equal(found.repeated, repeated);
    intent_found_clear(&found);
}

static void an_intent_keeps_its_key_until_its_end_is_known(void **state)
{
    struct world *w = *state;
    const struct operation_record settled = { .kind = "create", .outcome = "rejected", .intent = "d2" };
    struct completion retry = { .end = LANE_RETRY, .outcome = "retry", .retry_at = { START } };

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    expect_intent(w, "create", "d1", "k1", "k1", false);
    expect_intent(w, "create", "d1", "k2", "k1", true);
    expect_intent(w, "disable", "d1", "k3", "k3", false); /* another operation */
    expect_intent(w, "create", "d2", "k4", "k4", true);   /* with other values: the first may have gone through */
    world_reopen(w);
    world_route(w);
    expect_intent(w, "create", "d1", "k5", "k1", true);
    end_as(w, NULL, NULL, retry);
    expect_intent(w, "create", "d1", "k6", "k1", true);
    retry.operations = &settled;
    retry.operation_count = 1;
    end_as(w, NULL, NULL, retry);
    expect_intent(w, "create", "d2", "k7", "k7", true);
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_DONE, .outcome = "applied" });
    assert_int_equal(world_number(w, "SELECT count(*) FROM intent"), 0);
    expect_intent(w, "create", "d1", "k8", "k8", false);
}

static void a_key_that_is_a_day_old_is_replaced_but_its_intent_is_known(void **state)
{
    struct world *w = *state;

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    expect_intent(w, "create", "d1", "k1", "k1", false);
    world_advance(w, 23 * HOUR);
    expect_intent(w, "create", "d1", "k2", "k1", true);
    world_advance(w, 2 * HOUR);
    expect_intent(w, "create", "d1", "k3", "k3", true);
    expect_intent(w, "create", "d1", "k4", "k3", true);
    world_advance(w, 91 * DAY);
    assert_int_equal(store_retain(w->store, &w->error), 0);
    assert_int_equal(world_number(w, "SELECT count(*) FROM intent"), 0);
}

static void expect_earlier(struct world *w, const char *digest, const char *sent, const char *expected, int64_t wait)
{
    const struct intent intent = { .target = "ldap", .id = "u1", .operation = "create", .digest = digest, .key = "k", .sent = sent };
    struct intent_found found = { 0 };

    assert_int_equal(store_intend(w->store, &intent, &found, &w->error), 0);
    assert_string_equal(found.earlier, expected);
    assert_int_equal(found.wait.us, wait);
    intent_found_clear(&found);
}

static void expect_sent(struct world *w, const char *operation, const char *expected)
{
    cleanup_free char *sent = NULL;

    assert_int_equal(store_read_intents(w->store, "ldap", IDENTITY_USER, "u1", operation, &sent, &w->error), 0);
    if (expected == NULL)
        assert_null(sent);
    else
        assert_string_equal(sent, expected);
}

static void what_was_sent_under_another_digest_is_told_and_how_long_it_may_yet_show(void **state)
{
    struct world *w = *state;
    const struct operation_record waits = { .kind = "create", .outcome = "retry", .intent = "d1", .intent_wait = { START + 5 } };
    struct completion retry = { .end = LANE_RETRY, .outcome = "retry", .retry_at = { START }, .operations = &waits, .operation_count = 1 };

    world_route(w);
    world_take(w, "a", 1, STATUS("u1", "ACTIVE"));
    expect_earlier(w, "d1", "{\"mail\":\"ann\"}", "[]", 0);
    end_as(w, NULL, NULL, retry);
    expect_earlier(w, "d1", "{\"mail\":\"ann\"}", "[]", START + 5); /* its own is no other one */
    expect_earlier(w, "d2", NULL, "[{\"mail\":\"ann\"}]", START + 5);
    expect_sent(w, "create", "[{\"mail\":\"ann\"}]");
    expect_sent(w, "disable", NULL);
    world_reopen(w);
    world_route(w);
    expect_earlier(w, "d3", NULL, "[{\"mail\":\"ann\"}]", START + 5);
    end_as(w, NULL, NULL, (struct completion){ .end = LANE_DONE, .outcome = "applied" });
    expect_sent(w, "create", NULL);
    expect_earlier(w, "d1", NULL, "[]", 0);
    expect_sent(w, "create", "[]");
}

static void an_intent_that_is_not_committed_is_not_given(void **state)
{
    NEEDS_FAULT_POINTS;
    const struct intent intent = { .target = "ldap", .id = "u1", .operation = "create", .digest = "d1", .key = "k1" };
    struct world *w = *state;
    struct intent_found found = { 0 };

    fault_set("store.commit=full*1", NULL);
    assert_int_equal(store_intend(w->store, &intent, &found, &w->error), ERROR_FULL);
    assert_null(found.key);
    expect_intent(w, "create", "d1", "k2", "k2", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lease_does_not_lapse_when_the_clock_is_set_forward),
        TEST(a_retry_waits_as_long_as_before_when_the_clock_is_set),
        TEST(a_lease_tells_of_the_newest_delivery),
        TEST(a_leased_lane_is_nobody_elses),
        TEST(leavers_go_first_then_the_oldest),
        TEST(a_leaver_overtakes_with_what_waited_already),
        TEST(a_lease_that_ran_out_is_given_again_and_the_old_one_is_stale),
        TEST(a_lease_of_a_finished_lane_is_stale_even_when_the_lane_is_back),
        TEST(deliveries_that_come_meanwhile_keep_the_lane_ready),
        TEST(a_touch_makes_ready_and_is_not_lost_while_leased),
        TEST(leases_of_a_crash_are_released_at_open),
        TEST(many_lanes_are_leased_at_once),
        TEST(a_retry_waits_and_counts_attempts),
        TEST(a_release_burns_no_attempt_and_keeps_the_place),
        TEST(a_dead_lane_is_listed_with_its_reason_and_can_be_retried),
        TEST(a_leaver_counts_until_his_lane_is_done),
        TEST(a_leaver_who_came_back_counts_no_more),
        TEST(a_leaver_whom_no_status_tells_counts_once_the_work_failed),
        TEST(who_was_taken_out_of_a_group_counts_until_he_is_out_of_it),
        TEST(who_came_back_and_is_in_a_group_still_counts),
        TEST(a_leaver_is_dropped_only_when_it_is_said),
        TEST(what_was_dropped_is_kept_for_thirty_days),
        TEST(what_is_taken_back_is_a_leavers_work_again_since_when_it_was),
        TEST(work_fails_from_the_first_failure_until_it_goes_well_whatever_is_heard),
        TEST(leavers_and_dead_letters_are_not_counted_as_work_that_is_tried_again),
        TEST(an_intent_keeps_its_key_until_its_end_is_known),
        TEST(a_key_that_is_a_day_old_is_replaced_but_its_intent_is_known),
        TEST(what_was_sent_under_another_digest_is_told_and_how_long_it_may_yet_show),
        TEST(an_intent_that_is_not_committed_is_not_given),
        TEST(dead_lanes_are_dropped_many_at_once),
        TEST(a_newer_event_revives_a_dead_lane),
        TEST(a_newer_event_wakes_a_waiting_lane_at_once),
        TEST(a_due_lane_comes_back_at_its_time),
        TEST(a_return_takes_the_lane_out_of_its_due_time),
        TEST(a_held_target_leases_nothing_across_restarts),
        TEST(what_is_held_at_first_is_held_until_it_is_resumed_once),
        TEST(a_held_lane_waits_for_resume_and_takes_events_in),
        TEST(a_link_is_read_back_and_replaced),
        TEST(an_account_is_linked_to_one_identity_only),
        TEST(a_completion_writes_link_and_operations),
        TEST(a_completion_that_steals_an_account_ends_dead),
        TEST(members_with_an_account_are_listed),
        TEST(members_beyond_one_page_are_listed_once_each),
        TEST(counters_are_the_same_after_reopening),
    };

    return cmocka_run_group_tests_name("store_lanes", tests, NULL, NULL);
}
