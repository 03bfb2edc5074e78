/*
 * main.c: provostd. Reads the command line, starts the agent, waits for
 * signals, stops it.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent.h"
#include "base/fault.h"
#include "base/log.h"
#include "config/config.h"

static void usage(FILE *stream)
{
    fputs("usage: provostd [-c FILE] [-v]\n"
          "Receives identity events and provisions accounts; runs in the foreground.\n\n"
          "  -c, --config FILE   configuration (default " CONFIG_DEFAULT_PATH ")\n"
          "  -v, --verbose       say more on standard error\n"
          "      --core-files    leave core files and debuggers allowed; they show passwords\n"
          "      --null-store    accept and forget: measures the endpoint alone, never for use\n"
#ifdef PROVOST_FAULT_POINTS
          "      --fault-points  print the places where PROVOST_FAULTS can make something go wrong\n"
#endif
          "      --version       print the version\n"
          "      --help          print this\n\n"
          "SIGTERM stops in order, SIGHUP reloads. provostctl(8) asks a running agent.\n",
          stream);
}

/* sd_notify(3), without the library: one datagram. */
static void notify_manager(const char *state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");

    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0)
        log_warning("the service manager could not be told \"%s\"", state);
    close(fd);
}

/* Blocked in all threads, taken by sigwait in this one. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void reload(struct agent *agent)
{
    struct error error = { 0 };

    notify_manager("RELOADING=1");
    if (agent_reload(agent, &error) < 0)
        log_error("not reloaded, the old configuration stays: %s", error.text);
    notify_manager("READY=1");
}

/* Memory holds the targets' passwords and people's data: neither a core file nor another process of the same user gets to it. */
static int forbid_core_files(void)
{
#ifndef __SANITIZE_ADDRESS__ /* its leak checker attaches like a debugger */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        log_error("core files cannot be forbidden: %s", strerror(errno));
        return -1;
    }
#endif
    return 0;
}

/* exit() would run the libraries' own ends, which free what a thread that still waits for an answer uses. */
static int run(const struct agent_settings *settings)
{
    struct agent *agent;
    struct error error = { 0 };
    sigset_t signals;
    int number;

    block_signals(&signals);
    if (agent_start(settings, &agent, &error) < 0) {
        log_error("not started: %s", error.text);
        _exit(EXIT_FAILURE);
    }
    notify_manager("READY=1");
    while (sigwait(&signals, &number) == 0 && number == SIGHUP)
        reload(agent);
    notify_manager("STOPPING=1");
    log_notice("stopping");
    bool all = agent_stop(agent);
    log_notice(all ? "stopped" : "stopped; work that was in flight goes on at the next start");
    if (!all)
        _exit(EXIT_SUCCESS);
    return EXIT_SUCCESS;
}

/* Says what this build can be asked for; fails where it has none. */
static int print_fault_points(void)
{
    if (!fault_built) {
        fputs("provostd: this build has no fault points; configure with --enable-fault-points\n", stderr);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < FAULT_PLACE_COUNT; i++)
        printf("%-20s%s\n", fault_place_name((enum fault_place)i), fault_place_when((enum fault_place)i));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    enum { NULL_STORE = 256, CORE_FILES, FAULT_POINTS, VERSION, HELP };
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },       { "foreground", no_argument, NULL, 'f' },
        { "verbose", no_argument, NULL, 'v' },            { "null-store", no_argument, NULL, NULL_STORE },
        { "core-files", no_argument, NULL, CORE_FILES },  { "fault-points", no_argument, NULL, FAULT_POINTS },
        { "version", no_argument, NULL, VERSION },        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    struct agent_settings settings = { .config_path = CONFIG_DEFAULT_PATH };
    struct error error = { 0 };
    bool core_files = false;
    int option;

    while ((option = getopt_long(argc, argv, "c:fv", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            settings.config_path = optarg;
            break;
        case 'f': /* it never does otherwise */
            break;
        case 'v':
            log_set_level(LOG_LEVEL_DEBUG);
            break;
        case NULL_STORE:
            settings.null_store = true;
            break;
        case CORE_FILES:
            core_files = true;
            break;
        case FAULT_POINTS:
            return print_fault_points();
        case VERSION:
            puts("provostd " PACKAGE_VERSION_TEXT);
            return EXIT_SUCCESS;
        case HELP:
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "provostd: \"%s\" is not understood; the configuration is given with -c\n", argv[optind]);
        return 2;
    }
    if (fault_init(&error) < 0) {
        log_error("%s", error.text);
        return 2;
    }
    if (!core_files && forbid_core_files() < 0)
        return EXIT_FAILURE;
    return run(&settings);
}
