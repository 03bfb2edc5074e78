/*
 * queue.h: leased lanes that no worker has begun, by priority, and which one is
 * next.
 *
 * Rules
 *   - The most urgent priority goes first; within one, the lane that is ready for longest.
 *   - What has failed waits behind what is fresh (PRIORITY_AGAIN).
 *   - One priority never has all workers while another waits: where there are
 *     two workers or more, one is left to the others, and it takes what is ready for longest.
 *   - A priority in which a lane has just failed after a second or more rests
 *     for as long as that lane took, while another waits: hanging requests of
 *     leavers do not keep a single worker from joiners.
 *
 * Ownership: the queue owns the leases in it; queue_pick hands one over.
 * Threads: the owner's lock. Private to deliver/.
 */
#ifndef PROVOST_DELIVER_QUEUE_H
#define PROVOST_DELIVER_QUEUE_H

#include "base/clock.h"
#include "store/store.h"

struct lane_queue {
    struct lease *slots[PRIORITY_COUNT]; /* `room` each, oldest first */
    size_t count[PRIORITY_COUNT];
    bool more[PRIORITY_COUNT];           /* the store had more than there was room for */
    size_t room;
    size_t workers;
    size_t running[PRIORITY_COUNT];
    struct mono rests_until[PRIORITY_COUNT];
};

int queue_init(struct lane_queue *queue, size_t workers); /* 0 or ERROR_NOMEM */
void queue_free(struct lane_queue *queue);
size_t queue_count(const struct lane_queue *queue);
/* How many to lease of each priority. */
void queue_wish(const struct lane_queue *queue, size_t most[PRIORITY_COUNT]);
/* Takes over what was leased for that wish. */
void queue_fill(struct lane_queue *queue, const size_t most[PRIORITY_COUNT], const struct lease *leases, size_t count);
/* Has one run low of which the store had more? */
bool queue_is_low(const struct lane_queue *queue);
/* The next one for this worker (0 …); false: nothing is queued, or nothing that `allows` lets through (NULL: all). */
typedef bool queue_allows(void *arg, const struct lease *lease);
bool queue_pick(struct lane_queue *queue, size_t worker, struct mono now, queue_allows *allows, void *arg, struct lease *ret_lease);
/* A lane that was picked has ended. */
void queue_ended(struct lane_queue *queue, enum priority priority, bool failed, int64_t took_us, struct mono now);
/* Any one, to be given back; false: it is empty. */
bool queue_take(struct lane_queue *queue, struct lease *ret_lease);

#endif
