/* Text with expressions in braces. */
#include "base/str.h"
#include "plan/escape.h"
#include "plan/expr_node.h"

struct segment {
    char *constant; /* or NULL: an expression */
    size_t length;  /* of the constant */
    struct node *node;
    bool is_locator; /* account.dn alone: escaped already */
    char quote;      /* that stands open around the expression; '\0': none */
};

struct template {
    char *text;
    enum escape escape;
    struct segment *segments;
    size_t count;
    unsigned uses;
};

void template_free(struct template *template)
{
    if (template == NULL)
        return;
    for (size_t i = 0; i < template->count; i++) {
        free(template->segments[i].constant);
        node_free(template->segments[i].node);
    }
    free(template->segments);
    free(template->text);
    free(template);
}

static int add_segment(struct template *template, struct segment segment)
{
    struct segment *segments = realloc(template->segments, (template->count + 1) * sizeof(*segments));

    if (segments == NULL) {
        free(segment.constant);
        node_free(segment.node);
        return ERROR_NOMEM;
    }
    template->segments = segments;
    segments[template->count++] = segment;
    return 0;
}

/* Constant text up to a "{" or the end; "{{" and "}}" stand for one. */
static int compile_constant(struct template *template, size_t *offset, struct expr_error *error)
{
    struct buf constant = { 0 };
    const char *text = template->text;
    size_t i = *offset;

    for (; text[i] != '\0'; i++) {
        bool brace = text[i] == '{' || text[i] == '}';
        if (brace && text[i + 1] == text[i])
            i++;
        else if (text[i] == '}') {
            buf_free(&constant);
            return expr_error_set(error, i, "this \"}\" closes nothing; a brace in the text is written twice: \"}}\"");
        } else if (brace)
            break;
        buf_add_char(&constant, text[i]);
    }
    *offset = i;
    size_t length = constant.length;
    char *bytes = buf_take(&constant);
    if (bytes == NULL)
        return ERROR_NOMEM;
    if (length == 0) {
        free(bytes);
        return 0;
    }
    return add_segment(template, (struct segment){ .constant = bytes, .length = length });
}

static bool is_locator_path(const struct node *node, const char *locator_name)
{
    if (node->kind != NODE_PATH || locator_name == NULL || (node->name != NAME_ACCOUNT && node->name != NAME_MEMBER))
        return false;
    size_t steps = json_array_size(node->literal);
    return strcmp(json_string_value(json_array_get(node->literal, steps - 1)), locator_name) == 0;
}

static int compile_segments(struct template *template, unsigned names, const char *locator_name, struct expr_error *error)
{
    size_t offset = 0;
    int code = 0;

    while (code == 0 && template->text[offset] != '\0') {
        struct node *node;
        code = compile_constant(template, &offset, error);
        if (code < 0 || template->text[offset] == '\0')
            break;
        code = expr_parse(template->text, offset + 1, true, names, &node, &offset, &template->uses, error);
        if (code < 0)
            break;
        offset++;
        code = add_segment(template, (struct segment){ .node = node, .is_locator = is_locator_path(node, locator_name) });
    }
    return code;
}

/* Quotes are part of the constant text alone: what is put in cannot open or close one. */
static int note_quotes(struct template *template, struct expr_error *error)
{
    bool matters = template->escape == ESCAPE_QUOTED || template->escape == ESCAPE_URL_PATH || template->escape == ESCAPE_QUERY;
    bool strict = template->escape == ESCAPE_QUOTED && !template_is_constant(template);
    char quote = '\0';

    for (size_t i = 0; matters && i < template->count; i++) {
        struct segment *segment = &template->segments[i];
        if (segment->node == NULL)
            quote = escape_quote_after(quote, segment->constant, segment->length);
        else if (quote == QUOTE_BACKSLASH)
            return expr_error_set(error, 0, "a backslash stands before a brace and would escape what is put in; write it twice");
        else
            segment->quote = quote;
    }
    if (quote == '\0')
        return 0;
    if (strict)
        return expr_error_set(error, 0, "a quote (%c) is open at the end; one that is meant as text is written in braces: {'%s'}",
                              quote == QUOTE_BACKSLASH ? '"' : quote, quote == '\'' ? "''" : "\"");
    for (size_t i = 0; i < template->count; i++) /* a path with an apostrophe in it */
        template->segments[i].quote = '\0';
    return 0;
}

int template_compile(const char *text, unsigned names, enum escape escape, const char *locator_name,
                     struct template **ret_template, struct expr_error *error)
{
    struct template *template = calloc(1, sizeof(*template));
    char *copy = strdup(text);

    if (template == NULL || copy == NULL) {
        free(template);
        free(copy);
        return expr_error_set(error, 0, "out of memory");
    }
    template->text = copy;
    template->escape = escape;
    int code = str_is_utf8(text, strlen(text)) ? 0 : expr_error_set(error, 0, "this text is not UTF-8");
    if (code == 0)
        code = compile_segments(template, names, locator_name, error);
    if (code == 0)
        code = note_quotes(template, error);
    if (code < 0) {
        template_free(template);
        return code;
    }
    *ret_template = template;
    return 0;
}

static bool is_in(const char *name, const char *const *list)
{
    while (*list != NULL && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

static int unknown_account_name(const struct node *node, const char *name, const char *const *known, struct expr_error *error)
{
    const char *nearest = str_nearest(name, known);
    cleanup_buf struct buf list = { 0 };

    for (size_t i = 0; known[i] != NULL; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    if (list.length == 0)
        return expr_error_set(error, node->offset, "there is no account.%s: this target has no accounts", name);
    return expr_error_set(error, node->offset, "there is no account.%s%s%s%s; known are: %s", name,
                          nearest != NULL ? ", did you mean account." : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "",
                          list.bytes);
}

static int check_account_in(const struct node *node, const char *const *known, struct expr_error *error)
{
    bool account = node->kind == NODE_PATH && node->name == NAME_ACCOUNT;
    const char *name = account ? json_string_value(json_array_get(node->literal, 0)) : NULL;
    int code = name != NULL && !is_in(name, known) ? unknown_account_name(node, name, known, error) : 0;

    for (size_t i = 0; code == 0 && i < node->count; i++)
        code = check_account_in(node->children[i], known, error);
    return code;
}

int template_check_account(const struct template *template, const char *const *known, struct expr_error *error)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < template->count; i++)
        if (template->segments[i].node != NULL)
            code = check_account_in(template->segments[i].node, known, error);
    return code;
}

unsigned template_uses(const struct template *template)
{
    return template->uses;
}

const char *template_text(const struct template *template)
{
    return template->text;
}

char *template_sample(const struct template *template, const char *stand_in)
{
    struct buf sample = { 0 };

    for (size_t i = 0; i < template->count; i++)
        buf_add_str(&sample, template->segments[i].constant != NULL ? template->segments[i].constant : stand_in);
    return buf_take(&sample);
}

bool template_is_constant(const struct template *template)
{
    return template->count == 0 || (template->count == 1 && template->segments[0].node == NULL);
}

/* ---- rendering ---- */

static enum escape segment_escape(const struct template *template, const struct segment *segment)
{
    return segment->is_locator && template->escape == ESCAPE_DN ? ESCAPE_NONE : template->escape;
}

static int too_big(struct error *error)
{
    return error_set(error, ERROR_INVALID, "the value is larger than %zu bytes", VALUE_BYTES_MOST);
}

static int take_buf(struct buf *buf, json_t **ret_value, struct error *error)
{
    if (buf->length > VALUE_BYTES_MOST)
        return too_big(error);
    json_t *text = buf->failed ? NULL : json_stringn(buf->bytes != NULL ? buf->bytes : "", buf->length);
    if (text == NULL)
        return error_nomem(error);
    *ret_value = text;
    return 0;
}

/* One value, escaped where it is text. */
static int escape_value(json_t *value, enum escape escape, json_t **ret_value, struct error *error)
{
    cleanup_buf struct buf buf = { 0 };

    if (json_is_string(value) && json_string_length(value) > VALUE_BYTES_MOST)
        return too_big(error);
    if (!json_is_string(value) || escape == ESCAPE_NONE) {
        *ret_value = json_incref(value);
        return 0;
    }
    escape_add(&buf, escape, json_string_value(value), json_string_length(value));
    return take_buf(&buf, ret_value, error);
}

static int escape_list(json_t *list, enum escape escape, json_t **ret_value, struct error *error)
{
    json_t *escaped = json_array();
    int code = escaped != NULL ? 0 : error_nomem(error);

    for (size_t i = 0; code == 0 && i < json_array_size(list); i++) {
        json_t *value = NULL;
        code = escape_value(json_array_get(list, i), escape, &value, error);
        if (code == 0 && json_array_append_new(escaped, value) < 0)
            code = error_nomem(error);
    }
    if (code < 0) {
        json_decref(escaped);
        return code;
    }
    *ret_value = escaped;
    return 0;
}

/* The template is one interpolation: its value keeps its type. */
static int render_alone(const struct template *template, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    const struct segment *segment = &template->segments[0];
    enum escape escape = segment_escape(template, segment);
    json_t *value = NULL;
    int code = node_value(segment->node, input, &value, error);

    if (code < 0)
        return code;
    if (value == NULL || (json_is_array(value) && json_array_size(value) == 0))
        *ret_value = NULL;
    else if (json_is_array(value))
        code = escape_list(value, escape, ret_value, error);
    else
        code = escape_value(value, escape, ret_value, error);
    json_decref(value);
    return code;
}

static int add_interpolated(const struct template *template, const struct segment *segment, const struct expr_input *input,
                            struct buf *buf, bool *ret_absent, struct error *error)
{
    json_t *value = NULL, *text = NULL;
    int code = node_value(segment->node, input, &value, error);

    *ret_absent = value == NULL;
    if (code < 0 || value == NULL)
        return code;
    code = value_to_text(value, &text, error);
    json_decref(value);
    if (code < 0)
        return code;
    if (json_string_length(text) + buf->length > VALUE_BYTES_MOST)
        code = too_big(error);
    else
        escape_add_within(buf, segment_escape(template, segment), segment->quote, json_string_value(text), json_string_length(text));
    json_decref(text);
    return code;
}

int template_render(const struct template *template, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    cleanup_buf struct buf buf = { 0 };
    bool absent = false;

    if (template->count == 1 && template->segments[0].node != NULL)
        return render_alone(template, input, ret_value, error);
    for (size_t i = 0; i < template->count; i++) {
        const struct segment *segment = &template->segments[i];
        if (segment->node == NULL) {
            buf_add(&buf, segment->constant, segment->length);
            continue;
        }
        int code = add_interpolated(template, segment, input, &buf, &absent, error);
        if (code < 0)
            return code;
        if (absent) {
            *ret_value = NULL;
            return 0;
        }
    }
    return take_buf(&buf, ret_value, error);
}

bool template_matches(const struct template *template, const char *text)
{
    bool constant = false, floating = false; /* floating: an interpolation came just before */
    size_t length = strlen(text);

    for (size_t i = 0; i < template->count; i++) {
        const struct segment *segment = &template->segments[i];
        if (segment->node != NULL) {
            floating = true;
            continue;
        }
        constant = true;
        const char *found = text;
        if (i + 1 == template->count && floating) /* the end must be the text's end */
            found = length >= segment->length ? text + length - segment->length : NULL;
        else if (floating)
            found = strstr(text, segment->constant);
        if (found == NULL || strncmp(found, segment->constant, segment->length) != 0)
            return false;
        text = found + segment->length;
        length = strlen(text);
        floating = false;
    }
    return constant && (floating || length == 0);
}
