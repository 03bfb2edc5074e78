/*
 * Intents: operations that a lane has set out to send and whose end is not known (store.h).
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define KEY_LIFE_US 86400000000LL /* services forget theirs after a day */

struct creation_place {
    const char *place; /* NULL: none that we know */
    int64_t target, lane;
};

struct intent_call {
    const struct intent *intent;
    struct intent_found found; /* no key: the one proposed */
    struct error refusal;
};

void intent_found_clear(struct intent_found *found)
{
    free(found->key);
    free(found->earlier);
    *found = (struct intent_found){ 0 };
}

/* A key that is old, or whose answer is known, is not used again. */
static int read_key(struct store *store, struct intent_call *call, int64_t lane, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_INTENT_READ, &row, error, "itt", lane, call->intent->operation, call->intent->digest);

    if (code <= 0 || row_number(row, 1) < store->removal.us - KEY_LIFE_US || row_number(row, 2) != 0)
        return code < 0 ? code : 0;
    call->found.key = str_dup(row_text(row, 0));
    return call->found.key == NULL ? error_nomem(error) : 0;
}

static int read_others(struct store *store, struct intent_call *call, int64_t lane, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_INTENT_OTHERS, &row, error, "tit", call->intent->digest, lane, call->intent->operation);

    if (code <= 0)
        return code;
    call->found.repeated = row_number(row, 0) > 0;
    call->found.wait.us = row_number(row, 1);
    call->found.earlier = str_dup(row_text(row, 2));
    return call->found.earlier == NULL ? error_nomem(error) : 0;
}

/* 1 when another group's entry may just be created there, told in *refusal. */
static int find_creator(struct db *db, const struct creation_place *at, struct error *refusal, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = at->place == NULL ? 0 : db_next(db, SQL_INTENT_CREATOR, &row, error, "tii", at->place, at->target, at->lane);

    if (code > 0)
        error_set(refusal, ERROR_EXISTS, "%s may just have been created for group %s (%s), and the answer to that is not known yet; "
                  "retrying after that group", at->place, row_text(row, 1), row_text(row, 2) != NULL ? row_text(row, 2) : "no name");
    return code;
}

static int write_intent(struct store *store, struct intent_call *call, int64_t lane, struct error *error)
{
    const struct intent *intent = call->intent;
    int code = read_others(store, call, lane, error);

    if (code >= 0 && call->found.repeated)
        code = read_key(store, call, lane, error);
    if (code < 0 || call->found.key != NULL)
        return code;
    return db_run(store->writer, SQL_INTENT_WRITE, error, "itttitti", lane, intent->operation, intent->digest,
                  intent->key != NULL ? intent->key : "", source_time_stamp(store), intent->sent, intent->place, (int64_t)0);
}

static int intend_work(struct store *store, void *arg, struct error *error)
{
    struct intent_call *call = arg;
    const struct intent *intent = call->intent;
    size_t target;
    int code = target_intern(store, intent->target, &target, error);
    int64_t identity = code < 0 ? code : identity_intern(store, intent->kind, intent->id, error);

    if (identity < 0)
        return (int)identity;
    intent_found_clear(&call->found); /* of a try that was rolled back */
    int64_t lane = lane_key(store->targets[target].number, identity);
    code = find_creator(store->writer, &(struct creation_place){ intent->place, store->targets[target].number, lane }, &call->refusal, error);
    if (code == 0)
        code = write_intent(store, call, lane, error);
    return code != 0 ? code : member_rows_change(store, target, intent->kind, identity, intent->members, intent->member_count, error);
}

int store_intend(struct store *store, const struct intent *intent, struct intent_found *ret_found, struct error *error)
{
    struct intent_call call = { .intent = intent };
    int code = store_call(store, intend_work, &call, error);

    if (code > 0) {
        if (error != NULL)
            *error = call.refusal;
        return ERROR_EXISTS;
    }
    if (code == 0 && call.found.key == NULL && intent->key != NULL && (call.found.key = str_dup(intent->key)) == NULL)
        code = error_nomem(error);
    if (code < 0)
        intent_found_clear(&call.found);
    else
        *ret_found = call.found;
    return code;
}

/* ---- with a lease ---- */

static char *names_of(const struct identity *identity)
{
    json_t *names = json_pack("{s:s?, s:s?}", "name", identity->name.value, "login", identity->login.value);
    char *text = names != NULL ? json_dumps(names, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(names);
    return text;
}

int intents_pending(struct store *store, int64_t lane, bool *ret_pending, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_INTENTS_PENDING, &row, error, "i", lane);

    *ret_pending = code > 0;
    return code < 0 ? code : 0;
}

/* At one place only one group's creation is noted; the other one waits (store_intend tells). */
int intent_note(struct store *store, const struct target_row *target, int64_t lane, const struct identity *identity,
                const char *place, int64_t generation, struct error *error)
{
    cleanup_free char *names = names_of(identity);
    const char *group_place = identity->kind == IDENTITY_GROUP ? place : NULL;
    struct error refusal;
    const struct creation_place at = { group_place, target->number, lane };
    int code = names == NULL ? error_nomem(error) : find_creator(store->writer, &at, &refusal, error);

    if (code != 0)
        return code;
    return db_run(store->writer, SQL_INTENT_NOTE, error, "ititti", lane, place, source_time_stamp(store), names, group_place, generation);
}

/* ---- reading ---- */

static int read_sent(struct db *db, int64_t lane, const char *operation, char **ret_sent, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(db, SQL_INTENTS_SENT, &row, error, "it", lane, operation);

    if (code <= 0)
        return code;
    *ret_sent = str_dup(row_text(row, 0));
    return *ret_sent == NULL ? error_nomem(error) : 0;
}

int store_read_intents(struct store *store, const char *target, enum identity_kind kind, const char *id, const char *operation,
                       char **ret_sent, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    int64_t identity = reader_open_about(&reader, store, kind, id, error);

    if (identity < 0)
        return (int)identity;
    *ret_sent = NULL;
    return identity > 0 ? read_sent(reader.db, lane_key(target_number(store, target), identity), operation, ret_sent, error) : 0;
}

int store_check_creator(struct store *store, const char *target, const char *place, const char *but, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    int64_t number = target_number(store, target), group = reader_open_about(&reader, store, IDENTITY_GROUP, but, error);

    if (group < 0)
        return (int)group;
    int code = find_creator(reader.db, &(struct creation_place){ place, number, lane_key(number, group) }, error, error);
    return code > 0 ? ERROR_EXISTS : code;
}

/* ---- the end ---- */

struct forgotten {
    const char *target, *id, *but;
};

static int forget_work(struct store *store, void *arg, struct error *error)
{
    const struct forgotten *what = arg;
    int64_t group = identity_number(store->writer, IDENTITY_GROUP, what->id, error);

    if (group <= 0)
        return (int)group;
    return db_run(store->writer, SQL_INTENTS_FORGET, error, "it", lane_key(target_number(store, what->target), group), what->but);
}

int store_forget_creations(struct store *store, const char *target, const char *id, const char *but, struct error *error)
{
    struct forgotten what = { target, id, but };

    return store_call(store, forget_work, &what, error);
}

static int end_one(struct store *store, int64_t lane, const struct operation_record *operation, struct error *error)
{
    if (operation->intent_wait.us != 0 || operation->intent_answered)
        return db_run(store->writer, SQL_INTENT_WAIT, error, "iiitt", operation->intent_wait.us, (int64_t)operation->intent_answered, lane,
                      operation->kind, operation->intent);
    return db_run(store->writer, SQL_INTENT_DELETE, error, "itt", lane, operation->kind, operation->intent);
}

static bool has_created(const struct completion *completion)
{
    for (size_t i = 0; i < completion->operation_count; i++)
        if (str_equal(completion->operations[i].kind, "create"))
            return true;
    return false;
}

int intents_end(struct store *store, int64_t lane, const struct completion *completion, struct error *error)
{
    int code = 0;

    if (completion->end == LANE_DONE)
        return db_run(store->writer, SQL_INTENTS_DELETE, error, "i", lane);
    if (!has_created(completion)) /* what this lease noted was not sent */
        code = db_run(store->writer, SQL_INTENTS_UNSENT, error, "ii", lane, completion->lease->generation);
    for (size_t i = 0; i < completion->operation_count && code == 0; i++)
        if (completion->operations[i].intent != NULL)
            code = end_one(store, lane, &completion->operations[i], error);
    return code;
}
