/*
 * Access first: the steps of a person's lane, in order, while the target refuses some of them. The real store and planner, and a
 * directory in memory that refuses by rule.
 */
#include "tests/support/lane_world.h"

#define ANN "uid=ann,ou=people,dc=example,dc=org"
#define BOB "uid=bob,ou=people,dc=example,dc=org"
#define EVE "uid=eve,ou=people,dc=example,dc=org"
#define GONE "uid=ann,ou=gone,dc=example,dc=org"
#define LOCKED "cn=locked,ou=groups,dc=example,dc=org"
#define SECRET "cn=secret,ou=groups,dc=example,dc=org"
#define OPEN "cn=open,ou=groups,dc=example,dc=org"
#define NOBODY "[\"" PLACEHOLDER "\"]"
#define ONLY(member) "[\"" PLACEHOLDER "\",\"" member "\"]"
#define ANY_KIND 99

/* ---- the directory ---- */

struct rule {
    int kind;              /* of operation, or ANY_KIND */
    const char *place;     /* NULL: any */
    const char *attribute; /* one that is written; NULL: any */
    enum outcome outcome;
    enum refusal refusal;
    int code;
    const char *words;
};

static struct {
    struct rule rules[4]; /* up to the first without words */
    char sent[2048];       /* "member_remove cn=secret; disable description; …" since the last forget_sent */
} peer;

static bool writes(const struct operation *operation, const char *attribute)
{
    bool found = json_object_get(operation->kind == OPERATION_CREATE ? operation->values : NULL, attribute) != NULL;

    for (size_t i = 0; i < operation->change_count; i++)
        found = found || strcmp(operation->changes[i].name, attribute) == 0;
    return found;
}

static bool meets(const struct rule *rule, const struct operation *operation)
{
    return (rule->kind == ANY_KIND || rule->kind == (int)operation->kind) &&
           (rule->place == NULL || str_equal(rule->place, operation->locator)) &&
           (rule->attribute == NULL || writes(operation, rule->attribute));
}

/* With the attributes, or the group, that it is about. */
static void note_sent(const struct operation *operation)
{
    size_t length = strlen(peer.sent), name = strcspn(operation->locator, ",");
    char *to = peer.sent + length;
    size_t left = sizeof(peer.sent) - length;
    int wrote = snprintf(to, left, "%s%s", length > 0 ? "; " : "", operation_kind_name(operation->kind));

    if (operation->group)
        snprintf(to + wrote, left - (size_t)wrote, " %.*s", (int)name, operation->locator);
    for (size_t i = 0; i < operation->change_count; i++)
        wrote += snprintf(to + wrote, left - (size_t)wrote, " %s", operation->changes[i].name);
}

static enum outcome apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                          struct receipt *receipt)
{
    note_sent(operation);
    for (const struct rule *rule = peer.rules; rule->words != NULL; rule++) {
        if (!meets(rule, operation))
            continue;
        receipt_set(receipt, rule->outcome, rule->code, "%s", rule->words);
        receipt->refusal = rule->refusal;
        receipt->answered = true;
        return rule->outcome;
    }
    return memory_ops.apply(session, operation, ret_account, receipt);
}

static void refuse(struct rule rule)
{
    peer.rules[0] = rule;
    peer.rules[1] = (struct rule){ 0 };
}

static void refuse_too(struct rule rule)
{
    peer.rules[1] = rule;
}

static void refuse_nothing(void)
{
    peer.rules[0] = (struct rule){ 0 };
}

static struct rule group_refuses(const char *place)
{
    return (struct rule){ ANY_KIND, place, NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 50, "no right to write to the group" };
}

static struct rule attribute_refused(const char *name)
{
    return (struct rule){ ANY_KIND, NULL, name, OUTCOME_REJECTED, REFUSAL_SURE, 21, "invalid syntax, said the server" };
}

/* ---- the people ---- */

static int setup(void **state)
{
    memset(&peer, 0, sizeof(peer));
    lanes_setup(state);
    lanes.ops.apply = apply;
    return 0;
}

static void start_anew(void **state)
{
    lanes_teardown(state);
    setup(state);
}

/* `out`: what becomes of leavers; `attributes`: of account; `more`: lines of the file. */
static void use_people(const char *out, const char *attributes, const char *more)
{
    lanes_use_people(str_printf("target = \"directory\"; kind = \"user\";\n"
                                "match = ( \"(employeeNumber={id})\" );\n"
                                "account: { dn = \"uid={login | before '@'},ou=people,dc=example,dc=org\";\n"
                                "  objectClass = [ \"person\" ]; cn = \"{name}\"; employeeNumber = \"{id}\"; %s };\n"
                                "on: { suspended = \"%s\"; deactivated = \"%s\"; deleted = \"remove\";\n"
                                "  left_scope = \"keep\"; };\n%s", attributes, out, out, more));
}

#define DISABLES "disable: { description = \"out\"; }; disable_locks = false;"

static void take_groups(void)
{
    world_take(lanes.world, "g1", 1, GROUP_NAME("g1", "locked"), GROUP_EXISTS("g1", true));
    world_take(lanes.world, "g2", 1, GROUP_NAME("g2", "secret"), GROUP_EXISTS("g2", true));
    world_take(lanes.world, "g3", 1, GROUP_NAME("g3", "open"), GROUP_EXISTS("g3", true));
    lanes_work();
}

/* ann has an account, and is in secret. */
static void join(void)
{
    take_groups();
    world_take(lanes.world, "m", 1, MEMBER("u1", "g2", true));
    lanes_person("a", 1, "u1", "ann@example.com", "Ann Lee");
    lanes_expect(SECRET, "member", ONLY(ANN));
    peer.sent[0] = '\0';
}

static void expect_line(const char *outcome, const char *undone)
{
    struct lane_line line = lanes_newest("u1");

    assert_string_equal(line.outcome, outcome);
    assert_string_equal(line.undone, undone);
}

static void expect_reason(const char *reason)
{
    assert_string_equal(lanes_newest("u1").reason, reason);
}

static int64_t leavers(void)
{
    int64_t count = -1;
    struct wall since;

    assert_int_equal(store_count_waiting(lanes.world->store, "ldap", WAITING_LEAVERS, &count, &since, NULL), 0);
    return count;
}

static void expect_out(bool out)
{
    assert_int_equal(lanes_newest("u1").leaver, !out);
    assert_int_equal(leavers(), out ? 0 : 1);
}

static void leave_renamed(void)
{
    world_take(lanes.world, "b", 2, STATUS("u1", "DEPROVISIONED"), NAME("u1", "Ann Roe"));
    lanes_work();
}

/* ---- the order ---- */

static void what_takes_access_away_is_sent_first(void **state)
{
    static const struct {
        const char *out, *sent;
    } rows[] = {
        { "disable", "member_remove cn=secret; disable description; update cn" },
        { "remove", "member_remove cn=secret; remove" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (i > 0)
            start_anew(state);
        use_people(rows[i].out, "", DISABLES);
        join();
        world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false));
        leave_renamed();
        assert_string_equal(peer.sent, rows[i].sent);
        expect_line("applied", "");
    }
}

static void a_mover_leaves_first_and_has_the_new_value_before_the_old_goes(void **state)
{
    (void)state;
    world_take(lanes.world, "l", 1, MEMBER("u1", "g3", true));
    join();
    world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false));
    lanes_person("b", 2, "u1", "eve@example.com", "Ann Lee");
    assert_string_equal(peer.sent, "member_remove cn=secret; rename mail; member_add cn=open; member_remove cn=open");
    lanes_expect(SECRET, "member", NOBODY);
    lanes_expect(OPEN, "member", ONLY(EVE));
}

static void a_target_that_is_down_is_asked_nothing_more(void **state)
{
    (void)state;
    join();
    refuse((struct rule){ OPERATION_MEMBER_REMOVE, NULL, NULL, OUTCOME_TARGET_DOWN, REFUSAL_SURE, 0, "hung up" });
    world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false), NAME("u1", "Ann Roe"));
    struct lane_result result;
    struct lease lease = lanes_converge("u1", &result);
    assert_string_equal(peer.sent, "member_remove cn=secret");
    assert_int_equal(result.outcome, OUTCOME_TARGET_DOWN);
    assert_int_equal(result.leaving, LEAVING_YES);
    lease_clear(&lease);
    lane_result_clear(&result);
}

/* ---- a leaver is locked, whatever else is refused ---- */

static const struct refusal_row {
    enum outcome outcome;
    enum refusal refusal;
    int code;
    const char *word;
} refusals[] = {
    { OUTCOME_REJECTED, REFUSAL_SURE, 21, "rejected" },
    { OUTCOME_REJECTED, REFUSAL_SURE, 19, "rejected" },
    { OUTCOME_RETRY, REFUSAL_UNSURE, 50, "retry" },
    { OUTCOME_RETRY, REFUSAL_UNSURE, 53, "retry" },
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static void refuse_by_row(const struct refusal_row *row, int kind, const char *attribute)
{
    refuse((struct rule){ kind, NULL, attribute, row->outcome, row->refusal, row->code, "not so, said the server" });
}

static void a_leaver_whose_other_attribute_is_refused_is_locked(void **state)
{
    for (size_t i = 0; i < REFUSALS; i++) {
        if (i > 0)
            start_anew(state);
        join();
        refuse_by_row(&refusals[i], ANY_KIND, "cn");
        leave_renamed();
        lanes_expect(ANN, "description", "[\"out\"]");
        lanes_expect(ANN, "cn", "[\"Ann Lee\"]");
        expect_line(refusals[i].word, "update");
        expect_reason("the account is disabled, but: not so, said the server");
        expect_out(true);
    }
}

/* The lock of this file is an attribute and a place. */
static void a_leaver_who_is_locked_and_could_not_be_moved_has_no_access(void **state)
{
    (void)state;
    use_people("disable", "", "disable: { dn = \"uid={login | before '@'},ou=gone,dc=example,dc=org\"; description = \"out\"; };"
                              " disable_locks = false;");
    join();
    refuse((struct rule){ OPERATION_RENAME, NULL, NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 50, "no right to move it" });
    world_take(lanes.world, "b", 2, STATUS("u1", "DEPROVISIONED"));
    lanes_work();
    lanes_expect(ANN, "description", "[\"out\"]");
    expect_line("retry", "rename");
    expect_reason("the account is disabled, but: no right to move it");
    expect_out(true);
    refuse_nothing();
    lanes_work_later();
    assert_true(lanes_stands_at(GONE));
    lanes_expect(SECRET, "member", ONLY(GONE));
}

static void a_leaver_whose_lock_is_refused_is_not_out(void **state)
{
    (void)state;
    join();
    refuse((struct rule){ OPERATION_DISABLE, NULL, NULL, OUTCOME_RETRY, REFUSAL_UNSURE, 50, "no right to lock" });
    leave_renamed();
    lanes_expect(ANN, "cn", "[\"Ann Roe\"]"); /* the rest is done all the same */
    expect_line("retry", "disable");
    expect_reason("no right to lock");
    expect_out(false);
}

static void a_later_attempt_says_that_the_account_is_disabled_too(void **state)
{
    (void)state;
    join();
    refuse_by_row(&refusals[2], ANY_KIND, "cn");
    leave_renamed();
    lanes_work_later();
    assert_int_equal(lanes_newest("u1").attempt, 2);
    expect_reason("the account is disabled, but: not so, said the server");
    refuse_by_row(&refusals[0], ANY_KIND, "cn"); /* a dead letter, which somebody tries again */
    lanes_work_later();
    assert_int_equal(store_retry_dead(lanes.world->store, "ldap", NULL, NULL), 1);
    lanes_work();
    expect_line("rejected", "update");
    expect_reason("the account is disabled, but: not so, said the server");
    expect_out(true);
}

static void a_later_attempt_says_that_the_account_is_removed_too(void **state)
{
    (void)state;
    use_people("remove", "", "");
    join();
    refuse(group_refuses(SECRET));
    leave_renamed();
    expect_reason("the account is removed, but: no right to write to the group");
    lanes_work_later();
    assert_int_equal(lanes_newest("u1").attempt, 2);
    expect_reason("the account is removed, but: no right to write to the group");
    expect_out(false);
}

static void nobody_else_s_account_is_called_disabled(void **state)
{
    (void)state;
    join();
    refuse(attribute_refused("cn"));
    lanes_person("b", 2, "u1", "ann@example.com", "Ann Roe"); /* she stays */
    expect_reason("invalid syntax, said the server");
    world_take(lanes.world, "c", 3, STATUS("u2", "SUSPENDED"), LOGIN("u2", "bob@example.com"), NAME("u2", "Bob Roe"));
    lanes_work();
    assert_false(lanes_stands_at(BOB));
    assert_string_equal(lanes_newest("u2").reason, "invalid syntax, said the server");
}

/* ---- whose account it is ---- */

/* A file whose filters find whoever has the same address. */
static void find_by_mail(void)
{
    lanes_use_people(str_dup("target = \"directory\"; kind = \"user\"; match = ( \"(mail={login})\" );\n"
                             "account: { dn = \"uid={login | before '@'},ou=people,dc=example,dc=org\"; objectClass = [ \"person\" ];\n"
                             "  cn = \"{name}\"; mail = \"{login}\"; employeeNumber = \"{id}\"; };\n"
                             "on: { deactivated = \"disable\"; };\n" DISABLES));
}

static void put_entry(const char *number)
{
    json_t *values = json_pack("{s:[s], s:[s], s:[s]}", "objectClass", "person", "cn", "Ann Lee", "mail", "ann@example.com");

    if (number != NULL)
        json_object_set_new(values, "employeeNumber", json_pack("[s]", number));
    memory_target_put(lanes.target, "uid=alee,ou=people,dc=example,dc=org", values);
}

static void an_account_that_carries_another_id_is_not_adopted(void **state)
{
    (void)state;
    find_by_mail();
    put_entry("u0");
    lanes_person("a", 1, "u1", "ann@example.com", "Ann Lee");
    assert_string_equal(lanes_newest("u1").outcome, "ambiguous");
    assert_non_null(strstr(lanes_newest("u1").reason, "cannot adopt \"uid=alee,ou=people,dc=example,dc=org\" for u1 (its employeeNumber is \"u0\""));
    assert_string_equal(peer.sent, "");
    lanes_expect("uid=alee,ou=people,dc=example,dc=org", "employeeNumber", "[\"u0\"]");
}

static void an_account_that_carries_no_id_or_the_same_is_adopted(void **state)
{
    static const char *const numbers[] = { NULL, "u1" };

    for (size_t i = 0; i < 2; i++) {
        find_by_mail();
        put_entry(numbers[i]);
        lanes_person("a", 1, "u1", "ann@example.com", "Ann Lee");
        assert_string_equal(lanes_newest("u1").outcome, "applied");
        lanes_expect(ANN, "employeeNumber", "[\"u1\"]");
        start_anew(state);
    }
}

/* Whether it is his nobody can tell: he is not called out. */
static void a_leaver_takes_nobody_else_s_account_along(void **state)
{
    (void)state;
    find_by_mail();
    put_entry("u2");
    world_take(lanes.world, "a", 1, LOGIN("u1", "ann@example.com"), NAME("u1", "Ann Lee"), STATUS("u1", "ACTIVE"));
    world_take(lanes.world, "b", 2, STATUS("u1", "DEPROVISIONED"));
    lanes_work();
    assert_string_equal(lanes_newest("u1").outcome, "ambiguous");
    assert_string_equal(peer.sent, "");
    expect_out(false);
}

/* ---- a removal that is refused ---- */

static void a_refused_removal_disables(void **state)
{
    for (size_t i = 0; i < REFUSALS; i++) {
        if (i > 0)
            start_anew(state);
        use_people("remove", "", DISABLES);
        join();
        refuse_by_row(&refusals[i], OPERATION_REMOVE, NULL);
        leave_renamed();
        lanes_expect(ANN, "description", "[\"out\"]");
        lanes_expect(SECRET, "member", NOBODY);
        assert_null(strstr(peer.sent, "member_add"));
        expect_line(refusals[i].word, "remove");
        expect_reason("the account is disabled, but: not so, said the server");
        expect_out(true);
    }
}

static void a_refused_removal_is_tried_again_and_said_so(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join();
    refuse_by_row(&refusals[2], OPERATION_REMOVE, NULL);
    leave_renamed();
    lanes_work_later();
    expect_line("retry", "remove");
    expect_reason("the account is disabled, but: not so, said the server");
    refuse_nothing();
    lanes_work_later();
    assert_false(lanes_stands_at(ANN));
    expect_line("applied", "");
}

static void who_could_not_be_removed_comes_into_no_group_that_is_created_later(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join();
    world_take(lanes.world, "m4", 1, MEMBER("u1", "g4", true));
    lanes_work();
    refuse_by_row(&refusals[0], OPERATION_REMOVE, NULL);
    leave_renamed();
    expect_line("rejected", "remove");
    world_take(lanes.world, "g4", 3, GROUP_NAME("g4", "late"), GROUP_EXISTS("g4", true));
    lanes_work();
    lanes_expect("cn=late,ou=groups,dc=example,dc=org", "member", NOBODY);
    lanes_expect(SECRET, "member", NOBODY);
    world_take(lanes.world, "back", 4, STATUS("u1", "ACTIVE"));
    lanes_work();
    lanes_expect("cn=late,ou=groups,dc=example,dc=org", "member", ONLY(ANN));
}

static void a_refused_removal_without_a_disable_group_is_not_out(void **state)
{
    (void)state;
    use_people("remove", "", "");
    join();
    refuse_by_row(&refusals[0], OPERATION_REMOVE, NULL);
    leave_renamed();
    assert_true(lanes_stands_at(ANN));
    expect_line("rejected", "remove");
    expect_reason("not so, said the server");
    expect_out(false);
}

/* ---- groups ---- */

static void a_group_that_refuses_a_new_member_keeps_nobody_in_another(void **state)
{
    (void)state;
    join();
    refuse(group_refuses(LOCKED));
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", true), MEMBER("u1", "g2", false));
    lanes_work();
    lanes_expect(SECRET, "member", NOBODY);
    expect_line("retry", "member_add");
    expect_out(true);
}

static void each_group_is_left_by_itself(void **state)
{
    (void)state;
    join();
    world_take(lanes.world, "m1", 2, MEMBER("u1", "g1", true), MEMBER("u1", "g3", true));
    lanes_work();
    refuse(group_refuses(LOCKED)); /* the first of the three */
    world_take(lanes.world, "n", 3, MEMBER("u1", "g1", false), MEMBER("u1", "g2", false), MEMBER("u1", "g3", false));
    lanes_work();
    lanes_expect(LOCKED, "member", ONLY(ANN));
    lanes_expect(SECRET, "member", NOBODY);
    lanes_expect(OPEN, "member", NOBODY);
    expect_line("retry", "member_remove");
    expect_out(false);
}

static void by_hand(enum operation_kind kind, const char *group, const char *value)
{
    const struct operation operation = { .kind = kind, .group = true, .locator = (char *)group, .attribute = (char *)"member",
                                         .value = (char *)value, .placeholder = (char *)PLACEHOLDER };
    struct receipt receipt = { 0 };

    assert_int_equal(memory_ops.apply(lanes.session, &operation, NULL, &receipt), OUTCOME_APPLIED);
    receipt_clear(&receipt);
}

static void join_two(void)
{
    join();
    world_take(lanes.world, "m1", 2, MEMBER("u1", "g1", true));
    lanes_work();
}

static void leave(void)
{
    world_take(lanes.world, "l", 3, STATUS("u1", "DEPROVISIONED"));
    lanes_work();
}

static void a_group_that_was_removed_by_hand_keeps_no_leaver_in(void **state)
{
    (void)state;
    use_people("disable", "", DISABLES);
    join_two();
    world_take(lanes.world, "m2", 2, MEMBER("u1", "g1", false), MEMBER("u1", "g2", false));
    by_hand(OPERATION_REMOVE, LOCKED, NULL); /* the first of the two */
    leave();
    lanes_expect(SECRET, "member", NOBODY);
    lanes_expect(ANN, "description", "[\"out\"]");
    expect_out(true);
}

static void a_group_that_always_changes_keeps_no_leaver_in(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join_two();
    refuse((struct rule){ ANY_KIND, LOCKED, NULL, OUTCOME_CONFLICT, REFUSAL_SURE, 122, "it has changed" });
    leave();
    lanes_expect(SECRET, "member", NOBODY);
    assert_false(lanes_stands_at(ANN));
    expect_line("retry", "member_remove");
    expect_out(false); /* in locked */
    refuse_nothing();
    lanes_work_later();
    lanes_expect(LOCKED, "member", NOBODY);
    expect_out(true);
}

static void a_group_that_always_changes_keeps_nobody_out_of_another(void **state)
{
    (void)state;
    join();
    refuse((struct rule){ OPERATION_MEMBER_ADD, LOCKED, NULL, OUTCOME_GONE, REFUSAL_SURE, 32, "no such group" });
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", true), MEMBER("u1", "g3", true));
    lanes_work();
    lanes_expect(OPEN, "member", ONLY(ANN));
    expect_line("retry", "member_add");
}

/* The first of two failures is another's: of a group that waits. */
static void a_refused_removal_disables_though_a_group_waits(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join();
    refuse((struct rule){ OPERATION_MEMBER_REMOVE, SECRET, NULL, OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" });
    refuse_too((struct rule){ OPERATION_REMOVE, NULL, NULL, OUTCOME_REJECTED, REFUSAL_SURE, 66, "there are entries below" });
    leave();
    lanes_expect(ANN, "description", "[\"out\"]");
    expect_line("retry", "member_remove,remove");
    expect_reason("the account is disabled, but: busy; there are entries below");
}

static void a_removal_that_only_failed_does_not_disable(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join();
    refuse(group_refuses(SECRET));
    refuse_too((struct rule){ OPERATION_REMOVE, NULL, NULL, OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" });
    leave();
    lanes_expect(ANN, "description", "null");
    expect_line("retry", "member_remove,remove");
}

static void a_value_put_in_by_hand_is_not_forgotten_when_its_removal_fails(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join();
    by_hand(OPERATION_MEMBER_ADD, LOCKED, ANN);
    refuse((struct rule){ OPERATION_MEMBER_REMOVE, LOCKED, NULL, OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" });
    leave();
    assert_false(lanes_stands_at(ANN));
    expect_line("retry", "member_remove");
    refuse_nothing();
    lanes_work_later();
    lanes_expect(LOCKED, "member", NOBODY);
    expect_line("applied", "");
}

/* The account is gone, and somebody else has its place. */
static void a_former_holder_takes_nothing_put_in_by_hand_from_the_next_one(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join();
    by_hand(OPERATION_MEMBER_ADD, LOCKED, ANN);
    refuse((struct rule){ OPERATION_MEMBER_REMOVE, LOCKED, NULL, OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" });
    leave();
    refuse_nothing();
    memory_target_put(lanes.target, ANN, json_pack("{s:[s]}", "uid", "ann"));
    lanes_work_later();
    lanes_expect(LOCKED, "member", ONLY(ANN));
}

static void rename_ann(void)
{
    world_take(lanes.world, "r", 3, LOGIN("u1", "eve@example.com"));
    lanes_work();
}

static void the_value_of_before_a_rename_stays_until_the_new_one_is_there(void **state)
{
    (void)state;
    join();
    by_hand(OPERATION_MEMBER_ADD, LOCKED, ANN);
    refuse((struct rule){ OPERATION_MEMBER_ADD, NULL, NULL, OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" });
    rename_ann();
    lanes_expect(SECRET, "member", ONLY(ANN));
    lanes_expect(LOCKED, "member", ONLY(ANN));
    expect_line("retry", "member_add");
    refuse_nothing();
    lanes_work_later();
    lanes_expect(SECRET, "member", ONLY(EVE));
}

static int looks_to_fail;

static enum outcome fail_to_look(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                                 struct receipt *receipt)
{
    if (looks_to_fail-- > 0)
        return receipt_set(receipt, OUTCOME_RETRY, 51, "busy");
    return memory_ops.read_groups(session, query, ret_groups, receipt);
}

static void nobody_is_renamed_while_groups_cannot_be_searched(void **state)
{
    (void)state;
    join();
    by_hand(OPERATION_MEMBER_ADD, LOCKED, ANN);
    lanes.ops.read_groups = fail_to_look;
    looks_to_fail = 1;
    rename_ann();
    assert_true(lanes_stands_at(ANN));
    expect_line("retry", "look_at_groups,rename");
    lanes_work_later();
    lanes_expect(LOCKED, "member", ONLY(EVE));
    lanes_expect(SECRET, "member", ONLY(EVE));
    expect_line("applied", "");
}

/* His account is removed; whether somebody had put him into a group nobody knows yet. */
static void a_leaver_whose_groups_cannot_be_searched_is_not_called_out(void **state)
{
    (void)state;
    use_people("remove", "", DISABLES);
    join();
    by_hand(OPERATION_MEMBER_ADD, LOCKED, ANN);
    lanes.ops.read_groups = fail_to_look;
    looks_to_fail = 1;
    leave();
    assert_false(lanes_stands_at(ANN));
    expect_line("retry", "look_at_groups");
    assert_int_equal(leavers(), 1);
    lanes_work_later();
    lanes_expect(LOCKED, "member", NOBODY);
    assert_int_equal(leavers(), 0);
}

static enum outcome see_nothing(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                                struct receipt *receipt)
{
    (void)session;
    (void)query;
    *ret_groups = json_array();
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

/* The group is just created, or renamed: it may have the value in a moment. */
static void a_group_that_is_not_at_its_place_is_not_taken_for_left(void **state)
{
    (void)state;
    join();
    lanes.ops.read_groups = see_nothing;
    refuse((struct rule){ OPERATION_MEMBER_REMOVE, SECRET, NULL, OUTCOME_GONE, REFUSAL_SURE, 32, "no such group" });
    world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false));
    lanes_work();
    expect_line("retry", "member_remove");
    expect_out(false);
    refuse_nothing();
    lanes_work_later();
    lanes_expect(SECRET, "member", NOBODY);
    expect_out(true);
}

static void an_account_without_a_value_any_more_leaves_its_groups(void **state)
{
    (void)state;
    lanes_use_groups(str_printf("target = \"directory\"; kind = \"group\"; match = ( \"(cn={name})\" );\n"
                                "account: { dn = \"cn={name},ou=groups,dc=example,dc=org\"; objectClass = [ \"groupOfNames\" ]; cn = \"{name}\"; };\n"
                                "members: { attribute = \"member\"; value = \"{member.account.title}\"; placeholder = \"%s\"; };\n"
                                "on: { activated = \"provision\"; deleted = \"remove\"; };\n", PLACEHOLDER));
    use_people("disable", "title = \"{profile.title}\";", DISABLES);
    take_groups();
    world_take(lanes.world, "m", 1, MEMBER("u1", "g2", true), PROFILE("u1", "{\"title\":\"dr\"}"));
    lanes_person("a", 1, "u1", "ann@example.com", "Ann Lee");
    lanes_expect(SECRET, "member", ONLY("dr"));
    world_take(lanes.world, "p", 2, PROFILE("u1", "{}"));
    lanes_work(); /* comes to an end */
    lanes_expect(SECRET, "member", NOBODY);
    expect_line("applied", "");
}

static void the_reasons_of_many_groups_are_few(void **state)
{
    (void)state;
    join();
    for (int i = 0; i < 9; i++) {
        cleanup_free char *id = str_printf("h%d", i), *name = str_printf("hall %d", i);
        world_take(lanes.world, id, 2, GROUP_NAME(id, name), GROUP_EXISTS(id, true), MEMBER("u1", id, true));
    }
    lanes_work();
    refuse((struct rule){ OPERATION_MEMBER_REMOVE, NULL, NULL, OUTCOME_CONFLICT, REFUSAL_SURE, 122, "it has changed" });
    for (int i = 0; i < 9; i++) {
        cleanup_free char *id = str_printf("h%d", i), *event = str_printf("left %d", i);
        world_take(lanes.world, event, 3, MEMBER("u1", id, false));
    }
    lanes_work();
    const char *reason = lanes_newest("u1").reason;
    assert_non_null(strstr(reason, "hall 0"));
    assert_null(strstr(reason, "hall 7"));
}

static void refuse_name(void)
{
    refuse(attribute_refused("cn"));
    world_take(lanes.world, "b", 2, NAME("u1", "Ann Roe"), MEMBER("u1", "g2", false));
}

static void take_name(void)
{
    memory_target_put(lanes.target, EVE, json_pack("{s:[s]}", "uid", "eve"));
    world_take(lanes.world, "b", 2, LOGIN("u1", "eve@example.com"), MEMBER("u1", "g2", false));
}

static void lose_required(void)
{
    world_take(lanes.world, "b", 2, PROFILE("u1", "{}"), MEMBER("u1", "g2", false));
}

static void someone_whose_account_cannot_be_written_leaves_groups(void **state)
{
    static const struct {
        void (*happens)(void);
        const char *outcome, *undone;
    } rows[] = {
        { refuse_name, "rejected", "update" },
        { take_name, "retry", "rename" },
        { lose_required, "rejected", "plan" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (i > 0)
            start_anew(state);
        use_people("disable", "title = \"{profile.title}\";", "required = [ \"title\" ]; " DISABLES);
        world_take(lanes.world, "p", 1, PROFILE("u1", "{\"title\":\"Dr\"}"));
        join();
        rows[i].happens();
        lanes_work();
        lanes_expect(SECRET, "member", NOBODY);
        expect_line(rows[i].outcome, rows[i].undone);
        expect_out(true);
    }
}

static void nobody_is_frozen_by_one_group(void **state)
{
    (void)state;
    join();
    refuse((struct rule){ ANY_KIND, SECRET, NULL, OUTCOME_REJECTED, REFUSAL_SURE, 19, "the group is closed" });
    world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false));
    lanes_work();
    expect_line("rejected", "member_remove"); /* a dead letter */
    world_take(lanes.world, "b", 3, NAME("u1", "Ann Roe"), MEMBER("u1", "g3", true));
    lanes_work();
    lanes_expect(ANN, "cn", "[\"Ann Roe\"]");
    lanes_expect(OPEN, "member", ONLY(ANN));
    expect_line("rejected", "member_remove");
    lanes_person("c", 4, "u1", "eve@example.com", "Ann Roe");
    lanes_expect(OPEN, "member", ONLY(EVE));
    expect_line("rejected", "member_remove");
    refuse_nothing();
    world_take(lanes.world, "d", 5, NAME("u1", "Ann Lee"));
    lanes_work();
    lanes_expect(SECRET, "member", NOBODY);
    expect_out(true);
}

/* ---- what is told ---- */

/* Of two failures: one that passes and one that does not. */
static void fail_twice(void)
{
    join();
    refuse(group_refuses(SECRET));
    refuse_too(attribute_refused("cn"));
    world_take(lanes.world, "b", 2, NAME("u1", "Ann Roe"), MEMBER("u1", "g2", false), MEMBER("u1", "g3", true));
    lanes_work();
}

static void the_worst_outcome_is_kept_and_each_reason_told(void **state)
{
    fail_twice();
    lanes_expect(OPEN, "member", ONLY(ANN));
    expect_line("retry", "member_remove,update");
    expect_reason("no right to write to the group; invalid syntax, said the server");
    assert_int_equal(lanes_newest("u1").leaver, true);
    start_anew(state);
    join();
    refuse(attribute_refused("cn"));
    refuse_too(group_refuses(OPEN));
    world_take(lanes.world, "b", 2, NAME("u1", "Ann Roe"), MEMBER("u1", "g3", true));
    lanes_work();
    expect_line("retry", "update,member_add"); /* the other way round: what may pass comes last */
}

static const json_t *find_text(const json_t *array, const char *key, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (str_equal(json_string_value(json_object_get(json_array_get(array, i), key)), text))
            return json_array_get(array, i);
    fail_msg("nothing with %s = %s", key, text);
    return NULL;
}

static void show_has_each_step_that_was_not_done_and_each_operation(void **state)
{
    json_t *shown = NULL;

    (void)state;
    fail_twice();
    assert_int_equal(store_show(lanes.world->store, "u1", &shown, NULL), 0);
    const json_t *lane = find_text(json_object_get(shown, "lanes"), "target", "ldap");
    assert_string_equal(json_string_value(json_object_get(lane, "step")), "member_remove,update");
    assert_string_equal(json_string_value(json_object_get(lane, "leaver")), "not_out");
    const json_t *operations = json_object_get(shown, "operations");
    assert_string_equal(json_string_value(json_object_get(find_text(operations, "action", "member_remove"), "outcome")), "retry");
    assert_string_equal(json_string_value(json_object_get(find_text(operations, "action", "update"), "outcome")), "rejected");
    assert_string_equal(json_string_value(json_object_get(find_text(operations, "action", "member_add"), "outcome")), "applied");
    json_decref(shown);
}

static void the_log_names_each_step_that_was_not_done(void **state)
{
    cleanup_free char *path = NULL;
    char text[8192] = "";

    (void)state;
    path = str_printf("%s/status.log", lanes.world->folder);
    assert_int_equal(status_log_open(path, clock_system(), &lanes.log, NULL), 0);
    fail_twice();
    status_log_close(take_pointer(lanes.log));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(text, " leaver=not_out step=member_remove,update reason=\"no right to write to the group; inv"));
}

/* ---- a removal that waits is a leaver's ---- */

static void expect_named(json_t *list, const char *reason)
{
    const json_t *lane = find_text(list, "id", "u1");

    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(lane, "user")), "ann@example.com");
    assert_string_equal(json_string_value(json_object_get(lane, "leaver")), "not_out");
    assert_string_equal(json_string_value(json_object_get(lane, "reason")), reason);
    json_decref(list);
}

static json_t *list_leavers(void)
{
    json_t *list = NULL;

    assert_int_equal(store_list_waiting(lanes.world->store, "ldap", WAITING_LEAVERS, 10, &list, NULL), 0);
    return list;
}

static void a_removal_that_waits_is_counted_and_named_like_a_leaver(void **state)
{
    (void)state;
    join();
    refuse(group_refuses(SECRET));
    world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false));
    assert_int_equal(leavers(), 1); /* from the event on */
    lanes_work();
    assert_int_equal(leavers(), 1);
    expect_named(list_leavers(), "no right to write to the group");
    lanes_person("b", 3, "u1", "ann@example.com", "Ann Roe"); /* whatever else is heard */
    assert_int_equal(leavers(), 1);
    refuse_nothing();
    lanes_work_later();
    assert_int_equal(leavers(), 0);
}

/* A fact says that she is no member; there is no row, since she was put in before Provost came. */
static void a_removal_of_what_was_put_in_by_hand_waits_like_a_leaver_too(void **state)
{
    const struct operation by_hand = { .kind = OPERATION_MEMBER_ADD, .group = true, .locator = (char *)LOCKED,
                                       .attribute = (char *)"member", .value = (char *)ANN, .placeholder = (char *)PLACEHOLDER };
    struct account none = { 0 };
    struct receipt receipt = { 0 };

    (void)state;
    join();
    assert_int_equal(memory_ops.apply(lanes.session, &by_hand, &none, &receipt), OUTCOME_APPLIED);
    refuse(group_refuses(LOCKED));
    world_take(lanes.world, "n", 2, MEMBER("u1", "g1", false));
    lanes_work();
    expect_line("retry", "member_remove");
    expect_out(false);
    expect_named(list_leavers(), "no right to write to the group");
    lanes_person("b", 3, "u1", "eve@example.com", "Ann Lee"); /* whatever else happens to her */
    assert_true(lanes_stands_at(EVE));
    assert_int_equal(leavers(), 1);
    lanes_expect(LOCKED, "member", ONLY(ANN));
    refuse_nothing();
    lanes_work_later();
    lanes_expect(LOCKED, "member", NOBODY);
    assert_int_equal(leavers(), 0);
}

/* Whoever is ann next would be in secret. */
static void a_former_value_that_stays_in_a_group_is_told_like_a_leaver(void **state)
{
    for (size_t i = 0; i < REFUSALS; i++) {
        if (i > 0)
            start_anew(state);
        join();
        refuse_by_row(&refusals[i], OPERATION_MEMBER_REMOVE, NULL);
        lanes_person("b", 2, "u1", "eve@example.com", "Ann Lee");
        lanes_expect(SECRET, "member", "[\"" PLACEHOLDER "\",\"" ANN "\",\"" EVE "\"]");
        expect_line(refusals[i].word, "member_remove");
        expect_out(false);
        refuse_nothing();
        lanes_person("c", 3, "u1", "eve@example.com", "Eve Lee");
        lanes_expect(SECRET, "member", ONLY(EVE));
        assert_int_equal(leavers(), 0);
    }
}

static void drop_needs_leavers_for_a_removal_that_was_refused(void **state)
{
    const struct store_filter filter = { .target = "ldap" };
    struct store *store = NULL;
    json_t *dead = NULL;
    int64_t kept = 0;

    (void)state;
    store = lanes.world->store;
    join();
    refuse((struct rule){ ANY_KIND, SECRET, NULL, OUTCOME_REJECTED, REFUSAL_SURE, 19, "the group is closed" });
    world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false));
    lanes_work();
    assert_int_equal(store_list_dead(store, &filter, &dead, NULL), 0);
    expect_named(dead, "the group is closed");
    assert_int_equal(store_drop(store, &(struct store_drop){ .target = "ldap" }, &kept, NULL), 0);
    assert_int_equal(kept, 1);
    assert_int_equal(leavers(), 1);
    assert_int_equal(store_drop(store, &(struct store_drop){ .target = "ldap", .leavers = true }, &kept, NULL), 1);
    assert_int_equal(leavers(), 0);
}

/* A removed membership goes on when the attempts are used up, as a leaver does; a refused name does not. */
static void a_removal_is_not_given_up_when_the_attempts_are_used_up(void **state)
{
    (void)state;
    lanes_use_pool();
    lanes_start(1);
    take_groups();
    world_take(lanes.world, "m", 1, STATUS("u1", "ACTIVE"), LOGIN("u1", "ann@example.com"), NAME("u1", "Ann Lee"),
               MEMBER("u1", "g2", true));
    world_take(lanes.world, "k", 1, STATUS("u2", "ACTIVE"), LOGIN("u2", "bob@example.com"), NAME("u2", "Bob Roe"));
    AWAIT_LINES(lanes_count("u1", "applied") == 1 && lanes_count("u2", "applied") == 1);
    lanes_stop();
    refuse((struct rule){ ANY_KIND, SECRET, NULL, OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" });
    refuse_too((struct rule){ ANY_KIND, BOB, NULL, OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" });
    world_take(lanes.world, "n", 2, MEMBER("u1", "g2", false));
    world_take(lanes.world, "o", 2, NAME("u2", "Bob Doe"));
    lanes_start(1);
    AWAIT_LINES(lanes_count("u2", "dead") == 1 && lanes_newest("u1").attempt > lanes.deliver.attempts);
    assert_int_equal(lanes_count("u1", "dead"), 0);
    assert_string_equal(lanes_newest("u1").undone, "member_remove");
    assert_int_equal(lanes_newest("u1").leaver, true);
    lanes_stop();
    refuse_nothing();
    lanes_start(1);
    AWAIT_LINES(strcmp(lanes_newest("u1").outcome, "applied") == 0);
    lanes_stop();
    lanes_expect(SECRET, "member", NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_takes_access_away_is_sent_first, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_mover_leaves_first_and_has_the_new_value_before_the_old_goes, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_target_that_is_down_is_asked_nothing_more, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_leaver_whose_other_attribute_is_refused_is_locked, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_leaver_who_is_locked_and_could_not_be_moved_has_no_access, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_leaver_whose_lock_is_refused_is_not_out, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_later_attempt_says_that_the_account_is_disabled_too, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_later_attempt_says_that_the_account_is_removed_too, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(nobody_else_s_account_is_called_disabled, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(an_account_that_carries_another_id_is_not_adopted, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(an_account_that_carries_no_id_or_the_same_is_adopted, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_leaver_takes_nobody_else_s_account_along, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_refused_removal_disables, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_refused_removal_is_tried_again_and_said_so, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(who_could_not_be_removed_comes_into_no_group_that_is_created_later, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_refused_removal_without_a_disable_group_is_not_out, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_refuses_a_new_member_keeps_nobody_in_another, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(each_group_is_left_by_itself, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_was_removed_by_hand_keeps_no_leaver_in, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_always_changes_keeps_no_leaver_in, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_always_changes_keeps_nobody_out_of_another, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_refused_removal_disables_though_a_group_waits, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_removal_that_only_failed_does_not_disable, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_value_put_in_by_hand_is_not_forgotten_when_its_removal_fails, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_former_holder_takes_nothing_put_in_by_hand_from_the_next_one, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(the_value_of_before_a_rename_stays_until_the_new_one_is_there, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(nobody_is_renamed_while_groups_cannot_be_searched, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_leaver_whose_groups_cannot_be_searched_is_not_called_out, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_group_that_is_not_at_its_place_is_not_taken_for_left, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(an_account_without_a_value_any_more_leaves_its_groups, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(the_reasons_of_many_groups_are_few, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(someone_whose_account_cannot_be_written_leaves_groups, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(nobody_is_frozen_by_one_group, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(the_worst_outcome_is_kept_and_each_reason_told, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(show_has_each_step_that_was_not_done_and_each_operation, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(the_log_names_each_step_that_was_not_done, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_removal_that_waits_is_counted_and_named_like_a_leaver, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_removal_of_what_was_put_in_by_hand_waits_like_a_leaver_too, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_former_value_that_stays_in_a_group_is_told_like_a_leaver, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(drop_needs_leavers_for_a_removal_that_was_refused, setup, lanes_teardown),
        cmocka_unit_test_setup_teardown(a_removal_is_not_given_up_when_the_attempts_are_used_up, setup, lanes_teardown),
    };

    return cmocka_run_group_tests_name("lane steps", tests, NULL, NULL);
}
