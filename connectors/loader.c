#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "connectors/connector.h"

#ifndef PKGLIBDIR
#define PKGLIBDIR "/usr/lib/provost"
#endif

#define MODULE_SUFFIX ".so"
#define KNOWN_MOST 64

static bool name_is_plain(const char *name)
{
    return name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

/* The names of the modules in a directory, NULL-terminated in `names`. */
static size_t list_modules(const char *directory, char *names[KNOWN_MOST + 1])
{
    size_t count = 0;
    DIR *stream = opendir(directory);
    struct dirent *entry;

    while (stream != NULL && count < KNOWN_MOST && (entry = readdir(stream)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (!str_ends(entry->d_name, MODULE_SUFFIX) || length <= strlen(MODULE_SUFFIX))
            continue;
        char *name = strndup(entry->d_name, length - strlen(MODULE_SUFFIX));
        if (name != NULL)
            names[count++] = name;
    }
    if (stream != NULL)
        closedir(stream);
    names[count] = NULL;
    return count;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int not_found(const char *name, const char *directory, struct error *error)
{
    char *names[KNOWN_MOST + 1];
    size_t count = list_modules(directory, names);
    cleanup_buf struct buf known = { 0 };
    const char *nearest = str_nearest(name, (const char *const *)names);

    qsort(names, count, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < count; i++)
        buf_printf(&known, "%s%s", i == 0 ? "" : ", ", names[i]);
    int code = nearest != NULL ? error_set(error, ERROR_NOTFOUND, "there is no connector \"%s\" in %s; did you mean \"%s\"?", name,
                                           directory, nearest)
               : count != 0    ? error_set(error, ERROR_NOTFOUND, "there is no connector \"%s\" in %s; there are: %s", name, directory,
                                           known.bytes)
                               : error_set(error, ERROR_NOTFOUND, "there is no connector \"%s\" in %s, nor any other; is this the folder "
                                           "of the connectors (option \"connectors\", PROVOST_CONNECTORS)?", name, directory);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    return code;
}

/* What is wrong with the module, or 0. */
static int inspect(const struct connector_ops *ops, const char *name, const char *path, struct error *error)
{
    if (ops == NULL)
        return error_set(error, ERROR_INVALID, "%s is no connector: it has no symbol \"%s\"", path, CONNECTOR_SYMBOL);
    if (ops->abi != CONNECTOR_ABI)
        return error_set(error, ERROR_VERSION, "%s was built for version %u of the connector interface, this agent has version %u; "
                         "build it against this agent's headers", path, (unsigned)ops->abi, CONNECTOR_ABI);
    if (!str_equal(ops->name, name))
        return error_set(error, ERROR_INVALID, "%s calls itself \"%s\"; the file of a connector has its name", path,
                         ops->name != NULL ? ops->name : "");
    if (ops->open == NULL || ops->close == NULL || ops->probe == NULL || ops->read == NULL || ops->apply == NULL || ops->options == NULL)
        return error_set(error, ERROR_INVALID, "%s is incomplete: options, open, close, probe, read and apply are required", path);
    return 0;
}

int connector_load(const char *name, const char *directory, const struct connector_ops **ret_ops, struct error *error)
{
    const char *environment = getenv("PROVOST_CONNECTORS");

    if (directory == NULL || *directory == '\0')
        directory = environment != NULL && *environment != '\0' ? environment : PKGLIBDIR;
    if (!name_is_plain(name))
        return error_set(error, ERROR_INVALID, "\"%s\" is no connector's name: small letters, digits, \"_\" and \"-\" make one", name);
    cleanup_free char *path = str_printf("%s/%s%s", directory, name, MODULE_SUFFIX);
    if (path == NULL)
        return error_nomem(error);
    if (access(path, F_OK) < 0)
        return not_found(name, directory, error);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        return error_set(error, ERROR_INVALID, "the connector \"%s\" cannot be loaded: %s", name, dlerror());
    const struct connector_ops *ops = dlsym(module, CONNECTOR_SYMBOL);
    int code = inspect(ops, name, path, error);
    if (code < 0) {
        dlclose(module);
        return code;
    }
    *ret_ops = ops; /* the module stays loaded: its ops live as long as the process */
    return 0;
}
