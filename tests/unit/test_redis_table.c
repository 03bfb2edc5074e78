/* The own index's table: whose key is whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/str.h"
#include "connectors/session/redis_table.h"

static void add_key(void *arg, const char *key)
{
    buf_printf(arg, "%s ", key);
}

static void assert_keys(const struct table *table, const char *user, const char *keys)
{
    cleanup_buf struct buf text = { 0 };

    table_each(table, user, add_key, &text);
    assert_string_equal(text.bytes != NULL ? text.bytes : "", keys);
}

static void a_user_has_the_keys_that_were_put(void **state)
{
    struct table table = { 0 };

    (void)state;
    assert_true(table_put(&table, "a", "ann") && table_put(&table, "b", "ann") && table_put(&table, "c", "anna"));
    assert_true(table_put(&table, "a", "ann"));
    assert_keys(&table, "ann", "b a ");
    assert_keys(&table, "anna", "c ");
    assert_keys(&table, "an", "");
    assert_int_equal(table.count, 3);
    table_clear(&table);
    assert_keys(&table, "ann", "");
}

static void a_key_that_goes_to_another_user_leaves_the_first(void **state)
{
    struct table table = { 0 };

    (void)state;
    assert_true(table_put(&table, "a", "ann") && table_put(&table, "a", "bob"));
    assert_keys(&table, "ann", "");
    assert_keys(&table, "bob", "a ");
    table_remove(&table, "a");
    table_remove(&table, "a");
    assert_keys(&table, "bob", "");
    assert_int_equal(table.count, 0);
    assert_int_equal(table.bytes, 0); /* nothing is left behind */
    table_clear(&table);
}

/* Against a plain array, in any order of changes. */
static void it_agrees_with_an_array(void **state)
{
    enum { KEYS = 200, USERS = 10 };
    int owners[KEYS] = { 0 };
    struct table table = { 0 };
    struct random_seeded random;
    char key[16], user[16];

    (void)state;
    random_seeded_init(&random, 7);
    for (int turn = 0; turn < 20000; turn++) {
        int k = (int)random_below(&random.source, KEYS), u = (int)random_below(&random.source, USERS + 1);
        snprintf(key, sizeof(key), "key%d", k);
        snprintf(user, sizeof(user), "user%d", u);
        if (u == 0)
            table_remove(&table, key);
        else
            assert_true(table_put(&table, key, user));
        owners[k] = u;
    }
    size_t count = 0;
    for (int k = 0; k < KEYS; k++)
        count += owners[k] != 0;
    assert_int_equal(table.count, count);
    for (int u = 1; u <= USERS; u++) {
        cleanup_buf struct buf text = { 0 };
        snprintf(user, sizeof(user), "user%d", u);
        table_each(&table, user, add_key, &text);
        for (int k = 0; k < KEYS; k++) {
            snprintf(key, sizeof(key), "key%d ", k);
            const char *found = text.bytes != NULL ? strstr(text.bytes, key) : NULL;
            assert_int_equal(found != NULL, owners[k] == u);
        }
    }
    table_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_the_keys_that_were_put),
        cmocka_unit_test(a_key_that_goes_to_another_user_leaves_the_first),
        cmocka_unit_test(it_agrees_with_an_array),
    };

    return cmocka_run_group_tests_name("the index's table", tests, NULL, NULL);
}
