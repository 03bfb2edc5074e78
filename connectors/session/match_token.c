/*
 * A name in any bytes, as a whole token: either a length in front says that it
 * is all of a text, or no character of a name stands beside it.
 * Sources: the lengths of MessagePack (spec.md), pickle (pickletools.py), the
 * JDK (Object Serialization Specification 6.4), PHP (serialize).
 */
#include "connectors/session/match_token.h"

#include <stdint.h>
#include <string.h>

/* What may be part of a name; all of UTF-8's longer characters count. */
static bool is_name_byte(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80 || strchr("_-.@+%~", c) != NULL;
}

/* Is the byte before `at` the last one of a UTF-8 character? Then it is no length. */
static bool ends_character(const unsigned char *start, const unsigned char *at)
{
    for (int back = 2; back <= 4 && at - start >= back; back++) {
        unsigned char c = at[-back];
        if (c >= 0xc2 && c <= 0xf4)
            return back == (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2);
        if (c < 0x80)
            return false;
    }
    return false;
}

/* PHP: s:LENGTH:" */
static bool php_length(const unsigned char *start, const unsigned char *at, uint64_t *ret_length)
{
    const unsigned char *digit = at - 3;
    uint64_t length = 0, unit = 1;

    if (at - start < 5 || at[-1] != '"' || at[-2] != ':')
        return false;
    for (; digit > start && *digit >= '0' && *digit <= '9' && unit < UINT64_C(10000000000); digit--, unit *= 10)
        length += (uint64_t)(*digit - '0') * unit;
    if (digit == at - 3 || digit <= start || *digit != ':' || digit[-1] != 's')
        return false;
    *ret_length = length;
    return true;
}

/* A length that stands in front of the text that begins at `at`. */
static bool length_before(const unsigned char *start, const unsigned char *at, uint64_t *ret_length)
{
    size_t room = (size_t)(at - start);
    uint64_t length;

    if (php_length(start, at, ret_length))
        return true;
    if (room >= 2 && (at[-2] == 0x8c || at[-2] == 0xd9)) /* pickle SHORT_BINUNICODE, MessagePack str 8 */
        length = at[-1];
    else if (room >= 5 && at[-5] == 'X' && at[-1] == 0) /* pickle BINUNICODE */
        length = at[-4] | (uint64_t)at[-3] << 8 | (uint64_t)at[-2] << 16;
    else if (room >= 3 && (at[-3] == 't' || at[-3] == 0xda) && at[-2] < 0x20) /* JDK TC_STRING, MessagePack str 16 */
        length = (uint64_t)at[-2] << 8 | at[-1];
    else if (room >= 1 && at[-1] >= 0xa0 && at[-1] <= 0xbf && !ends_character(start, at)) /* MessagePack fixstr */
        length = at[-1] - 0xa0u;
    else
        return false;
    *ret_length = length;
    return true;
}

/* Nothing in front tells a length: what stands beside it decides. */
static bool stands_alone(const unsigned char *start, const unsigned char *end, const unsigned char *at, size_t length)
{
    bool first = at == start, last = at + length == end;

    if (!first && (at[-1] == '"' || at[-1] == '\''))
        return !last && (at[length] == at[-1] || at[length] == '\\'); /* all of what is quoted */
    return (first || !is_name_byte(at[-1])) && (last || !is_name_byte(at[length]));
}

bool token_stands(const char *bytes, size_t length, const char *name)
{
    const unsigned char *start = (const unsigned char *)bytes, *end = start + length, *at = start;
    size_t name_length = strlen(name);
    uint64_t told;

    while (name_length > 0 && (at = memmem(at, (size_t)(end - at), name, name_length)) != NULL) {
        if (length_before(start, at, &told) ? told == name_length : stands_alone(start, end, at, name_length))
            return true;
        at++;
    }
    return false;
}

bool java_stands(const char *bytes, size_t length, const char *name)
{
    const unsigned char *start = (const unsigned char *)bytes, *end = start + length, *at = start;
    size_t name_length = strlen(name);

    if (length < 4 || memcmp(bytes, "\xac\xed\x00\x05", 4) != 0)
        return token_stands(bytes, length, name); /* the application has put in another serialiser */
    while (name_length > 0 && (at = memmem(at, (size_t)(end - at), name, name_length)) != NULL) {
        if (at - start >= 3 && at[-3] == 't' && ((size_t)at[-2] << 8 | at[-1]) == name_length)
            return true;
        at++;
    }
    return false;
}
