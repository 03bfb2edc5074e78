/*
 * rest_world.h: an employee of the test payroll as the planner would render
 * the requests and the account for the REST connector.
 *
 * Ownership: all JSON is the caller's. A failure ends the test. Threads: no state.
 */
#ifndef PROVOST_TESTS_SUPPORT_REST_WORLD_H
#define PROVOST_TESTS_SUPPORT_REST_WORLD_H

#include "connectors/connector.h"
#include "tests/support/payroll.h"

#define REST_PROBE "probe = \"/employees?limit=1\";"
#define REST_LOGIN "auth = \"bearer\"; token = \"env:PROVOST_TEST_SECRET\"; "

/* { "requests": …, "result": …, "pointers": … } for an employee of this number ("ann": 00uann,
 * ann@example.com) with this key; NULL: not linked yet. */
json_t *rest_render(const char *name, const char *key);
/* The account that the mapping wants. */
json_t *rest_values(const char *name);
/* JSON text with ' for "; the caller's. */
json_t *rest_json(const char *text);
/* Puts a member into a nested object: "requests.update.send". */
void rest_put(json_t *settings, const char *path, const char *json);

#endif
