/*
 * A pass over all keys. It takes time, so it is made for all persons whose
 * sweeps wait at that moment: the first of them leads and works, the others
 * wait for what it found.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/match.h"
#include "connectors/session/redis_private.h"

/* Read of each value at first; what is larger is read apart, one by one. */
#define WINDOW_LAST "16383"
#define WINDOW_BYTES ((size_t)16384)

struct pass {
    struct session_store *store;
    const struct layout *layout;
    struct pass_request *requests; /* that take part */
    char *pattern;                 /* for MATCH */
    char count[24];
    struct sight seen; /* whoever it belongs to */
    bool sampling;     /* for nobody, until enough was seen */
    bool paced;        /* questions apart from a step's keep to the share */
    struct receipt *receipt;
};

/* ---- one value ---- */

/* `match`: of this person. */
static enum outcome settle(struct pass *pass, struct pass_request *request, const redisReply *key, enum match match, int64_t created_us)
{
    sweep_unsure(&request->sweep, match, pass->layout, key->str, key->len);
    if (match != MATCH_THEIRS || sweep_keeps(request->query, created_us, &request->sweep))
        return OUTCOME_APPLIED;
    return session_end(pass->store, pass->layout, key->str, key->len, &request->sweep, pass->receipt);
}

static enum outcome meet(struct pass *pass, struct pass_request *request, const redisReply *key, const char *bytes, size_t length,
                         int64_t created_us)
{
    int64_t told_us = 0;
    enum match match = look_at_value(pass->layout, request->query->users, bytes, length, &told_us);

    return settle(pass, request, key, match, told_us != 0 ? told_us : created_us);
}

static enum outcome meet_all(struct pass *pass, const redisReply *key, const char *bytes, size_t length, int64_t created_us)
{
    enum outcome outcome = OUTCOME_APPLIED;

    sight_value(&pass->seen, pass->layout, bytes, length);
    for (struct pass_request *request = pass->requests; request != NULL && outcome == OUTCOME_APPLIED; request = request->next)
        outcome = meet(pass, request, key, bytes, length, created_us);
    return outcome;
}

/* One question of its own, within the share. */
static redisReply *ask_apart(struct pass *pass, const redisReply *key, const struct redis_command *command)
{
    if (!pass->paced)
        return store_ask_key(pass->store, key->str, key->len, command, pass->receipt);
    throttle_begin(&pass->store->shared->throttle);
    redisReply *reply = store_ask_key(pass->store, key->str, key->len, command, pass->receipt);
    throttle_end(&pass->store->shared->throttle);
    return reply;
}

/* ---- one that is larger than the window ---- */

/* Part of a value: of a key, or of a hash's field, which Redis gives in parts to a script alone. */
static redisReply *ask_part(struct pass *pass, const redisReply *key, int64_t from)
{
    static const char script[] = "return string.sub(redis.call('hget',KEYS[1],ARGV[1]) or '',ARGV[2]+1,ARGV[3]+1)";
    const char *field = pass->layout->field;
    char first[24], last[24];

    snprintf(first, sizeof(first), "%lld", (long long)from);
    snprintf(last, sizeof(last), "%lld", (long long)(from + pass->store->settings->value_bytes_most - 1));
    const struct redis_command string = { 4, (const char *const[]){ "GETRANGE", key->str, first, last },
                                          (const size_t[]){ 8, key->len, strlen(first), strlen(last) } };
    const struct redis_command hash = { 7, (const char *const[]){ "EVAL", script, "1", key->str, field, first, last },
                                        (const size_t[]){ 4, sizeof(script) - 1, 1, key->len, field != NULL ? strlen(field) : 0,
                                                          strlen(first), strlen(last) } };
    return ask_apart(pass, key, pass->layout->type == TYPE_HASH ? &hash : &string);
}

static bool look_for_all(struct pass *pass, struct look *look)
{
    bool good = look != NULL;

    for (struct pass_request *request = pass->requests; request != NULL && good; request = request->next)
        good = look_for(look, request->query->users);
    return good;
}

static enum outcome settle_all(struct pass *pass, const redisReply *key, struct look *look, bool whole, int64_t created_us)
{
    enum outcome outcome = OUTCOME_APPLIED;
    size_t person = 0;

    sight_value(&pass->seen, pass->layout, NULL, 0);
    for (struct pass_request *request = pass->requests; request != NULL && outcome == OUTCOME_APPLIED; request = request->next, person++)
        outcome = settle(pass, request, key, whole ? look_end(look, person) : MATCH_UNREADABLE, created_us);
    return outcome;
}

/* Takes `part`, the first one. False: the value could not be read to its end. */
static bool look_at_parts(struct pass *pass, const redisReply *key, struct look *look, redisReply *part)
{
    size_t most = (size_t)pass->store->settings->value_bytes_most, length = most;

    for (int64_t at = (int64_t)most; part != NULL && part->type == REDIS_REPLY_STRING && length == most; at += (int64_t)most) {
        length = part->len;
        look_piece(look, part->str, length);
        freeReplyObject(part);
        part = length == most ? ask_part(pass, key, at) : NULL;
    }
    if (part != NULL)
        freeReplyObject(part);
    return length < most;
}

/* Not to be let at a script is no failure: the value cannot be looked into then. */
static bool is_forbidden(struct receipt *receipt)
{
    bool forbidden = receipt->reason != NULL && strstr(receipt->reason, "(\"NOPERM") != NULL;

    if (forbidden)
        receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    return forbidden;
}

/* A value larger than value_size_max is searched part by part. What cannot be read in parts can be anybody's. */
static enum outcome look_through(struct pass *pass, const redisReply *key, redisReply *first, int64_t created_us)
{
    struct look *look = look_begin(pass->layout);
    bool ready = !pass->sampling && look_for_all(pass, look), whole = ready && look_at_parts(pass, key, look, first);

    if (!ready && first != NULL)
        freeReplyObject(first);
    bool failed = !whole && pass->receipt->outcome != OUTCOME_APPLIED && pass->receipt->outcome != OUTCOME_REJECTED &&
                  !is_forbidden(pass->receipt);
    enum outcome outcome = failed ? pass->receipt->outcome : settle_all(pass, key, look, whole, created_us);
    look_free(look);
    return outcome;
}

/* More than the window: all that is read at once, and the rest in parts. */
static enum outcome meet_large(struct pass *pass, const redisReply *key)
{
    redisReply *value = ask_part(pass, key, 0);

    if (value == NULL)
        return pass->receipt->outcome;
    if (value->type == REDIS_REPLY_STRING && (int64_t)value->len == pass->store->settings->value_bytes_most)
        return look_through(pass, key, value, 0);
    enum outcome outcome = value->type == REDIS_REPLY_STRING ? meet_all(pass, key, value->str, value->len, 0) : OUTCOME_APPLIED;
    freeReplyObject(value);
    return outcome;
}

/* A key that lies elsewhere by now is asked for there; of another type: it is no session. */
static enum outcome meet_string(struct pass *pass, const redisReply *key, const redisReply *value)
{
    if (reply_is_error(value, "MOVED ") || reply_is_error(value, "ASK ") ||
        (value->type == REDIS_REPLY_STRING && value->len >= WINDOW_BYTES))
        return meet_large(pass, key);
    if (value->type == REDIS_REPLY_STRING && value->len > 0)
        return meet_all(pass, key, value->str, value->len, 0);
    if (value->type != REDIS_REPLY_ERROR || reply_is_error(value, "WRONGTYPE")) {
        pass->seen.others++;
        return OUTCOME_APPLIED;
    }
    return link_refused(pass->store->links[0], value, pass->receipt);
}

/* The person's field of a hash, and when it was created: [field, created_at]. */
static const char *created_field(const struct layout *layout)
{
    return layout->created_at != NULL ? layout->created_at : layout->field;
}

static enum outcome meet_fields(struct pass *pass, const redisReply *key, const redisReply *fields)
{
    const struct layout *layout = pass->layout;

    if (fields->type == REDIS_REPLY_ERROR)
        pass->seen.others++;
    else if (fields->type != REDIS_REPLY_ARRAY || fields->elements != 2 || fields->element[0]->type != REDIS_REPLY_STRING)
        sight_value(&pass->seen, layout, NULL, 0); /* without that field */
    if (fields->type != REDIS_REPLY_ARRAY || fields->elements != 2 || fields->element[0]->type != REDIS_REPLY_STRING)
        return OUTCOME_APPLIED;
    const redisReply *created = fields->element[1];
    int64_t created_us = layout->created_at != NULL && created->type == REDIS_REPLY_STRING
                             ? match_time(layout->created_unit, created->str, created->len)
                             : 0;
    return meet_all(pass, key, fields->element[0]->str, fields->element[0]->len, created_us);
}

static int64_t field_created_us(struct pass *pass, const redisReply *key)
{
    const char *field = pass->layout->created_at;
    const struct redis_command command = { 3, (const char *const[]){ "HGET", key->str, field },
                                           (const size_t[]){ 4, key->len, field != NULL ? strlen(field) : 0 } };
    cleanup_reply redisReply *created = field != NULL ? ask_apart(pass, key, &command) : NULL;

    return created != NULL && created->type == REDIS_REPLY_STRING ? match_time(pass->layout->created_unit, created->str, created->len) : 0;
}

/* A hash that lies elsewhere by now. */
static enum outcome meet_moved(struct pass *pass, const redisReply *key)
{
    const char *field = pass->layout->field, *created_at = created_field(pass->layout);
    const struct redis_command command = { 4, (const char *const[]){ "HMGET", key->str, field, created_at },
                                           (const size_t[]){ 5, key->len, strlen(field), strlen(created_at) } };
    cleanup_reply redisReply *fields = ask_apart(pass, key, &command);

    return fields != NULL ? meet_fields(pass, key, fields) : pass->receipt->outcome;
}

static enum outcome meet_hash(struct pass *pass, const redisReply *key, const redisReply *value)
{
    if (value->type == REDIS_REPLY_INTEGER && value->integer > pass->store->settings->value_bytes_most) {
        int64_t created_us = field_created_us(pass, key); /* asked first: what comes of the value has the last word */
        return look_through(pass, key, ask_part(pass, key, 0), created_us);
    }
    if (reply_is_error(value, "MOVED ") || reply_is_error(value, "ASK "))
        return meet_moved(pass, key);
    else if (value->type == REDIS_REPLY_ERROR && !reply_is_error(value, "WRONGTYPE"))
        return link_refused(pass->store->links[0], value, pass->receipt);
    return meet_fields(pass, key, value);
}

/* ---- one step: the values of some keys, and the next keys ---- */

static bool is_lock(const struct layout *layout, const redisReply *key)
{
    size_t length;

    return layout->lock != NULL && layout_id(layout->lock, key->str, key->len, &length) != NULL;
}

static bool send_question(struct pass *pass, struct redis_link *link, const redisReply *key)
{
    const char *field = pass->layout->field;

    if (pass->layout->type == TYPE_HASH)
        return link_send(link,
                         &(const struct redis_command){ 3, (const char *const[]){ "HSTRLEN", key->str, field },
                                                        (const size_t[]){ 7, key->len, strlen(field) } },
                         pass->receipt);
    return link_send(link,
                     &(const struct redis_command){ 4, (const char *const[]){ "GETRANGE", key->str, "0", WINDOW_LAST },
                                                    (const size_t[]){ 8, key->len, 1, sizeof(WINDOW_LAST) - 1 } },
                     pass->receipt);
}

static bool send_scan(struct pass *pass, struct redis_link *link, const char *cursor)
{
    return link_send(link, REDIS_COMMAND("SCAN", cursor, "MATCH", pass->pattern, "COUNT", pass->count), pass->receipt);
}

static void free_replies(redisReply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (replies[i] != NULL)
            freeReplyObject(replies[i]);
    free(replies);
}

/* One round trip: the questions about `keys`, and where the cursor goes on. */
static bool ask_step(struct pass *pass, struct redis_link *link, const redisReply *keys, const char *cursor, redisReply **values,
                     redisReply **ret_scanned)
{
    bool good = true;

    for (size_t i = 0; i < keys->elements && good; i++)
        good = send_question(pass, link, keys->element[i]);
    if (good && cursor != NULL)
        good = send_scan(pass, link, cursor);
    for (size_t i = 0; i < keys->elements && good; i++)
        good = (values[i] = link_take(link, pass->receipt)) != NULL;
    if (good && cursor != NULL)
        good = (*ret_scanned = link_take(link, pass->receipt)) != NULL;
    return good;
}

static bool is_to_be_read(const struct pass *pass, const redisReply *length)
{
    return length->type == REDIS_REPLY_INTEGER && length->integer > 0 && length->integer <= pass->store->settings->value_bytes_most;
}

/* The second round trip, for hashes: the lengths of fields become the fields. */
static bool ask_fields(struct pass *pass, struct redis_link *link, const redisReply *keys, redisReply **values)
{
    const char *field = pass->layout->field, *created_at = created_field(pass->layout);
    bool good = true;

    for (size_t i = 0; i < keys->elements && good; i++) {
        const redisReply *key = keys->element[i];
        const struct redis_command command = { 4, (const char *const[]){ "HMGET", key->str, field, created_at },
                                               (const size_t[]){ 5, key->len, strlen(field), strlen(created_at) } };
        good = !is_to_be_read(pass, values[i]) || link_send(link, &command, pass->receipt);
    }
    for (size_t i = 0; i < keys->elements && good; i++) {
        if (!is_to_be_read(pass, values[i]))
            continue;
        freeReplyObject(values[i]);
        good = (values[i] = link_take(link, pass->receipt)) != NULL;
    }
    return good;
}

static enum outcome meet_step(struct pass *pass, const redisReply *keys, redisReply *const *values)
{
    enum outcome outcome = OUTCOME_APPLIED;

    for (size_t i = 0; i < keys->elements && outcome == OUTCOME_APPLIED; i++) {
        const redisReply *key = keys->element[i];
        if (!is_lock(pass->layout, key))
            outcome = (pass->layout->type == TYPE_HASH ? meet_hash : meet_string)(pass, key, values[i]);
    }
    return outcome;
}

static enum outcome step(struct pass *pass, struct redis_link *link, const redisReply *keys, const char *cursor,
                         redisReply **ret_scanned)
{
    redisReply **values = calloc(keys->elements + 1, sizeof(*values));

    if (values == NULL)
        return receipt_set(pass->receipt, OUTCOME_RETRY, 0, "out of memory");
    throttle_begin(&pass->store->shared->throttle);
    bool good = ask_step(pass, link, keys, cursor, values, ret_scanned);
    if (good && pass->layout->type == TYPE_HASH)
        good = ask_fields(pass, link, keys, values);
    throttle_end(&pass->store->shared->throttle);
    enum outcome outcome = good ? meet_step(pass, keys, values) : pass->receipt->outcome;
    free_replies(values, keys->elements);
    return outcome;
}

/* ---- one node ---- */

/* [cursor, [keys]]; a false answer is in the receipt. */
static bool is_scanned(struct pass *pass, const struct redis_link *link, const redisReply *scanned)
{
    if (scanned->type == REDIS_REPLY_ERROR)
        link_refused(link, scanned, pass->receipt);
    else if (scanned->type != REDIS_REPLY_ARRAY || scanned->elements != 2 || !reply_is_text(scanned->element[0]) ||
             scanned->element[1]->type != REDIS_REPLY_ARRAY)
        receipt_set(pass->receipt, OUTCOME_RETRY, 0, "the answer to SCAN cannot be read");
    else
        return true;
    return false;
}

static bool is_enough(const struct pass *pass)
{
    return pass->sampling && pass->seen.sampled == SAMPLE_MOST;
}

static enum outcome pass_node(struct pass *pass, struct redis_link *link)
{
    redisReply *scanned = NULL;
    const redisReply none = { .type = REDIS_REPLY_ARRAY };
    enum outcome outcome = step(pass, link, &none, "0", &scanned);

    while (outcome == OUTCOME_APPLIED && scanned != NULL && !is_enough(pass)) {
        redisReply *next = NULL;
        if (is_scanned(pass, link, scanned)) {
            const char *cursor = scanned->element[0]->str;
            outcome = step(pass, link, scanned->element[1], strcmp(cursor, "0") != 0 ? cursor : NULL, &next);
        } else {
            outcome = pass->receipt->outcome;
        }
        freeReplyObject(scanned);
        scanned = next;
    }
    if (scanned != NULL)
        freeReplyObject(scanned);
    return outcome;
}

char *glob_of(const char *pattern)
{
    struct buf glob = { 0 };

    for (; *pattern != '\0'; pattern++) {
        if (strchr("?[]\\", *pattern) != NULL)
            buf_add_char(&glob, '\\');
        buf_add_char(&glob, *pattern);
    }
    return buf_take(&glob);
}

static enum outcome pass_nodes(struct pass *pass)
{
    struct session_store *store = pass->store;
    cleanup_free char *glob = glob_of(pass->layout->pattern);
    enum outcome outcome = OUTCOME_APPLIED;

    if (glob == NULL)
        return receipt_set(pass->receipt, OUTCOME_RETRY, 0, "out of memory");
    pass->pattern = glob;
    snprintf(pass->count, sizeof(pass->count), "%lld", (long long)store->settings->step_entries);
    for (size_t i = 0; i < store->link_count && outcome == OUTCOME_APPLIED; i++)
        outcome = pass_node(pass, store->links[i]);
    return outcome;
}

static enum outcome pass_run(struct session_store *store, struct pass_request *requests, struct receipt *receipt)
{
    struct pass pass = { .store = store, .layout = requests->query->layout, .requests = requests, .paced = true, .receipt = receipt };
    enum outcome outcome = pass_nodes(&pass);

    for (struct pass_request *request = requests; request != NULL; request = request->next)
        request->sweep.sight = pass.seen;
    return outcome;
}

enum outcome pass_sample(struct session_store *store, const struct layout *layout, struct sight *sight, struct receipt *receipt)
{
    struct pass pass = { .store = store, .layout = layout, .sampling = true, .paced = true, .receipt = receipt };
    enum outcome outcome = pass_nodes(&pass);

    *sight = pass.seen;
    return outcome;
}

enum outcome pass_sweep_keys(struct session_store *store, const struct session_query *query, char *const *keys,
                             struct sweep *sweep, struct receipt *receipt)
{
    struct pass_request own = { .query = query };
    struct pass pass = { .store = store, .layout = query->layout, .requests = &own, .receipt = receipt };
    enum outcome outcome = OUTCOME_APPLIED;

    for (; *keys != NULL && outcome == OUTCOME_APPLIED; keys++) {
        const redisReply key = { .type = REDIS_REPLY_STRING, .str = *keys, .len = strlen(*keys) };
        outcome = meet_large(&pass, &key);
    }
    *sweep = own.sweep;
    return outcome;
}

/* ---- together ---- */

/* Takes those out of the waiting list that look at the same keys in the same way. */
static struct pass_request *gather(struct passes *passes, const struct layout *layout)
{
    struct pass_request *batch = NULL;

    for (struct pass_request **at = &passes->waiting; *at != NULL;) {
        struct pass_request *request = *at;
        if (!layout_same(request->query->layout, layout)) {
            at = &request->next;
            continue;
        }
        *at = request->next;
        request->next = batch;
        request->taken = true;
        batch = request;
    }
    return batch;
}

static void tell_all(struct pass_request *batch, enum outcome outcome, const struct receipt *receipt)
{
    for (struct pass_request *request = batch, *next; request != NULL; request = next) {
        next = request->next; /* its owner may go as soon as it is done */
        receipt_set(&request->receipt, outcome, receipt->remote_code, receipt->reason != NULL ? "%s" : NULL, receipt->reason);
        request->done = true;
    }
}

static void lead(struct session_store *store, struct passes *passes, const struct layout *layout)
{
    struct receipt receipt = { 0 };

    passes->running = true;
    struct pass_request *batch = gather(passes, layout);
    pthread_mutex_unlock(&passes->lock);
    enum outcome outcome = pass_run(store, batch, &receipt);
    pthread_mutex_lock(&passes->lock);
    passes->running = false;
    tell_all(batch, outcome, &receipt);
    pthread_cond_broadcast(&passes->ended);
    receipt_clear(&receipt);
}

enum outcome pass_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                        struct receipt *receipt)
{
    struct passes *passes = &store->shared->passes;
    struct pass_request own = { .query = query };

    pthread_mutex_lock(&passes->lock);
    own.next = passes->waiting;
    passes->waiting = &own;
    while (!own.done && (own.taken || passes->running))
        pthread_cond_wait(&passes->ended, &passes->lock);
    if (!own.done)
        lead(store, passes, query->layout);
    pthread_mutex_unlock(&passes->lock);
    enum outcome outcome = own.receipt.outcome;
    if (outcome != OUTCOME_APPLIED)
        sweep_clear(&own.sweep);
    *ret_sweep = own.sweep;
    receipt_set(receipt, outcome, own.receipt.remote_code, own.receipt.reason != NULL ? "%s" : NULL, own.receipt.reason);
    receipt_clear(&own.receipt);
    return outcome;
}
