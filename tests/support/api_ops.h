/*
 * api_ops.h: what the planner needs to know of a connector to an HTTP API,
 * without the connector: typed values, ids that the target gives, and requests
 * that the mapping file describes. No calls but check_mapping.
 */
#ifndef PROVOST_TESTS_SUPPORT_API_OPS_H
#define PROVOST_TESTS_SUPPORT_API_OPS_H

#include "connectors/connector.h"

static const struct connector_place api_places[] = {
    { "path", ESCAPE_URL_PATH }, { "query", ESCAPE_QUOTED },     { "headers", ESCAPE_HEADER },
    { "where", ESCAPE_NONE },    { "body.path", ESCAPE_QUOTED }, { NULL, ESCAPE_NONE },
};

static const struct connector_group api_groups[] = {
    { "requests", true, api_places, "body" },
    { "result", false, NULL, NULL },
    { "pointers", false, NULL, NULL },
    { NULL, false, NULL, NULL },
};

/* A name that only a connector can know to be wrong. */
static void api_check_mapping(const config_setting_t *root, bool group, struct problems *problems)
{
    const config_setting_t *requests = config_setting_get_member(root, "requests");
    const config_setting_t *setting = requests != NULL ? config_setting_get_member(requests, "creat") : NULL;

    (void)group;
    if (setting != NULL)
        problems_add(problems, config_setting_source_file(setting), (int)config_setting_source_line(setting), 0, "requests has no \"creat\"");
}

static const struct connector_ops api_ops = {
    .abi = CONNECTOR_ABI,
    .name = "api",
    .summary = "an API that only planners see",
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS,
    .locator_attribute = "key",
    .assigns_locator = true,
    .groups = api_groups,
    .check_mapping = api_check_mapping,
};

#endif
