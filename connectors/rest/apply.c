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

/* A request of its own for disable and enable says how things shall be by itself; an update has only its differences. */
static bool is_so_already(const struct operation *operation, const struct found *found, const struct differences *differences)
{
    if (operation->kind == OPERATION_UPDATE || operation->change_count > 0)
        return differences->count == 0;
    return found->disabled >= 0 && found->disabled == wanted_disabled(operation);
}

/* What the answer's own document shows of it; -1: nothing. */
static int shown_disabled(const struct call *call, const struct reply *reply)
{
    const json_t *item = reply->document != NULL ? pointer_get(reply->document, call->result.item) : NULL;
    const char *pointer = json_string_value(json_object_get(call->result.disabled, "pointer"));

    return pointer != NULL && pointer_get(item, pointer) != NULL ? answer_disabled(call, item) : -1;
}

/* "Accepted", and the mapping does not say that this is enough: what was promised is looked at. */
static bool is_promise(const struct connector_session *session, const struct call *call, int status)
{
    return status == STATUS_ACCEPTED && !outcome_is_told(call, &session->shared->overrides, status);
}

/* It is not so, or not yet: to be looked at again. */
static enum outcome say_not_yet(const struct connector_session *session, const struct call *call, int status, const char *seen,
                                struct receipt *receipt)
{
    session_say(session, call, OUTCOME_RETRY, status, receipt, "%d, but read again the account is still %s: nothing was done, or not yet",
                status, seen);
    if (is_promise(session, call, status))
        receipt->retry_after_us = session->settings->lost_answer_wait_us;
    return OUTCOME_RETRY;
}

/* A leaver who is told to be out has to be out, and who is hired again is to be paid: where the answer shows nothing, one
 * more look does. */
static enum outcome look_again(struct connector_session *session, const struct operation *operation, const struct call *call,
                               int wanted, enum outcome done, struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    int status = receipt->remote_code;
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, receipt);
    bool shows_other = outcome == OUTCOME_APPLIED && found.disabled == !wanted;

    if (shows_other)
        return say_not_yet(session, call, status, wanted ? "enabled" : "disabled", receipt);
    if (outcome == OUTCOME_APPLIED || (outcome == OUTCOME_GONE && wanted))
        return receipt_set(receipt, done, status, NULL);
    return outcome;
}

/* "Success" that was none: a 2xx whose own document still says otherwise, or a promise that is not kept. */
static enum outcome check_done(struct connector_session *session, const struct operation *operation, const struct call *call,
                               const struct reply *reply, struct receipt *receipt)
{
    int wanted = wanted_disabled(operation), shown = shown_disabled(call, reply), status = reply->http.status;

    if (wanted < 0 || shown == wanted || call->result.disabled == NULL)
        return receipt->outcome;
    if (shown < 0 || status == STATUS_ACCEPTED) {
        bool looks = status != STATUS_ACCEPTED || is_promise(session, call, status);
        return looks ? look_again(session, operation, call, wanted, receipt->outcome, receipt) : receipt->outcome;
    }
    return session_say(session, call, OUTCOME_REJECTED, status, receipt,
                       "%d, but the account in the answer is %s: nothing was done, or result.disabled is wrong", status,
                       wanted ? "still enabled" : "still disabled");
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
    return is_fine(outcome) ? check_done(session, operation, call, &reply, receipt) : outcome;
}

/* "Not found" may be about a wrong path: whoever is still there to be read did not go. */
static enum outcome check_gone(struct connector_session *session, const struct operation *operation, const struct call *call,
                               struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    struct receipt looked = { 0 };
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, &looked);
    cleanup_free char *reason = take_pointer(receipt->reason);

    receipt_clear(&looked);
    if (outcome != OUTCOME_APPLIED)
        return receipt_set(receipt, OUTCOME_GONE, receipt->remote_code, "%s", reason != NULL ? reason : "it is gone");
    return receipt_set(receipt, OUTCOME_RETRY, receipt->remote_code, "%s; but \"%s\" is still there to be read: is requests.%s right?",
                       reason != NULL ? reason : "not found", found.key, call_name(call->kind));
}

static void free_differences(struct differences *differences)
{
    differences_clear(differences);
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
    outcome = send_change(session, operation, &call, &found, &differences, receipt);
    return outcome == OUTCOME_GONE ? check_gone(session, operation, &call, receipt) : outcome;
}

/* ---- removal and members ---- */

static enum outcome send_plain(struct connector_session *session, const struct operation *operation, const struct call *call,
                               struct receipt *receipt)
{
    cleanup_reply struct reply reply = { 0 };
    struct error error = { 0 };
    json_t *body = NULL;

    if (apply_body(call, operation, NULL, NULL, &body, &error) < 0)
        return session_say_error(&error, receipt);
    enum outcome outcome = session_ask(session, call, &(struct message_input){ .body = body }, false, &reply, receipt);
    json_decref(body);
    return outcome;
}

/* "Not found" to a removal may be about a wrong path, and "accepted" is a promise: they count when the account cannot be read. */
static enum outcome check_removed(struct connector_session *session, const struct operation *operation, const struct call *call,
                                  enum outcome done, struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    int status = receipt->remote_code;
    struct call read;

    if (call_find(operation->settings, CALL_READ, false, &read, NULL) < 0)
        return done;
    enum outcome outcome = find_by_key(session, operation->settings, operation->key, &found, receipt);
    if (outcome == OUTCOME_GONE)
        return receipt_set(receipt, done, status, NULL);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (done == OUTCOME_APPLIED)
        return say_not_yet(session, call, status, "there", receipt);
    return session_say(session, call, OUTCOME_REJECTED, status, receipt,
                       "%d, but \"%s\" is still there to be read: the path of requests.remove is wrong", status, found.key);
}

static enum outcome remove_account(struct connector_session *session, const struct operation *operation,
                                   struct account *ret_account, struct receipt *receipt)
{
    struct error error = { 0 };
    struct call call;

    (void)ret_account;
    if (call_find(operation->settings, CALL_REMOVE, false, &call, &error) < 0)
        return session_say_error(&error, receipt);
    enum outcome outcome = send_plain(session, operation, &call, receipt);
    bool doubtful = outcome == OUTCOME_UNCHANGED || (outcome == OUTCOME_APPLIED && is_promise(session, &call, receipt->remote_code));
    return doubtful ? check_removed(session, operation, &call, outcome, receipt) : outcome;
}

static enum outcome change_member(struct connector_session *session, const struct operation *operation,
                                  struct account *ret_account, struct receipt *receipt)
{
    struct error error = { 0 };
    struct call call;

    (void)ret_account;
    if (call_find(operation->settings, call_of_operation(operation->kind), false, &call, &error) < 0)
        return session_say_error(&error, receipt);
    return send_plain(session, operation, &call, receipt);
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
    enum outcome outcome = function(session, operation, ret_account, receipt);
    session_forget(session); /* it has changed, or may have */
    return outcome;
}
