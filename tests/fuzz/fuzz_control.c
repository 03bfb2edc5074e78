/*
 * fuzz_control: any request, and any bytes, on the control socket. The agent
 * behind it has a real store with a few people. Nothing crashes; each request
 * that is HTTP gets an answer of the table in control.h, whose body is JSON.
 *
 * The input: "METHOD TARGET" in one line, which is made a request of; or, with
 * "!" as the first byte, what is sent as it is.
 */
#include "tests/fuzz/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "control/control.h"
#include "source/okta.h"
#include "tests/fuzz/scratch.h"

#define REQUEST_BYTES_MOST 8000
#define ANSWER_SECONDS_MOST 10

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_control: %s\n", what);
    abort();
}

/* ---- an agent of which only the control socket is real, and its store ---- */

static const char hook_body[] =
    "{\"eventId\":\"e1\",\"data\":{\"events\":["
    "{\"uuid\":\"u-1\",\"published\":\"2026-01-01T00:00:00Z\",\"eventType\":\"user.lifecycle.create\",\"outcome\":{\"result\":\"SUCCESS\"},"
    "\"target\":[{\"id\":\"00u1\",\"type\":\"User\",\"alternateId\":\"ann@example.com\",\"displayName\":\"Ann\"}]},"
    "{\"uuid\":\"u-2\",\"published\":\"2026-01-01T00:00:01Z\",\"eventType\":\"group.user_membership.add\",\"outcome\":{\"result\":"
    "\"SUCCESS\"},\"target\":[{\"id\":\"00u1\",\"type\":\"User\",\"alternateId\":\"ann@example.com\",\"displayName\":\"Ann\"},"
    "{\"id\":\"00g1\",\"type\":\"UserGroup\",\"alternateId\":\"unknown\",\"displayName\":\"Sales\"}]}]}}";

static struct store *store;
static char *socket_path;

static json_t *status(void *arg)
{
    (void)arg;
    return json_pack("{s:s}", "state", "running");
}

static int hold(void *arg, const char *target, bool held, struct error *error)
{
    (void)arg;
    return store_hold(store, target, held, error);
}

static int waiting(void *arg, const char *target, bool leavers, size_t most, json_t **ret_array, struct error *error)
{
    (void)arg;
    return store_list_waiting(store, target != NULL ? target : "corp", leavers ? WAITING_LEAVERS : WAITING_ALL, most, ret_array,
                              error);
}

static int find_target(void *arg, const char *target, enum control_target *ret_found, struct error *error)
{
    (void)arg;
    (void)error;
    *ret_found = strcmp(target, "corp") == 0 ? CONTROL_TARGET_HERE : strcmp(target, "gone") == 0 ? CONTROL_TARGET_GONE : CONTROL_TARGET_UNKNOWN;
    return 0;
}

static void wake(void *arg, const char *target)
{
    (void)arg;
    (void)target;
}

static int reload(void *arg, json_t **ret_warnings, struct error *error)
{
    (void)arg;
    (void)ret_warnings;
    return error_set(error, ERROR_SYNTAX, "provost.conf:1: there is none");
}

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    (void)arg;
    (void)error;
    (void)batch;
    (void)effects;
    demand(code == 0, "the store does not take events");
}

static void is_dead(void *arg, int code, const struct error *error)
{
    demand(code == 0, error != NULL ? error->text : "?");
    lease_clear(arg);
}

/* The lanes of the two events, dead: something to list, to retry and to drop. */
static void make_lanes(void)
{
    const struct route routes[] = { { "corp", IDENTITY_USER, ~0u, TRIGGERS_ALL }, { "corp", IDENTITY_GROUP, ~0u, 0 } };
    struct event_batch *batch = NULL;
    struct error error = { 0 };
    const struct lease_wish wish = { .target = "corp", .most = { [PRIORITY_LEAVER] = 2, [PRIORITY_EVENT] = 2 }, .lease_us = INT64_C(60000000) };
    static struct lease leases[4]; /* until each is dead */
    struct wall next;

    demand(store_set_routes(store, routes, 2) == 0, "no routes");
    demand(okta_parse_hook(hook_body, strlen(hook_body), (struct wall){ 1 }, &batch, &error) == 0, error.text);
    store_take(store, batch, (struct wall){ 1 }, taken, NULL);
    store_quarantine(store, "\xff{", 2, "192.0.2.1", "no JSON");
    demand(store_hold(store, "corp", false, &error) == 0, error.text); /* behind both in the queue */
    int count = store_lease(store, &wish, leases, &next, &error);
    demand(count > 0, "no lanes");
    for (int i = 0; i < count; i++) {
        const struct completion dead = { .lease = &leases[i], .end = LANE_DEAD, .outcome = "rejected", .action = "create", .reason = "r" };
        store_complete(store, &dead, is_dead, &leases[i]);
    }
}

static struct control *control;

static void stop(void)
{
    control_stop(control);
    store_close(store);
    free(socket_path);
}

static void start(void)
{
    cleanup_free char *path = str_printf("%s/store.db", scratch());
    struct store_settings settings = { .path = path, .owner = "fuzz", .keep_us = INT64_C(1) << 50, .keep_keys_us = INT64_C(1) << 50,
                                       .quarantine_most = 3, .clock = clock_system() };
    struct error error = { 0 };

    socket_path = str_printf("%s/control.sock", scratch());
    demand(store_open(&settings, &store, &error) == 0, error.text);
    make_lanes();
    const struct control_settings controls = { .socket = socket_path, .store = store, .status = status, .waiting = waiting,
                                              .hold = hold,
                                               .find_target = find_target, .wake = wake, .reload = reload };
    demand(control_start(&controls, &control, &error) == 0, error.text);
    atexit(stop);
}

/* ---- requests ---- */

static int connected(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval bound = { .tv_sec = ANSWER_SECONDS_MOST };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
    demand(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0, "nobody listens any more");
    return fd;
}

/* All that is answered until the other side ends. */
static void exchange(const char *bytes, size_t length, struct buf *answer)
{
    cleanup_close int fd = connected();
    char piece[65536];
    ssize_t got = 0;

    for (size_t sent = 0; sent < length && ((got = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL)) > 0 || errno == EINTR);)
        sent += got > 0 ? (size_t)got : 0;
    shutdown(fd, SHUT_WR);
    while ((got = recv(fd, piece, sizeof(piece), 0)) > 0 || (got < 0 && errno == EINTR)) /* libFuzzer's own alarm */
        buf_add(answer, piece, got > 0 ? (size_t)got : 0);
    demand(got == 0 || errno == ECONNRESET, "no answer and no end");
}

/* One line becomes a request that cannot be misunderstood. */
static void request_make(const uint8_t *data, size_t size, struct buf *request)
{
    size_t blank = 0;

    while (blank < size && data[blank] >= 'A' && data[blank] <= 'Z')
        blank++;
    buf_add(request, data, blank);
    buf_add_str(request, blank > 0 ? " /" : "GET /");
    for (size_t i = blank + 1; i < size && request->length < REQUEST_BYTES_MOST; i++) {
        if (data[i] > ' ' && data[i] < 0x7f && (i != blank + 1 || data[i] != '/'))
            buf_add_char(request, (char)data[i]);
        else if (i != blank + 1 || data[i] != '/')
            buf_printf(request, "%%%02X", data[i]);
    }
    buf_add_str(request, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

static void check_answer(const struct buf *answer, bool head)
{
    static const int known[] = { 200, 400, 404, 405, 409, 503 };
    const char *body = answer->length > 0 ? strstr(answer->bytes, "\r\n\r\n") : NULL;
    int code = 0;
    bool listed = false;

    demand(body != NULL && sscanf(answer->bytes, "HTTP/1.1 %d ", &code) == 1, "a request without an answer");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        listed = listed || known[i] == code;
    demand(listed, "an answer that control.h does not know");
    json_t *json = json_loads(body + 4, 0, NULL);
    demand(head || json != NULL, "an answer that is not JSON");
    demand(head || code == 200 || json_string_length(json_object_get(json, "error")) > 0, "an error without a sentence");
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_buf struct buf answer = { 0 }, request = { 0 };

    if (control == NULL)
        start();
    if (size > 0 && data[0] == '!') {
        exchange((const char *)data + 1, size - 1, &answer);
        demand(answer.length == 0 || str_starts(answer.bytes, "HTTP/1."), "an answer that is not HTTP");
        return 0;
    }
    request_make(data, size, &request);
    exchange(request.bytes, request.length, &answer);
    check_answer(&answer, str_starts(request.bytes, "HEAD "));
    return 0;
}

REPLAY_MAIN("control")
