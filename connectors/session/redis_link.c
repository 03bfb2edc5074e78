#include "connectors/session/redis_link.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_HIREDIS_SSL
#include <hiredis/hiredis_ssl.h>
#endif

#include "base/str.h"
#include "connectors/session/address.h"
#include "connectors/session/redis_outcome.h"

#define REPLY_BYTES_SHOWN 200

static struct timeval timeval_of(int64_t us)
{
    return (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
}

/* ---- what went wrong ---- */

static enum outcome lost(struct redis_link *link, struct receipt *receipt)
{
    const redisContext *context = link->context;
    bool late = context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT);

    link->dead = true;
    if (late)
        return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "Redis at %s has not answered within %lld ms (timeout)", link->name,
                           (long long)(link->settings->timeout_us / 1000));
    return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "the connection to Redis at %s was lost: %s", link->name,
                       context->errstr[0] != '\0' ? context->errstr : "no reason is known");
}

bool reply_is_error(const redisReply *reply, const char *prefix)
{
    return reply->type == REDIS_REPLY_ERROR && str_starts(reply->str, prefix);
}

enum outcome link_refused(const struct redis_link *link, const redisReply *error, struct receipt *receipt)
{
    const struct redis_outcome_row *row = redis_outcome_row(error->str);
    size_t shown = error->len;
    cleanup_free char *text = strndup(error->str, shown < REPLY_BYTES_SHOWN ? shown : REPLY_BYTES_SHOWN);
    cleanup_buf struct buf visible = { 0 };
    char *words = text != NULL ? strstr(text, ", with args") : NULL;

    if (words != NULL)
        *words = '\0'; /* what follows are our own words: a session's key, a password */
    buf_add_visible(&visible, text != NULL ? text : "");
    return receipt_set(receipt, row->outcome, 0, "Redis at %s: %s (\"%s\")", link->name, row->sentence,
                       visible.bytes != NULL ? visible.bytes : "");
}

/* ---- asking ---- */

bool link_send(struct redis_link *link, const struct redis_command *command, struct receipt *receipt)
{
    const char **words = (const char **)command->words;

    if (!link->dead && redisAppendCommandArgv(link->context, command->count, words, command->lengths) == REDIS_OK)
        return true;
    if (link->context->err != 0)
        lost(link, receipt);
    else
        receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    link->dead = true;
    return false;
}

redisReply *link_take(struct redis_link *link, struct receipt *receipt)
{
    void *reply = NULL;

    if (link->dead) {
        if (receipt->reason == NULL)
            receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "the connection to Redis at %s was lost", link->name);
        return NULL;
    }
    if (redisGetReply(link->context, &reply) != REDIS_OK || reply == NULL) {
        lost(link, receipt);
        return NULL;
    }
    return reply;
}

redisReply *link_ask(struct redis_link *link, const struct redis_command *command, struct receipt *receipt)
{
    redisReply *reply = link_send(link, command, receipt) ? link_take(link, receipt) : NULL;

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return reply;
    link_refused(link, reply, receipt);
    freeReplyObject(reply);
    return NULL;
}

/* ---- coming about ---- */

static bool begin_tls(struct redis_link *link, struct receipt *receipt)
{
    const struct session_settings *settings = link->settings;

    if (!settings->tls)
        return true;
#ifdef HAVE_HIREDIS_SSL
    redisSSLContextError code = REDIS_SSL_CTX_NONE;
    redisSSLContext *tls = redisCreateSSLContext(settings->ca_file, settings->ca_file == NULL ? "/etc/ssl/certs" : NULL,
                                                 settings->certificate, settings->key, NULL, &code);
    bool good = tls != NULL && redisInitiateSSLWithContext(link->context, tls) == REDIS_OK;
    if (!good)
        receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "no TLS with Redis at %s: %s", link->name,
                    tls == NULL ? redisSSLContextGetError(code) : link->context->errstr);
    redisFreeSSLContext(tls);
    return good;
#else
    receipt_set(receipt, OUTCOME_REJECTED, 0, "this build's hiredis has no TLS: remove tls, or build with hiredis_ssl");
    return false;
#endif
}

static bool log_in(struct redis_link *link, enum link_kind kind, struct receipt *receipt)
{
    const struct session_settings *settings = link->settings;
    const char *user = kind == LINK_SENTINEL ? settings->sentinel_user : settings->user;
    const char *password = kind == LINK_SENTINEL ? settings->sentinel_password : settings->password;

    if (password == NULL)
        return true;
    cleanup_reply redisReply *reply = link_ask(
        link, user != NULL ? REDIS_COMMAND("AUTH", user, password) : REDIS_COMMAND("AUTH", password), receipt);
    if (reply == NULL && receipt->outcome != OUTCOME_TARGET_DOWN) /* whatever it said: nothing works without the log-in */
        receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "cannot log in: %s", receipt->reason != NULL ? receipt->reason : "");
    return reply != NULL;
}

static bool select_database(struct redis_link *link, enum link_kind kind, struct receipt *receipt)
{
    char number[24];

    if (kind != LINK_SERVER || link->settings->database == 0)
        return true;
    snprintf(number, sizeof(number), "%lld", (long long)link->settings->database);
    cleanup_reply redisReply *reply = link_ask(link, REDIS_COMMAND("SELECT", number), receipt);
    return reply != NULL;
}

static bool may_send_password(const struct redis_link *link, const char *host, enum link_kind kind, struct receipt *receipt)
{
    const struct session_settings *settings = link->settings;
    const char *password = kind == LINK_SENTINEL ? settings->sentinel_password : settings->password;

    if (password == NULL || settings->tls || settings->allow_plaintext || address_is_local(host))
        return true;
    receipt_set(
        receipt, OUTCOME_TARGET_DOWN, 0,
        "the password would go to Redis at %s unencrypted; set tls = true (or, knowing what it means, allow_plaintext = true)",
        link->name);
    return false;
}

static bool dial(struct redis_link *link, const char *host, int port, struct receipt *receipt)
{
    const struct timeval wait = timeval_of(link->settings->connect_timeout_us);

    link->context = port == 0 ? redisConnectUnixWithTimeout(host, wait) : redisConnectWithTimeout(host, port, wait);
    if (link->context == NULL) {
        receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
        return false;
    }
    if (link->context->err == 0 && redisSetTimeout(link->context, timeval_of(link->settings->timeout_us)) == REDIS_OK)
        return true;
    receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "cannot connect to Redis at %s: %s", link->name, link->context->errstr);
    return false;
}

enum outcome link_open(const struct session_settings *settings, const char *address, enum link_kind kind,
                       struct redis_link **ret_link, struct receipt *receipt)
{
    cleanup_free char *host = NULL;
    int port = 0;

    if (address_split(address, kind == LINK_SENTINEL ? SENTINEL_PORT : REDIS_PORT, &host, &port) < 0)
        return receipt_set(receipt, OUTCOME_TARGET_DOWN, 0, "\"%s\" is no address; right would be HOST:PORT or /path/of/socket",
                           address);
    struct redis_link *link = calloc(1, sizeof(*link));
    if (link == NULL || (link->name = str_dup(address)) == NULL) {
        free(link);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    }
    link->settings = settings;
    if (may_send_password(link, host, kind, receipt) && dial(link, host, port, receipt) && begin_tls(link, receipt) &&
        log_in(link, kind, receipt) && select_database(link, kind, receipt)) {
        *ret_link = link;
        return OUTCOME_APPLIED;
    }
    link_close(link);
    return receipt->outcome;
}

void link_close(struct redis_link *link)
{
    if (link == NULL)
        return;
    if (link->context != NULL)
        redisFree(link->context);
    free(link->name);
    free(link);
}
