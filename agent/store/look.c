/* A store's file, looked into from beside the agent. */
#include "store/look.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "store/store_private.h"

#define SCHEMA_LEAST 2 /* from then on a lane says whether it is a leaver's */

static int cannot_look(const char *path, int errnum, struct error *error)
{
    if (errnum == ENOENT)
        return error_set(error, ERROR_NOTFOUND, "store %s: it is not there yet", path);
    return error_set(error, error_from_errno(errnum),
                     "store %s cannot be looked into: %s; ask as root, or as the user that provostd runs as",
                     path, strerror(errnum));
}

/* "file:PATH?immutable=1": without a log beside it nobody writes to the file, and SQLite need not create one to read it. */
static char *uri_of(const char *path)
{
    struct buf uri = { 0 };

    buf_add_str(&uri, "file:");
    for (const char *c = path; *c != '\0'; c++)
        buf_printf(&uri, strchr("%?#", *c) != NULL ? "%%%02x" : "%c", (unsigned char)*c);
    buf_add_str(&uri, "?immutable=1");
    return buf_take(&uri);
}

static int open_file(const char *path, struct db *db, struct error *error)
{
    cleanup_free char *log = str_printf("%s-wal", path), *uri = uri_of(path);
    struct stat file;

    if (log == NULL || uri == NULL)
        return error_nomem(error);
    if (stat(path, &file) < 0 || access(path, R_OK) < 0)
        return cannot_look(path, errno, error);
    bool alone = stat(log, &file) < 0 && errno == ENOENT;
    int result = sqlite3_open_v2(alone ? uri : path, &db->handle,
                                 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (alone ? SQLITE_OPEN_URI : 0),
                                 NULL);
    if (result != SQLITE_OK)
        return db_error(db, result, "looking into it", error);
    sqlite3_busy_timeout(db->handle, 2000);
    return 0;
}

static int check_version(struct db *db, struct error *error)
{
    int64_t version = 0;
    int code = db_pragma_number(db, "PRAGMA user_version", &version, error);

    if (code < 0 || (version >= SCHEMA_LEAST && version <= schema_version))
        return code;
    return error_set(error, ERROR_VERSION, "store %s cannot be looked into: its schema is version %lld, this program knows %d "
                     "to %d", db->path,
                     (long long)version, SCHEMA_LEAST, schema_version);
}

int store_look(const char *path, struct store_target **ret_targets, size_t *ret_count, struct error *error)
{
    struct db *db = calloc(1, sizeof(*db));

    if (db == NULL)
        return error_nomem(error);
    db->path = path;
    int code = open_file(path, db, error);
    if (code == 0)
        code = check_version(db, error);
    if (code == 0)
        code = targets_read(db, ret_targets, ret_count, error);
    db_close(db);
    return code;
}
