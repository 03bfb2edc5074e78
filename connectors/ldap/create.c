#include "connectors/ldap/create.h"

#include "base/str.h"
#include "connectors/ldap/change.h"
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

/* NULL: it cannot be read, and the receipt says why. */
static char *key_by_search(struct connector_session *session, const char *dn, struct receipt *receipt)
{
    const char *const names[] = { session->settings->key_attribute, NULL };
    cleanup_answer struct answer answer = { 0 };

    if (read_entry(session, dn, names, &answer, receipt) != OUTCOME_APPLIED)
        return NULL;
    char *key = read_key(session, answer_entry(session, &answer));
    if (key == NULL)
        read_tell_no_key(session, dn, receipt);
    return key;
}

/* The entry is there. Whether the agent may see its key is a matter of rights: of this entry's, or of all. */
static enum outcome tell_keyless(const struct operation *operation, struct receipt *receipt)
{
    enum outcome outcome = receipt->outcome == OUTCOME_TARGET_DOWN ? OUTCOME_TARGET_DOWN : OUTCOME_RETRY;

    receipt_set(receipt, outcome, receipt->remote_code, "\"%s\" was created, but its key cannot be read: %s", operation->locator,
                receipt->reason != NULL ? receipt->reason : "out of memory");
    receipt->refusal = outcome == OUTCOME_RETRY ? REFUSAL_UNSURE : REFUSAL_SURE;
    return outcome;
}

/* Takes the key; NULL: the receipt says why there is none. */
static enum outcome tell_created(const struct operation *operation, char *key, enum outcome outcome, struct account *ret_account,
                                 struct receipt *receipt)
{
    cleanup_free char *taken = key;
    cleanup_free char *locator = str_dup(operation->locator);

    if (ret_account != NULL && (taken == NULL || locator == NULL))
        return tell_keyless(operation, receipt);
    if (ret_account != NULL)
        *ret_account = (struct account){ .key = take_pointer(taken), .locator = take_pointer(locator), .disabled = -1 };
    return receipt_set(receipt, outcome, 0, NULL);
}

/* The server says "exists already": is it ours, of a try whose receipt was lost, or somebody else's? Passwords are not looked at:
 * servers hash them. Active Directory answers so, too, where another entry has one of the values (sAMAccountName). */
static enum outcome tell_occupied(struct connector_session *session, const struct operation *operation,
                                  const struct answer *answer, struct account *ret_account, struct receipt *receipt)
{
    const char *const everything[] = { LDAP_ALL_USER_ATTRIBUTES, LDAP_ALL_OPERATIONAL_ATTRIBUTES, NULL };
    static const char *const unseen[] = { "dn", "userPassword", NULL };
    cleanup_answer struct answer there = { 0 };
    enum outcome outcome = read_entry(session, operation->locator, everything, &there, receipt);

    if (outcome == OUTCOME_GONE)
        return session_tell(answer, OUTCOME_RETRY, receipt,
                            "cannot add \"%s\": the server says that it exists, and no such entry can be seen (it may be hidden or "
                            "gone by now, or another entry has one of its values)", operation->locator);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    LDAPMessage *entry = answer_entry(session, &there);
    if (!entry_holds(session->ld, entry, operation->values, unseen))
        return session_tell(answer, OUTCOME_RETRY, receipt,
                            "cannot add \"%s\": an entry that matches none of `match` stands there; give it what `match` looks for, "
                            "remove it, or change the mapping's dn", operation->locator);
    char *key = read_key(session, entry);
    if (key == NULL)
        read_tell_no_key(session, operation->locator, receipt);
    return tell_created(operation, key, OUTCOME_UNCHANGED, ret_account, receipt);
}

static enum outcome tell_no_parent(const struct operation *operation, const struct answer *answer, struct receipt *receipt)
{
    cleanup_free char *rdn = NULL, *parent = NULL;

    dn_split(operation->locator, &rdn, &parent);
    return session_tell(answer, OUTCOME_REJECTED, receipt,
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
    if (!change_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    if (answer.code == LDAP_ALREADY_EXISTS)
        return tell_occupied(session, operation, &answer, ret_account, receipt);
    if (answer.code == LDAP_NO_SUCH_OBJECT)
        return tell_no_parent(operation, &answer, receipt);
    if (answer.code != LDAP_SUCCESS)
        return session_refused(&answer, operation->kind, "add", operation->locator, receipt);
    char *key = key_of_control(answer.controls);
    return tell_created(operation, key != NULL ? key : key_by_search(session, operation->locator, receipt), OUTCOME_APPLIED,
                        ret_account, receipt);
}
