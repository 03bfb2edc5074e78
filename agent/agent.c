#include "agent.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent_private.h"
#include "base/log.h"
#include "base/str.h"
#include "plan/plan.h"
#include "record/gone.h"

#define LEASE_US (2 * 3600 * 1000000LL) /* longer than the longest sweep through a session store; those of a crash end with the next start */
#define RECEIVE_DRAIN_US 5000000

/* ---- configuration ---- */

static const char *kind_of(const struct mapping *mapping)
{
    return identity_kind_name(mapping_kind(mapping));
}

static const struct config_loader loader = {
    .load_mapping = mapping_load,
    .free_mapping = mapping_free,
    .mapping_target = mapping_target,
    .mapping_kind = kind_of,
    .mapping_version = mapping_version,
    .mapping_places = mapping_places,
};

static int load_config(const char *path, struct config **ret_config, struct error *error)
{
    struct problems problems = { 0 };

    int code = config_load(path, CONFIG_SECRETS | CONFIG_MAPPINGS, &loader, &problems, ret_config);
    problems_print(&problems, stderr);
    if (code < 0)
        error_set(error, ERROR_INVALID, "%s: %zu mistake%s (see above); \"provostctl -c %s check\" checks again", path, problems.count,
                  problems.count == 1 ? "" : "s", path);
    problems_free(&problems);
    return code;
}

/* ---- between the stages ---- */

struct intake { /* one request, between the endpoint and the store */
    struct agent *agent;
    store_taken *taken;
    void *arg;
};

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    struct intake *intake = arg;

    for (size_t i = 0; code == 0 && batch != NULL && effects != NULL && i < batch->count; i++)
        if (effects[i] == EVENT_SUPERSEDED || effects[i] == EVENT_UNCHANGED)
            report_event(intake->agent->log, &batch->events[i], effects[i]);
    intake->taken(intake->arg, code, error, batch, effects);
    free(intake);
}

/* To measure the bare endpoint: the answer goes out at once. */
static void forget(struct event_batch *batch, store_taken *next, void *next_arg)
{
    cleanup_free enum event_effect *effects = calloc(batch->count + 1, sizeof(*effects));
    struct error error = { 0 };

    for (size_t i = 0; effects != NULL && i < batch->count; i++)
        effects[i] = EVENT_RECORDED;
    next(next_arg, effects != NULL ? 0 : error_nomem(&error), effects != NULL ? NULL : &error, batch, effects);
    event_batch_free(batch);
}

static void take(void *arg, struct event_batch *batch, struct wall received, store_taken *next, void *next_arg)
{
    struct agent *agent = arg;
    if (agent->forgets) {
        forget(batch, next, next_arg);
        return;
    }
    struct intake *intake = malloc(sizeof(*intake));
    if (intake == NULL) { /* no line for it, but the event is kept */
        store_take(agent->store, batch, received, next, next_arg);
        return;
    }
    *intake = (struct intake){ agent, next, next_arg };
    store_take(agent->store, batch, received, taken, intake);
}

static void quarantine(void *arg, const char *body, size_t length, const char *peer, const char *reason)
{
    struct agent *agent = arg;

    store_quarantine(agent->store, body, length, peer, reason);
}

/* A flood of refused requests must not fill the disk with lines: at most this
 * many a second, then how many were left out. */
#define REFUSALS_A_SECOND 10

static bool may_log_refusal(struct agent *agent, long *ret_left_out)
{
    int64_t second = clock_mono(clock_system()).us / 1000000;

    pthread_mutex_lock(&agent->refusal_lock);
    if (second != agent->refusal_second) {
        *ret_left_out = agent->refusals > REFUSALS_A_SECOND ? agent->refusals - REFUSALS_A_SECOND : 0;
        agent->refusal_second = second;
        agent->refusals = 0;
    }
    bool may = ++agent->refusals <= REFUSALS_A_SECOND;
    pthread_mutex_unlock(&agent->refusal_lock);
    return may;
}

static void answered(void *arg, int status, const char *peer, const char *reason)
{
    struct agent *agent = arg;
    long left_out = 0;

    if (status < 400 || !may_log_refusal(agent, &left_out))
        return;
    if (left_out > 0)
        log_warning("%ld more refused requests were not logged", left_out);
    log_warning("answered %d to %s: %.*s", status, peer != NULL ? peer : "?", reason != NULL ? (int)strcspn(reason, "\n") : 0,
                reason != NULL ? reason : "");
}

static void broken_off(void *arg, const char *peer, const char *reason)
{
    struct agent *agent = arg;
    long left_out = 0;

    if (!may_log_refusal(agent, &left_out))
        return;
    if (left_out > 0)
        log_warning("%ld more refused requests were not logged", left_out);
    log_warning("no request came from %s: %s", peer, reason);
}

static void ready(void *arg, const char *target)
{
    struct agent *agent = arg;

    pthread_rwlock_rdlock(&agent->lock);
    if (agent->deliverer != NULL)
        deliver_wake(agent->deliverer, target);
    pthread_rwlock_unlock(&agent->lock);
}

static void delivered(void *arg, const struct delivery_report *report)
{
    struct agent *agent = arg;

    report_delivery(agent->log, report);
}

static void target_changed(void *arg, const char *target, enum target_state state, const char *reason)
{
    struct agent *agent = arg;

    report_target(agent->log, target, state, reason);
}

/* ---- the stages ---- */

static int open_store(struct agent *agent, struct error *error)
{
    struct store_settings settings = {
        .path = agent->config->store,
        .owner = "provostd",
        .keep_us = agent->config->keep_us,
        .keep_keys_us = agent->config->keep_keys_us,
        .quarantine_most = agent->config->quarantine_most,
        .clock = clock_system(),
    };

    int code = store_open(&settings, &agent->store, error);
    if (code < 0)
        return code;
    store_on_ready(agent->store, ready, agent);
    store_on_clock(agent->store, clock_changed, agent);
    return 0;
}

/* A person's memberships are written by the person's own lane, where a mapping of the target says how. */
static unsigned membership_facts(const struct config_target *target)
{
    for (struct mapping **mapping = target->mappings; mapping != NULL && *mapping != NULL; mapping++)
        if (mapping_kind(*mapping) == IDENTITY_GROUP && mapping_member_attribute(*mapping) != NULL)
            return FACT_BIT(FACT_MEMBER);
    return 0;
}

static unsigned route_facts(const struct config_target *target, const struct mapping *mapping)
{
    return mapping_facts(mapping) | (mapping_kind(mapping) == IDENTITY_USER ? membership_facts(target) : 0);
}

/* One route for each target and kind that a mapping covers. */
static int set_routes(struct agent *agent, const struct config *config)
{
    size_t count = 0, most = 0;

    for (size_t i = 0; i < config->target_count; i++)
        for (struct mapping **mapping = config->targets[i].mappings; mapping != NULL && *mapping != NULL; mapping++)
            most++;
    struct route *routes = calloc(most + 1, sizeof(*routes));
    if (routes == NULL)
        return ERROR_NOMEM;
    for (size_t i = 0; i < config->target_count; i++)
        for (struct mapping **mapping = config->targets[i].mappings; mapping != NULL && *mapping != NULL; mapping++)
            routes[count++] = (struct route){ .target = config->targets[i].name, .kind = mapping_kind(*mapping),
                                                .facts = route_facts(&config->targets[i], *mapping),
                                                .triggers = mapping_triggers(*mapping) };
    int code = store_set_routes(agent->store, routes, count);
    free(routes);
    return code;
}

static void release(void *config)
{
    config_free(config);
}

/* One for each target of the configuration, which each of them holds. */
static struct deliver_target *deliver_targets(struct agent *agent, struct config *config)
{
    struct deliver_target *targets = calloc(config->target_count + 1, sizeof(*targets));

    for (size_t i = 0; targets != NULL && i < config->target_count; i++) {
        const struct config_target *target = &config->targets[i];
        targets[i] = (struct deliver_target){
            .name = target->name,
            .ops = target->ops,
            .settings = target->settings,
            .mappings = target->mappings,
            .workers = target->workers,
            .attempts = target->retry.attempts,
            .retry_base_us = target->retry.base_us,
            .retry_most_us = target->retry.most_us,
            .probe_us = target->probe_us,
            .held = store_is_held(agent->store, target->name, target->hold),
            .version = target->version,
            .release = release,
            .owner = config_hold(config),
        };
    }
    return targets;
}

static int start_deliverer(struct agent *agent, struct config *config, struct deliverer **ret_deliverer, struct error *error)
{
    const struct deliver_settings settings = {
        .store = agent->store,
        .clock = clock_system(),
        .random = random_system(),
        .lease_us = LEASE_US,
        .sink = { agent, delivered, target_changed },
    };
    cleanup_free struct deliver_target *targets = deliver_targets(agent, config);

    return targets != NULL ? deliver_start(&settings, targets, config->target_count, ret_deliverer, error) : error_nomem(error);
}

static struct deliverer *swap_deliverer(struct agent *agent, struct deliverer *next)
{
    pthread_rwlock_wrlock(&agent->lock);
    struct deliverer *old = agent->deliverer;
    agent->deliverer = next;
    pthread_rwlock_unlock(&agent->lock);
    return old;
}

static int start_receiver(struct agent *agent, struct error *error)
{
    const struct config *config = agent->config;
    struct receive_settings settings = {
        .address = config->listen.address,
        .port = config->listen.port,
        .certificate = config->listen.certificate,
        .key = config->listen.key,
        .path = config->hook.path,
        .header = config->hook.header,
        .secret = config->hook.secret,
        .previous_secret = config->hook.previous_secret,
        .body_bytes_most = config->listen.body_bytes_most,
        .connections_most = config->listen.connections_most,
        .timeout_us = config->listen.timeout_us,
        .threads = config->listen.threads,
        .clock = clock_system(),
    };
    struct receive_sink sink = { agent, take, quarantine, answered, broken_off };

    struct receiver *receiver = NULL;

    int code = receive_start(&settings, &sink, &receiver, error);
    if (code < 0)
        return code;
    const char *bracket = strchr(settings.address, ':') != NULL ? "[" : "";
    char *listening = str_printf("%s://%s%s%s:%d%s", settings.certificate != NULL ? "https" : "http", bracket, settings.address,
                                 *bracket != '\0' ? "]" : "", receive_port(receiver), settings.path);
    log_notice("listening on %s", listening != NULL ? listening : "");
    pthread_rwlock_wrlock(&agent->lock);
    agent->receiver = receiver;
    agent->listening = listening;
    pthread_rwlock_unlock(&agent->lock);
    return 0;
}

/* ---- start, reload, stop ---- */

static int start_stages(struct agent *agent, const struct agent_settings *settings, struct error *error)
{
    struct deliverer *deliverer = NULL;
    int code = load_config(settings->config_path, &agent->config, error);

    agent->forgets = settings->null_store;
    agent->first_config = agent->config;
    if (code == 0)
        code = status_log_open(agent->config->log, clock_system(), &agent->log, error);
    if (code == 0)
        code = open_store(agent, error);
    if (code == 0 && (code = set_routes(agent, agent->config)) < 0)
        error_set(error, code, "the targets could not be written to the store %s: %s", agent->config->store, error_sentence(code));
    if (code == 0)
        code = control_open(agent, error);
    if (code == 0)
        code = start_deliverer(agent, agent->config, &deliverer, error);
    if (code == 0) {
        swap_deliverer(agent, deliverer);
        code = start_receiver(agent, error);
    }
    return code;
}

void find_gone_targets(struct agent *agent, struct problems *problems)
{
    struct store_target *known = NULL;
    size_t count = 0;
    struct error error = { 0 };

    if (store_read_targets(agent->store, &known, &count, &error) < 0)
        problems_add(problems, agent->config->path, 0, 0,
                     "whether work waits for targets that are not configured could not be read: %s", error.text);
    gone_targets_tell(agent->config, known, count, problems, problems);
    store_targets_free(known, count);
}

static void say_what_is_gone(struct agent *agent)
{
    struct problems problems = { 0 };

    find_gone_targets(agent, &problems);
    for (size_t i = 0; i < problems.count; i++)
        log_warning("%s:%d: %s", problems.list[i].file, problems.list[i].line, problems.list[i].text);
    problems_free(&problems);
}

static void say_what_is_not_used(const struct config *config)
{
    if (config->okta.org != NULL)
        log_warning("\"okta\" is kept for a later version: this one works from events alone, without profiles and gap repair");
}

int agent_start(const struct agent_settings *settings, struct agent **ret_agent, struct error *error)
{
    struct agent *agent = calloc(1, sizeof(*agent));

    if (agent == NULL || (agent->config_path = strdup(settings->config_path)) == NULL) {
        free(agent);
        return error_nomem(error);
    }
    pthread_rwlock_init(&agent->lock, NULL);
    pthread_mutex_init(&agent->reload_lock, NULL);
    pthread_mutex_init(&agent->refusal_lock, NULL);
    agent->started = clock_wall(clock_system());
    pthread_mutex_lock(&agent->reload_lock); /* the control socket answers before all is there */
    int code = start_stages(agent, settings, error);
    if (code == 0) {
        say_what_is_not_used(agent->config);
        say_what_is_gone(agent);
    }
    pthread_mutex_unlock(&agent->reload_lock);
    if (code < 0) {
        agent_stop(agent);
        return code;
    }
    *ret_agent = agent;
    return 0;
}

/* What a reload cannot change, the port for one, is said rather than ignored. */
static void say_what_stays(const struct config *old, const struct config *new)
{
    const struct {
        const char *name, *old, *new;
    } fixed[] = {
        { "listen.address", old->listen.address, new->listen.address },
        { "listen.tls.certificate", old->listen.certificate, new->listen.certificate },
        { "hook.path", old->hook.path, new->hook.path },
        { "hook.header", old->hook.header, new->hook.header },
        { "store", old->store, new->store },
        { "control", old->control, new->control },
        { "control_readers", old->control_readers, new->control_readers },
        { "log", old->log, new->log },
    };

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (!str_equal(fixed[i].old, fixed[i].new))
            log_warning("%s was changed: it takes effect at the next restart", fixed[i].name);
    if (old->listen.port != new->listen.port)
        log_warning("listen.port was changed: it takes effect at the next restart");
}

static struct config *swap_config(struct agent *agent, struct config *config)
{
    pthread_rwlock_wrlock(&agent->lock);
    struct config *old = agent->config;
    agent->config = config;
    pthread_rwlock_unlock(&agent->lock);
    return old;
}

/* Targets that did not change go on; each other one is retired and started by itself. */
static int use_targets(struct agent *agent, struct config *config, struct error *error)
{
    cleanup_free struct deliver_target *targets = deliver_targets(agent, config);
    int code = targets == NULL ? error_nomem(error) : set_routes(agent, config);

    if (code < 0)
        return error_set(error, code, "the targets could not be written to the store: %s", error_sentence(code));
    code = deliver_use(agent->deliverer, targets, config->target_count, error);
    if (deliver_count_retired(agent->deliverer) > 0)
        log_notice("work with the old configuration goes on in the background; new work uses the new one");
    return code;
}

static int reload_locked(struct agent *agent, struct error *error)
{
    struct config *config;

    if (agent->receiver == NULL)
        return error_set(error, ERROR_CLOSED, "the agent did not start; its log says why");
    if (status_log_reopen(agent->log, error) < 0)
        log_error("%s", error->text);
    int code = load_config(agent->config_path, &config, error);
    if (code < 0)
        return code;
    say_what_stays(agent->first_config, config);
    receive_set_secrets(agent->receiver, config->hook.secret, config->hook.previous_secret);
    struct config *old = swap_config(agent, config);
    code = use_targets(agent, config, error);
    if (old != agent->first_config)
        config_free(old);
    if (code < 0)
        return error_prefix(error, "the new configuration is right, but not all of its targets could be started; restart the agent");
    say_what_is_not_used(config);
    say_what_is_gone(agent);
    log_notice("reloaded %s", agent->config_path);
    return 0;
}

int agent_reload(struct agent *agent, struct error *error)
{
    pthread_mutex_lock(&agent->reload_lock);
    int code = reload_locked(agent, error);
    pthread_mutex_unlock(&agent->reload_lock);
    return code;
}

bool agent_stop(struct agent *agent)
{
    control_stop(agent->control); /* first: its thread looks at all the others */
    receive_stop(agent->receiver, RECEIVE_DRAIN_US);
    struct deliverer *deliverer = swap_deliverer(agent, NULL);
    if (deliverer != NULL && !deliver_stop(deliverer, agent->config->stop_us))
        return false; /* threads still use the store, too: the process ends under them */
    store_close(agent->store);
    deliver_free(deliverer);
    status_log_close(agent->log);
    if (agent->config != agent->first_config)
        config_free(agent->config);
    config_free(agent->first_config);
    pthread_rwlock_destroy(&agent->lock);
    pthread_mutex_destroy(&agent->reload_lock);
    pthread_mutex_destroy(&agent->refusal_lock);
    free(agent->listening);
    free(agent->config_path);
    free(agent);
    return true;
}
