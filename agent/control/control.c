#include "control/control.h"

#include <errno.h>
#include <grp.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "control/caller.h"

#define BACKLOG 128 /* a crowd of strangers is turned away one by one */

struct control {
    struct control_settings settings;
    char *socket;
    gid_t readers; /* where settings.readers names a group */
    int strangers; /* connected, without any right */
    struct MHD_Daemon *daemon;
};

struct request {
    struct control *control;
    struct MHD_Connection *connection;
    const struct caller *caller;
};

/* A route fills in *ret_json and returns an HTTP status. */
typedef unsigned route_function(struct request *request, json_t **ret_json, struct error *error);

static const char *argument(const struct request *request, const char *name)
{
    const char *value = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);

    return value != NULL && *value != '\0' ? value : NULL;
}

static int64_t number_argument(const struct request *request, const char *name, int64_t fallback)
{
    const char *text = argument(request, name);
    long long value;

    return text != NULL && str_to_int64(text, &value) && value >= 0 ? value : fallback;
}

static unsigned status_of(int code)
{
    switch (code) {
    case 0:
        return MHD_HTTP_OK;
    case ERROR_NOTFOUND:
        return MHD_HTTP_NOT_FOUND;
    case ERROR_INVALID:
    case ERROR_SYNTAX:
        return MHD_HTTP_BAD_REQUEST;
    case ERROR_AMBIGUOUS:
    case ERROR_EXISTS:
        return MHD_HTTP_CONFLICT;
    default:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
}

static struct store_filter filter_of(const struct request *request)
{
    return (struct store_filter){
        .target = argument(request, "target"),
        .user = argument(request, "user"),
        .type = argument(request, "type"),
        .outcome = argument(request, "outcome"),
        .before_row = number_argument(request, "before", 0),
        .most = (size_t)number_argument(request, "most", 100),
    };
}

/* ---- routes ---- */

static unsigned get_status(struct request *request, json_t **ret_json, struct error *error)
{
    const struct control_settings *settings = &request->control->settings;

    *ret_json = settings->status(settings->arg);
    return *ret_json != NULL ? MHD_HTTP_OK : status_of(error_nomem(error));
}

static int find_target(const struct request *request, const char *target, enum control_target *ret_found, struct error *error)
{
    const struct control_settings *settings = &request->control->settings;

    *ret_found = CONTROL_TARGET_HERE;
    int code = target == NULL ? 0 : settings->find_target(settings->arg, target, ret_found, error);
    if (code < 0 || *ret_found != CONTROL_TARGET_UNKNOWN)
        return code;
    return error_set(error, ERROR_NOTFOUND, "there is no target \"%s\" in the configuration", target);
}

/* For what can be asked of a target that is gone, too. */
static int check_target(const struct request *request, const char *target, struct error *error)
{
    enum control_target found;

    return find_target(request, target, &found, error);
}

/* For what a target that is gone cannot do. */
static int check_target_is_here(const struct request *request, const char *target, struct error *error)
{
    enum control_target found;
    int code = find_target(request, target, &found, error);

    if (code < 0 || found == CONTROL_TARGET_HERE)
        return code;
    return error_set(error, ERROR_NOTFOUND, "the target \"%s\" is not configured any more: add it to the configuration again, "
                     "or give its work up with `provostctl drop %s`", target, target);
}

/* An empty list is no answer about a target or user that was never heard of: a typing error would read as "all is well". */
static int check_empty(struct request *request, const struct store_filter *filter, json_t **json, struct error *error)
{
    cleanup_free char *id = NULL;
    enum identity_kind kind;
    int code = 0;

    if (json_array_size(*json) > 0)
        return 0;
    code = check_target(request, filter->target, error);
    if (code == 0 && filter->user != NULL)
        code = store_find_identity(request->control->settings.store, filter->user, &kind, &id, error);
    if (code < 0) {
        json_decref(*json);
        *json = NULL;
    }
    return code;
}

static unsigned get_events(struct request *request, json_t **ret_json, struct error *error)
{
    struct store_filter filter = filter_of(request);
    int code = store_list_events(request->control->settings.store, &filter, ret_json, error);

    return status_of(code < 0 ? code : check_empty(request, &filter, ret_json, error));
}

static unsigned get_dead(struct request *request, json_t **ret_json, struct error *error)
{
    struct store_filter filter = filter_of(request);
    int code = store_list_dead(request->control->settings.store, &filter, ret_json, error);

    return status_of(code < 0 ? code : check_empty(request, &filter, ret_json, error));
}

static unsigned get_waiting(struct request *request, json_t **ret_json, struct error *error)
{
    const struct control_settings *settings = &request->control->settings;
    const char *target = argument(request, "target");
    int code = check_target(request, target, error);

    return status_of(code < 0 ? code : settings->waiting(settings->arg, target, argument(request, "leavers") != NULL,
                                                         (size_t)number_argument(request, "most", 100), ret_json, error));
}

static unsigned get_quarantine(struct request *request, json_t **ret_json, struct error *error)
{
    size_t most = (size_t)number_argument(request, "most", 20);

    return status_of(store_list_quarantine(request->control->settings.store, most, ret_json, error));
}

static unsigned get_show(struct request *request, json_t **ret_json, struct error *error)
{
    const char *id = argument(request, "id");

    if (id == NULL)
        return status_of(error_set(error, ERROR_INVALID, "show needs the id of an event, an identity or an operation"));
    return status_of(store_show(request->control->settings.store, id, ret_json, error));
}

/* Whose work is meant: the target and the user's id, each NULL where it was not named. */
static int read_whose(struct request *request, const char **ret_target, char **ret_id, struct error *error)
{
    const char *user = argument(request, "user");
    enum identity_kind kind;

    *ret_target = argument(request, "target");
    if (*ret_target == NULL && user == NULL)
        return error_set(error, ERROR_INVALID, "name a target, a user or both");
    return user == NULL ? 0 : store_find_identity(request->control->settings.store, user, &kind, ret_id, error);
}

static unsigned post_retry(struct request *request, json_t **ret_json, struct error *error)
{
    const struct control_settings *settings = &request->control->settings;
    const char *target;
    cleanup_free char *id = NULL;
    int code = read_whose(request, &target, &id, error);

    if (code == 0)
        code = check_target_is_here(request, target, error);
    int taken = code == 0 && argument(request, "dropped") != NULL ? store_take_back(settings->store, target, id, error) : code;
    if (taken >= 0)
        code = store_retry_dead(settings->store, target, id, error);
    if (taken < 0 || code < 0)
        return status_of(taken < 0 ? taken : code);
    settings->wake(settings->arg, target);
    *ret_json = json_pack("{s:i, s:i}", "lanes", taken + code, "kept", 0);
    return MHD_HTTP_OK;
}

static unsigned post_drop(struct request *request, json_t **ret_json, struct error *error)
{
    const struct caller *caller = request->caller;
    cleanup_free char *by = str_printf("%s%suid %lld", caller->name, caller->name[0] != '\0' ? ", " : "", (long long)caller->uid);
    enum control_target found;
    const char *target;
    cleanup_free char *id = NULL;
    int64_t kept = 0;
    int code = read_whose(request, &target, &id, error);

    if (code == 0)
        code = find_target(request, target, &found, error);
    const struct store_drop drop = { .target = target, .id = id, .leavers = argument(request, "leavers") != NULL,
                                     .any_state = code == 0 && found == CONTROL_TARGET_GONE, .by = by };
    if (code == 0)
        code = store_drop(request->control->settings.store, &drop, &kept, error);
    if (code < 0)
        return status_of(code);
    *ret_json = json_pack("{s:i, s:I}", "lanes", code, "kept", (json_int_t)kept);
    return MHD_HTTP_OK;
}

static unsigned hold(struct request *request, bool held, json_t **ret_json, struct error *error)
{
    const struct control_settings *settings = &request->control->settings;
    const char *target = argument(request, "target");

    if (target == NULL)
        return status_of(error_set(error, ERROR_INVALID, "name the target"));
    int code = check_target_is_here(request, target, error);
    if (code == 0)
        code = settings->hold(settings->arg, target, held, error);
    if (code == 0)
        *ret_json = json_pack("{s:s, s:b}", "target", target, "held", held);
    return status_of(code);
}

static unsigned post_hold(struct request *request, json_t **ret_json, struct error *error)
{
    return hold(request, true, ret_json, error);
}

static unsigned post_resume(struct request *request, json_t **ret_json, struct error *error)
{
    return hold(request, false, ret_json, error);
}

/* The entry is looked at by the group's lane, which the directory answers. */
static unsigned post_link(struct request *request, json_t **ret_json, struct error *error)
{
    const struct control_settings *settings = &request->control->settings;
    const char *target = argument(request, "target"), *word = argument(request, "group"), *dn = argument(request, "dn");
    cleanup_free char *id = NULL;
    enum identity_kind kind;

    if (target == NULL || word == NULL || dn == NULL)
        return status_of(error_set(error, ERROR_INVALID, "name the target, the group and the DN of its entry"));
    int code = check_target(request, target, error);
    if (code == 0)
        code = store_find_identity(settings->store, word, &kind, &id, error);
    if (code == 0 && kind != IDENTITY_GROUP)
        code = error_set(error, ERROR_INVALID, "\"%s\" is a user; people are found by `match` of their mapping", word);
    if (code == 0)
        code = store_give_link(settings->store, target, id, dn, error);
    if (code < 0)
        return status_of(code);
    settings->wake(settings->arg, target);
    *ret_json = json_pack("{s:s, s:s, s:s}", "target", target, "group", id, "dn", dn);
    return MHD_HTTP_OK;
}

static unsigned post_reload(struct request *request, json_t **ret_json, struct error *error)
{
    const struct control_settings *settings = &request->control->settings;
    json_t *warnings = NULL;
    int code = settings->reload(settings->arg, &warnings, error);

    if (code == 0)
        *ret_json = json_pack("{s:b, s:o}", "reloaded", 1, "warnings", warnings);
    return status_of(code);
}

/* ---- who did what ---- */

static int64_t number_or_none(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return value != NULL ? json_integer_value(value) : -1;
}

/* What does not only look is told, whatever came of it. */
static void tell_act(const struct request *request, const char *path, unsigned status, const json_t *json,
                     const struct error *error)
{
    const struct caller *caller = request->caller;
    const struct act_report report = {
        .act = strrchr(path, '/') + 1,
        .outcome = status == MHD_HTTP_OK ? "done" : status == MHD_HTTP_FORBIDDEN ? "refused" : "failed",
        .by = caller->name[0] != '\0' ? caller->name : NULL,
        .uid = caller->uid,
        .target = argument(request, "target"),
        .user = argument(request, "user"),
        .group = argument(request, "group"),
        .account = argument(request, "dn"),
        .leavers = argument(request, "leavers") != NULL,
        .lanes = number_or_none(json, "lanes"),
        .kept = number_or_none(json, "kept"),
        .reason = status == MHD_HTTP_OK ? NULL : error->text,
    };

    if (request->control->settings.log != NULL)
        report_act(request->control->settings.log, &report);
}

/* ---- calls ---- */

static const struct route_row {
    const char *method;
    const char *path;
    route_function *function;
} routes[] = {
    { "GET", "/v1/status", get_status },
    { "GET", "/v1/events", get_events },
    { "GET", "/v1/show", get_show },
    { "GET", "/v1/dead", get_dead },
    { "GET", "/v1/waiting", get_waiting },
    { "GET", "/v1/quarantine", get_quarantine },
    { "POST", "/v1/retry", post_retry },
    { "POST", "/v1/drop", post_drop },
    { "POST", "/v1/hold", post_hold },
    { "POST", "/v1/resume", post_resume },
    { "POST", "/v1/link", post_link },
    { "POST", "/v1/reload", post_reload },
};

static unsigned refuse(const struct request *request, struct error *error)
{
    const struct caller *caller = request->caller;

    error_set(error, ERROR_DENIED, "%s%suid %lld may %s: steering is for root and provostd's own group, looking for the group "
              "%s, too "
              "(control_readers in the configuration)", caller->name, caller->name[0] != '\0' ? ", " : "", (long long)caller->uid,
              caller->right == RIGHT_LOOK ? "only look" : "neither look nor steer", request->control->settings.readers);
    return MHD_HTTP_FORBIDDEN;
}

/* What is no GET changes something. */
static unsigned run(struct request *request, const struct route_row *route, json_t **ret_json, struct error *error)
{
    bool steers = strcmp(route->method, "GET") != 0;
    bool may = request->caller->right >= (steers ? RIGHT_STEER : RIGHT_LOOK);
    unsigned status = may ? route->function(request, ret_json, error) : refuse(request, error);

    if (steers && request->caller->right != RIGHT_NONE) /* strangers could fill the log */
        tell_act(request, route->path, status, *ret_json, error);
    return status;
}

static unsigned dispatch(struct request *request, const char *method, const char *path, json_t **ret_json, struct error *error)
{
    bool path_known = false;

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        path_known = true;
        if (strcmp(routes[i].method, method) == 0)
            return run(request, &routes[i], ret_json, error);
    }
    error_set(error, ERROR_NOTFOUND, "%s %s: %s", method, path, path_known ? "another method is right here" : "there is no such call");
    return path_known ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
}

/* ---- HTTP ---- */

/* The sentence quotes the request, which may be anything; JSON takes no more than UTF-8. */
static json_t *error_object(const struct error *error)
{
    cleanup_buf struct buf sentence = { 0 };

    buf_add_visible(&sentence, error->text);
    return json_pack("{s:s}", "error", sentence.bytes != NULL ? sentence.bytes : "");
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    struct MHD_Response *response =
        text != NULL ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE) : NULL;

    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

#define STRANGERS_MOST 4        /* at a time, so that they cannot take all places */
#define STRANGER_SECONDS_MOST 2u

/* A stranger gets an answer, in a moment; one too many gets none. */
static void bound_stranger(struct control *control, struct MHD_Connection *connection, int fd)
{
    if (++control->strangers > STRANGERS_MOST)
        shutdown(fd, SHUT_RDWR);
    else
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, STRANGER_SECONDS_MOST);
}

/* The caller is asked of the kernel once for each connection. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
    struct control *control = arg;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        struct caller *caller = *context = malloc(sizeof(*caller));
        if (caller != NULL)
            *caller = caller_of(fd, control->settings.readers != NULL, control->readers);
        if (caller != NULL && caller->right == RIGHT_NONE)
            bound_stranger(control, connection, fd);
    } else if (*context != NULL) {
        control->strangers -= ((struct caller *)*context)->right == RIGHT_NONE;
        free(*context);
    }
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *body, size_t *body_bytes, void **state)
{
    static char seen;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request request = { arg, connection, info->socket_context };
    struct error error = { 0 };
    json_t *json = NULL;

    (void)version;
    (void)body;
    if (request.caller == NULL) /* no memory for it */
        return MHD_NO;
    if (*state == NULL) { /* headers only: wait for the end of the request */
        *state = &seen;
        return MHD_YES;
    }
    if (*body_bytes != 0) { /* no call takes a body */
        *body_bytes = 0;
        return MHD_YES;
    }
    unsigned status = dispatch(&request, method, path, &json, &error);
    if (status != MHD_HTTP_OK) {
        json_decref(json);
        json = error_object(&error);
    }
    enum MHD_Result result = answer(connection, status, json);
    json_decref(json);
    return result;
}

/* ---- the socket ---- */

static bool somebody_answers(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

    if (fd >= 0)
        close(fd);
    return answered;
}

static int socket_error(const char *path, struct error *error)
{
    return error_set(error, error_from_errno(errno), "control socket %s: %s", path, strerror(errno));
}

static int open_socket(const char *path, bool for_readers, int *ret_fd, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(error, ERROR_INVALID, "control socket %s: the path has more than %zu characters", path,
                         sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (somebody_answers(&address))
        return error_set(error, ERROR_BUSY, "control socket %s: another agent answers there; stop it first, or give this one its own", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return socket_error(path, error);
    mode_t mask = umask(for_readers ? 0111 : 0117);
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (bound < 0 || listen(fd, BACKLOG) < 0) {
        int code = socket_error(path, error);
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return 0;
}

static int find_readers(const char *name, gid_t *ret_group, struct error *error)
{
    struct group entry, *found = NULL;
    char room[16384];

    if (name == NULL)
        return 0;
    int errnum = getgrnam_r(name, &entry, room, sizeof(room), &found);
    if (found == NULL)
        return error_set(error, ERROR_NOTFOUND, "control_readers: there is no group \"%s\"%s%s; create it, or name another", name,
                         errnum != 0 ? ": " : "", errnum != 0 ? strerror(errnum) : "");
    *ret_group = found->gr_gid;
    return 0;
}

int control_start(const struct control_settings *settings, struct control **ret_control, struct error *error)
{
    struct control *control = calloc(1, sizeof(*control));
    int fd = -1;

    if (control == NULL || (control->socket = strdup(settings->socket)) == NULL) {
        free(control);
        return error_nomem(error);
    }
    control->settings = *settings;
    int code = find_readers(settings->readers, &control->readers, error);
    if (code == 0)
        code = open_socket(settings->socket, settings->readers != NULL, &fd, error);
    if (code == 0) {
        control->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, on_request, control,
                                           MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_CONNECTION, on_connection, control,
                                           MHD_OPTION_CONNECTION_LIMIT, 32u,
                                           MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_END);
        if (control->daemon == NULL) {
            close(fd);
            code = error_set(error, ERROR_IO, "control socket %s: the HTTP server cannot be started", settings->socket);
        }
    }
    if (code < 0) {
        free(control->socket);
        free(control);
        return code;
    }
    *ret_control = control;
    return 0;
}

void control_stop(struct control *control)
{
    if (control == NULL)
        return;
    MHD_stop_daemon(control->daemon);
    unlink(control->socket);
    free(control->socket);
    free(control);
}
