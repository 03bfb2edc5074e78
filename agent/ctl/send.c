/* provostctl send: posts hook bodies to the agent's endpoint, as Okta would. */
#include <curl/curl.h>
#include <errno.h>
#include <gnutls/x509.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/str.h"
#include "ctl/api.h"

#define FILE_BYTES_MOST (256u << 20)

/* ---- the body ---- */

static json_t *envelope(json_t *events)
{
    char now[WALL_TEXT_BYTES], id[48];
    struct random_source *random = random_system();

    wall_format(clock_wall(clock_system()), now);
    snprintf(id, sizeof(id), "provostctl-%016llx%016llx", (unsigned long long)random->next(random),
             (unsigned long long)random->next(random));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:o}}", "eventType", "com.okta.event_hook", "eventTypeVersion", "1.0",
                     "cloudEventsVersion", "0.1", "source", "provostctl", "eventId", id, "eventTime", now, "contentType",
                     "application/json", "data", "events", events);
}

/* A LogEvent or a list of them gets an envelope; all else goes as it is. */
static char *wrap(char *body)
{
    json_t *json = json_loads(body, 0, NULL);
    json_t *events = json_is_array(json) ? json_incref(json) : NULL;

    if (json_is_object(json) && json_object_get(json, "data") == NULL && json_object_get(json, "eventType") != NULL)
        events = json_pack("[O]", json);
    json_decref(json);
    if (events == NULL)
        return body;
    json_t *wrapped = envelope(events);
    char *text = json_dumps(wrapped, JSON_COMPACT);
    json_decref(wrapped);
    free(body);
    return text;
}

static int read_body(const char *name, char **ret_body)
{
    struct error error = { 0 };
    char *body = NULL;

    if (file_read(str_equal(name, "-") ? "/dev/stdin" : name, FILE_BYTES_MOST, &body, NULL, &error) < 0)
        return ctl_fail(CTL_UNWELL, "%s", error.text);
    *ret_body = wrap(body);
    return *ret_body != NULL ? 0 : ctl_fail(CTL_UNWELL, "out of memory");
}

/* ---- where to ---- */

/* Port 0 is known to the running agent only. */
static char *ask_agent(const struct ctl *ctl)
{
    json_t *status = NULL;
    char *url = NULL;

    if (api_call(ctl, "GET", "/v1/status", NULL, &status) == 0)
        url = str_dup(json_string_value(json_object_get(json_object_get(status, "agent"), "listening")));
    json_decref(status);
    return url;
}

/* What listens everywhere is reached on the loopback. */
static char *local_url(const struct config *config)
{
    const char *address = config->listen.address, *scheme = config->listen.certificate != NULL ? "https" : "http";

    if (strcmp(address, "0.0.0.0") == 0)
        address = "127.0.0.1";
    if (strcmp(address, "::") == 0)
        address = "::1";
    bool v6 = strchr(address, ':') != NULL;
    return str_printf("%s://%s%s%s:%lld%s", scheme, v6 ? "[" : "", address, v6 ? "]" : "", (long long)config->listen.port,
                      config->hook.path);
}

/* The certificate is made out to the public name, not to the loopback: its key is what tells that this is our agent. */
static char *pin_of(const char *path)
{
    unsigned char id[32];
    size_t id_bytes = sizeof(id);
    cleanup_free char *text = NULL;
    size_t length;
    gnutls_x509_crt_t certificate;
    char *pin = NULL;

    if (file_read(path, 1 << 20, &text, &length, NULL) < 0 || gnutls_x509_crt_init(&certificate) < 0)
        return NULL;
    gnutls_datum_t pem = { (unsigned char *)text, (unsigned)length }, raw = { id, sizeof(id) }, encoded = { NULL, 0 };
    if (gnutls_x509_crt_import(certificate, &pem, GNUTLS_X509_FMT_PEM) == 0 &&
        gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, id, &id_bytes) == 0 &&
        gnutls_base64_encode2(&raw, &encoded) == 0)
        pin = str_printf("sha256//%.*s", (int)encoded.size, (const char *)encoded.data);
    gnutls_free(encoded.data);
    gnutls_x509_crt_deinit(certificate);
    return pin;
}

/* ---- posting ---- */

static size_t ignore_body(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * count;
}

static CURL *prepare(const struct config *config, const char *url, const char *pin, struct curl_slist **ret_headers)
{
    CURL *curl = curl_easy_init();
    cleanup_free char *secret = str_printf("%s: %s", config->hook.header, config->hook.secret);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");

    headers = curl_slist_append(headers, "Expect:");
    headers = curl_slist_append(headers, secret);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "provostctl");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_body);
    if (pin != NULL) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin);
    }
    explicit_bzero(secret, strlen(secret));
    *ret_headers = headers;
    return curl;
}

static const char *meaning_of(long status)
{
    static const struct {
        long status;
        const char *text;
    } meanings[] = {
        { 204, "accepted and stored" },
        { 400, "no event hook body; kept in quarantine" },
        { 401, "the secret is another than the agent's; was it reloaded since it changed?" },
        { 404, "another path is configured" },
        { 413, "over the limit (listen.body_limit)" },
        { 503, "the agent cannot store it now" },
    };

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].status == status)
            return meanings[i].text;
    return "";
}

static int post(const struct ctl *ctl, CURL *curl, const char *name, const char *url)
{
    char *body = NULL;
    long status = 0;
    int code = read_body(name, &body);

    if (code != 0)
        return code;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
    CURLcode result = curl_easy_perform(curl);
    free(body);
    if (result != CURLE_OK)
        return ctl_fail(CTL_UNREACHABLE, "%s: %s cannot be reached: %s", name, url, curl_easy_strerror(result));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (ctl->json)
        ctl_print_json(json_pack("{s:s, s:I}", "file", name, "status", (json_int_t)status));
    else
        printf("%s: %ld %s\n", name, status, meaning_of(status));
    return status >= 200 && status < 300 ? CTL_OK : CTL_UNWELL;
}

static int send_all(const struct ctl *ctl, const struct config *config, const char *url)
{
    bool ours = ctl_value(ctl, "url") == NULL;
    cleanup_free char *pin = ours && config->listen.certificate != NULL ? pin_of(config->listen.certificate) : NULL;
    struct curl_slist *headers = NULL;
    int worst = CTL_OK;

    if (ours && config->listen.certificate != NULL && pin == NULL)
        return ctl_fail(CTL_UNWELL, "the certificate %s cannot be read", config->listen.certificate);
    CURL *curl = prepare(config, url, pin, &headers);
    for (int i = 0; i < ctl->count; i++) {
        int code = post(ctl, curl, ctl->operands[i], url);
        worst = code > worst ? code : worst;
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return worst;
}

int ctl_send(struct ctl *ctl)
{
    struct config *config = NULL;
    int code = ctl_load(ctl, CONFIG_SECRETS, &config);

    if (code != 0)
        return code;
    cleanup_free char *url = ctl_value(ctl, "url") != NULL ? strdup(ctl_value(ctl, "url"))
                             : config->listen.port == 0    ? ask_agent(ctl)
                                                           : local_url(config);
    code = url != NULL ? send_all(ctl, config, url) : CTL_UNREACHABLE;
    config_free(config);
    return code;
}
