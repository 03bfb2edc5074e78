/*
 * directory_ops.h: what the planner needs to know of a directory's connector,
 * without the connector: its places and its locator. No calls.
 */
#ifndef PROVOST_TESTS_SUPPORT_DIRECTORY_OPS_H
#define PROVOST_TESTS_SUPPORT_DIRECTORY_OPS_H

#include "connectors/connector.h"

static const struct connector_place directory_places[] = {
    { "dn", ESCAPE_DN },
    { "match", ESCAPE_FILTER },
    { "manager", ESCAPE_DN },
    { "member", ESCAPE_DN },
    { NULL, ESCAPE_NONE },
};

static const struct connector_ops directory_ops = {
    .abi = CONNECTOR_ABI,
    .name = "directory",
    .summary = "a directory that only planners see",
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS,
    .places = directory_places,
    .locator_attribute = "dn",
};

/* The same, of a connector that knows what stops a log-in. */
static const char *const directory_locks[] = { "passwordLock", "pwdAccountLockedTime", NULL };

static const struct connector_ops locking_directory_ops = {
    .abi = CONNECTOR_ABI,
    .name = "directory",
    .summary = "a directory that only planners see",
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS,
    .places = directory_places,
    .locator_attribute = "dn",
    .locks = directory_locks,
};

#endif
