/*
 * A session store in a folder, for whole-program tests of what the agent asks
 * of one. sessions/ID is {"user": …, "created": seconds (may be absent)};
 * marks/USER the markers; asked has a line of JSON for each sweep. While the
 * file "fail" is there, its first word is the outcome of every operation:
 * "retry", "rejected" or "down".
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "connectors/connector.h"

struct settings {
    char *folder;
};

static const struct option_row rows[] = {
    OPTION_STRING(struct settings, folder, "folder", OPTION_REQUIRED, NULL, "where the sessions are"),
    OPTION_END
};

struct connector_session {
    const char *folder;
};

static enum outcome failing(struct connector_session *session, struct receipt *receipt)
{
    static const struct {
        const char *word;
        enum outcome outcome;
    } words[] = { { "retry", OUTCOME_RETRY }, { "rejected", OUTCOME_REJECTED }, { "down", OUTCOME_TARGET_DOWN } };
    cleanup_free char *path = str_printf("%s/fail", session->folder);
    char word[32] = "";
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    if (fscanf(file, "%31s", word) != 1)
        word[0] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, word) == 0)
            return receipt_set(receipt, words[i].outcome, 0, "the test wants it so");
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static enum outcome open_session(const void *arg, struct connector_shared *shared, struct connector_session **ret_session,
                                 struct receipt *receipt)
{
    const struct settings *settings = arg;

    (void)shared;
    *ret_session = calloc(1, sizeof(**ret_session));
    (*ret_session)->folder = settings->folder;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static void close_session(struct connector_session *session)
{
    free(session);
}

static enum outcome read_account(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                                 struct receipt *receipt)
{
    cleanup_free char *path = str_printf("%s/marks/%s", session->folder, query->key);
    json_t *marks = json_load_file(path, 0, NULL);
    enum outcome outcome = failing(session, receipt);

    if (outcome != OUTCOME_APPLIED) {
        json_decref(marks);
        return outcome;
    }
    *ret_account = (struct account){ strdup(query->key), strdup(query->key), marks != NULL ? marks : json_object(), -1, NULL };
    return outcome;
}

static bool is_users(const struct operation *operation, const char *user)
{
    const json_t *former = json_object_get(json_object_get(operation->settings, "sessions"), "former");
    size_t i;
    json_t *name;

    json_array_foreach(former, i, name)
        if (str_equal(json_string_value(name), user))
            return true;
    return str_equal(operation->locator, user);
}

static bool is_void(const struct operation *operation, const json_t *session)
{
    const json_t *created = json_object_get(session, "created");

    if (created == NULL)
        return !json_is_true(json_object_get(operation->settings, "dated_only"));
    return json_number_value(created) * 1e6 < (double)operation->before.us;
}

static void look_at(const struct operation *operation, const char *path, struct receipt *receipt)
{
    json_t *session = json_load_file(path, 0, NULL);

    if (session != NULL && is_users(operation, json_string_value(json_object_get(session, "user")))) {
        receipt->sessions_found++;
        if (is_void(operation, session) && unlink(path) == 0)
            receipt->sessions_ended++;
    }
    json_decref(session);
}

static void note_sweep(const struct connector_session *session, const struct operation *operation)
{
    cleanup_free char *path = str_printf("%s/asked", session->folder);
    json_t *line = json_pack("{s:s, s:i, s:I, s:b}", "user", operation->locator, "sweep", operation->sweep, "before_us",
                             (json_int_t)operation->before.us, "dated_only",
                             json_is_true(json_object_get(operation->settings, "dated_only")));
    char *text = json_dumps(line, JSON_COMPACT);
    FILE *file = fopen(path, "a");

    fprintf(file, "%s\n", text);
    fclose(file);
    free(text);
    json_decref(line);
}

static enum outcome sweep(struct connector_session *session, const struct operation *operation, struct receipt *receipt)
{
    cleanup_free char *folder = str_printf("%s/sessions", session->folder);
    DIR *stream = opendir(folder);
    struct dirent *entry;

    note_sweep(session, operation);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        cleanup_free char *path = str_printf("%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            look_at(operation, path, receipt);
    }
    if (stream != NULL)
        closedir(stream);
    return receipt->outcome = receipt->sessions_ended > 0 ? OUTCOME_APPLIED : OUTCOME_UNCHANGED;
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    enum outcome outcome = failing(session, receipt);

    (void)ret_account;
    if (outcome != OUTCOME_APPLIED)
        return outcome;
    if (operation->kind == OPERATION_REVOKE)
        return sweep(session, operation, receipt);
    cleanup_free char *path = str_printf("%s/marks/%s", session->folder, operation->locator);
    if (json_object_size(operation->values) == 0)
        unlink(path);
    else
        json_dump_file(operation->values, path, JSON_COMPACT);
    return outcome;
}

static const struct connector_group groups[] = { { "sessions", false, NULL, NULL }, { NULL, false, NULL, NULL } };

__attribute__((visibility("default"))) extern const struct connector_ops provost_connector;
const struct connector_ops provost_connector = {
    .abi = CONNECTOR_ABI,
    .name = "folder_sessions",
    .summary = "sessions in a folder, for tests",
    .options = rows,
    .settings_bytes = sizeof(struct settings),
    .capabilities = CONNECTOR_SESSIONS,
    .groups = groups,
    .open = open_session,
    .close = close_session,
    .probe = failing,
    .read = read_account,
    .apply = apply,
};
