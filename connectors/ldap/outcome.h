/*
 * outcome.h: LDAP result codes → delivery outcomes, in one table.
 *
 * Codes: RFC 4511 appendix A, RFC 3909 (cancel), RFC 4528 (assertion), and the
 * negative ones of libldap's own (ldap.h).
 * outcome_of answers for any code: one that no row names is RETRY, which ends
 * in a dead letter when it stays.
 * Threads: no state. Ownership: all texts are constants.
 */
#ifndef PROVOST_CONNECTORS_LDAP_OUTCOME_H
#define PROVOST_CONNECTORS_LDAP_OUTCOME_H

#include "connectors/connector.h"

struct outcome_row {
    int code;
    enum outcome outcome;
    const char *name;     /* as the RFC spells it */
    const char *sentence; /* for a person */
};

/* The row of a code; never NULL (code 0x7fffffff: unknown). */
const struct outcome_row *outcome_row(int code);

/* The outcome of a code as the answer to an operation: the table's, but for
 * the few that mean something else there ("is there no more" to a removal). */
enum outcome outcome_of(enum operation_kind kind, int code);

/* The table itself, for its tests; ends with the unknown row. */
const struct outcome_row *outcome_table(void);

#define OUTCOME_CODE_UNKNOWN 0x7fffffff

#endif
