#include "tests/property/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum account { NONE, OPEN, CLOSED };

struct state {
    const struct policy *policy;
    struct {
        enum happening last; /* of the status */
        bool heard;
        const char *login, *name;
        bool member[GROUPS_MOST];
        enum account account;
    } users[USERS_MOST];
    struct {
        const char *name; /* NULL: never heard of */
        bool deleted;
    } groups[GROUPS_MOST];
};

/* ---- one event ---- */

static bool is_in(const struct state *state, int user, int group)
{
    return state->users[user].member[group] && !state->groups[group].deleted;
}

static bool in_scope(const struct state *state, int user)
{
    if (!state->policy->scope_by_group)
        return true;
    for (int g = 0; g < GROUPS_MOST; g++)
        if (is_in(state, user, g) && strcmp(state->groups[g].name, SCOPE_GROUP) == 0)
            return true;
    return false;
}

static enum account after(const struct state *state, int user)
{
    enum account before = state->users[user].account;

    if (!state->users[user].heard)
        return NONE;
    switch (state->users[user].last) {
    case DELETED:
        return NONE;
    case DEACTIVATED:
        return state->policy->leaver_stays && before != NONE ? CLOSED : NONE;
    case SUSPENDED:
        return in_scope(state, user) ? CLOSED : NONE;
    case HIRED:
        return !in_scope(state, user) ? NONE : state->policy->staged_has_account ? OPEN : before;
    default:
        return in_scope(state, user) ? OPEN : NONE;
    }
}

static void take_user(struct state *state, const struct life_event *event)
{
    state->users[event->user].login = event->login;
    state->users[event->user].name = event->name;
    if (event->what == RENAMED || event->what == JOINED || event->what == PARTED)
        return;
    state->users[event->user].last = event->what;
    state->users[event->user].heard = true;
}

static void take(struct state *state, const struct life_event *event)
{
    if (event->user >= 0)
        take_user(state, event);
    if (event->group >= 0) {
        state->groups[event->group].name = event->group_name;
        if (event->what != PARTED)
            state->groups[event->group].deleted = event->what == GROUP_DELETED;
    }
    if (event->what == JOINED || event->what == PARTED)
        state->users[event->user].member[event->group] = event->what == JOINED;
    for (int user = 0; user < USERS_MOST; user++)
        state->users[user].account = after(state, user);
}

/* ---- the directory ---- */

static void add(json_t *entry, const char *attribute, const char *value)
{
    json_t *values = json_object_get(entry, attribute);

    if (values == NULL)
        json_object_set_new(entry, attribute, values = json_array());
    size_t at = 0;
    while (at < json_array_size(values) && strcmp(json_string_value(json_array_get(values, at)), value) < 0)
        at++;
    json_array_insert_new(values, at, json_string(value));
}

static void user_place(const struct state *state, int user, char dn[128])
{
    const char *login = state->users[user].login;

    snprintf(dn, 128, "uid=%.*s,ou=people,dc=example,dc=org", (int)strcspn(login, "@"), login);
}

static json_t *user_entry(const struct state *state, int user)
{
    json_t *entry = json_object();
    const char *login = state->users[user].login, *name = state->users[user].name;
    char text[64];

    add(entry, "objectClass", "inetOrgPerson");
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(login, "@"), login);
    add(entry, "uid", text);
    add(entry, "cn", name);
    add(entry, "sn", strrchr(name, ' ') + 1);
    add(entry, "mail", login);
    snprintf(text, sizeof(text), "00u%d", user);
    add(entry, "employeeNumber", text);
    if (state->users[user].account == CLOSED)
        add(entry, "description", "out");
    for (int g = 0; g < GROUPS_MOST && state->policy->shows_groups; g++)
        if (is_in(state, user, g))
            add(entry, "businessCategory", state->groups[g].name);
    return entry;
}

static json_t *group_entry(const struct state *state, int group)
{
    json_t *entry = json_object();
    char dn[128];

    add(entry, "objectClass", "groupOfNames");
    add(entry, "cn", state->groups[group].name);
    if (!state->policy->lives_by_members)
        add(entry, "member", PLACEHOLDER);
    for (int user = 0; user < USERS_MOST; user++) {
        if (state->users[user].account == NONE || !is_in(state, user, group))
            continue;
        user_place(state, user, dn);
        add(entry, "member", dn);
    }
    return entry;
}

/* False: the place is taken. Takes `entry` over. */
static bool put(json_t *directory, const char *dn, json_t *entry)
{
    bool free_place = json_object_get(directory, dn) == NULL;

    json_object_set_new(directory, dn, entry);
    return free_place;
}

static json_t *directory_of(const struct state *state)
{
    json_t *directory = json_object();
    bool good = true;
    char dn[128];

    for (int user = 0; user < USERS_MOST; user++) {
        if (state->users[user].account == NONE)
            continue;
        user_place(state, user, dn);
        good = put(directory, dn, user_entry(state, user)) && good;
    }
    for (int group = 0; group < GROUPS_MOST; group++) {
        if (state->groups[group].name == NULL || state->groups[group].deleted)
            continue;
        json_t *entry = group_entry(state, group);
        snprintf(dn, sizeof(dn), "cn=%s,ou=groups,dc=example,dc=org", state->groups[group].name);
        if (json_object_get(entry, "member") == NULL)
            json_decref(entry);
        else
            good = put(directory, dn, entry) && good;
    }
    if (good)
        return directory;
    json_decref(directory);
    return NULL;
}

json_t *model_directory(const struct life *life, const struct policy *policy)
{
    struct state state = { .policy = policy };

    for (size_t i = 0; i < life->count; i++)
        take(&state, &life->events[i]);
    return directory_of(&state);
}
