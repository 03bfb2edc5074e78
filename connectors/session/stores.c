/* The kinds of store, by number. */
#include "connectors/session/store.h"

const struct session_store_ops *session_store_ops(int store)
{
    static const struct session_store_ops *const kinds[STORE_KIND_COUNT] = {
        [STORE_REDIS] = &session_redis,
        [STORE_MEMCACHED] = &session_memcached,
        [STORE_FILES] = &session_files,
        [STORE_SQLITE] = &session_sqlite,
        [STORE_POSTGRESQL] = &session_postgresql,
        [STORE_MYSQL] = &session_mysql,
    };

    return store >= 0 && store < STORE_KIND_COUNT ? kinds[store] : NULL;
}
