/*
 * test_case.h: one test of a mapping test file while it runs; shared by
 * mapping_test.c, test_input.c and test_expect.c, private to them.
 * Ownership: the case owns what it read but for settings and members' names.
 * Threads: one. Errors: a test that cannot be understood is told in `problems`,
 * one that fails in `diff`.
 */
#ifndef PROVOST_PLAN_TEST_CASE_H
#define PROVOST_PLAN_TEST_CASE_H

#include <libconfig.h>

#include "base/str.h"
#include "plan/mapping.h"

/* One test while it runs. */
struct test_case {
    const char *file;
    const struct mapping *mapping;
    const config_setting_t *test;
    struct identity identity;
    bool has_link;
    struct link_view link;
    bool has_account;
    struct account account;
    char **members; /* their values */
    size_t member_count;
    struct wall now;
    struct buf diff;         /* what differs, one line each */
    struct problems *problems;
};

/* ---- test_input.c: what goes in ---- */

void test_complain(struct test_case *run, const config_setting_t *setting, const char *text);
const char *test_text(const config_setting_t *group, const char *name);                /* NULL: none; group may be NULL */
const config_setting_t *test_member(const config_setting_t *group, const char *name); /* the same */
/* libconfig → JSON, as plain values. */
json_t *test_json(const config_setting_t *setting);
/* Has the group these names alone (NULL-terminated)? */
bool test_names(struct test_case *run, const config_setting_t *group, const char *what, const char *const *known);
char *test_folder(const char *path); /* that the file is in */
bool test_read(struct test_case *run);

/* ---- test_expect.c: what comes out ---- */

/* Adds to `diff` what is not as `expect` says. `found_by`: the settings of the query before the plan. */
void test_check_plan(struct test_case *run, const config_setting_t *expect, const struct plan *plan, const json_t *found_by);
void test_differ(struct test_case *run, const char *name, const char *expected, const char *got);

#endif
