/* http.c: one request and its answer. */
#include "connectors/http/http.h"

#include "base/str.h"

/* Not there yet: the shape only, so that connectors can be built on it. */
struct http_shared {
    const struct http_settings *settings;
};
struct http_client {
    const struct http_settings *settings;
};

void http_check(const struct http_settings *settings, const char *file, int line, struct problems *problems)
{
    (void)settings, (void)file, (void)line, (void)problems;
}

int http_share(const struct http_settings *settings, struct http_shared **ret_shared, struct error *error)
{
    struct http_shared *shared = calloc(1, sizeof(*shared));

    if (shared == NULL)
        return error_nomem(error);
    shared->settings = settings;
    *ret_shared = shared;
    return 0;
}

void http_unshare(struct http_shared *shared)
{
    free(shared);
}

int http_open(const struct http_settings *settings, struct http_shared *shared, struct http_client **ret_client, struct error *error)
{
    struct http_client *client = calloc(1, sizeof(*client));

    (void)shared;
    if (client == NULL)
        return error_nomem(error);
    client->settings = settings;
    *ret_client = client;
    return 0;
}

void http_close(struct http_client *client)
{
    free(client);
}

enum http_end http_perform(struct http_client *client, const struct http_request *request, struct http_answer *ret_answer)
{
    (void)client, (void)request;
    *ret_answer = (struct http_answer){ .end = HTTP_NOT_SENT, .outcome = OUTCOME_TARGET_DOWN, .reason = str_dup("HTTP is not built in yet") };
    return ret_answer->end;
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

void http_note(struct http_client *client, bool failure)
{
    (void)client, (void)failure;
}

char *http_mask(const struct http_client *client, const char *text, size_t length, size_t most)
{
    (void)client;
    return strndup(text, length < most ? length : most);
}

void http_encode(struct buf *buf, const char *bytes, size_t length)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\0' && strchr(unreserved, bytes[i]) != NULL)
            buf_add_char(buf, bytes[i]);
        else
            buf_printf(buf, "%%%02X", (unsigned char)bytes[i]);
}
