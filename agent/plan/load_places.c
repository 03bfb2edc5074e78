/* Where a directory's mapping file has its entries, where `match` finds any, and which are never touched. */
#include "base/str.h"
#include "plan/dn.h"
#include "plan/loader.h"

#define BASES_MAX 16

/* ---- the fixed ends of DNs ---- */

/* By a text in which each interpolation is one character that no mapping has. */
static char *fixed_end(const struct value *locator)
{
    cleanup_free char *sample = template_sample(locator->template, "\001");
    const char *last = sample != NULL ? strrchr(sample, '\001') : NULL;
    const char *end = sample != NULL ? dn_behind(sample, last != NULL ? (size_t)(last - sample) : 0) : NULL;

    return str_dup(end);
}

static void add_place(struct mapping *mapping, size_t *count, const char *name, int line, char *dn)
{
    if (dn != NULL)
        mapping->places[(*count)++] = (struct connector_line){ name, dn, mapping->path, line };
}

static void add_locator(struct mapping *mapping, size_t *count, const char *name, const struct value *locator)
{
    if (locator != NULL && locator->kind == VALUE_TEMPLATE)
        add_place(mapping, count, name, locator->line, fixed_end(locator));
}

/* ---- base ---- */

/* No base is below another one: an entry that is searched for twice would be two hits. */
static void add_base(struct mapping *mapping, const char *dn)
{
    size_t kept = 0, count = 0;

    for (; mapping->bases[count] != NULL; count++)
        if (dn_within(dn, mapping->bases[count]))
            return;
    for (size_t i = 0; i < count; i++) {
        const char *base = mapping->bases[i];
        mapping->bases[i] = NULL;
        if (dn_within(base, dn))
            free((char *)base);
        else
            mapping->bases[kept++] = base;
    }
    mapping->bases[kept] = str_dup(dn);
}

static bool is_base(struct loader *loader, const config_setting_t *setting, const char *text)
{
    cleanup_free char *normal = NULL;

    if (*text != '\0' && dn_normalize(text, &normal) == 0)
        return true;
    loader_complain(loader, setting, "base: \"%s\" is no distinguished name; right would be \"ou=people,dc=example,dc=org\"", text);
    return false;
}

static void load_base(struct loader *loader, const config_setting_t *setting, size_t *count)
{
    bool one = config_setting_type(setting) == CONFIG_TYPE_STRING;
    int length = one ? 1 : config_setting_is_aggregate(setting) && !config_setting_is_group(setting) ? config_setting_length(setting) : 0;

    if (length == 0 || length > BASES_MAX)
        loader_complain(loader, setting, "base is a DN, or a list of up to %d: base = [ \"ou=people,dc=example,dc=org\" ];", BASES_MAX);
    for (int i = 0; i < length && i < BASES_MAX; i++) {
        const char *text = one ? config_setting_get_string(setting) : config_setting_get_string_elem(setting, i);
        if (!is_base(loader, setting, text != NULL ? text : ""))
            continue;
        add_base(loader->mapping, text);
        add_place(loader->mapping, count, "base", setting_line(setting), str_dup(text));
    }
}

static bool is_in_a_base(const struct mapping *mapping, const char *dn)
{
    bool within = false;

    for (const char **base = mapping->bases; *base != NULL; base++)
        within = within || dn_within(dn, *base);
    return within;
}

/* What is written outside would be made once more, once its link is lost. */
static void check_places(struct loader *loader, const config_setting_t *setting)
{
    const struct mapping *mapping = loader->mapping;

    for (const struct connector_line *place = mapping->places; place->name != NULL && mapping->bases[0] != NULL; place++)
        if (!is_in_a_base(mapping, place->dn))
            loader_complain(loader, setting,
                            "base does not contain \"%s\", where %s (line %d) puts entries; add it: base = [ \"%s\", \"%s\" ];",
                            place->dn, place->name, place->line, mapping->bases[0], place->dn);
}

/* ---- protected ---- */

/* The connector has looked at the filters. */
void load_protected(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;
    bool one = config_setting_type(setting) == CONFIG_TYPE_STRING;
    int count = one ? 1 : config_setting_is_aggregate(setting) && !config_setting_is_group(setting) ? config_setting_length(setting) : 0;
    struct buf filter = { 0 };

    if (!mapping->directory && mapping->ops != NULL)
        loader_complain(loader, setting, "protected is for directories; remove it");
    buf_add_str(&filter, "(|");
    for (int i = 0; i < count; i++) {
        const char *text = one ? config_setting_get_string(setting) : config_setting_get_string_elem(setting, i);
        count = text != NULL ? count : 0;
        buf_add_str(&filter, text != NULL ? text : "");
    }
    buf_add_str(&filter, ")");
    if (count == 0)
        loader_complain(loader, setting, "protected is a filter, or a list of filters: protected = [ \"(adminCount=1)\" ];");
    mapping->protect = buf_take(&filter);
    if (mapping->protect == NULL)
        abort();
}

/* ---- adopt ---- */

void load_adopt(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;

    if (mapping->kind != IDENTITY_GROUP)
        loader_complain(loader, setting, "adopt is for groups; people whom `match` finds are adopted. Remove adopt, or match");
    else if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        loader_complain(loader, setting, "adopt is true or false");
    else
        mapping->adopts = config_setting_get_bool(setting) != 0;
}

/* ---- the whole ---- */

void load_places(struct loader *loader, const config_setting_t *root)
{
    struct mapping *mapping = loader->mapping;
    const config_setting_t *base = config_setting_get_member(root, "base");
    size_t count = 0;

    mapping->places = calloc(BASES_MAX + 3, sizeof(*mapping->places));
    mapping->bases = calloc(BASES_MAX + 3, sizeof(*mapping->bases));
    if (mapping->places == NULL || mapping->bases == NULL)
        abort();
    if (base != NULL && !mapping->directory && mapping->ops != NULL)
        loader_complain(loader, base, "base is for directories; remove it");
    if (!mapping->directory)
        return;
    add_locator(mapping, &count, "account.dn", mapping->locator);
    mapping->base = str_dup(mapping->places[0].dn);
    add_locator(mapping, &count, "disable.dn", mapping->disable_locator);
    if (base != NULL) {
        load_base(loader, base, &count);
        check_places(loader, base);
        return;
    }
    /* An entry may be anywhere as soon as one of its DNs has no fixed end. */
    bool bounded = mapping->locator != NULL && count == 1 + (size_t)(mapping->disable_locator != NULL);
    for (size_t i = 0; bounded && i < count; i++)
        add_base(mapping, mapping->places[i].dn);
}
