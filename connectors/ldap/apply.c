#include "connectors/ldap/apply.h"

#include "base/str.h"
#include "connectors/ldap/change.h"
#include "connectors/ldap/create.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/lock.h"
#include "connectors/ldap/lock_settle.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/protect.h"
#include "connectors/ldap/read.h"
#include "connectors/ldap/value.h"

/* Between our look at an entry and the change others may have made it: members
 * of one group come and go by many sessions at a time. */
#define CHANGE_ROUNDS_MOST 8

#define NOMEM(receipt) receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory")

static bool has_key(const struct connector_session *session, const struct answer *answer, const char *key)
{
    LDAPMessage *entry = answer_entry(session, answer);
    cleanup_free char *there = entry != NULL ? read_key(session, entry) : NULL;

    return key == NULL || str_equal(there, key);
}

/* read_entry, and REJECTED where it is the operation's entry and protected. */
static enum outcome read_unprotected(struct connector_session *session, const struct operation *operation, const char *dn,
                                     const char *const *names, struct answer *answer, struct receipt *receipt)
{
    const char **with = protect_names(names, operation->protect);
    enum outcome outcome = with != NULL ? read_entry(session, dn, with, answer, receipt) : NOMEM(receipt);

    protect_free_names(names, with);
    if (outcome != OUTCOME_APPLIED || !has_key(session, answer, operation->key))
        return outcome;
    cleanup_free char *mark = protect_mark(session->ld, answer_entry(session, answer), operation->protect);
    if (mark == NULL)
        return outcome;
    answer_clear(answer);
    return protect_tell(dn, mark, receipt);
}

/* For a change that is made without a look at the entry. True: the receipt says why not. */
static bool is_forbidden(struct connector_session *session, const struct operation *operation, struct receipt *receipt)
{
    const char *const names[] = { session->settings->key_attribute, NULL };
    cleanup_answer struct answer answer = { 0 };

    if (operation->protect == NULL)
        return false;
    enum outcome outcome = read_unprotected(session, operation, operation->locator, names, &answer, receipt);
    return outcome != OUTCOME_APPLIED;
}

/* ---- changes: only what is not so already ---- */

/* Both to be cleared by the caller; names are borrowed. */
struct touched {
    struct answer answer;
    const char **names;
};

static void touched_clear(struct touched *touched)
{
    answer_clear(&touched->answer);
    free(touched->names);
}

/* Reads the attributes that the operation touches, and the key. */
static enum outcome read_touched(struct connector_session *session, const struct operation *operation, const char *dn,
                                 struct touched *touched, struct receipt *receipt)
{
    touched_clear(touched);
    touched->names = calloc(operation->change_count + 2, sizeof(*touched->names));
    if (touched->names == NULL)
        return NOMEM(receipt);
    for (size_t i = 0; i < operation->change_count; i++)
        touched->names[i] = lock_attribute(operation->changes[i].name);
    touched->names[operation->change_count] = session->settings->key_attribute;
    return read_unprotected(session, operation, dn, touched->names, &touched->answer, receipt);
}

static enum outcome modify(struct connector_session *session, const struct operation *operation, const char *dn,
                           struct mods *mods, struct answer *answer, struct receipt *receipt)
{
    struct request request = { .kind = REQUEST_MODIFY, .dn = dn, .mods = mods->list, .assert_key = operation->key };

    if (!change_ask(session, &request, answer, receipt))
        return receipt->outcome;
    if (answer->code == LDAP_SUCCESS)
        return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    session_refused(answer, operation->kind, "change", dn, receipt);
    lock_hide(mods, receipt);
    return receipt->outcome;
}

/* One round of make_changes; true when another, looser one may help. */
static bool change_round(struct connector_session *session, const struct operation *operation, const char *dn, bool loose,
                         struct receipt *receipt)
{
    __attribute__((cleanup(touched_clear))) struct touched touched = { 0 };
    __attribute__((cleanup(cleanup_mods))) struct mods mods = { 0 };
    cleanup_answer struct answer answer = { 0 };
    struct error error = { 0 };
    const char *note = NULL;
    bool whole = lock_refused_exact(operation, receipt->remote_code); /* in the round before */

    if (read_touched(session, operation, dn, &touched, receipt) != OUTCOME_APPLIED)
        return false;
    if (!has_key(session, &touched.answer, operation->key)) {
        receipt_set(receipt, OUTCOME_GONE, 0, "another entry stands at \"%s\" now", dn);
        return false;
    }
    LDAPMessage *entry = answer_entry(session, &touched.answer);
    if (changes_remaining(session->ld, entry, operation->changes, operation->change_count, loose, &mods, &error) < 0 ||
        lock_changes(session->ld, entry, operation, whole, &mods, &note, &error) < 0) {
        receipt_set(receipt, OUTCOME_REJECTED, 0, "cannot change \"%s\": %s", dn, error.text);
        return false;
    }
    if (mods.count == 0) {
        receipt_set(receipt, OUTCOME_UNCHANGED, 0, NULL);
        return false;
    }
    if (modify(session, operation, dn, &mods, &answer, receipt) == OUTCOME_APPLIED)
        receipt->note = str_dup(note);
    return receipt->remote_code == LDAP_TYPE_OR_VALUE_EXISTS || receipt->remote_code == LDAP_NO_SUCH_ATTRIBUTE ||
           (!whole && lock_refused_exact(operation, receipt->remote_code));
}

static enum outcome make_changes(struct connector_session *session, const struct operation *operation, const char *dn,
                                 struct receipt *receipt)
{
    if (operation->change_count == 0)
        return receipt_set(receipt, OUTCOME_UNCHANGED, 0, NULL);
    bool again = change_round(session, operation, dn, false, receipt);
    for (int round = 1; again && round < CHANGE_ROUNDS_MOST; round++)
        again = change_round(session, operation, dn, true, receipt);
    return receipt->outcome == OUTCOME_APPLIED ? lock_settle(session, operation, dn, receipt) : receipt->outcome;
}

/* ---- moving ---- */

/* The server said that something is missing: the entry itself, or the place it shall go to? */
static enum outcome tell_missing(struct connector_session *session, const struct operation *operation, const char *parent,
                                 const struct answer *answer, struct receipt *receipt)
{
    static const char *const nothing[] = { LDAP_NO_ATTRS, NULL };
    cleanup_answer struct answer there = { 0 };
    enum outcome outcome = read_entry(session, operation->locator, nothing, &there, receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    return session_tell(answer, OUTCOME_REJECTED, receipt,
                        "cannot move \"%s\": the place it shall go to, \"%s\", does not exist (what exists is "
                        "\"%s\"); create it, or change the mapping",
                        operation->locator, parent, answer->matched != NULL ? answer->matched : "");
}

static enum outcome move(struct connector_session *session, const struct operation *operation, struct receipt *receipt)
{
    cleanup_free char *old_rdn = NULL, *old_parent = NULL, *rdn = NULL, *parent = NULL;
    cleanup_answer struct answer answer = { 0 };
    int code = dn_split(operation->locator, &old_rdn, &old_parent);

    if (code == 0)
        code = dn_split(operation->new_locator, &rdn, &parent);
    if (code == ERROR_NOMEM)
        return NOMEM(receipt);
    if (code < 0)
        return receipt_set(receipt, OUTCOME_REJECTED, LDAP_INVALID_DN_SYNTAX, "cannot move \"%s\" to \"%s\": that is no DN",
                           operation->locator, operation->new_locator);
    struct request request = { .kind = REQUEST_RENAME,
                               .dn = operation->locator,
                               .new_rdn = rdn,
                               .assert_key = operation->key,
                               .new_parent = dn_equal(old_parent, parent) ? NULL : parent };
    if (!change_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    if (answer.code == LDAP_SUCCESS)
        return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    if (answer.code == LDAP_NO_SUCH_OBJECT)
        return tell_missing(session, operation, parent, &answer, receipt);
    if (answer.code == LDAP_ALREADY_EXISTS)
        return session_tell(&answer, OUTCOME_RETRY, receipt, "cannot move \"%s\": another entry stands at \"%s\"",
                            operation->locator, operation->new_locator);
    return session_refused(&answer, operation->kind, "move", operation->locator, receipt);
}

/* No entry is made one that is protected. */
static enum outcome may_be_renamed(struct connector_session *session, const struct operation *operation, const struct answer *answer,
                                   struct receipt *receipt)
{
    LDAPMessage *entry = answer_entry(session, answer);
    cleanup_free char *mark = protect_mark_renamed(session->ld, entry, operation->new_locator, operation->protect);

    return mark != NULL ? protect_tell(operation->new_locator, mark, receipt) : OUTCOME_APPLIED;
}

/* APPLIED: it stands at the old place; UNCHANGED: it has been moved already; GONE or a failure. */
static enum outcome find_before_move(struct connector_session *session, const struct operation *operation,
                                     struct receipt *receipt)
{
    const char *const names[] = { session->settings->key_attribute, NULL };
    cleanup_answer struct answer old = { 0 }, new = { 0 };

    enum outcome outcome = read_unprotected(session, operation, operation->locator, names, &old, receipt);
    if (outcome == OUTCOME_APPLIED && has_key(session, &old, operation->key))
        return may_be_renamed(session, operation, &old, receipt);
    if (outcome != OUTCOME_APPLIED && outcome != OUTCOME_GONE)
        return outcome;
    outcome = read_entry(session, operation->new_locator, names, &new, receipt);
    if (outcome == OUTCOME_APPLIED && has_key(session, &new, operation->key))
        return OUTCOME_UNCHANGED;
    if (outcome != OUTCOME_APPLIED && outcome != OUTCOME_GONE)
        return outcome;
    return receipt_set(receipt, OUTCOME_GONE, LDAP_NO_SUCH_OBJECT, "the entry is neither at \"%s\" nor at \"%s\"",
                       operation->locator, operation->new_locator);
}

static enum outcome either(enum outcome first, enum outcome second)
{
    return first == OUTCOME_APPLIED || second == OUTCOME_APPLIED ? OUTCOME_APPLIED : OUTCOME_UNCHANGED;
}

static bool is_fine(enum outcome outcome)
{
    return outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
}

/* A leaver's changes come first, so that a move that fails does not leave the account open. */
static enum outcome change_and_move(struct connector_session *session, const struct operation *operation, bool moved,
                                    struct receipt *receipt)
{
    enum outcome changed = OUTCOME_UNCHANGED, movement = OUTCOME_UNCHANGED;
    bool change_first = operation->kind == OPERATION_DISABLE && !moved;

    if (change_first && !is_fine(changed = make_changes(session, operation, operation->locator, receipt)))
        return changed;
    if (!moved && !is_fine(movement = move(session, operation, receipt)))
        return movement;
    if (!change_first && !is_fine(changed = make_changes(session, operation, operation->new_locator, receipt)))
        return changed;
    return receipt_set(receipt, either(changed, movement), 0, NULL);
}

static enum outcome apply_move(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                               struct receipt *receipt)
{
    enum outcome found = find_before_move(session, operation, receipt);

    if (!is_fine(found))
        return found;
    bool moved = found == OUTCOME_UNCHANGED || str_equal(operation->locator, operation->new_locator);
    enum outcome outcome = change_and_move(session, operation, moved, receipt);
    if (ret_account != NULL && is_fine(outcome)) {
        ret_account->locator = str_dup(operation->new_locator);
        ret_account->key = str_dup(operation->key);
        ret_account->disabled = -1;
    }
    return outcome;
}

static enum outcome apply_change(struct connector_session *session, const struct operation *operation,
                                 struct account *ret_account, struct receipt *receipt)
{
    return operation->new_locator != NULL ? apply_move(session, operation, ret_account, receipt)
                                          : make_changes(session, operation, operation->locator, receipt);
}

static enum outcome apply_create(struct connector_session *session, const struct operation *operation,
                                 struct account *ret_account, struct receipt *receipt)
{
    struct operation real = *operation;
    cleanup_free char *mark = protect_mark_new(operation->locator, operation->values, operation->protect);

    if (mark != NULL)
        return protect_tell(operation->locator, mark, receipt);
    real.values = lock_new_values(operation->values);
    if (real.values == NULL)
        return NOMEM(receipt);
    enum outcome outcome = create_entry(session, &real, ret_account, receipt);
    json_decref(real.values);
    return outcome == OUTCOME_APPLIED ? lock_settle(session, operation, operation->locator, receipt) : outcome;
}

/* ---- removal and members ---- */

static enum outcome apply_remove(struct connector_session *session, const struct operation *operation,
                                 struct account *ret_account, struct receipt *receipt)
{
    struct request request = { .kind = REQUEST_DELETE, .dn = operation->locator, .assert_key = operation->key };
    cleanup_answer struct answer answer = { 0 };

    (void)ret_account;
    if (is_forbidden(session, operation, receipt) || !change_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    return answer.code == LDAP_SUCCESS ? receipt_set(receipt, OUTCOME_APPLIED, 0, NULL)
                                       : session_refused(&answer, operation->kind, "remove", operation->locator, receipt);
}

static enum outcome change_member(struct connector_session *session, const struct operation *operation, const char *placeholder,
                                  struct receipt *receipt)
{
    __attribute__((cleanup(cleanup_mods))) struct mods mods = { 0 };
    cleanup_answer struct answer answer = { 0 };
    bool add = operation->kind == OPERATION_MEMBER_ADD;
    int code = mods_add_text(&mods, add ? LDAP_MOD_ADD : LDAP_MOD_DELETE, operation->attribute, operation->value);

    if (code == 0 && placeholder != NULL)
        code = mods_add_text(&mods, LDAP_MOD_ADD, operation->attribute, placeholder);
    if (code < 0)
        return NOMEM(receipt);
    struct request request = {
        .kind = REQUEST_MODIFY, .dn = operation->locator, .mods = mods.list, .assert_key = operation->key
    };
    if (!change_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    if (answer.code == LDAP_SUCCESS)
        return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    return session_refused(&answer, operation->kind, add ? "add a member to" : "take a member out of", operation->locator, receipt);
}

/* Active Directory says "no such object" of a member that it does not know, too. Such a value is in no group. */
static bool is_about_value(struct connector_session *session, const struct operation *operation, const struct receipt *receipt)
{
    const char *const names[] = { session->settings->key_attribute, NULL };
    cleanup_answer struct answer group = { 0 };
    struct receipt look = { 0 };

    if (receipt->outcome != OUTCOME_GONE || receipt->remote_code != LDAP_NO_SUCH_OBJECT)
        return false;
    enum outcome outcome = read_entry(session, operation->locator, names, &group, &look);
    receipt_clear(&look);
    return outcome == OUTCOME_APPLIED && has_key(session, &group, operation->key);
}

static enum outcome apply_member(struct connector_session *session, const struct operation *operation,
                                 struct account *ret_account, struct receipt *receipt)
{
    bool remove = operation->kind == OPERATION_MEMBER_REMOVE;
    bool is_placeholder = remove && operation->placeholder != NULL && dn_equal(operation->value, operation->placeholder);

    (void)ret_account;
    if (is_forbidden(session, operation, receipt))
        return receipt->outcome;
    enum outcome outcome = change_member(session, operation, NULL, receipt);
    if (remove && !is_placeholder && receipt->remote_code == LDAP_OBJECT_CLASS_VIOLATION && operation->placeholder != NULL)
        outcome = change_member(session, operation, operation->placeholder, receipt);
    receipt->last_member = remove && outcome == OUTCOME_REJECTED && receipt->remote_code == LDAP_OBJECT_CLASS_VIOLATION;
    return remove && is_about_value(session, operation, receipt) ? receipt_set(receipt, OUTCOME_UNCHANGED, 0, NULL) : outcome;
}

/* ---- dispatch ---- */

typedef enum outcome apply_function(struct connector_session *session, const struct operation *operation,
                                    struct account *ret_account, struct receipt *receipt);

static apply_function *const functions[OPERATION_KIND_COUNT] = {
    [OPERATION_CREATE] = apply_create,     [OPERATION_UPDATE] = apply_change,        [OPERATION_RENAME] = apply_change,
    [OPERATION_DISABLE] = apply_change,    [OPERATION_ENABLE] = apply_change,        [OPERATION_REMOVE] = apply_remove,
    [OPERATION_MEMBER_ADD] = apply_member, [OPERATION_MEMBER_REMOVE] = apply_member,
};

enum outcome ldap_apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                        struct receipt *receipt)
{
    apply_function *function = (unsigned)operation->kind < OPERATION_KIND_COUNT ? functions[operation->kind] : NULL;

    if (function == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "a directory cannot do \"%s\"", operation_kind_name(operation->kind));
    if (operation->locator == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "cannot %s: the operation names no dn",
                           operation_kind_name(operation->kind));
    return function(session, operation, ret_account, receipt);
}
