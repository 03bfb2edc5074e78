/* sql_sweep.c: whose rows are whose, page by page, and their end. */
#include <stdlib.h>
#include <string.h>

#include "connectors/session/match.h"
#include "connectors/session/pace.h"
#include "connectors/session/sql_select.h"
#include "connectors/session/sql_store.h"

/* ---- lookup: the name → what stands in the sessions ---- */

#define LOOKUP_MOST 16 /* ids of one name: more is a query that does not ask for it */
#define USERS_MOST 128

struct users {
    char *list[USERS_MOST + 1];
    size_t count, most;
    bool many;
};

static void users_clear(struct users *users)
{
    for (size_t i = 0; i < users->count; i++)
        free(users->list[i]);
    *users = (struct users){ 0 };
}

static int take_user(const struct sql_value *cells, void *arg)
{
    struct users *users = arg;

    users->many = users->many || users->count == users->most;
    if (users->many || cells[0].bytes == NULL || cells[0].length == 0)
        return 0;
    users->list[users->count] = strndup(cells[0].bytes, cells[0].length);
    return users->list[users->count] == NULL ? ERROR_NOMEM : (users->count++, 0);
}

static enum outcome look_up_one(struct session_store *store, const char *lookup, const char *name, struct users *users,
                                struct receipt *receipt)
{
    cleanup_statement struct sql_statement statement = { .driver = store->driver };

    users->most = users->count + LOOKUP_MOST < USERS_MOST ? users->count + LOOKUP_MOST : USERS_MOST;
    sql_add_lookup(&statement, lookup, name);
    enum outcome outcome = sql_run(store, &statement, take_user, users, NULL, receipt);
    if (outcome == OUTCOME_APPLIED && users->many)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "lookup gives more than %d ids for \"%s\"; it has to ask for that person's alone (… = $1)",
                           LOOKUP_MOST, name);
    return outcome;
}

/* In a transaction that cannot write: the query is the administrator's, the rights are ours. */
static enum outcome look_up(struct session_store *store, const struct session_query *query, struct users *users,
                            struct receipt *receipt)
{
    struct receipt ignored = { 0 };
    enum outcome outcome = sql_run_text(store, store->driver->read_only, receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    for (size_t i = 0; outcome == OUTCOME_APPLIED && query->users[i] != NULL; i++)
        outcome = look_up_one(store, query->layout->lookup, query->users[i], users, receipt);
    if (store->failure.lost || store->failure.silent)
        return outcome;
    struct sql_failure failure = store->failure;
    enum outcome end = sql_run_text(store, store->driver->read_only_end, outcome == OUTCOME_APPLIED ? receipt : &ignored);
    receipt_clear(&ignored);
    if (outcome != OUTCOME_APPLIED && !store->failure.lost)
        store->failure = failure;
    return outcome == OUTCOME_APPLIED ? end : outcome;
}

/* ---- a page of the table ---- */

struct page {
    const struct session_store *store;
    const struct session_query *query; /* its users are those of the lookup */
    struct sweep *sweep;
    struct sql_key *ends; /* keys of the sessions to end */
    size_t end_count;
    struct sql_key *larges; /* keys of those that are larger than value_size_max */
    size_t large_count;
    struct sql_key last; /* of the last row */
    size_t rows;
};

static void key_clear(struct sql_key *key)
{
    free(key->bytes);
    *key = (struct sql_key){ 0 };
}

static int key_copy(const struct sql_value *cell, struct sql_key *ret_key)
{
    char *bytes = malloc(cell->length + 1);

    if (bytes == NULL)
        return ERROR_NOMEM;
    if (cell->length > 0)
        memcpy(bytes, cell->bytes, cell->length);
    bytes[cell->length] = '\0';
    key_clear(ret_key);
    *ret_key = (struct sql_key){ bytes, cell->length, cell->binary };
    return 0;
}

static void page_reset(struct page *page)
{
    for (size_t i = 0; i < page->end_count; i++)
        key_clear(&page->ends[i]);
    for (size_t i = 0; i < page->large_count; i++)
        key_clear(&page->larges[i]);
    page->end_count = page->large_count = page->rows = 0;
}

static bool is_large(const struct sql_value *cells)
{
    long long bytes = 0;

    return cells[CELL_VALUE].bytes == NULL && cells[CELL_BYTES].bytes != NULL && str_to_int64(cells[CELL_BYTES].bytes, &bytes) && bytes > 0;
}

/* Is the row theirs? The server compares loosely ('12abc' = 12, 'Ann' = 'ann'), so this decides, not WHERE. */
static enum match match_row(const struct page *page, const struct sql_value *value, int64_t *ret_created_us)
{
    const struct layout *layout = page->query->layout;

    if (value->bytes == NULL)
        return MATCH_OTHER;
    if (layout->user_column != NULL)
        return match_name(layout, page->query->users, value->bytes, value->length);
    return look_at_value(layout, page->query->users, value->bytes, value->length, ret_created_us);
}

/* A session of theirs: to be ended, or left. */
static int take_theirs(struct page *page, const struct sql_value *key, int64_t created_us)
{
    page->sweep->found++;
    if (!session_is_void(page->query, created_us)) {
        page->sweep->kept++;
        return 0;
    }
    return key_copy(key, &page->ends[page->end_count]) < 0 ? ERROR_NOMEM : (page->end_count++, 0);
}

static int take_row(const struct sql_value *cells, void *arg)
{
    struct page *page = arg;
    const struct sql_value *created = &cells[CELL_CREATED];
    int64_t created_us = 0;

    page->rows++;
    if (key_copy(&cells[CELL_KEY], &page->last) < 0)
        return ERROR_NOMEM;
    if (is_large(cells)) /* it is looked through when the page is done: one statement at a time */
        return key_copy(&cells[CELL_KEY], &page->larges[page->large_count]) < 0 ? ERROR_NOMEM : (page->large_count++, 0);
    enum match match = match_row(page, &cells[CELL_VALUE], &created_us);
    sweep_unsure(page->sweep, match, page->query->layout, cells[CELL_KEY].bytes, cells[CELL_KEY].length);
    if (match != MATCH_THEIRS)
        return 0;
    if (created->bytes != NULL)
        created_us = match_time(page->query->layout->created_unit, created->bytes, created->length);
    return take_theirs(page, &cells[CELL_KEY], created_us);
}

/* ---- the statements ---- */

static void add_select(struct sql_statement *statement, const struct page *page, const struct session_settings *settings)
{
    const struct layout *layout = page->query->layout;

    sql_add_columns(statement, layout, settings);
    sql_add(statement, " WHERE ");
    if (layout->user_column != NULL)
        sql_add_one_of_users(statement, layout, page->query->users);
    else if (layout->expires_column != NULL)
        sql_add_unexpired(statement, layout, page->query->before_us);
    else
        sql_add(statement, "1 = 1");
    if (page->last.bytes != NULL) {
        sql_add(statement, " AND ");
        sql_add_name(statement, layout->key_column);
        sql_add(statement, " > ");
        sql_add_value(statement, page->last.bytes, page->last.length, page->last.binary);
    }
    sql_add(statement, " ORDER BY ");
    sql_add_name(statement, layout->key_column);
    sql_addf(statement, " LIMIT %lld", (long long)settings->step_entries);
}

#define DELETE_MOST 200 /* rows locked at once */

static enum outcome delete_some(struct session_store *store, const struct layout *layout, const struct sql_key *keys, size_t count,
                                int64_t *ended, struct receipt *receipt)
{
    cleanup_statement struct sql_statement statement = { .driver = store->driver };
    int64_t changed = 0;

    sql_add(&statement, "DELETE FROM ");
    sql_add_name(&statement, layout->table);
    sql_add(&statement, " WHERE ");
    sql_add_name(&statement, layout->key_column);
    for (size_t i = 0; i < count; i++) {
        sql_add(&statement, i == 0 ? " IN (" : ", ");
        sql_add_value(&statement, keys[i].bytes, keys[i].length, keys[i].binary);
    }
    sql_add(&statement, ")");
    enum outcome outcome = sql_run(store, &statement, NULL, NULL, &changed, receipt);
    if (outcome == OUTCOME_APPLIED)
        *ended += changed;
    return outcome;
}

/* The cache goes first: were it to fail after the rows, nobody would find these sessions again. And last, because a
 * request in between may have filled it from the row. */
static enum outcome end_page(struct session_store *store, const struct page *page, struct receipt *receipt)
{
    const struct layout *layout = page->query->layout;
    enum outcome outcome = sql_cache_forget(store, layout, page->ends, page->end_count, receipt);

    for (size_t at = 0; outcome == OUTCOME_APPLIED && at < page->end_count; at += DELETE_MOST) {
        size_t count = page->end_count - at < DELETE_MOST ? page->end_count - at : DELETE_MOST;
        outcome = delete_some(store, layout, page->ends + at, count, &page->sweep->ended, receipt);
    }
    if (outcome == OUTCOME_APPLIED)
        outcome = sql_cache_forget(store, layout, page->ends, page->end_count, receipt);
    return outcome;
}

/* ---- values that are larger than value_size_max ---- */

struct part {
    struct look *look;
    int64_t created_us;
    int created_unit;
    size_t length; /* of the last part */
    bool there;
};

static int take_part(const struct sql_value *cells, void *arg)
{
    struct part *part = arg;

    part->there = true;
    part->length = cells[0].bytes != NULL ? cells[0].length : 0;
    look_piece(part->look, cells[0].bytes != NULL ? cells[0].bytes : "", part->length);
    if (cells[1].bytes != NULL)
        part->created_us = match_time(part->created_unit, cells[1].bytes, cells[1].length);
    return 0;
}

static enum outcome read_part(struct session_store *store, const struct layout *layout, const struct sql_key *key, int64_t from,
                              struct part *part, struct receipt *receipt)
{
    cleanup_statement struct sql_statement name = { .driver = store->driver }, statement = { .driver = store->driver };

    sql_add_name(&name, layout->value_column);
    sql_add(&statement, "SELECT ");
    sql_addf(&statement, store->driver->part_of, name.text.bytes != NULL ? name.text.bytes : "", (long long)from,
             (long long)store->settings->value_bytes_most);
    sql_add(&statement, ", ");
    sql_add_name_or_null(&statement, layout->created_column);
    sql_add(&statement, " FROM ");
    sql_add_name(&statement, layout->table);
    sql_add(&statement, " WHERE ");
    sql_add_name(&statement, layout->key_column);
    sql_add(&statement, " = ");
    sql_add_value(&statement, key->bytes, key->length, key->binary);
    return sql_run(store, &statement, take_part, part, NULL, receipt);
}

static enum outcome read_parts(struct session_store *store, const struct layout *layout, const struct sql_key *key, struct part *part,
                               struct receipt *receipt)
{
    int64_t most = store->settings->value_bytes_most, from = 1;
    enum outcome outcome;

    do {
        struct mono start = clock_mono(clock_system());
        outcome = read_part(store, layout, key, from, part, receipt);
        from += most;
        pace_rest(store->settings, clock_mono(clock_system()).us - start.us);
    } while (outcome == OUTCOME_APPLIED && part->length == (size_t)most);
    return outcome;
}

/* A row that is gone meanwhile is nobody's. */
static enum outcome look_through(struct session_store *store, struct page *page, const struct sql_key *key, struct receipt *receipt)
{
    const struct layout *layout = page->query->layout;
    struct part part = { .look = look_begin(layout), .created_unit = layout->created_unit };
    const struct sql_value cell = { key->bytes, key->length, key->binary };
    enum outcome outcome = receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");

    if (part.look != NULL && look_for(part.look, page->query->users))
        outcome = read_parts(store, layout, key, &part, receipt);
    if (outcome == OUTCOME_APPLIED && part.there) {
        enum match match = look_end(part.look, 0);
        sweep_unsure(page->sweep, match, layout, key->bytes, key->length);
        if (match == MATCH_THEIRS && take_theirs(page, &cell, part.created_us) < 0)
            outcome = receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    look_free(part.look);
    return outcome;
}

static enum outcome look_through_larges(struct session_store *store, struct page *page, struct receipt *receipt)
{
    enum outcome outcome = OUTCOME_APPLIED;

    for (size_t i = 0; outcome == OUTCOME_APPLIED && i < page->large_count; i++)
        outcome = look_through(store, page, &page->larges[i], receipt);
    return outcome;
}

/* ---- the sweep ---- */

static enum outcome read_page(struct session_store *store, struct page *page, struct receipt *receipt)
{
    cleanup_statement struct sql_statement statement = { .driver = store->driver };

    page_reset(page);
    add_select(&statement, page, store->settings);
    return sql_run(store, &statement, take_row, page, NULL, receipt);
}

/* A page of a table that has to be looked through: one at a time, and not all of the time. */
static enum outcome read_page_in_turn(struct session_store *store, struct page *page, struct receipt *receipt)
{
    if (page->query->layout->user_column != NULL || store->shared == NULL)
        return read_page(store, page, receipt);
    pthread_mutex_lock(&store->shared->lock);
    struct mono start = clock_mono(clock_system());
    enum outcome outcome = read_page(store, page, receipt);
    if (page->rows == (size_t)store->settings->step_entries)
        pace_rest(store->settings, clock_mono(clock_system()).us - start.us);
    pthread_mutex_unlock(&store->shared->lock);
    return outcome;
}

static enum outcome sweep_pages(struct session_store *store, struct page *page, struct receipt *receipt)
{
    size_t full = (size_t)store->settings->step_entries;
    enum outcome outcome;

    do {
        outcome = read_page_in_turn(store, page, receipt);
        if (outcome == OUTCOME_APPLIED)
            outcome = look_through_larges(store, page, receipt);
        if (outcome == OUTCOME_APPLIED && page->end_count > 0)
            outcome = end_page(store, page, receipt);
    } while (outcome == OUTCOME_APPLIED && page->rows == full);
    return outcome;
}

static void add_note(struct sweep *sweep, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_note(struct sweep *sweep, const char *format, ...)
{
    struct buf note = { 0 };
    va_list args;

    if (sweep->note != NULL)
        buf_printf(&note, "%s; ", sweep->note);
    va_start(args, format);
    buf_vprintf(&note, format, args);
    va_end(args);
    free(sweep->note);
    sweep->note = buf_take(&note);
}

static enum outcome sweep_users(struct session_store *store, const struct session_query *query, struct sweep *sweep,
                                struct receipt *receipt)
{
    struct page page = { .store = store, .query = query, .sweep = sweep };

    page.ends = calloc((size_t)store->settings->step_entries, sizeof(*page.ends));
    page.larges = calloc((size_t)store->settings->step_entries, sizeof(*page.larges));
    enum outcome outcome = receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (page.ends != NULL && page.larges != NULL)
        outcome = sweep_pages(store, &page, receipt);
    page_reset(&page);
    key_clear(&page.last);
    free(page.ends);
    free(page.larges);
    return outcome;
}

/* ---- a sample ---- */

struct sample {
    const struct layout *layout;
    struct sight *sight;
};

static int sample_row(const struct sql_value *cells, void *arg)
{
    struct sample *sample = arg;
    const struct sql_value *value = &cells[CELL_VALUE];

    if (sample->layout->user_column != NULL)
        sight_name(sample->sight, value->bytes != NULL ? value->bytes : "", value->bytes != NULL ? value->length : 0);
    else
        sight_value(sample->sight, sample->layout, value->bytes, value->length);
    return 0;
}

static enum outcome sample_some(struct session_store *store, const struct layout *layout, bool live, struct sight *sight,
                                struct receipt *receipt)
{
    cleanup_statement struct sql_statement statement = { .driver = store->driver };
    struct sample sample = { layout, sight };

    sql_add_columns(&statement, layout, store->settings);
    if (live && layout->user_column == NULL && layout->expires_column != NULL) {
        sql_add(&statement, " WHERE ");
        sql_add_unexpired(&statement, layout, INT64_MAX);
    }
    sql_addf(&statement, " LIMIT %d", SAMPLE_MOST);
    return sql_run(store, &statement, sample_row, &sample, NULL, receipt);
}

/* Where all rows have ended, it may be the column or its unit that is not the application's. */
static enum outcome sample_rows(struct session_store *store, const struct layout *layout, struct sight *sight, struct receipt *receipt)
{
    struct sight ended = { 0 };
    enum outcome outcome = sample_some(store, layout, true, sight, receipt);

    if (outcome == OUTCOME_APPLIED && sight->fitting == 0)
        outcome = sample_some(store, layout, false, &ended, receipt);
    sight->others = ended.fitting;
    sight->certain = outcome == OUTCOME_APPLIED && ended.fitting == 0;
    sight->place = str_printf("row of %s that %s", layout->table, layout->expires_column != NULL ? "has not ended by its expires_column" : "is a session");
    return outcome;
}

struct sample_work {
    const struct layout *layout;
    struct sight sight;
};

/* A lookup is asked for a name that nobody has: is it a query that the server takes? */
static enum outcome sample_work(struct session_store *store, void *arg, struct receipt *receipt)
{
    static const char *const nobody[] = { "provost-check", NULL };
    struct sample_work *work = arg;
    const struct session_query query = { .layout = work->layout, .users = nobody };
    struct users users = { 0 };
    enum outcome outcome = OUTCOME_APPLIED;

    sight_clear(&work->sight);
    if (work->layout->lookup != NULL)
        outcome = look_up(store, &query, &users, receipt);
    users_clear(&users);
    return outcome == OUTCOME_APPLIED ? sample_rows(store, work->layout, &work->sight, receipt) : outcome;
}

enum outcome sql_sample(struct session_store *store, const struct layout *layout, struct sight *ret_sight, struct receipt *receipt)
{
    struct sample_work work = { .layout = layout };
    enum outcome outcome = sql_with_connection(store, sample_work, &work, receipt);

    if (outcome == OUTCOME_APPLIED)
        *ret_sight = work.sight;
    else
        sight_clear(&work.sight);
    return outcome;
}

/* ---- a sweep, with a connection ---- */

struct sweep_work {
    const struct session_query *query;
    struct sweep sweep;
};

static enum outcome sweep_work(struct session_store *store, void *arg, struct receipt *receipt)
{
    struct sweep_work *work = arg;
    struct users users = { 0 };
    struct session_query query = *work->query;
    enum outcome outcome = OUTCOME_APPLIED;

    int64_t ended = work->sweep.ended; /* of a first attempt that was cut off */

    sweep_clear(&work->sweep);
    work->sweep.found = work->sweep.ended = ended;
    if (query.layout->lookup != NULL) {
        outcome = look_up(store, &query, &users, receipt);
        query.users = (const char *const *)users.list;
        if (outcome == OUTCOME_APPLIED && users.count == 0)
            add_note(&work->sweep, "lookup gives no id for \"%s\"", work->query->users[0]);
    }
    if (outcome == OUTCOME_APPLIED && query.users[0] != NULL)
        outcome = sweep_users(store, &query, &work->sweep, receipt);
    if (outcome == OUTCOME_APPLIED && sweep_is_blank(&work->sweep))
        outcome = sample_rows(store, query.layout, &work->sweep.sight, receipt);
    if (query.layout->lookup != NULL && query.users[0] != NULL)
        work->sweep.sight.sought = str_dup(query.users[0]);
    if (outcome == OUTCOME_APPLIED && query.users[0] == NULL)
        work->sweep.sight.missing = str_printf("lookup gives no id for \"%s\": that person is not known there, or it is not the right query",
                                               work->query->users[0]);
    users_clear(&users);
    return outcome;
}

enum outcome sql_sweep(struct session_store *store, const struct session_query *query, struct sweep *ret_sweep,
                       struct receipt *receipt)
{
    struct sweep_work work = { .query = query };
    enum outcome outcome = sql_with_connection(store, sweep_work, &work, receipt);

    if (outcome == OUTCOME_APPLIED)
        *ret_sweep = work.sweep;
    else
        sweep_clear(&work.sweep);
    return outcome;
}
