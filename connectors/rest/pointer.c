#include "connectors/rest/pointer.h"

#include <ctype.h>
#include <stdint.h>

bool pointer_is_valid(const char *pointer)
{
    if (*pointer != '\0' && *pointer != '/')
        return false;
    for (; *pointer != '\0'; pointer++)
        if (*pointer == '~' && pointer[1] != '0' && pointer[1] != '1')
            return false;
    return true;
}

bool pointer_next(const char **rest, struct buf *part)
{
    const char *p = *rest;

    if (*p != '/')
        return false;
    buf_reset(part);
    buf_add(part, "", 0);
    for (p++; *p != '\0' && *p != '/'; p++) {
        if (*p == '~' && p[1] != '0' && p[1] != '1')
            return false;
        buf_add_char(part, *p != '~' ? *p : *++p == '1' ? '/' : '~');
    }
    *rest = p;
    return !part->failed;
}

void pointer_add(struct buf *pointer, const char *name)
{
    buf_add_char(pointer, '/');
    for (; *name != '\0'; name++) {
        if (*name == '~' || *name == '/')
            buf_add_str(pointer, *name == '~' ? "~0" : "~1");
        else
            buf_add_char(pointer, *name);
    }
}

bool pointer_index(const char *part, size_t *ret_index)
{
    size_t index = 0;

    if (*part == '\0' || (part[0] == '0' && part[1] != '\0') || strlen(part) > 9)
        return false;
    for (; *part != '\0'; part++) {
        if (!isdigit((unsigned char)*part))
            return false;
        index = index * 10 + (size_t)(*part - '0');
    }
    *ret_index = index;
    return true;
}

static json_t *member(const json_t *container, const char *part)
{
    size_t index;

    if (json_is_object(container))
        return json_object_get(container, part);
    return json_is_array(container) && pointer_index(part, &index) ? json_array_get(container, index) : NULL;
}

json_t *pointer_get(const json_t *document, const char *pointer)
{
    cleanup_buf struct buf part = { 0 };
    const json_t *at = document;

    if (!pointer_is_valid(pointer))
        return NULL;
    while (at != NULL && pointer_next(&pointer, &part))
        at = member(at, part.bytes);
    return part.failed ? NULL : (json_t *)(uintptr_t)at;
}

json_t *pointer_get_value(const json_t *document, const char *pointer)
{
    json_t *value = pointer_get(document, pointer);

    return json_is_null(value) ? NULL : value;
}

/* Takes over `value`. Negative: there is no such place. */
static int put(json_t *container, const char *part, json_t *value)
{
    size_t index;

    if (json_is_object(container))
        return json_object_set_new(container, part, value);
    if (json_is_array(container) &&
        (strcmp(part, "-") == 0 || (pointer_index(part, &index) && index == json_array_size(container))))
        return json_array_append_new(container, value);
    if (json_is_array(container) && pointer_index(part, &index))
        return json_array_set_new(container, index, value);
    json_decref(value);
    return -1;
}

/* The object or list that stands at `part`, made where there is none; `rest` says which of the two is needed. */
static json_t *step_into(json_t *container, const char *part, const char *rest)
{
    bool list =
        strncmp(rest, "/0/", 3) == 0 || strcmp(rest, "/0") == 0 || strncmp(rest, "/-/", 3) == 0 || strcmp(rest, "/-") == 0;
    json_t *there = member(container, part);

    if (json_is_object(there) || json_is_array(there))
        return there;
    if (there != NULL && !json_is_null(there))
        return NULL;
    json_t *made = list ? json_array() : json_object();
    return made != NULL && put(container, part, made) == 0 ? made : NULL;
}

int pointer_set(json_t *document, const char *pointer, json_t *value, struct error *error)
{
    cleanup_buf struct buf part = { 0 };
    const char *rest = pointer;
    json_t *at = document;

    if (!pointer_is_valid(pointer) || *pointer == '\0')
        return error_set(error, ERROR_INVALID, "\"%s\" is no pointer to a part of a document; right would be \"/name\"", pointer);
    while (at != NULL && pointer_next(&rest, &part) && *rest != '\0')
        at = step_into(at, part.bytes, rest);
    if (part.failed)
        return error_nomem(error);
    if (at == NULL || put(at, part.bytes, json_incref(value)) < 0)
        return error_set(error, ERROR_INVALID, "nothing can be put at %s: another value stands in the way", pointer);
    return 0;
}

void pointer_remove(json_t *document, const char *pointer)
{
    const char *slash = strrchr(pointer, '/'), *last = slash;
    cleanup_free char *parent = slash != NULL ? strndup(pointer, (size_t)(slash - pointer)) : NULL;
    cleanup_buf struct buf part = { 0 };
    size_t index;

    if (parent == NULL || !pointer_next(&last, &part))
        return;
    json_t *container = pointer_get(document, parent);
    if (json_is_object(container))
        json_object_del(container, part.bytes);
    else if (json_is_array(container) && pointer_index(part.bytes, &index))
        json_array_remove(container, index);
}
