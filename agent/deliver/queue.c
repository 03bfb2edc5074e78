#include "deliver/queue.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 32      /* so many leases share a commit */
#define SLOW_US 1000000  /* a failure that took so long lets others go first */

int queue_init(struct lane_queue *queue, size_t workers)
{
    *queue = (struct lane_queue){ .workers = workers, .room = ROOM_MIN + 8 * workers };
    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        if ((queue->slots[priority] = calloc(queue->room, sizeof(struct lease))) == NULL)
            return ERROR_NOMEM;
    return 0;
}

void queue_free(struct lane_queue *queue)
{
    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        free(queue->slots[priority]);
}

size_t queue_count(const struct lane_queue *queue)
{
    size_t count = 0;

    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        count += queue->count[priority];
    return count;
}

void queue_wish(const struct lane_queue *queue, size_t most[PRIORITY_COUNT])
{
    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        most[priority] = queue->room - queue->count[priority];
}

void queue_fill(struct lane_queue *queue, const size_t most[PRIORITY_COUNT], const struct lease *leases, size_t count)
{
    size_t got[PRIORITY_COUNT] = { 0 };

    for (size_t i = 0; i < count; i++) {
        enum priority priority = leases[i].priority;
        queue->slots[priority][queue->count[priority]++] = leases[i];
        got[priority]++;
    }
    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        if (most[priority] > 0)
            queue->more[priority] = got[priority] == most[priority];
}

bool queue_is_low(const struct lane_queue *queue)
{
    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        if (queue->more[priority] && queue->count[priority] <= queue->room / 2)
            return true;
    return false;
}

/* ---- which is next ---- */

struct choice {
    struct lane_queue *queue;
    struct mono now;
    queue_allows *allows;
    void *arg;
    size_t at[PRIORITY_COUNT]; /* the first that is allowed; count: none */
};

static bool waits(const struct choice *choice, int priority)
{
    return choice->at[priority] < choice->queue->count[priority];
}

static bool another_waits(const struct choice *choice, int priority)
{
    for (int other = 0; other < PRIORITY_COUNT; other++)
        if (other != priority && waits(choice, other) && choice->now.us >= choice->queue->rests_until[other].us)
            return true;
    return false;
}

/* May this one go now, seen from the others? */
static bool may_go(const struct choice *choice, int priority)
{
    const struct lane_queue *queue = choice->queue;
    bool has_all_but_one = queue->workers > 1 && queue->running[priority] >= queue->workers - 1;
    bool rests = choice->now.us < queue->rests_until[priority].us;

    return waits(choice, priority) && !((has_all_but_one || rests) && another_waits(choice, priority));
}

static int most_urgent(const struct choice *choice)
{
    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        if (may_go(choice, priority))
            return priority;
    return -1;
}

static int ready_longest(const struct choice *choice)
{
    int longest = -1;

    for (int priority = 0; priority < PRIORITY_COUNT; priority++) {
        const struct lease *lease = &choice->queue->slots[priority][choice->at[priority]];
        if (may_go(choice, priority) &&
            (longest < 0 || lease->ready.us < choice->queue->slots[longest][choice->at[longest]].ready.us))
            longest = priority;
    }
    return longest;
}

static void take_out(struct lane_queue *queue, int priority, size_t at, struct lease *ret_lease)
{
    struct lease *slots = queue->slots[priority];

    *ret_lease = slots[at];
    memmove(&slots[at], &slots[at + 1], (--queue->count[priority] - at) * sizeof(*slots));
}

bool queue_pick(struct lane_queue *queue, size_t worker, struct mono now, queue_allows *allows, void *arg, struct lease *ret_lease)
{
    struct choice choice = { queue, now, allows, arg, { 0 } };
    bool fair = queue->workers > 1 && worker == queue->workers - 1;

    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        while (allows != NULL && waits(&choice, priority) && !allows(arg, &queue->slots[priority][choice.at[priority]]))
            choice.at[priority]++;
    int priority = fair ? ready_longest(&choice) : most_urgent(&choice);
    if (priority < 0)
        return false;
    take_out(queue, priority, choice.at[priority], ret_lease);
    queue->running[priority]++;
    return true;
}

void queue_ended(struct lane_queue *queue, enum priority priority, bool failed, int64_t took_us, struct mono now)
{
    queue->running[priority]--;
    if (failed && took_us >= SLOW_US)
        queue->rests_until[priority].us = now.us + took_us;
}

bool queue_take(struct lane_queue *queue, struct lease *ret_lease)
{
    for (int priority = 0; priority < PRIORITY_COUNT; priority++)
        if (queue->count[priority] > 0) {
            take_out(queue, priority, queue->count[priority] - 1, ret_lease);
            return true;
        }
    return false;
}
