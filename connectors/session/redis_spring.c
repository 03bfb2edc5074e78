/*
 * Spring Session's indexed Redis repository: the person's sessions stand in a
 * set, and a session is ended in the steps in which Spring itself ends one, so
 * that the application hears of it (its SessionDestroyedEvent) and no index
 * keeps a trace.
 * Source: RedisIndexedSessionRepository.deleteById, RedisSessionExpirationPolicy.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/match.h"
#include "connectors/session/redis_private.h"

#define MINUTE_MS INT64_C(60000)
#define JAVA_TEXT "\xac\xed\x00\x05t"
#define JAVA_TEXT_BYTES 5

struct spring_session {
    const redisReply *member; /* as it stands in the index */
    char *id;
    char *key;
    int64_t created_us;
    int64_t ends_ms;          /* last access and the longest pause; 0: not told */
    struct buf zero;          /* a maxInactiveInterval of 0, written as the application writes it */
};

static void spring_session_clear(struct spring_session *session)
{
    free(session->id);
    free(session->key);
    buf_free(&session->zero);
}

/* Asks the node of `key`; `words` after the verb and the key. */
static redisReply *ask3(struct session_store *store, const char *verb, const char *key, const char *third, size_t third_length,
                        struct receipt *receipt)
{
    const struct redis_command command = { 3, (const char *const[]){ verb, key, third },
                                           (const size_t[]){ strlen(verb), strlen(key), third_length } };

    return store_ask_key(store, key, strlen(key), &command, receipt);
}

/* A JDK-serialised text, one in JSON's quotes, or as it is. */
static char *plain_text(const redisReply *text)
{
    size_t java = JAVA_TEXT_BYTES + 2;

    if (text->len > java && memcmp(text->str, JAVA_TEXT, JAVA_TEXT_BYTES) == 0)
        return strndup(text->str + java, text->len - java);
    if (text->len > 2 && text->str[0] == '"' && text->str[text->len - 1] == '"')
        return strndup(text->str + 1, text->len - 2);
    return strndup(text->str, text->len);
}

/* `text`, written as `like` is. */
static void add_like(struct buf *buf, const redisReply *like, const char *text)
{
    size_t length = strlen(text);

    if (like->len > JAVA_TEXT_BYTES && memcmp(like->str, JAVA_TEXT, JAVA_TEXT_BYTES) == 0) {
        buf_add(buf, JAVA_TEXT, JAVA_TEXT_BYTES);
        buf_add_char(buf, (char)(length >> 8 & 0xff));
        buf_add_char(buf, (char)(length & 0xff));
    }
    buf_printf(buf, like->len > 0 && like->str[0] == '"' ? "\"%s\"" : "%s", text);
}

/* A JDK-serialised Integer ends in its four bytes. */
static bool is_java_number(const redisReply *field)
{
    return field->type == REDIS_REPLY_STRING && field->len > 8 && memcmp(field->str, "\xac\xed\x00\x05", 4) == 0;
}

static int64_t seconds_of(const redisReply *field)
{
    long long seconds = 0;
    const unsigned char *end = (const unsigned char *)field->str + field->len;

    if (is_java_number(field))
        return (int32_t)((uint32_t)end[-4] << 24 | (uint32_t)end[-3] << 16 | (uint32_t)end[-2] << 8 | end[-1]);
    return field->type == REDIS_REPLY_STRING && str_to_int64(field->str, &seconds) ? seconds : 0;
}

static void write_zero(struct buf *buf, const redisReply *like)
{
    if (is_java_number(like)) {
        buf_add(buf, like->str, like->len - 4);
        buf_add(buf, "\0\0\0\0", 4);
    } else {
        buf_add_char(buf, '0');
    }
}

static int64_t time_us(const redisReply *field)
{
    return field->type == REDIS_REPLY_STRING ? match_time(UNIT_MILLISECONDS, field->str, field->len) : 0;
}

/* *ret_live: the session is there and has not been ended yet. */
static enum outcome look(struct session_store *store, struct spring_session *session, bool *ret_live, struct receipt *receipt)
{
    cleanup_reply redisReply *fields =
        store_ask_key(store, session->key, strlen(session->key),
                      REDIS_COMMAND("HMGET", session->key, "creationTime", "lastAccessedTime", "maxInactiveInterval"), receipt);

    if (fields == NULL)
        return receipt->outcome;
    const redisReply *longest = fields->elements == 3 ? fields->element[2] : NULL;
    if (longest == NULL || longest->type != REDIS_REPLY_STRING || seconds_of(longest) == 0)
        return OUTCOME_APPLIED;
    session->created_us = time_us(fields->element[0]);
    int64_t accessed_ms = time_us(fields->element[1]) / 1000;
    session->ends_ms = accessed_ms > 0 ? accessed_ms + seconds_of(longest) * 1000 : 0;
    write_zero(&session->zero, longest);
    *ret_live = true;
    return OUTCOME_APPLIED;
}

/* ---- the steps ---- */

static enum outcome leave_index(struct session_store *store, const struct spring_session *session, const char *index,
                                struct receipt *receipt)
{
    cleanup_reply redisReply *reply = ask3(store, "SREM", index, session->member->str, session->member->len, receipt);

    return reply != NULL ? OUTCOME_APPLIED : receipt->outcome;
}

static enum outcome leave_expirations(struct session_store *store, const struct layout *layout,
                                      const struct spring_session *session, struct receipt *receipt)
{
    cleanup_buf struct buf member = { 0 };
    char time[24];

    if (layout->expirations == NULL || session->ends_ms == 0)
        return OUTCOME_APPLIED;
    snprintf(time, sizeof(time), "%" PRId64, (session->ends_ms / MINUTE_MS + 1) * MINUTE_MS);
    cleanup_free char *key = layout_key(layout->expirations, time), *text = str_printf("expires:%s", session->id);
    if (text != NULL)
        add_like(&member, session->member, text);
    if (key == NULL || text == NULL || member.failed)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    cleanup_reply redisReply *reply = ask3(store, "SREM", key, member.bytes, member.length, receipt);
    return reply != NULL ? OUTCOME_APPLIED : receipt->outcome;
}

static enum outcome drop_expires_key(struct session_store *store, const struct layout *layout,
                                     const struct spring_session *session, struct receipt *receipt)
{
    bool gone;

    if (layout->expires == NULL)
        return OUTCOME_APPLIED;
    cleanup_free char *key = layout_key(layout->expires, session->id);
    if (key == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    return key_remove(store, key, strlen(key), &gone, receipt);
}

/* The session stays for five minutes, void, so that the application can read
 * what it has lost. A server without memory for that loses it at once. */
static enum outcome make_void(struct session_store *store, const struct spring_session *session, struct receipt *receipt)
{
    const struct redis_command command = {
        4, (const char *const[]){ "HSET", session->key, "maxInactiveInterval", session->zero.bytes },
        (const size_t[]){ 4, strlen(session->key), 19, session->zero.length }
    };
    cleanup_reply redisReply *set = store_ask_key(store, session->key, strlen(session->key), &command, receipt);
    bool gone;

    if (set == NULL && receipt->outcome == OUTCOME_RETRY)
        return key_remove(store, session->key, strlen(session->key), &gone, receipt);
    if (set == NULL)
        return receipt->outcome;
    cleanup_reply redisReply *expire =
        store_ask_key(store, session->key, strlen(session->key), REDIS_COMMAND("EXPIRE", session->key, "300"), receipt);
    return expire != NULL ? OUTCOME_APPLIED : receipt->outcome;
}

/* The index goes last: what fails before is found by it when the sweep is made again. */
static enum outcome end_live(struct session_store *store, const struct layout *layout, const struct spring_session *session,
                             struct receipt *receipt)
{
    enum outcome outcome = leave_expirations(store, layout, session, receipt);

    if (outcome == OUTCOME_APPLIED)
        outcome = make_void(store, session, receipt); /* before its expires key goes: what the application reads then is void */
    return outcome;
}

static enum outcome end_member(struct session_store *store, const struct session_query *query, const char *index,
                               const redisReply *member, struct sweep *sweep, struct receipt *receipt)
{
    __attribute__((cleanup(spring_session_clear))) struct spring_session session = { .member = member, .id = plain_text(member) };
    bool live = false;

    session.key = session.id != NULL ? layout_key(query->layout->pattern, session.id) : NULL;
    if (session.key == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    enum outcome outcome = look(store, &session, &live, receipt);
    if (outcome != OUTCOME_APPLIED || (live && sweep_keeps(query, session.created_us, sweep)))
        return outcome;
    if (live)
        outcome = end_live(store, query->layout, &session, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = drop_expires_key(store, query->layout, &session, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = leave_index(store, &session, index, receipt);
    if (outcome == OUTCOME_APPLIED && live) {
        sweep->found++;
        sweep->ended++;
    }
    return outcome;
}

/* ---- a person's set ---- */

static enum outcome sweep_user(struct session_store *store, const struct session_query *query, const char *user,
                               struct sweep *sweep, struct receipt *receipt)
{
    cleanup_free char *index = layout_key(query->layout->index, user);
    enum outcome outcome = OUTCOME_APPLIED;

    if (index == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    cleanup_reply redisReply *members = store_ask_key(store, index, strlen(index), REDIS_COMMAND("SMEMBERS", index), receipt);
    if (members == NULL)
        return receipt->outcome;
    for (size_t i = 0; i < members->elements && outcome == OUTCOME_APPLIED; i++)
        if (members->element[i]->type == REDIS_REPLY_STRING)
            outcome = end_member(store, query, index, members->element[i], sweep, receipt);
    return outcome;
}

/* ---- all sets ---- */

struct cased {
    struct session_store *store;
    const struct session_query *query;
    struct sweep *sweep;
    struct receipt *receipt;
    enum outcome outcome;
};

/* A set of this name in another case: theirs, or told. */
static bool meet_index(void *arg, const char *key, size_t length)
{
    struct cased *cased = arg;
    const struct layout *layout = cased->query->layout;
    size_t name_length = 0;
    const char *name = layout_id(layout->index, key, length, &name_length);
    enum match match = name != NULL ? match_name(layout, cased->query->users, name, name_length) : MATCH_OTHER;

    sweep_unsure(cased->sweep, match, layout, key, length);
    cleanup_free char *user = match == MATCH_THEIRS ? strndup(name, name_length) : NULL;
    if (user != NULL)
        cased->outcome = sweep_user(cased->store, cased->query, user, cased->sweep, cased->receipt);
    return cased->outcome == OUTCOME_APPLIED;
}

/* Costs a look at the names of all keys; ignore_case = false does without. */
static enum outcome sweep_other_cases(struct session_store *store, const struct session_query *query, struct sweep *sweep,
                                      struct receipt *receipt)
{
    struct cased cased = { store, query, sweep, receipt, OUTCOME_APPLIED };
    enum outcome outcome = scan_keys(store, query->layout->index, meet_index, &cased, receipt);

    return outcome != OUTCOME_APPLIED ? outcome : cased.outcome;
}

struct names {
    const struct layout *layout;
    struct sight *sight;
};

static bool meet_name(void *arg, const char *key, size_t length)
{
    struct names *names = arg;
    size_t name_length = 0;
    const char *name = layout_id(names->layout->index, key, length, &name_length);

    if (name != NULL)
        sight_name(names->sight, name, name_length);
    return names->sight->sampled < SAMPLE_MOST;
}

enum outcome spring_sample(struct session_store *store, const struct layout *layout, struct sight *sight, struct receipt *receipt)
{
    struct names names = { layout, sight };

    return scan_keys(store, layout->index, meet_name, &names, receipt);
}

enum outcome spring_sweep(struct session_store *store, const struct session_query *query, struct sweep *sweep,
                          struct receipt *receipt)
{
    enum outcome outcome = OUTCOME_APPLIED;

    for (const char *const *user = query->users; *user != NULL && outcome == OUTCOME_APPLIED; user++)
        outcome = sweep_user(store, query, *user, sweep, receipt);
    if (outcome == OUTCOME_APPLIED && sweep->found == 0 && query->layout->ignore_case != CASE_EXACT)
        outcome = sweep_other_cases(store, query, sweep, receipt);
    return outcome;
}
