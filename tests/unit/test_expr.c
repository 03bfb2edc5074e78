#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "plan/expr.h"
#include "plan/functions.h"

static struct membership groups[] = {
    { (char *)"00g2", (char *)"Sales", true, { 1 } },
    { (char *)"00g1", (char *)"Admins", false, { 1 } },
    { (char *)"00g3", (char *)"Engineering", true, { 1 } },
};

static struct identity identity;
static struct expr_input input = { .identity = &identity };

static int setup(void **state)
{
    (void)state;
    identity = (struct identity){
        .kind = IDENTITY_USER,
        .id = (char *)"00u1",
        .status = { (char *)"ACTIVE", { 0 } },
        .login = { (char *)"Ann.Lee@Example.com", { 1 } },
        .name = { (char *)"Ann Mary Lee", { 1 } },
        .groups = groups,
        .group_count = 3,
    };
    wall_parse("2026-11-22T21:10:03.123Z", &identity.status.as_of);
    identity.profile = json_loads("{\"email\":\"ann@example.com\",\"empty\":\"\",\"none\":null,\"level\":7,\"ratio\":1.5,\"vip\":true,"
                                  "\"tags\":[\"a\",\"b\"],\"odd name\":\"x\",\"address\":{\"city\":\"Lund\"},\"csv\":\"a,b,,c\","
                                  "\"hired\":\"2026-03-01\",\"numeric\":\"10\",\"list1\":[\"only\"],\"no\":false}",
                                  0, NULL);
    return identity.profile == NULL;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(identity.profile);
    return 0;
}

/* The value of a template as JSON text; "-" when absent, "!…" when it fails. */
static char *rendered(const char *text, enum escape escape)
{
    struct template *template = NULL;
    struct expr_error compile_error = { 0 };
    struct error error = { 0 };
    json_t *value = NULL;
    char *shown;

    if (template_compile(text, NAMES_USER | NAME_BIT(NAME_MEMBER), escape, "dn", &template, &compile_error) < 0)
        return str_printf("!%zu: %s", compile_error.offset, compile_error.text);
    if (template_render(template, &input, &value, &error) < 0)
        shown = str_printf("!%s", error.text);
    else
        shown = value != NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("-");
    json_decref(value);
    template_free(template);
    return shown;
}

static void assert_renders_in(enum escape escape, const char *text, const char *expected)
{
    char *got = rendered(text, escape);

    if (strcmp(got, expected) != 0)
        fail_msg("%s: expected %s, got %s", text, expected, got);
    free(got);
}

static void assert_renders(const char *text, const char *expected)
{
    assert_renders_in(ESCAPE_NONE, text, expected);
}

static void assert_mistake(const char *text, size_t offset, const char *part)
{
    char *got = rendered(text, ESCAPE_NONE);
    char *place = str_printf("!%zu: ", offset);

    if (!str_starts(got, place) || strstr(got, part) == NULL)
        fail_msg("%s: expected a mistake at %zu with \"%s\", got %s", text, offset, part, got);
    free(place);
    free(got);
}

static void assert_truth(const char *text, bool expected)
{
    struct expr *expr = NULL;
    struct expr_error compile_error = { 0 };
    bool truth = !expected;

    if (expr_compile(text, NAMES_USER, &expr, &compile_error) < 0)
        fail_msg("%s: %s", text, compile_error.text);
    assert_int_equal(expr_test(expr, &input, &truth, NULL), 0);
    if (truth != expected)
        fail_msg("%s: expected %s", text, expected ? "true" : "false");
    expr_free(expr);
}

static void names_stand_for_facts(void **state)
{
    (void)state;
    assert_renders("{id}", "\"00u1\"");
    assert_renders("{login}", "\"Ann.Lee@Example.com\"");
    assert_renders("{name}", "\"Ann Mary Lee\"");
    assert_renders("{status}", "\"ACTIVE\"");
    assert_renders("{now}", "\"2026-11-22T21:10:03.123Z\"");
    assert_renders("{profile.address.city}", "\"Lund\"");
    assert_renders("{profile.'odd name'}", "\"x\"");
}

static void groups_are_the_names_of_present_ones_in_order(void **state)
{
    (void)state;
    assert_renders("{groups}", "[\"Engineering\",\"Sales\"]");
    assert_renders("{groups | join '; '}", "\"Engineering; Sales\"");
    assert_renders("{apps}", "-");
}

static void text_around_braces_stays(void **state)
{
    (void)state;
    assert_renders("no braces", "\"no braces\"");
    assert_renders("<{id}|{profile.level}>", "\"<00u1|7>\"");
    assert_renders("{{{id}}}", "\"{00u1}\"");
    assert_renders("", "\"\"");
}

static void one_interpolation_alone_keeps_its_type(void **state)
{
    (void)state;
    assert_renders("{profile.level}", "7");
    assert_renders("{profile.ratio}", "1.5");
    assert_renders("{profile.vip}", "true");
    assert_renders("{profile.tags}", "[\"a\",\"b\"]");
    assert_renders("x{profile.vip}", "\"xtrue\"");
    assert_renders("{status == 'ACTIVE'}", "true");
}

static void any_absent_interpolation_makes_the_whole_absent(void **state)
{
    (void)state;
    assert_renders("{profile.missing}", "-");
    assert_renders("x {profile.missing}", "-");
    assert_renders("{id} {profile.missing.deeper}", "-");
    assert_renders("{profile.empty}", "-");
    assert_renders("{profile.none}", "-");
    assert_renders("{profile.missing ?? ''} {id}", "\" 00u1\"");
}

static void a_default_takes_the_next_that_is_there(void **state)
{
    (void)state;
    assert_renders("{profile.missing ?? profile.empty ?? login}", "\"Ann.Lee@Example.com\"");
    assert_renders("{profile.email ?? login}", "\"ann@example.com\"");
    assert_renders("{profile.missing ?? (name | last_word)}", "\"Lee\"");
    assert_renders("{profile.missing ?? login | lower}", "\"ann.lee@example.com\"");
}

static void functions_do_what_they_say(void **state)
{
    (void)state;
    assert_renders("{login | lower}", "\"ann.lee@example.com\"");
    assert_renders("{'straße Ørsted Ψ' | upper}", "\"STRAßE ØRSTED Ψ\"");
    assert_renders("{'ÅSA ØRSTED ΨЖ' | lower}", "\"åsa ørsted ψж\"");
    assert_renders("{'  a b  ' | trim}", "\"a b\"");
    assert_renders("{login | before '@'}", "\"Ann.Lee\"");
    assert_renders("{login | after '@'}", "\"Example.com\"");
    assert_renders("{'no at' | before '@'}", "\"no at\"");
    assert_renders("{'no at' | after '@'}", "-");
    assert_renders("{login | replace '.' '-' | replace 'L' ''}", "\"Ann-ee@Example-com\"");
    assert_renders("{name | first_word}", "\"Ann\"");
    assert_renders("{name | last_word}", "\"Lee\"");
    assert_renders("{'   ' | last_word}", "-");
    assert_renders("{now | date '%Y%m%d%H%M%SZ'}", "\"20261122211003Z\"");
    assert_renders("{profile.hired | date '%d.%m.%Y'}", "\"01.03.2026\"");
    assert_renders("{profile.csv | split ','}", "[\"a\",\"b\",\"c\"]");
    assert_renders("{profile.csv | split ',' | upper | join}", "\"A, B, C\"");
    assert_renders("{profile.level | replace '7' 'seven'}", "\"seven\"");
    assert_renders("{profile.tags | upper}", "[\"A\",\"B\"]");
    assert_renders("{profile.missing | lower}", "-");
    assert_renders("{login | before (profile.missing)}", "-");
    assert_renders("{'it''s'}", "\"it's\"");
}

static void a_function_that_cannot_says_what_it_saw(void **state)
{
    (void)state;
    char *date = rendered("{login | date '%F'}", ESCAPE_NONE);
    char *list = rendered("x{profile.tags}", ESCAPE_NONE);

    assert_non_null(strstr(date, "\"Ann.Lee@Example.com\" is no time"));
    assert_non_null(strstr(list, "[\"a\", \"b\"] is a list where text is needed"));
    free(date);
    free(list);
}

static void conditions_read_as_written(void **state)
{
    (void)state;
    assert_truth("status == 'ACTIVE'", true);
    assert_truth("status != 'ACTIVE'", false);
    assert_truth("status in ['STAGED', 'ACTIVE']", true);
    assert_truth("not (login ends with '@contractor.example.com')", true);
    assert_truth("login starts with 'Ann' and login contains 'Lee'", true);
    assert_truth("groups contains 'Sales'", true);
    assert_truth("groups contains 'Admins'", false);
    assert_truth("'Sales' in groups or false", true);
    assert_truth("groups contains ['Sales', 'Engineering']", true);
    assert_truth("profile.level > 6 and profile.level <= 7", true);
    assert_truth("profile.numeric > 9", true);
    assert_truth("now < '2027'", true);
    assert_truth("(login | before '@' | lower) == 'ann.lee'", true);
    assert_truth("login | before '@' | lower == 'ann.lee'", true);
    assert_truth("not false and true", true);
    assert_truth("true or true and false", true);
    assert_truth("profile.vip", true);
    assert_truth("profile.no", false);
    assert_truth("-1 < 0", true);
}

static void comparisons_do_not_look_at_case_unless_they_are_exact(void **state)
{
    static const struct {
        const char *comparison;
        bool loose, exact; /* what it is with "exactly" in the place of the star */
    } rows[] = {
        { "login * ends with '@EXAMPLE.com'", true, false },
        { "login * ends with '@Example.com'", true, true },
        { "login * starts with 'ann.lee@'", true, false },
        { "login * contains 'lEE@eX'", true, false },
        { "login * == 'ann.lee@example.com'", true, false },
        { "login * != 'ann.lee@example.com'", false, true },
        { "login * in ['x', 'ANN.LEE@EXAMPLE.COM']", true, false },
        { "login * in 'to: ann.lee@example.com'", true, false },
        { "groups * contains 'SALES'", true, false },
        { "groups * contains ['sales', 'ENGINEERING']", true, false },
        { "'sales' * in groups", true, false },
        { "status * == 'active'", true, false },
        { "'Übung ÉTÉ Σ' * == 'übung été σ'", true, false },
        { "'ä' * == 'a'", false, false },
        { "'a' * < 'B'", true, false },
        { "5 * == '5'", true, true },
        { "['A', ['B', 2, true]] * == ['a', ['b', 2, true]]", true, false },
        { "profile.missing * == 'x'", false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *star = strchr(rows[i].comparison, '*');
        cleanup_free char *loose = str_printf("%.*s%s", (int)(star - rows[i].comparison), rows[i].comparison, star + 1);
        cleanup_free char *exact = str_printf("%.*sexactly%s", (int)(star - rows[i].comparison), rows[i].comparison, star + 1);
        assert_truth(loose, rows[i].loose);
        assert_truth(exact, rows[i].exact);
    }
    assert_truth("not (login exactly ends with '@EXAMPLE.com') and login ends with '@EXAMPLE.com'", true);
    assert_mistake("{login exactly 'x'}", 15, "a comparison after \"exactly\"");
    assert_mistake("{exactly == 'x'}", 1, "a value");
}

static void an_absent_value_is_equal_to_nothing(void **state)
{
    (void)state;
    assert_truth("profile.missing", false);
    assert_truth("not profile.missing", true);
    assert_truth("profile.missing == 'x'", false);
    assert_truth("profile.missing != 'x'", true);
    assert_truth("profile.missing == profile.missing", false);
    assert_truth("profile.missing < 5", false);
    assert_truth("profile.missing in ['x']", false);
    assert_truth("profile.tags < 'x'", false);
    assert_truth("profile.address == 'Lund'", false);
}

static void mistakes_say_where_and_what_would_be_right(void **state)
{
    (void)state;
    assert_mistake("a {profle.email}", 3, "unknown name \"profle\"; did you mean \"profile\"?");
    assert_mistake("{login | lowr}", 9, "unknown function \"lowr\"; did you mean \"lower\"?");
    assert_mistake("{login | before}", 9, "it is used as: before 'text'");
    assert_mistake("{login | lower 'x'}", 9, "given 1 argument;");
    assert_mistake("{login", 0, "has no \"}\"");
    assert_mistake("x}", 1, "closes nothing");
    assert_mistake("{login = 'x'}", 7, "comparing is ==");
    assert_mistake("{'abc}", 1, "has no closing '");
    assert_mistake("{login 'x'}", 7, "an operator");
    assert_mistake("{login before '@'}", 7, "is a function; it stands after a pipe: | before 'text'");
    assert_mistake("{}", 1, "the expression ends where a value should stand");
    assert_mistake("{email}", 1, "unknown name \"email\"; known are: id, login");
    assert_mistake("{profile}", 1, "profile needs the name of a member");
    assert_mistake("{login.x}", 1, "did you mean \"profile.x\"?");
    assert_mistake("{account.dn}", 1, "not known in this place");
    assert_mistake("{(login}", 7, "where \")\" should stand");
    assert_mistake("{[login}", 7, "a comma or");
    assert_mistake("{login ends 'x'}", 12, "should");
    assert_mistake("{member.dn}", 1, "member.account.dn");
    assert_mistake("{status in}", 10, "a value should stand");
}

static void an_expression_alone_has_no_braces(void **state)
{
    struct expr *expr = NULL;
    struct expr_error error = { 0 };

    (void)state;
    assert_true(expr_compile("{status == 'ACTIVE'}", NAMES_USER, &expr, &error) < 0);
    assert_non_null(strstr(error.text, "write it without braces"));
    assert_null(expr);
}

static void depth_and_size_are_bounded(void **state)
{
    struct buf deep = { 0 }, nots = { 0 }, wide = { 0 };
    char *long_text;

    (void)state;
    buf_add_char(&deep, '{');
    buf_add_char(&nots, '{');
    buf_add_str(&wide, "{id");
    for (int i = 0; i < 20000; i++) {
        buf_add_char(&deep, '(');
        buf_add_str(&nots, "not ");
    }
    for (int i = 0; i < 5000; i++)
        buf_add_str(&wide, " ?? id");
    buf_add_char(&wide, '}');
    char *got = rendered(deep.bytes, ESCAPE_NONE);
    assert_non_null(strstr(got, "nested deeper"));
    free(got);
    got = rendered(wide.bytes, ESCAPE_NONE);
    assert_non_null(strstr(got, "more than 2000 parts"));
    free(got);
    got = rendered(nots.bytes, ESCAPE_NONE);
    assert_true(got[0] == '!');
    free(got);
    long_text = malloc(70000);
    memset(long_text, 'a', 69999);
    long_text[0] = '{';
    long_text[69999] = '\0';
    got = rendered(long_text, ESCAPE_NONE);
    assert_non_null(strstr(got, "longer than"));
    free(got);
    free(long_text);
    buf_free(&deep);
    buf_free(&nots);
    buf_free(&wide);
}

static void values_are_escaped_and_constants_are_not(void **state)
{
    (void)state;
    identity.login.value = (char *)"x,ou=admins@example.com";
    assert_renders_in(ESCAPE_DN, "uid={login | before '@'},dc=x", "\"uid=x\\\\,ou\\\\=admins,dc=x\"");
    identity.login.value = (char *)")(uid=*";
    assert_renders_in(ESCAPE_FILTER, "(mail={login})", "\"(mail=\\\\29\\\\28uid=\\\\2a)\"");
    assert_renders_in(ESCAPE_FILTER, "{login}", "\"\\\\29\\\\28uid=\\\\2a\"");
    assert_renders_in(ESCAPE_DN, "{profile.tags}", "[\"a\",\"b\"]");
}

static void the_dn_of_an_account_is_a_dn_already(void **state)
{
    (void)state;
    input.locator = "uid=ann\\,x,dc=example";
    input.locator_name = "dn";
    input.account = json_loads("{\"uid\":[\"ann,x\"],\"mail\":[\"a\",\"b\"]}", 0, NULL);
    assert_renders_in(ESCAPE_DN, "{member.account.dn}", "\"uid=ann\\\\,x,dc=example\"");
    assert_renders_in(ESCAPE_NONE, "{member.account.uid}", "\"ann,x\"");
    assert_renders_in(ESCAPE_DN, "uid={member.account.uid}", "\"uid=ann\\\\,x\"");
    assert_renders_in(ESCAPE_DN, "cn={member.account.dn | lower}", "\"cn=uid\\\\=ann\\\\\\\\\\\\,x\\\\,dc\\\\=example\"");
    assert_renders_in(ESCAPE_NONE, "{member.account.mail}", "[\"a\",\"b\"]");
    json_decref((json_t *)input.account);
    input = (struct expr_input){ .identity = &identity };
}

static void nul_in_a_profile_passes_through(void **state)
{
    (void)state;
    json_object_set_new(identity.profile, "nul", json_stringn("a\0b", 3));
    assert_renders("{profile.nul}", "\"a\\u0000b\"");
    assert_renders_in(ESCAPE_DN, "cn={profile.nul}", "\"cn=a\\\\00b\"");
    assert_renders_in(ESCAPE_FILTER, "(cn={profile.nul | upper})", "\"(cn=A\\\\00B)\"");
}

static void ten_megabytes_are_refused(void **state)
{
    size_t length = 10u << 20;
    char *text = malloc(length + 1);

    (void)state;
    assert_non_null(text);
    memset(text, ',', length);
    text[length] = '\0';
    identity.login.value = text;
    static const char *const templates[] = { "{login}", "x{login}", "{login | lower}", "{login | replace ',' 'abc'}", "{login | split ';'}" };
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        char *got = rendered(templates[i], ESCAPE_DN);
        assert_true(got[0] == '!');
        assert_non_null(strstr(got, "1048576"));
        free(got);
    }
    free(text);
}

static void a_rendered_text_is_recognized_again(void **state)
{
    struct template *template = NULL;
    struct expr_error error = { 0 };

    (void)state;
    assert_int_equal(template_compile("off {now | date '%F'}!", NAMES_USER, ESCAPE_NONE, NULL, &template, &error), 0);
    assert_true(template_matches(template, "off 2020-01-01!"));
    assert_false(template_matches(template, "off 2020-01-01"));
    assert_false(template_matches(template, "desk 14"));
    assert_false(template_matches(template, "off"));
    template_free(template);
    assert_int_equal(template_compile("{now}", NAMES_USER, ESCAPE_NONE, NULL, &template, &error), 0);
    assert_false(template_matches(template, "anything"));
    template_free(template);
}

static void uses_are_known_before_rendering(void **state)
{
    struct template *template = NULL;
    struct expr_error error = { 0 };

    (void)state;
    assert_int_equal(template_compile("{profile.x ?? login} {id}", NAMES_USER, ESCAPE_NONE, NULL, &template, &error), 0);
    assert_int_equal(template_uses(template), NAME_BIT(NAME_PROFILE) | NAME_BIT(NAME_LOGIN) | NAME_BIT(NAME_ID));
    template_free(template);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_stand_for_facts),
        TEST(groups_are_the_names_of_present_ones_in_order),
        TEST(text_around_braces_stays),
        TEST(one_interpolation_alone_keeps_its_type),
        TEST(any_absent_interpolation_makes_the_whole_absent),
        TEST(a_default_takes_the_next_that_is_there),
        TEST(functions_do_what_they_say),
        TEST(a_function_that_cannot_says_what_it_saw),
        TEST(conditions_read_as_written),
        TEST(comparisons_do_not_look_at_case_unless_they_are_exact),
        TEST(an_absent_value_is_equal_to_nothing),
        TEST(mistakes_say_where_and_what_would_be_right),
        TEST(an_expression_alone_has_no_braces),
        TEST(depth_and_size_are_bounded),
        TEST(values_are_escaped_and_constants_are_not),
        TEST(the_dn_of_an_account_is_a_dn_already),
        TEST(nul_in_a_profile_passes_through),
        TEST(ten_megabytes_are_refused),
        TEST(a_rendered_text_is_recognized_again),
        TEST(uses_are_known_before_rendering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
