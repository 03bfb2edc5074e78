/* The thread of an index: subscribing, the first pass over all keys, and what is told after that. */
#include "connectors/session/redis_follow.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/match.h"
#include "connectors/session/redis_private.h"

#define READ_AT_ONCE 64 /* values; each may be as large as value_size_max */

struct follower {
    struct index *index;
    struct session_store reader;
    struct redis_link *told; /* the subscription */
    char **changed;          /* keys that have to be read */
    size_t changed_count, changed_room;
    uint64_t asked, answered; /* PINGs */
    struct receipt *receipt;
};

static bool is_stopping(struct index *index)
{
    pthread_mutex_lock(&index->lock);
    bool stopping = index->stopping;
    pthread_mutex_unlock(&index->lock);
    return stopping;
}

static bool fail(struct follower *follower, const char *reason)
{
    receipt_set(follower->receipt, OUTCOME_RETRY, 0, "%s", reason);
    return false;
}

/* ---- notifications are on ---- */

/* What the server has to tell: of keys (K), generic commands, texts, expiry and eviction. */
static const char needed_flags[] = "Kg$xe";

static bool has_flag(const char *flags, char flag)
{
    return strchr(flags, flag) != NULL || (flag != 'K' && strchr(flags, 'A') != NULL);
}

static bool are_enough(const char *flags)
{
    for (const char *flag = needed_flags; *flag != '\0'; flag++)
        if (!has_flag(flags, *flag))
            return false;
    return true;
}

/* The flags that are set; NULL: the receipt says why they are not known. */
static char *read_flags(struct redis_link *link, struct receipt *receipt)
{
    cleanup_reply redisReply *reply = link_ask(link, REDIS_COMMAND("CONFIG", "GET", "notify-keyspace-events"), receipt);

    if (reply == NULL)
        return NULL;
    char *flags = str_dup(reply->elements == 2 && reply_is_text(reply->element[1]) ? reply->element[1]->str : "");
    if (flags == NULL)
        receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    return flags;
}

bool notifications_check(struct redis_link *link, struct receipt *receipt)
{
    cleanup_free char *flags = read_flags(link, receipt);

    if (flags == NULL)
        return false;
    if (are_enough(flags) || link->settings->index_configure)
        return true;
    receipt_set(receipt, OUTCOME_RETRY, 0,
                "the server does not tell of changes: set notify-keyspace-events to \"KA\" there (it is \"%s\"), or "
                "index_configure = true",
                flags);
    return false;
}

static bool switch_on(struct follower *follower)
{
    struct redis_link *link = follower->reader.links[0];
    cleanup_free char *flags = read_flags(link, follower->receipt);

    if (flags == NULL || are_enough(flags))
        return flags != NULL;
    cleanup_free char *wanted = str_printf("%s%s", flags, needed_flags);
    if (wanted == NULL)
        return fail(follower, "out of memory");
    cleanup_reply redisReply *reply =
        link_ask(link, REDIS_COMMAND("CONFIG", "SET", "notify-keyspace-events", wanted), follower->receipt);
    return reply != NULL;
}

static bool subscribe(struct follower *follower)
{
    cleanup_free char *glob = glob_of(follower->index->layout.pattern);
    cleanup_free char *channel =
        glob != NULL ? str_printf("__keyspace@%lld__:%s", (long long)follower->index->settings->database, glob) : NULL;

    if (channel == NULL)
        return fail(follower, "out of memory");
    cleanup_reply redisReply *reply = link_ask(follower->told, REDIS_COMMAND("PSUBSCRIBE", channel), follower->receipt);
    return reply != NULL;
}

/* ---- values → the table ---- */

static bool is_indexed(const struct follower *follower, const char *key, size_t length)
{
    const char *lock = follower->index->layout.lock;
    size_t id_length;

    return memchr(key, '\0', length) == NULL && (lock == NULL || layout_id(lock, key, length, &id_length) == NULL);
}

char *index_name(const char *user)
{
    char *name = str_dup(user);

    for (char *c = name; c != NULL && *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

/* Whose it is; "" (INDEX_UNSURE): it can be anybody's. NULL: nobody's, or out of memory. */
static char *owner_of(const struct index *index, const redisReply *value, bool *ret_owned)
{
    cleanup_free char *owner = NULL;
    enum match match = MATCH_OTHER;

    if (value->type == REDIS_REPLY_STRING)
        match = (int64_t)value->len > index->settings->value_bytes_most
                    ? MATCH_UNREADABLE
                    : match_owner(&index->layout, value->str, value->len, &owner, NULL);
    *ret_owned = match != MATCH_OTHER;
    if (match == MATCH_UNREADABLE)
        return str_dup(INDEX_UNSURE);
    return owner != NULL ? index_name(owner) : NULL;
}

static bool put(struct follower *follower, const char *key, const redisReply *value)
{
    struct index *index = follower->index;
    bool good = true, owned;
    cleanup_free char *owner = owner_of(index, value, &owned);

    pthread_mutex_lock(&index->lock);
    index->kinds |= owner != NULL ? sight_kind(owner, strlen(owner)) : 0;
    if (owned)
        good = owner != NULL && table_put(&index->table, key, owner) && index->table.bytes <= (size_t)index->settings->index_bytes_most;
    else
        table_remove(&index->table, key);
    pthread_mutex_unlock(&index->lock);
    return good || fail(follower, "it takes more memory than index_size_max");
}

static bool read_values(struct follower *follower, char *const *keys, size_t count)
{
    struct redis_link *link = follower->reader.links[0];
    char last[24];
    bool good = true;

    snprintf(last, sizeof(last), "%" PRId64, follower->index->settings->value_bytes_most);
    for (size_t i = 0; i < count && good; i++)
        good = link_send(link, REDIS_COMMAND("GETRANGE", keys[i], "0", last), follower->receipt);
    for (size_t i = 0; i < count && good; i++) {
        cleanup_reply redisReply *value = link_take(link, follower->receipt);
        good = value != NULL && put(follower, keys[i], value);
    }
    return good;
}

/* ---- the first pass ---- */

static bool listen_once(struct follower *follower, int wait_ms);

static bool read_keys(struct follower *follower, const redisReply *keys)
{
    char *batch[READ_AT_ONCE];
    size_t count = 0;
    bool good = true;

    for (size_t i = 0; i < keys->elements && good; i++) {
        if (is_indexed(follower, keys->element[i]->str, keys->element[i]->len))
            batch[count++] = keys->element[i]->str;
        if (count == READ_AT_ONCE || (i + 1 == keys->elements && count > 0)) {
            throttle_begin(follower->index->throttle);
            good = read_values(follower, batch, count);
            throttle_end(follower->index->throttle);
            count = 0;
        }
    }
    return good;
}

/* One step; *cursor is replaced. What is told meanwhile is taken in between, lest the server's buffer runs over. */
static bool scan_step(struct follower *follower, const char *glob, char **cursor)
{
    struct redis_link *link = follower->reader.links[0];
    char count[24];

    snprintf(count, sizeof(count), "%" PRId64, follower->index->settings->step_entries);
    throttle_begin(follower->index->throttle);
    cleanup_reply redisReply *reply =
        link_ask(link, REDIS_COMMAND("SCAN", *cursor, "MATCH", glob, "COUNT", count), follower->receipt);
    throttle_end(follower->index->throttle);
    if (reply == NULL)
        return false;
    if (reply->elements != 2 || !reply_is_text(reply->element[0]))
        return fail(follower, "the answer to SCAN cannot be read");
    free(*cursor);
    *cursor = str_dup(reply->element[0]->str);
    return *cursor != NULL && read_keys(follower, reply->element[1]) && listen_once(follower, 0);
}

static bool build(struct follower *follower)
{
    cleanup_free char *glob = glob_of(follower->index->layout.pattern), *cursor = str_dup("0");
    bool good = glob != NULL && cursor != NULL;

    do
        good = good && !is_stopping(follower->index) && scan_step(follower, glob, &cursor);
    while (good && strcmp(cursor, "0") != 0);
    return good;
}

/* ---- what is told ---- */

static bool note_changed(struct follower *follower, const char *key)
{
    if (follower->changed_count == follower->changed_room) {
        size_t room = follower->changed_room * 2 + 64;
        char **changed = realloc(follower->changed, room * sizeof(*changed));
        if (changed == NULL)
            return fail(follower, "out of memory");
        follower->changed = changed;
        follower->changed_room = room;
    }
    char *copy = str_dup(key);
    if (copy == NULL)
        return fail(follower, "out of memory");
    follower->changed[follower->changed_count++] = copy;
    return true;
}

/* [pmessage, pattern, __keyspace@N__:KEY, EVENT] or [pong, NUMBER]. An event that changes neither key nor value is none for us. */
static bool take_told(struct follower *follower, const redisReply *reply)
{
    static const char *const idle[] = { "expire", "persist", NULL };

    if (reply->type == REDIS_REPLY_ERROR) {
        link_refused(follower->told, reply, follower->receipt);
        return false;
    }
    if (reply->elements == 2 && reply_is_text(reply->element[0]) && strcmp(reply->element[0]->str, "pong") == 0) {
        follower->answered = strtoull(reply->element[1]->str, NULL, 10);
        return true;
    }
    if (reply->elements != 4 || !reply_is_text(reply->element[2]) || !reply_is_text(reply->element[3]))
        return true;
    const char *key = strstr(reply->element[2]->str, "__:");
    for (const char *const *event = idle; *event != NULL; event++)
        if (strcmp(reply->element[3]->str, *event) == 0)
            return true;
    if (key == NULL || !is_indexed(follower, key + 3, strlen(key + 3)))
        return true;
    return note_changed(follower, key + 3);
}

static bool read_changed(struct follower *follower)
{
    bool good = true;

    for (size_t at = 0; at < follower->changed_count && good; at += READ_AT_ONCE) {
        size_t left = follower->changed_count - at;
        good = read_values(follower, follower->changed + at, left < READ_AT_ONCE ? left : READ_AT_ONCE);
    }
    for (size_t i = 0; i < follower->changed_count; i++)
        free(follower->changed[i]);
    follower->changed_count = 0;
    return good;
}

static bool take_all_told(struct follower *follower)
{
    redisContext *context = follower->told->context;
    void *reply = NULL;
    bool good = redisBufferRead(context) == REDIS_OK;

    while (good && redisGetReplyFromReader(context, &reply) == REDIS_OK && reply != NULL) {
        good = take_told(follower, reply);
        freeReplyObject(reply);
        reply = NULL;
    }
    if (context->err != 0)
        return fail(follower, "the subscription was lost");
    return good && read_changed(follower);
}

/* Asks for a sign that all that went before has been told. */
static bool send_ping(struct follower *follower)
{
    struct index *index = follower->index;
    char number[24];
    int done = 0;

    pthread_mutex_lock(&index->lock);
    uint64_t wanted = index->wanted;
    pthread_mutex_unlock(&index->lock);
    if (wanted == follower->asked)
        return true;
    follower->asked = wanted;
    snprintf(number, sizeof(number), "%" PRIu64, wanted);
    if (!link_send(follower->told, REDIS_COMMAND("PING", number), follower->receipt))
        return false;
    while (done == 0)
        if (redisBufferWrite(follower->told->context, &done) != REDIS_OK)
            return fail(follower, "the subscription was lost");
    return true;
}

static void report_reached(struct follower *follower)
{
    struct index *index = follower->index;

    pthread_mutex_lock(&index->lock);
    if (index->reached < follower->answered) {
        index->reached = follower->answered;
        pthread_cond_broadcast(&index->changed);
    }
    pthread_mutex_unlock(&index->lock);
}

static bool listen_once(struct follower *follower, int wait_ms)
{
    struct pollfd fds[] = { { follower->told->context->fd, POLLIN, 0 }, { follower->index->wake_fd, POLLIN, 0 } };
    uint64_t count;

    if (poll(fds, 2, wait_ms) < 0)
        return errno == EINTR || fail(follower, "poll failed");
    if (fds[1].revents != 0 && read(follower->index->wake_fd, &count, sizeof(count)) > 0 && !send_ping(follower))
        return false;
    if (fds[0].revents != 0 && !take_all_told(follower))
        return false;
    report_reached(follower);
    return true;
}

/* ---- all of it ---- */

static bool connect_both(struct follower *follower)
{
    return store_connect(&follower->reader, follower->receipt) == OUTCOME_APPLIED &&
           link_open(follower->index->settings, follower->reader.links[0]->name, LINK_SERVER, &follower->told,
                     follower->receipt) == OUTCOME_APPLIED;
}

static void become_whole(struct index *index)
{
    pthread_mutex_lock(&index->lock);
    index->whole = true;
    pthread_cond_broadcast(&index->changed);
    pthread_mutex_unlock(&index->lock);
}

void follow(struct index *index, struct receipt *receipt)
{
    struct follower follower = { .index = index, .reader = { .settings = index->settings }, .receipt = receipt };

    if (connect_both(&follower) && notifications_check(follower.reader.links[0], receipt) &&
        switch_on(&follower) && subscribe(&follower) && build(&follower)) {
        become_whole(index);
        while (!is_stopping(index) && listen_once(&follower, -1))
            continue;
    }
    for (size_t i = 0; i < follower.changed_count; i++)
        free(follower.changed[i]);
    free(follower.changed);
    link_close(follower.told);
    store_disconnect(&follower.reader);
}
