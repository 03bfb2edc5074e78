/* A plan against what a test expects of it. */
#include <strings.h>

#include "plan/diff.h"
#include "plan/test_case.h"

/* "-" what was expected, "+" what came. */
static void differ(struct test_case *run, const char *name, const json_t *expected, const json_t *got)
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

void test_differ(struct test_case *run, const char *name, const char *expected, const char *got)
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

static void compare_account(struct test_case *run, const json_t *expected, const json_t *got)
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

/* A locator that the target gives is compared where the test names it. */
static bool names_locator(const struct mapping *mapping, const config_setting_t *account)
{
    bool assigned = mapping->ops != NULL && mapping->ops->assigns_locator;

    return !assigned || test_member(account, mapping->locator_name) != NULL;
}

/* The account as it shall be, its locator and (when made) a group's members among its values. */
static json_t *account_of(const struct test_case *run, const struct plan *plan, bool with_locator)
{
    bool made = plan->operation_count > 0 && plan->operations[0].kind == OPERATION_CREATE;
    json_t *values = json_copy(made ? plan->operations[0].values : plan->wanted.values);

    if (with_locator && run->mapping->locator_name != NULL && plan->wanted.locator != NULL)
        json_object_set_new(values, run->mapping->locator_name, json_string(plan->wanted.locator));
    return values;
}

/* "enable, update"; the caller frees. */
static char *action_of(const struct plan *plan)
{
    struct buf names = { 0 };

    for (size_t i = 0; i < plan->operation_count; i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", operation_kind_name(plan->operations[i].kind));
    if (plan->operation_count == 0)
        buf_add_str(&names, "none");
    return buf_take(&names);
}

/* ---- requests ---- */

/* What all operations of the plan would be done by, under the connector's own
 * groups; and how the account is found. */
static json_t *settings_of(const struct plan *plan, const json_t *found_by, const char *group)
{
    json_t *all = json_copy(json_object_get(found_by, group));

    all = all != NULL ? all : json_object();
    for (size_t i = 0; i < plan->operation_count; i++)
        json_object_update(all, json_object_get(plan->operations[i].settings, group));
    return all;
}

/* Each part by itself, as far as both sides are groups. */
static void compare_settings(struct test_case *run, const char *where, const json_t *expected, const json_t *got)
{
    const char *name;
    json_t *value;

    if (!json_is_object(expected) || !json_is_object(got)) {
        if (!value_fits(expected, got))
            differ(run, where, expected, got);
        return;
    }
    json_object_foreach((json_t *)expected, name, value)
    {
        cleanup_free char *inner = str_printf("%s.%s", where, name);
        compare_settings(run, inner != NULL ? inner : name, value, json_object_get(got, name));
    }
}

static void check_settings(struct test_case *run, const config_setting_t *expect, const struct plan *plan, const json_t *found_by)
{
    const struct connector_group *group = run->mapping->ops != NULL ? run->mapping->ops->groups : NULL;

    for (; group != NULL && group->name != NULL; group++) {
        const config_setting_t *setting = test_member(expect, group->name);
        if (setting == NULL)
            continue;
        json_t *expected = test_json(setting), *got = settings_of(plan, found_by, group->name);
        compare_settings(run, group->name, expected, got);
        json_decref(expected);
        json_decref(got);
    }
}

/* ---- the whole ---- */

static void check_verdict(struct test_case *run, const config_setting_t *expect, enum plan_verdict verdict)
{
    static const struct {
        const char *name;
        enum plan_verdict verdict;
    } rows[] = { { "out_of_scope", PLAN_OUT_OF_SCOPE }, { "waits_for_member", PLAN_WAIT_MEMBER } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int wanted = 0;
        config_setting_lookup_bool(expect, rows[i].name, &wanted);
        if ((wanted != 0) != (verdict == rows[i].verdict))
            test_differ(run, rows[i].name, wanted != 0 ? "true" : "false", wanted != 0 ? "false" : "true");
    }
}

/* What the operations cannot bring about is refused, too; they can be expected beside it. */
static void check_refused(struct test_case *run, const char *refused, const struct plan *plan)
{
    const char *got = plan->unmet != NULL ? plan->unmet : plan->verdict == PLAN_OUT_OF_SCOPE ? "(out of scope)" : "(not refused)";

    if (refused == NULL || plan->unmet == NULL || strstr(plan->unmet, refused) == NULL)
        test_differ(run, "refused", refused != NULL ? refused : "(not refused)", got);
}

void test_check_plan(struct test_case *run, const config_setting_t *expect, const struct plan *plan, const json_t *found_by)
{
    const config_setting_t *account = test_member(expect, "account");
    cleanup_free char *planned = action_of(plan);
    const char *action = test_text(expect, "action"), *refused = test_text(expect, "refused"), *due = test_text(expect, "due");

    if (refused != NULL || plan->unmet != NULL)
        check_refused(run, refused, plan);
    else
        check_verdict(run, expect, plan->verdict);
    if (action != NULL && !str_equal(action, planned))
        test_differ(run, "action", action, planned);
    check_settings(run, expect, plan, found_by);
    if (due != NULL) {
        char text[WALL_TEXT_BYTES];
        struct wall wall = { 0 };
        wall_format(plan->due, text);
        if (!wall_parse(due, &wall) || wall.us != plan->due.us)
            test_differ(run, "due", due, plan->due.us != 0 ? text : "(never)");
    }
    if (account == NULL)
        return;
    json_t *expected = test_json(account), *got = account_of(run, plan, names_locator(run->mapping, account));
    compare_account(run, expected, got);
    json_decref(expected);
    json_decref(got);
}
