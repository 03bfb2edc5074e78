/* What the LDAP connector does in a directory: accounts and groups, each kind of operation, and what it refuses. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/support/settings.h"
#include "tests/support/slapd.h"

#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define ANN "uid=ann," SLAPD_PEOPLE
#define BOB "uid=bob," SLAPD_PEOPLE
#define STAFF "cn=staff," SLAPD_GROUPS
#define NOBODY "cn=nobody"

static const struct connector_ops *ops;
static struct slapd slapd;
static void *settings;
static struct connector_shared *shared;
static struct connector_session *session;
static struct receipt receipt;
static const char *const names[] = { "cn", "sn", "mail", "uid", "jpegPhoto", "description", "commonName", NULL };

#define assert_outcome(seen, wanted) assert_outcome_at(seen, OUTCOME_##wanted, __LINE__)
static void assert_outcome_at(enum outcome seen, enum outcome wanted, int line)
{
    if (seen != wanted)
        fail_msg("line %d: %s, not %s: %s", line, outcome_name(seen), outcome_name(wanted),
                 receipt.reason != NULL ? receipt.reason : "");
}

#define assert_says(word) assert_says_at(word, __LINE__)
static void assert_says_at(const char *word, int line)
{
    if (receipt.reason == NULL || strstr(receipt.reason, word) == NULL)
        fail_msg("line %d: \"%s\" is not in: %s", line, word, receipt.reason != NULL ? receipt.reason : "(no reason)");
}

/* ---- operations, short ---- */

static enum outcome create(const char *dn, json_t *values, struct account *ret_account)
{
    struct operation operation = { .kind = OPERATION_CREATE, .locator = TEXT(dn), .values = values };
    enum outcome outcome = ops->apply(session, &operation, ret_account, &receipt);

    json_decref(values);
    return outcome;
}

static json_t *person(const char *uid, const char *id)
{
    return json_pack("{s:[s],s:s,s:s,s:s,s:s}", "objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", "Lee",
                     "employeeNumber", id);
}

static char *make_person(const char *dn, const char *uid, const char *id)
{
    struct account account = { 0 };

    assert_outcome(create(dn, person(uid, id), &account), APPLIED);
    free(account.locator);
    return account.key;
}

static enum outcome change(enum operation_kind kind, const char *key, const char *dn, const char *new_dn,
                           enum change_kind change_kind, const char *name, json_t *values)
{
    struct change one = { change_kind, TEXT(name), values };
    struct operation operation = { .kind = kind,
                                   .key = TEXT(key),
                                   .locator = TEXT(dn),
                                   .new_locator = TEXT(new_dn),
                                   .changes = &one,
                                   .change_count = name != NULL ? 1 : 0 };
    enum outcome outcome = ops->apply(session, &operation, NULL, &receipt);

    json_decref(values);
    return outcome;
}

static enum outcome replace(const char *dn, const char *name, const char *value)
{
    return change(OPERATION_UPDATE, NULL, dn, NULL, CHANGE_REPLACE, name, json_pack("[s]", value));
}

static enum outcome move_to(enum operation_kind kind, const char *key, const char *dn, const char *new_dn)
{
    return change(kind, key, dn, new_dn, CHANGE_REPLACE, NULL, NULL);
}

static enum outcome remove_entry(const char *key, const char *dn)
{
    struct operation operation = { .kind = OPERATION_REMOVE, .key = TEXT(key), .locator = TEXT(dn) };

    return ops->apply(session, &operation, NULL, &receipt);
}

static enum outcome member(enum operation_kind kind, const char *group, const char *attribute, const char *value,
                           const char *placeholder)
{
    struct operation operation = { .kind = kind,
                                   .group = true,
                                   .locator = TEXT(group),
                                   .attribute = TEXT(attribute),
                                   .value = TEXT(value),
                                   .placeholder = TEXT(placeholder) };

    return ops->apply(session, &operation, NULL, &receipt);
}

static enum outcome read_by(const char *key, const char *locator, const char *const *match, struct account *account)
{
    struct account_query query = { .key = key, .locator = locator, .match = match, .names = names };

    return ops->read(session, &query, account, &receipt);
}

/* ---- set-up ---- */

static int begin(void **state)
{
    (void)state;
    cleanup_free char *text =
        str_printf("uri = \"%s\"; bind_dn = \"" SLAPD_AGENT "\"; password = \"env:PROVOST_TEST_SECRET\";", slapd.uri);

    settings = settings_make(ops, text);
    assert_int_equal(ops->share(settings, &shared, NULL), 0);
    if (ops->open(settings, shared, &session, &receipt) != OUTCOME_APPLIED)
        print_message("# open: %s\n", receipt.reason);
    return session != NULL ? 0 : -1;
}

static int end(void **state)
{
    static const char *const left[] = {
        ANN, BOB, "uid=anna," SLAPD_PEOPLE, "uid=ann," SLAPD_FORMER, STAFF, "cn=crew," SLAPD_GROUPS, NULL
    };

    (void)state;
    for (size_t i = 0; left[i] != NULL; i++)
        slapd_remove(&slapd, left[i]);
    ops->close(session);
    ops->unshare(shared);
    settings_free(ops, settings);
    receipt_clear(&receipt);
    session = NULL;
    shared = NULL;
    settings = NULL;
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
    slapd_start(&slapd, "--nosync --ppolicy");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slapd_stop(&slapd);
    return 0;
}

/* ---- create ---- */

static void a_created_account_has_its_values_and_tells_its_entry_uuid(void **state)
{
    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    cleanup_free char *uuid = slapd_value(&slapd, ANN, "entryUUID");
    assert_string_equal(key, uuid);
    assert_true(slapd_has_value(&slapd, ANN, "sn", "Lee"));
}

static void a_missing_parent_is_rejected_and_named(void **state)
{
    (void)state;
    assert_outcome(create("uid=ann,ou=nowhere," SLAPD_SUFFIX, person("ann", "00u1"), NULL), REJECTED);
    assert_says("parent \"ou=nowhere," SLAPD_SUFFIX "\" does not exist");
    assert_says("what exists is \"" SLAPD_SUFFIX "\"");
}

static void an_occupied_dn_is_tried_again_and_left_as_it_is(void **state)
{
    (void)state;
    slapd_add(&slapd, ANN, "objectClass: inetOrgPerson\nuid: ann\ncn: Somebody Else\nsn: Else");
    assert_outcome(create(ANN, person("ann", "00u1"), NULL), RETRY);
    assert_says("matches none of `match`");
    assert_int_equal(receipt.remote_code, 68);
    assert_true(slapd_has_value(&slapd, ANN, "cn", "Somebody Else"));
}

static void a_schema_violation_is_rejected_with_the_directory_s_own_reason(void **state)
{
    (void)state;
    assert_outcome(create(ANN, json_pack("{s:[s],s:s,s:s}", "objectClass", "inetOrgPerson", "uid", "ann", "cn", "Ann"), NULL),
                   REJECTED);
    assert_int_equal(receipt.remote_code, 65);
    assert_says("requires attribute 'sn'");
    assert_outcome(
        create(ANN,
               json_pack("{s:[s],s:s,s:s,s:s}", "objectClass", "inetOrgPerson", "cn", "Ann", "sn", "Lee", "noSuchThing", "x"),
               NULL),
        REJECTED);
    assert_says("noSuchThing");
}

static void empty_lists_are_absent_attributes(void **state)
{
    json_t *values = person("ann", "00u1");

    (void)state;
    json_object_set_new(values, "mobile", json_array());
    assert_outcome(create(ANN, values, NULL), APPLIED);
    assert_null(slapd_value(&slapd, ANN, "mobile"));
}

static void a_password_is_set_and_never_told(void **state)
{
    json_t *values = person("ann", "00u1");

    (void)state;
    json_object_set_new(values, "userPassword", json_string("first-day-9"));
    assert_outcome(create(ANN, json_incref(values), NULL), APPLIED);
    assert_int_equal(slapd_login(&slapd, ANN, "first-day-9"), LDAP_SUCCESS);
    json_object_set_new(values, "sn", json_string("Other"));
    assert_outcome(create(ANN, values, NULL), RETRY);
    assert_null(strstr(receipt.reason, "first-day-9"));
}

/* ---- update ---- */

static void an_update_writes_only_what_differs(void **state)
{
    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    cleanup_free char *before = slapd_value(&slapd, ANN, "entryCSN");
    assert_outcome(replace(ANN, "sn", "Lee"), UNCHANGED);
    cleanup_free char *same = slapd_value(&slapd, ANN, "entryCSN");
    assert_string_equal(before, same); /* nothing was written */
    assert_outcome(replace(ANN, "sn", "Li"), APPLIED);
    assert_true(slapd_has_value(&slapd, ANN, "sn", "Li"));
    assert_false(slapd_has_value(&slapd, ANN, "sn", "Lee"));
}

static void values_are_added_and_deleted_one_by_one(void **state)
{
    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    assert_outcome(change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_ADD, "mail", json_pack("[s,s]", "a@x", "b@x")), APPLIED);
    assert_outcome(change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_ADD, "mail", json_pack("[s,s]", "b@x", "c@x")), APPLIED);
    assert_outcome(change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_ADD, "mail", json_pack("[s]", "C@X")),
                   UNCHANGED); /* the server's matching */
    assert_outcome(change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_DELETE, "mail", json_pack("[s,s]", "a@x", "z@x")), APPLIED);
    assert_outcome(change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_DELETE, "mail", json_pack("[s]", "a@x")), UNCHANGED);
    assert_false(slapd_has_value(&slapd, ANN, "mail", "a@x"));
    assert_true(slapd_has_value(&slapd, ANN, "mail", "c@x"));
    assert_outcome(change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_DELETE, "mail", NULL), APPLIED);
    assert_outcome(change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_DELETE, "mail", NULL), UNCHANGED);
    assert_null(slapd_value(&slapd, ANN, "mail"));
}

static void a_letter_s_case_is_a_difference_that_is_written(void **state)
{
    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    assert_outcome(replace(ANN, "sn", "LEE"), APPLIED);
    assert_outcome(replace(ANN, "sn", "LEE"), UNCHANGED);
    assert_true(slapd_has_value(&slapd, ANN, "sn", "LEE"));
}

static void a_wrong_syntax_is_rejected_with_the_attribute_s_name(void **state)
{
    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    assert_outcome(replace(ANN, "manager", "not a dn"), REJECTED);
    assert_int_equal(receipt.remote_code, 21);
    assert_says("manager");
}

static void another_entry_that_took_the_dn_is_not_touched(void **state)
{
    static const char other[] = "00000000-0000-4000-8000-000000000000";

    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    assert_outcome(change(OPERATION_UPDATE, other, ANN, NULL, CHANGE_REPLACE, "sn", json_pack("[s]", "X")), GONE);
    assert_outcome(remove_entry(other, ANN), GONE);
    assert_outcome(move_to(OPERATION_RENAME, other, ANN, "uid=anna," SLAPD_PEOPLE), GONE);
    assert_true(slapd_has_value(&slapd, ANN, "sn", "Lee"));
}

/* ---- rename, disable, enable ---- */

static void a_rename_changes_the_naming_value_and_keeps_the_key(void **state)
{
    struct account account = { 0 };

    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    assert_outcome(move_to(OPERATION_RENAME, key, ANN, "uid=anna," SLAPD_PEOPLE), APPLIED);
    assert_false(slapd_has_entry(&slapd, ANN));
    assert_false(slapd_has_value(&slapd, "uid=anna," SLAPD_PEOPLE, "uid", "ann"));
    assert_outcome(read_by(key, NULL, NULL, &account), APPLIED);
    assert_string_equal(account.locator, "uid=anna," SLAPD_PEOPLE);
    account_clear(&account);
}

static void a_rename_applied_twice_is_unchanged(void **state)
{
    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            change(OPERATION_RENAME, key, ANN, "uid=anna," SLAPD_PEOPLE, CHANGE_REPLACE, "sn", json_pack("[s]", "Lee-Ito")),
            i == 0 ? OUTCOME_APPLIED : OUTCOME_UNCHANGED);
    assert_true(slapd_has_value(&slapd, "uid=anna," SLAPD_PEOPLE, "sn", "Lee-Ito"));
}

static void a_rename_cut_short_is_finished_by_the_next_try(void **state)
{
    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    assert_outcome(move_to(OPERATION_RENAME, key, ANN, "uid=anna," SLAPD_PEOPLE), APPLIED); /* and killed before the changes */
    assert_outcome(change(OPERATION_RENAME, key, ANN, "uid=anna," SLAPD_PEOPLE, CHANGE_REPLACE, "sn", json_pack("[s]", "Ito")),
                   APPLIED);
    assert_true(slapd_has_value(&slapd, "uid=anna," SLAPD_PEOPLE, "sn", "Ito"));
}

static void a_rename_to_another_ou_and_only_in_case(void **state)
{
    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    assert_outcome(move_to(OPERATION_RENAME, key, ANN, "uid=ann," SLAPD_FORMER), APPLIED);
    assert_true(slapd_has_entry(&slapd, "uid=ann," SLAPD_FORMER));
    assert_outcome(move_to(OPERATION_RENAME, key, "uid=ann," SLAPD_FORMER, "uid=Ann," SLAPD_FORMER), APPLIED);
    assert_true(slapd_has_value(&slapd, "uid=ann," SLAPD_FORMER, "uid", "Ann"));
}

static void a_rename_onto_another_entry_is_tried_again(void **state)
{
    (void)state;
    cleanup_free char *ann = make_person(ANN, "ann", "00u1");
    free(make_person(BOB, "bob", "00u2"));
    assert_outcome(move_to(OPERATION_RENAME, ann, ANN, BOB), RETRY);
    assert_says("another entry stands at \"" BOB "\"");
    assert_true(slapd_has_entry(&slapd, ANN));
}

static void a_rename_into_a_missing_ou_is_rejected_and_named(void **state)
{
    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    assert_outcome(move_to(OPERATION_RENAME, key, ANN, "uid=ann,ou=nowhere," SLAPD_SUFFIX), REJECTED);
    assert_says("\"ou=nowhere," SLAPD_SUFFIX "\", does not exist");
}

static void a_rename_of_what_is_not_there_is_gone(void **state)
{
    (void)state;
    assert_outcome(move_to(OPERATION_RENAME, NULL, ANN, "uid=anna," SLAPD_PEOPLE), GONE);
}

static void a_disable_sets_attributes_and_moves_and_an_enable_takes_it_back(void **state)
{
    static const char former[] = "uid=ann," SLAPD_FORMER;

    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    for (int i = 0; i < 2; i++)
        assert_int_equal(change(OPERATION_DISABLE, key, ANN, former, CHANGE_REPLACE, "description", json_pack("[s]", "disabled")),
                         i == 0 ? OUTCOME_APPLIED : OUTCOME_UNCHANGED);
    assert_true(slapd_has_value(&slapd, former, "description", "disabled"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(change(OPERATION_ENABLE, key, former, ANN, CHANGE_DELETE, "description", NULL),
                         i == 0 ? OUTCOME_APPLIED : OUTCOME_UNCHANGED);
    assert_true(slapd_has_entry(&slapd, ANN));
    assert_null(slapd_value(&slapd, ANN, "description"));
}

static void a_disable_whose_move_fails_has_locked_the_account_all_the_same(void **state)
{
    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    assert_outcome(change(OPERATION_DISABLE, key, ANN, "uid=ann,ou=nowhere," SLAPD_SUFFIX, CHANGE_REPLACE, "description",
                          json_pack("[s]", "locked")),
                   REJECTED);
    assert_true(slapd_has_value(&slapd, ANN, "description", "locked"));
}

static void a_ppolicy_lock_shuts_the_account_and_its_removal_opens_it(void **state)
{
    json_t *values = person("ann", "00u1");

    (void)state;
    json_object_set_new(values, "userPassword", json_string("pass-1"));
    assert_outcome(create(ANN, values, NULL), APPLIED);
    assert_int_equal(slapd_login(&slapd, ANN, "pass-1"), LDAP_SUCCESS);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            change(OPERATION_DISABLE, NULL, ANN, NULL, CHANGE_REPLACE, "pwdAccountLockedTime", json_pack("[s]", "000001010000Z")),
            i == 0 ? OUTCOME_APPLIED : OUTCOME_UNCHANGED);
    assert_int_equal(slapd_login(&slapd, ANN, "pass-1"), LDAP_INVALID_CREDENTIALS);
    assert_outcome(change(OPERATION_ENABLE, NULL, ANN, NULL, CHANGE_DELETE, "pwdAccountLockedTime", NULL), APPLIED);
    assert_int_equal(slapd_login(&slapd, ANN, "pass-1"), LDAP_SUCCESS);
}

/* ---- read ---- */

static void an_existing_account_is_found_by_the_first_match_that_has_one(void **state)
{
    static const char *const match[] = { "(employeeNumber=00u1)", "(mail=ann@example.com)", "(sn=nobody)", NULL };
    struct account account = { 0 };

    (void)state;
    slapd_add(&slapd, BOB, "objectClass: inetOrgPerson\nuid: bob\ncn: Bob|Robert\nsn: Lee\nmail: ann@example.com");
    assert_outcome(read_by(NULL, ANN, match, &account), APPLIED);
    assert_string_equal(account.locator, BOB);
    assert_int_equal(account.disabled, -1);
    assert_int_equal(json_array_size(json_object_get(account.values, "cn")), 2);
    assert_null(json_object_get(account.values, "entryUUID")); /* only what was asked for */
    account_clear(&account);
}

static void of_two_accounts_the_earlier_match_chooses(void **state)
{
    static const char *const match[] = { "(employeeNumber=00u2)", "(employeeNumber=00u1)", NULL };
    struct account account = { 0 };

    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    free(make_person(BOB, "bob", "00u2"));
    assert_outcome(read_by(NULL, ANN, match, &account), APPLIED);
    assert_string_equal(account.locator, BOB);
    account_clear(&account);
}

static void a_later_match_that_finds_many_does_not_outdo_an_earlier_one(void **state)
{
    static const char *const match[] = { "(employeeNumber=00u1)", "(sn=Lee)", NULL };
    static const char *const other_way[] = { "(sn=Lee)", "(employeeNumber=00u1)", NULL };
    struct account account = { 0 };

    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    free(make_person(BOB, "bob", "00u2"));
    assert_outcome(read_by(NULL, ANN, match, &account), APPLIED);
    assert_string_equal(account.locator, ANN);
    account_clear(&account);
    assert_outcome(read_by(NULL, ANN, other_way, &account), AMBIGUOUS);
    assert_says("matches (sn=Lee)"); /* which of them it was */
}

static void a_broken_later_match_is_told_only_when_it_is_needed(void **state)
{
    static const char *const broken[] = { "(employeeNumber=00u1)", "(mail=ann", NULL };
    static const char *const two_in_one[] = { "(employeeNumber=00u1)", "(mail=ann)(sn=Lee)", NULL };
    struct account account = { 0 };

    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u9");
    assert_outcome(read_by(NULL, ANN, broken, &account), REJECTED);
    assert_says("(mail=ann");
    assert_outcome(read_by(NULL, ANN, two_in_one, &account), REJECTED);
    free(make_person(BOB, "bob", "00u1"));
    assert_outcome(read_by(NULL, ANN, broken, &account), APPLIED);
    assert_string_equal(account.locator, BOB);
    account_clear(&account);
}

static void two_hits_are_ambiguous_and_both_are_named(void **state)
{
    static const char *const match[] = { "(sn=Lee)", NULL };
    struct account account = { 0 };

    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    free(make_person(BOB, "bob", "00u2"));
    assert_outcome(read_by(NULL, ANN, match, &account), AMBIGUOUS);
    assert_says(ANN);
    assert_says(BOB);
    assert_null(account.key);
}

static void with_match_an_entry_at_the_dn_is_not_taken_for_the_account(void **state)
{
    static const char *const match[] = { "(employeeNumber=00u1)", NULL };
    struct account account = { 0 };

    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u9");
    assert_outcome(read_by(NULL, ANN, match, &account), GONE);
    assert_outcome(read_by(NULL, ANN, NULL, &account), APPLIED);
    assert_string_equal(account.key, key);
    account_clear(&account);
}

static void a_binary_value_goes_there_and_back(void **state)
{
    struct account account = { 0 };

    (void)state;
    cleanup_free char *key = make_person(ANN, "ann", "00u1");
    assert_outcome(
        change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_REPLACE, "jpegPhoto", json_pack("[{s:s}]", "base64", "/9j/4AAQSkZJRgD/")),
        APPLIED);
    assert_outcome(read_by(key, NULL, NULL, &account), APPLIED);
    const json_t *photo = json_array_get(json_object_get(account.values, "jpegPhoto"), 0);
    assert_string_equal(json_string_value(json_object_get(photo, "base64")), "/9j/4AAQSkZJRgD/");
    account_clear(&account);
    assert_outcome(
        change(OPERATION_UPDATE, key, ANN, NULL, CHANGE_REPLACE, "jpegPhoto", json_pack("[{s:s}]", "base64", "/9j/4AAQSkZJRgD/")),
        UNCHANGED);
}

static void an_attribute_asked_for_by_its_long_name_is_found(void **state)
{
    static const char *const long_names[] = { "commonName", "SURNAME", NULL };
    struct account_query query = { .locator = ANN, .names = long_names };
    struct account account = { 0 };

    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    assert_outcome(ops->read(session, &query, &account, &receipt), APPLIED);
    assert_string_equal(json_string_value(json_array_get(json_object_get(account.values, "commonName"), 0)), "ann");
    assert_string_equal(json_string_value(json_array_get(json_object_get(account.values, "SURNAME"), 0)), "Lee");
    account_clear(&account);
}

static void a_broken_filter_is_rejected_and_shown(void **state)
{
    static const char *const match[] = { "(employeeNumber=00u1", NULL };
    struct account account = { 0 };

    (void)state;
    assert_outcome(read_by(NULL, ANN, match, &account), REJECTED);
    assert_says("(employeeNumber=00u1");
}

static void a_key_cannot_break_out_of_its_filter(void **state)
{
    struct account account = { 0 };

    (void)state;
    free(make_person(ANN, "ann", "00u1"));
    assert_outcome(read_by("*", NULL, NULL, &account), GONE);
    assert_outcome(read_by("x)(uid=*", NULL, NULL, &account), GONE);
}

static void a_dn_with_attack_text_in_it_stays_one_entry_in_its_place(void **state)
{
    static const char dn[] = "uid=x\\2Cou\\3Dadmins\\2B\\22\\5C\\3B," SLAPD_PEOPLE; /* as the planner escapes x,ou=admins+"\; */
    struct account account = { 0 };

    (void)state;
    assert_outcome(create(dn, person("x,ou=admins+\"\\;", "00u1"), &account), APPLIED);
    assert_int_equal(slapd_count(&slapd, SLAPD_PEOPLE, "(employeeNumber=00u1)"), 1);
    assert_outcome(move_to(OPERATION_RENAME, account.key, dn, "uid=\\#\\3C\\3E\\20," SLAPD_PEOPLE), APPLIED);
    assert_outcome(remove_entry(account.key, "uid=\\#\\3C\\3E\\20," SLAPD_PEOPLE), APPLIED);
    account_clear(&account);
}

static void what_is_no_dn_is_rejected(void **state)
{
    (void)state;
    assert_outcome(create("uid=a,,b", person("a", "1"), NULL), REJECTED);
    assert_outcome(replace("nonsense", "sn", "x"), REJECTED);
    assert_outcome(move_to(OPERATION_RENAME, NULL, "nonsense", ANN), REJECTED);
}

static int count_one(const struct account *account, void *arg)
{
    int *count = arg;

    assert_non_null(account->key);
    return ++*count == 600 ? -1 : 0;
}

static void a_listing_goes_through_all_pages_and_ends_when_told(void **state)
{
    static const char *const match[] = { "(objectClass=device)", NULL };
    struct account_query query = { .locator = SLAPD_PEOPLE, .match = match, .names = names };
    int count = 0;

    (void)state;
    for (int i = 0; i < 620; i++) {
        cleanup_free char *dn = str_printf("cn=d%d," SLAPD_FORMER, i);
        slapd_add(&slapd, dn, "objectClass: device");
    }
    assert_outcome(ops->list(session, &query, count_one, &count, &receipt), APPLIED);
    assert_int_equal(count, 600);
    count = 1000;
    assert_outcome(ops->list(session, &query, count_one, &count, &receipt), APPLIED);
    assert_int_equal(count, 1621); /* 620, and the policy entry */
}

/* ---- remove ---- */

static void a_removal_of_an_entry_with_others_below_is_rejected(void **state)
{
    (void)state;
    assert_outcome(remove_entry(NULL, SLAPD_FORMER), REJECTED);
    assert_int_equal(receipt.remote_code, 66);
}

/* ---- groups ---- */

static void members_of_a_group_of_names_come_and_go_one_by_one(void **state)
{
    (void)state;
    slapd_add(&slapd, STAFF, "objectClass: groupOfNames\ncn: staff\nmember: " NOBODY);
    assert_outcome(member(OPERATION_MEMBER_ADD, STAFF, "member", ANN, NULL), APPLIED);
    assert_outcome(member(OPERATION_MEMBER_ADD, STAFF, "member", ANN, NULL), UNCHANGED);
    assert_outcome(member(OPERATION_MEMBER_ADD, STAFF, "member", BOB, NULL), APPLIED);
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "member", ANN, NULL), APPLIED);
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "member", ANN, NULL), UNCHANGED);
    assert_true(slapd_has_value(&slapd, STAFF, "member", BOB));
}

static void the_last_member_leaves_the_placeholder_behind(void **state)
{
    (void)state;
    slapd_add(&slapd, STAFF, "objectClass: groupOfNames\ncn: staff\nmember: " ANN);
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "member", ANN, NOBODY), APPLIED);
    assert_true(slapd_has_value(&slapd, STAFF, "member", NOBODY));
    assert_false(slapd_has_value(&slapd, STAFF, "member", ANN));
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "member", ANN, NOBODY), UNCHANGED);
}

static void the_last_member_without_a_placeholder_is_rejected_as_such_with_code_65(void **state)
{
    (void)state;
    slapd_add(&slapd, STAFF, "objectClass: groupOfNames\ncn: staff\nmember: " ANN);
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "member", ANN, NULL), REJECTED);
    assert_int_equal(receipt.remote_code, 65);
    assert_true(receipt.last_member);
    assert_true(slapd_has_value(&slapd, STAFF, "member", ANN));
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "noSuchThing", ANN, NULL), REJECTED);
    assert_false(receipt.last_member);
}

static void a_posix_group_takes_names_and_may_be_empty(void **state)
{
    (void)state;
    assert_outcome(
        create(STAFF, json_pack("{s:[s],s:s,s:i}", "objectClass", "posixGroup", "cn", "staff", "gidNumber", 5001), NULL),
        APPLIED);
    assert_outcome(member(OPERATION_MEMBER_ADD, STAFF, "memberUid", "ann", NULL), APPLIED);
    assert_outcome(member(OPERATION_MEMBER_ADD, STAFF, "memberUid", "ann", NULL), UNCHANGED);
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "memberUid", "ann", NULL), APPLIED);
    assert_outcome(move_to(OPERATION_RENAME, NULL, STAFF, "cn=crew," SLAPD_GROUPS), APPLIED);
    assert_outcome(remove_entry(NULL, "cn=crew," SLAPD_GROUPS), APPLIED);
}

static void a_member_of_a_group_that_is_not_there_is_gone(void **state)
{
    (void)state;
    assert_outcome(member(OPERATION_MEMBER_ADD, STAFF, "member", ANN, NULL), GONE);
    assert_outcome(member(OPERATION_MEMBER_REMOVE, STAFF, "member", ANN, NULL), GONE);
}

static void the_groups_that_hold_a_member_are_told_with_their_keys(void **state)
{
    json_t *groups = NULL;

    (void)state;
    slapd_add(&slapd, STAFF, "objectClass: groupOfNames\ncn: staff\nmember: " ANN);
    slapd_add(&slapd, "cn=crew," SLAPD_GROUPS, "objectClass: groupOfNames\ncn: crew\nmember: " BOB "|" ANN);
    assert_outcome(ops->read_groups(session, &(struct group_query){ .attribute = "member", .value = ANN }, &groups, &receipt), APPLIED);
    assert_int_equal(json_array_size(groups), 2);
    cleanup_free char *uuid = slapd_value(&slapd, STAFF, "entryUUID");
    assert_string_equal(json_string_value(json_object_get(json_array_get(groups, 0), "key")), uuid);
    assert_string_equal(json_string_value(json_object_get(json_array_get(groups, 0), "locator")), STAFF);
    json_decref(groups);
    groups = NULL;
    assert_outcome(ops->read_groups(session, &(struct group_query){ .attribute = "member", .value = "x)(cn=*" }, &groups, &receipt), APPLIED);
    assert_int_equal(json_array_size(groups), 0);
    json_decref(groups);
}

static void what_lies_in_no_database_is_tried_again_as_unwilling_servers_do_not_tell_more(void **state)
{
    (void)state;
    assert_outcome(create("cn=outside", person("x", "1"), NULL), RETRY);
    assert_int_equal(receipt.refusal, REFUSAL_UNSURE);
    assert_int_equal(receipt.remote_code, 53);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_created_account_has_its_values_and_tells_its_entry_uuid),
        TEST(a_missing_parent_is_rejected_and_named),
        TEST(an_occupied_dn_is_tried_again_and_left_as_it_is),
        TEST(a_schema_violation_is_rejected_with_the_directory_s_own_reason),
        TEST(empty_lists_are_absent_attributes),
        TEST(a_password_is_set_and_never_told),
        TEST(an_update_writes_only_what_differs),
        TEST(values_are_added_and_deleted_one_by_one),
        TEST(a_letter_s_case_is_a_difference_that_is_written),
        TEST(a_wrong_syntax_is_rejected_with_the_attribute_s_name),
        TEST(another_entry_that_took_the_dn_is_not_touched),
        TEST(a_rename_changes_the_naming_value_and_keeps_the_key),
        TEST(a_rename_applied_twice_is_unchanged),
        TEST(a_rename_cut_short_is_finished_by_the_next_try),
        TEST(a_rename_to_another_ou_and_only_in_case),
        TEST(a_rename_onto_another_entry_is_tried_again),
        TEST(a_rename_into_a_missing_ou_is_rejected_and_named),
        TEST(a_rename_of_what_is_not_there_is_gone),
        TEST(a_disable_sets_attributes_and_moves_and_an_enable_takes_it_back),
        TEST(a_disable_whose_move_fails_has_locked_the_account_all_the_same),
        TEST(a_ppolicy_lock_shuts_the_account_and_its_removal_opens_it),
        TEST(an_existing_account_is_found_by_the_first_match_that_has_one),
        TEST(of_two_accounts_the_earlier_match_chooses),
        TEST(a_later_match_that_finds_many_does_not_outdo_an_earlier_one),
        TEST(a_broken_later_match_is_told_only_when_it_is_needed),
        TEST(two_hits_are_ambiguous_and_both_are_named),
        TEST(with_match_an_entry_at_the_dn_is_not_taken_for_the_account),
        TEST(a_binary_value_goes_there_and_back),
        TEST(an_attribute_asked_for_by_its_long_name_is_found),
        TEST(a_broken_filter_is_rejected_and_shown),
        TEST(a_key_cannot_break_out_of_its_filter),
        TEST(a_dn_with_attack_text_in_it_stays_one_entry_in_its_place),
        TEST(what_is_no_dn_is_rejected),
        TEST(a_listing_goes_through_all_pages_and_ends_when_told),
        TEST(a_removal_of_an_entry_with_others_below_is_rejected),
        TEST(members_of_a_group_of_names_come_and_go_one_by_one),
        TEST(the_last_member_leaves_the_placeholder_behind),
        TEST(the_last_member_without_a_placeholder_is_rejected_as_such_with_code_65),
        TEST(a_posix_group_takes_names_and_may_be_empty),
        TEST(a_member_of_a_group_that_is_not_there_is_gone),
        TEST(the_groups_that_hold_a_member_are_told_with_their_keys),
        TEST(what_lies_in_no_database_is_tried_again_as_unwilling_servers_do_not_tell_more),
    };
    return slapd_skip() ? 0 : cmocka_run_group_tests_name("ldap connector", tests, start, stop);
}
