/* facts.c: merging is a maximum, so order, duplication and grouping do not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/str.h"
#include "source/facts.h"

static struct fact user_fact(enum fact_kind kind, const char *value, int64_t us)
{
    return (struct fact){ .kind = kind, .identity_kind = IDENTITY_USER, .id = "00u1", .value = value, .as_of = { us } };
}

static struct fact group_fact(enum fact_kind kind, const char *value, bool present, int64_t us)
{
    return (struct fact){ .kind = kind, .identity_kind = IDENTITY_GROUP, .id = "00g1", .value = value, .present = present, .as_of = { us } };
}

static int merge_status(struct identity *identity, const char *status, int64_t us)
{
    struct fact fact = user_fact(FACT_STATUS, status, us);

    return identity_merge(identity, &fact);
}

static void late_create_does_not_revive_a_leaver(void **state)
{
    struct identity identity = { 0 };

    (void)state;
    assert_int_equal(merge_status(&identity, "DEPROVISIONED", 20), FACT_CHANGED);
    assert_int_equal(merge_status(&identity, "ACTIVE", 10), FACT_CHANGED); /* what the leaver had */
    assert_string_equal(identity.status.value, "DEPROVISIONED");
    assert_string_equal(identity.live_status.value, "ACTIVE");
    assert_int_equal(merge_status(&identity, "STAGED", 5), FACT_SUPERSEDED);
    assert_string_equal(identity.live_status.value, "ACTIVE");
    identity_clear(&identity);
}

/* What is known of each register and pair, as of 1000; nothing can be newer than 100, and it was heard at 10. */
static void a_word_newer_than_any_can_be_counts_from_when_it_was_heard(void **state)
{
    static const enum fact_kind kinds[] = { FACT_STATUS, FACT_LOGIN, FACT_SESSIONS_VOID, FACT_MEMBER, FACT_GROUP_EXISTS, FACT_SIGNED_IN };

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct identity identity = { .kind = kinds[i] == FACT_GROUP_EXISTS ? IDENTITY_GROUP : IDENTITY_USER };
        const char *value = kinds[i] == FACT_SESSIONS_VOID ? "clear" : kinds[i] == FACT_SIGNED_IN ? NULL : "z";
        struct fact fact = { .kind = kinds[i], .identity_kind = identity.kind, .id = "1", .value = value, .as_of = { 1000 },
                             .other = kinds[i] == FACT_MEMBER ? "g" : NULL };
        assert_int_equal(identity_take_fact(&identity, &fact), FACT_CHANGED);
        fact.latest.us = 1000;
        fact.as_of.us = 999;
        assert_int_equal(identity_take_fact(&identity, &fact), FACT_SUPERSEDED); /* it can be */
        fact.latest.us = 100;
        fact.doubted.us = 10;
        fact.as_of.us = 9;
        assert_int_equal(identity_take_fact(&identity, &fact), FACT_SUPERSEDED);
        fact.as_of.us = 11;
        assert_true(identity_take_fact(&identity, &fact) >= FACT_UNCHANGED);
        fact.as_of.us = 10;
        assert_int_equal(identity_take_fact(&identity, &fact), FACT_SUPERSEDED); /* 11 is what is known now */
        identity_clear(&identity);
    }
}

static void on_a_tie_the_more_restrictive_status_wins(void **state)
{
    static const char *const ascending[] = { "STAGED", "PROVISIONED", "ACTIVE", "RECOVERY", "PASSWORD_EXPIRED",
                                             "LOCKED_OUT", "SUSPENDED", "DEPROVISIONED", "DELETED" };

    (void)state;
    for (size_t low = 0; low < 9; low++)
        for (size_t high = low + 1; high < 9; high++)
            for (int order = 0; order < 2; order++) {
                struct identity identity = { 0 };
                merge_status(&identity, ascending[order == 0 ? low : high], 7);
                merge_status(&identity, ascending[order == 0 ? high : low], 7);
                assert_string_equal(identity.status.value, ascending[high]);
                identity_clear(&identity);
            }
}

static void an_unknown_status_ranks_with_active(void **state)
{
    (void)state;
    assert_int_equal(status_rank("SOMETHING_NEW"), status_rank("ACTIVE"));
    assert_false(status_is_out("SOMETHING_NEW"));
    assert_false(status_is_out("SUSPENDED"));
    assert_true(status_is_out("DEPROVISIONED"));
    assert_true(status_is_out("DELETED"));
}

static void a_status_said_again_later_is_a_change_and_said_twice_is_none(void **state)
{
    struct identity identity = { 0 };

    (void)state;
    assert_int_equal(merge_status(&identity, "ACTIVE", 10), FACT_CHANGED);
    assert_int_equal(merge_status(&identity, "ACTIVE", 10), FACT_UNCHANGED);
    assert_int_equal(merge_status(&identity, "ACTIVE", 11), FACT_CHANGED);
    assert_true(identity.status.as_of.us == 11);
    assert_int_equal(merge_status(&identity, "ACTIVE", 9), FACT_SUPERSEDED);
    identity_clear(&identity);
}

static void a_login_said_again_moves_only_its_time(void **state)
{
    struct identity identity = { 0 };
    struct fact fact = user_fact(FACT_LOGIN, "ann@example.com", 10);

    (void)state;
    assert_int_equal(identity_merge(&identity, &fact), FACT_CHANGED);
    fact.as_of.us = 12;
    assert_int_equal(identity_merge(&identity, &fact), FACT_UNCHANGED);
    assert_true(identity.login.as_of.us == 12);
    fact = user_fact(FACT_LOGIN, "old@example.com", 11);
    assert_int_equal(identity_merge(&identity, &fact), FACT_SUPERSEDED);
    fact = user_fact(FACT_LOGIN, "bea@example.com", 12);
    assert_int_equal(identity_merge(&identity, &fact), FACT_CHANGED); /* sorts last */
    assert_string_equal(identity.login.value, "bea@example.com");
    identity_clear(&identity);
}

static void a_profile_is_parsed_and_a_broken_one_refused(void **state)
{
    struct identity identity = { 0 };
    struct fact fact = user_fact(FACT_PROFILE, "{\"email\":\"a@example.com\"}", 10);

    (void)state;
    assert_int_equal(identity_merge(&identity, &fact), FACT_CHANGED);
    assert_string_equal(json_string_value(json_object_get(identity.profile, "email")), "a@example.com");
    fact = user_fact(FACT_PROFILE, "{\"email\":", 11);
    assert_int_equal(identity_merge(&identity, &fact), ERROR_INVALID);
    assert_true(identity.profile_text.as_of.us == 10);
    fact = user_fact(FACT_PROFILE, "{\"email\":\"b@example.com\"}", 12);
    assert_int_equal(identity_merge(&identity, &fact), FACT_CHANGED);
    assert_string_equal(json_string_value(json_object_get(identity.profile, "email")), "b@example.com");
    identity_clear(&identity);
}

static void a_deleted_group_stays_deleted_when_its_create_comes_late(void **state)
{
    struct identity group = { .kind = IDENTITY_GROUP };
    struct fact gone = group_fact(FACT_GROUP_EXISTS, NULL, false, 20);
    struct fact there = group_fact(FACT_GROUP_EXISTS, NULL, true, 10);
    struct fact tie = group_fact(FACT_GROUP_EXISTS, NULL, true, 20);

    (void)state;
    assert_int_equal(identity_merge(&group, &gone), FACT_CHANGED);
    assert_int_equal(identity_merge(&group, &there), FACT_SUPERSEDED);
    assert_int_equal(identity_merge(&group, &tie), FACT_SUPERSEDED);
    assert_false(group.exists);
    assert_int_equal(identity_merge(&group, &gone), FACT_UNCHANGED);
    identity_clear(&group);
}

static void sessions_are_void_before_the_latest_word_of_each_trigger(void **state)
{
    struct identity identity = { 0 };
    struct fact fact = user_fact(FACT_SESSIONS_VOID, "lock", 10), other = user_fact(FACT_SESSIONS_VOID, "logout", 8);

    (void)state;
    assert_int_equal(identity_merge(&identity, &fact), FACT_CHANGED);
    assert_int_equal(identity_merge(&identity, &fact), FACT_UNCHANGED);
    assert_int_equal(identity_merge(&identity, &other), FACT_CHANGED);
    fact.as_of.us = 9;
    assert_int_equal(identity_merge(&identity, &fact), FACT_SUPERSEDED);
    assert_int_equal(identity.sessions_void[TRIGGER_LOCK].us, 10);
    assert_int_equal(identity.sessions_void[TRIGGER_LOGOUT].us, 8);
    assert_int_equal(identity.sessions_void[TRIGGER_CLEAR].us, 0);
    identity_clear(&identity);
}

static void every_trigger_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < TRIGGER_COUNT; i++)
        assert_int_equal(trigger_find(trigger_names[i]), i);
    assert_null(trigger_names[TRIGGER_COUNT]);
    assert_int_equal(trigger_find("log"), -1);
    assert_int_equal(trigger_find(NULL), -1);
}

static void sign_in(struct identity *identity, const char *session, bool present, int64_t us, int effect)
{
    struct fact fact = user_fact(FACT_SIGNED_IN, NULL, us);

    fact.other = session;
    fact.present = present;
    assert_int_equal(identity_take_fact(identity, &fact), effect);
}

static void one_of_two_sessions_ending_leaves_the_other(void **state)
{
    struct identity identity = { 0 };

    (void)state;
    sign_in(&identity, "s1", true, 10, FACT_CHANGED);
    sign_in(&identity, "s2", true, 11, FACT_CHANGED);
    sign_in(&identity, "s1", false, 12, FACT_CHANGED);
    sign_in(&identity, "s1", true, 10, FACT_SUPERSEDED); /* its start comes once more */
    sign_in(&identity, "s2", true, 11, FACT_UNCHANGED);
    sign_in(&identity, "s2", true, 14, FACT_CHANGED); /* it counts from then */
    assert_int_equal(identity.sign_in_count, 2);
    assert_false(identity.sign_ins[0].present);
    assert_true(identity.sign_ins[1].present);
    assert_int_equal(identity_signed_out_until(&identity).us, 0);
    identity_clear(&identity);
}

static void what_ends_sign_ins_at_the_source_ends_them_here(void **state)
{
    static const struct {
        const char *trigger;
        bool ends;
    } rows[] = { { "logout", false }, { "clear", true },   { "lock", false },           { "suspend", true },
                 { "deactivate", true }, { "delete", true }, { "password_change", false }, { "suspicious_activity", false },
                 { "universal_logout", true } };

    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), TRIGGER_COUNT);
    for (size_t i = 0; i < TRIGGER_COUNT; i++) {
        struct identity identity = { 0 };
        struct fact fact = user_fact(FACT_SESSIONS_VOID, rows[i].trigger, 10);
        assert_int_equal(identity_merge(&identity, &fact), FACT_CHANGED);
        assert_int_equal(identity_signed_out_until(&identity).us, rows[i].ends ? 10 : 0);
        sign_in(&identity, NULL, false, 12, FACT_CHANGED); /* an end without a session's name */
        assert_int_equal(identity_signed_out_until(&identity).us, 12);
    }
}

static void a_fact_that_does_not_fit_is_refused_and_changes_nothing(void **state)
{
    struct identity user = { 0 }, group = { .kind = IDENTITY_GROUP };
    struct fact wrong[] = { group_fact(FACT_GROUP_NAME, "x", false, 1), user_fact(FACT_LOGIN, NULL, 1), user_fact(FACT_MEMBER, "x", 1),
                            user_fact(FACT_SESSIONS_VOID, "nothing", 1), user_fact(FACT_SESSIONS_VOID, NULL, 1) };
    struct fact login = user_fact(FACT_LOGIN, "a", 1);

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(identity_merge(&user, &wrong[i]), ERROR_INVALID);
    assert_int_equal(identity_merge(&group, &login), ERROR_INVALID);
    assert_null(user.name.value);
    assert_null(user.login.value);
    assert_null(group.login.value);
}

static int merge_member(struct membership *row, bool present, const char *name, int64_t us)
{
    struct fact fact = user_fact(FACT_ASSIGNED, name, us);

    fact.other = "0oa1";
    fact.present = present;
    return membership_merge(row, &fact);
}

static void on_a_tie_a_removed_membership_stays_removed(void **state)
{
    struct membership row = { 0 };

    (void)state;
    assert_int_equal(merge_member(&row, true, "Mail", 10), FACT_CHANGED);
    assert_int_equal(merge_member(&row, false, "Mail", 10), FACT_CHANGED);
    assert_int_equal(merge_member(&row, true, "Mail", 10), FACT_SUPERSEDED);
    assert_false(row.present);
    assert_int_equal(merge_member(&row, true, "Mail", 11), FACT_CHANGED);
    assert_int_equal(merge_member(&row, true, "Mail", 12), FACT_UNCHANGED);
    assert_int_equal(merge_member(&row, false, "Mail", 11), FACT_SUPERSEDED);
    assert_true(row.present);
    free(row.name);
}

static void the_first_word_of_a_removal_is_a_change(void **state)
{
    struct membership row = { 0 };

    (void)state;
    assert_int_equal(merge_member(&row, false, NULL, 10), FACT_CHANGED);
    assert_false(row.present);
}

/* ---- property ---- */

#define FACTS 24

static const char *const statuses[] = { "STAGED", "PROVISIONED", "ACTIVE", "SUSPENDED", "DEPROVISIONED", "DELETED", "ODD", "EVEN" };
static const char *const texts[] = { "a", "b", "c", "{}", "{\"x\":1}" };

static struct fact random_fact(struct random_source *random, enum identity_kind whose)
{
    static const enum fact_kind user_kinds[] = { FACT_STATUS, FACT_LOGIN, FACT_NAME, FACT_PROFILE, FACT_SESSIONS_VOID, FACT_ASSIGNED,
                                                FACT_SIGNED_IN };
    static const enum fact_kind group_kinds[] = { FACT_GROUP_EXISTS, FACT_GROUP_NAME, FACT_PROFILE };
    struct fact fact = { .identity_kind = whose, .id = "x", .as_of = { 1 + (int64_t)random_below(random, 5) } };

    fact.kind = whose == IDENTITY_USER ? user_kinds[random_below(random, 7)] : group_kinds[random_below(random, 3)];
    fact.present = random_below(random, 2) == 1;
    if (fact.kind == FACT_STATUS)
        fact.value = statuses[random_below(random, 8)];
    else if (fact.kind == FACT_PROFILE)
        fact.value = texts[3 + random_below(random, 2)];
    else if (fact.kind == FACT_ASSIGNED)
        fact.value = random_below(random, 3) == 0 ? NULL : texts[random_below(random, 3)];
    else if (fact.kind == FACT_SESSIONS_VOID)
        fact.value = trigger_names[random_below(random, TRIGGER_COUNT)];
    else if (fact.kind == FACT_SIGNED_IN)
        fact.other = !fact.present && random_below(random, 3) == 0 ? NULL : texts[random_below(random, 2)];
    else if (fact.kind != FACT_GROUP_EXISTS)
        fact.value = texts[random_below(random, 3)];
    return fact;
}

struct world {
    struct identity identity;
    struct membership app;
};

static void world_merge(struct world *world, const struct fact *fact)
{
    int effect = fact->kind == FACT_ASSIGNED ? membership_merge(&world->app, fact) : identity_take_fact(&world->identity, fact);

    assert_in_range(effect, FACT_SUPERSEDED, FACT_CHANGED);
}

static void add_register(struct buf *buf, const struct text_register *text)
{
    buf_printf(buf, "%s@%lld ", text->value != NULL ? text->value : "-", (long long)text->as_of.us);
}

static char *world_text(struct world *world)
{
    struct identity *i = &world->identity;
    struct buf buf = { 0 };
    char *profile = i->profile != NULL ? json_dumps(i->profile, JSON_SORT_KEYS) : strdup("-");

    add_register(&buf, &i->status);
    add_register(&buf, &i->live_status);
    add_register(&buf, &i->login);
    add_register(&buf, &i->name);
    add_register(&buf, &i->profile_text);
    for (int t = 0; t < TRIGGER_COUNT; t++)
        buf_printf(&buf, "%s %lld ", trigger_names[t], (long long)i->sessions_void[t].us);
    for (int t = 0; t < 2; t++) /* rows come in any order */
        for (size_t n = 0; n < i->sign_in_count; n++)
            if (strcmp(i->sign_ins[n].id, texts[t]) == 0)
                buf_printf(&buf, "%s=%d@%lld ", texts[t], i->sign_ins[n].present, (long long)i->sign_ins[n].as_of.us);
    buf_printf(&buf, "%s out %lld exists %d@%lld app %s %d@%lld", profile, (long long)identity_signed_out_until(i).us, i->exists,
               (long long)i->exists_as_of.us, world->app.name != NULL ? world->app.name : "-", world->app.present,
               (long long)world->app.as_of.us);
    free(profile);
    free(world->app.name);
    identity_clear(i);
    return buf_take(&buf);
}

static void shuffle(struct random_source *random, struct fact *facts, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(random, i);
        struct fact other = facts[i - 1];
        facts[i - 1] = facts[j];
        facts[j] = other;
    }
}

static void any_order_and_duplication_ends_in_the_same_identity(void **state)
{
    struct random_seeded random;

    (void)state;
    random_seeded_init(&random, 20261122);
    for (int round = 0; round < 2000; round++) {
        enum identity_kind whose = round % 2 == 0 ? IDENTITY_USER : IDENTITY_GROUP;
        struct fact facts[FACTS * 2];
        struct world once = { .identity.kind = whose }, often = { .identity.kind = whose };
        for (size_t i = 0; i < FACTS; i++) {
            facts[i] = facts[i + FACTS] = random_fact(&random.source, whose);
            world_merge(&once, &facts[i]);
        }
        shuffle(&random.source, facts, FACTS * 2);
        for (size_t i = 0; i < FACTS * 2; i++)
            world_merge(&often, &facts[i]);
        char *expected = world_text(&once), *seen = world_text(&often);
        assert_string_equal(seen, expected);
        free(expected);
        free(seen);
    }
}

static void a_fact_known_already_never_counts_as_a_change(void **state)
{
    struct random_seeded random;

    (void)state;
    random_seeded_init(&random, 7);
    for (int round = 0; round < 500; round++) {
        struct fact facts[FACTS];
        struct world world = { 0 };
        for (size_t i = 0; i < FACTS; i++) {
            facts[i] = random_fact(&random.source, IDENTITY_USER);
            world_merge(&world, &facts[i]);
        }
        for (size_t i = 0; i < FACTS; i++) {
            const struct fact *fact = &facts[i];
            int effect = fact->kind == FACT_ASSIGNED ? membership_merge(&world.app, fact) : identity_take_fact(&world.identity, fact);
            assert_int_not_equal(effect, FACT_CHANGED);
        }
        free(world_text(&world));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_create_does_not_revive_a_leaver),
        cmocka_unit_test(a_word_newer_than_any_can_be_counts_from_when_it_was_heard),
        cmocka_unit_test(on_a_tie_the_more_restrictive_status_wins),
        cmocka_unit_test(an_unknown_status_ranks_with_active),
        cmocka_unit_test(a_status_said_again_later_is_a_change_and_said_twice_is_none),
        cmocka_unit_test(a_login_said_again_moves_only_its_time),
        cmocka_unit_test(a_profile_is_parsed_and_a_broken_one_refused),
        cmocka_unit_test(a_deleted_group_stays_deleted_when_its_create_comes_late),
        cmocka_unit_test(sessions_are_void_before_the_latest_word_of_each_trigger),
        cmocka_unit_test(every_trigger_is_found_by_its_name),
        cmocka_unit_test(one_of_two_sessions_ending_leaves_the_other),
        cmocka_unit_test(what_ends_sign_ins_at_the_source_ends_them_here),
        cmocka_unit_test(a_fact_that_does_not_fit_is_refused_and_changes_nothing),
        cmocka_unit_test(on_a_tie_a_removed_membership_stays_removed),
        cmocka_unit_test(the_first_word_of_a_removal_is_a_change),
        cmocka_unit_test(any_order_and_duplication_ends_in_the_same_identity),
        cmocka_unit_test(a_fact_known_already_never_counts_as_a_change),
    };

    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
