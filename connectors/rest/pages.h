/*
 * pages.h: the items of an answer, through all its pages.
 *
 * A mapping's `next` says how an API divides a list: a Link header (RFC 8288),
 * a cursor, a number of a page, an offset, or the URL of the next page (of the
 * same origin only). A listing ends where the API says so; where it gives
 * numbers only, at `total` or at the first page without items, since a server may
 * give fewer items than were asked for.
 * REJECTED is what has no end: a page that was asked for before, the same items
 * twice in a row (an API that takes no notice of the parameter), EMPTY_PAGES_MOST
 * without any, more than PAGES_MOST, or LOOK_PAGES_MOST where one account is looked
 * for: a worker would be lost to it.
 * Ownership: items are borrowed during the callback. Threads: the session's.
 */
#ifndef PROVOST_CONNECTORS_REST_PAGES_H
#define PROVOST_CONNECTORS_REST_PAGES_H

#include "connectors/rest/session.h"

#define PAGES_MOST 100000
#define LOOK_PAGES_MOST 20
#define EMPTY_PAGES_MOST 100

/* code, name in mapping files */
#define NEXT_LIST(X)                                                                                                             \
    X(LINK_HEADER, "link_header")                                                                                                \
    X(CURSOR, "cursor")                                                                                                          \
    X(PAGE, "page")                                                                                                              \
    X(OFFSET, "offset")                                                                                                          \
    X(NEXT_URL, "next_url")

enum next {
#define X(code, name) NEXT_##code,
    NEXT_LIST(X)
#undef X
        NEXT_COUNT
};
extern const char *const next_names[]; /* NULL-terminated */

/* 0 to go on, 1 to end with success, negative to end with what it put into the receipt. */
typedef int pages_item(void *arg, const json_t *item, const struct reply *reply, struct receipt *receipt);

/* What a walk has seen. */
struct pages_seen {
    long long items;
    bool absent; /* of groups_of: there was no list in the answer */
    bool more;   /* the mapping has no `next`, and the answer shows that there are more */
};

/* Without `items`, the one item of the answer. APPLIED, or a failure; GONE
 * where a single item is not there. *ret_seen may be NULL. */
enum outcome pages_walk(struct connector_session *session, const struct call *call, pages_item *each, void *arg,
                        struct pages_seen *ret_seen, struct receipt *receipt);

/* The target of rel="next" in a Link header (RFC 8288 §3), the caller's; NULL: none. */
char *pages_link_next(const char *header);

/* `reference` seen from the page at `from` (absolute): the URL of the next
 * page, the caller's. ERROR_DENIED when it leads to another origin. */
int pages_resolve(const char *from, const char *reference, char **ret_url, struct error *error);

#endif
