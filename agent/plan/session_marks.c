/* The markers that applications look at: "denied", "signed_in". */
#include "plan/session_planning.h"

#include <stdlib.h>

#include "base/str.h"
#include "plan/diff.h"

/* Since when and until when the person counts as signed in; false: not. */
static bool find_sign_in(const struct session_planning *planning, struct wall *ret_since, struct wall *ret_expires)
{
    const struct identity *identity = planning->input->identity;
    int64_t ended = identity_signed_out_until(identity).us, since = 0, newest = 0;

    for (size_t i = 0; i < identity->sign_in_count; i++) {
        const struct membership *session = &identity->sign_ins[i];
        int64_t at = session->as_of.us;
        if (!session->present || at <= ended || at + planning->rules->mirror_us <= planning->input->now.us)
            continue;
        since = since == 0 || at < since ? at : since;
        newest = at > newest ? at : newest;
    }
    *ret_since = (struct wall){ since };
    *ret_expires = (struct wall){ newest + planning->rules->mirror_us };
    return since != 0;
}

static json_t *sign_in_json(struct wall since, struct wall expires)
{
    char since_text[WALL_TEXT_BYTES], expires_text[WALL_TEXT_BYTES];

    wall_format(since, since_text);
    wall_format(expires, expires_text);
    return json_pack("{s:s, s:s}", "since", since_text, "expires", expires_text);
}

int session_want_marks(struct session_planning *planning)
{
    const struct session_rules *rules = planning->rules;
    bool away = session_is_away(planning->input->identity);
    struct wall since, expires;
    int failed = 0;

    planning->marks = json_object();
    if (planning->ours && away && rules->deny)
        failed |= json_object_set_new(planning->marks, "denied", json_true());
    if (planning->ours && !away && rules->mirror_us != 0 && find_sign_in(planning, &since, &expires))
        failed |= json_object_set_new(planning->marks, "signed_in", sign_in_json(since, expires));
    return planning->marks == NULL || failed != 0 ? error_nomem(planning->error) : 0;
}

static bool same_second(const json_t *a, const json_t *b, const char *name)
{
    const char *texts[] = { json_string_value(json_object_get(a, name)), json_string_value(json_object_get(b, name)) };
    struct wall times[2];

    for (int i = 0; i < 2; i++)
        if (texts[i] == NULL || !wall_parse(texts[i], &times[i]))
            return false;
    return llabs((long long)(times[0].us - times[1].us)) < 1000000;
}

/* Stores keep times in forms of their own: a second is near enough. */
static bool same_mark(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL || !json_is_object(a) || !json_is_object(b))
        return a == b || (a != NULL && b != NULL && json_equal(a, b));
    return same_second(a, b, "since") && same_second(a, b, "expires");
}

static int diff_marks(const json_t *current, const json_t *wanted, struct operation *operation)
{
    static const char *const names[] = { "denied", "signed_in" };
    struct change_list changes = { 0 };
    int code = 0;

    operation->before_image = json_object();
    for (size_t i = 0; code == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *was = json_object_get(current, names[i]), *shall = json_object_get(wanted, names[i]);
        if (same_mark(was, shall))
            continue;
        code = diff_value(names[i], was, shall, &changes);
        json_object_set_new(operation->before_image, names[i], was != NULL ? json_incref(was) : json_null());
    }
    operation->changes = changes.list;
    operation->change_count = changes.count;
    operation->values = json_copy((json_t *)wanted);
    return code == 0 && operation->values != NULL && operation->before_image != NULL ? 0 : ERROR_NOMEM;
}

/* Nothing that differs is no operation. */
static int add_marks(struct session_planning *planning, struct plan *plan, const char *user, const json_t *current,
                     const json_t *wanted)
{
    struct operation *operation = session_add_operation(planning, plan, OPERATION_UPDATE, user);

    if (operation == NULL || diff_marks(current, wanted, operation) < 0)
        return error_nomem(planning->error);
    if (operation->change_count == 0) {
        operation_clear(operation);
        plan->operation_count--;
    }
    return 0;
}

/* A marker under a name that the person no longer has is taken away unseen. */
int session_plan_marks(struct session_planning *planning, struct plan *plan)
{
    const struct plan_input *input = planning->input;
    const char *before = input->link != NULL ? input->link->locator : NULL;
    int code = 0;

    if (!mapping_keeps_markers(planning->mapping) || planning->user == NULL)
        return 0;
    if (before != NULL && strcmp(before, planning->user) != 0) {
        json_t *any = json_pack("{s:b, s:{}}", "denied", 1, "signed_in"), *none = json_object();
        code = any != NULL && none != NULL ? add_marks(planning, plan, before, any, none) : error_nomem(planning->error);
        json_decref(any);
        json_decref(none);
        json_decref(plan->operations[0].before_image);
        plan->operations[0].before_image = NULL;
    }
    const json_t *current = input->account != NULL ? input->account->values : NULL;
    return code < 0 ? code : add_marks(planning, plan, planning->user, current, planning->marks);
}
