/*
 * settings.h: the options of a target of kind "session" (its `settings`
 * group): which store, where it is, and how much of it a sweep may take.
 *
 * Filled by base/option.h; shared by all sessions of the target, read-only.
 * Rules between options are in session_settings_check; what only one kind of
 * store knows, in that kind's `check` (store.h).
 * Threads: read-only after check. Ownership: the option table frees.
 */
#ifndef PROVOST_CONNECTORS_SESSION_SETTINGS_H
#define PROVOST_CONNECTORS_SESSION_SETTINGS_H

#include "base/option.h"

/* In the order of the option's choices. */
enum store_kind { STORE_REDIS, STORE_MEMCACHED, STORE_FILES, STORE_SQLITE, STORE_POSTGRESQL, STORE_MYSQL, STORE_KIND_COUNT };
extern const char *const store_kind_names[STORE_KIND_COUNT + 1];
const char *store_kind_name(int store); /* "redis"; never NULL */

enum session_cache { CACHE_NONE, CACHE_REDIS, CACHE_MEMCACHED };

struct session_settings {
    int store; /* enum store_kind */

    /* where */
    char **address;          /* HOST:PORT or /path/of/socket; NULL-terminated, NULL: the kind's default */
    char *sentinel;          /* Redis: the master's name; `address` are the Sentinels then */
    char *sentinel_user;
    char *sentinel_password;
    bool cluster;            /* Redis: `address` are some of the nodes */
    char *path;              /* files: the folder; SQLite: the database */
    char *dbname;            /* PostgreSQL, MySQL */
    int64_t database;        /* Redis: the number */

    /* as whom */
    char *user;
    char *password;
    bool allow_plaintext;
    bool tls;
    char *ca_file;
    char *certificate, *key;

    /* how long, how much */
    int64_t connect_timeout_us;
    int64_t timeout_us;      /* one answer */
    int64_t lock_timeout_us; /* how long an application's lock on a session is waited for */
    int64_t share_percent;   /* of the server's time that sweeps may take, all workers together */
    int64_t step_entries;    /* keys, files or rows looked at in one step */
    int64_t value_bytes_most;

    /* tables: a cache in front of them */
    int cache; /* enum session_cache */
    char **cache_address;
    char *cache_user, *cache_password;
    int64_t cache_database;

    /* Redis: the own index */
    bool index;
    bool index_configure;
    int64_t index_bytes_most;

    char *marker_prefix;     /* of marker keys */
    char *marker_table;      /* SQL: the markers' table */
};

extern const struct option_row session_options[];

/* The rules between options. No I/O. */
void session_settings_check(const void *settings, const char *file, int line, struct problems *problems);

#endif
