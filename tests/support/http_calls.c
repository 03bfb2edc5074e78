/*
 * http_calls: makes requests with connectors/http as it is told, for tests in
 * Python (tests/integration/http_client.py).
 *
 *     http_calls SETTINGS < CALLS
 *
 * SETTINGS is a libconfig file with a target's settings. Each line of CALLS is
 * a JSON object: method, target, headers, body, content_type, repeatable; note
 * (what http_note is told); threads and times, to make it that often. Each
 * answer is a JSON object on a line. Wrong settings are told as
 * {"problems": […]}, exit code 1.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "base/str.h"
#include "connectors/http/http.h"

struct settings {
    struct http_settings http;
};
static const struct option_row rows[] = { HTTP_OPTIONS(struct settings, http), OPTION_END };

#define HEADERS_MOST 16

struct caller {
    const struct settings *settings;
    struct http_shared *shared;
    struct http_client *client;
    const json_t *call;
};

static void print(const json_t *line)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);

    pthread_mutex_lock(&lock);
    puts(text != NULL ? text : "{}");
    fflush(stdout);
    pthread_mutex_unlock(&lock);
    free(text);
}

static void print_answer(struct caller *caller, const struct http_answer *answer, int64_t took_us)
{
    static const char *const ends[] = { "answered", "not_sent", "lost", "refused", "bad" };
    static const char *const refusals[] = { "sure", "unsure", "unsure_login", "login" };
    const char *body = answer->body != NULL ? answer->body : "";
    char *masked = http_mask(caller->client, body, answer->body_bytes, 4000);
    json_t *line = json_pack("{s:s, s:i, s:s, s:I, s:s?, s:s?, s:s?, s:s?, s:s?, s:s, s:I, s:s?, s:f}", "end", ends[answer->end], "status",
                             answer->status, "masked", masked != NULL ? masked : "", "bytes", (json_int_t)answer->body_bytes,
                             "content_type", answer->content_type, "etag", answer->etag, "link", answer->link, "location",
                             answer->location, "outcome", answer->end == HTTP_ANSWERED ? NULL : outcome_name(answer->outcome),
                             "refusal", refusals[answer->refusal], "retry_after_us", (json_int_t)answer->retry_after_us, "reason", answer->reason, "took",
                             (double)took_us / 1e6);

    if (answer->body_bytes < 10000 && str_is_utf8(body, strlen(body)))
        json_object_set_new(line, "body", json_string(body));
    print(line);
    json_decref(line);
    free(masked);
}

static const char *text_of(const json_t *call, const char *name)
{
    return json_string_value(json_object_get(call, name));
}

static void take_headers(const json_t *call, struct http_header headers[HEADERS_MOST + 1])
{
    size_t count = 0;
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(call, "headers"), name, value)
        if (count < HEADERS_MOST)
            headers[count++] = (struct http_header){ name, json_string_value(value) };
}

static void make_call(struct caller *caller)
{
    const json_t *call = caller->call;
    struct http_header headers[HEADERS_MOST + 1] = { { NULL, NULL } };
    struct http_request request = { .method = text_of(call, "method"),
                                    .target = text_of(call, "target"),
                                    .headers = headers,
                                    .body = text_of(call, "body"),
                                    .content_type = text_of(call, "content_type"),
                                    .repeatable = json_is_true(json_object_get(call, "repeatable")) };
    struct http_answer answer;
    int64_t start_us = clock_mono(clock_system()).us;

    request.body_bytes = request.body != NULL ? strlen(request.body) : 0;
    take_headers(call, headers);
    http_perform(caller->client, &request, &answer);
    print_answer(caller, &answer, clock_mono(clock_system()).us - start_us);
    if (json_object_get(call, "note") != NULL)
        http_note(caller->client, json_is_true(json_object_get(call, "note")));
    http_answer_clear(&answer);
}

static void *run_thread(void *arg)
{
    struct caller *caller = arg;
    json_int_t times = json_integer_value(json_object_get(caller->call, "times"));

    for (json_int_t i = 0; i < (times > 0 ? times : 1); i++)
        make_call(caller);
    return NULL;
}

static void run_threads(const struct caller *like, size_t count)
{
    struct caller *callers = calloc(count, sizeof(*callers));
    pthread_t *threads = calloc(count, sizeof(*threads));

    for (size_t i = 0; i < count; i++) {
        callers[i] = *like;
        if (http_open(&like->settings->http, like->shared, &callers[i].client, NULL) < 0)
            abort();
        pthread_create(&threads[i], NULL, run_thread, &callers[i]);
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        http_close(callers[i].client);
    }
    free(callers);
    free(threads);
}

static void run_line(struct caller *caller, const char *line)
{
    json_t *call = json_loads(line, 0, NULL);
    json_int_t threads = json_integer_value(json_object_get(call, "threads"));

    if (call == NULL)
        abort();
    caller->call = call;
    if (threads > 0)
        run_threads(caller, (size_t)threads);
    else
        run_thread(caller);
    json_decref(call);
}

static int print_problems(const struct problems *problems)
{
    json_t *list = json_array();

    for (size_t i = 0; i < problems->count; i++)
        json_array_append_new(list, json_string(problems->list[i].text));
    json_t *line = json_pack("{s:o}", "problems", list);
    print(line);
    json_decref(line);
    return EXIT_FAILURE;
}

static int run(const struct settings *settings)
{
    struct caller caller = { .settings = settings };
    struct error error = { 0 };
    char *line = NULL;
    size_t bytes = 0;

    if (http_share(&settings->http, &caller.shared, &error) < 0 ||
        http_open(&settings->http, caller.shared, &caller.client, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_FAILURE;
    }
    while (getline(&line, &bytes, stdin) > 0)
        run_line(&caller, line);
    free(line);
    http_close(caller.client);
    http_unshare(caller.shared);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct problems problems = { 0 };
    struct settings settings = { 0 };
    config_t config;

    if (argc != 2)
        return 2;
    config_init(&config);
    if (settings_read(&config, argv[1], &problems) == 0)
        options_parse(rows, config_root_setting(&config), "settings", &settings, &problems);
    if (problems.count == 0)
        http_check(&settings.http, argv[1], 1, &problems);
    int code = problems.count == 0 ? run(&settings) : print_problems(&problems);
    problems_free(&problems);
    options_free(rows, &settings);
    config_destroy(&config);
    return code;
}
