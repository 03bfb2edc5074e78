/*
 * session.h: one connection to the directory, logged in, and one request at a
 * time over it.
 *
 * Calling sequence: session_open → session_ask … → session_close. A session
 * whose connection was lost (an idle close, a restart) connects again by itself
 * and repeats the request once: every request that the connector makes is safe
 * on repetition. When that fails too, the receipt tells why (diagnose.h).
 *
 * Global options of libldap are never set, and ldap.conf(5) counts for the
 * default of ca_file alone. Referrals and aliases are not followed.
 * Threads: one at a time for each session.
 * Ownership: stated per function.
 */
#ifndef PROVOST_CONNECTORS_LDAP_SESSION_H
#define PROVOST_CONNECTORS_LDAP_SESSION_H

#include <ldap.h>

#include "base/cleanup.h"
#include "connectors/connector.h"
#include "connectors/ldap/settings.h"

struct connector_session {
    const struct ldap_settings *settings;
    LDAP *ld;        /* NULL: not connected at the moment */
    char **contexts; /* the server's naming contexts; NULL-terminated */
    bool post_read;  /* RFC 4527 */
    bool assertion;  /* RFC 4528 */
    unsigned made;   /* connections so far: tells that a paging cookie is void */
};

enum request_kind { REQUEST_SEARCH, REQUEST_ADD, REQUEST_MODIFY, REQUEST_RENAME, REQUEST_DELETE };

/* All borrowed for the call. */
struct request {
    enum request_kind kind;
    const char *dn;
    int scope; /* SEARCH */
    const char *filter;
    const char *const *attributes;
    int size_limit;         /* 0: the server's */
    int page_entries;       /* SEARCH: 0, or in pages of so many (RFC 2696), from `cookie` on (NULL: the first) */
    const struct berval *cookie;
    LDAPMod **mods;         /* ADD, MODIFY */
    const char *new_rdn;    /* RENAME */
    const char *new_parent; /* NULL: stays */
    const char *assert_key; /* only if the entry has this key, where the server can tell; NULL: whatever it has */
    bool want_key;          /* ADD: ask for the new entry's key, where the server can tell */
};

struct answer {
    int code; /* LDAP result code, or a negative one of libldap's */
    char *matched;
    char *diagnostic;
    char *referral;
    LDAPMessage *messages; /* entries and result */
    LDAPControl **controls;
};
void answer_clear(struct answer *answer);
/* The first entry that came, or NULL; belongs to the answer. */
LDAPMessage *answer_entry(const struct connector_session *session, const struct answer *answer);
#define cleanup_answer __attribute__((cleanup(answer_clear)))

enum outcome session_open(const struct ldap_settings *settings, struct connector_session **ret_session, struct receipt *receipt);
void session_close(struct connector_session *session); /* NULL is allowed */

/* Reads the server's description, which it must answer to. */
enum outcome session_probe(struct connector_session *session, struct receipt *receipt);

/* True: the server (or libldap) has answered, and *answer is the caller's to
 * clear. False: it has not, and the receipt says why. */
bool session_ask(struct connector_session *session, const struct request *request, struct answer *answer, struct receipt *receipt);

/* Turns an answer that is no success into a receipt: "cannot DO dn: …". */
enum outcome session_refused(const struct answer *answer, enum outcome outcome, const char *doing, const char *dn, struct receipt *receipt);

/* What base_dn says, else the naming context that holds `dn` (NULL: the first); NULL: none. */
const char *session_base(const struct connector_session *session, const char *dn);

#endif
