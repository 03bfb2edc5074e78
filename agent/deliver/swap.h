/*
 * swap.h: accounts that change places, each of which waits for the next one
 * to go: two people who swap their logins, three whose names go round.
 *
 * One of the ring, the one whose id sorts first, steps aside to a place near
 * the one it shall have ("uid=ann~00u17"); the next can go then and is woken.
 * The first comes to its own place when it is tried again. Whoever waits for
 * an account that is not in a ring, or nobody's we know, only waits.
 *
 * Private to deliver/. Threads: none of its own.
 */
#ifndef PROVOST_DELIVER_SWAP_H
#define PROVOST_DELIVER_SWAP_H

#include "deliver/run.h"

/* After `operation`, a move, could not be made for now. True: it has stepped
 * aside: all steps again. False: the run's result stays as it is, or says what failed. */
bool swap_step_aside(struct lane_run *run, const struct operation *operation);

#endif
