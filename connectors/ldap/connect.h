/*
 * connect.h: a connection to one address of the directory: TCP or Unix socket,
 * TLS, log-in.
 *
 * Every step keeps to the settings' time-outs. The TLS context is the handle's
 * own; no global option of libldap is set. When a step fails the words say
 * which and why (diagnose.h). The log-in asks what the server's password policy
 * says (draft-behera-ldap-password-policy): one that may do nothing but change
 * its password is none.
 * Threads: no state. Ownership: the handle is the caller's (ldap_unbind_ext).
 */
#ifndef PROVOST_CONNECTORS_LDAP_CONNECT_H
#define PROVOST_CONNECTORS_LDAP_CONNECT_H

#include <ldap.h>
#include <stdbool.h>

#include "base/str.h"
#include "connectors/ldap/settings.h"

/* Why no connection came about. */
struct connect_failure {
    int code;   /* LDAP result code, or a negative one of libldap's; LDAP_NO_MEMORY: out of memory */
    bool login; /* the server refuses the name or the password that we log in with */
    struct buf words; /* a sentence with the address in it; the caller's to free */
};

/* `limit_us`: only a look, whose steps take at most so long and are not diagnosed; 0: the settings' time-outs. */
bool directory_connect(const struct ldap_settings *settings, const char *uri, int64_t limit_us, LDAP **ret_ld,
                       struct connect_failure *failure);
/* A connection that came of a look is kept: the settings' time-outs from here on. */
void directory_keep(LDAP *ld, const struct ldap_settings *settings);

#endif
