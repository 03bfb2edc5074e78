/*
 * Retention: what is past its time goes, a few rows a step, so that intake
 * never waits for it. Freed pages are used again by new rows. What is past is
 * told by the removal time (jump.c): a clock that is wrong for a while must not
 * take anything away.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define STEP_MOST 200
#define DAY_US 86400000000LL
#define DROPPED_KEEP_US (30 * DAY_US)

struct old_event {
    int64_t number, first_delivery, deliveries;
};

static int has_pending(struct store *store, const struct old_event *event, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;

    if (event->deliveries == 0)
        return 0;
    return db_next(store->writer, SQL_RETAIN_PENDING, &row, error, "ii", event->first_delivery,
                   event->first_delivery + event->deliveries - 1);
}

static int remove_event(struct store *store, const struct old_event *event, struct error *error)
{
    int code = has_pending(store, event, error);

    if (code != 0) /* work that waits keeps its event, however old */
        return code < 0 ? code : 0;
    if (event->deliveries != 0)
        code = db_run(store->writer, SQL_RETAIN_DELIVERIES, error, "ii", event->first_delivery,
                      event->first_delivery + event->deliveries - 1);
    return code < 0 ? code : db_run(store->writer, SQL_RETAIN_EVENT, error, "i", event->number);
}

/* The event's own time counts, too, unless it is absurd: our clock may have been slow when it came. */
static bool is_young(const struct store *store, int64_t received, int64_t published)
{
    int64_t before = store->removal.us - store->keep_us;

    return received >= before || (published >= before && published <= store->counters.newest);
}

/* Rows are numbered as they came: the walk ends at the first that is young. */
static int list_old_events(struct store *store, struct old_event *old, size_t *ret_count, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    size_t count = 0;
    int code;

    while ((code = db_next(store->writer, SQL_RETAIN_EVENTS, &row, error, "ii", store->retain_event, (int64_t)STEP_MOST)) > 0) {
        if (is_young(store, row_number(row, 1), row_number(row, 4)))
            break;
        old[count++] = (struct old_event){ row_number(row, 0), row_number(row, 2), row_number(row, 3) };
    }
    *ret_count = count;
    return code < 0 ? code : 0;
}

static int retain_events(struct store *store, struct error *error)
{
    struct old_event old[STEP_MOST];
    size_t count;
    int code = list_old_events(store, old, &count, error);

    for (size_t i = 0; i < count && code == 0; i++)
        code = remove_event(store, &old[i], error);
    if (code < 0)
        return code;
    /* past those that stay; from the start again when all were looked at */
    store->retain_event = count == STEP_MOST ? old[count - 1].number : 0;
    return count == STEP_MOST;
}

static int retain_sign_ins(struct store *store, struct error *error)
{
    int code = db_run(store->writer, SQL_RETAIN_SIGN_INS, error, "ii", store->removal.us - SIGN_IN_KEEP_US, (int64_t)STEP_MOST);

    return code < 0 ? code : db_changes(store->writer) == STEP_MOST;
}

static int retain_operations(struct store *store, struct error *error)
{
    int code = db_run(store->writer, SQL_RETAIN_OPERATIONS, error, "ii", (int64_t)STEP_MOST, store->removal.us - store->keep_us);

    return code < 0 ? code : db_changes(store->writer) == STEP_MOST;
}

/* Of lanes that were dropped. Few are there at any time: no index. */
static int retain_intents(struct store *store, struct error *error)
{
    return db_run(store->writer, SQL_RETAIN_INTENTS, error, "i", store->removal.us - store->keep_us);
}

/* Few, and young: no index. */
static int retain_dropped(struct store *store, struct error *error)
{
    return db_run(store->writer, SQL_RETAIN_DROPPED, error, "i", store->removal.us - DROPPED_KEEP_US);
}

/* Events numbered below this were received before the keys' time. */
static int read_key_limit(struct store *store, int64_t day, int64_t *ret_limit, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_DAY_READ, &row, error, "i", day);

    if (code >= 0)
        *ret_limit = code > 0 ? row_number(row, 0) : store->counters.event + 1;
    return code < 0 ? code : 0;
}

struct old_key {
    int64_t time, length, event;
    char *bytes;
};

static int list_old_keys(struct store *store, struct old_key *old, size_t *ret_count, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int64_t before = store->removal.us - store->keep_keys_us;
    const void *from = store->retain_bytes != NULL ? store->retain_bytes : "";
    int code;

    while ((code = db_next(store->writer, SQL_RETAIN_KEYS, &row, error, "ibii", store->retain_time, from, store->retain_length, before,
                           (int64_t)STEP_MOST)) > 0) {
        struct old_key *key = &old[*ret_count];
        *key = (struct old_key){ row_number(row, 0), sqlite3_column_bytes(row, 1), row_number(row, 2), NULL };
        key->bytes = malloc((size_t)key->length + 1);
        if (key->bytes == NULL)
            return error_nomem(error);
        if (key->length != 0)
            memcpy(key->bytes, sqlite3_column_blob(row, 1), (size_t)key->length);
        (*ret_count)++;
    }
    return code;
}

static void remember_key(struct store *store, struct old_key *last)
{
    free(store->retain_bytes);
    store->retain_bytes = last != NULL ? take_pointer(last->bytes) : NULL;
    store->retain_length = last != NULL ? last->length : 0;
    store->retain_time = last != NULL ? last->time : 0;
}

static int retain_keys(struct store *store, struct error *error)
{
    struct old_key old[STEP_MOST];
    size_t count = 0;
    int64_t limit = 0, day = (store->removal.us - store->keep_keys_us) / DAY_US;
    int code = read_key_limit(store, day, &limit, error);

    if (code < 0)
        return code;
    code = list_old_keys(store, old, &count, error);
    for (size_t i = 0; i < count && code == 0; i++)
        if (old[i].event < limit)
            code = db_run(store->writer, SQL_RETAIN_KEY, error, "ib", old[i].time, old[i].bytes, old[i].length);
    if (code == 0)
        remember_key(store, count == STEP_MOST ? &old[count - 1] : NULL);
    if (code == 0 && count < STEP_MOST)
        code = db_run(store->writer, SQL_DAY_TRIM, error, "i", day);
    for (size_t i = 0; i < count; i++)
        free(old[i].bytes);
    return code < 0 ? code : count == STEP_MOST;
}

void retain_start_over(struct store *store)
{
    store->retain_event = 0;
    remember_key(store, NULL);
}

int retain_step(struct store *store, struct error *error)
{
    static int (*const steps[])(struct store *, struct error *) = { retain_events, retain_operations, retain_sign_ins,
                                                                           retain_intents, retain_dropped, retain_keys };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int more = steps[i](store, error);
        if (more != 0)
            return more;
    }
    return 0;
}
