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
    EVENT_MEMBER_ADDED = 1u << 0,     /* each user is in each group */
    EVENT_MEMBER_REMOVED = 1u << 1,
    EVENT_APP_ASSIGNED = 1u << 2,     /* each app is assigned to each user */
    EVENT_APP_UNASSIGNED = 1u << 3,
    EVENT_GROUP_THERE = 1u << 4,      /* the groups exist */
    EVENT_GROUP_GONE = 1u << 5,
    EVENT_ACTOR_IS_SUBJECT = 1u << 6, /* without a User target it is about its actor */
    EVENT_SIGNED_IN = 1u << 7,        /* the session that it names began */
    EVENT_SIGNED_OUT = 1u << 8,       /* and ended; without a name: all of the user's */
};

struct event_rule {
    const char *type;
    const char *status; /* of the users it targets; NULL: says nothing of it */
    const char *trigger;/* the users' sessions before it are void, and why (trigger_names); NULL: they are not */
    unsigned flags;
};

/* NULL when the type has no row. */
const struct event_rule *event_rule_find(const char *type);

/* All rows, in the order of strcmp. */
extern const struct event_rule event_rules[];
extern const size_t event_rule_count;

#endif
