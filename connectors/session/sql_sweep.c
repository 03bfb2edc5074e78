/* sql_sweep.c: whose rows are whose, page by page, and their end. */
#include <stdlib.h>
#include <string.h>

#include "connectors/session/match.h"
#include "connectors/session/pace.h"
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
    struct sql_key last; /* of the last row */
    size_t rows;
    int64_t oversized, unreadable;
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
    page->end_count = page->rows = 0;
}

/* Cells of a page's row. */
enum { CELL_KEY, CELL_VALUE, CELL_BYTES, CELL_CREATED };

static bool is_one_of(const char *const *users, const struct sql_value *cell)
{
    for (size_t i = 0; users[i] != NULL; i++)
        if (strlen(users[i]) == cell->length && memcmp(users[i], cell->bytes, cell->length) == 0)
            return true;
    return false;
}

/* Is the row theirs? The server compares loosely ('12abc' = 12, 'Ann' = 'ann'), so this decides, not WHERE. */
static enum match match_row(struct page *page, const struct sql_value *cells, int64_t *ret_created_us)
{
    const struct layout *layout = page->query->layout;
    const struct sql_value *value = &cells[CELL_VALUE];
    long long bytes = 0;

    if (value->bytes == NULL) {
        bool cut = cells[CELL_BYTES].bytes != NULL && str_to_int64(cells[CELL_BYTES].bytes, &bytes) && bytes > 0;
        page->oversized += cut;
        return MATCH_OTHER;
    }
    if (layout->user_column != NULL)
        return is_one_of(page->query->users, value) ? MATCH_THEIRS : MATCH_OTHER;
    return match_value(layout, page->query->users, value->bytes, value->length, ret_created_us);
}

static int take_row(const struct sql_value *cells, void *arg)
{
    struct page *page = arg;
    const struct sql_value *created = &cells[CELL_CREATED];
    int64_t created_us = 0;

    page->rows++;
    if (key_copy(&cells[CELL_KEY], &page->last) < 0)
        return ERROR_NOMEM;
    enum match match = match_row(page, cells, &created_us);
    page->unreadable += match == MATCH_UNREADABLE;
    if (match != MATCH_THEIRS)
        return 0;
    page->sweep->found++;
    if (created->bytes != NULL)
        created_us = match_time(page->query->layout->created_unit, created->bytes, created->length);
    if (!session_is_void(page->query, created_us)) {
        page->sweep->kept++;
        return 0;
    }
    if (key_copy(&cells[CELL_KEY], &page->ends[page->end_count]) < 0)
        return ERROR_NOMEM;
    page->end_count++;
    return 0;
}

/* ---- the statements ---- */

static void add_name_or_null(struct sql_statement *statement, const char *name)
{
    if (name != NULL)
        sql_add_name(statement, name);
    else
        sql_add(statement, "NULL");
}

/* The value, unless it is too large to be taken, and its length. */
static void add_value_columns(struct sql_statement *statement, const struct layout *layout, int64_t bytes_most)
{
    cleanup_statement struct sql_statement name = { .driver = statement->driver };
    cleanup_statement struct sql_statement length = { .driver = statement->driver };

    sql_add_name(&name, layout->value_column);
    sql_addf(&length, statement->driver->bytes_of, name.text.bytes != NULL ? name.text.bytes : "");
    const char *bytes_of = length.text.bytes != NULL ? length.text.bytes : "";
    sql_addf(statement, "CASE WHEN %s <= %lld THEN %s END, %s", bytes_of, (long long)bytes_most,
             name.text.bytes != NULL ? name.text.bytes : "", bytes_of);
    statement->failed = statement->failed || name.text.failed || length.text.failed;
}

static void add_one_of_users(struct sql_statement *statement, const char *column, const char *const *users)
{
    sql_add_name(statement, column);
    for (size_t i = 0; users[i] != NULL; i++) {
        sql_add(statement, i == 0 ? " IN (" : ", ");
        sql_add_text(statement, users[i]);
    }
    sql_add(statement, ")");
}

#define DAY_US (INT64_C(86400) * 1000000)

/* What had expired when the sessions became void is left; the clock alone, were it ahead, would leave sessions that live. A day of grace:
 * dates without a zone may be local ones, and ending what has ended is harmless. */
static void add_unexpired(struct sql_statement *statement, const struct layout *layout, int64_t before_us)
{
    int64_t now_us = clock_wall(clock_system()).us;
    struct wall then = { (before_us < now_us ? before_us : now_us) - DAY_US };
    char date[WALL_TEXT_BYTES] = "";

    sql_add(statement, "(");
    sql_add_name(statement, layout->expires_column);
    sql_add(statement, " IS NULL OR ");
    sql_add_name(statement, layout->expires_column);
    sql_add(statement, " > ");
    wall_strftime(then, "%Y-%m-%d %H:%M:%S", date, sizeof(date));
    if (layout->expires_unit == UNIT_DATE)
        sql_add_text(statement, date);
    else
        sql_add_number(statement, layout->expires_unit == UNIT_SECONDS        ? then.us / 1000000
                                  : layout->expires_unit == UNIT_MILLISECONDS ? then.us / 1000
                                                                              : then.us);
    sql_add(statement, ")");
}

static void add_select(struct sql_statement *statement, const struct page *page, const struct session_settings *settings)
{
    const struct layout *layout = page->query->layout;

    sql_add(statement, "SELECT ");
    sql_add_name(statement, layout->key_column);
    sql_add(statement, ", ");
    if (layout->user_column != NULL) {
        sql_add_name(statement, layout->user_column);
        sql_add(statement, ", NULL");
    } else {
        add_value_columns(statement, layout, settings->value_bytes_most);
    }
    sql_add(statement, ", ");
    add_name_or_null(statement, layout->created_column);
    sql_add(statement, " FROM ");
    sql_add_name(statement, layout->table);
    sql_add(statement, " WHERE ");
    if (layout->user_column != NULL)
        add_one_of_users(statement, layout->user_column, page->query->users);
    else if (layout->expires_column != NULL)
        add_unexpired(statement, layout, page->query->before_us);
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

static void tell_page(const struct session_store *store, const struct page *page)
{
    if (page->oversized > 0)
        add_note(page->sweep, "%lld sessions are larger than value_size_max (%lld bytes) and were not looked into", (long long)page->oversized,
                 (long long)store->settings->value_bytes_most);
    if (page->unreadable > 0)
        add_note(page->sweep, "%lld rows are not in the mapping's format and were passed over", (long long)page->unreadable);
}

static enum outcome sweep_users(struct session_store *store, const struct session_query *query, struct sweep *sweep,
                                struct receipt *receipt)
{
    struct page page = { .store = store, .query = query, .sweep = sweep };

    page.ends = calloc((size_t)store->settings->step_entries, sizeof(*page.ends));
    if (page.ends == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    enum outcome outcome = sweep_pages(store, &page, receipt);
    if (outcome == OUTCOME_APPLIED)
        tell_page(store, &page);
    page_reset(&page);
    key_clear(&page.last);
    free(page.ends);
    return outcome;
}

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

    work->sweep.found = work->sweep.ended; /* of a first attempt that was cut off */
    work->sweep.kept = 0;
    if (query.layout->lookup != NULL) {
        outcome = look_up(store, &query, &users, receipt);
        query.users = (const char *const *)users.list;
        if (outcome == OUTCOME_APPLIED && users.count == 0)
            add_note(&work->sweep, "lookup gives no id for \"%s\"", work->query->users[0]);
    }
    if (outcome == OUTCOME_APPLIED && query.users[0] != NULL)
        outcome = sweep_users(store, &query, &work->sweep, receipt);
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
        free(work.sweep.note);
    return outcome;
}
