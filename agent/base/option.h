/*
 * option.h: an option lives in one table row that parses it, checks it and
 * writes its line of the man page.
 *
 * Calling sequence:
 *     static const struct option_row rows[] = {
 *         OPTION_STRING(struct foo, uri, "uri", OPTION_REQUIRED, NULL, "where the server is"),
 *         OPTION_INT(struct foo, workers, "workers", 0, "4", 1, 256, "sessions at once"),
 *         OPTION_END
 *     };
 *     struct foo foo = { 0 };
 *     options_parse(rows, group, "settings", &foo, &problems);
 *     ...
 *     options_free(rows, &foo);
 *
 * The struct owns what options_parse put in: strings are copied, secrets are
 * resolved (file.h) and wiped by options_free. An unknown name, a wrong type
 * and a value out of range are added to `problems` with file:line and the
 * nearest right name. A duration is microseconds (int64_t), written "30 s".
 * A path that is relative, that of a "file:" secret too, is taken relative to
 * the file that names it. A range of 0 to 0 is no range.
 * Threads: no shared state.
 */
#ifndef PROVOST_BASE_OPTION_H
#define PROVOST_BASE_OPTION_H

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/problem.h"

enum option_type {
    OPTION_TYPE_END,
    OPTION_TYPE_STRING,   /* char * */
    OPTION_TYPE_PATH,     /* char * */
    OPTION_TYPE_SECRET,   /* char *, resolved; "" leaves NULL */
    OPTION_TYPE_BOOL,     /* bool */
    OPTION_TYPE_INT,      /* int64_t */
    OPTION_TYPE_DURATION, /* int64_t, microseconds */
    OPTION_TYPE_SIZE,     /* int64_t, bytes: 1048576 or "1 MiB" */
    OPTION_TYPE_CHOICE,   /* int, index into `choices` */
    OPTION_TYPE_STRINGS,  /* char **, NULL-terminated */
    OPTION_TYPE_GROUP,    /* const config_setting_t *, parsed by its owner */
    OPTION_TYPE_ANY,      /* the same, any type */
};

#define OPTION_REQUIRED 1u

struct option_row {
    const char *name;
    enum option_type type;
    unsigned flags;
    size_t offset;
    const char *fallback; /* default, as one would write it; NULL: none (zero) */
    int64_t least, most;  /* INT: as is; DURATION: us; SIZE: bytes */
    const char *const *choices;
    const char *help;
};

#define OPTION_STRING(s, m, n, f, d, h) { n, OPTION_TYPE_STRING, f, offsetof(s, m), d, 0, 0, NULL, h }
#define OPTION_PATH(s, m, n, f, d, h) { n, OPTION_TYPE_PATH, f, offsetof(s, m), d, 0, 0, NULL, h }
#define OPTION_SECRET(s, m, n, f, h) { n, OPTION_TYPE_SECRET, f, offsetof(s, m), NULL, 0, 0, NULL, h }
#define OPTION_BOOL(s, m, n, d, h) { n, OPTION_TYPE_BOOL, 0, offsetof(s, m), d, 0, 0, NULL, h }
#define OPTION_INT(s, m, n, f, d, lo, hi, h) { n, OPTION_TYPE_INT, f, offsetof(s, m), d, lo, hi, NULL, h }
#define OPTION_DURATION(s, m, n, d, lo, hi, h) { n, OPTION_TYPE_DURATION, 0, offsetof(s, m), d, lo, hi, NULL, h }
#define OPTION_SIZE(s, m, n, d, lo, hi, h) { n, OPTION_TYPE_SIZE, 0, offsetof(s, m), d, lo, hi, NULL, h }
#define OPTION_CHOICE(s, m, n, d, c, h) { n, OPTION_TYPE_CHOICE, 0, offsetof(s, m), d, 0, 0, c, h }
#define OPTION_STRINGS(s, m, n, f, h) { n, OPTION_TYPE_STRINGS, f, offsetof(s, m), NULL, 0, 0, NULL, h }
#define OPTION_GROUP(s, m, n, f, h) { n, OPTION_TYPE_GROUP, f, offsetof(s, m), NULL, 0, 0, NULL, h }
#define OPTION_ANY(s, m, n, f, h) { n, OPTION_TYPE_ANY, f, offsetof(s, m), NULL, 0, 0, NULL, h }
#define OPTION_END { NULL, OPTION_TYPE_END, 0, 0, NULL, 0, 0, NULL, NULL }

/* `group` may be NULL (only defaults apply; a required option is then a
 * problem at `where`). `where` names the group in messages ("listen"). */
void options_parse(const struct option_row *rows, const config_setting_t *group, const char *where, void *target,
                   struct problems *problems);
/* The same; with OPTIONS_NO_SECRETS a secret's form is checked, but it is not
 * read and stays NULL. */
#define OPTIONS_NO_SECRETS 1u
void options_parse_with(const struct option_row *rows, const config_setting_t *group, const char *where, void *target,
                        unsigned flags, struct problems *problems);
void options_free(const struct option_row *rows, void *target);

/* The table as man(7) source (.TP items): for provost.conf(5). */
void options_print_man(const struct option_row *rows, FILE *stream);

/* "file" and line of a setting, for one's own problems; never NULL. */
const char *setting_file(const config_setting_t *setting);
int setting_line(const config_setting_t *setting);

#endif
