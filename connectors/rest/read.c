#include "connectors/rest/read.h"

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/pages.h"
#include "connectors/rest/pointer.h"
#include "connectors/rest/value.h"

#define STRANGERS_MOST 10 /* that an answer to a search has, while nobody knows whether it has another page */
#define HITS_MOST 6       /* enough to say that it is ambiguous, and with whom */

#define NOMEM(receipt) receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory")

void found_clear(struct found *found)
{
    free(found->key);
    free(found->etag);
    json_decref(found->item);
    *found = (struct found){ 0 };
}

/* ---- the hits of one call ---- */

/* What a walk collects. `ids` is an object: a second hit of the same id is no second one. */
struct hits {
    struct connector_session *session;
    const struct call *call;
    const char *key; /* the only one that is meant; NULL: any */
    json_t *ids;
    struct found first;
    struct pages_seen seen;
};

static int take_hit(void *arg, const json_t *item, const struct reply *reply, struct receipt *receipt)
{
    struct hits *hits = arg;
    struct error error = { 0 };
    cleanup_free char *id = NULL;

    bool unusable = hits->call->kind == CALL_MATCH && answer_check_hit(hits->call, item, &error) < 0;
    if (!unusable && hits->call->kind == CALL_MATCH && !answer_is_meant(hits->call, item))
        return 0;
    if (unusable || answer_id(hits->call, item, &id, &error) < 0) {
        session_say_unusable(hits->session, hits->call, reply, &error, receipt);
        return -1;
    }
    if (hits->key != NULL && hits->call->items != NULL && strcmp(id, hits->key) != 0)
        return 0;
    if (json_object_set_new(hits->ids, id, json_true()) < 0) {
        NOMEM(receipt);
        return -1;
    }
    if (hits->first.key == NULL)
        hits->first = (struct found){ .key = take_pointer(id),
                                      .item = json_incref((json_t *)(uintptr_t)item),
                                      .etag = hits->call->items == NULL ? str_dup(reply->http.etag) : NULL,
                                      .whole = hits->call->items == NULL,
                                      .disabled = answer_disabled(hits->call, item) };
    return json_object_size(hits->ids) >= HITS_MOST ? 1 : 0;
}

static enum outcome tell_many(const struct hits *hits, struct receipt *receipt)
{
    cleanup_buf struct buf list = { 0 };
    const char *id;
    json_t *ignored;

    json_object_foreach (hits->ids, id, ignored)
        buf_printf(&list, "%s\"%s\"", list.length != 0 ? ", " : "", id);
    if (json_object_size(hits->ids) >= HITS_MOST)
        buf_add_str(&list, " and maybe more");
    return session_say(hits->session, hits->call, OUTCOME_AMBIGUOUS, 0, receipt,
                       "more than one fits: the ids %s; make requests.%s select one, or merge them in the target",
                       list.bytes != NULL ? list.bytes : "?", call_name(hits->call->kind));
}

/* The one that is looked for may be behind what was seen: the target answers with others, and not with all of them. */
static bool may_hide(const struct hits *hits)
{
    bool unknown = hits->call->next == NULL && hits->seen.items >= STRANGERS_MOST;

    return hits->call->kind == CALL_MATCH && hits->first.key == NULL && hits->seen.items > 0 && (hits->seen.more || unknown);
}

static enum outcome tell_ignored(const struct hits *hits, struct receipt *receipt)
{
    return session_say(hits->session, hits->call, OUTCOME_REJECTED, 0, receipt,
                       "none of the %lld found is the one that is looked for, and there %s more: the target takes no notice of the "
                       "query, or the query selects too many; correct it, and say with `next` how the next page is asked for",
                       hits->seen.items, hits->seen.more ? "are" : "may be");
}

static enum outcome tell_hits(struct hits *hits, struct found *ret_found, struct receipt *receipt)
{
    if (json_object_size(hits->ids) > 1)
        return tell_many(hits, receipt);
    if (may_hide(hits))
        return tell_ignored(hits, receipt);
    if (hits->first.key == NULL)
        return session_say(hits->session, hits->call, OUTCOME_GONE, 0, receipt, "nobody was found");
    if (hits->key != NULL && strcmp(hits->first.key, hits->key) != 0)
        return session_say(hits->session, hits->call, OUTCOME_REJECTED, 0, receipt,
                           "asked for \"%s\", and the answer is about \"%s\"; check the path and result.id", hits->key,
                           hits->first.key);
    *ret_found = hits->first;
    hits->first = (struct found){ 0 };
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static enum outcome find(struct connector_session *session, const struct call *call, const char *key, struct found *ret_found,
                         struct receipt *receipt)
{
    struct hits hits = { .session = session, .call = call, .key = key, .ids = json_object() };
    enum outcome outcome = hits.ids != NULL ? pages_walk(session, call, take_hit, &hits, &hits.seen, receipt) : NOMEM(receipt);

    if (outcome == OUTCOME_APPLIED)
        outcome = tell_hits(&hits, ret_found, receipt);
    found_clear(&hits.first);
    json_decref(hits.ids);
    return outcome;
}

enum outcome find_by_key(struct connector_session *session, const json_t *settings, const char *key, struct found *ret_found,
                         struct receipt *receipt)
{
    struct error error = { 0 };
    struct call call;

    if (call_find(settings, CALL_READ, false, &call, &error) < 0)
        return session_say_error(&error, receipt);
    return find(session, &call, key, ret_found, receipt);
}

/* The same request as one before it: a login is in lower case already. */
static bool was_asked(const json_t *settings, size_t index)
{
    const json_t *match = json_object_get(json_object_get(settings, "requests"), "match");
    bool same = false;

    for (size_t i = 0; i < index && !same; i++)
        same = json_equal(json_array_get(match, i), json_array_get(match, index));
    return same;
}

/* What cannot be looked for in one way (a filter is refused, or ignored) may be found in the next; else the refusal is told. */
static void keep_refusal(struct receipt *receipt, struct receipt *refused)
{
    if (receipt->outcome == OUTCOME_REJECTED && refused->outcome != OUTCOME_REJECTED)
        receipt_move(receipt, refused);
}

enum outcome find_by_match(struct connector_session *session, const json_t *settings, struct found *ret_found,
                           struct receipt *receipt)
{
    enum outcome outcome = receipt_set(receipt, OUTCOME_GONE, 0, "nothing of requests.match could be rendered to look for");
    struct receipt refused = { 0 };
    struct error error = { 0 };
    struct call call;

    for (size_t i = 0; i < call_match_count(settings) && (outcome == OUTCOME_GONE || outcome == OUTCOME_REJECTED); i++) {
        if (was_asked(settings, i))
            continue;
        keep_refusal(receipt, &refused);
        outcome = call_match(settings, i, &call, &error) < 0 ? session_say_error(&error, receipt)
                                                             : find(session, &call, NULL, ret_found, receipt);
    }
    if (outcome == OUTCOME_GONE && refused.outcome == OUTCOME_REJECTED) {
        receipt_move(&refused, receipt);
        outcome = OUTCOME_REJECTED;
    }
    receipt_clear(&refused);
    return outcome;
}

/* ---- item → account ---- */

static json_t *take_values(const json_t *settings, const json_t *item, const char *const *names)
{
    const json_t *pointers = json_object_get(settings, "pointers");
    json_t *values = names != NULL ? json_object() : json_copy((json_t *)(uintptr_t)item);

    for (; values != NULL && names != NULL && *names != NULL; names++) {
        cleanup_free char *pointer = attribute_pointer(pointers, *names);
        json_t *value = pointer != NULL ? pointer_get_value(item, pointer) : NULL;
        if (pointer == NULL || (value != NULL && json_object_set(values, *names, value) < 0)) {
            json_decref(values);
            return NULL;
        }
    }
    return values;
}

static enum outcome take_account(const struct found *found, const json_t *settings, const char *const *names,
                                 struct account *ret_account, struct receipt *receipt)
{
    struct account account = { str_dup(found->key), str_dup(found->key), take_values(settings, found->item, names),
                               found->disabled, NULL };

    if (account.key == NULL || account.locator == NULL || account.values == NULL) {
        account_clear(&account);
        return NOMEM(receipt);
    }
    *ret_account = account;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

enum outcome rest_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                       struct receipt *receipt)
{
    cleanup_found struct found found = { 0 };
    bool by_match = query->key == NULL;

    session_forget(session);
    enum outcome outcome = by_match ? find_by_match(session, query->settings, &found, receipt)
                                    : find_by_key(session, query->settings, query->key, &found, receipt);
    if (outcome == OUTCOME_GONE && by_match)
        session_remember_nobody(session, query->settings);
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (found.whole)
        session_remember(session, found.key, found.item, found.etag);
    return take_account(&found, query->settings, query->names, ret_account, receipt);
}

/* ---- the groups of a member ---- */

struct groups {
    struct connector_session *session;
    const struct call *call;
    const struct group_query *query;
    json_t *list;
    struct pages_seen seen;
    bool unshown; /* a group does not show who is in it, so that nobody knows whether the target took notice of the query */
};

static int take_group(void *arg, const json_t *item, const struct reply *reply, struct receipt *receipt)
{
    struct groups *groups = arg;
    struct error error = { 0 };
    cleanup_free char *id = NULL;

    const struct group_query *query = groups->query;
    bool by_query = groups->call->query != NULL;
    int member = by_query ? answer_has_member(groups->call->pointers, item, query->attribute, query->value) : 1;

    groups->unshown = groups->unshown || member < 0;
    if (member <= 0)
        return 0;
    if (answer_id(groups->call, item, &id, &error) < 0) {
        session_say_unusable(groups->session, groups->call, reply, &error, receipt);
        return -1;
    }
    if (json_array_append_new(groups->list, json_pack("{s:s,s:s}", "key", id, "locator", id)) == 0)
        return 0;
    NOMEM(receipt);
    return -1;
}

/* One way to find them. */
static enum outcome ask_groups(struct groups *groups, struct receipt *receipt)
{
    json_array_clear(groups->list);
    groups->seen = (struct pages_seen){ 0 };
    groups->unshown = false;
    enum outcome outcome = pages_walk(groups->session, groups->call, take_group, groups, &groups->seen, receipt);
    if (outcome == OUTCOME_GONE) /* a member that the target does not know is in no group */
        outcome = receipt_set(receipt, OUTCOME_APPLIED, receipt->remote_code, NULL);
    return outcome;
}

/* The target cannot be asked so: no such filter, no such path. */
static bool is_no_way(const struct receipt *receipt)
{
    static const int codes[] = { 403, 404, 405, 501 };
    bool found = receipt->outcome == OUTCOME_REJECTED;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        found = found || receipt->remote_code == codes[i];
    return found;
}

/* In order, up to one that shows them. Where the target shows them in none it is told as such: what was written before counts. */
static enum outcome look_for_groups(struct groups *groups, struct receipt *receipt)
{
    const json_t *settings = groups->query->settings;
    enum outcome outcome = OUTCOME_REJECTED;
    struct error error = { 0 };
    bool unshown = false;
    struct call call;

    for (size_t i = 0; i == 0 || i < call_count(settings, CALL_GROUPS_OF); i++) {
        if (call_at(settings, CALL_GROUPS_OF, i, &call, &error) < 0)
            return session_say_error(&error, receipt);
        groups->call = &call;
        outcome = ask_groups(groups, receipt);
        bool shown = outcome == OUTCOME_APPLIED && !groups->seen.absent && !groups->unshown && !groups->seen.more;
        unshown = unshown || (outcome == OUTCOME_APPLIED && !shown);
        if (shown || (outcome != OUTCOME_APPLIED && !is_no_way(receipt)))
            return outcome;
    }
    if (!unshown)
        return outcome;
    receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    receipt->partial = true;
    return OUTCOME_APPLIED;
}

enum outcome rest_read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                              struct receipt *receipt)
{
    struct groups groups = { .session = session, .query = query, .list = json_array() };

    session_forget(session); /* attribute and value are in what groups_of was rendered to */
    enum outcome outcome = groups.list != NULL ? look_for_groups(&groups, receipt) : NOMEM(receipt);
    if (outcome == OUTCOME_APPLIED)
        *ret_groups = groups.list;
    else
        json_decref(groups.list);
    return outcome;
}

/* ---- all of them ---- */

struct listing {
    struct connector_session *session;
    const struct call *call;
    const struct account_query *query;
    connector_list_entry *entry;
    void *arg;
    json_t *ids; /* so far */
};

static enum outcome list_item(struct listing *listing, const json_t *item, const struct reply *reply, struct account *account,
                              struct receipt *receipt)
{
    cleanup_found struct found found = { .item = json_incref((json_t *)(uintptr_t)item),
                                         .disabled = answer_disabled(listing->call, item) };
    struct error error = { 0 };

    if (answer_id(listing->call, item, &found.key, &error) < 0)
        return session_say_unusable(listing->session, listing->call, reply, &error, receipt);
    if (json_object_get(listing->ids, found.key) != NULL)
        return session_say(listing->session, listing->call, OUTCOME_REJECTED, reply->http.status, receipt,
                           "the listing has the id \"%s\" twice: it changed meanwhile, or `next` in the mapping is wrong",
                           found.key);
    if (json_object_set_new(listing->ids, found.key, json_true()) < 0)
        return NOMEM(receipt);
    return take_account(&found, listing->query->settings, listing->query->names, account, receipt);
}

static int take_listed(void *arg, const json_t *item, const struct reply *reply, struct receipt *receipt)
{
    struct listing *listing = arg;
    struct account account = { 0 };

    if (list_item(listing, item, reply, &account, receipt) != OUTCOME_APPLIED)
        return -1;
    int code = listing->entry(&account, listing->arg);
    account_clear(&account);
    return code < 0 ? 1 : 0;
}

enum outcome rest_list(struct connector_session *session, const struct account_query *query, connector_list_entry *entry,
                       void *arg, struct receipt *receipt)
{
    struct error error = { 0 };
    struct call call;

    session_forget(session);
    if (call_find(query->settings, CALL_LIST, false, &call, &error) < 0)
        return session_say_error(&error, receipt);
    struct listing listing = { session, &call, query, entry, arg, json_object() };
    enum outcome outcome = listing.ids != NULL ? pages_walk(session, &call, take_listed, &listing, NULL, receipt) : NOMEM(receipt);
    json_decref(listing.ids);
    return outcome;
}
