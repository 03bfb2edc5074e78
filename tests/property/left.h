/*
 * left.h: who is still in, of those who shall be out, and is not named so.
 *
 * For a target that refuses: an account or a member value may be left where it
 * must not be, but then its person is one of the store's leavers.
 * Ownership: the sentence is the caller's. Threads: no state.
 */
#ifndef PROVOST_TESTS_PROPERTY_LEFT_H
#define PROVOST_TESTS_PROPERTY_LEFT_H

#include "tests/property/model.h"

/* NULL: nobody. `found`: the directory; `leavers`: as of store_list_waiting. */
char *left_unnamed(const struct model *model, const struct life *life, const json_t *found, const json_t *leavers);
/* The entries at the places of groups of this name, or of one that passed between the same groups, may be late where it is closed. */
bool left_depends_on(const struct life *life, const char *closed, const char *dn);

#endif
