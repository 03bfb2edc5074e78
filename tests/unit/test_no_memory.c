/*
 * Memory runs out at the n-th allocation, for every n: the source's parser, the planner and the store answer with an
 * error and leave their outputs alone, or do all of their work. The linker puts the functions below in the place of libc's (Makefile.am).
 */
#include <jansson.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/problem.h"
#include "plan/plan.h"
#include "source/okta.h"
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

/* ---- the planner; loading a mapping file may end the process ---- */

static const char mapping_text[] =
    "target = \"t\"; kind = \"user\"; scope = \"not (login ends with '@contractor')\";\n"
    "match = ( \"(employeeNumber={id})\", \"(mail={profile.email})\" );\n"
    "account: { dn = \"uid={login | before '@'},ou=people,dc=x\"; objectClass = [ \"inetOrgPerson\" ]; uid = \"{login | before '@'}\";\n"
    "  cn = \"{name ?? login}\"; mail = [ \"{login}\", \"{profile.email}\" ]; employeeNumber = \"{id}\"; };\n"
    "policy: { cn = \"once\"; }; on: { deleted = \"disable, remove after 30 days\"; };\n"
    "disable: { description = \"off {now | date '%F'}\"; };\n";

static int make_plan(void *arg)
{
    const struct mapping *mapping = arg;
    struct identity identity = {
        .kind = IDENTITY_USER, .id = (char *)"7", .status = { (char *)"ACTIVE", { START } }, .live_status = { (char *)"ACTIVE", { START } },
        .login = { (char *)"ann@x", { START } }, .name = { (char *)"Ann Lee", { START } },
    };
    const struct plan_input input = { .identity = &identity, .now = { START } };
    struct plan plan = { 0 };
    struct error error = { 0 };
    int code = plan_make(mapping, &input, &plan, &error);

    if (code < 0) {
        assert_int_equal(code, ERROR_NOMEM); /* tried again, no dead letter */
        assert_null(plan.operations);
        return code;
    }
    assert_int_equal(plan.operation_count, 1);
    assert_string_equal(plan.operations[0].locator, "uid=ann,ou=people,dc=x");
    assert_string_equal(json_string_value(json_array_get(json_object_get(plan.operations[0].values, "cn"), 0)), "Ann Lee");
    assert_int_equal(json_object_size(plan.operations[0].values), 5);
    plan_clear(&plan);
    return 0;
}

static void a_plan_is_made_whole_or_not_at_all(void **state)
{
    char path[] = "/tmp/provost-memory-XXXXXX";
    int fd = mkstemp(path);
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;

    (void)state;
    assert_int_equal(write(fd, mapping_text, strlen(mapping_text)), strlen(mapping_text));
    close(fd);
    assert_int_equal(mapping_load(path, &directory_ops, &problems, &mapping), 0);
    try_each(make_plan, mapping);
    mapping_free(mapping);
    unlink(path);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hook_body_is_refused_as_a_whole),
        cmocka_unit_test(a_plan_is_made_whole_or_not_at_all),
        cmocka_unit_test_setup_teardown(the_store_takes_an_event_whole_or_not_at_all, world_setup, world_teardown),
    };

    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests_name("no_memory", tests, NULL, NULL);
}
