/* client.c: what the sessions of a target share, and a session, from open to close. */
#include "connectors/http/client.h"

#include "base/file.h"
#include "base/str.h"
#include "connectors/http/base64.h"
#include "connectors/http/http.h"
#include "connectors/http/transfer.h"

/* ---- shared ---- */

int http_share(const struct http_settings *settings, struct http_shared **ret_shared, struct error *error)
{
    struct http_shared *shared = calloc(1, sizeof(*shared));
    int code = transfer_start(error);

    if (shared == NULL || code < 0) {
        free(shared);
        return code < 0 ? code : error_nomem(error);
    }
    shared->settings = settings;
    if (limit_init(&shared->limit, settings, error) < 0) {
        free(shared);
        return ERROR_NOMEM;
    }
    if (token_init(&shared->token, settings, error) < 0) {
        limit_destroy(&shared->limit);
        free(shared);
        return ERROR_NOMEM;
    }
    *ret_shared = shared;
    return 0;
}

void http_unshare(struct http_shared *shared)
{
    if (shared == NULL)
        return;
    token_destroy(&shared->token);
    limit_destroy(&shared->limit);
    free(shared);
}

/* ---- client ---- */

/* Bearer and Basic never change: made once. */
static bool make_authorization(struct http_client *client)
{
    const struct http_settings *settings = client->settings;

    if (settings->auth == HTTP_AUTH_BEARER) {
        client->authorization = str_printf("Bearer %s", settings->token);
        return client->authorization != NULL;
    }
    if (settings->auth != HTTP_AUTH_BASIC)
        return true;
    char *pair = str_printf("%s:%s", settings->user, settings->password);
    struct buf value = { 0 };
    buf_add_str(&value, "Basic ");
    if (pair != NULL)
        base64_add(&value, pair, strlen(pair));
    client->authorization = pair != NULL ? buf_take(&value) : NULL;
    buf_free(&value);
    secret_free(pair);
    return client->authorization != NULL;
}

int http_open(const struct http_settings *settings, struct http_shared *shared, struct http_client **ret_client, struct error *error)
{
    struct http_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return error_nomem(error);
    client->settings = settings;
    client->shared = shared;
    client->curl = curl_easy_init();
    mask_add_settings(&client->mask, settings);
    if (client->curl == NULL || client->mask.failed || !make_authorization(client)) {
        http_close(client);
        return error_nomem(error);
    }
    *ret_client = client;
    return 0;
}

void http_close(struct http_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    mask_clear(&client->mask);
    secret_free(client->authorization);
    secret_free(client->token);
    free(client);
}

/* The one before stays masked: an answer to it may still name it. */
bool client_keep_token(struct http_client *client, char *text)
{
    struct mask mask = { 0 };

    if (str_equal(client->token, text)) {
        secret_free(text);
        return true;
    }
    mask_add_settings(&mask, client->settings);
    mask_add(&mask, client->token);
    mask_add(&mask, text);
    mask_clear(&client->mask);
    client->mask = mask;
    secret_free(client->token);
    client->token = text;
    return !mask.failed;
}

/* ---- for the connector ---- */

void http_note(struct http_client *client, bool failure)
{
    struct limit *limit = &client->shared->limit;

    if (client->answered && client->trial && !failure)
        limit_note_trial(limit);
    else if (client->answered)
        limit_note(limit, failure, "it answered with an error of its own");
    client->answered = false;
}

char *http_mask(const struct http_client *client, const char *text, size_t length, size_t most)
{
    return mask_text(&client->mask, text, length, most);
}

void http_answer_clear(struct http_answer *answer)
{
    free(answer->body);
    free(answer->content_type);
    free(answer->etag);
    free(answer->link);
    free(answer->location);
    free(answer->reason);
    *answer = (struct http_answer){ 0 };
}
