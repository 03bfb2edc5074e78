/*
 * What the stages read: identities, links, members. No statement is open
 * while a caller's function runs.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

#define MEMBERS_STEP 256

/* ---- identities ---- */

static int add_membership(struct membership **list, size_t *count, sqlite3_stmt *row)
{
    struct membership *grown = realloc(*list, (*count + 1) * sizeof(*grown));

    if (grown == NULL)
        return ERROR_NOMEM;
    *list = grown;
    grown[*count] = (struct membership){ str_dup(row_text(row, 1)), str_dup(row_text(row, 2)), row_number(row, 3) != 0,
                                         { row_number(row, 4) } };
    return grown[(*count)++].id == NULL ? ERROR_NOMEM : 0;
}

static int read_memberships(struct db *db, int64_t number, struct identity *identity, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code;

    const struct {
        struct membership **list;
        size_t *count;
    } kinds[] = { { &identity->groups, &identity->group_count }, { &identity->apps, &identity->app_count },
                  { &identity->sign_ins, &identity->sign_in_count } };

    while ((code = db_next(db, SQL_MEMBERSHIPS_OF, &row, error, "i", number)) > 0) {
        int64_t kind = row_number(row, 0);
        if (kind < 0 || kind > 2)
            continue;
        int added = add_membership(kinds[kind].list, kinds[kind].count, row);
        if (added < 0)
            return error_nomem(error);
    }
    return code;
}

/* 1 found, 0 not, negative. */
static int read_registers(struct db *db, const char *id, struct identity *identity, int64_t *ret_number, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(db, SQL_IDENTITY_READ, &row, error, "ti", id, (int64_t)identity->kind);

    if (code <= 0)
        return code;
    *ret_number = row_number(row, 0);
    identity->id = strdup(id);
    if (identity->id == NULL || identity_from_row(row, true, identity) < 0)
        return error_nomem(error);
    if (identity->profile_text.value != NULL)
        identity->profile = json_loads(identity->profile_text.value, JSON_DECODE_ANY, NULL);
    return 1;
}

int identity_read(struct db *db, const char *id, struct identity *identity, struct error *error)
{
    int64_t number = 0;
    int code = read_registers(db, id, identity, &number, error);
    int memberships = code > 0 && identity->kind == IDENTITY_USER ? read_memberships(db, number, identity, error) : 0;

    return memberships < 0 ? memberships : code;
}

int store_read_identity(struct store *store, enum identity_kind kind, const char *id, struct identity *ret_identity, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    struct identity identity = { .kind = kind };
    int code = reader_open(&reader, store, error);

    if (code == 0)
        code = identity_read(reader.db, id, &identity, error);
    if (code <= 0) {
        identity_clear(&identity);
        return code < 0 ? code : error_set(error, ERROR_NOTFOUND, "%s %s: never heard of", identity_kind_name(kind), id);
    }
    *ret_identity = identity;
    return 0;
}

struct found {
    enum identity_kind kind;
    char *id;
    int count;
};

static int find_by(struct db *db, enum sql sql, const char *word, struct found *found, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code;

    while ((code = db_next(db, sql, &row, error, "t", word)) > 0) {
        free(found->id);
        found->kind = (enum identity_kind)row_number(row, 0);
        found->id = strdup(row_text(row, 1));
        found->count++;
        if (found->id == NULL)
            return error_nomem(error);
    }
    return code;
}

int store_find_identity(struct store *store, const char *word, enum identity_kind *ret_kind, char **ret_id, struct error *error)
{
    static const enum sql ways[] = { SQL_IDENTITY_BY_ID, SQL_IDENTITY_BY_LOGIN, SQL_IDENTITY_BY_NAME };
    cleanup_reader_give struct reader reader = { 0 };
    struct found found = { 0 };
    int code = reader_open(&reader, store, error);

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && code == 0 && found.count == 0; i++)
        code = find_by(reader.db, ways[i], word, &found, error);
    if (code == 0 && found.count == 1) {
        *ret_kind = found.kind;
        *ret_id = found.id;
        return 0;
    }
    free(found.id);
    if (code < 0)
        return code;
    if (found.count == 0)
        return error_set(error, ERROR_NOTFOUND, "\"%s\" is no id, login or name of a user or group that was heard of", word);
    return error_set(error, ERROR_AMBIGUOUS, "\"%s\" is the name of more than one user or group; give the id or the login", word);
}

/* ---- links ---- */

int link_read(struct db *db, int64_t lane, struct link *link, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(db, SQL_LINK_READ, &row, error, "i", lane);

    if (code <= 0)
        return code;
    return link_from_row(row, 0, link) < 0 ? error_nomem(error) : 1;
}

int store_read_link(struct store *store, const char *target, enum identity_kind kind, const char *id, struct link *ret_link,
                    struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    struct link link;
    int64_t number = target_number(store, target), identity = reader_open_about(&reader, store, kind, id, error);

    if (identity < 0)
        return (int)identity;
    int code = number == 0 || identity == 0 ? 0 : link_read(reader.db, lane_key(number, identity), &link, error);
    if (code == 0)
        return error_set(error, ERROR_NOTFOUND, "%s: %s %s has no account", target, identity_kind_name(kind), id);
    if (code > 0)
        *ret_link = link;
    return code < 0 ? code : 0;
}

int store_find_owner(struct store *store, const char *target, enum identity_kind kind, const char *key, char **ret_id,
                     struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = reader_open(&reader, store, error);

    if (code == 0)
        code = db_next(reader.db, SQL_LINK_OWNER, &row, error, "iit", target_number(store, target), (int64_t)kind, key);
    if (code <= 0)
        return code < 0 ? code : error_set(error, ERROR_NOTFOUND, "the account is linked to nobody");
    *ret_id = str_dup(row_text(row, 1));
    return *ret_id == NULL ? error_nomem(error) : 0;
}

/* ---- members ---- */

struct member_page {
    struct {
        char *id, *value, *key;
    } members[MEMBERS_STEP];
    size_t count;
    int64_t last;
};

static void clear_page(struct member_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        free(page->members[i].id);
        free(page->members[i].value);
        free(page->members[i].key);
    }
    page->count = 0;
}

static int read_page(struct store *store, int64_t target, const char *group_id, struct member_page *page, struct error *error)
{
    cleanup_reader_give struct reader reader = { 0 };
    cleanup_statement sqlite3_stmt *row = NULL;
    int64_t group = reader_open_about(&reader, store, IDENTITY_GROUP, group_id, error);
    int code;

    if (group <= 0)
        return (int)group;
    while ((code = db_next(reader.db, SQL_MEMBERS_OF, &row, error, "iiii", target, group, page->last, (int64_t)MEMBERS_STEP)) > 0) {
        __typeof__(page->members[0]) *member = &page->members[page->count++];
        member->id = str_dup(row_text(row, 1));
        member->value = str_dup(row_text(row, 2));
        member->key = str_dup(row_text(row, 3));
        if (member->id == NULL || (row_text(row, 2) != NULL && (member->value == NULL || member->key == NULL)))
            return error_nomem(error);
        page->last = row_number(row, 0);
    }
    return code;
}

int store_read_members(struct store *store, const char *target, const char *group_id, store_member *member, void *arg,
                       struct error *error)
{
    cleanup_free struct member_page *page = calloc(1, sizeof(*page));
    int64_t number = target_number(store, target);
    bool more = number != 0;
    int code = page == NULL ? error_nomem(error) : 0;

    while (code == 0 && more) {
        code = read_page(store, number, group_id, page, error);
        more = page->count == MEMBERS_STEP;
        for (size_t i = 0; i < page->count && code == 0; i++) {
            int answer = member(arg, page->members[i].id, page->members[i].value, page->members[i].key);
            code = answer < 0 ? answer : 0;
        }
        clear_page(page);
    }
    return code;
}
