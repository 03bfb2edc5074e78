/* account, disable, more, policy and required of a mapping file. */
#include <strings.h>

#include "base/str.h"
#include "plan/dn.h"
#include "plan/loader.h"

static const char *const policy_names[] = { "force", "once", "merge", NULL };

static struct attribute *add_attribute(struct mapping *mapping, const char *name)
{
    struct attribute *attribute = mapping_attribute(mapping, name);

    if (attribute != NULL)
        return attribute;
    struct attribute *list = realloc(mapping->attributes, (mapping->attribute_count + 1) * sizeof(*list));
    if (list == NULL)
        abort();
    mapping->attributes = list;
    attribute = &list[mapping->attribute_count++];
    /* others may add object classes of their own: never take them away */
    bool merges = mapping->directory && strcasecmp(name, "objectClass") == 0;
    *attribute = (struct attribute){ .name = strdup(name), .policy = merges ? POLICY_MERGE : POLICY_FORCE };
    attribute->escape = place_escape(mapping, name);
    return attribute;
}

static bool is_locator(const struct mapping *mapping, const char *name)
{
    return mapping->locator_name != NULL && strcmp(mapping->locator_name, name) == 0;
}

/* What no value in the braces could mend. An interpolation is a value or, with account.dn, DNs by itself. */
static void check_dn(struct loader *loader, const config_setting_t *setting, const char *where, const struct value *value)
{
    cleanup_free char *values = template_sample(value->template, "x"), *names = template_sample(value->template, "x=x");
    cleanup_free char *normal_values = NULL;
    cleanup_free char *normal_names = NULL;

    if (values == NULL || names == NULL)
        abort();
    if (dn_normalize(values, &normal_values) < 0 && dn_normalize(names, &normal_names) < 0)
        loader_complain(loader, setting, "%s: \"%s\" is no distinguished name, whatever stands in the braces; right would be "
                 "\"uid={id},ou=people,dc=example,dc=org\"", where, template_text(value->template));
}

/* One line of `account` or `disable`. */
static void load_attribute(struct loader *loader, const config_setting_t *setting, const char *name,
                           const char *const *account_names, bool disable)
{
    struct mapping *mapping = loader->mapping;
    char where[128];
    bool locator = is_locator(mapping, name);
    struct value **slot;

    snprintf(where, sizeof(where), "%s.%s", disable ? "disable" : "account", name);
    struct value_context context = {
        .where = where,
        .names = loader_names(mapping) | (disable ? NAME_BIT(NAME_ACCOUNT) : 0),
        .account_names = mapping->ops != NULL ? account_names : NULL, /* else the locator's is not known */
        .escape = place_escape(mapping, name),
    };
    if (locator && config_setting_type(setting) != CONFIG_TYPE_STRING) {
        loader_complain(loader, setting, "%s must be text in double quotes", where);
        return;
    }
    struct attribute *attribute = locator ? NULL : add_attribute(mapping, name);
    slot = locator ? (disable ? &mapping->disable_locator : &mapping->locator)
                   : (disable ? &attribute->disable : &attribute->account);
    if (*slot != NULL) {
        loader_complain(loader, setting, "%s stands here a second time; a name may differ in case from the first", where);
        return;
    }
    *slot = value_compile(loader, setting, context);
    if (locator && mapping->directory && *slot != NULL && template_text((*slot)->template)[0] != '\0')
        check_dn(loader, setting, where, *slot);
}

void load_attributes(struct loader *loader, const config_setting_t *group, bool disable)
{
    cleanup_free const char **account_names = loader_account_names(loader->mapping); /* before `disable` adds its own */

    if (!config_setting_is_group(group)) {
        loader_complain(loader, group, "%s must be a group: %s: { … };", disable ? "disable" : "account", disable ? "disable" : "account");
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        load_attribute(loader, setting, config_setting_name(setting), account_names, disable);
    }
}

static void load_policy_of(struct loader *loader, const config_setting_t *setting, const char *name)
{
    struct mapping *mapping = loader->mapping;
    const char *text = loader_text(loader, setting, name);
    size_t policy = 0;

    while (text != NULL && policy < POLICY_COUNT && strcmp(policy_names[policy], text) != 0)
        policy++;
    if (text == NULL)
        return;
    if (policy == POLICY_COUNT)
        loader_complain(loader, setting, "policy of %s: \"%s\" is none; possible are force, once, merge", name, text);
    else if (is_locator(mapping, name) && policy == POLICY_MERGE)
        loader_complain(loader, setting, "policy of %s: merge has no meaning here; possible are force, once", name);
    else if (is_locator(mapping, name))
        mapping->locator_once = policy == POLICY_ONCE;
    else
        mapping_attribute(mapping, name)->policy = (enum policy)policy;
}

void load_policy(struct loader *loader, const config_setting_t *group)
{
    cleanup_free const char **known = loader_account_names(loader->mapping);

    if (!config_setting_is_group(group)) {
        loader_complain(loader, group, "policy must be a group: policy: { uid = \"once\"; };");
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        const char *name = config_setting_name(setting);
        if (mapping_attribute(loader->mapping, name) == NULL && !is_locator(loader->mapping, name))
            loader_unknown_key(loader, setting, known);
        else
            load_policy_of(loader, setting, name);
    }
}

/* One entry of `more`: an attribute whose name libconfig cannot spell. */
static void load_more_entry(struct loader *loader, const config_setting_t *entry)
{
    static const char *const known[] = { "name", "value", "policy", "disable", NULL };
    const char *name = NULL;

    for (int i = 0; config_setting_is_group(entry) && i < config_setting_length(entry); i++) {
        const config_setting_t *setting = config_setting_get_elem(entry, (unsigned)i);
        bool is_known = false;
        for (size_t k = 0; known[k] != NULL; k++)
            is_known = is_known || strcmp(known[k], config_setting_name(setting)) == 0;
        if (!is_known)
            loader_unknown_key(loader, setting, known);
    }
    const config_setting_t *value = config_setting_is_group(entry) ? config_setting_get_member(entry, "value") : NULL;
    if (value == NULL || !config_setting_lookup_string(entry, "name", &name)) {
        loader_complain(loader, entry, "an entry of more is { name = \"userCertificate;binary\"; value = \"…\"; }");
        return;
    }
    load_attribute(loader, value, name, NULL, false);
    const config_setting_t *disable = config_setting_get_member(entry, "disable");
    const config_setting_t *policy = config_setting_get_member(entry, "policy");
    if (disable != NULL)
        load_attribute(loader, disable, name, NULL, true);
    if (policy != NULL)
        load_policy_of(loader, policy, name);
}

void load_more(struct loader *loader, const config_setting_t *list)
{
    if (!config_setting_is_list(list))
        loader_complain(loader, list, "more must be a list: more = ( { name = \"…\"; value = \"…\"; } );");
    for (int i = 0; config_setting_is_list(list) && i < config_setting_length(list); i++)
        load_more_entry(loader, config_setting_get_elem(list, (unsigned)i));
}

void load_required(struct loader *loader, const config_setting_t *list)
{
    cleanup_free const char **known = loader_account_names(loader->mapping);

    if (!config_setting_is_aggregate(list) || config_setting_is_group(list)) {
        loader_complain(loader, list, "required must be a list of attribute names: required = [ \"sn\", \"cn\" ];");
        return;
    }
    for (int i = 0; i < config_setting_length(list); i++) {
        const char *name = config_setting_get_string_elem(list, i);
        struct attribute *attribute = name != NULL ? mapping_attribute(loader->mapping, name) : NULL;
        if (attribute != NULL && attribute->account != NULL) {
            attribute->required = true;
            continue;
        }
        bool told = attribute != NULL && attribute->disable == NULL; /* what is wrong with it */
        if (told || (name != NULL && is_locator(loader->mapping, name)))
            continue;
        const char *nearest = name != NULL && attribute == NULL ? str_nearest(name, known) : NULL;
        loader_complain(loader, list, "required: \"%s\" is not in account%s%s%s", name != NULL ? name : "(no text)",
                 nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
}
