/*
 * Claims: the keys under which operations are sent that must not take place twice.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define KEY_LIFE_US 86400000000LL /* services forget theirs after a day */

struct claim_call {
    const struct claim *claim;
    char *key; /* NULL: the one proposed */
    bool repeated;
};

static int read_claim(struct sqlite_store *store, struct claim_call *call, int64_t lane, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_CLAIM_READ, &row, error, "itt", lane, call->claim->operation, call->claim->digest);

    if (code <= 0 || row_number(row, 1) < store->now.us - KEY_LIFE_US)
        return code < 0 ? code : 0;
    call->key = str_dup(row_text(row, 0));
    return call->key == NULL ? error_nomem(error) : 0;
}

static int was_begun(struct db *db, int64_t lane, const char *operation, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;

    return db_next(db, SQL_CLAIM_BEGUN, &row, error, "it", lane, operation);
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
    free(take_pointer(call->key)); /* of a try that was rolled back */
    int64_t lane = lane_key(store->targets[target].number, identity);
    code = was_begun(store->writer, lane, claim->operation, error);
    call->repeated = code > 0;
    if (code > 0)
        code = read_claim(store, call, lane, error);
    if (code < 0 || call->key != NULL)
        return code;
    return db_run(store->writer, SQL_CLAIM_WRITE, error, "ittti", lane, claim->operation, claim->digest, claim->key, store->now.us);
}

int sqlite_claim(struct store *store, const struct claim *claim, char **ret_key, bool *ret_repeated, struct error *error)
{
    struct claim_call call = { .claim = claim };
    int code = store_call((struct sqlite_store *)store, claim_work, &call, error);
    cleanup_free char *found = call.key;

    if (code < 0)
        return code;
    char *key = found != NULL ? take_pointer(found) : str_dup(claim->key);
    if (key == NULL)
        return error_nomem(error);
    *ret_key = key;
    *ret_repeated = call.repeated;
    return 0;
}

int sqlite_has_claim(struct store *base, const char *target, enum identity_kind kind, const char *id, const char *operation,
                     struct error *error)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    cleanup_reader_give struct reader reader = { store, reader_take(store, error) };

    if (reader.db == NULL)
        return error != NULL ? error->code : ERROR_IO;
    int64_t identity = identity_number(reader.db, kind, id, error);
    if (identity <= 0)
        return (int)identity;
    return was_begun(reader.db, lane_key(target_number(store, target), identity), operation, error);
}

int claims_end(struct sqlite_store *store, int64_t key, const struct completion *completion, struct error *error)
{
    int code = 0;

    if (completion->end == LANE_DONE)
        return db_run(store->writer, SQL_CLAIMS_DELETE, error, "i", key);
    for (size_t i = 0; i < completion->operation_count && code == 0; i++)
        if (completion->operations[i].claim != NULL)
            code = db_run(store->writer, SQL_CLAIM_DELETE, error, "itt", key, completion->operations[i].kind,
                          completion->operations[i].claim);
    return code;
}
