/*
 * gone.h: targets that the store has work for and the configuration does not
 * name (any more): nobody works on it, and a leaver there stays in.
 *
 * Each is a problem at the line that helps: of the target that may have got its
 * place, or of the list of targets. The text is what to write there, or to type.
 * A target without work, but with accounts, that seems to be renamed is a note.
 * Threads: no state. Ownership: both lists are the caller's, and may be one.
 */
#ifndef PROVOST_RECORD_GONE_H
#define PROVOST_RECORD_GONE_H

#include "config/config.h"
#include "store/store.h"

bool target_is_gone(const struct config *config, const char *target);
void gone_targets_tell(const struct config *config, const struct store_target *targets, size_t count, struct problems *warnings,
                       struct problems *notes);

#endif
