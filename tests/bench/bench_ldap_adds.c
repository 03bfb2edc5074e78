/*
 * bench_ldap_adds: how many accounts a directory takes from a bare libldap
 * loop, one synchronous connection per thread. The yardstick beside which
 * `make bench` puts the agent.
 *
 *     bench_ldap_adds URI BIND_DN PASSWORD BASE COUNT CONNECTIONS
 *
 * Prints adds per second. The entries have the attributes that the shipped
 * people mapping writes.
 */
#include <ldap.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_MOST 64

struct job {
    const char *uri, *bind_dn, *password, *base;
    long first, count;
    int code;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static LDAP *connect_and_bind(const struct job *job)
{
    LDAP *ldap = NULL;
    int version = LDAP_VERSION3;
    char *password = strdup(job->password);
    struct berval secret = { password != NULL ? strlen(password) : 0, password };

    int code = ldap_initialize(&ldap, job->uri);
    if (code == LDAP_SUCCESS) {
        ldap_set_option(ldap, LDAP_OPT_PROTOCOL_VERSION, &version);
        code = ldap_sasl_bind_s(ldap, job->bind_dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
    }
    free(password);
    if (code == LDAP_SUCCESS)
        return ldap;
    fprintf(stderr, "bench_ldap_adds: %s: %s\n", job->uri, ldap_err2string(code));
    if (ldap != NULL)
        ldap_unbind_ext_s(ldap, NULL, NULL);
    return NULL;
}

static int add_one(LDAP *ldap, const char *base, long number)
{
    char dn[256], uid[32], cn[64], sn[32], mail[64], id[32];
    char *classes[] = { "inetOrgPerson", NULL };
    char *values[][2] = { { uid, NULL }, { cn, NULL }, { sn, NULL }, { mail, NULL }, { id, NULL } };
    static const char *const names[] = { "uid", "cn", "sn", "mail", "employeeNumber" };
    LDAPMod rows[6] = { { .mod_op = LDAP_MOD_ADD, .mod_type = "objectClass", .mod_vals.modv_strvals = classes } };
    LDAPMod *mods[7] = { &rows[0] };

    snprintf(uid, sizeof(uid), "bare%ld", number);
    snprintf(dn, sizeof(dn), "uid=%s,%s", uid, base);
    snprintf(cn, sizeof(cn), "Bare %ld", number);
    snprintf(sn, sizeof(sn), "%ld", number);
    snprintf(mail, sizeof(mail), "%s@example.com", uid);
    snprintf(id, sizeof(id), "00ubare%ld", number);
    for (size_t i = 0; i < 5; i++) {
        rows[i + 1] = (LDAPMod){ .mod_op = LDAP_MOD_ADD, .mod_type = (char *)(uintptr_t)names[i], .mod_vals.modv_strvals = values[i] };
        mods[i + 1] = &rows[i + 1];
    }
    return ldap_add_ext_s(ldap, dn, mods, NULL, NULL);
}

static void *run_job(void *arg)
{
    struct job *job = arg;
    LDAP *ldap = connect_and_bind(job);

    job->code = ldap != NULL ? LDAP_SUCCESS : LDAP_CONNECT_ERROR;
    for (long i = 0; job->code == LDAP_SUCCESS && i < job->count; i++)
        job->code = add_one(ldap, job->base, job->first + i);
    if (job->code != LDAP_SUCCESS)
        fprintf(stderr, "bench_ldap_adds: %s\n", ldap_err2string(job->code));
    if (ldap != NULL)
        ldap_unbind_ext_s(ldap, NULL, NULL);
    return NULL;
}

static int run_jobs(const struct job *model, long count, long connections)
{
    struct job jobs[CONNECTIONS_MOST];
    pthread_t threads[CONNECTIONS_MOST];
    int code = LDAP_SUCCESS;

    for (long i = 0; i < connections; i++) {
        jobs[i] = *model;
        jobs[i].first = i * (count / connections);
        jobs[i].count = count / connections;
        if (pthread_create(&threads[i], NULL, run_job, &jobs[i]) != 0)
            abort();
    }
    for (long i = 0; i < connections; i++) {
        pthread_join(threads[i], NULL);
        if (jobs[i].code != LDAP_SUCCESS)
            code = jobs[i].code;
    }
    return code;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fputs("usage: bench_ldap_adds URI BIND_DN PASSWORD BASE COUNT CONNECTIONS\n", stderr);
        return 2;
    }
    struct job model = { .uri = argv[1], .bind_dn = argv[2], .password = argv[3], .base = argv[4] };
    long count = strtol(argv[5], NULL, 10), connections = strtol(argv[6], NULL, 10);
    if (connections < 1 || connections > CONNECTIONS_MOST || count < connections) {
        fprintf(stderr, "bench_ldap_adds: CONNECTIONS must be 1 to %d, COUNT at least as many\n", CONNECTIONS_MOST);
        return 2;
    }
    double start = now_s();
    if (run_jobs(&model, count, connections) != LDAP_SUCCESS)
        return 1;
    printf("%.0f\n", (double)(count / connections * connections) / (now_s() - start));
    return 0;
}
