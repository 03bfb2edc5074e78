#include "connectors/ldap/session.h"

#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/reach.h"
#include "connectors/ldap/refusal.h"

static const char *text_or(const char *text, const char *otherwise)
{
    return text != NULL && *text != '\0' ? text : otherwise;
}

/* ---- asking ---- */

/* The server took the connection, but not this request: is it the request, or the whole server? */
static void tell_unanswered(struct connector_session *session, int code, const char *words, const char *dn, struct receipt *receipt)
{
    cleanup_free char *text = str_printf("%s about \"%s\", though %s takes connections", words, text_or(dn, "the root"),
                                         shared_uri(session->shared, session->address));

    if (!reach(session, ERRAND_RECONNECT, receipt))
        return;
    receipt_set(receipt, OUTCOME_RETRY, code, "%s", text != NULL ? text : "out of memory");
    receipt->refusal = REFUSAL_UNSURE;
}

static void tell_timeout(struct connector_session *session, const struct request *request, struct receipt *receipt)
{
    cleanup_free char *words = str_printf("no answer within %lld ms (is operation_timeout too short?)",
                                          (long long)(session->settings->operation_timeout_us / 1000));

    tell_unanswered(session, LDAP_TIMEOUT, text_or(words, "no answer"), request->dn, receipt);
}

static bool is_lost(int code)
{
    return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR;
}

/* What has come of one round of asking. */
enum round { ROUND_ANSWERED, ROUND_LOST, ROUND_REFUSED, ROUND_FAILED, ROUND_COUNT };

/* An answer came: whose refusal is it, if it is one? */
static enum round round_of(struct connector_session *session, const struct request *request, const struct answer *answer,
                           struct receipt *receipt)
{
    struct judgement judgement = refusal_judge(session, request, answer);

    if (judgement.whose == WHOSE_RECORD)
        return ROUND_ANSWERED;
    if (judgement.whose == WHOSE_SERVER)
        return ROUND_REFUSED;
    session_tell(answer, OUTCOME_RETRY, receipt, "cannot %s \"%s\": %s%s%s%s", request_changes(request) ? "change" : "read",
                 request->dn, judgement.sentence, judgement.base != NULL ? ": there is no entry \"" : "",
                 judgement.base != NULL ? judgement.base : "", judgement.base != NULL ? "\"" : "");
    receipt->refusal = REFUSAL_UNSURE;
    return ROUND_FAILED;
}

static enum round ask_round(struct connector_session *session, const struct request *request, struct answer *answer,
                            struct receipt *receipt)
{
    if (session->ld == NULL && !reach(session, ERRAND_RECONNECT, receipt))
        return ROUND_FAILED;
    bool change = request_changes(request);
    if (change)
        receipt->answered = false;
    request_send(session, request, answer);
    if (answer->code == LDAP_TIMEOUT) {
        tell_timeout(session, request, receipt);
        return ROUND_FAILED;
    }
    if (is_lost(answer->code))
        return ROUND_LOST;
    if (change)
        receipt->answered = answer->code >= 0;
    if (change && answer->code == LDAP_SUCCESS)
        shared_accepted(session->shared, session->address);
    return round_of(session, request, answer, receipt);
}

static void tell_refused_by_all(struct receipt *receipt)
{
    receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "every server of uri refuses the request, again and again");
    receipt->refusal = REFUSAL_SERVER;
}

/* May the request be repeated over another connection? A lost one once; each address that refuses is passed over. */
static bool may_repeat(struct connector_session *session, enum round round, const struct request *request, size_t rounds[],
                       struct receipt *receipt)
{
    rounds[round]++;
    if (round == ROUND_LOST && rounds[round] > 1)
        tell_unanswered(session, LDAP_SERVER_DOWN, "the connection was lost twice at a request", request->dn, receipt);
    else if (round == ROUND_REFUSED && rounds[round] > shared_count(session->shared))
        tell_refused_by_all(receipt);
    else
        return round != ROUND_FAILED;
    return false;
}

bool session_ask(struct connector_session *session, const struct request *request, struct answer *answer, struct receipt *receipt)
{
    size_t rounds[ROUND_COUNT] = { 0 };

    if (session->ld != NULL && request->cookie == NULL)
        reach_settle(session);
    for (;;) {
        enum round round = ask_round(session, request, answer, receipt);
        if (round == ROUND_ANSWERED)
            return true;
        answer_clear(answer);
        if (!may_repeat(session, round, request, rounds, receipt))
            return false;
        reach_drop(session);
    }
}

/* ---- words ---- */

enum outcome session_tell(const struct answer *answer, enum outcome outcome, struct receipt *receipt, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    answer_add_words(answer, &text);
    return receipt_set(receipt, outcome, answer->code, "%s", text.failed ? "out of memory" : text.bytes);
}

enum outcome session_refused(const struct answer *answer, enum operation_kind kind, const char *doing, const char *dn,
                             struct receipt *receipt)
{
    struct verdict verdict = outcome_judge(kind, answer->code, answer->diagnostic);

    session_tell(answer, verdict.outcome, receipt, "cannot %s \"%s\": %s", doing, text_or(dn, ""), verdict.sentence);
    receipt->refusal = verdict.refusal;
    return verdict.outcome;
}

/* ---- what the server holds ---- */

enum outcome session_probe(struct connector_session *session, struct receipt *receipt)
{
    struct request request = {
        .kind = REQUEST_SEARCH, .dn = "", .scope = LDAP_SCOPE_BASE, .filter = "(objectClass=*)", .attributes = description_names
    };
    cleanup_answer struct answer answer = { 0 };

    if (!session_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    if (answer.code != LDAP_SUCCESS)
        return session_refused(&answer, OUTCOME_OF_READ, "read the server's description (rootDSE)", "", receipt);
    take_description(session, &answer);
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

const char *session_context(const struct connector_session *session, const char *dn)
{
    const char *base_dn = session->settings->base_dn, *longest = NULL;

    if (base_dn != NULL && dn_is_within(dn, base_dn))
        return base_dn;
    for (char **context = session->contexts; context != NULL && *context != NULL; context++)
        if (dn_is_within(dn, *context) && (longest == NULL || dn_is_within(*context, longest)))
            longest = *context;
    return longest;
}

char *session_base(const struct connector_session *session, const char *dn)
{
    bool only_one = session->contexts != NULL && session->contexts[0] != NULL && session->contexts[1] == NULL;

    if (session->settings->base_dn != NULL)
        return str_dup(session->settings->base_dn);
    /* A DN outside the only context is searched there, too: comparing the two would change nothing. */
    const char *context = dn != NULL && !only_one ? session_context(session, dn) : NULL;
    if (context == NULL && session->contexts != NULL)
        context = session->contexts[0];
    return str_dup(context);
}

/* ---- from open to close ---- */

enum outcome session_open(const struct ldap_settings *settings, struct connector_shared *shared,
                          struct connector_session **ret_session, struct receipt *receipt)
{
    struct connector_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "out of memory");
    session->settings = settings;
    session->shared = shared;
    if (!reach(session, ERRAND_OPEN, receipt)) {
        session_close(session);
        receipt->outcome = OUTCOME_TARGET_DOWN; /* whatever it was, nothing can be done here until it passes */
        return receipt->outcome;
    }
    *ret_session = session;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

void session_free_contexts(struct connector_session *session)
{
    for (char **context = session->contexts; context != NULL && *context != NULL; context++)
        free(*context);
    free(session->contexts);
    session->contexts = NULL;
}

void session_close(struct connector_session *session)
{
    if (session == NULL)
        return;
    reach_drop(session);
    session_free_contexts(session);
    free(session);
}
