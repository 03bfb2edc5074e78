/* When a session target ends whose sessions: sign_out, request_timeout, deny, mirror. */
#include <stdlib.h>

#include "base/str.h"
#include "plan/loader.h"
#include "plan/sessions.h"

#define SECOND_US 1000000LL
#define TIMEOUT_US_MOST (3600 * SECOND_US)
#define LEAVE_TRIGGERS (TRIGGERS_ALL & ~TRIGGER_BIT(TRIGGER_LOGOUT))

static void load_trigger(struct loader *loader, const config_setting_t *item)
{
    const char *name = loader_text(loader, item, "sign_out");
    int trigger = trigger_find(name);
    const char *nearest = name != NULL && trigger < 0 ? str_nearest(name, trigger_names) : NULL;
    cleanup_buf struct buf list = { 0 };

    for (int i = 0; i < TRIGGER_COUNT; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", trigger_names[i]);
    if (trigger >= 0)
        loader->mapping->sessions->triggers |= TRIGGER_BIT(trigger);
    else if (nearest != NULL)
        loader_complain(loader, item, "sign_out: unknown trigger \"%s\"; did you mean \"%s\"?", name, nearest);
    else if (name != NULL)
        loader_complain(loader, item, "sign_out: unknown trigger \"%s\"; possible are %s", name, list.bytes);
}

static void load_sign_out(struct loader *loader, const config_setting_t *setting)
{
    struct session_rules *rules = loader->mapping->sessions;
    const char *word = config_setting_get_string(setting);
    bool list = config_setting_is_aggregate(setting) && !config_setting_is_group(setting) && config_setting_length(setting) > 0;

    if (word != NULL && strcmp(word, "leave") == 0)
        return;
    if (word != NULL && strcmp(word, "all") == 0) {
        rules->triggers = TRIGGERS_ALL;
    } else if (!list) {
        loader_complain(loader, setting, "sign_out is \"leave\" (all but a plain logout), \"all\", or a list of triggers: "
                        "[ \"deactivate\", \"clear\" ]");
    } else {
        rules->triggers = 0;
        for (unsigned i = 0; i < (unsigned)config_setting_length(setting); i++)
            load_trigger(loader, config_setting_get_elem(setting, i));
    }
}

/* A time span between a second and `most_us`. */
static void load_span(struct loader *loader, const config_setting_t *setting, const char *where, int64_t most_us, const char *most,
                      int64_t *ret_us)
{
    const char *text = loader_text(loader, setting, where);
    long long us;

    if (text == NULL)
        return;
    if (!str_to_duration_us(text, &us) || us < SECOND_US || us > most_us)
        loader_complain(loader, setting, "%s: \"%s\" is no time span from \"1 s\" to \"%s\"; write it like \"30 s\" or \"12 h\"", where,
                        text, most);
    else
        *ret_us = us;
}

static void load_request_timeout(struct loader *loader, const config_setting_t *setting)
{
    load_span(loader, setting, "request_timeout", TIMEOUT_US_MOST, "1 h", &loader->mapping->sessions->request_timeout_us);
}

static void load_deny(struct loader *loader, const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        loader_complain(loader, setting, "deny is true or false");
    loader->mapping->sessions->deny = config_setting_get_bool(setting) != 0;
}

static void load_mirror(struct loader *loader, const config_setting_t *setting)
{
    static const char *const known[] = { "expires", NULL };
    const config_setting_t *expires = config_setting_is_group(setting) ? config_setting_get_member(setting, known[0]) : NULL;

    for (int i = 0; config_setting_is_group(setting) && i < config_setting_length(setting); i++)
        if (strcmp(config_setting_name(config_setting_get_elem(setting, (unsigned)i)), known[0]) != 0)
            loader_unknown_key(loader, config_setting_get_elem(setting, (unsigned)i), known);
    if (expires == NULL)
        loader_complain(loader, setting, "mirror says for how long a sign-in counts: mirror: { expires = \"12 h\"; };");
    else
        load_span(loader, expires, "mirror.expires", SIGN_IN_KEEP_US, "7 days", &loader->mapping->sessions->mirror_us);
}

static const struct {
    const char *key;
    void (*load)(struct loader *loader, const config_setting_t *setting);
} parts[] = {
    { "sign_out", load_sign_out }, { "request_timeout", load_request_timeout }, { "deny", load_deny }, { "mirror", load_mirror },
};

static void refuse_parts(struct loader *loader, const config_setting_t *root)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const config_setting_t *setting = config_setting_get_member(root, parts[i].key);
        if (setting != NULL)
            loader_complain(loader, setting, "%s is for targets that end sessions; the connector \"%s\" keeps accounts",
                            parts[i].key, loader->mapping->ops->name);
    }
}

static void refuse_accounts(struct loader *loader, const config_setting_t *root)
{
    static const char *const keys[] = { "account", "match",    "more",    "policy",         "required",
                                        "on",      "disable",  "members", "while_disabled", NULL };

    for (size_t i = 0; keys[i] != NULL; i++) {
        const config_setting_t *setting = config_setting_get_member(root, keys[i]);
        if (setting != NULL)
            loader_complain(loader, setting, "%s is for accounts, and the connector \"%s\" has none; sign_out says when sessions are "
                            "ended, sessions.user whose", keys[i], loader->mapping->ops->name);
    }
}

static void check_user(struct loader *loader, const config_setting_t *root)
{
    const config_setting_t *sessions = config_setting_get_member(root, "sessions");
    bool group = sessions != NULL && config_setting_is_group(sessions);
    const config_setting_t *user = group ? config_setting_get_member(sessions, "user") : NULL;

    if (user == NULL && loader->connector_told)
        return; /* it has said so */
    if (user == NULL)
        loader_complain(loader, sessions, "sessions.user is missing; it says what identifies the person inside the sessions: "
                        "sessions: { user = \"{login}\"; … };");
    else if (config_setting_type(user) != CONFIG_TYPE_STRING)
        loader_complain(loader, user, "sessions.user must be text in double quotes");
    else if (strchr(config_setting_get_string(user), '{') == NULL)
        loader_complain(loader, user, "sessions.user: \"%s\" is the same for everyone; put in what tells people apart, such as "
                        "{login}", config_setting_get_string(user));
}

void load_sessions(struct loader *loader, const config_setting_t *root)
{
    struct mapping *mapping = loader->mapping;

    if (mapping->ops == NULL)
        return;
    if ((mapping->ops->capabilities & CONNECTOR_SESSIONS) == 0) {
        refuse_parts(loader, root);
        return;
    }
    mapping->sessions = calloc(1, sizeof(*mapping->sessions));
    if (mapping->sessions == NULL)
        abort();
    *mapping->sessions = (struct session_rules){ .triggers = LEAVE_TRIGGERS, .request_timeout_us = 30 * SECOND_US };
    refuse_accounts(loader, root);
    check_user(loader, root);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const config_setting_t *setting = config_setting_get_member(root, parts[i].key);
        if (setting != NULL)
            parts[i].load(loader, setting);
    }
}
