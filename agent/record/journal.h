/*
 * journal.h: one status log line to systemd's journal, in its native protocol,
 * without its library. For status_log.c only.
 *
 * The message is the line without time and level; each field comes beside it
 * as PROVOST_KEY, so that `journalctl PROVOST_TARGET=corp-ldap` finds it.
 * Threads: a datagram is one send; the socket may be shared.
 * Errors: journal_send returns false with errno set.
 * Source: systemd's JOURNAL_NATIVE_PROTOCOL.
 */
#ifndef PROVOST_RECORD_JOURNAL_H
#define PROVOST_RECORD_JOURNAL_H

#include "record/status_log.h"

/* $PROVOST_JOURNAL_SOCKET, for tests, else the system's. */
int journal_open(int *ret_fd, struct error *error);
bool journal_send(int fd, const char *level, const char *message, const struct log_field *fields, size_t count);

#endif
