#include "connectors/ldap/schema.h"

#include <ldap_schema.h>

#include "base/str.h"

#define DEPTH_MAX 20

/* ---- reading ---- */

static bool read_one(struct connector_session *session, const char *dn, const char *const *names, struct answer *answer,
                     struct receipt *receipt)
{
    const struct request request = { .kind = REQUEST_SEARCH, .dn = dn, .scope = LDAP_SCOPE_BASE, .filter = "(objectClass=*)",
                                     .attributes = names, .optional = true };

    return session_ask(session, &request, answer, receipt);
}

static struct berval **values_of(struct connector_session *session, const struct answer *answer, const char *name)
{
    LDAPMessage *entry = answer_entry(session, answer);

    return entry != NULL ? ldap_get_values_len(session->ld, entry, name) : NULL;
}

static bool read_at(struct connector_session *session, const char *dn, struct schema *schema, struct receipt *receipt)
{
    static const char *const names[] = { "attributeTypes", "objectClasses", "dITContentRules", NULL };
    cleanup_answer struct answer answer = { 0 };

    if (!read_one(session, dn, names, &answer, receipt))
        return false;
    struct berval **rules = values_of(session, &answer, "dITContentRules");
    schema->types = values_of(session, &answer, "attributeTypes");
    schema->classes = values_of(session, &answer, "objectClasses");
    schema->known = schema->types != NULL && schema->classes != NULL;
    schema->has_rules = rules != NULL;
    ldap_value_free_len(rules);
    return true;
}

bool schema_read(struct connector_session *session, struct schema *ret_schema, struct receipt *receipt)
{
    static const char *const names[] = { "subschemaSubentry", NULL };
    cleanup_answer struct answer answer = { 0 };

    if (!read_one(session, "", names, &answer, receipt))
        return false;
    struct berval **places = values_of(session, &answer, "subschemaSubentry");
    cleanup_free char *dn = places != NULL && places[0] != NULL ? strndup(places[0]->bv_val, places[0]->bv_len) : NULL;
    ldap_value_free_len(places);
    return dn == NULL || read_at(session, dn, ret_schema, receipt);
}

void schema_clear(struct schema *schema)
{
    ldap_value_free_len(schema->types);
    ldap_value_free_len(schema->classes);
    *schema = (struct schema){ 0 };
}

/* ---- definitions ---- */

static bool is_named(char *const *names, const char *oid, const char *name)
{
    bool found = oid != NULL && strcmp(oid, name) == 0;

    for (; !found && names != NULL && *names != NULL; names++)
        found = strcasecmp(*names, name) == 0;
    return found;
}

static bool may_be(const struct berval *definition, const char *name)
{
    cleanup_free char *text = strndup(definition->bv_val, definition->bv_len);

    return text != NULL && strcasestr(text, name) != NULL; /* reading each definition as a whole takes long */
}

/* The caller's, for ldap_attributetype_free; NULL: none. */
static LDAPAttributeType *find_type(const struct schema *schema, const char *name)
{
    const char *mistake;
    int code;

    for (size_t i = 0; schema->types != NULL && schema->types[i] != NULL; i++) {
        if (!may_be(schema->types[i], name))
            continue;
        LDAPAttributeType *type = ldap_str2attributetype(schema->types[i]->bv_val, &code, &mistake, LDAP_SCHEMA_ALLOW_ALL);
        if (type != NULL && is_named(type->at_names, type->at_oid, name))
            return type;
        ldap_attributetype_free(type);
    }
    return NULL;
}

static LDAPObjectClass *find_class(const struct schema *schema, const char *name)
{
    const char *mistake;
    int code;

    for (size_t i = 0; schema->classes != NULL && schema->classes[i] != NULL; i++) {
        if (!may_be(schema->classes[i], name))
            continue;
        LDAPObjectClass *class = ldap_str2objectclass(schema->classes[i]->bv_val, &code, &mistake, LDAP_SCHEMA_ALLOW_ALL);
        if (class != NULL && is_named(class->oc_names, class->oc_oid, name))
            return class;
        ldap_objectclass_free(class);
    }
    return NULL;
}

static LDAPAttributeType *find_plain(const struct schema *schema, const char *name)
{
    cleanup_free char *plain = strndup(name, strcspn(name, ";"));

    return plain != NULL ? find_type(schema, plain) : NULL;
}

bool schema_has_attribute(const struct schema *schema, const char *name)
{
    LDAPAttributeType *type = find_plain(schema, name);
    bool has = type != NULL;

    ldap_attributetype_free(type);
    return has;
}

bool schema_has_class(const struct schema *schema, const char *name)
{
    LDAPObjectClass *class = find_class(schema, name);
    bool has = class != NULL;

    ldap_objectclass_free(class);
    return has;
}

bool schema_is_operational(const struct schema *schema, const char *name)
{
    LDAPAttributeType *type = find_plain(schema, name);
    bool is = type != NULL && type->at_usage != LDAP_SCHEMA_USER_APPLICATIONS;

    ldap_attributetype_free(type);
    return is;
}

/* ---- what classes take ---- */

/* Is one of the names the attribute, under whatever name? */
static bool lists(const struct schema *schema, const char *const *names, const char *name)
{
    LDAPAttributeType *type = find_plain(schema, name);
    bool found = false;

    for (; names != NULL && *names != NULL && !found; names++) {
        cleanup_free char *plain = strndup(*names, strcspn(*names, ";"));
        found = plain != NULL &&
                (strcasecmp(plain, name) == 0 || (type != NULL && is_named(type->at_names, type->at_oid, plain)));
    }
    ldap_attributetype_free(type);
    return found;
}

static bool class_allows(const struct schema *schema, const char *class_name, const char *name, int depth)
{
    LDAPObjectClass *class = depth < DEPTH_MAX ? find_class(schema, class_name) : NULL;
    bool allows = class != NULL && (strcasecmp(class_name, "extensibleObject") == 0 ||
                                    lists(schema, (const char *const *)class->oc_at_oids_must, name) ||
                                    lists(schema, (const char *const *)class->oc_at_oids_may, name));

    for (char **sup = class != NULL ? class->oc_sup_oids : NULL; sup != NULL && *sup != NULL && !allows; sup++)
        allows = class_allows(schema, *sup, name, depth + 1);
    ldap_objectclass_free(class);
    return allows;
}

bool schema_allows(const struct schema *schema, const char *const *classes, const char *name)
{
    bool allows = false;

    for (; *classes != NULL && !allows; classes++)
        allows = class_allows(schema, *classes, name, 0);
    return allows;
}

static char *class_missing(const struct schema *schema, const char *class_name, const char *const *names, int depth)
{
    LDAPObjectClass *class = depth < DEPTH_MAX ? find_class(schema, class_name) : NULL;
    char *missing = NULL;

    for (char **must = class != NULL ? class->oc_at_oids_must : NULL; must != NULL && *must != NULL && missing == NULL; must++)
        if (!lists(schema, names, *must))
            missing = strdup(*must);
    for (char **sup = class != NULL ? class->oc_sup_oids : NULL; sup != NULL && *sup != NULL && missing == NULL; sup++)
        missing = class_missing(schema, *sup, names, depth + 1);
    ldap_objectclass_free(class);
    return missing;
}

char *schema_missing(const struct schema *schema, const char *const *classes, const char *const *names)
{
    char *missing = NULL;

    for (; *classes != NULL && missing == NULL; classes++)
        missing = class_missing(schema, *classes, names, 0);
    return missing;
}
