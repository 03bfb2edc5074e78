/*
 * escape.h: makes text from outside harmless in the place where it lands.
 *
 * escape_add appends `bytes`, escaped for the place, to a buffer. Any bytes
 * are taken, NUL too. What comes out can be put inside constant text of that
 * place and cannot end it: no new RDN, filter item, path segment or header.
 * Ownership: the buffer's. Threads: no state. Errors: buf->failed.
 * Sources: RFC 4514 (DN), RFC 4515 (filter), RFC 3986 (URL), RFC 9110
 * (header), RFC 8259 (JSON).
 */
#ifndef PROVOST_PLAN_ESCAPE_H
#define PROVOST_PLAN_ESCAPE_H

#include "base/str.h"
#include "connectors/connector.h"

void escape_add(struct buf *buf, enum escape escape, const char *bytes, size_t length);

#endif
