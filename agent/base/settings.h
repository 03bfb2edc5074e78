/*
 * settings.h: reads a libconfig file with its includes, and says what is wrong.
 *
 * Calling sequence: config_init → settings_read → use → config_destroy, by the
 * caller, on failure too.
 * `@include "name"` is taken relative to the folder of the file that was read
 * first; an absolute name cannot be included (libconfig 1.5 joins it to that folder).
 * Errors: mistakes go into `problems` with file:line; negative when there was
 * any. What libconfig itself would end the process for (a folder where a file
 * should be) is found before it is called.
 * Threads: no state. Ownership: nothing is kept; `path` is copied by libconfig.
 */
#ifndef PROVOST_BASE_SETTINGS_H
#define PROVOST_BASE_SETTINGS_H

#include <libconfig.h>

#include "base/problem.h"

int settings_read(config_t *config, const char *path, struct problems *problems);

#endif
