/*
 * Lanes: made ready, leased, ended. A lane's row exists while work is pending.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

struct lane_row {
    enum lane_state state;
    int priority, attempt;
    int64_t delivery, deliveries, generation, since, oldest;
    int64_t leaver; /* since when somebody who shall be out is not; 0: nobody */
    int64_t failing; /* since when its work fails; 0: it does not */
    bool again;     /* touched while leased */
    bool failed;    /* its last work was given up: as a group, members may have waited for it */
};

/* 1, 0 when there is none, negative. */
static int read_lane(struct store *store, int64_t key, struct lane_row *lane, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_LANE_READ, &row, error, "i", key);

    if (code <= 0)
        return code;
    *lane = (struct lane_row){
        .state = (enum lane_state)row_number(row, 0), .priority = (int)row_number(row, 1), .delivery = row_number(row, 2),
        .deliveries = row_number(row, 3), .generation = row_number(row, 4), .attempt = (int)row_number(row, 5),
        .since = row_number(row, 6), .oldest = row_number(row, 7), .again = row_number(row, 8) != 0,
        .leaver = row_number(row, 9), .failing = row_number(row, 10), .failed = row_number(row, 11) != 0,
    };
    return 1;
}

/* Since when a leaver is not out, given since when he was not before. */
static int64_t leaver_since(enum leaving leaving, int64_t before, int64_t now)
{
    if (leaving == LEAVING_UNKNOWN)
        return before;
    return leaving == LEAVING_NO ? 0 : before != 0 ? before : now;
}

static int add_lane(struct store *store, int64_t key, int64_t target, const struct lane_news *news, struct error *error)
{
    lane_count(store, target, LANE_STATE_READY, 1);
    return db_run(store->writer, SQL_LANE_ADD, error, "iiiiiiiiii", key, target, (int64_t)news->priority, news->received,
                  (int64_t)news->priority, news->delivery, (int64_t)(news->delivery != 0), news->received,
                  news->delivery != 0 ? news->received : 0, leaver_since(news->leaving, 0, news->received));
}

/* News for a lane that is worked on, held, or ready at least as urgently:
 * it stays where it is in the queue. */
static bool stays(const struct lane_row *lane, int priority)
{
    return lane->state == LANE_STATE_LEASED || lane->state == LANE_STATE_HELD ||
           (lane->state == LANE_STATE_READY && priority >= lane->priority);
}

static int add_to_lane(struct store *store, int64_t key, int64_t target, struct lane_row *lane, const struct lane_news *news,
                       struct error *error)
{
    bool coalesce = stays(lane, news->priority);
    int64_t most_urgent = news->priority < lane->priority || lane->state == LANE_STATE_DUE ? news->priority : lane->priority;
    bool back = news->leaving == LEAVING_NO && lane->leaver != 0;
    int wrong = back ? member_rows_wrong(store, target, lane_identity(key), error) : 0;
    int64_t leaver = wrong > 0 ? lane->leaver : leaver_since(news->leaving, lane->leaver, news->received);

    if (wrong < 0)
        return wrong;
    if (news->delivery != 0) {
        if (lane->deliveries == 0)
            lane->oldest = news->received;
        lane->delivery = news->delivery;
        lane->deliveries++;
    }
    if (coalesce)
        return db_run(store->writer, SQL_LANE_COALESCE, error, "iiiiiii", most_urgent, lane->delivery, lane->deliveries, lane->oldest,
                      (int64_t)(lane->again || (news->delivery == 0 && lane->state == LANE_STATE_LEASED)), leaver, key);
    int64_t since = lane->state == LANE_STATE_READY ? lane->since : news->received;
    lane_count(store, target, lane->state, -1);
    lane_count(store, target, LANE_STATE_READY, 1);
    return db_run(store->writer, SQL_LANE_WRITE, error, "iiiiiiiiiii", (int64_t)LANE_STATE_READY, most_urgent, since, most_urgent,
                  (int64_t)0, lane->delivery, lane->deliveries, since, lane->oldest, leaver, key);
}

int lane_make_ready(struct store *store, size_t target, int64_t identity, const struct lane_news *news, int64_t *ret_previous,
                    struct error *error)
{
    struct lane_row lane;
    size_t same;
    int code = store->targets[target].stored ? 0 : target_intern(store, store->targets[target].name, &same, error);
    int64_t number = store->targets[target].number, key = lane_key(number, identity);

    if (code < 0)
        return code;
    int found = read_lane(store, key, &lane, error);
    if (found < 0)
        return found;
    *ret_previous = found > 0 && lane.deliveries > 0 ? lane.delivery : 0;
    if (found == 0)
        return add_lane(store, key, number, news, error);
    return add_to_lane(store, key, number, &lane, news, error);
}

int lane_move(struct store *store, int64_t key, enum lane_state from, enum lane_state to, int rank, int64_t at,
              struct error *error)
{
    int64_t target = key >> LANE_IDENTITY_BITS;

    lane_count(store, target, from, -1);
    lane_count(store, target, to, 1);
    return db_run(store->writer, SQL_LANE_MOVE, error, "iiiiii", (int64_t)to, (int64_t)rank, at, at,
                  (int64_t)(from != LANE_STATE_DEAD && from != LANE_STATE_HELD), key);
}

int lane_delete(struct store *store, int64_t key, enum lane_state from, struct error *error)
{
    lane_count(store, key >> LANE_IDENTITY_BITS, from, -1);
    return db_run(store->writer, SQL_LANE_DELETE, error, "i", key);
}

/* ---- touch, hurry ---- */

struct nudge {
    struct request request;
    struct store *store;
    bool patient; /* waits for company, and is tried again when its commit failed */
    enum identity_kind kind;
    char *target, *word; /* touch: the identity's id; hurry: an outcome */
};

static int touch_run(struct store *store, struct request *request, struct error *error)
{
    const struct nudge *touch = (const struct nudge *)request;
    size_t target;
    const struct lane_news news = { 0, store->now.us, PRIORITY_TOUCH, LEAVING_UNKNOWN };
    int64_t previous, identity = identity_intern(store, touch->kind, touch->word, error);

    if (identity < 0)
        return (int)identity;
    int code = target_intern(store, touch->target, &target, error);
    return code < 0 ? code : lane_make_ready(store, target, identity, &news, &previous, error);
}

static int hurry_run(struct store *store, struct request *request, struct error *error)
{
    const struct nudge *hurry = (const struct nudge *)request;

    return db_run(store->writer, SQL_LANES_HURRY, error, "iit", store->now.us, target_number(store, hurry->target), hurry->word);
}

static void nudge_finish(struct request *request, int code, const struct error *error)
{
    struct nudge *nudge = (struct nudge *)request;

    (void)error; /* hurried lanes come by themselves, only later */
    if (nudge->patient && code < 0 && code != ERROR_CLOSED && code != ERROR_NOMEM) {
        store_postpone(nudge->store, request);
        return;
    }
    free(nudge->target);
    free(nudge->word);
    free(nudge);
}

static void queue_nudge(struct nudge from)
{
    struct nudge *nudge = malloc(sizeof(*nudge));

    if (nudge == NULL || from.target == NULL || from.word == NULL) {
        free(nudge);
        free(from.target);
        free(from.word);
        return;
    }
    *nudge = from;
    (nudge->patient ? store_enqueue_patient : store_enqueue)(nudge->store, &nudge->request);
}

void store_touch(struct store *store, const char *target, enum identity_kind kind, const char *id)
{
    queue_nudge((struct nudge){ { .run = touch_run, .finish = nudge_finish }, store, true, kind, strdup(target), strdup(id) });
}

void store_hurry(struct store *store, const char *target, const char *outcome)
{
    queue_nudge((struct nudge){ { .run = hurry_run, .finish = nudge_finish }, store, .target = strdup(target),
                                .word = strdup(outcome) });
}

/* ---- lease ---- */

void lease_clear(struct lease *lease)
{
    free(lease->target);
    free(lease->id);
    free(lease->event_uuid);
    free(lease->event_type);
    free(lease->place);
    *lease = (struct lease){ 0 };
}

struct lease_call {
    const struct lease_wish *wish;
    size_t most; /* of all priorities */
    struct lease *leases; /* `most` of them; filled in order */
    size_t count;
    int64_t next;
};

struct past_lane {
    int64_t key, priority;
};

/* Due lanes wait for a date; what they do then may be a removal. */
static int64_t time_for(const struct store *store, enum lane_state state)
{
    return state == LANE_STATE_DUE ? store->removal.us : store->now.us;
}

/* Lanes of one state whose time has come → ready, a few at a time. */
static int promote_state(struct store *store, int64_t target, enum lane_state state, size_t most, struct error *error)
{
    cleanup_free struct past_lane *past = calloc(most, sizeof(*past));
    size_t count = 0;
    int code;

    if (past == NULL)
        return error_nomem(error);
    {
        cleanup_statement sqlite3_stmt *row = NULL;
        while ((code = db_next(store->writer, SQL_LANES_PAST, &row, error, "iiii", target, (int64_t)state, time_for(store, state),
                               (int64_t)most)) > 0)
            past[count++] = (struct past_lane){ row_number(row, 0), row_number(row, 1) };
    }
    for (size_t i = 0; i < count && code == 0; i++)
        code = lane_move(store, past[i].key, state, LANE_STATE_READY,
                         state == LANE_STATE_WAITING ? PRIORITY_AGAIN : (int)past[i].priority, store->now.us, error);
    return code;
}

static int read_next(struct store *store, int64_t target, int64_t *ret_next, struct error *error)
{
    static const enum lane_state states[] = { LANE_STATE_WAITING, LANE_STATE_DUE };
    int64_t next = 0;

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        cleanup_statement sqlite3_stmt *row = NULL;
        int code = db_next(store->writer, SQL_LANES_NEXT, &row, error, "ii", target, (int64_t)states[i]);
        if (code < 0)
            return code;
        int64_t at = code > 0 ? row_number(row, 0) + store->now.us - time_for(store, states[i]) : 0;
        if (code > 0 && (next == 0 || at < next))
            next = at;
    }
    *ret_next = next;
    return 0;
}

static int fill_lease(struct store *store, const char *target, int64_t key, struct lease *lease, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_LEASE_DETAIL, &row, error, "i", key);

    if (code == 0)
        return error_set(error, ERROR_CORRUPT, "store %s: a lane without an identity; restore a copy", store->path);
    if (code < 0)
        return code;
    *lease = (struct lease){
        .target = strdup(target), .kind = (enum identity_kind)row_number(row, 0), .id = str_dup(row_text(row, 1)),
        .generation = store->counters.generation, .priority = (enum priority)row_number(row, 2), .attempt = (int)row_number(row, 3) + 1,
        .newest_delivery = row_number(row, 4), .deliveries = (size_t)row_number(row, 5), .oldest_received.us = row_number(row, 6),
        .event_uuid = str_dup(row_text(row, 7)), .event_type = str_dup(row_text(row, 8)), .received.us = row_number(row, 9),
        .ready.us = row_number(row, 10),
    };
    return lease->target == NULL || lease->id == NULL ? error_nomem(error) : 0;
}

/* The creation that the work may send; `link` is of an account that is gone, or NULL. */
static int note_creation(struct store *store, const struct lease_call *call, const struct target_row *target, int64_t key,
                         const struct link *link, struct lease *lease, struct error *error)
{
    struct identity identity = { .kind = lease->kind };
    int code = intents_pending(store, key, &lease->unanswered, error);

    if (code == 0)
        code = identity_read(store->writer, lease->id, &identity, error);
    if (code > 0)
        lease->place = call->wish->creates(call->wish->arg, &identity, link);
    if (lease->place != NULL)
        code = intent_note(store, target, key, &identity, lease->place, lease->generation, error);
    if (lease->place != NULL && code > 0) /* another group's creation is noted there */
        free(take_pointer(lease->place));
    identity_clear(&identity);
    return code < 0 ? code : 0;
}

/* What is sent under a lease is known to whoever comes after a crash, and to other lanes, at the cost of no commit. */
static int note_work(struct store *store, const struct lease_call *call, size_t index, int64_t key, struct lease *lease,
                     struct error *error)
{
    const struct target_row *target = &store->targets[index];
    struct link link = { 0 };
    int linked = link_read(store->writer, key, &link, error);
    bool live = linked > 0 && !link.gone;
    int code = linked < 0 ? linked : 0;

    if (code == 0 && !live && call->wish->creates != NULL)
        code = note_creation(store, call, target, key, linked > 0 ? &link : NULL, lease, error);
    if (code == 0 && live && lease->kind == IDENTITY_USER)
        code = member_rows_note(store, target->number, lane_identity(key), error);
    link_clear(&link);
    return code < 0 ? code : 0;
}

static int lease_lane(struct store *store, struct lease_call *call, size_t index, int64_t key, struct error *error)
{
    struct lease *lease = &call->leases[call->count];
    int64_t target = store->targets[index].number;

    store->counters.generation++;
    int code = fill_lease(store, call->wish->target, key, lease, error);
    if (code < 0)
        return code;
    call->count++;
    code = note_work(store, call, index, key, lease, error);
    if (code < 0)
        return code;
    lane_count(store, target, LANE_STATE_READY, -1);
    lane_count(store, target, LANE_STATE_LEASED, 1);
    return db_run(store->writer, SQL_LANE_LEASE, error, "iiti", store->now.us + call->wish->lease_us, store->counters.generation,
                  store->owner, key);
}

static int lease_ready(struct store *store, struct lease_call *call, size_t index, enum priority priority, struct error *error)
{
    size_t most = call->wish->most[priority], count = 0;
    cleanup_free int64_t *keys = calloc(most + 1, sizeof(*keys));
    int code;

    if (keys == NULL)
        return error_nomem(error);
    {
        cleanup_statement sqlite3_stmt *row = NULL;
        while ((code = db_next(store->writer, SQL_LANES_READY, &row, error, "iii", store->targets[index].number, (int64_t)priority,
                               (int64_t)most)) > 0)
            keys[count++] = row_number(row, 0);
    }
    for (size_t i = 0; i < count && code == 0; i++)
        code = lease_lane(store, call, index, keys[i], error);
    return code;
}

static void clear_leases(struct lease_call *call)
{
    while (call->count > 0)
        lease_clear(&call->leases[--call->count]);
}

static int lease_work(struct store *store, void *arg, struct error *error)
{
    static const enum lane_state timed[] = { LANE_STATE_LEASED, LANE_STATE_WAITING, LANE_STATE_DUE };
    struct lease_call *call = arg;
    size_t index;
    int code = target_intern(store, call->wish->target, &index, error);

    clear_leases(call); /* of a run that was rolled back */
    if (code < 0 || store->targets[index].held)
        return code;
    int64_t target = store->targets[index].number;
    for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]) && code == 0; i++)
        code = promote_state(store, target, timed[i], call->most, error);
    for (int priority = 0; priority < PRIORITY_COUNT && code == 0; priority++)
        code = lease_ready(store, call, index, (enum priority)priority, error);
    return code < 0 ? code : read_next(store, target, &call->next, error);
}

int store_lease(struct store *store, const struct lease_wish *wish, struct lease *leases, struct wall *ret_next, struct error *error)
{
    struct lease_call call = { .wish = wish };

    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        call.most += wish->most[priority];
    cleanup_free struct lease *mine = call.leases = calloc(call.most + 1, sizeof(*mine));
    if (mine == NULL)
        return error_nomem(error);
    int code = store_call_relaxed(store, lease_work, &call, error);
    if (code < 0) {
        clear_leases(&call);
        return code;
    }
    memcpy(leases, mine, call.count * sizeof(*mine));
    if (ret_next != NULL)
        ret_next->us = call.next;
    return (int)call.count;
}

/* ---- the end of a lease ---- */

struct end_call {
    struct request request;
    struct completion completion;
    store_done *done;
    void *arg;
    int code; /* of this completion alone */
    int noted; /* member rows that came with the link: to be sent */
    struct error *error;
};

static void forget_refusal(struct end_call *call)
{
    call->code = 0;
    free(take_pointer(call->error));
}

static void __attribute__((format(printf, 3, 4))) refuse(struct end_call *call, int code, const char *format, ...)
{
    struct error *error = malloc(sizeof(*error));
    va_list args;

    call->code = code;
    va_start(args, format);
    if (error != NULL)
        error_vset(error, code, format, args);
    va_end(args);
    free(call->error);
    call->error = error;
}

/* The account is another identity's: the work is done and told of, but the
 * lane cannot end well. A person has to look. */
static int write_call_link(struct store *store, struct end_call *call, struct completion *completion, size_t target,
                           int64_t identity, struct error *error)
{
    struct error refusal = { 0 };

    call->noted = 0;
    int code = completion->link == NULL ? 0 : link_write(store, target, completion->lease->kind, identity, completion->lease->id,
                                                         completion->link, &call->noted, &refusal, error);
    if (code <= 0)
        return code;
    refuse(call, ERROR_EXISTS, "%s", refusal.text);
    completion->end = LANE_DEAD;
    completion->outcome = "ambiguous";
    completion->reason = call->error != NULL ? call->error->text : "the account is linked to another identity";
    return 0;
}

/* What the lane wrote into groups, or as a group with its members. */
static int write_call_members(struct store *store, struct end_call *call, const struct completion *c, size_t target,
                              int64_t identity, bool failed_before, struct error *error)
{
    int code = member_rows_change(store, target, c->lease->kind, identity, c->members, c->member_count, error);

    if (code == 0 && c->lease->kind == IDENTITY_USER && c->has_groups && c->end == LANE_DONE) {
        int wrong = member_rows_wrong(store, store->targets[target].number, identity, error);
        call->noted += wrong > 0;
        code = wrong < 0 ? wrong : 0;
    }
    if (code < 0 || c->lease->kind != IDENTITY_GROUP)
        return code;
    if (c->link != NULL && c->link->gone)
        return member_rows_drop(store, target, identity, error);
    bool mended = failed_before && c->end == LANE_DONE; /* members may have waited for it */
    return mended || c->link != NULL || c->member_count > 0 ? member_rows_settle(store, target, identity, error) : 0;
}

struct lane_end_row { /* where the lane goes */
    enum lane_state state;
    int64_t at;
    int attempt;
};

/* false: the row is deleted. `news`: deliveries or a touch came meanwhile. */
static bool choose_end(const struct completion *c, const struct lane_row *lane, bool news, int64_t now, struct lane_end_row *end)
{
    const struct lane_end_row ready_anew = { LANE_STATE_READY, now, 0 };
    const struct lane_end_row by_end[] = {
        [LANE_DONE] = { LANE_STATE_DUE, c->due.us, 0 },
        [LANE_RETRY] = { LANE_STATE_WAITING, c->retry_at.us, c->lease->attempt },
        [LANE_RELEASE] = { LANE_STATE_READY, lane->since, c->lease->attempt - 1 },
        [LANE_DEAD] = { LANE_STATE_DEAD, now, c->lease->attempt },
        [LANE_HELD] = { LANE_STATE_HELD, now, c->lease->attempt - 1 },
    };

    *end = news && c->end != LANE_RELEASE && c->end != LANE_HELD ? ready_anew : by_end[c->end];
    return news || c->end != LANE_DONE || c->due.us != 0;
}

/* What came meanwhile knows better than the end. */
static int64_t leaver_after(const struct completion *c, const struct lane_row *lane, bool news, int64_t now)
{
    if (news)
        return lane->leaver;
    return leaver_since(c->end == LANE_DONE ? LEAVING_NO : c->leaving, lane->leaver, lane->oldest != 0 ? lane->oldest : now);
}

/* From the first attempt that failed until one goes well, whatever is heard meanwhile. */
static int64_t failing_after(const struct completion *c, const struct lane_row *lane, int64_t now)
{
    if (c->end == LANE_DONE)
        return 0;
    return lane->failing != 0 || c->end == LANE_RELEASE || c->end == LANE_HELD ? lane->failing : now;
}

/* `noted`: member rows came that are to be sent, or one is wrong. */
static int end_lane(struct store *store, const struct completion *c, bool noted, int64_t key, struct lane_row *lane,
                    struct error *error)
{
    struct lane_end_row end;
    int64_t covered = (int64_t)c->lease->deliveries < lane->deliveries ? (int64_t)c->lease->deliveries : lane->deliveries;
    int64_t newer = lane->deliveries - covered;
    int code = 0;

    if (c->end == LANE_DONE) {
        const struct ending ending = { c->outcome, c->action, c->reason, c->lease->attempt };
        code = deliveries_finish(store, lane->delivery, newer, covered, &ending, &lane->oldest, error);
        if (code == 0) /* what somebody gave up before is done now */
            code = db_run(store->writer, SQL_DROPPED_DELETE, error, "i", key);
        lane->deliveries = newer;
        lane->delivery = newer != 0 ? lane->delivery : 0;
    }
    if (code < 0)
        return code;
    bool news = newer != 0 || lane->again || noted;
    if (!choose_end(c, lane, news, store->now.us, &end))
        return lane_delete(store, key, LANE_STATE_LEASED, error);
    lane_count(store, key >> LANE_IDENTITY_BITS, LANE_STATE_LEASED, -1);
    lane_count(store, key >> LANE_IDENTITY_BITS, end.state, 1);
    int64_t rank = end.state != LANE_STATE_READY ? 0 : end.attempt > 0 ? PRIORITY_AGAIN : lane->priority;
    return db_run(store->writer, SQL_LANE_END, error, "iiiiiiiittttiii", (int64_t)end.state, rank, end.at, end.at,
                  (int64_t)end.attempt,
                  lane->delivery, lane->deliveries, newer != 0 ? lane->oldest : c->end == LANE_DONE ? 0 : lane->oldest, c->outcome,
                  c->action, c->reason, c->undone, leaver_after(c, lane, news, store->now.us),
                  failing_after(c, lane, store->now.us), key);
}

static int end_run(struct store *store, struct request *request, struct error *error)
{
    struct end_call *call = (struct end_call *)request;
    struct completion completion = call->completion; /* as asked for: an earlier run of this request may have been rolled back */
    const struct lease *lease = completion.lease;
    struct lane_row lane;
    size_t target;
    int code = target_intern(store, lease->target, &target, error);
    int64_t identity = code < 0 ? code : identity_number(store->writer, lease->kind, lease->id, error);

    forget_refusal(call);
    if (identity < 0)
        return (int)identity;
    int64_t key = lane_key(store->targets[target].number, identity);
    int found = read_lane(store, key, &lane, error);
    if (found < 0)
        return found;
    if (found == 0 || lane.state != LANE_STATE_LEASED || lane.generation != lease->generation) {
        refuse(call, ERROR_STALE, "%s in %s: the lease has run out and the lane was given to another; nothing was written", lease->id,
               lease->target);
        return 0;
    }
    code = write_call_link(store, call, &completion, target, identity, error);
    if (code == 0)
        code = write_call_members(store, call, &completion, target, identity, lane.failed, error);
    if (code == 0)
        code = operations_write(store, key, lease->newest_delivery, &completion, error);
    if (code == 0)
        code = intents_end(store, key, &completion, error);
    return code < 0 ? code : end_lane(store, &completion, call->noted > 0, key, &lane, error);
}

static void end_finish(struct request *request, int code, const struct error *error)
{
    struct end_call *call = (struct end_call *)request;
    struct error fallback = { call->code, "out of memory" };

    if (code < 0)
        call->done(call->arg, code, error);
    else
        call->done(call->arg, call->code, call->code == 0 ? NULL : call->error != NULL ? call->error : &fallback);
    free(call->error);
    free(call);
}

void store_complete(struct store *store, const struct completion *completion, store_done *done, void *arg)
{
    struct end_call *call = calloc(1, sizeof(*call));
    struct error error = { 0 };

    if (call == NULL) {
        done(arg, error_nomem(&error), &error);
        return;
    }
    *call = (struct end_call){ { .run = end_run, .finish = end_finish }, .completion = *completion, .done = done, .arg = arg };
    store_enqueue_patient(store, &call->request);
}
