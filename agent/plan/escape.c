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
    if (escape == ESCAPE_NONE || escape == ESCAPE_QUOTED) /* no quote is open */
        buf_add(buf, bytes, length);
    else
        escapes[escape](buf, bytes, length);
}

static void add_doubled(struct buf *buf, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\'')
            buf_add_char(buf, '\'');
        buf_add_char(buf, bytes[i]);
    }
}

void escape_add_within(struct buf *buf, enum escape escape, char quote, const char *bytes, size_t length)
{
    cleanup_buf struct buf quoted = { 0 };

    if (quote == '\0') {
        escape_add(buf, escape, bytes, length);
        return;
    }
    (quote == '"' ? add_json : add_doubled)(&quoted, bytes, length);
    buf->failed = buf->failed || quoted.failed;
    escape_add(buf, escape, quoted.bytes, quoted.length);
}

char escape_quote_after(char quote, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (quote == '"' && text[i] == '\\') {
            if (++i == length)
                return QUOTE_BACKSLASH;
        } else if (quote == '\0' && (text[i] == '"' || text[i] == '\''))
            quote = text[i];
        else if (text[i] == quote)
            quote = '\0';
    }
    return quote;
}
