#include "receive/receive.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "receive/connection.h"
#include "receive/listen.h"
#include "receive/request.h"

#define OTHER_FILES 256                   /* that the process needs besides connections */
#define ARRIVING_US_MOST 1000000          /* what a half-read request gets when stopping */
#define ANSWERING_US_MOST 1000000         /* what the last answers get to go out */
#define CONNECTION_MEMORY_BYTES (16 * 1024) /* headers and a usual body; libmicrohttpd clears all of it after each request */
#define LIMIT_TOLD_US 10000000            /* at most so often that there are too many open files */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Raises the soft limit as far as needed; what is left of connections_most. */
static unsigned connections_possible(int64_t connections_most)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)connections_most + OTHER_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
        return (unsigned)connections_most;
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= need)
        return (unsigned)connections_most;
    unsigned possible = limit.rlim_cur > 2 * OTHER_FILES ? (unsigned)(limit.rlim_cur - OTHER_FILES) : (unsigned)limit.rlim_cur / 2;
    log_warning("the limit of open files is %llu: at most %u connections at once instead of %lld; raise LimitNOFILE= of the service",
                (unsigned long long)limit.rlim_cur, possible, (long long)connections_most);
    return possible;
}

static unsigned thread_count(int64_t wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted > 0)
        return (unsigned)wanted;
    return cores < 1 ? 1 : cores > 4 ? 4 : (unsigned)cores;
}

/* libmicrohttpd's own words are for -v, but for one thing that a person has to mend. Its threads call this. */
static void on_server_message(void *arg, const char *format, va_list args)
{
    struct receiver *receiver = arg;
    char text[256];
    int64_t now_us = clock_mono(receiver->settings.clock).us, told_us = atomic_load(&receiver->limit_told_us);

    vsnprintf(text, sizeof(text), format, args);
    if (strstr(text, "resource limit") == NULL) {
        log_debug("HTTP server: %s", text);
    } else if ((told_us == 0 || now_us - told_us > LIMIT_TOLD_US) && atomic_compare_exchange_strong(&receiver->limit_told_us, &told_us, now_us)) {
        log_warning("the limit of open files is reached: no new connection is taken until others end; raise LimitNOFILE= of the service");
    }
}

static int daemon_start(struct receiver *receiver, const struct tls_files *files, struct error *error)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    unsigned threads = thread_count(receiver->settings.threads), connections = connections_possible(receiver->settings.connections_most);
    struct MHD_OptionItem options[8];
    size_t n = 0;

    if (listen_is_ipv6(receiver->settings.address))
        flags |= MHD_USE_IPv6;
    if (files->certificate != NULL) {
        flags |= MHD_USE_TLS;
        options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, files->certificate };
        options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, files->key };
        options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES };
    }
    if (threads > 1)
        options[n++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL };
    options[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    receiver->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, request_handle, receiver, MHD_OPTION_EXTERNAL_LOGGER, on_server_message, receiver, MHD_OPTION_NOTIFY_CONNECTION, connection_notify, receiver,
        MHD_OPTION_NOTIFY_COMPLETED, request_ended, receiver, MHD_OPTION_LISTEN_SOCKET, receiver->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, connections < threads ? threads : connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (receiver->daemon == NULL)
        return error_set(error, ERROR_INTERNAL, "the HTTP server did not start (%s)", strerror(errno));
    return 0;
}

static int read_tls(const struct receive_settings *settings, struct tls_files *ret_files, struct wall *ret_expires,
                    struct error *error)
{
    struct wall expires;
    char when[WALL_TEXT_BYTES];

    if (settings->certificate == NULL)
        return 0;
    if (settings->key == NULL)
        return error_set(error, ERROR_INVALID, "there is a certificate (%s) but no key: both go together", settings->certificate);
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return error_set(error, ERROR_VERSION, "this libmicrohttpd was built without TLS");
    int code = tls_files_read(settings->certificate, settings->key, ret_files, &expires, error);
    if (code < 0)
        return code;
    wall_format(expires, when);
    if (expires.us < clock_wall(settings->clock).us)
        log_warning("%s: the certificate expired on %s; Okta will not deliver to it", settings->certificate, when);
    *ret_expires = expires;
    return 0;
}

static struct receiver *receiver_new(const struct receive_settings *settings, const struct receive_sink *sink)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));
    pthread_condattr_t monotonic;

    if (receiver == NULL)
        return NULL;
    receiver->settings = *settings;
    receiver->sink = *sink;
    receiver->listen_fd = -1;
    atomic_init(&receiver->references, 1);
    secrets_init(&receiver->secrets);
    pthread_mutex_init(&receiver->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&receiver->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return receiver;
}

static int receiver_open(struct receiver *receiver, struct error *error)
{
    const struct receive_settings *settings = &receiver->settings;
    __attribute__((cleanup(tls_files_free))) struct tls_files files = { 0 };

    receiver->path = strdup(settings->path);
    receiver->header = strdup(settings->header);
    if (receiver->path == NULL || receiver->header == NULL)
        return error_nomem(error);
    int code = secrets_set(&receiver->secrets, settings->secret, settings->previous_secret);
    if (code < 0)
        return error_set(error, code, "the hook has no secret: set the one that Okta sends");
    code = read_tls(settings, &files, &receiver->certificate_expires, error);
    if (code == 0)
        code = listen_open(settings->address, settings->port, settings->certificate == NULL, &receiver->listen_fd, error);
    if (code == 0)
        code = answers_make(&receiver->answers, error);
    if (code == 0)
        code = watch_start(receiver, error);
    return code < 0 ? code : daemon_start(receiver, &files, error);
}

static void receiver_close(struct receiver *receiver)
{
    if (receiver->daemon != NULL)
        MHD_stop_daemon(receiver->daemon);
    watch_stop(receiver);
    if (receiver->listen_fd >= 0)
        close(receiver->listen_fd);
    receiver_unref(receiver);
}

int receive_start(const struct receive_settings *settings, const struct receive_sink *sink, struct receiver **ret_receiver,
                  struct error *error)
{
    struct receiver *receiver = receiver_new(settings, sink);

    if (receiver == NULL)
        return error_nomem(error);
    int code = receiver_open(receiver, error);
    if (code < 0) {
        receiver_close(receiver);
        return code;
    }
    *ret_receiver = receiver;
    return 0;
}

int receive_port(const struct receiver *receiver)
{
    return listen_port(receiver->listen_fd);
}

int receive_set_secrets(struct receiver *receiver, const char *secret, const char *previous_secret)
{
    return secrets_set(&receiver->secrets, secret, previous_secret);
}

/* Until `count` is 0, at most `most_us`. */
static void wait_for_none(struct receiver *receiver, const int64_t *count, int64_t most_us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (most_us > 0 ? most_us % 1000000 : 0) * 1000;
    until.tv_sec += (most_us > 0 ? most_us / 1000000 : 0) + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&receiver->mutex);
    while (*count > 0 && pthread_cond_timedwait(&receiver->changed, &receiver->mutex, &until) == 0)
        ;
    pthread_mutex_unlock(&receiver->mutex);
}

void receive_stop(struct receiver *receiver, int64_t drain_us)
{
    if (receiver == NULL)
        return;
    atomic_store(&receiver->stopping, true);
    MHD_quiesce_daemon(receiver->daemon);
    wait_for_none(receiver, &receiver->in_flight, drain_us);
    wait_for_none(receiver, &receiver->active, drain_us < ARRIVING_US_MOST ? drain_us : ARRIVING_US_MOST);
    request_abandon_all(receiver);
    wait_for_none(receiver, &receiver->in_flight, ANSWERING_US_MOST);
    receiver_close(receiver);
}

void receive_read_counts(const struct receiver *receiver, struct receive_counts *ret_counts)
{
    struct receiver *r = (struct receiver *)(uintptr_t)receiver; /* atomic loads are not for const */
    const struct {
        int64_t *count;
        enum answer answer;
    } rows[] = {
        { &ret_counts->verified, ANSWER_VERIFIED },       { &ret_counts->accepted, ANSWER_ACCEPTED },
        { &ret_counts->unauthorized, ANSWER_UNAUTHORIZED }, { &ret_counts->malformed, ANSWER_MALFORMED },
        { &ret_counts->malformed, ANSWER_NO_CHALLENGE },  { &ret_counts->too_big, ANSWER_TOO_BIG },
        { &ret_counts->wrong_type, ANSWER_WRONG_TYPE },   { &ret_counts->unavailable, ANSWER_UNAVAILABLE },
        { &ret_counts->not_found, ANSWER_NOT_FOUND },     { &ret_counts->wrong_method, ANSWER_WRONG_METHOD },
    };

    *ret_counts = (struct receive_counts){
        .requests = atomic_load(&r->requests), .tls_failed = atomic_load(&r->tls_failed),
        .refused_in_a_row = atomic_load(&r->refused_in_a_row), .last_accepted.us = atomic_load(&r->accepted_us),
        .last_refused.us = atomic_load(&r->refused_us), .refused_by_tls = atomic_load(&r->refused_by_tls),
        .certificate_expires = r->certificate_expires,
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        *rows[i].count += atomic_load(&r->counts[rows[i].answer]);
}
