/* Whose session is this? Values as applications write them, and some that mean no good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/str.h"
#include "connectors/session/look.h"

#define BYTES(literal) (literal), (sizeof(literal) - 1)

static enum match match_as(int format, const char *user_at, const char *user, const void *bytes, size_t length)
{
    const char *const users[] = { user, NULL };
    const struct layout layout = { .format = format, .user_at = (char *)(uintptr_t)user_at };

    return match_value(&layout, users, bytes, length, NULL);
}

#define assert_theirs(...) assert_int_equal(match_as(__VA_ARGS__), MATCH_THEIRS)
#define assert_other(...) assert_int_equal(match_as(__VA_ARGS__), MATCH_OTHER)
#define assert_unreadable(...) assert_int_equal(match_as(__VA_ARGS__), MATCH_UNREADABLE)

/* ---- JSON ---- */

static void json_is_looked_up_by_its_pointer(void **state)
{
    (void)state;
    assert_theirs(FORMAT_JSON, "/passport/user", "ann", BYTES("{\"passport\":{\"user\":\"ann\"}}"));
    assert_other(FORMAT_JSON, "/passport/user", "ann", BYTES("{\"passport\":{\"user\":\"anna\"},\"friend\":\"ann\"}"));
    assert_other(FORMAT_JSON, "/passport/user", "ann", BYTES("{\"passport\":{\"user\":{\"ann\":1}}}"));
    assert_theirs(FORMAT_JSON, "/list/1/a~1b", "ann", BYTES("{\"list\":[0,{\"a/b\":\"ann\"}]}"));
    assert_theirs(FORMAT_JSON, "/id", "17", BYTES("{\"id\":17}"));
    assert_other(FORMAT_JSON, "/id", "17", BYTES("{\"id\":171}"));
    assert_unreadable(FORMAT_JSON, "/id", "17", BYTES("{\"id\":17"));
}

static void an_escape_in_json_hides_nobody(void **state)
{
    (void)state;
    assert_theirs(FORMAT_JSON, "/u", "ann", BYTES("{\"u\":\"\\u0061nn\"}"));
    assert_other(FORMAT_JSON, "/u", "ann", BYTES("{\"u\":\"ann\\u0000\"}"));
}

/* ---- PHP ---- */

static void php_is_walked_by_its_lengths(void **state)
{
    (void)state;
    assert_theirs(FORMAT_PHP, "/user", "ann", BYTES("n|i:1;user|s:3:\"ann\";z|b:1;"));
    assert_other(FORMAT_PHP, "/user", "ann", BYTES("user|s:4:\"anna\";"));
    assert_other(FORMAT_PHP, "/user", "ann", BYTES("x|s:18:\"\";user|s:3:\"ann\";x\";user|s:4:\"anna\";"));
    assert_theirs(FORMAT_PHP, "/auth/id", "7", BYTES("auth|a:2:{s:4:\"name\";s:3:\"ann\";s:2:\"id\";i:7;}"));
    assert_theirs(FORMAT_PHP, "/u/name", "ann", BYTES("u|O:4:\"User\":2:{s:7:\"\0*\0name\";s:3:\"ann\";s:1:\"a\";N;}"));
    assert_theirs(FORMAT_PHP, "/u", "ann", BYTES("c|C:1:\"X\":5:{u|s:3};e|E:3:\"A:B\";r|R:1;d|d:1.5;u|s:3:\"ann\";"));
}

static void php_that_lies_about_its_lengths_is_unreadable(void **state)
{
    (void)state;
    assert_unreadable(FORMAT_PHP, "/user", "ann", BYTES("user|s:99:\"ann\";"));
    assert_unreadable(FORMAT_PHP, "/user", "ann", BYTES("user|s:99999999999999999999:\"ann\";"));
    assert_unreadable(FORMAT_PHP, "/user", "ann", BYTES("a|a:1:{i:0;user|s:3:\"ann\";"));
    assert_unreadable(FORMAT_PHP, "/user", "ann", BYTES("ann"));
}

static void a_php_value_nested_without_end_is_unreadable(void **state)
{
    struct buf deep = { 0 };

    (void)state;
    buf_add_str(&deep, "a|");
    for (int i = 0; i < 100000; i++)
        buf_add_str(&deep, "a:1:{i:0;");
    buf_add_str(&deep, "user|s:3:\"ann\";");
    assert_unreadable(FORMAT_PHP, "/user", "ann", deep.bytes, deep.length);
    buf_free(&deep);
}

static void a_serialised_value_may_be_wrapped_once_more(void **state)
{
    (void)state;
    assert_theirs(FORMAT_SERIALIZED, "/u", "ann", BYTES("a:1:{s:1:\"u\";s:3:\"ann\";}"));
    assert_theirs(FORMAT_SERIALIZED, "/u", "ann", BYTES("s:24:\"a:1:{s:1:\"u\";s:3:\"ann\";}\";"));
    assert_other(FORMAT_SERIALIZED, "/u", "ann", BYTES("s:25:\"a:1:{s:1:\"u\";s:4:\"anna\";}\";"));
}

/* ---- Django ---- */

/* As django.core.signing.dumps does it. */
static char *django_value(const char *json, bool packed)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[512];
    uLongf length = sizeof(bytes);
    struct buf text = { 0 };

    if (packed)
        assert_int_equal(compress(bytes, &length, (const Bytef *)json, strlen(json)), Z_OK);
    else
        memcpy(bytes, json, length = strlen(json));
    if (packed)
        buf_add_char(&text, '.');
    for (size_t i = 0; i < length; i += 3) {
        unsigned group =
            (unsigned)bytes[i] << 16 | (i + 1 < length ? (unsigned)bytes[i + 1] << 8 : 0) | (i + 2 < length ? bytes[i + 2] : 0);
        size_t count = length - i >= 3 ? 4 : length - i + 1;
        for (size_t j = 0; j < count; j++)
            buf_add_char(&text, digits[group >> (18 - 6 * j) & 63]);
    }
    buf_add_str(&text, ":1tT0Aa:c2lnbmF0dXJl");
    return buf_take(&text);
}

static void djangos_signed_data_is_read_without_its_key(void **state)
{
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        cleanup_free char *value = django_value("{\"_auth_user_id\":\"17\",\"_auth_user_hash\":\"17x\"}", packed);
        assert_theirs(FORMAT_DJANGO, "/_auth_user_id", "17", value, strlen(value));
        assert_other(FORMAT_DJANGO, "/_auth_user_id", "1", value, strlen(value));
    }
    assert_unreadable(FORMAT_DJANGO, "/_auth_user_id", "17", BYTES("gAR9lC4:1tT0Aa:c2ln"));
    assert_unreadable(FORMAT_DJANGO, "/_auth_user_id", "17", BYTES(".eJw:1tT0Aa:c2ln"));
    assert_unreadable(FORMAT_DJANGO, "/_auth_user_id", "17", BYTES("no colon"));
}

static void a_zip_bomb_is_not_inflated_without_end(void **state)
{
    size_t length = 64u << 20;
    uLongf packed_length = compressBound(length);
    char *plain = calloc(1, length), *packed = malloc(packed_length);
    struct buf value = { 0 };

    (void)state;
    assert_true(plain != NULL && packed != NULL);
    assert_int_equal(compress((Bytef *)packed, &packed_length, (const Bytef *)plain, length), Z_OK);
    free(plain);
    buf_add_char(&value, '.');
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i + 2 < packed_length; i += 3) {
        unsigned group =
            (unsigned)(unsigned char)packed[i] << 16 | (unsigned)(unsigned char)packed[i + 1] << 8 | (unsigned char)packed[i + 2];
        for (int j = 0; j < 4; j++)
            buf_add_char(&value, digits[group >> (18 - 6 * j) & 63]);
    }
    free(packed);
    buf_add_str(&value, ":t:s");
    assert_unreadable(FORMAT_DJANGO, "/_auth_user_id", "17", value.bytes, value.length);
    buf_free(&value);
}

/* ---- tokens ---- */

static void a_token_is_a_whole_name(void **state)
{
    (void)state;
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("ann"));
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("{\"_user_id\": \"ann\"}"));
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("anna ann joann"));
    assert_theirs(FORMAT_TOKEN, NULL, "ann@example.com", BYTES("<ann@example.com>"));
    static const char *const strangers[] = { "anna", "joann", "ann@example.com", "ann.lee", "ann-marie", "ann_1", "\"ann lee\"",
                                             "ann\xc3\xa9", "\xc3\xa3" "ann", "s:7:\"ann lee\";", "\"ann" };
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        assert_other(FORMAT_TOKEN, NULL, "ann", strangers[i], strlen(strangers[i]));
    assert_other(FORMAT_TOKEN, NULL, "", BYTES("ann"));
}

static void a_length_in_front_of_a_name_decides(void **state)
{
    (void)state;
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("\x8c\x03" "annq"));             /* pickle, protocol 4 */
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("X\x03\0\0\0annq\x05"));         /* protocol 2 */
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("\x81\xa8_user_id\xa3" "annx")); /* MessagePack */
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("\xd9\x03" "annx"));
    assert_theirs(FORMAT_TOKEN, NULL, "ann", BYTES("s:3:\"ann\";"));
    assert_other(FORMAT_TOKEN, NULL, "ann", BYTES("\x8c\x05" "ann x"));
    assert_other(FORMAT_TOKEN, NULL, "ann", BYTES("X\x05\0\0\0ann x"));
    assert_other(FORMAT_TOKEN, NULL, "ann", BYTES("\xa5" "ann x"));
}

/* 32 + 5 = '%', 29 + 5 = '"': a length that looks like a character beside the name. */
static void a_length_of_rubys_marshal_is_no_character(void **state)
{
    static const char name[] = "ann.lee.of.sales@bigger.example.com", *lengths = "%+./09\"'";

    (void)state;
    for (const char *at = lengths; *at != '\0'; at++) {
        cleanup_free char *user = str_printf("%.*s", *at - 5, "a.long.long.name.of.sales@the.branches.abroad.example.com.au");
        cleanup_free char *value = str_printf("\x04\bo: I\"%c%s\6:\6ET", *at, user);
        assert_theirs(FORMAT_TOKEN, NULL, user, value, strlen(value));
    }
    assert_other(FORMAT_TOKEN, NULL, name, BYTES("I\"/ann.lee.of.sales@bigger.example.com.au\x06"));
}

static void a_number_counts_only_behind_its_member(void **state)
{
    (void)state;
    assert_theirs(FORMAT_TOKEN, "/_user_id", "7", BYTES("\x82\xa8_user_id\xa1" "7\xa3qty\xa1" "9"));
    assert_other(FORMAT_TOKEN, "/_user_id", "9", BYTES("\x82\xa8_user_id\xa1" "7\xa3qty\xa1" "9"));
    assert_other(FORMAT_TOKEN, "/_user_id", "7", BYTES("\x81\xaaxx_user_id\xa1" "7"));
    assert_theirs(FORMAT_TOKEN, "/_user_id", "7", BYTES("\x8c\x08_user_id\x94\x8c\x01" "7\x94"));
    assert_theirs(FORMAT_TOKEN, "/_user_id", "7", BYTES("X\x08\0\0\0_user_idr\0\1\0\0X\1\0\0\0" "7q\2"));
    assert_theirs(FORMAT_TOKEN, "/_user_id", "7", BYTES("{\"_user_id\": \"7\", \"qty\": \"9\"}"));
    assert_other(FORMAT_TOKEN, "/_user_id", "9", BYTES("{\"_user_id\": \"7\", \"qty\": \"9\"}"));
    assert_theirs(FORMAT_TOKEN, "/_user_id", "ann", BYTES("a:1:{s:8:\"_user_id\";s:3:\"ann\";}"));
    assert_theirs(FORMAT_TOKEN, "/user", "ann", BYTES("\x04\b{\x06I\"\tuser\6:\6ETI\"\bann\x06;\0T"));
}

static void a_java_text_has_exactly_the_names_length(void **state)
{
    (void)state;
    assert_theirs(FORMAT_JAVA, NULL, "ann", BYTES("\xac\xed\0\5sr\0\1At\0\3annxp"));
    assert_other(FORMAT_JAVA, NULL, "ann", BYTES("\xac\xed\0\5sr\0\1At\0\4annaxp"));
    assert_other(FORMAT_JAVA, NULL, "ann", BYTES("\xac\xed\0\5sr\0\1A ann "));
    assert_theirs(FORMAT_JAVA, NULL, "ann", BYTES("{\"username\":\"ann\"}"));
}

static void base64_around_a_value_is_taken_off(void **state)
{
    const char *const users[] = { "ann", NULL };
    const struct layout layout = { .format = FORMAT_SERIALIZED, .encoding = ENCODING_BASE64, .user_at = (char *)(uintptr_t)"/u" };

    (void)state;
    assert_int_equal(match_value(&layout, users, BYTES("YToxOntzOjE6InUiO3M6MzoiYW5uIjt9"), NULL), MATCH_THEIRS);
    assert_int_equal(match_value(&layout, users, BYTES("no base64 !"), NULL), MATCH_UNREADABLE);
}

static void a_value_tells_its_owner(void **state)
{
    const struct layout json = { .format = FORMAT_JSON, .user_at = (char *)(uintptr_t)"/u", .created_at = (char *)(uintptr_t)"/t",
                                 .created_unit = UNIT_SECONDS };
    const struct layout token = { .format = FORMAT_TOKEN };
    char *user = NULL;
    int64_t created_us = -1;

    (void)state;
    assert_int_equal(match_owner(&json, BYTES("{\"u\":\"ann\",\"t\":1700000000.5}"), &user, &created_us), MATCH_THEIRS);
    assert_string_equal(user, "ann");
    assert_int_equal(created_us, 1700000000500000);
    free(user);
    assert_int_equal(match_owner(&json, BYTES("{\"t\":1}"), &user, NULL), MATCH_OTHER);
    assert_int_equal(match_owner(&json, BYTES("{"), &user, NULL), MATCH_UNREADABLE);
    assert_false(match_tells_owner(&token));
}

static void times_are_read_in_their_unit(void **state)
{
    (void)state;
    assert_int_equal(match_time(UNIT_MILLISECONDS, BYTES("1700000000123")), 1700000000123000);
    assert_int_equal(match_time(UNIT_SECONDS, BYTES("1700000000")), 1700000000000000);
    assert_int_equal(match_time(UNIT_DATE, BYTES("2023-11-14 22:13:20")), 1700000000000000);
    assert_int_equal(match_time(UNIT_DATE, BYTES("2023-11-14 22:13:20.5+00")), 1700000000500000);
    assert_int_equal(match_time(UNIT_DATE, BYTES("2023-11-14T23:13:20+01:00")), 1700000000000000);
    assert_int_equal(match_time(UNIT_SECONDS, BYTES("soon")), 0);
    assert_int_equal(match_time(UNIT_SECONDS, BYTES("-5")), 0);
    assert_int_equal(match_time(UNIT_SECONDS, BYTES("1e300")), 0);
    assert_int_equal(match_time(UNIT_DATE, BYTES("tomorrow at noon, or so")), 0);
}

/* ---- looks ---- */

/* All ways to cut the value into two or more pieces come to the same. */
static enum match look_as(const struct layout *layout, const char *user, const char *bytes, size_t length)
{
    static const size_t pieces[] = { 1, 7, 4096, SIZE_MAX };
    const char *const users[] = { "somebody.else", user, NULL };
    enum match match = MATCH_OTHER;

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct look *look = look_begin(layout);
        assert_non_null(look);
        assert_true(look_for(look, users));
        for (size_t at = 0, part; at < length; at += part) {
            part = length - at < pieces[i] ? length - at : pieces[i];
            look_piece(look, bytes + at, part);
        }
        enum match found = look_end(look, 0);
        assert_true(i == 0 || found == match);
        match = found;
        look_free(look);
    }
    return match;
}

static void a_look_finds_a_whole_name_wherever_it_stands(void **state)
{
    const struct {
        int format;
        const char *value;
        size_t length;
        enum match match;
    } rows[] = {
        { FORMAT_PHP, BYTES("x|Z:3:what;user|s:3:\"ann\";"), MATCH_THEIRS },    /* a type letter that is not known */
        { FORMAT_PHP, BYTES("x|Z:3:what;user|s:4:\"anna\";"), MATCH_OTHER },
        { FORMAT_PHP, BYTES("user|s:300:\"ann\";"), MATCH_OTHER },             /* its length says that it is another's */
        { FORMAT_PHP, BYTES("\x00\x00\x00\x02\x14\x01\x11\x04user\x11\x03" "ann"), MATCH_THEIRS }, /* igbinary */
        { FORMAT_PHP, BYTES("\x00\x00\x00\x02\x14\x01\x11\x04user\x11\x04" "anna"), MATCH_UNREADABLE },
        { FORMAT_SERIALIZED, BYTES("s:9:\"eyJpdiI6I\";"), MATCH_UNREADABLE },  /* Laravel, encrypted */
        { FORMAT_SERIALIZED, BYTES("s:22:\"a:1:{s:1:\"u\";s:1:\"x\";\";"), MATCH_OTHER },
        { FORMAT_JSON, BYTES("{\"u\":\"\\u0061nn\""), MATCH_THEIRS },
        { FORMAT_JSON, BYTES("\"{\\\"user\\\":\\\"ann\\\"}\""), MATCH_THEIRS }, /* coded twice */
        { FORMAT_JSON, BYTES("\"c2VjcmV0\""), MATCH_UNREADABLE },
        { FORMAT_JSON, BYTES("17"), MATCH_OTHER },
        { FORMAT_JSON, BYTES("\x28\xb5\x2f\xfd\x10" "ann "), MATCH_THEIRS },        /* zstd leaves some as it is */
        { FORMAT_JSON, BYTES("\x28\xb5\x2f\xfd" "a"), MATCH_UNREADABLE },
        { FORMAT_TOKEN, BYTES("\x28\xb5\x2f\xfd" "a"), MATCH_UNREADABLE },
        { FORMAT_TOKEN, BYTES("\x80\x04 anna"), MATCH_OTHER },
        { FORMAT_JAVA, BYTES("\xac\xed\0\5t\0\3ann"), MATCH_THEIRS },
        { FORMAT_DJANGO, BYTES("eyJ1c2VyIjoiYW5uIiw:1tT0Aa:c2ln"), MATCH_THEIRS }, /* {"user":"ann", */
        { FORMAT_DJANGO, BYTES("gAR9lC4:1tT0Aa:c2ln"), MATCH_UNREADABLE },
        { FORMAT_JSON, BYTES("{\"u\":\"ANN\""), MATCH_CASED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct layout layout = { .format = rows[i].format, .user_at = (char *)(uintptr_t)"/user" };
        enum match match = look_as(&layout, "ann", rows[i].value, rows[i].length);
        if (match != rows[i].match)
            fail_msg("row %zu: %d instead of %d", i, match, rows[i].match);
        const char *const users[] = { "ann", NULL };
        assert_int_equal(look_at_value(&layout, users, rows[i].value, rows[i].length, NULL), rows[i].match);
    }
}

static void a_number_in_a_value_that_cannot_be_read_counts_only_behind_its_member(void **state)
{
    const struct layout layout = { .format = FORMAT_PHP, .user_at = (char *)(uintptr_t)"/user" };

    (void)state;
    assert_int_equal(look_as(&layout, "7", BYTES("x|Z:1;user|i:7;")), MATCH_THEIRS);
    assert_int_equal(look_as(&layout, "7", BYTES("x|Z:1;user|s:1:\"7\";")), MATCH_THEIRS);
    assert_int_equal(look_as(&layout, "7", BYTES("x|Z:1;qty|i:7;user|i:8;")), MATCH_OTHER);
}

static void padding_and_compression_hide_nobody(void **state)
{
    static const int windows[] = { 15, 15 + 16 }; /* zlib, gzip */
    const struct layout layout = { .format = FORMAT_JSON, .user_at = (char *)(uintptr_t)"/user" };
    struct buf plain = { 0 };

    (void)state;
    buf_add_str(&plain, "{\"fill\":[");
    for (int i = 0; i < 20000; i++)
        buf_printf(&plain, "\"ann%d@example.com\",", i * 7919);
    buf_add_str(&plain, "0],\"user\":\"ann\"}");
    assert_int_equal(look_as(&layout, "ann", plain.bytes, plain.length), MATCH_THEIRS);
    assert_int_equal(look_as(&layout, "bob", plain.bytes, plain.length), MATCH_OTHER);
    for (size_t i = 0; i < 2; i++) {
        z_stream stream = { .next_in = (Bytef *)plain.bytes, .avail_in = (uInt)plain.length };
        assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, windows[i], 8, Z_DEFAULT_STRATEGY), Z_OK);
        size_t room = deflateBound(&stream, plain.length);
        char *packed = malloc(room);
        stream.next_out = (Bytef *)packed;
        stream.avail_out = (uInt)room;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        size_t length = stream.total_out;
        deflateEnd(&stream);
        assert_int_equal(look_as(&layout, "ann", packed, length), MATCH_THEIRS);
        assert_int_equal(look_as(&layout, "bob", packed, length), MATCH_OTHER);
        assert_int_equal(look_as(&layout, "bob", packed, length / 2), MATCH_UNREADABLE); /* cut off */
        free(packed);
    }
    buf_free(&plain);
}

static void a_name_in_another_case_is_told_or_counts_as_the_layout_says(void **state)
{
    static const enum match by_case[] = { [CASE_TELL] = MATCH_CASED, [CASE_EXACT] = MATCH_OTHER, [CASE_IGNORED] = MATCH_THEIRS };
    const char *const users[] = { "ann@example.com", NULL };

    (void)state;
    for (int ignore_case = CASE_TELL; ignore_case <= CASE_IGNORED; ignore_case++) {
        const struct layout json = { .format = FORMAT_JSON, .user_at = (char *)(uintptr_t)"/u", .ignore_case = ignore_case };
        const struct layout token = { .format = FORMAT_TOKEN, .ignore_case = ignore_case };
        assert_int_equal(match_value(&json, users, BYTES("{\"u\":\"Ann@Example.com\"}"), NULL), by_case[ignore_case]);
        assert_int_equal(match_value(&token, users, BYTES("\xaf" "ANN@EXAMPLE.COM;"), NULL), by_case[ignore_case]);
        assert_int_equal(match_value(&json, users, BYTES("{\"u\":\"Hann@Example.com\"}"), NULL), MATCH_OTHER);
        assert_int_equal(match_name(&json, users, BYTES("ANN@example.com")), by_case[ignore_case]);
        assert_int_equal(match_name(&json, users, BYTES("ann@example.com")), MATCH_THEIRS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_looked_up_by_its_pointer),
        cmocka_unit_test(an_escape_in_json_hides_nobody),
        cmocka_unit_test(php_is_walked_by_its_lengths),
        cmocka_unit_test(php_that_lies_about_its_lengths_is_unreadable),
        cmocka_unit_test(a_php_value_nested_without_end_is_unreadable),
        cmocka_unit_test(a_serialised_value_may_be_wrapped_once_more),
        cmocka_unit_test(djangos_signed_data_is_read_without_its_key),
        cmocka_unit_test(a_zip_bomb_is_not_inflated_without_end),
        cmocka_unit_test(a_token_is_a_whole_name),
        cmocka_unit_test(a_length_in_front_of_a_name_decides),
        cmocka_unit_test(a_length_of_rubys_marshal_is_no_character),
        cmocka_unit_test(a_number_counts_only_behind_its_member),
        cmocka_unit_test(a_java_text_has_exactly_the_names_length),
        cmocka_unit_test(base64_around_a_value_is_taken_off),
        cmocka_unit_test(a_value_tells_its_owner),
        cmocka_unit_test(times_are_read_in_their_unit),
        cmocka_unit_test(a_look_finds_a_whole_name_wherever_it_stands),
        cmocka_unit_test(a_number_in_a_value_that_cannot_be_read_counts_only_behind_its_member),
        cmocka_unit_test(padding_and_compression_hide_nobody),
        cmocka_unit_test(a_name_in_another_case_is_told_or_counts_as_the_layout_says),
    };

    return cmocka_run_group_tests_name("whose session a value is", tests, NULL, NULL);
}
