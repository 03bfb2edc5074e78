#include "connectors/connector.h"

#include <stdlib.h>

#include "base/str.h"

static const char *const outcome_names[] = {
#define X(code, name, what) [OUTCOME_##code] = name,
    OUTCOME_LIST(X)
#undef X
};

const char *outcome_name(enum outcome outcome)
{
    return (unsigned)outcome < OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

static const char *const operation_kind_names[] = {
    [OPERATION_CREATE] = "create",
    [OPERATION_UPDATE] = "update",
    [OPERATION_RENAME] = "rename",
    [OPERATION_DISABLE] = "disable",
    [OPERATION_ENABLE] = "enable",
    [OPERATION_REMOVE] = "remove",
    [OPERATION_MEMBER_ADD] = "member_add",
    [OPERATION_MEMBER_REMOVE] = "member_remove",
    [OPERATION_REVOKE] = "revoke",
};
_Static_assert(sizeof(operation_kind_names) / sizeof(operation_kind_names[0]) == OPERATION_KIND_COUNT, "each kind has a name");

const char *operation_kind_name(enum operation_kind kind)
{
    return (unsigned)kind < OPERATION_KIND_COUNT ? operation_kind_names[kind] : "unknown";
}

void receipt_clear(struct receipt *receipt)
{
    free(receipt->reason);
    free(receipt->note);
    free(receipt->doubt);
    *receipt = (struct receipt){ 0 };
}

void receipt_move(struct receipt *from, struct receipt *to)
{
    receipt_clear(to);
    *to = *from;
    *from = (struct receipt){ 0 };
}

enum outcome receipt_set(struct receipt *receipt, enum outcome outcome, int remote_code, const char *format, ...)
{
    struct buf reason = { 0 };
    va_list args;

    if (receipt == NULL)
        return outcome;
    if (format != NULL) { /* before the old reason goes: it may be one of the arguments */
        va_start(args, format);
        buf_vprintf(&reason, format, args);
        va_end(args);
    }
    free(receipt->reason);
    receipt->outcome = outcome;
    receipt->refusal = REFUSAL_SURE;
    receipt->remote_code = remote_code;
    receipt->reason = format != NULL ? buf_take(&reason) : NULL;
    return outcome;
}

void account_clear(struct account *account)
{
    free(account->key);
    free(account->locator);
    free(account->protected_by);
    json_decref(account->values);
    *account = (struct account){ 0 };
}

void operation_clear(struct operation *operation)
{
    for (size_t i = 0; i < operation->change_count; i++) {
        free(operation->changes[i].name);
        json_decref(operation->changes[i].values);
    }
    free(operation->changes);
    free(operation->key);
    free(operation->locator);
    free(operation->new_locator);
    json_decref(operation->values);
    free(operation->attribute);
    free(operation->value);
    free(operation->placeholder);
    json_decref(operation->settings);
    free(operation->idempotency_key);
    json_decref(operation->before_image);
    *operation = (struct operation){ 0 };
}
