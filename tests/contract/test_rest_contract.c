/* The REST connector under the contract suite, on the test payroll. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/contract/contract.h"
#include "tests/support/rest_world.h"
#include "tests/support/settings.h"

#define TEXT(literal) ((char *)(uintptr_t)(literal))

static json_t *rendered;

static const json_t *settings_for(const char *key)
{
    json_decref(rendered);
    rendered = rest_render("ann", key);
    return rendered;
}

static void *make_settings(const struct connector_ops *ops, const char *url, const char *secret_name)
{
    cleanup_free char *text = str_printf(
        "url = \"%s\"; " REST_PROBE " auth = \"bearer\"; token = \"env:%s\"; connect_timeout = \"2 s\";", url, secret_name);

    return settings_make(ops, text);
}

int main(void)
{
    const struct connector_ops *ops = NULL;
    struct error error = { 0 };
    struct payroll payroll;

    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", PAYROLL_TOKEN, 1);
    setenv("PROVOST_TEST_WRONG", "not-the-secret", 1);
    if (connector_load("rest", NULL, &ops, &error) < 0) {
        printf("Bail out! %s\n", error.text);
        return 1;
    }
    payroll_start(&payroll, "");
    static const char *const secrets[] = { PAYROLL_TOKEN, "not-the-secret", NULL };
    static const char *const names[] = { "external_id", "email", "first_name", "last_name", "start_date", "department", NULL };
    struct change change = { CHANGE_REPLACE, TEXT("last_name"), json_string("Lee-Park") };
    json_t *values = rest_values("ann"), *bad = rest_values("ann");
    json_object_set_new(bad, "start_date", json_string("tomorrow"));
    struct contract contract = {
        .ops = ops,
        .settings = make_settings(ops, payroll.url, "PROVOST_TEST_SECRET"),
        .settings_closed = make_settings(ops, "http://127.0.0.1:1", "PROVOST_TEST_SECRET"),
        .settings_wrong = make_settings(ops, payroll.url, "PROVOST_TEST_WRONG"),
        .secrets = secrets,
        .query = { .names = names },
        .create = { .kind = OPERATION_CREATE, .values = values },
        .update = { .kind = OPERATION_UPDATE, .values = values, .changes = &change, .change_count = 1 },
        .remove = { .kind = OPERATION_REMOVE },
        .bad = { .kind = OPERATION_CREATE, .values = bad },
        .settings_for = settings_for,
    };
    int failed = contract_run("contract of the rest connector", &contract);
    payroll_stop(&payroll);
    settings_free(ops, (void *)(uintptr_t)contract.settings);
    settings_free(ops, (void *)(uintptr_t)contract.settings_closed);
    settings_free(ops, (void *)(uintptr_t)contract.settings_wrong);
    json_decref(values);
    json_decref(bad);
    json_decref(change.values);
    json_decref(rendered);
    return failed != 0;
}
