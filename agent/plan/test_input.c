/* A test of a mapping test file → identity, account, link and members. */
#include "plan/test_case.h"

#include "base/file.h"
#include "base/settings.h"
#include "source/okta.h"

#define EVENTS_BYTES_MOST ((size_t)16 << 20)

void test_complain(struct test_case *run, const config_setting_t *setting, const char *text)
{
    problems_add(run->problems, setting_file(setting), setting_line(setting), 0, "%s", text);
}

const char *test_text(const config_setting_t *group, const char *name)
{
    const char *text = NULL;

    if (group != NULL)
        config_setting_lookup_string(group, name, &text);
    return text;
}

const config_setting_t *test_member(const config_setting_t *group, const char *name)
{
    return group != NULL ? config_setting_get_member(group, name) : NULL;
}

json_t *test_json(const config_setting_t *setting)
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
            json_object_set_new(json, config_setting_name(item), test_json(item));
        else
            json_array_append_new(json, test_json(item));
    }
    return json;
}

bool test_names(struct test_case *run, const config_setting_t *group, const char *what, const char *const *known)
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

static bool time_in(struct test_case *run, const config_setting_t *group, const char *name, struct wall *ret_time)
{
    const char *text = test_text(group, name);

    if (text == NULL || wall_parse(text, ret_time))
        return true;
    test_complain(run, test_member(group, name), "a time is written as \"2026-11-22T21:10:03Z\"");
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

/* `sessions_void: { clear = "…"; }` by trigger, `signed_in: { s1 = "…"; }` by session: since when. */
static bool read_times(struct test_case *run, const config_setting_t *group, enum fact_kind kind)
{
    bool good = true;

    for (unsigned i = 0; group != NULL && i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *item = config_setting_get_elem(group, i);
        const char *name = config_setting_name(item);
        struct fact fact = { .kind = kind, .present = true };
        if (name == NULL || config_setting_get_string(item) == NULL) {
            test_complain(run, item, "sessions_void and signed_in are groups of times: sessions_void: { clear = \"2026-11-22T21:10:03Z\"; };");
            return false;
        }
        *(kind == FACT_SIGNED_IN ? &fact.other : &fact.value) = name;
        good = time_in(run, group, name, &fact.as_of) && good;
        if (identity_take_fact(&run->identity, &fact) >= 0)
            continue;
        test_complain(run, item, "sessions_void: no such trigger; see sign_out in provost-mapping(5)");
        good = false;
    }
    return good;
}

static bool read_identity(struct test_case *run, const config_setting_t *group)
{
    static const char *const known[] = { "id",      "login",  "name", "status",  "live_status", "since",
                                         "profile", "groups", "apps", "deleted", "sessions_void", "signed_in", NULL };
    struct identity *identity = &run->identity;
    struct wall since = { 0 };
    int deleted = 0;

    wall_parse("2026-01-01T00:00:00Z", &since);
    if (!test_names(run, group, "identity", known) || !time_in(run, group, "since", &since))
        return false;
    config_setting_lookup_bool(group, "deleted", &deleted);
    identity->kind = mapping_kind(run->mapping);
    identity->id = str_dup(test_text(group, "id"));
    identity->login = (struct text_register){ str_dup(test_text(group, "login")), since };
    identity->name = (struct text_register){ str_dup(test_text(group, "name")), since };
    identity->status = (struct text_register){ str_dup(test_text(group, "status")), since };
    const char *live = test_text(group, "live_status");
    if (live == NULL && identity->status.value != NULL && !status_is_out(identity->status.value))
        live = identity->status.value;
    identity->live_status = (struct text_register){ str_dup(live), since };
    identity->exists = deleted == 0;
    identity->exists_as_of = since;
    if (test_member(group, "profile") != NULL)
        identity->profile = test_json(test_member(group, "profile"));
    read_memberships(test_member(group, "groups"), since, &identity->groups, &identity->group_count);
    read_memberships(test_member(group, "apps"), since, &identity->apps, &identity->app_count);
    if (identity->id == NULL)
        test_complain(run, group, "identity needs an id");
    return read_times(run, test_member(group, "sessions_void"), FACT_SESSIONS_VOID) &&
           read_times(run, test_member(group, "signed_in"), FACT_SIGNED_IN) && identity->id != NULL;
}

static void merge_batch(struct test_case *run, const struct event_batch *batch)
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
static bool choose_subject(struct test_case *run, const struct event_batch *batch)
{
    const char *id = test_text(run->test, "user");

    if (id == NULL)
        id = test_text(run->test, "group");
    for (size_t e = 0; id == NULL && e < batch->count; e++)
        for (size_t f = 0; id == NULL && f < batch->events[e].fact_count; f++)
            if (batch->events[e].facts[f].identity_kind == run->identity.kind)
                id = batch->events[e].facts[f].id;
    run->identity.id = str_dup(id);
    if (id == NULL)
        test_complain(run, run->test, "the events set no fact of a user or group; name the one meant: user = \"00u…\"");
    return id != NULL;
}

char *test_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

static bool read_events(struct test_case *run, const config_setting_t *setting)
{
    struct error error = { 0 };
    struct event_batch *batch = NULL;
    const char *text = config_setting_get_string(setting);
    cleanup_free char *bytes = NULL;
    size_t length = text != NULL ? strlen(text) : 0;

    if (text != NULL && str_starts(text, "file:")) {
        cleanup_free char *folder = test_folder(run->file);
        cleanup_free char *path = file_join(folder, text + strlen("file:"));
        if (path == NULL || file_read(path, EVENTS_BYTES_MOST, &bytes, &length, &error) < 0) {
            test_complain(run, setting, error.text);
            return false;
        }
        text = bytes;
    }
    if (text == NULL || okta_parse_hook(text, length, (struct wall){ 0 }, &batch, &error) < 0) {
        test_complain(run, setting, text == NULL ? "events is JSON text or \"file:NAME\"" : error.text);
        return false;
    }
    run->identity.kind = mapping_kind(run->mapping);
    bool good = choose_subject(run, batch);
    if (good)
        merge_batch(run, batch);
    event_batch_free(batch);
    return good;
}

/* Where the target gives the locator, it is the key, too. */
static void take_locator(struct test_case *run, json_t *values)
{
    const char *name = run->mapping->locator_name;
    bool assigned = run->mapping->ops != NULL && run->mapping->ops->assigns_locator;
    json_t *value = name != NULL ? json_object_get(values, name) : NULL;

    if (json_is_string(value))
        run->account.locator = strdup(json_string_value(value));
    if (assigned && run->account.locator == NULL)
        run->account.locator = strdup("key");
    run->account.key = strdup(assigned && run->account.locator != NULL ? run->account.locator : "key");
    if (value != NULL)
        json_object_del(values, name);
}

/* The account that is there already, as a connector would have read it. */
static void read_account(struct test_case *run, const config_setting_t *group)
{
    json_t *values = test_json(group), *value;
    const char *name;
    void *next;

    run->has_account = true;
    run->account = (struct account){ .values = values, .disabled = -1 };
    take_locator(run, values);
    json_object_foreach_safe(values, next, name, value)
        if (run->mapping->directory && !json_is_array(value))
            json_object_set_new(values, name, json_pack("[O]", value));
}

/* A test that has an account is about one of ours, unless linked = false says otherwise. */
static bool read_link(struct test_case *run)
{
    const config_setting_t *due = test_member(run->test, "due");
    int linked = run->has_account, gone = 0;

    config_setting_lookup_bool(run->test, "linked", &linked);
    config_setting_lookup_bool(run->test, "gone", &gone);
    run->has_link = linked != 0 || gone != 0 || due != NULL;
    run->link = (struct link_view){
        .key = run->account.key != NULL ? run->account.key : "key",
        .locator = run->account.locator,
        .gone = gone != 0,
    };
    return time_in(run, run->test, "due", &run->link.due);
}

static void read_members(struct test_case *run, const config_setting_t *list)
{
    size_t most = list != NULL ? (size_t)config_setting_length(list) : 0;

    run->members = calloc(most + 1, sizeof(*run->members));
    for (unsigned i = 0; run->members != NULL && i < most; i++) {
        const config_setting_t *group = config_setting_get_elem(list, i);
        const char *locator_name = run->mapping->locator_name != NULL ? run->mapping->locator_name : "locator";
        json_t *values = test_json(group);
        char *value = NULL;
        if (plan_member_value(run->mapping, test_text(group, locator_name), values, &value, NULL) == 0 && value != NULL)
            run->members[run->member_count++] = value;
        json_decref(values);
    }
}

bool test_read(struct test_case *run)
{
    static const char *const known[] = { "name", "identity", "events", "user", "group",   "account", "linked",
                                         "gone", "due",      "now",    "members", "expect", "disabled", NULL };
    const config_setting_t *identity = test_member(run->test, "identity"), *events = test_member(run->test, "events");
    bool good = test_names(run, run->test, "test", known);
    int disabled;

    if ((identity == NULL) == (events == NULL)) {
        test_complain(run, run->test, "a test has either identity: { … } or events = \"…\"");
        return false;
    }
    good = (identity != NULL ? read_identity(run, identity) : read_events(run, events)) && good;
    if (test_member(run->test, "account") != NULL)
        read_account(run, test_member(run->test, "account"));
    if (config_setting_lookup_bool(run->test, "disabled", &disabled))
        run->account.disabled = disabled;
    read_members(run, test_member(run->test, "members"));
    run->now = run->identity.kind == IDENTITY_GROUP ? run->identity.exists_as_of : run->identity.status.as_of;
    return read_link(run) && time_in(run, run->test, "now", &run->now) && good;
}
