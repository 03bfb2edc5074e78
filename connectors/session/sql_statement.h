/*
 * sql_statement.h: a statement that grows: text of ours, quoted names, bound
 * parameters.
 *
 *     struct sql_statement statement = { .driver = driver };
 *     sql_add(&statement, "DELETE FROM ");
 *     sql_add_name(&statement, layout->table);
 *     sql_add(&statement, " WHERE id = ");
 *     sql_add_value(&statement, text, strlen(text), false);
 *     if (sql_statement_failed(&statement)) … out of memory …
 *     sql_statement_clear(&statement);
 *
 * Ownership: values are copied. Threads: no state. Out of memory is looked at
 * once, at the end.
 */
#ifndef PROVOST_CONNECTORS_SESSION_SQL_STATEMENT_H
#define PROVOST_CONNECTORS_SESSION_SQL_STATEMENT_H

#include "connectors/session/sql.h"

struct sql_statement {
    const struct sql_driver *driver;
    struct buf text;
    struct sql_value *values; /* bytes owned */
    size_t value_count;
    size_t capacity;
    bool failed;
};

void sql_add(struct sql_statement *statement, const char *text);
void sql_addf(struct sql_statement *statement, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A name or "schema.table". Where the server folds names to lower case this does, too; "\"Kept\"" keeps its case. */
void sql_add_name(struct sql_statement *statement, const char *name);
void sql_add_value(struct sql_statement *statement, const char *bytes, size_t length, bool binary);
void sql_add_text(struct sql_statement *statement, const char *text); /* a value; NULL: NULL */
void sql_add_number(struct sql_statement *statement, int64_t number); /* a value */
/* The administrator's query, in which $1 stands for `text`. */
void sql_add_lookup(struct sql_statement *statement, const char *lookup, const char *text);

bool sql_statement_failed(const struct sql_statement *statement);
void sql_statement_clear(struct sql_statement *statement); /* NULL is allowed */

static inline void cleanup_sql_statement(struct sql_statement *statement)
{
    sql_statement_clear(statement);
}
#define cleanup_statement __attribute__((cleanup(cleanup_sql_statement)))

#endif
