/* http.c: one call: what holds it back, its log-in, redirects, and a log-in that has run out. */
#include "connectors/http/http.h"

#include <strings.h>

#include "base/file.h"
#include "base/str.h"
#include "connectors/http/client.h"
#include "connectors/http/request.h"
#include "connectors/http/transfer.h"
#include "connectors/http/url.h"

#define REDIRECTS_MOST 5
#define REASON_BYTES_MOST 900

/* ---- a call while it is under way ---- */

struct call {
    struct http_client *client;
    const struct http_request *request;
    char *shown; /* "GET /employees": the query may hold personal data */
    char *url;   /* without the API key */
    struct mono deadline;
    int redirects;
    bool renewed; /* the token, once */
    bool entered; /* past the circuit, counted as in flight */
    bool local;   /* ended by our own limits, which says nothing of the target */
};

static void call_clear(struct call *call)
{
    free(call->shown);
    free(call->url);
}

static char *show(const struct http_request *request)
{
    const char *path = request->target;

    if (request_is_absolute(path))
        path += 8 + strcspn(path + 8, "/?");
    size_t length = strcspn(path, "?#");
    return length == 0 ? str_printf("%s /", request->method) : str_printf("%s %.*s", request->method, (int)(length < 200 ? length : 200), path);
}

static char *join(const char *url, const char *target)
{
    size_t length = strlen(url);

    if (request_is_absolute(target))
        return str_dup(target);
    while (length > 0 && url[length - 1] == '/' && *target == '/')
        length--;
    return str_printf("%.*s%s", (int)length, url, target);
}

static enum http_end fail(const struct call *call, struct http_answer *answer, enum http_end end, enum outcome outcome,
                          const char *format, ...) __attribute__((format(printf, 5, 6)));
static enum http_end fail(const struct call *call, struct http_answer *answer, enum http_end end, enum outcome outcome,
                          const char *format, ...)
{
    struct buf buf = { 0 };
    va_list args;
    int status = answer->status;
    int64_t retry_after_us = answer->retry_after_us;

    buf_printf(&buf, "%s at %s: ", call->shown, call->client->settings->url);
    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    http_answer_clear(answer);
    *answer = (struct http_answer){
        .end = end, .outcome = outcome, .status = status, .retry_after_us = retry_after_us, .reason = buf_take(&buf)
    };
    return end;
}

/* ---- what holds it back ---- */

static enum http_end held_back(const struct call *call, enum limit_verdict verdict, int64_t wait_us, struct http_answer *answer)
{
    const struct http_settings *settings = call->client->settings;
    double seconds = (double)wait_us / 1e6;
    char last[256];

    answer->retry_after_us = wait_us;
    if (verdict == LIMIT_PAUSED)
        return fail(call, answer, HTTP_NOT_SENT, OUTCOME_TARGET_DOWN,
                    "not sent: the target asked for a pause, which lasts another %.1f s", seconds);
    if (verdict == LIMIT_BUSY)
        return fail(call, answer, HTTP_NOT_SENT, OUTCOME_RETRY,
                    "not sent: the limits of this target (rate, in_flight) leave no turn within timeout");
    int64_t failures = limit_failures(&call->client->shared->limit, last, sizeof(last));
    return fail(call, answer, HTTP_REFUSED, OUTCOME_TARGET_DOWN,
                "not sent: the last %lld requests failed (circuit_failures = %lld); the next one is tried in %.1f s; the last failure: %s",
                (long long)failures, (long long)settings->circuit_failures, seconds, last);
}

/* ---- headers ---- */

static bool has_header(const struct http_request *request, const char *name)
{
    for (const struct http_header *header = request->headers; header != NULL && header->name != NULL; header++)
        if (strcasecmp(header->name, name) == 0)
            return true;
    return false;
}

static bool add_login(const struct http_client *client, struct curl_slist **list)
{
    const struct http_settings *settings = client->settings;

    if (client->authorization != NULL)
        return transfer_add_header(list, "Authorization", client->authorization);
    if (settings->auth == HTTP_AUTH_API_KEY && settings->api_key_header != NULL)
        return transfer_add_header(list, settings->api_key_header, settings->api_key);
    if (settings->auth != HTTP_AUTH_OAUTH2)
        return true;
    char *value = str_printf("Bearer %s", client->token);
    bool added = value != NULL && transfer_add_header(list, "Authorization", value);
    secret_free(value);
    return added;
}

/* "Name:" takes a header out that libcurl would send by itself. */
static bool leave_out(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

static bool make_headers(const struct http_client *client, const struct http_request *request, struct curl_slist **list)
{
    bool good = leave_out(list, "Expect:") && add_login(client, list);

    if (request->content_type != NULL)
        good = good && transfer_add_header(list, "Content-Type", request->content_type);
    else if (!has_header(request, "Content-Type"))
        good = good && leave_out(list, "Content-Type:");
    for (const struct http_header *header = request->headers; good && header != NULL && header->name != NULL; header++)
        good = transfer_add_header(list, header->name, header->value);
    return good;
}

/* ---- one exchange ---- */

static bool take_token(const struct call *call, const char *refused, struct http_answer *answer)
{
    struct http_client *client = call->client;
    struct token_failure failure = { 0 };
    char *text = NULL;

    if (client->settings->auth != HTTP_AUTH_OAUTH2)
        return true;
    if (token_get(&client->shared->token, refused, &text, &failure) < 0) {
        cleanup_free char *reason = failure.reason;
        answer->retry_after_us = failure.retry_after_us;
        fail(call, answer, HTTP_REFUSED, OUTCOME_TARGET_DOWN, "%s", reason != NULL ? reason : "out of memory");
        answer->refusal = failure.refusal;
        return false;
    }
    return client_keep_token(client, text) || (fail(call, answer, HTTP_NOT_SENT, OUTCOME_RETRY, "out of memory"), false);
}

/* The URL as it is sent: with the API key where that is its place. To be freed with secret_free. */
static char *sent_url(const struct call *call)
{
    const struct http_settings *settings = call->client->settings;
    struct buf buf = { 0 };

    buf_add_str(&buf, call->url);
    if (settings->auth == HTTP_AUTH_API_KEY && settings->api_key_query != NULL) {
        buf_printf(&buf, "%s%s=", strchr(call->url, '?') != NULL ? "&" : "?", settings->api_key_query);
        http_encode(&buf, settings->api_key, strlen(settings->api_key));
    }
    return buf_take(&buf);
}

static enum http_end exchange(const struct call *call, struct http_answer *answer)
{
    const struct http_request *request = call->request;
    struct http_client *client = call->client;
    int64_t left_us = call->deadline.us - clock_mono(clock_system()).us;
    struct curl_slist *headers = NULL;
    enum http_end end;

    http_answer_clear(answer);
    if (left_us <= 0)
        return fail(call, answer, HTTP_NOT_SENT, OUTCOME_TARGET_DOWN, "not sent again: the whole of timeout had passed already");
    char *url = sent_url(call);
    if (url == NULL || !make_headers(client, request, &headers)) {
        end = fail(call, answer, HTTP_NOT_SENT, OUTCOME_RETRY, "out of memory");
    } else {
        const struct transfer_request transfer = { .method = request->method,
                                                   .url = url,
                                                   .shown = call->shown,
                                                   .headers = headers,
                                                   .body = request->body,
                                                   .body_bytes = request->body_bytes,
                                                   .repeatable = request->repeatable,
                                                   .timeout_us = left_us };
        end = transfer_run(client->curl, client->settings, &transfer, answer);
    }
    transfer_free_headers(headers);
    secret_free(url);
    return end;
}

/* ---- after an answer: once more? ---- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool method_may_follow(const struct http_request *request, int status)
{
    return status == 307 || status == 308 || strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/* Where somebody's requests, or all, are sent to a log-in page or another house. */
static void refuse_redirect(const struct call *call, struct http_answer *answer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void refuse_redirect(const struct call *call, struct http_answer *answer, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    fail(call, answer, HTTP_BAD, OUTCOME_RETRY, "%s", text.bytes != NULL ? text.bytes : "redirected");
    answer->refusal = REFUSAL_UNSURE;
}

/* True: call->url is the next place. */
static bool follows(struct call *call, struct http_answer *answer)
{
    const struct http_settings *settings = call->client->settings;

    if (!settings->redirects || !is_redirect(answer->status) || answer->location == NULL ||
        !method_may_follow(call->request, answer->status))
        return false;
    cleanup_free char *next = url_resolve(call->url, answer->location);
    struct url_parts parts = { 0 };
    if (next == NULL || !url_parse(next, &parts)) {
        refuse_redirect(call, answer, "redirected to something that is no http URL");
        return false;
    }
    bool same = url_same_origin(settings->url, next);
    if (!same)
        refuse_redirect(call, answer, "redirected to %s, another place than url, which is not followed; if that is "
                        "where the API is now, set url to it", parts.origin);
    else if (call->redirects >= REDIRECTS_MOST)
        refuse_redirect(call, answer, "redirected more than %d times in a row", REDIRECTS_MOST);
    url_parts_clear(&parts);
    if (answer->end != HTTP_ANSWERED)
        return false;
    call->redirects++;
    free(call->url);
    call->url = take_pointer(next);
    return true;
}

/* True: there is a new token. A 401 means that nothing was done with the request: any method may be sent again. */
static bool renews(struct call *call, struct http_answer *answer)
{
    if (answer->status != 401 || call->client->settings->auth != HTTP_AUTH_OAUTH2 || call->renewed)
        return false;
    call->renewed = true;
    char *refused = str_dup(call->client->token);
    bool renewed = refused != NULL && take_token(call, refused, answer);
    secret_free(refused);
    return renewed;
}

/* Tells the limit of an answer. Of a quota that is used up only a 403 speaks: a success and a 404 may have been the last that it allowed. */
static void heed(struct limit *limit, const struct http_answer *answer)
{
    bool used_up = answer->status == 403 && answer->patience.used_up && !answer->patience.asked;
    int64_t wait_us = used_up ? patience_cut(answer->patience.reset_us) : answer->retry_after_us;

    if (answer->end == HTTP_ANSWERED)
        limit_answered(limit, answer->status >= 400 ? wait_us : 0, used_up || answer->status == 429 || answer->status == 503);
}

static enum http_end run(struct call *call, struct http_answer *answer)
{
    struct limit *limit = &call->client->shared->limit;
    int64_t wait_us = 0;

    if (!take_token(call, NULL, answer))
        return answer->end;
    do {
        enum limit_verdict verdict = limit_slot(limit, &wait_us);
        if (verdict != LIMIT_GO) {
            call->local = true;
            return held_back(call, verdict, wait_us, answer);
        }
        if (call->deadline.us == 0)
            call->deadline.us = clock_mono(clock_system()).us + call->client->settings->timeout_us;
        exchange(call, answer);
    } while (answer->end == HTTP_ANSWERED && (follows(call, answer) || renews(call, answer)));
    heed(limit, answer);
    return answer->end;
}

/* What is said to a person leaves here without secrets. */
static void mask_reason(const struct http_client *client, struct http_answer *answer)
{
    if (answer->reason == NULL)
        return;
    char *masked = http_mask(client, answer->reason, strlen(answer->reason), REASON_BYTES_MOST);
    free(answer->reason);
    answer->reason = masked;
}

/* What was answered is noted by the caller, who knows what it means. An answer that is of no use (too large, a redirect to another house)
 * may be one record's. */
static void note_end(const struct call *call, const struct http_answer *answer)
{
    struct http_client *client = call->client;
    bool useless = answer->end == HTTP_BAD && answer->outcome != OUTCOME_TARGET_DOWN;

    client->answered = answer->end == HTTP_ANSWERED;
    client->trial = call->request->trial;
    if (!client->answered && !call->local && !useless && answer->outcome != OUTCOME_REJECTED)
        limit_note(&client->shared->limit, true, answer->reason);
}

static void begin(struct call *call, struct http_answer *answer)
{
    const char *fault = request_fault(call->client->settings, call->request);
    int64_t wait_us = 0;

    call->shown = show(call->request);
    call->url = join(call->client->settings->url, call->request->target);
    if (call->shown == NULL || call->url == NULL) {
        *answer = (struct http_answer){ .end = HTTP_NOT_SENT, .outcome = OUTCOME_RETRY, .reason = str_dup("out of memory") };
        return;
    }
    if (fault != NULL) {
        fail(call, answer, HTTP_NOT_SENT, OUTCOME_REJECTED, "not sent: %s", fault);
        return;
    }
    enum limit_verdict verdict = limit_enter(&call->client->shared->limit, call->request->trial, &wait_us);
    call->entered = verdict == LIMIT_GO;
    if (!call->entered)
        held_back(call, verdict, wait_us, answer);
}

enum http_end http_perform(struct http_client *client, const struct http_request *request, struct http_answer *ret_answer)
{
    __attribute__((cleanup(call_clear))) struct call call = { .client = client, .request = request };
    struct http_answer answer = { 0 };

    client->answered = false;
    begin(&call, &answer);
    if (call.entered)
        run(&call, &answer);
    mask_reason(client, &answer);
    if (call.entered) {
        note_end(&call, &answer);
        limit_leave(&client->shared->limit);
    }
    *ret_answer = answer;
    return answer.end;
}
