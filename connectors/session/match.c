#include "connectors/session/match.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "connectors/session/match_private.h"
#include "connectors/session/match_token.h"

/* ---- what stands where ---- */

/* 1, 0, -1 as in match_private.h; for formats that tell the owner. */
static int find(const struct layout *layout, const char *bytes, size_t length, const char *pointer, struct buf *text)
{
    switch ((enum layout_format)layout->format) {
    case FORMAT_JSON:
        return json_find(bytes, length, pointer, text);
    case FORMAT_PHP:
        return php_find(bytes, length, pointer, text);
    case FORMAT_SERIALIZED:
        return serialized_find(bytes, length, pointer, text);
    case FORMAT_DJANGO:
        return django_find(bytes, length, pointer, text);
    case FORMAT_PLAIN:
        buf_add(text, bytes, length);
        return 1;
    case FORMAT_TOKEN:
    case FORMAT_JAVA:
    case FORMAT_COOKIE:
        break;
    }
    return 0;
}

static int64_t created_of(const struct layout *layout, const char *bytes, size_t length)
{
    cleanup_buf struct buf text = { 0 };

    if (layout->created_at == NULL || layout->type == TYPE_HASH || find(layout, bytes, length, layout->created_at, &text) != 1)
        return 0;
    return match_time(layout->created_unit, text.bytes, text.length);
}

static bool is_one_of(const char *const *users, const char *bytes, size_t length, bool fold)
{
    for (; *users != NULL; users++)
        if (**users != '\0' && names_equal(bytes, length, *users, fold))
            return true;
    return false;
}

/* Theirs by the exact name; by a name in another case as the layout says. */
static enum match by_case(const struct layout *layout, bool exact, bool folded)
{
    if (exact || (folded && layout->ignore_case == CASE_IGNORED))
        return MATCH_THEIRS;
    return folded && layout->ignore_case == CASE_TELL ? MATCH_CASED : MATCH_OTHER;
}

enum match match_name(const struct layout *layout, const char *const *users, const char *bytes, size_t length)
{
    bool exact = is_one_of(users, bytes, length, false);

    return by_case(layout, exact, !exact && layout->ignore_case != CASE_EXACT && is_one_of(users, bytes, length, true));
}

/* Cheap: none of the names stands in these bytes in any way. An escape could
 * hide one, and a code around the value hides all. */
static bool cannot_be_theirs(const struct layout *layout, const char *const *users, const char *bytes, size_t length)
{
    if (layout->format == FORMAT_DJANGO || (layout->format == FORMAT_JSON && memchr(bytes, '\\', length) != NULL))
        return false;
    for (; *users != NULL; users++)
        if (name_in(bytes, length, *users, layout->ignore_case != CASE_EXACT) != NULL)
            return false;
    return true;
}

static bool any_stands(const struct layout *layout, const char *const *users, const char *bytes, size_t length, bool fold)
{
    const char *member = layout->user_at != NULL ? strrchr(layout->user_at, '/') : NULL;

    for (; *users != NULL; users++)
        if (layout->format == FORMAT_JAVA ? java_stands(bytes, length, *users, fold)
                                          : token_stands(bytes, length, *users, member != NULL ? member + 1 : NULL, fold))
            return true;
    return false;
}

/* ---- how a value begins ---- */

/* What compressors write first; zlib's two bytes are a number that 31 divides. */
static bool is_packed(const unsigned char *bytes, size_t length)
{
    static const struct {
        const char *bytes;
        size_t length;
    } marks[] = {
        { "\x1f\x8b", 2 }, { "\x28\xb5\x2f\xfd", 4 }, { "\x04\x22\x4d\x18", 4 }, { "BZh", 3 }, { "\xfd" "7zXZ", 5 },
        { "\xff\x06\0\0sNaPpY", 10 },
    };

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (length >= marks[i].length && memcmp(bytes, marks[i].bytes, marks[i].length) == 0)
            return true;
    return length >= 2 && (bytes[0] & 0x8f) == 0x08 && (bytes[0] << 8 | bytes[1]) % 31 == 0;
}

/* A letter of PHP's serialize(), and the number that follows it. A new letter would still be text. */
static bool begins_serialized(const char *bytes, size_t length)
{
    if (length >= 2 && bytes[0] == 'N' && bytes[1] == ';')
        return true;
    return length >= 3 && isalpha((unsigned char)bytes[0]) && bytes[1] == ':' && bytes[2] != '\0' &&
           strchr("0123456789+-.IN", bytes[2]) != NULL;
}

#define PHP_NAME_MOST 256

static bool begins_php(const char *bytes, size_t length)
{
    const char *bar = memchr(bytes, '|', length < PHP_NAME_MOST ? length : PHP_NAME_MOST);

    for (const char *c = bytes; bar != NULL && c < bar; c++)
        if ((unsigned char)*c < ' ')
            return false;
    return bar != NULL && bar > bytes && (bytes[0] == '!' || begins_serialized(bar + 1, length - (size_t)(bar + 1 - bytes)));
}

/* The text of a serialised value may be serialised again; one that is coded otherwise hides all. */
static bool begins_wrapped(const char *bytes, size_t length)
{
    const char *quote = length > 2 && bytes[0] == 's' ? memchr(bytes, '"', length < 16 ? length : 16) : NULL;

    if (quote != NULL)
        return quote[1] != 's' && begins_serialized(quote + 1, length - (size_t)(quote + 1 - bytes));
    return begins_serialized(bytes, length);
}

/* A number or word is a whole value; a text may be coded. */
static bool begins_json(const char *bytes, size_t length)
{
    while (length > 0 && *bytes != '\0' && strchr(" \t\r\n", *bytes) != NULL)
        bytes++, length--;
    bool scalar = length > 0 && length < 32;
    for (size_t i = 0; scalar && i < length; i++)
        scalar = bytes[i] != '\0' && strchr("0123456789+-.eEtrufalsn \r\n", bytes[i]) != NULL;
    return scalar || (length > 0 && (*bytes == '{' || *bytes == '['));
}

bool match_begins(const struct layout *layout, const char *bytes, size_t length)
{
    switch ((enum layout_format)layout->format) {
    case FORMAT_JSON:
    case FORMAT_DJANGO:
        return begins_json(bytes, length);
    case FORMAT_PHP:
        return begins_php(bytes, length);
    case FORMAT_SERIALIZED:
        return begins_wrapped(bytes, length);
    case FORMAT_TOKEN:
    case FORMAT_JAVA:
        return !is_packed((const unsigned char *)bytes, length);
    case FORMAT_PLAIN:
    case FORMAT_COOKIE:
        break;
    }
    return true;
}

/* ---- whose ---- */

static enum match match_plain(const struct layout *layout, const char *const *users, const char *bytes, size_t length,
                              int64_t *ret_created_us)
{
    cleanup_buf struct buf text = { 0 };
    enum match match;

    if (cannot_be_theirs(layout, users, bytes, length))
        return match_begins(layout, bytes, length) ? MATCH_OTHER : MATCH_UNREADABLE;
    if (match_tells_owner(layout)) {
        int found = find(layout, bytes, length, layout->user_at != NULL ? layout->user_at : "", &text);
        if (found < 0)
            return MATCH_UNREADABLE;
        match = found == 1 ? match_name(layout, users, text.bytes != NULL ? text.bytes : "", text.length) : MATCH_OTHER;
    } else {
        bool exact = any_stands(layout, users, bytes, length, false);
        match = by_case(layout, exact, !exact && layout->ignore_case != CASE_EXACT && any_stands(layout, users, bytes, length, true));
        if (match == MATCH_OTHER && !match_begins(layout, bytes, length))
            return MATCH_UNREADABLE;
    }
    if (match == MATCH_THEIRS && ret_created_us != NULL)
        *ret_created_us = created_of(layout, bytes, length);
    return match;
}

enum match match_value(const struct layout *layout, const char *const *users, const void *bytes, size_t length,
                       int64_t *ret_created_us)
{
    cleanup_buf struct buf decoded = { 0 };

    if (length == 0)
        return MATCH_OTHER;
    if (layout->encoding != ENCODING_BASE64)
        return match_plain(layout, users, bytes, length, ret_created_us);
    if (!base64_decode(bytes, length, &decoded))
        return MATCH_UNREADABLE;
    return match_plain(layout, users, decoded.bytes != NULL ? decoded.bytes : "", decoded.length, ret_created_us);
}

bool match_tells_owner(const struct layout *layout)
{
    return layout->format != FORMAT_TOKEN && layout->format != FORMAT_JAVA && layout->format != FORMAT_COOKIE;
}

static enum match owner_of(const struct layout *layout, const char *bytes, size_t length, char **ret_user, int64_t *ret_created_us)
{
    struct buf text = { 0 };
    int found = match_tells_owner(layout) ? find(layout, bytes, length, layout->user_at != NULL ? layout->user_at : "", &text) : 0;

    if (found != 1 || text.length == 0 || memchr(text.bytes, '\0', text.length) != NULL) {
        buf_free(&text);
        return found < 0 ? MATCH_UNREADABLE : MATCH_OTHER;
    }
    *ret_user = buf_take(&text);
    if (ret_created_us != NULL)
        *ret_created_us = created_of(layout, bytes, length);
    return MATCH_THEIRS;
}

enum match match_owner(const struct layout *layout, const void *bytes, size_t length, char **ret_user, int64_t *ret_created_us)
{
    cleanup_buf struct buf decoded = { 0 };

    if (length == 0)
        return MATCH_OTHER;
    if (layout->encoding != ENCODING_BASE64)
        return owner_of(layout, bytes, length, ret_user, ret_created_us);
    if (!base64_decode(bytes, length, &decoded))
        return MATCH_UNREADABLE;
    return owner_of(layout, decoded.bytes != NULL ? decoded.bytes : "", decoded.length, ret_user, ret_created_us);
}

/* ---- times ---- */

#define TIME_BYTES_MOST 64
#define TIME_US_MOST 253402300799e6 /* the end of the year 9999 */

/* A JDK stream that ends in the eight bytes of a java.lang.Long. */
static bool java_long(const unsigned char *bytes, size_t length, double *ret_value)
{
    uint64_t value = 0;

    if (length < 12 || memcmp(bytes, "\xac\xed\x00\x05", 4) != 0 || memmem(bytes, length, "java.lang.Long", 14) == NULL)
        return false;
    for (size_t i = length - 8; i < length; i++)
        value = value << 8 | bytes[i];
    *ret_value = (double)(int64_t)value;
    return true;
}

/* As databases write it ("2026-11-22 21:10:03.5+00"), or RFC 3339. Without a zone it is UTC. */
static int64_t date_us(const char *text)
{
    char copy[TIME_BYTES_MOST + 8];
    size_t length = strlen(text);
    struct wall wall;

    snprintf(copy, sizeof(copy), "%s", text);
    if (length < 19)
        return 0;
    copy[10] = 'T';
    const char *zone = strpbrk(copy + 19, "Z+-");
    if (zone == NULL)
        strcpy(copy + length, "Z");
    else if (strlen(zone) == 3)
        strcpy(copy + length, ":00");
    return wall_parse(copy, &wall) ? wall.us : 0;
}

int64_t match_time(int unit, const void *bytes, size_t length)
{
    static const double us[] = { [UNIT_MILLISECONDS] = 1e3, [UNIT_SECONDS] = 1e6, [UNIT_MICROSECONDS] = 1 };
    char text[TIME_BYTES_MOST], *end = text;
    double value;

    if (bytes == NULL || length == 0)
        return 0;
    if (!java_long(bytes, length, &value)) {
        if (length >= sizeof(text))
            return 0;
        memcpy(text, bytes, length);
        text[length] = '\0';
        if (unit == UNIT_DATE)
            return date_us(text);
        value = strtod(text, &end);
        if (end == text || *end != '\0')
            return 0;
    }
    value *= unit == UNIT_DATE ? 1e3 : us[unit];
    return value > 0 && value < TIME_US_MOST ? (int64_t)value : 0;
}
