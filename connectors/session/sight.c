#include "connectors/session/sight.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/match.h"
#include "connectors/session/match_token.h"

/* ---- kinds of names ---- */

static bool all_of(const char *name, size_t length, int (*is)(int), const char *others)
{
    for (size_t i = 0; i < length; i++)
        if (!is((unsigned char)name[i]) && (name[i] == '\0' || strchr(others, name[i]) == NULL))
            return false;
    return length > 0;
}

/* Seconds or milliseconds since 1970, of now rather than of anybody's number. */
static bool is_time(const char *name, size_t length)
{
    return (length == 10 || length == 13) && name[0] == '1' && all_of(name, length, isdigit, "");
}

static bool is_number(const char *name, size_t length)
{
    return all_of(name, length, isdigit, "");
}

static bool is_address(const char *name, size_t length)
{
    return memchr(name, '@', length) != NULL && memchr(name, ' ', length) == NULL;
}

static bool is_ip(const char *name, size_t length)
{
    bool four = all_of(name, length, isdigit, ".") && memchr(name, '.', length) != NULL;

    return four || (all_of(name, length, isxdigit, ":.") && memchr(name, ':', length) != NULL);
}

static bool is_id(const char *name, size_t length)
{
    return (length >= 16 && all_of(name, length, isxdigit, "-")) || (length >= 3 && memcmp(name, "00u", 3) == 0);
}

static bool is_long(const char *name, size_t length)
{
    return length > 128 || memchr(name, ' ', length) != NULL;
}

static bool is_any(const char *name, size_t length)
{
    (void)name;
    return length > 0;
}

/* The first row that fits is the name's. */
static const struct kind {
    const char *words;
    bool (*is)(const char *name, size_t length);
} kinds[] = {
    { "times", is_time },       { "numbers", is_number }, { "addresses with an @", is_address }, { "IP addresses", is_ip },
    { "ids of letters and digits", is_id }, { "long texts", is_long },  { "names without an @", is_any },
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

unsigned sight_kind(const char *name, size_t length)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (kinds[i].is(name, length))
            return 1u << i;
    return 0;
}

static unsigned kinds_of(const char *const *users)
{
    unsigned bits = 0;

    for (; users != NULL && *users != NULL; users++)
        bits |= sight_kind(*users, strlen(*users));
    return bits;
}

static void add_kinds(struct buf *text, unsigned bits)
{
    const char *between = "";

    for (size_t i = 0; i < KIND_COUNT; i++) {
        if ((bits & 1u << i) == 0)
            continue;
        buf_printf(text, "%s%s", between, kinds[i].words);
        between = " and ";
    }
}

/* ---- counting ---- */

void sight_clear(struct sight *sight)
{
    free(sight->place);
    free(sight->sought);
    free(sight->missing);
    *sight = (struct sight){ 0 };
}

void sight_name(struct sight *sight, const char *name, size_t length)
{
    sight->fitting++;
    if (sight->sampled == SAMPLE_MOST)
        return;
    sight->sampled++;
    sight->owned += length > 0;
    sight->kinds |= sight_kind(name, length);
}

/* A format that does not tell whose: it is like it, and has the member where one is asked for. */
static bool is_alike(const struct layout *layout, const char *bytes, size_t length)
{
    const char *member = layout->user_at != NULL ? strrchr(layout->user_at, '/') : NULL;

    return match_begins(layout, bytes, length) && (member == NULL || token_stands(bytes, length, member + 1, NULL, false));
}

void sight_value(struct sight *sight, const struct layout *layout, const void *bytes, size_t length)
{
    cleanup_free char *owner = NULL;

    sight->fitting++;
    if (bytes == NULL || length == 0 || sight->sampled == SAMPLE_MOST)
        return;
    sight->sampled++;
    if (!match_tells_owner(layout)) {
        sight->untold = true;
        sight->owned += is_alike(layout, bytes, length);
        sight->unreadable += !match_begins(layout, bytes, length);
        return;
    }
    enum match match = match_owner(layout, bytes, length, &owner, NULL);
    sight->unreadable += match == MATCH_UNREADABLE;
    sight->owned += match == MATCH_THEIRS;
    if (owner != NULL)
        sight->kinds |= sight_kind(owner, strlen(owner));
}

/* ---- what it says ---- */

static const char *place_in(const struct layout *layout)
{
    if (layout->user_column != NULL)
        return layout->user_column;
    return layout->index != NULL ? layout->index : layout->user_at != NULL ? layout->user_at : "their place";
}

static void add_nothing(struct buf *text, const struct sight *sight)
{
    buf_printf(text, "there is no %s", sight->place != NULL ? sight->place : "session");
    if (sight->others > 0)
        buf_printf(text, " (%lld do not fit)", (long long)sight->others);
    buf_add_str(text, ": nobody is signed in at all, or that is not the place");
}

static void add_unread(struct buf *text, const struct sight *sight, const struct layout *layout)
{
    long long sampled = (long long)sight->sampled;

    if (sight->sampled == 0)
        buf_printf(text, "none of %lld sessions has a value that can be read at once", (long long)sight->fitting);
    else if (sight->unreadable == sight->sampled)
        buf_printf(text, "none of %lld sessions looked into is readable as format = \"%s\": compressed, encrypted or of another format", sampled,
                   layout_format_name(layout));
    else
        buf_printf(text, "none of %lld sessions looked into has anybody at %s: nobody is signed in at all, or that is not the place", sampled,
                   place_in(layout));
}

static void add_unlike(struct buf *text, const struct sight *sight, const char *sought)
{
    buf_add_str(text, "the sessions' names are ");
    add_kinds(text, sight->kinds);
    buf_printf(text, ", unlike %s: write what stands there into user, or a lookup", sought);
}

char *sight_doubt(const struct sight *sight, const struct layout *layout, const char *const *users)
{
    const char *const instead[] = { sight->sought, NULL }, *const *sought = sight->sought != NULL ? instead : users;
    struct buf text = { 0 };

    if (sight->fitting == 0 && !sight->certain)
        add_nothing(&text, sight);
    else if (sight->fitting > 0 && sight->owned == 0)
        add_unread(&text, sight, layout);
    else if (users != NULL && sight->missing != NULL)
        buf_add_str(&text, sight->missing);
    else if (users != NULL && sight->kinds != 0 && (sight->kinds & kinds_of(sought)) == 0)
        add_unlike(&text, sight, sought[0]);
    else if (users != NULL && sight->untold)
        buf_printf(&text, "values of format = \"%s\" do not tell whose they are, and nobody has been found yet: sign somebody in and let his "
                   "sessions be ended once", layout_format_name(layout));
    return text.length > 0 ? buf_take(&text) : NULL;
}

char *sight_text(const struct sight *sight, const struct layout *layout)
{
    struct buf text = { 0 };

    buf_printf(&text, "%lld sessions, %lld looked into, %lld readable, %lld with %s %s", (long long)sight->fitting, (long long)sight->sampled,
               (long long)(sight->sampled - sight->unreadable), (long long)sight->owned, sight->untold ? "a member" : "somebody at",
               sight->untold && layout->user_at == NULL ? "of any name" : place_in(layout));
    if (sight->kinds != 0) {
        buf_add_str(&text, " (");
        add_kinds(&text, sight->kinds);
        buf_add_str(&text, ")");
    }
    if (sight->untold)
        buf_add_str(&text, "; whose they are this format does not tell before one is found");
    return buf_take(&text);
}

/* ---- which place ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return str_hash(hash, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 0);
}

static uint64_t hash_number(uint64_t hash, int64_t number)
{
    return str_hash(hash, (const char *)&number, sizeof(number));
}

uint64_t sight_place(const struct session_settings *settings, const struct layout *layout, const char *const *users)
{
    uint64_t hash = layout_hash(layout);

    for (char *const *address = settings->address; address != NULL && *address != NULL; address++)
        hash = hash_text(hash, *address);
    hash = hash_text(hash_text(hash_text(hash, settings->sentinel), settings->path), settings->dbname);
    hash = hash_number(hash_number(hash_number(hash, settings->store), settings->database), settings->cluster);
    return hash_number(hash, kinds_of(users));
}
