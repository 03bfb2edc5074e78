/*
 * mapping_test.h: runs a mapping test file offline: sample identity or hook
 * body in, expected account or refusal out.
 *
 * The file (libconfig) stands beside its mapping, NAME.test.conf for NAME.conf:
 *     mapping = "openldap-people.conf";
 *     tests: (
 *       { name = "a joiner gets an account";
 *         identity: { id = "00u1"; login = "ann@example.com"; name = "Ann Lee"; status = "ACTIVE"; };
 *         # or: events = "…JSON of an Okta hook body…" or events = "file:body.json"; user = "00u1";
 *         # account: { … } what the target has already (absent: nothing)
 *         expect: { action = "create"; account: { dn = "…"; cn = "…"; }; };
 *         # or: expect: { refused = "sn is absent"; }; or: expect: { out_of_scope = true; };
 *         # and, of a connector's own groups, what is named: requests: { create: { path = "/employees"; }; };
 *       } );
 * An `account` that is there may be `disabled = true` or false, where the target tells.
 *
 * Threads: no state. Output goes to `stream`, as TAP 13 with `tap`, or as JSON
 * into `results`.
 * Returns the number of failed tests, or negative when the file is unusable
 * (told in `problems`).
 */
#ifndef PROVOST_PLAN_MAPPING_TEST_H
#define PROVOST_PLAN_MAPPING_TEST_H

#include <stdio.h>

#include "plan/plan.h"

/* Finds the connector's ops for a mapping; NULL when it cannot be told. */
typedef const struct connector_ops *mapping_test_ops(void *arg, const char *mapping_path);

struct mapping_test_run {
    FILE *stream;
    json_t *results; /* not NULL: an object for each test is added here, and nothing is printed */
    bool tap;
    bool colour;
    int number; /* of the last test; carried from file to file */
};

int mapping_test_file(const char *path, const struct connector_ops *ops, struct mapping_test_run *run, int *ret_passed,
                      struct problems *problems);

#endif
