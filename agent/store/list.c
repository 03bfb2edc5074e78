/*
 * Rows for people: events, dead lanes, quarantine, as JSON.
 */
#include "store/list.h"

#include <string.h>

#include "base/str.h"

#define LIST_DEFAULT 100
#define LIST_STEP 500 /* rows looked at with one statement: a filter must not hold the log back */

void json_put_text(json_t *object, const char *key, const char *text)
{
    if (text == NULL)
        return;
    json_t *value = json_string(text);
    if (value == NULL) { /* no UTF-8: keep what can be shown */
        cleanup_buf struct buf clean = { 0 };
        for (const char *c = text; *c != '\0'; c++)
            buf_add_char(&clean, (*c & 0x80) != 0 ? '?' : *c);
        value = json_string(clean.bytes);
    }
    json_object_set_new(object, key, value);
}

void json_put_number(json_t *object, const char *key, int64_t number)
{
    json_object_set_new(object, key, json_integer(number));
}

void json_put_time(json_t *object, const char *key, int64_t us)
{
    char text[WALL_TEXT_BYTES];

    if (us == 0)
        return;
    wall_format((struct wall){ us }, text);
    json_put_text(object, key, text);
}

/* JSON text as JSON, or as text where it is none. */
void json_put_json(json_t *object, const char *key, const char *text)
{
    json_t *value = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    if (value != NULL)
        json_object_set_new(object, key, value);
    else
        json_put_text(object, key, text);
}

void json_put_identity(json_t *object, enum identity_kind kind, const char *id, const char *name)
{
    json_put_text(object, identity_kind_name(kind), name != NULL ? name : id);
    json_put_text(object, "id", id);
}

json_t *event_json(sqlite3_stmt *row)
{
    json_t *event = json_object();

    json_put_number(event, "row", row_number(row, 0));
    json_put_time(event, "time", row_number(row, 1));
    json_put_time(event, "published", row_number(row, 2));
    json_put_text(event, "event", row_text(row, 3));
    json_put_text(event, "type", row_text(row, 4));
    json_put_text(event, "result", row_text(row, 5));
    json_put_text(event, "effect", event_effect_name((enum event_effect)row_number(row, 6)));
    json_put_text(event, "actor", row_text(row, 7));
    if (row_text(row, 9) != NULL)
        json_put_identity(event, (enum identity_kind)row_number(row, 8), row_text(row, 9), row_text(row, 10));
    return event;
}

/* A pending delivery has no outcome yet: its lane's state says where it is. */
static json_t *delivery_json(sqlite3_stmt *row)
{
    json_t *delivery = json_object();
    bool pending = row_text(row, 6) == NULL;
    int64_t state = row_number(row, 10);

    json_put_text(delivery, "target", row_text(row, 1));
    json_put_identity(delivery, (enum identity_kind)row_number(row, 2), row_text(row, 3), row_text(row, 4));
    if (pending && sqlite3_column_type(row, 10) != SQLITE_NULL && state >= 0 && state < LANE_STATE_COUNT) {
        json_put_text(delivery, "outcome", lane_state_names[state]);
        json_put_text(delivery, "reason", row_text(row, 11));
        json_put_number(delivery, "attempt", row_number(row, 13));
        if (state == LANE_STATE_WAITING)
            json_put_time(delivery, "retry_at", row_number(row, 12));
        return delivery;
    }
    json_put_text(delivery, "outcome", pending ? "ready" : row_text(row, 6));
    json_put_time(delivery, "done", row_number(row, 5));
    json_put_text(delivery, "action", row_text(row, 7));
    json_put_text(delivery, "reason", row_text(row, 8));
    json_put_number(delivery, "attempt", row_number(row, 9));
    return delivery;
}

int deliveries_json(struct db *db, int64_t first, int64_t count, bool with_operations, json_t **ret_array, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    json_t *array = json_array();
    int code = 0;

    while (count > 0 && (code = db_next(db, SQL_DELIVERIES_OF_EVENT, &row, error, "ii", first, first + count - 1)) > 0) {
        json_t *delivery = delivery_json(row);
        json_t *operations = NULL;
        if (with_operations && operations_json(db, SQL_OPERATIONS_OF_DELIVERY, row_number(row, 0), 0, &operations, NULL) == 0)
            json_object_set_new(delivery, "operations", operations);
        json_array_append_new(array, delivery);
    }
    if (code < 0)
        json_decref(array);
    else
        *ret_array = array;
    return code < 0 ? code : 0;
}

/* ---- events ---- */

struct event_walk {
    struct db *db;
    const struct store_filter *filter;
    size_t most;
    json_t *array;
    int64_t next; /* row to go on before, or (chain) to go on with; 0: the end */
};

static bool wanted_delivery(const json_t *delivery, const struct store_filter *filter)
{
    const char *target = json_string_value(json_object_get(delivery, "target"));
    const char *outcome = json_string_value(json_object_get(delivery, "outcome"));

    return (filter->target == NULL || str_equal(target, filter->target)) && (filter->outcome == NULL || str_equal(outcome, filter->outcome));
}

static bool wanted_event(const json_t *event, const struct store_filter *filter)
{
    const json_t *deliveries = json_object_get(event, "deliveries");
    size_t i;
    json_t *delivery;

    if (filter->type != NULL && !str_equal(json_string_value(json_object_get(event, "type")), filter->type))
        return false;
    if (filter->target == NULL && (filter->outcome == NULL || str_equal(json_string_value(json_object_get(event, "effect")), filter->outcome)))
        return true;
    json_array_foreach(deliveries, i, delivery)
        if (wanted_delivery(delivery, filter))
            return true;
    return false;
}

static int add_event(struct event_walk *walk, sqlite3_stmt *row, struct error *error)
{
    const char *type = row_text(row, 4);
    json_t *deliveries = NULL;

    if (walk->filter->type != NULL && !str_equal(type, walk->filter->type))
        return 0;
    json_t *event = event_json(row);
    int code = deliveries_json(walk->db, row_number(row, 12), row_number(row, 13), false, &deliveries, error);
    if (code == 0) {
        json_object_set_new(event, "deliveries", deliveries);
        if (wanted_event(event, walk->filter))
            json_array_append(walk->array, event);
    }
    json_decref(event);
    return code;
}

/* All events, newest first: one step. */
static int walk_rows(struct event_walk *walk, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int64_t seen = 0;
    int code;

    while (json_array_size(walk->array) < walk->most &&
           (code = db_next(walk->db, SQL_EVENTS_BEFORE, &row, error, "ii", walk->next, (int64_t)LIST_STEP)) > 0) {
        seen++;
        walk->next = row_number(row, 0);
        code = add_event(walk, row, error);
        if (code < 0)
            return code;
    }
    if (seen < LIST_STEP && json_array_size(walk->array) < walk->most)
        walk->next = 0;
    return 0;
}

/* The events about one identity: along the chain. */
static int walk_chain(struct event_walk *walk, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(walk->db, SQL_EVENT_READ, &row, error, "i", walk->next);

    if (code <= 0) { /* the rest is past retention */
        walk->next = 0;
        return code;
    }
    int64_t before = walk->filter->before_row;
    walk->next = row_number(row, 11);
    return before != 0 && row_number(row, 0) >= before ? 0 : add_event(walk, row, error);
}

int events_of_identity(struct db *db, int64_t last_event, const struct store_filter *filter, json_t *array, struct error *error)
{
    struct event_walk walk = { db, filter, filter->most != 0 ? filter->most : LIST_DEFAULT, array, last_event };
    int code = 0;

    while (code >= 0 && walk.next != 0 && json_array_size(array) < walk.most)
        code = walk_chain(&walk, error);
    return code < 0 ? code : 0;
}

static int list_all(struct store *store, const struct store_filter *filter, json_t *array, struct error *error)
{
    struct event_walk walk = { NULL, filter, filter->most != 0 ? filter->most : LIST_DEFAULT, array,
                               filter->before_row != 0 ? filter->before_row : INT64_MAX };
    int code = 0;

    while (code == 0 && walk.next != 0 && json_array_size(array) < walk.most) {
        cleanup_reader_give struct reader reader = { 0 };
        code = reader_open(&reader, store, error);
        walk.db = reader.db;
        if (code == 0)
            code = walk_rows(&walk, error);
    }
    return code;
}

static int list_of_user(struct store *store, const struct store_filter *filter, json_t *array, struct error *error)
{
    enum identity_kind kind;
    cleanup_free char *id = NULL;
    int64_t number, last = 0;
    int code = store_find_identity(store, filter->user, &kind, &id, error);

    if (code < 0)
        return code == ERROR_NOTFOUND ? 0 : code;
    cleanup_reader_give struct reader reader = { 0 };
    code = reader_open(&reader, store, error);
    if (code == 0)
        code = identity_trail(reader.db, kind, id, &number, &last, error);
    return code < 0 ? code : events_of_identity(reader.db, last, filter, array, error);
}

static int give_array(int code, json_t *array, json_t **ret_array)
{
    if (code < 0)
        json_decref(array);
    else
        *ret_array = array;
    return code < 0 ? code : 0;
}

/* The array goes to give_array, whatever the code. */
static int open_list(struct reader *reader, struct store *store, json_t **ret_array, struct error *error)
{
    int code = reader_open(reader, store, error);

    *ret_array = json_array();
    return code < 0 || *ret_array != NULL ? code : error_nomem(error);
}

int store_list_events(struct store *store, const struct store_filter *filter, json_t **ret_array, struct error *error)
{
    static const struct store_filter everything;
    json_t *array = json_array();

    if (filter == NULL)
        filter = &everything;
    if (array == NULL)
        return error_nomem(error);
    return give_array(filter->user != NULL ? list_of_user(store, filter, array, error) : list_all(store, filter, array, error), array,
                      ret_array);
}

/* ---- lanes ---- */

json_t *lane_json(sqlite3_stmt *row)
{
    json_t *lane = json_object();
    int64_t state = row_number(row, 5);

    json_put_number(lane, "row", row_number(row, 0));
    json_put_time(lane, "time", row_number(row, 6));
    json_put_text(lane, "target", row_text(row, 1));
    json_put_identity(lane, (enum identity_kind)row_number(row, 2), row_text(row, 3), row_text(row, 4));
    json_put_text(lane, "state", state >= 0 && state < LANE_STATE_COUNT ? lane_state_names[state] : "dropped");
    json_put_number(lane, "attempt", row_number(row, 7));
    json_put_number(lane, "deliveries", row_number(row, 8));
    json_put_text(lane, "outcome", row_text(row, 9));
    json_put_text(lane, "action", row_text(row, 10));
    json_put_text(lane, "reason", row_text(row, 11));
    json_put_text(lane, "step", row_text(row, 16));
    json_put_text(lane, "event", row_text(row, 13));
    json_put_text(lane, "type", row_text(row, 14));
    if (row_number(row, 15) != 0) {
        json_put_text(lane, "leaver", "not_out");
        json_put_time(lane, "leaver_since", row_number(row, 15));
    }
    return lane;
}

/* Since when it waits: since access had to end, or since the oldest event of it came, or it failed first, or was made ready. */
static int64_t waits_since(sqlite3_stmt *row)
{
    static const int columns[] = { 15, 18, 17, 19 };
    int64_t since = 0;

    for (size_t i = 0; since == 0 && i < sizeof(columns) / sizeof(columns[0]); i++)
        since = row_number(row, columns[i]);
    return since;
}

static json_t *waiting_json(sqlite3_stmt *row)
{
    json_t *lane = lane_json(row);

    json_put_time(lane, "since", waits_since(row));
    json_put_time(lane, "failing_since", row_number(row, 17));
    if (row_number(row, 5) == LANE_STATE_WAITING)
        json_put_time(lane, "retry_at", row_number(row, 6));
    return lane;
}

static bool wanted_lane(sqlite3_stmt *row, const struct store_filter *filter)
{
    if (filter->user != NULL && !str_equal(row_text(row, 3), filter->user) && !str_equal(row_text(row, 4), filter->user))
        return false;
    return (filter->type == NULL || str_equal(row_text(row, 14), filter->type)) &&
           (filter->outcome == NULL || str_equal(row_text(row, 9), filter->outcome));
}

/* Appends rows of one target until the array has `most`. */
static int add_waiting(struct db *db, enum sql sql, int64_t target, size_t most, json_t *array, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    size_t there = json_array_size(array);
    int code = 0;

    while (there < most && (code = db_next(db, sql, &row, error, "ii", target, (int64_t)(most - there))) > 0)
        json_array_append_new(array, waiting_json(row));
    return code;
}

int store_list_waiting(struct store *store, const char *target, enum waiting waiting, size_t most, json_t **ret_array,
                       struct error *error)
{
    static const enum sql lists[][2] = {
        [WAITING_ALL] = { SQL_LEAVERS, SQL_WAITING }, [WAITING_LEAVERS] = { SQL_LEAVERS, SQL_COUNT },
        [WAITING_DROPPED] = { SQL_DROPPED_LEAVERS, SQL_COUNT }, [WAITING_FAILING] = { SQL_FAILING, SQL_COUNT },
    };
    cleanup_reader_give struct reader reader = { 0 };
    int64_t number = target_number(store, target);
    json_t *array;
    int code = open_list(&reader, store, &array, error);

    for (size_t i = 0; code == 0 && i < 2 && lists[waiting][i] != SQL_COUNT; i++)
        code = add_waiting(reader.db, lists[waiting][i], number, most, array, error);
    return give_array(code, array, ret_array);
}

/* One target's dead lanes, newest first; `before` as in the filter. */
static int list_dead_of(struct db *db, int64_t target, const struct store_filter *filter, size_t most, json_t *array, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    bool reached = filter->before_row == 0;
    int code = 0;

    while (json_array_size(array) < most &&
           (code = db_next(db, SQL_DEAD_BEFORE, &row, error, "iiii", target, (int64_t)INT64_MAX, (int64_t)INT64_MAX, (int64_t)-1)) > 0) {
        if (reached && wanted_lane(row, filter))
            json_array_append_new(array, lane_json(row));
        reached |= row_number(row, 0) == filter->before_row;
    }
    return code < 0 ? code : 0;
}

int store_list_dead(struct store *store, const struct store_filter *filter, json_t **ret_array, struct error *error)
{
    static const struct store_filter everything;
    cleanup_reader_give struct reader reader = { 0 };
    json_t *array;
    int code = open_list(&reader, store, &array, error);

    filter = filter != NULL ? filter : &everything;
    for (size_t i = 0; code == 0; i++) {
        pthread_mutex_lock(&store->lock);
        bool end = i >= store->target_count;
        int64_t number = end ? 0 : store->targets[i].number;
        bool wanted = !end && (filter->target == NULL || strcmp(filter->target, store->targets[i].name) == 0);
        pthread_mutex_unlock(&store->lock);
        if (end)
            break;
        if (wanted && (filter->before_row == 0 || filter->before_row >> LANE_IDENTITY_BITS <= number)) {
            struct store_filter here = *filter; /* the row to go on from is one target's */
            if (filter->before_row >> LANE_IDENTITY_BITS != number)
                here.before_row = 0;
            code = list_dead_of(reader.db, number, &here, filter->most != 0 ? filter->most : LIST_DEFAULT, array, error);
        }
    }
    return give_array(code, array, ret_array);
}

int store_list_quarantine(struct store *store, size_t most, json_t **ret_array, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;
    json_t *array;
    int code = open_list(&reader, store, &array, error);

    while (code >= 0 &&
           (code = db_next(reader.db, SQL_QUARANTINE_LIST, &row, error, "i", (int64_t)(most != 0 ? most : LIST_DEFAULT))) > 0) {
        json_t *body = json_object();
        json_put_number(body, "row", row_number(row, 0));
        json_put_time(body, "time", row_number(row, 1));
        json_put_text(body, "peer", row_text(row, 2));
        json_put_text(body, "reason", row_text(row, 3));
        json_put_number(body, "bytes", row_number(row, 4));
        json_put_text(body, "body", row_text(row, 5));
        json_array_append_new(array, body);
    }
    return give_array(code, array, ret_array);
}
