/* A connector that does nothing, for tests of the loader and the configuration. */
#include "connectors/connector.h"

#ifndef SAMPLE_ABI
#define SAMPLE_ABI CONNECTOR_ABI
#define SAMPLE_NAME "sample"
#else
#define SAMPLE_NAME "sample_old"
#endif

struct settings {
    char *uri, *password;
    int64_t timeout_us;
};

static const struct option_row rows[] = {
    OPTION_STRING(struct settings, uri, "uri", OPTION_REQUIRED, NULL, "where the target is"),
    OPTION_SECRET(struct settings, password, "password", 0, "ours"),
    OPTION_DURATION(struct settings, timeout_us, "timeout", "5 s", 1000, 60000000, "of a call"),
    OPTION_END
};

static void check(const void *settings, const char *file, int line, struct problems *problems)
{
    const struct settings *sample = settings;

    if (sample->uri[0] == '!')
        problems_add(problems, file, line, 0, "uri: \"%s\" begins with \"!\"", sample->uri);
}

static enum outcome refuse(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                           struct receipt *receipt)
{
    (void)shared;
    (void)settings;
    (void)ret_session;
    receipt->outcome = OUTCOME_TARGET_DOWN;
    return OUTCOME_TARGET_DOWN;
}

static void close_session(struct connector_session *session)
{
    (void)session;
}

static enum outcome probe(struct connector_session *session, struct receipt *receipt)
{
    (void)session;
    (void)receipt;
    return OUTCOME_APPLIED;
}

static enum outcome read_account(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                                 struct receipt *receipt)
{
    (void)session;
    (void)query;
    (void)ret_account;
    (void)receipt;
    return OUTCOME_GONE;
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    (void)session;
    (void)operation;
    (void)ret_account;
    (void)receipt;
    return OUTCOME_APPLIED;
}

extern const struct connector_ops provost_connector;
const struct connector_ops provost_connector = {
    .abi = SAMPLE_ABI,
    .name = SAMPLE_NAME,
    .summary = "does nothing",
    .options = rows,
    .settings_bytes = sizeof(struct settings),
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS,
    .check = check,
    .open = refuse,
    .close = close_session,
    .probe = probe,
    .read = read_account,
    .apply = apply,
};
