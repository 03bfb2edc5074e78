/*
 * settings.h: the options of a target of kind "ldap" (its `settings` group).
 * Filled by base/option.h; shared by all sessions of the target, read-only.
 */
#ifndef PROVOST_CONNECTORS_LDAP_SETTINGS_H
#define PROVOST_CONNECTORS_LDAP_SETTINGS_H

#include "base/option.h"
#include "connectors/connector.h"

enum ldap_sasl { LDAP_SASL_OFF, LDAP_SASL_BY_SOCKET };

struct ldap_settings {
    char *uri; /* one or more, by spaces: the first that serves (reach.h) */
    bool starttls;
    char *ca_file; /* NULL: what ldap.conf(5) says */
    bool verify;
    bool allow_plaintext;
    char *bind_dn;
    char *password;
    int sasl; /* enum ldap_sasl */
    char *base_dn; /* NULL: the naming context of the wanted entry, all of them for groups */
    char *key_attribute;
    int64_t network_timeout_us;
    int64_t operation_timeout_us;
    int64_t answer_bytes_most;
};

extern const struct option_row ldap_options[];

/* The rules between options. No I/O. */
void ldap_settings_check(const void *settings, const char *file, int line, struct problems *problems);

/* Does base_dn contain all places of a mapping file? */
void ldap_settings_check_places(const void *settings, const config_setting_t *group, const struct connector_line *places,
                                struct problems *problems);

/* Calls `each` with every URI of the list, until it returns other than 0 (the
 * result); negative: out of memory. */
int ldap_settings_each_uri(const struct ldap_settings *settings, int (*each)(void *arg, const char *uri), void *arg);

#endif
