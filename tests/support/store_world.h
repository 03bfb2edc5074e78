/*
 * store_world.h: a store in a temporary folder, under a clock that only the
 * test moves, and events made by hand. For the store's unit tests.
 *
 * Ownership: what `world_lease` fills is cleared by world_done and
 * world_end, or lease_clear. Threads: one test thread.
 */
#ifndef PROVOST_TESTS_SUPPORT_STORE_WORLD_H
#define PROVOST_TESTS_SUPPORT_STORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/str.h"
#include "store/store.h"

#define SECOND 1000000LL
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define START (1800000000 * SECOND) /* the test's clock at first */

struct world {
    struct clock clock; /* first: its functions are given this pointer */
    int64_t now_us;
    int64_t wall_ahead_us; /* of now_us: the wall clock was set */
    char folder[64];
    char *path;
    struct store_settings settings;
    struct store *store;
    struct error error;
    lease_creates *creates; /* of leases; NULL: they note nothing */
};

/* cmocka's setup and teardown: a fresh store, `*state` is the world. */
int world_setup(void **state);
int world_teardown(void **state);
void world_open(struct world *world);
void world_close(struct world *world);
void world_reopen(struct world *world);

#define STATUS(user, status) { .kind = FACT_STATUS, .identity_kind = IDENTITY_USER, .id = (user), .value = (status) }
#define LOGIN(user, login) { .kind = FACT_LOGIN, .identity_kind = IDENTITY_USER, .id = (user), .value = (login) }
#define NAME(user, name) { .kind = FACT_NAME, .identity_kind = IDENTITY_USER, .id = (user), .value = (name) }
#define PROFILE(user, json) { .kind = FACT_PROFILE, .identity_kind = IDENTITY_USER, .id = (user), .value = (json) }
#define MEMBER(user, group, is) \
    { .kind = FACT_MEMBER, .identity_kind = IDENTITY_USER, .id = (user), .other = (group), .present = (is) }
#define ASSIGNED(user, app, is) \
    { .kind = FACT_ASSIGNED, .identity_kind = IDENTITY_USER, .id = (user), .other = (app), .value = "App", .present = (is) }
#define VOID(user, trigger) { .kind = FACT_SESSIONS_VOID, .identity_kind = IDENTITY_USER, .id = (user), .value = (trigger) }
#define SIGNED_IN(user, session, is) \
    { .kind = FACT_SIGNED_IN, .identity_kind = IDENTITY_USER, .id = (user), .other = (session), .present = (is) }
#define GROUP_NAME(group, name) { .kind = FACT_GROUP_NAME, .identity_kind = IDENTITY_GROUP, .id = (group), .value = (name) }
#define GROUP_EXISTS(group, is) { .kind = FACT_GROUP_EXISTS, .identity_kind = IDENTITY_GROUP, .id = (group), .present = (is) }

/* An event; the facts' as_of is `published`, seconds after START. Strings of facts are borrowed. */
void event_fill(struct event *event, const char *uuid, const char *type, int64_t published_s, const struct fact *facts, size_t count);
struct event_batch *batch_new(const char *event_id, size_t count);

/* Takes it and waits. The code; effects (as many as events) may be NULL. */
int world_take_at(struct world *world, struct event_batch *batch, struct wall received, enum event_effect *effects);
int world_take_batch(struct world *world, struct event_batch *batch, enum event_effect *effects);
/* One event of the given facts; its effect, or the negative code. */
#define world_take(world, uuid, published_s, ...) \
    world_take_facts(world, uuid, published_s, (const struct fact[]){ __VA_ARGS__ }, \
                     sizeof((const struct fact[]){ __VA_ARGS__ }) / sizeof(struct fact))
int world_take_facts(struct world *world, const char *uuid, int64_t published_s, const struct fact *facts, size_t count);

/* Users and groups of "ldap" are routed by everything; "mail" by status alone. */
void world_route(struct world *world);

/* Leases one lane of "ldap", for a minute; false when none is ready. */
bool world_lease(struct world *world, struct lease *lease);
/* Up to `most` lanes of each priority (as many in `leases`). What store_lease returns. */
int world_lease_each(struct world *world, size_t most, struct lease *leases, struct wall *ret_next);
/* Ends it and waits for the commit; the lease is cleared. The code. */
int world_end(struct world *world, struct lease *lease, struct completion completion);
int world_done(struct world *world, struct lease *lease, const char *outcome);

struct store_lane_counts world_counts(struct world *world);
/* One number of the database, by a connection of its own. */
int64_t world_number(struct world *world, const char *sql);
void world_advance(struct world *world, int64_t us);

#endif
