#include "plan/functions.h"

#include <ctype.h>
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/clock.h"
#include "base/str.h"

/* ---- values ---- */

const char *value_show(const json_t *value, char text[VALUE_SHOW_BYTES])
{
    static const char more[] = "…";
    const size_t most = VALUE_SHOW_BYTES - sizeof(more);
    size_t length = value != NULL ? json_dumpb(value, text, most, JSON_ENCODE_ANY) : 0;

    text[length < most ? length : most] = '\0';
    if (length > most) {
        str_trim_partial_utf8(text);
        strcat(text, more);
    }
    return text;
}

int value_to_text(const json_t *value, json_t **ret_text, struct error *error)
{
    char number[64], shown[VALUE_SHOW_BYTES];

    switch (json_typeof(value)) {
    case JSON_STRING:
        *ret_text = json_incref((json_t *)value);
        return 0;
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(number, sizeof(number), "%.15g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        strcpy(number, json_is_true(value) ? "true" : "false");
        break;
    default:
        return error_set(error, ERROR_INVALID, "%s is %s where text is needed; \"| join ', '\" makes text of a list",
                         value_show(value, shown), json_is_array(value) ? "a list" : "an object");
    }
    json_t *text = json_string(number);
    if (text == NULL)
        return error_nomem(error);
    *ret_text = text;
    return 0;
}

/* New text; an empty one is absent. */
static int give_text(const char *bytes, size_t length, json_t **ret_value, struct error *error)
{
    char shown[VALUE_SHOW_BYTES];

    if (length > VALUE_BYTES_MOST)
        return error_set(error, ERROR_INVALID, "a value of %zu bytes; at most %zu are allowed", length, VALUE_BYTES_MOST);
    if (length == 0) {
        *ret_value = NULL;
        return 0;
    }
    json_t *text = json_stringn(bytes, length);
    if (text == NULL && !str_is_utf8(bytes, length)) {
        snprintf(shown, sizeof(shown), "%.*s", (int)(length < 40 ? length : 40), bytes);
        return error_set(error, ERROR_INVALID, "\"%s\" is no UTF-8 any more after the function", shown);
    }
    if (text == NULL)
        return error_nomem(error);
    *ret_value = text;
    return 0;
}

static int give_buf(struct buf *buf, json_t **ret_value, struct error *error)
{
    return buf->failed ? error_nomem(error) : give_text(buf->bytes != NULL ? buf->bytes : "", buf->length, ret_value, error);
}

/* ---- case, by Unicode ---- */

static locale_t case_locale;

static void make_case_locale(void)
{
    case_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* One code point of valid UTF-8, moved past. */
static wint_t take_code_point(const unsigned char **text)
{
    const unsigned char *p = *text;
    size_t more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
    wint_t point = more == 0 ? p[0] : p[0] & (0x3fu >> more);

    for (size_t i = 1; i <= more; i++)
        point = point << 6 | (p[i] & 0x3f);
    *text = p + more + 1;
    return point;
}

static void add_code_point(struct buf *buf, wint_t point)
{
    if (point < 0x80)
        buf_add_char(buf, (char)point);
    else if (point < 0x800)
        buf_add(buf, (char[]){ (char)(0xc0 | point >> 6), (char)(0x80 | (point & 0x3f)) }, 2);
    else if (point < 0x10000)
        buf_add(buf, (char[]){ (char)(0xe0 | point >> 12), (char)(0x80 | (point >> 6 & 0x3f)), (char)(0x80 | (point & 0x3f)) }, 3);
    else
        buf_add(buf,
                (char[]){ (char)(0xf0 | point >> 18), (char)(0x80 | (point >> 12 & 0x3f)), (char)(0x80 | (point >> 6 & 0x3f)),
                          (char)(0x80 | (point & 0x3f)) },
                4);
}

static void add_cased(struct buf *buf, const char *bytes, size_t length, bool lower)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const unsigned char *p = (const unsigned char *)bytes;
    const unsigned char *end = p + length;

    pthread_once(&once, make_case_locale);
    bool wide = case_locale != (locale_t)0 && str_is_utf8(bytes, length);
    while (p < end) {
        wint_t c = wide ? take_code_point(&p) : *p++;
        if (c < 0x80)
            buf_add_char(buf, (char)(lower ? (c >= 'A' && c <= 'Z' ? c + 32 : c) : (c >= 'a' && c <= 'z' ? c - 32 : c)));
        else if (wide)
            add_code_point(buf, lower ? towlower_l(c, case_locale) : towupper_l(c, case_locale));
        else
            buf_add_char(buf, (char)c);
    }
}

int text_fold(const char *bytes, size_t length, char **ret_text, size_t *ret_length)
{
    struct buf buf = { 0 };

    add_cased(&buf, bytes, length, true);
    *ret_length = buf.length;
    char *text = buf_take(&buf);
    if (text == NULL)
        return ERROR_NOMEM;
    *ret_text = text;
    return 0;
}

/* ---- the functions; inputs are text unless whole_list ---- */

static int apply_case(const json_t *input, bool lower, json_t **ret_value, struct error *error)
{
    cleanup_buf struct buf buf = { 0 };

    add_cased(&buf, json_string_value(input), json_string_length(input), lower);
    return give_buf(&buf, ret_value, error);
}

static int apply_lower(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    (void)arguments;
    return apply_case(input, true, ret_value, error);
}

static int apply_upper(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    (void)arguments;
    return apply_case(input, false, ret_value, error);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int apply_trim(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    const char *start = json_string_value(input);
    const char *end = start + json_string_length(input);

    (void)arguments;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    return give_text(start, (size_t)(end - start), ret_value, error);
}

static const char *find_argument(const json_t *input, const json_t *argument)
{
    return memmem(json_string_value(input), json_string_length(input), json_string_value(argument), json_string_length(argument));
}

static int apply_before(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    const char *start = json_string_value(input);
    const char *found = find_argument(input, arguments[0]);

    return give_text(start, found != NULL ? (size_t)(found - start) : json_string_length(input), ret_value, error);
}

static int apply_after(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    const char *end = json_string_value(input) + json_string_length(input);
    const char *found = find_argument(input, arguments[0]);
    const char *start = found != NULL ? found + json_string_length(arguments[0]) : end;

    return give_text(start, (size_t)(end - start), ret_value, error);
}

static int apply_replace(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    cleanup_buf struct buf buf = { 0 };
    const char *from = json_string_value(arguments[0]);
    size_t from_bytes = json_string_length(arguments[0]);
    const char *p = json_string_value(input);
    const char *end = p + json_string_length(input);

    while (from_bytes > 0 && buf.length <= VALUE_BYTES_MOST) {
        const char *found = memmem(p, (size_t)(end - p), from, from_bytes);
        if (found == NULL)
            break;
        buf_add(&buf, p, (size_t)(found - p));
        buf_add(&buf, json_string_value(arguments[1]), json_string_length(arguments[1]));
        p = found + from_bytes;
    }
    buf_add(&buf, p, (size_t)(end - p));
    return give_buf(&buf, ret_value, error);
}

static int apply_first_word(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    const char *p = json_string_value(input);
    const char *end = p + json_string_length(input);

    (void)arguments;
    while (p < end && is_blank(*p))
        p++;
    const char *stop = p;
    while (stop < end && !is_blank(*stop))
        stop++;
    return give_text(p, (size_t)(stop - p), ret_value, error);
}

static int apply_last_word(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    const char *start = json_string_value(input);
    const char *end = start + json_string_length(input);

    (void)arguments;
    while (end > start && is_blank(end[-1]))
        end--;
    const char *word = end;
    while (word > start && !is_blank(word[-1]))
        word--;
    return give_text(word, (size_t)(end - word), ret_value, error);
}

/* A time as RFC 3339 has it, or a date alone. */
static bool parse_time(const char *text, struct wall *ret_wall)
{
    char whole[WALL_TEXT_BYTES];

    if (strlen(text) != sizeof("2026-11-22") - 1)
        return wall_parse(text, ret_wall);
    snprintf(whole, sizeof(whole), "%sT00:00:00Z", text);
    return wall_parse(whole, ret_wall);
}

/* The administrator writes the format; strftime reads no arguments but the time. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int apply_date(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    char text[256], shown[VALUE_SHOW_BYTES];
    struct wall wall;

    if (!parse_time(json_string_value(input), &wall))
        return error_set(error, ERROR_INVALID, "date: %s is no time; it needs one like 2026-11-22T21:10:03Z or 2026-11-22",
                         value_show(input, shown));
    size_t length = wall_strftime(wall, json_string_value(arguments[0]), text, sizeof(text));
    return give_text(text, length, ret_value, error);
}
#pragma GCC diagnostic pop

static int apply_join(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    cleanup_buf struct buf buf = { 0 };
    const char *separator = arguments[0] != NULL ? json_string_value(arguments[0]) : ", ";

    if (!json_is_array(input))
        return value_to_text(input, ret_value, error);
    for (size_t i = 0; i < json_array_size(input) && buf.length <= VALUE_BYTES_MOST; i++) {
        json_t *text;
        int code = value_to_text(json_array_get(input, i), &text, error);
        if (code < 0)
            return code;
        if (i > 0)
            buf_add_str(&buf, separator);
        buf_add(&buf, json_string_value(text), json_string_length(text));
        json_decref(text);
    }
    return give_buf(&buf, ret_value, error);
}

static int add_piece(json_t *list, const char *start, const char *end)
{
    if (start == end)
        return 0;
    json_t *piece = json_stringn(start, (size_t)(end - start));
    return piece != NULL ? json_array_append_new(list, piece) : -1;
}

static int apply_split(const json_t *input, const json_t *const *arguments, json_t **ret_value, struct error *error)
{
    const char *p = json_string_value(input);
    const char *end = p + json_string_length(input);
    size_t separator_bytes = json_string_length(arguments[0]);
    json_t *list = json_array();
    int failed = list == NULL;

    while (!failed) {
        const char *found = separator_bytes > 0
                                ? memmem(p, (size_t)(end - p), json_string_value(arguments[0]), separator_bytes)
                                : NULL;
        failed = add_piece(list, p, found != NULL ? found : end);
        if (found == NULL)
            break;
        p = found + separator_bytes;
    }
    if (failed || json_array_size(list) == 0) {
        json_decref(list);
        list = NULL;
    }
    if (failed)
        return error_nomem(error);
    *ret_value = list;
    return 0;
}

/* ---- the table ---- */

static const struct function functions[] = {
    { "lower", "lower", 0, 0, false, apply_lower },
    { "upper", "upper", 0, 0, false, apply_upper },
    { "trim", "trim", 0, 0, false, apply_trim },
    { "before", "before 'text'", 1, 1, false, apply_before },
    { "after", "after 'text'", 1, 1, false, apply_after },
    { "replace", "replace 'old' 'new'", 2, 2, false, apply_replace },
    { "first_word", "first_word", 0, 0, false, apply_first_word },
    { "last_word", "last_word", 0, 0, false, apply_last_word },
    { "date", "date '%F'", 1, 1, false, apply_date },
    { "join", "join ', '", 0, 1, true, apply_join },
    { "split", "split ','", 1, 1, false, apply_split },
};
#define FUNCTION_COUNT (sizeof(functions) / sizeof(functions[0]))

const struct function *function_find(const char *name)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

static const char *names[FUNCTION_COUNT + 1];

static void make_names(void)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        names[i] = functions[i].name;
}

const char *const *function_names(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_names);
    return names;
}

static int apply_to_one(const struct function *function, const json_t *input, const json_t *const *arguments,
                        json_t **ret_value, struct error *error)
{
    json_t *text;
    int code = value_to_text(input, &text, error);

    if (code < 0)
        return code;
    code = function->apply(text, arguments, ret_value, error);
    json_decref(text);
    return code;
}

static int apply_to_each(const struct function *function, const json_t *input, const json_t *const *arguments,
                         json_t **ret_value, struct error *error)
{
    json_t *list = json_array();
    int code = list != NULL ? 0 : error_nomem(error);

    for (size_t i = 0; code == 0 && i < json_array_size(input); i++) {
        json_t *value = NULL;
        code = apply_to_one(function, json_array_get(input, i), arguments, &value, error);
        if (code == 0 && value != NULL && json_is_array(value)) {
            if (json_array_extend(list, value) < 0)
                code = error_nomem(error);
            json_decref(value);
        } else if (code == 0 && value != NULL && json_array_append_new(list, value) < 0)
            code = error_nomem(error);
    }
    if (code < 0 || json_array_size(list) == 0) {
        json_decref(list);
        list = NULL;
    }
    if (code == 0)
        *ret_value = list;
    return code;
}

int function_apply(const struct function *function, const json_t *input, const json_t *const *arguments, json_t **ret_value,
                   struct error *error)
{
    if (function->whole_list)
        return function->apply(input, arguments, ret_value, error);
    if (json_is_array(input))
        return apply_to_each(function, input, arguments, ret_value, error);
    return apply_to_one(function, input, arguments, ret_value, error);
}
