#include "connectors/ldap/diagnose.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ldap.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/error.h"

struct walk {
    const struct ldap_settings *settings;
    const LDAPURLDesc *url;
    const char *uri;
    const char *ca_file;
    struct buf *sentence;
    int timeout_ms;
};

#define SAY(walk, ...) (buf_printf((walk)->sentence, __VA_ARGS__), true)

static void cleanup_url(LDAPURLDesc **url)
{
    ldap_free_urldesc(*url);
}

/* ---- connection ---- */

/* 0, or the errno of what went wrong. */
static int connect_within(int fd, const struct sockaddr *address, socklen_t length, int timeout_ms)
{
    int result = 0;
    socklen_t result_length = sizeof(result);
    struct pollfd poll_fd = { fd, POLLOUT, 0 };

    if (connect(fd, address, length) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    int ready = poll(&poll_fd, 1, timeout_ms);
    if (ready == 0)
        return ETIMEDOUT;
    if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &result_length) < 0)
        return errno;
    return result;
}

/* From here on reads and writes wait, but not for ever. */
static void make_blocking(int fd, int timeout_ms)
{
    struct timeval limit = { timeout_ms / 1000, (timeout_ms % 1000) * 1000 };

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void say_refusal(struct buf *list, const struct addrinfo *address, int errnum, int timeout_ms)
{
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

    getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    buf_printf(list, "%s%s port %s: ", list->length != 0 ? "; " : "", host, port);
    if (errnum == ETIMEDOUT)
        buf_printf(list, "timed out after %d.%d s (is a firewall in between?)", timeout_ms / 1000, timeout_ms % 1000 / 100);
    else if (errnum == ECONNREFUSED)
        buf_add_str(list, "connection refused (nothing listens there)");
    else
        buf_add_str(list, strerror(errnum));
}

/* True and said when no address answers; else *ret_fd is connected. */
static bool fails_to_connect(const struct walk *walk, int *ret_fd)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list = NULL;
    const char *host = walk->url->lud_host != NULL && *walk->url->lud_host != '\0' ? walk->url->lud_host : "localhost";
    cleanup_buf struct buf refusals = { 0 };
    char port[16];

    snprintf(port, sizeof(port), "%d", walk->url->lud_port);
    int code = getaddrinfo(host, port, &hints, &list);
    if (code != 0)
        return SAY(walk, "the host name \"%s\" of %s cannot be resolved: %s; check the name and this machine's DNS", host,
                   walk->uri, code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    for (const struct addrinfo *address = list; address != NULL && *ret_fd < 0; address = address->ai_next) {
        cleanup_close int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int errnum = fd < 0 ? errno : connect_within(fd, address->ai_addr, address->ai_addrlen, walk->timeout_ms);
        if (errnum != 0) {
            say_refusal(&refusals, address, errnum, walk->timeout_ms);
            continue;
        }
        make_blocking(fd, walk->timeout_ms);
        *ret_fd = fd;
        fd = -1;
    }
    freeaddrinfo(list);
    return *ret_fd < 0 && SAY(walk, "no connection to %s: %s", walk->uri, refusals.length != 0 ? refusals.bytes : "no address");
}

static bool local_socket_fails(const struct walk *walk)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = walk->url->lud_host != NULL && *walk->url->lud_host != '\0' ? walk->url->lud_host : "/var/run/slapd/ldapi";
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path))
        return SAY(walk, "the socket path of %s is longer than %zu bytes", walk->uri, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int errnum = fd < 0 ? errno : connect_within(fd, (const struct sockaddr *)&address, sizeof(address), walk->timeout_ms);
    if (errnum == 0)
        return false;
    return SAY(walk, "no connection to the socket %s of %s: %s%s", path, walk->uri, strerror(errnum),
               errnum == ECONNREFUSED ? " (nothing listens there any more)" : "");
}

/* ---- StartTLS by hand, so that the handshake after it is ours ---- */

static bool starttls_fails(const struct walk *walk, int fd)
{
    static const char oid[] = "1.3.6.1.4.1.1466.20037";
    unsigned char request[2 + 3 + 4 + sizeof(oid) - 1] = { 0x30, 3 + 4 + sizeof(oid) - 1, 0x02, 1, 1, 0x77, 2 + sizeof(oid) - 1,
                                                           0x80, sizeof(oid) - 1 };
    unsigned char answer[512];
    struct berval bytes = { 0, (char *)answer };
    ber_int_t id, result = LDAP_DECODING_ERROR;
    ber_tag_t operation;

    memcpy(request + 9, oid, sizeof(oid) - 1);
    if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request))
        return SAY(walk, "%s takes connections, but StartTLS cannot be asked of it: %s", walk->uri, strerror(errno));
    ssize_t length = recv(fd, answer, sizeof(answer), 0);
    if (length <= 0)
        return SAY(walk, "%s takes connections, but does not answer to StartTLS: %s", walk->uri,
                   length == 0 ? "it hung up (is it an LDAP server?)" : "no answer in time");
    bytes.bv_len = (ber_len_t)length;
    BerElement *ber = ber_init(&bytes);
    if (ber == NULL || ber_scanf(ber, "{it{e", &id, &operation, &result) == LBER_ERROR)
        result = LDAP_DECODING_ERROR;
    ber_free(ber, 1);
    return result != LDAP_SUCCESS &&
           SAY(walk, "%s refuses StartTLS: %s (%d); has it a certificate?", walk->uri, ldap_err2string(result), (int)result);
}

/* ---- the certificate ---- */

struct tls {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    gnutls_x509_crt_t certificate;
    char *subject, *issuer;
};

static void tls_clear(struct tls *tls)
{
    if (tls->session != NULL)
        gnutls_deinit(tls->session);
    if (tls->credentials != NULL)
        gnutls_certificate_free_credentials(tls->credentials);
    if (tls->certificate != NULL)
        gnutls_x509_crt_deinit(tls->certificate);
    free(tls->subject);
    free(tls->issuer);
}

static bool handshake_fails(const struct walk *walk, struct tls *tls, int fd)
{
    int code = gnutls_certificate_allocate_credentials(&tls->credentials);

    if (code >= 0)
        code = gnutls_init(&tls->session, GNUTLS_CLIENT);
    if (code >= 0)
        code = gnutls_priority_set_direct(tls->session, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL);
    if (code >= 0)
        code = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    if (code < 0)
        return SAY(walk, "TLS cannot be set up: %s", gnutls_strerror(code));
    gnutls_transport_set_int(tls->session, fd);
    gnutls_handshake_set_timeout(tls->session, (unsigned)walk->timeout_ms);
    do
        code = gnutls_handshake(tls->session);
    while (code < 0 && !gnutls_error_is_fatal(code) && code != GNUTLS_E_AGAIN && code != GNUTLS_E_TIMEDOUT);
    if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_TIMEDOUT)
        return SAY(walk, "%s takes connections, but does not finish the TLS handshake in time", walk->uri);
    return code < 0 && SAY(walk, "the TLS handshake with %s failed: %s (is that port TLS, of version 1.2 or later?)", walk->uri,
                           gnutls_strerror(code));
}

static char *name_text(int (*get)(gnutls_x509_crt_t, gnutls_datum_t *, unsigned), gnutls_x509_crt_t certificate)
{
    gnutls_datum_t text = { NULL, 0 };

    if (get(certificate, &text, 0) < 0)
        return strdup("(none)");
    char *copy = strndup((const char *)text.data, text.size);
    gnutls_free(text.data);
    return copy;
}

static bool take_certificate(struct tls *tls)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls->session, &count);

    if (chain == NULL || count == 0 || gnutls_x509_crt_init(&tls->certificate) < 0 ||
        gnutls_x509_crt_import(tls->certificate, &chain[0], GNUTLS_X509_FMT_DER) < 0)
        return false;
    tls->subject = name_text(gnutls_x509_crt_get_dn3, tls->certificate);
    tls->issuer = name_text(gnutls_x509_crt_get_issuer_dn3, tls->certificate);
    return tls->subject != NULL && tls->issuer != NULL;
}

static void add_time(struct buf *buf, const char *words, time_t when)
{
    char text[32] = "?";
    struct tm tm;

    if (gmtime_r(&when, &tm) != NULL)
        strftime(text, sizeof(text), "%F %T UTC", &tm);
    buf_printf(buf, "%s%s %s", buf->length != 0 ? "; " : "", words, text);
}

static void add_names(struct buf *buf, const struct tls *tls)
{
    const char *comma = "";
    char name[256];
    unsigned index = 0;

    for (;; index++) {
        size_t length = sizeof(name) - 1;
        int type = gnutls_x509_crt_get_subject_alt_name(tls->certificate, index, name, &length, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_IPADDRESS)
            continue;
        if (type == GNUTLS_SAN_IPADDRESS) {
            char address[INET6_ADDRSTRLEN] = "?";
            inet_ntop(length == 4 ? AF_INET : AF_INET6, name, address, sizeof(address));
            snprintf(name, sizeof(name), "%s", address);
        } else {
            name[length] = '\0';
        }
        buf_printf(buf, "%s%s", comma, name);
        comma = ", ";
    }
    if (index == 0)
        buf_add_str(buf, tls->subject);
}

static void add_trust_faults(const struct walk *walk, const struct tls *tls, unsigned status, struct buf *faults)
{
    const char *separator = faults->length != 0 ? "; " : "";

    if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
        buf_printf(faults, "%sits issuer is none of the authorities in %s%s", separator,
                   walk->ca_file != NULL ? walk->ca_file : "ca_file (none is set)",
                   strcmp(tls->subject, tls->issuer) == 0 ? " (it is self-signed)" : "");
    else if (status & GNUTLS_CERT_REVOKED)
        buf_printf(faults, "%sit was revoked", separator);
    else if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
        buf_printf(faults, "%sit is signed with an algorithm that is no longer safe", separator);
    else if (status != 0 && faults->length == 0)
        buf_add_str(faults, "it cannot be verified");
}

/* libldap checks the certificate of "localhost" against this machine's full name. */
static void name_to_check(const char *host, char name[NI_MAXHOST])
{
    struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *list = NULL;

    snprintf(name, NI_MAXHOST, "%s", host);
    if (strcasecmp(host, "localhost") != 0 || gethostname(name, NI_MAXHOST - 1) < 0 ||
        getaddrinfo(name, NULL, &hints, &list) != 0)
        return;
    if (list->ai_canonname != NULL)
        snprintf(name, NI_MAXHOST, "%s", list->ai_canonname);
    freeaddrinfo(list);
}

static void add_host_fault(const struct walk *walk, const struct tls *tls, struct buf *faults)
{
    const char *host = walk->url->lud_host != NULL && *walk->url->lud_host != '\0' ? walk->url->lud_host : "localhost";
    char name[NI_MAXHOST];

    name_to_check(host, name);
    if (gnutls_x509_crt_check_hostname(tls->certificate, name))
        return;
    buf_printf(faults, "%sit is not for the host \"%s\"%s but for ", faults->length != 0 ? "; " : "", name,
               strcmp(name, host) != 0
                   ? " (which is what \"localhost\" is checked as: write the name or address that is in the certificate)"
                   : "");
    add_names(faults, tls);
}

static bool certificate_is_bad(const struct walk *walk, const struct tls *tls)
{
    cleanup_buf struct buf faults = { 0 };
    unsigned status = 0;
    time_t now = time(NULL), until = gnutls_x509_crt_get_expiration_time(tls->certificate),
           from = gnutls_x509_crt_get_activation_time(tls->certificate);

    if (walk->ca_file != NULL && gnutls_certificate_set_x509_trust_file(tls->credentials, walk->ca_file, GNUTLS_X509_FMT_PEM) < 0)
        return SAY(walk,
                   "ca_file %s holds no certificate that can be read; right would be a PEM file of the authority that issued the "
                   "server's certificate (its issuer: %s)",
                   walk->ca_file, tls->issuer);
    gnutls_certificate_verify_peers2(tls->session, &status);
    if (until < now)
        add_time(&faults, "it expired on", until);
    if (from > now)
        add_time(&faults, "it is not valid before", from);
    add_trust_faults(walk, tls, status, &faults);
    add_host_fault(walk, tls, &faults);
    return faults.length != 0 && SAY(walk, "the TLS certificate of %s is not accepted: %s (subject: %s; issuer: %s)", walk->uri,
                                     faults.bytes, tls->subject, tls->issuer);
}

static bool tls_fails(const struct walk *walk, int fd)
{
    __attribute__((cleanup(tls_clear))) struct tls tls = { 0 };

    if (handshake_fails(walk, &tls, fd))
        return true;
    if (!take_certificate(&tls))
        return SAY(walk, "%s sent no certificate that can be read", walk->uri);
    return walk->settings->verify && certificate_is_bad(walk, &tls);
}

bool diagnose(const struct ldap_settings *settings, const char *uri, const char *ca_file, struct buf *sentence)
{
    __attribute__((cleanup(cleanup_url))) LDAPURLDesc *url = NULL;
    cleanup_close int fd = -1;

    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS) {
        buf_printf(sentence, "the URI \"%s\" cannot be read", uri);
        return true;
    }
    struct walk walk = { settings, url, uri, ca_file, sentence, (int)(settings->network_timeout_us / 1000) };
    if (strcmp(url->lud_scheme, "ldapi") == 0)
        return local_socket_fails(&walk);
    bool tls = settings->starttls || strcmp(url->lud_scheme, "ldaps") == 0;
    return fails_to_connect(&walk, &fd) || (settings->starttls && starttls_fails(&walk, fd)) || (tls && tls_fails(&walk, fd));
}
