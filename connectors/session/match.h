/*
 * match.h: does this stored value belong to one of these users, and since
 * when does the session exist?
 *
 * A value is bytes that a stranger may have shaped. Nothing is deserialised:
 * lengths are walked, JSON is parsed with a bound on depth, zlib inflates
 * within a bound. Names are compared whole: "ann" is never found in "anna".
 * The caller bounds how much it reads; a value that is larger, or that cannot
 * be read in the layout's format, is searched for the name (look.h).
 *
 * Threads: no state. Ownership: all is borrowed; ret_user is the caller's.
 * Errors: a value that is not in the layout's format is MATCH_UNREADABLE,
 * never a failure.
 * Sources: RFC 8259, RFC 6901 (pointers); PHP manual, "serialize"; django
 * signing.py and sessions/serializers.py; Java Object Serialization
 * Specification 6.4; MessagePack and pickle: pickletools.py, spec.md (lengths
 * in front of texts).
 */
#ifndef PROVOST_CONNECTORS_SESSION_MATCH_H
#define PROVOST_CONNECTORS_SESSION_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include "connectors/session/layout.h"

/* CASED: theirs, but for the case of letters, of which the layout says nothing. */
enum match { MATCH_OTHER, MATCH_THEIRS, MATCH_CASED, MATCH_UNREADABLE };

/* Is this text one of the names? By the layout's ignore_case; never UNREADABLE. */
enum match match_name(const struct layout *layout, const char *const *users, const char *bytes, size_t length);

/* `users`: NULL-terminated. *ret_created_us (may be NULL) is set with
 * MATCH_THEIRS: 0 where the value does not tell. */
enum match match_value(const struct layout *layout, const char *const *users, const void *bytes, size_t length,
                       int64_t *ret_created_us);

/* Do these first bytes of a value look like the layout's format, in which a name stands as it is? Then a value without the name is not
 * theirs, wherever it breaks. What is around the format (encoding, Django's signature) has been taken off. */
bool match_begins(const struct layout *layout, const char *bytes, size_t length);

/* True: the layout's format says whose a value is, so that match_owner can. */
bool match_tells_owner(const struct layout *layout);
/* MATCH_THEIRS: somebody's, *ret_user says whose; MATCH_OTHER: nobody's. NULL
 * in *ret_user with MATCH_THEIRS: out of memory. */
enum match match_owner(const struct layout *layout, const void *bytes, size_t length, char **ret_user, int64_t *ret_created_us);

/* A time as it stands in a field or column, by the unit: µs since 1970, 0:
 * cannot be read. A JDK-serialised java.lang.Long is read too. */
int64_t match_time(int unit, const void *bytes, size_t length);

#endif
