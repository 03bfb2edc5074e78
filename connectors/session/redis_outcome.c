#include "connectors/session/redis_outcome.h"

#include "base/str.h"

/* The longer prefix stands first. */
static const struct redis_outcome_row table[] = {
    /* who we are */
    { "NOAUTH", OUTCOME_TARGET_DOWN, "the server asks for a password: set password (and user)" },
    { "WRONGPASS", OUTCOME_TARGET_DOWN, "wrong user or password, or the user is switched off" },
    { "NOPERM", OUTCOME_TARGET_DOWN, "the server's access rules (ACL) do not let our user do this" },
    { "DENIED", OUTCOME_TARGET_DOWN, "the server is in protected mode and takes local connections only" },
    { "ERR invalid password", OUTCOME_TARGET_DOWN, "wrong password" },
    { "ERR AUTH", OUTCOME_TARGET_DOWN, "the server has no password for this user: remove password, or set one there" },
    { "ERR Client sent AUTH", OUTCOME_TARGET_DOWN, "the server has no password: remove password, or set one there" },
    { "ERR wrong number of arguments for 'auth'", OUTCOME_TARGET_DOWN, "the server is too old for users: remove user" },
    { "ERR DB index", OUTCOME_TARGET_DOWN, "the server has no database of this number" },
    { "ERR invalid DB index", OUTCOME_TARGET_DOWN, "the server has no database of this number" },
    { "ERR SELECT is not allowed", OUTCOME_TARGET_DOWN, "a cluster has database 0 only: remove database" },
    { "ERR max number of clients", OUTCOME_TARGET_DOWN, "the server has no connection left for us" },
    { "ERR This instance has cluster support disabled", OUTCOME_TARGET_DOWN, "the server is no cluster: remove cluster = true" },
    { "ERR No such master", OUTCOME_TARGET_DOWN, "the Sentinels know no master of this name" },
    /* its state */
    { "LOADING", OUTCOME_TARGET_DOWN, "the server is loading its data" },
    { "MASTERDOWN", OUTCOME_TARGET_DOWN, "the server is a replica that has lost its master" },
    { "READONLY", OUTCOME_TARGET_DOWN, "the server is a replica (now): the master has changed" },
    { "CLUSTERDOWN", OUTCOME_TARGET_DOWN, "the cluster does not work: some of its slots have no master" },
    { "NOMASTERLINK", OUTCOME_TARGET_DOWN, "the server is a replica that has lost its master" },
    { "NOGOODSLAVE", OUTCOME_TARGET_DOWN, "the Sentinels find no replica to make the master" },
    { "INPROG", OUTCOME_TARGET_DOWN, "the Sentinels are changing the master" },
    { "IDONTKNOW", OUTCOME_TARGET_DOWN, "the Sentinels do not know yet" },
    { "NOREPLICAS", OUTCOME_RETRY, "the server has too few replicas to write" },
    { "MISCONF", OUTCOME_RETRY, "the server cannot save its data to disk and takes no writes: see its log" },
    { "OOM", OUTCOME_RETRY, "the server is out of memory (maxmemory)" },
    { "BUSYKEY", OUTCOME_REJECTED, "an answer that does not belong here" },
    { "BUSYGROUP", OUTCOME_REJECTED, "an answer that does not belong here" },
    { "BUSY", OUTCOME_RETRY, "the server is busy with a script" },
    { "TRYAGAIN", OUTCOME_RETRY, "the cluster is moving these keys" },
    { "MOVED", OUTCOME_RETRY, "the key belongs to another node: for a cluster set cluster = true" },
    { "ASK", OUTCOME_RETRY, "the key is being moved to another node: for a cluster set cluster = true" },
    { "IOERR", OUTCOME_RETRY, "the server met an input/output error" },
    { "NOSCRIPT", OUTCOME_RETRY, "the server has forgotten a script" },
    { "EXECABORT", OUTCOME_RETRY, "the server has refused a part of the transaction" },
    { "UNBLOCKED", OUTCOME_RETRY, "the server has let the call go" },
    /* what we asked */
    { "WRONGTYPE", OUTCOME_REJECTED, "a key is of another type than the mapping says" },
    { "CROSSSLOT", OUTCOME_REJECTED, "keys of one session lie on different nodes of the cluster" },
    { "NOPROTO", OUTCOME_REJECTED, "the server does not speak this protocol" },
    { "NOGROUP", OUTCOME_REJECTED, "an answer that does not belong here" },
    { "NOTBUSY", OUTCOME_REJECTED, "an answer that does not belong here" },
    { "UNKILLABLE", OUTCOME_RETRY, "the server is busy with a script that cannot be stopped" },
    { "INVALIDOBJ", OUTCOME_REJECTED, "an answer that does not belong here" },
    { "ERR unknown command", OUTCOME_REJECTED, "the server has no such command (renamed or too old)" },
    { "ERR", OUTCOME_REJECTED, "the server does not take this" },
    { "", OUTCOME_RETRY, "an answer that is not known" },
};

const struct redis_outcome_row *redis_outcome_table(void)
{
    return table;
}

const struct redis_outcome_row *redis_outcome_row(const char *reply)
{
    const struct redis_outcome_row *row = table;

    while (!str_starts(reply, row->prefix))
        row++;
    return row;
}
