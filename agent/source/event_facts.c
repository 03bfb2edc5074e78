#include "source/event_facts.h"

#include <stdlib.h>

#define FACTS_MOST 10000

static struct fact *add_fact(struct event *event, enum fact_kind kind, const struct party *party, const char *value)
{
    struct fact *fact = &event->facts[event->fact_count++];

    *fact = (struct fact){ .kind = kind, .id = party->id, .value = value };
    fact->identity_kind = party->type == ENTITY_GROUP ? IDENTITY_GROUP : IDENTITY_USER;
    return fact;
}

/* A start without a session's name gets the event's when that is complete. */
static void add_sign_in(struct event *event, const struct event_rule *rule, const struct party *user, const char *session)
{
    struct fact *fact = add_fact(event, FACT_SIGNED_IN, user, NULL);

    fact->other = session;
    fact->present = (rule->flags & EVENT_SIGNED_IN) != 0;
}

static void add_user_facts(struct event *event, const struct event_rule *rule, const struct party *user, const char *session)
{
    if (rule->status != NULL)
        add_fact(event, FACT_STATUS, user, rule->status);
    if (user->login != NULL)
        add_fact(event, FACT_LOGIN, user, user->login);
    if (user->name != NULL)
        add_fact(event, FACT_NAME, user, user->name);
    if (rule->trigger != NULL)
        add_fact(event, FACT_SESSIONS_VOID, user, rule->trigger);
    if ((rule->flags & (EVENT_SIGNED_IN | EVENT_SIGNED_OUT)) != 0)
        add_sign_in(event, rule, user, session);
}

static void add_group_facts(struct event *event, const struct event_rule *rule, const struct party *group)
{
    if ((rule->flags & (EVENT_GROUP_THERE | EVENT_GROUP_GONE)) != 0)
        add_fact(event, FACT_GROUP_EXISTS, group, NULL)->present = (rule->flags & EVENT_GROUP_THERE) != 0;
    if (group->name != NULL)
        add_fact(event, FACT_GROUP_NAME, group, group->name);
}

static void add_pair_fact(struct event *event, const struct event_rule *rule, const struct party *user, const struct party *other)
{
    if (other->type == ENTITY_GROUP && (rule->flags & (EVENT_MEMBER_ADDED | EVENT_MEMBER_REMOVED)) != 0) {
        struct fact *fact = add_fact(event, FACT_MEMBER, user, NULL);
        fact->other = other->id;
        fact->present = (rule->flags & EVENT_MEMBER_ADDED) != 0;
    }
    if (other->type == ENTITY_APP && (rule->flags & (EVENT_APP_ASSIGNED | EVENT_APP_UNASSIGNED)) != 0) {
        struct fact *fact = add_fact(event, FACT_ASSIGNED, user, other->name);
        fact->other = other->id;
        fact->present = (rule->flags & EVENT_APP_ASSIGNED) != 0;
    }
}

int event_add_facts(struct event *event, const struct event_rule *rule, const struct subject_matter *matter)
{
    const struct party *parties = matter->parties;
    size_t users = 0, count = matter->count;

    for (size_t i = 0; i < count; i++)
        users += parties[i].type == ENTITY_USER;
    size_t most = count * 5 + users * (count - users);
    if (most > FACTS_MOST)
        return ERROR_TOOBIG;
    event->facts = calloc(most + 1, sizeof(*event->facts));
    if (event->facts == NULL)
        return ERROR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (parties[i].type == ENTITY_USER)
            add_user_facts(event, rule, &parties[i], matter->session);
        else if (parties[i].type == ENTITY_GROUP)
            add_group_facts(event, rule, &parties[i]);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; parties[i].type == ENTITY_USER && j < count; j++)
            add_pair_fact(event, rule, &parties[i], &parties[j]);
    return 0;
}
