/* The right-hand sides of a mapping file → struct value. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/settings.h"
#include "plan/loader.h"

#define VALUE_DEPTH_MOST 8

enum escape place_escape(const struct mapping *mapping, const char *name)
{
    const struct connector_place *place = mapping->ops != NULL ? mapping->ops->places : NULL;

    for (; place != NULL && place->name != NULL; place++)
        if ((mapping->directory ? strcasecmp : strcmp)(place->name, name) == 0)
            return place->escape;
    return ESCAPE_NONE;
}


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
        loader_complain_text(loader, setting, context.where, text, &error);
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
        loader_complain(loader, setting, "%s: %s", context.where,
                 group ? "a directory's attribute is text or a list of texts, not a group" : "nested too deeply");
    else {
        value->items = calloc(most + 1, sizeof(*value->items));
        value->names = group ? calloc(most + 1, sizeof(*value->names)) : NULL;
    }
    for (unsigned i = 0; value->items != NULL && i < most; i++) {
        const config_setting_t *item = config_setting_get_elem(setting, i);
        struct value *compiled = value_compile(loader, item, context);
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
        return compile_constant(setting, json_integer(config_setting_get_int64(setting)));
    case CONFIG_TYPE_FLOAT:
        return compile_constant(setting, json_real(config_setting_get_float(setting)));
    case CONFIG_TYPE_BOOL:
        return compile_constant(setting, json_boolean(config_setting_get_bool(setting)));
    default:
        return compile_items(loader, setting, context);
    }
}
