/*
 * Memory runs out at the n-th allocation, for every n: the source's parser, expressions, the planner and the store answer
 * with an error and leave their outputs alone, or do all of their work. Counted is what our code asks for (the linker puts
 * the functions below in the place of libc's, Makefile.am) and what jansson and SQLite do; not what libc asks for itself.
 */
#include <jansson.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/settings.h"
#include "plan/expr.h"
#include "plan/plan.h"
#include "source/okta.h"
#include "tests/support/api_ops.h"
#include "tests/support/directory_ops.h"
#include "tests/support/store_world.h"

#define ALLOCATIONS_MOST 20000

static atomic_long left = -1; /* until the one that fails; negative: none does */
static atomic_bool failed;

static bool fails(void)
{
    if (atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) != 0)
        return false;
    atomic_store(&failed, true);
    return true;
}

#define WRAP(type, name, parameters, arguments)   \
    type __real_##name parameters;                \
    type __wrap_##name parameters;                \
    type __wrap_##name parameters                 \
    {                                             \
        return fails() ? NULL : __real_##name arguments; \
    }
WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t length), (text, length))

/* Does the work: 0 when all of it was done, negative when it failed and its outputs are as before. */
typedef int try_once(void *arg);

/* With each allocation failing in turn, and at last none. Every failure must be seen, or have done no harm. */
static void try_each(try_once *once, void *arg)
{
    int failures = 0;
    long n = 0;

    for (;; n++) {
        assert_in_range(n, 0, ALLOCATIONS_MOST);
        atomic_store(&failed, false);
        atomic_store(&left, n);
        int code = once(arg);
        atomic_store(&left, -1);
        failures += code < 0;
        if (!atomic_load(&failed)) {
            assert_int_equal(code, 0);
            break;
        }
    }
    assert_true(failures > 0);
    print_message("# %ld allocations, %d of them needed\n", n, failures);
}

/* ---- the source ---- */

static const char hook[] =
    "{\"eventId\":\"e1\",\"data\":{\"events\":["
    "{\"uuid\":\"u-1\",\"published\":\"2026-01-02T03:04:05.006Z\",\"eventType\":\"user.lifecycle.activate\",\"outcome\":{\"result\":\"SUCCESS\"},"
    "\"target\":[{\"id\":\"00u1\",\"type\":\"User\",\"alternateId\":\"ann@x\",\"displayName\":\"Ann \\u00e9\"}]},"
    "{\"uuid\":\"u-2\",\"published\":\"2026-01-02T03:04:06.006Z\",\"eventType\":\"group.user_membership.add\",\"outcome\":{\"result\":\"SUCCESS\"},"
    "\"target\":[{\"id\":\"00u1\",\"type\":\"User\",\"alternateId\":\"ann@x\",\"displayName\":\"Ann\"},"
    "{\"id\":\"00g1\",\"type\":\"UserGroup\",\"displayName\":\"Staff\"}]}]}}";

static int parse_hook(void *arg)
{
    struct event_batch *batch = NULL;
    struct error error = { 0 };
    size_t *facts = arg, sum = 0;
    int code = okta_parse_hook(hook, strlen(hook), (struct wall){ START }, &batch, &error);

    if (code < 0) {
        assert_int_equal(code, ERROR_NOMEM); /* Okta must send it again: 503, not 400 */
        assert_null(batch);
        return code;
    }
    assert_int_equal(batch->count, 2);
    for (size_t i = 0; i < batch->count; i++)
        sum += batch->events[i].fact_count;
    *facts = *facts == 0 ? sum : *facts;
    event_batch_free(batch);
    assert_int_equal(sum, *facts); /* none is lost without a word */
    return 0;
}

static void a_hook_body_is_refused_as_a_whole(void **state)
{
    size_t facts = 0;

    (void)state;
    assert_int_equal(parse_hook(&facts), 0);
    assert_true(facts > 3);
    try_each(parse_hook, &facts);
}

/* ---- expressions; compiling them is a part of loading a mapping file ---- */

static const char *const templates[] = {
    "{login | before '@' | upper}", "{login | after '@' | lower | replace 'x' 'yy' | trim}", "{name | last_word}-{name | first_word}",
    "{profile.csv | split ','}", "{profile.tags | join '+'}", "{now | date '%F'}", "{[id, login]}", "{profile.none ?? profile.tags}",
    "{id in ['8', login, '7']}", "{(login | upper) ends with '@X' and not (name contains 'Lou')}",
};

struct rendering {
    const struct template *template;
    struct identity identity;
    json_t *whole; /* rendered with all the memory in the world */
};

static int render(void *arg)
{
    struct rendering *rendering = arg;
    const struct expr_input input = { .identity = &rendering->identity };
    json_t *value = NULL;
    struct error error = { 0 };
    int code = template_render(rendering->template, &input, &value, &error);

    atomic_store(&left, -1);
    if (code < 0) {
        assert_int_equal(code, ERROR_NOMEM);
        assert_null(value);
        return code;
    }
    assert_non_null(value); /* without memory is not absent */
    if (rendering->whole == NULL)
        rendering->whole = json_incref(value);
    assert_true(json_equal(value, rendering->whole));
    json_decref(value);
    return 0;
}

static void an_expression_without_memory_is_not_absent(void **state)
{
    struct rendering rendering = {
        .identity = { .kind = IDENTITY_USER, .id = (char *)"7", .status = { (char *)"ACTIVE", { START } },
                      .login = { (char *)"ann@x", { START } }, .name = { (char *)"Ann Lee", { START } } },
    };

    (void)state;
    rendering.identity.profile = json_loads("{\"csv\":\"a,b\",\"tags\":[\"c\",\"d\"],\"none\":null}", 0, NULL);
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        struct template *template = NULL;
        struct expr_error error = { 0 };
        if (template_compile(templates[i], NAMES_USER, ESCAPE_NONE, "dn", &template, &error) < 0)
            fail_msg("%s: %s", templates[i], error.text);
        rendering.template = template;
        print_message("# %s\n", templates[i]);
        assert_int_equal(render(&rendering), 0);
        try_each(render, &rendering);
        json_decref(rendering.whole);
        rendering.whole = NULL;
        template_free(template);
    }
    json_decref(rendering.identity.profile);
}

/* ---- settings, as far as it is our code: libconfig's own allocations may end the process ---- */

static int read_settings(void *arg)
{
    struct problems problems = { 0 };
    config_t config;

    config_init(&config);
    int code = settings_read(&config, arg, &problems);
    assert_true(code < 0 || config_lookup(&config, "a") != NULL);
    problems_free(&problems);
    config_destroy(&config);
    return code;
}

static void a_settings_file_is_not_read_without_memory(void **state)
{
    char path[] = "/tmp/provost-memory-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "a = 1;\n", 7), 7);
    close(fd);
    try_each(read_settings, path);
    unlink(path);
}

/* ---- the planner; loading a mapping file may end the process ---- */

static const char directory_text[] =
    "target = \"t\"; kind = \"user\"; scope = \"not (login ends with '@contractor')\";\n"
    "match = ( \"(employeeNumber={id})\", \"(mail={profile.email})\" );\n"
    "account: { dn = \"uid={login | before '@'},ou=people,dc=x\"; objectClass = [ \"inetOrgPerson\" ]; uid = \"{login | before '@'}\";\n"
    "  cn = \"{name ?? login}\"; mail = [ \"{login}\", \"{profile.email}\" ]; employeeNumber = \"{id}\"; };\n"
    "policy: { cn = \"once\"; }; on: { deleted = \"disable, remove after 30 days\"; };\n"
    "disable: { dn = \"uid={account.uid},ou=left,dc=x\"; description = \"off {now | date '%F'}\"; };\n";

static const char api_text[] =
    "target = \"t\"; kind = \"user\";\n"
    "account: { name: { given = \"{name | first_word}\"; nick = \"{profile.nick}\"; }; email = \"{login}\"; tags = [ \"a\", \"{id}\" ]; };\n"
    "policy: { tags = \"merge\"; };\n"
    "requests: { read: { path = \"/e/{account.key}\"; }; match = ( { path = \"/e\"; query: { f = \"mail eq \\\"{account.email}\\\"\"; }; } );\n"
    "  create: { path = \"/e\"; body: { who = \"{account.name}\"; }; }; update: { path = \"/e/{account.key}\"; };\n"
    "  disable: { path = \"/e/{account.key}/end\"; body: { on = \"{now | date '%F'}\"; }; }; };\n";

static const char update_text[] =
    "target = \"t\"; kind = \"user\"; while_disabled = \"update\"; account: { email = \"{login}\"; active = true; };\n"
    "disable: { active = false; }; requests: { read: { path = \"/e/{account.key}\"; }; update: { path = \"/e/{account.key}\"; }; };\n";

static const char groups_text[] =
    "target = \"t\"; kind = \"group\"; account: { dn = \"cn={name},ou=groups,dc=x\"; cn = \"{name}\"; };\n"
    "members: { attribute = \"member\"; value = \"{member.account.dn}\"; placeholder = \"cn=nobody\"; };\n";

#define ANN_S_ENTRY \
    "{'uid':['ann'],'objectClass':['inetOrgPerson','person'],'cn':['A'],'mail':['ann@x','old@x'],'employeeNumber':['7']}"

/* What there is, and the operations that shall come of it. */
static const struct plan_case {
    const char *name, *mapping;
    const struct connector_ops *ops;
    const char *status;  /* NULL: a group */
    const char *locator; /* of the account; NULL: there is none */
    const char *values;
    const char *expected;
    bool disabled; /* the target says so */
} plan_cases[] = {
    { "create", directory_text, &directory_ops, "ACTIVE", NULL, NULL, "create", false },
    { "update", directory_text, &directory_ops, "ACTIVE", "uid=ann,ou=people,dc=x", ANN_S_ENTRY, "update", false },
    { "rename", directory_text, &directory_ops, "ACTIVE", "uid=anna,ou=people,dc=x",
      "{'uid':['anna'],'objectClass':['inetOrgPerson'],'cn':['A'],'mail':['anna@x'],'employeeNumber':['7']}", "rename", false },
    { "disable", directory_text, &directory_ops, "SUSPENDED", "uid=ann,ou=people,dc=x", ANN_S_ENTRY, "disable, rename", false },
    { "enable", directory_text, &directory_ops, "ACTIVE", "uid=ann,ou=left,dc=x", ANN_S_ENTRY, "enable", false },
    { "remove", directory_text, &directory_ops, "DELETED", "uid=ann,ou=left,dc=x", ANN_S_ENTRY, "remove", false },
    { "create over an API", api_text, &api_ops, "ACTIVE", NULL, NULL, "create", false },
    { "update over an API", api_text, &api_ops, "ACTIVE", "17", "{'name':{'given':'An','nick':'Nan'},'email':'a@x','tags':['b']}", "update", false },
    { "disable over an API", api_text, &api_ops, "DEPROVISIONED", "17", "{'name':{'given':'Ann'},'email':'ann@x','tags':['a','7']}", "disable", false },
    { "disable by an update", update_text, &api_ops, "DEPROVISIONED", "17", "{'email':'a@x','active':true}", "disable, update", false },
    { "enable without a request", api_text, &api_ops, "ACTIVE", "17", "{'name':{'given':'An','nick':'Nan'},'email':'a@x'}", "update", true },
    { "members of a group", groups_text, &directory_ops, NULL, "cn=old,ou=groups,dc=x", "{'cn':['old'],'member':['uid=bob,dc=x']}", "rename", false },
};

struct planning_try {
    const struct plan_case *row;
    struct mapping *mapping;
    struct identity identity;
    struct account account;
    struct link_view link;
    char *whole; /* the plan that was made with all the memory in the world */
};

static json_t *json(const char *text)
{
    cleanup_free char *copy = strdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    return json_loads(copy, 0, NULL);
}

static void add_json(struct buf *text, const char *name, const json_t *value)
{
    cleanup_free char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);

    buf_printf(text, " %s=%s", name, dumped != NULL ? dumped : "-");
}

/* All that a plan says, to be compared; made while memory can be had. */
static char *plan_text(const struct plan *plan)
{
    struct buf text = { 0 };

    for (size_t i = 0; i < plan->operation_count; i++) {
        const struct operation *operation = &plan->operations[i];
        buf_printf(&text, "%s key=%s locator=%s new=%s", operation_kind_name(operation->kind), operation->key, operation->locator,
                   operation->new_locator);
        add_json(&text, "values", operation->values);
        add_json(&text, "settings", operation->settings);
        add_json(&text, "before", operation->before_image);
        for (size_t c = 0; c < operation->change_count; c++) {
            buf_printf(&text, " %d", (int)operation->changes[c].kind);
            add_json(&text, operation->changes[c].name, operation->changes[c].values);
        }
    }
    buf_printf(&text, " wanted %s %s, unmet %s", plan->wanted.key, plan->wanted.locator, plan->unmet != NULL ? plan->unmet : "-");
    add_json(&text, "values", plan->wanted.values);
    return buf_take(&text);
}

static char *kinds_text(const struct plan *plan)
{
    struct buf text = { 0 };

    for (size_t i = 0; i < plan->operation_count; i++)
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", operation_kind_name(plan->operations[i].kind));
    return buf_take(&text);
}

static int make_plan(void *arg)
{
    struct planning_try *try = arg;
    const char *const members[] = { "uid=bob,dc=x", "uid=eve,dc=x" };
    const struct plan_input input = {
        .identity = &try->identity,
        .account = try->row->locator != NULL ? &try->account : NULL,
        .link = try->row->locator != NULL ? &try->link : NULL,
        .members = members,
        .member_count = try->row->status == NULL ? 2 : 0,
        .now = { START + INT64_C(40) * 86400 * 1000000 },
    };
    struct plan plan = { 0 };
    struct error error = { 0 };
    int code = plan_make(try->mapping, &input, &plan, &error);

    atomic_store(&left, -1);
    if (code < 0) {
        assert_int_equal(code, ERROR_NOMEM); /* tried again, no dead letter */
        assert_null(plan.operations);
        return code;
    }
    cleanup_free char *text = plan_text(&plan), *kinds = kinds_text(&plan);
    if (try->whole == NULL) {
        assert_string_equal(kinds, try->row->expected);
        try->whole = strdup(text);
    }
    if (strcmp(text, try->whole) != 0)
        fail_msg("%s: instead of\n%s\nwithout memory\n%s", try->row->name, try->whole, text);
    plan_clear(&plan);
    return 0;
}

static struct mapping *load(const char *text, const struct connector_ops *ops)
{
    char path[] = "/tmp/provost-memory-XXXXXX";
    int fd = mkstemp(path);
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    int code = mapping_load(path, ops, &problems, &mapping);
    problems_print(&problems, stderr);
    unlink(path);
    assert_int_equal(code, 0);
    return mapping;
}

static void plan_without_memory(const struct plan_case *row)
{
    struct text_register status = { (char *)(uintptr_t)row->status, { START } };
    struct planning_try try = {
        .row = row,
        .mapping = load(row->mapping, row->ops),
        .identity = { .kind = row->status != NULL ? IDENTITY_USER : IDENTITY_GROUP, .id = (char *)"7", .status = status,
                      .live_status = { (char *)"ACTIVE", { START } }, .exists = true, .exists_as_of = { START },
                      .login = { (char *)"ann@x", { START } }, .name = { (char *)"Ann Lee", { START } }, .profile = json("{'nick':null}") },
        .account = { (char *)"17", (char *)(uintptr_t)row->locator, row->values != NULL ? json(row->values) : NULL,
                     row->disabled ? 1 : -1 },
        .link = { .key = "17", .locator = row->locator },
    };

    print_message("# %s\n", row->name);
    assert_int_equal(make_plan(&try), 0);
    try_each(make_plan, &try);
    json_decref(try.identity.profile);
    json_decref(try.account.values);
    mapping_free(try.mapping);
    free(try.whole);
}

static void a_plan_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plan_cases) / sizeof(plan_cases[0]); i++)
        plan_without_memory(&plan_cases[i]);
}

/* ---- the store ---- */

struct taking {
    struct world *world;
    int number;
};

static int take_and_read(void *arg)
{
    struct taking *taking = arg;
    struct world *w = taking->world;
    long n = atomic_exchange(&left, -1); /* what the test itself needs is not meant */
    cleanup_free char *uuid = str_printf("e%d", taking->number++);
    const struct fact facts[] = { STATUS("u1", taking->number % 2 ? "ACTIVE" : "SUSPENDED"), NAME("u1", "Ann"), MEMBER("u1", "g1", true) };
    struct event_batch *batch = batch_new(NULL, 1);
    struct identity identity = { 0 };

    event_fill(&batch->events[0], uuid, "t", taking->number, facts, 3);
    atomic_store(&left, n);
    int code = world_take_batch(w, batch, NULL);
    if (code == 0)
        code = store_read_identity(w->store, IDENTITY_USER, "u1", &identity, &w->error);
    atomic_store(&left, -1);
    if (code < 0) {
        assert_int_equal(code, ERROR_NOMEM);
        assert_null(identity.id);
    } else {
        assert_string_equal(identity.status.value, taking->number % 2 ? "ACTIVE" : "SUSPENDED");
        assert_int_equal(identity.group_count, 1);
        identity_clear(&identity);
    }
    int64_t stored = world_number(w, "SELECT count(*) FROM event");
    assert_int_equal(world_number(w, "SELECT events FROM counter"), stored);
    return code;
}

static void the_store_takes_an_event_whole_or_not_at_all(void **state)
{
    struct taking taking = { *state, 0 };

    world_route(*state);
    assert_int_equal(take_and_read(&taking), 0);
    try_each(take_and_read, &taking);
}

/* SQLite is a library of its own: its calls are not the linker's to replace. */
static sqlite3_mem_methods libc_methods;

static void *sqlite_malloc(int size)
{
    return fails() ? NULL : libc_methods.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fails() ? NULL : libc_methods.xRealloc(old, size);
}

static void count_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &libc_methods);
    sqlite3_mem_methods counted = libc_methods;
    counted.xMalloc = sqlite_malloc;
    counted.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &counted), SQLITE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hook_body_is_refused_as_a_whole),
        cmocka_unit_test(an_expression_without_memory_is_not_absent),
        cmocka_unit_test(a_plan_is_made_whole_or_not_at_all),
        cmocka_unit_test(a_settings_file_is_not_read_without_memory),
        cmocka_unit_test_setup_teardown(the_store_takes_an_event_whole_or_not_at_all, world_setup, world_teardown),
    };

    json_set_alloc_funcs(__wrap_malloc, free);
    count_sqlite();
    return cmocka_run_group_tests_name("no_memory", tests, NULL, NULL);
}
