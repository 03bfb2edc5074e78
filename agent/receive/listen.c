#include "receive/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define PEM_BYTES_MOST (1 << 20)
#define BACKLOG 4096 /* the kernel's own limit (somaxconn) may be lower */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

bool listen_is_ipv6(const char *address)
{
    return strchr(address, ':') != NULL;
}

static int address_parse(const char *text, int64_t port, union address *ret_address, socklen_t *ret_bytes, struct error *error)
{
    union address address = { .storage = { 0 } };

    if (port < 0 || port > 65535)
        return error_set(error, ERROR_INVALID, "%lld is no port; ports go from 0 (any free one) to 65535", (long long)port);
    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons((uint16_t)port);
        *ret_bytes = sizeof(address.v4);
    } else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons((uint16_t)port);
        *ret_bytes = sizeof(address.v6);
    } else {
        return error_set(error, ERROR_INVALID, "cannot listen on \"%s\": this is no IP address; \"0.0.0.0\" and \"::\" mean all, "
                         "\"127.0.0.1\" this machine alone", text);
    }
    *ret_address = address;
    return 0;
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static int listen_error(const char *address, int64_t port, struct error *error)
{
    int errnum = errno;
    const char *hint = "";

    if (errnum == EADDRINUSE)
        hint = ": another program holds it (ss -ltnp shows which); stop it, or choose another \"port\"";
    else if (errnum == EADDRNOTAVAIL)
        hint = ": this machine has no such address (ip address shows those it has)";
    else if (errnum == EACCES)
        hint = ": ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    return error_set(error, error_from_errno(errnum), "cannot listen on %s port %lld: %s%s", address, (long long)port, strerror(errnum),
                     hint);
}

int listen_open(const char *address, int64_t port, bool loopback_only, int *ret_fd, struct error *error)
{
    union address parsed;
    socklen_t bytes = 0;
    int one = 1, zero = 0;

    int code = address_parse(address, port, &parsed, &bytes, error);
    if (code < 0)
        return code;
    if (loopback_only && !is_loopback(&parsed))
        return error_set(error, ERROR_INVALID, "cannot listen on %s without a certificate: the secret would cross the network in the "
                         "clear; set \"tls\", or listen on 127.0.0.1 behind a proxy that has one", address);
    cleanup_close int fd = socket(parsed.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return listen_error(address, port, error);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (parsed.any.sa_family == AF_INET6) /* "::" is IPv4 too */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, &parsed.any, bytes) < 0 || listen(fd, BACKLOG) < 0)
        return listen_error(address, port, error);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int listen_port(int fd)
{
    union address address = { .storage = { 0 } };
    socklen_t bytes = sizeof(address);

    if (getsockname(fd, &address.any, &bytes) < 0)
        return -1;
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

void tls_files_free(struct tls_files *files)
{
    free(files->certificate);
    secret_free(files->key);
    *files = (struct tls_files){ 0 };
}

/* A client refuses the chain as soon as one of its certificates has expired. */
static int check_expiry(const char *path, const char *pem, struct wall *ret_expires, struct error *error)
{
    gnutls_datum_t datum = { (unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem) };
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;
    int code = gnutls_x509_crt_list_import2(&chain, &count, &datum, GNUTLS_X509_FMT_PEM, 0);

    if (code < 0)
        return error_set(error, ERROR_INVALID, "%s: no certificate in PEM form (-----BEGIN CERTIFICATE-----): %s", path,
                         gnutls_strerror(code));
    ret_expires->us = INT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        int64_t us = (int64_t)gnutls_x509_crt_get_expiration_time(chain[i]) * 1000000;
        ret_expires->us = us < ret_expires->us ? us : ret_expires->us;
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    return 0;
}

static int check_pair(const char *certificate, const char *key, const struct tls_files *files, struct error *error)
{
    gnutls_datum_t certificate_pem = { (unsigned char *)files->certificate, (unsigned)strlen(files->certificate) };
    gnutls_datum_t key_pem = { (unsigned char *)files->key, (unsigned)strlen(files->key) };
    gnutls_certificate_credentials_t credentials = NULL;

    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return error_nomem(error);
    int code = gnutls_certificate_set_x509_key_mem(credentials, &certificate_pem, &key_pem, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return error_set(error, ERROR_INVALID, "%s: this key does not belong to the certificate in %s; the certificate must be the "
                         "first in its file, then its issuers", key, certificate);
    if (code < 0)
        return error_set(error, ERROR_INVALID, "%s: no private key in PEM form without a password: %s", key, gnutls_strerror(code));
    return 0;
}

int tls_files_read(const char *certificate, const char *key, struct tls_files *ret_files, struct wall *ret_expires,
                   struct error *error)
{
    struct tls_files files = { 0 };
    struct wall expires = { 0 };
    cleanup_free char *key_reference = str_printf("file:%s", key);

    if (key_reference == NULL)
        return error_nomem(error);
    int code = file_read(certificate, PEM_BYTES_MOST, &files.certificate, NULL, error);
    if (code == 0)
        code = secret_read(key_reference, &files.key, error);
    if (code == 0)
        code = check_expiry(certificate, files.certificate, &expires, error);
    if (code == 0)
        code = check_pair(certificate, key, &files, error);
    if (code < 0) {
        tls_files_free(&files);
        return code;
    }
    *ret_files = files;
    *ret_expires = expires;
    return 0;
}
