/*
 * lives: random lives of users and groups, delivered in any order, twice, in
 * any batches, between restarts: all end in the directory that the model folds.
 *
 *     lives                    TAP; SEEDS=N plays N lives (default 2000), FIRST=N begins there; then some of each other kind:
 *                              LOST=1 (these alone): in a third of them answers of the target are lost
 *                              REFUSE=1 (these alone): the target refuses, at random, for a while, one group for good; whoever must
 *                              be out is out or named, others do not wait, and when all is mended all is as the model folds it
 *     lives SEED               plays one, and shrinks it where it fails
 *     lives --write SEED DIR   people.conf, groups.conf, bodies (one a line), expected.json
 *
 * A life that fails is shrunk and printed as hook bodies, one a line. Into an agent that has people.conf and groups.conf of --write:
 *     ./lives SEED >LOG
 *     sed -n 's/^#   //p' LOG | while read -r line; do
 *         case $line in '{'*) printf '%s' "$line" | provostctl send - ;; '-- rest') until provostctl status shows nothing ready or leased ;; '-- restart') restart the agent ;; esac
 *     done
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/property/model.h"
#include "tests/property/play.h"
#include "tests/property/shrink.h"

#define SEEDS_DEFAULT 2000
#define PROCESSES 8  /* most of a play is waiting for commits */
#define TOLD_MOST 1  /* failures that one process shrinks */
#define BLOCK_BYTES (1 << 20) /* all that is said of a seed is one write: the processes share a log */

/* ---- telling people ---- */

/* Each batch of the telling, as Okta would post it. */
static void write_bodies(FILE *out, const char *prefix, const struct life *life, const struct telling *telling, bool with_steps)
{
    static const char *const words[] = { "", "", "rest", "restart" };
    int open[STEPS_MOST], requests = 0;
    size_t count = 0;

    for (size_t i = 0; i <= telling->count; i++) {
        const struct step *step = i < telling->count ? &telling->steps[i] : &(struct step){ STEP_SEND, 0 };
        if (step->kind == STEP_EVENT) {
            open[count++] = step->number;
            continue;
        }
        cleanup_free char *body = count > 0 ? life_body(life, open, count, ++requests) : NULL;
        if (body != NULL)
            fprintf(out, "%s%s\n", prefix, body);
        if (with_steps && words[step->kind][0] != '\0')
            fprintf(out, "%s-- %s\n", prefix, words[step->kind]);
        count = 0;
    }
}

static void write_directory(FILE *out, const char *prefix, const json_t *directory, const json_t *other)
{
    const char *dn;
    json_t *entry;

    json_object_foreach((json_t *)directory, dn, entry)
    {
        if (json_equal(entry, json_object_get(other, dn)))
            continue;
        cleanup_free char *text = json_dumps(entry, JSON_SORT_KEYS);
        fprintf(out, "%s%s %s\n", prefix, dn, text);
    }
}

/* Below a line that says whose failure it is. */
static void tell_failure(struct player *player, const struct failure *failure, const char *prefix)
{
    struct ending ending = { 0 };
    cleanup_free char *expected = str_printf("%sexpected ", prefix), *found = str_printf("%sfound    ", prefix);

    for (int i = 0; i < failure->tries; i++) {
        ending_clear(&ending);
        ending = play(player, failure->policy, &failure->life, &failure->telling, failure->plant);
        if (ending.verdict == failure->verdict)
            break;
    }
    printf("%s%s, shrunk to %zu events, %d worker(s), an answer lost every %d; hook bodies, in this order:\n", prefix,
           verdict_name(failure->verdict), failure->life.count, failure->telling.workers, failure->telling.lost_every);
    const struct trouble *trouble = &failure->telling.trouble;
    if (trouble_refuses(trouble))
        printf("%sone change of %d refused; of %d the first %d; closed: %s\n", prefix, trouble->refused_every, trouble->window_every,
               trouble->window, trouble->closed != NULL ? trouble->closed : "no group");
    write_bodies(stdout, prefix, &failure->life, &failure->telling, true);
    write_directory(stdout, expected, ending.expected, ending.found);
    write_directory(stdout, found, ending.found, ending.expected);
    printf("%slast word: %s\n", prefix, ending.reason != NULL && ending.reason[0] != '\0' ? ending.reason : "none");
    fflush(stdout);
    ending_clear(&ending);
}

/* ---- seeds ---- */

static const struct kind {
    const char *variable, *word; /* which asks for these alone */
    uint64_t share; /* one in so many lives is played again as one of these */
    const char *test;
} kinds[] = {
    { NULL, "", 1, "every_life_ends_as_the_model_folds_it" },
    { "LOST", "LOST=1 ", 4, "every_life_ends_so_though_answers_are_lost" },
    { "REFUSE", "REFUSE=1 ", 8, "whoever_must_be_out_is_out_or_named_while_the_target_refuses" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define LOST (&kinds[1])
#define REFUSE (&kinds[2])

static const struct kind *kind = &kinds[0]; /* of what is played now */

static bool play_seed(struct player *player, uint64_t seed, bool tell)
{
    struct failure failure = { .policy = policy_of(seed), .plant = PLANT_NOTHING, .tries = 10 };

    life_make(seed, &failure.life, &failure.telling);
    if (kind != LOST)
        failure.telling.lost_every = 0;
    if (kind == REFUSE)
        failure.telling.trouble = life_trouble(seed);
    struct ending ending = play(player, failure.policy, &failure.life, &failure.telling, PLANT_NOTHING);
    failure.verdict = ending.verdict;
    bool good = ending.verdict == AS_EXPECTED;
    if (!good) {
        printf("# seed %llu (%s): %s, %zu events; %s\n", (unsigned long long)seed, failure.policy->name, verdict_name(ending.verdict),
               failure.life.count, ending.reason);
        write_directory(stdout, "#   expected ", ending.expected, ending.found);
        write_directory(stdout, "#   found    ", ending.found, ending.expected);
        fflush(stdout);
    }
    ending_clear(&ending);
    if (!good && tell) {
        shrink(player, &failure);
        printf("# seed %llu (%s), shrunk; play it alone: %s./lives %llu >LOG\n", (unsigned long long)seed, failure.policy->name,
               kind->word, (unsigned long long)seed);
        tell_failure(player, &failure, "#   ");
        puts("# to play it into an agent by provostctl send: see the head of tests/property/lives.c");
    }
    return good;
}

/* What a process is at; seen by the one that waits for it. */
struct share {
    uint64_t seed;
    bool playing;
};

/* Every PROCESSES-th seed; how many failed, at most 100. */
static int play_share(uint64_t first, uint64_t count, uint64_t number, struct share *share)
{
    struct player *player = player_new();
    int bad = 0;

    for (uint64_t i = number; i < count && bad < 100; i += PROCESSES) {
        *share = (struct share){ first + i, true };
        bad += !play_seed(player, first + i, bad < TOLD_MOST);
        share->playing = false;
    }
    player_free(player);
    return bad;
}

/* How many failed; a seed that ended its process is one of them. */
static int share_ended(const struct share *share, int status)
{
    if (share->playing)
        printf("# seed %llu ended the process (%s %d), the rest of its share was not played: %s./lives %llu plays it again\n",
               (unsigned long long)share->seed, WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), kind->word, (unsigned long long)share->seed);
    return share->playing || WIFSIGNALED(status) ? 1 : WEXITSTATUS(status);
}

static int play_seeds(uint64_t first, uint64_t count)
{
    struct share *shares = mmap(NULL, PROCESSES * sizeof(*shares), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[PROCESSES];
    int bad = 0, status;

    if (shares == MAP_FAILED)
        err(1, "mmap");
    fflush(stdout);
    for (uint64_t i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] < 0)
            err(1, "fork");
        if (children[i] == 0)
            exit(play_share(first, count, i, &shares[i]));
    }
    for (int i = 0; i < PROCESSES; i++) {
        if (waitpid(children[i], &status, 0) < 0)
            err(1, "waitpid");
        bad += share_ended(&shares[i], status);
    }
    munmap(shares, PROCESSES * sizeof(*shares));
    return bad;
}

/* ---- the tests ---- */

static bool result(int number, bool good, const char *name)
{
    printf("%s %d - %s\n", good ? "ok" : "not ok", number, name);
    fflush(stdout);
    return good;
}

/* The first seed that shows the planted mistake, shrunk; how many events are left. 0: none shows it. */
static size_t shrink_plant(struct player *player, enum plant plant, enum verdict *ret_verdict)
{
    struct failure failure = { .plant = plant, .tries = 1 };

    for (uint64_t seed = 1; seed < 200; seed++) {
        failure.policy = policy_of(seed);
        life_make(seed, &failure.life, &failure.telling);
        telling_calm(&failure.telling); /* what fails by chance only is not sure to fail when it is smaller */
        struct ending ending = play(player, failure.policy, &failure.life, &failure.telling, plant);
        failure.verdict = *ret_verdict = ending.verdict;
        ending_clear(&ending);
        if (failure.verdict == AS_EXPECTED)
            continue;
        shrink(player, &failure);
        printf("# seed %llu (%s) shows the mistake that was planted:\n", (unsigned long long)seed, failure.policy->name);
        tell_failure(player, &failure, "#     plant "); /* no body of a failure */
        return failure.life.count;
    }
    return 0;
}

static bool plants_are_found(void)
{
    struct player *player = player_new();
    enum verdict verdict;

    size_t kept = shrink_plant(player, PLANT_KEEPS_MEMBERS, &verdict);
    bool good = kept >= 1 && kept <= 3 && verdict == OTHERWISE;
    size_t forgotten = shrink_plant(player, PLANT_FORGETS_NAMES, &verdict);
    good = good && forgotten >= 1 && forgotten <= 3;
    player_free(player);
    return good;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    long long number;

    return getenv(name) != NULL && str_to_int64(getenv(name), &number) && number >= 0 ? (uint64_t)number : otherwise;
}

static int run_tests(void)
{
    uint64_t first = number_of("FIRST", 1), count = number_of("SEEDS", SEEDS_DEFAULT);
    bool alone = kind != &kinds[0], good = true;
    int number = 0;

    printf("1..%d\n# %llu lives from seed %llu on\n", alone ? 2 : (int)KINDS + 1, (unsigned long long)count, (unsigned long long)first);
    for (size_t i = 0; i < KINDS; i++) {
        if (alone && kind != &kinds[i])
            continue;
        kind = &kinds[i];
        good = result(++number, play_seeds(first, alone ? count : count / kind->share) == 0, kind->test) && good;
    }
    kind = &kinds[0];
    good = result(++number, plants_are_found(), "a_planted_mistake_is_found_and_shrunk_to_three_events_at_most") && good;
    return good ? 0 : 1;
}

static void choose_kind(void)
{
    for (size_t i = 1; i < KINDS; i++)
        if (getenv(kinds[i].variable) != NULL)
            kind = &kinds[i];
}

/* ---- for a real directory ---- */

static FILE *open_in(const char *folder, const char *name)
{
    cleanup_free char *path = str_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    if (file == NULL)
        err(1, "%s", path);
    return file;
}

static int write_seed(uint64_t seed, const char *folder)
{
    struct life life;
    struct telling telling;
    const struct policy *policy = policy_of(seed);

    life_make(seed, &life, &telling);
    json_t *expected = model_directory(&life, policy);
    cleanup_free char *people = policy_people(policy), *groups = policy_groups(policy);
    cleanup_fclose FILE *people_file = open_in(folder, "people.conf"), *groups_file = open_in(folder, "groups.conf");
    cleanup_fclose FILE *bodies = open_in(folder, "bodies"), *directory = open_in(folder, "expected.json");

    fputs(people, people_file);
    fputs(groups, groups_file);
    write_bodies(bodies, "", &life, &telling, true);
    json_dumpf(expected, directory, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(expected);
    return 0;
}

int main(int argc, char **argv)
{
    long long seed;

    setvbuf(stdout, NULL, _IOFBF, BLOCK_BYTES);
    choose_kind();
    if (argc == 1)
        return run_tests();
    if (argc == 4 && strcmp(argv[1], "--write") == 0 && str_to_int64(argv[2], &seed))
        return write_seed((uint64_t)seed, argv[3]);
    if (argc != 2 || !str_to_int64(argv[1], &seed))
        errx(2, "usage: lives [SEED | --write SEED DIR]");
    struct player *player = player_new();
    bool good = play_seed(player, (uint64_t)seed, true);
    player_free(player);
    return good ? 0 : 1;
}
