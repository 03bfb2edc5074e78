/*
 * config.h: provost.conf → settings, with every mistake told at once.
 *
 * Purpose: reads the configuration, its mapping files and (with CONFIG_SECRETS) its secrets;
 * loads the connectors it names and lets them check their part.
 * Calling sequence: config_load → use → config_free. A reload loads a second
 * one and swaps; the old one lives until nobody uses it.
 * Ownership: the config owns all that it points to, but for `ops`, which live
 * as long as the process. Threads: read-only after loading.
 * Errors: all mistakes go into `problems`; negative when there was any.
 *
 * The compiled mappings are handed through as opaque pointers: config.c calls
 * `load_mapping` of the loader below, so that this stage does not include plan/.
 */
#ifndef PROVOST_CONFIG_CONFIG_H
#define PROVOST_CONFIG_CONFIG_H

#include <stdatomic.h>

#include "base/option.h"
#include "connectors/connector.h"

struct mapping;

struct config_retry {
    int64_t attempts;   /* then dead */
    int64_t base_us;
    int64_t most_us;
};

struct config_target {
    char *name;
    const char *name_file;     /* where the name stands */
    int name_line;
    char *connector;
    const struct connector_ops *ops;
    void *settings;            /* ops->settings_bytes, filled by its option table */
    const char *settings_file; /* for messages */
    int settings_line;
    char **mapping_files;
    struct mapping **mappings; /* NULL-terminated; NULL until loaded */
    int64_t workers;
    struct config_retry retry;
    int64_t probe_us;          /* between probes while down */
    bool hold;                 /* held until it is resumed for the first time */
    uint64_t version;          /* of all that it says, of its secrets and its mappings: another one where they changed */
};

struct config {
    atomic_int holders;        /* config_hold, config_free */
    char *path;
    struct {
        char *address;
        int64_t port;
        char *certificate, *key; /* NULL: plain, loopback only */
        int64_t body_bytes_most, connections_most, timeout_us, threads;
    } listen;
    struct {
        char *path, *header, *secret, *previous_secret;
    } hook;
    char *store;
    int64_t keep_us, keep_keys_us, quarantine_most;
    char *control;
    char *control_readers; /* group, or NULL */
    char *log;        /* path, "journal" or "-" */
    char *mappings;   /* directory */
    char *connectors; /* directory, or NULL: where installed */
    int64_t stop_us;  /* bound of an orderly stop */
    struct {
        char *org, *token; /* NULL: events alone */
    } okta;
    struct config_target *targets;
    size_t target_count;
    const char *targets_file;  /* where the list stands */
    int targets_line;
};

struct config_loader {
    int (*load_mapping)(const char *path, const struct connector_ops *ops, struct problems *problems, struct mapping **ret_mapping);
    void (*free_mapping)(struct mapping *mapping);
    const char *(*mapping_target)(const struct mapping *mapping);
    const char *(*mapping_kind)(const struct mapping *mapping); /* "user", …: one file per target and kind; NULL: not checked */
    uint64_t (*mapping_version)(const struct mapping *mapping); /* another one where the file changed; NULL: not looked at */
    const struct connector_line *(*mapping_places)(const struct mapping *mapping); /* NULL: not looked at */
};

#define CONFIG_SECRETS 1u  /* resolve them; without it they stay NULL, and a connector's check() is not called */
#define CONFIG_MAPPINGS 2u /* load connectors and mappings; without it `ops`, `settings` and `mappings` stay NULL */

int config_load(const char *path, unsigned flags, const struct config_loader *loader, struct problems *problems,
                struct config **ret_config);
/* One more who uses it, and calls config_free. */
struct config *config_hold(struct config *config);
void config_free(struct config *config); /* the last one frees it; NULL is allowed */

/* All option tables as man(7) source: provost.conf(5) is written from it. */
void config_print_man(FILE *stream);

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#define CONFIG_DEFAULT_PATH SYSCONFDIR "/provost/provost.conf"

#endif
