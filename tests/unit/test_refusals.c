/*
 * Whose refusal is it? The real store, planner and workers, and a directory in memory that refuses by rule: one person, everybody, for a
 * while. What is counted are lines of the status log, states of the target, and changes that were sent.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "deliver/deliver.h"
#include "plan/plan.h"
#include "tests/property/memory_target.h"
#include "tests/property/policy.h"
#include "tests/support/store_world.h"

#define AWAIT_SECONDS 60
#define OTHERS 60
#define ATTEMPTS 4
#define LOG_MOST 4096

/* ---- the target ---- */

struct rule {
    const char *about; /* part of the locator; NULL: anybody */
    enum outcome outcome;
    enum refusal refusal;
    int code;
    int64_t hangs_ms; /* before it refuses */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct rule rule; /* of changes; `outcome` APPLIED: none */
    struct rule login;
    int opens;
    int sent;         /* changes that were refused, or taken */
    int running, most_running;
    int64_t takes_ms; /* each change that is taken */
    int taken, running_at[8]; /* of the first that were taken: how many ran with it, and it */
} peer = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static enum outcome refuse(const struct rule *rule, struct receipt *receipt)
{
    const struct timespec time = { rule->hangs_ms / 1000, (rule->hangs_ms % 1000) * 1000000 };

    nanosleep(&time, NULL);
    receipt_set(receipt, rule->outcome, rule->code, "not now, said the server");
    receipt->refusal = rule->refusal;
    return rule->outcome;
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    pthread_mutex_lock(&peer.lock);
    struct rule rule = peer.rule;
    peer.sent++;
    peer.running++;
    peer.most_running = peer.running > peer.most_running ? peer.running : peer.most_running;
    bool refused = rule.outcome != OUTCOME_APPLIED && (rule.about == NULL || strstr(operation->locator, rule.about) != NULL);
    if (!refused && peer.taken < 8)
        peer.running_at[peer.taken++] = peer.running;
    const struct timespec time = { 0, refused ? 0 : peer.takes_ms * 1000000 };
    pthread_mutex_unlock(&peer.lock);
    nanosleep(&time, NULL);
    enum outcome outcome = refused ? refuse(&rule, receipt) : memory_ops.apply(session, operation, ret_account, receipt);
    receipt->answered = true;
    pthread_mutex_lock(&peer.lock);
    peer.running--;
    pthread_cond_broadcast(&peer.changed);
    pthread_mutex_unlock(&peer.lock);
    return outcome;
}

static enum outcome open_session(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                                 struct receipt *receipt)
{
    pthread_mutex_lock(&peer.lock);
    struct rule login = peer.login;
    peer.opens++;
    pthread_cond_broadcast(&peer.changed);
    pthread_mutex_unlock(&peer.lock);
    return login.outcome != OUTCOME_APPLIED ? refuse(&login, receipt) : memory_ops.open(settings, shared, ret_session, receipt);
}

static void close_session(struct connector_session *session)
{
    if (session != NULL)
        memory_ops.close(session);
}

static void set_rule(struct rule rule)
{
    pthread_mutex_lock(&peer.lock);
    peer.rule = rule;
    pthread_mutex_unlock(&peer.lock);
}

static const struct rule no_rule = { .outcome = OUTCOME_APPLIED };

/* ---- the agent ---- */

struct line {
    char id[16], outcome[24], reason[200], undone[64];
    int attempt;
    bool leaver;
};

static struct {
    struct world *world;
    struct memory_target *target;
    struct memory_settings settings;
    struct connector_ops ops;
    struct mapping *people, *mappings[3];
    struct deliver_target deliver;
    struct deliverer *deliverer;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct line lines[LOG_MOST];
    size_t line_count;
    enum target_state states[256];
    size_t state_count;
    char words[200];
} agent = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void delivered(void *arg, const struct delivery_report *report)
{
    (void)arg;
    pthread_mutex_lock(&agent.lock);
    assert_true(agent.line_count < LOG_MOST);
    struct line *line = &agent.lines[agent.line_count++];
    snprintf(line->id, sizeof(line->id), "%s", report->id);
    snprintf(line->outcome, sizeof(line->outcome), "%s", report->outcome);
    snprintf(line->reason, sizeof(line->reason), "%s", report->reason != NULL ? report->reason : "");
    snprintf(line->undone, sizeof(line->undone), "%s", report->undone != NULL ? report->undone : "");
    line->attempt = report->attempt;
    line->leaver = report->leaver;
    pthread_cond_broadcast(&agent.changed);
    pthread_mutex_unlock(&agent.lock);
}

static void changed(void *arg, const char *target, enum target_state state, const char *reason)
{
    (void)arg, (void)target;
    pthread_mutex_lock(&agent.lock);
    assert_true(agent.state_count < 256);
    agent.states[agent.state_count++] = state;
    if (reason != NULL)
        snprintf(agent.words, sizeof(agent.words), "%s", reason);
    pthread_cond_broadcast(&agent.changed);
    pthread_mutex_unlock(&agent.lock);
}

static void ready(void *arg, const char *target)
{
    (void)arg;
    pthread_mutex_lock(&agent.lock);
    if (agent.deliverer != NULL)
        deliver_wake(agent.deliverer, target);
    pthread_mutex_unlock(&agent.lock);
}

static struct mapping *load(const char *text)
{
    cleanup_free char *path = str_printf("%s/people.conf", agent.world->folder);
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
    int code = mapping_load(path, &agent.ops, &problems, &mapping);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_int_equal(code, 0);
    return mapping;
}

/* The world's clock stands still, and retries would never come: this store has the system's. */
static int setup(void **state)
{
    cleanup_free char *text = policy_people(&policies[0]);
    const struct route route = { "ldap", IDENTITY_USER, ~0u, 0 };

    world_setup(state);
    agent.world = *state;
    world_close(agent.world);
    agent.world->settings.clock = clock_system();
    world_open(agent.world);
    assert_int_equal(store_set_routes(agent.world->store, &route, 1), 0);
    store_on_ready(agent.world->store, ready, NULL);
    peer.rule = peer.login = no_rule;
    peer.opens = peer.sent = peer.running = peer.most_running = peer.taken = 0;
    peer.takes_ms = 0;
    agent.line_count = agent.state_count = 0;
    agent.words[0] = '\0';
    agent.target = memory_target_new(0, PLANT_NOTHING);
    agent.settings = (struct memory_settings){ agent.target };
    agent.ops = memory_ops;
    agent.ops.apply = apply;
    agent.ops.open = open_session;
    agent.ops.close = close_session;
    agent.people = agent.mappings[0] = load(text);
    agent.deliver = (struct deliver_target){ .name = "ldap", .ops = &agent.ops, .settings = &agent.settings, .mappings = agent.mappings,
                                             .workers = 4, .attempts = ATTEMPTS, .retry_base_us = 20000, .retry_most_us = 100000,
                                             .probe_us = 400000 };
    return 0;
}

static void start(size_t workers)
{
    const struct deliver_settings settings = { .store = agent.world->store, .clock = clock_system(), .random = random_system(),
                                               .lease_us = 60 * SECOND, .sink = { NULL, delivered, changed } };
    struct deliverer *deliverer;
    struct error error = { 0 };

    agent.deliver.workers = (int64_t)workers;
    assert_int_equal(deliver_start(&settings, &agent.deliver, 1, &deliverer, &error), 0);
    pthread_mutex_lock(&agent.lock);
    agent.deliverer = deliverer;
    pthread_mutex_unlock(&agent.lock);
}

static void stop(void)
{
    pthread_mutex_lock(&agent.lock);
    struct deliverer *deliverer = take_pointer(agent.deliverer);
    pthread_mutex_unlock(&agent.lock);
    if (deliverer == NULL)
        return;
    assert_true(deliver_stop(deliverer, AWAIT_SECONDS * SECOND));
    deliver_free(deliverer);
}

static int teardown(void **state)
{
    set_rule(no_rule);
    stop();
    mapping_free(agent.people);
    memory_target_free(agent.target);
    return world_teardown(state);
}

/* Waits, bounded, with `lock_` taken. */
#define AWAIT(lock_, cond_, condition)                                          \
    do {                                                                        \
        struct timespec until_;                                                 \
        bool in_time_ = true;                                                   \
        clock_gettime(CLOCK_REALTIME, &until_);                                 \
        until_.tv_sec += AWAIT_SECONDS;                                         \
        pthread_mutex_lock(lock_);                                              \
        while (!(condition) && in_time_)                                        \
            in_time_ = pthread_cond_timedwait(cond_, lock_, &until_) == 0;      \
        pthread_mutex_unlock(lock_);                                            \
        if (!in_time_)                                                          \
            fail_msg("%s: not in %d s", #condition, AWAIT_SECONDS);             \
    } while (0)

static size_t count_lines(const char *id, const char *outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < agent.line_count; i++)
        count += (id == NULL || strcmp(agent.lines[i].id, id) == 0) && (outcome == NULL || strcmp(agent.lines[i].outcome, outcome) == 0);
    return count;
}

static size_t count_states(enum target_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < agent.state_count; i++)
        count += agent.states[i] == state;
    return count;
}

/* Of whom the highest attempt is above one. */
static size_t count_charged(void)
{
    char charged[OTHERS + 8][16];
    size_t count = 0;

    for (size_t i = 0; i < agent.line_count; i++) {
        bool known = false;
        for (size_t j = 0; j < count; j++)
            known = known || strcmp(charged[j], agent.lines[i].id) == 0;
        if (!known && (agent.lines[i].attempt > 1 || strcmp(agent.lines[i].outcome, "retry") == 0) && count < OTHERS + 8)
            snprintf(charged[count++], sizeof(charged[0]), "%s", agent.lines[i].id);
    }
    return count;
}

static void send(const char *id, const char *status)
{
    static int number;
    cleanup_free char *uuid = str_printf("e%d", ++number), *login = str_printf("%s@example.com", id);

    assert_int_equal(world_take(agent.world, uuid, number, STATUS(id, status), LOGIN(id, login), NAME(id, "Some Body")), EVENT_CHANGED);
}

static void send_others(const char *status)
{
    for (int i = 0; i < OTHERS; i++) {
        cleanup_free char *id = str_printf("p%02d", i);
        send(id, status);
    }
}

static struct line line_of(const char *id, const char *outcome)
{
    for (size_t i = 0; i < agent.line_count; i++)
        if (strcmp(agent.lines[i].id, id) == 0 && strcmp(agent.lines[i].outcome, outcome) == 0)
            return agent.lines[i];
    fail_msg("%s has no line %s", id, outcome);
    return (struct line){ 0 };
}

/* ---- one record ---- */

static void one_refused_person_stops_nobody(void **state)
{
    for (size_t workers = 1; workers <= 4; workers += 3) {
        if (workers > 1) {
            teardown(state);
            setup(state);
        }
        set_rule((struct rule){ "uid=ann,", OUTCOME_RETRY, REFUSAL_UNSURE, 403, 0 });
        send("ann", "ACTIVE");
        send_others("ACTIVE");
        start(workers);
        AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS && count_lines("ann", "dead") == 1);
        assert_int_equal(count_states(TARGET_REFUSING) + count_states(TARGET_DOWN), 0);
        assert_int_equal(line_of("ann", "dead").attempt, ATTEMPTS);
        assert_non_null(strstr(line_of("ann", "retry").reason, "not now, said the server"));
        assert_string_equal(line_of("ann", "retry").undone, "create");
        assert_int_equal(count_charged(), 1);
    }
}

/* A server that hangs up at one record: it is believed once. */
static void one_person_who_brings_the_target_down_stops_nobody(void **state)
{
    for (size_t workers = 1; workers <= 4; workers += 3) {
        if (workers > 1) {
            teardown(state);
            setup(state);
        }
        set_rule((struct rule){ "uid=ann,", OUTCOME_TARGET_DOWN, REFUSAL_SURE, 0, 0 });
        send("ann", "ACTIVE");
        send_others("ACTIVE");
        start(workers);
        AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS && count_lines("ann", "dead") == 1);
        assert_true(count_states(TARGET_DOWN) <= 2);
        assert_int_equal(count_charged(), 1);
    }
}

/* ---- everybody ---- */

static void a_target_that_refuses_everybody_charges_three_and_comes_back(void **state)
{
    struct deliver_status status;

    (void)state;
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_others("ACTIVE");
    start(4);
    AWAIT(&agent.lock, &agent.changed, count_states(TARGET_REFUSING) == 1);
    assert_string_equal(agent.words, "not now, said the server");
    AWAIT(&peer.lock, &peer.changed, peer.sent >= 8); /* and is tried, by one lane each time */
    assert_int_equal(deliver_read_status(agent.deliverer, "ldap", &status), 0);
    assert_int_equal(status.state, TARGET_REFUSING);
    assert_non_null(strstr(status.last_error, "not now"));
    set_rule(no_rule);
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS);
    assert_int_equal(count_lines(NULL, "dead"), 0);
    assert_true(count_charged() <= 6); /* three in a row, and what the other workers had under way */
    assert_int_equal(count_states(TARGET_REFUSING), 1);
    assert_int_equal(agent.states[agent.state_count - 1], TARGET_UP);
}

static void it_comes_back_through_one_lane_then_two(void **state)
{
    (void)state;
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_others("ACTIVE");
    start(4);
    AWAIT(&agent.lock, &agent.changed, count_states(TARGET_REFUSING) == 1);
    pthread_mutex_lock(&peer.lock);
    int before = peer.sent;
    pthread_mutex_unlock(&peer.lock);
    AWAIT(&peer.lock, &peer.changed, peer.sent >= before + 4 && peer.running == 0); /* the others put down what they had picked */
    pthread_mutex_lock(&peer.lock);
    peer.most_running = 0;
    before = peer.sent;
    peer.rule.hangs_ms = 30; /* else two would hardly meet */
    pthread_mutex_unlock(&peer.lock);
    AWAIT(&peer.lock, &peer.changed, peer.sent >= before + 4);
    assert_int_equal(peer.most_running, 1);
    pthread_mutex_lock(&peer.lock);
    peer.takes_ms = 50; /* the next two begin while one runs, if they may */
    peer.rule = no_rule;
    pthread_mutex_unlock(&peer.lock);
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS);
    assert_int_equal(peer.running_at[0], 1);
    assert_true(peer.running_at[1] <= 2 && peer.running_at[2] <= 2);
    int most = 0;
    for (size_t i = 3; i < 8; i++)
        most = peer.running_at[i] > most ? peer.running_at[i] : most;
    assert_true(most > 2);
}

static void a_leaver_is_out_once_it_is_mended_and_is_no_dead_letter(void **state)
{
    (void)state;
    start(4);
    send_others("ACTIVE");
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS);
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_others("SUSPENDED");
    AWAIT(&peer.lock, &peer.changed, peer.sent >= OTHERS + 10);
    int64_t not_out = 0;
    struct wall since;
    assert_int_equal(store_count_leavers(agent.world->store, "ldap", &not_out, &since, NULL), 0);
    assert_int_equal(not_out, OTHERS);
    send("new", "ACTIVE");
    set_rule(no_rule);
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == 2 * OTHERS + 1);
    assert_int_equal(count_lines(NULL, "dead") + count_lines(NULL, "rejected"), 0);
    assert_int_equal(store_count_leavers(agent.world->store, "ldap", &not_out, &since, NULL), 0);
    assert_int_equal(not_out, 0);
}

/* Sure refusals of three people are three people's. */
static void sure_refusals_are_each_person_s_own(void **state)
{
    (void)state;
    set_rule((struct rule){ "uid=p0", OUTCOME_REJECTED, REFUSAL_SURE, 19, 0 });
    send_others("ACTIVE");
    start(4);
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "rejected") == 10 && count_lines(NULL, "applied") == OTHERS - 10);
    assert_int_equal(count_states(TARGET_REFUSING), 0);
}

/* A subtree that may not be written: its people are charged, and all others worked on. */
static void one_subtree_of_many_stops_nobody_for_long(void **state)
{
    (void)state;
    set_rule((struct rule){ "uid=p0", OUTCOME_RETRY, REFUSAL_UNSURE, 50, 0 });
    send_others("ACTIVE");
    start(4);
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS - 10 && count_lines(NULL, "dead") == 10);
    assert_true(count_states(TARGET_REFUSING) <= 3);
    assert_int_equal(agent.states[agent.state_count - 1], TARGET_UP);
}

/* ---- log-ins ---- */

static void a_refused_login_is_not_tried_again_before_minutes_have_passed(void **state)
{
    const struct timespec while_ = { 1, 500000000 };

    (void)state;
    peer.login = (struct rule){ NULL, OUTCOME_TARGET_DOWN, REFUSAL_LOGIN, 49, 0 };
    send_others("ACTIVE");
    start(4);
    AWAIT(&agent.lock, &agent.changed, count_states(TARGET_DOWN) == 1);
    nanosleep(&while_, NULL); /* several probe intervals: nothing is what is awaited */
    assert_int_equal(peer.opens, 1);
    pthread_mutex_lock(&peer.lock);
    peer.login = no_rule;
    pthread_mutex_unlock(&peer.lock);
    assert_int_equal(deliver_hold(agent.deliverer, "ldap", false), 0); /* whoever resumes has mended something */
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS);
    assert_int_equal(count_charged(), 0);
}

/* ---- the queue ---- */

static void failed_work_waits_behind_fresh_work(void **state)
{
    (void)state;
    set_rule((struct rule){ "uid=ann,", OUTCOME_RETRY, REFUSAL_SURE, 51, 0 });
    agent.deliver.retry_base_us = agent.deliver.retry_most_us = 1000;
    send("ann", "ACTIVE");
    send_others("ACTIVE");
    start(1);
    AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == OTHERS);
    size_t last = 0, attempts = 0;
    for (size_t i = 0; i < agent.line_count && strcmp(agent.lines[i].id, "p59") != 0; i++)
        last = i;
    for (size_t i = 0; i <= last; i++)
        attempts += strcmp(agent.lines[i].id, "ann") == 0;
    assert_true(attempts <= 2); /* not one for each of the others */
}

static void leavers_whose_request_hangs_keep_no_joiner_out(void **state)
{
    for (size_t workers = 1; workers <= 4; workers += 3) {
        if (workers > 1) {
            teardown(state);
            setup(state);
        }
        start(workers);
        for (int i = 0; i < 20; i++) {
            cleanup_free char *id = str_printf("gone%02d", i);
            send(id, "ACTIVE");
        }
        AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == 20);
        stop();
        set_rule((struct rule){ "uid=gone", OUTCOME_RETRY, REFUSAL_SURE, 85, 1100 });
        for (int i = 0; i < 20; i++) {
            cleanup_free char *id = str_printf("gone%02d", i);
            send(id, "SUSPENDED");
        }
        send_others("ACTIVE");
        size_t before = agent.line_count;
        start(workers);
        AWAIT(&agent.lock, &agent.changed, count_lines(NULL, "applied") == 20 + OTHERS);
        size_t hung = agent.line_count - before - OTHERS;
        assert_true(hung <= (workers == 1 ? 3 : 8)); /* of 20, each of which takes a second */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_refused_person_stops_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(one_person_who_brings_the_target_down_stops_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_target_that_refuses_everybody_charges_three_and_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(it_comes_back_through_one_lane_then_two, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leaver_is_out_once_it_is_mended_and_is_no_dead_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(sure_refusals_are_each_person_s_own, setup, teardown),
        cmocka_unit_test_setup_teardown(one_subtree_of_many_stops_nobody_for_long, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_login_is_not_tried_again_before_minutes_have_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_work_waits_behind_fresh_work, setup, teardown),
        cmocka_unit_test_setup_teardown(leavers_whose_request_hangs_keep_no_joiner_out, setup, teardown),
    };

    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
