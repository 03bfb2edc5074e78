/*
 * client.h: what the sessions of a target share, and one session's own, for
 * the files of connectors/http alone.
 * Threads: as http.h says.
 */
#ifndef PROVOST_CONNECTORS_HTTP_CLIENT_H
#define PROVOST_CONNECTORS_HTTP_CLIENT_H

#include <curl/curl.h>

#include "connectors/http/limit.h"
#include "connectors/http/mask.h"
#include "connectors/http/token.h"

struct http_shared {
    const struct http_settings *settings;
    struct limit limit;
    struct token token;
};

struct http_client {
    const struct http_settings *settings;
    struct http_shared *shared;
    CURL *curl;
    struct mask mask;
    char *authorization; /* for bearer and basic; NULL: another way, or none */
    char *token;         /* OAuth: the one used last */
    bool answered;       /* the last call's answer is not noted yet */
    bool trial;          /* the last call was one */
};

/* Takes `text` over as the token to use; false: out of memory. */
bool client_keep_token(struct http_client *client, char *text);

#endif
