/* Options: one table row parses, checks and documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/option.h"
#include "base/settings.h"
#include "base/str.h"

static const char *const modes[] = { "never", "try", "always", NULL };

struct sample {
    char *uri, *path, *secret;
    bool on;
    int64_t workers, wait_us, bytes;
    int mode;
    char **names;
    const config_setting_t *group, *any;
};

static const struct option_row rows[] = {
    OPTION_STRING(struct sample, uri, "uri", OPTION_REQUIRED, NULL, "where the server is"),
    OPTION_PATH(struct sample, path, "ca_file", 0, "/etc/ssl/ca.pem", "the root"),
    OPTION_SECRET(struct sample, secret, "password", 0, "of the bind"),
    OPTION_BOOL(struct sample, on, "starttls", "true", "encrypt"),
    OPTION_INT(struct sample, workers, "workers", 0, "4", 1, 256, "sessions at once"),
    OPTION_DURATION(struct sample, wait_us, "timeout", "5 s", 1000, 60000000, "how long a call may take"),
    OPTION_SIZE(struct sample, bytes, "limit", "1 MiB", 1024, 1 << 30, "largest body"),
    OPTION_CHOICE(struct sample, mode, "mode", "try", modes, "how"),
    OPTION_STRINGS(struct sample, names, "names", 0, "which"),
    OPTION_GROUP(struct sample, group, "group", 0, "a part"),
    OPTION_ANY(struct sample, any, "any", 0, "anything"),
    OPTION_END
};

static struct problems problems;
static struct sample sample;
static config_t file;
static char folder[] = "/tmp/provost-option-XXXXXX";

static void write_file(const char *name, const char *text, mode_t mode)
{
    cleanup_free char *path = str_printf("%s/%s", folder, name);
    FILE *stream = fopen(path, "w");

    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void parse_with(const char *text, unsigned flags)
{
    cleanup_free char *path = str_printf("%s/a.conf", folder);

    write_file("a.conf", text, 0600);
    assert_int_equal(settings_read(&file, path, &problems), 0);
    options_parse_with(rows, config_root_setting(&file), "settings", &sample, flags, &problems);
}

static void parse(const char *text)
{
    parse_with(text, 0);
}

static int start(void **state)
{
    (void)state;
    config_init(&file);
    return 0;
}

static int end(void **state)
{
    (void)state;
    options_free(rows, &sample);
    sample = (struct sample){ 0 };
    problems_free(&problems);
    config_destroy(&file);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    static const char *const names[] = { "a.conf", "b.conf", "pw", "sub/c.conf", "sub/ca.pem", "sub" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_free char *path = str_printf("%s/%s", folder, names[i]);
        remove(path);
    }
    return rmdir(folder);
}

/* The only problem there is says this, at this line. */
static void assert_problem(int line, const char *text)
{
    if (problems.count != 1)
        problems_print(&problems, stderr);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.list[0].line, line);
    assert_true(str_ends(problems.list[0].file, "/a.conf"));
    if (strstr(problems.list[0].text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", problems.list[0].text, text);
}

static void defaults_hold_where_nothing_is_said(void **state)
{
    (void)state;
    parse("uri = \"ldap://a\";");
    assert_int_equal(problems.count, 0);
    assert_string_equal(sample.path, "/etc/ssl/ca.pem");
    assert_null(sample.secret);
    assert_true(sample.on);
    assert_int_equal(sample.workers, 4);
    assert_int_equal(sample.wait_us, 5000000);
    assert_int_equal(sample.bytes, 1 << 20);
    assert_int_equal(sample.mode, 1);
    assert_null(sample.names);
    assert_null(sample.group);
}

static void every_type_is_read(void **state)
{
    (void)state;
    write_file("pw", "geheim\n", 0600);
    parse("uri = \"ldap://b\"; ca_file = \"x/ca.pem\"; password = \"file:pw\"; starttls = false; workers = 256;\n"
          "timeout = \"250 ms\"; limit = 2048L; mode = \"always\"; names = [ \"a\", \"b\" ]; group: { x = 1; }; any = ( 1, \"2\" );");
    assert_int_equal(problems.count, 0);
    cleanup_free char *path = str_printf("%s/x/ca.pem", folder);
    assert_string_equal(sample.path, path);
    assert_string_equal(sample.secret, "geheim");
    assert_false(sample.on);
    assert_int_equal(sample.workers, 256);
    assert_int_equal(sample.wait_us, 250000);
    assert_int_equal(sample.bytes, 2048);
    assert_int_equal(sample.mode, 2);
    assert_string_equal(sample.names[0], "a");
    assert_string_equal(sample.names[1], "b");
    assert_null(sample.names[2]);
    assert_string_equal(config_setting_name(sample.group), "group");
    assert_int_equal(config_setting_length(sample.any), 2);
}

static void one_text_stands_for_a_list_of_one(void **state)
{
    (void)state;
    parse("uri = \"u\"; names = \"only\";");
    assert_int_equal(problems.count, 0);
    assert_string_equal(sample.names[0], "only");
    assert_null(sample.names[1]);
}

static void a_missing_required_option_is_a_problem(void **state)
{
    (void)state;
    parse("workers = 3;");
    assert_problem(0, "settings.uri is missing: text in quotes (where the server is)");
}

static void an_empty_required_text_is_a_problem(void **state)
{
    (void)state;
    parse("uri = \"\";");
    assert_problem(1, "settings.uri: text in quotes is expected, not the text \"\"");
}

static void an_unknown_option_names_the_nearest(void **state)
{
    (void)state;
    parse("uri = \"u\";\nworker = 3;");
    assert_problem(2, "in settings: unknown option \"worker\"; did you mean \"workers\"?");
}

static void an_unknown_option_that_is_near_to_none_lists_all(void **state)
{
    (void)state;
    parse("uri = \"u\";\nelephant = 3;");
    assert_problem(2, "unknown option \"elephant\"; known here: uri, ca_file, password,");
}

static const struct {
    const char *line;
    const char *says;
} mistakes[] = {
    { "workers = \"8\";", "a whole number from 1 to 256 is expected, not the text \"8\"" },
    { "workers = 0;", "a whole number from 1 to 256 is expected, not 0" },
    { "workers = 257;", "not 257" },
    { "workers = 2.5;", "not 2.5" },
    { "workers = 99999999999L;", "not 99999999999" },
    { "starttls = \"yes\";", "true or false is expected, not the text \"yes\"" },
    { "starttls = 1;", "true or false is expected, not 1" },
    { "timeout = 5;", "such as \"30 s\" or \"10 minutes\", from \"1 ms\" to \"1 minute\" is expected, not 5" },
    { "timeout = \"5\";", "not the text \"5\"" },
    { "timeout = \"5 parsecs\";", "not the text \"5 parsecs\"" },
    { "timeout = \"2 hours\";", "not the text \"2 hours\"" },
    { "limit = \"1 MB\";", "a size such as \"1 MiB\" from \"1 KiB\" to \"1 GiB\" is expected" },
    { "limit = 12;", "not 12" },
    { "mode = \"sometimes\";", "one of \"never\", \"try\" or \"always\" is expected, not the text \"sometimes\"" },
    { "names = [ 1, 2 ];", "a list of texts, [ \"one\", \"two\" ] is expected, not a list" },
    { "names = { a = 1; };", "not a group" },
    { "group = 5;", "a group, { name = value; } is expected, not 5" },
    { "ca_file = \"\";", "a path in quotes is expected" },
};

static void each_mistake_says_what_is_right(void **state)
{
    end(state);
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        cleanup_free char *text = str_printf("uri = \"u\";\n\n%s", mistakes[i].line);
        start(state);
        parse(text);
        assert_problem(3, mistakes[i].says);
        end(state);
    }
    start(state);
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    parse("workers = 0;\nstarttls = 3;\nmodes = \"x\";\ntimeout = \"\";");
    assert_int_equal(problems.count, 5); /* and uri is missing */
}

static void a_password_in_plain_text_is_refused_and_not_repeated(void **state)
{
    (void)state;
    parse("uri = \"u\";\npassword = \"hunter2\";");
    assert_problem(2, "\"file:PATH\", \"env:NAME\" or \"credential:NAME\"");
    assert_null(strstr(problems.list[0].text, "hunter2"));
    assert_null(sample.secret);
}

static void a_secret_of_the_wrong_type_is_not_repeated(void **state)
{
    (void)state;
    parse("uri = \"u\";\npassword = 31337;");
    assert_problem(2, "is expected, not something else");
    assert_null(strstr(problems.list[0].text, "31337"));
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
    (void)state;
    write_file("pw", "geheim\n", 0644);
    parse("uri = \"u\";\npassword = \"file:pw\";");
    assert_problem(2, "others can read this secret (mode 0644); chmod o-rwx it");
}

static void an_empty_secret_is_no_secret(void **state)
{
    (void)state;
    parse("uri = \"u\"; password = \"\";");
    assert_int_equal(problems.count, 0);
    assert_null(sample.secret);
}

static void without_secrets_their_form_is_checked_but_nothing_is_read(void **state)
{
    (void)state;
    parse_with("uri = \"u\"; password = \"file:/nowhere/at/all\";", OPTIONS_NO_SECRETS);
    assert_int_equal(problems.count, 0);
    assert_null(sample.secret);
    config_destroy(&file);
    config_init(&file);
    options_free(rows, &sample);
    parse_with("uri = \"u\";\npassword = \"hunter2\";", OPTIONS_NO_SECRETS);
    assert_problem(2, "not as text");
}

static void an_include_is_read_and_its_paths_stand_beside_it(void **state)
{
    (void)state;
    cleanup_free char *sub = str_printf("%s/sub", folder);
    cleanup_free char *right = str_printf("%s/sub/ca.pem", folder);
    mkdir(sub, 0700);
    write_file("sub/c.conf", "ca_file = \"ca.pem\";\nworkers = 9000;\n", 0600);
    parse("uri = \"u\";\n@include \"sub/c.conf\"\n");
    assert_string_equal(sample.path, right);
    assert_int_equal(problems.count, 1);
    /* libconfig 1.5 tells the name as it was written, 1.7 the whole path */
    assert_true(str_ends(problems.list[0].file, "sub/c.conf"));
    assert_int_equal(problems.list[0].line, 2);
}

static void read_bad(const char *text)
{
    cleanup_free char *path = str_printf("%s/a.conf", folder);

    write_file("a.conf", text, 0600);
    assert_true(settings_read(&file, path, &problems) < 0);
}

static void a_syntax_error_has_its_line(void **state)
{
    (void)state;
    read_bad("a = 1;\nb = ;\n");
    assert_problem(2, "syntax error; often a \";\", a quote or a bracket is missing");
}

static void an_option_given_twice_has_its_line(void **state)
{
    (void)state;
    read_bad("a = 1;\nb = 2;\na = 3;\n");
    assert_problem(3, "duplicate setting name");
}

static void a_missing_include_has_its_line(void **state)
{
    (void)state;
    read_bad("a = 1;\n  @include \"nothing.conf\"\n");
    assert_problem(2, "nothing.conf cannot be read: No such file or directory");
}

static void an_included_folder_does_not_end_the_process(void **state)
{
    (void)state;
    read_bad("@include \"../\"\n");
    assert_problem(1, "is a folder; name a file");
}

static void an_absolute_include_is_refused_with_the_reason(void **state)
{
    (void)state;
    read_bad("@include \"/etc/hostname\"\n");
    assert_problem(1, "an included file is named relative to");
}

static void a_file_that_includes_itself_ends(void **state)
{
    (void)state;
    read_bad("@include \"a.conf\"\n");
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.list[0].text, "does one include itself?"));
}

static void a_file_that_includes_itself_many_times_ends_soon(void **state)
{
    (void)state;
    read_bad("@include \"a.conf\"\n@include \"a.conf\"\n@include \"a.conf\"\n@include \"a.conf\"\n@include \"a.conf\"\n@include \"a.conf\"\n");
    assert_int_equal(problems.count, 1);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    assert_true(settings_read(&file, "/nowhere/provost.conf", &problems) < 0);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].file, "/nowhere/provost.conf");
    assert_non_null(strstr(problems.list[0].text, "No such file"));
}

static void the_man_page_has_each_row(void **state)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    (void)state;
    options_print_man(rows, stream);
    fclose(stream);
    assert_non_null(strstr(text, ".TP\n.B workers\nsessions at once.\nGiven as a whole number from 1 to 256; default 4.\n"));
    assert_non_null(strstr(text, ".B uri\nwhere the server is.\nGiven as text in quotes; required.\n"));
    assert_non_null(strstr(text, "from \"1 KiB\" to \"1 GiB\"; default 1 MiB."));
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_hold_where_nothing_is_said),
        TEST(every_type_is_read),
        TEST(one_text_stands_for_a_list_of_one),
        TEST(a_missing_required_option_is_a_problem),
        TEST(an_empty_required_text_is_a_problem),
        TEST(an_unknown_option_names_the_nearest),
        TEST(an_unknown_option_that_is_near_to_none_lists_all),
        TEST(each_mistake_says_what_is_right),
        TEST(all_mistakes_are_told_at_once),
        TEST(a_password_in_plain_text_is_refused_and_not_repeated),
        TEST(a_secret_of_the_wrong_type_is_not_repeated),
        TEST(a_secret_that_others_can_read_is_refused),
        TEST(an_empty_secret_is_no_secret),
        TEST(without_secrets_their_form_is_checked_but_nothing_is_read),
        TEST(an_include_is_read_and_its_paths_stand_beside_it),
        TEST(a_syntax_error_has_its_line),
        TEST(an_option_given_twice_has_its_line),
        TEST(a_missing_include_has_its_line),
        TEST(an_included_folder_does_not_end_the_process),
        TEST(an_absolute_include_is_refused_with_the_reason),
        TEST(a_file_that_includes_itself_ends),
        TEST(a_file_that_includes_itself_many_times_ends_soon),
        TEST(a_missing_file_is_named),
        TEST(the_man_page_has_each_row),
    };

    return cmocka_run_group_tests_name("option", tests, make_folder, remove_folder);
}
