#include "tests/support/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void parse(const struct connector_ops *ops, const char *text, void *settings, struct problems *problems)
{
    config_t config;

    config_init(&config);
    if (config_read_string(&config, text) != CONFIG_TRUE)
        problems_add(problems, NULL, config_error_line(&config), 0, "%s", config_error_text(&config));
    else
        options_parse(ops->options, config_root_setting(&config), "settings", settings, problems);
    config_destroy(&config);
}

void *settings_make(const struct connector_ops *ops, const char *text)
{
    struct problems problems = { 0 };
    void *settings = calloc(1, ops->settings_bytes);

    assert_non_null(settings);
    parse(ops, text, settings, &problems);
    if (problems.count == 0 && ops->check != NULL)
        ops->check(settings, "test", 1, &problems);
    if (problems.count != 0)
        fail_msg("settings { %s }: %s", text, problems.list[0].text);
    problems_free(&problems);
    return settings;
}

void settings_free(const struct connector_ops *ops, void *settings)
{
    if (settings != NULL)
        options_free(ops->options, settings);
    free(settings);
}
