/*
 * Identities: rows ↔ struct identity, and memberships.
 */
#include <string.h>

#include "base/str.h"
#include "store/store_private.h"

/* Text of a column; false when out of memory. */
static bool take_text(sqlite3_stmt *row, int column, char **ret_text)
{
    const char *text = row_text(row, column);

    *ret_text = str_dup(text);
    return text == NULL || *ret_text != NULL;
}

static bool take_register(sqlite3_stmt *row, int column, struct text_register *text)
{
    text->as_of.us = row_number(row, column + 1);
    return take_text(row, column, &text->value);
}

#define SIGNED_OUT "signed_out"

/* "clear=1700000000000000 lock=…"; a name of a later version is passed over. */
static void read_voids(const char *text, struct identity *identity)
{
    char name[32];
    long long us;

    for (int length; text != NULL && sscanf(text, " %31[a-z_]=%lld%n", name, &us, &length) == 2; text += length) {
        int trigger = trigger_find(name);
        if (trigger >= 0)
            identity->sessions_void[trigger].us = us;
        else if (strcmp(name, SIGNED_OUT) == 0)
            identity->signed_out_before.us = us;
    }
}

static char *voids_text(const struct identity *identity)
{
    struct buf text = { 0 };

    for (int i = 0; i < TRIGGER_COUNT; i++)
        if (identity->sessions_void[i].us != 0)
            buf_printf(&text, "%s=%lld ", trigger_names[i], (long long)identity->sessions_void[i].us);
    if (identity->signed_out_before.us != 0)
        buf_printf(&text, SIGNED_OUT "=%lld ", (long long)identity->signed_out_before.us);
    return buf_take(&text);
}

int identity_from_row(sqlite3_stmt *row, bool with_profile, struct identity *identity)
{
    bool good = take_register(row, 2, &identity->status) && take_register(row, 4, &identity->live_status) &&
                take_register(row, 6, &identity->login) && take_register(row, 8, &identity->name);

    read_voids(row_text(row, 10), identity);
    identity->exists = row_number(row, 11) != 0;
    identity->exists_as_of.us = row_number(row, 12);
    identity->profile_text.as_of.us = row_number(row, 13);
    if (good && with_profile)
        good = take_text(row, 14, &identity->profile_text.value);
    return good ? 0 : ERROR_NOMEM;
}

int64_t identity_number(struct db *db, enum identity_kind kind, const char *id, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(db, SQL_IDENTITY_NUMBER, &row, error, "ti", id, (int64_t)kind);

    return code <= 0 ? code : row_number(row, 0);
}

int64_t identity_intern(struct store *store, enum identity_kind kind, const char *id, struct error *error)
{
    struct known known;
    int64_t number = identity_number(store->writer, kind, id, error);

    if (number != 0)
        return number;
    int code = known_load(store, kind, id, &known, error);
    if (code == 0)
        code = known_save(store, &known, error);
    number = known.number;
    identity_clear(&known.identity);
    return code < 0 ? code : number;
}

int known_load(struct store *store, enum identity_kind kind, const char *id, struct known *known, struct error *error)
{
    cleanup_statement sqlite3_stmt *row = NULL;
    int code = db_next(store->writer, SQL_IDENTITY_READ, &row, error, "ti", id, (int64_t)kind);

    *known = (struct known){ .fresh = code == 0, .priority = PRIORITY_EVENT, .identity = { .kind = kind, .id = strdup(id) } };
    if (code < 0)
        return code;
    if (known->identity.id == NULL)
        return error_nomem(error);
    if (known->fresh) {
        known->number = ++store->counters.identity;
        return 0;
    }
    known->number = row_number(row, 0);
    known->last_event = row_number(row, 1);
    return identity_from_row(row, true, &known->identity) < 0 ? error_nomem(error) : 0;
}

static int add_identity(struct db *db, const struct known *k, struct error *error)
{
    const struct identity *i = &k->identity;
    cleanup_free char *voids = voids_text(i);

    if (voids == NULL)
        return error_nomem(error);
    return db_run(db, SQL_IDENTITY_ADD, error, "iiti" "titititi" "tiiit", k->number, (int64_t)i->kind, i->id, k->last_event, i->status.value,
                  i->status.as_of.us, i->live_status.value, i->live_status.as_of.us, i->login.value, i->login.as_of.us, i->name.value,
                  i->name.as_of.us, voids[0] != '\0' ? voids : NULL, (int64_t)i->exists, i->exists_as_of.us, i->profile_text.as_of.us,
                  i->profile_text.value);
}

static int update_voids(struct db *db, const struct known *k, struct error *error)
{
    cleanup_free char *voids = voids_text(&k->identity);

    return voids == NULL ? error_nomem(error) : db_run(db, SQL_IDENTITY_VOIDS, error, "ti", voids, k->number);
}

static int update_identity(struct db *db, const struct known *k, struct error *error)
{
    const struct identity *i = &k->identity;
    int code = db_run(db, SQL_IDENTITY_WRITE, error, "ititiitiiiii", k->last_event, i->status.value, i->status.as_of.us,
                      i->live_status.value, i->live_status.as_of.us, i->login.as_of.us, i->name.value, i->name.as_of.us,
                      (int64_t)i->exists, i->exists_as_of.us, i->profile_text.as_of.us, k->number);

    if (code == 0 && k->login_dirty)
        code = db_run(db, SQL_IDENTITY_LOGIN, error, "ti", i->login.value, k->number);
    if (code == 0 && k->voids_dirty)
        code = update_voids(db, k, error);
    if (code == 0 && k->profile_dirty)
        code = db_run(db, SQL_IDENTITY_PROFILE, error, "ti", i->profile_text.value, k->number);
    return code;
}

int known_save(struct store *store, const struct known *known, struct error *error)
{
    if (known->fresh)
        return add_identity(store->writer, known, error);
    return known->dirty ? update_identity(store->writer, known, error) : 0;
}
