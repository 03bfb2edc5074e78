/*
 * value.h: JSON values as an API has them beside those that a mapping wants.
 * Ownership: what is returned is the caller's. Threads: no state.
 */
#ifndef PROVOST_CONNECTORS_REST_VALUE_H
#define PROVOST_CONNECTORS_REST_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#include "connectors/connector.h"

/*
 * Is what is wanted there? An object may have more members than the wanted
 * one; a list has as many entries, and each wanted entry fits another one, in
 * any order; numbers are compared as numbers; a wanted boolean fits each of its
 * spellings (value_boolean). NULL and JSON's null are the same nothing.
 */
bool value_fits(const json_t *wanted, const json_t *current);

/* 1 or 0 for a boolean however an API spells it: true, 1, "True", "yes", "on", "1", and their contraries, in any case.
 * -1: it is none. Only for places where the mapping has a boolean: a text that looks like one stays a text elsewhere. */
int value_boolean(const json_t *value);

/* Nothing stands there: NULL, null, "", [], {}, 0, or a boolean that is false in any spelling. */
bool value_is_nothing(const json_t *value);

/* What of `wanted` is not so: of two objects only the members that do not fit,
 * else all of it. A new reference; NULL: out of memory. */
json_t *value_difference(const json_t *wanted, const json_t *current);

/* A text, number or boolean as text; NULL for all else or out of memory. */
char *value_text(const json_t *value);

/* A scalar that reads like the other one: 17 is "17". With `loose`, upper and
 * lower case of ASCII letters are the same. */
bool value_reads_like(const json_t *a, const json_t *b, bool loose);

/* Where an attribute stands: what `pointers` (NULL: none) says, else "/NAME".
 * NULL: out of memory. */
char *attribute_pointer(const json_t *pointers, const char *name);

/* An attribute that is to be changed, and how it is now. */
struct difference {
    char *pointer;         /* owned */
    const json_t *wanted;  /* borrowed of the operation; NULL: it shall not be there */
    const json_t *current; /* borrowed of the document; NULL: it is not there */
};
struct differences {
    struct difference *list;
    size_t count;
};
/* Those of the operation's changes that are not so in the document. 0 or ERROR_NOMEM. */
int differences_find(const struct operation *operation, const json_t *pointers, const json_t *document,
                     struct differences *ret_differences, struct error *error);
void differences_clear(struct differences *differences);

#endif
