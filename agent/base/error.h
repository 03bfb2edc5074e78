/*
 * error.h: one list of error codes, and a sentence that travels with a failure.
 *
 * Purpose: a function that can fail returns 0 or a negative code from the
 * list below and, where the caller passes a `struct error`, fills in one
 * sentence that says what failed, where, what was seen and what would be right.
 *
 * Calling sequence:
 *     struct error error = { 0 };
 *     if (foo_open(path, &foo, &error) < 0)
 *         log_error("%s", error.text);
 *
 * Ownership: the caller owns `struct error`; it holds no pointers. NULL is
 * allowed wherever a `struct error *` is taken.
 * Threads: no shared state.
 * Outputs (`ret_x`) stay untouched when a function fails.
 */
#ifndef PROVOST_BASE_ERROR_H
#define PROVOST_BASE_ERROR_H

#include <stdarg.h>

/* code, name, sentence */
#define ERROR_LIST(X)                                                       \
    X(NOMEM, "no-memory", "out of memory")                                  \
    X(INVALID, "invalid", "invalid value")                                  \
    X(SYNTAX, "syntax", "syntax error")                                     \
    X(NOTFOUND, "not-found", "not found")                                   \
    X(EXISTS, "exists", "exists already")                                   \
    X(AMBIGUOUS, "ambiguous", "more than one matches")                      \
    X(DENIED, "denied", "permission denied")                                \
    X(IO, "io", "input/output error")                                       \
    X(FULL, "full", "no space left")                                        \
    X(READONLY, "read-only", "read-only")                                   \
    X(BUSY, "busy", "locked by another process")                            \
    X(CORRUPT, "corrupt", "damaged data")                                   \
    X(VERSION, "version", "unsupported version")                            \
    X(TIMEOUT, "timeout", "took too long")                                  \
    X(CLOSED, "closed", "shutting down")                                    \
    X(TOOBIG, "too-big", "too big")                                         \
    X(STALE, "stale", "the lease is no longer ours")                        \
    X(NETWORK, "network", "network error")                                  \
    X(INTERNAL, "internal", "internal error")

enum error_code {
    ERROR_OK = 0,
#define X(code, name, sentence) ERROR_POSITIVE_##code,
    ERROR_LIST(X)
#undef X
#define X(code, name, sentence) ERROR_##code = -ERROR_POSITIVE_##code,
        ERROR_LIST(X)
#undef X
};

#define ERROR_TEXT_BYTES 1024

struct error {
    int code; /* 0 or a negative ERROR_ code */
    char text[ERROR_TEXT_BYTES];
};

/* Fills in `error` (when not NULL) and returns `code`. Text that is too long
 * is cut at a character boundary. */
int error_set(struct error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int error_vset(struct error *error, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Puts "context: " before the sentence that is there; returns error->code. */
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Out of memory, in one call. */
int error_nomem(struct error *error);

/* The nearest code for an errno. */
int error_from_errno(int errnum);

/* "no-memory" and "out of memory" for a code; never NULL. */
const char *error_name(int code);
const char *error_sentence(int code);

#endif
