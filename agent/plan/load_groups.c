/* The connector's own groups of a mapping file, and whether they can do what the rest of it asks for. */
#include "base/settings.h"
#include "base/str.h"
#include "plan/loader.h"

/* ---- compiling ---- */

/* What a call's templates know: list is about nobody, the calls about members know the group by its key alone. */
static unsigned call_names(const struct mapping *mapping, const char *call)
{
    static const struct {
        const char *call;
        unsigned names;
    } rows[] = {
        { "list", 0 },
        { "groups_of", NAME_BIT(NAME_VALUE) },
        { "member_add", NAME_BIT(NAME_VALUE) | NAME_BIT(NAME_ACCOUNT) },
        { "member_remove", NAME_BIT(NAME_VALUE) | NAME_BIT(NAME_ACCOUNT) },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].call, call) == 0)
            return rows[i].names;
    return loader_names(mapping) | NAME_BIT(NAME_ACCOUNT);
}

/* What stands behind account. there: about members it is the group, of which only the key is known. */
static const char *const *call_account_names(const char *call, const char *const *whole)
{
    static const char *const key_alone[] = { "key", NULL };

    return str_starts(call, "member_") ? key_alone : whole;
}

static struct value *compile_calls(struct loader *loader, const config_setting_t *setting, const struct connector_group *group,
                                   const char *const *account_names)
{
    size_t most = (size_t)config_setting_length(setting);
    struct value_context context = { .where = group->name, .group = group };
    struct value *calls = value_make(VALUE_OBJECT, setting, &context);

    calls->items = calloc(most + 1, sizeof(*calls->items));
    calls->names = calloc(most + 1, sizeof(*calls->names));
    if (calls->items == NULL || calls->names == NULL)
        abort();
    for (unsigned i = 0; i < most; i++) {
        const config_setting_t *item = config_setting_get_elem(setting, i);
        const char *name = config_setting_name(item);
        cleanup_free char *where = str_printf("%s.%s", group->name, name);
        context.where = where != NULL ? where : name;
        context.names = call_names(loader->mapping, name);
        context.account_names = call_account_names(name, account_names);
        struct value *call = value_compile(loader, item, context);
        if (call == NULL)
            continue;
        calls->names[calls->count] = strdup(name);
        calls->items[calls->count++] = call;
    }
    return calls;
}

static void load_group(struct loader *loader, const config_setting_t *setting, size_t i)
{
    const struct connector_group *group = &loader->mapping->ops->groups[i];
    cleanup_free const char **account_names = loader_account_names(loader->mapping);
    struct value_context context = {
        .where = group->name,
        .names = loader_names(loader->mapping) | NAME_BIT(NAME_ACCOUNT),
        .account_names = account_names,
        .group = group,
    };

    if (!config_setting_is_group(setting) && loader->connector_told)
        return;
    if (!config_setting_is_group(setting))
        loader_complain(loader, setting, "%s must be a group: %s: { … };", group->name, group->name);
    else
        loader->mapping->groups[i] =
            group->by_call ? compile_calls(loader, setting, group, account_names) : value_compile(loader, setting, context);
}

/* ---- does it hold together? ---- */

static const config_setting_t *on_setting(const config_setting_t *root, enum on on, const config_setting_t *otherwise)
{
    const config_setting_t *group = config_setting_get_member(root, "on");
    bool names = group != NULL && config_setting_is_group(group);
    const config_setting_t *own = names ? config_setting_get_member(group, on_names[on]) : NULL;

    return own != NULL ? own : group != NULL ? group : otherwise;
}

/* The first event that asks for it; ON_COUNT: none. */
static enum on who_disables(const struct mapping *mapping)
{
    enum on on = 0;

    while (on < ON_COUNT && mapping->on[on].action != ACTION_DISABLE)
        on++;
    return on;
}

static enum on who_removes(const struct mapping *mapping)
{
    enum on on = 0;

    while (on < ON_COUNT && mapping->on[on].action != ACTION_REMOVE && mapping->on[on].remove_after_us == 0)
        on++;
    return on;
}

static void check_reactions(struct loader *loader, const config_setting_t *root, const config_setting_t *calls)
{
    const struct mapping *mapping = loader->mapping;
    enum on disables = who_disables(mapping), removes = who_removes(mapping);

    if (disables < ON_COUNT && !mapping_can(mapping, OPERATION_DISABLE))
        loader_complain(loader, on_setting(root, disables, calls),
                        "on.%s disables, but requests has no disable (nor an update, which would write the disable group); "
                        "add one, or name another action in `on`", on_names[disables]);
    else if (disables < ON_COUNT && mapping_call(mapping, "disable") == NULL && !loader->has_disable)
        loader_complain(loader, on_setting(root, disables, calls),
                        "on.%s disables, but nothing says how: add requests.disable, or a disable group of values for "
                        "requests.update", on_names[disables]);
    if (removes < ON_COUNT && !mapping_can(mapping, OPERATION_REMOVE))
        loader_complain(loader, on_setting(root, removes, calls),
                        "on.%s removes, but requests has no remove; add one, or name another action in `on`", on_names[removes]);
}

static void check_members(struct loader *loader, const config_setting_t *members)
{
    static const char *const calls[] = { "member_add", "member_remove", "groups_of" };
    const struct mapping *mapping = loader->mapping;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (mapping_call(mapping, calls[i]) == NULL)
            loader_complain(loader, members, "members needs requests.%s", calls[i]);
    if (mapping->members.placeholder != NULL || mapping->members.with_first_member)
        loader_complain(loader, members, "members: placeholder and with_first_member are for directories");
}

static void check_calls(struct loader *loader, const config_setting_t *root, const char *name)
{
    const config_setting_t *match = config_setting_get_member(root, "match"), *members = config_setting_get_member(root, "members");
    const config_setting_t *calls = config_setting_get_member(root, name);

    if (match != NULL)
        loader_complain(loader, match, "match stands in %s here: %s: { match = ( … ); };", name, name);
    if (calls == NULL && !loader->connector_told)
        loader_complain(loader, NULL, "%s is missing; it says how the target is spoken to: %s: { … };", name, name);
    if (calls == NULL)
        return;
    check_reactions(loader, root, calls);
    if (members != NULL)
        check_members(loader, members);
}

void load_groups(struct loader *loader, const config_setting_t *root)
{
    struct mapping *mapping = loader->mapping;
    const struct connector_group *groups = mapping->ops != NULL ? mapping->ops->groups : NULL;
    size_t count = 0;

    while (groups != NULL && groups[count].name != NULL)
        count++;
    mapping->groups = count > 0 ? calloc(count, sizeof(struct value *)) : NULL;
    if (count > 0 && mapping->groups == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_member(root, groups[i].name);
        mapping->by_call = mapping->by_call || groups[i].by_call;
        if (setting != NULL)
            load_group(loader, setting, i);
    }
    for (size_t i = 0; i < count; i++)
        if (groups[i].by_call)
            check_calls(loader, root, groups[i].name);
}
