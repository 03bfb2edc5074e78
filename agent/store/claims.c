/*
 * Claims: the keys under which operations are sent that must not take place twice.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define KEY_LIFE_US 86400000000LL /* services forget theirs after a day */

struct claim_call {
    const struct claim *claim;
    struct claim_found found; /* no key: the one proposed */
};

void claim_found_clear(struct claim_found *found)
{
    free(found->key);
    free(found->earlier);
    *found = (struct claim_found){ 0 };
}

static int read_claim(struct sqlite_store *store, struct claim_call *call, int64_t lane, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_CLAIM_READ, &row, error, "itt", lane, call->claim->operation, call->claim->digest);

    if (code <= 0 || row_number(row, 1) < store->now.us - KEY_LIFE_US)
        return code < 0 ? code : 0;
    call->found.key = str_dup(row_text(row, 0));
    return call->found.key == NULL ? error_nomem(error) : 0;
}

static int read_others(struct sqlite_store *store, struct claim_call *call, int64_t lane, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_CLAIM_OTHERS, &row, error, "tit", call->claim->digest, lane, call->claim->operation);

    if (code <= 0)
        return code;
    call->found.repeated = row_number(row, 0) > 0;
    call->found.wait.us = row_number(row, 1);
    call->found.earlier = str_dup(row_text(row, 2));
    return call->found.earlier == NULL ? error_nomem(error) : 0;
}

static int read_sent(struct db *db, int64_t lane, const char *operation, char **ret_sent, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(db, SQL_CLAIMS_SENT, &row, error, "it", lane, operation);

    if (code <= 0)
        return code;
    *ret_sent = str_dup(row_text(row, 0));
    return *ret_sent == NULL ? error_nomem(error) : 0;
}

static int claim_work(struct sqlite_store *store, void *arg, struct error *error)
{
    struct claim_call *call = arg;
    const struct claim *claim = call->claim;
    size_t target;
    int code = target_intern(store, claim->target, &target, error);
    int64_t identity = code < 0 ? code : identity_intern(store, claim->kind, claim->id, error);

    if (identity < 0)
        return (int)identity;
    claim_found_clear(&call->found); /* of a try that was rolled back */
    int64_t lane = lane_key(store->targets[target].number, identity);
    code = read_others(store, call, lane, error);
    if (code >= 0 && call->found.repeated)
        code = read_claim(store, call, lane, error);
    if (code < 0 || call->found.key != NULL)
        return code;
    return db_run(store->writer, SQL_CLAIM_WRITE, error, "itttit", lane, claim->operation, claim->digest, claim->key, store->now.us,
                  claim->sent);
}

int sqlite_claim(struct store *store, const struct claim *claim, struct claim_found *ret_found, struct error *error)
{
    struct claim_call call = { .claim = claim };
    int code = store_call((struct sqlite_store *)store, claim_work, &call, error);

    if (code >= 0 && call.found.key == NULL && (call.found.key = str_dup(claim->key)) == NULL)
        code = error_nomem(error);
    if (code < 0)
        claim_found_clear(&call.found);
    else
        *ret_found = call.found;
    return code < 0 ? code : 0;
}

int sqlite_read_claims(struct store *base, const char *target, enum identity_kind kind, const char *id, const char *operation,
                       char **ret_sent, struct error *error)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    cleanup_reader_give struct reader reader = { store, reader_take(store, error) };

    if (reader.db == NULL)
        return error != NULL ? error->code : ERROR_IO;
    int64_t identity = identity_number(reader.db, kind, id, error);
    if (identity < 0)
        return (int)identity;
    *ret_sent = NULL;
    return identity > 0 ? read_sent(reader.db, lane_key(target_number(store, target), identity), operation, ret_sent, error) : 0;
}

int claims_end(struct sqlite_store *store, int64_t key, const struct completion *completion, struct error *error)
{
    int code = 0;

    if (completion->end == LANE_DONE)
        return db_run(store->writer, SQL_CLAIMS_DELETE, error, "i", key);
    for (size_t i = 0; i < completion->operation_count && code == 0; i++) {
        const struct operation_record *operation = &completion->operations[i];
        if (operation->claim != NULL && operation->claim_wait.us != 0)
            code = db_run(store->writer, SQL_CLAIM_WAIT, error, "iitt", operation->claim_wait.us, key, operation->kind, operation->claim);
        else if (operation->claim != NULL)
            code = db_run(store->writer, SQL_CLAIM_DELETE, error, "itt", key, operation->kind, operation->claim);
    }
    return code;
}
