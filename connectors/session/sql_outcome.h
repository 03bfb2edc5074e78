/*
 * sql_outcome.h: what a database's error means for a delivery.
 *
 * Three tables, one for each way in which servers name their errors; each code
 * has exactly one row, the last row of each takes what is not known.
 *   SQLSTATE: a class of two characters, or a whole code where that says more
 *             (the longer one counts). PostgreSQL's, and MySQL's where its
 *             number says nothing.
 *   MySQL:    errno of the server or the client library
 *   SQLite:   primary result code
 *
 * Sources: PostgreSQL manual, appendix A; mysqld_error.h and errmsg.h;
 * sqlite3.h.
 * Threads: constant tables.
 */
#ifndef PROVOST_CONNECTORS_SESSION_SQL_OUTCOME_H
#define PROVOST_CONNECTORS_SESSION_SQL_OUTCOME_H

#include "connectors/session/sql.h"

enum sql_trouble {
    TROUBLE_NONE,
    TROUBLE_LOST,  /* the connection is gone: worth a new one */
    TROUBLE_TABLE, /* what is named is not there */
};

struct sqlstate_row {
    const char *code; /* "08" or "42P01"; "": all others */
    enum outcome outcome;
    enum sql_trouble trouble;
    const char *sentence;
};
struct sql_code_row {
    int code;
    enum outcome outcome;
    enum sql_trouble trouble;
    const char *sentence;
};
#define SQL_CODE_OTHER (-1)

extern const struct sqlstate_row sqlstate_table[];    /* "" at the end */
extern const struct sql_code_row sqlite_code_table[]; /* SQL_CODE_OTHER at the end */
extern const struct sql_code_row mysql_code_table[];  /* the same: then SQLSTATE decides */

const struct sqlstate_row *sqlstate_row(const char *state);
const struct sql_code_row *sqlite_code_row(int code); /* a primary or extended code */
const struct sql_code_row *mysql_code_row(int code);

/* Sets the receipt ("WHERE: SENTENCE (CODE): MESSAGE", on one line) and *ret_failure; returns the outcome. */
enum outcome sql_fail(enum outcome outcome, enum sql_trouble trouble, const char *where, const char *sentence, const char *code,
                      const char *message, struct sql_failure *ret_failure, struct receipt *receipt);

#endif
