#include "connectors/ldap/request.h"

#include "base/fault.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/session.h"
#include "connectors/ldap/value.h"

#define DIAGNOSTIC_BYTES_MOST 1000

static struct timeval timeval_of(int64_t us)
{
    return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}

/* ---- controls ---- */

static int add_assertion(struct connector_session *session, const char *key, LDAPControl **ret_control)
{
    struct berval value = { 0, NULL };
    cleanup_free char *filter = filter_key(session->settings->key_attribute, key);

    if (filter == NULL)
        return LDAP_NO_MEMORY;
    int code = ldap_create_assertion_control_value(session->ld, filter, &value);
    return code == LDAP_SUCCESS ? ldap_control_create(LDAP_CONTROL_ASSERT, 1, &value, 0, ret_control) : code;
}

static int add_post_read(const char *attribute, LDAPControl **ret_control)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    struct berval value = { 0, NULL };
    int code = LDAP_NO_MEMORY;

    if (ber != NULL && ber_printf(ber, "{s}", attribute) != -1 && ber_flatten2(ber, &value, 0) != -1)
        code = ldap_control_create(LDAP_CONTROL_POST_READ, 0, &value, 1, ret_control);
    ber_free(ber, 1);
    return code;
}

static int add_rights(const char *dn, LDAPControl **ret_control)
{
    cleanup_free char *subject = str_printf("dn:%s", dn);
    struct berval value = { subject != NULL ? strlen(subject) : 0, subject };

    return subject != NULL ? ldap_control_create(REQUEST_RIGHTS_CONTROL, 1, &value, 1, ret_control) : LDAP_NO_MEMORY;
}

/* The assertion, post-read, paging and rights controls of a request, in `controls` (of 5, all NULL). */
static int make_controls(struct connector_session *session, const struct request *request, LDAPControl **controls)
{
    size_t count = 0;
    int code = LDAP_SUCCESS;

    if (request->assert_key != NULL && session->assertion)
        code = add_assertion(session, request->assert_key, &controls[count++]);
    if (request->want_key && session->post_read && code == LDAP_SUCCESS)
        code = add_post_read(session->settings->key_attribute, &controls[count++]);
    if (request->page_entries != 0 && code == LDAP_SUCCESS)
        code = ldap_create_page_control(session->ld, request->page_entries, (struct berval *)(uintptr_t)request->cookie, 0,
                                        &controls[count++]);
    if (request->rights_of != NULL && code == LDAP_SUCCESS)
        code = add_rights(request->rights_of, &controls[count]);
    return code;
}

static void free_controls(LDAPControl **controls)
{
    for (size_t i = 0; controls[i] != NULL; i++)
        ldap_control_free(controls[i]);
}

/* ---- sending ---- */

static int send_with(LDAP *ld, const struct request *request, LDAPControl **controls, int *ret_id)
{
    switch (request->kind) {
    case REQUEST_SEARCH:
        return ldap_search_ext(ld, request->dn, request->scope, request->filter, (char **)(uintptr_t)request->attributes, 0,
                               controls, NULL, NULL, request->size_limit, ret_id);
    case REQUEST_ADD:
        return ldap_add_ext(ld, request->dn, request->mods, controls, NULL, ret_id);
    case REQUEST_MODIFY:
        return ldap_modify_ext(ld, request->dn, request->mods, controls, NULL, ret_id);
    case REQUEST_RENAME:
        return ldap_rename(ld, request->dn, request->new_rdn, request->new_parent, 1, controls, NULL, ret_id);
    case REQUEST_DELETE:
        return ldap_delete_ext(ld, request->dn, controls, NULL, ret_id);
    }
    return LDAP_PARAM_ERROR;
}

static int send_request(struct connector_session *session, const struct request *request, int *ret_id)
{
    LDAPControl *controls[5] = { NULL };
    int code = make_controls(session, request, controls);

    if (code == LDAP_SUCCESS)
        code = send_with(session->ld, request, controls, ret_id);
    free_controls(controls);
    return code;
}

/* ---- the answer ---- */

/* NULL: the server said nothing. */
static char *own_words(const char *diagnostic)
{
    if (diagnostic == NULL || *diagnostic == '\0')
        return NULL;
    char *words = strndup(diagnostic, DIAGNOSTIC_BYTES_MOST);
    if (words != NULL)
        str_trim_partial_utf8(words);
    return words;
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
    answer->diagnostic = own_words(diagnostic);
    answer->referral = referrals != NULL ? str_dup(referrals[0]) : NULL;
    ldap_memfree(matched);
    ldap_memfree(diagnostic);
    ldap_memvfree((void **)referrals);
}

/* No answer came. A code of the server's is of a notice of disconnection (RFC 4511, 4.4.1). */
static void take_failure(LDAP *ld, struct answer *answer)
{
    char *diagnostic = NULL;

    ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &answer->code);
    if (answer->code >= 0)
        answer->code = LDAP_SERVER_DOWN;
    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
    answer->diagnostic = own_words(diagnostic);
    ldap_memfree(diagnostic);
}

void request_send(struct connector_session *session, const struct request *request, struct answer *answer)
{
    struct timeval limit = timeval_of(request->limit_us != 0 ? request->limit_us : session->settings->operation_timeout_us);
    bool changes = request_changes(request);
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
        take_failure(session->ld, answer);
}

int request_look(struct connector_session *session, const char *dn)
{
    static const char *const nothing[] = { LDAP_NO_ATTRS, NULL };
    const struct request request = {
        .kind = REQUEST_SEARCH, .dn = dn, .scope = LDAP_SCOPE_BASE, .filter = "(objectClass=*)", .attributes = nothing
    };
    cleanup_answer struct answer answer = { 0 };

    request_send(session, &request, &answer);
    return answer.code;
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

void answer_add_words(const struct answer *answer, struct buf *words)
{
    buf_printf(words, " (%s %d)", outcome_row(answer->code)->name, answer->code);
    if (answer->diagnostic != NULL)
        buf_printf(words, ": %s", answer->diagnostic);
    if (answer->referral != NULL)
        buf_printf(words, ": %s", answer->referral);
}

LDAPMessage *answer_entry(const struct connector_session *session, const struct answer *answer)
{
    return answer->messages != NULL ? ldap_first_entry(session->ld, answer->messages) : NULL;
}
