/*
 * ldap_target.h: an LDAP target as the agent has it (settings, what is shared,
 * several sessions), and short ways to ask it for something.
 *
 * Calling sequence: target_start → target_open, read_dn, … → target_stop. What
 * each call came to is in target.receipt.
 * One target at a time; its state is in `target`. Threads: one.
 */
#ifndef PROVOST_TESTS_SUPPORT_LDAP_TARGET_H
#define PROVOST_TESTS_SUPPORT_LDAP_TARGET_H

#include "connectors/connector.h"
#include "tests/support/slapd.h"

#define TARGET_SESSIONS_MOST 8
#define TEXT(literal) ((char *)(uintptr_t)(literal))

struct ldap_target {
    const struct connector_ops *ops;
    void *settings;
    struct connector_shared *shared;
    struct connector_session *sessions[TARGET_SESSIONS_MOST];
    struct connector_session *session; /* the one that is used: the newest, unless target_use says another */
    struct receipt receipt;
};
extern struct ldap_target target;

/* Loads the connector; the agent's password is in the environment as PROVOST_TEST_SECRET. */
void target_load(void);
/* libconfig text; bind_dn and password are cn=provost's unless `settings` begins with "bind_dn". No session yet. */
void target_start(const char *format, ...) __attribute__((format(printf, 1, 2)));
enum outcome target_open(void); /* one session more */
void target_open_most(size_t count); /* so many, which must succeed */
void target_use(size_t session);
/* All sessions read ou=people at the same time, each in a thread, and come to this; target.receipt is of one of them. */
#define ask_with_all(outcome, refusal) ask_with_all_at(outcome, refusal, __LINE__)
void ask_with_all_at(enum outcome outcome, enum refusal refusal, int line);
void target_stop(void);         /* also where nothing was started */

/* ---- calls over target.session ---- */

enum outcome read_dn(const char *dn);                    /* no match: at the dn */
enum outcome read_match(const char *dn, const char *filter);
enum outcome read_key_of(const char *key, const char *dn);
enum outcome add_person(const char *dn, const char *uid); /* with mail UID@example.org */
enum outcome replace_value(const char *key, const char *dn, const char *name, const char *value);
enum outcome move_entry(const char *key, const char *dn, const char *new_dn);
enum outcome remove_entry(const char *key, const char *dn);
enum outcome change_member(enum operation_kind kind, const char *key, const char *group, const char *value);
/* The groups' DNs, joined by spaces; NULL: a failure. The caller's to free. */
char *groups_of(const char *value, const char *base);

/* ---- what came of it ---- */

#define assert_outcome(seen, wanted) assert_outcome_at(seen, OUTCOME_##wanted, __LINE__)
#define assert_refusal(wanted) assert_refusal_at(REFUSAL_##wanted, __LINE__)
#define assert_says(word) assert_says_at(word, __LINE__)
#define assert_notes(word) assert_notes_at(word, __LINE__)
void assert_outcome_at(enum outcome seen, enum outcome wanted, int line);
void assert_refusal_at(enum refusal wanted, int line);
void assert_says_at(const char *word, int line);
void assert_notes_at(const char *word, int line);

/* Calls `condition` until it is true, for at most so many seconds (PROVOST_TIME_SCALE stretches them). */
#define await(condition, within_s) await_at(condition, #condition, within_s, __LINE__)
void await_at(bool (*condition)(void), const char *what, int within_s, int line);

#endif
