/*
 * address.h: "HOST:PORT", "[::1]:PORT", "HOST" or "/path/of/socket".
 * Ownership: *ret_host is the caller's. Threads: no state.
 */
#ifndef PROVOST_CONNECTORS_SESSION_ADDRESS_H
#define PROVOST_CONNECTORS_SESSION_ADDRESS_H

#include <stdbool.h>

#include "connectors/session/settings.h"

/* 0, ERROR_INVALID (no address) or ERROR_NOMEM; port 0 for a socket, whose
 * path is *ret_host. */
int address_split(const char *address, int default_port, char **ret_host, int *ret_port);

/* A socket, localhost or a loopback address. */
bool address_is_local(const char *host);

/* Adds what is wrong with settings->address, and a password that would leave the machine in clear. */
void address_check(const struct session_settings *settings, int default_port, const char *file, int line,
                   struct problems *problems);

#endif
