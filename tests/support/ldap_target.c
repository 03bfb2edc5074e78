#include "tests/support/ldap_target.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "tests/support/settings.h"

struct ldap_target target;

/* ---- the target ---- */

void target_load(void)
{
    struct error error = { 0 };

    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", SLAPD_AGENT_PASSWORD, 1);
    setenv("PROVOST_TEST_ADMIN", "admin-secret", 1);
    if (connector_load("ldap", NULL, &target.ops, &error) < 0)
        fail_msg("%s", error.text);
}

void target_start(const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (!str_starts(text.bytes, "bind_dn"))
        buf_add_str(&text, " bind_dn = \"" SLAPD_AGENT "\"; password = \"env:PROVOST_TEST_SECRET\";");
    target.settings = settings_make(target.ops, text.bytes);
    if (target.ops->share != NULL)
        assert_int_equal(target.ops->share(target.settings, &target.shared, NULL), 0);
}

enum outcome target_open(void)
{
    size_t i = 0;

    while (target.sessions[i] != NULL)
        i++;
    assert_true(i < TARGET_SESSIONS_MOST);
    enum outcome outcome = target.ops->open(target.settings, target.shared, &target.sessions[i], &target.receipt);
    assert_true((outcome == OUTCOME_APPLIED) == (target.sessions[i] != NULL));
    if (target.sessions[i] != NULL)
        target.session = target.sessions[i];
    return outcome;
}

void target_open_most(size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_outcome(target_open(), APPLIED);
}

struct asker {
    pthread_t thread;
    struct connector_session *session;
    struct receipt receipt;
};

static void *ask(void *arg)
{
    static const char *const names[] = { "ou", NULL };
    struct asker *asker = arg;
    struct account account = { 0 };

    target.ops->read(asker->session, &(struct account_query){ .locator = SLAPD_PEOPLE, .names = names }, &account, &asker->receipt);
    account_clear(&account);
    return NULL;
}

void ask_with_all_at(enum outcome outcome, enum refusal refusal, int line)
{
    struct asker askers[TARGET_SESSIONS_MOST] = { 0 };

    for (size_t i = 0; i < TARGET_SESSIONS_MOST && target.sessions[i] != NULL; i++) {
        askers[i].session = target.sessions[i];
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < TARGET_SESSIONS_MOST && target.sessions[i] != NULL; i++) {
        pthread_join(askers[i].thread, NULL);
        receipt_clear(&target.receipt);
        target.receipt = askers[i].receipt;
        assert_outcome_at(target.receipt.outcome, outcome, line);
        assert_refusal_at(refusal, line);
    }
}

void target_use(size_t session)
{
    assert_non_null(target.sessions[session]);
    target.session = target.sessions[session];
}

void target_stop(void)
{
    const struct connector_ops *ops = target.ops;

    for (size_t i = 0; i < TARGET_SESSIONS_MOST; i++)
        ops->close(target.sessions[i]);
    if (ops->unshare != NULL)
        ops->unshare(target.shared);
    settings_free(ops, target.settings);
    receipt_clear(&target.receipt);
    target = (struct ldap_target){ .ops = ops };
}

/* ---- calls ---- */

static enum outcome read_account(const char *key, const char *dn, const char *filter)
{
    static const char *const names[] = { "sn", "mail", NULL };
    const char *const match[] = { filter, NULL };
    struct account_query query = { .key = key, .locator = dn, .match = filter != NULL ? match : NULL, .names = names };
    struct account account = { 0 };
    enum outcome outcome = target.ops->read(target.session, &query, &account, &target.receipt);

    account_clear(&account);
    return outcome;
}

enum outcome read_dn(const char *dn)
{
    return read_account(NULL, dn, NULL);
}

enum outcome read_match(const char *dn, const char *filter)
{
    return read_account(NULL, dn, filter);
}

enum outcome read_key_of(const char *key, const char *dn)
{
    return read_account(key, dn, NULL);
}

static enum outcome apply(const struct operation *operation, struct account *ret_account)
{
    return target.ops->apply(target.session, operation, ret_account, &target.receipt);
}

enum outcome add_person(const char *dn, const char *uid)
{
    cleanup_free char *mail = str_printf("%s@example.org", uid);
    json_t *values = json_pack("{s:[s],s:s,s:s,s:s,s:s}", "objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", "Lee", "mail",
                               mail);
    struct account account = { 0 };
    enum outcome outcome = apply(&(struct operation){ .kind = OPERATION_CREATE, .locator = TEXT(dn), .values = values }, &account);

    json_decref(values);
    account_clear(&account);
    return outcome;
}

enum outcome replace_value(const char *key, const char *dn, const char *name, const char *value)
{
    struct change change = { CHANGE_REPLACE, TEXT(name), json_pack("[s]", value) };
    enum outcome outcome = apply(&(struct operation){ .kind = OPERATION_UPDATE, .key = TEXT(key), .locator = TEXT(dn),
                                                      .changes = &change, .change_count = 1 }, NULL);

    json_decref(change.values);
    return outcome;
}

enum outcome move_entry(const char *key, const char *dn, const char *new_dn)
{
    return apply(&(struct operation){ .kind = OPERATION_RENAME, .key = TEXT(key), .locator = TEXT(dn), .new_locator = TEXT(new_dn) },
                 NULL);
}

enum outcome remove_entry(const char *key, const char *dn)
{
    return apply(&(struct operation){ .kind = OPERATION_REMOVE, .key = TEXT(key), .locator = TEXT(dn) }, NULL);
}

enum outcome change_member(enum operation_kind kind, const char *key, const char *group, const char *value)
{
    return apply(&(struct operation){ .kind = kind, .group = true, .key = TEXT(key), .locator = TEXT(group),
                                      .attribute = TEXT("member"), .value = TEXT(value) }, NULL);
}

char *groups_of(const char *value, const char *base)
{
    struct group_query query = { .attribute = "member", .value = value, .base = base };
    cleanup_buf struct buf text = { 0 };
    json_t *groups = NULL, *group;
    size_t i;

    receipt_clear(&target.receipt);
    if (target.ops->read_groups(target.session, &query, &groups, &target.receipt) != OUTCOME_APPLIED) {
        assert_null(groups);
        return NULL;
    }
    json_array_foreach (groups, i, group)
        buf_printf(&text, "%s%s", i > 0 ? " " : "", json_string_value(json_object_get(group, "locator")));
    json_decref(groups);
    return buf_take(&text);
}

/* ---- what came of it ---- */

static const char *reason(void)
{
    return target.receipt.reason != NULL ? target.receipt.reason : "(no reason)";
}

void assert_outcome_at(enum outcome seen, enum outcome wanted, int line)
{
    assert_int_equal(seen, target.receipt.outcome);
    if (seen != wanted)
        fail_msg("line %d: %s, not %s: %s", line, outcome_name(seen), outcome_name(wanted), reason());
    if (target.receipt.reason != NULL)
        assert_null(strstr(target.receipt.reason, SLAPD_AGENT_PASSWORD));
}

void assert_refusal_at(enum refusal wanted, int line)
{
    static const char *const names[] = { "sure", "unsure", "unsure login", "login", "server" };

    if (target.receipt.refusal != wanted)
        fail_msg("line %d: %s, not %s: %s", line, names[target.receipt.refusal], names[wanted], reason());
}

static void assert_holds(const char *text, const char *word, int line)
{
    if (text == NULL || strstr(text, word) == NULL)
        fail_msg("line %d: \"%s\" is not in: %s", line, word, text != NULL ? text : "(nothing)");
}

void assert_says_at(const char *word, int line)
{
    assert_holds(target.receipt.reason, word, line);
}

void assert_notes_at(const char *word, int line)
{
    assert_holds(target.receipt.note, word, line);
}

void await_at(bool (*condition)(void), const char *what, int within_s, int line)
{
    const char *scale = getenv("PROVOST_TIME_SCALE");
    int64_t limit_us = (int64_t)(within_s * 1e6 * (scale != NULL ? atof(scale) : 1));
    struct mono start = clock_mono(clock_system());

    while (!condition()) {
        if (clock_mono(clock_system()).us - start.us > limit_us)
            fail_msg("line %d: not within %d s: %s (last: %s)", line, within_s, what, reason());
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
}
