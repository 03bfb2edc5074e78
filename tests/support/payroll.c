#include "tests/support/payroll.h"

#include <curl/curl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define START_WITHIN_MS 20000

/* The first line that it prints is its URL. */
static char *read_url(int input)
{
    struct pollfd ready = { input, POLLIN, 0 };
    char text[256] = "";
    size_t length = 0;

    while (memchr(text, '\n', length) == NULL) {
        if (poll(&ready, 1, START_WITHIN_MS) != 1)
            fail_msg("payroll.py did not answer within %d ms", START_WITHIN_MS);
        ssize_t got = read(input, text + length, sizeof(text) - 1 - length);
        if (got <= 0)
            fail_msg("payroll.py ended instead of starting; it said why on standard error");
        length += (size_t)got;
    }
    text[strcspn(text, "\n")] = '\0';
    return str_dup(text);
}

static void launch(struct payroll *payroll, const char *port)
{
    const char *source = getenv("PROVOST_SOURCE");
    cleanup_free char *line = str_printf("exec /usr/bin/python3 '%s/tests/support/payroll.py' --db '%s/db' --token-file '%s/token' --port %s %s",
                                         source != NULL ? source : ".", payroll->folder, payroll->folder, port, payroll->options);
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    payroll->pid = fork();
    assert_true(payroll->pid >= 0);
    if (payroll->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    free(payroll->url);
    payroll->url = read_url(ends[0]);
    close(ends[0]);
}

void payroll_start(struct payroll *payroll, const char *options)
{
    *payroll = (struct payroll){ .folder = "/tmp/provost-payroll-XXXXXX", .options = str_dup(options) };
    assert_non_null(mkdtemp(payroll->folder));
    cleanup_free char *path = file_join(payroll->folder, "token");
    FILE *token = fopen(path, "w");
    assert_non_null(token);
    fputs(PAYROLL_TOKEN "\n", token);
    assert_int_equal(fclose(token), 0);
    launch(payroll, "0");
}

static void end(struct payroll *payroll, int signal)
{
    if (payroll->pid == 0)
        return;
    kill(payroll->pid, signal);
    assert_int_equal(waitpid(payroll->pid, NULL, 0), payroll->pid);
    payroll->pid = 0;
}

void payroll_kill(struct payroll *payroll)
{
    end(payroll, SIGKILL);
}

void payroll_restart(struct payroll *payroll)
{
    cleanup_free char *port = str_dup(strrchr(payroll->url, ':') + 1);

    launch(payroll, port);
}

void payroll_stop(struct payroll *payroll)
{
    cleanup_free char *line = str_printf("rm -rf '%s'", payroll->folder);

    end(payroll, SIGTERM);
    assert_int_equal(system(line), 0);
    free(payroll->url);
    free(payroll->options);
    *payroll = (struct payroll){ 0 };
}

static size_t take(char *bytes, size_t size, size_t count, void *arg)
{
    return fwrite(bytes, size, count, arg) * size;
}

static struct curl_slist *headers_for(const char *method)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer " PAYROLL_TOKEN);

    return curl_slist_append(headers, str_equal(method, "PATCH") ? "Content-Type: application/merge-patch+json" : "Content-Type: application/json");
}

json_t *payroll_request(struct payroll *payroll, const char *method, const char *path, const char *body)
{
    cleanup_free char *url = str_printf("%s%s", payroll->url, path);
    cleanup_free char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    struct curl_slist *headers = headers_for(method);
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
    if (body != NULL)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    fclose(stream);
    if (code != CURLE_OK)
        fail_msg("%s %s: %s", method, path, curl_easy_strerror(code));
    return length > 0 ? json_loads(text, 0, NULL) : NULL;
}

void payroll_trouble(struct payroll *payroll, const char *trouble)
{
    json_t *answer = payroll_request(payroll, "POST", "/_control/trouble", trouble);

    if (answer != NULL)
        fail_msg("payroll.py does not know this trouble: %s", trouble);
}

void payroll_clear(struct payroll *payroll)
{
    assert_null(payroll_request(payroll, "POST", "/_control/clear", ""));
}

size_t payroll_unexpected(struct payroll *payroll)
{
    json_t *seen = payroll_request(payroll, "GET", "/_control", NULL);
    size_t count = json_array_size(json_object_get(seen, "unexpected"));

    for (size_t i = 0; i < count; i++)
        print_message("# unexpected: %s\n", json_string_value(json_array_get(json_object_get(seen, "unexpected"), i)));
    json_decref(seen);
    return count;
}
