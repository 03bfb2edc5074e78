/*
 * Keys of the events that were seen. A table of random keys would touch a page
 * of its own for each event, the more so the larger it grows. Okta's uuids are
 * of version 1 and hold their time of creation: sorted by it, new keys go to
 * the end of the table. A random uuid is sorted by the event's `published`,
 * which its duplicates share. Source: RFC 9562, 5.1.
 */
#include <ctype.h>
#include <string.h>

#include "store/store_private.h"

#define UUID_CHARS 36
#define UUID_EPOCH_US 12219292800000000LL /* 1582-10-15 to 1970-01-01 */
#define TIME_LEAST_US 1230768000000000LL  /* 2009: Okta's first year; an older "time" is no time */
#define TIME_MOST_US 4102444800000000LL   /* 2100 */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_uuid(const char *uuid, unsigned char bytes[16])
{
    size_t n = 0;

    if (strlen(uuid) != UUID_CHARS)
        return false;
    for (size_t i = 0; i < UUID_CHARS; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (uuid[i] != '-')
                return false;
            continue;
        }
        int high = hex_value(uuid[i]), low = hex_value(uuid[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[n++] = (unsigned char)(high * 16 + low);
        i++;
    }
    return true;
}

/* The time in a uuid of version 1, or 0. */
static int64_t uuid_time_us(const unsigned char b[16])
{
    uint64_t ticks = (uint64_t)(b[6] & 0x0f) << 56 | (uint64_t)b[7] << 48 | (uint64_t)b[4] << 40 | (uint64_t)b[5] << 32 |
                     (uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | (uint64_t)b[3];
    int64_t us = (int64_t)(ticks / 10) - UUID_EPOCH_US;

    return (b[6] >> 4) == 1 && us >= TIME_LEAST_US && us < TIME_MOST_US ? us : 0;
}

bool seen_key_make(const char *uuid, int64_t published, struct seen_key *key)
{
    if (!parse_uuid(uuid, key->own)) {
        key->time = 0;
        key->bytes = uuid;
        key->length = (int64_t)strlen(uuid);
        return true;
    }
    key->bytes = key->own;
    key->length = sizeof(key->own);
    key->time = uuid_time_us(key->own);
    if (key->time != 0)
        return true;
    key->time = published;
    return false;
}
