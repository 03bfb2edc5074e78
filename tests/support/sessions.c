#include "tests/support/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/support/settings.h"

void sessions_begin(struct sessions *sessions, const char *settings)
{
    struct error error = { 0 };

    *sessions = (struct sessions){ 0 };
    if (connector_load("session", NULL, &sessions->ops, &error) < 0)
        fail_msg("%s", error.text);
    sessions->settings = settings_make(sessions->ops, settings);
    assert_int_equal(sessions->ops->share(sessions->settings, &sessions->shared, &error), 0);
}

/* A failure tells why, and says nothing that it should not. */
static enum outcome taken(struct sessions *sessions, enum outcome outcome)
{
    assert_string_equal(outcome_name(outcome), outcome_name(sessions->receipt.outcome));
    if (outcome != OUTCOME_APPLIED && outcome != OUTCOME_UNCHANGED)
        assert_true(sessions->receipt.reason != NULL && strlen(sessions->receipt.reason) > 10);
    if (sessions->receipt.reason != NULL)
        assert_null(strstr(sessions->receipt.reason, "hush"));
    return outcome;
}

enum outcome sessions_try_open(struct sessions *sessions)
{
    receipt_clear(&sessions->receipt);
    enum outcome outcome = sessions->ops->open(sessions->settings, sessions->shared, &sessions->session, &sessions->receipt);
    if (outcome != OUTCOME_APPLIED)
        assert_null(sessions->session);
    return taken(sessions, outcome);
}

void sessions_open(struct sessions *sessions, const char *settings)
{
    sessions_begin(sessions, settings);
    if (sessions_try_open(sessions) != OUTCOME_APPLIED)
        fail_msg("open: %s", sessions->receipt.reason);
}

void sessions_join(struct sessions *sessions, const struct sessions *first)
{
    *sessions = (struct sessions){ .ops = first->ops, .settings = first->settings, .shared = first->shared };
    if (sessions_try_open(sessions) != OUTCOME_APPLIED)
        fail_msg("open: %s", sessions->receipt.reason);
}

void sessions_leave(struct sessions *sessions)
{
    sessions->ops->close(sessions->session);
    receipt_clear(&sessions->receipt);
    sessions->session = NULL;
}

void sessions_close(struct sessions *sessions)
{
    if (sessions->ops == NULL)
        return;
    sessions_leave(sessions);
    sessions->ops->unshare(sessions->shared);
    settings_free(sessions->ops, sessions->settings);
    *sessions = (struct sessions){ 0 };
}

static json_t *settings_of(const char *layout, const char *user)
{
    json_error_t error;
    json_t *group = json_loads(layout, 0, &error);

    if (group == NULL)
        fail_msg("%s: %s", layout, error.text);
    json_object_set_new(group, "user", json_string(user));
    return json_pack("{s:o}", "sessions", group);
}

enum outcome sessions_end_with(struct sessions *sessions, const char *layout, const char *user, struct end end)
{
    struct operation operation = {
        .kind = OPERATION_REVOKE,
        .before = end.before_us != 0 ? (struct wall){ end.before_us } : clock_wall(clock_system()),
        .sweep = end.sweep != 0 ? end.sweep : 1,
        .settings = settings_of(layout, user),
    };

    if (end.former != NULL)
        json_object_set_new(json_object_get(operation.settings, "sessions"), "former", json_pack("[s]", end.former));
    if (end.dated_only)
        json_object_set_new(operation.settings, "dated_only", json_true());
    receipt_clear(&sessions->receipt);
    enum outcome outcome = sessions->ops->apply(sessions->session, &operation, NULL, &sessions->receipt);
    json_decref(operation.settings);
    return taken(sessions, outcome);
}

enum outcome sessions_end(struct sessions *sessions, const char *layout, const char *user)
{
    return sessions_end_with(sessions, layout, user, (struct end){ 0 });
}

enum outcome sessions_mark(struct sessions *sessions, const char *layout, const char *user, bool denied, const char *since,
                           const char *expires)
{
    struct operation operation = { .kind = OPERATION_UPDATE, .values = json_object(), .settings = settings_of(layout, user) };

    if (denied)
        json_object_set_new(operation.values, "denied", json_true());
    if (since != NULL)
        json_object_set_new(operation.values, "signed_in", json_pack("{s:s, s:s}", "since", since, "expires", expires));
    receipt_clear(&sessions->receipt);
    enum outcome outcome = sessions->ops->apply(sessions->session, &operation, NULL, &sessions->receipt);
    json_decref(operation.values);
    json_decref(operation.settings);
    return taken(sessions, outcome);
}

enum outcome sessions_read(struct sessions *sessions, const char *layout, const char *user, json_t **ret_values)
{
    json_t *settings = settings_of(layout, user);
    struct account account = { 0 };

    json_object_set_new(settings, "markers", json_pack("[s, s]", "denied", "signed_in"));
    receipt_clear(&sessions->receipt);
    enum outcome outcome = sessions->ops->read(sessions->session, &(struct account_query){ .settings = settings }, &account,
                                               &sessions->receipt);
    json_decref(settings);
    if (outcome == OUTCOME_APPLIED)
        *ret_values = json_incref(account.values);
    account_clear(&account);
    return taken(sessions, outcome);
}

enum outcome sessions_probe(struct sessions *sessions)
{
    receipt_clear(&sessions->receipt);
    return taken(sessions, sessions->ops->probe(sessions->session, &sessions->receipt));
}

void sessions_prepare(struct sessions *sessions, const char *layout)
{
    json_t *settings = json_pack("{s:o}", "sessions", json_loads(layout, 0, NULL));

    sessions->ops->prepare(sessions->session, settings);
    json_decref(settings);
}
