#include "connectors/ldap/outcome.h"

#include <ldap.h>
#include <string.h>
#include <strings.h>

/*
 * SURE: the code alone tells whose refusal it is. UNSURE: the same code is answered for one record (its place is proxied to another
 * server, an access rule, a policy) and for all of them (rights that were lost, a server that is not ready).
 */
#define SURE REFUSAL_SURE
#define UNSURE REFUSAL_UNSURE
#define LOGIN true

static const struct outcome_row table[] = {
    /* RFC 4511 */
    { LDAP_SUCCESS, OUTCOME_APPLIED, SURE, false, "success", "done" },
    { LDAP_OPERATIONS_ERROR, OUTCOME_RETRY, UNSURE, false, "operationsError",
      "the server could not do it now (for this entry, or at all)" },
    { LDAP_PROTOCOL_ERROR, OUTCOME_REJECTED, SURE, false, "protocolError", "the server does not understand the request" },
    { LDAP_TIMELIMIT_EXCEEDED, OUTCOME_RETRY, UNSURE, false, "timeLimitExceeded",
      "the server's own time limit was too short (an attribute without an index, or a server under load)" },
    { LDAP_SIZELIMIT_EXCEEDED, OUTCOME_REJECTED, SURE, false, "sizeLimitExceeded",
      "more entries than the server's size limit lets through" },
    { LDAP_COMPARE_FALSE, OUTCOME_REJECTED, SURE, false, "compareFalse", "an answer that does not belong here" },
    { LDAP_COMPARE_TRUE, OUTCOME_REJECTED, SURE, false, "compareTrue", "an answer that does not belong here" },
    /* 7, 8, 13, 14, 47, 48, 49 and 123 as the answer to an operation: of the server behind a proxied subtree, or of our own log-in */
    { LDAP_AUTH_METHOD_NOT_SUPPORTED, OUTCOME_RETRY, UNSURE, LOGIN, "authMethodNotSupported",
      "the server does not offer this way to log in" },
    { LDAP_STRONG_AUTH_REQUIRED, OUTCOME_RETRY, UNSURE, LOGIN, "strongerAuthRequired", "the server demands a stronger log-in" },
    { LDAP_PARTIAL_RESULTS, OUTCOME_REJECTED, SURE, false, "partialResults", "the server gave a part only and refers elsewhere" },
    { LDAP_REFERRAL, OUTCOME_REJECTED, SURE, false, "referral", /* a replica's is told apart by session.c */
      "the server refers to another one, which is not followed: name that one in uri" },
    { LDAP_ADMINLIMIT_EXCEEDED, OUTCOME_RETRY, UNSURE, false, "adminLimitExceeded",
      "a limit of the server's administrator was reached (by this search, or by all)" },
    { LDAP_UNAVAILABLE_CRITICAL_EXTENSION, OUTCOME_REJECTED, SURE, false, "unavailableCriticalExtension",
      "the server lacks a needed control" },
    { LDAP_CONFIDENTIALITY_REQUIRED, OUTCOME_RETRY, UNSURE, LOGIN, "confidentialityRequired",
      "the server demands encryption: use ldaps:// or starttls = true" },
    { LDAP_SASL_BIND_IN_PROGRESS, OUTCOME_RETRY, UNSURE, LOGIN, "saslBindInProgress", "the log-in was left half done" },
    { LDAP_NO_SUCH_ATTRIBUTE, OUTCOME_RETRY, SURE, false, "noSuchAttribute", "the value is not there (any more)" },
    { LDAP_UNDEFINED_TYPE, OUTCOME_REJECTED, SURE, false, "undefinedAttributeType", "the server's schema has no such attribute" },
    { LDAP_INAPPROPRIATE_MATCHING, OUTCOME_REJECTED, SURE, false, "inappropriateMatching", "the attribute cannot be compared so" },
    { LDAP_CONSTRAINT_VIOLATION, OUTCOME_REJECTED, SURE, LOGIN, "constraintViolation", "a value breaks a rule of the server" },
    { LDAP_TYPE_OR_VALUE_EXISTS, OUTCOME_REJECTED, SURE, false, "attributeOrValueExists",
      "the attribute or value is there already, or given twice" },
    { LDAP_INVALID_SYNTAX, OUTCOME_REJECTED, SURE, false, "invalidAttributeSyntax", "a value does not have its attribute's syntax" },
    { LDAP_NO_SUCH_OBJECT, OUTCOME_GONE, SURE, LOGIN, "noSuchObject", "there is no such entry" },
    { LDAP_ALIAS_PROBLEM, OUTCOME_REJECTED, SURE, false, "aliasProblem", "an alias leads nowhere" },
    { LDAP_INVALID_DN_SYNTAX, OUTCOME_REJECTED, SURE, LOGIN, "invalidDNSyntax", "the DN is not well-formed" },
    { LDAP_IS_LEAF, OUTCOME_REJECTED, SURE, false, "isLeaf", "the entry can have none below it" },
    { LDAP_ALIAS_DEREF_PROBLEM, OUTCOME_REJECTED, SURE, false, "aliasDereferencingProblem", "an alias cannot be followed" },
    { LDAP_X_PROXY_AUTHZ_FAILURE, OUTCOME_RETRY, UNSURE, LOGIN, "proxyAuthzFailure",
      "the server may not act for us (at the server behind it)" },
    { LDAP_INAPPROPRIATE_AUTH, OUTCOME_RETRY, UNSURE, LOGIN, "inappropriateAuthentication",
      "the entry we log in as has no password, or another way" },
    { LDAP_INVALID_CREDENTIALS, OUTCOME_RETRY, UNSURE, LOGIN, "invalidCredentials",
      "wrong name or password, or the log-in is locked" },
    { LDAP_INSUFFICIENT_ACCESS, OUTCOME_RETRY, UNSURE, LOGIN, "insufficientAccessRights",
      "the server's access rules do not let us do this (with this entry or attribute, or at all)" },
    { LDAP_BUSY, OUTCOME_RETRY, UNSURE, false, "busy", "the server is busy (Active Directory says so of a single entry, too)" },
    { LDAP_UNAVAILABLE, OUTCOME_RETRY, UNSURE, false, "unavailable",
      "the server, or the one behind this part of the tree, is going down or not ready" },
    { LDAP_UNWILLING_TO_PERFORM, OUTCOME_RETRY, UNSURE, LOGIN, "unwillingToPerform",
      "the server will not do this (with this entry or value, or at all for now)" },
    { LDAP_LOOP_DETECT, OUTCOME_RETRY, UNSURE, false, "loopDetect", "servers, aliases or referrals lead in a circle" },
    { LDAP_NAMING_VIOLATION, OUTCOME_REJECTED, SURE, false, "namingViolation", "the DN breaks the server's naming rules" },
    { LDAP_OBJECT_CLASS_VIOLATION, OUTCOME_REJECTED, SURE, false, "objectClassViolation",
      "the entry would break its object classes" },
    { LDAP_NOT_ALLOWED_ON_NONLEAF, OUTCOME_REJECTED, SURE, false, "notAllowedOnNonLeaf", "there are entries below it" },
    { LDAP_NOT_ALLOWED_ON_RDN, OUTCOME_REJECTED, SURE, false, "notAllowedOnRDN", "the value is part of the entry's name" },
    { LDAP_ALREADY_EXISTS, OUTCOME_RETRY, SURE, false, "entryAlreadyExists",
      "another entry stands there; its own event may be on the way" },
    { LDAP_NO_OBJECT_CLASS_MODS, OUTCOME_REJECTED, SURE, false, "objectClassModsProhibited",
      "the structural object class cannot be changed" },
    { LDAP_RESULTS_TOO_LARGE, OUTCOME_REJECTED, SURE, false, "resultsTooLarge", "the answer is too large" },
    { LDAP_AFFECTS_MULTIPLE_DSAS, OUTCOME_REJECTED, SURE, false, "affectsMultipleDSAs",
      "source and destination are on different servers or databases" },
    { LDAP_VLV_ERROR, OUTCOME_REJECTED, SURE, false, "virtualListViewError", "an answer that does not belong here" },
    { LDAP_OTHER, OUTCOME_RETRY, UNSURE, false, "other",
      "the server met an error of its own (with this entry, or a full or damaged database)" },
    /* RFC 3909, 4528, 4370 */
    { LDAP_CANCELLED, OUTCOME_RETRY, UNSURE, false, "canceled", "the operation was cancelled" },
    { LDAP_NO_SUCH_OPERATION, OUTCOME_REJECTED, SURE, false, "noSuchOperation", "an answer that does not belong here" },
    { LDAP_TOO_LATE, OUTCOME_REJECTED, SURE, false, "tooLate", "an answer that does not belong here" },
    { LDAP_CANNOT_CANCEL, OUTCOME_REJECTED, SURE, false, "cannotCancel", "an answer that does not belong here" },
    { LDAP_ASSERTION_FAILED, OUTCOME_GONE, SURE, false, "assertionFailed", "another entry stands there now" },
    { LDAP_PROXIED_AUTHORIZATION_DENIED, OUTCOME_RETRY, UNSURE, LOGIN, "authorizationDenied",
      "the server may not act for us (at the server behind it)" },
    /* libldap's own */
    { LDAP_SERVER_DOWN, OUTCOME_TARGET_DOWN, SURE, false, "serverDown", "the connection was lost" },
    { LDAP_LOCAL_ERROR, OUTCOME_RETRY, SURE, false, "localError", "the LDAP library met an error" },
    { LDAP_ENCODING_ERROR, OUTCOME_REJECTED, SURE, false, "encodingError", "the request cannot be encoded" },
    { LDAP_DECODING_ERROR, OUTCOME_RETRY, UNSURE, false, "decodingError", "the answer cannot be decoded" },
    { LDAP_TIMEOUT, OUTCOME_RETRY, UNSURE, false, "timeout", "no answer in time" },
    { LDAP_AUTH_UNKNOWN, OUTCOME_TARGET_DOWN, SURE, false, "authUnknown", "an unknown way to log in" },
    { LDAP_FILTER_ERROR, OUTCOME_REJECTED, SURE, false, "filterError", "the search filter is not well-formed" },
    { LDAP_USER_CANCELLED, OUTCOME_RETRY, SURE, false, "userCancelled", "the operation was cancelled" },
    { LDAP_PARAM_ERROR, OUTCOME_REJECTED, SURE, false, "paramError", "the LDAP library refuses the request" },
    { LDAP_NO_MEMORY, OUTCOME_RETRY, SURE, false, "noMemory", "out of memory" },
    { LDAP_CONNECT_ERROR, OUTCOME_TARGET_DOWN, SURE, false, "connectError", "no connection could be made" },
    { LDAP_NOT_SUPPORTED, OUTCOME_REJECTED, SURE, false, "notSupported", "the LDAP library cannot do this" },
    { LDAP_CONTROL_NOT_FOUND, OUTCOME_RETRY, UNSURE, false, "controlNotFound", "the answer lacks a control" },
    { LDAP_NO_RESULTS_RETURNED, OUTCOME_RETRY, UNSURE, false, "noResultsReturned", "the answer is empty" },
    { LDAP_MORE_RESULTS_TO_RETURN, OUTCOME_RETRY, UNSURE, false, "moreResultsToReturn", "the answer is not whole" },
    { LDAP_CLIENT_LOOP, OUTCOME_REJECTED, SURE, false, "clientLoop", "referrals run in a circle" },
    { LDAP_REFERRAL_LIMIT_EXCEEDED, OUTCOME_REJECTED, SURE, false, "referralLimitExceeded", "too many referrals" },
    { LDAP_X_CONNECTING, OUTCOME_TARGET_DOWN, SURE, false, "connecting", "no connection yet" },
    { OUTCOME_CODE_UNKNOWN, OUTCOME_RETRY, UNSURE, false, "unknown", "a result code that is not known" },
};

/* Where an operation makes something else of a code. */
static const struct {
    enum operation_kind kind;
    int code;
    enum outcome outcome;
} exceptions[] = {
    { OPERATION_CREATE, LDAP_NO_SUCH_OBJECT, OUTCOME_REJECTED }, /* its parent is missing: planning again mends nothing */
    { OPERATION_REMOVE, LDAP_NO_SUCH_OBJECT, OUTCOME_UNCHANGED },
    { OPERATION_MEMBER_ADD, LDAP_TYPE_OR_VALUE_EXISTS, OUTCOME_UNCHANGED },
    { OPERATION_MEMBER_ADD, LDAP_ALREADY_EXISTS, OUTCOME_UNCHANGED }, /* Active Directory, Samba */
    { OPERATION_MEMBER_REMOVE, LDAP_NO_SUCH_ATTRIBUTE, OUTCOME_UNCHANGED },
};

/* Active Directory and Samba say by their words that a member is there already, or is not there, whatever the code (53, 68, 32).
 * The words begin with Windows' error in eight digits; behind it stands Samba's sentence. */
#define WINDOWS_ERROR_LENGTH 10 /* "00000561: " */
static const struct {
    enum operation_kind kind;
    const char *begins;
} so_already[] = {
    { OPERATION_MEMBER_ADD, "00000528:" },    /* ERROR_MEMBER_IN_GROUP */
    { OPERATION_MEMBER_ADD, "00000562:" },    /* ERROR_MEMBER_IN_ALIAS */
    { OPERATION_MEMBER_REMOVE, "00000529:" }, /* ERROR_MEMBER_NOT_IN_GROUP */
    { OPERATION_MEMBER_REMOVE, "00000561:" }, /* ERROR_MEMBER_NOT_IN_ALIAS */
    { OPERATION_MEMBER_REMOVE, "Attribute member doesn't exist for target GUID" }, /* Samba */
    { OPERATION_MEMBER_REMOVE, "Attribute member already deleted for target GUID" },
};

/* With constraintViolation: the value is another entry's, as with entryAlreadyExists. */
static const char *const taken[] = {
    "not unique", "non-unique",                   /* slapo-unique */
    "already exists",                             /* 389 DS, OpenDJ */
    "already in use",                             /* Samba */
    "000021C7:", "000021C8:",                     /* AD: servicePrincipalName, userPrincipalName not unique in the forest */
    NULL
};

/* What only the whole server can mean. An answer is known by how it begins: values that it quotes stand behind that. */
static const struct {
    int code;
    const char *begins;
    const char *sentence;
} of_server[] = {
    { LDAP_UNWILLING_TO_PERFORM, "operation restricted", "it takes no changes now" },           /* OpenLDAP: readonly, restrict */
    { LDAP_UNWILLING_TO_PERFORM, "shadow context", "it is a replica that takes no changes" },   /* OpenLDAP without updateref */
    { LDAP_UNWILLING_TO_PERFORM, "server is read-only", "it takes no changes now" },            /* 389 DS */
    { LDAP_UNWILLING_TO_PERFORM, "database is read-only", "it takes no changes now" },          /* 389 DS */
    { LDAP_OPERATIONS_ERROR, "warning: operation attempted on a disabled node", "its database is switched off" }, /* 389 DS */
    { LDAP_OPERATIONS_ERROR, "000004dc:", "it does not know our log-in any more" },             /* AD */
    { LDAP_INSUFFICIENT_ACCESS, "operations are restricted to bind/unbind/abandon/starttls/modify password",
      "our account must change its password first" },                                           /* slapo-ppolicy */
};

const struct outcome_row *outcome_table(void)
{
    return table;
}

const struct outcome_row *outcome_row(int code)
{
    const struct outcome_row *row = table;

    while (row->code != code && row->code != OUTCOME_CODE_UNKNOWN)
        row++;
    return row;
}

static bool is_taken(const char *words)
{
    for (const char *const *part = taken; *part != NULL; part++)
        if (strcasestr(words, *part) != NULL)
            return true;
    return false;
}

static bool begins_with(const char *words, const char *begins)
{
    return strncasecmp(words, begins, strlen(begins)) == 0;
}

static bool is_so_already(enum operation_kind kind, const char *words)
{
    const char *sentence = strnlen(words, WINDOWS_ERROR_LENGTH) == WINDOWS_ERROR_LENGTH ? words + WINDOWS_ERROR_LENGTH : "";

    for (size_t i = 0; i < sizeof(so_already) / sizeof(so_already[0]); i++)
        if (so_already[i].kind == kind &&
            (begins_with(words, so_already[i].begins) || begins_with(sentence, so_already[i].begins)))
            return true;
    return false;
}

struct verdict outcome_judge(enum operation_kind kind, int code, const char *words)
{
    const struct outcome_row *row = outcome_row(code);
    struct verdict verdict = { row->outcome, row->refusal, row->sentence };

    for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
        if (exceptions[i].kind == kind && exceptions[i].code == code)
            verdict.outcome = exceptions[i].outcome;
    if (code == LDAP_CONSTRAINT_VIOLATION && words != NULL && is_taken(words))
        verdict = (struct verdict){ OUTCOME_RETRY, REFUSAL_SURE, "another entry has this value; its own event may be on the way" };
    if (words != NULL && is_so_already(kind, words))
        verdict = (struct verdict){ OUTCOME_UNCHANGED, REFUSAL_SURE, "it is so already" };
    return verdict;
}

const char *outcome_of_server(int code, const char *words)
{
    for (size_t i = 0; words != NULL && i < sizeof(of_server) / sizeof(of_server[0]); i++)
        if (of_server[i].code == code && begins_with(words, of_server[i].begins))
            return of_server[i].sentence;
    return NULL;
}
