/*
 * target.h: the `targets` list of provost.conf. For config.c only.
 *
 * Calling sequence: targets_load fills config->targets and target_count from
 * the list; targets_free releases them.
 * Ownership: as in config.h. Threads: none. Errors: go into `problems`.
 */
#ifndef PROVOST_CONFIG_TARGET_H
#define PROVOST_CONFIG_TARGET_H

#include "config/config.h"

void targets_load(struct config *config, const config_setting_t *list, unsigned flags, const struct config_loader *loader,
                  struct problems *problems);
void targets_free(struct config *config, const struct config_loader *loader);
void targets_print_man(FILE *stream);

#endif
