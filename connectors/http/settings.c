#include "connectors/http/settings.h"

#include "base/str.h"
#include "connectors/http/assertion.h"
#include "connectors/http/http.h"
#include "connectors/http/url.h"

const char *const http_auth_choices[] = { "none", "bearer", "basic", "api_key", "oauth2", NULL };
const char *const http_client_auth_choices[] = { "basic", "post", "private_key_jwt", NULL };
const char *const http_algorithm_choices[] = { "RS256", "ES256", "PS256", NULL };

struct check {
    const struct http_settings *settings;
    const char *file;
    int line;
    struct problems *problems;
};

#define PROBLEM(check, ...) problems_add((check)->problems, (check)->file, (check)->line, 0, __VA_ARGS__)

/* ---- which option goes with which way to log in ---- */

#define ROW(option, auth, needed, example) { #option, offsetof(struct http_settings, option), auth, needed, example }
static const struct {
    const char *option;
    size_t offset;
    enum http_auth auth;
    bool needed;
    const char *example;
} auth_rows[] = {
    ROW(token, HTTP_AUTH_BEARER, true, "file:PATH"),
    ROW(user, HTTP_AUTH_BASIC, true, "provost"),
    ROW(password, HTTP_AUTH_BASIC, true, "file:PATH"),
    ROW(api_key, HTTP_AUTH_API_KEY, true, "file:PATH"),
    ROW(api_key_header, HTTP_AUTH_API_KEY, false, "X-API-Key"),
    ROW(api_key_query, HTTP_AUTH_API_KEY, false, "key"),
    ROW(token_url, HTTP_AUTH_OAUTH2, true, "https://HOST/PATH"),
    ROW(client_id, HTTP_AUTH_OAUTH2, true, "provost"),
    ROW(client_secret, HTTP_AUTH_OAUTH2, false, "file:PATH"),
    ROW(client_key, HTTP_AUTH_OAUTH2, false, "file:PATH"),
    ROW(client_key_id, HTTP_AUTH_OAUTH2, false, "key-1"),
    ROW(oauth_scope, HTTP_AUTH_OAUTH2, false, "people"),
    ROW(audience, HTTP_AUTH_OAUTH2, false, "https://HOST"),
};

static void check_auth_options(const struct check *check)
{
    const char *auth = http_auth_choices[check->settings->auth];

    for (size_t i = 0; i < sizeof(auth_rows) / sizeof(auth_rows[0]); i++) {
        const char *value = *(char *const *)(const void *)((const char *)check->settings + auth_rows[i].offset);
        bool ours = (int)auth_rows[i].auth == check->settings->auth;
        if (ours && auth_rows[i].needed && (value == NULL || *value == '\0'))
            PROBLEM(check, "auth = \"%s\" needs %s; add %s = \"%s\"", auth, auth_rows[i].option, auth_rows[i].option,
                    auth_rows[i].example);
        if (!ours && value != NULL)
            PROBLEM(check, "%s goes with auth = \"%s\", not with auth = \"%s\"; remove it, or change auth", auth_rows[i].option,
                    http_auth_choices[auth_rows[i].auth], auth);
    }
}

/* ---- what each way wants of its values ---- */

/* Visible ASCII: what can stand in a header as it is. */
static bool is_header_text(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

static void check_header_secret(const struct check *check, const char *option, const char *secret)
{
    if (secret != NULL && !is_header_text(secret))
        PROBLEM(check, "%s has a character that cannot stand in a header (a space, a line break, a letter beyond ASCII); "
                       "write it into its file without any",
                option);
}

static void check_api_key(const struct check *check)
{
    const struct http_settings *settings = check->settings;

    check_header_secret(check, "api_key", settings->api_key);
    if (settings->api_key_header == NULL && settings->api_key_query == NULL)
        PROBLEM(check, "auth = \"api_key\" needs api_key_header (such as \"X-API-Key\") or api_key_query: where the key is sent");
    if (settings->api_key_header != NULL && settings->api_key_query != NULL)
        PROBLEM(check, "api_key_header and api_key_query exclude each other; remove one");
    if (settings->api_key_header != NULL && !http_header_name_is_valid(settings->api_key_header))
        PROBLEM(check, "api_key_header \"%s\" is no header's name; right would be \"X-API-Key\"", settings->api_key_header);
    if (settings->api_key_query != NULL && *settings->api_key_query == '\0')
        PROBLEM(check, "api_key_query is empty; right would be the parameter's name, such as \"key\"");
}

static void check_basic(const struct check *check)
{
    if (check->settings->user != NULL && strchr(check->settings->user, ':') != NULL)
        PROBLEM(check, "user \"%s\" has a colon, which no name for basic can have (RFC 7617)", check->settings->user);
}

static void check_client(const struct check *check)
{
    const struct http_settings *settings = check->settings;
    const char *way = http_client_auth_choices[settings->client_auth];
    bool by_key = settings->client_auth == HTTP_CLIENT_PRIVATE_KEY_JWT;
    struct error error = { 0 };

    if (by_key && settings->client_key == NULL)
        PROBLEM(check, "client_auth = \"%s\" needs client_key; add client_key = \"file:PATH\"", way);
    if (!by_key && settings->client_secret == NULL)
        PROBLEM(check, "client_auth = \"%s\" needs client_secret; add client_secret = \"file:PATH\"", way);
    if (by_key && settings->client_secret != NULL)
        PROBLEM(check, "client_secret does not go with client_auth = \"%s\"; remove it", way);
    if (!by_key && settings->client_key != NULL)
        PROBLEM(check, "client_key does not go with client_auth = \"%s\"; remove it, or set client_auth = \"private_key_jwt\"", way);
    if (by_key && settings->client_key != NULL && assertion_check_key(settings, &error) < 0)
        PROBLEM(check, "client_key: %s", error.text);
}

/* ---- URLs ---- */

static bool sends_credentials(const struct http_settings *settings)
{
    return settings->auth != HTTP_AUTH_NONE;
}

/* The text of a URL with a password in it is not told. */
static void check_url(const struct check *check, const char *option, const char *url, bool credentials)
{
    struct url_parts parts;

    if (!url_parse(url, &parts)) {
        PROBLEM(check, "%s \"%s\" cannot be read; right would be https://HOST[:PORT][/PATH]", option,
                strchr(url, '@') != NULL ? "…" : url);
        return;
    }
    if (parts.has_user)
        PROBLEM(check, "%s holds a name or password; take them out, and use auth = \"basic\" with user and password", option);
    if (parts.has_fragment || (parts.has_query && strcmp(option, "url") == 0))
        PROBLEM(check, "%s has a \"%s\" part; it ends with the path", option, parts.has_fragment ? "#" : "?");
    if (credentials && !parts.tls && !check->settings->allow_plaintext && !url_host_is_loopback(parts.host))
        PROBLEM(check, "the credentials would go to %s unencrypted; use https:// in %s (or, knowing what it means, allow_plaintext = true)",
                parts.host, option);
    url_parts_clear(&parts);
}

static void check_proxy(const struct check *check)
{
    struct url_parts parts = { 0 };
    const char *proxy = check->settings->proxy;

    if (proxy == NULL || *proxy == '\0')
        return;
    if (!url_parse(proxy, &parts) || parts.tls || parts.has_user)
        PROBLEM(check, "proxy \"%s\" cannot be used; right would be http://HOST:PORT, without a name or password",
                strchr(proxy, '@') != NULL ? "…" : proxy);
    url_parts_clear(&parts);
}

static void check_tls(const struct check *check)
{
    const struct http_settings *settings = check->settings;

    if (settings->tls_certificate != NULL && settings->tls_key == NULL)
        PROBLEM(check, "tls_certificate needs its private key; add tls_key = \"file:PATH\"");
    if (settings->tls_key != NULL && settings->tls_certificate == NULL)
        PROBLEM(check, "tls_key needs its certificate; add tls_certificate = \"PATH\"");
    if (settings->tls_certificate != NULL && str_starts(settings->url, "http://"))
        PROBLEM(check, "tls_certificate goes with https:// only, not with url \"%s\"", settings->url);
}

void http_check(const struct http_settings *settings, const char *file, int line, struct problems *problems)
{
    struct check check = { settings, file, line, problems };

    if (settings->url == NULL)
        return; /* the option table has said so */
    check_url(&check, "url", settings->url, sends_credentials(settings));
    check_auth_options(&check);
    if (settings->auth == HTTP_AUTH_BEARER)
        check_header_secret(&check, "token", settings->token);
    if (settings->auth == HTTP_AUTH_BASIC)
        check_basic(&check);
    if (settings->auth == HTTP_AUTH_API_KEY)
        check_api_key(&check);
    if (settings->auth == HTTP_AUTH_OAUTH2 && settings->token_url != NULL)
        check_url(&check, "token_url", settings->token_url, true);
    if (settings->auth == HTTP_AUTH_OAUTH2)
        check_client(&check);
    check_tls(&check);
    check_proxy(&check);
    if (settings->user_agent != NULL && strpbrk(settings->user_agent, "\r\n") != NULL)
        PROBLEM(&check, "user_agent has a line break; right would be one line");
}
