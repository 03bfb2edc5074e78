/*
 * mask.h: takes secrets out of text that a person will read.
 *
 * Calling sequence: mask_add_settings, mask_add → mask_text … → mask_clear.
 * Each secret is known in the forms in which a server may echo it: as it is,
 * percent-encoded, inside JSON, in base64 as Basic sends it.
 * Ownership: a mask owns copies, which mask_clear wipes. Threads: one at a time.
 * Errors: out of memory sets `failed`; mask_text then answers NULL.
 */
#ifndef PROVOST_CONNECTORS_HTTP_MASK_H
#define PROVOST_CONNECTORS_HTTP_MASK_H

#include "connectors/http/settings.h"

struct mask {
    char **forms;
    size_t count;
    bool failed;
};

void mask_add(struct mask *mask, const char *secret); /* NULL and "": nothing */
void mask_add_settings(struct mask *mask, const struct http_settings *settings);
void mask_clear(struct mask *mask);

/* A copy with every secret as "***" and control characters escaped, of at most `most` bytes; NULL: out of memory. */
char *mask_text(const struct mask *mask, const char *text, size_t length, size_t most);

#endif
