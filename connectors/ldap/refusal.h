/*
 * refusal.h: is an answer the whole server's refusal, whatever the record?
 *
 *     its words say so       read-only, a replica, a password that must be changed (outcome.h)
 *     a referral             as the answer to a change of an entry that the server holds (a replica), or of all it holds
 *     no such object         and the base or naming context is not there either (an empty database), nor any other context
 *
 * Where the code does not tell, the server is asked for the entries in question. Never success with what only one record's place
 * can mean: an entry below a referral, or in a part of the tree that is proxied to another server.
 * Threads: one at a time for each session.
 */
#ifndef PROVOST_CONNECTORS_LDAP_REFUSAL_H
#define PROVOST_CONNECTORS_LDAP_REFUSAL_H

#include "connectors/ldap/session.h"

enum whose {
    WHOSE_RECORD,  /* this request's, as far as the code tells (outcome.h) */
    WHOSE_SERVER,  /* the address is passed over from now on (shared.h), and the session is to leave it */
    WHOSE_UNKNOWN, /* nothing may be made of the answer */
};

struct judgement {
    enum whose whose;
    const char *sentence; /* of the server, or why it is not known, for a person */
    const char *base;     /* the entry that is missing; NULL: none. Lives until the next request */
};
struct judgement refusal_judge(struct connector_session *session, const struct request *request, const struct answer *answer);

#endif
