#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

int error_vset(struct error *error, int code, const char *format, va_list args)
{
    if (error != NULL) {
        error->code = code;
        vsnprintf(error->text, sizeof(error->text), format, args);
        str_trim_partial_utf8(error->text);
    }
    return code;
}

int error_set(struct error *error, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_vset(error, code, format, args);
    va_end(args);
    return code;
}

int error_prefix(struct error *error, const char *format, ...)
{
    char before[ERROR_TEXT_BYTES];
    char whole[ERROR_TEXT_BYTES * 2 + 2];
    va_list args;

    if (error == NULL)
        return ERROR_INTERNAL;
    va_start(args, format);
    vsnprintf(before, sizeof(before), format, args);
    va_end(args);
    snprintf(whole, sizeof(whole), "%s: %s", before, error->text);
    whole[sizeof(error->text) - 1] = '\0';
    memcpy(error->text, whole, strlen(whole) + 1);
    str_trim_partial_utf8(error->text);
    return error->code;
}

int error_nomem(struct error *error)
{
    return error_set(error, ERROR_NOMEM, "out of memory");
}

static const struct {
    int errnum;
    int code;
} errno_codes[] = {
    { ENOMEM, ERROR_NOMEM },      { EINVAL, ERROR_INVALID },
    { ENOENT, ERROR_NOTFOUND },   { ENOTDIR, ERROR_NOTFOUND },
    { EEXIST, ERROR_EXISTS },     { EACCES, ERROR_DENIED },
    { EPERM, ERROR_DENIED },      { ENOSPC, ERROR_FULL },
    { EDQUOT, ERROR_FULL },       { EROFS, ERROR_READONLY },
    { EBUSY, ERROR_BUSY },        { EAGAIN, ERROR_BUSY },
    { ETIMEDOUT, ERROR_TIMEOUT }, { EFBIG, ERROR_TOOBIG },
    { ECONNREFUSED, ERROR_NETWORK },
};

int error_from_errno(int errnum)
{
    for (size_t i = 0; i < sizeof(errno_codes) / sizeof(errno_codes[0]); i++)
        if (errno_codes[i].errnum == errnum)
            return errno_codes[i].code;
    return ERROR_IO;
}

static const struct {
    const char *name;
    const char *sentence;
} error_words[] = {
    { "ok", "no error" },
#define X(code, name, sentence) { name, sentence },
    ERROR_LIST(X)
#undef X
};

static size_t word_index(int code)
{
    size_t index = code <= 0 ? (size_t)(-code) : (size_t)code;

    if (index >= sizeof(error_words) / sizeof(error_words[0]))
        return ERROR_POSITIVE_INTERNAL;
    return index;
}

const char *error_name(int code)
{
    return error_words[word_index(code)].name;
}

const char *error_sentence(int code)
{
    return error_words[word_index(code)].sentence;
}
