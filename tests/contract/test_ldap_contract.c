/* The LDAP connector under the contract suite, on a private slapd. */
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
#include "tests/support/settings.h"
#include "tests/support/slapd.h"

#define DN "uid=ann," SLAPD_PEOPLE
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static void *settings_for(const struct connector_ops *ops, const char *uri, const char *secret_name)
{
    cleanup_free char *text = str_printf(
        "uri = \"%s\"; bind_dn = \"" SLAPD_AGENT "\"; password = \"env:%s\"; network_timeout = \"2 s\";", uri, secret_name);

    return settings_make(ops, text);
}

int main(void)
{
    const struct connector_ops *ops = NULL;
    struct error error = { 0 };
    struct slapd slapd;

    if (slapd_skip())
        return 0;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", SLAPD_AGENT_PASSWORD, 1);
    setenv("PROVOST_TEST_WRONG", "not-the-secret", 1);
    if (connector_load("ldap", NULL, &ops, &error) < 0) {
        printf("Bail out! %s\n", error.text);
        return 1;
    }
    slapd_start(&slapd, "--nosync");
    static const char *const secrets[] = { SLAPD_AGENT_PASSWORD, "not-the-secret", NULL };
    static const char *const names[] = { "cn", "sn", "uid", "mail", "employeeNumber", NULL };
    static const char *const match[] = { "(employeeNumber=00u1)", NULL };
    struct change change = { CHANGE_REPLACE, TEXT("mail"), json_pack("[s]", "ann.lee@example.com") };
    json_t *values = json_pack("{s:[s],s:s,s:s,s:s,s:s,s:s}", "objectClass", "inetOrgPerson", "uid", "ann", "cn", "Ann Lee", "sn",
                               "Lee", "mail", "ann@example.com", "employeeNumber", "00u1");
    json_t *bad = json_pack("{s:[s],s:s}", "objectClass", "inetOrgPerson", "cn", "No surname");
    struct contract contract = {
        .ops = ops,
        .settings = settings_for(ops, slapd.uri, "PROVOST_TEST_SECRET"),
        .settings_closed = settings_for(ops, "ldap://127.0.0.1:1", "PROVOST_TEST_SECRET"),
        .settings_wrong = settings_for(ops, slapd.uri, "PROVOST_TEST_WRONG"),
        .secrets = secrets,
        .query = { .locator = DN, .match = match, .names = names },
        .create = { .kind = OPERATION_CREATE, .locator = TEXT(DN), .values = values },
        .update = { .kind = OPERATION_UPDATE, .locator = TEXT(DN), .changes = &change, .change_count = 1 },
        .remove = { .kind = OPERATION_REMOVE, .locator = TEXT(DN) },
        .bad = { .kind = OPERATION_CREATE, .locator = TEXT("uid=bad," SLAPD_PEOPLE), .values = bad },
    };
    int failed = contract_run("contract of the ldap connector", &contract);
    slapd_stop(&slapd);
    settings_free(ops, (void *)(uintptr_t)contract.settings);
    settings_free(ops, (void *)(uintptr_t)contract.settings_closed);
    settings_free(ops, (void *)(uintptr_t)contract.settings_wrong);
    json_decref(values);
    json_decref(bad);
    json_decref(change.values);
    return failed != 0;
}
