#include "receive/connection.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WATCH_US_LEAST 20000
#define WATCH_US_MOST 250000

void receiver_unref(struct receiver *receiver)
{
    if (atomic_fetch_sub(&receiver->references, 1) > 1)
        return;
    pthread_cond_destroy(&receiver->changed);
    pthread_mutex_destroy(&receiver->mutex);
    secrets_destroy(&receiver->secrets);
    answers_free(&receiver->answers);
    free(receiver->path);
    free(receiver->header);
    free(receiver);
}

void connection_unref(struct connection *connection)
{
    if (atomic_fetch_sub(&connection->references, 1) > 1)
        return;
    receiver_unref(connection->receiver);
    free(connection);
}

void connection_expect(struct connection *connection)
{
    struct receive_settings *settings = &connection->receiver->settings;

    atomic_store_explicit(&connection->deadline_us, clock_mono(settings->clock).us + settings->timeout_us, memory_order_relaxed);
}

void connection_wait(struct connection *connection)
{
    atomic_store_explicit(&connection->deadline_us, 0, memory_order_relaxed);
}

static void set_peer(struct connection *connection, const struct sockaddr *address)
{
    static const char mapped[] = "::ffff:";
    char *peer = connection->peer;

    if (address != NULL && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, peer, sizeof(connection->peer));
    else if (address != NULL && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, peer, sizeof(connection->peer));
    if (strncmp(peer, mapped, sizeof(mapped) - 1) == 0 && strchr(peer, '.') != NULL)
        memmove(peer, peer + sizeof(mapped) - 1, strlen(peer) - sizeof(mapped) + 2);
}

/* ---- the door ---- */

void door_accepted(struct receiver *receiver)
{
    atomic_store_explicit(&receiver->accepted_us, clock_wall(receiver->settings.clock).us, memory_order_relaxed);
    atomic_store_explicit(&receiver->refused_in_a_row, 0, memory_order_relaxed);
}

void door_refused(struct receiver *receiver, bool by_tls)
{
    atomic_store_explicit(&receiver->refused_us, clock_wall(receiver->settings.clock).us, memory_order_relaxed);
    atomic_store_explicit(&receiver->refused_by_tls, by_tls, memory_order_relaxed);
    atomic_fetch_add_explicit(&receiver->refused_in_a_row, 1, memory_order_relaxed);
}

static int on_handshake(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t *message)
{
    struct connection *connection = gnutls_session_get_ptr(session);

    (void)when;
    (void)message;
    connection->hello = connection->hello || (incoming != 0 && type == GNUTLS_HANDSHAKE_CLIENT_HELLO);
    connection->handshaken = connection->handshaken || (incoming != 0 && type == GNUTLS_HANDSHAKE_FINISHED);
    return 0;
}

/* The session is gone by the time that the connection's end is told, so its steps are noted. libmicrohttpd uses the session's pointer for
 * pre-shared keys alone, which are not used here. */
static void watch_handshake(struct connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info != NULL ? info->tls_session : NULL;

    if (session == NULL)
        return;
    gnutls_session_set_ptr(session, connection);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST, on_handshake);
}

static void tell_failed_handshake(struct receiver *receiver, const struct connection *connection)
{
    if (!connection->hello || connection->handshaken)
        return;
    atomic_fetch_add_explicit(&receiver->tls_failed, 1, memory_order_relaxed);
    door_refused(receiver, true);
    if (receiver->sink.broken_off != NULL)
        receiver->sink.broken_off(receiver->sink.arg, connection->peer,
                                  "the client left in the middle of the TLS handshake: it may not "
                                  "trust the certificate, or offer no version and cipher that is allowed here");
}

static void open_connection(struct receiver *receiver, struct MHD_Connection *mhd, void **socket_context)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    *socket_context = connection;
    if (connection == NULL)
        return;
    connection->receiver = receiver;
    connection->mhd = mhd;
    connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    set_peer(connection, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    atomic_init(&connection->references, 1);
    atomic_fetch_add(&receiver->references, 1);
    connection_expect(connection);
    watch_handshake(connection);
    pthread_mutex_lock(&receiver->mutex);
    connection->next = receiver->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    receiver->connections = connection;
    pthread_mutex_unlock(&receiver->mutex);
}

/* Called before the socket is closed: what is in the list has a live socket. */
static void close_connection(struct receiver *receiver, struct connection *connection)
{
    pthread_mutex_lock(&receiver->mutex);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        receiver->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&receiver->mutex);
    tell_failed_handshake(receiver, connection);
    connection_unref(connection);
}

void connection_notify(void *receiver, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(receiver, mhd, socket_context);
    else if (*socket_context != NULL)
        close_connection(receiver, *socket_context);
}

struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* It left in the middle, and all that it sent was read. */
static bool is_gone(const struct connection *connection)
{
    char byte;

    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* libmicrohttpd's own time-out starts again with each byte, and an end that
 * comes together with the last byte escapes it (epoll tells of both but once).
 * Here the socket is shut, and its thread sees the end of it as if the client
 * had gone just now. An answer under way to whoever has gone is still sent. */
static void shut_late_ones(struct receiver *receiver)
{
    int64_t now_us = clock_mono(receiver->settings.clock).us;

    for (struct connection *c = receiver->connections; c != NULL; c = c->next) {
        int64_t deadline_us = atomic_load_explicit(&c->deadline_us, memory_order_relaxed);
        if (deadline_us != 0 && now_us > deadline_us)
            shutdown(c->fd, SHUT_RDWR);
        else if (deadline_us != 0 && is_gone(c))
            shutdown(c->fd, SHUT_RD);
    }
}

static void *watch_run(void *arg)
{
    struct receiver *receiver = arg;
    int64_t period_us = receiver->settings.timeout_us / 4;

    period_us = period_us < WATCH_US_LEAST ? WATCH_US_LEAST : period_us > WATCH_US_MOST ? WATCH_US_MOST : period_us;
    pthread_mutex_lock(&receiver->mutex);
    while (!receiver->watch_ends) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t ns = until.tv_nsec + period_us * 1000;
        until.tv_sec += ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
        while (!receiver->watch_ends && pthread_cond_timedwait(&receiver->changed, &receiver->mutex, &until) == 0)
            ;
        shut_late_ones(receiver);
    }
    pthread_mutex_unlock(&receiver->mutex);
    return NULL;
}

int watch_start(struct receiver *receiver, struct error *error)
{
    int errnum = pthread_create(&receiver->watch, NULL, watch_run, receiver);

    if (errnum != 0)
        return error_set(error, error_from_errno(errnum), "cannot start a thread: %s", strerror(errnum));
    receiver->watching = true;
    return 0;
}

void watch_stop(struct receiver *receiver)
{
    if (!receiver->watching)
        return;
    pthread_mutex_lock(&receiver->mutex);
    receiver->watch_ends = true;
    pthread_cond_broadcast(&receiver->changed);
    pthread_mutex_unlock(&receiver->mutex);
    pthread_join(receiver->watch, NULL);
    receiver->watching = false;
}
