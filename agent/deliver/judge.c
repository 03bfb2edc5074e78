#include "deliver/judge.h"

static size_t find(const struct judge *judge, uint64_t lane)
{
    size_t i = 0;

    while (i < judge->known_count && judge->known[i].lane != lane)
        i++;
    return i;
}

uint64_t judge_refused_at(const struct judge *judge, uint64_t lane)
{
    size_t at = find(judge, lane);

    return at < judge->known_count ? judge->known[at].refused_at : 0;
}

/* True: it was not known. */
static bool remember(struct judge *judge, uint64_t lane)
{
    size_t at = find(judge, lane);
    bool known = at < judge->known_count;

    if (!known && at < JUDGE_KNOWN_MAX) {
        judge->known_count++;
    } else if (!known) {
        at = judge->known_next;
        judge->known_next = (judge->known_next + 1) % JUDGE_KNOWN_MAX;
    }
    judge->known[at] = (struct judge_known){ lane, ++judge->refusals };
    return !known;
}

bool judge_refused(struct judge *judge, uint64_t lane, int code, bool of_change)
{
    if (!remember(judge, lane))
        return false;
    judge->row = judge->code == code && judge->of_change == of_change ? judge->row + 1 : 1;
    judge->code = code;
    judge->of_change = of_change;
    return judge->row >= JUDGE_ROW;
}

void judge_accepted(struct judge *judge, uint64_t lane)
{
    size_t at = find(judge, lane);

    judge->row = 0;
    if (at < judge->known_count)
        judge->known[at] = judge->known[--judge->known_count];
}

void judge_forget(struct judge *judge)
{
    judge->known_count = judge->known_next = judge->row = 0;
}
