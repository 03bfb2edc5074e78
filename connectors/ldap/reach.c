#include "connectors/ldap/reach.h"

#include "base/clock.h"
#include "connectors/ldap/connect.h"
#include "connectors/ldap/outcome.h"

#define LOOK_LIMIT_US 2000000 /* each step of a look at an earlier address */
#define LOGINS_REFUSED_MOST 2 /* replicas count wrong log-ins together */

/* ---- the server's own description ---- */

const char *const description_names[] = { "namingContexts", "supportedControl", NULL };

static bool root_has(LDAP *ld, LDAPMessage *root, const char *attribute, const char *wanted)
{
    struct berval **values = ldap_get_values_len(ld, root, attribute);
    bool found = false;

    for (size_t i = 0; values != NULL && values[i] != NULL; i++)
        found = found || (values[i]->bv_len == strlen(wanted) && memcmp(values[i]->bv_val, wanted, values[i]->bv_len) == 0);
    ldap_value_free_len(values);
    return found;
}

static char **copy_values(LDAP *ld, LDAPMessage *entry, const char *attribute)
{
    struct berval **values = ldap_get_values_len(ld, entry, attribute);
    char **copy = calloc((size_t)ldap_count_values_len(values) + 1, sizeof(*copy));

    for (size_t i = 0, count = 0; copy != NULL && values != NULL && values[i] != NULL; i++)
        if ((copy[count] = strndup(values[i]->bv_val, values[i]->bv_len)) != NULL)
            count++;
    ldap_value_free_len(values);
    return copy;
}

void take_description(struct connector_session *session, const struct answer *answer)
{
    LDAPMessage *root = answer_entry(session, answer);

    if (root == NULL)
        return;
    session_free_contexts(session);
    session->contexts = copy_values(session->ld, root, "namingContexts");
    session->post_read = root_has(session->ld, root, "supportedControl", LDAP_CONTROL_POST_READ);
    session->assertion = root_has(session->ld, root, "supportedControl", LDAP_CONTROL_ASSERT);
    session->tells_rights = root_has(session->ld, root, "supportedControl", REQUEST_RIGHTS_CONTROL);
}

/* ---- one address ---- */

static int read_description(struct connector_session *session, int64_t limit_us, struct answer *answer)
{
    const struct request request = { .kind = REQUEST_SEARCH,
                                     .dn = "",
                                     .scope = LDAP_SCOPE_BASE,
                                     .filter = "(objectClass=*)",
                                     .attributes = description_names,
                                     .limit_us = limit_us };

    request_send(session, &request, answer);
    if (answer->code == LDAP_SUCCESS)
        take_description(session, answer);
    return answer->code;
}

static void say_undescribed(const char *uri, const struct answer *answer, struct buf *words)
{
    const struct outcome_row *row = outcome_row(answer->code);

    buf_printf(words, "%s took the log-in, but does not tell its description (rootDSE): %s (%s %d)%s%s", uri, row->sentence,
               row->name, answer->code, answer->diagnostic != NULL ? ": " : "", answer->diagnostic != NULL ? answer->diagnostic : "");
}

/* An address that had lost its data serves only when they are back. */
static bool is_still_empty(struct connector_session *session, size_t address, struct connect_failure *failure)
{
    cleanup_free char *base = shared_missing_base(session->shared, address);

    if (base == NULL || request_look(session, base) != LDAP_NO_SUCH_OBJECT)
        return false;
    buf_printf(&failure->words, "%s still has no entry \"%s\"", shared_uri(session->shared, address), base);
    failure->code = LDAP_NO_SUCH_OBJECT;
    shared_pass_over(session->shared, address,
                     &(struct passing){ PASSED_CHANGES, failure->code, failure->words.bytes, base });
    return true;
}

/* True: session->ld is connected there, and described. */
static bool connect_to(struct connector_session *session, size_t address, int64_t limit_us, struct connect_failure *failure)
{
    const char *uri = shared_uri(session->shared, address);
    cleanup_answer struct answer answer = { 0 };

    if (!directory_connect(session->settings, uri, limit_us, &session->ld, failure))
        return false;
    if (read_description(session, limit_us, &answer) != LDAP_SUCCESS) {
        failure->code = answer.code;
        say_undescribed(uri, &answer, &failure->words);
    } else if (!is_still_empty(session, address, failure)) {
        session->address = address;
        return true;
    }
    reach_drop(session);
    return false;
}

/* ---- all of them, in order ---- */

struct walk {
    struct connector_session *session;
    struct buf words; /* of all addresses that failed */
    int code;         /* of the last */
    int logins_refused;
};

static void note_failure(struct walk *walk, size_t address, const struct connect_failure *failure)
{
    const char *words = failure->words.bytes != NULL ? failure->words.bytes : "out of memory";

    buf_printf(&walk->words, "%s%s", walk->words.length != 0 ? "; " : "", words);
    walk->code = failure->code;
    if (!failure->login)
        return;
    walk->logins_refused++;
    shared_pass_over(walk->session->shared, address, &(struct passing){ PASSED_LOGIN, failure->code, words, NULL });
}

static bool try_address(struct walk *walk, size_t address)
{
    struct connector_session *session = walk->session;
    struct connect_failure failure = { 0 };

    if (walk->logins_refused == LOGINS_REFUSED_MOST || !shared_allows(session->shared, address, &walk->words, &walk->code))
        return false;
    bool connected = connect_to(session, address, 0, &failure);
    if (!connected)
        note_failure(walk, address, &failure);
    buf_free(&failure.words);
    return connected;
}

/* A new session is what the agent has waited for: before it has none, it asks those that refused changes once more. */
static bool try_passed_over(struct walk *walk)
{
    struct connector_shared *shared = walk->session->shared;
    uint64_t again = 0; /* a bit for each: all are open before the first is tried, for the next request may go on to another */

    for (size_t i = 0; i < shared_count(shared) && i < 64; i++)
        again |= (uint64_t)shared_try_again(shared, i) << i;
    for (size_t i = 0; i < shared_count(shared) && i < 64; i++)
        if ((again >> i & 1) != 0 && try_address(walk, i))
            return true;
    return false;
}

static bool try_all(struct walk *walk, enum errand errand, struct receipt *receipt)
{
    size_t count = shared_count(walk->session->shared);

    for (size_t i = 0; i < count; i++)
        if (try_address(walk, i))
            return true;
    if (errand == ERRAND_OPEN && try_passed_over(walk))
        return true;
    receipt_set(receipt, walk->code == LDAP_NO_MEMORY ? OUTCOME_RETRY : OUTCOME_TARGET_DOWN, walk->code, "%s",
                walk->words.bytes != NULL ? walk->words.bytes : count == 0 ? "uri is empty" : "out of memory");
    if (walk->logins_refused > 0)
        receipt->refusal = REFUSAL_LOGIN;
    else if (shared_refuses_changes(walk->session->shared))
        receipt->refusal = REFUSAL_SERVER;
    return false;
}

bool reach(struct connector_session *session, enum errand errand, struct receipt *receipt)
{
    struct walk walk = { .session = session };

    reach_drop(session);
    session->made++;
    if (!shared_enter(session->shared, errand, receipt))
        return false;
    bool reached = try_all(&walk, errand, receipt);
    shared_leave(session->shared, reached ? NULL : receipt, session->address);
    buf_free(&walk.words);
    return reached;
}

/* ---- going back ---- */

/* What a look needs; what it reaches becomes the session's. */
static bool look_at(struct connector_session *session, size_t address)
{
    struct connector_session trial = { .settings = session->settings, .shared = session->shared };
    struct connect_failure failure = { 0 };
    bool reached = connect_to(&trial, address, LOOK_LIMIT_US, &failure);

    if (failure.login)
        shared_pass_over(session->shared, address,
                         &(struct passing){ PASSED_LOGIN, failure.code, failure.words.bytes, NULL });
    buf_free(&failure.words);
    if (!reached) {
        session_free_contexts(&trial);
        return false;
    }
    reach_drop(session);
    session_free_contexts(session);
    directory_keep(trial.ld, session->settings);
    trial.made = session->made + 1;
    *session = trial;
    return true;
}

static bool look_at_earlier(struct connector_session *session)
{
    struct buf words = { 0 };
    bool reached = false;
    int code = 0;

    for (size_t i = 0; i < session->address && !reached; i++)
        if (shared_allows(session->shared, i, &words, &code) && look_at(session, i))
            reached = true;
    buf_free(&words);
    return reached;
}

static void go_back(struct connector_session *session)
{
    int64_t before_us = clock_mono(clock_system()).us;

    if (!shared_enter(session->shared, ERRAND_LOOK, NULL))
        return;
    if (look_at_earlier(session))
        shared_leave(session->shared, NULL, session->address);
    else
        shared_leave_look(session->shared, clock_mono(clock_system()).us - before_us);
}

void reach_settle(struct connector_session *session)
{
    enum standing standing = shared_standing(session->shared, session->address);

    if (standing == STANDING_LEAVE)
        reach_drop(session);
    else if (standing == STANDING_LOOK)
        go_back(session);
}

void reach_drop(struct connector_session *session)
{
    if (session->ld != NULL)
        ldap_unbind_ext(session->ld, NULL, NULL);
    session->ld = NULL;
}
