/* What the first joiner and the first leaver of a directory's mapping would need. */
#include "base/str.h"
#include "plan/mapping.h"

#include <strings.h>

#define NOBODY "provostctl-check"

static void rehearse_match(const struct mapping *mapping, char **match)
{
    for (size_t i = 0, count = 0; i < mapping->match_count; i++) {
        const struct value *value = mapping->match[i];
        if (value->kind == VALUE_TEMPLATE && (match[count] = template_sample(value->template, NOBODY)) != NULL)
            count++;
    }
}

/* What a list of constants says; what is made of somebody's facts is not known beforehand. */
static void rehearse_classes(const struct mapping *mapping, struct plan_rehearsal *rehearsal)
{
    const struct attribute *attribute = mapping_attribute(mapping, "objectClass");
    const struct value *value = attribute != NULL ? attribute->account : NULL;
    size_t count = 0;

    if (value == NULL || value_uses(value) != 0 ||
        value_render(value, &(struct expr_input){ 0 }, &rehearsal->classes, NULL) < 0 || rehearsal->classes == NULL)
        return;
    bool list = json_is_array(rehearsal->classes);
    rehearsal->class_names = calloc((list ? json_array_size(rehearsal->classes) : 1) + 1, sizeof(*rehearsal->class_names));
    for (size_t i = 0; rehearsal->class_names != NULL && i < (list ? json_array_size(rehearsal->classes) : 1); i++) {
        const char *name = json_string_value(list ? json_array_get(rehearsal->classes, i) : rehearsal->classes);
        if (name != NULL)
            rehearsal->class_names[count++] = name;
    }
}

static char *naming_attribute(const struct mapping *mapping)
{
    const struct value *locator = mapping->locator;
    const char *text = locator != NULL && locator->kind == VALUE_TEMPLATE ? template_text(locator->template) : "";
    size_t length = strcspn(text, "={");

    return text[length] == '=' ? strndup(text, length) : NULL;
}

static void rehearse_names(const struct mapping *mapping, struct plan_rehearsal *rehearsal)
{
    size_t names = 0, always = 0;

    for (size_t i = 0; i < mapping->attribute_count; i++) {
        const struct attribute *attribute = &mapping->attributes[i];
        rehearsal->names[names++] = attribute->name;
        if (attribute->account != NULL)
            rehearsal->always[always++] = attribute->name;
    }
    if (mapping->members.attribute != NULL)
        rehearsal->names[names++] = rehearsal->always[always++] = mapping->members.attribute;
    if (rehearsal->naming != NULL)
        rehearsal->names[names++] = rehearsal->always[always++] = rehearsal->naming;
}

int plan_rehearse(const struct mapping *mapping, struct plan_rehearsal *ret_rehearsal)
{
    struct plan_rehearsal rehearsal = {
        .match = calloc(mapping->match_count + 1, sizeof(*rehearsal.match)),
        .names = calloc(mapping->attribute_count + 3, sizeof(*rehearsal.names)),
        .always = calloc(mapping->attribute_count + 3, sizeof(*rehearsal.always)),
        .naming = naming_attribute(mapping),
    };
    static const char *const none[] = { NULL };

    if (rehearsal.match == NULL || rehearsal.names == NULL || rehearsal.always == NULL) {
        plan_rehearsal_clear(&rehearsal);
        return ERROR_NOMEM;
    }
    rehearse_match(mapping, rehearsal.match);
    rehearse_names(mapping, &rehearsal);
    rehearse_classes(mapping, &rehearsal);
    rehearsal.rehearsal = (struct connector_rehearsal){
        .places = mapping->places,
        .bases = mapping->bases,
        .match = (const char *const *)rehearsal.match,
        .names = rehearsal.names,
        .always = rehearsal.always,
        .classes = rehearsal.class_names != NULL ? rehearsal.class_names : none,
    };
    *ret_rehearsal = rehearsal;
    ret_rehearsal->directory = mapping->directory ? &ret_rehearsal->rehearsal : NULL;
    return 0;
}

void plan_rehearsal_clear(struct plan_rehearsal *rehearsal)
{
    for (char **filter = rehearsal->match; filter != NULL && *filter != NULL; filter++)
        free(*filter);
    free(rehearsal->match);
    free(rehearsal->names);
    free(rehearsal->always);
    free(rehearsal->naming);
    free(rehearsal->class_names);
    json_decref(rehearsal->classes);
    *rehearsal = (struct plan_rehearsal){ 0 };
}
