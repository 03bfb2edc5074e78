#include "tests/contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static struct contract *contract; /* of the running group */
static struct connector_session *session;
static struct connector_shared *shared;

static struct connector_shared *share(const void *settings)
{
    struct connector_shared *made = NULL;

    if (contract->ops->share != NULL)
        assert_int_equal(contract->ops->share(settings, &made, NULL), 0);
    return made;
}

static void unshare(struct connector_shared *made)
{
    if (contract->ops->unshare != NULL)
        contract->ops->unshare(made);
}

/* Every receipt of the suite passes here. */
static enum outcome taken(enum outcome outcome, struct receipt *receipt)
{
    assert_string_equal(outcome_name(outcome), outcome_name(receipt->outcome));
    for (size_t i = 0; contract->secrets[i] != NULL; i++)
        if (receipt->reason != NULL)
            assert_null(strstr(receipt->reason, contract->secrets[i]));
    if (outcome != OUTCOME_APPLIED && outcome != OUTCOME_UNCHANGED)
        assert_true(receipt->reason != NULL && strlen(receipt->reason) > 10);
    receipt_clear(receipt);
    return outcome;
}

#define assert_outcome(seen, wanted) assert_string_equal(outcome_name(seen), outcome_name(OUTCOME_##wanted))

static enum outcome apply(const struct operation *operation, struct account *ret_account)
{
    struct receipt receipt = { 0 };

    return taken(contract->ops->apply(session, operation, ret_account, &receipt), &receipt);
}

static enum outcome read_account(const struct account_query *query, struct account *ret_account)
{
    struct receipt receipt = { 0 };

    return taken(contract->ops->read(session, query, ret_account, &receipt), &receipt);
}

/* As the planner would make them for this account. */
static const json_t *rendered(const char *key)
{
    return contract->settings_for != NULL ? contract->settings_for(key) : NULL;
}

static struct operation linked(const struct operation *operation, const char *key)
{
    struct operation copy = *operation;

    copy.key = (char *)(uintptr_t)key;
    copy.settings = (json_t *)(uintptr_t)rendered(key);
    return copy;
}

static enum outcome find(struct account *ret_account)
{
    struct account_query query = contract->query;

    query.settings = rendered(NULL);
    return read_account(&query, ret_account);
}

static enum outcome apply_unlinked(const struct operation *operation, struct account *ret_account)
{
    struct operation copy = linked(operation, NULL);

    return apply(&copy, ret_account);
}

static enum outcome open_with(const void *settings, struct connector_session **ret_session)
{
    struct receipt receipt = { 0 };

    struct connector_shared *own = share(settings);
    enum outcome outcome = taken(contract->ops->open(settings, own, ret_session, &receipt), &receipt);
    unshare(own);
    return outcome;
}

static int begin(void **state)
{
    static char key[32]; /* one for each creation, as the agent's are */
    static int tests;
    struct receipt receipt = { 0 };

    (void)state;
    snprintf(key, sizeof(key), "contract-%d", tests++);
    contract->create.idempotency_key = key;
    session = NULL;
    shared = share(contract->settings);
    if (contract->ops->open(contract->settings, shared, &session, &receipt) != OUTCOME_APPLIED)
        print_message("# open: %s: %s\n", outcome_name(receipt.outcome), receipt.reason);
    receipt_clear(&receipt);
    return session != NULL ? 0 : -1;
}

static int end(void **state)
{
    struct account account = { 0 };

    (void)state;
    if (find(&account) == OUTCOME_APPLIED) {
        struct operation remove = linked(&contract->remove, account.key);
        remove.locator = account.locator;
        apply(&remove, NULL);
    }
    account_clear(&account);
    contract->ops->close(session);
    unshare(shared);
    return 0;
}

static void create(struct account *account)
{
    assert_outcome(apply_unlinked(&contract->create, account), APPLIED);
    assert_non_null(account->key);
    assert_non_null(account->locator);
}

static void the_target_answers_a_probe(void **state)
{
    struct receipt receipt = { 0 };

    (void)state;
    assert_outcome(taken(contract->ops->probe(session, &receipt), &receipt), APPLIED);
}

static void an_account_that_is_not_there_is_gone(void **state)
{
    struct account account = { 0 };

    (void)state;
    assert_outcome(find(&account), GONE);
    assert_null(account.key); /* outputs stay untouched */
    assert_null(account.values);
}

static void a_creation_applied_twice_is_unchanged_and_tells_the_same_key(void **state)
{
    struct account first = { 0 }, second = { 0 };

    (void)state;
    create(&first);
    assert_outcome(apply_unlinked(&contract->create, &second), UNCHANGED);
    assert_string_equal(first.key, second.key);
    assert_string_equal(first.locator, second.locator);
    account_clear(&first);
    account_clear(&second);
}

static void what_was_created_is_read_by_its_key_and_without(void **state)
{
    struct account made = { 0 }, by_key = { 0 }, by_query = { 0 };
    struct account_query query = contract->query;

    (void)state;
    create(&made);
    query.key = made.key;
    query.settings = rendered(made.key);
    assert_outcome(read_account(&query, &by_key), APPLIED);
    assert_outcome(find(&by_query), APPLIED);
    assert_string_equal(by_key.key, made.key);
    assert_string_equal(by_query.key, made.key);
    assert_string_equal(by_key.locator, made.locator);
    assert_true(json_equal(by_key.values, by_query.values));
    assert_true(json_object_size(by_key.values) > 0);
    account_clear(&made);
    account_clear(&by_key);
    account_clear(&by_query);
}

static void an_update_applied_twice_is_unchanged(void **state)
{
    struct account made = { 0 };

    (void)state;
    create(&made);
    struct operation update = linked(&contract->update, made.key);
    assert_outcome(apply(&update, NULL), APPLIED);
    assert_outcome(apply(&update, NULL), UNCHANGED);
    account_clear(&made);
}

static void an_update_of_an_account_that_is_not_there_is_gone(void **state)
{
    (void)state;
    assert_outcome(apply_unlinked(&contract->update, NULL), GONE);
}

static void a_removal_applied_twice_is_unchanged(void **state)
{
    struct account made = { 0 };

    (void)state;
    create(&made);
    struct operation remove = linked(&contract->remove, made.key);
    assert_outcome(apply(&remove, NULL), APPLIED);
    assert_outcome(apply(&remove, NULL), UNCHANGED);
    account_clear(&made);
}

static void bad_data_is_rejected_and_the_session_goes_on(void **state)
{
    struct account made = { 0 };

    (void)state;
    assert_outcome(apply_unlinked(&contract->bad, NULL), REJECTED);
    create(&made);
    account_clear(&made);
}

static void a_kind_that_is_no_operation_is_rejected(void **state)
{
    struct operation odd = contract->remove;

    (void)state;
    odd.kind = OPERATION_KIND_COUNT;
    assert_outcome(apply(&odd, NULL), REJECTED);
}

static void a_target_that_refuses_connections_is_down(void **state)
{
    struct connector_session *none = NULL;

    (void)state;
    assert_outcome(open_with(contract->settings_closed, &none), TARGET_DOWN);
    assert_null(none);
}

static void a_target_that_refuses_our_secret_is_down_and_the_secret_is_not_told(void **state)
{
    struct connector_session *none = NULL;

    (void)state;
    assert_outcome(open_with(contract->settings_wrong, &none), TARGET_DOWN); /* taken() looks for the secret */
    assert_null(none);
}

static void closing_nothing_is_allowed(void **state)
{
    (void)state;
    contract->ops->close(NULL);
}

static void every_option_says_what_it_is_for(void **state)
{
    (void)state;
    for (const struct option_row *row = contract->ops->options; row->type != OPTION_TYPE_END; row++) {
        assert_true(strlen(row->help) > 10);
        assert_true(row->offset < contract->ops->settings_bytes);
        for (const struct option_row *later = row + 1; later->type != OPTION_TYPE_END; later++)
            assert_string_not_equal(row->name, later->name);
    }
}

int contract_run(const char *name, struct contract *subject)
{
#define CONTRACT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(the_target_answers_a_probe),
        CONTRACT_TEST(an_account_that_is_not_there_is_gone),
        CONTRACT_TEST(a_creation_applied_twice_is_unchanged_and_tells_the_same_key),
        CONTRACT_TEST(what_was_created_is_read_by_its_key_and_without),
        CONTRACT_TEST(an_update_applied_twice_is_unchanged),
        CONTRACT_TEST(an_update_of_an_account_that_is_not_there_is_gone),
        CONTRACT_TEST(a_removal_applied_twice_is_unchanged),
        CONTRACT_TEST(bad_data_is_rejected_and_the_session_goes_on),
        CONTRACT_TEST(a_kind_that_is_no_operation_is_rejected),
        cmocka_unit_test(a_target_that_refuses_connections_is_down),
        cmocka_unit_test(a_target_that_refuses_our_secret_is_down_and_the_secret_is_not_told),
        cmocka_unit_test(closing_nothing_is_allowed),
        cmocka_unit_test(every_option_says_what_it_is_for),
    };
    contract = subject;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
