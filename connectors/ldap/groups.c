#include "connectors/ldap/groups.h"

#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/read.h"
#include "connectors/ldap/shared.h"
#include "connectors/ldap/value.h"

/* What has been found so far, and what could not be looked at. */
struct hunt {
    const char *filter;
    json_t *groups; /* [{"key", "locator"}] */
    struct buf note;
    bool partial; /* groups where the mapping puts them may be missing */
};

/* A search below one place. */
struct search {
    struct hunt *hunt;
    const char *place;
    bool done;     /* the server has searched */
    bool left_out; /* but not all of it, or not to the end */
};

static void __attribute__((format(printf, 2, 3))) leave_out(struct search *search, const char *format, ...)
{
    struct buf *note = &search->hunt->note;
    va_list args;

    if (note->length != 0)
        buf_add_str(note, "; ");
    va_start(args, format);
    buf_vprintf(note, format, args);
    va_end(args);
    search->left_out = true;
}

/* ---- what a search brings ---- */

/* Places may lie within each other, and some servers search naming contexts below the base, too. */
static bool is_found(const json_t *groups, const char *key)
{
    const json_t *group;
    size_t i;

    json_array_foreach (groups, i, group)
        if (str_equal(json_string_value(json_object_get(group, "key")), key))
            return true;
    return false;
}

static int take_group(struct connector_session *session, struct search *search, LDAPMessage *entry)
{
    json_t *groups = search->hunt->groups;
    char *dn = ldap_get_dn(session->ld, entry);
    cleanup_free char *key = read_key(session, entry);
    int code = 0;

    if (key == NULL)
        leave_out(search, "the group \"%s\" shows no %s (key_attribute); is the agent allowed to read it?", dn != NULL ? dn : "?",
                  session->settings->key_attribute);
    else if (!is_found(groups, key))
        code = json_array_append_new(groups, json_pack("{s:s,s:s}", "key", key, "locator", dn != NULL ? dn : ""));
    ldap_memfree(dn);
    return code;
}

/* A part of the tree that another server holds, unless it is one of this server's own naming contexts. */
static void take_reference(struct connector_session *session, struct search *search, const char *url)
{
    LDAPURLDesc *parts = NULL;
    bool own = false;

    if (ldap_url_parse(url, &parts) == LDAP_URL_SUCCESS && parts->lud_dn != NULL)
        for (char **context = session->contexts; context != NULL && *context != NULL; context++)
            own = own || (dn_is_within(parts->lud_dn, *context) && !dn_is_within(search->place, *context));
    if (!own)
        leave_out(search, "below \"%s\" the server refers to %s, which is not followed", search->place, url);
    ldap_free_urldesc(parts);
}

static void take_references(struct connector_session *session, struct search *search, const struct answer *answer)
{
    LDAP *ld = session->ld;

    for (LDAPMessage *message = ldap_first_reference(ld, answer->messages); message != NULL;
         message = ldap_next_reference(ld, message)) {
        char **urls = NULL;
        if (ldap_parse_reference(ld, message, &urls, NULL, 0) == LDAP_SUCCESS && urls != NULL && urls[0] != NULL)
            take_reference(session, search, urls[0]);
        ldap_memvfree((void **)urls);
    }
}

static int take_page(struct connector_session *session, const struct answer *answer, void *arg, struct receipt *receipt)
{
    struct search *search = arg;

    for (LDAPMessage *entry = answer_entry(session, answer); entry != NULL; entry = ldap_next_entry(session->ld, entry))
        if (take_group(session, search, entry) < 0) {
            receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
            return -1;
        }
    if (answer->messages != NULL)
        take_references(session, search, answer);
    return 0;
}

/* ---- one place ---- */

/* Did this failure come of the place, and not of the server or of ourselves? */
static bool is_of_place(const struct receipt *receipt)
{
    return receipt->outcome != OUTCOME_TARGET_DOWN && receipt->remote_code != 0;
}

/* "No such place" is not "in no group". */
static enum outcome tell_no_place(const char *place, struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_RETRY, receipt->remote_code, "groups cannot be looked for: %s (is \"%s\" still to be created?)",
                receipt->reason != NULL ? receipt->reason : "?", place);
    receipt->refusal = REFUSAL_UNSURE;
    return OUTCOME_RETRY;
}

/* With `must` a failure counts; else the server's answer is about this place alone. */
static enum outcome search_place(struct connector_session *session, struct search *search, bool must, struct receipt *receipt)
{
    const char *const names[] = { session->settings->key_attribute, NULL };
    struct request request = { .kind = REQUEST_SEARCH,
                               .dn = search->place,
                               .scope = LDAP_SCOPE_SUBTREE,
                               .filter = search->hunt->filter,
                               .attributes = names,
                               .optional = !must };
    enum outcome outcome = read_pages(session, &request, take_page, search, receipt);

    if (receipt->remote_code == LDAP_SIZELIMIT_EXCEEDED) {
        leave_out(search, "%s", receipt->reason != NULL ? receipt->reason : "?");
        outcome = receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    }
    search->done = outcome == OUTCOME_APPLIED;
    return outcome == OUTCOME_GONE ? tell_no_place(search->place, receipt) : outcome;
}

/* The same where a failure is only noted, and a place that gave no answer in time is let be for a while. */
static enum outcome search_optional(struct connector_session *session, struct search *search, struct receipt *receipt)
{
    if (shared_is_slow(session->shared, search->place)) {
        leave_out(search, "below \"%s\" nothing was looked for: it gave no answer in time a moment ago", search->place);
        return OUTCOME_APPLIED;
    }
    enum outcome outcome = search_place(session, search, false, receipt);
    if (outcome == OUTCOME_APPLIED || !is_of_place(receipt))
        return outcome;
    if (receipt->remote_code == LDAP_TIMEOUT)
        shared_note_slow(session->shared, search->place);
    leave_out(search, "%s", receipt->reason != NULL ? receipt->reason : "?");
    return OUTCOME_APPLIED;
}

/* ---- all places ---- */

/* Where the groups must be; NULL: nobody says. A member's DN tells in which of several contexts people are. */
static const char *required_place(const struct connector_session *session, const struct group_query *query)
{
    if (query->base != NULL)
        return query->base;
    return session->settings->base_dn != NULL ? session->settings->base_dn : session_context(session, query->value);
}

static void free_places(char **places)
{
    for (char **place = places; place != NULL && *place != NULL; place++)
        free(*place);
    free(places);
}

/* The places to search beside it: base_dn, or the server's naming contexts. NULL-terminated, free_places; NULL: out of memory. */
static char **other_places(const struct connector_session *session)
{
    char *const base_dn[] = { session->settings->base_dn, NULL };
    char *const *source = base_dn[0] != NULL ? base_dn : session->contexts;
    size_t count = 0;

    while (source != NULL && source[count] != NULL)
        count++;
    char **places = calloc(count + 1, sizeof(*places));
    for (size_t i = 0; places != NULL && i < count; i++)
        if ((places[i] = str_dup(source[i])) == NULL) {
            free_places(places);
            return NULL;
        }
    return places;
}

static enum outcome tell_nowhere(const struct hunt *hunt, struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_RETRY, 0, "groups could be looked for nowhere: %s",
                hunt->note.length != 0 ? hunt->note.bytes : "the server names no naming context; set base_dn");
    receipt->refusal = REFUSAL_UNSURE;
    return OUTCOME_RETRY;
}

/* May a group of the mapping be missing? Not for a naming context elsewhere that cannot be searched (an access log): that is noted, and
 * would else be so for ever. */
static bool hides_some(const struct search *search, const char *required)
{
    if (required == NULL || dn_is_within(search->place, required))
        return search->left_out;
    return !search->done && dn_is_within(required, search->place);
}

static enum outcome search_required(struct connector_session *session, struct hunt *hunt, const char *required,
                                    struct receipt *receipt)
{
    struct search search = { .hunt = hunt, .place = required };
    enum outcome outcome = search_place(session, &search, true, receipt);

    hunt->partial = hunt->partial || hides_some(&search, required);
    return outcome;
}

/* All of them; the required one by itself only where no search of a wider place had all of it. */
static enum outcome search_all(struct connector_session *session, struct hunt *hunt, char *const *places, const char *required,
                               struct receipt *receipt)
{
    bool any = false, had_required = false;

    for (; *places != NULL; places++) {
        struct search search = { .hunt = hunt, .place = *places };
        bool wide = required != NULL && dn_is_within(required, *places);
        bool same = wide && dn_is_within(*places, required);
        enum outcome outcome = same ? search_place(session, &search, true, receipt) : search_optional(session, &search, receipt);
        if (outcome != OUTCOME_APPLIED)
            return outcome;
        hunt->partial = hunt->partial || hides_some(&search, required);
        any = any || search.done;
        had_required = had_required || same || (wide && search.done && !search.left_out);
    }
    if (required != NULL && !had_required)
        return search_required(session, hunt, required, receipt);
    return required != NULL || any ? OUTCOME_APPLIED : tell_nowhere(hunt, receipt);
}

static enum outcome finish(struct hunt *hunt, enum outcome outcome, json_t **ret_groups, struct receipt *receipt)
{
    bool failed = hunt->note.failed;
    char *note = hunt->note.length != 0 || failed ? buf_take(&hunt->note) : NULL;

    if (outcome != OUTCOME_APPLIED) {
        json_decref(hunt->groups);
        free(note);
        return outcome;
    }
    *ret_groups = hunt->groups;
    receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    free(receipt->note);
    receipt->note = note;
    receipt->partial = hunt->partial || failed;
    return OUTCOME_APPLIED;
}

enum outcome ldap_read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                              struct receipt *receipt)
{
    cleanup_free char *filter = filter_equals(query->attribute, query->value);
    cleanup_free char *required = str_dup(required_place(session, query));
    char **places = other_places(session);
    struct hunt hunt = { .filter = filter, .groups = json_array() };
    enum outcome outcome = OUTCOME_RETRY;

    if (filter == NULL || places == NULL || hunt.groups == NULL)
        receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    else
        outcome = search_all(session, &hunt, places, required, receipt);
    free_places(places);
    return finish(&hunt, outcome, ret_groups, receipt);
}
