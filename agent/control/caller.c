#include "control/caller.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define GROUPS_MOST 65536 /* the kernel's own limit, NGROUPS_MAX */

static bool is_member(int fd, const struct ucred *peer, gid_t group)
{
    cleanup_free gid_t *groups = calloc(GROUPS_MOST, sizeof(*groups));
    socklen_t bytes = GROUPS_MOST * sizeof(*groups);

    if (peer->gid == group)
        return true;
    if (groups == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
        return false;
    for (size_t i = 0; i < bytes / sizeof(*groups); i++)
        if (groups[i] == group)
            return true;
    return false;
}

static enum right right_of(int fd, const struct ucred *peer, bool has_readers, gid_t readers)
{
    if (!has_readers || peer->uid == 0 || peer->uid == geteuid() || is_member(fd, peer, getegid()))
        return RIGHT_STEER;
    return is_member(fd, peer, readers) ? RIGHT_LOOK : RIGHT_NONE;
}

struct caller caller_of(int fd, bool has_readers, gid_t readers)
{
    struct caller caller = { .uid = -1, .right = RIGHT_NONE };
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    struct passwd entry, *found = NULL;
    char room[4096];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        return caller;
    caller.uid = peer.uid;
    caller.right = right_of(fd, &peer, has_readers, readers);
    if (getpwuid_r(peer.uid, &entry, room, sizeof(room), &found) == 0 && found != NULL)
        snprintf(caller.name, sizeof(caller.name), "%s", entry.pw_name);
    return caller;
}
