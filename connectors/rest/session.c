#include "connectors/rest/session.h"

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/pointer.h"

#define REASON_BYTES_MOST 900
#define MESSAGE_BYTES_MOST 300
#define SHOWN_BYTES_MOST 80

/* ---- words ---- */

static enum outcome say_masked(const struct connector_session *session, enum outcome outcome, int status, struct receipt *receipt,
                               struct buf *text)
{
    cleanup_free char *masked = text->failed ? NULL : http_mask(session->client, text->bytes, text->length, REASON_BYTES_MOST);

    return receipt_set(receipt, outcome, status, "%s", masked != NULL ? masked : "out of memory");
}

static void add_request(struct buf *text, const struct call *call)
{
    int length = (int)strcspn(call->path, "?");

    buf_printf(text, "%s %.*s: ", call->method, length > 0 ? length : 1, length > 0 ? call->path : "/");
}

enum outcome session_say(const struct connector_session *session, const struct call *call, enum outcome outcome, int status,
                         struct receipt *receipt, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    add_request(&text, call);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    return say_masked(session, outcome, status, receipt, &text);
}

enum outcome session_say_error(const struct error *error, struct receipt *receipt)
{
    return receipt_set(receipt, error->code == ERROR_NOMEM ? OUTCOME_RETRY : OUTCOME_REJECTED, 0, "%s", error->text);
}

enum outcome session_say_unusable(const struct connector_session *session, const struct call *call, const struct reply *reply,
                                  const struct error *error, struct receipt *receipt)
{
    /* masked before it is cut: half a secret is one, too */
    cleanup_free char *shown = http_mask(session->client, reply->http.body, reply->http.body_bytes, SHOWN_BYTES_MOST);

    if (error->code == ERROR_NOMEM)
        return session_say_error(error, receipt);
    session_say(session, call, OUTCOME_RETRY, reply->http.status, receipt, "%d: %s%s%s%s", reply->http.status, error->text,
                reply->http.body_bytes > 0 ? "; it begins with \"" : "", shown != NULL ? shown : "",
                reply->http.body_bytes > 0 ? "\"" : "");
    receipt->refusal = REFUSAL_UNSURE;
    return OUTCOME_RETRY;
}

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

/* A text as it is, all else as JSON; the caller's, NULL: nothing. */
static char *words_in(const struct connector_session *session, const json_t *message, size_t most)
{
    cleanup_free char *dumped = NULL;
    const char *text = json_string_value(message);

    if (text == NULL && message != NULL)
        text = dumped = json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY);
    return text != NULL && *text != '\0' ? http_mask(session->client, text, strlen(text), most) : NULL;
}

/* The API's own words for a failure, or the first bytes of what it sent. */
static char *words_of(const struct connector_session *session, const struct call *call, const struct reply *reply)
{
    const json_t *message = reply->document != NULL ? answer_message(call, reply->document) : NULL;

    if (message != NULL)
        return words_in(session, message, MESSAGE_BYTES_MOST);
    return reply->http.body_bytes > 0 ? http_mask(session->client, reply->http.body, reply->http.body_bytes, SHOWN_BYTES_MOST) : NULL;
}

/* Not the usual places for failures: "title" is what an employee may have. */
char *session_message(const struct connector_session *session, const struct call *call, const struct reply *reply)
{
    const char *pointer = call->result.error != NULL ? call->result.error : "/message";

    return reply->document != NULL ? words_in(session, pointer_get_value(reply->document, pointer), MESSAGE_BYTES_MOST) : NULL;
}

static enum outcome say_refused(const struct connector_session *session, const struct call *call, const struct reply *reply,
                                const struct verdict *verdict, struct receipt *receipt)
{
    const struct http_answer *http = &reply->http;
    cleanup_free char *words = words_of(session, call, reply);
    const char *location = http->status >= 300 && http->status < 400 ? http->location : NULL;
    cleanup_buf struct buf patience = { 0 };

    patience_add_words(&patience, &http->patience, verdict->by_quota);
    session_say(session, call, verdict->outcome, http->status, receipt, "%d %s: %s%s%s%s%s%s%s", http->status,
                status_row(http->status)->name, verdict->sentence, location != NULL ? "; it names " : "", location != NULL ? location : "",
                words != NULL ? "; it says \"" : "", words != NULL ? words : "", words != NULL ? "\"" : "",
                patience.bytes != NULL ? patience.bytes : "");
    receipt->refusal = verdict->refusal;
    receipt->retry_after_us = verdict->retry_after_us;
    return verdict->outcome;
}

enum outcome session_say_refused(const struct connector_session *session, const struct call *call, const struct reply *reply,
                                 enum outcome outcome, struct receipt *receipt)
{
    const struct verdict verdict = { outcome, REFUSAL_UNSURE, status_row(reply->http.status)->sentence, false, reply->http.retry_after_us };

    return say_refused(session, call, reply, &verdict, receipt);
}

static enum outcome say_failed(const struct connector_session *session, const struct call *call, const struct reply *reply,
                               const char *code, struct receipt *receipt)
{
    struct verdict verdict = verdict_of_code(call, code);
    cleanup_free char *words = words_of(session, call, reply);

    session_say(session, call, verdict.outcome, reply->http.status, receipt, "answered %d, but with a failure%s%s%s%s%s",
                reply->http.status, code[0] != '\0' ? " of code " : "", code, words != NULL ? ": \"" : "",
                words != NULL ? words : "", words != NULL ? "\"" : "");
    receipt->refusal = verdict.refusal;
    receipt->retry_after_us = reply->http.retry_after_us;
    return verdict.outcome;
}

/* ---- asking ---- */

void reply_clear(struct reply *reply)
{
    http_answer_clear(&reply->http);
    json_decref(reply->document);
    *reply = (struct reply){ 0 };
}

static bool is_fine(enum outcome outcome)
{
    return outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
}

/* A success is read strictly, where it must say something or seems to; a refusal as far as it can be. */
static int read_document(const struct call *call, bool needed, struct reply *reply, struct error *error)
{
    const struct http_answer *http = &reply->http;
    bool success = is_success(http->status);

    needed = success && (needed || call->result.failure != NULL);
    if (!needed && http->body_bytes == 0)
        return 0;
    bool looks = answer_is_json(http->body, http->content_type) || (success && answer_is_html(http->body, http->content_type));
    if (!needed && !looks)
        return 0;
    int code = answer_parse(http->body, http->body_bytes, http->content_type, &reply->document, error);
    return success ? code : 0;
}

/* A 4xx that speaks of the key and not of what was asked for: another request with it is under way (409, as Stripe and the
 * IETF's draft of Idempotency-Key have it), or it came with another body. It says nothing of what the first one does. */
static bool is_about_key(const struct reply *reply)
{
    return reply->http.status >= 400 && reply->http.status < 500 && reply->http.body != NULL && strcasestr(reply->http.body, "idempoten") != NULL;
}

static enum outcome judge(const struct connector_session *session, const struct call *call, bool document, struct reply *reply,
                          struct receipt *receipt)
{
    struct error error = { 0 };
    struct verdict verdict = verdict_of_answer(call, &session->shared->overrides, &reply->http);
    int code = read_document(call, document, reply, &error);

    if (!is_fine(verdict.outcome))
        return say_refused(session, call, reply, &verdict, receipt);
    reply->unusable = code < 0;
    if (code < 0)
        return session_say_unusable(session, call, reply, &error, receipt);
    cleanup_free char *failure = is_success(reply->http.status) ? answer_failure(call, reply->document) : NULL;
    return failure != NULL ? say_failed(session, call, reply, failure, receipt)
                           : receipt_set(receipt, verdict.outcome, reply->http.status, NULL);
}

/* No answer, or none that can be used. */
static enum outcome say_unanswered(struct reply *reply, struct receipt *receipt)
{
    const struct http_answer *http = &reply->http;

    reply->unusable = http->end == HTTP_BAD && is_success(http->status);
    receipt_set(receipt, http->outcome, http->status, "%s", http->reason != NULL ? http->reason : "no answer came");
    receipt->refusal = http->refusal;
    receipt->retry_after_us = http->retry_after_us;
    return receipt->outcome;
}

/* Is it known what became of a change that was sent? Of a creation also that nothing more will come of it, which a gateway cannot know: made
 * twice is worse than late. What disables or enables twice does no harm. */
static bool is_answered(const struct connector_session *session, const struct call *call, const struct reply *reply)
{
    int status = reply->http.status;

    if (reply->http.end != HTTP_ANSWERED || is_about_key(reply))
        return false;
    if (status == STATUS_ACCEPTED)
        return outcome_is_told(call, &session->shared->overrides, status);
    return call->kind != CALL_CREATE || !status_row(status)->at_work;
}

enum outcome session_ask(struct connector_session *session, const struct call *call, const struct message_input *input,
                         bool document, struct reply *ret_reply, struct receipt *receipt)
{
    cleanup_message struct message message = { 0 };
    struct error error = { 0 };

    *ret_reply = (struct reply){ 0 };
    receipt->retry_after_us = 0;
    if (message_make(call, input, &message, &error) < 0)
        return session_say_error(&error, receipt);
    enum http_end end = http_perform(session->client, &message.http, &ret_reply->http);
    if (call->kind > CALL_GROUPS_OF)
        session->answered = is_answered(session, call, ret_reply);
    if (end != HTTP_ANSWERED)
        return say_unanswered(ret_reply, receipt);
    http_note(session->client, ret_reply->http.status >= 500);
    return judge(session, call, document, ret_reply, receipt);
}

/* ---- a session ---- */

int session_share(const void *arg, struct connector_shared **ret_shared, struct error *error)
{
    const struct rest_settings *settings = arg;
    struct connector_shared *shared = calloc(1, sizeof(*shared));

    if (shared == NULL)
        return error_nomem(error);
    shared->settings = settings;
    shared->since = clock_mono(clock_system());
    overrides_read(settings->outcomes, &shared->overrides);
    int code = http_share(&settings->http, &shared->http, error);
    if (code < 0) {
        free(shared);
        return code;
    }
    *ret_shared = shared;
    return 0;
}

void session_unshare(struct connector_shared *shared)
{
    if (shared == NULL)
        return;
    http_unshare(shared->http);
    free(shared);
}

enum outcome session_open(const void *arg, struct connector_shared *shared, struct connector_session **ret_session,
                          struct receipt *receipt)
{
    struct connector_session *session = calloc(1, sizeof(*session));
    const struct rest_settings *settings = arg;
    struct error error = { 0 };

    if (session == NULL)
        return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "out of memory");
    session->settings = settings;
    session->shared = shared;
    if (http_open(&settings->http, shared->http, &session->client, &error) < 0)
        receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "%s", error.text);
    else
        session_probe(session, receipt);
    if (receipt->outcome == OUTCOME_APPLIED)
        *ret_session = session;
    else
        session_close(session);
    return receipt->outcome;
}

void session_close(struct connector_session *session)
{
    if (session == NULL)
        return;
    session_forget(session);
    http_close(session->client);
    free(session);
}

/* Many an API has nothing at its url: then any answer shows that it works, but one that speaks of our log-in or of a failure. */
static bool counts_as_well(const struct rest_settings *settings, const struct reply *reply, enum outcome outcome)
{
    int status = reply->http.status;
    bool answered = settings->probe == NULL && reply->http.end == HTTP_ANSWERED;

    if (is_fine(outcome) || (answered && is_success(status)))
        return true;
    return answered && status >= 400 && status < 500 && status != 401 && status != 403 && outcome != OUTCOME_TARGET_DOWN;
}

/* What such an answer does not show. */
static void note_probe(const struct rest_settings *settings, const struct reply *reply, struct receipt *receipt)
{
    free(take_pointer(receipt->note));
    if (settings->probe == NULL)
        receipt->note = str_printf("its url alone was asked (%d), which does not show that it takes our log-in: set probe to a path that "
                                   "only those see who may work there, such as \"/employees?limit=1\"", reply->http.status);
}

/* Whatever a record's answer would mean: the target is not well. */
static enum outcome tell_unwell(struct receipt *receipt)
{
    bool log_in = receipt->refusal == REFUSAL_UNSURE_LOGIN || receipt->refusal == REFUSAL_LOGIN;

    receipt->outcome = OUTCOME_TARGET_DOWN;
    receipt->refusal = log_in ? REFUSAL_LOGIN : REFUSAL_SURE;
    return OUTCOME_TARGET_DOWN;
}

enum outcome session_probe(struct connector_session *session, struct receipt *receipt)
{
    const char *path = session->settings->probe != NULL ? session->settings->probe : "";
    struct call call = { .kind = CALL_READ, .method = "GET", .path = path, .result = { .id = "", .item = "" } };
    cleanup_reply struct reply reply = { 0 };

    session_forget(session);
    enum outcome outcome = session_ask(session, &call, &(struct message_input){ .trial = true }, false, &reply, receipt);
    if (!counts_as_well(session->settings, &reply, outcome))
        return tell_unwell(receipt);
    note_probe(session->settings, &reply, receipt);
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

/* ---- the last look ---- */

void session_forget(struct connector_session *session)
{
    free(session->seen.key);
    free(session->seen.etag);
    json_decref(session->seen.document);
    json_decref(session->seen.nobody);
    session->seen = (struct seen){ 0 };
}

void session_remember(struct connector_session *session, const char *key, json_t *document, const char *etag)
{
    session_forget(session);
    session->seen = (struct seen){ str_dup(key), json_incref(document), str_dup(etag), NULL, clock_mono(clock_system()) };
}

static json_t *match_of(const json_t *settings)
{
    return json_object_get(json_object_get(settings, "requests"), "match");
}

void session_remember_nobody(struct connector_session *session, const json_t *settings)
{
    session_forget(session);
    session->seen = (struct seen){ .nobody = json_incref(match_of(settings)), .at = clock_mono(clock_system()) };
}

static bool is_fresh(const struct connector_session *session)
{
    return clock_mono(clock_system()).us - session->seen.at.us <= SEEN_MOST_US;
}

json_t *session_recall(struct connector_session *session, const char *key, char **ret_etag)
{
    json_t *document = NULL;

    if (session->seen.document != NULL && str_equal(session->seen.key, key) && is_fresh(session)) {
        document = json_incref(session->seen.document);
        *ret_etag = take_pointer(session->seen.etag);
    }
    session_forget(session);
    return document;
}

bool session_recalls_nobody(struct connector_session *session, const json_t *settings)
{
    const json_t *nobody = session->seen.nobody;
    bool same = nobody != NULL && is_fresh(session) && json_equal(nobody, match_of(settings));

    session_forget(session);
    return same;
}
