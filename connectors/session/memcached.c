/*
 * memcached.c: sessions in memcached, on libmemcached.
 *
 * memcached does not tell which keys it holds, so a person's sessions are those
 * that the application itself lists under an index key (layout.index): ids,
 * divided by commas or blanks, or a JSON array of texts. What it does not list
 * is not found, and the receipt says so. A dump names some keys, not all: it
 * shows that an index can be right, and a name in another case.
 * Where there are several servers, clients spread keys over them each in their
 * own way; we ask every one for each key.
 */
#include <ctype.h>
#include <libmemcached-1.0/memcached.h>
#include <time.h>

#include "base/str.h"
#include "connectors/session/address.h"
#include "connectors/session/match.h"
#include "connectors/session/memcached_outcome.h"
#include "connectors/session/store.h"

#define PORT 11211
#define SERVERS_MOST 64

struct session_store {
    const struct session_settings *settings;
    memcached_st *servers[SERVERS_MOST];
    size_t count;
};

/* ---- the servers ---- */

static void memcached_close_all(struct session_store *store)
{
    for (size_t i = 0; store != NULL && i < store->count; i++)
        memcached_free(store->servers[i]);
    free(store);
}

static void set_behaviour(memcached_st *server, const struct session_settings *settings)
{
    memcached_behavior_set(server, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    memcached_behavior_set(server, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, (uint64_t)(settings->connect_timeout_us / 1000));
    memcached_behavior_set(server, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, (uint64_t)(settings->timeout_us / 1000));
    memcached_behavior_set(server, MEMCACHED_BEHAVIOR_SND_TIMEOUT, (uint64_t)settings->timeout_us);
    memcached_behavior_set(server, MEMCACHED_BEHAVIOR_RCV_TIMEOUT, (uint64_t)settings->timeout_us);
    memcached_behavior_set(server, MEMCACHED_BEHAVIOR_RETRY_TIMEOUT, 0); /* the agent itself waits between attempts */
}

static memcached_st *make_server(const struct session_settings *settings, const char *text)
{
    memcached_st *server = memcached_create(NULL);
    cleanup_free char *host = NULL;
    int port = 0;
    memcached_return_t code = MEMCACHED_INVALID_ARGUMENTS;

    if (server == NULL)
        return NULL;
    if (address_split(text, PORT, &host, &port) == 0)
        code = port != 0 ? memcached_server_add(server, host, (in_port_t)port) : memcached_server_add_unix_socket(server, host);
    if (code == MEMCACHED_SUCCESS) {
        set_behaviour(server, settings);
        return server;
    }
    memcached_free(server);
    return NULL;
}

static const char *server_name(const struct session_store *store, size_t i)
{
    return store->settings->address != NULL ? store->settings->address[i] : "127.0.0.1";
}

static enum outcome refuse(const struct session_store *store, size_t i, memcached_return_t code, struct receipt *receipt)
{
    const struct memcached_row *row = memcached_row((int)code);

    return receipt_set(receipt, row->outcome == OUTCOME_APPLIED || row->outcome == OUTCOME_UNCHANGED ? OUTCOME_RETRY : row->outcome,
                       (int)code, "memcached at %s: %s (%s)", server_name(store, i), row->sentence,
                       memcached_strerror(store->servers[i], code));
}

/* Is the code an answer, or did the request fail? */
static bool is_answer(memcached_return_t code)
{
    enum outcome outcome = memcached_row((int)code)->outcome;

    return outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
}

static enum outcome memcached_probe_all(struct session_store *store, struct receipt *receipt)
{
    for (size_t i = 0; i < store->count; i++) {
        memcached_return_t code = memcached_exist(store->servers[i], "provost:probe", strlen("provost:probe"));
        if (memcached_row((int)code)->outcome == OUTCOME_TARGET_DOWN) { /* perhaps only the old connection */
            memcached_quit(store->servers[i]);
            code = memcached_exist(store->servers[i], "provost:probe", strlen("provost:probe"));
        }
        if (!is_answer(code))
            return refuse(store, i, code, receipt);
    }
    return OUTCOME_APPLIED;
}

static enum outcome memcached_open_all(const struct session_settings *settings, struct session_shared *shared,
                                       struct session_store **ret_store, struct receipt *receipt)
{
    static char *const local[] = { "127.0.0.1", NULL };
    char *const *addresses = settings->address != NULL ? settings->address : local;
    struct session_store *store = calloc(1, sizeof(*store));
    enum outcome outcome = OUTCOME_APPLIED;

    (void)shared;
    if (store == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    store->settings = settings;
    for (size_t i = 0; outcome == OUTCOME_APPLIED && addresses[i] != NULL && i < SERVERS_MOST; i++) {
        store->servers[i] = make_server(settings, addresses[i]);
        if (store->servers[i] == NULL)
            outcome = receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "memcached at %s: the address cannot be used", addresses[i]);
        else
            store->count++;
    }
    if (outcome == OUTCOME_APPLIED)
        outcome = memcached_probe_all(store, receipt);
    if (outcome == OUTCOME_APPLIED)
        *ret_store = take_pointer(store);
    memcached_close_all(store);
    return outcome;
}

/* ---- one key ---- */

/* As the protocol has it: what is within goes to the server as it is. */
static bool is_key(const char *key)
{
    size_t length = strlen(key);

    for (size_t i = 0; i < length; i++)
        if ((unsigned char)key[i] <= ' ' || key[i] == 0x7f)
            return false;
    return length > 0 && length <= 250;
}

static enum outcome refuse_key(const char *what, struct receipt *receipt)
{
    return receipt_set(receipt, OUTCOME_REJECTED, 0, "memcached takes no key with blanks or control characters, or of more than 250 bytes: %s", what);
}

/* A value of any server; NULL without failure: none has it. */
static enum outcome get(struct session_store *store, const char *key, char **ret_value, size_t *ret_length, struct receipt *receipt)
{
    for (size_t i = 0; i < store->count; i++) {
        memcached_return_t code = MEMCACHED_SUCCESS;
        uint32_t flags = 0;
        size_t length = 0;
        char *value = memcached_get(store->servers[i], key, strlen(key), &length, &flags, &code);
        if (value == NULL && !is_answer(code))
            return refuse(store, i, code, receipt);
        if (value != NULL) {
            *ret_value = value;
            *ret_length = length;
            return OUTCOME_APPLIED;
        }
    }
    return OUTCOME_APPLIED;
}

static enum outcome delete_key(struct session_store *store, const char *key, bool *ret_was_there, struct receipt *receipt)
{
    for (size_t i = 0; i < store->count; i++) {
        memcached_return_t code = memcached_delete(store->servers[i], key, strlen(key), 0);
        if (!is_answer(code))
            return refuse(store, i, code, receipt);
        *ret_was_there = *ret_was_there || code == MEMCACHED_SUCCESS;
    }
    return OUTCOME_APPLIED;
}

static enum outcome memcached_forget(struct session_store *store, const char *const *keys, struct receipt *receipt)
{
    bool was_there = false;
    enum outcome outcome = memcached_probe_all(store, receipt); /* a connection that was idle for long may be gone */

    for (size_t i = 0; outcome == OUTCOME_APPLIED && keys[i] != NULL; i++)
        outcome = is_key(keys[i]) ? delete_key(store, keys[i], &was_there, receipt) : OUTCOME_APPLIED;
    return outcome;
}

/* ---- the application's lock ---- */

#define LOCK_SECONDS 30 /* ours ends by itself, should we */
#define LOOK_AGAIN_US 20000

/* True: ours, or no server said no. */
static bool add_lock(struct session_store *store, const char *key)
{
    for (size_t i = 0; i < store->count; i++)
        if (memcached_add(store->servers[i], key, strlen(key), "1", 1, LOCK_SECONDS, 0) == MEMCACHED_NOTSTORED) {
            for (size_t taken = 0; taken < i; taken++)
                memcached_delete(store->servers[taken], key, strlen(key), 0);
            return false;
        }
    return true;
}

static bool wait_for_lock(struct session_store *store, const char *key, int64_t *waited_us)
{
    struct timespec pause = { 0, LOOK_AGAIN_US * 1000 };

    while (!add_lock(store, key)) {
        if (*waited_us >= store->settings->lock_timeout_us)
            return false;
        nanosleep(&pause, NULL);
        *waited_us += LOOK_AGAIN_US;
    }
    return true;
}

/* ---- sessions ---- */

struct end {
    struct session_store *store;
    const struct session_query *query;
    struct sweep *sweep;
    int64_t waited_us; /* for locks, in all */
    int64_t indexed;   /* ids that the index named */
};

/* The index may be old: a value that tells another's name is another's. */
static enum outcome is_theirs(struct end *end, const char *key, bool *ret_theirs, struct receipt *receipt)
{
    const struct layout *layout = end->query->layout;
    char *value = NULL;
    size_t length = 0;
    enum outcome outcome = get(end->store, key, &value, &length, receipt);

    if (outcome == OUTCOME_APPLIED && value != NULL)
        sight_value(&end->sweep->sight, layout, value, length);
    if (outcome == OUTCOME_APPLIED)
        *ret_theirs = value != NULL &&
                      (layout->user_at == NULL || match_value(layout, end->query->users, value, length, NULL) != MATCH_OTHER);
    free(value);
    return outcome;
}

static enum outcome delete_session(struct end *end, const char *key, const char *lock, struct receipt *receipt)
{
    bool was_there = false, dummy = false;

    if (lock != NULL && !wait_for_lock(end->store, lock, &end->waited_us) && end->query->sweep < 2) {
        end->sweep->locked++;
        return OUTCOME_APPLIED;
    }
    enum outcome outcome = delete_key(end->store, key, &was_there, receipt);
    if (outcome == OUTCOME_APPLIED && lock != NULL)
        outcome = delete_key(end->store, lock, &dummy, receipt);
    end->sweep->ended += outcome == OUTCOME_APPLIED && was_there;
    return outcome;
}

static enum outcome end_session(struct end *end, const char *id, struct receipt *receipt)
{
    const struct layout *layout = end->query->layout;
    cleanup_free char *key = layout_key(layout->pattern, id);
    cleanup_free char *lock = layout->lock != NULL ? layout_key(layout->lock, id) : NULL;
    bool theirs = false;

    if (key == NULL || (layout->lock != NULL && lock == NULL))
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (!is_key(key) || (lock != NULL && !is_key(lock)))
        return OUTCOME_APPLIED; /* whatever stands there, it is no session's id */
    end->indexed++;
    enum outcome outcome = is_theirs(end, key, &theirs, receipt);
    if (outcome != OUTCOME_APPLIED || !theirs)
        return outcome;
    end->sweep->found++;
    if (session_is_void(end->query, 0))
        return delete_session(end, key, lock, receipt);
    end->sweep->kept++;
    return OUTCOME_APPLIED;
}

/* ---- the index ---- */

#define IDS_MOST 10000

static bool is_divider(char c)
{
    return c == '\0' || strchr(", \t\r\n;[]\"", c) != NULL;
}

/* Commas, blanks, and the signs of a JSON array all divide: none can be part of a session's id. *ret_whole: all of the list was gone by. */
static enum outcome end_listed(struct end *end, char *list, size_t length, bool *ret_whole, struct receipt *receipt)
{
    enum outcome outcome = OUTCOME_APPLIED;
    size_t at = 0;

    while (outcome == OUTCOME_APPLIED && at < length && end->indexed < IDS_MOST) {
        size_t from = at;
        while (at < length && !is_divider(list[at]))
            at++;
        cleanup_free char *id = strndup(list + from, at - from);
        if (id == NULL)
            return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
        if (*id != '\0')
            outcome = end_session(end, id, receipt);
        at++;
    }
    *ret_whole = at >= length;
    return outcome;
}

/* The rest of the list can be more of his sessions. */
static void hide_rest(struct sweep *sweep, const char *key)
{
    sweep->hidden.count++;
    free(sweep->hidden.names);
    sweep->hidden.names = str_printf("all that %s lists after the first %d", key, IDS_MOST);
}

static enum outcome sweep_user(struct end *end, const char *user, struct receipt *receipt)
{
    cleanup_free char *key = layout_key(end->query->layout->index, user);
    struct sight *sight = &end->sweep->sight;
    int64_t indexed = end->indexed;
    bool whole = true;
    char *list = NULL;
    size_t length = 0;

    if (key == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (!is_key(key))
        return refuse_key("index, with this person's name in it", receipt);
    enum outcome outcome = get(end->store, key, &list, &length, receipt);
    if (outcome == OUTCOME_APPLIED && list != NULL)
        outcome = end_listed(end, list, length, &whole, receipt);
    if (outcome == OUTCOME_APPLIED && !whole)
        hide_rest(end->sweep, key);
    /* the application lists that person there, and what it lists is where it should be */
    sight->certain = sight->certain || (list != NULL && (end->indexed == indexed || sight->fitting > 0));
    free(list);
    return outcome;
}

/* ---- keys that the servers tell of ---- */

#define CASED_MOST 16

struct dump {
    const struct session_query *query; /* users NULL: of nobody */
    struct sweep *sweep;
    int64_t sessions;                  /* keys that fit the pattern */
    char *cased[CASED_MOST];           /* the person's name in another case */
    size_t cased_count;
};

static memcached_return_t meet_key(const memcached_st *server, const char *key, size_t length, void *arg)
{
    struct dump *dump = arg;
    const struct layout *layout = dump->query->layout;
    size_t name_length = 0, id_length = 0;
    const char *name = layout_id(layout->index, key, length, &name_length);
    enum match match = name != NULL && dump->query->users != NULL ? match_name(layout, dump->query->users, name, name_length) : MATCH_OTHER;

    (void)server;
    dump->sessions += layout_id(layout->pattern, key, length, &id_length) != NULL;
    if (name != NULL)
        sight_name(&dump->sweep->sight, name, name_length);
    sweep_unsure(dump->sweep, match, layout, key, length);
    if (match == MATCH_THEIRS && dump->cased_count < CASED_MOST)
        dump->cased[dump->cased_count++] = strndup(name, name_length);
    return MEMCACHED_SUCCESS;
}

/* A server that does not do so tells of none. */
static void dump_keys(struct session_store *store, struct dump *dump)
{
    memcached_dump_fn each[] = { meet_key };

    for (size_t i = 0; i < store->count; i++)
        memcached_dump(store->servers[i], each, dump, 1);
    if (dump->sessions == 0 && dump->sweep->hidden.count + dump->sweep->cased.count == 0)
        sight_clear(&dump->sweep->sight);
    dump->sweep->sight.place = dump->sessions > 0 ? str_printf("list of anybody's sessions under %s", dump->query->layout->index)
                                                  : str_printf("key that fits %s", dump->query->layout->pattern);
}

/* Nobody is listed under that name: is anybody under another? */
static enum outcome look_around(struct end *end, struct receipt *receipt)
{
    struct dump dump = { .query = end->query, .sweep = end->sweep };
    enum outcome outcome = OUTCOME_APPLIED;

    dump_keys(end->store, &dump);
    for (size_t i = 0; i < dump.cased_count; i++) {
        if (outcome == OUTCOME_APPLIED && dump.cased[i] != NULL)
            outcome = sweep_user(end, dump.cased[i], receipt);
        free(dump.cased[i]);
    }
    return outcome;
}

static enum outcome memcached_sample(struct session_store *store, const struct layout *layout, struct sight *ret_sight,
                                     struct receipt *receipt)
{
    const struct session_query query = { .layout = layout };
    struct sweep sweep = { 0 };
    struct dump dump = { .query = &query, .sweep = &sweep };
    enum outcome outcome = memcached_probe_all(store, receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    dump_keys(store, &dump);
    *ret_sight = sweep.sight;
    return OUTCOME_APPLIED;
}

static enum outcome memcached_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                                    struct receipt *receipt)
{
    struct sweep sweep = { 0 };
    struct end end = { .store = store, .query = query, .sweep = &sweep };

    if (query->layout->index == NULL || query->layout->pattern == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0,
                           "memcached cannot be listed: the mapping's group sessions needs pattern (\"memc.sess.key.*\") and index, the key under "
                           "which the application lists a person's sessions (\"sessions:*\")");
    enum outcome outcome = memcached_probe_all(store, receipt);
    for (size_t i = 0; outcome == OUTCOME_APPLIED && query->users[i] != NULL; i++)
        outcome = sweep_user(&end, query->users[i], receipt);
    if (outcome == OUTCOME_APPLIED && sweep_is_blank(&sweep) && !sweep.sight.certain)
        outcome = look_around(&end, receipt);
    if (outcome != OUTCOME_APPLIED) {
        sweep_clear(&sweep);
        return outcome;
    }
    sweep.note = str_printf("memcached cannot be listed: only what the application lists under \"%s\" is found (%lld)", query->layout->index,
                            (long long)end.indexed);
    *ret_sweep = sweep;
    return OUTCOME_APPLIED;
}

/* ---- markers ---- */

static char *marker_key(const struct session_store *store, const char *what, const char *user)
{
    return str_printf("%s%s:%s", store->settings->marker_prefix, what, user);
}

static enum outcome memcached_read_marks(struct session_store *store, const struct layout *layout, const char *user,
                                         struct session_marks *ret_marks, struct receipt *receipt)
{
    cleanup_free char *denied = marker_key(store, "denied", user), *signed_in = marker_key(store, "signed_in", user);
    cleanup_free char *denied_value = NULL, *value = NULL;
    size_t length = 0;

    (void)layout;
    if (denied == NULL || signed_in == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (!is_key(denied) || !is_key(signed_in))
        return refuse_key("a marker, with this person's name in it", receipt);
    enum outcome outcome = memcached_probe_all(store, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = get(store, denied, &denied_value, &length, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = get(store, signed_in, &value, &length, receipt);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    json_t *json = value != NULL ? json_loadb(value, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    *ret_marks = (struct session_marks){ denied_value != NULL, str_dup(json_string_value(json_object_get(json, "since"))),
                                         str_dup(json_string_value(json_object_get(json, "expires"))) };
    json_decref(json);
    return OUTCOME_APPLIED;
}

/* On all servers, as we do not know which one the application asks. */
static enum outcome set(struct session_store *store, const char *key, const char *value, time_t expires, struct receipt *receipt)
{
    bool was_there = false;

    if (value == NULL)
        return delete_key(store, key, &was_there, receipt);
    for (size_t i = 0; i < store->count; i++) {
        memcached_return_t code = memcached_set(store->servers[i], key, strlen(key), value, strlen(value), expires, 0);
        if (code != MEMCACHED_SUCCESS && code != MEMCACHED_STORED)
            return refuse(store, i, code, receipt);
    }
    return OUTCOME_APPLIED;
}

static enum outcome memcached_write_marks(struct session_store *store, const struct layout *layout, const char *user,
                                          const struct session_marks *marks, struct receipt *receipt)
{
    cleanup_free char *denied = marker_key(store, "denied", user), *signed_in = marker_key(store, "signed_in", user), *value = NULL;
    struct wall expires = { 0 };

    (void)layout;
    if (marks->since != NULL && marks->expires != NULL && wall_parse(marks->expires, &expires)) {
        json_t *json = json_pack("{s:s, s:s}", "since", marks->since, "expires", marks->expires);
        value = json_dumps(json, JSON_COMPACT);
        json_decref(json);
    }
    if (denied == NULL || signed_in == NULL || (expires.us != 0 && value == NULL))
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (!is_key(denied) || !is_key(signed_in))
        return refuse_key("a marker, with this person's name in it", receipt);
    enum outcome outcome = memcached_probe_all(store, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = set(store, denied, marks->denied ? "1" : NULL, 0, receipt);
    int64_t seconds = expires.us / 1000000 < INT32_MAX ? expires.us / 1000000 : INT32_MAX; /* as far as its clock goes */
    return outcome == OUTCOME_APPLIED ? set(store, signed_in, value, (time_t)seconds, receipt) : outcome;
}

static void check(const struct session_settings *settings, const char *file, int line, struct problems *problems)
{
    address_check(settings, PORT, file, line, problems);
    if (settings->user != NULL || settings->tls)
        problems_add(problems, file, line, 0, "memcached is spoken to without log-in and without TLS: remove user and tls, and let the server "
                                              "listen where nobody else can reach it");
}

const struct session_store_ops session_memcached = {
    .name = "memcached",
    .check = check,
    .open = memcached_open_all,
    .close = memcached_close_all,
    .probe = memcached_probe_all,
    .sweep = memcached_sweep,
    .sample = memcached_sample,
    .forget = memcached_forget,
    .read_marks = memcached_read_marks,
    .write_marks = memcached_write_marks,
};
