/*
 * JSON, and Django's signed data around it.
 * Sources: RFC 6901; django/core/signing.py (dumps, TimestampSigner),
 * contrib/sessions/serializers.py.
 */
#include <jansson.h>
#include <zlib.h>

#include "connectors/session/match_private.h"

#define INFLATED_BYTES_MOST ((size_t)16 << 20)

bool pointer_next(const char **pointer, struct buf *part)
{
    const char *at = *pointer;

    buf_reset(part);
    if (*at != '/')
        return false;
    for (at++; *at != '\0' && *at != '/'; at++) {
        bool escaped = *at == '~' && (at[1] == '0' || at[1] == '1');
        buf_add_char(part, escaped ? (at[1] == '0' ? '~' : '/') : *at);
        at += escaped;
    }
    *pointer = at;
    return true;
}

static const json_t *member(const json_t *value, const struct buf *part)
{
    const char *name = part->bytes != NULL ? part->bytes : "";
    long long index;

    if (json_is_array(value) && str_to_int64(name, &index) && index >= 0)
        return json_array_get(value, (size_t)index);
    return json_object_get(value, name);
}

int json_find(const char *bytes, size_t length, const char *pointer, struct buf *text)
{
    cleanup_buf struct buf part = { 0 };
    json_t *root = json_loadb(bytes, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    const json_t *value = root;
    int found = 0;

    if (root == NULL || (json_is_string(root) && *pointer == '/')) { /* a text in which members are coded once more */
        json_decref(root);
        return -1;
    }
    while (value != NULL && pointer_next(&pointer, &part))
        value = member(value, &part);
    if (json_is_string(value))
        buf_add(text, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        buf_printf(text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        buf_printf(text, "%.6f", json_real_value(value));
    found = json_is_string(value) || json_is_number(value);
    json_decref(root);
    return found;
}

/* ---- Django ---- */

int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(const char *bytes, size_t length, struct buf *decoded)
{
    unsigned bits = 0;
    int count = 0;

    while (length > 0 && bytes[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        int digit = base64_digit(bytes[i]);
        if (digit < 0)
            return false;
        bits = (bits << 6 | (unsigned)digit) & 0xffffffu;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_add_char(decoded, (char)(bits >> count & 0xffu));
        }
    }
    return !decoded->failed;
}

static bool inflate_all(const struct buf *packed, struct buf *plain)
{
    z_stream stream = { .next_in = (Bytef *)packed->bytes, .avail_in = (uInt)packed->length };
    char chunk[16384];
    int code = inflateInit(&stream);

    while (code == Z_OK && plain->length <= INFLATED_BYTES_MOST) {
        stream.next_out = (Bytef *)chunk;
        stream.avail_out = sizeof(chunk);
        code = inflate(&stream, Z_NO_FLUSH);
        if (code == Z_OK || code == Z_STREAM_END)
            buf_add(plain, chunk, sizeof(chunk) - stream.avail_out);
    }
    inflateEnd(&stream);
    return code == Z_STREAM_END && plain->length <= INFLATED_BYTES_MOST && !plain->failed;
}

int django_find(const char *bytes, size_t length, const char *pointer, struct buf *text)
{
    cleanup_buf struct buf decoded = { 0 }, plain = { 0 };
    bool packed = length > 0 && bytes[0] == '.';
    const char *colon = length > 0 ? memchr(bytes, ':', length) : NULL;

    if (colon == NULL || !base64_decode(bytes + packed, (size_t)(colon - bytes) - packed, &decoded))
        return -1;
    if (!packed)
        return json_find(decoded.bytes != NULL ? decoded.bytes : "", decoded.length, pointer, text);
    if (decoded.length == 0 || !inflate_all(&decoded, &plain))
        return -1;
    return json_find(plain.bytes != NULL ? plain.bytes : "", plain.length, pointer, text);
}
