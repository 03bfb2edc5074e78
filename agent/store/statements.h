/*
 * statements.h: a connection to the database with its prepared statements.
 *
 * Purpose: all SQL of the store stands in one table (statements.c); a
 * statement is prepared on first use and kept with its connection.
 *
 * Calling sequence
 *     db_run(db, SQL_X, error, "it", number, text)           to its end
 *     cleanup_statement sqlite3_stmt *row = NULL;
 *     while ((code = db_next(db, SQL_Y, &row, error, "i", number)) > 0) ... row ...
 * The letters: i int64_t, t text (NULL allowed), b bytes and int64_t length.
 * What is bound must live until the statement is reset. A statement is used
 * by one function at a time.
 *
 * Threads: one at a time for each connection. Ownership: db_close frees all.
 * Errors: every SQLite result maps to one error code, in one table.
 */
#ifndef PROVOST_STORE_STATEMENTS_H
#define PROVOST_STORE_STATEMENTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum sql {
    SQL_SNAPSHOT, /* a reader's beginning: what follows sees one moment */
    SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_COUNTERS_READ, SQL_COUNTERS_WRITE, SQL_DAY_ADD, SQL_DAY_READ, SQL_DAY_TRIM,
    SQL_TARGETS_READ, SQL_TARGET_ADD, SQL_TARGET_HOLD, SQL_PLACE_ADD, SQL_PLACE_READ, SQL_LANES_UNSEEN,
    SQL_SEEN_ADD, SQL_SEEN_READ, SQL_SEEN_SCAN, SQL_EVENT_ADD,
    SQL_EVENT_READ, SQL_EVENTS_BEFORE, SQL_IDENTITY_NUMBER, SQL_IDENTITY_READ, SQL_IDENTITY_ADD, SQL_IDENTITY_WRITE,
    SQL_IDENTITY_LOGIN, SQL_IDENTITY_VOIDS, SQL_IDENTITY_PROFILE, SQL_IDENTITY_BY_ID, SQL_IDENTITY_BY_LOGIN, SQL_IDENTITY_BY_NAME,
    SQL_MEMBERSHIP_READ, SQL_MEMBERSHIP_WRITE, SQL_MEMBERSHIPS_OF, SQL_USERS_IN, SQL_MEMBERS_OF, SQL_DELIVERY_ADD, SQL_DELIVERY_READ,
    SQL_DELIVERY_FINISH, SQL_DELIVERIES_OF_EVENT, SQL_LANE_READ, SQL_LANE_ADD, SQL_LANE_WRITE, SQL_LANE_COALESCE, SQL_LANE_MOVE,
    SQL_LANE_DELETE, SQL_LANE_LEASE, SQL_LANE_END, SQL_LANES_COUNT, SQL_LANES_OF_OWNER, SQL_LANES_PAST, SQL_LANES_READY,
    SQL_LANES_NEXT, SQL_LANES_HURRY, SQL_LANES_SHIFT, SQL_LANES_BACK, SQL_LANES_DROP, SQL_LANES_LEAVING, SQL_LANES_LEAVING_DEAD,
    SQL_TARGETS_WORK, SQL_LANES_DROP_ANY, SQL_DROPPED_ADD, SQL_DROPPED_DELETE, SQL_DROPPED_OF_TARGET, SQL_DROPPED_COUNT,
    SQL_DROPPED_LEAVERS, SQL_DROPPED_OF_IDENTITY, SQL_RETAIN_DROPPED,
    SQL_LANES_FAILING, SQL_LEAVERS, SQL_FAILING, SQL_WAITING, SQL_LANE_DETAIL, SQL_DEAD_BEFORE, SQL_LEASE_DETAIL, SQL_LINK_READ,
    SQL_LINK_WRITE, SQL_LINK_LEFT, SQL_LINK_OWNER,
    SQL_LINKS_OF_IDENTITY, SQL_OPERATION_ADD, SQL_OPERATION_READ, SQL_OPERATIONS_OF_DELIVERY, SQL_OPERATIONS_OF_IDENTITY,
    SQL_QUARANTINE_ADD, SQL_QUARANTINE_TRIM, SQL_QUARANTINE_LIST, SQL_RETAIN_EVENTS, SQL_RETAIN_PENDING, SQL_RETAIN_DELIVERIES,
    SQL_RETAIN_EVENT, SQL_RETAIN_SIGN_INS, SQL_RETAIN_KEYS, SQL_RETAIN_KEY, SQL_RETAIN_OPERATIONS,
    SQL_INTENT_READ, SQL_INTENT_WRITE, SQL_INTENT_NOTE, SQL_INTENT_OTHERS, SQL_INTENT_WAIT, SQL_INTENTS_SENT, SQL_INTENTS_SHIFT, SQL_INTENT_CREATOR, SQL_INTENTS_PENDING,
    SQL_INTENT_DELETE, SQL_INTENTS_DELETE, SQL_INTENTS_UNSENT, SQL_INTENTS_FORGET, SQL_RETAIN_INTENTS,
    SQL_MEMBERS_NOTE, SQL_MEMBER_PUT, SQL_MEMBER_DELETE, SQL_MEMBER_SHARERS, SQL_MEMBERS_LEAVING, SQL_MEMBERS_DROP, SQL_MEMBERS_WRONG, SQL_MEMBERS_HEARD,
    SQL_MEMBER_WRONG, SQL_MEMBER_ROWS, SQL_MEMBER_FACTS, SQL_MEMBER_WRITTEN,
    SQL_COUNT,
};

struct db {
    sqlite3 *handle;
    const char *path; /* for messages; the store's */
    sqlite3_stmt *statements[SQL_COUNT];
};

/* A file that is there. A reader waits longer for others than the writer. */
int db_open(const char *path, bool reader, struct db **ret_db, struct error *error);
void db_close(struct db *db); /* NULL is allowed */

/* To the end; rows are passed over. 0 or negative. */
int db_run(struct db *db, enum sql sql, struct error *error, const char *types, ...);
/* With *row NULL it binds and takes the first row, else the next: 1, 0, negative. */
int db_next(struct db *db, enum sql sql, sqlite3_stmt **row, struct error *error, const char *types, ...);
/* SQL that is not in the table: pragmas, schema. */
int db_execute(struct db *db, const char *sql, struct error *error);
int db_pragma_number(struct db *db, const char *sql, int64_t *ret_number, struct error *error);
static inline int64_t db_changes(struct db *db)
{
    return sqlite3_changes(db->handle);
}

/* The one table: SQLite's result → error code and sentence. */
int db_error(struct db *db, int result, const char *doing, struct error *error);

static inline void cleanup_reset_statement(sqlite3_stmt **statement)
{
    if (*statement != NULL)
        sqlite3_reset(*statement);
}
#define cleanup_statement __attribute__((cleanup(cleanup_reset_statement)))

static inline const char *row_text(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}
static inline int64_t row_number(sqlite3_stmt *row, int column)
{
    return sqlite3_column_int64(row, column);
}

#endif
