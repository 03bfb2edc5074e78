/*
 * url.h: the few things that have to be known of a URL, by libcurl's own parser.
 *
 * Ownership: what is returned is the caller's. Threads: no state.
 * Sources: RFC 3986; RFC 6454 (origin).
 */
#ifndef PROVOST_CONNECTORS_HTTP_URL_H
#define PROVOST_CONNECTORS_HTTP_URL_H

#include <stdbool.h>

struct url_parts {
    char *origin; /* "https://api.example.com:8443", the scheme's own port left out */
    char *host;   /* without brackets */
    bool tls;
    bool has_user, has_query, has_fragment;
};

/* False when it is no http or https URL with a host (nothing to clear then). */
bool url_parse(const char *url, struct url_parts *ret_parts);
void url_parts_clear(struct url_parts *parts);

/* Is this host this machine itself? */
bool url_host_is_loopback(const char *host);

/* Same scheme, host and port. */
bool url_same_origin(const char *a, const char *b);

/* What `location` means when it comes as an answer of `base`; NULL: cannot be read. */
char *url_resolve(const char *base, const char *location);

#endif
