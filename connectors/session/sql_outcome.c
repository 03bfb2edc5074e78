#include "connectors/session/sql_outcome.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <sqlite3.h>

#define PERMISSION "the log-in may not do this; grant it SELECT and DELETE on the sessions, and SELECT, INSERT, UPDATE and DELETE on the markers"
#define NAMES "a table or column that the mapping names is not there; see table and the …_column lines of its group sessions"
#define UNFIT "the name does not fit the column's type; let user (or lookup) give what stands in it"

/* The administrator mends names and rights: RETRY, so that what waited is made good afterwards. */
const struct sqlstate_row sqlstate_table[] = {
    { "00", OUTCOME_APPLIED, TROUBLE_NONE, "done" },
    { "01", OUTCOME_APPLIED, TROUBLE_NONE, "done, with a warning" },
    { "02", OUTCOME_APPLIED, TROUBLE_NONE, "no data" },
    { "03", OUTCOME_RETRY, TROUBLE_NONE, "the server took the statement for unfinished" },
    { "08", OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the connection was lost" },
    { "09", OUTCOME_REJECTED, TROUBLE_NONE, "a trigger refused it" },
    { "0A", OUTCOME_REJECTED, TROUBLE_NONE, "the server cannot do this" },
    { "0B", OUTCOME_RETRY, TROUBLE_NONE, "the transaction could not begin" },
    { "0F", OUTCOME_RETRY, TROUBLE_NONE, "a locator is not valid" },
    { "0L", OUTCOME_RETRY, TROUBLE_NONE, PERMISSION },
    { "0P", OUTCOME_RETRY, TROUBLE_NONE, "the role is not valid" },
    { "0Z", OUTCOME_RETRY, TROUBLE_NONE, "the server's diagnostics failed" },
    { "20", OUTCOME_REJECTED, TROUBLE_NONE, "a procedure found no case for it" },
    { "21", OUTCOME_REJECTED, TROUBLE_NONE, "the query gives more than one row where one is wanted; see lookup" },
    { "22", OUTCOME_REJECTED, TROUBLE_NONE, UNFIT },
    { "23", OUTCOME_RETRY, TROUBLE_NONE, "rows of another table refer to the sessions; let them go with them (ON DELETE CASCADE)" },
    { "24", OUTCOME_RETRY, TROUBLE_NONE, "the cursor's state is wrong" },
    { "25", OUTCOME_RETRY, TROUBLE_NONE, "the transaction's state is wrong" },
    { "25006", OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server takes no changes (a standby, or set to read-only); address has to name the primary" },
    { "26", OUTCOME_RETRY, TROUBLE_LOST, "the server forgot a prepared statement" },
    { "27", OUTCOME_RETRY, TROUBLE_NONE, "a trigger changed the row first" },
    { "28", OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the log-in was refused; check user and password, and the server's rules for this machine" },
    { "2B", OUTCOME_REJECTED, TROUBLE_NONE, "privileges depend on it" },
    { "2D", OUTCOME_RETRY, TROUBLE_NONE, "the transaction cannot end so" },
    { "2F", OUTCOME_RETRY, TROUBLE_NONE, "a function of the database failed" },
    { "34", OUTCOME_RETRY, TROUBLE_NONE, "there is no such cursor" },
    { "38", OUTCOME_RETRY, TROUBLE_NONE, "a function outside of the database failed" },
    { "39", OUTCOME_RETRY, TROUBLE_NONE, "a function outside of the database could not be called" },
    { "3B", OUTCOME_RETRY, TROUBLE_NONE, "there is no such savepoint" },
    { "3D", OUTCOME_TARGET_DOWN, TROUBLE_NONE, "there is no such database; check dbname" },
    { "3F", OUTCOME_RETRY, TROUBLE_TABLE, NAMES },
    { "40", OUTCOME_RETRY, TROUBLE_NONE, "another transaction was in the way" },
    { "42", OUTCOME_RETRY, TROUBLE_NONE, "the server does not accept the statement; see the mapping's group sessions, above all lookup" },
    { "42501", OUTCOME_RETRY, TROUBLE_NONE, PERMISSION },
    { "42000", OUTCOME_RETRY, TROUBLE_NONE, "the server does not accept the statement, or the log-in may not do this" },
    { "42703", OUTCOME_RETRY, TROUBLE_NONE, NAMES },
    { "42883", OUTCOME_REJECTED, TROUBLE_NONE, UNFIT },
    { "42P01", OUTCOME_RETRY, TROUBLE_TABLE, NAMES },
    { "42S02", OUTCOME_RETRY, TROUBLE_TABLE, NAMES },
    { "42S22", OUTCOME_RETRY, TROUBLE_NONE, NAMES },
    { "44", OUTCOME_REJECTED, TROUBLE_NONE, "the view's rule refuses it" },
    { "53", OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server lacks disk, memory or connections" },
    { "54", OUTCOME_REJECTED, TROUBLE_NONE, "the statement is beyond a limit of the server" },
    { "55", OUTCOME_RETRY, TROUBLE_NONE, "the object is in use or not ready" },
    { "55P03", OUTCOME_RETRY, TROUBLE_NONE, "the application held the rows locked for longer than lock_timeout" },
    { "57", OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server is starting, ending or was told to end the connection" },
    { "57014", OUTCOME_RETRY, TROUBLE_NONE, "it took longer than timeout, or was cancelled; a smaller step, an index on the column, or a longer timeout would help" },
    { "58", OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server's machine met an error" },
    { "70", OUTCOME_RETRY, TROUBLE_NONE, "the statement was interrupted" },
    { "72", OUTCOME_RETRY, TROUBLE_NONE, "the snapshot is too old" },
    { "F0", OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the server's configuration is faulty" },
    { "HV", OUTCOME_RETRY, TROUBLE_NONE, "a table of another server could not be reached" },
    { "HY", OUTCOME_RETRY, TROUBLE_NONE, "the server met an error" },
    { "P0", OUTCOME_RETRY, TROUBLE_NONE, "a procedure of the database failed" },
    { "XA", OUTCOME_RETRY, TROUBLE_NONE, "a distributed transaction is in the way" },
    { "XX", OUTCOME_RETRY, TROUBLE_NONE, "the server met an internal error" },
    { "", OUTCOME_RETRY, TROUBLE_NONE, "an error that is not known" },
};

const struct sql_code_row sqlite_code_table[] = {
    { SQLITE_OK, OUTCOME_APPLIED, TROUBLE_NONE, "done" },
    { SQLITE_ERROR, OUTCOME_RETRY, TROUBLE_NONE, "the database does not accept the statement; see the mapping's group sessions" },
    { SQLITE_INTERNAL, OUTCOME_RETRY, TROUBLE_NONE, "SQLite met an internal error" },
    { SQLITE_PERM, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "access to the file is denied" },
    { SQLITE_ABORT, OUTCOME_RETRY, TROUBLE_NONE, "the statement was aborted" },
    { SQLITE_BUSY, OUTCOME_RETRY, TROUBLE_NONE, "the application held the database locked for longer than lock_timeout" },
    { SQLITE_LOCKED, OUTCOME_RETRY, TROUBLE_NONE, "a table is locked" },
    { SQLITE_NOMEM, OUTCOME_RETRY, TROUBLE_NONE, "out of memory" },
    { SQLITE_READONLY, OUTCOME_TARGET_DOWN, TROUBLE_LOST,
      "the database cannot be written; the agent's user needs write permission on the file and on its folder (a group, or setfacl)" },
    { SQLITE_INTERRUPT, OUTCOME_RETRY, TROUBLE_NONE, "it took longer than timeout; a smaller step or an index on the column would help" },
    { SQLITE_IOERR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the disk met an error" },
    { SQLITE_CORRUPT, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the database is damaged" },
    { SQLITE_NOTFOUND, OUTCOME_RETRY, TROUBLE_NONE, "SQLite did not find a part of its own" },
    { SQLITE_FULL, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the disk is full; a session cannot even be deleted then: make room" },
    { SQLITE_CANTOPEN, OUTCOME_TARGET_DOWN, TROUBLE_LOST,
      "the file cannot be opened; the agent's user needs read and write permission on it and on its folder (a group, or setfacl)" },
    { SQLITE_PROTOCOL, OUTCOME_RETRY, TROUBLE_NONE, "the file's locks were in the way" },
    { SQLITE_EMPTY, OUTCOME_RETRY, TROUBLE_NONE, "the database is empty" },
    { SQLITE_SCHEMA, OUTCOME_RETRY, TROUBLE_NONE, "the tables were changed meanwhile" },
    { SQLITE_TOOBIG, OUTCOME_REJECTED, TROUBLE_NONE, "a value is too big" },
    { SQLITE_CONSTRAINT, OUTCOME_RETRY, TROUBLE_NONE, "rows of another table refer to the sessions; let them go with them (ON DELETE CASCADE)" },
    { SQLITE_MISMATCH, OUTCOME_REJECTED, TROUBLE_NONE, UNFIT },
    { SQLITE_MISUSE, OUTCOME_RETRY, TROUBLE_LOST, "SQLite was used wrongly" },
    { SQLITE_NOLFS, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the file is too large for this machine" },
    { SQLITE_AUTH, OUTCOME_RETRY, TROUBLE_NONE, "the statement is not allowed" },
    { SQLITE_FORMAT, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the file has an old format" },
    { SQLITE_RANGE, OUTCOME_RETRY, TROUBLE_NONE, "a parameter too many; see lookup" },
    { SQLITE_NOTADB, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the file is no SQLite database; check path" },
    { SQLITE_NOTICE, OUTCOME_APPLIED, TROUBLE_NONE, "done, with a notice" },
    { SQLITE_WARNING, OUTCOME_APPLIED, TROUBLE_NONE, "done, with a warning" },
    { SQLITE_ROW, OUTCOME_APPLIED, TROUBLE_NONE, "a row" },
    { SQLITE_DONE, OUTCOME_APPLIED, TROUBLE_NONE, "done" },
    { SQL_CODE_OTHER, OUTCOME_RETRY, TROUBLE_NONE, "an error that is not known" },
};

#define LOGIN "the log-in was refused; check user and password, and from where the server lets this user in"
#define LOST "the connection was lost"
#define NOWHERE "no connection could be made; check address, and that the server is running"
#define ENCRYPTION "the encrypted connection failed; check ca_file, the certificate's names and its dates"
#define PLUGIN \
    "the server wants a way to log in that this machine lacks, or that would send the password in clear; give the user another one, " \
    "or set tls = true"
#define LIBRARY "the client library met an error"

const struct sql_code_row mysql_code_table[] = {
    /* the server's, where SQLSTATE says less */
    { ER_CON_COUNT_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server has too many connections" },
    { ER_OUT_OF_RESOURCES, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server lacks memory" },
    { ER_HANDSHAKE_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { ER_DBACCESS_DENIED_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the log-in may not use this database; check dbname and its grants" },
    { ER_ACCESS_DENIED_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_NONE, LOGIN },
    { ER_BAD_DB_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "there is no such database; check dbname" },
    { ER_SERVER_SHUTDOWN, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server is shutting down" },
    { ER_DISK_FULL, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the server's disk is full" },
    { ER_RECORD_FILE_FULL, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the server's table is full" },
    { ER_OPEN_AS_READONLY, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the table takes no changes" },
    { ER_HOST_IS_BLOCKED, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the server blocked this machine after failed log-ins (FLUSH HOSTS there frees it)" },
    { ER_HOST_NOT_PRIVILEGED, OUTCOME_TARGET_DOWN, TROUBLE_NONE, LOGIN },
    { ER_TABLEACCESS_DENIED_ERROR, OUTCOME_RETRY, TROUBLE_NONE, PERMISSION },
    { ER_COLUMNACCESS_DENIED_ERROR, OUTCOME_RETRY, TROUBLE_NONE, PERMISSION },
    { ER_NO_SUCH_TABLE, OUTCOME_RETRY, TROUBLE_TABLE, NAMES },
    { ER_BAD_FIELD_ERROR, OUTCOME_RETRY, TROUBLE_NONE, NAMES },
    { ER_LOCK_WAIT_TIMEOUT, OUTCOME_RETRY, TROUBLE_NONE, "the application held the rows locked for longer than lock_timeout" },
    { ER_LOCK_DEADLOCK, OUTCOME_RETRY, TROUBLE_NONE, "another transaction was in the way" },
    { ER_READ_ONLY_TRANSACTION, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server takes no changes" },
    { ER_OPTION_PREVENTS_STATEMENT, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server takes no changes (read_only: a replica); address has to name the primary" },
    { ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, OUTCOME_REJECTED, TROUBLE_NONE, "lookup may only read" },
    { ER_QUERY_INTERRUPTED, OUTCOME_RETRY, TROUBLE_NONE, "the statement was cancelled" },
    { ER_STATEMENT_TIMEOUT, OUTCOME_RETRY, TROUBLE_NONE, "it took longer than timeout; a smaller step or an index on the column would help" },
    { ER_CONNECTION_KILLED, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server was told to end the connection" },
    { ER_ROW_IS_REFERENCED_2, OUTCOME_RETRY, TROUBLE_NONE, "rows of another table refer to the sessions; let them go with them (ON DELETE CASCADE)" },
    { ER_TRUNCATED_WRONG_VALUE, OUTCOME_REJECTED, TROUBLE_NONE, UNFIT },
    /* the client library's */
    { CR_UNKNOWN_ERROR, OUTCOME_RETRY, TROUBLE_LOST, LIBRARY },
    { CR_SOCKET_CREATE_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_CONNECTION_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_CONN_HOST_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_IPSOCK_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_UNKNOWN_HOST, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the address's name is not known" },
    { CR_SERVER_GONE_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, LOST },
    { CR_VERSION_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, "the server speaks another version of the protocol" },
    { CR_OUT_OF_MEMORY, OUTCOME_RETRY, TROUBLE_LOST, "out of memory" },
    { CR_WRONG_HOST_INFO, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_LOCALHOST_CONNECTION, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_TCP_CONNECTION, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_SERVER_HANDSHAKE_ERR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_SERVER_LOST, OUTCOME_TARGET_DOWN, TROUBLE_LOST, LOST },
    { CR_COMMANDS_OUT_OF_SYNC, OUTCOME_RETRY, TROUBLE_LOST, LIBRARY },
    { CR_NAMEDPIPE_CONNECTION, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_NAMEDPIPEWAIT_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_NAMEDPIPEOPEN_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_NAMEDPIPESETSTATE_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_CANT_READ_CHARSET, OUTCOME_TARGET_DOWN, TROUBLE_LOST, LIBRARY },
    { CR_NET_PACKET_TOO_LARGE, OUTCOME_RETRY, TROUBLE_LOST, "an answer was too large; a smaller value_size_max would help" },
    { CR_SSL_CONNECTION_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, ENCRYPTION },
    { CR_MALFORMED_PACKET, OUTCOME_RETRY, TROUBLE_LOST, LIBRARY },
    { CR_NO_PREPARE_STMT, OUTCOME_RETRY, TROUBLE_LOST, LIBRARY },
    { CR_PARAMS_NOT_BOUND, OUTCOME_RETRY, TROUBLE_NONE, "a parameter too many; see lookup" },
    { CR_INVALID_PARAMETER_NO, OUTCOME_RETRY, TROUBLE_NONE, LIBRARY },
    { CR_INVALID_BUFFER_USE, OUTCOME_RETRY, TROUBLE_NONE, LIBRARY },
    { CR_UNSUPPORTED_PARAM_TYPE, OUTCOME_RETRY, TROUBLE_NONE, LIBRARY },
    { CR_SHARED_MEMORY_CONNECTION, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_SHARED_MEMORY_CONNECT_ERROR, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_CONN_UNKNOWN_PROTOCOL, OUTCOME_TARGET_DOWN, TROUBLE_LOST, NOWHERE },
    { CR_SECURE_AUTH, OUTCOME_TARGET_DOWN, TROUBLE_NONE, "the server wants a log-in that is not secure" },
    { CR_NO_DATA, OUTCOME_RETRY, TROUBLE_NONE, LIBRARY },
    { CR_NO_STMT_METADATA, OUTCOME_RETRY, TROUBLE_NONE, "the query gives no rows; see lookup" },
    { CR_NOT_IMPLEMENTED, OUTCOME_RETRY, TROUBLE_NONE, LIBRARY },
    { CR_SERVER_LOST_EXTENDED, OUTCOME_TARGET_DOWN, TROUBLE_LOST, LOST },
    { CR_STMT_CLOSED, OUTCOME_RETRY, TROUBLE_LOST, LIBRARY },
    { CR_NEW_STMT_METADATA, OUTCOME_RETRY, TROUBLE_NONE, "the tables were changed meanwhile" },
    { CR_ALREADY_CONNECTED, OUTCOME_RETRY, TROUBLE_LOST, LIBRARY },
    { CR_AUTH_PLUGIN_CANNOT_LOAD, OUTCOME_TARGET_DOWN, TROUBLE_NONE, PLUGIN },
    { CR_DUPLICATE_CONNECTION_ATTR, OUTCOME_RETRY, TROUBLE_NONE, LIBRARY },
    { CR_AUTH_PLUGIN_ERR, OUTCOME_TARGET_DOWN, TROUBLE_NONE, LOGIN },
    { CR_PLUGIN_NOT_ALLOWED, OUTCOME_TARGET_DOWN, TROUBLE_NONE, PLUGIN },
    { CR_ERR_LOAD_PLUGIN, OUTCOME_TARGET_DOWN, TROUBLE_NONE, PLUGIN },
    { CR_ERR_NET_READ, OUTCOME_TARGET_DOWN, TROUBLE_LOST, LOST },
    { CR_ERR_NET_WRITE, OUTCOME_TARGET_DOWN, TROUBLE_LOST, LOST },
    { SQL_CODE_OTHER, OUTCOME_RETRY, TROUBLE_NONE, "an error that is not known" },
};

const struct sqlstate_row *sqlstate_row(const char *state)
{
    const struct sqlstate_row *best = NULL, *row = sqlstate_table;

    for (; *row->code != '\0'; row++)
        if (strncmp(row->code, state, strlen(row->code)) == 0 && (best == NULL || strlen(row->code) > strlen(best->code)))
            best = row;
    return best != NULL ? best : row;
}

static const struct sql_code_row *find_code(const struct sql_code_row *row, int code)
{
    while (row->code != code && row->code != SQL_CODE_OTHER)
        row++;
    return row;
}

const struct sql_code_row *sqlite_code_row(int code)
{
    return find_code(sqlite_code_table, code & 0xff);
}

const struct sql_code_row *mysql_code_row(int code)
{
    return find_code(mysql_code_table, code);
}

/* The server's own words on one line, without what would not fit there. */
static void add_message(struct buf *text, const char *message)
{
    bool space = true;

    for (const char *c = message; *c != '\0' && c - message < 600; c++) {
        bool blank = *c == ' ' || *c == '\n' || *c == '\t' || *c == '\r';
        if (!blank || !space)
            buf_add_char(text, blank ? ' ' : *c);
        space = blank;
    }
    while (text->length > 0 && text->bytes[text->length - 1] == ' ')
        text->bytes[--text->length] = '\0';
}

enum outcome sql_fail(enum outcome outcome, enum sql_trouble trouble, const char *where, const char *sentence, const char *code,
                      const char *message, struct sql_failure *ret_failure, struct receipt *receipt)
{
    cleanup_buf struct buf words = { 0 };
    long long number;

    if (message != NULL)
        add_message(&words, message);
    *ret_failure = (struct sql_failure){ .lost = trouble == TROUBLE_LOST, .missing_table = trouble == TROUBLE_TABLE };
    return receipt_set(receipt, outcome, str_to_int64(code, &number) ? (int)number : 0, "%s: %s (%s)%s%s", where, sentence, code,
                       words.length > 0 ? ": " : "", words.length > 0 ? words.bytes : "");
}
