/* okta.c: hook bodies and LogEvents → events → facts, and the traps of real bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "base/file.h"
#include "base/str.h"
#include "source/event_table.h"
#include "source/okta.h"

#define T_PUBLISHED 1571926888577000LL /* 2019-10-24T14:21:28.577Z */
#define T_RECEIVED 1571926900000000LL

#define USER(id, login, name) \
    "{\"id\":\"" id "\",\"type\":\"User\",\"alternateId\":\"" login "\",\"displayName\":\"" name "\"}"
#define GROUP(id, name) "{\"id\":\"" id "\",\"type\":\"UserGroup\",\"alternateId\":\"unknown\",\"displayName\":\"" name "\"}"
#define APP(id, name) "{\"id\":\"" id "\",\"type\":\"AppInstance\",\"alternateId\":\"x\",\"displayName\":\"" name "\"}"
#define ACTOR "{\"id\":\"00uadmin\",\"type\":\"User\",\"alternateId\":\"admin@example.com\",\"displayName\":\"Ada Admin\"}"
#define EVENT(type, targets) \
    "{\"uuid\":\"u-1\",\"published\":\"2019-10-24T14:21:28.577Z\",\"eventType\":\"" type "\",\"actor\":" ACTOR \
    ",\"outcome\":{\"result\":\"SUCCESS\"},\"target\":[" targets "]}"
#define BODY(events) \
    "{\"eventType\":\"com.okta.event_hook\",\"eventId\":\"e-1\",\"data\":{\"events\":[" events "]}," \
    "\"eventTime\":\"2019-10-24T14:21:30Z\"}"

static struct event_batch *parse(const char *body)
{
    struct event_batch *batch = NULL;
    struct error error = { 0 };

    if (okta_parse_hook(body, strlen(body), (struct wall){ T_RECEIVED }, &batch, &error) < 0)
        fail_msg("%s", error.text);
    return batch;
}

static int refused(const char *body, size_t length, struct error *error)
{
    struct event_batch *batch = (struct event_batch *)1;
    int code = okta_parse_hook(body, length, (struct wall){ T_RECEIVED }, &batch, error);

    assert_true(code < 0);
    assert_ptr_equal(batch, (struct event_batch *)1); /* untouched */
    assert_int_equal(error->code, code);
    assert_true(error->text[0] != '\0');
    return code;
}

static int refused_text(const char *body)
{
    struct error error = { 0 };

    return refused(body, strlen(body), &error);
}

/* "STATUS 00u1=ACTIVE; LOGIN …": all facts of an event in order. */
static const char *facts_of(const struct event *event)
{
    static const char *const names[] = { "STATUS", "LOGIN", "NAME", "PROFILE", "MEMBER", "ASSIGNED", "VOID", "EXISTS", "GROUPNAME",
                                        "SIGNED" };
    static char text[4096];
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < event->fact_count; i++) {
        const struct fact *fact = &event->facts[i];
        assert_true(fact->as_of.us == event->published.us);
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s%s %s%s%s%s%s", i > 0 ? "; " : "",
                               fact->identity_kind == IDENTITY_GROUP ? "g:" : "", names[fact->kind], fact->id,
                               fact->other != NULL ? fact->present ? "+" : "-" : fact->kind == FACT_GROUP_EXISTS || fact->kind == FACT_SIGNED_IN ? fact->present ? "+" : "-" : "",
                               fact->other != NULL ? fact->other : "", fact->value != NULL ? "=" : "",
                               fact->value != NULL ? fact->value : "");
    }
    return text;
}

static void assert_facts(const char *body, const char *expected)
{
    struct event_batch *batch = parse(body);

    assert_int_equal(batch->count, 1);
    assert_string_equal(facts_of(&batch->events[0]), expected);
    event_batch_free(batch);
}

/* ---- the table ---- */

static void the_table_is_sorted_and_finds_each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < event_rule_count; i++) {
        assert_ptr_equal(event_rule_find(event_rules[i].type), &event_rules[i]);
        if (i > 0)
            assert_true(strcmp(event_rules[i - 1].type, event_rules[i].type) < 0);
    }
    assert_null(event_rule_find("user.lifecycle"));
}

#define U USER("00u1", "ann@example.com", "Ann Lee")
#define G GROUP("00g1", "Staff")
#define A APP("0oa1", "Mail")
#define SAID "LOGIN 00u1=ann@example.com; NAME 00u1=Ann Lee"
#define SAID_G "g:GROUPNAME 00g1=Staff"

static const struct {
    const char *body;
    const char *facts;
} type_rows[] = {
    { BODY(EVENT("user.lifecycle.create", U)), "STATUS 00u1=STAGED; " SAID },
    { BODY(EVENT("user.lifecycle.activate", U)), "STATUS 00u1=ACTIVE; " SAID },
    { BODY(EVENT("user.lifecycle.reactivate", U)), "STATUS 00u1=PROVISIONED; " SAID },
    { BODY(EVENT("user.lifecycle.suspend", U)), "STATUS 00u1=SUSPENDED; " SAID "; VOID 00u1=suspend" },
    { BODY(EVENT("user.lifecycle.unsuspend", U)), "STATUS 00u1=ACTIVE; " SAID },
    { BODY(EVENT("user.lifecycle.deactivate", U)), "STATUS 00u1=DEPROVISIONED; " SAID "; VOID 00u1=deactivate" },
    { BODY(EVENT("user.lifecycle.delete.initiated", U)), "STATUS 00u1=DEPROVISIONED; " SAID "; VOID 00u1=deactivate" },
    { BODY(EVENT("user.lifecycle.delete.completed", U)), "STATUS 00u1=DELETED; " SAID "; VOID 00u1=delete" },
    { BODY(EVENT("user.account.update_profile", U)), SAID },
    { BODY(EVENT("user.account.lock", U)), SAID "; VOID 00u1=lock" },
    { BODY(EVENT("user.account.reset_password", U)), SAID "; VOID 00u1=password_change" },
    { BODY(EVENT("user.account.update_password", U)), SAID "; VOID 00u1=password_change" },
    { BODY(EVENT("user.account.report_suspicious_activity_by_enduser", U)), SAID "; VOID 00u1=suspicious_activity" },
    { BODY(EVENT("security.breached_credential.detected", U)), SAID "; VOID 00u1=suspicious_activity" },
    { BODY(EVENT("user.authentication.universal_logout", A "," U)), SAID "; VOID 00u1=universal_logout" },
    { BODY(EVENT("user.session.clear", U)), SAID "; VOID 00u1=clear" },
    { BODY(EVENT("user.session.end", U)), SAID "; VOID 00u1=logout; SIGNED 00u1-" },
    { BODY(EVENT("user.session.start", U)), SAID "; SIGNED 00u1+u-1" },
    { BODY(EVENT("user.account.expire_password", U)), SAID "; VOID 00u1=password_change" },
    { BODY(EVENT("user.account.lock.limit", U)), SAID "; VOID 00u1=lock" },
    { BODY(EVENT("user.authentication.universal_logout.scheduled", U)), SAID "; VOID 00u1=universal_logout" },
    { BODY(EVENT("user.risk.detect", U)), SAID },
    { BODY(EVENT("group.lifecycle.create", G)), "g:EXISTS 00g1+; " SAID_G },
    { BODY(EVENT("group.lifecycle.delete", G)), "g:EXISTS 00g1-; " SAID_G },
    { BODY(EVENT("group.profile.update", G)), "g:EXISTS 00g1+; " SAID_G },
    { BODY(EVENT("group.user_membership.add", U "," G)), SAID "; g:EXISTS 00g1+; " SAID_G "; MEMBER 00u1+00g1" },
    { BODY(EVENT("group.user_membership.add", G "," U)), "g:EXISTS 00g1+; " SAID_G "; " SAID "; MEMBER 00u1+00g1" },
    { BODY(EVENT("group.user_membership.remove", U "," G)), SAID "; " SAID_G "; MEMBER 00u1-00g1" },
    { BODY(EVENT("group.application_assignment.add", G "," A)), SAID_G },
    { BODY(EVENT("application.user_membership.add", A "," U)), SAID "; ASSIGNED 00u1+0oa1=Mail" },
    { BODY(EVENT("application.user_membership.remove", U "," A)), SAID "; ASSIGNED 00u1-0oa1=Mail" },
    { BODY(EVENT("application.user_membership.update", U "," A)), SAID },
    { BODY(EVENT("something.nobody.heard.of", U)), SAID },
    { BODY(EVENT("system.org.rate_limit.warning", "")), "" },
};

static void each_event_type_sets_its_facts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(type_rows) / sizeof(type_rows[0]); i++)
        assert_facts(type_rows[i].body, type_rows[i].facts);
}

static void a_session_event_without_a_user_target_is_about_its_actor(void **state)
{
    (void)state;
    assert_facts(BODY(EVENT("user.session.end", A)), "LOGIN 00uadmin=admin@example.com; NAME 00uadmin=Ada Admin; VOID 00uadmin=logout; SIGNED 00uadmin-");
    assert_facts(BODY(EVENT("user.session.end", U)), SAID "; VOID 00u1=logout; SIGNED 00u1-");
    /* an admin who deactivates somebody is no leaver */
    assert_facts(BODY(EVENT("user.lifecycle.deactivate", "")), "");
    assert_facts(BODY("{\"uuid\":\"u\",\"eventType\":\"user.session.end\",\"outcome\":{\"result\":\"SUCCESS\"},"
                      "\"actor\":{\"id\":\"spr1\",\"type\":\"SystemPrincipal\",\"alternateId\":\"system@okta.com\"}}"), "");
}

static void a_sign_in_has_the_name_of_its_session(void **state)
{
    static const char rest[] = "\"outcome\":{\"result\":\"SUCCESS\"},\"actor\":{\"id\":\"00u1\",\"type\":\"User\"}}";
    static const struct {
        const char *type, *context, *facts;
    } rows[] = {
        { "user.session.start", "{\"externalSessionId\":\"idx\\u0041\",\"authenticationStep\":0}", "SIGNED 00u1+idxA" },
        { "user.session.end", "{\"externalSessionId\":\"idxA\"}", "VOID 00u1=logout; SIGNED 00u1-idxA" },
        { "user.session.end", "{\"externalSessionId\":\"unknown\"}", "VOID 00u1=logout; SIGNED 00u1-" },
        { "user.session.end", "{\"externalSessionId\":null}", "VOID 00u1=logout; SIGNED 00u1-" },
        { "user.session.end", "[]", "VOID 00u1=logout; SIGNED 00u1-" },
        { "user.session.clear", "{\"externalSessionId\":\"the admin's\"}", "VOID 00u1=clear" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[1024];
        snprintf(body, sizeof(body), "{\"data\":{\"events\":[{\"uuid\":\"u\",\"eventType\":\"%s\",\"authenticationContext\":%s,%s]}}",
                 rows[i].type, rows[i].context, rest);
        assert_facts(body, rows[i].facts);
    }
}

/* ---- events ---- */

static void an_event_carries_what_the_log_needs(void **state)
{
    static const char event[] = EVENT("user.lifecycle.create", APP("0oa1", "Mail") "," GROUP("00g1", "Staff") "," U);
    static const char body[] = BODY(EVENT("user.lifecycle.create", APP("0oa1", "Mail") "," GROUP("00g1", "Staff") "," U));
    struct event_batch *batch = parse(body);
    const struct event *found = &batch->events[0];

    (void)state;
    assert_string_equal(batch->event_id, "e-1");
    assert_string_equal(found->uuid, "u-1");
    assert_string_equal(found->type, "user.lifecycle.create");
    assert_string_equal(found->outcome, "SUCCESS");
    assert_string_equal(found->actor, "admin@example.com");
    assert_string_equal(found->subject_id, "00u1");
    assert_string_equal(found->subject_name, "ann@example.com");
    assert_int_equal(found->subject_kind, IDENTITY_USER);
    assert_true(found->published.us == T_PUBLISHED);
    assert_string_equal(found->raw, event);
    event_batch_free(batch);
}

static void a_group_event_has_the_group_as_subject(void **state)
{
    struct event_batch *batch = parse(BODY(EVENT("group.lifecycle.create", APP("0oa1", "Mail") "," G)));

    (void)state;
    assert_string_equal(batch->events[0].subject_id, "00g1");
    assert_string_equal(batch->events[0].subject_name, "Staff");
    assert_int_equal(batch->events[0].subject_kind, IDENTITY_GROUP);
    event_batch_free(batch);
}

static void a_batch_keeps_every_event_in_order(void **state)
{
    struct event_batch *batch = parse(BODY(EVENT("user.lifecycle.create", U) "," EVENT("user.lifecycle.activate", U) ",7,null," G));

    (void)state;
    assert_int_equal(batch->count, 5);
    assert_string_equal(batch->events[0].type, "user.lifecycle.create");
    assert_string_equal(batch->events[1].type, "user.lifecycle.activate");
    for (size_t i = 2; i < 5; i++) { /* what is no event is kept, without facts */
        assert_string_equal(batch->events[i].type, "unknown");
        assert_string_equal(batch->events[i].outcome, "UNKNOWN");
        assert_int_equal(batch->events[i].fact_count, 0);
    }
    assert_string_equal(batch->events[2].raw, "7");
    assert_string_equal(batch->events[3].raw, "null");
    assert_string_equal(batch->events[3].uuid, "e-1#3");
    event_batch_free(batch);
}

static void an_empty_list_of_events_is_a_body(void **state)
{
    struct event_batch *batch = parse(BODY(""));

    (void)state;
    assert_int_equal(batch->count, 0);
    event_batch_free(batch);
}

static void only_success_sets_facts(void **state)
{
    static const struct {
        const char *outcome, *upper;
        bool facts;
    } rows[] = {
        { "{\"result\":\"SUCCESS\"}", "SUCCESS", true },
        { "{\"reason\":null,\"result\":\"Success\"}", "SUCCESS", true },
        { "{\"result\":\"FAILURE\"}", "FAILURE", false },
        { "{\"result\":\"Skipped\"}", "SKIPPED", false },
        { "{\"result\":\"ALLOW\"}", "ALLOW", false },
        { "{\"result\":null}", "UNKNOWN", false },
        { "{\"result\":true}", "UNKNOWN", false },
        { "null", "UNKNOWN", false },
        { "\"SUCCESS\"", "UNKNOWN", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *body = str_printf(BODY("{\"uuid\":\"u\",\"eventType\":\"user.lifecycle.activate\",\"outcome\":%s,\"target\":[%s]}"),
                                rows[i].outcome, U);
        struct event_batch *batch = parse(body);
        assert_string_equal(batch->events[0].outcome, rows[i].upper);
        assert_int_equal(batch->events[0].fact_count != 0, rows[i].facts);
        assert_string_equal(batch->events[0].subject_id, "00u1"); /* told in any case */
        event_batch_free(batch);
        free(body);
    }
}

/* ---- traps ---- */

static void nulls_and_wrong_types_count_as_missing(void **state)
{
    static const char *const bodies[] = {
        BODY("{\"uuid\":\"u\",\"eventType\":\"user.lifecycle.create\",\"actor\":null,\"target\":null,\"outcome\":{\"result\":\"SUCCESS\"},"
             "\"debugContext\":null,\"securityContext\":null,\"client\":{\"zone\":\"null\",\"ipChain\":null}}"),
        BODY("{\"uuid\":\"u\",\"eventType\":\"user.lifecycle.create\",\"target\":{},\"outcome\":{\"result\":\"SUCCESS\"}}"),
        BODY("{\"uuid\":\"u\",\"eventType\":\"user.lifecycle.create\",\"target\":[null,7,[],\"User\",{}],\"outcome\":{\"result\":\"SUCCESS\"}}"),
        BODY(EVENT("user.lifecycle.create", "{\"type\":\"User\",\"id\":17,\"alternateId\":\"x@y\"}")),
        BODY(EVENT("user.lifecycle.create", "{\"type\":\"User\",\"id\":null}")),
        BODY(EVENT("user.lifecycle.create", USER("", "x@y", "X"))),
        BODY(EVENT("user.lifecycle.create", USER("unknown", "x@y", "X"))),
        BODY(EVENT("user.lifecycle.create", "{\"type\":\"AppUser\",\"id\":\"0ua1\",\"alternateId\":\"x@y\"}")),
        BODY(EVENT("user.lifecycle.create", "{\"type\":[\"User\"],\"id\":\"00u1\"}")),
        BODY(EVENT("user.lifecycle.create", "{\"id\":\"00u1\"}")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_facts(bodies[i], "");
}

static void an_unknown_or_empty_login_is_no_login(void **state)
{
    (void)state;
    assert_facts(BODY(EVENT("user.lifecycle.activate", USER("00u1", "unknown", ""))), "STATUS 00u1=ACTIVE");
    assert_facts(BODY(EVENT("user.lifecycle.activate", "{\"type\":\"User\",\"id\":\"00u1\",\"alternateId\":null,\"displayName\":3}")),
                 "STATUS 00u1=ACTIVE");
}

static void a_target_named_twice_counts_once(void **state)
{
    (void)state;
    assert_facts(BODY(EVENT("user.lifecycle.activate", "{\"type\":\"User\",\"id\":\"00u1\"}," U "," U)), "STATUS 00u1=ACTIVE; " SAID);
}

static void two_users_in_one_event_both_get_the_facts(void **state)
{
    (void)state;
    assert_facts(BODY(EVENT("group.user_membership.remove", U "," USER("00u2", "bob@example.com", "Bob") "," G)),
                 SAID "; LOGIN 00u2=bob@example.com; NAME 00u2=Bob; " SAID_G "; MEMBER 00u1-00g1; MEMBER 00u2-00g1");
}

static void member_order_and_unknown_members_do_not_matter(void **state)
{
    static const char body[] =
        " {\"data\" : {\"more\":[{}], \"events\":\n[ {\"target\":[{\"displayName\":\"Ann Lee\",\"x\":{\"id\":\"no\"},"
        "\"alternateId\":\"ann@example.com\",\"type\":\"User\",\"changeDetails\":{\"from\":{\"id\":\"1\"}},\"id\":\"00u1\"}],"
        "\"outcome\":{\"result\":\"SUCCESS\"},\"eventType\":\"user.lifecycle.activate\",\"new\":-1.5e+3,"
        "\"published\":\"2019-10-24T14:21:28.577123Z\",\"uuid\":\"u-9\"} ]}, \"eventId\":\"late\"}\r\n\t ";
    struct event_batch *batch = parse(body);

    (void)state;
    assert_string_equal(facts_of(&batch->events[0]), "STATUS 00u1=ACTIVE; " SAID);
    assert_true(batch->events[0].published.us == T_PUBLISHED + 123);
    assert_string_equal(batch->event_id, "late");
    event_batch_free(batch);
}

static void escapes_are_decoded_in_names_and_values(void **state)
{
    (void)state;
    assert_facts(BODY(EVENT("user.lifecycle.activate",
                            "{\"\\u0069d\":\"00u1\",\"ty\\u0070e\":\"Us\\u0065r\",\"displayName\":\"J\\u00f6rg \\\"\\ud83d\\ude00\\\" \\/\\n\"}")),
                 "STATUS 00u1=ACTIVE; NAME 00u1=J\xc3\xb6rg \"\xf0\x9f\x98\x80\" /\n");
}

static void a_string_with_nul_is_missing_and_never_cut(void **state)
{
    (void)state;
    assert_facts(BODY(EVENT("user.lifecycle.activate", USER("00u1", "root\\u0000@example.com", "A\\u0000"))), "STATUS 00u1=ACTIVE");
    assert_facts(BODY(EVENT("user.lifecycle.activate", USER("00u1\\u0000x", "a@b", "A"))), "");
    assert_facts(BODY(EVENT("user.lifecycle.deactivate\\u0000", U)), SAID); /* an unknown type */
    assert_facts(BODY(EVENT("user.lifecycle.activate", USER("00u1", "half\\ud800@example.com", "\\udc00"))), "STATUS 00u1=ACTIVE");
}

static void hostile_text_passes_as_data(void **state)
{
    (void)state;
    assert_facts(BODY(EVENT("user.lifecycle.activate", USER("00u1", ")(uid=*", "x,ou=admins"))),
                 "STATUS 00u1=ACTIVE; LOGIN 00u1=)(uid=*; NAME 00u1=x,ou=admins");
}

static char *long_text(size_t length, char c)
{
    char *text = malloc(length + 1);

    assert_non_null(text);
    memset(text, c, length);
    text[length] = '\0';
    return text;
}

static void a_ten_megabyte_string_is_missing_and_the_rest_counts(void **state)
{
    char *text = long_text(10 << 20, 'x');
    char *body = str_printf(BODY(EVENT("user.lifecycle.activate", USER("00u1", "%s", "Ann"))), text);
    char *ids = str_printf(BODY(EVENT("user.lifecycle.activate", USER("%s", "a@b", "Ann"))), text);

    (void)state;
    assert_facts(body, "STATUS 00u1=ACTIVE; NAME 00u1=Ann");
    assert_facts(ids, "");
    free(ids);
    free(body);
    free(text);
}

static void duplicate_keys_count_as_the_last_but_two_event_lists_are_refused(void **state)
{
    (void)state;
    assert_facts(BODY("{\"uuid\":\"u\",\"eventType\":\"user.lifecycle.create\",\"eventType\":\"user.lifecycle.activate\","
                      "\"outcome\":{\"result\":\"FAILURE\"},\"outcome\":{\"result\":\"SUCCESS\"},\"target\":[],\"target\":[" U "]}"),
                 "STATUS 00u1=ACTIVE; " SAID);
    assert_facts(BODY("{\"uuid\":\"u\",\"eventType\":\"user.lifecycle.create\",\"outcome\":{\"result\":\"SUCCESS\"},\"target\":[" U
                      "],\"target\":null}"), "");
    assert_int_equal(refused_text("{\"data\":{\"events\":[],\"events\":[]}}"), ERROR_INVALID);
    assert_int_equal(refused_text("{\"data\":{\"events\":[]},\"data\":{\"events\":[]}}"), ERROR_INVALID);
}

/* ---- what is missing ---- */

static void assert_published(const char *event, const char *event_time, int64_t expected_us)
{
    char *body = str_printf("{\"data\":{\"events\":[{\"uuid\":\"u\"%s}]}%s}", event, event_time);
    struct event_batch *batch = parse(body);

    assert_true(batch->events[0].published.us == expected_us);
    event_batch_free(batch);
    free(body);
}

static void a_missing_time_falls_back_and_a_far_future_one_is_kept_as_told(void **state)
{
    static const char event_time[] = ",\"eventTime\":\"2019-10-24T14:21:28.577Z\"";

    (void)state;
    assert_published("", event_time, T_PUBLISHED);
    assert_published(",\"published\":null", event_time, T_PUBLISHED);
    assert_published(",\"published\":\"yesterday\"", event_time, T_PUBLISHED);
    assert_published(",\"published\":\"1960-01-01T00:00:00Z\"", event_time, T_PUBLISHED);
    assert_published("", ",\"eventTime\":12", T_RECEIVED);
    assert_published("", "", T_RECEIVED);
    assert_published(",\"published\":\"2019-10-24T16:21:28.577+02:00\"", "", T_PUBLISHED);
    assert_published(",\"published\":\"2019-10-25T14:21:00Z\"", "", 1572013260000000LL);
    assert_published(",\"published\":\"2119-10-25T14:21:00Z\"", "", 4727686860000000LL); /* what it counts as is for the store */
    assert_published("", ",\"eventTime\":\"9999-01-01T00:00:00Z\"", 253370764800000000LL);
}

static void when_it_was_sent_and_whether_it_is_dated_is_told(void **state)
{
    struct event_batch *dated = parse("{\"data\":{\"events\":[{\"published\":\"2019-10-24T14:21:28.577Z\"},{}]},"
                                      "\"eventTime\":\"2019-10-24T14:21:30Z\"}");
    struct event_batch *undated = parse("{\"data\":{\"events\":[{\"published\":\"2019-10-24T14:21:28.577Z\"},{}]}}");

    (void)state;
    assert_true(dated->sent.us == 1571926890000000LL);
    assert_false(dated->events[0].undated || dated->events[1].undated);
    assert_true(undated->sent.us == 0);
    assert_false(undated->events[0].undated);
    assert_true(undated->events[1].undated);
    event_batch_free(dated);
    event_batch_free(undated);
}

static void a_missing_uuid_falls_back_to_the_request_and_then_to_a_digest(void **state)
{
    struct event_batch *one = parse("{\"data\":{\"events\":[{},{\"uuid\":7},{\"uuid\":\"own\"}]},\"eventId\":\"e-7\"}");
    struct event_batch *two = parse("{\"data\":{\"events\":[{\"a\":1},{\"a\":2}]}}");
    struct event_batch *again = parse("{\"data\":{\"events\":[{\"a\":2},{\"a\":1}]},\"eventId\":null}");

    (void)state;
    assert_string_equal(one->events[0].uuid, "e-7#0");
    assert_string_equal(one->events[1].uuid, "e-7#1");
    assert_string_equal(one->events[2].uuid, "own");
    assert_null(two->event_id);
    assert_int_equal(strlen(two->events[0].uuid), strlen("sha256:") + 64);
    assert_string_not_equal(two->events[0].uuid, two->events[1].uuid);
    assert_string_equal(two->events[0].uuid, again->events[1].uuid);
    event_batch_free(one);
    event_batch_free(two);
    event_batch_free(again);
}

/* ---- refusals ---- */

static void what_is_no_json_is_a_syntax_error(void **state)
{
    static const char *const bodies[] = {
        "", " ", "{", "}", "nope", "nul", "{\"data\"", "{\"data\":}", "{\"data\":{\"events\":[]}", "{\"data\":{\"events\":[}}",
        "{\"data\":{\"events\":[]}} x", "{\"data\":{\"events\":[]}}{}", "{\"data\":{\"events\":[{},]}}", "{\"data\":{\"events\":[,{}]}}",
        "{\"data\":{\"events\":[]},}", "{,\"data\":{\"events\":[]}}", "{data:{}}", "{\"data\" {}}", "[1 2]", "{\"a\":01}", "{\"a\":+1}",
        "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":-}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u12", "{\"a\":\"\n\"}",
        "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xc3\"}", "{\"\xff\":1}", "\xff", "\xef\xbb\xbf{}",
        "{\"a\":'x'}", "{\"a\":NaN}", "{\"a\":\"\\", "a=b&c=d",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        if (refused_text(bodies[i]) != ERROR_SYNTAX)
            fail_msg("not a syntax error: %s", bodies[i]);
    struct error error = { 0 };
    assert_int_equal(refused("{\"data\":{\"events\":[]}}\0", 24, &error), ERROR_SYNTAX);
    assert_int_equal(refused("{\"a\":\"x\0y\"}", 11, &error), ERROR_SYNTAX);
}

static void a_syntax_error_tells_where(void **state)
{
    struct error error = { 0 };

    (void)state;
    refused("{\"data\":oops}", 13, &error);
    assert_string_equal(error.text, "the body is not JSON: at byte 8, a value was expected");
}

static void json_that_is_no_hook_body_is_invalid(void **state)
{
    static const char *const bodies[] = {
        "{}", "[]", "null", "7", "\"x\"", "{\"data\":null}", "{\"data\":[]}", "{\"data\":{}}", "{\"data\":{\"events\":null}}",
        "{\"data\":{\"events\":{}}}", "{\"events\":[]}", EVENT("user.lifecycle.create", U),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        if (refused_text(bodies[i]) != ERROR_INVALID)
            fail_msg("not invalid: %s", bodies[i]);
}

static char *nested(size_t depth)
{
    char *open = long_text(depth, '['), *close = long_text(depth, ']');
    char *body = str_printf("{\"x\":%s%s,\"data\":{\"events\":[]}}", open, close);

    free(open);
    free(close);
    return body;
}

static void deep_nesting_is_refused_at_sixty_four_levels(void **state)
{
    char *fits = nested(63), *over = nested(64), *far_over = nested(1 << 20);

    (void)state;
    event_batch_free(parse(fits));
    assert_int_equal(refused_text(over), ERROR_SYNTAX);
    assert_int_equal(refused_text(far_over), ERROR_SYNTAX);
    free(fits);
    free(over);
    free(far_over);
}

static char *repeated(const char *event, size_t count, const char *before, const char *after)
{
    struct buf buf = { 0 };

    buf_add_str(&buf, before);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(&buf, ',');
        buf_printf(&buf, "%.*s", (int)strlen(event), event);
    }
    buf_add_str(&buf, after);
    return buf_take(&buf);
}

static void ten_thousand_events_fit_and_one_more_does_not(void **state)
{
    char *fits = repeated("{}", 10000, "{\"data\":{\"events\":[", "]},\"eventId\":\"e\"}");
    char *over = repeated("{}", 10001, "{\"data\":{\"events\":[", "]},\"eventId\":\"e\"}");
    struct event_batch *batch = parse(fits);

    (void)state;
    assert_int_equal(batch->count, 10000);
    assert_string_equal(batch->events[9999].uuid, "e#9999");
    assert_int_equal(refused_text(over), ERROR_INVALID);
    event_batch_free(batch);
    free(fits);
    free(over);
}

/* Distinct ids, half users and half groups: pairs grow with the square. */
static char *crowd(size_t count)
{
    struct buf buf = { 0 };

    buf_add_str(&buf, "{\"data\":{\"events\":[{\"eventType\":\"group.user_membership.add\",\"outcome\":{\"result\":\"SUCCESS\"},\"target\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&buf, "%s{\"type\":\"%s\",\"id\":\"%zu\"}", i > 0 ? "," : "", i % 2 == 0 ? "User" : "UserGroup", i);
    buf_add_str(&buf, "]}]}}");
    return buf_take(&buf);
}

static void an_event_with_absurdly_many_targets_is_refused(void **state)
{
    char *fits = crowd(150), *pairs = crowd(400), *over = crowd(2000);
    struct event_batch *batch = parse(fits);

    (void)state;
    assert_int_equal(batch->events[0].fact_count, 75 + 75 * 75);
    assert_int_equal(refused_text(pairs), ERROR_INVALID);
    assert_int_equal(refused_text(over), ERROR_INVALID);
    event_batch_free(batch);
    free(fits);
    free(pairs);
    free(over);
}

/* ---- LogEvents alone ---- */

static void a_log_event_alone_is_a_batch_of_one(void **state)
{
    json_t *log_event = json_loads(EVENT("user.lifecycle.deactivate", U), 0, NULL);
    struct event_batch *batch = NULL;

    (void)state;
    assert_int_equal(okta_parse_log_event(log_event, (struct wall){ T_RECEIVED }, &batch, NULL), 0);
    assert_int_equal(batch->count, 1);
    assert_null(batch->event_id);
    assert_string_equal(facts_of(&batch->events[0]), "STATUS 00u1=DEPROVISIONED; " SAID "; VOID 00u1=deactivate");
    event_batch_free(batch);
    json_decref(log_event);
}

static void a_log_event_that_is_no_object_is_invalid(void **state)
{
    json_t *array = json_array();
    struct event_batch *batch = NULL;

    (void)state;
    assert_int_equal(okta_parse_log_event(array, (struct wall){ T_RECEIVED }, &batch, NULL), ERROR_INVALID);
    assert_null(batch);
    json_decref(array);
}

/* ---- Okta's own samples, where they are at hand ---- */

static void parse_sample_hook(const char *text, size_t length, const char *path)
{
    struct event_batch *batch = NULL;
    struct error error = { 0 };

    if (okta_parse_hook(text, length, (struct wall){ T_RECEIVED }, &batch, &error) < 0)
        fail_msg("%s: %s", path, error.text);
    assert_true(batch->count >= 1);
    for (size_t i = 0; i < batch->count; i++) {
        assert_string_not_equal(batch->events[i].type, "unknown");
        json_t *raw = json_loads(batch->events[i].raw, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(raw, "uuid")), batch->events[i].uuid);
        json_decref(raw);
    }
    event_batch_free(batch);
}

static void parse_sample_log_event(const char *text, size_t length, const char *path)
{
    json_t *json = json_loadb(text, length, 0, NULL);
    struct event_batch *batch = NULL;
    struct error error = { 0 };

    if (okta_parse_log_event(json_is_array(json) ? json_array_get(json, 0) : json, (struct wall){ T_RECEIVED }, &batch, &error) < 0)
        fail_msg("%s: %s", path, error.text);
    assert_int_equal(batch->count, 1);
    assert_true(batch->events[0].uuid[0] != '\0');
    event_batch_free(batch);
    json_decref(json);
}

static int each_sample(const char *directory, void (*each)(const char *text, size_t length, const char *path))
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    int count = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!str_ends(entry->d_name, ".json"))
            continue;
        char *path = file_join(directory, entry->d_name), *text = NULL;
        size_t length = 0;
        assert_int_equal(file_read(path, 1 << 20, &text, &length, NULL), 0);
        each(text, length, path);
        count++;
        free(text);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

static void every_sample_parses(void **state)
{
    const char *shared = getenv("PROVOST_SHARED"), *source = getenv("PROVOST_SOURCE"), *ci = getenv("CI");
    char *base = shared != NULL ? strdup(shared) : str_printf("%s/../shared", source != NULL ? source : ".");
    static const struct {
        const char *directory;
        void (*each)(const char *text, size_t length, const char *path);
    } rows[] = { { "hook", parse_sample_hook }, { "logevent", parse_sample_log_event }, { "converted", parse_sample_log_event } };
    int count = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *directory = str_printf("%s/okta/samples/%s", base, rows[i].directory);
        count += each_sample(directory, rows[i].each);
        free(directory);
    }
    if (count == 0 && ci != NULL && strcmp(ci, "true") == 0)
        fail_msg("no samples under %s/okta/samples; set PROVOST_SHARED to the folder that has them", base);
    if (count == 0)
        print_message("# SKIP every_sample_parses: no samples under %s/okta/samples (PROVOST_SHARED names the folder)\n", base);
    free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sorted_and_finds_each_row),
        cmocka_unit_test(each_event_type_sets_its_facts),
        cmocka_unit_test(a_session_event_without_a_user_target_is_about_its_actor),
        cmocka_unit_test(a_sign_in_has_the_name_of_its_session),
        cmocka_unit_test(an_event_carries_what_the_log_needs),
        cmocka_unit_test(a_group_event_has_the_group_as_subject),
        cmocka_unit_test(a_batch_keeps_every_event_in_order),
        cmocka_unit_test(an_empty_list_of_events_is_a_body),
        cmocka_unit_test(only_success_sets_facts),
        cmocka_unit_test(nulls_and_wrong_types_count_as_missing),
        cmocka_unit_test(an_unknown_or_empty_login_is_no_login),
        cmocka_unit_test(a_target_named_twice_counts_once),
        cmocka_unit_test(two_users_in_one_event_both_get_the_facts),
        cmocka_unit_test(member_order_and_unknown_members_do_not_matter),
        cmocka_unit_test(escapes_are_decoded_in_names_and_values),
        cmocka_unit_test(a_string_with_nul_is_missing_and_never_cut),
        cmocka_unit_test(hostile_text_passes_as_data),
        cmocka_unit_test(a_ten_megabyte_string_is_missing_and_the_rest_counts),
        cmocka_unit_test(duplicate_keys_count_as_the_last_but_two_event_lists_are_refused),
        cmocka_unit_test(a_missing_time_falls_back_and_a_far_future_one_is_kept_as_told),
        cmocka_unit_test(when_it_was_sent_and_whether_it_is_dated_is_told),
        cmocka_unit_test(a_missing_uuid_falls_back_to_the_request_and_then_to_a_digest),
        cmocka_unit_test(what_is_no_json_is_a_syntax_error),
        cmocka_unit_test(a_syntax_error_tells_where),
        cmocka_unit_test(json_that_is_no_hook_body_is_invalid),
        cmocka_unit_test(deep_nesting_is_refused_at_sixty_four_levels),
        cmocka_unit_test(ten_thousand_events_fit_and_one_more_does_not),
        cmocka_unit_test(an_event_with_absurdly_many_targets_is_refused),
        cmocka_unit_test(a_log_event_alone_is_a_batch_of_one),
        cmocka_unit_test(a_log_event_that_is_no_object_is_invalid),
        cmocka_unit_test(every_sample_parses),
    };

    return cmocka_run_group_tests_name("okta", tests, NULL, NULL);
}
