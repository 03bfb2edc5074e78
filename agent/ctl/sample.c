#include "ctl/sample.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/str.h"
#include "source/okta.h"

#define SAMPLE_BYTES_MOST (64u << 20)

DEFINE_CLEANUP(json_t, json_decref);
DEFINE_CLEANUP(struct event_batch, event_batch_free);

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- memberships ---- */

/* ---- events ---- */

static const char *first_id(struct event_batch *const *batches, size_t count, enum identity_kind kind)
{
    for (size_t b = 0; b < count; b++)
        for (size_t e = 0; e < batches[b]->count; e++)
            for (size_t f = 0; f < batches[b]->events[e].fact_count; f++)
                if (batches[b]->events[e].facts[f].identity_kind == kind)
                    return batches[b]->events[e].facts[f].id;
    return NULL;
}

static int take_event(struct identity *identity, const struct event *event, size_t *taken)
{
    for (size_t i = 0; i < event->fact_count; i++) {
        const struct fact *fact = &event->facts[i];
        if (fact->identity_kind != identity->kind || strcmp(fact->id, identity->id) != 0)
            continue;
        int code = identity_take_fact(identity, fact);
        if (code < 0)
            return code;
        (*taken)++;
    }
    return 0;
}

static int merge_batches(struct event_batch *const *batches, size_t count, const char *id, struct identity *identity, struct error *error)
{
    size_t taken = 0;
    const char *kind = identity_kind_name(identity->kind);

    id = id != NULL ? id : first_id(batches, count, identity->kind);
    if (id == NULL)
        return error_set(error, ERROR_NOTFOUND, "no event of it sets a fact of a %s", kind);
    identity->id = strdup(id);
    if (identity->id == NULL)
        return error_nomem(error);
    for (size_t b = 0; b < count; b++)
        for (size_t e = 0; e < batches[b]->count; e++)
            if (take_event(identity, &batches[b]->events[e], &taken) < 0)
                return error_nomem(error);
    return taken > 0 ? 0 : error_set(error, ERROR_NOTFOUND, "no event of it sets a fact of the %s \"%s\"", kind, id);
}

static int from_hook(const char *text, size_t length, const char *id, struct identity *identity, struct error *error)
{
    cleanup_of(event_batch_free) struct event_batch *batch = NULL;
    int code = okta_parse_hook(text, length, clock_wall(clock_system()), &batch, error);

    return code < 0 ? code : merge_batches(&batch, 1, id, identity, error);
}

static int from_log_events(json_t *list, const char *id, struct identity *identity, struct error *error)
{
    size_t count = json_array_size(list), parsed = 0;
    struct event_batch **batches = calloc(count + 1, sizeof(*batches));
    int code = batches == NULL ? error_nomem(error) : 0;

    for (; code == 0 && parsed < count; parsed++) {
        code = okta_parse_log_event(json_array_get(list, parsed), clock_wall(clock_system()), &batches[parsed], error);
        if (code < 0)
            break;
    }
    if (code == 0)
        code = merge_batches(batches, count, id, identity, error);
    for (size_t i = 0; i < parsed; i++)
        event_batch_free(batches[i]);
    free(batches);
    return code;
}

/* ---- objects ---- */

static struct wall time_of(const json_t *object)
{
    static const char *const names[] = { "statusChanged", "lastUpdated", "created" };
    struct wall wall = clock_wall(clock_system());

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = text_of(object, names[i]);
        if (text != NULL && wall_parse(text, &wall))
            break;
    }
    return wall;
}

static int set_text(struct identity *identity, enum fact_kind kind, const char *value, struct wall as_of)
{
    const struct fact fact = {
        .kind = kind, .identity_kind = identity->kind, .id = identity->id, .value = value, .present = true, .as_of = as_of,
    };

    return value == NULL ? 0 : identity_merge(identity, &fact);
}

/* The name that Okta shows: the profile's own, or first and last. */
static char *name_of(const json_t *object, const json_t *profile, enum identity_kind kind)
{
    const char *name = text_of(object, "name"), *shown = text_of(profile, kind == IDENTITY_GROUP ? "name" : "displayName");
    const char *first = text_of(profile, "firstName"), *last = text_of(profile, "lastName");

    if (name != NULL || shown != NULL)
        return strdup(name != NULL ? name : shown);
    if (first == NULL && last == NULL)
        return NULL;
    return str_printf("%s%s%s", first != NULL ? first : "", first != NULL && last != NULL ? " " : "", last != NULL ? last : "");
}

static int set_groups(struct identity *identity, const json_t *groups, struct wall as_of)
{
    size_t index;
    const json_t *group;

    json_array_foreach(groups, index, group) {
        const char *name = json_is_string(group) ? json_string_value(group) : text_of(group, "name");
        const char *id = json_is_string(group) ? name : text_of(group, "id");
        const struct fact fact = {
            .kind = FACT_MEMBER, .identity_kind = IDENTITY_USER, .id = identity->id, .other = id != NULL ? id : name, .value = name,
            .present = true, .as_of = as_of,
        };
        if (fact.other != NULL && identity_take_fact(identity, &fact) < 0)
            return ERROR_NOMEM;
    }
    return 0;
}

static int from_object(const json_t *object, struct identity *identity, struct error *error)
{
    const json_t *profile = json_object_get(object, "profile");
    const char *id = text_of(object, "id"), *login = text_of(object, "login"), *status = text_of(object, "status");
    struct wall as_of = time_of(object);
    cleanup_free char *name = name_of(object, profile, identity->kind);
    cleanup_free char *profile_text = json_is_object(profile) ? json_dumps(profile, JSON_COMPACT) : NULL;

    if (id == NULL)
        return error_set(error, ERROR_INVALID, "it has no \"id\"; right are an event hook body, a LogEvent, a user or group as Okta's API "
                         "gives it, or { \"id\", \"login\", \"name\", \"status\", \"profile\", \"groups\" }");
    identity->id = strdup(id);
    if (identity->id == NULL || set_text(identity, FACT_PROFILE, profile_text, as_of) < 0)
        return error_nomem(error);
    if (identity->kind == IDENTITY_GROUP) {
        identity->exists = !json_is_false(json_object_get(object, "exists"));
        identity->exists_as_of = as_of;
        return set_text(identity, FACT_GROUP_NAME, name, as_of) < 0 ? error_nomem(error) : 0;
    }
    if (set_text(identity, FACT_LOGIN, login != NULL ? login : text_of(profile, "login"), as_of) < 0 ||
        set_text(identity, FACT_NAME, name, as_of) < 0 || set_text(identity, FACT_STATUS, status != NULL ? status : "ACTIVE", as_of) < 0 ||
        set_groups(identity, json_object_get(object, "groups"), as_of) < 0)
        return error_nomem(error);
    return 0;
}

/* A list as Okta's API gives it: the one that is meant, or the first. */
static int from_objects(const json_t *list, const char *id, struct identity *identity, struct error *error)
{
    size_t index;
    const json_t *object;

    if (json_array_size(list) == 0)
        return error_set(error, ERROR_NOTFOUND, "an empty list; nobody to try");
    json_array_foreach(list, index, object)
        if (id == NULL || str_equal(id, text_of(object, "id")))
            return from_object(object, identity, error);
    return error_set(error, ERROR_NOTFOUND, "\"%s\" is not in this list", id != NULL ? id : "");
}

static int load(const char *path, const char *id, struct identity *identity, struct error *error)
{
    cleanup_free char *text = NULL;
    size_t length;
    json_error_t where;
    int code = file_read(path, SAMPLE_BYTES_MOST, &text, &length, error);

    if (code < 0)
        return code;
    cleanup_of(json_decref) json_t *json = json_loadb(text, length, JSON_DECODE_ANY, &where);
    if (json == NULL)
        return error_set(error, ERROR_SYNTAX, "%s:%d:%d: not JSON: %s", path, where.line, where.column, where.text);
    if (json_is_array(json) && json_object_get(json_array_get(json, 0), "eventType") == NULL)
        code = from_objects(json, id, identity, error);
    else if (json_is_array(json))
        code = from_log_events(json, id, identity, error);
    else if (json_object_get(json, "data") != NULL)
        code = from_hook(text, length, id, identity, error);
    else if (json_object_get(json, "eventType") != NULL) {
        cleanup_of(json_decref) json_t *list = json_pack("[O]", json);
        code = from_log_events(list, id, identity, error);
    } else
        code = from_object(json, identity, error);
    if (code < 0)
        error_prefix(error, "%s", path);
    return code;
}

int sample_load(const char *path, enum identity_kind kind, const char *id, struct identity *ret_identity, struct error *error)
{
    struct identity identity = { .kind = kind };
    int code = load(path, id, &identity, error);

    if (code < 0) {
        identity_clear(&identity);
        return code;
    }
    *ret_identity = identity;
    return 0;
}
