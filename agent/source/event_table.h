/*
 * event_table.h: the one table from Okta's event type to the facts it sets.
 *
 * What every event says without a row of its own: the login and name of each
 * User it targets, and the name of each UserGroup.
 * Threads: constant data. Source: Okta's System Log event type catalogue.
 */
#ifndef PROVOST_SOURCE_EVENT_TABLE_H
#define PROVOST_SOURCE_EVENT_TABLE_H

#include <stddef.h>

enum event_flag {
    EVENT_SESSIONS_VOID = 1u << 0,    /* the users' sessions before it are void */
    EVENT_MEMBER_ADDED = 1u << 1,     /* each user is in each group */
    EVENT_MEMBER_REMOVED = 1u << 2,
    EVENT_APP_ASSIGNED = 1u << 3,     /* each app is assigned to each user */
    EVENT_APP_UNASSIGNED = 1u << 4,
    EVENT_GROUP_THERE = 1u << 5,      /* the groups exist */
    EVENT_GROUP_GONE = 1u << 6,
    EVENT_ACTOR_IS_SUBJECT = 1u << 7, /* without a User target it is about its actor */
};

struct event_rule {
    const char *type;
    const char *status; /* of the users it targets; NULL: says nothing of it */
    unsigned flags;
};

/* NULL when the type has no row. */
const struct event_rule *event_rule_find(const char *type);

/* All rows, in the order of strcmp. */
extern const struct event_rule event_rules[];
extern const size_t event_rule_count;

#endif
