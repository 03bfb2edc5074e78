/*
 * session.h: a session with the directory: one connection, logged in, and one
 * request at a time over it.
 *
 * Calling sequence: session_open → session_ask … → session_close. A session
 * whose connection was lost (an idle close, a restart) connects again by itself
 * and repeats the request once. A server that can do nothing for anybody (it is
 * read-only, a replica, without its data) is left, and the request is repeated
 * at the next address of `uri` (reach.h): every request that the connector
 * makes is safe on repetition. When that fails too, the receipt tells why.
 *
 * Global options of libldap are never set, and ldap.conf(5) counts for the
 * default of ca_file alone. Referrals and aliases are not followed.
 * Threads: one at a time for each session.
 * Ownership: stated per function.
 */
#ifndef PROVOST_CONNECTORS_LDAP_SESSION_H
#define PROVOST_CONNECTORS_LDAP_SESSION_H

#include "base/cleanup.h"
#include "connectors/connector.h"
#include "connectors/ldap/request.h"
#include "connectors/ldap/settings.h"

struct connector_session {
    const struct ldap_settings *settings;
    struct connector_shared *shared;
    LDAP *ld;        /* NULL: not connected at the moment */
    size_t address;  /* the one of `uri` that `ld` is, or was, connected to */
    char **contexts; /* the server's naming contexts; NULL-terminated */
    bool post_read;  /* RFC 4527 */
    bool assertion;  /* RFC 4528 */
    bool tells_rights; /* Get Effective Rights */
    unsigned made;   /* connections so far: tells that a paging cookie is void */
};

enum outcome session_open(const struct ldap_settings *settings, struct connector_shared *shared,
                          struct connector_session **ret_session, struct receipt *receipt);
void session_close(struct connector_session *session); /* NULL is allowed */
void session_free_contexts(struct connector_session *session);

/* Reads the server's description, which it must answer to. */
enum outcome session_probe(struct connector_session *session, struct receipt *receipt);

/* True: the server (or libldap) has answered this request, and *answer is the
 * caller's to clear. False: it has not, and the receipt says why. */
bool session_ask(struct connector_session *session, const struct request *request, struct answer *answer, struct receipt *receipt);

/* A receipt about an answer: the sentence, then the code's name and number, then the server's own words and referral. */
enum outcome session_tell(const struct answer *answer, enum outcome outcome, struct receipt *receipt, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Turns an answer that is no success into a receipt by the table: "cannot DO dn: …". OUTCOME_OF_READ for a read. */
enum outcome session_refused(const struct answer *answer, enum operation_kind kind, const char *doing, const char *dn,
                             struct receipt *receipt);

/* What base_dn says, else the naming context that holds `dn` (NULL, or none does: the first). The caller's to free; NULL: none. */
char *session_base(const struct connector_session *session, const char *dn);
/* base_dn or the naming context that holds `dn`; NULL: none does. Lives until the next request. */
const char *session_context(const struct connector_session *session, const char *dn);

#endif
