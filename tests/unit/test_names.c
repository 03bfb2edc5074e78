/* Names that are handed on, swapped and go round: small lives, told in one way each, against the model of tests/property. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/property/play.h"

enum { STAY_DISABLED, ARE_REMOVED, IN_THE_GROUP, WHEN_ACTIVE }; /* as in policy.c */

static struct story {
    struct player *player;
    struct life life;
    struct telling telling;
} story;

static int begin(void **state)
{
    (void)state;
    memset(&story.life, 0, sizeof(story.life));
    story.telling = (struct telling){ .workers = 2 };
    return 0;
}

static struct life_event *happens(enum happening what, int user, const char *login, int group, const char *name)
{
    struct life_event *event = &story.life.events[story.life.count];

    *event = (struct life_event){ .what = what, .user = user, .group = group, .number = (int)story.life.count,
                                  .minute = (int)story.life.count };
    snprintf(event->login, WORD_BYTES, "%s@example.com", login);
    snprintf(event->name, WORD_BYTES, "Person Name%d", user);
    snprintf(event->group_name, WORD_BYTES, "%s", name);
    story.life.count++;
    return event;
}

static int user(enum happening what, int number, const char *login)
{
    return happens(what, number, login, -1, "")->number;
}

static int group(enum happening what, int number, const char *name)
{
    return happens(what, -1, "", number, name)->number;
}

static int member(enum happening what, int number, const char *login, int of, const char *name)
{
    return happens(what, number, login, of, name)->number;
}

static void step(enum step_kind kind, int number)
{
    story.telling.steps[story.telling.count++] = (struct step){ kind, number };
}

/* Tells events `from` … `to` in one body and lets the agent come to rest. */
static void tell(int from, int to)
{
    for (int i = from; i <= to; i++)
        step(STEP_EVENT, i);
    step(STEP_REST, 0);
}

static void ends_as_expected(int policy)
{
    struct ending ending = play(story.player, &policies[policy], &story.life, &story.telling, PLANT_NOTHING);

    if (ending.verdict != AS_EXPECTED)
        fail_msg("%s (%s)\nexpected %s\nfound %s", verdict_name(ending.verdict), ending.reason, json_dumps(ending.expected, JSON_SORT_KEYS),
                 json_dumps(ending.found, JSON_SORT_KEYS));
    ending_clear(&ending);
}

/* ---- behaviours ---- */

static void two_who_swap_their_logins_both_arrive(void **state)
{
    (void)state;
    user(ACTIVATED, 0, "ann");
    int before = user(ACTIVATED, 1, "bob");
    user(RENAMED, 0, "tmp");
    user(RENAMED, 1, "ann");
    int after = user(RENAMED, 0, "bob");
    tell(0, before);
    tell(before + 1, after);
    ends_as_expected(STAY_DISABLED);
}

static void three_whose_logins_go_round_all_arrive_and_keep_their_groups(void **state)
{
    (void)state;
    user(ACTIVATED, 0, "ann");
    user(ACTIVATED, 1, "bob");
    user(ACTIVATED, 2, "cat");
    int before = member(JOINED, 0, "ann", 0, "staff");
    user(RENAMED, 0, "tmp");
    user(RENAMED, 2, "ann");
    user(RENAMED, 1, "cat");
    int after = user(RENAMED, 0, "bob");
    tell(0, before);
    tell(before + 1, after);
    ends_as_expected(ARE_REMOVED);
}

static void two_groups_that_swap_their_names_both_arrive(void **state)
{
    (void)state;
    group(GROUP_MADE, 0, "staff");
    int before = group(GROUP_MADE, 1, "crew");
    group(GROUP_RENAMED, 0, "tmp");
    group(GROUP_RENAMED, 1, "staff");
    int after = group(GROUP_RENAMED, 0, "crew");
    tell(0, before);
    tell(before + 1, after);
    ends_as_expected(STAY_DISABLED);
}

static void a_group_whose_end_is_heard_of_late_leaves_its_name_s_new_holder_alone(void **state)
{
    (void)state;
    group(GROUP_MADE, 0, "staff");
    int end = group(GROUP_DELETED, 0, "staff");
    int heir = group(GROUP_MADE, 1, "staff");
    tell(heir, heir);
    tell(0, end);
    ends_as_expected(STAY_DISABLED);
}

static void a_group_s_new_name_reaches_those_who_show_it(void **state)
{
    (void)state;
    user(ACTIVATED, 0, "ann");
    int before = member(JOINED, 0, "ann", 0, "crew");
    int after = group(GROUP_RENAMED, 0, "team");
    tell(0, before);
    tell(after, after);
    ends_as_expected(WHEN_ACTIVE);
}

static void a_deleted_group_lets_nobody_in_any_more(void **state)
{
    (void)state;
    user(ACTIVATED, 0, "ann");
    int before = member(JOINED, 0, "ann", 0, SCOPE_GROUP);
    int after = group(GROUP_DELETED, 0, SCOPE_GROUP);
    tell(0, before);
    tell(after, after);
    ends_as_expected(IN_THE_GROUP);
}

static void a_name_that_is_handed_on_takes_no_groups_along(void **state)
{
    (void)state;
    user(ACTIVATED, 0, "ann");
    user(ACTIVATED, 1, "bob");
    member(JOINED, 0, "ann", 0, "staff");
    int before = member(JOINED, 1, "bob", 1, "crew");
    user(RENAMED, 0, "cat");
    int after = user(RENAMED, 1, "ann");
    tell(0, before);
    tell(after, after); /* waits for the place */
    tell(before + 1, after - 1);
    ends_as_expected(ARE_REMOVED);
}

static int open_player(void **state)
{
    (void)state;
    story.player = player_new();
    return 0;
}

static int close_player(void **state)
{
    (void)state;
    player_free(story.player);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_who_swap_their_logins_both_arrive, begin),
        cmocka_unit_test_setup(three_whose_logins_go_round_all_arrive_and_keep_their_groups, begin),
        cmocka_unit_test_setup(two_groups_that_swap_their_names_both_arrive, begin),
        cmocka_unit_test_setup(a_group_whose_end_is_heard_of_late_leaves_its_name_s_new_holder_alone, begin),
        cmocka_unit_test_setup(a_group_s_new_name_reaches_those_who_show_it, begin),
        cmocka_unit_test_setup(a_deleted_group_lets_nobody_in_any_more, begin),
        cmocka_unit_test_setup(a_name_that_is_handed_on_takes_no_groups_along, begin),
    };

    return cmocka_run_group_tests(tests, open_player, close_player);
}
