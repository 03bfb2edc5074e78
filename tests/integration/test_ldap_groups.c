/* The groups of a member in a directory with more than one naming context: what cannot be searched hides nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/support/canned_directory.h"
#include "tests/support/ldap_target.h"

#define ANN "uid=ann," SLAPD_PEOPLE
#define STAFF "cn=staff," SLAPD_GROUPS
#define OTHER "o=other"
#define OTHER_GROUPS "ou=groups," OTHER
#define OTHER_STAFF "cn=staff," OTHER_GROUPS
#define KEYLESS "cn=keyless," SLAPD_GROUPS

/* cn=accesslog (first, and not for the agent), the suffix, o=empty, o=other, dc=proxied (its server is away), and a referral */
static struct slapd slapd;
/* the suffix, whose own entry may not be read, and dc=silent, a proxy of a server that never answers */
static struct slapd silent;
static struct canned_directory mute;

static int begin(void **state)
{
    (void)state;
    target_start("uri = \"%s\"; operation_timeout = \"2 s\"; ", slapd.uri);
    target_open_most(1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    target_stop();
    return 0;
}

static void reopen(const char *more, const char *uri)
{
    target_stop();
    target_start("%s uri = \"%s\"; operation_timeout = \"1 s\"; ", more, uri);
    target_open_most(1);
}

#define assert_groups(value, base, wanted) assert_groups_at(value, base, wanted, __LINE__)
static void assert_groups_at(const char *value, const char *base, const char *wanted, int line)
{
    cleanup_free char *groups = groups_of(value, base);

    if (groups == NULL || !str_equal(groups, wanted))
        fail_msg("line %d: %s, not %s: %s", line, groups != NULL ? groups : "(none)", wanted,
                 target.receipt.reason != NULL ? target.receipt.reason : "");
}

static void assert_no_groups(const char *value, const char *base)
{
    cleanup_free char *groups = groups_of(value, base);

    assert_null(groups);
}

static void contexts_that_cannot_be_searched_hide_no_group_and_are_named(void **state)
{
    (void)state;
    assert_groups(ANN, SLAPD_GROUPS, STAFF " " OTHER_STAFF);
    assert_false(target.receipt.partial); /* the mapping's groups were all looked at: else it would be so for ever */
    assert_notes("\"cn=accesslog\"");
    assert_notes("\"o=empty\"");
    assert_notes("noSuchObject 32");
    assert_notes("\"dc=proxied\"");
    assert_notes("Proxy can't contact remote server");
    assert_notes("ldap://elsewhere.example.org");
}

static void without_a_base_the_context_of_the_member_is_the_one_that_counts(void **state)
{
    (void)state;
    assert_groups(ANN, NULL, STAFF " " OTHER_STAFF);
    assert_true(target.receipt.partial);
    assert_no_groups("uid=ann,dc=proxied", NULL);
    assert_int_equal(target.receipt.outcome, OUTCOME_RETRY);
    assert_refusal(UNSURE);
    assert_says("dc=proxied");
}

static void a_base_in_another_context_is_searched_first_of_all(void **state)
{
    (void)state;
    assert_groups(ANN, OTHER_GROUPS, STAFF " " OTHER_STAFF);
    assert_false(target.receipt.partial);
    assert_no_groups(ANN, "ou=groups,dc=proxied");
    assert_int_equal(target.receipt.outcome, OUTCOME_RETRY);
    assert_refusal(UNSURE);
}

static void a_base_that_does_not_exist_is_not_in_no_group(void **state)
{
    (void)state;
    assert_no_groups(ANN, "ou=teams," SLAPD_SUFFIX);
    assert_int_equal(target.receipt.outcome, OUTCOME_RETRY);
    assert_refusal(UNSURE);
    assert_says("ou=teams," SLAPD_SUFFIX);
    assert_no_groups(ANN, "ou=groups,o=empty");
    assert_int_equal(target.receipt.outcome, OUTCOME_RETRY);
    assert_refusal(UNSURE);
    assert_says("there is no entry \"o=empty\"");
}

static void one_context_without_data_is_not_the_whole_server_and_nobody_there_is_taken_for_removed(void **state)
{
    (void)state;
    assert_outcome(remove_entry(NULL, "uid=ann,o=empty"), RETRY);
    assert_refusal(UNSURE);
    assert_outcome(read_dn("uid=ann,o=empty"), RETRY);
    assert_outcome(add_person("uid=ann,ou=people,o=empty", "ann"), RETRY);
    assert_refusal(UNSURE);
    assert_outcome(read_dn(STAFF), APPLIED);
}

static void with_base_dn_only_that_and_the_base_are_searched(void **state)
{
    (void)state;
    reopen("base_dn = \"" SLAPD_SUFFIX "\"; ", slapd.uri);
    assert_groups(ANN, SLAPD_GROUPS, STAFF);
    assert_notes("ldap://elsewhere.example.org");
    assert_null(strstr(target.receipt.note, "accesslog"));
    assert_groups(ANN, OTHER_GROUPS, STAFF " " OTHER_STAFF);
    reopen("base_dn = \"" SLAPD_PEOPLE "\"; ", slapd.uri);
    assert_groups(ANN, SLAPD_GROUPS, STAFF);
    assert_false(target.receipt.partial);
    assert_null(target.receipt.note);
}

static void a_base_that_may_be_read_is_enough_where_its_context_may_not_and_that_is_partial(void **state)
{
    (void)state;
    slapd_add(&silent, STAFF, "objectClass: groupOfNames\ncn: staff\nmember: uid=bob," SLAPD_PEOPLE);
    reopen("", silent.uri);
    assert_groups("uid=bob," SLAPD_PEOPLE, SLAPD_GROUPS, STAFF);
    assert_true(target.receipt.partial);
    assert_notes("\"" SLAPD_SUFFIX "\"");
}

static void what_is_left_out_of_the_base_itself_is_partial(void **state)
{
    (void)state;
    assert_groups(ANN, SLAPD_SUFFIX, STAFF " " OTHER_STAFF); /* a referral stands below it */
    assert_true(target.receipt.partial);
    assert_notes("ldap://elsewhere.example.org");
}

static void a_group_without_a_key_is_named_and_the_others_are_found(void **state)
{
    (void)state;
    slapd_add(&slapd, KEYLESS, "objectClass: groupOfNames\ncn: keyless\nmember: " ANN);
    assert_groups(ANN, SLAPD_GROUPS, STAFF " " OTHER_STAFF);
    assert_true(target.receipt.partial);
    assert_notes(KEYLESS);
    assert_notes("entryUUID");
    assert_outcome(read_dn(KEYLESS), RETRY); /* a matter of rights: to this entry, or to all */
    assert_refusal(UNSURE);
    slapd_remove(&slapd, KEYLESS);
}

static void a_size_limit_is_partial_with_the_groups_that_came(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        cleanup_free char *dn = str_printf("cn=g%d," SLAPD_GROUPS, i);
        slapd_add(&silent, dn, "objectClass: groupOfNames\ncn: x\nmember: " ANN);
    }
    reopen("", silent.uri);
    cleanup_free char *groups = groups_of(ANN, SLAPD_GROUPS);
    assert_non_null(groups);
    size_t count = 0;
    for (const char *at = groups; (at = strstr(at, "cn=g")) != NULL; at++)
        count++;
    assert_int_equal(count, 50);
    assert_true(target.receipt.partial);
    assert_notes("sizeLimitExceeded 4");
}

static void a_context_that_does_not_answer_is_let_be_for_a_while(void **state)
{
    (void)state;
    reopen("", silent.uri);
    assert_groups("uid=eva," SLAPD_PEOPLE, SLAPD_GROUPS, "");
    assert_true(target.receipt.partial);
    assert_notes("no answer within");
    int64_t before_us = clock_mono(clock_system()).us;
    assert_groups("uid=eva," SLAPD_PEOPLE, SLAPD_GROUPS, "");
    assert_true(clock_mono(clock_system()).us - before_us < 900000); /* operation_timeout is a second */
    assert_true(target.receipt.partial);
    assert_notes("\"dc=silent\"");
}

static void an_account_is_looked_for_in_the_context_of_its_mapping(void **state)
{
    static const char *const match[] = { "(cn=staff)", NULL }, *const names[] = { "cn", NULL };
    struct account_query query = { .group = true, .base = OTHER_GROUPS, .match = match, .names = names };
    struct account account = { 0 };

    (void)state;
    assert_outcome(target.ops->read(target.session, &query, &account, &target.receipt), APPLIED);
    assert_string_equal(account.locator, OTHER_STAFF);
    account_clear(&account);
}

static int start(void **state)
{
    (void)state;
    target_load();
    slapd_start(&slapd, "--nosync --module accesslog --module back_ldap"
                        " --before 'database mdb' --before 'suffix cn=accesslog' --before 'directory @DIR@/accesslog'"
                        " --before 'rootdn cn=accesslog' --before 'access to * by * none'"
                        " --line 'overlay accesslog' --line 'logdb cn=accesslog' --line 'logops writes'"
                        " --access 'access to dn.exact=\"" KEYLESS "\" attrs=entryUUID by * none'"
                        " --after 'database mdb' --after 'suffix o=empty' --after 'directory @DIR@/empty'"
                        " --after 'access to * by users read'"
                        " --after 'database mdb' --after 'suffix " OTHER "' --after 'directory @DIR@/other'"
                        " --after 'rootdn cn=admin," SLAPD_SUFFIX "' --after 'access to * by dn.exact=\"" SLAPD_AGENT "\" write'"
                        " --after 'database ldap' --after 'suffix dc=proxied' --after 'uri ldap://127.0.0.1:1'");
    slapd_add(&slapd, "ou=elsewhere," SLAPD_SUFFIX,
              "objectClass: referral|extensibleObject\nou: elsewhere\nref: ldap://elsewhere.example.org/ou=elsewhere," SLAPD_SUFFIX);
    slapd_add(&slapd, STAFF, "objectClass: groupOfNames\ncn: staff\nmember: " ANN);
    slapd_add(&slapd, OTHER, "objectClass: organization\no: other");
    slapd_add(&slapd, OTHER_GROUPS, "objectClass: organizationalUnit\nou: groups");
    slapd_add(&slapd, OTHER_STAFF, "objectClass: groupOfNames\ncn: staff\nmember: " ANN);
    canned_start(&mute);
    canned_answer(&mute, &(struct canned){ .request = LDAP_REQ_BIND, .code = CANNED_SILENT });
    canned_answer(&mute, &(struct canned){ .request = LDAP_REQ_SEARCH, .code = CANNED_SILENT });
    cleanup_free char *options = str_printf("--nosync --module back_ldap --limits size=50"
                                            " --access 'access to dn.base=\"" SLAPD_SUFFIX "\" by * none' --after 'database ldap'"
                                            " --after 'suffix dc=silent' --after 'uri %s'", mute.uri);
    slapd_start(&silent, options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    canned_stop(&mute); /* before the proxy, which waits for it */
    slapd_stop(&silent);
    slapd_stop(&slapd);
    return 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(contexts_that_cannot_be_searched_hide_no_group_and_are_named),
        TEST(without_a_base_the_context_of_the_member_is_the_one_that_counts),
        TEST(a_base_in_another_context_is_searched_first_of_all),
        TEST(a_base_that_does_not_exist_is_not_in_no_group),
        TEST(one_context_without_data_is_not_the_whole_server_and_nobody_there_is_taken_for_removed),
        TEST(with_base_dn_only_that_and_the_base_are_searched),
        TEST(a_base_that_may_be_read_is_enough_where_its_context_may_not_and_that_is_partial),
        TEST(what_is_left_out_of_the_base_itself_is_partial),
        TEST(a_group_without_a_key_is_named_and_the_others_are_found),
        TEST(a_size_limit_is_partial_with_the_groups_that_came),
        TEST(a_context_that_does_not_answer_is_let_be_for_a_while),
        TEST(an_account_is_looked_for_in_the_context_of_its_mapping),
    };
    return slapd_skip() ? 0 : cmocka_run_group_tests_name("ldap groups", tests, start, stop);
}
