/*
 * fuzz_expr: any text as a template in every place, and as a condition. Nothing
 * crashes; what is rendered inside a DN, a filter, quotes or a path's segment
 * never breaks out of it.
 *
 *     clang -fsanitize=fuzzer,address,undefined -DFUZZING … fuzz_expr.c
 * The input: a template, and after the first newline a hostile login.
 */
#include "tests/fuzz/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plan/dn.h"
#include "plan/expr.h"

#define NAMES (NAMES_USER | NAME_BIT(NAME_ACCOUNT) | NAME_BIT(NAME_MEMBER))

static struct membership groups[] = {
    { (char *)"00g1", (char *)"Sales, EMEA", true, { 1 } },
    { (char *)"00g2", (char *)"(*)", true, { 1 } },
};

static void render(const char *text, const struct expr_input *input)
{
    static const enum escape places[] = { ESCAPE_NONE,  ESCAPE_DN,     ESCAPE_FILTER, ESCAPE_URL_PATH,
                                          ESCAPE_QUERY, ESCAPE_HEADER, ESCAPE_JSON,     ESCAPE_QUOTED };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct template *template = NULL;
        struct expr_error compile_error = { 0 };
        struct error error = { 0 };
        json_t *value = NULL;
        if (template_compile(text, NAMES, places[i], "dn", &template, &compile_error) < 0)
            continue;
        if (template_render(template, input, &value, &error) == 0 && json_is_string(value))
            template_matches(template, json_string_value(value));
        json_decref(value);
        template_free(template);
    }
}

static void test(const char *text, const struct expr_input *input)
{
    struct expr *expr = NULL;
    struct expr_error compile_error = { 0 };
    bool truth;

    if (expr_compile(text, NAMES, &expr, &compile_error) == 0)
        expr_test(expr, input, &truth, NULL);
    expr_free(expr);
}

static json_t *rendered(const char *text, enum escape escape, const struct expr_input *input)
{
    struct template *template = NULL;
    struct expr_error compile_error = { 0 };
    json_t *value = NULL;

    if (template_compile(text, NAMES, escape, "dn", &template, &compile_error) < 0)
        abort();
    template_render(template, input, &value, NULL);
    template_free(template);
    return value;
}

/* Whatever the login is, it is one value of one part, and one item of a filter. */
static void stay_inside(const struct expr_input *input)
{
    json_t *dn = rendered("uid={login},dc=x", ESCAPE_DN, input), *filter = rendered("(uid={login})", ESCAPE_FILTER, input), *rdn = NULL;

    if (dn != NULL) {
        if (dn_first_rdn(json_string_value(dn), &rdn) < 0 || json_object_size(rdn) != 1 ||
            strcmp(json_string_value(json_object_get(rdn, "uid")), input->identity->login.value) != 0)
            abort();
        const char *text = json_string_value(filter);
        if (strcspn(text + 1, "()*") != strlen(text) - 2)
            abort();
    }
    json_decref(dn);
    json_decref(rdn);
    json_decref(filter);
}

/* From its opening quote on, a text between quotes as SCIM and OData read it; where it ends. */
static const char *skip_quoted(const char *text)
{
    char quote = *text++;

    for (; *text != '\0'; text++) {
        if (quote == '"' && *text == '\\')
            text++;
        else if (*text == quote && quote == '\'' && text[1] == quote)
            text++;
        else if (*text == quote)
            return text + 1;
    }
    abort();
}

/* The same for quotes and paths: nothing of the login stands outside. */
static void stay_quoted(const struct expr_input *input)
{
    json_t *twice = rendered("u eq \"{login}\"", ESCAPE_QUOTED, input), *doubled = rendered("u eq '{login}'", ESCAPE_QUOTED, input);
    json_t *path = rendered("/e/{login}", ESCAPE_URL_PATH, input);

    if (twice != NULL) {
        const char *segment = json_string_value(path) + strlen("/e/");
        if (*skip_quoted(strchr(json_string_value(twice), '"')) != '\0' || *skip_quoted(strchr(json_string_value(doubled), '\'')) != '\0' ||
            strpbrk(segment, "/?#\"' ") != NULL || strcmp(segment, "..") == 0 || strcmp(segment, ".") == 0)
            abort();
    }
    json_decref(twice);
    json_decref(doubled);
    json_decref(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = strndup((const char *)data, size);
    char *login = strchr(text, '\n');

    if (login != NULL)
        *login++ = '\0';
    struct identity identity = {
        .kind = IDENTITY_USER,
        .id = (char *)"00u1",
        .status = { (char *)"ACTIVE", { 1767225600000000 } },
        .login = { login != NULL ? login : (char *)"ann@example.com", { 1 } },
        .name = { (char *)"Ann Lee", { 1 } },
        .profile = json_pack("{s:s,s:i,s:[s,s],s:n}", "email", "ann@example.com", "level", 7, "tags", "a,b", "c", "none"),
        .groups = groups,
        .group_count = 2,
    };
    struct expr_input input = { .identity = &identity, .account = identity.profile, .locator = "uid=ann,dc=x", .locator_name = "dn" };
    render(text, &input);
    test(text, &input);
    stay_inside(&input);
    stay_quoted(&input);
    json_decref(identity.profile);
    return 0;
}

REPLAY_MAIN("expr")
