/*
 * caller.h: who asks at the control socket, as the kernel tells, and what the
 * caller may do.
 *
 * Two rights: to look, and to steer. Where no group of readers is configured
 * the socket file alone decides (mode 0660), and whoever may open it may steer.
 * Else anybody can open it, and these may steer: root, the agent's own user,
 * and members of the agent's own group; members of the readers' group may look.
 *
 * Threads: any. Ownership: plain values. Errors: what the kernel does not tell
 * is no right (`uid` -1, RIGHT_NONE).
 * Source: unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS.
 */
#ifndef PROVOST_CONTROL_CALLER_H
#define PROVOST_CONTROL_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CALLER_NAME_BYTES 64

enum right { RIGHT_NONE, RIGHT_LOOK, RIGHT_STEER };

struct caller {
    int64_t uid;
    char name[CALLER_NAME_BYTES]; /* "": the system knows none */
    enum right right;
};

struct caller caller_of(int fd, bool has_readers, gid_t readers);

#endif
