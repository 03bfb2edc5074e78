/* Does `disable` stop a log-in, and can what it writes be told from what others write? */
#include <strings.h>

#include "base/str.h"
#include "plan/loader.h"

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcasecmp(name, *list) == 0)
            return true;
    return false;
}

/* An empty text takes the attribute away, which locks nothing. */
static bool is_written(const struct value *value)
{
    return value != NULL && !(value->kind == VALUE_TEMPLATE && template_text(value->template)[0] == '\0');
}

static void find_locks(struct mapping *mapping)
{
    const char *const *locks = mapping->ops != NULL ? mapping->ops->locks : NULL;

    for (size_t i = 0; locks != NULL && i < mapping->attribute_count; i++) {
        struct attribute *attribute = &mapping->attributes[i];
        attribute->lock = is_written(attribute->disable) && is_one_of(attribute->name, locks);
        mapping->has_lock = mapping->has_lock || attribute->lock;
    }
}

/* "description, dn". */
static char *what_disable_has(const struct mapping *mapping)
{
    struct buf names = { 0 };

    for (size_t i = 0; i < mapping->attribute_count; i++)
        if (mapping->attributes[i].disable != NULL)
            buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", mapping->attributes[i].name);
    if (mapping->disable_locator != NULL)
        buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", mapping->locator_name);
    return names.length > 0 ? buf_take(&names) : str_dup("nothing");
}

char *loader_lock_line(const struct mapping *mapping)
{
    const char *const *locks = mapping->ops != NULL && mapping->kind == IDENTITY_USER ? mapping->ops->locks : NULL;

    return locks != NULL ? str_printf("%s = \"TRUE\";", locks[0]) : str_dup("…");
}

static char *all_locks(const char *const *locks)
{
    struct buf names = { 0 };

    for (size_t i = 1; locks[i] != NULL; i++)
        buf_printf(&names, "%s%s", i > 1 ? ", " : "", locks[i]);
    return buf_take(&names);
}

/* Moving an entry, or saying on it that somebody left, stops no log-in: a leaver would go on with the old password. */
static void check_locks(struct loader *loader, const config_setting_t *root)
{
    const struct mapping *mapping = loader->mapping;
    const char *const *locks = mapping->ops != NULL ? mapping->ops->locks : NULL;
    const config_setting_t *setting = config_setting_get_member(root, "disable_locks");
    int locked = 1;

    if (setting != NULL && !config_setting_lookup_bool(root, "disable_locks", &locked))
        loader_complain(loader, setting, "disable_locks is true or false");
    bool says = loader->has_disable || mapping_has_disable(mapping);
    if (locks == NULL || !locked || mapping->kind != IDENTITY_USER || mapping->has_lock || !mapping_disables(mapping) || !says)
        return;
    cleanup_free char *has = what_disable_has(mapping), *line = loader_lock_line(mapping), *others = all_locks(locks);
    loader_complain(loader, config_setting_get_member(root, "disable"),
                    "nothing in disable stops a log-in (it has %s, and the old password still works); add %s (or one of %s); "
                    "where something else stops it, write disable_locks = false;", has != NULL ? has : "", line != NULL ? line : "",
                    others != NULL ? others : "");
}

/* A directory's value in `disable` alone is taken back where it is one of ours, so it must be possible to tell. */
static bool can_be_told(const struct value *value)
{
    if (value->kind == VALUE_TEMPLATE && !template_is_constant(value->template)) {
        cleanup_free char *sample = template_sample(value->template, "\001");
        return sample == NULL || sample[strspn(sample, "\001")] != '\0';
    }
    for (size_t i = 0; i < value->count; i++)
        if (!can_be_told(value->items[i]))
            return false;
    return true;
}

static void check_marks(struct loader *loader, const config_setting_t *disable)
{
    const struct mapping *mapping = loader->mapping;

    for (size_t i = 0; mapping->directory && i < mapping->attribute_count; i++) {
        const struct attribute *attribute = &mapping->attributes[i];
        if (attribute->disable == NULL || attribute->account != NULL || can_be_told(attribute->disable))
            continue;
        const config_setting_t *own = disable != NULL ? config_setting_get_member(disable, attribute->name) : NULL;
        loader_complain(loader, own != NULL ? own : disable,
                        "disable.%s cannot be told from what others write, so it could not be taken back on return; put fixed text "
                        "beside the braces, or say in account what it is otherwise: %s = \"\";", attribute->name, attribute->name);
    }
}

void load_locks(struct loader *loader, const config_setting_t *root)
{
    find_locks(loader->mapping);
    check_locks(loader, root);
    check_marks(loader, config_setting_get_member(root, "disable"));
}
