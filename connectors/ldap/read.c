#include "connectors/ldap/read.h"

#include "base/str.h"
#include "connectors/ldap/lock.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/protect.h"
#include "connectors/ldap/value.h"

#define HITS_MOST 6 /* enough to say that it is ambiguous, and with whom */
#define PAGE_ENTRIES 500

/* The wanted names and the key; freed by the caller, the names are borrowed. */
static const char **names_to_ask(const struct connector_session *session, const char *const *names)
{
    size_t count = 0, kept = 0;

    while (names != NULL && names[count] != NULL)
        count++;
    const char **ask = calloc(count + 3, sizeof(*ask));
    if (ask == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(names[i], "dn") != 0)
            ask[kept++] = lock_attribute(names[i]);
    if (names == NULL)
        ask[kept++] = LDAP_ALL_USER_ATTRIBUTES;
    ask[kept++] = session->settings->key_attribute;
    return ask;
}

char *read_key(const struct connector_session *session, LDAPMessage *entry)
{
    struct berval **values = ldap_get_values_len(session->ld, entry, session->settings->key_attribute);
    char *key = values != NULL && values[0] != NULL ? key_text(values[0]) : NULL;

    ldap_value_free_len(values);
    return key;
}

enum outcome read_tell_no_key(const struct connector_session *session, const char *dn, struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_RETRY, 0,
                "\"%s\" shows no %s (key_attribute), by which accounts are linked; is the agent allowed to read it?", dn,
                session->settings->key_attribute);
    receipt->refusal = REFUSAL_UNSURE;
    return OUTCOME_RETRY;
}

/* ---- entry → account ---- */

/* The name as the mapping spells it, or NULL for one that was not asked for. */
static const char *wanted_name(const char *const *names, const char *name)
{
    if (names == NULL)
        return name;
    for (; *names != NULL; names++)
        if (attribute_same(*names, name))
            return *names;
    return NULL;
}

static int take_attribute(LDAP *ld, LDAPMessage *entry, const char *const *names, const char *name, json_t *values)
{
    const char *wanted = wanted_name(names, name);

    if (wanted == NULL || lock_is_secret(name))
        return 0;
    struct berval **bytes = ldap_get_values_len(ld, entry, name);
    json_t *array = bytes != NULL ? values_to_json(name, bytes) : NULL;
    ldap_value_free_len(bytes);
    return array == NULL ? -1 : json_object_set_new(values, wanted, array);
}

static json_t *take_attributes(const struct connector_session *session, LDAPMessage *entry, const char *const *names)
{
    json_t *values = json_object();
    BerElement *position = NULL;
    int code = values == NULL ? -1 : 0;

    for (char *name = ldap_first_attribute(session->ld, entry, &position); name != NULL;
         name = ldap_next_attribute(session->ld, entry, position)) {
        bool hidden_key = names == NULL && attribute_same(name, session->settings->key_attribute);
        if (code == 0 && !hidden_key)
            code = take_attribute(session->ld, entry, names, name, values);
        ldap_memfree(name);
    }
    ber_free(position, 0);
    if (code == 0)
        code = lock_read(session->ld, entry, names, values);
    if (code == 0)
        return values;
    json_decref(values);
    return NULL;
}

static enum outcome take_account(const struct connector_session *session, LDAPMessage *entry, const char *const *names,
                                 struct account *ret_account, struct receipt *receipt)
{
    char *dn = ldap_get_dn(session->ld, entry);
    struct account account = { read_key(session, entry), str_dup(dn), take_attributes(session, entry, names), -1, NULL };

    ldap_memfree(dn);
    if (account.locator == NULL || account.values == NULL) {
        account_clear(&account);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    if (account.key == NULL) {
        read_tell_no_key(session, account.locator, receipt);
        account_clear(&account);
        return receipt->outcome;
    }
    *ret_account = account;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

/* ---- finding ---- */

static void name_hits(const struct connector_session *session, const struct answer *answer, struct buf *list)
{
    for (LDAPMessage *entry = answer_entry(session, answer); entry != NULL; entry = ldap_next_entry(session->ld, entry)) {
        char *dn = ldap_get_dn(session->ld, entry);
        buf_printf(list, "%s\"%s\"", list->length != 0 ? ", " : "", dn != NULL ? dn : "?");
        ldap_memfree(dn);
    }
    if (answer->code == LDAP_SIZELIMIT_EXCEEDED)
        buf_add_str(list, " and more");
}

static enum outcome take_hits(const struct connector_session *session, const struct request *request, const struct answer *answer,
                              const struct account_query *query, struct account *ret_account, struct receipt *receipt)
{
    LDAPMessage *first = answer_entry(session, answer);
    cleanup_buf struct buf list = { 0 };

    if (answer->code == LDAP_NO_SUCH_OBJECT && request->scope != LDAP_SCOPE_BASE)
        return session_tell(answer, OUTCOME_REJECTED, receipt, "cannot search below \"%s\": there is no such entry", request->dn);
    bool more = answer->code == LDAP_SIZELIMIT_EXCEEDED && first != NULL;
    if (answer->code != LDAP_SUCCESS && !more)
        return session_refused(answer, OUTCOME_OF_READ,
                               answer->code == LDAP_FILTER_ERROR ? "search with the filter" : "read",
                               answer->code == LDAP_FILTER_ERROR ? request->filter : request->dn, receipt);
    if (first == NULL)
        return receipt_set(receipt, OUTCOME_GONE, 0, "no entry below \"%s\" matches %s", request->dn, request->filter);
    if (more || ldap_next_entry(session->ld, first) != NULL) {
        name_hits(session, answer, &list);
        return receipt_set(receipt, OUTCOME_AMBIGUOUS, 0, "more than one entry matches %s: %s; make the filter select one",
                           request->filter, list.bytes != NULL ? list.bytes : "?");
    }
    enum outcome outcome = take_account(session, first, query->names, ret_account, receipt);
    if (outcome == OUTCOME_APPLIED)
        ret_account->protected_by = protect_mark(session->ld, first, query->protect);
    return outcome;
}

static enum outcome find_with(struct connector_session *session, const struct account_query *query, const char *base, int scope,
                              const char *filter, const char *const *names, struct account *ret_account, struct receipt *receipt)
{
    cleanup_answer struct answer answer = { 0 };
    struct request request = { .kind = REQUEST_SEARCH,
                               .dn = base,
                               .scope = scope,
                               .filter = filter,
                               .attributes = names,
                               .size_limit = scope == LDAP_SCOPE_BASE ? 0 : HITS_MOST };

    if (names == NULL || filter == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (!session_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    return take_hits(session, &request, &answer, query, ret_account, receipt);
}

static enum outcome find(struct connector_session *session, const struct account_query *query, const char *base, int scope,
                         const char *filter, struct account *ret_account, struct receipt *receipt)
{
    cleanup_free const char **own = names_to_ask(session, query->names);
    const char **names = own != NULL ? protect_names(own, query->protect) : NULL;
    enum outcome outcome = find_with(session, query, base, scope, filter, names, ret_account, receipt);

    protect_free_names(own, names);
    return outcome;
}

/* Below one of the mapping's places. One that does not exist holds nobody; whether the whole context is away has been judged before. */
static enum outcome find_below(struct connector_session *session, const struct account_query *query, const char *place,
                               const char *filter, struct account *ret_account, struct receipt *receipt)
{
    enum outcome outcome = find(session, query, place, LDAP_SCOPE_SUBTREE, filter, ret_account, receipt);

    if (outcome != OUTCOME_REJECTED || receipt->remote_code != LDAP_NO_SUCH_OBJECT || query->places == NULL)
        return outcome;
    return receipt_set(receipt, OUTCOME_GONE, 0, "there is nothing below \"%s\", which does not exist", place);
}

static enum outcome tell_two(const char *filter, const struct account *one, const struct account *other, struct receipt *receipt)
{
    return receipt_set(receipt, OUTCOME_AMBIGUOUS, 0, "more than one entry matches %s: \"%s\", \"%s\"; make the filter select one", filter,
                       one->locator, other->locator);
}

/* The hits of all places together. */
static enum outcome find_in_places(struct connector_session *session, const struct account_query *query, const char *base,
                                   const char *filter, struct account *ret_account, struct receipt *receipt)
{
    const char *const anywhere[] = { base, NULL };
    struct account found = { 0 }, account = { 0 };
    enum outcome outcome = OUTCOME_GONE, here;

    for (const char *const *place = query->places != NULL ? query->places : anywhere; *place != NULL; place++) {
        here = find_below(session, query, *place, filter, &account, receipt);
        if (here == OUTCOME_GONE)
            continue;
        if (here == OUTCOME_APPLIED && outcome == OUTCOME_APPLIED)
            here = tell_two(filter, &found, &account, receipt);
        outcome = here;
        if (outcome != OUTCOME_APPLIED)
            break;
        found = account;
        account = (struct account){ 0 };
    }
    account_clear(&account);
    if (outcome != OUTCOME_APPLIED) {
        account_clear(&found);
        return outcome;
    }
    *ret_account = found;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

/* One search with all filters replaces one search per filter when it finds at most one entry: one round trip for the many joiners whom
 * nothing matches. False: it takes the filters one by one to tell. */
static bool find_by_any(struct connector_session *session, const struct account_query *query, const char *base,
                        struct account *ret_account, struct receipt *receipt)
{
    cleanup_free char *filter = query->match[1] != NULL ? filter_any(query->match) : NULL;

    if (filter == NULL)
        return false;
    enum outcome outcome = find_in_places(session, query, base, filter, ret_account, receipt);
    bool one_may_differ = outcome == OUTCOME_AMBIGUOUS || outcome == OUTCOME_REJECTED ||
                          (outcome == OUTCOME_RETRY && receipt->remote_code > 0); /* a limit that only one of them meets */
    if (one_may_differ)
        receipt_clear(receipt);
    return !one_may_differ;
}

static enum outcome find_by_match(struct connector_session *session, const struct account_query *query, const char *base,
                                  struct account *ret_account, struct receipt *receipt)
{
    enum outcome outcome = OUTCOME_GONE;

    if (find_by_any(session, query, base, ret_account, receipt))
        return receipt->outcome;
    for (const char *const *filter = query->match; *filter != NULL && outcome == OUTCOME_GONE; filter++)
        outcome = find_in_places(session, query, base, *filter, ret_account, receipt);
    return outcome;
}

enum outcome ldap_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                       struct receipt *receipt)
{
    bool by_match = query->key == NULL && query->match != NULL && query->match[0] != NULL;
    cleanup_free char *base = session_base(session, query->locator != NULL ? query->locator : query->base);

    if ((query->key != NULL || (by_match && query->places == NULL)) && base == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "the server names no naming context to search; set base_dn");
    if (query->key != NULL) {
        cleanup_free char *filter = filter_key(session->settings->key_attribute, query->key);
        return find(session, query, base, LDAP_SCOPE_SUBTREE, filter, ret_account, receipt);
    }
    if (by_match)
        return find_by_match(session, query, base, ret_account, receipt);
    if (query->locator == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "nothing says which entry is meant: no key, no match, no dn");
    return find(session, query, query->locator, LDAP_SCOPE_BASE, "(objectClass=*)", ret_account, receipt);
}

enum outcome read_entry(struct connector_session *session, const char *dn, const char *const *attributes, struct answer *answer,
                        struct receipt *receipt)
{
    struct request request = {
        .kind = REQUEST_SEARCH, .dn = dn, .scope = LDAP_SCOPE_BASE, .filter = "(objectClass=*)", .attributes = attributes
    };

    if (!session_ask(session, &request, answer, receipt))
        return receipt->outcome;
    enum outcome outcome =
        answer->code != LDAP_SUCCESS ? session_refused(answer, OUTCOME_OF_READ, "read", dn, receipt)
        : answer_entry(session, answer) == NULL
            ? receipt_set(receipt, OUTCOME_GONE, LDAP_NO_SUCH_OBJECT, "\"%s\" is not there, or may not be seen", dn)
            : OUTCOME_APPLIED;
    if (outcome != OUTCOME_APPLIED)
        answer_clear(answer);
    return outcome;
}

/* ---- listing, page by page (RFC 2696) ---- */

static void next_cookie(LDAP *ld, const struct answer *answer, struct berval *cookie)
{
    LDAPControl *control = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, answer->controls, NULL);
    ber_int_t total = 0;

    ber_memfree(cookie->bv_val);
    *cookie = (struct berval){ 0, NULL };
    if (control != NULL)
        ldap_parse_pageresponse_control(ld, control, &total, cookie);
}

static enum outcome list_pages(struct connector_session *session, struct request *request, struct berval *cookie,
                               read_take_page *take, void *arg, struct receipt *receipt)
{
    int code = 0;

    do {
        cleanup_answer struct answer answer = { 0 };
        unsigned before = session->made;
        request->cookie = cookie->bv_len != 0 ? cookie : NULL;
        if (!session_ask(session, request, &answer, receipt))
            return receipt->outcome;
        if (request->cookie != NULL && session->made != before)
            return receipt_set(receipt, OUTCOME_RETRY, LDAP_SERVER_DOWN, "the connection was lost in the middle of a listing");
        code = take(session, &answer, arg, receipt);
        if (code == 0 && answer.code != LDAP_SUCCESS)
            return session_refused(&answer, OUTCOME_OF_READ, "list what is below", request->dn, receipt);
        next_cookie(session->ld, &answer, cookie);
    } while (code == 0 && cookie->bv_len != 0);
    return code < 0 ? receipt->outcome : receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

enum outcome read_pages(struct connector_session *session, struct request *request, read_take_page *take, void *arg,
                        struct receipt *receipt)
{
    struct berval cookie = { 0, NULL };

    request->page_entries = PAGE_ENTRIES;
    enum outcome outcome = list_pages(session, request, &cookie, take, arg, receipt);
    ber_memfree(cookie.bv_val);
    return outcome;
}

struct listing {
    const struct account_query *query;
    connector_list_entry *entry;
    void *arg;
};

static int list_page(struct connector_session *session, const struct answer *answer, void *arg, struct receipt *receipt)
{
    const struct listing *listing = arg;

    for (LDAPMessage *entry = answer_entry(session, answer); entry != NULL; entry = ldap_next_entry(session->ld, entry)) {
        struct account account = { 0 };
        if (take_account(session, entry, listing->query->names, &account, receipt) != OUTCOME_APPLIED)
            return -1;
        int code = listing->entry(&account, listing->arg);
        account_clear(&account);
        if (code < 0)
            return 1;
    }
    return 0;
}

enum outcome ldap_list(struct connector_session *session, const struct account_query *query, connector_list_entry *entry,
                       void *arg, struct receipt *receipt)
{
    cleanup_free const char **names = names_to_ask(session, query->names);
    cleanup_free char *base = session_base(session, query->locator != NULL ? query->locator : query->base);
    struct listing listing = { query, entry, arg };
    struct request request = { .kind = REQUEST_SEARCH,
                               .dn = base,
                               .scope = LDAP_SCOPE_SUBTREE,
                               .attributes = names,
                               .filter = query->match != NULL && query->match[0] != NULL ? query->match[0] : "(objectClass=*)" };

    if (names == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (base == NULL)
        return receipt_set(receipt, OUTCOME_REJECTED, 0, "the server names no naming context to list; set base_dn");
    return read_pages(session, &request, list_page, &listing, receipt);
}
