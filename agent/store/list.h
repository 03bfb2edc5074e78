/*
 * list.h: rows of the SQLite store as JSON for people (list.c, show.c).
 *
 * Keys are those of the status log. Ownership: what is returned is the
 * caller's; `json_put_` functions leave a key out when there is nothing to say.
 * Threads: one for each connection. Errors: negative, as in store.h.
 */
#ifndef PROVOST_STORE_LIST_H
#define PROVOST_STORE_LIST_H

#include <jansson.h>

#include "store/store_private.h"

void json_put_text(json_t *object, const char *key, const char *text);
void json_put_number(json_t *object, const char *key, int64_t number);
void json_put_time(json_t *object, const char *key, int64_t us);
void json_put_json(json_t *object, const char *key, const char *text);
void json_put_identity(json_t *object, enum identity_kind kind, const char *id, const char *name);

json_t *event_json(sqlite3_stmt *row);
json_t *lane_json(sqlite3_stmt *row);
int deliveries_json(struct db *db, int64_t first, int64_t count, bool with_operations, json_t **ret_array, struct error *error);
/* Of a delivery, or (newest first, at most `most`) of an identity. */
int operations_json(struct db *db, enum sql sql, int64_t of, int64_t most, json_t **ret_array, struct error *error);
/* An identity's row and the newest event about it: 1, 0 unheard of, negative. */
int identity_trail(struct db *db, enum identity_kind kind, const char *id, int64_t *ret_number, int64_t *ret_last, struct error *error);
/* Appends, newest first. */
int events_of_identity(struct db *db, int64_t last_event, const struct store_filter *filter, json_t *array, struct error *error);

#endif
