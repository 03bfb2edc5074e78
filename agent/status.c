#include <stdio.h>
#include <unistd.h>

#include "agent_private.h"
#include "base/log.h"
#include "base/str.h"
#include "record/gone.h"

#define NAMED_MOST 3

static json_t *time_or_null(struct wall wall)
{
    char text[WALL_TEXT_BYTES];

    if (wall.us == 0)
        return json_null();
    wall_format(wall, text);
    return json_string(text);
}

static json_t *text_or_null(const char *text)
{
    json_t *json = text != NULL && *text != '\0' ? json_string(text) : NULL;

    return json != NULL ? json : json_null();
}

/* Resident pages; 0 where it cannot be told. */
static int64_t memory_bytes(void)
{
    long pages = 0;
    cleanup_fclose FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1)
        return 0;
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static json_t *agent_json(const struct agent *agent)
{
    return json_pack("{s:s, s:i, s:o, s:I, s:s, s:I, s:s}", "version", PACKAGE_VERSION_TEXT, "pid", (int)getpid(), "started",
                     time_or_null(agent->started), "uptime_s",
                     (json_int_t)((clock_wall(clock_system()).us - agent->started.us) / 1000000), "listening",
                     agent->listening != NULL ? agent->listening : "", "memory_bytes", (json_int_t)memory_bytes(), "configuration",
                     agent->config_path);
}

static json_t *store_json(const struct agent *agent, const struct store_status *status)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:i}", "path", agent->first_config->store, "bytes",
                     (json_int_t)status->bytes, "events", (json_int_t)status->events, "duplicates", (json_int_t)status->duplicates,
                     "identities", (json_int_t)status->identities, "quarantined", (json_int_t)status->quarantined, "commits",
                     (json_int_t)status->commits, "commit_failures", (json_int_t)status->commit_failures, "last_commit",
                     time_or_null(status->last_commit), "last_error",
                     text_or_null(status->last_error_code != 0 ? status->last_error : NULL), "schema", status->schema);
}

static json_t *endpoint_json(const struct agent *agent)
{
    struct receive_counts counts = { 0 };

    if (agent->receiver != NULL)
        receive_read_counts(agent->receiver, &counts);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)counts.requests,
                     "verified",
                     (json_int_t)counts.verified, "accepted", (json_int_t)counts.accepted, "unauthorized",
                     (json_int_t)counts.unauthorized, "malformed", (json_int_t)counts.malformed, "too_big", (json_int_t)counts.too_big,
                     "wrong_type", (json_int_t)counts.wrong_type, "unavailable", (json_int_t)counts.unavailable, "not_found",
                     (json_int_t)counts.not_found, "wrong_method", (json_int_t)counts.wrong_method, "tls_failed",
                     (json_int_t)counts.tls_failed);
}

/* What is accepted and refused at the endpoint. The store knows of what was accepted before this start; nobody knows of refusals before it. */
static json_t *door_json(const struct agent *agent, const struct store_status *status)
{
    struct receive_counts counts = { 0 };

    if (agent->receiver != NULL)
        receive_read_counts(agent->receiver, &counts);
    return json_pack("{s:o, s:o, s:s, s:I}", "last_accepted",
                     time_or_null(counts.last_accepted.us != 0 ? counts.last_accepted : status->last_received), "last_refused",
                     time_or_null(counts.last_refused), "last_refusal", counts.refused_by_tls ? "tls" : "secret",
                     "refused_since_accepted", (json_int_t)counts.refused_in_a_row);
}

/* What is served, which is what was there at the start; null without TLS. */
static json_t *certificate_json(const struct agent *agent)
{
    struct receive_counts counts = { 0 };

    if (agent->receiver != NULL)
        receive_read_counts(agent->receiver, &counts);
    if (counts.certificate_expires.us == 0)
        return json_null();
    int64_t left_us = counts.certificate_expires.us - clock_wall(clock_system()).us;
    return json_pack("{s:s, s:o, s:b, s:I}", "file", agent->first_config->listen.certificate, "expires",
                     time_or_null(counts.certificate_expires), "expired", left_us <= 0, "days_left",
                     (json_int_t)(left_us / (86400 * INT64_C(1000000))));
}

static json_t *mappings_json(const struct config_target *target)
{
    json_t *array = json_array();

    for (char **file = target->mapping_files; file != NULL && *file != NULL; file++)
        json_array_append_new(array, json_string(*file));
    return array;
}

/* Whoever waits for longest is named. */
static json_t *first_names(const struct agent *agent, const char *target, enum waiting waiting)
{
    json_t *lanes = NULL, *first = json_array();
    size_t index;
    const json_t *lane;

    if (store_list_waiting(agent->store, target, waiting, NAMED_MOST, &lanes, NULL) < 0)
        return first;
    json_array_foreach(lanes, index, lane) {
        static const char *const keys[] = { "user", "group", "id" };
        json_t *name = NULL;
        for (size_t i = 0; name == NULL && i < sizeof(keys) / sizeof(keys[0]); i++)
            name = json_object_get(lane, keys[i]);
        json_array_append(first, name);
    }
    json_decref(lanes);
    return first;
}

/* Where the store cannot be asked the count is null: nobody may read that as none. */
static json_t *waiting_json(const struct agent *agent, const char *target, enum waiting waiting, const char *counted)
{
    int64_t count = 0, wait_us = 0;
    struct wall since = { 0 };
    bool known = store_count_waiting(agent->store, target, waiting, &count, &since, NULL) == 0;

    if (since.us != 0)
        wait_us = clock_wall(clock_system()).us - since.us;
    json_t *first = count > 0 ? first_names(agent, target, waiting) : json_array();
    return json_pack("{s:o, s:o, s:I, s:o}", counted, known ? json_integer(count) : json_null(), "since", time_or_null(since),
                     "waited_s",
                     (json_int_t)(wait_us > 0 ? wait_us / 1000000 : 0), "first", first);
}

/* Those whose sessions nobody could have found: how many, and why. */
static json_t *unseen_json(const struct agent *agent, const char *target)
{
    int64_t count = 0;
    cleanup_free char *reason = NULL;

    bool known = store_count_unseen(agent->store, target, &count, &reason, NULL) == 0;
    return json_pack("{s:o, s:s?}", "lanes", known ? json_integer(count) : json_null(), "reason", reason);
}

static json_t *revokes_json(const struct deliver_status *status)
{
    return json_pack("{s:I, s:I, s:I}", "sweeps", (json_int_t)status->revokes, "p50_ms", (json_int_t)(status->revoke_p50_us / 1000),
                     "p99_ms", (json_int_t)(status->revoke_p99_us / 1000));
}

static json_t *target_json(struct agent *agent, const struct config_target *target)
{
    struct store_lane_counts lanes = { 0 };
    struct deliver_status status = { 0 };

    store_count_lanes(agent->store, target->name, &lanes, NULL);
    if (agent->deliverer != NULL)
        deliver_read_status(agent->deliverer, target->name, &status);
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                     target->name, "connector",
                     target->connector, "state", target_state_name(status.state), "since", time_or_null(status.since), "ready",
                     (json_int_t)lanes.ready, "leased", (json_int_t)lanes.leased, "waiting", (json_int_t)lanes.waiting, "due",
                     (json_int_t)lanes.due, "held", (json_int_t)lanes.held, "dead", (json_int_t)lanes.dead, "last_success",
                     time_or_null(status.last_success), "last_error", text_or_null(status.last_error), "last_error_at",
                     time_or_null(status.last_error_at), "workers", (json_int_t)status.workers, "mappings", mappings_json(target),
                     "leavers", waiting_json(agent, target->name, WAITING_LEAVERS, "not_out"), "failing",
                     waiting_json(agent, target->name, WAITING_FAILING, "lanes"), "dropped",
                     waiting_json(agent, target->name, WAITING_DROPPED, "leavers"), "revokes", revokes_json(&status), "unseen",
                     unseen_json(agent, target->name));
}

/* A target that is not configured any more, with work that nobody does. */
static json_t *gone_json(struct agent *agent, const char *target)
{
    struct store_lane_counts lanes = { 0 };

    store_count_lanes(agent->store, target, &lanes, NULL);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "name", target, "connector", "-", "state",
                     "gone", "ready",
                     (json_int_t)lanes.ready, "leased", (json_int_t)lanes.leased, "waiting", (json_int_t)lanes.waiting, "due",
                     (json_int_t)lanes.due, "held", (json_int_t)lanes.held, "dead", (json_int_t)lanes.dead, "leavers",
                     waiting_json(agent, target, WAITING_LEAVERS, "not_out"), "failing",
                     waiting_json(agent, target, WAITING_FAILING, "lanes"), "dropped",
                     waiting_json(agent, target, WAITING_DROPPED, "leavers"));
}

/* Or may have: then the target is listed, with a count that is null. */
static bool has_dropped(const struct agent *agent, const char *target)
{
    int64_t count = 0;
    struct wall since;

    return store_count_waiting(agent->store, target, WAITING_DROPPED, &count, &since, NULL) < 0 || count > 0;
}

/* The configured ones, then those that the store alone has work for. With the lock. */
static json_t *targets_json(struct agent *agent)
{
    json_t *targets = json_array();
    struct store_target *known = NULL;
    size_t count = 0;
    struct error error = { 0 };

    for (size_t i = 0; i < agent->config->target_count; i++)
        json_array_append_new(targets, target_json(agent, &agent->config->targets[i]));
    if (store_read_targets(agent->store, &known, &count, &error) < 0)
        log_warning("which targets have work could not be read: %s", error.text);
    for (size_t i = 0; i < count; i++)
        if (target_is_gone(agent->config, known[i].name) && (known[i].lanes > 0 || has_dropped(agent, known[i].name)))
            json_array_append_new(targets, gone_json(agent, known[i].name));
    store_targets_free(known, count);
    return targets;
}

static json_t *clock_json(const struct store_clock *clock)
{
    return json_pack("{s:I, s:I, s:o}", "skew_s", (json_int_t)(clock->skew_us / 1000000), "removals_held_s",
                     (json_int_t)(clock->held_us / 1000000), "removals_held_until", time_or_null(clock->held_until));
}

static json_t *read_status(void *arg)
{
    struct agent *agent = arg;
    struct store_status status;

    store_read_status(agent->store, &status);
    pthread_rwlock_rdlock(&agent->lock);
    json_t *targets = targets_json(agent);
    json_t *self = agent_json(agent), *endpoint = endpoint_json(agent), *door = door_json(agent, &status);
    json_t *certificate = certificate_json(agent);
    pthread_rwlock_unlock(&agent->lock);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:[{s:s, s:o}], s:o}", "clock", clock_json(&status.clock), "agent", self,
                     "store",
                     store_json(agent, &status), "endpoint", endpoint, "door", door, "certificate", certificate, "sources", "name", "okta",
                     "last_received", time_or_null(status.last_received), "targets", targets);
}

/* ---- what waits ---- */

/* Work waits for its target, whatever came of its last attempt. */
static const struct {
    enum target_state state;
    const char *why, *next;
} target_waits[] = {
    { TARGET_STARTING, "the target has not answered yet", "when it answers" },
    { TARGET_DOWN, "the target is down", "when it answers" },
    { TARGET_REFUSING, "the target refuses everybody's changes", "when it takes a change" },
    { TARGET_HELD, "the target is held", "after provostctl resume" },
};

/* When work is tried next that does not wait for its target; NULL: `retry_at` tells. */
static const char *next_of(const char *lane_state)
{
    static const struct {
        const char *state, *next;
    } rows[] = {
        { "ready", "at once" }, { "leased", "being tried" }, { "dead", "after provostctl retry" }, { "held", "after provostctl resume" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (str_equal(rows[i].state, lane_state))
            return rows[i].next;
    return NULL;
}

static void tell_target_waits(json_t *lane, const struct deliver_status *status)
{
    for (size_t i = 0; i < sizeof(target_waits) / sizeof(target_waits[0]); i++) {
        if (target_waits[i].state != status->state)
            continue;
        bool said = status->state != TARGET_HELD && status->last_error[0] != '\0';
        cleanup_free char *why = str_printf("%s%s%s", target_waits[i].why, said ? ": " : "", said ? status->last_error : "");
        json_object_set_new(lane, "why", text_or_null(why));
        json_object_set_new(lane, "next", json_string(target_waits[i].next));
    }
}

/* Why it waits, and when it is tried next: a time, or in words. */
static void tell_waiting(json_t *lane, const struct deliver_status *status)
{
    const char *state = json_string_value(json_object_get(lane, "state")), *next = next_of(state);
    json_t *reason = json_object_get(lane, "reason");

    json_object_set(lane, "why", reason != NULL ? reason : json_null());
    if (next != NULL)
        json_object_set_new(lane, "next", json_string(next));
    else
        json_object_set(lane, "next", json_object_get(lane, "retry_at"));
    if (!str_equal(state, "dead"))
        tell_target_waits(lane, status);
}

static void tell_gone(json_t *lane)
{
    json_object_set_new(lane, "why", json_string("the target is not configured any more"));
    json_object_set_new(lane, "next", json_string("never"));
}

static int add_waiting(struct agent *agent, const char *target, enum waiting waiting, size_t most, json_t *array,
                       struct error *error)
{
    struct deliver_status status = { 0 };
    json_t *lanes = NULL, *lane;
    size_t index;
    int code = store_list_waiting(agent->store, target, waiting, most, &lanes, error);

    if (agent->deliverer != NULL)
        deliver_read_status(agent->deliverer, target, &status);
    bool gone = target_is_gone(agent->config, target);
    json_array_foreach(lanes, index, lane)
        if (gone)
            tell_gone(lane);
        else
            tell_waiting(lane, &status);
    json_array_extend(array, lanes);
    json_decref(lanes);
    return code;
}

/* Of all targets that the store has work for, configured or not; `most` in all. */
static int list_waiting(void *arg, const char *target, bool leavers, size_t most, json_t **ret_array, struct error *error)
{
    struct agent *agent = arg;
    json_t *array = json_array();
    struct store_target *known = NULL;
    size_t count = 0;
    int code = store_read_targets(agent->store, &known, &count, error);

    pthread_rwlock_rdlock(&agent->lock);
    for (size_t i = 0; i < count && code == 0 && json_array_size(array) < most; i++)
        if (target == NULL || str_equal(target, known[i].name))
            code = add_waiting(agent, known[i].name, leavers ? WAITING_LEAVERS : WAITING_ALL, most - json_array_size(array),
                               array, error);
    pthread_rwlock_unlock(&agent->lock);
    store_targets_free(known, count);
    if (code < 0)
        json_decref(array);
    else
        *ret_array = array;
    return code;
}

/* ---- what people ask for ---- */

static int find_target(void *arg, const char *target, enum control_target *ret_found, struct error *error)
{
    struct agent *agent = arg;
    struct store_target *known = NULL;
    size_t count = 0;
    int code = store_read_targets(agent->store, &known, &count, error);

    if (code < 0)
        return code;
    pthread_rwlock_rdlock(&agent->lock);
    *ret_found = target_is_gone(agent->config, target) ? CONTROL_TARGET_UNKNOWN : CONTROL_TARGET_HERE;
    pthread_rwlock_unlock(&agent->lock);
    for (size_t i = 0; i < count; i++)
        if (*ret_found == CONTROL_TARGET_UNKNOWN && str_equal(known[i].name, target))
            *ret_found = CONTROL_TARGET_GONE;
    store_targets_free(known, count);
    return 0;
}

static int hold(void *arg, const char *target, bool held, struct error *error)
{
    struct agent *agent = arg;
    int code = store_hold(agent->store, target, held, error);

    if (code < 0)
        return code;
    pthread_rwlock_rdlock(&agent->lock);
    if (agent->deliverer != NULL)
        deliver_hold(agent->deliverer, target, held);
    pthread_rwlock_unlock(&agent->lock);
    return 0;
}

static void wake(void *arg, const char *target)
{
    struct agent *agent = arg;

    pthread_rwlock_rdlock(&agent->lock);
    for (size_t i = 0; agent->deliverer != NULL && i < agent->config->target_count; i++)
        if (target == NULL || str_equal(target, agent->config->targets[i].name))
            deliver_wake(agent->deliverer, agent->config->targets[i].name);
    pthread_rwlock_unlock(&agent->lock);
}

static int reload(void *arg, json_t **ret_warnings, struct error *error)
{
    struct agent *agent = arg;
    struct problems problems = { 0 };
    int code = agent_reload(agent, error);

    if (code < 0)
        return code;
    pthread_rwlock_rdlock(&agent->lock);
    find_gone_targets(agent, &problems);
    pthread_rwlock_unlock(&agent->lock);
    *ret_warnings = json_array();
    for (size_t i = 0; i < problems.count; i++)
        json_array_append_new(*ret_warnings, json_sprintf("%s:%d: %s", problems.list[i].file, problems.list[i].line,
                                                          problems.list[i].text));
    problems_free(&problems);
    return 0;
}

int control_open(struct agent *agent, struct error *error)
{
    struct control_settings settings = {
        .socket = agent->config->control,
        .readers = agent->config->control_readers,
        .store = agent->store,
        .log = agent->log,
        .arg = agent,
        .status = read_status,
        .waiting = list_waiting,
        .hold = hold,
        .find_target = find_target,
        .wake = wake,
        .reload = reload,
    };

    return control_start(&settings, &agent->control, error);
}
