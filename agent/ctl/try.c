/* provostctl try, test: mappings offline. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/sample.h"
#include "ctl/table.h"
#include "plan/mapping_test.h"

#define TEST_SUFFIX ".test.conf"

/* ---- which connector ---- */

/* A top-level text of a libconfig file; NULL when it cannot be had. What is wrong is told by those who load the file. */
static char *read_setting(const char *path, const char *name)
{
    struct problems ignored = { 0 };
    config_t file;
    const char *text = NULL;
    char *copy = NULL;

    config_init(&file);
    if (settings_read(&file, path, &ignored) == 0 && config_lookup_string(&file, name, &text) == CONFIG_TRUE)
        copy = strdup(text);
    config_destroy(&file);
    problems_free(&ignored);
    return copy;
}

static const char *configured_connector(const struct config *config, const char *mapping_path)
{
    cleanup_free char *target = read_setting(mapping_path, "target");

    for (size_t i = 0; config != NULL && i < config->target_count; i++)
        if (str_equal(config->targets[i].name, target))
            return config->targets[i].connector;
    return NULL;
}

/* The test file beside it may say `connector`, for a mapping that no configuration names. */
static char *connector_beside(const char *mapping_path)
{
    if (!str_ends(mapping_path, ".conf"))
        return NULL;
    int stem = (int)(strlen(mapping_path) - strlen(".conf"));
    cleanup_free char *test_path = str_printf("%.*s%s", stem, mapping_path, TEST_SUFFIX);
    return test_path != NULL ? read_setting(test_path, "connector") : NULL;
}

static int find_connector(const struct ctl *ctl, const struct config *config, const char *mapping_path, const struct connector_ops **ret_ops)
{
    struct error error = { 0 };
    const char *name = ctl_value(ctl, "connector");

    if (name == NULL)
        name = configured_connector(config, mapping_path);
    cleanup_free char *beside = name == NULL ? connector_beside(mapping_path) : NULL;
    if (name == NULL)
        name = beside;
    if (connector_load(name != NULL ? name : "ldap", config != NULL ? config->connectors : NULL, ret_ops, &error) < 0)
        return ctl_fail(CTL_USAGE, "%s: %s", mapping_path, error.text);
    return 0;
}

/* The configuration helps where there is one. */
static int load_optional(const struct ctl *ctl, struct config **ret_config)
{
    return ctl_has_no_config(ctl) ? 0 : ctl_load(ctl, 0, ret_config);
}

/* ---- try ---- */

static void print_values(const struct ctl *ctl, const char *mark, const char *name, const json_t *values)
{
    size_t index;
    const json_t *value;

    if (!json_is_array(values)) {
        cleanup_free char *text = table_value(values);
        printf("  %s%s%s%s: ", mark, ctl_paint(ctl, COLOUR_BOLD), name, ctl_paint(ctl, COLOUR_NONE));
        table_put_text(text != NULL ? text : "");
        putchar('\n');
        return;
    }
    json_array_foreach(values, index, value)
        print_values(ctl, mark, name, value);
}

static void print_members(const json_t *value, int depth);

/* `name: value`, and a group's members or a list's entries below it. */
static void print_nested(const char *name, const json_t *value, int depth)
{
    printf("%*s", 2 * depth, "");
    table_put_text(name);
    putchar(':');
    if (!json_is_object(value) && !json_is_array(value)) {
        cleanup_free char *text = table_value(value);
        putchar(' ');
        table_put_text(text != NULL ? text : "");
    }
    putchar('\n');
    print_members(value, depth + 1);
}

static void print_members(const json_t *value, int depth)
{
    const char *member;
    size_t index;
    const json_t *item;

    json_object_foreach((json_t *)value, member, item)
        print_nested(member, item, depth);
    json_array_foreach(value, index, item)
        print_nested("-", item, depth);
}

/* What would be asked of the target for it, where the mapping file says that. */
static void print_settings(const struct ctl *ctl, const struct operation *operation)
{
    const char *group, *kind = operation_kind_name(operation->kind);
    const json_t *calls;

    json_object_foreach(operation->settings, group, calls)
    {
        const json_t *call = json_object_get(calls, kind);
        if (call == NULL)
            continue;
        printf("  %s%s.%s%s:\n", ctl_paint(ctl, COLOUR_BOLD), group, kind, ctl_paint(ctl, COLOUR_NONE));
        print_members(call, 2);
    }
}

/* Which sessions would be ended, and where they are looked for. */
static void print_sweep(const struct ctl *ctl, const struct operation *operation)
{
    char before[WALL_TEXT_BYTES];
    bool dated = json_is_true(json_object_get(operation->settings, "dated_only"));

    wall_format(operation->before, before);
    printf("  sweep %d: sessions from before %s%s\n", operation->sweep, before,
           dated ? ", where they tell when they began (the person has come back since)" : "");
    printf("  %ssessions%s:\n", ctl_paint(ctl, COLOUR_BOLD), ctl_paint(ctl, COLOUR_NONE));
    print_members(json_object_get(operation->settings, "sessions"), 2);
}

static void print_operation(const struct ctl *ctl, const struct operation *operation)
{
    static const char *const marks[] = { [CHANGE_ADD] = "+ ", [CHANGE_DELETE] = "- ", [CHANGE_REPLACE] = "= " };
    const char *name;
    const json_t *values;

    printf("%s%s%s ", ctl_paint(ctl, COLOUR_GOOD), operation_kind_name(operation->kind), ctl_paint(ctl, COLOUR_NONE));
    table_put_text(operation->locator != NULL ? operation->locator : "");
    putchar('\n');
    json_object_foreach(operation->values, name, values)
        print_values(ctl, "", name, values);
    for (size_t i = 0; i < operation->change_count; i++)
        print_values(ctl, marks[operation->changes[i].kind], operation->changes[i].name,
                     operation->changes[i].values != NULL ? operation->changes[i].values : json_null());
    if (operation->kind == OPERATION_REVOKE)
        print_sweep(ctl, operation);
    else
        print_settings(ctl, operation);
}

static const char *verdict_sentence(const struct plan *plan, const struct identity *identity, bool sessions)
{
    if (sessions && plan->verdict == PLAN_OUT_OF_SCOPE)
        return "nothing: it is out of scope";
    if (sessions && plan->operation_count == 0)
        return "nothing is to be ended";
    if (plan->verdict == PLAN_WAIT_MEMBER)
        return "nothing yet: the group is made with its first member";
    if (plan->verdict == PLAN_OUT_OF_SCOPE && identity->kind == IDENTITY_USER && identity->status.value == NULL)
        return "nothing: no status was heard of it, so it is out of scope";
    if (plan->verdict == PLAN_OUT_OF_SCOPE)
        return "nothing: it is out of scope, or gone";
    return plan->operation_count == 0 ? "nothing is to be done" : NULL;
}

static json_t *plan_json(const struct plan *plan)
{
    static const char *const verdicts[] = {
        [PLAN_CONVERGE] = "converge", [PLAN_OUT_OF_SCOPE] = "out_of_scope", [PLAN_WAIT_MEMBER] = "wait_member",
    };
    json_t *operations = json_array();

    for (size_t i = 0; i < plan->operation_count; i++) {
        const struct operation *operation = &plan->operations[i];
        json_t *one = json_pack("{s:s, s:s?, s:O?, s:O?}", "action", operation_kind_name(operation->kind), "locator", operation->locator,
                                "values", operation->values, "settings", operation->settings);
        if (operation->kind == OPERATION_REVOKE) {
            char before[WALL_TEXT_BYTES];
            wall_format(operation->before, before);
            json_object_set_new(one, "before", json_string(before));
            json_object_set_new(one, "sweep", json_integer(operation->sweep));
        }
        json_array_append_new(operations, one);
    }
    return json_pack("{s:s, s:b, s:s?, s:O?, s:o, s:s*}", "verdict", verdicts[plan->verdict], "present", plan->present, "locator",
                     plan->wanted.locator, "account", plan->wanted.values, "operations", operations, "refused", plan->unmet);
}

static void print_plan(const struct ctl *ctl, const struct plan *plan, const struct identity *identity, bool sessions)
{
    const char *sentence = verdict_sentence(plan, identity, sessions);
    char due[WALL_TEXT_BYTES];

    if (ctl->json) {
        ctl_print_json(plan_json(plan));
        return;
    }
    printf("%s ", identity_kind_name(identity->kind));
    table_put_text(identity->id);
    printf(", %s\n", identity->kind == IDENTITY_GROUP ? (identity->exists ? "exists" : "deleted")
                     : identity->status.value != NULL ? identity->status.value
                                                      : "status unknown");
    if (sessions && plan->wanted.locator != NULL) {
        fputs("in sessions: ", stdout);
        table_put_text(plan->wanted.locator);
        putchar('\n');
    }
    if (sentence != NULL)
        printf("%s\n", sentence);
    for (size_t i = 0; i < plan->operation_count; i++)
        print_operation(ctl, &plan->operations[i]);
    if (plan->unmet != NULL) {
        printf("%srefused%s: ", ctl_paint(ctl, COLOUR_BAD), ctl_paint(ctl, COLOUR_NONE));
        table_put_text(plan->unmet);
        putchar('\n');
    }
    if (plan->due.us != 0) {
        wall_format(plan->due, due);
        printf("%s is due at %s\n", sessions ? "the second sweep" : "removal", due);
    }
}

static int try_sample(const struct ctl *ctl, const struct mapping *mapping)
{
    struct error error = { 0 };
    struct identity identity = { 0 };
    struct plan plan = { 0 };

    if (sample_load(ctl->operands[1], mapping_kind(mapping), ctl_value(ctl, "user"), &identity, &error) < 0)
        return ctl_fail(CTL_UNWELL, "%s", error.text);
    const struct plan_input input = { .identity = &identity, .now = clock_wall(clock_system()) };
    int code = plan_make(mapping, &input, &plan, &error);
    if (code == 0)
        print_plan(ctl, &plan, &identity, mapping_ends_sessions(mapping));
    else
        ctl_fail(CTL_UNWELL, "refused: %s", error.text);
    plan_clear(&plan);
    identity_clear(&identity);
    return code == 0 ? CTL_OK : CTL_UNWELL;
}

int ctl_try(struct ctl *ctl)
{
    struct config *config = NULL;
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;
    const struct connector_ops *ops = NULL;
    int code = load_optional(ctl, &config);

    if (code == 0)
        code = find_connector(ctl, config, ctl->operands[0], &ops);
    if (code == 0 && mapping_load(ctl->operands[0], ops, &problems, &mapping) < 0) {
        problems_print(&problems, stderr);
        code = ctl_fail(CTL_UNWELL, "the mapping cannot be used");
    }
    if (code == 0)
        code = try_sample(ctl, mapping);
    mapping_free(mapping);
    problems_free(&problems);
    config_free(config);
    return code;
}

/* ---- test ---- */

struct test_files {
    char **paths;
    size_t count;
};

static void add_file(struct test_files *files, char *path)
{
    char **paths = realloc(files->paths, (files->count + 1) * sizeof(*paths));

    if (paths == NULL || path == NULL)
        abort();
    files->paths = paths;
    paths[files->count++] = path;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_folder(struct test_files *files, const char *folder)
{
    DIR *stream = opendir(folder);
    struct dirent *entry;
    size_t before = files->count;

    if (stream == NULL)
        return ctl_fail(CTL_USAGE, "%s: %s", folder, strerror(errno));
    while ((entry = readdir(stream)) != NULL)
        if (str_ends(entry->d_name, TEST_SUFFIX) && entry->d_name[0] != '.')
            add_file(files, file_join(folder, entry->d_name));
    closedir(stream);
    if (files->count == before)
        return ctl_fail(CTL_UNWELL, "%s has no test files (NAME%s beside NAME.conf)", folder, TEST_SUFFIX);
    qsort(files->paths + before, files->count - before, sizeof(char *), compare_paths);
    return 0;
}

/* A folder, a test file, or the mapping that it stands beside. */
static int add_operand(struct test_files *files, const char *operand)
{
    struct stat status;

    if (stat(operand, &status) < 0)
        return ctl_fail(CTL_USAGE, "%s: %s", operand, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return add_folder(files, operand);
    if (str_ends(operand, ".conf") && !str_ends(operand, TEST_SUFFIX))
        add_file(files, str_printf("%.*s%s", (int)(strlen(operand) - strlen(".conf")), operand, TEST_SUFFIX));
    else
        add_file(files, strdup(operand));
    return 0;
}

static int find_files(const struct ctl *ctl, const struct config *config, struct test_files *files)
{
    int code = 0;

    if (ctl->count == 0)
        return add_folder(files, config != NULL ? config->mappings : SYSCONFDIR "/provost/mappings");
    for (int i = 0; i < ctl->count && code == 0; i++)
        code = add_operand(files, ctl->operands[i]);
    return code;
}

static char *mapping_beside(const char *test_path)
{
    cleanup_free char *name = read_setting(test_path, "mapping");
    const char *slash = strrchr(test_path, '/');

    if (name == NULL || name[0] == '/' || slash == NULL)
        return strdup(name != NULL ? name : test_path);
    return str_printf("%.*s/%s", (int)(slash - test_path), test_path, name);
}

static int run_file(const struct ctl *ctl, const struct config *config, const char *path, struct mapping_test_run *run, int *ret_passed)
{
    struct problems problems = { 0 };
    const struct connector_ops *ops = NULL;
    cleanup_free char *mapping_path = mapping_beside(path);
    int failed = 1;

    if (mapping_path != NULL && find_connector(ctl, config, mapping_path, &ops) == 0)
        failed = mapping_test_file(path, ops, run, ret_passed, &problems);
    if (failed < 0) {
        failed = 1;
        problems_print(&problems, stderr);
        if (run->results != NULL)
            json_array_append_new(run->results, json_pack("{s:n, s:s, s:b, s:s}", "name", "file", path, "passed", 0, "difference",
                                                          "the file cannot be used"));
        else if (run->tap)
            fprintf(run->stream, "not ok %d %s cannot be used\n", ++run->number, path);
        else
            fprintf(run->stream, "%s cannot be used\n", path);
    }
    problems_free(&problems);
    return failed;
}

static int run_files(const struct ctl *ctl, const struct config *config, const struct test_files *files)
{
    struct mapping_test_run run = { .stream = stdout, .tap = ctl_value(ctl, "tap") != NULL, .colour = ctl->colour };
    int passed = 0, failed = 0;

    if (ctl->json)
        run = (struct mapping_test_run){ .stream = stdout, .results = json_array() };

    if (run.tap)
        printf("TAP version 13\n");
    for (size_t i = 0; i < files->count; i++) {
        int here = 0;
        failed += run_file(ctl, config, files->paths[i], &run, &here);
        passed += here;
    }
    if (run.results != NULL)
        ctl_print_json(json_pack("{s:i, s:i, s:o}", "passed", passed, "failed", failed, "tests", run.results));
    else if (run.tap)
        printf("1..%d\n", run.number);
    else
        printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? CTL_OK : CTL_UNWELL;
}

int ctl_test(struct ctl *ctl)
{
    struct config *config = NULL;
    struct test_files files = { 0 };
    int code = load_optional(ctl, &config);

    if (code == 0)
        code = find_files(ctl, config, &files);
    if (code == 0)
        code = run_files(ctl, config, &files);
    for (size_t i = 0; i < files.count; i++)
        free(files.paths[i]);
    free(files.paths);
    config_free(config);
    return code;
}
