#include "base/random.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t system_next(struct random_source *source)
{
    uint64_t value;

    (void)source;
    /* 8 bytes are never cut short once the pool is ready (getrandom(2)) */
    while (getrandom(&value, sizeof(value), 0) != sizeof(value))
        ;
    return value;
}

struct random_source *random_system(void)
{
    static struct random_source source = { system_next };

    return &source;
}

uint64_t random_below(struct random_source *source, uint64_t limit)
{
    return limit == 0 ? 0 : (uint64_t)(((unsigned __int128)source->next(source) * limit) >> 64);
}

static uint64_t seeded_next(struct random_source *source)
{
    struct random_seeded *seeded = (struct random_seeded *)source;
    uint64_t z = (seeded->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void random_seeded_init(struct random_seeded *seeded, uint64_t seed)
{
    seeded->source.next = seeded_next;
    seeded->state = seed;
}
