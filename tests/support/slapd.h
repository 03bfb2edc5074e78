/*
 * slapd.h: a private slapd (support/private-slapd) or 389 Directory Server
 * (support/private-389ds) for tests in C, and an administrator's view into it
 * that shares no code with the connector.
 *
 * Calling sequence: slapd_start → use → slapd_stop, in a group's set-up and
 * tear-down. A failure ends the test with what the script said.
 * Finds the script through $PROVOST_SOURCE (default: the working directory).
 * Ownership: the struct owns its folder; texts are freed by slapd_stop or as said.
 * Threads: one.
 */
#ifndef PROVOST_TESTS_SUPPORT_SLAPD_H
#define PROVOST_TESTS_SUPPORT_SLAPD_H

#include <ldap.h>
#include <stdbool.h>

#define SLAPD_SUFFIX "dc=example,dc=org"
#define SLAPD_PEOPLE "ou=people," SLAPD_SUFFIX
#define SLAPD_GROUPS "ou=groups," SLAPD_SUFFIX
#define SLAPD_FORMER "ou=former," SLAPD_SUFFIX
#define SLAPD_AGENT "cn=provost," SLAPD_SUFFIX
#define SLAPD_AGENT_PASSWORD "provost-secret"

struct slapd {
    const char *script; /* that starts and ends it */
    char folder[64];
    char *uri, *ldaps_uri, *ldapi_uri; /* NULL: not asked for */
    char *ca_file, *other_ca_file;
    int port;
    LDAP *admin;
};

/* True, and said as a skip of the whole program, when no slapd can be had;
 * under CI=true it goes on, and slapd_start fails. Call it first in main. */
bool slapd_skip(void);
/* The same for a 389 Directory Server. */
bool slapd_skip_389(void);

/* `options` as private-slapd takes them, "" for none. */
void slapd_start(struct slapd *slapd, const char *options);
/* A 389 Directory Server with the same entries; `options` as private-389ds takes them. */
void slapd_start_389(struct slapd *slapd, const char *options);
void slapd_stop(struct slapd *slapd); /* and removes the folder */
/* "kill", "restart", "restart … --cert expired": a command of the script. */
void slapd_run(struct slapd *slapd, const char *command, const char *arguments);
void slapd_signal(struct slapd *slapd, int signal);

/* Adds an entry from "attribute: value|value" lines. */
void slapd_add(struct slapd *slapd, const char *dn, const char *lines);
bool slapd_has_entry(struct slapd *slapd, const char *dn);
bool slapd_has_value(struct slapd *slapd, const char *dn, const char *attribute, const char *value);
/* The first value, to be freed; NULL: none. */
char *slapd_value(struct slapd *slapd, const char *dn, const char *attribute);
/* Replaces the attribute by one value. */
void slapd_set(struct slapd *slapd, const char *dn, const char *attribute, const char *value);
void slapd_remove(struct slapd *slapd, const char *dn); /* also if it is not there */
/* Replaces the attribute of an entry; NULL takes it away. */
void slapd_replace(struct slapd *slapd, const char *dn, const char *attribute, const char *value);
/* Sets an attribute of the suffix's database in cn=config ("olcReadOnly"), until the server is started anew. */
void slapd_configure(struct slapd *slapd, const char *attribute, const char *value);
int slapd_count_values(struct slapd *slapd, const char *dn, const char *attribute);
int slapd_count(struct slapd *slapd, const char *base, const char *filter);
/* LDAP result code of a log-in with this password. */
int slapd_login(struct slapd *slapd, const char *dn, const char *password);

#endif
