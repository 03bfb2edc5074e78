/*
 * sight.h: what a look came upon, whoever it belongs to. It answers one
 * question: could that look have found anybody?
 *
 * Calling sequence: a store counts what it meets (members below; sight_value
 * for a session's value, sight_name for a name that stands apart), then
 * sight_doubt says why nobody could be found, and sight_text how much was seen.
 * sight_clear frees.
 *
 * A name that is found must look like those that are looked for: where all
 * names in the store are numbers, an address is not found because nobody is
 * signed in. Kinds of names are in one table (sight.c).
 * Threads: none of its own. Ownership: texts are the sight's.
 */
#ifndef PROVOST_CONNECTORS_SESSION_SIGHT_H
#define PROVOST_CONNECTORS_SESSION_SIGHT_H

#include "connectors/session/layout.h"

#define SAMPLE_MOST 50 /* values that show whether the layout is the application's */

struct sight {
    char *place;        /* "key in database 0 of 127.0.0.1:6379 that fits sess:*": what there must be */
    int64_t fitting;    /* that there are */
    int64_t others;     /* what is there too, and does not fit: of another name, type or depth */
    int64_t sampled;    /* of those that fit, looked into; at most SAMPLE_MOST */
    int64_t unreadable; /* of these, not in the layout's format */
    int64_t owned;      /* of these, with somebody where the layout says */
    unsigned kinds;     /* of these names: bits of the table's rows */
    bool certain;       /* what is empty is empty: the table is there, with its columns */
    bool untold;        /* the format does not tell whose a value is, though it is like it */
    char *sought;       /* what was looked for instead of the person's name; NULL: that name */
    char *missing;      /* what of this person is not there, in words: no such id, no such list; NULL: nothing */
};
void sight_clear(struct sight *sight);

/* One that fits, with its value; NULL: without one. */
void sight_value(struct sight *sight, const struct layout *layout, const void *bytes, size_t length);
/* One that fits, with the name of its owner. */
void sight_name(struct sight *sight, const char *name, size_t length);

/* The kind of a name, as a bit of `kinds`. */
unsigned sight_kind(const char *name, size_t length);

/* NULL: names like these (NULL: any) could be found, or out of memory. */
char *sight_doubt(const struct sight *sight, const struct layout *layout, const char *const *users);
/* "12 sessions, 12 looked into, 9 with somebody at /passport/user (addresses)". NULL: out of memory. */
char *sight_text(const struct sight *sight, const struct layout *layout);

/* Which place was looked at, and for what kind of name: another number where either is another. */
uint64_t sight_place(const struct session_settings *settings, const struct layout *layout, const char *const *users);

#endif
