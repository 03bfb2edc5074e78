/*
 * control.h: the local API on a Unix socket that provostctl speaks to.
 *
 * HTTP/1.1 with JSON answers. Who may connect is who may write to the socket
 * file (mode 0660, or 0666 with a group of readers); caller.h says who may
 * look (GET) and who may steer (POST).
 *   GET  /v1/status
 *   GET  /v1/events?target=&user=&type=&outcome=&before=&most=
 *   GET  /v1/show?id=
 *   GET  /v1/dead?target=&user=
 *   GET  /v1/waiting?target=&leavers=&most=
 *   GET  /v1/quarantine?most=
 *   POST /v1/retry?target=&user=&dropped=     {"lanes": N}
 *   POST /v1/drop?target=&user=&leavers=      {"lanes": N, "kept": N}
 *   POST /v1/hold?target=            {"target": …, "held": true}
 *   POST /v1/resume?target=
 *   POST /v1/link?target=&group=&dn= {"target": …, "group": id, "dn": …}
 *   POST /v1/reload                  {"reloaded": true, "warnings": […]}
 * An error is {"error": "sentence"} with 400, 403, 404, 405, 409 or 503.
 *
 * Calling sequence: control_start → control_stop. Ownership: settings are
 * copied, the store is borrowed. Threads: one of libmicrohttpd's; the
 * callbacks run on it. A socket file that a crash left is replaced; one that
 * a living agent answers on is an error.
 */
#ifndef PROVOST_CONTROL_CONTROL_H
#define PROVOST_CONTROL_CONTROL_H

#include <jansson.h>

#include "record/report.h"
#include "store/store.h"

struct control;

enum control_target {
    CONTROL_TARGET_UNKNOWN,
    CONTROL_TARGET_HERE, /* configured */
    CONTROL_TARGET_GONE, /* not any more, but the store knows it: it can be looked at, and its work given up */
};

struct control_settings {
    const char *socket;
    const char *readers; /* the group whose members may look; NULL: none, and all who can open the socket may steer */
    struct store *store;
    struct status_log *log; /* each act of a person is a line of it; NULL: none */
    void *arg;
    json_t *(*status)(void *arg);                                            /* a new object */
    /* Rows as of store_list_waiting, each with `why` and `next`. */
    int (*waiting)(void *arg, const char *target, bool leavers, size_t most, json_t **ret_array, struct error *error);
    int (*hold)(void *arg, const char *target, bool held, struct error *error);
    int (*find_target)(void *arg, const char *target, enum control_target *ret_found, struct error *error);
    void (*wake)(void *arg, const char *target);                             /* NULL: all */
    int (*reload)(void *arg, json_t **ret_warnings, struct error *error); /* a new list of sentences */
};

int control_start(const struct control_settings *settings, struct control **ret_control, struct error *error);
void control_stop(struct control *control); /* NULL is allowed */

#endif
