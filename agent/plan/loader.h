/*
 * loader.h: one mapping file while it is loaded; shared by mapping_load.c,
 * loader.c and the load_*.c, private to them.
 *
 * Each load_X takes one part of the file into loader->mapping and adds every
 * mistake that it finds to loader->problems; the parts build on each other in
 * the order in which mapping_load.c calls them.
 * Ownership: what is compiled is the mapping's; settings and texts are borrowed.
 * Threads: one. Errors: mistakes are told, nothing is returned; out of memory
 * ends the process, as it does within libconfig.
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
    bool connector_told; /* its check_mapping found mistakes */
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
/* Names of the mapping's attributes and its locator, NULL-terminated; the caller frees the list alone. */
const char **loader_account_names(const struct mapping *mapping);

/* ---- load_values.c ---- */

struct value_context {
    const char *where; /* "account.mail" */
    unsigned names;
    const char *const *account_names; /* behind account.; NULL: they are not looked at */
    enum escape escape;
    int depth;
    const struct connector_group *group; /* a connector's own; NULL: an attribute */
    bool in_place, in_document;          /* of such a group, see connector.h */
};
/* NULL: it could not be compiled at all. */
struct value *value_compile(struct loader *loader, const config_setting_t *setting, struct value_context context);
/* What the connector's table says of a place of the mapping file. */
enum escape place_escape(const struct mapping *mapping, const char *name);

/* A text of the mapping as a template; the mapping uses what it uses. */
int value_compile_text(struct mapping *mapping, const char *text, const struct value_context *context,
                       struct template **ret_template, struct expr_error *error);
/* A new value of that kind. */
struct value *value_make(enum value_kind kind, const config_setting_t *setting, const struct value_context *context);
/* The same for what stands under `name` within it. */
struct value_context value_context_within(const struct value_context *context, const char *name);

/* ---- load_document.c ---- */

/* "file:NAME.json" → its content as a value; NULL, and told, where it cannot be had. */
struct value *document_compile(struct loader *loader, const config_setting_t *setting, struct value_context context);
bool document_is_file(const config_setting_t *setting);

/* ---- the parts ---- */

/* The groups of ops->groups, and whether they can do what the rest of the file asks for. */
void load_groups(struct loader *loader, const config_setting_t *root);

/* What a session target has instead of accounts; refuses the other's words. */
void load_sessions(struct loader *loader, const config_setting_t *root);

/* After all attributes: where a directory's entries are, and are looked for. */
void load_places(struct loader *loader, const config_setting_t *root);

void load_attributes(struct loader *loader, const config_setting_t *group, bool disable);
void load_more(struct loader *loader, const config_setting_t *list);
void load_policy(struct loader *loader, const config_setting_t *group);
void load_required(struct loader *loader, const config_setting_t *list);
void load_scope(struct loader *loader, const config_setting_t *setting);
void load_match(struct loader *loader, const config_setting_t *setting);
void load_on(struct loader *loader, const config_setting_t *group);
void load_members(struct loader *loader, const config_setting_t *group);
void load_adopt(struct loader *loader, const config_setting_t *setting);
void load_protected(struct loader *loader, const config_setting_t *setting);
void load_while_disabled(struct loader *loader, const config_setting_t *setting);

/* After all attributes and policies: does each `match` leave other identities' accounts alone? */
void load_guards(struct loader *loader, const config_setting_t *root);

/* After all attributes: which of `disable` can stop a log-in, and whether one does. */
void load_locks(struct loader *loader, const config_setting_t *root);
/* What a disable group of people should have: passwordLock = "TRUE"; of a connector that names no locks: "…". The caller frees. */
char *loader_lock_line(const struct mapping *mapping);

#endif
