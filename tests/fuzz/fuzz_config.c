/*
 * fuzz_config: any text as provost.conf, with the real connectors and a
 * mapping file beside it. Nothing crashes; what is refused comes with a
 * sentence, and no sentence has a secret; what is taken is within its bounds.
 *
 * The input: the file. Good ones name hook.secret as "env:FUZZ_SECRET" and
 * their mapping as mappings = "." and "people.conf".
 */
#include "tests/fuzz/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "config/config.h"
#include "plan/plan.h"
#include "tests/fuzz/scratch.h"

#define SECRET "tell-nobody-7f3a"

static const char people[] = "target = \"corp\"; kind = \"user\"; match = ( \"(employeeNumber={id})\" );\n"
                             "account: { dn = \"uid={login},dc=x\"; objectClass = [ \"person\" ]; sn = \"{name}\"; };\n"
                             "disable: { passwordLock = \"TRUE\"; description = \"gone\"; };\n";

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_config: %s\n", what);
    abort();
}

static const char *kind_of(const struct mapping *mapping)
{
    return identity_kind_name(mapping_kind(mapping));
}

static const struct config_loader loader = { mapping_load, mapping_free, mapping_target, kind_of, mapping_version, mapping_places };

static void check_bounds(const struct config *config, unsigned flags)
{
    demand(config->listen.port >= 0 && config->listen.port <= 65535, "a port that is none");
    demand(config->listen.body_bytes_most >= 1024 && config->listen.timeout_us > 0 && config->listen.connections_most > 0, "no bound");
    demand(config->hook.path[0] == '/' && config->hook.header[0] != '\0', "a hook that nothing reaches");
    demand((flags & CONFIG_SECRETS) == 0 || config->hook.secret != NULL, "a hook without its secret");
    for (size_t i = 0; i < config->target_count; i++) {
        const struct config_target *target = &config->targets[i];
        demand(target->name[0] != '\0' && target->workers > 0 && target->retry.attempts > 0, "a target that does nothing");
        demand((flags & CONFIG_MAPPINGS) == 0 || (target->ops != NULL && target->settings != NULL), "a target without its connector");
    }
}

/* `told`: the text is in the file itself. */
static void load(const char *path, unsigned flags, bool told)
{
    struct problems problems = { 0 };
    struct config *config = NULL;
    int code = config_load(path, flags, &loader, &problems, &config);

    demand((code == 0) == (problems.count == 0) && (code == 0) == (config != NULL), "taken with problems, or refused without a word");
    for (size_t i = 0; i < problems.count; i++) {
        const char *text = problems.list[i].text;
        demand(text[0] != '\0', "a problem without a sentence");
        demand(told || strstr(text, SECRET) == NULL, "a secret in an error");
    }
    if (config != NULL)
        check_bounds(config, flags);
    config_free(config);
    problems_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    setenv("FUZZ_SECRET", SECRET, 1);
    free(scratch_write("people.conf", people, strlen(people)));
    cleanup_free char *path = scratch_write("provost.conf", data, size);
    bool told = memmem(data, size, SECRET, strlen(SECRET)) != NULL;
    load(path, 0, told);
    load(path, CONFIG_SECRETS | CONFIG_MAPPINGS, told);
    return 0;
}

REPLAY_MAIN("config")
