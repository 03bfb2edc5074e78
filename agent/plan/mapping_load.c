/* A mapping file → struct mapping, with every mistake told at once. */
#include "plan/mapping.h"

#include <libconfig.h>
#include <strings.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"
#include "plan/dn.h"
#include "plan/source_text.h"

#define FILE_BYTES_MOST ((size_t)1 << 20)
#define VALUE_DEPTH_MOST 8

struct loader {
    struct mapping *mapping;
    struct problems *problems;
    char *source;      /* the file's text, for columns */
    bool has_disable;
};

static const char *const key_names[] = { "target", "kind",   "scope", "match",   "account", "more",
                                         "policy", "on",     "disable", "members", "required", NULL };
static const char *const policy_names[] = { "force", "once", "merge", NULL };

/* ---- telling mistakes ---- */

static void complain(struct loader *loader, const config_setting_t *setting, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct loader *loader, const config_setting_t *setting, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    problems_add(loader->problems, setting != NULL ? setting_file(setting) : loader->mapping->path,
                 setting != NULL ? setting_line(setting) : 0, 0, "%s", text.bytes != NULL ? text.bytes : "");
}

static void unknown_key(struct loader *loader, const config_setting_t *setting, const char *const *known)
{
    const char *name = config_setting_name(setting);
    const char *nearest = str_nearest(name, known);
    struct buf list = { 0 };

    for (size_t i = 0; known[i] != NULL; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    if (nearest != NULL)
        complain(loader, setting, "unknown name \"%s\"; did you mean \"%s\"?", name, nearest);
    else
        complain(loader, setting, "unknown name \"%s\"; possible are %s", name, list.bytes != NULL ? list.bytes : "none");
    buf_free(&list);
}

#define QUOTE_BYTES 60

/* A mistake inside a string: with the column where it can be found. */
static void complain_text(struct loader *loader, const config_setting_t *setting, const char *where, const char *text,
                          const struct expr_error *error)
{
    int line = setting_line(setting), column = (int)error->offset + 1;
    bool own_file = strcmp(setting_file(setting), loader->mapping->path) == 0;

    if (own_file && loader->source != NULL)
        source_text_find(loader->source, line, text, error->offset, &line, &column);
    bool cut = strlen(text) > QUOTE_BYTES;
    cleanup_free char *shown = strndup(text, QUOTE_BYTES);
    if (shown != NULL)
        str_trim_partial_utf8(shown);
    problems_add(loader->problems, setting_file(setting), line, column, "%s: %s (in \"%s%s\")", where, error->text,
                 shown != NULL ? shown : "", cut ? "…" : "");
}

/* ---- values ---- */

static enum escape place_escape(const struct mapping *mapping, const char *name)
{
    const struct connector_place *place = mapping->ops != NULL ? mapping->ops->places : NULL;

    for (; place != NULL && place->name != NULL; place++)
        if ((mapping->directory ? strcasecmp : strcmp)(place->name, name) == 0)
            return place->escape;
    return ESCAPE_NONE;
}

struct value_context {
    const char *where; /* "account.mail" */
    unsigned names;
    enum escape escape;
    int depth;
};

static struct value *compile_value(struct loader *loader, const config_setting_t *setting, struct value_context context);

static struct value *make_value(enum value_kind kind, const config_setting_t *setting)
{
    struct value *value = calloc(1, sizeof(*value));

    if (value == NULL)
        abort(); /* loading may end the process */
    value->kind = kind;
    value->line = setting_line(setting);
    return value;
}

static struct value *compile_template(struct loader *loader, const config_setting_t *setting, struct value_context context)
{
    struct expr_error error = { 0 };
    struct value *value = make_value(VALUE_TEMPLATE, setting);
    const char *text = config_setting_get_string(setting);

    if (template_compile(text, context.names, context.escape, loader->mapping->locator_name, &value->template, &error) < 0) {
        complain_text(loader, setting, context.where, text, &error);
        value_free(value);
        return NULL;
    }
    loader->mapping->uses |= template_uses(value->template);
    return value;
}

static struct value *compile_constant(const config_setting_t *setting, json_t *constant)
{
    struct value *value = make_value(VALUE_CONSTANT, setting);

    value->constant = constant;
    return value;
}

static struct value *compile_items(struct loader *loader, const config_setting_t *setting, struct value_context context)
{
    bool group = config_setting_is_group(setting);
    struct value *value = make_value(group ? VALUE_OBJECT : VALUE_LIST, setting);
    size_t most = (size_t)config_setting_length(setting);

    context.depth++;
    if ((group && loader->mapping->directory) || context.depth > VALUE_DEPTH_MOST)
        complain(loader, setting, "%s: %s", context.where,
                 group ? "a directory's attribute is text or a list of texts, not a group" : "nested too deeply");
    else {
        value->items = calloc(most + 1, sizeof(*value->items));
        value->names = group ? calloc(most + 1, sizeof(*value->names)) : NULL;
    }
    for (unsigned i = 0; value->items != NULL && i < most; i++) {
        const config_setting_t *item = config_setting_get_elem(setting, i);
        struct value *compiled = compile_value(loader, item, context);
        if (compiled == NULL)
            continue;
        if (group)
            value->names[value->count] = strdup(config_setting_name(item));
        value->items[value->count++] = compiled;
    }
    return value;
}

static struct value *compile_value(struct loader *loader, const config_setting_t *setting, struct value_context context)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return compile_template(loader, setting, context);
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return compile_constant(setting, json_integer(config_setting_get_int64(setting)));
    case CONFIG_TYPE_FLOAT:
        return compile_constant(setting, json_real(config_setting_get_float(setting)));
    case CONFIG_TYPE_BOOL:
        return compile_constant(setting, json_boolean(config_setting_get_bool(setting)));
    default:
        return compile_items(loader, setting, context);
    }
}

static const char *string_of(struct loader *loader, const config_setting_t *setting, const char *where)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return config_setting_get_string(setting);
    complain(loader, setting, "%s must be text in double quotes", where);
    return NULL;
}

static unsigned own_names(const struct mapping *mapping)
{
    return mapping->kind == IDENTITY_GROUP ? NAMES_GROUP : NAMES_USER;
}

/* ---- attributes ---- */

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
        complain(loader, setting, "%s: \"%s\" is no distinguished name, whatever stands in the braces; right would be "
                 "\"uid={id},ou=people,dc=example,dc=org\"", where, template_text(value->template));
}

/* One line of `account` or `disable`. */
static void load_attribute(struct loader *loader, const config_setting_t *setting, const char *name, bool disable)
{
    struct mapping *mapping = loader->mapping;
    char where[128];
    bool locator = is_locator(mapping, name);
    struct value **slot;

    snprintf(where, sizeof(where), "%s.%s", disable ? "disable" : "account", name);
    struct value_context context = {
        .where = where,
        .names = own_names(mapping) | (disable ? NAME_BIT(NAME_ACCOUNT) : 0),
        .escape = place_escape(mapping, name),
    };
    if (locator && config_setting_type(setting) != CONFIG_TYPE_STRING) {
        complain(loader, setting, "%s must be text in double quotes", where);
        return;
    }
    struct attribute *attribute = locator ? NULL : add_attribute(mapping, name);
    slot = locator ? (disable ? &mapping->disable_locator : &mapping->locator)
                   : (disable ? &attribute->disable : &attribute->account);
    if (*slot != NULL) {
        complain(loader, setting, "%s stands here a second time; a name may differ in case from the first", where);
        return;
    }
    *slot = compile_value(loader, setting, context);
    if (locator && mapping->directory && *slot != NULL && template_text((*slot)->template)[0] != '\0')
        check_dn(loader, setting, where, *slot);
}

static void load_attributes(struct loader *loader, const config_setting_t *group, bool disable)
{
    if (!config_setting_is_group(group)) {
        complain(loader, group, "%s must be a group: %s: { … };", disable ? "disable" : "account", disable ? "disable" : "account");
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        load_attribute(loader, setting, config_setting_name(setting), disable);
    }
}

static void load_policy_of(struct loader *loader, const config_setting_t *setting, const char *name)
{
    struct mapping *mapping = loader->mapping;
    const char *text = string_of(loader, setting, name);
    size_t policy = 0;

    while (text != NULL && policy < POLICY_COUNT && strcmp(policy_names[policy], text) != 0)
        policy++;
    if (text == NULL)
        return;
    if (policy == POLICY_COUNT)
        complain(loader, setting, "policy of %s: \"%s\" is none; possible are force, once, merge", name, text);
    else if (is_locator(mapping, name) && policy == POLICY_MERGE)
        complain(loader, setting, "policy of %s: merge has no meaning here; possible are force, once", name);
    else if (is_locator(mapping, name))
        mapping->locator_once = policy == POLICY_ONCE;
    else
        mapping_attribute(mapping, name)->policy = (enum policy)policy;
}

/* Names of the mapping's attributes and its locator, for "did you mean". */
static const char **attribute_names(const struct mapping *mapping)
{
    const char **names = calloc(mapping->attribute_count + 2, sizeof(*names));

    if (names == NULL)
        abort();
    for (size_t i = 0; i < mapping->attribute_count; i++)
        names[i] = mapping->attributes[i].name;
    names[mapping->attribute_count] = mapping->locator_name;
    return names;
}

static void load_policy(struct loader *loader, const config_setting_t *group)
{
    cleanup_free const char **known = attribute_names(loader->mapping);

    if (!config_setting_is_group(group)) {
        complain(loader, group, "policy must be a group: policy: { uid = \"once\"; };");
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        const char *name = config_setting_name(setting);
        if (mapping_attribute(loader->mapping, name) == NULL && !is_locator(loader->mapping, name))
            unknown_key(loader, setting, known);
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
            unknown_key(loader, setting, known);
    }
    const config_setting_t *value = config_setting_is_group(entry) ? config_setting_get_member(entry, "value") : NULL;
    if (value == NULL || !config_setting_lookup_string(entry, "name", &name)) {
        complain(loader, entry, "an entry of more is { name = \"userCertificate;binary\"; value = \"…\"; }");
        return;
    }
    load_attribute(loader, value, name, false);
    const config_setting_t *disable = config_setting_get_member(entry, "disable");
    const config_setting_t *policy = config_setting_get_member(entry, "policy");
    if (disable != NULL)
        load_attribute(loader, disable, name, true);
    if (policy != NULL)
        load_policy_of(loader, policy, name);
}

static void load_more(struct loader *loader, const config_setting_t *list)
{
    if (!config_setting_is_list(list))
        complain(loader, list, "more must be a list: more = ( { name = \"…\"; value = \"…\"; } );");
    for (int i = 0; config_setting_is_list(list) && i < config_setting_length(list); i++)
        load_more_entry(loader, config_setting_get_elem(list, (unsigned)i));
}

static void load_required(struct loader *loader, const config_setting_t *list)
{
    cleanup_free const char **known = attribute_names(loader->mapping);

    if (!config_setting_is_aggregate(list) || config_setting_is_group(list)) {
        complain(loader, list, "required must be a list of attribute names: required = [ \"sn\", \"cn\" ];");
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
        complain(loader, list, "required: \"%s\" is not in account%s%s%s", name != NULL ? name : "(no text)",
                 nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
}

/* ---- scope, match, on, members ---- */

static void load_scope(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;
    struct expr_error error = { 0 };
    const char *text = string_of(loader, setting, "scope");

    mapping->scope_line = setting_line(setting);
    if (text == NULL)
        return;
    if (expr_compile(text, own_names(mapping), &mapping->scope, &error) < 0)
        complain_text(loader, setting, "scope", text, &error);
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

static void load_match(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;
    bool one = config_setting_type(setting) == CONFIG_TYPE_STRING;
    size_t most = one ? 1 : (size_t)config_setting_length(setting);
    struct value_context context = { "match", own_names(mapping), place_escape(mapping, "match"), 0 };

    mapping->match = calloc(most + 1, sizeof(*mapping->match));
    for (unsigned i = 0; mapping->match != NULL && i < most; i++) {
        const config_setting_t *item = one ? setting : config_setting_get_elem(setting, i);
        struct value *value = string_of(loader, item, "match") != NULL ? compile_value(loader, item, context) : NULL;
        if (value == NULL)
            continue;
        if (template_is_constant(value->template))
            complain(loader, item, "match: \"%s\" is the same for everyone; put in what tells people apart, such as {id}",
                     template_text(value->template));
        else if (mapping->directory && !parentheses_match(value->template))
            complain(loader, item, "match: \"%s\" is no filter: its parentheses do not match; right would be \"(employeeNumber={id})\"",
                     template_text(value->template));
        mapping->match[mapping->match_count++] = value;
    }
}

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
    const char *text = string_of(loader, setting, where);
    if (text == NULL)
        return;
    if (reaction_parse(text, &reaction, &error) < 0)
        complain(loader, setting, "on.%s: %s", on_names[on], error.text);
    else if (reaction.action == ACTION_PROVISION && is_leaving(on))
        complain(loader, setting, "on.%s: provision would give a leaver an account; to leave it as it is, write \"keep\"",
                 on_names[on]);
    else
        loader->mapping->on[on] = reaction;
}

static void load_on(struct loader *loader, const config_setting_t *group)
{
    if (!config_setting_is_group(group)) {
        complain(loader, group, "on must be a group: on: { deactivated = \"disable\"; };");
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        const char *name = config_setting_name(setting);
        int on = 0;
        while (on < ON_COUNT && strcmp(on_names[on], name) != 0)
            on++;
        if (on == ON_COUNT)
            unknown_key(loader, setting, on_names);
        else if (loader->mapping->kind == IDENTITY_GROUP && on != ON_ACTIVATED && on != ON_DELETED && on != ON_LEFT_SCOPE)
            complain(loader, setting, "on.%s never happens to a group; possible are activated, deleted, left_scope", name);
        else
            load_reaction(loader, setting, (enum on)on);
    }
}

static void load_member_value(struct loader *loader, const config_setting_t *setting)
{
    struct mapping *mapping = loader->mapping;
    struct expr_error error = { 0 };
    const char *text = string_of(loader, setting, "members.value");

    mapping->members.line = setting_line(setting);
    if (text != NULL && template_compile(text, NAME_BIT(NAME_MEMBER), mapping->members.escape, mapping->locator_name,
                                         &mapping->members.value, &error) < 0)
        complain_text(loader, setting, "members.value", text, &error);
}

static void load_members(struct loader *loader, const config_setting_t *group)
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
            unknown_key(loader, setting, known);
    }
    if (value == NULL || !config_setting_lookup_string(group, "attribute", &attribute)) {
        complain(loader, group, "members needs both: members: { attribute = \"member\"; value = \"{member.account.dn}\"; };");
        return;
    }
    mapping->members.attribute = strdup(attribute);
    mapping->members.escape = place_escape(mapping, attribute);
    load_member_value(loader, value);
    config_setting_lookup_string(group, "placeholder", &placeholder);
    mapping->members.placeholder = placeholder != NULL && placeholder[0] != '\0' ? strdup(placeholder) : NULL;
    if (config_setting_get_member(group, "with_first_member") != NULL &&
        !config_setting_lookup_bool(group, "with_first_member", &first))
        complain(loader, config_setting_get_member(group, "with_first_member"), "with_first_member is true or false");
    mapping->members.with_first_member = first != 0;
    if (first != 0 && mapping->members.placeholder != NULL)
        complain(loader, group, "members: placeholder and with_first_member exclude each other; choose one");
}

/* ---- the whole ---- */

static void load_target(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *setting = config_setting_get_member(root, "target");
    const char *text = setting != NULL ? string_of(loader, setting, "target") : NULL;

    if (setting == NULL)
        complain(loader, NULL, "target is missing; it names a target of provost.conf: target = \"corp-ldap\";");
    loader->mapping->target = strdup(text != NULL ? text : "");
}

static void load_kind(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *setting = config_setting_get_member(root, "kind");
    const char *text = setting != NULL ? string_of(loader, setting, "kind") : NULL;
    const struct connector_ops *ops = loader->mapping->ops;

    if (setting == NULL)
        complain(loader, NULL, "kind is missing; it is \"user\" or \"group\"");
    else if (text != NULL && strcmp(text, "user") != 0 && strcmp(text, "group") != 0)
        complain(loader, setting, "kind \"%s\" is none; it is \"user\" or \"group\"", text);
    loader->mapping->kind = text != NULL && strcmp(text, "group") == 0 ? IDENTITY_GROUP : IDENTITY_USER;
    if (ops != NULL && loader->mapping->kind == IDENTITY_GROUP && (ops->capabilities & CONNECTOR_GROUPS) == 0)
        complain(loader, setting, "the connector \"%s\" has no groups; kind must be \"user\"", ops->name);
    memcpy(loader->mapping->on, default_reactions[loader->mapping->kind], sizeof(loader->mapping->on));
}

/* The parts, in the order in which they build on each other. */
static const struct {
    const char *key;
    void (*load)(struct loader *loader, const config_setting_t *setting);
} parts[] = {
    { "scope", load_scope },       { "match", load_match },   { "more", load_more },       { "policy", load_policy },
    { "required", load_required }, { "on", load_on },         { "members", load_members },
};

static bool wants_disable(const struct mapping *mapping)
{
    for (int i = 0; i < ON_COUNT; i++)
        if (mapping->on[i].action == ACTION_DISABLE)
            return true;
    return false;
}

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

static void check_whole(struct loader *loader, const config_setting_t *root)
{
    struct mapping *mapping = loader->mapping;
    const config_setting_t *account = config_setting_get_member(root, "account");
    const config_setting_t *members = config_setting_get_member(root, "members");

    if (account == NULL)
        complain(loader, NULL, "account is missing; it says what an account looks like: account: { … };");
    else if (mapping->locator_name != NULL && config_setting_is_group(account) &&
             config_setting_get_member(account, mapping->locator_name) == NULL)
        complain(loader, account, "account has no %s; it says where an account stands", mapping->locator_name);
    if (mapping->directory && wants_disable(mapping) && !loader->has_disable)
        complain(loader, config_setting_get_member(root, "on"),
                 "no disable group says how an account is disabled (suspended, deactivated, deleted and left_scope mean \"disable\" "
                 "where `on` does not say otherwise); add disable: { … }; or name other actions in `on`");
    if (members != NULL && mapping->kind == IDENTITY_USER)
        complain(loader, members, "members belongs into a mapping of kind \"group\"");
    if (members != NULL && needs_member(mapping) && mapping->members.placeholder == NULL && !mapping->members.with_first_member)
        complain(loader, members,
                 "groupOfNames cannot be without a member; add placeholder = \"cn=…\"; or with_first_member = true; to members");
}

static void load_root(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *account = config_setting_get_member(root, "account");
    const config_setting_t *disable = config_setting_get_member(root, "disable");

    for (unsigned i = 0; i < (unsigned)config_setting_length(root); i++) {
        const config_setting_t *setting = config_setting_get_elem(root, i);
        size_t k = 0;
        while (key_names[k] != NULL && strcmp(key_names[k], config_setting_name(setting)) != 0)
            k++;
        if (key_names[k] == NULL)
            unknown_key(loader, setting, key_names);
    }
    loader->has_disable = disable != NULL;
    load_target(loader, root);
    load_kind(loader, root);
    if (account != NULL)
        load_attributes(loader, account, false);
    if (disable != NULL)
        load_attributes(loader, disable, true);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const config_setting_t *setting = config_setting_get_member(root, parts[i].key);
        if (setting != NULL)
            parts[i].load(loader, setting);
    }
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
    for (size_t i = 0; i < mapping->attribute_count; i++)
        mapping->names[mapping->name_count++] = mapping->attributes[i].name;
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
    mapping->ops = ops;
    mapping->directory = is_directory(ops);
    mapping->locator_name = ops != NULL ? ops->locator_attribute : NULL;
    struct loader loader = { .mapping = mapping, .problems = problems };
    config_init(&config);
    if (settings_read(&config, path, problems) == 0) {
        file_read(path, FILE_BYTES_MOST, &loader.source, NULL, NULL); /* without it, lines alone are told */
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
