/*
 * escape.h: makes text from outside harmless in the place where it lands.
 *
 * escape_add appends `bytes`, escaped for the place, to a buffer. Any bytes
 * are taken, NUL too. What comes out can be put inside constant text of that
 * place and cannot end it: no new RDN, filter item, path segment or header.
 * Filters and keys of APIs stand in quotes inside other text (SCIM, OData), so
 * a place may have a quote open around it: escape_add_within escapes for that
 * first. Which one it is, escape_quote_after tells from the constant text.
 * Ownership: the buffer's. Threads: no state. Errors: buf->failed.
 * Sources: RFC 4514 (DN), RFC 4515 (filter), RFC 3986 (URL), RFC 9110
 * (header), RFC 8259 (JSON), RFC 7644 section 3.4.2.2 and OData 4.01 URL
 * conventions section 2.2 (quotes).
 */
#ifndef PROVOST_PLAN_ESCAPE_H
#define PROVOST_PLAN_ESCAPE_H

#include "base/str.h"
#include "connectors/connector.h"

void escape_add(struct buf *buf, enum escape escape, const char *bytes, size_t length);
/* `quote`: '"' or '\'' stands open around it; '\0': none. Only ESCAPE_QUOTED and the two of URLs have any. */
void escape_add_within(struct buf *buf, enum escape escape, char quote, const char *bytes, size_t length);

/* The quote that is open behind `text`, given what was open before it. A
 * backslash: `text` ends in one that would escape what follows. */
#define QUOTE_BACKSLASH '\\'
char escape_quote_after(char quote, const char *text, size_t length);

#endif
