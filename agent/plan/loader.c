/* What the parts of the mapping loader share: telling mistakes. */
#include "plan/loader.h"

#include "base/settings.h"
#include "base/str.h"
#include "plan/source_text.h"

void loader_complain(struct loader *loader, const config_setting_t *setting, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    problems_add(loader->problems, setting != NULL ? setting_file(setting) : loader->mapping->path,
                 setting != NULL ? setting_line(setting) : 0, 0, "%s", text.bytes != NULL ? text.bytes : "");
}

void loader_unknown_key(struct loader *loader, const config_setting_t *setting, const char *const *known)
{
    const char *name = config_setting_name(setting);
    const char *nearest = str_nearest(name, known);
    struct buf list = { 0 };

    for (size_t i = 0; known[i] != NULL; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    if (nearest != NULL)
        loader_complain(loader, setting, "unknown name \"%s\"; did you mean \"%s\"?", name, nearest);
    else
        loader_complain(loader, setting, "unknown name \"%s\"; possible are %s", name, list.bytes != NULL ? list.bytes : "none");
    buf_free(&list);
}

#define QUOTE_BYTES 60

/* A mistake inside a string: with the column where it can be found. */
void loader_complain_text(struct loader *loader, const config_setting_t *setting, const char *where, const char *text,
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

const char *loader_text(struct loader *loader, const config_setting_t *setting, const char *where)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return config_setting_get_string(setting);
    loader_complain(loader, setting, "%s must be text in double quotes", where);
    return NULL;
}

unsigned loader_names(const struct mapping *mapping)
{
    return mapping->kind == IDENTITY_GROUP ? NAMES_GROUP : NAMES_USER;
}

const char **loader_account_names(const struct mapping *mapping)
{
    const char **names = calloc(mapping->attribute_count + 2, sizeof(*names));

    if (names == NULL)
        abort();
    for (size_t i = 0; i < mapping->attribute_count; i++)
        names[i] = mapping->attributes[i].name;
    names[mapping->attribute_count] = mapping->locator_name;
    return names;
}
