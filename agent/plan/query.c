/* What to read before planning: by the link's key, else by the filters in order. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plan/sessions.h"
#include "plan/wanted.h"

/* Filters whose inputs are absent are left out. */
static int query_match(const struct mapping *mapping, const struct identity *identity, char **match, struct error *error)
{
    struct expr_input input = { .identity = identity };
    size_t count = 0;

    for (size_t i = 0; i < mapping->match_count; i++) {
        json_t *value = NULL;
        int code = value_render(mapping->match[i], &input, &value, error);
        if (code == 0 && json_is_string(value))
            match[count++] = strdup(json_string_value(value));
        json_decref(value);
        if (code == ERROR_NOMEM || (count > 0 && match[count - 1] == NULL))
            return error_nomem(error);
    }
    return 0;
}

/* What the connector's own groups say of finding it; by what it looks like, too. */
static int query_settings(const struct mapping *mapping, const struct identity *identity, const char *key, json_t **ret_settings,
                          struct error *error)
{
    struct wanted wanted = { 0 };
    json_t *values = NULL;

    if (mapping->groups == NULL)
        return 0;
    int code = wanted_render(mapping, identity, (struct wall){ 0 }, false, true, &wanted, error);
    if (code == 0 && (values = wanted_values(mapping, &wanted)) == NULL)
        code = ERROR_NOMEM;
    const struct settings_view view = { .call = "read", .identity = identity, .key = key, .account = values };
    if (code == 0)
        code = plan_settings(mapping, &view, ret_settings, error);
    json_decref(values);
    wanted_clear(mapping, &wanted);
    return code;
}

int plan_query(const struct mapping *mapping, const struct identity *identity, const struct link_view *link,
               struct plan_query *ret_query, struct error *error)
{
    if (mapping->sessions != NULL)
        return sessions_query(mapping, identity, link, ret_query, error);
    struct plan_query query = {
        .match = calloc(mapping->match_count + 1, sizeof(*query.match)),
        .names = calloc(mapping->name_count + 1, sizeof(*query.names)),
    };
    struct error ignored = { 0 }; /* plan_make tells it, where the account is wanted at all */
    const char *key = link != NULL && !link->gone ? link->key : NULL;
    bool given = link != NULL && link->given;
    int code = query.match != NULL && query.names != NULL ? 0 : ERROR_NOMEM;

    if (code == 0 && given)
        code = (query.locator = str_dup(link->locator)) != NULL ? 0 : ERROR_NOMEM;
    else if (code == 0)
        code = wanted_locator(mapping, identity, &query.locator, &ignored);
    if (code == 0 && !given)
        code = query_match(mapping, identity, query.match, &ignored);
    if (code == ERROR_NOMEM)
        error_nomem(error);
    if (code == 0)
        code = query_settings(mapping, identity, key, &query.settings, error);
    if (code < 0) {
        plan_query_clear(&query);
        return code;
    }
    for (size_t i = 0; i < mapping->name_count; i++)
        query.names[i] = (char *)mapping->names[i];
    query.query = (struct account_query){
        .group = mapping->kind == IDENTITY_GROUP,
        .key = key,
        .locator = query.locator,
        .base = mapping->base,
        .protect = mapping->protect,
        .places = mapping->bases != NULL && mapping->bases[0] != NULL ? mapping->bases : NULL,
        .match = query.match[0] != NULL ? (const char *const *)query.match : NULL,
        .names = (const char *const *)query.names,
        .settings = query.settings,
    };
    *ret_query = query;
    return 0;
}

void plan_query_clear(struct plan_query *query)
{
    for (size_t i = 0; query->match != NULL && query->match[i] != NULL; i++)
        free(query->match[i]);
    free(query->match);
    free(query->names); /* the names are the mapping's */
    free(query->locator);
    json_decref(query->settings);
    *query = (struct plan_query){ 0 };
}
