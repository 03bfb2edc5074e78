/*
 * postgresql.c: sessions in PostgreSQL, on libpq.
 * Statements are sent without waiting in libpq: a server that says nothing is
 * given up after `timeout`, whatever it was told to limit itself to.
 */
#include <libpq-fe.h>
#include <poll.h>

#include "connectors/session/address.h"
#include "connectors/session/sql_outcome.h"

#define PORT 5432
#define OID_BYTEA 17
#define OID_BPCHAR 1042

struct sql_connection {
    PGconn *pg;
    const struct session_settings *settings;
    char *where; /* "PostgreSQL db.example.com, database app" */
};

static void postgresql_disconnect(struct sql_connection *connection)
{
    if (connection == NULL)
        return;
    PQfinish(connection->pg);
    free(connection->where);
    free(connection);
}

/* ---- failures ---- */

/* An error that the server told (a result), or that the connection met. */
static enum outcome fail(struct sql_connection *connection, const PGresult *result, struct sql_failure *ret_failure, struct receipt *receipt)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    bool dead = PQstatus(connection->pg) != CONNECTION_OK;

    if (state == NULL)
        state = dead ? "08006" : "XX000";
    const struct sqlstate_row *row = sqlstate_row(state);
    return sql_fail(row->outcome, dead ? TROUBLE_LOST : row->trouble, connection->where, row->sentence, state,
                    message != NULL ? message : PQerrorMessage(connection->pg), ret_failure, receipt);
}

static bool says(const char *message, const char *word)
{
    return strstr(message, word) != NULL;
}

/* libpq has no code for what went wrong before the server spoke, and keeps the server's to itself. */
static enum outcome fail_to_connect(struct sql_connection *connection, struct receipt *receipt)
{
    static const struct {
        const char *word, *state;
    } known[] = {
        { "authentication", "28P01" }, { "no pg_hba.conf entry", "28000" }, { "role \"", "28000" },        { "database \"", "3D000" },
        { "starting up", "57P03" },    { "shutting down", "57P03" },        { "too many", "53300" },       { "certificate", "08001" },
        { "recovery mode", "57P03" },  { "not permitted to log in", "28000" }, { "read-only", "25006" },   { "no password supplied", "28P01" },
    };
    const char *message = PQerrorMessage(connection->pg), *state = "08001";
    struct sql_failure failure;

    for (size_t i = sizeof(known) / sizeof(known[0]); i-- > 0;)
        if (says(message, known[i].word))
            state = known[i].state;
    const char *sentence = strcmp(state, "08001") != 0 ? sqlstate_row(state)->sentence
                           : says(message, "certificate") || says(message, "SSL")
                               ? "no encrypted connection could be made; check ca_file, the certificate's names and its dates"
                               : "no connection could be made; check address, and that the server is running";
    return sql_fail(OUTCOME_TARGET_DOWN, TROUBLE_LOST, connection->where, sentence, state, message, &failure, receipt);
}

static enum outcome fail_in_time(struct sql_connection *connection, struct sql_failure *ret_failure, struct receipt *receipt)
{
    *ret_failure = (struct sql_failure){ .silent = true };
    return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "%s: no answer within %lld ms", connection->where,
                       (long long)(connection->settings->timeout_us / 1000));
}

/* ---- connecting ---- */

#define WORDS_MOST 24

struct words { /* of the connection, as libpq takes them */
    const char *names[WORDS_MOST + 1], *values[WORDS_MOST + 1];
    size_t count;
};

static void add_word(struct words *words, const char *name, const char *value)
{
    if (value == NULL || words->count == WORDS_MOST)
        return;
    words->names[words->count] = name;
    words->values[words->count++] = value;
}

/* Hosts and ports as libpq's lists; it tries them in order. A socket is named by its folder. */
static void add_address(const char *text, struct buf *hosts, struct buf *ports)
{
    cleanup_free char *host = NULL;
    int port = 0;

    if (address_split(text, PORT, &host, &port) < 0)
        return; /* the check has said so */
    const char *comma = hosts->length > 0 ? "," : "", *name = strstr(host, "/.s.PGSQL.");
    if (name != NULL) {
        buf_printf(hosts, "%s%.*s", comma, (int)(name - host), host);
        buf_printf(ports, "%s%s", comma, name + strlen("/.s.PGSQL."));
    } else {
        buf_printf(hosts, "%s%s", comma, host);
        buf_printf(ports, "%s%d", comma, port != 0 ? port : PORT);
    }
}

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

static PGconn *log_in(const struct session_settings *settings)
{
    cleanup_buf struct buf hosts = { 0 }, ports = { 0 };
    cleanup_free char *options = str_printf("-c statement_timeout=%lld -c lock_timeout=%lld -c TimeZone=UTC -c DateStyle=ISO -c bytea_output=hex",
                                            (long long)(settings->timeout_us / 1000), (long long)(settings->lock_timeout_us / 1000));
    cleanup_free char *seconds = str_printf("%lld", (long long)((settings->connect_timeout_us + 999999) / 1000000));
    cleanup_free char *unanswered = str_printf("%lld", (long long)(settings->timeout_us / 1000));
    bool several = settings->address != NULL && settings->address[0] != NULL && settings->address[1] != NULL;
    struct words words = { 0 };

    for (size_t i = 0; settings->address != NULL && settings->address[i] != NULL; i++)
        add_address(settings->address[i], &hosts, &ports);
    add_word(&words, "host", hosts.length > 0 ? hosts.bytes : NULL);
    add_word(&words, "port", ports.length > 0 ? ports.bytes : NULL);
    add_word(&words, "dbname", settings->dbname);
    add_word(&words, "user", settings->user);
    add_word(&words, "password", settings->password);
    add_word(&words, "options", options);
    add_word(&words, "connect_timeout", seconds);
    add_word(&words, "tcp_user_timeout", unanswered);
    add_word(&words, "application_name", "provost");
    add_word(&words, "client_encoding", "UTF8");
    add_word(&words, "gssencmode", "disable");
    add_word(&words, "sslmode", settings->tls ? "verify-full" : "prefer");
    add_word(&words, "sslrootcert", settings->ca_file != NULL ? settings->ca_file : settings->tls ? SYSTEM_CA_FILE : NULL);
    add_word(&words, "sslcert", settings->certificate);
    add_word(&words, "sslkey", settings->key);
    add_word(&words, "target_session_attrs", several ? "read-write" : NULL);
    return PQconnectdbParams(words.names, words.values, 0);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg, (void)result; /* else libpq writes it to standard error */
}

static enum outcome postgresql_connect(const struct session_settings *settings, struct sql_connection **ret_connection,
                                       struct receipt *receipt)
{
    struct sql_connection *connection = calloc(1, sizeof(*connection));
    const char *first = settings->address != NULL && settings->address[0] != NULL ? settings->address[0] : "local socket";

    if (connection == NULL || (connection->where = str_printf("PostgreSQL at %s, database %s", first, settings->dbname)) == NULL) {
        free(connection);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    connection->settings = settings;
    connection->pg = log_in(settings);
    if (PQstatus(connection->pg) != CONNECTION_OK) {
        enum outcome outcome = fail_to_connect(connection, receipt);
        postgresql_disconnect(connection);
        return outcome;
    }
    PQsetNoticeReceiver(connection->pg, ignore_notice, NULL);
    *ret_connection = connection;
    return OUTCOME_APPLIED;
}

/* ---- statements ---- */

static bool send_query(struct sql_connection *connection, const struct sql_query *query)
{
    size_t count = query->value_count;
    cleanup_free const char **values = calloc(count + 1, sizeof(*values));
    cleanup_free int *lengths = calloc(count + 1, sizeof(*lengths));
    cleanup_free int *formats = calloc(count + 1, sizeof(*formats));

    if (values == NULL || lengths == NULL || formats == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        values[i] = query->values[i].bytes;
        lengths[i] = (int)query->values[i].length;
        formats[i] = query->values[i].binary;
    }
    return PQsendQueryParams(connection->pg, query->text, (int)count, NULL, values, lengths, formats, 0) == 1 &&
           PQsetSingleRowMode(connection->pg) == 1;
}

/* Waits until a result is there; false: the time is over. A broken connection is a result, too. */
static bool await_result(struct sql_connection *connection, struct mono deadline)
{
    while (PQisBusy(connection->pg)) {
        int64_t left_us = deadline.us - clock_mono(clock_system()).us;
        struct pollfd fd = { PQsocket(connection->pg), POLLIN, 0 };
        if (left_us <= 0)
            return false;
        poll(&fd, 1, (int)(left_us / 1000) + 1);
        if (fd.revents != 0 && PQconsumeInput(connection->pg) == 0)
            break;
    }
    return true;
}

static void trim_padding(struct sql_value *cell)
{
    while (cell->length > 0 && cell->bytes[cell->length - 1] == ' ')
        cell->length--;
}

static int hand_over_row(const PGresult *result, int row, const struct sql_query *query)
{
    struct sql_value cells[SQL_CELLS_MOST] = { 0 };
    unsigned char *decoded[SQL_CELLS_MOST] = { NULL };
    int count = PQnfields(result) < SQL_CELLS_MOST ? PQnfields(result) : SQL_CELLS_MOST, code = 0;

    for (int i = 0; i < count; i++) {
        if (PQgetisnull(result, row, i))
            continue;
        cells[i] = (struct sql_value){ PQgetvalue(result, row, i), (size_t)PQgetlength(result, row, i), false };
        if (PQftype(result, i) == OID_BPCHAR)
            trim_padding(&cells[i]);
        if (PQftype(result, i) != OID_BYTEA)
            continue;
        decoded[i] = PQunescapeBytea((const unsigned char *)cells[i].bytes, &cells[i].length);
        cells[i].bytes = (const char *)decoded[i];
        cells[i].binary = true;
        code = decoded[i] == NULL ? ERROR_NOMEM : code;
    }
    if (code == 0 && query->row != NULL)
        code = query->row(cells, query->arg);
    for (int i = 0; i < count; i++)
        PQfreemem(decoded[i]);
    return code;
}

/* One result: rows handed over, or the first failure kept. */
static enum outcome take_result(struct sql_connection *connection, PGresult *result, struct sql_query *query,
                                struct sql_failure *ret_failure, struct receipt *receipt)
{
    ExecStatusType status = PQresultStatus(result);
    long long changed = 0;
    int code = 0;

    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        return fail(connection, result, ret_failure, receipt);
    for (int row = 0; code == 0 && row < PQntuples(result); row++)
        code = hand_over_row(result, row, query);
    if (status == PGRES_COMMAND_OK && str_to_int64(PQcmdTuples(result), &changed))
        query->changed = changed;
    return code < 0 ? receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory") : OUTCOME_APPLIED;
}

static enum outcome postgresql_run(struct sql_connection *connection, struct sql_query *query, struct sql_failure *ret_failure,
                                   struct receipt *receipt)
{
    /* a little longer than the server allows itself, so that its own sentence comes first */
    struct mono deadline = { clock_mono(clock_system()).us + connection->settings->timeout_us + 500000 };
    enum outcome outcome = OUTCOME_APPLIED;

    if (!send_query(connection, query))
        return fail(connection, NULL, ret_failure, receipt);
    for (;;) {
        if (!await_result(connection, deadline))
            return fail_in_time(connection, ret_failure, receipt);
        PGresult *result = PQgetResult(connection->pg);
        if (result == NULL)
            return outcome;
        if (outcome == OUTCOME_APPLIED)
            outcome = take_result(connection, result, query, ret_failure, receipt);
        PQclear(result);
    }
}

static const struct sql_driver driver = {
    .name = "PostgreSQL",
    .numbered = true,
    .folds = true,
    .quote = '"',
    .bytes_of = "octet_length((%s)::text)",
    .part_of = "substring(CASE pg_typeof(%1$s) WHEN 'bytea'::regtype THEN decode(substr((%1$s)::text, 3), 'hex') "
               "ELSE convert_to((%1$s)::text, 'UTF8') END FROM %2$lld FOR %3$lld)",
    .text_of = "(%s)::text",
    .upsert = "ON CONFLICT (person) DO UPDATE SET denied = excluded.denied, since_ms = excluded.since_ms, expires_ms = excluded.expires_ms",
    .marks_table = "CREATE TABLE %s (person text PRIMARY KEY, denied smallint NOT NULL, since_ms bigint, expires_ms bigint);",
    .read_only = "START TRANSACTION READ ONLY",
    .read_only_end = "ROLLBACK",
    .open = postgresql_connect,
    .close = postgresql_disconnect,
    .run = postgresql_run,
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

const struct session_store_ops session_postgresql = {
    .name = "postgresql",
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
