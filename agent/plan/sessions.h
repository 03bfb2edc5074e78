/*
 * sessions.h: mappings that end sessions instead of keeping accounts. What
 * their files say beside the connector's own groups, and their plans.
 * Rules: plan.h. Private to plan/. Pure.
 *
 * Ownership: rules are the mapping's, of plain values; plan_clear frees plans.
 * Errors: ERROR_INVALID with file:line where something is to be ended and
 * nobody can tell whose.
 */
#ifndef PROVOST_PLAN_SESSIONS_H
#define PROVOST_PLAN_SESSIONS_H

#include "plan/mapping.h"

struct session_rules {
    unsigned triggers;          /* TRIGGER_BITs: what ends sessions */
    int64_t request_timeout_us; /* the second sweep follows the first after it */
    int64_t mirror_us;          /* a sign-in is mirrored for as long; 0: not at all */
    bool deny;                  /* a marker while the person is out */
};

int sessions_query(const struct mapping *mapping, const struct identity *identity, const struct link_view *link,
                   struct plan_query *ret_query, struct error *error);
int sessions_plan(const struct mapping *mapping, const struct plan_input *input, struct plan *ret_plan, struct error *error);
/* Is there a sweep that nobody has begun? */
bool sessions_leave(const struct mapping *mapping, const struct identity *identity, const struct link_view *link);

/* FACT_BITs, beside those of names that the file uses. */
unsigned sessions_facts(const struct session_rules *rules);

#endif
