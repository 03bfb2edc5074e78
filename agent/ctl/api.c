#include "ctl/api.h"

#include <curl/curl.h>

#include "base/option.h"
#include "base/settings.h"
#include "base/str.h"

#define ANSWER_SECONDS_MOST 120L
#define SOCKET_DEFAULT_PATH "/run/provost/control.sock"

static size_t collect(char *bytes, size_t size, size_t count, void *arg)
{
    struct buf *body = arg;

    buf_add(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

/* Where the configuration names the socket: an agent that runs is asked even while mistakes are in the file. */
static char *configured_socket(const char *path)
{
    struct place {
        char *control;
    } place = { 0 };
    static const struct option_row rows[] = { OPTION_PATH(struct place, control, "control", 0, SOCKET_DEFAULT_PATH, ""), OPTION_END };
    struct problems ignored = { 0 };
    config_t file;

    config_init(&file);
    if (settings_read(&file, path, &ignored) == 0)
        options_parse(rows, config_root_setting(&file), "", &place, &ignored);
    config_destroy(&file);
    problems_free(&ignored);
    return place.control;
}

/* The socket: as said on the command line, as configured, or where it is by default. */
static int find_socket(const struct ctl *ctl, char **ret_path)
{
    struct config *config = NULL;

    if (ctl->socket != NULL) {
        *ret_path = strdup(ctl->socket);
        return 0;
    }
    if (ctl_has_no_config(ctl)) {
        *ret_path = strdup(SOCKET_DEFAULT_PATH);
        return 0;
    }
    if ((*ret_path = configured_socket(ctl->config_path)) != NULL)
        return 0;
    int code = ctl_load(ctl, 0, &config);
    if (code != 0)
        return code;
    *ret_path = strdup(config->control);
    config_free(config);
    return 0;
}

static char *make_url(CURL *curl, const char *path, const struct api_param *params)
{
    struct buf url = { 0 };
    char between = '?';

    buf_printf(&url, "http://provost%s", path);
    for (; params != NULL && params->name != NULL; params++) {
        if (params->value == NULL)
            continue;
        char *escaped = curl_easy_escape(curl, params->value, 0);
        buf_printf(&url, "%c%s=%s", between, params->name, escaped != NULL ? escaped : "");
        curl_free(escaped);
        between = '&';
    }
    return buf_take(&url);
}

static int unreachable(const struct ctl *ctl, CURLcode code, const char *socket)
{
    const char *unread = ctl->socket == NULL && ctl_has_no_config(ctl) ? ctl->config_path : NULL;

    if (code == CURLE_COULDNT_CONNECT)
        return ctl_fail(CTL_UNREACHABLE,
                        "no agent answers at %s%s%s%s; is provostd running (systemctl status provostd), and may you write to that socket?",
                        socket, unread != NULL ? " (" : "", unread != NULL ? unread : "",
                        unread != NULL ? " cannot be read; name the configuration with -c)" : "");
    return ctl_fail(CTL_UNREACHABLE, "the agent at %s broke off: %s", socket, curl_easy_strerror(code));
}

static int read_answer(long status, const struct buf *body, json_t **ret_json)
{
    json_error_t error;
    json_t *json = json_loadb(body->bytes != NULL ? body->bytes : "", body->length, JSON_DECODE_ANY, &error);

    if (status >= 200 && status < 300 && json != NULL) {
        *ret_json = json;
        return 0;
    }
    const char *sentence = json_string_value(json_object_get(json, "error"));
    int code = sentence != NULL ? ctl_fail(CTL_UNWELL, "%s", sentence)
                                : ctl_fail(CTL_UNWELL, "the agent answered %ld with what is not its language; are provostd and provostctl "
                                           "of one version?", status);
    json_decref(json);
    return code;
}

static int perform(const struct ctl *ctl, CURL *curl, const char *method, const char *socket, const char *url, json_t **ret_json)
{
    cleanup_buf struct buf body = { 0 };
    long status = 0;

    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_SECONDS_MOST);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    if (str_equal(method, "POST"))
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        return unreachable(ctl, code, socket);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return read_answer(status, &body, ret_json);
}

int api_call(const struct ctl *ctl, const char *method, const char *path, const struct api_param *params, json_t **ret_json)
{
    cleanup_free char *socket = NULL;
    int code = find_socket(ctl, &socket);

    if (code != 0)
        return code;
    CURL *curl = curl_easy_init();
    cleanup_free char *url = curl != NULL ? make_url(curl, path, params) : NULL;
    code = url != NULL && socket != NULL ? perform(ctl, curl, method, socket, url, ret_json) : ctl_fail(CTL_UNWELL, "out of memory");
    curl_easy_cleanup(curl);
    return code;
}
