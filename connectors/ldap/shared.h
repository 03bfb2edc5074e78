/*
 * shared.h: what the sessions of one target know together: which address
 * serves, which one is passed over and why, and that a log-in was refused.
 *
 * Calling sequence
 *     shared_enter   before a session connects: one session at a time. False:
 *                    the receipt says why not, and nothing may be asked.
 *     shared_allows  for each address in order: may it be tried?
 *     shared_pass_over, where it refuses us or what we are here for
 *     shared_leave   with what came of it; wakes the sessions that wait
 * and, before each request of a session that is connected, shared_standing.
 *
 * A session that waits for another one's attempt shares its failure: a server
 * that is away, or a password that is refused, is tried once for all of them.
 * After a refused log-in sessions that lost their connection are refused here,
 * until a new session (open) has logged in.
 *
 * An address that took us and refuses changes is passed over for some seconds,
 * longer each time, until a change is accepted there. A new session that gets
 * no other address tries it before. Earlier addresses are
 * looked at now and then by one session that sits on a later one.
 *
 * Threads: all functions may be called from any thread.
 * Ownership: texts are copied in; what is returned is said for each function.
 */
#ifndef PROVOST_CONNECTORS_LDAP_SHARED_H
#define PROVOST_CONNECTORS_LDAP_SHARED_H

#include "base/str.h"
#include "connectors/connector.h"

int shared_new(const void *settings, struct connector_shared **ret_shared, struct error *error);
void shared_free(struct connector_shared *shared); /* NULL is allowed */

size_t shared_count(const struct connector_shared *shared);
const char *shared_uri(const struct connector_shared *shared, size_t address); /* lives as long as `shared` */

/* Why a session connects. */
enum errand {
    ERRAND_OPEN,      /* a new session: the agent has waited as long as it should */
    ERRAND_RECONNECT, /* its connection was lost, or dropped */
    ERRAND_LOOK,      /* does an earlier address answer again? It has a connection meanwhile */
};

/* True: connect now, and call shared_leave. False with *receipt set; a look that cannot be made now sets none. */
bool shared_enter(struct connector_shared *shared, enum errand errand, struct receipt *receipt);
/* `failure` NULL: this session is connected to `address` now. */
void shared_leave(struct connector_shared *shared, const struct receipt *failure, size_t address);
/* The end of a look that changed nothing; the next one is due the later the longer it took. */
void shared_leave_look(struct connector_shared *shared, int64_t took_us);

enum passed {
    PASSED_NOT,
    PASSED_CHANGES, /* it refuses all changes, or has no data: its sessions leave it */
    PASSED_LOGIN,   /* it refused our log-in, another address did not: its sessions stay */
};

/* Why an address is passed over. */
struct passing {
    enum passed passed;
    int code;          /* LDAP result code */
    const char *words; /* a sentence with the address in it */
    const char *base;  /* the entry that is missing there, which must be back before the address is used again; NULL: none */
};

/* May it be tried now? When not, its words are added to `words` and its code is set. */
bool shared_allows(struct connector_shared *shared, size_t address, struct buf *words, int *code);
void shared_pass_over(struct connector_shared *shared, size_t address, const struct passing *passing);
/* Is one passed over for what it refuses? */
bool shared_refuses_changes(struct connector_shared *shared);
/* An address that is passed over for changes may be tried now; true: it was passed over. What it refused and how long the next pause
 * is stay known. */
bool shared_try_again(struct connector_shared *shared, size_t address);
/* The missing entry of an address that was passed over for it; owned by the caller; NULL: none. */
char *shared_missing_base(struct connector_shared *shared, size_t address);
/* A change was accepted there. */
void shared_accepted(struct connector_shared *shared, size_t address);

enum standing {
    STANDING_STAY,
    STANDING_LEAVE, /* connect anew: this address is passed over now, or an earlier one serves */
    STANDING_LOOK,  /* look whether an earlier address answers */
};
enum standing shared_standing(struct connector_shared *shared, size_t address);

/* A part of the tree that gave no answer in time is left out for a while: true while that is so. */
bool shared_is_slow(struct connector_shared *shared, const char *dn);
void shared_note_slow(struct connector_shared *shared, const char *dn);

#endif
