/* The status log: what is written can be read back, and nothing stops for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/str.h"
#include "record/status_log.h"

static struct wall fixed_wall(struct clock *clock)
{
    struct wall wall;

    (void)clock;
    wall_parse("2026-11-22T21:10:03.123Z", &wall);
    return wall;
}

static struct clock fixed = { .wall = fixed_wall };
static char folder[] = "/tmp/provost-log-XXXXXX";
static char path[64], moved[64];
static struct status_log *status_log;
static struct error error;

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/status.log", folder);
    snprintf(moved, sizeof(moved), "%s/status.log.1", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int open_log(void **state)
{
    (void)state;
    return status_log_open(path, &fixed, &status_log, &error);
}

static int close_log(void **state)
{
    (void)state;
    status_log_close(status_log);
    status_log = NULL;
    unlink(path);
    unlink(moved);
    return 0;
}

static char *read_log(const char *name)
{
    char *text = NULL;

    assert_int_equal(file_read(name, 1 << 20, &text, NULL, &error), 0);
    return text;
}

static void a_line_is_logfmt_with_time_and_level(void **state)
{
    const struct log_field fields[] = {
        LOG_TEXT("target", "corp-ldap"), LOG_TEXT("reason", NULL), LOG_TEXT("account", "uid=a,dc=b"), LOG_NUMBER("took_ms", -3),
    };

    (void)state;
    status_log_line(status_log, "info", fields, 4);
    cleanup_free char *text = read_log(path);
    assert_string_equal(text, "2026-11-22T21:10:03.123Z info target=corp-ldap account=\"uid=a,dc=b\" took_ms=-3\n");
}

static const char *const odd_values[] = {
    "plain", "", " ", "two words", "a=b", "say \"hi\"", "back\\slash", "line\nbreak", "tab\tcr\r", "\x01\x1b[31m\x7f", "\xc3\xa9t\xc3\xa9",
    "bad\xff\xfe bytes", "cut\xc3", "\xe2\x82", "\xf0\x9f\x98\x80", "csi\xc2\x9b 31m", "\\x41", "ends in \\", "\"", "turned\xe2\x80\xae", "line\xe2\x80\xa8", "\xc3\xa9\xa9",
};
#define ODD_COUNT (sizeof(odd_values) / sizeof(odd_values[0]))

static void odd_values_come_back_as_they_were(void **state)
{
    struct log_field fields[ODD_COUNT], back[ODD_COUNT + 2];
    char key[ODD_COUNT][8];

    (void)state;
    for (size_t i = 0; i < ODD_COUNT; i++) {
        snprintf(key[i], sizeof(key[i]), "k%zu", i);
        fields[i] = LOG_TEXT(key[i], odd_values[i]);
    }
    status_log_line(status_log, "warning", fields, ODD_COUNT);
    cleanup_free char *text = read_log(path);
    cleanup_free char *scratch = malloc(strlen(text) + 1);
    assert_int_equal(status_log_parse(text, scratch, back, ODD_COUNT + 2), ODD_COUNT + 2);
    assert_string_equal(back[0].text, "2026-11-22T21:10:03.123Z");
    assert_string_equal(back[1].key, "level");
    assert_string_equal(back[1].text, "warning");
    for (size_t i = 0; i < ODD_COUNT; i++) {
        assert_string_equal(back[i + 2].key, key[i]);
        assert_string_equal(back[i + 2].text, odd_values[i]);
    }
}

static void a_line_is_one_line_of_clean_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ODD_COUNT; i++)
        status_log_line(status_log, "info", &LOG_TEXT("v", odd_values[i]), 1);
    cleanup_free char *text = read_log(path);
    size_t lines = 0;
    for (const char *p = text; *p != '\0'; p++) {
        lines += *p == '\n';
        assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
        assert_int_not_equal(*p, 0x7f);
    }
    assert_int_equal(lines, ODD_COUNT);
    assert_true(str_is_utf8(text, strlen(text)));
    assert_null(strstr(text, "\xe2\x80"));
}

static const char *const no_lines[] = {
    "", "hello", "2026-11-22T21:10:03.123Z", "yesterday info a=b", "2026-11-22T21:10:03.123Z info a", "2026-11-22T21:10:03.123Z info =b",
    "2026-11-22T21:10:03.123Z info a=\"b", "2026-11-22T21:10:03.123Z info a=\"b\"c", "2026-11-22T21:10:03.123Z info a=\"\\q\"",
    "2026-11-22T21:10:03.123Z info a=\"\\x4\"", "2026-11-22T21:10:03.123Z info a=\"b\\",
};

static void what_is_no_such_line_is_refused(void **state)
{
    struct log_field fields[8];
    char scratch[128];

    (void)state;
    for (size_t i = 0; i < sizeof(no_lines) / sizeof(no_lines[0]); i++)
        assert_true(status_log_parse(no_lines[i], scratch, fields, 8) < 0);
    assert_true(status_log_parse("2026-11-22T21:10:03.123Z info a=1 b=2", scratch, fields, 3) < 0);
    assert_int_equal(status_log_parse("2026-11-22T21:10:03.123Z info a=1 b=2", scratch, fields, 4), 4);
}

static void after_a_rotation_lines_go_to_the_new_file(void **state)
{
    (void)state;
    status_log_line(status_log, "info", &LOG_TEXT("n", "1"), 1);
    assert_int_equal(rename(path, moved), 0);
    status_log_line(status_log, "info", &LOG_TEXT("n", "2"), 1);
    assert_int_equal(status_log_reopen(status_log, &error), 0);
    status_log_line(status_log, "info", &LOG_TEXT("n", "3"), 1);
    cleanup_free char *before = read_log(moved), *after = read_log(path);
    assert_non_null(strstr(before, "n=1\n"));
    assert_non_null(strstr(before, "n=2\n"));
    assert_null(strstr(before, "n=3\n"));
    assert_string_equal(after, "2026-11-22T21:10:03.123Z info n=3\n");
}

static void lines_are_appended_to_what_is_there(void **state)
{
    (void)state;
    status_log_line(status_log, "info", &LOG_TEXT("n", "1"), 1);
    status_log_close(status_log);
    assert_int_equal(status_log_open(path, &fixed, &status_log, &error), 0);
    status_log_line(status_log, "info", &LOG_TEXT("n", "2"), 1);
    cleanup_free char *text = read_log(path);
    assert_non_null(strstr(text, "n=1\n"));
    assert_non_null(strstr(text, "n=2\n"));
}

static void a_full_disk_loses_lines_and_counts_them(void **state)
{
    struct status_log *full = NULL;

    (void)state;
    assert_int_equal(status_log_open("/dev/full", &fixed, &full, &error), 0);
    status_log_line(full, "info", &LOG_TEXT("n", "1"), 1);
    status_log_line(full, "info", &LOG_TEXT("n", "2"), 1);
    assert_int_equal(status_log_lost(full), 2);
    status_log_close(full);
    status_log_line(status_log, "info", &LOG_TEXT("n", "1"), 1);
    assert_int_equal(status_log_lost(status_log), 0);
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_line_that_is_cut_off_is_taken_back_and_later_ones_are_whole(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    status_log_line(status_log, "info", &LOG_TEXT("n", "1"), 1);
    set_file_limit(50);
    status_log_line(status_log, "info", &LOG_TEXT("n", "2"), 1);
    set_file_limit(RLIM_INFINITY);
    status_log_line(status_log, "info", &LOG_TEXT("n", "3"), 1);
    cleanup_free char *text = read_log(path);
    assert_int_equal(status_log_lost(status_log), 1);
    assert_string_equal(text, "2026-11-22T21:10:03.123Z info n=1\n2026-11-22T21:10:03.123Z info n=3\n");
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    struct status_log *none = NULL;

    (void)state;
    assert_int_equal(status_log_open("/nowhere/status.log", &fixed, &none, &error), ERROR_NOTFOUND);
    assert_null(none);
    assert_non_null(strstr(error.text, "/nowhere/status.log cannot be opened: No such file or directory"));
}

static void a_reopen_that_fails_keeps_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(status_log_reopen(status_log, &error) < 0);
    status_log_line(status_log, "info", &LOG_TEXT("n", "9"), 1);
    assert_int_equal(rmdir(path), 0);
    cleanup_free char *text = read_log(moved);
    assert_string_equal(text, "2026-11-22T21:10:03.123Z info n=9\n");
}

#define WRITERS 4
#define LINES_EACH 500

static void *write_many(void *arg)
{
    char text[64];

    for (int i = 0; i < LINES_EACH; i++) {
        snprintf(text, sizeof(text), "writer %d line %d", *(int *)arg, i);
        status_log_line(status_log, "info", &LOG_TEXT("text", text), 1);
    }
    return NULL;
}

static void lines_of_many_threads_stay_whole_through_a_rotation(void **state)
{
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
    }
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(status_log_reopen(status_log, &error), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    cleanup_free char *before = read_log(moved), *after = read_log(path);
    char *texts[] = { before, after };
    for (size_t i = 0; i < 2; i++) {
        struct log_field fields[4];
        char scratch[256];
        for (char *rest = texts[i], *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; lines++)
            assert_int_equal(status_log_parse(line, scratch, fields, 4), 3);
    }
    assert_int_equal(lines, WRITERS * LINES_EACH);
}

static int journal_listen(char *socket_path, size_t bytes)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(socket_path, bytes, "%s/journal", folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s", socket_path);
    unlink(socket_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("PROVOST_JOURNAL_SOCKET", socket_path, 1);
    return fd;
}

static void the_journal_gets_message_and_fields(void **state)
{
    struct status_log *journal = NULL;
    char socket_path[64], entry[1024];
    const struct log_field fields[] = { LOG_TEXT("target", "corp-ldap"), LOG_TEXT("reason", "two\nlines"), LOG_NUMBER("attempt", 2) };
    int fd = journal_listen(socket_path, sizeof(socket_path));

    (void)state;
    assert_int_equal(status_log_open("journal", &fixed, &journal, &error), 0);
    status_log_line(journal, "error", fields, 3);
    ssize_t length = recv(fd, entry, sizeof(entry) - 1, MSG_DONTWAIT);
    static const char expected[] = "MESSAGE=target=corp-ldap reason=\"two\\nlines\" attempt=2\nPRIORITY=3\nSYSLOG_IDENTIFIER=provostd\n"
                                   "PROVOST_TARGET=corp-ldap\nPROVOST_REASON\n\x09\0\0\0\0\0\0\0two\nlines\nPROVOST_ATTEMPT=2\n";
    assert_int_equal(length, sizeof(expected) - 1);
    assert_memory_equal(entry, expected, sizeof(expected) - 1);
    /* a journal that restarts has a new socket in the same place */
    close(fd);
    fd = journal_listen(socket_path, sizeof(socket_path));
    status_log_line(journal, "info", fields, 1);
    assert_true(recv(fd, entry, sizeof(entry), MSG_DONTWAIT) > 0);
    assert_int_equal(status_log_lost(journal), 0);
    status_log_close(journal);
    close(fd);
    unlink(socket_path);
}

static void a_journal_that_is_not_there_is_told(void **state)
{
    struct status_log *journal = NULL;

    (void)state;
    setenv("PROVOST_JOURNAL_SOCKET", "/nowhere/journal", 1);
    assert_true(status_log_open("journal", &fixed, &journal, &error) < 0);
    assert_non_null(strstr(error.text, "journal cannot be reached at /nowhere/journal"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_logfmt_with_time_and_level),
        TEST(odd_values_come_back_as_they_were),
        TEST(a_line_is_one_line_of_clean_text),
        TEST(what_is_no_such_line_is_refused),
        TEST(after_a_rotation_lines_go_to_the_new_file),
        TEST(lines_are_appended_to_what_is_there),
        TEST(a_full_disk_loses_lines_and_counts_them),
        TEST(a_line_that_is_cut_off_is_taken_back_and_later_ones_are_whole),
        TEST(a_folder_that_is_not_there_is_told),
        TEST(a_reopen_that_fails_keeps_the_old_file),
        TEST(lines_of_many_threads_stay_whole_through_a_rotation),
        TEST(the_journal_gets_message_and_fields),
        TEST(a_journal_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests_name("status_log", tests, make_folder, remove_folder);
}
