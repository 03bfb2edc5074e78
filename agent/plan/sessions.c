/* Whose sessions are to be ended, which sweep is next, and the markers that applications look at. */
#include "plan/session_planning.h"

#include <stdlib.h>

#include "base/str.h"
#include "plan/decide.h"

#define FORMER_MOST 8
#define OPERATIONS_MOST 3
/* What is older when a target first sees a person was before its time. */
#define NEWS_US (24 * 3600 * 1000000LL)

/* ---- what the link keeps ---- */

static int64_t number_in(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static int progress_read(const struct link_view *link, struct progress *ret_progress)
{
    json_t *kept = link != NULL && link->account != NULL ? json_loads(link->account, 0, NULL) : NULL;
    const json_t *former = json_object_get(kept, "former");
    struct progress progress = {
        .void_us = number_in(kept, "void_us"),
        .sweep = (int)number_in(kept, "sweep"),
        .at_us = number_in(kept, "at_us"),
        .done_us = number_in(kept, "done_us"),
        .former = json_is_array(former) ? json_copy((json_t *)former) : json_array(),
    };

    json_decref(kept);
    if (progress.former == NULL)
        return ERROR_NOMEM;
    *ret_progress = progress;
    return 0;
}

static void put_number(json_t *object, const char *name, int64_t number)
{
    if (number != 0)
        json_object_set_new(object, name, json_integer(number));
}

static json_t *progress_json(const struct progress *progress)
{
    json_t *object = json_object();

    put_number(object, "void_us", progress->void_us);
    put_number(object, "sweep", progress->sweep);
    put_number(object, "at_us", progress->at_us);
    put_number(object, "done_us", progress->done_us);
    if (json_array_size(progress->former) > 0)
        json_object_set(object, "former", progress->former);
    return object;
}

/* ---- the person ---- */

bool session_is_away(const struct identity *identity)
{
    return status_is_out(identity->status.value) || str_equal(identity->status.value, "SUSPENDED");
}

/* Scope says who, not when: for whoever is away it is asked about the time
 * before, and a status that was never heard counts as an active one. */
static const char *scope_status(const struct identity *identity)
{
    const char *live = identity->live_status.value;

    if (identity->status.value == NULL)
        return "ACTIVE";
    if (!session_is_away(identity))
        return NULL;
    return live != NULL && strcmp(live, "SUSPENDED") != 0 ? live : "ACTIVE";
}

/* Once ours, a person who is away stays ours: Okta takes leavers out of groups, too. */
static int find_ours(struct session_planning *planning)
{
    const struct identity *identity = planning->input->identity;

    if (planning->input->link != NULL && session_is_away(identity)) {
        planning->ours = true;
        return 0;
    }
    return decide_scope(planning->mapping, identity, scope_status(identity), &planning->ours, planning->error);
}

/* The name in the sessions; where it cannot be rendered any more, the last one. */
static int find_user(struct session_planning *planning)
{
    const struct link_view *link = planning->input->link;
    const struct settings_view view = { .identity = planning->input->identity };
    int code = plan_settings(planning->mapping, &view, &planning->settings, planning->error);
    json_t *sessions = json_object_get(planning->settings, "sessions");
    const char *user = json_string_value(json_object_get(sessions, "user"));

    if (code == 0 && (user == NULL || *user == '\0') && link != NULL && link->locator != NULL) {
        if (json_object_set_new(sessions, "user", json_string(link->locator)) < 0)
            return error_nomem(planning->error);
        user = json_string_value(json_object_get(sessions, "user"));
    }
    planning->user = user != NULL && *user != '\0' ? user : NULL;
    return code;
}

static bool holds(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
        if (str_equal(json_string_value(item), text))
            return true;
    return false;
}

/* Sessions from before a rename still have the old name in them. */
static int note_former(struct session_planning *planning)
{
    const struct link_view *link = planning->input->link;
    json_t *former = planning->progress.former;

    if (planning->user == NULL || link == NULL || link->locator == NULL)
        return 0;
    for (size_t i = json_array_size(former); i > 0; i--)
        if (str_equal(json_string_value(json_array_get(former, i - 1)), planning->user))
            json_array_remove(former, i - 1);
    if (strcmp(link->locator, planning->user) == 0 || holds(former, link->locator))
        return 0;
    if (json_array_size(former) == FORMER_MOST)
        json_array_remove(former, 0);
    return json_array_append_new(former, json_string(link->locator)) < 0 ? error_nomem(planning->error) : 0;
}

/* ---- sweeps ---- */

static int64_t void_of(const struct identity *identity, unsigned triggers)
{
    int64_t newest = 0;

    for (int i = 0; i < TRIGGER_COUNT; i++)
        if ((triggers & TRIGGER_BIT(i)) != 0 && identity->sessions_void[i].us > newest)
            newest = identity->sessions_void[i].us;
    return newest;
}

static bool waits_for_second(const struct progress *progress)
{
    return progress->sweep == 1 && progress->void_us > progress->done_us;
}

/* 1, 2, or 0: none, or not yet. */
static int next_sweep(const struct session_planning *planning, int64_t void_us)
{
    const struct progress *progress = &planning->progress;

    if (planning->ours && void_us > progress->void_us && void_us > progress->done_us)
        return 1;
    if (!waits_for_second(progress))
        return 0;
    int64_t past_us = planning->input->now.us - progress->at_us, timeout_us = planning->rules->request_timeout_us;
    return past_us >= timeout_us || past_us < -timeout_us ? 2 : 0; /* the latter: the clock was set back; better now than in a month */
}

#define AWAY_TRIGGERS (TRIGGER_BIT(TRIGGER_SUSPEND) | TRIGGER_BIT(TRIGGER_DEACTIVATE) | TRIGGER_BIT(TRIGGER_DELETE))

static bool signed_in_after(const struct identity *identity, int64_t us)
{
    for (size_t i = 0; i < identity->sign_in_count; i++)
        if (identity->sign_ins[i].present && identity->sign_ins[i].as_of.us > us)
            return true;
    return false;
}

/*
 * Sessions that do not tell when they began are left to whoever came back
 * after `void_us`: a leaver who was activated again; after a plain logout,
 * with nothing worse that waits for its sweeps, also who signed in again. What
 * happened long before the target first saw the person ends none of them.
 */
static bool has_come_back(const struct session_planning *planning, int64_t void_us)
{
    const struct identity *identity = planning->input->identity;
    int64_t worse = void_of(identity, planning->rules->triggers & ~TRIGGER_BIT(TRIGGER_LOGOUT));

    if (session_is_away(identity))
        return false;
    if (identity->status.value != NULL && identity->status.as_of.us > void_us && void_of(identity, AWAY_TRIGGERS) != 0)
        return true;
    if (worse <= planning->progress.done_us && signed_in_after(identity, void_us))
        return true;
    return planning->input->link == NULL && planning->input->now.us - void_us > NEWS_US;
}

/* Room for all of them was made when the plan began. */
struct operation *session_add_operation(struct session_planning *planning, struct plan *plan, enum operation_kind kind,
                                        const char *user)
{
    struct operation *operation = &plan->operations[plan->operation_count++];
    json_t *settings = json_deep_copy(planning->settings);

    *operation = (struct operation){ .kind = kind, .key = str_dup(user), .locator = str_dup(user), .settings = settings };
    if (operation->key == NULL || operation->locator == NULL || settings == NULL)
        return NULL;
    return json_object_set_new(json_object_get(settings, "sessions"), "user", json_string(user)) < 0 ? NULL : operation;
}

static int tell_nobody(const struct session_planning *planning)
{
    const struct identity *identity = planning->input->identity;

    return error_set(planning->error, ERROR_INVALID, "%s: sessions.user is absent: it has no value for %s, whose sessions are to be "
                     "ended", planning->mapping->path, identity->login.value != NULL ? identity->login.value : identity->id);
}

/* A leaver keeps no session, whenever it began: an application that is slow to hear of it may have let him in since the event. */
static int64_t before_of(const struct session_planning *planning, int64_t void_us)
{
    int64_t now_us = planning->input->now.us;

    return session_is_away(planning->input->identity) && now_us > void_us ? now_us : void_us;
}

static int add_revoke(struct session_planning *planning, struct plan *plan, int64_t void_us, int sweep, bool dated_only)
{
    struct operation *operation = session_add_operation(planning, plan, OPERATION_REVOKE, planning->user);
    const json_t *former = planning->progress.former;
    int failed = 0;

    if (operation == NULL)
        return error_nomem(planning->error);
    operation->before = (struct wall){ before_of(planning, void_us) };
    operation->sweep = sweep;
    if (json_array_size(former) > 0)
        failed |= json_object_set_new(json_object_get(operation->settings, "sessions"), "former", json_copy((json_t *)former));
    if (dated_only)
        failed |= json_object_set_new(operation->settings, "dated_only", json_true());
    plan->leaving = true;
    return failed != 0 ? error_nomem(planning->error) : 0;
}

/* What the link shall say once that sweep was made. */
static void note_sweep(struct progress *progress, int64_t void_us, int sweep, bool dated_only, int64_t now_us)
{
    progress->void_us = void_us;
    progress->sweep = sweep;
    progress->at_us = now_us;
    if (sweep < 2)
        return;
    progress->done_us = void_us;
    if (!dated_only)
        json_array_clear(progress->former);
}

static int plan_sweep(struct session_planning *planning, struct plan *plan)
{
    struct progress *progress = &planning->progress;
    int64_t newest = void_of(planning->input->identity, planning->rules->triggers);
    int sweep = next_sweep(planning, newest);
    int64_t void_us = sweep == 2 ? progress->void_us : newest;
    bool dated_only = sweep != 0 && has_come_back(planning, void_us);

    if (sweep != 0 && planning->user == NULL)
        return tell_nobody(planning);
    int code = sweep != 0 ? add_revoke(planning, plan, void_us, sweep, dated_only) : 0;
    if (code == 0 && sweep != 0)
        note_sweep(progress, void_us, sweep, dated_only, planning->input->now.us);
    if (waits_for_second(progress))
        plan->due = (struct wall){ progress->at_us + planning->rules->request_timeout_us };
    return code;
}

/* ---- the whole ---- */

static void planning_clear(struct session_planning *planning)
{
    json_decref(planning->progress.former);
    json_decref(planning->settings);
    json_decref(planning->marks);
}

static int fill_plan(struct session_planning *planning, struct plan *plan)
{
    const struct plan_input *input = planning->input;
    bool known = planning->ours || input->link != NULL;

    if (planning->user != NULL) {
        plan->present = known;
        plan->wanted.key = str_dup(input->identity->id);
        plan->wanted.locator = str_dup(planning->user);
    }
    plan->wanted.values = json_incref(planning->marks);
    plan->progress = progress_json(&planning->progress);
    if (!planning->ours && plan->operation_count == 0 && plan->due.us == 0)
        plan->verdict = PLAN_OUT_OF_SCOPE;
    return plan->progress != NULL ? 0 : error_nomem(planning->error);
}

static int make_plan(struct session_planning *planning, struct plan *plan)
{
    int code = progress_read(planning->input->link, &planning->progress);

    plan->operations = calloc(OPERATIONS_MOST, sizeof(*plan->operations));
    if (code < 0 || plan->operations == NULL)
        return error_nomem(planning->error);
    code = find_ours(planning);
    if (code == 0 && !planning->ours && planning->input->link == NULL) {
        plan->verdict = PLAN_OUT_OF_SCOPE;
        return 0;
    }
    if (code == 0)
        code = find_user(planning);
    if (code == 0)
        code = note_former(planning);
    if (code == 0)
        code = session_want_marks(planning);
    if (code == 0) /* first: so that nobody comes in again while sessions are looked for */
        code = session_plan_marks(planning, plan);
    if (code == 0)
        code = plan_sweep(planning, plan);
    return code == 0 ? fill_plan(planning, plan) : code;
}

int sessions_plan(const struct mapping *mapping, const struct plan_input *input, struct plan *ret_plan, struct error *error)
{
    struct error unseen = { 0 };
    struct session_planning planning = {
        .mapping = mapping, .rules = mapping->sessions, .input = input, .error = error != NULL ? error : &unseen,
    };
    struct plan plan = { .verdict = PLAN_CONVERGE, .wanted = { .disabled = -1 } };

    int code = make_plan(&planning, &plan);
    planning_clear(&planning);
    if (code < 0)
        plan_clear(&plan);
    else
        *ret_plan = plan;
    return code;
}

void plan_swept(struct plan *plan, struct wall now)
{
    int64_t planned_us = number_in(plan->progress, "at_us");

    for (size_t i = 0; i < plan->operation_count; i++) {
        if (plan->operations[i].kind != OPERATION_REVOKE || now.us <= planned_us)
            continue;
        json_object_set_new(plan->progress, "at_us", json_integer(now.us));
        if (plan->due.us != 0)
            plan->due.us += now.us - planned_us;
    }
}

bool sessions_leave(const struct mapping *mapping, const struct identity *identity, const struct link_view *link)
{
    const struct plan_input input = { .identity = identity, .link = link };
    struct error unseen = { 0 };
    struct session_planning planning = { .mapping = mapping, .rules = mapping->sessions, .input = &input, .error = &unseen };
    bool leaves = progress_read(link, &planning.progress) == 0 && find_ours(&planning) == 0 &&
                  next_sweep(&planning, void_of(identity, mapping->sessions->triggers)) == 1;

    planning_clear(&planning);
    return leaves;
}

int sessions_query(const struct mapping *mapping, const struct identity *identity, const struct link_view *link,
                   struct plan_query *ret_query, struct error *error)
{
    const struct plan_input input = { .identity = identity, .link = link };
    struct session_planning planning = { .mapping = mapping, .rules = mapping->sessions, .input = &input, .error = error };
    struct plan_query query = { 0 };
    int code = find_ours(&planning);

    if (code == 0 && (planning.ours || link != NULL))
        code = find_user(&planning);
    if (code == 0 && planning.settings != NULL && mapping_keeps_markers(mapping) &&
        json_object_set_new(planning.settings, "markers", json_pack("[s, s]", "denied", "signed_in")) < 0)
        code = error_nomem(error);
    if (code == 0) {
        query.locator = str_dup(planning.user);
        query.settings = json_incref(planning.settings);
        query.names = calloc(1, sizeof(*query.names));
        query.query = (struct account_query){
            .key = query.locator,
            .locator = query.locator,
            .names = (const char *const *)query.names,
            .settings = query.settings,
        };
        *ret_query = query;
    }
    planning_clear(&planning);
    return code;
}

/* ---- what the mapping says of itself ---- */

unsigned sessions_facts(const struct session_rules *rules)
{
    return FACT_BIT(FACT_STATUS) | FACT_BIT(FACT_SESSIONS_VOID) | (rules->mirror_us != 0 ? FACT_BIT(FACT_SIGNED_IN) : 0);
}

bool mapping_ends_sessions(const struct mapping *mapping)
{
    return mapping->sessions != NULL;
}

bool mapping_keeps_markers(const struct mapping *mapping)
{
    return mapping->sessions != NULL && (mapping->sessions->deny || mapping->sessions->mirror_us != 0);
}

unsigned mapping_triggers(const struct mapping *mapping)
{
    return mapping->sessions != NULL ? mapping->sessions->triggers : 0;
}
