#include "connectors/ldap/groups.h"

#include "base/str.h"
#include "connectors/ldap/read.h"
#include "connectors/ldap/value.h"

static int collect_group(const struct account *account, void *arg)
{
    json_t *groups = arg;

    return json_array_append_new(groups, json_pack("{s:s,s:s}", "key", account->key, "locator", account->locator));
}

enum outcome ldap_read_groups(struct connector_session *session, const struct group_query *wanted, json_t **ret_groups,
                              struct receipt *receipt)
{
    static const char *const no_names[] = { NULL };
    cleanup_free char *filter = filter_equals(wanted->attribute, wanted->value);
    json_t *groups = json_array();
    const char *match[] = { filter, NULL };
    struct account_query query = { .group = true, .match = match, .names = no_names };
    char **contexts = session->settings->base_dn == NULL ? session->contexts : NULL; /* NULL: base_dn alone */
    enum outcome outcome;
    size_t i = 0;

    if (filter == NULL || groups == NULL) {
        json_decref(groups);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    do {
        query.locator = contexts != NULL ? contexts[i] : NULL;
        outcome = ldap_list(session, &query, collect_group, groups, receipt);
    } while (outcome == OUTCOME_APPLIED && contexts != NULL && contexts[i] != NULL && contexts[++i] != NULL);
    if (outcome == OUTCOME_APPLIED)
        *ret_groups = groups;
    else
        json_decref(groups);
    return outcome;
}
