/*
 * lane_world.h: what the tests of lanes share. The real store and planner, with
 * a directory in memory as their one target, "ldap".
 *
 * Two ways to work lanes off:
 *
 *   - by hand: lanes_setup → world_take, lanes_person → lanes_work …; the
 *     store's clock stands still until lanes_work_later moves it
 *   - by a pool: lanes_setup → lanes_use_pool → world_take → lanes_start →
 *     AWAIT … → lanes_stop; real workers, and the system's clock
 *
 * A test replaces calls of lanes.ops before its first lane, and mappings by
 * lanes_use_people and lanes_use_groups.
 *
 * Ownership: all of it is lanes_teardown's. Threads: the pool's fill `lines`
 * and `states` under `lock`; the rest is the test's.
 */
#ifndef PROVOST_TESTS_SUPPORT_LANE_WORLD_H
#define PROVOST_TESTS_SUPPORT_LANE_WORLD_H

#include "tests/support/store_world.h"

#include <pthread.h>
#include <time.h>

#include "deliver/deliver.h"
#include "deliver/lane.h"
#include "plan/plan.h"
#include "record/report.h"
#include "tests/property/memory_target.h"
#include "tests/property/policy.h"

#define LANES_LINES_MAX 4096
#define LANES_STATES_MAX 256
#define LANES_AWAIT_SECONDS 60

/* How a lane ended: a line of the status log. */
struct lane_line {
    char id[16], action[24], outcome[24], reason[400], undone[64];
    int attempt;
    bool leaver; /* not_out */
};

extern struct lanes {
    struct world *world;
    struct memory_target *target;
    struct memory_settings settings;
    struct connector_ops ops;
    struct mapping *people, *groups;
    bool without_people; /* their lanes are not worked */

    /* by hand */
    struct connector_session *session;
    bool killed;          /* the agent, before a receipt is stored */
    int64_t most_commits; /* of one lane after its lease, in the last work */

    /* either way */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of lines or states */
    struct lane_line lines[LANES_LINES_MAX];
    size_t line_count;
    struct status_log *log; /* gets them, too; NULL: none. The test's */

    /* by a pool */
    struct mapping *mappings[3];
    struct deliver_target deliver;
    struct deliverer *deliverer;
    enum target_state states[LANES_STATES_MAX];
    size_t state_count;
    char words[200]; /* of the last state that came with some */
} lanes;

/* cmocka's: policies[0], nothing in the directory. */
int lanes_setup(void **state);
int lanes_teardown(void **state);
struct mapping *lanes_load(const char *text); /* a mapping file; the caller's */
/* Instead of those there are; takes over `text`. */
void lanes_use_people(char *text);
void lanes_use_groups(char *text);

/* ---- lines; with `lock` taken where a pool runs, as AWAIT does ---- */

size_t lanes_count(const char *id, const char *outcome);           /* NULL: any */
struct lane_line lanes_line(const char *id, const char *outcome);  /* the first of them; fails where there is none */
struct lane_line lanes_newest(const char *id);

/* ---- by hand ---- */

/* Works off what is ready. A lane that could not be brought to its end waits
 * for a second, as one whose target is down does; one that is refused for good
 * is dead. */
void lanes_work(void);
void lanes_work_later(void); /* a second later */
/* Leases the lane of one person and brings it to its receipt, which is not
 * stored; other lanes that are ready hang. */
struct lease lanes_converge(const char *user, struct lane_result *ret_result);
void lanes_end(struct lease *lease, const struct lane_result *result); /* stores the receipt */
/* An active person, or one who is renamed; works. */
void lanes_person(const char *uuid, int64_t published_s, const char *id, const char *login, const char *name);

/* ---- the directory ---- */

bool lanes_stands_at(const char *place);
/* The values of an attribute there, as JSON, sorted; "null": there are none. */
void lanes_expect(const char *place, const char *attribute, const char *values);

/* ---- by a pool ---- */

/* Gives the store the system's clock: a retry of the world's own would never
 * come. */
void lanes_use_pool(void);
void lanes_start(size_t workers);
void lanes_stop(void);
size_t lanes_count_states(enum target_state state); /* as lanes_count */

/* Waits, bounded, with `lock_` taken. */
#define AWAIT(lock_, cond_, condition)                                                                                           \
    do {                                                                                                                         \
        struct timespec until_;                                                                                                  \
        bool in_time_ = true;                                                                                                    \
        clock_gettime(CLOCK_REALTIME, &until_);                                                                                  \
        until_.tv_sec += LANES_AWAIT_SECONDS;                                                                                    \
        pthread_mutex_lock(lock_);                                                                                               \
        while (!(condition) && in_time_)                                                                                         \
            in_time_ = pthread_cond_timedwait(cond_, lock_, &until_) == 0;                                                       \
        pthread_mutex_unlock(lock_);                                                                                             \
        if (!in_time_)                                                                                                           \
            fail_msg("%s: not in %d s", #condition, LANES_AWAIT_SECONDS);                                                        \
    } while (0)
#define AWAIT_LINES(condition) AWAIT(&lanes.lock, &lanes.changed, condition)

#endif
