#include "connectors/ldap/lock.h"

#include <gnutls/crypto.h>

#include "base/str.h"

#define LOCKED "{PROVOST-LOCKED}"
/* A lock without a password behind it. What follows is random: a server that hashes what it is given makes a password of it. */
#define NOTHING LOCKED "{PROVOST-NONE}"
#define RANDOM_BYTES 16

#define ACCOUNT_DISABLE 2LL
#define NORMAL_ACCOUNT 512LL

/*
 * Each one makes the server itself refuse a bind, for as long as it stands there. Not here:
 *   userPassword             what the agent may not read it could not be seen to take away; any text there is a password.
 *   accountUnlockTime        389 looks at it where its policy locks out after failures, and sets it itself.
 *   krbPrincipalExpiration   stops Kerberos tickets; of a bind FreeIPA alone takes notice, and that has nsAccountLock.
 *   shadowExpire, sambaAcctFlags, loginShell, host   are heeded by the machines that log people in, not by the directory.
 *   accountExpires, pwdEndTime, loginExpirationTime, ds-pwp-account-expiration-time   a date in the past would do, but would take
 *                            the place of one that somebody else had set.
 *   lockoutTime, lockedByIntruder, pwdReset, …   are the server's own, end by themselves or cannot be set.
 */
#define LOCKS(X)                                                                                              \
    X("passwordLock", "TRUE", "any server that compares userPassword")                                        \
    X("accountDisable", "TRUE", "Active Directory, Samba")                                                    \
    X("pwdAccountLockedTime", "000001010000Z", "OpenLDAP with ppolicy, ApacheDS") /* other times end alone */ \
    X("nsAccountLock", "TRUE", "389 Directory Server, FreeIPA, Oracle DSEE")                                  \
    X("userAccountControl", NULL, "Active Directory, Samba")                                                  \
    X("msDS-UserAccountDisabled", "TRUE", "AD LDS")                                                           \
    X("loginDisabled", "TRUE", "eDirectory")                                                                  \
    X("ds-pwp-account-disabled", "TRUE", "PingDirectory, PingDS, OpenDJ, Oracle Unified Directory")           \
    X("ibm-pwdAccountLocked", "TRUE", "IBM Directory Server")                                                 \
    X("orclIsEnabled", "DISABLED", "Oracle Internet Directory")

const struct lock_row lock_rows[] = {
#define X(name, value, server) { name, value, server },
    LOCKS(X)
#undef X
    { NULL, NULL, NULL },
};

const char *const lock_names[] = {
#define X(name, value, server) name,
    LOCKS(X)
#undef X
    NULL,
};

const struct lock_row *lock_row(const char *name)
{
    for (const struct lock_row *row = lock_rows; row->name != NULL; row++)
        if (strcasecmp(row->name, name) == 0)
            return row;
    return NULL;
}

/* ---- values ---- */

static struct berval **values_make(size_t most)
{
    return calloc(most + 1, sizeof(struct berval *));
}

static size_t values_count(struct berval *const *list)
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    return count;
}

/* Appends `prefix` (NULL: none) and the bytes to a list that has room. */
static int values_put(struct berval **list, const char *prefix, const char *bytes, size_t length)
{
    cleanup_buf struct buf text = { 0 };
    size_t count = values_count(list);

    buf_add_str(&text, prefix != NULL ? prefix : "");
    buf_add(&text, bytes, length);
    list[count] = text.failed ? NULL : value_new(text.bytes, text.length);
    return list[count] != NULL ? 0 : ERROR_NOMEM;
}

static bool starts(const struct berval *value, const char *prefix)
{
    return value->bv_len >= strlen(prefix) && memcmp(value->bv_val, prefix, strlen(prefix)) == 0;
}

static bool is_among(struct berval *const *list, const struct berval *value)
{
    for (; list != NULL && *list != NULL; list++)
        if ((*list)->bv_len == value->bv_len && memcmp((*list)->bv_val, value->bv_val, value->bv_len) == 0)
            return true;
    return false;
}

static void drop_last_among(struct berval **list, struct berval *const *others)
{
    size_t last = values_count(list) - 1;

    if (!is_among(others, list[last]))
        return;
    free(list[last]->bv_val);
    free(list[last]);
    list[last] = NULL;
}

/* What stays, what goes and what comes instead; all owned. */
struct exchange {
    struct berval **kept, **old, **new;
};

static void exchange_clear(struct exchange *exchange)
{
    values_free(exchange->kept);
    values_free(exchange->old);
    values_free(exchange->new);
}

static int exchange_make(struct exchange *exchange, size_t most)
{
    *exchange = (struct exchange){ values_make(most), values_make(most), values_make(most) };
    return exchange->kept != NULL && exchange->old != NULL && exchange->new != NULL ? 0 : ERROR_NOMEM;
}

/* Takes its lists. One modify either way: the old values by name, or the attribute as a whole. */
static int exchange_add(struct exchange *exchange, const char *attribute, bool whole, struct mods *mods)
{
    if (exchange->old[0] == NULL)
        return 0;
    if (whole) {
        for (size_t i = 0; exchange->new[i] != NULL; i++)
            if (values_put(exchange->kept, NULL, exchange->new[i]->bv_val, exchange->new[i]->bv_len) < 0)
                return ERROR_NOMEM;
        return mods_add(mods, LDAP_MOD_REPLACE, attribute, take_pointer(exchange->kept));
    }
    int code = mods_add(mods, LDAP_MOD_DELETE, attribute, take_pointer(exchange->old));
    if (code < 0 || exchange->new[0] == NULL)
        return code;
    return mods_add(mods, LDAP_MOD_ADD, attribute, take_pointer(exchange->new));
}

/* ---- passwords ---- */

enum lock_state lock_state(LDAP *ld, LDAPMessage *entry)
{
    struct berval **values = entry_values(ld, entry, "userPassword");
    enum lock_state state = values == NULL || values[0] == NULL ? LOCK_UNSEEN : LOCK_SET;

    for (size_t i = 0; state == LOCK_SET && values[i] != NULL; i++)
        if (!starts(values[i], LOCKED))
            state = LOCK_OPEN;
    ldap_value_free_len(values);
    return state;
}

int lock_nothing(struct mods *mods)
{
    unsigned char random[RANDOM_BYTES];
    cleanup_buf struct buf text = { 0 };

    if (gnutls_rnd(GNUTLS_RND_KEY, random, sizeof(random)) < 0)
        return ERROR_NOMEM;
    buf_add_str(&text, NOTHING);
    for (size_t i = 0; i < sizeof(random); i++)
        buf_printf(&text, "%02x", random[i]);
    return text.failed ? ERROR_NOMEM : mods_add_text(mods, LDAP_MOD_REPLACE, "userPassword", text.bytes);
}

/* One stored value into what shall stand there instead. */
static int exchange_password(struct exchange *exchange, struct berval *const *all, const struct berval *value, bool lock)
{
    bool locked = starts(value, LOCKED);
    size_t prefix = strlen(LOCKED);
    int code = 0;

    if (locked == lock)
        return values_put(exchange->kept, NULL, value->bv_val, value->bv_len);
    code = values_put(exchange->old, NULL, value->bv_val, value->bv_len);
    if (code < 0 || (!lock && starts(value, NOTHING)))
        return code;
    if (lock)
        code = values_put(exchange->new, LOCKED, value->bv_val, value->bv_len);
    else
        code = values_put(exchange->new, NULL, value->bv_val + prefix, value->bv_len - prefix);
    if (code == 0)
        drop_last_among(exchange->new, all); /* it may stand there in both forms */
    return code;
}

int lock_passwords(LDAP *ld, LDAPMessage *entry, bool lock, bool whole, struct mods *mods, const char **ret_note)
{
    struct berval **all = entry_values(ld, entry, "userPassword");
    struct exchange exchange = { NULL, NULL, NULL };
    size_t count = (size_t)ldap_count_values_len(all);
    int code = exchange_make(&exchange, count);

    for (size_t i = 0; code == 0 && i < count; i++)
        code = exchange_password(&exchange, all, all[i], lock);
    if (code == 0)
        code = exchange_add(&exchange, "userPassword", whole, mods);
    ldap_value_free_len(all);
    exchange_clear(&exchange);
    if (code < 0 || !lock || count > 0)
        return code;
    *ret_note = "no password could be read, so whatever there was is gone: a new one must be set on return";
    return lock_nothing(mods);
}

/* ---- Active Directory's account control ---- */

static bool flags_of(const struct berval *value, long long *ret_flags)
{
    cleanup_free char *text = strndup(value->bv_val, value->bv_len);

    return text != NULL && str_to_number(text, ret_flags);
}

static bool is_disabled(LDAP *ld, LDAPMessage *entry)
{
    struct berval **values = entry_values(ld, entry, "userAccountControl");
    long long flags = 0;
    bool known = values != NULL && values[0] != NULL && flags_of(values[0], &flags);

    ldap_value_free_len(values);
    return known && (flags & ACCOUNT_DISABLE) != 0;
}

static int put_number(struct berval **list, long long number)
{
    char text[32];

    return values_put(list, NULL, text, (size_t)snprintf(text, sizeof(text), "%lld", number));
}

static int replace_number(struct mods *mods, long long number)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", number);
    return mods_add_text(mods, LDAP_MOD_REPLACE, "userAccountControl", text);
}

static int exchange_flags(const struct berval *value, bool disable, bool whole, struct mods *mods, struct error *error)
{
    struct exchange exchange = { NULL, NULL, NULL };
    long long flags = 0;

    if (!flags_of(value, &flags))
        return error_set(error, ERROR_INVALID, "userAccountControl is no number");
    long long wanted = disable ? flags | ACCOUNT_DISABLE : flags & ~ACCOUNT_DISABLE;
    if (wanted == flags)
        return 0;
    int code = exchange_make(&exchange, 2);
    if (code == 0)
        code = values_put(exchange.old, NULL, value->bv_val, value->bv_len);
    if (code == 0)
        code = put_number(exchange.new, wanted);
    if (code == 0)
        code = exchange_add(&exchange, "userAccountControl", whole, mods);
    exchange_clear(&exchange);
    return code;
}

static int account_change(LDAP *ld, LDAPMessage *entry, bool disable, bool whole, struct mods *mods, const char **ret_note,
                          struct error *error)
{
    struct berval **values = entry_values(ld, entry, "userAccountControl");
    int code = 0;

    if (values != NULL && values[0] != NULL)
        code = exchange_flags(values[0], disable, whole, mods, error);
    else if (disable) {
        *ret_note = "userAccountControl could not be read: it is 514 now, and what else it said is gone";
        code = replace_number(mods, NORMAL_ACCOUNT | ACCOUNT_DISABLE);
    }
    ldap_value_free_len(values);
    return code;
}

/* ---- the two names ---- */

static const struct made_up {
    const char *name, *attribute;
} made_up[] = {
    { "passwordLock", "userPassword" },
    { "accountDisable", "userAccountControl" },
};
enum { PASSWORD_LOCK, MADE_UP_COUNT = sizeof(made_up) / sizeof(made_up[0]) };

static const struct made_up *made_up_of(const char *name)
{
    for (size_t i = 0; i < MADE_UP_COUNT; i++)
        if (strcasecmp(made_up[i].name, name) == 0)
            return &made_up[i];
    return NULL;
}

const char *lock_attribute(const char *name)
{
    const struct made_up *row = made_up_of(name);

    return row != NULL ? row->attribute : name;
}

bool lock_is_made_up(const char *name)
{
    return made_up_of(name) != NULL;
}

bool lock_is_secret(const char *attribute)
{
    size_t length = strcspn(attribute, ";"); /* userPassword;x-option is one, too */

    return length == strlen("userPassword") && strncasecmp(attribute, "userPassword", length) == 0;
}

int lock_read(LDAP *ld, LDAPMessage *entry, const char *const *names, json_t *values)
{
    for (; names != NULL && *names != NULL; names++) {
        const struct made_up *row = made_up_of(*names);
        if (row == NULL || !(row == &made_up[PASSWORD_LOCK] ? lock_state(ld, entry) == LOCK_SET : is_disabled(ld, entry)))
            continue;
        if (json_object_set_new(values, *names, json_pack("[s]", "TRUE")) < 0)
            return ERROR_NOMEM;
    }
    return 0;
}

/* Set, or taken back? */
static bool sets(const struct change *change)
{
    return change->kind != CHANGE_DELETE && json_array_size(change->values) > 0;
}

int lock_changes(LDAP *ld, LDAPMessage *entry, const struct operation *operation, bool whole, struct mods *mods,
                 const char **ret_note, struct error *error)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < operation->change_count; i++) {
        const struct change *change = &operation->changes[i];
        const struct made_up *row = made_up_of(change->name);
        if (row == NULL)
            continue;
        code = row == &made_up[PASSWORD_LOCK] ? lock_passwords(ld, entry, sets(change), whole, mods, ret_note)
                                              : account_change(ld, entry, sets(change), whole, mods, ret_note, error);
    }
    return code == ERROR_NOMEM ? error_nomem(error) : code;
}

bool lock_refused_exact(const struct operation *operation, int code)
{
    bool about = false;

    for (size_t i = 0; i < operation->change_count; i++)
        about = about || lock_is_made_up(operation->changes[i].name);
    return about && (code == LDAP_UNWILLING_TO_PERFORM || code == LDAP_CONSTRAINT_VIOLATION);
}

bool lock_sets_password(const struct operation *operation)
{
    const char *name;
    json_t *value;

    for (size_t i = 0; i < operation->change_count; i++)
        if (made_up_of(operation->changes[i].name) == &made_up[PASSWORD_LOCK])
            return sets(&operation->changes[i]);
    json_object_foreach (operation->kind == OPERATION_CREATE ? operation->values : NULL, name, value)
        if (made_up_of(name) == &made_up[PASSWORD_LOCK])
            return true;
    return false;
}

/* ---- a new entry ---- */

/* Its name as it stands in the object, or NULL. */
static const char *name_in(const json_t *values, const char *wanted)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)values, name, value)
        if (strcasecmp(name, wanted) == 0)
            return name;
    return NULL;
}

/* The first text of a list, or the text itself. */
static const char *text_of(const json_t *value)
{
    return json_string_value(json_is_array(value) ? json_array_get(value, 0) : value);
}

/* The (first) start password, where the mapping gives one, locked; and without one, a lock. */
static int lock_new_password(json_t *values)
{
    __attribute__((cleanup(cleanup_mods))) struct mods mods = { 0 };
    const char *name = name_in(values, "userPassword"), *text = name != NULL ? text_of(json_object_get(values, name)) : NULL;

    if (text != NULL)
        return json_object_set_new(values, name, json_sprintf(LOCKED "%s", text));
    if (lock_nothing(&mods) < 0)
        return ERROR_NOMEM;
    const struct berval *value = mods.list[0]->mod_bvalues[0];
    return json_object_set_new(values, "userPassword", json_stringn(value->bv_val, value->bv_len));
}

static int disable_new_account(json_t *values)
{
    const char *name = name_in(values, "userAccountControl"), *text = name != NULL ? text_of(json_object_get(values, name)) : NULL;
    long long flags = NORMAL_ACCOUNT;

    if (text != NULL)
        str_to_number(text, &flags);
    return json_object_set_new(values, name != NULL ? name : "userAccountControl", json_sprintf("%lld", flags | ACCOUNT_DISABLE));
}

json_t *lock_new_values(const json_t *values)
{
    json_t *new = json_copy((json_t *)(uintptr_t)values);
    bool whole = json_object_size(new) == json_object_size(values); /* json_copy leaves out what it has no memory for */
    int code = whole ? 0 : ERROR_NOMEM;

    for (size_t i = 0; code == 0 && i < MADE_UP_COUNT; i++) {
        const char *name = name_in(new, made_up[i].name);
        if (name == NULL)
            continue;
        json_object_del(new, name);
        code = i == PASSWORD_LOCK ? lock_new_password(new) : disable_new_account(new);
    }
    if (code == 0)
        return new;
    json_decref(new);
    return NULL;
}

/* ---- what a server says ---- */

static bool shows(const char *text, const struct berval *value)
{
    size_t prefix = starts(value, LOCKED) ? strlen(LOCKED) : 0;

    return value->bv_len > prefix && memmem(text, strlen(text), value->bv_val + prefix, value->bv_len - prefix) != NULL;
}

void lock_hide(const struct mods *mods, struct receipt *receipt)
{
    enum refusal refusal = receipt->refusal;
    bool shown = false;

    for (size_t i = 0; receipt->reason != NULL && i < mods->count; i++)
        for (size_t k = 0; lock_is_secret(mods->list[i]->mod_type) && mods->list[i]->mod_bvalues != NULL; k++) {
            if (mods->list[i]->mod_bvalues[k] == NULL)
                break;
            shown = shown || shows(receipt->reason, mods->list[i]->mod_bvalues[k]);
        }
    if (!shown)
        return;
    receipt_set(receipt, receipt->outcome, receipt->remote_code,
                "the server refuses the change (%d); what it says is left out, because a password stands in it", receipt->remote_code);
    receipt->refusal = refusal;
}
