/*
 * request.h: one request over a connection that stands, and its answer. Who
 * connects, and what an answer means for the session, is session.h's.
 *
 * request_send waits for the answer for at most the request's limit. What it
 * cannot get is told by a negative code of libldap's.
 * Threads: one at a time for each session. Ownership: the answer is the
 * caller's to clear; a request borrows all that it names.
 */
#ifndef PROVOST_CONNECTORS_LDAP_REQUEST_H
#define PROVOST_CONNECTORS_LDAP_REQUEST_H

#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define REQUEST_RIGHTS_CONTROL "1.3.6.1.4.1.42.2.27.9.5.2" /* Get Effective Rights */

struct connector_session;

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
    bool optional;          /* SEARCH: one place of several; a refusal is about this place, never about the server */
    int64_t limit_us;       /* how long to wait for the answer; 0: operation_timeout */
    LDAPMod **mods;         /* ADD, MODIFY */
    const char *new_rdn;    /* RENAME */
    const char *new_parent; /* NULL: stays */
    const char *assert_key; /* only if the entry has this key, where the server can tell; NULL: whatever it has */
    const char *rights_of;  /* SEARCH: tell with each entry what this DN may do, where session->tells_rights */
    bool want_key;          /* ADD: ask for the new entry's key, where the server can tell */
};

struct answer {
    int code; /* LDAP result code, or a negative one of libldap's */
    char *matched;
    char *diagnostic; /* the server's own words, cut to what a log can bear */
    char *referral;
    LDAPMessage *messages; /* entries and result */
    LDAPControl **controls;
};
void answer_clear(struct answer *answer);
/* Adds " (NAME CODE)", then the server's own words and its referral. */
void answer_add_words(const struct answer *answer, struct buf *words);
/* The first entry that came, or NULL; belongs to the answer. */
LDAPMessage *answer_entry(const struct connector_session *session, const struct answer *answer);
#define cleanup_answer __attribute__((cleanup(answer_clear)))

static inline bool request_changes(const struct request *request)
{
    return request->kind != REQUEST_SEARCH;
}

/* Sends once over session->ld, which must stand. */
void request_send(struct connector_session *session, const struct request *request, struct answer *answer);

/* The code of a search for this one entry, without its attributes: is it there? */
int request_look(struct connector_session *session, const char *dn);

#endif
