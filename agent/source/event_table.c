#include "source/event_table.h"

#include <stdlib.h>
#include <string.h>

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
    { "application.user_membership.add", NULL, NULL, EVENT_APP_ASSIGNED },
    { "application.user_membership.remove", NULL, NULL, EVENT_APP_UNASSIGNED },
    { "group.lifecycle.create", NULL, NULL, EVENT_GROUP_THERE },
    { "group.lifecycle.delete", NULL, NULL, EVENT_GROUP_GONE },
    { "group.profile.update", NULL, NULL, EVENT_GROUP_THERE },
    { "group.user_membership.add", NULL, NULL, EVENT_MEMBER_ADDED | EVENT_GROUP_THERE },
    { "group.user_membership.remove", NULL, NULL, EVENT_MEMBER_REMOVED },
    { "security.breached_credential.detected", NULL, "suspicious_activity", EVENT_ACTOR_IS_SUBJECT },
    { "user.account.expire_password", NULL, "password_change", 0 },
    { "user.account.lock", NULL, "lock", 0 },
    { "user.account.lock.limit", NULL, "lock", 0 },
    { "user.account.report_suspicious_activity_by_enduser", NULL, "suspicious_activity", EVENT_ACTOR_IS_SUBJECT },
    { "user.account.reset_password", NULL, "password_change", 0 },
    { "user.account.update_password", NULL, "password_change", 0 },
    { "user.authentication.universal_logout", NULL, "universal_logout", 0 },
    { "user.authentication.universal_logout.scheduled", NULL, "universal_logout", 0 },
    { "user.lifecycle.activate", "ACTIVE", NULL, 0 },
    { "user.lifecycle.create", "STAGED", NULL, 0 },
    { "user.lifecycle.deactivate", "DEPROVISIONED", "deactivate", 0 },
    { "user.lifecycle.delete.completed", "DELETED", "delete", 0 },
    { "user.lifecycle.delete.initiated", "DEPROVISIONED", "deactivate", 0 },
    { "user.lifecycle.reactivate", "PROVISIONED", NULL, 0 },
    { "user.lifecycle.suspend", "SUSPENDED", "suspend", 0 },
    { "user.lifecycle.unsuspend", "ACTIVE", NULL, 0 },
    { "user.session.access_admin_app", NULL, NULL, OWN_SESSION },
    { "user.session.clear", NULL, "clear", OWN_SESSION },
    { "user.session.context.change", NULL, NULL, OWN_SESSION },
    { "user.session.end", NULL, "logout", OWN_SESSION | EVENT_SIGNED_OUT },
    { "user.session.expire", NULL, NULL, OWN_SESSION },
    { "user.session.start", NULL, NULL, OWN_SESSION | EVENT_SIGNED_IN },
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
