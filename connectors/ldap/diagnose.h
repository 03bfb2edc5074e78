/*
 * diagnose.h: why a connection failed, found by walking the way again step by
 * step: name, address, TLS. libldap itself only knows "Can't contact LDAP
 * server".
 *
 * Sends no credentials. The TLS step uses a handshake of our own that takes any
 * certificate, and then says what is wrong with the one that came.
 * Takes at most network_timeout per address and step, plus the resolver's own time-out.
 * Threads: no state. Ownership: the caller's buffer.
 */
#ifndef PROVOST_CONNECTORS_LDAP_DIAGNOSE_H
#define PROVOST_CONNECTORS_LDAP_DIAGNOSE_H

#include "base/str.h"
#include "connectors/ldap/settings.h"

/* Adds a sentence about this URI and returns true; false, nothing added, when
 * every step works now. `ca_file` is what the sessions use (NULL: none). */
bool diagnose(const struct ldap_settings *settings, const char *uri, const char *ca_file, struct buf *sentence);

#endif
