/* A mapping file → struct mapping, with every mistake told at once. */
#include "plan/mapping.h"

#include <strings.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"
#include "plan/loader.h"

#define FILE_BYTES_MOST ((size_t)1 << 20)

static const char *const key_names[] = { "target", "kind",   "scope", "match",   "account", "more",
                                         "policy", "on",     "disable", "members", "required", "while_disabled",
                                         "sign_out", "request_timeout", "deny", "mirror", "disable_locks",
                                         "base", "protected", "adopt", NULL };

static const struct reaction default_reactions[IDENTITY_KIND_COUNT][ON_COUNT] = {
    [IDENTITY_USER] = { [ON_CREATED] = { ACTION_PROVISION, 0 },
                        [ON_ACTIVATED] = { ACTION_PROVISION, 0 },
                        [ON_SUSPENDED] = { ACTION_DISABLE, 0 },
                        [ON_DEACTIVATED] = { ACTION_DISABLE, 0 },
                        [ON_DELETED] = { ACTION_DISABLE, 0 },
                        [ON_LEFT_SCOPE] = { ACTION_DISABLE, 0 } },
    [IDENTITY_GROUP] = { [ON_CREATED] = { ACTION_PROVISION, 0 },
                         [ON_ACTIVATED] = { ACTION_PROVISION, 0 },
                         [ON_SUSPENDED] = { ACTION_KEEP, 0 },
                         [ON_DEACTIVATED] = { ACTION_KEEP, 0 },
                         [ON_DELETED] = { ACTION_REMOVE, 0 },
                         [ON_LEFT_SCOPE] = { ACTION_KEEP, 0 } },
};

static void load_target(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *setting = config_setting_get_member(root, "target");
    const char *text = setting != NULL ? loader_text(loader, setting, "target") : NULL;

    if (setting == NULL)
        loader_complain(loader, NULL, "target is missing; it names a target of provost.conf: target = \"corp-ldap\";");
    loader->mapping->target = strdup(text != NULL ? text : "");
}

static void load_kind(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *setting = config_setting_get_member(root, "kind");
    const char *text = setting != NULL ? loader_text(loader, setting, "kind") : NULL;
    const struct connector_ops *ops = loader->mapping->ops;

    if (setting == NULL)
        loader_complain(loader, NULL, "kind is missing; it is \"user\" or \"group\"");
    else if (text != NULL && strcmp(text, "user") != 0 && strcmp(text, "group") != 0)
        loader_complain(loader, setting, "kind \"%s\" is none; it is \"user\" or \"group\"", text);
    loader->mapping->kind = text != NULL && strcmp(text, "group") == 0 ? IDENTITY_GROUP : IDENTITY_USER;
    if (ops != NULL && loader->mapping->kind == IDENTITY_GROUP && (ops->capabilities & CONNECTOR_GROUPS) == 0)
        loader_complain(loader, setting, "the connector \"%s\" has no groups; kind must be \"user\"", ops->name);
    memcpy(loader->mapping->on, default_reactions[loader->mapping->kind], sizeof(loader->mapping->on));
}

/* The parts, in the order in which they build on each other. */
static const struct {
    const char *key;
    void (*load)(struct loader *loader, const config_setting_t *setting);
} parts[] = {
    { "scope", load_scope },       { "match", load_match },     { "policy", load_policy }, { "required", load_required },
    { "on", load_on },             { "members", load_members }, { "while_disabled", load_while_disabled },
    { "protected", load_protected }, { "adopt", load_adopt },
};

/* groupOfNames cannot be without a member; the directory would say so only for the first empty group. */
static bool needs_member(const struct mapping *mapping)
{
    const struct attribute *classes = mapping->directory ? mapping_attribute(mapping, "objectClass") : NULL;
    json_t *value = NULL;
    bool found = false;

    if (classes == NULL || classes->account == NULL || (value_uses(classes->account) != 0) ||
        value_render(classes->account, &(struct expr_input){ 0 }, &value, NULL) < 0)
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        found = found || (name != NULL && (strcasecmp(name, "groupOfNames") == 0 || strcasecmp(name, "groupOfUniqueNames") == 0));
    }
    json_decref(value);
    return found;
}

/* A connector that only ends sessions has none to describe. */
static bool has_accounts(const struct mapping *mapping)
{
    return mapping->ops == NULL || (mapping->ops->capabilities & (CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS)) != 0;
}

static void check_locator(struct loader *loader, const config_setting_t *account)
{
    const char *name = loader->mapping->locator_name;
    const config_setting_t *setting = config_setting_get_member(account, name);
    bool assigned = loader->mapping->ops->assigns_locator;

    if (setting == NULL && !assigned)
        loader_complain(loader, account, "account has no %s; it says where an account stands", name);
    if (setting != NULL && assigned)
        loader_complain(loader, setting, "account.%s is given by the target; it can be used (\"{account.%s}\"), but not set",
                        name, name);
}

static void check_whole(struct loader *loader, const config_setting_t *root)
{
    struct mapping *mapping = loader->mapping;
    const config_setting_t *account = config_setting_get_member(root, "account");
    const config_setting_t *members = config_setting_get_member(root, "members");

    if (account == NULL && has_accounts(mapping))
        loader_complain(loader, NULL, "account is missing; it says what an account looks like: account: { … };");
    else if (account != NULL && mapping->locator_name != NULL && config_setting_is_group(account))
        check_locator(loader, account);
    cleanup_free char *line = loader_lock_line(mapping);
    if (mapping->directory && mapping_disables(mapping) && !loader->has_disable)
        loader_complain(loader, config_setting_get_member(root, "on"),
                 "no disable group says how an account is disabled (suspended, deactivated, deleted and left_scope mean \"disable\" "
                 "where `on` does not say otherwise); add disable: { %s }; or name other actions in `on`",
                 line != NULL ? line : "…");
    if (members != NULL && mapping->kind == IDENTITY_USER)
        loader_complain(loader, members, "members belongs into a mapping of kind \"group\"");
    if (members != NULL && needs_member(mapping) && mapping->members.placeholder == NULL && !mapping->members.with_first_member)
        loader_complain(loader, members,
                 "groupOfNames cannot be without a member; add placeholder = \"cn=…\"; or with_first_member = true; to members");
}

/* The agent's own names and those of the connector's groups. */
static const char **known_keys(const struct mapping *mapping)
{
    const struct connector_group *group = mapping->ops != NULL ? mapping->ops->groups : NULL;
    size_t count = sizeof(key_names) / sizeof(key_names[0]) - 1, most = count;

    while (group != NULL && group[most - count].name != NULL)
        most++;
    const char **keys = calloc(most + 1, sizeof(*keys));
    if (keys == NULL)
        abort();
    for (size_t i = 0; i < most; i++)
        keys[i] = i < count ? key_names[i] : group[i - count].name;
    return keys;
}

static void check_keys(struct loader *loader, const config_setting_t *root)
{
    cleanup_free const char **keys = known_keys(loader->mapping);

    for (unsigned i = 0; i < (unsigned)config_setting_length(root); i++) {
        const config_setting_t *setting = config_setting_get_elem(root, i);
        size_t k = 0;
        while (keys[k] != NULL && strcmp(keys[k], config_setting_name(setting)) != 0)
            k++;
        if (keys[k] == NULL)
            loader_unknown_key(loader, setting, keys);
    }
}

/* Before the groups are looked at here: what both would say, the connector says better. */
static void ask_connector(struct loader *loader, const config_setting_t *root)
{
    const struct mapping *mapping = loader->mapping;
    size_t before = loader->problems->count;

    if (mapping->ops != NULL && mapping->ops->check_mapping != NULL)
        mapping->ops->check_mapping(root, mapping->kind == IDENTITY_GROUP, loader->problems);
    loader->connector_told = loader->problems->count > before;
}

static void load_root(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *account = config_setting_get_member(root, "account");
    const config_setting_t *more = config_setting_get_member(root, "more");
    const config_setting_t *disable = config_setting_get_member(root, "disable");

    check_keys(loader, root);
    loader->has_disable = disable != NULL;
    load_target(loader, root);
    load_kind(loader, root);
    loader->mapping->adopts = loader->mapping->kind != IDENTITY_GROUP;
    if (account != NULL)
        load_attributes(loader, account, false);
    if (more != NULL)
        load_more(loader, more);
    if (disable != NULL)
        load_attributes(loader, disable, true);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const config_setting_t *setting = config_setting_get_member(root, parts[i].key);
        if (setting != NULL)
            parts[i].load(loader, setting);
    }
    ask_connector(loader, root);
    load_groups(loader, root);
    load_sessions(loader, root);
    load_locks(loader, root);
    load_places(loader, root);
    load_guards(loader, root);
    check_whole(loader, root);
}

/* A connector with DN places speaks to a directory. */
static bool is_directory(const struct connector_ops *ops)
{
    const struct connector_place *place = ops != NULL ? ops->places : NULL;

    for (; place != NULL && place->name != NULL; place++)
        if (place->escape == ESCAPE_DN)
            return true;
    return false;
}

static void list_names(struct mapping *mapping)
{
    mapping->names = calloc(mapping->attribute_count + 2, sizeof(*mapping->names));
    if (mapping->names == NULL)
        abort();
    mapping->disable_names = calloc(mapping->attribute_count + 1, sizeof(*mapping->disable_names));
    if (mapping->disable_names == NULL)
        abort();
    for (size_t i = 0, k = 0; i < mapping->attribute_count; i++) {
        mapping->names[mapping->name_count++] = mapping->attributes[i].name;
        if (mapping->attributes[i].disable != NULL)
            mapping->disable_names[k++] = mapping->attributes[i].name;
    }
    if (mapping->members.attribute != NULL && mapping_attribute(mapping, mapping->members.attribute) == NULL)
        mapping->names[mapping->name_count++] = mapping->members.attribute;
}

int mapping_load(const char *path, const struct connector_ops *ops, struct problems *problems, struct mapping **ret_mapping)
{
    struct mapping *mapping = calloc(1, sizeof(*mapping));
    size_t before = problems->count;
    config_t config;

    if (mapping == NULL)
        return ERROR_NOMEM;
    mapping->path = strdup(path);
    mapping->version = str_hash(STR_HASH_START, path, strlen(path));
    mapping->ops = ops;
    mapping->directory = is_directory(ops);
    mapping->keeps_disabled = !mapping->directory;
    mapping->locator_name = ops != NULL ? ops->locator_attribute : NULL;
    struct loader loader = { .mapping = mapping, .problems = problems };
    config_init(&config);
    if (settings_read(&config, path, problems) == 0) {
        file_read(path, FILE_BYTES_MOST, &loader.source, NULL, NULL); /* without it, lines alone are told */
        if (loader.source != NULL)
            mapping->version = str_hash(mapping->version, loader.source, strlen(loader.source));
        load_root(&loader, config_root_setting(&config));
        list_names(mapping);
    }
    config_destroy(&config);
    free(loader.source);
    if (problems->count > before) {
        mapping_free(mapping);
        return ERROR_INVALID;
    }
    *ret_mapping = mapping;
    return 0;
}
