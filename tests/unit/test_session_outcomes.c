/* The tables from what databases and memcached answer to outcomes, and the statements that are made for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errmsg.h>
#include <libmemcached-1.0/memcached.h>
#include <mysqld_error.h>
#include <sqlite3.h>

#include "connectors/session/memcached_outcome.h"
#include "connectors/session/sql_outcome.h"
#include "connectors/session/sql_statement.h"

/* PostgreSQL's appendix A: every class there is, written here again so that a row that is lost is missed. */
static const char *const classes[] = { "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22",
                                       "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F",
                                       "40", "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX" };

static void every_sqlstate_class_has_one_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        char code[8];
        snprintf(code, sizeof(code), "%s999", classes[i]);
        assert_string_equal(sqlstate_row(code)->code, classes[i]);
    }
    assert_string_equal(sqlstate_row("Q7777")->code, "");
    assert_string_equal(sqlstate_row("")->code, "");
}

static void rows_of_sqlstate_are_each_there_once(void **state)
{
    (void)state;
    for (const struct sqlstate_row *row = sqlstate_table; *row->code != '\0'; row++) {
        assert_ptr_equal(sqlstate_row(row->code), row);
        assert_true((unsigned)row->outcome < OUTCOME_COUNT);
        assert_true(strlen(row->sentence) > 0);
        for (const struct sqlstate_row *other = row + 1; *other->code != '\0'; other++)
            assert_string_not_equal(row->code, other->code);
    }
}

/* state, outcome: those on which a leaver's sessions hang. */
static const struct {
    const char *state;
    enum outcome outcome;
    enum sql_trouble trouble;
} states[] = {
    { "08006", OUTCOME_TARGET_DOWN, TROUBLE_LOST },  { "28P01", OUTCOME_TARGET_DOWN, TROUBLE_NONE }, { "3D000", OUTCOME_TARGET_DOWN, TROUBLE_NONE },
    { "53100", OUTCOME_TARGET_DOWN, TROUBLE_LOST },  { "53300", OUTCOME_TARGET_DOWN, TROUBLE_LOST }, { "57P01", OUTCOME_TARGET_DOWN, TROUBLE_LOST },
    { "57P03", OUTCOME_TARGET_DOWN, TROUBLE_LOST },  { "57014", OUTCOME_RETRY, TROUBLE_NONE },       { "55P03", OUTCOME_RETRY, TROUBLE_NONE },
    { "40P01", OUTCOME_RETRY, TROUBLE_NONE },        { "42P01", OUTCOME_RETRY, TROUBLE_TABLE },      { "42703", OUTCOME_RETRY, TROUBLE_NONE },
    { "42501", OUTCOME_RETRY, TROUBLE_NONE },        { "42601", OUTCOME_RETRY, TROUBLE_NONE },       { "22P02", OUTCOME_REJECTED, TROUBLE_NONE },
    { "25006", OUTCOME_TARGET_DOWN, TROUBLE_LOST },
};

static void states_mean_what_the_agent_has_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        const struct sqlstate_row *row = sqlstate_row(states[i].state);
        if (row->outcome != states[i].outcome || row->trouble != states[i].trouble)
            fail_msg("%s: %s", states[i].state, outcome_name(row->outcome));
    }
}

static void each_code_once(const struct sql_code_row *table)
{
    for (const struct sql_code_row *row = table; row->code != SQL_CODE_OTHER; row++)
        for (const struct sql_code_row *other = row + 1; other->code != SQL_CODE_OTHER; other++)
            assert_int_not_equal(row->code, other->code);
}

static void every_code_of_sqlite_has_one_row(void **state)
{
    (void)state;
    each_code_once(sqlite_code_table);
    for (int code = SQLITE_OK; code <= SQLITE_WARNING; code++)
        assert_int_equal(sqlite_code_row(code)->code, code);
    assert_int_equal(sqlite_code_row(SQLITE_ROW)->code, SQLITE_ROW);
    assert_int_equal(sqlite_code_row(SQLITE_DONE)->code, SQLITE_DONE);
    assert_int_equal(sqlite_code_row(99)->code, SQL_CODE_OTHER);
    assert_int_equal(sqlite_code_row(SQLITE_IOERR_FSYNC)->code, SQLITE_IOERR); /* an extended one */
    assert_int_equal(sqlite_code_row(SQLITE_FULL)->outcome, OUTCOME_TARGET_DOWN);
    assert_int_equal(sqlite_code_row(SQLITE_BUSY)->outcome, OUTCOME_RETRY);
    assert_int_equal(sqlite_code_row(SQLITE_READONLY)->outcome, OUTCOME_TARGET_DOWN);
}

static const int client_codes[] = {
    CR_UNKNOWN_ERROR,        CR_SOCKET_CREATE_ERROR,  CR_CONNECTION_ERROR,   CR_CONN_HOST_ERROR,        CR_IPSOCK_ERROR,
    CR_UNKNOWN_HOST,         CR_SERVER_GONE_ERROR,    CR_VERSION_ERROR,      CR_OUT_OF_MEMORY,          CR_WRONG_HOST_INFO,
    CR_LOCALHOST_CONNECTION, CR_TCP_CONNECTION,       CR_SERVER_HANDSHAKE_ERR, CR_SERVER_LOST,          CR_COMMANDS_OUT_OF_SYNC,
    CR_NET_PACKET_TOO_LARGE, CR_SSL_CONNECTION_ERROR, CR_MALFORMED_PACKET,   CR_NO_PREPARE_STMT,        CR_PARAMS_NOT_BOUND,
    CR_INVALID_PARAMETER_NO, CR_INVALID_BUFFER_USE,   CR_UNSUPPORTED_PARAM_TYPE, CR_CONN_UNKNOWN_PROTOCOL, CR_SECURE_AUTH,
    CR_NO_DATA,              CR_NO_STMT_METADATA,     CR_NOT_IMPLEMENTED,    CR_SERVER_LOST_EXTENDED,   CR_STMT_CLOSED,
    CR_NEW_STMT_METADATA,    CR_ALREADY_CONNECTED,    CR_AUTH_PLUGIN_CANNOT_LOAD, CR_DUPLICATE_CONNECTION_ATTR, CR_AUTH_PLUGIN_ERR,
};

static void every_code_of_mysql_is_one_row_or_its_sqlstate(void **state)
{
    (void)state;
    each_code_once(mysql_code_table);
    for (size_t i = 0; i < sizeof(client_codes) / sizeof(client_codes[0]); i++)
        assert_int_equal(mysql_code_row(client_codes[i])->code, client_codes[i]);
    for (int code = 1000; code < 6000; code++)
        assert_true((unsigned)mysql_code_row(code)->outcome < OUTCOME_COUNT);
    assert_int_equal(mysql_code_row(ER_ACCESS_DENIED_ERROR)->outcome, OUTCOME_TARGET_DOWN);
    assert_int_equal(mysql_code_row(ER_LOCK_WAIT_TIMEOUT)->outcome, OUTCOME_RETRY);
    assert_int_equal(mysql_code_row(ER_NO_SUCH_TABLE)->trouble, TROUBLE_TABLE);
    assert_int_equal(mysql_code_row(ER_OPTION_PREVENTS_STATEMENT)->outcome, OUTCOME_TARGET_DOWN);
    assert_int_equal(mysql_code_row(ER_DUP_ENTRY)->code, SQL_CODE_OTHER);
}

static void every_code_of_memcached_has_one_row(void **state)
{
    int count = 0;

    (void)state;
    for (const struct memcached_row *row = memcached_table; row->code != -1; row++)
        count++;
    assert_int_equal(count, MEMCACHED_MAXIMUM_RETURN);
    for (int code = 0; code < MEMCACHED_MAXIMUM_RETURN; code++)
        assert_int_equal(memcached_row(code)->code, code);
    assert_int_equal(memcached_row(MEMCACHED_MAXIMUM_RETURN)->code, -1);
    assert_int_equal(memcached_row(MEMCACHED_TIMEOUT)->outcome, OUTCOME_TARGET_DOWN);
    assert_int_equal(memcached_row(MEMCACHED_NOTFOUND)->outcome, OUTCOME_UNCHANGED);
}

static void a_failure_is_one_line_with_its_code(void **state)
{
    struct sql_failure failure = { 0 };
    struct receipt receipt = { 0 };

    (void)state;
    assert_int_equal(sql_fail(OUTCOME_RETRY, TROUBLE_TABLE, "PostgreSQL at db, database app", "it is not there", "42601", "no\n\tsuch  thing \n",
                              &failure, &receipt),
                     OUTCOME_RETRY);
    assert_string_equal(receipt.reason, "PostgreSQL at db, database app: it is not there (42601): no such thing");
    assert_int_equal(receipt.remote_code, 42601);
    assert_true(failure.missing_table && !failure.lost);
    sql_fail(OUTCOME_TARGET_DOWN, TROUBLE_LOST, "x", "gone", "57P01", NULL, &failure, &receipt);
    assert_string_equal(receipt.reason, "x: gone (57P01)");
    assert_int_equal(receipt.remote_code, 0);
    assert_true(failure.lost && !failure.missing_table);
    receipt_clear(&receipt);
}

static const struct sql_driver folding = { .numbered = true, .folds = true, .quote = '"' }, keeping = { .quote = '`' };

static void names_cannot_leave_their_quotes(void **state)
{
    struct sql_statement statement = { .driver = &folding };

    (void)state;
    sql_add_name(&statement, "Public.Sessions");
    sql_add(&statement, " ");
    sql_add_name(&statement, "a\"; DROP TABLE x; --");
    sql_add(&statement, " ");
    sql_add_name(&statement, "\"My.Table\".Id");
    assert_string_equal(statement.text.bytes, "\"public\".\"sessions\" \"a\"\"; drop table x; --\" \"My.Table\".\"id\"");
    sql_statement_clear(&statement);
    statement.driver = &keeping;
    sql_add_name(&statement, "SPRING_SESSION`x");
    assert_string_equal(statement.text.bytes, "`SPRING_SESSION``x`");
    sql_statement_clear(&statement);
}

static void a_lookup_gets_the_name_as_a_value_only(void **state)
{
    const char *lookup = "SELECT id FROM u WHERE a = $1 OR (b = '$1' AND \"$1\" = $1) AND $10 = 1";
    struct sql_statement statement = { .driver = &folding };

    (void)state;
    sql_add_lookup(&statement, lookup, "' OR 1 = 1");
    assert_string_equal(statement.text.bytes, lookup);
    assert_int_equal(statement.value_count, 1);
    sql_statement_clear(&statement);
    statement.driver = &keeping;
    sql_add_lookup(&statement, lookup, "' OR 1 = 1");
    assert_string_equal(statement.text.bytes, "SELECT id FROM u WHERE a = ? OR (b = '$1' AND \"$1\" = ?) AND $10 = 1");
    assert_int_equal(statement.value_count, 2);
    assert_string_equal(statement.values[1].bytes, "' OR 1 = 1");
    sql_statement_clear(&statement);
}

static void values_are_numbered_and_copied(void **state)
{
    struct sql_statement statement = { .driver = &folding };
    char text[] = "ann";

    (void)state;
    for (int i = 0; i < 12; i++)
        sql_add_text(&statement, text);
    sql_add_text(&statement, NULL);
    sql_add_value(&statement, "\0x", 2, true);
    text[0] = 'X';
    assert_string_equal(statement.text.bytes, "$1$2$3$4$5$6$7$8$9$10$11$12$13$14");
    assert_string_equal(statement.values[11].bytes, "ann");
    assert_null(statement.values[12].bytes);
    assert_true(statement.values[13].binary && statement.values[13].length == 2);
    assert_false(sql_statement_failed(&statement));
    sql_statement_clear(&statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sqlstate_class_has_one_row),
        cmocka_unit_test(rows_of_sqlstate_are_each_there_once),
        cmocka_unit_test(states_mean_what_the_agent_has_to_do),
        cmocka_unit_test(every_code_of_sqlite_has_one_row),
        cmocka_unit_test(every_code_of_mysql_is_one_row_or_its_sqlstate),
        cmocka_unit_test(every_code_of_memcached_has_one_row),
        cmocka_unit_test(a_failure_is_one_line_with_its_code),
        cmocka_unit_test(names_cannot_leave_their_quotes),
        cmocka_unit_test(a_lookup_gets_the_name_as_a_value_only),
        cmocka_unit_test(values_are_numbered_and_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
