/*
 * Intake: a batch of events → rows, facts merged, deliveries, lanes made ready.
 * This is the path that decides how many events a second the agent takes.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define KNOWN_MOST 16 /* identities of one event that are kept at hand */
#define MEMBERS_STEP 256
#define HOUR_US 3600000000LL
#define DAY_US (24 * HOUR_US)
#define QUARANTINE_BODY_MOST (256 * 1024)

static const char *const effect_names[] = {
    [EVENT_DUPLICATE] = "duplicate", [EVENT_RECORDED] = "recorded", [EVENT_SUPERSEDED] = "superseded",
    [EVENT_UNCHANGED] = "unchanged", [EVENT_CHANGED] = "changed",
};

const char *event_effect_name(enum event_effect effect)
{
    return (size_t)effect < sizeof(effect_names) / sizeof(effect_names[0]) ? effect_names[effect] : "?";
}

struct intake {
    struct request request;
    struct event_batch *batch;
    struct wall received;
    store_taken *taken;
    void *arg;
    enum event_effect effects[];
};

/* One event on its way in. */
struct arrival {
    struct store *store;
    const struct event *event;
    int64_t number; /* the event's row */
    int64_t received;
    int64_t first_delivery, deliveries;
    int64_t previous; /* the event before it about the same subject */
    int effect;       /* greatest enum fact_effect so far; -1: no facts */
    struct known known[KNOWN_MOST];
    size_t known_count;
};

/* ---- dedup ---- */

/* 1 when it is new, 0 when it was seen, negative. */
static int add_key(struct store *store, const struct seen_key *key, int64_t event, struct error *error)
{
    int code = db_run(store->writer, SQL_SEEN_ADD, error, "ibi", key->time, key->bytes, key->length, event);

    return code < 0 ? code : db_changes(store->writer) != 0;
}

/* ---- facts ---- */

/* Which mapping disables whom, and has which groups, is for later stages: who is suspended, or was taken out of a group or an application,
 * counts until the lane has been looked at. */
static enum leaving leaving_of(const struct known *known)
{
    const char *status = known->identity.status.value;
    bool out = status != NULL && status_rank(status) >= status_rank("SUSPENDED");

    if (known->identity.kind != IDENTITY_USER)
        return LEAVING_UNKNOWN;
    if (out || known->parts)
        return LEAVING_YES;
    return (known->changed & FACT_BIT(FACT_STATUS)) != 0 ? LEAVING_NO : LEAVING_UNKNOWN;
}

static bool concerns(const struct route_row *route, const struct known *known)
{
    unsigned facts = route->facts & known->changed & ~FACT_BIT(FACT_SESSIONS_VOID);

    return route->kind == known->identity.kind && (facts != 0 || (route->triggers & known->triggers) != 0);
}

/* One delivery: this event × one lane. */
static int route_to(struct arrival *arrival, size_t target, int64_t identity, struct lane_news news, struct error *error)
{
    struct store *store = arrival->store;
    int64_t previous;

    news.delivery = ++store->counters.delivery;
    int code = lane_make_ready(store, target, identity, &news, &previous, error);
    if (code == 0)
        code = db_run(store->writer, SQL_DELIVERY_ADD, error, "iiiii", news.delivery, arrival->number,
                      lane_key(store->targets[target].number, identity), previous, arrival->received);
    if (code < 0)
        return code;
    if (arrival->first_delivery == 0)
        arrival->first_delivery = news.delivery;
    arrival->deliveries = news.delivery - arrival->first_delivery + 1;
    return 0;
}

/* Mappings of people that read the names of their groups: a group's new name or its end is news for all in it. */
static bool concerns_members(const struct route_row *route, const struct known *known)
{
    return known->identity.kind == IDENTITY_GROUP && route->kind == IDENTITY_USER &&
           (route->facts & known->changed & (FACT_BIT(FACT_GROUP_NAME) | FACT_BIT(FACT_GROUP_EXISTS))) != 0;
}

static int route_members(struct arrival *arrival, size_t target, const struct known *group, struct error *error)
{
    const struct lane_news news = { 0, arrival->received, group->priority, LEAVING_UNKNOWN };
    int64_t users[MEMBERS_STEP], last = 0;
    size_t count = MEMBERS_STEP;
    int code = 0;

    while (code == 0 && count == MEMBERS_STEP) {
        cleanup_statement sqlite3_stmt *row = NULL;
        for (count = 0; (code = db_next(arrival->store->writer, SQL_USERS_IN, &row, error, "iii", group->number, last,
                                        (int64_t)MEMBERS_STEP)) > 0;)
            users[count++] = last = row_number(row, 0);
        for (size_t i = 0; i < count && code == 0; i++)
            code = route_to(arrival, target, users[i], news, error);
    }
    return code;
}

static int route_known(struct arrival *arrival, const struct known *known, struct error *error)
{
    struct store *store = arrival->store;
    const struct lane_news news = { 0, arrival->received, known->priority, leaving_of(known) };
    int code = 0;

    for (size_t i = 0; i < store->route_count && code == 0; i++) {
        const struct route_row *route = &store->routes[i];
        if (concerns(route, known))
            code = route_to(arrival, route->target, known->number, news, error);
        else if (concerns_members(route, known))
            code = route_members(arrival, route->target, known, error);
    }
    return code;
}

/* Writes what is at hand and lets go of it. After a failure (`code`) it only lets go: SQLite may have rolled back by itself, and
 * what is written then would be committed row by row. */
static int flush_known(struct arrival *arrival, int code, struct error *error)
{
    for (size_t i = 0; i < arrival->known_count; i++) {
        struct known *known = &arrival->known[i];
        if (code == 0)
            code = known_save(arrival->store, known, error);
        if (code == 0 && known->changed != 0)
            code = route_known(arrival, known, error);
        identity_clear(&known->identity);
    }
    arrival->known_count = 0;
    return code;
}

static struct known *find_known(struct arrival *arrival, enum identity_kind kind, const char *id)
{
    for (size_t i = 0; i < arrival->known_count; i++)
        if (arrival->known[i].identity.kind == kind && strcmp(arrival->known[i].identity.id, id) == 0)
            return &arrival->known[i];
    return NULL;
}

static int get_known(struct arrival *arrival, enum identity_kind kind, const char *id, struct known **ret_known, struct error *error)
{
    struct known *known = find_known(arrival, kind, id);

    if (known == NULL) {
        known = &arrival->known[arrival->known_count++]; /* the caller has made room */
        int code = known_load(arrival->store, kind, id, known, error);
        if (code < 0)
            return code;
    }
    *ret_known = known;
    return 0;
}

static int merge_register(struct known *known, const struct fact *fact, struct error *error)
{
    int effect = identity_merge(&known->identity, fact);

    if (effect == ERROR_NOMEM)
        return error_nomem(error);
    if (effect < 0)
        return FACT_SUPERSEDED; /* a fact that makes no sense says nothing */
    known->dirty |= effect != FACT_SUPERSEDED;
    known->login_dirty |= fact->kind == FACT_LOGIN && effect == FACT_CHANGED;
    known->voids_dirty |= (fact->kind == FACT_SESSIONS_VOID || fact->kind == FACT_SIGNED_IN) && effect == FACT_CHANGED;
    if (fact->kind == FACT_SESSIONS_VOID && effect == FACT_CHANGED)
        known->triggers |= TRIGGER_BIT(trigger_find(fact->value));
    known->profile_dirty |= fact->kind == FACT_PROFILE && effect == FACT_CHANGED;
    return effect;
}

/* In the database: 0 groups, 1 apps, 2 sessions at the source. */
static int64_t pair_kind(const struct fact *fact)
{
    return fact->kind == FACT_MEMBER ? 0 : fact->kind == FACT_ASSIGNED ? 1 : 2;
}

/* `group` NULL: an app or session, known by its id. */
static int write_membership(struct store *store, const struct known *user, const struct known *group, const struct fact *fact,
                            const struct membership *row, struct error *error)
{
    if (group == NULL)
        return db_run(store->writer, SQL_MEMBERSHIP_WRITE, error, "iitiit", user->number, pair_kind(fact), fact->other,
                      (int64_t)row->present, row->as_of.us, row->name);
    return db_run(store->writer, SQL_MEMBERSHIP_WRITE, error, "iiiiit", user->number, (int64_t)0, group->number, (int64_t)row->present,
                  row->as_of.us, row->name);
}

static int read_membership(struct store *store, const struct known *user, const struct known *group, const struct fact *fact,
                           struct membership *row, struct error *error)
{
    cleanup_statement sqlite3_stmt *found = NULL;
    int code = group != NULL ? db_next(store->writer, SQL_MEMBERSHIP_READ, &found, error, "iii", user->number, (int64_t)0, group->number)
                             : db_next(store->writer, SQL_MEMBERSHIP_READ, &found, error, "iit", user->number, pair_kind(fact),
                                       fact->other);

    if (code <= 0)
        return code;
    row->present = row_number(found, 0) != 0;
    row->as_of.us = row_number(found, 1);
    row->name = str_dup(row_text(found, 2));
    return row->name == NULL && row_text(found, 2) != NULL ? error_nomem(error) : 0;
}

static int merge_membership(struct arrival *arrival, struct known *user, const struct fact *fact, struct error *error)
{
    struct membership row = { 0 };
    struct known *group = NULL;
    int code = 0;

    if (fact->other == NULL)
        return FACT_SUPERSEDED;
    if (fact->kind == FACT_MEMBER)
        code = get_known(arrival, IDENTITY_GROUP, fact->other, &group, error);
    if (code == 0)
        code = read_membership(arrival->store, user, group, fact, &row, error);
    int effect = code == 0 ? (int)membership_merge(&row, fact) : code;
    if (effect == FACT_UNCHANGED || effect == FACT_CHANGED)
        code = write_membership(arrival->store, user, group, fact, &row, error);
    free(row.name);
    return code < 0 ? code : effect < 0 ? error_nomem(error) : effect;
}

/* Leavers first. */
static bool takes_away(const struct fact *fact)
{
    if (fact->kind == FACT_STATUS)
        return status_rank(fact->value) >= status_rank("LOCKED_OUT");
    return fact->kind == FACT_SESSIONS_VOID || ((fact_is_pair(fact) || fact->kind == FACT_SIGNED_IN) && !fact->present);
}

static int merge_fact(struct arrival *arrival, const struct fact *fact, struct error *error)
{
    struct known *known;
    int code = 0;

    if (fact->id == NULL)
        return 0;
    if (arrival->known_count + 2 > KNOWN_MOST)
        code = flush_known(arrival, 0, error);
    if (code == 0)
        code = get_known(arrival, fact->identity_kind, fact->id, &known, error);
    if (code < 0)
        return code;
    int effect = fact_is_pair(fact) ? merge_membership(arrival, known, fact, error) : merge_register(known, fact, error);
    if (effect < 0)
        return effect;
    if (effect == FACT_CHANGED) {
        known->changed |= FACT_BIT(fact->kind);
        if (takes_away(fact))
            known->priority = PRIORITY_LEAVER;
        known->parts = known->parts || (fact_is_pair(fact) && !fact->present);
    }
    if (effect > arrival->effect)
        arrival->effect = effect;
    return 0;
}

/* ---- the event's row ---- */

/* Events about one identity are a chain, newest first: no index to keep. */
static int chain_subject(struct arrival *arrival, struct error *error)
{
    const struct event *event = arrival->event;
    struct known *subject;

    if (event->subject_id == NULL)
        return 0;
    int code = get_known(arrival, event->subject_kind, event->subject_id, &subject, error);
    if (code < 0)
        return code;
    arrival->previous = subject->last_event;
    subject->last_event = arrival->number;
    subject->dirty = true;
    return 0;
}

static enum event_effect event_effect_of(int effect)
{
    switch (effect) {
    case FACT_CHANGED:
        return EVENT_CHANGED;
    case FACT_UNCHANGED:
        return EVENT_UNCHANGED;
    case FACT_SUPERSEDED:
        return EVENT_SUPERSEDED;
    default:
        return EVENT_RECORDED;
    }
}

static int write_event(const struct arrival *a, enum event_effect effect, struct error *error)
{
    const struct event *e = a->event;

    return db_run(a->store->writer, SQL_EVENT_ADD, error, "iiitttitittiiit", a->number, a->received, e->published.us, e->uuid, e->type,
                  e->outcome, (int64_t)effect, e->actor, (int64_t)e->subject_kind, e->subject_id, e->subject_name, a->previous,
                  a->first_delivery, a->deliveries, e->raw);
}

static int take_event(struct store *store, const struct event *event, const struct request_time *time,
                      enum event_effect *ret_effect, struct error *error)
{
    struct arrival arrival;
    struct seen_key key;

    seen_key_make(event->uuid, event->published.us, &key);
    int code = add_key(store, &key, store->counters.event + 1, error);
    if (code <= 0) {
        store->counters.duplicates += code == 0;
        *ret_effect = EVENT_DUPLICATE;
        return code;
    }
    source_time_date(store, time, event);
    memset(&arrival, 0, offsetof(struct arrival, known));
    arrival.store = store;
    arrival.event = event;
    arrival.number = ++store->counters.event;
    arrival.received = time->received;
    arrival.effect = -1;
    arrival.known_count = 0;
    code = chain_subject(&arrival, error);
    for (size_t i = 0; i < event->fact_count && code == 0; i++)
        code = merge_fact(&arrival, &event->facts[i], error);
    code = flush_known(&arrival, code, error);
    *ret_effect = event_effect_of(arrival.effect);
    store->counters.events++;
    return code < 0 ? code : write_event(&arrival, *ret_effect, error);
}

/* The newest, but for a clock that was ahead for a while. */
static void note_received(struct store *store, int64_t received)
{
    if (received > store->counters.received || received < store->counters.received - HOUR_US)
        store->counters.received = received;
}

static int note_day(struct store *store, int64_t received, struct error *error)
{
    if (received / DAY_US == store->counters.received / DAY_US)
        return 0;
    return db_run(store->writer, SQL_DAY_ADD, error, "ii", received / DAY_US, store->counters.event + 1);
}

static int intake_run(struct store *store, struct request *request, struct error *error)
{
    struct intake *intake = (struct intake *)request;
    const struct request_time time = source_time_of(store, intake->batch, intake->received);
    bool repeated = intake->batch->count > 0;
    int code = note_day(store, time.received, error);

    for (size_t i = 0; i < intake->batch->count && code == 0; i++) {
        code = take_event(store, &intake->batch->events[i], &time, &intake->effects[i], error);
        repeated = repeated && intake->effects[i] == EVENT_DUPLICATE;
    }
    store->counters.duplicate_requests += repeated;
    if (!repeated)
        source_time_note(store, intake->batch, intake->received);
    note_received(store, time.received);
    return code;
}

static void intake_finish(struct request *request, int code, const struct error *error)
{
    struct intake *intake = (struct intake *)request;

    if (intake->taken != NULL)
        intake->taken(intake->arg, code, error, intake->batch, code == 0 ? intake->effects : NULL);
    event_batch_free(intake->batch);
    free(intake);
}

void store_take(struct store *store, struct event_batch *batch, struct wall received, store_taken *taken, void *arg)
{
    struct intake *intake = calloc(1, sizeof(*intake) + batch->count * sizeof(intake->effects[0]));
    struct error error = { 0 };

    if (intake == NULL) {
        taken(arg, error_nomem(&error), &error, batch, NULL);
        event_batch_free(batch);
        return;
    }
    intake->request = (struct request){ .run = intake_run, .finish = intake_finish };
    intake->batch = batch;
    intake->received = received;
    intake->taken = taken;
    intake->arg = arg;
    store_enqueue(store, &intake->request);
}

/* ---- quarantine ---- */

struct quarantine {
    struct request request;
    char *peer, *reason, *body;
    int64_t kept, length;
};

static int quarantine_run(struct store *store, struct request *request, struct error *error)
{
    const struct quarantine *q = (const struct quarantine *)request;
    int64_t number = ++store->counters.quarantine;
    int code = db_run(store->writer, SQL_QUARANTINE_ADD, error, "iittib", number, store->now.us, q->peer, q->reason, q->length, q->body,
                      q->kept);

    if (code == 0 && number > store->quarantine_most)
        code = db_run(store->writer, SQL_QUARANTINE_TRIM, error, "i", number - store->quarantine_most);
    store->counters.quarantined++;
    return code;
}

static void quarantine_finish(struct request *request, int code, const struct error *error)
{
    struct quarantine *q = (struct quarantine *)request;

    (void)code;
    (void)error;
    free(q->peer);
    free(q->reason);
    free(q->body);
    free(q);
}

void store_quarantine(struct store *store, const char *body, size_t length, const char *peer, const char *reason)
{
    size_t kept = length < QUARANTINE_BODY_MOST ? length : QUARANTINE_BODY_MOST;
    struct quarantine *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return;
    *q = (struct quarantine){ { .run = quarantine_run, .finish = quarantine_finish }, str_dup(peer), str_dup(reason), malloc(kept + 1),
                              (int64_t)kept, (int64_t)length };
    if (q->body == NULL) {
        quarantine_finish(&q->request, ERROR_NOMEM, NULL);
        return;
    }
    if (kept != 0)
        memcpy(q->body, body, kept);
    store_enqueue_patient(store, &q->request);
}
