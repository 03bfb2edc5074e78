#include "connectors/ldap/refusal.h"

#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/outcome.h"
#include "connectors/ldap/shared.h"

static const struct judgement of_record = { .whose = WHOSE_RECORD };
static const struct judgement unseen = { WHOSE_UNKNOWN, "what this means cannot be told: the entries in question could not be looked at",
                                         NULL };

/* The entry that must be there for this request: its own, or for a new one its parent. The caller's to free. */
static char *place_of(const struct request *request)
{
    cleanup_free char *rdn = NULL, *parent = NULL;

    if (request->kind != REQUEST_ADD)
        return str_dup(request->dn);
    return dn_split(request->dn, &rdn, &parent) == 0 ? take_pointer(parent) : NULL;
}

/* Does a look say whether an entry is there? One that we may not read is. */
static bool tells(int code)
{
    return code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT || code == LDAP_REFERRAL || code == LDAP_INSUFFICIENT_ACCESS;
}

/* A server that refers reads of all it holds has no data now (389 DS while it is filled). One that refers a change of an entry
 * that it reads is a replica. One that refers the read, too, says that this entry lies elsewhere. */
static struct judgement judge_referral(struct connector_session *session, const struct request *request, const char *context)
{
    cleanup_free char *place = place_of(request);
    const struct judgement of_server = { WHOSE_SERVER, "it refers changes to another server: name that one in uri", NULL };
    int code = request_look(session, context);

    if (code == LDAP_REFERRAL)
        return of_server;
    if (tells(code) && (!request_changes(request) || place == NULL))
        return of_record;
    if (tells(code))
        code = request_look(session, place);
    if (!tells(code))
        return unseen;
    return code == LDAP_REFERRAL ? of_record : of_server;
}

static bool has_another_context(struct connector_session *session, const char *missing)
{
    for (char **context = session->contexts; context != NULL && *context != NULL; context++)
        if (!dn_equal(*context, missing) && request_look(session, *context) == LDAP_SUCCESS)
            return true;
    return false;
}

/* Where other naming contexts are there, the missing one may be hidden from us, or one database of several is empty. */
static struct judgement judge_missing(struct connector_session *session, const struct answer *answer, const char *context)
{
    if (answer->matched != NULL && dn_is_within(answer->matched, context))
        return of_record;
    int code = request_look(session, context);
    if (code != LDAP_NO_SUCH_OBJECT)
        return tells(code) ? of_record : unseen;
    if (context != session->settings->base_dn && has_another_context(session, context))
        return (struct judgement){ WHOSE_UNKNOWN, "its naming context has no data, or may not be seen", context };
    return (struct judgement){ WHOSE_SERVER, "it has no data, or uri and base_dn do not belong together", context };
}

static struct judgement judge(struct connector_session *session, const struct request *request, const struct answer *answer)
{
    const char *sentence = outcome_of_server(answer->code, answer->diagnostic);
    const char *context = session_context(session, request->dn);

    if (sentence != NULL)
        return (struct judgement){ WHOSE_SERVER, sentence, NULL };
    if (answer->code == LDAP_REFERRAL && context != NULL)
        return judge_referral(session, request, context);
    if (answer->code == LDAP_NO_SUCH_OBJECT && context != NULL)
        return judge_missing(session, answer, context);
    return of_record;
}

static void pass_over(struct connector_session *session, const struct judgement *judgement, const struct answer *answer)
{
    cleanup_buf struct buf words = { 0 };

    buf_printf(&words, "%s: %s", shared_uri(session->shared, session->address), judgement->sentence);
    if (judgement->base != NULL)
        buf_printf(&words, ": there is no entry \"%s\"", judgement->base);
    answer_add_words(answer, &words);
    shared_pass_over(session->shared, session->address,
                     &(struct passing){ PASSED_CHANGES, answer->code, words.bytes, judgement->base });
}

struct judgement refusal_judge(struct connector_session *session, const struct request *request, const struct answer *answer)
{
    if (answer->code <= 0 || request->optional || request->dn == NULL || *request->dn == '\0')
        return of_record;
    struct judgement judgement = judge(session, request, answer);
    if (judgement.whose == WHOSE_SERVER)
        pass_over(session, &judgement, answer);
    return judgement;
}
