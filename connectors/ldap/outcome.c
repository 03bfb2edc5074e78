#include "connectors/ldap/outcome.h"

#include <ldap.h>

static const struct outcome_row table[] = {
    /* RFC 4511 */
    { LDAP_SUCCESS, OUTCOME_APPLIED, "success", "done" },
    { LDAP_OPERATIONS_ERROR, OUTCOME_RETRY, "operationsError", "the server could not do it now" },
    { LDAP_PROTOCOL_ERROR, OUTCOME_REJECTED, "protocolError", "the server does not understand the request" },
    { LDAP_TIMELIMIT_EXCEEDED, OUTCOME_RETRY, "timeLimitExceeded", "the server's own time limit was too short" },
    { LDAP_SIZELIMIT_EXCEEDED, OUTCOME_REJECTED, "sizeLimitExceeded", "more entries than the server's size limit lets through" },
    { LDAP_COMPARE_FALSE, OUTCOME_REJECTED, "compareFalse", "an answer that does not belong here" },
    { LDAP_COMPARE_TRUE, OUTCOME_REJECTED, "compareTrue", "an answer that does not belong here" },
    { LDAP_AUTH_METHOD_NOT_SUPPORTED, OUTCOME_TARGET_DOWN, "authMethodNotSupported",
      "the server does not offer this way to log in" },
    { LDAP_STRONG_AUTH_REQUIRED, OUTCOME_TARGET_DOWN, "strongerAuthRequired", "the server demands a stronger log-in" },
    { LDAP_PARTIAL_RESULTS, OUTCOME_REJECTED, "partialResults", "the server gave a part only and refers elsewhere" },
    { LDAP_REFERRAL, OUTCOME_REJECTED, "referral",
      "the server refers to another one, which is not followed: name that one in uri" },
    { LDAP_ADMINLIMIT_EXCEEDED, OUTCOME_RETRY, "adminLimitExceeded", "a limit of the server's administrator was reached" },
    { LDAP_UNAVAILABLE_CRITICAL_EXTENSION, OUTCOME_REJECTED, "unavailableCriticalExtension",
      "the server lacks a needed control" },
    { LDAP_CONFIDENTIALITY_REQUIRED, OUTCOME_TARGET_DOWN, "confidentialityRequired",
      "the server demands encryption: use ldaps:// or starttls = true" },
    { LDAP_SASL_BIND_IN_PROGRESS, OUTCOME_TARGET_DOWN, "saslBindInProgress", "the log-in was left half done" },
    { LDAP_NO_SUCH_ATTRIBUTE, OUTCOME_RETRY, "noSuchAttribute", "the value is not there (any more)" },
    { LDAP_UNDEFINED_TYPE, OUTCOME_REJECTED, "undefinedAttributeType", "the server's schema has no such attribute" },
    { LDAP_INAPPROPRIATE_MATCHING, OUTCOME_REJECTED, "inappropriateMatching", "the attribute cannot be compared so" },
    { LDAP_CONSTRAINT_VIOLATION, OUTCOME_REJECTED, "constraintViolation", "a value breaks a rule of the server" },
    { LDAP_TYPE_OR_VALUE_EXISTS, OUTCOME_REJECTED, "attributeOrValueExists",
      "the attribute or value is there already, or given twice" },
    { LDAP_INVALID_SYNTAX, OUTCOME_REJECTED, "invalidAttributeSyntax", "a value does not have its attribute's syntax" },
    { LDAP_NO_SUCH_OBJECT, OUTCOME_GONE, "noSuchObject", "there is no such entry" },
    { LDAP_ALIAS_PROBLEM, OUTCOME_REJECTED, "aliasProblem", "an alias leads nowhere" },
    { LDAP_INVALID_DN_SYNTAX, OUTCOME_REJECTED, "invalidDNSyntax", "the DN is not well-formed" },
    { LDAP_IS_LEAF, OUTCOME_REJECTED, "isLeaf", "the entry can have none below it" },
    { LDAP_ALIAS_DEREF_PROBLEM, OUTCOME_REJECTED, "aliasDereferencingProblem", "an alias cannot be followed" },
    { LDAP_X_PROXY_AUTHZ_FAILURE, OUTCOME_REJECTED, "proxyAuthzFailure", "we may not act for that identity" },
    { LDAP_INAPPROPRIATE_AUTH, OUTCOME_TARGET_DOWN, "inappropriateAuthentication",
      "the entry we log in as has no password, or another way" },
    { LDAP_INVALID_CREDENTIALS, OUTCOME_TARGET_DOWN, "invalidCredentials", "wrong name or password, or the log-in is locked" },
    { LDAP_INSUFFICIENT_ACCESS, OUTCOME_REJECTED, "insufficientAccessRights", "the server's access rules do not let us do this" },
    { LDAP_BUSY, OUTCOME_RETRY, "busy", "the server is busy" },
    { LDAP_UNAVAILABLE, OUTCOME_TARGET_DOWN, "unavailable", "the server is going down or not ready" },
    { LDAP_UNWILLING_TO_PERFORM, OUTCOME_REJECTED, "unwillingToPerform", "the server will not do this" },
    { LDAP_LOOP_DETECT, OUTCOME_REJECTED, "loopDetect", "aliases or referrals run in a circle" },
    { LDAP_NAMING_VIOLATION, OUTCOME_REJECTED, "namingViolation", "the DN breaks the server's naming rules" },
    { LDAP_OBJECT_CLASS_VIOLATION, OUTCOME_REJECTED, "objectClassViolation", "the entry would break its object classes" },
    { LDAP_NOT_ALLOWED_ON_NONLEAF, OUTCOME_REJECTED, "notAllowedOnNonLeaf", "there are entries below it" },
    { LDAP_NOT_ALLOWED_ON_RDN, OUTCOME_REJECTED, "notAllowedOnRDN", "the value is part of the entry's name" },
    { LDAP_ALREADY_EXISTS, OUTCOME_RETRY, "entryAlreadyExists", "another entry stands there; its own event may be on the way" },
    { LDAP_NO_OBJECT_CLASS_MODS, OUTCOME_REJECTED, "objectClassModsProhibited", "the structural object class cannot be changed" },
    { LDAP_RESULTS_TOO_LARGE, OUTCOME_REJECTED, "resultsTooLarge", "the answer is too large" },
    { LDAP_AFFECTS_MULTIPLE_DSAS, OUTCOME_REJECTED, "affectsMultipleDSAs",
      "source and destination are on different servers or databases" },
    { LDAP_VLV_ERROR, OUTCOME_REJECTED, "virtualListViewError", "an answer that does not belong here" },
    { LDAP_OTHER, OUTCOME_RETRY, "other", "the server met an error of its own" },
    /* RFC 3909, 4528, 4370 */
    { LDAP_CANCELLED, OUTCOME_RETRY, "canceled", "the operation was cancelled" },
    { LDAP_NO_SUCH_OPERATION, OUTCOME_REJECTED, "noSuchOperation", "an answer that does not belong here" },
    { LDAP_TOO_LATE, OUTCOME_REJECTED, "tooLate", "an answer that does not belong here" },
    { LDAP_CANNOT_CANCEL, OUTCOME_REJECTED, "cannotCancel", "an answer that does not belong here" },
    { LDAP_ASSERTION_FAILED, OUTCOME_GONE, "assertionFailed", "another entry stands there now" },
    { LDAP_PROXIED_AUTHORIZATION_DENIED, OUTCOME_REJECTED, "authorizationDenied", "we may not act for that identity" },
    /* libldap's own */
    { LDAP_SERVER_DOWN, OUTCOME_TARGET_DOWN, "serverDown", "the connection was lost" },
    { LDAP_LOCAL_ERROR, OUTCOME_RETRY, "localError", "the LDAP library met an error" },
    { LDAP_ENCODING_ERROR, OUTCOME_REJECTED, "encodingError", "the request cannot be encoded" },
    { LDAP_DECODING_ERROR, OUTCOME_RETRY, "decodingError", "the answer cannot be decoded" },
    { LDAP_TIMEOUT, OUTCOME_RETRY, "timeout", "no answer in time" },
    { LDAP_AUTH_UNKNOWN, OUTCOME_TARGET_DOWN, "authUnknown", "an unknown way to log in" },
    { LDAP_FILTER_ERROR, OUTCOME_REJECTED, "filterError", "the search filter is not well-formed" },
    { LDAP_USER_CANCELLED, OUTCOME_RETRY, "userCancelled", "the operation was cancelled" },
    { LDAP_PARAM_ERROR, OUTCOME_REJECTED, "paramError", "the LDAP library refuses the request" },
    { LDAP_NO_MEMORY, OUTCOME_RETRY, "noMemory", "out of memory" },
    { LDAP_CONNECT_ERROR, OUTCOME_TARGET_DOWN, "connectError", "no connection could be made" },
    { LDAP_NOT_SUPPORTED, OUTCOME_REJECTED, "notSupported", "the LDAP library cannot do this" },
    { LDAP_CONTROL_NOT_FOUND, OUTCOME_RETRY, "controlNotFound", "the answer lacks a control" },
    { LDAP_NO_RESULTS_RETURNED, OUTCOME_RETRY, "noResultsReturned", "the answer is empty" },
    { LDAP_MORE_RESULTS_TO_RETURN, OUTCOME_RETRY, "moreResultsToReturn", "the answer is not whole" },
    { LDAP_CLIENT_LOOP, OUTCOME_REJECTED, "clientLoop", "referrals run in a circle" },
    { LDAP_REFERRAL_LIMIT_EXCEEDED, OUTCOME_REJECTED, "referralLimitExceeded", "too many referrals" },
    { LDAP_X_CONNECTING, OUTCOME_TARGET_DOWN, "connecting", "no connection yet" },
    { OUTCOME_CODE_UNKNOWN, OUTCOME_RETRY, "unknown", "a result code that is not known" },
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
    { OPERATION_MEMBER_REMOVE, LDAP_NO_SUCH_ATTRIBUTE, OUTCOME_UNCHANGED },
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

enum outcome outcome_of(enum operation_kind kind, int code)
{
    for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
        if (exceptions[i].kind == kind && exceptions[i].code == code)
            return exceptions[i].outcome;
    return outcome_row(code)->outcome;
}
