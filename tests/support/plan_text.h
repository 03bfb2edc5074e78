/*
 * plan_text.h: a plan as one line, for tests that say what they expect of it:
 *     "disable +description:off, rename to uid=ann,ou=left,dc=x =mail:ann@x"
 * Threads: one. A difference ends the test.
 */
#ifndef PROVOST_TESTS_SUPPORT_PLAN_TEXT_H
#define PROVOST_TESTS_SUPPORT_PLAN_TEXT_H

#include "base/str.h"
#include "plan/plan.h"

static inline void add_change_text(struct buf *text, const struct change *change)
{
    static const char signs[] = { [CHANGE_ADD] = '+', [CHANGE_DELETE] = '-', [CHANGE_REPLACE] = '=' };

    buf_printf(text, " %c%s", signs[change->kind], change->name);
    for (size_t v = 0; v < json_array_size(change->values); v++)
        buf_printf(text, "%c%s", v == 0 ? ':' : '|', json_string_value(json_array_get(change->values, v)));
}

static inline void assert_plan_text(const struct plan *plan, const char *expected)
{
    cleanup_buf struct buf text = { 0 };

    for (size_t i = 0; i < plan->operation_count; i++) {
        const struct operation *operation = &plan->operations[i];
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", operation_kind_name(operation->kind));
        if (operation->new_locator != NULL)
            buf_printf(&text, " to %s", operation->new_locator);
        for (size_t c = 0; c < operation->change_count; c++)
            add_change_text(&text, &operation->changes[c]);
    }
    if (text.length == 0)
        buf_add_str(&text, "none");
    if (strcmp(text.bytes, expected) != 0)
        fail_msg("expected \"%s\", got \"%s\"", expected, text.bytes);
}

#endif
