#include "config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/settings.h"
#include "base/str.h"
#include "config/target.h"

#ifndef LOCALSTATEDIR
#define LOCALSTATEDIR "/var"
#endif

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

/* A configuration and what it was read from; its groups while it is read. */
struct loaded {
    struct config config; /* first: config_free gets a pointer to it */
    config_t file;        /* texts for messages live here */
    const struct config_loader *loader;
    const config_setting_t *listen, *tls, *hook, *okta, *targets;
};

static const struct option_row top_rows[] = {
    OPTION_GROUP(struct loaded, listen, "listen", 0, "where Okta's requests come in"),
    OPTION_GROUP(struct loaded, hook, "hook", OPTION_REQUIRED, "what an event hook of Okta is known by"),
    OPTION_PATH(struct loaded, config.store, "store", 0, LOCALSTATEDIR "/lib/provost/provost.db",
                "the database; its folder must be the agent's to write"),
    OPTION_DURATION(struct loaded, config.keep_us, "keep", "90 days", 3600 * SECOND_US, 36500 * DAY_US,
                    "how long events and finished deliveries are kept"),
    OPTION_DURATION(struct loaded, config.keep_keys_us, "keep_keys", "180 days", 3600 * SECOND_US, 36500 * DAY_US,
                    "how long an event's key is remembered, so that a repetition is known as one; not shorter than keep"),
    OPTION_INT(struct loaded, config.quarantine_most, "quarantine", 0, "1000", 0, 1000000,
               "how many bodies that could not be understood are kept; the oldest go first"),
    OPTION_PATH(struct loaded, config.control, "control", 0, "/run/provost/control.sock", "the socket that provostctl speaks to"),
    OPTION_STRING(struct loaded, config.control_readers, "control_readers", 0, NULL,
                  "a group whose members may look (status, waiting, dead, events, show, quarantine) and change nothing; root "
                  "and members of the agent's own group may do all; without it the socket is for these alone"),
    OPTION_STRING(struct loaded, config.log, "log", 0, LOCALSTATEDIR "/log/provost/status.log",
                  "the status log: a file, journal for systemd's journal, or - for standard output"),
    OPTION_PATH(struct loaded, config.mappings, "mappings", 0, SYSCONFDIR "/provost/mappings", "the folder of the mapping files"),
    OPTION_PATH(struct loaded, config.connectors, "connectors", 0, NULL, "the folder of the connectors, where it is not the installed one"),
    OPTION_DURATION(struct loaded, config.stop_us, "stop_within", "30 s", 0, 3600 * SECOND_US,
                    "how long an orderly stop waits for work in flight"),
    OPTION_GROUP(struct loaded, okta, "okta", 0, "Okta's Management API; kept for a later version: this one works from events alone"),
    OPTION_ANY(struct loaded, targets, "targets", OPTION_REQUIRED, "the systems that accounts are kept in, a list of groups"),
    OPTION_END
};

static const struct option_row listen_rows[] = {
    OPTION_STRING(struct loaded, config.listen.address, "address", 0, "127.0.0.1",
                  "a numeric IPv4 or IPv6 address; without tls one of the loopback"),
    OPTION_INT(struct loaded, config.listen.port, "port", 0, "8443", 0, 65535, "the TCP port; 0 takes any free one"),
    OPTION_GROUP(struct loaded, tls, "tls", 0, "HTTPS; without it a reverse proxy on this machine stands in front"),
    OPTION_SIZE(struct loaded, config.listen.body_bytes_most, "body_limit", "1 MiB", 1024, 1 << 30,
                "the largest request body that is read; a larger one is answered 413"),
    OPTION_INT(struct loaded, config.listen.connections_most, "connections", 0, "4096", 1, 1000000, "connections open at the same time"),
    OPTION_DURATION(struct loaded, config.listen.timeout_us, "timeout", "10 s", SECOND_US, 3600 * SECOND_US,
                    "a request that has not arrived whole in that time is closed on, however steadily it trickles; an idle connection, too"),
    OPTION_INT(struct loaded, config.listen.threads, "threads", 0, "0", 0, 256,
               "threads that serve connections; 0: one for each core, at most 4"),
    OPTION_END
};

static const struct option_row tls_rows[] = {
    OPTION_PATH(struct loaded, config.listen.certificate, "certificate", OPTION_REQUIRED, NULL,
                "a PEM file with the certificate and those between it and the root"),
    OPTION_PATH(struct loaded, config.listen.key, "key", OPTION_REQUIRED, NULL, "a PEM file with its private key"),
    OPTION_END
};

static const struct option_row hook_rows[] = {
    OPTION_STRING(struct loaded, config.hook.path, "path", 0, "/okta/events", "the path of the hook's URL"),
    OPTION_STRING(struct loaded, config.hook.header, "header", 0, "Authorization", "the header in which Okta sends the secret"),
    OPTION_SECRET(struct loaded, config.hook.secret, "secret", OPTION_REQUIRED, "what that header must say"),
    OPTION_SECRET(struct loaded, config.hook.previous_secret, "previous_secret", 0, "accepted too, while Okta changes from one to the other"),
    OPTION_END
};

static const struct option_row okta_rows[] = {
    OPTION_STRING(struct loaded, config.okta.org, "org", OPTION_REQUIRED, NULL, "the organization's address, https://…"),
    OPTION_SECRET(struct loaded, config.okta.token, "token", OPTION_REQUIRED, "an API token that may read users, groups and the System Log"),
    OPTION_END
};

static const struct option_row *const all_rows[] = { top_rows, listen_rows, tls_rows, hook_rows, okta_rows };

/* ---- what no single row can check ---- */

/* The line of an option, or of the group where it stands by default. */
static void add_at(struct problems *problems, const config_setting_t *group, const char *prefix, const char *name, const char *text,
                   const char *seen)
{
    const config_setting_t *setting = group != NULL ? config_setting_get_member(group, name) : NULL;

    setting = setting != NULL ? setting : group;
    problems_add(problems, setting_file(setting), setting_line(setting), 0, "%s%s: %s, not \"%.100s\"", prefix, name, text, seen);
}

static bool is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_address(const char *address)
{
    struct in6_addr any;

    return inet_pton(AF_INET, address, &any) == 1 || inet_pton(AF_INET6, address, &any) == 1;
}

static void check_listen(const struct loaded *loaded, struct problems *problems)
{
    const char *address = loaded->config.listen.address;
    const config_setting_t *group = loaded->listen != NULL ? loaded->listen : config_root_setting(&loaded->file);

    if (address == NULL)
        return;
    if (!is_address(address))
        add_at(problems, group, "listen.", "address", "a numeric IPv4 or IPv6 address is expected, such as 0.0.0.0 or ::1", address);
    else if (loaded->tls == NULL && !is_loopback(address))
        add_at(problems, group, "listen.", "address",
               "without tls Provost listens on the loopback only; add tls: { certificate = …; key = …; } or use 127.0.0.1", address);
}

/* The endpoint looks closer when it starts; that the file is there can be told with all else. */
static void check_readable(const struct loaded *loaded, const char *name, const char *path, struct problems *problems)
{
    const config_setting_t *setting = loaded->tls != NULL ? config_setting_get_member(loaded->tls, name) : NULL;

    if (path != NULL && access(path, R_OK) < 0)
        problems_add(problems, setting_file(setting), setting_line(setting), 0, "listen.tls.%s: %s: %s", name, path, strerror(errno));
}

#define TOKEN_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

static void check_hook(const struct loaded *loaded, struct problems *problems)
{
    const char *path = loaded->config.hook.path, *header = loaded->config.hook.header;

    if (path != NULL && (path[0] != '/' || strpbrk(path, "?# \t") != NULL))
        add_at(problems, loaded->hook, "hook.", "path", "a path that begins with \"/\" and has no \"?\", \"#\" or blank is expected", path);
    if (header != NULL && (header[0] == '\0' || strspn(header, TOKEN_CHARS) != strlen(header)))
        add_at(problems, loaded->hook, "hook.", "header", "the name of a header is expected, such as \"Authorization\"", header);
}

static void check_okta(const struct loaded *loaded, struct problems *problems)
{
    const char *org = loaded->config.okta.org;

    if (org != NULL && !str_starts(org, "https://") && !str_starts(org, "http://127.0.0.1") && !str_starts(org, "http://[::1]"))
        add_at(problems, loaded->okta, "okta.", "org", "an address that begins with \"https://\" is expected", org);
}

static void check_top(const struct loaded *loaded, struct problems *problems)
{
    const struct config *config = &loaded->config;
    const config_setting_t *root = config_root_setting(&loaded->file);

    if (config->keep_keys_us < config->keep_us)
        problems_add(problems, config->path, setting_line(config_setting_get_member(root, "keep_keys")), 0,
                     "keep_keys is shorter than keep; an event's key must be remembered at least as long as the event");
    if (config->control != NULL && strlen(config->control) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        add_at(problems, root, "", "control", "a socket's path has at most 107 bytes", config->control);
    if (config->control_readers != NULL && getgrnam(config->control_readers) == NULL)
        add_at(problems, root, "", "control_readers", "a group of this machine is expected (getent group lists them)",
               config->control_readers);
}

/* A status log that is a file stands relative to the configuration. */
static void resolve_log(struct config *config)
{
    const char *slash = strrchr(config->path, '/');
    char *log = config->log;

    if (log == NULL || str_equal(log, "-") || str_equal(log, "journal") || log[0] == '/' || slash == NULL)
        return;
    config->log = str_printf("%.*s/%s", (int)(slash - config->path), config->path, log);
    free(log);
}

/* ---- loading ---- */

static void load_groups(struct loaded *loaded, unsigned flags, struct problems *problems)
{
    unsigned options = (flags & CONFIG_SECRETS) != 0 ? 0 : OPTIONS_NO_SECRETS;

    options_parse(top_rows, config_root_setting(&loaded->file), "", loaded, problems);
    options_parse(listen_rows, loaded->listen, "listen", loaded, problems);
    if (loaded->tls != NULL)
        options_parse(tls_rows, loaded->tls, "listen.tls", loaded, problems);
    if (loaded->hook != NULL)
        options_parse_with(hook_rows, loaded->hook, "hook", loaded, options, problems);
    if (loaded->okta != NULL)
        options_parse_with(okta_rows, loaded->okta, "okta", loaded, options, problems);
    check_listen(loaded, problems);
    if ((flags & CONFIG_SECRETS) != 0) {
        check_readable(loaded, "certificate", loaded->config.listen.certificate, problems);
        check_readable(loaded, "key", loaded->config.listen.key, problems);
    }
    check_hook(loaded, problems);
    check_okta(loaded, problems);
    check_top(loaded, problems);
    resolve_log(&loaded->config);
}

struct config *config_hold(struct config *config)
{
    atomic_fetch_add(&config->holders, 1);
    return config;
}

void config_free(struct config *config)
{
    struct loaded *loaded = (struct loaded *)config;

    if (config == NULL || atomic_fetch_sub(&config->holders, 1) > 1)
        return;
    targets_free(config, loaded->loader);
    for (size_t i = 0; i < sizeof(all_rows) / sizeof(all_rows[0]); i++)
        options_free(all_rows[i], loaded);
    config_destroy(&loaded->file);
    free(config->path);
    free(loaded);
}
DEFINE_CLEANUP(struct config, config_free);

int config_load(const char *path, unsigned flags, const struct config_loader *loader, struct problems *problems,
                struct config **ret_config)
{
    size_t before = problems->count;
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    cleanup_of(config_free) struct config *config = NULL;

    if (loaded == NULL)
        return ERROR_NOMEM;
    config = &loaded->config;
    config->holders = 1;
    config_init(&loaded->file);
    loaded->loader = loader;
    config->path = strdup(path);
    if (config->path == NULL)
        return ERROR_NOMEM;
    int code = settings_read(&loaded->file, path, problems);
    if (code < 0)
        return code;
    load_groups(loaded, flags, problems);
    if (loaded->targets != NULL)
        targets_load(config, loaded->targets, flags, loader, problems);
    if (problems->count != before)
        return ERROR_INVALID;
    *ret_config = take_pointer(config);
    return 0;
}

void config_print_man(FILE *stream)
{
    static const struct {
        const char *heading;
        const struct option_row *rows;
    } sections[] = {
        { "At the top level", top_rows }, { "listen: { ... }", listen_rows }, { "listen: { tls: { ... } }", tls_rows },
        { "hook: { ... }", hook_rows },     { "okta: { ... }", okta_rows },
    };

    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        fprintf(stream, ".SS %s\n", sections[i].heading);
        options_print_man(sections[i].rows, stream);
    }
    targets_print_man(stream);
}
