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

/* How long the steps may take. */
struct limits {
    int64_t network_us;
    int64_t operation_us;
};

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct limits limits_of(const struct ldap_settings *settings, int64_t most_us)
{
    struct limits limits = { settings->network_timeout_us, settings->operation_timeout_us };

    if (most_us != 0)
        limits = (struct limits){ least_of(limits.network_us, most_us), least_of(limits.operation_us, most_us) };
    return limits;
}

static int set_limits(LDAP *ld, const struct ldap_settings *settings, const struct limits *limits)
{
    struct timeval network = timeval_of(limits->network_us), operation = timeval_of(limits->operation_us);
    unsigned user_timeout_ms = (unsigned)(limits->operation_us / 1000);
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

/* ---- words ---- */

static char *last_diagnostic(LDAP *ld)
{
    char *text = NULL;

    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    return text;
}

/* "the log-in of cn=provost,… without a password" */
static void add_login(struct buf *buf, const struct ldap_settings *settings)
{
    if (settings->sasl == LDAP_SASL_BY_SOCKET)
        buf_add_str(buf, "the log-in by SASL EXTERNAL over its socket");
    else
        buf_printf(buf, "the log-in of %s%s", text_or(settings->bind_dn, "nobody"),
                   text_or(settings->password, NULL) != NULL ? "" : " without a password");
}

/* ---- connecting: each step that fails says so by itself ---- */

enum step { STEP_CONNECTION, STEP_STARTTLS, STEP_TLS, STEP_LOGIN };

static const char *const step_names[] = {
    [STEP_CONNECTION] = "the connection", [STEP_STARTTLS] = "StartTLS", [STEP_TLS] = "TLS", [STEP_LOGIN] = "the log-in"
};

struct attempt {
    const struct ldap_settings *settings;
    const char *uri;
    struct limits limits;
    bool look;
    LDAP *ld;
    enum step step;
    struct buf more;  /* what the answer to the log-in says beside its code */
    bool must_change; /* no other request is allowed before the password is changed */
};

static void note_refusal(struct attempt *attempt, int code, struct connect_failure *failure)
{
    const struct outcome_row *row = outcome_row(code);
    struct buf *words = &failure->words;

    buf_printf(words, "%s refuses ", attempt->uri);
    if (attempt->step == STEP_LOGIN)
        add_login(words, attempt->settings);
    else
        buf_add_str(words, step_names[attempt->step]);
    failure->login = attempt->step == STEP_LOGIN && row->login;
    buf_printf(words, ": %s (%s %d)", row->sentence, row->name, code);
}

/* What the server (code > 0) or the walk of diagnose.c says of a failed step. */
static void note_failure(struct attempt *attempt, int code, struct connect_failure *failure)
{
    char *diagnostic = last_diagnostic(attempt->ld), *ca_file = NULL;
    struct buf *words = &failure->words;
    const char *own = text_or(diagnostic, "");

    failure->code = code;
    ldap_get_option(attempt->ld, LDAP_OPT_X_TLS_CACERTFILE, &ca_file);
    if (attempt->must_change) {
        buf_printf(words, "%s takes ", attempt->uri);
        add_login(words, attempt->settings);
        buf_add_str(words, " only for a change of its password: give the account a new one");
    } else if (code > 0) {
        note_refusal(attempt, code, failure);
    } else if (attempt->look || !diagnose(attempt->settings, attempt->uri, ca_file, words)) {
        buf_printf(words, "%s could be reached, but fails at %s: %s", attempt->uri, step_names[attempt->step],
                   outcome_row(code)->sentence);
    } else {
        own = ""; /* said better */
    }
    buf_printf(words, "%s%s%s", *own != '\0' ? ": " : "", own, text_or(attempt->more.bytes, ""));
    ldap_memfree(diagnostic);
    ldap_memfree(ca_file);
}

/* ---- the log-in ---- */

/* Netscape's control of long before the draft: servers that know only this one send it unasked. */
#define CONTROL_PASSWORD_EXPIRED "2.16.840.1.113730.3.4.4"

static void take_policy(struct attempt *attempt, LDAPControl **controls, int code)
{
    LDAPControl *control = ldap_control_find(LDAP_CONTROL_PASSWORDPOLICYRESPONSE, controls, NULL);
    LDAPPasswordPolicyError error = PP_noError;
    ber_int_t expire = 0, grace = 0;

    if (control != NULL && ldap_parse_passwordpolicy_control(attempt->ld, control, &expire, &grace, &error) == LDAP_SUCCESS &&
        error != PP_noError)
        buf_printf(&attempt->more, "; its password policy says: %s", ldap_passwordpolicy_err2txt(error));
    bool expired = ldap_control_find(CONTROL_PASSWORD_EXPIRED, controls, NULL) != NULL;
    attempt->must_change = code == LDAP_SUCCESS && (error == PP_changeAfterReset || expired);
}

/* The answer to the log-in of this id. */
static int take_login(struct attempt *attempt, int id)
{
    LDAPControl **controls = NULL;
    LDAPMessage *message = NULL;
    char **referrals = NULL;
    int code = LDAP_TIMEOUT, type = ldap_result(attempt->ld, id, LDAP_MSG_ALL, NULL, &message);

    if (type < 0)
        ldap_get_option(attempt->ld, LDAP_OPT_RESULT_CODE, &code);
    if (type <= 0)
        return code != LDAP_SUCCESS ? code : LDAP_SERVER_DOWN;
    int parsed = ldap_parse_result(attempt->ld, message, &code, NULL, NULL, &referrals, &controls, 1);
    if (parsed != LDAP_SUCCESS)
        return parsed;
    if (referrals != NULL)
        buf_printf(&attempt->more, "; it refers to %s", referrals[0]);
    take_policy(attempt, controls, code);
    ldap_memvfree((void **)referrals);
    ldap_controls_free(controls);
    return code;
}

static int authenticate(struct attempt *attempt)
{
    const struct ldap_settings *settings = attempt->settings;
    bool external = settings->sasl == LDAP_SASL_BY_SOCKET;
    const char *password = text_or(settings->password, NULL);
    LDAPControl *controls[2] = { NULL };
    int id = -1;

    if (!external && (settings->bind_dn == NULL || password == NULL))
        return LDAP_INAPPROPRIATE_AUTH; /* an empty password would log in as nobody, and succeed */
    struct berval secret = { external ? 0 : strlen(password), external ? (char[]){ "" } : settings->password };
    int code = ldap_create_passwordpolicy_control(attempt->ld, &controls[0]);
    if (code == LDAP_SUCCESS)
        code = ldap_sasl_bind(attempt->ld, external ? NULL : settings->bind_dn, external ? "EXTERNAL" : LDAP_SASL_SIMPLE, &secret,
                              controls, NULL, &id);
    if (controls[0] != NULL)
        ldap_control_free(controls[0]);
    return code == LDAP_SUCCESS ? take_login(attempt, id) : code;
}

/* ---- the way there ---- */

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
static void limit_socket(LDAP *ld, const struct limits *limits)
{
    struct timeval limit = timeval_of(limits->operation_us);
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

/* Connects, secures and logs in; attempt->step is what was being done. LDAP result code. */
static int take_steps(struct attempt *attempt)
{
    const struct ldap_settings *settings = attempt->settings;
    bool tls = settings->starttls || is_ldaps(attempt->uri);
    LDAP *ld = attempt->ld;
    int code = set_limits(ld, settings, &attempt->limits);

    if (code == LDAP_SUCCESS && tls)
        code = set_tls(ld, settings);
    if (code == LDAP_SUCCESS)
        code = ldap_connect(ld);
    if (code != LDAP_SUCCESS)
        return code;
    limit_socket(ld, &attempt->limits);
    attempt->step = STEP_STARTTLS;
    if (settings->starttls && (code = ask_for_tls(ld)) != LDAP_SUCCESS)
        return code;
    attempt->step = STEP_TLS;
    if (tls && (code = secure(ld)) != LDAP_SUCCESS)
        return code;
    attempt->step = STEP_LOGIN;
    return authenticate(attempt);
}

bool directory_connect(const struct ldap_settings *settings, const char *uri, int64_t limit_us, LDAP **ret_ld,
                       struct connect_failure *failure)
{
    cleanup_of(handle_free) LDAP *ld = NULL;
    cleanup_free char *plain = plain_uri(uri);

    if (plain == NULL || ldap_initialize(&ld, plain) != LDAP_SUCCESS || ld == NULL) {
        failure->code = LDAP_NO_MEMORY;
        return false;
    }
    struct attempt attempt = {
        .settings = settings, .uri = uri, .limits = limits_of(settings, limit_us), .look = limit_us != 0, .ld = ld
    };
    int code = take_steps(&attempt);
    bool connected = code == LDAP_SUCCESS && !attempt.must_change;
    if (connected)
        *ret_ld = take_pointer(ld);
    else
        note_failure(&attempt, code, failure);
    buf_free(&attempt.more);
    return connected;
}

void directory_keep(LDAP *ld, const struct ldap_settings *settings)
{
    struct limits limits = limits_of(settings, 0);

    set_limits(ld, settings, &limits);
    limit_socket(ld, &limits);
}
