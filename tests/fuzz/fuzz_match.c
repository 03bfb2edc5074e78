/*
 * fuzz_match: any bytes as a stored session in every format. Nothing crashes,
 * nothing is read beyond the end, who is found by name owns the value, and a
 * search comes to the same however the value is cut into pieces.
 *
 *     clang -fsanitize=fuzzer,address,undefined -DFUZZING … fuzz_match.c
 * The input: the name, a newline, the value.
 */
#include "tests/fuzz/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/look.h"

static void look(int format, int encoding, const char *name, const uint8_t *value, size_t length)
{
    static const char *const pointers[] = { "/user", "/passport/user", "/0/a~1b", "/_auth_user_id" };
    const char *const users[] = { name, NULL };

    for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
        const struct layout layout = { .format = format, .encoding = encoding, .user_at = (char *)(uintptr_t)pointers[i],
                                       .created_at = (char *)(uintptr_t)"/createdAt" };
        char *owner = NULL;
        int64_t created_us = 0;
        enum match theirs = match_value(&layout, users, value, length, &created_us);
        enum match somebodys = match_owner(&layout, value, length, &owner, NULL);
        bool named = somebodys == MATCH_THEIRS && owner != NULL && strcmp(owner, name) == 0;
        if (match_tells_owner(&layout) && (theirs == MATCH_THEIRS) != named)
            abort(); /* the short way and the long way agree */
        free(owner);
    }
}

static enum match search(const struct layout *layout, const char *const *users, const uint8_t *value, size_t length, size_t piece)
{
    struct look *look = look_begin(layout);

    if (look == NULL || !look_for(look, users))
        abort();
    for (size_t at = 0; at < length; at += piece)
        look_piece(look, value + at, length - at < piece ? length - at : piece);
    enum match match = look_end(look, 0);
    look_free(look);
    return match;
}

static void look_through(int format, int encoding, const char *name, const uint8_t *value, size_t length)
{
    const char *const users[] = { name, NULL };
    const struct layout layout = { .format = format, .encoding = encoding, .user_at = (char *)(uintptr_t)"/user" };
    enum match whole = search(&layout, users, value, length, length + 1);

    if (search(&layout, users, value, length, 3) != whole)
        abort();
    look_at_value(&layout, users, value, length, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t name_length = newline != NULL ? (size_t)(newline - data) : 0;
    cleanup_free char *name = strndup((const char *)data, name_length);
    size_t length = newline != NULL ? size - name_length - 1 : size;
    uint8_t *value = malloc(length + 1); /* of its own, so that a read beyond the end is seen */

    if (name == NULL || value == NULL)
        abort();
    if (length > 0)
        memcpy(value, newline != NULL ? newline + 1 : data, length);
    uint8_t *exact = realloc(value, length > 0 ? length : 1);
    for (int format = FORMAT_TOKEN; format < FORMAT_COOKIE; format++)
        for (int encoding = ENCODING_NONE; encoding <= ENCODING_BASE64; encoding++)
            look(format, encoding, name, exact, length), look_through(format, encoding, name, exact, length);
    for (int unit = UNIT_MILLISECONDS; unit <= UNIT_DATE; unit++)
        match_time(unit, exact, length);
    free(exact);
    return 0;
}

REPLAY_MAIN("match")
