/*
 * What people do: hold and resume a target, retry and drop dead lanes. Many
 * lanes are moved a few at a time, so that intake goes on between.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define STEP_MOST 200

/* Lanes of a state in one step of work. */
struct lane_list {
    int64_t keys[STEP_MOST];
    int64_t priorities[STEP_MOST];
    enum lane_state states[STEP_MOST]; /* of those to be dropped */
    size_t count;
};

static int list_state(struct store *store, int64_t target, enum lane_state state, int64_t until, struct lane_list *list,
                      struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code;

    list->count = 0;
    while ((code = db_next(store->writer, SQL_LANES_PAST, &row, error, "iiii", target, (int64_t)state, until, (int64_t)STEP_MOST)) > 0) {
        list->keys[list->count] = row_number(row, 0);
        list->priorities[list->count++] = row_number(row, 1);
    }
    return code;
}

/* ---- hold ---- */

struct hold_call {
    const char *target;
    bool held;
    int64_t until; /* lanes that were held later are left; 0: now */
};

static int release_held(struct store *store, int64_t target, int64_t until, struct error *error)
{
    struct lane_list list;
    int code = list_state(store, target, LANE_STATE_HELD, until, &list, error);

    for (size_t i = 0; i < list.count && code == 0; i++)
        code = lane_move(store, list.keys[i], LANE_STATE_HELD, LANE_STATE_READY, (int)list.priorities[i], store->now.us, error);
    return code < 0 ? code : (int)list.count;
}

static int hold_work(struct store *store, void *arg, struct error *error)
{
    struct hold_call *call = arg;
    size_t index;
    int code = target_intern(store, call->target, &index, error);

    if (code < 0)
        return code;
    if (call->until == 0)
        call->until = store->now.us;
    code = db_run(store->writer, SQL_TARGET_HOLD, error, "ii", (int64_t)call->held, store->targets[index].number);
    if (code < 0 || call->held)
        return code;
    store->targets[index].made_ready = true; /* what is ready may be taken again */
    return release_held(store, store->targets[index].number, call->until, error);
}

static void set_held(struct store *store, const char *target, bool held)
{
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->target_count; i++)
        if (strcmp(store->targets[i].name, target) == 0) {
            store->targets[i].held = held;
            store->targets[i].resumed = store->targets[i].resumed || !held;
        }
    pthread_mutex_unlock(&store->lock);
}

int store_hold(struct store *store, const char *target, bool held, struct error *error)
{
    struct hold_call call = { target, held, 0 };
    int moved;

    do {
        moved = store_call(store, hold_work, &call, error);
        if (moved >= 0)
            set_held(store, target, held);
    } while (moved > 0);
    return moved;
}

/* ---- dead lanes ---- */

struct dead_call {
    int64_t target;      /* number */
    const char *id;      /* NULL: all */
    bool drop;
    bool leavers;        /* drop these too */
    bool any;            /* not dead lanes alone: nobody works on this target */
    bool take_back;      /* of what was dropped */
    const char *by;
    int64_t until;
    int64_t kept;        /* leavers that were not dropped */
};

static int next_dropped(struct store *store, const struct dead_call *call, sqlite3_stmt **row, struct error *error)
{
    int64_t leaver_most = call->leavers ? INT64_MAX : (int64_t)0;

    if (call->any)
        return db_next(store->writer, SQL_LANES_DROP_ANY, row, error, "iii", call->target, leaver_most, (int64_t)STEP_MOST);
    return db_next(store->writer, SQL_LANES_DROP, row, error, "iiii", call->target, call->until, leaver_most, (int64_t)STEP_MOST);
}

static int list_dropped(struct store *store, const struct dead_call *call, struct lane_list *list, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code;

    list->count = 0;
    while ((code = next_dropped(store, call, &row, error)) > 0) {
        list->states[list->count] = call->any ? (enum lane_state)row_number(row, 1) : LANE_STATE_DEAD;
        list->keys[list->count++] = row_number(row, 0);
    }
    return code;
}

static int count_kept(struct store *store, struct dead_call *call, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, call->any ? SQL_LANES_LEAVING : SQL_LANES_LEAVING_DEAD, &row, error, "i", call->target);

    call->kept = code > 0 ? row_number(row, 0) : 0;
    return code < 0 ? code : 0;
}

/* What its lane's row says goes into the deliveries that it had, and into the row that is kept. */
static int drop_lane(struct store *store, const struct dead_call *call, int64_t key, enum lane_state state, struct error *error)
{
    int64_t newest = 0, count = 0, oldest;
    cleanup_free char *reason = NULL;
    {
        cleanup_statement sqlite3_stmt *row = NULL;
        int code = db_next(store->writer, SQL_LANE_DETAIL, &row, error, "i", key);
        if (code <= 0)
            return code;
        const char *outcome = row_text(row, 9), *why = row_text(row, 11);
        reason = str_printf("given up by %s%s%s%s%s", call->by != NULL ? call->by : "a person",
                            outcome != NULL ? "; it was " : "",
                            outcome != NULL ? outcome : "", why != NULL ? ": " : "", why != NULL ? why : "");
    }
    {
        cleanup_statement sqlite3_stmt *row = NULL;
        int code = db_next(store->writer, SQL_LANE_READ, &row, error, "i", key);
        if (code <= 0)
            return code;
        newest = row_number(row, 2);
        count = row_number(row, 3);
    }
    const struct ending dropped = { "dropped", "none", reason, 0 };
    int code = deliveries_finish(store, newest, 0, count, &dropped, &oldest, error);
    if (code == 0)
        code = db_run(store->writer, SQL_DROPPED_ADD, error, "iti", store->now.us, call->by, key);
    return code < 0 ? code : lane_delete(store, key, state, error);
}

static bool takes_state(const struct dead_call *call, int64_t state)
{
    return call->any ? state != LANE_STATE_LEASED : state == LANE_STATE_DEAD;
}

static int list_of_identity(struct store *store, struct dead_call *call, struct lane_list *list, struct error *error)
{
    list->count = 0;
    call->kept = 0;
    for (int kind = 0; kind < IDENTITY_KIND_COUNT; kind++) {
        cleanup_statement sqlite3_stmt *row = NULL;
        int64_t identity = identity_number(store->writer, (enum identity_kind)kind, call->id, error);
        if (identity < 0)
            return (int)identity;
        int64_t key = lane_key(call->target, identity);
        int code = identity == 0 ? 0 : db_next(store->writer, SQL_LANE_READ, &row, error, "i", key);
        if (code < 0)
            return code;
        if (code == 0 || !takes_state(call, row_number(row, 0)))
            continue;
        if (call->drop && !call->leavers && row_number(row, 9) != 0) {
            call->kept++;
        } else {
            list->keys[list->count] = key;
            list->states[list->count] = (enum lane_state)row_number(row, 0);
            list->priorities[list->count++] = row_number(row, 1);
        }
    }
    return 0;
}

static int list_dead(struct store *store, struct dead_call *call, struct lane_list *list, struct error *error)
{
    if (call->id != NULL)
        return list_of_identity(store, call, list, error);
    if (!call->drop)
        return list_state(store, call->target, LANE_STATE_DEAD, call->until, list, error);
    int code = call->leavers ? 0 : count_kept(store, call, error);
    return code < 0 ? code : list_dropped(store, call, list, error);
}

/* ---- what was dropped ---- */

/* `identity` 0: of all. The priorities are since when their leavers are to be out. */
static int list_taken_back(struct store *store, int64_t target, int64_t identity, struct lane_list *list, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code;

    list->count = 0;
    while ((code = db_next(store->writer, SQL_DROPPED_OF_TARGET, &row, error, "iii", target, identity, (int64_t)STEP_MOST)) > 0) {
        list->keys[list->count] = row_number(row, 0);
        list->priorities[list->count++] = row_number(row, 1);
    }
    return code;
}

static int take_back_lane(struct store *store, size_t target, int64_t key, int64_t leaver, struct error *error)
{
    const struct lane_news news = { 0, leaver != 0 ? leaver : store->now.us, leaver != 0 ? PRIORITY_LEAVER : PRIORITY_TOUCH,
                                    leaver != 0 ? LEAVING_YES : LEAVING_UNKNOWN };
    int64_t previous;
    int code = lane_make_ready(store, target, lane_identity(key), &news, &previous, error);

    return code < 0 ? code : db_run(store->writer, SQL_DROPPED_DELETE, error, "i", key);
}

static int take_back(struct store *store, const struct dead_call *call, int64_t identity, struct error *error)
{
    struct lane_list list;
    size_t index = 0;
    int code = list_taken_back(store, call->target, identity, &list, error);

    while (index < store->target_count && store->targets[index].number != call->target)
        index++;
    for (size_t i = 0; i < list.count && code == 0; i++)
        code = take_back_lane(store, index, list.keys[i], list.priorities[i], error);
    return code < 0 ? code : (int)list.count;
}

static int take_back_work(struct store *store, const struct dead_call *call, struct error *error)
{
    int total = 0;

    if (call->id == NULL)
        return take_back(store, call, 0, error);
    for (int kind = 0; kind < IDENTITY_KIND_COUNT; kind++) {
        int64_t identity = identity_number(store->writer, (enum identity_kind)kind, call->id, error);
        int taken = identity > 0 ? take_back(store, call, identity, error) : (int)identity;
        if (taken < 0)
            return taken;
        total += taken;
    }
    return total;
}

static int dead_work(struct store *store, void *arg, struct error *error)
{
    struct dead_call *call = arg;
    struct lane_list list;

    if (call->take_back)
        return take_back_work(store, call, error);
    list.count = 0;
    if (call->until == 0)
        call->until = store->now.us;
    int code = list_dead(store, call, &list, error);
    for (size_t i = 0; i < list.count && code == 0; i++)
        code = call->drop ? drop_lane(store, call, list.keys[i], list.states[i], error)
                          : lane_move(store, list.keys[i], LANE_STATE_DEAD, LANE_STATE_READY, (int)list.priorities[i], store->now.us, error);
    return code < 0 ? code : (int)list.count;
}

static int handle_target(struct store *store, struct dead_call *call, struct error *error)
{
    int moved, total = 0;

    do {
        moved = store_call(store, dead_work, call, error);
        if (moved < 0)
            return moved;
        total += moved;
    } while (moved == STEP_MOST);
    return total;
}

/* `call` without its target; sums up what was kept. */
static int handle_dead(struct store *store, const char *target, struct dead_call *call, struct error *error)
{
    int64_t kept = 0;
    int64_t numbers[256];
    size_t count = 0;
    int total = 0;

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->target_count && count < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (target == NULL || strcmp(store->targets[i].name, target) == 0)
            numbers[count++] = store->targets[i].number;
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < count; i++) {
        call->target = numbers[i];
        call->until = call->kept = 0;
        int handled = handle_target(store, call, error);
        if (handled < 0)
            return handled;
        total += handled;
        kept += call->kept;
    }
    call->kept = kept;
    return total;
}

int store_retry_dead(struct store *store, const char *target, const char *id, struct error *error)
{
    struct dead_call call = { .id = id };

    return handle_dead(store, target, &call, error);
}

int store_drop(struct store *store, const struct store_drop *drop, int64_t *ret_kept, struct error *error)
{
    struct dead_call call = { .id = drop->id, .drop = true, .leavers = drop->leavers, .any = drop->any_state, .by = drop->by };
    int code = handle_dead(store, drop->target, &call, error);

    if (code >= 0)
        *ret_kept = call.kept;
    return code;
}

int store_take_back(struct store *store, const char *target, const char *id, struct error *error)
{
    struct dead_call call = { .id = id, .take_back = true };

    return handle_dead(store, target, &call, error);
}
