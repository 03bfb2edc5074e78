#include "connectors/session/match.h"

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

static bool is_one_of(const char *const *users, const char *bytes, size_t length)
{
    for (; *users != NULL; users++)
        if (**users != '\0' && strlen(*users) == length && memcmp(*users, bytes, length) == 0)
            return true;
    return false;
}

/* Cheap: none of the names stands in these bytes in any way. An escape could
 * hide one, and a code around the value hides all. */
static bool cannot_be_theirs(const struct layout *layout, const char *const *users, const char *bytes, size_t length)
{
    if (layout->format == FORMAT_DJANGO || (layout->format == FORMAT_JSON && memchr(bytes, '\\', length) != NULL))
        return false;
    for (; *users != NULL; users++)
        if (memmem(bytes, length, *users, strlen(*users)) != NULL)
            return false;
    return true;
}

static bool any_stands(const struct layout *layout, const char *const *users, const char *bytes, size_t length)
{
    const char *member = layout->user_at != NULL ? strrchr(layout->user_at, '/') : NULL;

    for (; *users != NULL; users++)
        if (layout->format == FORMAT_JAVA ? java_stands(bytes, length, *users)
                                          : token_stands(bytes, length, *users, member != NULL ? member + 1 : NULL))
            return true;
    return false;
}

/* ---- whose ---- */

static enum match match_plain(const struct layout *layout, const char *const *users, const char *bytes, size_t length,
                              int64_t *ret_created_us)
{
    cleanup_buf struct buf text = { 0 };
    bool theirs;

    if (cannot_be_theirs(layout, users, bytes, length))
        return MATCH_OTHER;
    if (match_tells_owner(layout)) {
        int found = find(layout, bytes, length, layout->user_at != NULL ? layout->user_at : "", &text);
        if (found < 0)
            return MATCH_UNREADABLE;
        theirs = found == 1 && is_one_of(users, text.bytes != NULL ? text.bytes : "", text.length);
    } else {
        theirs = any_stands(layout, users, bytes, length);
    }
    if (theirs && ret_created_us != NULL)
        *ret_created_us = created_of(layout, bytes, length);
    return theirs ? MATCH_THEIRS : MATCH_OTHER;
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
