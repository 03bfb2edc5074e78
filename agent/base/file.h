/*
 * file.h: whole files in and out, and secrets.
 * Ownership: what is returned is the caller's to free(). Threads: no state.
 * Errors: name the path and the reason.
 */
#ifndef PROVOST_BASE_FILE_H
#define PROVOST_BASE_FILE_H

#include <stddef.h>

#include "base/error.h"

/* The whole file, NUL-terminated; ERROR_TOOBIG past `limit_bytes`. */
int file_read(const char *path, size_t limit_bytes, char **ret_bytes, size_t *ret_length, struct error *error);

/* "dir/name", or `name` itself where it is absolute; NULL: out of memory. */
char *file_join(const char *dir, const char *name);

/*
 * Resolves "file:PATH" (refused when others can read it; one trailing newline
 * is cut off), "env:NAME", "credential:NAME" (systemd's
 * $CREDENTIALS_DIRECTORY). Anything else is refused, so that a password typed
 * into the configuration does not pass unnoticed. The text is never part of
 * an error. Free it with secret_free, which wipes it first.
 */
int secret_read(const char *reference, char **ret_secret, struct error *error);
void secret_free(char *secret); /* NULL is allowed */

#endif
