/* What the first joiner and the first leaver will do at a target, done by `provostctl check --connect` without writing. */
#include "ctl/rehearse.h"

#include "base/str.h"
#include "plan/plan.h"

/* Nobody has these: .invalid is nobody's domain (RFC 2606). */
#define NOBODY_ID "provostctl-check-nobody"
#define NOBODY_LOGIN "provostctl-check@nobody.invalid"
#define NOBODY_NAME "Provostctl Check"

struct rendering {
    const struct mapping *mapping;
    struct identity identity;
};

static json_t *render_read(const struct rendering *rendering, const char *key)
{
    const struct link_view link = { .key = key };
    struct plan_query query = { 0 };

    if (plan_query(rendering->mapping, &rendering->identity, key != NULL ? &link : NULL, &query, NULL) < 0)
        return NULL;
    json_t *settings = json_incref(query.settings);
    plan_query_clear(&query);
    return settings;
}

static json_t *render(void *arg, const char *call, const char *key)
{
    const struct rendering *rendering = arg;
    const struct settings_view view = { .call = call, .value = key };
    json_t *settings = NULL;

    if (strcmp(call, "read") == 0)
        return render_read(rendering, key);
    return plan_settings(rendering->mapping, &view, &settings, NULL) == 0 ? settings : NULL;
}

static json_t *texts_of(const struct problems *problems)
{
    json_t *list = json_array();

    for (size_t i = 0; i < problems->count; i++)
        json_array_append_new(list, json_string(problems->list[i].text));
    return list;
}

/* One file. *member: the key of an account, as a group's file has it for a member; filled in by the people's. */
static json_t *rehearse_file(const struct config_target *target, const struct mapping *mapping, struct connector_session *session,
                             char **member)
{
    bool group = mapping_kind(mapping) == IDENTITY_GROUP;
    const struct identity nobody = { .kind = mapping_kind(mapping), .id = (char *)NOBODY_ID, .name = { .value = (char *)NOBODY_NAME } };
    struct rendering rendering = { mapping, nobody };
    const char *attribute = group ? mapping_member_attribute(mapping) : NULL;
    struct plan_rehearsal directory = { 0 };
    struct connector_sample sample = { render, &rendering, attribute, NULL, NULL };
    struct problems problems = { 0 };
    cleanup_free char *key = NULL, *note = NULL;

    if (!group) {
        rendering.identity.login.value = (char *)NOBODY_LOGIN;
        rendering.identity.status.value = (char *)"ACTIVE";
    }
    sample.member = attribute == NULL ? NULL : *member != NULL ? *member : NOBODY_ID;
    if (plan_rehearse(mapping, &directory) < 0)
        abort(); /* as problems_add does */
    sample.directory = directory.directory;
    target->ops->rehearse(session, &sample, &problems, &key, &note);
    if (!group && *member == NULL)
        *member = take_pointer(key);
    json_t *result = json_pack("{s:s, s:b, s:o, s:s?}", "mapping", mapping_path(mapping), "ok", problems.count == 0, "problems",
                               texts_of(&problems), "note", note);
    problems_free(&problems);
    plan_rehearsal_clear(&directory);
    return result;
}

json_t *rehearse_target(const struct config_target *target, struct connector_session *session)
{
    cleanup_free char *member = NULL;
    json_t *list = json_array();

    for (int kind = 0; kind < IDENTITY_KIND_COUNT && target->ops->rehearse != NULL; kind++)
        for (struct mapping **mapping = target->mappings; mapping != NULL && *mapping != NULL; mapping++)
            if ((int)mapping_kind(*mapping) == kind)
                json_array_append_new(list, rehearse_file(target, *mapping, session, &member));
    return list;
}
