/*
 * functions.h: what stands after a pipe in an expression, and the few things
 * that expressions do with values.
 *
 * A value is a json_t: text, number, boolean or list; NULL is "absent".
 * A function gets a value that is not absent. Unless it takes lists as a
 * whole it is applied to each entry of a list. An empty text that comes out
 * is absent.
 *
 * Ownership: arguments are borrowed, results are new references.
 * Threads: no state of their own but a locale that is made once.
 * Errors: ERROR_INVALID with a sentence that shows the value.
 */
#ifndef PROVOST_PLAN_FUNCTIONS_H
#define PROVOST_PLAN_FUNCTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define FUNCTION_ARGUMENTS_MOST 2

/* No value that is rendered may be larger. */
#define VALUE_BYTES_MOST ((size_t)1 << 20)

struct function {
    const char *name;
    const char *usage;
    size_t least_arguments, most_arguments;
    bool whole_list;
    int (*apply)(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error);
};

const struct function *function_find(const char *name); /* NULL: none */
const char *const *function_names(void);                /* NULL-terminated */

/* Applies it, to each entry of a list where it does not take lists whole. */
int function_apply(const struct function *function, const json_t *input, const json_t *const *arguments, json_t **ret_value,
                   struct error *error);

/* Text, number or boolean as text; ERROR_INVALID for a list or an object. */
int value_to_text(const json_t *value, json_t **ret_text, struct error *error);

/* For messages: the value as JSON, cut short. */
#define VALUE_SHOW_BYTES 80
const char *value_show(const json_t *value, char text[VALUE_SHOW_BYTES]);

/* Lower case by Unicode, whatever the locale of the process is. */
int text_fold(const char *bytes, size_t length, char **ret_text, size_t *ret_length);

#endif
