/*
 * patch.h: what a request says is to be changed, in the forms that APIs take.
 *
 * Each makes a JSON body; `send` names them in mapping files:
 *     object       all attributes, at their pointers
 *     document     the document as read, with the differences applied
 *     changes      the changed attributes, whole; null for one that goes
 *     merge_patch  RFC 7386: of an object only the members that differ
 *     json_patch   RFC 6902: add, replace, remove, with escaped paths
 *     scim_patch   RFC 7644 §3.5.2: PatchOp, with attribute paths for pointers
 * Nothing in them but differences, so a list within a document is sent whole.
 * Ownership: the body is the caller's. Threads: no state.
 * Errors: ERROR_INVALID naming the pointer, never a value; ERROR_NOMEM.
 */
#ifndef PROVOST_CONNECTORS_REST_PATCH_H
#define PROVOST_CONNECTORS_REST_PATCH_H

#include "connectors/rest/value.h"

/* code, name in mapping files, content type */
#define SEND_LIST(X)                                                                                                             \
    X(NONE, "none", NULL)                                                                                                        \
    X(OBJECT, "object", "application/json")                                                                                      \
    X(DOCUMENT, "document", "application/json")                                                                                  \
    X(CHANGES, "changes", "application/json")                                                                                    \
    X(MERGE_PATCH, "merge_patch", "application/merge-patch+json")                                                                \
    X(JSON_PATCH, "json_patch", "application/json-patch+json")                                                                   \
    X(SCIM_PATCH, "scim_patch", "application/scim+json")

enum send {
#define X(code, name, type) SEND_##code,
    SEND_LIST(X)
#undef X
        SEND_COUNT
};
extern const char *const send_names[];         /* NULL-terminated */
extern const char *const send_content_types[]; /* by enum send; NULL: none */

/* What the body is made of. All borrowed. */
struct patch_input {
    const json_t *values;   /* OBJECT: the whole account */
    const json_t *pointers; /* of the mapping; NULL: none */
    const json_t *document; /* as read; DOCUMENT, and for the differences */
    const struct differences *differences;
};
int patch_make(enum send send, const struct patch_input *input, json_t **ret_body, struct error *error);

/* One value into or out of a group's list: PatchOp (RFC 7644 §3.5.2.1, .2). */
int patch_scim_member(bool add, const char *attribute, const char *value, json_t **ret_body, struct error *error);

/* The attribute path that a pointer is in SCIM: "/name/givenName" is
 * name.givenName, "/urn:…:User/department" urn:…:User:department. The caller
 * frees; NULL: it cannot be one (an entry of a list), or out of memory. */
char *patch_scim_path(const char *pointer);

#endif
