#include "deliver/deliver_private.h"

int64_t retry_delay_us(const struct deliver_target *target, struct random_source *random, int attempt, int64_t retry_after_us)
{
    int64_t span_us = target->retry_base_us;

    for (int i = 1; i < attempt && span_us < target->retry_most_us; i++)
        span_us *= 2;
    if (span_us > target->retry_most_us)
        span_us = target->retry_most_us;
    int64_t delay_us = (int64_t)random_below(random, (uint64_t)span_us + 1);
    return delay_us > retry_after_us ? delay_us : retry_after_us;
}
