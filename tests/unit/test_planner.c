#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "plan/plan.h"
#include "tests/support/directory_ops.h"
#include "tests/support/plan_text.h"

/* ---- a world of one person and one account ---- */

static const char people[] =
    "target = \"t\"; kind = \"user\";\n"
    "scope = \"not (login ends with '@contractor')\";\n"
    "match = ( \"(employeeNumber={id})\", \"(mail={profile.email})\" );\n"
    "account: {\n"
    "  dn = \"uid={login | before '@'},ou=people,dc=x\";\n"
    "  objectClass = [ \"inetOrgPerson\" ];\n"
    "  uid = \"{login | before '@'}\"; cn = \"{name}\"; mobile = \"{profile.mobile}\"; employeeNumber = \"{id}\";\n"
    "  mail = [ \"{login}\", \"{profile.email}\" ];\n"
    "  seeAlso = \"{profile.note}\"; initials = \"{name | first_word}\";\n"
    "};\n"
    "policy: { initials = \"once\"; seeAlso = \"merge\"; };\n"
    "required = [ \"cn\" ];\n"
    "on: { deleted = \"disable, remove after 30 days\"; left_scope = \"disable, remove after 30 days\"; };\n"
    "disable: { dn = \"uid={login | before '@'},ou=leavers,dc=x\"; description = \"off {now | date '%F'}\"; mobile = \"\"; };\n";

static const char groups_text[] =
    "target = \"t\"; kind = \"group\";\n"
    "account: { dn = \"cn={name},ou=groups,dc=x\"; objectClass = [ \"groupOfNames\" ]; cn = \"{name}\"; };\n"
    "members: { attribute = \"member\"; value = \"{member.account.dn}\"; placeholder = \"cn=nobody,dc=x\"; };\n";

static const char first_text[] =
    "target = \"t\"; kind = \"group\";\n"
    "account: { dn = \"cn={name},ou=groups,dc=x\"; objectClass = [ \"groupOfNames\" ]; cn = \"{name}\"; };\n"
    "members: { attribute = \"member\"; value = \"{member.account.dn}\"; with_first_member = true; };\n";

#define DAY_US (INT64_C(86400) * 1000000)
#define T0 (INT64_C(1767225600) * 1000000) /* 2026-01-01 */

static struct mapping *mapping;
static struct identity identity;
static struct account account;
static struct link_view link_seen;
static struct plan_input input;
static struct plan plan;
static struct error error;

static struct mapping *load(const char *text)
{
    char path[] = "/tmp/provost-planner-XXXXXX";
    int fd = mkstemp(path);
    struct problems problems = { 0 };
    struct mapping *loaded = NULL;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    mapping_load(path, &directory_ops, &problems, &loaded);
    unlink(path);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_non_null(loaded);
    return loaded;
}

static int setup_with(const char *text)
{
    mapping = load(text);
    identity = (struct identity){
        .kind = mapping_kind(mapping),
        .id = (char *)"7",
        .status = { (char *)"ACTIVE", { T0 } },
        .live_status = { (char *)"ACTIVE", { T0 } },
        .login = { (char *)"ann@x", { T0 } },
        .name = { (char *)"Ann Lee", { T0 } },
        .exists = true,
        .exists_as_of = { T0 },
    };
    account = (struct account){ .key = (char *)"k1", .locator = (char *)"uid=ann,ou=people,dc=x", .disabled = -1 };
    link_seen = (struct link_view){ .key = "k1", .locator = "uid=ann,ou=people,dc=x" };
    input = (struct plan_input){ .identity = &identity, .now = { T0 + DAY_US } };
    plan = (struct plan){ 0 };
    error = (struct error){ 0 };
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(people);
}

static int setup_group(void **state)
{
    (void)state;
    setup_with(groups_text);
    identity.name.value = (char *)"Dev";
    account.locator = (char *)"cn=Dev,ou=groups,dc=x";
    return 0;
}

static int setup_first(void **state)
{
    (void)state;
    setup_with(first_text);
    identity.name.value = (char *)"Dev";
    account.locator = (char *)"cn=Dev,ou=groups,dc=x";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plan_clear(&plan);
    json_decref(account.values);
    json_decref(identity.profile);
    mapping_free(mapping);
    return 0;
}

static json_t *json(const char *text)
{
    struct buf buf = { 0 };
    json_error_t why;

    for (; *text != '\0'; text++)
        buf_add_char(&buf, *text == '\'' ? '"' : *text);
    json_t *value = json_loads(buf.bytes, JSON_DECODE_ANY, &why);
    if (value == NULL)
        fail_msg("%s: %s", buf.bytes, why.text);
    buf_free(&buf);
    return value;
}

static void make(void)
{
    plan_clear(&plan);
    if (plan_make(mapping, &input, &plan, &error) < 0)
        fail_msg("%s", error.text);
}

static void assert_json(const json_t *got, const char *expected)
{
    json_t *wanted = json(expected);

    if (!json_equal(got, wanted)) {
        char *text = json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        fail_msg("expected %s, got %s", expected, text != NULL ? text : "nothing");
    }
    json_decref(wanted);
}

static void there_is(const char *values)
{
    json_decref(account.values);
    account.values = json(values);
    input.account = &account;
    input.link = &link_seen;
}

#define AS_WANTED                                                                                                            \
    "{'objectClass':['inetOrgPerson','top'],'uid':['ann'],'cn':['Ann Lee'],'employeeNumber':['7'],'mail':['ann@x'],'initials':['AL']}"
#define AS_DISABLED                                                                                                          \
    "{'objectClass':['inetOrgPerson','top'],'uid':['ann'],'cn':['Ann Lee'],'employeeNumber':['7'],'mail':['ann@x'],'initials':['AL']," \
    "'description':['off 2026-01-01']}"

static void out(const char *status)
{
    identity.status = (struct text_register){ (char *)status, { T0 } };
}

static void assert_plans(const char *expected)
{
    make();
    assert_plan_text(&plan, expected);
}

/* ---- joiners ---- */

static void a_joiner_is_created_whole(void **state)
{
    (void)state;
    make();
    assert_int_equal(plan.verdict, PLAN_CONVERGE);
    assert_true(plan.present);
    assert_false(plan.leaving);
    assert_plan_text(&plan, "create");
    assert_string_equal(plan.operations[0].locator, "uid=ann,ou=people,dc=x");
    assert_json(plan.operations[0].values, "{'objectClass':['inetOrgPerson'],'uid':['ann'],'cn':['Ann Lee'],'employeeNumber':['7'],"
                                           "'mail':['ann@x'],'initials':['Ann']}");
    assert_null(plan.operations[0].before_image);
    assert_string_equal(plan.wanted.locator, "uid=ann,ou=people,dc=x");
}

static void an_account_as_wanted_needs_nothing(void **state)
{
    (void)state;
    there_is(AS_WANTED);
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_CONVERGE);
    assert_true(plan.present);
    assert_string_equal(plan.wanted.key, "k1");
}

static void planning_again_after_creation_needs_nothing(void **state)
{
    (void)state;
    identity.profile = json("{'mobile':'1','email':'ann@y','note':'cn=a,dc=x'}");
    make();
    there_is("{}");
    json_object_update(account.values, plan.operations[0].values);
    assert_plans("none");
}

static void the_naming_value_is_in_a_new_entry(void **state)
{
    (void)state;
    mapping_free(mapping);
    mapping = load("target = \"t\"; kind = \"user\"; account: { dn = \"employeeNumber={id}+cn={name},dc=x\"; sn = \"s\"; };\n"
                   "disable: { sn = \"\"; };\n");
    make();
    assert_json(plan.operations[0].values, "{'employeenumber':['7'],'cn':['Ann Lee'],'sn':['s']}");
}

static void a_status_never_heard_is_out_of_scope(void **state)
{
    (void)state;
    identity.status.value = NULL;
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
    assert_false(plan.present);
}

static void an_absent_required_value_is_refused_with_its_place(void **state)
{
    (void)state;
    identity.name.value = NULL;
    assert_int_equal(plan_make(mapping, &input, &plan, &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, ":7: cn is absent: \"{name}\" has no value for ann@x"));
    identity.name.value = (char *)"A";
    identity.login.value = NULL;
    assert_int_equal(plan_make(mapping, &input, &plan, &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, ":5: dn is absent"));
}

/* ---- movers ---- */

static void only_differences_become_changes(void **state)
{
    (void)state;
    identity.profile = json("{'mobile':'1'}");
    there_is("{'objectClass':['INETORGPERSON','extra'],'UID':['ann'],'cn':['Old'],'employeeNumber':['7'],'mail':['ann@x'],'initials':['X']}");
    assert_plans("update =cn:Ann Lee +mobile:1");
    assert_json(plan.operations[0].before_image, "{'cn':['Old'],'mobile':null}");
    assert_json(plan.wanted.values, "{'objectClass':['INETORGPERSON','extra'],'uid':['ann'],'cn':['Ann Lee'],'mobile':['1'],"
                                    "'employeeNumber':['7'],'mail':['ann@x'],'initials':['X']}");
}

static void lists_change_value_by_value(void **state)
{
    (void)state;
    identity.profile = json("{'email':'new@x'}");
    there_is(AS_WANTED);
    json_object_set_new(account.values, "mail", json("['ann@x','old@x']"));
    assert_plans("update -mail:old@x +mail:new@x");
}

static void a_change_of_case_in_a_list_replaces_it(void **state)
{
    (void)state;
    identity.profile = json("{'email':'New@x'}");
    there_is(AS_WANTED);
    json_object_set_new(account.values, "mail", json("['ann@x','new@x']"));
    assert_plans("update =mail:ann@x|New@x");
}

static void once_is_written_at_creation_alone(void **state)
{
    (void)state;
    there_is(AS_WANTED);
    json_object_del(account.values, "initials");
    assert_plans("none");
}

static void merge_adds_and_never_takes_away(void **state)
{
    (void)state;
    identity.profile = json("{'note':'cn=b'}");
    there_is(AS_WANTED);
    json_object_set_new(account.values, "seeAlso", json("['cn=a']"));
    assert_plans("update +seeAlso:cn=b");
    identity.profile = (json_decref(identity.profile), json("{}"));
    assert_plans("none");
}

static void a_profile_that_was_never_read_takes_nothing_away(void **state)
{
    (void)state;
    there_is(AS_WANTED);
    json_object_set_new(account.values, "mobile", json("['123']"));
    assert_plans("none");
    identity.profile = json("{}");
    assert_plans("update -mobile");
}

static void a_new_login_renames(void **state)
{
    (void)state;
    identity.login.value = (char *)"ann.lee@x";
    there_is(AS_WANTED);
    assert_plans("rename to uid=ann.lee,ou=people,dc=x =mail:ann.lee@x");
    assert_string_equal(plan.operations[0].locator, "uid=ann,ou=people,dc=x");
    assert_string_equal(plan.operations[0].key, "k1");
    assert_json(plan.operations[0].before_image, "{'mail':['ann@x'],'uid':['ann']}");
    assert_string_equal(plan.wanted.locator, "uid=ann.lee,ou=people,dc=x");
    assert_json(json_object_get(plan.wanted.values, "uid"), "['ann.lee']");
}

static void a_dn_that_differs_in_spelling_is_no_rename(void **state)
{
    (void)state;
    there_is(AS_WANTED);
    account.locator = (char *)"UID=Ann, OU=people, DC=X";
    assert_plans("none");
    assert_string_equal(plan.wanted.locator, "UID=Ann, OU=people, DC=X");
}

static void a_pinned_dn_is_not_renamed(void **state)
{
    (void)state;
    mapping_free(mapping);
    mapping = load("target = \"t\"; kind = \"user\"; account: { dn = \"uid={login},dc=x\"; uid = \"{login}\"; };\n"
                   "policy: { dn = \"once\"; uid = \"once\"; }; disable: { dn = \"uid={login},ou=gone,dc=x\"; };\n");
    there_is("{'uid':['old']}");
    account.locator = (char *)"uid=old,dc=x";
    assert_plans("none");
    account.locator = (char *)"uid=ann@x,ou=gone,dc=x";
    assert_plans("enable to uid=ann@x,dc=x");
}

static void an_unlinked_account_is_adopted_not_doubled(void **state)
{
    (void)state;
    there_is("{'uid':['ann'],'cn':['Ann Lee']}");
    input.link = NULL;
    make();
    assert_int_equal(plan.operations[0].kind, OPERATION_UPDATE);
    assert_true(plan.present);
}

/* ---- leavers ---- */

static void a_leaver_is_moved_marked_and_stripped(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    there_is(AS_WANTED);
    json_object_set_new(account.values, "mobile", json("['1']"));
    assert_plans("disable -mobile +description:off 2026-01-01, rename to uid=ann,ou=leavers,dc=x");
    assert_true(plan.leaving);
    assert_true(plan.present);
    assert_int_equal(plan.due.us, 0);
}

static void a_disabled_account_needs_nothing_more(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    there_is(AS_DISABLED);
    account.locator = (char *)"uid=ann,ou=leavers,dc=x";
    assert_plans("none");
    assert_false(plan.leaving);
}

static void a_return_takes_the_disabling_back(void **state)
{
    (void)state;
    identity.profile = json("{'mobile':'1'}");
    identity.status.as_of.us = T0 + 40 * DAY_US;
    there_is(AS_DISABLED);
    account.locator = (char *)"uid=ann,ou=leavers,dc=x";
    assert_plans("enable to uid=ann,ou=people,dc=x +mobile:1 -description");
    assert_false(plan.leaving);
}

static void a_suspended_person_is_disabled_and_made_so_when_new(void **state)
{
    (void)state;
    out("SUSPENDED");
    assert_plans("create");
    assert_string_equal(plan.operations[0].locator, "uid=ann,ou=leavers,dc=x");
    assert_json(json_object_get(plan.operations[0].values, "description"), "['off 2026-01-01']");
}

static void a_broken_name_does_not_keep_a_leaver_in(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    identity.name.value = NULL;
    identity.login.value = NULL;
    there_is(AS_WANTED);
    make();
    assert_int_equal(plan.operations[0].kind, OPERATION_DISABLE);
    assert_null(plan.operations[0].new_locator);
    assert_true(plan.leaving);
}

static void late_create_does_not_revive_a_leaver(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    identity.live_status.as_of.us = T0 - DAY_US;
    assert_plans("create");
    assert_json(json_object_get(plan.operations[0].values, "description"), "['off 2026-01-01']");
    assert_string_equal(plan.operations[0].locator, "uid=ann,ou=leavers,dc=x");
}

static void a_leaver_who_never_lived_here_gets_nothing(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    identity.live_status.value = NULL;
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
    identity.live_status.value = (char *)"ACTIVE";
    identity.login.value = (char *)"bob@contractor";
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
}

static void a_leavers_lost_account_is_not_made_again(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    input.link = &link_seen;
    assert_plans("none");
    link_seen.gone = true;
    assert_plans("none");
    assert_false(plan.present);
}

static void a_returning_identity_gets_an_account_again(void **state)
{
    (void)state;
    link_seen.gone = true;
    input.link = &link_seen;
    assert_plans("create");
}

static void removal_waits_for_its_day(void **state)
{
    (void)state;
    out("DELETED");
    there_is(AS_DISABLED);
    account.locator = (char *)"uid=ann,ou=leavers,dc=x";
    assert_plans("none");
    assert_int_equal(plan.due.us, T0 + 30 * DAY_US);
    input.now.us = T0 + 30 * DAY_US - 1;
    assert_plans("none");
    input.now.us = T0 + 30 * DAY_US;
    assert_plans("remove");
    assert_true(plan.leaving);
    assert_false(plan.present);
    assert_int_equal(plan.due.us, 0);
    assert_json(plan.operations[0].before_image, AS_DISABLED);
    input.account = NULL;
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
}

static void leaving_the_scope_counts_from_when_it_was_seen(void **state)
{
    (void)state;
    identity.login.value = (char *)"ann@contractor";
    there_is(AS_WANTED);
    make();
    assert_int_equal(plan.operations[0].kind, OPERATION_DISABLE);
    assert_int_equal(plan.due.us, input.now.us + 30 * DAY_US);
    input.dated.us = input.now.us + DAY_US;
    make();
    assert_int_equal(plan.due.us, input.now.us + 31 * DAY_US); /* the clock was slow */
    link_seen.due.us = T0 + 5 * DAY_US;
    make();
    assert_int_equal(plan.due.us, T0 + 5 * DAY_US);
    input.now.us = T0 + 5 * DAY_US;
    assert_plans("remove");
}

static void accounts_of_others_outside_the_scope_are_left_alone(void **state)
{
    (void)state;
    identity.login.value = (char *)"ann@contractor";
    there_is(AS_WANTED);
    input.link = NULL;
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
    out("DEPROVISIONED");
    assert_plans("none");
    identity.login.value = (char *)"ann@x";
    identity.live_status.value = NULL;
    make();
    assert_int_equal(plan.operations[0].kind, OPERATION_DISABLE);
}

static void every_path_to_a_status_plans_alike(void **state)
{
    static const char *const statuses[] = { "STAGED", "PROVISIONED", "ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "UNHEARD_OF" };

    (void)state;
    there_is(AS_WANTED);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        out(statuses[i]);
        assert_plans("none");
    }
}

/* ---- queries ---- */

static void a_query_finds_by_link_else_by_match(void **state)
{
    struct plan_query query = { 0 };

    (void)state;
    assert_int_equal(plan_query(mapping, &identity, NULL, &query, &error), 0);
    assert_null(query.query.key);
    assert_string_equal(query.query.locator, "uid=ann,ou=people,dc=x");
    assert_string_equal(query.query.match[0], "(employeeNumber=7)");
    assert_null(query.query.match[1]);
    assert_string_equal(query.query.names[0], "objectClass");
    plan_query_clear(&query);
    identity.profile = json("{'email':')(uid=*'}");
    assert_int_equal(plan_query(mapping, &identity, &link_seen, &query, &error), 0);
    assert_string_equal(query.query.key, "k1");
    assert_string_equal(query.query.match[1], "(mail=\\29\\28uid=\\2a)");
    plan_query_clear(&query);
    link_seen.gone = true;
    identity.login.value = NULL;
    assert_int_equal(plan_query(mapping, &identity, &link_seen, &query, &error), 0);
    assert_null(query.query.key);
    assert_null(query.query.locator);
    plan_query_clear(&query);
}

static void rendering_alone_shows_the_account(void **state)
{
    struct plan_input alone = { .identity = &identity, .now = identity.status.as_of };

    (void)state;
    assert_int_equal(plan_make(mapping, &alone, &plan, &error), 0);
    assert_string_equal(plan.wanted.locator, "uid=ann,ou=people,dc=x");
    assert_json(json_object_get(plan.wanted.values, "cn"), "['Ann Lee']");
}

/* ---- groups ---- */

static const char *const members[] = { "uid=ann,dc=x", "uid=bo\\,b,dc=x" };

static void a_group_is_made_with_members_and_placeholder(void **state)
{
    (void)state;
    input.members = members;
    input.member_count = 2;
    assert_plans("create");
    assert_true(plan.operations[0].group);
    assert_json(json_object_get(plan.operations[0].values, "member"), "['uid=ann,dc=x','uid=bo\\\\,b,dc=x','cn=nobody,dc=x']");
    assert_null(json_object_get(plan.wanted.values, "member"));
}

static void two_members_of_one_name_are_one_value(void **state)
{
    static const char *const same[] = { "uid=ann,dc=x", "uid=ann,dc=x" };

    (void)state;
    input.members = same;
    input.member_count = 2;
    assert_plans("create");
    assert_json(json_object_get(plan.operations[0].values, "member"), "['uid=ann,dc=x','cn=nobody,dc=x']");
}

/* Once it is there, who is in it is for each person's own lane to say. */
static void the_members_of_a_group_that_is_there_are_left_alone(void **state)
{
    (void)state;
    there_is("{'objectClass':['groupOfNames'],'cn':['Dev'],'member':['UID=Ann, dc=X','uid=byhand,dc=x']}");
    input.members = members;
    input.member_count = 2;
    assert_plans("none");
    input.member_count = 0;
    assert_plans("none");
}

static void a_group_of_which_only_the_name_was_heard_exists(void **state)
{
    (void)state;
    identity.exists = false;
    identity.exists_as_of.us = 0;
    assert_plans("create");
    identity.name.value = NULL;
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
}

static void a_deleted_group_is_removed(void **state)
{
    (void)state;
    identity.exists = false;
    there_is("{'objectClass':['groupOfNames'],'cn':['Dev']}");
    assert_plans("remove");
    assert_true(plan.leaving);
    input.account = NULL;
    assert_plans("none");
}

static void a_group_with_its_first_member_waits_for_one(void **state)
{
    (void)state;
    assert_plans("none");
    assert_int_equal(plan.verdict, PLAN_WAIT_MEMBER);
    assert_false(plan.present);
    input.members = members;
    input.member_count = 1;
    assert_plans("create");
    assert_json(json_object_get(plan.operations[0].values, "member"), "['uid=ann,dc=x']");
}

static void a_group_goes_with_its_last_member(void **state)
{
    (void)state;
    there_is("{'objectClass':['groupOfNames'],'cn':['Dev'],'member':['uid=ann,dc=x']}");
    assert_plans("remove");
    assert_int_equal(plan.verdict, PLAN_WAIT_MEMBER);
    there_is("{'objectClass':['groupOfNames'],'cn':['Dev'],'member':['uid=a,dc=x','uid=b,dc=x']}");
    assert_plans("none");
    there_is("{'objectClass':['groupOfNames'],'cn':['Dev'],'member':['uid=byhand,dc=x']}");
    input.link = NULL;
    assert_plans("none");
}

static void a_member_stands_with_its_rendered_value(void **state)
{
    char *value = NULL;

    (void)state;
    assert_int_equal(plan_member_value(mapping, "uid=a\\,b,dc=x", NULL, &value, &error), 0);
    assert_string_equal(value, "uid=a\\,b,dc=x");
    free(value);
    mapping_free(mapping);
    mapping = load("target = \"t\"; kind = \"group\"; account: { dn = \"cn={name}\"; };\n"
                   "members: { attribute = \"memberUid\"; value = \"{member.account.uid}\"; };\n");
    json_t *values = json("{'uid':['ann']}");
    assert_int_equal(plan_member_value(mapping, "uid=ann,dc=x", values, &value, &error), 0);
    assert_string_equal(value, "ann");
    free(value);
    assert_int_equal(plan_member_value(mapping, "uid=ann,dc=x", NULL, &value, &error), 0);
    assert_null(value);
    json_decref(values);
}

static void a_membership_is_one_value_in_one_group(void **state)
{
    struct operation operation;

    (void)state;
    assert_int_equal(plan_member_operation(mapping, OPERATION_MEMBER_ADD, "kg1", "cn=g1", "v", &operation, &error), 0);
    assert_string_equal(operation.locator, "cn=g1");
    assert_string_equal(operation.attribute, "member");
    assert_string_equal(operation.value, "v");
    assert_null(operation.placeholder);
    operation_clear(&operation);
    assert_int_equal(plan_member_operation(mapping, OPERATION_MEMBER_REMOVE, "kg1", "cn=g1", "v", &operation, &error), 0);
    assert_string_equal(operation.placeholder, "cn=nobody,dc=x");
    operation_clear(&operation);
}

static void a_value_has_one_key_for_all_its_spellings(void **state)
{
    cleanup_free char *one = NULL, *other = NULL;

    (void)state;
    assert_int_equal(plan_member_key(mapping, "uid=bo\\,b,dc=x", &one, &error), 0);
    assert_int_equal(plan_member_key(mapping, "UID=Bo\\2cB, DC=X", &other, &error), 0);
    assert_string_equal(one, other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define GROUP_TEST(name) cmocka_unit_test_setup_teardown(name, setup_group, teardown)
#define FIRST_TEST(name) cmocka_unit_test_setup_teardown(name, setup_first, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_joiner_is_created_whole),
        TEST(an_account_as_wanted_needs_nothing),
        TEST(planning_again_after_creation_needs_nothing),
        TEST(the_naming_value_is_in_a_new_entry),
        TEST(a_status_never_heard_is_out_of_scope),
        TEST(an_absent_required_value_is_refused_with_its_place),
        TEST(only_differences_become_changes),
        TEST(lists_change_value_by_value),
        TEST(a_change_of_case_in_a_list_replaces_it),
        TEST(once_is_written_at_creation_alone),
        TEST(merge_adds_and_never_takes_away),
        TEST(a_profile_that_was_never_read_takes_nothing_away),
        TEST(a_new_login_renames),
        TEST(a_dn_that_differs_in_spelling_is_no_rename),
        TEST(a_pinned_dn_is_not_renamed),
        TEST(an_unlinked_account_is_adopted_not_doubled),
        TEST(a_leaver_is_moved_marked_and_stripped),
        TEST(a_disabled_account_needs_nothing_more),
        TEST(a_return_takes_the_disabling_back),
        TEST(a_suspended_person_is_disabled_and_made_so_when_new),
        TEST(a_broken_name_does_not_keep_a_leaver_in),
        TEST(late_create_does_not_revive_a_leaver),
        TEST(a_leaver_who_never_lived_here_gets_nothing),
        TEST(a_leavers_lost_account_is_not_made_again),
        TEST(a_returning_identity_gets_an_account_again),
        TEST(removal_waits_for_its_day),
        TEST(leaving_the_scope_counts_from_when_it_was_seen),
        TEST(accounts_of_others_outside_the_scope_are_left_alone),
        TEST(every_path_to_a_status_plans_alike),
        TEST(a_query_finds_by_link_else_by_match),
        TEST(rendering_alone_shows_the_account),
        GROUP_TEST(a_group_is_made_with_members_and_placeholder),
        GROUP_TEST(two_members_of_one_name_are_one_value),
        GROUP_TEST(the_members_of_a_group_that_is_there_are_left_alone),
        GROUP_TEST(a_group_of_which_only_the_name_was_heard_exists),
        GROUP_TEST(a_deleted_group_is_removed),
        FIRST_TEST(a_group_with_its_first_member_waits_for_one),
        FIRST_TEST(a_group_goes_with_its_last_member),
        GROUP_TEST(a_member_stands_with_its_rendered_value),
        GROUP_TEST(a_membership_is_one_value_in_one_group),
        GROUP_TEST(a_value_has_one_key_for_all_its_spellings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
