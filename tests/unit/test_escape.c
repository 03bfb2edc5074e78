#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/dn.h"
#include "plan/escape.h"

static char *escaped(enum escape escape, const char *bytes, size_t length)
{
    struct buf buf = { 0 };

    escape_add(&buf, escape, bytes, length);
    char *text = buf_take(&buf);
    assert_non_null(text);
    return text;
}

static void assert_escaped(enum escape escape, const char *input, const char *expected)
{
    char *text = escaped(escape, input, strlen(input));

    assert_string_equal(text, expected);
    free(text);
}

static void a_dn_value_cannot_begin_a_new_part(void **state)
{
    (void)state;
    assert_escaped(ESCAPE_DN, "x,ou=admins", "x\\,ou\\=admins");
    assert_escaped(ESCAPE_DN, "a+cn=b;c<d>e\"f\\g", "a\\+cn\\=b\\;c\\<d\\>e\\\"f\\\\g");
    assert_escaped(ESCAPE_DN, "plain.name-1@example.com", "plain.name-1@example.com");
    assert_escaped(ESCAPE_DN, "Zoë", "Zoë");
}

static void a_dn_value_keeps_its_edges(void **state)
{
    (void)state;
    assert_escaped(ESCAPE_DN, " a b ", "\\ a b\\ ");
    assert_escaped(ESCAPE_DN, " ", "\\ ");
    assert_escaped(ESCAPE_DN, "#1", "\\#1");
    assert_escaped(ESCAPE_DN, "a#1", "a#1");
}

static void nul_and_controls_are_written_as_hex(void **state)
{
    (void)state;
    char *dn = escaped(ESCAPE_DN, "a\0b\n", 4);
    char *filter = escaped(ESCAPE_FILTER, "a\0b", 3);

    assert_string_equal(dn, "a\\00b\\0A");
    assert_string_equal(filter, "a\\00b");
    free(dn);
    free(filter);
}

static void a_filter_value_cannot_end_its_item(void **state)
{
    (void)state;
    assert_escaped(ESCAPE_FILTER, ")(uid=*", "\\29\\28uid=\\2a");
    assert_escaped(ESCAPE_FILTER, "a\\b", "a\\5cb");
    assert_escaped(ESCAPE_FILTER, "Zoë", "Zoë");
}

static void a_path_segment_cannot_climb(void **state)
{
    (void)state;
    assert_escaped(ESCAPE_URL_PATH, "a/../b?c#d", "a%2F..%2Fb%3Fc%23d");
    assert_escaped(ESCAPE_URL_PATH, "..", "%2E%2E");
    assert_escaped(ESCAPE_URL_PATH, ".", "%2E");
    assert_escaped(ESCAPE_URL_PATH, "ann.lee", "ann.lee");
    assert_escaped(ESCAPE_QUERY, "a&b=c d+e%", "a%26b%3Dc%20d%2Be%25");
    assert_escaped(ESCAPE_QUERY, "ë", "%C3%AB");
}

static void a_header_stays_one_line(void **state)
{
    (void)state;
    assert_escaped(ESCAPE_HEADER, "a\r\nX-Evil: 1", "a  X-Evil: 1");
}

static void a_json_string_cannot_end(void **state)
{
    (void)state;
    assert_escaped(ESCAPE_JSON, "\",\"admin\":\"\\\n", "\\\",\\\"admin\\\":\\\"\\\\\\u000a");
}

static void nothing_is_escaped_where_nothing_can_break(void **state)
{
    (void)state;
    assert_escaped(ESCAPE_NONE, ")(uid=*,\n", ")(uid=*,\n");
}

static void assert_within(enum escape escape, char quote, const char *input, size_t length, const char *expected)
{
    struct buf buf = { 0 };

    escape_add_within(&buf, escape, quote, input, length);
    assert_string_equal(buf.bytes, expected);
    buf_free(&buf);
}

static void what_stands_in_quotes_cannot_close_them(void **state)
{
    (void)state;
    assert_within(ESCAPE_QUOTED, '"', "x\" or \"1\"=\"1", 12, "x\\\" or \\\"1\\\"=\\\"1");
    assert_within(ESCAPE_QUOTED, '"', "x\\", 2, "x\\\\");
    assert_within(ESCAPE_QUOTED, '"', "a\0b\n", 4, "a\\u0000b\\u000a");
    assert_within(ESCAPE_QUOTED, '\'', "x' or '1'='1", 12, "x'' or ''1''=''1");
    assert_within(ESCAPE_QUOTED, '\0', "it's \"so\"", 9, "it's \"so\"");
    assert_within(ESCAPE_URL_PATH, '\'', "o'n/x", 5, "o%27%27n%2Fx");
    assert_within(ESCAPE_QUERY, '"', "\"", 1, "%5C%22");
}

static void only_constant_text_opens_and_closes_quotes(void **state)
{
    (void)state;
    assert_int_equal(escape_quote_after('\0', "a eq ", 5), '\0');
    assert_int_equal(escape_quote_after('\0', "a eq \"", 6), '"');
    assert_int_equal(escape_quote_after('"', "\" and b eq '", 13), '\'');
    assert_int_equal(escape_quote_after('"', "it's \\\" still", 13), '"');
    assert_int_equal(escape_quote_after('\'', "a''b\\", 5), '\'');
    assert_int_equal(escape_quote_after('"', "a\\", 2), QUOTE_BACKSLASH);
    assert_int_equal(escape_quote_after('"', "a\\\\", 3), '"');
}

static void ten_megabytes_are_escaped_whole(void **state)
{
    (void)state;
    size_t length = 10u << 20;
    char *bytes = malloc(length);

    assert_non_null(bytes);
    memset(bytes, ',', length);
    char *dn = escaped(ESCAPE_DN, bytes, length);
    assert_int_equal(strlen(dn), length * 2);
    free(dn);
    free(bytes);
}

static void every_byte_survives_a_dn(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 0x80; c++) {
        char value[] = { (char)c, 'x', (char)c, '\0' };
        struct buf dn = { 0 };
        json_t *rdn = NULL;

        buf_add_str(&dn, "uid=");
        escape_add(&dn, ESCAPE_DN, value, 3);
        buf_add_str(&dn, ",dc=example");
        assert_int_equal(dn_first_rdn(dn.bytes, &rdn), 0);
        assert_string_equal(json_string_value(json_object_get(rdn, "uid")), value);
        json_decref(rdn);
        buf_free(&dn);
    }
}

static void dns_are_compared_by_meaning(void **state)
{
    (void)state;
    char *aside;
    assert_int_equal(dn_aside("cn=a\\,b,ou=x,dc=y", "00u1", &aside), 0);
    assert_string_equal(aside, "cn=a\\,b~00u1,ou=x,dc=y");
    free(aside);
    assert_int_equal(dn_aside("uid=ann", "7", &aside), 0);
    assert_string_equal(aside, "uid=ann~7");
    free(aside);
    assert_true(dn_same("uid=Ann,ou=People,dc=example", "UID=ann, ou=people , DC=EXAMPLE"));
    assert_true(dn_same("cn=a\\2Cb,dc=x", "cn=a\\,b,dc=x"));
    assert_true(dn_same("cn=a+sn=b,dc=x", "sn=B+CN=A,dc=x"));
    assert_true(dn_same("cn=a  b,dc=x", "cn=a b,dc=x"));
    assert_true(dn_same("cn=ÅSA,dc=x", "cn=åsa,dc=x"));
    assert_false(dn_same("cn=a\\,dc=x", "cn=a,dc=x"));
    assert_false(dn_same("cn=a,dc=x", "cn=a,ou=y,dc=x"));
    assert_false(dn_same("cn=a\\ ,dc=x", "cn=a,dc=x"));
    assert_false(dn_same("uid=a,dc=x", "cn=a,dc=x"));
    assert_true(dn_same("no dn", "NO DN"));
}

static void what_is_no_dn_is_said_to_be_none(void **state)
{
    static const char *const bad[] = { "a", "=a", "cn=a,", "cn=a,b", "cn=a\\", "cn", ",cn=a", "c(n=a" };
    char *normal = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(dn_normalize(bad[i], &normal) < 0);
    assert_null(normal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dn_value_cannot_begin_a_new_part),
        cmocka_unit_test(a_dn_value_keeps_its_edges),
        cmocka_unit_test(nul_and_controls_are_written_as_hex),
        cmocka_unit_test(a_filter_value_cannot_end_its_item),
        cmocka_unit_test(a_path_segment_cannot_climb),
        cmocka_unit_test(a_header_stays_one_line),
        cmocka_unit_test(a_json_string_cannot_end),
        cmocka_unit_test(nothing_is_escaped_where_nothing_can_break),
        cmocka_unit_test(what_stands_in_quotes_cannot_close_them),
        cmocka_unit_test(only_constant_text_opens_and_closes_quotes),
        cmocka_unit_test(ten_megabytes_are_escaped_whole),
        cmocka_unit_test(every_byte_survives_a_dn),
        cmocka_unit_test(dns_are_compared_by_meaning),
        cmocka_unit_test(what_is_no_dn_is_said_to_be_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
