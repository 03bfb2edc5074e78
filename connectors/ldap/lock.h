/*
 * lock.h: what stops a log-in, and two ways that the connector makes up because directories have none of that kind:
 *
 *   passwordLock   each stored password (userPassword) gets a prefix that no scheme has, so that a bind with it is refused;
 *                  on return the prefix is taken off and the old password works again. Where no password can be seen (there is
 *                  none, or the agent may not read it), out means out: userPassword is replaced by a lock without a password.
 *   accountDisable Active Directory's ACCOUNTDISABLE, one bit of userAccountControl; the others stay as they are.
 *
 * A mapping names them in `disable` with the value "TRUE"; a directory has no attributes of these names. Reading asks for the
 * attribute behind them, writing changes it.
 * Secrets: a value of userPassword is never given to anybody, and taken out of what a server says (lock_hide).
 * Threads: no state. Ownership: stated per function.
 */
#ifndef PROVOST_CONNECTORS_LDAP_LOCK_H
#define PROVOST_CONNECTORS_LDAP_LOCK_H

#include "connectors/ldap/session.h"
#include "connectors/ldap/value.h"

/* Why each of them is here stands in lock.c. */
struct lock_row {
    const char *name;
    const char *value;  /* that locks, without case; NULL: a number with the bit 2 */
    const char *server; /* whose it is */
};
extern const struct lock_row lock_rows[]; /* name NULL at the end */
/* The same names, for struct connector_ops. */
extern const char *const lock_names[];
const struct lock_row *lock_row(const char *name); /* NULL: stops no log-in */

/* The attribute that the directory has: userPassword for passwordLock, any other name itself. */
const char *lock_attribute(const char *name);
bool lock_is_made_up(const char *name);
bool lock_is_secret(const char *attribute);

/* Puts those of `names` (NULL: none) that are made up and set in `entry` into `values`, as ["TRUE"]. Negative: out of memory. */
int lock_read(LDAP *ld, LDAPMessage *entry, const char *const *names, json_t *values);

/*
 * Adds to `mods` what of the operation's made-up changes `entry` (NULL: nothing) does not have yet. Old values are named, so that
 * what somebody changes at the same time is not lost; with `whole` the attribute is replaced, for servers that refuse
 * that. *ret_note: what a person should know if it goes well; stays untouched where there is nothing.
 * ERROR_INVALID with a sentence, or ERROR_NOMEM.
 */
int lock_changes(LDAP *ld, LDAPMessage *entry, const struct operation *operation, bool whole, struct mods *mods,
                 const char **ret_note, struct error *error);
/* Was that a refusal to change old values for new ones? slapo-ppolicy wants the old password itself (53, 19). */
bool lock_refused_exact(const struct operation *operation, int code);
/* Does the operation set passwordLock? */
bool lock_sets_password(const struct operation *operation);
/* The part of lock_changes that is about passwords: locked, or as they were. */
int lock_passwords(LDAP *ld, LDAPMessage *entry, bool lock, bool whole, struct mods *mods, const char **ret_note);
/* Adds what replaces all passwords by a lock without one. */
int lock_nothing(struct mods *mods);

/* The values of a new entry with the attributes behind the made-up ones; a new reference, NULL: out of memory. */
json_t *lock_new_values(const json_t *values);

/* Is every password of the entry locked? None at all, as far as can be seen: LOCK_UNSEEN. */
enum lock_state { LOCK_OPEN, LOCK_SET, LOCK_UNSEEN };
enum lock_state lock_state(LDAP *ld, LDAPMessage *entry);

/* Leaves the server's words out of the receipt where they show a password that `mods` has. */
void lock_hide(const struct mods *mods, struct receipt *receipt);

#endif
