#include "base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/str.h"

/* What is being parsed, for messages and for relative paths. */
struct place {
    const char *file;           /* NULL: a default's */
    int line;
    const char *include_folder; /* what `file` is relative to; NULL: to where the process is */
    const char *where;
    unsigned flags;
    struct problems *problems;
};

/* The file that was read first; NULL: none was. libconfig 1.7 ends the list with NULL instead of counting it. */
static const char *first_file(const config_t *config)
{
#if LIBCONFIG_VER_MAJOR > 1 || LIBCONFIG_VER_MINOR >= 7
    return config != NULL && config->filenames != NULL ? config->filenames[0] : NULL;
#else
    return config != NULL && config->num_filenames > 0 ? config->filenames[0] : NULL;
#endif
}

const char *setting_file(const config_setting_t *setting)
{
    if (setting == NULL)
        return "";
    if (setting->file != NULL)
        return setting->file;
    /* the root has no place of its own: it is the file that was read */
    const char *first = first_file(setting->config);
    return first != NULL ? first : "";
}

int setting_line(const config_setting_t *setting)
{
    return setting != NULL ? (int)config_setting_source_line(setting) : 0;
}

/* The folder that the file of this setting was included from; NULL for the file that was read first. */
static const char *include_folder(const config_setting_t *setting)
{
    const char *first = first_file(setting->config);

    if (first == NULL || str_equal(setting_file(setting), first))
        return NULL;
    return config_get_include_dir(setting->config);
}

/* ---- words for people ---- */

static const struct {
    const char *name;
    int64_t us;
} duration_names[] = {
    { "day", 86400000000 }, { "hour", 3600000000 }, { "minute", 60000000 }, { "s", 1000000 }, { "ms", 1000 }, { "us", 1 },
};

static const struct {
    const char *name;
    int64_t bytes;
} size_names[] = {
    { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "bytes", 1 },
};

static void add_duration(struct buf *buf, int64_t us)
{
    size_t unit = us == 0 ? 3 : 0;

    while (us % duration_names[unit].us != 0)
        unit++;
    int64_t count = us / duration_names[unit].us;
    bool plural = count != 1 && strlen(duration_names[unit].name) > 2;
    buf_printf(buf, "\"%" PRId64 " %s%s\"", count, duration_names[unit].name, plural ? "s" : "");
}

static void add_size(struct buf *buf, int64_t bytes)
{
    size_t unit = bytes == 0 ? 3 : 0;

    while (bytes % size_names[unit].bytes != 0)
        unit++;
    buf_printf(buf, "\"%" PRId64 " %s\"", bytes / size_names[unit].bytes, size_names[unit].name);
}

static bool row_has_range(const struct option_row *row)
{
    return row->least != 0 || row->most != 0;
}

static void add_range(struct buf *buf, const struct option_row *row)
{
    if (!row_has_range(row))
        return;
    buf_add_str(buf, " from ");
    if (row->type == OPTION_TYPE_DURATION) {
        add_duration(buf, row->least);
        buf_add_str(buf, " to ");
        add_duration(buf, row->most);
    } else if (row->type == OPTION_TYPE_SIZE) {
        add_size(buf, row->least);
        buf_add_str(buf, " to ");
        add_size(buf, row->most);
    } else {
        buf_printf(buf, "%" PRId64 " to %" PRId64, row->least, row->most);
    }
}

static void add_choices(struct buf *buf, const struct option_row *row)
{
    for (size_t i = 0; row->choices[i] != NULL; i++) {
        const char *between = i == 0 ? "" : row->choices[i + 1] == NULL ? " or " : ", ";
        buf_printf(buf, "%s\"%s\"", between, row->choices[i]);
    }
}

#define TYPE_BIT(type) (1u << (type))
#define ANY_TYPE 0xffffu

/* What an option type is called, and the libconfig types it is written in. */
static const struct {
    const char *expected;
    unsigned types;
} type_words[] = {
    [OPTION_TYPE_STRING] = { "text in quotes", TYPE_BIT(CONFIG_TYPE_STRING) },
    [OPTION_TYPE_PATH] = { "a path in quotes", TYPE_BIT(CONFIG_TYPE_STRING) },
    [OPTION_TYPE_SECRET] = { "\"file:PATH\", \"env:NAME\" or \"credential:NAME\"", TYPE_BIT(CONFIG_TYPE_STRING) },
    [OPTION_TYPE_BOOL] = { "true or false", TYPE_BIT(CONFIG_TYPE_BOOL) },
    [OPTION_TYPE_INT] = { "a whole number", TYPE_BIT(CONFIG_TYPE_INT) | TYPE_BIT(CONFIG_TYPE_INT64) },
    [OPTION_TYPE_DURATION] = { "a duration with its unit, such as \"30 s\" or \"10 minutes\",", TYPE_BIT(CONFIG_TYPE_STRING) },
    [OPTION_TYPE_SIZE] = { "a number of bytes or a size such as \"1 MiB\"",
                           TYPE_BIT(CONFIG_TYPE_INT) | TYPE_BIT(CONFIG_TYPE_INT64) | TYPE_BIT(CONFIG_TYPE_STRING) },
    [OPTION_TYPE_CHOICE] = { "one of ", TYPE_BIT(CONFIG_TYPE_STRING) },
    [OPTION_TYPE_STRINGS] = { "a list of texts, [ \"one\", \"two\" ]",
                              TYPE_BIT(CONFIG_TYPE_ARRAY) | TYPE_BIT(CONFIG_TYPE_LIST) | TYPE_BIT(CONFIG_TYPE_STRING) },
    [OPTION_TYPE_GROUP] = { "a group, { name = value; }", TYPE_BIT(CONFIG_TYPE_GROUP) },
    [OPTION_TYPE_ANY] = { "a value", ANY_TYPE },
};

static void add_expected(struct buf *buf, const struct option_row *row)
{
    buf_add_str(buf, type_words[row->type].expected);
    if (row->type == OPTION_TYPE_CHOICE)
        add_choices(buf, row);
    else
        add_range(buf, row);
}

/* A scalar as one would write it; NULL for groups and lists. */
static char *scalar_text(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return str_printf("%lld", config_setting_get_int64(setting));
    case CONFIG_TYPE_FLOAT:
        return str_printf("%g", config_setting_get_float(setting));
    case CONFIG_TYPE_BOOL:
        return strdup(config_setting_get_bool(setting) ? "true" : "false");
    case CONFIG_TYPE_STRING:
        return strdup(config_setting_get_string(setting));
    default:
        return NULL;
    }
}

/* What was seen, short enough for a message; never a secret's text. */
static void add_seen(struct buf *buf, const struct option_row *row, const config_setting_t *setting, const char *text)
{
    int type = setting != NULL ? config_setting_type(setting) : CONFIG_TYPE_STRING;

    if (type == CONFIG_TYPE_GROUP)
        buf_add_str(buf, "a group");
    else if (type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY)
        buf_add_str(buf, "a list");
    else if (row->type == OPTION_TYPE_SECRET)
        buf_add_str(buf, "something else");
    else if (type == CONFIG_TYPE_STRING)
        buf_printf(buf, "the text \"%.60s\"", text);
    else
        buf_printf(buf, "%s", text);
}

static void report_value(const struct place *place, const struct option_row *row, const config_setting_t *setting, const char *text)
{
    cleanup_buf struct buf expected = { 0 };
    cleanup_buf struct buf seen = { 0 };
    const char *dot = place->where[0] != '\0' ? "." : "";

    add_expected(&expected, row);
    add_seen(&seen, row, setting, text != NULL ? text : "");
    problems_add(place->problems, place->file, place->line, 0, "%s%s%s: %s is expected, not %s", place->where, dot, row->name,
                 expected.bytes, seen.bytes);
}

/* ---- values from text ---- */

static bool text_to_size(const char *text, int64_t *ret_bytes)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    long long count = strtoll(text, &end, 10);
    if (errno != 0)
        return false;
    while (*end == ' ')
        end++;
    if (*end == '\0' || strcmp(end, "B") == 0)
        end = (char *)"bytes";
    for (size_t i = 0; i < sizeof(size_names) / sizeof(size_names[0]); i++)
        if (strcmp(end, size_names[i].name) == 0)
            return !__builtin_mul_overflow(count, size_names[i].bytes, ret_bytes);
    return false;
}

static bool text_to_number(const struct option_row *row, const char *text, int64_t *ret_value)
{
    long long value = 0;
    int64_t bytes = 0;
    bool good;

    if (row->type == OPTION_TYPE_SIZE) {
        good = text_to_size(text, &bytes);
        value = bytes;
    } else if (row->type == OPTION_TYPE_DURATION) {
        good = str_to_duration_us(text, &value);
    } else {
        good = str_to_int64(text, &value);
    }
    if (!good || (row_has_range(row) && (value < row->least || value > row->most)))
        return false;
    *ret_value = value;
    return true;
}

static bool text_to_choice(const struct option_row *row, const char *text, int *ret_index)
{
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* `path` as seen from the folder of the file that names it; an included file
 * is itself named relative to the include folder. */
static char *path_beside(const struct place *place, const char *path)
{
    const char *slash = place->file != NULL ? strrchr(place->file, '/') : NULL;
    const char *folder = place->file != NULL && place->file[0] != '/' ? place->include_folder : NULL;

    if (path[0] == '/' || path[0] == '\0' || place->file == NULL)
        return strdup(path);
    return str_printf("%s%s%.*s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "",
                      slash != NULL ? (int)(slash - place->file) + 1 : 0, place->file, path);
}

static void set_text(char **slot, char *text)
{
    if (text == NULL)
        abort(); /* only at start-up and reload: half a configuration would be worse */
    free(*slot);
    *slot = text;
}

static bool secret_has_form(const char *reference)
{
    return str_starts(reference, "file:") || str_starts(reference, "env:") || str_starts(reference, "credential:");
}

static void set_secret(const struct place *place, const struct option_row *row, const char *reference, char **slot)
{
    struct error error = { 0 };
    cleanup_free char *path = path_beside(place, str_starts(reference, "file:") ? reference + 5 : "");
    cleanup_free char *beside = str_printf("file:%s", path != NULL ? path : "");
    char *secret = NULL;
    const char *dot = place->where[0] != '\0' ? "." : "";

    if (reference[0] == '\0' && (row->flags & OPTION_REQUIRED) == 0)
        return;
    if ((place->flags & OPTIONS_NO_SECRETS) != 0 && secret_has_form(reference))
        return;
    if (secret_read(str_starts(reference, "file:") && beside != NULL ? beside : reference, &secret, &error) < 0) {
        problems_add(place->problems, place->file, place->line, 0, "%s%s%s: %s", place->where, dot, row->name, error.text);
        return;
    }
    secret_free(*slot);
    *slot = secret;
}

/* Puts the value that `text` writes into the struct; false: not such a value. */
static bool set_value(const struct place *place, const struct option_row *row, const char *text, void *target)
{
    void *slot = (char *)target + row->offset;

    switch (row->type) {
    case OPTION_TYPE_STRING:
        if (text[0] == '\0' && (row->flags & OPTION_REQUIRED) != 0)
            return false;
        set_text(slot, strdup(text));
        return true;
    case OPTION_TYPE_PATH:
        if (text[0] == '\0')
            return false;
        set_text(slot, path_beside(place, text));
        return true;
    case OPTION_TYPE_SECRET:
        set_secret(place, row, text, slot);
        return true;
    case OPTION_TYPE_BOOL:
        *(bool *)slot = strcmp(text, "true") == 0;
        return true;
    case OPTION_TYPE_CHOICE:
        return text_to_choice(row, text, slot);
    default:
        return text_to_number(row, text, slot);
    }
}

static bool set_strings(const config_setting_t *setting, char ***slot)
{
    size_t count = config_setting_is_aggregate(setting) ? (size_t)config_setting_length(setting) : 1;
    char **list = calloc(count + 1, sizeof(*list));

    for (size_t i = 0; list != NULL && i < count; i++) {
        const char *text = config_setting_is_aggregate(setting) ? config_setting_get_string_elem(setting, (int)i)
                                                                : config_setting_get_string(setting);
        if (text == NULL || *text == '\0') {
            for (size_t done = 0; done < i; done++)
                free(list[done]);
            free(list);
            return false;
        }
        set_text(&list[i], strdup(text));
    }
    if (list == NULL)
        abort();
    *slot = list;
    return true;
}

static void take_setting(const struct place *parent, const struct option_row *row, const config_setting_t *setting, void *target)
{
    struct place place = *parent;
    bool good = (type_words[row->type].types & TYPE_BIT(config_setting_type(setting))) != 0;
    cleanup_free char *text = scalar_text(setting);

    place.file = setting_file(setting);
    place.line = setting_line(setting);
    place.include_folder = include_folder(setting);
    if (good && (row->type == OPTION_TYPE_GROUP || row->type == OPTION_TYPE_ANY))
        *(const config_setting_t **)(void *)((char *)target + row->offset) = setting;
    else if (good && row->type == OPTION_TYPE_STRINGS)
        good = set_strings(setting, (char ***)(void *)((char *)target + row->offset));
    else if (good && text != NULL)
        good = set_value(&place, row, text, target);
    if (!good)
        report_value(&place, row, setting, text);
    if (text != NULL && row->type == OPTION_TYPE_SECRET)
        explicit_bzero(text, strlen(text));
}

/* ---- tables ---- */

static const struct option_row *find_row(const struct option_row *rows, const char *name)
{
    for (; rows->type != OPTION_TYPE_END; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows;
    return NULL;
}

static void report_unknown(const struct place *place, const struct option_row *rows, const config_setting_t *setting)
{
    const char *names[128];
    size_t count = 0;
    cleanup_buf struct buf right = { 0 };

    for (; rows->type != OPTION_TYPE_END && count < 127; rows++)
        names[count++] = rows->name;
    names[count] = NULL;
    const char *nearest = str_nearest(config_setting_name(setting), names);
    if (nearest != NULL) {
        buf_printf(&right, "did you mean \"%s\"?", nearest);
    } else {
        buf_add_str(&right, "known here:");
        for (size_t i = 0; i < count; i++)
            buf_printf(&right, "%s %s", i == 0 ? "" : ",", names[i]);
    }
    problems_add(place->problems, setting_file(setting), setting_line(setting), 0, "%s%s: unknown option \"%s\"; %s",
                 place->where[0] != '\0' ? "in " : "", place->where[0] != '\0' ? place->where : "at the top level",
                 config_setting_name(setting), right.bytes);
}

static void take_default(const struct place *place, const struct option_row *row, void *target)
{
    const char *dot = place->where[0] != '\0' ? "." : "";
    struct place at_default = *place;

    at_default.file = NULL; /* a default path is not relative to the file */
    if ((row->flags & OPTION_REQUIRED) != 0) {
        cleanup_buf struct buf expected = { 0 };
        add_expected(&expected, row);
        problems_add(place->problems, place->file, place->line, 0, "%s%s%s is missing: %s (%s)", place->where, dot, row->name,
                     expected.bytes, row->help);
    } else if (row->fallback != NULL && !set_value(&at_default, row, row->fallback, target)) {
        report_value(place, row, NULL, row->fallback);
    }
}

void options_parse_with(const struct option_row *rows, const config_setting_t *group, const char *where, void *target, unsigned flags,
                        struct problems *problems)
{
    const char *file = setting_file(group);
    struct place place = {
        .file = *file != '\0' ? file : NULL, .line = setting_line(group), .where = where != NULL ? where : "",
        .flags = flags, .problems = problems,
    };
    int count = group != NULL ? config_setting_length(group) : 0;

    for (const struct option_row *row = rows; row->type != OPTION_TYPE_END; row++) {
        const config_setting_t *setting = group != NULL ? config_setting_get_member(group, row->name) : NULL;
        if (setting != NULL)
            take_setting(&place, row, setting, target);
        else
            take_default(&place, row, target);
    }
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        if (find_row(rows, config_setting_name(setting)) == NULL)
            report_unknown(&place, rows, setting);
    }
}

void options_parse(const struct option_row *rows, const config_setting_t *group, const char *where, void *target,
                   struct problems *problems)
{
    options_parse_with(rows, group, where, target, 0, problems);
}

static void free_strings(char ***slot)
{
    for (char **text = *slot; text != NULL && *text != NULL; text++)
        free(*text);
    free(*slot);
    *slot = NULL;
}

void options_free(const struct option_row *rows, void *target)
{
    for (; rows->type != OPTION_TYPE_END; rows++) {
        void *slot = (char *)target + rows->offset;
        switch (rows->type) {
        case OPTION_TYPE_STRING:
        case OPTION_TYPE_PATH:
            free(*(char **)slot);
            *(char **)slot = NULL;
            break;
        case OPTION_TYPE_SECRET:
            secret_free(*(char **)slot);
            *(char **)slot = NULL;
            break;
        case OPTION_TYPE_STRINGS:
            free_strings(slot);
            break;
        default:
            break;
        }
    }
}

/* ---- the man page ---- */

/* Text as man(7) source: a backslash and a leading dot or quote mean themselves, quotes are plain. */
static void print_man_text(const char *text, FILE *stream)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stream);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stream);
        else if (*text == '-')
            fputs("\\-", stream);
        else if (str_starts(text, "…"))
            text += strlen("…") - 1, fputs("...", stream);
        else
            fputc(*text, stream);
    }
}

void options_print_man(const struct option_row *rows, FILE *stream)
{
    for (; rows->type != OPTION_TYPE_END; rows++) {
        cleanup_buf struct buf expected = { 0 };
        add_expected(&expected, rows);
        size_t length = expected.length;
        if (length > 0 && expected.bytes[length - 1] == ',')
            expected.bytes[length - 1] = '\0';
        fputs(".TP\n.B ", stream);
        print_man_text(rows->name, stream);
        fputc('\n', stream);
        print_man_text(rows->help, stream);
        fputs(".\n", stream);
        print_man_text("Given as ", stream);
        print_man_text(expected.bytes != NULL ? expected.bytes : "", stream);
        if ((rows->flags & OPTION_REQUIRED) != 0)
            fputs("; required", stream);
        if (rows->fallback != NULL) {
            fputs("; default ", stream);
            fputs(rows->fallback[0] == '\0' ? "none" : "", stream);
            print_man_text(rows->fallback, stream);
        }
        fputs(".\n", stream);
    }
}
