/* rest.c: the connector for APIs that speak JSON over HTTP: payroll, SCIM, JSON-RPC. */
#include "connectors/rest/apply.h"
#include "connectors/rest/mapping_check.h"
#include "connectors/rest/read.h"
#include "connectors/rest/rehearse.h"
#include "connectors/rest/session.h"

/* What lands in one of these parts of a request is escaped for it by the planner. */
static const struct connector_place request_places[] = {
    { "path", ESCAPE_URL_PATH }, { "query", ESCAPE_QUOTED },     { "headers", ESCAPE_HEADER },
    { "where", ESCAPE_NONE },    { "body.path", ESCAPE_QUOTED }, /* of a SCIM patch: members[value eq "…"] */
    { NULL, ESCAPE_NONE },
};

static const struct connector_group groups[] = {
    { .name = "requests", .by_call = true, .places = request_places, .file_member = "body" },
    { .name = "result" },
    { .name = "pointers" },
    { .name = NULL },
};

/* No attribute of an account is spliced into anything: values stay what they are. */
static const struct connector_place places[] = { { NULL, ESCAPE_NONE } };

__attribute__((visibility("default"))) extern const struct connector_ops provost_connector;
const struct connector_ops provost_connector = {
    .abi = CONNECTOR_ABI,
    .name = "rest",
    .summary = "APIs that speak JSON over HTTP: payroll, SCIM 2.0, JSON-RPC",
    .options = rest_options,
    .settings_bytes = sizeof(struct rest_settings),
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS | CONNECTOR_LIST | CONNECTOR_IDEMPOTENCY,
    .places = places,
    .locator_attribute = "key",
    .assigns_locator = true,
    .groups = groups,
    .check = rest_settings_check,
    .check_mapping = rest_check_mapping,
    .share = session_share,
    .unshare = session_unshare,
    .open = session_open,
    .close = session_close,
    .probe = session_probe,
    .read = rest_read,
    .read_groups = rest_read_groups,
    .apply = rest_apply,
    .rehearse = rest_rehearse,
    .list = rest_list,
};
