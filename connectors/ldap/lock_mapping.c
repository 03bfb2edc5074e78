#include "connectors/ldap/lock_mapping.h"

#include "base/str.h"
#include "connectors/ldap/lock.h"

#define PROBLEM(file, setting, ...) problems_add((file)->problems, setting_file(setting), setting_line(setting), 0, __VA_ARGS__)

struct file {
    const config_setting_t *root;
    bool group;
    struct problems *problems;
};

/* ---- finding settings ---- */

/* A member by its name, whose case a directory does not look at; NULL: none. */
static const config_setting_t *member_of(const config_setting_t *group, const char *name)
{
    for (unsigned i = 0; group != NULL && config_setting_is_group(group) && i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        if (strcasecmp(config_setting_name(setting), name) == 0)
            return setting;
    }
    return NULL;
}

/* Of an entry of `more` that is about this attribute: its "value", "disable" or "policy". */
static const config_setting_t *more_of(const struct file *file, const char *name, const char *part)
{
    const config_setting_t *more = config_setting_get_member(file->root, "more");

    for (unsigned i = 0; more != NULL && config_setting_is_list(more) && i < (unsigned)config_setting_length(more); i++) {
        const config_setting_t *entry = config_setting_get_elem(more, i);
        const char *own = NULL;
        if (config_setting_is_group(entry) && config_setting_lookup_string(entry, "name", &own) && strcasecmp(own, name) == 0)
            return config_setting_get_member(entry, part);
    }
    return NULL;
}

static const config_setting_t *find(const struct file *file, const char *group, const char *part, const char *name)
{
    const config_setting_t *setting = member_of(config_setting_get_member(file->root, group), name);

    return setting != NULL ? setting : more_of(file, name, part);
}

static const config_setting_t *in_account(const struct file *file, const char *name)
{
    return find(file, "account", "value", name);
}

static const config_setting_t *in_disable(const struct file *file, const char *name)
{
    return find(file, "disable", "disable", name);
}

static bool is_once(const struct file *file, const char *name)
{
    const config_setting_t *policy = find(file, "policy", "policy", name);
    const char *text = policy != NULL ? config_setting_get_string(policy) : NULL;

    return text != NULL && strcmp(text, "once") == 0;
}

/* ---- the rules ---- */

static bool locks(const struct lock_row *row, const config_setting_t *setting)
{
    const char *text = config_setting_get_string(setting);
    long long number = 0;

    if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
        return row->value != NULL && strcmp(row->value, "TRUE") == 0 && config_setting_get_bool(setting) != 0;
    if (row->value != NULL)
        return text != NULL && strcasecmp(text, row->value) == 0;
    if (text == NULL)
        return (config_setting_get_int64(setting) & 2) != 0;
    return str_to_number(text, &number) && (number & 2) != 0;
}

static void check_value(const struct file *file, const struct lock_row *row)
{
    const config_setting_t *setting = in_disable(file, row->name);

    if (setting == NULL || locks(row, setting))
        return;
    if (row->value == NULL)
        PROBLEM(file, setting, "disable.%s does not have the bit 2, which disables; write accountDisable = \"TRUE\"; instead, which keeps "
                "the other bits", row->name);
    else if (strcmp(row->name, "pwdAccountLockedTime") == 0)
        PROBLEM(file, setting, "disable.%s must be \"%s\": any other time ends by itself, and could not be told from a lock that the "
                "server set", row->name, row->value);
    else
        PROBLEM(file, setting, "disable.%s locks nobody with this value; write %s = \"%s\";", row->name, row->name, row->value);
}

static void check_made_up(const struct file *file, const char *name)
{
    const config_setting_t *account = in_account(file, name), *disable = in_disable(file, name);

    if (account != NULL)
        PROBLEM(file, account, "account.%s: it stands in disable alone, as %s = \"TRUE\";", name, name);
    if (disable != NULL && file->group)
        PROBLEM(file, disable, "disable.%s is for people: a group logs nobody in", name);
}

/* What an update writes must not undo what the disabling has done. */
static void check_passwords(const struct file *file)
{
    const config_setting_t *account = in_account(file, "userPassword"), *disable = in_disable(file, "userPassword");

    if (disable != NULL)
        PROBLEM(file, disable, "disable.userPassword: a password that the agent may not read cannot be seen to be there, and any "
                "text is a password; write passwordLock = \"TRUE\"; instead");
    if (account != NULL && !is_once(file, "userPassword"))
        PROBLEM(file, account, "account.userPassword would be put back at each event, over the person's own and over a lock; add "
                "policy: { userPassword = \"once\"; };");
}

static void check_control(const struct file *file)
{
    const config_setting_t *account = in_account(file, "userAccountControl"), *disable = in_disable(file, "userAccountControl");
    const config_setting_t *made_up = in_disable(file, "accountDisable");

    if (made_up != NULL && disable != NULL)
        PROBLEM(file, disable, "disable has both userAccountControl and accountDisable, which is a bit of it; remove userAccountControl");
    else if (disable != NULL && account == NULL)
        PROBLEM(file, disable, "disable.userAccountControl would be removed on return, for account does not say what it is "
                "otherwise; write accountDisable = \"TRUE\"; instead");
    if (made_up != NULL && account != NULL && !is_once(file, "userAccountControl"))
        PROBLEM(file, account, "account.userAccountControl would be put back at each event, over the bit that accountDisable sets; add "
                "policy: { userAccountControl = \"once\"; };");
}

void lock_check_mapping(const config_setting_t *root, bool group, struct problems *problems)
{
    const struct file file = { root, group, problems };

    for (const struct lock_row *row = lock_rows; row->name != NULL; row++) {
        if (lock_is_made_up(row->name))
            check_made_up(&file, row->name);
        check_value(&file, row);
    }
    check_passwords(&file);
    check_control(&file);
}
