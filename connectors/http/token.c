#include "connectors/http/token.h"

#include <jansson.h>
#include <strings.h>

#include "base/file.h"
#include "base/str.h"
#include "connectors/http/assertion.h"
#include "connectors/http/base64.h"
#include "connectors/http/mask.h"
#include "connectors/http/transfer.h"

#define MARGIN_MOST_US (60 * HTTP_SECOND)
#define LIFE_UNKNOWN_SECONDS 3600
#define LIFE_MOST_SECONDS 86400
#define FAILURE_SHARED_US HTTP_SECOND
#define WORDS_BYTES_MOST 80
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

int token_init(struct token *token, const struct http_settings *settings, struct error *error)
{
    *token = (struct token){ .settings = settings };
    return pthread_mutex_init(&token->lock, NULL) == 0 ? 0 : error_nomem(error);
}

void token_destroy(struct token *token)
{
    pthread_mutex_destroy(&token->lock);
    secret_free(token->text);
    free(token->failure);
}

/* ---- the request ---- */

/* One fetch while it is under way. */
struct fetch {
    struct token *token;
    const struct http_settings *settings;
    struct buf form;
    struct curl_slist *headers;
    struct mask mask; /* the settings' secrets, and the assertion */
};

static void fetch_clear(struct fetch *fetch)
{
    if (fetch->form.bytes != NULL)
        explicit_bzero(fetch->form.bytes, fetch->form.length);
    buf_free(&fetch->form);
    transfer_free_headers(fetch->headers);
    mask_clear(&fetch->mask);
}

static void add_field(struct buf *form, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(form, "%s%s=", form->length != 0 ? "&" : "", name);
    http_encode(form, value, strlen(value));
}

/* Both parts are form-encoded before they become a Basic pair (RFC 6749 §2.3.1). */
static bool add_basic(struct fetch *fetch)
{
    cleanup_buf struct buf pair = { 0 }, value = { 0 };

    http_encode(&pair, fetch->settings->client_id, strlen(fetch->settings->client_id));
    buf_add_char(&pair, ':');
    http_encode(&pair, fetch->settings->client_secret, strlen(fetch->settings->client_secret));
    buf_add_str(&value, "Basic ");
    if (!pair.failed)
        base64_add(&value, pair.bytes, pair.length);
    bool done = !pair.failed && !value.failed && transfer_add_header(&fetch->headers, "Authorization", value.bytes);
    if (pair.bytes != NULL)
        explicit_bzero(pair.bytes, pair.length);
    if (value.bytes != NULL)
        explicit_bzero(value.bytes, value.length);
    return done;
}

static bool add_assertion(struct fetch *fetch, struct error *error)
{
    char *assertion = NULL;

    if (assertion_make(fetch->settings, clock_wall(clock_system()), &assertion, error) < 0)
        return false;
    mask_add(&fetch->mask, assertion);
    add_field(&fetch->form, "client_id", fetch->settings->client_id);
    add_field(&fetch->form, "client_assertion_type", ASSERTION_TYPE);
    add_field(&fetch->form, "client_assertion", assertion);
    secret_free(assertion);
    return true;
}

static bool add_client(struct fetch *fetch, struct error *error)
{
    switch ((enum http_client_auth)fetch->settings->client_auth) {
    case HTTP_CLIENT_BASIC:
        return add_basic(fetch);
    case HTTP_CLIENT_POST:
        add_field(&fetch->form, "client_id", fetch->settings->client_id);
        add_field(&fetch->form, "client_secret", fetch->settings->client_secret);
        return true;
    case HTTP_CLIENT_PRIVATE_KEY_JWT:
        return add_assertion(fetch, error);
    }
    return false;
}

static int build(struct fetch *fetch, struct error *error)
{
    error_nomem(error);
    mask_add_settings(&fetch->mask, fetch->settings);
    add_field(&fetch->form, "grant_type", "client_credentials");
    add_field(&fetch->form, "scope", fetch->settings->oauth_scope);
    add_field(&fetch->form, "audience", fetch->settings->audience);
    if (!add_client(fetch, error) || fetch->form.failed || fetch->mask.failed ||
        !transfer_add_header(&fetch->headers, "Content-Type", "application/x-www-form-urlencoded") ||
        !transfer_add_header(&fetch->headers, "Accept", "application/json") ||
        !transfer_add_header(&fetch->headers, "Expect", "") || transfer_start(error) < 0)
        return error->code;
    return 0;
}

/* ---- the answer ---- */

static int refuse(const struct fetch *fetch, struct error *error, const char *text)
{
    cleanup_free char *masked = mask_text(&fetch->mask, text, strlen(text), 600);

    return error_set(error, ERROR_NETWORK, "no access token: %s", masked != NULL ? masked : "out of memory");
}

/* Does it refuse us, rather than fail? Of two codes that RFC 6749 has for the other endpoint some use the words here, too. */
static bool refuses_us(const struct http_answer *answer, const char *code)
{
    if (str_equal(code, "temporarily_unavailable") || str_equal(code, "server_error") || answer->patience.asked)
        return false;
    bool passes = answer->status == 408 || answer->status == 425 || answer->status == 429;
    return (answer->status >= 400 && answer->status < 500 && !passes) || (answer->status == 200 && code != NULL);
}

/* The start of what it said; the caller's. Masked before it is cut: half a secret is one, too. */
static char *first_words(const struct fetch *fetch, const struct http_answer *answer)
{
    return answer->body_bytes > 0 ? mask_text(&fetch->mask, answer->body, answer->body_bytes, WORDS_BYTES_MOST) : NULL;
}

static int refuse_answer(const struct fetch *fetch, const struct http_answer *answer, json_t *body, struct error *error)
{
    const char *code = json_string_value(json_object_get(body, "error"));
    const char *description = json_string_value(json_object_get(body, "error_description"));
    cleanup_free char *words = code == NULL && answer->status != 200 ? first_words(fetch, answer) : NULL; /* of a 200: a token, maybe */
    cleanup_buf struct buf text = { 0 };

    buf_printf(&text, "%s answers %d, ", fetch->settings->token_url, answer->status);
    if (code != NULL)
        buf_printf(&text, "%s%s%s; check client_id, how the client proves itself, and oauth_scope", code,
                   description != NULL ? ": " : "", description != NULL ? description : "");
    else
        buf_printf(&text, "and nothing that RFC 6749 describes; is it the token endpoint?%s%s%s", words != NULL ? "; it begins with \"" : "",
                   words != NULL ? words : "", words != NULL ? "\"" : "");
    patience_add_words(&text, &answer->patience, false);
    fetch->token->refusal = refuses_us(answer, code) ? REFUSAL_LOGIN : REFUSAL_SURE;
    return refuse(fetch, error, text.bytes != NULL ? text.bytes : "out of memory");
}

/* A number; some send it as text. */
static int64_t life_of(json_t *body)
{
    json_t *value = json_object_get(body, "expires_in");
    long long seconds = LIFE_UNKNOWN_SECONDS;

    if (json_is_number(value))
        seconds = json_number_value(value) < LIFE_MOST_SECONDS ? (long long)json_number_value(value) : LIFE_MOST_SECONDS;
    else if (json_is_string(value))
        str_to_int64(json_string_value(value), &seconds);
    return (seconds < 1 ? 1 : seconds > LIFE_MOST_SECONDS ? LIFE_MOST_SECONDS : seconds) * HTTP_SECOND;
}

static bool is_token(const char *text)
{
    if (text == NULL || *text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

static int take_answer(struct fetch *fetch, const struct http_answer *answer, struct mono started, struct error *error)
{
    json_t *body = json_loadb(answer->body, answer->body_bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *text = json_string_value(json_object_get(body, "access_token"));
    const char *type = json_string_value(json_object_get(body, "token_type"));
    struct token *token = fetch->token;
    int code = 0;

    if (answer->status != 200 || !is_token(text))
        code = refuse_answer(fetch, answer, body, error);
    else if (type != NULL && strcasecmp(type, "bearer") != 0)
        code = refuse(fetch, error, "the token endpoint gives a token of another type than Bearer, which is not known here");
    char *copy = code == 0 ? str_dup(text) : NULL;
    if (code == 0 && copy == NULL)
        code = error_nomem(error);
    if (code == 0) {
        int64_t life_us = life_of(body), margin_us = life_us / 10 < MARGIN_MOST_US ? life_us / 10 : MARGIN_MOST_US;
        secret_free(token->text);
        token->text = copy;
        token->until.us = started.us + life_us - margin_us;
    }
    if (text != NULL)
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
    json_decref(body);
    return code;
}

static void answer_wipe(struct http_answer *answer)
{
    if (answer->body != NULL)
        explicit_bzero(answer->body, answer->body_bytes);
    http_answer_clear(answer);
}

/* A handle of its own: fetches are rare, and the sessions' connections stay theirs. */
static int fetch_token(struct token *token, struct error *error)
{
    __attribute__((cleanup(fetch_clear))) struct fetch fetch = { .token = token, .settings = token->settings };
    __attribute__((cleanup(answer_wipe))) struct http_answer answer = { 0 };
    struct mono started = clock_mono(clock_system());

    if (build(&fetch, error) < 0)
        return error->code;
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return error_nomem(error);
    const struct transfer_request request = { .method = "POST",
                                              .url = token->settings->token_url,
                                              .shown = "the token endpoint",
                                              .headers = fetch.headers,
                                              .body = fetch.form.bytes,
                                              .body_bytes = fetch.form.length,
                                              .repeatable = true,
                                              .timeout_us = token->settings->timeout_us };
    enum http_end end = transfer_run(curl, token->settings, &request, &answer);
    curl_easy_cleanup(curl);
    token->retry_after_us = answer.retry_after_us;
    if (end != HTTP_ANSWERED)
        return refuse(&fetch, error, answer.reason != NULL ? answer.reason : "out of memory");
    return take_answer(&fetch, &answer, started, error);
}

/* ---- who gets which ---- */

static bool is_good(const struct token *token, const char *refused, struct mono now)
{
    return token->text != NULL && now.us < token->until.us && !str_equal(token->text, refused);
}

/* Under the lock. 0: token->text is to be used. */
static int renew(struct token *token, const char *refused)
{
    struct mono now = clock_mono(clock_system());
    struct error error = { 0 };

    if (is_good(token, refused, now))
        return 0;
    if (token->failure != NULL && now.us < token->failed.us + FAILURE_SHARED_US)
        return ERROR_NETWORK;
    free(take_pointer(token->failure));
    token->refusal = REFUSAL_SURE;
    int code = fetch_token(token, &error);
    if (code < 0) {
        token->failure = str_dup(error.text);
        token->failed = clock_mono(clock_system());
    }
    return code;
}

int token_get(struct token *token, const char *refused, char **ret_text, struct token_failure *ret_failure)
{
    pthread_mutex_lock(&token->lock);
    int code = renew(token, refused);
    char *text = code == 0 ? str_dup(token->text) : NULL;
    struct token_failure failure = { code < 0 ? str_dup(token->failure) : NULL, token->refusal, token->retry_after_us };
    pthread_mutex_unlock(&token->lock);
    if (text != NULL) {
        *ret_text = text;
        return 0;
    }
    *ret_failure = failure;
    return ERROR_NETWORK;
}
