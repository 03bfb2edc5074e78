/* What the agent says of this machine's clock: in its own log, and as lines of the status log. Once for each change. */
#include <stdlib.h>

#include "agent_private.h"
#include "base/log.h"

#define SAY_LEAST_US 120000000

static void say(struct agent *agent, bool bad, const char *state, int64_t by_us, const char *sentence, ...)
    __attribute__((format(printf, 5, 6)));
static void say(struct agent *agent, bool bad, const char *state, int64_t by_us, const char *sentence, ...)
{
    struct error text;
    va_list args;

    va_start(args, sentence);
    error_vset(&text, 0, sentence, args);
    va_end(args);
    log_write(bad ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "%s", text.text);
    report_clock(agent->log, bad ? "warning" : "info", state, by_us, text.text);
}

static void say_jump(struct agent *agent, int64_t by_us)
{
    char amount[DURATION_TEXT_BYTES];

    duration_format(llabs((long long)by_us), amount);
    say(agent, true, by_us > 0 ? "set_forward" : "set_back", by_us, "the clock was set %s by %s", by_us > 0 ? "forward" : "back", amount);
}

static void say_held(struct agent *agent, const struct store_clock *clock)
{
    char amount[DURATION_TEXT_BYTES], until[WALL_TEXT_BYTES];

    duration_format(clock->held_us, amount);
    wall_format(clock->held_until, until);
    if (clock->held_until.us != 0)
        say(agent, true, "held", clock->held_us, "removals and retention wait until %s: the clock is %s later than the agent can account "
            "for (it was set forward, or the agent was off or suspended), and is believed after an hour", until, amount);
    else
        say(agent, true, "held", clock->held_us, "removals and retention go by Okta's clock, which is %s earlier, until this machine's is "
            "set right", amount);
}

static void say_skew(struct agent *agent, int64_t skew_us)
{
    char amount[DURATION_TEXT_BYTES];

    duration_format(llabs((long long)skew_us), amount);
    if (skew_us != 0)
        say(agent, true, skew_us > 0 ? "slow" : "ahead", skew_us, "this machine's clock is %s %s, by the times at which Okta sent its last "
            "requests: set it, and let it be synchronized (timedatectl tells whether it is)", amount, skew_us > 0 ? "slow" : "ahead");
    else
        say(agent, false, "right", 0, "this machine's clock agrees with Okta's again");
}

void clock_changed(void *arg, const struct store_clock *before, const struct store_clock *now)
{
    struct agent *agent = arg;
    bool jumped = now->jumps != before->jumps && llabs((long long)now->jump_us) >= SAY_LEAST_US;
    bool skewed = llabs((long long)(now->skew_us - before->skew_us)) >= SAY_LEAST_US;

    if (jumped)
        say_jump(agent, now->jump_us);
    if (skewed && (now->skew_us != 0 || !jumped)) /* after a jump it is not known yet */
        say_skew(agent, now->skew_us);
    if (now->held_us != 0 && before->held_us == 0)
        say_held(agent, now);
    if (now->held_us == 0 && before->held_us != 0)
        say(agent, false, "released", 0, "removals and retention go by this machine's clock again");
}
