#include "receive/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "source/okta.h"

#define CHALLENGE_HEADER "X-Okta-Verification-Challenge"
#define CHALLENGE_BYTES_MOST 1024
#define KEEP_BYTES_MOST 65536        /* of a refused body, for the quarantine */
#define DRAIN_BYTES_MOST (16L << 20) /* of a refused body, so that the answer is seen */
#define BODY_BYTES_FIRST 4096

static const char *header(struct connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection->mhd, MHD_HEADER_KIND, name);
}

static void set_reason(struct connection *connection, const char *reason)
{
    free(connection->reason);
    connection->reason = str_dup(reason);
}

/* ---- with the headers ---- */

static bool is_authorized(struct connection *connection)
{
    struct receiver *receiver = connection->receiver;
    const char *name = receiver->header, *shown = NULL;
    size_t length = 0;

    if (MHD_lookup_connection_value_n(connection->mhd, MHD_HEADER_KIND, name, strlen(name), &shown, &length) != MHD_YES || shown == NULL)
        return false;
    return secrets_match(&receiver->secrets, shown, length);
}

/* application/json, any parameters behind it, nothing encoded. */
static bool is_json(struct connection *connection)
{
    static const char type[] = "application/json";
    const char *sent = header(connection, "Content-Type"), *encoding = header(connection, "Content-Encoding");

    if (sent == NULL || strncasecmp(sent, type, sizeof(type) - 1) != 0)
        return false;
    sent += sizeof(type) - 1;
    sent += strspn(sent, " \t");
    return (*sent == '\0' || *sent == ';') && (encoding == NULL || strcasecmp(encoding, "identity") == 0);
}

static int64_t announced_bytes(struct connection *connection)
{
    const char *sent = header(connection, "Content-Length");
    long long bytes;

    return sent != NULL && str_to_int64(sent, &bytes) && bytes >= 0 ? bytes : -1;
}

static bool has_challenge(struct connection *connection)
{
    const char *challenge = header(connection, CHALLENGE_HEADER);
    size_t length = challenge != NULL ? strlen(challenge) : 0;

    return length > 0 && length <= CHALLENGE_BYTES_MOST && str_is_utf8(challenge, length);
}

static void refuse_size(struct connection *connection)
{
    char *reason = connection->announced >= 0 ?
        str_printf("the body has %lld bytes, the limit is %lld", (long long)connection->announced,
                   (long long)connection->receiver->settings.body_bytes_most) :
        str_printf("the body has more than %lld bytes, the limit", (long long)connection->receiver->settings.body_bytes_most);

    free(connection->reason);
    connection->reason = reason;
    connection->answer = ANSWER_TOO_BIG;
    connection->keep = true;
}

static void refuse_type(struct connection *connection)
{
    const char *type = header(connection, "Content-Type"), *encoding = header(connection, "Content-Encoding");

    free(connection->reason);
    connection->reason = str_printf("the content type is %s%s%s, application/json is right", type != NULL ? type : "missing",
                                    encoding != NULL ? ", encoded " : "", encoding != NULL ? encoding : "");
    connection->answer = ANSWER_WRONG_TYPE;
    connection->keep = true;
}

/* What can be said before the body is there; ANSWER_NONE otherwise. */
static void decide(struct connection *connection, const char *url, const char *method)
{
    struct receiver *receiver = connection->receiver;
    bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0;

    connection->announced = announced_bytes(connection);
    if (strcmp(url, receiver->path) != 0)
        connection->answer = ANSWER_NOT_FOUND;
    else if (!get && strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        connection->answer = ANSWER_WRONG_METHOD;
    else if (!is_authorized(connection))
        connection->answer = ANSWER_UNAUTHORIZED;
    else if (get)
        connection->answer = has_challenge(connection) ? ANSWER_VERIFIED : ANSWER_NO_CHALLENGE;
    else if (atomic_load(&receiver->stopping))
        connection->answer = ANSWER_UNAVAILABLE;
    else if (!is_json(connection))
        refuse_type(connection);
    else if (connection->announced > receiver->settings.body_bytes_most)
        refuse_size(connection);
}

static void request_begin(struct connection *connection, const char *url, const char *method)
{
    struct receiver *receiver = connection->receiver;

    connection->started = true;
    connection->answer = ANSWER_NONE;
    connection->hand = HAND_NONE;
    connection->read_bytes = 0;
    atomic_fetch_add_explicit(&receiver->requests, 1, memory_order_relaxed);
    pthread_mutex_lock(&receiver->mutex);
    receiver->active++;
    pthread_mutex_unlock(&receiver->mutex);
    connection_expect(connection);
    decide(connection, url, method);
}

/* ---- the body ---- */

static void quarantine(struct connection *connection, const char *body, size_t length)
{
    struct receive_sink *sink = &connection->receiver->sink;

    sink->quarantine(sink->arg, body, length, connection->peer,
                     connection->reason != NULL ? connection->reason : answer_text(connection->answer));
}

static void parse(struct connection *connection, const char *body, size_t length)
{
    struct error error = { 0 };

    connection->received = clock_wall(connection->receiver->settings.clock);
    int code = okta_parse_hook(body, length, connection->received, &connection->batch, &error);
    if (code == 0)
        return;
    set_reason(connection, error.text);
    connection->answer = code == ERROR_NOMEM ? ANSWER_UNAVAILABLE : ANSWER_MALFORMED;
    if (code != ERROR_NOMEM)
        quarantine(connection, body, length);
}

/* At least `need` bytes of room, and no more than `most`. */
static bool body_reserve(struct connection *connection, size_t need, size_t most)
{
    size_t capacity = connection->capacity != 0 ? connection->capacity : BODY_BYTES_FIRST;

    if (need <= connection->capacity)
        return true;
    if (connection->capacity == 0 && connection->announced > 0)
        capacity = (size_t)connection->announced;
    while (capacity < need)
        capacity *= 2;
    capacity = capacity > most && need <= most ? most : capacity;
    char *body = realloc(connection->body, capacity);
    if (body == NULL)
        return false;
    connection->body = body;
    connection->capacity = capacity;
    return true;
}

/* As much of it as is kept of a refused body. */
static void keep_prefix(struct connection *connection, const char *upload, size_t bytes)
{
    size_t room = connection->length < KEEP_BYTES_MOST ? KEEP_BYTES_MOST - connection->length : 0;

    bytes = bytes < room ? bytes : room;
    if (!connection->keep || bytes == 0 || !body_reserve(connection, connection->length + bytes, KEEP_BYTES_MOST))
        return;
    memcpy(connection->body + connection->length, upload, bytes);
    connection->length += bytes;
}

static void body_add(struct connection *connection, const char *upload, size_t bytes)
{
    size_t most = (size_t)connection->receiver->settings.body_bytes_most;

    if (connection->length + bytes > most) {
        refuse_size(connection);
        connection->length = connection->length < KEEP_BYTES_MOST ? connection->length : KEEP_BYTES_MOST;
        keep_prefix(connection, upload, bytes);
        return;
    }
    if (!body_reserve(connection, connection->length + bytes, most)) {
        connection->answer = ANSWER_UNAVAILABLE;
        set_reason(connection, error_sentence(ERROR_NOMEM));
        return;
    }
    memcpy(connection->body + connection->length, upload, bytes);
    connection->length += bytes;
}

/* A body that came in one piece, as nearly all do, is parsed where it lies. */
static void body_piece(struct connection *connection, const char *upload, size_t bytes)
{
    bool whole = connection->read_bytes == 0 && (int64_t)bytes == connection->announced;

    connection->read_bytes += (int64_t)bytes;
    if (connection->answer != ANSWER_NONE)
        keep_prefix(connection, upload, bytes);
    else if (whole)
        parse(connection, upload, bytes);
    else
        body_add(connection, upload, bytes);
}

/* ---- handing over ---- */

/* Ends HAND_PENDING, unless somebody else did. True: resume the connection. */
static bool settle(struct connection *connection, enum answer answer, const char *reason)
{
    struct receiver *receiver = connection->receiver;

    pthread_mutex_lock(&receiver->mutex);
    bool mine = connection->hand == HAND_PENDING;
    if (mine) {
        connection->answer = answer;
        set_reason(connection, reason);
        connection->hand = HAND_DONE;
    }
    pthread_mutex_unlock(&receiver->mutex);
    return mine;
}

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    struct connection *connection = arg;
    const char *reason = code == 0 ? NULL : error != NULL && error->text[0] != '\0' ? error->text : error_sentence(code);

    (void)batch;
    (void)effects;
    if (settle(connection, code == 0 ? ANSWER_ACCEPTED : ANSWER_UNAVAILABLE, reason))
        MHD_resume_connection(connection->mhd);
    connection_unref(connection);
}

static void hand_over(struct connection *connection)
{
    struct receiver *receiver = connection->receiver;
    struct event_batch *batch = connection->batch;

    connection->batch = NULL;
    connection->in_flight = true;
    atomic_fetch_add(&connection->references, 1);
    connection_wait(connection);
    pthread_mutex_lock(&receiver->mutex);
    connection->hand = HAND_PENDING;
    receiver->in_flight++;
    pthread_mutex_unlock(&receiver->mutex);
    MHD_suspend_connection(connection->mhd);
    receiver->sink.take(receiver->sink.arg, batch, connection->received, taken, connection);
}

/* With a reference, as it may end at any moment; NULL: none is left. */
static struct connection *find_pending(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->mutex);
    struct connection *connection = receiver->connections;
    while (connection != NULL && connection->hand != HAND_PENDING)
        connection = connection->next;
    if (connection != NULL)
        atomic_fetch_add(&connection->references, 1);
    pthread_mutex_unlock(&receiver->mutex);
    return connection;
}

/* Whoever settles it, this or `taken`, resumes it. */
void request_abandon_all(struct receiver *receiver)
{
    struct connection *connection;

    while ((connection = find_pending(receiver)) != NULL) {
        if (settle(connection, ANSWER_UNAVAILABLE, "shutting down: the commit took too long"))
            MHD_resume_connection(connection->mhd);
        connection_unref(connection);
    }
}

/* ---- the answer ---- */

static enum MHD_Result answer(struct connection *connection)
{
    struct receiver *receiver = connection->receiver;
    bool verify = connection->answer == ANSWER_VERIFIED;
    struct MHD_Response *response = verify ? answer_verification(header(connection, CHALLENGE_HEADER)) : NULL;

    if (verify && response == NULL)
        connection->answer = ANSWER_UNAVAILABLE;
    if (connection->keep)
        quarantine(connection, connection->body, connection->length);
    int status = answer_status(connection->answer);
    const char *reason = status < 300 ? NULL : connection->reason != NULL ? connection->reason : answer_text(connection->answer);
    atomic_fetch_add_explicit(&receiver->counts[connection->answer], 1, memory_order_relaxed);
    if (connection->answer == ANSWER_ACCEPTED || connection->answer == ANSWER_VERIFIED)
        door_accepted(receiver);
    else if (connection->answer == ANSWER_UNAUTHORIZED)
        door_refused(receiver, false);
    if (receiver->sink.answered != NULL)
        receiver->sink.answered(receiver->sink.arg, status, connection->peer, reason);
    connection_expect(connection); /* the client shall read it, too */
    enum MHD_Result result = MHD_queue_response(connection->mhd, (unsigned)status,
                                                response != NULL ? response : receiver->answers.responses[connection->answer]);
    if (response != NULL)
        MHD_destroy_response(response);
    return result;
}

/* Reading on would take too long, or the client asks before it sends. */
static bool answer_at_once(struct connection *connection)
{
    if (connection->answer == ANSWER_NONE)
        return false;
    return connection->announced > DRAIN_BYTES_MOST || (connection->announced != 0 && header(connection, "Expect") != NULL);
}

/* All of the request is there. */
static enum MHD_Result request_complete(struct connection *connection)
{
    if (connection->hand == HAND_NONE && connection->answer == ANSWER_NONE) {
        if (connection->batch == NULL)
            parse(connection, connection->body != NULL ? connection->body : "", connection->length);
        if (connection->batch != NULL && connection->batch->count == 0)
            connection->answer = ANSWER_ACCEPTED; /* nothing to store */
        else if (connection->batch != NULL && atomic_load(&connection->receiver->stopping))
            connection->answer = ANSWER_UNAVAILABLE;
        else if (connection->batch != NULL) {
            hand_over(connection);
            return MHD_YES;
        }
    }
    return answer(connection);
}

enum MHD_Result request_handle(void *receiver, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                               const char *upload, size_t *upload_bytes, void **request)
{
    struct connection *connection = connection_of(mhd);

    (void)receiver;
    (void)version;
    if (connection == NULL)
        return MHD_NO;
    *request = connection;
    if (!connection->started) {
        request_begin(connection, url, method);
        return answer_at_once(connection) ? answer(connection) : MHD_YES;
    }
    if (*upload_bytes == 0)
        return request_complete(connection);
    body_piece(connection, upload, *upload_bytes);
    *upload_bytes = 0;
    /* no answer can be given in mid-body: the connection is cut */
    return connection->read_bytes > DRAIN_BYTES_MOST ? MHD_NO : MHD_YES;
}

void request_ended(void *receiver, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code)
{
    struct connection *connection = connection_of(mhd);
    struct receiver *of = receiver;

    (void)request;
    (void)code;
    if (connection == NULL || !connection->started)
        return;
    event_batch_free(connection->batch);
    free(connection->body);
    free(connection->reason);
    connection->batch = NULL;
    connection->body = connection->reason = NULL;
    connection->length = connection->capacity = 0;
    connection->started = connection->keep = false;
    connection_expect(connection);
    pthread_mutex_lock(&of->mutex);
    of->active--;
    of->in_flight -= connection->in_flight;
    connection->in_flight = false;
    connection->hand = HAND_NONE;
    if (atomic_load_explicit(&of->stopping, memory_order_relaxed))
        pthread_cond_broadcast(&of->changed);
    pthread_mutex_unlock(&of->mutex);
}
