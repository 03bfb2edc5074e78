/*
 * lock_mapping.h: the part of a mapping file that could leave a leaver in: locks whose value locks nothing, and attributes that
 * would write over a lock. Threads: no state. Ownership: nothing is kept.
 */
#ifndef PROVOST_CONNECTORS_LDAP_LOCK_MAPPING_H
#define PROVOST_CONNECTORS_LDAP_LOCK_MAPPING_H

#include "connectors/connector.h"

void lock_check_mapping(const config_setting_t *root, bool group, struct problems *problems);

#endif
