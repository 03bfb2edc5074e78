/*
 * Member rows: which values we wrote into which groups, and for whom (store.h).
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

/* ---- rows ---- */

/* How many were missing, or negative. */
int member_rows_note(struct store *store, int64_t target, int64_t user, struct error *error)
{
    int code = db_run(store->writer, SQL_MEMBERS_NOTE, error, "ii", target, user);

    return code < 0 ? code : (int)db_changes(store->writer);
}

/* Makes the lanes of those users of the group ready whom the statement gives; `key` and `user` for SQL_MEMBER_SHARERS only. */
static int touch_users(struct store *store, size_t target, enum sql sql, int64_t group, const char *key, int64_t user,
                       struct error *error)
{
    const struct lane_news news = { 0, store->now.us, PRIORITY_TOUCH, LEAVING_UNKNOWN };
    const char *types = sql == SQL_MEMBER_SHARERS ? "iiti" : "ii";
    cleanup_statement sqlite3_stmt *row = NULL;
    int64_t previous;
    int code;

    while ((code = db_next(store->writer, sql, &row, error, types, store->targets[target].number, group, key, user)) > 0 &&
           (code = lane_make_ready(store, target, row_number(row, 0), &news, &previous, error)) == 0)
        ;
    return code;
}

static int is_shared(struct store *store, int64_t target, int64_t group, const char *key, int64_t user, bool *ret_shared,
                     struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_MEMBER_SHARERS, &row, error, "iiti", target, group, key, user);

    *ret_shared = code > 0;
    return code;
}

/* A group's entry that is being left is free once nothing of what was written into it is there. */
static int end_leaving(struct store *store, int64_t target, int64_t group, struct error *error)
{
    return db_run(store->writer, SQL_LINK_LEFT, error, "ii", target, group);
}

static int change_row(struct store *store, size_t target, int64_t group, int64_t user, const struct member_change *change,
                      struct error *error)
{
    int64_t number = store->targets[target].number;
    bool shared = false;

    if (change->state == MEMBER_HANDED && is_shared(store, number, group, change->key, user, &shared, error) < 0)
        return error != NULL ? error->code : ERROR_IO;
    if (change->state == MEMBER_HANDED && !shared)
        return 0;
    if (change->state != MEMBER_NONE && change->state != MEMBER_HANDED)
        return db_run(store->writer, SQL_MEMBER_PUT, error, "iitiit", number, group, change->key, user, (int64_t)change->state,
                      change->value);
    int code = db_run(store->writer, SQL_MEMBER_DELETE, error, "iiti", number, group, change->key, user);
    if (code == 0)
        code = end_leaving(store, number, group, error);
    /* Users who have the same value look again: it may just have been removed under them. */
    return code < 0 ? code : touch_users(store, target, SQL_MEMBER_SHARERS, group, change->key, user, error);
}

int member_rows_change(struct store *store, size_t target, enum identity_kind kind, int64_t identity,
                       const struct member_change *changes, size_t count, struct error *error)
{
    bool person = kind == IDENTITY_USER;
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++) {
        int64_t other = identity_number(store->writer, person ? IDENTITY_GROUP : IDENTITY_USER, changes[i].other, error);
        if (other < 0)
            return (int)other;
        if (other > 0)
            code = change_row(store, target, person ? other : identity, person ? identity : other, &changes[i], error);
    }
    return code;
}

int member_rows_settle(struct store *store, size_t target, int64_t group, struct error *error)
{
    int code = touch_users(store, target, SQL_MEMBERS_WRONG, group, NULL, 0, error);

    return code < 0 ? code : end_leaving(store, store->targets[target].number, group, error);
}

int member_rows_adopt(struct store *store, size_t target, int64_t group, struct error *error)
{
    return touch_users(store, target, SQL_MEMBERS_HEARD, group, NULL, 0, error);
}

int member_rows_wrong(struct store *store, int64_t target, int64_t user, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;

    return db_next(store->writer, SQL_MEMBER_WRONG, &row, error, "ii", target, user);
}

int member_rows_drop(struct store *store, size_t target, int64_t group, struct error *error)
{
    int code = touch_users(store, target, SQL_MEMBERS_LEAVING, group, NULL, 0, error);

    return code < 0 ? code : db_run(store->writer, SQL_MEMBERS_DROP, error, "ii", store->targets[target].number, group);
}

/* ---- reading ---- */

static int each_row(struct db *db, enum sql sql, int64_t target, int64_t user, const char *key, store_member_row *each, void *arg,
                    struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    const char *types = sql == SQL_MEMBER_ROWS ? "ii" : "iit";
    int code;

    while ((code = db_next(db, sql, &row, error, types, target, user, key)) > 0) {
        const struct member_row member = {
            .group = row_text(row, 0), .key = row_text(row, 1), .value = row_text(row, 2),
            .state = (enum member_state)row_number(row, 3), .heard = sqlite3_column_type(row, 4) != SQLITE_NULL,
            .member = row_number(row, 4) != 0, .shared = row_number(row, 5) != 0, .entry_key = row_text(row, 6),
            .entry_locator = row_text(row, 7), .dead = row_number(row, 8) != 0,
        };
        if (each(arg, &member) < 0)
            return error_nomem(error);
    }
    return code;
}

static int read_rows(struct db *db, int64_t target, int64_t user, const char *key, store_member_row *each, void *arg,
                     struct error *error)
{
    int code = each_row(db, SQL_MEMBER_ROWS, target, user, NULL, each, arg, error);

    return code == 0 ? each_row(db, SQL_MEMBER_FACTS, target, user, key, each, arg, error) : code;
}

int store_read_member_rows(struct store *store, const char *target, const char *user_id, const char *key, store_member_row *each,
                           void *arg, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    int64_t number = target_number(store, target), user = reader_open_about(&reader, store, IDENTITY_USER, user_id, error);

    return user <= 0 || number == 0 ? (int)user : read_rows(reader.db, number, user, key, each, arg, error);
}

int store_has_member_row(struct store *store, const char *target, const char *entry_key, const char *place, const char *key,
                         bool *ret_has, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = reader_open(&reader, store, error);

    if (code == 0)
        code = db_next(reader.db, SQL_MEMBER_WRITTEN, &row, error, "ittt", target_number(store, target), entry_key, place, key);
    if (code >= 0)
        *ret_has = code > 0;
    return code < 0 ? code : 0;
}
