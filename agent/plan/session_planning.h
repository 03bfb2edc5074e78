/*
 * session_planning.h: one plan of a session target while it is made; shared
 * by sessions.c and session_marks.c, private to them.
 * Ownership: sessions.c clears it; `input` and `user` are borrowed. Threads: one.
 */
#ifndef PROVOST_PLAN_SESSION_PLANNING_H
#define PROVOST_PLAN_SESSION_PLANNING_H

#include "plan/sessions.h"

/* What a link keeps of a person's sessions, as JSON with these names. */
struct progress {
    int64_t void_us; /* sessions from before it were swept … */
    int sweep;       /* … once or twice */
    int64_t at_us;   /* the end of that sweep */
    int64_t done_us; /* the newest that was swept twice */
    json_t *former;  /* names from before the present one that were not swept twice yet */
};

struct session_planning {
    const struct mapping *mapping;
    const struct session_rules *rules;
    const struct plan_input *input;
    struct progress progress; /* as kept, then as it shall be */
    bool ours;
    json_t *settings; /* rendered */
    const char *user; /* NULL: nobody can tell */
    json_t *marks;    /* wanted */
    struct error *error;
};

/* Suspended, deactivated or deleted. */
bool session_is_away(const struct identity *identity);
/* An operation on the sessions of this name; the plan has room. NULL: out of memory. */
struct operation *session_add_operation(struct session_planning *planning, struct plan *plan, enum operation_kind kind,
                                        const char *user);

/* session_marks.c: the markers as they shall be, and what makes those that are there so. */
int session_want_marks(struct session_planning *planning);
int session_plan_marks(struct session_planning *planning, struct plan *plan);

#endif
