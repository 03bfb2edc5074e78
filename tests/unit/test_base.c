/* base/: strings, clocks, errors, files and secrets, faults, random numbers, problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/problem.h"
#include "base/random.h"
#include "base/str.h"
#include "tests/support/faults.h"

static char folder[] = "/tmp/provost-base-XXXXXX";
static struct error error;

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int clean(void **state)
{
    cleanup_free char *path = str_printf("%s/f", folder);

    (void)state;
    unlink(path);
    error = (struct error){ 0 };
    return fault_set(NULL, NULL);
}

/* ---- str ---- */

static void a_buffer_grows_and_stays_terminated(void **state)
{
    struct buf buf = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_printf(&buf, "%d,", i);
    buf_add(&buf, "a\0b", 3);
    assert_false(buf.failed);
    assert_int_equal(buf.length, 3890 + 3);
    assert_int_equal(buf.bytes[buf.length], '\0');
    buf_reset(&buf);
    assert_string_equal(buf.bytes, "");
    buf_add_str(&buf, "x");
    buf_add_char(&buf, 'y');
    cleanup_free char *text = buf_take(&buf);
    assert_string_equal(text, "xy");
    assert_null(buf.bytes);
}

static void an_empty_buffer_gives_an_empty_text(void **state)
{
    struct buf buf = { 0 };

    (void)state;
    cleanup_free char *text = buf_take(&buf);
    assert_string_equal(text, "");
}

static void a_buffer_that_cannot_grow_stays_failed(void **state)
{
    struct buf buf = { 0 };

    (void)state;
    buf_add_str(&buf, "begun");
    buf_add(&buf, "", (size_t)-1);
    assert_true(buf.failed);
    buf_add_str(&buf, "more");
    assert_int_equal(buf.length, 5);
    assert_null(buf_take(&buf));
    buf_add_str(&buf, "afresh");
    assert_false(buf.failed);
    buf_free(&buf);
}

static void prefixes_and_suffixes(void **state)
{
    (void)state;
    assert_true(str_starts("file:x", "file:"));
    assert_false(str_starts("fil", "file:"));
    assert_true(str_ends("a.conf", ".conf"));
    assert_false(str_ends("conf", ".conf"));
    assert_true(str_equal(NULL, NULL));
    assert_false(str_equal(NULL, ""));
    assert_null(str_dup(NULL));
}

static const struct {
    const char *bytes;
    bool valid;
} utf8[] = {
    { "", true },
    { "plain", true },
    { "\xc3\xa9", true },
    { "\xe2\x82\xac", true },
    { "\xf0\x9f\x98\x80", true },
    { "\xf4\x8f\xbf\xbf", true },
    { "\x80", false },             /* a continuation alone */
    { "\xc3", false },             /* cut off */
    { "\xc0\xaf", false },         /* overlong */
    { "\xe0\x80\xaf", false },     /* overlong */
    { "\xf0\x80\x80\xaf", false }, /* overlong */
    { "\xed\xa0\x80", false },     /* a surrogate */
    { "\xf4\x90\x80\x80", false }, /* beyond the last */
    { "\xff", false },
    { "a\xc3(", false },
};

static void utf8_is_told_from_what_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++)
        if (str_is_utf8(utf8[i].bytes, strlen(utf8[i].bytes)) != utf8[i].valid)
            fail_msg("row %zu", i);
}

static const struct {
    const char *text, *shown;
} visible[] = {
    { "plain \xc3\xa9 \xf0\x9f\x98\x80", "plain \xc3\xa9 \xf0\x9f\x98\x80" },
    { "\x1b[31m\x7f\n", "\\x1b[31m\\x7f\\x0a" },
    { "\xc2\x9b" "31m", "\\xc2\\x9b31m" },      /* C1's CSI: both bytes */
    { "a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb" }, /* right to left */
    { "\xe2\x81\xa6\xe2\x80\xa8", "\\xe2\\x81\\xa6\\xe2\\x80\\xa8" },
    { "\xc3\xa9\xa9\xff\xc3", "\xc3\xa9\\xa9\\xff\\xc3" },                            /* no UTF-8 */
    { "\xe2\x80\xa7\xe2\x80\xaf\xc2\xa0", "\xe2\x80\xa7\xe2\x80\xaf\xc2\xa0" }, /* beside the ranges */
};

static void what_would_steer_a_terminal_is_made_visible(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(visible) / sizeof(visible[0]); i++) {
        cleanup_buf struct buf buf = { 0 };
        buf_add_visible(&buf, visible[i].text);
        assert_string_equal(buf.bytes, visible[i].shown);
    }
}

static void a_cut_character_goes_whole(void **state)
{
    char cut[] = "ab\xe2\x82", whole[] = "ab\xe2\x82\xac", plain[] = "ab", only[] = "\xc3";

    (void)state;
    str_trim_partial_utf8(cut);
    str_trim_partial_utf8(whole);
    str_trim_partial_utf8(plain);
    str_trim_partial_utf8(only);
    assert_string_equal(cut, "ab");
    assert_string_equal(whole, "ab\xe2\x82\xac");
    assert_string_equal(plain, "ab");
    assert_string_equal(only, "");
}

static void the_nearest_word_is_found_and_a_far_one_is_not(void **state)
{
    static const char *const words[] = { "port", "address", "certificate", NULL };

    (void)state;
    assert_string_equal(str_nearest("prot", words), "port");
    assert_string_equal(str_nearest("ADDRES", words), "address");
    assert_string_equal(str_nearest("cretificate", words), "certificate");
    assert_null(str_nearest("elephant", words));
    assert_null(str_nearest("", words));
    assert_null(str_nearest("a-word-that-is-so-long-that-nobody-could-have-meant-it-as-any-option", words));
}

static const struct {
    const char *text;
    long long us; /* -1: refused */
} durations[] = {
    { "30 days", 2592000000000 }, { "1 week", 604800000000 }, { "2 hours", 7200000000 }, { "10 s", 10000000 }, { "250 ms", 250000 },
    { "250ms", 250000 },          { "0 s", 0 },              { "1 minute", 60000000 },  { "5", -1 },          { "", -1 },
    { "-1 s", -1 },               { "1 parsec", -1 },        { "1 s ", -1 },            { " 1 s", -1 },       { "9223372036854775807 s", -1 },
    { "99999999999999999999 s", -1 },
};

static void durations_need_a_unit_and_do_not_overflow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        long long us = -1;
        bool good = str_to_duration_us(durations[i].text, &us);
        if (us != durations[i].us || good != (durations[i].us >= 0))
            fail_msg("\"%s\" is %lld", durations[i].text, us);
    }
}

static void numbers_are_whole_or_refused(void **state)
{
    long long value = 7;

    (void)state;
    assert_true(str_to_int64("-12", &value));
    assert_int_equal(value, -12);
    assert_false(str_to_int64("", &value));
    assert_false(str_to_int64(" 1", &value));
    assert_false(str_to_int64("1x", &value));
    assert_false(str_to_int64("9223372036854775808", &value));
    assert_int_equal(value, -12);
}

/* ---- clock ---- */

static const struct {
    const char *text;
    int64_t us;
    const char *back;
} times[] = {
    { "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z" },
    { "2026-11-22T21:10:03.123Z", 1795381803123000, "2026-11-22T21:10:03.123Z" },
    { "2026-11-22T21:10:03.123456Z", 1795381803123456, "2026-11-22T21:10:03.123Z" },
    { "2026-11-22T21:10:03.1234569Z", 1795381803123456, "2026-11-22T21:10:03.123Z" },
    { "2026-11-22T23:10:03+02:00", 1795381803000000, "2026-11-22T21:10:03.000Z" },
    { "2026-11-22T16:10:03-0500", 1795381803000000, "2026-11-22T21:10:03.000Z" },
    { "1969-12-31T23:59:59.5Z", -500000, "1969-12-31T23:59:59.500Z" },
    { "2024-02-29T00:00:00Z", 1709164800000000, "2024-02-29T00:00:00.000Z" },
};

static void times_are_read_in_all_their_forms_and_written_in_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct wall wall = { 1 };
        char text[WALL_TEXT_BYTES];
        assert_true(wall_parse(times[i].text, &wall));
        assert_int_equal(wall.us, times[i].us);
        wall_format(wall, text);
        assert_string_equal(text, times[i].back);
    }
}

static const char *const no_times[] = {
    "", "null", "2026-11-22", "2026-11-22T21:10:03", "2026-13-22T21:10:03Z", "2026-11-00T21:10:03Z", "2026-11-22T24:10:03Z",
    "2026-11-22T21:60:03Z", "2026-11-22T21:10:61Z", "2026-11-22T21:10:03.Z", "2026-11-22T21:10:03Zx", "2026-11-22T21:10:03+24:00",
    "+026-11-22T21:10:03Z", "2026-11-22T21:10:03+2",
};

static void what_is_no_time_is_refused_and_leaves_the_output(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(no_times) / sizeof(no_times[0]); i++) {
        struct wall wall = { 42 };
        if (wall_parse(no_times[i], &wall))
            fail_msg("\"%s\" was read", no_times[i]);
        assert_int_equal(wall.us, 42);
    }
}

static void a_duration_is_told_in_its_two_largest_units(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        { 0, "0 s" }, { 59499, "59 s" }, { 59500, "1 min 0 s" }, { 200000, "3 min 20 s" }, { 3599600, "1 h 0 min" },
        { 7170000, "2 h 0 min" }, { 172799970, "2 d 0 h" }, { 31LL * 86400000 + 7200000, "31 d 2 h" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[DURATION_TEXT_BYTES];
        duration_format(rows[i].ms * 1000, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void times_beyond_the_calendar_do_no_harm(void **state)
{
    char text[WALL_TEXT_BYTES];

    (void)state;
    wall_format((struct wall){ INT64_MAX }, text);
    assert_string_equal(text, "-");
    wall_format((struct wall){ INT64_MIN }, text);
    assert_string_equal(text, "-");
    assert_int_equal(wall_strftime((struct wall){ 0 }, "%F", text, 4), 0);
    assert_int_equal(wall_strftime((struct wall){ 0 }, "%F", text, sizeof(text)), 10);
    assert_string_equal(text, "1970-01-01");
}

static void the_steady_clock_does_not_go_back(void **state)
{
    struct mono before = clock_mono(clock_system()), after = clock_mono(clock_system());

    (void)state;
    assert_true(after.us >= before.us);
    assert_true(clock_wall(clock_system()).us > 1600000000000000);
}

/* ---- error ---- */

static void an_error_carries_its_sentence_and_prefix(void **state)
{
    (void)state;
    assert_int_equal(error_set(&error, ERROR_FULL, "disk %d", 3), ERROR_FULL);
    assert_int_equal(error_prefix(&error, "store %s", "a"), ERROR_FULL);
    assert_string_equal(error.text, "store a: disk 3");
    assert_int_equal(error_set(NULL, ERROR_IO, "nobody listens"), ERROR_IO);
}

static void a_long_error_is_cut_between_characters(void **state)
{
    cleanup_buf struct buf text = { 0 };

    (void)state;
    buf_add_char(&text, 'x');
    for (int i = 0; i < 1000; i++)
        buf_add_str(&text, "\xc3\xa9");
    error_set(&error, ERROR_IO, "%s", text.bytes);
    assert_in_range(strlen(error.text), ERROR_TEXT_BYTES - 3, ERROR_TEXT_BYTES - 1);
    assert_true(str_is_utf8(error.text, strlen(error.text)));
    error_prefix(&error, "a%s", text.bytes);
    assert_true(strlen(error.text) < ERROR_TEXT_BYTES);
    assert_true(str_is_utf8(error.text, strlen(error.text)));
}

static void each_code_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (int code = ERROR_INTERNAL; code < 0; code++) {
        assert_true(strlen(error_name(code)) > 0 && strlen(error_sentence(code)) > 0);
        assert_string_not_equal(error_name(code), "ok");
    }
    assert_string_equal(error_name(-9999), "internal");
    assert_int_equal(error_from_errno(ENOSPC), ERROR_FULL);
    assert_int_equal(error_from_errno(EROFS), ERROR_READONLY);
    assert_int_equal(error_from_errno(EPIPE), ERROR_IO);
}

/* ---- file ---- */

static char *write_file(const char *bytes, size_t length, mode_t mode)
{
    char *path = str_printf("%s/f", folder);
    FILE *stream = fopen(path, "w");

    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void a_file_is_read_whole_up_to_its_limit(void **state)
{
    cleanup_free char *path = write_file("a\0b", 3, 0600), *bytes = NULL;
    char *untouched = NULL;
    size_t length = 0;

    (void)state;
    assert_int_equal(file_read(path, 3, &bytes, &length, &error), 0);
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "a\0b", 4);
    assert_int_equal(file_read(path, 2, &untouched, &length, &error), ERROR_TOOBIG);
    assert_int_equal(file_read("/nowhere", 2, &untouched, &length, &error), ERROR_NOTFOUND);
    assert_non_null(strstr(error.text, "/nowhere"));
    assert_true(file_read(folder, 2, &untouched, &length, &error) < 0);
    assert_null(untouched);
}

static void names_are_joined_to_folders(void **state)
{
    cleanup_free char *beside = file_join("a", "b"), *absolute = file_join("a", "/b"), *alone = file_join(NULL, "b");

    (void)state;
    assert_string_equal(beside, "a/b");
    assert_string_equal(absolute, "/b");
    assert_string_equal(alone, "b");
}

static const struct {
    const char *bytes;
    size_t length;
    mode_t mode;
    const char *secret; /* NULL: refused */
} secrets[] = {
    { "geheim\n", 7, 0600, "geheim" }, { "geheim\r\n", 8, 0640, "geheim" }, { "two words", 9, 0600, "two words" },
    { "two\n\n", 5, 0600, "two\n" },   { "", 0, 0600, NULL },               { "\n", 1, 0600, NULL },
    { "a\0b", 3, 0600, NULL },         { "geheim\n", 7, 0604, NULL },
};

static void a_secret_comes_from_a_file_that_others_cannot_read(void **state)
{
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        cleanup_free char *path = write_file(secrets[i].bytes, secrets[i].length, secrets[i].mode);
        cleanup_free char *reference = str_printf("file:%s", path);
        char *secret = NULL;
        int code = secret_read(reference, &secret, &error);
        assert_int_equal(code == 0, secrets[i].secret != NULL);
        if (secrets[i].secret != NULL)
            assert_string_equal(secret, secrets[i].secret);
        else
            assert_null(strstr(error.text, "geheim"));
        secret_free(secret);
        clean(state);
    }
}

static void a_secret_comes_from_the_environment_or_systemd(void **state)
{
    cleanup_free char *path = write_file("geheim\n", 7, 0600);
    char *secret = NULL;

    (void)state;
    assert_non_null(path);
    setenv("PROVOST_TEST_SECRET", "abc", 1);
    assert_int_equal(secret_read("env:PROVOST_TEST_SECRET", &secret, &error), 0);
    assert_string_equal(secret, "abc");
    secret_free(secret);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(secret_read("credential:f", &secret, &error), ERROR_NOTFOUND);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    assert_int_equal(secret_read("credential:f", &secret, &error), 0);
    assert_string_equal(secret, "geheim");
    secret_free(secret);
    assert_int_equal(secret_read("credential:../f", &secret, &error), ERROR_INVALID);
    assert_int_equal(secret_read("geheim", &secret, &error), ERROR_INVALID);
    assert_null(strstr(error.text, "geheim"));
}

/* ---- fault ---- */

static void a_fault_comes_from_its_passing_on_and_so_often(void **state)
{
    (void)state;
    NEEDS_FAULT_POINTS;
    assert_int_equal(fault_point(FAULT_STORE_WRITE), 0);
    assert_int_equal(fault_set("store.write=full*2@3,store.begin=busy", &error), 0);
    assert_int_equal(fault_point(FAULT_STORE_WRITE), 0);
    assert_int_equal(fault_point(FAULT_STORE_WRITE), 0);
    assert_int_equal(fault_point(FAULT_STORE_WRITE), ERROR_FULL);
    assert_int_equal(fault_point(FAULT_STORE_WRITE), ERROR_FULL);
    assert_int_equal(fault_point(FAULT_STORE_WRITE), 0);
    assert_int_equal(fault_point(FAULT_STORE_BEGIN), ERROR_BUSY);
    assert_int_equal(fault_point(FAULT_STORE_COMMIT), 0);
    assert_int_equal(fault_set("", &error), 0);
    assert_int_equal(fault_point(FAULT_STORE_BEGIN), 0);
}

static void a_fault_that_cannot_be_understood_is_refused_and_changes_nothing(void **state)
{
    static const char *const wrong[] = { "store.begin", "store.begin=nothing", "store.begin=", "=", "store.beginning=io" };

    (void)state;
    NEEDS_FAULT_POINTS;
    assert_int_equal(fault_set("store.begin=io", &error), 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(fault_set(wrong[i], &error), ERROR_SYNTAX);
    assert_int_equal(fault_point(FAULT_STORE_BEGIN), ERROR_IO);
}

static void a_build_without_fault_points_refuses_faults(void **state)
{
    (void)state;
    if (fault_built)
        return;
    assert_int_equal(fault_set("store.begin=io", &error), ERROR_INVALID);
    assert_non_null(strstr(error.text, "--enable-fault-points"));
    assert_int_equal(fault_point(FAULT_STORE_BEGIN), 0);
}

static void a_kill_fault_kills(void **state)
{
    int status;

    (void)state;
    NEEDS_FAULT_POINTS;
    pid_t child = fork();
    if (child == 0) {
        fault_set("store.begin=kill@2", NULL);
        fault_point(FAULT_STORE_BEGIN);
        fault_point(FAULT_STORE_BEGIN);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- random ---- */

static void a_seed_gives_the_same_numbers_again(void **state)
{
    struct random_seeded one, two, other;

    (void)state;
    random_seeded_init(&one, 1);
    random_seeded_init(&two, 1);
    random_seeded_init(&other, 2);
    uint64_t first = one.source.next(&one.source);
    assert_int_equal(first, two.source.next(&two.source));
    assert_int_not_equal(first, other.source.next(&other.source));
    assert_int_not_equal(random_system()->next(random_system()), random_system()->next(random_system()));
}

static void numbers_below_a_limit_reach_all_of_it(void **state)
{
    struct random_seeded seeded;
    int seen[5] = { 0 };

    (void)state;
    random_seeded_init(&seeded, 3);
    for (int i = 0; i < 1000; i++) {
        uint64_t number = random_below(&seeded.source, 5);
        assert_true(number < 5);
        seen[number]++;
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(seen[i], 150, 250);
    assert_int_equal(random_below(&seeded.source, 0), 0);
}

/* ---- problem ---- */

static void problems_are_printed_with_the_parts_that_are_known(void **state)
{
    struct problems problems = { 0 };
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    (void)state;
    problems_add(&problems, "a.conf", 3, 7, "wrong %s", "x");
    problems_add(&problems, "a.conf", 3, 0, "no column");
    problems_add(&problems, "a.conf", 0, 0, "no line");
    problems_add(&problems, NULL, 0, 0, "no file");
    problems_print(&problems, stream);
    fclose(stream);
    assert_string_equal(text, "a.conf:3:7: wrong x\na.conf:3: no column\na.conf: no line\nno file\n");
    free(text);
    problems_free(&problems);
    assert_int_equal(problems.count, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_buffer_grows_and_stays_terminated),
        TEST(an_empty_buffer_gives_an_empty_text),
        TEST(a_buffer_that_cannot_grow_stays_failed),
        TEST(prefixes_and_suffixes),
        TEST(utf8_is_told_from_what_is_not),
        TEST(what_would_steer_a_terminal_is_made_visible),
        TEST(a_cut_character_goes_whole),
        TEST(the_nearest_word_is_found_and_a_far_one_is_not),
        TEST(durations_need_a_unit_and_do_not_overflow),
        TEST(numbers_are_whole_or_refused),
        TEST(times_are_read_in_all_their_forms_and_written_in_one),
        TEST(what_is_no_time_is_refused_and_leaves_the_output),
        TEST(a_duration_is_told_in_its_two_largest_units),
        TEST(times_beyond_the_calendar_do_no_harm),
        TEST(the_steady_clock_does_not_go_back),
        TEST(an_error_carries_its_sentence_and_prefix),
        TEST(a_long_error_is_cut_between_characters),
        TEST(each_code_has_a_name_and_a_sentence),
        TEST(a_file_is_read_whole_up_to_its_limit),
        TEST(names_are_joined_to_folders),
        TEST(a_secret_comes_from_a_file_that_others_cannot_read),
        TEST(a_secret_comes_from_the_environment_or_systemd),
        TEST(a_fault_comes_from_its_passing_on_and_so_often),
        TEST(a_fault_that_cannot_be_understood_is_refused_and_changes_nothing),
        TEST(a_build_without_fault_points_refuses_faults),
        TEST(a_kill_fault_kills),
        TEST(a_seed_gives_the_same_numbers_again),
        TEST(numbers_below_a_limit_reach_all_of_it),
        TEST(problems_are_printed_with_the_parts_that_are_known),
    };

    return cmocka_run_group_tests_name("base", tests, make_folder, remove_folder);
}
