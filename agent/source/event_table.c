#include "source/event_table.h"

#include <stdlib.h>
#include <string.h>

#define LEAVES EVENT_SESSIONS_VOID
#define OWN_SESSION EVENT_ACTOR_IS_SUBJECT

/*
 * Left out on purpose:
 *   user.lifecycle.delete.initiated says no more than DEPROVISIONED: the first
 *     deletion of a live user only deactivates it, and only the API can tell.
 *   user.risk.detect and user.risk.change are opinions with a level, not
 *     orders; where the org's policy acts on one, Okta also sends
 *     user.session.clear or user.authentication.universal_logout.
 *   user.account.lock and unlock set no status: what a user comes back to
 *     (ACTIVE, PASSWORD_EXPIRED, RECOVERY) they do not tell; the API does.
 */
const struct event_rule event_rules[] = {
    { "application.user_membership.add", NULL, EVENT_APP_ASSIGNED },
    { "application.user_membership.remove", NULL, EVENT_APP_UNASSIGNED },
    { "group.lifecycle.create", NULL, EVENT_GROUP_THERE },
    { "group.lifecycle.delete", NULL, EVENT_GROUP_GONE },
    { "group.profile.update", NULL, EVENT_GROUP_THERE },
    { "group.user_membership.add", NULL, EVENT_MEMBER_ADDED | EVENT_GROUP_THERE },
    { "group.user_membership.remove", NULL, EVENT_MEMBER_REMOVED },
    { "security.breached_credential.detected", NULL, EVENT_SESSIONS_VOID | EVENT_ACTOR_IS_SUBJECT },
    { "user.account.lock", NULL, EVENT_SESSIONS_VOID },
    { "user.account.report_suspicious_activity_by_enduser", NULL, EVENT_SESSIONS_VOID | EVENT_ACTOR_IS_SUBJECT },
    { "user.account.reset_password", NULL, EVENT_SESSIONS_VOID },
    { "user.account.update_password", NULL, EVENT_SESSIONS_VOID },
    { "user.authentication.universal_logout", NULL, EVENT_SESSIONS_VOID },
    { "user.lifecycle.activate", "ACTIVE", 0 },
    { "user.lifecycle.create", "STAGED", 0 },
    { "user.lifecycle.deactivate", "DEPROVISIONED", LEAVES },
    { "user.lifecycle.delete.completed", "DELETED", LEAVES },
    { "user.lifecycle.delete.initiated", "DEPROVISIONED", LEAVES },
    { "user.lifecycle.reactivate", "PROVISIONED", 0 },
    { "user.lifecycle.suspend", "SUSPENDED", LEAVES },
    { "user.lifecycle.unsuspend", "ACTIVE", 0 },
    { "user.session.access_admin_app", NULL, OWN_SESSION },
    { "user.session.clear", NULL, EVENT_SESSIONS_VOID | OWN_SESSION },
    { "user.session.context.change", NULL, OWN_SESSION },
    { "user.session.end", NULL, EVENT_SESSIONS_VOID | OWN_SESSION },
    { "user.session.expire", NULL, OWN_SESSION },
    { "user.session.start", NULL, OWN_SESSION },
};
const size_t event_rule_count = sizeof(event_rules) / sizeof(event_rules[0]);

static int compare_rule(const void *type, const void *rule)
{
    return strcmp(type, ((const struct event_rule *)rule)->type);
}

const struct event_rule *event_rule_find(const char *type)
{
    return bsearch(type, event_rules, event_rule_count, sizeof(event_rules[0]), compare_rule);
}
