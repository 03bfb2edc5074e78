/* Runs a mapping's test file: identity in, expected account or refusal out. */
#include "plan/mapping_test.h"

#include <libconfig.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"
#include "plan/test_case.h"

#define GROUPS_MOST 16

static void test_plan(struct test_case *run, const config_setting_t *expect)
{
    struct plan_input input = {
        .identity = &run->identity,
        .link = run->has_link ? &run->link : NULL,
        .account = run->has_account ? &run->account : NULL,
        .members = (const char *const *)run->members,
        .member_count = run->member_count,
        .now = run->now,
    };
    struct error error = { 0 };
    struct plan plan = { 0 };
    struct plan_query query = { 0 };
    const char *refused = test_text(expect, "refused");

    if (plan_query(run->mapping, &run->identity, input.link, &query, &error) == 0 &&
        plan_make(run->mapping, &input, &plan, &error) == 0) {
        test_check_plan(run, expect, &plan, query.settings);
        plan_clear(&plan);
    } else if (refused == NULL || strstr(error.text, refused) == NULL)
        test_differ(run, "refused", refused != NULL ? refused : "(not refused)", error.text);
    plan_query_clear(&query);
}

static void run_clear(struct test_case *run)
{
    identity_clear(&run->identity);
    account_clear(&run->account);
    for (size_t i = 0; i < run->member_count; i++)
        free(run->members[i]);
    free(run->members);
    buf_free(&run->diff);
}

/* ---- telling ---- */

static void print_diff(const struct mapping_test_run *test_run, char *diff)
{
    for (char *rest = diff, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        const char *colour = !test_run->colour ? "" : line[0] == '-' ? "\033[31m" : "\033[32m";
        fprintf(test_run->stream, "%s%s%s%s\n", test_run->tap ? "# " : "      ", colour, line, test_run->colour ? "\033[0m" : "");
    }
}

/* The texts quote the file, which may be anything; JSON takes no more than UTF-8. */
static void add_result(json_t *results, const struct test_case *run, const char *name)
{
    cleanup_buf struct buf shown = { 0 }, difference = { 0 };
    bool passed = run->diff.length == 0;

    buf_add_visible(&shown, name);
    for (const char *line = run->diff.bytes; !passed && *line != '\0';) {
        cleanup_free char *one = strndup(line, strcspn(line, "\n"));
        line += strcspn(line, "\n");
        buf_add_visible(&difference, one != NULL ? one : "");
        if (*line == '\n')
            buf_add_char(&difference, *line++);
    }
    json_array_append_new(results, json_pack("{s:s, s:s, s:i, s:b, s:s?}", "name", shown.bytes != NULL ? shown.bytes : "", "file",
                                             run->file, "line", setting_line(run->test), "passed", passed, "difference",
                                             passed ? NULL : difference.bytes));
}

static void report(struct mapping_test_run *test_run, const struct test_case *run, const char *name)
{
    bool passed = run->diff.length == 0;

    test_run->number++;
    if (test_run->results != NULL) {
        add_result(test_run->results, run, name);
        return;
    }
    if (test_run->tap)
        fprintf(test_run->stream, "%s %d - %s\n", passed ? "ok" : "not ok", test_run->number, name);
    else
        fprintf(test_run->stream, "  %s  %s\n", passed ? "ok  " : "FAIL", name);
    if (passed)
        return;
    fprintf(test_run->stream, "%s%s:%d\n", test_run->tap ? "# " : "      ", run->file, setting_line(run->test));
    cleanup_free char *diff = strdup(run->diff.bytes);
    if (diff != NULL)
        print_diff(test_run, diff);
}

/* The connector's own groups can be expected, too. */
static bool known_expectations(struct test_case *run, const config_setting_t *expect)
{
    static const char *const own[] = { "action", "account", "refused", "out_of_scope", "waits_for_member", "due" };
    const struct connector_group *group = run->mapping->ops != NULL ? run->mapping->ops->groups : NULL;
    const char *known[sizeof(own) / sizeof(own[0]) + GROUPS_MOST + 1] = { NULL };
    size_t count = 0;

    for (; count < sizeof(own) / sizeof(own[0]); count++)
        known[count] = own[count];
    for (size_t i = 0; group != NULL && group[i].name != NULL && i < GROUPS_MOST; i++)
        known[count++] = group[i].name;
    return test_names(run, expect, "expect", known);
}

/* True: it passed. A test that cannot be understood fails, too. */
static bool run_test(const char *path, const struct mapping *mapping, const config_setting_t *test,
                     struct mapping_test_run *test_run, struct problems *problems)
{
    struct test_case run = { .file = path, .mapping = mapping, .test = test, .problems = problems };
    const config_setting_t *expect = test_member(test, "expect");
    const char *name = test_text(test, "name");
    size_t before = problems->count;

    if (expect == NULL || config_setting_length(expect) == 0)
        test_complain(&run, test, "a test needs expect: { … } with action, account, refused, out_of_scope, waits_for_member or due");
    else if (known_expectations(&run, expect) && test_read(&run))
        test_plan(&run, expect);
    for (size_t i = before; i < problems->count; i++)
        buf_printf(&run.diff, "- cannot be run: %s\n", problems->list[i].text);
    report(test_run, &run, name != NULL ? name : "(a test without a name)");
    bool passed = run.diff.length == 0;
    run_clear(&run);
    return passed;
}

static int run_file(const char *path, const config_t *config, const struct connector_ops *ops, struct mapping_test_run *run,
                    int *ret_passed, struct problems *problems)
{
    const config_setting_t *root = config_root_setting(config), *tests = config_setting_get_member(root, "tests");
    const char *name = test_text(root, "mapping");
    struct mapping *mapping = NULL;
    int failed = 0, passed = 0;

    if (name == NULL || tests == NULL || !config_setting_is_list(tests)) {
        problems_add(problems, path, 0, 0, "a test file needs mapping = \"NAME.conf\"; and tests: ( { … } );");
        return ERROR_INVALID;
    }
    cleanup_free char *folder = test_folder(path);
    cleanup_free char *mapping_file = file_join(folder, name);
    if (mapping_file == NULL || mapping_load(mapping_file, ops, problems, &mapping) < 0)
        return ERROR_INVALID;
    for (unsigned i = 0; i < (unsigned)config_setting_length(tests); i++) {
        if (run_test(path, mapping, config_setting_get_elem(tests, i), run, problems))
            passed++;
        else
            failed++;
    }
    mapping_free(mapping);
    *ret_passed = passed;
    return failed;
}

int mapping_test_file(const char *path, const struct connector_ops *ops, struct mapping_test_run *run, int *ret_passed,
                      struct problems *problems)
{
    config_t config;
    int code = ERROR_INVALID;

    config_init(&config);
    if (settings_read(&config, path, problems) == 0)
        code = run_file(path, &config, ops, run, ret_passed, problems);
    config_destroy(&config);
    return code;
}
