/*
 * lane.h: one lane's work: facts, account as read, plan, and a table of steps.
 *
 * Purpose: lane_converge brings one identity's account in one target to what
 * the facts say now. Doing it again finds nothing to do. It is called by one
 * worker with a connection of its own; the lease keeps others off the lane.
 *
 * Access first. The steps that take access away come before all others, and
 * none waits for another: memberships to be removed, each by itself, then the
 * marks of `disable` or the removal, then everything else. A step that fails
 * does not stop the next one; the worst outcome is the lane's, and each step
 * that was not done is in the result.
 *
 * Order of the rest, and why
 *   - An account found through `match` is linked before it is changed, so that
 *     one account is never two people's; one that the plan leaves alone (out of
 *     scope) is not linked at all.
 *   - What may be sent is durable before: a creation and a person's values in
 *     groups with the lease, a group's members with an intent (store.h).
 *   - A new value is added to groups before the old one is removed.
 *
 * Ownership: the result is the caller's (lane_result_clear). Threads: none of
 * its own. Errors: all end up in the result.
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
    const char *place; /* the creation that the lease noted, or NULL */
    bool unanswered;   /* an earlier run may have created an account, and its end is not known */
    int attempt;       /* 1 for the first since something new was heard */
};

struct lane_result {
    enum outcome outcome;   /* APPLIED and UNCHANGED: done; else as the connector's contract says */
    bool out_of_scope;
    const char *action;     /* static text */
    char *reason;           /* of all that failed, by semicolons; NULL: nothing did */
    char *undone;           /* the steps that were not done, by commas; NULL: none */
    char *subject;          /* login or name, or NULL */
    char *account;          /* locator, or NULL */
    int64_t retry_after_us;
    struct wall due;        /* come again then; 0: never */
    enum leaving leaving;   /* access that must end is left */
    enum refusal refusal;   /* of the first refusal that can be the target's; SURE: there was none */
    int refusal_code;
    bool refusal_of_change; /* not of a look */
    char *refusal_words;    /* what the target said; NULL: nothing */
    bool looked;            /* the target answered a look */
    bool accepted;          /* the target took a change */
    int sweep;              /* 1, 2: sessions were looked for; found and ended count all sweeps of this run; 0: they were not */
    int64_t sessions_found, sessions_ended;
    struct wall swept_at;   /* the end of the first sweep; 0: there was none */
    char *note;             /* what a person should know although it went well; NULL: nothing */
    struct link link;       /* to be stored, when `has_link` */
    bool has_link;
    bool has_groups;        /* the person's member rows were looked after */
    struct member_change *members; /* member rows to be stored; strings owned */
    size_t member_count;
    struct operation_record *operations; /* what was done; strings owned, but for those of kind and outcome */
    size_t operation_count;
};

bool is_fine(enum outcome outcome); /* APPLIED or UNCHANGED */

/* What was read and is not so any more is read and planned again, a few times;
 * after that it is a retry. */
void lane_converge(const struct lane_job *job, struct lane_result *ret_result);
void lane_result_clear(struct lane_result *result);

#endif
