/* sqlite.c: sessions in a SQLite database, on the file itself. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/session/sql_outcome.h"

struct sql_connection {
    sqlite3 *db;
    const struct session_settings *settings;
    struct mono deadline;
};

static void sqlite_disconnect(struct sql_connection *connection)
{
    if (connection == NULL)
        return;
    sqlite3_close(connection->db);
    free(connection);
}

static enum outcome fail(struct sql_connection *connection, int code, struct sql_failure *ret_failure, struct receipt *receipt)
{
    const char *message = sqlite3_errmsg(connection->db);
    const struct sql_code_row *row = sqlite_code_row(code);
    /* SQLite has one code for all that is wrong with a statement. */
    bool missing = (code & 0xff) == SQLITE_ERROR && str_starts(message, "no such table");
    char number[16];

    snprintf(number, sizeof(number), "%d", code);
    return sql_fail(row->outcome, missing ? TROUBLE_TABLE : row->trouble, connection->settings->path, row->sentence, number, message,
                    ret_failure, receipt);
}

/* Why it cannot be opened, told before SQLite's "unable to open". */
static enum outcome refuse_path(const char *path, int errnum, struct receipt *receipt)
{
    return receipt_set(receipt, OUTCOME_TARGET_DOWN, errnum,
                       "%s: the database cannot be opened: %s; it has to be there, and user %ld needs read and write permission on it and on its "
                       "folder (a group, or setfacl)",
                       path, strerror(errnum), (long)geteuid());
}

static int past_deadline(void *arg)
{
    const struct sql_connection *connection = arg;

    return connection->deadline.us != 0 && clock_mono(clock_system()).us > connection->deadline.us;
}

#define STEPS_BETWEEN_LOOKS 10000

static enum outcome sqlite_connect(const struct session_settings *settings, struct sql_connection **ret_connection,
                                   struct receipt *receipt)
{
    struct sql_failure failure;
    struct sql_connection *connection = NULL;

    if (access(settings->path, R_OK) != 0)
        return refuse_path(settings->path, errno, receipt);
    if ((connection = calloc(1, sizeof(*connection))) == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    connection->settings = settings;
    int code = sqlite3_open_v2(settings->path, &connection->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(connection->db, (int)(settings->lock_timeout_us / 1000));
        sqlite3_progress_handler(connection->db, STEPS_BETWEEN_LOOKS, past_deadline, connection);
        sqlite3_db_config(connection->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* a name in quotes is never taken for a text */
        code = sqlite3_exec(connection->db, "PRAGMA foreign_keys = ON; SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        enum outcome outcome = fail(connection, code, &failure, receipt);
        sqlite_disconnect(connection);
        return outcome;
    }
    *ret_connection = connection;
    return OUTCOME_APPLIED;
}

static int bind(sqlite3_stmt *statement, const struct sql_query *query)
{
    int code = SQLITE_OK;

    for (size_t i = 0; code == SQLITE_OK && i < query->value_count; i++) {
        const struct sql_value *value = &query->values[i];
        if (value->bytes == NULL)
            code = sqlite3_bind_null(statement, (int)i + 1);
        else if (value->binary)
            code = sqlite3_bind_blob64(statement, (int)i + 1, value->bytes, value->length, SQLITE_STATIC);
        else
            code = sqlite3_bind_text64(statement, (int)i + 1, value->bytes, value->length, SQLITE_STATIC, SQLITE_UTF8);
    }
    return code;
}

static int hand_over(sqlite3_stmt *statement, const struct sql_query *query)
{
    struct sql_value cells[SQL_CELLS_MOST] = { 0 };
    int count = sqlite3_column_count(statement);

    for (int i = 0; i < count && i < SQL_CELLS_MOST; i++) {
        cells[i].binary = sqlite3_column_type(statement, i) == SQLITE_BLOB;
        if (sqlite3_column_type(statement, i) == SQLITE_NULL)
            continue;
        cells[i].bytes = cells[i].binary ? sqlite3_column_blob(statement, i) : (const char *)sqlite3_column_text(statement, i);
        cells[i].length = (size_t)sqlite3_column_bytes(statement, i);
        if (cells[i].bytes == NULL)
            cells[i].bytes = ""; /* an empty blob */
    }
    return query->row != NULL ? query->row(cells, query->arg) : 0;
}

static enum outcome sqlite_run(struct sql_connection *connection, struct sql_query *query, struct sql_failure *ret_failure,
                               struct receipt *receipt)
{
    sqlite3_stmt *statement = NULL;
    int taken = 0;

    connection->deadline.us = clock_mono(clock_system()).us + connection->settings->timeout_us;
    int code = sqlite3_prepare_v2(connection->db, query->text, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = bind(statement, query);
    while (code == SQLITE_OK && taken == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        taken = hand_over(statement, query);
        code = SQLITE_OK;
    }
    enum outcome outcome = OUTCOME_APPLIED;
    if (taken < 0)
        outcome = receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    else if (code != SQLITE_OK && code != SQLITE_DONE)
        outcome = fail(connection, code, ret_failure, receipt);
    query->changed = sqlite3_changes(connection->db);
    sqlite3_finalize(statement);
    return outcome;
}

static const struct sql_driver driver = {
    .name = "SQLite",
    .quote = '"',
    .bytes_of = "length(CAST(%s AS BLOB))",
    .part_of = "substr(CAST(%s AS BLOB), %lld, %lld)",
    .text_of = "CAST(%s AS TEXT)",
    .upsert = "ON CONFLICT (person) DO UPDATE SET denied = excluded.denied, since_ms = excluded.since_ms, expires_ms = excluded.expires_ms",
    .marks_table = "CREATE TABLE %s (person TEXT PRIMARY KEY, denied INTEGER NOT NULL, since_ms INTEGER, expires_ms INTEGER);",
    .read_only = "PRAGMA query_only = 1",
    .read_only_end = "PRAGMA query_only = 0",
    .open = sqlite_connect,
    .close = sqlite_disconnect,
    .run = sqlite_run,
};

static enum outcome open_store(const struct session_settings *settings, struct session_shared *shared, struct session_store **ret_store,
                               struct receipt *receipt)
{
    return sql_open(&driver, settings, shared, ret_store, receipt);
}

const struct session_store_ops session_sqlite = {
    .name = "sqlite",
    .share = sql_share,
    .unshare = sql_unshare,
    .check = sql_check,
    .open = open_store,
    .close = sql_close,
    .probe = sql_probe,
    .sweep = sql_sweep,
    .sample = sql_sample,
    .read_marks = sql_read_marks,
    .write_marks = sql_write_marks,
};
