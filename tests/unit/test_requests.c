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
#include "tests/support/api_ops.h"

/* How the requests of a mapping file are compiled and rendered. */

static char folder[] = "/tmp/provost-requests-XXXXXX";
static char *path, *document_path, *test_path;
static struct identity identity;
static struct error error;

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    path = str_printf("%s/api.conf", folder);
    document_path = str_printf("%s/body.json", folder);
    test_path = str_printf("%s/api.test.conf", folder);
    return path == NULL || document_path == NULL || test_path == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(document_path);
    unlink(test_path);
    rmdir(folder);
    free(test_path);
    free(path);
    free(document_path);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    identity = (struct identity){ .id = (char *)"7", .login = { (char *)"ann@x", { 1 } }, .status = { (char *)"ACTIVE", { 1 } } };
    error = (struct error){ 0 };
    return 0;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define HEAD "target = \"t\"; kind = \"user\";\n"
#define ACCOUNT "account: { external_id = \"{id}\"; email = \"{login}\"; team = \"{profile.team}\"; tags = \"{profile.tags}\"; };\n"
#define DISABLE "disable: { path = \"/e/{account.key}/end\"; };"

static struct mapping *load(const char *text, struct problems *problems)
{
    struct mapping *mapping = NULL;

    write_file(path, text);
    int code = mapping_load(path, &api_ops, problems, &mapping);
    assert_int_equal(code < 0, problems->count > 0);
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

static struct mapping *load_requests(const char *requests)
{
    cleanup_free char *text = str_printf(HEAD ACCOUNT "requests: { " DISABLE " %s };\n", requests);

    return load_good(text);
}

/* Loading it tells of exactly one mistake, there, in these words. */
static void assert_one_mistake(const char *text, const char *file, int line, int column, const char *part)
{
    struct problems problems = { 0 };

    load(text, &problems);
    bool good = problems.count == 1 && problems.list[0].line == line && problems.list[0].column == column &&
                strstr(problems.list[0].text, part) != NULL && (file == NULL || str_equal(problems.list[0].file, file));
    if (!good) {
        problems_print(&problems, stderr);
        fail_msg("expected one mistake at %d:%d with \"%s\"", line, column, part);
    }
    problems_free(&problems);
}

/* ' stands for a double quote, ` for a single one. */
static json_t *json(const char *text)
{
    cleanup_free char *copy = strdup(text);
    json_error_t why;

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c == '`' ? '\'' : *c;
    json_t *value = json_loads(copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
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

static void assert_settings(const struct mapping *mapping, const char *call, const char *key, const char *expected)
{
    json_t *settings = NULL, *account = json("{'email':'ann@x','tags':['one']}");
    const struct settings_view view = { .call = call, .identity = &identity, .key = key, .account = account, .value = "u1" };

    if (plan_settings(mapping, &view, &settings, &error) < 0)
        fail_msg("%s", error.text);
    assert_json(settings, expected);
    json_decref(settings);
    json_decref(account);
}

static void assert_refused(const struct mapping *mapping, const char *call, const char *part)
{
    json_t *settings = NULL;
    const struct settings_view view = { .call = call, .identity = &identity };

    assert_int_equal(plan_settings(mapping, &view, &settings, &error), ERROR_INVALID);
    assert_null(settings);
    if (strstr(error.text, part) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", part, error.text);
}

/* ---- what a call gets ---- */

static void a_call_gets_itself_and_how_to_find_the_account(void **state)
{
    (void)state;
    struct mapping *mapping = load_good(HEAD ACCOUNT
        "requests: { match = ( { path = \"/e\"; query: { email = \"{account.email}\"; }; } ); read: { path = \"/e/{account.key}\"; };\n"
        "  list: { path = \"/e\"; }; create: { path = \"/e\"; retries = 2; once = true; }; " DISABLE " };\n"
        "result: { id = \"/id\"; }; pointers: { email = \"/mail\"; };\n");

    assert_settings(mapping, "read", "k1", "{'requests':{'read':{'path':'/e/k1'},'match':[{'path':'/e','query':{'email':'ann@x'}}]},"
                                           "'result':{'id':'/id'},'pointers':{'email':'/mail'}}");
    assert_settings(mapping, "create", NULL, "{'requests':{'create':{'path':'/e','retries':2,'once':true},"
                                             "'match':[{'path':'/e','query':{'email':'ann@x'}}]},"
                                             "'result':{'id':'/id'},'pointers':{'email':'/mail'}}");
    assert_settings(mapping, "list", NULL, "{'requests':{'list':{'path':'/e'}},'result':{'id':'/id'},'pointers':{'email':'/mail'}}");
    assert_settings(mapping, NULL, NULL, "{'result':{'id':'/id'},'pointers':{'email':'/mail'}}");
    mapping_free(mapping);
}

static void an_update_stands_in_for_disable_and_enable(void **state)
{
    (void)state;
    struct mapping *mapping = load_good(HEAD "account: { active = true; }; disable: { active = false; };\n"
                                             "requests: { update: { path = \"/e/{account.key}\"; }; };\n");

    assert_settings(mapping, "disable", "k1", "{'requests':{'disable':{'path':'/e/k1'}}}");
    assert_settings(mapping, "enable", "k1", "{'requests':{'enable':{'path':'/e/k1'}}}");
    mapping_free(mapping);
}

static void members_are_known_by_value_and_the_groups_key(void **state)
{
    (void)state;
    struct mapping *mapping = load_good("target = \"t\"; kind = \"group\"; account: { displayName = \"{name}\"; };\n"
        "members: { attribute = \"members\"; value = \"{member.account.key}\"; };\n"
        "requests: { remove: { path = \"/g/{account.key}\"; }; groups_of: { path = \"/g\"; query: { filter = \"members eq \\\"{value}\\\"\"; }; };\n"
        "  member_add: { path = \"/g/{account.key}\"; body: { add = [ \"{value}\" ]; }; }; member_remove: { path = \"/g/{account.key}/{value}\"; }; };\n");

    assert_settings(mapping, "member_add", "g1", "{'requests':{'member_add':{'path':'/g/g1','body':{'add':['u1']}}}}");
    assert_settings(mapping, "member_remove", "g1", "{'requests':{'member_remove':{'path':'/g/g1/u1'}}}");
    assert_settings(mapping, "groups_of", NULL, "{'requests':{'groups_of':{'path':'/g','query':{'filter':'members eq \\'u1\\''}}}}");
    mapping_free(mapping);
}

static void types_and_shapes_are_kept(void **state)
{
    (void)state;
    identity.profile = json("{'numbers':[1,2],'none':[]}");
    struct mapping *mapping = load_requests(
        "create: { path = \"/e\"; body: { nested: { n = 1; f = 1.5; b = false; gone = \"{profile.x}\"; }; empty: { }; left: { gone = \"{profile.x}\"; };\n"
        "  lists = ( ( 1, 2 ), ( ) ); spread = ( \"a\", \"{profile.numbers}\" ); tags = \"{account.tags}\"; }; };");

    assert_settings(mapping, "create", NULL, "{'requests':{'create':{'path':'/e','body':{'nested':{'n':1,'f':1.5,'b':false},'empty':{},'left':{},"
                                             "'lists':[[1,2],[]],'spread':['a',1,2],'tags':['one']}}}}");
    mapping_free(mapping);
    json_decref(identity.profile);
    identity.profile = NULL;
}

/* ---- absence ---- */

static void what_cannot_find_the_account_is_left_out_of_a_read(void **state)
{
    (void)state;
    struct mapping *mapping = load_requests(
        "read: { path = \"/e/{account.key}\"; }; match = ( { path = \"/e\"; query: { n = \"{profile.n}\"; }; },\n"
        "  { path = \"/e\"; query: { id = \"{id}\"; }; where: { team = \"{profile.team}\"; }; }, { path = \"/e\"; query: { id = \"{id}\"; }; note = \"{profile.x}\"; } );");

    assert_settings(mapping, "read", NULL, "{'requests':{'match':[{'path':'/e','query':{'id':'7'}}]}}");
    mapping_free(mapping);
}

static void an_operation_with_a_gap_in_a_place_is_refused(void **state)
{
    (void)state;
    struct mapping *mapping = load_requests("create: { path = \"/teams/{profile.team}/e\"; };");

    assert_refused(mapping, "create", "\"/teams/{profile.team}/e\" has no value for ann@x (no profile was read");
    assert_refused(mapping, "disable", "\"/e/{account.key}/end\" has no value for ann@x");
    mapping_free(mapping);
}

/* ---- places ---- */

/* The text at create.PART, or create.GROUP.PART. */
static void assert_part(const json_t *settings, const char *group, const char *part, const char *expected)
{
    const json_t *create = json_object_get(json_object_get(settings, "requests"), "create");
    const json_t *text = json_object_get(group != NULL ? json_object_get(create, group) : create, part);

    assert_non_null(json_string_value(text));
    if (strcmp(json_string_value(text), expected) != 0)
        fail_msg("%s: expected %s, got %s", part, expected, json_string_value(text));
}

static void hostile_input_stays_in_its_place(void **state)
{
    static const struct {
        const char *login, *path, *twice, *doubled, *header;
    } rows[] = {
        { "../admin", "/e/..%2Fadmin", "u eq \"../admin\"", "u eq '../admin'", "../admin" },
        { "..", "/e/%2E%2E", "u eq \"..\"", "u eq '..'", ".." },
        { "x\" or \"1\"=\"1", "/e/x%22%20or%20%221%22%3D%221", "u eq \"x\\\" or \\\"1\\\"=\\\"1\"", "u eq 'x\" or \"1\"=\"1'",
          "x\" or \"1\"=\"1" },
        { "x' or '1'='1", "/e/x%27%20or%20%271%27%3D%271", "u eq \"x' or '1'='1\"", "u eq 'x'' or ''1''=''1'", "x' or '1'='1" },
        { "x\\", "/e/x%5C", "u eq \"x\\\\\"", "u eq 'x\\'", "x\\" },
        { "a/b?c#d", "/e/a%2Fb%3Fc%23d", "u eq \"a/b?c#d\"", "u eq 'a/b?c#d'", "a/b?c#d" },
        { "a\r\nX: y", "/e/a%0D%0AX%3A%20y", "u eq \"a\\u000d\\u000aX: y\"", "u eq 'a\r\nX: y'", "a  X: y" },
    };
    struct mapping *mapping = load_requests(
        "create: { path = \"/e/{login}\"; headers: { who = \"{login}\"; };\n"
        "  query: { twice = \"u eq \\\"{login}\\\"\"; doubled = \"u eq '{login}'\"; path = \"{login}\"; };\n"
        "  body: { path = \"{login}\"; login = \"{login}\"; }; };");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *settings = NULL;
        const struct settings_view view = { .call = "create", .identity = &identity };
        identity.login.value = (char *)rows[i].login;
        assert_int_equal(plan_settings(mapping, &view, &settings, &error), 0);
        assert_part(settings, NULL, "path", rows[i].path);
        assert_part(settings, "query", "twice", rows[i].twice);
        assert_part(settings, "query", "doubled", rows[i].doubled);
        assert_part(settings, "query", "path", rows[i].login); /* a parameter of that name, not a path */
        assert_part(settings, "headers", "who", rows[i].header);
        assert_part(settings, "body", "path", rows[i].login);
        assert_part(settings, "body", "login", rows[i].login);
        json_decref(settings);
    }
    mapping_free(mapping);
}

static void a_filter_inside_a_body_is_a_place_by_its_name(void **state)
{
    (void)state;
    struct mapping *mapping = load_requests("create: { path = \"/e('{login}')\"; body: { path = \"m[v eq \\\"{login}\\\"]\";\n"
                                            "  note = \"it's \\\"{login}\\\"\"; }; };");
    json_t *settings = NULL;
    const struct settings_view view = { .call = "create", .identity = &identity };

    identity.login.value = (char *)"o'neil\"";
    assert_int_equal(plan_settings(mapping, &view, &settings, &error), 0);
    assert_part(settings, "body", "path", "m[v eq \"o'neil\\\"\"]");
    assert_part(settings, "body", "note", "it's \"o'neil\"\"");
    assert_part(settings, NULL, "path", "/e('o%27%27neil%22')");
    json_decref(settings);
    mapping_free(mapping);
}

static void nobody_is_called_by_a_nul(void **state)
{
    (void)state;
    struct mapping *mapping = load_requests("create: { path = \"/e\"; query: { n = \"{profile.n}\"; }; };\n"
                                            "enable: { path = \"/e\"; body: { n = \"{profile.n}\"; }; };");

    identity.profile = json("{'n':'ann\\u0000x'}");
    assert_refused(mapping, "create", "NUL");
    assert_settings(mapping, "enable", NULL, "{'requests':{'enable':{'path':'/e','body':{'n':'ann\\u0000x'}}}}");
    mapping_free(mapping);
    json_decref(identity.profile);
    identity.profile = NULL;
}

/* ---- documents ---- */

static void a_body_may_stand_in_a_file_beside(void **state)
{
    (void)state;
    write_file(document_path, "{ \"schemas\": [\"urn:a\"], \"name\": {\"given\": \"{login | before '@'}\", \"gone\": \"{profile.x}\"},\n"
                              "  \"n\": null, \"t\": [[1.5]] }");
    struct mapping *mapping = load_requests("create: { path = \"/e\"; body = \"file:body.json\"; };");

    assert_settings(mapping, "create", NULL,
                    "{'requests':{'create':{'path':'/e','body':{'schemas':['urn:a'],'name':{'given':'ann'},'n':null,'t':[[1.5]]}}}}");
    mapping_free(mapping);
}

#define WITH_REQUESTS(requests) HEAD ACCOUNT "requests: {\n" DISABLE "\n" requests " };\n"
#define ONE_MISTAKE(requests, line, column, part) assert_one_mistake(WITH_REQUESTS(requests), path, line, column, part)

static void mistakes_in_a_document_have_its_line(void **state)
{
    static const char text[] = WITH_REQUESTS("create: { body = \"file:body.json\"; };");

    (void)state;
    write_file(document_path, "{\n  \"a\": \"x\",\n  \"b\": \"{logni}\"\n}\n");
    assert_one_mistake(text, document_path, 3, 10, "requests.create.body.b: unknown name \"logni\"");
    write_file(document_path, "{ \"a\": \"{account.mail}\" }");
    assert_one_mistake(text, document_path, 1, 10, "requests.create.body.a: there is no account.mail, did you mean account.email?");
    write_file(document_path, "{\n  \"a\": }\n");
    assert_one_mistake(text, document_path, 2, 8, "not JSON");
    write_file(document_path, "{ \"a\": 1, \"a\": 2 }");
    assert_one_mistake(text, document_path, 1, 13, "duplicate");
    unlink(document_path);
    assert_one_mistake(text, path, 5, 0, "requests.create.body: ");
    ONE_MISTAKE("create: { body = \"file:../body.json\"; };", 5, 0, "no file beside the mapping file");
    ONE_MISTAKE("create: { body = \"file:/etc/passwd\"; };", 5, 0, "no file beside the mapping file");
}

static void only_a_body_is_read_from_a_file(void **state)
{
    (void)state;
    struct mapping *mapping = load_requests("create: { path = \"file:body.json\"; body: { body = \"file:body.json\"; }; };");

    assert_settings(mapping, "create", NULL, "{'requests':{'create':{'path':'file:body.json','body':{'body':'file:body.json'}}}}");
    mapping_free(mapping);
}

/* ---- mistakes ---- */

static void mistakes_in_requests_have_line_and_column(void **state)
{
    (void)state;
    ONE_MISTAKE("create: { path = \"/e\";\n  body: { deep: ( { x = \"{logni}\"; } ); }; };", 6, 27,
                "requests.create.body.deep.x: unknown name \"logni\"");
    ONE_MISTAKE("list: { path = \"/e/{id}\"; };", 5, 21, "\"id\" is not known in this place: it is the same for everybody");
    ONE_MISTAKE("create: { path = \"/e/{value}\"; };", 5, 23, "\"value\" is not known in this place");
    ONE_MISTAKE("groups_of: { path = \"/e/{id}\"; };", 5, 26, "\"id\" is not known in this place; known are: value");
    ONE_MISTAKE("create: { query: { f = \"a eq \\\"{id}\"; }; };", 5, 25, "a quote (\") is open at the end");
    ONE_MISTAKE("create: { query: { f = \"it's {id}\"; }; };", 5, 25,
                "a quote (') is open at the end; one that is meant as text is written in braces: {''''}");
    ONE_MISTAKE("create: { query: { f = \"a eq \\\"x\\\\{id}\\\"\"; }; };", 5, 25, "a backslash stands before a brace");
    ONE_MISTAKE("creat: { path = \"/e\"; };", 5, 0, "requests has no \"creat\"");
    ONE_MISTAKE("create: { path = \"/e/{'x'}/{account.external_di}\"; };", 5, 29,
                "requests.create.path: there is no account.external_di, did you mean account.external_id?; known are: external_id, email, team, tags, key");
    ONE_MISTAKE("create: { body: { x = \"{id ?? (account.boss | lower)}\"; }; };", 5, 32,
                "there is no account.boss; known are: external_id, email, team, tags, key");
    ONE_MISTAKE("member_add: { path = \"/e/{account.email}\"; };", 5, 27, "there is no account.email; known are: key");
    assert_one_mistake(HEAD ACCOUNT "on: { suspended = \"keep\"; deactivated = \"keep\"; deleted = \"keep\"; left_scope = \"keep\"; };\n"
                       "requests = 1;", path, 4, 0, "requests must be a group");
}

static void an_apostrophe_can_be_written_in_braces(void **state)
{
    (void)state;
    struct mapping *mapping = load_requests("create: { query: { f = \"it{''''}s {id}\"; c = \"it's\"; }; };");

    assert_settings(mapping, "create", NULL, "{'requests':{'create':{'query':{'f':'it`s 7','c':'it`s'}}}}");
    mapping_free(mapping);
}

static void a_mapping_that_cannot_do_what_it_says_is_refused(void **state)
{
    (void)state;
    assert_one_mistake(HEAD ACCOUNT, path, 0, 0, "requests is missing");
    assert_one_mistake(HEAD ACCOUNT "requests: { create: { path = \"/e\"; }; };", path, 3, 0,
                       "on.suspended disables, but requests has no disable");
    assert_one_mistake(HEAD ACCOUNT "on: { suspended = \"keep\"; deleted = \"keep\"; left_scope = \"keep\";\n"
                       " deactivated = \"disable\"; };\nrequests: { };", path, 4, 0, "on.deactivated disables, but requests has no disable");
    assert_one_mistake(HEAD ACCOUNT "requests: { update: { path = \"/e\"; }; };", path, 3, 0, "nothing says how");
    assert_one_mistake(HEAD ACCOUNT "on: { deleted = \"disable, remove after 3 days\"; }; requests: { " DISABLE " };", path, 3, 0,
                       "on.deleted removes, but requests has no remove");
    assert_one_mistake(HEAD ACCOUNT "match = \"{id}\"; requests: { " DISABLE " };", path, 3, 0, "match stands in requests here");
    assert_one_mistake(HEAD "account: { key = \"{id}\"; }; requests: { " DISABLE " };", path, 2, 0, "account.key is given by the target");
    assert_one_mistake(HEAD ACCOUNT "while_disabled = \"kepe\"; requests: { " DISABLE " };", path, 3, 0, "while_disabled \"kepe\" is none");
    assert_one_mistake(HEAD ACCOUNT "request: { }; requests: { " DISABLE " };", path, 3, 0, "did you mean \"requests\"");
    assert_one_mistake("target = \"t\"; kind = \"group\"; account: { n = \"{name}\"; }; on: { deleted = \"keep\"; };\n"
                       "members: { attribute = \"m\"; value = \"{member.account.key}\"; }; requests: { member_add: { }; member_remove: { }; };",
                       path, 2, 0, "members needs requests.groups_of");
}

/* ---- mapping tests ---- */

#define TESTED                                                                                                       \
    HEAD ACCOUNT "result: { id = \"/id\"; }; requests: { " DISABLE " match = ( { path = \"/e\"; query: { id = \"{id}\"; }; } );\n" \
                 "create: { path = \"/e\"; headers = ( { name = \"X-Id\"; value = \"{id}\"; } ); }; enable: { path = \"/e/{account.key}/back\"; };\n" \
                 "update: { path = \"/e/{account.key}\"; }; };\n"
#define PERSON "identity: { id = \"00u1\"; login = \"a@x\"; status = \"%s\"; };"

/* Runs one test of TESTED; the differences, "" where it passed. The caller frees. */
static char *test_difference(const char *status, const char *rest)
{
    cleanup_free char *text = str_printf("mapping = \"api.conf\"; tests: ( { name = \"t\"; " PERSON " %s } );\n", status, rest);
    struct mapping_test_run run = { .results = json_array() };
    struct problems problems = { 0 };
    int passed = 0;

    write_file(path, TESTED);
    write_file(test_path, text);
    int failed = mapping_test_file(test_path, &api_ops, &run, &passed, &problems);
    problems_print(&problems, stderr);
    assert_int_equal(problems.count, 0);
    assert_int_equal(failed + passed, 1);
    const char *difference = json_string_value(json_object_get(json_array_get(run.results, 0), "difference"));
    char *copy = strdup(difference != NULL ? difference : "");
    json_decref(run.results);
    assert_int_equal(failed, copy[0] != '\0');
    return copy;
}

static void assert_test(const char *status, const char *rest, const char *difference)
{
    cleanup_free char *got = test_difference(status, rest);

    if (strcmp(got, difference) != 0)
        fail_msg("%s: expected \"%s\", got \"%s\"", rest, difference, got);
}

static void a_mapping_test_expects_what_it_names_of_requests(void **state)
{
    (void)state;
    assert_test("ACTIVE", "expect: { action = \"create\"; account: { external_id = \"00u1\"; email = \"a@x\"; };\n"
                          "requests: { create: { path = \"/e\"; headers = ( { value = \"00u1\"; } ); }; match = ( { query: { id = \"00u1\"; }; } ); };\n"
                          "result: { id = \"/id\"; }; };", "");
    assert_test("ACTIVE", "expect: { requests: { create: { path = \"/x\"; }; }; };", "- requests.create.path = \"/x\"\n+ requests.create.path = \"/e\"\n");
    assert_test("ACTIVE", "expect: { requests: { disable: { path = \"/x\"; }; }; };", "- requests.disable = {\"path\": \"/x\"}\n");
}

static void a_mapping_test_has_an_account_with_key_and_state(void **state)
{
    (void)state;
    assert_test("DEPROVISIONED", "account: { key = \"17\"; email = \"a@x\"; }; disabled = false;\n"
                                 "expect: { action = \"disable\"; requests: { disable: { path = \"/e/17/end\"; }; }; };", "");
    assert_test("DEPROVISIONED", "account: { email = \"a@x\"; }; disabled = true; expect: { action = \"none\"; };", "");
    assert_test("ACTIVE", "account: { key = \"17\"; external_id = \"00u1\"; email = \"old\"; }; disabled = true;\n"
                          "expect: { action = \"enable, update\"; account: { key = \"17\"; external_id = \"00u1\"; email = \"a@x\"; };\n"
                          "requests: { enable: { path = \"/e/17/back\"; }; update: { path = \"/e/17\"; }; }; };", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(a_call_gets_itself_and_how_to_find_the_account),
        TEST(an_update_stands_in_for_disable_and_enable),
        TEST(members_are_known_by_value_and_the_groups_key),
        TEST(types_and_shapes_are_kept),
        TEST(what_cannot_find_the_account_is_left_out_of_a_read),
        TEST(an_operation_with_a_gap_in_a_place_is_refused),
        TEST(hostile_input_stays_in_its_place),
        TEST(a_filter_inside_a_body_is_a_place_by_its_name),
        TEST(nobody_is_called_by_a_nul),
        TEST(a_body_may_stand_in_a_file_beside),
        TEST(mistakes_in_a_document_have_its_line),
        TEST(only_a_body_is_read_from_a_file),
        TEST(mistakes_in_requests_have_line_and_column),
        TEST(an_apostrophe_can_be_written_in_braces),
        TEST(a_mapping_that_cannot_do_what_it_says_is_refused),
        TEST(a_mapping_test_expects_what_it_names_of_requests),
        TEST(a_mapping_test_has_an_account_with_key_and_state),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
