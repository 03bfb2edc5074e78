/*
 * mapping_check.h: the connector's own groups of a mapping file, checked when
 * it is loaded: names, types, what excludes each other, pointers.
 *
 * Every mistake is told with file:line and what would be right; the templates
 * within are looked at by the agent.
 * Threads: no state. The contract is that of check_mapping in connector.h.
 */
#ifndef PROVOST_CONNECTORS_REST_MAPPING_CHECK_H
#define PROVOST_CONNECTORS_REST_MAPPING_CHECK_H

#include <libconfig.h>

#include "base/option.h"

void rest_check_mapping(const config_setting_t *root, bool group, struct problems *problems);

/* The part of it that is about `pointers` (pointers_check.c). */
void rest_check_pointers(const config_setting_t *root, struct problems *problems);

/* The part of it that is about whom a request means (whom_check.c); only of a file that is right otherwise. */
void rest_check_whom(const config_setting_t *root, struct problems *problems);

/* The tables behind it, for provost-mapping(5): a title and its rows, title NULL at the end. */
struct mapping_table {
    const char *title;
    const struct option_row *rows;
};
extern const struct mapping_table rest_mapping_tables[];

#endif
