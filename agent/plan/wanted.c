#include "plan/wanted.h"

#include "base/str.h"
#include "plan/functions.h"

struct rendering {
    const struct mapping *mapping;
    struct expr_input input;
    bool lenient;
    struct error *error;
};

static int fail_at(const struct rendering *rendering, int line, const char *group, const char *name)
{
    return error_prefix(rendering->error, "%s:%d: %s%s", rendering->mapping->path, line, group, name);
}

/* NULL in *ret_text: absent. */
static int render_locator(const struct rendering *rendering, const struct value *value, const char *group, char **ret_text)
{
    json_t *rendered = NULL, *text = NULL;
    int code = value != NULL ? value_render(value, &rendering->input, &rendered, rendering->error) : 0;

    if (code == 0 && rendered != NULL)
        code = value_to_text(rendered, &text, rendering->error);
    if (code == 0 && json_string_length(text) > 0 && (*ret_text = strdup(json_string_value(text))) == NULL)
        code = error_nomem(rendering->error);
    json_decref(rendered);
    json_decref(text);
    if (code == ERROR_NOMEM || code == 0)
        return code;
    return rendering->lenient ? 0 : fail_at(rendering, value->line, group, rendering->mapping->locator_name);
}

static int render_value(const struct rendering *rendering, const struct value *value, const struct attribute *attribute,
                        const char *group, json_t **ret_value, bool *ret_failed)
{
    json_t *rendered = NULL;
    int code = value_render(value, &rendering->input, &rendered, rendering->error);

    *ret_failed = false;
    if (code == 0 && rendering->mapping->directory) {
        json_t *texts = NULL;
        code = value_to_texts(rendered, &texts, rendering->error);
        json_decref(rendered);
        rendered = texts;
    }
    if (code == 0) {
        *ret_value = rendered;
        return 0;
    }
    if (code == ERROR_NOMEM || !rendering->lenient)
        return code == ERROR_NOMEM ? code : fail_at(rendering, value->line, group, attribute->name);
    *ret_failed = true;
    return 0;
}

/* Absent for want of a profile that was never read is not the same as absent. */
static bool is_unknown(const struct rendering *rendering, const struct value *value, const json_t *rendered)
{
    return rendered == NULL && rendering->input.identity->profile == NULL && (value_uses(value) & NAME_BIT(NAME_PROFILE)) != 0;
}

static int render_account(struct rendering *rendering, struct wanted *wanted)
{
    const struct mapping *mapping = rendering->mapping;
    int code = render_locator(rendering, mapping->locator, "account.", &wanted->locator);

    for (size_t i = 0; code == 0 && i < mapping->attribute_count; i++) {
        const struct attribute *attribute = &mapping->attributes[i];
        bool failed = false;
        if (attribute->account == NULL)
            continue;
        code = render_value(rendering, attribute->account, attribute, "account.", &wanted->values[i], &failed);
        if (code == 0)
            wanted->unknown[i] = failed || is_unknown(rendering, attribute->account, wanted->values[i]);
    }
    return code;
}

/* What account.NAME means in `disable` and in requests that find the account. */
json_t *wanted_values(const struct mapping *mapping, const struct wanted *wanted)
{
    json_t *object = json_object();

    for (size_t i = 0; object != NULL && i < mapping->attribute_count; i++)
        if (wanted->values[i] != NULL && json_object_set_nocheck(object, mapping->attributes[i].name, wanted->values[i]) < 0) {
            json_decref(object);
            object = NULL;
        }
    return object;
}

static int overlay(struct rendering *rendering, struct wanted *wanted)
{
    const struct mapping *mapping = rendering->mapping;
    json_t *account = wanted_values(mapping, wanted);

    if (account == NULL)
        return error_nomem(rendering->error);
    rendering->input.account = account;
    rendering->input.locator = wanted->locator;
    rendering->input.locator_name = mapping->locator_name;
    rendering->input.typed = !mapping->directory;
    int code = render_locator(rendering, mapping->disable_locator, "disable.", &wanted->disabled_locator);
    for (size_t i = 0; code == 0 && i < mapping->attribute_count; i++) {
        const struct attribute *attribute = &mapping->attributes[i];
        json_t *value = NULL;
        if (attribute->disable == NULL)
            continue;
        code = render_value(rendering, attribute->disable, attribute, "disable.", &value, &wanted->unknown[i]);
        if (code < 0)
            break;
        json_decref(wanted->values[i]);
        wanted->values[i] = value;
        wanted->overlaid[i] = true;
    }
    json_decref(account);
    return code;
}

int wanted_render(const struct mapping *mapping, const struct identity *identity, struct wall since, bool disabled, bool lenient,
                  struct wanted *ret_wanted, struct error *error)
{
    size_t count = mapping->attribute_count + 1;
    struct wanted wanted = {
        .values = calloc(count, sizeof(*wanted.values)),
        .unknown = calloc(count, sizeof(*wanted.unknown)),
        .overlaid = calloc(count, sizeof(*wanted.overlaid)),
    };
    struct rendering rendering = { mapping, { .identity = identity }, lenient, error };
    int code = 0;

    if (wanted.values == NULL || wanted.unknown == NULL || wanted.overlaid == NULL)
        code = error_nomem(error);
    if (code == 0)
        code = render_account(&rendering, &wanted);
    rendering.input.since = since;
    if (code == 0 && disabled)
        code = overlay(&rendering, &wanted);
    if (code < 0) {
        wanted_clear(mapping, &wanted);
        return code;
    }
    *ret_wanted = wanted;
    return 0;
}

void wanted_clear(const struct mapping *mapping, struct wanted *wanted)
{
    for (size_t i = 0; wanted->values != NULL && i < mapping->attribute_count; i++)
        json_decref(wanted->values[i]);
    free(wanted->values);
    free(wanted->unknown);
    free(wanted->overlaid);
    free(wanted->locator);
    free(wanted->disabled_locator);
    *wanted = (struct wanted){ 0 };
}

int wanted_locator(const struct mapping *mapping, const struct identity *identity, char **ret_locator, struct error *error)
{
    struct rendering rendering = { mapping, { .identity = identity }, true, error };
    char *locator = NULL;
    int code = render_locator(&rendering, mapping->locator, "account.", &locator);

    if (code == 0)
        *ret_locator = locator;
    return code;
}
