#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/api_ops.h"
#include "tests/support/directory_ops.h"
#include "tests/support/plan_text.h"

/* Out means out: what goes first when somebody leaves, what is taken back on return, and what must not pass for done. */

#define T0 (INT64_C(1767225600) * 1000000) /* 2026-01-01 */

#define PEOPLE                                                                                                   \
    "target = \"t\"; kind = \"user\";\n"                                                                         \
    "account: { dn = \"uid={login | before '@'},ou=people,dc=x\"; uid = \"{login | before '@'}\"; mail = \"{login}\"; };\n"

/* A lock, a mark that says why, an object class that allows the lock, and another place. */
static const char locked[] =
    PEOPLE "policy: { note = \"merge\"; objectClass = \"merge\"; };\n"
           "disable: { note = \"left {now | date '%F'}\"; lock = \"TRUE\"; objectClass = [ \"lockable\" ];\n"
           "  dn = \"uid={login | before '@'},ou=left,dc=x\"; };\n";
/* Marks alone; where the file says so, the connector lets them be. */
static const char marked[] = PEOPLE "disable_locks = false; disable: { note = \"left {now | date '%F'}\"; };\n";
static const char moved[] = PEOPLE "disable_locks = false; disable: { dn = \"uid={login | before '@'},ou=left,dc=x\"; };\n";
static const char flagged[] =
    "target = \"t\"; kind = \"user\"; policy: { userAccountControl = \"once\"; };\n"
    "account: { dn = \"uid={login | before '@'},ou=people,dc=x\"; uid = \"{login | before '@'}\"; userAccountControl = \"512\"; };\n"
    "disable_locks = false; disable: { userAccountControl = \"514\"; };\n";

static struct mapping *mapping;
static struct identity identity;
static struct account account;
static struct link_view link_seen;
static struct plan_input input;
static struct plan plan;
static struct error error;

static const struct connector_ops *locking_ops(void)
{
    static const char *const locks[] = { "lock", "otherLock", NULL };
    static struct connector_ops ops;

    ops = directory_ops;
    ops.locks = locks;
    return &ops;
}

static int load_into(const char *text, const struct connector_ops *ops, struct problems *problems)
{
    char path[] = "/tmp/provost-locks-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    mapping_free(mapping);
    mapping = NULL;
    int code = mapping_load(path, ops, problems, &mapping);
    unlink(path);
    return code;
}

static void use(const char *text, const struct connector_ops *ops)
{
    struct problems problems = { 0 };

    int code = load_into(text, ops, &problems);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_int_equal(code, 0);
}

static void assert_refused(const char *text, int line, const char *sentence)
{
    struct problems problems = { 0 };

    assert_true(load_into(text, locking_ops(), &problems) < 0);
    assert_int_equal(problems.count, 1);
    if (strstr(problems.list[0].text, sentence) == NULL || problems.list[0].line != line)
        fail_msg("line %d: %s", problems.list[0].line, problems.list[0].text);
    problems_free(&problems);
}

static int setup(void **state)
{
    (void)state;
    mapping = NULL;
    identity = (struct identity){
        .kind = IDENTITY_USER,
        .id = (char *)"7",
        .status = { (char *)"ACTIVE", { T0 } },
        .live_status = { (char *)"ACTIVE", { T0 } },
        .login = { (char *)"ann@x", { T0 } },
    };
    account = (struct account){ .key = (char *)"k1", .locator = (char *)"uid=ann,ou=people,dc=x", .disabled = -1 };
    link_seen = (struct link_view){ .key = "k1" };
    input = (struct plan_input){ .identity = &identity, .account = &account, .link = &link_seen, .now = { T0 } };
    plan = (struct plan){ 0 };
    error = (struct error){ 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plan_clear(&plan);
    json_decref(account.values);
    mapping_free(mapping);
    return 0;
}

static json_t *json(const char *text)
{
    cleanup_free char *copy = strdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    return json_loads(copy, 0, NULL);
}

static void assert_json(const json_t *got, const char *expected)
{
    json_t *wanted = json(expected);

    if (!json_equal(got, wanted)) {
        cleanup_free char *text = json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        fail_msg("expected %s, got %s", expected, text != NULL ? text : "nothing");
    }
    json_decref(wanted);
}

static void there_is(const char *values)
{
    json_decref(account.values);
    account.values = json(values);
    assert_non_null(account.values);
}

static void status(const char *text)
{
    identity.status.value = (char *)(uintptr_t)text;
}

static void assert_plans(const char *expected)
{
    plan_clear(&plan);
    if (plan_make(mapping, &input, &plan, &error) < 0)
        fail_msg("%s", error.text);
    assert_plan_text(&plan, expected);
}

#define HERE "'uid':['ann'],'mail':['ann@x'],'objectClass':['person']"

/* ---- out first ---- */

static void a_lock_goes_first_and_alone(void **state)
{
    (void)state;
    use(locked, locking_ops());
    status("DEPROVISIONED");
    identity.login.value = (char *)"ann.lee@x";
    there_is("{" HERE "}");
    assert_plans("disable +lock:TRUE +objectClass:lockable, "
                 "rename to uid=ann.lee,ou=left,dc=x =mail:ann.lee@x +note:left 2026-01-01");
    assert_true(plan.leaving);
    assert_json(plan.operations[0].before_image, "{'lock':null,'objectClass':['person']}");
    assert_json(plan.operations[1].before_image, "{'mail':['ann@x'],'note':null,'uid':['ann']}");
    assert_string_equal(plan.operations[0].locator, "uid=ann,ou=people,dc=x");
    assert_string_equal(plan.operations[1].locator, "uid=ann,ou=people,dc=x");
}

static void who_is_locked_is_out_whatever_else_is_left_to_do(void **state)
{
    (void)state;
    use(locked, locking_ops());
    status("DEPROVISIONED");
    there_is("{" HERE ",'lock':['TRUE']}");
    assert_plans("rename to uid=ann,ou=left,dc=x +note:left 2026-01-01 +objectClass:lockable");
    assert_false(plan.leaving);
    there_is("{'uid':['ann'],'mail':['old@x'],'objectClass':['person','lockable'],'lock':['TRUE'],'note':['left 2026-01-01']}");
    account.locator = (char *)"uid=ann,ou=left,dc=x";
    assert_plans("update =mail:ann@x");
    assert_false(plan.leaving);
}

static void marks_go_first_where_there_is_no_lock(void **state)
{
    (void)state;
    use(marked, locking_ops());
    status("SUSPENDED");
    identity.login.value = (char *)"ann@y";
    there_is("{" HERE "}");
    assert_plans("disable +note:left 2026-01-01, update =mail:ann@y");
}

static void a_move_disables_where_nothing_else_does(void **state)
{
    (void)state;
    use(moved, locking_ops());
    status("SUSPENDED");
    identity.login.value = (char *)"ann@y";
    there_is("{" HERE "}");
    assert_plans("disable to uid=ann,ou=left,dc=x, rename to uid=ann,ou=left,dc=x =mail:ann@y");
    assert_int_equal(plan.operations[0].change_count, 0);
    identity.login.value = (char *)"ann@x";
    assert_plans("disable to uid=ann,ou=left,dc=x");
    status("ACTIVE");
    account.locator = (char *)"uid=ann,ou=left,dc=x";
    assert_plans("enable to uid=ann,ou=people,dc=x");
}

static void a_mark_that_names_the_entry_goes_with_the_move(void **state)
{
    (void)state;
    use("target = \"t\"; kind = \"user\"; disable_locks = false; account: { dn = \"uid={id},dc=x\"; uid = \"{id}\"; };\n"
        "disable: { dn = \"uid=x{id},dc=x\"; uid = \"x{id}\"; note = \"left {id}\"; };\n", locking_ops());
    status("SUSPENDED");
    account.locator = (char *)"uid=7,dc=x";
    there_is("{'uid':['7']}");
    assert_plans("disable +note:left 7, rename to uid=x7,dc=x");
}

#define API                                                                                                                \
    "target = \"t\"; kind = \"user\"; account: { email = \"{login}\"; name: { given = \"{id}\"; }; };\n"                    \
    "requests: { read: { path = \"/e/{account.key}\"; };\n"                                                                \
    "  update: { path = \"/e/{account.key}\"; body: { email = \"{account.email}\"; active = \"{account.active}\"; }; }; };\n"

static void an_api_gets_the_marks_first_and_the_rest_as_it_is(void **state)
{
    (void)state;
    use(API "while_disabled = \"update\"; disable: { active = false; };\n", &api_ops);
    status("DEPROVISIONED");
    account.disabled = 0;
    there_is("{'email':'old','name':{'given':'7','family':'Lee'},'active':true}");
    assert_plans("disable =active, update =email");
    assert_json(plan.operations[0].values, "{'email':'old','name':{'given':'7'},'active':false}");
    assert_json(plan.operations[1].values, "{'email':'ann@x','name':{'given':'7'},'active':false}");
    assert_json(json_object_get(json_object_get(json_object_get(plan.operations[0].settings, "requests"), "disable"), "body"),
                "{'email':'old','active':false}");
    use(API "disable: { active = false; };\n", &api_ops);
    assert_plans("disable =active");
    assert_json(plan.operations[0].values, "{'email':'old','name':{'given':'7','family':'Lee'},'active':false}");
}

static void what_cannot_be_rendered_later_does_not_keep_a_leaver_in(void **state)
{
    (void)state;
    use("target = \"t\"; kind = \"user\"; while_disabled = \"update\"; account: { email = \"{login}\"; };\n"
        "requests: { read: { path = \"/e/{account.key}\"; }; disable: { path = \"/e/{account.key}/end\"; };\n"
        "  update: { path = \"/e/{account.key}/{name}\"; }; };\n", &api_ops);
    status("DEPROVISIONED");
    account.disabled = 0;
    there_is("{'email':'old'}");
    assert_plans("disable");
    assert_non_null(strstr(plan.unmet, "\"/e/{account.key}/{name}\" has no value for ann@x"));
}

/* ---- a removal that is refused ---- */

static void what_cannot_be_removed_is_disabled(void **state)
{
    (void)state;
    use(PEOPLE "on: { deleted = \"remove\"; suspended = \"keep\"; deactivated = \"keep\"; left_scope = \"keep\"; };\n"
               "disable: { lock = \"TRUE\"; };\n", locking_ops());
    status("DELETED");
    there_is("{" HERE "}");
    assert_plans("remove");
    input.keep = true;
    assert_plans("disable +lock:TRUE");
    assert_true(plan.present);
    assert_int_equal(plan.due.us, 0);
    there_is("{" HERE ",'lock':['TRUE']}");
    assert_plans("none");
    assert_true(plan.present);
    use(PEOPLE "on: { deleted = \"remove\"; suspended = \"keep\"; deactivated = \"keep\"; left_scope = \"keep\"; };\n", locking_ops());
    assert_plans("remove");
}

/* ---- what is taken back ---- */

static void a_lock_that_the_server_set_stays(void **state)
{
    (void)state;
    use(PEOPLE "disable: { lock = \"000001010000Z\"; };\n", locking_ops());
    there_is("{" HERE ",'lock':['20260301120000Z']}");
    assert_plans("none");
    assert_json(json_object_get(plan.wanted.values, "lock"), "['20260301120000Z']");
    identity.login.value = (char *)"ann@y";
    assert_plans("update =mail:ann@y");
    status("SUSPENDED");
    assert_plans("disable =lock:000001010000Z, update =mail:ann@y");
    status("ACTIVE");
    there_is("{" HERE ",'lock':['000001010000Z']}");
    assert_plans("enable =mail:ann@y -lock");
}

static void values_of_others_beside_a_mark_stay(void **state)
{
    (void)state;
    use(marked, locking_ops());
    there_is("{" HERE ",'note':['desk 14','left 2025-05-05']}");
    assert_plans("enable -note:left 2025-05-05");
    there_is("{" HERE ",'note':['desk 14']}");
    assert_plans("none");
}

static void a_mark_of_any_type_and_case_is_taken_back(void **state)
{
    static const char *const texts[] = { "disable: { lock = true; };\n", "disable: { lock = \"true\"; };\n", "disable: { lock = 7; };\n" };
    static const char *const values[] = { "TRUE", "True", "7" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        cleanup_free char *text = str_printf("%s%s", PEOPLE, texts[i]);
        cleanup_free char *there = str_printf("{%s,'lock':['%s']}", HERE, values[i]);
        use(text, locking_ops());
        there_is(there);
        assert_plans("enable -lock");
    }
}

static void account_control_is_judged_by_its_bit(void **state)
{
    static const char *const disabled[] = { "514", "66050", "0x10202", " 0514", "-2147483134" };
    static const char *const enabled[] = { "512", "66048", "0x10200", "-2147483136", "none" };

    (void)state;
    use(flagged, locking_ops());
    for (size_t i = 0; i < 5; i++) {
        cleanup_free char *out = str_printf("{'uid':['ann'],'userAccountControl':['%s']}", disabled[i]);
        cleanup_free char *in = str_printf("{'uid':['ann'],'userAccountControl':['%s']}", enabled[i]);
        status("ACTIVE");
        there_is(out);
        assert_plans("enable =userAccountControl:512");
        there_is(in);
        assert_plans("none");
        status("SUSPENDED");
        assert_plans("disable =userAccountControl:514");
        there_is(out);
        assert_plans("none");
    }
}

static void an_enabling_is_a_lock_taken_back(void **state)
{
    (void)state;
    use(locked, locking_ops());
    account.locator = (char *)"uid=ann,ou=left,dc=x";
    there_is("{'uid':['ann'],'mail':['ann@x'],'objectClass':['person','lockable'],'note':['left 2025-05-05'],'lock':['TRUE']}");
    assert_plans("enable to uid=ann,ou=people,dc=x -note -lock -objectClass:lockable");
    there_is("{'uid':['ann'],'mail':['ann@x'],'objectClass':['person'],'note':['left 2025-05-05']}");
    assert_plans("rename to uid=ann,ou=people,dc=x -note");
}

/* ---- what must not pass for done ---- */

#define NO_ENABLE                                                                                                  \
    "target = \"t\"; kind = \"user\"; account: { email = \"{login}\"; };\n"                                          \
    "requests: { read: { path = \"/e/{account.key}\"; }; disable: { path = \"/e/{account.key}/end\"; }; %s };\n"

static void assert_still_disabled(const char *text, const char *operations, const char *sentence)
{
    use(text, &api_ops);
    assert_plans(operations);
    if (plan.unmet == NULL || strstr(plan.unmet, sentence) == NULL || strstr(plan.unmet, "add requests.enable") == NULL)
        fail_msg("%s", plan.unmet != NULL ? plan.unmet : "nothing is unmet");
}

static void a_return_that_nothing_enables_is_told(void **state)
{
    cleanup_free char *bare = str_printf(NO_ENABLE, ""), *updating = str_printf(NO_ENABLE, "update: { path = \"/e\"; };");

    (void)state;
    account.disabled = 1;
    there_is("{'email':'ann@x'}");
    assert_still_disabled(bare, "none", "requests has disable without enable");
    assert_still_disabled(updating, "none", "requests has disable without enable");
    there_is("{'email':'old'}");
    assert_still_disabled(bare, "none", "requests has disable without enable");
    assert_still_disabled(updating, "update =email", "requests has disable without enable");
    account.disabled = 0;
    assert_plans("update =email");
    assert_null(plan.unmet);
}

/* The target shows it by something that the mapping does not write. */
static void an_update_that_takes_nothing_back_does_not_enable(void **state)
{
    (void)state;
    account.disabled = 1;
    there_is("{'email':'old','name':{'given':'7'},'active':true}");
    assert_still_disabled(API "disable: { active = false; };\n", "update =email", "nothing that the disable group names is left to take back");
    there_is("{'email':'ann@x','name':{'given':'7'},'active':'False'}"); /* in another spelling */
    assert_plans("enable -active");
    assert_null(plan.unmet);
}

static void an_update_that_writes_no_mark_does_not_disable(void **state)
{
    (void)state;
    use(API "while_disabled = \"update\"; disable: { active = false; };\n", &api_ops);
    status("DEPROVISIONED");
    account.disabled = 0;
    there_is("{'email':'old','name':{'given':'7'},'active':false}");
    assert_int_equal(plan_make(mapping, &input, &plan, &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, "calls the account enabled"));
}

static void who_disabled_it_is_no_matter_of_a_mapping_that_never_does(void **state)
{
    (void)state;
    use("target = \"t\"; kind = \"user\"; account: { email = \"{login}\"; };\n"
        "on: { suspended = \"keep\"; deactivated = \"keep\"; deleted = \"keep\"; left_scope = \"keep\"; };\n"
        "requests: { read: { path = \"/e/{account.key}\"; }; update: { path = \"/e\"; }; };\n", &api_ops);
    account.disabled = 1;
    there_is("{'email':'old'}");
    assert_plans("update =email");
    assert_null(plan.unmet);
}

/* ---- the file ---- */

static void a_disable_without_a_lock_is_refused(void **state)
{
    static const char sentence[] = "nothing in disable stops a log-in";

    (void)state;
    assert_refused(PEOPLE "disable: { note = \"left {id}\"; };\n", 3, sentence);
    assert_refused(PEOPLE "disable: { note = \"left {id}\"; };\n", 3, "add lock = \"TRUE\"; (or one of otherLock)");
    assert_refused(PEOPLE "disable: { note = \"left {id}\"; };\n", 3, "disable_locks = false;");
    assert_refused(PEOPLE "disable: { dn = \"uid={login},ou=left,dc=x\"; };\n", 3, "(it has dn, and the old password still works)");
    assert_refused(PEOPLE "disable: { };\n", 3, sentence);
    assert_refused(PEOPLE "disable: { lock = \"\"; };\n", 3, sentence);
    assert_refused(PEOPLE "on: { suspended = \"disable\"; deactivated = \"keep\"; deleted = \"remove\"; left_scope = \"keep\"; };\n"
                          "disable: { note = \"left {id}\"; };\n", 4, sentence);
    assert_refused(PEOPLE, 0, "add disable: { lock = \"TRUE\"; };");
    assert_refused(PEOPLE "disable: { lock = \"TRUE\"; }; disable_locks = 1;\n", 3, "disable_locks is true or false");
    use(PEOPLE "disable: { LOCK = \"TRUE\"; };\n", locking_ops());
    use(PEOPLE "disable: { note = \"left {id}\"; }; disable_locks = false;\n", locking_ops());
    use(PEOPLE "disable: { note = \"left {id}\"; };\n", &directory_ops); /* a connector that names no locks */
    use(PEOPLE "on: { suspended = \"keep\"; deactivated = \"keep\"; deleted = \"remove\"; left_scope = \"keep\"; };\n", locking_ops());
    use("target = \"t\"; kind = \"group\"; account: { dn = \"cn={name},dc=x\"; }; on: { left_scope = \"disable\"; };\n"
        "disable: { note = \"left {id}\"; };\n", locking_ops());
}

static void a_mark_that_cannot_be_told_is_refused(void **state)
{
    (void)state;
    assert_refused(PEOPLE "disable: { lock = \"TRUE\";\n  expires = \"{now | date '%s'}\"; };\n", 4,
                   "disable.expires cannot be told from what others write");
    use(PEOPLE "disable: { lock = \"TRUE\"; expires = \"left {now}\"; };\n", locking_ops());
    use("target = \"t\"; kind = \"user\"; account: { dn = \"uid={id},dc=x\"; expires = \"\"; };\n"
        "disable: { lock = \"TRUE\"; expires = \"{now | date '%s'}\"; };\n", locking_ops());
    use("target = \"t\"; kind = \"user\"; account: { email = \"{login}\"; }; disable: { end = \"{now}\"; };\n"
        "requests: { read: { path = \"/e/{account.key}\"; }; update: { path = \"/e\"; }; };\n", &api_ops);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lock_goes_first_and_alone),
        TEST(who_is_locked_is_out_whatever_else_is_left_to_do),
        TEST(marks_go_first_where_there_is_no_lock),
        TEST(a_move_disables_where_nothing_else_does),
        TEST(a_mark_that_names_the_entry_goes_with_the_move),
        TEST(an_api_gets_the_marks_first_and_the_rest_as_it_is),
        TEST(what_cannot_be_rendered_later_does_not_keep_a_leaver_in),
        TEST(what_cannot_be_removed_is_disabled),
        TEST(a_lock_that_the_server_set_stays),
        TEST(values_of_others_beside_a_mark_stay),
        TEST(a_mark_of_any_type_and_case_is_taken_back),
        TEST(account_control_is_judged_by_its_bit),
        TEST(an_enabling_is_a_lock_taken_back),
        TEST(a_return_that_nothing_enables_is_told),
        TEST(an_update_that_takes_nothing_back_does_not_enable),
        TEST(an_update_that_writes_no_mark_does_not_disable),
        TEST(who_disabled_it_is_no_matter_of_a_mapping_that_never_does),
        TEST(a_disable_without_a_lock_is_refused),
        TEST(a_mark_that_cannot_be_told_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
