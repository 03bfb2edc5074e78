#include "base/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

#define SETTINGS_BYTES_MAX (16u << 20)
#define SETTINGS_RESERVE_BYTES (32 << 20) /* more than a large file takes */
#define INCLUDE_DEPTH_MAX 10 /* libconfig's own bound */

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Can it be read as a file? Says why not, at the place that names it. */
static bool is_readable(const char *path, const char *file, int line, struct problems *problems)
{
    struct stat status;

    if (stat(path, &status) < 0)
        problems_add(problems, file, line, 0, "%s%s cannot be read: %s", line > 0 ? "the included file " : "",
                     line > 0 ? path : "the file", strerror(errno));
    else if (!S_ISREG(status.st_mode))
        problems_add(problems, file, line, 0, "%s is %s; name a file", line > 0 ? path : "this",
                     S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
    else
        return true;
    return false;
}

/* The name in `@include "name"` at the start of this line, or NULL; the caller frees. */
static char *included_name(const char *line)
{
    line += strspn(line, " \t");
    if (!str_starts(line, "@include"))
        return NULL;
    line += strlen("@include");
    line += strspn(line, " \t");
    const char *end = *line == '"' ? strchr(line + 1, '"') : NULL;
    return end != NULL ? strndup(line + 1, (size_t)(end - line - 1)) : NULL;
}

/* False: nested too deeply, and nothing more is read: what includes itself six times would be read six to the tenth times. */
static bool check_file(const char *path, const char *shown, const char *folder, int depth, struct problems *problems);

static bool check_include(const char *name, const char *file, int line, const char *folder, int depth, struct problems *problems)
{
    if (name[0] == '/') {
        problems_add(problems, file, line, 0, "\"%s\": an included file is named relative to %s", name, folder);
        return true;
    }
    if (depth == INCLUDE_DEPTH_MAX) {
        problems_add(problems, file, line, 0, "\"%s\": included files are nested more than %d deep; does one include itself?", name,
                     INCLUDE_DEPTH_MAX);
        return false;
    }
    cleanup_free char *path = file_join(folder, name);
    return path == NULL || !is_readable(path, file, line, problems) || check_file(path, name, folder, depth + 1, problems);
}

static bool check_file(const char *path, const char *shown, const char *folder, int depth, struct problems *problems)
{
    struct error error = { 0 };
    cleanup_free char *text = NULL;
    size_t bytes = 0;
    bool go_on = true;
    int line = 0;

    if (file_read(path, SETTINGS_BYTES_MAX, &text, &bytes, &error) < 0) {
        problems_add(problems, NULL, 0, 0, "%s", error.text);
        return true;
    }
    if (strlen(text) != bytes) { /* libconfig would read on behind it, and end the process for an include there */
        problems_add(problems, shown, 0, 0, "there is a NUL byte in it, so it is no text; is it another file, or saved as UTF-16?");
        return true;
    }
    for (char *rest = text, *start; go_on && (start = strsep(&rest, "\n")) != NULL;) {
        cleanup_free char *name = included_name(start);
        line++;
        if (name != NULL)
            go_on = check_include(name, shown, line, folder, depth, problems);
    }
    return go_on;
}

/* libconfig does not look whether it got any, and would end the process. */
static bool has_memory(const char *path, struct problems *problems)
{
    void *volatile reserve = malloc(SETTINGS_RESERVE_BYTES); /* volatile: or the compiler leaves out both lines */

    free(reserve);
    if (reserve == NULL)
        problems_add(problems, path, 0, 0, "not enough memory to read it: give the process %d MiB more", SETTINGS_RESERVE_BYTES >> 20);
    return reserve != NULL;
}

int settings_read(config_t *config, const char *path, struct problems *problems)
{
    size_t before = problems->count;
    cleanup_free char *folder = folder_of(path);

    if (folder == NULL)
        return ERROR_NOMEM;
    if (!is_readable(path, path, 0, problems))
        return ERROR_NOTFOUND;
    check_file(path, path, folder, 0, problems);
    if (problems->count != before)
        return ERROR_SYNTAX;
    if (!has_memory(path, problems))
        return ERROR_NOMEM;
    config_set_include_dir(config, folder);
    if (config_read_file(config, path) == CONFIG_TRUE)
        return 0;
    const char *file = config_error_file(config) != NULL ? config_error_file(config) : path;
    const char *text = config_error_text(config) != NULL ? config_error_text(config) : "cannot be read";
    bool plain = strcmp(text, "syntax error") == 0;
    problems_add(problems, file, config_error_line(config), 0, "%s%s", text,
                 plain ? "; often a \";\", a quote or a bracket is missing here or just before" : "");
    return ERROR_SYNTAX;
}
