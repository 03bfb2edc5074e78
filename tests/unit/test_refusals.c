/*
 * Whose refusal is it? The real store, planner and workers, and a directory in memory that refuses by rule: one person,
 * everybody, for a while. What is counted are lines of the status log, states of the target, and changes that were sent.
 */
#include "tests/support/lane_world.h"

#define OTHERS 60
#define ATTEMPTS 4

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
    int takes; /* so many changes before it refuses more */
    int opens, opening, most_opening;
    int together; /* so many opens wait for each other, after the first */
    int sent;         /* changes that were refused, or taken */
    int running, most_running;
    int64_t takes_ms; /* each change that is taken */
    int taken, running_at[8]; /* of the first that were taken: how many ran with it, and it */
    uint64_t refused; /* a bit for each of the others who was refused, and one more for ann */
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
    refused = refused && peer.takes-- <= 0;
    int other = OTHERS;
    if (refused && (sscanf(operation->locator, "uid=p%2d", &other) == 1 || strstr(operation->locator, "uid=ann,") != NULL))
        peer.refused |= UINT64_C(1) << other;
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

/* With the lock held: until all are here, for two seconds at most. */
static void wait_for_opens(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    while (peer.most_opening < peer.together)
        if (pthread_cond_timedwait(&peer.changed, &peer.lock, &until) != 0)
            return;
}

static enum outcome open_session(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                                 struct receipt *receipt)
{
    pthread_mutex_lock(&peer.lock);
    struct rule login = peer.login;
    peer.opens++;
    if (++peer.opening > peer.most_opening)
        peer.most_opening = peer.opening;
    pthread_cond_broadcast(&peer.changed);
    if (peer.together > 0 && peer.opens > 1)
        wait_for_opens();
    peer.opening--;
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

static int setup(void **state)
{
    const struct route route = { "ldap", IDENTITY_USER, ~0u, 0 };

    peer.rule = peer.login = no_rule;
    peer.opens = peer.opening = peer.most_opening = peer.together = peer.sent = peer.running = peer.most_running = peer.taken = 0;
    peer.takes_ms = peer.takes = 0;
    peer.refused = 0;
    lanes_setup(state);
    lanes_use_pool();
    assert_int_equal(store_set_routes(lanes.world->store, &route, 1), 0);
    lanes.ops.apply = apply;
    lanes.ops.open = open_session;
    lanes.ops.close = close_session;
    lanes.deliver.attempts = ATTEMPTS;
    return 0;
}

static int teardown(void **state)
{
    set_rule(no_rule);
    return lanes_teardown(state);
}

/* Of whom the highest attempt is above one. */
static size_t count_charged(void)
{
    char charged[OTHERS + 8][16];
    size_t count = 0;

    for (size_t i = 0; i < lanes.line_count; i++) {
        bool known = false;
        for (size_t j = 0; j < count; j++)
            known = known || strcmp(charged[j], lanes.lines[i].id) == 0;
        if (!known && (lanes.lines[i].attempt > 1 || strcmp(lanes.lines[i].outcome, "retry") == 0) && count < OTHERS + 8)
            snprintf(charged[count++], sizeof(charged[0]), "%s", lanes.lines[i].id);
    }
    return count;
}

static void send(const char *id, const char *status)
{
    static int number;
    cleanup_free char *uuid = str_printf("e%d", ++number), *login = str_printf("%s@example.com", id);

    assert_int_equal(world_take(lanes.world, uuid, number, STATUS(id, status), LOGIN(id, login), NAME(id, "Some Body")),
                     EVENT_CHANGED);
}

static void send_some(int count, const char *status)
{
    for (int i = 0; i < count; i++) {
        cleanup_free char *id = str_printf("p%02d", i);
        send(id, status);
    }
}

static void send_others(const char *status)
{
    send_some(OTHERS, status);
}

/* ---- one record ---- */

static void one_refused_person_stops_nobody(void **state)
{
    for (size_t workers = 1; workers <= 4; workers += 3) {
        if (workers > 1) {
            lanes_teardown(state);
            setup(state);
        }
        set_rule((struct rule){ "uid=ann,", OUTCOME_RETRY, REFUSAL_UNSURE, 403, 0 });
        send("ann", "ACTIVE");
        send_others("ACTIVE");
        lanes_start(workers);
        AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS && lanes_count("ann", "dead") == 1);
        assert_int_equal(lanes_count_states(TARGET_REFUSING) + lanes_count_states(TARGET_DOWN), 0);
        assert_int_equal(lanes_line("ann", "dead").attempt, ATTEMPTS);
        assert_non_null(strstr(lanes_line("ann", "retry").reason, "not now, said the server"));
        assert_string_equal(lanes_line("ann", "retry").undone, "create");
        assert_int_equal(count_charged(), 1);
    }
}

/* A server that hangs up at one record: it is believed once. */
static void one_person_who_brings_the_target_down_stops_nobody(void **state)
{
    for (size_t workers = 1; workers <= 4; workers += 3) {
        if (workers > 1) {
            lanes_teardown(state);
            setup(state);
        }
        set_rule((struct rule){ "uid=ann,", OUTCOME_TARGET_DOWN, REFUSAL_SURE, 0, 0 });
        send("ann", "ACTIVE");
        send_others("ACTIVE");
        lanes_start(workers);
        AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS && lanes_count("ann", "dead") == 1);
        assert_true(lanes_count_states(TARGET_DOWN) <= 2);
        assert_int_equal(count_charged(), 1);
    }
}

/* One whose part of the tree alone is read-only: the server says that it takes no changes, and takes those of all others. */
static void one_person_of_a_part_that_is_read_only_stops_nobody(void **state)
{
    for (size_t workers = 1; workers <= 4; workers += 3) {
        if (workers > 1) {
            lanes_teardown(state);
            setup(state);
        }
        set_rule((struct rule){ "uid=ann,", OUTCOME_TARGET_DOWN, REFUSAL_SERVER, 53, 0 });
        send("ann", "ACTIVE");
        send_others("ACTIVE");
        lanes_start(workers);
        AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS && lanes_count("ann", "dead") == 1);
        assert_true(lanes_count_states(TARGET_REFUSING) <= 2);
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
    lanes_start(4);
    AWAIT_LINES(lanes_count_states(TARGET_REFUSING) == 1);
    assert_string_equal(lanes.words, "not now, said the server");
    AWAIT(&peer.lock, &peer.changed, peer.sent >= 8); /* and is tried, by one lane each time */
    assert_int_equal(deliver_read_status(lanes.deliverer, "ldap", &status), 0);
    assert_int_equal(status.state, TARGET_REFUSING);
    assert_non_null(strstr(status.last_error, "not now"));
    set_rule(no_rule);
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
    assert_int_equal(lanes_count(NULL, "dead"), 0);
    assert_true(count_charged() <= 6); /* three in a row, and what the other workers had under way */
    assert_int_equal(lanes_count_states(TARGET_REFUSING), 1);
    assert_int_equal(lanes.states[lanes.state_count - 1], TARGET_UP);
}

static void with_one_attempt_each_three_are_given_up_and_no_more(void **state)
{
    (void)state;
    lanes.deliver.attempts = 1;
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_others("ACTIVE");
    lanes_start(1);
    AWAIT_LINES(lanes_count_states(TARGET_REFUSING) == 1);
    AWAIT(&peer.lock, &peer.changed, peer.sent >= 8);
    assert_int_equal(lanes_count(NULL, "dead"), 3);
    set_rule(no_rule);
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS - 3);
}

static void a_target_that_takes_one_change_and_refuses_again_charges_few(void **state)
{
    (void)state;
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_others("ACTIVE");
    lanes_start(4);
    AWAIT_LINES(lanes_count_states(TARGET_REFUSING) == 1);
    pthread_mutex_lock(&peer.lock);
    peer.takes = 1;
    pthread_mutex_unlock(&peer.lock);
    AWAIT_LINES(lanes_count(NULL, "applied") == 1);
    pthread_mutex_lock(&peer.lock);
    int before = peer.sent;
    pthread_mutex_unlock(&peer.lock);
    AWAIT(&peer.lock, &peer.changed, peer.sent >= before + 20);
    assert_true(count_charged() <= 10);
    assert_int_equal(lanes_count(NULL, "dead"), 0);
    set_rule(no_rule);
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
}

/* It says itself that it takes no work of anybody: a probe that is well proves nothing, and nobody is charged. */
static void a_server_that_takes_no_changes_is_tried_by_one_lane_and_back_within_a_probe(void **state)
{
    (void)state;
    lanes.deliver.probe_us = SECOND;
    set_rule((struct rule){ NULL, OUTCOME_TARGET_DOWN, REFUSAL_SERVER, 53, 0 });
    send_others("ACTIVE");
    lanes_start(4);
    AWAIT(&peer.lock, &peer.changed, peer.sent >= 8);
    assert_string_equal(lanes.words, "not now, said the server");
    set_rule(no_rule);
    int64_t mended_us = clock_mono(clock_system()).us;
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
    assert_true(clock_mono(clock_system()).us - mended_us < 2 * SECOND); /* a probe interval, and the work */
    assert_int_equal(count_charged(), 0);
    assert_int_equal(lanes_count_states(TARGET_REFUSING), 1);
    assert_int_equal(lanes_count_states(TARGET_DOWN), 0);
    assert_int_equal(lanes.states[lanes.state_count - 1], TARGET_UP);
}

static void a_server_whose_only_work_is_taken_again_refuses_no_more(void **state)
{
    (void)state;
    set_rule((struct rule){ NULL, OUTCOME_TARGET_DOWN, REFUSAL_SERVER, 53, 0 });
    send("ann", "ACTIVE");
    lanes_start(4);
    AWAIT(&peer.lock, &peer.changed, peer.sent >= 3);
    set_rule(no_rule);
    AWAIT_LINES(lanes_count("ann", "applied") == 1 && lanes.states[lanes.state_count - 1] == TARGET_UP);
    assert_int_equal(lanes_count_states(TARGET_REFUSING), 1);
}

static void a_server_that_nobody_needs_any_more_refuses_no_more(void **state)
{
    (void)state;
    set_rule((struct rule){ NULL, OUTCOME_TARGET_DOWN, REFUSAL_SERVER, 53, 0 });
    send("ann", "ACTIVE");
    lanes_start(4);
    AWAIT(&peer.lock, &peer.changed, peer.sent >= 3);
    send("ann", "DELETED"); /* before she had an account */
    AWAIT_LINES(lanes.states[lanes.state_count - 1] == TARGET_UP && lanes_count_states(TARGET_REFUSING) == 1);
    send("bob", "ACTIVE");
    AWAIT_LINES(lanes_count_states(TARGET_REFUSING) == 2);
}

static void it_comes_back_through_one_lane_then_two(void **state)
{
    (void)state;
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_others("ACTIVE");
    lanes_start(4);
    AWAIT_LINES(lanes_count_states(TARGET_REFUSING) == 1);
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
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
    assert_int_equal(peer.running_at[0], 1);
    assert_true(peer.running_at[1] <= 2 && peer.running_at[2] <= 2);
    int most = 0;
    for (size_t i = 3; i < 8; i++)
        most = peer.running_at[i] > most ? peer.running_at[i] : most;
    assert_true(most > 2);
}

/* She leaves while it refuses, so she is the most urgent each time. All others were refused, too, when it was mended for them. */
static void one_who_is_refused_each_time_and_most_urgent_keeps_nobody_out(void **state)
{
    enum { FEW = 6 };
    const uint64_t all = (UINT64_C(1) << FEW) - 1, ann = UINT64_C(1) << OTHERS;

    (void)state;
    lanes.deliver.probe_us = 40000;
    lanes_start(1);
    send("ann", "ACTIVE");
    AWAIT_LINES(lanes_count("ann", "applied") == 1);
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_some(FEW, "ACTIVE");
    AWAIT_LINES(lanes_count_states(TARGET_REFUSING) == 1);
    send("ann", "SUSPENDED");
    AWAIT(&peer.lock, &peer.changed, peer.refused == (all | ann));
    set_rule((struct rule){ "uid=ann,", OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    AWAIT_LINES(lanes_count(NULL, "applied") == 1 + FEW);
    assert_int_equal(lanes_count("ann", "applied"), 1);
    assert_int_equal(lanes.states[lanes.state_count - 1], TARGET_UP);
}

static void a_leaver_is_out_once_it_is_mended_and_is_no_dead_letter(void **state)
{
    (void)state;
    lanes_start(4);
    send_others("ACTIVE");
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
    set_rule((struct rule){ NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 53, 0 });
    send_others("SUSPENDED");
    AWAIT(&peer.lock, &peer.changed, peer.sent >= OTHERS + 10);
    int64_t not_out = 0;
    struct wall since;
    assert_int_equal(store_count_waiting(lanes.world->store, "ldap", WAITING_LEAVERS, &not_out, &since, NULL), 0);
    assert_int_equal(not_out, OTHERS);
    send("new", "ACTIVE");
    set_rule(no_rule);
    AWAIT_LINES(lanes_count(NULL, "applied") == 2 * OTHERS + 1);
    assert_int_equal(lanes_count(NULL, "dead") + lanes_count(NULL, "rejected"), 0);
    assert_int_equal(store_count_waiting(lanes.world->store, "ldap", WAITING_LEAVERS, &not_out, &since, NULL), 0);
    assert_int_equal(not_out, 0);
}

/* Sure refusals of three people are three people's. */
static void sure_refusals_are_each_person_s_own(void **state)
{
    (void)state;
    set_rule((struct rule){ "uid=p0", OUTCOME_REJECTED, REFUSAL_SURE, 19, 0 });
    send_others("ACTIVE");
    lanes_start(4);
    AWAIT_LINES(lanes_count(NULL, "rejected") == 10 && lanes_count(NULL, "applied") == OTHERS - 10);
    assert_int_equal(lanes_count_states(TARGET_REFUSING), 0);
}

/* A subtree that may not be written: its people are charged, and all others worked on. */
static void one_subtree_of_many_stops_nobody_for_long(void **state)
{
    (void)state;
    set_rule((struct rule){ "uid=p0", OUTCOME_RETRY, REFUSAL_UNSURE, 50, 0 });
    send_others("ACTIVE");
    lanes_start(4);
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS - 10 && lanes_count(NULL, "dead") == 10);
    assert_true(lanes_count_states(TARGET_REFUSING) <= 3);
    assert_int_equal(lanes.states[lanes.state_count - 1], TARGET_UP);
}

/* ---- log-ins ---- */

static void a_refused_login_is_not_tried_again_before_minutes_have_passed(void **state)
{
    const struct timespec while_ = { 1, 500000000 };

    (void)state;
    peer.login = (struct rule){ NULL, OUTCOME_TARGET_DOWN, REFUSAL_LOGIN, 49, 0 };
    send_others("ACTIVE");
    lanes_start(4);
    AWAIT_LINES(lanes_count_states(TARGET_DOWN) == 1);
    nanosleep(&while_, NULL); /* several probe intervals: nothing is what is awaited */
    assert_int_equal(peer.opens, 1);
    pthread_mutex_lock(&peer.lock);
    peer.login = no_rule;
    pthread_mutex_unlock(&peer.lock);
    assert_int_equal(deliver_hold(lanes.deliverer, "ldap", false), 0); /* whoever resumes has mended something */
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
    assert_int_equal(count_charged(), 0);
}

static void workers_are_let_in_together_once_one_was(void **state)
{
    (void)state;
    peer.together = 4;
    send_others("ACTIVE");
    lanes_start(4);
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
    assert_int_equal(peer.most_opening, 4);
}

/* ---- the queue ---- */

static void failed_work_waits_behind_fresh_work(void **state)
{
    (void)state;
    set_rule((struct rule){ "uid=ann,", OUTCOME_RETRY, REFUSAL_SURE, 51, 0 });
    lanes.deliver.retry_base_us = lanes.deliver.retry_most_us = 1000;
    send("ann", "ACTIVE");
    send_others("ACTIVE");
    lanes_start(1);
    AWAIT_LINES(lanes_count(NULL, "applied") == OTHERS);
    size_t last = 0, attempts = 0;
    for (size_t i = 0; i < lanes.line_count && strcmp(lanes.lines[i].id, "p59") != 0; i++)
        last = i;
    for (size_t i = 0; i <= last; i++)
        attempts += strcmp(lanes.lines[i].id, "ann") == 0;
    assert_true(attempts <= 2); /* not one for each of the others */
}

static void leavers_whose_request_hangs_keep_no_joiner_out(void **state)
{
    for (size_t workers = 1; workers <= 4; workers += 3) {
        if (workers > 1) {
            lanes_teardown(state);
            setup(state);
        }
        lanes_start(workers);
        for (int i = 0; i < 20; i++) {
            cleanup_free char *id = str_printf("gone%02d", i);
            send(id, "ACTIVE");
        }
        AWAIT_LINES(lanes_count(NULL, "applied") == 20);
        lanes_stop();
        set_rule((struct rule){ "uid=gone", OUTCOME_RETRY, REFUSAL_SURE, 85, 1100 });
        for (int i = 0; i < 20; i++) {
            cleanup_free char *id = str_printf("gone%02d", i);
            send(id, "SUSPENDED");
        }
        send_others("ACTIVE");
        size_t before = lanes.line_count;
        lanes_start(workers);
        AWAIT_LINES(lanes_count(NULL, "applied") == 20 + OTHERS);
        size_t hung = lanes.line_count - before - OTHERS;
        assert_true(hung <= (workers == 1 ? 3 : 8)); /* of 20, each of which takes a second */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_refused_person_stops_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(one_person_who_brings_the_target_down_stops_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_target_that_refuses_everybody_charges_three_and_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(one_person_of_a_part_that_is_read_only_stops_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(with_one_attempt_each_three_are_given_up_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_target_that_takes_one_change_and_refuses_again_charges_few, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_takes_no_changes_is_tried_by_one_lane_and_back_within_a_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_whose_only_work_is_taken_again_refuses_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_nobody_needs_any_more_refuses_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(it_comes_back_through_one_lane_then_two, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_is_refused_each_time_and_most_urgent_keeps_nobody_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leaver_is_out_once_it_is_mended_and_is_no_dead_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(sure_refusals_are_each_person_s_own, setup, teardown),
        cmocka_unit_test_setup_teardown(one_subtree_of_many_stops_nobody_for_long, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_login_is_not_tried_again_before_minutes_have_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(workers_are_let_in_together_once_one_was, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_work_waits_behind_fresh_work, setup, teardown),
        cmocka_unit_test_setup_teardown(leavers_whose_request_hangs_keep_no_joiner_out, setup, teardown),
    };

    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
