#include "connectors/session/redis_throttle.h"

#include <time.h>

#include "base/clock.h"

void throttle_init(struct throttle *throttle, int64_t share_percent)
{
    *throttle = (struct throttle){ .share_percent = share_percent };
    pthread_mutex_init(&throttle->lock, NULL);
}

void throttle_destroy(struct throttle *throttle)
{
    pthread_mutex_destroy(&throttle->lock);
}

static void wait_us(int64_t us)
{
    struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    nanosleep(&time, NULL);
}

void throttle_begin(struct throttle *throttle)
{
    int64_t now;

    pthread_mutex_lock(&throttle->lock);
    while ((now = clock_mono(clock_system()).us) < throttle->free_at_us) {
        int64_t wait = throttle->free_at_us - now;
        pthread_mutex_unlock(&throttle->lock);
        wait_us(wait);
        pthread_mutex_lock(&throttle->lock);
    }
    throttle->began_at_us = now;
}

void throttle_end(struct throttle *throttle)
{
    int64_t now = clock_mono(clock_system()).us, took = now - throttle->began_at_us;

    throttle->free_at_us = now + took * (100 - throttle->share_percent) / throttle->share_percent;
    pthread_mutex_unlock(&throttle->lock);
}
