#include "tests/support/lane_world.h"

#include <stdio.h>

#include "deliver/run.h"

struct lanes lanes = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* ---- the world ---- */

struct mapping *lanes_load(const char *text)
{
    cleanup_free char *path = str_printf("%s/mapping.conf", lanes.world->folder);
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    int code = mapping_load(path, &lanes.ops, &problems, &mapping);
    problems_print(&problems, stderr);
    problems_free(&problems);
    assert_int_equal(code, 0);
    return mapping;
}

static void use(struct mapping **mapping, char *text)
{
    mapping_free(*mapping);
    *mapping = lanes_load(text);
    free(text);
}

void lanes_use_people(char *text)
{
    use(&lanes.people, text);
}

void lanes_use_groups(char *text)
{
    use(&lanes.groups, text);
}

static void forget(void)
{
    lanes.people = lanes.groups = NULL;
    lanes.without_people = lanes.killed = false;
    lanes.most_commits = 0;
    lanes.line_count = lanes.state_count = 0;
    lanes.words[0] = '\0';
    lanes.log = NULL;
}

int lanes_setup(void **state)
{
    struct receipt receipt = { 0 };

    world_setup(state);
    forget();
    lanes.world = *state;
    lanes.ops = memory_ops;
    lanes.target = memory_target_new(0, PLANT_NOTHING);
    lanes.settings = (struct memory_settings){ lanes.target };
    memory_ops.open(&lanes.settings, NULL, &lanes.session, &receipt);
    lanes_use_people(policy_people(&policies[0]));
    lanes_use_groups(policy_groups(&policies[0]));
    world_route(lanes.world);
    return 0;
}

int lanes_teardown(void **state)
{
    lanes_stop();
    memory_ops.close(lanes.session);
    memory_target_free(lanes.target);
    mapping_free(lanes.people);
    mapping_free(lanes.groups);
    return world_teardown(state);
}

/* ---- lines ---- */

static void copy_text(char *to, size_t bytes, const char *text)
{
    snprintf(to, bytes, "%s", text != NULL ? text : "");
}

static void delivered(void *arg, const struct delivery_report *report)
{
    (void)arg;
    pthread_mutex_lock(&lanes.lock);
    assert_true(lanes.line_count < LANES_LINES_MAX);
    struct lane_line *line = &lanes.lines[lanes.line_count++];
    copy_text(line->id, sizeof(line->id), report->id);
    copy_text(line->action, sizeof(line->action), report->action);
    copy_text(line->outcome, sizeof(line->outcome), report->outcome);
    copy_text(line->reason, sizeof(line->reason), report->reason);
    copy_text(line->undone, sizeof(line->undone), report->undone);
    line->attempt = report->attempt;
    line->leaver = report->leaver;
    if (lanes.log != NULL)
        report_delivery(lanes.log, report);
    pthread_cond_broadcast(&lanes.changed);
    pthread_mutex_unlock(&lanes.lock);
}

static bool is_line(const struct lane_line *line, const char *id, const char *outcome)
{
    return (id == NULL || strcmp(line->id, id) == 0) && (outcome == NULL || strcmp(line->outcome, outcome) == 0);
}

size_t lanes_count(const char *id, const char *outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < lanes.line_count; i++)
        count += is_line(&lanes.lines[i], id, outcome);
    return count;
}

struct lane_line lanes_line(const char *id, const char *outcome)
{
    for (size_t i = 0; i < lanes.line_count; i++)
        if (is_line(&lanes.lines[i], id, outcome))
            return lanes.lines[i];
    fail_msg("%s has no line %s", id, outcome);
    return (struct lane_line){ 0 };
}

struct lane_line lanes_newest(const char *id)
{
    for (size_t i = lanes.line_count; i > 0; i--)
        if (is_line(&lanes.lines[i - 1], id, NULL))
            return lanes.lines[i - 1];
    fail_msg("%s has no line", id != NULL ? id : "nobody");
    return (struct lane_line){ 0 };
}

/* ---- by hand ---- */

static char *creates(void *arg, const struct identity *identity, const struct link *link)
{
    const struct mapping *mapping = identity->kind == IDENTITY_GROUP ? lanes.groups : lanes.without_people ? NULL : lanes.people;
    struct link_view view = { 0 };
    char *place = NULL;

    (void)arg;
    if (link != NULL)
        view = lane_link_view(link);
    if (mapping != NULL)
        plan_creation(mapping, identity, link != NULL ? &view : NULL, (struct wall){ lanes.world->now_us }, &place, NULL);
    return place;
}

static enum lane_end end_of(enum outcome outcome)
{
    if (is_fine(outcome))
        return LANE_DONE;
    return outcome == OUTCOME_REJECTED || outcome == OUTCOME_AMBIGUOUS ? LANE_DEAD : LANE_RETRY;
}

void lanes_end(struct lease *lease, const struct lane_result *result)
{
    world_end(lanes.world, lease,
              (struct completion){
                  .end = end_of(result->outcome),
                  .outcome = outcome_name(result->outcome),
                  .action = result->action,
                  .reason = result->reason,
                  .undone = result->undone,
                  .retry_at = { lanes.world->now_us + SECOND },
                  .leaving = result->leaving,
                  .due = result->due,
                  .link = result->has_link ? &result->link : NULL,
                  .has_groups = result->has_groups,
                  .members = result->members,
                  .member_count = result->member_count,
                  .operations = result->operations,
                  .operation_count = result->operation_count,
              });
}

static int64_t commits(void)
{
    struct store_status status;

    store_read_status(lanes.world->store, &status);
    return status.commits;
}

static void converge(const struct lease *lease, struct lane_result *ret_result)
{
    const struct lane_job job = { .target = "ldap", .ops = &lanes.ops, .user_mapping = lanes.without_people ? NULL : lanes.people,
                                  .group_mapping = lanes.groups, .session = lanes.session, .store = lanes.world->store,
                                  .clock = &lanes.world->clock, .kind = lease->kind, .id = lease->id, .place = lease->place,
                                  .unanswered = lease->unanswered, .attempt = lease->attempt };

    lane_converge(&job, ret_result);
    const struct delivery_report report = {
        .id = lease->id, .action = ret_result->action, .outcome = outcome_name(ret_result->outcome), .reason = ret_result->reason,
        .undone = ret_result->undone, .attempt = lease->attempt, .leaver = ret_result->leaving == LEAVING_YES, .lag_us = -1,
        .retry_in_us = -1, .revoke_us = -1,
    };
    delivered(NULL, &report);
}

static void work_one(struct lease *lease)
{
    int64_t before = commits();
    struct lane_result result;

    converge(lease, &result);
    if (lanes.killed)
        lease_clear(lease);
    else
        lanes_end(lease, &result);
    lanes.most_commits = commits() - before > lanes.most_commits ? commits() - before : lanes.most_commits;
    lane_result_clear(&result);
}

void lanes_work(void)
{
    struct lease lease;

    lanes.world->creates = creates;
    lanes.most_commits = 0;
    while (world_lease(lanes.world, &lease))
        work_one(&lease);
    if (lanes.killed)
        world_reopen(lanes.world);
    lanes.killed = false;
}

void lanes_work_later(void)
{
    world_advance(lanes.world, SECOND);
    lanes_work();
}

struct lease lanes_converge(const char *user, struct lane_result *ret_result)
{
    struct lease lease;

    lanes.world->creates = creates;
    for (;;) {
        if (!world_lease(lanes.world, &lease))
            fail_msg("the lane of %s is not ready", user);
        if (strcmp(lease.id, user) == 0)
            break;
        lease_clear(&lease);
    }
    converge(&lease, ret_result);
    return lease;
}

void lanes_person(const char *uuid, int64_t published_s, const char *id, const char *login, const char *name)
{
    world_take(lanes.world, uuid, published_s, STATUS(id, "ACTIVE"), LOGIN(id, login), NAME(id, name));
    lanes_work();
}

/* ---- the directory ---- */

bool lanes_stands_at(const char *place)
{
    json_t *dump = memory_target_dump(lanes.target);
    bool found = json_object_get(dump, place) != NULL;

    json_decref(dump);
    return found;
}

void lanes_expect(const char *place, const char *attribute, const char *values)
{
    json_t *dump = memory_target_dump(lanes.target);
    const json_t *list = json_object_get(json_object_get(dump, place), attribute);
    cleanup_free char *found = list != NULL ? json_dumps(list, JSON_COMPACT) : NULL;

    assert_string_equal(found != NULL ? found : "null", values);
    json_decref(dump);
}

/* ---- by a pool ---- */

static void state_changed(void *arg, const char *target, enum target_state state, const char *reason)
{
    (void)arg, (void)target;
    pthread_mutex_lock(&lanes.lock);
    assert_true(lanes.state_count < LANES_STATES_MAX);
    lanes.states[lanes.state_count++] = state;
    if (reason != NULL)
        copy_text(lanes.words, sizeof(lanes.words), reason);
    pthread_cond_broadcast(&lanes.changed);
    pthread_mutex_unlock(&lanes.lock);
}

static void ready(void *arg, const char *target)
{
    (void)arg;
    pthread_mutex_lock(&lanes.lock);
    if (lanes.deliverer != NULL)
        deliver_wake(lanes.deliverer, target);
    pthread_mutex_unlock(&lanes.lock);
}

void lanes_use_pool(void)
{
    world_close(lanes.world);
    lanes.world->settings.clock = clock_system();
    world_open(lanes.world);
    world_route(lanes.world);
    store_on_ready(lanes.world->store, ready, NULL);
    lanes.deliver = (struct deliver_target){ .name = "ldap",
                                             .ops = &lanes.ops,
                                             .settings = &lanes.settings,
                                             .mappings = lanes.mappings,
                                             .workers = 4,
                                             .attempts = 4,
                                             .retry_base_us = 20000,
                                             .retry_most_us = 100000,
                                             .probe_us = 400000 };
}

void lanes_start(size_t workers)
{
    const struct deliver_settings settings = { .store = lanes.world->store,
                                               .clock = clock_system(),
                                               .random = random_system(),
                                               .lease_us = 60 * SECOND,
                                               .sink = { NULL, delivered, state_changed } };
    struct deliverer *deliverer;
    struct error error = { 0 };

    lanes.mappings[0] = lanes.people;
    lanes.mappings[1] = lanes.groups;
    lanes.deliver.workers = (int64_t)workers;
    assert_int_equal(deliver_start(&settings, &lanes.deliver, 1, &deliverer, &error), 0);
    pthread_mutex_lock(&lanes.lock);
    lanes.deliverer = deliverer;
    pthread_mutex_unlock(&lanes.lock);
}

void lanes_stop(void)
{
    pthread_mutex_lock(&lanes.lock);
    struct deliverer *deliverer = take_pointer(lanes.deliverer);
    pthread_mutex_unlock(&lanes.lock);
    if (deliverer == NULL)
        return;
    assert_true(deliver_stop(deliverer, LANES_AWAIT_SECONDS * SECOND));
    deliver_free(deliverer);
}

size_t lanes_count_states(enum target_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < lanes.state_count; i++)
        count += lanes.states[i] == state;
    return count;
}
