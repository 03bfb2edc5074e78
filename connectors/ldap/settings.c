#include "connectors/ldap/settings.h"

#include <arpa/inet.h>
#include <ldap.h>

#include "base/error.h"
#include "base/str.h"
#include "connectors/ldap/dn.h"

#define SECOND INT64_C(1000000)

static const char *const sasl_choices[] = { "none", "external", NULL };

const struct option_row ldap_options[] = {
    OPTION_STRING(struct ldap_settings, uri, "uri", OPTION_REQUIRED, NULL,
                  "where the directory is: ldap://HOST[:PORT], ldaps://HOST[:PORT] or ldapi://PATH (with %2F for each slash); "
                  "of several, by spaces, the first serves that answers and takes our log-in and our changes"),
    OPTION_BOOL(struct ldap_settings, starttls, "starttls", "false",
                "encrypt an ldap:// connection before anything else is sent"),
    OPTION_PATH(struct ldap_settings, ca_file, "ca_file", 0, NULL,
                "PEM file of the authorities that may have issued the server's certificate; default: TLS_CACERT of ldap.conf(5)"),
    OPTION_BOOL(struct ldap_settings, verify, "verify", "true",
                "check the server's certificate and name; false only for a trial"),
    OPTION_BOOL(struct ldap_settings, allow_plaintext, "allow_plaintext", "false",
                "send the password over an unencrypted connection to another machine"),
    OPTION_STRING(struct ldap_settings, bind_dn, "bind_dn", 0, NULL,
                  "DN to log in as; it needs write access to what the mappings name"),
    OPTION_SECRET(struct ldap_settings, password, "password", 0, "its password: file:PATH, env:NAME or credential:NAME"),
    OPTION_CHOICE(struct ldap_settings, sasl, "sasl", "none", sasl_choices,
                  "external: log in as the Unix user that runs the agent, over ldapi://"),
    OPTION_STRING(
        struct ldap_settings, base_dn, "base_dn", 0, NULL,
        "below which accounts and groups are looked for; all places of the mapping files must be in it; default: for an account the server's naming context that its mapping names, "
        "for the groups of a member all of them"),
    OPTION_STRING(struct ldap_settings, key_attribute, "key_attribute", 0, "entryUUID",
                  "attribute that names an entry for ever, through renames; accounts are linked by it"),
    OPTION_DURATION(struct ldap_settings, network_timeout_us, "network_timeout", "5 s", SECOND / 10, 300 * SECOND,
                    "how long a connection may take to come about, for each address"),
    OPTION_DURATION(struct ldap_settings, operation_timeout_us, "operation_timeout", "15 s", SECOND / 10, 3600 * SECOND,
                    "how long the server may take for one answer"),
    OPTION_SIZE(struct ldap_settings, answer_bytes_most, "answer_size_max", "64 MiB", 65536, INT64_C(1) << 30,
                "the largest single message that is taken from the server"),
    OPTION_END
};

int ldap_settings_each_uri(const struct ldap_settings *settings, int (*each)(void *arg, const char *uri), void *arg)
{
    cleanup_free char *copy = str_dup(settings->uri);
    char *rest = copy;
    int code = 0;

    if (copy == NULL)
        return ERROR_NOMEM;
    for (char *uri; code == 0 && (uri = strsep(&rest, " \t\n,")) != NULL;)
        if (*uri != '\0')
            code = each(arg, uri);
    return code;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (host == NULL || *host == '\0' || strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

struct check {
    const struct ldap_settings *settings;
    const char *file;
    int line;
    struct problems *problems;
};

#define PROBLEM(check, ...) problems_add((check)->problems, (check)->file, (check)->line, 0, __VA_ARGS__)

static int check_uri(void *arg, const char *uri)
{
    const struct check *check = arg;
    const struct ldap_settings *settings = check->settings;
    LDAPURLDesc *url = NULL;

    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS) {
        PROBLEM(check, "uri \"%s\" cannot be read; right would be ldap://HOST, ldaps://HOST or ldapi://%%2Fpath%%2Fto%%2Fsocket",
                uri);
        return 0;
    }
    if (url->lud_port < 0 || url->lud_port > 65535)
        PROBLEM(check, "uri \"%s\" has no such port: they end at 65535", uri);
    bool local = strcmp(url->lud_scheme, "ldapi") == 0;
    bool plain = strcmp(url->lud_scheme, "ldap") == 0;
    if (settings->starttls && !plain)
        PROBLEM(check, "starttls goes with ldap:// only: uri \"%s\" %s; remove starttls", uri,
                local ? "is a local socket" : "is encrypted from its start");
    if (settings->sasl == LDAP_SASL_BY_SOCKET && !local)
        PROBLEM(check, "sasl = \"external\" goes with ldapi:// only, not with uri \"%s\"; use bind_dn and password", uri);
    if (settings->bind_dn != NULL && plain && !settings->starttls && !settings->allow_plaintext && !is_loopback(url->lud_host))
        PROBLEM(check,
                "the password would go to %s unencrypted; set starttls = true or use ldaps:// "
                "(or, knowing what it means, allow_plaintext = true)",
                url->lud_host);
    ldap_free_urldesc(url);
    return 0;
}

static void check_dn(const struct check *check, const char *option, const char *text)
{
    LDAPDN dn = NULL;

    if (text == NULL)
        return;
    if (*text == '\0' || ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        PROBLEM(check, "%s \"%s\" is no DN; right would be \"cn=provost,dc=example,dc=org\"", option, text);
    ldap_dnfree(dn);
}

static bool is_attribute_name(const char *name)
{
    return *name != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == strlen(name);
}

void ldap_settings_check(const void *arg, const char *file, int line, struct problems *problems)
{
    const struct ldap_settings *settings = arg;
    struct check check = { settings, file, line, problems };

    if (settings->uri == NULL)
        return; /* the option table has said so */
    if (settings->uri[strspn(settings->uri, " \t\n,")] == '\0')
        PROBLEM(&check, "uri is empty; right would be ldap://HOST, ldaps://HOST or ldapi://PATH");
    ldap_settings_each_uri(settings, check_uri, &check);
    check_dn(&check, "bind_dn", settings->bind_dn);
    check_dn(&check, "base_dn", settings->base_dn);
    if (settings->sasl == LDAP_SASL_BY_SOCKET && (settings->bind_dn != NULL || settings->password != NULL))
        PROBLEM(&check, "sasl = \"external\" and bind_dn or password exclude each other; remove one");
    if (settings->sasl == LDAP_SASL_OFF && settings->bind_dn == NULL)
        PROBLEM(&check, "nothing says how to log in; set bind_dn and password, or sasl = \"external\" over ldapi://");
    if (settings->sasl == LDAP_SASL_OFF && settings->bind_dn != NULL && settings->password == NULL)
        PROBLEM(&check, "bind_dn is given without a password; add password = \"file:PATH\" (a log-in without one is nobody's)");
    if (settings->key_attribute != NULL && !is_attribute_name(settings->key_attribute))
        PROBLEM(&check, "key_attribute \"%s\" is no attribute's name; right would be \"entryUUID\"", settings->key_attribute);
}

/* ---- beside a mapping file ---- */

/* What contains base_dn and all places. The caller's to free; NULL: nothing does. */
static char *wide_base(const char *base_dn, const struct connector_line *places)
{
    char *wide = str_dup(base_dn);

    for (; wide != NULL && places->name != NULL; places++) {
        char *wider = dn_common(wide, places->dn);
        free(wide);
        wide = wider;
    }
    return wide;
}

void ldap_settings_check_places(const void *arg, const config_setting_t *group, const struct connector_line *places,
                                struct problems *problems)
{
    const struct ldap_settings *settings = arg;
    const config_setting_t *line = group != NULL ? config_setting_get_member(group, "base_dn") : NULL;

    if (settings->base_dn == NULL || line == NULL)
        return;
    cleanup_free char *wide = wide_base(settings->base_dn, places);
    for (const struct connector_line *place = places; place->name != NULL; place++)
        if (!dn_is_within(place->dn, settings->base_dn))
            problems_add(problems, place->file, place->line, 0,
                         "%s: entries below \"%s\" are outside base_dn \"%s\" (%s:%d) and would never be found again; there, %s%s%s",
                         place->name, place->dn, settings->base_dn, setting_file(line), setting_line(line),
                         wide != NULL ? "write base_dn = \"" : "remove base_dn", wide != NULL ? wide : "", wide != NULL ? "\";" : "");
}
