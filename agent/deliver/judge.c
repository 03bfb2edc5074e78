#include "deliver/judge.h"

static size_t find(const struct judge *judge, uint64_t lane)
{
    size_t i = 0;

    while (i < judge->known_count && judge->known[i] != lane)
        i++;
    return i;
}

bool judge_knows(const struct judge *judge, uint64_t lane)
{
    return find(judge, lane) < judge->known_count;
}

static void remember(struct judge *judge, uint64_t lane)
{
    if (judge->known_count < JUDGE_KNOWN_MAX) {
        judge->known[judge->known_count++] = lane;
        return;
    }
    judge->known[judge->known_next] = lane;
    judge->known_next = (judge->known_next + 1) % JUDGE_KNOWN_MAX;
}

bool judge_refused(struct judge *judge, uint64_t lane, int code, bool of_change)
{
    if (judge_knows(judge, lane))
        return false;
    remember(judge, lane);
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
