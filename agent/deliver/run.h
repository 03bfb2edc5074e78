/*
 * run.h: one run of a lane, and what its steps share.
 *
 * Purpose: a run is a table of named steps (lane.c). A step does one thing
 * and says how it went; whatever fails is noted in the result, and the next
 * step is taken all the same, so that one refusal never keeps access in place.
 *
 * Calling sequence: lane_converge fills a run, takes its steps in order, and
 * begins again when one says STEP_AGAIN, at most ROUNDS_MAX times.
 * Ownership: the run owns all it points to but `job`, `result` and `mapping`.
 * Threads: one. Private to deliver/.
 * Errors: lane_fail notes why; all functions of type bool return false then.
 */
#ifndef PROVOST_DELIVER_RUN_H
#define PROVOST_DELIVER_RUN_H

#include "deliver/lane.h"

enum step {
    STEP_NEXT,   /* done, or nothing was to be done */
    STEP_AGAIN,  /* what was read is not so any more: all steps again */
    STEP_FAILED, /* not done; the result says why */
};

struct lane_run;
struct lane_step {
    const char *name; /* as in the status log: step=NAME */
    enum step (*take)(struct lane_run *run);
};

/* A value that the person has, or must lose, in one group. */
struct group_value {
    char *group; /* id; NULL: a group that nobody's facts name */
    char *key, *value;
    enum member_state state;
    bool member, shared; /* as in struct member_row */
    char *entry_key, *entry_locator;
    bool seen;    /* the look found the value in the entry */
    bool by_hand; /* no row of anybody: somebody else wrote the value */
    bool dead;    /* the group's own work is a dead letter */
    bool joined;  /* it is there, as it must be */
};

/* A person's groups, as the store and the target have them. */
struct group_look {
    struct group_value *values;
    size_t count;
    char *looked_for; /* the value; NULL: nothing was to be looked for */
    char *key;        /* of that value */
    char *carried;    /* the value that takes its place where somebody else wrote it */
    bool whole;       /* what was not found is not there */
    bool failed;      /* the look */
    bool known;       /* the store's rows were read */
};

struct lane_run {
    const struct lane_job *job;
    struct lane_result *result;
    const struct mapping *mapping;
    const char *doing; /* the step or operation, for the result */
    struct identity identity;
    struct link link;
    bool linked;
    bool link_dirty;  /* differs from what is stored */
    bool link_stored; /* by this run: it may have brought member rows */

    /* of one round */
    struct account account; /* as read, when found */
    bool looked, found;
    struct account occupant; /* what was found, is not ours, and must not become so; without a locator: nothing */
    bool elsewhere; /* a group was found outside the places of the mapping */
    struct plan plan;
    bool planned;
    bool blocked;           /* the account is not ours to change */
    bool written;           /* it is as planned */
    bool swept;             /* sessions were ended */
    struct group_look groups;
    struct member_change *members; /* a group's, with the values that they have; owned */
    const char **member_values;    /* the same, for the planner */
    size_t member_count;
    bool created;           /* in this round */
    bool parted;            /* the person is out of all groups that must be left */
    bool followed;          /* and no group has a value of before a rename */
    bool out;               /* the account is disabled, removed or signed out, where it must be */

    bool keep;              /* its removal was refused: disable it instead */
    char *kept;             /* why */
    enum outcome kept_outcome;
    enum outcome refused;   /* what the last change came to, where it failed; else UNCHANGED */
    enum refusal refusal;
    char *refusal_words;
    char *foreign;          /* key of an account that was found and is another identity's; NULL: none */
    bool changed;
    bool failed, down;
    bool conflicted;        /* once already */
    bool regrouped;         /* all steps were taken again for a group that had changed; once already */
    size_t reasons;         /* of this round */
    bool moved;             /* once already */
    int action_rank;
};

static inline enum step step_if(bool good)
{
    return good ? STEP_NEXT : STEP_FAILED;
}

/* ---- run.c: what failed ---- */

/* All return false. The worst outcome of a run is the lane's; each reason is kept. */
bool lane_fail(struct lane_run *run, enum outcome outcome, const char *reason);
bool lane_fail_error(struct lane_run *run, const struct error *error);
bool lane_fail_receipt(struct lane_run *run, const struct receipt *receipt);
bool lane_fail_nomem(struct lane_run *run);

/* What a person should know although it went well. */
void lane_add_note(struct lane_run *run, const char *note);

/* ---- run.c: facts, links, and a look ---- */

/* False: there is nothing to be done, or the result says what failed. */
bool lane_read_facts(struct lane_run *run);
struct link_view lane_link_view(const struct link *link); /* borrows */
bool lane_is_linked(const struct lane_run *run); /* to an account that is not gone */
/* The link as it must be stored with the receipt; takes its texts from `link`, which is borrowed. */
bool lane_set_link(struct lane_run *run, const struct link *link);
/* Stores it now, where it differs. */
bool lane_store_link(struct lane_run *run);
/* The key of what is at this place; NULL: nothing is. */
bool lane_key_at(struct lane_run *run, enum identity_kind kind, const char *place, char **ret_key);
void lane_note_member(struct lane_run *run, const char *other, const char *key, const char *value, enum member_state state);

/* ---- apply.c ---- */

/* Sends one change, under its intent where it needs one. False: nothing could be sent, and the result says why. */
bool lane_send(struct lane_run *run, const struct operation *operation, struct account *ret_made, struct receipt *receipt);
/* The same, and judges: a failure is noted. GONE, but for a removal, and the first CONFLICT are STEP_AGAIN. */
enum step lane_apply(struct lane_run *run, const struct operation *operation, struct account *ret_made);

/* ---- note.c: the result's account of what was done ---- */

struct operation_intent;
void lane_note_action(struct lane_run *run, enum operation_kind kind);
void lane_note_receipt(struct lane_run *run, const struct operation *operation, const struct receipt *receipt);
bool lane_note_operation(struct lane_run *run, const struct operation *operation, const struct operation_intent *intent,
                         const struct receipt *receipt); /* false: out of memory */
/* As JSON text, without secrets; NULL where there is none. */
char *lane_values_text(const json_t *values);
char *lane_json_text(const json_t *json);

#endif
