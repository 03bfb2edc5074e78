#include "connectors/ldap/protect.h"

#include <ctype.h>

#include "base/option.h"
#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/value.h"

#define DEPTH_MAX 16

/* What is done with each item, name=pattern. */
struct walk;
typedef bool take_item(struct walk *walk, const char *name, const char *pattern);
struct walk {
    take_item *take;
    const void *arg;
    const char *mistake; /* what is wrong with the filter; NULL: nothing so far */
    const char **names;  /* protect_names */
    size_t count;
    int depth;
};

/* ---- the filter ---- */

static bool take_filter(struct walk *walk, const char **at);

static bool wrong(struct walk *walk, const char *mistake)
{
    if (walk->mistake == NULL)
        walk->mistake = mistake;
    return false;
}

static void skip_space(const char **at)
{
    while (**at == ' ' || **at == '\n' || **at == '\t')
        (*at)++;
}

static bool is_name(const char *name)
{
    return *name != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-;") == strlen(name);
}

static bool has_bad_escape(const char *pattern)
{
    for (const char *c = strchr(pattern, '\\'); c != NULL; c = strchr(c + 1, '\\'))
        if (!isxdigit((unsigned char)c[1]) || !isxdigit((unsigned char)c[2]))
            return true;
    return false;
}

/* What stands in parentheses and is no list: name=pattern. */
static bool take_assertion(struct walk *walk, const char **at)
{
    size_t length = strcspn(*at, "()");
    cleanup_free char *text = strndup(*at, length);
    char *equals = text != NULL ? strchr(text, '=') : NULL;

    *at += length;
    if (equals == NULL || equals[1] == '\0')
        return wrong(walk, "an item is (name=value)");
    *equals = '\0';
    if (!is_name(text))
        return wrong(walk, "of comparisons it knows = alone");
    if (has_bad_escape(equals + 1))
        return wrong(walk, "a backslash stands before two hexadecimal digits");
    return walk->take(walk, text, equals + 1);
}

static bool take_list(struct walk *walk, const char **at)
{
    bool all = **at == '&', result = all;
    size_t count = 0;

    (*at)++;
    for (skip_space(at); **at == '('; skip_space(at), count++) {
        bool one = take_filter(walk, at);
        result = all ? result && one : result || one;
    }
    return count > 0 ? result : wrong(walk, "a list has at least one filter");
}

static bool take_not(struct walk *walk, const char **at)
{
    (*at)++;
    return !take_filter(walk, at);
}

static bool take_filter(struct walk *walk, const char **at)
{
    skip_space(at);
    if (**at != '(' || walk->depth >= DEPTH_MAX)
        return wrong(walk, "a filter stands in parentheses");
    (*at)++;
    walk->depth++;
    skip_space(at);
    bool result = **at == '&' || **at == '|' ? take_list(walk, at) : **at == '!' ? take_not(walk, at) : take_assertion(walk, at);
    walk->depth--;
    skip_space(at);
    if (**at != ')')
        return wrong(walk, "its parentheses do not match");
    (*at)++;
    return result;
}

/* ---- when the file is loaded ---- */

static bool accept_item(struct walk *walk, const char *name, const char *pattern)
{
    (void)walk;
    return *name != '\0' && *pattern != '\0';
}

static void check_filter(const config_setting_t *setting, const char *filter, struct problems *problems)
{
    struct walk walk = { .take = accept_item };
    const char *at = filter;

    take_filter(&walk, &at);
    skip_space(&at);
    if (*at != '\0')
        wrong(&walk, "more than one filter; write a list: protected = [ \"(…)\", \"(…)\" ];");
    if (walk.mistake != NULL)
        problems_add(problems, setting_file(setting), setting_line(setting), 0,
                     "protected: \"%s\" cannot be judged (%s); right would be \"(adminCount=1)\"", filter, walk.mistake);
}

void protect_check(const config_setting_t *root, struct problems *problems)
{
    const config_setting_t *setting = config_setting_get_member(root, "protected");
    bool one = setting != NULL && config_setting_type(setting) == CONFIG_TYPE_STRING;
    int count = setting == NULL ? 0 : one ? 1 : config_setting_is_aggregate(setting) ? config_setting_length(setting) : 0;

    for (int i = 0; i < count; i++) {
        const char *filter = one ? config_setting_get_string(setting) : config_setting_get_string_elem(setting, i);
        if (filter != NULL)
            check_filter(setting, filter, problems);
    }
}

/* ---- names ---- */

static bool is_own_dn(const char *name)
{
    return strcasecmp(name, "entryDN") == 0 || strcasecmp(name, "distinguishedName") == 0;
}

static bool collect_item(struct walk *walk, const char *name, const char *pattern)
{
    const char **names = is_own_dn(name) ? NULL : realloc(walk->names, (walk->count + 2) * sizeof(*names));

    (void)pattern;
    if (names == NULL)
        return is_own_dn(name) || wrong(walk, "out of memory");
    walk->names = names;
    names[walk->count] = strdup(name);
    if (names[walk->count] == NULL)
        return wrong(walk, "out of memory");
    names[++walk->count] = NULL;
    return true;
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;

    while (names != NULL && names[count] != NULL)
        count++;
    return count;
}

void protect_free_names(const char *const *names, const char **with)
{
    size_t own = count_names(names);

    for (size_t i = own; with != NULL && with[i] != NULL; i++)
        free((char *)with[i]);
    free(with);
}

const char **protect_names(const char *const *names, const char *filter)
{
    size_t count = count_names(names);
    struct walk walk = { .take = collect_item, .names = calloc(count + 1, sizeof(*names)), .count = count };

    if (walk.names == NULL)
        return NULL;
    if (count > 0)
        memcpy(walk.names, names, count * sizeof(*names));
    if (filter != NULL)
        take_filter(&walk, &filter);
    if (walk.mistake == NULL)
        return walk.names;
    protect_free_names(names, walk.names);
    return NULL;
}

/* ---- values ---- */

struct subject {
    LDAP *ld;
    LDAPMessage *entry; /* NULL: one to be created */
    const char *dn;
    const json_t *values; /* of a new entry, or those that a rename gives it */
};

/* Freed by ldap_value_free_len, as values_free does. */
static struct berval **values_of(const struct subject *subject, const char *name)
{
    struct berval **values = NULL, *own = is_own_dn(name) ? value_new(subject->dn, strlen(subject->dn)) : NULL;
    const char *key;
    json_t *value;

    if (own != NULL && (values = calloc(2, sizeof(*values))) != NULL)
        values[0] = own;
    if (own != NULL)
        return values;
    json_object_foreach ((json_t *)(uintptr_t)subject->values, key, value)
        if (values == NULL && attribute_same(key, name))
            values_from_json(key, value, &values, NULL);
    return values != NULL || subject->entry == NULL ? values : entry_values(subject->ld, subject->entry, name);
}

/* Lower case, single spaces, and without those at the ends. */
static char *fold(const char *text, size_t length)
{
    struct buf folded = { 0 };

    buf_add_str(&folded, "");
    for (size_t i = 0; i < length; i++) {
        bool again = text[i] == ' ' && (folded.length == 0 || folded.bytes[folded.length - 1] == ' ');
        if (!again)
            buf_add_char(&folded, (char)tolower((unsigned char)text[i]));
    }
    while (!folded.failed && folded.length > 0 && folded.bytes[folded.length - 1] == ' ')
        folded.bytes[--folded.length] = '\0';
    return buf_take(&folded);
}

/* A part of a pattern, with its escapes as characters. */
static char *unescape(const char *part, size_t length)
{
    char *plain = calloc(length + 1, 1), *to = plain;

    for (size_t i = 0; plain != NULL && i < length; i++) {
        char digits[] = { part[i] == '\\' ? part[i + 1] : '0', part[i] == '\\' ? part[i + 2] : '0', '\0' };
        *to++ = part[i] == '\\' ? (char)strtoul(digits, NULL, 16) : part[i];
        i += part[i] == '\\' ? 2 : 0;
    }
    return plain;
}

/* Does `value`, from *at on, go on with this part of a pattern? The last one must be at its end. */
static bool goes_on(const char *value, size_t *at, const char *part, bool first, bool last)
{
    size_t length = strlen(part), whole = strlen(value);
    const char *found = last ? (whole >= length ? value + whole - length : NULL) : strstr(value + *at, part);

    if (found == NULL || found < value + *at || (first && found != value) || strncmp(found, part, length) != 0)
        return false;
    *at = (size_t)(found - value) + length;
    return true;
}

static bool fits(const char *value, const char *pattern)
{
    size_t at = 0;

    for (bool first = true, last = false; !last; first = false) {
        size_t length = strcspn(pattern, "*");
        last = pattern[length] == '\0';
        cleanup_free char *plain = unescape(pattern, length);
        cleanup_free char *part = plain != NULL ? fold(plain, strlen(plain)) : NULL;
        if (part == NULL || !goes_on(value, &at, part, first, last) || (first && last && value[at] != '\0'))
            return false;
        pattern += length + !last;
    }
    return true;
}

static bool is_same_dn(const char *value, const char *pattern)
{
    cleanup_free char *plain = strchr(pattern, '=') != NULL ? unescape(pattern, strlen(pattern)) : NULL;

    return plain != NULL && *plain != '\0' && dn_equal(value, plain);
}

static bool match_item(struct walk *walk, const char *name, const char *pattern)
{
    struct berval **values = values_of(walk->arg, name);
    bool found = false;

    for (size_t i = 0; values != NULL && values[i] != NULL && !found; i++) {
        cleanup_free char *raw = strndup(values[i]->bv_val, values[i]->bv_len);
        cleanup_free char *value = raw != NULL ? fold(raw, strlen(raw)) : NULL;
        found = strcmp(pattern, "*") == 0 || (value != NULL && fits(value, pattern)) || (raw != NULL && is_same_dn(raw, pattern));
    }
    ldap_value_free_len(values);
    return found;
}

/* ---- judging ---- */

/* What of a list of alternatives describes it is told by itself. */
static char *mark_of(const struct subject *subject, const char *filter)
{
    struct walk walk = { .take = match_item, .arg = subject };
    const char *at = filter;
    bool list = strncmp(filter, "(|", 2) == 0;

    at += list ? 2 : 0;
    for (skip_space(&at); *at == '('; skip_space(&at)) {
        const char *start = at;
        if (take_filter(&walk, &at))
            return strndup(start, (size_t)(at - start));
    }
    return NULL;
}

char *protect_mark(LDAP *ld, LDAPMessage *entry, const char *filter)
{
    char *dn = filter != NULL ? ldap_get_dn(ld, entry) : NULL;
    const struct subject subject = { .ld = ld, .entry = entry, .dn = dn };
    char *mark = dn != NULL ? mark_of(&subject, filter) : NULL;

    ldap_memfree(dn);
    return mark;
}

char *protect_mark_new(const char *dn, const json_t *values, const char *filter)
{
    const struct subject subject = { .dn = dn, .values = values };

    return filter != NULL ? mark_of(&subject, filter) : NULL;
}

/* The naming values of a DN. A new reference; NULL: none. */
static json_t *naming_values(const char *text)
{
    LDAPDN dn = NULL;
    json_t *values = ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && dn != NULL && dn[0] != NULL ? json_object() : NULL;

    for (size_t i = 0; values != NULL && dn[0][i] != NULL; i++) {
        const LDAPAVA *part = dn[0][i];
        cleanup_free char *name = strndup(part->la_attr.bv_val, part->la_attr.bv_len);
        if (name != NULL)
            json_object_set_new(values, name, json_stringn(part->la_value.bv_val, part->la_value.bv_len));
    }
    ldap_dnfree(dn);
    return values;
}

char *protect_mark_renamed(LDAP *ld, LDAPMessage *entry, const char *new_dn, const char *filter)
{
    json_t *values = filter != NULL ? naming_values(new_dn) : NULL;
    const struct subject subject = { .ld = ld, .entry = entry, .dn = new_dn, .values = values };
    char *mark = values != NULL ? mark_of(&subject, filter) : NULL;

    json_decref(values);
    return mark;
}

enum outcome protect_tell(const char *dn, const char *mark, struct receipt *receipt)
{
    return receipt_set(receipt, OUTCOME_REJECTED, 0,
                       "\"%s\" is protected by %s and is never touched; do by hand what is to be done, or change `protected` in the mapping", dn,
                       mark);
}
