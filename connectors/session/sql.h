/*
 * sql.h: sessions in tables. What PostgreSQL, MySQL and SQLite have in common
 * (sql.c, sql_sweep.c, sql_select.c, sql_marks.c), and what each of them does for it (struct sql_driver).
 *
 * Calling sequence: sql_open(driver, …) → (sql_probe, sql_sweep,
 * sql_read_marks, sql_write_marks …) → sql_close.
 *
 * Names of tables and columns come from the mapping file and are quoted, so
 * that none can break out of its place; everything else is a bound parameter.
 * The one text that is not ours is the layout's `lookup`: it is the
 * administrator's, and runs in a transaction that cannot write.
 * Sweeps go through the table in pages by its key, each page and each DELETE a
 * transaction of its own: no lock outlives a step.
 *
 * Ownership: settings are borrowed for the store's life, values for the call.
 * Threads: a store belongs to one thread; struct session_shared (how much of
 * the server's time is taken) has its own lock.
 * Errors: the outcomes of connector.h with a sentence, by sql_outcome.h. A
 * connection that was lost while idle is made again once.
 */
#ifndef PROVOST_CONNECTORS_SESSION_SQL_H
#define PROVOST_CONNECTORS_SESSION_SQL_H

#include "base/str.h"
#include "connectors/session/store.h"

struct sql_connection; /* the driver's own */

/* A parameter or a cell of a row. `bytes` NULL: NULL; else a NUL follows. */
struct sql_value {
    const char *bytes;
    size_t length;
    bool binary; /* of a type of bytes (bytea, BLOB): to be bound as such */
};

/* Called for each row; the cells are valid during the call. Negative: no more, ERROR_NOMEM. */
typedef int sql_row(const struct sql_value *cells, void *arg);

/* One statement. */
struct sql_query {
    const char *text;
    const struct sql_value *values;
    size_t value_count;
    sql_row *row; /* NULL: no rows are expected */
    void *arg;
    int64_t changed; /* out: rows written */
};

/* Why a statement came to nothing. */
struct sql_failure {
    bool lost;          /* the connection is gone */
    bool silent;        /* no answer in time: it is of no use, and a new one would wait as long */
    bool missing_table; /* what is named is not there */
};

#define SQL_CELLS_MOST 8

struct sql_driver {
    const char *name;         /* "PostgreSQL" */
    bool numbered;            /* parameters are $1, $2, …; else ? */
    bool folds;               /* names that are not in quotes are lower case, as the server has it */
    char quote;               /* around names */
    const char *bytes_of;     /* printf format with one %s, a column: its length in bytes */
    const char *part_of;      /* printf format with one %s, the column, and two %lld: bytes from there (1: the first) on, and how many */
    const char *text_of;      /* printf format with one %s, a column of any type: its text */
    const char *upsert;       /* what follows INSERT … VALUES (…) on the table of markers */
    const char *marks_table;  /* printf format with one %s: the statement that creates it */
    const char *read_only, *read_only_end; /* around a lookup */

    /* Connected and logged in; on failure the receipt is set. */
    enum outcome (*open)(const struct session_settings *settings, struct sql_connection **ret_connection, struct receipt *receipt);
    void (*close)(struct sql_connection *connection);
    /* Runs one statement. APPLIED, or a failure with the receipt and *ret_failure set. */
    enum outcome (*run)(struct sql_connection *connection, struct sql_query *query, struct sql_failure *ret_failure,
                        struct receipt *receipt);
};

/* For struct session_store_ops. */
void sql_check(const struct session_settings *settings, const char *file, int line, struct problems *problems);
int sql_share(const struct session_settings *settings, struct session_shared **ret_shared, struct error *error);
void sql_unshare(struct session_shared *shared);
enum outcome sql_open(const struct sql_driver *driver, const struct session_settings *settings, struct session_shared *shared,
                      struct session_store **ret_store, struct receipt *receipt);
void sql_close(struct session_store *store);
enum outcome sql_probe(struct session_store *store, struct receipt *receipt);
enum outcome sql_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                       struct receipt *receipt);
enum outcome sql_sample(struct session_store *store, const struct layout *layout, struct sight *ret_sight, struct receipt *receipt);
enum outcome sql_read_marks(struct session_store *store, const struct layout *layout, const char *user,
                            struct session_marks *ret_marks, struct receipt *receipt);
enum outcome sql_write_marks(struct session_store *store, const struct layout *layout, const char *user,
                             const struct session_marks *marks, struct receipt *receipt);

#endif
