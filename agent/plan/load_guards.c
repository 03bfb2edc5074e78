/* Could `match` find an account that carries another identity's id? Such a hit is refused; a guard has a new account created. */
#include <libconfig.h>
#include <string.h>

#include "base/settings.h"
#include "base/str.h"
#include "plan/loader.h"

#define FINDS_OTHERS                                                                                                             \
    "also finds the account of somebody else who has left or has the same name, and is refused then; right would be "
#define WARN(setting, ...) problems_add(&loader->mapping->warnings, setting_file(setting), setting_line(setting), 0, __VA_ARGS__)

static const char *find_mark(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->attribute_count; i++)
        if (attribute_is_mark(&mapping->attributes[i]))
            return mapping->attributes[i].name;
    return NULL;
}

/* ---- filters ---- */

/* It asks for the id, or for none; behind an "or" asking for it does not help. */
static bool filter_is_guarded(const char *filter, const char *mark)
{
    cleanup_free char *none = str_printf("(!(%s=*))", mark), *own = str_printf("(%s={id", mark);

    if (none == NULL || own == NULL)
        abort(); /* loading may end the process */
    return strcasestr(filter, none) != NULL || (strcasestr(filter, own) != NULL && strstr(filter, "(|") == NULL);
}

static void check_filter(struct loader *loader, const config_setting_t *setting, const char *mark)
{
    const char *filter = config_setting_get_string(setting);

    if (filter == NULL || filter_is_guarded(filter, mark))
        return;
    bool joined = str_starts(filter, "(&") && filter[strlen(filter) - 1] == ')';
    WARN(setting, "match: \"%s\" " FINDS_OTHERS "\"%s%.*s(!(%s=*)))\"", filter, joined ? "" : "(&",
         (int)(strlen(filter) - joined), filter, mark);
}

/* ---- requests ---- */

static bool has_member(const config_setting_t *setting, const char *name)
{
    bool found = config_setting_is_group(setting) && config_setting_get_member(setting, name) != NULL;

    for (int i = 0; config_setting_is_aggregate(setting) && !found && i < config_setting_length(setting); i++)
        found = has_member(config_setting_get_elem(setting, (unsigned)i), name);
    return found;
}

static void check_request(struct loader *loader, const config_setting_t *setting, const char *mark, int number)
{
    const config_setting_t *where = config_setting_get_member(setting, "where");

    if (!has_member(setting, mark))
        WARN(where != NULL ? where : setting, "requests.match[%d] " FINDS_OTHERS "where: { %s%s = [ \"\", \"{id}\" ]; }", number,
             where != NULL && config_setting_length(where) > 0 ? "…; " : "", mark);
}

/* ---- both ---- */

/* `match`, or the one in the group that says how each change is made. */
static const config_setting_t *find_match(const struct mapping *mapping, const config_setting_t *root)
{
    const struct connector_group *group = mapping->ops != NULL ? mapping->ops->groups : NULL;

    for (; group != NULL && group->name != NULL; group++) {
        const config_setting_t *calls = group->by_call ? config_setting_get_member(root, group->name) : NULL;
        if (calls != NULL)
            return config_setting_is_group(calls) ? config_setting_get_member(calls, "match") : NULL;
    }
    return config_setting_get_member(root, "match");
}

void load_guards(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *match = find_match(loader->mapping, root);
    const char *mark = find_mark(loader->mapping);
    bool one = match != NULL && config_setting_type(match) == CONFIG_TYPE_STRING;

    for (int i = 0; mark != NULL && match != NULL && i < (one ? 1 : config_setting_length(match)); i++) {
        const config_setting_t *entry = one ? match : config_setting_get_elem(match, (unsigned)i);
        if (config_setting_is_group(entry))
            check_request(loader, entry, mark, i);
        else if (config_setting_type(entry) == CONFIG_TYPE_STRING)
            check_filter(loader, entry, mark);
    }
}
