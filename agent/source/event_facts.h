/*
 * event_facts.h: whom an event is about, and its type's row → its facts.
 * Private to source/.
 *
 * Ownership: facts borrow the texts of the parties; the event owns the list.
 * Threads: no state. Errors: ERROR_NOMEM; ERROR_TOOBIG for more than 10,000 facts.
 */
#ifndef PROVOST_SOURCE_EVENT_FACTS_H
#define PROVOST_SOURCE_EVENT_FACTS_H

#include "source/event_table.h"
#include "source/facts.h"

enum entity_type { ENTITY_OTHER, ENTITY_USER, ENTITY_GROUP, ENTITY_APP };

/* An actor or a target, decoded; NULL where missing. */
struct party {
    enum entity_type type;
    const char *id, *login, *name;
};

/* What the event is about: users, groups and apps, at most target_count + 1, and the session of the one who acts. */
struct subject_matter {
    struct party *parties;
    size_t count;
    const char *session; /* NULL: none */
    char *storage;
};

/* The facts are without their time, and a sign-in's start may be without the
 * session's name: both come when the event is complete. */
int event_add_facts(struct event *event, const struct event_rule *rule, const struct subject_matter *matter);

#endif
