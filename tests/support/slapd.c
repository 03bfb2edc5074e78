#include "tests/support/slapd.h"

#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

static char *read_line(const struct slapd *slapd, const char *name)
{
    cleanup_free char *path = file_join(slapd->folder, name);
    char *text = NULL;
    size_t length = 0;

    if (file_read(path, 65536, &text, &length, NULL) < 0)
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static const char *source_folder(void)
{
    const char *source = getenv("PROVOST_SOURCE");

    return source != NULL ? source : ".";
}

static bool lacks(const char *script, const char *what)
{
    cleanup_free char *line = str_printf("'%s/tests/support/%s' binary >/dev/null </dev/null", source_folder(), script);

    if (str_equal(getenv("CI"), "true") || system(line) == 0)
        return false;
    printf("1..0 # SKIP there is no %s, and none could be fetched (why: standard error)\n", what);
    return true;
}

bool slapd_skip(void)
{
    return lacks("private-slapd", "slapd");
}

bool slapd_skip_389(void)
{
    return lacks("private-389ds", "389 Directory Server");
}

void slapd_run(struct slapd *slapd, const char *command, const char *arguments)
{
    cleanup_free char *out = str_printf("%s.out", slapd->folder);
    cleanup_free char *line = str_printf("'%s/tests/support/%s' %s '%s' %s >'%s' 2>&1 </dev/null", source_folder(), slapd->script,
                                         command, slapd->folder, arguments, out);
    cleanup_free char *said = NULL;
    size_t length = 0;

    if (system(line) == 0) {
        remove(out);
        return;
    }
    file_read(out, 65536, &said, &length, NULL);
    fail_msg("%s %s failed: %s", slapd->script, command, said != NULL ? said : "(it said nothing)");
}

static LDAP *log_in(const struct slapd *slapd, const char *dn, const char *password, int *ret_code)
{
    struct berval secret = { strlen(password), (char *)(uintptr_t)password };
    int version = LDAP_VERSION3;
    LDAP *ld = NULL;

    assert_int_equal(ldap_initialize(&ld, slapd->uri), LDAP_SUCCESS);
    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    *ret_code = ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
    return ld;
}

static bool answers(LDAP *ld)
{
    LDAPMessage *messages = NULL;
    int code = ldap_search_ext_s(ld, "", LDAP_SCOPE_BASE, "(objectClass=*)", NULL, 0, NULL, NULL, NULL, 0, &messages);

    ldap_msgfree(messages);
    return code == LDAP_SUCCESS;
}

/* The connection is made anew after the server was restarted. */
static LDAP *admin(struct slapd *slapd)
{
    int code = LDAP_SUCCESS;

    if (slapd->admin != NULL && answers(slapd->admin))
        return slapd->admin;
    if (slapd->admin != NULL)
        ldap_unbind_ext(slapd->admin, NULL, NULL);
    slapd->admin = log_in(slapd, "cn=admin," SLAPD_SUFFIX, "admin-secret", &code);
    assert_int_equal(code, LDAP_SUCCESS);
    return slapd->admin;
}

static void start(struct slapd *slapd, const char *script, const char *options)
{
    *slapd = (struct slapd){ .script = script, .folder = "/tmp/provost-test-XXXXXX" };
    assert_non_null(mkdtemp(slapd->folder));
    slapd_run(slapd, "start", options);
    slapd->uri = read_line(slapd, "uri");
    slapd->ldaps_uri = read_line(slapd, "ldaps_uri");
    slapd->ldapi_uri = read_line(slapd, "ldapi_uri");
    slapd->ca_file = file_join(slapd->folder, "ca.pem");
    slapd->other_ca_file = file_join(slapd->folder, "other-ca.pem");
    assert_non_null(slapd->uri);
    slapd->port = atoi(strrchr(slapd->uri, ':') + 1);
}

void slapd_start(struct slapd *slapd, const char *options)
{
    start(slapd, "private-slapd", options);
}

void slapd_start_389(struct slapd *slapd, const char *options)
{
    start(slapd, "private-389ds", options);
}

void slapd_stop(struct slapd *slapd)
{
    if (slapd->admin != NULL)
        ldap_unbind_ext(slapd->admin, NULL, NULL);
    slapd_run(slapd, "stop", "");
    cleanup_free char *line = str_printf("rm -rf '%s'", slapd->folder);
    assert_int_equal(system(line), 0);
    free(slapd->uri);
    free(slapd->ldaps_uri);
    free(slapd->ldapi_uri);
    free(slapd->ca_file);
    free(slapd->other_ca_file);
    *slapd = (struct slapd){ 0 };
}

static bool has_stopped(const char *pid)
{
    cleanup_free char *pattern = str_printf("/proc/%s/task/*/stat", pid);
    glob_t threads = { 0 };
    bool stopped = glob(pattern, 0, NULL, &threads) == 0;

    for (size_t i = 0; i < threads.gl_pathc; i++) {
        cleanup_free char *text = NULL;
        size_t length = 0;
        if (file_read(threads.gl_pathv[i], 4096, &text, &length, NULL) == 0)
            stopped = stopped && strstr(text, ") T") != NULL;
    }
    globfree(&threads);
    return stopped;
}

void slapd_signal(struct slapd *slapd, int signal)
{
    cleanup_free char *pid = read_line(slapd, "pid");
    struct mono start = clock_mono(clock_system());

    assert_non_null(pid);
    assert_int_equal(kill((pid_t)atoi(pid), signal), 0);
    while (signal == SIGSTOP && !has_stopped(pid)) /* its threads stop one by one */
        assert_true(clock_mono(clock_system()).us - start.us < 5 * 1000000);
}

#define ATTRIBUTES_MOST 16
#define VALUES_MOST 4

/* Splits "a|b" in place. */
static void split_values(char *text, char *values[VALUES_MOST + 1])
{
    size_t count = 0;

    for (char *value; count < VALUES_MOST && (value = strsep(&text, "|")) != NULL;)
        values[count++] = value;
    values[count] = NULL;
}

void slapd_add(struct slapd *slapd, const char *dn, const char *lines)
{
    LDAPMod mods[ATTRIBUTES_MOST], *list[ATTRIBUTES_MOST + 1] = { NULL };
    char *values[ATTRIBUTES_MOST][VALUES_MOST + 1];
    cleanup_free char *copy = str_dup(lines);
    char *rest = copy;
    size_t count = 0;

    for (char *line; count < ATTRIBUTES_MOST && (line = strsep(&rest, "\n")) != NULL;) {
        char *colon = strstr(line, ": ");
        if (colon == NULL)
            continue;
        *colon = '\0';
        split_values(colon + 2, values[count]);
        mods[count] = (LDAPMod){ .mod_op = LDAP_MOD_ADD, .mod_type = line, .mod_values = values[count] };
        list[count] = &mods[count];
        count++;
    }
    assert_int_equal(ldap_add_ext_s(admin(slapd), dn, list, NULL, NULL), LDAP_SUCCESS);
}

static LDAPMessage *search(struct slapd *slapd, const char *base, int scope, const char *filter, const char *attribute)
{
    char *names[] = { (char *)(uintptr_t)attribute, NULL };
    LDAPMessage *messages = NULL;

    ldap_search_ext_s(admin(slapd), base, scope, filter, names, 0, NULL, NULL, NULL, 0, &messages);
    assert_non_null(messages);
    return messages;
}

bool slapd_has_entry(struct slapd *slapd, const char *dn)
{
    LDAPMessage *messages = search(slapd, dn, LDAP_SCOPE_BASE, "(objectClass=*)", LDAP_NO_ATTRS);
    bool found = ldap_count_entries(slapd->admin, messages) == 1;

    ldap_msgfree(messages);
    return found;
}

char *slapd_value(struct slapd *slapd, const char *dn, const char *attribute)
{
    LDAPMessage *messages = search(slapd, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attribute);
    LDAPMessage *entry = ldap_first_entry(slapd->admin, messages);
    struct berval **values = entry != NULL ? ldap_get_values_len(slapd->admin, entry, attribute) : NULL;
    char *value = values != NULL && values[0] != NULL ? strndup(values[0]->bv_val, values[0]->bv_len) : NULL;

    ldap_value_free_len(values);
    ldap_msgfree(messages);
    return value;
}

bool slapd_has_value(struct slapd *slapd, const char *dn, const char *attribute, const char *value)
{
    LDAPMessage *messages = search(slapd, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attribute);
    LDAPMessage *entry = ldap_first_entry(slapd->admin, messages);
    struct berval **values = entry != NULL ? ldap_get_values_len(slapd->admin, entry, attribute) : NULL;
    bool found = false;

    for (size_t i = 0; values != NULL && values[i] != NULL; i++)
        found = found || str_equal(values[i]->bv_val, value);
    ldap_value_free_len(values);
    ldap_msgfree(messages);
    return found;
}

void slapd_set(struct slapd *slapd, const char *dn, const char *attribute, const char *value)
{
    char *values[] = { (char *)(uintptr_t)value, NULL };
    LDAPMod mod = { .mod_op = LDAP_MOD_REPLACE, .mod_type = (char *)(uintptr_t)attribute, .mod_values = values };
    LDAPMod *list[] = { &mod, NULL };

    assert_int_equal(ldap_modify_ext_s(admin(slapd), dn, list, NULL, NULL), LDAP_SUCCESS);
}

void slapd_remove(struct slapd *slapd, const char *dn)
{
    int code = ldap_delete_ext_s(admin(slapd), dn, NULL, NULL);

    assert_true(code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT);
}

static int replace(LDAP *ld, const char *dn, const char *attribute, const char *value)
{
    char *values[] = { (char *)(uintptr_t)value, NULL };
    LDAPMod mod = { .mod_op = LDAP_MOD_REPLACE, .mod_type = (char *)(uintptr_t)attribute, .mod_values = value != NULL ? values : NULL };
    LDAPMod *list[] = { &mod, NULL };

    return ldap_modify_ext_s(ld, dn, list, NULL, NULL);
}

void slapd_replace(struct slapd *slapd, const char *dn, const char *attribute, const char *value)
{
    assert_int_equal(replace(admin(slapd), dn, attribute, value), LDAP_SUCCESS);
}

void slapd_configure(struct slapd *slapd, const char *attribute, const char *value)
{
    int code = LDAP_SUCCESS;
    LDAP *ld = log_in(slapd, "cn=config", "admin-secret", &code);
    char *names[] = { (char *)(uintptr_t)LDAP_NO_ATTRS, NULL };
    LDAPMessage *messages = NULL;

    assert_int_equal(code, LDAP_SUCCESS);
    ldap_search_ext_s(ld, "cn=config", LDAP_SCOPE_ONELEVEL, "(olcSuffix=" SLAPD_SUFFIX ")", names, 0, NULL, NULL, NULL, 0, &messages);
    char *dn = ldap_get_dn(ld, ldap_first_entry(ld, messages));
    assert_non_null(dn);
    assert_int_equal(replace(ld, dn, attribute, value), LDAP_SUCCESS);
    ldap_memfree(dn);
    ldap_msgfree(messages);
    ldap_unbind_ext(ld, NULL, NULL);
}

int slapd_count_values(struct slapd *slapd, const char *dn, const char *attribute)
{
    LDAPMessage *messages = search(slapd, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attribute);
    LDAPMessage *entry = ldap_first_entry(slapd->admin, messages);
    struct berval **values = entry != NULL ? ldap_get_values_len(slapd->admin, entry, attribute) : NULL;
    int count = ldap_count_values_len(values);

    ldap_value_free_len(values);
    ldap_msgfree(messages);
    return count;
}

int slapd_count(struct slapd *slapd, const char *base, const char *filter)
{
    LDAPMessage *messages = search(slapd, base, LDAP_SCOPE_SUBTREE, filter, LDAP_NO_ATTRS);
    int count = ldap_count_entries(slapd->admin, messages);

    ldap_msgfree(messages);
    return count;
}

int slapd_login(struct slapd *slapd, const char *dn, const char *password)
{
    int code = LDAP_SUCCESS;
    LDAP *ld = log_in(slapd, dn, password, &code);

    ldap_unbind_ext(ld, NULL, NULL);
    return code;
}
