/* Whose refusal is it? What a directory answers about one record, about the session, or about the whole server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/support/canned_directory.h"
#include "tests/support/ldap_target.h"

#define ANN "uid=ann," SLAPD_PEOPLE
#define BOB "uid=bob," SLAPD_PEOPLE
#define STAFF "cn=staff," SLAPD_GROUPS
#define CLOSED "ou=closed," SLAPD_SUFFIX
#define ELSEWHERE "ou=elsewhere," SLAPD_SUFFIX

static struct slapd slapd;
static struct canned_directory canned;

/* ---- set-up ---- */

static int begin(void **state)
{
    (void)state;
    target_start("uri = \"%s\"; operation_timeout = \"2 s\"; ", slapd.uri);
    return target_open() == OUTCOME_APPLIED ? 0 : -1;
}

static int end(void **state)
{
    static const char *const left[] = { ANN, BOB, STAFF, "uid=ann," CLOSED, "uid=anna," SLAPD_PEOPLE, NULL };

    (void)state;
    target_stop();
    slapd_configure(&slapd, "olcReadOnly", "FALSE");
    for (size_t i = 0; left[i] != NULL; i++)
        slapd_remove(&slapd, left[i]);
    return 0;
}

static int begin_canned(void **state)
{
    (void)state;
    canned_reset(&canned);
    target_start("uri = \"%s\"; operation_timeout = \"2 s\"; ", canned.uri);
    return target_open() == OUTCOME_APPLIED ? 0 : -1;
}

static int end_canned(void **state)
{
    (void)state;
    target_stop();
    return 0;
}

static void make_person(const char *dn, const char *uid)
{
    cleanup_free char *lines = str_printf("objectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: Lee\nmail: %s@example.org", uid, uid, uid);

    slapd_add(&slapd, dn, lines);
}

static char *key_of(const char *dn)
{
    return slapd_value(&slapd, dn, "entryUUID");
}

/* ---- this record's, or the server's: unsure ---- */

static void a_proxied_subtree_whose_server_is_away_is_not_the_whole_server(void **state)
{
    (void)state;
    assert_outcome(add_person("uid=ann,dc=proxied", "ann"), RETRY);
    assert_refusal(UNSURE);
    assert_int_equal(target.receipt.remote_code, LDAP_UNAVAILABLE);
    assert_says("uid=ann,dc=proxied");
    assert_says("Proxy can't contact remote server");
    assert_outcome(read_dn("uid=ann,dc=proxied"), RETRY);
    assert_refusal(UNSURE);
    assert_outcome(add_person(ANN, "ann"), APPLIED);
}

static void a_subtree_that_may_not_be_written_is_unsure_and_the_rest_goes_on(void **state)
{
    (void)state;
    assert_outcome(add_person("uid=ann," CLOSED, "ann"), RETRY);
    assert_refusal(UNSURE);
    assert_int_equal(target.receipt.remote_code, LDAP_INSUFFICIENT_ACCESS);
    make_person("uid=ann," CLOSED, "ann");
    assert_outcome(replace_value(NULL, "uid=ann," CLOSED, "sn", "Li"), RETRY);
    assert_refusal(UNSURE);
    assert_outcome(remove_entry(NULL, "uid=ann," CLOSED), RETRY);
    assert_refusal(UNSURE);
    assert_outcome(add_person(BOB, "bob"), APPLIED);
}

static void codes_of_one_subtree_keep_the_connection(void **state)
{
    static const int codes[] = { 1, 7, 8, 11, 13, 47, 48, 49, 50, 51, 52, 53, 54, 80, 123 };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_DELETE, .dn = ANN, .code = codes[i], .words = "of the proxy" });
        assert_outcome(remove_entry(NULL, ANN), RETRY);
        assert_refusal(UNSURE);
        assert_int_equal(target.receipt.remote_code, codes[i]);
        assert_says("of the proxy");
        assert_true(target.receipt.answered);
    }
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = BOB, .code = LDAP_UNAVAILABLE });
    assert_outcome(read_dn(BOB), RETRY);
    assert_refusal(UNSURE);
    assert_int_equal(canned_connections(&canned), 1);
    assert_int_equal(canned_requests(&canned, LDAP_REQ_BIND), 1);
}

static void a_record_at_which_the_server_hangs_up_is_unsure(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_DELETE, .dn = ANN, .code = CANNED_HANG_UP });
    assert_outcome(remove_entry(NULL, ANN), RETRY);
    assert_refusal(UNSURE);
    assert_says("lost twice");
    assert_says(ANN);
    assert_false(target.receipt.answered);
    assert_outcome(remove_entry(NULL, BOB), APPLIED);
    assert_true(target.receipt.answered);
}

static void an_answer_that_is_too_large_is_its_record_s(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    char *photo = malloc(200001);
    memset(photo, 'x', 200000);
    photo[200000] = '\0';
    slapd_replace(&slapd, ANN, "description", photo);
    free(photo);
    target_stop();
    target_start("uri = \"%s\"; answer_size_max = \"64 KiB\"; ", slapd.uri);
    assert_outcome(target_open(), APPLIED);
    const char *const names[] = { "description", NULL };
    struct account account = { 0 };
    assert_outcome(target.ops->read(target.session, &(struct account_query){ .locator = ANN, .names = names }, &account, &target.receipt),
                   RETRY);
    assert_refusal(UNSURE);
    assert_says(ANN);
    assert_outcome(read_dn(ANN), APPLIED);
}

/* libldap 2.5 loses the memory of the notice itself. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void a_notice_of_disconnection_is_a_lost_connection(void **state)
{
    (void)state;
    if (__lsan_disable != NULL)
        __lsan_disable();
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_DELETE, .dn = ANN, .code = CANNED_DISCONNECT });
    assert_outcome(remove_entry(NULL, ANN), RETRY);
    assert_says("lost twice");
    assert_int_equal(canned_requests(&canned, LDAP_REQ_DELETE), 2); /* once more over a new connection */
    if (__lsan_enable != NULL)
        __lsan_enable();
}

/* ---- what one of several filters meets ---- */

static void a_limit_that_a_later_match_meets_does_not_hide_what_an_earlier_one_finds(void **state)
{
    static const char *const match[] = { "(mail=ann@example.org)", "(description=without an index)", NULL };
    static const char *const names[] = { "sn", NULL };
    struct account_query query = { .locator = BOB, .match = match, .names = names };
    struct account account = { 0 };

    (void)state;
    assert_outcome(target.ops->read(target.session, &query, &account, &target.receipt), RETRY);
    assert_refusal(UNSURE);
    assert_says("adminLimitExceeded 11");
    make_person(ANN, "ann");
    assert_outcome(target.ops->read(target.session, &query, &account, &target.receipt), APPLIED);
    assert_string_equal(account.locator, ANN);
    account_clear(&account);
}

/* ---- surely this record's ---- */

static void bad_data_is_surely_the_record_s(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    assert_outcome(replace_value(NULL, ANN, "manager", "no dn"), REJECTED);
    assert_refusal(SURE);
    assert_outcome(replace_value(NULL, ANN, "noSuchThing", "x"), REJECTED);
    assert_refusal(SURE);
}

static void an_entry_below_a_referral_is_rejected_and_the_rest_goes_on(void **state)
{
    (void)state;
    assert_outcome(add_person("uid=ann," ELSEWHERE, "ann"), REJECTED);
    assert_refusal(SURE);
    assert_says("ldap://elsewhere.example.org");
    assert_outcome(replace_value(NULL, "uid=ann," ELSEWHERE, "sn", "x"), REJECTED);
    assert_says("ldap://elsewhere.example.org");
    assert_outcome(add_person(ANN, "ann"), APPLIED);
}

static void a_value_that_another_entry_has_is_tried_again(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    make_person(BOB, "bob");
    assert_outcome(replace_value(NULL, BOB, "mail", "ann@example.org"), RETRY);
    assert_refusal(SURE);
    assert_int_equal(target.receipt.remote_code, LDAP_CONSTRAINT_VIOLATION);
    assert_says("unique");
    slapd_replace(&slapd, ANN, "mail", "ann.lee@example.org");
    assert_outcome(replace_value(NULL, BOB, "mail", "ann@example.org"), APPLIED);
}

/* ---- the assertion control under slapo-unique ---- */

static void a_unique_value_of_a_linked_account_is_changed(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    cleanup_free char *key = key_of(ANN);
    assert_outcome(replace_value(key, ANN, "mail", "ann.lee@example.org"), APPLIED);
    assert_true(slapd_has_value(&slapd, ANN, "mail", "ann.lee@example.org"));
}

static void a_linked_account_is_renamed_where_its_name_must_be_unique(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    cleanup_free char *key = key_of(ANN);
    assert_outcome(move_entry(key, ANN, "uid=anna," SLAPD_PEOPLE), APPLIED);
    assert_true(slapd_has_entry(&slapd, "uid=anna," SLAPD_PEOPLE));
}

static void a_unique_value_that_is_taken_is_tried_again_for_a_linked_account(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    make_person(BOB, "bob");
    cleanup_free char *key = key_of(BOB);
    assert_outcome(replace_value(key, BOB, "mail", "ann@example.org"), RETRY);
    assert_int_equal(target.receipt.remote_code, LDAP_CONSTRAINT_VIOLATION);
    assert_true(slapd_has_value(&slapd, BOB, "mail", "bob@example.org"));
}

static void another_entry_under_the_dn_is_gone_and_untouched(void **state)
{
    static const char other[] = "00000000-0000-4000-8000-000000000000";

    (void)state;
    make_person(ANN, "ann");
    assert_outcome(remove_entry(other, ANN), GONE);
    assert_outcome(move_entry(other, ANN, "uid=anna," SLAPD_PEOPLE), GONE);
    assert_outcome(replace_value(other, ANN, "mail", "x@example.org"), GONE);
    assert_true(slapd_has_value(&slapd, ANN, "mail", "ann@example.org"));
}

/* A server behind a proxied subtree may not know the control. */
static void a_change_whose_assertion_a_server_does_not_know_is_made_after_a_look_at_the_key(void **state)
{
    static const struct canned unknown = { .request = LDAP_REQ_DELETE, .code = LDAP_UNAVAILABLE_CRITICAL_EXTENSION, .asserted = true };

    (void)state;
    canned_answer(&canned, &unknown);
    assert_outcome(remove_entry("00000000-0000-4000-8000-000000000000", ANN), GONE);
    assert_int_equal(canned_requests(&canned, LDAP_REQ_DELETE), 1);
    assert_outcome(remove_entry(CANNED_KEY, ANN), APPLIED);
    assert_int_equal(canned_requests(&canned, LDAP_REQ_DELETE), 3);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = ANN, .code = LDAP_BUSY, .words = "not now" });
    assert_outcome(remove_entry(CANNED_KEY, ANN), RETRY); /* a key that cannot be looked at is not the right one */
    assert_refusal(UNSURE);
    assert_says("not now");
    assert_int_equal(canned_requests(&canned, LDAP_REQ_DELETE), 4);
}

/* ---- members of Active Directory's groups ---- */

static void a_member_that_is_there_already_is_unchanged_in_active_directory_s_words(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODIFY, .dn = STAFF, .code = LDAP_ALREADY_EXISTS,
                                             .words = "00000562: UpdErr: DSID-031A11DA, problem 6005 (ENTRY_EXISTS), data 0" });
    assert_outcome(change_member(OPERATION_MEMBER_ADD, CANNED_KEY, STAFF, ANN), UNCHANGED);
    assert_refusal(SURE);
    assert_true(target.receipt.answered);
}

static void a_member_that_is_not_there_is_out_in_active_directory_s_words(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODIFY, .dn = STAFF, .code = LDAP_UNWILLING_TO_PERFORM,
                                             .words = "00000561: SvcErr: DSID-031A11E5, problem 5003 (WILL_NOT_PERFORM), data 0" });
    assert_outcome(change_member(OPERATION_MEMBER_REMOVE, CANNED_KEY, STAFF, ANN), UNCHANGED);
    assert_refusal(SURE);
    assert_true(target.receipt.answered);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODIFY, .dn = STAFF, .code = LDAP_UNWILLING_TO_PERFORM,
                                             .words = "0000055E: SvcErr: DSID-031A0FB6, problem 5003 (WILL_NOT_PERFORM), data 0" });
    assert_outcome(change_member(OPERATION_MEMBER_REMOVE, CANNED_KEY, STAFF, ANN), RETRY); /* his primary group */
    assert_refusal(UNSURE);
}

/* The value of an account that was renamed: the directory has renamed it in the group, too. */
static void a_member_whose_entry_is_not_known_is_out_of_a_group_that_is_there(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODIFY, .dn = STAFF, .code = LDAP_NO_SUCH_OBJECT,
                                             .matched = SLAPD_PEOPLE,
                                             .words = "0000208D: NameErr: DSID-03100213, problem 2001 (NO_OBJECT), data 0" });
    assert_outcome(change_member(OPERATION_MEMBER_REMOVE, CANNED_KEY, STAFF, ANN), UNCHANGED);
    assert_outcome(change_member(OPERATION_MEMBER_ADD, CANNED_KEY, STAFF, ANN), GONE);
    assert_outcome(change_member(OPERATION_MEMBER_REMOVE, "00000000-0000-4000-8000-000000000000", STAFF, ANN), GONE);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = STAFF, .code = LDAP_NO_SUCH_OBJECT,
                                             .matched = SLAPD_GROUPS });
    assert_outcome(change_member(OPERATION_MEMBER_REMOVE, CANNED_KEY, STAFF, ANN), GONE);
}

/* ---- the server's own words ---- */

#define WORDS "00002071: UpdErr: DSID-0305038D, problem 6005 (ENTRY_EXISTS), data 0"

static void the_server_s_own_words_stand_in_every_refusal_of_a_creation(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_ADD, .code = LDAP_ALREADY_EXISTS, .words = WORDS });
    assert_outcome(add_person(ANN, "ann"), RETRY);
    assert_says("matches none of `match`");
    assert_says(WORDS);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = ANN, .code = LDAP_NO_SUCH_OBJECT,
                                             .matched = SLAPD_PEOPLE });
    assert_outcome(add_person(ANN, "ann"), RETRY); /* as Active Directory says of a sAMAccountName that is taken */
    assert_says("another entry has one of its values");
    assert_says(WORDS);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_ADD, .code = LDAP_NO_SUCH_OBJECT, .matched = SLAPD_SUFFIX,
                                             .words = WORDS });
    assert_outcome(add_person(ANN, "ann"), REJECTED);
    assert_says("its parent \"" SLAPD_PEOPLE "\" does not exist");
    assert_says(WORDS);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_ADD, .code = LDAP_SUCCESS });
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = ANN, .code = LDAP_INSUFFICIENT_ACCESS, .words = WORDS });
    assert_outcome(add_person(ANN, "ann"), RETRY);
    assert_refusal(UNSURE);
    assert_says("was created, but its key cannot be read");
    assert_says(WORDS);
}

static void the_server_s_own_words_stand_in_every_refusal_of_a_move(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODRDN, .code = LDAP_ALREADY_EXISTS, .words = WORDS });
    assert_outcome(move_entry(NULL, ANN, BOB), RETRY);
    assert_says("another entry stands at \"" BOB "\"");
    assert_says(WORDS);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODRDN, .code = LDAP_NO_SUCH_OBJECT, .matched = SLAPD_SUFFIX,
                                             .words = WORDS });
    assert_outcome(move_entry(NULL, ANN, BOB), REJECTED);
    assert_says("the place it shall go to");
    assert_says(WORDS);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODRDN, .code = LDAP_AFFECTS_MULTIPLE_DSAS, .words = WORDS });
    assert_outcome(move_entry(NULL, ANN, BOB), REJECTED);
    assert_says(WORDS);
}

static void the_server_s_own_words_stand_in_refusals_of_members_and_of_the_log_in(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_MODIFY, .code = LDAP_OTHER, .words = WORDS });
    assert_outcome(change_member(OPERATION_MEMBER_ADD, NULL, STAFF, ANN), RETRY);
    assert_says(WORDS);
    assert_outcome(change_member(OPERATION_MEMBER_REMOVE, NULL, STAFF, ANN), RETRY);
    assert_says(WORDS);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_BIND, .code = LDAP_REFERRAL, .words = WORDS, .referral = "ldap://b" });
    assert_outcome(target_open(), TARGET_DOWN);
    assert_refusal(SURE);
    assert_says(WORDS);
    assert_says("ldap://b");
}

/* ---- surely the server's ---- */

static void a_read_only_database_takes_the_target_down_for_all_sessions_at_once(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    assert_outcome(target_open(), APPLIED);
    slapd_configure(&slapd, "olcReadOnly", "TRUE");
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), TARGET_DOWN);
    assert_refusal(SERVER);
    assert_int_equal(target.receipt.remote_code, LDAP_UNWILLING_TO_PERFORM);
    assert_says("takes no changes");
    assert_says("operation restricted");
    target_use(0);
    assert_outcome(read_dn(ANN), TARGET_DOWN); /* not asked */
    assert_refusal(SERVER);
    assert_says("operation restricted");
    assert_says("other servers are preferred for another");
    assert_outcome(target_open(), APPLIED); /* the agent decides when a new session tries it again */
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), TARGET_DOWN);
    assert_refusal(SERVER);
}

static void a_new_session_finds_a_database_that_is_writable_again_at_once(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    slapd_configure(&slapd, "olcReadOnly", "TRUE");
    for (int i = 0; i < 4; i++) { /* the pause of the address is 40 s by now */
        assert_outcome(replace_value(NULL, ANN, "sn", "Li"), TARGET_DOWN);
        assert_outcome(target_open(), APPLIED);
    }
    slapd_configure(&slapd, "olcReadOnly", "FALSE");
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), APPLIED);
}

static bool is_changed(void)
{
    return replace_value(NULL, ANN, "sn", "Li") == OUTCOME_APPLIED;
}

static void a_database_that_is_writable_again_is_written_to_within_seconds(void **state)
{
    (void)state;
    make_person(ANN, "ann");
    slapd_configure(&slapd, "olcReadOnly", "TRUE");
    assert_outcome(replace_value(NULL, ANN, "sn", "Li"), TARGET_DOWN);
    slapd_configure(&slapd, "olcReadOnly", "FALSE");
    await(is_changed, 10);
}

static void active_directory_s_lost_log_in_drops_the_session(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = ANN, .code = LDAP_OPERATIONS_ERROR,
                                             .words = "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation "
                                                      "a successful bind must be completed on the connection., data 0, v4563" });
    assert_outcome(read_dn(ANN), TARGET_DOWN);
    assert_refusal(SERVER);
    assert_says("000004DC");
}

static void a_server_that_refers_everything_is_down(void **state)
{
    static const struct canned away[] = {
        { .request = LDAP_REQ_SEARCH, .dn = SLAPD_SUFFIX, .code = LDAP_REFERRAL, .referral = "ldap://other.example.org" },
        { .request = LDAP_REQ_SEARCH, .dn = ANN, .code = LDAP_REFERRAL, .referral = "ldap://other.example.org" },
    };

    (void)state;
    canned_answer(&canned, &away[0]);
    canned_answer(&canned, &away[1]);
    assert_outcome(read_dn(ANN), TARGET_DOWN);
    assert_refusal(SERVER);
    assert_says("ldap://other.example.org");
}

static void a_controller_that_only_reads_refers_changes_and_is_down(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_DELETE, .code = LDAP_REFERRAL, .words = "0000202B: RefErr: DSID-0310084B",
                                             .referral = "ldap://dc1.example.org/uid=ann,ou=people,dc=example,dc=org" });
    assert_outcome(remove_entry(NULL, ANN), TARGET_DOWN);
    assert_refusal(SERVER);
    assert_says("name that one in uri");
    assert_says("ldap://dc1.example.org");
}

/* An answer is not guessed at: a removal that may only have met an empty database is no removal. */
static void what_cannot_be_looked_at_is_tried_again(void **state)
{
    (void)state;
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_DELETE, .dn = ANN, .code = LDAP_NO_SUCH_OBJECT });
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = SLAPD_SUFFIX, .code = LDAP_BUSY });
    assert_outcome(remove_entry(NULL, ANN), RETRY);
    assert_refusal(UNSURE);
    canned_answer(&canned, &(struct canned){ .request = LDAP_REQ_SEARCH, .dn = SLAPD_SUFFIX, .code = LDAP_SUCCESS });
    assert_outcome(remove_entry(NULL, ANN), UNCHANGED);
}

/* ---- an empty database ---- */

static void an_empty_database_is_down_and_nobody_is_taken_for_removed(void **state)
{
    struct slapd empty;

    (void)state;
    slapd_start(&empty, "--nosync --empty");
    target_start("bind_dn = \"cn=admin," SLAPD_SUFFIX "\"; password = \"env:PROVOST_TEST_ADMIN\"; uri = \"%s\"; ", empty.uri);
    assert_outcome(target_open(), APPLIED);
    assert_outcome(remove_entry(NULL, ANN), TARGET_DOWN);
    assert_refusal(SERVER);
    assert_says("there is no entry \"" SLAPD_SUFFIX "\"");
    assert_outcome(target_open(), TARGET_DOWN); /* passed over */
    target_stop();
    target_start("bind_dn = \"cn=admin," SLAPD_SUFFIX "\"; password = \"env:PROVOST_TEST_ADMIN\"; uri = \"%s\"; ", empty.uri);
    assert_outcome(target_open(), APPLIED);
    assert_outcome(read_key_of(CANNED_KEY, ANN), TARGET_DOWN);
    target_stop();
    target_start("bind_dn = \"cn=admin," SLAPD_SUFFIX "\"; password = \"env:PROVOST_TEST_ADMIN\"; uri = \"%s\"; ", empty.uri);
    assert_outcome(target_open(), APPLIED);
    assert_outcome(add_person(ANN, "ann"), TARGET_DOWN);
    slapd_stop(&empty);
}

static struct slapd restored;

/* After the pause it was looked at again. */
static bool is_known_to_be_empty_still(void)
{
    assert_outcome(target_open(), TARGET_DOWN);
    return strstr(target.receipt.reason, "still has no entry") != NULL;
}

static bool opens(void)
{
    return target_open() == OUTCOME_APPLIED;
}

static void an_empty_database_is_not_up_before_its_base_is_back(void **state)
{
    (void)state;
    slapd_start(&restored, "--nosync --empty");
    target_start("bind_dn = \"cn=admin," SLAPD_SUFFIX "\"; password = \"env:PROVOST_TEST_ADMIN\"; uri = \"%s\"; ", restored.uri);
    assert_outcome(target_open(), APPLIED);
    assert_outcome(read_dn(ANN), TARGET_DOWN);
    await(is_known_to_be_empty_still, 10);
    slapd_add(&restored, SLAPD_SUFFIX, "objectClass: dcObject|organization\ndc: example\no: Example");
    await(opens, 15);
    assert_outcome(read_dn(ANN), GONE);
    slapd_stop(&restored);
}

/* ---- log-ins ---- */

static void an_account_that_must_change_its_password_is_told_so_at_the_log_in(void **state)
{
    (void)state;
    slapd_replace(&slapd, SLAPD_AGENT, "pwdReset", "TRUE");
    target_start("uri = \"%s\"; ", slapd.uri);
    enum outcome outcome = target_open();
    slapd_replace(&slapd, SLAPD_AGENT, "pwdReset", NULL);
    assert_outcome(outcome, TARGET_DOWN);
    assert_refusal(SURE);
    assert_says("change of its password");
    assert_says(SLAPD_AGENT);
}

static int start(void **state)
{
    (void)state;
    target_load();
    canned_start(&canned);
    slapd_start(&slapd, "--nosync --ppolicy --module back_ldap --module unique --limits 'size=unlimited size.unchecked=3'"
                        " --access 'access to dn.subtree=\"" CLOSED "\" by dn.exact=\"" SLAPD_AGENT "\" read by * none'"
                        " --line 'overlay unique' --line 'unique_uri ldap:///?mail?sub' --line 'unique_uri ldap:///?uid?sub'"
                        " --after 'database ldap' --after 'suffix dc=proxied' --after 'uri ldap://127.0.0.1:1'");
    slapd_add(&slapd, CLOSED, "objectClass: organizationalUnit\nou: closed");
    slapd_add(&slapd, ELSEWHERE, "objectClass: referral|extensibleObject\nou: elsewhere\nref: ldap://elsewhere.example.org/" ELSEWHERE);
    slapd_replace(&slapd, "cn=policy," SLAPD_SUFFIX, "pwdMustChange", "TRUE");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slapd_stop(&slapd);
    canned_stop(&canned);
    return 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
#define CANNED_TEST(test) cmocka_unit_test_setup_teardown(test, begin_canned, end_canned)
#define OWN_TEST(test) cmocka_unit_test_teardown(test, end_canned)
    const struct CMUnitTest tests[] = {
        TEST(a_proxied_subtree_whose_server_is_away_is_not_the_whole_server),
        TEST(a_subtree_that_may_not_be_written_is_unsure_and_the_rest_goes_on),
        CANNED_TEST(codes_of_one_subtree_keep_the_connection),
        CANNED_TEST(a_record_at_which_the_server_hangs_up_is_unsure),
        TEST(an_answer_that_is_too_large_is_its_record_s),
        CANNED_TEST(a_notice_of_disconnection_is_a_lost_connection),
        TEST(a_limit_that_a_later_match_meets_does_not_hide_what_an_earlier_one_finds),
        TEST(bad_data_is_surely_the_record_s),
        TEST(an_entry_below_a_referral_is_rejected_and_the_rest_goes_on),
        TEST(a_value_that_another_entry_has_is_tried_again),
        TEST(a_unique_value_of_a_linked_account_is_changed),
        TEST(a_linked_account_is_renamed_where_its_name_must_be_unique),
        TEST(a_unique_value_that_is_taken_is_tried_again_for_a_linked_account),
        TEST(another_entry_under_the_dn_is_gone_and_untouched),
        CANNED_TEST(a_change_whose_assertion_a_server_does_not_know_is_made_after_a_look_at_the_key),
        CANNED_TEST(a_member_that_is_there_already_is_unchanged_in_active_directory_s_words),
        CANNED_TEST(a_member_that_is_not_there_is_out_in_active_directory_s_words),
        CANNED_TEST(a_member_whose_entry_is_not_known_is_out_of_a_group_that_is_there),
        CANNED_TEST(the_server_s_own_words_stand_in_every_refusal_of_a_creation),
        CANNED_TEST(the_server_s_own_words_stand_in_every_refusal_of_a_move),
        CANNED_TEST(the_server_s_own_words_stand_in_refusals_of_members_and_of_the_log_in),
        TEST(a_read_only_database_takes_the_target_down_for_all_sessions_at_once),
        TEST(a_new_session_finds_a_database_that_is_writable_again_at_once),
        TEST(a_database_that_is_writable_again_is_written_to_within_seconds),
        CANNED_TEST(active_directory_s_lost_log_in_drops_the_session),
        CANNED_TEST(a_server_that_refers_everything_is_down),
        CANNED_TEST(a_controller_that_only_reads_refers_changes_and_is_down),
        CANNED_TEST(what_cannot_be_looked_at_is_tried_again),
        OWN_TEST(an_empty_database_is_down_and_nobody_is_taken_for_removed),
        OWN_TEST(an_empty_database_is_not_up_before_its_base_is_back),
        OWN_TEST(an_account_that_must_change_its_password_is_told_so_at_the_log_in),
    };
    return slapd_skip() ? 0 : cmocka_run_group_tests_name("ldap refusals", tests, start, stop);
}
