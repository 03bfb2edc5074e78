#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "plan/mapping.h"
#include "plan/mapping_test.h"
#include "tests/support/directory_ops.h"

static char folder[] = "/tmp/provost-mapping-XXXXXX";
static char *path, *test_path;

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    path = str_printf("%s/people.conf", folder);
    test_path = str_printf("%s/people.test.conf", folder);
    return path == NULL || test_path == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(test_path);
    rmdir(folder);
    free(path);
    free(test_path);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define HEAD "target = \"t\";\nkind = \"user\";\n"
#define GROUP "target = \"t\";\nkind = \"group\";\n"
#define ACCOUNT "account: { dn = \"uid={id},dc=x\"; uid = \"{id}\"; };\n"
#define DISABLE "disable: { description = \"off\"; };\n"

static struct mapping *load(const char *text, struct problems *problems)
{
    struct mapping *mapping = NULL;

    write_file(path, text);
    int code = mapping_load(path, &directory_ops, problems, &mapping);
    assert_int_equal(code < 0, problems->count > 0);
    assert_int_equal(mapping == NULL, code < 0);
    return mapping;
}

static struct mapping *load_good(const char *text)
{
    struct problems problems = { 0 };
    struct mapping *mapping = load(text, &problems);

    if (mapping == NULL) {
        problems_print(&problems, stderr);
        fail_msg("a good mapping was refused");
    }
    return mapping;
}

/* Loading it tells of exactly one mistake, there, in these words. */
static void assert_one_mistake(const char *text, int line, int column, const char *part)
{
    struct problems problems = { 0 };

    load(text, &problems);
    bool good = problems.count == 1 && problems.list[0].line == line && problems.list[0].column == column &&
                strstr(problems.list[0].text, part) != NULL && str_equal(problems.list[0].file, path);
    if (!good) {
        problems_print(&problems, stderr);
        fail_msg("expected one mistake at %d:%d with \"%s\"", line, column, part);
    }
    problems_free(&problems);
}

static void a_good_file_says_what_it_is(void **state)
{
    (void)state;
    struct mapping *mapping = load_good(HEAD ACCOUNT DISABLE);

    assert_string_equal(mapping_target(mapping), "t");
    assert_string_equal(mapping_path(mapping), path);
    assert_int_equal(mapping_kind(mapping), IDENTITY_USER);
    assert_null(mapping_member_attribute(mapping));
    assert_int_equal(mapping_facts(mapping), FACT_BIT(FACT_STATUS));
    mapping_free(mapping);
}

static void facts_are_those_that_expressions_use(void **state)
{
    (void)state;
    struct mapping *mapping = load_good(HEAD "scope = \"groups contains 'x' or apps contains 'y'\";\n"
                                             "account: { dn = \"uid={login},dc=x\"; cn = \"{profile.a ?? name}\"; };\n" DISABLE);

    assert_int_equal(mapping_facts(mapping), FACT_BIT(FACT_STATUS) | FACT_BIT(FACT_LOGIN) | FACT_BIT(FACT_NAME) |
                                                 FACT_BIT(FACT_PROFILE) | FACT_BIT(FACT_MEMBER) | FACT_BIT(FACT_ASSIGNED) |
                                                 FACT_BIT(FACT_GROUP_NAME) | FACT_BIT(FACT_GROUP_EXISTS));
    mapping_free(mapping);
    mapping = load_good(GROUP "account: { dn = \"cn={name},dc=x\"; };\n");
    assert_int_equal(mapping_facts(mapping), FACT_BIT(FACT_GROUP_EXISTS) | FACT_BIT(FACT_GROUP_NAME));
    mapping_free(mapping);
}

static void a_mistake_in_an_expression_has_line_and_column(void **state)
{
    (void)state;
    assert_one_mistake(HEAD "account: {\n  dn = \"uid={id},dc=x\";\n  cn = \"a {profle.x}\";\n};\n" DISABLE, 5, 12,
                       "account.cn: unknown name \"profle\"; did you mean \"profile\"? (in \"a {profle.x}\")");
    assert_one_mistake(HEAD ACCOUNT DISABLE "scope = \"login = 'x'\";\n", 5, 16, "comparing is ==");
    assert_one_mistake(HEAD ACCOUNT DISABLE "match = ( \"(a={id})\",\n  \"(x=\\\"{idd})\" );\n", 6, 10, "did you mean \"id\"?");
    assert_one_mistake(HEAD ACCOUNT "disable: { description = \"{login | lowr}\"; };\n", 4, 36, "unknown function");
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    assert_one_mistake(HEAD ACCOUNT DISABLE "scop = \"true\";\n", 5, 0, "unknown name \"scop\"; did you mean \"scope\"?");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { deactivate = \"disable\"; };\n", 5, 0, "did you mean \"deactivated\"?");
    assert_one_mistake(HEAD ACCOUNT DISABLE "policy: { uit = \"once\"; };\n", 5, 0, "did you mean \"uid\"?");
    assert_one_mistake(HEAD ACCOUNT DISABLE "required = [ \"uidd\" ];\n", 5, 0, "did you mean \"uid\"?");
}

#define LEAVERS "disable: { dn = \"uid={id},ou=b,dc=x\"; description = \"off\"; };\n"

static void assert_bases(const char *text, const char *first, const char *second)
{
    struct mapping *mapping = load_good(text);

    assert_true(str_equal(mapping->bases[0], first));
    assert_true(first == NULL || str_equal(mapping->bases[1], second));
    assert_true(first == NULL || second == NULL || mapping->bases[2] == NULL);
    mapping_free(mapping);
}

static void the_base_is_where_the_dns_end_unless_it_is_said(void **state)
{
    (void)state;
    assert_bases(HEAD ACCOUNT DISABLE, "dc=x", NULL);
    assert_bases(HEAD "account: { dn = \"uid={id},ou=a,dc=x\"; };\n" LEAVERS, "ou=a,dc=x", "ou=b,dc=x");
    assert_bases(HEAD ACCOUNT LEAVERS, "dc=x", NULL); /* one within the other */
    assert_bases(HEAD "account: { dn = \"uid={id},ou=a,ou=b,dc=x\"; };\n" LEAVERS, "ou=b,dc=x", NULL);
    assert_bases(HEAD "account: { dn = \"{profile.dn}\"; };\n" LEAVERS, NULL, NULL);
    assert_bases(HEAD ACCOUNT "disable: { dn = \"{profile.former}\"; description = \"off\"; };\n", NULL, NULL);
    assert_bases(HEAD ACCOUNT DISABLE "base = \"DC=X\";\n", "DC=X", NULL);
    assert_bases(HEAD "account: { dn = \"uid={id},ou=a,dc=x\"; };\n" DISABLE "base = [ \"ou=A, dc=x\", \"ou=c,dc=x\" ];\n", "ou=A, dc=x",
                 "ou=c,dc=x");
}

static void groups_are_adopted_where_the_file_says_so(void **state)
{
    (void)state;
    struct mapping *silent = load_good(GROUP ACCOUNT), *says = load_good(GROUP ACCOUNT "adopt = true;\n"), *people = load_good(HEAD ACCOUNT DISABLE);

    assert_false(mapping_adopts(silent));
    assert_true(mapping_adopts(says));
    assert_true(mapping_adopts(people));
    mapping_free(silent);
    mapping_free(says);
    mapping_free(people);
    assert_one_mistake(GROUP ACCOUNT "adopt = \"yes\";\n", 4, 0, "adopt is true or false");
    assert_one_mistake(HEAD ACCOUNT DISABLE "adopt = false;\n", 5, 0, "adopt is for groups");
}

static void a_base_that_leaves_places_out_is_refused(void **state)
{
    (void)state;
    assert_one_mistake(HEAD "account: { dn = \"uid={id},ou=a,dc=x\"; };\n" DISABLE "base = \"ou=b,dc=x\";\n", 5, 0,
                       "base does not contain \"ou=a,dc=x\", where account.dn (line 3) puts entries; add it: base = [ \"ou=b,dc=x\", ");
    assert_one_mistake(HEAD "account: { dn = \"uid={id},ou=a,dc=x\"; };\n" LEAVERS "base = \"ou=a,dc=x\";\n", 5, 0,
                       "\"ou=b,dc=x\", where disable.dn (line 4)");
    assert_one_mistake(HEAD "account: { dn = \"uid={id},oou=a,dc=x\"; };\n" DISABLE "base = \"ou=a,dc=x\";\n", 5, 0, "\"oou=a,dc=x\"");
    assert_one_mistake(HEAD ACCOUNT DISABLE "base = \"people\";\n", 5, 0, "base: \"people\" is no distinguished name");
    assert_one_mistake(HEAD ACCOUNT DISABLE "base = 3;\n", 5, 0, "base is a DN, or a list");
}

static void wrong_values_say_what_is_possible(void **state)
{
    (void)state;
    assert_one_mistake(HEAD ACCOUNT "more = ( { name = \"x;y\"; value = \"{id}\"; } );\n"
                       "disable: { cn = \"{account.'x;y'} {account.dn} {account.uidd}\"; };\n", 5, 48,
                       "disable.cn: there is no account.uidd, did you mean account.uid?; known are: uid, x;y, dn");
    assert_one_mistake(HEAD ACCOUNT DISABLE "policy: { uid = \"always\"; };\n", 5, 0, "possible are force, once, merge");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { deleted = \"delete\"; };\n", 5, 0, "unknown action \"delete\"");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { deleted = \"disabel\"; };\n", 5, 0, "did you mean \"disable\"?");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { deleted = \"remove after 30\"; };\n", 5, 0, "\"30\" is no time span");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { deleted = \"disable, remove\"; };\n", 5, 0, "one of them only");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { deactivated = \"provision\"; };\n", 5, 0, "\"keep\"");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { deleted = \"remove, remove after 3 days\"; };\n", 5, 0, "later removal");
    assert_one_mistake(HEAD ACCOUNT DISABLE "match = \"(objectClass=person)\";\n", 5, 0, "the same for everyone");
    assert_one_mistake(HEAD ACCOUNT DISABLE "match = \"(&(uid={id})\";\n", 5, 0, "its parentheses do not match");
    assert_one_mistake(HEAD ACCOUNT DISABLE "on: { created = 5; };\n", 5, 0, "on.created must be text");
    assert_one_mistake(HEAD "account: { dn = \"uid={id},,dc=x\"; };\n" DISABLE, 3, 0, "no distinguished name");
    assert_one_mistake("target = \"t\";\nkind = \"person\";\n" ACCOUNT DISABLE, 2, 0, "it is \"user\" or \"group\"");
    assert_one_mistake(HEAD "account: { dn = \"uid={id}\"; a: { b = 1; }; };\n" DISABLE, 3, 0, "not a group");
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    assert_one_mistake("kind = \"user\";\n" ACCOUNT DISABLE, 0, 0, "target is missing");
    assert_one_mistake("target = \"t\";\n" ACCOUNT DISABLE, 0, 0, "kind is missing");
    assert_one_mistake(HEAD DISABLE, 0, 0, "account is missing");
    assert_one_mistake(HEAD "account: { uid = \"{id}\"; };\n" DISABLE, 3, 0, "account has no dn");
    assert_one_mistake(HEAD ACCOUNT, 0, 0, "no disable group");
}

static void every_mistake_is_told_at_once(void **state)
{
    struct problems problems = { 0 };

    (void)state;
    load("kind = \"user\";\nscope = \"logn == 'x'\";\naccount: { dn = \"uid={id\"; cn = \"{nam}\"; };\nbogus = 1;\n"
         "on: { deleted = \"x\"; };\n" DISABLE,
         &problems);
    assert_int_equal(problems.count, 6);
    problems_free(&problems);
}

static void one_mistake_is_told_once_and_hides_no_other(void **state)
{
    struct problems problems = { 0 };

    (void)state;
    assert_one_mistake(HEAD "account: { dn = \"uid={id},dc=x\"; cn = \"{nam}\"; };\nrequired = [ \"cn\", \"dn\" ];\n" DISABLE, 3, 41,
                       "unknown name \"nam\"");
    load(GROUP "account: { dn = \"cn={name},dc=x\"; };\nmembers: { attribute = \"member\"; valu = \"{member.account.dn}\"; };\n", &problems);
    assert_int_equal(problems.count, 2); /* the wrong name, and what is missing for it */
    problems_free(&problems);
}

static void parentheses_and_dns_of_expressions_are_their_own(void **state)
{
    struct problems problems = { 0 };
    struct mapping *mapping = load(HEAD "account: { dn = \"uid={(login | before '@') ?? ')'},dc=x\"; };\nmatch = \"(uid={(login)})\";\n"
                                   "disable: { dn = \"{account.dn},ou=away\"; };\n", &problems);

    (void)state;
    assert_non_null(mapping);
    mapping_free(mapping);
}

static void a_syntax_error_has_its_line(void **state)
{
    struct problems problems = { 0 };

    (void)state;
    load(HEAD "account: { dn = ;\n", &problems);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.list[0].line, 3);
    problems_free(&problems);
}

static void a_group_that_needs_a_member_says_how(void **state)
{
    static const char members[] = "members: { attribute = \"member\"; value = \"{member.account.dn}\"; %s };\n";
    char *none = str_printf(GROUP "account: { dn = \"cn={name},dc=x\"; objectClass = [ \"groupOfNames\" ]; };\n%s", members);
    struct buf text = { 0 };

    (void)state;
    char *percent = strstr(none, "%s");
    memcpy(percent, "  ", 2);
    assert_one_mistake(none, 4, 0, "placeholder = ");
    buf_add(&text, none, (size_t)(percent - none));
    buf_add_str(&text, "with_first_member = true; };\n");
    struct mapping *mapping = load_good(text.bytes);
    assert_true(mapping_with_first_member(mapping));
    assert_string_equal(mapping_member_attribute(mapping), "member");
    mapping_free(mapping);
    buf_reset(&text);
    buf_add(&text, none, (size_t)(percent - none));
    buf_add_str(&text, "placeholder = \"cn=n\"; with_first_member = true; };\n");
    assert_one_mistake(text.bytes, 4, 0, "exclude each other");
    buf_free(&text);
    free(none);
}

static void groups_have_no_logins_and_users_no_members(void **state)
{
    (void)state;
    assert_one_mistake(GROUP "account: { dn = \"cn={login},dc=x\"; };\n", 3, 22, "\"login\" is not known in this place");
    assert_one_mistake(HEAD ACCOUNT DISABLE "members: { attribute = \"m\"; value = \"{member.account.dn}\"; };\n", 5, 0,
                       "kind \"group\"");
    assert_one_mistake(GROUP ACCOUNT "on: { suspended = \"keep\"; };\n", 4, 0, "never happens to a group");
}

static void names_that_libconfig_cannot_spell_stand_in_more(void **state)
{
    (void)state;
    struct mapping *mapping = load_good(
        HEAD ACCOUNT DISABLE
        "more = ( { name = \"userCertificate;binary\"; value = \"{profile.cert}\"; policy = \"once\"; disable = \"\"; } );\n");
    struct attribute *attribute = mapping_attribute(mapping, "usercertificate;BINARY");

    assert_non_null(attribute);
    assert_int_equal(attribute->policy, POLICY_ONCE);
    assert_non_null(attribute->disable);
    mapping_free(mapping);
    assert_one_mistake(HEAD ACCOUNT DISABLE "more = ( { nam = \"a\"; value = \"b\"; name = \"c\"; } );\n", 5, 0, "did you mean \"name\"?");
    assert_one_mistake(HEAD ACCOUNT DISABLE "more = ( { name = \"UID\"; value = \"b\"; } );\n", 5, 0, "a second time");
}

static void reactions_have_safe_defaults(void **state)
{
    (void)state;
    struct mapping *mapping = load_good(HEAD ACCOUNT DISABLE "on: { deleted = \"disable, remove after 30 days\"; };\n");

    assert_int_equal(mapping->on[ON_CREATED].action, ACTION_PROVISION);
    assert_int_equal(mapping->on[ON_ACTIVATED].action, ACTION_PROVISION);
    assert_int_equal(mapping->on[ON_SUSPENDED].action, ACTION_DISABLE);
    assert_int_equal(mapping->on[ON_DEACTIVATED].action, ACTION_DISABLE);
    assert_int_equal(mapping->on[ON_LEFT_SCOPE].action, ACTION_DISABLE);
    assert_int_equal(mapping->on[ON_DELETED].action, ACTION_DISABLE);
    assert_int_equal(mapping->on[ON_DELETED].remove_after_us, INT64_C(30) * 86400 * 1000000);
    assert_int_equal(mapping->on[ON_SUSPENDED].remove_after_us, 0);
    mapping_free(mapping);
}

/* ---- mapping tests ---- */

/* Runs a test file; its output is the caller's. */
static char *run_test_file(const char *file, const struct connector_ops *ops, bool tap, int *ret_failed, int *ret_passed)
{
    struct problems problems = { 0 };
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    struct mapping_test_run run = { .stream = stream, .tap = tap };

    assert_non_null(stream);
    *ret_passed = 0;
    *ret_failed = mapping_test_file(file, ops, &run, ret_passed, &problems);
    problems_print(&problems, stream);
    fclose(stream);
    problems_free(&problems);
    return text;
}

static void shipped_mappings_pass_their_tests(void **state)
{
    static const char *const names[] = { "openldap-people", "openldap-groups" };
    const char *top = getenv("PROVOST_SOURCE") != NULL ? getenv("PROVOST_SOURCE") : getenv("top_srcdir");
    int failed, passed;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *file = str_printf("%s/mappings/%s.test.conf", top != NULL ? top : ".", names[i]);
        char *text = run_test_file(file, &locking_directory_ops, false, &failed, &passed);
        if (failed != 0)
            fail_msg("%s:\n%s", file, text);
        assert_true(passed >= 7);
        free(text);
        free(file);
    }
}

#define TEST_HEAD "mapping = \"people.conf\";\ntests: ( "
#define IDENTITY "identity: { id = \"7\"; status = \"ACTIVE\"; };"

static void a_failed_test_shows_what_differs(void **state)
{
    int failed, passed;

    (void)state;
    write_file(path, HEAD "account: { dn = \"uid={id},dc=x\"; uid = \"{id}\"; cn = \"{id}\"; };\n" DISABLE);
    write_file(test_path, TEST_HEAD "{ name = \"wrong\"; " IDENTITY " expect: { action = \"update\"; due = \"2026-01-01T00:00:00Z\"; "
                                    "account: { dn = \"uid=8,dc=x\"; uid = \"7\"; sn = \"y\"; }; }; } );\n");
    char *text = run_test_file(test_path, &directory_ops, true, &failed, &passed);
    assert_int_equal(failed, 1);
    assert_int_equal(passed, 0);
    static const char *const parts[] = { "not ok 1 - wrong\n", "# - action = update\n# + action = create\n",
                                         "# - dn = \"uid=8,dc=x\"\n# + dn = \"uid=7,dc=x\"\n", "# - sn = \"y\"\n", "# + cn = \"7\"\n",
                                         "# + due = (never)\n" };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strstr(text, parts[i]) == NULL)
            fail_msg("no \"%s\" in:\n%s", parts[i], text);
    assert_null(strstr(text, " uid = "));
    free(text);
}

static void a_refusal_is_expected_in_words(void **state)
{
    int failed, passed;

    (void)state;
    write_file(path, HEAD "account: { dn = \"uid={id},dc=x\"; sn = \"{name}\"; };\nrequired = [ \"sn\" ];\n" DISABLE);
    write_file(test_path, TEST_HEAD "{ name = \"right\"; " IDENTITY " expect: { refused = \"sn is absent\"; }; },"
                                    "{ name = \"wrong\"; " IDENTITY " expect: { action = \"create\"; }; },"
                                    "{ name = \"scope\"; " IDENTITY " expect: { out_of_scope = true; }; } );\n");
    char *text = run_test_file(test_path, &directory_ops, true, &failed, &passed);
    assert_int_equal(failed, 2);
    assert_int_equal(passed, 1);
    assert_non_null(strstr(text, "ok 1 - right\nnot ok 2 - wrong\n"));
    assert_non_null(strstr(text, "people.conf:3: sn is absent: \"{name}\" has no value for 7"));
    free(text);
}

static void a_test_that_cannot_be_understood_fails(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { TEST_HEAD "{ name = \"x\"; " IDENTITY " expct: { action = \"create\"; }; } );\n",
          "needs expect" },
        { TEST_HEAD "{ name = \"x\"; " IDENTITY " expect: { acton = \"create\"; }; } );\n",
          "did you mean \"action\"?" },
        { TEST_HEAD "{ name = \"x\"; expect: { action = \"create\"; }; } );\n",
          "either identity" },
        { TEST_HEAD "{ name = \"x\"; identity: { login = \"a\"; }; expect: { action = \"create\"; }; } );\n",
          "id" },
        { TEST_HEAD "{ name = \"x\"; events = \"no JSON\"; expect: { action = \"create\"; }; } );\n",
          "not JSON" },
        { TEST_HEAD "{ name = \"x\"; events = \"file:absent.json\"; expect: { action = \"create\"; }; } );\n",
          "absent.json" },
    };
    int failed, passed;

    (void)state;
    write_file(path, HEAD ACCOUNT DISABLE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(test_path, bad[i].text);
        char *text = run_test_file(test_path, &directory_ops, false, &failed, &passed);
        if (failed != 1 || passed != 0 || strstr(text, bad[i].says) == NULL)
            fail_msg("%s: %d failed, %d passed:\n%s", bad[i].text, failed, passed, text);
        free(text);
    }
    write_file(test_path, "mapping = \"absent.conf\"; tests: ( );\n");
    char *text = run_test_file(test_path, &directory_ops, false, &failed, &passed);
    assert_true(failed < 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_says_what_it_is),
        cmocka_unit_test(facts_are_those_that_expressions_use),
        cmocka_unit_test(a_mistake_in_an_expression_has_line_and_column),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(the_base_is_where_the_dns_end_unless_it_is_said),
        cmocka_unit_test(groups_are_adopted_where_the_file_says_so),
        cmocka_unit_test(a_base_that_leaves_places_out_is_refused),
        cmocka_unit_test(wrong_values_say_what_is_possible),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(every_mistake_is_told_at_once),
        cmocka_unit_test(one_mistake_is_told_once_and_hides_no_other),
        cmocka_unit_test(parentheses_and_dns_of_expressions_are_their_own),
        cmocka_unit_test(a_syntax_error_has_its_line),
        cmocka_unit_test(a_group_that_needs_a_member_says_how),
        cmocka_unit_test(groups_have_no_logins_and_users_no_members),
        cmocka_unit_test(names_that_libconfig_cannot_spell_stand_in_more),
        cmocka_unit_test(reactions_have_safe_defaults),
        cmocka_unit_test(shipped_mappings_pass_their_tests),
        cmocka_unit_test(a_failed_test_shows_what_differs),
        cmocka_unit_test(a_refusal_is_expected_in_words),
        cmocka_unit_test(a_test_that_cannot_be_understood_fails),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
