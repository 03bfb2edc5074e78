#include "source/json_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

void json_scan_start(struct json_scan *scan, const char *text, size_t length, int depth_most)
{
    *scan = (struct json_scan){ .start = text, .at = text, .end = text + length, .depth_most = depth_most };
}

static bool fail(struct json_scan *scan, const char *problem)
{
    if (scan->problem == NULL)
        scan->problem = problem;
    return false;
}

static void skip_space(struct json_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool take(struct json_scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

enum json_kind json_scan_kind(struct json_scan *scan)
{
    skip_space(scan);
    if (scan->problem != NULL || scan->at == scan->end)
        return JSON_KIND_BAD;
    switch (*scan->at) {
    case '{':
        return JSON_KIND_OBJECT;
    case '[':
        return JSON_KIND_ARRAY;
    case '"':
        return JSON_KIND_STRING;
    default:
        return JSON_KIND_OTHER;
    }
}

bool json_scan_enter(struct json_scan *scan)
{
    enum json_kind kind = json_scan_kind(scan);

    if (kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY)
        return fail(scan, "an object or array was expected");
    if (scan->depth == scan->depth_most)
        return fail(scan, "it is nested too deeply");
    scan->depth++;
    scan->at++;
    scan->first = true;
    return true;
}

static bool leave(struct json_scan *scan)
{
    scan->depth--;
    scan->first = false;
    return false;
}

/* Past the comma before the next entry; false at the end (consumed). */
static bool next_entry(struct json_scan *scan, char close)
{
    if (scan->problem != NULL)
        return false;
    skip_space(scan);
    if (take(scan, close))
        return leave(scan);
    if (!scan->first && !take(scan, ','))
        return fail(scan, close == '}' ? "\",\" or \"}\" was expected" : "\",\" or \"]\" was expected");
    scan->first = false;
    return true;
}

bool json_scan_member(struct json_scan *scan, struct json_slice *ret_key)
{
    if (!next_entry(scan, '}'))
        return false;
    if (json_scan_kind(scan) != JSON_KIND_STRING)
        return fail(scan, "a member's name in quotes was expected");
    if (!json_scan_string(scan, ret_key))
        return false;
    skip_space(scan);
    return take(scan, ':') || fail(scan, "\":\" was expected");
}

bool json_scan_element(struct json_scan *scan)
{
    return next_entry(scan, ']');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool skip_escape(struct json_scan *scan)
{
    scan->at++;
    if (scan->at == scan->end || *scan->at == '\0' || strchr("\"\\/bfnrtu", *scan->at) == NULL)
        return fail(scan, "it has a backslash before something that cannot follow one");
    if (*scan->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, scan->at++)
        if (scan->at == scan->end || hex_digit(*scan->at) < 0)
            return fail(scan, "four hexadecimal digits were expected after \\u");
    return true;
}

/* Past bytes that stand for themselves; tells whether all were ASCII. */
static bool skip_plain(struct json_scan *scan)
{
    const unsigned char *p = (const unsigned char *)scan->at, *end = (const unsigned char *)scan->end;
    unsigned seen = 0;

    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
        seen |= *p++;
    scan->at = (const char *)p;
    return seen < 0x80;
}

bool json_scan_string(struct json_scan *scan, struct json_slice *ret_slice)
{
    struct json_slice slice = { 0 };
    bool ascii = true;

    if (json_scan_kind(scan) != JSON_KIND_STRING)
        return fail(scan, "a string was expected");
    slice.at = ++scan->at;
    for (;;) {
        ascii &= skip_plain(scan);
        if (scan->at == scan->end)
            return fail(scan, "it ends inside a string");
        if (*scan->at == '"')
            break;
        if (*scan->at != '\\')
            return fail(scan, "a string holds a bare control character");
        slice.escaped = true;
        if (!skip_escape(scan))
            return false;
    }
    slice.length = (size_t)(scan->at - slice.at);
    if (!ascii && !str_is_utf8(slice.at, slice.length))
        return fail(scan, "a string is not UTF-8");
    scan->at++;
    scan->first = false;
    *ret_slice = slice;
    return true;
}

static size_t skip_digits(struct json_scan *scan)
{
    const char *start = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - start);
}

static bool skip_number(struct json_scan *scan)
{
    take(scan, '-');
    if (!take(scan, '0') && skip_digits(scan) == 0)
        return false;
    if (take(scan, '.') && skip_digits(scan) == 0)
        return false;
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            take(scan, '-');
        return skip_digits(scan) != 0;
    }
    return true;
}

static bool skip_word(struct json_scan *scan, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

static bool skip_other(struct json_scan *scan)
{
    scan->first = false;
    return skip_word(scan, "null") || skip_word(scan, "true") || skip_word(scan, "false") || skip_number(scan) ||
           fail(scan, "a value was expected");
}

/* Recursion is bounded by depth_most. */
bool json_scan_skip(struct json_scan *scan)
{
    struct json_slice ignored;

    switch (json_scan_kind(scan)) {
    case JSON_KIND_OBJECT:
        if (json_scan_enter(scan))
            while (json_scan_member(scan, &ignored))
                json_scan_skip(scan);
        break;
    case JSON_KIND_ARRAY:
        if (json_scan_enter(scan))
            while (json_scan_element(scan))
                json_scan_skip(scan);
        break;
    case JSON_KIND_STRING:
        return json_scan_string(scan, &ignored);
    case JSON_KIND_OTHER:
        return skip_other(scan);
    case JSON_KIND_BAD:
        return fail(scan, "it ends where a value was expected");
    }
    return scan->problem == NULL;
}

bool json_scan_finish(struct json_scan *scan)
{
    skip_space(scan);
    if (scan->at != scan->end)
        fail(scan, "something follows where it should have ended");
    return scan->problem == NULL;
}

size_t json_scan_offset(const struct json_scan *scan)
{
    return (size_t)(scan->at - scan->start);
}

bool json_slice_is(const struct json_slice *slice, const char *word)
{
    size_t length = strlen(word);
    char text[64 * 6];

    if (!slice->escaped)
        return slice->length == length && memcmp(slice->at, word, length) == 0;
    /* an escape has at most six bytes for each of the word's */
    return slice->length < sizeof(text) && slice->length <= length * 6 && json_slice_decode(slice, text) && strcmp(text, word) == 0;
}

static unsigned take_hex4(const char *at)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 4 | (unsigned)hex_digit(at[i]);
    return value;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    int tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    *out++ = (char)(lead[tail] | (c >> (6 * tail)));
    while (tail-- > 0)
        *out++ = (char)(0x80 | ((c >> (6 * tail)) & 0x3f));
    return out;
}

/* *at stands behind "\u"; past the digits, and past the second half of a pair. */
static bool take_unicode(const char **at, const char *end, uint32_t *ret_c)
{
    uint32_t c = take_hex4(*at);

    *at += 4;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
            return false;
        uint32_t low = take_hex4(*at + 2);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        *at += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c == 0 || (c >= 0xdc00 && c <= 0xdfff)) {
        return false;
    }
    *ret_c = c;
    return true;
}

bool json_slice_decode(const struct json_slice *slice, char *text)
{
    static const char escapes[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char *at = slice->at, *end = at + slice->length;

    while (at < end) {
        if (*at != '\\') {
            *text++ = *at++;
            continue;
        }
        char c = at[1];
        at += 2;
        const char *escape = strchr(escapes, c);
        uint32_t unicode;
        if (c != 'u')
            *text++ = escape != NULL ? values[escape - escapes] : c;
        else if (take_unicode(&at, end, &unicode))
            text = put_utf8(text, unicode);
        else
            return false;
    }
    *text = '\0';
    return true;
}
