/*
 * call.h: one request of a mapping file, as rendered for one person.
 *
 * The agent hands over { "requests": { … }, "result": { … }, "pointers": { … } }
 * (struct connector_group); call_find picks a request out of it and puts in
 * the defaults: the method, what is sent, how the answer is read.
 * Ownership: a call borrows all from the settings it was found in.
 * Threads: no state. Errors: ERROR_NOTFOUND: the mapping has no such request;
 * ERROR_INVALID: what was rendered cannot be read.
 */
#ifndef PROVOST_CONNECTORS_REST_CALL_H
#define PROVOST_CONNECTORS_REST_CALL_H

#include "connectors/connector.h"
#include "connectors/rest/patch.h"

/* code, name in mapping files, method unless said otherwise */
#define CALL_LIST(X)                                                                                                             \
    X(READ, "read", "GET")                                                                                                       \
    X(MATCH, "match", "GET")                                                                                                     \
    X(LIST, "list", "GET")                                                                                                       \
    X(GROUPS_OF, "groups_of", "GET")                                                                                             \
    X(CREATE, "create", "POST")                                                                                                  \
    X(UPDATE, "update", "PATCH")                                                                                                 \
    X(DISABLE, "disable", "POST")                                                                                                \
    X(ENABLE, "enable", "POST")                                                                                                  \
    X(REMOVE, "remove", "DELETE")                                                                                                \
    X(MEMBER_ADD, "member_add", "PATCH")                                                                                         \
    X(MEMBER_REMOVE, "member_remove", "PATCH")

enum call_kind {
#define X(code, name, method) CALL_##code,
    CALL_LIST(X)
#undef X
        CALL_COUNT
};
const char *call_name(enum call_kind kind);                 /* never NULL */
enum call_kind call_of_operation(enum operation_kind kind); /* CALL_COUNT: no such request */

/* How an answer is read. */
struct result {
    const char *id, *item;              /* pointers; never NULL */
    const char *error, *failure, *code; /* pointers; NULL: none */
    const json_t *disabled;             /* {"pointer", "values"}; NULL: cannot be told */
    const json_t *codes;                /* [ {"code", "outcome"} ]; NULL: none */
};

struct call {
    enum call_kind kind;
    const char *method, *path;
    const json_t *query, *headers, *body, *where, *exact, *next, *outcomes; /* NULL: none */
    enum send send;
    const char *content_type; /* NULL: that of `send` or body */
    const char *items;        /* pointer to the list of hits; NULL: the answer is one item */
    struct result result;
    const json_t *pointers; /* of the mapping's attributes; NULL: none */
};

/* `changes`: the operation has some, so that a disable or enable is the update
 * request under its own name. For MATCH and GROUPS_OF use call_at. */
int call_find(const json_t *settings, enum call_kind kind, bool changes, struct call *ret_call, struct error *error);

/* Those of a kind that may have several (match, groups_of) and could be rendered, tried in order. */
size_t call_count(const json_t *settings, enum call_kind kind);
int call_at(const json_t *settings, enum call_kind kind, size_t index, struct call *ret_call, struct error *error);
/* The same of MATCH. */
size_t call_match_count(const json_t *settings);
int call_match(const json_t *settings, size_t index, struct call *ret_call, struct error *error);

#endif
