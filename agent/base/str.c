#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static bool buf_reserve(struct buf *buf, size_t extra)
{
    if (buf->failed)
        return false;
    if (extra > SIZE_MAX / 2 - buf->length - 1) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->length + extra + 1;
    if (need <= buf->capacity)
        return true;
    size_t capacity = buf->capacity != 0 ? buf->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    char *bytes = realloc(buf->bytes, capacity);
    if (bytes == NULL) {
        buf->failed = true;
        return false;
    }
    buf->bytes = bytes;
    buf->capacity = capacity;
    return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t length)
{
    if (!buf_reserve(buf, length))
        return;
    if (length != 0)
        memcpy(buf->bytes + buf->length, bytes, length);
    buf->length += length;
    buf->bytes[buf->length] = '\0';
}

void buf_add_str(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    if (!buf->failed && buf->length + 1 < buf->capacity) { /* many a text is built by the character */
        buf->bytes[buf->length++] = c;
        buf->bytes[buf->length] = '\0';
    } else {
        buf_add(buf, &c, 1);
    }
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0 || !buf_reserve(buf, (size_t)length)) {
        buf->failed = true;
        return;
    }
    vsnprintf(buf->bytes + buf->length, (size_t)length + 1, format, args);
    buf->length += (size_t)length;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_reset(struct buf *buf)
{
    buf->length = 0;
    if (buf->bytes != NULL)
        buf->bytes[0] = '\0';
}

char *buf_take(struct buf *buf)
{
    buf_add(buf, "", 0);
    char *bytes = buf->failed ? NULL : take_pointer(buf->bytes);
    free(buf->bytes);
    *buf = (struct buf){ 0 };
    return bytes;
}

void buf_free(struct buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->bytes);
    *buf = (struct buf){ 0 };
}

char *str_printf(const char *format, ...)
{
    struct buf buf = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    return buf_take(&buf);
}

char *str_dup(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

uint64_t str_hash(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t text_bytes = strlen(text);
    size_t suffix_bytes = strlen(suffix);

    return text_bytes >= suffix_bytes && strcmp(text + text_bytes - suffix_bytes, suffix) == 0;
}

/* Bytes that a UTF-8 sequence with this first byte has; 0 for none. */
static size_t utf8_sequence_bytes(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    if (first >= 0xf0 && first < 0xf5)
        return 4;
    return 0;
}

void str_trim_partial_utf8(char *text)
{
    size_t length = strlen(text);

    for (size_t back = 1; back <= 4 && back <= length; back++) {
        unsigned char c = (unsigned char)text[length - back];
        if ((c & 0xc0) == 0x80)
            continue;
        if (utf8_sequence_bytes(c) > back)
            text[length - back] = '\0';
        return;
    }
}

bool str_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;
    const unsigned char *end = p + length;

    while (p < end) {
        size_t n = utf8_sequence_bytes(*p);
        if (n == 0 || (size_t)(end - p) < n)
            return false;
        for (size_t i = 1; i < n; i++)
            if ((p[i] & 0xc0) != 0x80)
                return false;
        /* overlong forms, surrogates, beyond U+10FFFF */
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
            (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
            return false;
        p += n;
    }
    return true;
}

/* Terminals obey some of U+0080 to U+009F; those that turn the direction show a line other than it is. */
static const struct {
    char first[4], last[4];
} unsafe_ranges[] = {
    { "\xc2\x80", "\xc2\x9f" },         /* C1 */
    { "\xd8\x9c", "\xd8\x9c" },         /* U+061C */
    { "\xe2\x80\x8e", "\xe2\x80\x8f" }, /* U+200E, U+200F */
    { "\xe2\x80\xa8", "\xe2\x80\xae" }, /* U+2028 to U+202E */
    { "\xe2\x81\xa6", "\xe2\x81\xa9" }, /* U+2066 to U+2069 */
};

static bool is_unsafe(const char *text, size_t bytes)
{
    unsigned char c = (unsigned char)text[0];

    if (c < 0x20 || c == 0x7f)
        return true;
    for (size_t i = 0; i < sizeof(unsafe_ranges) / sizeof(unsafe_ranges[0]); i++)
        if (strlen(unsafe_ranges[i].first) == bytes && memcmp(text, unsafe_ranges[i].first, bytes) >= 0 &&
            memcmp(text, unsafe_ranges[i].last, bytes) <= 0)
            return true;
    return false;
}

size_t str_character(const char *text, bool *ret_safe)
{
    if (text[0] >= ' ' && text[0] <= '~') { /* nearly all: this is asked for each character of the status log */
        *ret_safe = true;
        return 1;
    }
    size_t bytes = utf8_sequence_bytes((unsigned char)text[0]);
    bool valid = bytes > 0 && strnlen(text, bytes) == bytes && str_is_utf8(text, bytes);

    if (text[0] == '\0')
        return 0;
    *ret_safe = valid && !is_unsafe(text, bytes);
    return valid ? bytes : 1;
}

void buf_add_visible(struct buf *buf, const char *text)
{
    size_t bytes;
    bool safe;

    for (; (bytes = str_character(text, &safe)) > 0; text += bytes) {
        if (safe)
            buf_add(buf, text, bytes);
        for (size_t i = 0; !safe && i < bytes; i++)
            buf_printf(buf, "\\x%02x", (unsigned char)text[i]);
    }
}

#define NEAREST_MAX 64

static size_t edit_distance(const char *a, const char *b)
{
    size_t previous[NEAREST_MAX + 1], current[NEAREST_MAX + 1];
    size_t a_length = strlen(a), b_length = strlen(b);

    for (size_t j = 0; j <= b_length; j++)
        previous[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        current[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = previous[j - 1] + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            size_t drop = previous[j] + 1, insert = current[j - 1] + 1;
            size_t least = change < drop ? change : drop;
            current[j] = least < insert ? least : insert;
        }
        memcpy(previous, current, sizeof(previous));
    }
    return previous[b_length];
}

const char *str_nearest(const char *word, const char *const *list)
{
    const char *best = NULL;
    size_t length = strlen(word);
    size_t limit = length < 3 ? 1 : (length + 2) / 3;

    if (length > NEAREST_MAX)
        return NULL;
    for (; *list != NULL; list++) {
        if (strlen(*list) > NEAREST_MAX)
            continue;
        size_t distance = edit_distance(word, *list);
        if (distance <= limit) {
            best = *list;
            if (distance == 0)
                break;
            limit = distance - 1;
        }
    }
    return best;
}

bool str_to_int64(const char *text, long long *ret_value)
{
    char *end;

    if (*text == '\0' || isspace((unsigned char)*text))
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret_value = value;
    return true;
}

bool str_to_number(const char *text, long long *ret_value)
{
    const char *digits = text + strspn(text, " +-");
    bool hex = strncasecmp(digits, "0x", 2) == 0;
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, hex ? 16 : 10);
    if (errno != 0 || end <= digits || end[strspn(end, " ")] != '\0')
        return false;
    *ret_value = value;
    return true;
}

static const struct {
    const char *name;
    long long us;
} duration_units[] = {
    { "us", 1 },
    { "ms", 1000 },
    { "s", 1000000 },
    { "second", 1000000 },
    { "seconds", 1000000 },
    { "min", 60000000 },
    { "minute", 60000000 },
    { "minutes", 60000000 },
    { "h", 3600000000LL },
    { "hour", 3600000000LL },
    { "hours", 3600000000LL },
    { "d", 86400000000LL },
    { "day", 86400000000LL },
    { "days", 86400000000LL },
    { "week", 604800000000LL },
    { "weeks", 604800000000LL },
};

bool str_to_duration_us(const char *text, long long *ret_us)
{
    char *end;
    long long us;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    long long count = strtoll(text, &end, 10);
    if (errno != 0)
        return false;
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
        if (strcmp(end, duration_units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(count, duration_units[i].us, &us))
            return false;
        *ret_us = us;
        return true;
    }
    return false;
}
