#include "tests/property/play.h"

#include <dirent.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"
#include "deliver/deliver.h"
#include "plan/plan.h"
#include "source/okta.h"
#include "store/store.h"
#include "tests/property/left.h"
#include "tests/property/model.h"

#define TARGET "directory"
/* Of a millisecond each: a life has at most 64 events and should take some hundredths of a second. Looks are counted and no
 * time is taken: where the whole machine stands still for seconds, it is not the agent that does not come to rest. */
#define REST_LOOKS 5000
#define STOP_US 30000000
#define YEAR_US (366 * 86400 * 1000000LL)
/* Of a target that refuses. */
#define ATTEMPTS 6
#define QUIET_US 25000   /* nothing succeeded: much longer than the longest retry */
#define QUIET_TRIES 4    /* of each that waits */
#define ZOE "uid=zoe,ou=people,dc=example,dc=org"
#define THEIRS "cn=theirs,ou=groups,dc=example,dc=org"

struct player {
    char folder[64], path[96];
    struct mapping *mappings[8][3]; /* of each policy: people, groups, NULL */
    struct store *store;
    struct deliverer *deliverer;
    struct memory_target *target;
    struct memory_settings settings;
    struct telling telling;
    const struct policy *policy;
    int requests;
    pthread_mutex_t lock; /* of what follows, and of `deliverer` where other threads look */
    pthread_cond_t changed;
    int taken;
    int tries;           /* that came to nothing, since the last success */
    int tries_in_all, tries_before_last; /* since the target was mended; and of those, before the last success */
    struct mono succeeded;
    char reason[512];
};

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = { "as expected", "another directory", "a dead letter", "no rest", "somebody left in",
                                         "somebody else's entry touched", "others held up", "impossible" };

    return names[verdict];
}

/* ---- mappings ---- */

static struct mapping *load(const struct player *player, char *text)
{
    cleanup_free char *path = str_printf("%s/mapping.conf", player->folder);
    struct problems problems = { 0 };
    struct mapping *mapping = NULL;
    FILE *file = fopen(path, "w");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        err(1, "%s", path);
    if (mapping_load(path, &memory_ops, &problems, &mapping) < 0) {
        problems_print(&problems, stderr);
        errx(1, "a mapping of the lives cannot be loaded");
    }
    problems_free(&problems);
    unlink(path);
    free(text);
    return mapping;
}

static void empty_folder(const struct player *player)
{
    DIR *folder = opendir(player->folder);
    struct dirent *file;

    while (folder != NULL && (file = readdir(folder)) != NULL) {
        cleanup_free char *path = str_printf("%s/%s", player->folder, file->d_name);
        unlink(path);
    }
    closedir(folder);
}

struct player *player_new(void)
{
    struct player *player = calloc(1, sizeof(*player));
    struct stat found;
    bool memory = stat("/dev/shm", &found) == 0 && S_ISDIR(found.st_mode) && access("/dev/shm", W_OK) == 0;

    pthread_mutex_init(&player->lock, NULL);
    pthread_cond_init(&player->changed, NULL);
    snprintf(player->folder, sizeof(player->folder), "%s/provost-lives-XXXXXX", memory ? "/dev/shm" : "/tmp");
    if (mkdtemp(player->folder) == NULL)
        err(1, "%s", player->folder);
    snprintf(player->path, sizeof(player->path), "%s/store.db", player->folder);
    for (size_t i = 0; i < policy_count; i++) {
        player->mappings[i][0] = load(player, policy_people(&policies[i]));
        player->mappings[i][1] = load(player, policy_groups(&policies[i]));
    }
    return player;
}

void player_free(struct player *player)
{
    for (size_t i = 0; i < policy_count; i++) {
        mapping_free(player->mappings[i][0]);
        mapping_free(player->mappings[i][1]);
    }
    empty_folder(player);
    rmdir(player->folder);
    free(player);
}

/* ---- the agent ---- */

static void ready(void *arg, const char *target)
{
    struct player *player = arg;

    pthread_mutex_lock(&player->lock);
    if (player->deliverer != NULL)
        deliver_wake(player->deliverer, target);
    pthread_mutex_unlock(&player->lock);
}

static void delivered(void *arg, const struct delivery_report *report)
{
    struct player *player = arg;

    pthread_mutex_lock(&player->lock);
    bool good = strcmp(report->outcome, "applied") == 0 || strcmp(report->outcome, "unchanged") == 0;
    player->tries = good ? 0 : player->tries + 1;
    player->tries_in_all += !good;
    if (good)
        player->tries_before_last = player->tries_in_all;
    if (good)
        player->succeeded = clock_mono(clock_system());
    if (report->reason != NULL)
        snprintf(player->reason, sizeof(player->reason), "%s %s: %s", report->id, report->action, report->reason);
    pthread_cond_broadcast(&player->changed);
    pthread_mutex_unlock(&player->lock);
}

static void open_store(struct player *player)
{
    struct mapping **mappings = player->mappings[player->policy - policies];
    const struct store_settings settings = { .path = player->path, .owner = "lives", .keep_us = YEAR_US, .keep_keys_us = 2 * YEAR_US,
                                             .quarantine_most = 1, .clock = clock_system() };
    const struct route routes[] = {
        { TARGET, IDENTITY_USER, mapping_facts(mappings[0]) | FACT_BIT(FACT_MEMBER), 0 },
        { TARGET, IDENTITY_GROUP, mapping_facts(mappings[1]), 0 },
    };
    struct error error = { 0 };

    if (store_open(&settings, &player->store, &error) < 0 || store_set_routes(player->store, routes, 2) < 0)
        errx(1, "%s", error.text);
    store_on_ready(player->store, ready, player);
}

static void start(struct player *player)
{
    const struct deliver_target target = {
        .name = TARGET, .ops = &memory_ops, .settings = &player->settings, .mappings = player->mappings[player->policy - policies],
        .workers = player->telling.workers,
        .attempts = trouble_refuses(&player->telling.trouble) ? ATTEMPTS : 1000000, .retry_base_us = 500, .retry_most_us = 4000, .probe_us = 1000,
    };
    const struct deliver_settings settings = { .store = player->store, .clock = clock_system(), .random = random_system(),
                                               .lease_us = 60000000, .sink = { player, delivered, NULL } };
    struct deliverer *deliverer;
    struct error error = { 0 };

    open_store(player);
    struct deliver_settings own = settings;
    own.store = player->store;
    if (deliver_start(&own, &target, 1, &deliverer, &error) < 0)
        errx(1, "%s", error.text);
    pthread_mutex_lock(&player->lock);
    player->deliverer = deliverer;
    pthread_mutex_unlock(&player->lock);
}

static void stop(struct player *player)
{
    pthread_mutex_lock(&player->lock);
    struct deliverer *deliverer = take_pointer(player->deliverer);
    pthread_mutex_unlock(&player->lock);
    if (!deliver_stop(deliverer, STOP_US))
        errx(1, "the deliverer did not stop");
    deliver_free(deliverer);
    store_close(take_pointer(player->store));
}

/* ---- telling ---- */

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    struct player *player = arg;

    (void)batch;
    (void)effects;
    if (code < 0)
        errx(1, "the store took no events: %s", error->text);
    pthread_mutex_lock(&player->lock);
    player->taken++;
    pthread_cond_broadcast(&player->changed);
    pthread_mutex_unlock(&player->lock);
}

static void send(struct player *player, const struct life *life, const int *numbers, size_t count)
{
    cleanup_free char *body = life_body(life, numbers, count, ++player->requests);
    struct wall received = clock_wall(clock_system());
    struct event_batch *batch;
    struct error error = { 0 };

    if (okta_parse_hook(body, strlen(body), received, &batch, &error) < 0)
        errx(1, "%s", error.text);
    int before = player->taken;
    store_take(player->store, batch, received, taken, player);
    pthread_mutex_lock(&player->lock);
    while (player->taken == before)
        pthread_cond_wait(&player->changed, &player->lock);
    pthread_mutex_unlock(&player->lock);
}

static bool tell_unrest(struct player *player, const struct store_lane_counts *counts)
{
    pthread_mutex_lock(&player->lock);
    cleanup_free char *last = strdup(player->reason);
    snprintf(player->reason, sizeof(player->reason), "after %d looks %lld ready, %lld leased, %lld waiting; the last word before: %s", REST_LOOKS,
             (long long)counts->ready, (long long)counts->leased, (long long)counts->waiting, last);
    pthread_mutex_unlock(&player->lock);
    return false;
}

/* Waits until no lane can go on now; with `all`, until none waits either. False: it took too long. */
static bool rest(struct player *player, bool all)
{
    struct store_lane_counts counts = { .ready = 1 };
    struct error error = { 0 };

    for (int look = 0;; look++) {
        if (store_count_lanes(player->store, TARGET, &counts, &error) < 0)
            errx(1, "%s", error.text);
        if (counts.ready == 0 && counts.leased == 0 && (counts.waiting == 0 || !all))
            return true;
        if (look == REST_LOOKS)
            return tell_unrest(player, &counts);
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 1000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_mutex_lock(&player->lock);
        pthread_cond_timedwait(&player->changed, &player->lock, &soon); /* the end of a lane, or to look again */
        pthread_mutex_unlock(&player->lock);
    }
}

static void tell(struct player *player, const struct life *life, const struct telling *telling)
{
    int open[STEPS_MOST];
    size_t count = 0;

    for (size_t i = 0; i <= telling->count; i++) {
        const struct step *step = i < telling->count ? &telling->steps[i] : &(struct step){ STEP_SEND, 0 };
        if (step->kind == STEP_EVENT) {
            open[count++] = step->number;
            continue;
        }
        if (count > 0)
            send(player, life, open, count);
        count = 0;
        if (step->kind == STEP_REST)
            rest(player, false);
        if (step->kind == STEP_RESTART) {
            stop(player);
            start(player);
        }
    }
}

static int64_t dead_lanes(struct player *player)
{
    struct store_lane_counts counts;

    return store_count_lanes(player->store, TARGET, &counts, NULL) == 0 ? counts.dead : 0;
}

static enum verdict end_calm(struct player *player, struct ending *ending)
{
    if (!rest(player, true))
        return NO_REST;
    ending->found = memory_target_dump(player->target);
    if (dead_lanes(player) > 0)
        return GIVEN_UP;
    return json_equal(ending->expected, ending->found) ? AS_EXPECTED : OTHERWISE;
}

/* ---- a target that refuses ---- */

static void put_strangers(struct memory_target *target)
{
    memory_target_put(target, ZOE, json_pack("{s:[s],s:[s],s:[s],s:[s],s:[s],s:[s]}", "objectClass", "inetOrgPerson", "uid", "zoe", "cn", "Zoe Old",
                                             "sn", "Old", "mail", "zoe@example.com", "employeeNumber", "7"));
    memory_target_put(target, THEIRS, json_pack("{s:[s],s:[s],s:[s]}", "objectClass", "groupOfNames", "cn", "theirs", "member", ZOE));
}

/* What is found of ours; the strangers are taken out. False: they are not as they were. */
static bool without_strangers(json_t *found)
{
    struct memory_target *fresh = memory_target_new(0, PLANT_NOTHING);

    put_strangers(fresh);
    json_t *before = memory_target_dump(fresh);
    bool same = json_equal(json_object_get(before, ZOE), json_object_get(found, ZOE)) &&
                json_equal(json_object_get(before, THEIRS), json_object_get(found, THEIRS));
    json_object_del(found, ZOE);
    json_object_del(found, THEIRS);
    json_decref(before);
    memory_target_free(fresh);
    return same;
}

static bool is_quiet(struct player *player, const struct store_lane_counts *counts)
{
    int64_t undone = counts->ready + counts->leased + counts->waiting;

    pthread_mutex_lock(&player->lock);
    bool quiet = player->tries >= QUIET_TRIES * undone && clock_mono(clock_system()).us - player->succeeded.us > QUIET_US;
    pthread_mutex_unlock(&player->lock);
    return quiet || undone == 0;
}

/* Until all is done, or nothing more succeeds. */
static bool settle(struct player *player)
{
    struct store_lane_counts counts;
    struct error error = { 0 };
    const struct timespec soon = { 0, 1000000 };

    for (int look = 0; look < REST_LOOKS; look++) {
        if (store_count_lanes(player->store, TARGET, &counts, &error) < 0)
            errx(1, "%s", error.text);
        if (is_quiet(player, &counts))
            return true;
        nanosleep(&soon, NULL);
    }
    return tell_unrest(player, &counts);
}

static enum verdict say(struct player *player, char *what, enum verdict verdict)
{
    if (what == NULL)
        return AS_EXPECTED;
    snprintf(player->reason, sizeof(player->reason), "%s", what);
    free(what);
    return verdict;
}

/* As the directory is now. */
static enum verdict judge_now(struct player *player, const struct life *life, struct ending *ending)
{
    const struct model model = model_fold(life, player->policy);
    json_t *leavers = NULL;

    json_decref(ending->found);
    ending->found = memory_target_dump(player->target);
    if (!without_strangers(ending->found))
        return TOUCHED;
    if (store_list_waiting(player->store, TARGET, WAITING_LEAVERS, 100, &leavers, NULL) < 0)
        errx(1, "the leavers could not be read");
    enum verdict verdict = say(player, left_unnamed(&model, life, ending->found, leavers), LEFT_IN);
    json_decref(leavers);
    return verdict;
}

/* A lane may be under way though nothing has succeeded for a while, on a busy machine: what stays so for a second is the end. */
static enum verdict judge_left(struct player *player, const struct life *life, struct ending *ending)
{
    const struct timespec soon = { 0, 25000000 };
    enum verdict verdict = judge_now(player, life, ending);

    for (int i = 0; i < 40 && verdict == LEFT_IN; i++) {
        nanosleep(&soon, NULL);
        verdict = judge_now(player, life, ending);
    }
    return verdict;
}

static void mend(struct player *player, const struct trouble *rest)
{
    memory_target_set_trouble(player->target, rest);
    pthread_mutex_lock(&player->lock);
    player->tries = player->tries_in_all = player->tries_before_last = 0;
    player->succeeded = clock_mono(clock_system());
    pthread_mutex_unlock(&player->lock);
    if (store_retry_dead(player->store, TARGET, NULL, NULL) < 0)
        errx(1, "what was given up could not be tried again");
}

/* All but what the closed group keeps back. */
static enum verdict judge_others(struct player *player, const struct life *life, struct ending *ending)
{
    const char *closed = player->telling.trouble.closed, *dn;
    json_t *entry;

    json_object_foreach(ending->expected, dn, entry)
        if ((closed == NULL || !left_depends_on(life, closed, dn)) && !json_equal(entry, json_object_get(ending->found, dn)))
            return say(player, str_printf("%s is not as it must be, though only \"%s\" is closed", dn, closed != NULL ? closed : "no group"), OTHERWISE);
    return AS_EXPECTED;
}

static int lanes_in_all(const struct store_lane_counts *counts)
{
    return (int)(counts->ready + counts->leased + counts->waiting + counts->dead);
}

static enum verdict judge_wait(struct player *player)
{
    struct store_lane_counts counts;

    if (store_count_lanes(player->store, TARGET, &counts, NULL) < 0)
        errx(1, "the lanes could not be counted");
    int most = ATTEMPTS * (lanes_in_all(&counts) + USERS_MOST + GROUPS_MOST), tries = player->tries_before_last;
    return tries <= most ? AS_EXPECTED : say(player, str_printf("%d tries of refused records before the last of the others", tries), HELD_UP);
}

/* Names that were another's for a while may have used up the attempts. */
static bool settle_with_retries(struct player *player, const struct trouble *rest)
{
    mend(player, rest);
    if (!settle(player))
        return false;
    for (int i = 0; i < 3; i++) {
        store_retry_dead(player->store, TARGET, NULL, NULL);
        if (!settle(player))
            return false;
    }
    return true;
}

static enum verdict end_refused(struct player *player, const struct life *life, struct ending *ending)
{
    const struct trouble rest = trouble_rest(&player->telling.trouble), none = { 0 };
    enum verdict verdict = settle(player) ? judge_left(player, life, ending) : NO_REST;

    if (verdict == AS_EXPECTED)
        verdict = settle_with_retries(player, &rest) ? judge_left(player, life, ending) : NO_REST;
    if (verdict == AS_EXPECTED)
        verdict = judge_wait(player);
    if (verdict == AS_EXPECTED)
        verdict = judge_others(player, life, ending);
    if (verdict != AS_EXPECTED)
        return verdict;
    if (!settle_with_retries(player, &none))
        return NO_REST;
    verdict = judge_left(player, life, ending);
    if (verdict == AS_EXPECTED && dead_lanes(player) > 0)
        return GIVEN_UP;
    return verdict == AS_EXPECTED && !json_equal(ending->expected, ending->found) ? OTHERWISE : verdict;
}

struct ending play(struct player *player, const struct policy *policy, const struct life *life, const struct telling *telling,
                   enum plant plant)
{
    struct ending ending = { .expected = model_directory(life, policy) };

    if (ending.expected == NULL)
        return (struct ending){ .verdict = IMPOSSIBLE };
    empty_folder(player);
    player->policy = policy;
    player->telling = *telling;
    player->reason[0] = '\0';
    player->settings.target = player->target = memory_target_new(telling->lost_every, plant);
    memory_target_set_trouble(player->target, &telling->trouble);
    bool refuses = trouble_refuses(&telling->trouble);
    if (refuses)
        put_strangers(player->target);
    start(player);
    tell(player, life, telling);
    ending.verdict = refuses ? end_refused(player, life, &ending) : end_calm(player, &ending);
    stop(player);
    if (ending.found == NULL)
        ending.found = memory_target_dump(player->target);
    ending.reason = strdup(player->reason);
    memory_target_free(player->target);
    return ending;
}

void ending_clear(struct ending *ending)
{
    json_decref(ending->expected);
    json_decref(ending->found);
    free(ending->reason);
    *ending = (struct ending){ 0 };
}
