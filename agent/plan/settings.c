/* The connector's own groups of a mapping, rendered for one call. */
#include "base/str.h"
#include "plan/mapping.h"

/* What came of rendering, beside 0 and errors. */
#define ABSENT 1 /* something is, where nothing may be; the error says what */

/* ---- which requests there are ---- */

const struct value *mapping_call(const struct mapping *mapping, const char *call)
{
    for (size_t i = 0; mapping->groups != NULL && mapping->ops->groups[i].name != NULL; i++)
        if (mapping->ops->groups[i].by_call)
            return value_member(mapping->groups[i], call);
    return NULL;
}

const struct value *mapping_request(const struct mapping *mapping, enum operation_kind kind)
{
    const struct value *own = mapping_call(mapping, operation_kind_name(kind));
    bool toggles = kind == OPERATION_DISABLE || kind == OPERATION_ENABLE;

    return own == NULL && toggles ? mapping_call(mapping, operation_kind_name(OPERATION_UPDATE)) : own;
}

bool mapping_can(const struct mapping *mapping, enum operation_kind kind)
{
    return !mapping->by_call || mapping_request(mapping, kind) != NULL;
}

/* ---- rendering ---- */

struct rendering {
    const struct mapping *mapping;
    const struct settings_view *view;
    struct expr_input input;
    struct error *error;
};

static int tell_absent(const struct rendering *rendering, const struct value *value)
{
    const struct identity *identity = rendering->view->identity;
    const char *subject = identity == NULL              ? rendering->view->value
                          : identity->login.value != NULL ? identity->login.value
                                                          : identity->id;
    bool unread = identity != NULL && identity->profile == NULL && (value_uses(value) & NAME_BIT(NAME_PROFILE)) != 0;

    error_set(rendering->error, ERROR_INVALID, "%s:%d: \"%s\" has no value for %s%s", rendering->mapping->path, value->line,
              template_text(value->template), subject != NULL ? subject : "this",
              unread ? " (no profile was read; profiles need API access, see okta in provost.conf)" : "");
    return ABSENT;
}

/* A reader of C strings would see less of it than the target. */
static bool has_nul(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) != json_string_length(value);
}

static int render_template(const struct rendering *rendering, const struct value *value, json_t **ret_value)
{
    json_t *rendered = NULL;
    int code = template_render(value->template, &rendering->input, &rendered, rendering->error);

    if (code < 0)
        return code == ERROR_NOMEM ? code : error_prefix(rendering->error, "%s:%d", rendering->mapping->path, value->line);
    if (rendered == NULL && value->complete && template_is_constant(value->template))
        rendered = json_string(template_text(value->template)); /* "" is meant: nothing may stand there */
    if (rendered == NULL && value->complete)
        return tell_absent(rendering, value);
    if (value->complete && has_nul(rendered)) {
        json_decref(rendered);
        return error_set(rendering->error, ERROR_INVALID, "%s:%d: \"%s\" has a NUL character in it, which nobody is called by",
                         rendering->mapping->path, value->line, template_text(value->template));
    }
    *ret_value = rendered;
    return 0;
}

static int render(const struct rendering *rendering, const struct value *value, json_t **ret_value);

/* Takes `item`; what one interpolation gave as a list is spread out. */
static int add_item(const struct value *whole, size_t i, json_t *into, json_t *item)
{
    int failed;

    if (whole->kind == VALUE_OBJECT)
        return json_object_set_new(into, whole->names[i], item) < 0 ? ERROR_NOMEM : 0;
    if (whole->items[i]->kind != VALUE_TEMPLATE || !json_is_array(item))
        return json_array_append_new(into, item) < 0 ? ERROR_NOMEM : 0;
    failed = json_array_extend(into, item) < 0;
    json_decref(item);
    return failed ? ERROR_NOMEM : 0;
}

/* A group or list stays, even where nothing of it does: a body that came out empty is still a body. */
static int render_whole(const struct rendering *rendering, const struct value *value, json_t **ret_value)
{
    json_t *whole = value->kind == VALUE_OBJECT ? json_object() : json_array();
    int code = whole != NULL ? 0 : error_nomem(rendering->error);

    for (size_t i = 0; code == 0 && i < value->count; i++) {
        json_t *item = NULL;
        code = render(rendering, value->items[i], &item);
        if (code == 0 && item != NULL && add_item(value, i, whole, item) < 0)
            code = error_nomem(rendering->error);
    }
    if (code != 0) {
        json_decref(whole);
        return code;
    }
    *ret_value = whole;
    return 0;
}

static int render(const struct rendering *rendering, const struct value *value, json_t **ret_value)
{
    if (value->kind == VALUE_TEMPLATE)
        return render_template(rendering, value, ret_value);
    if (value->kind != VALUE_CONSTANT)
        return render_whole(rendering, value, ret_value);
    *ret_value = json_incref(value->constant);
    return 0;
}

/* ---- calls ---- */

static bool is_read(const struct rendering *rendering)
{
    return strcmp(rendering->view->call, "read") == 0;
}

/* What is absent in it leaves it out; a read leaves out whatever cannot be
 * rendered (an operation will tell it). NULL then. */
static int render_optional(const struct rendering *rendering, const struct value *value, json_t **ret_value)
{
    struct error unseen = { 0 };
    struct rendering quiet = *rendering;
    json_t *rendered = NULL;

    quiet.error = &unseen;
    int code = value != NULL ? render(&quiet, value, &rendered) : 0;
    if (code < 0 && (code == ERROR_NOMEM || !is_read(rendering))) {
        if (rendering->error != NULL)
            *rendering->error = unseen;
        return code;
    }
    *ret_value = rendered;
    return 0;
}

static int render_match(const struct rendering *rendering, const struct value *match, json_t **ret_list)
{
    json_t *list = json_array();
    int code = list != NULL ? 0 : error_nomem(rendering->error);

    for (size_t i = 0; code == 0 && i < match->count; i++) {
        json_t *entry = NULL;
        code = render_optional(rendering, match->items[i], &entry);
        if (code == 0 && entry != NULL && json_array_append_new(list, entry) < 0)
            code = error_nomem(rendering->error);
    }
    if (code < 0) {
        json_decref(list);
        return code;
    }
    *ret_list = list;
    return 0;
}

static int put(const struct rendering *rendering, json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) < 0 ? error_nomem(rendering->error) : 0;
}

static enum operation_kind kind_of(const char *call)
{
    enum operation_kind kind = 0;

    while (kind < OPERATION_KIND_COUNT && strcmp(operation_kind_name(kind), call) != 0)
        kind++;
    return kind;
}

/* How the account is found goes with every read and operation. */
static int add_finders(const struct rendering *rendering, json_t *calls)
{
    const struct value *match = mapping_call(rendering->mapping, "match");
    json_t *read = NULL, *list = NULL;
    int code = render_optional(rendering, mapping_call(rendering->mapping, "read"), &read);

    if (code == 0)
        code = put(rendering, calls, "read", read);
    if (code == 0 && match != NULL && match->kind == VALUE_LIST)
        code = render_match(rendering, match, &list);
    return code == 0 ? put(rendering, calls, "match", list) : code;
}

/* How a group is read goes with the changes of its members, where its key is enough: nothing else is known of it there. */
static int add_group_read(const struct rendering *rendering, json_t *calls)
{
    const struct value *value = mapping_call(rendering->mapping, "read");
    bool by_key = value != NULL && (value_uses(value) & ~NAME_BIT(NAME_ACCOUNT)) == 0;
    json_t *read = NULL;
    int code = render_optional(rendering, by_key ? value : NULL, &read);

    return code == 0 ? put(rendering, calls, "read", read) : code;
}

static int add_calls(const struct rendering *rendering, json_t *calls)
{
    const char *call = rendering->view->call;
    const struct mapping *mapping = rendering->mapping;
    enum operation_kind kind = kind_of(call);
    const struct value *value = kind != OPERATION_KIND_COUNT ? mapping_request(mapping, kind) : mapping_call(mapping, call);
    bool about_members = kind == OPERATION_MEMBER_ADD || kind == OPERATION_MEMBER_REMOVE;
    json_t *rendered = NULL;
    int code = value != NULL && !is_read(rendering) ? render(rendering, value, &rendered) : 0;

    if (code == 0)
        code = put(rendering, calls, call, rendered);
    if (code == 0 && about_members)
        code = add_group_read(rendering, calls);
    else if (code == 0 && (kind != OPERATION_KIND_COUNT || is_read(rendering)))
        code = add_finders(rendering, calls);
    return code == ABSENT ? ERROR_INVALID : code;
}

static int add_group(const struct rendering *rendering, size_t i, json_t *settings)
{
    const struct connector_group *group = &rendering->mapping->ops->groups[i];
    const struct value *value = rendering->mapping->groups[i];
    json_t *rendered = NULL;
    int code = 0;

    if (value == NULL || (group->by_call && rendering->view->call == NULL))
        return 0;
    if (!group->by_call)
        code = render(rendering, value, &rendered);
    else if ((rendered = json_object()) == NULL)
        code = error_nomem(rendering->error);
    else
        code = add_calls(rendering, rendered);
    if (code == 0)
        return put(rendering, settings, group->name, rendered);
    json_decref(rendered);
    return code == ABSENT ? ERROR_INVALID : code;
}

int plan_settings(const struct mapping *mapping, const struct settings_view *view, json_t **ret_settings, struct error *error)
{
    struct rendering rendering = {
        .mapping = mapping,
        .view = view,
        .input = {
            .identity = view->identity,
            .since = view->since,
            .account = view->account,
            .key = view->key,
            .value = view->value,
            .typed = !mapping->directory,
        },
        .error = error,
    };
    json_t *settings = mapping->groups != NULL ? json_object() : NULL;
    int code = mapping->groups != NULL && settings == NULL ? error_nomem(error) : 0;

    for (size_t i = 0; code == 0 && settings != NULL && mapping->ops->groups[i].name != NULL; i++)
        code = add_group(&rendering, i, settings);
    if (code < 0) {
        json_decref(settings);
        return code;
    }
    *ret_settings = settings;
    return 0;
}
