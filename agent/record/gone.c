#include "record/gone.h"

#include "base/str.h"

bool target_is_gone(const struct config *config, const char *target)
{
    for (size_t i = 0; i < config->target_count; i++)
        if (str_equal(config->targets[i].name, target))
            return false;
    return true;
}

/* A target without accounts that the store knows may be another's new name. */
static bool is_new(const struct config_target *target, const struct store_target *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(known[i].name, target->name))
            return !known[i].linked && known[i].lanes == 0;
    return true;
}

/* The only one that is new; NULL: there is none, or nobody can tell which. */
static const struct config_target *find_successor(const struct config *config, const struct store_target *known, size_t count)
{
    const struct config_target *found = NULL;

    for (size_t i = 0; i < config->target_count; i++) {
        if (!is_new(&config->targets[i], known, count))
            continue;
        if (found != NULL)
            return NULL;
        found = &config->targets[i];
    }
    return found;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

static void tell_work(const struct config *config, const struct store_target *gone, const struct config_target *successor,
                      struct problems *problems)
{
    cleanup_free char *leavers = gone->leavers == 0 ? str_printf("%s", "")
        : str_printf(", %lld of them still with access that must end", (long long)gone->leavers);
    cleanup_free char *waits = str_printf("targets: \"%s\" is not configured any more, but work for %lld user%s or group%s "
                                          "waits for it%s",
                                          gone->name, (long long)gone->lanes, plural(gone->lanes), plural(gone->lanes), leavers);
    cleanup_free char *drop = str_printf("give the work up with `provostctl drop %s%s`", gone->name,
                                         gone->leavers != 0 ? " --leavers" : "");

    if (successor != NULL)
        problems_add(problems, successor->name_file, successor->name_line, 0,
                     "%s: if \"%s\" is its new name, keep the old one, name = \"%s\"; here and target = \"%s\"; in its mapping "
                     "files; if it was removed for good, %s", waits, successor->name, gone->name, gone->name, drop);
    else
        problems_add(problems, config->targets_file, config->targets_line, 0,
                     "%s: add it again under this name; if it was removed for good, %s", waits, drop);
}

/* Nothing waits now, but a leaver of tomorrow would not be found by the link. */
static void tell_accounts(const struct store_target *gone, const struct config_target *successor, struct problems *problems)
{
    problems_add(problems, successor->name_file, successor->name_line, 0,
                 "targets: \"%s\" is not configured any more, and the accounts in it are known under that name alone: if \"%s\" "
                 "is its new name, keep the old one, name = \"%s\"; here and target = \"%s\"; in its mapping "
                 "files", gone->name, successor->name,
                 gone->name, gone->name);
}

void gone_targets_tell(const struct config *config, const struct store_target *targets, size_t count, struct problems *warnings,
                       struct problems *notes)
{
    const struct config_target *successor = find_successor(config, targets, count);

    for (size_t i = 0; i < count; i++) {
        if (!target_is_gone(config, targets[i].name))
            continue;
        if (targets[i].lanes > 0)
            tell_work(config, &targets[i], successor, warnings);
        else if (targets[i].linked && successor != NULL)
            tell_accounts(&targets[i], successor, notes);
    }
}
