#include "connectors/ldap/rehearse.h"

#include "base/str.h"
#include "connectors/ldap/dn.h"
#include "connectors/ldap/lock.h"
#include "connectors/ldap/protect.h"
#include "connectors/ldap/rights.h"
#include "connectors/ldap/schema.h"

struct rehearsing {
    struct connector_session *session;
    const struct connector_rehearsal *rehearsal;
    struct schema schema;
    struct problems *problems;
    struct problems notes; /* what was not seen */
    bool keyed;            /* the key has been looked at */
};

#define TELL(rehearsing, ...) problems_add_once((rehearsing)->problems, __VA_ARGS__)

static void tell_receipt(struct rehearsing *rehearsing, const struct receipt *receipt)
{
    TELL(rehearsing, "%s", receipt->reason != NULL ? receipt->reason : outcome_name(receipt->outcome));
}

/* With the server's own words. */
#define TELL_REFUSED(rehearsing, answer, receipt, ...) \
    (session_tell(answer, OUTCOME_REJECTED, receipt, __VA_ARGS__), tell_receipt(rehearsing, receipt))

static bool look(struct rehearsing *rehearsing, const char *dn, int scope, const char *filter, const char *const *names,
                 struct answer *answer, struct receipt *receipt)
{
    const struct request request = { .kind = REQUEST_SEARCH, .dn = dn, .scope = scope, .filter = filter, .attributes = names,
                                     .size_limit = scope == LDAP_SCOPE_BASE ? 0 : 1, .optional = true };

    return session_ask(rehearsing->session, &request, answer, receipt);
}

static bool has_value(struct rehearsing *rehearsing, const struct answer *answer, const char *name)
{
    LDAPMessage *entry = answer_entry(rehearsing->session, answer);
    struct berval **values = entry != NULL ? ldap_get_values_len(rehearsing->session->ld, entry, name) : NULL;
    bool has = values != NULL && values[0] != NULL;

    ldap_value_free_len(values);
    return has;
}

/* ---- the key ---- */

static const char *const keys[] = { "entryUUID", "nsUniqueId", "objectGUID", "ipaUniqueID", "ibm-entryUuid", "GUID", "orclGuid" };
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static void tell_no_key(struct rehearsing *rehearsing, const char *dn, const struct answer *answer)
{
    const char *key = rehearsing->session->settings->key_attribute, *shown = NULL;

    for (size_t i = 0; i < KEY_COUNT && shown == NULL; i++)
        shown = has_value(rehearsing, answer, keys[i]) ? keys[i] : NULL;
    TELL(rehearsing, "key_attribute: \"%s\" shows no %s, so no account can be linked; %s%s%s", dn, key,
         shown != NULL ? "write key_attribute = \"" : "let the agent read it, or name the attribute that the server never changes",
         shown != NULL ? shown : "", shown != NULL ? "\";" : "");
}

/* Entries from before the server kept such an attribute do not have it. */
static bool check_key(struct rehearsing *rehearsing, const char *dn, const struct answer *answer, struct receipt *receipt)
{
    const char *key = rehearsing->session->settings->key_attribute;
    cleanup_free char *filter = str_printf("(%s=*)", key);
    cleanup_answer struct answer below = { 0 };
    const char *const names[] = { key, NULL };

    if (rehearsing->keyed || has_value(rehearsing, answer, key) || filter == NULL)
        return true;
    rehearsing->keyed = true;
    if (!look(rehearsing, dn, LDAP_SCOPE_SUBTREE, filter, names, &below, receipt))
        return false;
    if (!has_value(rehearsing, &below, key))
        tell_no_key(rehearsing, dn, answer);
    return true;
}

/* ---- places ---- */

static void tell_no_place(struct rehearsing *rehearsing, const struct connector_line *place, const struct answer *answer)
{
    const char *known = answer->matched != NULL && *answer->matched != '\0' ? answer->matched : NULL;

    TELL(rehearsing, "%s (%s:%d): there is no entry \"%s\", or the agent may not see it%s%s%s; create it, or change the line",
         place->name, place->file, place->line, place->dn, known != NULL ? " (what exists is \"" : "", known != NULL ? known : "",
         known != NULL ? "\")" : "");
}

static bool is_in_a_context(const struct rehearsing *rehearsing, const char *dn)
{
    char **contexts = rehearsing->session->contexts;
    bool within = contexts == NULL || contexts[0] == NULL;

    for (; contexts != NULL && *contexts != NULL; contexts++)
        within = within || dn_is_within(dn, *contexts) || **contexts == '\0';
    return within;
}

static void tell_no_context(struct rehearsing *rehearsing, const struct connector_line *place)
{
    cleanup_buf struct buf list = { 0 };

    for (char **context = rehearsing->session->contexts; *context != NULL; context++)
        buf_printf(&list, "%s\"%s\"", list.length > 0 ? ", " : "", *context);
    TELL(rehearsing, "%s (%s:%d): this server does not hold \"%s\"; it holds %s", place->name, place->file, place->line,
         place->dn, list.bytes != NULL ? list.bytes : "?");
}

static bool check_place(struct rehearsing *rehearsing, const struct connector_line *place, struct receipt *receipt)
{
    const char *names[KEY_COUNT + 2] = { rehearsing->session->settings->key_attribute };
    cleanup_answer struct answer answer = { 0 };

    for (size_t i = 0; i < KEY_COUNT; i++)
        names[i + 1] = keys[i];
    if (!is_in_a_context(rehearsing, place->dn)) {
        tell_no_context(rehearsing, place);
        return true;
    }
    if (!look(rehearsing, place->dn, LDAP_SCOPE_BASE, "(objectClass=*)", names, &answer, receipt))
        return false;
    if (answer_entry(rehearsing->session, &answer) != NULL)
        return check_key(rehearsing, place->dn, &answer, receipt) &&
               rights_check(rehearsing->session, rehearsing->rehearsal, place, rehearsing->problems, &rehearsing->notes, receipt);
    if (answer.code == LDAP_SUCCESS || answer.code == LDAP_NO_SUCH_OBJECT)
        tell_no_place(rehearsing, place, &answer);
    else
        TELL_REFUSED(rehearsing, &answer, receipt, "%s (%s:%d): \"%s\" cannot be read", place->name, place->file, place->line,
                     place->dn);
    return true;
}

static bool check_base(struct rehearsing *rehearsing, struct receipt *receipt)
{
    static const char *const nothing[] = { LDAP_NO_ATTRS, NULL };
    const char *base = rehearsing->session->settings->base_dn;
    cleanup_answer struct answer answer = { 0 };

    if (base == NULL)
        return true;
    if (!look(rehearsing, base, LDAP_SCOPE_BASE, "(objectClass=*)", nothing, &answer, receipt))
        return false;
    if (answer_entry(rehearsing->session, &answer) == NULL)
        TELL_REFUSED(rehearsing, &answer, receipt, "base_dn: \"%s\" cannot be read; is it spelled as the server has it?", base);
    return true;
}

/* ---- match ---- */

static bool run_match(struct rehearsing *rehearsing, const char *filter, const char *base, struct receipt *receipt)
{
    static const char *const nothing[] = { LDAP_NO_ATTRS, NULL };
    cleanup_answer struct answer answer = { 0 };

    if (!look(rehearsing, base, LDAP_SCOPE_SUBTREE, filter, nothing, &answer, receipt))
        return false;
    bool fine = answer.code == LDAP_SUCCESS || answer.code == LDAP_SIZELIMIT_EXCEEDED || answer.code == LDAP_NO_SUCH_OBJECT;
    if (!fine)
        TELL_REFUSED(rehearsing, &answer, receipt,
                     "match: %s cannot be searched for below \"%s\"; is each of its attributes indexed?", filter, base);
    return true;
}

static void check_filter_names(struct rehearsing *rehearsing, const char *filter)
{
    static const char *const none[] = { NULL };
    const char **names = rehearsing->schema.known ? protect_names(none, filter) : NULL;

    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        if (!schema_has_attribute(&rehearsing->schema, names[i]))
            TELL(rehearsing, "match: %s is not in this server's schema, so %s finds nobody", names[i], filter);
    protect_free_names(none, names);
}

static bool check_match(struct rehearsing *rehearsing, struct receipt *receipt)
{
    const struct connector_rehearsal *rehearsal = rehearsing->rehearsal;
    cleanup_free char *context = session_base(rehearsing->session, rehearsal->places->dn);
    const char *const anywhere[] = { context, NULL }, *const *bases = rehearsal->bases[0] != NULL ? rehearsal->bases : anywhere;

    for (const char *const *filter = rehearsal->match; *filter != NULL; filter++) {
        check_filter_names(rehearsing, *filter);
        for (const char *const *base = bases; *base != NULL; base++)
            if (is_in_a_context(rehearsing, *base) && !run_match(rehearsing, *filter, *base, receipt))
                return false;
    }
    return true;
}

/* ---- schema ---- */

static bool check_classes(struct rehearsing *rehearsing)
{
    bool known = true;

    for (const char *const *class = rehearsing->rehearsal->classes; *class != NULL; class++) {
        bool has = schema_has_class(&rehearsing->schema, *class);
        known = known && has;
        if (!has)
            TELL(rehearsing, "objectClass: %s is not in this server's schema", *class);
    }
    return known && rehearsing->rehearsal->classes[0] != NULL;
}

static void check_attribute(struct rehearsing *rehearsing, const char *name, bool classes)
{
    const struct schema *schema = &rehearsing->schema;
    const char *real = lock_attribute(name);

    if (!schema_has_attribute(schema, real))
        TELL(rehearsing, "%s is not in this server's schema; is it spelled as the server has it?", real);
    else if (classes && !schema->has_rules && strcasecmp(real, "objectClass") != 0 && !schema_is_operational(schema, real) &&
             !schema_allows(schema, rehearsing->rehearsal->classes, real))
        TELL(rehearsing, "%s: none of the object classes in the mapping has it; add the class that does", real);
}

static void check_schema(struct rehearsing *rehearsing)
{
    const struct connector_rehearsal *rehearsal = rehearsing->rehearsal;

    if (!rehearsing->schema.known) {
        problems_add_once(&rehearsing->notes, "attributes and object classes (the server's schema cannot be read)");
        return;
    }
    bool classes = check_classes(rehearsing);
    for (const char *const *name = rehearsal->names; *name != NULL; name++)
        check_attribute(rehearsing, *name, classes);
    cleanup_free char *missing = classes ? schema_missing(&rehearsing->schema, rehearsal->classes, rehearsal->always) : NULL;
    if (missing != NULL)
        TELL(rehearsing, "%s: the object classes in the mapping demand it, and `account` does not write it", missing);
}

/* ---- the whole ---- */

static bool rehearse_all(struct rehearsing *rehearsing, struct receipt *receipt)
{
    if (!schema_read(rehearsing->session, &rehearsing->schema, receipt) || !check_base(rehearsing, receipt))
        return false;
    for (const struct connector_line *place = rehearsing->rehearsal->places; place->name != NULL; place++)
        if (!check_place(rehearsing, place, receipt))
            return false;
    check_schema(rehearsing);
    return check_match(rehearsing, receipt);
}

static char *lines_of(const struct problems *notes)
{
    struct buf lines = { 0 };

    for (size_t i = 0; i < notes->count; i++)
        buf_printf(&lines, "%s%s", i > 0 ? "\n" : "", notes->list[i].text);
    return lines.length > 0 ? buf_take(&lines) : NULL;
}

void ldap_rehearse(struct connector_session *session, const struct connector_sample *sample, struct problems *problems,
                   char **ret_key, char **ret_note)
{
    struct rehearsing rehearsing = { .session = session, .rehearsal = sample->directory, .problems = problems };
    struct receipt receipt = { 0 };

    if (!rehearse_all(&rehearsing, &receipt))
        tell_receipt(&rehearsing, &receipt);
    *ret_key = NULL;
    *ret_note = lines_of(&rehearsing.notes);
    receipt_clear(&receipt);
    schema_clear(&rehearsing.schema);
    problems_free(&rehearsing.notes);
}
