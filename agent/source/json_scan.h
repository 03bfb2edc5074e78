/*
 * json_scan.h: walks over JSON text in place, checking it on the way.
 *
 * Purpose: an intake that accepts tens of thousands of bodies a second wants
 * a dozen strings out of each and the rest as it is. A tree of the whole body
 * (jansson) costs several times as much, and does not tell where a value
 * began, so that keeping the raw event would mean writing it out again.
 *
 * Calling sequence
 *     json_scan_start(&scan, text, length, 64);
 *     if (json_scan_kind(&scan) == JSON_KIND_OBJECT && json_scan_enter(&scan))
 *         while (json_scan_member(&scan, &key))
 *             ... json_scan_string(), json_scan_enter() …, or json_scan_skip() ...
 *     if (!json_scan_finish(&scan)) ... scan.problem, json_scan_offset(&scan) ...
 * Each member or element must be consumed before the next is asked for. After
 * the first problem every call returns false, so it may be looked at once, at
 * the end. `scan->at` before and after a value is where it began and ended.
 *
 * What is accepted: exactly RFC 8259 in UTF-8, nested to `depth_most`. Two
 * things that are valid JSON but cannot be a C string in UTF-8, \u0000 and half of a
 * surrogate pair, are told by json_slice_decode.
 * Ownership: slices point into the text. Threads: no shared state.
 */
#ifndef PROVOST_SOURCE_JSON_SCAN_H
#define PROVOST_SOURCE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct json_scan {
    const char *start, *at, *end;
    int depth, depth_most;
    bool first;          /* in a container of which nothing was read yet */
    const char *problem; /* NULL: none so far; a sentence's end: "a value was expected" */
};

/* What stands between a string's quotes. */
struct json_slice {
    const char *at; /* NULL: absent */
    size_t length;
    bool escaped;   /* holds backslashes */
};

enum json_kind { JSON_KIND_BAD, JSON_KIND_OBJECT, JSON_KIND_ARRAY, JSON_KIND_STRING, JSON_KIND_OTHER };

void json_scan_start(struct json_scan *scan, const char *text, size_t length, int depth_most);
enum json_kind json_scan_kind(struct json_scan *scan); /* of the value that comes; moves to where it begins */
bool json_scan_enter(struct json_scan *scan);          /* into the object or array that comes */
bool json_scan_member(struct json_scan *scan, struct json_slice *ret_key); /* false: it ended */
bool json_scan_element(struct json_scan *scan);                            /* the same */
bool json_scan_string(struct json_scan *scan, struct json_slice *ret_slice);
bool json_scan_skip(struct json_scan *scan); /* over any one value */
bool json_scan_finish(struct json_scan *scan);
size_t json_scan_offset(const struct json_scan *scan); /* in bytes, for messages */

/* Whether the decoded text is this word (shorter than 64 bytes). */
bool json_slice_is(const struct json_slice *slice, const char *word);

/* Decodes into `text` (slice->length + 1 bytes are enough), NUL-terminated.
 * False when it holds NUL or half a surrogate pair. */
bool json_slice_decode(const struct json_slice *slice, char *text);

#endif
