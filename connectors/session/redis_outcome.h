/*
 * redis_outcome.h: Redis' error replies → outcomes, in one table.
 *
 * An error reply begins with a word that says what kind it is ("NOAUTH
 * Authentication required."); some of kind ERR are told apart by the text that
 * follows. Any text has a row: the last one is for what is not known.
 * Threads: no state. Ownership: constants.
 * Source: redis/src/server.c (createSharedObjects), cluster.c, acl.c,
 * networking.c, sentinel.c.
 */
#ifndef PROVOST_CONNECTORS_SESSION_REDIS_OUTCOME_H
#define PROVOST_CONNECTORS_SESSION_REDIS_OUTCOME_H

#include "connectors/connector.h"

struct redis_outcome_row {
    const char *prefix; /* how the reply begins; "": any */
    enum outcome outcome;
    const char *sentence; /* for a person */
};

/* Never NULL. */
const struct redis_outcome_row *redis_outcome_row(const char *reply);
/* The table, for its tests; ends with the row "". */
const struct redis_outcome_row *redis_outcome_table(void);

#endif
