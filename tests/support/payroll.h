/*
 * payroll.h: the test payroll (support/payroll.py) for tests in C, and a view
 * into it that shares no code with the connector.
 *
 * Calling sequence: payroll_start → use → payroll_stop, in a group's set-up
 * and tear-down. A failure ends the test with what was seen.
 * Finds the program through $PROVOST_SOURCE (default: the working directory).
 * Ownership: the struct owns its folder; texts are freed by payroll_stop.
 * Threads: one.
 */
#ifndef PROVOST_TESTS_SUPPORT_PAYROLL_H
#define PROVOST_TESTS_SUPPORT_PAYROLL_H

#include <jansson.h>
#include <sys/types.h>

#define PAYROLL_TOKEN "payroll-token-7d1e"

struct payroll {
    char folder[64];
    char *url;     /* http://127.0.0.1:PORT, the same after a restart */
    char *options; /* as started */
    pid_t pid;
};

/* `options` as payroll.py takes them ("--not-unique"), separated by spaces; ""
 * for none. Returns when it answers. */
void payroll_start(struct payroll *payroll, const char *options);
void payroll_stop(struct payroll *payroll);    /* and removes the folder */
void payroll_kill(struct payroll *payroll);    /* SIGKILL */
void payroll_restart(struct payroll *payroll); /* after payroll_kill: the same address and employees */

/* Sets its trouble, a JSON object (see payroll.py); "{}" for none. */
void payroll_trouble(struct payroll *payroll, const char *trouble);
/* No employees, no counts, no trouble. */
void payroll_clear(struct payroll *payroll);
/* Any request with the token; `body` NULL: none. The caller owns the answer; NULL: it had no body. */
json_t *payroll_request(struct payroll *payroll, const char *method, const char *path, const char *body);
/* Requests that the description does not allow; asserts against 0 are the caller's. */
size_t payroll_unexpected(struct payroll *payroll);

#endif
