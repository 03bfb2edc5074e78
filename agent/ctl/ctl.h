/*
 * ctl.h: what the commands of provostctl share.
 *
 * main.c finds the command in its table, reads its options and calls its run
 * function, which returns an exit code. A command prints its answer to
 * standard output (JSON with --json) and what is wrong to standard error.
 * Threads: one. Ownership: struct ctl is main's; values point into argv.
 */
#ifndef PROVOST_CTL_CTL_H
#define PROVOST_CTL_CTL_H

#include <jansson.h>

#include "config/config.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_UNWELL = 1,      /* the thing asked about is not well; tests failed */
    CTL_USAGE = 2,       /* the command line, or no configuration to go by */
    CTL_UNREACHABLE = 3, /* the agent does not answer */
};

struct ctl;

struct ctl_option {
    char letter;      /* 0: none */
    const char *name; /* NULL ends the table */
    const char *value;/* what the help calls it; NULL: a flag */
    const char *help;
};

struct ctl_command {
    const char *name;
    const char *operands; /* as the help writes them */
    int least, most;      /* operands; most -1: any number */
    const char *summary;
    const char *help;
    const struct ctl_option *options; /* may be NULL */
    int (*run)(struct ctl *ctl);
};

#define CTL_OPTIONS_MOST 8

struct ctl {
    const char *config_path;
    bool config_given;
    const char *socket; /* NULL: as configured */
    bool json;
    bool colour;
    const struct ctl_command *command;
    const char *values[CTL_OPTIONS_MOST]; /* beside command->options; "" for a flag that was given */
    char **operands;
    int count;
};

/* The value of an option of the command, NULL where it was not given. */
const char *ctl_value(const struct ctl *ctl, const char *name);
/* The same as a number in 1 … most; the fallback where it was not given. False: said so, CTL_USAGE. */
bool ctl_number(const struct ctl *ctl, const char *name, long long fallback, long long most, long long *ret_number);

/* Is the option one of these words (NULL ends them), or not given? False: said so, CTL_USAGE. */
bool ctl_word(const struct ctl *ctl, const char *name, const char *const *words);
/* What the status log's lines end as: provost-log(5). */
#define CTL_OUTCOMES "applied", "unchanged", "superseded", "out_of_scope", "retry", "unseen", "target_down", "rejected", "ambiguous", "dead", \
                     "done", "failed", "refused"

#define CERTIFICATE_DAYS_LEAST 14 /* with fewer left it is to be renewed */

/* "provostctl: …" to standard error; returns `code`. */
int ctl_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The configuration; what is wrong with it is printed. `flags` as config_load. */
int ctl_load(const struct ctl *ctl, unsigned flags, struct config **ret_config);
/* May the configuration be left out, because none was asked for and there is none? */
bool ctl_has_no_config(const struct ctl *ctl);
extern const struct config_loader ctl_loader;

/* Prints a JSON value as text that is one's to parse, and frees it. */
void ctl_print_json(json_t *json);

/* ---- colours: "" where there are none ---- */
enum ctl_colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD };
const char *ctl_paint(const struct ctl *ctl, enum ctl_colour colour);

/* ---- the commands ---- */
int ctl_status(struct ctl *ctl);
int ctl_log(struct ctl *ctl);
int ctl_events(struct ctl *ctl);
int ctl_show(struct ctl *ctl);
int ctl_dead(struct ctl *ctl);
int ctl_waiting(struct ctl *ctl);
int ctl_retry(struct ctl *ctl);
int ctl_drop(struct ctl *ctl);
int ctl_link(struct ctl *ctl);
int ctl_hold(struct ctl *ctl);
int ctl_resume(struct ctl *ctl);
int ctl_reload(struct ctl *ctl);
int ctl_check(struct ctl *ctl);
int ctl_try(struct ctl *ctl);
int ctl_test(struct ctl *ctl);
int ctl_send(struct ctl *ctl);

#endif
