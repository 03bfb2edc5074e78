/* What the REST connector says of its groups in a mapping file, when it is loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "connectors/rest/mapping_check.h"
#include "connectors/rest/settings.h"

#define ACCOUNT "account: { external_id = \"{id}\"; first = \"x\"; last = \"y\"; };\n"
#define READ "read: { path = \"/employees/{account.key}\"; };"

/* The problems of a mapping, one line each; the caller frees. */
static char *problems_of(const char *text, bool group)
{
    struct problems problems = { 0 };
    struct buf lines = { 0 };
    config_t config;

    config_init(&config);
    if (config_read_string(&config, text) != CONFIG_TRUE)
        fail_msg("line %d: %s in %s", config_error_line(&config), config_error_text(&config), text);
    rest_check_mapping(config_root_setting(&config), group, &problems);
    for (size_t i = 0; i < problems.count; i++)
        buf_printf(&lines, "%d: %s\n", problems.list[i].line, problems.list[i].text);
    problems_free(&problems);
    config_destroy(&config);
    return buf_take(&lines);
}

static void a_whole_mapping_has_no_mistakes(void **state)
{
    cleanup_free char *seen = problems_of(
        ACCOUNT
        "pointers: { first = \"/name/given\"; last = \"/name/family\"; };\n"
        "requests: {\n"
        "  match = ( { path = \"/employees\"; query: { external_id = \"{id}\"; }; items = \"/items\"; where: { email = \"{login}\"; }; } );\n"
        "  " READ "\n"
        "  list: { path = \"/employees\"; items = \"/items\"; next: { by = \"cursor\"; parameter = \"cursor\"; pointer = \"/next\"; }; };\n"
        "  create: { path = \"/employees\"; headers = ( { name = \"X-Tenant\"; value = \"acme\"; } ); };\n"
        "  update: { path = \"/employees/{account.key}\"; send = \"merge_patch\"; outcomes = ( { status = 423; outcome = \"retry\"; } ); };\n"
        "  disable: { path = \"/employees/{account.key}/terminate\"; body: { on = \"{now | date '%F'}\"; }; };\n"
        "  enable: { path = \"/employees/{account.key}/rehire\"; body = \"file:rehire.json\"; };\n"
        "  remove: { path = \"/employees/{account.key}\"; };\n"
        "};\n"
        "result: { id = \"/id\"; error = \"/error/message\"; disabled: { pointer = \"/status\"; values = [ \"terminated\" ]; };\n"
        "  failure = \"/error\"; code = \"/error/code\"; codes = ( { code = \"-32004\"; outcome = \"gone\"; } ); };\n",
        false);

    (void)state;
    assert_string_equal(seen, "");
}

static void a_group_s_mapping_has_its_own_requests(void **state)
{
    cleanup_free char *seen =
        problems_of("account: { displayName = \"{name}\"; };\n"
                    "requests: { read: { path = \"/Groups/{account.key}\"; };\n"
                    "  member_add: { path = \"/Groups/{account.key}\"; send = \"scim_patch\"; };\n"
                    "  member_remove: { path = \"/Groups/{account.key}\"; body: { x = \"{value}\"; }; };\n"
                    "  groups_of: { path = \"/Groups\"; query: { filter = \"members.value eq '{value}'\"; };\n"
                    "    items = \"/Resources\"; };\n};\n",
                    true);

    (void)state;
    assert_string_equal(seen, "");
}

/* One mistake each, and a part of what is said of it, with its line. */
static const struct {
    const char *mapping, *said;
} mistakes[] = {
    { ACCOUNT, "requests is missing" },
    { ACCOUNT "requests = 1;", "2: requests: a group is expected" },
    { ACCOUNT "requests: { };", "requests.read is missing" },
    { ACCOUNT "requests: { " READ "\n update: { pth = \"/x\"; }; };",
      "3: in requests.update: unknown option \"pth\"; did you mean \"path\"?" },
    { ACCOUNT "requests: { " READ "\n updaet: { path = \"/x\"; }; };",
      "3: in requests: unknown option \"updaet\"; did you mean \"update\"?" },
    { ACCOUNT "requests: { " READ " update: { method = \"PTCH\"; }; };",
      "one of \"GET\", \"POST\", \"PUT\", \"PATCH\" or \"DELETE\" is expected" },
    { ACCOUNT "requests: { " READ " update: { send = \"xml\"; }; };", "\"merge_patch\"" },
    { ACCOUNT "requests: { " READ " update: { path = \"employees\"; }; };", "no slash at its start" },
    { ACCOUNT "requests: { " READ " update: { path = \"/a/../b\"; }; };", "\"..\"" },
    { ACCOUNT "requests: { " READ " update: { body: { a = 1; }; send = \"object\"; }; };", "body and send exclude each other" },
    { ACCOUNT "requests: { " READ " update: { body = \"text\"; }; };", "requests.update.body: a group is expected" },
    { ACCOUNT "requests: { " READ " enable: { method = \"GET\"; body: { a = 1; }; }; };", "a GET carries no body" },
    { ACCOUNT "requests: { " READ "\n disable: { path = \"/e/{account.key}/end\"; }; };\nresult: { id = \"/id\"; };",
      "3: requests.disable: nothing tells afterwards that an account is disabled" },
    { ACCOUNT "requests: { " READ " remove: { send = \"object\"; }; };", "use body" },
    { ACCOUNT "requests: { read: { where: { a = 1; }; }; };", "where goes with match only" },
    { ACCOUNT "requests: { read: { query = \"a=1\"; }; };", "requests.read.query: a group is expected" },
    { ACCOUNT "requests: { read: { headers: { Authorization = \"x\"; }; }; };", "Authorization is not for a mapping" },
    { ACCOUNT "requests: { read: { headers = ( { name = \"A B\"; value = \"x\"; } ); }; };", "is no header's name" },
    { ACCOUNT "requests: { read: { headers: { Content-Type = \"x\"; }; }; };", "write content_type" },
    { ACCOUNT "requests: { read: { items = \"items\"; }; };",
      "\"items\" is no JSON pointer (RFC 6901); right would be \"/items\"" },
    { ACCOUNT "requests: { read: { item = \"/a~2\"; }; };", "is no JSON pointer" },
    { ACCOUNT "requests: { " READ " list: { path = \"/e\"; }; };", "requests.list needs items" },
    { ACCOUNT "requests: { " READ " create: { path = \"/e\"; }; };", "requests.create needs match" },
    { ACCOUNT "requests: { " READ " match = { path = \"/e\"; }; };", "requests.match: a list of groups is expected" },
    { ACCOUNT "requests: { " READ " member_add: { path = \"/e\"; }; };", "requests.member_add goes with kind = \"group\" only" },
    { ACCOUNT "requests: { " READ " list: { items = \"\"; next: { by = \"cursr\"; }; }; };", "\"link_header\"" },
    { ACCOUNT "requests: { " READ " list: { items = \"\"; next: { by = \"cursor\"; parameter = \"c\"; }; }; };",
      "needs pointer" },
    { ACCOUNT "requests: { " READ " list: { items = \"\"; next: { by = \"page\"; }; }; };", "needs parameter" },
    { ACCOUNT "requests: { " READ " list: { items = \"\"; next: { by = \"page\"; parameter = \"p\"; size = 5; }; }; };",
      "belong together" },
    { ACCOUNT "requests: { read: { next: { by = \"link_header\"; }; }; };", "has no pages" },
    { ACCOUNT "requests: { read: { outcomes = ( { status = 99; outcome = \"gone\"; } ); }; };", "100 to 599" },
    { ACCOUNT "requests: { read: { outcomes = ( { status = 404; outcome = \"lost\"; } ); }; };", "\"target_down\"" },
    { ACCOUNT "requests: { read: { outcomes = 404; }; };", "a list of groups is expected" },
    { ACCOUNT "requests: { " READ " };\nresult: { ids = \"/id\"; };",
      "3: in result: unknown option \"ids\"; did you mean \"id\"?" },
    { ACCOUNT "requests: { " READ " };\nresult: { disabled: { values = [ 1 ]; }; };", "result.disabled.pointer is missing" },
    { ACCOUNT "requests: { " READ " };\nresult: { disabled: { pointer = \"/s\"; values = ( ); }; };", "values is empty" },
    { ACCOUNT "requests: { " READ " };\nresult: { codes = ( { code = 1; outcome = \"gone\"; } ); };", "without result.code" },
    { ACCOUNT "requests: { " READ " };\nresult = 1;", "result: a group is expected" },
    { ACCOUNT "requests: { " READ " };\npointers: { firts = \"/x\"; };",
      "3: pointers: the mapping's account has no \"firts\"; did you mean \"first\"?" },
    { ACCOUNT "requests: { " READ " };\npointers: { first = \"name\"; };", "pointers.first: a JSON pointer" },
    { ACCOUNT "requests: { " READ " };\npointers: { first = \"/last\"; };", "written to the same place" },
    { ACCOUNT "requests: { " READ " };\npointers: { first = \"/name\"; last = \"/name/family\"; };",
      "written to the same place" },
    { ACCOUNT "requests: { " READ " update: { send = \"scim_patch\"; }; };\npointers: { first = \"/emails/0/value\"; };",
      "leads into a list" },
    { ACCOUNT "requests: { read: { path = \"/employees\"; }; };", "requests.read is the same for everybody" },
    { ACCOUNT "requests: { " READ "\n remove: { path = \"/rpc\"; body: { id = 7; }; }; };", "3: requests.remove is the same" },
    { ACCOUNT "requests: { " READ "\n match = ( { query: { q = \"{id}\"; }; items = \"\"; } ); };",
      "3: requests.match[0]: nothing tells a stranger apart" },
    { ACCOUNT "requests: { " READ "\n match = ( { items = \"\"; where: { external_di = \"{id}\"; }; } ); };",
      "3: requests.match[0].where: the mapping's account has no \"external_di\"; did you mean \"external_id\"?" },
    { ACCOUNT "requests: { " READ "\n match = ( { where: { external_id = \"{id}\"; };\n exact = [ \"id\" ]; } ); };",
      "4: requests.match[0].exact: \"id\" is no attribute of where" },
    { ACCOUNT "requests: { " READ "\n match = ( { exact = [ \"external_id\" ]; } ); };", "is no attribute of where" },
    { ACCOUNT "requests: { " READ "\n match = ( { where: { external_id = \"{id}\"; }; exact = \"external_id\"; } ); };",
      "3: requests.match[0].exact: a list of names is expected" },
};

static void a_hit_is_believed_where_it_can_be_held_against_something_or_the_file_says_so(void **state)
{
    static const char *const matches[] = {
        "{ query: { external_id = \"{id}\"; }; items = \"\"; }", "{ items = \"\"; where: { badge = \"{id}\"; }; }",
        "{ items = \"\"; where: { }; }", "{ path = \"/by-login/{login}\"; }",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        cleanup_free char *text = str_printf(ACCOUNT "requests: { " READ " match = ( %s ); };", matches[i]);
        cleanup_free char *seen = problems_of(text, false);
        assert_string_equal(seen, "");
    }
}

static void each_mistake_is_told_once_with_its_place_and_what_would_be_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        cleanup_free char *seen = problems_of(mistakes[i].mapping, false);
        const char *newline = strchr(seen, '\n');
        if (strstr(seen, mistakes[i].said) == NULL || newline == NULL || newline[1] != '\0')
            fail_msg("%s\nsaid: %s\nnot:  %s", mistakes[i].mapping, seen, mistakes[i].said);
    }
}

static void a_group_has_all_three_member_requests_or_none(void **state)
{
    cleanup_free char *seen =
        problems_of("requests: { " READ " member_add: { path = \"/g\"; }; disable: { path = \"/g\"; }; };", true);

    (void)state;
    assert_non_null(strstr(seen, "belong together"));
    assert_non_null(strstr(seen, "requests.disable goes with kind = \"user\" only"));
}

static void the_options_of_the_connector_are_checked(void **state)
{
    struct rest_settings settings = { .http = { .url = (char *)(uintptr_t) "https://api.example.com", .verify = true },
                                      .probe = (char *)(uintptr_t) "health",
                                      .idempotency_header = (char *)(uintptr_t) "Idempotency Key" };
    struct problems problems = { 0 };
    cleanup_buf struct buf seen = { 0 };

    (void)state;
    rest_settings_check(&settings, "provost.conf", 1, &problems);
    for (size_t i = 0; i < problems.count; i++)
        buf_printf(&seen, "%s\n", problems.list[i].text);
    problems_free(&problems);
    assert_non_null(strstr(seen.bytes, "probe \"health\" is no path"));
    assert_non_null(strstr(seen.bytes, "idempotency_header \"Idempotency Key\""));
}

/* ---- the manual ---- */

static char *manual_of(const struct option_row *rows)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);

    options_print_man(rows, stream);
    fclose(stream);
    return text;
}

static void the_manual_lists_every_name_as_the_tables_have_it(void **state)
{
    const char *source = getenv("PROVOST_SOURCE");
    cleanup_free char *path = str_printf("%s/packaging/man/provost-mapping.5", source != NULL ? source : ".");
    cleanup_free char *manual = NULL;
    struct error error = { 0 };

    (void)state;
    if (file_read(path, 1 << 20, &manual, NULL, &error) < 0)
        fail_msg("%s", error.text);
    for (const struct mapping_table *table = rest_mapping_tables; table->title != NULL; table++) {
        cleanup_free char *text = manual_of(table->rows);
        if (strstr(manual, text) == NULL)
            fail_msg("packaging/man/provost-mapping.5 does not have \"%s\" as it is; put in what stands between the lines:\n%s", table->title,
                     text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_mapping_has_no_mistakes),
        cmocka_unit_test(a_group_s_mapping_has_its_own_requests),
        cmocka_unit_test(each_mistake_is_told_once_with_its_place_and_what_would_be_right),
        cmocka_unit_test(a_hit_is_believed_where_it_can_be_held_against_something_or_the_file_says_so),
        cmocka_unit_test(a_group_has_all_three_member_requests_or_none),
        cmocka_unit_test(the_options_of_the_connector_are_checked),
        cmocka_unit_test(the_manual_lists_every_name_as_the_tables_have_it),
    };
    return cmocka_run_group_tests_name("rest mapping", tests, NULL, NULL);
}
