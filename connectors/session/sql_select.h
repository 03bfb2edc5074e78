/*
 * sql_select.h: the parts of a statement that asks for rows of the table of
 * sessions (sql_sweep.c). Added to the statement; out of memory is looked at
 * there (sql_statement.h). Threads: no state. All is borrowed.
 */
#ifndef PROVOST_CONNECTORS_SESSION_SQL_SELECT_H
#define PROVOST_CONNECTORS_SESSION_SQL_SELECT_H

#include "connectors/session/sql_statement.h"

/* Cells of a row: BYTES is the value's length, where VALUE is a session's and not the user's; a value that is too large is NULL. */
enum { CELL_KEY, CELL_VALUE, CELL_BYTES, CELL_CREATED };

/* SELECT the cells FROM the table. */
void sql_add_columns(struct sql_statement *statement, const struct layout *layout, const struct session_settings *settings);
/* The condition that user_column has one of these names, in another case, too, where the layout lets that count. */
void sql_add_one_of_users(struct sql_statement *statement, const struct layout *layout, const char *const *users);
/* The condition that a row had not ended by itself. */
void sql_add_unexpired(struct sql_statement *statement, const struct layout *layout, int64_t before_us);
void sql_add_name_or_null(struct sql_statement *statement, const char *name);

#endif
