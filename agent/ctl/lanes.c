/* provostctl retry, drop, hold, resume, reload: what people ask the agent to do. */
#include "base/str.h"
#include "ctl/api.h"

static int call(struct ctl *ctl, const char *path, const struct api_param *params, json_t **ret_json)
{
    int code = api_call(ctl, "POST", path, params, ret_json);

    if (code == 0 && ctl->json)
        ctl_print_json(json_incref(*ret_json));
    return code;
}

/* Without a target and a user it is all of them, which must be said. */
static int handle_dead(struct ctl *ctl, const char *path, const char *done)
{
    const char *target = ctl->count > 0 ? ctl->operands[0] : ctl_value(ctl, "target");
    const struct api_param params[] = { { "target", target }, { "user", ctl_value(ctl, "user") }, { NULL, NULL } };
    json_t *json = NULL;

    if (target == NULL && params[1].value == NULL && ctl_value(ctl, "all") == NULL)
        return ctl_fail(CTL_USAGE, "which dead letters? Name a target, a --user, or --all");
    int code = call(ctl, path, params, &json);
    if (code != 0)
        return code;
    json_int_t lanes = json_integer_value(json_object_get(json, "lanes"));
    if (!ctl->json)
        printf("%" JSON_INTEGER_FORMAT " dead letter%s %s.\n", lanes, lanes == 1 ? "" : "s", done);
    json_decref(json);
    return CTL_OK;
}

int ctl_retry(struct ctl *ctl)
{
    return handle_dead(ctl, "/v1/retry", "tried again; `provostctl log -f` shows what comes of it");
}

int ctl_drop(struct ctl *ctl)
{
    return handle_dead(ctl, "/v1/drop", "given up");
}

static int set_held(struct ctl *ctl, const char *path, const char *says)
{
    const struct api_param params[] = { { "target", ctl->operands[0] }, { NULL, NULL } };
    json_t *json = NULL;
    int code = call(ctl, path, params, &json);

    if (code == 0 && !ctl->json)
        printf("%s %s\n", ctl->operands[0], says);
    json_decref(json);
    return code;
}

int ctl_hold(struct ctl *ctl)
{
    return set_held(ctl, "/v1/hold", "is held: events are taken and kept, nothing is written until `provostctl resume`.");
}

int ctl_resume(struct ctl *ctl)
{
    return set_held(ctl, "/v1/resume", "goes on.");
}

int ctl_reload(struct ctl *ctl)
{
    json_t *json = NULL;
    int code = call(ctl, "/v1/reload", NULL, &json);

    if (code == 0 && !ctl->json)
        printf("The agent works by the new configuration.\n");
    json_decref(json);
    return code;
}
