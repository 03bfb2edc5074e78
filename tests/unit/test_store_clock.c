/*
 * The wall clock is wrong: slow, ahead, set forth and back. No event is lost by it, and nothing is removed by it that is not due.
 */
#include <fcntl.h>
#include <unistd.h>

#include "store/store_private.h"
#include "tests/support/faults.h"
#include "tests/support/store_world.h"

static void set_clock(struct world *w, int64_t ahead_us)
{
    __atomic_store_n(&w->wall_ahead_us, ahead_us, __ATOMIC_SEQ_CST);
}

/* What time it really is. */
static int64_t now(const struct world *w)
{
    return w->now_us;
}

#define YEAR_2099 (4070908800LL * SECOND)

static struct store_clock read_clock(struct world *w)
{
    struct store_status status;

    store_read_status(w->store, &status);
    return status.clock;
}

/* ---- requests ---- */

struct sent {
    const char *uuid;
    int64_t published_us, sent_us; /* 0: not told */
};

/* One event of the given fact in one request; its effect. */
static int take(struct world *w, struct sent sent, struct fact fact)
{
    struct event_batch *batch = batch_new(NULL, 1);
    enum event_effect effect;

    event_fill(&batch->events[0], sent.uuid, "user.lifecycle.test", 0, &fact, 1);
    batch->sent.us = sent.sent_us;
    batch->events[0].published.us = sent.published_us != 0 ? sent.published_us : clock_wall(&w->clock).us;
    batch->events[0].undated = sent.published_us == 0;
    struct wall received = clock_wall(&w->clock);
    int code = world_take_at(w, batch, received, &effect);
    return code < 0 ? code : (int)effect;
}

/* As Okta tells what happens now. */
static int take_now(struct world *w, const char *uuid, struct fact fact)
{
    return take(w, (struct sent){ uuid, now(w) - SECOND, now(w) }, fact);
}

static const char *status_of(struct world *w, const char *id, int64_t *ret_as_of)
{
    static char status[32];
    struct identity identity;

    assert_int_equal(store_read_identity(w->store, IDENTITY_USER, id, &identity, &w->error), 0);
    snprintf(status, sizeof(status), "%s", identity.status.value != NULL ? identity.status.value : "");
    if (ret_as_of != NULL)
        *ret_as_of = identity.status.as_of.us;
    identity_clear(&identity);
    return status;
}

#define FACT(...) ((struct fact)__VA_ARGS__)

static void a_leaver_is_out_though_the_clock_is_days_slow(void **state)
{
    struct world *w = *state;

    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    world_advance(w, DAY + HOUR);
    set_clock(w, -2 * DAY);
    assert_int_equal(take_now(w, "b", FACT(STATUS("ann", "DEPROVISIONED"))), EVENT_CHANGED);
    assert_string_equal(status_of(w, "ann", NULL), "DEPROVISIONED");
    world_advance(w, 10 * SECOND);
    assert_int_equal(take_now(w, "c", FACT(STATUS("ann", "ACTIVE"))), EVENT_CHANGED); /* is back */
    assert_string_equal(status_of(w, "ann", NULL), "ACTIVE");
}

static void a_leaver_is_out_though_the_clock_began_in_1970(void **state)
{
    struct world *w = *state;
    int64_t as_of;

    set_clock(w, HOUR - START);
    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    world_advance(w, 20 * DAY);
    take_now(w, "b", FACT(STATUS("ann", "DEPROVISIONED")));
    assert_string_equal(status_of(w, "ann", &as_of), "DEPROVISIONED");
    assert_int_equal(as_of, now(w) - SECOND);
}

/* Without the times at which they were sent, the order in which they came has to do. */
static void an_event_far_ahead_of_a_slow_clock_is_newer_than_all_that_are_known(void **state)
{
    struct world *w = *state;
    int64_t as_of;

    take(w, (struct sent){ "a", now(w), 0 }, FACT(STATUS("ann", "ACTIVE")));
    set_clock(w, -5 * DAY);
    world_advance(w, 3 * DAY);
    assert_int_equal(take(w, (struct sent){ "b", now(w), 0 }, FACT(STATUS("ann", "DEPROVISIONED"))), EVENT_CHANGED);
    assert_int_equal(take(w, (struct sent){ "c", now(w), 0 }, FACT(STATUS("ann", "ACTIVE"))), EVENT_CHANGED);
    status_of(w, "ann", &as_of);
    assert_int_equal(as_of, START + 2);
}

static void an_event_without_a_time_is_never_older_than_the_newest(void **state)
{
    struct world *w = *state;

    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    set_clock(w, -2 * DAY);
    assert_int_equal(take(w, (struct sent){ "b", 0, 0 }, FACT(STATUS("ann", "SUSPENDED"))), EVENT_CHANGED);
}

static void the_newest_time_is_known_after_a_restart(void **state)
{
    struct world *w = *state;

    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    world_advance(w, 20 * HOUR);
    set_clock(w, -3 * DAY);
    world_reopen(w);
    assert_int_equal(take(w, (struct sent){ "b", now(w), 0 }, FACT(STATUS("ann", "SUSPENDED"))), EVENT_CHANGED);
    int64_t as_of;
    status_of(w, "ann", &as_of);
    assert_int_equal(as_of, now(w)); /* within a day of the newest one: believed */
}

static void an_older_store_knows_the_newest_time_from_its_events(void **state)
{
    struct world *w = *state;
    struct db *db;

    world_close(w);
    unlink(w->path);
    close(open(w->path, O_CREAT | O_RDWR, 0600));
    assert_int_equal(db_open(w->path, false, &db, &w->error), 0);
    assert_int_equal(schema_bring_up(db, schema_steps, 6, &w->error), 0);
    assert_int_equal(db_execute(db, "INSERT INTO event (id, published) VALUES (1, 5), (2, 77), (3, 6)", &w->error), 0);
    db_close(db);
    world_open(w);
    assert_int_equal(world_number(w, "SELECT newest FROM counter"), 77);
    assert_int_equal(read_clock(w).held_us, 0); /* when it was last written to is not known */
}

/* ---- every order ---- */

struct told {
    const char *uuid;
    int64_t hours; /* published so long ago */
    struct fact fact;
    int64_t published_us, sent_us; /* 0: as all others */
};

static char *facts_of(struct world *w, const char *id)
{
    struct identity identity;

    assert_int_equal(store_read_identity(w->store, IDENTITY_USER, id, &identity, &w->error), 0);
    char *text = str_printf("%s %s %s=%d", identity.status.value, identity.live_status.value, identity.groups[0].id,
                            identity.groups[0].present);
    identity_clear(&identity);
    return text;
}

/* Tells them in the order's order, in a world of its own. */
static char *play(const struct told *told, const size_t *order, size_t count, int64_t clock_us)
{
    void *state;

    assert_int_equal(world_setup(&state), 0);
    struct world *w = state;
    world_advance(w, 10 * DAY);
    set_clock(w, clock_us);
    for (size_t i = 0; i < count; i++) {
        const struct told *one = &told[order[i]];
        const struct sent sent = { one->uuid, one->published_us != 0 ? one->published_us : START + 10 * DAY - one->hours * HOUR,
                                   one->sent_us != 0 ? one->sent_us : now(w) };
        take(w, sent, one->fact);
        world_advance(w, SECOND);
    }
    char *facts = facts_of(w, "ann");
    world_teardown(&state);
    return facts;
}

static void play_all(const struct told *told, size_t *order, size_t count, size_t from, int64_t clock_us, const char *right)
{
    if (from == count) {
        cleanup_free char *facts = play(told, order, count, clock_us);
        assert_string_equal(facts, right);
    }
    for (size_t i = from; i < count; i++) {
        size_t kept = order[from];
        order[from] = order[i];
        order[i] = kept;
        play_all(told, order, count, from + 1, clock_us, right);
        order[i] = order[from];
        order[from] = kept;
    }
}

static const char right[] = "DEPROVISIONED ACTIVE g1=0";

static void every_order_ends_the_same_whatever_our_clock_says(void **state)
{
    static const int64_t clocks[] = { 0, -2 * DAY, HOUR - START, 40 * DAY };
    static const struct told told[] = {
        { "1", 80, STATUS("ann", "ACTIVE"), 0, 0 }, { "2", 60, MEMBER("ann", "g1", true), 0, 0 },
        { "3", 30, MEMBER("ann", "g1", false), 0, 0 }, { "4", 1, STATUS("ann", "DEPROVISIONED"), 0, 0 },
    };
    size_t order[] = { 0, 1, 2, 3 };

    (void)state;
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
        play_all(told, order, 4, 0, clocks[i], right);
}

/* Published in 2099, by one of Okta's clocks or by all that the request has. It counts as of when it came: after all of the others, which
 * happened before. */
static void every_order_ends_the_same_with_an_absurd_time_among_them(void **state)
{
    static const struct told told[] = {
        { "1", 80, STATUS("ann", "ACTIVE"), 0, 0 }, { "2", 60, MEMBER("ann", "g1", true), 0, 0 },
        { "3", 30, MEMBER("ann", "g1", false), 0, 0 },
    };
    struct told absurd[3][4];
    size_t order[] = { 0, 1, 2, 3 };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        memcpy(absurd[i], told, sizeof(told));
    absurd[0][3] = (struct told){ "4", 0, STATUS("ann", "DEPROVISIONED"), YEAR_2099, 0 };
    absurd[1][3] = (struct told){ "4", 0, STATUS("ann", "DEPROVISIONED"), YEAR_2099, YEAR_2099 };
    absurd[2][3] = (struct told){ "4", 0, STATUS("ann", "DEPROVISIONED"), YEAR_2099, SECOND };
    for (size_t i = 0; i < 3; i++)
        play_all(absurd[i], order, 4, 0, 0, right);
}

/* ---- one absurd time ---- */

static void an_absurd_time_opens_no_door(void **state)
{
    static const int64_t sent[] = { 0, YEAR_2099, START };

    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        struct world *w;
        world_setup(state);
        w = *state;
        take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
        assert_int_equal(take(w, (struct sent){ "x", YEAR_2099, sent[i] }, FACT(STATUS("ann", "SUSPENDED"))), EVENT_CHANGED);
        assert_true(world_number(w, "SELECT newest FROM counter") <= START + SECOND);
        world_advance(w, 10 * SECOND);
        assert_int_equal(take_now(w, "b", FACT(STATUS("ann", "ACTIVE"))), EVENT_CHANGED); /* the next word counts */
        assert_int_equal(take(w, (struct sent){ "y", YEAR_2099, 0 }, FACT(STATUS("bob", "ACTIVE"))), EVENT_CHANGED);
        int64_t as_of;
        status_of(w, "bob", &as_of);
        assert_int_equal(as_of, now(w));
        world_teardown(state);
    }
    world_setup(state);
}

static void an_absurd_time_is_kept_as_told_and_told_again_is_a_duplicate(void **state)
{
    struct world *w = *state;
    const char *random = "6e08cca5-9488-4367-b75b-e0bb1c973c58";

    assert_int_equal(take(w, (struct sent){ random, YEAR_2099, now(w) }, FACT(STATUS("ann", "ACTIVE"))), EVENT_CHANGED);
    world_advance(w, 3 * SECOND);
    assert_int_equal(take(w, (struct sent){ random, YEAR_2099, now(w) }, FACT(STATUS("ann", "ACTIVE"))), EVENT_DUPLICATE);
    assert_int_equal(world_number(w, "SELECT published FROM event"), YEAR_2099);
}

/* The same request again is no second one. */
static void two_requests_that_agree_are_believed_one_told_twice_is_not(void **state)
{
    struct world *w = *state;

    set_clock(w, -9 * DAY);
    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    assert_true(world_number(w, "SELECT newest FROM counter") < START - 8 * DAY);
    world_advance(w, 3 * DAY); /* however long after */
    take_now(w, "b", FACT(STATUS("ann", "SUSPENDED")));
    assert_int_equal(world_number(w, "SELECT newest FROM counter"), now(w) - SECOND);
}

/* ---- what is said ---- */

struct heard {
    int count;
    struct store_clock before, now;
};

static void hear(void *arg, const struct store_clock *before, const struct store_clock *clock_now)
{
    struct heard *heard = arg;

    heard->count++;
    heard->before = *before;
    heard->now = *clock_now;
}

/* After what the writer thread tells: it tells when the answer was given. */
static void settle(struct world *w)
{
    store_retain(w->store, NULL);
    store_retain(w->store, NULL);
}

static void a_clock_that_differs_from_the_sources_is_told_once_for_each_change(void **state)
{
    struct world *w = *state;
    struct heard heard = { 0 };

    store_on_clock(w->store, hear, &heard);
    set_clock(w, -2 * DAY);
    settle(w);
    int by_jump = heard.count;
    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    settle(w);
    assert_int_equal(read_clock(w).skew_us, 0); /* one request may have been underway for long */
    take_now(w, "b", FACT(STATUS("ann", "SUSPENDED")));
    settle(w);
    assert_int_equal(heard.count, by_jump + 1);
    assert_int_equal(heard.now.skew_us, 2 * DAY);
    assert_int_equal(read_clock(w).skew_us, 2 * DAY);
    take_now(w, "c", FACT(STATUS("ann", "ACTIVE")));
    settle(w);
    assert_int_equal(heard.count, by_jump + 1);
    set_clock(w, 0);
    settle(w);
    assert_int_equal(read_clock(w).skew_us, 0); /* not known yet */
}

static void a_difference_of_a_minute_is_none(void **state)
{
    struct world *w = *state;

    set_clock(w, 60 * SECOND);
    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    take_now(w, "b", FACT(STATUS("ann", "SUSPENDED")));
    assert_int_equal(read_clock(w).skew_us, 0);
}

static void requests_that_were_underway_for_long_tell_nothing_of_our_clock(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 4; i++) {
        cleanup_free char *uuid = str_printf("late-%d", i);
        take(w, (struct sent){ uuid, now(w) - (9 - i) * HOUR, now(w) - (8 - i) * HOUR }, FACT(STATUS("ann", "ACTIVE")));
        assert_int_equal(read_clock(w).skew_us, 0);
    }
}

/* ---- removals ---- */

/* A lane whose removal is due so long after START. */
static void wait_for_removal(struct world *w, int64_t after_us)
{
    struct lease lease;

    world_route(w);
    world_take(w, "leaver", 1, STATUS("ann", "DEPROVISIONED"));
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .due = { START + after_us } });
    assert_int_equal(world_counts(w).due, 1);
}

/* Is the lane worked on now? Its lease lapses. */
static bool is_due(struct world *w)
{
    struct lease lease;

    if (!world_lease(w, &lease))
        return false;
    lease_clear(&lease);
    return true;
}

static void time_that_passes_brings_a_removal_when_it_is_due(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    for (int day = 0; day < 29; day++) {
        world_advance(w, DAY);
        assert_false(is_due(w));
        assert_int_equal(store_removal_time(w->store).us, now(w));
    }
    world_advance(w, DAY - SECOND);
    assert_false(is_due(w));
    world_advance(w, SECOND);
    assert_true(is_due(w));
}

static void time_that_passes_at_once_is_no_jump(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    world_advance(w, 30 * DAY);
    assert_int_equal(store_removal_time(w->store).us, now(w));
    assert_true(is_due(w));
}

static void a_clock_ahead_for_two_seconds_removes_nothing(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    set_clock(w, 31 * DAY);
    assert_int_equal(store_removal_time(w->store).us, now(w));
    assert_false(is_due(w));
    world_advance(w, 2 * SECOND);
    assert_false(is_due(w));
    set_clock(w, 0);
    assert_false(is_due(w));
    world_advance(w, 3 * HOUR);
    assert_false(is_due(w));
    world_advance(w, 30 * DAY);
    assert_true(is_due(w));
}

static void a_clock_that_stays_ahead_for_an_hour_is_believed(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    set_clock(w, 31 * DAY);
    assert_false(is_due(w));
    world_advance(w, HOUR - SECOND);
    assert_false(is_due(w));
    assert_int_equal(store_removal_time(w->store).us, now(w));
    world_advance(w, SECOND);
    assert_true(is_due(w));
    assert_int_equal(store_removal_time(w->store).us, now(w) + 31 * DAY);
}

static void each_jump_begins_the_hour_anew(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    for (int i = 1; i <= 4; i++) {
        set_clock(w, i * 10 * DAY);
        assert_false(is_due(w));
        world_advance(w, HOUR / 2);
    }
    assert_false(is_due(w));
    world_advance(w, HOUR / 2);
    assert_true(is_due(w));
}

static void a_clock_that_goes_back_and_forth_removes_nothing(void **state)
{
    static const int64_t ahead_us[] = { 31 * DAY, -2 * DAY, 40 * DAY, 0, -DAY, 31 * DAY, 0 };
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    for (size_t i = 0; i < sizeof(ahead_us) / sizeof(ahead_us[0]); i++) {
        set_clock(w, ahead_us[i]);
        assert_false(is_due(w));
        assert_true(store_removal_time(w->store).us <= now(w));
        world_advance(w, HOUR / 2);
    }
}

/* Back for a moment, and right again: nothing came by a jump. */
static void a_clock_that_was_set_back_for_a_while_delays_nothing_once_it_is_right(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    world_advance(w, 30 * DAY - 3 * HOUR);
    set_clock(w, -5 * DAY);
    assert_false(is_due(w));
    world_advance(w, HOUR / 2);
    set_clock(w, 0);
    assert_false(is_due(w));
    world_advance(w, 5 * HOUR / 2);
    assert_true(is_due(w));
}

static void a_restart_does_not_make_a_jump_forgotten(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    set_clock(w, 31 * DAY);
    for (int i = 0; i < 4; i++) {
        assert_false(is_due(w));
        world_advance(w, HOUR / 2);
        world_reopen(w);
    }
    assert_int_equal(store_removal_time(w->store).us / DAY, START / DAY);
    assert_true(read_clock(w).held_us > 30 * DAY);
    world_advance(w, HOUR);
    assert_true(is_due(w));
}

static void an_agent_that_was_off_for_a_month_waits_one_hour_more(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 20 * DAY);
    world_close(w);
    world_advance(w, 31 * DAY);
    world_open(w);
    assert_false(is_due(w));
    assert_int_equal(store_removal_time(w->store).us, START);
    assert_int_equal(read_clock(w).held_us, 31 * DAY);
    assert_int_equal(read_clock(w).held_until.us, now(w) + HOUR);
    world_advance(w, HOUR);
    assert_true(is_due(w));
    assert_int_equal(read_clock(w).held_us, 0);
}

static void an_agent_that_was_off_for_a_night_does_not_wait(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 20 * HOUR);
    world_close(w);
    world_advance(w, 23 * HOUR);
    world_open(w);
    assert_true(is_due(w));
}

/* The file knows it, though nothing was taken for long. */
static void an_agent_with_nothing_to_do_for_a_month_does_not_wait_after_a_restart(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 40 * DAY);
    for (int day = 0; day < 41; day++) {
        world_advance(w, DAY);
        store_retain(w->store, NULL); /* as it does each minute */
    }
    world_reopen(w);
    assert_true(is_due(w));
}

static void while_our_clock_is_ahead_of_the_sources_removals_go_by_the_sources(void **state)
{
    struct world *w = *state;

    wait_for_removal(w, 30 * DAY);
    set_clock(w, 31 * DAY);
    for (int i = 0; i < 48; i++) {
        cleanup_free char *uuid = str_printf("alive-%d", i);
        take_now(w, uuid, FACT(LOGIN("bob", uuid)));
        world_advance(w, HOUR);
        assert_true(store_removal_time(w->store).us <= now(w) + SECOND);
    }
    assert_int_equal(read_clock(w).skew_us, -31 * DAY);
    assert_int_equal(read_clock(w).held_until.us, 0); /* until it is set right */
    world_advance(w, 27 * DAY);
    struct lease lease;
    while (world_lease(w, &lease)) {
        assert_string_equal(lease.id, "bob");
        world_done(w, &lease, "applied");
    }
    world_advance(w, DAY);
    assert_true(is_due(w));
}

static void a_grace_period_does_not_count_from_a_slow_clock(void **state)
{
    struct world *w = *state;

    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    set_clock(w, HOUR - START);
    assert_true(store_removal_time(w->store).us < 2 * HOUR);
    assert_int_equal(store_dating_time(w->store).us, now(w) - SECOND);
    set_clock(w, 31 * DAY);
    world_advance(w, 5 * SECOND);
    assert_int_equal(store_dating_time(w->store).us, now(w));
}

/* Else whoever waits for work would ask without a pause. */
static void when_held_work_is_due_is_told_by_the_clock_that_is_asked(void **state)
{
    struct world *w = *state;
    struct wall next;
    struct lease lease;

    wait_for_removal(w, 30 * DAY);
    set_clock(w, 31 * DAY);
    const struct lease_wish wish = { .target = "ldap", .most = { 1 }, .lease_us = HOUR };
    assert_int_equal(store_lease(w->store, &wish, &lease, &next, &w->error), 0);
    assert_int_equal(next.us, START + 61 * DAY);
}

static void a_jump_is_told_and_until_when_removals_wait(void **state)
{
    struct world *w = *state;
    struct heard heard = { 0 };

    store_on_clock(w->store, hear, &heard);
    settle(w);
    assert_int_equal(heard.count, 0);
    set_clock(w, 31 * DAY);
    settle(w);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.now.jump_us, 31 * DAY);
    assert_int_equal(heard.now.held_us, 31 * DAY);
    assert_int_equal(heard.now.held_until.us, now(w) + 31 * DAY + HOUR);
    settle(w);
    assert_int_equal(heard.count, 1);
    world_advance(w, HOUR);
    settle(w);
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.now.held_us, 0);
}

static void a_second_more_is_nothing_to_tell_of(void **state)
{
    struct world *w = *state;
    struct heard heard = { 0 };

    store_on_clock(w->store, hear, &heard);
    set_clock(w, 5 * SECOND);
    settle(w);
    assert_int_equal(heard.count, 0);
}

/* The second sweep through somebody's sessions comes a minute after the first; that minute was counted by a clock a month ahead. */
static void work_due_in_a_minute_does_not_wait_a_month_when_the_clock_is_set_back(void **state)
{
    struct world *w = *state;
    struct lease lease;

    set_clock(w, 31 * DAY);
    world_route(w);
    world_take(w, "a", 1, STATUS("ann", "DEPROVISIONED"));
    world_advance(w, 2 * HOUR); /* it is believed */
    assert_true(world_lease(w, &lease));
    struct wall due = { clock_wall(&w->clock).us + 60 * SECOND };
    world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .due = due });
    assert_false(is_due(w));
    set_clock(w, 0);
    assert_true(is_due(w));
}

/* ---- retention ---- */

/* Work that waits keeps its event: that of this target alone is done here. */
static void route_to_one(struct world *w)
{
    const struct route route = { "ldap", IDENTITY_USER, ~0u, TRIGGERS_ALL };

    assert_int_equal(store_set_routes(w->store, &route, 1), 0);
}

static void retain_all(struct world *w)
{
    while (store_retain(w->store, &w->error) > 0)
        ;
}

static void a_clock_ahead_for_two_seconds_retains_nothing_away(void **state)
{
    static const char *const tables[] = { "event", "seen", "operation", "intent", "membership", "delivery", "day" };
    const struct operation_record operation = { .kind = "create", .locator = "x", .outcome = "applied", .changes = "{}" };
    struct world *w = *state;
    struct intent_found found = { 0 };
    struct lease lease;

    route_to_one(w);
    world_take(w, "a", 1, STATUS("ann", "ACTIVE"), SIGNED_IN("ann", "s1", true));
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .operations = &operation, .operation_count = 1 });
    const struct intent intent = { "ldap", IDENTITY_USER, "bob", "create", "d", "k", NULL, NULL, NULL, 0 };
    assert_int_equal(store_intend(w->store, &intent, &found, &w->error), 0);
    intent_found_clear(&found);
    set_clock(w, 400 * DAY);
    retain_all(w);
    world_advance(w, 2 * SECOND);
    retain_all(w);
    world_reopen(w);
    retain_all(w);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        cleanup_free char *sql = str_printf("SELECT count(*) FROM %s", tables[i]);
        if (world_number(w, sql) == 0)
            fail_msg("%s is empty", tables[i]);
    }
    world_advance(w, HOUR);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 0); /* it is believed now */
}

static void what_came_while_the_clock_was_slow_is_kept_as_long_as_the_rest(void **state)
{
    const struct operation_record operation = { .kind = "create", .locator = "x", .outcome = "applied", .changes = "{}" };
    struct world *w = *state;
    struct lease lease;

    set_clock(w, HOUR - START);
    world_reopen(w);
    route_to_one(w);
    take_now(w, "a", FACT(STATUS("ann", "ACTIVE")));
    take_now(w, "b", FACT(STATUS("ann", "SUSPENDED")));
    while (world_lease(w, &lease))
        world_end(w, &lease, (struct completion){ .end = LANE_DONE, .outcome = "applied", .operations = &operation, .operation_count = 1 });
    set_clock(w, 0);
    retain_all(w);
    world_advance(w, 2 * HOUR);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 2);
    assert_int_equal(world_number(w, "SELECT count(*) FROM operation"), 1);
    world_advance(w, 100 * DAY);
    retain_all(w);
    assert_int_equal(world_number(w, "SELECT count(*) FROM event"), 0);
}

/* ---- what is timed by how long it takes ---- */

static const struct intent one_intent = { "ldap", IDENTITY_USER, "ann", "create", "d1", "k1", NULL, NULL, NULL, 0 };

/* The key under which it would be sent now. */
static bool is_sent_under_the_same_key(struct world *w)
{
    struct intent again = one_intent;
    struct intent_found found = { 0 };

    again.key = "k2";
    assert_int_equal(store_intend(w->store, &again, &found, &w->error), 0);
    bool same = strcmp(found.key, "k1") == 0;
    intent_found_clear(&found);
    return same;
}

static void an_operation_is_not_sent_under_another_key_for_a_jump(void **state)
{
    static const int64_t ahead_us[] = { 31 * DAY, -31 * DAY, 0 };
    struct world *w = *state;
    struct intent_found found = { 0 };

    assert_int_equal(store_intend(w->store, &one_intent, &found, &w->error), 0);
    intent_found_clear(&found);
    for (size_t i = 0; i < sizeof(ahead_us) / sizeof(ahead_us[0]); i++) {
        set_clock(w, ahead_us[i]);
        assert_true(is_sent_under_the_same_key(w));
        world_advance(w, 2 * HOUR);
        assert_true(is_sent_under_the_same_key(w));
        world_reopen(w);
    }
    world_advance(w, DAY);
    assert_false(is_sent_under_the_same_key(w));
}

static void an_unanswered_creation_waits_as_long_as_before_when_the_clock_is_set(void **state)
{
    struct world *w = *state;
    struct intent_found found = { 0 };
    struct lease lease;
    const struct operation_record unanswered = { .kind = "create", .outcome = "retry", .intent = "d1",
                                                 .intent_wait = { START + 60 * SECOND } };

    world_route(w);
    world_take(w, "a", 1, STATUS("ann", "ACTIVE"));
    assert_true(world_lease(w, &lease));
    assert_int_equal(store_intend(w->store, &one_intent, &found, &w->error), 0);
    intent_found_clear(&found);
    world_end(w, &lease, (struct completion){ .end = LANE_RETRY, .outcome = "retry", .retry_at = { START + SECOND },
                                              .operations = &unanswered, .operation_count = 1 });
    set_clock(w, 31 * DAY);
    assert_int_equal(store_intend(w->store, &one_intent, &found, &w->error), 0);
    assert_int_equal(found.wait.us, START + 31 * DAY + 60 * SECOND);
    intent_found_clear(&found);
    set_clock(w, -DAY);
    assert_int_equal(store_intend(w->store, &one_intent, &found, &w->error), 0);
    assert_int_equal(found.wait.us, START - DAY + 60 * SECOND);
    intent_found_clear(&found);
}

static void a_retry_does_not_wait_a_month_when_the_clock_is_right_at_the_next_start(void **state)
{
    struct world *w = *state;
    struct lease lease;

    set_clock(w, 31 * DAY);
    world_reopen(w);
    world_route(w);
    world_take(w, "a", 1, STATUS("ann", "DEPROVISIONED"));
    assert_true(world_lease(w, &lease));
    world_end(w, &lease, (struct completion){ .end = LANE_RETRY, .outcome = "retry", .retry_at = { START + 31 * DAY + 10 * SECOND } });
    world_close(w);
    set_clock(w, 0);
    world_open(w);
    assert_false(is_due(w));
    world_advance(w, 11 * SECOND);
    assert_true(is_due(w));
}

static void dead_lanes_are_found_though_the_clock_was_set_back_since(void **state)
{
    struct world *w = *state;
    struct lease lease;

    set_clock(w, 31 * DAY);
    world_route(w);
    for (int i = 0; i < 2; i++) {
        cleanup_free char *id = str_printf("u%d", i);
        world_take(w, id, 1, STATUS(id, "ACTIVE"));
        assert_true(world_lease(w, &lease));
        world_end(w, &lease, (struct completion){ .end = LANE_DEAD, .outcome = "rejected" });
    }
    set_clock(w, 0);
    assert_int_equal(store_retry_dead(w->store, "ldap", NULL, &w->error), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leaver_is_out_though_the_clock_is_days_slow),
        TEST(a_leaver_is_out_though_the_clock_began_in_1970),
        TEST(an_event_far_ahead_of_a_slow_clock_is_newer_than_all_that_are_known),
        TEST(an_event_without_a_time_is_never_older_than_the_newest),
        TEST(the_newest_time_is_known_after_a_restart),
        TEST(an_older_store_knows_the_newest_time_from_its_events),
        cmocka_unit_test(every_order_ends_the_same_whatever_our_clock_says),
        cmocka_unit_test(every_order_ends_the_same_with_an_absurd_time_among_them),
        cmocka_unit_test(an_absurd_time_opens_no_door),
        TEST(an_absurd_time_is_kept_as_told_and_told_again_is_a_duplicate),
        TEST(two_requests_that_agree_are_believed_one_told_twice_is_not),
        TEST(a_clock_that_differs_from_the_sources_is_told_once_for_each_change),
        TEST(a_difference_of_a_minute_is_none),
        TEST(requests_that_were_underway_for_long_tell_nothing_of_our_clock),
        TEST(time_that_passes_brings_a_removal_when_it_is_due),
        TEST(time_that_passes_at_once_is_no_jump),
        TEST(a_clock_ahead_for_two_seconds_removes_nothing),
        TEST(a_clock_that_stays_ahead_for_an_hour_is_believed),
        TEST(each_jump_begins_the_hour_anew),
        TEST(a_clock_that_goes_back_and_forth_removes_nothing),
        TEST(a_clock_that_was_set_back_for_a_while_delays_nothing_once_it_is_right),
        TEST(a_restart_does_not_make_a_jump_forgotten),
        TEST(an_agent_that_was_off_for_a_month_waits_one_hour_more),
        TEST(an_agent_that_was_off_for_a_night_does_not_wait),
        TEST(an_agent_with_nothing_to_do_for_a_month_does_not_wait_after_a_restart),
        TEST(while_our_clock_is_ahead_of_the_sources_removals_go_by_the_sources),
        TEST(a_grace_period_does_not_count_from_a_slow_clock),
        TEST(when_held_work_is_due_is_told_by_the_clock_that_is_asked),
        TEST(a_jump_is_told_and_until_when_removals_wait),
        TEST(a_second_more_is_nothing_to_tell_of),
        TEST(work_due_in_a_minute_does_not_wait_a_month_when_the_clock_is_set_back),
        TEST(a_clock_ahead_for_two_seconds_retains_nothing_away),
        TEST(what_came_while_the_clock_was_slow_is_kept_as_long_as_the_rest),
        TEST(an_operation_is_not_sent_under_another_key_for_a_jump),
        TEST(an_unanswered_creation_waits_as_long_as_before_when_the_clock_is_set),
        TEST(a_retry_does_not_wait_a_month_when_the_clock_is_right_at_the_next_start),
        TEST(dead_lanes_are_found_though_the_clock_was_set_back_since),
    };

    return cmocka_run_group_tests_name("store_clock", tests, NULL, NULL);
}
