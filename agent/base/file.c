#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/str.h"

#define SECRET_BYTES_MAX 65536

static int read_error(const char *path, struct error *error)
{
    return error_set(error, error_from_errno(errno), "%s: %s", path, strerror(errno));
}

static int read_fd(int fd, const char *path, size_t limit_bytes, char **ret_bytes, size_t *ret_length, struct error *error)
{
    cleanup_buf struct buf buf = { 0 };
    char chunk[16384];

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return read_error(path, error);
        if (n == 0)
            break;
        buf_add(&buf, chunk, (size_t)n);
        if (buf.length > limit_bytes)
            return error_set(error, ERROR_TOOBIG, "%s: larger than %zu bytes", path, limit_bytes);
    }
    size_t length = buf.length;
    char *bytes = buf_take(&buf);
    if (bytes == NULL)
        return error_nomem(error);
    *ret_bytes = bytes;
    if (ret_length != NULL)
        *ret_length = length;
    return 0;
}

int file_read(const char *path, size_t limit_bytes, char **ret_bytes, size_t *ret_length, struct error *error)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return read_error(path, error);
    return read_fd(fd, path, limit_bytes, ret_bytes, ret_length, error);
}

char *file_join(const char *dir, const char *name)
{
    if (name[0] == '/' || dir == NULL || dir[0] == '\0')
        return strdup(name);
    return str_printf("%s/%s", dir, name);
}

static int read_secret_file(const char *path, char **ret_secret, struct error *error)
{
    struct stat status;
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *secret;
    size_t length;

    if (fd < 0)
        return read_error(path, error);
    if (fstat(fd, &status) < 0)
        return read_error(path, error);
    if ((status.st_mode & S_IROTH) != 0)
        return error_set(error, ERROR_DENIED, "%s: others can read this secret (mode %04o); chmod o-rwx it", path,
                         (unsigned)status.st_mode & 07777);
    int code = read_fd(fd, path, SECRET_BYTES_MAX, &secret, &length, error);
    if (code < 0)
        return code;
    if (length > 0 && secret[length - 1] == '\n')
        secret[--length] = '\0';
    if (length > 0 && secret[length - 1] == '\r')
        secret[--length] = '\0';
    if (length == 0 || strlen(secret) != length) {
        secret_free(secret);
        return error_set(error, ERROR_INVALID, "%s: %s", path, length == 0 ? "the secret is empty" : "the secret has a NUL byte");
    }
    *ret_secret = secret;
    return 0;
}

static int read_secret_env(const char *name, char **ret_secret, struct error *error)
{
    const char *value = getenv(name);

    if (value == NULL || *value == '\0')
        return error_set(error, ERROR_NOTFOUND, "env:%s: the environment variable is not set", name);
    char *copy = strdup(value);
    if (copy == NULL)
        return error_nomem(error);
    *ret_secret = copy;
    return 0;
}

static int read_secret_credential(const char *name, char **ret_secret, struct error *error)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");

    if (dir == NULL)
        return error_set(error, ERROR_NOTFOUND, "credential:%s: not started by systemd with LoadCredential=%s:PATH", name, name);
    if (strchr(name, '/') != NULL)
        return error_set(error, ERROR_INVALID, "credential:%s: a credential's name has no slash", name);
    cleanup_free char *path = file_join(dir, name);
    return path == NULL ? error_nomem(error) : read_secret_file(path, ret_secret, error);
}

int secret_read(const char *reference, char **ret_secret, struct error *error)
{
    if (str_starts(reference, "file:"))
        return read_secret_file(reference + 5, ret_secret, error);
    if (str_starts(reference, "env:"))
        return read_secret_env(reference + 4, ret_secret, error);
    if (str_starts(reference, "credential:"))
        return read_secret_credential(reference + 11, ret_secret, error);
    return error_set(error, ERROR_INVALID, "a secret is given as \"file:PATH\", \"env:NAME\" or \"credential:NAME\", not as text");
}

void secret_free(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}
