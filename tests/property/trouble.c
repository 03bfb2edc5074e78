#include "tests/property/trouble.h"

#include <string.h>

#include "base/random.h"

static const struct code {
    enum outcome outcome;
    enum refusal refusal;
    int number;
    const char *words;
} records[] = {
    { OUTCOME_RETRY, REFUSAL_UNSURE, 50, "no right to write this" },
    { OUTCOME_RETRY, REFUSAL_UNSURE, 53, "unwilling to do this" },
    { OUTCOME_RETRY, REFUSAL_SURE, 51, "busy" },
    { OUTCOME_REJECTED, REFUSAL_SURE, 19, "a constraint is violated" },
    { OUTCOME_REJECTED, REFUSAL_SURE, 21, "not of the syntax" },
    { OUTCOME_RETRY, REFUSAL_SURE, 0, "no answer in time" },
}, windows[] = {
    { OUTCOME_RETRY, REFUSAL_UNSURE, 53, "no changes are taken" },
    { OUTCOME_RETRY, REFUSAL_UNSURE, 50, "the rights are being mended" },
    { OUTCOME_TARGET_DOWN, REFUSAL_SURE, 10, "another server is the master" },
}, closed[] = {
    { OUTCOME_RETRY, REFUSAL_UNSURE, 50, "no right to write this group" },
    { OUTCOME_REJECTED, REFUSAL_SURE, 19, "the group is closed" },
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct trouble trouble_make(uint64_t seed, const char *const *names, size_t count)
{
    struct random_seeded chance;
    struct trouble trouble = { .seed = seed };

    random_seeded_init(&chance, seed * 2654435761u + 1);
    uint64_t kinds = 1 + random_below(&chance.source, 7);
    if (kinds & 1)
        trouble.refused_every = 2 + (int)random_below(&chance.source, 8);
    if (kinds & 2) {
        trouble.window_every = 20 + (int)random_below(&chance.source, 60);
        trouble.window = 1 + (int)random_below(&chance.source, 15);
    }
    if (kinds & 4)
        trouble.closed = names[random_below(&chance.source, count)];
    return trouble;
}

bool trouble_refuses(const struct trouble *trouble)
{
    return trouble->refused_every != 0 || trouble->window_every != 0 || trouble->closed != NULL;
}

struct trouble trouble_rest(const struct trouble *trouble)
{
    return (struct trouble){ .closed = trouble->closed, .seed = trouble->seed };
}

static bool is_named(const char *dn, const char *name)
{
    size_t length = strlen(name);

    return dn != NULL && strncmp(dn, "cn=", 3) == 0 && strncmp(dn + 3, name, length) == 0 && dn[3 + length] == ',';
}

static bool is_closed(const struct trouble *trouble, const struct operation *operation)
{
    return trouble->closed != NULL && operation->group &&
           (is_named(operation->locator, trouble->closed) || is_named(operation->new_locator, trouble->closed));
}

bool trouble_meets(const struct trouble *trouble, int number, const struct operation *operation, struct receipt *receipt)
{
    size_t pick = (size_t)(trouble->seed / 7 + (uint64_t)number * 40503u / 16);
    const struct code *code = NULL;

    if (trouble->window_every != 0 && number % trouble->window_every < trouble->window)
        code = &windows[trouble->seed % COUNT(windows)];
    else if (is_closed(trouble, operation))
        code = &closed[trouble->seed % COUNT(closed)];
    else if (trouble->refused_every != 0 && number % trouble->refused_every == 0)
        code = &records[pick % COUNT(records)];
    if (code == NULL)
        return false;
    receipt_set(receipt, code->outcome, code->number, "%s", code->words);
    receipt->refusal = code->refusal;
    receipt->answered = code->number != 0;
    return true;
}
