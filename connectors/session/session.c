/*
 * session.c: the connector for applications' own session stores. It reads the
 * mapping's layout and hands over to the store's kind (store.h).
 */
#include <string.h>

#include "base/fault.h"
#include "base/str.h"
#include "connectors/session/store.h"

struct connector_shared {
    const struct session_store_ops *ops;
    struct session_shared *own;
};

struct connector_session {
    const struct session_settings *settings;
    const struct session_store_ops *ops;
    struct session_store *store;
};

void session_marks_clear(struct session_marks *marks)
{
    free(marks->since);
    free(marks->expires);
    *marks = (struct session_marks){ 0 };
}

/* ---- share, open, close ---- */

static int share(const void *arg, struct connector_shared **ret_shared, struct error *error)
{
    const struct session_settings *settings = arg;
    const struct session_store_ops *ops = session_store_ops(settings->store);
    struct connector_shared *shared = calloc(1, sizeof(*shared));
    int code = 0;

    if (shared == NULL)
        return error_nomem(error);
    shared->ops = ops;
    if (ops != NULL && ops->share != NULL)
        code = ops->share(settings, &shared->own, error);
    if (code == 0)
        *ret_shared = take_pointer(shared);
    free(shared);
    return code;
}

static void unshare(struct connector_shared *shared)
{
    if (shared == NULL)
        return;
    if (shared->ops != NULL && shared->ops->unshare != NULL)
        shared->ops->unshare(shared->own);
    free(shared);
}

static enum outcome open_session(const void *arg, struct connector_shared *shared, struct connector_session **ret_session,
                                 struct receipt *receipt)
{
    const struct session_settings *settings = arg;
    const struct session_store_ops *ops = session_store_ops(settings->store);

    if (ops == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "this build has no store \"%s\"", store_kind_name(settings->store));
    cleanup_free struct connector_session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    session->settings = settings;
    session->ops = ops;
    enum outcome outcome = ops->open(settings, shared != NULL ? shared->own : NULL, &session->store, receipt);
    if (outcome == OUTCOME_APPLIED)
        *ret_session = take_pointer(session);
    return outcome;
}

static void close_session(struct connector_session *session)
{
    if (session == NULL)
        return;
    session->ops->close(session->store);
    free(session);
}

static enum outcome probe(struct connector_session *session, struct receipt *receipt)
{
    return session->ops->probe(session->store, receipt);
}

/* ---- what a call is about ---- */

/* The group `sessions` of a query's or operation's settings. */
static enum outcome read_layout(const struct connector_session *session, const json_t *settings, struct layout *ret_layout,
                                struct receipt *receipt)
{
    struct error error = { 0 };
    int code = layout_read(json_object_get(settings, "sessions"), session->settings->store, ret_layout, &error);

    if (code < 0)
        return receipt_set(receipt, code == ERROR_NOMEM ? OUTCOME_RETRY : OUTCOME_REJECTED, 0, "%s", error.text);
    return OUTCOME_APPLIED;
}

/* The layout, read as if for somebody; where the mapping says who that is, it is in no way different for anybody. */
static enum outcome read_layout_of_all(const struct connector_session *session, const json_t *settings, struct layout *ret_layout,
                                       struct receipt *receipt)
{
    json_t *all = json_deep_copy(settings), *sessions = json_object_get(all, "sessions");

    json_object_set_new(sessions, "user", json_string("somebody"));
    enum outcome outcome = read_layout(session, all, ret_layout, receipt);
    json_decref(all);
    return outcome;
}

static void prepare(struct connector_session *session, const json_t *settings)
{
    struct layout layout = { 0 };
    struct receipt receipt = { 0 };

    if (session->ops->prepare != NULL && read_layout_of_all(session, settings, &layout, &receipt) == OUTCOME_APPLIED)
        session->ops->prepare(session->store, &layout);
    layout_clear(&layout);
    receipt_clear(&receipt);
}

static enum outcome tell_sight(const struct sight *sight, const struct layout *layout, struct receipt *receipt)
{
    cleanup_free char *doubt = sight_doubt(sight, layout, NULL);

    receipt_set(receipt, doubt != NULL ? OUTCOME_REJECTED : OUTCOME_APPLIED, 0, doubt != NULL ? "%s" : NULL, doubt);
    free(receipt->note);
    receipt->note = sight->certain && sight->fitting == 0
                        ? str_dup("there is no session: sign somebody in and check again, to see that he would be found")
                        : sight_text(sight, layout);
    return receipt->outcome;
}

static enum outcome check_sessions(struct connector_session *session, const json_t *settings, struct receipt *receipt)
{
    struct layout layout = { 0 };
    struct sight sight = { 0 };
    enum outcome outcome = read_layout_of_all(session, settings, &layout, receipt);

    if (outcome == OUTCOME_APPLIED && layout.format == FORMAT_COOKIE)
        outcome = receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    else if (outcome == OUTCOME_APPLIED && (outcome = session->ops->sample(session->store, &layout, &sight, receipt)) == OUTCOME_APPLIED)
        outcome = tell_sight(&sight, &layout, receipt);
    sight_clear(&sight);
    layout_clear(&layout);
    return outcome;
}

static enum outcome no_markers(const struct connector_session *session, struct receipt *receipt)
{
    return receipt_set(receipt, OUTCOME_REJECTED, 0,
                       "store \"%s\" keeps no markers; remove deny and mirror from the mapping, or keep them in another target",
                       session->ops->name);
}

static enum outcome read_marks(struct connector_session *session, const json_t *settings, const struct layout *layout,
                               struct session_marks *ret_marks, struct receipt *receipt)
{
    if (json_object_get(settings, "markers") == NULL)
        return OUTCOME_APPLIED; /* none are kept */
    if (session->ops->read_marks == NULL)
        return no_markers(session, receipt);
    return session->ops->read_marks(session->store, layout, layout->user, ret_marks, receipt);
}

static json_t *values_of(const struct session_marks *marks)
{
    json_t *values = json_object();

    if (marks->denied)
        json_object_set_new(values, "denied", json_true());
    if (marks->since != NULL && marks->expires != NULL)
        json_object_set_new(values, "signed_in", json_pack("{s:s, s:s}", "since", marks->since, "expires", marks->expires));
    return values;
}

static enum outcome read_account(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                                 struct receipt *receipt)
{
    struct layout layout = { 0 };
    struct session_marks marks = { 0 };
    enum outcome outcome = read_layout(session, query->settings, &layout, receipt);

    if (outcome == OUTCOME_APPLIED)
        outcome = read_marks(session, query->settings, &layout, &marks, receipt);
    if (outcome == OUTCOME_APPLIED) {
        *ret_account = (struct account){ str_dup(layout.user), str_dup(layout.user), values_of(&marks), -1, NULL };
        receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
        if (ret_account->key == NULL || ret_account->locator == NULL || ret_account->values == NULL) {
            account_clear(ret_account);
            outcome = receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
        }
    }
    session_marks_clear(&marks);
    layout_clear(&layout);
    return outcome;
}

/* ---- markers ---- */

static enum outcome wanted_marks(const json_t *values, struct session_marks *ret_marks, struct receipt *receipt)
{
    const json_t *signed_in = json_object_get(values, "signed_in");
    struct session_marks marks = { .denied = json_is_true(json_object_get(values, "denied")) };

    if (json_is_object(signed_in)) {
        marks.since = str_dup(json_string_value(json_object_get(signed_in, "since")));
        marks.expires = str_dup(json_string_value(json_object_get(signed_in, "expires")));
        if (marks.since == NULL || marks.expires == NULL) {
            session_marks_clear(&marks);
            return receipt_set(receipt, OUTCOME_REJECTED, 0, "the marker signed_in needs the texts since and expires");
        }
    }
    *ret_marks = marks;
    return OUTCOME_APPLIED;
}

static bool marks_equal(const struct session_marks *a, const struct session_marks *b)
{
    return a->denied == b->denied && str_equal(a->since, b->since) && str_equal(a->expires, b->expires);
}

static enum outcome update(struct connector_session *session, const struct operation *operation, const struct layout *layout,
                           struct receipt *receipt)
{
    struct session_marks wanted = { 0 }, there = { 0 };

    if (session->ops->write_marks == NULL || session->ops->read_marks == NULL)
        return no_markers(session, receipt);
    enum outcome outcome = wanted_marks(operation->values, &wanted, receipt);
    if (outcome == OUTCOME_APPLIED)
        outcome = session->ops->read_marks(session->store, layout, layout->user, &there, receipt);
    if (outcome == OUTCOME_APPLIED && marks_equal(&wanted, &there))
        outcome = receipt_set(receipt, OUTCOME_UNCHANGED, 0, NULL);
    else if (outcome == OUTCOME_APPLIED) {
        fault_point(FAULT_SESSION_SEND);
        outcome = session->ops->write_marks(session->store, layout, layout->user, &wanted, receipt);
        fault_point(FAULT_SESSION_ANSWERED);
    }
    if (outcome == OUTCOME_APPLIED)
        receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    session_marks_clear(&wanted);
    session_marks_clear(&there);
    return outcome;
}

/* ---- ending sessions ---- */

#define USERS_MOST 32

/* The name and the former ones, each once; borrowed. */
static void collect_users(const struct layout *layout, const json_t *former, const char *users[USERS_MOST + 1])
{
    size_t count = 0, index;
    const json_t *name;

    users[count++] = layout->user;
    json_array_foreach (former, index, name) {
        const char *text = json_string_value(name);
        bool known = text == NULL || *text == '\0' || count == USERS_MOST;
        for (size_t i = 0; !known && i < count; i++)
            known = strcmp(users[i], text) == 0;
        if (!known)
            users[count++] = text;
    }
    users[count] = NULL;
}

static enum outcome end_sessions(struct connector_session *session, const struct operation *operation, const struct layout *layout,
                                 struct receipt *receipt)
{
    const char *users[USERS_MOST + 1];
    struct sweep sweep = { 0 };
    const struct session_query query = {
        .layout = layout,
        .users = users,
        .before_us = operation->before.us,
        .dated_only = json_is_true(json_object_get(operation->settings, "dated_only")),
        .sweep = operation->sweep,
    };

    collect_users(layout, json_object_get(json_object_get(operation->settings, "sessions"), "former"), users);
    fault_point(FAULT_SESSION_SEND);
    enum outcome outcome = OUTCOME_APPLIED;
    if (layout->format == FORMAT_COOKIE)
        sweep.note =
            str_dup("cookie-only sessions: the server has nothing to end; let the application check a marker (deny = true)");
    else
        outcome = session->ops->sweep(session->store, &query, &sweep, receipt);
    sweep.sight.certain = sweep.sight.certain || layout->format == FORMAT_COOKIE;
    fault_point(FAULT_SESSION_ANSWERED);
    if (outcome == OUTCOME_APPLIED)
        outcome = sweep_report(&sweep, &query, receipt);
    receipt->place = sight_place(session->settings, layout, users);
    sweep_clear(&sweep);
    return outcome;
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    struct layout layout = { 0 };

    (void)ret_account;
    if (operation->kind != OPERATION_REVOKE && operation->kind != OPERATION_UPDATE)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "a session store has no accounts: it cannot %s",
                           operation_kind_name(operation->kind));
    enum outcome outcome = read_layout(session, operation->settings, &layout, receipt);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    outcome = (operation->kind == OPERATION_REVOKE ? end_sessions : update)(session, operation, &layout, receipt);
    layout_clear(&layout);
    return outcome;
}

/* ---- the table ---- */

static bool wants_markers(const config_setting_t *root)
{
    const config_setting_t *deny = config_setting_lookup((config_setting_t *)root, "deny");

    return (deny != NULL && config_setting_get_bool(deny)) || config_setting_lookup((config_setting_t *)root, "mirror") != NULL;
}

static bool is_cookie(const config_setting_t *sessions)
{
    const config_setting_t *preset = config_setting_lookup((config_setting_t *)sessions, "preset"),
                           *format = config_setting_lookup((config_setting_t *)sessions, "format");

    return (preset != NULL && str_equal(config_setting_get_string(preset), "cookie")) ||
           (format != NULL && str_equal(config_setting_get_string(format), "cookie"));
}

static void check_mapping(const config_setting_t *root, bool group, struct problems *problems)
{
    const config_setting_t *sessions =
        config_setting_lookup((config_setting_t *)root, "sessions"); /* older libconfigs take no const */

    if (group)
        problems_add(problems, setting_file(root), setting_line(root), 0, "sessions are people's: kind has to be \"user\"");
    else if (sessions == NULL)
        problems_add(problems, setting_file(root), setting_line(root), 0,
                     "the group \"sessions\" is missing: sessions: { preset = \"express\"; user = \"{login}\"; };");
    else
        layout_check(sessions, problems);
    if (!group && sessions != NULL && is_cookie(sessions) && !wants_markers(root))
        problems_add(problems, setting_file(root), setting_line(sessions), 0,
                     "sessions that live in the cookie alone cannot be ended; set deny = true or mirror, and let the application look "
                     "at the marker");
}

static void check_together(const void *arg, const config_setting_t *root, struct problems *problems)
{
    const struct session_settings *settings = arg;
    const struct session_store_ops *ops = session_store_ops(settings->store);
    const config_setting_t *sessions = config_setting_lookup((config_setting_t *)root, "sessions");

    if (ops == NULL || sessions == NULL)
        return;
    layout_check_store(sessions, settings->store, problems);
    if (ops->write_marks == NULL && wants_markers(root))
        problems_add(problems, setting_file(root), setting_line(sessions), 0,
                     "store = \"%s\" keeps no markers; remove deny and mirror, or keep them in another target", ops->name);
}

static const struct connector_group groups[] = { { "sessions", false, NULL, NULL }, { NULL, false, NULL, NULL } };
static const struct connector_place places[] = { { NULL, ESCAPE_NONE } };

__attribute__((visibility("default"))) extern const struct connector_ops provost_connector;
const struct connector_ops provost_connector = {
    .abi = CONNECTOR_ABI,
    .name = "session",
    .summary = "sessions in applications' own stores: Redis, memcached, PHP files, SQLite, PostgreSQL, MySQL",
    .options = session_options,
    .settings_bytes = sizeof(struct session_settings),
    .capabilities = CONNECTOR_SESSIONS,
    .places = places,
    .groups = groups,
    .check = session_settings_check,
    .check_mapping = check_mapping,
    .check_together = check_together,
    .share = share,
    .unshare = unshare,
    .open = open_session,
    .close = close_session,
    .probe = probe,
    .prepare = prepare,
    .check_sessions = check_sessions,
    .read = read_account,
    .apply = apply,
};
