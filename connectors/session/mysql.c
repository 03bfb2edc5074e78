/* mysql.c: sessions in MySQL or MariaDB, on MariaDB's client library. */
#include <mysql.h>
#include <mysqld_error.h>

#include "connectors/session/address.h"
#include "connectors/session/sql_outcome.h"

#define PORT 3306
#define CHARSET_BINARY 63

struct sql_connection {
    MYSQL *mysql;
    const struct session_settings *settings;
    char *where; /* "MySQL at db.example.com, database app" */
};

static void mysql_disconnect(struct sql_connection *connection)
{
    if (connection == NULL)
        return;
    if (connection->mysql != NULL)
        mysql_close(connection->mysql);
    free(connection->where);
    free(connection);
}

/* ---- failures ---- */

static enum outcome fail_as(const struct sql_connection *connection, unsigned code, const char *state, const char *message,
                            struct sql_failure *ret_failure, struct receipt *receipt)
{
    const struct sql_code_row *row = mysql_code_row((int)code);
    char number[16];

    snprintf(number, sizeof(number), "%u", code);
    if (row->code != SQL_CODE_OTHER)
        return sql_fail(row->outcome, row->trouble, connection->where, row->sentence, number, message, ret_failure, receipt);
    const struct sqlstate_row *by_state = sqlstate_row(state);
    return sql_fail(by_state->outcome, by_state->trouble, connection->where, by_state->sentence, number, message, ret_failure, receipt);
}

static enum outcome fail(const struct sql_connection *connection, MYSQL_STMT *statement, struct sql_failure *ret_failure,
                         struct receipt *receipt)
{
    return fail_as(connection, mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement), ret_failure,
                   receipt);
}

static enum outcome fail_connection(const struct sql_connection *connection, struct sql_failure *ret_failure, struct receipt *receipt)
{
    return fail_as(connection, mysql_errno(connection->mysql), mysql_sqlstate(connection->mysql), mysql_error(connection->mysql),
                   ret_failure, receipt);
}

/* ---- connecting ---- */

static void set_seconds(MYSQL *mysql, enum mysql_option option, int64_t us)
{
    unsigned seconds = (unsigned)((us + 999999) / 1000000);

    mysql_optionsv(mysql, option, &seconds);
}

static void set_tls(MYSQL *mysql, const struct session_settings *settings)
{
    my_bool yes = 1;

    if (!settings->tls)
        return;
    mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    if (settings->ca_file != NULL)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, settings->ca_file);
    if (settings->certificate != NULL)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CERT, settings->certificate);
    if (settings->key != NULL)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_KEY, settings->key);
}

/* Ways to log in that do not hand the password over. */
#define SAFE_PLUGINS "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519"

static MYSQL *prepare(const struct session_settings *settings)
{
    MYSQL *mysql = mysql_init(NULL);
    my_bool no = 0;
    unsigned off = 0;

    if (mysql == NULL)
        return NULL;
    set_seconds(mysql, MYSQL_OPT_CONNECT_TIMEOUT, settings->connect_timeout_us);
    set_seconds(mysql, MYSQL_OPT_READ_TIMEOUT, settings->timeout_us);
    set_seconds(mysql, MYSQL_OPT_WRITE_TIMEOUT, settings->timeout_us);
    mysql_optionsv(mysql, MYSQL_OPT_RECONNECT, &no);
    mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &off); /* a server must not read our files */
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!settings->tls && !settings->allow_plaintext)
        mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, SAFE_PLUGINS);
    set_tls(mysql, settings);
    return mysql;
}

static bool log_in(struct sql_connection *connection, const char *text)
{
    const struct session_settings *settings = connection->settings;
    cleanup_free char *host = NULL;
    unsigned protocol = MYSQL_PROTOCOL_TCP;
    int port = 0;

    if (connection->mysql != NULL)
        mysql_close(connection->mysql);
    connection->mysql = prepare(settings);
    if (connection->mysql == NULL || (text != NULL && address_split(text, PORT, &host, &port) < 0))
        return false;
    if (port == 0) /* a socket, the library's own where none is named */
        return mysql_real_connect(connection->mysql, "localhost", settings->user, settings->password, settings->dbname, 0, host, 0) != NULL;
    mysql_optionsv(connection->mysql, MYSQL_OPT_PROTOCOL, &protocol);
    return mysql_real_connect(connection->mysql, host, settings->user, settings->password, settings->dbname, (unsigned)port, NULL, 0) != NULL;
}

/* Limits of the server's own, where it has them: MariaDB and MySQL name them differently. */
static bool set_limits(struct sql_connection *connection)
{
    long long timeout_ms = connection->settings->timeout_us / 1000, lock_s = (connection->settings->lock_timeout_us + 999999) / 1000000;
    cleanup_free char *always = str_printf("SET SESSION time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = %lld, lock_wait_timeout = %lld",
                                           lock_s > 0 ? lock_s : 1, lock_s > 0 ? lock_s : 1);
    cleanup_free char *mariadb = str_printf("SET SESSION max_statement_time = %lld.%03lld", timeout_ms / 1000, timeout_ms % 1000);
    cleanup_free char *mysql = str_printf("SET SESSION max_execution_time = %lld", timeout_ms);

    if (always == NULL || mariadb == NULL || mysql == NULL)
        return false;
    if (mysql_query(connection->mysql, always) != 0)
        return false;
    return mysql_query(connection->mysql, mariadb_connection(connection->mysql) ? mariadb : mysql) == 0 ||
           mysql_errno(connection->mysql) == ER_UNKNOWN_SYSTEM_VARIABLE;
}

static enum outcome mysql_connect_store(const struct session_settings *settings, struct sql_connection **ret_connection,
                                        struct receipt *receipt)
{
    struct sql_connection *connection = calloc(1, sizeof(*connection));
    char *const none[] = { NULL, NULL }, *const *addresses = settings->address != NULL ? settings->address : none;
    struct sql_failure failure;
    bool in = false;
    size_t i = 0;

    if (connection != NULL)
        connection->where = str_printf("MySQL at %s, database %s", addresses[0] != NULL ? addresses[0] : "the local socket", settings->dbname);
    if (connection == NULL || connection->where == NULL) {
        free(connection);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    connection->settings = settings;
    do
        in = log_in(connection, addresses[i]) && set_limits(connection);
    while (!in && addresses[i] != NULL && addresses[++i] != NULL);
    if (in) {
        *ret_connection = connection;
        return OUTCOME_APPLIED;
    }
    enum outcome outcome = connection->mysql == NULL ? receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory")
                                                     : fail_connection(connection, &failure, receipt);
    mysql_disconnect(connection);
    /* whatever it was, nothing works there now */
    return outcome == OUTCOME_RETRY || outcome == OUTCOME_REJECTED ? receipt->outcome = OUTCOME_TARGET_DOWN : outcome;
}

/* ---- statements ---- */

static int bind_values(MYSQL_STMT *statement, const struct sql_query *query)
{
    static my_bool null = 1;
    cleanup_free MYSQL_BIND *binds = calloc(query->value_count + 1, sizeof(*binds));

    if (binds == NULL)
        return ERROR_NOMEM;
    if (mysql_stmt_param_count(statement) != query->value_count) /* only a lookup can be so */
        return ERROR_INVALID;
    for (size_t i = 0; i < query->value_count; i++) {
        const struct sql_value *value = &query->values[i];
        binds[i].buffer_type = value->binary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        binds[i].buffer = (void *)(uintptr_t)value->bytes;
        binds[i].buffer_length = value->length;
        binds[i].is_null = value->bytes == NULL ? &null : NULL;
    }
    /* the library copies the array, and reads the values at execution */
    return query->value_count == 0 || mysql_stmt_bind_param(statement, binds) == 0 ? 0 : ERROR_IO;
}

/* The columns of a result, each with a buffer that grows to what a row needs. */
struct columns {
    MYSQL_BIND binds[SQL_CELLS_MOST];
    struct buf buffers[SQL_CELLS_MOST];
    unsigned long lengths[SQL_CELLS_MOST];
    my_bool nulls[SQL_CELLS_MOST];
    bool binary[SQL_CELLS_MOST];
    unsigned count;
};

#define FIRST_BYTES 512

static bool reserve(struct buf *buffer, size_t bytes)
{
    if (buffer->capacity > bytes)
        return true;
    char *more = realloc(buffer->bytes, bytes + 1);
    if (more == NULL)
        return false;
    buffer->bytes = more;
    buffer->capacity = bytes + 1;
    return true;
}

static bool is_bytes(const MYSQL_FIELD *field)
{
    bool text = field->type == MYSQL_TYPE_STRING || field->type == MYSQL_TYPE_VAR_STRING || field->type == MYSQL_TYPE_VARCHAR ||
                (field->type >= MYSQL_TYPE_TINY_BLOB && field->type <= MYSQL_TYPE_BLOB);

    return text && field->charsetnr == CHARSET_BINARY;
}

static int bind_columns(MYSQL_STMT *statement, struct columns *columns)
{
    MYSQL_RES *result = mysql_stmt_result_metadata(statement);

    if (result == NULL)
        return 0; /* no rows */
    columns->count = mysql_num_fields(result);
    if (columns->count > SQL_CELLS_MOST) { /* the library wants all of them: a lookup of many columns */
        mysql_free_result(result);
        return ERROR_TOOBIG;
    }
    for (unsigned i = 0; i < columns->count; i++) {
        columns->binary[i] = is_bytes(mysql_fetch_field_direct(result, i));
        if (!reserve(&columns->buffers[i], FIRST_BYTES))
            break;
        columns->binds[i].buffer_type = MYSQL_TYPE_STRING;
        columns->binds[i].buffer = columns->buffers[i].bytes;
        columns->binds[i].buffer_length = FIRST_BYTES;
        columns->binds[i].length = &columns->lengths[i];
        columns->binds[i].is_null = &columns->nulls[i];
    }
    mysql_free_result(result);
    return mysql_stmt_bind_result(statement, columns->binds) == 0 ? 0 : ERROR_IO;
}

static int take_cell(MYSQL_STMT *statement, struct columns *columns, unsigned i, struct sql_value *ret_cell)
{
    struct buf *buffer = &columns->buffers[i];
    unsigned long length = columns->lengths[i];

    if (columns->nulls[i])
        return 0;
    if (length > FIRST_BYTES) {
        MYSQL_BIND whole = { .buffer_type = MYSQL_TYPE_STRING };
        if (!reserve(buffer, length))
            return ERROR_NOMEM;
        columns->binds[i].buffer = buffer->bytes; /* it may have moved */
        whole.buffer = buffer->bytes;
        whole.buffer_length = length;
        if (mysql_stmt_fetch_column(statement, &whole, i, 0) != 0)
            return ERROR_IO;
    }
    buffer->bytes[length] = '\0';
    *ret_cell = (struct sql_value){ buffer->bytes, length, columns->binary[i] };
    return 0;
}

/* 1: no more rows. */
static int take_row(MYSQL_STMT *statement, struct columns *columns, const struct sql_query *query)
{
    struct sql_value cells[SQL_CELLS_MOST] = { 0 };
    int fetched = mysql_stmt_fetch(statement), code = 0;

    if (fetched == MYSQL_NO_DATA)
        return 1;
    if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED)
        return ERROR_IO;
    for (unsigned i = 0; code == 0 && i < columns->count; i++)
        code = take_cell(statement, columns, i, &cells[i]);
    return code == 0 && query->row != NULL ? query->row(cells, query->arg) : code;
}

static int execute(MYSQL_STMT *statement, struct sql_query *query, struct columns *columns)
{
    int code;

    if (mysql_stmt_prepare(statement, query->text, strlen(query->text)) != 0)
        return ERROR_IO;
    if ((code = bind_values(statement, query)) < 0)
        return code;
    if (mysql_stmt_execute(statement) != 0)
        return ERROR_IO;
    if ((code = bind_columns(statement, columns)) < 0)
        return code;
    query->changed = columns->count == 0 ? (int64_t)mysql_stmt_affected_rows(statement) : 0;
    while (columns->count > 0 && code == 0) {
        code = take_row(statement, columns, query);
        if (code == 0) /* binds point to buffers that may have moved */
            code = mysql_stmt_bind_result(statement, columns->binds) == 0 ? 0 : ERROR_IO;
    }
    return code < 0 ? code : 0;
}

/* MySQL prepares no START TRANSACTION and no ROLLBACK. */
static enum outcome run_plain(struct sql_connection *connection, const struct sql_query *query, struct sql_failure *ret_failure,
                              struct receipt *receipt)
{
    if (mysql_query(connection->mysql, query->text) != 0)
        return fail_connection(connection, ret_failure, receipt);
    mysql_free_result(mysql_store_result(connection->mysql));
    return OUTCOME_APPLIED;
}

static enum outcome mysql_run(struct sql_connection *connection, struct sql_query *query, struct sql_failure *ret_failure,
                              struct receipt *receipt)
{
    if (query->value_count == 0 && query->row == NULL)
        return run_plain(connection, query, ret_failure, receipt);
    MYSQL_STMT *statement = mysql_stmt_init(connection->mysql);
    struct columns columns = { 0 };
    enum outcome outcome = OUTCOME_APPLIED;

    if (statement == NULL)
        return fail_connection(connection, ret_failure, receipt);
    int code = execute(statement, query, &columns);
    if (code == ERROR_IO)
        outcome = fail(connection, statement, ret_failure, receipt);
    else if (code == ERROR_INVALID || code == ERROR_TOOBIG)
        outcome = receipt_set(receipt, OUTCOME_REJECTED, 0, "lookup has to be one query of one column, with $1 for the name");
    else if (code < 0)
        outcome = receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    mysql_stmt_close(statement);
    for (unsigned i = 0; i < SQL_CELLS_MOST; i++)
        free(columns.buffers[i].bytes);
    return outcome;
}

static const struct sql_driver driver = {
    .name = "MySQL",
    .quote = '`',
    .bytes_of = "OCTET_LENGTH(%s)",
    .part_of = "SUBSTR(CAST(%s AS BINARY), %lld, %lld)",
    .text_of = "CAST(%s AS CHAR)",
    .upsert = "ON DUPLICATE KEY UPDATE denied = VALUES(denied), since_ms = VALUES(since_ms), expires_ms = VALUES(expires_ms)",
    .marks_table = "CREATE TABLE %s (person VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, denied SMALLINT NOT NULL, "
                   "since_ms BIGINT, expires_ms BIGINT);",
    .read_only = "START TRANSACTION READ ONLY",
    .read_only_end = "ROLLBACK",
    .open = mysql_connect_store,
    .close = mysql_disconnect,
    .run = mysql_run,
};

static enum outcome open_store(const struct session_settings *settings, struct session_shared *shared, struct session_store **ret_store,
                               struct receipt *receipt)
{
    return sql_open(&driver, settings, shared, ret_store, receipt);
}

static void check(const struct session_settings *settings, const char *file, int line, struct problems *problems)
{
    address_check(settings, PORT, file, line, problems);
    sql_check(settings, file, line, problems);
}

const struct session_store_ops session_mysql = {
    .name = "mysql",
    .share = sql_share,
    .unshare = sql_unshare,
    .check = check,
    .open = open_store,
    .close = sql_close,
    .probe = sql_probe,
    .sweep = sql_sweep,
    .sample = sql_sample,
    .read_marks = sql_read_marks,
    .write_marks = sql_write_marks,
};
