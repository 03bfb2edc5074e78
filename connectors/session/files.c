/*
 * files.c: sessions in files of their own: PHP's files handler, Django's
 * backend "file".
 *
 * The folder is somebody else's, and others may write in it: only regular
 * files with one name are touched, links are not followed, and nothing outside
 * of the folder and its sub-folders is reached. PHP holds flock(2) on a file
 * for as long as a request uses the session, so we take the lock before we
 * believe what is in it. A session is ended by emptying and unlinking: who
 * waits for the lock on the file that we unlink then finds it empty.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"
#include "connectors/session/match.h"
#include "connectors/session/pace.h"
#include "connectors/session/store.h"

struct session_store {
    const struct session_settings *settings;
    char *bytes; /* value_bytes_most of them, for one session at a time */
};

/* ---- the folder ---- */

/* Every errno of open, read and unlink that is not in here is RETRY. */
static const struct {
    int code;
    enum outcome outcome;
} outcomes[] = {
    { EACCES, OUTCOME_TARGET_DOWN }, { EPERM, OUTCOME_TARGET_DOWN },  { ENOENT, OUTCOME_TARGET_DOWN }, { ENOTDIR, OUTCOME_TARGET_DOWN },
    { ELOOP, OUTCOME_TARGET_DOWN },  { EROFS, OUTCOME_TARGET_DOWN },  { EIO, OUTCOME_TARGET_DOWN },    { ESTALE, OUTCOME_TARGET_DOWN },
    { ENODEV, OUTCOME_TARGET_DOWN }, { ENXIO, OUTCOME_TARGET_DOWN },  { ENAMETOOLONG, OUTCOME_TARGET_DOWN },
};

static enum outcome outcome_of_errno(int code)
{
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
        if (outcomes[i].code == code)
            return outcomes[i].outcome;
    return OUTCOME_RETRY;
}

static enum outcome refuse_folder(const char *path, int code, struct receipt *receipt)
{
    const char *right = code == EROFS || code == EIO || code == ESTALE ? "see to the file system"
                        : code == ENOENT || code == ENOTDIR            ? "path has to name the folder of the session files"
                                                                       : NULL;

    if (right != NULL)
        return receipt_set(receipt, outcome_of_errno(code), code, "%s: the folder of sessions cannot be used: %s; %s", path, strerror(code), right);
    return receipt_set(receipt, outcome_of_errno(code), code,
                       "%s: the folder of sessions cannot be used: %s; the agent needs read, write and search permission on it: setfacl -m u:%ld:rwx %s",
                       path, strerror(code), (long)geteuid(), path);
}

static enum outcome open_folder(const char *path, int *ret_fd, struct receipt *receipt)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return refuse_folder(path, errno, receipt);
    if (faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        int code = errno;
        close(fd);
        return refuse_folder(path, code, receipt);
    }
    *ret_fd = fd;
    return OUTCOME_APPLIED;
}

static enum outcome files_open(const struct session_settings *settings, struct session_shared *shared, struct session_store **ret_store,
                               struct receipt *receipt)
{
    int folder = -1;
    enum outcome outcome = open_folder(settings->path, &folder, receipt);
    struct session_store *store = calloc(1, sizeof(*store));

    (void)shared;
    if (folder >= 0)
        close(folder);
    if (outcome == OUTCOME_APPLIED && store != NULL && (store->bytes = malloc((size_t)settings->value_bytes_most)) != NULL) {
        store->settings = settings;
        *ret_store = store;
        return OUTCOME_APPLIED;
    }
    free(store);
    return outcome == OUTCOME_APPLIED ? receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory") : outcome;
}

static void files_close(struct session_store *store)
{
    if (store != NULL)
        free(store->bytes);
    free(store);
}

static enum outcome files_probe(struct session_store *store, struct receipt *receipt)
{
    int folder = -1;
    enum outcome outcome = open_folder(store->settings->path, &folder, receipt);

    if (folder >= 0)
        close(folder);
    return outcome;
}

/* ---- one file ---- */

struct walk {
    const struct session_store *store;
    const struct session_query *query;
    struct sweep *sweep;
    bool sampling;     /* some files are looked at, and none is ended */
    int64_t refused;
    int64_t looked_at;
    struct mono step_began;
    int64_t waited_us; /* for locks, in all: at most lock_timeout, however many are held */
};

static bool is_foreign(const struct stat *status)
{
    return !S_ISREG(status->st_mode) || status->st_nlink != 1;
}

/* -1: not ours to touch, or not allowed (counted). */
static int open_file(struct walk *walk, int folder, const char *name, struct stat *ret_status)
{
    struct stat before;
    int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

    if (fstatat(folder, name, &before, AT_SYMLINK_NOFOLLOW) != 0 || is_foreign(&before) || before.st_size == 0)
        return -1;
    int fd = openat(folder, name, O_RDWR | flags);
    if (fd < 0 && errno == EACCES)
        fd = openat(folder, name, O_RDONLY | flags);
    if (fd < 0) {
        walk->refused += errno != ENOENT && errno != ELOOP;
        return -1;
    }
    if (fstat(fd, ret_status) == 0 && !is_foreign(ret_status))
        return fd;
    close(fd);
    return -1;
}

/* Up to value_size_max bytes from here on. */
static ssize_t read_piece(const struct session_store *store, int fd, off_t from)
{
    size_t length = 0, most = (size_t)store->settings->value_bytes_most;

    while (length < most) {
        ssize_t got = pread(fd, store->bytes + length, most - length, from + (off_t)length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* Neither PHP nor Django writes when a session began; the file system may know when its file did (created_at = "birth"). */
static int64_t birth_us(int fd)
{
    struct statx status;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &status) != 0 || (status.stx_mask & STATX_BTIME) == 0)
        return 0;
    return (int64_t)status.stx_btime.tv_sec * 1000000 + status.stx_btime.tv_nsec / 1000;
}

/* Larger than what is read at once: piece by piece, through the same memory. */
static enum match look_through(const struct walk *walk, int fd)
{
    const struct session_store *store = walk->store;
    struct look *look = look_begin(walk->query->layout);
    enum match match = MATCH_UNREADABLE;
    off_t at = 0;
    ssize_t got = 0;

    if (look != NULL && look_for(look, walk->query->users)) {
        while ((got = read_piece(store, fd, at)) > 0) {
            look_piece(look, store->bytes, (size_t)got);
            at += got;
        }
        match = got == 0 ? look_end(look, 0) : MATCH_UNREADABLE;
    }
    look_free(look);
    return match;
}

static enum match match_file(const struct walk *walk, int fd, int64_t *ret_created_us)
{
    const struct layout *layout = walk->query->layout;
    ssize_t length = read_piece(walk->store, fd, 0);
    enum match match = MATCH_OTHER;

    if (length < 0)
        return MATCH_UNREADABLE;
    if (length == walk->store->settings->value_bytes_most)
        match = look_through(walk, fd);
    else
        match = look_at_value(layout, walk->query->users, walk->store->bytes, (size_t)length, ret_created_us);
    if (match == MATCH_THEIRS && str_equal(layout->created_at, "birth"))
        *ret_created_us = birth_us(fd);
    return match;
}

#define LOOK_AGAIN_US 20000

static bool take_lock(struct walk *walk, int fd)
{
    struct timespec pause = { 0, LOOK_AGAIN_US * 1000 };

    for (;;) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return true; /* a file system without locks: nobody can hold one */
        if (walk->waited_us >= walk->store->settings->lock_timeout_us)
            return false;
        nanosleep(&pause, NULL);
        walk->waited_us += LOOK_AGAIN_US;
    }
}

/* In a sticky folder (/var/lib/php/sessions) the name may be another's to take away; an empty session is nobody's. */
static void end_file(struct walk *walk, int folder, const char *name, int fd, bool locked)
{
    bool emptied = locked && ftruncate(fd, 0) == 0;
    bool gone = unlinkat(folder, name, 0) == 0 || errno == ENOENT;

    if (emptied || gone)
        walk->sweep->ended++;
    else
        walk->refused++;
}

/* A request that still holds the lock at the second sweep has had its time: what it writes goes to a file without a name. */
static void end_locked(struct walk *walk, int folder, const char *name, int fd)
{
    if (walk->query->sweep >= 2)
        end_file(walk, folder, name, fd, false);
    else
        walk->sweep->locked++;
}

/* What is in a file that a request has locked is only a hint: is it worth waiting for? */
static enum match hint(struct walk *walk, int fd)
{
    int64_t created_us = 0;
    enum match match = match_file(walk, fd, &created_us);

    return match == MATCH_THEIRS && !session_is_void(walk->query, created_us) ? MATCH_OTHER : match;
}

static void judge_free(struct walk *walk, int folder, const char *name, int fd)
{
    int64_t created_us = 0;
    enum match match = match_file(walk, fd, &created_us);

    sweep_unsure(walk->sweep, match, walk->query->layout, name, strlen(name));
    if (match != MATCH_THEIRS)
        return;
    walk->sweep->found++;
    if (session_is_void(walk->query, created_us))
        end_file(walk, folder, name, fd, true);
    else
        walk->sweep->kept++;
}

static void judge_file(struct walk *walk, int folder, const char *name, int fd)
{
    bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    enum match match = locked ? hint(walk, fd) : MATCH_THEIRS;

    if (match != MATCH_THEIRS) {
        sweep_unsure(walk->sweep, match, walk->query->layout, name, strlen(name));
    } else if (locked && !take_lock(walk, fd)) {
        walk->sweep->found++;
        end_locked(walk, folder, name, fd);
    } else {
        judge_free(walk, folder, name, fd);
    }
}

static void count_file(struct walk *walk, int fd)
{
    struct sight *sight = &walk->sweep->sight;
    ssize_t length = sight->sampled < SAMPLE_MOST ? read_piece(walk->store, fd, 0) : 0;
    bool whole = length > 0 && length < walk->store->settings->value_bytes_most;

    sight_value(sight, walk->query->layout, whole ? walk->store->bytes : NULL, whole ? (size_t)length : 0);
}

static void look_at_file(struct walk *walk, int folder, const char *name)
{
    struct stat status;
    int fd = open_file(walk, folder, name, &status);

    if (fd < 0)
        return;
    count_file(walk, fd);
    if (!walk->sampling)
        judge_file(walk, folder, name, fd);
    close(fd); /* and with it the lock */
}

/* ---- all of them ---- */

/* As PHP (a-z A-Z 0-9 , -) and Django (a-z 0-9) name them; all else in the folder is not a session. */
static bool is_session_name(const char *pattern, const char *name)
{
    size_t length = 0;
    const char *id = layout_id(pattern, name, strlen(name), &length);

    for (size_t i = 0; id != NULL && i < length; i++)
        if (!isalnum((unsigned char)id[i]) && id[i] != ',' && id[i] != '-')
            return false;
    return id != NULL && length > 0;
}

static void keep_pace(struct walk *walk)
{
    if (++walk->looked_at % walk->store->settings->step_entries != 0)
        return;
    pace_rest(walk->store->settings, clock_mono(clock_system()).us - walk->step_began.us);
    walk->step_began = clock_mono(clock_system());
}

static enum outcome walk_folder(struct walk *walk, int folder, int64_t levels, struct receipt *receipt);

static bool is_enough(const struct walk *walk)
{
    return walk->sampling && walk->sweep->sight.sampled == SAMPLE_MOST;
}

static enum outcome walk_below(struct walk *walk, int folder, const char *name, int64_t levels, struct receipt *receipt)
{
    int below = strcmp(name, ".") != 0 && strlen(name) == 1 ? openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

    if (below >= 0)
        return walk_folder(walk, below, levels, receipt);
    walk->refused += strlen(name) == 1 && errno == EACCES;
    walk->sweep->sight.others += name[0] != '.';
    return OUTCOME_APPLIED;
}

/* Takes `folder` over. */
static enum outcome walk_folder(struct walk *walk, int folder, int64_t levels, struct receipt *receipt)
{
    DIR *stream = fdopendir(folder);
    enum outcome outcome = OUTCOME_APPLIED;
    struct dirent *entry;

    if (stream == NULL) {
        close(folder);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    while (outcome == OUTCOME_APPLIED && (errno = 0, !is_enough(walk)) && (entry = readdir(stream)) != NULL) {
        if (levels > 0)
            outcome = walk_below(walk, folder, entry->d_name, levels - 1, receipt);
        else if (is_session_name(walk->query->layout->pattern, entry->d_name))
            look_at_file(walk, folder, entry->d_name);
        else
            walk->sweep->sight.others += entry->d_name[0] != '.';
        keep_pace(walk);
    }
    if (outcome == OUTCOME_APPLIED && errno != 0)
        outcome = refuse_folder(walk->store->settings->path, errno, receipt);
    closedir(stream);
    return outcome;
}

/* Files that we may not read can be anybody's: that is no sweep. */
static enum outcome tell_refused(const struct walk *walk, struct receipt *receipt)
{
    const char *path = walk->store->settings->path;
    long user = (long)geteuid();

    return receipt_set(receipt, OUTCOME_RETRY, EACCES,
                       "%s: %lld session files could not be read or ended: permission denied; PHP makes them for its own user alone: set "
                       "session.save_path = \"%lld;0660;%s\" there, and setfacl -m u:%ld:rwx,d:u:%ld:rwx %s, or run the agent as that user",
                       path, (long long)walk->refused, (long long)walk->query->layout->levels, path, user, user, path);
}

static enum outcome walk_all(struct walk *walk, struct receipt *receipt)
{
    const struct layout *layout = walk->query->layout;
    const char *path = walk->store->settings->path;
    int folder = -1;

    if (layout->pattern == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "the mapping's group sessions has no pattern; right would be \"sess_*\"");
    enum outcome outcome = open_folder(path, &folder, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = walk_folder(walk, folder, layout->levels, receipt);
    if (outcome == OUTCOME_APPLIED && walk->refused > 0)
        outcome = tell_refused(walk, receipt);
    walk->sweep->sight.place = str_printf("file in %s, %lld folders deep, that fits %s", path, (long long)layout->levels, layout->pattern);
    return outcome;
}

static enum outcome files_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                                struct receipt *receipt)
{
    struct sweep sweep = { 0 };
    struct walk walk = { .store = store, .query = query, .sweep = &sweep, .step_began = clock_mono(clock_system()) };
    enum outcome outcome = walk_all(&walk, receipt);

    if (outcome == OUTCOME_APPLIED)
        *ret_sweep = sweep;
    else
        sweep_clear(&sweep);
    return outcome;
}

static enum outcome files_sample(struct session_store *store, const struct layout *layout, struct sight *ret_sight, struct receipt *receipt)
{
    const struct session_query query = { .layout = layout };
    struct sweep sweep = { 0 };
    struct walk walk = { .store = store, .query = &query, .sweep = &sweep, .sampling = true, .step_began = clock_mono(clock_system()) };
    enum outcome outcome = walk_all(&walk, receipt);

    if (outcome == OUTCOME_APPLIED) {
        *ret_sight = sweep.sight;
        sweep.sight = (struct sight){ 0 };
    }
    sweep_clear(&sweep);
    return outcome;
}

const struct session_store_ops session_files = {
    .name = "files",
    .open = files_open,
    .close = files_close,
    .probe = files_probe,
    .sweep = files_sweep,
    .sample = files_sample,
};
