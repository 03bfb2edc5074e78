/* plan/sessions.c: whose sessions are ended, when, and what applications may look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/random.h"
#include "base/str.h"
#include "plan/plan.h"
#include "tests/support/directory_ops.h"
#include "tests/support/session_ops.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define T0 (INT64_C(1767225600) * SECOND) /* 2026-01-01 */

#define PLAIN "target = \"t\"; kind = \"user\"; sessions: { preset = \"express\"; user = \"{login}\"; };\n"

/* ---- a world of one person and one session store ---- */

static struct mapping *mapping;
static struct identity identity;
static struct link_view link_kept;
static bool linked;
static char *kept_user, *kept_progress;
static struct account marks;
static int64_t now;
static struct plan plan;
static struct error error;

static struct mapping *load_with(const char *text, const struct connector_ops *ops, struct problems *problems)
{
    char path[] = "/tmp/provost-sessions-XXXXXX";
    int fd = mkstemp(path);
    struct mapping *loaded = NULL;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    mapping_load(path, ops, problems, &loaded);
    unlink(path);
    return loaded;
}

static void use(const char *text)
{
    struct problems problems = { 0 };

    mapping_free(mapping);
    mapping = load_with(text, &session_ops, &problems);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_non_null(mapping);
}

static void begin(void)
{
    identity_clear(&identity);
    identity.id = strdup("00u1");
    linked = false;
    account_clear(&marks);
    marks = (struct account){ .values = json_object(), .disabled = -1 };
    now = T0 + HOUR;
}

static int setup(void **state)
{
    (void)state;
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plan_clear(&plan);
    mapping_free(mapping);
    mapping = NULL;
    identity_clear(&identity);
    account_clear(&marks);
    free(kept_user);
    free(kept_progress);
    kept_user = kept_progress = NULL;
    return 0;
}

static void heard(enum fact_kind kind, const char *value, int64_t at)
{
    struct fact fact = { .kind = kind, .id = "00u1", .value = value, .as_of = { at } };

    assert_true(identity_take_fact(&identity, &fact) >= 0);
}

static void signed_in(const char *session, bool present, int64_t at)
{
    struct fact fact = { .kind = FACT_SIGNED_IN, .id = "00u1", .other = session, .present = present, .as_of = { at } };

    assert_true(identity_take_fact(&identity, &fact) >= 0);
}

/* As Okta's events say it. */
static void event(const char *type, int64_t at)
{
    static const struct {
        const char *type, *status, *trigger;
    } rows[] = { { "activate", "ACTIVE", NULL },          { "deactivate", "DEPROVISIONED", "deactivate" },
                 { "suspend", "SUSPENDED", "suspend" },   { "unsuspend", "ACTIVE", NULL },
                 { "clear", NULL, "clear" },              { "report", NULL, "suspicious_activity" },
                 { "logout", NULL, "logout" },            { "delete", "DELETED", "delete" } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].type, type) != 0)
            continue;
        if (rows[i].status != NULL)
            heard(FACT_STATUS, rows[i].status, at);
        if (rows[i].trigger != NULL)
            heard(FACT_SESSIONS_VOID, rows[i].trigger, at);
        return;
    }
    fail_msg("no event %s", type);
}

static int try_plan(void)
{
    struct plan_input input = { .identity = &identity, .link = linked ? &link_kept : NULL, .account = &marks, .now = { now } };

    plan_clear(&plan);
    return plan_make(mapping, &input, &plan, &error);
}

static void make(void)
{
    int code = try_plan();

    if (code < 0)
        fail_msg("%s", error.text);
}

static const struct operation *operation_of(enum operation_kind kind)
{
    for (size_t i = 0; i < plan.operation_count; i++)
        if (plan.operations[i].kind == kind)
            return &plan.operations[i];
    return NULL;
}

/* The plan's operations are made and the link is kept, as a lane does. */
static void deliver(void)
{
    const struct operation *update = operation_of(OPERATION_UPDATE);

    if (update != NULL) {
        json_decref(marks.values);
        marks.values = json_incref(plan.operations[plan.operation_count - 1 - (operation_of(OPERATION_REVOKE) != NULL)].values);
    }
    plan_swept(&plan, (struct wall){ now });
    if (!plan.present || plan.progress == NULL)
        return;
    free(kept_user);
    free(kept_progress);
    kept_user = str_dup(plan.wanted.locator);
    kept_progress = json_dumps(plan.progress, JSON_COMPACT);
    link_kept = (struct link_view){ .key = plan.wanted.key, .locator = kept_user, .account = kept_progress };
    link_kept.key = "00u1";
    linked = true;
}

/* A leaver's sessions end whenever they began; of others those from before the event. */
static void assert_sweep(int sweep, int64_t before, bool dated_only)
{
    const struct operation *revoke = operation_of(OPERATION_REVOKE);
    bool away = identity.status.value != NULL && strcmp(identity.status.value, "ACTIVE") != 0;

    assert_non_null(revoke);
    assert_int_equal(revoke->sweep, sweep);
    assert_int_equal(revoke->before.us, away && now > before ? now : before);
    assert_int_equal(json_is_true(json_object_get(revoke->settings, "dated_only")), dated_only);
    assert_true(plan.leaving);
}

static void assert_no_sweep(void)
{
    assert_null(operation_of(OPERATION_REVOKE));
}

/* Sweep 1 and 2, as they come. */
static void sweep_twice(void)
{
    make();
    assert_non_null(operation_of(OPERATION_REVOKE));
    deliver();
    now = plan.due.us;
    make();
    assert_int_equal(operation_of(OPERATION_REVOKE)->sweep, 2);
    deliver();
}

/* ---- sweeps ---- */

static void a_leaver_keeps_no_session_that_began_since_the_event(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    heard(FACT_STATUS, "DEPROVISIONED", T0);
    event("deactivate", T0);
    make();
    assert_true(now > T0);
    assert_int_equal(operation_of(OPERATION_REVOKE)->before.us, now);
    heard(FACT_STATUS, "ACTIVE", T0 + 1);
    make();
    assert_int_equal(operation_of(OPERATION_REVOKE)->before.us, T0);
}

static void a_leaver_is_swept_at_once_and_again_after_the_longest_request(void **state)
{
    (void)state;
    use(PLAIN "request_timeout = \"20 s\";");
    heard(FACT_LOGIN, "ann@x", T0);
    event("deactivate", T0 + HOUR - SECOND);
    make();
    assert_sweep(1, T0 + HOUR - SECOND, false);
    const struct operation *revoke = operation_of(OPERATION_REVOKE);
    assert_string_equal(revoke->locator, "ann@x");
    json_t *sessions = json_object_get(revoke->settings, "sessions");
    assert_string_equal(json_string_value(json_object_get(sessions, "user")), "ann@x");
    assert_string_equal(json_string_value(json_object_get(sessions, "preset")), "express");
    assert_null(json_object_get(sessions, "former"));
    assert_int_equal(plan.due.us, now + 20 * SECOND);
    now += 3 * SECOND; /* it took as long */
    deliver();
    assert_int_equal(plan.due.us, now + 20 * SECOND);
    now += 19 * SECOND;
    make();
    assert_no_sweep();
    assert_int_equal(plan.due.us, now + SECOND);
    now += SECOND;
    make();
    assert_sweep(2, T0 + HOUR - SECOND, false);
    assert_int_equal(plan.due.us, 0);
    deliver();
    make();
    assert_no_sweep();
    assert_int_equal(plan.operation_count, 0);
    assert_int_equal(plan.due.us, 0);
}

static void a_second_sweep_does_not_wait_for_a_clock_that_was_set_back(void **state)
{
    (void)state;
    use(PLAIN "request_timeout = \"20 s\";");
    heard(FACT_LOGIN, "ann@x", T0);
    event("deactivate", T0 + HOUR - SECOND);
    make();
    deliver();
    now -= 10 * SECOND; /* kept right: it comes a little later */
    make();
    assert_no_sweep();
    now -= HOUR;
    make();
    assert_sweep(2, T0 + HOUR - SECOND, false);
}

static void a_sweep_whose_receipt_was_lost_is_made_again(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    event("clear", now);
    make();
    assert_sweep(1, now, false);
    make();
    assert_sweep(1, now, false);
    deliver();
    now += 30 * SECOND;
    make();
    make();
    assert_int_equal(operation_of(OPERATION_REVOKE)->sweep, 2);
}

static void a_newer_word_begins_anew_and_an_older_one_does_not(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    event("clear", T0 + 10 * SECOND);
    make();
    deliver();
    event("report", T0 + 9 * SECOND);
    make();
    assert_no_sweep();
    event("deactivate", T0 + 11 * SECOND);
    make();
    assert_sweep(1, T0 + 11 * SECOND, false);
    deliver();
    now = plan.due.us;
    make();
    assert_sweep(2, T0 + 11 * SECOND, false);
    deliver();
    event("suspend", T0 + 8 * SECOND);
    make();
    assert_no_sweep();
}

static void a_target_hears_only_the_triggers_that_it_chose(void **state)
{
    static const struct {
        const char *text;
        bool logout, clear, deactivate;
    } rows[] = {
        { PLAIN, false, true, true },
        { PLAIN "sign_out = \"leave\";", false, true, true },
        { PLAIN "sign_out = \"all\";", true, true, true },
        { PLAIN "sign_out = [ \"logout\", \"clear\" ];", true, true, false },
        { PLAIN "sign_out = ( \"deactivate\" );", false, false, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const char *const events[] = { "logout", "clear", "deactivate" };
        static const enum trigger triggers[] = { TRIGGER_LOGOUT, TRIGGER_CLEAR, TRIGGER_DEACTIVATE };
        const bool heard_of[] = { rows[i].logout, rows[i].clear, rows[i].deactivate };
        use(rows[i].text);
        for (size_t e = 0; e < 3; e++) {
            begin();
            heard(FACT_LOGIN, "ann@x", T0);
            event(events[e], now);
            make();
            assert_int_equal(operation_of(OPERATION_REVOKE) != NULL, heard_of[e]);
            assert_int_equal((mapping_triggers(mapping) & TRIGGER_BIT(triggers[e])) != 0, heard_of[e]);
        }
    }
}

static void a_second_sweep_is_made_although_the_triggers_changed(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    event("clear", now);
    make();
    deliver();
    use(PLAIN "sign_out = [ \"lock\" ];");
    now += 30 * SECOND;
    make();
    assert_sweep(2, now - 30 * SECOND, false);
}

/* ---- coming back ---- */

static void an_activated_again_person_is_not_logged_out_by_the_old_event(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    event("activate", T0 + 20 * SECOND);
    event("deactivate", T0 + 10 * SECOND); /* comes late */
    make();
    assert_sweep(1, T0 + 10 * SECOND, true);
    deliver();
    now += 30 * SECOND;
    make();
    assert_sweep(2, T0 + 10 * SECOND, true);
    deliver();
    event("report", T0 + 30 * SECOND); /* and a new one counts in full */
    make();
    assert_sweep(1, T0 + 30 * SECOND, false);
}

static void who_comes_back_between_the_sweeps_keeps_undated_sessions(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    event("suspend", now);
    make();
    assert_sweep(1, now, false);
    deliver();
    event("unsuspend", now + 10 * SECOND);
    now += 30 * SECOND;
    make();
    assert_sweep(2, now - 30 * SECOND, true);
}

static void signing_in_again_excuses_a_logout_and_nothing_worse(void **state)
{
    (void)state;
    use(PLAIN "sign_out = \"all\";");
    heard(FACT_LOGIN, "ann@x", T0);
    event("activate", T0);
    event("logout", T0 + 10 * SECOND);
    signed_in("s2", true, T0 + 12 * SECOND);
    make();
    assert_sweep(1, T0 + 10 * SECOND, true);
    event("report", T0 + 9 * SECOND); /* not swept yet: the undated may be the thief's */
    make();
    assert_sweep(1, T0 + 10 * SECOND, false);
    sweep_twice();
    event("logout", T0 + 20 * SECOND);
    signed_in("s3", true, T0 + 22 * SECOND);
    make();
    assert_sweep(1, T0 + 20 * SECOND, true);
    event("clear", T0 + 21 * SECOND);
    make();
    assert_sweep(1, T0 + 21 * SECOND, false);
}

static void what_was_long_before_the_target_ends_no_undated_sessions(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    event("activate", T0 - HOUR);
    event("clear", T0);
    now = T0 + 25 * HOUR;
    make();
    assert_sweep(1, T0, true);
    linked = true; /* known all the while: it is only late */
    link_kept = (struct link_view){ .key = "00u1", .locator = "ann@x" };
    make();
    assert_sweep(1, T0, false);
    linked = false;
    event("deactivate", T0 + 1); /* nor does a leaver's ever wear off */
    make();
    assert_sweep(1, T0 + 1, false);
}

/* ---- whose ---- */

static void former_names_are_looked_for_until_both_sweeps_were_made(void **state)
{
    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    event("activate", T0);
    make();
    assert_int_equal(plan.operation_count, 0);
    deliver();
    heard(FACT_LOGIN, "roe@x", T0 + 1);
    make();
    deliver();
    heard(FACT_LOGIN, "zoe@x", T0 + 2);
    make();
    deliver();
    event("clear", T0 + 3);
    for (int sweep = 1; sweep <= 2; sweep++) {
        make();
        json_t *sessions = json_object_get(operation_of(OPERATION_REVOKE)->settings, "sessions");
        assert_string_equal(json_string_value(json_object_get(sessions, "user")), "zoe@x");
        json_t *former = json_object_get(sessions, "former");
        assert_int_equal(json_array_size(former), 2);
        assert_string_equal(json_string_value(json_array_get(former, 0)), "ann@x");
        assert_string_equal(json_string_value(json_array_get(former, 1)), "roe@x");
        deliver();
        now += 30 * SECOND;
    }
    event("clear", T0 + 4);
    make();
    assert_null(json_object_get(json_object_get(operation_of(OPERATION_REVOKE)->settings, "sessions"), "former"));
}

static void the_last_known_name_serves_where_none_can_be_rendered(void **state)
{
    (void)state;
    use("target = \"t\"; kind = \"user\"; sessions: { user = \"{profile.uid}\"; };");
    event("clear", now);
    assert_int_equal(try_plan(), ERROR_INVALID);
    assert_non_null(strstr(error.text, "sessions.user is absent"));
    linked = true;
    link_kept = (struct link_view){ .key = "00u1", .locator = "a17" };
    make();
    assert_string_equal(operation_of(OPERATION_REVOKE)->locator, "a17");
}

static void nothing_to_end_needs_no_name(void **state)
{
    (void)state;
    use("target = \"t\"; kind = \"user\"; sessions: { user = \"{profile.uid}\"; };");
    event("activate", now);
    make();
    assert_int_equal(plan.operation_count, 0);
    assert_false(plan.present);
}

#define SCOPED PLAIN "scope = \"status == 'ACTIVE' and login ends with '@x'\"; deny = true;"

static void the_scope_says_who_and_not_when(void **state)
{
    (void)state;
    use(SCOPED);
    heard(FACT_LOGIN, "ann@x", T0);
    event("report", now); /* her status was never heard */
    make();
    assert_sweep(1, now, false);
    event("suspend", now + 1);
    make();
    assert_sweep(1, now + 1, false);
    event("deactivate", now + 2);
    make();
    assert_sweep(1, now + 2, false);
    begin();
    heard(FACT_LOGIN, "bob@y", T0);
    event("deactivate", now);
    make();
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
    assert_int_equal(plan.operation_count, 0);
    assert_null(plan.progress);
}

static void a_leaver_who_lost_the_group_first_is_swept_all_the_same(void **state)
{
    struct fact member = { .kind = FACT_MEMBER, .id = "00u1", .other = "g1", .present = true, .as_of = { T0 } };

    (void)state;
    use(PLAIN "scope = \"groups contains 'g1'\";");
    heard(FACT_LOGIN, "ann@x", T0);
    event("activate", T0);
    identity_take_fact(&identity, &member);
    free(identity.groups[0].name);
    identity.groups[0].name = strdup("g1");
    make();
    assert_true(plan.present);
    deliver();
    member.present = false;
    member.as_of.us = T0 + 1;
    identity_take_fact(&identity, &member);
    event("clear", T0 + 2); /* out of scope, and not out */
    make();
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
    event("deactivate", T0 + 3);
    make();
    assert_sweep(1, T0 + 3, false);
}

/* ---- markers ---- */

static void assert_signed_in(int64_t since, int64_t expires)
{
    const struct operation *update = operation_of(OPERATION_UPDATE);
    const json_t *mark = json_object_get(update != NULL ? update->values : marks.values, "signed_in");
    struct wall times[2] = { { 0 } };

    assert_non_null(mark);
    assert_true(wall_parse(json_string_value(json_object_get(mark, "since")), &times[0]));
    assert_true(wall_parse(json_string_value(json_object_get(mark, "expires")), &times[1]));
    assert_int_equal(times[0].us, since);
    assert_int_equal(times[1].us, expires);
}

static void a_leaver_is_denied_before_the_sweep_until_activated_again(void **state)
{
    (void)state;
    use(PLAIN "deny = true;");
    heard(FACT_LOGIN, "ann@x", T0);
    event("activate", T0);
    make();
    assert_int_equal(plan.operation_count, 0);
    event("suspend", T0 + 1);
    make();
    assert_int_equal(plan.operation_count, 2);
    assert_int_equal(plan.operations[0].kind, OPERATION_UPDATE);
    assert_true(json_is_true(json_object_get(plan.operations[0].values, "denied")));
    assert_int_equal(plan.operations[0].change_count, 1);
    assert_int_equal(plan.operations[1].kind, OPERATION_REVOKE);
    deliver();
    make();
    assert_null(operation_of(OPERATION_UPDATE));
    event("deactivate", T0 + 2);
    make();
    assert_null(operation_of(OPERATION_UPDATE));
    event("activate", T0 + 3);
    make();
    assert_non_null(operation_of(OPERATION_UPDATE));
    assert_int_equal(json_object_size(operation_of(OPERATION_UPDATE)->values), 0);
    assert_int_equal(operation_of(OPERATION_UPDATE)->changes[0].kind, CHANGE_DELETE);
}

#define MIRROR PLAIN "mirror: { expires = \"12 h\"; };"

static void a_sign_in_is_mirrored_until_its_last_session_ends(void **state)
{
    (void)state;
    use(MIRROR);
    heard(FACT_LOGIN, "ann@x", T0);
    signed_in("s1", true, T0);
    signed_in("s2", true, T0 + 60 * SECOND);
    make();
    assert_signed_in(T0, T0 + 60 * SECOND + 12 * HOUR);
    deliver();
    make();
    assert_int_equal(plan.operation_count, 0);
    signed_in("s1", false, T0 + 70 * SECOND);
    make();
    assert_signed_in(T0 + 60 * SECOND, T0 + 60 * SECOND + 12 * HOUR);
    deliver();
    event("report", T0 + 80 * SECOND); /* which leaves them signed in at Okta */
    make();
    assert_null(operation_of(OPERATION_UPDATE));
    signed_in("s2", false, T0 + 90 * SECOND);
    make();
    assert_null(json_object_get(operation_of(OPERATION_UPDATE)->values, "signed_in"));
}

static void what_okta_ends_is_not_mirrored_any_more(void **state)
{
    static const char *const ends[] = { "clear", "suspend", "deactivate", "delete" };

    (void)state;
    use(MIRROR);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        begin();
        heard(FACT_LOGIN, "ann@x", T0);
        signed_in("s1", true, T0);
        make();
        deliver();
        event(ends[i], T0 + 1);
        make();
        assert_non_null(operation_of(OPERATION_UPDATE));
        assert_int_equal(json_object_size(operation_of(OPERATION_UPDATE)->values), 0);
        deliver();
        signed_in("s1", true, T0); /* its start once more */
        make();
        assert_null(operation_of(OPERATION_UPDATE));
    }
}

static void a_sign_in_that_is_too_old_counts_no_more(void **state)
{
    (void)state;
    use(MIRROR);
    heard(FACT_LOGIN, "ann@x", T0);
    signed_in("s1", true, T0);
    now = T0 + 12 * HOUR - 1;
    make();
    assert_signed_in(T0, T0 + 12 * HOUR);
    now++;
    make();
    assert_int_equal(plan.operation_count, 0);
}

static void a_marker_read_in_another_form_is_the_same_one(void **state)
{
    (void)state;
    use(MIRROR);
    heard(FACT_LOGIN, "ann@x", T0);
    signed_in("s1", true, T0 + 123456);
    json_object_set_new(marks.values, "signed_in", json_pack("{s:s, s:s}", "since", "2026-01-01T01:00:00+01:00", "expires",
                                                             "2026-01-01T12:00:00Z"));
    make();
    assert_int_equal(plan.operation_count, 0);
}

static void markers_of_a_former_name_are_taken_away(void **state)
{
    (void)state;
    use(MIRROR "deny = true;");
    heard(FACT_LOGIN, "ann@x", T0);
    signed_in("s1", true, T0);
    make();
    deliver();
    heard(FACT_LOGIN, "roe@x", T0 + 1);
    json_object_clear(marks.values); /* nothing stands under the new name */
    make();
    assert_int_equal(plan.operation_count, 2);
    assert_string_equal(plan.operations[0].locator, "ann@x");
    assert_string_equal(json_string_value(json_object_get(json_object_get(plan.operations[0].settings, "sessions"), "user")), "ann@x");
    assert_int_equal(json_object_size(plan.operations[0].values), 0);
    assert_string_equal(plan.operations[1].locator, "roe@x");
    assert_non_null(json_object_get(plan.operations[1].values, "signed_in"));
}

static void a_target_without_markers_needs_no_reading(void **state)
{
    struct plan_query query;

    (void)state;
    use(PLAIN);
    heard(FACT_LOGIN, "ann@x", T0);
    assert_false(mapping_keeps_markers(mapping));
    use(MIRROR);
    assert_true(mapping_keeps_markers(mapping));
    assert_int_equal(plan_query(mapping, &identity, NULL, &query, &error), 0);
    assert_string_equal(query.query.key, "ann@x");
    assert_int_equal(json_array_size(json_object_get(query.query.settings, "markers")), 2);
    plan_query_clear(&query);
}

/* ---- any order ---- */

struct happening {
    const char *event; /* NULL: a sign-in or its end */
    const char *session;
    bool present;
    int64_t at;
};

static void happen(const struct happening *h)
{
    if (h->event != NULL)
        event(h->event, h->at);
    else
        signed_in(h->session, h->present, h->at);
    if (h->event == NULL && !h->present)
        event("logout", h->at);
}

/* Everything due is done; what the store and the link say then. */
static char *rest(void)
{
    now = T0 + 2 * HOUR;
    for (int i = 0; i < 5; i++) {
        make();
        deliver();
        if (plan.due.us != 0)
            now = plan.due.us;
    }
    assert_int_equal(plan.operation_count, 0);
    json_t *progress = json_loads(kept_progress, 0, NULL);
    char *text = str_printf("done %lld marks ", (long long)json_integer_value(json_object_get(progress, "done_us")));
    char *values = json_dumps(marks.values, JSON_COMPACT | JSON_SORT_KEYS), *both = str_printf("%s%s", text, values);
    json_decref(progress);
    free(text);
    free(values);
    return both;
}

static void any_order_of_events_ends_alike(void **state)
{
    static const struct happening story[] = {
        { "activate", NULL, false, T0 + 1 * SECOND },    { NULL, "s1", true, T0 + 2 * SECOND },
        { "suspend", NULL, false, T0 + 3 * SECOND },     { "unsuspend", NULL, false, T0 + 4 * SECOND },
        { NULL, "s2", true, T0 + 5 * SECOND },           { NULL, "s3", true, T0 + 6 * SECOND },
        { "deactivate", NULL, false, T0 + 7 * SECOND },  { "activate", NULL, false, T0 + 8 * SECOND },
        { NULL, "s4", true, T0 + 9 * SECOND },           { NULL, "s5", true, T0 + 10 * SECOND },
        { NULL, "s4", false, T0 + 11 * SECOND },
    };
    enum { COUNT = sizeof(story) / sizeof(story[0]) };
    struct random_seeded random;
    cleanup_free char *expected = NULL;

    (void)state;
    random_seeded_init(&random, 20261123);
    use(PLAIN "sign_out = \"all\"; deny = true; mirror: { expires = \"12 h\"; };");
    for (int round = 0; round < 500; round++) {
        size_t order[COUNT * 2];
        for (size_t i = 0; i < COUNT * 2; i++)
            order[i] = i % COUNT;
        for (size_t i = COUNT * 2; round > 0 && i > 1; i--) {
            size_t j = random_below(&random.source, i), other = order[i - 1];
            order[i - 1] = order[j];
            order[j] = other;
        }
        begin();
        heard(FACT_LOGIN, "ann@x", T0);
        for (size_t i = 0; i < COUNT * 2; i++) {
            happen(&story[order[i]]);
            now += SECOND;
            if (random_below(&random.source, 3) != 0)
                continue;
            make();
            deliver();
        }
        cleanup_free char *seen = rest();
        if (expected == NULL)
            expected = strdup(seen);
        assert_string_equal(seen, expected);
    }
    assert_non_null(strstr(expected, "2026-01-01T00:00:10")); /* s5 */
}

/* ---- loading ---- */

static void mistakes_are_told_with_what_would_be_right(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        { PLAIN "account: { a = \"b\"; };", "account is for accounts" },
        { PLAIN "match = ( \"{id}\" );", "match is for accounts" },
        { PLAIN "on: { deleted = \"remove\"; };", "on is for accounts" },
        { PLAIN "disable: { a = \"b\"; };", "disable is for accounts" },
        { PLAIN "sign_out = \"leav\";", "sign_out is \"leave\"" },
        { PLAIN "sign_out = [ ];", "sign_out is \"leave\"" },
        { PLAIN "sign_out = [ \"logouts\" ];", "did you mean \"logout\"" },
        { PLAIN "sign_out = [ \"everything\" ];", "possible are logout, clear" },
        { PLAIN "sign_out = ( 7 );", "sign_out must be text" },
        { PLAIN "request_timeout = \"0 s\";", "no time span" },
        { PLAIN "request_timeout = \"2 h\";", "\"1 s\" to \"1 h\"" },
        { PLAIN "request_timeout = 30;", "must be text" },
        { PLAIN "deny = \"yes\";", "deny is true or false" },
        { PLAIN "mirror = true;", "mirror says for how long" },
        { PLAIN "mirror: { expires = \"8 days\"; };", "\"7 days\"" },
        { PLAIN "mirror: { expire = \"12 h\"; };", "did you mean \"expires\"" },
        { "target = \"t\"; kind = \"user\";", "sessions.user is missing" },
        { "target = \"t\"; kind = \"user\"; sessions: { preset = \"x\"; };", "sessions.user is missing" },
        { "target = \"t\"; kind = \"user\"; sessions: { user = \"ann\"; };", "the same for everyone" },
        { "target = \"t\"; kind = \"group\"; sessions: { user = \"{name}\"; };", "has no groups" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct problems problems = { 0 };
        struct mapping *loaded = load_with(rows[i].text, &session_ops, &problems);
        bool told = false;
        assert_null(loaded);
        for (size_t p = 0; p < problems.count; p++)
            told = told || strstr(problems.list[p].text, rows[i].expected) != NULL;
        if (!told)
            problems_print(&problems, stderr);
        assert_true(told);
        problems_free(&problems);
    }
}

static void a_directory_knows_no_sign_out(void **state)
{
    struct problems problems = { 0 };

    (void)state;
    assert_null(load_with("target = \"t\"; kind = \"user\"; account: { dn = \"uid={id},dc=x\"; }; disable: { description = \"x\"; };"
                          "sign_out = \"all\";", &directory_ops, &problems));
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.list[0].text, "keeps accounts"));
    problems_free(&problems);
}

static void lanes_are_woken_by_what_the_plan_looks_at(void **state)
{
    (void)state;
    use(PLAIN);
    assert_int_equal(mapping_facts(mapping), FACT_BIT(FACT_STATUS) | FACT_BIT(FACT_SESSIONS_VOID) | FACT_BIT(FACT_LOGIN));
    use(MIRROR);
    assert_int_equal(mapping_facts(mapping), FACT_BIT(FACT_STATUS) | FACT_BIT(FACT_SESSIONS_VOID) | FACT_BIT(FACT_LOGIN) |
                                                 FACT_BIT(FACT_SIGNED_IN));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leaver_keeps_no_session_that_began_since_the_event),
        TEST(a_leaver_is_swept_at_once_and_again_after_the_longest_request),
        TEST(a_second_sweep_does_not_wait_for_a_clock_that_was_set_back),
        TEST(a_sweep_whose_receipt_was_lost_is_made_again),
        TEST(a_newer_word_begins_anew_and_an_older_one_does_not),
        TEST(a_target_hears_only_the_triggers_that_it_chose),
        TEST(a_second_sweep_is_made_although_the_triggers_changed),
        TEST(an_activated_again_person_is_not_logged_out_by_the_old_event),
        TEST(who_comes_back_between_the_sweeps_keeps_undated_sessions),
        TEST(signing_in_again_excuses_a_logout_and_nothing_worse),
        TEST(what_was_long_before_the_target_ends_no_undated_sessions),
        TEST(former_names_are_looked_for_until_both_sweeps_were_made),
        TEST(the_last_known_name_serves_where_none_can_be_rendered),
        TEST(nothing_to_end_needs_no_name),
        TEST(the_scope_says_who_and_not_when),
        TEST(a_leaver_who_lost_the_group_first_is_swept_all_the_same),
        TEST(a_leaver_is_denied_before_the_sweep_until_activated_again),
        TEST(a_sign_in_is_mirrored_until_its_last_session_ends),
        TEST(what_okta_ends_is_not_mirrored_any_more),
        TEST(a_sign_in_that_is_too_old_counts_no_more),
        TEST(a_marker_read_in_another_form_is_the_same_one),
        TEST(markers_of_a_former_name_are_taken_away),
        TEST(a_target_without_markers_needs_no_reading),
        TEST(any_order_of_events_ends_alike),
        TEST(mistakes_are_told_with_what_would_be_right),
        TEST(a_directory_knows_no_sign_out),
        TEST(lanes_are_woken_by_what_the_plan_looks_at),
    };

    return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
