#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "plan/diff.h"
#include "plan/plan.h"
#include "tests/support/api_ops.h"

/* Plans for a target that is no directory: typed values, changes by requests. */

#define T0 (INT64_C(1767225600) * 1000000) /* 2026-01-01 */

#define ACCOUNT                                                                                               \
    "target = \"t\"; kind = \"user\"; scope = \"not (login ends with '@contractor')\";\n"                     \
    "account: { name: { given = \"{name | first_word}\"; }; email = \"{profile.email ?? login}\";\n"          \
    "  team = \"{profile.team}\"; roles = \"{profile.roles}\"; start = \"{now | date '%F'}\"; grade = 3; };\n" \
    "policy: { start = \"once\"; };\n"
#define FINDERS                                                                                       \
    "read: { path = \"/e/{account.key}\"; }; match = ( { path = \"/e\"; query: { id = \"{id}\"; }; } );\n" \
    "create: { path = \"/e\"; };"
#define UPDATE "update: { path = \"/e/{account.key}\"; };"
#define REQUEST_PAIR                                                                          \
    "disable: { path = \"/e/{account.key}/end\"; body: { day = \"{now | date '%F'}\"; }; };\n" \
    "enable: { path = \"/e/{account.key}/rehire\"; };"

/* disabled by requests of their own, seen by what the target tells */
static const char by_request[] = ACCOUNT "requests: { " FINDERS UPDATE REQUEST_PAIR " };\n";
static const char by_request_kept_up[] = ACCOUNT "while_disabled = \"update\"; requests: { " FINDERS UPDATE REQUEST_PAIR " };\n";
/* the same, seen by a mark that the target sets */
static const char by_mark[] = ACCOUNT "disable: { state = \"ended\"; }; requests: { " FINDERS UPDATE REQUEST_PAIR " };\n";
/* disabled by an update */
static const char by_update[] = ACCOUNT "disable: { active = false; note = \"left {now | date '%F'}\"; }; requests: { " FINDERS UPDATE " };\n";
static const char by_update_both[] =
    "target = \"t\"; kind = \"user\"; account: { active = true; email = \"{profile.email ?? login}\"; team = \"{profile.team}\"; };\n"
    "while_disabled = \"update\"; disable: { active = false; }; requests: { " FINDERS UPDATE " };\n";
static const char only_known[] = ACCOUNT "requests: { read: { path = \"/e/{account.key}\"; }; disable: { path = \"/d/{account.key}\"; }; };\n";

static const char groups_text[] =
    "target = \"t\"; kind = \"group\"; account: { displayName = \"{name}\"; };\n"
    "members: { attribute = \"members\"; value = \"{member.account.key}\"; };\n"
    "requests: { create: { path = \"/g\"; }; update: { path = \"/g/{account.key}\"; }; remove: { path = \"/g/{account.key}\"; };\n"
    "  member_add: { path = \"/g/{account.key}/m/{value}\"; }; member_remove: { path = \"/g/{account.key}/m/{value}\"; };\n"
    "  groups_of: { path = \"/u/{value}\"; }; };\n";

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
    mapping_load(path, &api_ops, &problems, &loaded);
    unlink(path);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_non_null(loaded);
    return loaded;
}

static void use(const char *text)
{
    mapping_free(mapping);
    mapping = load(text);
}

static int setup(void **state)
{
    (void)state;
    mapping = load(by_request);
    identity = (struct identity){
        .kind = IDENTITY_USER,
        .id = (char *)"7",
        .status = { (char *)"ACTIVE", { T0 } },
        .live_status = { (char *)"ACTIVE", { T0 } },
        .login = { (char *)"ann@x", { T0 } },
        .name = { (char *)"Ann Lee", { T0 } },
    };
    account = (struct account){ .key = (char *)"17", .locator = (char *)"17", .disabled = 0 };
    link_seen = (struct link_view){ .key = "17", .locator = "17" };
    input = (struct plan_input){ .identity = &identity, .now = { T0 } };
    plan = (struct plan){ 0 };
    error = (struct error){ 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plan_clear(&plan);
    json_decref(account.values);
    account.values = NULL;
    json_decref(identity.profile);
    identity.profile = NULL;
    mapping_free(mapping);
    mapping = NULL;
    return 0;
}

static json_t *json(const char *text)
{
    cleanup_free char *copy = strdup(text);
    json_error_t why;

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, &why);
    if (value == NULL)
        fail_msg("%s: %s", copy, why.text);
    return value;
}

static void assert_json(const json_t *got, const char *expected)
{
    json_t *wanted = json(expected);

    if (!json_equal(got, wanted)) {
        char *text = got != NULL ? json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
        fail_msg("expected %s, got %s", expected, text != NULL ? text : "nothing");
    }
    json_decref(wanted);
}

static void there_is(int disabled, const char *values)
{
    json_decref(account.values);
    account.values = json(values);
    account.disabled = disabled;
    input.account = &account;
    input.link = &link_seen;
}

static void out(const char *status)
{
    identity.status.value = (char *)status;
}

static void make(void)
{
    plan_clear(&plan);
    if (plan_make(mapping, &input, &plan, &error) < 0)
        fail_msg("%s", error.text);
}

/* The plan as "enable, update =team -roles". */
static void assert_plans(const char *expected)
{
    static const char signs[] = { [CHANGE_ADD] = '+', [CHANGE_DELETE] = '-', [CHANGE_REPLACE] = '=' };
    cleanup_buf struct buf text = { 0 };

    make();
    for (size_t i = 0; i < plan.operation_count; i++) {
        const struct operation *operation = &plan.operations[i];
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", operation_kind_name(operation->kind));
        for (size_t c = 0; c < operation->change_count; c++)
            buf_printf(&text, " %c%s", signs[operation->changes[c].kind], operation->changes[c].name);
    }
    if (strcmp(text.bytes != NULL ? text.bytes : "", expected) != 0)
        fail_msg("expected \"%s\", got \"%s\"", expected, text.bytes != NULL ? text.bytes : "");
}

#define AS_WANTED "'name':{'given':'Ann','family':'Lee'},'email':'ann@x','start':'2020-05-05','grade':3"

/* ---- comparison ---- */

static void assert_fits(bool fits, const char *wanted_text, const char *current_text)
{
    json_t *wanted = json(wanted_text), *current = json(current_text);

    if (value_fits(wanted, current) != fits)
        fail_msg("%s %s", wanted_text, current_text);
    json_decref(wanted);
    json_decref(current);
}

static void a_value_fits_by_what_the_mapping_names(void **state)
{
    (void)state;
    assert_fits(true, "{'a':1}", "{'a':1,'b':2}");
    assert_fits(false, "{'a':1,'b':2}", "{'a':1}");
    assert_fits(true, "{'a':{'b':[1]}}", "{'a':{'b':[1],'c':0}}");
    assert_fits(false, "{'a':1}", "[1]");
    assert_fits(true, "['a','b']", "['b','a']");
    assert_fits(false, "['a','a']", "['a','b']");
    assert_fits(false, "['a']", "['a','b']");
    assert_fits(false, "['a','b']", "['a']");
    assert_fits(true, "[{'v':1},{'v':1,'w':2}]", "[{'v':1,'w':2,'x':0},{'v':1}]");
    assert_fits(false, "[{'v':1},{'v':1,'w':2}]", "[{'v':1},{'v':1}]");
    assert_fits(true, "1", "1.0");
    assert_fits(false, "1", "'1'");
    assert_fits(false, "true", "'true'");
    assert_fits(false, "'a'", "'A'");
}

static void a_list_of_one_is_no_single_value(void **state)
{
    (void)state;
    assert_fits(false, "['a']", "'a'");
    assert_fits(false, "'a'", "['a']");
    identity.profile = json("{'roles':['clerk']}");
    there_is(0, "{" AS_WANTED ",'roles':'clerk'}");
    assert_plans("update =roles");
    assert_json(plan.operations[0].changes[0].values, "['clerk']");
    there_is(0, "{" AS_WANTED ",'roles':['clerk']}");
    assert_plans("");
}

static void a_value_that_the_target_keeps_in_another_case_is_sent_once(void **state)
{
    static const char theirs[] = "{'name':{'given':'ann'},'email':'ann@x','start':'2020-05-05','grade':3,'roles':['CLERK']}";

    (void)state;
    identity.profile = json("{'roles':['clerk'],'email':'Ann@X'}");
    there_is(0, theirs);
    assert_plans("update =name =email =roles"); /* it was not ours yet */
    link_seen.account = "{\"name\":{\"given\":\"Ann\"},\"email\":\"Ann@X\",\"roles\":[\"clerk\"],\"grade\":3}";
    assert_plans("");
    assert_json(json_object_get(plan.wanted.values, "email"), "'Ann@X'");
    link_seen.account = "{\"name\":{\"given\":\"Ann\"},\"email\":\"ann@x\",\"roles\":[\"clerk\"],\"grade\":3}";
    assert_plans("update =email"); /* a new spelling at the source */
    link_seen.account = "{\"name\":{\"given\":\"Ann\"},\"email\":\"Ann@X\",\"roles\":[\"clerk\"],\"grade\":3}";
    there_is(0, "{'name':{'given':'ann'},'email':'anne@x','start':'2020-05-05','grade':3,'roles':['CLERK']}");
    assert_plans("update =email"); /* more than the case */
}

/* ---- joiners and movers ---- */

static void a_joiner_is_created_with_typed_values(void **state)
{
    (void)state;
    identity.profile = json("{'roles':['a','b'],'team':7}");
    assert_plans("create");
    assert_json(plan.operations[0].values, "{'name':{'given':'Ann'},'email':'ann@x','team':7,'roles':['a','b'],'start':'2026-01-01','grade':3}");
    assert_null(plan.operations[0].locator);
    assert_json(plan.operations[0].settings, "{'requests':{'create':{'path':'/e'},'match':[{'path':'/e','query':{'id':'7'}}]}}");
    assert_true(plan.present);
}

static void an_account_as_wanted_needs_nothing(void **state)
{
    (void)state;
    there_is(0, "{" AS_WANTED "}");
    assert_plans("");
    there_is(-1, "{" AS_WANTED "}");
    assert_plans("");
    assert_string_equal(plan.wanted.locator, "17");
}

static void a_mover_is_updated_by_the_difference(void **state)
{
    (void)state;
    identity.profile = json("{'team':'B'}");
    there_is(0, "{" AS_WANTED ",'team':'A','roles':['x']}");
    assert_plans("update =team -roles");
    assert_json(plan.operations[0].changes[0].values, "'B'");
    assert_null(plan.operations[0].changes[1].values);
    assert_json(plan.operations[0].before_image, "{'team':'A','roles':['x']}");
    assert_json(plan.operations[0].values, "{'name':{'given':'Ann'},'email':'ann@x','team':'B','start':'2020-05-05','grade':3}");
    assert_json(plan.operations[0].settings, "{'requests':{'update':{'path':'/e/17'},'read':{'path':'/e/17'},"
                                             "'match':[{'path':'/e','query':{'id':'7'}}]}}");
}

static const char nested[] =
    "target = \"t\"; kind = \"user\"; account: { name: { given = \"{name | first_word}\"; nick = \"{profile.nick}\";\n"
    "  former: { family = \"{profile.born}\"; given = \"{id}\"; }; }; };\n"
    "requests: { " FINDERS UPDATE REQUEST_PAIR " };\n";

static void a_member_of_a_group_that_became_absent_goes(void **state)
{
    (void)state;
    use(nested);
    identity.profile = json("{'nick':''}");
    there_is(0, "{'name':{'given':'Ann','nick':'Annie','title':'Dr','former':{'family':'Orr','given':'7'}}}");
    assert_plans("update =name");
    assert_json(plan.operations[0].changes[0].values, "{'given':'Ann','nick':null,'former':{'family':null,'given':'7'}}");
    assert_json(plan.operations[0].values, "{'name':{'given':'Ann','former':{'given':'7'}}}");
    there_is(0, "{'name':{'given':'Ann','nick':null,'title':'Dr','former':{'given':'7'}}}");
    assert_plans("");
}

static void a_member_of_a_group_stays_when_the_profile_was_not_read(void **state)
{
    (void)state;
    use(nested);
    there_is(0, "{'name':{'given':'Ann','nick':'Annie','former':{'family':'Orr','given':'7'}}}");
    assert_plans("");
}

static void what_has_no_request_is_not_planned(void **state)
{
    (void)state;
    use(only_known);
    assert_plans("");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
    assert_false(plan.present);
    there_is(0, "{'email':'old'}");
    assert_plans("");
    assert_int_equal(plan.verdict, PLAN_CONVERGE);
    there_is(1, "{}");
    assert_plans("");
    out("DEPROVISIONED");
    there_is(0, "{}");
    assert_plans("disable");
}

/* ---- leavers ---- */

static void a_leaver_is_disabled_and_nothing_else(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    there_is(0, "{'email':'old'}");
    assert_plans("disable");
    assert_true(plan.leaving);
    assert_json(json_object_get(json_object_get(plan.operations[0].settings, "requests"), "disable"),
                "{'path':'/e/17/end','body':{'day':'2026-01-01'}}");
    assert_json(plan.operations[0].before_image, "{}");
    there_is(1, "{'email':'old'}");
    assert_plans("");
    assert_false(plan.leaving);
}

static void a_disabled_account_is_kept_up_where_the_file_says_so(void **state)
{
    (void)state;
    use(by_request_kept_up);
    out("DEPROVISIONED");
    there_is(0, "{" AS_WANTED ",'team':'A'}");
    identity.profile = json("{'team':'B'}");
    assert_plans("disable, update =team");
    assert_true(plan.leaving);
    there_is(1, "{" AS_WANTED ",'team':'A'}");
    assert_plans("update =team");
    assert_false(plan.leaving);
}

static void nobody_is_made_to_be_disabled_by_a_request(void **state)
{
    (void)state;
    out("SUSPENDED");
    assert_plans("");
    assert_int_equal(plan.verdict, PLAN_OUT_OF_SCOPE);
    use(by_update);
    assert_plans("create");
    assert_json(json_object_get(plan.operations[0].values, "active"), "false");
}

static void a_mark_tells_where_the_target_does_not(void **state)
{
    (void)state;
    use(by_mark);
    out("DEPROVISIONED");
    there_is(-1, "{" AS_WANTED ",'state':'active'}");
    assert_plans("disable");
    there_is(-1, "{" AS_WANTED ",'state':'ended'}");
    assert_plans("");
    out("ACTIVE");
    assert_plans("enable");
    there_is(-1, "{" AS_WANTED ",'state':'active'}"); /* a value that is not ours */
    assert_plans("");
}

static void a_leaver_of_whom_nothing_tells_is_disabled_again(void **state)
{
    (void)state;
    out("DEPROVISIONED");
    there_is(-1, "{" AS_WANTED "}");
    assert_plans("disable");
}

/* Hired in January, out of the group that the scope asks for in March: the last day is in March. */
static void who_falls_out_of_scope_left_when_it_happened(void **state)
{
    static const char paid[] =
        "target = \"t\"; kind = \"user\"; scope = \"groups contains 'paid'\"; account: { email = \"{login}\"; };\n"
        "requests: { read: { path = \"/e/{account.key}\"; };\n"
        "  disable: { path = \"/e/{account.key}/end\"; body: { day = \"{now | date '%F'}\"; }; };\n"
        "  enable: { path = \"/e/{account.key}/rehire\"; body: { day = \"{now | date '%F'}\"; }; }; };\n";
    struct membership group = { .id = (char *)"g", .name = (char *)"paid", .as_of = { T0 + INT64_C(59) * 86400 * 1000000 } };

    (void)state;
    use(paid);
    identity.groups = &group;
    identity.group_count = 1;
    there_is(0, "{'email':'ann@x'}");
    assert_plans("disable");
    assert_json(json_object_get(plan.operations[0].settings, "requests"),
                "{'disable':{'path':'/e/17/end','body':{'day':'2026-03-01'}},'read':{'path':'/e/17'}}");
    group.present = true;
    there_is(1, "{'email':'ann@x'}");
    assert_plans("enable");
    assert_json(json_object_get(json_object_get(plan.operations[0].settings, "requests"), "enable"),
                "{'path':'/e/17/rehire','body':{'day':'2026-03-01'}}");
    identity.groups = NULL;
    identity.group_count = 0;
}

static void an_update_may_disable(void **state)
{
    (void)state;
    use(by_update);
    out("DEPROVISIONED");
    there_is(0, "{'email':'old','active':true}");
    assert_plans("disable =active =note");
    assert_json(json_object_get(json_object_get(plan.operations[0].settings, "requests"), "disable"), "{'path':'/e/17'}");
    assert_json(json_object_get(plan.operations[0].values, "email"), "'old'");
    assert_json(plan.operations[0].before_image, "{'active':true,'note':null}");
    there_is(1, "{'email':'old','active':false}");
    assert_plans("");
    there_is(-1, "{'email':'old','active':false,'note':'left 2026-01-01'}");
    assert_plans("");
}

static void a_target_that_calls_the_disabled_enabled_is_told(void **state)
{
    (void)state;
    use(by_update);
    out("DEPROVISIONED");
    there_is(0, "{'active':false,'note':'left 2026-01-01'}");
    assert_int_equal(plan_make(mapping, &input, &plan, &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, "calls the account enabled"));
}

/* ---- returns ---- */

static void a_return_enables_first_and_updates_then(void **state)
{
    (void)state;
    identity.profile = json("{'team':'B'}");
    there_is(1, "{" AS_WANTED ",'team':'A'}");
    assert_plans("enable, update =team");
    assert_json(json_object_get(json_object_get(plan.operations[0].settings, "requests"), "enable"), "{'path':'/e/17/rehire'}");
    assert_json(json_object_get(json_object_get(plan.operations[1].settings, "requests"), "update"), "{'path':'/e/17'}");
    there_is(1, "{" AS_WANTED ",'team':'B'}");
    assert_plans("enable");
}

static void an_update_may_enable(void **state)
{
    (void)state;
    use(by_update_both);
    there_is(1, "{'active':false,'email':'old'}");
    assert_plans("enable =active =email");
    there_is(-1, "{'active':false,'email':'ann@x'}");
    assert_plans("enable =active");
    there_is(0, "{'active':true,'email':'old'}");
    assert_plans("update =email");
    use(by_update);
    there_is(1, "{" AS_WANTED ",'active':false,'note':'left 2025-12-12'}");
    assert_plans("enable -active -note");
    there_is(0, "{" AS_WANTED ",'active':true,'note':'likes tea'}");
    assert_plans("");
}

/* ---- groups ---- */

static void a_groups_members_are_added_one_by_one(void **state)
{
    static const char *const members[] = { "17" };
    cleanup_free char *value = NULL;

    (void)state;
    use(groups_text);
    identity.kind = IDENTITY_GROUP;
    identity.name.value = (char *)"Dev";
    identity.exists = true;
    identity.exists_as_of.us = T0;
    input.members = members;
    input.member_count = 1;
    assert_true(plan_adds_members(mapping));
    assert_plans("create");
    assert_json(plan.operations[0].values, "{'displayName':'Dev'}");
    there_is(-1, "{'displayName':'Dev','members':[{'value':'16'}]}");
    assert_plans("");
    assert_int_equal(plan_member_value(mapping, "17", NULL, &value, &error), 0);
    assert_string_equal(value, "17");
    there_is(-1, "{'members':[16,17]}");
    assert_plans("update =displayName");
}

static void a_membership_is_asked_for_by_the_groups_key(void **state)
{
    struct operation operation;

    (void)state;
    use(groups_text);
    assert_int_equal(plan_member_operation(mapping, OPERATION_MEMBER_ADD, "4/2", "4/2", "17", &operation, &error), 0);
    assert_json(operation.settings, "{'requests':{'member_add':{'path':'/g/4%2F2/m/17'}}}");
    operation_clear(&operation);
    assert_int_equal(plan_member_operation(mapping, OPERATION_MEMBER_REMOVE, "5", "5", "17", &operation, &error), 0);
    assert_json(operation.settings, "{'requests':{'member_remove':{'path':'/g/5/m/17'}}}");
    operation_clear(&operation);
}

/* ---- planning again ---- */

static void set_at(json_t *values, const char *name, const json_t *value)
{
    if (value == NULL)
        json_object_del(values, name);
    else
        json_object_set(values, name, (json_t *)value);
}

/* Does to `account` what an API would. */
static void carry_out(const struct operation *operation, bool tells, bool marks)
{
    bool ends = operation->kind == OPERATION_DISABLE, begins = operation->kind == OPERATION_ENABLE;

    if (operation->kind == OPERATION_CREATE)
        json_object_update(account.values, operation->values);
    for (size_t i = 0; i < operation->change_count; i++)
        set_at(account.values, operation->changes[i].name, operation->changes[i].values);
    if (marks && (ends || begins))
        json_object_set_new(account.values, "state", json_string(ends ? "ended" : "active"));
    if (tells && (ends || begins))
        account.disabled = ends;
}

static void assert_settles(const char *text, const char *status, int flag, const char *values)
{
    use(text);
    out(status);
    there_is(flag, values != NULL ? values : "{}");
    if (values == NULL)
        input.account = NULL;
    make();
    for (size_t i = 0; i < plan.operation_count; i++)
        carry_out(&plan.operations[i], flag >= 0, text == by_mark);
    if (values == NULL && plan.operation_count > 0 && strcmp(status, "ACTIVE") != 0)
        account.disabled = flag >= 0 ? 1 : -1; /* made as one */
    if (values == NULL && plan.operation_count == 0)
        return;
    input.account = &account;
    plan_clear(&plan);
    if (plan_make(mapping, &input, &plan, &error) < 0)
        fail_msg("%s, %s, %d: %s", text, status, flag, error.text);
    if (plan.operation_count != 0)
        fail_msg("%s, %s, %d, %s: plans %s again", text, status, flag, values != NULL ? values : "none",
                 operation_kind_name(plan.operations[0].kind));
}

static void planning_again_gives_nothing(void **state)
{
    static const char *const mappings[] = { by_request, by_request_kept_up, by_mark, by_update, by_update_both };
    static const char *const statuses[] = { "ACTIVE", "SUSPENDED", "DEPROVISIONED", "DELETED" };
    static const char *const accounts[] = {
        NULL,
        "{}",
        "{" AS_WANTED "}",
        "{'email':'old','team':'A','roles':['x'],'active':true,'state':'active'}",
        "{'email':'old','team':['B'],'roles':'x','name':'Ann','active':true,'grade':'3'}",
        "{" AS_WANTED ",'team':'B','roles':[{'v':1,'w':2}],'note':'likes tea','active':true}",
    };

    (void)state;
    identity.profile = json("{'team':'B','roles':[{'v':1}]}");
    for (size_t m = 0; m < sizeof(mappings) / sizeof(mappings[0]); m++)
        for (size_t s = 0; s < sizeof(statuses) / sizeof(statuses[0]); s++)
            for (size_t a = 0; a < sizeof(accounts) / sizeof(accounts[0]); a++) {
                bool told = mappings[m] == by_request || mappings[m] == by_request_kept_up;
                assert_settles(mappings[m], statuses[s], 0, accounts[a]);
                if (!told) /* by marks alone */
                    assert_settles(mappings[m], statuses[s], -1, accounts[a]);
                if (mappings[m] != by_update && mappings[m] != by_update_both && accounts[a] != NULL)
                    assert_settles(mappings[m], statuses[s], 1, accounts[a]);
            }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_value_fits_by_what_the_mapping_names),
        TEST(a_list_of_one_is_no_single_value),
        TEST(a_value_that_the_target_keeps_in_another_case_is_sent_once),
        TEST(a_joiner_is_created_with_typed_values),
        TEST(an_account_as_wanted_needs_nothing),
        TEST(a_mover_is_updated_by_the_difference),
        TEST(a_member_of_a_group_that_became_absent_goes),
        TEST(a_member_of_a_group_stays_when_the_profile_was_not_read),
        TEST(what_has_no_request_is_not_planned),
        TEST(a_leaver_is_disabled_and_nothing_else),
        TEST(a_disabled_account_is_kept_up_where_the_file_says_so),
        TEST(nobody_is_made_to_be_disabled_by_a_request),
        TEST(a_mark_tells_where_the_target_does_not),
        TEST(a_leaver_of_whom_nothing_tells_is_disabled_again),
        TEST(who_falls_out_of_scope_left_when_it_happened),
        TEST(an_update_may_disable),
        TEST(a_target_that_calls_the_disabled_enabled_is_told),
        TEST(a_return_enables_first_and_updates_then),
        TEST(an_update_may_enable),
        TEST(a_groups_members_are_added_one_by_one),
        TEST(a_membership_is_asked_for_by_the_groups_key),
        TEST(planning_again_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
