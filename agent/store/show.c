/*
 * One event, identity or operation with all that followed from it.
 */
#include <string.h>

#include "base/str.h"
#include "store/list.h"

#define SHOW_MOST 50

static json_t *operation_json(sqlite3_stmt *row)
{
    json_t *operation = json_object();

    json_put_number(operation, "operation", row_number(row, 0));
    json_put_time(operation, "time", row_number(row, 2));
    json_put_text(operation, "target", row_text(row, 11));
    json_put_text(operation, "action", row_text(row, 3));
    json_put_text(operation, "account", row_text(row, 4));
    json_put_text(operation, "outcome", row_text(row, 5));
    json_put_json(operation, "changes", row_text(row, 6));
    json_put_json(operation, "before", row_text(row, 7));
    if (str_equal(row_text(row, 3), "revoke")) {
        json_put_number(operation, "sessions_found", row_number(row, 8));
        json_put_number(operation, "sessions_ended", row_number(row, 9));
    }
    json_put_text(operation, "note", row_text(row, 10));
    return operation;
}

int operations_json(struct db *db, enum sql sql, int64_t of, int64_t most, json_t **ret_array, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    json_t *array = json_array();
    int code;

    while ((code = db_next(db, sql, &row, error, most != 0 ? "ii" : "i", of, most)) > 0)
        json_array_append_new(array, operation_json(row));
    if (code < 0)
        json_decref(array);
    else
        *ret_array = array;
    return code;
}

/* ---- an event ---- */

/* The event's row, 0 when there is none, negative. */
static int64_t find_event(struct db *db, const char *uuid, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    struct seen_key key;
    bool direct = seen_key_make(uuid, 0, &key);
    int code = direct ? db_next(db, SQL_SEEN_READ, &row, error, "ib", key.time, key.bytes, key.length)
                      : db_next(db, SQL_SEEN_SCAN, &row, error, "b", key.bytes, key.length);

    return code <= 0 ? code : row_number(row, 0);
}

static int show_event(struct db *db, int64_t number, json_t **ret_object, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    json_t *deliveries;
    int code = db_next(db, SQL_EVENT_READ, &row, error, "i", number);

    if (code <= 0)
        return code;
    code = deliveries_json(db, row_number(row, 12), row_number(row, 13), true, &deliveries, error);
    if (code < 0)
        return code;
    json_t *event = event_json(row);
    json_object_set_new(event, "deliveries", deliveries);
    json_put_json(event, "raw", row_text(row, 14));
    *ret_object = event;
    return 1;
}

/* ---- an operation ---- */

static int show_operation(struct db *db, int64_t number, json_t **ret_object, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    json_t *event = NULL;
    int code = db_next(db, SQL_OPERATION_READ, &row, error, "i", number);

    if (code <= 0)
        return code;
    json_t *operation = operation_json(row);
    json_put_identity(operation, (enum identity_kind)row_number(row, 12), row_text(row, 13), row_text(row, 14));
    if (row_number(row, 15) != 0 && show_event(db, row_number(row, 15), &event, error) > 0) {
        json_object_del(event, "raw");
        json_object_set_new(operation, "from", event);
    }
    *ret_object = operation;
    return 1;
}

/* ---- an identity ---- */

static void put_register(json_t *object, const char *key, const struct text_register *text)
{
    if (text->value == NULL)
        return;
    json_t *value = json_object();
    if (key[0] == 'p')
        json_put_json(value, "value", text->value);
    else
        json_put_text(value, "value", text->value);
    json_put_time(value, "as_of", text->as_of.us);
    json_object_set_new(object, key, value);
}

static void put_memberships(json_t *object, const char *key, const struct membership *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();
        json_put_text(row, "id", list[i].id);
        json_put_text(row, "name", list[i].name);
        json_object_set_new(row, "present", json_boolean(list[i].present));
        json_put_time(row, "as_of", list[i].as_of.us);
        json_array_append_new(array, row);
    }
    json_object_set_new(object, key, array);
}

static void put_voids(json_t *object, const struct identity *identity)
{
    json_t *voids = json_object();

    for (int i = 0; i < TRIGGER_COUNT; i++)
        json_put_time(voids, trigger_names[i], identity->sessions_void[i].us);
    if (json_object_size(voids) > 0)
        json_object_set(object, "sessions_void_before", voids);
    json_decref(voids);
}

static json_t *facts_json(const struct identity *identity)
{
    json_t *facts = json_object();

    put_register(facts, "status", &identity->status);
    put_register(facts, "live_status", &identity->live_status);
    put_register(facts, "login", &identity->login);
    put_register(facts, "name", &identity->name);
    put_register(facts, "profile", &identity->profile_text);
    put_voids(facts, identity);
    json_put_time(facts, "signed_out_before", identity->signed_out_before.us);
    if (identity->exists_as_of.us != 0) {
        json_object_set_new(facts, "exists", json_boolean(identity->exists));
        json_put_time(facts, "exists_as_of", identity->exists_as_of.us);
    }
    if (identity->kind == IDENTITY_USER) {
        put_memberships(facts, "groups", identity->groups, identity->group_count);
        put_memberships(facts, "apps", identity->apps, identity->app_count);
        if (identity->sign_in_count > 0)
            put_memberships(facts, "sign_ins", identity->sign_ins, identity->sign_in_count);
    }
    return facts;
}

static int links_json(struct db *db, int64_t number, json_t *object, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    json_t *array = json_array();
    int code;

    while ((code = db_next(db, SQL_LINKS_OF_IDENTITY, &row, error, "i", number)) > 0) {
        json_t *link = json_object();
        json_put_text(link, "target", row_text(row, 0));
        json_put_text(link, "key", row_text(row, 1));
        json_put_text(link, "account", row_text(row, 2));
        json_put_json(link, "values", row_text(row, 3));
        json_object_set_new(link, "gone", json_boolean(row_number(row, 4) != 0));
        json_put_time(link, "due", row_number(row, 5));
        json_put_time(link, "linked", row_number(row, 6));
        json_array_append_new(array, link);
    }
    json_object_set_new(object, "links", array);
    return code;
}

/* Work for the identity that somebody gave up. */
static int dropped_json(struct db *db, int64_t number, json_t *object, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    json_t *array = json_array();
    int code;

    while ((code = db_next(db, SQL_DROPPED_OF_IDENTITY, &row, error, "i", number)) > 0) {
        json_t *lane = lane_json(row);
        json_put_text(lane, "dropped_by", row_text(row, 20));
        json_array_append_new(array, lane);
    }
    if (json_array_size(array) > 0)
        json_object_set(object, "dropped", array);
    json_decref(array);
    return code;
}

/* Work that is pending for the identity, in every target. */
static int lanes_json(struct store *store, struct db *db, int64_t number, json_t *object, struct error *error)
{
    json_t *array = json_array();
    int code = 0;

    json_object_set_new(object, "lanes", array);
    for (size_t i = 0; code >= 0; i++) {
        cleanup_statement sqlite3_stmt *row = NULL;
        pthread_mutex_lock(&store->lock);
        int64_t target = i < store->target_count ? store->targets[i].number : 0;
        pthread_mutex_unlock(&store->lock);
        if (target == 0)
            break;
        code = db_next(db, SQL_LANE_DETAIL, &row, error, "i", lane_key(target, number));
        if (code > 0)
            json_array_append_new(array, lane_json(row));
    }
    return code < 0 ? code : 0;
}

int identity_trail(struct db *db, enum identity_kind kind, const char *id, int64_t *ret_number, int64_t *ret_last, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(db, SQL_IDENTITY_READ, &row, error, "ti", id, (int64_t)kind);

    if (code <= 0)
        return code;
    *ret_number = row_number(row, 0);
    *ret_last = row_number(row, 1);
    return 1;
}

static int put_history(struct store *store, struct db *db, const struct identity *identity, json_t *object, struct error *error)
{
    const struct store_filter filter = { .most = SHOW_MOST };
    json_t *events = json_array(), *operations;
    int64_t number = 0, last = 0;

    json_object_set_new(object, "events", events);
    int code = identity_trail(db, identity->kind, identity->id, &number, &last, error);
    if (code > 0)
        code = links_json(db, number, object, error);
    if (code == 0)
        code = lanes_json(store, db, number, object, error);
    if (code == 0)
        code = dropped_json(db, number, object, error);
    if (code == 0)
        code = operations_json(db, SQL_OPERATIONS_OF_IDENTITY, number, SHOW_MOST, &operations, error);
    if (code < 0)
        return code;
    json_object_set_new(object, "operations", operations);
    return events_of_identity(db, last, &filter, events, error);
}

static int show_identity(struct store *store, const char *word, json_t **ret_object, struct error *error)
{
    enum identity_kind kind;
    cleanup_free char *id = NULL;
    struct identity identity;
    int code = store_find_identity(store, word, &kind, &id, error);

    if (code == 0)
        code = store_read_identity(store, kind, id, &identity, error);
    if (code < 0)
        return code;
    json_t *object = json_object();
    json_put_identity(object, kind, id, identity.login.value != NULL ? identity.login.value : identity.name.value);
    json_object_set_new(object, "facts", facts_json(&identity));
    {
        cleanup_reader_give struct reader reader = { 0 };
        code = reader_open(&reader, store, error);
        if (code == 0)
            code = put_history(store, reader.db, &identity, object, error);
    }
    identity_clear(&identity);
    if (code < 0)
        json_decref(object);
    else
        *ret_object = object;
    return code;
}

int store_show(struct store *store, const char *id, json_t **ret_object, struct error *error)
{
    long long number;
    int64_t event = 0;
    int code;
    {
        cleanup_reader_give struct reader reader = { 0 };
        code = reader_open(&reader, store, error);
        if (code == 0 && str_to_int64(id, &number))
            code = show_operation(reader.db, number, ret_object, error);
        else if (code == 0 && (event = find_event(reader.db, id, error)) != 0)
            code = event < 0 ? (int)event : show_event(reader.db, event, ret_object, error);
    }
    if (code != 0)
        return code < 0 ? code : 0;
    code = show_identity(store, id, ret_object, error);
    if (code == ERROR_NOTFOUND)
        error_set(error, code, "\"%s\" is no event's uuid, no id, login or name of a user or group, and no operation's number", id);
    return code;
}
