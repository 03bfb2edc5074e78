#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "ctl/ctl.h"
#include "plan/plan.h"

int ctl_fail(int code, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "provostctl: %s\n", text.bytes != NULL ? text.bytes : "out of memory");
    return code;
}

static const char *kind_name(const struct mapping *mapping)
{
    return identity_kind_name(mapping_kind(mapping));
}

const struct config_loader ctl_loader = {
    .load_mapping = mapping_load,
    .free_mapping = mapping_free,
    .mapping_target = mapping_target,
    .mapping_kind = kind_name,
    .mapping_places = mapping_places,
};

bool ctl_has_no_config(const struct ctl *ctl)
{
    return !ctl->config_given && access(ctl->config_path, R_OK) < 0;
}

int ctl_load(const struct ctl *ctl, unsigned flags, struct config **ret_config)
{
    struct problems problems = { 0 };

    if (!ctl->config_given && access(ctl->config_path, R_OK) < 0)
        return ctl_fail(CTL_USAGE, "%s cannot be read: %s; name another with -c", ctl->config_path, strerror(errno));
    int code = config_load(ctl->config_path, flags, &ctl_loader, &problems, ret_config);
    if (code < 0) {
        problems_print(&problems, stderr);
        ctl_fail(CTL_UNWELL, "%zu mistake%s in the configuration", problems.count, problems.count == 1 ? "" : "s");
    }
    problems_free(&problems);
    return code < 0 ? CTL_UNWELL : 0;
}

void ctl_print_json(json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(json);
}

const char *ctl_paint(const struct ctl *ctl, enum ctl_colour colour)
{
    static const char *const codes[] = {
        [COLOUR_NONE] = "\033[0m", [COLOUR_BOLD] = "\033[1m",  [COLOUR_DIM] = "\033[2m",
        [COLOUR_GOOD] = "\033[32m", [COLOUR_WARN] = "\033[33m", [COLOUR_BAD] = "\033[31m",
    };

    return ctl->colour ? codes[colour] : "";
}
