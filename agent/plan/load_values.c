/* The right-hand sides of a mapping file → struct value. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/settings.h"
#include "base/str.h"
#include "plan/loader.h"

#define VALUE_DEPTH_MOST 8
#define GROUP_DEPTH_MOST 16

enum escape place_escape(const struct mapping *mapping, const char *name)
{
    const struct connector_place *place = mapping->ops != NULL ? mapping->ops->places : NULL;

    for (; place != NULL && place->name != NULL; place++)
        if ((mapping->directory ? strcasecmp : strcmp)(place->name, name) == 0)
            return place->escape;
    return ESCAPE_NONE;
}


struct value *value_make(enum value_kind kind, const config_setting_t *setting, const struct value_context *context)
{
    struct value *value = calloc(1, sizeof(*value));

    if (value == NULL)
        abort(); /* loading may end the process */
    value->kind = kind;
    value->line = setting_line(setting);
    value->complete = context->in_place;
    return value;
}

int value_compile_text(struct mapping *mapping, const char *text, const struct value_context *context,
                       struct template **ret_template, struct expr_error *error)
{
    struct template *template = NULL;
    int code = template_compile(text, context->names, context->escape, mapping->locator_name, &template, error);

    if (code == 0 && context->account_names != NULL)
        code = template_check_account(template, context->account_names, error);
    if (code < 0) {
        template_free(template);
        return code;
    }
    mapping->uses |= template_uses(template);
    *ret_template = template;
    return 0;
}

static struct value *compile_template(struct loader *loader, const config_setting_t *setting, struct value_context context)
{
    struct expr_error error = { 0 };
    struct value *value = value_make(VALUE_TEMPLATE, setting, &context);
    const char *text = config_setting_get_string(setting);

    if (value_compile_text(loader->mapping, text, &context, &value->template, &error) < 0) {
        loader_complain_text(loader, setting, context.where, text, &error);
        value_free(value);
        return NULL;
    }
    return value;
}

static struct value *compile_constant(const config_setting_t *setting, const struct value_context *context, json_t *constant)
{
    struct value *value = value_make(VALUE_CONSTANT, setting, context);

    value->constant = constant;
    return value;
}

struct value_context value_context_within(const struct value_context *context, const char *name)
{
    struct value_context within = *context;
    const struct connector_group *group = context->group;
    size_t document = group->file_member != NULL ? strlen(group->file_member) : 0;

    if (context->in_place)
        return within;
    for (const struct connector_place *place = group->places; place != NULL && place->name != NULL; place++) {
        bool named = context->in_document ? strncmp(place->name, group->file_member, document) == 0 &&
                                                place->name[document] == '.' && strcmp(place->name + document + 1, name) == 0
                                          : strcmp(place->name, name) == 0;
        if (!named)
            continue;
        within.in_place = true;
        within.escape = place->escape;
        return within;
    }
    within.in_document = context->in_document || (document > 0 && strcmp(group->file_member, name) == 0);
    return within;
}

/* One member or entry; in a connector's group its place depends on its name. */
static struct value *compile_item(struct loader *loader, const config_setting_t *item, struct value_context context)
{
    const char *name = config_setting_name(item);
    cleanup_free char *where = NULL;

    if (context.group == NULL || name == NULL)
        return value_compile(loader, item, context);
    struct value_context within = value_context_within(&context, name);
    where = str_printf("%s.%s", context.where, name);
    within.where = where != NULL ? where : name;
    if (within.in_document && !context.in_document && document_is_file(item))
        return document_compile(loader, item, within);
    return value_compile(loader, item, within);
}

static struct value *compile_items(struct loader *loader, const config_setting_t *setting, struct value_context context)
{
    bool group = config_setting_is_group(setting);
    struct value *value = value_make(group ? VALUE_OBJECT : VALUE_LIST, setting, &context);
    size_t most = (size_t)config_setting_length(setting);

    context.depth++;
    if ((group && loader->mapping->directory) || context.depth > (context.group != NULL ? GROUP_DEPTH_MOST : VALUE_DEPTH_MOST))
        loader_complain(loader, setting, "%s: %s", context.where,
                 group ? "a directory's attribute is text or a list of texts, not a group" : "nested too deeply");
    else {
        value->items = calloc(most + 1, sizeof(*value->items));
        value->names = group ? calloc(most + 1, sizeof(*value->names)) : NULL;
    }
    for (unsigned i = 0; value->items != NULL && i < most; i++) {
        const config_setting_t *item = config_setting_get_elem(setting, i);
        struct value *compiled = compile_item(loader, item, context);
        if (compiled == NULL)
            continue;
        if (group)
            value->names[value->count] = strdup(config_setting_name(item));
        value->items[value->count++] = compiled;
    }
    return value;
}

struct value *value_compile(struct loader *loader, const config_setting_t *setting, struct value_context context)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return compile_template(loader, setting, context);
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return compile_constant(setting, &context, json_integer(config_setting_get_int64(setting)));
    case CONFIG_TYPE_FLOAT:
        return compile_constant(setting, &context, json_real(config_setting_get_float(setting)));
    case CONFIG_TYPE_BOOL:
        return compile_constant(setting, &context, json_boolean(config_setting_get_bool(setting)));
    default:
        return compile_items(loader, setting, context);
    }
}
