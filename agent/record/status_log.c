#include "record/status_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/str.h"
#include "record/journal.h"

enum sink { SINK_FILE, SINK_STREAM, SINK_JOURNAL };

struct status_log {
    enum sink sink;
    char *path; /* of a file */
    struct clock *clock;
    pthread_mutex_t lock; /* guards fd and what follows */
    int fd;               /* -1: a file that could not be opened yet */
    bool failing;         /* said once on standard error */
    int64_t lost;
};

/* ---- one line ---- */

static bool needs_quotes(const char *text)
{
    size_t bytes;
    bool safe;

    if (*text == '\0')
        return true;
    for (; (bytes = str_character(text, &safe)) > 0; text += bytes)
        if (!safe || strchr(" \"=\\", *text) != NULL)
            return true;
    return false;
}

static void add_escaped(struct buf *line, const char *text)
{
    static const char from[] = "\"\\\n\t\r", to[] = "\"\\ntr";
    size_t bytes;
    bool safe;

    for (; (bytes = str_character(text, &safe)) > 0; text += bytes) {
        const char *known = strchr(from, *text);
        if (known != NULL)
            buf_printf(line, "\\%c", to[known - from]);
        else if (safe)
            buf_add(line, text, bytes);
        for (size_t i = 0; known == NULL && !safe && i < bytes; i++)
            buf_printf(line, "\\x%02x", (unsigned char)text[i]);
    }
}

static void add_field(struct buf *line, const struct log_field *field)
{
    if (!field->is_number && field->text == NULL)
        return;
    buf_add_char(line, ' ');
    buf_add_str(line, field->key);
    buf_add_char(line, '=');
    if (field->is_number) {
        buf_printf(line, "%lld", (long long)field->number);
    } else if (!needs_quotes(field->text)) {
        buf_add_str(line, field->text);
    } else {
        buf_add_char(line, '"');
        add_escaped(line, field->text);
        buf_add_char(line, '"');
    }
}

static void add_fields(struct buf *line, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_field(line, &fields[i]);
}

/* ---- where lines go ---- */

static int open_file(const char *path, int *ret_fd, struct error *error)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

    if (fd < 0)
        return error_set(error, error_from_errno(errno), "the status log %s cannot be opened: %s; its folder must be there and be the "
                         "agent's to write", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

/* All of it in one write(2); what a full disk cut off is taken back, so that the log stays whole lines. */
static bool write_whole(int fd, const char *bytes, size_t length)
{
    ssize_t written;

    do {
        written = write(fd, bytes, length);
    } while (written < 0 && errno == EINTR);
    if (written == (ssize_t)length)
        return true;
    if (written > 0) {
        off_t end = lseek(fd, 0, SEEK_END);
        if (end >= written && ftruncate(fd, end - written) < 0)
            return false;
        errno = ENOSPC;
    }
    return false;
}

static bool write_line(struct status_log *log, const char *bytes, size_t length)
{
    struct error error = { 0 };

    if (log->fd < 0 && log->sink == SINK_FILE && open_file(log->path, &log->fd, &error) < 0)
        return false;
    return write_whole(log->fd, bytes, length);
}

/* Counts, and says the first of a row of failures and its end. */
static void note_result(struct status_log *log, bool good)
{
    int errnum = errno;

    if (!good)
        log->lost++;
    if (good == !log->failing)
        return;
    log->failing = !good;
    if (good)
        log_notice("the status log is written again; lines lost so far: %lld", (long long)log->lost);
    else
        log_error("the status log%s%s cannot be written: %s; work goes on, lines are lost until it can", log->path != NULL ? " " : "",
                  log->path != NULL ? log->path : "", strerror(errnum));
}

void status_log_line(struct status_log *log, const char *level, const struct log_field *fields, size_t count)
{
    char now[WALL_TEXT_BYTES];
    cleanup_buf struct buf line = { 0 };
    bool good;

    wall_format(clock_wall(log->clock), now);
    if (log->sink != SINK_JOURNAL)
        buf_printf(&line, "%s %s", now, level);
    add_fields(&line, fields, count);
    if (log->sink != SINK_JOURNAL)
        buf_add_char(&line, '\n');
    pthread_mutex_lock(&log->lock);
    errno = ENOMEM;
    if (line.failed)
        good = false;
    else if (log->sink == SINK_JOURNAL)
        good = journal_send(log->fd, level, line.length > 0 ? line.bytes + 1 : "", fields, count);
    else
        good = write_line(log, line.bytes, line.length);
    note_result(log, good);
    pthread_mutex_unlock(&log->lock);
}

/* ---- open, reopen, close ---- */

static int open_sink(struct status_log *log, const char *destination, struct error *error)
{
    if (str_equal(destination, "-")) {
        log->sink = SINK_STREAM;
        log->fd = STDOUT_FILENO;
        return 0;
    }
    if (str_equal(destination, "journal")) {
        log->sink = SINK_JOURNAL;
        return journal_open(&log->fd, error);
    }
    log->sink = SINK_FILE;
    log->path = strdup(destination);
    return log->path == NULL ? error_nomem(error) : open_file(destination, &log->fd, error);
}

int status_log_open(const char *destination, struct clock *clock, struct status_log **ret_log, struct error *error)
{
    struct status_log *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return error_nomem(error);
    log->clock = clock;
    log->fd = -1;
    pthread_mutex_init(&log->lock, NULL);
    int code = open_sink(log, destination, error);
    if (code < 0) {
        status_log_close(log);
        return code;
    }
    *ret_log = log;
    return 0;
}

int status_log_reopen(struct status_log *log, struct error *error)
{
    int fd = -1;

    if (log->sink != SINK_FILE)
        return 0;
    int code = open_file(log->path, &fd, error);
    if (code < 0)
        return code; /* the old file is written on */
    pthread_mutex_lock(&log->lock);
    int old = log->fd;
    log->fd = fd;
    pthread_mutex_unlock(&log->lock);
    if (old >= 0)
        close(old);
    return 0;
}

void status_log_close(struct status_log *log)
{
    if (log == NULL)
        return;
    if (log->fd >= 0 && log->sink != SINK_STREAM)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    free(log->path);
    free(log);
}

int64_t status_log_lost(const struct status_log *log)
{
    struct status_log *unlocked = (struct status_log *)log;

    pthread_mutex_lock(&unlocked->lock);
    int64_t lost = log->lost;
    pthread_mutex_unlock(&unlocked->lock);
    return lost;
}

/* ---- and back ---- */

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

/* Moves past one escape after its backslash; false: not one of ours. */
static bool take_escape(const char **line, char *ret_c)
{
    static const char from[] = "\"\\ntr", to[] = "\"\\\n\t\r";
    char c = *(*line)++;

    if (c == 'x') {
        int high = hex_value((*line)[0]), low = high < 0 ? -1 : hex_value((*line)[1]);
        if (low < 0)
            return false;
        *line += 2;
        *ret_c = (char)(high * 16 + low);
        return true;
    }
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known == NULL)
        return false;
    *ret_c = to[known - from];
    return true;
}

static bool take_quoted(const char **line, char **scratch)
{
    for ((*line)++; **line != '"';) {
        char c = *(*line)++;
        if (c == '\0' || (c == '\\' && !take_escape(line, &c)))
            return false;
        *(*scratch)++ = c;
    }
    (*line)++;
    return **line == ' ' || **line == '\0' || **line == '\n';
}

static const char *take_word(const char **line, char **scratch, const char *ends)
{
    const char *word = *scratch;
    size_t length = strcspn(*line, ends);

    memcpy(*scratch, *line, length);
    (*scratch)[length] = '\0';
    *scratch += length + 1;
    *line += length;
    return word;
}

static bool take_field(const char **line, char **scratch, struct log_field *field)
{
    field->key = take_word(line, scratch, "= \n");
    if (**line != '=' || field->key[0] == '\0')
        return false;
    (*line)++;
    field->is_number = false;
    if (**line != '"') {
        field->text = take_word(line, scratch, " \n");
        return true;
    }
    field->text = *scratch;
    if (!take_quoted(line, scratch))
        return false;
    *(*scratch)++ = '\0';
    return true;
}

int status_log_parse(const char *line, char *scratch, struct log_field *fields, size_t most)
{
    struct wall time;
    size_t count = 2;

    if (most < 2)
        return ERROR_TOOBIG;
    fields[0] = LOG_TEXT("time", take_word(&line, &scratch, " \n"));
    if (*line != ' ' || !wall_parse(fields[0].text, &time))
        return ERROR_SYNTAX;
    line++;
    fields[1] = LOG_TEXT("level", take_word(&line, &scratch, " \n"));
    while (*line == ' ') {
        line++;
        if (count == most)
            return ERROR_TOOBIG;
        if (!take_field(&line, &scratch, &fields[count++]))
            return ERROR_SYNTAX;
    }
    return *line == '\0' || *line == '\n' ? (int)count : ERROR_SYNTAX;
}
