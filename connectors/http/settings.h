/*
 * settings.h: the options of a target that is spoken to over HTTP.
 *
 * Purpose: a connector puts `struct http_settings` into its own settings and
 * HTTP_OPTIONS(type, member) into its option table, so that every such
 * connector has the same options under the same names.
 *     static const struct option_row rows[] = {
 *         HTTP_OPTIONS(struct rest_settings, http),
 *         OPTION_STRING(struct rest_settings, probe, "probe", 0, NULL, "…"),
 *         OPTION_END
 *     };
 * Its `check` calls http_check (http.h) with that member.
 *
 * Ownership: base/option.h fills and frees it. Threads: read-only afterwards.
 * Private keys are secrets like passwords (file:PATH, refused when others can
 * read it) and are kept as PEM text.
 */
#ifndef PROVOST_CONNECTORS_HTTP_SETTINGS_H
#define PROVOST_CONNECTORS_HTTP_SETTINGS_H

#include "base/option.h"

enum http_auth { HTTP_AUTH_NONE, HTTP_AUTH_BEARER, HTTP_AUTH_BASIC, HTTP_AUTH_API_KEY, HTTP_AUTH_OAUTH2 };
enum http_client_auth { HTTP_CLIENT_BASIC, HTTP_CLIENT_POST, HTTP_CLIENT_PRIVATE_KEY_JWT };
enum http_algorithm { HTTP_RS256, HTTP_ES256, HTTP_PS256 };

extern const char *const http_auth_choices[];
extern const char *const http_client_auth_choices[];
extern const char *const http_algorithm_choices[];

struct http_settings {
    char *url;
    bool allow_plaintext;
    int auth; /* enum http_auth */
    char *token;
    char *user, *password;
    char *api_key, *api_key_header, *api_key_query;
    char *token_url, *client_id, *client_secret;
    int client_auth; /* enum http_client_auth */
    char *client_key, *client_key_id;
    int client_algorithm; /* enum http_algorithm */
    char *oauth_scope, *audience;
    char *ca_file; /* NULL: the system's authorities */
    bool verify;
    char *tls_certificate, *tls_key;
    bool redirects;
    char *proxy; /* NULL: none, whatever the environment says */
    int64_t connect_timeout_us, timeout_us;
    int64_t answer_bytes_most;
    int64_t rate; /* requests in each rate_time; 0: no limit */
    int64_t rate_time_us;
    int64_t in_flight; /* 0: no limit */
    int64_t circuit_failures; /* 0: never opens */
    int64_t circuit_time_us;
    char *user_agent;
};

#define HTTP_SECOND INT64_C(1000000)

#define HTTP_OPTIONS(type, member)                                                                                                 \
    OPTION_STRING(type, member.url, "url", OPTION_REQUIRED, NULL,                                                                  \
                  "where the API is: https://HOST[:PORT][/PATH]; the paths of requests are appended to it"),                       \
    OPTION_BOOL(type, member.allow_plaintext, "allow_plaintext", "false",                                                          \
                "send credentials over an unencrypted connection (http://) to another machine"),                                   \
    OPTION_CHOICE(type, member.auth, "auth", "none", http_auth_choices,                                                            \
                  "how to log in: bearer takes token; basic user and password; api_key api_key and api_key_header or "             \
                  "api_key_query; oauth2 (client credentials) token_url, client_id and client_secret or client_key"),              \
    OPTION_SECRET(type, member.token, "token", 0, "for auth = \"bearer\": file:PATH, env:NAME or credential:NAME"),                \
    OPTION_STRING(type, member.user, "user", 0, NULL, "for auth = \"basic\": the name to log in with"),                            \
    OPTION_SECRET(type, member.password, "password", 0, "its password: file:PATH, env:NAME or credential:NAME"),                   \
    OPTION_SECRET(type, member.api_key, "api_key", 0, "for auth = \"api_key\": file:PATH, env:NAME or credential:NAME"),           \
    OPTION_STRING(type, member.api_key_header, "api_key_header", 0, NULL, "the header that carries it, such as X-API-Key"),        \
    OPTION_STRING(type, member.api_key_query, "api_key_query", 0, NULL,                                                            \
                  "the query parameter that carries it, where the API takes no header (it may end up in the API's access log)"),   \
    OPTION_STRING(type, member.token_url, "token_url", 0, NULL, "for auth = \"oauth2\": the token endpoint"),                      \
    OPTION_STRING(type, member.client_id, "client_id", 0, NULL, "the client's name there"),                                        \
    OPTION_SECRET(type, member.client_secret, "client_secret", 0, "its secret: file:PATH, env:NAME or credential:NAME"),           \
    OPTION_CHOICE(type, member.client_auth, "client_auth", "basic", http_client_auth_choices,                                      \
                  "how the client proves itself there: basic (header) and post (body) with client_secret; private_key_jwt with "   \
                  "client_key"),                                                                                                   \
    OPTION_SECRET(type, member.client_key, "client_key", 0,                                                                        \
                  "for private_key_jwt: the private key, PEM without a passphrase, as file:PATH or credential:NAME"),              \
    OPTION_STRING(type, member.client_key_id, "client_key_id", 0, NULL, "its name there, sent as kid"),                            \
    OPTION_CHOICE(type, member.client_algorithm, "client_algorithm", "RS256", http_algorithm_choices,                              \
                  "how it signs: RS256 and PS256 with an RSA key, ES256 with one on the curve P-256"),                             \
    OPTION_STRING(type, member.oauth_scope, "oauth_scope", 0, NULL, "what to ask for, scopes separated by spaces"),                \
    OPTION_STRING(type, member.audience, "audience", 0, NULL, "whom the token is for, where the token endpoint wants to know"),    \
    OPTION_PATH(type, member.ca_file, "ca_file", 0, NULL,                                                                          \
                "PEM file of the authorities that may have issued the server's certificate; default: the system's"),               \
    OPTION_BOOL(type, member.verify, "verify", "true", "check the server's certificate and name; false only for a trial"),         \
    OPTION_PATH(type, member.tls_certificate, "tls_certificate", 0, NULL,                                                          \
                "PEM file of the certificate (and its chain) to show to a server that asks for one"),                              \
    OPTION_SECRET(type, member.tls_key, "tls_key", 0,                                                                              \
                  "its private key, PEM without a passphrase, as file:PATH or credential:NAME"),                                   \
    OPTION_BOOL(type, member.redirects, "redirects", "false",                                                                      \
                "follow redirects, at most 5 and never to another host, port or scheme"),                                          \
    OPTION_STRING(type, member.proxy, "proxy", 0, NULL,                                                                            \
                  "http://HOST:PORT of a proxy to go through; the environment's (https_proxy) is not looked at"),                  \
    OPTION_DURATION(type, member.connect_timeout_us, "connect_timeout", "5 s", HTTP_SECOND / 10, 300 * HTTP_SECOND,                \
                    "how long name, connection and TLS handshake may take together"),                                              \
    OPTION_DURATION(type, member.timeout_us, "timeout", "30 s", HTTP_SECOND / 10, 3600 * HTTP_SECOND,                              \
                    "how long one request may take until its answer is there"),                                                    \
    OPTION_SIZE(type, member.answer_bytes_most, "answer_size_max", "8 MiB", 1024, INT64_C(1) << 30,                                \
                "the largest answer that is taken, after it was decompressed"),                                                    \
    OPTION_INT(type, member.rate, "rate", 0, "0", 0, 1000000,                                                                      \
               "how many requests are sent in each rate_time, evenly spaced, by all workers together; 0: no limit"),               \
    OPTION_DURATION(type, member.rate_time_us, "rate_time", "1 s", HTTP_SECOND, 86400 * HTTP_SECOND,                               \
                    "the time that rate counts in: rate = 30 and rate_time = \"1 minute\" sends one request every 2 s"),           \
    OPTION_INT(type, member.in_flight, "in_flight", 0, "0", 0, 1024,                                                               \
               "how many requests may wait for their answers at the same time; 0: as many as there are workers"),                  \
    OPTION_INT(type, member.circuit_failures, "circuit_failures", 0, "10", 0, 1000000,                                             \
               "after so many failures in a row nothing is sent for circuit_time, then one request tries; 0: never"),              \
    OPTION_DURATION(type, member.circuit_time_us, "circuit_time", "30 s", HTTP_SECOND / 10, 86400 * HTTP_SECOND,                   \
                    "how long nothing is sent then"),                                                                              \
    OPTION_STRING(type, member.user_agent, "user_agent", 0, "provost/" PACKAGE_VERSION_TEXT, "what requests say of their sender")

#endif
