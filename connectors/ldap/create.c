#include "connectors/ldap/create.h"

#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/read.h"
#include "connectors/ldap/value.h"

static int mods_from_values(const json_t *object, struct mods *mods, struct error *error)
{
    const char *name;
    json_t *json;
    int code = 0;

    json_object_foreach ((json_t *)(uintptr_t)object, name, json) {
        struct berval **values = NULL;
        if (strcasecmp(name, "dn") == 0)
            continue;
        code = values_from_json(name, json, &values, error);
        if (code < 0)
            return code;
        if (values[0] == NULL)
            values_free(values); /* an empty attribute is an absent one */
        else if (mods_add(mods, LDAP_MOD_ADD, name, values) < 0)
            return error_nomem(error);
    }
    return 0;
}

/* The key out of the post-read control: a SearchResultEntry with that one attribute. */
static char *key_of_control(LDAPControl **controls)
{
    LDAPControl *control = ldap_control_find(LDAP_CONTROL_POST_READ, controls, NULL);
    BerElement *ber = control != NULL ? ber_init(&control->ldctl_value) : NULL;
    struct berval dn, name, **values = NULL;
    char *key = NULL;

    if (ber == NULL)
        return NULL;
    if (ber_scanf(ber, "{m{{m[V]", &dn, &name, &values) != LBER_ERROR && values != NULL && values[0] != NULL)
        key = key_text(values[0]);
    ber_bvecfree(values);
    ber_free(ber, 1);
    return key;
}

static char *key_by_search(struct connector_session *session, const char *dn, struct receipt *receipt)
{
    const char *const names[] = { session->settings->key_attribute, NULL };
    cleanup_answer struct answer answer = { 0 };

    if (read_entry(session, dn, names, &answer, receipt) != OUTCOME_APPLIED)
        return NULL;
    return read_key(session, answer_entry(session, &answer));
}

static enum outcome tell_created(const struct operation *operation, char *key, enum outcome outcome, struct account *ret_account,
                                 struct receipt *receipt)
{
    char *locator = str_dup(operation->locator);

    if (key == NULL || locator == NULL || ret_account == NULL) {
        free(locator);
        bool missing = key == NULL && ret_account != NULL;
        free(key);
        return missing
                   ? receipt_set(receipt, OUTCOME_RETRY, 0, "\"%s\" was created, but its key cannot be read", operation->locator)
                   : receipt_set(receipt, outcome, 0, NULL);
    }
    *ret_account = (struct account){ .key = key, .locator = locator, .disabled = -1 };
    return receipt_set(receipt, outcome, 0, NULL);
}

/* Ours, of a try whose receipt was lost, or somebody else's? Passwords are not looked at: servers hash them. */
static enum outcome tell_occupied(struct connector_session *session, const struct operation *operation,
                                  struct account *ret_account, struct receipt *receipt)
{
    const char *const everything[] = { LDAP_ALL_USER_ATTRIBUTES, LDAP_ALL_OPERATIONAL_ATTRIBUTES, NULL };
    static const char *const unseen[] = { "dn", "userPassword", NULL };
    cleanup_answer struct answer answer = { 0 };
    enum outcome outcome = read_entry(session, operation->locator, everything, &answer, receipt);

    if (outcome == OUTCOME_GONE)
        return receipt_set(receipt, OUTCOME_RETRY, LDAP_ALREADY_EXISTS,
                           "\"%s\" was there a moment ago and is not any more, or may not be seen", operation->locator);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    LDAPMessage *entry = answer_entry(session, &answer);
    if (!entry_holds(session->ld, entry, operation->values, unseen))
        return receipt_set(receipt, OUTCOME_RETRY, LDAP_ALREADY_EXISTS,
                           "cannot add \"%s\": an entry that matches none of `match` stands there "
                           "(entryAlreadyExists 68); give it what `match` looks for, remove it, or change the mapping's dn",
                           operation->locator);
    return tell_created(operation, read_key(session, entry), OUTCOME_UNCHANGED, ret_account, receipt);
}

static enum outcome tell_no_parent(const struct operation *operation, const struct answer *answer, struct receipt *receipt)
{
    cleanup_free char *rdn = NULL, *parent = NULL;

    dn_split(operation->locator, &rdn, &parent);
    return receipt_set(receipt, OUTCOME_REJECTED, answer->code,
                       "cannot add \"%s\": its parent \"%s\" does not exist (what exists is \"%s\"); create it, "
                       "or change the mapping's dn",
                       operation->locator, parent != NULL ? parent : "", answer->matched != NULL ? answer->matched : "");
}

enum outcome create_entry(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    __attribute__((cleanup(cleanup_mods))) struct mods mods = { 0 };
    cleanup_answer struct answer answer = { 0 };
    struct error error = { 0 };

    if (mods_from_values(operation->values, &mods, &error) < 0)
        return receipt_set(receipt, error.code == ERROR_NOMEM ? OUTCOME_RETRY : OUTCOME_REJECTED, 0, "cannot add \"%s\": %s",
                           operation->locator, error.text);
    if (mods.count == 0)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "cannot add \"%s\": the mapping gives it no attributes",
                           operation->locator);
    struct request request = { .kind = REQUEST_ADD, .dn = operation->locator, .mods = mods.list, .want_key = true };
    if (!session_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    if (answer.code == LDAP_ALREADY_EXISTS)
        return tell_occupied(session, operation, ret_account, receipt);
    if (answer.code == LDAP_NO_SUCH_OBJECT)
        return tell_no_parent(operation, &answer, receipt);
    if (answer.code != LDAP_SUCCESS)
        return session_refused(&answer, outcome_of(operation->kind, answer.code), "add", operation->locator, receipt);
    char *key = key_of_control(answer.controls);
    return tell_created(operation, key != NULL ? key : key_by_search(session, operation->locator, receipt), OUTCOME_APPLIED,
                        ret_account, receipt);
}
