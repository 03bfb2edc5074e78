#include "record/journal.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static int fill_address(struct sockaddr_un *address, struct error *error)
{
    const char *path = getenv("PROVOST_JOURNAL_SOCKET");

    if (path == NULL || *path == '\0')
        path = JOURNAL_SOCKET;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address->sun_path))
        return error_set(error, ERROR_TOOBIG, "the journal's socket %s: the path is too long", path);
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

int journal_open(int *ret_fd, struct error *error)
{
    struct sockaddr_un address;
    int code = fill_address(&address, error);

    if (code < 0)
        return code;
    cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return error_set(error, error_from_errno(errno), "log = \"journal\", but systemd's journal cannot be reached at %s: %s; "
                         "name a file instead", address.sun_path, strerror(errno));
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* KEY=value, or for values with a line break KEY, their length and their bytes. */
static void add_entry(struct buf *entry, const char *key, const char *value)
{
    uint64_t length = htole64(strlen(value));

    buf_add_str(entry, key);
    if (strchr(value, '\n') == NULL) {
        buf_add_char(entry, '=');
    } else {
        buf_add_char(entry, '\n');
        buf_add(entry, &length, sizeof(length));
    }
    buf_add_str(entry, value);
    buf_add_char(entry, '\n');
}

static void add_field(struct buf *entry, const struct log_field *field)
{
    char key[64], number[32];
    int length = snprintf(key, sizeof(key), "PROVOST_%s", field->key);

    if (length < 0 || (size_t)length >= sizeof(key) || (field->text == NULL && !field->is_number))
        return;
    for (char *p = key; *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
    snprintf(number, sizeof(number), "%lld", (long long)field->number);
    add_entry(entry, key, field->is_number ? number : field->text);
}

static const char *priority(const char *level)
{
    if (str_equal(level, "error"))
        return "3";
    return str_equal(level, "warning") ? "4" : "6";
}

/* A journal that was restarted has a new socket behind the same path: connect anew, once. */
static bool send_entry(int fd, const struct buf *entry)
{
    struct sockaddr_un address;

    if (send(fd, entry->bytes, entry->length, MSG_NOSIGNAL) >= 0)
        return true;
    if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
        return false;
    if (fill_address(&address, NULL) < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return false;
    return send(fd, entry->bytes, entry->length, MSG_NOSIGNAL) >= 0;
}

bool journal_send(int fd, const char *level, const char *message, const struct log_field *fields, size_t count)
{
    cleanup_buf struct buf entry = { 0 };

    add_entry(&entry, "MESSAGE", message);
    add_entry(&entry, "PRIORITY", priority(level));
    add_entry(&entry, "SYSLOG_IDENTIFIER", "provostd");
    for (size_t i = 0; i < count; i++)
        add_field(&entry, &fields[i]);
    errno = ENOMEM;
    return !entry.failed && send_entry(fd, &entry);
}
