/*
 * session_ops.h: what the planner needs to know of a session store's
 * connector, without the connector. No calls.
 */
#ifndef PROVOST_TESTS_SUPPORT_SESSION_OPS_H
#define PROVOST_TESTS_SUPPORT_SESSION_OPS_H

#include "connectors/connector.h"

static const struct connector_group session_groups[] = { { "sessions", false, NULL, NULL }, { NULL, false, NULL, NULL } };

static const struct connector_ops session_ops = {
    .abi = CONNECTOR_ABI,
    .name = "session",
    .summary = "a session store that only planners see",
    .capabilities = CONNECTOR_SESSIONS,
    .groups = session_groups,
};

#endif
