#include "connectors/http/request.h"

#include <strings.h>

#include "base/str.h"
#include "connectors/http/url.h"

bool http_header_name_is_valid(const char *name)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    return *name != '\0' && name[strspn(name, token)] == '\0';
}

static bool header_value_is_valid(const char *value)
{
    for (; *value != '\0'; value++)
        if ((*value < ' ' && *value >= 0 && *value != '\t') || *value == 0x7f)
            return false;
    return true;
}

bool request_is_absolute(const char *target)
{
    return strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0;
}

static bool target_is_valid(const char *target)
{
    for (; *target != '\0'; target++)
        if ((unsigned char)*target <= ' ' || *target == 0x7f)
            return false;
    return true;
}

const char *request_fault(const struct http_settings *settings, const struct http_request *request)
{
    const char *target = request->target;

    if (!http_header_name_is_valid(request->method))
        return "the method is no HTTP method";
    if (!target_is_valid(target))
        return "the path has a space or a control character, which has to be percent-encoded";
    if (request_is_absolute(target) && !url_same_origin(settings->url, target))
        return "it leads to another host, port or scheme than url, where the credentials do not belong";
    if (!request_is_absolute(target) && *target != '/' && *target != '?' && *target != '\0')
        return "the path does not begin with a slash";
    for (const struct http_header *header = request->headers; header != NULL && header->name != NULL; header++) {
        if (!http_header_name_is_valid(header->name))
            return "a header's name has a character that none can have";
        if (header->value == NULL || !header_value_is_valid(header->value))
            return "a header's value has a control character";
    }
    return NULL;
}

void http_encode(struct buf *buf, const char *bytes, size_t length)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\0' && strchr(unreserved, bytes[i]) != NULL)
            buf_add_char(buf, bytes[i]);
        else
            buf_printf(buf, "%%%02X", (unsigned char)bytes[i]);
}
