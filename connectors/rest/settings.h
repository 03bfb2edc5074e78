/*
 * settings.h: the options of a target of kind "rest" (its `settings` group).
 * Filled by base/option.h; shared by all sessions of the target, read-only.
 */
#ifndef PROVOST_CONNECTORS_REST_SETTINGS_H
#define PROVOST_CONNECTORS_REST_SETTINGS_H

#include "connectors/http/settings.h"

struct rest_settings {
    struct http_settings http;
    char *probe;                      /* NULL: the url itself */
    char *idempotency_header;         /* "": none is sent */
    const config_setting_t *outcomes; /* NULL: none */
    int64_t lost_answer_wait_us;
};

extern const struct option_row rest_options[];

/* The rules between options. No I/O. */
void rest_settings_check(const void *settings, const char *file, int line, struct problems *problems);

#endif
