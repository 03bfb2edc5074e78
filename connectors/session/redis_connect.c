/* Finding the masters, and the node that has a key. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/session/redis_store.h"

#define REDIRECTS_MOST 5

static const char *const default_address[] = { "127.0.0.1:6379", NULL };

static const char *const *addresses(const struct session_settings *settings)
{
    return settings->address != NULL && settings->address[0] != NULL ? (const char *const *)settings->address : default_address;
}

void store_disconnect(struct session_store *store)
{
    for (size_t i = 0; i < store->link_count; i++)
        link_close(store->links[i]);
    free(store->links);
    free(store->owners);
    store->links = NULL;
    store->link_count = 0;
    store->owners = NULL;
}

/* Takes the link over, also when it fails. */
static enum outcome add_link(struct session_store *store, struct redis_link *link, struct receipt *receipt)
{
    struct redis_link **links = realloc(store->links, (store->link_count + 1) * sizeof(*links));

    if (links == NULL) {
        link_close(link);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    store->links = links;
    store->links[store->link_count++] = link;
    return OUTCOME_APPLIED;
}

/* Sessions are ended at a master: a replica would only seem to have them. */
static enum outcome check_role(struct redis_link *link, struct receipt *receipt)
{
    if (!link_send(link, REDIS_COMMAND("ROLE"), receipt))
        return OUTCOME_TARGET_DOWN;
    cleanup_reply redisReply *reply = link_take(link, receipt);
    if (reply == NULL)
        return OUTCOME_TARGET_DOWN;
    if (reply_is_error(reply, "NOPERM") || reply_is_error(reply, "ERR unknown command"))
        return OUTCOME_APPLIED; /* then nobody tells; it is the administrator's word that it is the master */
    if (reply->type == REDIS_REPLY_ERROR) {
        enum outcome outcome = link_refused(link, reply, receipt);
        return outcome == OUTCOME_TARGET_DOWN ? outcome : receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "%s", receipt->reason);
    }
    if (reply->elements >= 1 && reply_is_text(reply->element[0]) && strcmp(reply->element[0]->str, "master") != 0)
        return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0,
                           "Redis at %s is a replica: name the master in address, or the Sentinels and sentinel = NAME",
                           link->name);
    return OUTCOME_APPLIED;
}

static enum outcome connect_master(struct session_store *store, const char *address, enum link_kind kind, struct receipt *receipt)
{
    struct redis_link *link = NULL;
    enum outcome outcome = link_open(store->settings, address, kind, &link, receipt);

    if (outcome == OUTCOME_APPLIED)
        outcome = check_role(link, receipt);
    if (outcome != OUTCOME_APPLIED) {
        link_close(link);
        return outcome;
    }
    return add_link(store, link, receipt);
}

/* ---- Sentinel ---- */

static char *join_address(const char *host, long long port)
{
    return str_printf(strchr(host, ':') != NULL ? "[%s]:%lld" : "%s:%lld", host, port);
}

/* Who the master is, by the word of one Sentinel. */
static enum outcome ask_sentinel(struct session_store *store, const char *sentinel, char **ret_master, struct receipt *receipt)
{
    struct redis_link *link = NULL;
    long long port = 0;
    enum outcome outcome = link_open(store->settings, sentinel, LINK_SENTINEL, &link, receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    redisReply *reply = link_ask(link, REDIS_COMMAND("SENTINEL", "get-master-addr-by-name", store->settings->sentinel), receipt);
    link_close(link);
    if (reply == NULL && receipt->outcome == OUTCOME_REJECTED)
        return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0,
                           "Redis at %s is no Sentinel: name the Sentinels (they listen on port 26379) in address, or remove sentinel",
                           sentinel);
    if (reply == NULL)
        return receipt->outcome;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply_is_text(reply->element[0]) &&
        reply_is_text(reply->element[1]) && str_to_int64(reply->element[1]->str, &port))
        *ret_master = join_address(reply->element[0]->str, port);
    else
        outcome = receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "the Sentinel at %s knows no master \"%s\"", sentinel,
                              store->settings->sentinel);
    freeReplyObject(reply);
    return outcome;
}

static enum outcome connect_by_sentinel(struct session_store *store, const char *sentinel, struct receipt *receipt)
{
    cleanup_free char *master = NULL;
    enum outcome outcome = ask_sentinel(store, sentinel, &master, receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (master == NULL)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    outcome = connect_master(store, master, LINK_SERVER, receipt);
    if (outcome != OUTCOME_APPLIED)
        receipt_set(receipt, outcome, 0, "by the word of the Sentinel at %s: %s", sentinel, receipt->reason);
    return outcome;
}

/* ---- cluster ---- */

/* CRC-16/XMODEM: polynomial 0x1021, from 0. */
static unsigned crc16(const char *bytes, size_t length)
{
    unsigned crc = 0;

    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned)(unsigned char)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000u ? crc << 1 ^ 0x1021u : crc << 1) & 0xffffu;
    }
    return crc;
}

unsigned redis_slot(const char *key, size_t length)
{
    const char *open = length > 0 ? memchr(key, '{', length) : NULL;
    const char *close = open != NULL ? memchr(open, '}', length - (size_t)(open - key)) : NULL;

    if (close != NULL && close > open + 1)
        return crc16(open + 1, (size_t)(close - open - 1)) % REDIS_SLOTS;
    return crc16(key, length) % REDIS_SLOTS;
}

static int find_link(const struct session_store *store, const char *address)
{
    for (size_t i = 0; i < store->link_count; i++)
        if (strcmp(store->links[i]->name, address) == 0)
            return (int)i;
    return -1;
}

/* The link to a node of the cluster, made where there is none; -1: none. */
static int node_link(struct session_store *store, const char *address, struct receipt *receipt)
{
    int index = find_link(store, address);

    if (index >= 0 || connect_master(store, address, LINK_NODE, receipt) != OUTCOME_APPLIED)
        return index;
    return (int)store->link_count - 1;
}

/* One range of CLUSTER SLOTS: first slot, last slot, [host, port, …] of the master, … */
static enum outcome add_slots(struct session_store *store, const redisReply *range, const char *asked_host,
                              struct receipt *receipt)
{
    const redisReply *node = range->type == REDIS_REPLY_ARRAY && range->elements >= 3 ? range->element[2] : NULL;

    if (node == NULL || node->type != REDIS_REPLY_ARRAY || node->elements < 2 || range->element[0]->integer < 0 ||
        range->element[1]->integer >= REDIS_SLOTS)
        return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "the answer to CLUSTER SLOTS cannot be read");
    const redisReply *host = node->element[0];
    bool known = reply_is_text(host) && host->len > 0 && strcmp(host->str, "?") != 0;
    cleanup_free char *address = join_address(known ? host->str : asked_host, node->element[1]->integer);
    int index = address != NULL ? node_link(store, address, receipt) : -1;
    if (index < 0)
        return address != NULL ? receipt->outcome : receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    for (long long slot = range->element[0]->integer; slot <= range->element[1]->integer; slot++)
        store->owners[slot] = (int16_t)index;
    return OUTCOME_APPLIED;
}

static enum outcome check_covered(const struct session_store *store, struct receipt *receipt)
{
    for (int slot = 0; slot < REDIS_SLOTS; slot++)
        if (store->owners[slot] < 0)
            return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "the cluster does not work: slot %d has no master", slot);
    return OUTCOME_APPLIED;
}

static enum outcome read_slots(struct session_store *store, struct redis_link *link, struct receipt *receipt)
{
    enum outcome outcome = OUTCOME_APPLIED;
    redisReply *reply = link_ask(link, REDIS_COMMAND("CLUSTER", "SLOTS"), receipt);

    if (reply == NULL)
        return receipt->outcome == OUTCOME_TARGET_DOWN ? OUTCOME_TARGET_DOWN
                                                       : receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "%s", receipt->reason);
    cleanup_free char *host = strndup(link->name, strcspn(link->name, ":")); /* where a node does not know its own name */
    free(store->owners);
    store->owners = malloc(REDIS_SLOTS * sizeof(*store->owners));
    if (store->owners == NULL || host == NULL)
        outcome = receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    else
        memset(store->owners, 0xff, REDIS_SLOTS * sizeof(*store->owners)); /* -1 */
    for (size_t i = 0; outcome == OUTCOME_APPLIED && i < reply->elements; i++)
        outcome = add_slots(store, reply->element[i], host, receipt);
    freeReplyObject(reply);
    return outcome == OUTCOME_APPLIED ? check_covered(store, receipt) : outcome;
}

static enum outcome connect_cluster(struct session_store *store, const char *address, struct receipt *receipt)
{
    struct redis_link *link = NULL;
    enum outcome outcome = link_open(store->settings, address, LINK_NODE, &link, receipt);

    if (outcome == OUTCOME_APPLIED)
        outcome = read_slots(store, link, receipt);
    link_close(link);
    return outcome;
}

/* ---- all of them ---- */

static enum outcome connect_server(struct session_store *store, const char *address, struct receipt *receipt)
{
    return connect_master(store, address, LINK_SERVER, receipt);
}

enum outcome store_connect(struct session_store *store, struct receipt *receipt)
{
    const char *const *address = addresses(store->settings);
    enum outcome (*connect_one)(struct session_store *, const char *, struct receipt *) =
        store->settings->sentinel != NULL ? connect_by_sentinel : store->settings->cluster ? connect_cluster : connect_server;
    enum outcome outcome = OUTCOME_TARGET_DOWN;

    for (; *address != NULL && outcome != OUTCOME_APPLIED; address++) {
        store_disconnect(store);
        outcome = connect_one(store, *address, receipt);
    }
    if (outcome == OUTCOME_APPLIED)
        receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    else
        store_disconnect(store);
    return outcome;
}

enum outcome store_ready(struct session_store *store, struct receipt *receipt)
{
    enum outcome outcome = store->link_count > 0 ? OUTCOME_APPLIED : OUTCOME_TARGET_DOWN;

    for (size_t i = 0; i < store->link_count && outcome == OUTCOME_APPLIED; i++)
        outcome = check_role(store->links[i], receipt);
    if (outcome == OUTCOME_APPLIED && store->owners != NULL) /* nodes may have come */
        outcome = read_slots(store, store->links[0], receipt);
    return outcome == OUTCOME_APPLIED ? outcome : store_connect(store, receipt);
}

/* ---- by key ---- */

/* "MOVED 3999 127.0.0.1:6381", "ASK …": the address in it; NULL: neither. */
static const char *redirect_of(const redisReply *reply, bool *ret_ask)
{
    *ret_ask = reply_is_error(reply, "ASK ");
    if (!*ret_ask && !reply_is_error(reply, "MOVED "))
        return NULL;
    const char *address = strrchr(reply->str, ' ');
    return address != NULL && address[1] != ':' ? address + 1 : NULL;
}

static redisReply *ask_at(struct redis_link *link, bool asking, const struct redis_command *command, struct receipt *receipt)
{
    if (asking && (!link_send(link, REDIS_COMMAND("ASKING"), receipt) || !link_send(link, command, receipt)))
        return NULL;
    if (asking) {
        redisReply *taken = link_take(link, receipt);
        if (taken == NULL)
            return NULL;
        freeReplyObject(taken);
        return link_take(link, receipt);
    }
    return link_send(link, command, receipt) ? link_take(link, receipt) : NULL;
}

redisReply *store_ask_key(struct session_store *store, const char *key, size_t length, const struct redis_command *command,
                          struct receipt *receipt)
{
    int index = store->owners != NULL ? store->owners[redis_slot(key, length)] : 0;
    bool asking = false;

    for (int turn = 0; turn < REDIRECTS_MOST && index >= 0 && (size_t)index < store->link_count; turn++) {
        redisReply *reply = ask_at(store->links[index], asking, command, receipt);
        const char *address = reply != NULL ? redirect_of(reply, &asking) : NULL;
        if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
            return reply;
        if (address == NULL || store->owners == NULL) {
            link_refused(store->links[index], reply, receipt);
            freeReplyObject(reply);
            return NULL;
        }
        index = node_link(store, address, receipt);
        if (index >= 0 && !asking)
            store->owners[redis_slot(key, length)] = (int16_t)index;
        freeReplyObject(reply);
        if (index < 0)
            return NULL;
    }
    receipt_set(receipt, OUTCOME_RETRY, 0, "the cluster is moving its slots");
    return NULL;
}
