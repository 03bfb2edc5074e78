/* base64.h: RFC 4648, both alphabets. Out of memory leaves buf->failed. Threads: no state. */
#ifndef PROVOST_CONNECTORS_HTTP_BASE64_H
#define PROVOST_CONNECTORS_HTTP_BASE64_H

#include "base/str.h"

void base64_add(struct buf *buf, const void *bytes, size_t length);    /* §4, padded */
void base64url_add(struct buf *buf, const void *bytes, size_t length); /* §5, not padded */

#endif
