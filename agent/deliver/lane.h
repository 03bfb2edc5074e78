/*
 * lane.h: one lane's work: facts, account as read, plan, apply, link, groups.
 *
 * Purpose: lane_converge brings one identity's account in one target to what
 * the facts say now. Doing it again finds nothing to do. It is called by one
 * worker with a session of its own; the lease keeps others off the lane.
 *
 * Order of the steps, and why
 *   - An account found through `match` is linked before it is changed, so that
 *     one account is never two people's; one that the plan leaves alone (out of
 *     scope) is not linked at all.
 *   - A new account is linked before its groups are looked at, and a new group
 *     is linked before its members are read: whichever lane comes second sees
 *     the other, so no membership falls between them.
 *   - What a group's lane writes is in its link before it is written (begun.h),
 *     so that the next attempt knows it again.
 *   - Groups come before an account that goes, but a leaver does not wait for
 *     groups that cannot be written.
 *   - After a rename the link keeps the old place until the groups are right,
 *     so that a crash between them is mended.
 *
 * Ownership: the result is the caller's (lane_result_clear). Threads: none of
 * its own. Errors: all end up in the result; see enum lane_verdict.
 */
#ifndef PROVOST_DELIVER_LANE_H
#define PROVOST_DELIVER_LANE_H

#include "connectors/connector.h"
#include "plan/plan.h"
#include "store/store.h"

struct lane_job {
    const char *target;
    const struct connector_ops *ops;
    const struct mapping *user_mapping;  /* NULL: none */
    const struct mapping *group_mapping; /* NULL: none */
    struct connector_session *session;
    struct store *store;
    struct clock *clock;
    struct random_source *random;
    enum identity_kind kind;
    const char *id;
    int attempt; /* 1 for the first since something new was heard */
};

/* What was done, for the receipt. Strings are owned. */
struct lane_operation {
    enum operation_kind kind;
    enum outcome outcome;
    char *locator;
    char *changes; /* JSON text */
    char *before;  /* JSON text or NULL */
    char *claim;   /* digest of a claim that it settles or lets wait, or NULL */
    struct wall claim_wait; /* 0: it settles it */
    char *note;    /* NULL: none */
    int64_t sessions_found, sessions_ended;
};

struct lane_result {
    enum outcome outcome;   /* APPLIED and UNCHANGED: done; else as the connector's contract says */
    bool out_of_scope;
    const char *action;     /* static text */
    char *reason;           /* NULL: none */
    char *subject;          /* login or name, or NULL */
    char *account;          /* locator, or NULL */
    int64_t retry_after_us;
    struct wall due;        /* come again then; 0: never */
    enum leaving leaving;   /* a person who is to be disabled, removed or signed out, and is not yet */
    int sweep;              /* 1, 2: sessions were looked for; found and ended count all sweeps of this run; 0: they were not */
    int64_t sessions_found, sessions_ended;
    struct wall swept_at;   /* the end of the first sweep; 0: there was none */
    char *note;             /* of the last operation that had one; NULL: none */
    struct link link;       /* to be stored, when `has_link` */
    bool has_link;
    struct lane_operation *operations;
    size_t operation_count;
};

/* A conflict (the account changed between reading and writing) is read and
 * planned again, once in a run; the second one is the run's outcome. Where a
 * plan has several operations, those before the one that failed have been
 * made and stand in the result with their own outcomes. */
void lane_converge(const struct lane_job *job, struct lane_result *ret_result);
void lane_result_clear(struct lane_result *result);

#endif
