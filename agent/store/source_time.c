/*
 * What an event's time counts as. Facts are ordered by the source's clock, not by ours: with ours days slow, a leaver's event must not
 * lose to yesterday's. Nor may one absurd time (2099) freeze a register, or become the newest one, so that all that follow may be absurd.
 * The rule and its reason: agent/README.md, "An event's time".
 */
#include "store/store_private.h"

#define FAR_US 86400000000LL  /* a time so much later than the latest known one is absurd */
#define ALIKE_US 60000000     /* two requests were sent so nearly at the same distance from our clock that both tell the same of it */

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Does the request say of our clock what the one before it said? */
static bool says_likewise(const struct store *store, const struct event_batch *batch, struct wall received)
{
    int64_t differs_us = batch->sent.us - received.us - store->counters.ahead;

    return batch->sent.us != 0 && differs_us <= ALIKE_US && differs_us >= -ALIKE_US;
}

struct request_time source_time_of(const struct store *store, const struct event_batch *batch, struct wall received)
{
    int64_t known = later_of(received.us, store->counters.newest), latest = later_of(known, batch->sent.us);

    return (struct request_time){
        .received = received.us, .known = known, .latest = latest + FAR_US,
        .believed = says_likewise(store, batch, received) ? latest + FAR_US : known + FAR_US,
    };
}

void source_time_date(struct store *store, const struct request_time *time, const struct event *event)
{
    struct counters *counters = &store->counters;
    int64_t counts_as = event->published.us;

    if (event->undated || counts_as > time->latest)
        counts_as = later_of(time->received, ++counters->newest);
    else if (counts_as <= time->believed)
        counters->newest = later_of(counters->newest, counts_as);
    else
        counters->doubted = time->known;
    for (size_t i = 0; i < event->fact_count; i++) {
        event->facts[i].as_of.us = counts_as;
        event->facts[i].latest.us = time->latest;
        event->facts[i].doubted.us = counters->doubted;
    }
}

void source_time_note(struct store *store, const struct event_batch *batch, struct wall received)
{
    if (batch->sent.us == 0)
        return;
    if (says_likewise(store, batch, received))
        store->watch_next.skew_us = batch->sent.us - received.us;
    store->counters.ahead = batch->sent.us - received.us;
}

struct wall store_dating_time(struct store *store)
{

    pthread_mutex_lock(&store->lock);
    int64_t newest = store->counters_committed.newest;
    pthread_mutex_unlock(&store->lock);
    return (struct wall){ later_of(store_removal_time(store).us, newest) };
}

int64_t source_time_stamp(const struct store *store)
{
    return later_of(store->now.us, store->counters.newest);
}
