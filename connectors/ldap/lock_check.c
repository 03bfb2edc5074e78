#include "connectors/ldap/lock_check.h"

#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/lock.h"
#include "connectors/ldap/outcome.h"

#define PEOPLE "(|(objectClass=person)(objectClass=account)(objectClass=posixAccount))"
#define PEOPLE_LOOKED_AT 100
#define POLICIES_MOST 50
#define PPOLICY_CONTROL "1.3.6.1.4.1.42.2.27.8.5.1"
#define ACTIVE_DIRECTORY "1.2.840.113556.1.4.800" /* in supportedCapabilities */

struct looking {
    struct connector_session *session;
    const char *base;
    const char *const *names;
    struct berval **schema; /* attributeTypes; NULL: could not be read */
    bool ppolicy, active_directory;
    size_t locking;    /* password policies that lock out */
    struct buf idle;   /* those that do not: their DNs */
    struct buf problems, notes; /* sentences, one a line */
};

static void looking_clear(struct looking *looking)
{
    ldap_value_free_len(looking->schema);
    buf_free(&looking->idle);
    buf_free(&looking->problems);
    buf_free(&looking->notes);
}

static void say(struct buf *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct buf *lines, const char *format, ...)
{
    va_list args;

    if (lines->length > 0)
        buf_add_char(lines, '\n');
    va_start(args, format);
    buf_vprintf(lines, format, args);
    va_end(args);
}

/* ---- what the server is ---- */

static bool value_is(struct connector_session *session, LDAPMessage *entry, const char *attribute, const char *wanted)
{
    struct berval **values = ldap_get_values_len(session->ld, entry, attribute);
    bool found = false;

    for (size_t i = 0; values != NULL && values[i] != NULL; i++)
        found = found || (values[i]->bv_len == strlen(wanted) && strncasecmp(values[i]->bv_val, wanted, values[i]->bv_len) == 0);
    ldap_value_free_len(values);
    return found;
}

/* The first value, owned; NULL: none. */
static char *value_text(struct connector_session *session, LDAPMessage *entry, const char *attribute)
{
    struct berval **values = ldap_get_values_len(session->ld, entry, attribute);
    char *text = values != NULL && values[0] != NULL ? strndup(values[0]->bv_val, values[0]->bv_len) : NULL;

    ldap_value_free_len(values);
    return text;
}

/* False: no answer came, and the receipt says why. What the server refuses to show leaves *answer without an entry. */
static bool look_at(struct looking *looking, const char *dn, int scope, const char *filter, const char *const *attributes, int most,
                    struct answer *answer, struct receipt *receipt)
{
    const struct request request = {
        .kind = REQUEST_SEARCH, .dn = dn, .scope = scope, .filter = filter, .attributes = attributes, .size_limit = most
    };

    return session_ask(looking->session, &request, answer, receipt);
}

static bool look_at_schema(struct looking *looking, const char *dn, struct receipt *receipt)
{
    static const char *const names[] = { "attributeTypes", NULL };
    cleanup_answer struct answer answer = { 0 };

    if (!look_at(looking, dn, LDAP_SCOPE_BASE, "(objectClass=*)", names, 0, &answer, receipt))
        return false;
    LDAPMessage *entry = answer_entry(looking->session, &answer);
    looking->schema = entry != NULL ? ldap_get_values_len(looking->session->ld, entry, "attributeTypes") : NULL;
    return true;
}

static bool look_at_server(struct looking *looking, struct receipt *receipt)
{
    static const char *const names[] = { "supportedControl", "supportedCapabilities", "subschemaSubentry", NULL };
    cleanup_answer struct answer answer = { 0 };

    if (!look_at(looking, "", LDAP_SCOPE_BASE, "(objectClass=*)", names, 0, &answer, receipt))
        return false;
    LDAPMessage *root = answer_entry(looking->session, &answer);
    if (root == NULL)
        return true;
    looking->ppolicy = value_is(looking->session, root, "supportedControl", PPOLICY_CONTROL);
    looking->active_directory = value_is(looking->session, root, "supportedCapabilities", ACTIVE_DIRECTORY);
    cleanup_free char *schema = value_text(looking->session, root, "subschemaSubentry");
    return schema == NULL || look_at_schema(looking, schema, receipt);
}

/* In the schema (RFC 4512: NAME 'a' or NAME ( 'a' 'b' )); where that could not be read, nothing is. */
static bool is_known(const struct looking *looking, const char *attribute)
{
    cleanup_free char *quoted = str_printf("'%s'", attribute);

    for (size_t i = 0; quoted != NULL && looking->schema != NULL && looking->schema[i] != NULL; i++) {
        cleanup_free char *text = strndup(looking->schema[i]->bv_val, looking->schema[i]->bv_len);
        if (text != NULL && strcasestr(text, quoted) != NULL)
            return true;
    }
    return false;
}

static bool is_named(const struct looking *looking, const char *name)
{
    for (const char *const *own = looking->names; own != NULL && *own != NULL; own++)
        if (strcasecmp(*own, name) == 0)
            return true;
    return false;
}

/* Does the server itself refuse a bind for this one? */
static bool is_its_own(const struct looking *looking, const struct lock_row *row)
{
    const char *name = row->name;

    if (strcmp(name, "accountDisable") == 0)
        return looking->active_directory;
    if (strcmp(name, "pwdAccountLockedTime") == 0 && (!looking->ppolicy || (looking->locking == 0 && looking->idle.length > 0)))
        return false;
    return strcmp(name, "userAccountControl") != 0 && is_known(looking, name);
}

/* ---- the locks that the mapping names ---- */

static void judge_lock(struct looking *looking, const struct lock_row *row)
{
    const char *attribute = lock_attribute(row->name);

    if (looking->schema != NULL && !is_known(looking, attribute))
        say(&looking->problems, "%s%s%s is not in this server's schema, so it locks nobody here", row->name,
            attribute != row->name ? ": " : "", attribute != row->name ? attribute : "");
    else if (looking->active_directory && strcmp(row->name, "passwordLock") == 0)
        say(&looking->problems, "passwordLock locks nobody here: Active Directory keeps no password in userPassword; write "
            "accountDisable = \"TRUE\"; instead");
    else if (!looking->ppolicy && strcmp(row->name, "pwdAccountLockedTime") == 0)
        say(&looking->problems, "pwdAccountLockedTime locks nobody here: the server has no password policy overlay (its control %s is not "
            "offered); write passwordLock = \"TRUE\"; instead, or load ppolicy", PPOLICY_CONTROL);
    else if (!looking->active_directory && strcmp(attribute, "userAccountControl") == 0)
        say(&looking->notes, "%s: this server does not say that it is Active Directory; elsewhere userAccountControl stops no log-in",
            row->name);
}

/* ---- password policies ---- */

/* The naming context that holds the people, whatever base_dn says: policies stand beside them. The caller's; NULL: none. */
static char *context_of(const struct looking *looking)
{
    char **contexts = looking->session->contexts;

    for (size_t i = 0; contexts != NULL && contexts[i] != NULL; i++)
        if (looking->base != NULL && dn_is_within(looking->base, contexts[i]))
            return strdup(contexts[i]);
    return session_base(looking->session, looking->base);
}

/* slapo-ppolicy heeds pwdAccountLockedTime only under a policy with pwdLockout. */
static void take_policies(struct looking *looking, const struct answer *answer)
{
    LDAP *ld = looking->session->ld;

    for (LDAPMessage *entry = answer_entry(looking->session, answer); entry != NULL; entry = ldap_next_entry(ld, entry)) {
        char *dn = ldap_get_dn(ld, entry);
        if (value_is(looking->session, entry, "pwdLockout", "TRUE"))
            looking->locking++;
        else
            buf_printf(&looking->idle, "%s\"%s\"", looking->idle.length > 0 ? ", " : "", dn != NULL ? dn : "?");
        ldap_memfree(dn);
    }
}

static void judge_policies(struct looking *looking)
{
    if (!looking->ppolicy || !is_named(looking, "pwdAccountLockedTime"))
        return;
    if (looking->locking == 0 && looking->idle.length > 0)
        say(&looking->problems, "pwdAccountLockedTime locks nobody here: no password policy has pwdLockout TRUE (%s); set it, or write "
            "passwordLock = \"TRUE\"; instead", looking->idle.bytes);
    else if (looking->locking == 0)
        say(&looking->notes, "no password policy (pwdPolicy) can be seen; pwdAccountLockedTime stops a log-in only where the policy that "
            "applies has pwdLockout TRUE");
    else if (looking->idle.length > 0)
        say(&looking->notes, "pwdAccountLockedTime does not stop the log-in of people whose password policy is %s: it has no "
            "pwdLockout TRUE", looking->idle.bytes);
}

static bool look_at_policies(struct looking *looking, struct receipt *receipt)
{
    static const char *const names[] = { "pwdLockout", NULL };
    cleanup_free char *context = context_of(looking);
    cleanup_answer struct answer answer = { 0 };

    if (!looking->ppolicy || context == NULL)
        return true;
    if (!look_at(looking, context, LDAP_SCOPE_SUBTREE, "(objectClass=pwdPolicy)", names, POLICIES_MOST, &answer, receipt))
        return false;
    take_policies(looking, &answer);
    return true;
}

/* ---- may passwords be read? ---- */

static void judge_people(struct looking *looking, const struct answer *answer)
{
    LDAP *ld = looking->session->ld;
    size_t people = 0, shown = 0;

    for (LDAPMessage *entry = answer_entry(looking->session, answer); entry != NULL; entry = ldap_next_entry(ld, entry)) {
        people++;
        shown += lock_state(ld, entry) != LOCK_UNSEEN;
    }
    if (people == 0)
        say(&looking->notes, "nobody is below \"%s\" yet, so it cannot be seen whether the agent may read userPassword, which passwordLock "
            "needs to give a password back", looking->base);
    else if (shown == 0)
        say(&looking->notes, "none of the %zu entries looked at below \"%s\" shows a userPassword: they have none, or the agent may "
            "not read it. passwordLock then locks all the same, but the password is gone; let the agent read userPassword",
            people, looking->base);
}

static bool look_at_people(struct looking *looking, struct receipt *receipt)
{
    static const char *const names[] = { "userPassword", NULL };
    cleanup_answer struct answer answer = { 0 };

    if (looking->base == NULL || looking->active_directory || !is_named(looking, "passwordLock"))
        return true;
    if (!look_at(looking, looking->base, LDAP_SCOPE_SUBTREE, PEOPLE, names, PEOPLE_LOOKED_AT, &answer, receipt))
        return false;
    judge_people(looking, &answer);
    return true;
}

/* ---- the whole ---- */

/* Which locks the server has of its own, and whether one of them would do better. */
static void tell_own_locks(struct looking *looking)
{
    cleanup_buf struct buf own = { 0 };
    bool named = false;

    for (const struct lock_row *row = lock_rows; row->name != NULL; row++) {
        if (!is_its_own(looking, row))
            continue;
        named = named || is_named(looking, row->name);
        buf_printf(&own, "%s%s = \"%s\";", own.length > 0 ? " or " : "", row->name, row->value != NULL ? row->value : "514");
    }
    if (looking->schema == NULL)
        say(&looking->notes, "the server's schema cannot be read, so which locks it knows cannot be told");
    else if (own.length == 0)
        say(&looking->notes, "the server has no lock of its own; passwordLock is the one that works here");
    else if (is_named(looking, "passwordLock") && !named && !looking->active_directory)
        say(&looking->notes, "the server has a lock of its own, which is better than passwordLock (no password has to be read and "
            "rewritten): %s", own.bytes);
    else
        say(&looking->notes, "the server's own locks: %s", own.bytes);
    if (is_named(looking, "passwordLock") && is_known(looking, "nsAccountLock"))
        say(&looking->notes, "passwordLock costs the password here: 389 Directory Server hashes whatever is written to userPassword");
}

static enum outcome tell(struct looking *looking, struct receipt *receipt)
{
    bool good = looking->problems.length == 0;

    receipt_set(receipt, good ? OUTCOME_APPLIED : OUTCOME_REJECTED, 0, good ? NULL : "%s", looking->problems.bytes);
    free(receipt->note);
    receipt->note = buf_take(&looking->notes);
    return receipt->outcome;
}

enum outcome lock_check(struct connector_session *session, const char *base, const char *const *names, struct receipt *receipt)
{
    __attribute__((cleanup(looking_clear))) struct looking looking = { .session = session, .base = base, .names = names };

    if (!look_at_server(&looking, receipt) || !look_at_policies(&looking, receipt))
        return receipt->outcome;
    for (const struct lock_row *row = lock_rows; row->name != NULL; row++)
        if (is_named(&looking, row->name))
            judge_lock(&looking, row);
    judge_policies(&looking);
    tell_own_locks(&looking);
    if (!look_at_people(&looking, receipt))
        return receipt->outcome;
    return tell(&looking, receipt);
}
