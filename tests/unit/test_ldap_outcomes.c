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
#include "connectors/ldap/settings.h"
#include "connectors/ldap/value.h"

/* RFC 4511 appendix A.1 as published: written here again, so that a row that is lost is missed. */
static const struct {
    int code;
    const char *name;
    enum outcome outcome;
} rfc4511[] = {
    { 0, "success", OUTCOME_APPLIED },
    { 1, "operationsError", OUTCOME_RETRY },
    { 2, "protocolError", OUTCOME_REJECTED },
    { 3, "timeLimitExceeded", OUTCOME_RETRY },
    { 4, "sizeLimitExceeded", OUTCOME_REJECTED },
    { 5, "compareFalse", OUTCOME_REJECTED },
    { 6, "compareTrue", OUTCOME_REJECTED },
    { 7, "authMethodNotSupported", OUTCOME_TARGET_DOWN },
    { 8, "strongerAuthRequired", OUTCOME_TARGET_DOWN },
    { 10, "referral", OUTCOME_REJECTED },
    { 11, "adminLimitExceeded", OUTCOME_RETRY },
    { 12, "unavailableCriticalExtension", OUTCOME_REJECTED },
    { 13, "confidentialityRequired", OUTCOME_TARGET_DOWN },
    { 14, "saslBindInProgress", OUTCOME_TARGET_DOWN },
    { 16, "noSuchAttribute", OUTCOME_RETRY },
    { 17, "undefinedAttributeType", OUTCOME_REJECTED },
    { 18, "inappropriateMatching", OUTCOME_REJECTED },
    { 19, "constraintViolation", OUTCOME_REJECTED },
    { 20, "attributeOrValueExists", OUTCOME_REJECTED },
    { 21, "invalidAttributeSyntax", OUTCOME_REJECTED },
    { 32, "noSuchObject", OUTCOME_GONE },
    { 33, "aliasProblem", OUTCOME_REJECTED },
    { 34, "invalidDNSyntax", OUTCOME_REJECTED },
    { 36, "aliasDereferencingProblem", OUTCOME_REJECTED },
    { 48, "inappropriateAuthentication", OUTCOME_TARGET_DOWN },
    { 49, "invalidCredentials", OUTCOME_TARGET_DOWN },
    { 50, "insufficientAccessRights", OUTCOME_REJECTED },
    { 51, "busy", OUTCOME_RETRY },
    { 52, "unavailable", OUTCOME_TARGET_DOWN },
    { 53, "unwillingToPerform", OUTCOME_REJECTED },
    { 54, "loopDetect", OUTCOME_REJECTED },
    { 64, "namingViolation", OUTCOME_REJECTED },
    { 65, "objectClassViolation", OUTCOME_REJECTED },
    { 66, "notAllowedOnNonLeaf", OUTCOME_REJECTED },
    { 67, "notAllowedOnRDN", OUTCOME_REJECTED },
    { 68, "entryAlreadyExists", OUTCOME_RETRY },
    { 69, "objectClassModsProhibited", OUTCOME_REJECTED },
    { 71, "affectsMultipleDSAs", OUTCOME_REJECTED },
    { 80, "other", OUTCOME_RETRY },
    { 122, "assertionFailed", OUTCOME_GONE },
};

static void every_code_of_rfc_4511_has_its_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc4511) / sizeof(rfc4511[0]); i++) {
        const struct outcome_row *row = outcome_row(rfc4511[i].code);
        assert_int_equal(row->code, rfc4511[i].code);
        assert_string_equal(row->name, rfc4511[i].name);
        assert_string_equal(outcome_name(row->outcome), outcome_name(rfc4511[i].outcome));
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

static void an_unknown_code_is_tried_again(void **state)
{
    (void)state;
    assert_int_equal(outcome_row(9999)->outcome, OUTCOME_RETRY);
    assert_int_equal(outcome_of(OPERATION_UPDATE, -4711), OUTCOME_RETRY);
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
        cmocka_unit_test(an_unknown_code_is_tried_again),
        cmocka_unit_test(what_is_so_already_is_unchanged_for_the_operation_that_wants_it_so),
        cmocka_unit_test(dns_are_compared_without_regard_to_case_and_spaces),
        cmocka_unit_test(a_dn_is_within_its_base_only_at_a_part_s_border),
        cmocka_unit_test(a_dn_is_split_at_the_first_part_even_if_that_holds_a_comma),
        cmocka_unit_test(nothing_breaks_out_of_a_filter),
        cmocka_unit_test(values_that_are_no_text_go_there_and_back_as_base64),
        cmocka_unit_test(a_value_that_cannot_be_one_is_refused_without_being_told),
        cmocka_unit_test(a_password_does_not_go_over_a_plain_connection_unasked),
        cmocka_unit_test(options_that_exclude_each_other_are_refused),
    };
    return cmocka_run_group_tests_name("ldap outcomes", tests, NULL, NULL);
}
