#include "base/clock.h"

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifdef PROVOST_FAULT_POINTS
/* A test sets the clock: microseconds in the file that the environment names. */
struct jump {
    _Atomic int64_t wall_us;   /* the wall clock is set */
    _Atomic int64_t passed_us; /* time has passed: by both clocks */
};
static struct jump *jump;

static void map_jump(void)
{
    const char *path = getenv("PROVOST_CLOCK_JUMP");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd >= 0 ? mmap(NULL, sizeof(*jump), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    jump = map != MAP_FAILED ? map : NULL;
    if (fd >= 0)
        close(fd);
}

static const struct jump *find_jump(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, map_jump);
    return jump;
}

static int64_t passed_us(void)
{
    const struct jump *found = find_jump();

    return found != NULL ? atomic_load(&found->passed_us) : 0;
}

static int64_t jump_us(void)
{
    const struct jump *found = find_jump();

    return found != NULL ? atomic_load(&found->wall_us) + passed_us() : 0;
}
#else
static int64_t passed_us(void)
{
    return 0;
}

static int64_t jump_us(void)
{
    return 0;
}
#endif

static struct wall system_wall(struct clock *clock)
{
    struct timespec now;

    (void)clock;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct wall){ (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + jump_us() };
}

static struct mono system_mono(struct clock *clock)
{
    struct timespec now;

    (void)clock;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct mono){ (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + passed_us() };
}

struct clock *clock_system(void)
{
    static struct clock clock = { system_wall, system_mono };

    return &clock;
}

/* Exactly `digits` digits at *text, moved past; -1 otherwise. */
static int take_number(const char **text, int digits)
{
    int value = 0;

    for (int i = 0; i < digits; i++, (*text)++) {
        if (!isdigit((unsigned char)**text))
            return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool take_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static int64_t take_fraction_us(const char **text)
{
    int64_t us = 0, unit = 100000;

    while (isdigit((unsigned char)**text)) {
        us += (**text - '0') * unit;
        unit /= 10;
        (*text)++;
    }
    return us;
}

/* Offset from UTC in seconds; false when the text ends otherwise. */
static bool take_zone(const char **text, int *ret_seconds)
{
    if (take_char(text, 'Z') || take_char(text, 'z')) {
        *ret_seconds = 0;
        return true;
    }
    int sign = **text == '-' ? -1 : 1;
    if (!take_char(text, '+') && !take_char(text, '-'))
        return false;
    int hours = take_number(text, 2);
    take_char(text, ':');
    int minutes = hours < 0 ? -1 : take_number(text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool wall_parse(const char *text, struct wall *ret_wall)
{
    struct tm tm = { 0 };
    int zone_seconds;
    int64_t fraction_us = 0;

    if ((tm.tm_year = take_number(&text, 4) - 1900) < -1899 || !take_char(&text, '-'))
        return false;
    if ((tm.tm_mon = take_number(&text, 2) - 1) < 0 || tm.tm_mon > 11 || !take_char(&text, '-'))
        return false;
    if ((tm.tm_mday = take_number(&text, 2)) < 1 || tm.tm_mday > 31)
        return false;
    if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
        return false;
    if ((tm.tm_hour = take_number(&text, 2)) < 0 || tm.tm_hour > 23 || !take_char(&text, ':'))
        return false;
    if ((tm.tm_min = take_number(&text, 2)) < 0 || tm.tm_min > 59 || !take_char(&text, ':'))
        return false;
    if ((tm.tm_sec = take_number(&text, 2)) < 0 || tm.tm_sec > 60)
        return false;
    if (take_char(&text, '.')) {
        if (!isdigit((unsigned char)*text))
            return false;
        fraction_us = take_fraction_us(&text);
    }
    if (!take_zone(&text, &zone_seconds) || *text != '\0')
        return false;
    int64_t seconds = (int64_t)timegm(&tm) - zone_seconds;
    ret_wall->us = seconds * 1000000 + fraction_us;
    return true;
}

static bool wall_to_tm(struct wall wall, struct tm *tm, int *ret_us)
{
    int64_t seconds = wall.us / 1000000, us = wall.us % 1000000;

    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    time_t time = (time_t)seconds;
    *ret_us = (int)us;
    return gmtime_r(&time, tm) != NULL;
}

void wall_format(struct wall wall, char text[WALL_TEXT_BYTES])
{
    struct tm tm;
    int us;

    if (!wall_to_tm(wall, &tm, &us) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
        snprintf(text, WALL_TEXT_BYTES, "-");
        return;
    }
    size_t length = strftime(text, WALL_TEXT_BYTES, "%FT%T", &tm);
    snprintf(text + length, WALL_TEXT_BYTES - length, ".%03dZ", us / 1000);
}

void duration_format(int64_t us, char text[DURATION_TEXT_BYTES])
{
    static const struct {
        long long seconds;
        const char *name, *next_name;
        long long next_seconds;
    } units[] = { { 86400, "d", "h", 3600 }, { 3600, "h", "min", 60 }, { 60, "min", "s", 1 } };
    long long seconds = (us + 500000) / 1000000;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        long long rounded = (seconds + units[i].next_seconds / 2) / units[i].next_seconds;
        long long of_next = units[i].seconds / units[i].next_seconds;
        if (rounded < of_next)
            continue;
        snprintf(text, DURATION_TEXT_BYTES, "%lld %s %lld %s", rounded / of_next, units[i].name, rounded % of_next, units[i].next_name);
        return;
    }
    snprintf(text, DURATION_TEXT_BYTES, "%lld s", seconds);
}

size_t wall_strftime(struct wall wall, const char *format, char *text, size_t bytes)
{
    struct tm tm;
    int us;

    if (!wall_to_tm(wall, &tm, &us))
        return 0;
    return strftime(text, bytes, format, &tm);
}
