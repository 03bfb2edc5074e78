#include "deliver/latency.h"

#include <stdlib.h>
#include <string.h>

void latency_add(struct latency *latency, int64_t us)
{
    latency->us[latency->count++ % LATENCY_MOST] = us;
}

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t latency_percentile(const struct latency *latency, int percent)
{
    int64_t sorted[LATENCY_MOST];
    size_t count = latency->count < LATENCY_MOST ? (size_t)latency->count : LATENCY_MOST;

    if (count == 0)
        return 0;
    memcpy(sorted, latency->us, count * sizeof(sorted[0]));
    qsort(sorted, count, sizeof(sorted[0]), compare_us);
    return sorted[(count * (size_t)percent + 99) / 100 - 1];
}
