/* What stops a log-in at a directory: passwordLock and accountDisable, written, read and taken back; and what check_locks sees. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "plan/plan.h"
#include "tests/support/settings.h"
#include "tests/support/slapd.h"

#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define ANN "uid=ann," SLAPD_PEOPLE
#define LOCKED "{PROVOST-LOCKED}"
#define OLD_HASH "{SSHA}tXLMBah2ScIm+agegMZzWLBhYVRzYWx0"   /* old-pass */
#define OTHER_HASH "{SSHA}izxhRG67tAQqesPEb099kFyo8wNzYWx0" /* other-pass */

static const struct connector_ops *ops;
static struct slapd plain, hidden, policy, hashing, control;
static struct slapd *slapd;
static void *settings;
static struct connector_shared *shared;
static struct connector_session *session;
static struct receipt receipt;

#define assert_outcome(seen, wanted) assert_outcome_at(seen, OUTCOME_##wanted, __LINE__)
static void assert_outcome_at(enum outcome seen, enum outcome wanted, int line)
{
    if (seen != wanted)
        fail_msg("line %d: %s, not %s: %s", line, outcome_name(seen), outcome_name(wanted), receipt.reason != NULL ? receipt.reason : "");
}

#define assert_note(word) assert_text_at(receipt.note, word, __LINE__)
#define assert_reason(word) assert_text_at(receipt.reason, word, __LINE__)
static void assert_text_at(const char *text, const char *word, int line)
{
    if (text == NULL || strstr(text, word) == NULL)
        fail_msg("line %d: \"%s\" is not in: %s", line, word, text != NULL ? text : "(nothing)");
}

/* ---- a session at one of the servers ---- */

static void close_session(void)
{
    if (slapd == NULL)
        return;
    slapd_remove(slapd, ANN);
    ops->close(session);
    ops->unshare(shared);
    settings_free(ops, settings);
    receipt_clear(&receipt);
    slapd = NULL;
    session = NULL;
    settings = NULL;
}

static void use(struct slapd *server, const char *options)
{
    close_session();
    if (server->uri == NULL)
        slapd_start(server, options);
    slapd = server;
    cleanup_free char *text =
        str_printf("uri = \"%s\"; bind_dn = \"" SLAPD_AGENT "\"; password = \"env:PROVOST_TEST_SECRET\";", slapd->uri);
    settings = settings_make(ops, text);
    assert_int_equal(ops->share(settings, &shared, NULL), 0);
    assert_outcome(ops->open(settings, shared, &session, &receipt), APPLIED);
}

static int begin(void **state)
{
    (void)state;
    use(&plain, "--nosync");
    return 0;
}

static int end(void **state)
{
    (void)state;
    close_session();
    return 0;
}

static int start(void **state)
{
    struct error error = { 0 };

    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    setenv("PROVOST_TEST_SECRET", SLAPD_AGENT_PASSWORD, 1);
    if (connector_load("ldap", NULL, &ops, &error) < 0)
        fail_msg("%s", error.text);
    return 0;
}

static int stop(void **state)
{
    struct slapd *const all[] = { &plain, &hidden, &policy, &hashing, &control };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->uri != NULL)
            slapd_stop(all[i]);
    return 0;
}

/* ---- one person ---- */

static void make_ann(const char *more)
{
    cleanup_free char *lines = str_printf("objectClass: inetOrgPerson%s\nuid: ann\ncn: ann\nsn: Lee%s%s",
                                          slapd == &control ? "|user" : "", more != NULL ? "\n" : "", more != NULL ? more : "");

    slapd_add(slapd, ANN, lines);
}

/* "passwordLock" as ADD TRUE, "-passwordLock" as DELETE; two at most. */
static enum outcome change(enum operation_kind kind, const char *first, const char *second)
{
    const char *const words[] = { first, second };
    struct change changes[2];
    struct operation operation = { .kind = kind, .locator = TEXT(ANN), .changes = changes };

    for (size_t i = 0; i < 2 && words[i] != NULL; i++) {
        bool back = words[i][0] == '-';
        const char *equals = strchr(words[i], '=');
        cleanup_free char *name = equals != NULL ? strndup(words[i], (size_t)(equals - words[i])) : strdup(words[i] + back);
        changes[operation.change_count++] = (struct change){ back ? CHANGE_DELETE : CHANGE_REPLACE, take_pointer(name),
                                                             back ? NULL : json_pack("[s]", equals != NULL ? equals + 1 : "TRUE") };
    }
    receipt_clear(&receipt);
    enum outcome outcome = ops->apply(session, &operation, NULL, &receipt);
    for (size_t i = 0; i < operation.change_count; i++) {
        free(changes[i].name);
        json_decref(changes[i].values);
    }
    return outcome;
}

static enum outcome lock(void)
{
    return change(OPERATION_DISABLE, "passwordLock", NULL);
}

static enum outcome unlock(void)
{
    return change(OPERATION_ENABLE, "-passwordLock", NULL);
}

static void assert_login(const char *password, bool lets_in)
{
    int code = slapd_login(slapd, ANN, password);

    if (code != (lets_in ? LDAP_SUCCESS : LDAP_INVALID_CREDENTIALS))
        fail_msg("%s: %d", password, code);
}

/* What a read shows under these names, as JSON. */
static void assert_read(const char *const *names, const char *expected)
{
    struct account_query query = { .locator = ANN, .names = names };
    struct account account = { 0 };

    assert_outcome(ops->read(session, &query, &account, &receipt), APPLIED);
    cleanup_free char *text = json_dumps(account.values, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, expected);
    account_clear(&account);
}

static const char *const made_up[] = { "passwordLock", "accountDisable", NULL };

static void assert_shows(const char *expected)
{
    assert_read(made_up, expected);
}

/* ---- passwordLock ---- */

static void a_locked_password_is_refused_and_works_again_on_return(void **state)
{
    (void)state;
    make_ann("userPassword: " OLD_HASH);
    assert_shows("{}");
    assert_outcome(lock(), APPLIED);
    assert_null(receipt.note);
    assert_login("old-pass", false);
    assert_true(slapd_has_value(slapd, ANN, "userPassword", LOCKED OLD_HASH));
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    assert_outcome(lock(), UNCHANGED);
    assert_outcome(unlock(), APPLIED);
    assert_login("old-pass", true);
    assert_shows("{}");
    assert_outcome(unlock(), UNCHANGED);
}

static void each_of_several_passwords_is_locked(void **state)
{
    (void)state;
    make_ann("userPassword: " OLD_HASH "|" OTHER_HASH "|clear text, with ümlaut");
    assert_outcome(lock(), APPLIED);
    assert_login("old-pass", false);
    assert_login("other-pass", false);
    assert_login("clear text, with ümlaut", false);
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    assert_outcome(unlock(), APPLIED);
    assert_login("old-pass", true);
    assert_login("other-pass", true);
    assert_login("clear text, with ümlaut", true);
}

static void a_password_set_while_locked_is_locked_too(void **state)
{
    (void)state;
    make_ann("userPassword: " LOCKED OLD_HASH "|" OTHER_HASH);
    assert_shows("{}");
    assert_outcome(lock(), APPLIED);
    assert_login("other-pass", false);
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    assert_outcome(unlock(), APPLIED);
    assert_login("other-pass", true);
    assert_login("old-pass", true);
}

static void the_same_password_locked_and_open_is_one(void **state)
{
    (void)state;
    make_ann("userPassword: " LOCKED OLD_HASH "|" OLD_HASH);
    assert_outcome(lock(), APPLIED);
    assert_false(slapd_has_value(slapd, ANN, "userPassword", OLD_HASH));
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    slapd_remove(slapd, ANN);
    make_ann("userPassword: " LOCKED OLD_HASH "|" OLD_HASH);
    assert_outcome(unlock(), APPLIED);
    assert_false(slapd_has_value(slapd, ANN, "userPassword", LOCKED OLD_HASH));
    assert_login("old-pass", true);
}

static void without_a_password_there_is_a_lock_all_the_same(void **state)
{
    (void)state;
    make_ann(NULL);
    assert_outcome(lock(), APPLIED);
    assert_note("no password could be read");
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    assert_login(LOCKED, false);
    assert_outcome(lock(), UNCHANGED);
    assert_null(receipt.note);
    assert_outcome(unlock(), APPLIED);
    cleanup_free char *left = slapd_value(slapd, ANN, "userPassword");
    assert_null(left);
}

static void a_password_that_may_not_be_read_is_gone(void **state)
{
    (void)state;
    use(&hidden, "--nosync --hide-passwords");
    make_ann("userPassword: " OLD_HASH);
    assert_login("old-pass", true);
    assert_shows("{}");
    assert_outcome(lock(), APPLIED);
    assert_note("a new one must be set on return");
    assert_login("old-pass", false);
    cleanup_free char *left = slapd_value(slapd, ANN, "userPassword");
    assert_non_null(strstr(left, LOCKED));
    assert_login(left, false);
    assert_login(LOCKED, false);
    assert_outcome(lock(), APPLIED); /* it cannot be seen */
}

/* slapo-ppolicy asks for the old password itself where one is exchanged for another. */
static void a_password_policy_that_wants_the_old_password_gets_the_lock(void **state)
{
    (void)state;
    use(&policy, "--nosync --ppolicy");
    make_ann("userPassword: " OLD_HASH);
    assert_outcome(lock(), APPLIED);
    assert_login("old-pass", false);
    assert_login(LOCKED OLD_HASH, false);
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    assert_outcome(lock(), UNCHANGED);
    assert_outcome(unlock(), APPLIED);
    assert_login("old-pass", true);
}

/* A hash of the lock would be a password that whoever knows the old hash can make. */
static void a_server_that_hashes_the_lock_is_left_with_a_password_of_nobody(void **state)
{
    (void)state;
    use(&hashing, "--nosync --ppolicy-hash");
    make_ann("userPassword: " OLD_HASH);
    assert_outcome(lock(), APPLIED);
    assert_note("the old password is gone");
    assert_login("old-pass", false);
    assert_login(LOCKED OLD_HASH, false);
    assert_login(LOCKED LOCKED OLD_HASH, false);
    assert_login(LOCKED, false);
    slapd_remove(slapd, ANN);
    make_ann(NULL);
    assert_outcome(lock(), APPLIED);
    assert_login(LOCKED, false);
}

static void no_read_shows_a_password(void **state)
{
    static const char *const names[] = { "userPassword", "sn", "passwordlock", NULL };

    (void)state;
    make_ann("userPassword: " LOCKED OLD_HASH);
    assert_read(names, "{\"passwordlock\":[\"TRUE\"],\"sn\":[\"Lee\"]}");
    assert_read(NULL, "{\"cn\":[\"ann\"],\"objectClass\":[\"inetOrgPerson\"],\"sn\":[\"Lee\"],\"uid\":[\"ann\"]}");
}

static void lock_and_attributes_are_one_change(void **state)
{
    (void)state;
    make_ann("userPassword: " OLD_HASH);
    assert_outcome(change(OPERATION_DISABLE, "passwordLock", "preferredDeliveryMethod=not-a-method"), REJECTED);
    assert_login("old-pass", true);
    assert_outcome(change(OPERATION_DISABLE, "passwordLock", "description=left"), APPLIED);
    assert_login("old-pass", false);
    assert_true(slapd_has_value(slapd, ANN, "description", "left"));
    assert_outcome(change(OPERATION_DISABLE, "description=left", "passwordLock"), UNCHANGED);
    assert_outcome(change(OPERATION_ENABLE, "-description", "-passwordLock"), APPLIED);
    assert_login("old-pass", true);
    assert_false(slapd_has_value(slapd, ANN, "description", "left"));
}

static enum outcome create(const char *more_name, const char *more_value, const char *lock_name)
{
    struct operation operation = { .kind = OPERATION_CREATE, .locator = TEXT(ANN) };

    operation.values = json_pack("{s:[s],s:s,s:s,s:s,s:[s]}", "objectClass", "inetOrgPerson", "uid", "ann", "cn", "ann", "sn", "Lee",
                                 lock_name, "TRUE");
    if (more_name != NULL)
        json_object_set_new(operation.values, more_name, json_pack("[s]", more_value));
    if (slapd == &control)
        json_array_append_new(json_object_get(operation.values, "objectClass"), json_string("user"));
    receipt_clear(&receipt);
    enum outcome outcome = ops->apply(session, &operation, NULL, &receipt);
    json_decref(operation.values);
    return outcome;
}

static void an_account_may_be_created_locked(void **state)
{
    (void)state;
    assert_outcome(create("userPassword", "first-day-9", "passwordLock"), APPLIED);
    assert_login("first-day-9", false);
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    assert_outcome(create("userPassword", "first-day-9", "passwordLock"), UNCHANGED);
    assert_outcome(unlock(), APPLIED);
    assert_login("first-day-9", true);
    slapd_remove(slapd, ANN);
    assert_outcome(create(NULL, NULL, "passwordLock"), APPLIED);
    assert_shows("{\"passwordLock\":[\"TRUE\"]}");
    slapd_remove(slapd, ANN);
    use(&hashing, "--nosync --ppolicy-hash");
    assert_outcome(create("userPassword", "first-day-9", "passwordLock"), APPLIED);
    assert_login("first-day-9", false);
    assert_login(LOCKED "first-day-9", false);
    slapd_remove(slapd, ANN);
    use(&control, "--nosync --account-control");
    assert_outcome(create("userAccountControl", "66048", "accountDisable"), APPLIED);
    assert_true(slapd_has_value(slapd, ANN, "userAccountControl", "66050"));
    slapd_remove(slapd, ANN);
    assert_outcome(create(NULL, NULL, "accountDisable"), APPLIED);
    assert_true(slapd_has_value(slapd, ANN, "userAccountControl", "514"));
}

/* ---- accountDisable ---- */

static void one_bit_of_account_control_is_set_and_cleared(void **state)
{
    static const char *const rows[][3] = {
        { "512", "514", "512" },
        { "66048", "66050", "66048" },
        { "0x10200", "66050", "66048" },
        { " 0512", "514", "512" },
        { "-2147483136", "-2147483134", "-2147483136" },
    };

    (void)state;
    use(&control, "--nosync --account-control");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *line = str_printf("userAccountControl: %s", rows[i][0]);
        make_ann(line);
        assert_shows("{}");
        assert_outcome(change(OPERATION_ENABLE, "-accountDisable", NULL), UNCHANGED);
        assert_outcome(change(OPERATION_DISABLE, "accountDisable", NULL), APPLIED);
        assert_true(slapd_has_value(slapd, ANN, "userAccountControl", rows[i][1]));
        assert_shows("{\"accountDisable\":[\"TRUE\"]}");
        assert_outcome(change(OPERATION_DISABLE, "accountDisable", NULL), UNCHANGED);
        assert_outcome(change(OPERATION_ENABLE, "-accountDisable", NULL), APPLIED);
        assert_true(slapd_has_value(slapd, ANN, "userAccountControl", rows[i][2]));
        slapd_remove(slapd, ANN);
    }
    make_ann(NULL);
    assert_outcome(change(OPERATION_DISABLE, "accountDisable", NULL), APPLIED);
    assert_note("it is 514 now");
    slapd_remove(slapd, ANN);
    make_ann("userAccountControl: many");
    assert_outcome(change(OPERATION_DISABLE, "accountDisable", NULL), REJECTED);
    assert_reason("userAccountControl is no number");
}

/* ---- check_locks ---- */

static enum outcome check(const char *name)
{
    const char *const names[] = { "description", name, NULL };

    receipt_clear(&receipt);
    return ops->check_locks(session, SLAPD_PEOPLE, names, &receipt);
}

static void a_plain_server_has_no_lock_of_its_own(void **state)
{
    (void)state;
    assert_outcome(check("passwordLock"), APPLIED);
    assert_note("nobody is below \"" SLAPD_PEOPLE "\" yet");
    make_ann("userPassword: " OLD_HASH);
    assert_outcome(check("passwordLock"), APPLIED);
    assert_string_equal(receipt.note, "the server has no lock of its own; passwordLock is the one that works here");
    assert_outcome(check("pwdAccountLockedTime"), REJECTED);
    assert_reason("pwdAccountLockedTime is not in this server's schema, so it locks nobody here");
    assert_outcome(check("nsAccountLock"), REJECTED);
    assert_outcome(check("accountDisable"), REJECTED);
    assert_reason("accountDisable: userAccountControl is not in this server's schema");
}

static void a_password_policy_is_seen_and_judged(void **state)
{
    (void)state;
    use(&policy, "--nosync --ppolicy");
    make_ann("userPassword: " OLD_HASH);
    assert_outcome(check("passwordLock"), APPLIED);
    assert_note("a lock of its own, which is better than passwordLock");
    assert_note("pwdAccountLockedTime = \"000001010000Z\";");
    assert_outcome(check("pwdAccountLockedTime"), APPLIED);
    assert_string_equal(receipt.note, "the server's own locks: pwdAccountLockedTime = \"000001010000Z\";");
    slapd_set(slapd, "cn=policy," SLAPD_SUFFIX, "pwdLockout", "FALSE");
    assert_outcome(check("pwdAccountLockedTime"), REJECTED);
    assert_reason("no password policy has pwdLockout TRUE (\"cn=policy," SLAPD_SUFFIX "\")");
    assert_outcome(check("passwordLock"), APPLIED);
    assert_null(strstr(receipt.note, "better"));
    slapd_set(slapd, "cn=policy," SLAPD_SUFFIX, "pwdLockout", "TRUE");
}

static void passwords_that_may_not_be_read_are_told(void **state)
{
    (void)state;
    use(&hidden, "--nosync --hide-passwords");
    make_ann("userPassword: " OLD_HASH);
    assert_outcome(check("passwordLock"), APPLIED);
    assert_note("none of the 1 entries looked at below \"" SLAPD_PEOPLE "\" shows a userPassword");
    assert_note("the server has no lock of its own");
}

static void active_directory_keeps_no_password_there(void **state)
{
    (void)state;
    use(&control, "--nosync --account-control");
    assert_outcome(check("passwordLock"), REJECTED);
    assert_reason("write accountDisable = \"TRUE\"; instead");
    assert_outcome(check("accountDisable"), APPLIED);
    assert_string_equal(receipt.note, "the server's own locks: accountDisable = \"TRUE\";");
}

/* ---- mapping files ---- */

#define PEOPLE "target = \"t\"; kind = \"user\"; account: { dn = \"uid={id},dc=x\"; uid = \"{id}\"; %s };\n%s\n"

/* NULL: it is right. */
static void assert_file(const char *account, const char *rest, const char *sentence)
{
    char path[] = "/tmp/provost-locks-XXXXXX";
    cleanup_free char *text = str_printf(PEOPLE, account, rest);
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;
    int fd = mkstemp(path);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    mapping_load(path, ops, &problems, &mapping);
    unlink(path);
    mapping_free(mapping);
    size_t expected = sentence != NULL;
    if (problems.count != expected || (sentence != NULL && strstr(problems.list[0].text, sentence) == NULL))
        fail_msg("%s%s: %zu, %s", account, rest, problems.count, problems.count > 0 ? problems.list[0].text : "no problem");
    if (sentence != NULL)
        assert_int_not_equal(problems.list[0].line, 0);
    problems_free(&problems);
}

static void a_mapping_that_would_leave_a_leaver_in_is_refused(void **state)
{
    (void)state;
    assert_file("", "disable: { passwordLock = \"TRUE\"; };", NULL);
    assert_file("", "disable: { accountDisable = true; };", NULL);
    assert_file("", "disable: { pwdAccountLockedTime = \"000001010000Z\"; };", NULL);
    assert_file("", "disable: { nsAccountLock = \"true\"; };", NULL);
    assert_file("", "disable: { description = \"left\"; };", "add passwordLock = \"TRUE\"; (or one of accountDisable, ");
    assert_file("", "disable: { shadowExpire = \"1\"; loginShell = \"/bin/false\"; };", "nothing in disable stops a log-in");
    assert_file("", "disable: { dn = \"uid={id},ou=left,dc=x\"; };", "nothing in disable stops a log-in");
    assert_file("", "disable: { passwordLock = \"yes\"; };", "write passwordLock = \"TRUE\";");
    assert_file("", "disable: { nsAccountLock = \"false\"; };", "locks nobody with this value");
    assert_file("", "disable: { pwdAccountLockedTime = \"20260101000000Z\"; passwordLock = \"TRUE\"; };", "must be \"000001010000Z\"");
    assert_file("passwordLock = \"TRUE\";", "disable: { passwordLock = \"TRUE\"; };", "it stands in disable alone");
    assert_file("", "disable: { userPassword = \"\"; passwordLock = \"TRUE\"; };", "disable.userPassword");
    assert_file("userPassword = \"{id}\";", "disable: { passwordLock = \"TRUE\"; };", "policy: { userPassword = \"once\"; };");
    assert_file("userPassword = \"{id}\";", "policy: { userPassword = \"once\"; }; disable: { passwordLock = \"TRUE\"; };", NULL);
    assert_file("userAccountControl = \"512\";", "disable: { userAccountControl = \"514\"; };", NULL);
    assert_file("userAccountControl = \"512\";", "disable: { userAccountControl = 0x202; };", NULL);
    assert_file("userAccountControl = \"512\";", "disable: { userAccountControl = \"513\"; };", "does not have the bit 2");
    assert_file("", "disable: { userAccountControl = \"514\"; };", "would be removed on return");
    assert_file("userAccountControl = \"512\";", "disable: { accountDisable = \"TRUE\"; };", "policy: { userAccountControl = \"once\"; };");
    assert_file("userAccountControl = \"512\";", "policy: { userAccountControl = \"once\"; }; disable: { accountDisable = \"TRUE\"; };", NULL);
    assert_file("", "more = ( { name = \"userPassword\"; value = \"{id}\"; } ); disable: { passwordLock = \"TRUE\"; };", "policy: { userPassword");
    assert_file("", "more = ( { name = \"nsAccountLock\"; value = \"\"; disable = \"TRUE\"; } ); disable: { description = \"x\"; };", NULL);
}

/* Without the backslashes of man(7). */
static bool page_has(const char *path, const char *word)
{
    const char *top = getenv("PROVOST_SOURCE") != NULL ? getenv("PROVOST_SOURCE") : ".";
    cleanup_free char *file = str_printf("%s/%s", top, path), *text = NULL;
    size_t length = 0, kept = 0;

    assert_int_equal(file_read(file, 1 << 20, &text, &length, NULL), 0);
    for (size_t i = 0; i < length; i++)
        if (text[i] != '\\')
            text[kept++] = text[i];
    text[kept] = '\0';
    return strstr(text, word) != NULL;
}

static void every_lock_is_in_the_manuals(void **state)
{
    (void)state;
    for (const char *const *name = ops->locks; *name != NULL; name++)
        if (!page_has("packaging/man/provost-mapping.5", *name) || !page_has("mappings/README.md", *name))
            fail_msg("%s is missing in provost-mapping(5) or mappings/README.md", *name);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_locked_password_is_refused_and_works_again_on_return),
        TEST(each_of_several_passwords_is_locked),
        TEST(a_password_set_while_locked_is_locked_too),
        TEST(the_same_password_locked_and_open_is_one),
        TEST(without_a_password_there_is_a_lock_all_the_same),
        TEST(a_password_that_may_not_be_read_is_gone),
        TEST(a_password_policy_that_wants_the_old_password_gets_the_lock),
        TEST(a_server_that_hashes_the_lock_is_left_with_a_password_of_nobody),
        TEST(no_read_shows_a_password),
        TEST(lock_and_attributes_are_one_change),
        TEST(an_account_may_be_created_locked),
        TEST(one_bit_of_account_control_is_set_and_cleared),
        TEST(a_plain_server_has_no_lock_of_its_own),
        TEST(a_password_policy_is_seen_and_judged),
        TEST(passwords_that_may_not_be_read_are_told),
        TEST(active_directory_keeps_no_password_there),
        TEST(a_mapping_that_would_leave_a_leaver_in_is_refused),
        TEST(every_lock_is_in_the_manuals),
    };

    return slapd_skip() ? 0 : cmocka_run_group_tests_name("ldap locks", tests, start, stop);
}
