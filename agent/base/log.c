#include "base/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

static atomic_int level_limit = LOG_LEVEL_INFO;

static const char *const level_names[] = { "", "", "", "error", "warning", "notice", "info", "debug" };

void log_set_level(enum log_level most)
{
    atomic_store(&level_limit, (int)most);
}

static void add_start(struct buf *line, enum log_level level)
{
    char now[WALL_TEXT_BYTES];

    if (getenv("JOURNAL_STREAM") != NULL) {
        buf_printf(line, "<%d>", (int)level);
        return;
    }
    wall_format(clock_wall(clock_system()), now);
    buf_printf(line, "%s %s: ", now, level_names[level]);
}

void log_write(enum log_level level, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    cleanup_buf struct buf line = { 0 };
    va_list args;

    if ((int)level > atomic_load(&level_limit))
        return;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    add_start(&line, level);
    buf_add_visible(&line, text.bytes != NULL ? text.bytes : "");
    buf_add_char(&line, '\n');
    if (!line.failed && write(STDERR_FILENO, line.bytes, line.length) < 0)
        return; /* nowhere left to say so */
}
