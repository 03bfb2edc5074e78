/*
 * decide.h: what shall become of an account, before how: status, scope and
 * `on` → enabled, disabled, removed, left as it is, or none of our business.
 * Rules: plan.h. Pure; no ownership; private to plan/.
 * Errors: a scope that cannot be evaluated, with file:line.
 */
#ifndef PROVOST_PLAN_DECIDE_H
#define PROVOST_PLAN_DECIDE_H

#include "plan/mapping.h"

enum want {
    WANT_NOTHING, /* none there, or none of ours */
    WANT_AS_IS,
    WANT_ENABLED,
    WANT_DISABLED,
    WANT_REMOVED,
};

struct decision {
    enum want want;
    bool released; /* of a group that was adopted: it would be removed had it been created here */
    struct wall due; /* removal is due then; 0: none */
    struct wall since; /* what `now` means in `disable`, where the status does not tell: out of scope since; else 0 */
};

/* When what a scope goes by changed last: status, profile, groups, applications. */
struct wall decide_changed(const struct identity *identity);

/* Is the identity in scope? `status` instead of its own; NULL: its own. */
int decide_scope(const struct mapping *mapping, const struct identity *identity, const char *status, bool *ret_true,
                 struct error *error);
int decide(const struct mapping *mapping, const struct plan_input *input, struct decision *ret_decision, struct error *error);

#endif
