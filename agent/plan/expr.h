/*
 * expr.h: the expression language of mapping files.
 *
 * An expression stands in braces inside plain text (a template), or alone
 * (scope). README.md of mappings/ teaches it; the grammar, loosest first:
 *
 *     or      and { "or" and }
 *     and     not { "and" not }
 *     not     "not" not | compare
 *     compare pipe [ [ "exactly" ] ("==" "!=" "<" "<=" ">" ">=" "in" "contains"
 *                     "starts with" "ends with") pipe ]
 *     pipe    default { "|" function { argument } }
 *     default value { "??" value }
 *     value   name { "." name } | 'text' | number | true | false
 *             | "[" or { "," or } "]" | "(" or ")"
 *     argument  'text' | number | "(" or ")"
 *
 * Comparisons of text do not look at case, by Unicode; "exactly" before one does.
 *
 * Absence: a fact that is not known, null or empty text is absent. `??` goes
 * on to the next; a function of an absent value is absent; a comparison with
 * it is false (but `!=` true). In a template any absent interpolation makes
 * the whole value absent.
 *
 * A template that is one interpolation and nothing else keeps the type of its
 * value (a list stays a list); else all becomes text. What is interpolated is
 * escaped for the template's place, its constant text is not. The locator of
 * an account (account.dn) is a DN already and goes into a DN as it is.
 *
 * Calling sequence: template_compile → template_render … → template_free.
 * Ownership: compiled forms are the caller's; rendered values are new
 * references, NULL when absent.
 * Threads: compiled forms are read-only; all may evaluate them.
 * Bounds: 64 KiB of text, 40 levels, 2000 parts, 1 MiB per rendered value.
 * Errors: compiling fills in struct expr_error; rendering, struct error with
 * ERROR_INVALID.
 */
#ifndef PROVOST_PLAN_EXPR_H
#define PROVOST_PLAN_EXPR_H

#include "connectors/connector.h"
#include "source/facts.h"

/* The names an expression can begin with. */
enum expr_name {
    NAME_ID,
    NAME_LOGIN,
    NAME_NAME,
    NAME_STATUS,
    NAME_NOW,
    NAME_GROUPS,
    NAME_APPS,
    NAME_VALUE,   /* a member's value, in requests about members */
    NAME_PROFILE,
    NAME_ACCOUNT, /* account.X: the account as rendered; account.key: as the target calls it */
    NAME_MEMBER,  /* member.account.X */
    NAME_COUNT
};
#define NAME_BIT(name) (1u << (name))
#define NAMES_GROUP (NAME_BIT(NAME_ID) | NAME_BIT(NAME_NAME) | NAME_BIT(NAME_NOW) | NAME_BIT(NAME_PROFILE))
#define NAMES_USER                                                                                              \
    (NAMES_GROUP | NAME_BIT(NAME_LOGIN) | NAME_BIT(NAME_STATUS) | NAME_BIT(NAME_GROUPS) | NAME_BIT(NAME_APPS))

struct expr_error {
    size_t offset; /* of the offending text, in bytes */
    char text[512];
};

/* What the names stand for. All borrowed. */
struct expr_input {
    const struct identity *identity; /* NULL: none */
    const char *status;              /* instead of the identity's; NULL: the identity's own */
    struct wall since;               /* `now`; 0: the time since which the status holds */
    const json_t *account;           /* values behind account. and member.account. */
    const char *locator;             /* of that account */
    const char *locator_name;        /* what it is called ("dn") */
    bool typed;                      /* a list of one in the account stays a list */
    const char *key;                 /* account.key; NULL: an attribute like any */
    const char *value;               /* behind `value` */
};

struct expr;
int expr_compile(const char *text, unsigned names, struct expr **ret_expr, struct expr_error *error);
void expr_free(struct expr *expr); /* NULL is allowed */
unsigned expr_uses(const struct expr *expr); /* NAME_BITs */
/* Its value; NULL: absent. */
int expr_value(const struct expr *expr, const struct expr_input *input, json_t **ret_value, struct error *error);
/* Is it so? Absent, false, 0, '' and an empty list are not. */
int expr_test(const struct expr *expr, const struct expr_input *input, bool *ret_true, struct error *error);

struct template;
int template_compile(const char *text, unsigned names, enum escape escape, const char *locator_name,
                     struct template **ret_template, struct expr_error *error);
void template_free(struct template *template); /* NULL is allowed */
unsigned template_uses(const struct template *template);
bool template_is_constant(const struct template *template);
const char *template_text(const struct template *template); /* as written */
/* Is each account.X in it one of `known` (NULL-terminated)? ERROR_INVALID with the first that is none, and those that are. */
int template_check_account(const struct template *template, const char *const *known, struct expr_error *error);
/* The text with `stand_in` for each interpolation, to look at its form; the caller frees. NULL: out of memory. */
char *template_sample(const struct template *template, const char *stand_in);
int template_render(const struct template *template, const struct expr_input *input, json_t **ret_value, struct error *error);
/* Could `text` have been rendered from it? Each interpolation stands for any
 * text; a template without constant text never matches. */
bool template_matches(const struct template *template, const char *text);

#endif
