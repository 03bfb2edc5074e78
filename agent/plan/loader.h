/*
 * loader.h: one mapping file while it is loaded; shared by mapping_load.c,
 * loader.c and the load_*.c, private to them.
 *
 * Each load_X takes one part of the file into loader->mapping and adds every
 * mistake that it finds to loader->problems; the parts build on each other in
 * the order in which mapping_load.c calls them.
 * Ownership: what is compiled is the mapping's; settings and texts are borrowed.
 * Threads: one. Errors: mistakes are told, nothing is returned; out of memory
 * ends the process.
 */
#ifndef PROVOST_PLAN_LOADER_H
#define PROVOST_PLAN_LOADER_H

#include <libconfig.h>

#include "plan/mapping.h"

struct loader {
    struct mapping *mapping;
    struct problems *problems;
    char *source; /* the file's text, for columns; NULL: lines alone are told */
    bool has_disable;
};

/* ---- loader.c: telling mistakes ---- */

void loader_complain(struct loader *loader, const config_setting_t *setting, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The setting's name is none of these (NULL-terminated). */
void loader_unknown_key(struct loader *loader, const config_setting_t *setting, const char *const *known);
/* A mistake inside a string: with the column where it can be found. */
void loader_complain_text(struct loader *loader, const config_setting_t *setting, const char *where, const char *text,
                          const struct expr_error *error);
/* The setting's text; NULL, and told, where it is none. */
const char *loader_text(struct loader *loader, const config_setting_t *setting, const char *where);
/* NAME_BITs that templates about an identity of the mapping's kind know. */
unsigned loader_names(const struct mapping *mapping);

/* ---- load_values.c ---- */

struct value_context {
    const char *where; /* "account.mail" */
    unsigned names;
    enum escape escape;
    int depth;
};
/* NULL: it could not be compiled at all. */
struct value *value_compile(struct loader *loader, const config_setting_t *setting, struct value_context context);
/* What the connector's table says of a place of the mapping file. */
enum escape place_escape(const struct mapping *mapping, const char *name);

/* ---- the parts ---- */

void load_attributes(struct loader *loader, const config_setting_t *group, bool disable);
void load_more(struct loader *loader, const config_setting_t *list);
void load_policy(struct loader *loader, const config_setting_t *group);
void load_required(struct loader *loader, const config_setting_t *list);
void load_scope(struct loader *loader, const config_setting_t *setting);
void load_match(struct loader *loader, const config_setting_t *setting);
void load_on(struct loader *loader, const config_setting_t *group);
void load_members(struct loader *loader, const config_setting_t *group);

#endif
