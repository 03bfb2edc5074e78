/*
 * look.h: what waits for whom in a store's file, for a program beside the
 * agent, whether that runs or not.
 *
 * The file is opened for reading only. Nothing is created beside it, and the
 * agent is not held up: a reader never keeps its writer waiting.
 * Ownership: the list is the caller's (store_targets_free). Threads: any.
 * Errors: ERROR_NOTFOUND when there is no such file yet; else the sentence says
 * why the file cannot be looked into, which is not the same as "nothing waits".
 */
#ifndef PROVOST_STORE_LOOK_H
#define PROVOST_STORE_LOOK_H

#include "store/store.h"

int store_look(const char *path, struct store_target **ret_targets, size_t *ret_count, struct error *error);

#endif
