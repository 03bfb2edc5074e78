/*
 * Markers: PREFIXdenied:USER = "1", PREFIXsigned_in:USER = {"since": …,
 * "expires": …}, which goes by itself when it expires.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "connectors/session/redis_private.h"

static char *mark_key(const struct session_store *store, const char *what, const char *user)
{
    return str_printf("%s%s:%s", store->settings->marker_prefix, what, user);
}

/* *ret_reply: STRING or NIL. */
static enum outcome get(struct session_store *store, const char *key, redisReply **ret_reply, struct receipt *receipt)
{
    if (key == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    *ret_reply = store_ask_key(store, key, strlen(key), REDIS_COMMAND("GET", key), receipt);
    return *ret_reply != NULL ? OUTCOME_APPLIED : receipt->outcome;
}

static void read_signed_in(const redisReply *reply, struct session_marks *marks)
{
    json_t *value = reply->type == REDIS_REPLY_STRING ? json_loadb(reply->str, reply->len, 0, NULL) : NULL;
    const char *since = json_string_value(json_object_get(value, "since")),
               *expires = json_string_value(json_object_get(value, "expires"));

    if (since != NULL && expires != NULL) { /* anything else is not ours, and is written over */
        marks->since = str_dup(since);
        marks->expires = str_dup(expires);
    }
    json_decref(value);
}

enum outcome redis_read_marks(struct session_store *store, const struct layout *layout, const char *user,
                              struct session_marks *ret_marks, struct receipt *receipt)
{
    cleanup_free char *denied_key = mark_key(store, "denied", user), *signed_key = mark_key(store, "signed_in", user);
    cleanup_reply redisReply *denied = NULL, *signed_in = NULL;

    (void)layout;
    enum outcome outcome = store_ready(store, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = get(store, denied_key, &denied, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = get(store, signed_key, &signed_in, receipt);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    ret_marks->denied = denied->type == REDIS_REPLY_STRING;
    read_signed_in(signed_in, ret_marks);
    return OUTCOME_APPLIED;
}

static enum outcome set_or_remove(struct session_store *store, const char *key, const char *value, const char *life_ms,
                                  struct receipt *receipt)
{
    bool gone;

    if (key == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (value == NULL)
        return key_remove(store, key, strlen(key), &gone, receipt);
    cleanup_reply redisReply *reply = store_ask_key(
        store, key, strlen(key),
        life_ms != NULL ? REDIS_COMMAND("SET", key, value, "PX", life_ms) : REDIS_COMMAND("SET", key, value), receipt);
    return reply != NULL ? OUTCOME_APPLIED : receipt->outcome;
}

static enum outcome write_signed_in(struct session_store *store, const char *key, const struct session_marks *marks,
                                    struct receipt *receipt)
{
    struct wall expires;
    char life_ms[24];

    if (marks->since == NULL)
        return set_or_remove(store, key, NULL, NULL, receipt);
    if (!wall_parse(marks->expires, &expires))
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "the marker signed_in expires at \"%s\", which is no time",
                           marks->expires);
    int64_t left_ms = (expires.us - clock_wall(clock_system()).us) / 1000;
    if (left_ms <= 0)
        return set_or_remove(store, key, NULL, NULL, receipt);
    snprintf(life_ms, sizeof(life_ms), "%" PRId64, left_ms);
    json_t *value = json_pack("{s:s, s:s}", "since", marks->since, "expires", marks->expires);
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    enum outcome outcome = text != NULL ? set_or_remove(store, key, text, life_ms, receipt)
                                        : receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    free(text);
    json_decref(value);
    return outcome;
}

enum outcome redis_write_marks(struct session_store *store, const struct layout *layout, const char *user,
                               const struct session_marks *marks, struct receipt *receipt)
{
    cleanup_free char *denied_key = mark_key(store, "denied", user), *signed_key = mark_key(store, "signed_in", user);

    (void)layout;
    enum outcome outcome = store_ready(store, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = set_or_remove(store, denied_key, marks->denied ? "1" : NULL, NULL, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = write_signed_in(store, signed_key, marks, receipt);
    return outcome;
}
