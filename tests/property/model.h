/*
 * model.h: what the directory must be in the end, said as simply as can be.
 *
 * The events are folded in the order in which they were published, one person
 * after the other: no batches, no lanes, no links, no targets. It shares
 * nothing with agent/; where the two disagree one of them is wrong.
 * Ownership: the result is the caller's. Threads: no state.
 */
#ifndef PROVOST_TESTS_PROPERTY_MODEL_H
#define PROVOST_TESTS_PROPERTY_MODEL_H

#include <jansson.h>

#include "tests/property/life.h"
#include "tests/property/policy.h"

enum standing { NONE, OPEN, CLOSED };

struct model {
    const struct policy *policy;
    struct {
        enum happening last; /* of the status */
        bool heard;
        const char *login, *name; /* the life's */
        bool member[GROUPS_MOST];
        enum standing account;
    } users[USERS_MOST];
    struct {
        const char *name; /* NULL: never heard of */
        bool deleted;
    } groups[GROUPS_MOST];
};

struct model model_fold(const struct life *life, const struct policy *policy);
bool model_is_in(const struct model *model, int user, int group);
/* { dn: { attribute: [values, sorted] } }; NULL where two entries would stand
 * at one place, which only a shrunk life can ask for. */
json_t *model_directory(const struct life *life, const struct policy *policy);

#endif
