/*
 * policy.h: the mappings under which lives are played, and what the model
 * needs to know of each. A policy is chosen by the seed.
 *
 * The second filter finds by a name that others may have had, so it takes only
 * accounts that are nobody's yet, as the shipped mapping does.
 *
 * Left out, since the end depends on what was seen and when, by design
 * (agent/README.md): left_scope = "disable", removals after a time, `now`, and
 * a scope by groups together with leavers who stay.
 */
#ifndef PROVOST_TESTS_PROPERTY_POLICY_H
#define PROVOST_TESTS_PROPERTY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACEHOLDER "cn=nobody,dc=example,dc=org"
#define SCOPE_GROUP "staff"

struct policy {
    const char *name;
    bool staged_has_account;   /* created = "provision", else "keep" */
    bool leaver_stays;         /* deactivated = "disable", else "remove" */
    bool scope_by_group;       /* only who is in the group of the name SCOPE_GROUP */
    bool shows_groups;         /* businessCategory: the names of the groups */
    bool lives_by_members;     /* groups: made with the first member, gone with the last; else a placeholder */
};
extern const struct policy policies[];
extern const size_t policy_count;
const struct policy *policy_of(uint64_t seed);

/* The text of the mapping files. The caller frees it. */
char *policy_people(const struct policy *policy);
char *policy_groups(const struct policy *policy);

#endif
