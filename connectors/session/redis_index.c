#include "connectors/session/redis_index.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/str.h"
#include "connectors/session/match.h"
#include "connectors/session/redis_follow.h"

#define FIND_WAIT_S 2
#define PAUSE_S 2

int index_start(const struct session_settings *settings, struct throttle *throttle, struct index **ret_index)
{
    struct index *index = calloc(1, sizeof(*index));

    if (index == NULL)
        return ERROR_NOMEM;
    index->settings = settings;
    index->throttle = throttle;
    index->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&index->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&index->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret_index = index;
    return 0;
}

void index_hits_clear(struct index_hits *hits)
{
    for (size_t i = 0; hits->keys != NULL && hits->keys[i] != NULL; i++)
        free(hits->keys[i]);
    free(hits->keys);
    *hits = (struct index_hits){ 0 };
}

/* ---- its thread ---- */

static void wake(struct index *index)
{
    uint64_t one = 1;
    ssize_t written = write(index->wake_fd, &one, sizeof(one));

    (void)written; /* full: it is awake */
}

static struct timespec after_s(int seconds)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += seconds;
    return time;
}

/* What was known is void; why, for those who ask meanwhile. */
static void fall_back(struct index *index, const char *why)
{
    pthread_mutex_lock(&index->lock);
    index->whole = false;
    table_clear(&index->table);
    free(index->why);
    index->why = str_dup(why);
    pthread_cond_broadcast(&index->changed);
    pthread_mutex_unlock(&index->lock);
}

static void *run(void *arg)
{
    struct index *index = arg;

    for (;;) {
        struct receipt receipt = { 0 };
        follow(index, &receipt);
        fall_back(index, receipt.reason != NULL ? receipt.reason : "it is being built");
        receipt_clear(&receipt);
        struct timespec until = after_s(PAUSE_S);
        pthread_mutex_lock(&index->lock);
        while (!index->stopping && pthread_cond_timedwait(&index->changed, &index->lock, &until) != ETIMEDOUT)
            continue;
        bool stopping = index->stopping;
        pthread_mutex_unlock(&index->lock);
        if (stopping)
            return NULL;
    }
}

static void end_thread(struct index *index)
{
    pthread_mutex_lock(&index->lock);
    bool running = index->running;
    index->stopping = true;
    pthread_cond_broadcast(&index->changed);
    pthread_mutex_unlock(&index->lock);
    if (!running)
        return;
    wake(index);
    pthread_join(index->thread, NULL);
    pthread_mutex_lock(&index->lock);
    index->running = index->stopping = index->whole = false;
    index->kinds = 0;
    table_clear(&index->table);
    pthread_mutex_unlock(&index->lock);
    layout_clear(&index->layout);
}

void index_stop(struct index *index)
{
    if (index == NULL)
        return;
    end_thread(index);
    if (index->wake_fd >= 0)
        close(index->wake_fd);
    pthread_mutex_destroy(&index->lock);
    pthread_cond_destroy(&index->changed);
    free(index->why);
    free(index);
}

/* Under `starting`, so that two workers do not both begin. */
static bool begin_thread(struct index *index, const struct layout *layout)
{
    pthread_mutex_lock(&index->lock);
    free(index->why);
    index->why = str_dup("it is being built");
    index->stopping = index->whole = false;
    pthread_mutex_unlock(&index->lock);
    if (layout_copy(layout, &index->layout) < 0)
        return false;
    index->running = pthread_create(&index->thread, NULL, run, index) == 0;
    if (!index->running)
        layout_clear(&index->layout);
    return index->running;
}

static bool ensure_running(struct index *index, const struct layout *layout)
{
    static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
    bool good = true;

    pthread_mutex_lock(&starting);
    if (index->running && !layout_same(&index->layout, layout))
        end_thread(index);
    if (!index->running)
        good = begin_thread(index, layout);
    pthread_mutex_unlock(&starting);
    return good;
}

static bool can_be_indexed(const struct layout *layout)
{
    return layout->type == TYPE_STRING && match_tells_owner(layout);
}

void index_prepare(struct index *index, const struct layout *layout)
{
    if (can_be_indexed(layout))
        ensure_running(index, layout);
}

/* ---- finding ---- */

struct gathering {
    char **keys;
    size_t count;
    bool failed;
};

static void gather(void *arg, const char *key)
{
    struct gathering *gathering = arg;
    char **keys = realloc(gathering->keys, (gathering->count + 2) * sizeof(*keys));
    char *copy = str_dup(key);

    if (keys != NULL)
        gathering->keys = keys;
    if (keys == NULL || copy == NULL) {
        gathering->failed = true;
        free(copy);
        return;
    }
    keys[gathering->count++] = copy;
    keys[gathering->count] = NULL;
}

/* In the table names are in small letters: what is theirs is decided by a look at the value. */
static void gather_user(const struct table *table, const char *user, struct gathering *gathering)
{
    cleanup_free char *name = index_name(user);

    if (name != NULL)
        table_each(table, name, gather, gathering);
    else
        gathering->failed = true;
}

/* Waits until what happened before has arrived; under the lock. */
static bool catch_up(struct index *index)
{
    struct timespec until = after_s(FIND_WAIT_S);
    uint64_t mine = ++index->wanted;

    wake(index);
    while (index->whole && index->reached < mine)
        if (pthread_cond_timedwait(&index->changed, &index->lock, &until) == ETIMEDOUT)
            return false;
    return index->whole;
}

bool index_find(struct index *index, const struct layout *layout, const char *const *users, struct index_hits *ret_hits,
                char **ret_why)
{
    struct gathering gathering = { .keys = calloc(1, sizeof(char *)) };

    if (gathering.keys == NULL || !can_be_indexed(layout) || !ensure_running(index, layout)) {
        free(gathering.keys);
        *ret_why = str_dup(can_be_indexed(layout) ? "its thread cannot be started"
                                                  : "sessions of this format do not tell whose they are");
        return false;
    }
    pthread_mutex_lock(&index->lock);
    bool good = index->whole && catch_up(index);
    for (; good && *users != NULL; users++)
        gather_user(&index->table, *users, &gathering);
    if (good)
        table_each(&index->table, INDEX_UNSURE, gather, &gathering);
    struct index_hits hits = { .keys = gathering.keys };
    if (good && index->kinds != 0 && index->table.count > 0) {
        int64_t count = (int64_t)index->table.count;
        hits.sight = (struct sight){ .fitting = count, .sampled = count, .owned = count, .kinds = index->kinds };
    }
    good = good && !gathering.failed;
    if (!good)
        *ret_why = str_dup(index->whole ? "it does not catch up" : index->why);
    pthread_mutex_unlock(&index->lock);
    if (good)
        *ret_hits = hits;
    else
        index_hits_clear(&hits);
    return good;
}
