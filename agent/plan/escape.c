#include "plan/escape.h"

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static void add_dn(struct buf *buf, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool edge_space = c == ' ' && (i == 0 || i + 1 == length);

        if (is_control(c))
            buf_printf(buf, "\\%02X", c);
        else {
            if (edge_space || (c == '#' && i == 0) || strchr(",+\"\\<>;=", c) != NULL)
                buf_add_char(buf, '\\');
            buf_add_char(buf, (char)c);
        }
    }
}

static void add_filter(struct buf *buf, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (is_control(c) || strchr("*()\\", c) != NULL)
            buf_printf(buf, "\\%02x", c);
        else
            buf_add_char(buf, (char)c);
    }
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '~';
}

static void add_url(struct buf *buf, const char *bytes, size_t length)
{
    /* "." and ".." alone would climb in a path */
    bool dots = (length == 1 && bytes[0] == '.') || (length == 2 && bytes[0] == '.' && bytes[1] == '.');

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (is_unreserved(c) || (c == '.' && !dots))
            buf_add_char(buf, (char)c);
        else
            buf_printf(buf, "%%%02X", c);
    }
}

static void add_header(struct buf *buf, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buf_add_char(buf, is_control((unsigned char)bytes[i]) ? ' ' : bytes[i]);
}

static void add_json(struct buf *buf, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (is_control(c))
            buf_printf(buf, "\\u%04x", c);
        else {
            if (c == '"' || c == '\\')
                buf_add_char(buf, '\\');
            buf_add_char(buf, (char)c);
        }
    }
}

static void (*const escapes[])(struct buf *buf, const char *bytes, size_t length) = {
    [ESCAPE_DN] = add_dn,   [ESCAPE_FILTER] = add_filter, [ESCAPE_URL_PATH] = add_url,
    [ESCAPE_QUERY] = add_url, [ESCAPE_HEADER] = add_header, [ESCAPE_JSON] = add_json,
};

void escape_add(struct buf *buf, enum escape escape, const char *bytes, size_t length)
{
    if (escape == ESCAPE_NONE)
        buf_add(buf, bytes, length);
    else
        escapes[escape](buf, bytes, length);
}
