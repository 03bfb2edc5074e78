/*
 * canned_directory.h: a directory that answers what a test tells it to, for
 * answers that no server here gives (Active Directory's, those of proxies).
 *
 * Without a canned answer each log-in and each change succeeds, and each search
 * finds the entry that is its base, with entryUUID "CANNED_KEY" and sn "Lee".
 * The rootDSE names the naming context dc=example,dc=org and one control, that
 * of assertions (RFC 4528), which is not looked at.
 * Calling sequence: canned_start → canned_answer … → canned_stop.
 * Threads: one for each connection; canned_answer and the counters may be
 * used while they run.
 */
#ifndef PROVOST_TESTS_SUPPORT_CANNED_DIRECTORY_H
#define PROVOST_TESTS_SUPPORT_CANNED_DIRECTORY_H

#include <ldap.h>
#include <stdbool.h>

#define CANNED_KEY "5d5b1f3e-0000-4000-8000-00000000000a"

struct canned {
    ber_tag_t request; /* LDAP_REQ_MODIFY, … */
    const char *dn;    /* NULL: any */
    int code;          /* of LDAP, or one of those below */
    const char *matched, *words, *referral; /* NULL: none */
    bool asserted;     /* only to a request with the assertion control */
};
#define CANNED_HANG_UP (-1)    /* closes the connection */
#define CANNED_DISCONNECT (-2) /* sends a notice of disconnection (RFC 4511, 4.4.1), then closes it */
#define CANNED_SILENT (-3)     /* says nothing */

struct canned_directory {
    struct canned_state *state;
    char uri[64];
};

void canned_start(struct canned_directory *directory);
void canned_stop(struct canned_directory *directory);
/* Goes for all that come later; the newest that fits counts. */
void canned_answer(struct canned_directory *directory, const struct canned *canned);
void canned_reset(struct canned_directory *directory); /* no answers, counters zero */
int canned_connections(struct canned_directory *directory);
int canned_requests(struct canned_directory *directory, ber_tag_t request);

#endif
