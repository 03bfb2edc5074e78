#include "tests/property/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one event ---- */

bool model_is_in(const struct model *model, int user, int group)
{
    return model->users[user].member[group] && !model->groups[group].deleted;
}

static bool in_scope(const struct model *model, int user)
{
    if (!model->policy->scope_by_group)
        return true;
    for (int g = 0; g < GROUPS_MOST; g++)
        if (model_is_in(model, user, g) && strcmp(model->groups[g].name, SCOPE_GROUP) == 0)
            return true;
    return false;
}

static enum standing after(const struct model *model, int user)
{
    enum standing before = model->users[user].account;

    if (!model->users[user].heard)
        return NONE;
    switch (model->users[user].last) {
    case DELETED:
        return NONE;
    case DEACTIVATED:
        return model->policy->leaver_stays && before != NONE ? CLOSED : NONE;
    case SUSPENDED:
        return in_scope(model, user) ? CLOSED : NONE;
    case HIRED:
        return !in_scope(model, user) ? NONE : model->policy->staged_has_account ? OPEN : before;
    default:
        return in_scope(model, user) ? OPEN : NONE;
    }
}

static void take_user(struct model *model, const struct life_event *event)
{
    model->users[event->user].login = event->login;
    model->users[event->user].name = event->name;
    if (event->what == RENAMED || event->what == JOINED || event->what == PARTED)
        return;
    model->users[event->user].last = event->what;
    model->users[event->user].heard = true;
}

static void take(struct model *model, const struct life_event *event)
{
    if (event->user >= 0)
        take_user(model, event);
    if (event->group >= 0) {
        model->groups[event->group].name = event->group_name;
        if (event->what != PARTED)
            model->groups[event->group].deleted = event->what == GROUP_DELETED;
    }
    if (event->what == JOINED || event->what == PARTED)
        model->users[event->user].member[event->group] = event->what == JOINED;
    for (int user = 0; user < USERS_MOST; user++)
        model->users[user].account = after(model, user);
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

static void user_place(const struct model *model, int user, char dn[128])
{
    const char *login = model->users[user].login;

    snprintf(dn, 128, "uid=%.*s,ou=people,dc=example,dc=org", (int)strcspn(login, "@"), login);
}

static json_t *user_entry(const struct model *model, int user)
{
    json_t *entry = json_object();
    const char *login = model->users[user].login, *name = model->users[user].name;
    char text[64];

    add(entry, "objectClass", "inetOrgPerson");
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(login, "@"), login);
    add(entry, "uid", text);
    add(entry, "cn", name);
    add(entry, "sn", strrchr(name, ' ') + 1);
    add(entry, "mail", login);
    snprintf(text, sizeof(text), "00u%d", user);
    add(entry, "employeeNumber", text);
    if (model->users[user].account == CLOSED)
        add(entry, "description", "out");
    for (int g = 0; g < GROUPS_MOST && model->policy->shows_groups; g++)
        if (model_is_in(model, user, g))
            add(entry, "businessCategory", model->groups[g].name);
    return entry;
}

static json_t *group_entry(const struct model *model, int group)
{
    json_t *entry = json_object();
    char dn[128];

    add(entry, "objectClass", "groupOfNames");
    add(entry, "cn", model->groups[group].name);
    if (!model->policy->lives_by_members)
        add(entry, "member", PLACEHOLDER);
    for (int user = 0; user < USERS_MOST; user++) {
        if (model->users[user].account == NONE || !model_is_in(model, user, group))
            continue;
        user_place(model, user, dn);
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

static json_t *directory_of(const struct model *model)
{
    json_t *directory = json_object();
    bool good = true;
    char dn[128];

    for (int user = 0; user < USERS_MOST; user++) {
        if (model->users[user].account == NONE)
            continue;
        user_place(model, user, dn);
        good = put(directory, dn, user_entry(model, user)) && good;
    }
    for (int group = 0; group < GROUPS_MOST; group++) {
        if (model->groups[group].name == NULL || model->groups[group].deleted)
            continue;
        json_t *entry = group_entry(model, group);
        snprintf(dn, sizeof(dn), "cn=%s,ou=groups,dc=example,dc=org", model->groups[group].name);
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

struct model model_fold(const struct life *life, const struct policy *policy)
{
    struct model model = { .policy = policy };

    for (size_t i = 0; i < life->count; i++)
        take(&model, &life->events[i]);
    return model;
}

json_t *model_directory(const struct life *life, const struct policy *policy)
{
    struct model model = model_fold(life, policy);

    return directory_of(&model);
}
