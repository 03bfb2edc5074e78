/* receive.c: the endpoint over real sockets, with a sink of our own behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/str.h"
#include "receive/receive.h"

#define SECRET "s3cret-of-the-hook"
#define PATH "/okta/events"
#define BODY_MOST 65536
#define EVENT "{\"uuid\":\"u-1\",\"eventType\":\"user.lifecycle.create\",\"outcome\":{\"result\":\"SUCCESS\"}," \
    "\"target\":[{\"id\":\"00u1\",\"type\":\"User\",\"alternateId\":\"ann@example.com\"}]}"
#define HOOK "{\"eventId\":\"e-1\",\"data\":{\"events\":[" EVENT "]}}"
#define AWAIT_MS 10000

/* ---- a clock of our own ---- */

static _Atomic int64_t clock_ahead_us;

static struct wall ahead_wall(struct clock *clock)
{
    (void)clock;
    return clock_wall(clock_system());
}

static struct mono ahead_mono(struct clock *clock)
{
    (void)clock;
    return (struct mono){ clock_mono(clock_system()).us + atomic_load(&clock_ahead_us) };
}

static struct clock ahead_clock = { ahead_wall, ahead_mono };

/* ---- a sink of our own ---- */

struct held {
    store_taken *taken;
    void *arg;
    struct event_batch *batch;
    struct held *next;
};

static struct {
    pthread_mutex_t mutex;
    bool hold;
    int fail; /* an ERROR_ code for each take */
    struct held *held;
    int taken, events, held_count;
    int quarantined;
    char body[128], reason[256], peer[64];
    size_t body_length;
    int answered, last_status;
} sink = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void sink_take(void *arg, struct event_batch *batch, struct wall received, store_taken *taken, void *taken_arg)
{
    (void)arg;
    assert_true(received.us > 0);
    pthread_mutex_lock(&sink.mutex);
    sink.taken++;
    sink.events += (int)batch->count;
    int fail_code = sink.fail;
    bool hold = sink.hold;
    if (hold) {
        struct held *held = calloc(1, sizeof(*held));
        *held = (struct held){ taken, taken_arg, batch, sink.held };
        sink.held = held;
        sink.held_count++;
    }
    pthread_mutex_unlock(&sink.mutex);
    if (hold)
        return;
    struct error error = { 0 };
    if (fail_code < 0)
        error_set(&error, fail_code, "the disk is full");
    taken(taken_arg, fail_code, fail_code < 0 ? &error : NULL, batch, NULL);
    event_batch_free(batch);
}

static void sink_release(void)
{
    pthread_mutex_lock(&sink.mutex);
    struct held *held = sink.held;
    sink.held = NULL;
    sink.hold = false;
    sink.held_count = 0;
    pthread_mutex_unlock(&sink.mutex);
    while (held != NULL) {
        struct held *next = held->next;
        held->taken(held->arg, 0, NULL, held->batch, NULL);
        event_batch_free(held->batch);
        free(held);
        held = next;
    }
}

static void sink_quarantine(void *arg, const char *body, size_t length, const char *peer, const char *reason)
{
    (void)arg;
    pthread_mutex_lock(&sink.mutex);
    sink.quarantined++;
    sink.body_length = length;
    snprintf(sink.body, sizeof(sink.body), "%.*s", length < 100 ? (int)length : 100, length > 0 ? body : "");
    snprintf(sink.reason, sizeof(sink.reason), "%s", reason);
    snprintf(sink.peer, sizeof(sink.peer), "%s", peer);
    pthread_mutex_unlock(&sink.mutex);
}

static void sink_answered(void *arg, int status, const char *peer, const char *reason)
{
    (void)arg;
    assert_non_null(peer);
    assert_int_equal(reason == NULL, status < 300);
    if (reason != NULL)
        assert_null(strstr(reason, SECRET));
    pthread_mutex_lock(&sink.mutex);
    sink.answered++;
    sink.last_status = status;
    pthread_mutex_unlock(&sink.mutex);
}

static const struct receive_sink the_sink = { NULL, sink_take, sink_quarantine, sink_answered, NULL };

static int locked_read(const int *value)
{
    pthread_mutex_lock(&sink.mutex);
    int read = *value;
    pthread_mutex_unlock(&sink.mutex);
    return read;
}

/* Gives up the processor between looks; fails after AWAIT_MS. */
static void await_at_least(const int *value, int least)
{
    int64_t until_us = clock_mono(clock_system()).us + AWAIT_MS * 1000;

    while (locked_read(value) < least) {
        if (clock_mono(clock_system()).us > until_us)
            fail_msg("waited %d ms for %d, saw %d", AWAIT_MS, least, locked_read(value));
        poll(NULL, 0, 1);
    }
}

static void sink_reset(void)
{
    pthread_mutex_lock(&sink.mutex);
    sink.hold = false;
    sink.fail = sink.taken = sink.events = sink.quarantined = sink.answered = sink.last_status = sink.held_count = 0;
    sink.body[0] = sink.reason[0] = sink.peer[0] = '\0';
    pthread_mutex_unlock(&sink.mutex);
    atomic_store(&clock_ahead_us, 0);
}

static void sink_set(bool hold, int fail_code)
{
    pthread_mutex_lock(&sink.mutex);
    sink.hold = hold;
    sink.fail = fail_code;
    pthread_mutex_unlock(&sink.mutex);
}

/* ---- certificates ---- */

static char folder[] = "/tmp/test_receive.XXXXXX";
static char certificate_path[64], key_path[64], other_key_path[64];

static void write_file(const char *path, const gnutls_datum_t *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(fwrite(text->data, 1, text->size, file), text->size);
    fclose(file);
}

static gnutls_x509_privkey_t make_key(const char *path)
{
    gnutls_x509_privkey_t key;
    gnutls_datum_t text;

    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text), 0);
    write_file(path, &text);
    gnutls_free(text.data);
    return key;
}

static void make_certificate(gnutls_x509_privkey_t key)
{
    gnutls_x509_crt_t crt;
    gnutls_datum_t text;
    time_t now = time(NULL);
    unsigned char address[4] = { 127, 0, 0, 1 };

    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\1", 1);
    gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, sizeof(address), GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_activation_time(crt, now - 60);
    gnutls_x509_crt_set_expiration_time(crt, now + 3600);
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text), 0);
    write_file(certificate_path, &text);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(crt);
}

static int make_certificates(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(certificate_path, sizeof(certificate_path), "%s/tls.crt", folder);
    snprintf(key_path, sizeof(key_path), "%s/tls.key", folder);
    snprintf(other_key_path, sizeof(other_key_path), "%s/other.key", folder);
    gnutls_x509_privkey_t key = make_key(key_path);
    make_certificate(key);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_privkey_deinit(make_key(other_key_path));
    return curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? 0 : -1;
}

static int remove_certificates(void **state)
{
    (void)state;
    unlink(certificate_path);
    unlink(key_path);
    unlink(other_key_path);
    curl_global_cleanup();
    return rmdir(folder);
}

/* ---- the receiver under test ---- */

static struct receive_settings settings_for(bool tls)
{
    return (struct receive_settings){
        .address = "127.0.0.1", .path = PATH, .header = "Authorization", .secret = SECRET, .body_bytes_most = BODY_MOST,
        .connections_most = 4096, .timeout_us = 30000000, .threads = 2, .clock = &ahead_clock,
        .certificate = tls ? certificate_path : NULL, .key = tls ? key_path : NULL,
    };
}

static struct receiver *start_with(const struct receive_settings *settings)
{
    struct receiver *receiver = NULL;
    struct error error = { 0 };

    sink_reset();
    if (receive_start(settings, &the_sink, &receiver, &error) < 0)
        fail_msg("%s", error.text);
    assert_true(receive_port(receiver) > 0);
    return receiver;
}

static struct receiver *start(void)
{
    struct receive_settings settings = settings_for(false);

    return start_with(&settings);
}

static void stop(struct receiver *receiver)
{
    receive_stop(receiver, 5000000);
}

/* ---- a client that says exactly what it is told ---- */

static int dial(const struct receiver *receiver)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)receive_port(receiver)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail_msg("connect: %s", strerror(errno));
    return fd;
}

static void say(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0)
            fail_msg("send: %s", strerror(errno));
        bytes += n;
        length -= (size_t)n;
    }
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

struct reply {
    int status;
    char text[4096]; /* headers and body */
};

static bool reply_is_whole(const struct reply *reply)
{
    const char *end = strstr(reply->text, "\r\n\r\n"), *length = strcasestr(reply->text, "\r\nContent-Length: ");

    if (end == NULL)
        return false;
    return length == NULL || length > end || strlen(end + 4) >= strtoul(length + 18, NULL, 10);
}

/* Status 0: the connection ended without an answer. */
static struct reply hear(int fd)
{
    struct reply reply = { 0 };
    size_t length = 0;

    while (!reply_is_whole(&reply)) {
        struct pollfd polled = { fd, POLLIN, 0 };
        if (poll(&polled, 1, AWAIT_MS) != 1)
            fail_msg("no answer after %d ms: %s", AWAIT_MS, reply.text);
        ssize_t n = recv(fd, reply.text + length, sizeof(reply.text) - length - 1, 0);
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    sscanf(reply.text, "HTTP/1.1 %d", &reply.status);
    return reply;
}

static char *request_text(const char *extra, const char *body)
{
    return str_printf("POST " PATH " HTTP/1.1\r\nHost: x\r\nAuthorization: " SECRET "\r\nContent-Type: application/json\r\n%s"
                      "Content-Length: %zu\r\n\r\n%s", extra, strlen(body), body);
}

static void say_hook(int fd)
{
    char *text = request_text("", HOOK);

    say_text(fd, text);
    free(text);
}

static int post_once(const struct receiver *receiver)
{
    int fd = dial(receiver);

    say_hook(fd);
    int status = hear(fd).status;
    close(fd);
    return status;
}

static void assert_no_answer_yet(int fd)
{
    struct pollfd polled = { fd, POLLIN, 0 };

    assert_int_equal(poll(&polled, 1, 50), 0);
}

static void assert_ended(int fd)
{
    struct pollfd polled = { fd, POLLIN, 0 };
    char byte;

    assert_int_equal(poll(&polled, 1, AWAIT_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

/* ---- the table ---- */

#define JSON_TYPE "Content-Type: application/json"
#define SHOWN "Authorization: " SECRET

static const struct row {
    const char *what, *method, *path;
    const char *headers[4];
    const char *body;
    size_t fill; /* this many blanks behind the body */
    int status;
    const char *header, *text; /* of the answer */
    int taken, quarantined;
} rows[] = {
    { "verification", "GET", PATH, { SHOWN, "X-Okta-Verification-Challenge: abc123" }, NULL, 0, 200, "Content-Type: application/json",
      "{\"verification\":\"abc123\"}", 0, 0 },
    { "a challenge that JSON must escape", "GET", PATH, { SHOWN, "X-Okta-Verification-Challenge: a\"b\\c</x>" }, NULL, 0, 200, "",
      "{\"verification\":\"a\\\"b\\\\c</x>\"}", 0, 0 },
    { "verification without the secret", "GET", PATH, { "X-Okta-Verification-Challenge: abc123" }, NULL, 0, 401, "WWW-Authenticate: ",
      "secret", 0, 0 },
    { "verification with a wrong secret", "GET", PATH, { "Authorization: x", "X-Okta-Verification-Challenge: abc" }, NULL, 0, 401, "", "secret",
      0, 0 },
    { "GET without a challenge", "GET", PATH, { SHOWN }, NULL, 0, 400, "", "X-Okta-Verification-Challenge", 0, 0 },
    { "a challenge that is not UTF-8", "GET", PATH, { SHOWN, "X-Okta-Verification-Challenge: \xff\xfe" }, NULL, 0, 400, "", "UTF-8", 0, 0 },
    { "events", "POST", PATH, { SHOWN, JSON_TYPE }, HOOK, 0, 204, "", "", 1, 0 },
    { "events with parameters of the type", "POST", PATH, { SHOWN, "content-type: Application/JSON ; charset=utf-8" }, HOOK, 0, 204, "", "", 1, 0 },
    { "a query is no matter", "POST", PATH "?x=1", { SHOWN, JSON_TYPE }, HOOK, 0, 204, "", "", 1, 0 },
    { "no events", "POST", PATH, { SHOWN, JSON_TYPE }, "{\"data\":{\"events\":[]}}", 0, 204, "", "", 0, 0 },
    { "a body as large as allowed", "POST", PATH, { SHOWN, JSON_TYPE }, HOOK, BODY_MOST - sizeof(HOOK) + 1, 204, "", "", 1, 0 },
    { "no secret", "POST", PATH, { JSON_TYPE }, HOOK, 0, 401, "WWW-Authenticate: ", "secret", 0, 0 },
    { "an empty secret", "POST", PATH, { "Authorization;", JSON_TYPE }, HOOK, 0, 401, "", "secret", 0, 0 },
    { "a wrong secret", "POST", PATH, { "Authorization: s3cret-of-the-hooK", JSON_TYPE }, HOOK, 0, 401, "", "secret", 0, 0 },
    { "the secret's beginning", "POST", PATH, { "Authorization: s3cret", JSON_TYPE }, HOOK, 0, 401, "", "secret", 0, 0 },
    { "the secret twice over", "POST", PATH, { "Authorization: " SECRET SECRET, JSON_TYPE }, HOOK, 0, 401, "", "secret", 0, 0 },
    { "not JSON", "POST", PATH, { SHOWN, JSON_TYPE }, "hello", 0, 400, "", "not the body of an Okta Event Hook", 0, 1 },
    { "JSON, but no hook body", "POST", PATH, { SHOWN, JSON_TYPE }, "{}", 0, 400, "", "not the body of an Okta Event Hook", 0, 1 },
    { "not UTF-8", "POST", PATH, { SHOWN, JSON_TYPE }, "{\"a\":\"\xff\"}", 0, 400, "", "not the body", 0, 1 },
    { "an empty body", "POST", PATH, { SHOWN, JSON_TYPE }, "", 0, 400, "", "not the body of an Okta Event Hook", 0, 1 },
    { "one byte too many", "POST", PATH, { SHOWN, JSON_TYPE }, HOOK, BODY_MOST - sizeof(HOOK) + 2, 413, "", "larger than", 0, 1 },
    { "two megabytes, asking first", "POST", PATH, { SHOWN, JSON_TYPE, "Expect: 100-continue" }, HOOK, 2 << 20, 413, "", "larger than", 0, 1 },
    { "ten megabytes, not asking", "POST", PATH, { SHOWN, JSON_TYPE, "Expect:" }, HOOK, 10 << 20, 413, "", "larger than", 0, 1 },
    { "chunks, too many", "POST", PATH, { SHOWN, JSON_TYPE, "Transfer-Encoding: chunked", "Expect:" }, HOOK, BODY_MOST, 413, "", "larger than", 0, 1 },
    { "chunks", "POST", PATH, { SHOWN, JSON_TYPE, "Transfer-Encoding: chunked" }, HOOK, 5000, 204, "", "", 1, 0 },
    { "the wrong type", "POST", PATH, { SHOWN, "Content-Type: text/plain" }, HOOK, 0, 415, "Accept: application/json", "application/json", 0, 1 },
    { "a type that only begins so", "POST", PATH, { SHOWN, "Content-Type: application/jsonl" }, HOOK, 0, 415, "", "application/json", 0, 1 },
    { "no type", "POST", PATH, { SHOWN, "Content-Type:" }, HOOK, 0, 415, "", "application/json", 0, 1 },
    { "an encoded body", "POST", PATH, { SHOWN, JSON_TYPE, "Content-Encoding: gzip" }, HOOK, 0, 415, "", "not encoded", 0, 1 },
    { "another path", "POST", "/", { SHOWN, JSON_TYPE }, HOOK, 0, 404, "", "nothing here", 0, 0 },
    { "a path below", "GET", PATH "/x", { SHOWN }, NULL, 0, 404, "", "nothing here", 0, 0 },
    { "another path without the secret", "GET", "/etc/passwd", { NULL }, NULL, 0, 404, "", "nothing here", 0, 0 },
    { "PUT", "PUT", PATH, { SHOWN, JSON_TYPE }, HOOK, 0, 405, "Allow: GET, POST", "Use GET", 0, 0 },
    { "DELETE", "DELETE", PATH, { SHOWN }, NULL, 0, 405, "Allow: GET, POST", "Use GET", 0, 0 },
    { "HEAD", "HEAD", PATH, { SHOWN }, NULL, 0, 405, "Allow: GET, POST", "", 0, 0 },
    { "OPTIONS", "OPTIONS", PATH, { SHOWN }, NULL, 0, 405, "Allow: GET, POST", "Use GET", 0, 0 },
};

static size_t collect(char *bytes, size_t size, size_t count, void *arg)
{
    buf_add(arg, bytes, size * count);
    return size * count;
}

static char *filled_body(const struct row *row)
{
    struct buf buf = { 0 };

    buf_add_str(&buf, row->body);
    for (size_t i = 0; i < row->fill; i++)
        buf_add_char(&buf, ' ');
    return buf_take(&buf);
}

static void ask(CURL *curl, const struct row *row, const char *url)
{
    struct buf headers = { 0 }, text = { 0 };
    struct curl_slist *sent = NULL;
    char *body = row->body != NULL ? filled_body(row) : NULL;
    long status = 0;

    curl_easy_reset(curl);
    for (size_t i = 0; i < 4 && row->headers[i] != NULL; i++)
        sent = curl_slist_append(sent, row->headers[i]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificate_path);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, sent);
    curl_easy_setopt(curl, CURLOPT_NOBODY, (long)(strcmp(row->method, "HEAD") == 0));
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, row->method);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        fail_msg("%s: %s", row->what, curl_easy_strerror(code));
    if (status != row->status)
        fail_msg("%s: status %ld instead of %d: %s", row->what, status, row->status, text.bytes != NULL ? text.bytes : "");
    if (row->header != NULL && strcasestr(headers.bytes, row->header) == NULL)
        fail_msg("%s: no \"%s\" in %s", row->what, row->header, headers.bytes);
    if (*row->text == '\0' ? text.length != 0 : text.bytes == NULL || strstr(text.bytes, row->text) == NULL)
        fail_msg("%s: \"%s\" instead of \"%s\"", row->what, text.bytes != NULL ? text.bytes : "", row->text);
    curl_slist_free_all(sent);
    buf_free(&headers);
    buf_free(&text);
    free(body);
}

static void check_table(bool tls)
{
    struct receive_settings settings = settings_for(tls);
    struct receiver *receiver = start_with(&settings);
    CURL *curl = curl_easy_init();
    int taken = 0, quarantined = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *url = str_printf("%s://127.0.0.1:%d%s", tls ? "https" : "http", receive_port(receiver), rows[i].path);
        ask(curl, &rows[i], url);
        free(url);
        taken += rows[i].taken;
        quarantined += rows[i].quarantined;
        if (locked_read(&sink.taken) != taken || locked_read(&sink.quarantined) != quarantined)
            fail_msg("%s: %d taken, %d in quarantine; expected %d, %d", rows[i].what, locked_read(&sink.taken),
                     locked_read(&sink.quarantined), taken, quarantined);
        assert_int_equal(locked_read(&sink.answered), i + 1);
        assert_int_equal(locked_read(&sink.last_status), rows[i].status);
    }
    curl_easy_cleanup(curl);
    stop(receiver);
}

static void each_row_of_the_table_is_answered_over_http(void **state)
{
    (void)state;
    check_table(false);
}

static void each_row_of_the_table_is_answered_over_https(void **state)
{
    (void)state;
    check_table(true);
}

static void old_tls_versions_are_refused(void **state)
{
    struct receive_settings settings = settings_for(true);
    struct receiver *receiver = start_with(&settings);
    char *url = str_printf("https://127.0.0.1:%d" PATH, receive_port(receiver));
    CURL *curl = curl_easy_init();

    (void)state;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_1 | (long)CURL_SSLVERSION_MAX_TLSv1_1);
    assert_int_equal(curl_easy_perform(curl), CURLE_SSL_CONNECT_ERROR);
    curl_easy_cleanup(curl);
    free(url);
    stop(receiver);
}

static void each_answer_is_counted(void **state)
{
    struct receiver *receiver = start();
    static const char *const requests[] = {
        "GET " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\nX-Okta-Verification-Challenge: c\r\n\r\n",
        "GET " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\n\r\n",
        "GET " PATH " HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT " PATH " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\nContent-Length: 2\r\n\r\n{}",
        "POST " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\n" JSON_TYPE "\r\nContent-Length: 2\r\n\r\n{}",
    };
    struct receive_counts counts;
    int fd = dial(receiver);

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) { /* all on one connection */
        say_text(fd, requests[i]);
        assert_true(hear(fd).status > 0);
    }
    say_hook(fd);
    assert_int_equal(hear(fd).status, 204);
    sink_set(false, ERROR_IO);
    say_hook(fd);
    assert_int_equal(hear(fd).status, 503);
    close(fd);
    receive_read_counts(receiver, &counts);
    struct receive_counts expected = { .requests = 9, .verified = 1, .accepted = 1, .unauthorized = 1, .malformed = 2, .wrong_type = 1,
                                       .unavailable = 1, .not_found = 1, .wrong_method = 1,
                                       .last_accepted = counts.last_accepted, .last_refused = counts.last_refused };
    assert_true(counts.last_refused.us > 0 && counts.last_accepted.us >= counts.last_refused.us);
    assert_memory_equal(&counts, &expected, sizeof(counts));
    stop(receiver);
}

/* ---- verification ---- */

static void a_challenge_longer_than_a_kilobyte_is_refused(void **state)
{
    struct receiver *receiver = start();
    char challenge[1026];

    (void)state;
    for (size_t length = 1024; length <= 1025; length++) {
        memset(challenge, 'x', length);
        challenge[length] = '\0';
        char *text = str_printf("GET " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\nX-Okta-Verification-Challenge: %s\r\n\r\n", challenge);
        int fd = dial(receiver);
        say_text(fd, text);
        struct reply reply = hear(fd);
        assert_int_equal(reply.status, length == 1024 ? 200 : 400);
        assert_true((strstr(reply.text, challenge) != NULL) == (length == 1024));
        close(fd);
        free(text);
    }
    stop(receiver);
}

/* ---- secrets ---- */

static int status_with(const struct receiver *receiver, const char *secret)
{
    char *text = str_printf("GET " PATH " HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nX-Okta-Verification-Challenge: c\r\n\r\n", secret);
    int fd = dial(receiver);

    say_text(fd, text);
    int status = hear(fd).status;
    close(fd);
    free(text);
    return status;
}

static void two_secrets_are_good_while_they_are_rotated(void **state)
{
    struct receiver *receiver = start();

    (void)state;
    assert_int_equal(status_with(receiver, SECRET), 200);
    assert_int_equal(status_with(receiver, "new"), 401);
    assert_int_equal(receive_set_secrets(receiver, "new", SECRET), 0);
    assert_int_equal(status_with(receiver, SECRET), 200);
    assert_int_equal(status_with(receiver, "new"), 200);
    assert_int_equal(receive_set_secrets(receiver, "new", ""), 0);
    assert_int_equal(status_with(receiver, SECRET), 401);
    assert_int_equal(status_with(receiver, "new"), 200);
    assert_int_equal(receive_set_secrets(receiver, "", NULL), ERROR_INVALID);
    assert_int_equal(status_with(receiver, "new"), 200);
    stop(receiver);
}

static void the_secret_may_come_in_another_header(void **state)
{
    struct receive_settings settings = settings_for(false);

    (void)state;
    settings.header = "X-Hook-Secret";
    struct receiver *receiver = start_with(&settings);
    int fd = dial(receiver);
    assert_int_equal(status_with(receiver, SECRET), 401); /* in Authorization */
    say_text(fd, "GET " PATH " HTTP/1.1\r\nHost: x\r\nx-hook-secret: " SECRET "\r\nX-Okta-Verification-Challenge: c\r\n\r\n");
    assert_int_equal(hear(fd).status, 200);
    close(fd);
    stop(receiver);
}

/* ---- bodies ---- */

static void a_body_in_single_bytes_arrives_whole(void **state)
{
    struct receiver *receiver = start();
    char *text = request_text("", HOOK);
    int fd = dial(receiver);

    (void)state;
    for (const char *at = text; *at != '\0'; at++)
        say(fd, at, 1);
    assert_int_equal(hear(fd).status, 204);
    assert_int_equal(locked_read(&sink.events), 1);
    close(fd);
    free(text);
    stop(receiver);
}

static void a_refused_body_is_kept_with_its_peer_and_the_reason(void **state)
{
    struct receiver *receiver = start();
    char *text = request_text("", "{\"data\":oops}");
    int fd = dial(receiver);

    (void)state;
    say_text(fd, text);
    assert_int_equal(hear(fd).status, 400);
    assert_string_equal(sink.body, "{\"data\":oops}");
    assert_string_equal(sink.reason, "the body is not JSON: at byte 8, a value was expected");
    assert_string_equal(sink.peer, "127.0.0.1");
    close(fd);
    free(text);
    stop(receiver);
}

static void of_a_body_too_big_the_beginning_is_kept(void **state)
{
    struct receiver *receiver = start();
    char *body = malloc(300001);
    int fd = dial(receiver);

    (void)state;
    memset(body, 'a', 300000);
    body[300000] = '\0';
    char *text = request_text("", body);
    say_text(fd, text);
    assert_int_equal(hear(fd).status, 413);
    assert_int_equal(sink.body_length, 65536);
    assert_string_equal(sink.reason, "the body has 300000 bytes, the limit is 65536");
    say_hook(fd); /* the connection is as good as before */
    assert_int_equal(hear(fd).status, 204);
    close(fd);
    free(text);
    free(body);
    stop(receiver);
}

static void a_body_of_a_gigabyte_is_answered_at_once(void **state)
{
    struct receiver *receiver = start();
    int fd = dial(receiver);

    (void)state;
    say_text(fd, "POST " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\n" JSON_TYPE "\r\nContent-Length: 1073741824\r\n\r\n{");
    assert_int_equal(hear(fd).status, 413);
    close(fd);
    stop(receiver);
}

static void nothing_of_a_body_is_kept_without_the_secret(void **state)
{
    struct receiver *receiver = start();
    int fd = dial(receiver);

    (void)state;
    say_text(fd, "POST " PATH " HTTP/1.1\r\nHost: x\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(hear(fd).status, 401);
    assert_int_equal(locked_read(&sink.quarantined), 0);
    close(fd);
    stop(receiver);
}

/* ---- the commit ---- */

static void the_answer_waits_for_the_commit(void **state)
{
    struct receiver *receiver = start();
    int fd = dial(receiver);

    (void)state;
    sink_set(true, 0);
    say_hook(fd);
    await_at_least(&sink.held_count, 1);
    assert_no_answer_yet(fd);
    sink_release();
    assert_int_equal(hear(fd).status, 204);
    close(fd);
    stop(receiver);
}

static void a_store_that_fails_is_503_and_recovers(void **state)
{
    static const int codes[] = { ERROR_FULL, ERROR_READONLY, ERROR_BUSY, ERROR_CORRUPT, ERROR_IO, ERROR_CLOSED };
    struct receiver *receiver = start();
    int fd = dial(receiver);

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        sink_set(false, codes[i]);
        say_hook(fd);
        struct reply reply = hear(fd);
        assert_int_equal(reply.status, 503);
        assert_non_null(strstr(reply.text, "Retry-After: 5\r\n"));
    }
    sink_set(false, 0);
    say_hook(fd);
    assert_int_equal(hear(fd).status, 204);
    close(fd);
    stop(receiver);
}

static void a_client_that_leaves_before_the_commit_harms_nobody(void **state)
{
    struct receiver *receiver = start();

    (void)state;
    sink_set(true, 0);
    for (int i = 0; i < 10; i++) {
        int fd = dial(receiver);
        say_hook(fd);
        await_at_least(&sink.held_count, i + 1);
        close(fd);
    }
    sink_release();
    assert_int_equal(post_once(receiver), 204);
    stop(receiver);
}

static void four_hundred_requests_ride_one_commit(void **state)
{
    enum { COUNT = 400 };
    struct receiver *receiver = start();
    int fds[COUNT];

    (void)state;
    sink_set(true, 0);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = dial(receiver);
        say_hook(fds[i]);
    }
    await_at_least(&sink.held_count, COUNT); /* none blocks a thread */
    sink_release();
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(hear(fds[i]).status, 204);
        close(fds[i]);
    }
    stop(receiver);
}

/* ---- slow ones ---- */

static struct receiver *start_impatient(void)
{
    struct receive_settings settings = settings_for(false);

    settings.timeout_us = 400000;
    return start_with(&settings);
}

/* A byte now and then, each within the time-out: the whole must not be. */
static void trickle_until_cut(int fd, const char *text)
{
    int64_t until_us = clock_mono(clock_system()).us + AWAIT_MS * 1000;

    for (;;) {
        struct pollfd polled = { fd, POLLIN, 0 };
        if (poll(&polled, 1, 20) == 1)
            break;
        if (clock_mono(clock_system()).us > until_us)
            fail_msg("a trickling client was still served after %d ms", AWAIT_MS);
        if (send(fd, *text != '\0' ? text++ : "x", 1, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
}

static void a_client_that_trickles_its_headers_is_cut(void **state)
{
    struct receiver *receiver = start_impatient();

    (void)state;
    trickle_until_cut(dial(receiver), "GET " PATH " HTTP/1.1\r\nX-Long: ");
    stop(receiver);
}

static void a_client_that_trickles_its_body_is_cut(void **state)
{
    struct receiver *receiver = start_impatient();
    int fd = dial(receiver);

    (void)state;
    say_text(fd, "POST " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\n" JSON_TYPE "\r\nContent-Length: 9999\r\n\r\n");
    trickle_until_cut(fd, "{\"data\":");
    assert_int_equal(post_once(receiver), 204);
    assert_int_equal(locked_read(&sink.taken), 1);
    stop(receiver);
}

static void an_idle_connection_ends_and_one_that_waits_for_the_commit_does_not(void **state)
{
    struct receiver *receiver = start();
    int idle = dial(receiver), waiting = dial(receiver), served = dial(receiver);

    (void)state;
    say_hook(served);
    assert_int_equal(hear(served).status, 204);
    sink_set(true, 0);
    say_hook(waiting);
    await_at_least(&sink.held_count, 1);
    atomic_store(&clock_ahead_us, 3600LL * 1000000);
    assert_ended(idle);
    assert_ended(served);
    assert_no_answer_yet(waiting);
    sink_release();
    assert_int_equal(hear(waiting).status, 204);
    close(idle);
    close(served);
    close(waiting);
    stop(receiver);
}

static void two_thousand_connections_and_a_stalled_one_stop_nobody(void **state)
{
    enum { COUNT = 2000 };
    static int fds[COUNT];
    struct rlimit limit;
    struct receive_settings settings = settings_for(false);

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 2 * COUNT + 400)
        fail_msg("only %lu open files are allowed, %d are needed (ulimit -Hn)", (unsigned long)limit.rlim_cur, 2 * COUNT + 400);
    struct receiver *receiver = start_with(&settings);
    int stalled = dial(receiver);
    say_text(stalled, "POST " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\n" JSON_TYPE "\r\nContent-Length: 100\r\n\r\n{\"d");
    for (int i = 0; i < COUNT; i++)
        fds[i] = dial(receiver);
    int64_t begun_us = clock_mono(clock_system()).us;
    assert_int_equal(post_once(receiver), 204);
    assert_true(clock_mono(clock_system()).us - begun_us < 3000000); /* Okta's patience */
    for (int i = 0; i < COUNT; i++) /* and each of them is served */
        say_hook(fds[i]);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(hear(fds[i]).status, 204);
        close(fds[i]);
    }
    close(stalled);
    stop(receiver);
}

static void at_the_limit_of_connections_new_ones_wait_until_one_ends(void **state)
{
    struct receive_settings settings = settings_for(false);
    int fds[4];

    (void)state;
    settings.threads = 1;
    settings.connections_most = 4;
    struct receiver *receiver = start_with(&settings);
    for (int i = 0; i < 4; i++) {
        fds[i] = dial(receiver);
        say_hook(fds[i]);
        assert_int_equal(hear(fds[i]).status, 204);
    }
    int fifth = dial(receiver);
    say_hook(fifth);
    assert_no_answer_yet(fifth);
    close(fds[0]);
    assert_int_equal(hear(fifth).status, 204);
    for (int i = 1; i < 4; i++)
        close(fds[i]);
    close(fifth);
    stop(receiver);
}

/* ---- stopping ---- */

static void *stop_run(void *arg)
{
    stop(arg);
    return NULL;
}

static void a_stop_waits_for_the_commit_and_refuses_what_is_new(void **state)
{
    struct receiver *receiver = start();
    int waiting = dial(receiver), late = dial(receiver);
    pthread_t thread;
    int status;

    (void)state;
    say_hook(late);
    assert_int_equal(hear(late).status, 204); /* so that it is accepted, and kept alive */
    sink_set(true, 0);
    say_hook(waiting);
    await_at_least(&sink.held_count, 1);
    assert_int_equal(pthread_create(&thread, NULL, stop_run, receiver), 0);
    do { /* until the stop has begun */
        char *text = request_text("", "{}");
        say_text(late, text);
        status = hear(late).status;
        free(text);
    } while (status == 400);
    assert_int_equal(status, 503);
    assert_no_answer_yet(waiting);
    sink_release();
    assert_int_equal(hear(waiting).status, 204);
    pthread_join(thread, NULL);
    close(waiting);
    close(late);
}

static void a_commit_that_never_comes_does_not_hold_up_the_stop(void **state)
{
    struct receiver *receiver = start();
    int fd = dial(receiver);

    (void)state;
    sink_set(true, 0);
    say_hook(fd);
    await_at_least(&sink.held_count, 1);
    receive_stop(receiver, 100000);
    assert_int_equal(hear(fd).status, 503);
    sink_release(); /* late, and harmless */
    close(fd);
}

static void a_client_in_mid_request_does_not_hold_up_the_stop(void **state)
{
    struct receiver *receiver = start();
    int fd = dial(receiver);

    (void)state;
    say_text(fd, "POST " PATH " HTTP/1.1\r\nHost: x\r\n" SHOWN "\r\n" JSON_TYPE "\r\nContent-Length: 100\r\n\r\n{\"d");
    assert_int_equal(post_once(receiver), 204);
    int64_t begun_us = clock_mono(clock_system()).us;
    receive_stop(receiver, 60000000);
    assert_true(clock_mono(clock_system()).us - begun_us < 10000000);
    assert_ended(fd);
    close(fd);
}

/* ---- starting ---- */

static void assert_refused(const struct receive_settings *settings, int code, const char *text)
{
    struct receiver *receiver = NULL;
    struct error error = { 0 };

    assert_int_equal(receive_start(settings, &the_sink, &receiver, &error), code);
    assert_null(receiver);
    if (strstr(error.text, text) == NULL)
        fail_msg("no \"%s\" in: %s", text, error.text);
}

static void what_cannot_be_started_says_what_would_be_right(void **state)
{
    struct receive_settings plain = settings_for(false), tls = settings_for(true), settings;
    struct receiver *receiver = start();

    (void)state;
    settings = plain;
    settings.port = receive_port(receiver);
    assert_refused(&settings, error_from_errno(EADDRINUSE), "another program holds it");
    settings = plain;
    settings.address = "0.0.0.0";
    assert_refused(&settings, ERROR_INVALID, "without a certificate");
    settings.address = "localhost";
    assert_refused(&settings, ERROR_INVALID, "this is no IP address");
    settings = tls;
    settings.address = "192.0.2.1";
    assert_refused(&settings, error_from_errno(EADDRNOTAVAIL), "no such address");
    settings = plain;
    settings.secret = "";
    assert_refused(&settings, ERROR_INVALID, "no secret");
    settings = tls;
    settings.certificate = "/nowhere/tls.crt";
    assert_refused(&settings, error_from_errno(ENOENT), "/nowhere/tls.crt");
    settings = tls;
    settings.key = other_key_path;
    assert_refused(&settings, ERROR_INVALID, "does not belong to the certificate");
    settings.key = certificate_path;
    assert_refused(&settings, ERROR_INVALID, "no private key in PEM form");
    stop(receiver);
}

static void a_key_that_others_can_read_is_refused(void **state)
{
    struct receive_settings tls = settings_for(true);

    (void)state;
    assert_int_equal(chmod(key_path, 0644), 0);
    assert_refused(&tls, ERROR_DENIED, "others can read");
    assert_int_equal(chmod(key_path, 0600), 0);
}

static void ipv6_is_served_too(void **state)
{
    struct receive_settings settings = settings_for(false);
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        print_message("# SKIP ipv6_is_served_too: this machine has no ::1\n");
        close(fd);
        return;
    }
    close(fd);
    settings.address = "::1";
    struct receiver *receiver = start_with(&settings);
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin6_port = htons((uint16_t)receive_port(receiver));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    say_hook(fd);
    assert_int_equal(hear(fd).status, 204);
    close(fd);
    stop(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_the_table_is_answered_over_http),
        cmocka_unit_test(each_row_of_the_table_is_answered_over_https),
        cmocka_unit_test(old_tls_versions_are_refused),
        cmocka_unit_test(each_answer_is_counted),
        cmocka_unit_test(a_challenge_longer_than_a_kilobyte_is_refused),
        cmocka_unit_test(two_secrets_are_good_while_they_are_rotated),
        cmocka_unit_test(the_secret_may_come_in_another_header),
        cmocka_unit_test(a_body_in_single_bytes_arrives_whole),
        cmocka_unit_test(a_refused_body_is_kept_with_its_peer_and_the_reason),
        cmocka_unit_test(of_a_body_too_big_the_beginning_is_kept),
        cmocka_unit_test(a_body_of_a_gigabyte_is_answered_at_once),
        cmocka_unit_test(nothing_of_a_body_is_kept_without_the_secret),
        cmocka_unit_test(the_answer_waits_for_the_commit),
        cmocka_unit_test(a_store_that_fails_is_503_and_recovers),
        cmocka_unit_test(a_client_that_leaves_before_the_commit_harms_nobody),
        cmocka_unit_test(four_hundred_requests_ride_one_commit),
        cmocka_unit_test(a_client_that_trickles_its_headers_is_cut),
        cmocka_unit_test(a_client_that_trickles_its_body_is_cut),
        cmocka_unit_test(an_idle_connection_ends_and_one_that_waits_for_the_commit_does_not),
        cmocka_unit_test(two_thousand_connections_and_a_stalled_one_stop_nobody),
        cmocka_unit_test(at_the_limit_of_connections_new_ones_wait_until_one_ends),
        cmocka_unit_test(a_stop_waits_for_the_commit_and_refuses_what_is_new),
        cmocka_unit_test(a_commit_that_never_comes_does_not_hold_up_the_stop),
        cmocka_unit_test(a_client_in_mid_request_does_not_hold_up_the_stop),
        cmocka_unit_test(what_cannot_be_started_says_what_would_be_right),
        cmocka_unit_test(a_key_that_others_can_read_is_refused),
        cmocka_unit_test(ipv6_is_served_too),
    };

    return cmocka_run_group_tests_name("receive", tests, make_certificates, remove_certificates);
}
