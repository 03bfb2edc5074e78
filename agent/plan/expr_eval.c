/* Nodes → values. Absent is NULL all the way. */
#include "base/str.h"
#include "plan/expr_node.h"

/* ---- names ---- */

static int give_string(const char *text, json_t **ret_value, struct error *error)
{
    json_t *value = NULL;

    if (text != NULL && text[0] != '\0' && str_is_utf8(text, strlen(text)) && (value = json_string(text)) == NULL)
        return error_nomem(error);
    *ret_value = value;
    return 0;
}

static int give_now(const struct expr_input *input, json_t **ret_value, struct error *error)
{
    const struct identity *identity = input->identity;
    char text[WALL_TEXT_BYTES];
    struct wall now = input->since.us != 0               ? input->since
                      : identity->kind == IDENTITY_GROUP ? identity->exists_as_of
                                                         : identity->status.as_of;

    if (now.us == 0)
        return give_string(NULL, ret_value, error);
    wall_format(now, text);
    return give_string(text, ret_value, error);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of those that are present, in one order whatever order they are stored in. */
static int give_memberships(const struct membership *rows, size_t count, json_t **ret_value, struct error *error)
{
    const char **names = calloc(count + 1, sizeof(*names));
    json_t *list = json_array();
    size_t named = 0;
    int failed = names == NULL || list == NULL;

    for (size_t i = 0; !failed && i < count; i++)
        if (rows[i].present && rows[i].name != NULL && rows[i].name[0] != '\0')
            names[named++] = rows[i].name;
    if (!failed)
        qsort(names, named, sizeof(*names), compare_names);
    for (size_t i = 0; !failed && i < named; i++)
        failed = json_array_append_new(list, json_string(names[i])) < 0;
    free(names);
    if (failed) {
        json_decref(list);
        return error_nomem(error);
    }
    *ret_value = list;
    return 0;
}

static bool is_absent(const json_t *value)
{
    return value == NULL || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static json_t *follow(const json_t *value, const json_t *path)
{
    for (size_t i = 0; i < json_array_size(path); i++)
        value = json_object_get(value, json_string_value(json_array_get(path, i)));
    return is_absent(value) ? NULL : json_incref((json_t *)value);
}

/* The last name of the path in the account; in a directory a list of one is its entry. */
static int give_account(const json_t *path, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    const char *name = json_string_value(json_array_get(path, json_array_size(path) - 1));

    if (input->locator_name != NULL && strcmp(name, input->locator_name) == 0)
        return give_string(input->locator, ret_value, error);
    if (input->key != NULL && strcmp(name, "key") == 0)
        return give_string(input->key, ret_value, error);
    const json_t *value = json_object_get(input->account, name);
    if (!input->typed && json_is_array(value) && json_array_size(value) == 1)
        value = json_array_get(value, 0);
    *ret_value = is_absent(value) ? NULL : json_incref((json_t *)value);
    return 0;
}

static int path_value(const struct node *node, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    const struct identity *identity = input->identity;

    if (node->name == NAME_ACCOUNT || node->name == NAME_MEMBER)
        return give_account(node->literal, input, ret_value, error);
    if (node->name == NAME_VALUE)
        return give_string(input->value, ret_value, error);
    if (identity == NULL)
        return give_string(NULL, ret_value, error);
    switch (node->name) {
    case NAME_ID:
        return give_string(identity->id, ret_value, error);
    case NAME_LOGIN:
        return give_string(identity->login.value, ret_value, error);
    case NAME_NAME:
        return give_string(identity->name.value, ret_value, error);
    case NAME_STATUS:
        return give_string(input->status != NULL ? input->status : identity->status.value, ret_value, error);
    case NAME_NOW:
        return give_now(input, ret_value, error);
    case NAME_GROUPS:
        return give_memberships(identity->groups, identity->group_count, ret_value, error);
    case NAME_APPS:
        return give_memberships(identity->apps, identity->app_count, ret_value, error);
    default:
        *ret_value = follow(identity->profile, node->literal);
        return 0;
    }
}

/* ---- truth and comparison ---- */

static bool is_true(const json_t *value)
{
    if (is_absent(value) || json_is_false(value))
        return false;
    return !json_is_number(value) || json_number_value(value) != 0;
}

/* A number, or text that is one. */
static bool as_number(const json_t *value, double *ret_number)
{
    char *end;

    if (json_is_number(value)) {
        *ret_number = json_number_value(value);
        return true;
    }
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    *ret_number = strtod(text, &end);
    return end != text && *end == '\0';
}

/* Order of two values; false: they cannot be compared. */
static bool compare(const json_t *a, const json_t *b, int *ret_order)
{
    double x, y;

    if ((json_is_number(a) || json_is_number(b)) && as_number(a, &x) && as_number(b, &y)) {
        *ret_order = x < y ? -1 : x > y;
        return true;
    }
    if (json_is_string(a) && json_is_string(b)) {
        *ret_order = strcmp(json_string_value(a), json_string_value(b));
        return true;
    }
    if (json_typeof(a) != json_typeof(b) && !(json_is_boolean(a) && json_is_boolean(b)))
        return false;
    *ret_order = json_equal(a, b) ? 0 : 1;
    return true;
}

static bool is_equal(const json_t *a, const json_t *b)
{
    int order;

    return compare(a, b, &order) && order == 0;
}

static bool list_holds(const json_t *list, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (is_equal(json_array_get(list, i), value))
            return true;
    return false;
}

/* A list holds a value, or all of a list's; text holds a text. */
static bool contains(const json_t *whole, const json_t *part)
{
    if (json_is_string(whole) && json_is_string(part))
        return memmem(json_string_value(whole), json_string_length(whole), json_string_value(part),
                      json_string_length(part)) != NULL;
    if (!json_is_array(whole))
        return is_equal(whole, part);
    if (!json_is_array(part))
        return list_holds(whole, part);
    for (size_t i = 0; i < json_array_size(part); i++)
        if (!list_holds(whole, json_array_get(part, i)))
            return false;
    return true;
}

static bool has_edge(const json_t *whole, const json_t *part, bool start)
{
    if (!json_is_string(whole) || !json_is_string(part))
        return false;
    size_t length = json_string_length(whole), part_length = json_string_length(part);
    return part_length <= length &&
           memcmp(json_string_value(whole) + (start ? 0 : length - part_length), json_string_value(part), part_length) == 0;
}

static bool is_ordered(enum node_kind kind, const json_t *left, const json_t *right)
{
    int order;

    if (json_is_array(left) || json_is_object(left) || !compare(left, right, &order))
        return false;
    switch (kind) {
    case NODE_LESS:
        return order < 0;
    case NODE_LESS_EQUAL:
        return order <= 0;
    case NODE_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool compare_truth(enum node_kind kind, const json_t *left, const json_t *right)
{
    if (left == NULL || right == NULL)
        return kind == NODE_UNEQUAL;
    switch (kind) {
    case NODE_EQUAL:
        return is_equal(left, right);
    case NODE_UNEQUAL:
        return !is_equal(left, right);
    case NODE_IN:
        return json_is_array(right) ? list_holds(right, left) : contains(right, left);
    case NODE_CONTAINS:
        return contains(left, right);
    case NODE_STARTS_WITH:
    case NODE_ENDS_WITH:
        return has_edge(left, right, kind == NODE_STARTS_WITH);
    default:
        return is_ordered(kind, left, right);
    }
}

/* ---- nodes ---- */

static int list_value(const struct node *node, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    json_t *list = json_array();
    int code = list != NULL ? 0 : error_nomem(error);

    for (size_t i = 0; code == 0 && i < node->count; i++) {
        json_t *value = NULL;
        code = node_value(node->children[i], input, &value, error);
        if (code == 0 && value != NULL && json_array_append_new(list, value) < 0)
            code = error_nomem(error);
    }
    if (code < 0)
        json_decref(list);
    else
        *ret_value = list;
    return code;
}

static int default_value(const struct node *node, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    json_t *value = NULL;
    int code = node_value(node->children[0], input, &value, error);

    if (code == 0 && value == NULL)
        return node_value(node->children[1], input, ret_value, error);
    if (code == 0)
        *ret_value = value;
    return code;
}

/* Arguments are text; NULL in *ret_argument: absent. */
static int argument_value(const struct node *node, const struct expr_input *input, json_t **ret_argument, struct error *error)
{
    json_t *value = NULL;
    int code = node_value(node, input, &value, error);

    if (code == 0 && value != NULL)
        code = value_to_text(value, ret_argument, error);
    json_decref(value);
    return code;
}

static int call_value(const struct node *node, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    json_t *arguments[FUNCTION_ARGUMENTS_MOST] = { NULL };
    json_t *value = NULL, *result = NULL;
    int code = node_value(node->children[0], input, &value, error);
    bool absent = value == NULL;

    for (size_t i = 1; code == 0 && i < node->count; i++) {
        code = argument_value(node->children[i], input, &arguments[i - 1], error);
        absent = absent || arguments[i - 1] == NULL;
    }
    if (code == 0 && !absent)
        code = function_apply(node->function, value, (const json_t *const *)arguments, &result, error);
    json_decref(value);
    for (size_t i = 0; i < FUNCTION_ARGUMENTS_MOST; i++)
        json_decref(arguments[i]);
    if (code == 0)
        *ret_value = result;
    return code;
}

static int node_truth(const struct node *node, const struct expr_input *input, bool *ret_true, struct error *error)
{
    json_t *value = NULL;
    int code = node_value(node, input, &value, error);

    if (code == 0)
        *ret_true = is_true(value);
    json_decref(value);
    return code;
}

static int logic_value(const struct node *node, const struct expr_input *input, bool *ret_true, struct error *error)
{
    bool truth = false;
    int code = node_truth(node->children[0], input, &truth, error);

    if (code == 0 && ((node->kind == NODE_AND && truth) || (node->kind == NODE_OR && !truth)))
        code = node_truth(node->children[1], input, &truth, error);
    if (code == 0)
        *ret_true = node->kind == NODE_NOT ? !truth : truth;
    return code;
}

static int fold_value(json_t **value, struct error *error);

static int fold_text(json_t **value, struct error *error)
{
    cleanup_free char *text = NULL;
    size_t length;
    json_t *folded = text_fold(json_string_value(*value), json_string_length(*value), &text, &length) == 0 ? json_stringn(text, length) : NULL;

    if (folded == NULL)
        return error_nomem(error);
    json_decref(*value);
    *value = folded;
    return 0;
}

static int fold_list(json_t **value, struct error *error)
{
    json_t *list = json_array();
    int code = list != NULL ? 0 : error_nomem(error);

    for (size_t i = 0; code == 0 && i < json_array_size(*value); i++) {
        json_t *item = json_incref(json_array_get(*value, i));
        code = fold_value(&item, error);
        if (code < 0)
            json_decref(item);
        else if (json_array_append_new(list, item) < 0)
            code = error_nomem(error);
    }
    json_decref(code < 0 ? list : *value);
    if (code == 0)
        *value = list;
    return code;
}

/* Text, and that of a list, without case: who is told by a login, a mail address or a name is the same however it is typed. */
static int fold_value(json_t **value, struct error *error)
{
    return json_is_string(*value) ? fold_text(value, error) : json_is_array(*value) ? fold_list(value, error) : 0;
}

static int compare_value(const struct node *node, const struct expr_input *input, bool *ret_true, struct error *error)
{
    json_t *left = NULL, *right = NULL;
    int code = node_value(node->children[0], input, &left, error);

    if (code == 0)
        code = node_value(node->children[1], input, &right, error);
    if (code == 0 && !node->exact)
        code = fold_value(&left, error);
    if (code == 0 && !node->exact)
        code = fold_value(&right, error);
    if (code == 0)
        *ret_true = compare_truth(node->kind, left, right);
    json_decref(left);
    json_decref(right);
    return code;
}

int node_value(const struct node *node, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    bool truth = false;
    int code;

    switch (node->kind) {
    case NODE_LITERAL:
        *ret_value = json_incref(node->literal);
        return 0;
    case NODE_LIST:
        return list_value(node, input, ret_value, error);
    case NODE_PATH:
        return path_value(node, input, ret_value, error);
    case NODE_DEFAULT:
        return default_value(node, input, ret_value, error);
    case NODE_CALL:
        return call_value(node, input, ret_value, error);
    case NODE_OR:
    case NODE_AND:
    case NODE_NOT:
        code = logic_value(node, input, &truth, error);
        break;
    default:
        code = compare_value(node, input, &truth, error);
        break;
    }
    if (code == 0)
        *ret_value = json_boolean(truth);
    return code;
}

/* ---- an expression alone ---- */

struct expr {
    struct node *node;
    unsigned uses;
};

int expr_compile(const char *text, unsigned names, struct expr **ret_expr, struct expr_error *error)
{
    struct expr *expr = calloc(1, sizeof(*expr));
    size_t end;

    if (expr == NULL)
        return ERROR_NOMEM;
    int code = expr_parse(text, 0, false, names, &expr->node, &end, &expr->uses, error);
    if (code < 0) {
        free(expr);
        return code;
    }
    *ret_expr = expr;
    return 0;
}

void expr_free(struct expr *expr)
{
    if (expr == NULL)
        return;
    node_free(expr->node);
    free(expr);
}

unsigned expr_uses(const struct expr *expr)
{
    return expr->uses;
}

int expr_value(const struct expr *expr, const struct expr_input *input, json_t **ret_value, struct error *error)
{
    return node_value(expr->node, input, ret_value, error);
}

int expr_test(const struct expr *expr, const struct expr_input *input, bool *ret_true, struct error *error)
{
    return node_truth(expr->node, input, ret_true, error);
}
