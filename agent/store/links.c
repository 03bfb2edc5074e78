/*
 * Links: identity ↔ account. One live account has one identity.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

void link_clear(struct link *link)
{
    free(link->key);
    free(link->locator);
    free(link->account);
    free(link->member);
    free(link->member_key);
    *link = (struct link){ 0 };
}

int link_from_row(sqlite3_stmt *row, int first, struct link *link)
{
    const struct { int column; char **copy; } texts[] = {
        { 0, &link->key }, { 1, &link->locator }, { 2, &link->account }, { 6, &link->member }, { 7, &link->member_key },
    };

    *link = (struct link){
        .gone = row_number(row, first + 3) != 0, .due.us = row_number(row, first + 4), .linked.us = row_number(row, first + 5),
        .adopted = (enum adoption)row_number(row, first + 8),
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i].copy = str_dup(row_text(row, first + texts[i].column));
        if (row_text(row, first + texts[i].column) != NULL && *texts[i].copy == NULL) {
            link_clear(link);
            return ERROR_NOMEM;
        }
    }
    return 0;
}

/* 1 when another identity has this account, told in *refusal. */
static int find_other_owner(struct store *store, const struct target_row *target, enum identity_kind kind, int64_t lane,
                            const char *id, const struct link *link, struct error *refusal, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_LINK_OWNER, &row, error, "iit", target->number, (int64_t)kind, link->key);

    if (code <= 0 || row_number(row, 0) == lane)
        return code < 0 ? code : 0;
    error_set(refusal, ERROR_EXISTS, "%s: account %s (%s) cannot be linked to %s %s: it is linked to %s (%s) already; unlink or remove "
              "one of the two", target->name, link->locator != NULL ? link->locator : "?", link->key, identity_kind_name(kind), id,
              row_text(row, 1) != NULL ? row_text(row, 1) : "?", row_text(row, 2) != NULL ? row_text(row, 2) : "no name");
    return 1;
}

/* *ret_noted (may be NULL): how many values in groups the person has to get with it. */
int link_write(struct store *store, size_t target, enum identity_kind kind, int64_t identity, const char *id,
               const struct link *link, int *ret_noted, struct error *refusal, struct error *error)
{
    const struct target_row *row = &store->targets[target];
    int64_t lane = lane_key(row->number, identity);
    int code = link->key == NULL || link->gone ? 0 : find_other_owner(store, row, kind, lane, id, link, refusal, error);

    if (code == 0)
        code = db_run(store->writer, SQL_LINK_WRITE, error, "iiitttiiitti", lane, row->number, (int64_t)kind, link->key, link->locator,
                      link->account, (int64_t)link->gone, link->due.us, link->linked.us, link->member, link->member_key,
                      (int64_t)link->adopted);
    if (code != 0 || kind != IDENTITY_USER || link->member == NULL)
        return code;
    int noted = member_rows_note(store, row->number, identity, error);
    if (ret_noted != NULL)
        *ret_noted = noted;
    return noted < 0 ? noted : 0;
}

struct put_call {
    const char *target, *id;
    enum identity_kind kind;
    const struct link *link;
    struct error refusal;
};

static int put_work(struct store *store, void *arg, struct error *error)
{
    struct put_call *call = arg;
    size_t target;
    int code = target_intern(store, call->target, &target, error);
    int64_t identity = code < 0 ? code : identity_intern(store, call->kind, call->id, error);

    if (identity < 0)
        return (int)identity;
    code = link_write(store, target, call->kind, identity, call->id, call->link, NULL, &call->refusal, error);
    bool adopts = code == 0 && call->kind == IDENTITY_GROUP && !call->link->gone;
    return adopts ? member_rows_adopt(store, target, identity, error) : code;
}

int store_put_link(struct store *store, const char *target, enum identity_kind kind, const char *id, const struct link *link,
                   struct error *error)
{
    struct put_call call = { target, id, kind, link, { 0 } };
    int code = store_call(store, put_work, &call, error);

    if (code <= 0)
        return code;
    if (error != NULL)
        *error = call.refusal;
    return ERROR_EXISTS;
}

/* ---- what an administrator says ---- */

struct give_call {
    const char *target, *group, *locator;
};

static int check_free(struct store *store, const struct give_call *call, int64_t lane, struct error *error)
{
    struct link link = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;
    int found = link_read(store->writer, lane, &link, error);
    int code = found <= 0 || link.gone ? found : db_next(store->writer, SQL_LANE_READ, &row, error, "i", lane);
    bool dead = code > 0 && row_number(row, 0) == LANE_STATE_DEAD;

    if (found > 0 && !link.gone && code >= 0 && !dead)
        code = error_set(error, ERROR_EXISTS, "%s: group %s is linked to \"%s\" already; rename or remove one of the two entries",
                         call->target, call->group, link.locator != NULL ? link.locator : "?");
    link_clear(&link);
    return code < 0 ? code : 0;
}

static int give_work(struct store *store, void *arg, struct error *error)
{
    const struct lane_news news = { 0, store->now.us, PRIORITY_TOUCH, LEAVING_UNKNOWN };
    struct give_call *call = arg;
    const struct link link = { .locator = (char *)call->locator, .gone = true, .adopted = ADOPTION_KEPT, .linked = store->now };
    int64_t previous, group = identity_number(store->writer, IDENTITY_GROUP, call->group, error);
    size_t target;
    int code = group < 0 ? (int)group : target_intern(store, call->target, &target, error);

    if (code == 0)
        code = check_free(store, call, lane_key(store->targets[target].number, group), error);
    if (code == 0)
        code = link_write(store, target, IDENTITY_GROUP, group, call->group, &link, NULL, NULL, error);
    return code < 0 ? code : lane_make_ready(store, target, group, &news, &previous, error);
}

int store_give_link(struct store *store, const char *target, const char *group, const char *locator, struct error *error)
{
    struct give_call call = { target, group, locator };

    return store_call(store, give_work, &call, error);
}
