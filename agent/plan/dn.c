#include "plan/dn.h"

#include <ctype.h>
#include <strings.h>

#include "base/str.h"
#include "plan/functions.h"

/* One "type=value" of a DN; `ended` is the character after it. */
struct ava {
    struct buf type;
    struct buf value;
    char ended; /* ',', '+' or NUL */
};

static void ava_clear(struct ava *ava)
{
    buf_free(&ava->type);
    buf_free(&ava->value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* After a backslash: "2C" or one character. */
static bool take_escaped(const char **text, struct buf *value)
{
    const char *p = *text;
    int high = hex_digit(p[0]);
    int low = high >= 0 ? hex_digit(p[1]) : -1;

    if (p[0] == '\0')
        return false;
    buf_add_char(value, low >= 0 ? (char)(high * 16 + low) : p[0]);
    *text = p + (low >= 0 ? 2 : 1);
    return true;
}

static bool take_type(const char **text, struct buf *type)
{
    const char *p = *text;

    while (*p == ' ')
        p++;
    for (; isalnum((unsigned char)*p) || strchr("-.;_", *p) != NULL; p++) {
        if (*p == '\0')
            return false;
        buf_add_char(type, (char)tolower((unsigned char)*p));
    }
    while (*p == ' ')
        p++;
    *text = p + 1;
    return *p == '=' && type->length > 0;
}

static bool take_value(const char **text, struct buf *value)
{
    const char *p = *text;
    size_t kept = 0; /* up to the last character that is no trailing space */

    while (*p == ' ')
        p++;
    while (*p != '\0' && strchr(",+;", *p) == NULL) {
        bool escaped = *p == '\\';
        char c = *p++;
        if (escaped && !take_escaped(&p, value))
            return false;
        if (!escaped)
            buf_add_char(value, c);
        if (escaped || c != ' ')
            kept = value->length;
    }
    if (value->bytes != NULL && kept < value->length) {
        value->length = kept;
        value->bytes[kept] = '\0';
    }
    *text = p;
    return true;
}

/* Into `ava`, whose buffers are used again. */
static int take_ava(const char **text, struct ava *ava)
{
    buf_reset(&ava->type);
    buf_reset(&ava->value);
    bool good = take_type(text, &ava->type) && take_value(text, &ava->value);
    buf_add(&ava->value, "", 0);
    if (ava->type.failed || ava->value.failed) /* then it only looks wrong */
        return ERROR_NOMEM;
    if (!good)
        return ERROR_SYNTAX;
    ava->ended = **text == ';' ? ',' : **text;
    if (**text != '\0')
        (*text)++;
    return 0;
}

/* Value without case and with single spaces, so escaped that no two run together. */
static int add_normal_value(struct buf *out, const struct buf *value)
{
    cleanup_free char *folded = NULL;
    size_t length;
    int code = text_fold(value->bytes, value->length, &folded, &length);

    if (code < 0)
        return code;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)folded[i];
        if (c == ' ' && i + 1 < length && folded[i + 1] == ' ')
            continue;
        if (c < 0x20 || strchr("\\,+=;", c) != NULL)
            buf_printf(out, "\\%02x", c);
        else
            buf_add_char(out, (char)c);
    }
    return 0;
}

#define RDN_PARTS_MOST 16

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What `out` holds from `start` on, "b=1+a=2", with its parts in order; a '+' within a value is escaped. */
static int sort_parts(struct buf *out, size_t start)
{
    char *parts[RDN_PARTS_MOST];
    size_t count = 0;
    cleanup_free char *copy = out->failed ? NULL : strdup(out->bytes + start);
    char *rest = copy;

    if (copy == NULL)
        return ERROR_NOMEM;
    while (count < RDN_PARTS_MOST && (parts[count] = strsep(&rest, "+")) != NULL)
        count++;
    qsort(parts, count, sizeof(parts[0]), compare_text);
    out->length = start;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, '+');
        buf_add_str(out, parts[i]);
    }
    return 0;
}

/* Reads one RDN and appends it with its parts in order; `ava` has what ended it. */
static int normalize_rdn(const char **text, struct ava *ava, struct buf *out)
{
    size_t start = out->length, count = 0;
    int code;

    do {
        code = count < RDN_PARTS_MOST ? take_ava(text, ava) : ERROR_SYNTAX;
        if (code < 0)
            return code;
        if (count++ > 0)
            buf_add_char(out, '+');
        buf_add(out, ava->type.bytes, ava->type.length);
        buf_add_char(out, '=');
        code = add_normal_value(out, &ava->value);
    } while (code == 0 && ava->ended == '+');
    return code == 0 && count > 1 ? sort_parts(out, start) : code;
}

int dn_normalize(const char *dn, char **ret_normal)
{
    cleanup_buf struct buf out = { 0 };
    struct ava ava = { .ended = *dn == '\0' ? '\0' : ',' };
    int code = 0;

    while (code == 0 && ava.ended == ',') {
        if (out.length > 0)
            buf_add_char(&out, ',');
        code = normalize_rdn(&dn, &ava, &out);
    }
    ava_clear(&ava);
    char *normal = code == 0 ? buf_take(&out) : NULL;
    if (normal == NULL)
        return code < 0 ? code : ERROR_NOMEM;
    *ret_normal = normal;
    return 0;
}

bool dn_same(const char *a, const char *b)
{
    cleanup_free char *normal_a = NULL;
    cleanup_free char *normal_b = NULL;

    if (strcmp(a, b) == 0)
        return true;
    if (dn_normalize(a, &normal_a) < 0 || dn_normalize(b, &normal_b) < 0)
        return strcasecmp(a, b) == 0;
    return strcmp(normal_a, normal_b) == 0;
}

bool dn_within(const char *dn, const char *base)
{
    cleanup_free char *normal = NULL;
    cleanup_free char *end = NULL;

    if (dn_normalize(dn, &normal) < 0 || dn_normalize(base, &end) < 0)
        return false;
    size_t length = strlen(normal), end_length = strlen(end);
    if (end_length == 0 || end_length >= length)
        return end_length == 0 || strcmp(normal, end) == 0;
    return strcmp(normal + length - end_length, end) == 0 && normal[length - end_length - 1] == ',';
}

int dn_first_rdn(const char *dn, json_t **ret_object)
{
    json_t *object = json_object();
    struct ava ava = { .ended = '+' };
    int code = object != NULL ? 0 : ERROR_NOMEM;

    while (code == 0 && ava.ended == '+') {
        code = take_ava(&dn, &ava);
        if (code < 0)
            break;
        if (!str_is_utf8(ava.value.bytes, ava.value.length))
            code = ERROR_SYNTAX;
        else if (json_object_set_new(object, ava.type.bytes, json_stringn(ava.value.bytes, ava.value.length)) < 0)
            code = ERROR_NOMEM;
    }
    ava_clear(&ava);
    if (code < 0) {
        json_decref(object);
        return code;
    }
    *ret_object = object;
    return 0;
}

int dn_aside(const char *dn, const char *mark, char **ret_dn)
{
    const char *rest = dn;
    struct ava ava = { 0 };
    int code = take_ava(&rest, &ava);

    ava_clear(&ava);
    if (code < 0)
        return code;
    size_t length = (size_t)(rest - dn) - (ava.ended != '\0');
    char *aside = str_printf("%.*s~%s%s", (int)length, dn, mark, dn + length);
    if (aside == NULL)
        return ERROR_NOMEM;
    *ret_dn = aside;
    return 0;
}

const char *dn_behind(const char *dn, size_t end)
{
    const char *c = dn;

    while (*c != '\0' && ((size_t)(c - dn) < end || (*c != ',' && *c != ';')))
        c += *c == '\\' && c[1] != '\0' ? 2 : 1;
    if (*c == '\0')
        return NULL;
    c += 1 + strspn(c + 1, " ");
    return *c != '\0' ? c : NULL;
}
