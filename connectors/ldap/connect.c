#include "connectors/ldap/connect.h"

#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "connectors/ldap/diagnose.h"
#include "connectors/ldap/outcome.h"

static struct timeval timeval_of(int64_t us)
{
    return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text != NULL && *text != '\0' ? text : otherwise;
}

/* ---- the handle ---- */

struct handle_option {
    int option;
    const void *value;
};

static int set_options(LDAP *ld, const struct handle_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ldap_set_option(ld, options[i].option, options[i].value) != LDAP_OPT_SUCCESS)
            return LDAP_PARAM_ERROR;
    return LDAP_SUCCESS;
}

/* The TLS context is the handle's own: settings of ldap.conf or of another target do not leak in. */
static int set_tls(LDAP *ld, const struct ldap_settings *settings)
{
    int require = settings->verify ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
    int least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, client = 0;
    const struct handle_option options[] = {
        { LDAP_OPT_X_TLS_REQUIRE_CERT, &require },
        { LDAP_OPT_X_TLS_PROTOCOL_MIN, &least },
        { LDAP_OPT_X_TLS_NEWCTX, &client },
    };

    if (settings->ca_file != NULL && ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, settings->ca_file) != LDAP_OPT_SUCCESS)
        return LDAP_PARAM_ERROR;
    return set_options(ld, options, sizeof(options) / sizeof(options[0]));
}

static int set_limits(LDAP *ld, const struct ldap_settings *settings)
{
    struct timeval network = timeval_of(settings->network_timeout_us), operation = timeval_of(settings->operation_timeout_us);
    unsigned user_timeout_ms = (unsigned)(settings->operation_timeout_us / 1000);
    int version = LDAP_VERSION3, never = LDAP_DEREF_NEVER, none = LDAP_NO_LIMIT;
    ber_len_t most = (ber_len_t)settings->answer_bytes_most;
    Sockbuf *socket = NULL;
    const struct handle_option options[] = {
        { LDAP_OPT_PROTOCOL_VERSION, &version },
        { LDAP_OPT_REFERRALS, LDAP_OPT_OFF },
        { LDAP_OPT_DEREF, &never },
        { LDAP_OPT_SIZELIMIT, &none },
        { LDAP_OPT_TIMELIMIT, &none },
        { LDAP_OPT_RESTART, LDAP_OPT_ON },
        { LDAP_OPT_NETWORK_TIMEOUT, &network },
        { LDAP_OPT_TIMEOUT, &operation },
        { LDAP_OPT_TCP_USER_TIMEOUT, &user_timeout_ms },
    };

    if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &socket) == LDAP_OPT_SUCCESS)
        ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &most);
    return set_options(ld, options, sizeof(options) / sizeof(options[0]));
}

static void handle_free(LDAP *ld)
{
    ldap_unbind_ext(ld, NULL, NULL);
}
DEFINE_CLEANUP(LDAP, handle_free);

/* ---- connecting: each step that fails says so by itself ---- */

struct attempt {
    const struct ldap_settings *settings;
    LDAP *ld;
    struct buf failures;
    int code;
};

static char *last_diagnostic(LDAP *ld)
{
    char *text = NULL;

    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    return text;
}

/* "the log-in of cn=provost,… without a password" */
static void add_step(struct buf *buf, const struct ldap_settings *settings, const char *step)
{
    buf_add_str(buf, step);
    if (strcmp(step, "the log-in") != 0)
        return;
    if (settings->sasl == LDAP_SASL_BY_SOCKET)
        buf_add_str(buf, " by SASL EXTERNAL over its socket");
    else
        buf_printf(buf, " of %s%s", text_or(settings->bind_dn, "nobody"),
                   text_or(settings->password, NULL) != NULL ? "" : " without a password");
}

/* What the server (code > 0) or the walk of diagnose.c says of a failed step. */
static void note_failure(struct attempt *attempt, LDAP *ld, const char *uri, int code, const char *step)
{
    struct buf *failures = &attempt->failures;
    char *diagnostic = last_diagnostic(ld), *ca_file = NULL;
    const char *detail = text_or(diagnostic, "");

    attempt->code = code;
    if (failures->length != 0)
        buf_add_str(failures, "; ");
    ldap_get_option(ld, LDAP_OPT_X_TLS_CACERTFILE, &ca_file);
    if (code > 0 || !diagnose(attempt->settings, uri, ca_file, failures)) {
        buf_printf(failures, code > 0 ? "%s refuses " : "%s could be reached, but fails at ", uri);
        add_step(failures, attempt->settings, step);
        if (code > 0)
            buf_printf(failures, ": %s (%s %d)", outcome_row(code)->sentence, outcome_row(code)->name, code);
        else
            buf_printf(failures, ": %s", outcome_row(code)->sentence);
        buf_printf(failures, "%s%s", *detail != '\0' ? ": " : "", detail);
    }
    ldap_memfree(diagnostic);
    ldap_memfree(ca_file);
}

static int authenticate(LDAP *ld, const struct ldap_settings *settings)
{
    struct berval password = { 0, settings->password };

    if (settings->sasl == LDAP_SASL_BY_SOCKET) {
        struct berval ourselves = { 0, (char[]){ "" } };
        return ldap_sasl_bind_s(ld, NULL, "EXTERNAL", &ourselves, NULL, NULL, NULL);
    }
    if (settings->bind_dn == NULL || settings->password == NULL || *settings->password == '\0')
        return LDAP_INAPPROPRIATE_AUTH; /* an empty password would log in as nobody, and succeed */
    password.bv_len = strlen(settings->password);
    return ldap_sasl_bind_s(ld, settings->bind_dn, LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL);
}

/*
 * TLS on a connection that stands. libldap keeps to the network time-out in a handshake only when it is told to connect
 * asynchronously (else it waits for ever, busily), and then leaves it to us that the socket does not block.
 */
static int secure(LDAP *ld)
{
    Sockbuf *socket = NULL;

    if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &socket) != LDAP_OPT_SUCCESS)
        return LDAP_LOCAL_ERROR;
    ldap_set_option(ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_ON);
    ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_NONBLOCK, socket);
    int code = ldap_install_tls(ld);
    ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_NONBLOCK, NULL);
    ldap_set_option(ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_OFF);
    return code;
}

static int ask_for_tls(LDAP *ld)
{
    struct berval *data = NULL;
    char *oid = NULL;
    int code = ldap_extended_operation_s(ld, LDAP_EXOP_START_TLS, NULL, NULL, NULL, &oid, &data);

    ldap_memfree(oid);
    ber_bvfree(data);
    return code;
}

/* A server that stops in the middle of a message shall not hold us: reads and writes end, and ldap_result looks at its own clock. */
static void limit_socket(LDAP *ld, const struct ldap_settings *settings)
{
    struct timeval limit = timeval_of(settings->operation_timeout_us);
    int fd = -1;

    if (ldap_get_option(ld, LDAP_OPT_DESC, &fd) != LDAP_OPT_SUCCESS || fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static bool is_ldaps(const char *uri)
{
    return strncasecmp(uri, "ldaps:", 6) == 0;
}

/* The same place without the handshake that ldap_connect would make by itself. NULL: out of memory, or no URI. */
static char *plain_uri(const char *uri)
{
    LDAPURLDesc *url = NULL;

    if (!is_ldaps(uri))
        return str_dup(uri);
    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS)
        return NULL;
    bool is_v6 = url->lud_host != NULL && strchr(url->lud_host, ':') != NULL;
    char *plain = str_printf("ldap://%s%s%s:%d", is_v6 ? "[" : "", text_or(url->lud_host, ""), is_v6 ? "]" : "", url->lud_port);
    ldap_free_urldesc(url);
    return plain;
}

/* Connects, secures and logs in; *step is what was being done. LDAP result code. */
static int take_steps(LDAP *ld, const struct ldap_settings *settings, const char *uri, const char **step)
{
    bool tls = settings->starttls || is_ldaps(uri);
    int code = set_limits(ld, settings);

    *step = "the connection";
    if (code == LDAP_SUCCESS && tls)
        code = set_tls(ld, settings);
    if (code == LDAP_SUCCESS)
        code = ldap_connect(ld);
    if (code != LDAP_SUCCESS)
        return code;
    limit_socket(ld, settings);
    *step = "StartTLS";
    if (settings->starttls && (code = ask_for_tls(ld)) != LDAP_SUCCESS)
        return code;
    *step = "TLS";
    if (tls && (code = secure(ld)) != LDAP_SUCCESS)
        return code;
    *step = "the log-in";
    return authenticate(ld, settings);
}

/* 0: this one failed, try the next; 1: connected. */
static int try_uri(void *arg, const char *uri)
{
    struct attempt *attempt = arg;
    cleanup_of(handle_free) LDAP *ld = NULL;
    cleanup_free char *plain = plain_uri(uri);
    const char *step = "";

    if (plain == NULL || ldap_initialize(&ld, plain) != LDAP_SUCCESS || ld == NULL)
        return ERROR_NOMEM;
    int code = take_steps(ld, attempt->settings, uri, &step);
    if (code != LDAP_SUCCESS) {
        note_failure(attempt, ld, uri, code, step);
        return 0;
    }
    attempt->ld = take_pointer(ld);
    return 1;
}

bool directory_connect(const struct ldap_settings *settings, LDAP **ret_ld, struct receipt *receipt)
{
    struct attempt attempt = { .settings = settings };
    int result = ldap_settings_each_uri(settings, try_uri, &attempt);

    if (attempt.ld != NULL)
        *ret_ld = attempt.ld;
    else
        receipt_set(receipt, result < 0 ? OUTCOME_RETRY : OUTCOME_TARGET_DOWN, attempt.code, "%s",
                    result < 0 ? "out of memory" : text_or(attempt.failures.bytes, "uri is empty"));
    buf_free(&attempt.failures);
    return attempt.ld != NULL;
}
