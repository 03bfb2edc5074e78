/*
 * fuzz_mapping: any text as a mapping file and as its test file. Nothing
 * crashes; what is refused comes with a sentence; what is taken can be planned
 * with for everybody, and the plan that was carried out leaves nothing to do.
 *
 * The input: a mapping file; the connector's name in a comment as its first
 * line ("# rest"; otherwise ldap's); behind a line "%%" a test file.
 * The connectors are the real ones, from PROVOST_CONNECTORS.
 */
#include "tests/fuzz/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/str.h"
#include "plan/mapping_test.h"
#include "plan/plan.h"
#include "plan/sessions.h"
#include "tests/fuzz/scratch.h"

#define T0 INT64_C(1767225600000000)

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_mapping: %s\n", what);
    abort();
}

static const struct connector_ops *ops_of(const char *text)
{
    static const char *const names[] = { "rest", "session", "ldap" };
    const struct connector_ops *ops = NULL;
    struct error error = { 0 };
    size_t i = 0;

    while (i < 2 && (text[0] != '#' || !str_starts(text + 1 + strspn(text + 1, " "), names[i])))
        i++;
    if (connector_load(names[i], NULL, &ops, &error) < 0) {
        fprintf(stderr, "fuzz_mapping: %s\n", error.text);
        exit(1);
    }
    return ops;
}

static void check_problems(struct problems *problems, bool refused)
{
    demand(!refused || problems->count > 0, "refused without a word");
    for (size_t i = 0; i < problems->count; i++)
        demand(problems->list[i].text[0] != '\0', "a problem without a sentence");
    problems_free(problems);
    *problems = (struct problems){ 0 };
}

/* What a connector would read back. */
static void carry_out(const struct plan *plan, struct account *account)
{
    account_clear(account);
    *account = (struct account){ .key = strdup("key"), .disabled = -1 };
    account->locator = strdup(plan->wanted.locator != NULL ? plan->wanted.locator : "key");
    account->values = plan->wanted.values != NULL ? json_deep_copy(plan->wanted.values) : json_object();
}

static void plan_for(const struct mapping *mapping, const struct identity *identity)
{
    struct account account = { .disabled = -1 };
    struct link_view link = { .key = "key" };
    bool there = false;

    for (int round = 0; round < 2; round++) {
        struct plan_input input = { .identity = identity, .link = there ? &link : NULL, .account = there ? &account : NULL,
                                    .now = { T0 + 1 } };
        struct plan_query query = { 0 };
        struct plan plan = { 0 };
        struct error error = { 0 };
        if (plan_query(mapping, identity, input.link, &query, &error) < 0 || plan_make(mapping, &input, &plan, &error) < 0) {
            demand(error.text[0] != '\0', "a plan that fails without a word");
            plan_query_clear(&query);
            break;
        }
        there = plan.present && !mapping_ends_sessions(mapping);
        if (there)
            carry_out(&plan, &account);
        plan_query_clear(&query);
        plan_clear(&plan);
        if (!there)
            break;
    }
    account_clear(&account);
}

static void plan_for_all(const struct mapping *mapping)
{
    static const char *const statuses[] = { NULL, "STAGED", "ACTIVE", "SUSPENDED", "DEPROVISIONED", "DELETED" };
    struct membership groups[] = { { (char *)"00g1", (char *)"Sales, EMEA", true, { 1 } }, { (char *)"00g2", (char *)"(*)", true, { 1 } } };

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct identity identity = {
            .kind = mapping_kind(mapping),
            .id = (char *)"00u1",
            .status = { (char *)(uintptr_t)statuses[i], { T0 } },
            .live_status = { (char *)(uintptr_t)(i > 3 ? "ACTIVE" : statuses[i]), { T0 } },
            .login = { (char *)"ann,o=\"x\"@example.com", { T0 } },
            .name = { (char *)"Ann L\xc3\xa9" "e", { T0 } },
            .profile = json_pack("{s:s,s:i,s:[s,s],s:n}", "email", "ann@example.com", "level", 7, "tags", "a,b", "c", "none"),
            .exists = i != 5,
            .exists_as_of = { T0 },
            .groups = groups,
            .group_count = 2,
        };
        if (i > 2)
            identity.sessions_void[TRIGGER_CLEAR] = (struct wall){ T0 };
        plan_for(mapping, &identity);
        json_decref(identity.profile);
    }
}

static void run_tests(const char *text, const struct connector_ops *ops)
{
    cleanup_free char *path = scratch_write("fuzz.test.conf", text, strlen(text));
    struct mapping_test_run run = { .results = json_array() };
    struct problems problems = { 0 };
    int passed = 0;

    int failed = mapping_test_file(path, ops, &run, &passed, &problems);
    demand(failed < 0 || (size_t)(failed + passed) == json_array_size(run.results), "a test was lost");
    json_decref(run.results);
    check_problems(&problems, failed < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = strndup((const char *)data, size);
    char *tests = strstr(text, "\n%%\n");
    const struct connector_ops *ops = ops_of(text);
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;

    if (tests != NULL)
        *tests = '\0';
    cleanup_free char *path = scratch_write("fuzz.conf", text, strlen(text));
    int code = mapping_load(path, ops, &problems, &mapping);
    demand((code == 0) == (mapping != NULL && problems.count == 0), "taken with problems");
    check_problems(&problems, code < 0);
    if (mapping != NULL)
        plan_for_all(mapping);
    mapping_free(mapping);
    if (tests != NULL)
        run_tests(tests + strlen("\n%%\n"), ops);
    return 0;
}

REPLAY_MAIN("mapping")
