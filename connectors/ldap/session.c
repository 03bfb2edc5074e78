#include "connectors/ldap/session.h"

#include "base/fault.h"
#include "base/str.h"
#include "connectors/ldap/connect.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/value.h"

static struct timeval timeval_of(int64_t us)
{
    return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text != NULL && *text != '\0' ? text : otherwise;
}

/* ---- the connection ---- */

static void disconnect(struct connector_session *session)
{
    if (session->ld != NULL)
        ldap_unbind_ext(session->ld, NULL, NULL);
    session->ld = NULL;
}

/* True, or false with the receipt set. */
static bool session_connect(struct connector_session *session, struct receipt *receipt)
{
    disconnect(session);
    session->made++;
    return directory_connect(session->settings, &session->ld, receipt);
}

/* ---- asking ---- */

/* The assertion, post-read and paging controls of a request, in `controls` (of 4, all NULL). */
static int make_controls(struct connector_session *session, const struct request *request, LDAPControl **controls)
{
    const char *key_attribute = session->settings->key_attribute;
    size_t count = 0;
    int code = LDAP_SUCCESS;

    if (request->assert_key != NULL && session->assertion) {
        struct berval value = { 0, NULL };
        cleanup_free char *filter = filter_key(key_attribute, request->assert_key);
        code = filter == NULL ? LDAP_NO_MEMORY : ldap_create_assertion_control_value(session->ld, filter, &value);
        if (code == LDAP_SUCCESS)
            code = ldap_control_create(LDAP_CONTROL_ASSERT, 1, &value, 0, &controls[count++]);
    }
    if (request->want_key && session->post_read && code == LDAP_SUCCESS) {
        BerElement *ber = ber_alloc_t(LBER_USE_DER);
        struct berval value = { 0, NULL };
        if (ber == NULL || ber_printf(ber, "{s}", key_attribute) == -1 || ber_flatten2(ber, &value, 0) == -1)
            code = LDAP_NO_MEMORY;
        else
            code = ldap_control_create(LDAP_CONTROL_POST_READ, 0, &value, 1, &controls[count++]);
        ber_free(ber, 1);
    }
    if (request->page_entries != 0 && code == LDAP_SUCCESS)
        code = ldap_create_page_control(session->ld, request->page_entries, (struct berval *)(uintptr_t)request->cookie, 0,
                                        &controls[count]);
    return code;
}

static void free_controls(LDAPControl **controls)
{
    for (size_t i = 0; controls[i] != NULL; i++)
        ldap_control_free(controls[i]);
}

static int send_request(struct connector_session *session, const struct request *request, int *ret_id)
{
    LDAPControl *controls[4] = { NULL };
    LDAP *ld = session->ld;
    int code = make_controls(session, request, controls);

    if (code != LDAP_SUCCESS) {
        free_controls(controls);
        return code;
    }
    switch (request->kind) {
    case REQUEST_SEARCH:
        code = ldap_search_ext(ld, request->dn, request->scope, request->filter, (char **)(uintptr_t)request->attributes, 0,
                               controls, NULL, NULL, request->size_limit, ret_id);
        break;
    case REQUEST_ADD:
        code = ldap_add_ext(ld, request->dn, request->mods, controls, NULL, ret_id);
        break;
    case REQUEST_MODIFY:
        code = ldap_modify_ext(ld, request->dn, request->mods, controls, NULL, ret_id);
        break;
    case REQUEST_RENAME:
        code = ldap_rename(ld, request->dn, request->new_rdn, request->new_parent, 1, controls, NULL, ret_id);
        break;
    case REQUEST_DELETE:
        code = ldap_delete_ext(ld, request->dn, controls, NULL, ret_id);
        break;
    }
    free_controls(controls);
    return code;
}

static void take_result(LDAP *ld, struct answer *answer)
{
    char *matched = NULL, *diagnostic = NULL, **referrals = NULL;
    LDAPMessage *last = NULL;

    for (LDAPMessage *message = ldap_first_message(ld, answer->messages); message != NULL;
         message = ldap_next_message(ld, message))
        if (ldap_msgtype(message) != LDAP_RES_SEARCH_ENTRY && ldap_msgtype(message) != LDAP_RES_SEARCH_REFERENCE)
            last = message;
    int code = last == NULL ? LDAP_DECODING_ERROR
                            : ldap_parse_result(ld, last, &answer->code, &matched, &diagnostic, &referrals, &answer->controls, 0);
    if (code != LDAP_SUCCESS)
        answer->code = code;
    answer->matched = str_dup(matched);
    answer->diagnostic = str_dup(diagnostic);
    answer->referral = referrals != NULL ? str_dup(referrals[0]) : NULL;
    ldap_memfree(matched);
    ldap_memfree(diagnostic);
    ldap_memvfree((void **)referrals);
}

static void ask_once(struct connector_session *session, const struct request *request, struct answer *answer)
{
    struct timeval limit = timeval_of(session->settings->operation_timeout_us);
    bool changes = request->kind != REQUEST_SEARCH;
    int id = -1;

    if (changes)
        fault_point(FAULT_LDAP_SEND);
    answer->code = send_request(session, request, &id);
    if (answer->code != LDAP_SUCCESS)
        return;
    if (changes)
        fault_point(FAULT_LDAP_SENT);
    int type = ldap_result(session->ld, id, LDAP_MSG_ALL, &limit, &answer->messages);
    if (changes)
        fault_point(FAULT_LDAP_ANSWERED);
    if (type > 0) {
        take_result(session->ld, answer);
        return;
    }
    answer->code = LDAP_TIMEOUT;
    if (type < 0)
        ldap_get_option(session->ld, LDAP_OPT_RESULT_CODE, &answer->code);
    if (type < 0 && answer->code == LDAP_SUCCESS)
        answer->code = LDAP_SERVER_DOWN;
}

void answer_clear(struct answer *answer)
{
    free(answer->matched);
    free(answer->diagnostic);
    free(answer->referral);
    ldap_msgfree(answer->messages);
    ldap_controls_free(answer->controls);
    *answer = (struct answer){ 0 };
}

LDAPMessage *answer_entry(const struct connector_session *session, const struct answer *answer)
{
    return answer->messages != NULL ? ldap_first_entry(session->ld, answer->messages) : NULL;
}

/* No answer in time: is it this request, or the whole server? */
static bool tell_timeout(struct connector_session *session, const struct request *request, struct receipt *receipt)
{
    if (session_connect(session, receipt))
        receipt_set(receipt, OUTCOME_RETRY, LDAP_TIMEOUT,
                    "no answer within %lld ms about %s, though the server takes connections; "
                    "operation_timeout may be too short",
                    (long long)(session->settings->operation_timeout_us / 1000), text_or(request->dn, "the root"));
    return false;
}

static bool is_lost(int code)
{
    return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR || code == LDAP_UNAVAILABLE;
}

bool session_ask(struct connector_session *session, const struct request *request, struct answer *answer, struct receipt *receipt)
{
    for (int round = 0;; round++) {
        if (session->ld == NULL && !session_connect(session, receipt))
            return false;
        ask_once(session, request, answer);
        if (answer->code == LDAP_TIMEOUT) {
            answer_clear(answer);
            return tell_timeout(session, request, receipt);
        }
        if (!is_lost(answer->code))
            return true;
        if (round > 0)
            break;
        answer_clear(answer);
        disconnect(session);
    }
    disconnect(session);
    receipt_set(receipt, OUTCOME_TARGET_DOWN, answer->code,
                "%s: the server took the connection and closed it again, twice: %s%s%s", session->settings->uri,
                outcome_row(answer->code)->sentence, text_or(answer->diagnostic, NULL) != NULL ? ": " : "",
                text_or(answer->diagnostic, ""));
    answer_clear(answer);
    return false;
}

enum outcome session_refused(const struct answer *answer, enum outcome outcome, const char *doing, const char *dn,
                             struct receipt *receipt)
{
    const struct outcome_row *row = outcome_row(answer->code);
    bool more = text_or(answer->diagnostic, NULL) != NULL;

    return receipt_set(receipt, outcome, answer->code, "cannot %s \"%s\": %s (%s %d)%s%s%s%s", doing, text_or(dn, ""),
                       row->sentence, row->name, answer->code, more ? ": " : "", more ? answer->diagnostic : "",
                       answer->referral != NULL ? ": " : "", answer->referral != NULL ? answer->referral : "");
}

/* ---- the server's own description ---- */

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

static void free_strings(char **strings)
{
    for (size_t i = 0; strings != NULL && strings[i] != NULL; i++)
        free(strings[i]);
    free(strings);
}

enum outcome session_probe(struct connector_session *session, struct receipt *receipt)
{
    static const char *const attributes[] = { "namingContexts", "supportedControl", NULL };
    struct request request = {
        .kind = REQUEST_SEARCH, .dn = "", .scope = LDAP_SCOPE_BASE, .filter = "(objectClass=*)", .attributes = attributes
    };
    cleanup_answer struct answer answer = { 0 };

    if (!session_ask(session, &request, &answer, receipt))
        return receipt->outcome;
    if (answer.code != LDAP_SUCCESS)
        return session_refused(&answer, outcome_row(answer.code)->outcome, "read the server's description (rootDSE)", "",
                               receipt);
    LDAPMessage *root = answer_entry(session, &answer);
    if (root != NULL) {
        free_strings(session->contexts);
        session->contexts = copy_values(session->ld, root, "namingContexts");
        session->post_read = root_has(session->ld, root, "supportedControl", LDAP_CONTROL_POST_READ);
        session->assertion = root_has(session->ld, root, "supportedControl", LDAP_CONTROL_ASSERT);
    }
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

const char *session_base(const struct connector_session *session, const char *dn)
{
    if (session->settings->base_dn != NULL)
        return session->settings->base_dn;
    if (session->contexts == NULL)
        return NULL;
    if (dn == NULL || session->contexts[0] == NULL || session->contexts[1] == NULL)
        return session->contexts[0];
    for (size_t i = 0; session->contexts[i] != NULL; i++)
        if (dn_is_within(dn, session->contexts[i]))
            return session->contexts[i];
    return session->contexts[0];
}

enum outcome session_open(const struct ldap_settings *settings, struct connector_session **ret_session, struct receipt *receipt)
{
    struct connector_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    session->settings = settings;
    if (session_probe(session, receipt) != OUTCOME_APPLIED) {
        session_close(session);
        if (receipt->outcome != OUTCOME_REJECTED)
            receipt->outcome = OUTCOME_TARGET_DOWN; /* whatever it was, nothing can be done here until it passes */
        return receipt->outcome;
    }
    *ret_session = session;
    return OUTCOME_APPLIED;
}

void session_close(struct connector_session *session)
{
    if (session == NULL)
        return;
    disconnect(session);
    free_strings(session->contexts);
    free(session);
}
