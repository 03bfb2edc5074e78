#include "tests/support/canned_directory.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ANSWERS_MOST 16
#define CONNECTIONS_MOST 64

struct canned_state {
    pthread_mutex_t lock; /* all below, but for `listener` */
    struct canned answers[ANSWERS_MOST];
    size_t count;
    int connections;
    int requests[256]; /* by tag */
    int sockets[CONNECTIONS_MOST];
    pthread_t threads[CONNECTIONS_MOST];
    size_t threads_count;
    int listener;
    pthread_t acceptor;
};

struct connection {
    struct canned_state *state;
    int fd;
};

/* ---- answers ---- */

static void send_ber(int fd, BerElement *ber)
{
    struct berval bytes = { 0, NULL };

    if (ber_flatten2(ber, &bytes, 0) == 0 && send(fd, bytes.bv_val, bytes.bv_len, MSG_NOSIGNAL) < 0)
        shutdown(fd, SHUT_RDWR);
    ber_free(ber, 1);
}

static void send_result(int fd, ber_int_t id, ber_tag_t tag, const struct canned *canned)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    const char *matched = canned->matched != NULL ? canned->matched : "", *words = canned->words != NULL ? canned->words : "";

    ber_printf(ber, "{it{ess", id, tag, (ber_int_t)canned->code, matched, words);
    if (canned->referral != NULL)
        ber_printf(ber, "t{s}", (ber_tag_t)LDAP_TAG_REFERRAL, canned->referral);
    ber_printf(ber, "}}");
    send_ber(fd, ber);
}

static void send_entry(int fd, ber_int_t id, const char *dn)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);

    if (*dn == '\0')
        ber_printf(ber, "{it{s{{s[s]}{s[s]}}}}", id, (ber_tag_t)LDAP_RES_SEARCH_ENTRY, dn, "namingContexts", "dc=example,dc=org",
                   "supportedControl", LDAP_CONTROL_ASSERT);
    else
        ber_printf(ber, "{it{s{{s[s]}{s[s]}}}}", id, (ber_tag_t)LDAP_RES_SEARCH_ENTRY, dn, "entryUUID", CANNED_KEY, "sn", "Lee");
    send_ber(fd, ber);
}

/* RFC 4511, 4.4.1: an extended response with message id 0. */
static void send_notice(int fd)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);

    ber_printf(ber, "{it{essts}}", 0, (ber_tag_t)LDAP_RES_EXTENDED, (ber_int_t)LDAP_UNAVAILABLE, "", "shutting down",
               (ber_tag_t)LDAP_TAG_EXOP_RES_OID, LDAP_NOTICE_OF_DISCONNECTION);
    send_ber(fd, ber);
}

static bool fits(const struct canned *canned, ber_tag_t tag, const char *dn, bool asserted)
{
    return canned->request == tag && (canned->dn == NULL || strcasecmp(canned->dn, dn) == 0) && (!canned->asserted || asserted);
}

static struct canned chosen(struct canned_state *state, ber_tag_t tag, const char *dn, bool asserted)
{
    struct canned canned = { .code = LDAP_SUCCESS };

    pthread_mutex_lock(&state->lock);
    state->requests[tag & 0xff]++;
    for (size_t i = 0; i < state->count; i++)
        if (fits(&state->answers[i], tag, dn, asserted))
            canned = state->answers[i];
    pthread_mutex_unlock(&state->lock);
    return canned;
}

static ber_tag_t result_tag(ber_tag_t request)
{
    return request == LDAP_REQ_SEARCH   ? LDAP_RES_SEARCH_RESULT
           : request == LDAP_REQ_DELETE ? LDAP_RES_DELETE
                                        : request + 1;
}

/* False: hung up. */
static bool answer(struct canned_state *state, int fd, ber_int_t id, ber_tag_t tag, const char *dn, bool asserted)
{
    struct canned canned = chosen(state, tag, dn, asserted);

    if (canned.code == CANNED_DISCONNECT)
        send_notice(fd);
    if (canned.code < 0)
        return canned.code == CANNED_SILENT;
    if (tag == LDAP_REQ_SEARCH && canned.code == LDAP_SUCCESS)
        send_entry(fd, id, dn);
    send_result(fd, id, result_tag(tag), &canned);
    return true;
}

/* ---- requests ---- */

#define HEADER_BYTES_MOST 6 /* of an element: its tag and length */

/* Is the text in what is still to be read? (Not at its very end: a control's value stands behind its name.) */
static bool holds(BerElement *ber, const char *text)
{
    struct berval element = { 0, NULL };
    ber_len_t bytes = 0;

    ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &bytes);
    return ber_peek_element(ber, &element) != LBER_ERROR && bytes > HEADER_BYTES_MOST &&
           memmem(element.bv_val, bytes - HEADER_BYTES_MOST, text, strlen(text)) != NULL;
}

static const char *const forms[256] = { [LDAP_REQ_DELETE] = "m", [LDAP_REQ_BIND] = "{xm" }; /* of the DN in it; others "{m" */

/* The message's id, the operation, the DN in it; what is behind it are controls. */
static bool take_request(struct canned_state *state, int fd, BerElement *ber)
{
    struct berval dn = { 0, NULL };
    char text[512];
    ber_int_t id;
    ber_len_t length;

    if (ber_scanf(ber, "i", &id) == LBER_ERROR)
        return false;
    ber_tag_t tag = ber_peek_tag(ber, &length);
    const char *form = forms[tag & 0xff] != NULL ? forms[tag & 0xff] : "{m";
    bool asserted = holds(ber, LDAP_CONTROL_ASSERT);
    if (tag == LDAP_REQ_UNBIND || ber_scanf(ber, form, &dn) == LBER_ERROR)
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)dn.bv_len, dn.bv_val);
    return answer(state, fd, id, tag, text, asserted);
}

static void *serve(void *arg)
{
    struct connection connection = *(struct connection *)arg;
    Sockbuf *socket = ber_sockbuf_alloc();
    bool open = true;

    free(arg);
    ber_sockbuf_add_io(socket, &ber_sockbuf_io_tcp, LBER_SBIOD_LEVEL_PROVIDER, &connection.fd);
    while (open) {
        BerElement *ber = ber_alloc_t(LBER_USE_DER);
        ber_len_t length = 0;
        open = ber_get_next(socket, &length, ber) == LDAP_TAG_MESSAGE && take_request(connection.state, connection.fd, ber);
        ber_free(ber, 1);
    }
    shutdown(connection.fd, SHUT_RDWR);
    ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_FD, &(ber_socket_t){ -1 }); /* canned_stop closes it */
    ber_sockbuf_free(socket);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct canned_state *state = arg;

    for (int fd; (fd = accept(state->listener, NULL, NULL)) >= 0;) {
        struct connection *connection = malloc(sizeof(*connection));
        *connection = (struct connection){ state, fd };
        pthread_mutex_lock(&state->lock);
        assert_true(state->threads_count < CONNECTIONS_MOST);
        size_t i = state->threads_count++;
        state->sockets[i] = fd;
        state->connections++;
        pthread_create(&state->threads[i], NULL, serve, connection);
        pthread_mutex_unlock(&state->lock);
    }
    return NULL;
}

/* ---- from start to stop ---- */

void canned_start(struct canned_directory *directory)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof(address);
    struct canned_state *state = calloc(1, sizeof(*state));

    assert_non_null(state);
    pthread_mutex_init(&state->lock, NULL);
    state->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(state->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(state->listener, 16), 0);
    assert_int_equal(getsockname(state->listener, (struct sockaddr *)&address, &length), 0);
    snprintf(directory->uri, sizeof(directory->uri), "ldap://127.0.0.1:%d", ntohs(address.sin_port));
    directory->state = state;
    assert_int_equal(pthread_create(&state->acceptor, NULL, accept_all, state), 0);
}

void canned_stop(struct canned_directory *directory)
{
    struct canned_state *state = directory->state;

    if (state == NULL) /* the test's start failed before */
        return;
    shutdown(state->listener, SHUT_RDWR);
    pthread_join(state->acceptor, NULL);
    for (size_t i = 0; i < state->threads_count; i++) {
        shutdown(state->sockets[i], SHUT_RDWR);
        pthread_join(state->threads[i], NULL);
        close(state->sockets[i]);
    }
    close(state->listener);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

void canned_answer(struct canned_directory *directory, const struct canned *canned)
{
    struct canned_state *state = directory->state;

    pthread_mutex_lock(&state->lock);
    assert_true(state->count < ANSWERS_MOST);
    state->answers[state->count++] = *canned;
    pthread_mutex_unlock(&state->lock);
}

void canned_reset(struct canned_directory *directory)
{
    struct canned_state *state = directory->state;

    pthread_mutex_lock(&state->lock);
    state->count = 0;
    state->connections = 0;
    memset(state->requests, 0, sizeof(state->requests));
    pthread_mutex_unlock(&state->lock);
}

int canned_connections(struct canned_directory *directory)
{
    pthread_mutex_lock(&directory->state->lock);
    int connections = directory->state->connections;
    pthread_mutex_unlock(&directory->state->lock);
    return connections;
}

int canned_requests(struct canned_directory *directory, ber_tag_t request)
{
    pthread_mutex_lock(&directory->state->lock);
    int requests = directory->state->requests[request & 0xff];
    pthread_mutex_unlock(&directory->state->lock);
    return requests;
}
