/*
 * A name in any bytes, as a whole token: either a length in front says that it
 * is all of a text, or no character of a name stands beside it.
 * Sources: the lengths of MessagePack (spec.md), pickle (pickletools.py), the
 * JDK (Object Serialization Specification 6.4), PHP (serialize), Ruby
 * (Marshal: I"LENGTH+5).
 */
#include "connectors/session/match_token.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* ---- a name among bytes ---- */

bool names_equal(const char *bytes, size_t length, const char *name, bool fold)
{
    size_t at = 0;

    if (!fold)
        return strlen(name) == length && memcmp(bytes, name, length) == 0;
    while (at < length && name[at] != '\0' && tolower((unsigned char)bytes[at]) == tolower((unsigned char)name[at]))
        at++;
    return at == length && name[at] == '\0';
}

/* The character of the name that is looked for first: it has no case, and is rare. */
static size_t pivot_of(const char *name)
{
    const char *at = strchr(name, '@');

    for (size_t i = 0; at == NULL && name[i] != '\0'; i++)
        if (!isalpha((unsigned char)name[i]))
            return i;
    return at != NULL ? (size_t)(at - name) : 0;
}

/* The next `c`, in either case. */
static const char *next_letter(const char *from, const char *to, char c)
{
    const char *lower = memchr(from, tolower((unsigned char)c), (size_t)(to - from));
    const char *end = lower != NULL ? lower : to;
    const char *upper = isalpha((unsigned char)c) ? memchr(from, toupper((unsigned char)c), (size_t)(end - from)) : NULL;

    return upper != NULL ? upper : lower;
}

const char *name_in(const char *bytes, size_t length, const char *name, bool fold)
{
    size_t name_length = strlen(name), pivot = pivot_of(name);

    if (name_length == 0 || length < name_length)
        return NULL;
    if (!fold)
        return memmem(bytes, length, name, name_length);
    const char *at = bytes + pivot, *last = bytes + length - name_length + pivot;
    while (at <= last && (at = next_letter(at, last + 1, name[pivot])) != NULL) {
        if (names_equal(at - pivot, name_length, name, true))
            return at - pivot;
        at++;
    }
    return NULL;
}

/* ---- what stands beside it ---- */

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

/* What stands in front of a text: the length of the text, and its own. */
struct head {
    uint64_t text_length;
    size_t length;
};

/* PHP: s:LENGTH:" */
static bool php_head(const unsigned char *start, const unsigned char *at, struct head *ret_head)
{
    const unsigned char *digit = at - 3;
    uint64_t length = 0, unit = 1;

    if (at - start < 5 || at[-1] != '"' || at[-2] != ':')
        return false;
    for (; digit > start && *digit >= '0' && *digit <= '9' && unit < UINT64_C(10000000000); digit--, unit *= 10)
        length += (uint64_t)(*digit - '0') * unit;
    if (digit == at - 3 || digit <= start || *digit != ':' || digit[-1] != 's')
        return false;
    *ret_head = (struct head){ length, (size_t)(at - digit) + 1 };
    return true;
}

/* The head of the text that begins at `at`, where it has one. */
static bool head_before(const unsigned char *start, const unsigned char *at, struct head *ret_head)
{
    size_t room = (size_t)(at - start);

    if (php_head(start, at, ret_head))
        return true;
    if (room >= 2 && (at[-2] == 0x8c || at[-2] == 0xd9)) /* pickle SHORT_BINUNICODE, MessagePack str 8 */
        *ret_head = (struct head){ at[-1], 2 };
    else if (room >= 3 && at[-3] == 'I' && at[-2] == '"' && at[-1] > 5 && at[-1] < 0x80) /* Ruby's Marshal */
        *ret_head = (struct head){ at[-1] - 5u, 3 };
    else if (room >= 5 && at[-5] == 'X' && at[-1] == 0) /* pickle BINUNICODE */
        *ret_head = (struct head){ at[-4] | (uint64_t)at[-3] << 8 | (uint64_t)at[-2] << 16, 5 };
    else if (room >= 3 && (at[-3] == 't' || at[-3] == 0xda) && at[-2] < 0x20) /* JDK TC_STRING, MessagePack str 16 */
        *ret_head = (struct head){ (uint64_t)at[-2] << 8 | at[-1], 3 };
    else if (room >= 1 && at[-1] >= 0xa0 && at[-1] <= 0xbf && !ends_character(start, at)) /* MessagePack fixstr */
        *ret_head = (struct head){ at[-1] - 0xa0u, 1 };
    else
        return false;
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

static bool is_whole(const unsigned char *start, const unsigned char *end, const unsigned char *at, size_t length)
{
    struct head head;

    return head_before(start, at, &head) ? head.text_length == length : stands_alone(start, end, at, length);
}

/* ---- behind a member's name ---- */

/* What may stand between a member's name and the head of its value; "?" is any byte. */
static const struct joint {
    const char *bytes;
    size_t length;
} joints[] = {
    { "", 0 },              /* MessagePack */
    { "\x94", 1 },          /* pickle, protocol 4: MEMOIZE */
    { "q?", 2 },            /* pickle: BINPUT */
    { "r????", 5 },         /* LONG_BINPUT */
    { "\";", 2 },           /* PHP */
    { "\";i:", 4 },         /* a number */
    { "|", 1 },             /* a PHP session's variable */
    { "|i:", 3 },
    { "\6:\6ET", 5 },       /* Ruby: the encoding of the name */
    { "\6;?T", 4 },         /* the same, for the second time */
};
#define JOINT_BYTES_MOST 6

static bool is_joint(const unsigned char *bytes, size_t length)
{
    bool plain = true; /* as in "name": "value" and name = value */

    for (size_t i = 0; i < length; i++)
        plain = plain && bytes[i] != '\0' && strchr("\"'\\:=> \t\r\n", bytes[i]) != NULL;
    for (size_t i = 0; !plain && i < sizeof(joints) / sizeof(joints[0]); i++) {
        const struct joint *joint = &joints[i];
        size_t same = 0;
        while (joint->length == length && same < length && (joint->bytes[same] == '?' || (unsigned char)joint->bytes[same] == bytes[same]))
            same++;
        if (joint->length == length && same == length)
            return true;
    }
    return plain;
}

static bool is_behind(const unsigned char *start, const unsigned char *end, const unsigned char *at, const char *member)
{
    size_t length = strlen(member);
    struct head head;

    if (head_before(start, at, &head))
        at -= head.length;
    for (size_t joint = 0; joint <= JOINT_BYTES_MOST && (size_t)(at - start) >= joint + length; joint++) {
        const unsigned char *there = at - joint - length;
        if (memcmp(there, member, length) == 0 && is_joint(there + length, joint) && is_whole(start, end, there, length))
            return true;
    }
    return false;
}

/* `counted`: the name's length in front of it makes it whole, too. */
static bool stands(const char *bytes, size_t length, size_t from, size_t to, const char *name, const char *member, bool fold,
                   bool counted)
{
    const unsigned char *start = (const unsigned char *)bytes, *end = start + length;
    size_t name_length = strlen(name), most = to + name_length < length ? to + name_length - 1 : length;
    const char *at = bytes + from;

    while (at < bytes + most && (at = name_in(at, (size_t)(bytes + most - at), name, fold)) != NULL) {
        const unsigned char *there = (const unsigned char *)at;
        bool whole = counted && there > start && there[-1] == name_length;
        if ((whole || is_whole(start, end, there, name_length)) && (member == NULL || is_behind(start, end, there, member)))
            return true;
        at++;
    }
    return false;
}

bool token_stands_between(const char *bytes, size_t length, size_t from, size_t to, const char *name, const char *member, bool fold)
{
    return stands(bytes, length, from, to, name, member, fold, true);
}

bool token_stands(const char *bytes, size_t length, const char *name, const char *member, bool fold)
{
    return stands(bytes, length, 0, length, name, member, fold, false);
}

bool java_stands(const char *bytes, size_t length, const char *name, bool fold)
{
    size_t name_length = strlen(name);
    const char *at = bytes;

    if (length < 4 || memcmp(bytes, "\xac\xed\x00\x05", 4) != 0)
        return token_stands(bytes, length, name, NULL, fold); /* the application has put in another serialiser */
    while ((at = name_in(at, (size_t)(bytes + length - at), name, fold)) != NULL) {
        const unsigned char *there = (const unsigned char *)at;
        if (at - bytes >= 3 && there[-3] == 't' && ((size_t)there[-2] << 8 | there[-1]) == name_length)
            return true;
        at++;
    }
    return false;
}
