/* The configuration: defaults, every mistake, all of them at once, and the connectors it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "config/config.h"

static char folder[] = "/tmp/provost-config-XXXXXX";
static char path[64];
static char connectors[4096]; /* where the build put the modules */
static struct problems problems;
static struct config *config;
static struct error error;

/* ---- a stand-in for the plan stage: a mapping is its target and kind ---- */

struct mapping {
    char target[32], kind[32];
};
static int mappings_alive;

static int load_mapping(const char *file, const struct connector_ops *ops, struct problems *found, struct mapping **ret_mapping)
{
    cleanup_free char *text = NULL;
    struct mapping *mapping = calloc(1, sizeof(*mapping));

    assert_non_null(ops);
    if (file_read(file, 4096, &text, NULL, &error) < 0 || sscanf(text, "%31s %31s", mapping->target, mapping->kind) != 2) {
        free(mapping);
        problems_add(found, file, 1, 1, "no mapping");
        return ERROR_SYNTAX;
    }
    mappings_alive++;
    *ret_mapping = mapping;
    return 0;
}

static void free_mapping(struct mapping *mapping)
{
    mappings_alive--;
    free(mapping);
}

static const char *mapping_target(const struct mapping *mapping)
{
    return mapping->target;
}

static const char *mapping_kind(const struct mapping *mapping)
{
    return mapping->kind;
}

static const struct config_loader loader = { load_mapping, free_mapping, mapping_target, mapping_kind, NULL, NULL };

/* ---- files ---- */

static void write_file(const char *name, const char *text, mode_t mode)
{
    cleanup_free char *file = str_printf("%s/%s", folder, name);
    FILE *stream = fopen(file, "w");

    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(chmod(file, mode), 0);
}

static int load_flags(const char *text, unsigned flags)
{
    write_file("provost.conf", text, 0600);
    return config_load(path, flags, &loader, &problems, &config);
}

static int load(const char *text)
{
    return load_flags(text, CONFIG_SECRETS | CONFIG_MAPPINGS);
}

#define HOOK "hook: { secret = \"file:secret\"; };\n"
#define TARGET(more) "targets: ( { name = \"a\"; connector = \"sample\"; mappings = \"people.conf\"; " more \
                     " settings: { uri = \"x\"; }; } );\n"

static int start(void **state)
{
    (void)state;
    setenv("PROVOST_CONNECTORS", connectors, 1);
    write_file("secret", "geheim\n", 0600);
    write_file("people.conf", "a user", 0600);
    write_file("groups.conf", "a group", 0600);
    return 0;
}

static int end(void **state)
{
    (void)state;
    config_free(config);
    config = NULL;
    problems_free(&problems);
    int left = mappings_alive;
    mappings_alive = 0;
    return left;
}

static int make_folder(void **state)
{
    const char *given = getenv("PROVOST_CONNECTORS");

    (void)state;
    if (given == NULL)
        fprintf(stderr, "# PROVOST_CONNECTORS must name the folder of the built modules (make check does)\n");
    if (given == NULL || mkdtemp(folder) == NULL)
        return -1;
    snprintf(connectors, sizeof(connectors), "%s", given);
    snprintf(path, sizeof(path), "%s/provost.conf", folder);
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = { "provost.conf", "secret", "people.conf", "groups.conf", "other.so", "broken.so" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_free char *file = str_printf("%s/%s", folder, names[i]);
        remove(file);
    }
    return rmdir(folder);
}

static void assert_loads(const char *text)
{
    int code = load(text);

    problems_print(&problems, stderr);
    assert_int_equal(code, 0);
    assert_int_equal(problems.count, 0);
    assert_non_null(config);
}

/* Some problem says this, at this line; and nothing was loaded. */
static void assert_told(int line, const char *text)
{
    assert_null(config);
    for (size_t i = 0; i < problems.count; i++)
        if (problems.list[i].line == line && strstr(problems.list[i].text, text) != NULL)
            return;
    problems_print(&problems, stderr);
    fail_msg("nothing at line %d says \"%s\"", line, text);
}

/* ---- what is right ---- */

static void the_shortest_configuration_has_the_documented_defaults(void **state)
{
    (void)state;
    assert_loads(HOOK "mappings = \".\";" TARGET(""));
    assert_string_equal(config->listen.address, "127.0.0.1");
    assert_int_equal(config->listen.port, 8443);
    assert_null(config->listen.certificate);
    assert_int_equal(config->listen.body_bytes_most, 1 << 20);
    assert_int_equal(config->listen.connections_most, 4096);
    assert_int_equal(config->listen.timeout_us, 10000000);
    assert_string_equal(config->hook.path, "/okta/events");
    assert_string_equal(config->hook.header, "Authorization");
    assert_string_equal(config->hook.secret, "geheim");
    assert_null(config->hook.previous_secret);
    assert_int_equal(config->keep_us / 86400000000, 90);
    assert_int_equal(config->keep_keys_us / 86400000000, 180);
    assert_int_equal(config->stop_us, 30000000);
    assert_string_equal(config->control, "/run/provost/control.sock");
    assert_null(config->okta.org);
    assert_null(config->connectors);
}

static void a_target_has_its_connector_settings_and_mappings(void **state)
{
    (void)state;
    cleanup_free char *text = str_printf("%smappings = \"%s\";\ntargets: ( { name = \"a\"; connector = \"sample\"; workers = 7; hold = true;\n"
                                         "mappings = [ \"people.conf\", \"groups.conf\" ];\nretry: { attempts = 3; base = \"10 ms\"; };\n"
                                         "settings: { uri = \"x\"; password = \"file:secret\"; }; } );", HOOK, folder);
    assert_loads(text);
    assert_int_equal(config->target_count, 1);
    const struct config_target *target = &config->targets[0];
    assert_string_equal(target->name, "a");
    assert_string_equal(target->ops->name, "sample");
    assert_int_equal(target->workers, 7);
    assert_true(target->hold);
    assert_int_equal(target->probe_us, 5000000);
    assert_int_equal(target->retry.attempts, 3);
    assert_int_equal(target->retry.base_us, 10000);
    assert_int_equal(target->retry.most_us, 600000000);
    assert_string_equal(*(char **)target->settings, "x");
    assert_string_equal(((char **)target->settings)[1], "geheim");
    assert_string_equal(mapping_kind(target->mappings[1]), "group");
    assert_null(target->mappings[2]);
    assert_int_equal(target->settings_line, 6);
    assert_string_equal(target->settings_file, path);
}

static void paths_stand_beside_the_file_that_names_them(void **state)
{
    (void)state;
    assert_loads(HOOK "store = \"p.db\"; mappings = \".\"; log = \"status.log\"; control = \"c.sock\";" TARGET(""));
    cleanup_free char *store = str_printf("%s/p.db", folder), *log = str_printf("%s/status.log", folder);
    assert_string_equal(config->store, store);
    assert_string_equal(config->log, log);
    config_free(config);
    config = NULL;
    assert_loads(HOOK "mappings = \".\"; log = \"journal\";" TARGET(""));
    assert_string_equal(config->log, "journal");
}

static void with_tls_any_address_is_good(void **state)
{
    (void)state;
    assert_loads(HOOK "mappings = \".\"; listen: { address = \"0.0.0.0\"; tls: { certificate = \"people.conf\"; key = \"secret\"; }; };" TARGET(""));
    cleanup_free char *certificate = str_printf("%s/people.conf", folder);
    assert_string_equal(config->listen.certificate, certificate);
}

static void without_secrets_and_mappings_nothing_else_is_opened(void **state)
{
    (void)state;
    assert_int_equal(load_flags("hook: { secret = \"file:/nowhere\"; };\ntargets: ( { name = \"a\"; connector = \"none\"; mappings = \"no\"; } );", 0), 0);
    assert_null(config->hook.secret);
    assert_null(config->targets[0].ops);
    assert_null(config->targets[0].mappings);
}

static void no_targets_is_a_configuration_too(void **state)
{
    (void)state;
    assert_loads(HOOK "targets = ();");
    assert_int_equal(config->target_count, 0);
}

/* ---- what is wrong ---- */

#define HEAD "mappings = \".\";\n" HOOK /* two lines */

static const struct {
    const char *text;
    int line;
    const char *says;
} mistakes[] = {
    { "mappings = \".\";\n" TARGET(""), 0, "hook is missing: a group" },
    { "hook: {\n};\n" TARGET(""), 1, "hook.secret is missing" },
    { "hook: { secret = \"plain\"; };", 1, "hook.secret: a secret is given as \"file:PATH\", \"env:NAME\" or \"credential:NAME\"" },
    { "hook: { secret = \"file:nothing\"; };", 1, "No such file" },
    { "hook: { secret = \"env:PROVOST_NOT_SET\"; };", 1, "env:PROVOST_NOT_SET: the environment variable is not set" },
    { HEAD, 0, "targets is missing" },
    { HEAD "listn: { };" TARGET(""), 3, "unknown option \"listn\"; did you mean \"listen\"?" },
    { HEAD "listen: { prot = 1; };", 3, "in listen: unknown option \"prot\"; did you mean \"port\"?" },
    { HEAD "listen: { port = 70000; };", 3, "listen.port: a whole number from 0 to 65535 is expected, not 70000" },
    { HEAD "listen: {\n address = \"0.0.0.0\"; };", 4, "without tls Provost listens on the loopback only" },
    { HEAD "listen: { address = \"localhost\"; };", 3, "a numeric IPv4 or IPv6 address is expected" },
    { HEAD "listen: { tls: {\n certificate = \"gone\"; key = \"secret\"; }; };", 4, "gone: No such file or directory" },
    { HEAD "listen: { tls: { key = \"secret\"; }; };", 3, "listen.tls.certificate is missing" },
    { HEAD "listen: { body_limit = \"2 TB\"; };", 3, "listen.body_limit" },
    { "hook: { secret = \"file:secret\"; path = \"okta\"; };", 1, "hook.path: a path that begins with \"/\"" },
    { "hook: { secret = \"file:secret\"; header = \"X Y\"; };", 1, "hook.header: the name of a header is expected" },
    { HEAD "okta: { org = \"ftp://x\"; token = \"file:secret\"; };", 3, "okta.org: an address that begins with \"https://\"" },
    { HEAD "okta: { org = \"https://x\"; };", 3, "okta.token is missing" },
    { HEAD "keep_keys = \"10 days\";", 3, "keep_keys is shorter than keep" },
    { HEAD "targets = 5;", 3, "targets: a list of groups is expected" },
    { HEAD "targets: ( 5 );", 3, "targets[0]: a group is expected" },
    { HEAD "targets: ( { connector = \"sample\"; mappings = \"people.conf\"; } );", 3, "targets[0].name is missing" },
    { HEAD "targets: ( { name = \"a b\"; connector = \"sample\"; mappings = \"people.conf\"; } );", 3, "\"a b\" cannot be a target's name" },
    { HEAD TARGET("worker = 3;"), 3, "in targets.a: unknown option \"worker\"; did you mean \"workers\"?" },
    { HEAD TARGET("workers = 0;"), 3, "targets.a.workers" },
    { HEAD TARGET("retry: { attempts = 0; };"), 3, "targets.a.retry.attempts" },
    { HEAD TARGET("retry: { base = \"1 hour\"; };"), 3, "targets.a.retry: base is longer than most" },
    { HEAD "targets: ( { name = \"a\"; connector = \"samlpe\"; mappings = \"people.conf\"; } );", 3, "there is no connector \"samlpe\"" },
    { HEAD "targets: ( { name = \"a\"; connector = \"../x\"; mappings = \"people.conf\"; } );", 3, "\"../x\" is no connector's name" },
    { HEAD "targets: (\n{ name = \"a\"; connector = \"sample\"; mappings = \"people.conf\"; } );", 4, "targets.a.settings.uri is missing" },
    { HEAD "targets: ( { name = \"a\"; connector = \"sample\"; mappings = \"people.conf\";\nsettings: { uri = \"!\"; }; } );", 4, "begins with \"!\"" },
    { HEAD "targets: ( { name = \"a\"; connector = \"sample\"; mappings = \"people.conf\";\nsettings: {\nurl = \"x\"; }; } );", 5,
      "in targets.a.settings: unknown option \"url\"; did you mean \"uri\"?" },
    { HEAD "targets: ( { name = \"b\"; connector = \"sample\"; mappings = \"people.conf\"; settings: { uri = \"x\"; }; } );", 0,
      "target = \"a\", but the target \"b\" uses this file" },
    { HEAD "targets: ( { name = \"a\"; connector = \"sample\"; mappings = [ \"people.conf\", \"people.conf\" ]; settings: { uri = \"x\"; }; } );", 3,
      "are both for kind = \"user\"" },
    { HEAD "targets: ( { name = \"a\"; connector = \"sample\"; mappings = \"gone.conf\"; settings: { uri = \"x\"; }; } );", 1, "no mapping" },
    { HEAD "targets: ( { name = \"a\"; connector = \"sample\"; mappings = [ ]; settings: { uri = \"x\"; }; } );", 3,
      "targets.a.mappings names no file" },
    { HEAD "x = ;", 3, "syntax error" },
};

static void each_mistake_is_refused_at_its_line_with_what_is_right(void **state)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        assert_true(load(mistakes[i].text) < 0);
        assert_told(mistakes[i].line, mistakes[i].says);
        assert_int_equal(mappings_alive, 0);
        end(state);
    }
}

static void two_targets_cannot_have_one_name(void **state)
{
    (void)state;
    assert_true(load(HEAD "targets: ( { name = \"a\"; connector = \"sample\"; mappings = \"people.conf\"; settings: { uri = \"x\"; }; },\n"
                     "{ name = \"a\"; connector = \"sample\"; mappings = \"people.conf\"; settings: { uri = \"x\"; }; } );") < 0);
    assert_told(4, "there are two targets named \"a\"");
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    assert_true(load("listen: { port = -1; address = \"10.0.0.1\"; };\nhook: { secret = \"x\"; };\nkepe = 1;\nmappings = \".\";\n"
                     "targets: ( { name = \"a\"; connector = \"nothing\"; mappings = \"people.conf\"; },\n"
                     "{ name = \"b\"; connector = \"sample\"; mappings = \"groups.conf\"; settings: { uri = 5; }; } );") < 0);
    assert_told(1, "listen.port");
    assert_told(1, "loopback only");
    assert_told(2, "hook.secret");
    assert_told(3, "did you mean \"keep\"?");
    assert_told(5, "there is no connector \"nothing\"");
    assert_told(6, "targets.b.settings.uri");
    assert_told(0, "but the target \"b\" uses this file");
    assert_int_equal(problems.count, 7);
}

static void a_configuration_that_is_not_there_is_named(void **state)
{
    (void)state;
    assert_true(config_load("/nowhere/provost.conf", 0, &loader, &problems, &config) < 0);
    assert_string_equal(problems.list[0].file, "/nowhere/provost.conf");
}

/* ---- the loader ---- */

static void a_connector_of_another_version_is_refused(void **state)
{
    const struct connector_ops *ops = NULL;

    (void)state;
    assert_int_equal(connector_load("sample_old", NULL, &ops, &error), ERROR_VERSION);
    assert_non_null(strstr(error.text, "was built for version 99 of the connector interface, this agent has version 5"));
    assert_null(ops);
}

static void a_missing_connector_says_where_and_what_there_is(void **state)
{
    const struct connector_ops *ops = NULL;

    (void)state;
    assert_int_equal(connector_load("sampel", NULL, &ops, &error), ERROR_NOTFOUND);
    assert_non_null(strstr(error.text, connectors));
    assert_non_null(strstr(error.text, "did you mean \"sample\"?"));
    assert_int_equal(connector_load("quite-another", NULL, &ops, &error), ERROR_NOTFOUND);
    assert_non_null(strstr(error.text, "there are: "));
    assert_int_equal(connector_load("ldap", folder, &ops, &error), ERROR_NOTFOUND);
    assert_non_null(strstr(error.text, "nor any other"));
}

static void a_file_that_is_no_connector_is_refused(void **state)
{
    const struct connector_ops *ops = NULL;
    cleanup_free char *from = str_printf("%s/sample.so", connectors);
    cleanup_free char *to = str_printf("%s/other.so", folder);

    (void)state;
    write_file("broken.so", "hello", 0600);
    assert_int_equal(connector_load("broken", folder, &ops, &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, "the connector \"broken\" cannot be loaded"));
    assert_int_equal(symlink(from, to), 0);
    assert_int_equal(connector_load("other", folder, &ops, &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, "calls itself \"sample\""));
    assert_null(ops);
}

/* ---- the manual ---- */

static char *replace(char *text, const char *from, const char *to)
{
    struct buf buf = { 0 };
    const char *rest = text, *found;

    while (strlen(from) > 0 && (found = strstr(rest, from)) != NULL) {
        buf_add(&buf, rest, (size_t)(found - rest));
        buf_add_str(&buf, to);
        rest = found + strlen(from);
    }
    buf_add_str(&buf, rest);
    free(text);
    return buf_take(&buf);
}

static char *read_manual(void)
{
    const char *source = getenv("PROVOST_SOURCE");
    cleanup_free char *file = str_printf("%s/packaging/man/provost.conf.5", source != NULL ? source : ".");
    char *manual = NULL;

    assert_int_equal(file_read(file, 1 << 20, &manual, NULL, &error), 0);
    return manual;
}

static void assert_in_manual(char *options)
{
    cleanup_free char *manual = read_manual();

    if (strstr(manual, options) == NULL)
        fail_msg("packaging/man/provost.conf.5 does not have the options as they are; put in what stands between the lines:\n%s", options);
}

/* The manual names the usual folders, whatever this build was configured for. */
static char *replace_folder(char *text, const char *built, const char *usual)
{
    cleanup_free char *escaped = replace(strdup(built), "-", "\\-");

    return replace(text, escaped, usual);
}

/* What libconfig meets behind it would end the process: an include of a folder does. */
static void a_file_with_a_nul_byte_is_refused(void **state)
{
    static const char text[] = "@include \"\0x\n";
    FILE *stream = fopen(path, "w");

    (void)state;
    assert_int_equal(fwrite(text, 1, sizeof(text) - 1, stream), sizeof(text) - 1);
    assert_int_equal(fclose(stream), 0);
    assert_true(config_load(path, 0, &loader, &problems, &config) < 0);
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.list[0].text, "NUL byte"));
}

static void the_manual_lists_the_options_as_they_are(void **state)
{
    cleanup_free char *options = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&options, &bytes);

    (void)state;
    config_print_man(stream);
    fclose(stream);
    options = replace_folder(options, SYSCONFDIR, "/etc");
    options = replace_folder(options, LOCALSTATEDIR, "/var");
    assert_in_manual(options);
}

/* Each option of a connector's `settings`, as its table says. */
static void assert_manual_lists(const char *connector)
{
    cleanup_free char *options = NULL;
    size_t bytes;
    const struct connector_ops *ops = NULL;
    FILE *stream = open_memstream(&options, &bytes);

    if (connector_load(connector, NULL, &ops, &error) < 0)
        fail_msg("%s", error.text);
    options_print_man(ops->options, stream);
    fclose(stream);
    options = replace_folder(options, "provost/" PACKAGE_VERSION_TEXT, "provost/VERSION");
    assert_in_manual(options);
}

static void the_manual_lists_the_settings_of_the_ldap_connector(void **state)
{
    (void)state;
    assert_manual_lists("ldap");
}

static void the_manual_lists_the_settings_of_the_rest_connector(void **state)
{
    (void)state;
    assert_manual_lists("rest");
}

static void the_manual_lists_the_settings_of_the_session_connector(void **state)
{
    (void)state;
    assert_manual_lists("session");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_target_has_its_connector_settings_and_mappings),
        TEST(paths_stand_beside_the_file_that_names_them),
        TEST(with_tls_any_address_is_good),
        TEST(without_secrets_and_mappings_nothing_else_is_opened),
        TEST(no_targets_is_a_configuration_too),
        TEST(each_mistake_is_refused_at_its_line_with_what_is_right),
        TEST(two_targets_cannot_have_one_name),
        TEST(all_mistakes_are_told_at_once),
        TEST(a_configuration_that_is_not_there_is_named),
        TEST(a_connector_of_another_version_is_refused),
        TEST(a_missing_connector_says_where_and_what_there_is),
        TEST(a_file_that_is_no_connector_is_refused),
        TEST(a_file_with_a_nul_byte_is_refused),
        TEST(the_manual_lists_the_options_as_they_are),
        TEST(the_manual_lists_the_settings_of_the_ldap_connector),
        TEST(the_manual_lists_the_settings_of_the_rest_connector),
        TEST(the_manual_lists_the_settings_of_the_session_connector),
        TEST(the_shortest_configuration_has_the_documented_defaults),
    };

    return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
