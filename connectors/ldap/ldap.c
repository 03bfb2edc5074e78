/* ldap.c: the connector for LDAP directories, on OpenLDAP's libldap. */
#include "connectors/ldap/apply.h"
#include "connectors/ldap/groups.h"
#include "connectors/ldap/lock.h"
#include "connectors/ldap/lock_check.h"
#include "connectors/ldap/lock_mapping.h"
#include "connectors/ldap/protect.h"
#include "connectors/ldap/read.h"
#include "connectors/ldap/rehearse.h"
#include "connectors/ldap/session.h"
#include "connectors/ldap/shared.h"

/* What lands in one of these is escaped for it by the planner. */
static const struct connector_place places[] = {
    { "dn", ESCAPE_DN },           { "match", ESCAPE_FILTER },    { "manager", ESCAPE_DN }, { "secretary", ESCAPE_DN },
    { "member", ESCAPE_DN },       { "uniqueMember", ESCAPE_DN }, { "owner", ESCAPE_DN },   { "seeAlso", ESCAPE_DN },
    { "roleOccupant", ESCAPE_DN }, { NULL, ESCAPE_NONE },
};

static void check_mapping(const config_setting_t *root, bool group, struct problems *problems)
{
    lock_check_mapping(root, group, problems);
    protect_check(root, problems);
}

static enum outcome open_session(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                                 struct receipt *receipt)
{
    return session_open(settings, shared, ret_session, receipt);
}

__attribute__((visibility("default"))) extern const struct connector_ops provost_connector;
const struct connector_ops provost_connector = {
    .abi = CONNECTOR_ABI,
    .name = "ldap",
    .summary = "LDAP directories: OpenLDAP and others of version 3",
    .options = ldap_options,
    .settings_bytes = sizeof(struct ldap_settings),
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS | CONNECTOR_LIST,
    .places = places,
    .locator_attribute = "dn",
    .locks = lock_names,
    .check = ldap_settings_check,
    .check_mapping = check_mapping,
    .check_places = ldap_settings_check_places,
    .share = shared_new,
    .unshare = shared_free,
    .open = open_session,
    .close = session_close,
    .probe = session_probe,
    .read = ldap_read,
    .read_groups = ldap_read_groups,
    .apply = ldap_apply,
    .check_locks = lock_check,
    .rehearse = ldap_rehearse,
    .list = ldap_list,
};
