/*
 * The layouts that are known by name, in the words of the mapping file.
 *
 * Sources: express-session session/store.js, session/cookie.js; connect-redis
 * (prefix "sess:"); spring-session RedisSessionRepository,
 * RedisIndexedSessionRepository, JdbcIndexedSessionRepository; django
 * contrib/sessions/backends, core/signing.py; php-src ext/session/mod_files.c;
 * phpredis redis_session.c; laravel Illuminate/Session, Auth/SessionGuard.php;
 * rack-session and rails cache_store; flask-session.
 */
#include "connectors/session/layout.h"

#define SPRING "spring:session:"
#define SPRING_INDEX SPRING "index:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME:*"
/* "login_web_" and the SHA-1 of the guard's class, Illuminate\Auth\SessionGuard */
#define LARAVEL_LOGIN "/login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d"

const struct preset layout_presets[] = {
    { "express", "express-session with connect-redis, log-in by passport", STORE_BIT(STORE_REDIS),
      { { "pattern", "sess:*" }, { "format", "json" }, { "user_at", "/passport/user" } } },
    { "spring-redis", "Spring Session, RedisSessionRepository (no index)", STORE_BIT(STORE_REDIS),
      { { "pattern", SPRING "sessions:*" }, { "type", "hash" }, { "field", "sessionAttr:SPRING_SECURITY_CONTEXT" }, { "format", "java" },
        { "created_at", "creationTime" }, { "created_unit", "ms" } } },
    { "spring-redis-indexed", "Spring Session, RedisIndexedSessionRepository", STORE_BIT(STORE_REDIS),
      { { "pattern", SPRING "sessions:*" }, { "type", "hash" }, { "index", SPRING_INDEX }, { "expires", SPRING "sessions:expires:*" },
        { "expirations", SPRING "expirations:*" }, { "format", "java" }, { "created_at", "creationTime" }, { "created_unit", "ms" } } },
    { "spring-jdbc", "Spring Session JDBC", STORES_SQL,
      { { "table", "SPRING_SESSION" }, { "key_column", "PRIMARY_ID" }, { "user_column", "PRINCIPAL_NAME" },
        { "created_column", "CREATION_TIME" }, { "created_unit", "ms" } } },
    { "django-db", "Django, backend db", STORES_SQL,
      { { "table", "django_session" }, { "key_column", "session_key" }, { "value_column", "session_data" }, { "format", "django" },
        { "user_at", "/_auth_user_id" }, { "expires_column", "expire_date" }, { "expires_unit", "date" } } },
    { "django-cached-db", "Django, backend cached_db: the row, then the cache's key", STORES_SQL,
      { { "table", "django_session" }, { "key_column", "session_key" }, { "value_column", "session_data" }, { "format", "django" },
        { "user_at", "/_auth_user_id" }, { "expires_column", "expire_date" }, { "expires_unit", "date" },
        { "cache_key", ":1:django.contrib.sessions.cached_db*" } } },
    { "django-file", "Django, backend file", STORE_BIT(STORE_FILES),
      { { "pattern", "sessionid*" }, { "format", "django" }, { "user_at", "/_auth_user_id" } } },
    { "php-files", "PHP's own session files", STORE_BIT(STORE_FILES),
      { { "pattern", "sess_*" }, { "format", "php" }, { "user_at", "/user" } } },
    { "php-memcached", "PHP with the memcached extension; the application keeps the index", STORE_BIT(STORE_MEMCACHED),
      { { "pattern", "memc.sess.key.*" }, { "lock", "memc.sess.key.lock.*" }, { "index", "sessions:*" }, { "format", "php" },
        { "user_at", "/user" } } },
    { "phpredis", "PHP with the redis extension", STORE_BIT(STORE_REDIS),
      { { "pattern", "PHPREDIS_SESSION:*" }, { "lock", "*_LOCK" }, { "format", "php" }, { "user_at", "/user" } } },
    { "laravel-database", "Laravel, driver database", STORES_SQL,
      { { "table", "sessions" }, { "key_column", "id" }, { "user_column", "user_id" } } },
    { "laravel-redis", "Laravel, driver redis; the application's name stands in the pattern", STORE_BIT(STORE_REDIS),
      { { "pattern", "laravel_database_laravel_cache_*" }, { "format", "serialized" }, { "user_at", LARAVEL_LOGIN } } },
    { "rails-cache", "Rails cache_store on Redis; the name as a whole token", STORE_BIT(STORE_REDIS),
      { { "pattern", "_session_id:*" }, { "format", "token" } } },
    { "flask-session-redis", "Flask-Session on Redis, log-in by Flask-Login", STORE_BIT(STORE_REDIS),
      { { "pattern", "session:*" }, { "format", "token" }, { "user_at", "/_user_id" } } },
    { "flask-session-sql", "Flask-Session in a table, log-in by Flask-Login", STORES_SQL,
      { { "table", "sessions" }, { "key_column", "session_id" }, { "value_column", "data" }, { "format", "token" },
        { "user_at", "/_user_id" }, { "expires_column", "expiry" }, { "expires_unit", "date" } } },
    { "cookie", "sessions that live in the cookie alone (Flask, Rails, cookie-session): only markers help", STORES_ALL,
      { { "format", "cookie" } } },
    { NULL, NULL, 0, { { NULL, NULL } } },
};
