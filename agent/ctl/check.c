/* provostctl check: is the configuration right, and do the targets answer? */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <signal.h>

#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/rehearse.h"
#include "ctl/table.h"
#include "plan/plan.h"
#include "record/gone.h"
#include "store/look.h"

/* What a check finds. */
struct findings {
    struct problems mistakes; /* the agent would not start, nor take it by a reload */
    struct problems warnings; /* it would, and people are left in, or out */
    struct problems notes;    /* worth knowing, and what could not be looked at */
};

/* The first of the chain to expire: a client refuses all of it then. */
static void check_expiry(const struct config *config, gnutls_certificate_credentials_t credentials, struct findings *findings)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;
    struct wall expires = { INT64_MAX };
    char when[WALL_TEXT_BYTES];

    if (gnutls_certificate_get_x509_crt(credentials, 0, &chain, &count) < 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        int64_t us = (int64_t)gnutls_x509_crt_get_expiration_time(chain[i]) * 1000000;
        expires.us = us < expires.us ? us : expires.us;
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    int64_t left_us = expires.us - clock_wall(clock_system()).us, days = left_us / (86400 * INT64_C(1000000));
    wall_format(expires, when);
    if (left_us <= 0)
        problems_add(&findings->warnings, config->path, 0, 0,
                     "listen.tls: the certificate %s expired on %s: Okta does not deliver to it; "
                     "renew it, then restart provostd", config->listen.certificate, when);
    else
        problems_add(&findings->notes, config->path, 0, 0, "listen.tls: the certificate %s expires on %s, %lld day%s are left%s",
                     config->listen.certificate, when, (long long)days, days == 1 ? "" : "s",
                     days < CERTIFICATE_DAYS_LEAST ? ": renew it, then restart provostd" : "");
}

/* The endpoint's own check happens when it starts; here it happens before. */
static void check_certificate(const struct config *config, struct findings *findings)
{
    gnutls_certificate_credentials_t credentials;

    if (config->listen.certificate == NULL || gnutls_certificate_allocate_credentials(&credentials) < 0)
        return;
    int code = gnutls_certificate_set_x509_key_file(credentials, config->listen.certificate, config->listen.key, GNUTLS_X509_FMT_PEM);
    if (code < 0)
        problems_add(&findings->mistakes, config->path, 0, 0,
                     "listen.tls: certificate %s with key %s: %s; both must be PEM files that can be read, "
                     "and belong together", config->listen.certificate, config->listen.key, gnutls_strerror(code));
    else
        check_expiry(config, credentials, findings);
    gnutls_certificate_free_credentials(credentials);
}

/* What is allowed in the mapping files and should be otherwise. */
static void check_mappings(const struct config *config, struct findings *findings)
{
    for (size_t i = 0; i < config->target_count; i++)
        for (struct mapping **mapping = config->targets[i].mappings; mapping != NULL && *mapping != NULL; mapping++) {
            const struct problems *own = mapping_warnings(*mapping);
            for (size_t k = 0; k < own->count; k++)
                problems_add(&findings->notes, own->list[k].file, own->list[k].line, 0, "warning: %s", own->list[k].text);
        }
}

static json_t *problems_json(const struct problems *problems)
{
    json_t *list = json_array();

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        json_array_append_new(list, json_pack("{s:s?, s:i, s:i, s:s}", "file", problem->file, "line", problem->line, "column",
                                              problem->column, "text", problem->text));
    }
    return list;
}

/* Does work wait for targets that are not configured (any more)? No store yet: none does. */
static void check_store(const struct config *config, struct findings *findings)
{
    struct store_target *targets = NULL;
    size_t count = 0;
    struct error error = { 0 };
    int code = store_look(config->store, &targets, &count, &error);

    if (code < 0 && code != ERROR_NOTFOUND)
        problems_add(&findings->notes, config->path, 0, 0,
                     "whether work waits for targets that are not configured any more is not known: %s",
                     error.text);
    if (code == 0)
        gone_targets_tell(config, targets, count, &findings->warnings, &findings->notes);
    store_targets_free(targets, count);
}

/* ---- targets ---- */

/* "ok", the reason where it is not, and what was noted. */
static json_t *told_json(bool good, enum outcome outcome, const struct receipt *receipt)
{
    const char *reason = receipt->reason != NULL ? receipt->reason : outcome_name(outcome);

    return json_pack("{s:b, s:s?, s:s?}", "ok", good, "reason", good ? NULL : reason, "note", receipt->note);
}

/* Can the `disable` of this mapping stop a log-in there? NULL: it is not asked. */
static json_t *ask_locks(const struct config_target *target, const struct mapping *mapping, struct connector_session *session)
{
    const char *const *names = mapping_kind(mapping) == IDENTITY_USER ? mapping_disable_names(mapping) : NULL;
    struct receipt receipt = { 0 };

    if (names == NULL || target->ops->check_locks == NULL)
        return NULL;
    enum outcome outcome = target->ops->check_locks(session, mapping_base(mapping), names, &receipt);
    json_t *result = told_json(outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED, outcome, &receipt);
    json_object_set_new(result, "mapping", json_string(mapping_path(mapping)));
    receipt_clear(&receipt);
    return result;
}

static void check_locks(const struct config_target *target, struct connector_session *session, json_t *result)
{
    json_t *list = json_array();

    for (struct mapping **mapping = target->mappings; mapping != NULL && *mapping != NULL; mapping++) {
        json_t *locks = ask_locks(target, *mapping, session);
        if (locks != NULL)
            json_array_append_new(list, locks);
    }
    json_object_set_new(result, "locks", list);
}

static const struct mapping *find_mapping(const struct config_target *target, enum identity_kind kind)
{
    for (struct mapping **mapping = target->mappings; mapping != NULL && *mapping != NULL; mapping++)
        if (mapping_kind(*mapping) == kind)
            return *mapping;
    return NULL;
}

/* Can a person's groups be looked for in this directory? Looks as for a leaver, with a value that nobody has. NULL: not asked. */
static json_t *ask_groups(const struct config_target *target, struct connector_session *session)
{
    const struct mapping *people = find_mapping(target, IDENTITY_USER);
    const struct mapping *groups = find_mapping(target, IDENTITY_GROUP);
    const char *attribute = groups != NULL ? mapping_member_attribute(groups) : NULL;
    const char *place = people != NULL ? mapping_base(people) : NULL;
    struct receipt receipt = { 0 };
    json_t *found = NULL;

    if (attribute == NULL || place == NULL || target->ops->read_groups == NULL)
        return NULL;
    cleanup_free char *nobody = str_printf("cn=provostctl-check,%s", place);
    const struct group_query query = { attribute, nobody != NULL ? nobody : place, mapping_base(groups), NULL };
    enum outcome outcome = target->ops->read_groups(session, &query, &found, &receipt);
    json_t *result = told_json(outcome == OUTCOME_APPLIED, outcome, &receipt);
    json_decref(found);
    receipt_clear(&receipt);
    return result;
}

/* Could somebody's sessions be found? Asked with the mapping as it is rendered about nobody. NULL: not asked. */
static json_t *ask_sessions(const struct config_target *target, struct connector_session *session)
{
    const struct mapping *people = find_mapping(target, IDENTITY_USER);
    const struct settings_view nobody = { 0 };
    struct receipt receipt = { 0 };
    struct error error = { 0 };
    json_t *settings = NULL;

    if (target->ops->check_sessions == NULL || people == NULL)
        return NULL;
    if (plan_settings(people, &nobody, &settings, &error) < 0)
        return json_pack("{s:b, s:s}", "ok", false, "reason", error.text);
    enum outcome outcome = target->ops->check_sessions(session, settings, &receipt);
    json_t *result = told_json(outcome == OUTCOME_APPLIED, outcome, &receipt);
    json_decref(settings);
    receipt_clear(&receipt);
    return result;
}

/* `told`: NULL where it was not asked. */
static void add_told(json_t *result, const char *part, json_t *told)
{
    if (told != NULL)
        json_object_set_new(result, part, told);
}

static bool is_ok(const json_t *target, const char *part)
{
    const json_t *told = json_object_get(target, part);

    return told == NULL || json_is_true(json_object_get(told, "ok"));
}

static bool are_all_ok(const json_t *target, const char *list)
{
    size_t index;
    const json_t *one;

    json_array_foreach(json_object_get(target, list), index, one)
        if (!json_is_true(json_object_get(one, "ok")))
            return false;
    return true;
}

/* It answers, takes the first joiner and leaver, locks out whoever leaves, groups can be looked for, and sessions found. */
static bool is_well(const json_t *target)
{
    return json_is_true(json_object_get(target, "answers")) && are_all_ok(target, "rehearsed") && are_all_ok(target, "locks") &&
           is_ok(target, "groups") && is_ok(target, "sessions");
}

static json_t *probe_target(const struct config_target *target)
{
    struct connector_session *session = NULL;
    struct connector_shared *shared = NULL;
    struct receipt receipt = { 0 };
    struct error error = { 0 };

    if (target->ops->share != NULL && target->ops->share(target->settings, &shared, &error) < 0)
        return json_pack("{s:b, s:s}", "answers", false, "reason", error.text);
    signal(SIGPIPE, SIG_IGN); /* a connector may write to a connection that the other side closed */
    enum outcome outcome = target->ops->open(target->settings, shared, &session, &receipt);

    if (outcome == OUTCOME_APPLIED)
        outcome = target->ops->probe(session, &receipt);
    bool good = outcome == OUTCOME_APPLIED || outcome == OUTCOME_UNCHANGED;
    json_t *result = json_pack("{s:b, s:s?, s:s?}", "answers", good, "reason", good ? NULL : receipt.reason != NULL ? receipt.reason
                                                                                                : outcome_name(outcome),
                               "note", good ? receipt.note : NULL);
    if (good) {
        /* First: what follows may pass over to another server, which shows something else. */
        json_object_set_new(result, "rehearsed", rehearse_target(target, session));
        check_locks(target, session, result);
        add_told(result, "groups", ask_groups(target, session));
        add_told(result, "sessions", ask_sessions(target, session));
    }
    target->ops->close(session);
    if (target->ops->unshare != NULL)
        target->ops->unshare(shared);
    receipt_clear(&receipt);
    return result;
}

static json_t *target_json(const struct config_target *target, bool connect)
{
    json_t *files = json_array();

    for (char **file = target->mapping_files; *file != NULL; file++)
        json_array_append_new(files, json_string(*file));
    json_t *object = json_pack("{s:s, s:s, s:I, s:b, s:o}", "name", target->name, "connector", target->connector, "workers",
                               (json_int_t)target->workers, "hold", target->hold, "mappings", files);
    if (connect)
        json_object_update_new(object, probe_target(target));
    return object;
}

static json_t *targets_json(const struct config *config, bool connect, bool *ret_well)
{
    json_t *list = json_array();

    for (size_t i = 0; i < config->target_count; i++) {
        json_t *target = target_json(&config->targets[i], connect);
        if (connect && !is_well(target))
            *ret_well = false;
        json_array_append_new(list, target);
    }
    return list;
}

/* ---- what is said ---- */

static void print_note(const char *note)
{
    if (note != NULL) {
        printf("; ");
        table_put_text(note);
    }
    putchar('\n');
}

/* A sentence a line. */
static void print_lines(const char *text, const char *before, const char *after)
{
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, "\n");
        cleanup_free char *line = strndup(text, length);
        printf("    %s", before);
        table_put_text(line != NULL ? line : "");
        printf("%s\n", after);
        text += length + (text[length] == '\n');
    }
}

static void print_locks(const struct ctl *ctl, const json_t *locks)
{
    size_t index;
    const json_t *one;

    json_array_foreach(locks, index, one) {
        cleanup_free char *bad = str_printf("%sa leaver stays in: ", ctl_paint(ctl, COLOUR_BAD));
        print_lines(json_string_value(json_object_get(one, "reason")), bad != NULL ? bad : "", ctl_paint(ctl, COLOUR_NONE));
        print_lines(json_string_value(json_object_get(one, "note")), "", "");
    }
}

static void print_rehearsed(const struct ctl *ctl, const json_t *rehearsed)
{
    cleanup_free char *bad = str_printf("%sa joiner or leaver would fail: ", ctl_paint(ctl, COLOUR_BAD));
    const char *told = NULL; /* of the file before: what is true of the target is told once */
    size_t index, which;
    const json_t *file, *problem;

    json_array_foreach(rehearsed, index, file) {
        const char *note = json_string_value(json_object_get(file, "note"));
        json_array_foreach(json_object_get(file, "problems"), which, problem)
            print_lines(json_string_value(problem), bad != NULL ? bad : "", ctl_paint(ctl, COLOUR_NONE));
        print_lines(str_equal(note, told) ? NULL : note, "not seen: ", "");
        told = note;
    }
}

static void print_groups(const struct ctl *ctl, const json_t *groups)
{
    cleanup_free char *bad = str_printf("%sa removed member may stay in: ", ctl_paint(ctl, COLOUR_BAD));

    print_lines(json_string_value(json_object_get(groups, "reason")), bad != NULL ? bad : "", ctl_paint(ctl, COLOUR_NONE));
    print_lines(json_string_value(json_object_get(groups, "note")), "groups were not looked for everywhere: ", "");
}

static void print_sessions(const json_t *sessions)
{
    print_lines(json_string_value(json_object_get(sessions, "note")), "", "");
}

/* A target that only answers is of no use: the next joiner or leaver would fail there, or nobody's sessions be found. */
static void print_answer(const struct ctl *ctl, const json_t *target)
{
    bool found = is_ok(target, "sessions"), good = found && are_all_ok(target, "rehearsed");

    printf("    %s%s", ctl_paint(ctl, good ? COLOUR_GOOD : COLOUR_BAD),
           good ? "answers" : found ? "cannot be worked with as it is" : "nobody's sessions would be found: ");
    if (!found)
        table_put_text(json_string_value(json_object_get(json_object_get(target, "sessions"), "reason")));
    printf("%s", ctl_paint(ctl, COLOUR_NONE));
    print_note(json_string_value(json_object_get(target, "note")));
}

static void print_target(const struct ctl *ctl, const json_t *target)
{
    size_t index;
    const json_t *file, *answers = json_object_get(target, "answers");
    json_int_t workers = json_integer_value(json_object_get(target, "workers"));

    printf("  ");
    table_put_text(json_string_value(json_object_get(target, "name")));
    printf(": %s, %" JSON_INTEGER_FORMAT " worker%s, mappings", json_string_value(json_object_get(target, "connector")), workers,
           workers == 1 ? "" : "s");
    json_array_foreach(json_object_get(target, "mappings"), index, file) {
        printf("%s ", index == 0 ? "" : ",");
        table_put_text(json_string_value(file));
    }
    printf("%s\n", json_is_true(json_object_get(target, "hold")) ? "; held until its first `provostctl resume`" : "");
    if (json_is_true(answers)) {
        print_answer(ctl, target);
        print_sessions(json_object_get(target, "sessions"));
        print_locks(ctl, json_object_get(target, "locks"));
        print_groups(ctl, json_object_get(target, "groups"));
        print_rehearsed(ctl, json_object_get(target, "rehearsed"));
    } else if (answers != NULL) {
        printf("    %snot usable: ", ctl_paint(ctl, COLOUR_BAD));
        table_put_text(json_string_value(json_object_get(target, "reason")));
        printf("%s\n", ctl_paint(ctl, COLOUR_NONE));
    }
}

static void print_summary(const struct ctl *ctl, const struct config *config, const json_t *targets)
{
    size_t index;
    const json_t *target;
    bool v6 = strchr(config->listen.address, ':') != NULL;

    printf("  listens at http%s://%s%s%s:%lld%s, secret in the header %s%s\n", config->listen.certificate != NULL ? "s" : "",
           v6 ? "[" : "", config->listen.address, v6 ? "]" : "", (long long)config->listen.port, config->hook.path, config->hook.header,
           config->hook.previous_secret != NULL ? " (the previous one too)" : "");
    printf("  store %s, status log %s\n", config->store, config->log);
    printf("  control socket %s", config->control);
    if (config->control_readers != NULL)
        printf("; the group %s may look, root and provostd's own group may do all", config->control_readers);
    putchar('\n');
    json_array_foreach(targets, index, target)
        print_target(ctl, target);
    if (config->target_count == 0)
        printf("  no targets: events are taken and kept, nothing is written\n");
}

static void print_findings(const struct ctl *ctl, const struct config *config, const struct findings *findings,
                           const json_t *targets)
{
    if (findings->mistakes.count > 0) {
        problems_print(&findings->mistakes, stdout);
        printf("%zu mistake%s.\n", findings->mistakes.count, findings->mistakes.count == 1 ? "" : "s");
        return;
    }
    printf(findings->warnings.count == 0 ? "%s is right.\n" : "%s can be loaded, but see the warning below.\n", config->path);
    print_summary(ctl, config, targets);
    problems_print(&findings->notes, stdout);
    printf("%s", ctl_paint(ctl, COLOUR_BAD));
    problems_print(&findings->warnings, stdout);
    printf("%s", ctl_paint(ctl, COLOUR_NONE));
}

static int report(const struct ctl *ctl, const struct config *config, const struct findings *findings)
{
    bool loads = findings->mistakes.count == 0, well = loads && findings->warnings.count == 0;
    json_t *targets = config != NULL && loads ? targets_json(config, ctl_value(ctl, "connect") != NULL, &well) : json_array();

    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:o, s:o, s:o, s:o}", "ok", well, "problems", problems_json(&findings->mistakes),
                                 "warnings",
                                 problems_json(&findings->warnings), "notes", problems_json(&findings->notes), "targets", targets));
    } else {
        print_findings(ctl, config, findings, targets);
        json_decref(targets);
    }
    return well ? CTL_OK : CTL_UNWELL;
}

int ctl_check(struct ctl *ctl)
{
    struct findings findings = { 0 };
    struct config *config = NULL;

    if (config_load(ctl->config_path, CONFIG_SECRETS | CONFIG_MAPPINGS, &ctl_loader, &findings.mistakes, &config) == 0) {
        check_certificate(config, &findings);
        check_mappings(config, &findings);
        check_store(config, &findings);
    } else if (findings.mistakes.count == 0) {
        problems_add(&findings.mistakes, ctl->config_path, 0, 0, "cannot be loaded: out of memory");
    }
    int code = report(ctl, config, &findings);
    config_free(config);
    problems_free(&findings.mistakes);
    problems_free(&findings.warnings);
    problems_free(&findings.notes);
    return code;
}
