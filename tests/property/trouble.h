/*
 * trouble.h: what the target of a life refuses.
 *
 * Changes are numbered from 1 on, as they arrive. A refusal's code is one that
 * may be anybody's, one that is surely the record's, or, in a window, that of a
 * server that takes no changes. One group may be closed: it refuses for good.
 *
 * Ownership: plain values. Threads: none; the target's lock.
 */
#ifndef PROVOST_TESTS_PROPERTY_TROUBLE_H
#define PROVOST_TESTS_PROPERTY_TROUBLE_H

#include "connectors/connector.h"

/* Zero-initialised: all is well. */
struct trouble {
    int refused_every; /* of so many changes one is refused */
    int window_every;  /* of so many, the first `window` are refused */
    int window;
    const char *closed; /* a group's name; NULL: none is */
    uint64_t seed;      /* of the codes */
};

/* At least one kind of refusal; the closed group is one of `count` names. */
struct trouble trouble_make(uint64_t seed, const char *const *names, size_t count);
bool trouble_refuses(const struct trouble *trouble); /* at any time */
/* Fills the receipt where this change is refused. */
bool trouble_meets(const struct trouble *trouble, int number, const struct operation *operation, struct receipt *receipt);
/* What is left of it when all is mended but the closed group. */
struct trouble trouble_rest(const struct trouble *trouble);

#endif
