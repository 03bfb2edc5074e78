#include "plan/decide.h"

#include "base/str.h"
#include "plan/sessions.h"

static bool is_linked(const struct plan_input *input)
{
    return input->link != NULL && !input->link->gone;
}

int decide_scope(const struct mapping *mapping, const struct identity *identity, const char *status, bool *ret_true,
                 struct error *error)
{
    struct expr_input input = { .identity = identity, .status = status };

    *ret_true = true;
    if (mapping->scope == NULL || expr_test(mapping->scope, &input, ret_true, error) == 0)
        return 0;
    return error_prefix(error, "%s:%d: scope", mapping->path, mapping->scope_line);
}

static struct wall later(struct wall a, struct wall b)
{
    return a.us >= b.us ? a : b;
}

static struct wall newest_of(const struct membership *rows, size_t count)
{
    struct wall newest = { 0 };

    for (size_t i = 0; i < count; i++)
        newest = later(newest, rows[i].as_of);
    return newest;
}

/* Login and name are left out: each event that names somebody says them anew. */
struct wall decide_changed(const struct identity *identity)
{
    struct wall own = identity->kind == IDENTITY_GROUP ? identity->exists_as_of : identity->status.as_of;
    struct wall groups = newest_of(identity->groups, identity->group_count);
    struct wall apps = newest_of(identity->apps, identity->app_count);

    return later(later(own, identity->profile_text.as_of), later(groups, apps));
}

static enum on event_of(const char *status)
{
    static const struct {
        const char *status;
        enum on on;
    } rows[] = {
        { "STAGED", ON_CREATED },
        { "SUSPENDED", ON_SUSPENDED },
        { "DEPROVISIONED", ON_DEACTIVATED },
        { "DELETED", ON_DELETED },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].status, status) == 0)
            return rows[i].on;
    return ON_ACTIVATED;
}

/* Had this leaver, whom no link knows, an account of ours while he was here?
 * Where his former status was never heard, an account that `match` finds
 * counts as his when the scope takes people who are active. */
static int had_account(const struct mapping *mapping, const struct plan_input *input, bool *ret_true, struct error *error)
{
    const char *live = input->identity->live_status.value;

    *ret_true = false;
    if (live == NULL && input->account == NULL)
        return 0;
    enum action action = mapping->on[event_of(live != NULL ? live : "ACTIVE")].action;
    if (action != ACTION_PROVISION && action != ACTION_DISABLE)
        return 0;
    return decide_scope(mapping, input->identity, live != NULL ? live : "ACTIVE", ret_true, error);
}

/* The event that the facts amount to. *ret_ours false: nothing to do with us. */
static int user_event(const struct mapping *mapping, const struct plan_input *input, enum on *ret_on, bool *ret_ours,
                      struct error *error)
{
    const char *status = input->identity->status.value;
    bool scope = true;
    int code;

    *ret_on = event_of(status);
    *ret_ours = true;
    if (status_is_out(status))
        return is_linked(input) ? 0 : had_account(mapping, input, ret_ours, error);
    code = decide_scope(mapping, input->identity, NULL, &scope, error);
    if (code == 0 && !scope) {
        *ret_on = ON_LEFT_SCOPE;
        *ret_ours = is_linked(input);
    }
    return code;
}

static int group_event(const struct mapping *mapping, const struct plan_input *input, enum on *ret_on, bool *ret_ours,
                       struct error *error)
{
    const struct identity *identity = input->identity;
    bool deleted = identity->exists_as_of.us != 0 && !identity->exists, scope = true;
    int code = decide_scope(mapping, identity, NULL, &scope, error);

    *ret_on = deleted ? ON_DELETED : scope ? ON_ACTIVATED : ON_LEFT_SCOPE;
    *ret_ours = scope || is_linked(input);
    return code;
}

/* A group of which only the name was ever heard exists. */
static bool is_heard_of(const struct identity *identity)
{
    if (identity->kind == IDENTITY_GROUP)
        return identity->exists_as_of.us != 0 || identity->name.value != NULL;
    return identity->status.value != NULL;
}

static struct wall due_of(const struct plan_input *input, enum on on, int64_t after_us)
{
    const struct identity *identity = input->identity;
    struct wall since = identity->kind == IDENTITY_GROUP ? identity->exists_as_of : identity->status.as_of;

    if (on == ON_LEFT_SCOPE && input->link != NULL && input->link->due.us != 0)
        return input->link->due;
    if (on == ON_LEFT_SCOPE) /* no event says since when */
        since = input->dated.us != 0 ? input->dated : input->now;
    return (struct wall){ since.us + after_us };
}

static const enum want action_wants[ACTION_COUNT] = {
    [ACTION_PROVISION] = WANT_ENABLED,
    [ACTION_DISABLE] = WANT_DISABLED,
    [ACTION_REMOVE] = WANT_REMOVED,
    [ACTION_KEEP] = WANT_AS_IS,
};

/* There is no account: which wishes make one? */
static bool makes_account(const struct plan_input *input, enum on on, enum want want)
{
    bool leaver = on == ON_DEACTIVATED || on == ON_DELETED;

    if (want == WANT_DISABLED)
        return on != ON_LEFT_SCOPE && !(leaver && input->link != NULL);
    return want == WANT_ENABLED;
}

static struct decision react(const struct mapping *mapping, const struct plan_input *input, enum on on)
{
    const struct reaction *reaction = &mapping->on[on];
    struct decision decision = { .want = action_wants[reaction->action] };

    if (on == ON_LEFT_SCOPE)
        decision.since = decide_changed(input->identity);

    if (reaction->remove_after_us > 0) {
        decision.due = due_of(input, on, reaction->remove_after_us);
        if (decision.due.us <= input->now.us)
            decision = (struct decision){ .want = WANT_REMOVED, .since = decision.since };
    }
    if (decision.want == WANT_REMOVED && input->identity->kind == IDENTITY_GROUP && is_linked(input) && input->link->adopted) {
        decision.want = WANT_AS_IS;
        decision.released = true;
    }
    if (decision.want == WANT_REMOVED && input->keep && mapping_has_disable(mapping))
        decision.want = WANT_DISABLED;
    if (input->account == NULL && !makes_account(input, on, decision.want))
        decision = (struct decision){ .want = WANT_NOTHING };
    return decision;
}

int decide(const struct mapping *mapping, const struct plan_input *input, struct decision *ret_decision, struct error *error)
{
    enum on on = ON_ACTIVATED;
    bool ours = false;

    if (!is_heard_of(input->identity)) {
        bool keep = is_linked(input) && input->account != NULL;
        *ret_decision = (struct decision){ .want = keep ? WANT_AS_IS : WANT_NOTHING };
        return 0;
    }
    int code = (input->identity->kind == IDENTITY_GROUP ? group_event : user_event)(mapping, input, &on, &ours, error);
    if (code == 0)
        *ret_decision = ours ? react(mapping, input, on) : (struct decision){ .want = WANT_NOTHING };
    return code;
}

bool plan_leaves(const struct mapping *mapping, const struct identity *identity, const struct link_view *link, struct wall now)
{
    static const struct account some = { .disabled = -1 };
    const struct plan_input input = { .identity = identity, .link = link, .account = &some, .now = now };
    struct decision decision;

    if (mapping->sessions != NULL)
        return sessions_leave(mapping, identity, link);
    if (decide(mapping, &input, &decision, NULL) < 0)
        return false;
    return decision.want == WANT_DISABLED || decision.want == WANT_REMOVED;
}
