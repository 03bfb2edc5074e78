#include "tests/property/left.h"

#include <string.h>

#include "base/str.h"

static bool is_named(const json_t *leavers, int user)
{
    char id[16];

    snprintf(id, sizeof(id), "00u%d", user);
    for (size_t i = 0; i < json_array_size(leavers); i++)
        if (str_equal(json_string_value(json_object_get(json_array_get(leavers, i), "id")), id))
            return true;
    return false;
}

/* Whose account it is; -1: nobody's that we know. */
static int owner(const json_t *entry)
{
    const char *id = json_string_value(json_array_get(json_object_get(entry, "employeeNumber"), 0));

    return id != NULL && strncmp(id, "00u", 3) == 0 ? atoi(id + 3) : -1;
}

/* Or stepped aside to it (deliver/swap.h). */
static bool had_place(const struct life *life, int user, const char *dn)
{
    char aside[24];

    snprintf(aside, sizeof(aside), "~00u%d,", user);
    for (size_t i = 0; i < life->count; i++) {
        const struct life_event *event = &life->events[i];
        size_t length = strcspn(event->login, "@");
        bool named = event->user == user && strncmp(dn, "uid=", 4) == 0 && strncmp(dn + 4, event->login, length) == 0;
        if (named && (dn[4 + length] == ',' || strncmp(dn + 4 + length, aside, strlen(aside)) == 0))
            return true;
    }
    return false;
}

/* ---- accounts ---- */

static char *account_left(const struct model *model, const json_t *found, const json_t *leavers)
{
    const char *dn;
    json_t *entry;

    json_object_foreach((json_t *)found, dn, entry)
    {
        int user = owner(entry);
        if (user < 0 || model->users[user].account == OPEN || is_named(leavers, user))
            continue;
        if (json_object_get(entry, "description") == NULL) /* a removal that was refused has disabled */
            return str_printf("the account of 00u%d at %s is left, and he is not named", user, dn);
    }
    return NULL;
}

/* ---- member values ---- */

static bool is_of_group(const char *dn, const char *name)
{
    size_t length = strlen(name);

    return strncmp(dn, "cn=", 3) == 0 && strncmp(dn + 3, name, length) == 0 && dn[3 + length] == ',';
}

/* The group that has always been at this place, alone; -1: several have, or it is no more. */
static int only_group(const struct model *model, const struct life *life, const char *dn)
{
    int only = -1;

    for (size_t i = 0; i < life->count; i++) {
        const struct life_event *event = &life->events[i];
        if (event->group < 0 || !is_of_group(dn, event->group_name))
            continue;
        if (only >= 0 && only != event->group)
            return -1;
        only = event->group;
    }
    for (size_t i = 0; i < life->count && only >= 0; i++)
        if (life->events[i].group == only && !is_of_group(dn, life->events[i].group_name))
            return -1;
    return only >= 0 && !model->groups[only].deleted ? only : -1;
}

static bool may_stand(const struct model *model, int user, int group)
{
    return model->users[user].account != NONE && model_is_in(model, user, group);
}

/* A value without an account at its place can be of anybody who was there. */
static bool is_explained(const struct model *model, const struct life *life, const json_t *found, const json_t *leavers, int group,
                         const char *value)
{
    int user = owner(json_object_get(found, value));

    if (json_object_get(found, value) != NULL && user < 0)
        return true; /* somebody else's */
    for (int i = 0; i < USERS_MOST; i++)
        if ((user == i || (user < 0 && had_place(life, i, value))) && (may_stand(model, i, group) || is_named(leavers, i)))
            return true;
    for (int i = 0; i < USERS_MOST; i++) /* an account of this place that has gone elsewhere, its value not yet */
        if (user >= 0 && user != i && had_place(life, i, value) && is_named(leavers, i))
            return true;
    return false;
}

static char *member_left(const struct model *model, const struct life *life, const json_t *found, const json_t *leavers)
{
    const char *dn;
    json_t *entry;

    json_object_foreach((json_t *)found, dn, entry)
    {
        const json_t *values = json_object_get(entry, "member");
        int group = values != NULL ? only_group(model, life, dn) : -1;
        for (size_t i = 0; i < json_array_size(values) && group >= 0; i++) {
            const char *value = json_string_value(json_array_get(values, i));
            if (strcmp(value, PLACEHOLDER) != 0 && !is_explained(model, life, found, leavers, group, value))
                return str_printf("%s is left in %s, and nobody is named for it", value, dn);
        }
    }
    return NULL;
}

char *left_unnamed(const struct model *model, const struct life *life, const json_t *found, const json_t *leavers)
{
    char *account = account_left(model, found, leavers);

    return account != NULL ? account : member_left(model, life, found, leavers);
}

/* ---- the closed group ---- */

static bool shares_group(const struct life *life, const char *one, const char *other)
{
    for (size_t i = 0; i < life->count; i++)
        for (size_t j = 0; j < life->count && life->events[i].group >= 0; j++)
            if (life->events[i].group == life->events[j].group && strcmp(life->events[i].group_name, one) == 0 &&
                strcmp(life->events[j].group_name, other) == 0)
                return true;
    return false;
}

bool left_depends_on(const struct life *life, const char *closed, const char *dn)
{
    const char *names[EVENTS_MOST] = { closed };
    size_t count = 1;

    for (size_t i = 0; i < count; i++) {
        if (is_of_group(dn, names[i]))
            return true;
        for (size_t e = 0; e < life->count; e++) {
            const char *name = life->events[e].group_name;
            bool known = name[0] == '\0';
            for (size_t k = 0; k < count && !known; k++)
                known = strcmp(names[k], name) == 0;
            if (!known && count < EVENTS_MOST && shares_group(life, names[i], name))
                names[count++] = name;
        }
    }
    return false;
}
