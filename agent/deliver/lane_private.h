/*
 * lane_private.h: what lane.c, groups.c and members.c share of one run. Private to
 * deliver/; one thread.
 */
#ifndef PROVOST_DELIVER_LANE_PRIVATE_H
#define PROVOST_DELIVER_LANE_PRIVATE_H

#include "deliver/lane.h"

struct lane_run {
    const struct lane_job *job;
    struct lane_result *result;
    const struct mapping *mapping;
    struct identity identity;
    struct link link;
    bool linked;
    bool link_dirty;        /* differs from what is stored */
    struct account account; /* as read, when found */
    bool found;
    char *foreign;          /* key of an account that was found and is another identity's; NULL: none */
    bool changed;
    int action_rank;
    int remote_code;        /* of the last apply */
    bool conflicted;        /* once already */
};

/* All return false, so that a step can end with `return lane_fail(…)`. */
bool lane_fail(struct lane_run *run, enum outcome outcome, const char *reason);
bool lane_fail_error(struct lane_run *run, const struct error *error);
bool lane_fail_receipt(struct lane_run *run, const struct receipt *receipt);

bool lane_apply(struct lane_run *run, const struct operation *operation, struct account *ret_account, enum outcome *ret_outcome);
/* The key of what stands there; NULL: nothing does. */
bool lane_key_at(struct lane_run *run, enum identity_kind kind, const char *place, char **ret_key);
bool lane_store_link(struct lane_run *run);
/* The link as it shall be stored with the receipt. */
bool lane_set_link(struct lane_run *run, const char *key, const char *locator, const json_t *values, bool gone, struct wall due);
struct link_view lane_link_view(const struct link *link); /* borrows */
/* Whether the person is still to be got out: by the plan, or before it is known (NULL). */
void lane_judge_leaving(struct lane_run *run, const struct plan *plan);

/* note.c: the result's account of what was done */
struct operation_claim;
void lane_note_action(struct lane_run *run, enum operation_kind kind);
void lane_note_receipt(struct lane_run *run, const struct operation *operation, const struct receipt *receipt);
/* False: out of memory. */
bool lane_note_operation(struct lane_run *run, const struct operation *operation, const struct operation_claim *claim,
                         enum outcome outcome, const struct receipt *receipt);
char *lane_json_text(const json_t *json); /* NULL where there is none */

#endif
