/* A group's lane whose end nobody heard of: the real store and planner, a directory in memory, answers that are lost. */
#include "tests/support/lane_world.h"

#include <ctype.h>

#define ANN "uid=ann,ou=people,dc=example,dc=org"
#define BOB "uid=bob,ou=people,dc=example,dc=org"
#define EVE "uid=eve,ou=people,dc=example,dc=org"
#define JOE "uid=joe,ou=people,dc=example,dc=org"
#define CREW "cn=crew,ou=groups,dc=example,dc=org"
#define STAFF "cn=staff,ou=groups,dc=example,dc=org"

/* What the directory does. */
static struct {
    bool loses;                /* the answers of changes in groups */
    bool loses_people;         /* and of people's */
    bool drops;                /* changes in groups: they are not made, and nobody hears of it */
    bool refuses;              /* changes in groups */
    const char *refused_place; /* in this one */
    bool spells;               /* it shows a person's place in another spelling */
    bool made_meanwhile;       /* the entry of staff for g1, once it was looked for everywhere */
    const char *left_meanwhile;/* u1 takes this value out and is at his end once it was read; NULL: nobody */
    bool leaves_out;           /* a place elsewhere, when groups are looked for */
    int looks;                 /* at the groups of people, so far */
    int64_t reads;             /* of accounts and groups */
} peer;

/* With a row for each group of the facts that has an entry. */
static void put_account(const char *user, const char *key, const char *place)
{
    const struct link link = { .key = (char *)key, .locator = (char *)place, .account = (char *)"{}", .linked = { START },
                               .member = (char *)place, .member_key = (char *)place };

    assert_int_equal(store_put_link(lanes.world->store, "ldap", IDENTITY_USER, user, &link, &lanes.world->error), 0);
}

static void change_by_hand(enum operation_kind kind, const char *value)
{
    const struct operation by_hand = { .kind = kind, .group = true, .locator = (char *)STAFF, .attribute = (char *)"member",
                                       .value = (char *)value, .placeholder = (char *)PLACEHOLDER };
    struct account none = { 0 };
    struct receipt receipt = { 0 };

    assert_int_equal(memory_ops.apply(lanes.session, &by_hand, &none, &receipt), OUTCOME_APPLIED);
}

/* "UID=ann, OU=people, …", as another program would write it. */
static void spell(char **text)
{
    struct buf spelled = { 0 };
    bool name = true;

    for (const char *at = *text; at != NULL && *at != '\0'; at++) {
        name = (name || *at == ',') && *at != '=';
        if (*at == ',')
            buf_add(&spelled, ", ", 2);
        else
            buf_add(&spelled, &(char){ name ? (char)toupper((unsigned char)*at) : *at }, 1);
    }
    free(*text);
    *text = buf_take(&spelled);
}

/* As the directory compares; the caller's. NULL: there was none. */
static char *plain(const char *text)
{
    char *lower = text != NULL ? calloc(strlen(text) + 1, 1) : NULL, *to = lower;

    for (; text != NULL && *text != '\0'; text++)
        if (*text != ' ')
            *to++ = (char)tolower((unsigned char)*text);
    return lower;
}

static enum outcome apply_plain(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                                struct receipt *receipt)
{
    cleanup_free char *locator = plain(operation->locator), *value = plain(operation->value);
    struct operation same = *operation;
    json_t *list = json_array();

    same.locator = locator;
    same.value = value;
    same.values = json_deep_copy(operation->values);
    for (size_t i = 0; i < json_array_size(json_object_get(operation->values, "member")); i++) {
        cleanup_free char *member = plain(json_string_value(json_array_get(json_object_get(operation->values, "member"), i)));
        json_array_append_new(list, json_string(member));
    }
    json_object_set_new(same.values, "member", list);
    enum outcome outcome = memory_ops.apply(session, peer.spells ? &same : operation, ret_account, receipt);
    json_decref(same.values);
    return outcome;
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    struct account made = { 0 };

    receipt->answered = true;
    if (operation->group && (peer.refuses || (peer.refused_place != NULL && strcmp(operation->locator, peer.refused_place) == 0)))
        return receipt_set(receipt, OUTCOME_RETRY, 50, "no right to write to the group");
    if (operation->group && peer.drops) {
        receipt->answered = false;
        return receipt_set(receipt, OUTCOME_RETRY, 0, "no answer in time");
    }
    enum outcome outcome = apply_plain(session, operation, &made, receipt);
    if (operation->group ? peer.loses : peer.loses_people) {
        account_clear(&made);
        receipt_clear(receipt);
        return receipt_set(receipt, OUTCOME_RETRY, 0, "no answer in time");
    }
    if (peer.spells && !operation->group && made.locator != NULL)
        spell(&made.locator);
    if (ret_account != NULL)
        *ret_account = made;
    else
        account_clear(&made);
    return outcome;
}

/* By g1's lane, from its lease to its receipt. */
static void make_staff_for_g1(void)
{
    static const char *const no_names[] = { NULL };
    const struct account_query query = { .group = true, .locator = STAFF, .names = no_names };
    struct account made = { 0 };
    struct receipt receipt = { 0 };

    memory_target_put(lanes.target, STAFF,
                      json_pack("{s:[s],s:[s],s:[s]}", "objectClass", "groupOfNames", "cn", "staff", "member", PLACEHOLDER));
    assert_int_equal(memory_ops.read(lanes.session, &query, &made, &receipt), OUTCOME_APPLIED);
    const struct link link = { .key = made.key, .locator = made.locator, .linked = { START } };
    assert_int_equal(store_put_link(lanes.world->store, "ldap", IDENTITY_GROUP, "g1", &link, &lanes.world->error), 0);
    account_clear(&made);
}

static enum outcome read_one(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                             struct receipt *receipt)
{
    cleanup_free char *locator = plain(query->locator);
    struct account_query same = *query;

    peer.reads++;
    same.locator = locator;
    enum outcome outcome = memory_ops.read(session, peer.spells ? &same : query, ret_account, receipt);
    if (query->group && query->places == NULL && query->match != NULL && peer.made_meanwhile) {
        peer.made_meanwhile = false;
        make_staff_for_g1();
    }
    if (peer.spells && !query->group && ret_account->locator != NULL)
        spell(&ret_account->locator);
    return outcome;
}

static enum outcome read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                                struct receipt *receipt)
{
    cleanup_free char *value = plain(query->value);
    struct group_query same = *query;

    peer.reads++;
    peer.looks++;
    same.value = value;
    enum outcome outcome = memory_ops.read_groups(session, peer.spells ? &same : query, ret_groups, receipt);
    if (peer.leaves_out)
        receipt->note = strdup("nothing was looked for below \"cn=accesslog\"");
    if (peer.left_meanwhile != NULL && strcmp(query->value, peer.left_meanwhile) == 0) {
        change_by_hand(OPERATION_MEMBER_REMOVE, take_pointer(peer.left_meanwhile));
        world_number(lanes.world, "DELETE FROM member_value WHERE user = (SELECT n FROM identity WHERE id = 'u1')");
    }
    return outcome;
}

static int setup(void **state)
{
    memset(&peer, 0, sizeof(peer));
    lanes_setup(state);
    lanes.ops.apply = apply;
    lanes.ops.read = read_one;
    lanes.ops.read_groups = read_groups;
    lanes.without_people = true;
    return 0;
}

static void expect(const char *place, const char *members)
{
    lanes_expect(place, "member", members);
}

#define NOBODY "[\"" PLACEHOLDER "\"]"
#define ONLY(member) "[\"" PLACEHOLDER "\",\"" member "\"]"

static void begin_staff_unanswered(void)
{
    world_take(lanes.world, "a", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    peer.loses = true;
    lanes_work();
    peer.loses = false;
}

/* ann, and staff with her, of which nobody heard. */
static void join_staff_unanswered(void)
{
    lanes.without_people = false;
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true));
    lanes_work();
    begin_staff_unanswered();
    expect(STAFF, ONLY(ANN));
}

/* ---- behaviours ---- */

static void a_group_renamed_before_its_creation_was_answered_moves_along(void **state)
{
    (void)state;
    begin_staff_unanswered();
    expect(STAFF, NOBODY);
    world_take(lanes.world, "b", 2, GROUP_NAME("g1", "crew"));
    lanes_work();
    expect(STAFF, "null");
    expect(CREW, NOBODY);
}

static void a_group_deleted_and_renamed_before_its_creation_was_answered_goes(void **state)
{
    (void)state;
    begin_staff_unanswered();
    world_take(lanes.world, "b", 2, GROUP_NAME("g1", "crew"), GROUP_EXISTS("g1", false));
    lanes_work();
    expect(STAFF, "null");
    expect(CREW, "null");
}

static void a_name_s_new_holder_leaves_an_unanswered_creation_to_whose_it_is(void **state)
{
    (void)state;
    begin_staff_unanswered();
    world_take(lanes.world, "b", 3, GROUP_NAME("g2", "staff"), GROUP_EXISTS("g2", true));
    lanes_work();
    assert_non_null(strstr(lanes_newest(NULL).reason, "may just have been created for group g1 (staff)"));
    world_take(lanes.world, "c", 2, GROUP_NAME("g1", "crew"));
    lanes_work();
    expect(CREW, NOBODY);
    lanes_work_later();
    expect(STAFF, NOBODY);
}

static void expect_at(const char *group, const char *place)
{
    struct link link = { 0 };

    assert_int_equal(store_read_link(lanes.world->store, "ldap", IDENTITY_GROUP, group, &link, NULL), 0);
    assert_string_equal(link.locator, place);
    link_clear(&link);
    expect(place, NOBODY);
}

/* Neither creation was made. Nobody heard that, or the target said so. */
static void two_groups_that_swap_the_names_of_their_creations_come_round(void **state)
{
    for (int said = 0; said <= 1; said++) {
        if (said) {
            lanes_teardown(state);
            setup(state);
        }
        *(said ? &peer.refuses : &peer.drops) = true;
        world_take(lanes.world, "a", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
        world_take(lanes.world, "b", 1, GROUP_NAME("g2", "crew"), GROUP_EXISTS("g2", true));
        lanes_work();
        assert_int_equal(lanes_count(NULL, "retry"), 2);
        peer.refuses = peer.drops = false;
        world_take(lanes.world, "c", 2, GROUP_NAME("g1", "crew"));
        world_take(lanes.world, "d", 2, GROUP_NAME("g2", "staff"));
        lanes_work();
        assert_int_equal(strstr(lanes_newest("g1").reason, "may just have been created for group g2") != NULL, !said);
        assert_int_equal(strstr(lanes_newest("g2").reason, "may just have been created for group g1") != NULL, !said);
        for (int i = 0; i < (said ? 0 : 4); i++)
            lanes_work_later();
        expect_at("g1", CREW);
        expect_at("g2", STAFF);
    }
}

/* The first attempt was answered; nobody has heard of the second one yet. */
static void a_creation_that_is_tried_again_keeps_others_from_its_place(void **state)
{
    struct lane_result result;

    (void)state;
    peer.refuses = true;
    world_take(lanes.world, "a", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    peer.refuses = false;
    world_advance(lanes.world, SECOND);
    struct lease lease = lanes_converge("g1", &result);
    assert_true(lanes_stands_at(STAFF));
    world_take(lanes.world, "b", 2, GROUP_NAME("g2", "staff"), GROUP_EXISTS("g2", true));
    lanes_work();
    assert_non_null(strstr(lanes_newest("g2").reason, "may just have been created for group g1"));
    lanes_end(&lease, &result);
    lane_result_clear(&result);
}

/* One that was answered was not made: what stands at its place is somebody else's. */
static void a_refused_creation_is_not_found_at_its_place_later(void **state)
{
    struct lane_result result;

    (void)state;
    peer.refuses = true;
    world_take(lanes.world, "a", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    peer.refuses = false;
    world_take(lanes.world, "b", 1, GROUP_NAME("g2", "staff"), GROUP_EXISTS("g2", true));
    struct lease lease = lanes_converge("g2", &result);
    world_take(lanes.world, "c", 2, GROUP_NAME("g1", "crew"));
    lanes_work();
    lanes_end(&lease, &result);
    lane_result_clear(&result);
    expect_at("g1", CREW);
    expect_at("g2", STAFF);
}

static void an_equal_entry_that_was_created_meanwhile_is_its_creator_s(void **state)
{
    (void)state;
    world_take(lanes.world, "a", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", false));
    lanes_work();
    peer.made_meanwhile = true;
    world_take(lanes.world, "b", 1, GROUP_NAME("g2", "staff"), GROUP_EXISTS("g2", true));
    lanes_work();
    assert_string_equal(lanes_newest("g2").outcome, "retry");
    assert_non_null(strstr(lanes_newest("g2").reason, STAFF " was just created for group g1; retrying after that group"));
    world_take(lanes.world, "c", 2, GROUP_NAME("g1", "crew"), GROUP_EXISTS("g1", true));
    lanes_work();
    lanes_work_later();
    expect_at("g1", CREW);
    expect_at("g2", STAFF);
}

static void what_was_begun_is_forgotten_at_the_end(void **state)
{
    (void)state;
    begin_staff_unanswered();
    world_take(lanes.world, "b", 2, GROUP_NAME("g1", "crew"));
    lanes_work();
    assert_int_equal(world_number(lanes.world, "SELECT count(*) FROM intent"), 0);
}

static void who_left_before_the_creation_was_answered_is_taken_out(void **state)
{
    (void)state;
    join_staff_unanswered();
    world_take(lanes.world, "v", 2, MEMBER("u1", "g1", false));
    lanes_work_later();
    expect(STAFF, NOBODY);
}

static void who_was_renamed_before_the_creation_was_answered_has_the_new_value(void **state)
{
    (void)state;
    join_staff_unanswered();
    lanes_person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    expect(STAFF, ONLY(ANN)); /* which may not be there yet, as far as anybody knows */
    lanes_work_later();
    expect(STAFF, ONLY(EVE));
}

static void who_left_before_the_creation_was_answered_is_out_though_killed(void **state)
{
    (void)state;
    join_staff_unanswered();
    world_reopen(lanes.world);
    world_take(lanes.world, "v", 2, MEMBER("u1", "g1", false), STATUS("u1", "DEPROVISIONED"));
    lanes_work_later();
    expect(STAFF, NOBODY);
}

static void a_name_that_was_handed_on_meanwhile_takes_no_groups_along(void **state)
{
    (void)state;
    join_staff_unanswered();
    peer.loses = true; /* u1's old value stays for now */
    lanes_person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    peer.loses = false;
    lanes_person("b1", 3, "u2", "ann@example.com", "Bob Roe");
    lanes_person("a3", 4, "u1", "eve@example.com", "Eve Lee");
    lanes_person("b2", 5, "u2", "bob@example.com", "Bob Roe");
    lanes_work_later();
    expect(STAFF, ONLY(EVE));
}

static void a_name_s_next_holder_leaves_old_values_to_whose_they_are(void **state)
{
    (void)state;
    lanes.without_people = false;
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true));
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    expect(STAFF, ONLY(ANN));
    peer.loses = true; /* u1's old value stays for now */
    lanes_person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    peer.loses = false;
    lanes_person("b1", 3, "u2", "ann@example.com", "Bob Roe");
    lanes_person("b2", 4, "u2", "bob@example.com", "Bob Roe");
    lanes_work_later();
    expect(STAFF, ONLY(EVE));
}

/* The hole that there was: three hands, and a directory that spells its places in its own way. */
static void a_name_s_third_holder_takes_nobody_s_values_along(void **state)
{
    (void)state;
    peer.spells = true;
    join_staff_unanswered();
    lanes_work_later();
    peer.loses = true; /* u1's old value stays for now */
    lanes_person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    peer.loses = false;
    world_advance(lanes.world, -SECOND);
    lanes_person("b1", 3, "u2", "ann@example.com", "Bob Roe");
    lanes_person("b2", 4, "u2", "bob@example.com", "Bob Roe");
    lanes_person("c1", 5, "u3", "ann@example.com", "Joe Doe");
    lanes_person("c2", 6, "u3", "joe@example.com", "Joe Doe");
    world_advance(lanes.world, SECOND);
    lanes_work_later();
    expect(STAFF, "[\"" PLACEHOLDER "\",\"" EVE "\"]");
}

static void use_people(const struct policy *policy)
{
    lanes_use_people(policy_people(policy));
    lanes.without_people = false;
}

static void who_left_the_scope_before_the_creation_was_answered_has_no_account(void **state)
{
    (void)state;
    use_people(&policies[2]);
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", SCOPE_GROUP), GROUP_EXISTS("g1", true));
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true));
    peer.loses_people = true;
    lanes_person("a", 1, "u1", "ann@example.com", "Ann Lee");
    peer.loses_people = false;
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", false));
    lanes_work_later();
    assert_false(lanes_stands_at(ANN));
    expect(STAFF, NOBODY);
}

static void values_put_in_by_hand_stay(void **state)
{
    (void)state;
    begin_staff_unanswered();
    change_by_hand(OPERATION_MEMBER_ADD, EVE);
    lanes_work_later();
    expect(STAFF, ONLY(EVE));
}

/* Where the person's lane is worked before the group's, what it is a member of is not known to have an entry. */
/* Groups that are there are adopted. */
static void adopt_groups(void)
{
    cleanup_free char *groups = policy_groups(&policies[0]);

    lanes_use_groups(str_printf("adopt = true;\n%s", groups));
}

static void adopt_staff_after(bool member)
{
    adopt_groups();
    lanes.without_people = false;
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    memory_target_put(lanes.target, STAFF, json_pack("{s:[s],s:[s],s:[s,s*]}", "objectClass", "groupOfNames", "cn", "staff",
                                                     "member", PLACEHOLDER, member ? NULL : ANN));
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", member));
    lanes_work();
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
}

static void a_group_that_is_adopted_gets_its_members(void **state)
{
    (void)state;
    adopt_staff_after(true);
    expect(STAFF, ONLY(ANN));
}

static void a_group_that_is_adopted_loses_who_had_been_removed(void **state)
{
    (void)state;
    adopt_staff_after(false);
    expect(STAFF, NOBODY);
}

/* ---- groups that were there before ---- */

static void put_staff(void)
{
    memory_target_put(lanes.target, STAFF, json_pack("{s:[s],s:[s],s:[s,s]}", "objectClass", "groupOfNames", "cn", "staff", "member",
                                                     PLACEHOLDER, BOB));
}

#define AS_IT_WAS "[\"" PLACEHOLDER "\",\"" BOB "\"]"
#define WITH_ANN "[\"" PLACEHOLDER "\",\"" ANN "\",\"" BOB "\"]"

static void hear_of_staff(const char *key, const char *id)
{
    lanes.without_people = false;
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lanes.world, key, 1, MEMBER("u1", id, true), GROUP_NAME(id, "staff"), GROUP_EXISTS(id, true));
    lanes_work();
}

static void a_group_that_is_there_is_not_taken_unless_the_file_says_so(void **state)
{
    (void)state;
    put_staff();
    hear_of_staff("m", "g1");
    assert_string_equal(lanes_newest("g1").outcome, "rejected");
    assert_non_null(strstr(lanes_newest("g1").reason, "provostctl link ldap g1 '" STAFF "'"));
    expect(STAFF, AS_IT_WAS);
    world_take(lanes.world, "d", 2, GROUP_EXISTS("g1", false));
    lanes_work();
    lanes_work_later();
    expect(STAFF, AS_IT_WAS);
}

static void give(const char *id, const char *place)
{
    assert_int_equal(store_give_link(lanes.world->store, "ldap", id, place, &lanes.world->error), 0);
    lanes_work();
    lanes_work();
}

static void a_group_that_an_administrator_links_is_adopted(void **state)
{
    (void)state;
    put_staff();
    hear_of_staff("m", "g1");
    give("g1", STAFF);
    expect(STAFF, WITH_ANN);
    world_take(lanes.world, "n", 2, GROUP_NAME("g1", "crew"));
    lanes_work();
    expect(CREW, WITH_ANN);
    assert_int_equal(store_give_link(lanes.world->store, "ldap", "g1", STAFF, &lanes.world->error), ERROR_EXISTS);
    assert_non_null(strstr(lanes.world->error.text, "group g1 is linked to \"" CREW "\" already"));
}

static void a_link_to_an_entry_that_is_not_there_creates_nothing(void **state)
{
    (void)state;
    hear_of_staff("m", "g1");
    expect(STAFF, ONLY(ANN));
    world_take(lanes.world, "g", 2, GROUP_NAME("g2", "crew"), GROUP_EXISTS("g2", true));
    assert_int_equal(store_give_link(lanes.world->store, "ldap", "g2", "cn=nowhere,dc=example,dc=org", &lanes.world->error), 0);
    lanes_work();
    assert_string_equal(lanes_newest("g2").outcome, "rejected");
    assert_non_null(strstr(lanes_newest("g2").reason, "cannot link \"cn=nowhere,dc=example,dc=org\": there is no such entry"));
    assert_false(lanes_stands_at(CREW));
}

static void what_was_adopted_is_left_without_those_whom_we_put_in(void **state)
{
    (void)state;
    adopt_groups();
    put_staff();
    hear_of_staff("m", "g1");
    expect(STAFF, WITH_ANN);
    world_take(lanes.world, "d", 2, GROUP_EXISTS("g1", false));
    lanes_work();
    lanes_work();
    expect(STAFF, AS_IT_WAS);
    assert_int_equal(world_number(lanes.world, "SELECT count(*) FROM member_value"), 0);
    assert_int_equal(world_number(lanes.world, "SELECT count(*) FROM link WHERE kind = 1 AND NOT gone"), 0);
    world_take(lanes.world, "n", 3, MEMBER("u1", "g2", true), GROUP_NAME("g2", "staff"), GROUP_EXISTS("g2", true));
    lanes_work();
    lanes_work();
    expect(STAFF, WITH_ANN); /* the next group of the name has it */
}

static void what_is_being_left_keeps_nobody_who_could_not_be_taken_out_yet(void **state)
{
    (void)state;
    adopt_groups();
    put_staff();
    hear_of_staff("m", "g1");
    peer.refused_place = STAFF;
    world_take(lanes.world, "d", 2, GROUP_EXISTS("g1", false));
    lanes_work();
    lanes_work();
    expect(STAFF, WITH_ANN);
    assert_true(lanes_newest("u1").leaver);
    peer.refused_place = NULL;
    lanes_work_later();
    expect(STAFF, AS_IT_WAS);
    assert_int_equal(world_number(lanes.world, "SELECT count(*) FROM link WHERE kind = 1 AND NOT gone"), 0);
}

static void a_group_that_was_created_is_removed_as_ever(void **state)
{
    (void)state;
    hear_of_staff("m", "g1");
    world_take(lanes.world, "d", 2, GROUP_EXISTS("g1", false));
    lanes_work();
    assert_false(lanes_stands_at(STAFF));
}

static void nobody_is_added_to_a_group_whose_own_work_is_dead(void **state)
{
    (void)state;
    lanes.without_people = false;
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    world_number(lanes.world, "INSERT INTO lane (key, target, state, rank, at, priority, delivery, deliveries, since, oldest, outcome) "
                              "SELECT lane, target, 5, 0, 1, 1, 0, 0, 1, 0, 'rejected' FROM link WHERE kind = 1 RETURNING 1");
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true));
    lanes_work();
    lanes_work();
    expect(STAFF, NOBODY);
    assert_int_equal(store_retry_dead(lanes.world->store, "ldap", "g1", &lanes.world->error), 1);
    lanes_work();
    lanes_work();
    expect(STAFF, ONLY(ANN));
}

/* The hole that there was: a kill between an account's creation and its receipt, and the person out before the agent is back. */
static void who_left_the_scope_after_a_kill_has_no_account(void **state)
{
    (void)state;
    use_people(&policies[2]);
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", SCOPE_GROUP), GROUP_EXISTS("g1", true));
    lanes_work();
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true));
    lanes.killed = true;
    lanes_person("a", 1, "u1", "ann@example.com", "Ann Lee");
    assert_true(lanes_stands_at(ANN));
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", false));
    lanes_work_later();
    assert_false(lanes_stands_at(ANN));
}

/* u2 stands at ANN, and staff holds that for whatever reason; u1 has no lane that would be worked. */
static void begin_staff_with_ann(void)
{
    lanes.without_people = false;
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    change_by_hand(OPERATION_MEMBER_ADD, ANN);
    lanes_person("b1", 2, "u2", "ann@example.com", "Bob Roe");
}

static void give_u1_a_row(const char *state, const char *place)
{
    cleanup_free char *sql = str_printf("UPDATE member_value SET state = %s WHERE user = (SELECT n FROM identity WHERE id = 'u1')",
                                        state);

    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true));
    put_account("u1", "k-u1", ANN);
    world_number(lanes.world, sql);
    if (strcmp(place, ANN) != 0)
        put_account("u1", "k-u1", place);
}

static void rename_u2(void)
{
    struct lane_result result;

    world_take(lanes.world, "b2", 3, STATUS("u2", "ACTIVE"), LOGIN("u2", "bob@example.com"), NAME("u2", "Bob Roe"));
    struct lease lease = lanes_converge("u2", &result);
    assert_null(result.reason);
    lanes_end(&lease, &result);
    lane_result_clear(&result);
}

static void a_value_put_in_by_hand_moves_along_with_a_rename(void **state)
{
    (void)state;
    begin_staff_with_ann();
    rename_u2();
    expect(STAFF, ONLY(BOB));
}

/* An account that was there before us, under another name, with a value in a group that is a fact, too. */
static void whoever_is_adopted_and_renamed_at_once_stays_in_his_groups(void **state)
{
    (void)state;
    lanes.without_people = false;
    memory_target_put(lanes.target, ANN, json_pack("{s:[s],s:[s],s:[s]}", "objectClass", "inetOrgPerson", "uid", "ann", "mail",
                                                  "eve@example.com"));
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    change_by_hand(OPERATION_MEMBER_ADD, ANN);
    world_take(lanes.world, "m", 2, MEMBER("u1", "g1", true), STATUS("u1", "ACTIVE"), LOGIN("u1", "eve@example.com"), NAME("u1", "Eve Lee"));
    lanes_work();
    assert_false(lanes_stands_at(ANN));
    lanes_expect(STAFF, "member", ONLY(EVE));
}

static void a_value_is_left_to_whose_row_says_it(void **state)
{
    static const char *const states[] = { "1", "2", "3" }; /* sent, there, leaving */

    for (size_t i = 0; i < 3; i++) {
        if (i > 0) {
            lanes_teardown(state);
            setup(state);
        }
        begin_staff_with_ann();
        give_u1_a_row(states[i], i == 0 ? ANN : EVE);
        rename_u2();
        expect(STAFF, ONLY(ANN));
    }
}

static void a_value_that_was_taken_out_meanwhile_does_not_move_along(void **state)
{
    (void)state;
    begin_staff_with_ann();
    give_u1_a_row("2", ANN);
    peer.left_meanwhile = ANN;
    rename_u2();
    expect(STAFF, NOBODY);
}

static void a_rename_that_was_cut_off_is_brought_to_its_end(void **state)
{
    (void)state;
    join_staff_unanswered();
    lanes_work_later();
    lanes.killed = true;
    lanes_person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    lanes_work_later();
    expect(STAFF, ONLY(EVE));
    assert_int_equal(world_number(lanes.world, "SELECT count(*) FROM member_value"), 1);
    assert_int_equal(world_number(lanes.world, "SELECT state FROM member_value"), MEMBER_THERE);
}

/* Whatever else happens to the person. */
static void a_removal_that_was_refused_is_a_row_until_it_is_made(void **state)
{
    (void)state;
    join_staff_unanswered();
    lanes_work_later();
    peer.refuses = true;
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", false));
    lanes_work();
    assert_non_null(strstr(lanes_newest(NULL).reason, "no right"));
    assert_int_equal(world_number(lanes.world, "SELECT state FROM member_value"), MEMBER_LEAVING);
    lanes_person("a2", 3, "u1", "eve@example.com", "Eve Lee");
    assert_true(lanes_stands_at(EVE));
    assert_int_equal(world_number(lanes.world, "SELECT leaver > 0 FROM lane WHERE target = 1 AND key & 1099511627775 ="
                                              " (SELECT n FROM identity WHERE id = 'u1')"), 1);
    peer.refuses = false;
    lanes_work_later();
    expect(STAFF, NOBODY);
    assert_int_equal(world_number(lanes.world, "SELECT count(*) FROM member_value"), 0);
}

static void one_group_that_refuses_keeps_nobody_in_another(void **state)
{
    (void)state;
    join_staff_unanswered();
    world_take(lanes.world, "h", 1, GROUP_NAME("g2", "crew"), GROUP_EXISTS("g2", true), MEMBER("u1", "g2", true));
    lanes_work_later();
    expect(CREW, ONLY(ANN));
    peer.refused_place = STAFF;
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", false), MEMBER("u1", "g2", false));
    lanes_work();
    assert_non_null(strstr(lanes_newest(NULL).reason, "no right"));
    expect(STAFF, ONLY(ANN));
    expect(CREW, NOBODY);
}

/* A place that holds no group of the mapping. */
static void what_a_look_left_out_is_told_though_the_look_is_whole(void **state)
{
    struct lane_result result;

    (void)state;
    lanes.without_people = false;
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true), GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    expect(STAFF, ONLY(ANN));
    peer.leaves_out = true;
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", false));
    struct lease lease = lanes_converge("u1", &result);
    assert_non_null(result.note);
    assert_non_null(strstr(result.note, "cn=accesslog"));
    lanes_end(&lease, &result);
    lane_result_clear(&result);
    expect(STAFF, NOBODY);
}

/* The group's lane ends the group before the last member's receipt is stored: then he is a member again. */
static void the_last_member_of_a_group_that_ended_brings_it_back(void **state)
{
    struct lane_result result;

    (void)state;
    lanes_use_groups(policy_groups(&policies[1]));
    use_people(&policies[1]);
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true), GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    expect(STAFF, "[\"" ANN "\"]");
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", false));
    struct lease lease = lanes_converge("u1", &result);
    assert_non_null(strstr(result.reason, "cannot remove the last member"));
    lanes_work();
    assert_false(lanes_stands_at(STAFF));
    world_take(lanes.world, "o", 3, MEMBER("u1", "g1", true));
    lanes_end(&lease, &result);
    lane_result_clear(&result);
    lanes_work_later();
    expect(STAFF, "[\"" ANN "\"]");
}

/* ---- what it costs ---- */

static void one_look_serves_a_rename(void **state)
{
    (void)state;
    join_staff_unanswered();
    lanes_work_later();
    peer.looks = 0;
    peer.reads = 0;
    lanes_person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    expect(STAFF, ONLY(EVE));
    assert_int_equal(peer.looks, 1);
    assert_int_equal(peer.reads, 2);
}

/* The least of three people: the store commits for itself, too, when it tidies up. */
static int64_t least_commits(const struct fact *wanted, const char *number)
{
    static const char *const users[] = { "u1", "u2", "u3" };
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < 3; i++) {
        cleanup_free char *uuid = str_printf("%s-%s", users[i], number), *login = str_printf("%s%s", users[i], wanted->value);
        struct fact fact = *wanted;
        fact.id = users[i];
        fact.value = fact.kind == FACT_LOGIN ? login : NULL;
        world_take(lanes.world, uuid, atoi(number) + 2, STATUS(users[i], "ACTIVE"), NAME(users[i], "Ann Lee"), fact);
        lanes_work();
        least = lanes.most_commits < least ? lanes.most_commits : least;
    }
    return least;
}

static void what_is_sent_is_noted_with_the_lease(void **state)
{
    static const struct {
        const char *what, *number;
        struct fact fact;
        int64_t most;
    } rows[] = {
        { "a joiner", "0", LOGIN(NULL, "@example.com"), 1 }, /* the receipt; what may be sent was noted with the lease */
        { "a new member", "1", MEMBER(NULL, "g1", true), 1 },
        { "a removed member", "2", MEMBER(NULL, "g1", false), 1 },
        { "a rename", "3", LOGIN(NULL, "-new@example.com"), 2 }, /* and the link, before groups follow it */
    };

    (void)state;
    lanes.without_people = false;
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t least = least_commits(&rows[i].fact, rows[i].number);
        if (least > rows[i].most)
            fail_msg("%s: %lld commits", rows[i].what, (long long)least);
    }
}

/* He stands in a group that refuses to be written, and his rename has not come to its end there. */
static void leave_with_a_group_that_refuses(const struct policy *policy)
{
    use_people(policy);
    lanes_person("a1", 1, "u1", "ann@example.com", "Ann Lee");
    world_take(lanes.world, "m", 1, MEMBER("u1", "g1", true));
    world_take(lanes.world, "g", 1, GROUP_NAME("g1", "staff"), GROUP_EXISTS("g1", true));
    lanes_work();
    expect(STAFF, ONLY(ANN));
    peer.refuses = true;
    lanes_person("a2", 2, "u1", "eve@example.com", "Ann Lee");
    assert_non_null(strstr(lanes_newest(NULL).reason, "no right"));
    world_take(lanes.world, "b", 3, STATUS("u1", "DEPROVISIONED"));
    lanes_work();
    assert_non_null(strstr(lanes_newest(NULL).reason, "no right")); /* which is told all the same */
}

static void a_leaver_is_disabled_although_a_group_refuses(void **state)
{
    (void)state;
    leave_with_a_group_that_refuses(&policies[0]);
    json_t *dump = memory_target_dump(lanes.target);
    assert_non_null(json_object_get(json_object_get(dump, EVE), "description"));
    json_decref(dump);
}

static void a_leaver_is_removed_although_a_group_refuses(void **state)
{
    const struct policy removed = { "removed", .leaver_stays = false, .staged_has_account = true };

    (void)state;
    leave_with_a_group_that_refuses(&removed);
    assert_false(lanes_stands_at(ANN) || lanes_stands_at(EVE));
    peer.refuses = false;
    lanes_work_later();
    expect(STAFF, NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_renamed_before_its_creation_was_answered_moves_along, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_deleted_and_renamed_before_its_creation_was_answered_goes, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_name_s_new_holder_leaves_an_unanswered_creation_to_whose_it_is, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(two_groups_that_swap_the_names_of_their_creations_come_round, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_creation_that_is_tried_again_keeps_others_from_its_place, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_refused_creation_is_not_found_at_its_place_later, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(an_equal_entry_that_was_created_meanwhile_is_its_creator_s, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(what_was_begun_is_forgotten_at_the_end, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(who_left_before_the_creation_was_answered_is_taken_out, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(who_was_renamed_before_the_creation_was_answered_has_the_new_value, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(who_left_before_the_creation_was_answered_is_out_though_killed, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_name_that_was_handed_on_meanwhile_takes_no_groups_along, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_name_s_next_holder_leaves_old_values_to_whose_they_are, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_name_s_third_holder_takes_nobody_s_values_along, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(who_left_the_scope_before_the_creation_was_answered_has_no_account, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(values_put_in_by_hand_stay, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_is_adopted_gets_its_members, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_is_adopted_loses_who_had_been_removed, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_is_there_is_not_taken_unless_the_file_says_so, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_an_administrator_links_is_adopted, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_link_to_an_entry_that_is_not_there_creates_nothing, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(what_was_adopted_is_left_without_those_whom_we_put_in, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(what_is_being_left_keeps_nobody_who_could_not_be_taken_out_yet, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_was_created_is_removed_as_ever, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(nobody_is_added_to_a_group_whose_own_work_is_dead, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(who_left_the_scope_after_a_kill_has_no_account, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_value_put_in_by_hand_moves_along_with_a_rename, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(whoever_is_adopted_and_renamed_at_once_stays_in_his_groups, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_value_is_left_to_whose_row_says_it, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_value_that_was_taken_out_meanwhile_does_not_move_along, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_rename_that_was_cut_off_is_brought_to_its_end, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_removal_that_was_refused_is_a_row_until_it_is_made, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(one_group_that_refuses_keeps_nobody_in_another, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(what_a_look_left_out_is_told_though_the_look_is_whole, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(the_last_member_of_a_group_that_ended_brings_it_back, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(one_look_serves_a_rename, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_is_noted_with_the_lease, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_leaver_is_disabled_although_a_group_refuses, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_leaver_is_removed_although_a_group_refuses, setup, lanes_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
