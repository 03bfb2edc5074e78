/*
 * answer.h: what an API's answer says, strictly.
 *
 * An answer that is not what the mapping says it is (HTML, no JSON, another
 * type at a pointer) is an error, never an empty result: taken for "nobody
 * found" it would make a second account.
 * Ownership: stated per function. Threads: no state.
 * Errors: ERROR_INVALID or ERROR_NOTFOUND with the pointer and the type that
 * was seen, never with a part of the answer (its reader masks that).
 * Sources: RFC 8259 (JSON), RFC 6901 (pointers), RFC 9457 (problem details).
 */
#ifndef PROVOST_CONNECTORS_REST_ANSWER_H
#define PROVOST_CONNECTORS_REST_ANSWER_H

#include "connectors/rest/call.h"

/* The body as JSON, the caller's; names given twice are refused. */
int answer_parse(const char *body, size_t bytes, const char *content_type, json_t **ret_document, struct error *error);

/* Is it JSON by its type or first character; or a page for a person? */
bool answer_is_json(const char *body, const char *content_type);
bool answer_is_html(const char *body, const char *content_type);

/* The list of hits at `call->items`, borrowed; null is an empty one, and so is
 * an absent one where `next.total` says 0 (RFC 7644 §3.4.2). *ret_items is NULL
 * then. ERROR_NOTFOUND: a member's document has no list of its groups, since
 * there are none or it never has (RFC 7643 §2.5). */
int answer_items(const struct call *call, const json_t *document, const json_t **ret_items, struct error *error);

/* Has the group `value` as a member, by its list at the attribute's pointer (of values, or of objects with it as "value", "id" or
 * "key")? -1: the item shows no list. */
int answer_has_member(const json_t *pointers, const json_t *item, const char *attribute, const char *value);

/* Does a page of `count` items show, in one of the ways that are usual, that there are more? */
bool answer_shows_more(const json_t *document, long long count);

/* The one item of an answer without `items`, borrowed: an object. null:
 * ERROR_NOTFOUND, there is none. */
int answer_item(const struct call *call, const json_t *document, const json_t **ret_item, struct error *error);

/* The item's id as text (17 is "17"), the caller's. */
int answer_id(const struct call *call, const json_t *item, char **ret_id, struct error *error);

/* 1, 0, or -1 where `result.disabled` is not given or tells nothing: no value, or one that can
 * be neither of the booleans that the mapping has there. */
int answer_disabled(const struct call *call, const json_t *item);

/* Did a 2xx say that it failed (`result.failure`)? Its code then, the
 * caller's, "" for none; NULL: it did not fail. */
char *answer_failure(const struct call *call, const json_t *document);

/* The API's own words, borrowed: at `result.error`, else where APIs usually
 * put them; NULL: none found. */
const json_t *answer_message(const struct call *call, const json_t *document);

/* 0, or ERROR_INVALID where `where` cannot be held against the hit: what is no
 * object must not pass for somebody else. */
int answer_check_hit(const struct call *call, const json_t *item, struct error *error);

/* What the match looks for, `where` and query parameters of an attribute's name, held
 * against the item regardless of case: 1 confirmed, -1 contradicted, 0 the item says nothing of it. */
int answer_compare(const struct call *match, const json_t *item);

/* Does the hit have what `where` asks for, and is what a query parameter of an
 * attribute's name says not contradicted? In `where` a list is one of these, an
 * empty text is nothing, and case counts in `exact` alone. An API that ignores
 * a filter that it does not know answers with strangers. */
bool answer_is_meant(const struct call *call, const json_t *item);

#endif
