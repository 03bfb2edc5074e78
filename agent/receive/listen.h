/*
 * listen.h: the listening socket, and the certificate with its key.
 * Ownership: the caller closes the socket and frees the texts (tls_files_free wipes the key).
 * Errors: say what would be right. Threads: no state.
 */
#ifndef PROVOST_RECEIVE_LISTEN_H
#define PROVOST_RECEIVE_LISTEN_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"

/* Numeric addresses only; `loopback_only` refuses all others. */
int listen_open(const char *address, int64_t port, bool loopback_only, int *ret_fd, struct error *error);
int listen_port(int fd);
bool listen_is_ipv6(const char *address);

struct tls_files { /* PEM */
    char *certificate;
    char *key;
};
/* Reads both and sees that they belong together. *ret_expires: of the first certificate of the chain to expire. */
int tls_files_read(const char *certificate, const char *key, struct tls_files *ret_files, struct wall *ret_expires,
                   struct error *error);
void tls_files_free(struct tls_files *files);

#endif
