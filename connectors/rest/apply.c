#include "connectors/rest/apply.h"

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/confirm.h"
#include "connectors/rest/create.h"

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

/* A request of its own for disable and enable says how things shall be by itself; an update has only its differences. What the
 * account shows of it counts before both. */
static bool is_so_already(const struct operation *operation, const struct found *found, const struct differences *differences)
{
    int wanted = wanted_disabled(operation);

    if (operation->kind == OPERATION_UPDATE || operation->change_count > 0)
        return differences->count == 0 && (wanted < 0 || found->disabled != !wanted);
    return found->disabled >= 0 && found->disabled == wanted;
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
    if (!is_fine(outcome) && !reply.unusable)
        return outcome;
    return operation->kind == OPERATION_UPDATE ? confirm_update(session, operation, call, &reply, found->item, receipt)
                                               : confirm_toggle(session, operation, call, &reply, receipt);
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
    return outcome == OUTCOME_GONE ? confirm_gone(session, operation, &call, receipt) : outcome;
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
    return doubtful ? confirm_removed(session, operation, &call, &reply, outcome, receipt) : outcome;
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
    enum outcome outcome = send_plain(session, operation, &call, &reply, receipt);
    return outcome == OUTCOME_APPLIED ? confirm_member(session, operation, &call, &reply, receipt) : outcome;
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
