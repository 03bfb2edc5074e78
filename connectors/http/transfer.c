#include "connectors/http/transfer.h"

#include <pthread.h>
#include <strings.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/str.h"
#include "connectors/http/diagnose.h"
#include "connectors/http/failure.h"

#define HEADERS_BYTES_MOST (256 * 1024)

/* ---- the library ---- */

static CURLcode start_code;

static void start_library(void)
{
    start_code = curl_global_init(CURL_GLOBAL_ALL);
}

/* Counted by libcurl, and never undone: others in this process may use it. */
int transfer_start(struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, start_library);
    return start_code == CURLE_OK ? 0 : error_set(error, ERROR_NOMEM, "libcurl cannot start: %s", curl_easy_strerror(start_code));
}

/* ---- headers to send ---- */

bool transfer_add_header(struct curl_slist **list, const char *name, const char *value)
{
    char *line = *value != '\0' ? str_printf("%s: %s", name, value) : str_printf("%s;", name);
    struct curl_slist *longer = line != NULL ? curl_slist_append(*list, line) : NULL;

    secret_free(line);
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

void transfer_free_headers(struct curl_slist *list)
{
    for (struct curl_slist *entry = list; entry != NULL; entry = entry->next)
        explicit_bzero(entry->data, strlen(entry->data));
    curl_slist_free_all(list);
}

/* ---- what comes in ---- */

/* The headers that are kept, in lower case. Those of a quota stand in the order of struct patience_headers. */
enum header { HEADER_CONTENT_TYPE, HEADER_ETAG, HEADER_LINK, HEADER_LOCATION, HEADER_RETRY_AFTER, HEADER_DATE, HEADER_REMAINING,
              HEADER_RESET = HEADER_REMAINING + QUOTA_KINDS, HEADER_COUNT = HEADER_RESET + QUOTA_KINDS };
static const char *const header_names[HEADER_COUNT] = {
    "content-type", "etag", "link", "location", "retry-after", "date",
    "x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining",
    "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset",
};

struct transfer {
    CURL *curl;
    const struct http_settings *settings;
    const struct transfer_request *request;
    struct buf body;
    size_t header_bytes;
    bool too_big;
    int begun;        /* how often the request was begun to be sent */
    bool handshaking; /* the connection stands, TLS had begun */
    char *headers[HEADER_COUNT]; /* NULL: it did not come */
    char detail[CURL_ERROR_SIZE];
};

/* Also where a new answer begins: what an interim one (1xx) said does not count. */
static void forget_headers(struct transfer *transfer)
{
    for (size_t i = 0; i < HEADER_COUNT; i++) {
        free(transfer->headers[i]);
        transfer->headers[i] = NULL;
    }
}

static void transfer_clear(struct transfer *transfer)
{
    buf_free(&transfer->body);
    forget_headers(transfer);
}

/* libcurl sends again by itself when a kept connection dies: only what may be sent twice. */
static int on_begin(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct transfer *transfer = arg;

    (void)ip, (void)local_ip, (void)port, (void)local_port;
    transfer->begun++;
    return transfer->begun == 1 || transfer->request->repeatable ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* Nothing is changed of the TLS context: libcurl tells by no other sign that the connection stood already. */
static CURLcode on_handshake(CURL *curl, void *context, void *arg)
{
    struct transfer *transfer = arg;

    (void)curl, (void)context;
    transfer->handshaking = true;
    return CURLE_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t length = size * count;

    if (transfer->body.length + length > (size_t)transfer->settings->answer_bytes_most) {
        transfer->too_big = true;
        return CURL_WRITEFUNC_PAUSE + 1; /* any other number than `length` */
    }
    buf_add(&transfer->body, bytes, length);
    return transfer->body.failed ? 0 : length;
}

/* HEADER_COUNT: one that is not kept. */
static size_t find_header(const char *name, size_t length)
{
    size_t header = 0;

    while (header < HEADER_COUNT &&
           (strlen(header_names[header]) != length || strncasecmp(header_names[header], name, length) != 0))
        header++;
    return header;
}

/* A header that comes twice is a list (RFC 9110 §5.3); of the others the last one counts. */
static void take_header(struct transfer *transfer, size_t header, const char *value, size_t length)
{
    char **place = &transfer->headers[header];
    char *joined = header == HEADER_LINK && *place != NULL ? str_printf("%s, %.*s", *place, (int)length, value)
                                                           : strndup(value, length);
    free(*place);
    *place = joined;
}

/* What may have changed something there, should we die now. */
static bool may_change(const struct transfer_request *request)
{
    return strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t length = size * count, end = length;
    const char *colon = memchr(bytes, ':', length);

    transfer->header_bytes += length;
    if (transfer->header_bytes > HEADERS_BYTES_MOST) {
        transfer->too_big = true;
        return 0;
    }
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        forget_headers(transfer);
        if (may_change(transfer->request))
            fault_point(FAULT_HTTP_SENT);
    }
    size_t header = colon != NULL ? find_header(bytes, (size_t)(colon - bytes)) : HEADER_COUNT;
    if (header == HEADER_COUNT)
        return length;
    size_t start = (size_t)(colon + 1 - bytes);
    while (start < end && strchr(" \t", bytes[start]) != NULL)
        start++;
    while (end > start && strchr(" \t\r\n", bytes[end - 1]) != NULL)
        end--;
    take_header(transfer, header, bytes + start, end - start);
    return length;
}

/* ---- what goes out ---- */

/* The first that fails is the answer: one option that is not set could mean an unchecked certificate. */
#define SET(option, value)                                           \
    do {                                                             \
        CURLcode set_ = curl_easy_setopt(curl, CURLOPT_##option, value); \
        if (set_ != CURLE_OK)                                        \
            return set_;                                             \
    } while (0)

static CURLcode set_tls(CURL *curl, const struct http_settings *settings)
{
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    if (settings->ca_file != NULL) {
        SET(CAINFO, settings->ca_file);
        SET(CAPATH, NULL); /* those and no others */
    }
    if (settings->tls_certificate != NULL && settings->tls_key != NULL) {
        struct curl_blob key = { settings->tls_key, strlen(settings->tls_key), CURL_BLOB_COPY };
        SET(SSLCERT, settings->tls_certificate);
        SET(SSLKEY_BLOB, &key);
    }
    return CURLE_OK;
}

CURLcode transfer_set_connection(CURL *curl, const struct http_settings *settings, int64_t timeout_us)
{
    int64_t connect_us = settings->connect_timeout_us < timeout_us ? settings->connect_timeout_us : timeout_us;

    SET(NOSIGNAL, 1L);
    SET(PROTOCOLS_STR, "http,https");
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(PROXY, settings->proxy != NULL ? settings->proxy : ""); /* "" keeps the environment's out */
    SET(NOPROXY, "");
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
    SET(TCP_KEEPALIVE, 1L);
    SET(MAXCONNECTS, 2L);
    SET(CONNECTTIMEOUT_MS, (long)(connect_us / 1000));
    SET(TIMEOUT_MS, (long)(timeout_us / 1000 > 0 ? timeout_us / 1000 : 1)); /* 0 would be for ever */
    return set_tls(curl, settings);
}

static CURLcode set_method(CURL *curl, const struct transfer_request *request)
{
    bool has_body = request->body != NULL;

    if (strcmp(request->method, "HEAD") == 0) {
        SET(NOBODY, 1L);
        return CURLE_OK;
    }
    if (has_body || strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0 ||
        strcmp(request->method, "PATCH") == 0) { /* these say "Content-Length: 0" where they have none */
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)(has_body ? request->body_bytes : 0));
        SET(POSTFIELDS, has_body ? request->body : "");
    }
    SET(CUSTOMREQUEST, request->method);
    return CURLE_OK;
}

static CURLcode set_request(struct transfer *transfer)
{
    const struct transfer_request *request = transfer->request;
    CURL *curl = transfer->curl;

    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_handshake); /* not every TLS library has it: a sentence is less exact then */
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, transfer);
    SET(ERRORBUFFER, transfer->detail);
    SET(URL, request->url);
    SET(PATH_AS_IS, 1L);
    SET(HTTPHEADER, request->headers);
    SET(USERAGENT, transfer->settings->user_agent);
    SET(ACCEPT_ENCODING, "gzip, deflate");
    SET(MAXFILESIZE_LARGE, (curl_off_t)transfer->settings->answer_bytes_most);
    SET(PREREQFUNCTION, on_begin);
    SET(PREREQDATA, transfer);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, transfer);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, transfer);
    return set_method(curl, request);
}

/* ---- what came of it ---- */

static struct patience read_patience(const struct transfer *transfer)
{
    char *const *headers = transfer->headers;
    struct patience_headers said = { .retry_after = headers[HEADER_RETRY_AFTER], .date = headers[HEADER_DATE] };

    for (size_t i = 0; i < QUOTA_KINDS; i++) {
        said.remaining[i] = headers[HEADER_REMAINING + i];
        said.reset[i] = headers[HEADER_RESET + i];
    }
    return patience_read(&said, clock_wall(clock_system()));
}

static void set_answer(struct transfer *transfer, struct http_answer *answer)
{
    long status = 0;
    size_t bytes = transfer->body.length;

    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    *answer = (struct http_answer){
        .end = HTTP_ANSWERED,
        .status = (int)status,
        .body = buf_take(&transfer->body),
        .body_bytes = bytes,
        .content_type = take_pointer(transfer->headers[HEADER_CONTENT_TYPE]),
        .etag = take_pointer(transfer->headers[HEADER_ETAG]),
        .link = take_pointer(transfer->headers[HEADER_LINK]),
        .location = take_pointer(transfer->headers[HEADER_LOCATION]),
        .patience = read_patience(transfer),
    };
    answer->retry_after_us = patience_cut(answer->patience.retry_after_us);
}

static void set_failure(struct transfer *transfer, CURLcode code, struct http_answer *answer)
{
    const struct failure_row *row = failure_row((int)code);
    bool begun = transfer->begun > 0;
    struct diagnosis diagnosis = { .curl = transfer->curl,
                                   .settings = transfer->settings,
                                   .url = transfer->request->url,
                                   .shown = transfer->request->shown,
                                   .timeout_us = transfer->request->timeout_us,
                                   .code = code,
                                   .begun = begun,
                                   .handshaking = transfer->handshaking,
                                   .detail = transfer->detail };
    long status = 0;

    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_WRITE_ERROR && !transfer->too_big)
        row = failure_row(CURLE_OUT_OF_MEMORY);
    *answer = (struct http_answer){
        .end = begun ? row->end : HTTP_NOT_SENT,
        .status = (int)status,
        .outcome = begun ? row->after : row->before,
        .refusal = begun ? row->refusal : REFUSAL_SURE,
    };
    if (diagnose_refused_certificate(&diagnosis)) { /* told only after the request was on its way, and nothing was done with it */
        answer->end = HTTP_NOT_SENT;
        answer->outcome = OUTCOME_TARGET_DOWN;
        answer->refusal = REFUSAL_SURE;
    }
    answer->reason = diagnose(&diagnosis, row);
}

/*
 * A refusal is one, even if the rest of its text does not come: the status says that nothing was done. Servers that answer
 * before they have read the body end the HTTP/2 stream so early that libcurl 7.88 takes the whole answer for lost.
 */
static bool is_cut_refusal(const struct transfer *transfer, CURLcode code)
{
    long status = 0;

    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    return transfer->begun > 0 && status >= 400 && !transfer->too_big && code != CURLE_ABORTED_BY_CALLBACK &&
           failure_row((int)code)->end == HTTP_LOST;
}

enum http_end transfer_run(CURL *curl, const struct http_settings *settings, const struct transfer_request *request,
                           struct http_answer *ret_answer)
{
    __attribute__((cleanup(transfer_clear))) struct transfer transfer = { .curl = curl, .settings = settings, .request = request };

    curl_easy_reset(curl); /* keeps the connections */
    CURLcode code = transfer_set_connection(curl, settings, request->timeout_us);
    if (code == CURLE_OK)
        code = set_request(&transfer);
    if (may_change(request))
        fault_point(FAULT_HTTP_SEND);
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    if (may_change(request))
        fault_point(FAULT_HTTP_ANSWERED);
    if (code == CURLE_OK || is_cut_refusal(&transfer, code))
        set_answer(&transfer, ret_answer);
    else
        set_failure(&transfer, code, ret_answer);
    if (ret_answer->end == HTTP_ANSWERED && ret_answer->body == NULL)
        *ret_answer = (struct http_answer){ .end = HTTP_LOST, .status = ret_answer->status, .outcome = OUTCOME_RETRY };
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL); /* it is on our stack */
    return ret_answer->end;
}
