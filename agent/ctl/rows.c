/* provostctl events, dead, show: rows of the store for people. */
#include "base/str.h"
#include "ctl/api.h"
#include "ctl/table.h"

static const char *const event_columns[] = { "row", "time", "type", "user", "result", "effect", "deliveries", "event", NULL };
static const char *const dead_columns[] = { "target", "user", "group", "id", "time", "attempt", "action", "outcome", "step", "leaver", "reason", "type",
                                            "event", NULL };
static const char *const waiting_columns[] = { "target", "user", "group", "leaver", "since", "next", "attempt", "why", NULL };
static const char *const any_columns[] = { "operation", "time", "target", "action", "outcome", "account", "reason", NULL };

/* "corp-ldap applied (create), payroll retry" */
static json_t *summarize_deliveries(const json_t *deliveries)
{
    cleanup_buf struct buf text = { 0 };
    size_t index;
    const json_t *delivery;

    json_array_foreach(deliveries, index, delivery) {
        const char *target = json_string_value(json_object_get(delivery, "target"));
        const char *outcome = json_string_value(json_object_get(delivery, "outcome"));
        const char *action = json_string_value(json_object_get(delivery, "action"));
        bool acted = action != NULL && strcmp(action, "none") != 0;
        buf_printf(&text, "%s%s %s%s%s%s", index > 0 ? ", " : "", target != NULL ? target : "?", outcome != NULL ? outcome : "waits",
                   acted ? " (" : "", acted ? action : "", acted ? ")" : "");
    }
    return json_string(text.length > 0 ? text.bytes : "-");
}

/* What of an event or a dead letter fits in a line; `show` has the rest. */
static json_t *summarize(const json_t *objects, const char *const *columns)
{
    json_t *rows = json_array();
    size_t index;
    const json_t *object;

    json_array_foreach(objects, index, object) {
        json_t *row = json_object();
        for (const char *const *name = columns; *name != NULL; name++) {
            json_t *value = json_object_get(object, *name);
            if (json_is_array(value))
                json_object_set_new(row, *name, summarize_deliveries(value));
            else if (value != NULL)
                json_object_set(row, *name, value);
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

static void print_summary(const struct ctl *ctl, const json_t *objects, const char *const *columns)
{
    json_t *rows = summarize(objects, columns);

    table_print_rows(ctl, rows, columns, "");
    json_decref(rows);
}

static int print_list(struct ctl *ctl, const char *path, const struct api_param *params,
                      const char *const *columns, const char *none)
{
    json_t *rows = NULL;
    int code = api_call(ctl, "GET", path, params, &rows);

    if (code != 0)
        return code;
    if (ctl->json) {
        ctl_print_json(rows);
        return CTL_OK;
    }
    if (json_array_size(rows) == 0)
        printf("%s\n", none);
    else
        print_summary(ctl, rows, columns);
    json_decref(rows);
    return CTL_OK;
}

int ctl_events(struct ctl *ctl)
{
    char most[32];
    long long number;

    static const char *const outcomes[] = { CTL_OUTCOMES, "ready", "leased", "waiting", "due", "held", "changed", "recorded", NULL };

    if (!ctl_number(ctl, "most", 30, 10000, &number) || !ctl_word(ctl, "outcome", outcomes))
        return CTL_USAGE;
    snprintf(most, sizeof(most), "%lld", number);
    const struct api_param params[] = {
        { "target", ctl_value(ctl, "target") },   { "user", ctl_value(ctl, "user") },     { "type", ctl_value(ctl, "type") },
        { "outcome", ctl_value(ctl, "outcome") }, { "before", ctl_value(ctl, "before") }, { "most", most },
        { NULL, NULL },
    };
    return print_list(ctl, "/v1/events", params, event_columns, "No events match.");
}

int ctl_dead(struct ctl *ctl)
{
    char most[32];
    long long number;

    if (!ctl_number(ctl, "most", 100, 10000, &number))
        return CTL_USAGE;
    snprintf(most, sizeof(most), "%lld", number);
    const struct api_param params[] = {
        { "target", ctl->count > 0 ? ctl->operands[0] : ctl_value(ctl, "target") },
        { "user", ctl_value(ctl, "user") },
        { "most", most },
        { NULL, NULL },
    };
    return print_list(ctl, "/v1/dead", params, dead_columns, "No dead letters.");
}

int ctl_waiting(struct ctl *ctl)
{
    char most[32];
    long long number;
    bool leavers = ctl_value(ctl, "leavers") != NULL;

    if (!ctl_number(ctl, "most", 100, 10000, &number))
        return CTL_USAGE;
    snprintf(most, sizeof(most), "%lld", number);
    const struct api_param params[] = {
        { "target", ctl->count > 0 ? ctl->operands[0] : ctl_value(ctl, "target") },
        { "leavers", leavers ? "1" : NULL },
        { "most", most },
        { NULL, NULL },
    };
    return print_list(ctl, "/v1/waiting", params, waiting_columns, leavers ? "No leaver waits." : "Nothing waits.");
}

/* ---- show: anything, indented ---- */

static void print_any(const struct ctl *ctl, const json_t *value, int depth);

static bool is_flat(const json_t *value)
{
    return !json_is_object(value) && !json_is_array(value);
}

/* A list whose rows have values only, and few enough of them to stand side by side. */
static bool is_table(const json_t *array)
{
    size_t index;
    const json_t *row;
    const char *name;
    const json_t *value;

    json_array_foreach(array, index, row) {
        if (!json_is_object(row) || json_object_size(row) > TABLE_COLUMNS_MOST)
            return false;
        json_object_foreach((json_t *)row, name, value)
            if (!is_flat(value))
                return false;
    }
    return json_array_size(array) > 0;
}

/* Values only: they stand in one line. */
static char *join_flat(const json_t *value)
{
    struct buf text = { 0 };
    size_t index;
    const json_t *item;

    if (!json_is_array(value) || json_array_size(value) == 0)
        return is_flat(value) ? table_value(value) : NULL;
    json_array_foreach(value, index, item) {
        cleanup_free char *one = is_flat(item) ? table_value(item) : NULL;
        if (one == NULL) {
            buf_free(&text);
            return NULL;
        }
        buf_printf(&text, "%s%s", index > 0 ? ", " : "", one);
    }
    return buf_take(&text);
}

static void print_member(const struct ctl *ctl, const char *name, const json_t *value, int depth)
{
    printf("%*s%s", depth * 2, "", ctl_paint(ctl, COLOUR_BOLD));
    table_put_text(name);
    printf("%s:", ctl_paint(ctl, COLOUR_NONE));
    cleanup_free char *text = join_flat(value);
    if (text != NULL) {
        putchar(' ');
        table_put_text(text);
        putchar('\n');
        return;
    }
    bool empty = json_is_object(value) ? json_object_size(value) == 0 : json_array_size(value) == 0;
    printf(empty ? " none\n" : "\n");
    print_any(ctl, value, depth + 1);
}

static void print_any(const struct ctl *ctl, const json_t *value, int depth)
{
    size_t index;
    const json_t *item;
    const char *name;
    cleanup_free char *indent = str_printf("%*s", depth * 2, "");

    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, name, item)
            print_member(ctl, name, item, depth);
    } else if (is_table(value)) {
        table_print_rows(ctl, value, any_columns, indent != NULL ? indent : "");
    } else {
        json_array_foreach(value, index, item) {
            cleanup_free char *number = str_printf("%zu", index + 1);
            print_member(ctl, number != NULL ? number : "", item, depth);
        }
    }
}

int ctl_show(struct ctl *ctl)
{
    json_t *object = NULL;
    const struct api_param params[] = { { "id", ctl->operands[0] }, { NULL, NULL } };
    int code = api_call(ctl, "GET", "/v1/show", params, &object);

    if (code != 0)
        return code;
    if (ctl->json) {
        ctl_print_json(object);
        return CTL_OK;
    }
    print_any(ctl, object, 0);
    json_decref(object);
    return CTL_OK;
}
