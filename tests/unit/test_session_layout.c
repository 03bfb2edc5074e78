/* Layouts of sessions: presets, what overrides them, and their place in the manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "connectors/session/layout.h"

#define BYTES(literal) (literal), (sizeof(literal) - 1)

static void every_preset_is_whole_for_each_of_its_stores(void **state)
{
    (void)state;
    for (const struct preset *preset = layout_presets; preset->name != NULL; preset++)
        for (int store = 0; store < STORE_KIND_COUNT; store++) {
            json_t *group = json_pack("{s:s, s:s}", "preset", preset->name, "user", "ann");
            struct layout layout = { 0 };
            struct error error = { 0 };
            int code = layout_read(group, store, &layout, &error);
            if ((code == 0) != ((preset->stores & STORE_BIT(store)) != 0))
                fail_msg("%s for %s: %s", preset->name, store_kind_name(store), error.text);
            json_decref(group);
            layout_clear(&layout);
        }
}

static void assert_refused(const char *group, int store, const char *sentence)
{
    json_t *sessions = json_loads(group, 0, NULL);
    struct layout layout = { 0 };
    struct error error = { 0 };

    assert_int_equal(layout_read(sessions, store, &layout, &error), ERROR_INVALID);
    if (strstr(error.text, sentence) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, sentence);
    json_decref(sessions);
}

static void a_layout_that_cannot_work_says_what_would(void **state)
{
    (void)state;
    assert_refused("{\"preset\": \"expres\", \"user\": \"ann\"}", STORE_REDIS, "did you mean \"express\"");
    assert_refused("{\"preset\": \"express\", \"user\": \"ann\"}", STORE_FILES, "is not for store = \"files\", which has django-file, php-files, cookie");
    assert_refused("{\"preset\": \"express\"}", STORE_REDIS, "sessions.user is missing");
    assert_refused("{\"patern\": \"a:*\", \"user\": \"ann\"}", STORE_REDIS, "did you mean \"pattern\"");
    assert_refused("{\"pattern\": \"a:\", \"user\": \"ann\"}", STORE_REDIS, "needs exactly one *");
    assert_refused("{\"pattern\": \"a:*\", \"user\": \"ann\", \"format\": \"jason\"}", STORE_REDIS, "did you mean \"json\"");
    assert_refused("{\"pattern\": \"a:*\", \"user\": \"ann\", \"format\": \"json\"}", STORE_REDIS, "user_at is missing");
    assert_refused("{\"preset\": \"express\", \"user\": \"ann\", \"user_at\": \"user\"}", STORE_REDIS, "right would be \"/user\"");
    assert_refused("{\"preset\": \"express\", \"user\": \"ann\", \"user_at\": \"passport.user\"}", STORE_REDIS,
                   "right would be \"/passport/user\"");
    assert_refused("{\"preset\": \"express\", \"user\": \"ann\", \"format\": \"plain\"}", STORE_REDIS, "user_at has no meaning");
    assert_refused("{\"pattern\": \"a:*\", \"user\": \"ann\", \"created_at\": \"/t\"}", STORE_REDIS, "created_at cannot be looked up");
    assert_refused("{\"preset\": \"express\", \"user\": \"ann\", \"table\": \"t\"}", STORE_REDIS,
                   "has no meaning for store = \"redis\"");
    assert_refused("{\"pattern\": \"a:*\", \"user\": \"ann\"}", STORE_MEMCACHED, "memcached cannot be searched");
}

static void what_a_mapping_says_overrides_its_preset(void **state)
{
    json_t *group = json_pack("{s:s, s:s, s:s}", "preset", "express", "user", "ann", "pattern", "app:*");
    struct layout layout = { 0 }, other = { 0 };

    (void)state;
    assert_int_equal(layout_read(group, STORE_REDIS, &layout, NULL), 0);
    assert_string_equal(layout.pattern, "app:*");
    assert_string_equal(layout.user_at, "/passport/user");
    json_object_set_new(group, "user", json_string("bob"));
    assert_int_equal(layout_read(group, STORE_REDIS, &other, NULL), 0);
    assert_true(layout_same(&layout, &other));
    free(other.pattern);
    other.pattern = str_dup("sess:*");
    assert_false(layout_same(&layout, &other));
    json_decref(group);
    layout_clear(&layout);
    layout_clear(&other);
}

static void assert_problem(const char *text, const char *sentence)
{
    config_t config;
    struct problems problems = { 0 };

    config_init(&config);
    assert_int_equal(config_read_string(&config, text), CONFIG_TRUE);
    layout_check(config_lookup(&config, "sessions"), &problems);
    if (sentence == NULL && problems.count != 0)
        fail_msg("%s: %s", text, problems.list[0].text);
    if (sentence != NULL && (problems.count != 1 || strstr(problems.list[0].text, sentence) == NULL))
        fail_msg("%s: %zu problems, the first: %s", text, problems.count, problems.count > 0 ? problems.list[0].text : "none");
    problems_free(&problems);
    config_destroy(&config);
}

static void a_mapping_files_group_is_checked_with_its_line(void **state)
{
    (void)state;
    assert_problem("sessions: { preset = \"express\"; user = \"{login}\"; };", NULL);
    assert_problem("sessions: { preset = \"php-files\"; user = \"{login}\"; levels = 2; };", NULL);
    assert_problem("sessions: { preset = \"exprss\"; user = \"{login}\"; };", "did you mean \"express\"");
    assert_problem("sessions: { preset = \"express\"; user = \"{login}\"; table = \"t\"; };", "another kind of store");
    assert_problem("sessions: { preset = \"express\"; };", "sessions.user is missing");
    assert_problem("sessions: { preset = \"express\"; user = 5; };", "has to be a text");
    assert_problem("sessions: { preset = \"express\"; user = \"a\"; format = \"xml\"; };", "cannot be \"xml\"");
    assert_problem("sessions = \"express\";", "has to be a group");
}

static void keys_are_made_and_taken_apart_by_their_pattern(void **state)
{
    size_t length = 0;
    cleanup_free char *key = layout_key("sess:*:v1", "abc");
    const char *id = layout_id("sess:*:v1", BYTES("sess:abc:v1"), &length);

    (void)state;
    assert_string_equal(key, "sess:abc:v1");
    assert_non_null(id);
    assert_int_equal(length, 3);
    assert_null(layout_id("sess:*:v1", BYTES("sess:abc:v2"), &length));
    assert_null(layout_id("aba*aba", BYTES("ababa"), &length)); /* its ends must not overlap */
}

/* ---- the manual ---- */

static void put_man(struct buf *man, const char *text)
{
    for (; *text != '\0'; text++)
        buf_add_str(man, *text == '-' ? "\\-" : *text == '\\' ? "\\e" : (const char[]){ *text, '\0' });
}

static void put_stores(struct buf *man, unsigned stores)
{
    const char *between = "";

    for (int store = 0; store < STORE_KIND_COUNT && stores != STORES_ALL; store++)
        if ((stores & STORE_BIT(store)) != 0) {
            buf_printf(man, "%s%s", between, store_kind_name(store));
            between = ", ";
        }
    buf_add_str(man, stores == STORES_ALL ? "all stores" : "");
}

static void put_rows(struct buf *man)
{
    for (const struct layout_row *row = layout_rows; row->name != NULL; row++) {
        buf_printf(man, ".TP\n.B %s\n", row->name);
        put_man(man, row->help);
        buf_add_str(man, " (");
        put_stores(man, row->stores);
        buf_add_str(man, ").\n");
    }
}

static void put_presets(struct buf *man)
{
    for (const struct preset *preset = layout_presets; preset->name != NULL; preset++) {
        buf_add_str(man, ".TP\n.B ");
        put_man(man, preset->name);
        buf_add_str(man, "\n");
        put_man(man, preset->what);
        buf_add_str(man, " (");
        put_stores(man, preset->stores);
        buf_add_str(man, "):\n");
        for (const struct preset_line *line = preset->lines; line->name != NULL; line++) {
            buf_printf(man, ".br\n%s = \"", line->name);
            put_man(man, line->value);
            buf_add_str(man, "\";\n");
        }
    }
}

static void assert_has(const char *manual, const char *wanted, const char *what)
{
    if (strstr(manual, wanted) != NULL)
        return;
    fprintf(stderr, "----\n%s----\n", wanted); /* too long for fail_msg */
    fail_msg("provost-mapping.5 does not have the %s as they are; put in what stands between the lines", what);
}

static void the_manual_lists_members_and_presets_as_they_are(void **state)
{
    const char *source = getenv("PROVOST_SOURCE");
    cleanup_free char *file = str_printf("%s/packaging/man/provost-mapping.5", source != NULL ? source : ".");
    cleanup_free char *manual = NULL;
    cleanup_buf struct buf members = { 0 }, presets = { 0 };
    struct error error = { 0 };
    size_t length = 0;

    (void)state;
    put_rows(&members);
    put_presets(&presets);
    assert_int_equal(file_read(file, 1 << 20, &manual, &length, &error), 0);
    assert_has(manual, members.bytes, "members");
    assert_has(manual, presets.bytes, "presets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_is_whole_for_each_of_its_stores),
        cmocka_unit_test(a_layout_that_cannot_work_says_what_would),
        cmocka_unit_test(what_a_mapping_says_overrides_its_preset),
        cmocka_unit_test(a_mapping_files_group_is_checked_with_its_line),
        cmocka_unit_test(keys_are_made_and_taken_apart_by_their_pattern),
        cmocka_unit_test(the_manual_lists_members_and_presets_as_they_are),
    };

    return cmocka_run_group_tests_name("layouts of sessions", tests, NULL, NULL);
}
