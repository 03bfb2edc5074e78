#include "connectors/session/settings.h"

#include "base/str.h"
#include "connectors/session/store.h"

#define SECOND INT64_C(1000000)

static const char *const cache_choices[] = { "none", "redis", "memcached", NULL };

const struct option_row session_options[] = {
    OPTION_CHOICE(struct session_settings, store, "store", "redis", store_kind_names,
                  "what kind of store the application keeps its sessions in"),
    OPTION_STRINGS(
        struct session_settings, address, "address", 0,
        "where the server is: [ \"HOST:PORT\" ] or [ \"/path/of/socket\" ]; of a Redis cluster some of its nodes, with sentinel "
        "the Sentinels"),
    OPTION_STRING(struct session_settings, sentinel, "sentinel", 0, NULL,
                  "Redis: the name under which the Sentinels know the master"),
    OPTION_STRING(struct session_settings, sentinel_user, "sentinel_user", 0, NULL, "Redis: user to log in to the Sentinels as"),
    OPTION_SECRET(struct session_settings, sentinel_password, "sentinel_password", 0,
                  "Redis: password of the Sentinels: file:PATH, env:NAME or credential:NAME"),
    OPTION_BOOL(struct session_settings, cluster, "cluster", "false",
                "Redis: the server is a cluster; all its masters are swept"),
    OPTION_PATH(struct session_settings, path, "path", 0, NULL,
                "files: the folder of the session files; sqlite: the database's file"),
    OPTION_STRING(struct session_settings, dbname, "dbname", 0, NULL, "postgresql, mysql: the name of the database"),
    OPTION_INT(struct session_settings, database, "database", 0, "0", 0, 65535, "Redis: the number of the database"),
    OPTION_STRING(struct session_settings, user, "user", 0, NULL,
                  "user to log in as (Redis: an ACL user; default: the default user)"),
    OPTION_SECRET(struct session_settings, password, "password", 0, "its password: file:PATH, env:NAME or credential:NAME"),
    OPTION_BOOL(struct session_settings, allow_plaintext, "allow_plaintext", "false",
                "send the password over an unencrypted connection to another machine"),
    OPTION_BOOL(struct session_settings, tls, "tls", "false", "encrypt the connection and check the server's certificate"),
    OPTION_PATH(struct session_settings, ca_file, "ca_file", 0, NULL,
                "PEM file of the authorities that may have issued the server's certificate; default: the system's"),
    OPTION_PATH(struct session_settings, certificate, "certificate", 0, NULL,
                "PEM file of our own certificate, where the server asks for one"),
    OPTION_PATH(struct session_settings, key, "key", 0, NULL, "PEM file of its private key"),
    OPTION_DURATION(struct session_settings, connect_timeout_us, "connect_timeout", "5 s", SECOND / 10, 300 * SECOND,
                    "how long a connection may take to come about, for each address"),
    OPTION_DURATION(struct session_settings, timeout_us, "timeout", "10 s", SECOND / 10, 3600 * SECOND,
                    "how long the server may take for one answer"),
    OPTION_DURATION(struct session_settings, lock_timeout_us, "lock_timeout", "2 s", 0, 60 * SECOND,
                    "how long to wait for a session that a request holds locked, before it is left to the next sweep"),
    OPTION_INT(struct session_settings, share_percent, "share", 0, "20", 1, 100,
               "percent of the server's time that sweeps may take, all workers together"),
    OPTION_INT(struct session_settings, step_entries, "step", 0, "500", 10, 10000,
               "how many keys, files or rows are looked at in one step; the server is not blocked for longer"),
    OPTION_SIZE(struct session_settings, value_bytes_most, "value_size_max", "1 MiB", 4096, INT64_C(64) << 20,
                "the largest session that is read at once; a larger one is searched for the name in parts of this size"),
    OPTION_BOOL(
        struct session_settings, index, "index", "false",
        "Redis: keep an own index of whose session is whose from keyspace notifications, instead of looking through all keys"),
    OPTION_BOOL(struct session_settings, index_configure, "index_configure", "false",
                "Redis: switch the needed notifications on with CONFIG SET, where they are off"),
    OPTION_SIZE(struct session_settings, index_bytes_most, "index_size_max", "256 MiB", 1 << 20, INT64_C(64) << 30,
                "Redis: memory that the index may take; beyond it all keys are looked through again"),
    OPTION_CHOICE(
        struct session_settings, cache, "cache", "none", cache_choices,
        "postgresql, mysql, sqlite: the cache in front of the table, whose keys (cache_key of the mapping) go with the rows"),
    OPTION_STRINGS(struct session_settings, cache_address, "cache_address", 0, "where the cache is: as address"),
    OPTION_STRING(struct session_settings, cache_user, "cache_user", 0, NULL, "user to log in to the cache as"),
    OPTION_SECRET(struct session_settings, cache_password, "cache_password", 0,
                  "its password: file:PATH, env:NAME or credential:NAME"),
    OPTION_INT(struct session_settings, cache_database, "cache_database", 0, "0", 0, 65535,
               "the number of the cache's database (Redis)"),
    OPTION_STRING(struct session_settings, marker_prefix, "marker_prefix", 0,
                  "provost:", "what the keys of markers begin with: PREFIXdenied:USER, PREFIXsigned_in:USER"),
    OPTION_STRING(struct session_settings, marker_table, "marker_table", 0, "provost_marks",
                  "postgresql, mysql, sqlite: the table of markers"),
    OPTION_END
};

/* What a kind of store cannot do without or has no use for. */
static const struct {
    int store;
    size_t offset;
    const char *name;
    bool needed;
} rules[] = {
#define ROW(store, member, needed) { store, offsetof(struct session_settings, member), #member, needed }
    ROW(STORE_FILES, path, true),        ROW(STORE_SQLITE, path, true),        ROW(STORE_POSTGRESQL, dbname, true),
    ROW(STORE_MYSQL, dbname, true),      ROW(STORE_REDIS, path, false),        ROW(STORE_REDIS, dbname, false),
    ROW(STORE_MEMCACHED, path, false),   ROW(STORE_MEMCACHED, dbname, false),  ROW(STORE_MEMCACHED, password, false),
    ROW(STORE_FILES, password, false),   ROW(STORE_SQLITE, password, false),   ROW(STORE_FILES, address, false),
    ROW(STORE_SQLITE, address, false),   ROW(STORE_MEMCACHED, sentinel, false),ROW(STORE_FILES, sentinel, false),
    ROW(STORE_SQLITE, sentinel, false),  ROW(STORE_POSTGRESQL, sentinel, false), ROW(STORE_MYSQL, sentinel, false),
#undef ROW
};

#define PROBLEM(...) problems_add(problems, file, line, 0, __VA_ARGS__)

static void check_rules(const struct session_settings *settings, const char *file, int line, struct problems *problems)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].store != settings->store)
            continue;
        const void *value = *(void *const *)((const char *)settings + rules[i].offset);
        if (rules[i].needed && value == NULL)
            PROBLEM("store = \"%s\" needs %s", store_kind_name(settings->store), rules[i].name);
        if (!rules[i].needed && value != NULL)
            PROBLEM("%s has no meaning for store = \"%s\"; remove it", rules[i].name, store_kind_name(settings->store));
    }
    if (settings->store != STORE_REDIS && (settings->cluster || settings->index))
        PROBLEM("cluster and index go with store = \"redis\" only, not with \"%s\"", store_kind_name(settings->store));
}

void session_settings_check(const void *arg, const char *file, int line, struct problems *problems)
{
    const struct session_settings *settings = arg;
    const struct session_store_ops *ops = session_store_ops(settings->store);

    check_rules(settings, file, line, problems);
    if ((settings->certificate == NULL) != (settings->key == NULL))
        PROBLEM("certificate and key go together; add %s", settings->key == NULL ? "key" : "certificate");
    if (!settings->tls && (settings->ca_file != NULL || settings->certificate != NULL))
        PROBLEM("ca_file and certificate have no meaning without tls = true");
    if (ops == NULL)
        PROBLEM("this build has no store \"%s\"", store_kind_name(settings->store));
    else if (ops->check != NULL)
        ops->check(settings, file, line, problems);
}
