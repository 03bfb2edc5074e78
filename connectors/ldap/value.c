#include "connectors/ldap/value.h"

#include <ctype.h>
#include <gnutls/gnutls.h>

#include "base/str.h"
#include "connectors/ldap/lock.h"

/* ---- one value ---- */

struct berval *value_new(const void *bytes, size_t length)
{
    struct berval *value = calloc(1, sizeof(*value));
    char *copy = malloc(length + 1);

    if (value == NULL || copy == NULL) {
        free(value);
        free(copy);
        return NULL;
    }
    if (length != 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    value->bv_val = copy;
    value->bv_len = length;
    return value;
}

static int value_from_base64(const char *name, const json_t *json, struct berval **ret_value, struct error *error)
{
    const json_t *text = json_object_get(json, "base64");
    gnutls_datum_t bytes = { NULL, 0 };

    if (!json_is_string(text) || json_object_size(json) != 1)
        return error_set(error, ERROR_INVALID, "attribute %s: an object is no value; right would be text or { base64 = \"…\" }",
                         name);
    gnutls_datum_t encoded = { (void *)(uintptr_t)json_string_value(text), (unsigned)json_string_length(text) };
    if (gnutls_base64_decode2(&encoded, &bytes) < 0 && encoded.size != 0)
        return error_set(error, ERROR_INVALID, "attribute %s: what stands in base64 is not base64", name);
    *ret_value = value_new(bytes.data, bytes.size);
    gnutls_free(bytes.data);
    return *ret_value != NULL ? 0 : error_nomem(error);
}

static int value_from_json(const char *name, const json_t *json, struct berval **ret_value, struct error *error)
{
    char number[64];

    switch (json_typeof(json)) {
    case JSON_STRING:
        *ret_value = value_new(json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        *ret_value = value_new(number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(json)));
        break;
    case JSON_REAL:
        *ret_value = value_new(number, (size_t)snprintf(number, sizeof(number), "%.15g", json_real_value(json)));
        break;
    case JSON_TRUE:
        *ret_value = value_new("TRUE", 4);
        break;
    case JSON_FALSE:
        *ret_value = value_new("FALSE", 5);
        break;
    case JSON_OBJECT:
        return value_from_base64(name, json, ret_value, error);
    default:
        return error_set(error, ERROR_INVALID, "attribute %s: a list within a list, or null, is no value", name);
    }
    return *ret_value != NULL ? 0 : error_nomem(error);
}

static json_t *value_to_json(bool binary, const struct berval *value)
{
    if (!binary && memchr(value->bv_val, '\0', value->bv_len) == NULL && str_is_utf8(value->bv_val, value->bv_len))
        return json_stringn(value->bv_val, value->bv_len);
    gnutls_datum_t bytes = { (unsigned char *)value->bv_val, (unsigned)value->bv_len };
    gnutls_datum_t text = { NULL, 0 };
    if (gnutls_base64_encode2(&bytes, &text) < 0)
        return NULL;
    json_t *json = json_pack("{s:s%}", "base64", (const char *)text.data, (size_t)text.size);
    gnutls_free(text.data);
    return json;
}

static bool same_exactly(const struct berval *a, const struct berval *b)
{
    return a->bv_len == b->bv_len && memcmp(a->bv_val, b->bv_val, a->bv_len) == 0;
}

/* The next byte of a value folded to lower case and without spaces; -1 at its end. */
static int next_folded(const struct berval *value, ber_len_t *at)
{
    while (*at < value->bv_len && value->bv_val[*at] == ' ')
        (*at)++;
    return *at < value->bv_len ? tolower((unsigned char)value->bv_val[(*at)++]) : -1;
}

static bool same_loosely(const struct berval *a, const struct berval *b)
{
    ber_len_t i = 0, k = 0;
    int left, right;

    do {
        left = next_folded(a, &i);
        right = next_folded(b, &k);
    } while (left == right && left != -1);
    return left == right;
}

/* ---- lists of values ---- */

static size_t values_count(struct berval *const *values)
{
    size_t count = 0;

    while (values != NULL && values[count] != NULL)
        count++;
    return count;
}

static bool values_hold(struct berval *const *values, const struct berval *value, bool loose)
{
    for (size_t i = 0; values != NULL && values[i] != NULL; i++)
        if (loose ? same_loosely(values[i], value) : same_exactly(values[i], value))
            return true;
    return false;
}

void values_free(struct berval **values)
{
    for (size_t i = 0; values != NULL && values[i] != NULL; i++) {
        free(values[i]->bv_val);
        free(values[i]);
    }
    free(values);
}

int values_from_json(const char *name, const json_t *json, struct berval ***ret_values, struct error *error)
{
    bool many = json_is_array(json);
    size_t count = json == NULL ? 0 : many ? json_array_size(json) : 1;
    struct berval **values = calloc(count + 1, sizeof(*values));

    if (values == NULL)
        return error_nomem(error);
    for (size_t i = 0; i < count; i++) {
        int code = value_from_json(name, many ? json_array_get(json, i) : json, &values[i], error);
        if (code < 0) {
            values_free(values);
            return code;
        }
    }
    *ret_values = values;
    return 0;
}

json_t *values_to_json(const char *name, struct berval *const *values)
{
    json_t *array = json_array();
    bool binary = strcasestr(name, ";binary") != NULL;

    for (size_t i = 0; array != NULL && values[i] != NULL; i++)
        if (json_array_append_new(array, value_to_json(binary, values[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* ---- names ---- */

const char *attribute_canonical(const char *name)
{
    static const char *const pairs[][2] = {
        { "commonName", "cn" },
        { "countryName", "c" },
        { "domainComponent", "dc" },
        { "fax", "facsimileTelephoneNumber" },
        { "friendlyCountryName", "co" },
        { "gn", "givenName" },
        { "homeTelephoneNumber", "homePhone" },
        { "localityName", "l" },
        { "mobileTelephoneNumber", "mobile" },
        { "organizationName", "o" },
        { "organizationalUnitName", "ou" },
        { "pagerTelephoneNumber", "pager" },
        { "rfc822Mailbox", "mail" },
        { "stateOrProvinceName", "st" },
        { "streetAddress", "street" },
        { "surname", "sn" },
        { "userid", "uid" },
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (strcasecmp(name, pairs[i][0]) == 0)
            return pairs[i][1];
    return name;
}

bool attribute_same(const char *a, const char *b)
{
    return strcasecmp(attribute_canonical(a), attribute_canonical(b)) == 0;
}

struct berval **entry_values(LDAP *ld, LDAPMessage *entry, const char *name)
{
    return entry != NULL ? ldap_get_values_len(ld, entry, attribute_canonical(name)) : NULL;
}

/* ---- modifications ---- */

int mods_add(struct mods *mods, int op, const char *name, struct berval **values)
{
    LDAPMod **list = realloc(mods->list, (mods->count + 2) * sizeof(*list));
    LDAPMod *mod = calloc(1, sizeof(*mod));
    char *copy = strdup(name);

    if (list != NULL)
        mods->list = list;
    if (list == NULL || mod == NULL || copy == NULL) {
        values_free(values);
        free(mod);
        free(copy);
        return ERROR_NOMEM;
    }
    mod->mod_op = op | LDAP_MOD_BVALUES;
    mod->mod_type = copy;
    mod->mod_bvalues = values;
    list[mods->count++] = mod;
    list[mods->count] = NULL;
    return 0;
}

int mods_add_text(struct mods *mods, int op, const char *name, const char *text)
{
    struct berval **values = calloc(2, sizeof(*values));

    if (values == NULL || (values[0] = value_new(text, strlen(text))) == NULL) {
        free(values);
        return ERROR_NOMEM;
    }
    return mods_add(mods, op, name, values);
}

void mods_free(struct mods *mods)
{
    for (size_t i = 0; i < mods->count; i++) {
        free(mods->list[i]->mod_type);
        values_free(mods->list[i]->mod_bvalues);
        free(mods->list[i]);
    }
    free(mods->list);
    *mods = (struct mods){ NULL, 0 };
}

static void cleanup_ldap_values(struct berval ***values)
{
    if (*values != NULL)
        ldap_value_free_len(*values);
}

static void cleanup_values(struct berval ***values)
{
    values_free(*values);
}

/* Takes out of `values` those that are there already (for ADD) or are not (for DELETE). */
static void keep_remaining(struct berval **values, struct berval *const *there, bool when_there, bool loose)
{
    size_t kept = 0;

    for (size_t i = 0; values[i] != NULL; i++) {
        if (values_hold(there, values[i], loose) == when_there) {
            free(values[i]->bv_val);
            free(values[i]);
            continue;
        }
        values[kept++] = values[i];
    }
    values[kept] = NULL;
}

static bool same_sets(struct berval *const *a, struct berval *const *b)
{
    if (values_count(a) != values_count(b))
        return false;
    for (size_t i = 0; a != NULL && a[i] != NULL; i++)
        if (!values_hold(b, a[i], false))
            return false;
    return true;
}

static const int mod_ops[] = {
    [CHANGE_ADD] = LDAP_MOD_ADD, [CHANGE_DELETE] = LDAP_MOD_DELETE, [CHANGE_REPLACE] = LDAP_MOD_REPLACE
};

static int change_remaining(LDAP *ld, LDAPMessage *entry, const struct change *change, bool loose, struct mods *mods,
                            struct error *error)
{
    __attribute__((cleanup(cleanup_ldap_values))) struct berval **there = entry_values(ld, entry, change->name);
    __attribute__((cleanup(cleanup_values))) struct berval **values = NULL;
    int code = values_from_json(change->name, change->values, &values, error);

    if (code < 0)
        return code;
    bool all = change->kind == CHANGE_DELETE && values[0] == NULL;
    if (change->kind == CHANGE_REPLACE ? same_sets(values, there) : all && there == NULL)
        return 0;
    if (change->kind != CHANGE_REPLACE && !all) {
        keep_remaining(values, there, change->kind == CHANGE_ADD, loose);
        if (values[0] == NULL)
            return 0;
    }
    return mods_add(mods, mod_ops[change->kind], change->name, all ? NULL : take_pointer(values));
}

int changes_remaining(LDAP *ld, LDAPMessage *entry, const struct change *changes, size_t count, bool loose, struct mods *mods,
                      struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        int code = lock_is_made_up(changes[i].name) ? 0 : change_remaining(ld, entry, &changes[i], loose, mods, error);
        if (code < 0)
            return code;
    }
    return 0;
}

static bool is_one_of(const char *name, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        if (attribute_same(name, *list))
            return true;
    return false;
}

static bool entry_holds_values(LDAP *ld, LDAPMessage *entry, const char *name, const json_t *json)
{
    __attribute__((cleanup(cleanup_ldap_values))) struct berval **there = entry_values(ld, entry, name);
    __attribute__((cleanup(cleanup_values))) struct berval **values = NULL;

    if (values_from_json(name, json, &values, NULL) < 0)
        return false;
    for (size_t i = 0; values[i] != NULL; i++)
        if (!values_hold(there, values[i], true))
            return false;
    return true;
}

bool entry_holds(LDAP *ld, LDAPMessage *entry, const json_t *values, const char *const *except)
{
    const char *name;
    json_t *json;

    json_object_foreach ((json_t *)(uintptr_t)values, name, json)
        if (!is_one_of(name, except) && !entry_holds_values(ld, entry, name, json))
            return false;
    return true;
}

/* ---- keys and filters ---- */

static void add_hex(struct buf *buf, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buf_printf(buf, "\\%02x", (unsigned)(unsigned char)bytes[i]);
}

static bool is_key_plain(const struct berval *value)
{
    for (ber_len_t i = 0; i < value->bv_len; i++)
        if (!isgraph((unsigned char)value->bv_val[i]) || value->bv_val[i] == '\\')
            return false;
    return true;
}

char *key_text(const struct berval *value)
{
    cleanup_buf struct buf text = { 0 };

    if (is_key_plain(value))
        buf_add(&text, value->bv_val, value->bv_len);
    else
        add_hex(&text, value->bv_val, value->bv_len);
    return buf_take(&text);
}

/* RFC 4515: all that has a meaning in a filter, and all that is not ASCII, as \xx. */
static void add_escaped(struct buf *buf, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("*()\\", *text) != NULL || (unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            add_hex(buf, text, 1);
        else
            buf_add_char(buf, *text);
    }
}

char *filter_equals(const char *attribute, const char *text)
{
    cleanup_buf struct buf filter = { 0 };

    buf_printf(&filter, "(%s=", attribute);
    add_escaped(&filter, text);
    buf_add_char(&filter, ')');
    return buf_take(&filter);
}

static bool is_hex_key(const char *key)
{
    if (*key == '\0')
        return false;
    for (; *key != '\0'; key += 3)
        if (key[0] != '\\' || !isxdigit((unsigned char)key[1]) || !isxdigit((unsigned char)key[2]))
            return false;
    return true;
}

char *filter_key(const char *attribute, const char *key)
{
    return is_hex_key(key) ? str_printf("(%s=%s)", attribute, key) : filter_equals(attribute, key);
}

/* A parenthesis that is part of a value is written \28 or \29. */
static bool is_one_filter(const char *text)
{
    int depth = 0;

    if (*text != '(')
        return false;
    for (; *text != '\0'; text++) {
        depth += *text == '(' ? 1 : *text == ')' ? -1 : 0;
        if (depth == 0)
            return text[1] == '\0';
    }
    return false;
}

char *filter_any(const char *const *filters)
{
    cleanup_buf struct buf any = { 0 };

    buf_add_str(&any, "(|");
    for (; *filters != NULL; filters++) {
        if (!is_one_filter(*filters))
            return NULL;
        buf_add_str(&any, *filters);
    }
    buf_add_char(&any, ')');
    return buf_take(&any);
}
