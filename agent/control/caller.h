/*
 * caller.h: who asks at the control socket, as the kernel tells.
 *
 * Threads: any. Ownership: plain values. Errors: what the kernel does not tell
 * is no right (`uid` -1, RIGHT_NONE).
 * Source: unix(7), SO_PEERCRED and SO_PEERGROUPS.
 */
#ifndef PROVOST_CONTROL_CALLER_H
#define PROVOST_CONTROL_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#define CALLER_NAME_BYTES 64

struct caller {
    int64_t uid;
    char name[CALLER_NAME_BYTES]; /* "": the system knows none */
};

struct caller caller_of(int fd);

#endif
