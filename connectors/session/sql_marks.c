/* sql_marks.c: markers for applications as rows of a table that the administrator creates. */
#include <inttypes.h>

#include "connectors/session/sql_store.h"

struct marks_work {
    const char *user;
    const struct session_marks *wanted;
    struct session_marks there;
    bool found;
};

/* The table is missing: the sentence ends in the statement that creates it. */
static enum outcome tell_missing(struct session_store *store, enum outcome outcome, struct receipt *receipt)
{
    cleanup_statement struct sql_statement name = { .driver = store->driver };
    cleanup_statement struct sql_statement create = { .driver = store->driver };

    if (outcome == OUTCOME_APPLIED || !store->failure.missing_table)
        return outcome;
    sql_add_name(&name, store->settings->marker_table);
    sql_addf(&create, store->driver->marks_table, name.text.bytes != NULL ? name.text.bytes : "");
    return receipt_set(receipt, outcome, receipt->remote_code, "%s: the table of markers \"%s\" is missing; create it, and let \"%s\" use it: %s",
                       store->driver->name, store->settings->marker_table,
                       store->settings->user != NULL ? store->settings->user : "the agent's user",
                       create.text.bytes != NULL ? create.text.bytes : "");
}

static char *time_text(const struct sql_value *cell)
{
    char text[WALL_TEXT_BYTES];
    long long ms = 0;

    if (cell->bytes == NULL || !str_to_int64(cell->bytes, &ms))
        return NULL;
    wall_format((struct wall){ ms * 1000 }, text);
    return str_dup(text);
}

static int take_mark(const struct sql_value *cells, void *arg)
{
    struct marks_work *work = arg;

    if (work->found || cells[0].bytes == NULL || strcmp(cells[0].bytes, work->user) != 0)
        return 0; /* another person, where the server's comparison is loose */
    work->found = true;
    work->there.denied = cells[1].bytes != NULL && strcmp(cells[1].bytes, "0") != 0 && strcmp(cells[1].bytes, "f") != 0;
    work->there.since = time_text(&cells[2]);
    work->there.expires = time_text(&cells[3]);
    return 0;
}

static enum outcome read_work(struct session_store *store, void *arg, struct receipt *receipt)
{
    struct marks_work *work = arg;
    cleanup_statement struct sql_statement statement = { .driver = store->driver };

    session_marks_clear(&work->there);
    work->found = false;
    sql_add(&statement, "SELECT person, denied, since_ms, expires_ms FROM ");
    sql_add_name(&statement, store->settings->marker_table);
    sql_add(&statement, " WHERE person = ");
    sql_add_text(&statement, work->user);
    return tell_missing(store, sql_run(store, &statement, take_mark, work, NULL, receipt), receipt);
}

enum outcome sql_read_marks(struct session_store *store, const struct layout *layout, const char *user,
                            struct session_marks *ret_marks, struct receipt *receipt)
{
    struct marks_work work = { .user = user };
    enum outcome outcome = sql_with_connection(store, read_work, &work, receipt);

    (void)layout;
    if (outcome == OUTCOME_APPLIED)
        *ret_marks = work.there;
    else
        session_marks_clear(&work.there);
    return outcome;
}

static void add_time(struct sql_statement *statement, const char *text)
{
    struct wall wall = { 0 };

    sql_add(statement, ", ");
    if (text != NULL && wall_parse(text, &wall))
        sql_add_number(statement, wall.us / 1000);
    else
        sql_add_text(statement, NULL);
}

static void add_upsert(struct sql_statement *statement, const char *table, const struct marks_work *work)
{
    sql_add(statement, "INSERT INTO ");
    sql_add_name(statement, table);
    sql_add(statement, " (person, denied, since_ms, expires_ms) VALUES (");
    sql_add_text(statement, work->user);
    sql_add(statement, ", ");
    sql_add_number(statement, work->wanted->denied);
    add_time(statement, work->wanted->since);
    add_time(statement, work->wanted->expires);
    sql_addf(statement, ") %s", statement->driver->upsert);
}

static enum outcome write_work(struct session_store *store, void *arg, struct receipt *receipt)
{
    const struct marks_work *work = arg;
    cleanup_statement struct sql_statement statement = { .driver = store->driver };

    if (work->wanted->denied || work->wanted->since != NULL) {
        add_upsert(&statement, store->settings->marker_table, work);
    } else {
        sql_add(&statement, "DELETE FROM ");
        sql_add_name(&statement, store->settings->marker_table);
        sql_add(&statement, " WHERE person = ");
        sql_add_text(&statement, work->user);
    }
    return tell_missing(store, sql_run(store, &statement, NULL, NULL, NULL, receipt), receipt);
}

enum outcome sql_write_marks(struct session_store *store, const struct layout *layout, const char *user,
                             const struct session_marks *marks, struct receipt *receipt)
{
    struct marks_work work = { .user = user, .wanted = marks };

    (void)layout;
    return sql_with_connection(store, write_work, &work, receipt);
}
