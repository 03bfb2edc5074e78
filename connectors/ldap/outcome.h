/*
 * outcome.h: LDAP result codes → delivery outcomes, in one table; and the few
 * answers whose words tell more than their code, in another.
 *
 * Codes: RFC 4511 appendix A, RFC 3909 (cancel), RFC 4528 (assertion), and the
 * negative ones of libldap's own (ldap.h). Words: as OpenLDAP, 389 Directory
 * Server, Samba and Active Directory write them.
 * Every code has a verdict: one that no row names is RETRY and unsure, which
 * ends in a dead letter when it stays.
 * Threads: no state. Ownership: all texts are constants.
 */
#ifndef PROVOST_CONNECTORS_LDAP_OUTCOME_H
#define PROVOST_CONNECTORS_LDAP_OUTCOME_H

#include "connectors/connector.h"

struct outcome_row {
    int code;
    enum outcome outcome;  /* as the answer to an operation or a read */
    enum refusal refusal;  /* whether the code alone tells whose refusal that is */
    bool login;            /* as the answer to a log-in: it is about the name or the password */
    const char *name;      /* as the RFC spells it */
    const char *sentence;  /* for a person */
};

/* The row of a code; never NULL (code 0x7fffffff: unknown). */
const struct outcome_row *outcome_row(int code);

/* The table itself, for its tests; ends with the unknown row. */
const struct outcome_row *outcome_table(void);

#define OUTCOME_CODE_UNKNOWN 0x7fffffff

/* What an answer comes to. */
struct verdict {
    enum outcome outcome;
    enum refusal refusal;
    const char *sentence;
};

#define OUTCOME_OF_READ OPERATION_KIND_COUNT /* in place of an operation's kind */

/* The verdict on a code with the server's own words (NULL: none): the table's, but for the few codes that mean something
 * else as the answer to this kind of operation ("is there no more" to a removal), for a value that is taken, and for words that
 * say of a member that it is there already, or not there. */
struct verdict outcome_judge(enum operation_kind kind, int code, const char *words);

/* Why an answer with these words can only be the whole server's refusal ("it takes no changes now"), for a person;
 * NULL where it can be this record's. */
const char *outcome_of_server(int code, const char *words);

#endif
