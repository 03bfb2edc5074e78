/*
 * connection.h: what the receiver knows of a connection and of the one request
 * that it carries at a time; and the watch over those that take too long.
 *
 * Ownership: a connection is counted: one reference for the open socket, one
 * while the sink has its events. It holds a reference to its receiver, so a
 * `taken` that comes after receive_stop still finds both.
 * Threads: a request's plain members belong to libmicrohttpd's thread of the
 * connection; while `hand` is HAND_PENDING, to whoever ends that state
 * (under the receiver's mutex). The list is under the mutex.
 */
#ifndef PROVOST_RECEIVE_CONNECTION_H
#define PROVOST_RECEIVE_CONNECTION_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "receive/answer.h"
#include "receive/receive.h"
#include "receive/secrets.h"

enum hand {
    HAND_NONE,    /* the events are not with the sink */
    HAND_PENDING, /* they are; the connection is suspended */
    HAND_DONE,    /* the answer is known */
};

struct connection {
    struct receiver *receiver;
    struct MHD_Connection *mhd;
    struct connection *next, *previous;
    int fd;
    char peer[INET6_ADDRSTRLEN];
    atomic_int references;
    bool hello, handshaken; /* TLS: the client began a handshake, and ended it */
    _Atomic int64_t deadline_us; /* mono; 0: none, it is us that it waits for */

    /* the request */
    bool started;
    bool in_flight;     /* was handed over, and counts until it has ended */
    bool keep;          /* its body goes into quarantine */
    enum hand hand;     /* under the mutex */
    enum answer answer; /* NONE: not decided */
    char *reason;       /* of an answer that is no 2xx; NULL: the answer's own text */
    int64_t announced;  /* Content-Length; -1: not told */
    int64_t read_bytes;
    char *body;
    size_t length, capacity;
    struct event_batch *batch;
    struct wall received;
};

struct receiver {
    struct receive_settings settings; /* its strings may be gone after the start */
    char *path, *header;
    struct receive_sink sink;
    struct secrets secrets;
    struct answers answers;
    struct MHD_Daemon *daemon;
    int listen_fd;
    atomic_int references; /* of the owner and of each connection */
    atomic_bool stopping;  /* new requests get 503 */
    _Atomic int64_t requests;
    _Atomic int64_t counts[ANSWER_COUNT];
    _Atomic int64_t tls_failed, refused_in_a_row, accepted_us, refused_us; /* wall */
    atomic_bool refused_by_tls;
    struct wall certificate_expires;
    _Atomic int64_t limit_told_us; /* when it was last said that there are too many open files */

    pthread_mutex_t mutex;
    pthread_cond_t changed;        /* a request ended, or the watch shall */
    struct connection *connections;
    int64_t active, in_flight;     /* requests begun; handed over */
    pthread_t watch;
    bool watching, watch_ends;
};

/* What came to the door, for receive_read_counts. */
void door_accepted(struct receiver *receiver);
void door_refused(struct receiver *receiver, bool by_tls);

void receiver_unref(struct receiver *receiver);
void connection_unref(struct connection *connection);

/* libmicrohttpd's MHD_NotifyConnectionCallback. */
void connection_notify(void *receiver, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code);
/* NULL when there was no memory for it. */
struct connection *connection_of(struct MHD_Connection *mhd);

/* It has `timeout_us` from now on; or as long as we take. */
void connection_expect(struct connection *connection);
void connection_wait(struct connection *connection);

int watch_start(struct receiver *receiver, struct error *error);
void watch_stop(struct receiver *receiver);

#endif
