#include "tests/support/power_disk.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/random.h"
#include "base/str.h"

#define FILES_MOST 8
#define SECTOR 512

struct change { /* since the last sync; bytes NULL: a truncation to `offset` */
    struct change *next;
    size_t offset, length;
    char *bytes;
};

struct disk_file {
    char name[64]; /* without its folder */
    char *bytes;   /* as synced */
    size_t size, room;
    struct change *first, **last;
    size_t changes;
    bool certain; /* its name is on the disk */
    bool deleted; /* perhaps; for certain once the folder is synced */
    bool gone;
    bool log;     /* a log or journal: its first sync is one of the folder */
};

struct power_file {
    sqlite3_file base;
    struct disk_file *disk; /* NULL: not recorded */
    sqlite3_file *real;     /* behind this struct */
};

static struct {
    pthread_mutex_t lock;
    sqlite3_vfs vfs, *real;
    bool registered;
    atomic_bool recording;
    char folder[96];
    int one_in, cuts;
    struct random_seeded random;
    disk_before_cut *before_cut;
    void *arg;
    struct disk_file files[FILES_MOST];
    size_t count;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "power_disk: %s\n", what);
    abort();
}

static size_t pick(size_t below)
{
    return (size_t)random_below(&disk.random.source, below);
}

/* ---- what the disk has ---- */

static void grow(struct disk_file *file, size_t size)
{
    if (size > file->room) {
        size_t room = size * 2;
        must((file->bytes = realloc(file->bytes, room)) != NULL, "out of memory");
        file->room = room;
    }
    if (size > file->size)
        memset(file->bytes + file->size, 0, size - file->size);
    if (size > file->size)
        file->size = size;
}

static void put(struct disk_file *file, const struct change *change, size_t from, size_t length)
{
    grow(file, change->offset + from + length);
    memcpy(file->bytes + change->offset + from, change->bytes + from, length);
}

static void settle(struct disk_file *file, const struct change *change)
{
    if (change->bytes != NULL)
        put(file, change, 0, change->length);
    else if (change->offset < file->size)
        file->size = change->offset;
}

static void free_changes(struct disk_file *file)
{
    while (file->first != NULL) {
        struct change *change = file->first;
        file->first = change->next;
        free(change->bytes);
        free(change);
    }
    file->last = &file->first;
    file->changes = 0;
}

static void note(struct disk_file *file, const void *bytes, size_t offset, size_t length)
{
    struct change *change = calloc(1, sizeof(*change));

    must(change != NULL, "out of memory");
    *change = (struct change){ .offset = offset, .length = length, .bytes = bytes != NULL ? malloc(length + 1) : NULL };
    if (change->bytes != NULL)
        memcpy(change->bytes, bytes, length);
    *file->last = change;
    file->last = &change->next;
    file->changes++;
}

/* Names come and go for certain. */
static void sync_folder(void)
{
    for (size_t i = 0; i < disk.count; i++) {
        disk.files[i].gone = disk.files[i].gone || disk.files[i].deleted;
        disk.files[i].certain = true;
    }
}

static void sync_file(struct disk_file *file)
{
    for (const struct change *change = file->first; change != NULL; change = change->next)
        settle(file, change);
    free_changes(file);
    if (file->log && !file->certain)
        sync_folder();
}

/* ---- the power goes ---- */

enum loss { LOSE_ALL, KEEP_BEGINNING, KEEP_SOME, KEEP_TORN, LOSS_COUNT };

static void tear(struct disk_file *file, const struct change *change)
{
    for (size_t from = 0; from < change->length; from += SECTOR)
        if (pick(2) == 0)
            put(file, change, from, change->length - from < SECTOR ? change->length - from : SECTOR);
}

static void keep_some(struct disk_file *after, const struct disk_file *file, enum loss loss)
{
    size_t kept = loss == KEEP_BEGINNING ? pick(file->changes + 1) : file->changes;
    const struct change *change = file->first;

    for (size_t i = 0; loss != LOSE_ALL && i < kept; i++, change = change->next) {
        if (loss != KEEP_BEGINNING && pick(2) == 0)
            continue;
        if (loss == KEEP_TORN && change->bytes != NULL && pick(3) == 0)
            tear(after, change);
        else
            settle(after, change);
    }
}

static void write_after(const char *folder, const struct disk_file *file, enum loss loss)
{
    struct disk_file after = { 0 };
    cleanup_free char *path = str_printf("%s/%s", folder, file->name);

    if (file->gone)
        return;
    if ((!file->certain || file->deleted) && pick(2) == 0)
        return;
    grow(&after, file->size);
    if (file->size > 0)
        memcpy(after.bytes, file->bytes, file->size);
    keep_some(&after, file, loss);
    FILE *stream = fopen(path, "wb");
    must(stream != NULL && fwrite(after.bytes != NULL ? after.bytes : "", 1, after.size, stream) == after.size && fclose(stream) == 0, path);
    free(after.bytes);
}

void disk_cut_folder(int cut, char path[static 128])
{
    snprintf(path, 128, "%s/cut-%d", disk.folder, cut);
}

static void maybe_cut(void)
{
    char folder[128];

    if (!disk.recording || pick((size_t)disk.one_in) != 0)
        return;
    enum loss loss = (enum loss)pick(LOSS_COUNT);
    disk.before_cut(disk.arg, disk.cuts);
    disk_cut_folder(disk.cuts++, folder);
    must(mkdir(folder, 0700) == 0, folder);
    for (size_t i = 0; i < disk.count; i++)
        write_after(folder, &disk.files[i], loss);
}

/* ---- SQLite's files ---- */

static struct power_file *power(sqlite3_file *file)
{
    return (struct power_file *)file;
}

#define REAL(file, method, ...) power(file)->real->pMethods->method(power(file)->real __VA_OPT__(, ) __VA_ARGS__)

static int on_close(sqlite3_file *file)
{
    return REAL(file, xClose);
}

static int on_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 offset)
{
    return REAL(file, xRead, bytes, length, offset);
}

static int on_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    struct disk_file *recorded = power(file)->disk;

    if (recorded != NULL) {
        pthread_mutex_lock(&disk.lock);
        maybe_cut();
        note(recorded, bytes, (size_t)offset, (size_t)length);
        pthread_mutex_unlock(&disk.lock);
    }
    return REAL(file, xWrite, bytes, length, offset);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct disk_file *recorded = power(file)->disk;

    if (recorded != NULL) {
        pthread_mutex_lock(&disk.lock);
        maybe_cut();
        note(recorded, NULL, (size_t)size, 0);
        pthread_mutex_unlock(&disk.lock);
    }
    return REAL(file, xTruncate, size);
}

static int on_sync(sqlite3_file *file, int flags)
{
    struct disk_file *recorded = power(file)->disk;

    (void)flags; /* the real disk's sync would only cost time */
    if (recorded != NULL) {
        pthread_mutex_lock(&disk.lock);
        maybe_cut();
        sync_file(recorded);
        pthread_mutex_unlock(&disk.lock);
    }
    return SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return REAL(file, xFileSize, ret_size);
}

static int on_lock(sqlite3_file *file, int level)
{
    return REAL(file, xLock, level);
}

static int on_unlock(sqlite3_file *file, int level)
{
    return REAL(file, xUnlock, level);
}

static int on_check_lock(sqlite3_file *file, int *ret_locked)
{
    return REAL(file, xCheckReservedLock, ret_locked);
}

static int on_control(sqlite3_file *file, int what, void *arg)
{
    return REAL(file, xFileControl, what, arg);
}

static int on_sector_size(sqlite3_file *file)
{
    return REAL(file, xSectorSize);
}

static int on_characteristics(sqlite3_file *file)
{
    return REAL(file, xDeviceCharacteristics);
}

static int on_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret_map)
{
    return REAL(file, xShmMap, region, size, extend, ret_map);
}

static int on_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return REAL(file, xShmLock, offset, count, flags);
}

static void on_shm_barrier(sqlite3_file *file)
{
    REAL(file, xShmBarrier);
}

static int on_shm_unmap(sqlite3_file *file, int delete)
{
    return REAL(file, xShmUnmap, delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory maps */
    .xClose = on_close, .xRead = on_read, .xWrite = on_write, .xTruncate = on_truncate, .xSync = on_sync, .xFileSize = on_size,
    .xLock = on_lock, .xUnlock = on_unlock, .xCheckReservedLock = on_check_lock, .xFileControl = on_control,
    .xSectorSize = on_sector_size, .xDeviceCharacteristics = on_characteristics,
    .xShmMap = on_shm_map, .xShmLock = on_shm_lock, .xShmBarrier = on_shm_barrier, .xShmUnmap = on_shm_unmap,
};

/* ---- the VFS ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static struct disk_file *find_file(const char *path)
{
    for (size_t i = 0; i < disk.count; i++)
        if (strcmp(disk.files[i].name, base_name(path)) == 0)
            return &disk.files[i];
    return NULL;
}

static struct disk_file *record_file(const char *path, int flags)
{
    struct disk_file *file = find_file(path);

    if (file == NULL) {
        must(disk.count < FILES_MOST, "too many files");
        file = &disk.files[disk.count++];
        *file = (struct disk_file){ .log = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0 };
        file->last = &file->first;
        snprintf(file->name, sizeof(file->name), "%s", base_name(path));
    } else if (file->deleted) { /* a new file of that name */
        free_changes(file);
        file->size = 0;
        file->deleted = file->gone = file->certain = false;
    }
    return file;
}

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *ret_flags)
{
    struct power_file *file = power(base);

    (void)vfs;
    *file = (struct power_file){ .real = (sqlite3_file *)(file + 1) };
    int code = disk.real->xOpen(disk.real, path, file->real, flags, ret_flags);
    if (code != SQLITE_OK)
        return code;
    file->base.pMethods = &methods;
    pthread_mutex_lock(&disk.lock);
    if (disk.recording && path != NULL)
        file->disk = record_file(path, flags);
    pthread_mutex_unlock(&disk.lock);
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int durable)
{
    (void)vfs;
    pthread_mutex_lock(&disk.lock);
    struct disk_file *file = disk.recording ? find_file(path) : NULL;
    if (file != NULL) {
        maybe_cut();
        file->deleted = true;
        if (durable)
            sync_folder();
    }
    pthread_mutex_unlock(&disk.lock);
    return disk.real->xDelete(disk.real, path, 0);
}

static void register_vfs(void)
{
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "power";
    disk.vfs.pNext = NULL;
    disk.vfs.szOsFile = (int)sizeof(struct power_file) + disk.real->szOsFile;
    disk.vfs.xOpen = on_open;
    disk.vfs.xDelete = on_delete;
    must(sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK, "SQLite does not take it");
    disk.registered = true;
}

void disk_start(const char *folder, uint64_t seed, int one_in, disk_before_cut *before_cut, void *arg)
{
    if (!disk.registered)
        register_vfs();
    snprintf(disk.folder, sizeof(disk.folder), "%s", folder);
    random_seeded_init(&disk.random, seed);
    disk.one_in = one_in;
    disk.before_cut = before_cut;
    disk.arg = arg;
    disk.cuts = 0;
    disk.recording = true;
}

int disk_stop(void)
{
    disk.recording = false;
    for (size_t i = 0; i < disk.count; i++) {
        free_changes(&disk.files[i]);
        free(disk.files[i].bytes);
    }
    disk.count = 0;
    return disk.cuts;
}
