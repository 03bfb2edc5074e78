/* Member rows: what was written into groups, for whom, and whose lane looks again (agent/README.md, "A membership is a row"). */
#include "tests/support/faults.h"
#include "tests/support/store_world.h"

#define LANE_OF(id) "(SELECT (1 << 40) | n FROM identity WHERE id = '" id "')"

/* ---- a world of two groups ---- */

static void entry(struct world *w, const char *group, bool gone)
{
    cleanup_free char *key = str_printf("k-%s", group), *place = str_printf("cn=%s", group);
    const struct link link = { .key = key, .locator = place, .gone = gone };

    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_GROUP, group, &link, &w->error), 0);
}

/* `value` NULL: not known yet. */
static struct link account(const char *user, const char *value)
{
    return (struct link){ .key = (char *)user, .locator = (char *)"uid=x", .member = (char *)value, .member_key = (char *)value };
}

static void put_account(struct world *w, const char *user, const char *value)
{
    const struct link link = account(user, value);

    assert_int_equal(store_put_link(w->store, "ldap", IDENTITY_USER, user, &link, &w->error), 0);
}

static void take_member(struct world *w, const char *user, const char *group, bool is)
{
    static int64_t second;
    cleanup_free char *uuid = str_printf("m%d", (int)++second);

    assert_true(world_take(w, uuid, second, MEMBER(user, group, is)) >= 0);
}

static void end_all(struct world *w)
{
    struct lease lease;

    while (world_lease(w, &lease))
        assert_int_equal(world_done(w, &lease, "applied"), 0);
}

static struct lease lease_of(struct world *w, const char *id)
{
    struct lease lease, found = { 0 };

    while (found.id == NULL && world_lease(w, &lease)) {
        if (strcmp(lease.id, id) == 0)
            found = lease;
        else
            assert_int_equal(world_done(w, &lease, "applied"), 0);
    }
    assert_non_null(found.id);
    return found;
}

/* Ends it with these changes of rows. */
static void end_with(struct world *w, struct lease *lease, struct completion end, const struct member_change *changes, size_t count)
{
    end.has_groups = lease->kind == IDENTITY_USER;
    end.members = changes;
    end.member_count = count;
    assert_int_equal(world_end(w, lease, end), 0);
}

#define CHANGES(...) (const struct member_change[]){ __VA_ARGS__ }, sizeof((const struct member_change[]){ __VA_ARGS__ }) / \
    sizeof(struct member_change)
#define DONE ((struct completion){ .end = LANE_DONE, .outcome = "applied", .action = "update" })
#define RETRY ((struct completion){ .end = LANE_RETRY, .outcome = "retry", .retry_at = { START + HOUR } })

static void touch(struct world *w, const char *user)
{
    store_touch(w->store, "ldap", IDENTITY_USER, user);
}

/* The person's row, by his lane. */
static void change(struct world *w, const char *user, const char *group, const char *value, enum member_state state)
{
    touch(w, user);
    struct lease lease = lease_of(w, user);

    end_with(w, &lease, DONE, CHANGES({ group, value, value, state }));
}

/* u1 with the value ann and u2 with the value `other`, both members of g1, and nothing is pending. */
static struct world *with_two(void **state, const char *other)
{
    static const char *const users[] = { "u1", "u2" };
    const char *values[] = { "ann", other };
    struct world *w = *state;

    world_route(w);
    entry(w, "g1", false);
    entry(w, "g2", false);
    for (size_t i = 0; i < 2; i++) {
        take_member(w, users[i], "g1", true);
        put_account(w, users[i], values[i]);
        change(w, users[i], "g1", values[i], MEMBER_THERE);
    }
    end_all(w);
    return w;
}

/* ---- looking ---- */

struct text {
    struct buf buf;
    const char *group;
};

static int add_row(void *arg, const struct member_row *row)
{
    static const char *const states[] = { "none", "sent", "there", "leaving" };
    struct text *text = arg;

    buf_printf(&text->buf, "%s%s/%s %s%s%s%s", text->buf.length > 0 ? "; " : "", row->group, row->value != NULL ? row->value : "-",
               states[row->state], row->heard && !row->member ? " out" : "", row->shared ? " shared" : "",
               row->entry_key == NULL ? " no entry" : "");
    return 0;
}

static void expect_by(struct world *w, const char *user, const char *key, const char *rows)
{
    struct text text = { 0 };

    buf_add(&text.buf, "", 0);
    assert_int_equal(store_read_member_rows(w->store, "ldap", user, key, add_row, &text, &w->error), 0);
    assert_string_equal(text.buf.bytes != NULL ? text.buf.bytes : "", rows);
    buf_free(&text.buf);
}

static void expect(struct world *w, const char *user, const char *rows)
{
    struct link link = { 0 };

    store_read_link(w->store, "ldap", IDENTITY_USER, user, &link, NULL);
    expect_by(w, user, link.member_key, rows);
    link_clear(&link);
}

static bool is_ready(struct world *w, const char *id)
{
    cleanup_free char *sql = str_printf("SELECT state FROM lane WHERE key = (SELECT (1 << 40) | n FROM identity WHERE id = '%s')", id);

    return world_number(w, sql) == 0;
}

static int64_t leavers(struct world *w)
{
    struct wall since;
    int64_t count;

    assert_int_equal(store_count_waiting(w->store, "ldap", WAITING_LEAVERS, &count, &since, &w->error), 0);
    return count;
}

/* ---- a row is there before its value is sent ---- */

static void a_lease_notes_what_the_person_must_have(void **state)
{
    static const struct {
        const char *what, *rows;
        bool has_entry, group_gone, member, account_gone;
        const char *value;
    } cases[] = {
        { "a member", "g1/ann sent", true, false, true, false, "ann" },
        { "a group without an entry", "g1/- none no entry", false, false, true, false, "ann" },
        { "a group that is gone", "g1/- none no entry", true, true, true, false, "ann" },
        { "no member", "g1/- none out", true, false, false, false, "ann" },
        { "an account that is gone", "g1/- none", true, false, true, true, "ann" },
        { "a value that is not known", "g1/- none", true, false, true, false, NULL },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            world_teardown(state);
            world_setup(state);
            w = *state;
        }
        struct link link = account("u1", cases[i].value);
        link.gone = cases[i].account_gone;
        world_route(w);
        store_put_link(w->store, "ldap", IDENTITY_USER, "u1", &link, &w->error);
        if (cases[i].has_entry)
            entry(w, "g1", cases[i].group_gone);
        take_member(w, "u1", "g1", cases[i].member);
        struct lease lease = lease_of(w, "u1");
        print_message("%s\n", cases[i].what);
        expect(w, "u1", cases[i].rows);
        lease_clear(&lease);
    }
}

static void what_a_lease_noted_is_there_after_a_kill(void **state)
{
    struct world *w = with_two(state, "bob");

    take_member(w, "u1", "g2", true);
    struct lease lease = lease_of(w, "u1");
    lease_clear(&lease);
    world_reopen(w);
    expect(w, "u1", "g1/ann there; g2/ann sent");
    lease = lease_of(w, "u1"); /* once more, and no second row */
    expect(w, "u1", "g1/ann there; g2/ann sent");
    lease_clear(&lease);
}

static void a_link_with_another_value_brings_rows_and_keeps_the_former(void **state)
{
    struct world *w = with_two(state, "bob");

    put_account(w, "u1", "eve");
    expect(w, "u1", "g1/ann there; g1/eve sent");
}

/* What the receipt has brought is not sent yet. */
static void a_receipt_whose_link_brings_rows_keeps_the_lane_ready(void **state)
{
    struct world *w = with_two(state, "bob");
    const struct link renamed = account("u1", "eve");
    struct completion end = DONE;

    touch(w, "u1");
    struct lease lease = lease_of(w, "u1");
    end.link = &renamed;
    end_with(w, &lease, end, NULL, 0);
    assert_true(is_ready(w, "u1"));
    expect(w, "u1", "g1/ann there; g1/eve sent");
}

static void a_lease_takes_back_a_leaving_row_of_whoever_is_a_member_again(void **state)
{
    struct world *w = with_two(state, "bob");

    take_member(w, "u1", "g1", false);
    struct lease lease = lease_of(w, "u1");
    end_with(w, &lease, RETRY, CHANGES({ "g1", "ann", "ann", MEMBER_LEAVING }));
    expect(w, "u1", "g1/ann leaving out");
    take_member(w, "u1", "g1", true);
    lease = lease_of(w, "u1");
    expect(w, "u1", "g1/ann sent");
    lease_clear(&lease);
}

static void a_creation_notes_the_rows_of_its_members_with_its_intent(void **state)
{
    struct world *w = with_two(state, "bob");
    const struct member_change members[] = { { "u1", "ann", "ann", MEMBER_SENT }, { "u2", "bob", "bob", MEMBER_SENT } };
    struct intent intent = { .target = "ldap", .kind = IDENTITY_GROUP, .id = "g3", .operation = "create", .digest = "cn=crew",
                             .place = "cn=crew", .members = members, .member_count = 1 };
    struct intent_found found = { 0 };

    world_take(w, "c", 1, GROUP_EXISTS("g3", true), GROUP_EXISTS("g4", true));
    assert_int_equal(store_intend(w->store, &intent, &found, &w->error), 0);
    intent_found_clear(&found);
    expect(w, "u1", "g1/ann there; g3/ann sent no entry");
    intent.id = "g4"; /* at the same place: it waits, and is about to write nothing */
    intent.members = members + 1;
    assert_int_equal(store_intend(w->store, &intent, &found, &w->error), ERROR_EXISTS);
    expect(w, "u2", "g1/bob there");
}

/* ---- a value leaves only when nobody else has it ---- */

static void a_value_is_shared_by_its_key_in_one_group(void **state)
{
    static const struct {
        const char *what, *group, *key, *value, *rows;
    } cases[] = {
        { "the same", "g1", "ann", "ann", "g1/ann there shared" },
        { "another spelling", "g1", "ann", "ANN", "g1/ann there shared" },
        { "another value", "g1", "bob", "ann", "g1/ann there" },
        { "another group", "g2", "ann", "ann", "g1/ann there" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            world_teardown(state);
            world_setup(state);
        }
        struct world *w = with_two(state, "bob");
        touch(w, "u2");
        struct lease lease = lease_of(w, "u2");
        end_with(w, &lease, RETRY, CHANGES({ cases[i].group, cases[i].key, cases[i].value, MEMBER_LEAVING }));
        print_message("%s\n", cases[i].what);
        expect(w, "u1", cases[i].rows);
    }
}

/* Of whoever was removed the row does not count for himself, and a fact without a row knows of the others, too. */
static void a_fact_without_a_row_tells_whether_the_value_is_anothers(void **state)
{
    struct world *w = with_two(state, "ann");

    change(w, "u1", "g1", "ann", MEMBER_NONE);
    take_member(w, "u1", "g1", false);
    expect_by(w, "u1", "ann", "g1/- none out shared");
    expect_by(w, "u1", "eve", "g1/- none out");
}

static void a_value_that_was_handed_on_loses_only_the_row(void **state)
{
    struct world *w = with_two(state, "ann");

    take_member(w, "u1", "g1", false);
    struct lease lease = lease_of(w, "u1");
    end_with(w, &lease, DONE, CHANGES({ "g1", "ann", "ann", MEMBER_HANDED }));
    expect(w, "u1", "g1/- none out shared");
    expect(w, "u2", "g1/ann there");
}

/* The other one's row went while this one's lane was on its way to the receipt: nobody has sent the removal. */
static void a_value_that_is_nobody_elses_any_more_keeps_its_row(void **state)
{
    struct world *w = with_two(state, "ann");

    take_member(w, "u1", "g1", false);
    struct lease lease = lease_of(w, "u1");
    change(w, "u2", "g1", "ann", MEMBER_NONE);
    end_with(w, &lease, DONE, CHANGES({ "g1", "ann", "ann", MEMBER_HANDED }));
    expect(w, "u1", "g1/ann there out");
    assert_true(is_ready(w, "u1"));
}

/* ---- when a row goes, the others look again ---- */

static void a_row_that_goes_makes_those_ready_who_have_the_value(void **state)
{
    static const struct {
        const char *what, *value, *group;
        enum member_state state;
        bool ready;
    } cases[] = {
        { "the same value", "ann", "g1", MEMBER_NONE, true },
        { "handed on", "ann", "g1", MEMBER_HANDED, true },
        { "another value", "bob", "g1", MEMBER_NONE, false },
        { "another group", "ann", "g2", MEMBER_NONE, false },
        { "a row that stays", "ann", "g1", MEMBER_LEAVING, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            world_teardown(state);
            world_setup(state);
        }
        struct world *w = with_two(state, cases[i].value);
        take_member(w, "u1", "g1", false);
        struct lease lease = lease_of(w, "u1");
        end_with(w, &lease, RETRY, CHANGES({ cases[i].group, "ann", "ann", cases[i].state }));
        print_message("%s\n", cases[i].what);
        assert_int_equal(is_ready(w, "u2"), cases[i].ready);
    }
}

/* u2 adds the value while u1's removal of it is on its way: the last word is an addition. */
static void a_row_that_goes_while_the_other_is_worked_on_brings_that_one_back(void **state)
{
    struct world *w = with_two(state, "bob");

    take_member(w, "u1", "g1", false);
    struct lease removal = lease_of(w, "u1");
    put_account(w, "u2", "ann");
    touch(w, "u2");
    struct lease addition = lease_of(w, "u2");
    expect(w, "u2", "g1/ann sent shared; g1/bob there");
    end_with(w, &removal, DONE, CHANGES({ "g1", "ann", "ann", MEMBER_NONE }));
    assert_false(is_ready(w, "u2"));
    end_with(w, &addition, DONE, CHANGES({ "g1", "ann", "ann", MEMBER_THERE }, { "g1", "bob", "bob", MEMBER_NONE }));
    assert_true(is_ready(w, "u2"));
    expect(w, "u2", "g1/ann there");
}

/* ---- rows ride on the commit ---- */

static void the_link_the_rows_and_the_end_are_one_commit(void **state)
{
    NEEDS_FAULT_POINTS;
    struct world *w = with_two(state, "bob");
    const struct link renamed = account("u1", "eve");
    const struct member_change changes[] = { { "g1", "ann", "ann", MEMBER_NONE }, { "g2", "ann", "ann", MEMBER_THERE } };
    struct completion end = { .end = LANE_DONE, .outcome = "applied", .link = &renamed, .has_groups = true, .members = changes,
                              .member_count = 2 };

    take_member(w, "u1", "g2", true);
    struct lease lease = lease_of(w, "u1");
    fault_set("store.commit=full*1", NULL);
    assert_int_equal(world_end(w, &lease, end), ERROR_FULL);
    fault_set(NULL, NULL);
    expect(w, "u1", "g1/ann there; g2/ann sent");
    world_advance(w, HOUR);
    lease = lease_of(w, "u1");
    assert_int_equal(world_end(w, &lease, end), 0);
    expect(w, "u1", "g1/eve sent; g2/ann there; g2/eve sent");
    assert_true(is_ready(w, "u1"));
}

static void a_stale_receipt_changes_no_row(void **state)
{
    struct world *w = with_two(state, "bob");
    const struct member_change gone = { "g1", "ann", "ann", MEMBER_NONE };
    struct completion end = { .end = LANE_DONE, .outcome = "applied", .members = &gone, .member_count = 1 };

    touch(w, "u1");
    struct lease late = lease_of(w, "u1");
    world_advance(w, HOUR);
    struct lease lease = lease_of(w, "u1");
    assert_int_equal(world_end(w, &late, end), ERROR_STALE);
    expect(w, "u1", "g1/ann there");
    lease_clear(&lease);
}

/* ---- a group's receipt ---- */

static void end_group(struct world *w, bool gone)
{
    const struct link link = { .key = (char *)"k-g1", .locator = (char *)"cn=g1", .gone = gone };
    struct completion end = DONE;

    store_touch(w->store, "ldap", IDENTITY_GROUP, "g1");
    struct lease lease = lease_of(w, "g1");
    end.link = &link;
    end_with(w, &lease, end, NULL, 0);
}

static void a_group_s_receipt_makes_those_ready_who_are_not_as_they_must_be(void **state)
{
    static const struct {
        const char *what, *sql;
        bool ready;
    } cases[] = {
        { "as it must be", "SELECT 1", false },
        { "a value that may not have arrived", "UPDATE member_value SET state = 1", true },
        { "no row", "DELETE FROM member_value WHERE value = 'ann'", true },
        { "a row of a former value", "UPDATE link SET member = 'eve', member_key = 'eve' WHERE member = 'ann'", true },
        { "no member any more", "UPDATE membership SET present = 0", true },
        { "no account any more", "UPDATE link SET gone = 1 WHERE member = 'ann'", true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            world_teardown(state);
            world_setup(state);
        }
        struct world *w = with_two(state, "bob");
        world_number(w, cases[i].sql);
        end_group(w, false);
        print_message("%s\n", cases[i].what);
        assert_int_equal(is_ready(w, "u1"), cases[i].ready);
    }
}

static void a_group_that_is_gone_has_no_rows_and_calls_whoever_had_to_leave_it(void **state)
{
    struct world *w = with_two(state, "bob");

    take_member(w, "u1", "g1", false);
    struct lease lease = lease_of(w, "u1");
    end_with(w, &lease, RETRY, CHANGES({ "g1", "ann", "ann", MEMBER_LEAVING }));
    end_group(w, true);
    expect(w, "u1", "g1/- none out no entry");
    expect(w, "u2", "g1/- none no entry");
    assert_true(is_ready(w, "u1")); /* he need not wait for an hour to be told that he is out */
    assert_false(is_ready(w, "u2"));
}

/* ---- whose value is it? ---- */

static void a_row_is_found_by_the_entry_and_by_the_place_of_a_creation(void **state)
{
    struct world *w = with_two(state, "bob");
    const struct member_change row = { "u1", "ann", "ann", MEMBER_SENT };
    const struct intent intent = { .target = "ldap", .kind = IDENTITY_GROUP, .id = "g3", .operation = "create", .digest = "cn=crew",
                                   .place = "cn=crew", .members = &row, .member_count = 1 };
    static const struct {
        const char *target, *entry, *place, *key;
        bool has;
    } cases[] = {
        { "ldap", "k-g1", NULL, "ann", true },     { "ldap", "k-g1", "cn=g1", "bob", true },
        { "ldap", "k-g1", NULL, "eve", false },    { "ldap", "k-g2", NULL, "ann", false },
        { "ldap", "k-new", "cn=crew", "ann", true }, { "ldap", NULL, "cn=crew", "ann", true },
        { "ldap", NULL, "cn=crew", "bob", false }, { "ldap", NULL, "cn=other", "ann", false },
        { "mail", "k-g1", "cn=crew", "ann", false },
    };
    struct intent_found found = { 0 };

    world_take(w, "c", 1, GROUP_EXISTS("g3", true));
    assert_int_equal(store_intend(w->store, &intent, &found, &w->error), 0);
    intent_found_clear(&found);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool has = !cases[i].has;
        assert_int_equal(store_has_member_row(w->store, cases[i].target, cases[i].entry, cases[i].place, cases[i].key, &has, &w->error),
                         0);
        print_message("%s %s\n", cases[i].entry != NULL ? cases[i].entry : cases[i].place, cases[i].key);
        assert_int_equal(has, cases[i].has);
    }
}

/* ---- rows that must leave ---- */

static void a_lane_does_not_end_while_a_row_is_wrong(void **state)
{
    static const struct {
        const char *what, *sql;
        bool ready;
    } cases[] = {
        { "as it must be", "SELECT 1", false },
        { "a former value", "UPDATE member_value SET value = 'eve', key = 'eve' WHERE value = 'ann'", true },
        { "no member any more", "UPDATE membership SET present = 0", true },
        { "no account any more", "UPDATE link SET gone = 1 WHERE member = 'ann'", true },
        { "no member of a group without an entry", "UPDATE membership SET present = 0", true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            world_teardown(state);
            world_setup(state);
        }
        struct world *w = with_two(state, "bob");
        bool without = strstr(cases[i].what, "without") != NULL; /* it cannot be there, and its creation may be under way */
        touch(w, "u1");
        struct lease lease = lease_of(w, "u1");
        world_number(w, cases[i].sql);
        if (without)
            world_number(w, "UPDATE link SET gone = 1 WHERE key = 'k-g1'");
        end_with(w, &lease, DONE, NULL, 0);
        print_message("%s\n", cases[i].what);
        assert_int_equal(is_ready(w, "u1"), cases[i].ready && !without);
    }
}

static void refuse_to_leave(struct world *w, enum lane_end kind)
{
    take_member(w, "u1", "g1", false);
    struct lease lease = lease_of(w, "u1");

    end_with(w, &lease, (struct completion){ .end = kind, .outcome = "rejected", .action = "member_remove", .reason = "no right",
                                             .undone = "member_remove", .leaving = LEAVING_YES, .retry_at = { START + HOUR } },
             CHANGES({ "g1", "ann", "ann", MEMBER_LEAVING }));
}

static void a_pending_removal_is_counted_and_named_like_a_leaver(void **state)
{
    static const enum lane_end ends[] = { LANE_RETRY, LANE_DEAD, LANE_HELD, LANE_RELEASE };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (i > 0) {
            world_teardown(state);
            world_setup(state);
        }
        struct world *w = with_two(state, "bob");
        json_t *list;
        refuse_to_leave(w, ends[i]);
        assert_int_equal(leavers(w), 1);
        world_take(w, "x", 100, STATUS("u1", "ACTIVE"), NAME("u1", "Ann Lee")); /* whatever else happens to the person */
        world_reopen(w);
        assert_int_equal(leavers(w), 1);
        assert_int_equal(store_list_waiting(w->store, "ldap", WAITING_LEAVERS, 5, &list, &w->error), 0);
        const json_t *row = json_array_get(list, 0);
        assert_string_equal(json_string_value(json_object_get(row, "id")), "u1");
        assert_string_equal(json_string_value(json_object_get(row, "reason")), "no right");
        assert_string_equal(json_string_value(json_object_get(row, "step")), "member_remove");
        json_decref(list);
    }
}

static void whoever_is_out_of_the_group_counts_no_more(void **state)
{
    struct world *w = with_two(state, "bob");

    refuse_to_leave(w, LANE_RETRY);
    world_advance(w, HOUR);
    struct lease lease = lease_of(w, "u1");
    end_with(w, &lease, DONE, CHANGES({ "g1", "ann", "ann", MEMBER_NONE }));
    assert_int_equal(leavers(w), 0);
    assert_int_equal(world_number(w, "SELECT count(*) FROM lane WHERE key = " LANE_OF("u1")), 0);
}

/* The row is there when the lane is given up: whatever happens next to the person takes the value out. */
static void a_dropped_lane_leaves_its_rows(void **state)
{
    struct world *w = with_two(state, "bob");
    int64_t kept = 0;

    refuse_to_leave(w, LANE_DEAD);
    assert_int_equal(store_drop(w->store, &(struct store_drop){ .target = "ldap" }, &kept, &w->error), 0);
    assert_int_equal(kept, 1);
    expect(w, "u1", "g1/ann leaving out");
    assert_int_equal(store_drop(w->store, &(struct store_drop){ .target = "ldap", .leavers = true }, &kept, &w->error), 1);
    assert_int_equal(leavers(w), 0);
    expect(w, "u1", "g1/ann leaving out");
    world_take(w, "x", 100, NAME("u1", "Ann Lee"));
    struct lease lease = lease_of(w, "u1");
    expect(w, "u1", "g1/ann leaving out");
    end_with(w, &lease, DONE, NULL, 0);
    assert_true(is_ready(w, "u1")); /* not before that one is made */
}

static void rows_are_kept_for_as_long_as_they_are_true(void **state)
{
    struct world *w = with_two(state, "bob");

    refuse_to_leave(w, LANE_DEAD);
    world_advance(w, 400 * DAY);
    while (store_retain(w->store, &w->error) > 0)
        ;
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 1); /* the removal waits */
    world_reopen(w);
    expect(w, "u1", "g1/ann leaving out");
    expect(w, "u2", "g1/bob there");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lease_notes_what_the_person_must_have),
        TEST(what_a_lease_noted_is_there_after_a_kill),
        TEST(a_link_with_another_value_brings_rows_and_keeps_the_former),
        TEST(a_receipt_whose_link_brings_rows_keeps_the_lane_ready),
        TEST(a_lease_takes_back_a_leaving_row_of_whoever_is_a_member_again),
        TEST(a_creation_notes_the_rows_of_its_members_with_its_intent),
        TEST(a_value_is_shared_by_its_key_in_one_group),
        TEST(a_fact_without_a_row_tells_whether_the_value_is_anothers),
        TEST(a_value_that_was_handed_on_loses_only_the_row),
        TEST(a_value_that_is_nobody_elses_any_more_keeps_its_row),
        TEST(a_row_that_goes_makes_those_ready_who_have_the_value),
        TEST(a_row_that_goes_while_the_other_is_worked_on_brings_that_one_back),
        TEST(the_link_the_rows_and_the_end_are_one_commit),
        TEST(a_stale_receipt_changes_no_row),
        TEST(a_group_s_receipt_makes_those_ready_who_are_not_as_they_must_be),
        TEST(a_group_that_is_gone_has_no_rows_and_calls_whoever_had_to_leave_it),
        TEST(a_row_is_found_by_the_entry_and_by_the_place_of_a_creation),
        TEST(a_lane_does_not_end_while_a_row_is_wrong),
        TEST(a_pending_removal_is_counted_and_named_like_a_leaver),
        TEST(whoever_is_out_of_the_group_counts_no_more),
        TEST(a_dropped_lane_leaves_its_rows),
        TEST(rows_are_kept_for_as_long_as_they_are_true),
    };

    return cmocka_run_group_tests_name("store_members", tests, NULL, NULL);
}
