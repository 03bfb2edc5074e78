#include "control/caller.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>

struct caller caller_of(int fd)
{
    struct caller caller = { .uid = -1 };
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    struct passwd entry, *found = NULL;
    char room[4096];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        return caller;
    caller.uid = peer.uid;
    if (getpwuid_r(peer.uid, &entry, room, sizeof(room), &found) == 0 && found != NULL)
        snprintf(caller.name, sizeof(caller.name), "%s", entry.pw_name);
    return caller;
}
