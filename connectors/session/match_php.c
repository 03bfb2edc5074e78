/*
 * PHP's serialised values: lengths are walked, nothing is built.
 * Source: the PHP manual, "serialize", and ext/session (name|value…).
 */
#include <string.h>

#include "connectors/session/match_private.h"

#define DEPTH_MOST 64
#define DIGITS_MOST 10

struct reader {
    const char *at, *end;
    int depth;
};

struct span {
    const char *bytes;
    size_t length;
};

static bool take(struct reader *reader, char c)
{
    if (reader->at >= reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* Digits up to `stop`, which is taken too. */
static bool take_length(struct reader *reader, char stop, size_t *ret_length)
{
    size_t length = 0;
    const char *start = reader->at;

    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (reader->at - start == DIGITS_MOST)
            return false;
        length = length * 10 + (size_t)(*reader->at - '0');
    }
    *ret_length = length;
    return reader->at > start && take(reader, stop);
}

/* LENGTH:"…", as after "s:". */
static bool take_text(struct reader *reader, struct span *ret_text)
{
    size_t length;

    if (!take_length(reader, ':', &length) || !take(reader, '"') || length > (size_t)(reader->end - reader->at))
        return false;
    *ret_text = (struct span){ reader->at, length };
    reader->at += length;
    return take(reader, '"');
}

/* Up to the ";" that ends a number or a reference. */
static bool take_plain(struct reader *reader, struct span *ret_text)
{
    const char *end = memchr(reader->at, ';', (size_t)(reader->end - reader->at));

    if (end == NULL)
        return false;
    *ret_text = (struct span){ reader->at, (size_t)(end - reader->at) };
    reader->at = end + 1;
    return true;
}

static bool skip_value(struct reader *reader);

static bool skip_pairs(struct reader *reader)
{
    bool good = ++reader->depth <= DEPTH_MOST;

    while (good && !take(reader, '}'))
        good = skip_value(reader) && skip_value(reader);
    reader->depth--;
    return good;
}

/* The head of an array or object, up to its "{"; false: it is neither. */
static bool enter(struct reader *reader, char kind)
{
    struct span name;
    size_t count;

    if (kind == 'O' && !(take_text(reader, &name) && take(reader, ':')))
        return false;
    return take_length(reader, ':', &count) && take(reader, '{');
}

static bool skip_custom(struct reader *reader) /* C:…: its own bytes, by length */
{
    struct span name;
    size_t length;

    if (!take_text(reader, &name) || !take(reader, ':') || !take_length(reader, ':', &length) || !take(reader, '{') ||
        length > (size_t)(reader->end - reader->at))
        return false;
    reader->at += length;
    return take(reader, '}');
}

static bool take_kind(struct reader *reader, char *ret_kind)
{
    if (reader->end - reader->at < 2)
        return false;
    *ret_kind = *reader->at++;
    return take(reader, *ret_kind == 'N' ? ';' : ':');
}

static bool skip_value(struct reader *reader)
{
    struct span text;
    char kind;

    if (!take_kind(reader, &kind))
        return false;
    switch (kind) {
    case 'N':
        return true;
    case 'b':
    case 'i':
    case 'd':
    case 'r':
    case 'R':
        return take_plain(reader, &text);
    case 's':
    case 'E':
        return take_text(reader, &text) && take(reader, ';');
    case 'a':
    case 'O':
        return enter(reader, kind) && skip_pairs(reader);
    case 'C':
        return skip_custom(reader);
    default:
        return false;
    }
}

/* A scalar, or the name of a member; false where it is neither. */
static bool take_scalar(struct reader *reader, struct span *ret_text)
{
    char kind;

    if (!take_kind(reader, &kind))
        return false;
    if (kind == 'i')
        return take_plain(reader, ret_text);
    return kind == 's' && take_text(reader, ret_text) && take(reader, ';');
}

/* A property's name stands behind NUL Class NUL when it is private. */
static bool is_named(struct span name, const struct buf *part)
{
    const char *nul = name.length > 0 ? memrchr(name.bytes, '\0', name.length) : NULL;

    if (nul != NULL)
        name = (struct span){ nul + 1, name.length - (size_t)(nul + 1 - name.bytes) };
    return name.length == part->length && memcmp(name.bytes, part->bytes != NULL ? part->bytes : "", name.length) == 0;
}

static int find_value(struct reader *reader, const char *pointer, struct buf *text);

static int find_in_pairs(struct reader *reader, const struct buf *part, const char *pointer, struct buf *text)
{
    struct span name;

    if (++reader->depth > DEPTH_MOST)
        return -1;
    while (!take(reader, '}')) {
        if (!take_scalar(reader, &name))
            return -1;
        if (is_named(name, part))
            return find_value(reader, pointer, text);
        if (!skip_value(reader))
            return -1;
    }
    return 0;
}

/* The value at the reader, or what `pointer` names within it. */
static int find_value(struct reader *reader, const char *pointer, struct buf *text)
{
    cleanup_buf struct buf part = { 0 };
    struct span scalar;
    char kind;

    if (reader->at >= reader->end)
        return -1;
    kind = *reader->at;
    if (!pointer_next(&pointer, &part)) {
        if (kind != 'i' && kind != 's')
            return 0;
        if (!take_scalar(reader, &scalar))
            return -1;
        buf_add(text, scalar.bytes, scalar.length);
        return 1;
    }
    if (kind != 'a' && kind != 'O')
        return 0;
    if (!take_kind(reader, &kind) || !enter(reader, kind))
        return -1;
    return find_in_pairs(reader, &part, pointer, text);
}

int php_find(const char *bytes, size_t length, const char *pointer, struct buf *text)
{
    struct reader reader = { bytes, bytes + length, 0 };
    cleanup_buf struct buf part = { 0 };

    if (!pointer_next(&pointer, &part))
        return 0;
    while (reader.at < reader.end) {
        const char *bar = memchr(reader.at, '|', (size_t)(reader.end - reader.at));
        if (bar == NULL)
            return -1;
        struct span name = { reader.at, (size_t)(bar - reader.at) };
        reader.at = bar + 1;
        if (name.length > 0 && name.bytes[0] == '!')
            continue; /* registered, without a value */
        if (is_named(name, &part))
            return find_value(&reader, pointer, text);
        if (!skip_value(&reader))
            return -1;
    }
    return 0;
}

int serialized_find(const char *bytes, size_t length, const char *pointer, struct buf *text)
{
    struct reader reader = { bytes, bytes + length, 0 };
    struct span inner;

    if (length > 2 && bytes[0] == 's') { /* the text of a serialised value, serialised again */
        if (!take_scalar(&reader, &inner))
            return -1;
        reader = (struct reader){ inner.bytes, inner.bytes + inner.length, 0 };
    }
    if (*pointer == '/' && (reader.at >= reader.end || (*reader.at != 'a' && *reader.at != 'O')))
        return -1; /* encrypted, or coded otherwise */
    return find_value(&reader, pointer, text);
}
