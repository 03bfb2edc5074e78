/* Runs a mapping's test file: identity in, expected account or refusal out. */
#include "plan/mapping_test.h"

#include <libconfig.h>
#include <strings.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"
#include "plan/functions.h"
#include "plan/mapping.h"
#include "source/okta.h"

#define EVENTS_BYTES_MOST ((size_t)16 << 20)

/* One test while it runs. */
struct run {
    const char *file;
    const struct mapping *mapping;
    const config_setting_t *test;
    struct identity identity;
    bool has_link;
    struct link_view link;
    bool has_account;
    struct account account;
    struct plan_member *members;
    size_t member_count;
    struct wall now;
    struct buf diff;         /* what differs, one line each */
    struct problems *problems;
};

static void complain(struct run *run, const config_setting_t *setting, const char *text)
{
    problems_add(run->problems, setting_file(setting), setting_line(setting), 0, "%s", text);
}

static const char *string_in(const config_setting_t *group, const char *name)
{
    const char *text = NULL;

    if (group != NULL)
        config_setting_lookup_string(group, name, &text);
    return text;
}

static const config_setting_t *member_of(const config_setting_t *group, const char *name)
{
    return group != NULL ? config_setting_get_member(group, name) : NULL;
}

/* libconfig → JSON, as plain values. */
static json_t *setting_json(const config_setting_t *setting)
{
    bool group = config_setting_is_group(setting);
    json_t *json;

    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return json_string(config_setting_get_string(setting));
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return json_integer(config_setting_get_int64(setting));
    case CONFIG_TYPE_FLOAT:
        return json_real(config_setting_get_float(setting));
    case CONFIG_TYPE_BOOL:
        return json_boolean(config_setting_get_bool(setting));
    default:
        break;
    }
    json = group ? json_object() : json_array();
    for (unsigned i = 0; i < (unsigned)config_setting_length(setting); i++) {
        const config_setting_t *item = config_setting_get_elem(setting, i);
        if (group)
            json_object_set_new(json, config_setting_name(item), setting_json(item));
        else
            json_array_append_new(json, setting_json(item));
    }
    return json;
}

/* ---- what goes in ---- */

static bool known_names(struct run *run, const config_setting_t *group, const char *what, const char *const *known)
{
    bool good = true;

    for (unsigned i = 0; group != NULL && i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *item = config_setting_get_elem(group, i);
        const char *name = config_setting_name(item);
        size_t k = 0;
        while (known[k] != NULL && (name == NULL || strcmp(known[k], name) != 0))
            k++;
        if (known[k] != NULL)
            continue;
        const char *nearest = name != NULL ? str_nearest(name, known) : NULL;
        problems_add(run->problems, setting_file(item), setting_line(item), 0, "%s: unknown name \"%s\"%s%s%s", what,
                     name != NULL ? name : "", nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "\"?" : "");
        good = false;
    }
    return good;
}

static bool time_in(struct run *run, const config_setting_t *group, const char *name, struct wall *ret_time)
{
    const char *text = string_in(group, name);

    if (text == NULL || wall_parse(text, ret_time))
        return true;
    complain(run, member_of(group, name), "a time is written as \"2026-11-22T21:10:03Z\"");
    return false;
}

static void read_memberships(const config_setting_t *list, struct wall as_of, struct membership **ret_rows, size_t *ret_count)
{
    size_t most = list != NULL ? (size_t)config_setting_length(list) : 0;
    struct membership *rows = calloc(most + 1, sizeof(*rows));

    *ret_count = 0;
    for (unsigned i = 0; rows != NULL && i < most; i++) {
        const char *name = config_setting_get_string_elem(list, (int)i);
        if (name != NULL)
            rows[(*ret_count)++] = (struct membership){ strdup(name), strdup(name), true, as_of };
    }
    *ret_rows = rows;
}

static bool read_identity(struct run *run, const config_setting_t *group)
{
    static const char *const known[] = { "id",      "login",  "name", "status",  "live_status", "since",
                                         "profile", "groups", "apps", "deleted", NULL };
    struct identity *identity = &run->identity;
    struct wall since = { 0 };
    int deleted = 0;

    wall_parse("2026-01-01T00:00:00Z", &since);
    if (!known_names(run, group, "identity", known) || !time_in(run, group, "since", &since))
        return false;
    config_setting_lookup_bool(group, "deleted", &deleted);
    identity->kind = mapping_kind(run->mapping);
    identity->id = str_dup(string_in(group, "id"));
    identity->login = (struct text_register){ str_dup(string_in(group, "login")), since };
    identity->name = (struct text_register){ str_dup(string_in(group, "name")), since };
    identity->status = (struct text_register){ str_dup(string_in(group, "status")), since };
    const char *live = string_in(group, "live_status");
    if (live == NULL && identity->status.value != NULL && !status_is_out(identity->status.value))
        live = identity->status.value;
    identity->live_status = (struct text_register){ str_dup(live), since };
    identity->exists = deleted == 0;
    identity->exists_as_of = since;
    if (member_of(group, "profile") != NULL)
        identity->profile = setting_json(member_of(group, "profile"));
    read_memberships(member_of(group, "groups"), since, &identity->groups, &identity->group_count);
    read_memberships(member_of(group, "apps"), since, &identity->apps, &identity->app_count);
    if (identity->id == NULL)
        complain(run, group, "identity needs an id");
    return identity->id != NULL;
}

static void merge_batch(struct run *run, const struct event_batch *batch)
{
    for (size_t e = 0; e < batch->count; e++)
        for (size_t f = 0; f < batch->events[e].fact_count; f++) {
            const struct fact *fact = &batch->events[e].facts[f];
            if (fact->identity_kind != run->identity.kind || !str_equal(fact->id, run->identity.id))
                continue;
            identity_take_fact(&run->identity, fact);
        }
}

/* The id that a test about events is about: given, or the first that fits. */
static bool choose_subject(struct run *run, const struct event_batch *batch)
{
    const char *id = string_in(run->test, "user");

    if (id == NULL)
        id = string_in(run->test, "group");
    for (size_t e = 0; id == NULL && e < batch->count; e++)
        for (size_t f = 0; id == NULL && f < batch->events[e].fact_count; f++)
            if (batch->events[e].facts[f].identity_kind == run->identity.kind)
                id = batch->events[e].facts[f].id;
    run->identity.id = str_dup(id);
    if (id == NULL)
        complain(run, run->test, "the events set no fact of a user or group; name the one meant: user = \"00u…\"");
    return id != NULL;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

static bool read_events(struct run *run, const config_setting_t *setting)
{
    struct error error = { 0 };
    struct event_batch *batch = NULL;
    const char *text = config_setting_get_string(setting);
    cleanup_free char *bytes = NULL;
    size_t length = text != NULL ? strlen(text) : 0;

    if (text != NULL && str_starts(text, "file:")) {
        cleanup_free char *folder = folder_of(run->file);
        cleanup_free char *path = file_join(folder, text + strlen("file:"));
        if (path == NULL || file_read(path, EVENTS_BYTES_MOST, &bytes, &length, &error) < 0) {
            complain(run, setting, error.text);
            return false;
        }
        text = bytes;
    }
    if (text == NULL || okta_parse_hook(text, length, (struct wall){ 0 }, &batch, &error) < 0) {
        complain(run, setting, text == NULL ? "events is JSON text or \"file:NAME\"" : error.text);
        return false;
    }
    run->identity.kind = mapping_kind(run->mapping);
    bool good = choose_subject(run, batch);
    if (good)
        merge_batch(run, batch);
    event_batch_free(batch);
    return good;
}

/* The account that is there already, as a connector would have read it. */
static void read_account(struct run *run, const config_setting_t *group)
{
    const char *locator_name = run->mapping->locator_name;
    json_t *values = setting_json(group), *value;
    const char *name;
    void *next;

    run->has_account = true;
    run->account = (struct account){ .key = strdup("key"), .values = values, .disabled = -1 };
    if (locator_name != NULL && json_object_get(values, locator_name) != NULL) {
        run->account.locator = str_dup(json_string_value(json_object_get(values, locator_name)));
        json_object_del(values, locator_name);
    }
    json_object_foreach_safe(values, next, name, value)
        if (run->mapping->directory && !json_is_array(value))
            json_object_set_new(values, name, json_pack("[O]", value));
}

/* A test that has an account is about one of ours, unless linked = false says otherwise. */
static bool read_link(struct run *run)
{
    const config_setting_t *due = member_of(run->test, "due");
    int linked = run->has_account, gone = 0;

    config_setting_lookup_bool(run->test, "linked", &linked);
    config_setting_lookup_bool(run->test, "gone", &gone);
    run->has_link = linked != 0 || gone != 0 || due != NULL;
    run->link = (struct link_view){ .key = "key", .locator = run->account.locator, .gone = gone != 0 };
    return time_in(run, run->test, "due", &run->link.due);
}

static void read_members(struct run *run, const config_setting_t *list)
{
    size_t most = list != NULL ? (size_t)config_setting_length(list) : 0;

    run->members = calloc(most + 1, sizeof(*run->members));
    for (unsigned i = 0; run->members != NULL && i < most; i++) {
        const config_setting_t *group = config_setting_get_elem(list, i);
        const char *locator_name = run->mapping->locator_name != NULL ? run->mapping->locator_name : "locator";
        json_t *values = setting_json(group);
        run->members[run->member_count++] = (struct plan_member){ "member", string_in(group, locator_name), values };
    }
}

static bool read_test(struct run *run)
{
    static const char *const known[] = { "name", "identity", "events", "user", "group",   "account", "linked",
                                         "gone", "due",      "now",    "members", "expect", NULL };
    const config_setting_t *identity = member_of(run->test, "identity"), *events = member_of(run->test, "events");
    bool good = known_names(run, run->test, "test", known);

    if ((identity == NULL) == (events == NULL)) {
        complain(run, run->test, "a test has either identity: { … } or events = \"…\"");
        return false;
    }
    good = (identity != NULL ? read_identity(run, identity) : read_events(run, events)) && good;
    if (member_of(run->test, "account") != NULL)
        read_account(run, member_of(run->test, "account"));
    read_members(run, member_of(run->test, "members"));
    run->now = run->identity.kind == IDENTITY_GROUP ? run->identity.exists_as_of : run->identity.status.as_of;
    return read_link(run) && time_in(run, run->test, "now", &run->now) && good;
}

/* ---- what comes out ---- */

/* "-" what was expected, "+" what came. */
static void differ(struct run *run, const char *name, const json_t *expected, const json_t *got)
{
    const json_t *sides[] = { expected, got };

    for (size_t i = 0; i < 2; i++) {
        if (sides[i] == NULL)
            continue;
        char *text = json_dumps(sides[i], JSON_ENCODE_ANY | JSON_SORT_KEYS);
        buf_printf(&run->diff, "%c %s = %s\n", "-+"[i], name, text != NULL ? text : "?");
        free(text);
    }
}

static void differ_text(struct run *run, const char *name, const char *expected, const char *got)
{
    buf_printf(&run->diff, "- %s = %s\n+ %s = %s\n", name, expected, name, got);
}

static int compare_values(const void *a, const void *b)
{
    const char *x = json_string_value(*(json_t *const *)a), *y = json_string_value(*(json_t *const *)b);

    return strcmp(x != NULL ? x : "", y != NULL ? y : "");
}

/* In a directory the order of values means nothing. */
static json_t *sorted(const struct mapping *mapping, const json_t *value)
{
    json_t *list = NULL;
    struct error error;

    if (!mapping->directory)
        return json_incref((json_t *)value);
    if (value_to_texts(value, &list, &error) < 0 || list == NULL)
        return json_array();
    size_t count = json_array_size(list);
    json_t **items = calloc(count, sizeof(json_t *));
    for (size_t i = 0; items != NULL && i < count; i++)
        items[i] = json_incref(json_array_get(list, i));
    if (items != NULL)
        qsort(items, count, sizeof(json_t *), compare_values);
    for (size_t i = 0; items != NULL && i < count; i++)
        json_array_set_new(list, i, items[i]);
    free(items);
    return list;
}

/* One value of a list stands for itself in messages. */
static json_t *shortened(json_t *list)
{
    json_t *shown = json_is_array(list) && json_array_size(list) == 1 ? json_array_get(list, 0) : list;

    json_incref(shown);
    json_decref(list);
    return shown;
}

static json_t *find_value(const struct mapping *mapping, const json_t *values, const char *name)
{
    json_t *value;
    const char *other;

    json_object_foreach((json_t *)values, other, value)
        if ((mapping->directory ? strcasecmp : strcmp)(other, name) == 0)
            return value;
    return NULL;
}

static void compare_account(struct run *run, const json_t *expected, const json_t *got)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)expected, name, value)
    {
        json_t *other = find_value(run->mapping, got, name);
        json_t *a = shortened(sorted(run->mapping, value)), *b = other != NULL ? shortened(sorted(run->mapping, other)) : NULL;
        if (b == NULL || !json_equal(a, b))
            differ(run, name, a, b);
        json_decref(a);
        json_decref(b);
    }
    json_object_foreach((json_t *)got, name, value)
        if (find_value(run->mapping, expected, name) == NULL) {
            json_t *extra = shortened(sorted(run->mapping, value));
            differ(run, name, NULL, extra);
            json_decref(extra);
        }
}

/* The account as it shall be, its locator and (when made) a group's members among its values. */
static json_t *account_of(const struct run *run, const struct plan *plan)
{
    bool made = plan->operation_count > 0 && plan->operations[0].kind == OPERATION_CREATE;
    json_t *values = json_copy(made ? plan->operations[0].values : plan->wanted.values);

    if (run->mapping->locator_name != NULL && plan->wanted.locator != NULL)
        json_object_set_new(values, run->mapping->locator_name, json_string(plan->wanted.locator));
    return values;
}

static const char *action_of(const struct plan *plan)
{
    return plan->operation_count > 0 ? operation_kind_name(plan->operations[0].kind) : "none";
}

static void check_verdict(struct run *run, const config_setting_t *expect, enum plan_verdict verdict)
{
    static const struct {
        const char *name;
        enum plan_verdict verdict;
    } rows[] = { { "out_of_scope", PLAN_OUT_OF_SCOPE }, { "waits_for_member", PLAN_WAIT_MEMBER } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int wanted = 0;
        config_setting_lookup_bool(expect, rows[i].name, &wanted);
        if ((wanted != 0) != (verdict == rows[i].verdict))
            differ_text(run, rows[i].name, wanted != 0 ? "true" : "false", wanted != 0 ? "false" : "true");
    }
}

static void check_plan(struct run *run, const config_setting_t *expect, const struct plan *plan)
{
    const config_setting_t *account = member_of(expect, "account");
    const char *action = string_in(expect, "action"), *refused = string_in(expect, "refused"), *due = string_in(expect, "due");

    if (refused != NULL)
        differ_text(run, "refused", refused, plan->verdict == PLAN_OUT_OF_SCOPE ? "(out of scope)" : "(not refused)");
    else
        check_verdict(run, expect, plan->verdict);
    if (action != NULL && strcmp(action, action_of(plan)) != 0)
        differ_text(run, "action", action, action_of(plan));
    if (due != NULL) {
        char text[WALL_TEXT_BYTES];
        struct wall wall = { 0 };
        wall_format(plan->due, text);
        if (!wall_parse(due, &wall) || wall.us != plan->due.us)
            differ_text(run, "due", due, plan->due.us != 0 ? text : "(never)");
    }
    if (account == NULL)
        return;
    json_t *expected = setting_json(account), *got = account_of(run, plan);
    compare_account(run, expected, got);
    json_decref(expected);
    json_decref(got);
}

static void run_plan(struct run *run, const config_setting_t *expect)
{
    struct plan_input input = {
        .identity = &run->identity,
        .link = run->has_link ? &run->link : NULL,
        .account = run->has_account ? &run->account : NULL,
        .members = run->members,
        .member_count = run->member_count,
        .now = run->now,
    };
    struct error error = { 0 };
    struct plan plan = { 0 };
    const char *refused = string_in(expect, "refused");

    if (plan_make(run->mapping, &input, &plan, &error) == 0) {
        check_plan(run, expect, &plan);
        plan_clear(&plan);
    } else if (refused == NULL || strstr(error.text, refused) == NULL)
        differ_text(run, "refused", refused != NULL ? refused : "(not refused)", error.text);
}

static void run_clear(struct run *run)
{
    identity_clear(&run->identity);
    account_clear(&run->account);
    for (size_t i = 0; i < run->member_count; i++)
        json_decref((json_t *)run->members[i].account);
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

static void report(struct mapping_test_run *test_run, const struct run *run, const char *name)
{
    bool passed = run->diff.length == 0;

    test_run->number++;
    if (test_run->results != NULL) {
        json_array_append_new(test_run->results, json_pack("{s:s, s:s, s:i, s:b, s:s?}", "name", name, "file", run->file, "line",
                                                           setting_line(run->test), "passed", passed, "difference",
                                                           passed ? NULL : run->diff.bytes));
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

/* True: it passed. A test that cannot be understood fails, too. */
static bool run_test(const char *path, const struct mapping *mapping, const config_setting_t *test,
                     struct mapping_test_run *test_run, struct problems *problems)
{
    static const char *const known[] = { "action", "account", "refused", "out_of_scope", "waits_for_member", "due", NULL };
    struct run run = { .file = path, .mapping = mapping, .test = test, .problems = problems };
    const config_setting_t *expect = member_of(test, "expect");
    const char *name = string_in(test, "name");
    size_t before = problems->count;

    if (expect == NULL || config_setting_length(expect) == 0)
        complain(&run, test, "a test needs expect: { … } with action, account, refused, out_of_scope, waits_for_member or due");
    else if (known_names(&run, expect, "expect", known) && read_test(&run))
        run_plan(&run, expect);
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
    const char *name = string_in(root, "mapping");
    struct mapping *mapping = NULL;
    int failed = 0, passed = 0;

    if (name == NULL || tests == NULL || !config_setting_is_list(tests)) {
        problems_add(problems, path, 0, 0, "a test file needs mapping = \"NAME.conf\"; and tests: ( { … } );");
        return ERROR_INVALID;
    }
    cleanup_free char *folder = folder_of(path);
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
