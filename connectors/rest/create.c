#include "connectors/rest/create.h"

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/pointer.h"

static enum outcome tell_made(const char *key, enum outcome outcome, int status, struct account *ret_account,
                              struct receipt *receipt)
{
    struct account account = { str_dup(key), str_dup(key), NULL, -1, NULL };

    if (account.key == NULL || account.locator == NULL) {
        account_clear(&account);
        return receipt_set(receipt, OUTCOME_RETRY, status, "out of memory");
    }
    if (ret_account != NULL)
        *ret_account = account;
    else
        account_clear(&account);
    return receipt_set(receipt, outcome, status, NULL);
}

/* ---- is it there already? ---- */

/* Ours, of an attempt whose receipt was lost, when all of it is as wanted. */
static bool is_as_wanted(const struct operation *operation, const struct found *found)
{
    const json_t *pointers = json_object_get(operation->settings, "pointers");
    const char *name;
    json_t *value;

    json_object_foreach (operation->values, name, value) {
        cleanup_free char *pointer = attribute_pointer(pointers, name);
        if (pointer == NULL || !value_fits(value, pointer_get(found->item, pointer)))
            return false;
    }
    return true;
}

/* A list's entries may be shortened: what lacks there is looked for in the whole account. */
static enum outcome look_closer(struct connector_session *session, const struct operation *operation, struct found *found,
                                struct receipt *receipt)
{
    struct found whole = { 0 };
    struct call call;

    if (found->whole || is_as_wanted(operation, found) || call_find(operation->settings, CALL_READ, false, &call, NULL) < 0)
        return OUTCOME_APPLIED;
    enum outcome outcome = find_by_key(session, operation->settings, found->key, &whole, receipt);
    if (outcome == OUTCOME_GONE)
        return OUTCOME_APPLIED; /* it was found: that it cannot be read does not make it nobody */
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    found_clear(found);
    *found = whole;
    return OUTCOME_APPLIED;
}

static enum outcome tell_there(struct connector_session *session, const struct operation *operation, struct found *found,
                               struct account *ret_account, struct receipt *receipt)
{
    enum outcome outcome = look_closer(session, operation, found, receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (is_as_wanted(operation, found))
        return tell_made(found->key, OUTCOME_UNCHANGED, 0, ret_account, receipt);
    return receipt_set(receipt, OUTCOME_CONFLICT, 0,
                       "\"%s\" is what requests.match looks for, and is there already with other values", found->key);
}

/* A request that was sent before a restart may still be worked on: how long until it must show. */
static int64_t earlier_may_show_us(const struct connector_session *session, const struct operation *operation)
{
    int64_t past_us = clock_mono(clock_system()).us - session->shared->since.us;

    return operation->repeated ? session->settings->lost_answer_wait_us - past_us : 0;
}

static enum outcome wait_for_earlier(int64_t wait_us, struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_RETRY, 0,
                "an attempt to create it was begun before a restart, and the target may still be at work on it: it will be looked up again");
    receipt->retry_after_us = wait_us;
    return OUTCOME_RETRY;
}

/* One of `match` finds it, and another says that it is somebody else's. */
static enum outcome refuse_contradicted(const json_t *settings, const struct found *found, struct receipt *receipt)
{
    struct call match;

    for (size_t i = 0; i < call_match_count(settings); i++)
        if (call_match(settings, i, &match, NULL) == 0 && answer_compare(&match, found->item) < 0)
            return receipt_set(receipt, OUTCOME_AMBIGUOUS, 0,
                               "\"%s\" was found, and is somebody else's by requests.match[%zu]: look whose it is in the target",
                               found->key, i);
    return OUTCOME_APPLIED;
}

/* Was it made under what was known then, another name or address? */
static enum outcome look_for_earlier(struct connector_session *session, const struct operation *operation,
                                     struct account *ret_account, struct receipt *receipt)
{
    enum outcome outcome = OUTCOME_GONE;
    const json_t *settings;
    size_t i;

    json_array_foreach (operation->earlier, i, settings) {
        cleanup_found struct found found = { 0 };
        outcome = find_by_match(session, settings, &found, receipt);
        if (outcome == OUTCOME_APPLIED)
            outcome = refuse_contradicted(settings, &found, receipt);
        if (outcome == OUTCOME_APPLIED && (outcome = tell_made(found.key, OUTCOME_CONFLICT, 0, ret_account, receipt)) == OUTCOME_CONFLICT)
            receipt_set(receipt, outcome, 0, "an earlier attempt made \"%s\", by what was known then", found.key);
        if (outcome != OUTCOME_GONE)
            return outcome;
    }
    return outcome;
}

/* GONE: nobody is there, go on; all else is the end. */
static enum outcome look_first(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                               struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };

    if (session_recalls_nobody(session, operation->settings) && !operation->repeated)
        return OUTCOME_GONE;
    if (call_match_count(operation->settings) == 0)
        return operation->repeated
                   ? receipt_set(
                         receipt, OUTCOME_REJECTED, 0,
                         "an earlier attempt to create it was begun, its end is not known, and nothing of requests.match can be "
                         "rendered to look whether the account was made; look in the target, and add to match what finds it")
                   : OUTCOME_GONE;
    enum outcome outcome = find_by_match(session, operation->settings, &found, receipt);
    if (outcome == OUTCOME_GONE)
        outcome = look_for_earlier(session, operation, ret_account, receipt);
    if (outcome == OUTCOME_CONFLICT)
        return outcome;
    int64_t wait_us = earlier_may_show_us(session, operation);
    if (outcome == OUTCOME_GONE && wait_us > 0)
        return wait_for_earlier(wait_us, receipt);
    return outcome == OUTCOME_APPLIED ? tell_there(session, operation, &found, ret_account, receipt) : outcome;
}

/* ---- the answer ---- */

static void say_accepted(struct connector_session *session, const struct call *call, const struct reply *reply, struct receipt *receipt)
{
    cleanup_free char *words = session_message(session, call, reply);

    session_say(session, call, OUTCOME_RETRY, reply->http.status, receipt,
                "%d Accepted: the target will make the account and has not yet; it will be looked up%s%s%s", reply->http.status,
                words != NULL ? "; it says \"" : "", words != NULL ? words : "", words != NULL ? "\"" : "");
}

/* It said that it was made, and not what. */
static enum outcome find_made(struct connector_session *session, const struct operation *operation, const struct call *call,
                              const struct reply *reply, struct account *ret_account, struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    struct receipt looked = { 0 };
    int status = reply->http.status;
    bool accepted = status == STATUS_ACCEPTED;
    enum outcome outcome = find_by_match(session, operation->settings, &found, &looked);

    if (outcome == OUTCOME_APPLIED)
        outcome = refuse_contradicted(operation->settings, &found, &looked);
    if (outcome == OUTCOME_APPLIED) {
        receipt_clear(&looked);
        return tell_made(found.key, OUTCOME_APPLIED, status, ret_account, receipt);
    }
    if (outcome == OUTCOME_GONE && accepted)
        say_accepted(session, call, reply, receipt);
    else if (outcome == OUTCOME_GONE)
        receipt_set(receipt, OUTCOME_REJECTED, status, "%s; and requests.match finds no such account: nothing was made",
                    receipt->reason != NULL ? receipt->reason : "no id was given");
    else
        session_say(session, call, outcome, looked.remote_code, receipt, "made, it says, but looking it up failed: %s",
                    looked.reason != NULL ? looked.reason : outcome_name(outcome));
    receipt->refusal = looked.refusal;
    receipt->retry_after_us = accepted ? session->settings->lost_answer_wait_us : looked.retry_after_us;
    receipt_clear(&looked);
    return receipt->outcome;
}

/* The answer is about somebody else, by all that would find the one that was to be made. */
static bool is_another(const struct operation *operation, const json_t *item)
{
    bool contradicted = false;
    struct call match;

    for (size_t i = 0; i < call_match_count(operation->settings); i++) {
        int compared = call_match(operation->settings, i, &match, NULL) == 0 ? answer_compare(&match, item) : 0;
        if (compared > 0)
            return false;
        contradicted = contradicted || compared < 0;
    }
    return contradicted;
}

/* To link another's account would be to write over it from then on. */
static int made_id(const struct operation *operation, const struct call *call, const json_t *item, char **ret_id,
                   struct error *error)
{
    int code = answer_id(call, item, ret_id, error);

    if (code < 0 || !is_another(operation, item))
        return code;
    code = error_set(error, ERROR_INVALID, "the answer is about another account, \"%s\", by what requests.match looks for", *ret_id);
    free(take_pointer(*ret_id));
    return code;
}

static enum outcome take_made(struct connector_session *session, const struct operation *operation, const struct call *call,
                              const struct reply *reply, struct account *ret_account, struct receipt *receipt)
{
    struct error error = { 0 };
    cleanup_free char *id = NULL;
    const json_t *item = pointer_get(reply->document, call->result.item);

    if (made_id(operation, call, item, &id, &error) == 0)
        return tell_made(id, OUTCOME_APPLIED, reply->http.status, ret_account, receipt);
    session_say_unusable(session, call, reply, &error, receipt);
    return find_made(session, operation, call, reply, ret_account, receipt);
}

/* What failed, and whose fault it may be, stays as it was told. */
static enum outcome tell_unsure(struct connector_session *session, struct receipt *receipt)
{
    int64_t wait_us = session->settings->lost_answer_wait_us;
    int64_t asked_us = receipt->retry_after_us;
    enum refusal refusal = receipt->refusal;

    receipt_set(receipt, OUTCOME_RETRY, receipt->remote_code,
                "%s; the account may have been made: it will be looked up before anything is sent again",
                receipt->reason != NULL ? receipt->reason : "no answer came");
    receipt->refusal = refusal;
    receipt->retry_after_us = asked_us > wait_us ? asked_us : wait_us;
    return OUTCOME_RETRY;
}

static enum outcome take_end(struct connector_session *session, const struct operation *operation, const struct call *call,
                             const struct reply *reply, enum outcome outcome, struct account *ret_account,
                             struct receipt *receipt)
{
    bool failed = reply->http.end == HTTP_ANSWERED && reply->http.status >= 500 && outcome == OUTCOME_RETRY;

    if (outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED)
        return take_made(session, operation, call, reply, ret_account, receipt);
    if (reply->http.end == HTTP_LOST || failed)
        return tell_unsure(session, receipt);
    return reply->unusable ? find_made(session, operation, call, reply, ret_account, receipt) : outcome;
}

/* ---- all of it ---- */

static enum outcome send_creation(struct connector_session *session, const struct operation *operation, const struct call *call,
                                  struct account *ret_account, struct receipt *receipt)
{
    const struct http_header headers[] = { apply_key_header(session, operation), { NULL, NULL } };
    cleanup_reply struct reply reply = { 0 };
    struct error error = { 0 };
    json_t *body = NULL;

    if (apply_body(call, operation, NULL, NULL, &body, &error) < 0)
        return session_say_error(&error, receipt);
    struct message_input input = { .headers = headers, .body = body };
    enum outcome outcome = session_ask(session, call, &input, false, &reply, receipt);
    json_decref(body);
    return take_end(session, operation, call, &reply, outcome, ret_account, receipt);
}

enum outcome create_account(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                            struct receipt *receipt)
{
    struct error error = { 0 };
    struct call call;

    if (call_find(operation->settings, CALL_CREATE, false, &call, &error) < 0)
        return session_say_error(&error, receipt);
    enum outcome outcome = look_first(session, operation, ret_account, receipt);
    return outcome == OUTCOME_GONE ? send_creation(session, operation, &call, ret_account, receipt) : outcome;
}
