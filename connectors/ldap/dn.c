#include "connectors/ldap/dn.h"

#include <ctype.h>
#include <ldap.h>
#include <stdint.h>

#include "base/str.h"

static void cleanup_dn(LDAPDN *dn)
{
    ldap_dnfree(*dn);
}

/* Lower case, with runs of spaces as one: the usual matching of naming attributes. */
static void add_folded(struct buf *buf, const struct berval *text)
{
    bool space = false;

    for (ber_len_t i = 0; i < text->bv_len; i++) {
        unsigned char c = (unsigned char)text->bv_val[i];
        if (c == ' ') {
            space = true;
            continue;
        }
        if (space)
            buf_add_char(buf, ' ');
        space = false;
        buf_add_char(buf, (char)tolower(c));
    }
}

static bool same_ava(const LDAPAVA *a, const LDAPAVA *b)
{
    cleanup_buf struct buf left = { 0 }, right = { 0 };

    add_folded(&left, &a->la_attr);
    buf_add_char(&left, '=');
    add_folded(&left, &a->la_value);
    add_folded(&right, &b->la_attr);
    buf_add_char(&right, '=');
    add_folded(&right, &b->la_value);
    return !left.failed && !right.failed && left.length == right.length && memcmp(left.bytes, right.bytes, left.length) == 0;
}

static size_t count_avas(LDAPRDN rdn)
{
    size_t count = 0;

    while (rdn[count] != NULL)
        count++;
    return count;
}

static bool same_rdn(LDAPRDN a, LDAPRDN b)
{
    if (count_avas(a) != count_avas(b))
        return false;
    for (size_t i = 0; a[i] != NULL; i++) {
        size_t k = 0;
        while (b[k] != NULL && !same_ava(a[i], b[k]))
            k++;
        if (b[k] == NULL)
            return false;
    }
    return true;
}

static size_t count_rdns(LDAPDN dn)
{
    size_t count = 0;

    while (dn != NULL && dn[count] != NULL)
        count++;
    return count;
}

/* Is b the end of a, leaving out at most `most_extra` parts of a? */
static bool ends_with(const char *a, const char *b, size_t most_extra)
{
    __attribute__((cleanup(cleanup_dn))) LDAPDN left = NULL;
    __attribute__((cleanup(cleanup_dn))) LDAPDN right = NULL;

    if (ldap_str2dn(a, &left, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS ||
        ldap_str2dn(b, &right, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        return false;
    size_t long_count = count_rdns(left), short_count = count_rdns(right);
    if (long_count < short_count || long_count - short_count > most_extra)
        return false;
    for (size_t i = 0; i < short_count; i++)
        if (!same_rdn(left[long_count - short_count + i], right[i]))
            return false;
    return true;
}

bool dn_equal(const char *a, const char *b)
{
    return ends_with(a, b, 0);
}

bool dn_is_within(const char *dn, const char *base)
{
    return ends_with(dn, base, SIZE_MAX);
}

static char *dn_text(LDAPDN dn)
{
    char *text = NULL;

    if (dn == NULL || dn[0] == NULL)
        return strdup("");
    if (ldap_dn2str(dn, &text, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        return NULL;
    char *copy = strdup(text);
    ldap_memfree(text);
    return copy;
}

char *dn_common(const char *a, const char *b)
{
    __attribute__((cleanup(cleanup_dn))) LDAPDN left = NULL;
    __attribute__((cleanup(cleanup_dn))) LDAPDN right = NULL;
    size_t same = 0;

    if (ldap_str2dn(a, &left, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS ||
        ldap_str2dn(b, &right, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        return NULL;
    size_t left_count = count_rdns(left), right_count = count_rdns(right);
    while (same < left_count && same < right_count && same_rdn(left[left_count - same - 1], right[right_count - same - 1]))
        same++;
    return same > 0 ? dn_text(left + (left_count - same)) : NULL;
}

int dn_split(const char *text, char **ret_rdn, char **ret_parent)
{
    __attribute__((cleanup(cleanup_dn))) LDAPDN dn = NULL;

    if (ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || dn == NULL || dn[0] == NULL)
        return ERROR_SYNTAX;
    LDAPRDN first[] = { dn[0], NULL };
    cleanup_free char *rdn = dn_text(first);
    cleanup_free char *parent = dn_text(dn + 1);
    if (rdn == NULL || parent == NULL)
        return ERROR_NOMEM;
    *ret_rdn = take_pointer(rdn);
    *ret_parent = take_pointer(parent);
    return 0;
}
