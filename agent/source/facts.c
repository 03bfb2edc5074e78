#include "source/facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static const struct {
    const char *status;
    int rank;
} status_ranks[] = {
    { "STAGED", 1 },           { "PROVISIONED", 2 }, { "ACTIVE", 3 },    { "RECOVERY", 4 },     { "PASSWORD_EXPIRED", 5 },
    { "LOCKED_OUT", 6 },       { "SUSPENDED", 7 },   { "DEPROVISIONED", 8 }, { "DELETED", 9 },
};
#define RANK_UNKNOWN 3 /* with ACTIVE */
#define RANK_OUT 8

const char *const trigger_names[TRIGGER_COUNT + 1] = {
#define X(code, name) name,
    TRIGGER_LIST(X)
#undef X
};

int trigger_find(const char *name)
{
    for (int i = 0; name != NULL && i < TRIGGER_COUNT; i++)
        if (strcmp(trigger_names[i], name) == 0)
            return i;
    return -1;
}

bool fact_is_pair(const struct fact *fact)
{
    return fact->kind == FACT_MEMBER || fact->kind == FACT_ASSIGNED || (fact->kind == FACT_SIGNED_IN && fact->other != NULL);
}

const char *identity_kind_name(enum identity_kind kind)
{
    return kind == IDENTITY_GROUP ? "group" : "user";
}

int status_rank(const char *status)
{
    for (size_t i = 0; status != NULL && i < sizeof(status_ranks) / sizeof(status_ranks[0]); i++)
        if (strcmp(status_ranks[i].status, status) == 0)
            return status_ranks[i].rank;
    return RANK_UNKNOWN;
}

bool status_is_out(const char *status)
{
    return status_rank(status) >= RANK_OUT;
}

static int compare_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* The fact's time beside that of what is known. */
static int compare_time(const struct fact *fact, struct wall known)
{
    bool impossible = fact->latest.us != 0 && known.us > fact->latest.us;

    return compare_number(fact->as_of.us, impossible ? fact->doubted.us : known.us);
}

/* NULL sorts first. */
static int compare_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return compare_number(a != NULL, b != NULL);
    return strcmp(a, b);
}

static int compare_status(const char *a, const char *b)
{
    int order = compare_number(status_rank(a), status_rank(b));

    return order != 0 ? order : compare_text(a, b);
}

/*
 * A register holds the greatest word heard, ordered by time and then by text.
 * Taking the maximum of a total order is what makes merging commutative,
 * associative and idempotent; each register below is one such order.
 */
static int register_merge(struct text_register *text, const struct fact *fact, int (*compare)(const char *, const char *))
{
    bool same = str_equal(text->value, fact->value);

    if (text->value != NULL) {
        int order = compare_time(fact, text->as_of);
        if (order == 0)
            order = compare(fact->value, text->value);
        if (order < 0)
            return FACT_SUPERSEDED;
    }
    if (!same) {
        char *copy = strdup(fact->value);
        if (copy == NULL)
            return ERROR_NOMEM;
        free(text->value);
        text->value = copy;
    }
    text->as_of = fact->as_of;
    return same ? FACT_UNCHANGED : FACT_CHANGED;
}

/* The live register goes first: should memory run out between the two, the
 * same fact merged again completes the work. */
static int status_merge(struct identity *identity, const struct fact *fact)
{
    int64_t before_us = identity->status.as_of.us;
    int live = FACT_SUPERSEDED;

    if (!status_is_out(fact->value))
        live = register_merge(&identity->live_status, fact, compare_status);
    if (live < 0)
        return live;
    int status = register_merge(&identity->status, fact, compare_status);
    if (status < 0)
        return status;
    if (status == FACT_UNCHANGED && identity->status.as_of.us != before_us)
        return FACT_CHANGED;
    return live > status ? live : status;
}

static int profile_merge(struct identity *identity, const struct fact *fact)
{
    json_t *profile = json_loads(fact->value, JSON_DECODE_ANY, NULL);

    if (profile == NULL)
        return ERROR_INVALID;
    int effect = register_merge(&identity->profile_text, fact, compare_text);
    if (effect != FACT_CHANGED && !(effect == FACT_UNCHANGED && identity->profile == NULL)) {
        json_decref(profile);
        return effect;
    }
    json_decref(identity->profile);
    identity->profile = profile;
    return effect;
}

/* A time that only grows. */
static int time_merge(struct wall *time, const struct fact *fact)
{
    int order = compare_time(fact, *time);

    if (order > 0)
        *time = fact->as_of;
    return order > 0 ? FACT_CHANGED : order == 0 ? FACT_UNCHANGED : FACT_SUPERSEDED;
}

static int sessions_merge(struct identity *identity, const struct fact *fact)
{
    int trigger = trigger_find(fact->value);

    return trigger < 0 ? ERROR_INVALID : time_merge(&identity->sessions_void[trigger], fact);
}

static int signed_out_merge(struct identity *identity, const struct fact *fact)
{
    return fact->present || fact->other != NULL ? ERROR_INVALID : time_merge(&identity->signed_out_before, fact);
}

struct wall identity_signed_out_until(const struct identity *identity)
{
    static const enum trigger ends[] = {
        TRIGGER_CLEAR, TRIGGER_SUSPEND, TRIGGER_DEACTIVATE, TRIGGER_DELETE, TRIGGER_UNIVERSAL_LOGOUT,
    };
    struct wall until = identity->signed_out_before;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (identity->sessions_void[ends[i]].us > until.us)
            until = identity->sessions_void[ends[i]];
    return until;
}

static int exists_merge(struct identity *identity, const struct fact *fact)
{
    bool first = identity->exists_as_of.us == 0;
    bool same = !first && identity->exists == fact->present;
    int order = compare_time(fact, identity->exists_as_of);

    if (order == 0)
        order = compare_number(!fact->present, !identity->exists);
    if (order < 0)
        return FACT_SUPERSEDED;
    identity->exists = fact->present;
    identity->exists_as_of = fact->as_of;
    return same ? FACT_UNCHANGED : FACT_CHANGED;
}

static int login_merge(struct identity *identity, const struct fact *fact)
{
    return register_merge(&identity->login, fact, compare_text);
}

static int name_merge(struct identity *identity, const struct fact *fact)
{
    return register_merge(&identity->name, fact, compare_text);
}

#define OF_USER (1u << IDENTITY_USER)
#define OF_GROUP (1u << IDENTITY_GROUP)

/* kind → whose it can be, whether it needs a value, how it is merged */
static const struct {
    unsigned kinds;
    bool value;
    int (*merge)(struct identity *identity, const struct fact *fact);
} merges[FACT_KIND_COUNT] = {
    [FACT_STATUS] = { OF_USER, true, status_merge },
    [FACT_LOGIN] = { OF_USER, true, login_merge },
    [FACT_NAME] = { OF_USER, true, name_merge },
    [FACT_PROFILE] = { OF_USER | OF_GROUP, true, profile_merge },
    [FACT_SESSIONS_VOID] = { OF_USER, true, sessions_merge },
    [FACT_GROUP_EXISTS] = { OF_GROUP, false, exists_merge },
    [FACT_GROUP_NAME] = { OF_GROUP, true, name_merge },
    [FACT_SIGNED_IN] = { OF_USER, false, signed_out_merge },
};

int identity_merge(struct identity *identity, const struct fact *fact)
{
    if ((unsigned)fact->kind >= FACT_KIND_COUNT || merges[fact->kind].merge == NULL)
        return ERROR_INVALID;
    if ((merges[fact->kind].kinds & (1u << identity->kind)) == 0 || (merges[fact->kind].value && fact->value == NULL))
        return ERROR_INVALID;
    return merges[fact->kind].merge(identity, fact);
}

/* Time, then removal, then name. */
static int compare_membership(const struct fact *fact, const struct membership *row)
{
    int order = compare_time(fact, row->as_of);

    if (order == 0)
        order = compare_number(!fact->present, !row->present);
    return order != 0 ? order : compare_text(fact->value, row->name);
}

int membership_merge(struct membership *row, const struct fact *fact)
{
    bool first = row->as_of.us == 0;
    bool same_name = str_equal(row->name, fact->value);
    bool same = !first && row->present == fact->present && same_name;

    if (!first && compare_membership(fact, row) < 0)
        return FACT_SUPERSEDED;
    if (!same_name) {
        char *name = str_dup(fact->value);
        if (name == NULL && fact->value != NULL)
            return ERROR_NOMEM;
        free(row->name);
        row->name = name;
    }
    same = same && (fact->kind != FACT_SIGNED_IN || fact->as_of.us == row->as_of.us);
    row->present = fact->present;
    row->as_of = fact->as_of;
    return same ? FACT_UNCHANGED : FACT_CHANGED;
}

static int take_pair(struct membership **rows, size_t *count, const struct fact *fact)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*rows)[i].id, fact->other) == 0)
            return membership_merge(&(*rows)[i], fact);
    struct membership *grown = realloc(*rows, (*count + 1) * sizeof(*grown));
    if (grown == NULL)
        return ERROR_NOMEM;
    *rows = grown;
    grown[*count] = (struct membership){ .id = strdup(fact->other) };
    if (grown[*count].id == NULL)
        return ERROR_NOMEM;
    return membership_merge(&grown[(*count)++], fact);
}

int identity_take_fact(struct identity *identity, const struct fact *fact)
{
    if (!fact_is_pair(fact))
        return identity_merge(identity, fact);
    if (fact->other == NULL)
        return ERROR_INVALID;
    if (fact->kind == FACT_MEMBER)
        return take_pair(&identity->groups, &identity->group_count, fact);
    if (fact->kind == FACT_ASSIGNED)
        return take_pair(&identity->apps, &identity->app_count, fact);
    return take_pair(&identity->sign_ins, &identity->sign_in_count, fact);
}

static void memberships_free(struct membership *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(rows[i].id);
        free(rows[i].name);
    }
    free(rows);
}

void identity_clear(struct identity *identity)
{
    free(identity->id);
    free(identity->status.value);
    free(identity->live_status.value);
    free(identity->login.value);
    free(identity->name.value);
    free(identity->profile_text.value);
    json_decref(identity->profile);
    memberships_free(identity->groups, identity->group_count);
    memberships_free(identity->apps, identity->app_count);
    memberships_free(identity->sign_ins, identity->sign_in_count);
    *identity = (struct identity){ 0 };
}

static void event_clear(struct event *event)
{
    free(event->uuid);
    free(event->type);
    free(event->outcome);
    free(event->actor);
    free(event->subject_id);
    free(event->subject_name);
    free(event->raw);
    free(event->facts);
    free(event->storage);
}

void event_batch_free(struct event_batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++)
        event_clear(&batch->events[i]);
    free(batch->events);
    free(batch->event_id);
    free(batch);
}
