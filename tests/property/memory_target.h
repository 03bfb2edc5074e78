/*
 * memory_target.h: a directory in memory, behind the connector contract.
 *
 * It keeps a directory's rules: one entry at a place, a key that never
 * changes, a rename that takes the old naming value out and puts the new one
 * in, groupOfNames with a member at least (objectClassViolation, 65). Names
 * are compared as they are; filters are "(a=b)" and "(&(a=b)(!(c=*)))", without
 * escapes: the lives' names need none.
 *
 * Calling sequence: memory_target_new → the agent works with memory_ops and
 * &settings → memory_target_dump → memory_target_free. Threads: any.
 */
#ifndef PROVOST_TESTS_PROPERTY_MEMORY_TARGET_H
#define PROVOST_TESTS_PROPERTY_MEMORY_TARGET_H

#include "tests/property/trouble.h"

/* A mistake that is planted, to see that it is found. */
enum plant { PLANT_NOTHING, PLANT_KEEPS_MEMBERS, PLANT_FORGETS_NAMES, PLANT_COUNT };

struct memory_target;

struct memory_settings {
    struct memory_target *target;
};

extern const struct connector_ops memory_ops;

/* `lost_every`: of so many changes one is made and its answer lost; 0: none. */
struct memory_target *memory_target_new(int lost_every, enum plant plant);
/* From now on; nothing at first. */
void memory_target_set_trouble(struct memory_target *target, const struct trouble *trouble);
/* Somebody else's entry: { attribute: [values] }, which the target takes over. */
void memory_target_put(struct memory_target *target, const char *dn, json_t *values);
void memory_target_free(struct memory_target *target);
/* { dn: { attribute: [values, sorted] } }, the caller's. */
json_t *memory_target_dump(struct memory_target *target);

#endif
