/* The names of keys alone, over all nodes. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/redis_private.h"

struct scan {
    struct session_store *store;
    const char *glob;
    scan_key *each;
    void *arg;
    bool enough;
    struct receipt *receipt;
};

/* One step; *cursor is replaced. */
static bool scan_step(struct scan *scan, struct redis_link *link, char **cursor)
{
    char count[24];

    snprintf(count, sizeof(count), "%lld", (long long)scan->store->settings->step_entries);
    throttle_begin(&scan->store->shared->throttle);
    cleanup_reply redisReply *reply = link_ask(link, REDIS_COMMAND("SCAN", *cursor, "MATCH", scan->glob, "COUNT", count), scan->receipt);
    throttle_end(&scan->store->shared->throttle);
    if (reply == NULL)
        return false;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !reply_is_text(reply->element[0])) {
        receipt_set(scan->receipt, OUTCOME_RETRY, 0, "the answer to SCAN cannot be read");
        return false;
    }
    for (size_t i = 0; i < reply->element[1]->elements && !scan->enough; i++)
        scan->enough = !scan->each(scan->arg, reply->element[1]->element[i]->str, reply->element[1]->element[i]->len);
    free(*cursor);
    *cursor = str_dup(reply->element[0]->str);
    return *cursor != NULL;
}

enum outcome scan_keys(struct session_store *store, const char *pattern, scan_key *each, void *arg, struct receipt *receipt)
{
    cleanup_free char *glob = glob_of(pattern);
    struct scan scan = { store, glob, each, arg, false, receipt };
    bool good = glob != NULL;

    for (size_t i = 0; i < store->link_count && good && !scan.enough; i++) {
        cleanup_free char *cursor = str_dup("0");
        do
            good = cursor != NULL && scan_step(&scan, store->links[i], &cursor);
        while (good && !scan.enough && strcmp(cursor, "0") != 0);
    }
    if (good)
        return OUTCOME_APPLIED;
    return receipt->outcome != OUTCOME_APPLIED ? receipt->outcome : receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
}
