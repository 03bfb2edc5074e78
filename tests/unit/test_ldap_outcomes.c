/* The table from LDAP result codes to outcomes, and the parts of the connector that need no server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <ldap.h>

#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/protect.h"
#include "connectors/ldap/settings.h"
#include "connectors/ldap/value.h"

/* RFC 4511 appendix A.1 as published: written here again, so that a row that is lost is missed. */
static const struct {
    int code;
    const char *name;
    enum outcome outcome;
    enum refusal refusal;
} rfc4511[] = {
    { 0, "success", OUTCOME_APPLIED, REFUSAL_SURE },
    { 1, "operationsError", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 2, "protocolError", OUTCOME_REJECTED, REFUSAL_SURE },
    { 3, "timeLimitExceeded", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 4, "sizeLimitExceeded", OUTCOME_REJECTED, REFUSAL_SURE },
    { 5, "compareFalse", OUTCOME_REJECTED, REFUSAL_SURE },
    { 6, "compareTrue", OUTCOME_REJECTED, REFUSAL_SURE },
    { 7, "authMethodNotSupported", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 8, "strongerAuthRequired", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 10, "referral", OUTCOME_REJECTED, REFUSAL_SURE },
    { 11, "adminLimitExceeded", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 12, "unavailableCriticalExtension", OUTCOME_REJECTED, REFUSAL_SURE },
    { 13, "confidentialityRequired", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 14, "saslBindInProgress", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 16, "noSuchAttribute", OUTCOME_RETRY, REFUSAL_SURE },
    { 17, "undefinedAttributeType", OUTCOME_REJECTED, REFUSAL_SURE },
    { 18, "inappropriateMatching", OUTCOME_REJECTED, REFUSAL_SURE },
    { 19, "constraintViolation", OUTCOME_REJECTED, REFUSAL_SURE },
    { 20, "attributeOrValueExists", OUTCOME_REJECTED, REFUSAL_SURE },
    { 21, "invalidAttributeSyntax", OUTCOME_REJECTED, REFUSAL_SURE },
    { 32, "noSuchObject", OUTCOME_GONE, REFUSAL_SURE },
    { 33, "aliasProblem", OUTCOME_REJECTED, REFUSAL_SURE },
    { 34, "invalidDNSyntax", OUTCOME_REJECTED, REFUSAL_SURE },
    { 36, "aliasDereferencingProblem", OUTCOME_REJECTED, REFUSAL_SURE },
    { 48, "inappropriateAuthentication", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 49, "invalidCredentials", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 50, "insufficientAccessRights", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 51, "busy", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 52, "unavailable", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 53, "unwillingToPerform", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 54, "loopDetect", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 64, "namingViolation", OUTCOME_REJECTED, REFUSAL_SURE },
    { 65, "objectClassViolation", OUTCOME_REJECTED, REFUSAL_SURE },
    { 66, "notAllowedOnNonLeaf", OUTCOME_REJECTED, REFUSAL_SURE },
    { 67, "notAllowedOnRDN", OUTCOME_REJECTED, REFUSAL_SURE },
    { 68, "entryAlreadyExists", OUTCOME_RETRY, REFUSAL_SURE },
    { 69, "objectClassModsProhibited", OUTCOME_REJECTED, REFUSAL_SURE },
    { 71, "affectsMultipleDSAs", OUTCOME_REJECTED, REFUSAL_SURE },
    { 80, "other", OUTCOME_RETRY, REFUSAL_UNSURE },
    { 122, "assertionFailed", OUTCOME_GONE, REFUSAL_SURE },
};

static void every_code_of_rfc_4511_has_its_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc4511) / sizeof(rfc4511[0]); i++) {
        const struct outcome_row *row = outcome_row(rfc4511[i].code);
        assert_int_equal(row->code, rfc4511[i].code);
        assert_string_equal(row->name, rfc4511[i].name);
        assert_string_equal(outcome_name(row->outcome), outcome_name(rfc4511[i].outcome));
        assert_int_equal(row->refusal, rfc4511[i].refusal);
    }
}

static void every_code_of_libldap_itself_has_a_row(void **state)
{
    (void)state;
    for (int code = LDAP_X_CONNECTING; code < 0; code++)
        assert_int_equal(outcome_row(code)->code, code);
}

static void every_code_that_libldap_names_as_a_server_s_has_a_row(void **state)
{
    (void)state;
    for (int code = 0; code <= LDAP_PROXIED_AUTHORIZATION_DENIED; code++) {
        bool named = strcmp(ldap_err2string(code), "Unknown error") != 0 && strstr(ldap_err2string(code), "LCUP") == NULL;
        if (named)
            assert_int_equal(outcome_row(code)->code, code);
    }
}

static void no_code_has_two_rows_and_each_row_speaks(void **state)
{
    (void)state;
    for (const struct outcome_row *row = outcome_table(); row->code != OUTCOME_CODE_UNKNOWN; row++) {
        assert_true(strlen(row->name) > 1 && strlen(row->sentence) > 3);
        for (const struct outcome_row *later = row + 1; later->code != OUTCOME_CODE_UNKNOWN; later++)
            assert_int_not_equal(row->code, later->code);
    }
}

static enum outcome outcome_of(enum operation_kind kind, int code)
{
    return outcome_judge(kind, code, NULL).outcome;
}

static void an_unknown_code_is_tried_again_and_may_be_anybody_s(void **state)
{
    (void)state;
    assert_int_equal(outcome_row(9999)->outcome, OUTCOME_RETRY);
    assert_int_equal(outcome_of(OPERATION_UPDATE, -4711), OUTCOME_RETRY);
    assert_int_equal(outcome_judge(OUTCOME_OF_READ, 9999, NULL).refusal, REFUSAL_UNSURE);
}

/* The table alone takes no target down: that is for lost connections, and for answers that refusal.c has looked at. */
static void no_answer_of_a_server_takes_the_target_down_by_its_code(void **state)
{
    (void)state;
    for (const struct outcome_row *row = outcome_table(); row->code != OUTCOME_CODE_UNKNOWN; row++) {
        assert_true(row->code < 0 || row->outcome != OUTCOME_TARGET_DOWN);
        assert_true(row->refusal == REFUSAL_SURE || row->outcome == OUTCOME_RETRY);
    }
}

static void a_refused_log_in_is_told_from_a_server_that_is_not_ready(void **state)
{
    static const int refused[] = { 7, 8, 13, 19, 32, 34, 48, 49, 50, 53 }; /* 19: 389 DS of a locked account */
    static const int not_ready[] = { 1, 3, 10, 11, 51, 52, 80, -1, -5 };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_true(outcome_row(refused[i])->login);
    for (size_t i = 0; i < sizeof(not_ready) / sizeof(not_ready[0]); i++)
        assert_false(outcome_row(not_ready[i])->login);
}

/* ---- words ---- */

static const char *judged(int code, const char *words)
{
    return outcome_name(outcome_judge(OPERATION_UPDATE, code, words).outcome);
}

static void a_value_that_is_taken_is_tried_again_like_a_name_that_is_taken(void **state)
{
    (void)state;
    assert_string_equal(judged(19, "some attributes not unique"), "retry");                        /* slapo-unique, 2.4 */
    assert_string_equal(judged(19, "non-unique attributes found with (|(mail=a@x))"), "retry");    /* 2.5 */
    assert_string_equal(judged(19, "Another entry with the same attribute value already exists (attribute: \"uid\")"), "retry");
    assert_string_equal(judged(19, "000021C8: AtrErr: DSID-03200BBA, #1: 0: 000021C8: problem 1005"), "retry"); /* AD */
    assert_string_equal(judged(19, "samldb: samAccountName already in use"), "retry");
    assert_int_equal(outcome_judge(OPERATION_CREATE, 19, "some attributes not unique").refusal, REFUSAL_SURE);
}

static void any_other_broken_rule_is_rejected(void **state)
{
    (void)state;
    assert_string_equal(judged(19, NULL), "rejected");
    assert_string_equal(judged(19, "Password fails quality checking policy"), "rejected");
    assert_string_equal(judged(19, "uniqueMember: value #0 invalid per syntax"), "rejected");
    assert_string_equal(judged(21, "mail: value already exists"), "rejected");
}

static void words_that_only_the_whole_server_can_mean_are_known_by_how_they_begin(void **state)
{
    (void)state;
    assert_non_null(outcome_of_server(53, "operation restricted"));
    assert_non_null(outcome_of_server(53, "shadow context; no update referral"));
    assert_non_null(outcome_of_server(53, "Server is read-only"));
    assert_non_null(outcome_of_server(53, "database is read-only"));
    assert_non_null(outcome_of_server(1, "Warning: Operation attempted on a disabled node : dc=example,dc=org"));
    assert_non_null(outcome_of_server(1, "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful "
                                         "bind must be completed on the connection., data 0, v4563"));
    assert_non_null(outcome_of_server(50, "Operations are restricted to bind/unbind/abandon/StartTLS/modify password"));
    assert_null(outcome_of_server(53, NULL));
    assert_null(outcome_of_server(53, "no: the value \"shadow context\" is not wanted")); /* a value that is quoted */
    assert_null(outcome_of_server(19, "operation restricted"));
}

static void what_is_so_already_is_unchanged_for_the_operation_that_wants_it_so(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(OPERATION_MEMBER_ADD, 20), OUTCOME_UNCHANGED);
    assert_int_equal(outcome_of(OPERATION_MEMBER_REMOVE, 16), OUTCOME_UNCHANGED);
    assert_int_equal(outcome_of(OPERATION_REMOVE, 32), OUTCOME_UNCHANGED);
    assert_int_equal(outcome_of(OPERATION_UPDATE, 32), OUTCOME_GONE);
    assert_int_equal(outcome_of(OPERATION_MEMBER_ADD, 32), OUTCOME_GONE);
    assert_int_equal(outcome_of(OPERATION_CREATE, 32), OUTCOME_REJECTED);
    assert_int_equal(outcome_of(OPERATION_CREATE, 20), OUTCOME_REJECTED);
}

static void what_active_directory_and_samba_say_of_a_member_that_is_there_or_not_is_unchanged(void **state)
{
    static const struct {
        enum operation_kind kind;
        int code;
        const char *words;
        enum outcome outcome;
    } rows[] = {
        { OPERATION_MEMBER_ADD, 68, NULL, OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_ADD, 68, "00000562: UpdErr: DSID-031A11DA, problem 6005 (ENTRY_EXISTS), data 0", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_ADD, 53, "00000528: SvcErr: DSID-031A1201, problem 5003", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_REMOVE, 53, "00000561: SvcErr: DSID-031A11E5, problem 5003", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_REMOVE, 53, "00000529: SvcErr: DSID-031A1201, problem 5003", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_REMOVE, 16, "00000561: UpdErr: DSID-031A11E2, problem 5001", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_REMOVE, 32, "00000561: NameErr: DSID-0310020A, problem 2001 (NO_OBJECT), data 0", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_REMOVE, 53, "0000200D: Attribute member doesn't exist for target GUID 5d5b1f3e", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_REMOVE, 53, "Attribute member already deleted for target GUID 5d5b1f3e", OUTCOME_UNCHANGED },
        { OPERATION_MEMBER_REMOVE, 53, NULL, OUTCOME_RETRY },
        { OPERATION_MEMBER_REMOVE, 53, "0000055E: SvcErr: DSID-031A0FB6, problem 5003", OUTCOME_RETRY }, /* primary */
        { OPERATION_MEMBER_REMOVE, 53, "no: 00000561:", OUTCOME_RETRY }, /* a value that is quoted */
        { OPERATION_MEMBER_ADD, 53, "00000561: SvcErr: DSID-031A11E5, problem 5003", OUTCOME_RETRY },
        { OPERATION_MEMBER_REMOVE, 68, "00000562: UpdErr: DSID-031A11DA, problem 6005 (ENTRY_EXISTS), data 0", OUTCOME_RETRY },
        { OPERATION_UPDATE, 53, "00000561: SvcErr: DSID-031A11E5, problem 5003", OUTCOME_RETRY },
        { OPERATION_CREATE, 68, "00000562: UpdErr: DSID-031A11DA, problem 6005 (ENTRY_EXISTS), data 0", OUTCOME_RETRY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct verdict verdict = outcome_judge(rows[i].kind, rows[i].code, rows[i].words);
        if (verdict.outcome != rows[i].outcome || (verdict.outcome == OUTCOME_UNCHANGED && verdict.refusal != REFUSAL_SURE))
            fail_msg("row %zu: %s, not %s", i, outcome_name(verdict.outcome), outcome_name(rows[i].outcome));
    }
}

static void dns_are_compared_without_regard_to_case_and_spaces(void **state)
{
    (void)state;
    assert_true(dn_equal("uid=Ann, ou=People,dc=example,dc=org", "UID=ann,ou=people,dc=Example,dc=org"));
    assert_true(dn_equal("cn=a+sn=b,dc=x", "sn=B+cn=A,dc=x"));
    assert_true(dn_equal("cn=a\\2cb,dc=x", "cn=a\\,b,dc=x"));
    assert_false(dn_equal("cn=a,cn=b,dc=x", "cn=a\\,cn\\=b,dc=x"));
    assert_false(dn_equal("uid=ann,dc=x", "uid=bob,dc=x"));
    assert_false(dn_equal("no dn", "no dn"));
}

static void a_dn_is_within_its_base_only_at_a_part_s_border(void **state)
{
    (void)state;
    assert_true(dn_is_within("uid=a,dc=example,dc=org", "DC=example,dc=org"));
    assert_true(dn_is_within("dc=example,dc=org", "dc=example,dc=org"));
    assert_false(dn_is_within("uid=a,dc=badexample,dc=org", "dc=example,dc=org"));
    assert_false(dn_is_within("dc=org", "dc=example,dc=org"));
}

static void a_dn_is_split_at_the_first_part_even_if_that_holds_a_comma(void **state)
{
    cleanup_free char *rdn = NULL, *parent = NULL;

    (void)state;
    assert_int_equal(dn_split("cn=Lee\\, Ann,ou=people,dc=x", &rdn, &parent), 0);
    assert_true(dn_equal(rdn, "cn=Lee\\2C Ann"));
    assert_string_equal(parent, "ou=people,dc=x");
    assert_int_equal(dn_split("", &rdn, &parent), ERROR_SYNTAX);
    assert_int_equal(dn_split("=x,,", &rdn, &parent), ERROR_SYNTAX);
}

static void nothing_breaks_out_of_a_filter(void **state)
{
    cleanup_free char *attack = filter_equals("member", "x)(uid=*");
    cleanup_free char *utf8 = filter_equals("cn", "M\xc3\xbcller\\");
    cleanup_free char *key = filter_key("entryUUID", "6f0d-4");
    cleanup_free char *binary = filter_key("objectGUID", "\\00\\ff");
    cleanup_free char *half = filter_key("objectGUID", "\\00\\f)(");

    (void)state;
    assert_string_equal(attack, "(member=x\\29\\28uid=\\2a)");
    assert_string_equal(utf8, "(cn=M\\c3\\bcller\\5c)");
    assert_string_equal(key, "(entryUUID=6f0d-4)");
    assert_string_equal(binary, "(objectGUID=\\00\\ff)");
    assert_string_equal(half, "(objectGUID=\\5c00\\5cf\\29\\28)");
}

static void values_that_are_no_text_go_there_and_back_as_base64(void **state)
{
    struct berval **values = NULL;
    json_t *json = json_pack("[s,{s:s},i,b]", "text", "base64", "AP8=", 42, 1);
    struct error error = { 0 };

    (void)state;
    assert_int_equal(values_from_json("x", json, &values, &error), 0);
    assert_int_equal(values[1]->bv_len, 2);
    assert_memory_equal(values[1]->bv_val, "\0\xff", 2);
    assert_string_equal(values[2]->bv_val, "42");
    assert_string_equal(values[3]->bv_val, "TRUE");
    json_t *back = values_to_json("x", values);
    assert_string_equal(json_string_value(json_array_get(back, 0)), "text");
    assert_string_equal(json_string_value(json_object_get(json_array_get(back, 1), "base64")), "AP8=");
    values_free(values);
    json_decref(back);
    json_decref(json);
}

static void a_value_that_cannot_be_one_is_refused_without_being_told(void **state)
{
    struct berval **values = NULL;
    json_t *json = json_pack("[{s:s}]", "base64", "?geheim?");
    struct error error = { 0 };

    (void)state;
    assert_int_equal(values_from_json("jpegPhoto", json, &values, &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, "jpegPhoto"));
    assert_null(strstr(error.text, "geheim"));
    assert_null(values);
    json_decref(json);
}

/* ---- what is protected ---- */

#define ADMINS "cn=Domain Admins,ou=Groups,dc=example,dc=org"

/* What the filter says of this entry. */
static const struct {
    const char *filter;
    const char *mark; /* NULL: it is not protected */
} marks[] = {
    { "(cn=domain admins)", "(cn=domain admins)" },
    { "(cn=DOMAIN   Admins )", "(cn=DOMAIN   Admins )" },
    { "(cn=domain)", NULL },
    { "(cn=domain*)", "(cn=domain*)" },
    { "(cn=*admins)", "(cn=*admins)" },
    { "(cn=*main*ad*s)", "(cn=*main*ad*s)" },
    { "(cn=do*main*admins*x)", NULL },
    { "(cn=admins*)", NULL },
    { "(cn=*domain)", NULL },
    { "(cn=\\64omain admins)", "(cn=\\64omain admins)" },
    { "(cn=domain\\2a)", NULL },
    { "(commonName=domain admins)", "(commonName=domain admins)" },
    { "(adminCount=1)", "(adminCount=1)" },
    { "(adminCount=10)", NULL },
    { "(adminCount=*)", "(adminCount=*)" },
    { "(isCriticalSystemObject=*)", NULL },
    { "(isCriticalSystemObject=TRUE)", NULL },
    { "(member=UID=root, ou=People,dc=example,dc=org)", "(member=UID=root, ou=People,dc=example,dc=org)" },
    { "(entryDN=*,ou=groups,dc=example,dc=org)", "(entryDN=*,ou=groups,dc=example,dc=org)" },
    { "(distinguishedName=CN=Domain Admins, OU=groups,dc=example,dc=org)",
      "(distinguishedName=CN=Domain Admins, OU=groups,dc=example,dc=org)" },
    { "(entryDN=ou=groups,dc=example,dc=org)", NULL },
    { "(|(cn=x)(adminCount=1)(cn=*))", "(adminCount=1)" },
    { "(|(cn=x)(&(adminCount=1)(!(cn=x))))", "(&(adminCount=1)(!(cn=x)))" },
    { "(| (cn=x)\n (adminCount=1))", "(adminCount=1)" }, /* as the lines of a list are put together */
    { "(&(adminCount=1)(cn=x))", NULL },
    { "(!(isCriticalSystemObject=TRUE))", "(!(isCriticalSystemObject=TRUE))" }, /* what is not shown may be so: the safe side */
    { "( & (cn=*) (adminCount=1) )", "( & (cn=*) (adminCount=1) )" },
    { NULL, NULL },
};

static void a_filter_says_what_is_protected_and_which_part_of_it_does(void **state)
{
    json_t *values = json_pack("{s:[s,s], s:s, s:[s]}", "cn", "Other", "Domain  Admins", "adminCount", "1", "member",
                               "uid=root,ou=people,dc=example,dc=org");

    (void)state;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        cleanup_free char *mark = protect_mark_new(ADMINS, values, marks[i].filter);
        if (!str_equal(mark, marks[i].mark))
            fail_msg("%s: %s", marks[i].filter, mark != NULL ? mark : "not protected");
    }
    json_decref(values);
}

static size_t count_filter_problems(const char *filter)
{
    struct problems problems = { 0 };
    config_t config;

    config_init(&config);
    config_setting_set_string(config_setting_add(config_root_setting(&config), "protected", CONFIG_TYPE_STRING), filter);
    protect_check(config_root_setting(&config), &problems);
    for (size_t i = 0; i < problems.count; i++)
        assert_non_null(strstr(problems.list[i].text, "right would be \"(adminCount=1)\""));
    size_t count = problems.count;
    problems_free(&problems);
    config_destroy(&config);
    return count;
}

static void a_filter_that_cannot_be_judged_is_refused_when_it_is_loaded(void **state)
{
    static const char *const wrong[] = {
        "", "cn=x", "(cn=x", "(cn=x))", "(cn)", "(cn=)", "(=x)", "(|)", "(&cn=x)", "(cn=a)(cn=b)", "(cn>=x)", "(cn~=x)",
        "(userAccountControl:1.2.840.113556.1.4.803:=2)", "(cn=\\zz)", "(cn=\\4)", "(!(cn=x)",
        "(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(cn=x)))))))))))))))))))",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (count_filter_problems(wrong[i]) != 1)
            fail_msg("\"%s\" was not refused", wrong[i]);
    for (size_t i = 0; marks[i].filter != NULL; i++)
        if (count_filter_problems(marks[i].filter) != 0)
            fail_msg("\"%s\" was refused", marks[i].filter);
}

static void the_attributes_of_a_filter_are_read_beside_those_that_are_wanted(void **state)
{
    static const char *const wanted[] = { "mail", NULL };
    const char **names = protect_names(wanted, "(|(cn=x)(!(adminCount=1))(entryDN=*))");

    (void)state;
    assert_string_equal(names[0], "mail");
    assert_string_equal(names[1], "cn");
    assert_string_equal(names[2], "adminCount");
    assert_null(names[3]);
    protect_free_names(wanted, names);
}

/* ---- settings ---- */

static size_t count_problems(const struct ldap_settings *settings, const char *word)
{
    struct problems problems = { 0 };
    size_t count = 0;

    ldap_settings_check(settings, "provost.conf", 7, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        assert_string_equal(problems.list[i].file, "provost.conf");
        assert_int_equal(problems.list[i].line, 7);
        count += strstr(problems.list[i].text, word) != NULL;
    }
    problems_free(&problems);
    return count;
}

static struct ldap_settings settings_with(const char *uri)
{
    return (struct ldap_settings){ .uri = (char *)(uintptr_t)uri, .bind_dn = (char *)(uintptr_t)"cn=a,dc=x",
                                   .password = (char *)(uintptr_t)"secret", .verify = true };
}

static void a_password_does_not_go_over_a_plain_connection_unasked(void **state)
{
    struct ldap_settings plain = settings_with("ldap://ldap.example.com"), local = settings_with("ldap://127.0.0.1:3890 ldap://localhost");

    (void)state;
    assert_int_equal(count_problems(&plain, "unencrypted"), 1);
    assert_int_equal(count_problems(&local, ""), 0);
    plain.allow_plaintext = true;
    assert_int_equal(count_problems(&plain, ""), 0);
    plain.allow_plaintext = false;
    plain.starttls = true;
    assert_int_equal(count_problems(&plain, ""), 0);
}

static void options_that_exclude_each_other_are_refused(void **state)
{
    struct ldap_settings settings = settings_with("ldaps://ldap.example.com");

    (void)state;
    settings.starttls = true;
    assert_int_equal(count_problems(&settings, "starttls"), 1);
    settings = settings_with("ldap://127.0.0.1");
    settings.sasl = LDAP_SASL_BY_SOCKET;
    assert_int_equal(count_problems(&settings, "external"), 2); /* with bind_dn, and not over ldapi */
    settings = settings_with("ldapi://%2Frun%2Fslapd");
    settings.bind_dn = NULL;
    assert_int_equal(count_problems(&settings, "log in"), 1);
    settings = settings_with("http://x");
    assert_int_equal(count_problems(&settings, "http://x"), 1);
    settings = settings_with("ldap://localhost");
    settings.base_dn = (char *)(uintptr_t)"people";
    assert_int_equal(count_problems(&settings, "base_dn"), 1);
    settings = settings_with("ldap://localhost");
    settings.password = NULL;
    assert_int_equal(count_problems(&settings, "without a password"), 1);
    settings = settings_with("ldap://localhost:99999");
    assert_int_equal(count_problems(&settings, "65535"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_of_rfc_4511_has_its_outcome),
        cmocka_unit_test(every_code_of_libldap_itself_has_a_row),
        cmocka_unit_test(every_code_that_libldap_names_as_a_server_s_has_a_row),
        cmocka_unit_test(no_code_has_two_rows_and_each_row_speaks),
        cmocka_unit_test(an_unknown_code_is_tried_again_and_may_be_anybody_s),
        cmocka_unit_test(no_answer_of_a_server_takes_the_target_down_by_its_code),
        cmocka_unit_test(a_refused_log_in_is_told_from_a_server_that_is_not_ready),
        cmocka_unit_test(a_value_that_is_taken_is_tried_again_like_a_name_that_is_taken),
        cmocka_unit_test(any_other_broken_rule_is_rejected),
        cmocka_unit_test(words_that_only_the_whole_server_can_mean_are_known_by_how_they_begin),
        cmocka_unit_test(what_is_so_already_is_unchanged_for_the_operation_that_wants_it_so),
        cmocka_unit_test(what_active_directory_and_samba_say_of_a_member_that_is_there_or_not_is_unchanged),
        cmocka_unit_test(dns_are_compared_without_regard_to_case_and_spaces),
        cmocka_unit_test(a_dn_is_within_its_base_only_at_a_part_s_border),
        cmocka_unit_test(a_dn_is_split_at_the_first_part_even_if_that_holds_a_comma),
        cmocka_unit_test(nothing_breaks_out_of_a_filter),
        cmocka_unit_test(values_that_are_no_text_go_there_and_back_as_base64),
        cmocka_unit_test(a_value_that_cannot_be_one_is_refused_without_being_told),
        cmocka_unit_test(a_filter_says_what_is_protected_and_which_part_of_it_does),
        cmocka_unit_test(a_filter_that_cannot_be_judged_is_refused_when_it_is_loaded),
        cmocka_unit_test(the_attributes_of_a_filter_are_read_beside_those_that_are_wanted),
        cmocka_unit_test(a_password_does_not_go_over_a_plain_connection_unasked),
        cmocka_unit_test(options_that_exclude_each_other_are_refused),
    };
    return cmocka_run_group_tests_name("ldap outcomes", tests, NULL, NULL);
}
