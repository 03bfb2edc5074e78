/*
 * redis_table.h: whose key is whose, in memory: key → user, user → keys.
 *
 * Calling sequence: table_put, table_remove … → table_clear. A zeroed struct
 * is an empty table.
 * Ownership: texts are copied. Threads: the caller's lock.
 * Errors: table_put is false when out of memory; nothing is changed then.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_TABLE_H
#define PROVOST_CONNECTORS_SESSION_REDIS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table {
    void *keys, *users; /* trees (search.h) */
    size_t count;       /* keys */
    size_t bytes;       /* about what it takes */
};

/* `key` is `user`'s (from now on). */
bool table_put(struct table *table, const char *key, const char *user);
void table_remove(struct table *table, const char *key); /* also if it is not there */
/* Calls `each` for every key of the user, newest first. */
void table_each(const struct table *table, const char *user, void (*each)(void *arg, const char *key), void *arg);
void table_clear(struct table *table);

#endif
