/*
 * layout.h: how one application keeps its sessions, as plain values.
 *
 * A mapping file's group `sessions` names a preset and overrides its lines;
 * the agent renders it for one person, layout_read turns that into a struct
 * layout. Presets (presets.c) are written in the very same words.
 * In the patterns of keys "*" stands for the session's id, in `index` for the
 * person's name, in `lock` for the whole key (memcached: for the id).
 *
 * One table (layout_rows) names, types, checks and documents every member.
 * Ownership: layout_clear frees. Threads: no state. No I/O.
 * Sources: the frameworks' own, named in presets.c.
 */
#ifndef PROVOST_CONNECTORS_SESSION_LAYOUT_H
#define PROVOST_CONNECTORS_SESSION_LAYOUT_H

#include <jansson.h>
#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/problem.h"
#include "connectors/session/settings.h"

/* How a stored value is read (match.h), in the order of the member's choices. */
enum layout_format {
    FORMAT_TOKEN,      /* any bytes: the name as a whole token */
    FORMAT_JSON,       /* user_at: JSON Pointer */
    FORMAT_PHP,        /* PHP session: name|serialized… ; user_at: /name/inner */
    FORMAT_SERIALIZED, /* PHP serialize() of an array, perhaps of its text again (Laravel); user_at as above */
    FORMAT_DJANGO,     /* django.core.signing: [.]base64url(zlib? JSON):time:signature; user_at: JSON Pointer */
    FORMAT_JAVA,       /* JDK serialisation: the name as a text of exactly this length */
    FORMAT_PLAIN,      /* the value is the name */
    FORMAT_COOKIE,     /* not on the server at all: nothing can be ended */
};

enum layout_encoding { ENCODING_NONE, ENCODING_BASE64 };
enum layout_type { TYPE_STRING, TYPE_HASH };                                       /* of a Redis key */
enum layout_unit { UNIT_MILLISECONDS, UNIT_SECONDS, UNIT_MICROSECONDS, UNIT_DATE }; /* DATE: a text or a column of dates */

enum layout_case { CASE_TELL, CASE_EXACT, CASE_IGNORED };                          /* a name that differs in the case of letters alone */

struct layout {
    char *preset;     /* NULL: none */
    char *user;       /* what identifies the person inside the sessions */
    int ignore_case;  /* enum layout_case: TELL: neither ended nor called somebody else's */

    /* the value */
    int format;       /* enum layout_format */
    int encoding;     /* enum layout_encoding: around `format` */
    char *user_at;    /* "/passport/user"; NULL: the format needs none */
    char *created_at; /* the same for the time of creation; of a hash: the field; NULL: not told */
    int created_unit; /* enum layout_unit */

    /* Redis, memcached, files */
    char *pattern;    /* "sess:*" */
    int type;         /* enum layout_type */
    char *field;      /* of a hash: where the person stands */
    char *index;      /* key of a person's list of sessions (memcached; Spring's index); "*": the name */
    char *expires;    /* Spring indexed: key whose end makes the application drop the session */
    char *expirations;/* Spring indexed: sets of what ends in a minute; "*": the time */
    char *lock;       /* key that the application holds while a request uses the session */
    int64_t levels;   /* files: of sub-folders */

    /* tables */
    char *table;
    char *key_column;
    char *user_column;    /* the person stands here: no value is read */
    char *value_column;   /* else in this, by `format` */
    char *created_column; /* in created_unit; NULL: not told */
    char *expires_column; /* rows that ended by themselves are left out; NULL: none */
    int expires_unit;
    char *lookup;         /* query: the person's name ($1) → the value that stands in the sessions */
    char *cache_key;      /* a second place that has to go with the row: key in a cache; "*": the id */
};

/* `sessions`: the rendered group. ERROR_INVALID with a sentence for an unknown
 * name or preset, a preset of another store, something that is missing. */
int layout_read(const json_t *sessions, int store, struct layout *ret_layout, struct error *error);
void layout_clear(struct layout *layout);
int layout_copy(const struct layout *layout, struct layout *ret_layout); /* 0 or ERROR_NOMEM */

/* True: they differ in whose sessions are meant alone. */
bool layout_same(const struct layout *a, const struct layout *b);

/* Another number where anything but whose sessions are meant is another. */
uint64_t layout_hash(const struct layout *layout);

/* Looks at the group in the file: names, types, choices, what does not go
 * together; adds to `problems`. The store is not known there: layout_read. */
void layout_check(const config_setting_t *sessions, struct problems *problems);

/* The same for the store that it is meant for. */
void layout_check_store(const config_setting_t *sessions, int store, struct problems *problems);

const char *layout_format_name(const struct layout *layout); /* "json"; never NULL */

/* `pattern` with its one "*" replaced by `text`; NULL: out of memory. */
char *layout_key(const char *pattern, const char *text);

/* What "*" stands for in `key`; NULL when the key does not match. Points into
 * `key`; *ret_length bytes. */
const char *layout_id(const char *pattern, const char *key, size_t length, size_t *ret_length);

/* ---- the table of members and that of presets, for documentation and tests ---- */

#define STORE_BIT(store) (1u << (store))
#define STORES_KEYS (STORE_BIT(STORE_REDIS) | STORE_BIT(STORE_MEMCACHED))
#define STORES_SQL (STORE_BIT(STORE_SQLITE) | STORE_BIT(STORE_POSTGRESQL) | STORE_BIT(STORE_MYSQL))
#define STORES_ALL ((1u << STORE_KIND_COUNT) - 1u)

struct layout_row {
    const char *name;
    size_t offset;
    const char *const *choices; /* an int; NULL: a text */
    bool number;                /* an int64_t */
    unsigned stores;            /* that use it */
    const char *help;
};
extern const struct layout_row layout_rows[]; /* { NULL, … } at the end */

struct preset_line {
    const char *name, *value;
};
struct preset {
    const char *name;
    const char *what;                    /* one line */
    unsigned stores;
    const struct preset_line lines[12];  /* { NULL, NULL } at the end */
};
extern const struct preset layout_presets[]; /* { NULL, … } at the end */

#endif
