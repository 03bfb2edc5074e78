/*
 * str.h: a growing byte buffer and the few string helpers that libc lacks.
 *
 * Calling sequence:
 *     struct buf buf = { 0 };
 *     buf_printf(&buf, "%s=%d", name, n);
 *     if (buf.failed) ... out of memory, looked at once at the end ...
 *     char *text = buf_take(&buf);       (caller frees)
 *     buf_free(&buf);
 *
 * Ownership: a buf owns its bytes until buf_take. The bytes are always
 * NUL-terminated; `length` leaves that NUL out. Once an allocation has failed
 * every later call is a no-op and buf_take returns NULL.
 * Threads: one at a time for each buf.
 */
#ifndef PROVOST_BASE_STR_H
#define PROVOST_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

struct buf {
    char *bytes;
    size_t length;
    size_t capacity;
    bool failed;
};

void buf_add(struct buf *buf, const void *bytes, size_t length);
void buf_add_str(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void buf_reset(struct buf *buf); /* empties, keeps the memory */
char *buf_take(struct buf *buf); /* "" when nothing was added */
void buf_free(struct buf *buf);  /* NULL is allowed */
static inline void cleanup_buf_free(struct buf *buf)
{
    buf_free(buf);
}
#define cleanup_buf __attribute__((cleanup(cleanup_buf_free)))

/* printf into a new string; NULL when out of memory. */
char *str_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* strdup that lets NULL through. */
char *str_dup(const char *text);

static inline bool str_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* Cuts an incomplete UTF-8 sequence off the end, in place. */
void str_trim_partial_utf8(char *text);
bool str_is_utf8(const char *bytes, size_t length);
/* Bytes of the first character; 0 at the end, 1 for what is no UTF-8. Not safe
 * to show on a terminal or in a log: a control character (C0, DEL, C1), a
 * separator of lines, one that turns the direction of writing, no UTF-8. */
size_t str_character(const char *text, bool *ret_safe);
/* Adds `text`, the bytes of what is not safe to show as \xNN. */
void buf_add_visible(struct buf *buf, const char *text);

/* FNV-1a, from STR_HASH_START or an earlier hash on: tells texts apart that nobody made to be alike. */
#define STR_HASH_START UINT64_C(14695981039346656037)
uint64_t str_hash(uint64_t hash, const char *bytes, size_t length);

/* The entry of a NULL-terminated list that is nearest to `word` (edit distance
 * of at most a third of its length), or NULL: for "did you mean". */
const char *str_nearest(const char *word, const char *const *list);

/* Whole-string conversions; false (output untouched) on anything else. */
bool str_to_int64(const char *text, long long *ret_value);
/* The same for numbers as other programs write them: 514, " +0514", "0x202 " (no octal). */
bool str_to_number(const char *text, long long *ret_value);

/* "30 days", "10 s", "250 ms", "2 hours", "1 week" → microseconds; a bare
 * number is refused. False on anything else or on overflow. */
bool str_to_duration_us(const char *text, long long *ret_us);

#endif
