/* provostctl log: the status log, filtered, and followed through rotations. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/table.h"
#include "record/status_log.h"

#define FIELDS_MOST 64
#define POLL_NS 200000000L

struct filter {
    const char *target, *user, *outcome;
};

/* The last lines that match, oldest at `next` once it is full. */
struct tail {
    char **lines;
    size_t most, count, next;
};

struct follower {
    const struct ctl *ctl;
    struct filter filter;
    FILE *stream;
    struct buf line;    /* begun, its end not yet written */
    struct tail *tail;  /* NULL: print at once */
};

static const char *field_text(const struct log_field *fields, int count, const char *key)
{
    for (int i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0)
            return fields[i].text;
    return NULL;
}

static bool matches(const struct filter *filter, const struct log_field *fields, int count)
{
    if (filter->target != NULL && !str_equal(filter->target, field_text(fields, count, "target")))
        return false;
    if (filter->outcome != NULL && !str_equal(filter->outcome, field_text(fields, count, "outcome")))
        return false;
    return filter->user == NULL || str_equal(filter->user, field_text(fields, count, "user")) ||
           str_equal(filter->user, field_text(fields, count, "group")) || str_equal(filter->user, field_text(fields, count, "id"));
}

/* ---- printing ---- */

static void print_json_line(const struct log_field *fields, int count)
{
    json_t *object = json_object();

    for (int i = 0; i < count; i++) {
        json_t *text = json_string(fields[i].text);
        json_object_set_new(object, fields[i].key, text != NULL ? text : json_string_nocheck("(not UTF-8)"));
    }
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static enum ctl_colour level_colour(const char *level)
{
    if (str_equal(level, "error"))
        return COLOUR_BAD;
    return str_equal(level, "warning") ? COLOUR_WARN : COLOUR_NONE;
}

static void print_line(const struct ctl *ctl, const char *line)
{
    struct log_field fields[FIELDS_MOST];
    cleanup_free char *scratch = malloc(strlen(line) + 1);
    int count = scratch != NULL ? status_log_parse(line, scratch, fields, FIELDS_MOST) : -1;

    if (ctl->json && count > 0) {
        print_json_line(fields, count);
    } else if (!ctl->json) {
        enum ctl_colour colour = count > 0 ? level_colour(fields[1].text) : COLOUR_NONE;
        fputs(colour != COLOUR_NONE ? ctl_paint(ctl, colour) : "", stdout);
        table_put_text(line);
        printf("%s\n", colour != COLOUR_NONE ? ctl_paint(ctl, COLOUR_NONE) : "");
    }
}

static void keep_line(struct tail *tail, const char *line)
{
    free(tail->lines[tail->next]);
    tail->lines[tail->next] = strdup(line);
    tail->next = (tail->next + 1) % tail->most;
    if (tail->count < tail->most)
        tail->count++;
}

static void take_line(struct follower *follower, const char *line)
{
    struct log_field fields[FIELDS_MOST];
    const struct filter *filter = &follower->filter;
    bool filtered = filter->target != NULL || filter->user != NULL || filter->outcome != NULL;
    cleanup_free char *scratch = malloc(strlen(line) + 1);
    int count = scratch != NULL ? status_log_parse(line, scratch, fields, FIELDS_MOST) : -1;

    if (filtered && (count < 0 || !matches(filter, fields, count)))
        return;
    if (follower->tail != NULL)
        keep_line(follower->tail, line);
    else
        print_line(follower->ctl, line);
}

/* ---- reading ---- */

/* All lines that are complete by now. */
static void read_lines(struct follower *follower)
{
    char chunk[8192];
    size_t length;

    clearerr(follower->stream);
    while ((length = fread(chunk, 1, sizeof(chunk), follower->stream)) > 0) {
        const char *start = chunk, *end = chunk + length, *newline;
        while ((newline = memchr(start, '\n', (size_t)(end - start))) != NULL) {
            buf_add(&follower->line, start, (size_t)(newline - start));
            take_line(follower, follower->line.bytes != NULL ? follower->line.bytes : "");
            buf_reset(&follower->line);
            start = newline + 1;
        }
        buf_add(&follower->line, start, (size_t)(end - start));
    }
}

static void print_tail(const struct ctl *ctl, struct tail *tail)
{
    size_t first = tail->count < tail->most ? 0 : tail->next;

    for (size_t i = 0; i < tail->count; i++) {
        char **line = &tail->lines[(first + i) % tail->most];
        if (*line != NULL)
            print_line(ctl, *line);
        free(*line);
        *line = NULL;
    }
    free(tail->lines);
}

/* Is the file at `path` another than the open one (rotated), or shorter than what was read (emptied)? */
static bool has_turned(const struct follower *follower, const char *path)
{
    struct stat here, there;

    if (fstat(fileno(follower->stream), &here) < 0 || stat(path, &there) < 0)
        return false;
    return here.st_ino != there.st_ino || here.st_dev != there.st_dev || there.st_size < ftello(follower->stream);
}

static void follow(struct follower *follower, const char *path)
{
    const struct timespec pause = { 0, POLL_NS };

    while (fflush(stdout) == 0) {
        nanosleep(&pause, NULL);
        read_lines(follower);
        if (!has_turned(follower, path))
            continue;
        read_lines(follower); /* what came between the look and the turn */
        FILE *next = fopen(path, "re");
        if (next == NULL)
            continue;
        fclose(follower->stream);
        follower->stream = next;
        buf_reset(&follower->line);
        read_lines(follower);
    }
}

static int read_log(const struct ctl *ctl, const char *path, size_t most)
{
    struct tail tail = { .lines = calloc(most, sizeof(char *)), .most = most };
    struct follower follower = {
        .ctl = ctl,
        .filter = { ctl_value(ctl, "target"), ctl_value(ctl, "user"), ctl_value(ctl, "outcome") },
        .stream = fopen(path, "re"),
        .tail = &tail,
    };

    if (follower.stream == NULL || tail.lines == NULL) {
        free(tail.lines);
        return ctl_fail(CTL_UNWELL, "the status log %s cannot be read: %s", path, strerror(errno));
    }
    read_lines(&follower);
    print_tail(ctl, &tail);
    follower.tail = NULL;
    if (ctl_value(ctl, "follow") != NULL)
        follow(&follower, path);
    fclose(follower.stream);
    buf_free(&follower.line);
    return CTL_OK;
}

/* ---- the journal has it ---- */

static int run_journalctl(const struct ctl *ctl, long long most)
{
    const char *const keys[] = { "target", "user", "outcome" };
    char number[32];
    char *arguments[16] = { (char *)"journalctl", (char *)"-t", (char *)"provostd", (char *)"-n", number };
    size_t count = 5;

    snprintf(number, sizeof(number), "%lld", most);
    if (ctl_value(ctl, "follow") != NULL)
        arguments[count++] = (char *)"-f";
    if (ctl->json)
        arguments[count++] = (char *)"--output=json";
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        static const char *const fields[] = { "PROVOST_TARGET", "PROVOST_USER", "PROVOST_OUTCOME" };
        const char *value = ctl_value(ctl, keys[i]);
        if (value != NULL)
            arguments[count++] = str_printf("%s=%s", fields[i], value);
    }
    arguments[count] = NULL;
    execvp(arguments[0], arguments);
    return ctl_fail(CTL_UNWELL, "journalctl: %s", strerror(errno));
}

int ctl_log(struct ctl *ctl)
{
    struct config *config = NULL;
    long long most;

    static const char *const outcomes[] = { CTL_OUTCOMES, NULL };

    if (!ctl_number(ctl, "lines", 20, 1000000, &most) || !ctl_word(ctl, "outcome", outcomes))
        return CTL_USAGE;
    int code = ctl_load(ctl, 0, &config);
    if (code != 0)
        return code;
    if (str_equal(config->log, "journal"))
        code = run_journalctl(ctl, most);
    else if (str_equal(config->log, "-"))
        code = ctl_fail(CTL_UNWELL, "log = \"-\": the agent writes its status log to standard output; look where that goes");
    else
        code = read_log(ctl, config->log, (size_t)most);
    config_free(config);
    return code;
}
