/* provostctl retry, drop, link, hold, resume, reload: what people ask the agent to do. */
#include "base/str.h"
#include "ctl/api.h"
#include "ctl/table.h"

static int call(struct ctl *ctl, const char *path, const struct api_param *params, json_t **ret_json)
{
    int code = api_call(ctl, "POST", path, params, ret_json);

    if (code == 0 && ctl->json)
        ctl_print_json(json_incref(*ret_json));
    return code;
}

struct handled {
    json_int_t lanes;
    json_int_t kept; /* leavers' that were not dropped */
};

static int handle_target(const struct ctl *ctl, const char *path, const char *target, struct handled *handled)
{
    const struct api_param params[] = {
        { "target", target }, { "user", ctl_value(ctl, "user") }, { "leavers", ctl_value(ctl, "leavers") != NULL ? "1" : NULL },
        { "dropped", ctl_value(ctl, "dropped") != NULL ? "1" : NULL }, { NULL, NULL }
    };
    json_t *json = NULL;
    int code = api_call(ctl, "POST", path, params, &json);

    handled->lanes += json_integer_value(json_object_get(json, "lanes"));
    handled->kept += json_integer_value(json_object_get(json, "kept"));
    json_decref(json);
    return code;
}

static int handle_all(const struct ctl *ctl, const char *path, struct handled *handled)
{
    json_t *status = NULL;
    const json_t *target;
    size_t index;
    int code = api_call(ctl, "GET", "/v1/status", NULL, &status);

    json_array_foreach(json_object_get(status, "targets"), index, target)
        if (code == 0 && !str_equal(json_string_value(json_object_get(target, "state")), "gone")) /* that is asked for by name */
            code = handle_target(ctl, path, json_string_value(json_object_get(target, "name")), handled);
    json_decref(status);
    return code;
}

static void say_kept(json_int_t kept)
{
    printf("%" JSON_INTEGER_FORMAT " dead letter%s of leavers who still have access stay%s: --leavers gives these up, too.\n", kept,
           kept == 1 ? "" : "s", kept == 1 ? "s" : "");
}

/* Without a target and a user it is all of them, which must be said. */
static int handle_dead(struct ctl *ctl, const char *path, const char *done)
{
    const char *target = ctl->count > 0 ? ctl->operands[0] : ctl_value(ctl, "target");
    bool all = target == NULL && ctl_value(ctl, "user") == NULL;
    struct handled handled = { 0 };

    if (all && ctl_value(ctl, "all") == NULL)
        return ctl_fail(CTL_USAGE, "which dead letters? Name a target, a --user, or --all");
    int code = all ? handle_all(ctl, path, &handled) : handle_target(ctl, path, target, &handled);
    if (code != 0)
        return code;
    if (ctl->json)
        ctl_print_json(json_pack("{s:I, s:I}", "lanes", handled.lanes, "kept", handled.kept));
    else
        printf("%" JSON_INTEGER_FORMAT " dead letter%s %s.\n", handled.lanes, handled.lanes == 1 ? "" : "s", done);
    if (handled.kept > 0 && !ctl->json)
        say_kept(handled.kept);
    return handled.kept > 0 ? CTL_UNWELL : CTL_OK;
}

int ctl_retry(struct ctl *ctl)
{
    return handle_dead(ctl, "/v1/retry", ctl_value(ctl, "dropped") != NULL
                                             ? "taken back and tried again; `provostctl log -f` shows what comes of it"
                                             : "tried again; `provostctl log -f` shows what comes of it");
}

int ctl_drop(struct ctl *ctl)
{
    return handle_dead(ctl, "/v1/drop", "given up; `provostctl show` tells of each for 30 days");
}

int ctl_link(struct ctl *ctl)
{
    const struct api_param params[] = {
        { "target", ctl->operands[0] }, { "group", ctl->operands[1] }, { "dn", ctl->operands[2] }, { NULL, NULL }
    };
    json_t *json = NULL;
    int code = call(ctl, "/v1/link", params, &json);

    if (code == 0 && !ctl->json)
        printf("Group %s is to be linked to \"%s\"; `provostctl show %s` tells what comes of it.\n",
               json_string_value(json_object_get(json, "group")), ctl->operands[2], json_string_value(json_object_get(json, "group")));
    json_decref(json);
    return code;
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

/* The agent tells its own standard error all mistakes; here they are for the one who asked. */
static void print_mistakes(const struct ctl *ctl)
{
    struct problems problems = { 0 };
    struct config *config = NULL;

    config_load(ctl->config_path, CONFIG_MAPPINGS, &ctl_loader, &problems, &config);
    problems_print(&problems, stderr);
    problems_free(&problems);
    config_free(config);
}

static void print_warnings(const json_t *warnings)
{
    size_t index;
    const json_t *warning;

    json_array_foreach(warnings, index, warning) {
        table_put_text(json_string_value(warning));
        putchar('\n');
    }
}

int ctl_reload(struct ctl *ctl)
{
    json_t *json = NULL;
    int code = call(ctl, "/v1/reload", NULL, &json);

    if (code == CTL_UNWELL)
        print_mistakes(ctl);
    if (code == 0 && !ctl->json) {
        printf("The agent works by the new configuration.\n");
        print_warnings(json_object_get(json, "warnings"));
    }
    json_decref(json);
    return code;
}
