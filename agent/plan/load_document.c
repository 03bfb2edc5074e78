/* A JSON file beside the mapping file, whose texts are templates. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"
#include "plan/loader.h"
#include "plan/source_text.h"

#define SCHEME "file:"
#define DOCUMENT_BYTES_MOST ((size_t)1 << 20)
#define DOCUMENT_DEPTH_MOST 32

DEFINE_CLEANUP(json_t, json_decref);

struct document {
    struct loader *loader;
    const config_setting_t *setting;
    char *path;
    char *text;
    unsigned depth;
};

bool document_is_file(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_STRING && str_starts(config_setting_get_string(setting), SCHEME);
}

static struct value *compile_json(struct document *document, json_t *json, struct value_context context);

static struct value *compile_text(struct document *document, const char *text, struct value_context context)
{
    struct value *value = value_make(VALUE_TEMPLATE, document->setting, &context);
    struct expr_error error = { 0 };
    int line = 0, column = 0;

    if (value_compile_text(document->loader->mapping, text, &context, &value->template, &error) == 0)
        return value;
    source_text_find_anywhere(document->text, text, error.offset, &line, &column);
    problems_add(document->loader->problems, document->path, line, column, "%s: %s", context.where, error.text);
    value_free(value);
    return NULL;
}

static void add_item(struct document *document, struct value *whole, const char *name, json_t *json, struct value_context context)
{
    cleanup_free char *where = NULL;

    if (name != NULL) {
        context = value_context_within(&context, name);
        where = str_printf("%s.%s", context.where, name);
        context.where = where != NULL ? where : name;
    }
    struct value *item = compile_json(document, json, context);
    if (item == NULL)
        return;
    if (whole->names != NULL)
        whole->names[whole->count] = strdup(name);
    whole->items[whole->count++] = item;
}

static struct value *compile_whole(struct document *document, json_t *json, struct value_context context)
{
    bool object = json_is_object(json);
    struct value *whole = value_make(object ? VALUE_OBJECT : VALUE_LIST, document->setting, &context);
    const char *name;
    json_t *item;

    if (++document->depth > DOCUMENT_DEPTH_MOST) {
        problems_add(document->loader->problems, document->path, 0, 0, "%s: nested too deeply", context.where);
        document->depth--;
        return whole;
    }
    whole->items = calloc(json_object_size(json) + json_array_size(json) + 1, sizeof(*whole->items));
    whole->names = object ? calloc(json_object_size(json) + 1, sizeof(*whole->names)) : NULL;
    if (whole->items == NULL || (object && whole->names == NULL))
        abort();
    json_object_foreach(json, name, item)
        add_item(document, whole, name, item, context);
    for (size_t i = 0; i < json_array_size(json); i++)
        add_item(document, whole, NULL, json_array_get(json, i), context);
    document->depth--;
    return whole;
}

static struct value *compile_json(struct document *document, json_t *json, struct value_context context)
{
    if (json_is_string(json))
        return compile_text(document, json_string_value(json), context);
    if (json_is_object(json) || json_is_array(json))
        return compile_whole(document, json, context);
    struct value *value = value_make(VALUE_CONSTANT, document->setting, &context);
    value->constant = json_incref(json);
    return value;
}

/* Beside the mapping file, or below. */
static bool is_near(const char *name)
{
    bool climbs = strcmp(name, "..") == 0 || str_starts(name, "../") || strstr(name, "/../") != NULL || str_ends(name, "/..");

    return name[0] != '\0' && name[0] != '/' && !climbs;
}

static json_t *read_document(struct document *document, const char *where)
{
    struct error error = { 0 };
    json_error_t mistake;
    size_t length;

    if (file_read(document->path, DOCUMENT_BYTES_MOST, &document->text, &length, &error) < 0) {
        loader_complain(document->loader, document->setting, "%s: %s", where, error.text);
        return NULL;
    }
    document->loader->mapping->version = str_hash(document->loader->mapping->version, document->text, length);
    json_t *json = json_loadb(document->text, length, JSON_REJECT_DUPLICATES, &mistake);
    if (json == NULL)
        problems_add(document->loader->problems, document->path, mistake.line, mistake.column, "not JSON: %s", mistake.text);
    return json;
}

struct value *document_compile(struct loader *loader, const config_setting_t *setting, struct value_context context)
{
    const char *name = config_setting_get_string(setting) + strlen(SCHEME);
    const char *own = loader->mapping->path, *slash = strrchr(own, '/');
    cleanup_free char *folder = slash != NULL ? strndup(own, (size_t)(slash - own)) : strdup(".");
    cleanup_free char *path = folder != NULL ? file_join(folder, name) : NULL;
    struct document document = { .loader = loader, .setting = setting, .path = path };

    if (path == NULL)
        abort();
    if (!is_near(name)) {
        loader_complain(loader, setting, "%s: \"%s\" is no file beside the mapping file; write it like \"file:employee.json\"",
                        context.where, config_setting_get_string(setting));
        return NULL;
    }
    cleanup_of(json_decref) json_t *json = read_document(&document, context.where);
    struct value *value = json != NULL ? compile_json(&document, json, context) : NULL;
    free(document.text);
    return value;
}
