#include "connectors/session/memcached_outcome.h"

#include <libmemcached-1.0/memcached.h>

#define LOST "the connection was lost"
#define NOWHERE "no connection could be made; check address, and that the server is running"
#define GARBLED "the server's answer cannot be understood; is it a memcached?"
#define SASL "the server wants SASL, which is not supported; let it listen on a loopback address or socket without"
#define KEY "a key has characters that memcached does not take, or more than 250 bytes"
#define LIBRARY "the client library refuses the request"

const struct memcached_row memcached_table[] = {
    { MEMCACHED_SUCCESS, OUTCOME_APPLIED, "done" },
    { MEMCACHED_FAILURE, OUTCOME_RETRY, "the request failed" },
    { MEMCACHED_HOST_LOOKUP_FAILURE, OUTCOME_TARGET_DOWN, "the address's name is not known" },
    { MEMCACHED_CONNECTION_FAILURE, OUTCOME_TARGET_DOWN, NOWHERE },
    { MEMCACHED_CONNECTION_BIND_FAILURE, OUTCOME_TARGET_DOWN, NOWHERE },
    { MEMCACHED_WRITE_FAILURE, OUTCOME_TARGET_DOWN, LOST },
    { MEMCACHED_READ_FAILURE, OUTCOME_TARGET_DOWN, LOST },
    { MEMCACHED_UNKNOWN_READ_FAILURE, OUTCOME_TARGET_DOWN, GARBLED },
    { MEMCACHED_PROTOCOL_ERROR, OUTCOME_TARGET_DOWN, GARBLED },
    { MEMCACHED_CLIENT_ERROR, OUTCOME_REJECTED, "the server does not accept the request" },
    { MEMCACHED_SERVER_ERROR, OUTCOME_RETRY, "the server met an error" },
    { MEMCACHED_ERROR, OUTCOME_TARGET_DOWN, GARBLED },
    { MEMCACHED_DATA_EXISTS, OUTCOME_RETRY, "the item was changed meanwhile" },
    { MEMCACHED_DATA_DOES_NOT_EXIST, OUTCOME_UNCHANGED, "there is no such item" },
    { MEMCACHED_NOTSTORED, OUTCOME_UNCHANGED, "the item is there already" },
    { MEMCACHED_STORED, OUTCOME_APPLIED, "stored" },
    { MEMCACHED_NOTFOUND, OUTCOME_UNCHANGED, "there is no such item" },
    { MEMCACHED_MEMORY_ALLOCATION_FAILURE, OUTCOME_RETRY, "out of memory" },
    { MEMCACHED_PARTIAL_READ, OUTCOME_TARGET_DOWN, LOST },
    { MEMCACHED_SOME_ERRORS, OUTCOME_TARGET_DOWN, LOST },
    { MEMCACHED_NO_SERVERS, OUTCOME_TARGET_DOWN, "no server is configured; set address" },
    { MEMCACHED_END, OUTCOME_APPLIED, "done" },
    { MEMCACHED_DELETED, OUTCOME_APPLIED, "deleted" },
    { MEMCACHED_VALUE, OUTCOME_APPLIED, "a value" },
    { MEMCACHED_STAT, OUTCOME_APPLIED, "a statistic" },
    { MEMCACHED_ITEM, OUTCOME_APPLIED, "an item" },
    { MEMCACHED_ERRNO, OUTCOME_TARGET_DOWN, NOWHERE },
    { MEMCACHED_FAIL_UNIX_SOCKET, OUTCOME_TARGET_DOWN, NOWHERE },
    { MEMCACHED_NOT_SUPPORTED, OUTCOME_REJECTED, "the server cannot do this" },
    { MEMCACHED_NO_KEY_PROVIDED, OUTCOME_REJECTED, KEY },
    { MEMCACHED_FETCH_NOTFINISHED, OUTCOME_RETRY, LIBRARY },
    { MEMCACHED_TIMEOUT, OUTCOME_TARGET_DOWN, "no answer in time" },
    { MEMCACHED_BUFFERED, OUTCOME_RETRY, LIBRARY },
    { MEMCACHED_BAD_KEY_PROVIDED, OUTCOME_REJECTED, KEY },
    { MEMCACHED_INVALID_HOST_PROTOCOL, OUTCOME_TARGET_DOWN, NOWHERE },
    { MEMCACHED_SERVER_MARKED_DEAD, OUTCOME_TARGET_DOWN, NOWHERE },
    { MEMCACHED_UNKNOWN_STAT_KEY, OUTCOME_REJECTED, LIBRARY },
    { MEMCACHED_E2BIG, OUTCOME_REJECTED, "the item is too large for the server" },
    { MEMCACHED_INVALID_ARGUMENTS, OUTCOME_REJECTED, LIBRARY },
    { MEMCACHED_KEY_TOO_BIG, OUTCOME_REJECTED, KEY },
    { MEMCACHED_AUTH_PROBLEM, OUTCOME_TARGET_DOWN, SASL },
    { MEMCACHED_AUTH_FAILURE, OUTCOME_TARGET_DOWN, SASL },
    { MEMCACHED_AUTH_CONTINUE, OUTCOME_TARGET_DOWN, SASL },
    { MEMCACHED_PARSE_ERROR, OUTCOME_REJECTED, LIBRARY },
    { MEMCACHED_PARSE_USER_ERROR, OUTCOME_REJECTED, LIBRARY },
    { MEMCACHED_DEPRECATED, OUTCOME_REJECTED, LIBRARY },
    { MEMCACHED_IN_PROGRESS, OUTCOME_RETRY, LIBRARY },
    { MEMCACHED_SERVER_TEMPORARILY_DISABLED, OUTCOME_TARGET_DOWN, NOWHERE },
    { MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE, OUTCOME_RETRY, "the server has no memory for the item" },
    { -1, OUTCOME_RETRY, "an error that is not known" },
};

const struct memcached_row *memcached_row(int code)
{
    const struct memcached_row *row = memcached_table;

    while (row->code != code && row->code != -1)
        row++;
    return row;
}
