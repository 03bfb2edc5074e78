#include "connectors/ldap/change.h"

#include "base/str.h"
#include "connectors/ldap/read.h"

static bool is_doubtful(const struct connector_session *session, const struct request *request, const struct answer *answer)
{
    return request->assert_key != NULL && session->assertion &&
           (answer->code == LDAP_ASSERTION_FAILED || answer->code == LDAP_UNAVAILABLE_CRITICAL_EXTENSION);
}

/* APPLIED: the entry has the expected key; GONE: it is not there, or has another; or a failure. */
static enum outcome look_at_key(struct connector_session *session, const struct request *request, struct receipt *receipt)
{
    const char *const names[] = { session->settings->key_attribute, NULL };
    cleanup_answer struct answer there = { 0 };
    enum outcome outcome = read_entry(session, request->dn, names, &there, receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    cleanup_free char *key = read_key(session, answer_entry(session, &there));
    return str_equal(key, request->assert_key) ? OUTCOME_APPLIED : OUTCOME_GONE;
}

bool change_ask(struct connector_session *session, const struct request *request, struct answer *answer, struct receipt *receipt)
{
    struct request plain = *request;

    if (!session_ask(session, request, answer, receipt))
        return false;
    if (!is_doubtful(session, request, answer))
        return true;
    enum outcome outcome = look_at_key(session, request, receipt);
    if (outcome == OUTCOME_GONE) {
        answer->code = LDAP_ASSERTION_FAILED;
        return true;
    }
    answer_clear(answer);
    plain.assert_key = NULL;
    return outcome == OUTCOME_APPLIED && session_ask(session, &plain, answer, receipt);
}
