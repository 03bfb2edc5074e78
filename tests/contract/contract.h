/*
 * contract.h: the suite that every connector passes, whatever it speaks to.
 *
 * Calling sequence: a test program fills a struct contract (targets that are
 * there, that refuse connections, that refuse the log-in; one account; one
 * operation with bad data) and hands it to contract_run.
 * The suite leaves the target as it found it.
 * Ownership: all is borrowed. Threads: one.
 */
#ifndef PROVOST_TESTS_CONTRACT_H
#define PROVOST_TESTS_CONTRACT_H

#include "connectors/connector.h"

struct contract {
    const struct connector_ops *ops;
    const void *settings;          /* all is well */
    const void *settings_closed;   /* nothing listens there */
    const void *settings_wrong;    /* a wrong secret */
    const char *const *secrets;    /* NULL-terminated: never in a receipt */
    struct account_query query;    /* finds the account of `create` without a key */
    struct operation create;       /* of an account that is not there */
    struct operation update;       /* changes it */
    struct operation remove;       /* takes it away; `key` is filled in by the suite */
    struct operation bad;          /* the target refuses its data */
    /* The connector's own groups as rendered for an account with this key
     * (NULL: none yet), good until the next call; NULL: the connector has none. */
    const json_t *(*settings_for)(const char *key);
};

/* Returns the number of failed tests. */
int contract_run(const char *name, struct contract *contract);

#endif
