/* sweep.c: what a sweep saw, counted and told. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/store.h"

void sweep_clear(struct sweep *sweep)
{
    free(sweep->cased.names);
    free(sweep->hidden.names);
    sight_clear(&sweep->sight);
    free(sweep->note);
    *sweep = (struct sweep){ 0 };
}

/* ---- sessions that may be theirs ---- */

#define NAMED_MOST 3
#define ID_BYTES_SHOWN 6
#define ID_BYTES_SHORT 16 /* no application trusts so few */

/* The key, but of its id only the beginning. */
static void add_key(struct buf *text, const struct layout *layout, const char *key, size_t length)
{
    size_t id_length = length;
    const char *id = layout->pattern != NULL ? layout_id(layout->pattern, key, length, &id_length) : NULL;

    if (id == NULL) {
        id = key;
        id_length = length;
    }
    bool whole = id_length < ID_BYTES_SHORT;
    cleanup_free char *shown = strndup(key, whole ? length : (size_t)(id - key) + ID_BYTES_SHOWN);
    buf_add_visible(text, shown != NULL ? shown : "?");
    if (!whole)
        buf_add_str(text, "…");
}

void sweep_unsure(struct sweep *sweep, enum match match, const struct layout *layout, const char *key, size_t length)
{
    struct unsure *unsure = match == MATCH_CASED ? &sweep->cased : &sweep->hidden;
    struct buf names = { 0 };

    if ((match != MATCH_CASED && match != MATCH_UNREADABLE) || ++unsure->count > NAMED_MOST)
        return;
    if (unsure->names != NULL)
        buf_printf(&names, "%s, ", unsure->names);
    add_key(&names, layout, key, length);
    free(unsure->names);
    unsure->names = buf_take(&names);
}

/* ---- the receipt ---- */

static void add_unsure(struct buf *text, const struct unsure *unsure, const char *what, const char *right)
{
    if (unsure->count > 0)
        buf_printf(text, "%s%lld %s (%s%s): %s", text->length > 0 ? "; " : "", (long long)unsure->count, what,
                   unsure->names != NULL ? unsure->names : "?", unsure->count > NAMED_MOST ? ", …" : "", right);
}

/* Somebody may be signed in still; NULL: nobody is. */
static char *tell_left(const struct sweep *sweep, const struct layout *layout, int number)
{
    struct buf text = { 0 };
    cleanup_free char *what = str_printf("sessions cannot be looked into as format = \"%s\" and may be this person's", layout_format_name(layout));

    if (sweep->locked > 0 && number > 1)
        buf_printf(&text, "requests hold %lld sessions locked for longer than lock_timeout", (long long)sweep->locked);
    add_unsure(&text, &sweep->hidden, what != NULL ? what : "?",
               "compressed, encrypted or of another format; end them there, or write the format that the values have");
    add_unsure(&text, &sweep->cased, "sessions have the name in another case",
               "write ignore_case = true into the mapping's group sessions where they are this person's, else false");
    return text.length > 0 ? buf_take(&text) : NULL;
}

static char *tell_went(const struct sweep *sweep, int number)
{
    struct buf note = { 0 };

    if (sweep->note != NULL)
        buf_add_str(&note, sweep->note);
    if (sweep->locked > 0 && number <= 1)
        buf_printf(&note, "%s%lld held locked by requests: left to the next sweep", note.length > 0 ? "; " : "",
                   (long long)sweep->locked);
    if (sweep->kept > 0)
        buf_printf(&note, "%s%lld opened later or undated: kept", note.length > 0 ? "; " : "", (long long)sweep->kept);
    return note.length > 0 ? buf_take(&note) : NULL;
}

enum outcome sweep_report(const struct sweep *sweep, const struct session_query *query, struct receipt *receipt)
{
    cleanup_free char *left = tell_left(sweep, query->layout, query->sweep);
    enum outcome done = sweep->ended > 0 ? OUTCOME_APPLIED : OUTCOME_UNCHANGED;

    receipt_set(receipt, left != NULL ? OUTCOME_RETRY : done, 0, left != NULL ? "%s" : NULL, left);
    receipt->sessions_found = sweep->found;
    receipt->sessions_ended = sweep->ended;
    free(receipt->note);
    receipt->note = tell_went(sweep, query->sweep);
    free(receipt->doubt);
    receipt->doubt = sweep_is_blank(sweep) ? sight_doubt(&sweep->sight, query->layout, query->users) : NULL;
    return receipt->outcome;
}
