/*
 * fuzz_okta.c: hook bodies that nobody meant, held against jansson.
 *
 * With libFuzzer:  clang -fsanitize=fuzzer,address,undefined -DFUZZING …
 * In the plain test run: replays the files and folders named as arguments.
 * What must hold: no crash; a body that jansson takes is no syntax error here
 * and the other way round, but for the two's known differences; each event's
 * raw text is JSON; facts point at strings that end.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "source/okta.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_okta: %s\n", what);
    abort();
}

/* jansson refuses numbers out of range, half a surrogate pair and \u0000 in a
 * member's name, which are JSON, and overlooks bare NUL bytes, which are none;
 * this parser refuses more than 64 levels, jansson more than 2048. */
static bool known_difference(const char *body, size_t length, const json_error_t *json_error, const struct error *error)
{
    enum json_error_code code = json_error_code(json_error);

    if (strstr(error->text, "nested too deeply") != NULL || code == json_error_stack_overflow || memchr(body, '\0', length) != NULL)
        return true;
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           (code == json_error_invalid_syntax && memmem(body, length, "\\u", 2) != NULL);
}

static void check_event(const struct event *event)
{
    json_error_t json_error;
    json_t *raw = json_loads(event->raw, JSON_DECODE_ANY | JSON_ALLOW_NUL, &json_error);
    size_t strings = 0;

    demand(raw != NULL || known_difference(event->raw, strlen(event->raw), &json_error, &(struct error){ 0 }), "raw is not JSON");
    json_decref(raw);
    demand(event->uuid != NULL && event->type != NULL && event->outcome != NULL, "an event lacks what it must have");
    for (size_t i = 0; i < event->fact_count; i++) {
        const struct fact *fact = &event->facts[i];
        demand(fact->id != NULL && fact->id[0] != '\0' && fact->as_of.us != 0, "a fact lacks what it must have");
        strings += strlen(fact->id) + (fact->value != NULL ? strlen(fact->value) : 0) + (fact->other != NULL ? strlen(fact->other) : 0);
    }
    demand(strings < 1 << 30, "facts are longer than anything read");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *body = (const char *)bytes;
    struct event_batch *batch = NULL;
    struct error error = { 0 };
    json_error_t json_error;
    int code = okta_parse_hook(body, length, (struct wall){ 1600000000000000 }, &batch, &error);
    json_t *json = json_loadb(body, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &json_error);

    if ((json != NULL) != (code != ERROR_SYNTAX))
        demand(known_difference(body, length, &json_error, &error), "jansson is of another opinion");
    for (size_t i = 0; code == 0 && i < batch->count; i++)
        check_event(&batch->events[i]);
    event_batch_free(batch);
    batch = NULL;
    if (json_is_object(json) && okta_parse_log_event(json, (struct wall){ 1600000000000000 }, &batch, &error) == 0)
        check_event(&batch->events[0]);
    event_batch_free(batch);
    json_decref(json);
    return 0;
}

#ifndef FUZZING
static int replay(const char *path)
{
    struct stat status;
    char *bytes = NULL;
    size_t length = 0;
    int count = 0;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        DIR *dir = opendir(path);
        struct dirent *entry;
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            char *inner = file_join(path, entry->d_name);
            count += entry->d_name[0] != '.' ? replay(inner) : 0;
            free(inner);
        }
        if (dir != NULL)
            closedir(dir);
        return count;
    }
    struct error error = { 0 };
    if (file_read(path, 64 << 20, &bytes, &length, &error) < 0) {
        fprintf(stderr, "fuzz_okta: %s\n", error.text);
        exit(1);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, length);
    free(bytes);
    return 1;
}

/* Without arguments: the project's own corpus. */
int main(int argc, char **argv)
{
    const char *source = getenv("PROVOST_SOURCE");
    char *corpus = str_printf("%s/tests/fuzz/corpus/okta", source != NULL ? source : ".");
    int count = 0;

    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    if (argc == 1)
        count = replay(corpus);
    free(corpus);
    printf("1..1\n%s 1 - the corpus replays: %d bodies\n", count > 0 ? "ok" : "not ok", count);
    return count > 0 ? 0 : 1;
}
#endif
