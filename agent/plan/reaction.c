/* The values of `on`: "provision", "disable, remove after 30 days". */
#include "base/str.h"
#include "plan/mapping.h"

const char *const on_names[ON_COUNT + 1] = { "created", "activated", "suspended", "deactivated", "deleted", "left_scope", NULL };
const char *const action_names[ACTION_COUNT + 1] = { "provision", "disable", "remove", "keep", NULL };

#define REACTION_RULE "provision, disable, remove, keep, \"remove after 30 days\" or \"disable, remove after 30 days\""
#define AFTER "remove after "

static int parse_part(const char *part, struct reaction *reaction, bool *acted, struct error *error)
{
    long long us;

    if (str_starts(part, AFTER)) {
        if (!str_to_duration_us(part + strlen(AFTER), &us) || us <= 0)
            return error_set(error, ERROR_INVALID, "\"%s\" is no time span; write it like \"30 days\"", part + strlen(AFTER));
        reaction->remove_after_us = us;
        return 0;
    }
    for (int i = 0; i < ACTION_COUNT; i++) {
        if (strcmp(part, action_names[i]) != 0)
            continue;
        if (*acted)
            return error_set(error, ERROR_INVALID, "\"%s\" follows another action; one of them only", part);
        reaction->action = (enum action)i;
        *acted = true;
        return 0;
    }
    const char *nearest = str_nearest(part, action_names);
    return error_set(error, ERROR_INVALID, "unknown action \"%s\"; %s%s%s", part, nearest != NULL ? "did you mean \"" : "",
                     nearest != NULL ? nearest : "possible are " REACTION_RULE, nearest != NULL ? "\"?" : "");
}

int reaction_parse(const char *text, struct reaction *ret_reaction, struct error *error)
{
    cleanup_free char *copy = strdup(text);
    struct reaction reaction = { ACTION_KEEP, 0 };
    bool acted = false;
    char *rest = copy;

    if (copy == NULL)
        return error_nomem(error);
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        while (*part == ' ')
            part++;
        for (size_t n = strlen(part); n > 0 && part[n - 1] == ' ';)
            part[--n] = '\0';
        int code = parse_part(part, &reaction, &acted, error);
        if (code < 0)
            return code;
    }
    if (reaction.remove_after_us > 0 && (reaction.action == ACTION_PROVISION || reaction.action == ACTION_REMOVE))
        return error_set(error, ERROR_INVALID, "\"%s\" does not go with a later removal; possible are " REACTION_RULE, text);
    *ret_reaction = reaction;
    return 0;
}
