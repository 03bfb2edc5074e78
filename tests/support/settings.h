/*
 * settings.h: a target's settings from libconfig text, through the connector's
 * own option table and check; the test fails on any problem they find.
 * Ownership: freed by settings_free. Threads: no state.
 */
#ifndef PROVOST_TESTS_SUPPORT_SETTINGS_H
#define PROVOST_TESTS_SUPPORT_SETTINGS_H

#include "connectors/connector.h"

void *settings_make(const struct connector_ops *ops, const char *text);
void settings_free(const struct connector_ops *ops, void *settings); /* NULL is allowed */

#endif
