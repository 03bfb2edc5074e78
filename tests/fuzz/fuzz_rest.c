/*
 * fuzz_rest: any answer of an API, at any pointer, and any change to it.
 * Nothing crashes; what cannot be read is refused; a document that a JSON Patch
 * or a merge patch of ours is made for has the wanted value afterwards.
 *
 *     clang -fsanitize=fuzzer,address,undefined -DFUZZING … fuzz_rest.c
 * The input: a pointer, and after the first newline an answer's body.
 */
#include "tests/fuzz/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/pages.h"
#include "connectors/rest/pointer.h"
#include "connectors/rest/request.h"

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_rest: %s\n", what);
    abort();
}

/* Each part that reads an answer, at this pointer. */
static void read_answer(const char *pointer, const json_t *document)
{
    json_t *settings = json_pack("{s:{s:{s:s,s:{s:s,s:s}}},s:{s:s,s:s,s:s,s:s,s:{s:s,s:[s,b]}}}", "requests", "list", "items",
                                 pointer, "next", "by", "offset", "total", pointer, "result", "id", pointer, "item", pointer,
                                 "failure", pointer, "code", pointer, "disabled", "pointer", pointer, "values", "x", 0);
    const json_t *found = NULL;
    struct error error = { 0 };
    struct call call;
    char *id = NULL;

    if (settings == NULL || call_find(settings, CALL_LIST, false, &call, NULL) < 0) {
        json_decref(settings);
        return;
    }
    if (answer_items(&call, document, &found, &error) == 0)
        demand(found == NULL || json_is_array(found), "items that are no list");
    if (answer_item(&call, document, &found, &error) == 0)
        demand(json_is_object(found), "an item that is no object");
    if (answer_id(&call, document, &id, &error) == 0)
        demand(id[0] != '\0', "an id without a character");
    int disabled = answer_disabled(&call, document);
    demand(disabled >= -1 && disabled <= 1, "disabled is neither so nor so");
    free(answer_failure(&call, document));
    answer_message(&call, document);
    free(id);
    json_decref(settings);
}

/* What is set is there afterwards, and only there. */
static void set_pointer(const char *pointer, const json_t *document)
{
    json_t *copy = json_deep_copy(document), *value = json_string("wanted");
    struct error error = { 0 };

    if (pointer_set(copy, pointer, value, &error) == 0 && !str_ends(pointer, "/-") && strstr(pointer, "/-/") == NULL)
        demand(pointer_get(copy, pointer) == value, "what was set is not there");
    pointer_remove(copy, pointer);
    json_decref(copy);
    json_decref(value);
}

static void make_patches(const char *pointer, const json_t *document)
{
    struct change change = { CHANGE_REPLACE, (char *)(uintptr_t) "a", json_pack("{s:s,s:[i]}", "x", "wanted", "y", 1) };
    struct operation operation = { .kind = OPERATION_UPDATE, .changes = &change, .change_count = 1 };
    json_t *pointers = json_pack("{s:s}", "a", pointer);
    struct differences differences = { 0 };

    for (int removes = 0; pointers != NULL && removes < 2; removes++) {
        change.kind = removes ? CHANGE_DELETE : CHANGE_REPLACE;
        if (differences_find(&operation, pointers, document, &differences, NULL) < 0)
            continue;
        struct patch_input input = { NULL, pointers, document, &differences };
        for (enum send send = SEND_DOCUMENT; send < SEND_COUNT; send++) {
            json_t *body = NULL;
            if (patch_make(send, &input, &body, NULL) == 0 && send == SEND_DOCUMENT && strstr(pointer, "/-") == NULL && !removes)
                demand(differences.count == 0 || value_fits(change.values, pointer_get(body, pointer)),
                       "the document lacks the change");
            json_decref(body);
        }
        differences_clear(&differences);
    }
    json_decref(pointers);
    json_decref(change.values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *pointer = strndup((const char *)data, size);
    char *newline = strchr(pointer, '\n');
    const char *body = newline != NULL ? newline + 1 : "";
    struct error error = { 0 };
    json_t *document = NULL;

    if (newline != NULL)
        *newline = '\0';
    free(pages_link_next(pointer));
    free(pages_link_next(body));
    free(patch_scim_path(pointer));
    request_check_path(pointer, &error);
    if (answer_parse(body, strlen(body), NULL, &document, &error) < 0) {
        demand(document == NULL && error.text[0] != '\0', "an error without words");
        return 0;
    }
    demand(pointer_is_valid(pointer) || pointer_get(document, pointer) == NULL, "a broken pointer leads somewhere");
    read_answer(pointer, document);
    if (json_is_object(document) && str_is_utf8(pointer, strlen(pointer))) {
        set_pointer(pointer, document);
        make_patches(pointer, document);
    }
    json_decref(document);
    return 0;
}

REPLAY_MAIN("rest")
