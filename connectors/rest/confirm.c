#include "connectors/rest/confirm.h"

#include <ctype.h>

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/pointer.h"
#include "connectors/rest/value.h"

/* What the operation wants `disabled` to be; -1: it does not care. */
int wanted_disabled(const struct operation *operation)
{
    return operation->kind == OPERATION_DISABLE ? 1 : operation->kind == OPERATION_ENABLE ? 0 : -1;
}

/* ---- is it disabled, or enabled? ---- */

/* What an account shows of the state that is wanted: 1 that it is so, 0 the contrary, -1 nothing. By `disabled` where the mapping
 * says how that is read, else by the booleans that are changed. */
static int shown_state(const struct operation *operation, const struct call *call, const json_t *item, int disabled)
{
    int state = -1;

    if (call->result.disabled != NULL)
        return disabled < 0 ? -1 : disabled == wanted_disabled(operation);
    for (size_t i = 0; i < operation->change_count && state != 0; i++) {
        const struct change *change = &operation->changes[i];
        cleanup_free char *pointer = attribute_pointer(call->pointers, change->name);
        int shown = pointer != NULL && json_is_boolean(change->values) ? value_boolean(pointer_get(item, pointer)) : -1;
        state = shown < 0 ? state : shown == json_is_true(change->values);
    }
    return state;
}

/* The same of the answer to the change, which may show less than the whole account. */
static int state_in_answer(const struct operation *operation, const struct call *call, const struct reply *reply)
{
    const json_t *item = reply->document != NULL ? pointer_get(reply->document, call->result.item) : NULL;
    const char *pointer = json_string_value(json_object_get(call->result.disabled, "pointer"));
    bool tells = pointer != NULL && pointer_get(item, pointer) != NULL;

    return shown_state(operation, call, item, tells ? answer_disabled(call, item) : -1);
}

/* "Accepted", and the mapping does not say that this is enough: what was promised is looked at. */
bool is_promise(const struct connector_session *session, const struct call *call, int status)
{
    return status == STATUS_ACCEPTED && !outcome_is_told(call, &session->shared->overrides, status);
}

/* It is not so, or not yet: to be looked at again. A success that did nothing can be this record's or the target's. */
static enum outcome say_not_yet(const struct connector_session *session, const struct call *call, const struct reply *reply,
                                const char *seen, struct receipt *receipt)
{
    cleanup_free char *words = session_message(session, call, reply);
    bool promise = is_promise(session, call, reply->http.status);

    session_say(session, call, OUTCOME_RETRY, reply->http.status, receipt, "%d, but %s: nothing was done, or not yet%s%s%s",
                reply->http.status, seen, words != NULL ? "; it says \"" : "", words != NULL ? words : "", words != NULL ? "\"" : "");
    receipt->refusal = promise ? REFUSAL_SURE : REFUSAL_UNSURE;
    receipt->retry_after_us = promise ? session->settings->lost_answer_wait_us : 0;
    return OUTCOME_RETRY;
}

/* Done, by the target's word alone. */
static enum outcome say_unseen(const struct connector_session *session, const struct call *call, int status, enum outcome done,
                               const char *what, const char *why, struct receipt *receipt)
{
    cleanup_free char *note = str_printf("%s %.*s: %d, and %s%s", call->method, (int)strcspn(call->path, "?"), call->path, status, what,
                                         why);

    free(receipt->note);
    receipt->note = note != NULL ? http_mask(session->client, note, strlen(note), strlen(note)) : NULL;
    return receipt_set(receipt, done, status, NULL);
}

/* The answer cannot be read, as the receipt says; nor does the account show that it is so. */
static enum outcome say_unread(const char *seen, struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_RETRY, receipt->remote_code, "%s; %s", receipt->reason != NULL ? receipt->reason : "the answer cannot be read",
                seen);
    receipt->refusal = REFUSAL_UNSURE;
    return OUTCOME_RETRY;
}

/* What failed was the look, not the change. */
static enum outcome say_unlooked(struct receipt *looked, struct receipt *receipt)
{
    receipt_move(looked, receipt);
    return receipt->outcome;
}

/* A leaver who is told to be out has to be out, and who is hired again is to be paid: where the answer shows nothing, or the
 * contrary (it may be an old copy), one more look decides. `answered`: what the answer showed. */
static enum outcome look_again(struct connector_session *session, const struct operation *operation, const struct call *call,
                               const struct reply *reply, int answered, struct receipt *receipt)
{
    static const char *const read[] = { "read again the account is still disabled", "read again the account is still enabled" };
    static const char *const told[] = { "the account in the answer is still disabled", "the account in the answer is still enabled" };
    cleanup_found struct found found = { 0 };
    struct receipt looked = { 0 };
    enum outcome done = reply->unusable ? OUTCOME_APPLIED : receipt->outcome;
    int wanted = wanted_disabled(operation), status = reply->http.status;
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, &looked);
    int state = outcome == OUTCOME_APPLIED ? shown_state(operation, call, found.item, found.disabled)
                : outcome == OUTCOME_GONE && wanted ? 1 : -1;

    if (state == 1)
        receipt_set(receipt, done, status, NULL);
    else if (reply->unusable)
        say_unread(state == 0 ? read[wanted] : looked.reason != NULL ? looked.reason : "read again the account does not show it", receipt);
    else if (outcome != OUTCOME_APPLIED)
        say_unlooked(&looked, receipt);
    else if (state == 0 || answered == 0)
        say_not_yet(session, call, reply, state == 0 ? read[wanted] : told[wanted], receipt);
    else
        say_unseen(session, call, status, done, "read again the account does not show whether it is ",
                   wanted ? "disabled (result.disabled)" : "enabled (result.disabled)", receipt);
    receipt_clear(&looked);
    return receipt->outcome;
}

/* "Success" that was none: a 2xx whose own document still says otherwise or cannot be read, or a promise that is not kept. */
enum outcome confirm_toggle(struct connector_session *session, const struct operation *operation, const struct call *call,
                            const struct reply *reply, struct receipt *receipt)
{
    int status = reply->http.status, shown = state_in_answer(operation, call, reply);
    bool told = status == STATUS_ACCEPTED && !is_promise(session, call, status);
    bool may_show = call->result.disabled != NULL || shown == 0;

    if (wanted_disabled(operation) < 0 || shown == 1 || told || !may_show)
        return receipt->outcome;
    return look_again(session, operation, call, reply, shown, receipt);
}

/* ---- what the answer to a change shows of it ---- */

static bool is_plain(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

/* Letters and digits without their case: a target takes notice of a telephone number or date, and writes it in a form of its own. */
static char *bare_text(const json_t *value)
{
    cleanup_free char *text = value_text(value);
    struct buf bare = { 0 };

    for (const char *c = text; c != NULL && *c != '\0'; c++)
        if (isalnum((unsigned char)*c) || (*c & 0x80) != 0)
            buf_add_char(&bare, (char)tolower((unsigned char)*c));
    return buf_take(&bare);
}

/* One is the other, in another form or cut short. */
static bool is_alike(const json_t *wanted, const json_t *there)
{
    cleanup_free char *one = bare_text(wanted), *other = bare_text(there);

    return one == NULL || other == NULL || value_fits(wanted, there) ||
           (one[0] != '\0' && other[0] != '\0' && (str_starts(one, other) || str_starts(other, one)));
}

/* Does a plain value stand there as it was before, and not as it was sent? Of a list nobody can tell. */
static bool is_ignored(const json_t *wanted, const json_t *before, const json_t *there)
{
    const char *name;
    json_t *value;

    if (json_is_object(wanted) && json_is_object(before) && json_is_object(there)) {
        json_object_foreach ((json_t *)(uintptr_t)wanted, name, value)
            if (is_ignored(value, json_object_get(before, name), json_object_get(there, name)))
                return true;
        return false;
    }
    if (!is_plain(there) || !json_equal(before, there))
        return false;
    return wanted == NULL || json_is_null(wanted) ? !value_is_nothing(there) : is_plain(wanted) && !is_alike(wanted, there);
}

/* The first attribute that was sent and is shown as it was before; NULL: none is. Borrowed. */
static const char *ignored_attribute(const struct operation *operation, const struct call *call, const json_t *before,
                                     const json_t *item)
{
    for (size_t i = 0; i < operation->change_count; i++) {
        const struct change *change = &operation->changes[i];
        cleanup_free char *pointer = attribute_pointer(call->pointers, change->name);
        const json_t *wanted = change->kind == CHANGE_DELETE ? NULL : change->values;
        if (pointer != NULL && is_ignored(wanted, pointer_get(before, pointer), pointer_get(item, pointer)))
            return change->name;
    }
    return NULL;
}

/* The account in an answer; NULL: it is about nothing, or about something else. */
static const json_t *item_of(const struct call *call, const struct reply *reply, const char *key)
{
    const json_t *item = reply->document != NULL ? pointer_get(reply->document, call->result.item) : NULL;
    cleanup_free char *id = NULL;

    return item != NULL && answer_id(call, item, &id, NULL) == 0 && str_equal(id, key) ? item : NULL;
}

/* An update whose answer shows the account as it was: an old copy, or it was ignored. One more look decides. */
enum outcome confirm_update(struct connector_session *session, const struct operation *operation, const struct call *call,
                            const struct reply *reply, const json_t *before, struct receipt *receipt)
{
    const json_t *item = item_of(call, reply, operation->key);
    cleanup_found struct found found = { 0 };
    struct receipt looked = { 0 };

    bool judged = !reply->unusable && reply->http.status != STATUS_ACCEPTED && item != NULL;

    if (!judged || ignored_attribute(operation, call, before, item) == NULL)
        return receipt->outcome;
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, &looked);
    const char *name = outcome == OUTCOME_APPLIED ? ignored_attribute(operation, call, before, found.item) : NULL;
    cleanup_free char *seen = name != NULL ? str_printf("read again \"%s\" is still as it was", name) : NULL;
    if (outcome != OUTCOME_APPLIED)
        return say_unlooked(&looked, receipt);
    receipt_clear(&looked);
    if (seen == NULL)
        return receipt->outcome;
    say_not_yet(session, call, reply, seen, receipt);
    receipt->refusal = REFUSAL_SURE; /* of this attribute */
    return receipt->outcome;
}

/* ---- is the member in, or out? ---- */

/* Nothing shows who is in the group. */
static enum outcome say_members_unseen(const struct connector_session *session, const struct call *call, int status,
                                       const char *why, struct receipt *receipt)
{
    return say_unseen(session, call, status, OUTCOME_APPLIED, "whether the member is out was not seen: ", why, receipt);
}

/* The look came to nothing. A group that cannot be read (too large, no right to) keeps nobody's work open for ever. */
static enum outcome say_group_unread(const struct connector_session *session, const struct call *call, int status,
                                     struct receipt *looked, struct receipt *receipt)
{
    bool gone = looked->outcome == OUTCOME_GONE;
    bool later = looked->outcome == OUTCOME_TARGET_DOWN || looked->remote_code >= 500 || looked->remote_code == 0;

    if (later)
        return say_unlooked(looked, receipt);
    if (!gone)
        say_members_unseen(session, call, status, looked->reason != NULL ? looked->reason : "the group cannot be read", receipt);
    receipt_clear(looked);
    return receipt->outcome;
}

/* One more look at the group: where the answer does not show who is in it, or shows the contrary (it may be an old copy). */
static enum outcome look_at_member(struct connector_session *session, const struct operation *operation, const struct call *call,
                                   const struct reply *reply, struct receipt *receipt)
{
    static const char *const seen[] = { "read again the group still has the member", "read again the group does not have the member" };
    bool wanted = operation->kind == OPERATION_MEMBER_ADD;
    cleanup_found struct found found = { 0 };
    struct receipt looked = { 0 };
    struct call read;
    int status = reply->http.status;

    if (call_find(operation->settings, CALL_READ, false, &read, NULL) < 0)
        return say_members_unseen(session, call, status, "requests.read does not find the group by account.key", receipt);
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, &looked);
    if (outcome != OUTCOME_APPLIED)
        return say_group_unread(session, call, status, &looked, receipt);
    int has = answer_has_member(call->pointers, found.item, operation->attribute, operation->value);
    receipt_clear(&looked);
    if (has == !wanted) {
        say_not_yet(session, call, reply, seen[wanted], receipt);
        receipt->refusal = REFUSAL_SURE; /* of this group */
        return receipt->outcome;
    }
    if (has < 0)
        return say_members_unseen(session, call, status, "the group does not show its members", receipt);
    return receipt->outcome;
}

/* A member who is told to be out has to be out. */
enum outcome confirm_member(struct connector_session *session, const struct operation *operation, const struct call *call,
                            const struct reply *reply, struct receipt *receipt)
{
    const json_t *item = item_of(call, reply, operation->key);
    int has = item != NULL ? answer_has_member(call->pointers, item, operation->attribute, operation->value) : -1;
    bool wanted = operation->kind == OPERATION_MEMBER_ADD, unshown = has < 0 && wanted;
    bool told = reply->http.status == STATUS_ACCEPTED && !is_promise(session, call, reply->http.status);

    if (has == wanted || unshown || told)
        return receipt->outcome;
    return look_at_member(session, operation, call, reply, receipt);
}

/* ---- is it gone? ---- */

/* After a "not found" that the receipt tells of: it was about the path, or about an old copy. */
static enum outcome say_still_there(const struct call *call, const struct found *found, struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_RETRY, receipt->remote_code, "%s; but \"%s\" is still there to be read: is requests.%s right?",
                receipt->reason != NULL ? receipt->reason : "not found", found->key, call_name(call->kind));
    receipt->refusal = REFUSAL_UNSURE;
    return OUTCOME_RETRY;
}

/* "Not found" may be about a wrong path: whoever is still there to be read did not go. */
enum outcome confirm_gone(struct connector_session *session, const struct operation *operation, const struct call *call,
                          struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    struct receipt looked = { 0 };
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, &looked);

    receipt_clear(&looked);
    return outcome == OUTCOME_APPLIED ? say_still_there(call, &found, receipt) : OUTCOME_GONE;
}

/* Nobody is there to be read. An API that is away altogether (not deployed, another tenant) answers 404 to all: then its list does not
 * answer either. */
static enum outcome check_api(struct connector_session *session, const struct operation *operation, enum outcome done, int status,
                              struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    enum outcome outcome = call_match_count(operation->settings) > 0 ? find_by_match(session, operation->settings, &found, receipt)
                                                                     : OUTCOME_GONE;
    bool answers = outcome == OUTCOME_GONE || outcome == OUTCOME_APPLIED || outcome == OUTCOME_AMBIGUOUS;

    return answers ? receipt_set(receipt, done, status, NULL) : outcome;
}

/* "Not found" to a removal may be about a wrong path, and "accepted" is a promise: they count when the account cannot be read. */
enum outcome confirm_removed(struct connector_session *session, const struct operation *operation, const struct call *call,
                             const struct reply *reply, enum outcome done, struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    int status = reply->http.status;
    struct call read;

    if (call_find(operation->settings, CALL_READ, false, &read, NULL) < 0)
        return done;
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, receipt);
    if (outcome == OUTCOME_GONE)
        return done == OUTCOME_APPLIED ? receipt_set(receipt, done, status, NULL) : check_api(session, operation, done, status, receipt);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (done == OUTCOME_APPLIED)
        return say_not_yet(session, call, reply, "read again the account is still there", receipt);
    session_say_refused(session, call, reply, OUTCOME_RETRY, receipt);
    return say_still_there(call, &found, receipt);
}
