#include "connectors/http/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <strings.h>

#include "base/str.h"

static void url_handle_free(CURLU *handle)
{
    curl_url_cleanup(handle);
}
DEFINE_CLEANUP(CURLU, url_handle_free);

/* A copy of our own, so that one way of freeing is enough; NULL: not there. */
static char *part(CURLU *handle, CURLUPart which, unsigned flags)
{
    char *text = NULL;

    if (curl_url_get(handle, which, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = str_dup(text);
    curl_free(text);
    return copy;
}

static bool has_part(CURLU *handle, CURLUPart which)
{
    cleanup_free char *text = part(handle, which, 0);

    return text != NULL;
}

static char *host_of(CURLU *handle)
{
    char *host = part(handle, CURLUPART_HOST, 0);
    size_t length = host != NULL ? strlen(host) : 0;

    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
    }
    return host;
}

static char *origin_of(CURLU *handle, const char *scheme)
{
    cleanup_free char *host = part(handle, CURLUPART_HOST, 0);
    cleanup_free char *port = part(handle, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);

    return host == NULL ? NULL : str_printf("%s://%s%s%s", scheme, host, port != NULL ? ":" : "", port != NULL ? port : "");
}

bool url_parse(const char *url, struct url_parts *ret_parts)
{
    cleanup_of(url_handle_free) CURLU *handle = curl_url();

    if (handle == NULL || curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return false;
    cleanup_free char *scheme = part(handle, CURLUPART_SCHEME, 0);
    if (scheme == NULL || (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
        return false;
    struct url_parts parts = {
        .origin = origin_of(handle, scheme),
        .host = host_of(handle),
        .tls = strcasecmp(scheme, "https") == 0,
        .has_user = has_part(handle, CURLUPART_USER) || has_part(handle, CURLUPART_PASSWORD),
        .has_query = has_part(handle, CURLUPART_QUERY),
        .has_fragment = has_part(handle, CURLUPART_FRAGMENT),
    };
    if (parts.origin == NULL || parts.host == NULL || *parts.host == '\0') {
        url_parts_clear(&parts);
        return false;
    }
    *ret_parts = parts;
    return true;
}

void url_parts_clear(struct url_parts *parts)
{
    free(parts->origin);
    free(parts->host);
    *parts = (struct url_parts){ 0 };
}

bool url_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool url_same_origin(const char *a, const char *b)
{
    struct url_parts one = { 0 }, other = { 0 };
    bool same = url_parse(a, &one) && url_parse(b, &other) && strcasecmp(one.origin, other.origin) == 0;

    url_parts_clear(&one);
    url_parts_clear(&other);
    return same;
}

char *url_resolve(const char *base, const char *location)
{
    cleanup_of(url_handle_free) CURLU *handle = curl_url();

    if (handle == NULL || curl_url_set(handle, CURLUPART_URL, base, 0) != CURLUE_OK ||
        curl_url_set(handle, CURLUPART_URL, location, CURLU_PATH_AS_IS) != CURLUE_OK)
        return NULL;
    curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
    return part(handle, CURLUPART_URL, 0);
}
