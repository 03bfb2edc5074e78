/* A compiled mapping: what it says of itself, and its end. */
#include "plan/sessions.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct attribute *mapping_attribute(const struct mapping *mapping, const char *name)
{
    for (size_t i = 0; i < mapping->attribute_count; i++)
        if ((mapping->directory ? strcasecmp : strcmp)(mapping->attributes[i].name, name) == 0)
            return &mapping->attributes[i];
    return NULL;
}

bool mapping_disables(const struct mapping *mapping)
{
    for (int i = 0; i < ON_COUNT; i++)
        if (mapping->on[i].action == ACTION_DISABLE)
            return true;
    return false;
}

static bool disables_attributes(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->attribute_count; i++)
        if (mapping->attributes[i].disable != NULL)
            return true;
    return false;
}

bool mapping_disables_by_move(const struct mapping *mapping)
{
    return mapping->disable_locator != NULL && !disables_attributes(mapping);
}

bool mapping_has_disable(const struct mapping *mapping)
{
    bool says = mapping_call(mapping, "disable") != NULL || mapping->disable_locator != NULL || disables_attributes(mapping);

    return says && mapping_can(mapping, OPERATION_DISABLE);
}

void mapping_free(struct mapping *mapping)
{
    if (mapping == NULL)
        return;
    for (size_t i = 0; i < mapping->attribute_count; i++) {
        free(mapping->attributes[i].name);
        value_free(mapping->attributes[i].account);
        value_free(mapping->attributes[i].disable);
    }
    for (size_t i = 0; i < mapping->match_count; i++)
        value_free(mapping->match[i]);
    free(mapping->match);
    free(mapping->attributes);
    free(mapping->names);
    free(mapping->disable_names);
    for (size_t i = 0; mapping->groups != NULL && mapping->ops->groups[i].name != NULL; i++)
        value_free(mapping->groups[i]);
    free(mapping->groups);
    value_free(mapping->locator);
    free(mapping->base);
    for (struct connector_line *place = mapping->places; place != NULL && place->name != NULL; place++)
        free((char *)place->dn);
    free(mapping->places);
    for (const char **base = mapping->bases; base != NULL && *base != NULL; base++)
        free((char *)*base);
    free(mapping->bases);
    free(mapping->protect);
    value_free(mapping->disable_locator);
    expr_free(mapping->scope);
    free(mapping->members.attribute);
    template_free(mapping->members.value);
    free(mapping->members.placeholder);
    problems_free(&mapping->warnings);
    free(mapping->target);
    free(mapping->sessions);
    free(mapping->path);
    free(mapping);
}

const char *mapping_path(const struct mapping *mapping)
{
    return mapping->path;
}

const char *mapping_target(const struct mapping *mapping)
{
    return mapping->target;
}

enum identity_kind mapping_kind(const struct mapping *mapping)
{
    return mapping->kind;
}

const struct problems *mapping_warnings(const struct mapping *mapping)
{
    return &mapping->warnings;
}

uint64_t mapping_version(const struct mapping *mapping)
{
    return mapping->version;
}

const char *const *mapping_disable_names(const struct mapping *mapping)
{
    return mapping->has_lock ? mapping->disable_names : NULL;
}

bool mapping_adopts(const struct mapping *mapping)
{
    return mapping->adopts;
}

const char *mapping_base(const struct mapping *mapping)
{
    return mapping->base;
}

const struct connector_line *mapping_places(const struct mapping *mapping)
{
    return mapping->places;
}

const char *mapping_member_attribute(const struct mapping *group_mapping)
{
    return group_mapping->members.attribute;
}

bool mapping_with_first_member(const struct mapping *group_mapping)
{
    return group_mapping->members.with_first_member;
}

static const struct {
    enum expr_name name;
    unsigned user_facts, group_facts;
} name_facts[] = {
    { NAME_LOGIN, FACT_BIT(FACT_LOGIN), 0 },
    { NAME_NAME, FACT_BIT(FACT_NAME), FACT_BIT(FACT_GROUP_NAME) },
    { NAME_PROFILE, FACT_BIT(FACT_PROFILE), FACT_BIT(FACT_PROFILE) },
    { NAME_GROUPS, FACT_BIT(FACT_MEMBER) | FACT_BIT(FACT_GROUP_NAME) | FACT_BIT(FACT_GROUP_EXISTS), 0 },
    { NAME_APPS, FACT_BIT(FACT_ASSIGNED), 0 },
};

unsigned mapping_facts(const struct mapping *mapping)
{
    bool group = mapping->kind == IDENTITY_GROUP;
    /* a group that was only ever named exists, too */
    unsigned facts = group ? FACT_BIT(FACT_GROUP_EXISTS) | FACT_BIT(FACT_GROUP_NAME) : FACT_BIT(FACT_STATUS);

    if (mapping->sessions != NULL)
        facts = sessions_facts(mapping->sessions);
    for (size_t i = 0; i < sizeof(name_facts) / sizeof(name_facts[0]); i++)
        if ((mapping->uses & NAME_BIT(name_facts[i].name)) != 0)
            facts |= group ? name_facts[i].group_facts : name_facts[i].user_facts;
    return facts;
}
