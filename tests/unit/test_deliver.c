/* Lanes, workers, retry, suspension: the real store and planner, and a target in memory that fails on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/str.h"
#include "deliver/ending.h"
#include "deliver/deliver_private.h"
#include "plan/plan.h"
#include "tests/support/faults.h"

#define AWAIT_SECONDS 20

/* ---- the target ---- */

struct connector_session {
    int unused;
};

struct connector_shared {
    int sessions;
};

/* What the target was sent; outlives a child that is killed. */
static struct sent {
    int count;
    struct {
        enum operation_kind kind;
        char key[40];
        bool repeated;
    } list[64];
} *sent;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum outcome open_outcome;
    enum outcome apply_outcome; /* of creates, unless APPLIED */
    enum outcome script[8];     /* of the first applies, before apply_outcome counts */
    size_t script_count, script_next;
    enum outcome read_outcome;  /* of reads, unless APPLIED */
    int64_t retry_after_us;
    int reads;
    int disabled;               /* as reads tell */
    const char *fault_on_read;  /* set by the next read; NULL: none */
    int shares, unshares;
    bool torn_down_in_use;      /* the shared state went before a session */
    int blocked;                /* creates wait while it is set */
    int waiting;                /* that many do */
    int opens;
    char *created[64]; /* locators, in order */
    size_t created_count;
    char *existing_key; /* what every read finds; NULL: nothing, but for what was created */
} world = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static enum outcome fake_open(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                              struct receipt *receipt)
{
    (void)settings;
    pthread_mutex_lock(&world.lock);
    enum outcome outcome = world.open_outcome;
    world.opens++;
    shared->sessions += outcome == OUTCOME_APPLIED;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    if (outcome != OUTCOME_APPLIED)
        return receipt_set(receipt, outcome, 0, "connection refused");
    *ret_session = calloc(1, sizeof(**ret_session));
    return outcome;
}

static struct connector_shared *the_shared;

static int fake_share(const void *settings, struct connector_shared **ret_shared, struct error *error)
{
    (void)settings;
    (void)error;
    world.shares++;
    *ret_shared = the_shared = calloc(1, sizeof(**ret_shared));
    return 0;
}

static void fake_unshare(struct connector_shared *shared)
{
    world.unshares++;
    world.torn_down_in_use = world.torn_down_in_use || shared->sessions != 0;
    free(shared);
}

static void fake_close(struct connector_session *session)
{
    pthread_mutex_lock(&world.lock);
    the_shared->sessions -= session != NULL;
    pthread_mutex_unlock(&world.lock);
    free(session);
}

static enum outcome fake_probe(struct connector_session *session, struct receipt *receipt)
{
    (void)session;
    (void)receipt;
    return OUTCOME_APPLIED;
}

static enum outcome fake_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                              struct receipt *receipt)
{
    bool there = false;

    (void)session;
    pthread_mutex_lock(&world.lock);
    world.reads++;
    if (world.fault_on_read != NULL)
        fault_set(take_pointer(world.fault_on_read), NULL);
    if (world.read_outcome != OUTCOME_APPLIED) {
        enum outcome outcome = world.read_outcome;
        pthread_mutex_unlock(&world.lock);
        return receipt_set(receipt, outcome, 52, "the server is tired");
    }
    for (size_t i = 0; i < world.created_count; i++)
        there = there || str_equal(world.created[i], query->locator);
    const char *key = world.existing_key != NULL ? world.existing_key : query->locator;
    if (there || world.existing_key != NULL)
        *ret_account = (struct account){ strdup(key), strdup(query->locator != NULL ? query->locator : key), json_object(),
                                         world.disabled, NULL };
    pthread_mutex_unlock(&world.lock);
    if (!there && world.existing_key == NULL)
        return receipt_set(receipt, OUTCOME_GONE, 0, "no such account");
    json_object_set_new(ret_account->values, "cn", json_pack("[s]", "x"));
    return OUTCOME_APPLIED;
}

static void note_sent(const struct operation *operation)
{
    int i = sent->count++ % 64;

    sent->list[i].kind = operation->kind;
    sent->list[i].repeated = operation->repeated;
    snprintf(sent->list[i].key, sizeof(sent->list[i].key), "%s", operation->idempotency_key != NULL ? operation->idempotency_key : "");
}

static enum outcome fake_apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                               struct receipt *receipt)
{
    (void)session;
    pthread_mutex_lock(&world.lock);
    world.waiting++;
    pthread_cond_broadcast(&world.changed);
    while (world.blocked)
        pthread_cond_wait(&world.changed, &world.lock);
    world.waiting--;
    bool scripted = world.script_next < world.script_count;
    enum outcome outcome = scripted ? world.script[world.script_next++] : world.apply_outcome;
    note_sent(operation);
    if (outcome == OUTCOME_APPLIED && operation->kind == OPERATION_CREATE) {
        world.created[world.created_count++] = strdup(operation->locator);
        if (ret_account != NULL)
            *ret_account = (struct account){ strdup(operation->locator), strdup(operation->locator), NULL, -1, NULL };
    }
    int64_t retry_after_us = world.retry_after_us;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    if (outcome == OUTCOME_APPLIED)
        return outcome;
    receipt_set(receipt, outcome, 51, "the server is busy");
    receipt->retry_after_us = retry_after_us;
    return outcome;
}

static const struct option_row no_options[] = { OPTION_END };
static const struct connector_place places[] = { { "dn", ESCAPE_DN }, { "match", ESCAPE_FILTER }, { NULL, ESCAPE_NONE } };
static const struct connector_ops ops = {
    .abi = CONNECTOR_ABI,
    .name = "fake",
    .summary = "a target in memory",
    .options = no_options,
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_IDEMPOTENCY,
    .places = places,
    .locator_attribute = "dn",
    .share = fake_share,
    .unshare = fake_unshare,
    .open = fake_open,
    .close = fake_close,
    .probe = fake_probe,
    .read = fake_read,
    .apply = fake_apply,
};

/* ---- the agent around it ---- */

struct line {
    char outcome[32], action[32], id[32], reason[256];
    int attempt;
    size_t superseded;
    bool leaver, overdue;
    int64_t retry_in_us;
};

static struct fixture {
    char dir[64];
    struct store *store;
    struct deliverer *deliverer;
    struct mapping *mapping;
    struct mapping *mappings[2];
    struct deliver_target target;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct line lines[128];
    size_t line_count;
    enum target_state states[64];
    size_t state_count;
    int taken;
} fx;

static struct timespec deadline(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AWAIT_SECONDS;
    return until;
}

/* Waits, bounded, until `condition` holds; with `lock` held. */
#define AWAIT(lock_, cond_, condition)                                          \
    do {                                                                        \
        struct timespec until_ = deadline();                                    \
        int waited_ = 0;                                                        \
        pthread_mutex_lock(lock_);                                              \
        while (!(condition) && waited_ == 0)                                    \
            waited_ = pthread_cond_timedwait(cond_, lock_, &until_);            \
        pthread_mutex_unlock(lock_);                                            \
        assert_int_equal(waited_, 0);                                           \
    } while (0)

static void delivered(void *arg, const struct delivery_report *report)
{
    (void)arg;
    pthread_mutex_lock(&fx.lock);
    struct line *line = &fx.lines[fx.line_count++ % 128];
    snprintf(line->outcome, sizeof(line->outcome), "%s", report->outcome);
    snprintf(line->action, sizeof(line->action), "%s", report->action);
    snprintf(line->id, sizeof(line->id), "%s", report->id);
    snprintf(line->reason, sizeof(line->reason), "%s", report->reason != NULL ? report->reason : "");
    line->attempt = report->attempt;
    line->superseded = report->superseded;
    line->leaver = report->leaver;
    line->overdue = report->overdue;
    line->retry_in_us = report->retry_in_us;
    pthread_cond_broadcast(&fx.changed);
    pthread_mutex_unlock(&fx.lock);
}

static void changed(void *arg, const char *target, enum target_state state, const char *reason)
{
    (void)arg;
    (void)target;
    (void)reason;
    pthread_mutex_lock(&fx.lock);
    fx.states[fx.state_count++ % 64] = state;
    pthread_cond_broadcast(&fx.changed);
    pthread_mutex_unlock(&fx.lock);
}

static void ready(void *arg, const char *target)
{
    (void)arg;
    pthread_mutex_lock(&fx.lock);
    if (fx.deliverer != NULL)
        deliver_wake(fx.deliverer, target);
    pthread_mutex_unlock(&fx.lock);
}

static void on_taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    (void)arg;
    (void)error;
    (void)batch;
    (void)effects;
    pthread_mutex_lock(&fx.lock);
    fx.taken += code == 0;
    pthread_cond_broadcast(&fx.changed);
    pthread_mutex_unlock(&fx.lock);
}

static int event_number;

static void send_status(const char *id, const char *status, int64_t at_s)
{
    struct event_batch *batch = calloc(1, sizeof(*batch));
    struct event *event = calloc(1, sizeof(*event));
    int before = fx.taken;

    char *kept_id = strdup(id);
    event->facts = calloc(2, sizeof(*event->facts));
    event->fact_count = 2;
    char *own_id = calloc(1, strlen(id) + strlen(status) + 2);
    char *own_status = own_id + strlen(id) + 1;
    strcpy(own_id, id);
    strcpy(own_status, status);
    event->storage = own_id;
    struct wall at = { at_s * 1000000 };
    event->facts[0] = (struct fact){ .kind = FACT_STATUS, .id = own_id, .value = own_status, .as_of = at };
    event->facts[1] = (struct fact){ .kind = FACT_LOGIN, .id = own_id, .value = own_id, .as_of = at };
    event->uuid = str_printf("e-%d", ++event_number);
    event->type = strdup("user.lifecycle.test");
    event->outcome = strdup("SUCCESS");
    event->subject_id = kept_id;
    event->published = at;
    event->raw = strdup("{}");
    batch->events = event;
    batch->count = 1;
    store_take(fx.store, batch, clock_wall(clock_system()), on_taken, NULL);
    AWAIT(&fx.lock, &fx.changed, fx.taken > before);
}

static void start(void)
{
    struct deliver_settings settings = {
        .store = fx.store,
        .clock = clock_system(),
        .random = random_system(),
        .lease_us = 60000000,
        .sink = { NULL, delivered, changed },
    };
    struct error error = { 0 };
    struct deliverer *deliverer;

    assert_int_equal(deliver_start(&settings, &fx.target, 1, &deliverer, &error), 0);
    pthread_mutex_lock(&fx.lock);
    fx.deliverer = deliverer;
    pthread_mutex_unlock(&fx.lock);
}

static void stop(void)
{
    pthread_mutex_lock(&fx.lock);
    struct deliverer *deliverer = fx.deliverer;
    fx.deliverer = NULL;
    pthread_mutex_unlock(&fx.lock);
    if (deliverer == NULL)
        return;
    assert_true(deliver_stop(deliverer, AWAIT_SECONDS * 1000000));
    deliver_free(deliverer);
}

static const char mapping_text[] = "target = \"fake\";\nkind = \"user\";\n"
                                   "scope = \"status in ['ACTIVE', 'SUSPENDED']\";\n"
                                   "account: { dn = \"uid={login},dc=x\"; cn = \"x\"; };\n"
                                   "on: { deactivated = \"remove\"; };\n"
                                   "disable: { description = \"out\"; };\n";

static void open_store(void)
{
    char path[128];
    struct error error = { 0 };

    snprintf(path, sizeof(path), "%s/store.db", fx.dir);
    struct store_settings settings = { .path = path, .owner = "test", .keep_us = 86400000000, .keep_keys_us = 86400000000 * 2,
                                       .quarantine_most = 10, .clock = clock_system() };
    assert_int_equal(store_open(&settings, &fx.store, &error), 0);
    struct route route = { "fake", IDENTITY_USER, mapping_facts(fx.mapping), 0 };
    assert_int_equal(store_set_routes(fx.store, &route, 1), 0);
    store_on_ready(fx.store, ready, NULL);
}

static void load_mapping(const struct connector_ops *with, const char *text)
{
    char path[128];
    struct problems problems = { 0 };

    snprintf(path, sizeof(path), "%s/fake.conf", fx.dir);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    mapping_free(fx.mapping);
    int code = mapping_load(path, with, &problems, &fx.mapping);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_int_equal(code, 0);
    fx.mappings[0] = fx.mapping;
}

static int set_up(void **state)
{

    (void)state;
    memset(&fx, 0, sizeof(fx));
    pthread_mutex_init(&fx.lock, NULL);
    pthread_cond_init(&fx.changed, NULL);
    strcpy(fx.dir, "/tmp/provost-deliver-XXXXXX");
    assert_non_null(mkdtemp(fx.dir));
    load_mapping(&ops, mapping_text);
    open_store();
    fx.target = (struct deliver_target){ .name = "fake", .ops = &ops, .mappings = fx.mappings, .workers = 2, .attempts = 3,
                                         .retry_base_us = 1000, .retry_most_us = 4000, .probe_us = 10000 };
    world.open_outcome = world.apply_outcome = world.read_outcome = OUTCOME_APPLIED;
    world.script_count = world.script_next = 0;
    world.disabled = -1;
    world.retry_after_us = world.reads = world.shares = world.unshares = 0;
    world.torn_down_in_use = false;
    memset(sent, 0, sizeof(*sent));
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    pthread_mutex_lock(&world.lock);
    world.blocked = 0;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    fault_set(NULL, NULL);
    stop();
    store_close(fx.store);
    mapping_free(fx.mapping);
    for (size_t i = 0; i < world.created_count; i++)
        free(world.created[i]);
    world.created_count = 0;
    free(take_pointer(world.existing_key));
    world.opens = 0;
    snprintf(command, sizeof(command), "rm -rf %s", fx.dir);
    return system(command);
}

static struct line last_line(size_t at_least)
{
    AWAIT(&fx.lock, &fx.changed, fx.line_count >= at_least);
    return fx.lines[at_least - 1];
}

/* ---- behaviours ---- */

static void joiner_gets_an_account(void **state)
{
    (void)state;
    start();
    send_status("ann", "ACTIVE", 10);
    struct line line = last_line(1);
    assert_string_equal(line.outcome, "applied");
    assert_string_equal(line.action, "create");
    assert_string_equal(world.created[0], "uid=ann,dc=x");
}

static void work_that_waits_is_coalesced(void **state)
{
    (void)state;
    send_status("ann", "ACTIVE", 10);
    send_status("ann", "SUSPENDED", 20);
    send_status("ann", "ACTIVE", 30);
    start();
    struct line line = last_line(1);
    assert_string_equal(line.outcome, "applied");
    assert_int_equal(line.superseded, 2);
    assert_int_equal(world.created_count, 1);
}

static void a_lane_that_keeps_failing_ends_as_a_dead_letter(void **state)
{
    json_t *dead = NULL;
    struct store_filter filter = { .target = "fake" };

    (void)state;
    world.apply_outcome = OUTCOME_RETRY;
    start();
    send_status("ann", "ACTIVE", 10);
    assert_string_equal(last_line(1).outcome, "retry");
    assert_string_equal(last_line(2).outcome, "retry");
    struct line line = last_line(3);
    assert_string_equal(line.outcome, "dead");
    assert_int_equal(line.attempt, 3);
    assert_non_null(strstr(line.reason, "gave up after 3 attempts: the server is busy"));
    assert_int_equal(store_list_dead(fx.store, &filter, &dead, NULL), 0);
    assert_int_equal(json_array_size(dead), 1);
    json_decref(dead);
}

static void a_newer_event_revives_a_dead_lane(void **state)
{
    (void)state;
    world.apply_outcome = OUTCOME_REJECTED;
    start();
    send_status("ann", "ACTIVE", 10);
    assert_string_equal(last_line(1).outcome, "rejected");
    pthread_mutex_lock(&world.lock);
    world.apply_outcome = OUTCOME_APPLIED;
    pthread_mutex_unlock(&world.lock);
    send_status("ann", "ACTIVE", 20);
    assert_string_equal(last_line(2).outcome, "applied");
    assert_int_equal(fx.lines[1].attempt, 1);
}

static void a_target_that_is_down_burns_no_attempts(void **state)
{
    struct deliver_status status;

    (void)state;
    world.open_outcome = OUTCOME_TARGET_DOWN;
    start();
    send_status("ann", "ACTIVE", 10);
    /* more probes than a lane has attempts */
    AWAIT(&world.lock, &world.changed, world.opens > 5);
    assert_int_equal(deliver_read_status(fx.deliverer, "fake", &status), 0);
    assert_int_equal(status.state, TARGET_DOWN);
    assert_string_equal(status.last_error, "connection refused");
    pthread_mutex_lock(&world.lock);
    world.open_outcome = OUTCOME_APPLIED;
    pthread_mutex_unlock(&world.lock);
    struct line line = last_line(1);
    assert_string_equal(line.outcome, "applied");
    assert_int_equal(line.attempt, 1);
}

static void a_target_that_fails_at_work_is_suspended_and_comes_back(void **state)
{
    (void)state;
    start();
    send_status("ann", "ACTIVE", 10);
    last_line(1);
    pthread_mutex_lock(&world.lock);
    world.apply_outcome = OUTCOME_TARGET_DOWN;
    pthread_mutex_unlock(&world.lock);
    send_status("bob", "ACTIVE", 10);
    AWAIT(&fx.lock, &fx.changed, fx.state_count > 0 && fx.states[fx.state_count - 1] == TARGET_DOWN);
    pthread_mutex_lock(&world.lock);
    world.apply_outcome = OUTCOME_APPLIED;
    pthread_mutex_unlock(&world.lock);
    struct line line = last_line(2);
    assert_string_equal(line.outcome, "applied");
    assert_string_equal(line.id, "bob");
    assert_int_equal(line.attempt, 1);
}

static void a_held_target_waits_until_it_is_resumed(void **state)
{
    (void)state;
    fx.target.held = true;
    start();
    send_status("ann", "ACTIVE", 10);
    AWAIT(&fx.lock, &fx.changed, fx.state_count > 0 && fx.states[fx.state_count - 1] == TARGET_HELD);
    assert_int_equal(world.created_count, 0);
    assert_int_equal(deliver_hold(fx.deliverer, "fake", false), 0);
    assert_string_equal(last_line(1).outcome, "applied");
}

static void leavers_go_first(void **state)
{
    (void)state;
    fx.target.workers = 1;
    send_status("ann", "ACTIVE", 10);
    send_status("bob", "ACTIVE", 10);
    send_status("eve", "SUSPENDED", 10);
    start();
    last_line(3);
    assert_string_equal(fx.lines[0].id, "eve");
    assert_string_equal(fx.lines[1].id, "ann");
    assert_string_equal(fx.lines[2].id, "bob");
}

static void a_slow_lane_holds_up_no_other(void **state)
{
    (void)state;
    world.blocked = 1;
    start();
    send_status("ann", "ACTIVE", 10);
    AWAIT(&world.lock, &world.changed, world.waiting == 1);
    send_status("bob", "ACTIVE", 10);
    AWAIT(&world.lock, &world.changed, world.waiting == 2);
    send_status("ann", "ACTIVE", 20); /* the same lane is not worked on twice at once */
    pthread_mutex_lock(&world.lock);
    world.blocked = 0;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    last_line(3);
    assert_int_equal(world.created_count, 2);
}

static void stopping_finishes_what_is_in_flight(void **state)
{
    struct store_lane_counts counts;

    (void)state;
    fx.target.workers = 1;
    world.blocked = 1;
    start();
    send_status("ann", "ACTIVE", 10);
    AWAIT(&world.lock, &world.changed, world.waiting == 1);
    send_status("bob", "ACTIVE", 10);
    pthread_mutex_lock(&world.lock);
    world.blocked = 0;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    stop();
    assert_int_equal(store_count_lanes(fx.store, "fake", &counts, NULL), 0);
    assert_int_equal(counts.leased, 0);
    assert_int_equal((int64_t)world.created_count + counts.ready, 2);
}

static void one_account_is_never_two_peoples(void **state)
{
    (void)state;
    fx.target.workers = 1;
    world.existing_key = strdup("key-1");
    start();
    send_status("ann", "ACTIVE", 10);
    assert_string_equal(last_line(1).outcome, "unchanged");
    send_status("bob", "ACTIVE", 10);
    struct line line = last_line(2);
    assert_string_equal(line.outcome, "retry"); /* ann's own event may free it */
    assert_non_null(strstr(line.reason, "ann"));
    assert_string_equal(last_line(4).outcome, "dead");
}

static void a_result_that_the_store_refused_is_stored_later(void **state)
{
    NEEDS_FAULT_POINTS;
    (void)state;
    world.blocked = 1;
    start();
    send_status("ann", "ACTIVE", 10);
    AWAIT(&world.lock, &world.changed, world.waiting == 1);
    assert_int_equal(fault_set("store.commit=full*2", NULL), 0);
    pthread_mutex_lock(&world.lock);
    world.blocked = 0;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    assert_string_equal(last_line(1).outcome, "applied");
}

static void backoff_is_jittered_capped_and_heeds_the_target(void **state)
{
    struct random_seeded random;
    struct deliver_target target = { .retry_base_us = 1000, .retry_most_us = 60000 };
    int64_t largest = 0;

    (void)state;
    random_seeded_init(&random, 7);
    for (int i = 0; i < 1000; i++) {
        int64_t first = retry_delay_us(&target, &random.source, 1, 0);
        int64_t late = retry_delay_us(&target, &random.source, 60, 0);
        assert_in_range(first, 0, 1000);
        assert_in_range(late, 0, 60000);
        largest = late > largest ? late : largest;
    }
    assert_true(largest > 50000);
    assert_true(retry_delay_us(&target, &random.source, 1, 5000000) >= 5000000);
}

/* ---- leavers ---- */

static void let_ann_in(void)
{
    world.existing_key = strdup("key-1");
    start();
    send_status("ann", "ACTIVE", 10);
    assert_string_equal(last_line(1).outcome, "unchanged");
}

static void set_apply_outcome(enum outcome outcome)
{
    pthread_mutex_lock(&world.lock);
    world.apply_outcome = outcome;
    pthread_mutex_unlock(&world.lock);
}

static int64_t leavers(void)
{
    int64_t count = -1;
    struct wall since;

    assert_int_equal(store_count_waiting(fx.store, "fake", WAITING_LEAVERS, &count, &since, NULL), 0);
    return count;
}

static void a_leaver_goes_on_when_the_attempts_are_used_up(void **state)
{
    (void)state;
    let_ann_in();
    set_apply_outcome(OUTCOME_RETRY);
    send_status("ann", "DEPROVISIONED", 20);
    struct line second = last_line(3), third = last_line(4), sixth = last_line(7);
    assert_string_equal(second.outcome, "retry");
    assert_true(second.leaver);
    assert_false(second.overdue);
    assert_true(third.overdue); /* of 3 attempts */
    assert_string_equal(sixth.outcome, "retry");
    assert_int_equal(sixth.attempt, 6);
    assert_true(sixth.overdue);
    assert_non_null(strstr(sixth.reason, "access is still left after 6 attempts: the server is busy"));
    assert_int_equal(leavers(), 1);
    set_apply_outcome(OUTCOME_APPLIED);
    size_t lines = 8;
    while (strcmp(last_line(lines).outcome, "retry") == 0)
        lines++;
    struct line last = last_line(lines);
    assert_string_equal(last.outcome, "applied");
    assert_string_equal(last.action, "remove");
    assert_false(last.leaver);
    assert_int_equal(leavers(), 0);
}

static void a_leaver_whose_account_cannot_be_read_goes_on_too(void **state)
{
    (void)state;
    let_ann_in();
    pthread_mutex_lock(&world.lock);
    world.read_outcome = OUTCOME_RETRY;
    pthread_mutex_unlock(&world.lock);
    send_status("ann", "DEPROVISIONED", 20);
    struct line line = last_line(6);
    assert_string_equal(line.outcome, "retry");
    assert_true(line.overdue);
}

static void a_leaver_who_is_refused_is_a_dead_letter_that_says_so(void **state)
{
    (void)state;
    let_ann_in();
    set_apply_outcome(OUTCOME_REJECTED);
    send_status("ann", "DEPROVISIONED", 20);
    struct line line = last_line(2);
    assert_string_equal(line.outcome, "rejected");
    assert_true(line.leaver);
    assert_int_equal(leavers(), 1);
}

/* ---- conflicts ---- */

static void a_conflict_is_read_and_planned_again(void **state)
{
    (void)state;
    world.script[0] = OUTCOME_CONFLICT;
    world.script_count = 1;
    start();
    send_status("ann", "ACTIVE", 10);
    struct line line = last_line(1);
    assert_string_equal(line.outcome, "applied");
    assert_int_equal(line.attempt, 1);
    assert_int_equal(world.reads, 2);
    assert_string_equal(sent->list[0].key, sent->list[1].key);
    assert_true(sent->list[1].repeated);
}

static void a_second_conflict_is_tried_again_later(void **state)
{
    (void)state;
    world.script[0] = world.script[1] = OUTCOME_CONFLICT;
    world.script_count = 2;
    start();
    send_status("ann", "ACTIVE", 10);
    struct line line = last_line(1);
    assert_string_equal(line.outcome, "retry");
    assert_string_equal(line.reason, "the server is busy");
    assert_string_equal(last_line(2).outcome, "applied");
}

/* ---- plans of more than one operation ---- */

static const struct connector_place request_places[] = { { "path", ESCAPE_URL_PATH }, { NULL, ESCAPE_NONE } };
static const struct connector_group request_groups[] = { { "requests", true, request_places, NULL }, { NULL, false, NULL, NULL } };
static const char api_mapping_text[] =
    "target = \"fake\";\nkind = \"user\";\naccount: { cn = \"y\"; };\n"
    "requests: { match = ( { path = \"/e\"; } ); read: { path = \"/e/{account.key}\"; }; create: { path = \"/e\"; };\n"
    "  update: { path = \"/e/{account.key}\"; }; disable: { path = \"/e/{account.key}/out\"; };\n"
    "  enable: { path = \"/e/{account.key}/in\"; }; };\n";

/* The kinds and outcomes of what the store has of a person, newest first: "update retry, enable applied". */
static char *stored_operations(const char *id)
{
    json_t *shown = NULL;
    const json_t *operation;
    size_t i;
    struct buf text = { 0 };

    assert_int_equal(store_show(fx.store, id, &shown, NULL), 0);
    json_array_foreach(json_object_get(shown, "operations"), i, operation)
        buf_printf(&text, "%s%s %s", i > 0 ? ", " : "", json_string_value(json_object_get(operation, "action")),
                   json_string_value(json_object_get(operation, "outcome")));
    json_decref(shown);
    return buf_take(&text);
}

static void what_was_done_before_a_failure_is_recorded(void **state)
{
    static struct connector_ops api; /* as long as the mapping */

    (void)state;
    api = ops;
    api.places = NULL;
    api.groups = request_groups;
    api.locator_attribute = "key";
    api.assigns_locator = true;
    load_mapping(&api, api_mapping_text);
    fx.target.ops = &api;
    world.existing_key = strdup("17");
    world.disabled = 1;
    world.script[0] = OUTCOME_APPLIED;
    world.script[1] = OUTCOME_RETRY;
    world.script_count = 2;
    start();
    send_status("ann", "ACTIVE", 10);
    struct line line = last_line(1);
    assert_string_equal(line.outcome, "retry");
    assert_string_equal(line.action, "update"); /* what failed */
    assert_string_equal(last_line(2).outcome, "applied");
    cleanup_free char *operations = stored_operations("ann");
    assert_non_null(strstr(operations, "update retry, enable applied"));
    assert_string_equal(sent->list[1].key, ""); /* an update is compared before it is sent */
    assert_string_not_equal(sent->list[0].key, sent->list[2].key); /* the first enabling had an end */
    stop();
}

/* ---- keys of what must not take place twice ---- */

static void all_attempts_of_a_create_have_one_key(void **state)
{
    (void)state;
    world.script[0] = world.script[1] = OUTCOME_RETRY;
    world.script_count = 2;
    start();
    send_status("ann", "ACTIVE", 10);
    assert_string_equal(last_line(3).outcome, "applied");
    assert_int_equal(sent->count, 3);
    assert_int_equal(strlen(sent->list[0].key), 36);
    assert_int_equal(sent->list[0].key[14], '4');
    assert_false(sent->list[0].repeated);
    assert_true(sent->list[2].repeated);
    assert_string_equal(sent->list[0].key, sent->list[1].key);
    assert_string_equal(sent->list[0].key, sent->list[2].key);
}

static void a_create_that_was_refused_gets_another_key(void **state)
{
    (void)state;
    world.script[0] = OUTCOME_REJECTED;
    world.script_count = 1;
    start();
    send_status("ann", "ACTIVE", 10);
    assert_string_equal(last_line(1).outcome, "rejected");
    assert_int_equal(store_retry_dead(fx.store, "fake", NULL, NULL), 1);
    assert_string_equal(last_line(2).outcome, "applied");
    assert_string_not_equal(sent->list[0].key, sent->list[1].key);
    assert_false(sent->list[1].repeated);
}

static void nothing_is_sent_without_a_durable_key(void **state)
{
    NEEDS_FAULT_POINTS;
    (void)state;
    world.fault_on_read = "store.commit=full*2"; /* the intent, with or without a lease that is asked for meanwhile */
    start();
    send_status("ann", "ACTIVE", 10);
    struct line line = last_line(1);
    assert_string_equal(line.outcome, "retry");
    assert_string_equal(line.action, "create");
    assert_non_null(strstr(line.reason, "asked for by a test"));
    assert_string_equal(last_line(2).outcome, "applied");
    assert_int_equal(sent->count, 1);
    assert_false(sent->list[0].repeated);
}

/* The answer was lost and the account is slow to appear; meanwhile the person left. */
static void a_leaver_whose_create_is_not_answered_is_looked_for_again(void **state)
{
    (void)state;
    fx.target.retry_base_us = fx.target.retry_most_us = 3600000000;
    world.script[0] = OUTCOME_RETRY;
    world.script_count = 1;
    start();
    send_status("ann", "ACTIVE", 10);
    assert_string_equal(last_line(1).outcome, "retry");
    send_status("ann", "DEPROVISIONED", 20);
    struct line line = last_line(2);
    assert_string_equal(line.outcome, "retry");
    assert_true(line.leaver);
    assert_true(line.retry_in_us >= 60000000);
    assert_non_null(strstr(line.reason, "looked for once more"));
    assert_int_equal(leavers(), 1);
    stop();
    pthread_mutex_lock(&world.lock);
    world.existing_key = strdup("key-1");
    pthread_mutex_unlock(&world.lock);
    send_status("ann", "DELETED", 30);
    start();
    line = last_line(3);
    assert_string_equal(line.action, "disable");
    assert_string_equal(line.outcome, "applied");
    assert_int_equal(leavers(), 0);
}

static void run_until_killed(const char *faults)
{
    store_close(take_pointer(fx.store));
    pid_t pid = fork();
    if (pid == 0) {
        fault_set(faults, NULL);
        open_store();
        start();
        send_status("ann", "ACTIVE", 10);
        last_line(1);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void read_intent_key(char key[static 40])
{
    cleanup_free char *path = str_printf("%s/store.db", fx.dir);
    sqlite3 *handle;
    sqlite3_stmt *row = NULL;

    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, "SELECT key FROM intent", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    snprintf(key, 40, "%s", (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_close(handle);
}

static void a_crash_between_key_and_create_keeps_the_key(void **state)
{
    NEEDS_FAULT_POINTS;
    char key[40];

    (void)state;
    run_until_killed("deliver.intended=kill");
    assert_int_equal(sent->count, 0);
    read_intent_key(key);
    open_store();
    start();
    assert_string_equal(last_line(1).outcome, "applied");
    assert_int_equal(sent->count, 1);
    assert_string_equal(sent->list[0].key, key);
    assert_true(sent->list[0].repeated);
}

/* The target in this process knows nothing of the first: as one whose look-up lags behind. */
static void a_crash_between_create_and_receipt_keeps_the_key(void **state)
{
    NEEDS_FAULT_POINTS;
    (void)state;
    run_until_killed("deliver.applied=kill");
    assert_int_equal(sent->count, 1);
    open_store();
    start();
    assert_string_equal(last_line(1).outcome, "applied");
    assert_int_equal(sent->count, 2);
    assert_string_equal(sent->list[0].key, sent->list[1].key);
    assert_false(sent->list[0].repeated);
    assert_true(sent->list[1].repeated);
}

/* ---- state that sessions share; a target that wavers ---- */

static void what_sessions_share_goes_after_the_last_of_them(void **state)
{
    (void)state;
    world.blocked = 1;
    start();
    send_status("ann", "ACTIVE", 10);
    AWAIT(&world.lock, &world.changed, world.waiting == 1);
    assert_false(deliver_stop(fx.deliverer, 10000));
    assert_int_equal(world.unshares, 0);
    pthread_mutex_lock(&world.lock);
    world.blocked = 0;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    stop();
    assert_int_equal(world.shares, 1);
    assert_int_equal(world.unshares, 1);
    assert_false(world.torn_down_in_use);
}

static int64_t now_us(void)
{
    return clock_mono(clock_system()).us;
}

static size_t count_states(enum target_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < fx.state_count && i < 64; i++)
        count += fx.states[i] == state;
    return count;
}

static void a_target_that_answers_probes_alone_is_not_hammered(void **state)
{
    (void)state;
    fx.target.probe_us = 100000;
    world.apply_outcome = OUTCOME_TARGET_DOWN;
    start();
    int64_t begun_us = now_us();
    send_status("ann", "ACTIVE", 10);
    AWAIT(&fx.lock, &fx.changed, count_states(TARGET_DOWN) >= 3);
    assert_true(now_us() - begun_us >= 100000); /* two waits of half the time at least */
}

static void a_target_that_says_when_is_not_probed_before(void **state)
{
    struct deliver_status status;

    (void)state;
    world.retry_after_us = 200000;
    world.apply_outcome = OUTCOME_TARGET_DOWN;
    start();
    int64_t before_us = now_us();
    send_status("ann", "ACTIVE", 10);
    AWAIT(&fx.lock, &fx.changed, count_states(TARGET_DOWN) >= 1);
    set_apply_outcome(OUTCOME_APPLIED);
    assert_int_equal(deliver_read_status(fx.deliverer, "fake", &status), 0);
    assert_string_equal(status.last_error, "the server is busy");
    assert_string_equal(last_line(1).outcome, "applied");
    assert_true(now_us() - before_us >= world.retry_after_us);
}

static void the_newest_latencies_count(void **state)
{
    static struct latency latency;

    (void)state;
    assert_int_equal(latency_percentile(&latency, 99), 0);
    latency_add(&latency, 7);
    assert_int_equal(latency_percentile(&latency, 50), 7);
    assert_int_equal(latency_percentile(&latency, 99), 7);
    for (int64_t i = 1; i <= 3 * LATENCY_MOST; i++)
        latency_add(&latency, i <= 2 * LATENCY_MOST ? 1000000 : i - 2 * LATENCY_MOST);
    assert_int_equal(latency_percentile(&latency, 50), LATENCY_MOST / 2);
    assert_int_equal(latency_percentile(&latency, 99), (LATENCY_MOST * 99 + 99) / 100);
    assert_int_equal(latency.count, 3 * LATENCY_MOST + 1);
}

int main(void)
{
    sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sent == MAP_FAILED)
        return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(joiner_gets_an_account),
        TEST(work_that_waits_is_coalesced),
        TEST(a_lane_that_keeps_failing_ends_as_a_dead_letter),
        TEST(a_newer_event_revives_a_dead_lane),
        TEST(a_target_that_is_down_burns_no_attempts),
        TEST(a_target_that_fails_at_work_is_suspended_and_comes_back),
        TEST(a_held_target_waits_until_it_is_resumed),
        TEST(leavers_go_first),
        TEST(a_slow_lane_holds_up_no_other),
        TEST(stopping_finishes_what_is_in_flight),
        TEST(one_account_is_never_two_peoples),
        TEST(a_result_that_the_store_refused_is_stored_later),
        TEST(a_leaver_goes_on_when_the_attempts_are_used_up),
        TEST(a_leaver_whose_account_cannot_be_read_goes_on_too),
        TEST(a_leaver_who_is_refused_is_a_dead_letter_that_says_so),
        TEST(a_conflict_is_read_and_planned_again),
        TEST(a_second_conflict_is_tried_again_later),
        TEST(what_was_done_before_a_failure_is_recorded),
        TEST(all_attempts_of_a_create_have_one_key),
        TEST(a_create_that_was_refused_gets_another_key),
        TEST(nothing_is_sent_without_a_durable_key),
        TEST(a_leaver_whose_create_is_not_answered_is_looked_for_again),
        TEST(a_crash_between_key_and_create_keeps_the_key),
        TEST(a_crash_between_create_and_receipt_keeps_the_key),
        TEST(what_sessions_share_goes_after_the_last_of_them),
        TEST(a_target_that_answers_probes_alone_is_not_hammered),
        TEST(a_target_that_says_when_is_not_probed_before),
        cmocka_unit_test(the_newest_latencies_count),
        cmocka_unit_test(backoff_is_jittered_capped_and_heeds_the_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
