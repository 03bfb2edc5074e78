/*
 * provostctl: asks and steers the agent, and tries things without it.
 * Source: provostctl(8) is this file's tables in prose.
 */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "base/str.h"
#include "ctl/ctl.h"

#ifndef PACKAGE_VERSION_TEXT
#define PACKAGE_VERSION_TEXT "unknown"
#endif

static const struct ctl_option log_options[] = {
    { 'f', "follow", NULL, "go on with new lines as they come, through rotations" },
    { 't', "target", "TARGET", "lines of this target only" },
    { 'u', "user", "USER", "lines of this user or group only (login, name or id)" },
    { 'o', "outcome", "OUTCOME", "lines with this outcome only: applied, unchanged, retry, rejected, …" },
    { 'n', "lines", "N", "the last N lines that match (default 20)" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option event_options[] = {
    { 't', "target", "TARGET", "events with a delivery to this target only" },
    { 'u', "user", "USER", "events of this user or group only" },
    { 'y', "type", "TYPE", "events of this type only, such as user.lifecycle.create" },
    { 'o', "outcome", "OUTCOME", "events with this outcome only" },
    { 'n', "most", "N", "the newest N (default 30)" },
    { 'b', "before", "ROW", "older than this row, to go on from a list" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option dead_options[] = {
    { 't', "target", "TARGET", "of this target only" },
    { 'u', "user", "USER", "of this user or group only" },
    { 'n', "most", "N", "at most N (default 100)" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option waiting_options[] = {
    { 't', "target", "TARGET", "of this target only" },
    { 0, "leavers", NULL, "only people who still have access that must end" },
    { 'n', "most", "N", "at most N (default 100)" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option retry_options[] = {
    { 't', "target", "TARGET", "the same as naming it" },
    { 'u', "user", "USER", "of this user or group only (login, name or id)" },
    { 'a', "all", NULL, "all dead letters of all targets" },
    { 0, "dropped", NULL, "also what was given up (drop) in the last 30 days" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option drop_options[] = {
    { 't', "target", "TARGET", "the same as naming it" },
    { 'u', "user", "USER", "of this user or group only (login, name or id)" },
    { 'a', "all", NULL, "all dead letters of all targets" },
    { 0, "leavers", NULL, "also those of leavers who still have access: they keep it" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option check_options[] = {
    { 0, "connect", NULL, "also connect to each target: does it answer, would the first joiner and leaver be taken, does disable "
                          "stop a log-in, can all groups be looked for, could a person's sessions be found" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option try_options[] = {
    { 0, "connector", "NAME", "the connector; without it the one configured for the mapping's target, that of its test file, or ldap" },
    { 'u', "user", "ID", "which one, where a hook body is about several" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option test_options[] = {
    { 0, "connector", "NAME", "the connector; without it the one configured for the mapping's target, that of its test file, or ldap" },
    { 0, "tap", NULL, "print TAP 13" },
    { 0, NULL, NULL, NULL },
};
static const struct ctl_option send_options[] = {
    { 0, "url", "URL", "to this address instead of the configured one" },
    { 0, NULL, NULL, NULL },
};

static const struct ctl_command commands[] = {
    { "status", "", 0, 0, "the agent, its store and its targets",
      "Exits 1 when something needs a person; provostctl(8) lists what.", NULL, ctl_status },
    { "log", "", 0, 0, "the status log",
      "Reads the file that the configuration names, or asks the journal. provost-log(5) describes the lines.", log_options, ctl_log },
    { "events", "", 0, 0, "events, newest first", "", event_options, ctl_events },
    { "show", "ID", 1, 1, "one event, identity or operation, with all that followed from it",
      "ID is an event's uuid, a user's or group's id, login or name, or an operation's number.", NULL, ctl_show },
    { "check", "", 0, 0, "is the configuration right",
      "Checks provost.conf, mapping files, connectors and secrets, and tells every mistake at once, each with file and line.",
      check_options, ctl_check },
    { "try", "MAPPING SAMPLE", 2, 2, "renders one account offline",
      "SAMPLE is a JSON file: a user or group as Okta's API gives it, an event hook body, or an object with id, login, name,\n"
      "status, profile and groups. Nothing is contacted.", try_options, ctl_try },
    { "test", "[DIR | FILE]…", 0, -1, "runs mapping test files offline",
      "Runs NAME.test.conf beside each mapping; without an operand, those in the configured folder.", test_options, ctl_test },
    { "dead", "[TARGET]", 0, 1, "dead letters, with the reason of each",
      "Those of leavers who still have access are marked not_out.", dead_options, ctl_dead },
    { "waiting", "[TARGET]", 0, 1, "what waits: who, why, since when, and when it is tried next",
      "Leavers who still have access come first, then what failed, each with the longest wait "
      "first.", waiting_options, ctl_waiting },
    { "retry", "[TARGET]", 0, 1, "tries dead letters again", "Names a target, a user or both; or --all.", retry_options,
      ctl_retry },
    { "drop", "[TARGET]", 0, 1, "gives dead letters up",
      "Names a target, a user or both; or --all. A newer event of the same user brings the work back.\n"
      "Exits 1 when dead letters of leavers were left, for want of --leavers.", drop_options, ctl_drop },
    { "link", "TARGET GROUP DN", 3, 3, "links a group to an entry that is there already",
      "GROUP is the group's id or name, DN the entry's. Its members are added; it stays when Okta deletes the group.", NULL, ctl_link },
    { "hold", "TARGET", 1, 1, "stops writing to a target; its work is kept", "", NULL, ctl_hold },
    { "resume", "TARGET", 1, 1, "goes on writing to a target", "", NULL, ctl_resume },
    { "send", "FILE…", 1, -1, "posts hook bodies to the agent, as Okta would",
      "FILE is an event hook body, a LogEvent or a list of them; - reads standard input.", send_options, ctl_send },
    { "reload", "", 0, 0, "reads the configuration again",
      "The new files are checked first; when they are wrong the old ones stay.", NULL, ctl_reload },
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* ---- help ---- */

static const char global_help[] = "  -c, --config FILE       the configuration (default " CONFIG_DEFAULT_PATH ")\n"
                                  "      --socket PATH       the agent's socket, instead of the configured one\n"
                                  "      --json              print JSON\n  -h, --help              this text; after a command, "
                                  "that command's\n      --version           the version\n";

static const char exit_help[] = "Exit codes: 0 well, 1 the thing asked about is not well (or tests failed), 2 wrong use,\n"
                                "3 the agent does not answer.\n";

static int print_help(void)
{
    printf("Usage: provostctl [OPTION]… COMMAND [ARGUMENT]…\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    printf("\nOptions:\n%s\n%s`provostctl COMMAND --help` says more.\n", global_help, exit_help);
    return CTL_OK;
}

static int print_command_help(const struct ctl_command *command)
{
    printf("Usage: provostctl [OPTION]… %s%s%s\n\n%s: %s.\n", command->name, command->operands[0] != '\0' ? " " : "", command->operands,
           command->name, command->summary);
    if (command->help[0] != '\0')
        printf("%s\n", command->help);
    printf("\nOptions:\n");
    for (const struct ctl_option *option = command->options; option != NULL && option->name != NULL; option++) {
        cleanup_free char *name = str_printf("%s%s%s", option->name, option->value != NULL ? " " : "",
                                             option->value != NULL ? option->value : "");
        printf("  %c%c%c --%-17s %s\n", option->letter != 0 ? '-' : ' ', option->letter != 0 ? option->letter : ' ',
               option->letter != 0 ? ',' : ' ', name, option->help);
    }
    printf("%s\n%s", global_help, exit_help);
    return CTL_OK;
}

/* ---- the command line ---- */

const char *ctl_value(const struct ctl *ctl, const char *name)
{
    for (size_t i = 0; ctl->command->options != NULL && ctl->command->options[i].name != NULL; i++)
        if (strcmp(ctl->command->options[i].name, name) == 0)
            return ctl->values[i];
    return NULL;
}

bool ctl_number(const struct ctl *ctl, const char *name, long long fallback, long long most, long long *ret_number)
{
    const char *text = ctl_value(ctl, name);
    long long number = fallback;

    if (text != NULL && (!str_to_int64(text, &number) || number < 1 || number > most)) {
        ctl_fail(CTL_USAGE, "--%s: a number from 1 to %lld is expected, not \"%s\"", name, most, text);
        return false;
    }
    *ret_number = number;
    return true;
}

bool ctl_word(const struct ctl *ctl, const char *name, const char *const *words)
{
    cleanup_buf struct buf known = { 0 };
    const char *text = ctl_value(ctl, name);
    size_t i = 0;

    if (text == NULL)
        return true;
    for (; words[i] != NULL && strcmp(words[i], text) != 0; i++)
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", words[i]);
    if (words[i] == NULL)
        ctl_fail(CTL_USAGE, "--%s: there is no \"%s\"; there are %s", name, text, known.bytes);
    return words[i] != NULL;
}

enum { GLOBAL_SOCKET = 256, GLOBAL_JSON, GLOBAL_VERSION, COMMAND_FIRST };
#define GLOBAL_SHORT "c:h"
#define GLOBAL_COUNT 5

static const struct option global_options[GLOBAL_COUNT] = {
    { "config", required_argument, NULL, 'c' },       { "socket", required_argument, NULL, GLOBAL_SOCKET },
    { "json", no_argument, NULL, GLOBAL_JSON },       { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, GLOBAL_VERSION },
};

struct command_line {
    struct option longs[GLOBAL_COUNT + CTL_OPTIONS_MOST + 1];
    char shorts[8 + 2 * CTL_OPTIONS_MOST];
    bool help;
};

static void fill_options(struct command_line *line, const struct ctl_command *command)
{
    size_t length = 0;

    /* before the command is known, options end at the first word */
    length += (size_t)snprintf(line->shorts, sizeof(line->shorts), "%s" GLOBAL_SHORT, command == NULL ? "+" : "");
    memcpy(line->longs, global_options, sizeof(global_options));
    for (int i = 0; command != NULL && command->options != NULL && command->options[i].name != NULL; i++) {
        const struct ctl_option *option = &command->options[i];
        int argument = option->value != NULL ? required_argument : no_argument;
        line->longs[GLOBAL_COUNT + i] = (struct option){ option->name, argument, NULL, COMMAND_FIRST + i };
        if (option->letter != 0)
            length += (size_t)snprintf(line->shorts + length, sizeof(line->shorts) - length, "%c%s", option->letter,
                                       option->value != NULL ? ":" : "");
    }
}

static int option_index(const struct ctl_command *command, int found)
{
    if (found >= COMMAND_FIRST)
        return found - COMMAND_FIRST;
    for (int i = 0; command != NULL && command->options != NULL && command->options[i].name != NULL; i++)
        if (command->options[i].letter == found)
            return i;
    return -1;
}

/* False: not understood, which getopt has said. */
static bool read_options(struct ctl *ctl, int argc, char **argv, struct command_line *line)
{
    int found, index;

    fill_options(line, ctl->command);
    while ((found = getopt_long(argc, argv, line->shorts, line->longs, NULL)) != -1) {
        if (found == 'c') {
            ctl->config_path = optarg;
            ctl->config_given = true;
        } else if (found == GLOBAL_SOCKET) {
            ctl->socket = optarg;
        } else if (found == GLOBAL_JSON) {
            ctl->json = true;
        } else if (found == 'h') {
            line->help = true;
        } else if (found == GLOBAL_VERSION) {
            printf("provostctl " PACKAGE_VERSION_TEXT "\n");
            exit(CTL_OK);
        } else if ((index = option_index(ctl->command, found)) >= 0) {
            ctl->values[index] = optarg != NULL ? optarg : "";
        } else {
            return false;
        }
    }
    return true;
}

static const struct ctl_command *find_command(const char *name)
{
    const char *names[COMMAND_COUNT + 1] = { NULL };

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        names[i] = commands[i].name;
    }
    const char *nearest = str_nearest(name, names);
    ctl_fail(CTL_USAGE, "there is no command \"%s\"%s%s%s", name, nearest != NULL ? "; did you mean \"" : "; see provostctl --help",
             nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    return NULL;
}

static int run_command(struct ctl *ctl, int argc, char **argv, struct command_line *line)
{
    const struct ctl_command *command = ctl->command;

    if (!read_options(ctl, argc, argv, line))
        return ctl_fail(CTL_USAGE, "see provostctl %s --help", command->name);
    if (line->help)
        return print_command_help(command);
    ctl->operands = argv + optind;
    ctl->count = argc - optind;
    if (ctl->count < command->least || (command->most >= 0 && ctl->count > command->most))
        return ctl_fail(CTL_USAGE, "usage: provostctl %s %s", command->name, command->operands[0] != '\0' ? command->operands
                                                                                                         : "(without arguments)");
    return command->run(ctl);
}

int main(int argc, char **argv)
{
    struct ctl ctl = { .config_path = CONFIG_DEFAULT_PATH };
    struct command_line line = { 0 };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    ctl.colour = isatty(STDOUT_FILENO) != 0 && getenv("NO_COLOR") == NULL;
    if (!read_options(&ctl, argc, argv, &line))
        return ctl_fail(CTL_USAGE, "see provostctl --help");
    if (optind < argc && strcmp(argv[optind], "help") == 0) { /* "help COMMAND" is "COMMAND --help" */
        line.help = true;
        optind++;
    }
    if (optind == argc && line.help)
        return print_help();
    if (optind == argc)
        return ctl_fail(CTL_USAGE, "which command? See provostctl --help");
    if ((ctl.command = find_command(argv[optind])) == NULL)
        return CTL_USAGE;
    /* the command's own name stands where the program's would */
    char **rest = argv + optind;
    int count = argc - optind;
    rest[0] = argv[0];
    optind = 0; /* getopt starts anew */
    int code = run_command(&ctl, count, rest, &line);
    if (fflush(stdout) != 0 || ferror(stdout))
        return ctl_fail(CTL_UNWELL, "standard output: %s", strerror(errno));
    return code;
}
