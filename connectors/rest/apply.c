#include "connectors/rest/apply.h"

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/create.h"
#include "connectors/rest/pointer.h"

static bool is_fine(enum outcome outcome)
{
    return outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
}

struct http_header apply_key_header(const struct connector_session *session, const struct operation *operation)
{
    const char *name = session->settings->idempotency_header;

    if (operation->idempotency_key == NULL || name == NULL || name[0] == '\0')
        return (struct http_header){ NULL, NULL };
    return (struct http_header){ name, operation->idempotency_key };
}

int apply_body(const struct call *call, const struct operation *operation, const json_t *document,
               const struct differences *differences, json_t **ret_body, struct error *error)
{
    const struct differences none = { 0 };
    struct patch_input input = { operation->values, call->pointers, document, differences != NULL ? differences : &none };
    bool member = call->kind == CALL_MEMBER_ADD || call->kind == CALL_MEMBER_REMOVE;
    int code = 0;

    if (call->send == SEND_SCIM_PATCH && member)
        code = patch_scim_member(call->kind == CALL_MEMBER_ADD, operation->attribute, operation->value, ret_body, error);
    else if (call->send != SEND_NONE)
        code = patch_make(call->send, &input, ret_body, error);
    return code < 0 ? error_prefix(error, "requests.%s", call_name(call->kind)) : 0;
}

/* ---- changes ---- */

/* The account as it is: the one just read, or read again. */
static enum outcome look(struct connector_session *session, const struct operation *operation, struct found *ret_found,
                         struct receipt *receipt)
{
    struct call call;
    char *etag = NULL;
    json_t *item = session_recall(session, operation->key, &etag);

    if (item == NULL)
        return find_by_key(session, operation->settings, operation->key, ret_found, receipt);
    bool readable = call_find(operation->settings, CALL_READ, false, &call, NULL) == 0;
    *ret_found = (struct found){ str_dup(operation->key), item, etag, true, readable ? answer_disabled(&call, item) : -1 };
    return OUTCOME_APPLIED;
}

/* What the operation wants `disabled` to be; -1: it does not care. */
static int wanted_disabled(const struct operation *operation)
{
    return operation->kind == OPERATION_DISABLE ? 1 : operation->kind == OPERATION_ENABLE ? 0 : -1;
}

/* A request of its own for disable and enable says how things shall be by itself; an update has only its differences. What the
 * account shows of it counts before both. */
static bool is_so_already(const struct operation *operation, const struct found *found, const struct differences *differences)
{
    int wanted = wanted_disabled(operation);

    if (operation->kind == OPERATION_UPDATE || operation->change_count > 0)
        return differences->count == 0 && (wanted < 0 || found->disabled != !wanted);
    return found->disabled >= 0 && found->disabled == wanted;
}

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
static bool is_promise(const struct connector_session *session, const struct call *call, int status)
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
                               struct receipt *receipt)
{
    cleanup_free char *note = str_printf("%s %.*s: %d, and read again the account does not show whether it is %s (result.disabled)",
                                         call->method, (int)strcspn(call->path, "?"), call->path, status,
                                         call->kind == CALL_DISABLE ? "disabled" : "enabled");

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
    receipt_clear(receipt);
    *receipt = *looked;
    *looked = (struct receipt){ 0 };
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
        say_unseen(session, call, status, done, receipt);
    receipt_clear(&looked);
    return receipt->outcome;
}

/* "Success" that was none: a 2xx whose own document still says otherwise or cannot be read, or a promise that is not kept. */
static enum outcome check_done(struct connector_session *session, const struct operation *operation, const struct call *call,
                               const struct reply *reply, struct receipt *receipt)
{
    int status = reply->http.status, shown = state_in_answer(operation, call, reply);
    bool told = status == STATUS_ACCEPTED && !is_promise(session, call, status);
    bool may_show = call->result.disabled != NULL || shown == 0;

    if (wanted_disabled(operation) < 0 || shown == 1 || told || !may_show)
        return receipt->outcome;
    return look_again(session, operation, call, reply, shown, receipt);
}

/* Only a strong validator can be compared by If-Match (RFC 9110 §13.1.1). */
static const char *usable_etag(const struct call *call, const struct found *found)
{
    return call->send == SEND_DOCUMENT && found->etag != NULL && found->etag[0] == '"' ? found->etag : NULL;
}

static enum outcome send_change(struct connector_session *session, const struct operation *operation, const struct call *call,
                                const struct found *found, const struct differences *differences, struct receipt *receipt)
{
    const char *etag = usable_etag(call, found);
    const struct http_header match = { "If-Match", etag }, key = apply_key_header(session, operation), none = { NULL, NULL };
    const struct http_header headers[] = { etag != NULL ? match : key, etag != NULL ? key : none, none };
    cleanup_reply struct reply reply = { 0 };
    struct error error = { 0 };
    json_t *body = NULL;

    if (apply_body(call, operation, found->item, differences, &body, &error) < 0)
        return session_say_error(&error, receipt);
    struct message_input input = { .headers = headers, .body = body };
    enum outcome outcome = session_ask(session, call, &input, false, &reply, receipt);
    json_decref(body);
    return is_fine(outcome) || reply.unusable ? check_done(session, operation, call, &reply, receipt) : outcome;
}

/* After a "not found" that the receipt tells of: it was about the path, or about an old copy. */
static enum outcome say_still_there(const struct call *call, const struct found *found, struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_RETRY, receipt->remote_code, "%s; but \"%s\" is still there to be read: is requests.%s right?",
                receipt->reason != NULL ? receipt->reason : "not found", found->key, call_name(call->kind));
    receipt->refusal = REFUSAL_UNSURE;
    return OUTCOME_RETRY;
}

/* "Not found" may be about a wrong path: whoever is still there to be read did not go. */
static enum outcome check_gone(struct connector_session *session, const struct operation *operation, const struct call *call,
                               struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    struct receipt looked = { 0 };
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, &looked);

    receipt_clear(&looked);
    return outcome == OUTCOME_APPLIED ? say_still_there(call, &found, receipt) : OUTCOME_GONE;
}

static void free_differences(struct differences *differences)
{
    differences_clear(differences);
}

/* All that the mapping changes is so, and the account still shows the contrary. The planner saw it otherwise: it looks again. */
static enum outcome say_nothing_left(const struct operation *operation, const struct found *found, struct receipt *receipt)
{
    return receipt_set(receipt, OUTCOME_CONFLICT, 0, "\"%s\" is still %s (result.disabled), and all that `disable` names is as it shall be: name "
                       "there what the target shows it by, or add requests.%s", found->key, found->disabled == 1 ? "disabled" : "enabled",
                       operation_kind_name(operation->kind));
}

static enum outcome change_account(struct connector_session *session, const struct operation *operation,
                                   struct account *ret_account, struct receipt *receipt)
{
    __attribute__((cleanup(free_differences))) struct differences differences = { 0 };
    cleanup_found struct found found = { 0 };
    struct error error = { 0 };
    struct call call;

    (void)ret_account;
    if (call_find(operation->settings, call_of_operation(operation->kind), operation->change_count > 0, &call, &error) < 0)
        return session_say_error(&error, receipt);
    enum outcome outcome = look(session, operation, &found, receipt);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (differences_find(operation, call.pointers, found.item, &differences, &error) < 0)
        return session_say_error(&error, receipt);
    if (is_so_already(operation, &found, &differences))
        return receipt_set(receipt, OUTCOME_UNCHANGED, 0, NULL);
    if (differences.count == 0 && operation->change_count > 0 && call.send != SEND_NONE)
        return say_nothing_left(operation, &found, receipt);
    outcome = send_change(session, operation, &call, &found, &differences, receipt);
    return outcome == OUTCOME_GONE ? check_gone(session, operation, &call, receipt) : outcome;
}

/* ---- removal and members ---- */

static enum outcome send_plain(struct connector_session *session, const struct operation *operation, const struct call *call,
                               struct reply *ret_reply, struct receipt *receipt)
{
    struct error error = { 0 };
    json_t *body = NULL;

    if (apply_body(call, operation, NULL, NULL, &body, &error) < 0)
        return session_say_error(&error, receipt);
    enum outcome outcome = session_ask(session, call, &(struct message_input){ .body = body }, false, ret_reply, receipt);
    json_decref(body);
    return outcome;
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
static enum outcome check_removed(struct connector_session *session, const struct operation *operation, const struct call *call,
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

static enum outcome remove_account(struct connector_session *session, const struct operation *operation,
                                   struct account *ret_account, struct receipt *receipt)
{
    cleanup_reply struct reply reply = { 0 };
    struct error error = { 0 };
    struct call call;

    (void)ret_account;
    if (call_find(operation->settings, CALL_REMOVE, false, &call, &error) < 0)
        return session_say_error(&error, receipt);
    enum outcome outcome = send_plain(session, operation, &call, &reply, receipt);
    bool doubtful = outcome == OUTCOME_UNCHANGED || (outcome == OUTCOME_APPLIED && is_promise(session, &call, receipt->remote_code));
    return doubtful ? check_removed(session, operation, &call, &reply, outcome, receipt) : outcome;
}

static enum outcome change_member(struct connector_session *session, const struct operation *operation,
                                  struct account *ret_account, struct receipt *receipt)
{
    cleanup_reply struct reply reply = { 0 };
    struct error error = { 0 };
    struct call call;

    (void)ret_account;
    if (call_find(operation->settings, call_of_operation(operation->kind), false, &call, &error) < 0)
        return session_say_error(&error, receipt);
    return send_plain(session, operation, &call, &reply, receipt);
}

/* ---- dispatch ---- */

typedef enum outcome apply_function(struct connector_session *session, const struct operation *operation,
                                    struct account *ret_account, struct receipt *receipt);

static apply_function *const functions[OPERATION_KIND_COUNT] = {
    [OPERATION_CREATE] = create_account,       [OPERATION_UPDATE] = change_account, [OPERATION_DISABLE] = change_account,
    [OPERATION_ENABLE] = change_account,       [OPERATION_REMOVE] = remove_account, [OPERATION_MEMBER_ADD] = change_member,
    [OPERATION_MEMBER_REMOVE] = change_member,
};

enum outcome rest_apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                        struct receipt *receipt)
{
    apply_function *function = (unsigned)operation->kind < OPERATION_KIND_COUNT ? functions[operation->kind] : NULL;

    if (function == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "an API of employees cannot do \"%s\"",
                           operation_kind_name(operation->kind));
    session->answered = false; /* nothing was sent yet */
    enum outcome outcome = function(session, operation, ret_account, receipt);
    session_forget(session); /* it has changed, or may have */
    receipt->answered = session->answered;
    return outcome;
}
