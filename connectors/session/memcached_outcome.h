/*
 * memcached_outcome.h: what libmemcached's codes mean for a delivery. One row
 * for each; the last takes what is not known.
 * Source: libmemcached-1.0/types/return.h. Threads: a constant table.
 */
#ifndef PROVOST_CONNECTORS_SESSION_MEMCACHED_OUTCOME_H
#define PROVOST_CONNECTORS_SESSION_MEMCACHED_OUTCOME_H

#include "connectors/connector.h"

struct memcached_row {
    int code; /* memcached_return_t; -1: all others */
    enum outcome outcome;
    const char *sentence;
};

extern const struct memcached_row memcached_table[]; /* -1 at the end */
const struct memcached_row *memcached_row(int code);

#endif
