/* scope, match, on and members of a mapping file. */
#include "base/settings.h"
#include "base/str.h"
#include "plan/loader.h"

void load_scope(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;
    struct expr_error error = { 0 };
    const char *text = loader_text(loader, setting, "scope");

    mapping->scope_line = setting_line(setting);
    if (text == NULL)
        return;
    if (expr_compile(text, loader_names(mapping), &mapping->scope, &error) < 0)
        loader_complain_text(loader, setting, "scope", text, &error);
    else
        mapping->uses |= expr_uses(mapping->scope);
}

/* Parentheses inside the braces are the expression's own, and those of values are escaped. */
static bool parentheses_match(const struct template *template)
{
    cleanup_free char *sample = template_sample(template, "x");
    int depth = 0;

    if (sample == NULL)
        abort();
    for (const char *c = sample; *c != '\0' && depth >= 0; c++)
        depth += *c == '(' ? 1 : *c == ')' ? -1 : 0;
    return depth == 0;
}

void load_match(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;
    bool one = config_setting_type(setting) == CONFIG_TYPE_STRING;
    size_t most = one ? 1 : (size_t)config_setting_length(setting);
    struct value_context context = {
        .where = "match", .names = loader_names(mapping), .escape = place_escape(mapping, "match"),
    };

    mapping->match = calloc(most + 1, sizeof(*mapping->match));
    for (unsigned i = 0; mapping->match != NULL && i < most; i++) {
        const config_setting_t *item = one ? setting : config_setting_get_elem(setting, i);
        struct value *value = loader_text(loader, item, "match") != NULL ? value_compile(loader, item, context) : NULL;
        if (value == NULL)
            continue;
        if (template_is_constant(value->template))
            loader_complain(loader, item, "match: \"%s\" is the same for everyone; put in what tells people apart, such as {id}",
                            template_text(value->template));
        else if (mapping->directory && !parentheses_match(value->template))
            loader_complain(loader, item,
                            "match: \"%s\" is no filter: its parentheses do not match; right would be \"(employeeNumber={id})\"",
                            template_text(value->template));
        mapping->match[mapping->match_count++] = value;
    }
}

static bool is_leaving(enum on on)
{
    return on == ON_DEACTIVATED || on == ON_DELETED || on == ON_LEFT_SCOPE;
}

static void load_reaction(struct loader *loader, const config_setting_t *setting, enum on on)
{
    struct error error = { 0 };
    char where[32];
    struct reaction reaction;

    snprintf(where, sizeof(where), "on.%s", on_names[on]);
    const char *text = loader_text(loader, setting, where);
    if (text == NULL)
        return;
    if (reaction_parse(text, &reaction, &error) < 0)
        loader_complain(loader, setting, "on.%s: %s", on_names[on], error.text);
    else if (reaction.action == ACTION_PROVISION && is_leaving(on))
        loader_complain(loader, setting, "on.%s: provision would give a leaver an account; to leave it as it is, write \"keep\"",
                 on_names[on]);
    else
        loader->mapping->on[on] = reaction;
}

void load_on(struct loader *loader, const config_setting_t *group)
{
    if (!config_setting_is_group(group)) {
        loader_complain(loader, group, "on must be a group: on: { deactivated = \"disable\"; };");
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        const char *name = config_setting_name(setting);
        int on = 0;
        while (on < ON_COUNT && strcmp(on_names[on], name) != 0)
            on++;
        if (on == ON_COUNT)
            loader_unknown_key(loader, setting, on_names);
        else if (loader->mapping->kind == IDENTITY_GROUP && on != ON_ACTIVATED && on != ON_DELETED && on != ON_LEFT_SCOPE)
            loader_complain(loader, setting, "on.%s never happens to a group; possible are activated, deleted, left_scope", name);
        else
            load_reaction(loader, setting, (enum on)on);
    }
}

static void load_member_value(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;
    struct expr_error error = { 0 };
    const char *text = loader_text(loader, setting, "members.value");

    mapping->members.line = setting_line(setting);
    if (text != NULL && template_compile(text, NAME_BIT(NAME_MEMBER), mapping->members.escape, mapping->locator_name,
                                         &mapping->members.value, &error) < 0)
        loader_complain_text(loader, setting, "members.value", text, &error);
}

void load_members(struct loader *loader, const config_setting_t *group)
{
    static const char *const known[] = { "attribute", "value", "placeholder", "with_first_member", NULL };
    struct mapping *mapping = loader->mapping;
    const char *attribute = NULL, *placeholder = NULL;
    const config_setting_t *value = config_setting_is_group(group) ? config_setting_get_member(group, "value") : NULL;
    int first = 0;

    for (int i = 0; config_setting_is_group(group) && i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        size_t k = 0;
        while (known[k] != NULL && strcmp(known[k], config_setting_name(setting)) != 0)
            k++;
        if (known[k] == NULL)
            loader_unknown_key(loader, setting, known);
    }
    if (value == NULL || !config_setting_lookup_string(group, "attribute", &attribute)) {
        loader_complain(loader, group, "members needs both: members: { attribute = \"member\"; value = \"{member.account.dn}\"; };");
        return;
    }
    mapping->members.attribute = strdup(attribute);
    mapping->members.escape = place_escape(mapping, attribute);
    load_member_value(loader, value);
    config_setting_lookup_string(group, "placeholder", &placeholder);
    mapping->members.placeholder = placeholder != NULL && placeholder[0] != '\0' ? strdup(placeholder) : NULL;
    if (config_setting_get_member(group, "with_first_member") != NULL &&
        !config_setting_lookup_bool(group, "with_first_member", &first))
        loader_complain(loader, config_setting_get_member(group, "with_first_member"), "with_first_member is true or false");
    mapping->members.with_first_member = first != 0;
    if (first != 0 && mapping->members.placeholder != NULL)
        loader_complain(loader, group, "members: placeholder and with_first_member exclude each other; choose one");
}

void load_while_disabled(struct loader *loader, const config_setting_t *setting)
{
    const char *text = loader_text(loader, setting, "while_disabled");

    if (text != NULL && strcmp(text, "keep") != 0 && strcmp(text, "update") != 0)
        loader_complain(loader, setting,
                        "while_disabled \"%s\" is none; \"keep\" leaves a disabled account as it is, \"update\" keeps it up", text);
    loader->mapping->keeps_disabled = text != NULL && strcmp(text, "keep") == 0;
}
