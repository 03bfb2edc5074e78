#include "config/target.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

/* One entry while it is read: the target, and its groups. */
struct entry {
    struct config_target target;
    const config_setting_t *settings, *retry;
};

static const struct option_row target_rows[] = {
    OPTION_STRING(struct entry, target.name, "name", OPTION_REQUIRED, NULL,
                  "what the target is called in mapping files, commands and the status log"),
    OPTION_STRING(struct entry, target.connector, "connector", OPTION_REQUIRED, NULL, "the connector that speaks to it, such as ldap"),
    OPTION_STRINGS(struct entry, target.mapping_files, "mappings", OPTION_REQUIRED,
                   "its mapping files, relative to the folder that the option mappings names; one for each kind"),
    OPTION_INT(struct entry, target.workers, "workers", 0, "4", 1, 256, "sessions that work at the same time"),
    OPTION_BOOL(struct entry, target.hold, "hold", "false",
                "held until the first provostctl resume: events are taken and kept, nothing is written; after that only "
                "provostctl hold holds it"),
    OPTION_DURATION(struct entry, target.probe_us, "probe", "5 s", SECOND_US / 10, DAY_US,
                    "how often a target that is down is asked whether it is back, and the longest wait before one that refuses all changes is tried"),
    OPTION_GROUP(struct entry, retry, "retry", 0, "how work that failed is tried again"),
    OPTION_GROUP(struct entry, settings, "settings", 0, "the connector's own options"),
    OPTION_END
};

static const struct option_row retry_rows[] = {
    OPTION_INT(struct config_retry, attempts, "attempts", 0, "20", 1, 10000,
               "how often one piece of work is tried before it becomes a dead letter; a leaver's goes on, at the longest wait"),
    OPTION_DURATION(struct config_retry, base_us, "base", "1 s", 1000, DAY_US, "the wait after the first failure; it doubles with each"),
    OPTION_DURATION(struct config_retry, most_us, "most", "10 minutes", 1000, 30 * DAY_US, "the longest wait"),
    OPTION_END
};

struct context {
    struct config *config;
    const config_setting_t *setting; /* the entry */
    unsigned flags;
    const struct config_loader *loader;
    struct problems *problems;
};

static void free_target(struct config_target *target, const struct config_loader *loader)
{
    struct entry entry = { .target = *target };

    for (struct mapping **mapping = target->mappings; mapping != NULL && *mapping != NULL; mapping++)
        loader->free_mapping(*mapping);
    free(target->mappings);
    if (target->settings != NULL)
        options_free(target->ops->options, target->settings);
    free(target->settings);
    options_free(target_rows, &entry);
}

void targets_free(struct config *config, const struct config_loader *loader)
{
    for (size_t i = 0; i < config->target_count; i++)
        free_target(&config->targets[i], loader);
    free(config->targets);
    config->targets = NULL;
    config->target_count = 0;
}

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static void check_name(const struct context *context, const char *name)
{
    const config_setting_t *setting = config_setting_get_member(context->setting, "name");

    if (strspn(name, NAME_CHARS) != strlen(name) || strlen(name) > 64)
        problems_add(context->problems, setting_file(setting), setting_line(setting), 0,
                     "targets: \"%.80s\" cannot be a target's name; use up to 64 letters, digits, \".\", \"_\" and \"-\"", name);
    for (size_t i = 0; i < context->config->target_count; i++)
        if (str_equal(context->config->targets[i].name, name))
            problems_add(context->problems, setting_file(setting), setting_line(setting), 0,
                         "targets: there are two targets named \"%s\"; a name is given once", name);
}

static void load_settings(const struct context *context, struct config_target *target, const config_setting_t *settings)
{
    struct problems *problems = context->problems;
    size_t before = problems->count;
    unsigned flags = (context->flags & CONFIG_SECRETS) != 0 ? 0 : OPTIONS_NO_SECRETS;
    cleanup_free char *where = str_printf("targets.%s.settings", target->name != NULL ? target->name : "?");

    target->settings = calloc(1, target->ops->settings_bytes > 0 ? target->ops->settings_bytes : 1);
    if (target->settings == NULL || where == NULL)
        abort();
    /* where there is no such group, what is missing is told at the target's own line */
    config_setting_t none = *context->setting;
    none.value.list = NULL;
    options_parse_with(target->ops->options, settings != NULL ? settings : &none, where, target->settings, flags, problems);
    if (problems->count == before && target->ops->check != NULL && (context->flags & CONFIG_SECRETS) != 0)
        target->ops->check(target->settings, target->settings_file, target->settings_line, problems);
}

static void check_mapping(const struct context *context, const struct config_target *target, size_t count, const char *path)
{
    const struct config_loader *loader = context->loader;
    const struct mapping *mapping = target->mappings[count];
    const char *named = loader->mapping_target(mapping);
    const config_setting_t *setting = config_setting_get_member(context->setting, "mappings");

    if (!str_equal(named, target->name))
        problems_add(context->problems, path, 0, 0, "target = \"%s\", but the target \"%s\" uses this file (%s:%d); they must agree",
                     named != NULL ? named : "", target->name, setting_file(setting), setting_line(setting));
    for (size_t i = 0; loader->mapping_kind != NULL && i < count; i++)
        if (str_equal(loader->mapping_kind(target->mappings[i]), loader->mapping_kind(mapping)))
            problems_add(context->problems, setting_file(setting), setting_line(setting), 0,
                         "targets.%s.mappings: \"%s\" and \"%s\" are both for kind = \"%s\"; a target has one file for each kind",
                         target->name, target->mapping_files[i], target->mapping_files[count], loader->mapping_kind(mapping));
}

static void check_places(const struct context *context, const struct config_target *target, const struct mapping *mapping)
{
    const config_setting_t *group = config_setting_get_member(context->setting, "settings");

    if (target->ops->check_places != NULL && context->loader->mapping_places != NULL)
        target->ops->check_places(target->settings, group, context->loader->mapping_places(mapping), context->problems);
}

/* What goes with the settings alone: the file is read once more, since what was compiled has no settings any more. */
static void check_together(const struct context *context, const struct config_target *target, const struct mapping *mapping,
                           const char *path)
{
    config_t config;

    if ((context->flags & CONFIG_SECRETS) == 0)
        return;
    check_places(context, target, mapping);
    if (target->ops->check_together == NULL)
        return;
    config_init(&config);
    if (settings_read(&config, path, context->problems) == 0)
        target->ops->check_together(target->settings, config_root_setting(&config), context->problems);
    config_destroy(&config);
}

/* Mappings that load stand at the places of their files up to the first that does not. */
static void load_mappings(const struct context *context, struct config_target *target, bool settings_good)
{
    size_t files = 0, count = 0;

    while (target->mapping_files[files] != NULL)
        files++;
    target->mappings = calloc(files + 1, sizeof(struct mapping *));
    if (target->mappings == NULL)
        abort();
    if (files == 0) {
        const config_setting_t *setting = config_setting_get_member(context->setting, "mappings");
        problems_add(context->problems, setting_file(setting), setting_line(setting), 0,
                     "targets.%s.mappings names no file; without one the target would get nothing", target->name);
    }
    for (size_t i = 0; i < files; i++) {
        struct mapping *mapping = NULL;
        cleanup_free char *path = file_join(context->config->mappings, target->mapping_files[i]);
        if (path == NULL)
            abort();
        if (context->loader->load_mapping(path, target->ops, context->problems, &mapping) < 0)
            continue;
        if (count != i) { /* one before it failed: this is checked by itself only */
            context->loader->free_mapping(mapping);
            continue;
        }
        target->mappings[count] = mapping;
        check_mapping(context, target, count++, path);
        if (settings_good)
            check_together(context, target, mapping, path);
    }
}

static void load_parts(const struct context *context, struct entry *entry)
{
    struct error error = { 0 };
    struct config_target *target = &entry->target;
    const config_setting_t *connector = config_setting_get_member(context->setting, "connector");

    if (target->name == NULL || target->connector == NULL || (context->flags & CONFIG_MAPPINGS) == 0)
        return;
    if (connector_load(target->connector, context->config->connectors, &target->ops, &error) < 0) {
        problems_add(context->problems, setting_file(connector), setting_line(connector), 0, "%s", error.text);
        return;
    }
    size_t before = context->problems->count;
    load_settings(context, target, entry->settings);
    bool settings_good = context->problems->count == before;
    if (target->mapping_files != NULL && context->config->mappings != NULL)
        load_mappings(context, target, settings_good);
}

/* ---- has it changed? ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return str_hash(hash, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

/* Names and values, as written. */
static uint64_t hash_setting(uint64_t hash, const config_setting_t *setting)
{
    cleanup_free char *number = NULL;

    hash = hash_text(hash, config_setting_name(setting));
    if (config_setting_is_aggregate(setting)) {
        for (int i = 0; i < config_setting_length(setting); i++)
            hash = hash_setting(hash, config_setting_get_elem(setting, (unsigned)i));
        return hash;
    }
    if (config_setting_type(setting) == CONFIG_TYPE_FLOAT)
        number = str_printf("%.17g", config_setting_get_float(setting));
    else if (config_setting_type(setting) != CONFIG_TYPE_STRING)
        number = str_printf("%lld", config_setting_type(setting) == CONFIG_TYPE_BOOL ? config_setting_get_bool(setting)
                                                                                      : config_setting_get_int64(setting));
    return hash_text(hash, number != NULL ? number : config_setting_get_string(setting));
}

static uint64_t hash_secrets(uint64_t hash, const struct option_row *rows, const void *values)
{
    for (const struct option_row *row = rows; row->name != NULL; row++)
        if (row->type == OPTION_TYPE_SECRET)
            hash = hash_text(hash, *(char *const *)((const char *)values + row->offset));
    return hash;
}

static uint64_t hash_target(const struct context *context, const struct config_target *target)
{
    uint64_t hash = hash_setting(STR_HASH_START, context->setting);

    if (target->settings != NULL)
        hash = hash_secrets(hash, target->ops->options, target->settings);
    for (struct mapping **mapping = target->mappings; mapping != NULL && *mapping != NULL; mapping++) {
        uint64_t version = context->loader->mapping_version != NULL ? context->loader->mapping_version(*mapping) : 0;
        hash = str_hash(hash, (const char *)&version, sizeof(version));
    }
    return hash;
}

static void load_target(const struct context *context, size_t index, struct config_target *ret_target)
{
    struct entry entry = { 0 };
    const char *name = NULL;
    cleanup_free char *where = NULL;

    config_setting_lookup_string(context->setting, "name", &name);
    where = name != NULL ? str_printf("targets.%s", name) : str_printf("targets[%zu]", index);
    options_parse(target_rows, context->setting, where, &entry, context->problems);
    cleanup_free char *where_retry = str_printf("%s.retry", where);
    options_parse(retry_rows, entry.retry, where_retry, &entry.target.retry, context->problems);
    if (entry.target.retry.base_us > entry.target.retry.most_us)
        problems_add(context->problems, setting_file(entry.retry), setting_line(entry.retry), 0,
                     "%s: base is longer than most; the first wait cannot exceed the longest", where_retry);
    entry.target.settings_file = setting_file(entry.settings != NULL ? entry.settings : context->setting);
    entry.target.settings_line = setting_line(entry.settings != NULL ? entry.settings : context->setting);
    const config_setting_t *named = config_setting_get_member(context->setting, "name");
    entry.target.name_file = setting_file(named != NULL ? named : context->setting);
    entry.target.name_line = setting_line(named != NULL ? named : context->setting);
    if (entry.target.name != NULL)
        check_name(context, entry.target.name);
    load_parts(context, &entry);
    entry.target.version = hash_target(context, &entry.target);
    *ret_target = entry.target;
}

void targets_load(struct config *config, const config_setting_t *list, unsigned flags, const struct config_loader *loader,
                  struct problems *problems)
{
    int count = config_setting_length(list);

    config->targets_file = setting_file(list);
    config->targets_line = setting_line(list);
    if (!config_setting_is_list(list)) {
        problems_add(problems, setting_file(list), setting_line(list), 0,
                     "targets: a list of groups is expected, ( { name = \"…\"; … }, { … } )");
        return;
    }
    config->targets = calloc((size_t)count + 1, sizeof(*config->targets));
    if (config->targets == NULL)
        abort();
    for (int i = 0; i < count; i++) {
        const config_setting_t *entry = config_setting_get_elem(list, (unsigned)i);
        if (!config_setting_is_group(entry)) {
            problems_add(problems, setting_file(entry), setting_line(entry), 0, "targets[%d]: a group is expected, { name = \"…\"; … }", i);
            continue;
        }
        struct context context = { config, entry, flags, loader, problems };
        load_target(&context, (size_t)i, &config->targets[config->target_count]);
        config->target_count++;
    }
}

void targets_print_man(FILE *stream)
{
    fputs(".SS targets: ( { ... }, ... )\n", stream);
    options_print_man(target_rows, stream);
    fputs(".SS targets: ( { retry: { ... } } )\n", stream);
    options_print_man(retry_rows, stream);
}
