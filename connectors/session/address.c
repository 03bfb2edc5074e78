#include "connectors/session/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/str.h"

static bool read_port(const char *text, int *ret_port)
{
    long long port;

    if (!str_to_int64(text, &port) || port < 1 || port > 65535)
        return false;
    *ret_port = (int)port;
    return true;
}

int address_split(const char *address, int default_port, char **ret_host, int *ret_port)
{
    const char *end = strrchr(address, ':'), *start = address;
    int port = default_port;

    if (*address == '/') {
        char *path = str_dup(address);
        if (path == NULL)
            return ERROR_NOMEM;
        *ret_host = path;
        *ret_port = 0;
        return 0;
    }
    if (*address == '[') { /* RFC 3986: an IPv6 address */
        start = address + 1;
        end = strchr(start, ']');
        if (end == NULL || (end[1] != '\0' && (end[1] != ':' || !read_port(end + 2, &port))))
            return ERROR_INVALID;
    } else if (end != NULL && strchr(address, ':') != end) {
        end = NULL; /* IPv6 without brackets, hence without a port */
    } else if (end != NULL && !read_port(end + 1, &port)) {
        return ERROR_INVALID;
    }
    size_t length = end != NULL ? (size_t)(end - start) : strlen(start);
    if (length == 0 || strcspn(start, " \t/") < length)
        return ERROR_INVALID;
    char *host = strndup(start, length);
    if (host == NULL)
        return ERROR_NOMEM;
    *ret_host = host;
    *ret_port = port;
    return 0;
}

bool address_is_local(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (*host == '/' || strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void check_one(const struct session_settings *settings, const char *text, int default_port, const char *file, int line,
                      struct problems *problems)
{
    const char *password = settings->sentinel != NULL ? settings->sentinel_password : settings->password;
    cleanup_free char *host = NULL;
    int port = 0;

    if (address_split(text, default_port, &host, &port) < 0)
        problems_add(problems, file, line, 0, "address \"%s\" cannot be read; right would be \"HOST:%d\" or \"/path/of/socket\"",
                     text, default_port);
    else if (!address_is_local(host) && !settings->tls && password != NULL && !settings->allow_plaintext)
        problems_add(
            problems, file, line, 0,
            "the password would go to %s unencrypted; set tls = true (or, knowing what it means, allow_plaintext = true)", host);
}

void address_check(const struct session_settings *settings, int default_port, const char *file, int line,
                   struct problems *problems)
{
    for (size_t i = 0; settings->address != NULL && settings->address[i] != NULL; i++)
        check_one(settings, settings->address[i], default_port, file, line, problems);
}
