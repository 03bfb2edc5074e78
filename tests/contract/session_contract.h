/*
 * session_contract.h: the suite that every kind of session store passes.
 *
 * Calling sequence: a test program fills a struct session_contract and hands
 * it to session_contract_run, in place of contract_run (contract.h), which is
 * for connectors of accounts.
 * Ownership: all is borrowed. Threads: one.
 */
#ifndef PROVOST_TESTS_SESSION_CONTRACT_H
#define PROVOST_TESTS_SESSION_CONTRACT_H

#include <stdbool.h>

struct session_contract {
    const char *settings;        /* as in provost.conf: all is well */
    const char *settings_closed; /* nothing is there; NULL: there is no such case */
    const char *settings_wrong;  /* a wrong secret, "env:…" of one that holds "hush-…"; NULL: the store knows none */
    const char *layout;          /* the group `sessions` as JSON, without the user */
    bool markers;                /* the store keeps them */
    void (*add)(const char *id, const char *user); /* a session, as the application writes it */
    bool (*has)(const char *id);
    void (*clear)(void);         /* all of them */
};

/* Returns the number of failed tests. */
int session_contract_run(const char *name, const struct session_contract *contract);

#endif
