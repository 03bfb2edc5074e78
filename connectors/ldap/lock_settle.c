#include "connectors/ldap/lock_settle.h"

#include "base/str.h"
#include "connectors/ldap/change.h"
#include "connectors/ldap/lock.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/read.h"

/* What is tried where a password is open after it was locked, in order. */
enum attempt { BY_OLD_VALUES, BY_ALL_VALUES, BY_NOTHING, ATTEMPT_COUNT };

/* The state of the entry's passwords and, where one is open, what locks it. False: the receipt says why not. */
static bool look(struct connector_session *session, const char *dn, enum attempt attempt, struct mods *mods,
                 enum lock_state *ret_state, struct receipt *receipt)
{
    static const char *const names[] = { "userPassword", NULL };
    cleanup_answer struct answer answer = { 0 };
    const char *note = NULL;
    int code = 0;

    if (read_entry(session, dn, names, &answer, receipt) != OUTCOME_APPLIED)
        return false;
    LDAPMessage *entry = answer_entry(session, &answer);
    *ret_state = lock_state(session->ld, entry);
    if (*ret_state == LOCK_OPEN && attempt == BY_NOTHING)
        code = lock_nothing(mods);
    else if (*ret_state == LOCK_OPEN)
        code = lock_passwords(session->ld, entry, true, attempt == BY_ALL_VALUES, mods, &note);
    if (code < 0)
        receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    return code == 0;
}

/* True: go on and look again. */
static bool lock_again(struct connector_session *session, const struct operation *operation, const char *dn, enum attempt attempt,
                       const struct mods *mods, struct receipt *receipt)
{
    struct request request = { .kind = REQUEST_MODIFY, .dn = dn, .mods = mods->list, .assert_key = operation->key };
    cleanup_answer struct answer answer = { 0 };

    if (!change_ask(session, &request, &answer, receipt))
        return false;
    bool changed = answer.code == LDAP_NO_SUCH_ATTRIBUTE || answer.code == LDAP_TYPE_OR_VALUE_EXISTS;
    bool refused = answer.code == LDAP_UNWILLING_TO_PERFORM || answer.code == LDAP_CONSTRAINT_VIOLATION;
    if (answer.code == LDAP_SUCCESS || (attempt != BY_NOTHING && (changed || refused)))
        return true;
    session_refused(&answer, operation->kind, "lock the password of", dn, receipt);
    lock_hide(mods, receipt);
    return false;
}

static enum outcome tell_lost(struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    free(receipt->note);
    receipt->note = str_dup("the server did not keep the lock as it was written (it hashes what it is given, or somebody set a password "
                            "at the same time): the old password is gone, and a new one must be set on return");
    return OUTCOME_APPLIED;
}

enum outcome lock_settle(struct connector_session *session, const struct operation *operation, const char *dn,
                         struct receipt *receipt)
{
    enum lock_state state = LOCK_SET;

    for (enum attempt attempt = 0; lock_sets_password(operation) && attempt < ATTEMPT_COUNT; attempt++) {
        __attribute__((cleanup(cleanup_mods))) struct mods mods = { 0 };
        if (!look(session, dn, attempt, &mods, &state, receipt))
            return receipt->outcome;
        if (state != LOCK_OPEN)
            return OUTCOME_APPLIED;
        if (!lock_again(session, operation, dn, attempt, &mods, receipt))
            return receipt->outcome;
    }
    return state == LOCK_OPEN ? tell_lost(receipt) : OUTCOME_APPLIED;
}
