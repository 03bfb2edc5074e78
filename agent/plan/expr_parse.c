/* Text → nodes: a hand-written lexer and recursive descent, one token ahead. */
#include <ctype.h>
#include <stdarg.h>

#include "base/str.h"
#include "plan/expr_node.h"

#define DEPTH_MOST 40
#define NODES_MOST 2000
#define TEXT_BYTES_MOST 65536

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_TEXT,
    TOKEN_NUMBER,
    TOKEN_SIGN, /* punctuation */
};

struct token {
    enum token_kind kind;
    size_t offset;
    size_t length;
};

struct parser {
    const char *text;
    bool in_braces;
    unsigned names, uses;
    struct token token;
    int depth;
    size_t nodes;
    int code; /* of the first error */
    struct expr_error *error;
};

int expr_error_set(struct expr_error *error, size_t offset, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error->offset = offset;
    vsnprintf(error->text, sizeof(error->text), format, args);
    str_trim_partial_utf8(error->text);
    va_end(args);
    return ERROR_SYNTAX;
}

static int expr_error_nomem(struct expr_error *error)
{
    expr_error_set(error, 0, "out of memory");
    return ERROR_NOMEM;
}

void node_free(struct node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++)
        node_free(node->children[i]);
    free(node->children);
    json_decref(node->literal);
    free(node);
}

/* ---- the lexer ---- */

static const char *const signs[] = { "??", "==", "!=", "<=", ">=", "<", ">", "|", "(", ")", "[", "]", ",", "." };

static bool is_word_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

#define SHOWN_BYTES 48
#define SHOWN(p, token) (int)((token).length < SHOWN_BYTES ? (token).length : SHOWN_BYTES), (p)->text + (token).offset

static void fail(struct parser *p, int code)
{
    if (p->code == 0)
        p->code = code;
}

/* Only the first mistake is told: those after it follow from it. */
static void __attribute__((format(printf, 3, 4))) complain(struct parser *p, size_t offset, const char *format, ...)
{
    va_list args;

    if (p->code < 0)
        return;
    va_start(args, format);
    p->error->offset = offset;
    vsnprintf(p->error->text, sizeof(p->error->text), format, args);
    str_trim_partial_utf8(p->error->text);
    va_end(args);
    p->code = ERROR_SYNTAX;
}

/* Length of a text literal with its quotes; '' inside is one quote. 0: it does not end. */
static size_t literal_bytes(const char *start)
{
    const char *q = start + 1;

    for (; *q != '\0'; q++) {
        if (*q != '\'')
            continue;
        if (q[1] != '\'')
            return (size_t)(q + 1 - start);
        q++;
    }
    return 0;
}

static size_t number_bytes(const char *start)
{
    const char *q = start + (*start == '-');

    while (isdigit((unsigned char)*q))
        q++;
    if (*q == '.' && isdigit((unsigned char)q[1]))
        for (q++; isdigit((unsigned char)*q);)
            q++;
    return (size_t)(q - start);
}

static void lex_sign(struct parser *p, const char *start)
{
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!str_starts(start, signs[i]))
            continue;
        p->token.kind = TOKEN_SIGN;
        p->token.length = strlen(signs[i]);
        return;
    }
    const char *hint = *start == '=' ? "; comparing is ==" : *start == '"' ? "; text stands in '…'"
                       : *start == '?' ? "; a value instead of an absent one is ??"
                       : *start == '{' || *start == '}' ? "; this is an expression already, write it without braces"
                                                        : "";
    complain(p, p->token.offset, "\"%.*s\" has no meaning here%s", (*start & 0x80) ? 2 : 1, start, hint);
    p->token.kind = TOKEN_END;
}

static void lex(struct parser *p, size_t offset)
{
    while (isspace((unsigned char)p->text[offset]))
        offset++;
    const char *start = p->text + offset;
    p->token = (struct token){ TOKEN_END, offset, 0 };
    if (*start == '\0' || (*start == '}' && p->in_braces))
        return;
    if (is_word_start(*start)) {
        p->token.kind = TOKEN_WORD;
        while (is_word(start[p->token.length]))
            p->token.length++;
    } else if (*start == '\'') {
        p->token.kind = TOKEN_TEXT;
        p->token.length = literal_bytes(start);
        if (p->token.length == 0) {
            complain(p, offset, "the text that begins with %.20s has no closing '", start);
            p->token.kind = TOKEN_END;
        }
    } else if (isdigit((unsigned char)*start) || (*start == '-' && isdigit((unsigned char)start[1]))) {
        p->token.kind = TOKEN_NUMBER;
        p->token.length = number_bytes(start);
    } else
        lex_sign(p, start);
}

static void next(struct parser *p)
{
    lex(p, p->token.offset + p->token.length);
}

static bool at(const struct parser *p, const char *word)
{
    return (p->token.kind == TOKEN_WORD || p->token.kind == TOKEN_SIGN) && strlen(word) == p->token.length &&
           memcmp(p->text + p->token.offset, word, p->token.length) == 0;
}

static bool accept(struct parser *p, const char *word)
{
    if (!at(p, word))
        return false;
    next(p);
    return true;
}

static void expected(struct parser *p, const char *what)
{
    if (p->token.kind == TOKEN_END)
        complain(p, p->token.offset, "the expression ends where %s should stand", what);
    else
        complain(p, p->token.offset, "\"%.*s\" stands where %s should", SHOWN(p, p->token), what);
}

/* ---- nodes ---- */

static struct node *make_node(struct parser *p, enum node_kind kind)
{
    struct node *node = p->code == 0 ? calloc(1, sizeof(*node)) : NULL;

    if (p->code == 0 && node == NULL)
        fail(p, ERROR_NOMEM);
    if (p->code == 0 && ++p->nodes > NODES_MOST)
        complain(p, p->token.offset, "the expression has more than %d parts", NODES_MOST);
    if (node != NULL)
        node->kind = kind;
    return node;
}

/* Takes both; `child` NULL stands for an error that was told. */
static void add_child(struct parser *p, struct node *node, struct node *child)
{
    struct node **children = NULL;

    if (node != NULL && child != NULL)
        children = realloc(node->children, (node->count + 1) * sizeof(*children));
    if (children == NULL) {
        node_free(child);
        fail(p, ERROR_NOMEM);
        return;
    }
    node->children = children;
    node->children[node->count++] = child;
}

static struct node *make_pair(struct parser *p, enum node_kind kind, struct node *left, struct node *right)
{
    struct node *node = make_node(p, kind);

    add_child(p, node, left);
    add_child(p, node, right);
    return node;
}

static struct node *make_literal(struct parser *p, json_t *value)
{
    struct node *node = make_node(p, NODE_LITERAL);

    if (value == NULL)
        fail(p, ERROR_NOMEM);
    if (node != NULL)
        node->literal = value;
    else
        json_decref(value);
    return node;
}

static struct node *parse_or(struct parser *p);

static bool enter(struct parser *p)
{
    if (++p->depth > DEPTH_MOST)
        complain(p, p->token.offset, "nested deeper than %d levels", DEPTH_MOST);
    return p->code == 0;
}

/* ---- values ---- */

static json_t *unquote(const char *start, size_t length)
{
    struct buf buf = { 0 };

    for (size_t i = 1; i + 1 < length; i++) {
        buf_add_char(&buf, start[i]);
        if (start[i] == '\'')
            i++;
    }
    json_t *text = buf.failed ? NULL : json_stringn(buf.bytes != NULL ? buf.bytes : "", buf.length);
    buf_free(&buf);
    return text;
}

static struct node *parse_text(struct parser *p)
{
    struct token token = p->token;

    if (!str_is_utf8(p->text + token.offset, token.length)) {
        complain(p, token.offset, "this text is not UTF-8");
        return NULL;
    }
    next(p);
    return make_literal(p, unquote(p->text + token.offset, token.length));
}

static struct node *parse_number(struct parser *p)
{
    char number[64];
    long long integer;
    struct token token = p->token;

    next(p);
    snprintf(number, sizeof(number), "%.*s", SHOWN(p, token));
    if (str_to_int64(number, &integer))
        return make_literal(p, json_integer(integer));
    /* read by hand: strtod looks at the locale */
    json_t *value = json_loads(number, JSON_DECODE_ANY, NULL);
    if (value == NULL)
        complain(p, token.offset, "\"%s\" is no number that can be used", number);
    return value != NULL ? make_literal(p, value) : NULL;
}

static struct node *parse_list(struct parser *p)
{
    struct node *node = make_node(p, NODE_LIST);

    while (p->code == 0 && !at(p, "]")) {
        add_child(p, node, parse_or(p));
        if (!accept(p, ",") && !at(p, "]"))
            expected(p, "a comma or \"]\"");
    }
    accept(p, "]");
    return node;
}

static const char *const name_texts[NAME_COUNT + 1] = {
    [NAME_ID] = "id",         [NAME_LOGIN] = "login", [NAME_NAME] = "name",       [NAME_STATUS] = "status",   [NAME_NOW] = "now",
    [NAME_GROUPS] = "groups", [NAME_APPS] = "apps",   [NAME_PROFILE] = "profile", [NAME_ACCOUNT] = "account", [NAME_MEMBER] = "member",
    [NAME_VALUE] = "value",
};

static void unknown_name(struct parser *p, const char *word)
{
    const char *allowed[NAME_COUNT + 1];
    size_t count = 0;
    struct buf list = { 0 };

    if (p->names == 0) {
        complain(p, p->token.offset, "\"%s\" is not known in this place: it is the same for everybody (text stands in '…')", word);
        return;
    }
    for (size_t i = 0; i < NAME_COUNT; i++)
        if ((p->names & NAME_BIT(i)) != 0) {
            buf_printf(&list, "%s%s", count > 0 ? ", " : "", name_texts[i]);
            allowed[count++] = name_texts[i];
        }
    allowed[count] = NULL;
    const char *nearest = str_nearest(word, allowed);
    if (str_nearest(word, name_texts) != NULL && strcmp(str_nearest(word, name_texts), word) == 0)
        complain(p, p->token.offset, "\"%s\" is not known in this place; known are: %s", word, list.bytes);
    else if (nearest != NULL)
        complain(p, p->token.offset, "unknown name \"%s\"; did you mean \"%s\"?", word, nearest);
    else
        complain(p, p->token.offset, "unknown name \"%s\"; known are: %s (text stands in '…')", word, list.bytes);
    buf_free(&list);
}

/* ".name" or ".'odd name'", one more step of a path. */
static void parse_step(struct parser *p, struct node *path)
{
    json_t *step = NULL;

    if (p->token.kind == TOKEN_WORD)
        step = json_stringn(p->text + p->token.offset, p->token.length);
    else if (p->token.kind == TOKEN_TEXT)
        step = unquote(p->text + p->token.offset, p->token.length);
    else
        expected(p, "a name after the dot");
    if (step == NULL || path == NULL || json_array_size(path->literal) >= DEPTH_MOST) {
        json_decref(step);
        complain(p, p->token.offset, "this path cannot be read");
        return;
    }
    if (json_array_append_new(path->literal, step) < 0)
        fail(p, ERROR_NOMEM);
    next(p);
}

/* profile and account need a member; the others have none. */
static void check_path(struct parser *p, const struct node *path, size_t offset)
{
    size_t steps = json_array_size(path->literal);
    const char *name = name_texts[path->name];
    bool member = path->name == NAME_MEMBER;

    if (member && (steps != 2 || strcmp(json_string_value(json_array_get(path->literal, 0)), "account") != 0))
        complain(p, offset, "member is used as member.account.NAME, such as member.account.dn");
    else if (path->name == NAME_PROFILE && steps == 0)
        complain(p, offset, "profile needs the name of a member, such as profile.email");
    else if (path->name == NAME_ACCOUNT && steps != 1)
        complain(p, offset, "account is used as account.NAME, such as account.dn");
    else if (path->name < NAME_PROFILE && steps > 0)
        complain(p, offset, "%s has no members; did you mean \"profile.%s\"?", name,
                               json_string_value(json_array_get(path->literal, 0)));
}

static struct node *parse_path(struct parser *p)
{
    char word[64];
    size_t name = 0, offset = p->token.offset;

    snprintf(word, sizeof(word), "%.*s", SHOWN(p, p->token));
    while (name < NAME_COUNT && (strcmp(name_texts[name], word) != 0 || (p->names & NAME_BIT(name)) == 0))
        name++;
    if (name == NAME_COUNT) {
        unknown_name(p, word);
        return NULL;
    }
    struct node *path = make_node(p, NODE_PATH);
    if (path == NULL)
        return NULL;
    path->name = (enum expr_name)name;
    path->offset = offset;
    path->literal = json_array();
    p->uses |= NAME_BIT(name);
    next(p);
    while (p->code == 0 && accept(p, "."))
        parse_step(p, path);
    if (p->code == 0)
        check_path(p, path, offset);
    return path;
}

static const char *const keywords[] = { "and", "or", "not", "in", "starts", "ends", "with", "contains", "exactly" };

static bool at_keyword(const struct parser *p)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (at(p, keywords[i]))
            return true;
    return false;
}

static struct node *parse_value(struct parser *p)
{
    struct node *node = NULL;

    if (!enter(p))
        return NULL;
    if (p->token.kind == TOKEN_TEXT)
        node = parse_text(p);
    else if (p->token.kind == TOKEN_NUMBER)
        node = parse_number(p);
    else if (accept(p, "["))
        node = parse_list(p);
    else if (accept(p, "(")) {
        node = parse_or(p);
        if (!accept(p, ")"))
            expected(p, "\")\"");
    } else if (accept(p, "true"))
        node = make_literal(p, json_true());
    else if (accept(p, "false"))
        node = make_literal(p, json_false());
    else if (p->token.kind == TOKEN_WORD && !at_keyword(p))
        node = parse_path(p);
    else
        expected(p, "a value");
    p->depth--;
    return node;
}

/* ---- operators, tightest first ---- */

static struct node *parse_default(struct parser *p)
{
    struct node *node = parse_value(p);

    while (p->code == 0 && accept(p, "??"))
        node = make_pair(p, NODE_DEFAULT, node, parse_value(p));
    return node;
}

static bool at_argument(const struct parser *p)
{
    return p->token.kind == TOKEN_TEXT || p->token.kind == TOKEN_NUMBER || at(p, "(");
}

static const struct function *parse_function(struct parser *p)
{
    char word[64];

    if (p->token.kind != TOKEN_WORD) {
        expected(p, "the name of a function");
        return NULL;
    }
    snprintf(word, sizeof(word), "%.*s", SHOWN(p, p->token));
    const struct function *function = function_find(word);
    const char *nearest = str_nearest(word, function_names());
    if (function == NULL)
        complain(p, p->token.offset, "unknown function \"%s\"%s%s%s", word,
                               nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                               nearest != NULL ? "\"?" : "; see mappings/README.md for the functions");
    return function;
}

static struct node *parse_call(struct parser *p, struct node *input)
{
    size_t offset = p->token.offset;
    const struct function *function = parse_function(p);
    struct node *call = make_node(p, NODE_CALL);

    add_child(p, call, input);
    if (p->code < 0)
        return call;
    call->function = function;
    next(p);
    while (p->code == 0 && at_argument(p))
        add_child(p, call, parse_value(p));
    size_t arguments = call->count - 1;
    if (p->code == 0 && (arguments < function->least_arguments || arguments > function->most_arguments))
        complain(p, offset, "%s is given %zu argument%s; it is used as: %s", function->name, arguments,
                               arguments == 1 ? "" : "s", function->usage);
    return call;
}

static struct node *parse_pipe(struct parser *p)
{
    struct node *node = parse_default(p);

    while (p->code == 0 && accept(p, "|"))
        node = parse_call(p, node);
    return node;
}

static const struct {
    const char *word;
    const char *second; /* "starts with" */
    enum node_kind kind;
} comparisons[] = {
    { "==", NULL, NODE_EQUAL },         { "!=", NULL, NODE_UNEQUAL },           { "<", NULL, NODE_LESS },
    { "<=", NULL, NODE_LESS_EQUAL },    { ">", NULL, NODE_GREATER },            { ">=", NULL, NODE_GREATER_EQUAL },
    { "in", NULL, NODE_IN },            { "contains", NULL, NODE_CONTAINS },    { "starts", "with", NODE_STARTS_WITH },
    { "ends", "with", NODE_ENDS_WITH },
};

static struct node *parse_compare(struct parser *p)
{
    struct node *node = parse_pipe(p);
    bool exact = p->code == 0 && accept(p, "exactly");

    for (size_t i = 0; p->code == 0 && i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        if (!accept(p, comparisons[i].word))
            continue;
        if (comparisons[i].second != NULL && !accept(p, comparisons[i].second))
            expected(p, "\"with\"");
        node = make_pair(p, comparisons[i].kind, node, parse_pipe(p));
        if (node != NULL)
            node->exact = exact;
        return node;
    }
    if (exact)
        expected(p, "a comparison after \"exactly\"");
    return node;
}

static struct node *parse_not(struct parser *p)
{
    struct node *node;

    if (!enter(p))
        return NULL;
    if (accept(p, "not")) {
        struct node *inner = parse_not(p);
        node = make_node(p, NODE_NOT);
        add_child(p, node, inner);
    } else
        node = parse_compare(p);
    p->depth--;
    return node;
}

static struct node *parse_and(struct parser *p)
{
    struct node *node = parse_not(p);

    while (p->code == 0 && accept(p, "and"))
        node = make_pair(p, NODE_AND, node, parse_not(p));
    return node;
}

static struct node *parse_or(struct parser *p)
{
    struct node *node = parse_and(p);

    while (p->code == 0 && accept(p, "or"))
        node = make_pair(p, NODE_OR, node, parse_and(p));
    return node;
}

/* Something follows a whole expression: most often a function without its pipe. */
static void unexpected_rest(struct parser *p)
{
    char word[64];

    snprintf(word, sizeof(word), "%.*s", SHOWN(p, p->token));
    if (p->token.kind == TOKEN_WORD && function_find(word) != NULL)
        complain(p, p->token.offset, "\"%s\" is a function; it stands after a pipe: | %s", word, function_find(word)->usage);
    else
        expected(p, p->in_braces ? "an operator, \"|\" or \"}\"" : "an operator, \"|\" or the end");
}

int expr_parse(const char *text, size_t offset, bool in_braces, unsigned names, struct node **ret_node, size_t *ret_offset,
               unsigned *uses, struct expr_error *error)
{
    struct parser p = { .text = text, .in_braces = in_braces, .names = names, .error = error };

    if (strnlen(text, TEXT_BYTES_MOST + 1) > TEXT_BYTES_MOST)
        return expr_error_set(error, 0, "longer than %d bytes", TEXT_BYTES_MOST);
    lex(&p, offset);
    struct node *node = parse_or(&p);
    if (p.code == 0 && p.token.kind != TOKEN_END)
        unexpected_rest(&p);
    if (p.code == 0 && in_braces && text[p.token.offset] != '}')
        complain(&p, offset - 1, "this \"{\" has no \"}\"");
    if (p.code < 0) {
        node_free(node);
        return p.code == ERROR_NOMEM ? expr_error_nomem(error) : p.code;
    }
    *ret_node = node;
    *ret_offset = p.token.offset;
    *uses |= p.uses;
    return 0;
}
