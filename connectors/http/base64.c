#include "connectors/http/base64.h"

#include <gnutls/gnutls.h>
#include <stdint.h>

void base64_add(struct buf *buf, const void *bytes, size_t length)
{
    gnutls_datum_t in = { (unsigned char *)(uintptr_t)bytes, (unsigned)length }, out = { NULL, 0 };

    if (gnutls_base64_encode2(&in, &out) < 0) {
        buf->failed = true;
        return;
    }
    buf_add(buf, out.data, out.size);
    gnutls_memset(out.data, 0, out.size);
    gnutls_free(out.data);
}

void base64url_add(struct buf *buf, const void *bytes, size_t length)
{
    size_t start = buf->length;

    base64_add(buf, bytes, length);
    if (buf->failed)
        return;
    for (char *c = buf->bytes + start; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    while (buf->length > start && buf->bytes[buf->length - 1] == '=')
        buf->bytes[--buf->length] = '\0';
}
