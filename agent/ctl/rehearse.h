/*
 * rehearse.h: what the first joiner and the first leaver will do at a target,
 * without writing, for `provostctl check --connect`.
 *
 * Ownership: the result is the caller's. Threads: one.
 * Errors: told in the result.
 */
#ifndef PROVOST_CTL_REHEARSE_H
#define PROVOST_CTL_REHEARSE_H

#include "config/config.h"
#include "connectors/connector.h"

/* For each mapping file { "mapping", "ok", "problems": [texts], "note" }; people first. */
json_t *rehearse_target(const struct config_target *target, struct connector_session *session);

#endif
