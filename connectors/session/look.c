#include "connectors/session/look.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/str.h"
#include "connectors/session/match_private.h"
#include "connectors/session/match_token.h"

#define PERSONS_MOST 256
#define CHUNK_BYTES 4096
#define HEAD_BYTES 2
#define WINDOW_BYTES 16384
#define INFLATED_BYTES_MOST (INT64_C(256) << 20) /* a value that is larger is made to be so */

/* The end of what came, as much as a name and its neighbours take, and what comes next. */
struct window {
    char *bytes;
    size_t length;
    bool began; /* what it begins with has been looked at */
    bool moved; /* there was something before */
};

struct look {
    const struct layout *layout;
    const char *member;
    const char *const *persons[PERSONS_MOST];
    enum match found[PERSONS_MOST];
    size_t person_count;
    size_t name_most;             /* bytes of the longest */
    struct window raw, plain;     /* as it came; without what was around it */
    bool begins;                  /* `plain` begins like the layout's format */
    bool broken;                  /* not all could be taken off */
    bool ended;                   /* Django's signature follows */
    bool started;                 /* the first byte has come */
    bool whole;                   /* and the last */
    uint32_t bits;                /* base64 */
    int bit_count;
    char head[HEAD_BYTES];        /* that tell whether it is compressed, as long as they have not all come */
    size_t head_length;
    bool told;
    z_stream *stream;
    int64_t inflated;
    char escape[16];              /* of JSON, as far as it has come */
    size_t escape_length;
};

/* ---- the search ---- */

static size_t carry_of(const struct look *look)
{
    return TOKEN_MARGIN + look->name_most + (look->member != NULL ? strlen(look->member) : 0) + 1;
}

static bool is_number(const char *name)
{
    return name[strspn(name, "0123456789")] == '\0';
}

static bool stands(const struct look *look, const struct window *window, size_t from, size_t to, const char *name, bool fold)
{
    const char *member = is_number(name) ? look->member : NULL;

    return token_stands_between(window->bytes, window->length, from, to, name, member, fold);
}

static void search_for(struct look *look, const struct window *window, size_t person, size_t from, bool last)
{
    int ignore_case = look->layout->ignore_case;
    enum match *found = &look->found[person];

    for (const char *const *user = look->persons[person]; *user != NULL && *found != MATCH_THEIRS; user++) {
        size_t behind = last ? 0 : strlen(*user) + 1, to = window->length > behind ? window->length - behind : 0;
        if (to <= from || **user == '\0')
            continue;
        if (stands(look, window, from, to, *user, ignore_case == CASE_IGNORED))
            *found = MATCH_THEIRS;
        else if (ignore_case == CASE_TELL && stands(look, window, from, to, *user, true))
            *found = MATCH_CASED;
    }
}

/* Where it is not the end, what may go on is kept for the next search. */
static void search(struct look *look, struct window *window, bool last)
{
    size_t carry = carry_of(look), margin = carry - look->name_most - 1;

    if (window == &look->plain && !window->began)
        look->begins = window->length > 0 && match_begins(look->layout, window->bytes, window->length);
    window->began = true;
    for (size_t i = 0; i < look->person_count; i++)
        search_for(look, window, i, window->moved ? margin : 0, last);
    if (last || window->length <= carry)
        return;
    memmove(window->bytes, window->bytes + window->length - carry, carry);
    window->length = carry;
    window->moved = true;
}

static void put(struct look *look, struct window *window, const char *bytes, size_t length)
{
    size_t room = WINDOW_BYTES + carry_of(look);

    if (window->bytes == NULL)
        window->bytes = malloc(room);
    if (window->bytes == NULL) {
        look->broken = true;
        return;
    }
    while (length > 0) {
        size_t part = room - window->length < length ? room - window->length : length;
        memcpy(window->bytes + window->length, bytes, part);
        window->length += part;
        bytes += part;
        length -= part;
        if (window->length == room)
            search(look, window, false);
    }
}

/* ---- escapes of JSON ---- */

static void put_character(struct look *look, unsigned code)
{
    char bytes[3] = { (char)code };
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;

    if (length == 2)
        bytes[0] = (char)(0xc0 | code >> 6), bytes[1] = (char)(0x80 | (code & 0x3f));
    if (length == 3)
        bytes[0] = (char)(0xe0 | code >> 12), bytes[1] = (char)(0x80 | (code >> 6 & 0x3f)), bytes[2] = (char)(0x80 | (code & 0x3f));
    put(look, &look->plain, bytes, length);
}

/* One more byte of an escape: \n, \", \u0061. */
static void take_escape(struct look *look, char c)
{
    look->escape[look->escape_length++] = c;
    look->escape[look->escape_length] = '\0';
    if (look->escape[1] == 'u' && look->escape_length < 6)
        return;
    if (look->escape[1] == 'u')
        put_character(look, (unsigned)strtoul(look->escape + 2, NULL, 16));
    else
        put(look, &look->plain, strchr("bfnrt", c) != NULL && c != '\0' ? " " : &c, 1);
    look->escape_length = 0;
}

static void put_plain(struct look *look, const char *bytes, size_t length)
{
    bool json = look->layout->format == FORMAT_JSON || look->layout->format == FORMAT_DJANGO;

    while (length > 0) {
        const char *escape = look->escape_length > 0 ? bytes : json ? memchr(bytes, '\\', length) : NULL;
        size_t part = escape != NULL ? (size_t)(escape - bytes) : length;
        if (part > 0)
            put(look, &look->plain, bytes, part);
        if (escape != NULL && look->escape_length == 0)
            look->escape[look->escape_length++] = '\\';
        else if (escape != NULL)
            take_escape(look, *escape);
        part += escape != NULL;
        bytes += part;
        length -= part;
    }
}

/* ---- compression ---- */

static bool is_inflatable(const unsigned char *bytes, size_t length)
{
    bool gzip = length >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;

    return gzip || (length >= 2 && (bytes[0] & 0x8f) == 0x08 && (bytes[0] << 8 | bytes[1]) % 31 == 0);
}

#define EITHER_HEADER (15 + 32) /* windowBits: zlib or gzip, as it begins */

static void begin_inflating(struct look *look)
{
    look->told = true;
    if (!is_inflatable((const unsigned char *)look->head, look->head_length))
        return;
    look->stream = calloc(1, sizeof(*look->stream));
    if (look->stream != NULL && inflateInit2(look->stream, EITHER_HEADER) == Z_OK)
        return;
    free(take_pointer(look->stream));
    look->broken = true;
}

static void end_inflating(struct look *look)
{
    if (look->stream != NULL)
        inflateEnd(look->stream);
    free(take_pointer(look->stream));
}

static void inflate_piece(struct look *look, const char *bytes, size_t length)
{
    char chunk[CHUNK_BYTES];
    int code = Z_OK;

    look->stream->next_in = (Bytef *)(uintptr_t)bytes;
    look->stream->avail_in = (uInt)length;
    do {
        look->stream->next_out = (Bytef *)chunk;
        look->stream->avail_out = sizeof(chunk);
        code = inflate(look->stream, Z_NO_FLUSH);
        size_t made = sizeof(chunk) - look->stream->avail_out;
        look->inflated += (int64_t)made;
        put_plain(look, chunk, made);
    } while (code == Z_OK && look->inflated <= INFLATED_BYTES_MOST && (look->stream->avail_in > 0 || look->stream->avail_out == 0));
    look->broken = look->broken || (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) || look->inflated > INFLATED_BYTES_MOST;
    size_t left = look->stream->avail_in;
    if (code != Z_STREAM_END && !look->broken)
        return;
    end_inflating(look);
    put_plain(look, bytes + length - left, left);
}

/* Behind the end of what is compressed there may be more: it counts as it is. */
static void pass_on(struct look *look, const char *bytes, size_t length)
{
    if (look->stream != NULL)
        inflate_piece(look, bytes, length);
    else
        put_plain(look, bytes, length);
}

static void tell_head(struct look *look)
{
    if (look->told)
        return;
    begin_inflating(look);
    pass_on(look, look->head, look->head_length);
}

static void put_decoded(struct look *look, const char *bytes, size_t length)
{
    while (!look->told && length > 0) {
        look->head[look->head_length++] = *bytes++;
        length--;
        if (look->head_length == HEAD_BYTES)
            tell_head(look);
    }
    if (length > 0)
        pass_on(look, bytes, length);
}

/* ---- base64 ---- */

static void decode_piece(struct look *look, const char *bytes, size_t length)
{
    char decoded[CHUNK_BYTES];
    size_t count = 0;

    for (size_t i = 0; i < length && !look->ended; i++) {
        int digit = base64_digit(bytes[i]);
        if (look->layout->format == FORMAT_DJANGO && bytes[i] == ':')
            look->ended = true;
        else if (digit < 0)
            look->broken = look->broken || bytes[i] != '=';
        else
            look->bits = look->bits << 6 | (unsigned)digit, look->bit_count += 6;
        if (look->bit_count < 8 || digit < 0)
            continue;
        look->bit_count -= 8;
        decoded[count++] = (char)(look->bits >> look->bit_count & 0xff);
        if (count == sizeof(decoded)) {
            put_decoded(look, decoded, count);
            count = 0;
        }
    }
    put_decoded(look, decoded, count);
}

/* ---- all of it ---- */

struct look *look_begin(const struct layout *layout)
{
    struct look *look = calloc(1, sizeof(*look));
    const char *slash = layout->user_at != NULL ? strrchr(layout->user_at, '/') : NULL;

    if (look == NULL)
        return NULL;
    look->layout = layout;
    look->member = slash != NULL && slash[1] != '\0' ? slash + 1 : NULL;
    return look;
}

bool look_for(struct look *look, const char *const *users)
{
    if (look->person_count == PERSONS_MOST)
        return false;
    look->persons[look->person_count++] = users;
    for (; *users != NULL; users++)
        if (strlen(*users) > look->name_most)
            look->name_most = strlen(*users);
    return true;
}

void look_piece(struct look *look, const void *bytes, size_t length)
{
    bool django = look->layout->format == FORMAT_DJANGO;
    const char *text = bytes;

    put(look, &look->raw, text, length);
    if (django && !look->started && length > 0 && *text == '.') /* it is compressed: seen again further in */
        text++, length--;
    look->started = true;
    if (django || look->layout->encoding == ENCODING_BASE64)
        decode_piece(look, text, length);
    else
        put_decoded(look, text, length);
}

static void finish(struct look *look)
{
    tell_head(look);
    look->broken = look->broken || look->stream != NULL; /* cut off */
    end_inflating(look);
    search(look, &look->raw, true);
    search(look, &look->plain, true);
    look->whole = true;
}

enum match look_end(struct look *look, size_t person)
{
    if (!look->whole)
        finish(look);
    if (look->found[person] != MATCH_OTHER)
        return look->found[person];
    return look->begins && !look->broken ? MATCH_OTHER : MATCH_UNREADABLE;
}

void look_free(struct look *look)
{
    if (look == NULL)
        return;
    end_inflating(look);
    free(look->raw.bytes);
    free(look->plain.bytes);
    free(look);
}

enum match look_at_value(const struct layout *layout, const char *const *users, const void *bytes, size_t length,
                         int64_t *ret_created_us)
{
    enum match match = match_value(layout, users, bytes, length, ret_created_us);

    if (match != MATCH_UNREADABLE)
        return match;
    struct look *look = look_begin(layout);
    if (look != NULL && look_for(look, users)) {
        look_piece(look, bytes, length);
        match = look_end(look, 0);
    }
    look_free(look);
    if (match == MATCH_THEIRS && ret_created_us != NULL)
        *ret_created_us = 0;
    return match;
}
