/*
 * connect.h: a connection to the directory: TCP or Unix socket, TLS, log-in.
 *
 * Every step keeps to the settings' time-outs. The TLS context is the handle's
 * own; no global option of libldap is set. When a step fails the receipt says
 * which and why (diagnose.h), for each URI that was tried.
 * Threads: no state. Ownership: the handle is the caller's (ldap_unbind_ext).
 */
#ifndef PROVOST_CONNECTORS_LDAP_CONNECT_H
#define PROVOST_CONNECTORS_LDAP_CONNECT_H

#include <ldap.h>

#include "connectors/connector.h"
#include "connectors/ldap/settings.h"

/* True; or false with the receipt set (TARGET_DOWN, or RETRY out of memory). */
bool directory_connect(const struct ldap_settings *settings, LDAP **ret_ld, struct receipt *receipt);

#endif
