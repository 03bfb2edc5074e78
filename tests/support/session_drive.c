/*
 * session_drive: the connector "session" by hand, for tests in Python.
 *
 *     session_drive SETTINGS.conf      (the target's `settings`, libconfig)
 *
 * Reads a JSON object a line from standard input, writes one for each:
 *     {"do": "check"}                                       → {"problems": ["…"]}
 *     {"do": "open"}, {"do": "probe"}, {"do": "close"}      → {"outcome", "code", "reason"}
 *     {"do": "revoke", "sessions": {…}, "before": "RFC 3339", "sweep": 1, "dated_only": false}   → also found, ended, note, doubt
 *     {"do": "sample", "sessions": {…}}                     → as open, and note
 *     {"do": "read", "sessions": {…}}                       → also values, the markers
 *     {"do": "mark", "sessions": {…}, "values": {…}}        → as open
 * A session that is not open is opened first; after TARGET_DOWN it is closed, as the agent does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "connectors/connector.h"

struct drive {
    const struct connector_ops *ops;
    void *settings;
    struct problems problems;
    struct connector_shared *shared;
    struct connector_session *session;
};

static bool load(struct drive *drive, const char *path)
{
    struct error error = { 0 };
    config_t config;

    if (connector_load("session", NULL, &drive->ops, &error) < 0) {
        fprintf(stderr, "session_drive: %s\n", error.text);
        return false;
    }
    drive->settings = calloc(1, drive->ops->settings_bytes);
    config_init(&config);
    if (drive->settings == NULL || config_read_file(&config, path) != CONFIG_TRUE) {
        fprintf(stderr, "session_drive: %s:%d: %s\n", path, config_error_line(&config), config_error_text(&config));
        return false;
    }
    options_parse(drive->ops->options, config_root_setting(&config), "settings", drive->settings, &drive->problems);
    config_destroy(&config);
    if (drive->problems.count == 0)
        drive->ops->check(drive->settings, path, 1, &drive->problems);
    return drive->ops->share(drive->settings, &drive->shared, &error) == 0;
}

static json_t *tell_problems(const struct drive *drive)
{
    json_t *list = json_array();

    for (size_t i = 0; i < drive->problems.count; i++)
        json_array_append_new(list, json_string(drive->problems.list[i].text));
    return json_pack("{s:o}", "problems", list);
}

static void close_session(struct drive *drive)
{
    if (drive->session != NULL)
        drive->ops->close(drive->session);
    drive->session = NULL;
}

static enum outcome open_session(struct drive *drive, struct receipt *receipt)
{
    if (drive->session != NULL)
        return OUTCOME_APPLIED;
    return drive->ops->open(drive->settings, drive->shared, &drive->session, receipt);
}

static json_t *settings_of(const json_t *command)
{
    json_t *settings = json_object();

    json_object_set(settings, "sessions", json_object_get(command, "sessions"));
    json_object_set_new(settings, "markers", json_pack("[s, s]", "denied", "signed_in"));
    if (json_is_true(json_object_get(command, "dated_only")))
        json_object_set_new(settings, "dated_only", json_true());
    return settings;
}

static enum outcome apply(struct drive *drive, const json_t *command, enum operation_kind kind, struct receipt *receipt)
{
    struct operation operation = { .kind = kind, .settings = settings_of(command) };
    const char *before = json_string_value(json_object_get(command, "before"));

    operation.sweep = (int)json_integer_value(json_object_get(command, "sweep"));
    if (before != NULL && !wall_parse(before, &operation.before))
        fprintf(stderr, "session_drive: before \"%s\" is no time\n", before);
    operation.values = json_incref(json_object_get(command, "values"));
    enum outcome outcome = drive->ops->apply(drive->session, &operation, NULL, receipt);
    operation_clear(&operation);
    return outcome;
}

static enum outcome read_marks(struct drive *drive, const json_t *command, json_t **ret_values, struct receipt *receipt)
{
    json_t *settings = settings_of(command);
    const struct account_query query = { .settings = settings };
    struct account account = { 0 };
    enum outcome outcome = drive->ops->read(drive->session, &query, &account, receipt);

    if (outcome == OUTCOME_APPLIED)
        *ret_values = json_incref(account.values);
    account_clear(&account);
    json_decref(settings);
    return outcome;
}

static json_t *tell_receipt(enum outcome outcome, const struct receipt *receipt, json_t *values)
{
    return json_pack("{s:s, s:i, s:s?, s:I, s:I, s:s?, s:s?, s:o?}", "outcome", outcome_name(outcome), "code", receipt->remote_code, "reason",
                     receipt->reason, "found", (json_int_t)receipt->sessions_found, "ended", (json_int_t)receipt->sessions_ended, "note",
                     receipt->note, "doubt", receipt->doubt, "values", values);
}

static enum outcome sample(struct drive *drive, const json_t *command, struct receipt *receipt)
{
    json_t *settings = settings_of(command);
    enum outcome outcome = drive->ops->check_sessions(drive->session, settings, receipt);

    json_decref(settings);
    return outcome;
}

static json_t *run(struct drive *drive, const json_t *command)
{
    const char *what = json_string_value(json_object_get(command, "do"));
    struct receipt receipt = { 0 };
    json_t *values = NULL;

    if (str_equal(what, "check"))
        return tell_problems(drive);
    enum outcome outcome = str_equal(what, "close") ? OUTCOME_APPLIED : open_session(drive, &receipt);
    if (outcome == OUTCOME_APPLIED && str_equal(what, "probe"))
        outcome = drive->ops->probe(drive->session, &receipt);
    else if (outcome == OUTCOME_APPLIED && str_equal(what, "sample"))
        outcome = sample(drive, command, &receipt);
    else if (outcome == OUTCOME_APPLIED && str_equal(what, "revoke"))
        outcome = apply(drive, command, OPERATION_REVOKE, &receipt);
    else if (outcome == OUTCOME_APPLIED && str_equal(what, "mark"))
        outcome = apply(drive, command, OPERATION_UPDATE, &receipt);
    else if (outcome == OUTCOME_APPLIED && str_equal(what, "read"))
        outcome = read_marks(drive, command, &values, &receipt);
    if (outcome == OUTCOME_TARGET_DOWN || str_equal(what, "close"))
        close_session(drive);
    json_t *told = tell_receipt(outcome, &receipt, values);
    receipt_clear(&receipt);
    return told;
}

static void answer(const json_t *told)
{
    cleanup_free char *text = json_dumps(told, JSON_COMPACT);

    puts(text != NULL ? text : "{\"outcome\":\"the answer is no JSON\"}");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct drive drive = { 0 };
    char *line = NULL;
    size_t bytes = 0;

    if (argc != 2 || !load(&drive, argv[1]))
        return 2;
    while (getline(&line, &bytes, stdin) > 0) {
        json_t *command = json_loads(line, 0, NULL), *told = run(&drive, command);
        answer(told);
        json_decref(told);
        json_decref(command);
    }
    free(line);
    close_session(&drive);
    drive.ops->unshare(drive.shared);
    options_free(drive.ops->options, drive.settings);
    free(drive.settings);
    problems_free(&drive.problems);
    return 0;
}
